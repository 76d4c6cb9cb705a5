"""Drawings of lesson 12."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from helpers.plots import COLOURS


def draw_shuffles(orders: dict[str, list[int]]) -> Figure:
    """A panel for each buffer: place in the files against place in the epoch, a point an image."""
    figure, axes = plt.subplots(1, len(orders), figsize=(8.8, 3.2), sharey=True, squeeze=False)
    for axis, (name, order) in zip(axes[0], orders.items(), strict=True):
        axis.plot(range(len(order)), order, ".", markersize=1.5, color=COLOURS["blue"], alpha=0.6)
        axis.set(xlabel="place in the epoch", xticks=(0, 2500, 5000))
        axis.set_title(name, fontsize=10, loc="left")
    axes[0][0].set_ylabel("place in the files")
    return figure


def draw_predictions(predicted: dict[str, float], measured: dict[str, tuple[float, float, float]]) -> Figure:
    """Milliseconds a step for each setting: predicted (diamond), and measured (quartiles and median)."""
    figure, axis = plt.subplots(figsize=(7.2, 3.2))
    for row, (name, guess) in enumerate(predicted.items()):
        low, middle, high = measured[name]
        first = row == 0
        axis.plot([low, high], [row, row], color=COLOURS["blue"], linewidth=6, alpha=0.35, solid_capstyle="butt")
        axis.plot(middle, row, "o", color=COLOURS["blue"], label="measured, with quartiles" if first else None)
        axis.plot(guess, row, "D", color=COLOURS["vermillion"], markersize=8, mfc="none", mew=2,
                  label="predicted" if first else None)  # fmt: skip
    axis.set_yticks(range(len(predicted)), predicted)
    axis.set(xlabel="milliseconds a step", title="Two processes, one step", ylim=(-0.6, len(predicted) - 0.4))
    axis.set_xlim(left=0)
    axis.invert_yaxis()
    axis.legend(loc="best", fontsize=9)
    return figure


def draw_imagenet(counts: list[int], hours: dict[str, list[float]], published: dict[str, tuple[int, float]]) -> Figure:
    """Hours against accelerators, both logarithmic: a line for each model, a star for each published run."""
    figure, axis = plt.subplots(figsize=(7.2, 3.6))
    for (name, values), style in zip(hours.items(), ("-", "--"), strict=False):
        axis.plot(counts, values, style, marker="o", markersize=4, label=name)
    for (name, (count, value)), marker in zip(published.items(), ("*", "P"), strict=False):
        axis.plot(count, value, marker, color=COLOURS["vermillion"], markersize=12, linestyle="none", label=name)
    axis.set(xscale="log", yscale="log", xlabel="accelerators", ylabel="hours",
             title="90 epochs of ImageNet, ResNet-50")  # fmt: skip
    axis.set_xticks([1, 8, 64, 256, 1024], ["1", "8", "64", "256", "1,024"])
    axis.set_yticks([0.25, 1, 10, 100], ["¼", "1", "10", "100"])
    axis.minorticks_off()
    axis.legend(fontsize=9)
    return figure
