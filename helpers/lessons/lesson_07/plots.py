"""Drawings of lesson 07: paths, schedules and curves; the ablation over seeds; where learning rates come from."""

import math
import statistics
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from helpers.checkpoints import History
from helpers.evaluation import Accuracy, mean_interval, wilson_interval
from helpers.lessons.lesson_07.ablation import changes
from helpers.plots import COLOURS

MARKS = ("o", "s", "^", "D", "v")


def smooth(losses: Sequence[float], keep: float = 0.9) -> list[float]:
    """The running average that starts at the first loss and keeps nine tenths of itself in each step."""
    found = [losses[0]]
    for loss in losses[1:]:
        found.append(keep * found[-1] + (1 - keep) * loss)
    return found


# ---------------------------------------------------------------------------------------------- the first page


def draw_paths(paths: Mapping[str, Sequence[float]]) -> Figure:
    """A weight's way to the best value, 3, a line a setting."""
    figure, axis = plt.subplots(figsize=(7.5, 2.3))
    for (label, path), style in zip(paths.items(), ("-", "--", ":"), strict=True):
        axis.plot(path, style, label=label)
    axis.set(title="Too slow, rolling, too fast", xlabel="step", ylabel="weight w (best at 3)", ylim=(-1, 7))
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def draw_schedule(rates: Sequence[float]) -> Figure:
    """The learning rate of each step."""
    figure, axis = plt.subplots(figsize=(6, 2.1))
    axis.plot(rates)
    axis.set(title=f"Warm-up and cosine: {len(rates):,} steps, lr {max(rates):g}", xlabel="step")
    axis.set(ylabel="learning rate")
    return figure


def draw_ablation(rows: list[dict], longer: list[dict] = (), anew: list[dict] = ()) -> Figure:
    """Short runs with a part of the recipe changed: the seeds' differences to it, their mean with its interval over
    seeds. `longer` runs stand beside them, a mark each, and the same with BatchNorm measured `anew`; what these alone
    tried has a line at the end."""
    found, figure, axis = changes(rows), *plt.subplots(figsize=(7, 4.4))
    names = [*found, *(name for name in changes(longer, parts=(1, 2)) if name not in found)]
    for name, pairs in found.items():
        points, place = [100 * pair.difference for pair in pairs], names.index(name)
        middle, low, high = mean_interval(points)
        axis.errorbar(middle, place, xerr=[[middle - low], [high - middle]], fmt="D", capsize=3, color=COLOURS["blue"],
                      label=None if place else "short: mean, 95 % interval over seeds")  # fmt: skip
        axis.plot(points, [place + 0.28] * len(points), "o", ms=4, color=COLOURS["orange"],
                  label=None if place else "short: a seed")  # fmt: skip
    marks = ("longer: a seed", longer, COLOURS["vermillion"]), ("the same, BatchNorm anew", anew, "none")
    for label, runs, colour in marks:
        for number, (name, pairs) in enumerate(changes(runs, parts=(1, 2)).items()):
            points, look = [100 * pair.difference for pair in pairs], {"mfc": colour, "mec": COLOURS["vermillion"]}
            axis.plot(points, [names.index(name) - 0.28] * len(points), "s", ms=6 if colour != "none" else 10, **look,
                      label=None if number else label)  # fmt: skip
    axis.axvline(0, color="black", linewidth=1)
    axis.set_yticks(range(len(names)), names)
    axis.set(title="The recipe changed", xlabel="points of validation accuracy, against the recipe")
    axis.set_ylim(len(names) - 0.4, -0.6)  # the costliest on top
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure


def draw_history(history: History, title: str, training: str, validation: str) -> Figure:
    """Training and validation loss, epoch by epoch, up to a loss of 4."""
    figure, axis = plt.subplots(figsize=(6, 2.4))
    epochs = range(1, len(history) + 1)
    axis.plot(epochs, history.loss, label=training)
    axis.plot(epochs, history.validation_loss, "--", label=validation)
    axis.set(title=title, xlabel="epoch", ylabel="cross-entropy", ylim=(0, 4))
    axis.legend()
    return figure


def draw_zoo_curves(rows: list[dict], shown: Mapping[tuple[float, int], str]) -> Figure:
    """Validation accuracy of the zoo's trainings {(width, seed): colour} at 32 pixels, epoch by epoch."""
    figure, axis = plt.subplots(figsize=(6, 2.6))
    for (width, seed), colour in shown.items():
        mine = [row for row in rows if (row["width"], row["resolution"], row["seed"]) == (width, 32, seed)]
        axis.plot([row["epoch"] for row in mine], [100 * row["validation_accuracy"] for row in mine],
                  ls=("-", "--", ":")[seed], color=COLOURS[colour], label=f"α = {width}, seed {seed}")  # fmt: skip
    axis.set(title="CIFAR-10, complete: 45,000 training images", xlabel="epoch")
    axis.set_ylabel("validation accuracy, %")
    axis.legend(fontsize=9)
    return figure


# ---------------------------------------------------------------------------------------------- the second page


def draw_range_tests(tests: Mapping[str, tuple[Sequence[float], Sequence[Sequence[float]]]]) -> Figure:
    """{network: (rates, the losses of each seed)}: a thin line a seed, and the smoothed mean with its lowest point."""
    figure, axes = plt.subplots(1, len(tests), figsize=(7, 2.4), sharey=True, squeeze=False)
    for axis, (name, (rates, losses)) in zip(axes[0], tests.items(), strict=True):
        for place, each in enumerate(losses):
            axis.plot(rates, each, lw=0.8, color=COLOURS["sky"], label=None if place else "a seed")
        mean = smooth(np.mean(losses, axis=0).tolist())
        lowest = int(np.argmin(mean))
        axis.plot(rates, mean, color=COLOURS["blue"], label="mean, smoothed")
        axis.plot(rates[lowest], mean[lowest], "o", ms=8, color=COLOURS["vermillion"], label="its lowest point")
        axis.axhline(math.log(10), color="black", ls="--", lw=1)
        axis.set(xscale="log", ylim=(1.2, 4), title=name, xlabel="learning rate")
    axes[0][0].set_ylabel("loss of the batch")
    axes[0][0].legend(loc="upper left", fontsize=9)
    return figure


def draw_pilot(rows: list[dict]) -> Figure:
    """Learning rate × weight decay as a grid of validation accuracies, in per cent."""
    rates, decays = (sorted({row[name] for row in rows}) for name in ("lr", "weight_decay"))
    found = {(row["weight_decay"], row["lr"]): 100 * row["validation_accuracy"] for row in rows}
    grid = [[found[decay, rate] for rate in rates] for decay in decays]
    figure, axis = plt.subplots(figsize=(5, 2.3))
    axis.imshow(grid, cmap="cividis", aspect="auto")
    for y, row in enumerate(grid):
        for x, value in enumerate(row):
            dark = value < (np.min(grid) + np.max(grid)) / 2
            axis.text(x, y, f"{value:.1f} %", ha="center", va="center", color="white" if dark else "black")
    axis.set(xticks=range(len(rates)), xticklabels=rates, yticks=range(len(decays)), xlabel="learning rate")
    axis.set(yticklabels=[f"{decay:g}" for decay in decays], ylabel="weight decay")
    axis.set_title("The pilot: six runs, one seed")
    axis.grid(False)
    return figure


def draw_rates(rows: list[dict]) -> Figure:
    """Validation accuracy against the learning rate: a line a batch size through the seeds' means, a dot a seed."""
    figure, axis = plt.subplots(figsize=(6.5, 3.1))
    for size, mark, style in zip(sorted({row["batch_size"] for row in rows}), MARKS, ("-", "--", ":"), strict=False):
        mine = [row for row in rows if row["batch_size"] == size]
        rates = sorted({row["lr"] for row in mine})
        each = [[100 * row["accuracy"] for row in mine if row["lr"] == rate] for rate in rates]
        (line,) = axis.plot(rates, [statistics.mean(values) for values in each], style, marker=mark,
                            label=f"batches of {size}")  # fmt: skip
        for rate, values in zip(rates, each, strict=True):
            axis.plot([rate] * len(values), values, mark, ms=4, alpha=0.5, color=line.get_color())
    axis.set(xscale="log", xlabel="learning rate", ylabel="validation accuracy, %")
    axis.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axis.set_title("Rate and batch size")
    axis.minorticks_off()
    axis.legend()
    return figure


def draw_norms(norms: Mapping[str, Sequence[float]], lr: float) -> Figure:
    """A layer's norm step by step, and the effective rate lr/‖w‖² that follows from it."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.7))
    for (name, values), style in zip(norms.items(), ("-", "--", ":"), strict=False):
        left.plot(values, style, label=name)
        right.plot([lr / value**2 for value in values], style, label=name)
    left.set(title="The norm of one layer", xlabel="step", ylabel="‖w‖")
    right.set(title=f"The effective rate, {lr:g}/‖w‖²", xlabel="step", ylabel="lr/‖w‖²")
    right.set_ylim(0, None)
    left.legend(fontsize=9)
    return figure


def draw_two_by_two(found: Mapping[tuple[str, str], Sequence[float]]) -> Figure:
    """{(schedule, kind of weights): per cent, one a seed}: a mark a seed, lines join their means."""
    figure, axis = plt.subplots(figsize=(5.5, 2.7))
    kinds = list(dict.fromkeys(kind for _, kind in found))
    for schedule, mark, style in zip(dict.fromkeys(name for name, _ in found), MARKS, ("-", "--"), strict=False):
        values = [found[schedule, kind] for kind in kinds]
        (line,) = axis.plot(kinds, [statistics.mean(each) for each in values], style, label=schedule)
        for kind, each in zip(kinds, values, strict=True):
            axis.plot([kind] * len(each), each, mark, ms=5, color=line.get_color())
    axis.set(title="Averaging and cosine", ylabel="validation accuracy, %", xlim=(-0.4, len(kinds) - 0.6))
    axis.legend()
    return figure


def draw_recalls(found: Mapping[str, Mapping[str, Accuracy]]) -> Figure:
    """{way of training: {class: Accuracy of its images}}: the share found of each class, with its interval."""
    figure, axis = plt.subplots(figsize=(8, 3))
    names = list(next(iter(found.values())))
    for place, (way, classes) in enumerate(found.items()):
        spots = [x + 0.26 * (place - (len(found) - 1) / 2) for x in range(len(names))]
        heights = [100 * classes[name].value for name in names]
        ends = [[100 * (one.value - one.low) for one in classes.values()],
                [100 * (one.high - one.value) for one in classes.values()]]  # fmt: skip
        axis.errorbar(spots, heights, ends, fmt=MARKS[place], capsize=2, label=way)
    axis.set(title="How many of each class are found", ylabel="recall, %", xticks=range(len(names)), ylim=(-4, 100))
    axis.set_xticklabels(names, fontsize=9)
    axis.legend(ncols=len(found), loc="upper center", fontsize=9)
    return figure


def draw_shapes(rows: list[dict]) -> Figure:
    """Validation accuracy of the shapes of the budget's pilot, the best on top, with the interval over images."""
    rows = sorted(rows, key=lambda row: row["validation_accuracy"])
    figure, axis = plt.subplots(figsize=(7, 2.8))
    for place, row in enumerate(rows):
        share = row["validation_accuracy"]
        low, high = wilson_interval(round(5000 * share), 5000)
        colour = COLOURS["orange" if row["shape"] == "zoo" else "blue"]
        axis.errorbar(100 * share, place, xerr=[[100 * (share - low)], [100 * (high - share)]], fmt="o", capsize=3,
                      color=colour)  # fmt: skip
    names = [f"{row['shape']} ({row['parameters'] / 1e6:.1f}M weights)" for row in rows]
    axis.set_yticks(range(len(rows)), names)
    axis.set(title="Seven shapes of 25 million MACs", xlabel="validation accuracy, %")
    return figure
