"""The committed cost grid: complete, counted again to the same numbers, exact for any number of classes."""

import csv
import itertools

import pytest
import torch

from helpers import __main__ as command
from helpers.costs import count_macs, count_params, peak_activation_bytes
from helpers.lessons.lesson_05 import grid

FAMILIES = list(grid.FAMILIES)


@pytest.mark.parametrize(
    ("family", "width", "resolution"),
    [
        ("mobilenet_v1", 0.35, 32),  # 0.35 × 32 is cut off, not rounded
        ("mobilenet_v2", 1.4, 96),  # its last convolution grows with the width
        ("mobilenet_v3_small", 0.25, 224),
        ("mobilenet_v3_large", 0.75, 160),
        (grid.OWN, 0.35, 24),
    ],
)
def test_cells_of_the_committed_grid_are_counted_again(family, width, resolution):
    assert grid.read_grid()[family, width, resolution] == grid.count(family, width, resolution)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_any_number_of_classes_is_exact(family, classes):
    with torch.device("meta"):
        model = grid.build(family, 0.5, classes)
    cost = grid.read_grid()[family, 0.5, 64]
    assert cost.with_classes(classes) == (count_params(model), count_macs(model, 64))
    assert cost.peak_values == peak_activation_bytes(model, 64, 1), "the last layer is never the peak"


def test_the_grid_is_complete_and_says_where_it_is_from():
    assert set(grid.read_grid()) == set(itertools.product(FAMILIES, grid.WIDTHS, grid.RESOLUTIONS))
    with open(grid.GRID, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["command"].startswith("python -m helpers grid") for row in rows)
    assert all(row[column] for row in rows for column in ("torch", "torchvision", "cpu", "threads", "date"))


def test_the_grid_is_written_again_to_the_same_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr("helpers.results.RESULTS", tmp_path)
    monkeypatch.setattr(grid, "WIDTHS", (0.25,))
    monkeypatch.setattr(grid, "RESOLUTIONS", (32, 96))
    assert command.main(["grid"]) == 0
    again = grid.read_grid(tmp_path / grid.GRID.name)
    assert len(again) == 10 and again.items() <= grid.read_grid().items()


def test_a_missing_grid_and_a_wrong_family_are_explained(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cost_grid.csv is missing.*python -m helpers grid"):
        grid.read_grid(tmp_path / "cost_grid.csv")
    with pytest.raises(ValueError, match=r"families are mobilenet_v1, .*not 'mobilenet_v4'"):
        grid.build("mobilenet_v4", 1.0)
