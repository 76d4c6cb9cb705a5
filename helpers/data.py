"""Where do images come from? PNG contact sheets | the official archive → ImageSet → helpers.batches."""

import io
import operator
import os
import shutil
import socket
import tarfile
import tempfile
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

import numpy as np
import torch
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
        if isinstance(which, int) or getattr(which, "ndim", 1) == 0:  # a whole number, NumPy's and PyTorch's too
            which = [operator.index(which)]
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
