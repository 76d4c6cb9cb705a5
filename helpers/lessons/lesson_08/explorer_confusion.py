"""Lesson 08: choose a cell of the confusion matrix, see the images that are in it."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch.nn.functional import one_hot

from helpers.data import ImageSet, load_cifar10
from helpers.evaluation import confusion_matrix, precision_recall
from helpers.explorer import Explorer, counting_button, menu
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


def draw(cell: Cell, images: ImageSet) -> Figure:
    figure = Figure(figsize=(9.9, 4.3), layout="none")  # fixed margins: half the time of a computed layout
    matrix = figure.add_axes((0.098, 0.2, 0.36, 0.72))
    classes, counts = len(images.classes), cell.counts
    shade = (counts / counts.sum(1, keepdim=True).clamp(min=1)).sqrt()  # the root: rare mistakes can be seen too
    matrix.imshow(shade.numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for true, called in torch.nonzero(counts).tolist():
        colour = "white" if shade[true, called] > 0.6 else "black"
        matrix.text(called, true, int(counts[true, called]), ha="center", va="center", fontsize=8, color=colour)
    place = (cell.called - 0.5, cell.true - 0.5)
    matrix.add_patch(Rectangle(place, 1, 1, fill=False, linewidth=3, edgecolor=COLOURS["vermillion"], zorder=3))
    matrix.set_xticks(range(classes), images.classes, rotation=50, ha="right", rotation_mode="anchor", fontsize=9)
    matrix.set_yticks(range(classes), images.classes, fontsize=9)
    matrix.tick_params(length=0, pad=2)
    matrix.grid(visible=False)
    matrix.set(title="Row: true class, column: answer")
    pictures = figure.add_axes((0.485, 0.02, 0.51, 0.9), xticks=(), yticks=(), frame_on=False)
    title = f"{images.classes[cell.true]}, called {images.classes[cell.called]}"
    pictures.set_title(f"{title}: {len(cell.members)} images")
    height, width = images.images.shape[1:3]
    paper = torch.full((PAGE, int(1.25 * height), width + 3, 3), 255, dtype=torch.uint8)  # room for the words below
    paper[: len(cell.shown), :height, :width] = images.images[cell.shown]
    tall, wide = paper.shape[1:3]
    paper = paper.view(ROWS, COLUMNS, tall, wide, 3).permute(0, 2, 1, 3, 4).reshape(ROWS * tall, COLUMNS * wide, 3)
    pictures.imshow(paper.numpy(), aspect="auto")
    for place, confidence in enumerate(cell.confidence):
        x, y = place % COLUMNS * wide + width / 2, place // COLUMNS * tall + 1.1 * height
        pictures.text(x, y, f"{confidence:.0%}", ha="center", va="center", fontsize=9)
    return figure


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
    return Explorer(
        controls, compute, lambda cell: draw(cell, images), lambda cell: text(cell, images.classes), text_height=64
    )


def example() -> Explorer:
    """Two invented networks on the sample's test images; the first takes many cats for dogs."""
    _, test = load_cifar10("sample")
    better = torch.randn(len(test), 10, generator=torch.Generator().manual_seed(0)) + 3 * one_hot(test.labels, 10)
    worse = better.clone()
    worse[test.labels == test.classes.index("cat"), test.classes.index("dog")] += 3
    return confusion_explorer(test, {"worse": worse, "better": better})
