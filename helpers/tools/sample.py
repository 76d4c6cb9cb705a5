"""Write data/cifar10-sample/ from contact sheets of the complete set."""

import hashlib
import os
import shutil
from pathlib import Path

import torch

from helpers.data import CLASSES, SAMPLE, read_sheets, write_sheet

PER_CLASS = {"train": (500, 25), "test": (200, 20)}  # images a class, images a row of the sheet


def arguments(parser) -> None:
    parser.add_argument("--from", dest="folder", required=True, metavar="FOLDER")
    parser.add_argument("--overwrite", action="store_true", help="replace a sample that holds other images")


def run(options, log) -> None:
    write_sample(options.folder, options.overwrite)


def write_sample(folder: str, overwrite: bool = False) -> Path:
    """Cut the first 500 training and 200 test images of each class out of contact sheets, with a SHA-256 manifest.

    A sample of other images that is there stays, and FileExistsError says so, unless `overwrite`.
    """
    sets = dict(zip(PER_CLASS, read_sheets(folder, ""), strict=True))
    part = SAMPLE.with_name(SAMPLE.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    for name, (count, _) in PER_CLASS.items():
        for class_name, there in zip(CLASSES, torch.bincount(sets[name].labels, minlength=10).tolist(), strict=True):
            if there < count:
                raise ValueError(f"{folder} has {there} {name} images of class {class_name}; needed are {count}")
    for name, (count, columns) in PER_CLASS.items():
        (part / name).mkdir(parents=True)
        for label, class_name in enumerate(CLASSES):
            images = sets[name].images[sets[name].labels == label]
            write_sheet(images[:count], part / name / f"{class_name}.png", columns)
    sheets = sorted(part.glob("*/*.png"))
    sums = [(hashlib.sha256(path.read_bytes()).hexdigest(), path.relative_to(part).as_posix()) for path in sheets]
    manifest = "".join(f"{digest}  {name}\n" for digest, name in sums)
    (part / "SHA256SUMS").write_text(manifest, encoding="utf-8", newline="\n")
    there = SAMPLE / "SHA256SUMS"
    if SAMPLE.exists() and not overwrite and not (there.exists() and there.read_text(encoding="utf-8") == manifest):
        shutil.rmtree(part)
        raise FileExistsError(
            f"data/{SAMPLE.name} holds other images than {folder} gives: only --overwrite replaces them"
        )
    shutil.rmtree(SAMPLE, ignore_errors=True)
    os.replace(part, SAMPLE)
    size = sum(path.stat().st_size for path in SAMPLE.rglob("*.png"))
    print(f"{len(sheets)} sheets, {size / 1e6:.1f} MB, in data/{SAMPLE.name}")
    return SAMPLE
