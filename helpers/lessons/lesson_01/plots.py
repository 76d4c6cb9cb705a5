"""The figures of lesson 01's two pages, for `helpers.plots.show`.

Those of the second page come with their alternative text, made from what is drawn: `plots.show(*pairs(…))`.
"""

import math

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from helpers.plots import COLOURS, show_images

THREE = ("blue", "orange", "green")  # cat, dog, frog; as in the explorer


def zoom(image: torch.Tensor, rows: slice, columns: slice) -> Figure:
    """An image, uint8 [H,W,3], and beside it the pixels of some `rows` and `columns`, large."""
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.7))
    for axis, part in zip(axes, (image, image[rows, columns]), strict=True):
        axis.imshow(part)
        shape = " × ".join(map(str, part.shape))
        axis.set(title=f"{shape} = {part.numel():,} numbers", xticks=[], yticks=[])
    return figure


def chain(image: torch.Tensor, names: list[str], scores: list[float], truth: int = 0) -> Figure:
    """Image, uint8 [H,W,3] → network → `scores` → softmax → probabilities → cross-entropy for class `truth`."""
    exponentials = [math.exp(score) for score in scores]
    probabilities = [value / sum(exponentials) for value in exponentials]
    figure = Figure(figsize=(9.8, 2.9), layout="none")
    pixels = figure.add_axes((0.01, 0.24, 0.155, 0.52))
    pixels.imshow(image)
    pixels.set(xticks=[], yticks=[])
    pixels.set_title("image x", loc="center", fontsize=11)
    pixels.set_xlabel(f"{image.numel():,} numbers")
    panels = (
        ((0.425, 0.24, 0.145, 0.52), scores, "scores z", "any numbers", "{:g}", (-2.2, 3)),
        ((0.665, 0.24, 0.145, 0.52), probabilities, "probabilities p", "0 to 1, together 1", "{:.3f}", (0, 0.95)),
    )
    for place, values, title, below, form, limits in panels:
        axis = figure.add_axes(place)
        bars = axis.bar(names, values, color=[COLOURS[colour] for colour in THREE], width=0.65)
        axis.bar_label(bars, [form.format(value) for value in values], fontsize=9, padding=1)
        axis.axhline(0, color="black", linewidth=0.8)
        axis.set(ylim=limits, yticks=[], xlabel=below)
        axis.set_title(title, loc="center", fontsize=11)
        axis.spines[["left", "bottom"]].set_visible(False)
        axis.tick_params(axis="x", length=0, labelsize=9.5)
        axis.grid(False)
    _box(figure, (0.245, 0.37, 0.115, 0.27), "network f\nits weights\nare learned")
    loss = -math.log(probabilities[truth])
    _box(figure, (0.885, 0.37, 0.108, 0.27), f"loss\n−ln {probabilities[truth]:.3f}\n= {loss:.2f}")
    figure.text(0.939, 0.125, f"true class:\n{names[truth]}", ha="center", va="center", fontsize=9.5)
    for start, end, words in (
        (0.175, 0.24, ""), (0.365, 0.42, ""), (0.582, 0.657, "softmax"), (0.817, 0.88, "cross-\nentropy"),
    ):  # fmt: skip
        _arrow(figure, (start, 0.5), (end, 0.5))
        figure.text((start + end) / 2, 0.54, words, ha="center", va="bottom", fontsize=9)
    _arrow(figure, (0.939, 0.21), (0.939, 0.35))
    return figure


def _box(figure: Figure, place: tuple[float, float, float, float], words: str) -> None:
    left, bottom, width, height = place
    look = {"boxstyle": "round,pad=0,rounding_size=0.02", "mutation_aspect": 9.8 / 2.9, "facecolor": "#EEF3F8"}
    figure.add_artist(FancyBboxPatch((left, bottom), width, height, edgecolor="black", **look))
    figure.text(left + width / 2, bottom + height / 2, words, ha="center", va="center", fontsize=9.5)


def _arrow(figure: Figure, start: tuple[float, float], end: tuple[float, float]) -> None:
    figure.add_artist(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=12, color="black"))


def training_loss(losses: list[float], first: float, steps_per_epoch: int) -> Figure:
    """The loss of every step, and the level `first` from which a network that knows nothing starts."""
    figure, axis = plt.subplots(figsize=(7.2, 3.4))
    epochs = [(step + 0.5) / steps_per_epoch for step in range(len(losses))]
    axis.plot(epochs, losses, linewidth=1, color=COLOURS["blue"], label="loss of one batch")
    axis.axhline(first, linestyle=":", color="black", linewidth=1.5, label=f"knowing nothing: ln 10 = {first:.2f}")
    axis.set(xlabel="epoch", ylabel="cross-entropy", title="Downhill, 100 images at a time")
    axis.legend(loc="upper right", bbox_to_anchor=(1, 0.92))
    return figure


def templates(weights: torch.Tensor, names: list[str]) -> Figure:
    """A linear classifier's weights [10,3072] as pictures: grey is 0; a brighter colour raises that class's score."""
    pictures = weights.view(-1, 32, 32, 3)
    largest = pictures.abs().amax((1, 2, 3), keepdim=True)
    shown = ((0.5 + 0.5 * pictures / largest) * 255).round().to(torch.uint8)
    return show_images(shown, names, columns=5, scale=1.3, title="The weights of each class's score, as pictures")


def expected_costs(miss: float, false_alarm: float) -> Figure:
    """What acting and not acting cost on average, against the probability p of the rare class; they cross at p*."""
    threshold = false_alarm / (false_alarm + miss)
    p = torch.linspace(0, 0.2, 101)
    figure, axis = plt.subplots(figsize=(7.2, 3.9))
    axis.plot(p, p * miss, label=f"send home: pay {miss:g} if there is a lesion")
    axis.plot(p, (1 - p) * false_alarm, "--", label=f"look again: pay {false_alarm:g} if there is none")
    axis.axvline(threshold, ymax=0.75, color="black", linewidth=1, linestyle=":")
    place = (threshold + 0.004, 1.2)
    axis.annotate(f"equal at p = {threshold:.1%}", place, color="black")
    axis.set(xlabel="probability p of a lesion", ylabel="expected cost", xlim=(0, 0.2), ylim=(0, miss / 5))
    axis.set_title("What each answer costs on average")
    axis.legend(loc="upper left")
    return figure


def neighbour_rows(questions, answers: list, names: tuple[str, ...]) -> tuple[Figure, str]:
    """A row for each image of the ImageSet `questions`: it, then its nearest ones, the ImageSet `answers[row]`."""
    images, titles, told = [], [], []
    for row, near in enumerate(answers):
        asked, found = names[questions.labels[row]], [names[label] for label in near.labels]
        images += [questions.images[row], *near.images]
        titles += [f"{asked}?", *found]
        told.append(f"the neighbours of a {asked} are {', '.join(found)}")
    title = "First the question, then its nearest neighbours"
    figure = show_images(torch.stack(images), titles, columns=1 + len(answers[0]), scale=0.9, title=title)
    return figure, f"Rows of small images of like colours and layout: {'; '.join(told)}."


def validation_curves(title: str, turned: str, values: list[float], accuracies: torch.Tensor) -> tuple[Figure, str]:
    """Accuracies [folds, values], from 0 to 1, against the `values` of what is `turned`, on a logarithmic axis.

    A dot for every fold, a line for their mean, and a ring where the mean is highest.
    """
    figure, axis = plt.subplots(figsize=(5.0, 3.0))
    for fold in 100 * accuracies:
        axis.plot(values, fold, "o", color=COLOURS["sky"], markersize=3.5)
    mean = 100 * accuracies.mean(0)
    best = int(mean.argmax())
    axis.plot(values, mean, "o-", color=COLOURS["blue"], markersize=4)
    axis.plot(values[best], mean[best], "o", color=COLOURS["vermillion"], markersize=13, fillstyle="none")
    axis.set(xscale="log", xlabel=turned, ylabel="accuracy in %, fold left out", title=title)
    axis.set_xticks(values, [f"{value:g}" for value in values])
    axis.minorticks_off()
    ends = f"from {mean[0]:.0f} % at {values[0]:g} to {mean[-1]:.0f} % at {values[-1]:g}"
    told = f"The mean goes {ends}, highest at {values[best]:g} with {mean[best]:.1f} %."
    return (
        figure,
        f"{title}: accuracy of {len(accuracies)} folds, dots, and their mean, a line, against {turned}. {told}",
    )


def accuracy_against_cost(judged: dict, costs: dict[str, tuple[int, int]], source: str) -> tuple[Figure, str]:
    """Test accuracy with its interval against parameters and against MACs; a line for what costs no MACs.

    judged  name → `Accuracy`;  costs  name → (parameters, MACs)
    """
    figure, panels = plt.subplots(1, 2, figsize=(9.2, 4.1), sharey=True)
    units = ("parameters (stored numbers)", "MACs for one image")
    drawn = [name for name in judged if costs[name][1]]
    for column, axis in enumerate(panels):
        for name, marker in zip(drawn, "osD^v", strict=False):
            value, low, high = (100 * x for x in (judged[name].value, judged[name].low, judged[name].high))
            spread = [[value - low], [high - value]]
            axis.errorbar(costs[name][column], value, spread, fmt=marker, markersize=8, capsize=4, label=name)
        for name in judged.keys() - drawn:
            axis.axhline(100 * judged[name].value, color="black", linestyle=":", linewidth=1.5, label=name)
        axis.set(xscale="log", xlabel=units[column], xlim=(1e4, 1e8), ylim=(0, 80))
    panels[0].set(ylabel="test accuracy in %", title="Accuracy against memory …")
    panels[1].set_title("… and against work")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(f"95 % intervals · {source}", fontsize=10)
    told = [f"{name} {one.value:.1%}" for name, one in judged.items()]
    return figure, f"Test accuracy against parameters and against MACs, on logarithmic axes: {', '.join(told)}."


def pairs(first: torch.Tensor, second: torch.Tensor, names: tuple[str, str]) -> tuple[Figure, str]:
    """One bar for all images, bool [N] each (was it right?), cut into: both right, only one of the two, both wrong."""
    parts = {
        "both right": (int((first & second).sum()), "#BBBBBB"),
        f"only {names[0]}": (int((first & ~second).sum()), COLOURS["blue"]),
        f"only {names[1]}": (int((~first & second).sum()), COLOURS["orange"]),
        "both wrong": (int((~first & ~second).sum()), "#E4E4E4"),
    }
    figure, axis = plt.subplots(figsize=(9.2, 1.9))
    left = 0
    for words, (count, colour) in parts.items():
        axis.barh(0, count, left=left, color=colour, edgecolor="white", label=f"{words}: {count:,}")
        left += count
    axis.set(yticks=[], xlim=(0, left), xlabel="test images", title="The same images, two classifiers")
    axis.grid(False)
    figure.legend(loc="outside lower center", ncols=4, fontsize=9.5)
    told = ", ".join(f"{words} {count}" for words, (count, _) in parts.items())
    return figure, f"A bar of {left:,} test images in four parts: {told}."
