"""evaluation.py against scikit-learn and SciPy, on answers made at random.

Runs where `pip install -e .[dev]` was done, and is skipped elsewhere.
"""

import numpy as np
import pytest
import torch

from helpers.evaluation import (
    calibration,
    confusion_matrix,
    fit_temperature,
    mcnemar,
    precision_recall,
    top_k,
    wilson_interval,
)

REASON = "scikit-learn and SciPy are not installed: pip install -e .[dev]"
metrics = pytest.importorskip("sklearn.metrics", reason=REASON)
stats = pytest.importorskip("scipy.stats", reason=REASON)
optimize = pytest.importorskip("scipy.optimize", reason=REASON)
reliability = pytest.importorskip("sklearn.calibration", reason=REASON)

SEEDS = pytest.mark.parametrize("seed", range(5))


def answers(seed: int, images: int = 700, classes: int = 10) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [N,C] that are right about six times in ten, and labels [N], some classes more frequent than others."""
    random = torch.Generator().manual_seed(seed)
    labels = (classes * torch.rand(images, generator=random) ** 2).long()
    logits = 2.5 * torch.randn(images, classes, generator=random)
    logits[torch.arange(images), labels] += 4
    return logits.double(), labels


@SEEDS
def test_confusion_precision_recall(seed):
    logits, labels = answers(seed)
    counts = confusion_matrix(logits, labels)
    assert counts.tolist() == metrics.confusion_matrix(labels, logits.argmax(1), labels=range(10)).tolist()
    precision, recall, _, _ = metrics.precision_recall_fscore_support(labels, logits.argmax(1), labels=range(10))
    for mine, theirs in zip(precision_recall(counts), (precision, recall), strict=True):
        assert mine.tolist() == pytest.approx(theirs.tolist(), rel=1e-12)


@SEEDS
@pytest.mark.parametrize("k", [1, 2, 3, 5, 9])
def test_top_k(seed, k):
    logits, labels = answers(seed)
    theirs = metrics.top_k_accuracy_score(labels, logits.numpy(), k=k, labels=range(10))
    assert top_k(logits, labels, k).value == pytest.approx(theirs, rel=1e-12) and 0.3 < theirs < 1


@pytest.mark.parametrize("correct, total", [(0, 1), (1, 1), (3, 7), (81, 263), (1278, 2000), (9999, 10_000)])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_wilson(correct, total, confidence):
    theirs = stats.binomtest(correct, total).proportion_ci(confidence, method="wilson")
    assert wilson_interval(correct, total, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize("first, second", [(0, 0), (1, 0), (7, 1), (5, 5), (128, 301), (2000, 1000)])
def test_mcnemar_is_the_sign_test_on_the_images_that_differ(first, second):
    rows = torch.tensor([[True, True], [True, False], [False, True]])
    mine = mcnemar(*rows.repeat_interleave(torch.tensor([50, first, second]), 0).T)
    theirs = stats.binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    assert mine.p_value == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("first, second", [(20_300, 19_700), (20_000, 20_000), (19_500, 20_500), (36_000, 4000)])
def test_mcnemar_of_40_000_images_that_differ(first, second):
    """Whole numbers would take minutes here."""
    rows = torch.tensor([[True, False], [False, True]]).repeat_interleave(torch.tensor([first, second]), 0)
    theirs = min(1.0, 2 * stats.binom.cdf(min(first, second), first + second, 0.5))
    assert mcnemar(*rows.T).p_value == pytest.approx(theirs, rel=1e-11, abs=0)


@SEEDS
def test_calibration(seed):
    logits, labels = answers(seed)
    top, predicted = logits.softmax(1).max(1)
    mine = calibration(logits, labels, bins=12)
    right = (predicted == labels).int().numpy()
    theirs = reliability.calibration_curve(right, top.numpy(), n_bins=12, strategy="uniform")
    filled = [index for index, count in enumerate(mine.count) if count]
    assert [mine.accuracy[index] for index in filled] == pytest.approx(theirs[0].tolist(), rel=1e-9)
    assert [mine.confidence[index] for index in filled] == pytest.approx(theirs[1].tolist(), rel=1e-9)
    share = np.array([mine.count[index] for index in filled]) / len(labels)
    assert mine.error == pytest.approx(float(share @ abs(theirs[0] - theirs[1])), rel=1e-9) and mine.error > 0.02


@SEEDS
def test_temperature(seed):
    logits, labels = answers(seed)

    def loss(log_temperature: float) -> float:
        return metrics.log_loss(labels, (logits / np.exp(log_temperature)).softmax(1).numpy(), labels=range(10))

    theirs = optimize.minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-9})
    assert fit_temperature(logits, labels) == pytest.approx(np.exp(theirs.x), rel=1e-5)
