"""The study of the eight silent mistakes: its networks, which images choose and which judge, and its table."""

import argparse
import math

import pytest
import torch
from torch import nn

from helpers import results as runs
from helpers.batches import Batches
from helpers.data import ImageSet, load_cifar10
from helpers.lessons.lesson_08 import mistakes, mistakes_made
from helpers.lessons.lesson_08.intervals import compare
from helpers.lessons.lesson_08.mistakes import HARMLESS, MISTAKES, REALISTIC, VARIANTS
from helpers.lessons.lesson_08.mistakes_made import Study, apart, batch_weights, drifting, head_epochs
from helpers.runs import recipes
from helpers.training import constant_with_warmup

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def study() -> Study:
    return Study(limit=100)


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
    body = study.backbone.model.train()
    try:
        with torch.no_grad():
            features = torch.cat([body(x) for x, _ in Batches(study.test, 100, **study.look)])
    finally:
        body.eval()
    right = torch.stack([study.right(head(features)) for head in study.clean[0]])
    stored = study.no_eval(False)
    assert stored == compare(right, study.honest)
    shuffled, stored = numbers(study.no_eval(True)), numbers(stored)
    assert shuffled["reported"] == pytest.approx(stored["reported"], abs=0.02), "one batch: hardly a difference"


# ------------------------------------------------------------------------------------------------ who judges


def test_the_sample_chooses_and_the_others_judge():
    """No image of the sample is among those that judge; both together are all."""
    pixels = torch.arange(3000).view(-1, 1, 1, 1).expand(-1, 1, 1, 3)
    labels = (torch.arange(3000) * 7) % 10
    everything = ImageSet((pixels % 251).to(torch.uint8).contiguous(), labels, tuple("abcdefghij"), "made")
    order = torch.argsort(labels, stable=True)
    first = torch.cat([order[labels[order] == label][:200] for label in range(10)])
    mine, rest = apart(everything, everything[first], 200)
    assert torch.equal(mine.images, everything.images[first]) and (len(mine), len(rest)) == (2000, 1000)
    assert mine.labels.bincount().tolist() == [200] * 10 and rest.labels.bincount().tolist() == [100] * 10
    with pytest.raises(ValueError, match="are not the sample's"):
        apart(everything, everything[first.flip(0)], 200)


def test_the_draws_begin_with_the_sample_s_test_images(study):
    count = len(study.test)
    assert study.draws[0].tolist() == [True] * count + [False] * len(study.rest) and (study.draws.sum(1) == count).all()
    assert study.all_labels.tolist() == [*study.test.labels.tolist(), *study.rest.labels.tolist()]


def runs_by_hand() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """One training of three epochs on six test images, of which the first four choose."""
    score = torch.tensor([0.1, 0.3, 0.2])  # validation chooses epoch 1
    right = torch.tensor([[0, 0, 1, 1, 0, 0], [0, 1, 0, 0, 1, 1], [1, 1, 1, 0, 1, 0]]).bool()  # the four like epoch 2
    return [(score, right)]


def test_the_epoch_chosen_on_the_test_images_by_hand(study, monkeypatch):
    chosen = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 1, 1], [1, 1, 1, 1, 0, 0]]).bool()
    monkeypatch.setattr(study, "draws", chosen)
    row = numbers(study.epoch(runs_by_hand()))
    assert (row["reported"], row["honest"], row["kept"]) == (0.75, 0.25, -0.5)
    assert row["difference"] == 1.0 and row["others"] == pytest.approx(0.5), "second draw: nothing, third: as the first"


def test_the_best_seed_by_hand(study, monkeypatch):
    monkeypatch.setattr(study, "draws", torch.tensor([[1, 1, 1, 1, 0, 0]] * 3).bool())
    last = [[1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 1, 1], [1, 1, 0, 0, 1, 0]]
    found = [(torch.zeros(2), torch.stack([torch.zeros(6).bool(), torch.tensor(row).bool()])) for row in last]
    row = numbers(study.seed(found))
    assert (row["reported"], row["honest"], row["kept"]) == (0.75, 0.5, -0.5) and row["difference"] == 0.75
    assert row["least"] == row["most"] == 0 and math.isnan(row["seeds_low"]), "all three have three of six"


def test_a_threshold_is_chosen_on_some_and_judged_on_the_others(study, monkeypatch):
    """Ten sure answers that are right choose 0.9; of the others from there on half are right."""
    sure = torch.tensor([0.9] * 10 + [0.5] * 10 + [0.95] * 10 + [0.4] * 10)
    right = torch.tensor([True] * 10 + [False] * 10 + [True, False] * 5 + [True] * 10)
    mask = torch.arange(40) < 20
    monkeypatch.setitem(
        study.__dict__, "sure", ((torch.tensor([0.3, 0.6]), torch.tensor([False, True])), (sure, right))
    )
    monkeypatch.setattr(study, "draws", torch.stack([mask, mask, mask]))
    row = numbers(study.threshold(20))
    assert (row["reported"], row["honest"], row["difference"]) == (1.0, 0.5, 0.5)
    assert (row["images_low"], row["images_high"], row["others"]) == (0.5, 0.5, 0.5)
    assert numbers(study.threshold(4))["honest"] == 0.5, "every fifth of the twenty: two right, two wrong"
    row = numbers(study.threshold(None))
    assert (row["reported"], row["honest"]) == (1.0, 0.5), "validation chose 0.6; the ten of 0.95 judge"


def test_the_zoo_s_validation_images_are_the_sample_s_training_images(monkeypatch):
    asked = []

    def surely(network, images):
        asked.append(len(images))
        return torch.zeros(len(images)), torch.zeros(len(images)).bool()

    monkeypatch.setattr(mistakes_made, "surely", surely)
    study = Study(limit=50)
    (validation, _), (sure, _) = study.sure
    assert asked == [len(study.train), len(study.validation), len(study.test), len(study.rest)]
    assert len(validation) == asked[0] + asked[1] and len(sure) == len(study.all_labels)


# ------------------------------------------------------------------------------------------------ the study


def test_all_eight_have_both_variants_and_random_orders_cost_nothing_on_average(study):
    assert {number for number, _ in VARIANTS} == set(MISTAKES) == set(range(1, 9))
    for stands in (REALISTIC, HARMLESS):
        assert set(stands.items()) <= set(VARIANTS)
    assert list(REALISTIC) == list(MISTAKES) and not set(REALISTIC.values()) & set(HARMLESS.values())
    row = numbers(study.batch_means(90, 64, 400))
    assert row["least"] < 0 < row["most"] and abs(row["difference"]) < 0.02 and row["trainings"] == 1
    assert numbers(study.batch_means(64, 64, 20))["most"] == 0, "equal batches: nothing"


CROPPED, FLIPPED = {"crop": 4, "flip": 0.5}, {"flip": 0.5}


def shown(monkeypatch, study: Study, variant: tuple) -> list[tuple]:
    """Which images a variant prepares, and what is unlike lesson 00's (zoo and CNN: unlike their own) preparation."""
    seen, names = [], {len(study.train): "train", len(study.validation): "validation", len(study.test): "test"}
    usual = (
        {**study.look, "augment": {}} if "frozen" in variant[1] else {"std": mistakes_made.CIFAR10_STD, "augment": {}}
    )

    class Spy(Batches):
        def __init__(self, images, batch_size, **look):
            super().__init__(images, batch_size, **look)
            now = {**look, "augment": self.augment}
            seen.append((names[len(images)], {k: v for k, v in now.items() if k in usual and v != usual[k]}))

    monkeypatch.setattr(mistakes_made, "Batches", Spy)
    VARIANTS[variant](study)
    return seen


@pytest.mark.parametrize(("variant", "expected"), [
    ((1, REALISTIC[1]), [*[("train", {"augment": CROPPED})], *[("test", {"augment": CROPPED})] * 2]),
    ((1, "frozen MobileNetV2, crop and flip"), [("test", {"augment": CROPPED})] * 2),
    ((1, "zoo, width 0.25, crop and flip"), [("test", {"augment": CROPPED})] * 3),
    ((3, "frozen MobileNetV2, 32 instead of 64 pixels"), [(part, {"image_size": 32}) for part in ("train", "test")]),
    ((4, "frozen MobileNetV2, new head with it"), [
        (part, {"mean": mistakes_made.CIFAR10_MEAN, "std": std})
        for std in (mistakes_made.COPIED, mistakes_made.CIFAR10_STD) for part in ("train", "test")
    ]),
    ((4, "zoo, width 0.25, in the test only"), [("test", {"std": mistakes_made.COPIED})]),
    ((4, "small CNN from scratch, trained and judged with it"), [
        *[("train", {"std": mistakes_made.COPIED, "augment": FLIPPED})] * 2,
        *[("test", {"std": mistakes_made.COPIED})] * 2, *[("train", {"augment": FLIPPED})] * 2, *[("test", {})] * 2,
    ]),
    ((3, "frozen MobileNetV2, 48 instead of 64 pixels"), [(part, {"image_size": 48}) for part in ("train", "test")]),
])  # fmt: skip
def test_each_mistake_is_made_where_its_name_says(monkeypatch, variant, expected):
    """And beside it nothing: the clean heads and the zoo's answers are there before, and are not made again."""
    study = Study(limit=50)
    _ = study.honest, study.zoo
    assert shown(monkeypatch, study, variant) == expected


def test_rows_that_are_there_are_not_measured_again(monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "RESULTS", tmp_path)
    monkeypatch.setenv("HELPERS_RUNS", str(tmp_path / "runs"))
    measured, made = [], []

    class Quick:
        test = load_cifar10()[1][:4]

        def __init__(self, limit, device):
            made.append(device)

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
    assert set(made) == {"cpu"}
    assert rows[0]["mistake"] == MISTAKES[1] and rows[0]["images"] == 4 and "sample" in rows[0]["source"]


# ------------------------------------------------------------------------------------------------ recipe and table


def test_the_heads_learn_by_adam_with_the_documented_rate_and_epochs(study, monkeypatch):
    """Lesson 00's head and the drifting one: 1e-3, batches of 100; several passes count together."""
    calls = []
    monkeypatch.setattr(recipes, "fit", lambda model, batches, **given: calls.append((model, batches, given)))
    drifting(study.backbone.model, Batches(study.train, 40, **study.look), 0, 10)
    next(head_epochs(torch.randn(20, 1280), torch.arange(20) % 10, 0))
    for (_, _, given), epochs in zip(calls, (10, 1), strict=True):
        adam = given["optimizer"]([{"params": [nn.Parameter(torch.zeros(1))]}])
        assert type(adam) is torch.optim.Adam and {group["lr"] for group in adam.param_groups} == {1e-3}
        assert given["schedule"] is constant_with_warmup and given["epochs"] == epochs
    assert calls[1][1].batch_size == 100
    calls.clear()
    monkeypatch.setattr(study, "epochs", 10)
    features = torch.randn(len(study.train), 1280)
    study.head(features, 0)
    assert len(calls) == 10
    study.head(torch.cat([features, features]), 0)
    assert len(calls) == 10 + 5 and len(calls[-1][1].features) == 2 * len(features)


def test_full_runs_have_the_documented_sizes(monkeypatch):
    monkeypatch.setattr(mistakes_made, "load_cifar10", lambda which="sample": load_cifar10())
    full = Study()
    assert (len(full.train), len(full.validation), len(full.test)) == (4_000, 1_000, 2_000)
    assert (full.epochs, full.many_epochs, full.cnn_epochs, len(full.heads), len(full.networks)) == (10, 30, 10, 10, 3)
    assert len(full.draws) == 1_001


def test_the_drifting_head_sees_training_batches_of_a_hundred(monkeypatch):
    seen = []
    monkeypatch.setattr(
        mistakes_made, "drifting", lambda body, batches, *rest: seen.append((batches, rest)) or nn.Flatten()
    )
    monkeypatch.setattr(mistakes_made, "predict", lambda model, batches: torch.zeros(len(batches.image_set), 10))
    study = Study(limit=50)
    study.__dict__["honest"] = torch.zeros(2, len(study.test))
    study.drift()
    assert len(seen) == 2
    for seed, (batches, rest) in enumerate(seen):
        assert batches.image_set is study.train and (batches.batch_size, batches.shuffle) == (100, True)
        assert batches.seed == seed and rest == (seed, study.epochs, "cpu")
        assert batches.image_size == 64 and not batches.augment


def test_the_small_cnn_is_trained_and_watched_as_documented(monkeypatch):
    study, made, seen, real = Study(limit=50), [], [], torch.optim.Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda weights, **given: made.append(given) or real(weights, **given))
    batches = mistakes_made.Batches
    monkeypatch.setattr(mistakes_made, "Batches", lambda *a, **given: seen.append((a, given)) or batches(*a, **given))
    watched = study.watched_networks
    (images, size), given = seen[0]
    assert made == [{"lr": 2e-3}] * 2 and images is study.train and size == 64
    assert given == {"augment": ("flip",), "shuffle": True, "seed": 0, "image_size": 16}
    judged = [(a[0], given) for a, given in seen[1:4]]
    assert [one for one, _ in judged] == [study.validation, study.test, study.rest]
    assert all(given == {"image_size": 16} for _, given in judged)
    assert [right.shape for _, right in watched] == [(2, len(study.all_labels))] * 2
    counted = [int(layer.num_batches_tracked) for layer in next(study.small_epochs(0)).modules()
               if isinstance(layer, nn.BatchNorm2d)]  # fmt: skip
    assert counted == [1, 1, 1], "BatchNorm learns while the network does"


def test_networks_and_their_inputs_go_to_the_device():
    """On "meta", which holds no numbers, a network that stayed on the CPU would answer; one that moved cannot."""
    study = Study(limit=50, device="meta")
    assert {p.device.type for p in study.backbone.model.parameters()} == {"meta"}
    for asks_a_network in (lambda: study.features(study.test), lambda: study.zoo, lambda: study.watched_networks):
        with pytest.raises(RuntimeError, match="meta"):
            asks_a_network()


def test_the_table_has_both_intervals(monkeypatch):
    nan = math.nan
    rows = [
        {"number": number, "variant": variant, "difference": -0.1 + number / 100,
         "seeds_low": nan if number == 5 else -0.2, "seeds_high": 0.3,
         "images_low": nan if number == 5 else -0.4, "images_high": 0.5, "least": -0.6, "most": 0.7}
        for variants in (REALISTIC, HARMLESS)
        for number, variant in variants.items()
    ]  # fmt: skip
    monkeypatch.setattr(mistakes, "read_results", lambda name: rows)
    lines = mistakes.table().splitlines()[2:]
    assert [line.split(" | ")[0] for line in lines] == [f"| {number}" for number in MISTAKES]
    assert "**-7.0** | -20.0 to +30.0 | -40.0 to +50.0 | –" in lines[2]
    assert "**-8.0** | -20.0 to +30.0 | -40.0 to +50.0 | -8.0" in lines[1]
    assert "**-5.0** | – | -60.0 to +70.0 | -5.0" in lines[4], "of orders the middle 95 %"


def test_points_and_intervals_in_words():
    row = {"a": -0.0001, "a_low": -0.0132, "a_high": 0.025, "none": math.nan}
    assert mistakes.estimate(row, "a") == "+0.0 (-1.3 to +2.5)" and mistakes.points(row, "none") == "–"
    assert mistakes.estimate({"b": 0.01} | row, "b", "a") == "+1.0 (-1.3 to +2.5)"
