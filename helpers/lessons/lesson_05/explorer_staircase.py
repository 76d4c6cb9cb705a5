"""Lesson 05: MobileNetV2 at any width multiplier: its channels in eights, and the cost that climbs in steps."""

import functools
from dataclasses import dataclass

from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from helpers.explorer import Explorer, Picture, Veil, slider, toggle
from helpers.lessons.lesson_05.staircase import Layer, layers, whole
from helpers.plots import COLOURS

WIDTHS = tuple(step / 100 for step in range(20, 141))
WHAT = {"MACs": 0, "weights": 1}  # place in what `whole` returns
FULL = whole("V2", 1.0)
QUESTION = "Slide α from 0.2 to 1.4. How does the curve of V2's MACs look?"
ANSWERS = ("a smooth curve, α²", "a straight line", "a staircase")


@dataclass(frozen=True)
class Step:
    """V2 at one width."""

    width: float
    what: str  # "MACs" or "weights"
    blocks: tuple[Layer, ...]  # first convolution and the 17 blocks
    macs: int
    params: int
    same: tuple[float, float]  # from and to which α (in hundredths) it is this very network

    @property
    def share(self) -> float:
        """Of what α = 1 costs."""
        return (self.macs, self.params)[WHAT[self.what]] / FULL[WHAT[self.what]]

    @property
    def times(self) -> float:
        """The share as a multiple of α², which the width multiplier promises."""
        return self.share / self.width**2


def compute(width: float, what: str) -> Step:
    """V2 at a width: its layers, what it costs, and the widths that give the very same network."""
    blocks, cost = layers("V2", width)[:-2], whole("V2", width)
    channels = _channels(width)
    same = [one for one in WIDTHS if _channels(one) == channels]
    return Step(width, what, blocks, *cost, (same[0], same[-1]))


@functools.cache
def _channels(width: float) -> tuple[int, ...]:
    return tuple(layer.channels for layer in layers("V2", width))


class StaircasePicture(Picture):
    """Left the layers as towers of eights; right the cost against α, and as a multiple of α²."""

    def __init__(self):
        self.figure = figure = Figure(figsize=(9.8, 4.0), layout="none")
        self.towers = figure.add_axes((0.062, 0.125, 0.455, 0.79))
        self.curve = figure.add_axes((0.595, 0.46, 0.395, 0.455))
        self.ratio = figure.add_axes((0.595, 0.125, 0.395, 0.25))
        self.answers = [self.curve, self.ratio]
        places, axes = range(18), self.towers
        axes.set(xlim=(-0.7, 17.7), ylim=(0, 456), ylabel="channels out, a box = 8")
        axes.set_title("first convolution and 17 blocks", fontsize=11)
        axes.set_xticks(places, ["first", *(str(place) for place in places[1:])], fontsize=9)
        axes.set_xlabel("block")
        axes.grid(False)
        full = [layer.full for layer in layers("V2", 1.0)[:-2]]
        axes.bar(places, full, width=0.82, color="#EEEEEE", edgecolor="#BBBBBB", zorder=1, label="α = 1")
        look = {"width": 0.82, "zorder": 2}
        self.kept = axes.bar(places, [0] * 18, color=COLOURS["blue"], label="channels", **look)
        self.extra = axes.bar(places, [0] * 18, color=COLOURS["orange"], label="more than α asks for", **look)
        self.asked = LineCollection([], color="black", linewidth=2, zorder=4, label="α × channels at α = 1")
        axes.add_collection(self.asked)
        self.boxes = LineCollection([], color="white", linewidth=0.8, zorder=3)
        axes.add_collection(self.boxes)
        axes.legend(loc="upper left", fontsize=9.5)
        self.curves, self.multiples = ({}, {})
        for axes, found, law in ((self.curve, self.curves, True), (self.ratio, self.multiples, False)):
            for family, colour in (("V1", "orange"), ("V2", "blue")):
                label = f"{family}: {'cut off to whole numbers' if family == 'V1' else 'rounded to eights'}"
                wide = 2.2 if family == "V2" else 1.2
                (found[family],) = axes.plot(
                    [], [], color=COLOURS[colour], linewidth=wide, label=label, drawstyle="steps-mid"
                )
            axes.plot(WIDTHS, [100 * w**2 if law else 1 for w in WIDTHS], "k--", linewidth=1.2, label="α²")
            axes.set(xlim=(0.18, 1.42))
        self.curve.set(ylim=(0, 210))
        self.curve.tick_params(labelbottom=False)
        self.curve.legend(loc="upper left", fontsize=9.5)
        self.title = self.curve.set_title("", fontsize=11)
        self.ratio.set(xlabel="width multiplier α", ylabel="share ÷ α²", yscale="log", ylim=(0.8, 13))
        self.ratio.set_yticks((1, 2, 5, 10), ("1", "2", "5", "10"))
        self.ratio.set_yticks([], minor=True)
        self.points = [axes.plot([], [], "D", color=COLOURS["vermillion"], markersize=8, zorder=5)[0]
                       for axes in self.answers]  # fmt: skip
        self.rules = [axes.axvline(1, color=COLOURS["vermillion"], linewidth=0.8) for axes in self.answers]
        self._what = None

    @property
    def moving(self) -> list:
        curves = [*self.curves.values(), *self.multiples.values()]
        return [*self.kept, *self.extra, self.asked, self.boxes, *curves, self.title, *self.points, *self.rules]

    def update(self, now: Step) -> None:
        if now.what != self._what:
            self._draw_curves(now.what)
        for kept, extra, layer in zip(self.kept, self.extra, now.blocks, strict=True):
            more = max(0.0, layer.channels - layer.asked)
            kept.set_height(layer.channels - more)
            extra.set_y(layer.channels - more)
            extra.set_height(more)
        self.asked.set_segments(
            [[(x - 0.46, layer.asked), (x + 0.46, layer.asked)] for x, layer in enumerate(now.blocks)]
        )
        self.boxes.set_segments(
            [[(x - 0.42, height), (x + 0.42, height)] for x, layer in enumerate(now.blocks)
             for height in range(8, layer.channels, 8)]
        )  # fmt: skip
        for point, rule, y in zip(self.points, self.rules, (100 * now.share, now.times), strict=True):
            point.set_data([now.width], [y])
            rule.set_xdata([now.width, now.width])

    def _draw_curves(self, what: str) -> None:
        self._what = what
        for family in ("V1", "V2"):
            costs = [whole(family, width)[WHAT[what]] / whole(family, 1.0)[WHAT[what]] for width in WIDTHS]
            self.curves[family].set_data(WIDTHS, [100 * cost for cost in costs])
            self.multiples[family].set_data(WIDTHS, [cost / w**2 for cost, w in zip(costs, WIDTHS, strict=True)])
        self.title.set_text(f"{what} of the whole network, % of α = 1")


def text(now: Step) -> str:
    shares = {"MACs": (now.macs, FULL[0]), "weights": (now.params, FULL[1])}
    shares = {now.what: shares.pop(now.what)} | shares  # what the curve shows comes first
    costs = ", ".join(
        f"{cost / 1e6:.1f}M {what} ({cost / full:.1%} of α = 1, {cost / full / now.width**2:.2f} times α²)"
        for what, (cost, full) in shares.items()
    )
    more = sum(layer.channels > layer.asked + 1e-9 for layer in now.blocks)
    less = sum(layer.channels < layer.asked - 1e-9 for layer in now.blocks)
    same = f"Every α from {now.same[0]:g} to {now.same[1]:g} is this very network." if now.same[0] < now.same[1] else ""
    return (
        f"<b>α = {now.width:g}</b>: {costs}; α² is {now.width**2:.1%}. Of 18 layers {more} are wider than asked, "
        f"{less} narrower. The last 1 × 1 has {round(1280 * max(1, now.width) / 8) * 8:,} channels. {same}"
    )


def told(now: Step) -> str:
    """The picture for who cannot see it."""
    channels = ", ".join(str(layer.channels) for layer in now.blocks)
    return (
        f"Towers of 18 layers with {channels} channels; a curve of {now.what} that climbs in steps, with a point at "
        f"α = {now.width:g}: {now.share:.1%} of α = 1, {now.times:.2f} times α²."
    )


def staircase_explorer(veiled: bool = False) -> Explorer:
    """Slide α: V2's channels grow in eights. `result` is a `Step`; with `veiled` the curve is asked for first."""
    controls = {
        "width": slider("width α", 0.2, 1.4, 1.0, step=0.01),
        "what": toggle("curve of", list(WHAT), "MACs"),
    }
    hidden = Veil(QUESTION, lambda result: ANSWERS[-1], ANSWERS) if veiled else None
    return Explorer(controls, _compute, StaircasePicture, text, alt=told, veil=hidden, text_height=44)


def _compute(width: float, what: str) -> Step:
    return compute(round(width, 2), what)  # a slider's 0.35 may be 0.35000000000000003
