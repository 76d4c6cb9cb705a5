"""Lesson 08: choose a cell of the confusion matrix, see the images that are in it."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch.nn.functional import one_hot

from helpers.data import ImageSet, load_cifar10
from helpers.evaluation import confusion_matrix, precision_recall
from helpers.explorer import Explorer, Picture, counting_button, menu
from helpers.plots import COLOURS

COLUMNS, ROWS = 6, 4
PAGE = COLUMNS * ROWS  # images shown at once


@dataclass(frozen=True)
class Cell:
    """One cell of a network's confusion matrix: images of class `true` that were called `called`."""

    network: str
    true: int
    called: int
    counts: torch.Tensor  # int64 [C,C], the whole matrix
    members: list[int]  # the cell's images, surest answer first
    shown: list[int]  # those of them on this page
    confidence: list[float]  # of the shown ones: probability of the class that was called


class ConfusionPicture(Picture):
    """The whole matrix of a network, a frame around the chosen cell, and the images in it."""

    def __init__(self, images: ImageSet):
        self.images, classes = images, len(images.classes)
        self.figure = Figure(figsize=(9.9, 3.9), layout="none")
        matrix = self.figure.add_axes((0.098, 0.215, 0.36, 0.705))
        self.shades = matrix.imshow([[0.0] * classes] * classes, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        style = {"ha": "center", "va": "center", "fontsize": 8}
        self.counts = [[matrix.text(called, true, "", **style) for called in range(classes)] for true in range(classes)]
        look = {"fill": False, "linewidth": 3, "edgecolor": COLOURS["vermillion"], "zorder": 3}
        self.frame = matrix.add_patch(Rectangle((0, 0), 1, 1, **look))
        matrix.set_xticks(range(classes), images.classes, rotation=50, ha="right", rotation_mode="anchor", fontsize=9)
        matrix.set_yticks(range(classes), images.classes, fontsize=9)
        matrix.tick_params(length=0, pad=2)
        matrix.grid(visible=False)
        matrix.set(title="Row: true class, column: answer")
        pictures = self.figure.add_axes((0.485, 0.02, 0.51, 0.9), xticks=(), yticks=(), frame_on=False)
        self.title = pictures.set_title("", loc="left")
        height, width = images.images.shape[1:3]
        self.tall, self.wide = int(1.25 * height), width + 3  # room for the words below
        blank = torch.full((ROWS * self.tall, COLUMNS * self.wide, 3), 255, dtype=torch.uint8)
        self.paper = pictures.imshow(blank.numpy(), aspect="auto")
        self.sure = []
        for place in range(PAGE):
            x, y = place % COLUMNS * self.wide + width / 2, place // COLUMNS * self.tall + 1.1 * height
            self.sure.append(pictures.text(x, y, "", ha="center", va="center", fontsize=9))
        self.settled = [self.shades, *itertools.chain(*self.counts), *matrix.spines.values()]
        self.moving = [self.frame, self.title, self.paper, *self.sure]

    def update(self, cell: Cell) -> None:
        counts, names = cell.counts, self.images.classes
        if self.still != cell.network:  # the matrix and its hundred numbers
            self.still = cell.network
            shade = (counts / counts.sum(1, keepdim=True).clamp(min=1)).sqrt()  # the root: rare mistakes show too
            self.shades.set_data(shade.numpy())
            for row, numbers, shades in zip(self.counts, counts.tolist(), shade.tolist(), strict=True):
                for text, number, dark in zip(row, numbers, shades, strict=True):
                    text.set(text=str(number) if number else "", color="white" if dark > 0.6 else "black")
        self.frame.set_xy((cell.called - 0.5, cell.true - 0.5))
        self.title.set_text(f"{names[cell.true]}, called {names[cell.called]}: {len(cell.members)} images")
        height, width = self.images.images.shape[1:3]
        paper = torch.full((PAGE, self.tall, self.wide, 3), 255, dtype=torch.uint8)
        paper[: len(cell.shown), :height, :width] = self.images.images[cell.shown]
        paper = paper.view(ROWS, COLUMNS, self.tall, self.wide, 3).permute(0, 2, 1, 3, 4)
        self.paper.set_data(paper.reshape(ROWS * self.tall, COLUMNS * self.wide, 3).numpy())
        for place, text in enumerate(self.sure):
            text.set_text(f"{cell.confidence[place]:.0%}" if place < len(cell.confidence) else "")


def text(cell: Cell, classes: tuple[str, ...]) -> str:
    true, called = classes[cell.true], classes[cell.called]
    row, column = int(cell.counts[cell.true].sum()), int(cell.counts[:, cell.called].sum())
    precision, recall = precision_recall(cell.counts)
    start = cell.members.index(cell.shown[0]) + 1 if cell.shown else 0
    which = f"{start} to {start + len(cell.shown) - 1}, the surest first" if cell.shown else "none"
    share = f" ({len(cell.members) / row:.1%})" if row else ""
    words = f"recall of {true} {recall[cell.true]:.1%}"
    if column:
        words += f", precision of {called} {precision[cell.called]:.1%} ({column} images were called so)"
    return (
        f"<b>{cell.network}: {len(cell.members)} of {row} images of {true}{share} were called {called}.</b> "
        f"Shown: {which}; under each how sure the network was.<br>In this row and column: {words}."
    )


def confusion_explorer(images: ImageSet, logits: Mapping[str, torch.Tensor]) -> Explorer:
    """Choose a network, a true class and a called one: the cell's images, surest answer first, `PAGE` at a time.

    `logits` gives for each network's name its logits [N,classes] on all `images`; `result` is a `Cell`. The first state
    is the most frequent mistake of the first network.
    """
    if not logits:
        raise ValueError("confusion_explorer needs the logits of at least one network: {name: logits [N,classes]}")
    counts = {name: confusion_matrix(values, images.labels) for name, values in logits.items()}
    answers = {name: values.softmax(1).max(1) for name, values in logits.items()}  # (confidence, class) of each image

    def compute(network: str, true: str, called: str, clicks: int) -> Cell:
        row, column = images.classes.index(true), images.classes.index(called)
        confidence, predicted = answers[network]
        members = torch.nonzero((images.labels == row) & (predicted == column)).flatten()
        members = members[confidence[members].argsort(descending=True, stable=True)]
        pages = max(1, -(-len(members) // PAGE))
        shown = members[clicks % pages * PAGE :][:PAGE]
        return Cell(network, row, column, counts[network], members.tolist(), shown.tolist(), confidence[shown].tolist())

    first = next(iter(logits))
    mistakes = counts[first].clone().fill_diagonal_(0)
    true, called = divmod(int(mistakes.argmax()), len(images.classes))
    controls = {
        "network": menu("network", list(logits), first),
        "true": menu("the image shows", images.classes, images.classes[true]),
        "called": menu("it was called", images.classes, images.classes[called]),
        "clicks": counting_button("next images"),
    }
    return Explorer(controls, compute, partial(ConfusionPicture, images), lambda cell: text(cell, images.classes))


def example() -> Explorer:
    """Two invented networks on the sample's test images; the first takes many cats for dogs."""
    _, test = load_cifar10("sample")
    better = torch.randn(len(test), 10, generator=torch.Generator().manual_seed(0)) + 3 * one_hot(test.labels, 10)
    worse = better.clone()
    worse[test.labels == test.classes.index("cat"), test.classes.index("dog")] += 3
    return confusion_explorer(test, {"worse": worse, "better": better})
