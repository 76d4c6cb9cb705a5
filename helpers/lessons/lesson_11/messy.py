"""A folder as people have them: sound photos in many kinds of files, and what lies between them."""

import io
import struct
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from helpers import DATA
from helpers.photos import open_photo

PHOTOS = DATA / "photos"


def photo(name: str, side: int = 160) -> Image.Image:
    """A shipped photo, whole, on white."""
    with Image.open(PHOTOS / name) as file:
        cut_out = file.convert("RGBA")
    ground = Image.new("RGBA", cut_out.size, "white")
    return ImageOps.pad(Image.alpha_composite(ground, cut_out).convert("RGB"), (side, side), color="white")


def cut_out(name: str) -> torch.Tensor:
    """A shipped photo as it is stored, with its opacity: uint8 [H,W,4]."""
    with Image.open(PHOTOS / name) as file:
        return torch.from_numpy(np.array(file.convert("RGBA")))


def turned_phone(path: Path, picture: Image.Image) -> None:
    """A JPEG as a phone writes it that was held upright: lying, with a note that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, quality=90)


def sixteen_bits(path: Path, picture: Image.Image) -> None:
    """Grey, 65,536 shades, as scanners and microscopes write."""
    Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257).save(path)


def make_messy(folder: str | Path) -> Path:
    """Two classes, eight sound photos and nine files that are none; the folder must not exist yet."""
    folder = Path(folder)
    fruit, vegetable = folder / "fruit", folder / "vegetable"
    for place in (fruit, vegetable):
        place.mkdir(parents=True)
    photo("fruit/lemon.png").save(fruit / "лимон.png")
    turned_phone(fruit / "IMG_2041.jpg", photo("fruit/pineapple.png"))
    photo("fruit/kiwi.png").convert("CMYK").save(fruit / "from the printer.jpg")
    sixteen_bits(fruit / "microscope.png", photo("fruit/raspberry.png"))
    photo("vegetable/tomato.png").save(fruit / "tomato.jpg", quality=50)
    photo("vegetable/tomato.png").save(vegetable / "tomato.png")
    photo("vegetable/carrot.png").save(vegetable / "no_ending", "PNG")
    frames = [photo(f"vegetable/{name}.png") for name in ("corn", "onion", "garlic")]
    frames[0].save(vegetable / "moving.gif", save_all=True, append_images=frames[1:])

    file = io.BytesIO()
    photo("fruit/mango.png").save(file, "JPEG")
    (fruit / "half a download.jpg").write_bytes(file.getvalue()[: len(file.getvalue()) // 2])
    (fruit / "empty.jpg").touch()
    (fruit / "._IMG_2041.jpg").write_bytes(b"\0\5\x16\7")
    (fruit / "page.jpg").write_text("<html>404 not found</html>", encoding="utf-8")
    (vegetable / "IMG_2042.HEIC").write_bytes(struct.pack(">I4s4s", 24, b"ftyp", b"heic") + bytes(400))
    Image.new("RGB", (1, 1)).save(vegetable / "tracker.gif")
    photo("vegetable/yam.png").resize((1600, 20)).save(vegetable / "ribbon.png")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / "notes.txt").write_text("tomatoes: ask Ann", encoding="utf-8")
    return folder


def naive_and_right(folder: Path) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """(what it is, pixels by plain `Image.open(…).convert("RGB")`, pixels by `open_photo`) for four kinds of files."""
    files = {
        "transparent ground": PHOTOS / "bird" / "blackbird.png",
        "phone held upright": folder / "fruit" / "IMG_2041.jpg",
        "16 bits": folder / "fruit" / "microscope.png",
        "moving": folder / "vegetable" / "moving.gif",
    }
    found = []
    for name, path in files.items():
        with Image.open(path) as file:
            if name == "16 bits":  # as Pillow does it by itself: what is above 255 is cut off
                naive = np.repeat(np.asarray(file).clip(0, 255).astype(np.uint8)[..., None], 3, 2)
            else:
                naive = np.asarray(file.convert("RGB"))
        found.append((name, naive, open_photo(path).numpy()))
    return found
