"""How many labels? The study on a tiny backbone: which labels, what is frozen, what is computed once."""

import copy
from argparse import ArgumentParser

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from helpers import results as runs
from helpers.data import CLASSES, ImageSet
from helpers.evaluation import Accuracy
from helpers.lessons.lesson_06 import plots, transfer
from helpers.models import Pretrained
from helpers.results import read_results
from helpers.runs import recipes
from helpers.training import constant_with_warmup

pytestmark = pytest.mark.usefixtures("one_thread")


class Tiny(nn.Module):
    """A backbone of eight features that counts the images it sees, and in which mode."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.classifier = nn.Identity()
        self.seen = {True: 0, False: 0}

    def forward(self, x):
        self.seen[self.training] += len(x)
        return self.classifier(self.body(x).mean((2, 3)))


def coloured(count: int, seed: int = 0) -> ImageSet:
    """Images of 8 pixels whose colour tells the class, nearly; sorted by class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(10).repeat_interleave(count // 10)
    colours = torch.randint(20, 230, (10, 3), generator=torch.Generator().manual_seed(1))[labels].view(-1, 1, 1, 3)
    noise = torch.randint(-20, 20, (count, 8, 8, 3), generator=generator)
    return ImageSet((colours + noise).to(torch.uint8), labels, CLASSES, "made up")


@pytest.fixture
def backbone():
    model = Tiny().eval().requires_grad_(False)
    return Pretrained(model, 12, (0.4, 0.5, 0.6), (0.05, 0.05, 0.05), "a tiny backbone", 8)


@pytest.fixture
def world(monkeypatch, tmp_path, backbone):
    """The study reads these images and this backbone, and writes into an empty folder."""
    monkeypatch.setattr(runs, "RESULTS", tmp_path / "results")
    monkeypatch.setenv("HELPERS_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(transfer, "load_cifar10", lambda which="sample": (coloured(600), coloured(100, seed=9)))
    monkeypatch.setattr(transfer, "load_pretrained", lambda *_: backbone)
    return backbone


def start(study, *words, log=lambda _: None):
    parser = ArgumentParser()
    study.arguments(parser)
    study.run(parser.parse_args(words), log)


def options_of(study, *words):
    parser = ArgumentParser()
    study.arguments(parser)
    return parser.parse_args(words)


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


# -------------------------------------------------------------------------------- how many labels?


def test_labels_are_counted_by_class_and_few_are_among_many():
    train = coloured(600)
    ten, fifty = transfer.labelled(train, 10, seed=3), transfer.labelled(train, 50, seed=3)
    assert train.labels[ten].bincount().tolist() == [10] * 10 and len(set(fifty.tolist())) == 500
    assert set(ten.tolist()) < set(fifty.tolist())
    assert (
        ten.tolist() == transfer.labelled(train, 10, seed=3).tolist() != transfer.labelled(train, 10, seed=4).tolist()
    )
    with pytest.raises(ValueError, match="class 'airplane' has 60 images: 61 labels cannot be taken from it"):
        transfer.labelled(train, 61, seed=0)


@pytest.mark.parametrize(("count", "steps"), [(40, 125), (200, 1000)])
def test_the_head_takes_the_steps_asked_for_few_and_for_many(monkeypatch, count, steps):
    """And no image comes a second time before all have come once."""
    batches, real = [], torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self, *a: batches.append(1) or real(self, *a))
    generator, seen = torch.Generator().manual_seed(0), []
    features, labels = torch.randn(count, 4, generator=generator), torch.arange(count) % 10
    head = nn.Linear.forward
    monkeypatch.setattr(nn.Linear, "forward", lambda self, x: seen.append(x) or head(self, x))
    transfer.train_head(features, labels, steps)
    assert len(batches) == steps
    one_round = torch.cat(seen[: -(-count // 100)])
    assert torch.equal(one_round.sort(0).values, features.sort(0).values)


def test_the_head_learns_and_the_seed_decides():
    features = nn.functional.one_hot(torch.arange(50) % 10).float() * 4
    head = transfer.train_head(features, torch.arange(50) % 10, lr=0.01)
    assert (head(features).argmax(1) == torch.arange(50) % 10).all()
    assert same(head, transfer.train_head(features, torch.arange(50) % 10, lr=0.01))
    assert not same(head, transfer.train_head(features, torch.arange(50) % 10, lr=0.01, seed=1))


def test_what_each_regime_starts_from(backbone):
    head = nn.Linear(8, 10)
    tuned = transfer.network("fine-tuned", backbone, head, 0)
    assert same(tuned[0], backbone.model) and same(tuned[1], head)
    assert all(p.requires_grad for p in tuned.parameters()) and tuned[0] is not backbone.model
    assert not any(p.requires_grad for p in backbone.model.parameters()), "the backbone itself was melted"
    wide = Pretrained(backbone.model, 32, backbone.mean, backbone.std, "", 1280)
    one, two, again = (transfer.network("scratch", wide, None, seed) for seed in (0, 1, 0))
    assert same(one, again) and not same(one, two) and sum(p.numel() for p in one.parameters()) == 2_236_682
    assert one.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


def test_frozen_and_fine_tuned(backbone):
    """The features of all images are computed once for both; fine-tuning trains a copy, in training mode."""
    before, study = copy.deepcopy(backbone.model), transfer.Study(coloured(600), coloured(100, seed=9), backbone)
    which = transfer.labelled(study.train, 50, 0)
    frozen = study.logits("frozen", which, 0, 0.01, 0, None)
    tuned = study.logits("fine-tuned", which, 2, 0.01, 0, None)
    assert same(before, backbone.model) and backbone.model.seen == {True: 0, False: 700}
    right = [(logits.argmax(1) == study.test.labels).float().mean().item() for logits in (frozen, tuned)]
    assert frozen.shape == tuned.shape == (100, 10) and min(right) > 0.3, right
    assert not torch.allclose(frozen, tuned, atol=1e-2)


def test_a_study_records_every_unit_once(world, monkeypatch):
    asked = []

    def logits(self, regime, which, epochs, lr, seed, *rest):
        assert torch.equal(which, transfer.labelled(self.train, len(which) // 10, seed))
        asked.append((regime, len(which), epochs, lr, seed))
        return nn.functional.one_hot((self.test.labels + (self.test.labels < 3)) % 10, 10).float()

    monkeypatch.setattr(transfer.Study, "logits", logits)
    start(transfer, "--labels", "10", "50", "--seeds", "0", "1", "--regimes", "frozen", "scratch")
    assert asked == [
        (regime, 10 * labels, transfer.EPOCHS.get(regime, {}).get(labels, 0), transfer.RATES[regime], seed)
        for seed in (0, 1) for labels in (10, 50) for regime in ("frozen", "scratch")
    ]  # fmt: skip
    rows = read_results("transfer.csv")
    assert len(rows) == 8 and {(row["correct"], row["total"], row["accuracy"]) for row in rows} == {(70, 100, 0.7)}
    assert all(row["command"] and "made up" in row["source"] and "test images" in row["source"] for row in rows)

    asked.clear()
    start(transfer, "--labels", "10", "50", "--seeds", "0", "1", "2", "--regimes", "frozen", "scratch")
    assert {seed for *_, seed in asked} == {2} and len(read_results("transfer.csv")) == 12
    monkeypatch.setitem(transfer.RATES, "frozen", 0.5)
    asked.clear()
    with pytest.raises(
        ValueError, match=r"regime frozen, seed 0, epochs 0, head_steps 125, lr 0.5 with lr 0.001, not 0.5: only"
    ):
        start(transfer, "--labels", "10", "--seeds", "0")
    assert asked == []
    start(transfer, "--labels", "10", "--seeds", "0", "--overwrite")
    assert [unit[0] for unit in asked] == ["frozen", "fine-tuned", "scratch"]


def test_a_trial_records_nothing(world):
    lines = []
    start(transfer, "--labels", "10", "--seeds", "0", "--regimes", "frozen", "--limit", "20", log=lines.append)
    assert not runs.RESULTS.exists() and "of 20)" in lines[0] and "recorded" in lines[-1]


def test_the_pilot_judges_on_images_without_labels_and_never_on_test_images(world, monkeypatch):
    judged = []

    def logits(self, regime, which, epochs, lr, seed, *rest):
        labelled = {image.numpy().tobytes() for image in self.train.images[which]}
        judged.append({image.numpy().tobytes() for image in self.test.images})
        assert not labelled & judged[-1]
        return torch.zeros(len(self.test), 10)

    monkeypatch.setattr(transfer.Study, "logits", logits)
    monkeypatch.setattr(transfer, "LABELS_TRIED", (10, 50))
    monkeypatch.setattr(transfer, "STEPS_TRIED", ())
    start(transfer, "--pilot", "--labels", "10", "50", "--regimes", "frozen")
    assert [len(part) for part in judged] == [125] * 3 + [25] * 3
    train = {image.numpy().tobytes() for image in coloured(600).images}
    assert all(part < train for part in judged)
    assert len(read_results("transfer_pilot.csv")) == 6 and not (runs.RESULTS / "transfer.csv").exists()


def test_the_pilot_tries_every_length_of_a_head_and_never_labels_all_images(monkeypatch):
    options = options_of(transfer, "--pilot", "--seeds", "0", "2")
    tried = [(unit["seed"], unit["labels_per_class"], unit["head_steps"]) for unit in transfer.units_of_steps(options)]
    assert tried == [(seed, labels, steps) for seed in (0, 2) for labels in (10, 50, 250, 400)
                     for steps in transfer.STEPS_TRIED]  # fmt: skip
    assert {unit["labels_per_class"] for unit in transfer.units(options)} == {10, 50, 250}
    assert transfer.units_of_steps(options_of(transfer, "--pilot", "--regimes", "scratch")) == []


class Calls(list):
    """What `fit` was called with, in place of a training."""

    def fit(self, model, batches, **given):
        self.append((model, batches, given))
        return None


@pytest.mark.parametrize(("labels", "regime", "epochs", "lr"), [
    (10, "fine-tuned", 30, 0.01), (50, "fine-tuned", 10, 0.01), (250, "fine-tuned", 4, 0.01),
    (500, "fine-tuned", 3, 0.01), (10, "scratch", 60, 0.03), (50, "scratch", 24, 0.03), (250, "scratch", 10, 0.03),
    (500, "scratch", 8, 0.03),
])  # fmt: skip
def test_the_recipe_of_the_committed_rows_is_the_documented_one(backbone, monkeypatch, labels, regime, epochs, lr):
    calls = Calls()
    (unit,) = [
        unit for unit in transfer.units(options_of(transfer, "--seeds", "2"))
        if (unit["labels_per_class"], unit["regime"]) == (labels, regime)
    ]  # fmt: skip
    study, which = transfer.Study(coloured(600), coloured(100, seed=9), backbone), torch.arange(0, 600, 7)
    monkeypatch.setattr(transfer, "fit", calls.fit)
    monkeypatch.setattr(transfer, "network", lambda *_: nn.Sequential(nn.Flatten(), nn.LazyLinear(10)))
    logits = study.logits(regime, which, unit["epochs"], float(unit["lr"]), unit["seed"], None, "run.pt")
    ((_, batches, given),) = calls
    assert given == {
        "epochs": epochs, "lr": lr, "warmup_epochs": 0.5, "weight_decay": 5e-4, "seed": 2, "log": None,
        "checkpoint": "run.pt", "device": "cpu",
    }  # fmt: skip
    assert torch.equal(batches.image_set.images, study.train.images[which]) and batches.seed == 2
    assert batches.augment == {"crop": 4, "flip": 0.5} and batches.shuffle and batches.batch_size == 50
    assert (batches.image_size, logits.shape) == (backbone.image_size, (100, 10))


@pytest.mark.parametrize(("labels", "regime", "steps"), [
    (10, "frozen", 125), (50, "frozen", 250), (250, "frozen", 1000), (500, "frozen", 1000), (10, "fine-tuned", 500),
    (500, "fine-tuned", 500),
])  # fmt: skip
def test_heads_learn_by_adam_at_a_constant_rate_and_as_long_as_is_documented(
    backbone, monkeypatch, labels, regime, steps
):
    calls = Calls()
    monkeypatch.setattr(recipes, "fit", calls.fit)
    monkeypatch.setattr(transfer, "fit", lambda *_, **given: None)
    (unit,) = [
        unit for unit in transfer.units(options_of(transfer, "--seeds", "1"))
        if (unit["labels_per_class"], unit["regime"]) == (labels, regime)
    ]  # fmt: skip
    study = transfer.Study(coloured(600), coloured(100, seed=9), backbone)
    study.logits(regime, torch.arange(200), unit["epochs"], float(unit["lr"]), 1, None, head_steps=unit["head_steps"])
    ((head, batches, given),) = calls
    adam = given["optimizer"]([{"params": list(head.parameters())}])
    assert type(adam) is torch.optim.Adam and adam.defaults["lr"] == 1e-3
    assert given["schedule"] is constant_with_warmup and not given.get("warmup_epochs")
    assert batches.batch_size == 100 and given["epochs"] * len(batches) == pytest.approx(steps, abs=1)


# -------------------------------------------------------------------------------- what the lesson shows of them


@pytest.fixture
def three_seeds(world):
    """frozen 51, 50, 52 with 10 labels; fine-tuned always 10 more; scratch 30 less; all 5 more with 500 labels."""
    for seed, frozen in enumerate((0.51, 0.50, 0.52)):
        for labels in (10, 500):
            for regime, more in (("frozen", 0), ("fine-tuned", 0.1 + 0.01 * (seed == 2)), ("scratch", -0.3)):
                row = {"labels_per_class": labels, "regime": regime, "seed": seed, "source": "made up"}
                row["accuracy"] = f"{frozen + more + 0.05 * (labels == 500):.4f}"
                runs.record("transfer.csv", [row], transfer.KEY)
    return read_results("transfer.csv")


def test_the_table_gives_intervals_over_seeds(three_seeds):
    first, head, ten, many = transfer.table().splitlines()
    assert "made up" in first and head.split() == ["scratch", "fine-tuned", "frozen"]
    assert ten.startswith(" 10 a class") and ten.rstrip().endswith("51.0 % (48.5 to 53.5)")
    assert ten.index("21.0 %") < ten.index("61.3 %") < ten.index("51.0 %")
    assert many.startswith("500 a class") and many.rstrip().endswith("56.0 % (53.5 to 58.5)")


def test_gains_are_paired_by_seed(three_seeds):
    _, ten, many = transfer.gains().splitlines()
    assert ten == " 10 a class +10.3 points (+8.9 to +11.8); by seed +10.0, +10.0, +11.0"
    assert many.startswith("500 a class +10.3 points")


def test_the_curves_show_every_seed_and_interval(three_seeds):
    live = {name: Accuracy(30, 100) for name in transfer.REGIMES}
    (axes,) = plots.draw_labels(three_seeds, live).axes
    curves = dict(zip(transfer.REGIMES, axes.containers[::2], strict=True))  # every second one is the short run
    for name, wanted in {"frozen": (51, 56), "fine-tuned": (61.33, 66.33), "scratch": (21, 26)}.items():
        line, _, (bars,) = curves[name].lines
        assert curves[name].get_label() == name and line.get_ydata() == pytest.approx(wanted, abs=0.01)
        low, high = bars.get_segments()[0][:, 1]
        assert (low, high) == pytest.approx(transfer.mean_interval(transfer.accuracies(three_seeds, name, 10))[1:])
    for short in axes.containers[1::2]:
        assert short.lines[0].get_ydata() == [pytest.approx(30)] and short.lines[0].get_markerfacecolor() == "white"
    dots = [round(float(y), 2) for part in axes.collections if hasattr(part, "get_sizes") and len(part.get_sizes())
            for _, y in part.get_offsets()]  # fmt: skip
    assert sorted(dots) == sorted(round(100 * row["accuracy"], 2) for row in three_seeds)
    plt.close("all")
