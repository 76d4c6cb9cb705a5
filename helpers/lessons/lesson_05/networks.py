"""Lesson 05: the networks that can be chosen, what each costs by one ruler, and how accurate it was measured to be.

**The ruler.** MACs and parameters are counted on the network itself, for V1, V2 and the course's own. For the four
published V3 the printed numbers hold: the released V3 keeps some layers wider than torchvision's (appendix A), and the
accuracy belongs to the released one. Every verdict on a budget goes through `over`.
"""

import csv
import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from helpers import DATA
from helpers.lessons.lesson_05.grid import OWN, read_grid
from helpers.plots import COLOURS
from helpers.results import read_results

LOOK = {  # published family → short name, colour, marker
    "mobilenet_v1": ("V1", COLOURS["vermillion"], "s"),
    "mobilenet_v2": ("V2", COLOURS["blue"], "o"),
    "mobilenet_v3_small": ("V3-Small", COLOURS["green"], "^"),
    "mobilenet_v3_large": ("V3-Large", COLOURS["purple"], "D"),
}
LOOKS = LOOK | {OWN: ("our V2", COLOURS["orange"], "o")}
PRINTED = ("mobilenet_v3_small", "mobilenet_v3_large")  # families whose published networks are judged as printed
RELEASED_FEATURES = 1280  # what the last layer of a released V3 reads
NO_LIMIT = math.inf


@dataclass(frozen=True)
class Network:
    """One network. `own` ones are the course's: CIFAR-10, a first stride of 1, always ten classes."""

    family: str
    width: float
    resolution: int  # pixels
    classes: int = 1000

    @property
    def key(self) -> tuple[str, float, int]:
        return self.family, self.width, self.resolution

    @property
    def own(self) -> bool:
        return self.family == OWN

    @property
    def name(self) -> str:
        return f"{LOOKS[self.family][0]} α {self.width} at {self.resolution} px"

    @property
    def rest(self) -> str:
        """The name without the width: what a table of all widths is called."""
        classes = "" if self.classes == (10 if self.own else 1000) else f", {self.classes} classes"
        return f"{LOOKS[self.family][0]} at {self.resolution} px{classes}"


@dataclass(frozen=True)
class Result:
    """A network's measured accuracy, and its costs by the ruler, with the last layer for as many classes as asked."""

    family: str
    width: float
    resolution: int
    macs: float
    params: float
    top1: float  # per cent: of ImageNet's 1000 classes, or of CIFAR-10's ten
    source: str
    printed_macs: float  # as the source prints them, 1000 classes
    printed_params: float
    interval: tuple[float, float] | None = None  # 95 %, of images, per cent; no paper prints one
    seeds: tuple[float, ...] = ()  # what other trainings of the same network reached, per cent

    @property
    def key(self) -> tuple[str, float, int]:
        return self.family, self.width, self.resolution

    @property
    def name(self) -> str:
        return Network(*self.key).name


@functools.cache
def published(classes: int = 1000) -> tuple[Result, ...]:
    """The 51 rows of data/published/, ImageNet; the last layer's costs are those of `classes`."""
    with open(DATA / "published" / "published_imagenet_results.csv", encoding="utf-8", newline="") as file:
        rows = []
        for row in csv.DictReader(file):
            key = row["family"], float(row["width"]), int(row["resolution"])
            macs, params = printed = [round(float(row[name]) * 1e6) for name in ("mmacs", "mparams")]
            if key[0] in PRINTED:
                fewer = 1000 - classes
                macs, params = macs - RELEASED_FEATURES * fewer, params - (RELEASED_FEATURES + 1) * fewer
            else:
                params, macs = read_grid()[key].with_classes(classes)
            rows.append(Result(*key, macs, params, float(row["top1"]), row["source"], *printed))
        return tuple(rows)


@functools.cache
def own() -> tuple[Result, ...]:
    """The course's own networks, CIFAR-10: the stored network of each width and size, and its other seeds."""
    runs: dict[tuple, list[dict]] = {}
    for row in sorted(read_results("zoo.csv"), key=lambda row: row["seed"]):
        runs.setdefault((OWN, row["width"], row["resolution"]), []).append(row)
    rows = []
    for key, (first, *others) in runs.items():
        source = f"data/results/zoo.csv, seed {first['seed']}; {first['total']:,} test images"
        costs, interval = (first["macs"], first["parameters"]), (100 * first["low"], 100 * first["high"])
        seeds = tuple(100 * row["accuracy"] for row in others)
        rows.append(Result(*key, *costs, 100 * first["accuracy"], source, *costs, interval, seeds))
    return tuple(rows)


def results_like(network: Network) -> tuple[Result, ...]:
    """All measured accuracies that a network may be compared with: those on the same images."""
    return own() if network.own else published(network.classes)


def result_of(network: Network) -> Result | None:
    """The measured accuracy of this very network; of two sources the higher one, as when the best is looked for."""
    return max(_same(network), key=lambda row: row.top1, default=None)


def other_source(network: Network) -> Result | None:
    """What a second table prints for the same network."""
    return next((row for row in _same(network) if row is not result_of(network)), None)


def _same(network: Network) -> list[Result]:
    return [row for row in results_like(network) if row.key == network.key]


def nearest(network: Network) -> Result:
    """The measured network of the same family with the nearest MACs (in their logarithm)."""
    rows = [row for row in results_like(network) if row.family == network.family]
    macs = costs(network)[0]
    return min(rows, key=lambda row: (abs(math.log(row.macs / macs)), -row.top1))


def costs(network: Network) -> tuple[int, int, int]:
    """(MACs of one image, parameters, most activation values alive at once), by the ruler."""
    cost = read_grid()[network.key]
    params, macs = cost.with_classes(network.classes)
    if network.family in PRINTED and (row := result_of(network)):
        macs, params = row.macs, row.params
    return macs, params, cost.peak_values


def is_printed(network: Network) -> bool:
    """Whether this network's MACs and parameters are a printed table's, and not counted."""
    return network.family in PRINTED and result_of(network) is not None


def over(macs: float, params: float, bits: int, mac_limit: float, byte_limit: float) -> list[str]:
    """In words, which of two budgets a network breaks: MACs, and bytes of weights of `bits` each. [] if it fits."""
    size = params * bits / 8
    broken = [f"{_digits(macs, mac_limit)}M MACs are more than {mac_limit / 1e6:g}M"] if macs > mac_limit else []
    if size > byte_limit:
        broken.append(f"{_digits(size, byte_limit)} MB are more than {byte_limit / 1e6:g} MB")
    return broken


def fitting(rows: Iterable[Result], bits: int, mac_limit: float, byte_limit: float) -> list[Result]:
    """The results whose networks keep both budgets."""
    return [row for row in rows if not over(row.macs, row.params, bits, mac_limit, byte_limit)]


def front(rows: Iterable[Result]) -> list[Result]:
    """Those that no other beats in MACs and accuracy at once, cheapest first: the last one is the most accurate."""
    best: list[Result] = []
    for row in sorted(rows, key=lambda row: (row.macs, -row.top1)):
        if not best or row.top1 > best[-1].top1:
            best.append(row)
    return best


def _digits(value: float, limit: float) -> str:
    """`value` in millions, with as many decimals as it takes to look larger than `limit`."""
    return next(text for places in (1, 2, 3, 6) if float(text := f"{value / 1e6:.{places}f}") > limit / 1e6)
