"""Lesson 11: what the classifier says of a photo, a shipped one or the reader's own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image, ImageOps

from helpers.data import ImageSet
from helpers.explorer import Explorer, Picture, menu, slider
from helpers.photos import open_photo, printable
from helpers.plots import COLOURS

SHIPPED, OWN = "the shipped photos", "my own file"
MOST_BYTES, SIDE = 20_000_000, 224


@dataclass(frozen=True)
class Seen:
    """A photo and what the classifier says of it."""

    image: torch.Tensor  # uint8 [S,S,3]
    name: str
    probabilities: torch.Tensor  # [classes]
    label: int | None  # None: nobody has told
    notice: str = ""


def square_of(content: bytes, name: str) -> torch.Tensor:
    """The bytes of a picture file → its middle square, uint8 [224,224,3]; ValueError says why not."""
    if len(content) > MOST_BYTES:
        raise ValueError(f"{name} has {len(content) / 1e6:.0f} MB: choose one of at most {MOST_BYTES / 1e6:.0f} MB")
    try:
        photo = Image.fromarray(open_photo(content).numpy())
    except ValueError as error:
        raise ValueError(str(error).replace("this", name, 1)) from None
    return torch.from_numpy(np.array(ImageOps.fit(photo, (SIDE, SIDE), Image.Resampling.BICUBIC)))


class PhotoPicture(Picture):
    """The photo, and a bar for each class."""

    def __init__(self, classes: Sequence[str]):
        self.figure = Figure(figsize=(8.4, 3.3), layout="none")
        self.figure.subplots_adjust(left=0.02, right=0.97, top=0.88, bottom=0.17, wspace=0.35)
        photo, bars = self.figure.subplots(1, 2, width_ratios=(1, 1.7))
        self.photo = photo.imshow(np.full((SIDE, SIDE, 3), 255, np.uint8))
        photo.axis("off")
        self.title = photo.set_title("", fontsize=10)
        self.bars = bars.barh(range(len(classes)), [0] * len(classes), color=COLOURS["sky"])
        bars.set(xlim=(0, 100), xlabel="probability, %", title="What the classifier says")
        bars.set_yticks(range(len(classes)), classes)
        bars.invert_yaxis()
        bars.grid(axis="y", visible=False)

    def update(self, seen: Seen) -> None:
        self.photo.set_data(seen.image.numpy())
        self.title.set_text(seen.name if len(seen.name) <= 34 else seen.name[:33] + "…")
        best = int(seen.probabilities.argmax())
        for label, (bar, value) in enumerate(zip(self.bars, seen.probabilities.tolist(), strict=True)):
            bar.set_width(100 * value)
            wrong = label == best and seen.label not in (None, best)
            right = label == best and not wrong
            bar.set_color(COLOURS["vermillion"] if wrong else COLOURS["blue"] if right else COLOURS["sky"])


def photo_explorer(
    photos: ImageSet, names: Sequence[str], logits: torch.Tensor, classify: Callable[[torch.Tensor], torch.Tensor]
) -> Explorer:
    """Walk through `photos` with their `names` and `logits` [N,C], or choose a file: `classify` gives its logits [C].

    `classify` takes uint8 [224,224,3]. `result` is a `Seen`.
    """
    if not len(photos) == len(names) == len(logits):
        raise ValueError(f"{len(photos)} photos, {len(names)} names and {len(logits)} rows of logits do not fit")
    probabilities, known = logits.softmax(1), {}

    def own(file) -> Seen:
        name = printable(file["name"])
        if known.get("key") != (id(file["content"]), name):
            image = square_of(bytes(file["content"]), name)
            seen = Seen(image, name, classify(image).softmax(0), None)
            known.update(key=(id(file["content"]), name), content=file["content"], seen=seen)
        return known["seen"]

    def compute(source: str, photo: int, file: tuple) -> Seen:
        notice = ""
        if source == OWN and file:
            try:
                return own(file[0])
            except ValueError as error:
                notice = f"{error}. The shipped photo stays."
        elif source == OWN:
            blank = torch.full((SIDE, SIDE, 3), 255, dtype=torch.uint8)
            return Seen(blank, "no file yet", torch.zeros(len(photos.classes)), None)
        return Seen(photos.images[photo], names[photo], probabilities[photo], int(photos.labels[photo]), notice)

    def text(seen: Seen) -> str:
        if not seen.probabilities.any():
            return "<b>Choose a file first:</b> a JPEG or PNG. It stays on this computer."
        best = int(seen.probabilities.argmax())
        says = f"<b>{photos.classes[best]}, {seen.probabilities[best]:.0%} sure</b>"
        truth = ""
        if seen.label is not None:
            truth = "; right." if seen.label == best else f"; its folder says {photos.classes[seen.label]}."
        others = (
            "" if seen.label is not None else f". It must choose among {', '.join(photos.classes)}, whatever it sees."
        )
        return f"{seen.name}: {says}{truth}{others}" + (f"<br>{seen.notice}" if seen.notice else "")

    upload = widgets.FileUpload(accept="image/*", multiple=False, description="choose a file")
    controls = {
        "source": menu("look at", [SHIPPED, OWN], SHIPPED),
        "photo": slider("shipped photo", 0, len(photos) - 1, 0),
        "file": upload,
    }
    upload.observe(lambda change: setattr(controls["source"], "value", OWN if change.new else SHIPPED), "value")
    controls["photo"].observe(lambda _: setattr(controls["source"], "value", SHIPPED), "value")
    return Explorer(controls, compute, lambda: PhotoPicture(photos.classes), text, text_height=64)


def example() -> Explorer:
    """Invented photos, named by their mean colour."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (6, SIDE, SIDE, 3), generator=generator).byte()
    images[::2, :, :, 0] //= 4
    photos = ImageSet(images, torch.tensor([0, 1, 0, 1, 1, 0]), ("blue", "red"), "made up")

    def classify(image: torch.Tensor) -> torch.Tensor:
        red, blue = image[..., 0].float().mean(), image[..., 2].float().mean()
        return torch.stack([blue, red]) / 20

    return photo_explorer(photos, [f"{i}.png" for i in range(6)], torch.stack([*map(classify, images)]), classify)
