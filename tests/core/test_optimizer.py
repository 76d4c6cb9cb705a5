"""`fit` with another optimizer, another schedule, on another device: what is handed over, and what is refused."""

import copy
import re
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.batches import Batches
from helpers.training import constant_with_warmup, cosine_with_warmup, find_device, fit
from tests.core.test_training import batches, blobs, images, same, small

pytestmark = pytest.mark.usefixtures("one_thread")


def adam(groups):
    return torch.optim.Adam(groups, lr=1e-2)


# -------------------------------------------------------------------------------- what the optimizer gets


def test_fit_with_adam_is_the_hand_written_loop():
    """To the same bits: the loop that every tutorial writes, at a constant rate."""
    theirs, mine = small(), small()
    history = fit(theirs, batches(), epochs=2, optimizer=adam, schedule=constant_with_warmup)
    optimizer = torch.optim.Adam(mine.parameters(), lr=1e-2)
    torch.manual_seed(0)
    data = batches()
    for _ in range(2):
        mine.train()
        for inputs, labels in data:
            optimizer.zero_grad()
            F.cross_entropy(mine(inputs), labels).backward()
            optimizer.step()
    assert same(theirs, mine) and not same(theirs, small()) and history.lr == [1e-2, 1e-2]


def test_the_optimizer_gets_matrices_and_the_rest_with_their_decay():
    seen = []
    model = small()
    fit(model, batches(), epochs=1, weight_decay=0.3, optimizer=lambda groups: seen.extend(groups) or adam(groups))
    assert [group["weight_decay"] for group in seen] == [0.3, 0.0]
    assert [[p.ndim for p in group["params"]] for group in seen] == [[4, 2], [1, 1, 1]]
    assert {id(p) for group in seen for p in group["params"]} == {id(p) for p in model.parameters()}


def test_the_schedule_multiplies_each_group_s_own_rate(monkeypatch):
    rates, real = [], torch.optim.Adam.step

    def step(self, *arguments):
        rates.append([group["lr"] for group in self.param_groups])
        return real(self, *arguments)

    def two_rates(groups):
        return torch.optim.Adam([{**groups[0], "lr": 0.5}, {**groups[1], "lr": 0.02}])

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    history = fit(nn.Linear(2, 2), blobs(128), epochs=2, optimizer=two_rates, warmup_epochs=0.5)
    factors = [cosine_with_warmup(step, 8, 2) for step in range(8)]
    assert rates == [[0.5 * factor, 0.02 * factor] for factor in factors]
    assert history.lr == [0.5 * factors[3], 0.5 * factors[7]], "of several rates the History tells the first"


def test_constant_with_warmup():
    assert [constant_with_warmup(step, 6, 4) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert [constant_with_warmup(step, 3, 0) for step in range(3)] == [1, 1, 1]


def test_a_run_with_adam_resumes_to_the_same_bits(tmp_path):
    """Adam's two running means and its step count lie in the checkpoint; the rate begins again from its own."""

    class Unplugged(list):
        left = 13

        def __iter__(self):
            for batch in super().__iter__():
                self.left -= 1
                if not self.left:
                    raise KeyboardInterrupt
                yield batch

    recipe = {"epochs": 4, "optimizer": adam, "warmup_epochs": 1}
    torch.manual_seed(0)
    straight = nn.Linear(2, 2)
    start, path = copy.deepcopy(straight), tmp_path / "run.pt"
    told = fit(straight, blobs(160), **recipe)
    with pytest.raises(KeyboardInterrupt):
        fit(copy.deepcopy(start), Unplugged(blobs(160)), checkpoint=path, **recipe)
    again = fit(start, blobs(160), checkpoint=path, **recipe)
    assert same(start, straight) and (again.loss, again.lr) == (told.loss, told.lr)


# -------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "kind, words, given",
    [
        (ValueError, "lr is a learning rate above 0, not None; without lr, give an optimizer", {}),
        (ValueError, "lr and optimizer were both given: the optimizer has its own", {"optimizer": adam, "lr": 0.1}),
        (ValueError, "momentum and optimizer were both given", {"optimizer": adam, "momentum": 0.5}),
        (TypeError, "torch.optim.Adam(groups, lr=1e-3); not a str", {"optimizer": "adam"}),
        (TypeError, "torch.optim.Adam(groups, lr=1e-3); not a Adam", {"optimizer": adam(nn.Linear(1, 1).parameters())}),
        (TypeError, "torch.optim.Adam(groups, lr=1e-3); it gave a list", {"optimizer": lambda groups: groups}),
        (ValueError, "the optimizer holds 1 tensors that are not the 2 the model trains",
         {"optimizer": lambda groups: adam(groups[:1])}),
        (ValueError, "the optimizer holds 2 tensors that are not the 2 the model trains",
         {"optimizer": lambda groups: adam(nn.Linear(2, 2).parameters())}),
    ],
)  # fmt: skip
def test_misuse_is_told_in_a_sentence(kind, words, given):
    model = nn.Linear(2, 2)
    before = copy.deepcopy(model)
    with pytest.raises(kind, match=re.escape(words)):
        fit(model, blobs(), epochs=1, **given)
    assert same(model, before)


# -------------------------------------------------------------------------------- devices


@pytest.mark.parametrize("name", ["cuda:77", "gpu", "meta", 1.5])
def test_a_device_that_is_not_there(name):
    with pytest.raises(ValueError, match=f"there is no device {name} here: this machine has cpu"):
        fit(nn.Linear(2, 2), blobs(), epochs=1, lr=0.1, device=name)


class Travelling(torch.Tensor):
    """A tensor that notes where it was sent."""

    sent: ClassVar[list] = []

    def to(self, device, *arguments, **others):
        self.sent.append(device)
        return self.as_subclass(torch.Tensor)


def test_model_and_batches_go_to_the_device(monkeypatch):
    """Every batch, of training and validation alike; without a device they follow the model."""
    data = [(x.as_subclass(Travelling), y.as_subclass(Travelling)) for x, y in blobs(64)]
    model, moved = nn.Linear(2, 2), []
    monkeypatch.setattr(model, "to", lambda device: moved.append(device))
    for device in ("cpu", torch.device("cpu"), None):
        Travelling.sent.clear()
        moved.clear()
        fit(model, data, epochs=1, lr=0.1, device=device, validation=data)
        assert moved == [find_device("cpu")] and Travelling.sent == [torch.device("cpu")] * 6


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_cuda_goes_on_to_the_same_bits(tmp_path):
    straight, resumed, path = small().cuda(), small(), tmp_path / "run.pt"
    check = Batches(images(), 48)
    told = fit(straight, batches(), epochs=2, lr=0.1, validation=check)
    again = fit(resumed, batches(), epochs=2, lr=0.1, validation=check, checkpoint=path, device="cuda")
    assert next(resumed.parameters()).is_cuda and same(straight, resumed) and told.loss == again.loss
