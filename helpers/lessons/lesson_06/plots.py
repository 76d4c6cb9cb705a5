"""Drawings of lesson 06: neighbours, sizes, traps that meet, the article and its repairs, how many labels."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from helpers.evaluation import Accuracy
from helpers.lessons.lesson_06.transfer import REGIMES, accuracies, counts, mean_interval
from helpers.plots import COLOURS


def draw_neighbours(images: torch.Tensor, others: torch.Tensor, nearest: Mapping[str, torch.Tensor]) -> Figure:
    """Test images uint8 [N,32,32,3], and to the right of each those of `others` that {name: int64 [N,K]} says."""
    figure, axes = plt.subplots(1, len(nearest), figsize=(9.6, 0.85 * len(images)), squeeze=False)
    gap = torch.full((images.shape[1], 8, 3), 255, dtype=torch.uint8)
    for axis, (name, index) in zip(axes[0], nearest.items(), strict=True):
        rows = [torch.cat([image, gap, *others[of_it]], 1) for image, of_it in zip(images, index, strict=True)]
        axis.imshow(torch.cat(rows).numpy())
        axis.set(title=f"Nearest by {name}", xticks=[], yticks=[])
        axis.set_xlabel(f"a test image, and its nearest {index.shape[1]}")
    return figure


def draw_sizes(
    macs: Mapping[int, int], enlarged: Mapping[int, torch.Tensor], framed: torch.Tensor, framed_size: int
) -> Figure:
    """Accuracy against MACs for images enlarged to {size: bool [N], which are right}, and for framed ones instead."""
    figure, axis = plt.subplots(figsize=(7, 3.8))
    spots = [macs[size] / 1e6 for size in enlarged]
    heights, ends = _heights(list(enlarged.values()))
    axis.errorbar(spots, heights, ends, fmt="o-", capsize=4, label="enlarged to so many pixels")
    axis.errorbar([macs[framed_size] / 1e6], *_heights([framed]), fmt="s", capsize=4, mfc="white",
                  color=COLOURS["vermillion"], label=f"32 pixels in a frame of {framed_size}")  # fmt: skip
    for size, spot, height in zip(enlarged, spots, heights, strict=True):
        place = (8, 8) if size >= 64 else (8, -14)
        axis.annotate(f"{size} px", (spot, height), place, textcoords="offset points")
    axis.set(xlabel="MACs of one image (millions)", ylabel="accuracy (%)", xlim=(0, None))
    axis.set_title("The same 32 × 32 photos, enlarged (CIFAR-10 sample)")
    axis.legend(loc="lower right")
    return figure


def draw_traps(panels: Mapping[str, Mapping[str, Sequence[torch.Tensor]]], names: Sequence[str]) -> Figure:
    """{panel: {group: a bar for each name}}, each bar bool [N], which images are right; with intervals over images."""
    figure, axes = plt.subplots(1, len(panels), figsize=(9.6, 3.9), sharey=True, squeeze=False)
    width = 0.8 / len(names)
    for axis, (title, groups) in zip(axes[0], panels.items(), strict=True):
        bars = zip(names, COLOURS.values(), zip(*groups.values(), strict=True), strict=False)
        for place, (name, colour, answers) in enumerate(bars):
            spots = [x + (place - (len(names) - 1) / 2) * width for x in range(len(groups))]
            heights, ends = _heights(answers)
            axis.bar(spots, heights, width * 0.95, yerr=ends, capsize=4, color=colour, label=name)
            for spot, height, end in zip(spots, heights, ends[1], strict=True):
                axis.text(spot, height + end + 1, f"{height:.0f}", ha="center")
        axis.set(title=title, xticks=range(len(groups)), xticklabels=list(groups))
        axis.set_ylim(0, 85)
        axis.legend(loc="upper right", ncols=len(names))
        axis.grid(axis="x", visible=False)
    axes[0][0].set_ylabel("accuracy (%), CIFAR-10 sample")
    return figure


def draw_looks(looked: Mapping[int, Sequence[dict]], clean: Mapping[int, Sequence[dict]]) -> Figure:
    """The printed scores of each seed's network, a dot a look, beside the same network on clean test images."""
    figure, axis = plt.subplots(figsize=(7, 3.4))
    for place, (seed, rows) in enumerate(looked.items()):
        scores = [100 * row["accuracy"] for row in rows]
        axis.scatter(scores, [place] * len(scores), 40, color=COLOURS["blue"], alpha=0.7,
                     label="a look at augmented test images" if place == 0 else None)  # fmt: skip
        for row in clean.get(seed, ()):
            middle, low, high = (100 * row[name] for name in ("accuracy", "low", "high"))
            axis.errorbar(middle, place - 0.25, xerr=[[middle - low], [high - middle]], fmt="s", capsize=3,
                          color=COLOURS["vermillion"],
                          label="clean test images, with interval" if place == 0 else None)  # fmt: skip
    axis.set(yticks=range(len(looked)), yticklabels=[f"seed {seed}" for seed in looked])
    axis.set(xlabel="accuracy (%), 10,000 test images of CIFAR-10", ylim=(-0.6, len(looked) - 0.1))
    axis.set_title("The article as printed: which of the dots is its score?")
    if looked:
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2)
    return figure


def draw_chain(chains: Mapping[str, Sequence[dict]]) -> Figure:
    """The article repaired step by step: {network: its rows, in order}, a bar a step with its interval over images."""
    figure, axes = plt.subplots(1, len(chains), figsize=(9.6, 4), sharex=True, sharey=True, squeeze=False)
    for axis, (name, rows) in zip(axes[0], chains.items(), strict=True):
        heights = [100 * row["accuracy"] for row in rows]
        ends = [[100 * (row["accuracy"] - row["low"]) for row in rows],
                [100 * (row["high"] - row["accuracy"]) for row in rows]]  # fmt: skip
        colours = [COLOURS["orange"], *[COLOURS["blue"]] * (len(rows) - 1)]
        axis.barh([row["step"] for row in rows], heights, 0.7, xerr=ends, capsize=3, color=colours)
        for place, height in enumerate(heights):
            axis.text(2, place, f"{height:.1f}", va="center", color="white", fontweight="bold")
        axis.set(title=name, xlabel="accuracy (%), 10,000 test images", xlim=(0, 100))
        axis.grid(axis="y", visible=False)
    axes[0][0].invert_yaxis()
    return figure


def draw_labels(rows: list[dict], live: Mapping[str, Accuracy]) -> Figure:
    """Rows of data/results/transfer.csv as curves with intervals over seeds, every seed a dot.

    `live` {regime: Accuracy} of a short run with 10 labels a class stands beside, in white.
    """
    figure, axis = plt.subplots(figsize=(7, 4))
    labels = counts(rows)
    for name, marker, shift in zip(REGIMES, "o^s", (0.96, 1.04, 1.0), strict=True):
        each = [accuracies(rows, name, count) for count in labels]
        spots = [shift * count for count in labels]
        means = [mean_interval(values) for values in each]
        ends = [[middle - low for middle, low, _ in means], [high - middle for middle, _, high in means]]
        line = axis.errorbar(spots, [middle for middle, *_ in means], ends, fmt=marker + "-", capsize=3, label=name)
        colour = line.lines[0].get_color()
        for spot, values in zip(spots, each, strict=True):
            axis.scatter([spot] * len(values), values, 14, colour, zorder=3)
        middle, low, high = (100 * getattr(live[name], end) for end in ("value", "low", "high"))
        axis.errorbar(7.3 * shift, middle, [[middle - low], [high - middle]], fmt=marker, mfc="white", color=colour,
                      capsize=3)  # fmt: skip
    axis.set(xscale="log", xlabel="labelled images a class", ylabel="accuracy (%)", ylim=(0, None))
    axis.set(xticks=labels, xticklabels=labels, title="Labels, or other people's weights? (CIFAR-10 sample)")
    axis.minorticks_off()
    axis.legend(loc="lower right")
    return figure


def _heights(answers: Sequence[torch.Tensor]) -> tuple[list[float], list[list[float]]]:
    """Of bool [N], which are right, in per cent: the shares, and how far their intervals reach down and up."""
    found = [Accuracy(int(one.sum()), len(one)) for one in answers]
    below = [100 * (one.value - one.low) for one in found]
    above = [100 * (one.high - one.value) for one in found]
    return [100 * one.value for one in found], [below, above]
