"""Where to spend 25 million MACs: the zoo's α = 1, or larger maps and fewer channels? → data/results/budget.csv

The zoo halves its 32-pixel images four times. A network that halves them three times has maps four times as large
from there on, and pays for them with width or with expansion. With --pilot shapes and recipes are compared on the
5,000 validation images (→ budget_pilot.csv). Without it the chosen network is trained on the 45,000 training images
and judged once on the 10,000 test images; the weights of seed 0 ship with the lessons (`load_zoo("budget")`).
"""

import argparse
from dataclasses import replace

import torch
from torch import nn

from helpers.batches import AUGMENTATIONS, Batches
from helpers.costs import count_macs, count_params
from helpers.models import BUDGET, mobilenet_v2, mobilenet_v2_of
from helpers.results import record
from helpers.runs import studies
from helpers.runs.recipes import HOW, HOW_ZOO, Recipe, curve, long_run, recipe_arguments, recipe_of, some, zoo_sets

LIMIT = 25_000_000  # MACs for one image of 32 pixels
# The zoo's stages halve the image at 24, 32, 64 and 160 channels. Each of the others leaves one of these halvings out,
# and has the largest width, in hundredths, that stays within LIMIT.
EARLY, MIDDLE, LATE = (1, 1, 2, 2, 1, 2, 1), (1, 2, 2, 1, 1, 2, 1), (1, 2, 2, 2, 1, 1, 1)
SHAPES = {  # the arguments of `mobilenet_v2_of`
    "zoo": None,  # the zoo's own α = 1
    "32 pixels longer, t = 6": {"width": 0.45, "expansion": 6, "strides": EARLY, "head": 640},
    "32 pixels longer, t = 3": BUDGET,
    "8 pixels longer, t = 4": {"width": 0.7, "expansion": 4, "strides": MIDDLE, "head": 640},
    "8 pixels longer, t = 3": {"width": 0.81, "expansion": 3, "strides": MIDDLE, "head": 640},
    "4 pixels to the end, t = 6": {"width": 0.74, "expansion": 6, "strides": LATE, "head": 640},
    "4 pixels to the end, t = 4": {"width": 0.91, "expansion": 4, "strides": LATE, "head": 640},
}
CHOSEN = "32 pixels longer, t = 3"
# What the pilot came to, on the validation images: the zoo's recipe with twice the batch and twice the learning rate.
RECIPE = Recipe(
    epochs=50, lr=0.2, weight_decay=5e-4, warmup_epochs=1.0, label_smoothing=0.1, ema_decay=0.998,
    augment=("crop", "flip"), batch_size=256,
)  # fmt: skip
KEY = ("shape", "seed", "epochs")
KEY_PILOT = (*KEY, "lr", "weight_decay", "augment", "batch_size", "ema_decay", "label_smoothing")


def network(shape: str) -> nn.Module:
    """The network of that name with random weights: float32 [B,3,32,32] → logits [B,10]."""
    if shape == "zoo":
        return mobilenet_v2(1.0, num_classes=10, stem_stride=1, dropout=0.0)
    return mobilenet_v2_of(**SHAPES[shape])


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pilot", action="store_true", help="judge on the validation images, to choose")
    parser.add_argument("--shape", choices=SHAPES, nargs="+", default=[CHOSEN], metavar="NAME",
                        help=f"some of: {', '.join(SHAPES)}")  # fmt: skip
    parser.add_argument("--seed", type=studies.seed, nargs="+", default=[0])
    parser.add_argument("--augment", choices=AUGMENTATIONS, nargs="*", default=list(RECIPE.augment))
    recipe_arguments(parser, RECIPE)
    studies.arguments(parser)


def recipe_asked(options: argparse.Namespace) -> Recipe:
    """The recipe that the command line says."""
    return replace(recipe_of(options, RECIPE), augment=tuple(options.augment))


def units(options: argparse.Namespace) -> list[dict]:
    """A network for each shape and seed asked for."""
    columns = recipe_asked(options).columns()
    return [{"shape": shape, "seed": seed, **columns} for seed in options.seed for shape in options.shape]


def pilot(unit: dict, run: studies.Run) -> dict:
    """Train on the zoo's training images, judge on its validation images after the last epoch."""
    images, validation, _ = run.world
    torch.manual_seed(unit["seed"])
    model = network(unit["shape"])
    history = recipe_asked(run.options).train(
        model, some(images, run.options.limit), seed=unit["seed"], validation=Batches(validation, 500),
        checkpoint=run.checkpoint("budget-pilot", unit, *KEY), device=run.options.device, log=run.log,
    )  # fmt: skip
    run.log(f"{unit['shape']}: validation {history.validation_accuracy[-1]:.2%}")
    return {
        "parameters": count_params(model), "macs": count_macs(model, 32), "loss": f"{history.loss[-1]:.4g}",
        "validation_loss": f"{history.validation_loss[-1]:.4g}",
        "validation_accuracy": f"{history.validation_accuracy[-1]:.4f}", "seconds": f"{sum(history.seconds):.0f}",
    }  # fmt: skip


def measure(unit: dict, run: studies.Run) -> dict | None:
    """Train one network and judge it once on the test images; also records its curve."""
    torch.manual_seed(unit["seed"])
    model, checkpoint = network(unit["shape"]), run.checkpoint("budget", unit, *KEY)
    found = long_run(model, recipe_asked(run.options), checkpoint, run, seed=unit["seed"])
    if found is None:
        return None
    row, history = found
    lines = [{**{column: unit[column] for column in KEY}, **line, "code": STUDY.code} for line in curve(history)]
    record(studies.file_on("budget_curves.csv", run.options), lines, (*KEY, "epoch"), overwrite=run.replaces,
           within=KEY)  # fmt: skip
    return {**row, "validation_accuracy": f"{history.validation_accuracy[-1]:.4f}"}


MADE_BY = (mobilenet_v2, mobilenet_v2_of, network, recipe_asked, SHAPES)
STUDY = studies.Study(
    "budget.csv", KEY, units, measure, made_by=(*MADE_BY, *HOW_ZOO, measure), also=("budget_curves.csv",)
)
STUDY_PILOT = studies.Study(
    "budget_pilot.csv", KEY_PILOT, units, pilot, prepare=lambda run: zoo_sets(), made_by=(*MADE_BY, *HOW, some, pilot)
)


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY_PILOT if options.pilot else STUDY)
