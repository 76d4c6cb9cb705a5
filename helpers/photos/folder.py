"""A folder of pictures, with a folder inside for each class → an ImageSet, and a report of what became of each file."""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from helpers.data import ImageSet
from helpers.photos.picture import REASONS, Unusable, decode


@dataclass(frozen=True)
class Report:
    """What became of each file: `used[i]` is the file of image i, `aside` holds (file, reason, detail) of the others.

    Names are relative to the folder, with "/" between their parts.
    """

    folder: str
    used: tuple[str, ...]
    aside: tuple[tuple[str, str, str], ...]

    @property
    def reasons(self) -> dict[str, int]:
        """How many files were set aside for which reason, in the order of `REASONS`."""
        counts = Counter(reason for _, reason, _ in self.aside)
        return {reason: counts[reason] for reason in REASONS if counts[reason]}

    def __str__(self) -> str:
        lines = [f"{len(self.used):,} pictures used, {len(self.aside):,} files set aside"]
        for name, reason, detail in self.aside[:20]:
            lines.append(f"  {printable(name)}: {reason}" + (f" ({detail})" if detail else ""))
        if len(self.aside) > 20:
            lines.append("  … " + ", ".join(f"{reason} {count:,}" for reason, count in self.reasons.items()))
        return "\n".join(lines)


def load_folder(folder: str | Path, side: int = 224, whole: bool = False) -> tuple[ImageSet, Report]:
    """The pictures of a folder with one folder inside for each class, as squares of `side` pixels, and a report.

    Folders inside of a class belong to it. Of each picture the middle square is taken, or, with `whole`, all of it, on
    white. Nothing in the folder is changed. Memory: 3 · side² bytes a picture (150 kB at 224) and one open file:
    10,000 photos of 12 megapixels, 3 MB each, took 1.45 GB, of which 14 MB were not pixels.
    Raises FileNotFoundError when there is no such folder, ValueError when it holds no usable picture in a class.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}: it should hold one folder for each class")
    files = list(_files(folder))
    pixels = np.empty((len(files), side, side, 3), np.uint8)  # of what stays unused the system takes no memory
    used, aside, owners = [], [], []
    for path, problem in files:
        name = path.relative_to(folder).as_posix()
        try:
            if problem:
                raise Unusable(problem)
            _check_file(path)
            shape = ImageOps.pad if whole else ImageOps.fit
            extra = {"color": "white"} if whole else {}
            square = shape(decode(path, side), (side, side), Image.Resampling.BICUBIC, **extra)
        except Unusable as error:
            aside.append((name, error.reason, error.detail))
        else:
            pixels[len(used)] = square
            used.append(name)
            owners.append(name.split("/")[0])
    report = Report(folder.name, tuple(used), tuple(aside))
    classes = tuple(dict.fromkeys(owners))  # in the order of their names
    if not classes:
        raise ValueError(
            f"{folder} holds no usable picture in a class's folder, as in {folder.name}/apple/1.jpg. {report}"
        )
    labels = torch.tensor([classes.index(owner) for owner in owners])
    words = f"{printable(folder.name)}: {len(used):,} pictures in {len(classes)} classes, {side} pixels"
    return ImageSet(torch.from_numpy(pixels[: len(used)]), labels, tuple(map(printable, classes)), words), report


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file of a folder in the order of names, class by class, and why it is set aside unread (or "")."""
    tops = sorted(os.scandir(folder), key=lambda entry: entry.name)
    for top in (entry for entry in tops if entry.is_dir() and not _is_hidden(entry.name)):
        for where, folders, names in os.walk(top.path):  # links to folders are not followed: they may lead back here
            for name in [name for name in folders if _is_hidden(name) or os.path.islink(os.path.join(where, name))]:
                folders.remove(name)
                yield Path(where, name), "hidden" if _is_hidden(name) else "no ordinary file"
            folders.sort()
            for name in sorted(names):
                yield Path(where, name), "hidden" if _is_hidden(name) else ""
    for top in tops:
        if _is_hidden(top.name):
            yield Path(top.path), "hidden"
        elif not top.is_dir():
            yield Path(top.path), "in no class"


def _is_hidden(name: str) -> bool:
    """What systems leave beside pictures: .DS_Store, ._1.jpg, .ipynb_checkpoints, __MACOSX, Thumbs.db, desktop.ini."""
    return name.startswith(".") or name.lower() in ("__macosx", "thumbs.db", "desktop.ini")


def _check_file(path: Path) -> None:
    try:
        facts = path.stat()
    except OSError as error:
        dangling = path.is_symlink() and isinstance(error, FileNotFoundError)
        raise Unusable("cannot be opened", "a link that leads nowhere" if dangling else error.strerror or "") from None
    if not stat.S_ISREG(facts.st_mode):  # opening a pipe would wait for ever
        raise Unusable("no ordinary file")
    if not facts.st_size:
        raise Unusable("empty")


def printable(name: str) -> str:
    """A file's name as text, whatever bytes it is made of and whatever signs would move the cursor."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else "�" for sign in text)
