"""Short runs that choose the zoo's learning rate and weight decay → data/results/zoo_pilot.csv

On part of the training images, always the same; the validation images choose.
"""

import argparse
from dataclasses import replace

import torch

from helpers.batches import Batches
from helpers.models import mobilenet_v2
from helpers.runs import studies
from helpers.runs.recipes import HOW, LIMITS, ZOO, some, zoo_sets

KEY = ("width", "lr", "weight_decay", "images", "epochs")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--width", type=studies.width, default=0.25)
    parser.add_argument("--images", type=studies.count, default=12_000, help="training images")
    parser.add_argument("--epochs", type=studies.count, default=5)
    parser.add_argument("--lr", type=studies.number(*LIMITS["lr"]), nargs="+", default=[0.05, 0.1, 0.2])
    parser.add_argument("--weight-decay", type=studies.number(*LIMITS["weight_decay"]), nargs="+",
                        default=[5e-4, 5e-5])  # fmt: skip
    studies.arguments(parser)


def units(options: argparse.Namespace) -> list[dict]:
    """Every pair of a learning rate and a weight decay that is asked for."""
    return [
        {"width": f"{options.width:g}", "lr": f"{lr:g}", "weight_decay": f"{decay:g}", "images": options.images,
         "epochs": options.epochs}
        for decay in options.weight_decay
        for lr in options.lr
    ]  # fmt: skip


def measure(unit: dict, run: studies.Run) -> dict:
    """Train on the first `images` of a fixed random order, judge on the validation images after every epoch."""
    train, validation, _ = run.world
    torch.manual_seed(0)
    recipe = replace(ZOO, epochs=unit["epochs"], lr=float(unit["lr"]), weight_decay=float(unit["weight_decay"]))
    history = recipe.train(
        mobilenet_v2(float(unit["width"]), num_classes=10, stem_stride=1, dropout=0.0),
        some(train, run.options.limit or unit["images"]),
        validation=Batches(validation, 500),
        checkpoint=run.checkpoint("pilot", unit, *KEY),
        device=run.options.device,
        log=run.log,
    )
    run.log(f"lr {unit['lr']} weight decay {unit['weight_decay']}: validation {history.validation_accuracy[-1]:.1%}")
    return {
        "loss": f"{history.loss[-1]:.4g}",
        "validation_loss": f"{history.validation_loss[-1]:.4g}",
        "validation_accuracy": f"{history.validation_accuracy[-1]:.4f}",
        "seconds": f"{sum(history.seconds):.0f}",
    }


STUDY = studies.Study(
    "zoo_pilot.csv", KEY, units, measure, prepare=lambda run: zoo_sets(),
    made_by=(mobilenet_v2, *HOW, ZOO, some, zoo_sets, measure),
)  # fmt: skip


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)
