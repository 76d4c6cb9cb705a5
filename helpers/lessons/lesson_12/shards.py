"""Images in sharded files: a few hundred to a file, read one file after the other, never all at once."""

import hashlib
import json
import math
import shutil
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from helpers.data import ImageSet

INDEX = "index.json"


def write_shards(image_set: ImageSet, folder: str | Path, per_shard: int) -> list[Path]:
    """Write images and labels in their order as NAME.npy and NAME.labels.npy, `per_shard` to a file, and index.json.

    The index holds for each shard its name, number of images and SHA-256, and the names of the classes.
    """
    if per_shard < 1:
        raise ValueError(f"a shard holds at least 1 image, not {per_shard!r}")
    folder, rows, paths = Path(folder), [], []
    folder.mkdir(parents=True, exist_ok=True)
    for number, place in enumerate(range(0, len(image_set), per_shard)):
        part, path = image_set[place : place + per_shard], folder / f"shard-{number:04}.npy"
        np.save(path, part.images.numpy())
        np.save(path.with_suffix(".labels.npy"), part.labels.numpy())
        rows.append({"name": path.name, "images": len(part), "sha256": _hash(path)})
        paths.append(path)
    words = json.dumps({"classes": list(image_set.classes), "shards": rows}, indent=1)
    (folder / INDEX).write_text(words, encoding="utf-8")
    return paths


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes() + path.with_suffix(".labels.npy").read_bytes()).hexdigest()


class Shards:
    """The shards of a folder. `len` counts images; `stream(order)` reads one file at a time.

    Raises FileNotFoundError without an index, ValueError for a file that is missing or not the one that was written.
    """

    def __init__(self, folder: str | Path, check: bool = True):
        self.folder = Path(folder)
        if not (self.folder / INDEX).exists():
            raise FileNotFoundError(f"{self.folder} has no {INDEX}: write_shards makes it, name the folder it wrote to")
        index = json.loads((self.folder / INDEX).read_text(encoding="utf-8"))
        self.classes, self.rows = tuple(index["classes"]), index["shards"]
        for row in self.rows if check else ():
            path = self.folder / row["name"]
            if not path.exists() or not path.with_suffix(".labels.npy").exists():
                raise ValueError(f"{row['name']} or its labels are missing in {self.folder}: copy them again")
            if _hash(path) != row["sha256"]:
                raise ValueError(f"{row['name']} is not the file that was written (its SHA-256 differs): copy it again")

    def __len__(self) -> int:
        return sum(row["images"] for row in self.rows)

    def stream(self, order: list[int] | None = None) -> Iterator[tuple[np.ndarray, int]]:
        """(image uint8 [H,W,3], label) one after the other; `order` numbers the shards, all as they stand without."""
        for number in range(len(self.rows)) if order is None else order:
            path = self.folder / self.rows[number]["name"]
            images, labels = np.load(path), np.load(path.with_suffix(".labels.npy"))
            for image, label in zip(images, labels.tolist(), strict=True):
                yield image.copy(), label  # a view would keep the whole shard in memory


def copy_with_a_wrong_bit(folder: Path, goal: Path) -> Path:
    """A copy of a folder of shards, in which the last bit of one shard's images is another; returns that shard."""
    shutil.copytree(folder, goal)
    path = sorted(goal.glob("shard-*[0-9].npy"))[3]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    return path


def reading(name: str, images: Callable[[], Iterable]) -> tuple[float, float]:
    """Go through `images()` twice: (items a second, the most memory in MB that NumPy and Python took); prints both.

    The second pass is the one whose memory is traced, which makes it slow; the first is the one that is timed, from the
    moment when `images()` has returned: what it takes into memory before the first item is not reading.
    """
    items = images()
    start = time.perf_counter()
    count = sum(1 for _ in items)
    rate = count / (time.perf_counter() - start)
    del items
    tracemalloc.start()
    try:
        for _ in images():
            pass
        peak = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    print(f"{name:20} {rate:10,.0f} images/s {peak:6.1f} MB")
    return rate, peak


def write_files(image_set: ImageSet, folder: str | Path, ending: str) -> list[Path]:
    """One file an image, `ending` "png", "npy", or "raw" (its bytes alone); returns the files in order."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:05}.{ending}" for number in range(len(image_set))]
    for path, image in zip(paths, image_set.images.numpy(), strict=True):
        if ending == "png":
            Image.fromarray(image).save(path)
        elif ending == "raw":
            path.write_bytes(image.tobytes())
        else:
            np.save(path, image)
    return paths


def read_file(path: Path) -> np.ndarray:
    """What `write_files` wrote: uint8 [H,W,3]; without a header it must be a square."""
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix == ".raw":
        values = np.frombuffer(path.read_bytes(), np.uint8)
        side = math.isqrt(len(values) // 3)
        return values.reshape(side, side, 3)
    with Image.open(path) as image:
        return np.array(image)


def correlation(order: list[int]) -> float:
    """Between place in the files and place in the epoch: 1 as they stand, near 0 well shuffled."""
    places = torch.tensor([list(range(len(order))), order], dtype=torch.float64)
    return float(torch.corrcoef(places)[0, 1])
