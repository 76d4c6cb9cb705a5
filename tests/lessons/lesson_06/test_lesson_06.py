"""Lesson 06 against the helpers: the functions of its two pages, and what they say about the stored runs."""

import copy

import pytest
import torch
from torch import nn

from helpers.batches import Batches
from helpers.data import CLASSES, ImageSet
from helpers.evaluation import predict
from helpers.exercises import exercise
from helpers.lessons.lesson_06 import article, transfer
from helpers.models import Pretrained
from helpers.results import read_results, stored
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


def made_up(functions_of, page: str) -> dict:
    """A page's functions, on a tiny backbone and 40 invented images."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (40, 8, 8, 3), dtype=torch.uint8, generator=generator)
    few = ImageSet(pixels, torch.arange(40) % 10, CLASSES, "made up")
    backbone = Pretrained(
        Tiny().eval().requires_grad_(False), 8, (0.4, 0.5, 0.6), (0.2, 0.2, 0.2), "a tiny backbone", 8
    )
    names = functions_of(page)  # the functions' own globals: what is put there, they find
    names |= {"backbone": backbone, "look": backbone.look, "few": few, "test": few}
    features, labels = cache_features(backbone, Batches(few, 50, **backbone.look))
    names |= {"test_labels": labels, "few_labels": labels, "few_features": features}
    return names


@pytest.fixture
def world(functions_of) -> dict:
    return made_up(functions_of, "06_transfer_learning")


@pytest.fixture
def second(functions_of) -> dict:
    return made_up(functions_of, "06b_the_article_repaired")


def test_asking_anew_gives_what_is_cached_and_leaves_gradients_on(world):
    batches = world["asked_anew"](world["backbone"].model)
    features, labels = next(batches)
    assert torch.is_grad_enabled(), "no_grad around a yield reaches whoever takes the batch"
    assert torch.equal(features, world["few_features"]) and torch.equal(labels, world["few_labels"])
    other, _ = next(world["asked_anew"](world["backbone"].model, mean=(0, 0, 0)))
    assert not torch.allclose(other, features)


def test_both_ways_train_the_same_head(world):
    anew = world["train_head"](lambda: world["asked_anew"](world["backbone"].model), epochs=3)
    cached = world["head_on"](world["few_features"], epochs=3)
    untrained = world["train_head"](lambda: [], epochs=3)
    assert torch.equal(anew.weight, cached.weight) and not torch.equal(anew.weight, untrained.weight)


def test_features_follow_the_preparation(world):
    mine, theirs = world["features_of"]()
    assert torch.equal(mine, world["few_features"]) and torch.equal(theirs, world["few_features"])
    assert not torch.allclose(world["features_of"](mean=(0, 0, 0))[0], mine)


def test_framed_photos_stand_in_the_middle_of_the_mean_colour(world):
    ((framed, labels),) = world["framed"](world["few"])
    ((images, _),) = Batches(world["few"], 100, **world["look"] | {"image_size": 32})
    assert framed.shape == (40, 3, 64, 64) and torch.equal(labels, world["few_labels"])
    assert torch.equal(framed[:, :, 16:48, 16:48], images)
    framed[:, :, 16:48, 16:48] = 0
    assert not framed.any()


def test_learning_along_drifts_a_copy_and_judges_with_the_same_preparation(world):
    before = copy.deepcopy(world["backbone"].model.state_dict())
    judged, real = [], cache_features

    def noted(network, batches):
        judged.append((network, batches))
        return real(network, batches)

    world["cache_features"] = noted
    answers = world["along"](**world["NONE"])
    ((network, batches),) = judged
    assert answers.shape == (40,) and answers.dtype == torch.bool
    assert (batches.mean, batches.std) == ((0, 0, 0), (1, 1, 1))
    after = world["backbone"].model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    moved, still = network.body[1].running_mean, before["body.1.running_mean"]
    assert torch.equal(network.body[0].weight, before["body.0.weight"]) and not torch.allclose(moved, still, atol=0.05)


def test_right_and_percent(world):
    head = nn.Linear(8, 10)
    answers = world["right"](head, world["few_features"])
    assert answers.tolist() == (head(world["few_features"]).argmax(1) == world["few_labels"]).tolist()
    assert world["percent"](torch.tensor([True, False, True, True])) == "75.0%"


def test_fine_tuning_is_the_study_s(second):
    """`python -m helpers transfer` itself: its answers to the test images are those of the lesson's cells."""
    backbone, few = second["backbone"], second["few"]
    rate = transfer.RATES["fine-tuned"]
    many = torch.arange(len(few)).repeat(5)  # four batches: half an epoch of warm-up is two of them
    theirs = transfer.Study(few[many], few, backbone).logits("fine-tuned", torch.arange(len(many)), 2, rate, 0, None)
    head = transfer.train_head(second["few_features"][many], few.labels[many])
    mine = second["fine_tuned"](head, few[many], epochs=2, lr=rate)
    assert torch.equal(theirs, predict(mine, Batches(few, 100, **backbone.look)))
    pairs = zip(mine[0].parameters(), backbone.model.parameters(), strict=True)
    assert not any(torch.equal(a, b) for a, b in pairs), "something was frozen"


def test_fine_tuning_leaves_the_backbone_alone(second):
    before = copy.deepcopy(second["backbone"].model.state_dict())
    second["fine_tuned"](nn.Linear(8, 10), second["few"], epochs=1, lr=0.01)
    after = second["backbone"].model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(parameter.requires_grad for parameter in second["backbone"].model.parameters())


def test_a_head_on_somebody_s_features(second):
    backbone, few = second["backbone"], second["few"]
    for size in (8, 12):
        features, labels = cache_features(backbone, Batches(few, 100, **backbone.look | {"image_size": size}))
        wanted = transfer.train_head(features, labels)(features).argmax(1) == labels
        assert torch.equal(second["head_on"](backbone, size), wanted)


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
        if regime == "frozen":
            assert {run["head_steps"] for run in runs} == {str(transfer.HEAD_STEPS[labels])}


def test_the_rates_are_those_that_the_pilot_found_best():
    """Per regime: the taken rate is the best of the pilot at 50 labels, or inside the best one's interval."""
    pilot = [row for row in read_results("transfer_pilot.csv") if row["labels_per_class"] == 50]
    for regime, tried in transfer.PILOT.items():
        runs = {row["lr"]: row for row in pilot if row["regime"] == regime}
        assert set(runs) == set(tried)
        best = max(runs.values(), key=lambda row: row["accuracy"])
        assert best["low"] <= runs[transfer.RATES[regime]]["accuracy"]
        assert regime == "frozen" or min(tried) < best["lr"] < max(tried), "the best rate is at the edge of those tried"


def test_heads_learn_as_long_as_the_pilot_found_best():
    """The taken number of steps is the best mean of three seeds, or within half a point of it."""
    means = {}
    for row in read_results("transfer_steps.csv"):
        means.setdefault(row["labels_per_class"], {}).setdefault(row["head_steps"], []).append(row["accuracy"])
    for labels, tried in zip(transfer.LABELS_TRIED, transfer.HEAD_STEPS, strict=True):
        mean = {steps: sum(of) / len(of) for steps, of in means[labels].items()}
        assert {len(of) for of in means[labels].values()} == {3} and set(transfer.STEPS_TRIED) <= set(mean)
        assert max(mean.values()) - mean[transfer.HEAD_STEPS[tried]] <= 0.0051, labels


def test_what_the_page_says_of_the_labels():
    """No gain that three seeds show with 10 and 50 labels, 2 points with 250 and 3 with 500."""
    table = read_results("transfer.csv")
    for labels, gain in {10: None, 50: None, 250: 2, 500: 3}.items():
        pairs = zip(*(transfer.accuracies(table, name, labels) for name in ("fine-tuned", "frozen")), strict=True)
        middle, low, high = transfer.mean_interval([tuned - frozen for tuned, frozen in pairs])
        assert (low < 0 < high) if gain is None else (low > 0 and round(middle) == gain)


def test_the_article_s_rows_agree_with_each_other():
    """As many as there are: each step's difference is that of its accuracy and the one before."""
    found = {(row["weights"], row["train_images"], row["seed"], row["step"], row["look"]): row
             for row in (read_results("article.csv") if stored("article.csv") else [])}  # fmt: skip
    for (weights, images, seed, step, _), row in found.items():
        assert (row["total"], row["epochs"], row["source"]) == (10_000, 10, "CIFAR-10, complete")
        if step == article.STEPS[0]:
            continue
        before = found.get((weights, images, seed, article.STEPS[article.STEPS.index(step) - 1], 1))
        if before:
            gain = float(row["difference"])
            assert row["accuracy"] - before["accuracy"] == pytest.approx(gain, abs=1e-4)
            assert float(row["difference_low"]) <= gain <= float(row["difference_high"])


def test_the_article_is_complete():
    for part in ("chain", "article", "efficientnet-lite0"):
        *_, steps, seeds = article.PARTS[part]
        wanted = [(step, seed, look) for step in steps for seed in seeds
                  for look in range(1, 1 + (article.LOOKS if step == steps[0] else 1))]  # fmt: skip
        assert [(row["step"], row["seed"], row["look"]) for row in article.found(part)] == wanted


def test_two_digits_are_two_digits_in_6_11():
    """72.154 − 71.878 = 0.276: rounded or as it is, and 0.27 from numbers that were rounded first; no neighbour."""
    taken = {value: exercise("6.11").judge(value)[0] for value in (0.276, 0.28, 0.27, 0.25, 0.26, 0.29, 0.30)}
    assert [value for value, right in taken.items() if right] == [0.276, 0.28, 0.27]
