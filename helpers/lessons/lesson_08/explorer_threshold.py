"""Lesson 08: answer only when sure enough. How many images are then answered, and how many of these are right?"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from matplotlib.figure import Figure

from helpers.evaluation import Accuracy, accuracy
from helpers.explorer import Explorer, Picture, Veil, menu, slider
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


@dataclass(frozen=True)
class Known:
    """A network's answers on all images: how sure each is, whether it is right, and the curve of all thresholds."""

    confidence: torch.Tensor  # [N]
    right: torch.Tensor  # bool [N]
    curve: tuple[torch.Tensor, torch.Tensor]  # coverage and accuracy

    def mistakes_left(self, share: float) -> float:
        """The share of all mistakes that is still made when only the surest `share` of the images is answered."""
        kept = self.confidence.topk(int(share * len(self.right))).indices
        return float((~self.right[kept]).sum() / (~self.right).sum())


class ThresholdPicture(Picture):
    """Coverage against accuracy for every network, and the chosen one's confidences, right and wrong, with the line."""

    def __init__(self, known: Mapping[str, Known]):
        self.known = known
        floor = min(float(one.curve[1][-1]) for one in known.values())  # the least accuracy with all answered
        most = max(np.histogram(one.confidence.numpy(), BINS, (0, 1))[0].max() for one in known.values())
        self.figure = Figure(figsize=(9.9, 3.6), layout="none")
        self.figure.subplots_adjust(left=0.075, right=0.98, top=0.9, bottom=0.16, wspace=0.2)
        trade, counts = self.figure.subplots(1, 2)
        self.curves = {
            name: trade.plot(100 * one.curve[0].numpy(), 100 * one.curve[1].numpy())[0] for name, one in known.items()
        }
        vermillion = COLOURS["vermillion"]
        (self.interval,) = trade.plot([], [], "_-", color=vermillion, markersize=9, markeredgewidth=2, zorder=4)
        (self.diamond,) = trade.plot([], [], "D", color=vermillion, markersize=8, zorder=5)
        trade.set(xlim=(-2, 103), ylim=(100 * floor - 6, 101), xlabel="coverage: images answered, %")
        trade.set(ylabel="right, % of those answered", title="Coverage against accuracy")
        edges = np.arange(BINS) / BINS
        self.bars = {
            label: counts.bar(edges, 0 * edges, 1 / BINS, align="edge", color=COLOURS[colour], label=label)
            for label, colour in (("right", "sky"), ("wrong", "vermillion"))
        }
        self.line = counts.axvline(0, color="black", linewidth=2)
        counts.set(xlim=(0, 1), ylim=(0, 1.05 * most), xlabel="confidence", ylabel="images")
        counts.set(title="Answered: right of the line")
        legend = counts.legend(loc="upper left")
        bars = [bar for bars in self.bars.values() for bar in bars]
        self.settled = [*self.curves.values(), *bars, *counts.spines.values(), legend]
        self.moving = [self.interval, self.diamond, self.line]

    def update(self, now: Answers) -> None:
        if self.still != now.network:  # which curve is the chosen one's, and its confidences
            self.still = now.network
            for name, line in self.curves.items():
                mine = name == now.network
                line.set(color=COLOURS["blue"] if mine else "#BBBBBB", linewidth=2.2 if mine else 1.2)
                line.set_zorder(3 if mine else 2)
            one, below = self.known[now.network], np.zeros(BINS)
            for label, group in (("right", one.right), ("wrong", ~one.right)):
                part = np.histogram(one.confidence[group].numpy(), BINS, (0, 1))[0]
                for bar, height, foot in zip(self.bars[label], part, below, strict=True):
                    bar.set(height=height, y=foot)
                below = below + part
        x, y = [100 * now.coverage], now.accuracy
        self.diamond.set_data(x if y else [], [100 * y.value] if y else [])
        self.interval.set_data(2 * x if y else [], [100 * y.low, 100 * y.high] if y else [])
        self.line.set_xdata([now.threshold, now.threshold])


def text(now: Answers) -> str:
    """What the threshold does, in two sentences."""
    if not now.accuracy:
        return f"<b>{now.network}, threshold {now.threshold:.2f}: no image is answered.</b>"
    missed = now.answered - now.right
    low, high = f"{now.accuracy.low:.1%}", f"{now.accuracy.high:.1%}"
    return (
        f"<b>{now.network}, threshold {now.threshold:.2f}: {now.answered:,} of {now.total:,} images are answered "
        f"({now.coverage:.1%}), {now.accuracy.value:.1%} of them right</b> (95 % interval {low} to {high}).<br>"
        f"{now.total - now.answered:,} go to a person. Of the {now.wrong:,} mistakes {missed:,} are still made."
    )


def threshold_explorer(logits: Mapping[str, torch.Tensor], labels: torch.Tensor, veiled: bool = False) -> Explorer:
    """Slide the confidence from which on a network answers; `result` is an `Answers`.

    `logits` gives for each network's name its logits [N,C], all on the same images with `labels` [N]. `veiled`: nothing
    is shown until the mistakes that are left without the least sure fifth have been guessed.
    """
    if not logits:
        raise ValueError("threshold_explorer needs the logits of at least one network: {name: logits [N,C]}")
    known = {}
    for name, values in logits.items():
        accuracy(values, labels)  # an error if they do not belong together
        confidence, predicted = values.softmax(1).max(1)
        known[name] = Known(confidence, predicted == labels, curve(confidence, predicted == labels))
    first = next(iter(known))
    controls = {
        "network": menu("network", list(known), first),
        "threshold": slider("answer from", 0.0, 0.99, 0.5, step=0.01),
    }
    veil = Veil(
        "The least sure fifth goes to a person: what share of the mistakes is left?",
        lambda _: 100 * known[first].mistakes_left(0.8),
        unit="%",
    )

    def compute(network: str, threshold: float) -> Answers:
        return answer(known[network].confidence, known[network].right, threshold, network)

    picture = partial(ThresholdPicture, known)
    return Explorer(controls, compute, picture, text, veil=veil if veiled else None, text_height=44)


def example() -> Explorer:
    """Two invented networks on 500 invented images, one surer of itself than the other."""
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(10, (500,), generator=random)
    logits = torch.randn(500, 10, generator=random) + 2 * torch.nn.functional.one_hot(labels, 10)
    return threshold_explorer({"shy": logits, "sure": 3 * logits}, labels)
