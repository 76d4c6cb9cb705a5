"""The sample is cut out of the complete set: the first of each class, to the same bytes, or not at all."""

import hashlib

import pytest
import torch

from helpers import __main__ as command
from helpers.data import CLASSES, read_sheets, write_sheet
from helpers.tools import sample as make


@pytest.fixture
def sheets(tmp_path):
    """Contact sheets with 8 training and 6 test images a class."""
    for part, count in (("train", 8), ("test", 6)):
        (tmp_path / "all" / part).mkdir(parents=True)
        for label, name in enumerate(CLASSES):
            generator = torch.Generator().manual_seed(label + 10 * count)
            pixels = torch.randint(0, 256, (count, 32, 32, 3), generator=generator, dtype=torch.uint8)
            write_sheet(pixels, tmp_path / "all" / part / f"{name}.png", 2)
    return tmp_path / "all"


@pytest.fixture
def sample(tmp_path, monkeypatch):
    monkeypatch.setattr(make, "SAMPLE", tmp_path / "sample")
    monkeypatch.setattr(make, "PER_CLASS", {"train": (4, 2), "test": (3, 3)})
    return tmp_path / "sample"


def test_write_sample_takes_the_first_of_each_class(sheets, sample, capsys):
    assert command.main(["sample", "--from", str(sheets)]) == 0
    full, cut = read_sheets(sheets, ""), read_sheets(sample, "")
    for whole, part, count in zip(full, cut, (4, 3), strict=True):
        assert torch.bincount(part.labels).tolist() == [count] * 10
        for label in range(10):
            first = whole.images[whole.labels == label][:count]
            assert torch.equal(part.images[part.labels == label], first)
    manifest = (sample / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    assert len(manifest) == 20
    for line in manifest:
        digest, name = line.split("  ")
        assert hashlib.sha256((sample / name).read_bytes()).hexdigest() == digest
    assert "20 sheets" in capsys.readouterr().out


def test_write_sample_makes_the_same_bytes_again(sheets, sample):
    make.write_sample(sheets)
    before = (sample / "SHA256SUMS").read_bytes()
    (sample / "stray.txt").write_text("left from before", encoding="utf-8")
    make.write_sample(sheets)
    assert (sample / "SHA256SUMS").read_bytes() == before and not (sample / "stray.txt").exists()


def test_a_sample_of_other_images_stays_unless_overwritten(sheets, sample, tmp_path, capsys):
    make.write_sample(sheets)
    for part in ("train", "test"):  # the same sheets with two classes in each other's place
        names = [sheets / part / f"{name}.png" for name in CLASSES[:2]]
        first, second = (path.read_bytes() for path in names)
        names[0].write_bytes(second)
        names[1].write_bytes(first)
    before = {path: path.read_bytes() for path in sample.rglob("*.*")}
    assert command.main(["sample", "--from", str(sheets)]) == 1
    assert "sample holds other images than" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in sample.rglob("*.*")} == before
    assert sorted(path.name for path in sample.parent.iterdir()) == ["all", "sample"]
    assert command.main(["sample", "--from", str(sheets), "--overwrite"]) == 0
    assert {path: path.read_bytes() for path in sample.rglob("*.*")} != before


def test_write_sample_refuses_a_small_folder_and_keeps_the_old_sample(sheets, sample, monkeypatch, capsys):
    make.write_sample(sheets)
    before = (sample / "SHA256SUMS").read_bytes()
    monkeypatch.setattr(make, "PER_CLASS", {"train": (4, 2), "test": (7, 1)})
    assert command.main(["sample", "--from", str(sheets)]) == 1
    error = capsys.readouterr().err
    assert error == f"ValueError: {sheets} has 6 test images of class airplane; needed are 7\n"
    assert (sample / "SHA256SUMS").read_bytes() == before
    assert sorted(path.name for path in sample.parent.iterdir()) == ["all", "sample"], "something was left behind"
