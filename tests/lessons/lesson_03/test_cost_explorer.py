"""The cost explorer's arithmetic, held to real layers."""

import itertools

import pytest
import torch
from torch import nn

from helpers.costs import layer_costs
from helpers.lessons.lesson_03 import cost_explorer
from helpers.lessons.lesson_03.explorer_cost import compare, draw, text


@pytest.mark.parametrize("kernel, stride", list(itertools.product((1, 3, 5, 7), (1, 2))))
def test_the_numbers_are_those_of_real_layers(kernel, stride):
    for channels_in, channels_out, size in [(3, 32, 224), (64, 128, 56), (16, 8, 7), (5, 1, 14)]:
        with torch.device("meta"):
            options = {"stride": stride, "padding": kernel // 2, "bias": False}
            dense = nn.Conv2d(channels_in, channels_out, kernel, **options)
            depthwise = nn.Conv2d(channels_in, channels_in, kernel, groups=channels_in, **options)
            pointwise = nn.Conv2d(channels_in, channels_out, 1, bias=False)
        (whole,) = layer_costs(dense, size, channels_in)
        first, second = layer_costs(nn.Sequential(depthwise, pointwise), size, channels_in)
        now = compare(kernel, channels_in, channels_out, size, stride)
        assert (now.dense_macs, now.dense_weights) == (whole.macs, whole.params)
        assert (now.depthwise_macs, now.depthwise_weights) == (first.macs, first.params)
        assert (now.pointwise_macs, now.pointwise_weights) == (second.macs, second.params)
        assert now.size_out == whole.output_shape[1] == second.output_shape[1]
        assert now.times_fewer == pytest.approx(1 / (1 / channels_out + 1 / kernel**2))


def test_driven_from_code():
    explorer = cost_explorer()
    assert explorer.result == compare(3, 64, 128, 56, 1)
    explorer.set(kernel=5, size=28, stride=2)
    assert explorer.result == compare(5, 64, 128, 28, 2) and "14 × 14 positions" in explorer.words.value
    assert explorer.result.dense_macs == 25 * 64 * 128 * 14 * 14 and "40,140,800 MACs" in explorer.words.value
    with pytest.raises(ValueError, match="kernel cannot be 4"):
        explorer.set(kernel=4)


def test_a_kernel_of_one_pixel_gains_nothing_and_says_so():
    assert "No gain" in text(compare(kernel=1)) and "times fewer" not in text(compare(kernel=1))
    assert "8.41 times fewer MACs" in text(compare())


def test_the_picture_shows_these_numbers():
    now = compare(kernel=5, channels_in=64, channels_out=32, size=28, stride=2)
    bars, curves = draw(now).axes
    assert [name.get_text() for name in bars.get_xticklabels()] == ["dense", "depthwise", "pointwise"]
    assert [1e6 * bar.get_height() for bar in bars.patches] == pytest.approx(
        [now.dense_macs, now.depthwise_macs, now.pointwise_macs]
    )
    *lines, diamond = curves.lines
    for kernel, line, name in zip((1, 3, 5, 7), lines, curves.texts, strict=True):
        channels, ratios = line.get_data()
        assert list(ratios) == pytest.approx([1 / (1 / n + 1 / kernel**2) for n in channels])
        assert name.get_text() == f"{kernel} × {kernel}" and name.get_position()[1] == ratios[-1]
        assert (line.get_linewidth() == 2.5) == (kernel == 5)
    assert [list(place) for place in diamond.get_data()] == [[32], [now.times_fewer]]


def test_nonsense_is_named():
    with pytest.raises(ValueError, match="odd number of pixels"):
        compare(kernel=2)
    with pytest.raises(ValueError, match="at least 1"):
        compare(stride=0)
