"""Lesson 09: twenty networks on any two axes, families on and off, three budgets; a choice is named and told."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ipywidgets as widgets
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from helpers.explorer import Explorer, Picture, menu, slider
from helpers.lessons.lesson_09.networks import FAMILIES, Network, colour, committed, line_up
from helpers.plots import COLOURS

NO_LIMIT = math.inf
MAC_LIMITS, BYTE_LIMITS, TIME_LIMITS = (
    (50, 110, 150, 250, 320, 400, 600, 1000),
    (6, 9, 12, 16, 20, 24, 40),
    (8, 12, 16, 20, 25, 30),
)
FIRST = "MobileNetV2"


@dataclass(frozen=True)
class Axis:
    """What an axis can show: its words, the value of a network, whether it is logarithmic, its ticks."""

    words: str
    value: Callable[[Network, "Times"], float]
    ticks: tuple[float, ...]
    log: bool = True


@dataclass(frozen=True)
class Times:
    """Milliseconds by name: of one image alone, and of one of 32 at once."""

    one: Mapping[str, float]
    many: Mapping[str, float]


AXES = {
    "MACs": Axis("MACs, millions", lambda one, _: one.macs / 1e6, (50, 100, 200, 500, 1000, 2000)),
    "parameters": Axis("parameters, millions", lambda one, _: one.params / 1e6, (1, 2, 4, 8, 16)),
    "latency": Axis("one image, ms", lambda one, times: times.one[one.name], (5, 10, 20, 40, 80)),
    "latency in a batch": Axis("an image of 32, ms", lambda one, times: times.many[one.name], (2, 5, 10, 20, 40, 80)),
    "memory": Axis("activations, MB", lambda one, _: one.peak_bytes / 1e6, (2, 4, 8, 16)),
    "accuracy": Axis("top-1 on ImageNet, %", lambda one, _: one.top1, (58, 62, 66, 70, 74, 78), log=False),
}


@dataclass(frozen=True)
class Seen:
    """What the explorer shows: the networks of the families that are on, and which of them keep the budgets."""

    x: str
    y: str
    rows: tuple[Network, ...]
    fitting: tuple[Network, ...]
    best: Network | None  # the most accurate that fits
    chosen: Network
    broken: tuple[str, ...]  # which budgets the chosen one breaks, in words


class LineUpPicture(Picture):
    """Two axes of AXES, a point a network: bold what fits, pale what breaks a budget; ring: chosen, star: best."""

    def __init__(self, times: Times):
        self.times = times
        self.figure = Figure(figsize=(7.4, 3.6), layout="none")
        self.figure.subplots_adjust(left=0.1, right=0.76, top=0.91, bottom=0.13)
        self.axes = self.figure.subplots()
        self.good, self.pale = {}, {}
        for family, (_, marker) in FAMILIES.items():
            (self.pale[family],) = self.axes.plot([], [], marker, color="#C4CCD4", markersize=7)
            (self.good[family],) = self.axes.plot([], [], marker, color=colour(family), markersize=8, label=family)
        (self.ring,) = self.axes.plot([], [], "o", markersize=17, markerfacecolor="none", markeredgewidth=2.2,
                                      color=COLOURS["black"])  # fmt: skip
        (self.star,) = self.axes.plot([], [], "*", markersize=17, color=COLOURS["yellow"], markeredgecolor="black")
        self.name = self.axes.annotate("", (1, 1), (0, -11), textcoords="offset points", fontsize=9.5,
                                       fontweight="bold", ha="center", va="top", zorder=6)  # fmt: skip
        self.axes.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1.01, 1.02))
        self.axes.set_title("Twenty networks")
        self.settled = [self.axes.xaxis, self.axes.yaxis]
        self.moving = [*self.pale.values(), *self.good.values(), self.star, self.ring, self.name]

    def update(self, seen: Seen) -> None:
        if self.still != (seen.x, seen.y):
            self.still = seen.x, seen.y
            for which, axis in (("x", AXES[seen.x]), ("y", AXES[seen.y])):
                values = [axis.value(one, self.times) for one in line_up()]
                low, high = min(values), max(values)
                edges = (low / 1.25, high * 1.3) if axis.log else (low - 3, high + 4)
                getattr(self.axes, f"set_{which}scale")("log" if axis.log else "linear")
                self.axes.set(**{f"{which}lim": edges, f"{which}label": axis.words})
                ticks = [tick for tick in axis.ticks if edges[0] <= tick <= edges[1]]
                inner = getattr(self.axes, f"{which}axis")
                inner.set_major_locator(FixedLocator(ticks))
                inner.set_minor_locator(NullLocator())
                inner.set_ticklabels([f"{tick:g}" for tick in ticks])
        for family in FAMILIES:
            mine = [one for one in seen.rows if one.family == family]
            self.good[family].set_data(*self._places(seen, [one for one in mine if one in seen.fitting]))
            self.pale[family].set_data(*self._places(seen, [one for one in mine if one not in seen.fitting]))
        self.star.set_data(*self._places(seen, [seen.best] if seen.best else []))
        self.ring.set_data(*self._places(seen, [seen.chosen]))
        (x,), (y,) = self._places(seen, [seen.chosen])
        across, up = self.axes.transAxes.inverted().transform(self.axes.transData.transform((x, y)))
        self.name.set_text(seen.chosen.label)
        self.name.xy = x, y
        # Below its ring, where fewer others stand; above it at the lower edge.
        below = up > 0.13
        self.name.xyann = 0, -11 if below else 11
        self.name.set_verticalalignment("top" if below else "bottom")
        self.name.set_horizontalalignment("left" if across < 0.2 else "right" if across > 0.8 else "center")

    def _places(self, seen: Seen, rows: list[Network]) -> tuple[list[float], list[float]]:
        return tuple([AXES[axis].value(one, self.times) for one in rows] for axis in (seen.x, seen.y))


def lineup_explorer(times: Mapping[str, float] | None = None) -> Explorer:
    """Choose axes, a network, families and budgets; `result` is a `Seen`.

    `times` are milliseconds of one image by name, measured on this machine; otherwise, and for batches, those of
    data/results/lineup.csv hold.
    """
    known = Times(dict(times or committed(1)), committed(32))
    if missing := [one.name for one in line_up() if one.name not in known.one]:
        raise ValueError(f"a time is needed for every network; none is given for {', '.join(missing)}")
    names = [one.name for one in line_up()]
    controls = {
        "x": menu("across", list(AXES), "MACs"),
        "y": menu("up", list(AXES), "accuracy"),
        "chosen": menu("network", names, FIRST),
        "mac_limit": slider("budget: MACs", options=_limits(MAC_LIMITS, "M"), value=400),
        "byte_limit": slider("budget: MB", options=_limits(BYTE_LIMITS, " MB"), value=NO_LIMIT),
        "time_limit": slider("budget: ms", options=_limits(TIME_LIMITS, " ms"), value=NO_LIMIT),
        **{family: widgets.Checkbox(True, description=family, indent=False) for family in FAMILIES},
    }

    def broken(one: Network, mac_limit: float, byte_limit: float, time_limit: float) -> tuple[str, ...]:
        held = ((one.macs / 1e6, mac_limit, "M MACs"), (one.megabytes, byte_limit, " MB of weights"),
                (known.one[one.name], time_limit, " ms"))  # fmt: skip
        return tuple(f"{value:.1f}{unit} are more than {limit:g}" for value, limit, unit in held if value > limit)

    def compute(x, y, chosen, mac_limit, byte_limit, time_limit, **families) -> Seen:
        limits = mac_limit, byte_limit, time_limit
        rows = tuple(one for one in line_up() if families[one.family])
        fitting = tuple(one for one in rows if not broken(one, *limits))
        best = max(fitting, key=lambda one: one.top1, default=None)
        mine = line_up()[names.index(chosen)]
        return Seen(x, y, rows, fitting, best, mine, broken(mine, *limits))

    def text(seen: Seen) -> str:
        one = seen.chosen
        numbers = (
            f"{one.top1:.1f} % top-1, {one.macs / 1e6:.0f}M MACs, {one.params / 1e6:.1f}M parameters "
            f"({one.megabytes:.1f} MB), {known.one[one.name]:.1f} ms alone, {known.many[one.name]:.1f} ms in a batch "
            f"of 32, {one.peak_bytes / 1e6:.1f} MB of activations"
        )
        verdict = "; ".join(seen.broken) or "it keeps the budgets"
        found = f"the most accurate is {seen.best.label}, {seen.best.top1:.1f} %" if seen.best else "none is left"
        return (
            f"<b>{one.label}</b>, at {one.size} pixels: {numbers}. {verdict[0].upper() + verdict[1:]}.<br>"
            f"{len(seen.fitting)} of {len(seen.rows)} networks keep the budgets; {found}.<br>"
            f"<i>{AXES[seen.y].words}, against {AXES[seen.x].words}</i>"
        )

    def told(seen: Seen) -> str:
        words = (
            text(seen)
            .replace("<b>", "")
            .replace("</b>", "")
            .replace("<br>", " ")
            .replace("<i>", "")
            .replace("</i>", ".")
        )
        return f"Points of {len(seen.rows)} networks. {words}"

    return Explorer(controls, compute, lambda: LineUpPicture(known), text, alt=told, text_height=88)


def _limits(values, unit: str) -> list[tuple[str, float]]:
    return [*((f"{value:g}{unit}", value) for value in values), ("no limit", NO_LIMIT)]
