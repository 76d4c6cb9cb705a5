"""25 million MACs: what the shapes cost and where they halve, and that nothing is chosen on test images."""

import pytest
import torch
from torch import nn

from helpers import __main__ as command
from helpers import models
from helpers import results as store
from helpers.checkpoints import History
from helpers.costs import count_macs, count_params
from helpers.data import CLASSES, ImageSet
from helpers.lessons.lesson_07 import budget
from helpers.models import BUDGET, load_zoo, mobilenet_v2_of, save_weights
from helpers.runs import recipes
from helpers.training import cosine_with_warmup

pytestmark = pytest.mark.usefixtures("one_thread")


def test_every_shape_spends_the_budget_and_no_wider_one_fits():
    for name in budget.SHAPES:
        assert 0.94 * budget.LIMIT < count_macs(budget.network(name), 32) <= budget.LIMIT, name
    for shape in filter(None, budget.SHAPES.values()):
        wider = (shape | {"width": shape["width"] + step / 100} for step in (1, 2, 3, 4, 5))
        assert any(count_macs(mobilenet_v2_of(**each), 32) > budget.LIMIT for each in wider), shape


@pytest.mark.parametrize(
    ("shape", "sides"),
    [
        ("zoo", [32, 32, 16, 8, 4, 4, 2, 2]),
        ("32 pixels longer, t = 3", [32, 32, 32, 16, 8, 8, 4, 4]),
        ("8 pixels longer, t = 4", [32, 32, 16, 8, 8, 8, 4, 4]),
        ("4 pixels to the end, t = 6", [32, 32, 16, 8, 4, 4, 4, 4]),
    ],
)
def test_the_sides_of_the_maps(shape, sides):
    """Behind the first convolution and each of the seven stages, whose last blocks are 1, 3, 6, 10, 13, 16 and 17."""
    features, found, x = budget.network(shape).eval().features, [], torch.zeros(1, 3, 32, 32)
    for place, layer in enumerate(features):
        x = layer(x)
        if place in (0, 1, 3, 6, 10, 13, 16, 17):
            found.append(x.shape[-1])
    assert found == sides


def test_the_chosen_network_counted_by_hand():
    """Expansion 3 at width 0.7: 24 channels become 16, so the second stage begins with 16 × 3 = 48 inside."""
    model = mobilenet_v2_of(**BUDGET)
    assert (count_macs(model, 32), count_params(model)) == (24_509_952, 608_338)
    expand, depthwise = model.features[2].conv[0][0], model.features[2].conv[1][0]
    assert (expand.out_channels, depthwise.groups, depthwise.stride) == (48, 48, (1, 1))
    assert model.features[-1][0].out_channels == model.classifier[1].in_features == 640
    assert not any(isinstance(layer, nn.Dropout) and layer.p for layer in model.modules())


@pytest.fixture
def small(tmp_path, monkeypatch, results):
    """40 training, 20 validation and 10 test images; what `fit` and `predict` were given."""
    pixels = torch.zeros(40, 32, 32, 3, dtype=torch.uint8)
    parts = tuple(ImageSet(pixels[:n], torch.arange(n) % 10, CLASSES, f"{n} images") for n in (40, 20, 10))
    calls = {"fit": [], "judged": []}

    def fit(model, batches, **given):
        calls["fit"].append((batches, given))
        epochs = [0.25] * given["epochs"]
        return History(lr=epochs, loss=epochs, validation_loss=epochs, validation_accuracy=epochs, seconds=epochs)

    def predict(model, batches):
        calls["judged"].append(batches.image_set)
        return torch.eye(10)[batches.image_set.labels]

    for module in (recipes, budget):
        monkeypatch.setattr(module, "zoo_sets", lambda: parts)
    monkeypatch.setattr(recipes, "fit", fit)
    monkeypatch.setattr(recipes, "predict", predict)
    monkeypatch.setenv("HELPERS_RUNS", str(tmp_path / "runs"))
    return parts, calls


def test_the_final_run_is_by_the_chosen_recipe_and_judged_once_on_test_images(small, results, rows_of):
    (train, validation, test), calls = small
    assert command.main(["budget", "--seed", "2"]) == 0
    ((batches, given),) = calls["fit"]
    assert batches.image_set is train and batches.batch_size == 256 and batches.seed == given["seed"] == 2
    assert batches.augment == {"crop": 4, "flip": 0.5} and given["validation"].image_set is validation
    told = {"epochs": 50, "lr": 0.2, "weight_decay": 5e-4, "warmup_epochs": 1.0, "label_smoothing": 0.1,
            "ema_decay": 0.998, "momentum": 0.9, "schedule": cosine_with_warmup}  # fmt: skip
    assert {name: given[name] for name in told} == told
    assert [id(images) for images in calls["judged"]] == [id(test)]
    (row,) = rows_of(results / "budget.csv")
    assert (row["shape"], row["seed"], row["macs"], row["total"]) == (budget.CHOSEN, "2", "24509952", "10")
    assert [line["epoch"] for line in rows_of(results / "budget_curves.csv")] == [str(n + 1) for n in range(50)]


def test_the_pilot_looks_at_validation_images_alone(small, results, rows_of):
    (train, validation, _), calls = small
    words = ["budget", "--pilot", "--shape", "zoo", budget.CHOSEN, "--epochs", "2", "--augment", "flip", "cutout"]
    assert command.main(words) == 0
    assert all(batches.image_set is train and given["validation"].image_set is validation
               for batches, given in calls["fit"])  # fmt: skip
    assert not calls["judged"], "no test image"
    rows = rows_of(results / "budget_pilot.csv")
    assert {(row["shape"], row["augment"]) for row in rows} == {("zoo", "flip cutout"), (budget.CHOSEN, "flip cutout")}
    assert not (results / "budget.csv").exists()


def test_the_weights_have_a_name_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "WEIGHTS", tmp_path)
    with pytest.raises(FileNotFoundError, match="no trained network of width budget"):
        load_zoo("budget")
    torch.manual_seed(0)
    made = mobilenet_v2_of(**BUDGET).eval()
    save_weights(made, tmp_path / "budget_mobilenet_v2.safetensors")
    x = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(load_zoo("budget")(x), made(x), rtol=1e-2, atol=1e-3)


def test_committed_rows_are_of_the_chosen_network_and_within_the_budget():
    rows = store.read_results("budget_cuda.csv")
    assert len({row["seed"] for row in rows}) == len(rows) >= 3
    for row in rows:
        assert row["shape"] == budget.CHOSEN and row["macs"] == 24_509_952 <= budget.LIMIT
        assert {name: str(row[name]) for name in budget.RECIPE.columns()} == {
            name: str(value) for name, value in budget.RECIPE.columns().items()
        }
        assert row["low"] < row["accuracy"] < row["high"] and "H100" in row["device"]
