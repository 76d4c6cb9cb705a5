"""One picture file → an upright picture in 8-bit RGB, or the reason why there is none."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

# What cameras, phones and web pages write; Pillow knows others, some of which start programs (EPS) or are no pictures.
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "TIFF", "BMP", "PPM", "JPEG2000")
MOST_PIXELS = 120_000_000  # width × height; more is a mistake or an attack
LEAST_SIDE, MOST_LENGTH = 8, 20  # pixels; times as long as wide
# How a camera was held (EXIF's orientation) → how its picture is turned upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# The reasons for which a file is set aside, as a report counts them.
REASONS = ("hidden", "in no class", "no ordinary file", "cannot be opened", "empty", "no picture", "tiny", "too long",
           "enormous", "damaged")  # fmt: skip


class Unusable(ValueError):
    """Why a file is not used: `reason` is one of `REASONS`, `detail` says more."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


def decode(source: Path | bytes, side: int | None = None) -> Image.Image:
    """A file or its bytes as an upright RGB picture; for squares of `side`, a large JPEG at a fraction of its size.

    Raises Unusable with a reason. With `side`, also for what is tiny or absurdly long.
    """
    Image.init()
    try:
        blob = io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")  # noqa: SIM115
    except OSError as error:
        raise Unusable("cannot be opened", error.strerror or str(error)) from None
    with blob, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about damaged notes beside a sound picture
        head = blob.read(32)
        blob.seek(0)
        try:
            with Image.open(blob, formats=[name for name in FORMATS if name in Image.OPEN]) as picture:
                _check_size(*picture.size, strict=side is not None)
                if side:
                    picture.draft(None, (2 * side, 2 * side))  # JPEG: 1/2, 1/4 or 1/8, never below this
                picture.load()
                return _upright(picture)
        except Unusable:
            raise
        except Image.DecompressionBombError as error:
            raise Unusable("enormous", str(error)) from None
        except Image.UnidentifiedImageError:
            raise _unidentified(head) from None
        except Exception as error:  # a damaged file can make Pillow raise nearly anything
            raise Unusable("damaged", str(error) or type(error).__name__) from None


def _check_size(width: int, height: int, strict: bool) -> None:
    words = f"{width:,} × {height:,} pixels"
    if width * height > MOST_PIXELS:
        raise Unusable("enormous", words)
    if strict and min(width, height) < LEAST_SIDE:
        raise Unusable("tiny", words)
    if strict and max(width, height) > MOST_LENGTH * min(width, height):
        raise Unusable("too long", words)


def _unidentified(head: bytes) -> Unusable:
    """What a file is that Pillow does not know, by its first bytes."""
    if not head:
        return Unusable("empty")
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1"):
        return Unusable("no picture", "a phone's HEIC file, export it as JPEG")
    return Unusable("no picture", "its beginning is of no kind of picture that is read here")


def _upright(picture: Image.Image) -> Image.Image:
    """A loaded picture in 8-bit RGB, turned as its EXIF says."""
    try:
        turn = UPRIGHT.get(picture.getexif().get(0x0112))
    except Exception:  # damaged notes beside a sound picture
        turn = None
    if picture.mode.startswith(("I", "F")):
        picture = _eight_bits(picture)
    if picture.has_transparency_data:
        picture = _everyday_colours(picture.convert("RGBA"), picture.info.get("icc_profile"))
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    picture = _everyday_colours(picture, picture.info.get("icc_profile")).convert("RGB")
    return picture.transpose(turn) if turn is not None else picture


def _everyday_colours(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """sRGB, where phones and print shops have put a profile of other colours beside the pixels; else as it is.

    Read without it, the numbers of a phone's wide colours would look duller than the photo.
    """
    if not profile or picture.mode not in ("L", "RGB", "RGBA", "CMYK"):
        return picture
    try:
        own, mode = ImageCms.ImageCmsProfile(io.BytesIO(profile)), "RGBA" if picture.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(picture, own, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # damaged, or made for another kind of picture
        return picture


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits, or of decimal numbers, scaled to 0..255; Pillow itself would cut off what is above."""
    pixels, clear = np.nan_to_num(np.asarray(picture, dtype=np.float64)), picture.info.get("transparency")
    low, high = pixels.min(), pixels.max()
    if picture.mode.startswith("I;16") or (picture.mode == "I" and low >= 0 and 255 < high <= 65535):
        scaled = pixels / 257  # 65,535 is white
    elif low >= 0 and high <= (1 if picture.mode == "F" else 255):
        scaled = pixels * (255 if picture.mode == "F" else 1)
    else:
        scaled = (pixels - low) * (255 / max(high - low, 1e-9))
    if isinstance(clear, int):
        scaled[pixels == clear] = 255  # the shade that stands for transparent
    return Image.fromarray(scaled.round().astype(np.uint8))
