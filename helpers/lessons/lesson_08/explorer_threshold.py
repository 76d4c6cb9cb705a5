"""Lesson 08: answer only when sure enough. How many images are then answered, and how many of these are right?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure

from helpers.evaluation import Accuracy, accuracy
from helpers.explorer import Explorer, menu, slider
from helpers.plots import COLOURS

BINS = 25  # of the histogram


@dataclass(frozen=True)
class Answers:
    """What a network does that answers only where its confidence is at least `threshold`."""

    network: str
    threshold: float
    total: int  # images
    answered: int
    right: int  # of the answered ones
    wrong: int  # of all images: what answering everything gets wrong

    @property
    def coverage(self) -> float:
        return self.answered / self.total

    @property
    def accuracy(self) -> Accuracy | None:
        """Of the answered images; None where there are none."""
        return Accuracy(self.right, self.answered) if self.answered else None


def answer(confidence: torch.Tensor, right: torch.Tensor, threshold: float, network: str = "") -> Answers:
    """Count what a threshold does, from the top-1 probabilities [N] and bool [N]: was each answer right?"""
    if confidence.shape != right.shape or right.dtype != torch.bool or right.ndim != 1 or not len(right):
        shapes = f"{list(confidence.shape)} and {right.dtype} {list(right.shape)}"
        raise ValueError(f"one confidence and one bool (right or not) an image, at least one image; got {shapes}")
    sure = confidence >= threshold
    return Answers(network, threshold, len(right), int(sure.sum()), int((sure & right).sum()), int((~right).sum()))


def curve(confidence: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Coverage and accuracy of all thresholds, two float64 [K]: one value for each different confidence, highest first.

    Images with the same confidence are answered together, or not at all.
    """
    ordered, order = confidence.sort(descending=True, stable=True)
    answered = torch.arange(1, len(order) + 1)
    last = torch.ones(len(order), dtype=torch.bool)
    last[:-1] = ordered[1:] < ordered[:-1]
    return (answered / len(order)).double()[last], (right[order].cumsum(0) / answered).double()[last]


def threshold_explorer(logits: Mapping[str, torch.Tensor], labels: torch.Tensor) -> Explorer:
    """Slide the confidence from which on a network answers; `result` is an `Answers`.

    `logits` gives for each network's name its logits [N,C], all on the same images with `labels` [N].
    """
    if not logits:
        raise ValueError("threshold_explorer needs the logits of at least one network: {name: logits [N,C]}")
    known = {}  # name → (confidence, was it right, curve)
    for name, values in logits.items():
        accuracy(values, labels)  # an error if they do not belong together
        confidence, predicted = values.softmax(1).max(1)
        known[name] = (confidence, predicted == labels, curve(confidence, predicted == labels))
    floor = min(float(shares[-1]) for _, _, (_, shares) in known.values())  # the least accuracy with all answered

    def draw(now: Answers) -> Figure:
        figure = Figure(figsize=(9.9, 3.6), layout="none")  # fixed margins: half the time of a computed layout
        figure.subplots_adjust(left=0.075, right=0.98, top=0.9, bottom=0.16, wspace=0.2)
        trade, counts = figure.subplots(1, 2)
        for name, (_, _, (coverage, share)) in known.items():
            mine = name == now.network
            style = {"color": COLOURS["blue"], "linewidth": 2.2} if mine else {"color": "#BBBBBB", "linewidth": 1.2}
            trade.plot(100 * coverage.numpy(), 100 * share.numpy(), **style, zorder=3 if mine else 2)
        if now.accuracy:
            value = now.accuracy.value
            bars = [[100 * (value - now.accuracy.low)], [100 * (now.accuracy.high - value)]]
            look = {"fmt": "D", "color": COLOURS["vermillion"], "markersize": 8, "capsize": 4, "zorder": 4}
            trade.errorbar(100 * now.coverage, 100 * value, bars, **look)
        trade.set(xlim=(-2, 103), ylim=(100 * floor - 6, 101), xlabel="coverage: images answered, %")
        trade.set(ylabel="right, % of those answered", title="Coverage against accuracy")
        confidence, right, _ = known[now.network]
        parts = [np.histogram(confidence[group].numpy(), BINS, (0, 1))[0] for group in (right, ~right)]
        for part, below, colour, label in (
            (parts[0], 0, "sky", "right"), (parts[1], parts[0], "vermillion", "wrong"),
        ):  # fmt: skip
            counts.bar(
                np.arange(BINS) / BINS, part, 1 / BINS, bottom=below, align="edge", color=COLOURS[colour], label=label
            )
        counts.axvline(now.threshold, color="black", linewidth=2)
        counts.set(xlim=(0, 1), xlabel="confidence", ylabel="images", title="Answered: right of the line")
        counts.legend(loc="upper left")
        return figure

    def text(now: Answers) -> str:
        if not now.accuracy:
            return f"<b>{now.network}, threshold {now.threshold:.2f}: no image is answered.</b>"
        missed = now.answered - now.right
        low, high = f"{now.accuracy.low:.1%}", f"{now.accuracy.high:.1%}"
        return (
            f"<b>{now.network}, threshold {now.threshold:.2f}: {now.answered:,} of {now.total:,} images are answered "
            f"({now.coverage:.1%}), {now.accuracy.value:.1%} of them right</b> (95 % interval {low} to {high}).<br>"
            f"{now.total - now.answered:,} go to a person. Of the {now.wrong:,} mistakes {missed:,} are still made."
        )

    controls = {
        "network": menu("network", list(logits), next(iter(logits))),
        "threshold": slider("answer from", 0.0, 0.99, 0.5, step=0.01),
    }
    return Explorer(
        controls,
        lambda network, threshold: answer(*known[network][:2], threshold, network),
        draw,
        text,
        text_height=56,
    )


def example() -> Explorer:
    """Two invented networks on 500 invented images, one surer of itself than the other."""
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(10, (500,), generator=random)
    logits = torch.randn(500, 10, generator=random) + 2 * torch.nn.functional.one_hot(labels, 10)
    return threshold_explorer({"shy": logits, "sure": 3 * logits}, labels)
