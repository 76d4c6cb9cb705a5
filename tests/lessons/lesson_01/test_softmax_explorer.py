"""The softmax explorer's picture: bars, numbers, and the dot that belongs to the true class."""

import math

import pytest
from matplotlib.colors import to_hex

from helpers.lessons.lesson_01 import softmax_explorer
from helpers.lessons.lesson_01.explorer_softmax import LOOK, NAMES, SoftmaxPicture, compute
from helpers.plots import COLOURS

STATES = [
    (2.0, 1.0, -1.0, 1.0, "cat"), (2.0, 1.0, -1.0, 4.0, "dog"),
    (-4.0, 4.0, 4.0, 0.25, "cat"), (0.0, 0.0, 0.0, 2.0, "frog"),
]  # fmt: skip


@pytest.fixture(scope="module")
def picture():
    return SoftmaxPicture()


@pytest.mark.parametrize("state", STATES)
def test_bars_and_numbers_stand_at_their_values(picture, state):
    result = compute(*state)
    picture.update(result)
    left, middle, _ = picture.figure.axes
    for axis, values, form in ((left, result.scores, "{:.1f}"), (middle, result.probabilities, "{:.3f}")):
        assert [tick.get_text() for tick in axis.get_xticklabels()] == list(NAMES)
        assert [bar.get_height() for bar in axis.patches] == list(values)
        assert [bar.get_x() + bar.get_width() / 2 for bar in axis.patches] == pytest.approx([0, 1, 2])
        colours = [to_hex(bar.get_facecolor()).upper() for bar in axis.patches]
        assert colours == [COLOURS[colour] for colour, _ in LOOK]
        for place, (number, value) in enumerate(zip(axis.texts, values, strict=True)):
            assert number.get_text() == form.format(value) and number.xy == (place, value)
            assert (number.get_va() == "bottom") == (value >= 0) == (number.get_position()[1] > 0), (
                "beyond the bar's end"
            )
    assert middle.get_title(loc="left") == f"Softmax at T = {state[3]:g}"


@pytest.mark.parametrize("state", STATES)
def test_the_dot_is_the_true_class_s(picture, state):
    """Its place on the curve, its colour and its marker are those of the class that is right."""
    result = compute(*state)
    picture.update(result)
    curve, dot = picture.figure.axes[2].lines
    truth = NAMES.index(state[4])
    p = result.probabilities[truth]
    assert list(dot.get_xdata()) == [max(p, 1e-4)] and list(dot.get_ydata()) == [min(-math.log(p), 8.4)]
    assert (to_hex(dot.get_color()).upper(), dot.get_marker()) == (COLOURS[LOOK[truth][0]], LOOK[truth][1])
    assert picture.figure.axes[2].get_title(loc="left") == f"Loss if it is a {state[4]}"
    assert list(curve.get_ydata()) == pytest.approx([-math.log(p) for p in curve.get_xdata()])


def test_every_state_fits_the_axes(picture):
    low, high = picture.figure.axes[0].get_ylim()
    assert low < -4 - 0.6 and high > 4 + 0.6, "room for the numbers at both ends"


def test_only_the_state_that_is_asked_for_is_veiled():
    explorer = softmax_explorer(veiled=True)
    assert "0.705" in explorer.words.value and not explorer.figure().texts
    assert "Veiled" in explorer.set(temperature=4.0).words.value
    assert len(explorer.figure().texts) == 2, "probabilities and loss; the scores stay in view"
    explorer.guess("0,4")
    assert "it is <b>0.444</b>" in explorer._asked.children[0].value and "Veiled" not in explorer.words.value
    assert compute(2.0, 1.0, -1.0, 4.0).probabilities[0] == pytest.approx(0.444, abs=5e-4)
