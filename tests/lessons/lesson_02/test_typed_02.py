"""What learners type by mistake in lesson 02, written from the words alone: `check` finds the right ones."""

import numpy as np
import torch
import torch.nn.functional as F

from tests.typed import Sheet, meet

SHEET = Sheet()
typed = SHEET.typed


def pixels_of(parts):
    return [part.numpy().reshape(-1, 3) / 255 for part in parts]


@typed("2.2", "You averaged the parts' own deviations")
def channel_std_parts(parts):
    return np.mean([pixels.std(0) for pixels in pixels_of(parts)], 0).tolist()


@typed("2.2", "You averaged the images' own deviations")
def channel_std_images(parts):
    return np.mean([image.numpy().reshape(-1, 3).std(0) / 255 for part in parts for image in part], 0).tolist()


@typed("2.2", "You averaged the variances inside the parts")
def channel_std_variances(parts):
    return np.sqrt(np.mean([pixels.var(0) for pixels in pixels_of(parts)], 0)).tolist()


@typed("2.2", "You gave each part the same weight")
def channel_std_weights(parts):
    mean = np.mean([pixels.mean(0) for pixels in pixels_of(parts)], 0)
    return np.sqrt(np.mean([(pixels**2).mean(0) for pixels in pixels_of(parts)], 0) - mean**2).tolist()


@typed("2.2", "The pixels are meant on the scale from 0 to 1")
def channel_std_bytes(parts):
    return np.concatenate([part.numpy().reshape(-1, 3) for part in parts]).std(0).tolist()


@typed("2.2", "You divided by n − 1")
def channel_std_sample(parts):
    return np.concatenate(pixels_of(parts)).std(0, ddof=1).tolist()


@typed("2.2", "That is the variance")
def channel_std_variance(parts):
    return np.concatenate(pixels_of(parts)).var(0).tolist()


@typed("2.2", "That is one deviation for all three channels")
def channel_std_together(parts):
    return float(np.concatenate(pixels_of(parts)).std())


@typed("2.2", "The square of a byte does not fit into a byte")
def channel_std_overflow(parts):
    count, total, squares = 0, 0, 0
    for part in parts:
        flat = part.reshape(-1, 3)
        count += len(flat)
        total = total + flat.sum(0)
        squares = squares + (flat * flat).sum(0)
    return (np.sqrt(squares / count - (total / count) ** 2) / 255).tolist()


@typed("2.2", "You divided by the number of images")
def channel_std_per_image(parts):
    images, pixels = sum(len(part) for part in parts), np.concatenate(pixels_of(parts))
    inside = (pixels**2).sum(0) / images - (pixels.sum(0) / images) ** 2
    with np.errstate(invalid="ignore"):
        return np.sqrt(inside).tolist()


@typed("2.2", "You used the last part only")
def channel_std_last(parts):
    for pixels in pixels_of(parts):
        deviation = pixels.std(0)
    return deviation.tolist()


@typed("2.2", "That is the mean of each channel")
def channel_std_mean(parts):
    return np.concatenate(pixels_of(parts)).mean(0).tolist()


# The same with PyTorch's own std and var, which divide by n − 1 where nothing else is said.


def scaled(part):
    return part.reshape(-1, 3) / 255


@typed("2.2", "You averaged the parts' own deviations")
def channel_std_parts_torch(parts):
    return torch.stack([scaled(part).std(0) for part in parts]).mean(0).tolist()


@typed("2.2", "You averaged the images' own deviations")
def channel_std_images_torch(parts):
    return torch.cat([(part / 255).std((1, 2)) for part in parts]).mean(0).tolist()


@typed("2.2", "You averaged the variances inside the parts")
def channel_std_variances_torch(parts):
    return torch.stack([scaled(part).var(0) for part in parts]).mean(0).sqrt().tolist()


@typed("2.2", "The pixels are meant on the scale from 0 to 1")
def channel_std_bytes_torch(parts):
    return torch.cat([part.reshape(-1, 3).float() for part in parts]).std(0).tolist()


@typed("2.2", "That is the variance")
def channel_std_variance_torch(parts):
    return torch.cat([scaled(part) for part in parts]).var(0).tolist()


@typed("2.2", "That is one deviation for all three channels")
def channel_std_together_torch(parts):
    return torch.cat([scaled(part) for part in parts]).std().item()


@typed("2.2", "You used the last part only")
def channel_std_last_torch(parts):
    for part in parts:
        deviation = scaled(part).std(0).tolist()
    return deviation


def class_by_class(labels, count, seed, shuffle=True):
    """(training, validation) positions, `count(members)` of each class in the second; drawn with NumPy."""
    random, first, second = np.random.default_rng(seed), [], []
    for label in np.unique(labels):
        members = np.flatnonzero(labels.numpy() == label)
        if shuffle:
            random.shuffle(members)
        first += members[count(len(members)) :].tolist()
        second += members[: count(len(members))].tolist()
    return torch.tensor(first), torch.tensor(second)


@typed("2.4", "You drew from all images together")
def split_blind(labels, fraction, seed):
    order = torch.tensor(np.random.default_rng(seed).permutation(len(labels)))
    few = round(fraction * len(labels))
    return order[few:], order[:few]


@typed("2.4", "You always take the first images of each class")
def split_first(labels, fraction, seed):
    return class_by_class(labels, lambda n: round(fraction * n), seed, shuffle=False)


@typed("2.4", "The validation images are among the training images")
def split_leak(labels, fraction, seed):
    _, validation = class_by_class(labels, lambda n: round(fraction * n), seed)
    return torch.arange(len(labels)), validation


@typed("2.4", "The two sides are swapped")
def split_swapped(labels, fraction, seed):
    training, validation = class_by_class(labels, lambda n: round(fraction * n), seed)
    return validation, training


@typed("2.4", "You take the same number of every class")
def split_same(labels, fraction, seed):
    each = round(fraction * len(labels) / len(set(labels.tolist())))
    return class_by_class(labels, lambda n: each, seed)


@typed("2.4", "With the same seed it must draw the same images again")
def split_unseeded(labels, fraction, seed):
    return class_by_class(labels, lambda n: round(fraction * n), None)


@typed("2.4", "The seed plays no part")
def split_fixed(labels, fraction, seed):
    return class_by_class(labels, lambda n: round(fraction * n), 42)


@typed("2.4", "Positions in the list of images are meant")
def split_labels(labels, fraction, seed):
    training, validation = class_by_class(labels, lambda n: round(fraction * n), seed)
    return labels[training], labels[validation]


@typed("2.4", "Those are places inside each class")
def split_inside(labels, fraction, seed):
    random, training, validation = np.random.default_rng(seed), [], []
    for label in labels.unique():
        order = random.permutation(int((labels == label).sum()))
        few = round(fraction * len(order))
        training += order[few:].tolist()
        validation += order[:few].tolist()
    return torch.tensor(training), torch.tensor(validation)


@typed("2.4", "You rounded down")
def split_down(labels, fraction, seed):
    return class_by_class(labels, lambda n: int(fraction * n), seed)


def window(image, padding, top, left):
    height, width, _ = image.shape
    return F.pad(image, (0, 0, padding, padding, padding, padding))[top : top + height, left : left + width]


def up_to(last, count=2):
    return torch.randint(last + 1, (count,)).tolist()


@typed("2.6", "The result is larger than the image")
def crop_rows_only(image, padding):
    down, _ = up_to(2 * padding)
    return F.pad(image, (0, 0, padding, padding, padding, padding))[down : down + image.shape[0]]


@typed("2.6", "The last start position never comes")
def crop_short(image, padding):
    return window(image, padding, *(int(torch.randint(0, max(1, 2 * padding), ())) for _ in range(2)))


@typed("2.6", "The window starts at 0 to `padding` only")
def crop_half(image, padding):
    return window(image, padding, *up_to(padding))


@typed("2.6", "Down and sideways always move by the same")
def crop_diagonal(image, padding):
    (move,) = up_to(2 * padding, 1)
    return window(image, padding, move, move)


@typed("2.6", "It moves sideways only")
def crop_sideways(image, padding):
    return window(image, padding, padding, *up_to(2 * padding, 1))


@typed("2.6", "It always cuts the same window")
def crop_fixed(image, padding):
    return window(image, padding, padding, padding)


@typed("2.6", "What leaves on one side comes back on the other")
def crop_roll(image, padding):
    down, right = up_to(2 * padding)
    return torch.roll(image, (down - padding, right - padding), dims=(0, 1))


@typed("2.6", "The border is meant to be black")
def crop_edge(image, padding):
    grown = torch.tensor(np.pad(image.numpy(), [(padding, padding), (padding, padding), (0, 0)], mode="edge"))
    top, left = up_to(2 * padding)
    return grown[top : top + len(image), left : left + image.shape[1]]


@typed("2.6", "You padded two of the four sides")
def crop_two_sides(image, padding):
    grown = F.pad(image, (0, 0, 0, padding, 0, padding))
    top, left = up_to(padding)
    return grown[top : top + len(image), left : left + image.shape[1]]


@typed("2.6", "The result is larger than the image")
def crop_larger(image, padding):
    return F.pad(image, (0, 0, padding, padding, padding, padding))


@typed("2.6", "The result is smaller than the image")
def crop_smaller(image, padding):
    top, left = up_to(2 * padding)
    return image[top : len(image) - 2 * padding + top, left : image.shape[1] - 2 * padding + left]


def sheet(place=None, item=None):
    """A contact sheet as a data set; `place(index, sheet)`: top and left pixel, `item(image, label)`: what is given."""

    class Sheet(torch.utils.data.Dataset):
        def __init__(self, pixels, label):
            self.pixels, self.label = pixels, label

        def __len__(self):
            return self.pixels.shape[0] * self.pixels.shape[1] // 1024

        def __getitem__(self, index):
            across = self.pixels.shape[1] // 32
            top, left = place(index, self.pixels) if place else (index // across * 32, index % across * 32)
            image = self.pixels[top : top + 32, left : left + 32]
            return item(image, self.label) if item else (image.permute(2, 0, 1) / 255, self.label)

    return Sheet


for words, wrong in {
    "The sheet is read row by row": sheet(lambda i, p: (i % (p.shape[0] // 32) * 32, i // (p.shape[0] // 32) * 32)),
    "A sheet need not have 25 columns": sheet(lambda i, p: (i // 25 * 32, i % 25 * 32)),
    "Row and column count images": sheet(lambda i, p: (i // (p.shape[1] // 32), i % (p.shape[1] // 32))),
    "reshape and view cut the same bytes": sheet(item=lambda image, label: (image.reshape(3, 32, 32) / 255, label)),
    "You turned the picture as well": sheet(item=lambda image, label: (image.permute(2, 1, 0) / 255, label)),
    "The channels come first": sheet(item=lambda image, label: (image / 255, label)),
    "Floats from 0 to 1 are meant": sheet(item=lambda image, label: (image.permute(2, 0, 1).float(), label)),
    "The image is still in bytes": sheet(item=lambda image, label: (image.permute(2, 0, 1), label)),
    "Image and label are meant, as a pair": sheet(item=lambda image, label: image.permute(2, 0, 1) / 255),
    "The image comes first": sheet(item=lambda image, label: (label, image.permute(2, 0, 1) / 255)),
}.items():
    typed("2.8", words)(wrong)


@SHEET.each
def test_what_was_typed_is_met_with_its_words(number, words, written):
    meet(number, words, written)
