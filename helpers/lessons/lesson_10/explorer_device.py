"""Lesson 10: the zoo's networks in seven formats: accuracy against bytes or milliseconds, two budgets, one chosen."""

import math
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from helpers.explorer import Explorer, Picture, menu, slider, toggle
from helpers.lessons.lesson_10.engines import FORMATS
from helpers.lessons.lesson_10.rows import Row, compared
from helpers.plots import COLOURS

NO_LIMIT = math.inf
BYTES, TIMES = (0.3, 0.5, 1, 2, 4, 8), (0.07, 0.1, 0.15, 0.2, 0.4, 0.8, 1.6, 3.2)
LOOKS = dict(zip(FORMATS, zip("so^vDPX", ("black", "sky", "yellow", "green", "blue", "orange", "vermillion"),
                              strict=True), strict=True))  # fmt: skip
AXES = {
    "milliseconds": ("one image, one thread, ms", lambda row: row.ms, (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)),
    "megabytes": ("file, MB", lambda row: row.bytes / 1e6, (0.2, 0.5, 1, 2, 5, 10)),
}


@dataclass(frozen=True)
class Seen:
    """What the explorer shows: the rows of the formats asked for, which keep the budgets, the best and the chosen."""

    x: str
    rows: tuple[Row, ...]
    fitting: tuple[Row, ...]
    best: Row | None
    chosen: Row | None


class DevicePicture(Picture):
    """Accuracy against one cost, a mark a row: coloured what fits, grey the rest; star the best, ring the chosen."""

    def __init__(self):
        self.figure = Figure(figsize=(7.4, 3.8), layout="none")
        self.figure.subplots_adjust(left=0.09, right=0.68, top=0.91, bottom=0.14)
        self.axes = self.figure.subplots()
        self.good, self.pale = {}, {}
        for name, (marker, colour) in LOOKS.items():
            (self.pale[name],) = self.axes.plot([], [], marker, color="#C4CCD4", markersize=7)
            (self.good[name],) = self.axes.plot([], [], marker, color=COLOURS[colour], markersize=8, label=name,
                                                markeredgecolor="black", markeredgewidth=0.5, linestyle="")  # fmt: skip
        (self.ring,) = self.axes.plot([], [], "o", markersize=17, markerfacecolor="none", markeredgewidth=2,
                                      color="black")  # fmt: skip
        (self.star,) = self.axes.plot([], [], "*", markersize=17, color=COLOURS["yellow"], markeredgecolor="black")
        self.axes.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1.01, 1.02))
        self.axes.set(title="The zoo in seven formats", ylabel="right of 2,000, %", ylim=(76, 90))
        self.settled = [self.axes.xaxis]
        self.moving = [*self.pale.values(), *self.good.values(), self.star, self.ring]

    def update(self, seen: Seen) -> None:
        words, value, ticks = AXES[seen.x]
        if self.still != seen.x:
            self.still = seen.x
            values = [value(row) for row in compared()]
            low, high = min(values) / 1.4, max(values) * 1.4
            self.axes.set(xscale="log", xlim=(low, high), xlabel=words)
            kept = [tick for tick in ticks if low <= tick <= high]
            self.axes.xaxis.set_major_locator(FixedLocator(kept))
            self.axes.xaxis.set_minor_locator(NullLocator())
            self.axes.set_xticklabels([f"{tick:g}" for tick in kept])
        for name in FORMATS:
            mine = [row for row in seen.rows if row.format == name]
            self.good[name].set_data(*_places(value, [row for row in mine if row in seen.fitting]))
            self.pale[name].set_data(*_places(value, [row for row in mine if row not in seen.fitting]))
        self.star.set_data(*_places(value, [seen.best] if seen.best else []))
        self.ring.set_data(*_places(value, [seen.chosen] if seen.chosen else []))


def _places(value, rows) -> tuple[list[float], list[float]]:
    return [value(row) for row in rows], [100 * row.accuracy.value for row in rows]


def device_explorer() -> Explorer:
    """Choose an axis, a width and a format, the weights' bits and two budgets; `result` is a `Seen`."""
    rows = compared()
    widths = sorted({row.width for row in rows})
    controls = {
        "x": toggle("across", list(AXES), "milliseconds"),
        "width": menu("width α", widths, widths[0]),
        "format": menu("format", list(FORMATS), "ExecuTorch int8"),
        "bits": menu("weights of", [("8 or 32 bits", 0), ("8 bits", 8), ("32 bits", 32)], 0),
        "mb": slider("budget: MB", options=_limits(BYTES, " MB"), value=NO_LIMIT),
        "ms": slider("budget: ms", options=_limits(TIMES, " ms"), value=NO_LIMIT),
    }

    def compute(x, width, format, bits, mb, ms) -> Seen:
        shown = tuple(row for row in rows if bits in (0, row.bits))
        fitting = tuple(row for row in shown if row.bytes <= 1e6 * mb and row.ms <= ms)
        best = max(fitting, key=lambda row: (row.correct, -row.ms), default=None)
        chosen = next((row for row in rows if (row.width, row.format) == (width, format)), None)
        return Seen(x, shown, fitting, best, chosen)

    def told(seen: Seen) -> str:
        one = seen.chosen
        first = "That width was not measured in that format."
        if one:
            compared_with = "" if one.format == "PyTorch" else f"; against PyTorch {one.paired.points}"
            first = (
                f"α {one.width:g}, {one.format}: {one.bytes / 1e6:.2f} MB, {one.ms:.2g} ms, {one.accuracy}"
                f"{compared_with}; {one.changed} answers changed."
            )
        best = seen.best
        most = f"most right: α {best.width:g}, {best.format}, {best.correct:,}" if best else "none is left"
        return f"{first} {len(seen.fitting)} of {len(seen.rows)} keep the budgets; {most}. (Across: {AXES[seen.x][0]}.)"

    def text(seen: Seen) -> str:
        return told(seen)

    return Explorer(controls, compute, DevicePicture, text, alt=told, text_height=66)


def _limits(values, unit: str) -> list[tuple[str, float]]:
    return [*((f"{value:g}{unit}", value) for value in values), ("no limit", NO_LIMIT)]
