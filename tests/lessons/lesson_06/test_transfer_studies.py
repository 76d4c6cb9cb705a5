"""Lesson 06's long runs on a tiny backbone: which labels, what is frozen, what is computed once."""

import copy
from argparse import ArgumentParser

import pytest
import torch
from torch import nn

from helpers import results as runs
from helpers.data import CLASSES, ImageSet
from helpers.lessons.lesson_06 import article, transfer
from helpers.models import Pretrained
from helpers.results import read_results
from helpers.runs import recipes, studies
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
    """Both studies read these images and this backbone, and write into an empty folder."""
    monkeypatch.setattr(runs, "RESULTS", tmp_path / "results")
    monkeypatch.setenv("HELPERS_RUNS", str(tmp_path / "runs"))
    for study in (transfer, article):
        monkeypatch.setattr(study, "load_cifar10", lambda which="sample": (coloured(600), coloured(100, seed=9)))
        monkeypatch.setattr(study, "load_pretrained", lambda *_: backbone)
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


@pytest.mark.parametrize("count", [40, 200])
def test_the_head_takes_the_same_steps_for_few_and_for_many(monkeypatch, count):
    """And no image comes a second time before all have come once."""
    batches, real = [], torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self, *a: batches.append(1) or real(self, *a))
    generator, seen = torch.Generator().manual_seed(0), []
    features, labels = torch.randn(count, 4, generator=generator), torch.arange(count) % 10
    head = nn.Linear.forward
    monkeypatch.setattr(nn.Linear, "forward", lambda self, x: seen.append(x) or head(self, x))
    transfer.train_head(features, labels)
    assert len(batches) == transfer.HEAD_STEPS
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
        ValueError, match=r"regime frozen, seed 0, epochs 0, lr 0.5 with lr 0.001, not 0.5: only --over"
    ):
        start(transfer, "--labels", "10", "--seeds", "0")
    assert asked == []
    start(transfer, "--labels", "10", "--seeds", "0", "--overwrite")
    assert [unit[0] for unit in asked] == ["frozen", "fine-tuned", "scratch"]


def test_a_trial_records_nothing(world):
    lines = []
    start(transfer, "--labels", "10", "--seeds", "0", "--regimes", "frozen", "--limit", "20", log=lines.append)
    start(article, "--limit", "50", "--epochs", "1", "--recipes", "as printed", log=lines.append)
    assert not runs.RESULTS.exists() and "of 20)" in lines[0]
    assert not list(runs.runs_folder().glob("*.pt")) and list(runs.runs_folder(trial=True).glob("article_*.pt"))


def test_the_pilot_judges_on_images_without_labels_and_never_on_test_images(world, monkeypatch):
    judged = []

    def logits(self, regime, which, epochs, lr, seed, *rest):
        labelled = {image.numpy().tobytes() for image in self.train.images[which]}
        judged.append({image.numpy().tobytes() for image in self.test.images})
        assert not labelled & judged[-1]
        return torch.zeros(len(self.test), 10)

    monkeypatch.setattr(transfer.Study, "logits", logits)
    start(transfer, "--pilot", "--labels", "10", "50", "--regimes", "frozen")
    assert [len(part) for part in judged] == [125] * 3 + [25] * 3
    train = {image.numpy().tobytes() for image in coloured(600).images}
    assert all(part < train for part in judged)
    assert len(read_results("transfer_pilot.csv")) == 6 and not (runs.RESULTS / "transfer.csv").exists()


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


def test_heads_learn_by_adam_at_a_constant_rate(backbone, monkeypatch):
    """The frozen regime, and the article's cache: which rate, how many passes, which batches."""
    calls = Calls()
    monkeypatch.setattr(recipes, "fit", calls.fit)
    study = transfer.Study(coloured(600), coloured(100, seed=9), backbone)
    study.logits("frozen", torch.arange(200), 0, 1e-3, 1, None)
    article.logits_of(article.RECIPES["done right"], coloured(600), coloured(100), backbone, 10, lambda _: 0)
    for (head, batches, given), epochs, size in zip(calls, (250, 10), (100, 64), strict=True):
        adam = given["optimizer"]([{"params": list(head.parameters())}])
        assert type(adam) is torch.optim.Adam and adam.defaults["lr"] == 1e-3
        assert given["schedule"] is constant_with_warmup and given["epochs"] == epochs
        assert batches.batch_size == size and not given.get("warmup_epochs")


def test_as_printed_trains_only_the_head_by_adam_with_the_printed_rate(backbone, monkeypatch):
    made, real = [], torch.optim.Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda weights, **given: made.append(given) or real(weights, **given))
    sizes, loader = [], torch.utils.data.DataLoader
    monkeypatch.setattr(
        torch.utils.data, "DataLoader", lambda data, **given: sizes.append(given) or loader(data, **given)
    )
    for name in ("as printed", "as printed, its own normalisation, batches of 32"):
        recipe(name, backbone, epochs=1)
    assert made == [{"lr": 1e-3}] * 2
    assert sizes == [{"batch_size": size, "shuffle": True} for size in (64, 32)]


# -------------------------------------------------------------------------------- the recipe as printed


def recipe(name, backbone, epochs=3):
    return article.logits_of(article.RECIPES[name], coloured(600), coloured(100, seed=9), backbone, epochs, lambda _: 0)


def test_as_printed_runs_the_network_anew_in_every_epoch_in_training_mode(backbone, monkeypatch):
    before, judged, real = copy.deepcopy(backbone.model), [], article.predict
    monkeypatch.setattr(article, "predict", lambda model, batches: judged.append(model) or real(model, batches))
    logits = recipe("as printed", backbone)
    (used,) = judged
    assert logits.shape == (100, 10) and used.seen == {True: 3 * 600, False: 100}
    assert torch.equal(used.body[0].weight, before.body[0].weight), "the frozen weights moved"
    assert not torch.allclose(used.body[1].running_mean, before.body[1].running_mean, atol=1e-2), "BatchNorm did not"
    assert same(before, backbone.model), "the next recipe would get a backbone that has drifted"


def test_with_a_cache_every_image_is_seen_once(backbone):
    before = copy.deepcopy(backbone.model)
    logits = recipe("done right", backbone, epochs=100)
    assert backbone.model.seen == {True: 0, False: 700} and same(before, backbone.model)
    assert (logits.argmax(1) == coloured(100).labels).float().mean() > 0.3


@pytest.mark.parametrize("name, size, scale", [
    ("as printed", 8, "half"),  # as they are: here 8 pixels, CIFAR-10's 32
    ("done right", 12, "own"), ("BatchNorm kept still", 32, "half"), ("and its own normalisation", 32, "own"),
])  # fmt: skip
def test_what_the_network_is_shown(backbone, name, size, scale):
    """Training and test images alike."""
    shown = []
    backbone.model.register_forward_hook(lambda module, inputs, output: shown.append(inputs[0]))
    recipe(name, backbone, epochs=1)
    mean, std = (torch.tensor(backbone.mean), torch.tensor(backbone.std)) if scale == "own" else (0.5, 0.5)
    for images, seen in zip((coloured(600), coloured(100, seed=9)), torch.cat(shown).split(600), strict=True):
        assert seen.shape == (len(images), 3, size, size)
        average = (images.images.float().mean((0, 1, 2)) / 255 - mean) / std
        torch.testing.assert_close(seen.mean((0, 2, 3)), average, atol=1e-3, rtol=1e-3)


def test_as_printed_shuffles_and_drops_out(backbone, monkeypatch):
    shown, judged, real = [], [], article.predict
    backbone.model.register_forward_hook(lambda module, inputs, output: shown.append(inputs[0]))
    monkeypatch.setattr(article, "predict", lambda model, batches: judged.append(model) or real(model, batches))
    recipe("as printed", backbone, epochs=2)
    first, second = torch.cat(shown)[:1200].mean((2, 3)).split(600)
    assert not torch.equal(first, second), "the second epoch came in the order of the first"
    torch.testing.assert_close(first.sort(0).values, second.sort(0).values)
    assert judged[0].classifier[0].p == 0.2


def test_rows_are_compared_with_the_right_one_on_the_same_images(world, monkeypatch):
    labels = coloured(100, seed=9).labels
    right = {"done right": 90, "as printed": 40, "BatchNorm kept still": 95}

    def logits_of(recipe, train, test, backbone, epochs, log, device):
        (name,) = [name for name in right if article.RECIPES[name] == recipe]
        return nn.functional.one_hot((labels + (torch.arange(100) >= right[name])) % 10, 10).float()

    monkeypatch.setattr(article, "logits_of", logits_of)
    start(article, "--recipes", "as printed", "BatchNorm kept still")
    rows = {row["recipe"]: row for row in read_results("article.csv")}
    assert set(rows) == set(right)
    assert [(rows[name]["correct"], rows[name]["difference"]) for name in right] == [(90, 0), (40, -0.5), (95, 0.05)]
    assert rows["as printed"]["only_right_one_right"] == 50 and rows["as printed"]["only_this_right"] == 0
    assert rows["as printed"]["difference_low"] < -0.5 < rows["as printed"]["difference_high"] < 0
    assert all("in place of torchvision's ImageNet weights" in row["weights"] for row in rows.values())
    assert rows["as printed"]["batchnorm"] == "training" and rows["as printed"]["image_size"] == 32
    monkeypatch.setattr(article, "logits_of", lambda *_: pytest.fail("it was run again"))
    start(article, "--recipes", "as printed", "BatchNorm kept still")


def test_a_recipe_added_later_is_compared_with_the_kept_answers_of_the_right_one(world, monkeypatch):
    trained, real = [], article.logits_of
    monkeypatch.setattr(article, "logits_of", lambda recipe, *rest: trained.append(recipe) or real(recipe, *rest))
    start(article, "--recipes", "done right", "--epochs", "1")
    start(article, "--recipes", "BatchNorm kept still", "--epochs", "1")
    assert trained == [article.RECIPES["done right"], article.RECIPES["BatchNorm kept still"]]
    rows = {row["recipe"]: row for row in read_results("article.csv")}
    change = rows["BatchNorm kept still"]["correct"] - rows["done right"]["correct"]
    assert change / 100 == pytest.approx(rows["BatchNorm kept still"]["difference"])
    assert studies.file_on("article.csv", options_of(article)) == "article.csv"


# -------------------------------------------------------------------------------- what the lesson shows of them


def test_the_article_s_table_reads_from_the_printed_recipe_to_the_right_one(world):
    for place, name in enumerate(article.ORDER):
        row = {"recipe": name, "weights": "w", "epochs": 10, "image_size": 32, "normalisation": "its own", "total": 100,
               "accuracy": 0.5, "low": 0.4, "high": 0.6, "source": "made up", "seconds": 90, "difference": -0.1,
               "difference_low": -0.2 - place, "difference_high": 0.3,
               "batchnorm": "training" if name == "as printed" else "evaluation"}  # fmt: skip
        runs.record("article.csv", [row], ("recipe",))
    first, *lines = article.table().splitlines()
    assert first == "made up: 100 test images; w"
    assert [line.split(":")[0] for line in lines[1::3]] == list(article.ORDER)
    assert lines[1].endswith("normalised with its own, BatchNorm in training mode")
    assert lines[2] == (
        "  50.0% (40.0% to 60.0%), 1.5 minutes of one core; against done right -10.0 points (-20.0 to +30.0)"
    )
    assert lines[-1] == "  50.0% (40.0% to 60.0%), 1.5 minutes of one core", "the right one is compared with none"


def test_the_table_and_the_curves_show_every_seed(world):
    from matplotlib import pyplot as plt

    from helpers.evaluation import Accuracy

    def accuracy(regime, labels, seed):
        return {"frozen": 0.5, "fine-tuned": 0.6, "scratch": 0.2}[regime] + labels / 10_000 + seed / 100

    for seed in (0, 1, 2):
        for labels in (10, 500):
            for regime in transfer.REGIMES:
                row = {"labels_per_class": labels, "regime": regime, "seed": seed, "source": "made up"}
                row["accuracy"] = f"{accuracy(regime, labels, seed):.4f}"
                runs.record("transfer.csv", [row], transfer.KEY)
    first, head, ten, many = transfer.table().splitlines()
    assert "made up" in first and head.split() == ["scratch", "fine-tuned", "frozen"]
    assert (
        ten.startswith(" 10 a class") and "51.1 % (50.1 to 52.1)" in ten and ten.index("21.1 %") < ten.index("61.1 %")
    )
    assert many.startswith("500 a class") and many.rstrip().endswith("56.0 % (55.0 to 57.0)")
    live = {name: Accuracy(30, 100) for name in transfer.REGIMES}
    (axes,) = transfer.figure(live).axes
    curves = {line.get_label(): line.get_ydata() for line in axes.get_lines() if line.get_label() in transfer.REGIMES}
    assert curves["frozen"] == pytest.approx([51.1, 56.0]) and curves["scratch"] == pytest.approx([21.1, 26.0])
    assert sum(len(dots.get_offsets()) for dots in axes.collections if hasattr(dots, "get_sizes")) >= 18
    plt.close("all")
