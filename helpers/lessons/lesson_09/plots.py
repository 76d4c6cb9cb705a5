"""The figures of lesson 09, each with its alternative text made from what is drawn: `plots.show(*f(…))`."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from helpers.evaluation import pooled
from helpers.lessons.lesson_09.networks import FAMILIES, Network, colour, front
from helpers.plots import COLOURS

Drawn = tuple[Figure, str]
STEP = 1.2 * 1.1**2 * 1.15**2  # what one step of compound scaling multiplies the MACs by
# Where a label stands in the plot of all twenty: to the right of its point and below, unless something is there.
LABELS = {
    "MNASNet 1.3": (0, 5.5, "center"), "EfficientNet-B1": (-8, 1, "right"), "EfficientNet-B0": (-8, -3, "right"),
    "MobileNetV3-Large": (-8, 1, "right"), "MNASNet 0.75": (-8, -1, "right"), "MNASNet 1.0": (-12, 12, "center"),
    "ShuffleNetV2 1.5": (-34, -36, "left"), "MobileNetV2": (8, -3, "left"), "RegNet-Y 400MF": (8, -2, "left"),
    "RegNet-X 400MF": (8, -3, "left"), "MobileNetV3-Small": (-6, 7, "center"), "SqueezeNet 1.1": (-8, -3, "right"),
    "EfficientNet-Lite0": (9, -2, "left"), "ShuffleNetV2 2.0": (9, -3, "left"),
}  # fmt: skip
TWO = (COLOURS["blue"], COLOURS["orange"])  # the two groups of the shuffle


def shuffle(before: Sequence[int], after: Sequence[int]) -> Drawn:
    """Where each of the channels `before` stands `after`; the first half of `before` is one group, the rest another."""
    figure, axis = plt.subplots(figsize=(7.5, 2.7))
    half = len(before) // 2
    for place, channel in enumerate(before):
        target, shade = list(after).index(channel), TWO[place >= half]
        axis.annotate("", (target, 0.16), (place, 0.84), arrowprops={"arrowstyle": "-|>", "color": shade, "lw": 1.6})
        for x, y in ((place, 1), (target, 0)):
            axis.text(x, y, str(channel), ha="center", va="center", color="white", fontweight="bold",
                      bbox={"boxstyle": "square,pad=0.5", "fc": shade, "ec": "none"})  # fmt: skip
    for y, words in ((1, "before"), (0, "after")):
        axis.text(-0.7, y, words, ha="right", va="center")
    axis.set(xlim=(-1.7, len(before) - 0.4), ylim=(-0.35, 1.35), title="Channel shuffle: one of each group in turn")
    axis.axis("off")
    return figure, f"Eight channels before and after the shuffle: {list(before)} becomes {list(after)}."


def scaling(rows: Sequence[tuple[str, float, float]]) -> Drawn:
    """What a formula says and what is counted: rows (network, depth · width² · resolution², counted), both in B0s."""
    figure, axis = plt.subplots(figsize=(7.5, 3.6))
    names, said, counted = zip(*rows, strict=True)
    axis.plot(names, said, "o-", color=COLOURS["sky"], label="depth · width² · resolution²")
    axis.plot(names, counted, "s-", color=COLOURS["vermillion"], label="counted")
    axis.plot(names, [STEP**phi for phi in range(len(names))], ":", color="black", label="1.92 to the power of φ")
    axis.set(yscale="log", ylabel="MACs, in those of B0", title="EfficientNet: the formula and the count")
    axis.set_yticks([1, 2, 4, 8, 16, 32, 64, 128], [1, 2, 4, 8, 16, 32, 64, 128])
    axis.minorticks_off()
    axis.legend()
    words = ", ".join(f"{name} {b:.1f} (formula {a:.1f})" for name, a, b in rows)
    return figure, f"Two rising lines of MACs in those of B0, on a logarithmic axis: {words}."


def named(pictures: Sequence[torch.Tensor], names: Sequence[Sequence[tuple[str, float]]]) -> Drawn:
    """Pictures uint8 [H,W,3] side by side, the first larger, each over its best names with their probabilities."""
    widths = [1.6, *[1] * (len(pictures) - 1)]
    # a gap between the titles, which are as wide as the pictures
    figure, axes = plt.subplots(1, len(pictures), figsize=(9.4, 2.8), width_ratios=widths, gridspec_kw={"wspace": 0.12})
    for axis, picture, best, width in zip(axes, pictures, names, widths, strict=True):
        axis.imshow(picture.numpy())
        axis.axis("off")
        lines = [f"{_short(name, 16 if width == 1 else 28)} {share:.0%}" for name, share in best]
        axis.set_title("\n".join(lines), fontsize=7.5, loc="center", fontweight="normal")
    first = [f"{name} {share:.0%}" for name, share in (best[0] for best in names)]
    return figure, "Photographs under the names the network gives; the first of each: " + ", ".join(first) + "."


def _short(name: str, most: int) -> str:
    """A name that is too long for the width of a small picture, cut with an ellipsis."""
    return name if len(name) <= most else name[: most - 1].rstrip() + "…"


def pareto(rows: Sequence[Network]) -> Drawn:
    """Accuracy against MACs, a point a network, marked ones hollow; the line: how accurate one can be.

    The line rises in steps, at the networks that none cheaper equals: between two of them there is no network to have.
    """
    figure, axis = plt.subplots(figsize=(8.6, 5.6))
    best = front(rows)
    axis.plot([one.macs / 1e6 for one in best], [one.top1 for one in best], color=COLOURS["yellow"], linewidth=6,
              zorder=1, drawstyle="steps-post", label="the most accurate so far")  # fmt: skip
    for family, (_, marker) in FAMILIES.items():
        for one in (row for row in rows if row.family == family):
            axis.plot(one.macs / 1e6, one.top1, marker, color=colour(family), markersize=8, zorder=3,
                      markerfacecolor="white" if one.mark else colour(family))  # fmt: skip
    for one in rows:
        right, up, side = LABELS.get(one.name, (6, -12, "left"))
        far = {"arrowstyle": "-", "color": "#66717D", "lw": 0.8, "shrinkA": 0, "shrinkB": 4, "relpos": (0.2, 1)}
        axis.annotate(one.label, (one.macs / 1e6, one.top1), (right, up), textcoords="offset points", fontsize=8,
                      ha=side, zorder=4, arrowprops=far if up < -20 else None)  # fmt: skip
    handles = [Line2D([], [], marker=m, linestyle="", color=colour(f), label=f) for f, (_, m) in FAMILIES.items()]
    axis.legend(handles=[*handles, axis.lines[0]], fontsize=8.5, loc="upper left")
    axis.set(
        xscale="log",
        xlabel="MACs of one image, millions",
        ylabel="top-1 on ImageNet, %",
        xlim=(33, 3000),
        ylim=(57, 80.5),
    )
    axis.set_xticks([50, 100, 200, 500, 1000, 2000], [50, 100, 200, 500, 1000, 2000])
    axis.minorticks_off()
    axis.set(title="Twenty networks, one ruler (hollow: another recipe)")
    joined = ", ".join(f"{one.name} {one.top1:.1f} %" for one in best)
    return figure, f"Accuracy against MACs on a logarithmic axis; the line rises in steps at {joined}."


def orders(rows: Sequence[Network], times: Mapping[str, float], movers: Sequence[str], what: str) -> Drawn:
    """A line for each network, from its place by MACs to its place by `times` (milliseconds); `movers` stand out."""
    figure, axis = plt.subplots(figsize=(7.6, 5.6))
    by_macs = [one.name for one in sorted(rows, key=lambda one: one.macs)]
    by_time = sorted(by_macs, key=times.__getitem__)
    macs = {one.name: one.macs / 1e6 for one in rows}
    for name in by_macs:
        places, loud = (by_macs.index(name), by_time.index(name)), name in movers
        look = {"color": COLOURS["vermillion"] if loud else "#9AA5B1", "linewidth": 2.4 if loud else 1.1}
        axis.plot([0, 1], places, "o-", **look, markersize=4, zorder=3 if loud else 2)
        weight = "bold" if loud else "normal"
        axis.text(-0.03, places[0], f"{name}  {macs[name]:.0f}M", ha="right", va="center", fontsize=8.5, weight=weight)
        axis.text(1.03, places[1], f"{times[name]:.1f} ms  {name}", ha="left", va="center", fontsize=8.5, weight=weight)
    axis.set(xlim=(-0.75, 1.75), title=f"Places by MACs (left) and by {what} (right)")
    axis.invert_yaxis()
    axis.axis("off")
    moved = ", ".join(f"{name} from {by_macs.index(name) + 1} to {by_time.index(name) + 1}" for name in movers)
    return figure, f"Lines join each network's place by MACs with its place by {what}. Farthest move: {moved}."


def parts(shares: Mapping[str, Mapping[str, float]], what: str = "milliseconds of the processor") -> Drawn:
    """Stacked bars: of each network the time by kind of operation, {network: {kind: milliseconds}}."""
    figure, axis = plt.subplots(figsize=(8.4, 0.55 * len(shares) + 1.5))
    kinds = list(dict.fromkeys(kind for one in shares.values() for kind in one))
    palette = dict(zip(kinds, ("orange", "blue", "sky", "vermillion", "purple", "green", "yellow"), strict=False))
    kinds = [kind for kind in kinds if any(one.get(kind) for one in shares.values())]  # in the legend: what has a bar
    for place, one in enumerate(shares.values()):
        left = 0.0
        for kind in kinds:
            width = one.get(kind, 0.0)
            axis.barh(place, width, left=left, color=COLOURS[palette[kind]], label=kind if place == 0 else None)
            left += width
    axis.set_yticks(range(len(shares)), list(shares))
    axis.invert_yaxis()
    axis.set(xlabel=what, title="Where the time goes, one image, one thread")
    axis.legend(fontsize=8.5, loc="center left", bbox_to_anchor=(1, 0.5))
    words = "; ".join(
        f"{name}: " + ", ".join(f"{kind} {value / sum(one.values()):.0%}" for kind, value in one.items() if value)
        for name, one in shares.items()
    )
    return figure, f"Stacked bars, the share of the time by kind of operation. {words}."


def worth(values: Mapping[str, Sequence[float]]) -> Drawn:
    """A row for each {network: accuracy of each training, in per cent}: a dot a training, the mean and its interval.

    The interval is over trainings, 95 %, by one deviation that is pooled over all networks.
    """
    figure, axis = plt.subplots(figsize=(8, 1.2 + 0.5 * len(values)))
    deviation, factor = pooled(list(values.values()))
    said = []
    for place, (name, each) in enumerate(values.items()):
        middle, half = sum(each) / len(each), factor * deviation / len(each) ** 0.5
        axis.plot([middle - half, middle + half], [place, place], color=COLOURS["orange"], linewidth=5,
                  solid_capstyle="butt", label="" if place else "95 % of the mean, over trainings")  # fmt: skip
        axis.plot(middle, place, "D", color=COLOURS["vermillion"], markersize=6, label="" if place else "mean")
        axis.plot(each, [place - 0.25] * len(each), "o", color=COLOURS["blue"], markersize=6,
                  label="" if place else "a training")  # fmt: skip
        said.append(f"{name}: mean {middle:.1f} ± {half:.1f}, {min(each):.1f} to {max(each):.1f}")
    axis.set_yticks(range(len(values)), list(values))
    axis.set(ylim=(len(values) - 0.5, -0.6), xlabel="right of 10,000 test images, %",
             title="Five networks at equal MACs")  # fmt: skip
    axis.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
    return figure, f"A row for each of {len(values)} networks of equal MACs. {'; '.join(said)} %."
