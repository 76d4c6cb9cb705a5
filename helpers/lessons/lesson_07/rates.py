"""Lesson 07: which learning rate goes with which batch size? → data/results/rates.csv

Lesson 1's small CNN (or, with --network, MobileNetV2 of width 0.25) on 4,000 of the sample's training images at 16 × 16
pixels, three epochs, judged on the other 1,000: every batch size with every learning rate. A row a run.
"""

import argparse
from dataclasses import replace
from statistics import mean

import torch
from torch import nn

from helpers.batches import Batches
from helpers.data import load_cifar10, split
from helpers.evaluation import accuracy, predict
from helpers.models import mobilenet_v2, small_cnn
from helpers.results import columns_of
from helpers.runs import studies
from helpers.runs.recipes import HOW, Recipe, some

FILE, SIDE = "rates.csv", 16
KEY = ("network", "batch_size", "lr", "seed", "epochs")
BATCH_SIZES, RATES = (32, 128, 512), (0.0125, 0.05, 0.2, 0.8, 3.2)
RECIPE = Recipe(epochs=3, lr=0.05, weight_decay=5e-4, warmup_epochs=0.5, augment=("crop", "flip"))
NETWORKS = {
    "small CNN": small_cnn,
    "MobileNetV2 0.25": lambda seed: mobilenet_v2(0.25, num_classes=10, stem_stride=1, dropout=0.0),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--network", choices=NETWORKS, default="small CNN")
    parser.add_argument("--batch-size", type=studies.count, nargs="+", default=list(BATCH_SIZES), metavar="N")
    parser.add_argument("--lr", type=float, nargs="+", default=list(RATES), metavar="X")
    parser.add_argument("--epochs", type=studies.count, default=RECIPE.epochs)
    parser.add_argument("--seeds", type=studies.count, default=2, help="so many, from 0")
    studies.arguments(parser)


def units(options: argparse.Namespace) -> list[dict]:
    """Every batch size with every learning rate, seed by seed."""
    return [
        {"network": options.network, "batch_size": size, "lr": f"{lr:g}", "seed": seed, "epochs": options.epochs}
        for seed in range(options.seeds)
        for size in options.batch_size
        for lr in options.lr
    ]


def network(name: str, seed: int) -> nn.Module:
    """The network of that name with random weights: float32 [B,3,S,S] → logits [B,10]."""
    torch.manual_seed(seed)
    return NETWORKS[name](seed)


def measure(unit: dict, run: studies.Run) -> dict:
    """Train on four fifths of the sample's training images, judge on the last fifth; a run that explodes gets 10 %."""
    images, validation = run.world
    model = network(unit["network"], unit["seed"])
    recipe = replace(RECIPE, epochs=unit["epochs"], lr=float(unit["lr"]), batch_size=unit["batch_size"])
    images = some(images, run.options.limit)
    try:
        history = recipe.train(model, images, image_size=SIDE, seed=unit["seed"], device=run.options.device)
        answers, loss = predict(model, Batches(validation, 500, image_size=SIDE)), history.loss[-1]
    except FloatingPointError:  # it answers nothing: as good as one class for all
        answers, loss = torch.zeros(len(validation), dtype=torch.long), float("nan")
    result = accuracy(answers, validation.labels)
    run.log(f"{unit['network']}, batch {unit['batch_size']}, lr {unit['lr']}, seed {unit['seed']}: {result}")
    return {"loss": f"{loss:.4g}", **columns_of(result)}


STUDY = studies.Study(
    FILE, KEY, units, measure, prepare=lambda run: split(load_cifar10()[0], 0.2),
    made_by=(mobilenet_v2, small_cnn, network, *HOW, RECIPE, SIDE, split, some, predict, measure),
)  # fmt: skip


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)


# ---------------------------------------------------------------------------------------------- for the lesson


def tops(rows: list[dict]) -> dict[int, tuple[float, list[float]]]:
    """Each batch size's best rate, by the mean of the seeds: {batch size: (learning rate, one accuracy a seed)}."""
    found: dict[int, dict[float, list[float]]] = {}
    for row in rows:
        found.setdefault(row["batch_size"], {}).setdefault(row["lr"], []).append(row["accuracy"])
    return {size: max(rates.items(), key=lambda item: mean(item[1])) for size, rates in sorted(found.items())}
