"""The pilot of the zoo's recipe: which images it learns from and is judged on, and by which recipe."""

import pytest
import torch

from helpers import __main__ as command
from helpers import results as store
from helpers.checkpoints import History
from helpers.costs import count_macs
from helpers.data import CLASSES, ImageSet
from helpers.lessons.lesson_07 import pilot
from helpers.runs import recipes
from helpers.training import cosine_with_warmup

pytestmark = pytest.mark.usefixtures("one_thread")


def images(count: int, source: str) -> ImageSet:
    generator = torch.Generator().manual_seed(len(source))
    pixels = torch.randint(0, 256, (count, 32, 32, 3), generator=generator, dtype=torch.uint8)
    return ImageSet(pixels, torch.arange(count) % 10, CLASSES, source)


@pytest.fixture
def calls(results, monkeypatch):
    """What `fit` was called with; it trains nothing, and the higher rate is the better one."""
    found = []

    def fit(model, batches, **given):
        found.append((model, batches, given))
        one = [given["lr"]] * given["epochs"]
        return History(lr=one, loss=one, validation_loss=one, validation_accuracy=one, seconds=one)

    sets = images(60, "training"), images(20, "validation"), images(10, "the test")
    monkeypatch.setattr(pilot, "zoo_sets", lambda: sets)
    monkeypatch.setattr(recipes, "fit", fit)
    return found


def test_the_recipe_of_the_committed_rows_is_the_documented_one(calls):
    assert command.main(["pilot", "--images", "40"]) == 0
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))[:40]
    tried = []
    for model, batches, given in calls:
        assert torch.equal(batches.image_set.images, images(60, "training").images[order])
        assert batches.augment == {"crop": 4, "flip": 0.5} and batches.shuffle and batches.batch_size == 128
        judged = given.pop("validation")
        assert judged.image_set.source == "validation" and not judged.augment
        assert count_macs(model, 32) == 2_945_152, "width 0.25"
        tried.append((given.pop("lr"), given.pop("weight_decay")))
        assert given.pop("checkpoint") and given.pop("log") and given == {
            "epochs": 5, "momentum": 0.9, "warmup_epochs": 1.0, "schedule": cosine_with_warmup, "label_smoothing": 0.1,
            "ema_decay": 0.998, "device": "cpu", "seed": 0,
        }  # fmt: skip
    assert tried == [(lr, decay) for decay in (5e-4, 5e-5) for lr in (0.05, 0.1, 0.2)]


def test_every_pair_of_rate_and_decay_has_its_row(calls):
    assert command.main(["pilot", "--images", "40"]) == 0
    rows = store.read_results("zoo_pilot.csv")
    assert {(row["lr"], row["weight_decay"]): row["validation_accuracy"] for row in rows} == {
        (lr, decay): lr for lr in (0.05, 0.1, 0.2) for decay in (5e-4, 5e-5)
    }
    assert {(row["width"], row["images"], row["epochs"]) for row in rows} == {(0.25, 40, 5)}


def test_the_committed_rows_are_those_of_the_defaults():
    rows = store.read_results("zoo_pilot.csv")
    assert {(row["lr"], row["weight_decay"]) for row in rows} == {
        (lr, decay) for lr in (0.05, 0.1, 0.2) for decay in (5e-4, 5e-5)
    }
    assert {(row["width"], row["images"], row["epochs"]) for row in rows} == {(0.25, 12_000, 5)}


def test_a_trial_records_nothing(calls, results):
    assert command.main(["pilot", "--lr", "0.1", "--weight-decay", "0", "--limit", "20"]) == 0
    assert len(calls[0][1].image_set) == 20 and not results.exists()
