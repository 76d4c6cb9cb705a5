"""What the drawings of both pages show: numbers by place, heights, colours that carry meaning, and their words."""

import itertools

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from helpers.lessons.lesson_03 import plots, time_plots
from helpers.plots import COLOURS, use_style

BLOCKS = [(8, 16, 14), (32, 32, 7)]


@pytest.fixture(autouse=True)
def style():
    use_style()
    yield
    plt.close("all")


def rectangles(axis, colour=None, size=None) -> list[Rectangle]:
    found = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
    found = [one for one in found if colour is None or to_hex(one.get_facecolor()) == colour.lower()]
    return [one for one in found if size is None or (one.get_width(), one.get_height()) == size]


def labels(axis) -> list[str]:
    return [text.get_text() for text in axis.texts]


@pytest.mark.parametrize("row, column, total", [(0, 1, "1"), (1, 0, "0"), (0, 0, "−4"), (1, 1, "−1")])
def test_the_window_lies_where_it_says_and_its_sum_stands_there(row, column, total):
    picture = torch.tensor([[1, 2, 0, 1], [0, 1, 3, 1], [2, 0, 1, 0], [1, 1, 0, 2]])
    kernel = torch.tensor([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    figure, alt = plots.window(picture, kernel, row, column)
    image, weights, output = figure.axes
    for axis, grid in ((image, picture), (weights, kernel)):
        for (i, j), text in zip(itertools.product(*map(range, grid.shape)), axis.texts, strict=False):
            assert text.get_position() == (j + 0.5, i + 0.5) and text.get_text().replace("−", "-") == f"{grid[i, j]}"
    frames = [next(one for one in axis.patches if not one.get_fill()) for axis in (image, output)]
    assert [one.get_xy() for one in frames] == [(column, row)] * 2
    assert [one.get_width() for one in frames] == [3, 1] and image.yaxis_inverted()
    framed = [text for text in output.texts if text.get_position() == (column + 0.5, row + 0.5)]
    assert framed[0].get_text() == total and f"products, {total.replace('−', '-')}, is framed" in alt


def test_every_kernel_is_drawn_once_in_the_colour_of_the_channel_it_reads():
    """A kernel's pixels, counted by colour: the sheets themselves are larger, the windows on them white."""
    pixel = (0.33, 0.33)
    for kind, each, sheets in (
        ("dense", 4 * 9, (1, 1, 1, 4)),
        ("depthwise", 9, (2, 2, 2, 0)),
        ("pointwise", 4, (1, 1, 1, 4)),
    ):
        figure, alt = plots.slabs(kind)
        (axis,) = figure.axes
        colours = [COLOURS[name] for name in plots.CHANNELS_IN]
        assert [len(rectangles(axis, colour, pixel)) for colour in colours] == [each] * 3
        places = {one.get_xy() for colour in colours for one in rectangles(axis, colour, pixel)}
        assert len(places) == 3 * each, "no kernel lies on another"
        assert tuple(len(rectangles(axis, colour, (3, 3))) for colour in (*colours, plots.MIXED)) == sheets
        assert f"{3 * each} weights" in " ".join(labels(axis)) and alt.startswith(kind.capitalize())
        low, high = axis.get_ylim()
        assert all(low < text.get_position()[1] < high for text in axis.texts if text.get_text())
    figure, alt = plots.slabs("depthwise", "pointwise")
    assert len(figure.axes) == 2 and "3 kernels of 3 × 3" in alt and "12 kernels of 1 × 1" in alt


def test_dots_are_joined_as_the_layers_read():
    figure, _ = plots.connections(4)
    pairs = [sorted(tuple(line.get_ydata()) for line in axis.lines) for axis in figure.axes]
    everyone = sorted(itertools.product(range(4), range(4)))
    assert pairs == [everyone, [(i, i) for i in range(4)], everyone]
    assert [axis.lines[0].get_linewidth() for axis in figure.axes] == pytest.approx([3.6, 3.6, 0.4])
    assert [axis.get_title(loc="left").split(": ")[1] for axis in figure.axes] == [
        "144 weights",
        "36 weights",
        "16 weights",
    ]


def test_the_curves_of_the_terms():
    shares, scores = (
        {"layer 1": [30, 60, 100], "random": [15, 40, 100]},
        {"as it was": [10, 30, 66], "anew": [31, 55, 66]},
    )
    figure, alt = plots.terms(shares, scores, 67)
    left, right = figure.axes
    assert [list(line.get_ydata()) for line in left.lines] == list(shares.values())
    assert [list(line.get_ydata()) for line in right.lines[:2]] == list(scores.values())
    assert list(right.lines[0].get_xdata()) == [1, 2, 3] and [line.get_label() for line in right.lines[:2]] == list(
        scores
    )
    assert right.lines[0].get_linestyle() == "--" and right.lines[1].get_linestyle() == "-"
    assert right.lines[2].get_ydata()[0] == 67 and right.lines[3].get_ydata()[0] == 10
    assert "as it was, 10, 30, 66 %; anew, 31, 55, 66 %" in alt


def test_milliseconds_add_up_by_kind():
    times = {
        "twin": {"dense": 0.070, "BatchNorm2d": 0.002, "ReLU": 0.001, "linear": 0.0005},
        "V1": {"dense": 0.0003, "depthwise": 0.0015, "pointwise": 0.011, "BatchNorm2d": 0.002},
    }
    figure, alt = time_plots.milliseconds(times)
    (axis,) = figure.axes
    for place, kinds in enumerate(times.values()):
        bars = [one for one in axis.patches if round(one.get_y() + one.get_height() / 2) == place and one.get_width()]
        assert sum(one.get_width() for one in bars) == pytest.approx(1e3 * sum(kinds.values()))
        ends = [0.0, *itertools.accumulate(one.get_width() for one in bars)]
        assert [one.get_x() for one in bars] == pytest.approx(ends[:-1])
    yellow = [one.get_width() for one in rectangles(axis, COLOURS["yellow"])]
    assert yellow == pytest.approx([3, 2]) and axis.yaxis_inverted()
    handles = {text.get_text(): to_hex(one.get_facecolor()) for text, one in zip(
        axis.get_legend().get_texts(), axis.get_legend().get_patches(), strict=True)}  # fmt: skip
    assert handles["depthwise"] == COLOURS["sky"].lower() and handles["BatchNorm, ReLU"] == COLOURS["yellow"].lower()
    assert "twin: dense 70.0, BatchNorm, ReLU 3.0, other 0.5 ms" in alt


def test_gains_stand_in_their_groups():
    series = {"MACs": [8.0, 9.0], "time, as called": [3.0, 19.0], "time, prepared": [6.0, 11.0]}
    figure, alt = time_plots.gains(BLOCKS, series)
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.get_xticklabels()] == ["8 → 16\nside 14", "32 → 32\nside 7"]
    for (name, values), bars, colour in zip(series.items(), axis.containers, ("blue", "orange", "green"), strict=True):
        assert bars.get_label() == name and [bar.get_height() for bar in bars] == values
        assert [round(bar.get_x() + bar.get_width() / 2) for bar in bars] == [0, 1]
        assert to_hex(bars[0].get_facecolor()) == COLOURS[colour].lower()
    assert {"8.0", "19.0", "11.0"} <= set(labels(axis)) and axis.get_ylim()[1] > 19 * 1.1
    assert "time, as called 3.0, 19.0" in alt


def test_the_roof_and_the_layers_under_it():
    macs = {("dense", 7): 4e8, ("depthwise", 7): 1e6, ("pointwise", 7): 5e7}
    moved = {("dense", 7): 4e7, ("depthwise", 7): 1e6, ("pointwise", 7): 2e6}
    called = {("dense", 7): 2e-2, ("depthwise", 7): 1e-4, ("pointwise", 7): 1e-3}
    prepared = {("dense", 7): 5e-3, ("depthwise", 7): 5e-5, ("pointwise", 7): 5e-4}
    figure, alt = time_plots.roofline(macs, moved, called, prepared, memory=30e9, cache=120e9, peak=100e9)
    (axis,) = figure.axes
    for line, speed in zip(axis.lines[:2], (120, 30), strict=True):
        for x, y in zip(*line.get_data(), strict=True):
            assert y == pytest.approx(min(float(x) * speed, 100), rel=1e-5)
        assert ("cache" in line.get_label()) == (speed == 120)
        assert line.get_xdata()[0] < 1 < 25 < line.get_xdata()[-1], "the roof reaches over all layers"
    places = [tuple(map(float, scatter.get_offsets()[0])) for scatter in axis.collections]
    wanted = [[(10, 20), (10, 80)], [(1, 10), (1, 20)], [(25, 50), (25, 100)]]  # as called, prepared
    assert places == [pytest.approx(place) for pair in wanted for place in pair]
    filled = [to_hex(scatter.get_facecolor()[0]) for scatter in axis.collections]
    assert filled[::2] == ["#ffffff"] * 3
    assert filled[1::2] == [COLOURS[colour].lower() for colour in ("vermillion", "sky", "blue")]
    assert "dense layers reach 80 to 80" in alt and "flat top at 100 billion" in alt


def test_each_layer_stands_at_its_own_intensity():
    macs = {(kind, side): (side + 1) * 1e6 for kind in ("dense", "depthwise", "pointwise") for side in (14, 7)}
    moved = {key: 1e5 * count for count, key in enumerate(macs, start=1)}
    seconds = dict.fromkeys(macs, 1e-3)
    figure, _ = time_plots.roofline(macs, moved, seconds, seconds, memory=30e9, cache=120e9, peak=100e9)
    marks = figure.axes[0].collections
    for kind, called, ready in zip(("dense", "depthwise", "pointwise"), marks[::2], marks[1::2], strict=True):
        wanted = [(macs[kind, side] / moved[kind, side], macs[kind, side] / 1e6) for side in (14, 7)]
        for scatter in (called, ready):
            assert scatter.get_offsets().tolist() == [pytest.approx(place) for place in wanted]


def test_layers_on_one_spot_share_a_label():
    points = [(1.1, 40.0, 112), (1.12, 38.0, 56), (1.1, 20.0, 28)]
    assert time_plots._labels(points) == [[1.1, 38.0, "112, 56"], [1.1, 20.0, "28"]]


def test_a_depthwise_layer_told_apart():
    control = {("depthwise", 14): 9e-5, ("one pixel", 14): 2e-5, ("relu", 14): 3e-5}
    control |= {("depthwise", 7): 4e-5, ("one pixel", 7): 3e-5, ("relu", 7): 2e-5}  # the rest is below zero
    figure, alt = time_plots.apart(BLOCKS, control)
    (axis,) = figure.axes
    heights = {bars.get_label(): [bar.get_height() for bar in bars] for bars in axis.containers}
    assert heights["fixed cost of a call"] == pytest.approx([20, 30])
    assert heights["bytes, as a ReLU"] == pytest.approx([30, 20]) and heights["rest"] == pytest.approx([40, 0])
    assert [bar.get_y() for bar in axis.containers[2]] == pytest.approx([50, 50])
    assert [text.get_text() for text in axis.get_xticklabels()] == ["8 channels\nside 14", "32 channels\nside 7"]
    assert "rest 40" in alt and "\n" not in alt
