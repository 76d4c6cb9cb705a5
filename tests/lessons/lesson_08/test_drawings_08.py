"""The artists of lesson 08's figures: each mark where its row says, each interval from its low to its high end."""

import math

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from helpers.data import load_cifar10
from helpers.evaluation import calibration, confusion_matrix, precision_recall, wilson_interval
from helpers.lessons.lesson_08 import plots
from helpers.lessons.lesson_08.mistakes import HARMLESS, MISTAKES, REALISTIC
from helpers.lessons.lesson_08.robustness import DAMAGE
from helpers.plots import COLOURS

GENERATOR = torch.Generator().manual_seed(0)
SCORES, LABELS = torch.randn(500, 10, generator=GENERATOR) * 2, torch.randint(10, (500,), generator=GENERATOR)
NAMES = tuple("abcdefghij")


def bars_of(axis, colour: str) -> list[list[float]]:
    """[low, high, place] of every thick horizontal line of that colour."""
    lines = [
        line
        for line in axis.lines
        if to_hex(line.get_color()) == COLOURS[colour].lower() and len(line.get_xdata()) == 2
    ]
    return [[*line.get_xdata(), line.get_ydata()[0]] for line in lines]


def title(axis) -> str:
    return axis.get_title(loc="left") or axis.get_title(loc="center")


def dots_of(axis, mark: str = "o") -> list[tuple[float, float]]:
    return [
        tuple(line.get_xydata()[0]) for line in axis.lines if line.get_marker() == mark and len(line.get_xdata()) == 1
    ]


def test_a_training_a_dot_and_the_mean_s_interval_over_trainings():
    rows = [
        {"width": width, "accuracy": share, "low": share - 0.01, "high": share + 0.02}
        for width, share in ((0.25, 0.79), (0.25, 0.77), (0.25, 0.75), (0.5, 0.84), (0.5, 0.842), (1.0, 0.9))
    ]
    figure, words = plots.two_intervals(rows)
    (axis,) = figure.axes
    np.testing.assert_allclose([dot[0] for dot in dots_of(axis)], [79, 77, 75, 84, 84.2, 90])
    assert [text.get_text() for text in axis.get_yticklabels()] == ["α = 0.25", "α = 0.5", "α = 1"]
    ends = [[78, 81], [76, 79], [74, 77], [83, 86], [83.2, 86.2], [89, 92]]
    np.testing.assert_allclose([bar[:2] for bar in bars_of(axis, "sky")], ends)
    ((low, high, _),) = bars_of(axis, "orange")  # two trainings may agree by luck: no bar of theirs
    half = 4.303 * 2 / math.sqrt(3)
    assert (low, high) == pytest.approx((77 - half, 77 + half)) and dots_of(axis, "D")[0][0] == pytest.approx(77)
    assert [bar[2] for bar in bars_of(axis, "sky")] == [dot[1] for dot in dots_of(axis)], "a bar on its dot"
    assert "0.25: 3 trainings, mean 77.0 ± 5.0" in words and axis.get_ylim()[0] > axis.get_ylim()[1]
    assert [round(place) for _, place in dots_of(axis)] == [0, 0, 0, 1, 1, 2]


def test_classes_stand_by_their_recall_with_wilsons_intervals():
    counts = confusion_matrix(SCORES, LABELS)
    precision, recall = precision_recall(counts)
    figure, words = plots.classes(counts, NAMES)
    order = recall.argsort().tolist()
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [NAMES[i] for i in order]
    for axis, values, totals in zip(figure.axes, (recall, precision), (counts.sum(1), counts.sum(0)), strict=True):
        assert dots_of(axis) == [(pytest.approx(100 * values[i].item()), place) for place, i in enumerate(order)]
        for bar, i in zip(bars_of(axis, "sky"), order, strict=True):
            low, high = wilson_interval(int(counts[i, i]), int(totals[i]))
            assert bar[:2] == pytest.approx([100 * low, 100 * high])
        (middle,) = [line for line in axis.lines if line.get_linestyle() == "--"]
        assert middle.get_xdata()[0] == pytest.approx(100 * values.mean().item())
    assert words.count(NAMES[order[0]]) and f"{recall.mean():.1%}" in words


def test_precision_for_other_shares_is_bayes_rule():
    score, positive = SCORES.softmax(1)[:, 0], LABELS == 0
    (axis,) = plots.precision_against_recall(score, positive, (0.5, 0.01))[0].axes
    for line, share in zip(axis.lines, (0.5, 0.01), strict=True):
        for place in (10, 100, 400):
            called = score >= score.sort(descending=True).values[place]
            recall, false = called[positive].double().mean(), called[~positive].double().mean()
            wanted = share * recall / (share * recall + (1 - share) * false)
            np.testing.assert_allclose(line.get_xydata()[place], (100 * recall, 100 * wanted))


def test_the_surest_mistakes_come_first_each_with_its_truth():
    images = load_cifar10()[1][:500]
    figure, words = plots.sure_and_wrong(images, SCORES, "noise", count=8)
    sure, answers = SCORES.softmax(1).max(1)
    wrong = [i for i in sure.argsort(descending=True).tolist() if answers[i] != images.labels[i]][:8]
    for axis, i in zip(figure.axes, wrong, strict=True):
        assert np.array_equal(axis.images[0].get_array(), images.images[i].numpy())
        said, true = images.classes[answers[i]], images.classes[images.labels[i]]
        assert axis.get_title(loc="center") == f"{said} {sure[i]:.0%}\nis: {true}"
    assert words.startswith("8 photos")


def test_a_reliability_diagram_stands_at_its_bins():
    found = calibration(SCORES, LABELS, bins=10)
    axis = plots.reliability({"Noise": found})[0].axes[0]
    diagonal, marks = axis.lines
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    np.testing.assert_allclose(marks.get_xdata(), found.confidence)
    np.testing.assert_allclose(marks.get_ydata(), found.accuracy)
    np.testing.assert_allclose([bar.get_height() for bar in axis.patches], found.accuracy)
    places = [bar.get_center()[0] for bar in axis.patches]  # nan: an empty bin
    np.testing.assert_allclose(places, np.where(np.isnan(found.accuracy), np.nan, np.arange(10) / 10 + 0.05))
    assert title(axis).endswith(f"Noise: ECE {found.error:.1%}")


def test_damages_have_a_column_a_kind_and_grow_stronger_downwards():
    figure, words = plots.damages(load_cifar10()[1], 1000)
    titles = [axis.get_title(loc="center") for axis in figure.axes]
    assert titles == [f"{kind} {DAMAGE[kind][1][step]:g}" for step in range(4) for kind in plots.KINDS]
    assert words.startswith("A dog")


def test_robustness_has_a_panel_a_kind_and_the_difference_of_changes_below():
    places = [("none", 0), *((kind, one) for kind in plots.KINDS for one in DAMAGE[kind][1])]
    rows = [
        {"width": width, "kind": kind, "strength": one, "accuracy": width / 2 + 0.01 * place}
        for width in (0.25, 0.5, 1.0)
        for place, (kind, one) in enumerate(places)
    ]
    pairs = [
        {"first": first, "second": 0.25, "kind": kind, "strength": f"{one:g}", "change": place / 100,
         "change_low": place / 100 - first / 50, "change_high": place / 100 + first / 40}
        for first in (0.5, 1.0)
        for place, (kind, one) in enumerate(places)
    ]  # fmt: skip
    figure, words = plots.by_kind(rows, pairs)
    for index, kind in enumerate(plots.KINDS):
        above, below = figure.axes[index], figure.axes[5 + index]
        assert title(above) == kind
        assert [text.get_text() for text in below.get_xticklabels()] == [
            "none",
            *(f"{one:g}" for one in DAMAGE[kind][1]),
        ]
        here = [places.index((kind, one)) for one in DAMAGE[kind][1]]
        for line, width in zip(above.lines, (1.0, 0.25), strict=True):
            np.testing.assert_allclose(line.get_ydata(), [50 * width + place for place in (0, *here)])
            assert above.get_ylim()[0] <= 10 and above.get_ylim()[1] >= 90, "from guessing to the best"
            assert line.get_label() == f"α = {width:g}"
        intervals = [line.get_ydata() for line in below.lines if len(line.get_xdata()) == 2][:4]
        np.testing.assert_allclose(intervals, [[place - 2, place + 2.5] for place in here])
        assert dots_of(below) == [(step, pytest.approx(place)) for step, place in enumerate(here, 1)]
    assert f"jpeg {places.index(('jpeg', 10)):+.1f}" in words


def test_the_best_epoch_of_each_half_has_a_dot():
    best = {"images that choose": 7, "the other half": 21}
    curves = {name: [0.5 + 0.1 * (epoch == top) for epoch in range(1, 31)] for name, top in best.items()}
    figure, words = plots.best_epochs(curves)
    (axis,) = figure.axes
    for place, (name, top) in enumerate(best.items()):
        line, dot = axis.lines[2 * place : 2 * place + 2]
        assert line.get_label() == name and line.get_color() == dot.get_color()
        np.testing.assert_allclose(line.get_xydata()[top - 1], (top, 60))
        assert dot.get_xydata().tolist() == [[top, pytest.approx(60)]] and f"{name} in epoch {top}" in words


def test_each_mistake_has_a_row_or_two_with_both_intervals():
    variants = [(n, one[n], one is REALISTIC) for n in MISTAKES for one in (REALISTIC, HARMLESS) if n in one]
    rows = [
        {"number": number, "variant": name, "difference": place / 100,
         "seeds_low": math.nan if place == 1 else place / 100 - 0.1, "seeds_high": place / 100 + 0.2,
         "images_low": math.nan if number == 5 else place / 100 - 0.3, "images_high": place / 100 + 0.4,
         "least": place / 100 - 0.5, "most": place / 100 + 0.6}
        for place, (number, name, _) in enumerate(variants)
    ]  # fmt: skip
    figure, words = plots.eight_mistakes(rows[::-1])
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.get_yticklabels()] == [f"{number}  {name}" for number, name, _ in variants]
    assert dots_of(axis) == [(pytest.approx(place), place) for place in range(len(variants))]
    for dark, colours in ((True, ("blue", "vermillion")), (False, ("sky", "orange"))):
        mine = [(place, number) for place, (number, _, real) in enumerate(variants) if real == dark]
        images = [[p - 50, p + 60] if number == 5 else [p - 30, p + 40] for p, number in mine]
        seeds = [[p - 10, p + 20] for p, _ in mine if p != 1]
        for colour, wanted in zip(colours, (images, seeds), strict=True):
            np.testing.assert_allclose([bar[:2] for bar in bars_of(axis, colour)], wanted)
            assert {round(bar[2]) for bar in bars_of(axis, colour)} <= {p for p, _ in mine}
            above = [bar[2] < round(bar[2]) for bar in bars_of(axis, colour)]  # the axis points down
            assert set(above) == {colour == colours[0]}, "images above, trainings below"
    assert "mistakes 1 (+0.0), 2 (+2.0), 3 (+4.0) points" in words and axis.get_ylim()[0] > axis.get_ylim()[1]
