"""Lesson 05: one picture through networks of several widths, live: probabilities and milliseconds side by side."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure
from torch import nn

from helpers.data import ImageSet, load_cifar10
from helpers.explorer import Explorer, Picture, Veil, counting_button, menu, slider
from helpers.lessons.lesson_05.comparison import is_wide
from helpers.lessons.lesson_05.race import MOST_BYTES, Lane, Stopwatch, race, read_upload
from helpers.models import load_zoo
from helpers.plots import COLOURS

GREY = "#BDBDBD"
TEST, MINE = "test images", "my own picture"
GROUPS = {  # what to look through → which images belong, from right [widths,N], narrowest first
    "all images": lambda right: torch.ones_like(right[0]),
    "the narrowest is wrong": lambda right: ~right[0],
    "only the narrowest is wrong": lambda right: ~right[0] & right[1:].all(0),
    "only the widest is right": lambda right: right[-1] & ~right[:-1].any(0),
    "only the narrowest is right": lambda right: right[0] & ~right[1:].any(0),
    "all are wrong": lambda right: ~right.any(0),
}


@dataclass(frozen=True)
class Run:
    """One picture as every width sees it."""

    group: str
    index: int | None  # of the image in its set; None for a reader's own
    place: int  # in its group, from 0
    members: int  # of the group
    image: torch.Tensor  # uint8 [H,W,3]
    label: int | None  # nobody knows that of a reader's own
    name: str
    lanes: dict[float, Lane]
    notice: str = ""  # why a reader's own picture is not shown

    def seconds(self, width: float) -> float:
        """The median time of one picture."""
        return self.lanes[width].timing.median

    @property
    def times_as_long(self) -> float:
        """The widest network's time over the narrowest one's."""
        return self.seconds(max(self.lanes)) / self.seconds(min(self.lanes))


class RacePicture(Picture):
    """The picture, a panel of probabilities a network, and below them the lanes: time as a share of the widest's."""

    def __init__(self, classes: tuple[str, ...], macs: Mapping[float, int]):
        self.classes, widths = classes, sorted(macs)
        self.figure = figure = Figure(figsize=(9.8, 3.7), layout="none")
        axes = figure.add_axes((0.003, 0.4, 0.17, 0.45))
        axes.axis("off")
        self.photo = axes.imshow(torch.zeros(2, 2, 3).numpy(), extent=(0, 1, 0, 1), interpolation="nearest")
        self.name = axes.set_title("", loc="left", fontsize=9.5)
        step, self.panels = 0.725 / len(widths), {}
        for number, width in enumerate(widths):
            axes = figure.add_axes((0.27 + number * step, 0.43, step - 0.014, 0.42))
            bars = axes.barh(range(len(classes)), [0] * len(classes), height=0.78)
            axes.set(ylim=(len(classes) + 0.7, -0.6), xlim=(0, 112), xticks=(0, 50, 100))
            axes.set_yticks(range(len(classes)), classes if number == 0 else [""] * len(classes), fontsize=9)
            axes.tick_params(length=0, labelsize=9)
            axes.set_title(f"α {width}", fontsize=10.5, loc="left", pad=4)
            axes.set_title(f"{macs[width] / 1e6:.1f}M", fontsize=9.5, loc="right", pad=4, weight="normal")
            style = {"va": "center", "ha": "right", "fontsize": 9, "weight": "bold", "transform": axes.transAxes}
            self.panels[width] = bars, axes.text(0.99, 0.055, "", **style)
        self.lanes = axes = figure.add_axes((0.27, 0.105, 0.711, 0.225))
        self.answers, places = [axes], range(len(widths))
        shares = [macs[width] / macs[widths[-1]] for width in widths]
        axes.barh(places, shares, height=0.86, facecolor="none", edgecolor="#777777", label="MACs", linewidth=1)
        self.bars = axes.barh(
            places, [0] * len(widths), height=0.5, color=COLOURS["green"], label="time of one picture"
        )
        axes.set(xlim=(0, 1.5), ylim=(len(widths) - 0.4, -0.6), xticks=(0, 0.25, 0.5, 0.75, 1))
        axes.set_xlabel(f"share of what α {widths[-1]} takes", fontsize=9.5, labelpad=1)
        axes.tick_params(labelsize=9)
        axes.set_yticks(places, [f"α {width}" for width in widths], fontsize=9)
        axes.legend(loc="upper right", fontsize=9, borderaxespad=0)
        self.times = [axes.text(0, place, "", va="center", fontsize=9) for place in places]
        figure.text(
            0.27,
            0.955,
            "each width α with its MACs: probability of each class, %; below, the race",
            fontsize=11,
            weight="bold",
        )
        bars = [bar for panel, _ in self.panels.values() for bar in panel]
        marks = [mark for _, mark in self.panels.values()]
        self.moving = [self.photo, self.name, *bars, *marks, *self.bars, *self.times]

    def update(self, run: Run) -> None:
        self.photo.set_data(run.image.numpy())
        self.name.set_text(run.name if len(run.name) < 27 else f"{run.name[:24]}…")
        slowest = run.seconds(max(run.lanes))
        for place, (width, lane) in enumerate(run.lanes.items()):
            bars, mark = self.panels[width]
            top = int(lane.probabilities.argmax())
            colours = [GREY] * len(self.classes)
            colours[top] = COLOURS["purple" if run.label is None else "vermillion"]
            if run.label is not None:
                colours[run.label] = COLOURS["blue"]
            for bar, value, colour in zip(bars, (100 * lane.probabilities).tolist(), colours, strict=True):
                bar.set_width(value)
                bar.set_visible(value > 0.05)  # what would be thinner than a hair takes its time to draw, too
                bar.set_facecolor(colour)
            mark.set_text(_mark(run, top, self.classes))
            mark.set_color(colours[top])
            share = lane.timing.median / slowest
            self.bars[place].set_width(share)
            self.times[place].set_x(max(share, 0.02) + 0.015)
            self.times[place].set_text(f"{lane.timing.median * 1e3:.3g} ms{' (unsteady)' * is_wide(lane.timing)}")


def _mark(run: Run, top: int, classes: tuple[str, ...]) -> str:
    if run.label is None:
        return classes[top]
    return "right" if top == run.label else f"wrong: {classes[top]}"


def text(run: Run, classes: tuple[str, ...], macs: Mapping[float, int]) -> str:
    def says(width: float, lane: Lane) -> str:
        top, low, high = int(lane.probabilities.argmax()), lane.timing.low * 1e3, lane.timing.high * 1e3
        wrong = " ✗" * (run.label not in (None, top))
        return (
            f"α {width}: {classes[top]} {100 * lane.probabilities[top]:.0f} %{wrong}, "
            f"{lane.timing.median * 1e3:.3g} ms ({low:.3g}–{high:.3g})"
        )

    where = f" ({run.place + 1} of {run.members} in “{run.group}”)" if run.index is not None else ""
    if run.index is None:
        where = ": its middle square, at 32 × 32 pixels. The networks know ten classes and have to choose one of them"
    if run.notice:  # in place of the numbers, which the picture has too: what lies below must not move
        return f"<div class='explorer-error'>{escape(run.notice)}</div><b>{escape(run.name)}</b>{where}."
    narrow, wide = min(run.lanes), max(run.lanes)
    longer = f"α {wide} takes {run.times_as_long:.2f} times as long as α {narrow}"
    calls = run.lanes[wide].timing.repetitions
    how = f"One thread, one picture at a time, median and quartiles of the last {calls} calls."
    lanes = " · ".join(says(*lane) for lane in run.lanes.items())
    return (
        f"<b>{escape(run.name)}</b>{where}. {lanes}<br>{longer}, "
        f"for {macs[wide] / macs[narrow]:.1f} times the MACs. {how}"
    )


def race_explorer(
    images: ImageSet, networks: Mapping[float, nn.Module], logits: Mapping[float, torch.Tensor],
    macs: Mapping[float, int], group: str = "all images", veiled: bool = False,
) -> Explorer:  # fmt: skip
    """Send one image after another, or the reader's own picture, through networks of several widths.

    `networks`, `logits` [N,classes] on all `images` and `macs` have the same widths; the logits alone decide which
    images belong to a group. `result` is a `Run`. With `veiled` the race's outcome is asked for first.
    """
    widths = sorted(networks)
    if not widths or not set(widths) == set(logits) == set(macs):
        raise ValueError(f"network, logits and MACs of the same widths; {widths}, {sorted(logits)}, {sorted(macs)}")
    for width in widths:
        if logits[width].shape != (expected := (len(images), len(images.classes))):
            raise ValueError(f"logits of width {width} have shape {list(logits[width].shape)}, not {list(expected)}")
    right = torch.stack([logits[width].argmax(1) == images.labels for width in widths])
    members = {name: torch.nonzero(belongs(right)).flatten().tolist() for name, belongs in GROUPS.items()}
    members = {name: indices for name, indices in members.items() if indices}
    entrants, own, watch = {width: networks[width] for width in widths}, _Own(), Stopwatch()
    raced = 0  # how often "race again" had been pressed

    def compute(source, photo, group, start, again, **_) -> Run:
        nonlocal raced
        if again != raced:
            raced = again
            watch.forget()
        indices = members[group]
        place = _first(indices, start)
        index = indices[place]
        label, image, notice = int(images.labels[index]), images.images[index], ""
        name = f"test image {index}, {images.classes[label]}"
        if source == MINE:
            mine, notice = own.read(photo)
            if mine is not None:
                index, label, image, name = None, None, mine, own.name
            else:
                name = f"still {name}"
        return Run(group, index, place, len(indices), image, label, name, race(entrants, image, watch), notice)

    upload = widgets.FileUpload(accept="image/*", multiple=False, description="choose a file")
    controls = {
        "source": menu("look at", [TEST, MINE], TEST),
        "photo": upload,
        "group": menu("images where", list(members), group),
        "start": slider("go to image", 0, len(images) - 1, 0),
        "back": counting_button("previous"),
        "on": counting_button("next"),
        "again": counting_button("race again"),
    }
    _connect(controls, members)
    question = f"α {widths[-1]} has {macs[widths[-1]] / macs[widths[0]]:.1f} times the MACs of α {widths[0]}. "
    question += "How many times as long does one picture take?"
    return Explorer(
        controls, compute, lambda: RacePicture(images.classes, {width: macs[width] for width in widths}),
        lambda run: text(run, images.classes, macs), text_height=96,
        veil=Veil(question, lambda run: run.times_as_long) if veiled else None,
    )  # fmt: skip


def _first(indices: list[int], start: int) -> int:
    """The place of the first image from `start` on; behind the last one it begins anew."""
    return bisect_left(indices, start) % len(indices)


def _connect(controls: dict, members: Mapping[str, list[int]]) -> None:
    """What one control does to another: the buttons walk through a group, a chosen file is looked at."""
    source, start = controls["source"], controls["start"]

    def walk(change, step: int) -> None:
        if change.new > change.old:
            indices = members[controls["group"].value]
            place = _first(indices, start.value) + step * (change.new - change.old)
            source.value, start.value = TEST, indices[place % len(indices)]

    controls["back"].observe(lambda change: walk(change, -1), "value")
    controls["on"].observe(lambda change: walk(change, 1), "value")
    controls["photo"].observe(lambda change: setattr(source, "value", MINE if change.new else TEST), "value")
    for name in ("group", "start"):
        controls[name].observe(lambda _: setattr(source, "value", TEST), "value")


class _Own:
    """The reader's own picture, read once: it stays while other controls are turned."""

    def __init__(self):
        self.name, self._value, self._found = "", None, (None, "")

    def read(self, value: tuple) -> tuple[torch.Tensor | None, str]:
        """(the picture or None, why there is none)."""
        if not value:
            return None, f"Choose a picture first: a JPEG or PNG file of at most {MOST_BYTES / 1e6:.0f} MB."
        if value is not self._value:
            self._value, self.name = value, value[0]["name"]
            try:
                self._found = read_upload(self.name, bytes(value[0]["content"])), ""
            except ValueError as error:
                self._found = None, f"{error}. The test image stays."
        return self._found


def example(**options) -> Explorer:
    """The five networks of the zoo, with invented groups, on the sample's test images."""
    _, test = load_cifar10("sample")
    random = torch.Generator().manual_seed(0)
    networks = {width: load_zoo(width) for width in (0.25, 0.5, 1.0)}
    logits = {width: 2 * torch.randn(len(test), 10, generator=random) for width in networks}
    return race_explorer(test, networks, logits, {0.25: 2_945_152, 0.5: 7_837_440, 1.0: 24_461_312}, **options)
