"""A checkpoint knows what it belongs to, and says what is safe when the disk is full or somebody presses Ctrl-C."""

import copy
import errno
import os
import re
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from helpers import checkpoints
from helpers.batches import Batches
from helpers.checkpoints import History, fingerprint, identity, load_checkpoint, save_checkpoint
from helpers.data import ImageSet
from helpers.training import constant_with_warmup, fit
from tests.core.test_training import blobs, groups, images, same, small

pytestmark = pytest.mark.usefixtures("one_thread")
ANEW = "(in a notebook: build the network anew first)"
POSITION = "[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598\nmore"  # PyTorch on a full disk
RECIPE = {"epochs": 3, "lr": 0.1, "ema_decay": 0.9}


def interrupted(path, data=None, after=4, model=None, **others) -> KeyboardInterrupt:
    """A run that somebody stops in batch `after`; epochs have three batches."""

    class Stopped(Batches):
        left = after

        def __iter__(self):
            for batch in super().__iter__():
                self.left -= 1
                if not self.left:
                    raise KeyboardInterrupt
                yield batch

    data = data or Stopped(images(), 16, augment=("crop", "flip"), shuffle=True, seed=5)
    with pytest.raises(KeyboardInterrupt) as stop:
        fit(model or small(), data, **{**RECIPE, "checkpoint": path, **others})
    return stop.value


def other_images() -> ImageSet:
    data = images()
    data.images[7, 3, 2, 1] ^= 1  # one bit of one pixel
    return data


def other_labels() -> ImageSet:
    data = images()
    data.labels[0], data.labels[1] = data.labels[1].clone(), data.labels[0].clone()
    return data


def made(data=None, size=16, **others) -> Batches:
    return Batches(data or images(), size, **{"augment": ("crop", "flip"), "shuffle": True, "seed": 5, **others})


# -------------------------------------------------------------------------------- what a run belongs to


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"batches": made(other_images())}, "images 48 with SHA-256 HASH, not 48 with SHA-256 HASH"),
        ({"batches": made(other_labels())}, "images 48 with SHA-256 HASH, not 48 with SHA-256 HASH"),
        ({"batches": made(images(47))}, "images 48 with SHA-256 HASH, not 47 with SHA-256 HASH"),
        ({"batches": made(augment=())}, "augment crop 4 flip 0.5, not nothing"),
        ({"batches": made(augment={"crop": 3, "flip": 0.5})}, "augment crop 4 flip 0.5, not crop 3 flip 0.5"),
        ({"batches": made(mean=(0.5, 0.5, 0.5))}, "mean (0.4914, 0.4822, 0.4465), not (0.5, 0.5, 0.5)"),
        ({"batches": made(std=(0.2, 0.2, 0.2))}, "std (0.247, 0.2435, 0.2616), not (0.2, 0.2, 0.2)"),
        ({"batches": made(size=17)}, "batch_size 16, not 17"),
        ({"batches": made(shuffle=False)}, "shuffle True, not False"),
        ({"batches": made(seed=6)}, "seed of the batches 5, not 6"),
        ({"batches": list(made())}, "images 48 with SHA-256 HASH, not unknown"),
        ({"batches": made(image_size=9), "validation": made(image_size=9)},
         "image_size 8, not 9; validation image_size 8, not 9"),
        ({"validation": made(seed=6)}, "validation seed of the batches 5, not 6"),
        ({"validation": None}, "validation images 48 with SHA-256 HASH, not none; validation batches 3, not 0"),
        ({"optimizer": torch.optim.Adam, "lr": None}, "optimizer SGD, not Adam; lr 0.1, not 0.001"),
        ({"momentum": 0.8}, "momentum 0.9, not 0.8"),
        ({"warmup_epochs": 1}, "warmup_epochs 0.0, not 1.0"),
        ({"schedule": constant_with_warmup},
         "schedule cosine_with_warmup, not constant_with_warmup"),
        ({"clip_grad_norm": 1}, "clip_grad_norm 0.0, not 1.0"),
        ({"keep_best": True}, "keep_best False, not True"),
        ({"lr": 0.2, "seed": 1}, "lr 0.1, not 0.2; seed 0, not 1"),
    ],
)  # fmt: skip
def test_another_run_is_refused_and_all_that_differs_is_named(tmp_path, changed, words):
    path, check = tmp_path / "run.pt", made()
    fit(small(), made(), **RECIPE, validation=check, checkpoint=path)
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    model = small()
    given = {"batches": made(), **RECIPE, "validation": check, **changed}
    words = re.escape(words).replace("HASH", "[0-9a-f]{12}")
    with pytest.raises(
        ValueError, match=rf"run\.pt is of another run \({words}\): to start anew, name another file or"
    ):
        fit(model, checkpoint=path, **given)
    assert same(model, small()), "a refused file must not change the model"
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == files, "nor may it be changed"


def test_two_schedules_of_one_name_are_told_apart(tmp_path):
    path = tmp_path / "run.pt"
    fit(small(), made(), **RECIPE, schedule=lambda step, *_: float(step), checkpoint=path)
    with pytest.raises(
        ValueError, match=r"\(schedule <lambda> of factors 0 2 4 6 8, not <lambda> of factors 0 2 4 6 9\)"
    ):
        fit(small(), made(), **RECIPE, schedule=lambda step, *_: [0, 1, 2, 3, 4, 5, 6, 7, 9][step], checkpoint=path)


def test_other_first_weights_are_refused(tmp_path):
    path = tmp_path / "run.pt"
    interrupted(path)
    model, words = small(seed=2), "run.pt is of a network that began with other weights: build it anew with the same"
    with pytest.raises(ValueError, match=re.escape(words)):
        fit(model, made(), **RECIPE, checkpoint=path)
    assert same(model, small(seed=2))
    fit(small(), made(), **RECIPE, checkpoint=path)
    with pytest.raises(ValueError, match=re.escape(words)):
        fit(model, made(), **RECIPE, checkpoint=path)


def test_one_weight_or_one_running_mean_is_enough(tmp_path):
    path = tmp_path / "run.pt"
    interrupted(path)
    for name in ("5.weight", "1.running_mean"):
        model = small()
        with torch.no_grad():
            model.state_dict()[name].view(-1)[3] += 1e-6
        with pytest.raises(ValueError, match="began with other weights"):
            fit(model, made(), **RECIPE, checkpoint=path)


def test_a_checkpoint_from_before_the_data_were_noted_is_refused(tmp_path):
    path = tmp_path / "run.pt"
    fit(small(), made(), **RECIPE, checkpoint=path)
    os.remove(f"{path}.previous")
    state = torch.load(path, weights_only=True)
    kept = (
        "epochs",
        "lr",
        "weight_decay",
        "momentum",
        "warmup_epochs",
        "label_smoothing",
        "ema_decay",
        "seed",
        "batches",
    )
    torch.save({**state, "settings": {name: state["settings"][name] for name in kept}}, path)
    words = "run.pt is from an older version, which did not note its data and its first weights: to start anew, name"
    with pytest.raises(ValueError, match=re.escape(words)):
        fit(small(), made(), **RECIPE, checkpoint=path)
    assert path.exists()


@pytest.mark.parametrize("change, words", [({"nesterov": None}, "nesterov None, not True"),
                                           ({"mixup": "0.2"}, "mixup 0.2, not None")])  # fmt: skip
def test_a_setting_that_only_one_side_knows_is_a_difference(tmp_path, change, words):
    """As after an update of PyTorch, whose optimizer learned something new."""
    path = tmp_path / "run.pt"
    fit(small(), made(), **RECIPE, checkpoint=path)
    os.remove(f"{path}.previous")
    state = torch.load(path, weights_only=True)
    settings = {name: value for name, value in (state["settings"] | change).items() if value is not None}
    torch.save({**state, "settings": settings}, path)
    with pytest.raises(ValueError, match=rf"is of another run \({words}\): to start anew"):
        fit(small(), made(), **RECIPE, checkpoint=path)


def test_data_that_cannot_be_compared_are_said_to_be(tmp_path):
    path, said = (
        tmp_path / "run.pt",
        "notes only the number of batches: whether a run goes on with the same data is for",
    )
    for data, expected in ((blobs(96), 1), (made(), 0)):
        lines = []
        fit(nn.Linear(2, 2) if expected else small(), data, epochs=1, lr=0.1, checkpoint=path, log=lines.append)
        assert sum(said in line for line in lines) == expected
        path.unlink()


def test_resuming_says_where_it_goes_on(tmp_path):
    path, lines = tmp_path / "run.pt", []
    interrupted(path, after=7)
    fit(small(), made(), **RECIPE, checkpoint=path, log=lines.append)
    assert lines[0] == f"goes on from epoch 2 of 3, saved in {path}"
    assert [line[:9] for line in lines[1:]] == ["epoch 3/3"]


# -------------------------------------------------------------------------------- fingerprints


def test_a_fingerprint_holds_bytes_shape_and_kind():
    x = torch.arange(24, dtype=torch.int32)
    prints = [fingerprint([t]) for t in (x, x.view(4, 6), x.view(torch.float32), x + 1, x[:23])]
    assert len({*prints, fingerprint([x, x]), fingerprint([])}) == 7
    assert all(re.fullmatch("[0-9a-f]{12}", text) for text in prints)
    weights = torch.randn(4, 3, 2, 2)
    assert fingerprint([weights]) == fingerprint([weights.to(memory_format=torch.channels_last)])
    assert fingerprint([torch.tensor(1.5)]) != fingerprint([torch.tensor(1.25)])


def test_the_identity_is_of_what_comes_out():
    """An image size written out, or an augmentation of strength 0, changes nothing."""
    assert identity(made(image_size=8)) == identity(made())
    assert identity(made(augment={"flip": 0.5, "crop": 4, "cutout": 0})) == identity(made())
    assert identity(made(), "validation ").keys() == {f"validation {name}" for name in identity(made())}
    assert identity(None) == {"images": "none", "batches": "0"} and identity([1]) == {
        "images": "unknown",
        "batches": "1",
    }


# -------------------------------------------------------------------------------- Ctrl-C


def test_ctrl_c_says_what_is_safe(tmp_path):
    path, lines = tmp_path / "run.pt", []
    stop = interrupted(path, after=7, log=lines.append)
    words = f"epoch 2 of 3 is safe in {path}; the same command goes on " + ANEW
    assert str(stop) == words and lines[-1] == f"stopped: {words}"
    lines.clear()
    stop = interrupted(path, after=2, log=lines.append)
    assert str(stop) == words, "what an earlier call saved counts"
    assert lines == [f"goes on from epoch 2 of 3, saved in {path}", f"stopped: {words}"]


def test_ctrl_c_before_anything_is_saved(tmp_path):
    stop = interrupted(tmp_path / "run.pt", after=3)
    words = f"no epoch was saved in {tmp_path / 'run.pt'} yet; the same command starts anew " + ANEW
    assert str(stop) == words
    words = "nothing is saved; with checkpoint=, a run goes on from its last whole epoch"
    assert str(interrupted(None, after=5)) == words


def test_ctrl_c_while_a_checkpoint_is_written(tmp_path, monkeypatch):
    real, path, calls = torch.save, tmp_path / "run.pt", []

    def save(state, goal):
        calls.append(goal)
        goal.write_bytes(b"half of a")
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(state, goal)

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(KeyboardInterrupt) as stop:
        fit(small(), made(), **RECIPE, checkpoint=path)
    assert "epoch 1 of 3 is safe" in str(stop.value)
    assert [file.name for file in tmp_path.iterdir()] == ["run.pt"], "no half file stays behind"


# -------------------------------------------------------------------------------- disks and folders


@pytest.mark.parametrize(
    "error, free, reason",
    [
        (OSError(errno.ENOSPC, "No space left on device"), 10**12, "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 10**12, "the disk is full"),
        (RuntimeError(POSITION), 1000, "the disk is full"),
        (RuntimeError("[enforce fail] something else\nmore"), 10**12, "[enforce fail] something else"),
        (PermissionError(errno.EACCES, "Permission denied"), 10**12, "[Errno 13] Permission denied"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("number", [1, 3])
def test_a_full_disk_is_told_in_a_sentence(tmp_path, monkeypatch, error, free, reason, number):
    real, path, calls = torch.save, tmp_path / "run.pt", []

    def save(state, goal):
        calls.append(goal)
        real(state, goal)
        if len(calls) == number:
            raise error

    monkeypatch.setattr(torch, "save", save)
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda folder: Usage(free))
    with pytest.raises(OSError) as told:
        fit(nn.Sequential(nn.Linear(2, 250_000), nn.Linear(250_000, 2)), blobs(64), epochs=3, lr=1e-6, checkpoint=path)
    safe = "no epoch is saved yet" if number == 1 else f"epoch 2 is safe in {path}"
    # 1,250,002 float32 numbers and as many momenta
    assert str(told.value).endswith(
        f"epoch {number} could not be saved in {tmp_path}: {reason} (it takes 10.0 MB, {free / 1e6:,.1f} MB were "
        f"free); {safe}. Make room, and the same command goes on"
    )
    assert not path.with_name("run.pt.part").exists() and (number == 1 or path.exists())


class Usage:
    def __init__(self, free):
        self.free = free


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_what_pytorch_says_of_a_full_disk_is_caught():
    """The words above are PyTorch's own: a RuntimeError, not an OSError."""
    with pytest.raises((RuntimeError, OSError)):
        torch.save({"weights": torch.zeros(100_000)}, "/dev/full")


def test_a_folder_where_a_file_is_meant(tmp_path):
    words = f"the checkpoint {tmp_path} is a folder: name a file in it, as {tmp_path / 'run.pt'}"
    with pytest.raises(ValueError, match=re.escape(words)):
        fit(small(), made(), **RECIPE, checkpoint=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_where_a_folder_is_meant(tmp_path):
    (tmp_path / "notes").write_text("mine", encoding="utf-8")
    with pytest.raises(
        OSError, match=r"no checkpoint can be written to the folder .*notes \(.*\): name one in another"
    ):
        fit(small(), made(), **RECIPE, checkpoint=tmp_path / "notes" / "run.pt")
    assert (tmp_path / "notes").read_text(encoding="utf-8") == "mine"


def test_no_refused_file_is_overwritten(tmp_path):
    path = tmp_path / "run.pt"
    fit(small(), made(), **RECIPE, checkpoint=path)
    for content in (b"precious", b"dear", b"beloved"):
        path.write_bytes(content)
        with pytest.warns(UserWarning, match="set aside as run.pt.refused"):
            fit(small(), made(), **RECIPE, checkpoint=path)
    kept = {file.name: file.read_bytes() for file in tmp_path.glob("*.refused*")}
    assert kept == {"run.pt.refused": b"precious", "run.pt.refused2": b"dear", "run.pt.refused3": b"beloved"}


def test_no_file_is_left_open(tmp_path):
    """An open file cannot be renamed on Windows; here it would be a ResourceWarning."""
    path = tmp_path / "run.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        fit(small(), made(), **RECIPE, checkpoint=path)
        fit(small(), made(), **RECIPE, checkpoint=path)
    if Path("/proc/self/fd").exists():
        there = [os.readlink(file) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
        assert not [name for name in there if str(tmp_path) in name]


# -------------------------------------------------------------------------------- devices


def test_the_random_numbers_of_cuda_are_saved_and_put_back(tmp_path, monkeypatch):
    """With a stand-in for the GPU: state 7 is saved, the device of the model is asked, and state 7 comes back."""
    device, model, put_back = torch.device("cuda", 1), nn.Linear(2, 2), []
    optimizer = torch.optim.SGD(groups(model), lr=0.1)
    monkeypatch.setattr(checkpoints, "device_of", lambda model: device)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda asked: torch.tensor([7]) if asked == device else None)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, asked: put_back.append((state.tolist(), asked)))
    save_checkpoint(tmp_path / "run.pt", model, optimizer, model, epoch=1, epochs=2, history=History(loss=[1.0]))
    load_checkpoint(tmp_path / "run.pt", model, optimizer, model, epochs=2)
    assert put_back == [([7], device)]
    monkeypatch.setattr(checkpoints, "device_of", lambda model: torch.device("cpu"))
    load_checkpoint(tmp_path / "run.pt", model, optimizer, model, epochs=2)
    assert len(put_back) == 1, "a run that goes on on the CPU asks no GPU"


def test_a_checkpoint_is_read_where_its_device_is_not(tmp_path, monkeypatch):
    """Tensors of a device that this machine lacks come to the CPU."""
    seen, real = [], torch.load
    monkeypatch.setattr(torch, "load", lambda *a, **o: seen.append(o) or real(*a, **o))
    path = tmp_path / "run.pt"
    fit(small(), made(), **RECIPE, checkpoint=path)
    fit(small(), made(), **RECIPE, checkpoint=path)
    assert seen == [{"weights_only": True, "map_location": "cpu"}]


def test_settings_are_compared_only_when_they_are_given(tmp_path):
    path, model = tmp_path / "run.pt", small()
    fit(model, made(), epochs=2, lr=0.1, checkpoint=path)
    other = small(seed=3)
    epoch, history = load_checkpoint(path, other, torch.optim.SGD(groups(other), lr=9.0), other, epochs=2)
    assert epoch == len(history) == 2 and same(other, model)
    before = copy.deepcopy(other)
    with pytest.raises(ValueError, match=r"is of another run \(epochs 2, not 3\)"):
        load_checkpoint(path, other, torch.optim.SGD(groups(other), lr=9.0), other, epochs=3)
    assert same(other, before)
