"""BatchNorm measured anew: weights stay, statistics are those of the training images, rows are the counts."""

import argparse
import csv

import pytest
import torch
from torch import nn

from helpers import results as runs
from helpers.batches import Batches
from helpers.data import CLASSES, ImageSet
from helpers.lessons.lesson_07 import ablation, anew
from helpers.results import read_results

pytestmark = pytest.mark.usefixtures("one_thread")


def images(count: int, seed: int) -> ImageSet:
    pixels = torch.randint(0, 256, (count, 32, 32, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    return ImageSet(pixels, torch.arange(count) % 10, CLASSES, "made up")


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "RESULTS", tmp_path / "results")
    monkeypatch.setenv("HELPERS_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(ablation, "zoo_sets", lambda: (images(60, 0), images(40, 1), images(10, 2)))
    monkeypatch.setattr(ablation, "LONG", {**ablation.LONG, "images": 60, "epochs": 1, "batch_size": 30})
    return tmp_path


def test_statistics_are_the_plain_mean_of_what_the_layer_sees_and_weights_stay():
    class First(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x):
            return self.norm(x)

    model, drawn = First(), images(40, 0)
    model.norm.running_mean += 7
    model.norm.num_batches_tracked += 5
    found = anew.measured_anew(model, drawn, ())
    inputs, _ = next(iter(Batches(drawn, 40)))
    assert torch.allclose(found.norm.running_mean, inputs.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(found.norm.running_var, inputs.var((0, 2, 3)), atol=1e-3)
    assert torch.equal(found.norm.weight, model.norm.weight) and not found.training
    assert (model.norm.running_mean == 7).all(), "the network that was given stays as it was"


def test_a_row_counts_before_anew_and_against_the_recipe_anew(tiny):
    parser = argparse.ArgumentParser()
    anew.arguments(parser)
    words = ["--only", "no augmentation"]
    seen = []
    assert anew.run(parser.parse_args(words), seen.append) == 0
    with open(tiny / "results" / "ablation_anew.csv", newline="", encoding="utf-8") as file:
        changed, recipe = csv.DictReader(file)
    assert (recipe["variant"], changed["variant"]) == ("recipe", "no augmentation")
    for row in (recipe, changed):
        gained = int(row["only_anew"]) - int(row["only_before"])
        assert int(row["correct"]) == int(row["before"]) + gained and row["total"] == "40"
    assert int(changed["correct"]) - int(recipe["correct"]) == int(changed["only_this"]) - int(changed["only_recipe"])
    assert recipe["only_this"] == recipe["only_recipe"] == "0"
    # the network is the long ablation's own: that command now finds it trained
    parser = argparse.ArgumentParser()
    ablation.arguments(parser)
    seen.clear()
    assert ablation.run(parser.parse_args(["--long", "--seeds", "1", *words]), seen.append) == 0
    assert sum("already finished" in line for line in seen) >= 2
    with open(tiny / "results" / "ablation_long.csv", newline="", encoding="utf-8") as file:
        assert {row["variant"]: row["correct"] for row in csv.DictReader(file)} == {
            "recipe": recipe["before"], "no augmentation": changed["before"]
        }  # fmt: skip


def test_committed_rows_are_of_the_long_runs_networks():
    long = {(row["variant"], row["seed"]): row for row in read_results("ablation_long.csv")}
    rows = read_results("ablation_anew.csv")
    assert {row["variant"] for row in rows if row["seed"] == 0} == set(ablation.LONG_VARIANTS[:6])
    for row in rows:
        assert row["before"] == long[row["variant"], row["seed"]]["correct"] and row["total"] == 5_000
        assert row["correct"] == row["before"] + row["only_anew"] - row["only_before"]
