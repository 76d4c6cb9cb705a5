"""The shipped photographs: cut out of stamps by the same command to the same files, and those of the manifest."""

import csv
import hashlib

import numpy as np
import pytest
from PIL import Image

from helpers.photos import load_folder
from helpers.tools import stamps


@pytest.fixture
def package(tmp_path):
    """An unpacked package with a few invented stamps."""
    for places in stamps.FOLDERS.values():
        for place in places:
            folder = tmp_path / "x" / stamps.STAMPS / place
            (folder / "cartoon").mkdir(parents=True)
            stamp = np.zeros((300, 500, 4), np.uint8)
            stamp[20:120, 50:450] = (200, 30, 30, 255)
            for name in (f"{folder.name}_A.png", "b_mirror.png", "cartoon/drawn.png"):
                Image.fromarray(stamp).save(folder / name)
    (tmp_path / "GPL").write_text("the licence", encoding="utf-8")
    return tmp_path


def test_photographs_are_cut_out(package):
    goal = stamps.write_photos(package / "x", package / "GPL", package / "photos")
    found = sorted(path.relative_to(goal).as_posix() for path in goal.rglob("*.png"))
    assert found == ["bird/birds_a.png", "flower/flowers_a.png", "flower/plastic_a.png", "fruit/fruit_a.png",
                     "vegetable/vegetables_a.png"]  # fmt: skip
    with Image.open(goal / "bird" / "birds_a.png") as photo:
        assert photo.mode == "RGBA" and photo.size == (224, 56)  # 400 × 100 without the empty border
    with open(goal / "photos.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "file": "bird/birds_a.png",
        "stamp": "animals/birds/birds_A.png",
        "width": "500",
        "height": "300",
    }
    first = {path: path.read_bytes() for path in goal.rglob("*.*")}
    stamps.write_photos(package / "x", package / "GPL", package / "photos")
    assert first == {path: path.read_bytes() for path in goal.rglob("*.*")} and not list(package.glob("*.part"))


def test_a_folder_that_is_no_package(tmp_path):
    with pytest.raises(FileNotFoundError, match="unpack the package there"):
        stamps.write_photos(tmp_path, tmp_path / "GPL", tmp_path / "photos")


def test_what_ships_is_what_the_manifest_says():
    lines = (stamps.PHOTOS / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    named = {name: digest for digest, name in (line.split("  ") for line in lines)}
    there = {p.relative_to(stamps.PHOTOS).as_posix(): p for p in stamps.PHOTOS.rglob("*") if p.is_file()}
    assert sorted(named) == sorted(set(there) - {"SHA256SUMS"}) and "GNU GENERAL PUBLIC LICENSE" in there[
        "COPYING"
    ].read_text(encoding="utf-8")
    for name, digest in named.items():
        assert hashlib.sha256(there[name].read_bytes()).hexdigest() == digest, name
    images, report = load_folder(stamps.PHOTOS, whole=True)
    assert images.classes == ("bird", "flower", "fruit", "vegetable")
    assert [int((images.labels == label).sum()) for label in range(4)] == [35, 25, 26, 18]
    assert set(report.reasons) == {"in no class"}
    assert sum(path.stat().st_size for path in there.values()) < 3_000_000
