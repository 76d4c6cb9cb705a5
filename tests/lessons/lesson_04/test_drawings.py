"""Lesson 04's drawings: bars, boxes and curves are those of the networks and functions that they name."""

import matplotlib.colors
import matplotlib.pyplot as plt
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers import models
from helpers.costs import layer_costs
from helpers.lessons.lesson_04 import plots
from helpers.lessons.lesson_04.blocks import InvertedResidual, conv_norm
from helpers.plots import COLOURS


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def colour(kind):
    return matplotlib.colors.to_rgba(COLOURS[plots.COLOUR[kind]])


def test_every_layer_has_its_bars():
    layers = layer_costs(models.mobilenet_v1(0.25), 224)
    figure = plots.draw_layers(layers, "title")
    for axis, what, unit in zip(figure.axes, ("macs", "params"), ("MACs", "parameters"), strict=True):
        assert axis.get_ylabel() == f"{unit} (millions)"
        bars = {round(b.get_x() + b.get_width() / 2): (b.get_height(), b.get_facecolor()) for b in axis.patches}
        assert sorted(bars) == list(range(1, len(layers) + 1))
        for place, layer in enumerate(layers, start=1):
            assert bars[place] == (pytest.approx(getattr(layer, what) / 1e6), colour(layer.kind)), layer.name
    handles, names = figure.axes[0].get_legend_handles_labels()
    for handle, name in zip(handles, names, strict=True):
        assert handle[0].get_facecolor() == colour(name)


def test_shares_stand_in_their_rows_and_colours():
    of_macs = {"one": {"dense": 10.0, "pointwise": 90.0}, "two": {"depthwise": 30.0, "squeeze-excite": 70.0}}
    of_params = {"one": {"linear": 100.0}, "two": {"dense": 60.0, "linear": 40.0}}
    figure = plots.draw_shares({"macs": of_macs, "params": of_params})
    for axis, shares, title in zip(figure.axes, (of_macs, of_params), ("MACs", "parameters"), strict=True):
        assert axis.get_title(loc="left").endswith(title) or axis.get_title().endswith(title)
        assert [tick.get_text() for tick in axis.get_yticklabels()] == ["one", "two"] or axis is not figure.axes[0]
        for kind, bars in zip(plots.COLOUR, axis.containers, strict=True):
            for bar, (name, of) in zip(bars, shares.items(), strict=True):
                before = sum(of.get(k, 0) for k in list(plots.COLOUR)[: list(plots.COLOUR).index(kind)])
                assert (bar.get_x(), bar.get_width()) == (before, of.get(kind, 0)), (name, kind)
                assert bar.get_facecolor() == colour(kind)


def test_activations_are_drawn_under_their_names():
    figure = plots.draw_activations()
    torchs = {
        "sigmoid": torch.sigmoid, "hard sigmoid": F.hardsigmoid, "swish": F.silu, "h-swish": F.hardswish,
        "ReLU6": F.relu6,
    }  # fmt: skip
    drawn = [line for axis in figure.axes for line in axis.lines]
    assert [line.get_label() for line in drawn] == list(torchs)
    for line in drawn:
        x, y = (torch.tensor(values) for values in line.get_data())
        assert torch.allclose(y, torchs[line.get_label()](x), atol=1e-9), line.get_label()


def test_blocks_are_drawn_with_the_shapes_of_their_layers():
    """The maps' sizes from the blocks themselves, boxes higher for more channels, the layers' names in order."""
    separable = nn.Sequential(conv_norm(32, 32, 3, 2, groups=32), conv_norm(32, 64, 1))
    inverted = InvertedResidual(24, 24, 1, 6).layers
    for draw_block, layers, x, words in (
        (plots.draw_separable, separable, torch.zeros(1, 32, 112, 112), ["depthwise 3 × 3", "pointwise 1 × 1"]),
        (plots.draw_inverted_residual, inverted, torch.zeros(1, 24, 56, 56),
         ["expand 1 × 1", "depthwise 3 × 3", "project 1 × 1"]),
    ):  # fmt: skip
        maps = [x.shape[1:]]
        for layer in layers:
            x = layer(x)
            maps.append(x.shape[1:])
        axis = draw_block().axes[0]
        texts = [text.get_text() for text in axis.texts]
        assert [t for t in texts if t.count("×") == 2] == [" × ".join(map(str, shape)) for shape in maps]
        assert [t for t in texts if t in words] == words
        arrows = [t.arrow_patch.get_edgecolor() for t in axis.texts if getattr(t, "arrow_patch", None)][: len(words)]
        kinds = ["depthwise" if word.startswith("depthwise") else "pointwise" for word in words]
        assert arrows == [colour(kind) for kind in kinds]
        boxes = [patch for patch in axis.patches if isinstance(patch, plt.Rectangle)]
        heights = {shape[0]: box.get_height() for shape, box in zip(maps, boxes, strict=True)}
        assert sorted(heights, key=heights.get) == sorted(heights)
    texts = [text.get_text() for text in plots.draw_squeeze_excite().axes[0].texts]
    assert texts[:3] == ["mean of each\nchannel", "1 × 1, ReLU\nC → C/4", "1 × 1, hard sigmoid\nC/4 → C"]
