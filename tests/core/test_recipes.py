"""The zoo's images: nothing trained on is judged on, and another sample is refused."""

import pytest
import torch

from helpers import recipes
from helpers.checkpoints import History
from helpers.data import CLASSES, ImageSet


def tiny(count: int, base: int = 0, side: int = 1) -> ImageSet:
    """Images whose pixels hold their number, with classes in turn."""
    number = torch.arange(count) + base
    colour = torch.stack([number // 65536 % 256, number // 256 % 256, number % 256], 1).byte()
    images = colour[:, None, None, :].expand(count, side, side, 3).contiguous()
    return ImageSet(images, torch.arange(count) % 10, CLASSES, "made up")


def by_class(images: ImageSet, count: int) -> ImageSet:
    which = torch.cat([torch.nonzero(images.labels == label).flatten()[:count] for label in range(10)])
    return images[which]


@pytest.fixture
def complete(monkeypatch):
    """A CIFAR-10 of one pixel an image."""
    sets = {"full": [tiny(50_000), tiny(10_000, base=50_000)]}
    sets["sample"] = [by_class(sets["full"][0], 500), by_class(sets["full"][1], 200)]
    monkeypatch.setattr(recipes, "load_cifar10", lambda which="sample": tuple(sets[which]))
    return sets


def numbers(images: ImageSet) -> set[int]:
    colour = images.images[:, 0, 0].long()
    return set((colour[:, 0] * 65536 + colour[:, 1] * 256 + colour[:, 2]).tolist())


def test_zoo_sets_share_no_image(complete):
    train, validation, test = recipes.zoo_sets()
    assert (len(train), len(validation), len(test)) == (45_000, 5_000, 10_000)
    assert numbers(validation) == numbers(complete["sample"][0])
    assert not numbers(train) & numbers(validation) and not (numbers(train) | numbers(validation)) & numbers(test)
    assert torch.bincount(train.labels).tolist() == [4500] * 10


def test_zoo_sets_refuse_another_sample(complete):
    images = complete["sample"][0]
    complete["sample"][0] = images[torch.arange(len(images)).roll(1)]
    with pytest.raises(ValueError, match="the first 500 images of each class are not the sample's"):
        recipes.zoo_sets()


def test_zoo_sets_refuse_a_part_of_cifar10(complete):
    complete["full"][0] = complete["full"][0][:-1]
    with pytest.raises(ValueError, match="the zoo trains on the complete CIFAR-10, not on made up"):
        recipes.zoo_sets()


def test_curve_has_a_row_an_epoch():
    rows = recipes.curve(History(lr=[0.1, 0.05], loss=[2.34567, 1.0], seconds=[1.0, 2.0]))
    assert rows[0] == {"epoch": 1, "lr": "0.1", "loss": "2.346", "seconds": "1"} and len(rows) == 2
