"""Printed against counted, as a figure: what the page and its explorer share."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.plots import COLOURS

FAMILIES = {"v1": ("blue", "o"), "v2": ("orange", "s"), "v3_large": ("green", "^"), "v3_small": ("purple", "D")}
# key of the printed number, key of the counted one, title, ticks in millions
PANELS = (
    ("mmacs", "macs", "Multiply-accumulates", (10, 20, 50, 100, 200, 500)),
    ("mparams", "params", "Parameters", (0.5, 1, 2, 3, 5)),
)


def points(entries: Sequence[dict], printed: str, counted: str) -> tuple[list[float], list[float]]:
    """(counted in millions, printed − counted in per cent of counted), one value an entry."""
    millions = [entry[counted] / 1e6 for entry in entries]
    return millions, [100 * (float(e[printed]) / x - 1) for e, x in zip(entries, millions, strict=True)]


def set_scales(axes: Sequence[Axes]) -> None:
    """Two panels side by side with a common vertical scale: even up to 1 %, logarithmic beyond."""
    for axis, (_, _, title, ticks) in zip(axes, PANELS, strict=True):
        axis.axhline(0, color="black", linewidth=0.8)
        axis.set(xscale="log", xlabel=f"counted {title.lower()}, millions", title=title)
        axis.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
    axes[0].set_yscale("symlog", linthresh=1)  # most rows lie within 3 %, a few at 10 % and more
    percents = (-10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50)
    axes[0].set_yticks(percents, labels=[f"{percent:+d}" if percent else "0" for percent in percents], minor=False)
    axes[0].set(ylabel="printed − counted, % of counted", ylim=(-14, 80))


def draw_differences(entries: Sequence[dict]) -> Figure:
    """Rows of the published tables with "macs" and "params" counted, by family; one panel for each number."""
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 4.6), sharey=True)
    for axis, (printed, counted, _, _) in zip(axes, PANELS, strict=True):
        for name, (colour, mark) in FAMILIES.items():
            mine = [entry for entry in entries if entry["family"] == f"mobilenet_{name}"]
            look = {"color": COLOURS[colour], "label": f"MobileNet {name.replace('_', ' ')}", "alpha": 0.8}
            axis.plot(*points(mine, printed, counted), mark, **look)
    set_scales(axes)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
