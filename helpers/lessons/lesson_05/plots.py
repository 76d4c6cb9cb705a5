"""Drawings of lesson 05: the laws of α and ρ, every training of the zoo, pairs, channels against pixels."""

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.evaluation import Paired, mean_interval
from helpers.lessons.lesson_05.networks import LOOK, Result
from helpers.plots import COLOURS

SIDES = {32: ("blue", "o", "-"), 24: ("orange", "s", "--"), 16: ("vermillion", "^", ":")}  # by the pixels
BY_WIDTH = {  # one look a width, on both sides of the comparison
    0.25: ("purple", "v"),
    0.35: ("blue", "o"),
    0.5: ("orange", "s"),
    0.75: ("green", "D"),
    1.0: ("vermillion", "^"),
}


def by_network(rows: Iterable[dict]) -> dict[tuple[float, int], list[dict]]:
    """(width, pixels) → its trainings in the order of their seeds; large images first, of those narrow networks."""
    found: dict[tuple[float, int], list[dict]] = {}
    for row in sorted(rows, key=lambda row: (-row["resolution"], row["width"], row["seed"])):
        found.setdefault((row["width"], row["resolution"]), []).append(row)
    return found


def _trainings(axis: Axes, macs: float, values: Sequence[float], colour: str, marker: str) -> float:
    """Each training as an open mark, their mean as a full one, with its interval from three on; the mean."""
    axis.plot([macs] * len(values), values, marker, mfc="white", mec=colour, ms=4.5, ls="", zorder=3)
    if len(values) > 2:
        middle, low, high = mean_interval(values)
        axis.errorbar(macs, middle, [[middle - low], [high - middle]], color=colour, capsize=4, lw=1.2, zorder=2)
    middle = sum(values) / len(values)
    if len(values) > 1:
        axis.plot(macs, middle, marker, color=colour, ms=7.5, zorder=2)
    return middle


def draw_zoo(rows: Iterable[dict]) -> Figure:
    """Accuracy of each network of data/results/zoo.csv against its MACs, a line a size of images."""
    figure, axis = plt.subplots(figsize=(8.6, 4.4))
    networks = by_network(rows)
    for side, (colour, marker, style) in SIDES.items():
        x, y = [], []
        for (width, pixels), trainings in networks.items():
            if pixels == side:
                x.append(trainings[0]["macs"] / 1e6)
                values = [100 * row["accuracy"] for row in trainings]
                y.append(_trainings(axis, x[-1], values, COLOURS[colour], marker))
                place = {"xytext": (-6, 8), "ha": "right"} if side == 32 else {"xytext": (8, -14)}
                axis.annotate(f"α {width}", (x[-1], y[-1]), textcoords="offset points", fontsize=9.5, **place)
        axis.plot(x, y, style, color=COLOURS[colour], lw=1.5, label=f"{side} pixels", zorder=1)
    axis.set(xscale="log", xlabel="MACs of one image, millions", ylabel="top-1 accuracy on 10,000 test images, %")
    axis.set_xticks([1, 2, 5, 10, 20], labels=["1", "2", "5", "10", "20"])
    axis.margins(0.07, 0.09)
    axis.set_title("MobileNetV2 on CIFAR-10, complete")
    axis.legend(loc="lower right", title="open: a training · full: their mean")
    return figure


def draw_equal_macs(published: Iterable[Result], rows: Iterable[dict]) -> Figure:
    """Accuracy against MACs, a colour a width; a line leads from few pixels to many.

    Left MobileNetV2's published networks up to α = 1 on ImageNet, right ours of data/results/zoo.csv on CIFAR-10.
    """
    figure, (theirs, ours) = plt.subplots(1, 2, figsize=(10, 4.1))
    for width, (colour, marker) in BY_WIDTH.items():
        line = sorted((one.macs / 1e6, one.top1) for one in published if one.width == width)
        if line:
            theirs.plot(*zip(*line, strict=True), marker=marker, color=COLOURS[colour], lw=1.3)
        x, y = [], []
        for (alpha, _), trainings in by_network(rows).items():
            if alpha == width:
                x.append(trainings[0]["macs"] / 1e6)
                values = [100 * row["accuracy"] for row in trainings]
                y.append(_trainings(ours, x[-1], values, COLOURS[colour], marker))
        ours.plot(x, y, color=COLOURS[colour], lw=1.3, zorder=1)
        ours.plot([], [], color=COLOURS[colour], lw=1.3, marker=marker, label=f"{width}")
    for axis, ticks in ((theirs, (10, 20, 50, 100, 200, 500)), (ours, (1, 2, 5, 10, 20))):
        axis.set(xscale="log", xlabel="MACs of one image, millions")
        axis.set_xticks(ticks, labels=[str(tick) for tick in ticks])
        axis.minorticks_off()
    theirs.set(title="ImageNet, published: 96 to 224 pixels", ylabel="top-1 accuracy, %")
    ours.set(title="CIFAR-10, ours: 16, 24, 32 pixels")
    ours.legend(title="width α", loc="lower right", fontsize=9)
    return figure


def draw_law(by_width: Mapping[str, Mapping[float, float]], by_size: Mapping[str, Mapping[int, float]]) -> Figure:
    """True MACs as a multiple of what α² (left) and ρ² (right) promise: {family: {width or pixels: multiple}}."""
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.6), sharey=True)
    for axis, multiples, title in zip(axes, (by_width, by_size), ("true count ÷ α²", "true count ÷ ρ²"), strict=True):
        for family, line in multiples.items():
            name, colour, marker = LOOK[family]
            axis.plot(list(line), list(line.values()), color=colour, marker=marker, label=name)
        axis.legend(title=title)
    axes[0].set(title="Narrower", xlabel="width multiplier α", ylim=(0.8, 2.9))
    axes[0].set_ylabel("MACs, as a multiple of the law")
    axes[1].set(title="Smaller images", xlabel="resolution, pixels (ρ = 1 is 224)")
    axes[1].set_xticks(list(next(iter(by_size.values()))))
    return figure


def draw_pairs(pairs: Mapping[tuple[float, float], Paired]) -> Figure:
    """What the wider of each pair of widths adds on the same images, with its interval; orange where it crosses 0."""
    figure, axis = plt.subplots(figsize=(8, 2.9))
    for place, pair in enumerate(pairs.values()):
        colour = COLOURS["blue" if pair.low > 0 or pair.high < 0 else "orange"]
        axis.plot([100 * pair.low, 100 * pair.high], [place, place], color=colour, lw=5, solid_capstyle="round")
        axis.plot(100 * pair.difference, place, "o", color="white", mec=colour, ms=8)
    axis.axvline(0, color=COLOURS["black"], lw=1)
    axis.set_yticks(range(len(pairs)), [f"{wide} against {narrow}" for narrow, wide in pairs])
    axis.set(title="What the next width adds, on the same 2,000 images")
    axis.set_xlabel("points of accuracy, 95 % paired interval")
    axis.set_ylim(len(pairs) - 0.5, -0.5)
    return figure
