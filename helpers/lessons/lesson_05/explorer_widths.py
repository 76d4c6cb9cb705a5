"""Lesson 05: one test image through five widths, their probabilities side by side with what each network costs."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure

from helpers.data import ImageSet, load_cifar10
from helpers.explorer import Explorer, counting_button, menu, slider
from helpers.plots import COLOURS

GREY = "#BDBDBD"
GROUPS = {  # what to look through → which images belong, from right [widths,N], narrowest first
    "all images": lambda right: torch.ones_like(right[0]),
    "the narrowest is wrong": lambda right: ~right[0],
    "only the narrowest is wrong": lambda right: ~right[0] & right[1:].all(0),
    "only the widest is right": lambda right: right[-1] & ~right[:-1].any(0),
    "only the narrowest is right": lambda right: right[0] & ~right[1:].any(0),
    "all are wrong": lambda right: ~right.any(0),
}


@dataclass(frozen=True)
class Seen:
    """One image as every width sees it."""

    group: str
    index: int  # of the image in its set
    place: int  # in its group, from 0
    members: int  # of the group
    image: torch.Tensor  # uint8 [H,W,3]
    label: int
    probabilities: dict[float, torch.Tensor]  # width → [classes]


def draw(seen: Seen, classes: tuple[str, ...], macs: Mapping[float, int]) -> Figure:
    figure = Figure(figsize=(9.9, 3.5), layout="none")  # fixed margins: half the time of a computed layout
    picture = figure.add_axes((0.005, 0.2, 0.2, 0.6))
    picture.imshow(seen.image.numpy())
    picture.axis("off")
    picture.set_title(f"image {seen.index}: {classes[seen.label]}", loc="center", fontsize=11)
    step = 0.7 / len(seen.probabilities)
    for number, (width, values) in enumerate(seen.probabilities.items()):
        axes = figure.add_axes((0.295 + number * step, 0.15, step - 0.014, 0.65))
        top = int(values.argmax())
        colours = [GREY] * len(classes)
        colours[top], colours[seen.label] = COLOURS["vermillion"], COLOURS["blue"]
        axes.barh(range(len(classes)), (100 * values).tolist(), color=colours, height=0.75)
        axes.set(ylim=(len(classes) - 0.4, -0.6), xlim=(0, 119), xticks=(0, 50, 100))
        axes.set_yticks(range(len(classes)), classes if number == 0 else [""] * len(classes))
        axes.tick_params(length=0)
        mark = "right" if top == seen.label else f"wrong: {classes[top]}"
        axes.set_title(f"α {width}\n{macs[width] / 1e6:.1f}M MACs", fontsize=10.5, loc="left")
        axes.set_xlabel(mark, color=colours[top], weight="bold")
    figure.text(0.295, 0.945, "probability of each class, %", fontsize=11, weight="bold")
    return figure


def text(seen: Seen, classes: tuple[str, ...]) -> str:
    def says(width: float, values: torch.Tensor) -> str:
        top = int(values.argmax())
        return f"α {width}: {classes[top]} {100 * values[top]:.0f} %{'' if top == seen.label else ' ✗'}"

    words = " · ".join(says(*item) for item in seen.probabilities.items())
    where = f"{seen.place + 1} of {seen.members} in “{seen.group}”"
    return f"<b>Test image {seen.index}, {classes[seen.label]}</b> ({where})<br>{words}"


def widths_explorer(images: ImageSet, logits: Mapping[float, torch.Tensor], macs: Mapping[float, int]) -> Explorer:
    """Look at one image after another with the probabilities of several networks side by side.

    `logits` and `macs` give for each width the network's logits [N,classes] on all `images`, and its cost. The slider
    says where to begin, the menu which images to stop at; `result` is a `Seen`.
    """
    widths = sorted(logits)
    if not widths or set(widths) - set(macs):
        raise ValueError(f"every width needs logits and MACs; logits of {widths}, MACs of {sorted(macs)}")
    for width in widths:
        if logits[width].shape != (len(images), len(images.classes)):
            expected = [len(images), len(images.classes)]
            raise ValueError(f"logits of width {width} have shape {list(logits[width].shape)}, not {expected}")
    right = torch.stack([logits[width].argmax(1) == images.labels for width in widths])
    members = {name: torch.nonzero(belongs(right)).flatten().tolist() for name, belongs in GROUPS.items()}
    members = {name: indices for name, indices in members.items() if indices}

    def compute(group: str, start: int, clicks: int) -> Seen:
        indices = members[group]
        first = next((place for place, index in enumerate(indices) if index >= start), 0)
        place = (first + clicks) % len(indices)
        index = indices[place]
        probabilities = {width: logits[width][index].softmax(0) for width in widths}
        label = int(images.labels[index])
        return Seen(group, index, place, len(indices), images.images[index], label, probabilities)

    controls = {
        "group": menu("show", list(members), next(iter(members))),
        "start": slider("from image", 0, len(images) - 1, 0),
        "clicks": counting_button("next image"),
    }
    return Explorer(
        controls, compute, lambda seen: draw(seen, images.classes, macs), lambda seen: text(seen, images.classes),
        text_height=64,
    )  # fmt: skip


def example() -> Explorer:
    """Four networks that guess, on the sample's test images."""
    _, test = load_cifar10("sample")
    random = torch.Generator().manual_seed(0)
    logits = {width: 2 * torch.randn(len(test), 10, generator=random) for width in (0.25, 0.5, 0.75, 1.0)}
    return widths_explorer(test, logits, dict.fromkeys(logits, 1_000_000))
