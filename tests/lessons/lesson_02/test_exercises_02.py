"""Each exercise's right answer, computed another way; answers and programs that a learner might hand in."""

import random
from fractions import Fraction

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF
from PIL import Image
from torchvision import transforms

from helpers import DATA
from helpers.data import CLASSES, ImageSet, load_cifar10, read_sheet, split
from helpers.exercises import exercise
from helpers.lessons.lesson_02.to_write import ContactSheet, random_crop, stratified_split
from helpers.lessons.lesson_02.to_write_std import channel_std

# -------------------------------------------------------------------------------------------- the keys, once more


def test_numbers():
    assert exercise("2.1").answer == np.empty((50_000, 32, 32, 3), np.float32).nbytes / 1e6
    flat = np.repeat(np.linspace(0, 1, 11), 9).reshape(11, 9)
    assert exercise("2.3").answer == pytest.approx(flat.std(axis=1).mean(), abs=1e-12) and flat.std() > 0.1
    # of 9,999 other images 8,000 are for training, and the twin is any of them with equal chance
    assert exercise("2.5").answer == pytest.approx(8000 / 9999, abs=1e-4)
    assert exercise("2.9").answer == pytest.approx(float(1 / (Fraction(1, 2000) + Fraction(1, 500))))


def test_versions_are_counted_by_making_all():
    image = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    padded, seen = TF.pad(image, [4]), set()
    for top in range(padded.shape[1] - 31):
        for left in range(padded.shape[2] - 31):
            crop = TF.crop(padded, top, left, 32, 32)
            seen |= {crop.numpy().tobytes(), TF.hflip(crop).numpy().tobytes()}
    assert exercise("2.7").answer == len(seen)


def test_channel_std_is_numpys():
    parts = [torch.randint(0, 256, (n, 5, 4, 3), dtype=torch.uint8) for n in (1, 6, 3)]
    pixels = np.concatenate([part.numpy().reshape(-1, 3) for part in parts]) / 255
    assert channel_std(parts) == pytest.approx(pixels.std(axis=0).tolist())


def test_stratified_split_is_the_helper():
    labels = torch.arange(10).repeat_interleave(torch.arange(10, 60, 5))[torch.randperm(325)]
    images = torch.zeros(len(labels), 1, 1, 3, dtype=torch.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = torch.arange(len(labels)) % 256, torch.arange(len(labels)) // 256
    training, validation = stratified_split(labels, 0.3, 7)
    for part, positions in zip(
        split(ImageSet(images, labels, CLASSES, ""), 0.3, 7), (training, validation), strict=True
    ):
        assert (part.images[:, 0, 0, 0] + 256 * part.images[:, 0, 0, 1].long()).tolist() == positions.sort()[0].tolist()


def test_random_crop_is_torchvisions():
    """The same windows, equally often: 9 of them, 900 draws each; chi-square with 8 degrees of freedom, p = 1e-6."""
    image = torch.arange(1, 5 * 4 * 3 + 1, dtype=torch.uint8).view(5, 4, 3)
    usual = transforms.RandomCrop((5, 4), padding=1)
    torch.manual_seed(0)
    ours, theirs = {}, {}
    for _ in range(900):
        for counts, crop in (
            (ours, random_crop(image, 1)),
            (theirs, usual(image.permute(2, 0, 1)).permute(1, 2, 0).contiguous()),
        ):
            key = crop.contiguous().numpy().tobytes()
            counts[key] = counts.get(key, 0) + 1
    assert set(ours) == set(theirs) and len(ours) == 9
    assert sum((count - 100) ** 2 / 100 for count in ours.values()) < 43


def test_contact_sheet_is_the_loader():
    path = DATA / "cifar10-sample" / "test" / "ship.png"
    with Image.open(path) as image:
        pixels = TF.pil_to_tensor(image).permute(1, 2, 0)
    sheet = ContactSheet(pixels, 8)
    assert len(sheet) == 200
    for index in (0, 19, 20, 199):
        image, label = sheet[index]
        assert torch.equal(image, TF.to_tensor(read_sheet(path)[index].numpy())) and label == 8
    assert torch.equal(read_sheet(path), load_cifar10()[1].images[1600:1800])


# ------------------------------------------------------------------------------------------ what people might type

TAKEN = {
    "2.1": [614, 614.4, 614.40, 614_400_000, 614_400, 0.6144, 0.614, np.float32(614.4), torch.tensor(614.4)],
    "2.3": [0, 0.0, -0.0],
    "2.5": [0.8, 80, 4 / 5, 0.80],
    "2.7": [162, 162.0, 9 * 9 * 2],
    "2.9": [400, 400.0],
}
TOLD = [
    ("2.1", 153.6, "one byte a value"),
    ("2.1", 154, "one byte a value"),
    ("2.1", 585.9, "MiB"),
    ("2.1", 586, "MiB"),
    ("2.1", 146.5, "one byte a value"),  # as bytes and in MiB
    ("2.1", 204.8, "three colours"),
    ("2.1", 205, "three colours"),
    ("2.1", 737, "test images"),
    ("2.1", 1229, "float64"),
    ("2.1", 61.4, "sample"),
    ("2.1", "614 MB", "quotation marks"),
    ("2.3", 0.29, "all pixels together"),
    ("2.3", 0.083, "variance"),
    ("2.3", 0.08, "variance"),
    ("2.5", 0.2, "went to validation"),
    ("2.5", 20, "went to validation"),
    ("2.5", 0.5, "which side"),
    ("2.7", 81, "mirrored"),
    ("2.7", 128, "0 to 8"),
    ("2.7", 50, "both sides"),
    ("2.7", 25, "both sides"),
    ("2.9", 500, "at the same time"),
    ("2.9", 1250, "mean of the rates"),
    ("2.9", 2500, "added"),
    ("2.9", 2.5, "in ms"),
]


@pytest.mark.parametrize("number, answer", [(number, answer) for number, all_ in TAKEN.items() for answer in all_])
def test_right_answers_in_other_clothes_are_taken(number, answer):
    right, words = exercise(number).judge(answer)
    assert right, words


@pytest.mark.parametrize("number, answer, words", TOLD)
def test_likely_mistakes_are_told(number, answer, words):
    right, said = exercise(number).judge(answer)
    assert not right and words in said, said


# ---------------------------------------------------------------------------------------- what people might write


def std_with_numpy(parts):
    return np.concatenate([part.numpy().reshape(-1, 3) for part in parts]).std(axis=0) / 255


def std_by_hand(parts):
    result = []
    for channel in range(3):
        values = [value / 255 for part in parts for value in part[..., channel].flatten().tolist()]
        mean = sum(values) / len(values)
        result.append((sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5)
    return tuple(result)


def split_with_lists(labels, fraction, seed):
    draw, training, validation = random.Random(seed), [], []
    for label in set(labels.tolist()):
        members = [i for i, other in enumerate(labels.tolist()) if other == label]
        draw.shuffle(members)
        cut = len(members) - round(fraction * len(members))
        training, validation = training + members[:cut], validation + members[cut:]
    return training, validation


def crop_with_torchvision(image, padding):
    cut = transforms.RandomCrop(list(image.shape[:2]), padding=padding or None)
    return cut(image.permute(2, 0, 1)).permute(1, 2, 0)


class SheetWithToTensor(torch.utils.data.Dataset):
    def __init__(self, pixels, label):
        self.tiles = [TF.to_tensor(tile.numpy()) for row in pixels.split(32) for tile in row.split(32, dim=1)]
        self.label = label

    def __len__(self):
        return len(self.tiles)

    def __getitem__(self, index):
        return self.tiles[index], torch.tensor(self.label)


OTHER_WAYS = [
    ("2.2", std_with_numpy),
    ("2.2", std_by_hand),
    ("2.4", split_with_lists),
    ("2.6", crop_with_torchvision),
    ("2.8", SheetWithToTensor),
]


@pytest.mark.parametrize("number, written", OTHER_WAYS, ids=lambda part: getattr(part, "__name__", part))
def test_other_right_ways_are_taken(number, written):
    right, words = exercise(number).judge(written)
    assert right, words


def blind_with_the_global_generator(labels, fraction, seed):
    torch.manual_seed(seed)
    order = torch.randperm(len(labels))
    cut = int(len(labels) * (1 - fraction))
    return order[:cut], order[cut:]


def crop_that_forgets_the_last_column(image, padding):
    padded = torch.nn.functional.pad(image, (0, 0, padding, padding, padding, padding))
    top = random.randint(0, 2 * padding)
    left = random.randrange(0, max(1, 2 * padding))
    return padded[top : top + image.shape[0], left : left + image.shape[1]]


def crop_of_squares_only(image, padding):
    side = image.shape[0]
    padded = torch.nn.functional.pad(image, (0, 0, padding, padding, padding, padding))
    top, left = torch.randint(0, 2 * padding + 1, (2,)).tolist()
    return padded[top : top + side, left : left + side]


def split_that_loses_some(labels, fraction, seed):
    training, validation = stratified_split(labels, fraction, seed)
    return training[1:], validation


def split_of_the_last(labels, fraction, seed):
    training, validation = zip(
        *[
            (members[: -round(fraction * len(members))], members[-round(fraction * len(members)) :])
            for members in (torch.nonzero(labels == label).flatten() for label in labels.unique())
        ],
        strict=True,
    )
    return torch.cat(training), torch.cat(validation)


def std_over_images(parts):
    count, total, squares = 0, 0, 0
    for part in parts:
        pixels = part.float() / 255
        count, total, squares = (count + len(part), total + pixels.sum((0, 1, 2)), squares + (pixels**2).sum((0, 1, 2)))
    return (squares / count - (total / count) ** 2).sqrt()


def std_of_bytes(parts):
    count, total, squares = 0, 0, 0
    for part in parts:
        pixels = part.reshape(-1, 3)
        count, total, squares = count + len(pixels), total + pixels.sum(0), squares + (pixels**2).sum(0)
    return (squares / count - (total / count) ** 2).sqrt() / 255


def split_with(cut):
    """A split class by class by `cut(members, generator, fraction)`, which gives (training, validation)."""

    def split(labels, fraction, seed):
        generator = torch.Generator().manual_seed(seed)
        members = [torch.nonzero(labels == label).flatten() for label in labels.unique()]
        pairs = [cut(each, generator, fraction) for each in members]
        return torch.cat([training for training, _ in pairs]), torch.cat([validation for _, validation in pairs])

    return split


def places_in_the_class(members, generator, fraction):
    order, count = torch.randperm(len(members), generator=generator), round(fraction * len(members))
    return order[count:], order[:count]


def cut_off(members, generator, fraction):
    members, count = members[torch.randperm(len(members), generator=generator)], int(fraction * len(members))
    return members[count:], members[:count]


def with_replacement(members, generator, fraction):
    drawn = members[torch.randint(len(members), (round(fraction * len(members)),), generator=generator)]
    return members[~torch.isin(members, drawn)], drawn


def share_of_all(members, generator, fraction):  # where 60 images have three classes of 20
    members, count = members[torch.randperm(len(members), generator=generator)], round(fraction * 60)
    return members[count:], members[:count]


def crop_with_padded_channels(image, padding):
    padded = torch.nn.functional.pad(image, (padding, padding, padding, padding))
    top, left = torch.randint(0, 2 * padding + 1, (2,)).tolist()
    return padded[top : top + image.shape[0], left : left + image.shape[1]]


class SheetOfDoubles(ContactSheet):
    def __getitem__(self, index):
        image, label = super().__getitem__(index)
        return image.double(), label


WRONG_WAYS = [
    ("2.2", std_over_images, "n counts pixels"),
    ("2.2", std_of_bytes, "does not fit into a byte"),
    ("2.4", split_with(places_in_the_class), "inside each class"),
    ("2.4", split_with(cut_off), "rounded down"),
    ("2.4", split_with(share_of_all), "not every class gives its share"),
    ("2.4", split_with(with_replacement), "come twice in the second part"),
    ("2.6", crop_with_padded_channels, "last dimension"),
    ("2.8", SheetOfDoubles, "float64 values instead of float32"),
    ("2.4", blind_with_the_global_generator, "draw class by class"),
    ("2.4", split_that_loses_some, "on neither side"),
    ("2.4", split_of_the_last, "seed plays no part"),
    ("2.6", crop_that_forgets_the_last_column, "some windows never come"),
    ("2.6", crop_of_squares_only, "for 4 × 7 pixels"),
    ("2.6", lambda image, padding: image, "same window"),
]


@pytest.mark.parametrize("number, written, words", WRONG_WAYS, ids=lambda part: getattr(part, "__name__", part))
def test_other_wrong_ways_are_refused_in_words(number, written, words):
    right, said = exercise(number).judge(written)
    assert not right and words in said, said
