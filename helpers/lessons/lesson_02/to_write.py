"""Exercises 2.4, 2.6 and 2.8: functions and a class to write, right ones and the mistakes people make in them."""

import torch
from torch.utils.data import DataLoader

from helpers.exercises.code import Case, CodeExercise
from helpers.lessons.lesson_02.judges import crop_verdict, split_verdict
from helpers.lessons.lesson_02.to_write_std import some_bytes

# -------------------------------------------------------------------------------------- 2.4 stratified_split


def stratified_split(labels, fraction, seed):
    """(training, validation): positions, `fraction` of each class in the second. The right answer."""
    generator = torch.Generator().manual_seed(seed)
    training, validation = [], []
    for label in labels.unique():
        members = torch.nonzero(labels == label).flatten()
        members = members[torch.randperm(len(members), generator=generator)]
        count = round(fraction * len(members))
        validation.append(members[:count])
        training.append(members[count:])
    return torch.cat(training), torch.cat(validation)


def _blind(labels, fraction, seed):
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    count = round(fraction * len(labels))
    return order[count:], order[:count]


def _first_of_each(labels, fraction, seed):
    members = [torch.nonzero(labels == label).flatten() for label in labels.unique()]
    counts = [round(fraction * len(indices)) for indices in members]
    pairs = list(zip(members, counts, strict=True))
    return torch.cat([i[count:] for i, count in pairs]), torch.cat([i[:count] for i, count in pairs])


def _all_to_train(labels, fraction, seed):
    return torch.arange(len(labels)), stratified_split(labels, fraction, seed)[1]


def _swapped(labels, fraction, seed):
    return stratified_split(labels, fraction, seed)[::-1]


def _same_number_of_each(labels, fraction, seed):
    count = round(fraction * len(labels) / len(labels.unique()))
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    chosen = torch.cat([order[labels[order] == label][:count] for label in labels.unique()])
    return order[~torch.isin(order, chosen)], chosen


def _inside_each_class(labels, fraction, seed):
    generator, training, validation = torch.Generator().manual_seed(seed), [], []
    for count in labels.bincount().tolist():
        order, few = torch.randperm(count, generator=generator), round(fraction * count)
        training.append(order[few:])
        validation.append(order[:few])
    return torch.cat(training), torch.cat(validation)


def _rounded_down(labels, fraction, seed):
    generator, training, validation = torch.Generator().manual_seed(seed), [], []
    for label in labels.unique():
        members = torch.nonzero(labels == label).flatten()
        members = members[torch.randperm(len(members), generator=generator)]
        training.append(members[int(fraction * len(members)) :])
        validation.append(members[: int(fraction * len(members))])
    return torch.cat(training), torch.cat(validation)


def _three_draws(split, labels, fraction):
    """What is judged: two draws with the same seed and one with another."""
    return [split(labels.clone(), fraction, seed) for seed in (0, 0, 1)]


def _split_case(words: str, counts: list[int], fraction: float) -> Case:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    if "mixed" in words:
        labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(5))]
    return Case(words, labels, fraction, use=_three_draws, holds=split_verdict(labels, fraction))


SPLIT_CASES = (
    _split_case("for 60 labels, class by class,", [20, 20, 20], 0.2),
    _split_case("for 100 labels in mixed order, the classes of different size,", [50, 30, 20], 0.3),
    _split_case("for two mixed classes and half of them,", [40, 24], 0.5),
    _split_case("for mixed classes of 19, 14 and 16, a fifth of them,", [19, 14, 16], 0.2),  # 3.8, 2.8 and 3.2
)
SPLIT = CodeExercise(
    "stratified_split",
    SPLIT_CASES,
    stratified_split,
    "each class is drawn by itself, so both sides have its share, and the seed alone decides which images.",
    {
        "You drew from all images together, so the classes differ by chance: draw class by class.": _blind,
        "You always take the first images of each class. They may be special: draw them, with the seed.": (
            _first_of_each
        ),
        "The validation images are among the training images, too: that is the leak.": _all_to_train,
        "The two sides are swapped: training comes first, and `fraction` is the share of the second.": _swapped,
        "You take the same number of every class, but a large class gives more than a small one.": _same_number_of_each,
        "With the same seed it must draw the same images again: start a torch.Generator with the seed.": (
            lambda labels, fraction, seed: stratified_split(labels, fraction, int(torch.randint(10**6, ())))
        ),
        "The seed plays no part: another one should draw other images.": (
            lambda labels, fraction, seed: stratified_split(labels, fraction, 3)
        ),
        "Positions in the list of images are meant, not the labels that stand there.": (
            lambda labels, fraction, seed: tuple(labels[part] for part in stratified_split(labels, fraction, seed))
        ),
        "Those are places inside each class: look up which image of the whole list stands there.": _inside_each_class,
        "You rounded down: round(…) goes to the nearest whole number, int(…) cuts off.": _rounded_down,
    },
    hint="Where are the images of one class? torch.nonzero(labels == label) tells.",
)

# ------------------------------------------------------------------------------------------- 2.6 random_crop


def _pad(image: torch.Tensor, padding: int) -> torch.Tensor:
    height, width, channels = image.shape
    padded = image.new_zeros(height + 2 * padding, width + 2 * padding, channels)
    padded[padding : padding + height, padding : padding + width] = image
    return padded


def random_crop(image, padding):
    """A window of the size of the image [H,W,C] out of the image with `padding` zeros around. The right answer."""
    top, left = torch.randint(0, 2 * padding + 1, (2,)).tolist()
    return _pad(image, padding)[top : top + image.shape[0], left : left + image.shape[1]]


def _crop_with(draw, pad=_pad):
    def crop(image, padding):
        top, left = draw(padding)
        return pad(image, padding)[top : top + image.shape[0], left : left + image.shape[1]]

    return crop


def _two(limit: int) -> list[int]:
    return torch.randint(0, max(1, limit), (2,)).tolist()


def _pad_after(image, padding):  # on one side only
    return _pad(image, padding)[padding:, padding:]


def _reflect(image, padding):
    moved = image.permute(2, 0, 1).float()[None]
    mode = "replicate"
    return torch.nn.functional.pad(moved, [padding] * 4, mode=mode)[0].permute(1, 2, 0).to(image.dtype)


def _roll(image, padding):
    return image.roll([move - padding for move in _two(2 * padding + 1)], (0, 1))


def _smaller(image, padding):
    top, left = _two(2 * padding + 1)
    return image[top : image.shape[0] - 2 * padding + top, left : image.shape[1] - 2 * padding + left]


def _many_crops(crop, image, padding):
    return [crop(image.clone(), padding) for _ in range(25 * (2 * padding + 1) ** 2)]


def _crop_case(words: str, height: int, width: int, padding: int) -> Case:
    # every byte from 1 on, so that no part of the image looks like another or like the border
    image = torch.arange(1, 3 * height * width + 1, dtype=torch.uint8).view(height, width, 3)
    return Case(words, image, padding, use=_many_crops, holds=crop_verdict(image, padding))


CROP_CASES = (
    _crop_case("for 6 × 6 pixels and a padding of 1", 6, 6, 1),
    _crop_case("for 4 × 7 pixels and a padding of 2", 4, 7, 2),
    _crop_case("without padding", 5, 4, 0),
)
CROP = CodeExercise(
    "random_crop",
    CROP_CASES,
    random_crop,
    "every window of the padded image can come out, first and last included, and both directions are drawn.",
    {
        "The last start position never comes: torch.randint leaves its upper end out.": _crop_with(
            lambda p: _two(2 * p)
        ),
        "The window starts at 0 to `padding` only, but there is padding on both sides.": _crop_with(
            lambda p: _two(p + 1)
        ),
        "Down and sideways always move by the same: draw two numbers.": _crop_with(lambda p: [_two(2 * p + 1)[0]] * 2),
        "It moves sideways only; a crop moves up and down as well.": _crop_with(lambda p: (p, _two(2 * p + 1)[1])),
        "It always cuts the same window: nothing is drawn.": _crop_with(lambda p: (p, p)),
        "What leaves on one side comes back on the other: pad with black (zeros) instead of rolling.": _roll,
        "The border is meant to be black: pad with zeros, not with the pixels of the edge.": _crop_with(
            lambda p: _two(2 * p + 1), _reflect
        ),
        "You padded two of the four sides.": _crop_with(lambda p: _two(p + 1), _pad_after),
        "The result is larger than the image: after padding, a window of the old size is cut out.": _pad,
        "The result is smaller than the image: pad it before you cut.": _smaller,
    },
    hint="Draw it for one row of pixels first.",
)

# ------------------------------------------------------------------------------------------ 2.8 ContactSheet


class ContactSheet(torch.utils.data.Dataset):
    """The images of one class's sheet [H,W,3], each with the class's label. The right answer."""

    def __init__(self, pixels, label):
        self.pixels, self.label = pixels, label
        self.columns = pixels.shape[1] // 32

    def __len__(self):
        return self.pixels.shape[0] // 32 * self.columns

    def __getitem__(self, index):
        image = self.pixels[self.place(index)]
        return image.permute(2, 0, 1).float() / 255, self.label

    def place(self, index):
        """Where image `index` lies, as two slices."""
        row, column = divmod(index, self.columns)
        return slice(32 * row, 32 * row + 32), slice(32 * column, 32 * column + 32)


class _DownFirst(ContactSheet):
    def place(self, index):
        column, row = divmod(index, self.pixels.shape[0] // 32)
        return slice(32 * row, 32 * row + 32), slice(32 * column, 32 * column + 32)


class _Always25(ContactSheet):
    def place(self, index):
        row, column = divmod(index, 25)
        return slice(32 * row, 32 * row + 32), slice(32 * column, 32 * column + 32)


class _PixelsNotImages(ContactSheet):
    def place(self, index):
        row, column = divmod(index, self.columns)
        return slice(row, row + 32), slice(column, column + 32)


def _getitem(what):
    """A wrong ContactSheet whose __getitem__ is what(image uint8 [32,32,3], label)."""

    class Wrong(ContactSheet):
        def __getitem__(self, index):
            return what(self.pixels[self.place(index)], self.label)

    return Wrong


def _items(sheet_class, pixels, label):
    sheet = sheet_class(pixels, label)
    return [sheet[index] for index in sorted({0, 1, len(sheet) // 2, len(sheet) - 1})]


def _one_batch(sheet_class, pixels, label):
    return list(DataLoader(sheet_class(pixels, label), batch_size=8))


SHEET_CASES = (
    Case("for a sheet of 2 rows and 3 columns", some_bytes(64, 96, 3), 4, use=_items),
    Case("for a sheet of 3 rows and 2 columns", some_bytes(96, 64, 3, seed=1), 7, use=_items),
    Case("for one row of 26 images", some_bytes(32, 832, 3, seed=2), 0, use=_items),
    Case("in a DataLoader", some_bytes(64, 128, 3, seed=3), 9, use=_one_batch),
)
SHEET = CodeExercise(
    "ContactSheet",
    SHEET_CASES,
    ContactSheet,
    "row and column from divmod, the channels moved to the front, the bytes scaled to 0…1, and the label beside it; a "
    "DataLoader needs no more.",
    {
        "The sheet is read row by row, and you count down the columns.": _DownFirst,
        "A sheet need not have 25 columns; how many this one has follows from its width.": _Always25,
        "Row and column count images: how many pixels is that?": _PixelsNotImages,
        "reshape and view cut the same bytes into other pieces; permute moves the channels to the front.": _getitem(
            lambda image, label: (image.reshape(3, 32, 32).float() / 255, label)
        ),
        "You turned the picture as well: height comes before width.": _getitem(
            lambda image, label: (image.permute(2, 1, 0).float() / 255, label)
        ),
        "The channels come first: [3, 32, 32].": _getitem(lambda image, label: (image.float() / 255, label)),
        "Floats from 0 to 1 are meant: divide by 255.": _getitem(
            lambda image, label: (image.permute(2, 0, 1).float(), label)
        ),
        "The image is still in bytes: make it float, from 0 to 1.": _getitem(
            lambda image, label: (image.permute(2, 0, 1), label)
        ),
        "Image and label are meant, as a pair.": _getitem(lambda image, label: image.permute(2, 0, 1).float() / 255),
        "The image comes first, the label second.": _getitem(
            lambda image, label: (label, image.permute(2, 0, 1).float() / 255)
        ),
    },
    exact_dtype=True,
    hint="divmod(index, self.columns) gives row and column.",
)
