"""Lesson 05: a shallow network of as many MACs as the zoo's width 0.5, trained alike → data/results/shallow.csv

Width 0.5 has 17 blocks. Leave one a stage, seven in all, and width 0.72 costs the same: 7.8 million MACs, 0.70 million
parameters. The row is judged as the zoo's are, so it belongs beside the zoo's row of width 0.5, same seed.
"""

import torch
from torchvision.models import MobileNetV2

from helpers.recipes import long_run
from helpers.results import record

# arXiv:1801.04381, table 2, with every stage's repeats cut to one: expansion, channels out, repeats, stride
STAGES = [(1, 16, 1, 1), (6, 24, 1, 2), (6, 32, 1, 2), (6, 64, 1, 2), (6, 96, 1, 1), (6, 160, 1, 2), (6, 320, 1, 1)]


def shallow_net(width: float = 0.72) -> MobileNetV2:
    """MobileNetV2 of seven blocks, random weights, for 10 classes of 32-pixel images: stem of stride 1, no dropout."""
    model = MobileNetV2(num_classes=10, width_mult=width, inverted_residual_setting=STAGES, dropout=0.0)
    model.features[0][0].stride = (1, 1)
    return model


def arguments(parser) -> None:
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--limit", type=int, help="use so many training images only: a trial, nothing is recorded")


def run(options, log) -> None:
    torch.manual_seed(options.seed)
    name = f"shallow_{options.seed}_{options.epochs}"
    result = long_run(shallow_net(), 32, options.seed, options.epochs, 0.1, 5e-4, options.limit, name, log)
    if result:
        row, history = result
        last = {"validation_accuracy": f"{history.validation_accuracy[-1]:.4f}"}
        record("shallow.csv", [{"blocks": 7, "width": 0.72, "seed": options.seed, **row, **last}], ("blocks", "seed"))
