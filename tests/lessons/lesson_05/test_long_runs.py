"""The zoo and the shallow network: their recipe, what a run leaves behind, and what it must never replace."""

import pytest
import torch

from helpers import __main__ as command
from helpers import results as store
from helpers.batches import Batches
from helpers.checkpoints import History
from helpers.costs import count_macs, count_params
from helpers.data import CLASSES, ImageSet
from helpers.evaluation import accuracy, predict
from helpers.lessons.lesson_05 import grid, train
from helpers.lessons.lesson_05.shallow import shallow_net
from helpers.models import load_zoo, mobilenet_v2
from helpers.runs import recipes
from helpers.training import cosine_with_warmup

pytestmark = pytest.mark.usefixtures("one_thread")


def tiny(count: int, base: int = 0, side: int = 1) -> ImageSet:
    """Images whose pixels hold their number, with classes in turn."""
    number = torch.arange(count) + base
    colour = torch.stack([number // 65536 % 256, number // 256 % 256, number % 256], 1).byte()
    images = colour[:, None, None, :].expand(count, side, side, 3).contiguous()
    return ImageSet(images, torch.arange(count) % 10, CLASSES, "made up")


@pytest.fixture
def small_zoo(tmp_path, monkeypatch, results):
    """60 training, 10 validation and 20 test images of 32 pixels; files go to a temporary folder."""
    parts = tuple(tiny(count, base, side=32) for count, base in ((60, 0), (10, 1000), (20, 2000)))
    monkeypatch.setattr(recipes, "zoo_sets", lambda: parts)
    monkeypatch.setenv("HELPERS_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(train, "WEIGHTS", tmp_path / "weights")
    return tmp_path


@pytest.fixture
def given_to_fit(monkeypatch):
    """What `fit` was called with, as (network, batches, the rest); it trains nothing."""
    calls = []

    def fit(model, batches, **given):
        calls.append((model, batches, given))
        epochs = [0.5] * given["epochs"]
        return History(lr=epochs, loss=epochs, validation_loss=epochs, validation_accuracy=epochs, seconds=epochs)

    monkeypatch.setattr(recipes, "fit", fit)
    return calls


ZOO = {
    "epochs": 16, "lr": 0.1, "weight_decay": 5e-4, "momentum": 0.9, "warmup_epochs": 1.0, "label_smoothing": 0.1,
    "ema_decay": 0.998, "schedule": cosine_with_warmup,
}  # fmt: skip


def told(calls, images: int) -> dict:
    """The one call of `fit` in plain words; its training images must be the first part of the zoo's sets."""
    ((model, batches, given),) = calls
    train_images, validation, _ = recipes.zoo_sets()
    assert batches.image_set is train_images and len(batches.image_set) == images
    assert given.pop("validation").image_set is validation, "an epoch is judged on the validation images"
    assert batches.augment == {"crop": 4, "flip": 0.5} and batches.shuffle and batches.batch_size == 128
    assert batches.seed == given["seed"] and given.pop("log") and given.pop("checkpoint")
    return {"macs": count_macs(model, batches.image_size), "size": batches.image_size, **given}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "--width", "0.25"], {"macs": 2_945_152, "size": 32, "seed": 0}),
        (["train", "--width", "0.5", "--size", "24", "--seed", "2"], {"macs": 5_310_496, "size": 24, "seed": 2}),
        (["shallow", "--seed", "1"], {"macs": 7_864_384, "size": 32, "seed": 1}),
    ],
)
def test_the_recipe_of_the_committed_rows_is_the_documented_one(small_zoo, given_to_fit, monkeypatch, words, expected):
    judged = []
    monkeypatch.setattr(recipes, "predict", lambda model, batches: judged.append(batches) or predict(model, batches))
    assert command.main(words) == 0
    assert told(given_to_fit, 60) == ZOO | {"device": "cpu"} | expected
    (test,) = judged
    assert test.image_set is recipes.zoo_sets()[2] and not test.augment and test.image_size == expected["size"]


def test_the_seed_decides_the_first_weights(small_zoo, given_to_fit):
    for seed in (0, 1):
        command.main(["train", "--width", "0.25", "--size", "24", "--seed", str(seed)])
        command.main(["shallow", "--seed", str(seed)])
    for one, other in ((0, 2), (1, 3)):
        first, second = (given_to_fit[place][0].state_dict() for place in (one, other))
        assert not torch.equal(next(iter(first.values())), next(iter(second.values())))
    torch.manual_seed(1)
    mine = mobilenet_v2(0.25, num_classes=10, stem_stride=1, dropout=0.0).state_dict()
    assert all(torch.equal(value, mine[name]) for name, value in given_to_fit[2][0].state_dict().items())


def test_train_writes_curve_and_row_and_a_trial_run_of_the_recipe_s_numbers_no_weights(small_zoo, results, rows_of):
    assert command.main(["train", "--width", "0.1", "--epochs", "2", "--lr", "0.01"]) == 0
    (row,) = rows_of(results / "zoo.csv")
    assert (row["width"], row["resolution"], row["seed"], row["epochs"], row["total"]) == ("0.1", "32", "0", "2", "20")
    assert (row["lr"], row["weight_decay"], row["augment"], row["batch_size"]) == ("0.01", "0.0005", "crop flip", "128")
    assert float(row["low"]) <= float(row["accuracy"]) <= float(row["high"])
    assert float(row["accuracy"]) == pytest.approx(int(row["correct"]) / 20, abs=1e-4)
    assert [r["epoch"] for r in rows_of(results / "zoo_curves.csv")] == ["1", "2"]
    assert not (small_zoo / "weights").exists(), "two epochs are not the documented recipe"


def small_recipe(monkeypatch) -> None:
    """The zoo's recipe is one epoch, so that a documented run takes a second."""
    monkeypatch.setattr(train, "ZOO", recipes.replace(recipes.ZOO, epochs=1, warmup_epochs=0.5))


def test_the_documented_run_ships_its_weights(small_zoo, results, monkeypatch, rows_of):
    small_recipe(monkeypatch)
    assert command.main(["train", "--width", "0.1"]) == 0
    assert sorted(p.name for p in (small_zoo / "weights").iterdir()) == [
        "zoo_mobilenet_v2_0.1.safetensors",
        "zoo_mobilenet_v2_0.1.safetensors.sha256",
    ]
    # The stored network is the judged one, up to float16.
    monkeypatch.setattr("helpers.models.WEIGHTS", small_zoo / "weights")
    test = recipes.zoo_sets()[2]
    again = accuracy(predict(load_zoo(0.1), Batches(test, 500)), test.labels)
    (row,) = rows_of(results / "zoo.csv")
    assert abs(again.correct - int(row["correct"])) <= 1


@pytest.mark.parametrize("words", [
    ["--seed", "1"], ["--size", "24"], ["--epochs", "2"], ["--lr", "0.2"], ["--ema-decay", "0"],
    ["--momentum", "0.5"], ["--limit", "50"],
])  # fmt: skip
def test_no_other_run_leaves_weights(small_zoo, given_to_fit, monkeypatch, words, capsys):
    small_recipe(monkeypatch)
    assert command.main(["train", "--width", "0.1", *words]) == 0
    assert not (small_zoo / "weights").exists()
    assert ("only those of seed 0, 32 pixels" in capsys.readouterr().out) == ("--limit" not in words)


@pytest.fixture
def shipped(small_zoo, given_to_fit, monkeypatch):
    """A row, its curve and its weights, as committed; returns a function that gives the bytes of all files."""
    small_recipe(monkeypatch)
    assert command.main(["train", "--width", "0.1"]) == 0
    given_to_fit.clear()

    def content() -> dict:
        files = [*(small_zoo / "weights").iterdir(), *store.RESULTS.glob("*.csv")]
        return {path.name: path.read_bytes() for path in files}

    return content


@pytest.mark.parametrize("words", [
    ["--epochs", "2"], ["--lr", "0.2"], ["--weight-decay", "0"], ["--limit", "50", "--epochs", "1"], [], ["--again"],
])  # fmt: skip
def test_committed_rows_and_weights_stay(shipped, given_to_fit, words, capsys, monkeypatch):
    before = shipped()
    if "--again" in words:
        monkeypatch.setitem(vars(train.STUDY), "code", "changed")  # the row is stale
    code = command.main(["train", "--width", "0.1", *words])
    assert shipped() == before
    error = capsys.readouterr().err
    if "--limit" in words or not words:
        assert code == 0 and error == ""
    elif words == ["--again"]:
        assert code == 1 and "zoo_mobilenet_v2_0.1.safetensors ships with the lessons: only --overwrite" in error
    else:
        assert code == 1 and "zoo.csv has the row of width 0.1" in error and "only --overwrite replaces it" in error
        assert given_to_fit == [], "it was trained in vain"


def test_overwrite_replaces_row_and_curve_whole(shipped, rows_of, small_zoo):
    before = shipped()
    assert command.main(["train", "--width", "0.1", "--epochs", "3", "--overwrite"]) == 0
    assert [row["epochs"] for row in rows_of(store.RESULTS / "zoo.csv")] == ["3"]
    assert len(rows_of(store.RESULTS / "zoo_curves.csv")) == 3
    assert command.main(["train", "--width", "0.1", "--epochs", "2", "--overwrite"]) == 0
    assert [row["epoch"] for row in rows_of(store.RESULTS / "zoo_curves.csv")] == ["1", "2"], "a mixed curve"
    name = "zoo_mobilenet_v2_0.1.safetensors"
    assert shipped()[name] == before[name], "two epochs are not what ships"


def test_other_weights_that_are_there_stay_and_the_new_ones_are_kept(shipped, small_zoo, capsys):
    path = small_zoo / "weights" / "zoo_mobilenet_v2_0.1.safetensors"
    path.write_bytes(b"precious")
    (store.RESULTS / "zoo.csv").unlink()
    assert command.main(["train", "--width", "0.1"]) == 1
    assert path.read_bytes() == b"precious" and not (store.RESULTS / "zoo.csv").exists()
    assert "holds other weights, and only --overwrite replaces them; the new ones are" in capsys.readouterr().err
    assert list((small_zoo / "runs").glob("zoo_0.1_32_0_*.safetensors"))
    assert command.main(["train", "--width", "0.1", "--overwrite"]) == 0 and path.read_bytes() != b"precious"


def test_missing_makes_what_the_lessons_use(small_zoo, given_to_fit, rows_of):
    assert command.main(["train", "--missing", "--size", "16"]) == 0
    runs = {(row["width"], row["seed"]) for row in rows_of(store.RESULTS / "zoo.csv")}
    assert runs == {(width, seed) for width in ("0.25", "0.5", "0.75") for seed in "012"} | {("1", "0")}
    given_to_fit.clear()
    assert command.main(["train", "--missing", "--size", "16"]) == 0 and given_to_fit == []


def test_the_runs_hold_every_committed_row():
    asked = {(width, size, seed) for width, size, seed in train.RUNS}
    rows = store.read_results("zoo.csv")
    assert {(row["width"], row["resolution"], row["seed"]) for row in rows} <= asked and len(asked) == len(train.RUNS)
    assert {row["epochs"] for row in rows} == {recipes.ZOO.epochs}


def test_a_trial_on_fewer_images_records_nothing(small_zoo, results, capsys):
    for name in ("train", "shallow"):
        words = ["--width", "0.1"] if name == "train" else ["--seed", "0"]
        assert command.main([name, *words, "--epochs", "1", "--limit", "50"]) == 0
        assert "a run on fewer images is only a trial: nothing is recorded" in capsys.readouterr().out
    assert not results.exists() and not (small_zoo / "weights").exists()
    assert len(list((small_zoo / "runs" / "trials").glob("*.pt"))) == 2 and not list((small_zoo / "runs").glob("*.pt"))


def test_the_shallow_network_costs_what_width_half_costs_and_its_row_says_so(small_zoo, results, rows_of):
    half, shallow = mobilenet_v2(0.5, num_classes=10, stem_stride=1), shallow_net()
    assert (count_macs(shallow, 32), count_params(shallow)) == (7_864_384, 699_674)
    assert (count_macs(half, 32), count_params(half)) == (7_837_440, 700_490)
    assert command.main(["shallow", "--epochs", "1", "--seed", "0"]) == 0
    (row,) = rows_of(results / "shallow.csv")
    assert (row["blocks"], row["width"], row["macs"], row["total"]) == ("7", "0.72", "7864384", "20")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--limit", "0"], "--limit: it is a whole number of at least 1, not 0"),
        (["--limit", "-5"], "--limit: it is a whole number of at least 1, not -5"),
        (["--epochs", "0"], "--epochs: it is a whole number of at least 1, not 0"),
        (["--epochs", "1.5"], "--epochs: it is a whole number of at least 1, not 1.5"),
        (["--size", "7"], "--size: it is a whole number of pixels from 16 (halved four times) to 224, not 7"),
        (["--width", "-1"], "--width: it is a width multiplier above 0 and up to 4, not -1"),
        (["--width", "nan"], "--width: it is a width multiplier above 0 and up to 4, not nan"),
        (["--seed", "-1"], "--seed: it is a whole number of at least 0, not -1"),
        (["--lr", "0"], "--lr: it is a learning rate above 0, not 0"),
        (["--lr", "nan"], "--lr: it is a learning rate above 0, not nan"),
        (["--lr", "inf"], "--lr: it is a learning rate above 0, not inf"),
        (["--weight-decay", "-1"], "--weight-decay: it is a number from 0 to below 1, not -1"),
        (["--warmup-epochs", "-1"], "--warmup-epochs: it is a number of epochs, 0 or more, not -1"),
        (["--ema-decay", "1.5"], "--ema-decay: it is a number from 0 to below 1, not 1.5"),
        (["--momentum", "2"], "--momentum: it is a number from 0 to below 1, not 2"),
        (["--label-smoothing", "1"], "--label-smoothing: it is a number from 0 to below 1, not 1"),
        (["--batch-size", "0"], "--batch-size: it is a whole number of at least 1, not 0"),
    ],
)
def test_numbers_that_make_no_sense_are_refused_in_a_sentence(words, told, capsys):
    with pytest.raises(SystemExit):
        command.main(["train", "--width", "0.25", *words])
    assert capsys.readouterr().err.rstrip().endswith(told)


def test_a_warm_up_longer_than_the_run_and_no_width_at_all(small_zoo, capsys):
    assert command.main(["train", "--width", "0.1", "--warmup-epochs", "100"]) == 1
    assert capsys.readouterr().err == "ValueError: a warm-up of 100 epochs does not end within 16\n"
    assert command.main(["train"]) == 1
    assert capsys.readouterr().err.startswith("ValueError: which width? --width 0.25, or --missing")


def test_the_grid_is_counted_where_rows_are_missing(results, monkeypatch, rows_of):
    monkeypatch.setattr(grid, "FAMILIES", {"mobilenet_v2": grid.FAMILIES["mobilenet_v2"]})
    monkeypatch.setattr(grid, "WIDTHS", (0.25, 0.5))
    monkeypatch.setattr(grid, "RESOLUTIONS", (32,))
    committed = {key: cost for key, cost in grid.read_grid(grid.GRID).items() if key[0] == "mobilenet_v2"}
    assert command.main(["grid"]) == 0
    for key, cost in grid.read_grid(results / "cost_grid.csv").items():
        assert cost == committed[key]
    assert len(rows_of(results / "cost_grid.csv")) == 2
