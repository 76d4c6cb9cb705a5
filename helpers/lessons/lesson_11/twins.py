"""Pictures that are the same, or nearly: found by what is on them, kept on one side of a split."""

import io
from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps

from helpers.data import ImageSet

CELLS = 16  # of a thumbnail, a side
LEAST = 0.95  # from this likeness on two pictures are taken for one
ZOOMS = (1.0, 0.9, 0.95, 1.05, 1.1)  # one of the two is also looked at a little smaller and larger


def thumbnails(pixels: torch.Tensor) -> torch.Tensor:
    """[N,3,S,S] → float32 [N,768]: 16 × 16 mean colours, less their mean, of length 1."""
    small = F.adaptive_avg_pool2d(pixels.float(), CELLS).flatten(1)
    return F.normalize(small - small.mean(1, keepdim=True), dim=1)


def zoomed(pixels: torch.Tensor, factor: float) -> torch.Tensor:
    """What the pictures [N,3,S,S] show, larger or smaller, in a picture of the same size; a border repeats the edge."""
    side = pixels.shape[-1]
    inner = round(side * factor)
    if inner == side:
        return pixels
    shown = F.interpolate(pixels.float(), (inner, inner), mode="bilinear", antialias=True)
    before = abs(side - inner) // 2
    if inner < side:
        return F.pad(shown, (before, side - inner - before) * 2, mode="replicate")
    return shown[:, :, before : before + side, before : before + side]


def likeness(images: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """float32 [N,M]: cosine of the thumbnails, the largest over a few zooms of either. Squares [N,S,S,3], [M,S,S,3]."""
    mine, theirs = (
        [thumbnails(zoomed(small, factor)) for factor in ZOOMS]
        for small in (F.adaptive_avg_pool2d(part.permute(0, 3, 1, 2).float(), 4 * CELLS) for part in (images, others))
    )
    best = mine[0] @ theirs[0].T
    for factor in range(1, len(ZOOMS)):
        best = torch.maximum(best, torch.maximum(mine[factor] @ theirs[0].T, mine[0] @ theirs[factor].T))
    return best


def near_pairs(images: torch.Tensor, least: float = LEAST, block: int = 1000) -> list[tuple[int, int, float]]:
    """All (i, j, likeness) with i < j and at least `least`, the most alike first; squares uint8 [N,S,S,3]."""
    found = []
    for start in range(0, len(images), block):
        for begin in range(start, len(images), block):
            alike = likeness(images[start : start + block], images[begin : begin + block])
            for i, j in torch.nonzero(alike >= least).tolist():
                if start + i < begin + j:
                    found.append((start + i, begin + j, float(alike[i, j])))
    return sorted(found, key=lambda pair: (-pair[2], pair[:2]))


def groups(count: int, pairs: list[tuple]) -> torch.Tensor:
    """int64 [count]: the same number for all pictures that pairs join, directly or through others."""
    leader = list(range(count))

    def first(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    for i, j, *_ in pairs:
        low, high = sorted((first(i), first(j)))
        leader[high] = low
    return torch.tensor([first(index) for index in range(count)], dtype=torch.long)


def split_groups(
    image_set: ImageSet, group: torch.Tensor, fraction: float, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices of two parts, `1 - fraction` and about `fraction` of each class; a group is never parted.

    A group counts for the class of its first picture. Raises ValueError when a class would be empty on either side.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"the fraction to split off lies between 0 and 1, not {fraction!r}")
    generator = torch.Generator().manual_seed(seed)
    leaders = group.unique()
    first = torch.tensor([int(torch.nonzero(group == leader)[0]) for leader in leaders])
    chosen = torch.zeros(len(image_set), dtype=torch.bool)
    for label, name in enumerate(image_set.classes):
        mine = leaders[image_set.labels[first] == label]
        sizes = {int(leader): int((group == leader).sum()) for leader in mine}
        goal, taken = round(fraction * sum(sizes.values())), 0
        for leader in mine[torch.randperm(len(mine), generator=generator)].tolist():
            if taken + sizes[leader] <= goal:
                chosen[group == leader] = True
                taken += sizes[leader]
        if not 0 < taken < sum(sizes.values()):
            raise ValueError(f"class {name!r} has {len(mine)} groups of like pictures: one side would have none")
    return torch.nonzero(~chosen).flatten(), torch.nonzero(chosen).flatten()


# ------------------------------------------------------------------------------------- copies, to try the search


def _jpeg(picture: Image.Image) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=50)
    return Image.open(file).convert("RGB")


def _resized(factor: float) -> Callable[[Image.Image], Image.Image]:
    def change(picture: Image.Image) -> Image.Image:
        side = round(picture.width * factor)
        small = picture.resize((side, side), Image.Resampling.BICUBIC)
        return small.resize(picture.size, Image.Resampling.BICUBIC)  # as a folder's pictures come to one size

    return change


def _nearer(factor: float) -> Callable[[Image.Image], Image.Image]:
    def change(picture: Image.Image) -> Image.Image:
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
        return Image.fromarray(zoomed(pixels, factor)[0].permute(1, 2, 0).round().byte().numpy())

    return change


def _moved(picture: Image.Image, pixels: int = 2) -> Image.Image:
    moved = Image.new("RGB", picture.size, "white")
    moved.paste(picture, (pixels, pixels))
    return moved


CHANGES: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG of quality 50": _jpeg,
    "10 % smaller file": _resized(0.9),
    "10 % larger file": _resized(1.1),
    "shown 10 % smaller": _nearer(0.9),
    "shown 10 % larger": _nearer(1.1),
    "moved by 2 pixels": _moved,
    "all of it": lambda picture: _jpeg(_moved(_nearer(1.1)(picture))),
}

# What the search was not made for: its zooms and its limit were chosen with the changes above in view.
BEYOND: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "moved by 6 pixels": lambda picture: _moved(picture, 6),
    "shown 20 % smaller": _nearer(0.8),
    "turned by 5 degrees": lambda picture: picture.rotate(5, Image.Resampling.BICUBIC, fillcolor="white"),
    "without colours": lambda picture: ImageOps.grayscale(picture).convert("RGB"),
    "mirrored": ImageOps.mirror,
    "cropped by 15 %": lambda picture: picture.crop((0, 0, round(0.85 * picture.width), picture.height)),
}


def changed(images: torch.Tensor, how: str) -> torch.Tensor:
    """A copy of each picture, changed as one of `CHANGES` or `BEYOND` says; uint8 [N,S,S,3]."""
    change, side = {**CHANGES, **BEYOND}[how], images.shape[1:3]
    copies = [np.array(change(Image.fromarray(image.numpy())).resize(side)) for image in images]
    return torch.from_numpy(np.stack(copies))
