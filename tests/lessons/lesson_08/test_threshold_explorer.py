"""The threshold explorer: coverage and accuracy, by hand and against a loop over all thresholds."""

import math

import pytest
import torch

from helpers.evaluation import wilson_interval
from helpers.lessons.lesson_08 import threshold_explorer
from helpers.lessons.lesson_08.explorer_threshold import answer, curve

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
