"""Lesson 01: what its two pages define, against loops and libraries, and the keys of its exercises, computed anew."""

import ast
import json
import math
import re
from collections import Counter
from fractions import Fraction

import nbformat
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers import ROOT
from helpers.costs import count_macs, count_params, layer_costs
from helpers.data import ImageSet
from helpers.evaluation import accuracy, mcnemar
from helpers.lessons.lesson_01 import plots
from helpers.lessons.lesson_01.exercises import EXERCISES
from helpers.lessons.lesson_01.explorer_softmax import NAMES, compute
from helpers.models import WEIGHTS, mobilenet_v2, small_cnn

FIRST, SECOND = (ROOT / "notebooks" / name for name in ("01_concepts.ipynb", "01b_six_classifiers.ipynb"))
SOLUTIONS = [path.parent / "solutions" / path.name for path in (FIRST, SECOND)]


def cells(path) -> list:
    return nbformat.read(path, as_version=4).cells


def sources(path) -> list[str]:
    return [cell.source for cell in cells(path) if cell.cell_type == "code"]


def prose(path) -> str:
    return "\n".join(cell.source for cell in cells(path) if cell.cell_type == "markdown")


def printed(path) -> str:
    outputs = [output for cell in cells(path) if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.get("text", "") for output in outputs)


def definitions(path, **given) -> dict:
    """A page's imports and functions, and nothing that computes; `given` are names that they look up."""
    body = [
        node
        for node in ast.parse("\n".join(sources(path))).body
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef))
    ]
    page: dict = {"__name__": "page", **given}
    exec(compile(ast.Module(body, type_ignores=[]), str(path), "exec"), page)
    return page


PAGE = definitions(SECOND)


def random(*shape, seed=0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def image_set(count: int, seed: int, labels=None) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 32, 32, 3), dtype=torch.uint8, generator=generator)
    labels = torch.zeros(count, dtype=torch.int64) if labels is None else labels
    return ImageSet(images, labels, tuple("abcdefghij"), "made for a test")


# ------------------------------------------------------------------------------ the keys, computed in another way


def test_key_two_classes():
    assert EXERCISES["1.1"].answer == pytest.approx(torch.tensor([3.0, 1.0]).double().softmax(0)[0].item())


def test_key_knowing_nothing():
    assert EXERCISES["1.4"].answer == pytest.approx(F.cross_entropy(torch.zeros(1, 10), torch.tensor([7])).item())


def test_key_when_to_brake():
    for step in range(1001):
        p = Fraction(step, 1000)
        assert ((1 - p) * 10 <= p * 90) == (p >= Fraction(EXERCISES["1.5"].answer).limit_denominator(1000))


def test_key_the_camera():
    scenes = torch.arange(1_000_000)
    unusual = scenes < 1_000
    alarm = torch.where(unusual, scenes % 10 != 0, scenes % 100 == 0)
    assert EXERCISES["1.6"].answer == pytest.approx((alarm & unusual).sum().item() / alarm.sum().item())


def test_key_neighbours_grow():
    """All products of an image with 50,000 stored ones are one linear layer without a bias."""
    layer = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 50_000, bias=False))
    assert EXERCISES["1.9"].answer == count_macs(layer, 32)


def test_key_pairs_and_what_its_solution_says_of_it():
    a = torch.tensor([1] * 300 + [1] * 60 + [0] * 35 + [0] * 105, dtype=torch.bool)
    b = torch.tensor([1] * 300 + [0] * 60 + [1] * 35 + [0] * 105, dtype=torch.bool)
    assert len(a) == 500 and EXERCISES["1.10"].answer == pytest.approx(100 * (a.float().mean() - b.float().mean()))
    first, second = (accuracy(right.long(), torch.ones(500).long()) for right in (a, b))
    assert second.low < first.low < second.high < first.high, "the intervals overlap"
    assert mcnemar(a, b).low > 0, "and the difference is settled"


def test_key_eight_bits():
    network = mobilenet_v2()
    assert EXERCISES["1.11"].answer == sum(p.to(torch.int8).nbytes for p in network.parameters()) / 1e6
    assert f"{count_params(network):,} weights" in prose(SECOND)


def test_key_softmax_by_loops():
    rows = [[2.0, 1.0, -1.0], [-700.0, -701.0, -690.0], [1002.0, 1001.0, 999.0]]
    for row, p in zip(rows, EXERCISES["1.2"].reference(torch.tensor(rows).double()), strict=True):
        exponentials = [math.exp(z - max(row)) for z in row]
        assert p.tolist() == pytest.approx([e / sum(exponentials) for e in exponentials])


def test_key_cross_entropy_by_loops():
    p, classes = random(6, 4).softmax(1).double(), [3, 0, 1, 1, 2, 3]
    losses = [-math.log(row[label]) for row, label in zip(p.tolist(), classes, strict=True)]
    assert EXERCISES["1.3"].reference(p, torch.tensor(classes)).item() == pytest.approx(sum(losses) / 6)


def test_key_fixed_answer_by_loops():
    training, test = [2, 0, 2, 1, 2], [2, 2, 1, 0, 1, 2, 0, 2]
    fixed = max(set(training), key=training.count)
    wanted = test.count(fixed) / len(test)
    assert EXERCISES["1.7"].reference(torch.tensor(training), torch.tensor(test)).item() == pytest.approx(wanted)


def test_key_vote_by_loops():
    generator = torch.Generator().manual_seed(5)
    near = torch.randint(0, 4, (200, 7), generator=generator)
    won = EXERCISES["1.8"].reference(near).tolist()
    for row, winner in zip(near.tolist(), won, strict=True):
        most = max(row.count(label) for label in row)
        assert winner == next(label for label in row if row.count(label) == most)
    assert won != near.mode(1).values.tolist(), "ties occur among these"


@pytest.mark.parametrize("page, names", [(0, ("softmax", "cross_entropy")), (1, ("majority_accuracy", "vote"))])
def test_the_solutions_are_the_references(page, names):
    solved = definitions(SOLUTIONS[page])
    for name in names:
        exercise = next(one for one in EXERCISES.values() if getattr(one, "name", "") == name)
        assert exercise.judge(solved[name])[0]


@pytest.mark.parametrize(
    "number, answers",
    {
        "1.1": (0.88, 0.881, 88, 88.1, 0.8808),
        "1.4": (2.3, 2.30, 2.303),
        "1.5": (0.1, 0.10, 10),
        "1.6": (0.083, 0.0826, 8.3, 8.26),
        "1.9": (153_600_000, 153.6, 153.6e6),
        "1.10": (5, 5.0),
        "1.11": (3.5, 3.50, 3.505, 3_504_872, 3504.872),
    }.items(),
)
def test_right_answers_as_people_type_them(number, answers):
    for answer in answers:
        assert EXERCISES[number].judge(answer)[0], (answer, EXERCISES[number].judge(answer)[1])


@pytest.mark.parametrize(
    "number, answer, words",
    [
        ("1.1", 0.95, "first score alone"),
        ("1.1", 20.09, "exponential"),
        ("1.6", 0.08, "rounded too far"),
        ("1.9", 307_200_000, "FLOPs"),
        ("1.11", 28.0, "megabits"),
        ("1.11", 14.0, "32 bits"),
    ],
)
def test_wrong_answers_as_people_type_them(number, answer, words):
    right, said = EXERCISES[number].judge(answer)
    assert not right and words in said, said


# ------------------------------------------------------------------------------ softmax on the first page


def test_the_traced_numbers_are_torchs():
    scores = torch.tensor([2.0, 1.0, -1.0]).double()
    assert "p   : " + " + ".join(f"{p:.4f}" for p in scores.softmax(0).tolist()) + " = 1\n" in printed(FIRST)
    for label, name in enumerate(NAMES):
        loss = F.cross_entropy(scores[None], torch.tensor([label])).item()
        assert re.search(rf"if it is a {name} *: -ln [\d.]+ = {loss:.2f}\n", printed(FIRST))


@pytest.mark.parametrize("truth", NAMES)
def test_the_explorer_computes_what_softmax_and_cross_entropy_do(truth):
    for temperature in (0.25, 1.0, 4.0):
        result = compute(2.0, 1.0, -1.0, temperature, truth)
        scores = torch.tensor([[2.0, 1.0, -1.0]]) / temperature
        assert torch.allclose(torch.tensor(result.probabilities), scores.softmax(1)[0])
        label = torch.tensor([NAMES.index(truth)])
        assert result.loss == pytest.approx(F.cross_entropy(scores, label).item(), rel=1e-4)


def test_the_explorer_refuses_a_temperature_of_zero():
    with pytest.raises(ValueError, match="temperature"):
        compute(2.0, 1.0, -1.0, temperature=0.0)


# ------------------------------------------------------------------------------ the classifiers of the second page


def test_pixels_go_from_minus_one_to_one():
    images = torch.tensor([0, 255, 51], dtype=torch.uint8).repeat(1, 32, 32, 1)
    one = ImageSet(images, torch.tensor([0]), tuple("abcdefghij"), "made for a test")
    for page in (PAGE, definitions(FIRST)):
        rows = page["pixels"](one)
        assert rows.shape == (1, 3072) and rows[0, :3].tolist() == pytest.approx([-1, 1, -0.6])


def test_neighbours_are_the_nearest_by_a_loop():
    stored, asked = image_set(40, seed=2), image_set(6, seed=3)
    found = definitions(SECOND, fitting=stored)["nearest"](asked, 4)
    for image, row in zip(asked.images, found, strict=True):
        squares = [int((image.long() - other.long()).square().sum()) for other in stored.images]
        assert row.tolist() == sorted(range(40), key=squares.__getitem__)[:4]


def test_twenty_vote():
    labels = torch.arange(60) % 3
    stored = image_set(60, seed=4, labels=labels)
    asked = image_set(2, seed=5, labels=torch.tensor([1, 2]))
    distance = torch.full((2, 60), 9.0)
    distance[0, (labels == 1).nonzero()[:11]] = 1.0  # eleven of the nearest twenty: a majority for 1, which is right
    distance[1, (labels == 0).nonzero()[:11]] = 1.0  # and for 0, which is wrong
    page = definitions(SECOND, fitting=stored, validation=asked)
    assert page["vote_of_twenty"](distance) == 0.5


@pytest.mark.parametrize("right, down", [(2, 0), (-3, 1), (4, -4), (0, 0)])
def test_moved_pictures(right, down):
    before = image_set(3, seed=6)
    after = PAGE["moved"](before, right, down)
    assert after.images.dtype == torch.uint8 and torch.equal(after.labels, before.labels)
    for row in range(32):
        for column in range(32):
            from_row, from_column = (min(max(x, 0), 31) for x in (row - down, column - right))
            assert torch.equal(after.images[:, row, column], before.images[:, from_row, from_column])


def test_the_linear_layer_learns_what_a_line_can_separate():
    labels = torch.arange(500) % 10
    inputs = 3 * F.one_hot(labels, 10).float() + 0.3 * random(500, 10, seed=3)
    layer = PAGE["train_linear"](inputs, labels, lr=0.3)
    assert accuracy(layer(inputs), labels).value > 0.99
    assert not any(p.requires_grad for p in layer.parameters())


def test_each_step_goes_against_the_gradient_of_its_own_batch():
    """The same loop with gradients asked for one by one: none can pile up."""
    inputs, labels = random(300, 4, seed=4), torch.arange(300) % 10
    mine = PAGE["train_linear"](inputs, labels, lr=0.1)
    torch.manual_seed(0)
    nn.Linear(4, 10)  # draws as many random numbers
    weight, bias = torch.zeros(10, 4, requires_grad=True), torch.zeros(10, requires_grad=True)
    for rows in [rows for _ in range(10) for rows in torch.randperm(300).split(100)]:
        loss = F.cross_entropy(inputs[rows] @ weight.T + bias, labels[rows])
        gradients = torch.autograd.grad(loss, [weight, bias])
        with torch.no_grad():
            weight -= 0.1 * gradients[0]
            bias -= 0.1 * gradients[1]
    assert torch.allclose(mine.weight, weight, atol=1e-5) and torch.allclose(mine.bias, bias, atol=1e-5)


def test_cross_validation_judges_on_what_was_left_out():
    """A layer that is right on the images it has seen, and on no other."""
    seen = []

    def remember(inputs, targets, lr):
        seen.append((set(inputs[:, 0].tolist()), lr))
        known = {int(row): int(label) for row, label in zip(inputs[:, 0], targets, strict=True)}
        return lambda rows: F.one_hot(
            torch.tensor([known.get(int(row), (int(row) % 10 + 1) % 10) for row in rows[:, 0]]), 10
        )

    train = image_set(50, seed=7, labels=torch.arange(50) % 10)
    page = definitions(SECOND, fold=torch.arange(50) % 5, train=train)
    page["train_linear"] = remember
    result = page["cross_validate"](torch.arange(50.0).view(50, 1), [0.1, 0.2])
    assert result.shape == (5, 2) and result.max() == 0, "an image that was learned from was judged"
    assert [lr for _, lr in seen] == [0.1, 0.2] * 5
    for out in range(5):
        assert seen[2 * out][0] == {float(i) for i in range(50) if i % 5 != out}


def test_the_small_network_is_what_lesson_03_takes_apart():
    cnn = small_cnn()
    dense = [layer for layer in layer_costs(cnn, 32) if layer.kind == "dense"]
    assert [(cost.input_shape, cost.output_shape[0]) for cost in dense] == [
        ((3, 32, 32), 32),
        ((32, 16, 16), 64),
        ((64, 8, 8), 128),
    ]
    by_hand = 9 * (3 * 32 * 32**2 + 32 * 64 * 16**2 + 64 * 128 * 8**2) + 128 * 10
    assert count_macs(cnn, 32) == by_hand == 10_323_200
    assert count_params(cnn) == 9 * (3 * 32 + 32 * 64 + 64 * 128) + 2 * (32 + 64 + 128) + 128 * 10 + 10 == 94_762


def test_the_fused_activations_are_one_layers_input_and_output():
    """The 3 × 3 depthwise layer of the second block: 96 channels, from 112 × 112 to 56 × 56 places, four bytes each."""
    by_hand = 4 * 96 * (112**2 + 56**2) / 1e6
    assert re.search(rf"MobileNetV2, 224 px +14\.02 +9\.63 +{by_hand:.2f} ", printed(SECOND))


def test_the_test_images_judge_once():
    """One cell of the second page judges; one, after it, looks back at all k. The first page leaves them alone."""
    asked = [
        index
        for index, source in enumerate(sources(SECOND))
        if re.search(r"(?<!_)\b(function|nearest|Batches|pixels)\(test\b", source)
    ]
    judging = next(index for index, source in enumerate(sources(SECOND)) if "judged = {" in source)
    assert len(asked) == 2 and asked[0] == judging < asked[1]
    assert not [
        source for source in sources(FIRST) if re.search(r"\btest\b(?!\s*=)", source) and "import" not in source
    ]


def test_the_choices_are_not_made_on_test_images():
    for name in ("chosen", "best_rate", "best_rate_features"):
        lines = [line for source in sources(SECOND) for line in source.splitlines() if line.startswith(f"{name} =")]
        assert len(lines) == 1 and "test" not in lines[0] and ".mean(0)" in lines[0]


def test_how_weak_the_backbone_is_stands_on_the_page():
    accuracies = json.loads((WEIGHTS / "mobilenet_v2_tiny_imagenet.json").read_text(encoding="utf-8"))
    assert "27.8 %" in prose(SECOND) and "27.8 %" in (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    assert "100,000" in prose(SECOND) and "100,000" in accuracies["trained_on"]


# ------------------------------------------------------------------------------ the figures


def test_validation_curves_mark_the_best_mean():
    accuracies = torch.tensor([[0.1, 0.9, 0.2], [0.3, 0.1, 0.8]])
    figure, words = plots.validation_curves("Toy", "knob", [1, 2, 4], accuracies)
    (axis,) = figure.axes
    mean, ring = axis.lines[-2], axis.lines[-1]
    assert len(axis.lines) == 2 + 2 and list(mean.get_ydata()) == pytest.approx([20, 50, 50])
    assert (ring.get_xdata(), ring.get_ydata()) == ([2], pytest.approx([50.0])) and "highest at 2 with 50.0 %" in words


def test_the_bar_of_pairs_counts_each_image_once():
    first = torch.tensor([1, 1, 1, 0, 0, 0, 1], dtype=torch.bool)
    second = torch.tensor([1, 0, 1, 1, 0, 0, 0], dtype=torch.bool)
    figure, words = plots.pairs(first, second, ("A", "B"))
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == [2, 2, 1, 2] and words.endswith("both right 2, only A 2, only B 1, both wrong 2.")


def test_expected_costs_cross_where_the_page_says():
    figure = plots.expected_costs(100, 5)
    home, again = (line.get_ydata() for line in figure.axes[0].lines[:2])
    p = figure.axes[0].lines[0].get_xdata()
    cheaper = next(float(x) for x, a, b in zip(p, home, again, strict=True) if b <= a)
    assert cheaper == pytest.approx(5 / 105, abs=0.002) and "4.8 %" in prose(FIRST)


def test_every_place_of_the_drawing_is_computed():
    words = [text.get_text() for text in plots.chain(torch.zeros(32, 32, 3).byte(), list("abc"), [0, 0, 0]).texts]
    assert f"loss\n−ln 0.333\n= {math.log(3):.2f}" in words


def test_weights_as_pictures_are_grey_where_they_are_zero():
    weights = torch.zeros(10, 3072)
    weights[:, 0], weights[:, 1] = 2.0, -1.0
    shown = plots.templates(weights, list("abcdefghij")).axes[0].images[0].get_array()
    assert shown[0, 0].tolist() == [255, 64, 128] and shown[5, 5].tolist() == [128, 128, 128]


def test_neighbour_rows_name_what_they_show():
    questions = image_set(1, seed=8, labels=torch.tensor([2]))
    near = image_set(3, seed=9, labels=torch.tensor([2, 0, 1]))
    figure, words = plots.neighbour_rows(questions, [near], tuple("abcdefghij"))
    assert [axis.get_title() for axis in figure.axes] == ["c?", "c", "a", "b"]
    assert "the neighbours of a c are c, a, b" in words
    assert Counter(type(axis.images[0]).__name__ for axis in figure.axes) == {"AxesImage": 4}


def test_the_crossing_is_marked_where_the_costs_are_equal():
    axis = plots.expected_costs(30, 10).axes[0]
    assert axis.lines[2].get_xdata()[0] == pytest.approx(0.25) and axis.texts[0].get_text() == "equal at p = 25.0%"


def test_each_classifier_stands_at_its_costs_with_its_interval():
    right = torch.tensor([1] * 60 + [0] * 40)
    one, none = accuracy(right, torch.ones(100).long()), accuracy(1 - right, torch.ones(100).long())
    figure, words = plots.accuracy_against_cost({"free": none, "net": one}, {"free": (1, 0), "net": (2e4, 3e6)}, "toy")
    for panel, cost in zip(figure.axes, (2e4, 3e6), strict=True):
        (bar,) = panel.containers
        (points,) = (collection.get_segments()[0] for collection in bar[2])
        assert points[0][0] == points[1][0] == cost
        assert sorted(y for _, y in points) == pytest.approx([100 * one.low, 100 * one.high])
        assert [line.get_ydata()[0] for line in panel.lines if line.get_label() == "free"] == [pytest.approx(40)]
    assert "free 40.0%, net 60.0%" in words
