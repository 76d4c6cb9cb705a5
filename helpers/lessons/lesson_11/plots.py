"""Drawings of lesson 11: a folder's photos, twins, mistakes, the learning curve."""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure

from helpers.data import ImageSet
from helpers.plots import COLOURS


def draw_folder(photos: ImageSet, each: int = 8) -> Figure:
    """The first `each` photos of every class, a row a class."""
    figure, axes = plt.subplots(len(photos.classes), 1, figsize=(7.2, 0.86 * len(photos.classes)))
    for label, axis in enumerate(axes):
        row = photos[photos.labels == label][:each].images[:, 1::3, 1::3]
        axis.imshow(torch.cat(list(row), 1).numpy())
        axis.set(xticks=[], yticks=[])
        count = int((photos.labels == label).sum())
        axis.set_ylabel(f"{photos.classes[label]}\n{count}", rotation=0, ha="right", va="center")
        axis.grid(visible=False)
        axis.spines[:].set_visible(False)
    figure.suptitle(f"The first {each} of each class, and how many there are", fontweight="bold", x=0.01, ha="left")
    return figure


def draw_conversions(found: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> Figure:
    """(name, naive, right): two pictures for each kind of file, one above the other."""
    figure, axes = plt.subplots(2, len(found), figsize=(6.2, 3.3))
    for column, (name, *pictures) in zip(axes.T, found, strict=True):
        for axis, picture in zip(column, pictures, strict=True):
            axis.imshow(picture)
            axis.set(xticks=[], yticks=[])
            axis.grid(visible=False)
            axis.set(box_aspect=1, adjustable="datalim")  # one height for all titles
            axis.spines[:].set(visible=True, color="#BBBBBB", linewidth=0.8)  # or a white picture is not seen
        column[0].set_title(name, fontsize=8.5)
    for axis, words in zip(axes[:, 0], ("opened plainly", "as loaded here"), strict=True):
        axis.set_ylabel(words)
    return figure


def draw_pairs(rows: Mapping[str, Sequence[tuple[torch.Tensor, torch.Tensor, float]]]) -> Figure:
    """{title: (picture, picture, likeness) …}: pairs side by side with their number."""
    most = max(map(len, rows.values()))
    size = (8.8, 1.55 * len(rows))
    figure, axes = plt.subplots(len(rows), most, figsize=size, squeeze=False, layout="constrained")
    figure.get_layout_engine().set(rect=(0, 0, 1, 0.88), hspace=0.22)  # room for the titles
    for line, pairs in zip(axes, rows.values(), strict=True):
        for axis in line:
            axis.axis("off")
        for axis, (one, other, number) in zip(line, pairs, strict=False):
            axis.imshow(torch.cat([one, other], 1).numpy())
            axis.set_title(f"{number:.2f}", fontsize=9.5, fontweight="normal", loc="center", pad=2)
    figure.draw_without_rendering()  # now the axes have their places
    figure.set_layout_engine("none")
    for line, title in zip(axes, rows, strict=True):  # not on an axis, which would become as wide as its words
        place = line[0].get_position()
        figure.text(place.x0, place.y1 + 0.22 / size[1], title, fontweight="bold")
    return figure


def draw_mistakes(images: torch.Tensor, words: Sequence[str], columns: int = 6) -> Figure:
    """Photos uint8 [N,S,S,3] with two lines under each."""
    rows = max(1, -(-len(images) // columns))
    figure, axes = plt.subplots(rows, columns, figsize=(8.8, 2.0 * rows), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    if not len(images):
        figure.text(0.5, 0.5, "no photo was named wrongly", ha="center", va="center")
    for axis, image, text in zip(axes.flat, images, words, strict=False):
        axis.imshow(image.numpy())
        axis.set_title(text, fontsize=8.5, fontweight="normal", loc="center", y=-0.34)
    return figure


def draw_curve(accuracy: Mapping[int, torch.Tensor], half: Mapping[int, float], guess: Mapping[int, float]) -> Figure:
    """{photos a class: accuracy of each draw [seeds]}, half widths of their intervals, and a fitted line's values."""
    figure, axis = plt.subplots(figsize=(7.2, 3.8))
    counts = list(accuracy)
    for count, values in accuracy.items():
        axis.plot([count] * len(values), 100 * values.numpy(), "o", color="#AAAAAA", markersize=3.5, zorder=2)
    means = [100 * float(accuracy[count].mean()) for count in counts]
    axis.errorbar(counts, means, [100 * half[count] for count in counts], fmt="o-", capsize=4, zorder=3,
                  label="mean of the draws, 95 % interval")  # fmt: skip
    axis.plot(list(guess), [100 * value for value in guess.values()], "--", color=COLOURS["vermillion"],
              label="line through the first points, in logarithms")  # fmt: skip
    axis.set(
        xscale="log", xlabel="photos a class to learn from", ylabel="right, %, mean over the classes", ylim=(None, 101)
    )
    ticks = sorted({*counts, *guess})
    axis.set_xticks(ticks, ticks)
    axis.minorticks_off()
    axis.set_title("How far would more photos carry?")
    axis.legend(loc="lower right")
    return figure


def draw_maps(columns: Sequence[tuple[str, torch.Tensor, Mapping[str, torch.Tensor]]]) -> Figure:
    """(title, photo uint8 [S,S,3], {name: map [h,w]}) …: the photo above its heat maps.

    Each map is scaled by itself: from white, 0, to its strongest value.
    """
    names = list(columns[0][2])
    size = (1.4 * len(columns) + 0.4, 1.4 * (1 + len(names)) + 0.8)
    figure, axes = plt.subplots(1 + len(names), len(columns), figsize=size, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.grid(visible=False)
        axis.spines[:].set_visible(False)
    for line, (title, photo, maps) in zip(axes.T, columns, strict=True):
        side = photo.shape[0]
        line[0].imshow(photo.numpy())
        line[0].set_title(title, fontsize=8.5, fontweight="normal", loc="center", pad=3)
        for axis, heat in zip(line[1:], maps.values(), strict=True):
            most = max(float(heat.abs().max()), 1e-9)
            axis.imshow(photo.float().mean(2).numpy(), cmap="gray", vmin=0, vmax=255)
            axis.imshow(heat.numpy(), cmap="PuOr_r", vmin=-most, vmax=most, alpha=0.6, extent=(0, side, side, 0))
    for axis, name in zip(axes[:, 0], ["photo", *names], strict=True):
        axis.set_ylabel(name, fontsize=9)
    figure.supxlabel("orange speaks for what was said, violet against it; each map is scaled by itself", fontsize=9)
    return figure


def draw_correlations(values: Mapping[str, Sequence[float]]) -> Figure:
    """{comparison: a correlation for each photo}: all of them as points, and their median; nan (flat) is left out."""
    figure, axis = plt.subplots(figsize=(7.2, 0.62 * len(values) + 1.3))
    for place, (_, numbers) in enumerate(values.items()):
        numbers = [number for number in numbers if number == number]
        spread = np.linspace(-0.22, 0.22, len(numbers))
        axis.plot(numbers, place + spread, "o", color=COLOURS["sky"], markersize=4)
        axis.plot(
            [np.median(numbers or [np.nan])] * 2, [place - 0.35, place + 0.35], color=COLOURS["vermillion"], linewidth=3
        )
    axis.set_yticks(range(len(values)), list(values))
    axis.invert_yaxis()
    axis.axvline(0, color="black", linewidth=1)
    axis.set(xlim=(-1.05, 1.05), xlabel="correlation with the trained network's map")
    axis.set_title("Like the real map? (a point a photo; the line: median)")
    return figure


def draw_costs(curves: Mapping[str, tuple[np.ndarray, np.ndarray, float]]) -> Figure:
    """{project: (thresholds, cost of a thousand images, the chosen threshold)}: a panel each; dotted, a half."""
    figure, axes = plt.subplots(1, len(curves), figsize=(9.6, 2.9), squeeze=False)
    axes = axes[0]
    for axis, (name, (thresholds, costs, chosen)) in zip(axes, curves.items(), strict=True):
        axis.plot(thresholds, costs)
        axis.axvline(0.5, color="#888888", linestyle=":", linewidth=1.5)
        axis.axvline(chosen, color=COLOURS["vermillion"])
        axis.set_title(textwrap.fill(name, 20), fontsize=9.5)
        axis.set(xlabel="threshold", ylim=(0, None))
        axis.set_ylim(0, min(float(np.max(costs)), 6 * float(np.min(costs))) * 1.05)
    axes[0].set_ylabel("cost of 1,000 images")
    return figure
