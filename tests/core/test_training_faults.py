"""What can go wrong in a training run, and what fit says; clipping, the best epoch, the checkpoint before the last."""

import copy
import os
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers import training
from helpers.batches import Batches
from helpers.checkpoints import History, load_checkpoint
from helpers.models import mobilenet_v2
from helpers.training import cosine_with_warmup, fit
from tests.core.test_training import batches, blobs, damage_half, groups, images, same, small

NAN = float("nan")
pytestmark = pytest.mark.usefixtures("one_thread")


def fails(kind, words: str, model=None, data=None, **others) -> None:
    """fit raises `kind` with these words, and leaves the weights alone."""
    model = nn.Linear(2, 2) if model is None else model
    before = copy.deepcopy(model)
    with pytest.raises(kind, match=re.escape(words)):
        fit(model, blobs() if data is None else data, **{"epochs": 1, "lr": 0.1, **others})
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before.parameters(), strict=True))


# -------------------------------------------------------------------------------- data that cannot be learned from


def test_nothing_to_learn_from_or_to_judge():
    fails(ValueError, "batches is empty: there is nothing to learn from", data=[])
    fails(ValueError, "validation is empty: there is nothing to judge", validation=[])
    fails(TypeError, "batches is a generator, which is used up after one epoch: give a list", data=(b for b in blobs()))


def test_a_class_without_images_is_named():
    there = images(60)
    part = there[(there.labels != 3) & (there.labels != 5)]
    words = "classes without a training image: 2 of the network's 10, the first is 3 (cat)"
    fails(ValueError, words, small(), Batches(part, 16))
    one = [(x, torch.zeros_like(y)) for x, y in blobs()]
    fails(ValueError, "classes without a training image: 1 of the network's 2, the first is 1.", data=one)
    loader = torch.utils.data.DataLoader(WithTargets(), batch_size=2)
    fails(ValueError, "the first is 1", data=loader)
    fails(ValueError, "990 of the network's 1000, the", mobilenet_v2(0.25, stem_stride=1), Batches(there, 30))


class WithTargets(torch.utils.data.Dataset):
    """As torchvision's datasets are."""

    targets = (0, 0, 0, 0)

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.zeros(2), self.targets[index]


@pytest.mark.parametrize("wrong", [2, -1, 255])
def test_labels_out_of_range_are_named_with_their_batch(wrong):
    data = [(x, y.clone()) for x, y in blobs(96)]
    data[0][1][5] = wrong
    fails(ValueError, f"batch 1 of epoch 1 has the label {wrong}, but the network knows 0 to 1", data=data)
    data = [data[1], data[2], data[0]]
    with pytest.raises(ValueError, match=f"batch 3 of epoch 1 has the label {wrong},"):
        fit(nn.Linear(2, 2), Unlisted(data), epochs=1, lr=0.1)


class Unlisted:
    """A loader whose labels nobody can look up before they come."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        return iter(self.data)


def test_images_that_do_not_fit_the_network():
    larger = Batches(images(), 16, image_size=12)
    fails(
        ValueError,
        "batch 1 of epoch 1 does not go through the network: inputs of shape [16, 3, 12, 12]",
        small(),
        larger,
    )
    swapped = [(x.permute(0, 2, 3, 1), y) for x, y in batches()]
    fails(ValueError, "inputs of shape [16, 8, 8, 3] (torch.float32; images are [B,C,H,W])", small(), swapped)
    raw = [(images().images.permute(0, 3, 1, 2), images().labels)]
    fails(ValueError, "(torch.uint8; images", small(), raw)


def test_the_last_batch_of_one_image_is_explained():
    """BatchNorm cannot learn from one value a channel."""
    alone = Batches(images(41), 20, image_size=32)
    with pytest.raises(
        ValueError, match=r"batch 3 of epoch 1 does not go .* \[1, 3, 32, 32\].*more than 1 value per channel"
    ):
        fit(mobilenet_v2(0.25, num_classes=10), alone, epochs=1, lr=0.1)


def test_training_and_validation_images_of_two_sizes():
    words = "training images are 12 pixels wide, validation images 8: make them equal"
    fails(ValueError, words, small(), Batches(images(), 16, image_size=12), validation=Batches(images(), 16))
    fit(small(), batches(), epochs=1, lr=0.1, validation=Batches(images(), 16, image_size=8))


def test_outputs_that_are_no_scores():
    fails(ValueError, "batch 1 of epoch 1: outputs [16, 3, 8, 8] and labels [16], not [B,C] and [B]",
          nn.Conv2d(3, 3, 1), batches())  # fmt: skip


@pytest.mark.parametrize(
    "given, words",
    [
        ({"clip_grad_norm": -1}, "clip_grad_norm is the longest gradient allowed, 0 for any; it cannot be -1"),
        ({"clip_grad_norm": NAN}, "clip_grad_norm is the longest gradient allowed, 0 for any; it cannot be nan"),
        ({"epochs": 0}, "epochs is a whole number from 1 on, not 0"),
        ({"epochs": -1}, "epochs is a whole number from 1 on, not -1"),
        ({"epochs": 2.0}, "epochs is a whole number from 1 on, not 2.0"),
        ({"epochs": True}, "epochs is a whole number from 1 on, not True"),
        ({"epochs": "3"}, "epochs is a whole number from 1 on, not '3'"),
        ({"lr": 0}, "lr is a learning rate above 0, not 0"),
        ({"lr": -0.1}, "lr is a learning rate above 0, not -0.1"),
        ({"lr": NAN}, "lr is a learning rate above 0, not nan"),
        ({"lr": float("inf")}, "lr is a learning rate above 0, not inf"),
        ({"lr": "0.1"}, "lr is a learning rate above 0, not '0.1'"),
        ({"warmup_epochs": -1}, "warmup_epochs lies between 0 and the 2 epochs of the run, not -1"),
        ({"warmup_epochs": 2.5}, "warmup_epochs lies between 0 and the 2 epochs of the run, not 2.5"),
        ({"warmup_epochs": NAN}, "warmup_epochs lies between 0 and the 2 epochs of the run, not nan"),
        ({"ema_decay": 1}, "ema_decay is a share from 0 to below 1, not 1"),
        ({"ema_decay": 1.5}, "ema_decay is a share from 0 to below 1, not 1.5"),
        ({"ema_decay": True}, "ema_decay is a share from 0 to below 1, not True"),
        ({"momentum": 2.0}, "momentum is a share from 0 to below 1, not 2.0"),
        ({"momentum": -0.1}, "momentum is a share from 0 to below 1, not -0.1"),
        ({"label_smoothing": 1.0}, "label_smoothing is a share from 0 to below 1, not 1.0"),
        ({"label_smoothing": "a"}, "label_smoothing is a share from 0 to below 1, not 'a'"),
        ({"weight_decay": -1}, "weight_decay is a number from 0 on, as 5e-4, not -1"),
        ({"weight_decay": float("inf")}, "weight_decay is a number from 0 on, as 5e-4, not inf"),
        ({"seed": 1.5}, "seed is a whole number, not 1.5"),
    ],
)
def test_settings_out_of_their_range(given, words):
    fails(ValueError, words, **{"epochs": 2, **given})


def test_settings_at_the_ends_of_their_ranges():
    ends = {"warmup_epochs": 1, "momentum": 0, "ema_decay": 0.999, "label_smoothing": 0.9, "weight_decay": 0}
    history = fit(nn.Linear(2, 2), blobs(), epochs=np.int64(1), lr=np.float32(0.1), seed=np.int64(3), **ends)
    assert len(history) == 1
    fit(nn.Linear(2, 2), blobs(), epochs=1, lr=0.1, warmup_epochs=0, clip_grad_norm=float("inf"))


# -------------------------------------------------------------------------------- a loss that is no number


def test_a_loss_that_is_no_number_stops_at_its_batch(tmp_path):
    """The first two batches are good, the third is so large that the scores overflow."""
    data = blobs(96)
    data[2] = (data[2][0] * 1e30, data[2][1])
    model = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1e10)
    words = r"the loss is (nan|inf) in batch 3 of epoch 1, at a learning rate of 2e-08\. Try a smaller lr, more"
    with pytest.raises(FloatingPointError, match=words):
        fit(model, data, epochs=2, lr=2e-8, schedule=constant, checkpoint=tmp_path / "run.pt")
    assert not list(tmp_path.iterdir()), "and leaves no checkpoint"


def constant(step: int, steps: int, warmup: int) -> float:
    return 1.0


def test_inputs_that_are_no_numbers_are_told_apart():
    data = [(x.clone(), y) for x, y in blobs(96)]
    data[0][0][7] = float("nan")
    fails(FloatingPointError, "the inputs of batch 1 of epoch 1 hold numbers that are not finite", data=data)


# -------------------------------------------------------------------------------- clip, schedule, best epoch


def test_clipping_by_hand():
    """One step: the gradient, over all weights together, is cut to length 0.01, and keeps its direction."""
    data, start = blobs(32), nn.Linear(2, 2)
    plain = copy.deepcopy(start)
    F.cross_entropy(plain(data[0][0]), data[0][1]).backward()
    gradient = torch.cat([plain.weight.grad.flatten(), plain.bias.grad])
    assert gradient.norm() > 0.1, "longer than allowed, or nothing is tested"
    for clip, expected in ((0.01, 0.01 * gradient / gradient.norm()), (1e6, gradient), (0, gradient)):
        model = copy.deepcopy(start)
        fit(model, data, epochs=1, lr=0.5, momentum=0, clip_grad_norm=clip)
        moved = torch.cat([(a - b).flatten() for a, b in zip(start.parameters(), model.parameters(), strict=True)])
        assert torch.allclose(moved, 0.5 * expected, atol=1e-6), f"clip {clip}"


def test_another_schedule():
    history = fit(nn.Linear(2, 2), blobs(64), epochs=3, lr=0.2, schedule=constant)
    assert history.lr == [0.2] * 3
    assert fit(nn.Linear(2, 2), blobs(64), epochs=3, lr=0.2).lr[1] == 0.2 * cosine_with_warmup(3, 6, 0)


def test_best_epoch():
    assert History().best_epoch == 0
    assert History(validation_accuracy=[0.5, 0.7, 0.6], validation_loss=[1, 1, 0.1]).best_epoch == 2
    assert History(validation_accuracy=[0.5, 0.7, 0.7], validation_loss=[1, 1, 0.9]).best_epoch == 3
    assert History(validation_accuracy=[0.7, 0.7], validation_loss=[1, 1]).best_epoch == 1


@pytest.mark.parametrize("average", [0.0, 0.5])
def test_the_best_epoch_is_kept(monkeypatch, average):
    """Validation likes the second epoch best: its weights are in the model at the end; without keep_best, the last."""
    told = iter([0.2, 0.9, 0.3, 0.4] * 2)
    seen = []

    def judge(model, batches):
        seen.append(copy.deepcopy(model))
        right, total = round(100 * next(told)), 100
        return torch.eye(2).repeat(total // 2, 1), torch.tensor([0, 1] * (total // 2)) ^ (
            torch.arange(total) >= right
        ).long()

    monkeypatch.setattr(training, "predict_with_labels", judge)
    model = small()
    history = fit(model, batches(), epochs=4, lr=0.1, ema_decay=average, validation=[0], keep_best=True)
    assert history.validation_accuracy == [0.2, 0.9, 0.3, 0.4] and history.best_epoch == 2
    assert same(model, seen[1]) and not same(model, seen[3])
    last = small()
    fit(last, batches(), epochs=4, lr=0.1, ema_decay=average, validation=[0])
    assert same(last, seen[3])


def test_keep_best_needs_something_to_be_best_on():
    fails(ValueError, "keep_best needs validation batches", keep_best=True)


# -------------------------------------------------------------------------------- the checkpoint before the last


def run(path, epochs=3, **others):
    model = small()
    history = fit(model, batches(), epochs=epochs, lr=0.1, ema_decay=0.9, checkpoint=path, **others)
    return model, history


def damage_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def another_run(path):
    fit(small(), batches(), epochs=3, lr=0.2, ema_decay=0.9, checkpoint=path.with_name("other.pt"))
    os.replace(path.with_name("other.pt"), path)


def another_network(path):
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 10))
    fit(model, batches(), epochs=3, lr=0.1, ema_decay=0.9, checkpoint=path.with_name("other.pt"))
    os.replace(path.with_name("other.pt"), path)


@pytest.mark.parametrize(
    "spoil, words",
    [
        (damage_half, "is no checkpoint of this run (BadZipFile)"),
        (damage_bit, "is no checkpoint of this run (ValueError)"),
        (lambda path: path.write_bytes(b""), "is no checkpoint of this run (BadZipFile)"),
        (lambda path: path.write_text("notes of mine", encoding="utf-8"), "is no checkpoint of this run (BadZipFile)"),
        (another_run, "is of another run (lr 0.2, not 0.1)"),
        (another_network, "is of another network (the tensors of its 'model' differ)"),
    ],
)
def test_a_refused_checkpoint_is_set_aside_and_the_one_before_used(tmp_path, spoil, words):
    path = tmp_path / "run.pt"
    straight, told = run(path)
    spoil(path)
    spoiled = path.read_bytes()
    said = (
        re.escape(words)
        + r": set aside as run\.pt\.refused\. The one before it is used: run\.pt\.previous, after 2 of 3"
    )
    with pytest.warns(UserWarning, match=said):
        again, history = run(path)
    assert same(again, straight) and history.loss == told.loss
    assert (tmp_path / "run.pt.refused").read_bytes() == spoiled, "nothing of anyone's is thrown away"
    third, _ = run(path)  # no warning now: the newest is whole again
    assert same(third, straight)


def test_the_newest_missing_is_no_loss(tmp_path):
    """A run killed between the two renames leaves only the one before."""
    path = tmp_path / "run.pt"
    straight, _ = run(path)
    path.unlink()
    assert same(run(path)[0], straight)


def test_both_refused_is_an_error_that_changes_nothing(tmp_path):
    path = tmp_path / "run.pt"
    run(path)
    damage_half(path)
    path.with_name("run.pt.previous").write_bytes(b"")
    before, files = small(), sorted(p.name for p in tmp_path.iterdir())
    model = copy.deepcopy(before)
    words = r"run\.pt is no checkpoint .*: to start anew, name another file or move this one away \(run\.pt\.previous"
    with pytest.raises(ValueError, match=words):
        fit(model, batches(), epochs=3, lr=0.1, ema_decay=0.9, checkpoint=path)
    assert same(model, before) and sorted(p.name for p in tmp_path.iterdir()) == files


def test_no_checkpoint_at_all(tmp_path):
    model = small()
    with pytest.raises(FileNotFoundError, match=r"there is no checkpoint .*run\.pt"):
        load_checkpoint(tmp_path / "run.pt", model, torch.optim.SGD(groups(model), lr=0.1), model, epochs=3)


def test_other_frozen_layers_are_another_run(tmp_path):
    path = tmp_path / "run.pt"
    run(path, epochs=1)
    model = small()
    model[0].requires_grad_(False)
    with pytest.raises(ValueError, match=r"is of a run that trained other weights: to start anew"):
        fit(model, batches(), epochs=1, lr=0.1, ema_decay=0.9, checkpoint=path)


# -------------------------------------------------------------------------------- it is the loop of the lesson


def test_fit_is_this_plain_loop():
    """Same bits as a loop written out with everything switched on."""
    straight, model = small(), small()
    recipe = {"epochs": 2, "lr": 0.2, "weight_decay": 0.01, "warmup_epochs": 0.5, "label_smoothing": 0.1}
    history = fit(straight, batches(), **recipe, clip_grad_norm=0.5)

    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.SGD(
        [{"params": decayed, "weight_decay": 0.01}, {"params": others}], lr=0.2, momentum=0.9, nesterov=True
    )
    torch.manual_seed(0)
    data, step, losses = batches(), 0, []
    model.train()
    for _ in range(2):
        for inputs, labels in data:
            for group in optimizer.param_groups:
                group["lr"] = 0.2 * cosine_with_warmup(step, 6, 2)
            loss = F.cross_entropy(model(inputs), labels, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            losses.append(loss.item())
            step += 1
    assert same(straight, model)
    assert history.loss == [sum(losses[:3]) / 3, sum(losses[3:]) / 3]
