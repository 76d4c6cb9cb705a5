"""Figures of lesson 02. Each function draws what it is given and returns the figure; the page shows and tells it."""

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.data import ImageSet
from helpers.plots import COLOURS

CHANNELS = ("red", "green", "blue")


def _picture(width: float, height: float, pixels: torch.Tensor, title: str) -> tuple[Figure, plt.Axes]:
    """uint8 [H,W,3] as a picture: no ticks, and no grid lines across it."""
    figure, axes = plt.subplots(figsize=(width, height))
    axes.imshow(pixels.numpy())
    axes.grid(False)
    axes.set(xticks=[], yticks=[], title=title)
    axes.spines[:].set_visible(False)
    return figure, axes


def sheet_top(pixels: torch.Tensor, row: int, column: int, title: str) -> Figure:
    """The first two rows of a contact sheet [H,W,3], with a frame around the image at `row`, `column`."""
    figure, axes = _picture(8.6, 1.1, pixels[:64], title)
    axes.add_patch(
        Rectangle((32 * column - 0.5, 32 * row - 0.5), 32, 32, fill=False, linewidth=2.5, edgecolor=COLOURS["orange"])
    )
    return figure


def some_of_each(image_set: ImageSet, count: int = 8) -> Figure:
    """The first `count` images of each class, a class a row."""
    rows = [image_set.images[image_set.labels == label][:count] for label in range(len(image_set.classes))]
    pixels = torch.cat([torch.cat(list(row), dim=1) for row in rows])  # side by side, then one below the other
    figure, axes = _picture(5.4, 5.6, pixels, f"{count} training images of each class")
    axes.set_yticks([32 * row + 15.5 for row in range(len(rows))], image_set.classes)
    axes.tick_params(length=0)
    return figure


def variance_parts(parts: dict[str, torch.Tensor], title: str) -> Figure:
    """A bar for each channel, made of the parts: {what it is: variance [3]}."""
    figure, axes = plt.subplots(figsize=(7.4, 3.1))
    left = torch.zeros(3, dtype=torch.float64)
    for (name, values), colour in zip(parts.items(), ("blue", "yellow", "orange"), strict=True):
        axes.barh(CHANNELS, values.numpy(), left=left.numpy(), color=COLOURS[colour], edgecolor="white", label=name)
        left = left + values
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    axes.set(xlabel="variance, pixels from 0 to 1 (CIFAR-10 sample)", title=title)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.22), ncols=3, fontsize=9.5)
    return figure


def differences(rows: dict[str, tuple[float, float, float]], title: str) -> Figure:
    """A point with its interval for each row: {name: (difference, low, high)}, in points of accuracy."""
    figure, axes = plt.subplots(figsize=(7.4, 0.55 * len(rows) + 1.1))
    for place, (difference, low, high) in enumerate(rows.values()):
        axes.plot([low, high], [place, place], color=COLOURS["blue"], linewidth=3, solid_capstyle="butt")
        axes.plot(difference, place, "o", color=COLOURS["vermillion"], markersize=8)
    axes.axvline(0, color=COLOURS["black"], linewidth=1)
    axes.set_yticks(range(len(rows)), rows)
    axes.set(xlabel="points of accuracy lost (−) by random crops, with 95 % intervals over images", title=title)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(False, axis="y")
    return figure


def loader_bars(bars: dict[str, dict[str, float]], title: str) -> Figure:
    """A bar for each loader, made of its steps: {loader: {step: µs an image}}. Equal steps have equal colours."""
    figure, axes = plt.subplots(figsize=(7.8, 3.2))
    steps = list(dict.fromkeys(step for bar in bars.values() for step in bar))
    colours = dict(zip(steps, COLOURS.values(), strict=False))
    for step in steps:
        before = [sum(list(bar.values())[: list(bar).index(step)]) if step in bar else 0 for bar in bars.values()]
        widths = [bar.get(step, 0) for bar in bars.values()]
        axes.barh(list(bars), widths, left=before, color=colours[step], edgecolor="white", linewidth=0.5, label=step)
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    axes.set(xlabel="µs an image", title=title)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.22), ncols=4, fontsize=9.5)
    return figure


def batch_by_hand(images: torch.Tensor, batch: torch.Tensor, order: list[int]) -> Figure:
    """Tiny images, uint8 [N,H,W,3]; below them the normalised batch [B,3,H,W] of images `order`, by channel."""
    count, size = len(batch), len(images)
    figure, axes = plt.subplots(2, max(size, 3 * count), figsize=(8.2, 3.1))
    for axis in axes.flat:
        axis.axis("off")
    for index, image in enumerate(images):
        axes[0, index].imshow(image.numpy())
        axes[0, index].set_title(f"image {index}", fontsize=9, loc="center", fontweight="normal")
    limit = batch.abs().max()
    for place, index in enumerate(order[:count]):
        for channel, name in enumerate(CHANNELS):
            axis = axes[1, 3 * place + channel]
            axis.imshow(batch[place, channel].numpy(), cmap="gray", vmin=-limit, vmax=limit)
            axis.set_title(f"image {index}, {name}", fontsize=9, loc="center", fontweight="normal")
            for (row, column), value in zip(
                torch.cartesian_prod(*map(torch.arange, batch.shape[2:])).tolist(),
                batch[place, channel].flatten().tolist(),
                strict=True,
            ):
                axis.text(column, row, f"{value:+.1f}", ha="center", va="center", fontsize=8,
                          color="black" if value > 0 else "white")  # fmt: skip
    return figure
