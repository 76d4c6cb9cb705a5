"""The drawings of lesson 03b. Each function gives a figure and an alternative text made of the same numbers."""

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from helpers.plots import COLOURS

KINDS = {"dense": ("vermillion", "s"), "depthwise": ("sky", "o"), "pointwise": ("blue", "^")}
NO_MACS = "BatchNorm, ReLU"
PARTS = {**{kind: look[0] for kind, look in KINDS.items()}, NO_MACS: "yellow", "other": "black"}


Key = tuple[str, int]  # a layer: "dense", "depthwise" or "pointwise", and the side of its image in pixels


def milliseconds(times: Mapping[str, Mapping[str, float]]) -> tuple[Figure, str]:
    """A bar for each network of {network: {kind of layer: seconds}}, stacked by kind."""
    figure, axis = plt.subplots(figsize=(9, 2.7))
    told = []
    for place, (name, kinds) in enumerate(times.items()):
        parts = dict.fromkeys(PARTS, 0.0)
        for kind, seconds in kinds.items():
            part = NO_MACS if kind.startswith(("BatchNorm", "ReLU")) else kind if kind in PARTS else "other"
            parts[part] += 1e3 * seconds
        left = 0.0
        for part, value in parts.items():
            look = {"color": COLOURS[PARTS[part]], "edgecolor": "white", "label": None if place else part}
            axis.barh(place, value, 0.6, left=left, **look)
            left += value
        axis.text(left, place, f"  {left:.0f} ms", va="center")
        told.append(f"{name}: " + ", ".join(f"{part} {value:.1f}" for part, value in parts.items() if value) + " ms")
    axis.set_yticks(range(len(times)), times)
    axis.invert_yaxis()
    axis.grid(False, axis="y")
    axis.set(title="Where the milliseconds go", xlabel="milliseconds for one image, one thread")
    axis.set_xlim(0, 1.12 * axis.dataLim.xmax)
    axis.legend(ncols=len(PARTS), loc="upper center", bbox_to_anchor=(0.45, -0.32), fontsize=9.5, handlelength=1.2)
    return figure, "Stacked bars. " + "; ".join(told) + "."


def gains(blocks: Sequence[tuple], series: Mapping[str, Sequence[float]]) -> tuple[Figure, str]:
    """How many times less the pair needs in each block (M, N, side): a group of bars, a colour for each of `series`."""
    figure, axis = plt.subplots(figsize=(9, 3.7))
    width = 0.8 / len(series)
    for index, ((name, values), colour) in enumerate(zip(series.items(), ("blue", "orange", "green"), strict=False)):
        places = [i + (index - (len(series) - 1) / 2) * width for i in range(len(blocks))]
        bars = axis.bar(places, values, 0.94 * width, color=COLOURS[colour], label=name)
        axis.bar_label(bars, [f"{value:.1f}" for value in values], fontsize=9)
    axis.set_xticks(range(len(blocks)), [f"{m} → {n}\nside {side}" for m, n, side in blocks])
    axis.set(title="Dense / separable, on paper and on the clock", ylabel="times less")
    axis.set_ylim(0, 1.22 * max(max(values) for values in series.values()))
    axis.legend(ncols=len(series), loc="upper left")
    told = "; ".join(f"{name} {', '.join(f'{value:.1f}' for value in values)}" for name, values in series.items())
    return figure, f"Groups of bars, how many times less the pair needs in the {len(blocks)} blocks: {told}."


def roofline(
    macs: Mapping[Key, int],
    moved: Mapping[Key, int],
    called: Mapping[Key, float],
    prepared: Mapping[Key, float],
    memory: float,
    cache: float,
    peak: float,
) -> tuple[Figure, str]:
    """Speed over arithmetic intensity: two slopes, bytes a second from memory and from cache, and a flat top, `peak`.

    For each layer its MACs, the bytes it moves, and its seconds as called (hollow mark) and prepared (filled); a line
    joins the two.
    """
    figure, axis = plt.subplots(figsize=(9, 5))
    intensity = torch.logspace(-0.4, 2.35, 200)
    for speed, look, name in ((cache, "-", "data in cache"), (memory, "--", "data from memory")):
        roof = torch.clamp(intensity * speed, max=peak) / 1e9
        axis.plot(intensity, roof, look, color="black" if look == "-" else "grey", label=f"roof, {name}")
    speed = {key: [macs[key] / called[key] / 1e9, macs[key] / prepared[key] / 1e9] for key in macs}
    for kind, (colour, marker) in KINDS.items():
        some = [key for key in macs if key[0] == kind]
        per_byte = [macs[key] / moved[key] for key in some]
        for x, key in zip(per_byte, some, strict=True):
            axis.plot([x, x], speed[key], color=COLOURS[colour], linewidth=1)
        for x, y, text in _labels((x, min(speed[key]), key[1]) for x, key in zip(per_byte, some, strict=True)):
            # Depthwise layers stand in one column: their labels go beside it.
            place, side = ((9, -3), "left") if kind == "depthwise" else ((0, -14), "center")
            axis.annotate(text, (x, y), place, textcoords="offset points", fontsize=9, ha=side)
        look = {"s": 60, "marker": marker, "edgecolor": COLOURS[colour], "linewidth": 1.6, "zorder": 3}
        axis.scatter(per_byte, [speed[key][0] for key in some], color="white", **look)
        axis.scatter(per_byte, [speed[key][1] for key in some], color=COLOURS[colour], label=kind, **look)
    low = min(map(min, speed.values()))
    axis.set(xscale="log", xlabel="arithmetic intensity (MACs per byte)")
    axis.set(yscale="log", ylabel="speed (billion MACs a second)", ylim=(0.55 * low, 1.5 * peak / 1e9))
    for scale in (axis.xaxis, axis.yaxis):
        scale.set_major_locator(LogLocator(subs=(1, 2, 5)))
        scale.set_major_formatter("{x:g}")
    axis.minorticks_off()
    axis.set_title("Roofline of this machine, one thread, batch 1, float32")
    axis.legend(loc="lower right")
    ranges = []
    for kind in KINDS:
        speeds = [max(two) for key, two in speed.items() if key[0] == kind]
        ranges.append(f"{kind} layers reach {min(speeds):.0f} to {max(speeds):.0f}")
    return figure, (
        f"Speed against MACs per byte, both logarithmic. A slope of {cache / 1e9:.0f} GB a second, a lower one of "
        f"{memory / 1e9:.0f}, and a flat top at {peak / 1e9:.0f} billion MACs a second; {', '.join(ranges)}."
    )


def _labels(points: Iterable[tuple[float, float, int]]) -> list[list]:
    """[x, y, text] for (x, y, side); sides whose points would lie under one another's text share one label."""
    labels = []
    for x, y, side in points:
        near = [one for one in labels if 1 / 1.2 < one[0] / x < 1.2 and 1 / 1.25 < one[1] / y < 1.25]
        if near:
            near[0][1:] = min(near[0][1], y), f"{near[0][2]}, {side}"
        else:
            labels.append([x, y, f"{side}"])
    return labels


def apart(blocks: Sequence[tuple], control: Mapping[Key, float]) -> tuple[Figure, str]:
    """Each block's depthwise layer: its fixed cost, its bytes, and the rest, in microseconds that add up to its time.

    `control` has the seconds of ("depthwise", side), ("one pixel", side), the fixed cost, and ("relu", side), the
    bytes. A part below zero is not drawn.
    """
    rows = {}
    for m, _, side in blocks:
        fixed, moving = control["one pixel", side], control["relu", side]
        rest = control["depthwise", side] - fixed - moving
        rows[f"{m} channels\nside {side}"] = {"fixed cost of a call": fixed, "bytes, as a ReLU": moving, "rest": rest}
    figure, axis = plt.subplots(figsize=(9, 3.4))
    names, bottoms = list(next(iter(rows.values()))), [0.0] * len(rows)
    for name, colour in zip(names, ("orange", "sky", "vermillion"), strict=True):
        values = [max(0.0, 1e6 * parts[name]) for parts in rows.values()]
        bars = axis.bar(range(len(rows)), values, 0.6, bottom=bottoms, color=COLOURS[colour], label=name)
        axis.bar_label(bars, [f"{value:.0f}" for value in values], label_type="center", fontsize=9)
        bottoms = [bottom + value for bottom, value in zip(bottoms, values, strict=True)]
    axis.set_xticks(range(len(rows)), rows)
    axis.set(title="A depthwise layer's time, told apart", ylabel="µs a call", ylim=(0, 1.25 * max(bottoms)))
    axis.legend(ncols=3, loc="upper right", fontsize=9.5)
    told = "; ".join(
        f"{layer}: " + ", ".join(f"{name} {1e6 * value:.0f}" for name, value in parts.items())
        for layer, parts in rows.items()
    )
    return figure, f"Stacked bars in microseconds. {told}.".replace("\n", ", ")
