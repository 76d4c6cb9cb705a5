"""Lesson 07 against the helpers: its loop and its schedule, and what it says about the stored runs."""

import pytest
import torch
from torch import nn

from helpers.batches import Batches
from helpers.data import CLASSES, ImageSet
from helpers.lessons.lesson_07 import ablation
from helpers.results import read_results
from helpers.training import cosine_with_warmup, fit

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def lesson(functions_of) -> dict:
    return functions_of("07_training")


@pytest.mark.parametrize(("steps", "warmup"), [(1000, 100), (10, 0), (7, 7)])
def test_the_schedule_is_fit_s(lesson, steps, warmup):
    mine = [lesson["schedule"](step, steps, warmup) for step in range(steps)]
    assert mine == pytest.approx([cosine_with_warmup(step, steps, warmup) for step in range(steps)], abs=1e-12)


def tiny() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))


@pytest.fixture
def batches() -> Batches:
    pixels = torch.randint(0, 256, (60, 8, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Batches(ImageSet(pixels, torch.arange(60) % 10, CLASSES, "made up"), 16, shuffle=True)


def test_the_loop_is_fit_s(lesson, batches):
    mine, theirs = tiny(), tiny()
    settings = {"weight_decay": 5e-2, "lr": 0.1, "epochs": 3}
    losses = lesson["train_by_hand"](mine, batches, schedule=lesson["schedule"], warmup=4, smoothing=0.1, **settings)
    batches.epoch = 0
    history = fit(theirs, batches, warmup_epochs=1, label_smoothing=0.1, **settings)
    for a, b in zip(mine.state_dict().values(), theirs.state_dict().values(), strict=True):
        assert torch.allclose(a.float(), b.float(), atol=1e-6)
    sizes = torch.tensor([16, 16, 16, 12]) / 60  # fit's loss is the mean over images, and the last batch is smaller
    assert (torch.tensor(losses).view(3, 4) @ sizes).tolist() == pytest.approx(history.loss, abs=1e-6)
    assert losses[-1] < losses[0] and not mine.training


def test_decay_spares_biases_and_batchnorm(lesson, batches):
    """Without gradients only decay moves weights: those of one dimension must stay."""
    model = tiny()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    zero = [(images * 0, labels) for images, labels in batches]
    lesson["train_by_hand"](model, zero, 1, 0.1, lambda *_: 1.0, weight_decay=0.5)
    assert not torch.equal(model[0].weight, before["0.weight"]), "the convolution sees only zeros: decay alone moves it"
    assert torch.equal(model[1].weight, before["1.weight"])


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_an_idle_weight_shrinks_as_in_torch(lesson, momentum):
    rates = [0.1, 0.2, 0.05] * 40
    w = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=momentum, weight_decay=0.01)
    w.grad = torch.zeros_like(w)
    for lr in rates:
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
    assert lesson["idle"](rates, 0.01, momentum) == pytest.approx(w.item(), rel=1e-9)


def test_the_plug_is_pulled_in_the_tenth_batch(lesson, batches):
    unplugged = lesson["Unplugged"](batches.image_set, 16, shuffle=True)
    seen = 0
    with pytest.raises(KeyboardInterrupt):
        while True:
            for _ in unplugged:
                seen += 1
    assert seen == 9


def test_the_small_net_is_the_zoo_s_narrowest(lesson):
    mine, theirs = lesson["small_net"](), ablation.network(4)
    assert [p.shape for p in mine.parameters()] == [p.shape for p in theirs.parameters()]


# ------------------------------------------------------------------------------------------- the stored runs


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return read_results(ablation.FILE)


def test_the_ablation_is_complete(rows):
    seeds = sorted({row["seed"] for row in rows})
    assert len(seeds) >= 2
    assert sorted((row["variant"], row["seed"]) for row in rows) == sorted(
        (v, s) for v in ablation.SHORT_VARIANTS for s in seeds
    )
    assert len({(row["images"], row["epochs"], row["batch_size"], row["lr"], row["total"]) for row in rows}) == 1
    for row in rows:
        parts = ablation.RECIPE | ablation.VARIANTS[row["variant"]]
        assert row["weight_decay"] == parts["weight_decay"] and row["downsamplings"] == parts["downsamplings"]


def test_pairs_are_counted_against_the_recipe_of_the_same_seed(rows):
    recipe = {row["seed"]: row["correct"] for row in rows if row["variant"] == "recipe"}
    for row in rows:
        assert row["only_this"] - row["only_recipe"] == row["correct"] - recipe[row["seed"]]
        assert ablation.paired(row).difference == pytest.approx((row["correct"] - recipe[row["seed"]]) / row["total"])
