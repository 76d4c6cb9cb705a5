"""The drawings of the quick tour. Each function takes numbers and gives a figure and the sentence that tells it."""

from collections.abc import Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from helpers.data import ImageSet
from helpers.plots import COLOURS

FROZEN, TRAINED, PLAIN = "#CFE6F5", "#FBE3B5", "#EEEEEE"  # pale sky, pale orange, grey: black text stays readable


def flow(image: ImageSet, features: torch.Tensor, scores: torch.Tensor) -> tuple[Figure, str]:
    """From pixels to loss: a set of one image, its features [1280] and scores [C]."""
    label, classes, probabilities = int(image.labels[0]), image.classes, scores.softmax(0)
    widths = (1.5, 1.25, 0.95, 1.1, 1.35, 0.95, 1.35, 0.95, 0.75)
    figure, axes = plt.subplots(1, 9, figsize=(8.8, 2.3), width_ratios=widths)
    for axis in axes:
        axis.set_title(" ", fontsize=9, loc="center")  # the same height is left free over each
    picture, network, middle, head, left, softmax, right, cross, end = axes
    picture.imshow(image.images[0].numpy())
    picture.set_title(f"image\n{' × '.join(map(str, image.images[0].shape))}", fontsize=9, loc="center")
    middle.imshow(features.reshape(40, 32).numpy(), cmap="Blues", aspect="auto")
    middle.set_title("features\n1,280 numbers", fontsize=9, loc="center")
    for axis in (picture, middle):
        axis.set(xticks=[], yticks=[])
    _arrow(network, "Mobile-\nNetV2\n\nfrozen", FROZEN)
    _arrow(head, "head\n\n12,810\nweights,\ntrained\nhere", TRAINED)
    _arrow(softmax, "soft-\nmax", PLAIN)
    _arrow(cross, "cross-\nentropy", PLAIN)
    colours = [COLOURS["orange"] if index == label else COLOURS["blue"] for index in range(len(classes))]
    for axis, values, title in ((left, scores, "ten scores\n"), (right, 100 * probabilities, "probabilities\nin %")):
        axis.barh(range(len(classes)), values.tolist(), color=colours)
        axis.set(yticks=range(len(classes)))
        axis.set_yticklabels(classes if axis is left else [], fontsize=8)
        axis.set_title(title, fontsize=9, loc="center")
        axis.tick_params(labelsize=8, length=0)
        axis.grid(False)
        axis.invert_yaxis()
    end.axis("off")
    end.set_title("loss\n", fontsize=9, loc="center")
    loss = -float(probabilities[label].log())
    end.text(0.5, 0.5, f"{loss:.2f}", ha="center", va="center", fontsize=16, fontweight="bold")
    return figure, (
        f"An image ({classes[label]}) passes the frozen network and becomes 1,280 features; the head makes "
        f"{len(classes)} scores of them, softmax as many probabilities, {probabilities[label]:.0%} for the right one, "
        f"and cross-entropy one number, the loss {loss:.2f}."
    )


def _arrow(axis: Axes, words: str, colour: str) -> None:
    """A broad arrow to the right that fills the axis, with words in it."""
    corners = [(0, 0.12), (0.78, 0.12), (1, 0.5), (0.78, 0.88), (0, 0.88)]
    axis.add_patch(Polygon(corners, facecolor=colour, edgecolor="#888888", linewidth=0.8))
    axis.text(0.44, 0.5, words, ha="center", va="center", fontsize=8.5)
    axis.set(xlim=(0, 1), ylim=(0, 1))
    axis.axis("off")


def rolling(learning_rates: Sequence[float], start: float = -1.0, steps: int = 5) -> tuple[Figure, str]:
    """One weight w that rolls down the loss (w − 3)² + 1, a panel for each learning rate."""
    places = np.full((len(learning_rates), steps + 1), start)  # a row for each learning rate
    for step in range(steps):
        places[:, step + 1] = places[:, step] - np.asarray(learning_rates) * 2 * (places[:, step] - 3)
    line = np.linspace(places.min() - 1, places.max() + 1, 200)
    figure, axes = plt.subplots(1, len(places), figsize=(6.8, 2.3), sharey=True)
    for axis, learning_rate, way in zip(axes, learning_rates, places, strict=True):
        loss = (way - 3) ** 2 + 1
        axis.plot(line, (line - 3) ** 2 + 1, color="#999999", linewidth=1.5)
        axis.plot(way, loss, "o", color=COLOURS["vermillion"], markersize=6)
        for here, there in pairwise(zip(way, loss, strict=True)):
            axis.annotate("", there, here, arrowprops={"arrowstyle": "->", "color": COLOURS["vermillion"]})
        axis.annotate("start", (way[0], loss[0]), xytext=(8, 2), textcoords="offset points")
        axis.set(xlabel="the weight w", title=f"Learning rate {learning_rate:g}")
    axes[0].set_ylabel("loss")
    ends = ", ".join(
        f"{way[-1]:.1f} at learning rate {rate:g}" for rate, way in zip(learning_rates, places, strict=True)
    )
    return figure, (
        f"Parabolas with their lowest point at 3, and on each a weight that starts at {start:g} and moves {steps} "
        f"times; it ends at {ends}."
    )


def redraws(
    shares: torch.Tensor, middle: tuple[float, float], wilson: tuple[float, float], total: int
) -> tuple[Figure, str]:
    """Accuracies [N] (0 to 1) of `total` answers drawn again; their middle 95 % and Wilson's interval as bars."""
    figure, axis = plt.subplots(figsize=(7, 3))
    percent = 100 * shares.numpy()
    step = 100 / total  # an accuracy is a whole number of these: each bar takes in four
    bins = np.arange(percent.min() - step / 2, percent.max() + 4 * step, 4 * step)
    counts, *_ = axis.hist(percent, bins=bins, color=COLOURS["sky"], edgecolor="white", linewidth=0.4)
    ends = (("middle 95 % of the redraws", middle, "vermillion"), ("interval by Wilson's formula", wilson, "black"))
    for row, (name, interval, colour) in enumerate(ends):
        height = counts.max() * (1.1 + 0.13 * row)
        low, high = (100 * end for end in interval)
        axis.plot((low, high), (height, height), "|-", color=COLOURS[colour], markersize=9, markeredgewidth=2)
        axis.text(high + 0.15, height, name, va="center", fontsize=8, color=COLOURS[colour])
    title = f"{total:,} answers, drawn again {len(shares):,} times"
    axis.set(xlabel="accuracy in %", ylabel="redraws", title=title, xlim=(percent.min(), percent.max() + 1.5))
    words = [f"{name} from {low:.1%} to {high:.1%}" for name, (low, high), _ in ends]
    return figure, f"A bell-shaped histogram of accuracies, and two bars over it: {' and '.join(words)}."


def confusion(counts: torch.Tensor, classes: Sequence[str], frame: tuple[int, int]) -> tuple[Figure, str]:
    """Counts [C,C] (row = what it is, column = the answer) as a heat map; a frame around classes first..last."""
    figure, axis = plt.subplots(figsize=(4.4, 4.4))
    axis.imshow(counts.numpy(), cmap="Blues", vmax=float(counts.max()))
    for row in range(len(classes)):
        for column in range(len(classes)):
            dark = counts[row, column] > counts.max() / 2
            axis.text(column, row, int(counts[row, column]) or "·", ha="center", va="center", fontsize=8,
                      color="white" if dark else "black")  # fmt: skip
    first, last = frame
    side = last - first + 1
    axis.add_patch(Rectangle((first - 0.5, first - 0.5), side, side, fill=False, edgecolor=COLOURS["vermillion"],
                             linewidth=2))  # fmt: skip
    axis.set_xticks(range(len(classes)), classes, rotation=90)
    axis.set_yticks(range(len(classes)), classes)
    axis.grid(False)
    axis.set(xlabel="the network's answer", ylabel="what it is", title="200 test images of each class")
    mistakes = counts - counts.diag().diag()
    truth, answer = divmod(int(mistakes.argmax()), len(classes))
    return figure, (
        f"A table of {len(classes)} by {len(classes)} counts, {int(counts.trace()):,} of {int(counts.sum()):,} on "
        f"the diagonal; the most frequent mistake is {classes[truth]} called {classes[answer]}, "
        f"{int(mistakes.max())} times."
    )


def named_photo(photo: torch.Tensor, names: Sequence[str], probabilities: torch.Tensor) -> tuple[Figure, str]:
    """A photo uint8 [H,W,3] beside the best names and their probabilities (0 to 1)."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.6, 2.1), width_ratios=(1, 2.2))
    height, width = photo.shape[:2]
    side = min(height, width)
    left.imshow(photo.numpy())
    corner = ((width - side) / 2 - 0.5, (height - side) / 2 - 0.5)
    left.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=COLOURS["orange"], linewidth=2))
    left.set_title("The network sees the square", fontsize=10)
    left.axis("off")
    bars = right.barh(names, (100 * probabilities).tolist(), color=COLOURS["blue"])
    right.bar_label(bars, [f"{value:.0%}" for value in probabilities.tolist()], padding=3)
    right.set(xlabel="probability in %", xlim=(0, 100), title="The five best of 1,000 names")
    right.invert_yaxis()
    best = ", ".join(f"{name} {value:.0%}" for name, value in zip(names, probabilities.tolist(), strict=True))
    return figure, f"A photograph, the square of it that the network sees, and bars for its best names: {best}."
