"""Lesson 05: family, width and resolution against costs, published accuracy, latency here, and two budgets."""

import csv
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import torch
from matplotlib.figure import Figure

from helpers import DATA
from helpers.explorer import Explorer, menu, slider
from helpers.latency import Timing, measure
from helpers.lessons.lesson_05.grid import RESOLUTIONS, WIDTHS, build, read_grid
from helpers.plots import COLOURS

LOOK = {  # family → short name, colour, marker
    "mobilenet_v1": ("V1", COLOURS["vermillion"], "s"),
    "mobilenet_v2": ("V2", COLOURS["blue"], "o"),
    "mobilenet_v3_small": ("V3-Small", COLOURS["green"], "^"),
    "mobilenet_v3_large": ("V3-Large", COLOURS["purple"], "D"),
}
GREY, GREY_TEXT = "#CFCFCF", "#8C8C8C"  # what does not fit
NO_LIMIT = math.inf
MAC_LIMITS = (10, 15, 20, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 600)  # millions
BYTE_LIMITS = (0.5, 1, 1.5, 2, 2.5, 3, 4, 6, 8, 10, 12, 16, 20, 25)  # MB
BUTTON = "Measure latency here"
EDGES, TICKS = (7, 1300), (2, 5, 10, 20, 50, 100, 200, 500, 1000)  # millions of MACs that the picture shows
UNDER = (("mobilenet_v2", 0.35), ("mobilenet_v2", 0.75))


@dataclass(frozen=True)
class Published:
    """A published ImageNet result, its costs as printed but with the last layer made for another number of classes."""

    family: str
    width: float
    resolution: int
    macs: float
    params: float
    top1: float  # per cent, 1000 classes
    source: str

    @property
    def key(self) -> tuple[str, float, int]:
        return self.family, self.width, self.resolution


@dataclass(frozen=True)
class Comparison:
    """One network, its costs, and the published rows seen from there."""

    key: tuple[str, float, int]  # family, width, resolution
    classes: int
    bits: int  # of a weight, and of an activation
    limits: tuple[float, float]  # MACs, bytes of weights
    params: int
    macs: int
    bytes: int  # of weights
    peak_bytes: int  # of activations
    fits: bool
    exact: bool  # whether `nearest` is this very network
    nearest: Published
    rows: list[Published]
    fitting: list[Published]
    best: Published | None  # the most accurate of those that fit
    front: list[Published]  # those that fit and are beaten by no other in MACs and accuracy at once, cheapest first
    timing: Timing | None


@functools.cache
def published(classes: int = 1000) -> tuple[Published, ...]:
    """The 51 rows of data/published/. 1000 classes leave them as printed; else the last layer's share is exchanged."""
    with open(DATA / "published" / "published_imagenet_results.csv", encoding="utf-8", newline="") as file:
        rows = []
        for row in csv.DictReader(file):
            key = row["family"], float(row["width"]), int(row["resolution"])
            features, fewer = read_grid()[key].features, 1000 - classes
            macs, params = (round(float(row[name]) * 1e6) for name in ("mmacs", "mparams"))
            macs, params = macs - features * fewer, params - (features + 1) * fewer
            rows.append(Published(*key, macs, params, float(row["top1"]), row["source"]))
        return tuple(rows)


def compare(
    family: str = "mobilenet_v2", width: float = 0.5, resolution: int = 160, classes: int = 1000, bits: int = 32,
    mac_limit: float = NO_LIMIT, byte_limit: float = NO_LIMIT, timing: Timing | None = None,
) -> Comparison:  # fmt: skip
    """What a network costs (from the committed grid), the published row next to it, and the rows within the budgets.

    Weights and activations take `bits` a value. The row next to it is of the same family: the one with the same width
    and resolution, otherwise the nearest in log MACs; of equals, the release table's. Limits are MACs and bytes.
    """
    key, rows = (family, width, resolution), list(published(classes))
    cost = read_grid()[key]
    params, macs = cost.with_classes(classes)

    def distance(row: Published) -> tuple:
        return row.key != key, abs(math.log(row.macs / macs)), "release" not in row.source

    nearest = min((row for row in rows if row.family == family), key=distance)
    fitting, front = [row for row in rows if row.macs <= mac_limit and row.params * bits / 8 <= byte_limit], []
    for row in sorted(fitting, key=lambda row: (row.macs, -row.top1)):
        if not front or row.top1 > front[-1].top1:
            front.append(row)
    size = params * bits // 8
    return Comparison(
        key, classes, bits, (mac_limit, byte_limit), params, macs, size, cost.peak_values * bits // 8,
        macs <= mac_limit and size <= byte_limit, nearest.key == key, nearest, rows, fitting,
        front[-1] if front else None, front, timing,
    )  # fmt: skip


def name(key: tuple[str, float, int]) -> str:
    return f"{LOOK[key[0]][0]} α {key[1]} at {key[2]} px"


def draw(seen: Comparison, measured: Sequence[dict] = ()) -> Figure:
    figure = Figure(figsize=(9.8, 5.4), layout="none")  # fixed margins: half the time of a computed layout
    axes = figure.add_axes((0.065, 0.095, 0.925, 0.835))
    left = min([EDGES[0], *(0.8 * float(row["macs"]) / 1e6 for row in measured)])
    axes.set(xscale="log", xlim=(left, EDGES[1]), ylim=(39, 97 if measured else 79), ylabel="top-1 accuracy, %")
    axes.set_xlabel(f"multiply-accumulates (MACs) of one image, millions ({seen.classes} classes)")
    ticks = [tick for tick in TICKS if tick >= left]
    axes.set_xticks(ticks, labels=[str(tick) for tick in ticks])
    axes.minorticks_off()
    title = "MobileNets on ImageNet, as published" + "; black: on CIFAR-10, measured here" * bool(measured)
    figure.text(0.065, 0.955, title, fontsize=12, weight="bold")
    for family in LOOK:
        _family(axes, seen, family)
    band = {"color": COLOURS["yellow"], "alpha": 0.6, "linewidth": 11, "solid_capstyle": "round", "zorder": 1}
    axes.plot(*_xy(seen.front), **band, label="Pareto front of what fits")
    for fit, shade in ((False, GREY), (True, "black")):
        _measured(axes, [row for row in measured if _fits(row, seen) == fit], shade, labelled=fit)
    if seen.limits[0] < NO_LIMIT:
        axes.axvspan(seen.limits[0] / 1e6, EDGES[1], color="black", alpha=0.05, linewidth=0)
    _choice(axes, seen, left, top=0.63 if measured else 0.975)
    axes.legend(
        loc="lower right", fontsize=9.5, alignment="left", title_fontsize=9.5, labelspacing=0.28, borderaxespad=0.2,
        title="number: width α · grey: over a budget\nline: one width, resolution up to 224 px",
    )  # fmt: skip
    return figure


def _xy(rows: Sequence[Published]) -> tuple[list[float], list[float]]:
    return [row.macs / 1e6 for row in rows], [row.top1 for row in rows]


def _family(axes, seen: Comparison, family: str) -> None:
    """A family's points; its widths as lines, the chosen one thick; what does not fit in grey."""
    label, colour, marker = LOOK[family]
    rows, fitting = [row for row in seen.rows if row.family == family], set(seen.fitting)
    for width in sorted({row.width for row in rows}):
        line = sorted((r for r in rows if r.width == width and "release" in r.source), key=lambda row: row.macs)
        bold, end = (family, width) == seen.key[:2], line[-1]
        inside = [row for row in line if row in fitting]
        for part, shade in ((line, GREY), (inside, colour)):
            if len(part) > 1:
                axes.plot(*_xy(part), color=shade, linewidth=3.5 if bold else 1.2, zorder=2)
        # Where a label has room: over the line's end for V3 and most of V2.
        under = family == "mobilenet_v1" or (family, width) in UNDER
        place = {"xytext": (6, -13)} if under else {"xytext": (-4, 6), "ha": "right"}
        style = {"color": colour if end in fitting else GREY_TEXT, "weight": "bold" if bold else "normal"}
        where = end.macs / 1e6, end.top1
        axes.annotate(str(width), where, **place, textcoords="offset points", fontsize=9.5, **style)
    dots = {"markersize": 5.5, "markeredgecolor": "white", "markeredgewidth": 0.5, "zorder": 3}
    axes.plot(*_xy([row for row in rows if row not in fitting]), marker, color=GREY, **dots)
    axes.plot(*_xy([row for row in rows if row in fitting]), marker, color=colour, label=label, **dots)


def _fits(row: dict, seen: Comparison) -> bool:
    """Whether a measured network keeps both budgets, with as many bits a weight as are chosen."""
    return float(row["macs"]) <= seen.limits[0] and float(row["parameters"]) * seen.bits / 8 <= seen.limits[1]


def _measured(axes, rows: Sequence[dict], shade: str, labelled: bool) -> None:
    """The course's own networks, each with its 95 % interval."""
    if not rows:
        return
    x, y, low, high = ([float(row[n]) for row in rows] for n in ("macs", "accuracy", "low", "high"))
    x, y = [macs / 1e6 for macs in x], [100 * value for value in y]
    bars = [[b - 100 * a for a, b in zip(low, y, strict=True)], [100 * a - b for a, b in zip(high, y, strict=True)]]
    label = "V2 on CIFAR-10 (10 classes), 95 % interval" if labelled else None
    axes.errorbar(x, y, bars, fmt="P", color=shade, markersize=5, capsize=4, linewidth=1.4, zorder=4, label=label)
    for row, *where in zip(rows, x, y, strict=True):
        style = {"textcoords": "offset points", "fontsize": 9.5, "color": shade if labelled else GREY_TEXT}
        axes.annotate(str(float(row["width"])), where, (6, 4), **style)


def _choice(axes, seen: Comparison, left: float, top: float) -> None:
    """The choice, hollow and at the foot where no accuracy is published; the best row; a label at a fixed place."""
    x = max(seen.macs / 1e6, left * 1.04)
    y, outside = seen.nearest.top1 if seen.exact else 40.3, x > seen.macs / 1e6
    _, colour, marker = LOOK[seen.key[0]]
    look = {"markersize": 14, "markeredgecolor": "black", "markeredgewidth": 2, "zorder": 5}
    axes.plot([x], [y], "<" if outside else marker, color=colour if seen.exact else "white", **look)
    lines = [f"your choice: {name(seen.key)}", f"{seen.macs / 1e6:.1f}M MACs, {seen.bytes / 1e6:.2f} MB"]
    if not seen.exact:
        if not outside:
            axes.plot([x, x], [y, 100], color="black", linewidth=1, linestyle=(0, (2, 3)), zorder=1.5)
        ring = {**look, "markeredgewidth": 1.2, "fillstyle": "none"}
        axes.plot(*_xy([seen.nearest]), "o", **ring, label=f"nearest published {LOOK[seen.key[0]][0]}")
        lines.append("no published accuracy" + ", left of the picture" * outside)
    if seen.timing:
        lines.append(f"{seen.timing.median * 1e3:.1f} ms here")
    if seen.best:
        style = {"markersize": 15, "markeredgecolor": "white", "color": "black", "zorder": 6}
        axes.plot(*_xy([seen.best]), "*", **style, label="most accurate that fits")
    axes.annotate(
        "\n".join(lines), (x, y), (0.012, top), textcoords="axes fraction", va="top", fontsize=10.5, zorder=7,
        bbox={"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": "black", "linewidth": 1},
        arrowprops={"arrowstyle": "-", "color": "black", "linewidth": 0.8, "shrinkB": 8, "relpos": (0.5, 0)},
    )  # fmt: skip


def text(seen: Comparison) -> str:
    row, best, (mac_limit, byte_limit) = seen.nearest, seen.best, seen.limits
    over = [f"{seen.macs / 1e6:.1f}M MACs are more than {mac_limit / 1e6:g}M"] if seen.macs > mac_limit else []
    over += [f"{seen.bytes / 1e6:.2f} MB are more than {byte_limit / 1e6:g} MB"] if seen.bytes > byte_limit else []
    verdict = f"does not fit: {', '.join(over)}" if over else "fits both budgets"
    fitting = f"the most accurate published row that fits is {name(best.key)}, {best.top1:.1f} %" if best else ""
    times, near = row.macs / seen.macs, ""
    if not seen.exact:
        near = f"not this network; nearest is {name(row.key)} with {times:.2g} times its MACs: "
    elif abs(row.macs - seen.macs) > max(1e6, 0.03 * seen.macs):  # more than the rounding of what is printed
        near = f"the source counts {row.macs / 1e6:.0f}M MACs (why: appendix A): "
    time = f"{seen.timing}, float32, random weights" if seen.timing else "not measured yet: press the button"
    lines = {
        name(seen.key): f"{seen.params:,} parameters · {seen.macs:,} MACs · {seen.bytes / 1e6:.2f} MB of weights · "
        f"{seen.peak_bytes / 1e6:.2f} MB of activations at the peak ({seen.classes} classes, {seen.bits} bits)",
        "Published": f"{near}{row.top1:.1f} % top-1 of 1000 ImageNet classes ({escape(row.source)})",
        "Budget": f"the choice {verdict}; {fitting or 'no published row fits'}",
        "Latency here": time,
    }
    return "".join(f"<div style='line-height:1.45'><b>{head}</b> · {words}</div>" for head, words in lines.items())


def mobilenet_explorer(measured: Sequence[dict] = ()) -> Explorer:
    """Compare MobileNets: family, width, resolution, classes, bits; two budgets; and a button that times it here.

    `result` is a `Comparison`; `e.act("Measure latency here")` presses the button from code (float32, random weights).
    `measured` are rows of data/results/zoo.csv (width, parameters, macs; accuracy, low and high in 0..1), drawn beside
    the published ones. They keep their ten classes.
    """
    timings: dict[tuple, Timing] = {}

    def compute(family, width, resolution, classes, bits, mac_limit, byte_limit) -> Comparison:
        timing = timings.get((family, width, resolution, classes))
        return compare(family, width, resolution, classes, bits, mac_limit, byte_limit, timing)

    def time_it(family, width, resolution, classes, **_) -> None:
        model = build(family, width, classes).to(memory_format=torch.channels_last)
        image = torch.rand(1, 3, resolution, resolution).contiguous(memory_format=torch.channels_last)
        timings[family, width, resolution, classes] = measure(model, image)

    controls = {
        "family": menu("family", [(look[0], family) for family, look in LOOK.items()], "mobilenet_v2"),
        "width": slider("width α", options=[(f"{width:g}", width) for width in WIDTHS], value=0.5),
        "resolution": slider("resolution, px", options=RESOLUTIONS, value=160),
        "classes": slider("classes", options=(2, 5, 10, 20, 50, 100, 200, 500, 1000), value=1000),
        "bits": slider("bits a weight", options=(8, 16, 32), value=32),
        "mac_limit": slider("budget: MACs", options=_limits(MAC_LIMITS, "M"), value=100e6),
        "byte_limit": slider("budget: weights", options=_limits(BYTE_LIMITS, " MB"), value=12e6),
    }
    actions = {BUTTON: time_it}
    return Explorer(controls, compute, lambda seen: draw(seen, measured), text, actions=actions, text_height=116)


def _limits(millions: Sequence[float], unit: str) -> list[tuple[str, float]]:
    return [*((f"{limit:g}{unit}", limit * 1e6) for limit in millions), ("no limit", NO_LIMIT)]
