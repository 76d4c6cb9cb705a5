"""Every right answer of lessons 05 to 08, computed a second time and in another way than the lessons' rooms do."""

import csv
import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2
from torchvision.models._utils import _make_divisible

from helpers import DATA
from helpers.batches import Batches
from helpers.data import ImageSet
from helpers.exercises import Exercise, every_exercise

EXERCISES = {
    number: one for number, one in every_exercise().items() if number[0] in "5678" and isinstance(one, Exercise)
}
V2_IN_TABLES = {
    "mobilenet_v1": "V1",
    "mobilenet_v2": "V2",
    "mobilenet_v3_small": "V3-Small",
    "mobilenet_v3_large": "V3-Large",
}


# 05 · Width and resolution
def rounded_channels():
    return _make_divisible(0.35 * 32, 8)


def positions_of_the_last_map():
    with torch.device("meta"):
        return mobilenet_v2().features(torch.empty(1, 3, 112, 112))[0, 0].numel()


def images_that_decide():
    a, b = set(range(1560)), {*range(1500), *range(1900, 2000)}
    assert (len(a), len(b), len(a & b)) == (1560, 1600, 1500)
    return len(a ^ b)


def best_published(macs, weight_bytes, bits):
    with open(DATA / "published" / "published_imagenet_results.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows = [r for r in rows if float(r["mmacs"]) * 1e6 <= macs and float(r["mparams"]) * 1e6 * bits / 8 <= weight_bytes]
    best = sorted(rows, key=lambda row: (-float(row["top1"]), float(row["mmacs"])))[0]
    return f"{V2_IN_TABLES[best['family']]} {float(best['width'])} at {best['resolution']}"


def best_of_our_own():
    scores = defaultdict(list)
    with open(DATA / "results" / "zoo.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if int(row["macs"]) <= 2_000_000:
                scores[f"V2 {float(row['width'])} at {row['resolution']}"].append(float(row["accuracy"]))
    return max(scores, key=lambda name: np.mean(scores[name]))


# 06 · Transfer learning
def changes_that_need_new_features():
    """A frozen network gives the same for the same pixels: which change shows it other pixels in the second epoch?"""
    pixels = torch.randint(0, 256, (8, 32, 32, 3), generator=torch.Generator().manual_seed(0)).byte()
    images = ImageSet(pixels, torch.zeros(8, dtype=torch.long), ("one",), "noise")
    changes = {
        "shuffling": {"shuffle": True},
        "random crops": {"augment": ("crop",)},
        "a larger batch": {"batch_size": 8},
        "random brightness": {"augment": ("brightness",)},
        "a second head": {},
    }
    needed = set()
    for name, change in changes.items():
        batches = Batches(images, **{"batch_size": 4, "seed": 0, **change})
        first, second = (sorted(round(x.sum().item(), 2) for batch, _ in batches for x in batch) for _ in range(2))
        if first != second:
            needed.add(name)
    return frozenset(needed)


def smallest_image_with_three_by_three():
    halve = nn.Sequential(*(nn.Conv2d(1, 1, 3, stride=2, padding=1) for _ in range(5))).to("meta")
    return next(n for n in itertools.count(1) if halve(torch.empty(1, 1, n, n, device="meta")).shape[-1] == 3)


def batches_until_a_twentieth_is_left():
    norm = nn.BatchNorm1d(1)
    for count in itertools.count(1):
        norm(torch.tensor([[9.0], [11.0]]))
        if 10 - norm.running_mean.item() <= 0.05 * 10:
            return count


def newer_weights_gain():
    old, new = (
        one.meta["_metrics"]["ImageNet-1K"]["acc@1"]
        for one in (MobileNet_V2_Weights.IMAGENET1K_V1, MobileNet_V2_Weights.IMAGENET1K_V2)
    )
    return new - old


# 07 · Training
def second_step_with_momentum():
    w = torch.zeros(1, requires_grad=True, dtype=torch.float64)
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        ((w - 3) ** 2).sum().backward()
        optimizer.step()
    return w.item()


def learning_rate_at_step_775():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=900)
    for _ in range(775 - 100):
        optimizer.step()
        schedule.step()
    return optimizer.param_groups[0]["lr"]


def left_of_an_idle_weight():
    w = torch.ones(1, requires_grad=True, dtype=torch.float64)
    optimizer = torch.optim.SGD([w], lr=0.05, momentum=0.9, weight_decay=5e-4)
    w.grad = torch.zeros_like(w)
    for _ in range(1000):
        optimizer.step()
    return w.item()


def smoothed_loss_of_the_targets():
    logits = torch.tensor([[0.91] + [0.01] * 9], dtype=torch.float64).log()
    return F.cross_entropy(logits, torch.tensor([0]), label_smoothing=0.1).item()


def what_need_not_be_saved():
    """Take one piece away at a time: without which of them does a run go on to the same weights and averages?"""

    def start():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 1))
        return {
            "weights": [p.detach().clone() for p in net.parameters()],
            "velocities": [torch.zeros_like(p) for p in net.parameters()],
            "gradients": [torch.zeros_like(p) for p in net.parameters()],
            "averaged weights": [torch.zeros_like(p) for p in net.parameters()],
            "random state": torch.get_rng_state(),
            "epoch": 0,
        }

    def train(state, epochs):
        torch.set_rng_state(state["random state"])
        net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 1))
        torch.set_rng_state(state["random state"])
        for p, value, gradient in zip(net.parameters(), state["weights"], state["gradients"], strict=True):
            p.data, p.grad = value.clone(), gradient.clone()
        velocities, averages = ([v.clone() for v in state[name]] for name in ("velocities", "averaged weights"))
        for epoch in range(state["epoch"], state["epoch"] + epochs):
            net.zero_grad()
            net(torch.arange(8.0).reshape(2, 4)[torch.randperm(2)]).square().mul(
                torch.tensor([[1.0], [2.0]])
            ).sum().backward()
            for p, v, average in zip(net.parameters(), velocities, averages, strict=True):
                v.mul_(0.9).add_(p.grad)
                p.data.sub_(v, alpha=0.001 / (1 + epoch))
                average.lerp_(p.data, 0.1)
        weights, gradients = ([getattr(p, name).clone() for p in net.parameters()] for name in ("data", "grad"))
        return {
            "weights": weights,
            "velocities": velocities,
            "gradients": gradients,
            "averaged weights": averages,
            "random state": torch.get_rng_state(),
            "epoch": epoch + 1,
        }

    saved = train(start(), 3)
    whole = train(saved, 2)
    ends = {name: train({**saved, name: start()[name]}, 2) for name in saved}
    compared = ("weights", "averaged weights")
    return frozenset(
        name
        for name, end in ends.items()
        if all(torch.equal(a, b) for part in compared for a, b in zip(end[part], whole[part], strict=True))
    )


# 08 · Evaluation
def images_for_half_the_width():
    return next(n for n in itertools.count(1) if math.sqrt(0.16 / n) <= math.sqrt(0.16 / 2000) / 2 * (1 + 1e-12))


def precision_and_recall_of_cat():
    table = {"cat": (6, 3, 1), "dog": (2, 8, 0), "frog": (0, 1, 4)}
    said = [
        (true, called)
        for true, counts in table.items()
        for called, n in zip(table, counts, strict=True)
        for _ in range(n)
    ]
    both = said.count(("cat", "cat"))
    return both / sum(called == "cat" for _, called in said), both / sum(true == "cat" for true, _ in said)


def calibration_error():
    confidence = np.array([0.94] * 150 + [0.72] * 50)
    right = np.array([1] * 141 + [0] * 9 + [1] * 45 + [0] * 5)
    error = 0
    for value in np.unique(confidence):
        inside = confidence == value
        error += inside.mean() * abs(right[inside].mean() - value)
    return error


def chance_of_nine_to_one():
    rows = [sum(row) for row in itertools.product((0, 1), repeat=10)]
    return sum(abs(heads - 5) >= 4 for heads in rows) / len(rows)


def mean_of_means_too_high():
    right = np.concatenate([np.tile([1] * 80 + [0] * 20, 10), np.ones(10)])
    batches = np.split(right, range(100, 1001, 100))
    assert len(batches) == 11 and len(batches[-1]) == 10
    return 100 * (np.mean([batch.mean() for batch in batches]) - right.mean())


KEYS = {
    "5.1": rounded_channels,
    "5.2": positions_of_the_last_map,
    "5.3": images_that_decide,
    "5.4": lambda: best_published(100e6, 2.5e6, 8),
    "5.5": lambda: best_published(300e6, 12e6, 32),
    "5.6": best_of_our_own,
    "6.1": lambda: 50_000 * torch.zeros(1280, dtype=torch.float32).nbytes / 1e6,
    "6.2": changes_that_need_new_features,
    "6.3": smallest_image_with_three_by_three,
    "6.4": batches_until_a_twentieth_is_left,
    "6.5": newer_weights_gain,
    "7.1": second_step_with_momentum,
    "7.2": learning_rate_at_step_775,
    "7.3": left_of_an_idle_weight,
    "7.4": smoothed_loss_of_the_targets,
    "7.5": what_need_not_be_saved,
    "8.1": images_for_half_the_width,
    "8.2": precision_and_recall_of_cat,
    "8.3": calibration_error,
    "8.4": chance_of_nine_to_one,
    "8.5": mean_of_means_too_high,
}


def test_every_exercise_has_a_second_computation():
    assert sorted(KEYS) == sorted(EXERCISES)


@pytest.mark.parametrize("number", KEYS)
def test_the_key_is_what_another_computation_gives(number):
    one, computed = EXERCISES[number], KEYS[number]()
    assert type(computed) is type(one.answer) or isinstance(computed, float)
    if isinstance(one.answer, (str, frozenset)):
        assert one.answer == computed
    else:
        assert one.answer == pytest.approx(computed, rel=1e-6)
    assert one.judge(computed)[0]
