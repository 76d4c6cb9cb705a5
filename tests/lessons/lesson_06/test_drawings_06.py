"""Lesson 06's drawings: every picture, point and bar is what it is said to be."""

import matplotlib.colors
import matplotlib.pyplot as plt
import pytest
import torch

from helpers.evaluation import Accuracy
from helpers.lessons.lesson_06 import plots
from helpers.plots import COLOURS


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_neighbours_stand_beside_their_own_image_and_in_their_order():
    flat = torch.arange(12, dtype=torch.uint8).view(12, 1, 1, 1).expand(12, 32, 32, 3)
    images, others = 100 + flat[:2], flat
    nearest = {"pixels": torch.tensor([[3, 5], [7, 1]]), "features": torch.tensor([[2, 0], [11, 4]])}
    figure = plots.draw_neighbours(images, others, nearest)
    for axis, (name, index) in zip(figure.axes, nearest.items(), strict=True):
        assert name in axis.get_title(loc="left") + axis.get_title() and "nearest 2" in axis.get_xlabel()
        picture = axis.images[0].get_array()
        assert picture.shape == (64, 32 + 8 + 64, 3)
        for row in range(2):
            seen = [picture[32 * row + 9, column, 0] for column in (5, 35, 45, 80)]
            assert seen == [100 + row, 255, *index[row].tolist()]


def found(value: int) -> Accuracy:
    return Accuracy(value, 100)


def right(value: int) -> torch.Tensor:
    """Of a hundred images so many are right."""
    return torch.arange(100) < value


def ends(bar_lines) -> list[tuple[float, float]]:
    return [(low, high) for (_, low), (_, high) in bar_lines.get_segments()]


def test_sizes_stand_at_their_macs_with_their_intervals():
    macs = {32: 6_000_000, 64: 24_000_000, 96: 55_000_000}
    enlarged = {32: found(47), 64: found(61), 96: found(54)}
    answers = {32: right(47), 64: right(61), 96: right(54)}
    (axis,) = plots.draw_sizes(macs, answers, right(44), framed_size=64).axes
    (line, _, (bars,)), (frame, _, (frame_bars,)) = (container.lines for container in axis.containers)
    assert line.get_xdata().tolist() == [6, 24, 55] and line.get_ydata().tolist() == pytest.approx([47, 61, 54])
    assert frame.get_xdata().tolist() == [24] and frame.get_ydata().tolist() == pytest.approx([44])
    wanted = [(100 * one.low, 100 * one.high) for one in enlarged.values()]
    assert [pytest.approx(pair) for pair in ends(bars)] == wanted
    assert ends(frame_bars) == [pytest.approx((100 * found(44).low, 100 * found(44).high))]
    assert {words.get_text(): words.xy for words in axis.texts} == {
        "32 px": (6, pytest.approx(47)), "64 px": (24, pytest.approx(61)), "96 px": (55, pytest.approx(54))
    }  # fmt: skip
    assert [words.get_text() for words in axis.get_legend().get_texts()] == [
        "enlarged to so many pixels", "32 pixels in a frame of 64"
    ]  # fmt: skip


def test_traps_are_bars_in_groups():
    first = {"still": {"own": found(60), "none": found(43)}, "drifting": {"own": found(61), "none": found(59)}}
    second = {"64 px": {"own": found(62), "none": found(45)}, "32 px": {"own": found(47), "none": found(33)}}
    panels = {"one": first, "two": second}
    answers = {title: {group: [right(one.correct) for one in bars.values()] for group, bars in groups.items()}
               for title, groups in panels.items()}  # fmt: skip
    figure = plots.draw_traps(answers, ("own", "none"))
    for axis, (title, groups) in zip(figure.axes, panels.items(), strict=True):
        assert title in axis.get_title(loc="left") + axis.get_title()
        assert [tick.get_text() for tick in axis.get_xticklabels()] == list(groups)
        handles, names = axis.get_legend_handles_labels()
        assert names == ["own", "none"]
        for bars, name in zip(handles, names, strict=True):
            for group, (bar, place) in zip(groups.values(), zip(bars, axis.get_xticks(), strict=True), strict=True):
                assert bar.get_height() == pytest.approx(100 * group[name].value)
                assert abs(bar.get_x() + bar.get_width() / 2 - place) < 0.5
                assert (bar.get_x() + bar.get_width() / 2 < place) == (name == "own")
            wanted = [(100 * group[name].low, 100 * group[name].high) for group in groups.values()]
            assert [pytest.approx(pair) for pair in ends(bars.errorbar.lines[2][0])] == wanted
        assert sorted(words.get_text() for words in axis.texts) == sorted(
            f"{100 * one.value:.0f}" for group in groups.values() for one in group.values()
        )


def row(step: str, correct: int, seed: int = 0) -> dict:
    one = found(correct)
    return {"step": step, "seed": seed, "accuracy": one.value, "low": one.low, "high": one.high}


def test_every_look_is_a_dot_in_its_seed_s_row():
    looked = {seed: [row("as printed", 40 + seed + look) for look in range(5)] for seed in (0, 1, 2)}
    clean = {0: [row("clean test images", 50)], 2: [row("clean test images", 55)]}  # seed 1 is not finished yet
    (axis,) = plots.draw_looks(looked, clean).axes
    rows = [part.get_offsets().tolist() for part in axis.collections if len(getattr(part, "get_sizes", list)())]
    assert rows == [[[pytest.approx(40 + seed + look), seed] for look in range(5)] for seed in (0, 1, 2)]
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["seed 0", "seed 1", "seed 2"]
    squares = [(part.lines[0].get_xdata()[0], part.lines[0].get_ydata()[0]) for part in axis.containers]
    assert squares == [(pytest.approx(50), -0.25), (pytest.approx(55), 1.75)]
    for container, one in zip(axis.containers, (found(50), found(55)), strict=True):
        (low, _), (high, _) = container.lines[2][0].get_segments()[0]
        assert (low, high) == pytest.approx((100 * one.low, 100 * one.high))


def test_the_chain_reads_downwards_with_the_printed_article_apart():
    rows = [row("as printed", 43), row("clean test images", 45), row("larger images", 60)]
    figure = plots.draw_chain({"ours": rows, "theirs": rows[:2]})
    for axis, name, count in zip(figure.axes, ("ours", "theirs"), (3, 2), strict=True):
        assert name in axis.get_title(loc="left") + axis.get_title()
        bars = axis.patches
        assert [bar.get_width() for bar in bars] == [pytest.approx(100 * one["accuracy"]) for one in rows[:count]]
        assert bars[0].get_facecolor() == matplotlib.colors.to_rgba(COLOURS["orange"])
        assert {bar.get_facecolor() for bar in bars[1:]} == {matplotlib.colors.to_rgba(COLOURS["blue"])}
        lines = axis.containers[0].lines if hasattr(axis.containers[0], "lines") else axis.containers[1].lines
        reach = [(low, high) for (low, _), (high, _) in lines[2][0].get_segments()]
        assert reach == [pytest.approx((100 * one["low"], 100 * one["high"])) for one in rows[:count]]
        assert [words.get_text() for words in axis.texts] == [f"{100 * one['accuracy']:.1f}" for one in rows[:count]]
    first = figure.axes[0]
    assert first.yaxis_inverted()
    assert [tick.get_text() for tick in first.get_yticklabels()] == [one["step"] for one in rows]


def test_what_was_not_run_yet_is_an_empty_panel(recwarn):
    assert not plots.draw_looks({}, {}).axes[0].collections
    figure = plots.draw_chain({"ours": [row("as printed", 43)], "theirs": []})
    assert not figure.axes[1].patches and not recwarn.list
