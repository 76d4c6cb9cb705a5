"""The study of the seven silent mistakes: its arithmetic by hand, its networks, and going on where it stopped."""

import argparse

import pytest
import torch
from torch import nn

from helpers import results as runs
from helpers.batches import Batches
from helpers.data import load_cifar10
from helpers.evaluation import mcnemar
from helpers.lessons.lesson_08 import mistakes
from helpers.lessons.lesson_08.mistakes import (
    MAIN,
    MISTAKES,
    VARIANTS,
    Study,
    batch_weights,
    compare,
    drifting,
    head_epochs,
)
from helpers.runs import recipes
from helpers.training import constant_with_warmup

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def study() -> Study:
    return Study(seeds=2, limit=100)


def numbers(row: dict[str, str]) -> dict[str, float]:
    return {name: float(text) for name, text in row.items()}


# ------------------------------------------------------------------------------------------------ arithmetic


def test_batch_weights_by_hand():
    """130 images in batches of 128: both batches count half, so each of the last two images counts 32.5 times."""
    weights = batch_weights(130, 128)
    assert weights[:128].tolist() == pytest.approx([130 / 256] * 128) and weights[128:].tolist() == [32.5, 32.5]
    assert batch_weights(8, 4).tolist() == [1.0] * 8 and batch_weights(3, 5).tolist() == [1.0] * 3


@pytest.mark.parametrize("size", [1, 3, 7, 64, 100, 128])
def test_batch_weights_give_the_mean_of_the_batches_accuracies(size):
    right = torch.rand(100, generator=torch.Generator().manual_seed(size)) < 0.7
    means = [part.double().mean().item() for part in right.split(size)]
    assert (batch_weights(100, size) * right).mean().item() == pytest.approx(sum(means) / len(means))


def test_compare_is_the_paired_difference():
    random = torch.Generator().manual_seed(0)
    first, second = (torch.rand(2, 500, generator=random) < p for p in (0.6, 0.7))
    row, pair = numbers(compare(first[0], second[0])), mcnemar(first[0], second[0])
    assert row["difference"] == pytest.approx(pair.difference, abs=1e-5)
    assert (row["low"], row["high"]) == pytest.approx((pair.low, pair.high), abs=2e-3), "nearly the same interval"
    both = numbers(compare(first, second))
    each = [mcnemar(a, b).difference for a, b in zip(first, second, strict=True)]
    assert both["difference"] == pytest.approx(sum(each) / 2, abs=1e-5)
    assert (both["least"], both["most"]) == pytest.approx((min(each), max(each)), abs=1e-5)
    assert both["high"] - both["low"] < row["high"] - row["low"], "two seeds blur less than one"
    assert both["reported"] - both["honest"] == pytest.approx(both["difference"], abs=2e-5)


def test_the_epoch_chosen_on_the_test_images_by_hand(study):
    score = torch.tensor([0.1, 0.3, 0.2])  # validation chooses epoch 1
    right = torch.tensor([[0, 0, 1, 1], [0, 1, 0, 0], [1, 1, 1, 0]]).bool()  # the test images like epoch 2
    row = numbers(study.chosen([(score, right)]))
    assert (row["reported"], row["honest"], row["difference"]) == (0.75, 0.25, 0.5)


def test_the_best_seed_by_hand(study):
    last = [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]]
    runs_ = [(torch.zeros(2), torch.stack([torch.zeros(4).bool(), torch.tensor(row).bool()])) for row in last]
    row = numbers(study.seeds_apart(runs_))
    assert (row["reported"], row["honest"]) == (0.75, 0.5) and (row["least"], row["most"]) == (-0.25, 0.25)


# ------------------------------------------------------------------------------------------------ networks


def test_the_head_is_lesson_00s():
    """Written out as in the quick tour; bit for bit the same weights."""
    random = torch.Generator().manual_seed(1)
    features, labels = torch.randn(250, 1280, generator=random), torch.randint(10, (250,), generator=random)
    torch.manual_seed(3)
    head = nn.Linear(1280, 10)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
    for _ in range(2):
        for batch in torch.randperm(len(features)).split(100):
            loss = nn.functional.cross_entropy(head(features[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    epochs = head_epochs(features, labels, seed=3)
    next(epochs)
    assert torch.equal(next(epochs).weight, head.weight)


def test_a_network_left_in_training_mode_drifts_and_the_original_does_not(study):
    backbone, before = study.backbone.model, {k: v.clone() for k, v in study.backbone.model.state_dict().items()}
    body, head = drifting(backbone, Batches(study.train, 40, shuffle=True, **study.look), seed=0, epochs=1)
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())
    for name, value in body.state_dict().items():
        drifted = "running" in name or "tracked" in name
        assert torch.equal(value, before[name]) != drifted, name
    assert head.weight.abs().max() > 0


def test_without_eval_each_batch_is_normalised_by_itself_and_images_keep_their_place(study):
    """With one batch of all images the order cannot matter; a shuffled judgement is put back in its place."""
    assert study.no_eval(False) == pytest.approx(study.no_eval(False))
    body = study.backbone.model.train()
    try:
        with torch.no_grad():
            features = torch.cat([body(x) for x, _ in Batches(study.test, 100, **study.look)])
    finally:
        body.eval()
    right = torch.stack([study.right(head(features)) for head in study.clean[0]])
    assert study.no_eval(False) == compare(right, study.honest)
    shuffled, stored = numbers(study.no_eval(True)), numbers(study.no_eval(False))
    assert shuffled["reported"] == pytest.approx(stored["reported"], abs=0.02), "one batch: hardly a difference"


# ------------------------------------------------------------------------------------------------ the study


def test_all_seven_have_a_variant_and_random_orders_cost_nothing_on_average(study):
    assert {number for number, _ in VARIANTS} == set(MISTAKES) == set(range(1, 8))
    assert set(MAIN.items()) <= set(VARIANTS)
    row = numbers(study.batch_means(64, 200))
    assert row["least"] < row["low"] < 0 < row["high"] < row["most"] and abs(row["difference"]) < 0.02


CROPPED, FLIPPED = {"crop": 4, "flip": 0.5}, {"flip": 0.5}


def shown(monkeypatch, study: Study, variant: tuple) -> list[tuple]:
    """Which images a variant prepares, and what is unlike lesson 00's (zoo and CNN: unlike their own) preparation."""
    seen, names = [], {len(study.train): "train", len(study.validation): "validation", len(study.test): "test"}
    usual = {**study.look, "augment": {}} if "frozen" in variant[1] else {"std": mistakes.CIFAR10_STD, "augment": {}}

    class Spy(Batches):
        def __init__(self, images, batch_size, **look):
            super().__init__(images, batch_size, **look)
            now = {**look, "augment": self.augment}
            seen.append((names[len(images)], {k: v for k, v in now.items() if k in usual and v != usual[k]}))

    monkeypatch.setattr(mistakes, "Batches", Spy)
    VARIANTS[variant](study)
    return seen


@pytest.mark.parametrize(("variant", "expected"), [
    ((1, "frozen MobileNetV2, crop and flip"), [("test", {"augment": CROPPED})]),
    ((1, "zoo, width 0.25, crop and flip"), [("test", {"augment": CROPPED})]),
    ((3, "frozen MobileNetV2, 32 instead of 64 pixels"), [(part, {"image_size": 32}) for part in ("train", "test")]),
    ((4, "frozen MobileNetV2, new head with it"), [
        (part, {"mean": mistakes.CIFAR10_MEAN, "std": std})
        for std in (mistakes.COPIED, mistakes.CIFAR10_STD) for part in ("train", "test")
    ]),
    ((4, "zoo, width 0.25, in the test only"), [("test", {"std": mistakes.COPIED})]),
    ((4, "small CNN from scratch, trained and judged with it"), [
        ("train", {"std": mistakes.COPIED, "augment": FLIPPED}),
        *[(part, {"std": mistakes.COPIED}) for part in ("validation", "test")] * 2,
        ("train", {"augment": FLIPPED}), *[("validation", {}), ("test", {})] * 2,
    ]),
])  # fmt: skip
def test_each_mistake_is_made_where_its_name_says(monkeypatch, variant, expected):
    """And beside it nothing: the clean heads and the zoo's answers are there before, and are not made again."""
    study = Study(seeds=1, limit=50)
    _ = study.honest, study.zoo
    assert shown(monkeypatch, study, variant) == expected


def test_the_small_cnn_is_judged_after_its_last_epoch(study, monkeypatch):
    runs_of = {mistakes.COPIED: [[1, 1], [1, 0]], mistakes.CIFAR10_STD: [[0, 0], [1, 1]]}
    monkeypatch.setattr(study, "watched_networks", lambda std: [(torch.zeros(2), torch.tensor(runs_of[std]).bool())])
    row = numbers(study.copied_small())
    assert (row["reported"], row["honest"]) == (0.5, 1.0)


def test_rows_that_are_there_are_not_measured_again(monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "RESULTS", tmp_path)
    monkeypatch.setenv("HELPERS_RUNS", str(tmp_path / "runs"))
    measured = []

    class Quick:
        test = load_cifar10()[1][:4]

        def __init__(self, seeds, limit):
            pass

    def measure(name):
        return lambda study: measured.append(name) or compare(torch.ones(4), torch.zeros(4))

    monkeypatch.setattr(mistakes, "Study", Quick)
    monkeypatch.setattr(mistakes, "VARIANTS", {name: measure(name) for name in [(1, "a"), (1, "b"), (5, "c")]})
    parser = argparse.ArgumentParser()
    mistakes.arguments(parser)
    lines = []
    mistakes.run(parser.parse_args(["--only", "1", "--limit", "4"]), lines.append)
    assert measured == [(1, "a"), (1, "b")] and not list(tmp_path.iterdir()), "a trial records nothing"
    measured.clear()
    mistakes.run(parser.parse_args(["--only", "1"]), lines.append)
    mistakes.run(parser.parse_args([]), lines.append)
    assert measured == [(1, "a"), (1, "b"), (5, "c")]
    rows = runs.read_results("mistakes.csv")
    assert [(row["number"], row["variant"], row["difference"]) for row in rows] == [
        (1, "a", 1),
        (1, "b", 1),
        (5, "c", 1),
    ]
    assert rows[0]["mistake"] == MISTAKES[1] and rows[0]["images"] == 4 and "sample" in rows[0]["source"]


# ------------------------------------------------------------------------------------------------ recipe and table


def test_the_heads_learn_by_adam_with_the_documented_rate_and_epochs(study, monkeypatch):
    """Lesson 00's head and the drifting one: 1e-3, ten epochs, batches of 100; thirty where an epoch is chosen."""
    calls = []
    monkeypatch.setattr(recipes, "fit", lambda model, batches, **given: calls.append((model, batches, given)))
    full = Study(seeds=1)
    assert (len(full.train), len(full.validation), len(full.test)) == (4_000, 1_000, 2_000)
    assert (full.epochs, full.many_epochs, full.cnn_epochs, len(full.more_seeds)) == (10, 30, 20, 10)
    drifting(study.backbone.model, Batches(study.train, 40, **study.look), seed=0)
    next(head_epochs(torch.randn(20, 1280), torch.arange(20) % 10, 0))
    for (_, _, given), epochs in zip(calls, (10, 1), strict=True):
        adam = given["optimizer"]([{"params": [nn.Parameter(torch.zeros(1))]}])
        assert type(adam) is torch.optim.Adam and {group["lr"] for group in adam.param_groups} == {1e-3}
        assert given["schedule"] is constant_with_warmup and given["epochs"] == epochs
    assert calls[1][1].batch_size == 100


def test_the_drifting_head_sees_training_batches_of_a_hundred(monkeypatch):
    seen = []
    monkeypatch.setattr(mistakes, "drifting", lambda body, batches, *rest: seen.append((batches, rest)) or nn.Flatten())
    monkeypatch.setattr(mistakes, "predict", lambda model, batches: torch.zeros(len(batches.image_set), 10))
    study = Study(seeds=2, limit=50)
    study.__dict__["honest"] = torch.zeros(2, len(study.test))
    study.drift()
    for seed, (batches, rest) in enumerate(seen):
        assert batches.image_set is study.train and (batches.batch_size, batches.shuffle) == (100, True)
        assert (
            batches.seed == seed and rest == (seed, study.epochs) and batches.image_size == 64 and not batches.augment
        )


def test_the_small_cnn_is_trained_as_documented(monkeypatch):
    study, made, seen, real = Study(seeds=1, limit=50), [], [], torch.optim.Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda weights, **given: made.append(given) or real(weights, **given))
    batches = mistakes.Batches
    monkeypatch.setattr(mistakes, "Batches", lambda *a, **given: seen.append((a, given)) or batches(*a, **given))
    study.watched_networks(mistakes.CIFAR10_STD)
    (images, size), given = seen[0]
    assert made == [{"lr": 2e-3}] and images is study.train and size == 64
    assert given == {"augment": ("flip",), "shuffle": True, "seed": 0, "std": mistakes.CIFAR10_STD}


def test_the_table_s_variants_are_lesson_00s_classifier():
    assert set(MAIN) == set(MISTAKES)
    assert all(not variant.startswith(("zoo", "small CNN")) for variant in MAIN.values())
    assert MAIN[2] == "training mode while the head learned" and MAIN[5] == "batches of 64, images class by class"


def test_the_table_reads_from_honest_to_reported(monkeypatch):
    rows = [
        {"number": number, "variant": variant, "honest": 0.6, "reported": 0.5 + number / 100,
         "difference": -0.1 + number / 100, "low": -0.2, "high": 0.3}
        for number, variant in MAIN.items()
    ]  # fmt: skip
    monkeypatch.setattr(mistakes, "read_results", lambda name: rows)
    lines = mistakes.table().splitlines()[2:]
    assert [line.split(" | ")[0] for line in lines] == [f"| {number}" for number in MISTAKES]
    assert "60.0% → 53.0%: **-7.0** (-20.0 to +30.0)" in lines[2]
