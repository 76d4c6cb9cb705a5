"""Lesson 09: the networks that are compared on equal terms, and what each costs on paper.

**The ruler.** All are built by torchvision (two by helpers) with random weights and 1,000 classes; parameters, MACs and
activation memory are counted on the network itself. The accuracy is that of torchvision's first weights of each name,
as their `meta` says; where it comes from another recipe or another source, `mark` says so.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torchvision
from torch import nn

from helpers.costs import count_macs, count_params, peak_activation_bytes
from helpers.efficientnet import efficientnet_lite0
from helpers.models import mobilenet_v1
from helpers.plots import COLOURS
from helpers.results import stored

MARKS = {
    "*": "torchvision's first weights of this name, but trained in 2022 with its newer, longer recipe",
    "†": "not torchvision's: printed by the authors, trained with TensorFlow",
}
FAMILIES = {  # colour, marker
    "SqueezeNet": ("black", "X"),
    "ShuffleNetV2": ("green", "^"),
    "MNASNet": ("orange", "v"),
    "MobileNet": ("blue", "o"),
    "EfficientNet": ("vermillion", "D"),
    "RegNet": ("sky", "P"),
    "ResNet": ("purple", "s"),
}
# name → family, torchvision's builder ("" for the two that it does not have), pixels
MEMBERS = {
    "SqueezeNet 1.0": ("SqueezeNet", "squeezenet1_0", 224),
    "SqueezeNet 1.1": ("SqueezeNet", "squeezenet1_1", 224),
    "ShuffleNetV2 0.5": ("ShuffleNetV2", "shufflenet_v2_x0_5", 224),
    "ShuffleNetV2 1.0": ("ShuffleNetV2", "shufflenet_v2_x1_0", 224),
    "ShuffleNetV2 1.5": ("ShuffleNetV2", "shufflenet_v2_x1_5", 224),
    "ShuffleNetV2 2.0": ("ShuffleNetV2", "shufflenet_v2_x2_0", 224),
    "MNASNet 0.5": ("MNASNet", "mnasnet0_5", 224),
    "MNASNet 0.75": ("MNASNet", "mnasnet0_75", 224),
    "MNASNet 1.0": ("MNASNet", "mnasnet1_0", 224),
    "MNASNet 1.3": ("MNASNet", "mnasnet1_3", 224),
    "MobileNetV1": ("MobileNet", "", 224),
    "MobileNetV2": ("MobileNet", "mobilenet_v2", 224),
    "MobileNetV3-Small": ("MobileNet", "mobilenet_v3_small", 224),
    "MobileNetV3-Large": ("MobileNet", "mobilenet_v3_large", 224),
    "EfficientNet-B0": ("EfficientNet", "efficientnet_b0", 224),
    "EfficientNet-B1": ("EfficientNet", "efficientnet_b1", 240),
    "EfficientNet-Lite0": ("EfficientNet", "", 224),
    "RegNet-X 400MF": ("RegNet", "regnet_x_400mf", 224),
    "RegNet-Y 400MF": ("RegNet", "regnet_y_400mf", 224),
    "ResNet-18": ("ResNet", "resnet18", 224),
}
# What torchvision does not have: its builder, and the accuracy that its authors print (data/published/, README.md).
OTHERS = {"MobileNetV1": (mobilenet_v1, 70.9), "EfficientNet-Lite0": (efficientnet_lite0, 75.1)}


@dataclass(frozen=True)
class Network:
    """One network of the comparison; costs are those of one image, with 1,000 classes."""

    name: str
    family: str
    size: int  # pixels
    top1: float  # ImageNet, per cent
    mark: str  # a key of MARKS, or ""
    params: int
    macs: int
    peak_bytes: int  # the most activations alive at once, float32

    @property
    def label(self) -> str:
        """The name with its mark."""
        return f"{self.name} {self.mark}".strip()

    @property
    def megabytes(self) -> float:
        """Weights of 32 bits, MB."""
        return 4 * self.params / 1e6


def build(name: str) -> nn.Module:
    """The network of that name, in eval mode, channels last, with random weights that depend on the name alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        builder = MEMBERS[name][1]
        made = torchvision.models.get_model(builder, weights=None) if builder else OTHERS[name][0]()
    return made.eval().to(memory_format=torch.channels_last)


def accuracy_of(name: str) -> tuple[float, str]:
    """(top-1 on ImageNet in per cent, mark): of torchvision's first weights, or as the authors print it."""
    builder = MEMBERS[name][1]
    if not builder:
        return OTHERS[name][1], "†"
    meta = torchvision.models.get_model_weights(builder)["IMAGENET1K_V1"].meta
    return meta["_metrics"]["ImageNet-1K"]["acc@1"], "*" if "new training recipe" in meta["_docs"] else ""


@functools.cache
def line_up() -> tuple[Network, ...]:
    """All networks, fewest MACs first; counted on shapes, in a few seconds."""
    made = []
    for name, (family, _, size) in MEMBERS.items():
        with torch.device("cpu" if family == "RegNet" else "meta"):  # RegNet computes its widths by tensors
            model = build(name)
        costs = count_params(model), count_macs(model, size), peak_activation_bytes(model, size)
        made.append(Network(name, family, size, *accuracy_of(name), *costs))
    return tuple(sorted(made, key=lambda one: one.macs))


def network(name: str) -> Network:
    """The one of that name."""
    return next(one for one in line_up() if one.name == name)


@functools.cache
def committed(batch: int) -> dict[str, float]:
    """Milliseconds of one image by name, as data/results/lineup.csv has them for that batch size."""
    rows = [row for row in stored("lineup.csv") if row["batch"] == str(batch)]
    return {row["network"]: float(row["ms"]) / batch for row in rows}


@functools.cache
def quartiles(batch: int) -> dict[str, tuple[float, float]]:
    """(lower, upper) quartile of the milliseconds of one image by name, as `committed` has their medians."""
    rows = [row for row in stored("lineup.csv") if row["batch"] == str(batch)]
    return {row["network"]: (float(row["low"]) / batch, float(row["high"]) / batch) for row in rows}


def table(rows: Iterable[Network]) -> str:
    """A line for each network: accuracy, parameters, MACs, activation memory."""
    lines = [f"{'':20} {'top-1 %':>9} {'params M':>9} {'MACs M':>8} {'memory MB':>10}"]
    for one in rows:
        costs = f"{one.params / 1e6:9.2f} {one.macs / 1e6:8.1f} {one.peak_bytes / 1e6:10.2f}"
        lines.append(f"{one.name:20} {one.top1:7.1f} {one.mark or ' '} {costs}")
    return "\n".join(lines)


def front(rows: Iterable[Network], cost=lambda one: one.macs) -> list[Network]:
    """Those that none with a lower or equal cost equals or beats in accuracy, cheapest first."""
    best: list[Network] = []
    for one in sorted(rows, key=lambda one: (cost(one), -one.top1)):
        if not best or one.top1 > best[-1].top1:
            best.append(one)
    return best


def colour(family: str) -> str:
    """The colour of a family's points."""
    return COLOURS[FAMILIES[family][0]]


def newer_recipes() -> dict[str, float]:
    """By how many points torchvision's second weights of the same network are better than its first."""
    gains = {}
    for name, (_, builder, _) in MEMBERS.items():
        weights = list(torchvision.models.get_model_weights(builder)) if builder else []
        if len(weights) > 1:
            first, second = (one.meta["_metrics"]["ImageNet-1K"]["acc@1"] for one in weights[:2])
            gains[name] = second - first
    return gains
