"""The artists of lesson 07's figures: each mark where its row says, each interval from its low to its high end."""

import math
from statistics import mean, stdev

import matplotlib.pyplot as plt
import numpy as np
import pytest

from helpers.checkpoints import History
from helpers.evaluation import Accuracy, wilson_interval
from helpers.lessons.lesson_07 import ablation, plots
from helpers.plots import COLOURS
from helpers.results import read_results


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def rows() -> list[dict]:
    return read_results("ablation.csv")


def test_smoothing_starts_at_the_first_loss_and_keeps_nine_tenths():
    assert plots.smooth([2.0, 1.0, 0.0]) == pytest.approx([2.0, 1.9, 1.71])


# ------------------------------------------------------------------------------------------- the first page


def test_the_paths_and_the_schedule():
    paths = {"slow": [0.0, 1.0], "rolling": [0.0, 2.0], "fast": [0.0, 5.0]}
    (axis,) = plots.draw_paths(paths).axes
    assert {line.get_label(): list(line.get_ydata()) for line in axis.lines} == paths
    assert len({line.get_linestyle() for line in axis.lines}) == 3
    (axis,) = plots.draw_schedule([0.0, 0.1, 0.05]).axes
    assert list(axis.lines[0].get_ydata()) == [0.0, 0.1, 0.05]
    assert "3 steps, lr 0.1" in axis.get_title() + axis.get_title(loc="left")


def test_the_page_draws_warm_up_and_half_a_cosine(figure_of):
    (axis,) = figure_of("07_training", "drawings.draw_schedule(").axes
    rate = axis.lines[0].get_ydata()
    assert len(rate) == 1000 and rate.argmax() in (99, 100) and rate.max() == pytest.approx(0.1)
    assert rate[49] == pytest.approx(0.05) and rate[550] == pytest.approx(0.05) and rate[-1] < 1e-6


def test_each_change_has_its_mean_its_interval_and_its_seeds(rows, ends_of):
    (axis,) = plots.draw_ablation(rows).axes
    found = ablation.changes(rows)
    assert [text.get_text() for text in axis.get_yticklabels()] == list(found)
    assert axis.get_ylim()[0] > axis.get_ylim()[1], "the costliest stands on top"
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    for place, (pairs, bars, seeds) in enumerate(zip(found.values(), axis.containers, dots, strict=True)):
        points = [100 * pair.difference for pair in pairs]
        ((x, y),) = bars.lines[0].get_xydata()
        half = 4.303 * stdev(points) / math.sqrt(3)
        assert (x, y) == (pytest.approx(mean(points)), place)
        assert ends_of(bars) == [pytest.approx((mean(points) - half, mean(points) + half))]
        assert list(seeds.get_xdata()) == points and {round(y) for y in seeds.get_ydata()} == {place}


def test_longer_runs_stand_beside_the_short_ones_and_what_they_alone_tried_below(rows):
    def long(name, seed, only_this, only_recipe):
        return {"variant": name, "seed": seed, "total": 100, "only_this": only_this, "only_recipe": only_recipe}

    both, neither = "no augmentation", "neither averaging nor cosine"
    longer = [long(both, 1, 7, 3), long(neither, 0, 1, 12), long(both, 0, 9, 3), long("recipe", 0, 0, 0)]
    anew = [long(both, 0, 4, 3), long(neither, 0, 2, 3)]
    figure = plots.draw_ablation(rows, longer, anew)
    (axis,) = figure.axes
    names = [text.get_text() for text in axis.get_yticklabels()]
    assert names == [*ablation.changes(rows), neither]
    shown = {"#d55e00": {}, "none": {}}
    for line in axis.lines:
        if line.get_marker() == "s":
            shown[line.get_markerfacecolor().lower()][names[round(line.get_ydata()[0])]] = list(line.get_xdata())
    filled, hollow = shown.values()
    assert filled == {neither: pytest.approx([-11]), both: pytest.approx([6, 4])}
    assert hollow == {neither: pytest.approx([-1]), both: pytest.approx([1])}
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(labels) == 4 and {"longer: a seed", "the same, BatchNorm anew"} < set(labels)


def test_a_history():
    (axis,) = plots.draw_history(History(loss=[2.0, 1.0], validation_loss=[3.0, 3.5]), "title", "a", "b").axes
    assert {line.get_label(): list(line.get_ydata()) for line in axis.lines} == {"a": [2.0, 1.0], "b": [3.0, 3.5]}
    assert list(axis.lines[0].get_xdata()) == [1, 2], "epochs count from 1"


def test_the_zoo_s_curves(figure_of):
    rows = read_results("zoo_curves.csv")
    (axis,) = figure_of("07_training", "drawings.draw_zoo_curves(").axes
    shown = {"1.0": (0,), "0.5": (0,), "0.25": (0, 1, 2)}
    labels = [f"α = {width}, seed {seed}" for width, seeds in shown.items() for seed in seeds]
    assert [line.get_label() for line in axis.lines] == labels
    looks = {"1.0": COLOURS["blue"], "0.5": COLOURS["orange"], "0.25": COLOURS["green"]}
    for line in axis.lines:
        width, seed = line.get_label().removeprefix("α = ").split(", seed ")
        key = (float(width), 32, int(seed))
        mine = [row for row in rows if (row["width"], row["resolution"], row["seed"]) == key]
        marks = [(row["epoch"], 100 * row["validation_accuracy"]) for row in sorted(mine, key=lambda row: row["epoch"])]
        np.testing.assert_allclose(line.get_xydata(), marks)
        assert line.get_color() == looks[width] and line.get_linestyle() == ("-", "--", ":")[int(seed)]


# ------------------------------------------------------------------------------------------- the second page


def test_range_tests_mark_the_lowest_point_of_the_smoothed_mean():
    rates, losses = [0.01, 0.1, 1.0, 2.0], [[2.0, 1.0, 1.0, 3.0], [2.0, 2.0, 1.0, 3.0]]
    (axis,) = plots.draw_range_tests({"net": (rates, losses)}).axes
    one, other, smoothed, lowest, _ = axis.lines
    assert [list(one.get_ydata()), list(other.get_ydata())] == losses
    assert list(smoothed.get_ydata()) == pytest.approx(plots.smooth([2.0, 1.5, 1.0, 3.0]))
    assert list(lowest.get_xdata()) == [1.0] and lowest.get_ydata()[0] == pytest.approx(min(smoothed.get_ydata()))


def test_the_pilot_s_grid():
    rows = read_results("zoo_pilot.csv")
    (axis,) = plots.draw_pilot(rows).axes
    rates, decays = ([float(text.get_text()) for text in labels] for labels in (axis.get_xticklabels(),
                                                                                axis.get_yticklabels()))  # fmt: skip
    words = {(rates[round(t.get_position()[0])], decays[round(t.get_position()[1])]): t.get_text() for t in axis.texts}
    assert words == {
        (row["lr"], row["weight_decay"]): f"{100 * row['validation_accuracy']:.1f} %" for row in rows
    } and len(words) == 6  # fmt: skip
    grid = axis.images[0].get_array()
    assert grid[decays.index(5e-5), rates.index(0.2)] == pytest.approx(grid.min()) == pytest.approx(33.72)


def test_rates_a_line_a_batch_size():
    rows = read_results("rates.csv")
    (axis,) = plots.draw_rates(rows).axes
    lines = list(axis.lines)
    for size in (32, 128, 512):
        middle = lines.pop(0)
        assert middle.get_label() == f"batches of {size}"
        for rate, height in zip(middle.get_xdata(), middle.get_ydata(), strict=True):
            each = [100 * row["accuracy"] for row in rows if (row["batch_size"], row["lr"]) == (size, rate)]
            dots = lines.pop(0)
            assert height == pytest.approx(mean(each)) and set(dots.get_xdata()) == {rate}
            assert list(dots.get_ydata()) == each and dots.get_color() == middle.get_color()
    assert not lines


def test_norms_and_the_rate_that_follows_from_them():
    left, right = plots.draw_norms({"decay 0": [1.0, 2.0], "decay 1": [1.0, 0.5]}, lr=0.1).axes
    assert [list(line.get_ydata()) for line in left.lines] == [[1.0, 2.0], [1.0, 0.5]]
    assert [list(line.get_ydata()) for line in right.lines] == [pytest.approx([0.1, 0.025]), pytest.approx([0.1, 0.4])]


def test_averaging_and_cosine_joins_means_and_shows_every_seed():
    found = {("constant", "last"): [1.0, 3.0], ("constant", "anew"): [3.0, 5.0], ("constant", "ema"): [5.0, 6.0],
             ("cosine", "last"): [4.0, 4.0], ("cosine", "anew"): [3.0, 4.0], ("cosine", "ema"): [4.0, 5.0]}  # fmt: skip
    (axis,) = plots.draw_two_by_two(found).axes
    assert [list(line.get_ydata()) for line in axis.lines] == [
        [2.0, 4.0, 5.5], [1.0, 3.0], [3.0, 5.0], [5.0, 6.0], [4.0, 3.5, 4.5], [4.0, 4.0], [3.0, 4.0], [4.0, 5.0]
    ]  # fmt: skip
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["constant", "cosine"]
    low, high = axis.get_xlim()
    assert low < 0 and high > 2, "all three kinds stand in the picture"


def test_recalls_have_their_intervals(ends_of):
    found = {"as it is": {"cat": Accuracy(10, 100), "dog": Accuracy(60, 100)},
             "weighted": {"cat": Accuracy(30, 100), "dog": Accuracy(55, 100)}}  # fmt: skip
    (axis,) = plots.draw_recalls(found).axes
    for bars, (way, classes) in zip(axis.containers, found.items(), strict=True):
        assert bars.get_label() == way
        assert list(bars.lines[0].get_ydata()) == [100 * one.value for one in classes.values()]
        assert [round(x) for x in bars.lines[0].get_xdata()] == [0, 1]
        assert ends_of(bars) == [pytest.approx((100 * one.low, 100 * one.high)) for one in classes.values()]


def test_shapes_stand_in_order_with_their_intervals(ends_of):
    rows = [row for row in read_results("budget_pilot_cuda.csv") if row["epochs"] == 12]
    (axis,) = plots.draw_shapes(rows).axes
    names = [text.get_text().partition(" (")[0] for text in axis.get_yticklabels()]
    share = {row["shape"]: row["validation_accuracy"] for row in rows}
    assert names == sorted(share, key=share.get) and len(names) == 7
    for name, bars in zip(names, axis.containers, strict=True):
        low, high = wilson_interval(round(5000 * share[name]), 5000)
        assert bars.lines[0].get_xdata()[0] == pytest.approx(100 * share[name])
        assert ends_of(bars) == [pytest.approx((100 * low, 100 * high))]
        assert bars.lines[0].get_color() == COLOURS["orange" if name == "zoo" else "blue"]
