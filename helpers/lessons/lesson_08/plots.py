"""The figures of lesson 08's two pages, each with its alternative text made from what is drawn: `plots.show(*f(…))`."""

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from helpers.data import ImageSet
from helpers.evaluation import Calibration, precision_recall, wilson_interval
from helpers.lessons.lesson_08.intervals import over_seeds
from helpers.lessons.lesson_08.mistakes import HARMLESS, MISTAKES, REALISTIC
from helpers.lessons.lesson_08.robustness import DAMAGE, damage
from helpers.plots import COLOURS, show_images

Drawn = tuple[Figure, str]
KINDS = [kind for kind in DAMAGE if kind != "none"]
UNITS = {"blur": "σ, pixels", "noise": "σ, of 255", "darker": "factor", "brighter": "factor", "jpeg": "quality"}


def _bar(axis: Axes, low: float, high: float, place: float, colour: str, width: float, label: str = "") -> None:
    """An interval as a horizontal line at height `place`."""
    look = {"color": COLOURS[colour], "linewidth": width, "solid_capstyle": "butt"}
    axis.plot([low, high], [place, place], label=label or None, **look)


# ---------------------------------------------------------------------------------------------- page 08


def two_intervals(rows: Sequence[Mapping]) -> Drawn:
    """Every training's accuracy by width; under each what its images leave open, beside them what trainings do.

    `rows` are those of zoo.csv at one resolution.
    """
    figure, axis = plt.subplots(figsize=(8, 3.9))
    widths, words = sorted({row["width"] for row in rows}), []
    for place, width in enumerate(widths):
        mine = [row for row in rows if row["width"] == width]
        values = [100 * row["accuracy"] for row in mine]
        for step, row in enumerate(mine):
            _bar(axis, 100 * row["low"], 100 * row["high"], place + 0.12 * step - 0.1, "sky", 4,
                 "over images, of one training" if place == step == 0 else "")  # fmt: skip
            axis.plot(100 * row["accuracy"], place + 0.12 * step - 0.1, "o", color=COLOURS["blue"], markersize=5)
        if len(mine) > 2:  # two may agree by luck, and their bar would look like knowledge
            low, high = over_seeds(values)
            _bar(axis, low, high, place - 0.28, "orange", 4, "over trainings, of their mean" if not words else "")
            axis.plot(sum(values) / len(values), place - 0.28, "D", color=COLOURS["vermillion"], markersize=5)
            words.append(
                f"{width:g}: {len(mine)} trainings, mean {sum(values) / len(values):.1f} ± {(high - low) / 2:.1f}"
            )
    axis.set_yticks(range(len(widths)), [f"α = {width:g}" for width in widths])
    axis.invert_yaxis()
    left = min(100 * row["accuracy"] for row in rows) - 5
    axis.set(xlim=(left, 92), xlabel="accuracy, % of the 10,000 test images", title="Two intervals, two questions")
    axis.xaxis.set_major_locator(MultipleLocator(5))
    axis.margins(y=0.08)
    axis.legend(loc="lower left", fontsize=9)
    return figure, (
        f"A row for each of {len(widths)} widths: a dot with a narrow interval over images for each training, and "
        f"where there are three or more the interval over trainings. Width {'; '.join(words)} %."
    )


def classes(counts: torch.Tensor, names: Sequence[str]) -> Drawn:
    """Recall and precision of each class with 95 % intervals, the lowest recall on top; from counts [C,C]."""
    precision, recall = precision_recall(counts)
    order = recall.argsort().tolist()
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.9), sharey=True, sharex=True)
    panels = (
        ("Recall: of its images, found", recall, counts.sum(1)),
        ("Precision: of its calls, right", precision, counts.sum(0)),
    )
    for axis, (title, values, totals) in zip(axes, panels, strict=True):
        for place, index in enumerate(order):
            ends = wilson_interval(int(counts[index, index]), int(totals[index]))
            _bar(axis, 100 * ends[0], 100 * ends[1], place, "sky", 5)
            axis.plot(100 * float(values[index]), place, "o", color=COLOURS["blue"], markersize=5)
        axis.axvline(100 * float(values.mean()), color="black", linewidth=1, linestyle="--")
        axis.set(title=title, xlabel="%")
    axes[0].set_yticks(range(len(names)), [names[index] for index in order])
    axes[0].invert_yaxis()
    worst, best = order[0], order[-1]
    return figure, (
        f"Recall and precision of {len(names)} classes with intervals, worst recall on top: {names[worst]} "
        f"{recall[worst]:.0%}, {names[best]} {recall[best]:.0%}. A dashed line marks the mean of the classes, "
        f"{recall.mean():.1%} and {precision.mean():.1%}."
    )


def precision_against_recall(score: torch.Tensor, positive: torch.Tensor, shares: Sequence[float]) -> Drawn:
    """Precision against recall for all thresholds on `score` [N]; a line a share of positive images.

    `positive` is bool [N]; other shares than its own are made by weighing the positive ones.
    """
    order = score.argsort(descending=True)
    hits, false = positive[order].double().cumsum(0), (~positive[order]).double().cumsum(0)
    own = float(positive.double().mean())
    figure, axis = plt.subplots(figsize=(6.6, 3.6))
    words = []
    for share, colour in zip(shares, ("blue", "vermillion", "green"), strict=False):
        weight = share / (1 - share) * (1 - own) / own
        precision, recall = weight * hits / (weight * hits + false), hits / hits[-1]
        axis.plot(100 * recall, 100 * precision, color=COLOURS[colour], label=f"{share:.0%} of the images")
        words.append(f"with {share:.0%} {100 * float(precision[int((recall < 0.8).sum())]):.0f} %")
    axis.set(xlabel="recall, %", ylabel="precision, %", ylim=(0, 102), title="The same scores, rarer cats")
    axis.legend(loc="lower left")
    return (
        figure,
        f"Precision falls as recall grows, and lower for rarer cats: at a recall of 80 % it is {', '.join(words)}.",
    )


def sure_and_wrong(images: ImageSet, logits: torch.Tensor, name: str, count: int = 16) -> Drawn:
    """The surest mistakes of logits [N,C], each image with the answer, its confidence, and the truth."""
    confidence, answers = logits.softmax(1).max(1)
    wrong = torch.nonzero(answers != images.labels)[:, 0]
    surest = wrong[confidence[wrong].argsort(descending=True)[:count]].tolist()
    said, true = ([images.classes[int(part[i])] for i in surest] for part in (answers, images.labels))
    sure = [f"{float(confidence[i]):.0%}" for i in surest]
    titles = [f"{word} {share}\nis: {truth}" for word, share, truth in zip(said, sure, true, strict=True)]
    figure = show_images(images.images[surest], titles, columns=8, scale=1.15, title=f"Sure, and wrong ({name})")
    pairs = ", ".join(f"a {truth} called {word}" for word, truth in zip(said[:4], true[:4], strict=True))
    return (
        figure,
        f"{len(surest)} photos that were called wrong with {sure[0]} to {sure[-1]} confidence: {pairs} and others.",
    )


def reliability(found: Mapping[str, Calibration]) -> Drawn:
    """A reliability diagram for each {title: calibration}: the share right in each bin, at its mean confidence."""
    figure, axes = plt.subplots(1, len(found), figsize=(4.5 * len(found), 3.7), sharey=True, squeeze=False)
    words = []
    for axis, (title, one) in zip(axes[0], found.items(), strict=True):
        bins = len(one.count)
        axis.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle="--")
        places = (torch.arange(bins) + 0.5) / bins
        axis.bar(places, one.accuracy, 0.94 / bins, color=COLOURS["sky"], label="share right")
        axis.plot(one.confidence, one.accuracy, "o", color=COLOURS["blue"], label="bin at its mean confidence")
        axis.set(title=f"{title}: ECE {one.error:.1%}", xlabel="confidence", xlim=(0, 1), ylim=(0, 1.03))
        pairs = [(a, c) for a, c, n in zip(one.accuracy, one.confidence, one.count, strict=True) if n]
        above = sum(a > c for a, c in pairs)
        words.append(f"{title}: {above} of {len(pairs)} dots above the diagonal")
    axes[0][0].set_ylabel("share of right answers")
    axes[0][0].legend(loc="upper left", fontsize=9)
    return figure, f"{len(found)} reliability diagrams. {'; '.join(words)}."


# ---------------------------------------------------------------------------------------------- page 08b


def damages(images: ImageSet, which: int) -> Drawn:
    """One image, damaged in twenty ways: a column a kind, stronger downwards."""
    one, pictures, titles = images[torch.tensor([which])], [], []
    for step in range(4):
        for kind in KINDS:
            strength = DAMAGE[kind][1][step]
            pictures.append(damage(one, kind, strength).images)
            titles.append(f"{kind} {strength:g}")
    look = {"columns": len(KINDS), "scale": 1.15, "title": "One image, damaged in twenty ways"}
    name = images.classes[int(images.labels[which])]
    return show_images(torch.cat(pictures), titles, **look), (
        f"A {name} in five columns ({', '.join(KINDS)}) and four rows that grow stronger; in the last row it is hard "
        "to tell what it is."
    )


def by_kind(rows: Sequence[Mapping], pairs: Sequence[Mapping], wide: float = 1.0, narrow: float = 0.25) -> Drawn:
    """Above: accuracy of two widths, a panel a kind of damage. Below: what the wide one lost more, with its interval.

    `rows` are those of robustness.csv, `pairs` of robustness_pairs.csv, both of the same images.
    """
    share = {(row["width"], row["kind"], row["strength"]): 100 * row["accuracy"] for row in rows}
    change = {(row["kind"], row["strength"]): row for row in pairs if (row["first"], row["second"]) == (wide, narrow)}
    figure, axes = plt.subplots(2, len(KINDS), figsize=(10.4, 5), sharey="row", sharex="col")
    words = []
    for kind, (above, below) in zip(KINDS, axes.T, strict=True):
        strengths = DAMAGE[kind][1]
        for width, colour, mark in ((wide, "blue", "o"), (narrow, "orange", "s")):
            values = [share[width, "none", 0], *(share[width, kind, one] for one in strengths)]
            above.plot(range(5), values, mark + "-", color=COLOURS[colour], label=f"α = {width:g}", markersize=4)
        above.set(title=kind, ylim=(0, 95))
        for place, strength in enumerate(strengths, 1):
            row = change[kind, f"{strength:g}"]
            ends = [100 * row["change_low"], 100 * row["change_high"]]
            below.plot([place, place], ends, color=COLOURS["vermillion"], linewidth=3, solid_capstyle="butt")
            below.plot(place, 100 * row["change"], "o", color="black", markersize=4)
        below.axhline(0, color="black", linewidth=1)
        below.set_xticks(range(5), ["none", *(f"{one:g}" for one in strengths)], fontsize=8.5)
        below.set_xlabel(UNITS[kind])
        last = 100 * change[kind, f"{strengths[-1]:g}"]["change"]
        words.append(f"{kind} {last:+.1f}")
    axes[0][0].set_ylabel("accuracy, %")
    axes[1][0].set_ylabel(f"change of α = {wide:g} minus\nthat of {narrow:g}, points")
    axes[0][-1].legend(fontsize=8.5, loc="lower left")
    return figure, (
        "Five panels, a kind of damage each: above two falling lines of accuracy, below by how many points more or "
        f"less the wide network changed than the narrow one. At the strongest: {', '.join(words)}."
    )


def best_epochs(curves: Mapping[str, Sequence[float]]) -> Drawn:
    """Accuracy after each epoch on several sets of images, {name: shares}, with a dot on the best epoch of each."""
    figure, axis = plt.subplots(figsize=(8, 3))
    words = []
    for name, values in curves.items():
        y = [100 * float(value) for value in values]
        (line,) = axis.plot(range(1, len(y) + 1), y, label=name)
        best = max(range(len(y)), key=y.__getitem__)
        axis.plot(best + 1, y[best], "o", color=line.get_color())
        words.append(f"{name} in epoch {best + 1}")
    axis.set(title="The best epoch, seen by two sets of images", xlabel="epoch", ylabel="accuracy, %")
    axis.legend()
    return figure, f"Two lines that rise fast and then waver; a dot marks the best: {', '.join(words)}."


def eight_mistakes(rows: Sequence[Mapping]) -> Drawn:
    """What each mistake makes of the reported accuracy, as people make it (dark) and where it is harmless (pale).

    Two intervals a row, over trainings and over images; of random orders or draws the middle 95 %.
    """
    known, place, names = {row["variant"]: row for row in rows}, 0, []
    figure, axis = plt.subplots(figsize=(9.2, 6.4))
    for number in MISTAKES:
        for variants, dark in ((REALISTIC, True), (HARMLESS, False)):
            if number not in variants:
                continue
            row = known[variants[number]]
            ends = {name: [100 * row[f"{name}_low"], 100 * row[f"{name}_high"]] for name in ("seeds", "images")}
            if math.isnan(ends["images"][0]):  # of mistake 5 the middle 95 % of random orders
                ends["images"] = [100 * row["least"], 100 * row["most"]]
            for name, colours, shift in (("images", ("sky", "blue"), -0.16), ("seeds", ("orange", "vermillion"), 0.16)):
                if not math.isnan(ends[name][0]):
                    _bar(axis, *ends[name], place + shift, colours[dark], 4)
            axis.plot(100 * row["difference"], place, "o", color="white", markeredgecolor="black", markersize=5)
            names.append(f"{number}  {variants[number]}")
            place += 1
    axis.axvline(0, color="black", linewidth=1)
    axis.set_yticks(range(place), names, fontsize=8.5)
    axis.invert_yaxis()
    axis.set(title="What each mistake makes of the reported accuracy", xlabel="percentage points")
    for name, colour in (("over images, or orders", "blue"), ("over trainings", "vermillion")):
        axis.plot([], [], color=COLOURS[colour], linewidth=4, label=name)
    axis.legend(fontsize=8.5, loc="lower left", title="dark: as people make it")
    order = sorted((known[REALISTIC[number]]["difference"], number) for number in MISTAKES)
    worst = ", ".join(f"{number} ({100 * value:+.1f})" for value, number in order[:3])
    return (
        figure,
        f"{place} rows, one or two a mistake, with intervals. Farthest to the left: mistakes {worst} points.",
    )
