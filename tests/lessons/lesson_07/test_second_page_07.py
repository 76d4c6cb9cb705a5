"""Lesson 07's second page against the helpers and the committed rows that its prose speaks of."""

import copy
import itertools
import math

import pytest
import torch

from helpers.batches import Batches
from helpers.data import CLASSES, ImageSet
from helpers.lessons.lesson_07 import to_write
from helpers.models import small_cnn
from helpers.results import read_results
from helpers.training import _average, constant_with_warmup, cosine_with_warmup, fit

pytestmark = pytest.mark.usefixtures("one_thread")
PAGE = "07b_how_far_a_recipe_carries"


@pytest.fixture(scope="module")
def images() -> ImageSet:
    pixels = torch.randint(0, 256, (60, 16, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return ImageSet(pixels, torch.arange(60) % 10, CLASSES, "made up")


@pytest.fixture(scope="module")
def lesson(functions_of, images) -> dict:
    return functions_of(PAGE, small={"image_size": 16}, part=images)


def apart(one, other) -> float:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return max(float((a.float() - b.float()).abs().max()) for a, b in pairs)


def test_the_generator_is_fit_s_loop(lesson, images):
    mine, theirs = small_cnn(), small_cnn()
    losses = list(lesson["steps_of"](mine, images, epochs=2, lr=0.05, batch_size=16, decay=0.0))
    history = fit(theirs, Batches(images, 16, image_size=16, shuffle=True), epochs=2, schedule=constant_with_warmup,
                  optimizer=lambda groups: torch.optim.SGD(groups, 0.05, momentum=0.9))  # fmt: skip
    assert apart(mine, theirs) < 1e-6
    sizes = torch.tensor([16, 16, 16, 12]) / 60
    assert (torch.tensor(losses).view(2, 4) @ sizes).tolist() == pytest.approx(history.loss, abs=1e-5)


def test_the_generator_stops_after_each_step_and_knows_its_share_of_the_run(lesson, images):
    model, seen = small_cnn(), []
    before = model[0][0].weight.detach().clone()

    def factor(share):
        seen.append(share)
        return 0.0

    run = lesson["steps_of"](model, images, epochs=2, batch_size=30, factor=factor)
    next(run)
    assert seen == [0.0]
    list(run)
    assert seen == [0.0, 0.25, 0.5, 0.75] and torch.equal(before, model[0][0].weight), "at a rate of 0 nothing moves"


def test_class_weights_count_in_the_loss(lesson, images):
    only_two = torch.zeros(10)
    only_two[2] = 1.0
    (loss,) = lesson["steps_of"](small_cnn(), images, batch_size=60, weight=only_two)
    (inputs, labels), *_ = Batches(images, 60, image_size=16, shuffle=True)
    logits = small_cnn().train()(inputs)
    assert loss == pytest.approx(torch.nn.functional.cross_entropy(logits[labels == 2], labels[labels == 2]).item())


def test_the_range_test_rises_by_one_factor_and_survives_nan(lesson):
    rates, losses = lesson["range_test"](small_cnn, seed=0, epochs=8)
    assert rates[0] == 1e-3 and len(rates) == len(losses) == 8, "part[::4] is one batch of 15 images an epoch"
    assert {round(b / a, 6) for a, b in itertools.pairwise(rates)} == {round(3000 ** (1 / 8), 6)}
    _, losses = lesson["range_test"](small_cnn, seed=0, epochs=3, lowest=1e30, times=1)
    assert losses[-1] == 9.0


def test_averaging_is_fit_s(lesson):
    slow, model, other = small_cnn(0), small_cnn(1), small_cnn(2)
    theirs = copy.deepcopy(slow)
    for network in (model, other):
        network.train()(torch.rand(4, 3, 16, 16))  # so that BatchNorm's statistics differ
        lesson["average"](slow, network, 0.7)
        _average(theirs, network, 0.7)
    floats = [name for name, value in slow.state_dict().items() if value.is_floating_point()]
    assert all(torch.allclose(slow.state_dict()[name], theirs.state_dict()[name], atol=1e-6) for name in floats)


def test_measured_anew_keeps_the_weights_and_takes_the_images_own_statistics(lesson, images):
    model = small_cnn()
    model.train()(torch.rand(4, 3, 16, 16))  # statistics that are to be forgotten
    old = copy.deepcopy(model)
    anew = lesson["measured_anew"](model)
    (inputs, _), *_ = Batches(images[::4], 15, image_size=16)
    values = model[0][:2](inputs).detach()  # what the first BatchNorm gets
    assert torch.allclose(anew[0][2].running_mean, values.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(anew[0][2].running_var, values.var((0, 2, 3)), atol=1e-4)
    assert apart(model, old) == 0, "the network itself stays as it was"
    pairs = zip(anew.parameters(), old.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_half_a_cosine_is_fit_s(lesson):
    assert [lesson["half_a_cosine"](step / 50) for step in range(50)] == pytest.approx(
        [cosine_with_warmup(step, 50, 0) for step in range(50)]
    )


def test_the_net_without_batchnorm_has_none_and_adamw_keeps_fit_s_groups(lesson):
    assert not [m for m in lesson["plain_net"]().modules() if "BatchNorm" in type(m).__name__]
    weights = [torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(2))]
    groups = [{"params": weights[:1], "weight_decay": 0.05}, {"params": weights[1:], "weight_decay": 0.0}]
    optimizer = lesson["adamw"](groups)
    assert type(optimizer) is torch.optim.AdamW
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.05, 0.0]


def test_accumulation_is_the_large_batch_s_step():
    model, inputs, labels = small_cnn().eval(), torch.rand(10, 3, 16, 16), torch.arange(10)
    ends = []
    for batch in ([(inputs, labels)], list(zip(inputs.split(4), labels.split(4), strict=True))):
        one = copy.deepcopy(model)
        to_write.accumulate(one, batch, torch.optim.SGD(one.parameters(), lr=0.1))
        ends.append(one)
    assert apart(*ends) < 1e-6, "in eval mode BatchNorm does not look at the batch"


# ------------------------------------------------------------------------------------------- what the prose says


def test_the_pilot_s_five_cells_and_its_edge():
    found = sorted((round(100 * row["validation_accuracy"], 1), row["lr"], row["weight_decay"])
                   for row in read_results("zoo_pilot.csv"))  # fmt: skip
    assert found[0] == (33.7, 0.2, 5e-5) and (found[1][0], found[-1][0]) == (42.9, 44.9)


def test_what_the_budget_s_pilot_says():
    rows = read_results("budget_pilot_cuda.csv")
    shapes = {row["shape"]: 100 * row["validation_accuracy"] for row in rows if row["epochs"] == 12}
    first, second, third = sorted(shapes, key=shapes.get, reverse=True)[:3]
    assert (first, second, third) == ("32 pixels longer, t = 3", "32 pixels longer, t = 6", "zoo")
    assert shapes[first] - shapes["zoo"] == pytest.approx(1.2, abs=0.05)
    plain = {"weight_decay": 5e-4, "label_smoothing": 0.1, "epochs": 10}
    by_rate = {row["lr"]: 100 * row["validation_accuracy"] for row in rows if plain.items() <= row.items()}
    assert by_rate[0.2] - by_rate[0.1] == pytest.approx(3.0, abs=0.05)
    assert by_rate[0.2] - by_rate[0.4] == pytest.approx(0.4, abs=0.05)


def test_the_guess_of_92_was_missed_by_every_seed():
    rows = read_results("budget_cuda.csv")
    assert sorted((row["seed"], round(100 * row["accuracy"], 1)) for row in rows) == [(0, 91.4), (1, 91.2), (2, 91.4)]
    curve = {row["epoch"]: row for row in read_results("budget_curves_cuda.csv") if row["seed"] == 0}
    assert (round(curve[40]["loss"], 2), round(curve[50]["loss"], 2)) == (0.65, 0.57)
    assert curve[50]["validation_loss"] > curve[40]["validation_loss"], "it begins to learn by heart"
    (zoo,) = [row for row in read_results("zoo.csv") if (row["width"], row["resolution"], row["seed"]) == (1.0, 32, 0)]
    assert round(100 * zoo["accuracy"], 1) == 87.0 and math.isclose(zoo["macs"], 24_461_312)
