"""The ablation of lesson 07: each variant changes what its name says, rows are kept and not made twice; bench train."""

import argparse
import csv
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from helpers import models
from helpers import results as runs
from helpers.costs import count_macs
from helpers.data import CLASSES, ImageSet
from helpers.lessons.lesson_07 import ablation
from helpers.runs import recipes
from helpers.tools import bench as make
from helpers.training import constant_with_warmup, cosine_with_warmup

pytestmark = pytest.mark.usefixtures("one_thread")


def images(count: int, source: str) -> ImageSet:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 32, 32, 3), generator=generator, dtype=torch.uint8)
    return ImageSet(pixels, torch.arange(count) % 10, CLASSES, source)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "RESULTS", tmp_path / "results")
    monkeypatch.setenv("HELPERS_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(ablation, "zoo_sets", lambda: (images(60, "a"), images(40, "b"), images(10, "c")))
    return tmp_path


def options(*words: str):
    parser = argparse.ArgumentParser()
    ablation.arguments(parser)
    return parser.parse_args(["--images", "60", "--epochs", "1", "--batch-size", "30", *words])


def rows(tiny) -> list[dict]:
    with open(tiny / "results" / "ablation.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("downsamplings, side", [(5, 1), (4, 2), (3, 4)])
def test_downsamplings(downsamplings, side):
    features = ablation.network(downsamplings).features.eval()
    assert features(torch.zeros(1, 3, 32, 32)).shape[2:] == (side, side)
    first = features[:3](torch.zeros(1, 3, 32, 32)).shape[2]
    assert first == {5: 8, 4: 16, 3: 32}[downsamplings], "the first halvings are those left out"


def test_other_downsamplings_are_refused():
    with pytest.raises(ValueError, match="downsamplings are 3, 4 or 5, not 2"):
        ablation.network(2)


def test_every_variant_changes_what_its_name_says():
    changed = {name: set(parts) for name, parts in ablation.VARIANTS.items()}
    assert changed.pop("recipe") == set() and all(changed.values())
    for parts in ablation.VARIANTS.values():
        assert parts.keys() <= ablation.RECIPE.keys()
        assert all(ablation.RECIPE[part] != value for part, value in parts.items())


def given_to_fit(monkeypatch, variant: str) -> dict:
    """What `fit` is called with for a variant; the network is told by its MACs, the batches by their augmentation."""
    calls = []
    monkeypatch.setattr(recipes, "fit", lambda model, batches, **given: calls.append((model, batches, given)))
    ablation.train(ablation.RECIPE | ablation.VARIANTS[variant], images(60, "trained on"), 3, 64, seed=7)
    ((model, batches, given),) = calls
    assert (
        batches.image_set.source == "trained on" and batches.seed == 7 and batches.shuffle and batches.batch_size == 64
    )
    return {"macs": count_macs(model, 32), "augment": set(batches.augment), **given}


RECIPE_GIVEN = {
    "macs": 2_945_152, "augment": {"crop", "flip"}, "epochs": 3, "lr": 0.05, "weight_decay": 5e-4,
    "schedule": cosine_with_warmup, "warmup_epochs": 0.5, "label_smoothing": 0.1, "ema_decay": 0.998, "seed": 7,
    "momentum": 0.9, "validation": None, "checkpoint": None, "device": None, "log": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("variant", "changed"),
    [
        ("recipe", {}),
        ("weight decay 4e-5", {"weight_decay": 4e-5}),
        ("no weight decay", {"weight_decay": 0.0}),
        ("no cosine", {"schedule": constant_with_warmup}),
        ("no warm-up", {"warmup_epochs": 0.0}),
        ("no smoothing", {"label_smoothing": 0.0}),
        ("no averaging", {"ema_decay": 0.0}),
        ("no augmentation", {"augment": set()}),
        ("5 downsamplings", {"macs": 745_888}),
        ("3 downsamplings", {"macs": 9_481_216}),
        ("3 downsamplings, 4e-5", {"macs": 9_481_216, "weight_decay": 4e-5}),
        ("5 downsamplings, 4e-5", {"macs": 745_888, "weight_decay": 4e-5}),
        ("neither averaging nor cosine", {"ema_decay": 0.0, "schedule": constant_with_warmup}),
    ],
)
def test_a_variant_changes_what_its_name_says_and_nothing_else(monkeypatch, variant, changed):
    assert given_to_fit(monkeypatch, variant) == RECIPE_GIVEN | changed


def test_a_row_says_what_was_trained_and_at_which_rate(monkeypatch):
    judged_on = images(60, "judged on")
    logits = nn.functional.one_hot(judged_on.labels, 10).float()
    history = SimpleNamespace(loss=[2.0, 1.25], seconds=[3.0, 4.0])
    monkeypatch.setattr(ablation, "judged", lambda unit, run: (logits, history, ablation.network(4)))
    run = SimpleNamespace(
        world=(None, judged_on), options=SimpleNamespace(limit=None), log=lambda words: None, trial=False
    )
    for batch_size, lr in ((64, 0.05), (128, 0.1)):
        row = ablation.measure({"variant": "no cosine", "seed": 0, "batch_size": batch_size}, run)
        assert row["lr"] == given_to_fit(monkeypatch, "recipe")["lr"] * batch_size / 64 == lr
        assert (row["width"], row["macs"], row["loss"], row["seconds"]) == (0.25, 2_945_152, "1.25", "7")
        assert row["schedule"] == ablation.VARIANTS["no cosine"]["schedule"] and row["correct"] == row["total"] == 60


def test_without_decay_on_depthwise_filters_all_else_is_as_in_the_recipe(monkeypatch):
    given = given_to_fit(monkeypatch, "no decay on depthwise filters")
    make = given.pop("optimizer")
    assert given == {name: RECIPE_GIVEN[name] for name in RECIPE_GIVEN if name not in ("lr", "momentum")}
    model = ablation.network(4)
    weights = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    made = make([{"params": weights, "weight_decay": 5e-4}, {"params": rest, "weight_decay": 0.0}])
    groups = made.param_groups
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    depthwise = {id(m.weight) for m in model.modules() if isinstance(m, nn.Conv2d) and m.groups > 1}
    assert len(depthwise) == 17 and len(decay) == len(weights) + len(rest)
    for p in weights:
        assert decay[id(p)] == (0.0 if id(p) in depthwise else 5e-4)
    assert {(group["lr"], group["momentum"], group["nesterov"]) for group in groups} == {(0.05, 0.9, True)}


def test_the_long_runs_are_the_documented_ones():
    def asked(*words: str) -> dict:
        parser = argparse.ArgumentParser()
        ablation.arguments(parser)
        return ablation.settings(parser.parse_args(list(words)))

    long = asked("--long")
    assert len(long.pop("only")) == 9 and long == {"images": 45_000, "epochs": 10, "batch_size": 128, "seeds": 5}
    assert recipes.ZOO.lr == ablation.LR * 128, "at the zoo's batch the zoo's learning rate"
    assert asked("--long", "--seeds", "2")["seeds"] == 2
    short = asked()
    assert len(short.pop("only")) == 12 and short == {"images": 12_000, "epochs": 3, "batch_size": 64, "seeds": 3}


def answers(model, batches) -> torch.Tensor:
    """A network of 5 downsamplings gets the first 30 images right, another one every second image."""
    labels = batches.image_set.labels
    right = torch.arange(len(labels)) < 30
    if model.features[0][0].stride == (1, 1):
        right = torch.arange(len(labels)) % 2 == 0
    return nn.functional.one_hot(torch.where(right, labels, (labels + 1) % 10), 10).float()


def test_rows_are_kept_paired_and_not_made_twice(tiny, monkeypatch):
    lines = []
    monkeypatch.setattr(ablation, "predict", answers)
    ablation.run(options("--seeds", "2", "--only", "5 downsamplings"), lines.append)
    table = rows(tiny)
    assert [(row["variant"], row["seed"]) for row in table] == [
        ("5 downsamplings", "0"), ("5 downsamplings", "1"), ("recipe", "0"), ("recipe", "1")
    ]  # fmt: skip
    for this, recipe in zip(table[:2], table[2:], strict=True):
        assert (this["only_this"], this["only_recipe"], this["correct"], this["total"]) == ("15", "5", "30", "40")
        assert recipe["correct"] == "20"
        assert recipe["only_this"] == recipe["only_recipe"] == "0" and int(this["macs"]) < int(recipe["macs"])
        assert recipe["images"] == "60" and recipe["command"].startswith("python -m helpers")
    before = rows(tiny)
    monkeypatch.setattr(ablation, "train", lambda *_: pytest.fail("it was run again"))
    ablation.run(options("--seeds", "2", "--only", "5 downsamplings"), lines.append)
    assert rows(tiny) == before and lines[-1] == "4 of 4 rows are there already"


def test_a_variant_added_later_is_paired_with_the_kept_recipe(tiny, monkeypatch):
    ablation.run(options("--seeds", "1", "--only", "no warm-up"), print)
    steps, real = [], torch.optim.SGD.step
    monkeypatch.setattr(torch.optim.SGD, "step", lambda self, *rest: steps.append(1) or real(self, *rest))
    ablation.run(options("--seeds", "1", "--only", "no averaging"), print)
    assert len(steps) == 2, "the recipe was trained again"
    (row,) = (row for row in rows(tiny) if row["variant"] == "no averaging")
    (recipe,) = (row for row in rows(tiny) if row["variant"] == "recipe")
    assert int(row["correct"]) - int(recipe["correct"]) == int(row["only_this"]) - int(row["only_recipe"])


def test_a_trial_keeps_nothing(tiny):
    lines = []
    ablation.run(options("--limit", "20", "--seeds", "1", "--only", "recipe", "no warm-up"), lines.append)
    assert not (tiny / "results").exists() and not list((tiny / "runs").glob("*.pt"))
    assert [line for line in lines if "of 20)" in line] and "nothing is recorded" in lines[-1]


def test_runs_learn_from_training_images_and_are_judged_on_validation_images(tiny, monkeypatch):
    trained, judged, train = [], [], ablation.train
    monkeypatch.setattr(
        ablation, "train", lambda parts, images, *rest: trained.append(images) or train(parts, images, *rest)
    )
    monkeypatch.setattr(ablation, "predict", lambda model, batches: judged.append(batches) or answers(model, batches))
    ablation.run(options("--seeds", "1", "--only", "recipe", "--images", "40"), print)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))[:40]
    assert trained[0].source == "a" and torch.equal(trained[0].images, images(60, "a").images[order])
    assert judged[0].image_set.source == "b" and len(judged[0].image_set) == 40 and not judged[0].augment


def test_bench_train_compares_two_layouts(monkeypatch, capsys):
    seen = []

    class Net(nn.Module):
        def __init__(self, *_, **__):
            super().__init__()
            self.layer = nn.Conv2d(3, 10, 3)

        def forward(self, x):
            both = [t.is_contiguous(memory_format=torch.channels_last) for t in (x, self.layer.weight)]
            seen.append(both)
            return self.layer(x).mean((2, 3))

    monkeypatch.setattr(models, "mobilenet_v2", Net)
    assert make.bench_train(rounds=2, steps=3) > 0
    assert seen == ([[False, False]] * 5 + [[True, True]] * 5) * 2, "by turns, with two steps that do not count"
    said = capsys.readouterr().out
    assert "channels_last is" in said and "6 steps" in said


def made_up() -> list[dict]:
    rows = []
    for place, name in enumerate(ablation.SHORT_VARIANTS):
        for seed in range(3):
            row = {"variant": name, "seed": seed, "total": 100, "accuracy": 0.4 - place / 100}
            rows.append({**row, "only_this": 5, "only_recipe": 5 + place})
    return rows


def test_pairs_from_counts():
    pair = ablation.paired({"total": 50, "only_this": 7, "only_recipe": 3})
    assert (pair.only_first, pair.only_second, pair.total) == (7, 3, 50) and pair.difference == 0.08


def test_changes_are_those_of_one_part_the_costliest_first():
    changes = ablation.changes(made_up())
    costliest = ablation.SHORT_VARIANTS[-1]
    assert next(iter(changes)) == costliest and changes[costliest][0].difference == -0.11
    assert set(changes) == {name for name in ablation.SHORT_VARIANTS if len(ablation.VARIANTS[name]) == 1}
    both = ablation.changes(made_up(), parts=(2,))
    assert set(both) == {name for name in ablation.SHORT_VARIANTS if len(ablation.VARIANTS[name]) == 2}


def test_the_tables_say_each_seed_and_the_right_kind_of_interval():
    rows = [row for row in made_up() if row["variant"] in ("recipe", "no cosine", "3 downsamplings, 4e-5")]
    for row in rows:
        row["only_recipe"] += 2 * row["seed"] * (row["variant"] != "recipe")
    recipe, line = ablation.table(rows[::-1]).splitlines()
    assert recipe == "the recipe: 40.0, 40.0, 40.0 %"
    # −7, −9, −11: their mean, and Student's 4.303 deviations of 2 over the root of 3
    assert line == "no cosine           -9.0 (-14.0 to  -4.0) points: -7.0, -9.0, -11.0"
    anew = [{**row, "only_recipe": 1} for row in rows if row["seed"] == 0]
    words, *lines = ablation.table_longer(rows[::-1], anew).splitlines()
    assert words == "longer, the recipe: 40.0, 40.0, 40.0 %"
    names = list(ablation.changes(rows, parts=(1, 2)))
    assert len(names) == 2 and [line[:28].strip() for line in lines] == [names[0], "", names[1], ""]
    judged, control = lines[2 * names.index("no cosine") :][:2]
    assert judged[28:] == "  as judged  -9.0 (-14.0 to  -4.0) points: -7.0, -9.0, -11.0", "5 against 12, 14 and 16"
    assert control[28:] == "  BN anew    +4.0", "5 against 1, and a single seed has no interval"
    assert len(ablation.table_longer(rows, []).splitlines()) == 3, "without a control no line for it"


def test_three_halvings_against_four_pair_by_pair():
    rows = made_up()
    for row in rows:
        row["accuracy"] = {"3 downsamplings": 0.5, "3 downsamplings, 4e-5": 0.4}.get(row["variant"], row["seed"] / 100)
    assert ablation.three_against_four(rows) == pytest.approx([50, 49, 48, 40, 39, 38])


def test_the_table_of_halvings_has_a_line_a_setting_and_the_pairs_at_its_end():
    rows = [{**row, "macs": 2_945_152} for row in made_up()]
    *lines, pairs = ablation.table_halvings(rows).splitlines()
    assert [line.split(" halvings")[0] for line in lines] == [
        f"{decay}, {n}" for decay in ("0.0005", "4e-05") for n in (5, 4, 3)
    ]
    assert lines[1].endswith("2.9M: 40.0 % (40.0, 40.0, 40.0)"), "the recipe's"
    # by place in the list: −4 points a pair with the one decay, −4 with the other
    assert pairs == "three against four, six pairs: -4.0 (-4.0 to -4.0) points"
