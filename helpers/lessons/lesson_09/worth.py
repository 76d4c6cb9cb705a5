"""Lesson 09: is the block worth it? The committed rows of five networks of equal MACs (`blocks.py`), as text."""

from collections.abc import Mapping, Sequence
from statistics import mean

import torch

from helpers.evaluation import Paired, mcnemar, mean_interval, pooled
from helpers.lessons.lesson_09.small import NETWORKS, OTHER_WEIGHTS
from helpers.results import read_results

Trained = Mapping[str, Sequence[dict]]  # {network: its rows of blocks.csv, in the order of the seeds}


def trained() -> dict[str, list[dict]]:
    """The committed trainings of each network, in the order of the seeds; networks in the order of NETWORKS."""
    rows = sorted(read_results("blocks.csv"), key=lambda row: row["seed"])
    return {name: [row for row in rows if row["network"] == name] for name in NETWORKS}


def label(name: str) -> str:
    """A network's name for tables and figures."""
    return name.replace(", with squeeze-and-excite", " with SE").replace(", without", " without SE")


def accuracies(known: Trained) -> dict[str, list[float]]:
    """Each network's accuracies on the 10,000 test images, in per cent."""
    return {label(name): [100 * row["accuracy"] for row in rows] for name, rows in known.items()}


def tried() -> str:
    """What the pilot saw: validation accuracy of each network, in per cent, by rate and decay; its best one marked."""
    rows = read_results("blocks_pilot.csv")
    pairs = list(dict.fromkeys((row["lr"], row["weight_decay"]) for row in rows))
    lines = [f"{what:24}" + "".join(f"{pair[i]:>8g} " for pair in pairs) for i, what in ((1, "decay"), (0, "rate"))]
    for name in NETWORKS:
        found = {(row["lr"], row["weight_decay"]): row["validation_accuracy"] for row in rows if row["network"] == name}
        best = max(found, key=found.__getitem__)
        cells = (f"{100 * found[pair]:8.1f}{'*' if pair == best else ' '}" for pair in pairs)
        lines.append(f"{label(name):24}" + "".join(cells))
    return "\n".join(line.rstrip() for line in lines)


def table(values: Mapping[str, Sequence[float]]) -> str:
    """A line a network: each training, the mean, its 95 % interval over trainings, and the difference to the first.

    `values` are those of `accuracies`. All intervals take one deviation, pooled over the networks.
    """
    first, (deviation, factor) = next(iter(values)), pooled(list(values.values()))
    lines = [f"{'':24}each training, %     mean     ±    against {first}"]
    for name, each in values.items():
        half = factor * deviation / len(each) ** 0.5
        line = f"{name:24}{' '.join(f'{value:.1f}' for value in each):16}{mean(each):9.1f} {half:5.1f}"
        if name != first:
            apart = factor * deviation * (1 / len(each) + 1 / len(values[first])) ** 0.5
            middle = mean(each) - mean(values[first])
            line += f"    {middle:+.1f} ({middle - apart:+.1f} to {middle + apart:+.1f})"
        lines.append(line)
    return "\n".join(lines)


def apart(values: Mapping[str, Sequence[float]], first: str, second: str) -> str:
    """How far two networks are apart, in points: by the deviation of all networks, and by their own pairs of a seed."""
    deviation, factor = pooled(list(values.values()))
    differences = [a - b for a, b in zip(values[first], values[second], strict=True)]
    half = factor * deviation * (2 / len(differences)) ** 0.5
    middle, low, high = mean_interval(differences)
    each = " ".join(f"{difference:+.1f}" for difference in differences)
    return (f"{first} against {second}: {middle:+.1f} ({middle - half:+.1f} to {middle + half:+.1f})\n"
            f"by its own differences {each}: {middle:+.1f} ({low:+.1f} to {high:+.1f})")  # fmt: skip


def passes() -> dict[str, list[float]]:
    """{network: accuracy on the validation images after each pass, in per cent, the mean of its trainings}."""
    rows = read_results("blocks_curves.csv")
    found = {}
    for name in NETWORKS:
        mine = [row for row in rows if row["network"] == name]
        found[label(name)] = [100 * mean(row["validation_accuracy"] for row in mine if row["epoch"] == epoch)
                              for epoch in sorted({row["epoch"] for row in mine})]  # fmt: skip
    return found


def controls(known: Trained) -> str:
    """Validation accuracies of networks trained otherwise, under those of the same seeds as they were; in per cent."""
    rows, lines = read_results("blocks_control.csv"), []
    for name, of in {**{name: name for name in NETWORKS}, **dict.fromkeys(OTHER_WEIGHTS, next(iter(NETWORKS)))}.items():
        own = {row["seed"]: row for row in known[of]}
        other = [
            row for row in rows if row["network"] == name and (name != of or _pair(row) != _pair(own[row["seed"]]))
        ]
        other = sorted(other, key=lambda row: row["seed"])
        if other:
            mine = [100 * own[row["seed"]]["validation_accuracy"] for row in other]
            lines.append(_line(label(of), own[other[0]["seed"]], mine))
            what = "" if name == of else name.partition(", ")[2]
            lines.append(_line("  " + what if what else "", other[0], [100 * row["accuracy"] for row in other]))
    return "\n".join(lines)


def anew(known: Trained) -> dict[tuple[str, int], Paired]:
    """{(network, seed): what measuring BatchNorm's statistics anew changes on the 5,000 validation images}."""
    found = {}
    for row in read_results("blocks_control.csv"):
        if row["network"] not in known:
            continue
        own = {one["seed"]: one for one in known[row["network"]]}[row["seed"]]
        if _pair(row) == _pair(own):
            gained, lost, places = row["only_anew"], row["only_before"], torch.arange(row["total"])
            only_before = (places >= gained) & (places < gained + lost)
            found[label(row["network"]), row["seed"]] = mcnemar(places < gained, only_before)
    return found


def _line(what: str, row: Mapping, values: Sequence[float]) -> str:
    return f"{what:24}{_pair(row):24}{' '.join(f'{value:.1f}' for value in values)}"


def _pair(row: Mapping) -> str:
    return f"rate {row['lr']:g}, decay {row['weight_decay']:g}"
