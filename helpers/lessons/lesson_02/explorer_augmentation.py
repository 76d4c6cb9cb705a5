"""Lesson 02: what augmentation does to nine images, each kind on a slider."""

from dataclasses import dataclass

import torch
from matplotlib.figure import Figure

from helpers.batches import AUGMENTATIONS, Batches
from helpers.data import ImageSet, load_cifar10
from helpers.explorer import Explorer, Picture, counting_button, slider

GAP = 3  # white pixels between two images
# name → (label, strongest, step); strength 0 switches it off
SLIDERS = {
    "crop": ("crop: padding, px", 10, 1),
    "flip": ("flip: probability", 1.0, 0.1),
    "brightness": ("brightness: ±", 0.8, 0.1),
    "contrast": ("contrast: ±", 0.8, 0.1),
    "cutout": ("cutout: side, px", 16, 1),
}


@dataclass(frozen=True)
class Augmented:
    """The same images before and after, uint8 [9,H,W,3]; what was done; and how much it changed."""

    before: torch.Tensor
    after: torch.Tensor
    augment: dict[str, float]
    change: float  # mean absolute difference of a pixel's value, in steps of 0..255
    untouched: int  # images that came out as they went in


def augment(images: ImageSet, seed: int = 0, **strengths: float) -> Augmented:
    """Send images through `Batches` without normalisation, as a training run would see them in its first epoch."""
    batches = Batches(images, len(images), augment=strengths, seed=seed, mean=(0, 0, 0), std=(1, 1, 1))
    after = (next(iter(batches))[0] * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    difference = (after.int() - images.images.int()).abs().float().flatten(1).mean(1)
    return Augmented(images.images, after, strengths, difference.mean().item(), int((difference == 0).sum()))


class AugmentedPicture(Picture):
    """Nine images before, and the same nine after."""

    def __init__(self):
        self.figure = Figure(figsize=(9.4, 1.96), layout="none")
        self.axes = self.figure.add_axes((0.075, 0.0, 0.925, 1.0))
        self.axes.axis("off")
        self.paper, self.names = None, [self.axes.text(0, 0, name, ha="right", va="center", fontsize=11)
                                        for name in ("before", "after")]  # fmt: skip

    def update(self, seen: Augmented) -> None:
        rows = torch.stack([seen.before, seen.after])  # [2,9,H,W,3], laid out side by side with gaps
        height, width = rows.shape[2:4]
        paper = torch.full((2, rows.shape[1], height + GAP, width + GAP, 3), 255, dtype=torch.uint8)
        paper[:, :, :height, :width] = rows
        pixels = paper.permute(0, 2, 1, 3, 4).flatten(0, 1).flatten(1, 2).numpy()
        if self.paper:
            self.paper.set_data(pixels)
            return
        self.paper = self.axes.imshow(pixels)
        self.moving = [self.paper]
        for row, name in enumerate(self.names):
            name.set_position((-2, (row + 0.5) * (height + GAP)))


def text(seen: Augmented) -> str:
    used = [f"{name} {strength:g}" for name, strength in seen.augment.items() if strength]
    return (
        f"<b>{', '.join(used) or 'no augmentation'}</b>. On average a pixel's value changed by {seen.change:.1f} "
        f"of 255; {seen.untouched} of the {len(seen.before)} images came out as they went in."
    )


def augmentation_explorer(images: ImageSet | None = None) -> Explorer:
    """Nine images before and after; a slider for each augmentation of `Batches`, and a button for new random numbers.

    `result` is an `Augmented`. `images` defaults to the first training image of each class but the last.
    """
    if images is None:
        train = load_cifar10()[0]
        images = train[torch.stack([torch.nonzero(train.labels == label)[0, 0] for label in range(9)])]
    start = {"crop": AUGMENTATIONS["crop"][1], "flip": AUGMENTATIONS["flip"][1]}  # the usual recipe
    controls = {
        name: slider(label, type(most)(0), most, start.get(name, type(most)(0)), step=step)
        for name, (label, most, step) in SLIDERS.items()
    }
    controls["seed"] = counting_button("New random numbers")
    return Explorer(controls, lambda **values: augment(images, **values), AugmentedPicture, text, text_height=44)
