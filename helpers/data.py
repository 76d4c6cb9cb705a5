"""Where do images come from, and how do they reach the model?

PNG contact sheets | the official archive → ImageSet → Batches → model
"""

import io
import math
import os
import shutil
import socket
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, UnidentifiedImageError
from torchvision.datasets import CIFAR10
from torchvision.datasets.utils import check_integrity, download_and_extract_archive

from helpers import DATA

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# Channel means and standard deviations of CIFAR-10's 50,000 training images: `python -m helpers stats`, lesson 02.
CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_STD = (0.2470, 0.2435, 0.2616)

SAMPLE = DATA / "cifar10-sample"
DOWNLOADS = DATA / "downloads"
SIDE = 32  # pixels, height and width of a CIFAR-10 image
TIMEOUT = 30.0  # seconds that the download waits for a connection, and for each next piece of data

# name of an augmentation → what its strength means, and the strength used when only the name is given
AUGMENTATIONS = {
    "crop": ("pixels of padding around the image before a random crop of the old size", 4),
    "flip": ("probability of a left-right flip", 0.5),
    "brightness": ("largest relative change of brightness", 0.2),
    "contrast": ("largest relative change of contrast", 0.2),
    "cutout": ("side in pixels of a square set to the mean colour", 8),
}


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images with labels: uint8 [N,H,W,3], int64 [N], class names, and in words where they come from.

    `len(s)` counts images; `s[slice]`, `s[mask]` and `s[indices]` give another ImageSet.
    """

    images: torch.Tensor
    labels: torch.Tensor
    classes: tuple[str, ...]
    source: str

    def __post_init__(self):
        if self.images.dtype != torch.uint8 or self.images.ndim != 4 or self.images.shape[-1] != 3:
            raise ValueError(
                f"images must be uint8 of shape [N,H,W,3], not {self.images.dtype} of shape {list(self.images.shape)}"
            )
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"labels must be int64 of shape [{len(self.images)}], one an image, "
                f"not {self.labels.dtype} of shape {list(self.labels.shape)}"
            )
        if len(self.labels) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            raise ValueError(f"a label lies outside 0..{len(self.classes) - 1}: there are {len(self.classes)} classes")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, which) -> "ImageSet":
        if isinstance(which, int):
            which = [which]
        return ImageSet(self.images[which], self.labels[which], self.classes, self.source)


# ---------------------------------------------------------------------------------------------- contact sheets


def read_sheet(path: str | Path) -> torch.Tensor:
    """The images of one PNG contact sheet, row by row: uint8 [N,32,32,3]."""
    path = Path(path)
    try:
        blob = path.read_bytes()
        with Image.open(io.BytesIO(blob)) as sheet:
            mode, (width, height), form = sheet.mode, sheet.size, sheet.format
            pixels = np.asarray(sheet)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing: a class's images are one sheet named after the class") from None
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(f"{path} cannot be read as an image ({error}): restore or copy it again") from error
    deep = form == "PNG" and blob[24] == 16  # bits a channel, from the header: Pillow cuts them to 8 without a word
    if form != "PNG" or mode != "RGB" or deep:
        raise ValueError(
            f"{path} is a {form} with mode {mode}{', 16 bits a channel' if deep else ''}: a contact sheet is a "
            "lossless PNG in RGB, 8 bits a channel. Copy the original again"
        )
    if width % SIDE or height % SIDE:
        raise ValueError(
            f"{path} is {width}×{height} pixels, and both should be multiples of {SIDE}: copy the original again"
        )
    tiles = pixels.reshape(height // SIDE, SIDE, width // SIDE, SIDE, 3).transpose(0, 2, 1, 3, 4)
    return torch.from_numpy(np.array(tiles, order="C").reshape(-1, SIDE, SIDE, 3))


def write_sheet(images: torch.Tensor, path: str | Path, columns: int) -> None:
    """Write uint8 [N,32,32,3] as one lossless PNG of `columns` images a row. N must fill the rows."""
    rows, left = divmod(len(images), max(1, columns))
    if columns < 1 or left or not rows:
        raise ValueError(f"{len(images)} images do not fill rows of {columns}")
    tiles = images.numpy().reshape(rows, columns, SIDE, SIDE, 3).transpose(0, 2, 1, 3, 4)
    part = Path(path).with_suffix(".part")
    pixels = np.ascontiguousarray(tiles).reshape(rows * SIDE, columns * SIDE, 3)
    Image.fromarray(pixels).save(part, "PNG", optimize=True)
    os.replace(part, path)


def read_sheets(folder: str | Path, source: str) -> tuple[ImageSet, ImageSet]:
    """Training and test images of a folder with `train/` and `test/`, a PNG contact sheet per class in each."""
    folder, sets = Path(folder), []
    for part in ("train", "test"):
        found = sorted(path.stem for path in (folder / part).glob("*.png"))
        if not found:
            raise FileNotFoundError(
                f"{folder / part} holds no contact sheet: it should have one PNG a class, "
                f"{CLASSES[0]}.png to {CLASSES[-1]}.png"
            )
        unknown, missing = sorted(set(found) - set(CLASSES)), [name for name in CLASSES if name not in found]
        if missing:
            hint = f" Renamed? {unknown[0]}.png is there, which is no class of CIFAR-10." if unknown else ""
            gone = folder / part / f"{missing[0]}.png"
            raise FileNotFoundError(f"{gone} is missing ({len(missing)} of 10 sheets).{hint}")
        if unknown:
            raise ValueError(
                f"{folder / part / (unknown[0] + '.png')}: {unknown[0]!r} is no class of CIFAR-10: remove it"
            )
        sheets = [read_sheet(folder / part / f"{name}.png") for name in CLASSES]
        labels = torch.repeat_interleave(torch.arange(10), torch.tensor([len(sheet) for sheet in sheets]))
        sets.append((torch.cat(sheets), labels))
    source = source.format(train=len(sets[0][0]), test=len(sets[1][0]))
    return tuple(ImageSet(images, labels, CLASSES, source) for images, labels in sets)


# ---------------------------------------------------------------------------------------------- CIFAR-10


def load_cifar10(which: str = "sample") -> tuple[ImageSet, ImageSet]:
    """Training and test images of CIFAR-10 (Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009).

    "sample": the 5,000 + 2,000 images that ship with the lessons; no network.
    "full": all 60,000, from the folder named by the environment variable CIFAR10_DIR (contact sheets, or the official
    `cifar-10-batches-py`), else from an earlier download, else by download (170 MB): CIFAR10_URL or the official host.
    Raises ValueError, FileNotFoundError or ConnectionError with what to do.
    """
    if which == "sample":
        return read_sheets(SAMPLE, "CIFAR-10 sample: {train:,} + {test:,} of 60,000 images")
    if which != "full":
        raise ValueError(f'load_cifar10 takes "sample" or "full", not {which!r}')
    if folder := os.environ.get("CIFAR10_DIR"):
        return _from_folder(Path(folder))
    if not (DOWNLOADS / CIFAR10.base_folder).exists():
        download_cifar10()
    return _from_batches(DOWNLOADS)


def _from_folder(folder: Path) -> tuple[ImageSet, ImageSet]:
    if not folder.is_dir():
        raise FileNotFoundError(f"CIFAR10_DIR names {folder}, which is no folder: correct it, or unset it to download")
    if (folder / "train").is_dir():
        train, test = read_sheets(folder, "")
        complete = (len(train), len(test)) == (50_000, 10_000)
        words = "CIFAR-10, complete" if complete else f"CIFAR-10, {len(train):,} + {len(test):,} of 60,000 images"
        return tuple(ImageSet(part.images, part.labels, part.classes, words) for part in (train, test))
    for root in (folder, folder.parent):
        if (root / CIFAR10.base_folder).is_dir() and (root is folder or folder.name == CIFAR10.base_folder):
            return _from_batches(root)
    raise FileNotFoundError(
        f"CIFAR10_DIR names {folder}, which holds neither train/ and test/ with contact sheets "
        f"nor {CIFAR10.base_folder}/: name a folder that does, or unset it to download"
    )


def _from_batches(root: Path) -> tuple[ImageSet, ImageSet]:
    # The batches are pickles, which can run code when opened, so each must be the official file to the byte.
    for name, md5 in [*CIFAR10.train_list, *CIFAR10.test_list, (CIFAR10.meta["filename"], CIFAR10.meta["md5"])]:
        path = root / CIFAR10.base_folder / name
        if not check_integrity(path, md5):
            state = "is not the official file (its md5 differs)" if path.exists() else "is missing"
            raise ValueError(f"{path} {state}: delete {path.parent} and fetch it again")
    sets = []
    for part in (CIFAR10(root, train=True), CIFAR10(root, train=False)):
        images, labels = torch.from_numpy(np.ascontiguousarray(part.data)), torch.tensor(part.targets)
        sets.append(ImageSet(images, labels, tuple(part.classes), "CIFAR-10, complete"))
    return tuple(sets)


def download_cifar10() -> Path:
    """Fetch the official archive with torchvision's downloader into data/downloads/, all or nothing.

    Everything happens in a temporary folder beside the goal; only files with the official md5 are moved there.
    """
    url, goal = os.environ.get("CIFAR10_URL") or CIFAR10.url, DOWNLOADS / CIFAR10.base_folder
    if not url.startswith(("http://", "https://")):
        raise ValueError(
            f"CIFAR10_URL is {url!r}, but must begin with http:// or https://; a folder goes into CIFAR10_DIR"
        )
    print(
        f"Fetching CIFAR-10 (170 MB, about 350 MB on disk) from {url}. The official host has been slow since June "
        "2026: about 40 minutes (pytorch/vision#9536). CIFAR10_URL names another copy, CIFAR10_DIR a folder that has "
        "the images.",
        flush=True,
    )
    old_timeout, temporary = socket.getdefaulttimeout(), None
    try:
        DOWNLOADS.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix="incomplete-", dir=DOWNLOADS))
        socket.setdefaulttimeout(TIMEOUT)
        download_and_extract_archive(url, temporary, filename=CIFAR10.filename, md5=CIFAR10.tgz_md5)
        _from_batches(temporary)
        try:
            os.rename(temporary / CIFAR10.base_folder, goal)
        except OSError:
            if not goal.exists():  # otherwise another process was faster, and what it put there is checked when read
                raise
    except (OSError, RuntimeError, ValueError, EOFError, HTTPException, tarfile.TarError) as error:
        raise _explain(error, url) from error
    finally:
        socket.setdefaulttimeout(old_timeout)
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return goal


def _explain(error: Exception, url: str) -> OSError:
    """What went wrong in a download, in one sentence: a ConnectionError, or an OSError when it was the disk."""
    advice = "Nothing was kept. Try again later, or set CIFAR10_URL (another copy) or CIFAR10_DIR (a folder)."
    reason = getattr(error, "reason", None)  # what an URLError wraps
    if isinstance(error, TimeoutError) or isinstance(reason, TimeoutError):
        return ConnectionError(f"{url} did not answer for {TIMEOUT:g} seconds. {advice}")
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError | URLError):
        advice = advice.replace("Try again later", "Make room or ask for permission there")
        return OSError(error.errno, f"{url} could not be stored in {DOWNLOADS}: {error.strerror}. {advice}")
    if isinstance(error, OSError | HTTPException):
        detail = reason if isinstance(reason, Exception) else error
        detail = f"{type(error).__name__}: {error}".strip() if isinstance(error, HTTPException) else detail
        return ConnectionError(f"{url} could not be fetched: {detail}. {advice}")
    return ConnectionError(f"{url} sent something else than the CIFAR-10 archive, or only a part of it. {advice}")


# ---------------------------------------------------------------------------------------- splits and statistics


def split(image_set: ImageSet, fraction: float, seed: int = 0) -> tuple[ImageSet, ImageSet]:
    """Cut a set in two, `1 - fraction` and `fraction` of each class, at random but the same for the same seed.

    Raises ValueError when a class would be empty on either side.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"the fraction to split off lies between 0 and 1, not {fraction!r}")
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.zeros(len(image_set), dtype=torch.bool)
    for label, name in enumerate(image_set.classes):
        members = torch.nonzero(image_set.labels == label).flatten()
        count = round(fraction * len(members))
        if not 0 < count < len(members):
            raise ValueError(
                f"a fraction of {fraction:g} of the {len(members)} images of class {name!r} leaves one side with none"
            )
        chosen[members[torch.randperm(len(members), generator=generator)[:count]]] = True
    return image_set[~chosen], image_set[chosen]


class ChannelStats(NamedTuple):
    """Per channel (red, green, blue), pixels scaled to 0..1."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]  # of all pixels of all images
    per_image_std: tuple[float, float, float]  # of each image on its own (n - 1), then averaged: the copied numbers


def channel_stats(image_set: ImageSet) -> ChannelStats:
    """Mean, standard deviation, and mean of the per-image standard deviations, in float64."""
    if not len(image_set):
        raise ValueError("an empty set has no channel statistics")
    totals = torch.zeros(3, 3, dtype=torch.float64)
    for images in image_set.images.split(5000):
        pixels = images.flatten(1, 2).double() / 255  # [n, H·W, 3]
        totals += torch.stack([pixels.sum((0, 1)), pixels.square().sum((0, 1)), pixels.std(1).sum(0)])
    count = image_set.images.shape[1] * image_set.images.shape[2] * len(image_set)
    mean = totals[0] / count
    std = (totals[1] / count - mean**2).sqrt()
    return ChannelStats(*(tuple(row.tolist()) for row in (mean, std, totals[2] / len(image_set))))


# ---------------------------------------------------------------------------------------------- batches


class Batches:
    """Batches of an ImageSet, made in memory, a whole batch at a time.

    Iterating yields (float32 [B,3,S,S] in channels_last, int64 [B]); `len` counts batches, the last may be smaller.
    `augment` names augmentations (see AUGMENTATIONS), or maps their names to strengths. Each pass is another epoch:
    its random numbers are drawn at once from (seed, epoch), one set an image, so that an image comes out the same
    whatever the batch size. Set `.epoch` to repeat a pass.
    """

    def __init__(
        self,
        image_set: ImageSet,
        batch_size: int,
        *,
        image_size: int | None = None,
        augment: Iterable[str] | Mapping[str, float] = (),
        shuffle: bool = False,
        seed: int = 0,
        mean: tuple[float, ...] = CIFAR10_MEAN,
        std: tuple[float, ...] = CIFAR10_STD,
    ):
        if not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"a batch holds at least 1 image, not {batch_size!r}")
        if image_size is not None and (not isinstance(image_size, int) or image_size < 1):
            raise ValueError(f"image_size is a positive number of pixels, not {image_size!r}")
        if not len(image_set):
            raise ValueError("there are no images to make batches of")
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(f"mean and std need three numbers each, std above 0, not {mean!r} and {std!r}")
        if isinstance(augment, str):
            augment = (augment,)
        if not isinstance(augment, Mapping):
            augment = {name: AUGMENTATIONS.get(name, (0, 0))[1] for name in augment}
        for name, strength in augment.items():
            if name not in AUGMENTATIONS:
                raise ValueError(f"there is no augmentation {name!r}; there are {', '.join(AUGMENTATIONS)}")
            limit = 1 if name in ("flip", "brightness", "contrast") else min(image_set.images.shape[1:3])
            if not 0 <= strength <= limit:
                raise ValueError(f"{name} cannot have strength {strength!r}: it is the {AUGMENTATIONS[name][0]}")
        self.image_set, self.batch_size, self.image_size = image_set, batch_size, image_size
        self.augment, self.shuffle, self.seed, self.epoch = dict(augment), shuffle, seed, 0
        # (x / 255 - mean) / std in one step: x * scale + shift
        self._scale = 1 / (255 * torch.tensor(std).view(1, 3, 1, 1))
        self._shift = -(torch.tensor(mean) / torch.tensor(std)).view(1, 3, 1, 1)
        self._mean = torch.tensor(mean).view(1, 3, 1, 1) * 255

    def __len__(self) -> int:
        return math.ceil(len(self.image_set) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        self.epoch += 1
        count = len(self.image_set)
        order = torch.randperm(count, generator=generator) if self.shuffle else torch.arange(count)
        chances = torch.rand(count, 7, generator=generator)  # row i belongs to image i, each column to one use
        for chosen in order.split(self.batch_size):
            yield self._make(self.image_set.images[chosen], chances[chosen]), self.image_set.labels[chosen]

    def _make(self, images: torch.Tensor, chance: torch.Tensor) -> torch.Tensor:
        """uint8 [B,H,W,3] and random numbers [B,7] in 0..1 → normalised float32 [B,3,S,S]."""
        if padding := round(self.augment.get("crop", 0)):
            images = _crop(images, padding, chance[:, 0], chance[:, 1])
        x = images.permute(0, 3, 1, 2).float()  # a view of [B,H,W,3] is channels_last already
        if self.augment.get("flip"):
            flipped = chance[:, 2] < self.augment["flip"]
            x[flipped] = x[flipped].flip(3)
        if self.augment.get("brightness") or self.augment.get("contrast"):
            factor = (1 + self.augment.get("brightness", 0) * (2 * chance[:, 3] - 1)).view(-1, 1, 1, 1)
            spread = (1 + self.augment.get("contrast", 0) * (2 * chance[:, 4] - 1)).view(-1, 1, 1, 1)
            middle = x.mean((1, 2, 3), keepdim=True) * factor
            x.mul_(factor * spread).add_(middle * (1 - spread)).clamp_(0, 255)
        if side := round(self.augment.get("cutout", 0)):
            height, width = x.shape[2:]
            top = (chance[:, 5] * (height - side + 1)).long().view(-1, 1, 1, 1)
            left = (chance[:, 6] * (width - side + 1)).long().view(-1, 1, 1, 1)
            row, column = torch.arange(height).view(1, 1, -1, 1), torch.arange(width).view(1, 1, 1, -1)
            hole = (row >= top) & (row < top + side) & (column >= left) & (column < left + side)
            x = torch.where(hole, self._mean, x)
        if self.image_size and tuple(x.shape[2:]) != (self.image_size, self.image_size):
            smaller = self.image_size < x.shape[2]
            x = F.interpolate(x, size=(self.image_size, self.image_size), mode="bilinear", antialias=smaller)
        return x.mul_(self._scale).add_(self._shift).contiguous(memory_format=torch.channels_last)


def _crop(images: torch.Tensor, padding: int, down: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """A random window of the old size out of each padded image. Outside is black, as in the usual CIFAR-10 recipe."""
    count, height, width, _ = images.shape
    padded = F.pad(images, (0, 0, padding, padding, padding, padding))
    top, left = ((chance * (2 * padding + 1)).long() for chance in (down, right))
    # All windows as one view [B, 2p+1, 2p+1, 3, H, W] that copies nothing; indexing then copies one window an image.
    windows = padded.unfold(1, height, 1).unfold(2, width, 1)
    return windows[torch.arange(count), top, left].permute(0, 2, 3, 1).contiguous()
