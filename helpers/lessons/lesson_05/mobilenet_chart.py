"""Lesson 05: accuracy against MACs, a chart for ImageNet and one for our own networks; A, B and what fits on it."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.patheffects import withStroke

from helpers.explorer import Picture
from helpers.lessons.lesson_05 import networks
from helpers.lessons.lesson_05.comparison import Comparison, Side
from helpers.lessons.lesson_05.grid import OWN
from helpers.lessons.lesson_05.networks import LOOK, LOOKS, Result
from helpers.plots import COLOURS

GREY = "#CFCFCF"  # what does not fit
SIZE = (4.85, 3.9)  # inches
ROOM = 7  # points that a letter reaches from its middle
UNDER = (("mobilenet_v2", 0.35), ("mobilenet_v2", 0.75), ("mobilenet_v2", 1.3))  # widths whose label stands below


class Chart:
    """One of the two charts: its axes, and the artists that follow a comparison."""

    def __init__(
        self, figure: Figure, families: Sequence[str], rows: Sequence[Result], title: str, x: tuple, y: tuple,
        ticks: Sequence,
    ):  # fmt: skip
        self.axes = axes = figure.add_axes((0.1, 0.115, 0.885, 0.82))
        self.foot = y[0] + 0.035 * (y[1] - y[0])
        axes.set(xscale="log", xlim=x, ylim=y, ylabel="top-1 accuracy, %")
        axes.set_xlabel("MACs of one image, millions")
        axes.set_xticks(ticks, labels=[str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set_title(title, fontsize=11)
        self.shade = axes.add_patch(Rectangle((x[1], y[0]), x[1], y[1] - y[0], color="black", alpha=0.06, linewidth=0))
        band = {"color": COLOURS["yellow"], "alpha": 0.65, "linewidth": 9, "solid_capstyle": "round", "zorder": 1}
        (self.front,) = axes.plot([], [], **band, label="best of what fits")
        self.lines, self.dots, self.numbers = {}, {}, []
        for family in families:
            self._family(family, [row for row in rows if row.family == family])
        look = {"markersize": 13, "markeredgecolor": "white", "color": "black", "zorder": 6}
        (self.star,) = axes.plot([], [], "*", **look, label="most accurate that fits")
        (self.ring,) = axes.plot([], [], "o", color="black", fillstyle="none", markersize=12, label="nearest measured")
        (self.drop,) = axes.plot([], [], color="black", linewidth=1, linestyle=(0, (2, 3)), zorder=1.5)
        (self.a,) = axes.plot([], [], color="white", markersize=11, markeredgecolor="#555555", zorder=4.5)
        (self.b,) = axes.plot([], [], markersize=11, markeredgecolor="black", markeredgewidth=2, zorder=5)
        look = {"arrowstyle": "-|>", "mutation_scale": 15, "shrinkA": 7, "shrinkB": 8, "linewidth": 1.6}
        bent = {"connectionstyle": "arc3,rad=-0.35", "color": "#333333", "zorder": 4.8}
        self.arrow = axes.add_patch(FancyArrowPatch((0, 0), (0, 0), **look, **bent))
        box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
        style = {
            "textcoords": "offset points",
            "ha": "center",
            "va": "center",
            "weight": "bold",
            "zorder": 7,
            "bbox": box,
        }
        self.letters = {letter: axes.annotate(letter, (x[0], y[0]), (0, 0), **style) for letter in "AB"}
        handles, _ = axes.get_legend_handles_labels()
        look = {"fontsize": 8.5, "title_fontsize": 8.5, "labelspacing": 0.25, "borderaxespad": 0.1}
        words = {"title": "number: width α\ngrey: breaks a budget", "alignment": "left", "loc": "lower right"}
        axes.legend(handles=handles, markerscale=0.7, handletextpad=0.4, **look, **words)
        lines = [line for pair in self.lines.values() for line in pair]
        marks = [self.star, self.ring, self.drop, self.a, self.b, self.arrow, *self.letters.values()]
        self.moving: list[Artist] = [self.shade, self.front, *lines, *self.dots.values(), *marks, *self.numbers]

    def _family(self, family: str, rows: Sequence[Result]) -> None:
        label, colour, marker = LOOKS[family]
        for width in sorted({row.width for row in rows}):
            look = {"linewidth": 1.2, "zorder": 2}
            lines = [self.axes.plot([], [], color=shade, **look)[0] for shade in (GREY, colour)]
            self.lines[family, width] = lines
            end = _line(rows, width)[-1]
            under = family == "mobilenet_v1" or (family, width) in UNDER
            place = {"xytext": (5, -11)} if under else {"xytext": (-4, 5), "ha": "right"}
            style = {"textcoords": "offset points", "fontsize": 8.5, "color": colour, "zorder": 6.5}
            style["path_effects"] = [withStroke(linewidth=2, foreground="white")]  # read over lines and points
            self.numbers.append(self.axes.annotate(str(width), (end.macs / 1e6, end.top1), **place, **style))
        for row in rows:
            x = row.macs / 1e6
            if row.interval:
                self.axes.errorbar(x, row.top1, _arms(row), color="#777777", capsize=3, linewidth=1.2, zorder=1.8)
            for value in row.seeds:
                self.axes.plot(x, value, "o", color="#777777", fillstyle="none", markersize=5, zorder=1.8)
        dots = {"marker": marker, "s": 36, "edgecolors": "white", "linewidths": 0.5, "zorder": 3, "label": label}
        self.dots[family] = self.axes.scatter(*_xy(rows), color=colour, **dots)

    def update(self, seen: Comparison) -> None:
        """Everything that the comparison decides; nothing of the last one stays."""
        fits = set(seen.fitting)
        for family, dots in self.dots.items():
            mine = [row for row in seen.rows if row.family == family]
            dots.set_offsets(list(zip(*_xy(mine), strict=True)))
            dots.set_facecolors([to_rgba(LOOKS[family][1] if row in fits else GREY) for row in mine])
        for (family, width), lines in self.lines.items():
            whole = _line([row for row in seen.rows if row.family == family], width)
            for line, part in zip(lines, (whole, [row for row in whole if row in fits]), strict=True):
                line.set_data(*_xy(part))
                line.set_linewidth(3 if (family, width) == seen.b.network.key[:2] else 1.2)
        self.front.set_data(*_xy(seen.front))
        self.star.set_data(*_xy([seen.best] if seen.best else []))
        self.ring.set_data(*_xy([] if seen.b.result else [seen.b.nearest]))
        self.shade.set_x(min(seen.limits[0] / 1e6, self.axes.get_xlim()[1]))
        b = self._place(self.b, seen.b)
        self.drop.set_data(*([], []) if seen.b.result else ([b[0], b[0]], [b[1], self.axes.get_ylim()[1]]))
        shown = seen.a_is_here and seen.a.network != seen.b.network
        self.a.set_visible(shown)
        self.arrow.set_visible(shown)
        self.letters["A"].set_visible(shown)
        away = (0, 1)
        if shown:
            a = self._place(self.a, seen.a)
            self.arrow.set_positions(a, b)
            away = self._direction(a, b)
            self._letter("A", a, (-away[0], -away[1]), b)
        self._letter("B", b, away, a if shown else None)

    def _place(self, marker: Line2D, side: Side) -> tuple[float, float]:
        """Put a marker where a network stands: hollow at the foot without an accuracy, an arrow beyond an edge."""
        _, colour, shape = LOOKS[side.network.family]
        low, high = (edge / factor for edge, factor in zip(self.axes.get_xlim(), (1 / 1.06, 1.06), strict=True))
        macs, y = side.macs / 1e6, side.result.top1 if side.result else self.foot
        x = min(max(macs, low), high)
        marker.set_data([x], [y])
        marker.set_marker("<" if macs < low else ">" if macs > high else shape)
        if marker is self.b:
            marker.set_markerfacecolor(colour if side.result else "white")
        return x, y

    def _direction(self, a: tuple, b: tuple) -> tuple[float, float]:
        """From A to B on paper, of length 1."""
        (ax, ay), (bx, by) = self.axes.transData.transform([a, b])
        length = math.hypot(bx - ax, by - ay) or 1
        return (bx - ax) / length, (by - ay) / length

    def _letter(self, letter: str, place: tuple, direction: tuple, other: tuple | None) -> None:
        """Beside its marker, as near to `direction` as neither a width's number nor `other` is in the way."""
        text = self.letters[letter]
        text.xy = place
        x, y = self._points(place)
        taken = [self._extent(number) for number in self.numbers]
        if other:
            middle = self._points(other)
            taken.append((*(middle - ROOM), *(middle + ROOM)))
        angle = math.atan2(direction[1], direction[0])
        for turn in (0, 45, -45, 90, -90, 135, -135, 180):
            dx, dy = (17 * part(angle + math.radians(turn)) for part in (math.cos, math.sin))
            box = (x + dx - ROOM, y + dy - ROOM, x + dx + ROOM, y + dy + ROOM)
            if self._inside(box) and not any(_overlap(box, one) for one in taken):
                break
        else:
            dx, dy = 17 * direction[0], 17 * direction[1]
        text.set_position((dx, dy))

    def _points(self, place: tuple) -> np.ndarray:
        """A place in data in points, 72 an inch."""
        return self.axes.transData.transform(place) * 72 / self.axes.figure.dpi

    def _extent(self, number) -> tuple[float, float, float, float]:
        """Left, bottom, right and top of a width's number, in points; its size is that of its letters, about."""
        (x, y), (dx, dy) = self._points(number.xy), number.get_position()
        size = number.get_fontsize()
        wide = 0.6 * size * len(number.get_text())
        left = x + dx - wide * (number.get_ha() == "right")
        return left, y + dy - 0.2 * size, left + wide, y + dy + 0.8 * size

    def _inside(self, box: tuple) -> bool:
        """Whether a box in points lies within the axes."""
        (left, right), (bottom, top) = self.axes.get_xlim(), self.axes.get_ylim()
        low, high = self._points((left, bottom)), self._points((right, top))
        return low[0] <= box[0] and box[2] <= high[0] and low[1] <= box[1] and box[3] <= high[1]


def _overlap(one: tuple, other: tuple) -> bool:
    """Whether two boxes (left, bottom, right, top) share an area."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


class MobilenetChart(Picture):
    """The chart of B's images: published networks on ImageNet, or our own on CIFAR-10."""

    def __init__(self):
        self.figure = figure = Figure(figsize=SIZE, layout="none")
        title = "MobileNets on ImageNet, as published"
        edges, ticks = ((7, 1300), (38, 79)), (10, 20, 50, 100, 200, 500)
        self.imagenet = Chart(figure, list(LOOK), networks.published(), title, *edges, ticks)
        title = "Our MobileNetV2 on CIFAR-10, 95 % intervals"
        self.ours = Chart(figure, [OWN], networks.own(), title, (0.55, 35), (61, 90), (1, 2, 5, 10, 20))

    def update(self, seen: Comparison) -> None:
        """Show the chart of B's images, and on it the comparison."""
        self.still = seen.b.network.own
        chart = self.ours if self.still else self.imagenet
        for one in (self.imagenet, self.ours):
            one.axes.set_visible(one is chart)
        self.moving, self.answers = chart.moving, [chart.axes]
        chart.update(seen)


def _line(rows: Sequence[Result], width: float) -> list[Result]:
    """The results of one width in one table, cheapest first: a paper's own few stand beside as points."""
    return sorted((row for row in rows if row.width == width and "arXiv" not in row.source), key=lambda row: row.macs)


def _xy(rows: Sequence[Result]) -> tuple[list[float], list[float]]:
    return [row.macs / 1e6 for row in rows], [row.top1 for row in rows]


def _arms(row: Result) -> list[list[float]]:
    low, high = row.interval
    return [[row.top1 - low], [high - row.top1]]
