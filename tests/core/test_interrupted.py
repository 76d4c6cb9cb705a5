"""A run killed with SIGKILL and started again ends with the bits of the run that was never interrupted."""

import multiprocessing
import os
import random
import signal
import time
from dataclasses import asdict

import pytest
import torch
from torch import nn

from helpers.batches import Batches
from helpers.data import CLASSES, ImageSet
from helpers.training import fit

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
EPOCHS, BATCHES = 4, 12


def train(folder: str, die: str = "") -> None:
    """In a process of its own: train, or go on, and write what came out. `die` names the point where it is killed."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(384) % 10
    noise = torch.randint(0, 120, (384, 16, 16, 3), generator=generator)
    pixels = (noise + 12 * labels.view(-1, 1, 1, 1)).to(torch.uint8)  # the brighter, the higher the class
    images = ImageSet(pixels, labels, CLASSES, "made up")
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(8 * 49, 10)
    )
    if die:
        _arm(*die.split("@"))
    history = fit(
        model, Batches(images, 32, augment=("crop", "flip"), shuffle=True), epochs=EPOCHS, lr=0.1, weight_decay=1e-3,
        warmup_epochs=1, ema_decay=0.9, clip_grad_norm=1.0, label_smoothing=0.1, keep_best=True,
        validation=Batches(images[:100], 50),
        checkpoint=f"{folder}/run.pt",
    )  # fmt: skip
    curves = {name: values for name, values in asdict(history).items() if name != "seconds"}
    torch.save((model.state_dict(), curves), f"{folder}/part")
    os.replace(f"{folder}/part", f"{folder}/result.pt")


def _arm(where: str, number: str) -> None:
    """Die at the `number`-th call: of a step, in the middle of writing a checkpoint, or between its two renames."""
    left = [int(number)]

    def dies(real, half=None):
        def call(*arguments, **others):
            left[0] -= 1
            if left[0] == 0:
                if half:
                    half(*arguments)
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **others)

        return call

    def write_half(state, path):
        save(state, path)
        os.truncate(path, os.path.getsize(path) // 2)

    save = torch.save
    if where == "step":
        torch.optim.SGD.step = dies(torch.optim.SGD.step)
    elif where == "save":
        torch.save = dies(save, write_half)
    else:
        os.replace = dies(os.replace)


class Runs:
    """Starts `train` in fresh processes; forked from one that has PyTorch loaded, so that each takes milliseconds."""

    def __init__(self):
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["helpers.training", "helpers.data"])

    def start(self, folder, die=""):
        process = self.context.Process(target=train, args=(str(folder), die))
        process.start()
        return process

    def finish(self, folder) -> tuple[dict, dict]:
        process = self.start(folder)
        process.join(60)
        assert process.exitcode == 0
        return torch.load(folder / "result.pt", weights_only=True)


@pytest.fixture(scope="module")
def runs():
    return Runs()


@pytest.fixture(scope="module")
def straight(runs, tmp_path_factory):
    return runs.finish(tmp_path_factory.mktemp("straight"))


def assert_same(one, other) -> None:
    (weights, curves), (others, other_curves) = one, other
    assert curves == other_curves and len(curves["loss"]) == EPOCHS
    assert weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)


def test_the_run_learns(straight):
    """Otherwise equal bits would mean little."""
    _, curves = straight
    assert len(set(curves["loss"])) == EPOCHS and max(curves["validation_accuracy"]) > 0.2


@pytest.mark.parametrize(
    "die",
    ["step@1", "step@12", "step@13", "step@29", "step@48", "save@1", "save@3", "replace@1", "replace@2", "replace@3"],
)
def test_killed_at_this_point(runs, straight, tmp_path, die):
    """In the first step, the last of an epoch, the first of the next; halfway through a file; around the renames."""
    process = runs.start(tmp_path, die)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL and not (tmp_path / "result.pt").exists()
    assert_same(runs.finish(tmp_path), straight)


def test_killed_again_and_again_at_random_moments(runs, straight, tmp_path):
    """Whenever it comes: six kills of one run, each after a random part of the time that a whole run takes."""
    (tmp_path / "whole").mkdir()
    started = time.monotonic()
    runs.finish(tmp_path / "whole")
    whole, chance, kills = time.monotonic() - started, random.Random(), 0
    while kills < 6 and not (tmp_path / "result.pt").exists():
        process = runs.start(tmp_path)
        time.sleep(whole * chance.uniform(0.05, 0.6))
        process.kill()
        process.join(60)
        kills += process.exitcode == -signal.SIGKILL
    assert kills >= 2
    assert_same(runs.finish(tmp_path), straight)
