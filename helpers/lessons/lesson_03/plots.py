"""The drawings of lesson 03: windows and channels, and what is kept of a dense layer.

Each function gives a figure and its alternative text: `helpers.plots.show(*window(picture, kernel))`.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.plots import COLOURS

CHANNELS_IN = ("sky", "green", "yellow")
MIXED = "#C9C9C9"  # a channel out that has read all channels in


def window(picture: torch.Tensor, kernel: torch.Tensor, row: int = 0, column: int = 1) -> tuple[Figure, str]:
    """Whole numbers [H,W], a kernel [K,K] laid on it at (row, column), and the output that all places give."""
    side, height, width = len(kernel), *(length - len(kernel) + 1 for length in picture.shape)
    output = picture.unfold(0, side, 1).unfold(1, side, 1).mul(kernel).sum((2, 3))
    figure, axes = plt.subplots(1, 3, figsize=(8.2, 3), width_ratios=(picture.shape[1], side, width))
    titles = (f"image, {len(picture)} × {picture.shape[1]}", f"kernel, {side} × {side}", f"output, {height} × {width}")
    for axis, grid, title in zip(axes, (picture, kernel, output), titles, strict=True):
        _numbers(axis, grid)
        axis.set_title(title, loc="center")
    frame = {"fill": False, "edgecolor": COLOURS["vermillion"], "linewidth": 3.5, "zorder": 4}
    axes[0].add_patch(Rectangle((column, row), side, side, **frame))
    axes[2].add_patch(Rectangle((column, row), 1, 1, **frame))
    for axis, text in ((axes[0], "×"), (axes[1], "=")):
        axis.text(1.1, 0.5, text, transform=axis.transAxes, fontsize=20, ha="center", va="center")
    alt = (
        f"An image of {len(picture)} × {picture.shape[1]} numbers with a frame around {side} × {side} of them, the "
        f"kernel of {side} × {side} weights, and the output of {height} × {width} numbers, in which the sum of these "
        f"products, {output[row, column].item()}, is framed too."
    )
    return figure, alt


def _numbers(axis: Axes, grid: torch.Tensor) -> None:
    height, width = grid.shape
    for i in range(height):
        for j in range(width):
            axis.add_patch(Rectangle((j, i), 1, 1, facecolor="#EAF3FA", edgecolor="grey"))
            axis.text(
                j + 0.5, i + 0.5, f"{grid[i, j].item():d}".replace("-", "−"), ha="center", va="center", fontsize=13
            )
    axis.set(xlim=(-0.1, width + 0.1), ylim=(height + 0.1, -0.1), aspect="equal")
    axis.axis("off")


def slabs(*kinds: str, channels_in: int = 3, channels_out: int = 4) -> tuple[Figure, str]:
    """Channels as sheets, with every kernel that reads them, for "dense", "depthwise" and "pointwise"; a row each."""
    figure, axes = plt.subplots(len(kinds), 1, figsize=(8.2, 2.9 * len(kinds)), squeeze=False)
    told = []
    for axis, kind in zip(axes[:, 0], kinds, strict=True):
        outputs, reach = channels_in if kind == "depthwise" else channels_out, 1 if kind == "pointwise" else 3
        count = _one_convolution(axis, kind, channels_in, outputs, reach)
        last = (
            f"{outputs} sheets, each in the colour of its one kernel"
            if kind == "depthwise"
            else f"{outputs} grey sheets"
        )
        told.append(
            f"{kind.capitalize()}: {channels_in} coloured sheets with a window of {reach} × {reach} pixels on each, "
            f"{count} kernels of {reach} × {reach} in the same colours, and {last}."
        )
    return figure, " ".join(told)


def _one_convolution(axis: Axes, kind: str, channels_in: int, channels_out: int, reach: int) -> int:
    """Draws one row and gives the number of its kernels."""
    colours = [COLOURS[name] for name in CHANNELS_IN[:channels_in]]
    own = kind == "depthwise"
    places = {m: (0.35 * m, -0.45 * m) for m in range(channels_in)}
    for m, (x, y) in places.items():
        _sheet(axis, x, y, 3, colours[m], (0.5, 1.5, reach))
    cells, step = [], 1.25 if reach == 3 else 0.8
    for n in range(channels_out):
        for m in [n] if own else range(channels_in):
            corner = 6.6 + (1 if own else m) * step, 2.3 - step * (n - 0.5 * (channels_out - 1)) - 1.6
            cells.append((corner, colours[m]))
    for (x, y), colour in cells:
        _kernel(axis, x, y, 0.33, reach, colour)
    for n in range(channels_out):
        _sheet(axis, 12.4 + 0.35 * n, -0.45 * (n - 0.5), 3, colours[n] if own else MIXED, (1, 2, 1))
    count = len(cells) * reach**2
    axis.text(1.8, 3.85, f"{channels_in} channels in", ha="center")
    axis.text(7.9, 3.85, f"{len(cells)} kernels of {reach} × {reach}: {count} weights", ha="center")
    axis.text(14.2, 3.85, f"{channels_out} channels out", ha="center")
    for start, end in (((4.2, 0.9), (5.9, 0.9)), ((10.3, 0.9), (12.0, 0.9))):
        axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "black"})
    axis.set(xlim=(-0.3, 17.2), ylim=(-1.8, 4.4), aspect="equal")
    axis.set_title(f"{kind} {reach} × {reach}")
    axis.axis("off")
    return len(cells)


def _sheet(axis: Axes, x: float, y: float, side: float, colour: str, mark: tuple[float, float, int]) -> None:
    """A channel whose corner is (x, y), with a window of `mark[2]` pixels a side at mark[:2]."""
    axis.add_patch(Rectangle((x, y), side, side, facecolor=colour, edgecolor="black", linewidth=0.8))
    pixel = 0.33
    corner = x + mark[0] * pixel, y + side - (mark[1] + mark[2]) * pixel
    _kernel(axis, *corner, pixel, mark[2], "white")


def _kernel(axis: Axes, x: float, y: float, pixel: float, side: int, colour: str) -> None:
    for i in range(side):
        for j in range(side):
            place = x + i * pixel, y + j * pixel
            axis.add_patch(Rectangle(place, pixel, pixel, facecolor=colour, edgecolor="black", linewidth=0.6))


def connections(channels: int = 4) -> tuple[Figure, str]:
    """Which channel out reads which channel in: dots and lines, as thick as the kernels that stand for them."""
    everyone = [(i, j) for i in range(channels) for j in range(channels)]
    links = {"dense 3 × 3": (everyone, 9), "depthwise 3 × 3": ([(i, i) for i in range(channels)], 9)}
    links["pointwise 1 × 1"] = (everyone, 1)
    figure, panels = plt.subplots(1, 3, figsize=(9, 2.6))
    for axis, (name, (pairs, weights)) in zip(panels, links.items(), strict=True):
        for i, j in pairs:
            axis.plot([0, 1], [i, j], color=COLOURS["blue"], linewidth=0.4 * weights, zorder=1)
        for side in (0, 1):
            axis.scatter(
                [side] * channels, range(channels), s=170, color=COLOURS["orange"], edgecolor="black", zorder=2
            )
        axis.set_xticks([0, 1], ["channels in", "channels out"])
        axis.set(title=f"{name}: {len(pairs) * weights} weights", xlim=(-0.35, 1.35), ylim=(-0.6, 3.6), yticks=[])
        axis.grid(False)
        axis.spines[["left", "bottom"]].set_visible(False)
    alt = (
        f"{channels} dots for channels in, {channels} for channels out. Dense: each is joined to each by a thick line. "
        "Depthwise: each to its own by a thick line. Pointwise: each to each by a thin line."
    )
    return figure, alt


def terms(
    shares: Mapping[str, Sequence[float]], scores: Mapping[str, Sequence[float]], whole: float
) -> tuple[Figure, str]:
    """What 1, 2, … separable terms keep: {layer: shares of the weights in %}, {how: accuracies in %}, the dense one's.

    The two curves of `scores` are drawn in their order: as it was, measured anew.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.9))
    for (name, share), style in zip(shares.items(), ("o-", "s-", "^-", "x--"), strict=False):
        left.plot(range(1, 1 + len(share)), share, style, markersize=5, label=name)
    left.set(title="Kept of the weights", xlabel="separable terms", ylabel="share of the sum of squares (%)")
    left.set(ylim=(0, 104))
    left.legend(loc="lower right")
    for (name, values), look in zip(scores.items(), (("vermillion", "s--"), ("blue", "o-")), strict=True):
        right.plot(range(1, 1 + len(values)), values, look[1], color=COLOURS[look[0]], markersize=5, label=name)
    right.axhline(whole, color="black", linewidth=1, label="dense, as trained")
    right.axhline(10, color="grey", linewidth=1, linestyle=":", label="guessing")
    right.set(title="Accuracy, 1,000 validation images", xlabel="separable terms", ylabel="accuracy (%)", ylim=(0, 80))
    right.legend(loc="center right", bbox_to_anchor=(1, 0.38), fontsize=9)
    kept = ", ".join(f"{name} {share[0]:.0f} %" for name, share in shares.items())
    curves = "; ".join(f"{name}, {', '.join(f'{v:.0f}' for v in values)} %" for name, values in scores.items())
    alt = (
        f"Two plots against 1 to {len(next(iter(shares.values())))} terms. Left, rising curves of what is kept of the "
        f"weights; one term keeps of {kept}. Right, the accuracy: {curves}; the dense network {whole:.0f} %."
    )
    return figure, alt
