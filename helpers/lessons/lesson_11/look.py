"""What did it look at: checks of heat maps (random weights, silhouettes, a blob), other grounds and other places."""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import nn

from helpers import DATA
from helpers.photos import open_photo

PHOTOS = DATA / "photos"
WHITE = 1.0  # of normalised pixels: the photos' ground; 0 is grey


def randomised(model: nn.Module, pixels: torch.Tensor, seed: int = 0) -> nn.Module:
    """A copy with random weights, whose BatchNorms have measured the images `pixels` anew; in evaluation mode."""
    fresh = copy.deepcopy(model)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for layer in fresh.modules():
            if isinstance(layer, (nn.Conv2d, nn.BatchNorm2d)):
                layer.reset_parameters()
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = None
    with torch.no_grad():
        fresh.train()(pixels)
    return fresh.eval()


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    """Pearson's, of two maps; nan where one of them is flat: it is then like nothing and unlike nothing."""
    one, other = one.flatten() - one.mean(), other.flatten() - other.mean()
    length = float(one.norm() * other.norm())
    return float(one @ other) / length if length > 1e-9 else float("nan")


def middle(values: Sequence[float]) -> float:
    """The median of those that are numbers; nan where none is."""
    numbers = [value for value in values if value == value]
    return float(np.median(numbers)) if numbers else float("nan")


def blob(cells: int) -> torch.Tensor:
    """[cells, cells]: a round blob in the middle (a Gaussian, √2 cells wide), made without network or photo."""
    distance = torch.arange(cells) - (cells - 1) / 2
    return torch.exp(-(distance[:, None] ** 2 + distance**2) / 4)


def ink(image: torch.Tensor, cells: int) -> torch.Tensor:
    """[cells, cells]: which share of each cell of a photo on white, uint8 [S,S,3], is not white."""
    drawn = (image.float().amin(2) < 245).float()
    return nn.functional.adaptive_avg_pool2d(drawn[None], cells)[0]


def on_ground(names: Sequence[str], ground: str | int, folder: Path = PHOTOS, side: int = 224) -> torch.Tensor:
    """A folder's photos, whole, on another ground: a colour's name, or a seed for a pattern of blurred noise each.

    uint8 [N,side,side,3]; "white" gives what `load_folder(…, whole=True)` gives, but for a rounding at the edges. Where
    a photo is opaque, as a camera's is, the ground shows only beside it.
    """
    squares = []
    for index, name in enumerate(names):
        photo = _cut_out(Path(folder) / name)
        photo = ImageOps.pad(photo, (side, side), Image.Resampling.BICUBIC, color=(0, 0, 0, 0))
        if isinstance(ground, str):
            paper = Image.new("RGBA", photo.size, ground)
        else:
            noise = np.random.default_rng((ground, index)).integers(0, 256, (9, 9, 3), dtype=np.uint8)
            paper = Image.fromarray(noise).resize(photo.size, Image.Resampling.BICUBIC).convert("RGBA")
        squares.append(np.array(Image.alpha_composite(paper, photo).convert("RGB")))
    return torch.from_numpy(np.stack(squares))


def _cut_out(path: Path) -> Image.Image:
    """A picture with its opacity; one that has none, upright as `load_folder` reads it."""
    with Image.open(path) as file:
        if file.has_transparency_data:
            return file.convert("RGBA")
    return Image.fromarray(open_photo(path).numpy()).convert("RGBA")


CORNERS = {"top left": (0, 0), "top right": (0, 1), "bottom right": (1, 1)}  # row, column


def in_corner(images: torch.Tensor, corner: str) -> torch.Tensor:
    """The photos at half their size in one of `CORNERS`, the rest white: uint8 [N,S,S,3], S even."""
    half = images.shape[1] // 2
    pixels = images.permute(0, 3, 1, 2).float()
    small = nn.functional.interpolate(pixels, (half, half), mode="bilinear", antialias=True)
    row, column = (half * place for place in CORNERS[corner])
    moved = torch.full_like(images, 255)
    moved[:, row : row + half, column : column + half] = small.permute(0, 2, 3, 1).round().byte()
    return moved


def blurred(images: torch.Tensor, side: int) -> torch.Tensor:
    """The photos as if all had been `side` pixels wide: made smaller, then as large as before. uint8 [N,S,S,3]."""
    pixels = images.permute(0, 3, 1, 2).float()
    small = nn.functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
    large = nn.functional.interpolate(small, images.shape[1:3], mode="bilinear")
    return large.permute(0, 2, 3, 1).round().byte()
