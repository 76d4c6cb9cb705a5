"""The zoo and the shallow network: what a run leaves behind, and what a trial must not."""

import pytest
import torch

from helpers import __main__ as command
from helpers import recipes
from helpers.batches import Batches
from helpers.costs import count_macs, count_params
from helpers.data import CLASSES, ImageSet
from helpers.evaluation import accuracy, predict
from helpers.lessons.lesson_05 import train
from helpers.lessons.lesson_05.shallow import shallow_net
from helpers.models import load_zoo, mobilenet_v2

pytestmark = pytest.mark.usefixtures("one_thread")


def tiny(count: int, base: int = 0, side: int = 1) -> ImageSet:
    """Images whose pixels hold their number, with classes in turn."""
    number = torch.arange(count) + base
    colour = torch.stack([number // 65536 % 256, number // 256 % 256, number % 256], 1).byte()
    images = colour[:, None, None, :].expand(count, side, side, 3).contiguous()
    return ImageSet(images, torch.arange(count) % 10, CLASSES, "made up")


@pytest.fixture
def small_zoo(tmp_path, monkeypatch, results):
    """60 training, 10 validation and 20 test images of 32 pixels; files go to a temporary folder."""
    parts = tuple(tiny(count, side=32) for count in (60, 10, 20))
    monkeypatch.setattr(recipes, "zoo_sets", lambda: parts)
    monkeypatch.setattr(recipes, "CHECKPOINTS", tmp_path / "runs")
    monkeypatch.setattr(train, "WEIGHTS", tmp_path / "weights")
    return tmp_path


def test_train_writes_weights_curve_and_row(small_zoo, results, monkeypatch, rows_of):
    lines = []
    train.train_zoo(0.1, 32, 0, 2, 0.01, 0.0, None, lines.append)
    (row,) = rows_of(results / "zoo.csv")
    assert (row["width"], row["resolution"], row["seed"], row["epochs"], row["total"]) == ("0.1", "32", "0", "2", "20")
    assert float(row["low"]) <= float(row["accuracy"]) <= float(row["high"])
    assert float(row["accuracy"]) == pytest.approx(int(row["correct"]) / 20, abs=1e-4)
    assert [r["epoch"] for r in rows_of(results / "zoo_curves.csv")] == ["1", "2"]
    assert sorted(p.name for p in (small_zoo / "weights").iterdir()) == [
        "zoo_mobilenet_v2_0.1.safetensors",
        "zoo_mobilenet_v2_0.1.safetensors.sha256",
    ]
    # The stored network is the judged one, up to float16.
    monkeypatch.setattr("helpers.models.WEIGHTS", small_zoo / "weights")
    test = recipes.zoo_sets()[2]
    again = accuracy(predict(load_zoo(0.1), Batches(test, 500)), test.labels)
    assert abs(again.correct - int(row["correct"])) <= 1
    assert lines[-1].startswith("zoo_0.1_32_0_2: ")


def test_a_trial_on_fewer_images_records_nothing(small_zoo, results):
    lines = []
    train.train_zoo(0.1, 32, 0, 1, 0.01, 0.0, 50, lines.append)
    assert lines[-1] == "a run on fewer images is only a trial: nothing is recorded"
    assert not results.exists() and not (small_zoo / "weights").exists()


def test_the_shallow_network_costs_what_width_half_costs_and_its_row_says_so(small_zoo, results, rows_of):
    half, shallow = mobilenet_v2(0.5, num_classes=10, stem_stride=1), shallow_net()
    assert (count_macs(shallow, 32), count_params(shallow)) == (7_864_384, 699_674)
    assert (count_macs(half, 32), count_params(half)) == (7_837_440, 700_490)
    assert command.main(["shallow", "--epochs", "1"]) == 0
    (row,) = rows_of(results / "shallow.csv")
    assert (row["blocks"], row["width"], row["macs"], row["total"]) == ("7", "0.72", "7864384", "20")
    assert command.main(["shallow", "--epochs", "1", "--seed", "1", "--limit", "50"]) == 0
    assert len(rows_of(results / "shallow.csv")) == 1, "a trial on fewer images is not recorded"
