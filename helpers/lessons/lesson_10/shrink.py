"""Lesson 10: networks rounded, masked or cut, then trained on; beside the same network trained on as it is
→ data/results/shrink.csv

The zoo's networks of width 0.25 and 0.35, folded, one pass over the sample's 5,000 training images, judged on its 2,000
test images. A row an arm and seed: right answers before and after, and image by image against the control of the same
width and seed (the network left whole, trained on alike) and against width 0.25 trained on.
"""

import argparse

import torch

from helpers.batches import Batches
from helpers.costs import count_macs
from helpers.data import load_cifar10
from helpers.evaluation import Paired, accuracy, mcnemar, mean_interval, predict
from helpers.lessons.lesson_10 import integers, shrinking
from helpers.lessons.lesson_10.folding import fold_all
from helpers.lessons.lesson_10.rows import pair
from helpers.models import load_zoo
from helpers.results import columns_of, read_results
from helpers.runs import studies
from helpers.runs.recipes import some
from helpers.training import fit

FILE, KEY = "shrink.csv", ("seed", "arm")
BASE, WIDER = "α 0.25", "α 0.35"
ARMS = {BASE: 0.25, "8 bits": 0.25, "4 bits": 0.25, "4 bits, a channel": 0.25, WIDER: 0.35, "half the weights 0": 0.35,
        "3/4 of the channels": 0.35, "3/4, at random": 0.35}  # fmt: skip
EPOCHS, SEEDS = 1, 5


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=studies.count, default=SEEDS, help=f"{SEEDS}, from 0")
    parser.add_argument("--epochs", type=studies.count, default=EPOCHS, help=f"{EPOCHS}")
    studies.arguments(parser, device=False)


def units(options: argparse.Namespace) -> list[dict]:
    """A unit a seed: all arms of it, because they are compared image by image."""
    return [{"seed": seed, "epochs": options.epochs} for seed in range(options.seeds)]


def start_of(arm: str, seed: int = 0) -> torch.nn.Module:
    """The network of an arm before it is trained on; `seed` draws the channels that stay at random."""
    model = fold_all(load_zoo(ARMS[arm]))
    if "bits" in arm:
        return shrinking.with_rounding(model, int(arm[0]), "per channel" if arm.endswith("channel") else "per tensor")
    if arm == "half the weights 0":
        return shrinking.with_zeros(model, 0.5)
    if arm.startswith("3/4"):
        how = shrinking.RANDOM if "random" in arm else shrinking.MAGNITUDE
        return shrinking.with_fewer_channels(model, 0.75, how, seed)
    return model


def measure(unit: dict, run: studies.Run) -> list[dict] | None:
    """Train every arm on with one seed; a row each."""
    train, test = load_cifar10("sample")
    train, test = (some(images, run.options.limit) for images in (train, test))

    found, rows = {}, []
    for arm, width in ARMS.items():
        start = start_of(arm, unit["seed"])
        before = accuracy(predict(start, Batches(test, 250)), test.labels)
        model = shrinking.finetuned(start, train, unit["seed"], unit["epochs"])
        answers = predict(model, Batches(test, 250)).argmax(1)
        found[arm] = answers == test.labels
        own, base = (mcnemar(found[arm], found[name]) for name in (BASE if width == 0.25 else WIDER, BASE))
        after = accuracy(answers, test.labels)
        run.log(f"{arm}, seed {unit['seed']}: {before.correct} right before, {after.correct} after, "
                f"{own.points} against the control")  # fmt: skip
        rows.append({
            "arm": arm, "width": width, "macs": count_macs(model, 32), "lr": shrinking.LR, "loss": f"{model.loss:.4g}",
            "before": before.correct, **columns_of(after),
            "only_this": own.only_first, "only_control": own.only_second,
            "only_this_25": base.only_first, "only_25": base.only_second,
        })  # fmt: skip
    return None if run.trial else rows


STUDY = studies.Study(
    FILE, KEY, units, measure,
    made_by=(start_of, measure, ARMS, shrinking.Rounding, shrinking.Zeros, shrinking.with_rounding,
             shrinking.with_zeros, shrinking.settled, shrinking._plain, shrinking.strengths,
             shrinking.without_channels, shrinking.kept, shrinking.with_fewer_channels, shrinking.finetuned,
             shrinking.LR, shrinking.BATCH, integers.rounded, integers.steps_of, fold_all, fit, Batches),
)  # fmt: skip


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)


# ---------------------------------------------------------------------------------------------- for the lesson


def committed() -> list[dict]:
    """The rows, by arm and seed."""
    return sorted(read_results(FILE), key=lambda row: (list(ARMS).index(row["arm"]), row["seed"]))


def counts(rows: list[dict], *arms: str, column: str = "correct") -> dict[str, list[int]]:
    """{arm: right answers of each seed}."""
    return {arm: [row[column] for row in rows if row["arm"] == arm] for arm in arms}


def pairs(rows: list[dict], arm: str, against: str = "control") -> list[Paired]:
    """An arm against its control of the same seed (or against α = 0.25, `against="25"`), a pair a seed."""
    first, second = ("only_this", "only_control") if against == "control" else ("only_this_25", "only_25")
    return [pair(row[first], row[second], row["total"]) for row in rows if row["arm"] == arm]


def points(pairs_: list[Paired]) -> str:
    """The mean difference over seeds in points with its interval over trainings: "-3.4 (-4.9 to -1.9)"."""
    middle, low, high = mean_interval([100 * pair.difference for pair in pairs_])
    return f"{middle:+.1f} ({low:+.1f} to {high:+.1f})"


def table(rows: list[dict], *arms: str, against: str = "control") -> str:
    """Arms as text: million MACs, right answers before and after (means of the seeds), points against the control."""
    other = "the control" if against == "control" else BASE
    lines = [f"{'':21}{'M MACs':>6}{'before':>8}{'after':>7}   points against {other}"]
    for arm in arms:
        mine = [row for row in rows if row["arm"] == arm]
        before, after = (sum(row[column] for row in mine) / len(mine) for column in ("before", "correct"))
        itself = arm == BASE or (arm == WIDER and against == "control")
        told = "–" if itself else points(pairs(rows, arm, against))
        lines.append(f"{arm:21}{mine[0]['macs'] / 1e6:6.2f}{before:8,.0f}{after:7,.0f}   {told}")
    return "\n".join(lines)
