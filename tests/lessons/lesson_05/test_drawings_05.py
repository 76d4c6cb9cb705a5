"""The artists of lesson 05's figures: each mark where its row says, each interval from its low to its high end."""

import csv

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from helpers import DATA
from helpers.evaluation import mcnemar, mean_interval
from helpers.lessons.lesson_05 import plots
from helpers.lessons.lesson_05.grid import read_grid
from helpers.lessons.lesson_05.networks import published
from helpers.plots import COLOURS
from helpers.results import read_results

NAMES = {"V1": "mobilenet_v1", "V2": "mobilenet_v2", "V3-Small": "mobilenet_v3_small", "V3-Large": "mobilenet_v3_large"}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def zoo() -> list[dict]:
    """One training, two, and three of one network; two widths, three sizes."""
    runs = {
        (1.0, 32, 20e6): (0.9,),
        (0.5, 32, 8e6): (0.84, 0.82, 0.83),
        (0.5, 24, 5e6): (0.8, 0.76),
        (1.0, 16, 4e6): (0.7,),
    }
    rows = []
    for (width, side, macs), values in runs.items():
        for seed, value in enumerate(values):
            rows.append({"width": width, "resolution": side, "macs": macs, "seed": seed, "accuracy": value})
    return rows[::-1]


def marks_of(axis) -> set[tuple[float, float, bool]]:
    """(x, y, is it full?) of every mark that is drawn by itself or in a row of open ones."""
    return {
        (x, round(y, 6), line.get_markerfacecolor() != "white")
        for line in axis.lines
        if line.get_linestyle() == "None" or len(line.get_xdata()) == 1
        for x, y in line.get_xydata().tolist()
        if line.get_marker() not in ("None", "_", "|", 2, 3)  # a plain line, the caps of an interval
    }


MARKS = {(20.0, 90.0, False), (4.0, 70.0, False), (5.0, 80.0, False), (5.0, 76.0, False), (5.0, 78.0, True)}
MARKS |= {(8.0, value, False) for value in (84.0, 82.0, 83.0)} | {(8.0, 83.0, True)}


def test_networks_come_with_their_trainings_in_order(zoo):
    found = plots.by_network(zoo)
    assert list(found) == [(0.5, 32), (1.0, 32), (0.5, 24), (1.0, 16)]
    assert [row["seed"] for row in found[0.5, 32]] == [0, 1, 2]


def test_every_training_of_the_zoo_is_drawn_and_their_mean(zoo, ends_of):
    (axis,) = plots.draw_zoo(zoo).axes
    assert marks_of(axis) == MARKS
    (bars,) = axis.containers
    np.testing.assert_allclose(ends_of(bars), [mean_interval([84.0, 82.0, 83.0])[1:]])
    assert bars.lines[0].get_xydata().tolist() == [[8.0, 83.0]]
    assert to_hex(bars.lines[0].get_color()) == COLOURS["blue"].lower()
    lines = {line.get_label(): line.get_xydata().tolist() for line in axis.lines if "pixels" in line.get_label()}
    wanted = {"32 pixels": [[8, 83], [20, 90]], "24 pixels": [[5, 78]], "16 pixels": [[4, 70]]}
    for name, points in wanted.items():
        np.testing.assert_allclose(lines[name], points)
    assert [text.get_text() for text in axis.texts] == ["α 0.5", "α 1.0", "α 0.5", "α 1.0"]
    np.testing.assert_allclose([text.xy for text in axis.texts], [(8, 83), (20, 90), (5, 78), (4, 70)])
    assert axis.get_xscale() == "log"


def test_the_lesson_s_zoo_is_drawn_whole():
    rows = read_results("zoo.csv")
    (axis,) = plots.draw_zoo(rows).axes
    single = {(x, y) for x, y, full in marks_of(axis) if not full}
    assert single == {(row["macs"] / 1e6, round(100 * row["accuracy"], 6)) for row in rows}


def test_channels_against_pixels(zoo, ends_of):
    v2 = [row for row in published() if row.family == "mobilenet_v2"]
    theirs, ours = plots.draw_equal_macs(v2, zoo).axes
    drawn = {to_hex(line.get_color()): line.get_xydata().tolist() for line in theirs.lines}
    for width, (colour, _) in plots.BY_WIDTH.items():
        wanted = sorted([row.macs / 1e6, row.top1] for row in v2 if row.width == width)
        assert drawn.get(COLOURS[colour].lower(), []) == wanted, width
    assert all(len(drawn[COLOURS[plots.BY_WIDTH[width][0]].lower()]) >= 5 for width in (0.35, 0.5, 0.75, 1.0))
    assert marks_of(ours) == MARKS
    joined = {to_hex(line.get_color()): line.get_xydata() for line in ours.lines if len(line.get_xdata()) == 2
              and line.get_linestyle() == "-"}  # fmt: skip
    np.testing.assert_allclose(joined[COLOURS["orange"].lower()], [[8, 83], [5, 78]])
    np.testing.assert_allclose(joined[COLOURS["vermillion"].lower()], [[20, 90], [4, 70]])
    entries = zip(ours.get_legend().get_texts(), ours.get_legend().get_lines(), strict=True)
    legend = {text.get_text(): to_hex(handle.get_color()) for text, handle in entries}
    assert legend == {str(width): COLOURS[colour].lower() for width, (colour, _) in plots.BY_WIDTH.items()}
    assert ours.get_xscale() == theirs.get_xscale() == "log"


def test_the_multiples_of_the_law():
    by_width = {"mobilenet_v1": {0.5: 1.1, 1.0: 1.0}, "mobilenet_v3_small": {0.5: 1.4, 1.0: 1.0}}
    by_size = {"mobilenet_v1": {32: 1.2, 224: 1.0}, "mobilenet_v3_small": {32: 2.8, 224: 1.0}}
    axes = plots.draw_law(by_width, by_size).axes
    for axis, multiples, law in zip(axes, (by_width, by_size), ("α²", "ρ²"), strict=True):
        assert [line.get_label() for line in axis.lines] == ["V1", "V3-Small"]
        for line, wanted in zip(axis.lines, multiples.values(), strict=True):
            assert line.get_xydata().tolist() == [list(point) for point in wanted.items()]
        assert axis.get_legend().get_title().get_text().endswith(law)
    assert axes[1].get_xticks().tolist() == [32, 224] and "width" in axes[0].get_xlabel()


def test_what_the_next_width_adds():
    right = {0.25: 700, 0.35: 790, 0.5: 792, 0.75: 700}  # so many first images are named right
    known = {width: torch.arange(1000) < count for width, count in right.items()}
    steps = [(0.25, 0.35), (0.35, 0.5), (0.5, 0.75)]  # surely better, open, surely worse
    pairs = {(narrow, wide): mcnemar(known[wide], known[narrow]) for narrow, wide in steps}
    (axis,) = plots.draw_pairs(pairs).axes
    assert [label.get_text() for label in axis.get_yticklabels()] == [f"{b} against {a}" for a, b in steps]
    for place, (pair, colour) in enumerate(zip(pairs.values(), ("blue", "orange", "blue"), strict=True)):
        interval, middle = axis.lines[2 * place : 2 * place + 2]
        assert interval.get_xydata().tolist() == [[100 * pair.low, place], [100 * pair.high, place]]
        assert middle.get_xydata().tolist() == [[100 * pair.difference, place]]
        assert interval.get_color() == middle.get_markeredgecolor() == COLOURS[colour]
    assert axis.get_ylim()[0] > axis.get_ylim()[1], "the first pair stands on top"


def test_the_page_s_shares_are_the_grid_s(functions_of):
    with open(DATA / "results" / "cost_grid.csv", encoding="utf-8", newline="") as file:
        macs = {
            (row["family"], float(row["width"]), int(row["resolution"])): int(row["macs"]) + 1000 * int(row["features"])
            for row in csv.DictReader(file)
        }
    share = functions_of("05_width_and_resolution", grid=read_grid())["share"]
    for family in NAMES.values():
        for width, size in ((0.25, 224), (1.0, 96), (1.4, 32)):
            assert share(family, width, size) == pytest.approx(macs[family, width, size] / macs[family, 1.0, 224])
