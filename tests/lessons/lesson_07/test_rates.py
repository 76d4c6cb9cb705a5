"""The study of rates and batch sizes: what it trains on what, and what its committed rows say."""

import math

import pytest
import torch

from helpers import __main__ as command
from helpers import results as store
from helpers.checkpoints import History
from helpers.data import load_cifar10, split
from helpers.lessons.lesson_07 import rates
from helpers.results import read_results
from helpers.runs import recipes

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def calls(results, monkeypatch):
    """What `fit` was called with; it trains nothing, and explodes at a rate above 1."""
    found = []

    def fit(model, batches, **given):
        found.append((model, batches, given))
        if given["lr"] > 1:
            raise FloatingPointError("the loss is nan")
        return History(loss=[2.0] * given["epochs"])

    monkeypatch.setattr(recipes, "fit", fit)
    return found


def test_every_batch_size_meets_every_rate(calls):
    assert command.main(["rates", "--batch-size", "128", "--seeds", "1", "--lr", "0.05", "3.2"]) == 0
    training, _ = split(load_cifar10()[0], 0.2)
    for model, batches, given in calls:
        assert torch.equal(batches.image_set.images, training.images) and batches.image_size == 16
        assert batches.batch_size == 128 and batches.augment == {"crop": 4, "flip": 0.5} and batches.shuffle
        assert sum(p.numel() for p in model.parameters()) == 94_762, "lesson 1's small CNN"
        assert (given["epochs"], given["weight_decay"], given["warmup_epochs"]) == (3, 5e-4, 0.5)
    good, exploded = sorted(store.read_results("rates.csv"), key=lambda row: row["lr"])
    assert (good["lr"], good["loss"]) == (0.05, 2) and good["total"] == exploded["total"] == 1000
    assert math.isnan(exploded["loss"]) and exploded["accuracy"] == 0.1, "a run that explodes is as good as a guess"


def test_the_committed_rows_are_complete_and_give_the_page_s_tops():
    rows = read_results(rates.FILE)
    assert sorted((row["batch_size"], row["lr"], row["seed"]) for row in rows) == [
        (size, lr, seed) for size in rates.BATCH_SIZES for lr in rates.RATES for seed in (0, 1)
    ]
    assert {(row["network"], row["epochs"]) for row in rows} == {("small CNN", 3)}
    assert {size: lr for size, (lr, _) in rates.tops(rows).items()} == {32: 0.05, 128: 0.2, 512: 0.2}


def test_a_top_is_the_best_mean_and_not_the_best_run():
    rows = [{"batch_size": 8, "lr": lr, "accuracy": a} for lr, a in ((1, 0.9), (1, 0.1), (2, 0.6), (2, 0.7))]
    assert rates.tops(rows) == {8: (2, [0.6, 0.7])}
