"""Several processes train one network: as one that takes the same shares in turn, and on from a checkpoint."""

import argparse
import json
import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers import ROOT, ranks, results
from helpers import __main__ as command
from helpers.batches import Batches
from helpers.checkpoints import identity
from helpers.data import CLASSES, ImageSet, load_cifar10
from helpers.lessons.lesson_05 import train
from helpers.lessons.lesson_12.launch import largest_difference, launch, parameters_of, torchrun
from helpers.models import mobilenet_v2
from helpers.runs import studies, together
from helpers.training import fit

pytestmark = pytest.mark.usefixtures("one_thread")


def noise(count: int, side: int = 12) -> ImageSet:
    labels = torch.arange(count) % 10
    pixels = torch.randint(0, 120, (count, side, side, 3), generator=torch.Generator().manual_seed(0))
    return ImageSet((pixels + 12 * labels.view(-1, 1, 1, 1)).byte(), labels, CLASSES, "made up")


# ---------------------------------------------------------------------------------------- the share of a rank


@pytest.mark.parametrize("processes", [2, 3])
def test_the_shares_of_a_batch_are_the_batch(processes):
    batches = Batches(noise(100), 33, augment=("crop", "flip"), shuffle=True, seed=3)  # a last batch of one
    shares = [together.Share(batches, rank, processes) for rank in range(processes)]
    for epoch in range(2):
        batches.epoch = epoch
        for share in shares:
            share.epoch = epoch
        for whole, *parts in zip(batches, *shares, strict=True):
            images, sizes = [], []
            for share, (mine, labels) in zip(shares, parts, strict=True):
                assert torch.equal(labels, whole[1]), "the labels are those of the whole batch"
                size = share.place["stop"] - share.place["start"]
                images.append(mine[:size])
                sizes.append(size)
                assert len(mine) == max(1, size)
            assert torch.equal(torch.cat(images), whole[0]) and max(sizes) - min(sizes) <= 1


def test_what_a_share_is_of_stands_in_the_checkpoint():
    batches = Batches(noise(20), 5)
    words = identity(together.Share(batches, 0, 2))
    assert words == identity(batches) | {"processes": "2"} and "processes" not in identity(batches)


# ---------------------------------------------------------------------------------------- two processes


def halves(steps, size):
    """The steps of one rank; the network, the images and the rate are those of `accumulated`."""
    torch.manual_seed(0)
    model = mobilenet_v2(0.25, num_classes=10, stem_stride=1, dropout=0.0)
    shares = Share(Batches(load_cifar10()[0][::100], 33, image_size=size, shuffle=True), dist.get_rank(), 2)  # noqa: F821
    net, step = Together(model, shares).train(), 0  # noqa: F821
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    while step < steps:
        for images, labels in shares:
            optimizer.zero_grad()
            F.cross_entropy(net(images), labels).backward()
            optimizer.step()
            step += 1
    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    return {"parameters": parameters, "buffers": dict(model.named_buffers()), "sent": net.sent, "steps": step}


def accumulated(steps, size):
    torch.manual_seed(0)
    model = mobilenet_v2(0.25, num_classes=10, stem_stride=1, dropout=0.0).train()
    batches = Batches(load_cifar10()[0][::100], 33, image_size=size, shuffle=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    step = 0
    while step < steps:
        for images, labels in batches:
            optimizer.zero_grad()
            for mine in (slice(0, len(labels) // 2), slice(len(labels) // 2, None)):
                (F.cross_entropy(model(images[mine]), labels[mine], reduction="sum") / len(labels)).backward()
            optimizer.step()
            step += 1
    return model


def test_two_processes_are_one_that_accumulates_the_same_halves():
    """50 images in batches of 33 and 17: shares of 16, 17, 8 and 9."""
    first, second = launch(halves, steps=50, size=12)
    model = accumulated(50, 12)
    assert first["steps"] == 50
    assert largest_difference(first["parameters"], second["parameters"]) == 0, "all ranks make the same step"
    assert largest_difference(first["parameters"], parameters_of(model)) <= 1e-5
    assert first["sent"] == 50 * 4 * sum(p.numel() for p in model.parameters())
    running = {name: value for name, value in model.named_buffers() if "running" in name}
    mine = {name: first["buffers"][name] for name in running}
    assert largest_difference(mine, running) > 0.01, "rank 0's statistics saw half of the images"


class InHalves(nn.Module):
    """Forward in two shares, one after the other, as two processes do it at the same time."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        if not self.training:
            return self.network(images)
        parts = [part for part in (images[: len(images) // 2], images[len(images) // 2 :]) if len(part)]
        return torch.cat([self.network(part) for part in parts])


def plain_network(dropout=0.0):
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Dropout(dropout), nn.Flatten(), nn.Linear(8 * 25, 10)
    )  # fmt: skip


def recipe(images, folder=None):
    return {
        "epochs": 4, "lr": 0.1, "weight_decay": 1e-3, "warmup_epochs": 1, "ema_decay": 0.9, "clip_grad_norm": 1.0,
        "label_smoothing": 0.1, "keep_best": True, "validation": Batches(images[:50], 25),
        "checkpoint": folder and f"{folder}/run.pt",
    }  # fmt: skip


def trained(images, labels, folder):
    """`fit` on a rank: once without a pause, and once stopped after two epochs and begun anew."""
    from dataclasses import asdict

    images = ImageSet(images, labels, CLASSES, "made up")

    def run(dropout, checkpoint=None, **more):
        model = plain_network(dropout)
        batches = Batches(images, 33, augment=("crop", "flip"), shuffle=True)
        history = fit(model, batches, **recipe(images, checkpoint) | more)
        return {"weights": model.state_dict(), **asdict(history)}

    def stop(words):
        if words.startswith("epoch 2/4 done"):
            raise InterruptedError

    found = {"alone": run(0.0), "dropout": run(0.5, f"{folder}/whole")}
    try:
        run(0.5, folder, log=stop)
    except InterruptedError:
        found["again"] = run(0.5, folder)
    return found


def test_fit_in_two_processes_is_fit_in_one_and_goes_on_from_its_checkpoint(tmp_path):
    """Without BatchNorm all of it is the same: weights, averages, losses, validation, the best epoch."""
    images = noise(100)
    also = ("from helpers.data import ImageSet, CLASSES", "from helpers.runs.together import fit")
    ranks_found = launch(
        trained, also=(*also, plain_network, recipe), images=images.images, labels=images.labels, folder=str(tmp_path)
    )
    first, second = ranks_found
    model = plain_network()
    history = fit(InHalves(model), Batches(images, 33, augment=("crop", "flip"), shuffle=True), **recipe(images))
    assert largest_difference(first["alone"]["weights"], model.state_dict()) <= 1e-5
    for name in ("lr", "loss", "validation_loss", "validation_accuracy"):
        assert first["alone"][name] == pytest.approx(getattr(history, name), abs=1e-5), name
    for name in ("alone", "dropout", "again"):
        assert largest_difference(first[name]["weights"], second[name]["weights"]) == 0, "all ranks end alike"
        assert first[name]["loss"] == second[name]["loss"]
    assert largest_difference(first["again"]["weights"], first["dropout"]["weights"]) == 0, "the same bits"
    assert first["again"]["loss"] == first["dropout"]["loss"]
    with pytest.raises(ValueError, match=r"processes 2, not 1"):
        fit(plain_network(0.5), Batches(images, 33, augment=("crop", "flip"), shuffle=True), **recipe(images, tmp_path))


# ---------------------------------------------------------------------------------------- torchrun -m helpers train

DRIVER = """
import os, signal, sys
from pathlib import Path
import helpers
import torch
from helpers import __main__ as command, results, training
from helpers.data import CLASSES, ImageSet
from helpers.runs import recipes

folder, *words = sys.argv[1:]
results.RESULTS = Path(folder) / "results"
def images(count, seed):
    labels = torch.arange(count) % 10
    pixels = torch.randint(0, 120, (count, 32, 32, 3), generator=torch.Generator().manual_seed(seed))
    return ImageSet((pixels + 12 * labels.view(-1, 1, 1, 1)).byte(), labels, CLASSES, "made up")
recipes.zoo_sets = lambda: (images(70, 0), images(20, 1), images(40, 2))
save = training.save_checkpoint
def save_and_die(*arguments, epoch, **named):
    save(*arguments, epoch=epoch, **named)
    print("rank", os.environ["RANK"], "attempt", os.environ["TORCHELASTIC_RESTART_COUNT"], "epoch", epoch, flush=True)
    if os.environ.get("DIES") == os.environ["RANK"] and epoch == 2 and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        os.kill(os.getpid(), signal.SIGKILL)
training.save_checkpoint = save_and_die
sys.argv = ["helpers", *words]
sys.exit(command.main(words))
"""


def train_under_torchrun(folder, dies=""):
    folder.mkdir()
    (folder / "driver.py").write_text(DRIVER, encoding="utf-8")
    words = ["train", "--width", "0.25", "--size", "16", "--epochs", "3", "--batch-size", "32", "--lr", "0.01"]
    said = torchrun(
        [str(folder / "driver.py"), str(folder), *words], folder, 2, 500, 1,
        {"HELPERS_RUNS": str(folder / "runs"), "DIES": dies},
    )  # fmt: skip
    (checkpoint,) = (folder / "runs").glob("*.pt")
    return said, torch.load(checkpoint, weights_only=True)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="kill -9 is a word of Unix")
def test_a_killed_worker_under_torchrun_and_the_same_bits(tmp_path, rows_of):
    said, whole = train_under_torchrun(tmp_path / "whole")
    assert said.count("attempt 0 epoch 3") == 2 and "attempt 1" not in said
    words, resumed = train_under_torchrun(tmp_path / "killed", dies="1")
    assert "attempt 1 epoch 3" in words and "attempt 1 epoch 1" not in words, "it went on from a checkpoint"
    for name in ("model", "averaged"):
        assert largest_difference(whole[name], resumed[name]) == 0
    assert whole["history"]["loss"] == resumed["history"]["loss"]
    for folder in ("whole", "killed"):
        files = sorted(path.name for path in (tmp_path / folder / "results").glob("*.csv"))
        assert files == ["zoo_2_processes.csv", "zoo_curves_2_processes.csv"]
        (row,) = rows_of(tmp_path / folder / "results" / "zoo_2_processes.csv")
        assert row["device"] == "CPU, 2 processes" and row["threads"] == "1"
        assert row["command"].startswith("torchrun --nproc-per-node 2 -m helpers train --width 0.25")
    assert said.count("epoch 1/3 done") == 1, "rank 0 alone talks"


# ---------------------------------------------------------------------------------------- what is told


@pytest.fixture
def as_one_of_two(monkeypatch):
    """A function: be this rank of two, without another process."""

    def be(rank):
        monkeypatch.setattr(ranks, "world", lambda: 2)
        monkeypatch.setattr(ranks, "rank", lambda: rank)

    return be


def test_alone_nothing_happens(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with ranks.joined(), ranks.in_turn():
        assert (ranks.world(), ranks.rank(), ranks.first(), ranks.agree({"a": [1]})) == (1, 0, True, {"a": [1]})
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(ValueError, match="'two'"), ranks.joined():
        pass


def test_rank_0_alone_writes(as_one_of_two, results):
    from helpers.checkpoints import History, save_checkpoint
    from helpers.results import record

    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for rank, there in ((1, False), (0, True)):
        as_one_of_two(rank)
        save_checkpoint(results / "run.pt", model, optimizer, model, epoch=0, epochs=1, history=History())
        record("a.csv", [{"key": 1, "value": 2}], ("key",))
        assert (results / "run.pt").exists() == (results / "a.csv").exists() == there


def test_rows_of_several_processes_have_a_file_of_their_own_and_ship_no_weights(as_one_of_two):
    options = argparse.Namespace(device="cpu")
    unit = {"width": "0.25", "resolution": 32, "seed": 0, **train.ZOO.columns()}
    assert studies.file_on("zoo.csv", options) == "zoo.csv" and train.ships(unit, options)
    run = studies.Run(argparse.Namespace(device="cpu", limit=None), print)
    alone = run.checkpoint("zoo", unit)
    as_one_of_two(0)
    assert studies.file_on("zoo.csv", options) == "zoo_2_processes.csv" and not train.ships(unit, options)
    assert run.checkpoint("zoo", unit) != alone
    assert results.provenance(1.0)["command"].startswith("torchrun --nproc-per-node 2 -m helpers")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["rates"], "made by one process each: give the command without torchrun"),
        (["train", "--width", "0.25", "--processes", "2"], "give one of the two"),
    ],
)
def test_what_several_processes_cannot_do_is_told(as_one_of_two, capsys, words, complaint):
    as_one_of_two(0)
    assert command.main(words) == 1
    assert complaint in capsys.readouterr().err


def test_what_cannot_be_shared_out_is_told(as_one_of_two):
    as_one_of_two(0)
    with pytest.raises(TypeError, match="not a list"):
        together.fit(nn.Linear(1, 1), [], epochs=1)
    with pytest.raises(ValueError, match="2 processes cannot share batches of 1"):
        together.fit(nn.Linear(1, 1), Batches(noise(10), 1), epochs=1)


def test_a_checkpoint_that_not_all_can_read_is_told(as_one_of_two, monkeypatch, tmp_path):
    as_one_of_two(1)
    monkeypatch.setattr(torch.distributed, "barrier", lambda: None)
    monkeypatch.setattr(ranks, "agree", lambda value: json.loads(json.dumps(5)))
    with pytest.raises(ValueError, match=r"rank 1 found 0 epochs .* rank 0 found 5.*all machines share"):
        fit(plain_network(), Batches(noise(10), 5), epochs=6, lr=0.1, checkpoint=tmp_path / "run.pt")


def test_who_leaves_has_said_all_and_takes_nothing_apart():
    """Neither what Python does at its end nor a thread that asks for it then can spoil the exit code."""
    code = (
        "import atexit; atexit.register(lambda: print('taken apart')); from helpers import ranks; print('said', end='')"
    )
    done = subprocess.run([sys.executable, "-c", f"{code}; ranks.leave(3)"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "said"), done.stderr


@pytest.mark.parametrize("under", [{}, {"TORCHELASTIC_RUN_ID": "none"}], ids=["alone", "torchrun"])
def test_a_command_under_torchrun_leaves_at_once_with_its_exit_code(under):
    code = (
        "import atexit, runpy, sys; atexit.register(lambda: print('taken apart'));"
        "sys.argv = ['helpers', 'execute', 'nothing_there'];"
        "runpy.run_module('helpers', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | under, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 1 and "no notebook" in done.stderr, done.stderr
    assert ("taken apart" in done.stdout) == (not under)
