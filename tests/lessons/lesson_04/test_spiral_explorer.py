"""The spiral's picture: every point where it was computed, in its own colour, on axes that stay still."""

import pytest
import torch
from matplotlib.colors import to_hex

from helpers.lessons.lesson_04 import spiral_explorer
from helpers.lessons.lesson_04.explorer_spiral import DIMENSIONS, SpiralPicture, expected_share, round_trip
from helpers.plots import COLOURS

STATES = [(3, 0, 2), (8, 3, 3), (2, 19, 2), (60, 1, 2), (15, 4, 15), (2, 0, 15)]


def test_every_artist_stands_where_it_was_computed():
    """One picture through all states, as on the page: nothing of a state stays behind."""
    picture = SpiralPicture()
    before, after, shares = picture.figure.axes
    for n, seed, d in STATES:
        trip = round_trip(n, seed, d)
        picture.update(trip)
        for axis, points in ((before, trip.points), (after, trip.back)):
            kept, lost = axis.lines
            for line, group in ((kept, ~trip.lost), (lost, trip.lost)):
                assert torch.equal(torch.tensor(line.get_xydata()).float().reshape(-1, 2), points[group][:, :2])
            assert len(kept.get_xdata()) + len(lost.get_xdata()) == 400
        assert before.get_title(loc="left") == f"The spiral, d = {d}"
        assert after.get_title(loc="left") == f"Back from n = {n}"
        ghost, average, marker = shares.lines
        assert list(ghost.get_ydata()) == pytest.approx([100 * expected_share(m, 2) for m in DIMENSIONS])
        assert list(average.get_ydata()) == pytest.approx([100 * expected_share(m, d) for m in DIMENSIONS])
        assert (*marker.get_xdata(), *marker.get_ydata()) == (DIMENSIONS.index(n), pytest.approx(100 * trip.share_lost))


def test_the_axes_stay_still():
    picture, seen = SpiralPicture(), set()
    for n, seed, d in STATES:
        picture.update(round_trip(n, seed, d))
        picture.figure.canvas.draw()
        seen.add(tuple((*axis.get_xlim(), *axis.get_ylim()) for axis in picture.figure.axes))
    (((x0, x1, y0, y1), back, _),) = seen
    assert (x0, x1, y0, y1) == back == (-1.35, 1.35, -1.35, 1.35), "both panels on one scale"


def test_points_beyond_the_edge_are_counted():
    picture = SpiralPicture()
    trip = round_trip(2, 0, 2)  # a matrix that nearly flattens the plane
    outside = int((trip.back[:, :2].abs() > 1.35).any(dim=1).sum())
    picture.update(trip)
    assert outside > 100 and picture.outside.get_text() == f"{outside} points lie outside"
    picture.update(round_trip(60, 0, 2))
    assert picture.outside.get_text() == ""


def test_colours_and_marks_mean_what_the_legends_say():
    before, after, shares = SpiralPicture().figure.axes
    for axis in (before, after):
        kept, lost = axis.lines
        assert (kept.get_label(), to_hex(kept.get_color()).upper(), kept.get_marker()) == (
            "can be recovered", COLOURS["blue"], "o",
        )  # fmt: skip
        assert (lost.get_label(), to_hex(lost.get_color()).upper(), lost.get_marker()) == (
            "lost", COLOURS["vermillion"], "x",
        )  # fmt: skip
    assert [text.get_text() for text in shares.get_legend().get_texts()] == ["average, d = 2", "average", "this matrix"]
    assert [tick.get_text() for tick in shares.get_xticklabels()] == [str(n) for n in DIMENSIONS]


def test_veiled_until_a_guess():
    explorer = spiral_explorer(veiled=True)
    assert "points" not in explorer.words.value and len(explorer.figure().texts) == 3, "all three panels tell it"
    truth = 100 * round_trip(3, 0, 2).share_lost
    explorer.guess(20)
    assert f"it is <b>{truth:.3g} %</b>" in explorer._asked.children[0].value and "are lost" in explorer.words.value
    assert not spiral_explorer().figure().texts
