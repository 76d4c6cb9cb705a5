"""Lesson 06 against the helpers: its functions, and what it says about the stored runs."""

import copy

import pytest
import torch
from torch import nn

from helpers.batches import Batches
from helpers.data import CLASSES, ImageSet
from helpers.evaluation import predict
from helpers.lessons.lesson_06 import article, transfer
from helpers.models import Pretrained
from helpers.results import read_results
from helpers.training import cache_features

pytestmark = pytest.mark.usefixtures("one_thread")


class Tiny(nn.Module):
    """Eight features of an image, through a BatchNorm that can drift."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, bias=False), nn.BatchNorm2d(8), nn.ReLU())

    def forward(self, x):
        return self.body(x).mean((2, 3))


@pytest.fixture
def world(functions_of) -> dict:
    """The lesson's functions, on a tiny backbone and 40 invented images."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (40, 8, 8, 3), dtype=torch.uint8, generator=generator)
    few = ImageSet(pixels, torch.arange(40) % 10, CLASSES, "made up")
    backbone = Pretrained(
        Tiny().eval().requires_grad_(False), 8, (0.4, 0.5, 0.6), (0.2, 0.2, 0.2), "a tiny backbone", 8
    )
    names = functions_of("06_transfer_learning")
    look = {"image_size": 8, "mean": backbone.mean, "std": backbone.std}
    features, labels = cache_features(backbone, Batches(few, 50, **look))
    names |= {"backbone": backbone, "look": look, "few": few, "test": few, "test_labels": labels, "few_labels": labels}
    return names | {"few_features": features}


def test_asking_anew_gives_what_is_cached_and_leaves_gradients_on(world):
    batches = world["asked_anew"](world["backbone"].model)
    features, labels = next(batches)
    assert torch.is_grad_enabled(), "no_grad around a yield reaches whoever takes the batch"
    assert torch.equal(features, world["few_features"]) and torch.equal(labels, world["few_labels"])


def test_both_ways_train_the_same_head(world):
    anew = world["train_head"](lambda: world["asked_anew"](world["backbone"].model), epochs=3)
    cached = world["head_on"](world["few_features"], epochs=3)
    untrained = world["train_head"](lambda: [], epochs=3)
    assert torch.equal(anew.weight, cached.weight) and not torch.equal(anew.weight, untrained.weight)


def test_features_follow_the_preparation(world):
    mine, theirs = world["features_of"]()
    assert torch.equal(mine, world["few_features"]) and torch.equal(theirs, world["few_features"])
    assert not torch.allclose(world["features_of"](mean=(0, 0, 0))[0], mine)


def test_fine_tuning_is_the_study_s(world):
    """`python -m helpers transfer` itself: its answers to the test images are those of the lesson's cells."""
    backbone, few = world["backbone"], world["few"]
    rate = transfer.RATES["fine-tuned"]
    many = torch.arange(len(few)).repeat(5)  # four batches: half an epoch of warm-up is two of them
    theirs = transfer.Study(few[many], few, backbone).logits("fine-tuned", torch.arange(len(many)), 2, rate, 0, None)
    head = transfer.train_head(world["few_features"][many], few.labels[many])
    mine = world["fine_tuned"](head, few[many], epochs=2, lr=rate)
    assert torch.equal(theirs, predict(mine, Batches(few, 100, **world["look"])))
    pairs = zip(mine[0].parameters(), backbone.model.parameters(), strict=True)
    assert not any(torch.equal(a, b) for a, b in pairs), "something was frozen"


def test_fine_tuning_leaves_the_backbone_alone(world):
    before = copy.deepcopy(world["backbone"].model.state_dict())
    world["fine_tuned"](nn.Linear(8, 10), world["few"], epochs=1, lr=0.01)
    after = world["backbone"].model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(parameter.requires_grad for parameter in world["backbone"].model.parameters())


def test_right_and_percent(world):
    head = nn.Linear(8, 10)
    answers = world["right"](head, world["few_features"])
    assert answers.tolist() == (head(world["few_features"]).argmax(1) == world["few_labels"]).tolist()
    assert world["percent"](torch.tensor([True, False, True, True])) == "75.0%"


# ------------------------------------------------------------------------------------------- the stored runs


@pytest.fixture(scope="module")
def rows() -> dict[tuple, list[dict]]:
    found = {}
    for row in read_results("transfer.csv"):
        found.setdefault((row["regime"], row["labels_per_class"]), []).append(row)
    return found


def test_the_long_run_is_complete(rows):
    assert set(rows) == {(regime, labels) for regime in transfer.REGIMES for labels in (10, 50, 250, 500)}
    for (regime, labels), runs in rows.items():
        assert sorted(run["seed"] for run in runs) == [0, 1, 2]
        assert {run["lr"] for run in runs} == {transfer.RATES[regime]} and {run["total"] for run in runs} == {2000}
        assert {run["epochs"] for run in runs} == {transfer.EPOCHS.get(regime, {}).get(labels, 0)}


def test_the_rates_are_those_that_the_pilot_found_best():
    """Per regime: the taken rate is the best of the pilot at 50 labels, or inside the best one's interval."""
    pilot = [row for row in read_results("transfer_pilot.csv") if row["labels_per_class"] == 50]
    for regime, tried in transfer.PILOT.items():
        runs = {row["lr"]: row for row in pilot if row["regime"] == regime}
        assert set(runs) == set(tried)
        best = max(runs.values(), key=lambda row: row["accuracy"])
        assert best["low"] <= runs[transfer.RATES[regime]]["accuracy"]
        assert regime == "frozen" or min(tried) < best["lr"] < max(tried), "the best rate is at the edge of those tried"


@pytest.fixture(scope="module")
def recipes() -> dict[str, dict]:
    return {row["recipe"]: row for row in read_results("article.csv")}


def test_the_article_s_rows_are_of_the_complete_set(recipes):
    assert set(article.ORDER) <= set(recipes)
    assert {(row["total"], row["epochs"]) for row in recipes.values()} == {(10_000, 10)}
    right = recipes["done right"]
    for row in recipes.values():
        assert row["accuracy"] - right["accuracy"] == pytest.approx(row["difference"], abs=1e-4)
        assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    printed, done = article.RECIPES["as printed"], article.RECIPES["done right"]
    assert printed == done._replace(batchnorm="training", size=32, own=False)
