"""How do images reach the model? ImageSet → Batches → float32 [B,3,S,S]; and the usual loader, for comparison."""

import copy
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from numbers import Integral, Real
from typing import Protocol

import torch
import torch.nn.functional as F
from PIL import Image

from helpers.data import CIFAR10_MEAN, CIFAR10_STD, ImageSet

# name of an augmentation → what its strength means, and the strength used when only the name is given
AUGMENTATIONS = {
    "crop": ("pixels of padding around the image before a random crop of the old size", 4),
    "flip": ("probability of a left-right flip", 0.5),
    "brightness": ("largest relative change of brightness", 0.2),
    "contrast": ("largest relative change of contrast", 0.2),
    "cutout": ("side in pixels of a square set to the mean colour", 8),
}


class BatchSource(Protocol):
    """What `fit` takes as batches: `Batches`, a DataLoader, a list of pairs.

    Each pass yields (inputs [B,…], labels int64 [B]); `len` counts batches. Where there is an attribute `epoch`, `fit`
    sets it before each pass (from 0), so that a run that goes on sees what it would have seen.
    """

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]: ...


class Batches:
    """Batches of an ImageSet, made in memory, a whole batch at a time.

    Iterating yields (float32 [B,3,S,S] in channels_last, int64 [B]); `len` counts batches, the last may be smaller.
    `augment` names augmentations (see AUGMENTATIONS), or maps their names to strengths. Each pass is another epoch:
    its random numbers are drawn at once from (seed, epoch), one set an image, so that an image comes out the same
    whatever the batch size. Set `.epoch` to repeat a pass. `mean` and `std` are of pixels from 0 to 1.
    ValueError, in a sentence, for what would do nothing or something else than its name says.
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
        if not _whole(batch_size) or batch_size < 1:
            raise ValueError(f"a batch holds at least 1 image, not {batch_size!r}")
        if image_size is not None and (not _whole(image_size) or image_size < 1):
            raise ValueError(f"image_size is a positive number of pixels, not {image_size!r}")
        if not _whole(seed):
            raise ValueError(f"seed is a whole number, not {seed!r}")
        if not len(image_set):
            raise ValueError("there are no images to make batches of")
        ranges = all(-1 <= value <= 1 for value in mean) and all(0 < value < math.inf for value in std)
        if len(mean) != 3 or len(std) != 3 or not ranges:
            raise ValueError(
                f"mean and std need three numbers each, of pixels from 0 to 1, std above 0, not {mean!r} and {std!r}"
            )
        if isinstance(augment, str):
            augment = (augment,)
        if not isinstance(augment, Mapping):
            augment = {name: AUGMENTATIONS.get(name, (0, 0))[1] for name in augment}
        for name, strength in augment.items():
            if name not in AUGMENTATIONS:
                raise ValueError(f"there is no augmentation {name!r}; there are {', '.join(AUGMENTATIONS)}")
            limit = 1 if name in ("flip", "brightness", "contrast") else min(image_set.images.shape[1:3])
            if not isinstance(strength, Real) or isinstance(strength, bool) or not 0 <= strength <= limit:
                raise ValueError(f"{name} cannot have strength {strength!r}: it is the {AUGMENTATIONS[name][0]}")
            if limit > 1 and strength != int(strength):
                raise ValueError(f"{name} cannot have strength {strength!r}: it is counted in whole pixels")
        self.image_set, self.batch_size = image_set, int(batch_size)
        self.image_size = None if image_size is None else int(image_size)
        self.augment, self.shuffle, self.seed, self.epoch = dict(augment), shuffle, int(seed), 0
        self.mean, self.std = tuple(map(float, mean)), tuple(map(float, std))
        # (x / 255 - mean) / std in one step: x * scale + shift
        self._scale = 1 / (255 * torch.tensor(std).view(1, 3, 1, 1))
        self._shift = -(torch.tensor(mean) / torch.tensor(std)).view(1, 3, 1, 1)
        self._mean = torch.tensor(mean).view(1, 3, 1, 1) * 255

    def __len__(self) -> int:
        """Batches an epoch."""
        return math.ceil(len(self.image_set) / self.batch_size)

    def to(self, device: str | torch.device) -> "Batches":
        """The same batches, made on `device`: all images go there once; random numbers are drawn as on the CPU."""
        moved, images = copy.copy(self), self.image_set
        moved.image_set = replace(images, images=images.images.to(device), labels=images.labels.to(device))
        moved._scale, moved._shift, moved._mean = (x.to(device) for x in (self._scale, self._shift, self._mean))
        return moved

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        self.epoch += 1
        count = len(self.image_set)
        order = torch.randperm(count, generator=generator) if self.shuffle else torch.arange(count)
        chances = torch.rand(count, 7, generator=generator)  # row i belongs to image i, each column to one use
        order, chances = (numbers.to(self.image_set.images.device) for numbers in (order, chances))
        for chosen in order.split(self.batch_size):
            yield self._make(self.image_set.images[chosen], chances[chosen]), self.image_set.labels[chosen]

    def _make(self, images: torch.Tensor, chance: torch.Tensor) -> torch.Tensor:
        """uint8 [B,H,W,3] and random numbers [B,7] in 0..1 → normalised float32 [B,3,S,S]."""
        if padding := int(self.augment.get("crop", 0)):
            images = _crop(images, padding, chance[:, 0], chance[:, 1])
        x = images.permute(0, 3, 1, 2).float()  # a view of [B,H,W,3] is channels_last already
        if self.augment.get("flip"):
            flipped = (chance[:, 2] < self.augment["flip"]).view(-1, 1, 1, 1)
            x = torch.where(flipped, x.flip(3), x)  # not x[flipped] = …, for which a GPU would have to wait
        if self.augment.get("brightness") or self.augment.get("contrast"):
            factor = (1 + self.augment.get("brightness", 0) * (2 * chance[:, 3] - 1)).view(-1, 1, 1, 1)
            spread = (1 + self.augment.get("contrast", 0) * (2 * chance[:, 4] - 1)).view(-1, 1, 1, 1)
            middle = x.mean((1, 2, 3), keepdim=True) * factor
            x.mul_(factor * spread).add_(middle * (1 - spread)).clamp_(0, 255)
        if side := int(self.augment.get("cutout", 0)):
            height, width = x.shape[2:]
            top = (chance[:, 5] * (height - side + 1)).long().view(-1, 1, 1, 1)
            left = (chance[:, 6] * (width - side + 1)).long().view(-1, 1, 1, 1)
            row = torch.arange(height, device=x.device).view(1, 1, -1, 1)
            column = torch.arange(width, device=x.device).view(1, 1, 1, -1)
            hole = (row >= top) & (row < top + side) & (column >= left) & (column < left + side)
            x = torch.where(hole, self._mean, x)
        if self.image_size and tuple(x.shape[2:]) != (self.image_size, self.image_size):
            smaller = self.image_size < x.shape[2]
            x = F.interpolate(x, size=(self.image_size, self.image_size), mode="bilinear", antialias=smaller)
        return x.mul_(self._scale).add_(self._shift).contiguous(memory_format=torch.channels_last)


def _whole(value) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _crop(images: torch.Tensor, padding: int, down: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """A random window of the old size out of each padded image. Outside is black, as in the usual CIFAR-10 recipe."""
    count, height, width, _ = images.shape
    padded = F.pad(images, (0, 0, padding, padding, padding, padding))
    top, left = ((chance * (2 * padding + 1)).long() for chance in (down, right))
    # All windows as one view [B, 2p+1, 2p+1, 3, H, W] that copies nothing; indexing then copies one window an image.
    windows = padded.unfold(1, height, 1).unfold(2, width, 1)
    return windows[torch.arange(count, device=images.device), top, left].permute(0, 2, 3, 1).contiguous()


# ---------------------------------------------------------------------------------------------- one image at a time


class PerImage(torch.utils.data.Dataset):
    """The usual data set of tutorials: one image a call, from uint8 [N,H,W,3], through `transform`."""

    def __init__(self, pixels, labels, transform):
        self.pixels, self.labels, self.transform = pixels, labels, transform

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int):
        return self.transform(Image.fromarray(self.pixels[index])), self.labels[index]


def dataloader_pipeline(images, workers: int):
    """The usual per-image pipeline of torchvision tutorials: PIL, flip, crop, tensor, normalise, DataLoader."""
    from torchvision import transforms

    steps = [
        transforms.RandomHorizontalFlip(),
        transforms.RandomCrop(32, padding=4),
        transforms.ToTensor(),
        transforms.Normalize(CIFAR10_MEAN, CIFAR10_STD),
    ]
    data = PerImage(images.images.numpy(), images.labels.tolist(), transforms.Compose(steps))
    return torch.utils.data.DataLoader(data, batch_size=128, shuffle=True, num_workers=workers)
