"""Lesson 02's figures show the numbers that they are given, and its stopwatch leaves no microsecond out."""

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.patches import Rectangle

from helpers import plots
from helpers.data import load_cifar10
from helpers.lessons.lesson_02 import plots as figures
from helpers.lessons.lesson_02 import stopwatch
from helpers.lessons.lesson_02.stopwatch import Stopwatch, median_pass, timed_pass


@pytest.fixture(autouse=True)
def style():
    plots.use_style()
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def train():
    return load_cifar10()[0]


def grid_lines(axes) -> list:
    return [line for line in (*axes.get_xgridlines(), *axes.get_ygridlines()) if line.get_visible()]


def test_pictures_have_no_lines_across_and_hold_their_images(train):
    sheet, each = (
        figures.sheet_top(torch.zeros(640, 800, 3, dtype=torch.uint8), 1, 2, ""),
        figures.some_of_each(train, 3),
    )
    for figure in (sheet, each):
        figure.canvas.draw()
        assert not grid_lines(figure.axes[0])
    (frame,) = [patch for patch in sheet.axes[0].patches if isinstance(patch, Rectangle)]
    assert frame.get_xy() == (2 * 32 - 0.5, 1 * 32 - 0.5) and frame.get_width() == frame.get_height() == 32
    drawn = torch.as_tensor(each.axes[0].images[0].get_array())
    assert drawn.shape == (320, 96, 3)
    cats = train.images[train.labels == 3]
    assert torch.equal(drawn[3 * 32 : 4 * 32, 64:96], cats[2])
    assert [label.get_text() for label in each.axes[0].get_yticklabels()] == list(train.classes)


def test_stacked_bars_are_as_long_as_their_parts():
    parts = {"a": torch.tensor([1.0, 2, 3]), "b": torch.tensor([0.5, 0.25, 0]), "c": torch.tensor([2.0, 2, 2])}
    bars = figures.variance_parts(parts, "").axes[0].patches
    assert len(bars) == 9 and max(bar.get_x() + bar.get_width() for bar in bars) == pytest.approx(5)
    assert [bar.get_width() for bar in bars] == [1, 2, 3, 0.5, 0.25, 0, 2, 2, 2], (
        "from left to right as they were given"
    )
    assert [label.get_text() for label in bars[0].axes.get_yticklabels()] == ["red", "green", "blue"]
    spent = {"slow": {"open": 5.0, "crop": 2.0, "rest": 1.0}, "fast": {"crop": 1.0, "rest": 0.5}}
    axes = figures.loader_bars(spent, "").axes[0]
    ends = {}
    for bar in axes.patches:
        row = round(bar.get_y() + bar.get_height() / 2)
        ends[row] = max(ends.get(row, 0), bar.get_x() + bar.get_width())
    assert ends == {0: pytest.approx(8.0), 1: pytest.approx(1.5)}


def test_differences_are_drawn_where_they_are():
    axes = figures.differences({"one": (-2.0, -3.0, -1.0), "two": (0.5, -0.5, 1.5)}, "").axes[0]
    drawn = [list(line.get_xdata()) for line in axes.lines]
    assert [-3.0, -1.0] in drawn and [-2.0] in drawn and [-0.5, 1.5] in drawn and [0.5] in drawn
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two"]


def test_the_batch_is_drawn_channel_by_channel():
    images = torch.arange(48, dtype=torch.uint8).view(4, 2, 2, 3)
    batch = images[[1, 3]].permute(0, 3, 1, 2).float() - 24
    figure = figures.batch_by_hand(images, batch, [1, 3, 0, 2])
    below = [axes for axes in figure.axes if "," in axes.get_title()]
    assert [axes.get_title() for axes in below][:4] == [
        "image 1, red",
        "image 1, green",
        "image 1, blue",
        "image 3, red",
    ]
    assert torch.equal(torch.as_tensor(below[4].images[0].get_array()).float(), batch[1, 1])
    above = [axes for axes in figure.axes if axes.get_title() and axes not in below]
    for axes, image in zip(above, images, strict=True):
        assert torch.equal(torch.as_tensor(axes.images[0].get_array()), image)
    assert [text.get_text() for text in below[0].texts] == ["-12.0", "-9.0", "-6.0", "-3.0"]


class Clock:
    """time.perf_counter, driven by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_every_microsecond_of_a_pass_is_accounted_for(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(stopwatch.time, "perf_counter", clock)

    def taking(seconds):
        def step(value):
            clock.now += seconds
            return value + 1

        return step

    watches = {"crop": Stopwatch(taking(2e-6)), "flip": Stopwatch(taking(3e-6))}

    def loader():
        for _ in range(4):
            value = watches["flip"](watches["crop"](0))
            assert value == 2, "a stopwatch changes what the step gives"
            clock.now += 5e-6  # between the steps
            yield None, [0]

    for _ in range(2):  # the watches start from zero in each pass
        assert timed_pass(loader(), watches) == pytest.approx({"crop": 2, "flip": 3, "the rest": 5})
    assert list(timed_pass([(None, [0, 1])], {})) == ["all of it"]


def test_the_median_pass_is_the_middle_one(monkeypatch):
    clock, costs = Clock(), iter([9e-6, 1e-6, 4e-6])
    monkeypatch.setattr(stopwatch.time, "perf_counter", clock)

    class Loader:
        def __iter__(self):
            clock.now += next(costs)
            yield None, [0]

    assert median_pass(Loader(), {}) == pytest.approx({"all of it": 4.0})
