"""Five blocks at equal MACs: what each network costs, that the pilot chooses on validation images, one look at test."""

import pytest
import torch
from torch import nn

from helpers import __main__ as command
from helpers.checkpoints import History
from helpers.costs import count_macs
from helpers.data import CLASSES, ImageSet
from helpers.lessons.lesson_09 import blocks, layers, small
from helpers.results import record
from helpers.runs import recipes
from helpers.runs.recipes import ZOO

pytestmark = pytest.mark.usefixtures("one_thread")


def test_all_cost_the_same_within_three_per_cent():
    costs = {name: count_macs(make(), 32) for name, make in small.NETWORKS.items()}
    assert costs["MobileNetV2 (zoo)"] == 24_461_312
    for name, macs in costs.items():
        assert 24_000_000 <= macs <= 25_000_000 and abs(macs / 24_461_312 - 1) <= 0.03, (name, macs)


def test_they_are_made_of_what_their_names_say():
    made = {name: make() for name, make in small.NETWORKS.items()}
    weighed = {name: sum(isinstance(one, layers.SqueezeExcite) for one in model.modules())
               for name, model in made.items()}  # fmt: skip
    assert weighed == dict.fromkeys(made, 0) | {"EfficientNet, with squeeze-and-excite": 16}
    with_, without = made["EfficientNet, with squeeze-and-excite"], made["EfficientNet, without"]
    shapes = [[tuple(m.weight.shape) for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
              for model in (with_, without)]  # fmt: skip
    assert shapes[0] == shapes[1], "the two differ in squeeze-and-excite alone"
    assert sum(isinstance(one, layers.ShuffleUnit) for one in made["ShuffleNetV2"].modules()) == 16
    assert sum(isinstance(one, layers.BasicBlock) for one in made["ResNet-20"].modules()) == 9
    for model in made.values():
        assert model.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
        assert not any(isinstance(layer, nn.Dropout) and layer.p for layer in model.modules())


@pytest.fixture
def few(tmp_path, monkeypatch, results):
    """40 training, 20 validation and 10 test images; what `fit` and `predict` were given, and a `fit` that learns."""
    pixels = torch.zeros(40, 32, 32, 3, dtype=torch.uint8)
    parts = tuple(ImageSet(pixels[:n], torch.arange(n) % 10, CLASSES, f"{n} images") for n in (40, 20, 10))
    calls = {"fit": [], "judged": []}

    def fit(model, batches, **given):
        calls["fit"].append((batches, given))
        best = given["lr"] == 0.1 and given["weight_decay"] == 5e-4
        epochs = [0.9 if best else 0.25] * given["epochs"]
        return History(lr=epochs, loss=epochs, validation_loss=epochs, validation_accuracy=epochs, seconds=epochs)

    def predict(model, batches):
        calls["judged"].append(batches.image_set)
        return torch.eye(10)[batches.image_set.labels]

    for module in (recipes, blocks):
        monkeypatch.setattr(module, "zoo_sets", lambda: parts)
    monkeypatch.setattr(recipes, "fit", fit)
    monkeypatch.setattr(recipes, "predict", predict)
    monkeypatch.setattr(blocks, "predict", predict)
    return parts, calls


def test_the_pilot_tries_the_same_grid_for_each_on_validation_images_alone(few, results, rows_of):
    (train, validation, _), calls = few
    assert command.main(["blocks", "--pilot"]) == 0
    rows = rows_of(results / "blocks_pilot.csv")
    pairs = {(lr, decay) for lr in ("0.1", "0.2", "0.4") for decay in ("0.0005", "5e-05")}
    for name in small.NETWORKS:
        assert {(row["lr"], row["weight_decay"]) for row in rows if row["network"] == name} == pairs
    assert all(b.image_set is train and g["validation"].image_set is validation for b, g in calls["fit"])
    assert {given["epochs"] for _, given in calls["fit"]} == {4} and not calls["judged"], "no test image"
    assert not (results / "blocks.csv").exists()


def test_without_its_pilot_nothing_is_judged(few, results, capsys):
    assert command.main(["blocks", "--network", "ResNet-20"]) == 1
    assert "first the pilot of ResNet-20: python -m helpers blocks --pilot" in capsys.readouterr().err
    assert not few[1]["fit"]


def test_three_seeds_by_the_chosen_pair_judged_once(few, results, rows_of):
    (train, _, test), calls = few
    names = ["ResNet-20", "ShuffleNetV2"]
    assert command.main(["blocks", "--pilot", "--network", *names]) == 0
    calls["fit"].clear()
    assert command.main(["blocks", "--network", *names]) == 0
    rows = rows_of(results / "blocks.csv")
    assert sorted((row["network"], row["seed"]) for row in rows) == [(n, s) for n in sorted(names) for s in "012"]
    assert {(row["lr"], row["weight_decay"]) for row in rows} == {("0.1", "0.0005")}
    told = {"epochs": ZOO.epochs, "label_smoothing": ZOO.label_smoothing, "ema_decay": ZOO.ema_decay, "lr": 0.1}
    for batches, given in calls["fit"]:
        assert batches.image_set is train and {name: given[name] for name in told} == told
        assert batches.augment == {"crop": 4, "flip": 0.5} and batches.batch_size == 128
    assert [id(images) for images in calls["judged"]] == 6 * [id(test)]
    assert len(rows_of(results / "blocks_curves.csv")) == 6 * ZOO.epochs
    calls["fit"].clear()
    assert command.main(["blocks", "--network", *names]) == 0 and not calls["fit"], "rows that are there stay"


def test_a_trial_needs_no_pilot_and_records_nothing(few, results):
    assert command.main(["blocks", "--limit", "8", "--network", "ResNet-20", "--seed", "0", "--epochs", "1"]) == 0
    assert not list(results.glob("*.csv")) and len(few[1]["fit"]) == 1 and not few[1]["judged"]


def test_the_twins_are_trained_with_each_other_s_pair_and_judged_on_validation_images(few, results, rows_of):
    (train, validation, _), calls = few
    pairs = {(lr, decay): 0.5 for lr in (0.1, 0.2, 0.4) for decay in (5e-4, 5e-5)}
    best = {blocks.TWINS[0]: (0.2, 5e-5), blocks.TWINS[1]: (0.4, 5e-4)}
    tried = [{"network": name, "lr": f"{lr:g}", "weight_decay": f"{decay:g}", "epochs": 1,
              "validation_accuracy": f"{0.6 if (lr, decay) == pair else 0.5}"}
             for name, pair in best.items() for lr, decay in pairs]  # fmt: skip
    record("blocks_pilot.csv", tried, blocks.KEY_PILOT)
    words = ["--network", *blocks.TWINS, "--seed", "0", "1", "--epochs", "2"]
    assert command.main(["blocks", "--control", "pair", *words]) == 0
    rows = rows_of(results / "blocks_control.csv")
    found = {(row["network"], row["seed"]): (float(row["lr"]), float(row["weight_decay"])) for row in rows}
    crossed = dict(zip(blocks.TWINS, reversed(list(best.values())), strict=True))
    assert found == {(name, seed): crossed[name] for name in blocks.TWINS for seed in "01"}
    assert [(given["lr"], given["weight_decay"], given["epochs"]) for _, given in calls["fit"]] == [
        (*crossed[name], 2) for _ in "01" for name in blocks.TWINS
    ]
    assert all(b.image_set is train and b.augment == {"crop": 4, "flip": 0.5} for b, _ in calls["fit"])
    assert len(calls["judged"]) == 8 and all(images is validation for images in calls["judged"]), "no test image"
    assert all((row["correct"], row["correct_anew"], row["total"]) == ("20", "20", "20") for row in rows)
    calls["fit"].clear()
    assert command.main(["blocks", "--control", "statistics", *words]) == 0
    assert [(given["lr"], given["weight_decay"]) for _, given in calls["fit"]] == 2 * list(best.values())


def test_statistics_are_measured_anew_in_the_network_that_the_study_trained(few, results, rows_of, monkeypatch):
    """Its own checkpoint: nothing is trained twice. What is judged second is the network measured anew."""
    seen, judged = [], []

    def fit(model, batches, *, checkpoint, **given):
        seen.append(checkpoint)
        return History(lr=[0.1], loss=[1.0], validation_loss=[1.0], validation_accuracy=[0.5], seconds=[1.0])

    def predict(model, batches):
        judged.append(model)
        right = torch.eye(10)[batches.image_set.labels]
        return right if len(judged) % 2 == 0 else right.roll(1, 0)

    command.main(["blocks", "--pilot", "--network", "ResNet-20"])
    monkeypatch.setattr(recipes, "fit", fit)
    monkeypatch.setattr(recipes, "predict", lambda model, batches: torch.eye(10)[batches.image_set.labels])
    monkeypatch.setattr(blocks, "predict", predict)
    monkeypatch.setattr(blocks, "measured_anew", lambda model, images, augment: ("anew", model, images, augment))
    words = ["--network", "ResNet-20", "--seed", "1", "--epochs", "1"]
    assert command.main(["blocks", *words]) == 0 and command.main(["blocks", "--control", "statistics", *words]) == 0
    assert len(seen) == 2 and seen[0] == seen[1]
    assert judged[1] == ("anew", judged[0], few[0][0], ("crop", "flip"))
    (row,) = rows_of(results / "blocks_control.csv")
    assert (row["correct"], row["correct_anew"], row["only_anew"], row["only_before"]) == ("0", "20", "20", "0")


def test_other_first_weights_are_pytorchs_and_nothing_else_changes(few, results, rows_of):
    torch.manual_seed(0)
    zoo, other = small.zoo(), small.zoo_from_defaults()
    spread = [[layer.weight.std().item() for layer in model.modules() if isinstance(layer, nn.Conv2d)]
              for model in (zoo, other)]  # fmt: skip
    fan_in = [layer.weight[0].numel() for layer in other.modules() if isinstance(layer, nn.Conv2d)]
    assert spread[1] == pytest.approx([(3 * n) ** -0.5 for n in fan_in], rel=0.15), "uniform within 1/√fan in"
    assert spread[0][-3] < spread[1][-3] / 10, "the last depthwise layer"
    assert [type(a) for a in zoo.modules()] == [type(b) for b in other.modules()]
    command.main(["blocks", "--pilot", "--network", "MobileNetV2 (zoo)"])
    assert command.main(["blocks", "--control", "weights", "--seed", "0", "--epochs", "1"]) == 0
    (row,) = rows_of(results / "blocks_control.csv")
    assert (row["network"], row["lr"], row["weight_decay"]) == ("MobileNetV2, other first weights", "0.1", "0.0005")
