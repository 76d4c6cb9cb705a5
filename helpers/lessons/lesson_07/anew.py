"""Lesson 07: what do BatchNorm's running statistics cost the long ablation's networks? → data/results/ablation_anew.csv

The networks of `ablation --long`, judged on the same 5,000 validation images once more with the mean and variance of
each BatchNorm measured anew: the plain mean of ten batches of 500 of the run's training images, augmented as there. The
weights stay. Finished networks are taken from the folder of unfinished runs; one that is not there is trained. A row a
network: how many images were right before and anew, and a comparison with the recipe of the same seed, anew like it.
"""

import argparse
from dataclasses import replace

import torch

from helpers.batches import Batches
from helpers.evaluation import Accuracy, mcnemar, predict
from helpers.lessons.lesson_07 import ablation
from helpers.results import columns_of
from helpers.runs import studies
from helpers.runs.anew import BATCH, IMAGES, measured_anew
from helpers.runs.recipes import some

FILE = "ablation_anew.csv"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=studies.count, default=1, help="so many, from 0")
    names = ablation.LONG_VARIANTS
    parser.add_argument("--only", choices=names, nargs="+", metavar="NAME", default=list(names[:6]),
                        help=f"some of: {', '.join(names)}; the first six, if not said")  # fmt: skip
    studies.arguments(parser)


def units(options: argparse.Namespace) -> list[dict]:
    """The long runs of these variants, the recipes first."""
    asked = dict.fromkeys(ablation.SHORT) | {"long": True, "seeds": options.seeds, "only": options.only}
    return ablation.units(argparse.Namespace(**asked))


def judged_anew(unit: dict, run: studies.Run) -> tuple[torch.Tensor, torch.Tensor]:
    """Which validation images are right, bool [N]: as the network was judged, and with BatchNorm measured anew."""
    training, validation, _ = run.world
    validation = some(validation, run.options.limit)
    trained = replace(run, code=ablation.STUDY_LONG.code)  # the checkpoints of `ablation --long`
    logits, _, model = ablation.judged(unit, trained)
    augment = tuple((ablation.RECIPE | ablation.VARIANTS[unit["variant"]])["augment"].split())
    model = measured_anew(model, some(training, run.options.limit or unit["images"]), augment)
    anew = predict(model, Batches(validation, 500))
    return logits.argmax(1) == validation.labels, anew.argmax(1) == validation.labels


def measure(unit: dict, run: studies.Run) -> dict:
    """Judge one network before and anew, beside the recipe of its seed."""
    before, anew = judged_anew(unit, run)
    recipe = anew if unit["variant"] == "recipe" else judged_anew(unit | {"variant": "recipe"}, run)[1]
    change, pair = mcnemar(anew, before), mcnemar(anew, recipe)
    run.log(f"{unit['variant']}, seed {unit['seed']}: anew {change}; against the recipe {pair}")
    return {
        "before": int(before.sum()),
        **columns_of(Accuracy(int(anew.sum()), len(anew))),
        "only_anew": change.only_first,
        "only_before": change.only_second,
        "only_this": pair.only_first,
        "only_recipe": pair.only_second,
    }


STUDY = studies.Study(
    FILE, ablation.KEY, units, measure, prepare=lambda run: ablation.zoo_sets(),
    made_by=(measured_anew, judged_anew, measure, IMAGES, BATCH, *ablation.STUDY_LONG.made_by),
)  # fmt: skip


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)
