"""How does a photograph of one's own reach the network? A file → pixels; a folder of files → ImageSet and a report."""

from pathlib import Path

import numpy as np
import torch
from torchvision.transforms.v2 import InterpolationMode, functional

from helpers.photos.folder import Report, load_folder, printable
from helpers.photos.picture import REASONS, Unusable, decode

__all__ = ["REASONS", "Report", "Unusable", "load_folder", "open_photo", "photo_input", "printable"]


def open_photo(source: str | Path | bytes) -> torch.Tensor:
    """Any picture file that Pillow reads, or its bytes, upright and in colour: uint8 [H,W,3].

    A camera's note on how it was held (EXIF) is obeyed, transparent places become white, more than 8 bits are scaled,
    of a moving picture the first one is taken, and an embedded colour profile is applied. Raises FileNotFoundError when
    there is no such file, ValueError when it is a folder, no picture, or a damaged one.
    """
    name, file = "this", source
    if not isinstance(source, bytes):
        name = file = Path(source).expanduser()
        if file.is_dir():
            raise ValueError(f"{name} is a folder, not a picture: name a file in it")
        if not file.exists():
            raise FileNotFoundError(f"there is no file {name}")
    try:
        return torch.from_numpy(np.array(decode(file)))
    except Unusable as error:
        if error.reason in ("no picture", "empty"):
            detail = error.detail or "a JPEG or PNG file is meant"
            raise ValueError(f"{name} is not a picture that can be read here: {detail}") from error
        raise ValueError(f"{name} cannot be read as a picture ({error}): export or copy it again") from error


def photo_input(photo: torch.Tensor, image_size: int, mean: tuple, std: tuple) -> torch.Tensor:
    """The middle square of a photo, uint8 [H,W,3] → what a network takes, normalised float32 [1,3,S,S]."""
    pixels = functional.center_crop(photo.permute(2, 0, 1), [min(photo.shape[:2])] * 2)
    pixels = functional.resize(pixels, [image_size] * 2, InterpolationMode.BICUBIC, antialias=True)
    return functional.normalize(functional.to_dtype(pixels, torch.float32, scale=True), mean, std)[None]
