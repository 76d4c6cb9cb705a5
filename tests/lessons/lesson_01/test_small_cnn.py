"""`python -m helpers small_cnn`: makes weights that load, and never replaces any unasked."""

import pytest
import torch

from helpers.__main__ import main
from helpers.data import load_cifar10
from helpers.lessons.lesson_01 import small_cnn as study
from helpers.models import load_weights, small_cnn


@pytest.fixture
def short(monkeypatch, one_thread):
    """A run of one epoch on fifty images a class."""
    train, test = load_cifar10()
    monkeypatch.setattr(study, "load_cifar10", lambda: (train[::10], test))
    monkeypatch.setattr(study, "RECIPE", study.RECIPE | {"epochs": 1})


def test_it_writes_weights_that_load(short, tmp_path, capsys):
    path = tmp_path / "mine.safetensors"
    assert main(["small_cnn", "--to", str(path)]) == 0
    trained = load_weights(small_cnn(), path)
    assert not torch.equal(trained[0][0].weight, small_cnn()[0][0].weight.half().float())
    assert "mine.safetensors written" in capsys.readouterr().out


def test_weights_that_are_there_are_left_alone(short, tmp_path, monkeypatch, capsys):
    stand_in = tmp_path / "small_cnn.safetensors"
    stand_in.write_bytes(b"weights")
    monkeypatch.setattr(study, "STORED", stand_in)
    assert main(["small_cnn"]) == 1
    assert "--overwrite" in capsys.readouterr().err and stand_in.read_bytes() == b"weights"


def test_overwrite_replaces(short, tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(b"old")
    assert main(["small_cnn", "--to", str(path), "--overwrite"]) == 0
    load_weights(small_cnn(), path)
