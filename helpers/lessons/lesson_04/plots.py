"""Drawings of lesson 04: blocks as chains of boxes, costs layer by layer, shares of whole networks."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.costs import LayerCost
from helpers.plots import COLOURS

COLOUR = {
    "dense": "orange", "depthwise": "sky", "pointwise": "blue", "linear": "vermillion", "squeeze-excite": "green",
}  # fmt: skip
STEP, BOX = 3.0, 0.7  # from one box to the next, and a box's width


def draw_separable() -> Figure:
    """V1's brick for 32 channels of 112 × 112, 64 channels out, stride 2."""
    figure, axis = _canvas(7.5, 3.0)
    _chain(axis, [(32, 112), (32, 56), (64, 56)], [("depthwise 3 × 3", "stride 2, ReLU"), ("pointwise 1 × 1", "ReLU")],
           ("depthwise", "pointwise"))  # fmt: skip
    axis.set(title="V1's brick: shrink the map, then change the channels")
    return figure


def draw_inverted_residual() -> Figure:
    """V2's block for 24 channels of 56 × 56, expansion 6, stride 1: narrow, wide, wide, narrow, and the sum."""
    figure, axis = _canvas(9, 3.9)
    steps = [("expand 1 × 1", "ReLU6"), ("depthwise 3 × 3", "ReLU6"), ("project 1 × 1", "no activation")]
    tops = _chain(axis, [(24, 56), (144, 56), (144, 56), (24, 56)], steps, ("pointwise", "depthwise", "pointwise"))
    end, high = STEP * (len(steps)), max(tops) + 0.55
    way = [(0, tops[0]), (0, high), (end + 1.5, high), (end + 1.5, 0.28)]
    axis.plot(*zip(*way, strict=True), color="black", linewidth=1.3)
    axis.annotate("", (end + 1.22, 0), (end + BOX / 2, 0), arrowprops={"arrowstyle": "-|>", "color": "black"})
    axis.text(end + 1.5, 0, "+", ha="center", va="center", fontsize=14, bbox={"boxstyle": "circle", "fc": "white"})
    axis.text(end / 2, high + 0.1, "residual: the input waits, 24 channels wide", ha="center", va="bottom")
    axis.set(title="The inverted residual: wide only inside", xlim=(-1, end + 2.1), ylim=(-max(tops) - 0.9, high + 0.6))
    return figure


def draw_squeeze_excite() -> Figure:
    """The factors' way: one mean a channel, two small layers, one factor a channel, times the channel."""
    figure, axis = _canvas(9, 3.3)
    for x, words in (
        (1.8, "mean of each\nchannel"),
        (4.3, "1 × 1, ReLU\nC → C/4"),
        (6.9, "1 × 1, hard sigmoid\nC/4 → C"),
    ):
        axis.text(x, 1.6, words, ha="center", va="center",
                  bbox={"boxstyle": "round,pad=0.45", "fc": "#DDF3EC", "ec": COLOURS["green"]})  # fmt: skip
    for x, label in ((0, "C channels,\nH × W"), (9.3, "C channels,\nH × W")):
        axis.add_patch(plt.Rectangle((x - 0.35, -0.55), 0.7, 1.1, fc="#CFE3F1", ec="black"))
        axis.text(x, -0.72, label, ha="center", va="top")
    arrow = {"arrowstyle": "-|>", "color": "black", "lw": 1.3}
    for start, stop in (((0, 0.6), (0.95, 1.5)), ((2.65, 1.6), (3.45, 1.6)), ((5.15, 1.6), (5.75, 1.6)),
                        ((8.0, 1.35), (8.2, 0.3)), ((0.4, 0), (7.95, 0)), ((8.5, 0), (8.93, 0))):  # fmt: skip
        axis.annotate("", stop, start, arrowprops=arrow)
    axis.text(8.22, 0, "×", ha="center", va="center", fontsize=14, bbox={"boxstyle": "circle", "fc": "white"})
    axis.text(8.35, 0.85, "a factor in 0…1\nfor each channel", ha="left", va="center")
    axis.set(title="Squeeze-and-excite", xlim=(-1, 10.6), ylim=(-1.5, 2.3))
    return figure


def draw_activations() -> Figure:
    """Sigmoid and hard sigmoid; swish, h-swish and ReLU6, from −6 to 8."""
    x = np.linspace(-6, 8, 281)
    hard, smooth = np.clip(x + 3, 0, 6) / 6, 1 / (1 + np.exp(-x))
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    left.plot(x, smooth, color=COLOURS["sky"], label="sigmoid")
    left.plot(x, hard, color=COLOURS["vermillion"], label="hard sigmoid")
    right.plot(x, x * smooth, color=COLOURS["sky"], label="swish")
    right.plot(x, x * hard, color=COLOURS["vermillion"], label="h-swish")
    right.plot(x, np.clip(x, 0, 6), color="black", linestyle=":", label="ReLU6")
    left.set(title="A factor between 0 and 1", xlabel="x", ylabel="factor")
    right.set(title="Times x: an activation", xlabel="x", ylabel="output")
    for axis in (left, right):
        axis.legend(loc="upper left")
    return figure


def draw_layers(layers: Sequence[LayerCost], title: str) -> Figure:
    """MACs and parameters of a network, a bar a layer, coloured by kind."""
    figure, axes = plt.subplots(2, 1, figsize=(9, 5), sharex=True)
    for axis, what, label in zip(axes, ("macs", "params"), ("MACs (millions)", "parameters (millions)"), strict=True):
        for kind in dict.fromkeys(layer.kind for layer in layers):
            here = [place for place, layer in enumerate(layers, start=1) if layer.kind == kind]
            heights = [getattr(layers[place - 1], what) / 1e6 for place in here]
            axis.bar(here, heights, color=COLOURS[COLOUR[kind]], label=kind, edgecolor="black", linewidth=0.4)
        axis.set(ylabel=label)
    axes[0].set(title=title)
    axes[0].margins(y=0.25)  # room for the legend
    axes[1].set(xlabel="layer, from the image to the scores", xticks=range(1, len(layers) + 1, 3))
    axes[0].legend(ncols=4, loc="upper left")
    return figure


def draw_shares(shares: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Figure:
    """{"macs" or "params": {network: {kind: per cent}}} as bars that add up to 100 %."""
    titles = {"macs": "MACs", "params": "parameters"}
    figure, axes = plt.subplots(1, len(shares), figsize=(10, 3.9), sharey=True)
    for axis, (what, networks) in zip(axes, shares.items(), strict=True):
        left = np.zeros(len(networks))
        for kind, colour in COLOUR.items():
            width = np.array([of.get(kind, 0) for of in networks.values()])
            look = {"color": COLOURS[colour], "label": kind, "edgecolor": "black", "linewidth": 0.5}
            axis.barh(list(networks), width, 0.65, left.copy(), **look)
            left += width
        axis.set(title=f"Share of the {titles[what]}", xlabel="share (%)", xlim=(0, 100.2))
        axis.grid(False)
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    figure, axis = plt.subplots(figsize=(width, height))
    axis.axis("off")
    return figure, axis


def _chain(axis: Axes, maps, steps, kinds) -> list[float]:
    """Boxes for the maps (channels, side), higher for more channels; arrows between them; returns their upper edges."""
    tops = [0.055 * channels**0.75 + 0.25 for channels, _ in maps]
    for place, ((channels, side), top) in enumerate(zip(maps, tops, strict=True)):
        axis.add_patch(plt.Rectangle((STEP * place - BOX / 2, -top), BOX, 2 * top, fc="#CFE3F1", ec="black"))
        axis.text(STEP * place, -top - 0.12, f"{channels} × {side} × {side}", ha="center", va="top")
    for place, ((layer, after), kind) in enumerate(zip(steps, kinds, strict=True)):
        start, stop = STEP * place + BOX / 2, STEP * (place + 1) - BOX / 2
        axis.annotate("", (stop, 0), (start, 0),
                      arrowprops={"arrowstyle": "-|>", "color": COLOURS[COLOUR[kind]], "lw": 2.5})  # fmt: skip
        axis.text((start + stop) / 2, 0.12, layer, ha="center", va="bottom")
        axis.text((start + stop) / 2, -0.12, after, ha="center", va="top", color="#444444")
    axis.set(xlim=(-1, STEP * len(steps) + 1), ylim=(-max(tops) - 0.7, max(tops) + 0.3))
    return tops
