"""How does a photograph of one's own reach the network?"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torchvision.transforms.v2 import InterpolationMode, functional


def open_photo(path: str | Path) -> torch.Tensor:
    """Any picture file that Pillow reads, upright and in colour: uint8 [H,W,3].

    A camera's note on how it was held (EXIF) is obeyed; transparent places become white. Raises FileNotFoundError when
    there is no such file, ValueError when it is a folder, no picture, or a damaged one.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a picture: name a file in it")
    try:
        with Image.open(path) as file:
            photo = ImageOps.exif_transpose(file)
            if photo.has_transparency_data:
                photo = photo.convert("RGBA")
                photo = Image.alpha_composite(Image.new("RGBA", photo.size, "white"), photo)
            return torch.from_numpy(np.array(photo.convert("RGB")))
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}") from None
    except UnidentifiedImageError:
        raise ValueError(f"{path} is not a picture that can be read here: a JPEG or PNG file is meant") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as a picture ({error}): export or copy it again") from error


def photo_input(photo: torch.Tensor, image_size: int, mean: tuple, std: tuple) -> torch.Tensor:
    """The middle square of a photo, uint8 [H,W,3] → what a network takes, normalised float32 [1,3,S,S]."""
    pixels = functional.center_crop(photo.permute(2, 0, 1), [min(photo.shape[:2])] * 2)
    pixels = functional.resize(pixels, [image_size] * 2, InterpolationMode.BICUBIC, antialias=True)
    return functional.normalize(functional.to_dtype(pixels, torch.float32, scale=True), mean, std)[None]
