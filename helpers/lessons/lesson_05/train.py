"""Train one network of the zoo on the complete CIFAR-10 → data/results/zoo.csv"""

import torch

from helpers.models import WEIGHTS, mobilenet_v2, save_weights
from helpers.recipes import curve, long_run
from helpers.results import record


def arguments(parser) -> None:
    parser.add_argument("--width", type=float, required=True)
    parser.add_argument("--size", type=int, default=32, help="pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--weight-decay", type=float, default=5e-4)
    parser.add_argument("--limit", type=int, help="use so many training images only: a trial, nothing is recorded")


def run(options, log) -> None:
    train_zoo(
        options.width, options.size, options.seed, options.epochs, options.lr, options.weight_decay, options.limit, log
    )


def train_zoo(
    width: float, size: int, seed: int, epochs: int, lr: float, weight_decay: float, limit: int | None, log
) -> None:
    """Train one network of the zoo, judge it once on the test images, and write its rows (and seed 0's weights)."""
    torch.manual_seed(seed)
    model = mobilenet_v2(width, num_classes=10, stem_stride=1, dropout=0.0)
    name = f"zoo_{width:g}_{size}_{seed}_{epochs}"
    result = long_run(model, size, seed, epochs, lr, weight_decay, limit, name, log)
    if result:
        run = {"width": f"{width:g}", "resolution": size, "seed": seed}
        if seed == 0 and size == 32:
            save_weights(model, WEIGHTS / f"zoo_mobilenet_v2_{width:g}.safetensors")
        lines = [{**run, **line} for line in curve(result[1])]
        record("zoo_curves.csv", lines, ("width", "resolution", "seed", "epoch"))
        record("zoo.csv", [{**run, **result[0]}], ("width", "resolution", "seed"))
