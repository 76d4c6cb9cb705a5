"""Write data/photos/ from Tux Paint's stamps: `apt-get download tuxpaint-stamps-default; dpkg-deb -x *.deb FOLDER`."""

import csv
import hashlib
import os
import shutil
from pathlib import Path

from PIL import Image

from helpers import DATA

PHOTOS = DATA / "photos"
STAMPS = "usr/share/tuxpaint/stamps"  # inside of the package
FOLDERS = {
    "bird": ["animals/birds"],
    "flower": ["plants/flowers", "plants/flowers/plastic"],
    "fruit": ["food/fruit"],
    "vegetable": ["food/vegetables"],
}
SIDE = 224  # pixels, the longer side at most; what is smaller stays as it is


def arguments(parser) -> None:
    parser.add_argument("--from", dest="folder", required=True, metavar="FOLDER", help="the unpacked package")
    parser.add_argument("--licence", metavar="FILE", default="/usr/share/common-licenses/GPL-2", help="the GPL's text")


def run(options, log) -> None:
    write_photos(options.folder, options.licence)


def write_photos(folder: str | Path, licence: str | Path, goal: Path = PHOTOS) -> Path:
    """The photographs among the stamps as PNG with their transparent ground, a folder for each class.

    Drawn ones (folders `cartoon`) and mirrored ones (`…_mirror.png`) are left out. Empty borders are cut off. With
    them go `photos.csv` (file, stamp, its width and height), `COPYING` (the licence) and `SHA256SUMS`.
    """
    stamps = Path(folder) / STAMPS
    part = goal.with_name(goal.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    rows = []
    for name, places in FOLDERS.items():
        (part / name).mkdir(parents=True)
        found = [path for place in places for path in sorted((stamps / place).glob("*.png"))]
        if not found:
            raise FileNotFoundError(f"{folder} holds no {STAMPS}/{places[0]}: unpack the package there")
        for path in found:
            if path.stem.endswith("_mirror"):
                continue
            with Image.open(path) as stamp:
                width, height = stamp.size
                photo = cut_out(stamp)
            photo.save(part / name / f"{path.stem.lower()}.png", optimize=True)
            rows.append([f"{name}/{path.stem.lower()}.png", path.relative_to(stamps).as_posix(), width, height])
    with open(part / "photos.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["file", "stamp", "width", "height"], *rows])
    (part / "COPYING").write_bytes(Path(licence).read_bytes())
    files = sorted(path for path in part.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(part).as_posix()}\n" for path in files]
    (part / "SHA256SUMS").write_text("".join(sums), encoding="utf-8", newline="\n")
    shutil.rmtree(goal, ignore_errors=True)
    os.replace(part, goal)
    size = sum(path.stat().st_size for path in goal.rglob("*") if path.is_file())
    print(f"{len(rows)} photographs, {size / 1e6:.1f} MB, in data/{goal.name}")
    return goal


def cut_out(stamp: Image.Image) -> Image.Image:
    """A stamp without its empty borders, in RGBA, at most `SIDE` pixels wide and high."""
    stamp = stamp.convert("RGBA")
    stamp = stamp.crop(stamp.getchannel("A").getbbox())
    stamp.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)  # of RGBA Pillow weighs colours by their opacity
    return stamp
