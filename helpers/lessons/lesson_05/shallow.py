"""Lesson 05: a shallow network of as many MACs as the zoo's width 0.5, trained alike → data/results/shallow.csv

Width 0.5 has 17 blocks. Leave one a stage, seven in all, and width 0.72 costs the same: 7.8 million MACs, 0.70 million
parameters. The row is judged as the zoo's are, so it belongs beside the zoo's row of width 0.5, same seed.
"""

import argparse

import torch
from torchvision.models import MobileNetV2

from helpers.runs import studies
from helpers.runs.recipes import HOW_ZOO, ZOO, long_run, recipe_arguments, recipe_of

# arXiv:1801.04381, table 2, with every stage's repeats cut to one: expansion, channels out, repeats, stride
STAGES = [(1, 16, 1, 1), (6, 24, 1, 2), (6, 32, 1, 2), (6, 64, 1, 2), (6, 96, 1, 1), (6, 160, 1, 2), (6, 320, 1, 1)]
KEY = ("blocks", "seed", "epochs")


def shallow_net(width: float = 0.72) -> MobileNetV2:
    """MobileNetV2 of seven blocks, random weights, for 10 classes of 32-pixel images: stem of stride 1, no dropout."""
    model = MobileNetV2(num_classes=10, width_mult=width, inverted_residual_setting=STAGES, dropout=0.0)
    model.features[0][0].stride = (1, 1)
    return model


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=studies.seed, nargs="+", default=[0, 1, 2], help="0, 1 and 2 when none is given")
    recipe_arguments(parser, ZOO)
    studies.arguments(parser)


def units(options: argparse.Namespace) -> list[dict]:
    """One network a seed that is asked for."""
    recipe = recipe_of(options, ZOO).columns()
    return [{"blocks": 7, "width": 0.72, "seed": seed, **recipe} for seed in options.seed]


def measure(unit: dict, run: studies.Run) -> dict | None:
    """Train the network by the zoo's recipe and judge it once."""
    torch.manual_seed(unit["seed"])
    checkpoint = run.checkpoint("shallow", unit, *KEY)
    found = long_run(shallow_net(), recipe_of(run.options, ZOO), checkpoint, run, seed=unit["seed"])
    return found and {**found[0], "validation_accuracy": f"{found[1].validation_accuracy[-1]:.4f}"}


STUDY = studies.Study("shallow.csv", KEY, units, measure, made_by=(shallow_net, STAGES, *HOW_ZOO, measure))


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)
