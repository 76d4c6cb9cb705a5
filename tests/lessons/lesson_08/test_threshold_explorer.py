"""The threshold explorer: coverage and accuracy, by hand and against a loop over all thresholds."""

import math
from itertools import pairwise

import pytest
import torch
from matplotlib.colors import to_hex

from helpers.evaluation import wilson_interval
from helpers.lessons.lesson_08 import threshold_explorer
from helpers.lessons.lesson_08.explorer_threshold import BINS, answer, curve
from helpers.plots import COLOURS

CONFIDENCE = torch.tensor([0.9, 0.5, 0.7, 0.7, 0.99, 0.3])
RIGHT = torch.tensor([True, False, True, False, True, False])


def logits_of(confidence: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
    """Two classes, so that the predicted one has this probability."""
    z = (confidence / (1 - confidence)).log()
    return torch.stack([torch.where(predicted == 0, z, -z), torch.zeros(len(z))], 1)


@pytest.mark.parametrize(
    "threshold, answered, right", [(0.0, 6, 3), (0.31, 5, 3), (0.7, 4, 3), (0.71, 2, 2), (0.95, 1, 1)]
)
def test_answers_by_hand(threshold, answered, right):
    now = answer(CONFIDENCE, RIGHT, threshold)
    assert (now.answered, now.right, now.total, now.wrong) == (answered, right, 6, 3)
    assert now.coverage == answered / 6 and now.accuracy.value == right / answered
    assert (now.accuracy.low, now.accuracy.high) == wilson_interval(right, answered)


def test_nothing_answered_has_no_accuracy():
    now = answer(CONFIDENCE, RIGHT, 0.995)
    assert now.answered == 0 and now.accuracy is None and now.coverage == 0


def test_the_curve_is_what_a_loop_over_all_thresholds_gives():
    coverage, share = curve(CONFIDENCE, RIGHT)
    each = [answer(CONFIDENCE, RIGHT, t) for t in sorted(set(CONFIDENCE.tolist()), reverse=True)]
    assert coverage.tolist() == pytest.approx([now.coverage for now in each])
    assert share.tolist() == pytest.approx([now.accuracy.value for now in each])
    assert len(coverage) == 5, "the two images of 0.7 are answered together"
    assert coverage[-1] == 1 and share[-1] == 0.5


def test_driven_from_code():
    confidence = torch.tensor([0.9, 0.6, 0.8, 0.55])
    logits = logits_of(confidence, torch.tensor([0, 0, 1, 1]))
    labels = torch.tensor([0, 1, 1, 1])  # right, wrong, right, right
    explorer = threshold_explorer({"one": logits, "ten times as sure": 10 * logits}, labels)
    now = explorer.set(threshold=0.7).result
    assert (now.answered, now.right, now.wrong) == (2, 2, 1)
    words = explorer.words.value
    assert "2 of 4 images are answered (50.0%), 100.0% of them right" in words and "mistakes 0 are still made" in words
    assert explorer.set(network="ten times as sure").result.answered == 4, "all are surer than 0.7 now"
    assert math.isclose(explorer.result.accuracy.value, 0.75) and "1 mistakes 1 are still made" in explorer.words.value
    assert "no image is answered" in explorer.set(network="one", threshold=0.95).words.value


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="at least one network"):
        threshold_explorer({}, torch.tensor([0]))
    with pytest.raises(ValueError, match=r"same images .* shapes are \[3\] and \[2\]"):
        threshold_explorer({"a": torch.zeros(3, 2)}, torch.tensor([0, 1]))
    for confidence, right in ((CONFIDENCE, RIGHT[1:]), (CONFIDENCE, RIGHT.float()), (CONFIDENCE[:0], RIGHT[:0])):
        with pytest.raises(ValueError, match="one confidence and one bool"):
            answer(confidence, right, 0.5)


# ------------------------------------------------------------------------------------------------ the picture


@pytest.fixture(scope="module")
def networks():
    """Two networks on 60 images: (explorer, name → (confidence, right))."""
    random = torch.Generator().manual_seed(0)
    labels, logits = torch.randint(3, (60,), generator=random), torch.randn(60, 3, generator=random)
    logits = {"shy": logits, "sure": 3 * logits + torch.nn.functional.one_hot(labels, 3)}
    seen = {name: (v.softmax(1).max(1).values, v.argmax(1) == labels) for name, v in logits.items()}
    return threshold_explorer(logits, labels), seen


@pytest.mark.parametrize("name", ["sure", "shy", "sure"])
@pytest.mark.parametrize("threshold", [0.0, 0.6])
def test_every_artist_stands_where_it_was_counted(networks, name, threshold):
    explorer, seen = networks
    now = explorer.set(network=name, threshold=threshold).result
    explorer._screen.picture.update(now)  # the page's own, moved from state to state
    trade, counts = explorer._screen.picture.figure.axes
    confidence, right = seen[name]
    first, second, interval, diamond = trade.lines
    for line, who in ((first, "shy"), (second, "sure")):
        coverage, share = curve(*seen[who])
        assert list(line.get_xdata()) == pytest.approx((100 * coverage).tolist())
        assert list(line.get_ydata()) == pytest.approx((100 * share).tolist())
        assert (line.get_color() == COLOURS["blue"]) == (who == name), "the chosen one is blue"
    assert list(diamond.get_xydata()[0]) == pytest.approx([100 * now.answered / 60, 100 * now.right / now.answered])
    low, high = wilson_interval(now.right, now.answered)
    assert list(interval.get_ydata()) == pytest.approx([100 * low, 100 * high])
    assert list(interval.get_xdata()) == pytest.approx(2 * [100 * now.coverage])
    labels = [text.get_text() for text in counts.get_legend().get_texts()]
    assert labels == ["right", "wrong"] and len(counts.patches) == 2 * BINS
    bars, edges = {"right": counts.patches[:BINS], "wrong": counts.patches[BINS:]}, torch.arange(BINS + 1) / BINS
    foot = torch.zeros(BINS)
    for label, group, colour in (("right", right, "sky"), ("wrong", ~right, "vermillion")):
        heights = torch.tensor([bar.get_height() for bar in bars[label]]).float()
        inside = [((confidence >= a) & (confidence < b) & group).sum() for a, b in pairwise(edges)]
        assert torch.equal(heights, torch.stack(inside).float())
        assert torch.equal(torch.tensor([bar.get_y() for bar in bars[label]]).float(), foot), "one stands on the other"
        assert [bar.get_x() for bar in bars[label]] == pytest.approx(edges[:-1].tolist())
        assert {to_hex(bar.get_facecolor()).upper() for bar in bars[label]} == {COLOURS[colour]}
        foot = foot + heights
    assert foot.sum() == 60 and foot.max() < counts.get_ylim()[1]
    (line,) = counts.lines
    assert list(line.get_xdata()) == [threshold, threshold]


def test_without_an_answer_there_is_no_diamond(networks):
    explorer, _ = networks
    explorer._screen.picture.update(explorer.set(network="shy", threshold=0.99).result)
    trade = explorer._screen.picture.figure.axes[0]
    assert explorer.result.accuracy is None and [len(line.get_xdata()) for line in trade.lines[2:]] == [0, 0]


def test_veiled_until_a_guess(networks):
    _, seen = networks
    random = torch.Generator().manual_seed(0)
    labels, logits = torch.randint(3, (60,), generator=random), torch.randn(60, 3, generator=random)
    explorer = threshold_explorer({"shy": logits}, labels, veiled=True)
    assert len(explorer.figure().texts) == 2 and "answered" not in explorer.words.value
    confidence, right = seen["shy"]
    kept = confidence.argsort(descending=True)[:48]
    left = 100 * int((~right[kept]).sum()) / int((~right).sum())
    assert f"it is <b>{left:.3g} %</b>" in explorer.guess("50 %")._asked.children[0].value
