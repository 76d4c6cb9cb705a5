"""Lesson 05: what was trained, as lines of text."""

from collections.abc import Mapping, Sequence
from statistics import mean

from helpers.evaluation import mean_interval, pooled
from helpers.lessons.lesson_05.networks import Result

EQUAL_ON_IMAGENET = ((1.0, 96), (0.5, 160), (0.35, 224))  # (width, pixels) of 50 to 60 million MACs
EQUAL_OURS = (((0.25, 24), (0.5, 16)), ((0.35, 32), (0.5, 24), (0.75, 16)))  # about 2 and about 5 million


def zoo(trained: Mapping[tuple[float, int], Sequence[dict]]) -> str:
    """A line a network (width, pixels): its cost, the half width of an interval over images, each training, their mean,
    and the half width of the mean's interval over trainings (`pooled`).

    Raises KeyError for a row without the columns of zoo.csv.
    """
    lines = ["   α  pixels  parameters        MACs   ± images  each training, %    mean  ± trainings"]
    deviation, factor = pooled([[100 * row["accuracy"] for row in rows] for rows in trained.values()])
    for (width, side), rows in trained.items():
        each = [100 * row["accuracy"] for row in rows]
        over_images = max(50 * (row["high"] - row["low"]) for row in rows)
        values = " ".join(f"{value:.1f}" for value in each)
        lines.append(
            f"{width:4} {side:7} {rows[0]['parameters']:11,} {rows[0]['macs']:11,} {over_images:10.1f}  "
            f"{values:16} {mean(each):7.1f} {factor * deviation / len(each) ** 0.5:12.1f}"
        )
    return "\n".join(lines)


def seeds(rows: Sequence[dict]) -> str:
    """The trainings of one network, a line each, and how far they lie apart; at least two."""
    each = [100 * row["accuracy"] for row in rows]
    lines = [
        f"α = {row['width']}, seed {row['seed']}: {row['correct']:,} of {row['total']:,} "
        f"({row['low']:.1%}–{row['high']:.1%})"
        for row in rows
    ]
    middle, low, high = mean_interval(each)
    return "\n".join([
        *lines,
        f"{max(each) - min(each):.1f} points from the worst to the best",
        f"mean {middle:.1f} %, 95 % interval over trainings {low:.1f} to {high:.1f}",
    ])  # fmt: skip


def equal_macs(v2: Sequence[Result], trained: Mapping[tuple[float, int], Sequence[dict]]) -> str:
    """Networks of about the same cost: three of ImageNet's, then two and three of ours with each of their trainings."""
    lines = [
        f"ImageNet  α {row.width:4} at {row.resolution:3} pixels: {row.macs / 1e6:5.1f}M MACs  {row.top1:.1f} %"
        for row in v2
        if (row.width, row.resolution) in EQUAL_ON_IMAGENET
    ]
    for width, side in (one for budget in EQUAL_OURS for one in budget):
        rows = trained[width, side]
        each = ", ".join(f"{row['accuracy']:.1%}" for row in rows)
        lines.append(f"ours      α {width:4} at {side:3} pixels: {rows[0]['macs'] / 1e6:5.1f}M MACs  {each}")
    return "\n".join(lines)


def to_the_end(ended: Mapping[str, Sequence[dict]]) -> str:
    """The trainings of two kinds of network, a line each; then by how much the second leads, least and most of all
    pairs of a training of each."""
    lines = [
        f"{name}, seed {row['seed']}: {row['accuracy']:.1%} ({row['low']:.1%}–{row['high']:.1%})"
        for name, rows in ended.items()
        for row in rows
    ]
    (_, behind), (name, ahead) = ended.items()
    leads = [100 * (one["accuracy"] - other["accuracy"]) for one in ahead for other in behind]
    return "\n".join([*lines, f"{name} leads by {min(leads):.1f} to {max(leads):.1f} points, pair by pair"])
