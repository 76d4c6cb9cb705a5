"""The zoo's images: nothing trained on is judged on, and another sample is refused."""

import argparse
import dataclasses

import pytest
import torch

from helpers.checkpoints import History
from helpers.data import CLASSES, ImageSet
from helpers.runs import recipes


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


# -------------------------------------------------------------------------------- a recipe


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("epochs", 0, "epochs is a whole number of at least 1, not 0"),
        ("epochs", True, "epochs is a whole number of at least 1, not True"),
        ("epochs", 1.5, "epochs is a whole number of at least 1, not 1.5"),
        ("lr", float("nan"), "lr is a learning rate above 0, not nan"),
        ("lr", "0.1", "lr is a learning rate above 0, not '0.1'"),
        ("weight_decay", -1, "weight_decay is a number from 0 to below 1, not -1"),
        ("warmup_epochs", -1, "warmup_epochs is a number of epochs, 0 or more, not -1"),
        ("warmup_epochs", 100, "a warm-up of 100 epochs does not end within 16"),
        ("ema_decay", 1.5, "ema_decay is a number from 0 to below 1, not 1.5"),
        ("momentum", 2.0, "momentum is a number from 0 to below 1, not 2.0"),
        ("label_smoothing", 1, "label_smoothing is a number from 0 to below 1, not 1"),
        ("batch_size", 0, "batch_size is a whole number of at least 1, not 0"),
        ("schedule", "step", "schedules are cosine, constant"),
        ("augment", ("fliip",), "augmentations crop, flip"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(field, value, told):
    with pytest.raises(ValueError, match="schedules are|a warm-up|" + field) as error:
        dataclasses.replace(recipes.ZOO, **{field: value})
    assert told in str(error.value)


def test_the_options_of_a_recipe_are_its_numbers():
    parser = argparse.ArgumentParser()
    recipes.recipe_arguments(parser, recipes.ZOO)
    assert recipes.recipe_of(parser.parse_args([]), recipes.ZOO) == recipes.ZOO
    other = recipes.recipe_of(parser.parse_args(["--epochs", "2", "--ema-decay", "0"]), recipes.ZOO)
    assert other == dataclasses.replace(recipes.ZOO, epochs=2, ema_decay=0.0)
    assert recipes.ZOO.columns()["augment"] == "crop flip"


def test_some_images_are_always_the_same():
    images = tiny(50)
    assert recipes.some(images, None) is images
    assert numbers(recipes.some(images, 7)) == numbers(recipes.some(images, 7)) < numbers(recipes.some(images, 9))


def test_rows_come_all_once_a_pass_in_a_new_order():
    features, labels = torch.arange(25.0).view(25, 1), torch.arange(25)
    (head, batches), (same, _) = (recipes.new_head(features, labels, 10, seed=3) for _ in range(2))
    first, second = ([label for _, part in batches for label in part.tolist()] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(25)) and first != second
    assert len(batches) == 3 and all(torch.equal(rows[:, 0].long(), part) for rows, part in batches)
    assert torch.equal(head.weight, same.weight)
    assert not torch.equal(head.weight, recipes.new_head(features, labels, 10, seed=4)[0].weight)
