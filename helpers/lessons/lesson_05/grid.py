"""What does each MobileNet cost? Counted once for every family, width and resolution → data/results/cost_grid.csv"""

import argparse
import csv
import functools
from pathlib import Path
from typing import NamedTuple

import torch
import torchvision
from torch import nn

from helpers import DATA
from helpers.costs import count_macs, count_params, peak_activation_bytes
from helpers.models import mobilenet_v1, mobilenet_v2
from helpers.runs import studies

GRID = DATA / "results" / "cost_grid.csv"
OWN = "own"  # the course's MobileNetV2 for CIFAR-10: a first stride of 1
FAMILIES = {
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3_small": lambda width, classes: torchvision.models.mobilenet_v3_small(
        width_mult=width, num_classes=classes
    ),
    "mobilenet_v3_large": lambda width, classes: torchvision.models.mobilenet_v3_large(
        width_mult=width, num_classes=classes
    ),
    OWN: lambda width, classes: mobilenet_v2(width, classes, stem_stride=1),
}
WIDTHS = (0.25, 0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
RESOLUTIONS = (16, 24, 32, 64, 96, 128, 160, 192, 224)


class Cost(NamedTuple):
    """What one network costs without its last layer, and how many numbers that layer reads."""

    params: int
    macs: int  # one image
    features: int  # inputs of the last linear layer
    peak_values: int  # most activation values alive at once, as `helpers.costs.peak_activation_bytes` counts

    def with_classes(self, classes: int) -> tuple[int, int]:
        """(parameters, MACs of one image) of the whole network with so many classes, exactly."""
        return self.params + (self.features + 1) * classes, self.macs + self.features * classes


def build(family: str, width: float, classes: int = 1000) -> nn.Module:
    """A network of one of FAMILIES with fresh random weights, in eval mode; the published ones' first stride is 2."""
    if family not in FAMILIES:
        raise ValueError(f"families are {', '.join(FAMILIES)}, not {family!r}")
    return FAMILIES[family](width, classes).eval()


def count(family: str, width: float, resolution: int) -> Cost:
    """Count one network on the meta device: shapes, no numbers."""
    with torch.device("meta"):
        model = build(family, width)
    last = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1]
    params, macs = count_params(model) - count_params(last), count_macs(model, resolution) - last.weight.numel()
    return Cost(params, macs, last.in_features, peak_activation_bytes(model, resolution, 1))


@functools.cache
def read_grid(path: Path = GRID) -> dict[tuple[str, float, int], Cost]:
    """(family, width, resolution) → Cost, from the committed file. Raises FileNotFoundError when it is missing."""
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is missing from data/results/: `python -m helpers grid` writes it")
    with open(path, encoding="utf-8", newline="") as file:
        return {
            (row["family"], float(row["width"]), int(row["resolution"])): Cost(*(int(row[n]) for n in Cost._fields))
            for row in csv.DictReader(file)
        }


def arguments(parser: argparse.ArgumentParser) -> None:
    studies.arguments(parser, device=False)


def units(options: argparse.Namespace) -> list[dict]:
    """Every network of the grid."""
    return [{"family": f, "width": f"{w:g}", "resolution": r} for f in FAMILIES for w in WIDTHS for r in RESOLUTIONS]


def measure(unit: dict, run: studies.Run) -> dict:
    """Count one network."""
    return count(unit["family"], float(unit["width"]), unit["resolution"])._asdict()


STUDY = studies.Study(
    GRID.name, ("family", "width", "resolution"), units, measure,
    made_by=(build, count, count_params, count_macs, peak_activation_bytes, mobilenet_v1, mobilenet_v2),
)  # fmt: skip


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)
