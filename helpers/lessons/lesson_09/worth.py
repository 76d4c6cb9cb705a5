"""Lesson 09: is the block worth it? The committed rows of five networks of equal MACs (`blocks.py`), as text."""

from collections.abc import Mapping, Sequence
from statistics import mean

from helpers.evaluation import pooled
from helpers.lessons.lesson_09.small import NETWORKS
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
