"""Figures of lesson 10: each function returns (figure, alternative text)."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from helpers.plots import COLOURS

Drawn = tuple[Figure, str]


def calls(seconds: Mapping[str, Sequence[float]]) -> Drawn:
    """Milliseconds of each call in its order, a line for each {name: seconds}, first calls at the left."""
    figure, axis = plt.subplots(figsize=(7.6, 3.4))
    for name, times in seconds.items():
        axis.plot(range(1, len(times) + 1), [1e3 * one for one in times], ".-", linewidth=1, markersize=5, label=name)
    axis.set(yscale="log", xlabel="call", ylabel="milliseconds", title="One image, call by call")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.legend(fontsize=9, loc="lower right", bbox_to_anchor=(1, 1), ncols=max(2, len(seconds)), borderaxespad=0.2)
    said = "; ".join(f"{name}: first {1e3 * t[0]:.1f} ms, least {1e3 * min(t):.1f} ms" for name, t in seconds.items())
    return figure, f"Milliseconds of single calls in their order, logarithmic. {said}."


def channel_sizes(sizes: Mapping[str, torch.Tensor]) -> Drawn:
    """Largest absolute weight of each channel [C], sorted, as shares of the layer's largest: a line for each layer."""
    figure, axis = plt.subplots(figsize=(7.6, 3.6))
    said = []
    for name, found in sizes.items():
        shares = (found / found.max()).sort(descending=True).values
        places = torch.linspace(0, 1, len(shares))
        axis.plot(places, shares, label=name)
        said.append(f"{name} {float(shares.median()):.2f}")
    axis.axhline(1 / 127, color="black", linewidth=1, linestyle=":")
    axis.text(0.01, 1.15 / 127, "one step of int8, per tensor", fontsize=8.5, va="bottom")
    axis.set(yscale="log", ylim=(0.003, 1.3), xlabel="channels from the largest to the smallest, as a share",
             title="How unlike are a layer's channels?", ylabel="largest weight,\nshare of the layer's")  # fmt: skip
    axis.legend(fontsize=9, loc="center right", bbox_to_anchor=(1, 0.4))
    return figure, f"The channels' largest weights as shares of the layer's, falling. In the middle: {', '.join(said)}."


def right_by(found: Mapping[str, Mapping[str, int]], total: int, chance: float, xlabel: str, title: str) -> Drawn:
    """Accuracy in per cent against steps, a line for each {scheme: {step: right answers of `total`}}."""
    figure, axis = plt.subplots(figsize=(7.6, 3.6))
    looks = {"per tensor": ("s-", COLOURS["vermillion"]), "per channel": ("o-", COLOURS["blue"])}
    said = []
    for name, counts in found.items():
        style, colour = looks.get(name, ("^-", COLOURS["green"]))
        shares = [100 * right / total for right in counts.values()]
        axis.plot(range(len(counts)), shares, style, color=colour, label=name)
        said.append(
            f"{name}: " + ", ".join(f"{step} {share:.1f} %" for step, share in zip(counts, shares, strict=True))
        )
    axis.axhline(100 * chance, color="black", linewidth=1, linestyle=":")
    axis.text(0.0, 100 * chance + 1.5, "chance", fontsize=8.5)
    axis.set_xticks(range(len(counts)), list(counts))
    axis.set(ylim=(0, 100), xlabel=xlabel, ylabel=f"right of {total:,}, %", title=title)
    axis.legend(fontsize=9, loc="center left")
    return figure, f"{title}. {'; '.join(said)}."


# ---------------------------------------------------------------------------------------------- page 10b


def by_seed(
    after: Mapping[str, Sequence[int]], total: int, title: str, before: Mapping[str, Sequence[int]] | None = None
) -> Drawn:
    """A row for each {arm: right answers of each seed}: a dot a seed, a bar at their mean, in per cent of `total`.

    `before`: the same of the networks before they were trained on, drawn as crosses.
    """
    figure, axis = plt.subplots(figsize=(7.6, 1.3 + 0.48 * len(after)))
    said = []
    for place, (arm, counts) in enumerate(after.items()):
        shares = [100 * count / total for count in counts]
        middle = sum(shares) / len(shares)
        axis.plot(shares, [place] * len(shares), "o", color=COLOURS["blue"], markersize=6, alpha=0.7,
                  label="" if place else "a seed")  # fmt: skip
        axis.plot([middle, middle], [place - 0.3, place + 0.3], color=COLOURS["black"], label="" if place else "mean")
        words = f"{arm}: mean {middle:.1f} %, {min(shares):.1f} to {max(shares):.1f}"
        if before and arm in before:
            starts = [100 * count / total for count in before[arm]]
            axis.plot(starts, [place] * len(starts), "x", color=COLOURS["vermillion"], markersize=8, markeredgewidth=2,
                      label="before" if arm == next(iter(before)) else "")  # fmt: skip
            words += f", before {sum(starts) / len(starts):.1f}"
        said.append(words)
    axis.set_yticks(range(len(after)), list(after))
    axis.set(ylim=(len(after) - 0.5, -0.5), xlabel=f"right of {total:,}, %", title=title)
    axis.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
    return figure, f"{title}. {'; '.join(said)}."


def soft_targets(images: torch.Tensor, names: Sequence[str], shares: Mapping[str, torch.Tensor]) -> Drawn:
    """Images uint8 [N,H,W,3], under each bars of a teacher's shares [N,C] of the classes, for each {label: shares}."""
    count = len(images)
    figure, axes = plt.subplots(2, count, figsize=(2.1 * count, 4.9), squeeze=False, height_ratios=(1, 2.3))
    height, colours = 0.8 / len(shares), (COLOURS["orange"], COLOURS["blue"], COLOURS["green"])
    said = []
    for column, image in enumerate(images):
        axes[0, column].imshow(image.numpy())
        axes[0, column].axis("off")
        axis = axes[1, column]
        for number, ((label, found), colour) in enumerate(zip(shares.items(), colours, strict=False)):
            places = [place + (number - (len(shares) - 1) / 2) * height for place in range(len(names))]
            axis.barh(places, found[column].tolist(), height, color=colour, label=label)
            best, second = found[column].topk(2).indices.tolist()
            said.append(f"image {column + 1}, {label}: {names[best]} {float(found[column][best]):.2f}, "
                        f"{names[second]} {float(found[column][second]):.2f}")  # fmt: skip
        axis.set_yticks(range(len(names)), names if column == 0 else [""] * len(names), fontsize=9)
        axis.set(xlim=(0, 1), ylim=(len(names) - 0.5, -0.5), xlabel="share")
        axis.grid(axis="y", visible=False)
    figure.legend(*axes[1, 0].get_legend_handles_labels(), fontsize=9, loc="upper right", ncols=len(shares))
    figure.suptitle("What the teacher says", fontweight="bold", x=0.01, ha="left")
    return figure, f"Pictures, and under each bars of the teacher's shares of the classes. {'; '.join(said)}."
