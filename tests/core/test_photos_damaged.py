"""2,000 damaged files: none stops the loader or is changed; what Pillow opens whole is used, all else has a reason."""

import hashlib
import io
import time
import warnings
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageOps

from helpers.photos import REASONS, load_folder
from helpers.photos.picture import FORMATS, LEAST_SIDE, MOST_LENGTH, MOST_PIXELS

SIDE, COUNT = 64, 2_000
KINDS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "BMP": "bmp", "GIF": "gif", "TIFF": "tif"}


def originals() -> list[tuple[str, bytes]]:
    """Sound files of six formats, in the modes that each knows."""
    random, found = np.random.default_rng(1), []
    small = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    rgb = small.resize((120, 90), Image.Resampling.BICUBIC)
    rgba = rgb.convert("RGBA")
    rgba.putalpha(Image.fromarray(random.integers(0, 256, (90, 120), dtype=np.uint8)))
    deep = Image.fromarray(np.asarray(rgb.convert("L")).astype(np.uint16) * 250)
    exif = Image.Exif()
    exif[0x0112] = 6
    modes = {
        "JPEG": [rgb, rgb.convert("L"), rgb.convert("CMYK")],
        "PNG": [rgb, rgba, rgb.convert("P"), rgb.convert("1"), deep, rgb.convert("LA")],
        "WEBP": [rgb, rgba],
        "BMP": [rgb, rgb.convert("L"), rgb.convert("P")],
        "GIF": [rgb, rgb.convert("L")],
        "TIFF": [rgb, rgba, rgb.convert("CMYK"), deep, rgb.convert("P")],
    }
    for kind, pictures in modes.items():
        for each in pictures:
            more = [{}] + [{"exif": exif}] * (kind in ("JPEG", "PNG", "WEBP"))
            more += [{"compression": "tiff_lzw"}] * (kind == "TIFF") + [{"progressive": True}] * (kind == "JPEG")
            for options in more:
                file = io.BytesIO()
                each.save(file, kind, **options)
                found.append((KINDS[kind], file.getvalue()))
    for kind in ("GIF", "PNG", "WEBP"):
        file = io.BytesIO()
        rgb.save(file, kind, save_all=True, append_images=[rgb.rotate(90), rgb.rotate(180)])
        found.append((KINDS[kind], file.getvalue()))
    return found


def damaged(blob: bytes, random: np.random.Generator) -> bytes:
    """One of seven accidents, or two."""
    data = bytearray(blob)
    for _ in range(random.integers(1, 3)):
        size = max(len(data), 2)
        at, length = int(random.integers(size)), int(random.integers(1, 40))
        match int(random.integers(7)):
            case 0:  # cut off
                del data[at:]
            case 1:  # some bits flipped, anywhere
                for place in random.integers(0, size, int(random.integers(1, 12))):
                    if place < len(data):
                        data[place] ^= 1 << int(random.integers(8))
            case 2:  # the beginning: sizes, modes, markers
                at = int(random.integers(min(size, 64)))
                data[at : at + 2] = random.bytes(2)
            case 3:  # a piece lost
                del data[at : at + length]
            case 4:  # a piece put in
                data[at:at] = random.bytes(length)
            case 5:  # a block of zeros
                data[at : at + 8 * length] = bytes(len(data[at : at + 8 * length]))
            case 6:  # the end of another place
                data[at : at + length] = data[:length]
    return bytes(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    random, sound = np.random.default_rng(2026), originals()
    top = tmp_path_factory.mktemp("damaged")
    for index in range(COUNT):
        end, blob = sound[index % len(sound)]
        path = top / "AB"[index % 2] / f"{index:04}.{end}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(damaged(blob, random))
    return top


def independent(path) -> np.ndarray | str:
    """The middle square by Pillow and NumPy alone, or what Pillow says of a file that it does not open whole."""
    try:
        with Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN]) as file:
            width, height = file.size
            if width * height > MOST_PIXELS or min(file.size) < LEAST_SIDE:
                return "size"
            if max(file.size) > MOST_LENGTH * min(file.size):
                return "size"
            file.load()
            turn = 1
            try:
                turn = file.getexif().get(0x0112, 1)
            except Exception:
                turn = 1
            if file.mode.startswith("I;16"):
                grey = np.round(np.asarray(file) / 257)
                pixels = np.repeat(grey[..., None], 3, 2)
            elif "transparency" in file.info or file.mode in ("RGBA", "LA", "PA"):
                four = np.asarray(file.convert("RGBA")).astype(float)
                pixels = np.round(four[..., :3] * four[..., 3:] / 255 + 255 - four[..., 3:])
            else:
                pixels = np.asarray(file.convert("RGB"))
            rows = {1: lambda p: p, 2: lambda p: p[:, ::-1], 3: lambda p: p[::-1, ::-1], 4: lambda p: p[::-1],
                    5: lambda p: p.swapaxes(0, 1), 6: lambda p: p[::-1].swapaxes(0, 1),
                    7: lambda p: p[::-1, ::-1].swapaxes(0, 1), 8: lambda p: p[:, ::-1].swapaxes(0, 1)}  # fmt: skip
            upright = Image.fromarray(np.ascontiguousarray(rows.get(turn, rows[1])(pixels).astype(np.uint8)))
            return np.asarray(ImageOps.fit(upright, (SIDE, SIDE), Image.Resampling.BICUBIC))
    except Exception as error:
        return type(error).__name__


def fingerprints(folder) -> dict:
    return {p.name: (hashlib.sha256(p.read_bytes()).digest(), p.stat().st_mtime_ns) for p in folder.rglob("*.*")}


def test_two_thousand_damaged_files(folder):
    before, started = fingerprints(folder), time.process_time()
    images, report = load_folder(folder, SIDE)
    assert time.process_time() - started < 40
    assert fingerprints(folder) == before and len(before) == COUNT, "a file was changed"
    assert len(report.used) + len(report.aside) == COUNT and {name for _, name, _ in report.aside} <= set(REASONS)
    used, wrong, large = dict(zip(report.used, images.images.numpy(), strict=True)), [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in folder.rglob("*.*"):
            name, wanted = path.relative_to(folder).as_posix(), independent(path)
            if isinstance(wanted, str) != (name not in used):
                wrong.append((name, wanted if isinstance(wanted, str) else "opens whole"))
            elif not isinstance(wanted, str):
                if name.endswith(".jpg") and min(Image.open(path).size) >= 4 * SIDE:
                    large += 1  # read at a fraction of its size, so not to the same pixels
                elif np.abs(used[name].astype(int) - wanted).max() > 2:
                    wrong.append((name, "other pixels"))
    assert not wrong
    reasons = Counter(report.reasons)
    print(f"{len(used)} used, {dict(reasons)}, {large} large")
    assert large < 40 and len(used) > 400 and reasons["damaged"] > 200 and reasons["no picture"] > 50
