"""Lesson 01's own definitions, taken out of the notebook, against the library; and the network that it stores."""

import ast
import math
import re

import nbformat
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers import ROOT
from helpers.batches import Batches
from helpers.costs import count_macs, count_params, layer_costs
from helpers.data import ImageSet, load_cifar10, split
from helpers.evaluation import accuracy, predict
from helpers.lessons.lesson_01.explorer_softmax import NAMES, compute
from helpers.models import WEIGHTS, load_weights

NOTEBOOK = ROOT / "notebooks" / "01_concepts.ipynb"


def definitions(**given) -> dict:
    """The lesson's imports and functions, and nothing that computes; `given` are names that they look up."""
    code = "\n".join(c.source for c in nbformat.read(NOTEBOOK, as_version=4).cells if c.cell_type == "code")
    body = [n for n in ast.parse(code).body if isinstance(n, (ast.Import, ast.ImportFrom, ast.FunctionDef))]
    lesson: dict = {"__name__": "lesson_01", **given}
    exec(compile(ast.Module(body, type_ignores=[]), str(NOTEBOOK), "exec"), lesson)
    return lesson


LESSON = definitions()


def image_set(images: torch.Tensor, labels: list[int]) -> ImageSet:
    return ImageSet(images, torch.tensor(labels), tuple("abcdefghij"), "made for a test")


# ------------------------------------------------------------------------------ softmax and cross-entropy by hand


def test_softmax_is_torchs_also_where_the_exponentials_overflow():
    scores = torch.randn(50, 10, generator=torch.Generator().manual_seed(0)).double() * 30
    for shift in (0.0, 1000.0, -1000.0):
        assert torch.allclose(LESSON["softmax"](scores + shift), scores.softmax(1))


def test_softmax_of_the_traced_example():
    p = LESSON["softmax"](torch.tensor([[2.0, 1.0, -1.0]]))[0].tolist()
    assert p == pytest.approx([0.7054, 0.2595, 0.0351], abs=5e-5) and sum(p) == pytest.approx(1)


def test_cross_entropy_is_torchs_and_a_mean():
    scores = torch.randn(64, 10, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(64) % 10
    mine = LESSON["cross_entropy"](scores, labels)
    assert torch.allclose(mine, F.cross_entropy(scores, labels))
    assert torch.allclose(LESSON["cross_entropy"](torch.zeros(5, 10), labels[:5]), torch.tensor(math.log(10)))


@pytest.mark.parametrize("truth", NAMES)
def test_the_explorer_computes_what_the_lesson_does(truth):
    for temperature in (0.25, 1.0, 4.0):
        result = compute(2.0, 1.0, -1.0, temperature, truth)
        scores = torch.tensor([[2.0, 1.0, -1.0]]) / temperature
        assert torch.allclose(torch.tensor(result.probabilities), LESSON["softmax"](scores)[0])
        label = torch.tensor([NAMES.index(truth)])
        assert result.loss == pytest.approx(LESSON["cross_entropy"](scores, label).item(), rel=1e-4)


def test_the_explorer_refuses_a_temperature_of_zero():
    with pytest.raises(ValueError, match="temperature"):
        compute(2.0, 1.0, -1.0, temperature=0.0)


# ------------------------------------------------------------------------------ the classifiers


def test_pixels_go_from_minus_one_to_one():
    images = torch.tensor([0, 255, 51], dtype=torch.uint8).repeat(1, 32, 32, 1)
    rows = LESSON["pixels"](image_set(images, [0]))
    assert rows.shape == (1, 3072) and rows[0, :3].tolist() == pytest.approx([-1, 1, -0.6])


def test_votes_and_ties():
    nearest = torch.tensor([[3, 5, 5], [9, 9, 0], [4, 2, 7]])
    assert LESSON["vote"](nearest).tolist() == [5, 9, 2]


def test_neighbours_are_the_nearest_by_a_loop():
    generator = torch.Generator().manual_seed(2)
    stored = image_set(torch.randint(0, 256, (40, 32, 32, 3), dtype=torch.uint8, generator=generator), [0] * 40)
    asked = image_set(torch.randint(0, 256, (6, 32, 32, 3), dtype=torch.uint8, generator=generator), [0] * 6)
    found = definitions(fitting=stored)["neighbours"](asked, 4)
    for image, row in zip(asked.images, found, strict=True):
        squares = [int((image.long() - other.long()).square().sum()) for other in stored.images]
        assert row.tolist() == sorted(range(40), key=squares.__getitem__)[:4]


def test_the_linear_layer_learns_what_a_line_can_separate():
    generator = torch.Generator().manual_seed(3)
    labels = torch.arange(500) % 10
    inputs = 3 * F.one_hot(labels, 10).float() + 0.3 * torch.randn(500, 10, generator=generator)
    layer = LESSON["train_linear"](inputs, labels, lr=0.03)
    assert accuracy(layer(inputs), labels).value > 0.99
    assert not any(p.requires_grad for p in layer.parameters())


def test_each_step_uses_the_gradient_of_its_own_batch():
    """The same loop with gradients asked for one by one: none can pile up."""
    inputs = torch.randn(300, 4, generator=torch.Generator().manual_seed(4))
    labels = torch.arange(300) % 10
    mine = LESSON["train_linear"](inputs, labels, lr=0.01, epochs=3)
    torch.manual_seed(0)
    layer = nn.Linear(4, 10)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    for rows in [rows for _ in range(3) for rows in torch.randperm(300).split(100)]:
        loss = F.cross_entropy(layer(inputs[rows]), labels[rows])
        layer.weight.grad, layer.bias.grad = torch.autograd.grad(loss, [layer.weight, layer.bias])
        optimizer.step()
    assert torch.allclose(mine.weight, layer.weight, atol=1e-6)


def test_the_learning_rate_is_chosen_on_the_validation_images():
    right, wrong = nn.Linear(1, 10), nn.Linear(1, 10)
    for layer, favourite in ((right, 3), (wrong, 4)):
        nn.init.zeros_(layer.weight)
        layer.bias.data = F.one_hot(torch.tensor(favourite), 10).float()
    validation = image_set(torch.zeros(20, 32, 32, 3, dtype=torch.uint8), [3] * 20)
    fitting = image_set(torch.zeros(20, 32, 32, 3, dtype=torch.uint8), [4] * 20)
    lesson = definitions(fitting=fitting, validation=validation)
    lesson["train_linear"] = lambda inputs, labels, lr: right if lr == 1e-3 else wrong
    assert lesson["best_linear"](torch.zeros(20, 1), torch.zeros(20, 1)) is right


# ------------------------------------------------------------------------------ the small network


def test_the_small_network_is_what_lesson_03_takes_apart():
    cnn = LESSON["small_cnn"]()
    dense = [layer for layer in layer_costs(cnn, 32) if layer.kind == "dense"]
    assert [(cost.input_shape, cost.output_shape[0]) for cost in dense] == [
        ((3, 32, 32), 32),
        ((32, 16, 16), 64),
        ((64, 8, 8), 128),
    ]
    by_hand = 9 * (3 * 32 * 32**2 + 32 * 64 * 16**2 + 64 * 128 * 8**2) + 128 * 10
    assert count_macs(cnn, 32) == by_hand == 10_323_200
    assert count_params(cnn) == 9 * (3 * 32 + 32 * 64 + 64 * 128) + 2 * (32 + 64 + 128) + 128 * 10 + 10 == 94_762


def printed(pattern: str) -> re.Match:
    """What the committed lesson shows."""
    outputs = [o for c in nbformat.read(NOTEBOOK, as_version=4).cells if c.cell_type == "code" for o in c.outputs]
    found = re.search(pattern, "".join(output.get("text", "") for output in outputs))
    assert found, f"the lesson prints nothing like {pattern}"
    return found


def test_the_stored_network_reaches_what_the_lesson_says():
    cnn = load_weights(LESSON["small_cnn"](), WEIGHTS / "small_cnn.safetensors").to(memory_format=torch.channels_last)
    train, test = load_cifar10()
    validation = split(train, 0.2)[1]
    chosen, judged = (accuracy(predict(cnn, Batches(part, 500)), part.labels) for part in (validation, test))
    said = int(printed(r"the stored weights: [^;]*; (\d+) of 1,000\)")[1])
    assert abs(chosen.correct - said) <= 5, "the same weights and images: rounding may flip a few"
    said = float(printed(r"small CNN +([\d.]+)% +[\d.]+% to")[1]) / 100
    assert judged.low < said < judged.high


def test_the_test_images_are_asked_once():
    code = [c.source for c in nbformat.read(NOTEBOOK, as_version=4).cells if c.cell_type == "code"]
    asked = [
        source for source in code if "function(test)" in source or "Batches(test" in source or "pixels(test" in source
    ]
    assert len(asked) == 1
