"""The cost explorer's arithmetic, held to real layers."""

import itertools

import pytest
import torch
from matplotlib.colors import to_hex
from torch import nn

from helpers.costs import layer_costs
from helpers.lessons.lesson_03 import cost_explorer
from helpers.lessons.lesson_03.explorer_cost import CHANNELS, SIZES, CostPicture, compare, in_short, text
from helpers.plots import COLOURS


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


STATES = [(3, 64, 128, 56, 1), (5, 64, 32, 28, 2), (1, 3, 3, 7, 2), (7, 1024, 1024, 224, 1)]


@pytest.fixture(scope="module")
def picture():
    return CostPicture()


@pytest.mark.parametrize("state", STATES)
def test_the_picture_shows_these_numbers(picture, state):
    now = compare(*state)
    picture.update(now)
    bars, curves = picture.figure.axes
    counts = [now.dense_macs, now.depthwise_macs, now.pointwise_macs]
    assert [name.get_text() for name in bars.get_xticklabels()] == ["dense", "depthwise", "pointwise"]
    assert [bar.get_height() for bar in bars.patches] == counts
    colours = [to_hex(bar.get_facecolor()).upper() for bar in bars.patches]
    assert colours == [COLOURS[name] for name in ("vermillion", "sky", "blue")] and len(set(colours)) == 3
    for place, (number, count) in enumerate(zip(bars.texts, counts, strict=True)):
        assert number.get_text() == in_short(count) and number.xy == (place, count)
    for kernel, line, name in zip((1, 3, 5, 7), curves.lines, curves.texts, strict=False):
        channels, ratios = line.get_data()
        assert list(ratios) == pytest.approx([1 / (1 / n + 1 / kernel**2) for n in channels])
        assert name.get_text() == f"{kernel} × {kernel}" and name.get_position()[1] == ratios[-1]
        assert (line.get_linewidth() == 2.5) == (name.get_fontweight() == "bold") == (kernel == state[0])
    assert [list(place) for place in curves.lines[-1].get_data()] == [[state[2]], [now.times_fewer]]


def test_the_scales_stand_still_and_hold_every_state(picture):
    before = [(axes.get_xlim(), axes.get_ylim()) for axes in picture.figure.axes]
    for state in STATES:
        picture.update(compare(*state))
    picture.figure.canvas.draw()
    assert [(axes.get_xlim(), axes.get_ylim()) for axes in picture.figure.axes] == before
    low, high = picture.figure.axes[0].get_ylim()
    least, most = (
        compare(1, CHANNELS[0], CHANNELS[0], SIZES[0], 2),
        compare(7, CHANNELS[-1], CHANNELS[-1], SIZES[-1], 1),
    )
    assert low < min(least.depthwise_macs, least.pointwise_macs) and 3 * most.dense_macs < high
    assert picture.figure.axes[0].get_yscale() == "log"


def test_the_first_state_stays_as_a_ghost(picture):
    first = compare()
    picture.update(compare(7, 1024, 1024, 224, 1))
    bars, curves = picture.figure.axes
    heights = [set(line.get_ydata()) for line in bars.lines]
    assert heights == [{first.dense_macs}, {first.depthwise_macs}, {first.pointwise_macs}]
    for place, line in enumerate(bars.lines):
        low, high = line.get_xdata()
        assert low < place < high and line.get_zorder() > bars.patches[0].get_zorder(), "seen in front of a taller bar"
    (ghost,) = [line for line in curves.lines if line.get_markerfacecolor() == "none"]
    assert [list(place) for place in ghost.get_data()] == [[128], [first.times_fewer]]
    assert bars.get_legend().get_texts()[0].get_text() == "the first state"


@pytest.mark.parametrize(
    "count, words", [(48, "48"), (1_500, "1.5k"), (231_211_008, "231M"), (1_806_336, "1.81M"), (2_578e9, "2,578G")]
)
def test_counts_in_short(count, words):
    assert in_short(count) == words


def test_veiled_until_a_guess():
    explorer = cost_explorer(veiled=True)
    assert len(explorer.figure().texts) == 2 and "MACs" not in explorer.words.value
    explorer.guess(1)
    assert "it is <b>1</b>. Exactly." in explorer._asked.children[0].value and "231,211,008" in explorer.words.value


def test_nonsense_is_named():
    with pytest.raises(ValueError, match="odd number of pixels"):
        compare(kernel=2)
    with pytest.raises(ValueError, match="at least 1"):
        compare(stride=0)
