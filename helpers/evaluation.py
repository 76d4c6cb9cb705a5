"""How good is it, and how sure are we?"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import nn


def device_of(model: nn.Module) -> torch.device:
    """Where a model's weights lie; the CPU for a model that has none."""
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def predict(model: nn.Module, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Logits [N,C] for all batches in their order, on the CPU wherever the model lies; see `predict_with_labels`."""
    return predict_with_labels(model, ((images, torch.zeros(0)) for images, _ in batches))[0]


def predict_with_labels(
    model: nn.Module, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [N,C] and labels [N] on the CPU, from one pass: they belong together even when `batches` shuffles.

    The model computes in evaluation mode, where it lies; its mode is put back. ValueError when there are no batches.
    """
    modes, device, answers = [(module, module.training) for module in model.modules()], device_of(model), []
    model.eval()
    try:
        with torch.no_grad():  # not inference_mode: its tensors could not train a head afterwards
            for images, labels in batches:
                answers.append((model(images.to(device)).cpu(), labels.cpu()))
    finally:
        for module, training in modes:
            module.training = training
    if not answers:
        raise ValueError("there are no batches to predict: the list is empty, or a generator that was used up")
    outputs, labels = zip(*answers, strict=True)
    return torch.cat(outputs), torch.cat(labels)


def wilson_interval(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for an accuracy of `correct` out of `total` (Wilson 1927), both ends in [0, 1].

    Raises ValueError when `total` is not positive or `correct` lies outside 0..total.
    """
    if total <= 0 or not 0 <= correct <= total:
        raise ValueError(f"correct must lie in 0..total and total above 0, not {correct!r} of {total!r}")
    z = _z(confidence)
    share = correct / total
    middle = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return max(0.0, middle - half), min(1.0, middle + half)


# Student's t for a 95 % interval of the mean of so many trainings: 0.975 quantiles for one degree of freedom less.
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """(mean, low, high) of one value a training: Student's 95 % interval of their mean, in the unit of the values.

    It speaks of trainings, that is of other seeds. Raises ValueError unless there are 2 to 10 values.
    """
    if len(values) not in T_95:
        raise ValueError(f"an interval over trainings needs 2 to 10 of them, and there are {len(values)}")
    middle, half = statistics.mean(values), T_95[len(values)] * statistics.stdev(values) / len(values) ** 0.5
    return middle, middle - half, middle + half


def pooled(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    """(the deviation of a training, Student's factor for its 95 % intervals), from all networks trained more than once.

    It takes them to spread alike: with two or three trainings, one network's own deviation is mostly luck. `groups`
    are the values of each network's trainings. Raises ValueError when none was trained twice.
    """
    degrees = sum(len(group) - 1 for group in groups)
    if not degrees:
        raise ValueError("a deviation of trainings needs a network that was trained more than once")
    squares = sum((value - statistics.mean(group)) ** 2 for group in groups for value in group)
    z = _z(0.95)
    # Student's quantile from the normal one: 0.003 too small at most beyond the table (Abramowitz and Stegun, 26.7.5).
    far = z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
    return (squares / degrees) ** 0.5, T_95.get(degrees + 1, far)


@dataclass(frozen=True)
class Accuracy:
    """Top-1 accuracy with its 95 % Wilson interval, and the images that it was measured on."""

    correct: int
    total: int
    source: str = ""

    @property
    def value(self) -> float:
        """The share that is right, in [0, 1]."""
        return self.correct / self.total

    @property
    def low(self) -> float:
        """Lower end of the 95 % Wilson interval, in [0, 1]."""
        return wilson_interval(self.correct, self.total)[0]

    @property
    def high(self) -> float:
        """Upper end of the 95 % Wilson interval, in [0, 1]."""
        return wilson_interval(self.correct, self.total)[1]

    def __str__(self) -> str:
        text = f"{self.value:.1%} (95 % interval {self.low:.1%} to {self.high:.1%}; {self.correct:,} of {self.total:,})"
        return f"{text} · {self.source}" if self.source else text


def accuracy(logits: torch.Tensor, labels: torch.Tensor, source: str = "") -> Accuracy:
    """How many of the highest logits [N,C] (or predicted classes [N]) are the labels [N].

    Raises ValueError when there are not as many labels as answers, or one is no class; FloatingPointError for nan.
    """
    if logits.ndim == 1:
        _same_images(logits, labels)
        return Accuracy(int((logits == labels).sum()), len(labels), source)
    return top_k(logits, labels, 1, source)


def top_k(logits: torch.Tensor, labels: torch.Tensor, k: int, source: str = "") -> Accuracy:
    """How many labels [N] are among the `k` highest logits [N,C]. Of equal logits the first class counts as higher."""
    classes = _classes(logits, labels)
    if not 1 <= k <= classes:
        raise ValueError(f"k lies between 1 and the number of classes, {classes}, not {k!r}")
    best = logits.argsort(dim=1, descending=True, stable=True)[:, :k]
    return Accuracy(int((best == labels[:, None]).any(1).sum()), len(labels), source)


def confusion_matrix(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Counts int64 [C,C]: row = true class, column = predicted class, from logits [N,C]."""
    classes = _classes(logits, labels)
    return torch.bincount(labels * classes + logits.argmax(1), minlength=classes**2).view(classes, classes)


def precision_recall(counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Precision and recall of each class, two float64 [C], from the counts [C,C] of `confusion_matrix`.

    Precision: of the images that were called c, the share that are c. Recall: of the images that are c, the share that
    were called c. Where there are no such images the value is nan.
    """
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.min() < 0:
        raise ValueError(f"counts are a square table [C,C] of numbers from 0 on, not of shape {list(counts.shape)}")
    counts = counts.cpu()
    right = counts.diagonal().double()
    return right / counts.sum(0), right / counts.sum(1)


@dataclass(frozen=True)
class Calibration:
    """Reliability of the top-1 probability, in bins of equal width, and the expected calibration error."""

    confidence: list[float]  # mean probability of the predicted class, one value a bin (nan where empty)
    accuracy: list[float]
    count: list[int]
    error: float  # Σ count/N · |accuracy − confidence| (Naeini et al. 2015)


def calibration(logits: torch.Tensor, labels: torch.Tensor, bins: int = 15) -> Calibration:
    """How far the network's confidence is from how often it is right; logits [N,C], labels [N].

    Raises ValueError for labels that do not fit the logits and for `bins` below 1, FloatingPointError for nan.
    """
    _classes(logits, labels)
    if bins < 1:
        raise ValueError(f"calibration needs at least one bin, not {bins!r}")
    logits, labels = logits.cpu(), labels.cpu()  # not every accelerator has float64
    top, predicted = logits.double().softmax(1).max(1)
    right = (predicted == labels).double()
    which = (top * bins).ceil().long().sub(1).clamp(0, bins - 1)
    count = torch.bincount(which, minlength=bins)
    confidence = torch.bincount(which, top, bins) / count
    correct = torch.bincount(which, right, bins) / count
    error = float(((confidence - correct).abs().nan_to_num() * count).sum() / len(labels))
    return Calibration(confidence.tolist(), correct.tolist(), count.tolist(), error)


def fit_temperature(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """The T for which softmax(logits / T) has the smallest cross-entropy (Guo et al. 2017, arXiv:1706.04599).

    Above 1 the network was too sure of itself, below 1 not sure enough. Fit it on images that neither trained nor will
    judge the network: logits [N,C], labels [N]. Raises ValueError when no T between 1/1000 and 1000 is best: when every
    image is right, or the network does no better than chance.
    """
    _classes(logits, labels)
    z, labels = logits.cpu().double(), labels.cpu()
    truth = z.gather(1, labels[:, None])[:, 0].mean()

    def slope(sharpness: float) -> float:
        """Derivative of the cross-entropy by 1/T. The cross-entropy is convex in 1/T: there is one zero at most."""
        return float(((z * sharpness).softmax(1) * z).sum(1).mean() - truth)

    low, high = 1e-3, 1e3
    if not slope(low) < 0 < slope(high):
        reason = "no label has a higher logit than chance gives" if slope(low) >= 0 else "every image is right"
        raise ValueError(f"no temperature is best: {reason}")
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 1 / math.sqrt(low * high)


@dataclass(frozen=True)
class Paired:
    """Two classifiers on the same images: the difference of their accuracies (first − second)."""

    only_first: int  # images that only the first got right
    only_second: int
    total: int
    difference: float
    low: float  # 95 % interval of the difference
    high: float
    p_value: float  # exact McNemar test: how often chance alone does as much

    @property
    def points(self) -> str:
        """The difference and its interval in percentage points, as "+2.4 points (+1.0 to +3.7)"."""
        difference, low, high = (f"{100 * x:+.1f}" for x in (self.difference, self.low, self.high))
        return f"{difference} points ({low} to {high})"

    def __str__(self) -> str:
        points = [f"{100 * x:+.1f}" for x in (self.difference, self.low, self.high)]
        return (
            f"{points[0]} points (95 % interval {points[1]} to {points[2]}; p = {self.p_value:.2g}; "
            f"only the first right {self.only_first}, only the second {self.only_second}, of {self.total:,})"
        )


def mcnemar(first_correct: torch.Tensor, second_correct: torch.Tensor, confidence: float = 0.95) -> Paired:
    """Compare two classifiers on the same images (McNemar 1947), from bool tensors [N]: was each image right?

    The interval is Agresti and Min's (2005): Wald's after half a count is added to each of the four cells. The p-value
    is the exact two-sided one, at any number of images. Raises ValueError unless both are bool and of the same length.
    """
    _same_images(first_correct, second_correct)
    if first_correct.dtype != torch.bool or second_correct.dtype != torch.bool:
        raise ValueError("mcnemar takes bool tensors: was each image right? Not predictions or labels")
    first, second = first_correct, second_correct
    b, c, total = int((first & ~second).sum()), int((~first & second).sum()), len(first)
    p, q, n = b + 0.5, c + 0.5, total + 2
    half = _z(confidence) * math.sqrt(p + q - (p - q) ** 2 / n) / n
    middle = (p - q) / n
    p_value = min(1.0, 2 * _half_tail(min(b, c), b + c))
    return Paired(b, c, total, (b - c) / total, middle - half, middle + half, p_value)


def _half_tail(count: int, pairs: int) -> float:
    """P(X ≤ count) for X ~ Binomial(pairs, 1/2): each term C(pairs, k) from the one before, in floats.

    Big integers would be exact and take minutes for 40,000 pairs; this is right to about 1e-14 and takes milliseconds.
    """
    term = total = 1.0
    exponent = -pairs
    for k in range(1, count + 1):
        term *= (pairs - k + 1) / k
        total += term
        if total > 1e250:  # scaled by a power of two, which rounds nothing
            term, total, exponent = term * 2.0**-800, total * 2.0**-800, exponent + 800
    return math.ldexp(total, exponent)


def _same_images(predicted: torch.Tensor, labels: torch.Tensor) -> None:
    if predicted.shape != labels.shape or labels.ndim != 1 or not len(labels):
        shapes = f"{list(predicted.shape)} and {list(labels.shape)}"
        raise ValueError(
            f"both sides need one value an image, for the same images and at least one; shapes are {shapes}"
        )


def _classes(logits: torch.Tensor, labels: torch.Tensor) -> int:
    """C of logits [N,C]; an error unless all are numbers, and there is a label of 0..C-1 for each image."""
    if logits.ndim != 2:
        raise ValueError(f"logits have one row an image and one column a class, not the shape {list(logits.shape)}")
    _same_images(logits[:, 0], labels)
    if broken := int(logits.isnan().any(1).sum()):
        raise FloatingPointError(f"the network's answer to {broken:,} of {len(logits):,} images is not a number (nan)")
    classes = logits.shape[1]
    if not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"a label lies outside 0..{classes - 1}: there are {classes} columns of logits")
    return classes


def _z(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not {confidence!r}")
    return NormalDist().inv_cdf((1 + confidence) / 2)
