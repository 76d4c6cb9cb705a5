"""Lesson 04's definitions, taken out of the notebook and held to torchvision; wrong variants must be caught."""

import ast
import inspect

import nbformat
import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from helpers import ROOT, alike, models
from helpers.costs import count_macs, count_params, layer_costs
from helpers.exercises import exercise
from helpers.lessons.lesson_04 import blocks
from helpers.lessons.lesson_04.explorer_spiral import expected_share, round_trip

PAGES = [ROOT / "notebooks" / name for name in ("04_mobilenet_from_scratch.ipynb", "04b_mobilenet_v3.ipynb")]
CODE = "\n".join(
    cell.source for page in PAGES for cell in nbformat.read(page, as_version=4).cells if cell.cell_type == "code"
)
WRITTEN_BY_THE_READER = ("InvertedResidual", "SqueezeExcite")  # their bodies stand in the room


def definitions() -> dict:
    """Both pages' imports, classes, functions and CONSTANTS, and nothing that computes; each call a fresh copy.

    What the reader is to write is taken from the room, as the pages do.
    """

    def defines(node: ast.stmt) -> bool:
        if isinstance(node, ast.Assign):
            names = [name for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)]
            return all(name.id.isupper() for name in names)
        return isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef))

    body = [node for node in ast.parse(CODE).body if defines(node)]
    lesson: dict = {"__name__": "lesson_04"}
    exec(compile(ast.Module(body, type_ignores=[]), "lesson 04", "exec"), lesson)
    lesson |= {name: getattr(blocks, name) for name in WRITTEN_BY_THE_READER}
    lesson |= {"Block": blocks.InvertedResidual, "Weigh": blocks.SqueezeExcite}
    return lesson


LESSON = definitions()
WIDTHS = {
    "v1": (0.25, 0.5, 0.75, 1.0, 1.4),
    "v2": (0.25, 0.35, 0.5, 0.75, 1.0, 1.3, 1.4),
    "large": (0.25, 0.5, 0.75, 1.0, 1.25, 1.4),
    "small": (0.25, 0.5, 0.75, 1.0, 1.25, 1.4),
}
NETWORKS = [(family, width) for family, widths in WIDTHS.items() for width in widths]
TOLERANCE = 1e-5  # of the largest score, as the lesson asks
WRONG_BY = (
    1e-3  # a mistake; between the two lies rounding, where other routines compute the same (1e-5 with one thread)
)


def mine(family: str, width: float = 1.0, lesson: dict = LESSON) -> nn.Module:
    if family in ("v1", "v2"):
        return lesson[f"MobileNet{family.upper()}"](width)
    table, last = {"large": ("V3_LARGE", 1280), "small": ("V3_SMALL", 1024)}[family]
    return lesson["MobileNetV3"](lesson[table], last, width)


def reference(family: str, width: float = 1.0) -> nn.Module:
    torch.manual_seed(0)
    if family == "v1":
        return models.mobilenet_v1(width)
    name = "mobilenet_v2" if family == "v2" else f"mobilenet_v3_{family}"
    return torchvision.models.get_model(name, width_mult=width)


def difference(ours: nn.Module, theirs: nn.Module, size: int = 96) -> float:
    """The lesson's comparison on a fixed batch."""
    torch.manual_seed(0)
    return LESSON["difference"](ours, theirs, torch.randn(3, 3, size, size))


# ---------------------------------------------------------------------------------------------- the right networks


@pytest.mark.parametrize(("family", "width"), NETWORKS)
def test_parameters_and_macs_are_the_references(family, width):
    ours, theirs = mine(family, width), reference(family, width)
    assert count_params(ours) == count_params(theirs)
    for size in (96, 160, 224):
        assert count_macs(ours, size) == count_macs(theirs, size)


SIZES = {0.25: 224, 0.35: 192, 0.5: 160, 0.75: 128, 1.0: 96, 1.25: 128, 1.3: 160, 1.4: 224}


@pytest.mark.parametrize(("family", "width"), NETWORKS)
def test_scores_are_the_references(family, width):
    assert difference(mine(family, width), reference(family, width), SIZES[width]) <= TOLERANCE


@pytest.mark.parametrize("family", WIDTHS)
def test_training_mode_gives_the_same_gradients(family):
    """In training mode too (dropout off): the networks are one function, not only one set of scores."""
    ours, theirs = mine(family, 0.25), reference(family, 0.25)
    torch.manual_seed(0)
    images = torch.randn(4, 3, 64, 64)
    LESSON["settle"](theirs, images)
    LESSON["copy_by_order"](theirs, ours)
    gradients = []
    for network in (ours, theirs):
        network.train()
        for layer in network.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = 0.0
        network(images).square().sum().backward()
        gradients.append([p.grad for p in network.parameters()])
    largest = max(g.abs().max() for g in gradients[1])
    assert max((a - b).abs().max() for a, b in zip(*gradients, strict=True)) <= 1e-3 * largest


def test_the_published_counts():
    assert count_params(mine("v1")) == 4_231_976 and count_macs(mine("v1"), 224) == 568_740_352
    assert count_params(mine("v2")) == 3_504_872 and count_macs(mine("v2"), 224) == 300_774_272
    assert count_params(mine("large")) == 5_483_032 and count_params(mine("small")) == 2_542_856


def test_pointwise_share_of_v1():
    shares = LESSON["shares"](layer_costs(mine("v1"), 224), "macs")
    assert round(shares["pointwise"], 2) == 94.86 and round(shares["depthwise"], 2) == 3.06
    assert sum(shares.values()) == pytest.approx(100)


def test_the_second_page_has_the_first_page_s_functions():
    """What the second page and lesson 09 import, and what stands in for unfinished work: the first page's code."""
    tree, core = ast.parse(CODE), ("copy_by_order", "settle", "difference")
    for name in ("conv_norm", "round_to_8", "shares", "copy_by_order", "settle", "difference"):
        page = next(node for node in tree.body if getattr(node, "name", "") == name)
        (room,) = ast.parse(inspect.getsource(getattr(alike if name in core else blocks, name))).body
        for node in (page, room):
            if ast.get_docstring(node):
                node.body = node.body[1:]
        assert ast.unparse(page) == ast.unparse(room), name


@pytest.mark.parametrize("name", WRITTEN_BY_THE_READER)
def test_the_reader_is_given_the_block_s_layers(name):
    """The page's `__init__` makes the same layers as the finished block's, in the same order."""
    page = next(node for node in ast.parse(CODE).body if getattr(node, "name", "") == name)
    given = {**definitions()}
    exec(ast.unparse(page), given)
    for settings in [(8, 8, 1, 6), (8, 16, 2, 1)] if name == "InvertedResidual" else [(8, 2)]:
        mine, ours = given[name](*settings), getattr(blocks, name)(*settings)
        assert str(mine) == str(ours) and getattr(mine, "residual", None) == getattr(ours, "residual", None)
        assert mine(torch.zeros(1, 8, 4, 4)) is None, "forward is left to the reader"


def test_a_page_goes_on_with_a_finished_block_until_the_reader_s_answers(capsys):
    class Mine(blocks.SqueezeExcite):
        pass

    class Stub(blocks.SqueezeExcite):
        def forward(self, x): ...

    class Broken(blocks.SqueezeExcite):
        def forward(self, x):
            return x + self.no_such_layer(x)

    x = torch.zeros(1, 4, 2, 2)
    assert blocks.finished(Mine, blocks.SqueezeExcite, x, (4, 1)) is Mine and capsys.readouterr().out == ""
    for mine in (Stub, Broken):
        assert blocks.finished(mine, blocks.SqueezeExcite, x, (4, 1)) is blocks.SqueezeExcite
        assert capsys.readouterr().out.startswith(f"{mine.__name__} is not written yet")


def test_the_zoo_s_weights_fit_the_reader_s_network():
    mine = LESSON["MobileNetV2"](classes=10)
    mine[0][0].stride = (1, 1)
    theirs = models.load_zoo(1.0)
    LESSON["copy_by_order"](theirs, mine)
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(mine(images), theirs(images), atol=1e-4)
        mine[0][0].stride = (2, 2)
        assert not torch.allclose(mine(images), theirs(images), atol=0.1)


def test_classes_fit_on_a_page():
    classes = [node for node in ast.parse(CODE).body if isinstance(node, ast.ClassDef)]
    assert {f"MobileNetV{version}" for version in (1, 2, 3)} <= {node.name for node in classes}
    for node in classes:
        assert node.end_lineno - node.lineno + 1 <= 25, node.name


def test_without_settling_the_comparison_is_vacuous():
    """The trap of the lesson: fresh networks in eval mode put out almost zero, whatever they are."""
    theirs = reference("v2").eval()
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    broken = LESSON["copy_by_order"](theirs, mine("v2"))
    broken[3].residual = False
    with torch.no_grad():
        assert torch.allclose(theirs(images), broken(images))
        assert theirs(images).abs().max() < 1e-7
    assert difference(broken, theirs) > 1e-2


def test_settling_sees_what_a_relative_bound_alone_does_not():
    """Fresh signals never reach 6, so ReLU6 and ReLU agree to the last bit; after settling they do not."""
    change = (V2_DEPTHWISE, V2_DEPTHWISE.replace("ReLU6", "ReLU"))
    ours, theirs = mine("v2", lesson=wrong_lesson(InvertedResidual=change)), reference("v2").eval()
    images = torch.randn(3, 3, 96, 96)
    with torch.no_grad():
        assert torch.equal(LESSON["copy_by_order"](theirs, ours)(images), theirs(images))
    assert difference(ours, theirs) > 1e-3
    assert theirs(images).abs().max() > 1e-2


def test_copy_by_order_refuses_another_network():
    with pytest.raises(ValueError, match="number, shape or order"):
        LESSON["copy_by_order"](reference("v2", 0.5), mine("v2", 0.75))


# --------------------------------------------------------------------------------------------------- wrong variants


def verdict(ours: nn.Module, theirs: nn.Module) -> set[str]:
    """Which of the three checks notice: "parameters", "MACs", "scores" (not asked where the weights do not fit)."""
    caught = set()
    if count_params(ours) != count_params(theirs):
        caught.add("parameters")
    if count_macs(ours, 96) != count_macs(theirs, 96):
        caught.add("MACs")
    shapes = [[t.shape for t in network.state_dict().values()] for network in (ours, theirs)]
    if shapes[0] != shapes[1]:
        caught.add("shapes")
    elif difference(ours, theirs) > WRONG_BY:
        caught.add("scores")
    return caught


def wrong_lesson(**changes) -> dict:
    """A fresh copy of the lesson; `Name=(old, new)` changes the text of the class `Name` before it is defined."""
    lesson = definitions()
    for name, (old, new) in changes.items():
        if name in WRITTEN_BY_THE_READER:
            source = inspect.getsource(getattr(blocks, name))
        else:
            node = next(n for n in ast.parse(CODE).body if getattr(n, "name", "") == name)
            source = ast.get_source_segment(CODE, node)
        assert source.count(old) == 1, f"{name} no longer holds {old!r} once"
        exec(source.replace(old, new), lesson)
    names = {"Block": "InvertedResidual", "Weigh": "SqueezeExcite"}
    lesson.update({alias: lesson[name] for alias, name in names.items()})
    return lesson


V2_DEPTHWISE = "depthwise = conv_norm(wide, wide, 3, stride, groups=wide, act=nn.ReLU6)"
V2_PROJECT = "project = conv_norm(wide, channels_out, 1, act=None)"
V3_SQUEEZE = """        if squeeze:
            layers.append(Weigh(wide, round_to_8(wide // 4)))
"""
V3_PROJECT = "        layers.append(conv_norm(wide, channels_out, 1, act=None, eps=1e-3))\n"
ADD = "return x + self.layers(x) if self.residual else self.layers(x)"
# Registered in the old order, so that the weights still fit; run before the depthwise convolution.
SQUEEZE_FIRST = """at = [i for i, layer in enumerate(self.layers) if isinstance(layer, SqueezeExcite)]
        order = list(self.layers)
        for i in at:
            order.insert(i - 1, order.pop(i))
        y = nn.Sequential(*order)(x)
        return x + y if self.residual else y"""

WRONG = {
    "no residual, V2": ("v2", {"InvertedResidual": (ADD, "return self.layers(x)")}, {"scores"}),
    "no residual, V3": ("small", {"InvertedResidualV3": (ADD, "return self.layers(x)")}, {"scores"}),
    "one residual of ten missing, V2": ("v2", {}, {"scores"}),
    "ReLU after the bottleneck": (
        "v2",
        {"InvertedResidual": (V2_PROJECT, V2_PROJECT.replace("None", "nn.ReLU6"))},
        {"scores"},
    ),
    "stride on the expansion": (
        "v2",
        {
            "InvertedResidual": (
                f"""expand = [conv_norm(channels_in, wide, 1, act=nn.ReLU6)] if expansion > 1 else []
        {V2_DEPTHWISE}""",
                f"""expand = [conv_norm(channels_in, wide, 1, stride, act=nn.ReLU6)] if expansion > 1 else []
        {V2_DEPTHWISE.replace("stride, ", "")}""",
            )
        },
        {"MACs", "scores"},
    ),
    "stride on the projection": (
        "v2",
        {
            "InvertedResidual": (
                f"{V2_DEPTHWISE}\n        {V2_PROJECT}",
                f"{V2_DEPTHWISE.replace('stride, ', '')}\n        {V2_PROJECT.replace('1, act', '1, stride, act')}",
            )
        },
        {"MACs"},  # the same scores, dearer: exercise 4.6
    ),
    "expansion missing": (
        "v2",
        {"InvertedResidual": ("wide = expansion * channels_in", "wide, expansion = channels_in, 1")},
        {"parameters", "MACs", "shapes"},
    ),
    "squeeze-and-excite after the projection": (
        "small",
        {
            "InvertedResidualV3": (
                V3_SQUEEZE + V3_PROJECT,
                V3_PROJECT + V3_SQUEEZE.replace("(wide, round_to_8(wide", "(channels_out, round_to_8(channels_out"),
            )
        },
        {"parameters", "MACs", "shapes"},
    ),
    "squeeze-and-excite before the depthwise": ("small", {"InvertedResidualV3": (ADD, SQUEEZE_FIRST)}, {"scores"}),
}


@pytest.mark.parametrize("variant", WRONG)
def test_a_wrong_network_is_caught(variant):
    family, changes, expected = WRONG[variant]
    ours = mine(family, lesson=wrong_lesson(**changes))
    if not changes:
        ours[3].residual = False
    caught = verdict(ours, reference(family))
    print(f"\n{variant}: caught by {', '.join(sorted(caught))}")
    assert caught == expected


def test_the_right_network_is_not_caught():
    for family in ("v2", "small"):
        assert verdict(mine(family, lesson=wrong_lesson()), reference(family)) == set()


# --------------------------------------------------------------------------------------------------------- exercises


def test_answers_come_from_the_networks():
    whole = count_macs(mine("v1", 0.75), 224)
    first = layer_costs(mine("v1", 0.75), 224)[0].macs
    assert exercise("4.1").answer == first and round((whole - first) / 1e6) == 317 and round(whole / 1e6) == 325
    assert exercise("4.1").misconceptions["That is the whole network. Look for one layer of about 8 million."] == whole
    assert whole - first in exercise("4.1").misconceptions.values()

    block = LESSON["InvertedResidual"](24, 32, stride=2, expansion=6)
    conv_macs = []
    for layer in block.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda m, x, y: conv_macs.append(y[0].numel() * m.weight[0].numel()))
    block(torch.zeros(1, 24, 56, 56))
    assert exercise("4.4").answer == sum(conv_macs)

    norms = sum(count_params(layer) for layer in mine("v2").modules() if isinstance(layer, nn.BatchNorm2d))
    assert exercise("4.5").answer == count_params(mine("v2")) - norms
    assert norms in exercise("4.5").misconceptions.values()
    assert exercise("4.6").answer == WRONG["stride on the projection"][2]


def test_answers_of_the_second_page_come_from_the_network():
    large = mine("large")
    weighing = [layer for layer in large.modules() if isinstance(layer, blocks.SqueezeExcite)]
    assert exercise("4.9").answer == count_params(weighing[0]) and weighing[0].squeeze.in_channels == 72
    assert round(sum(map(count_params, weighing)) / 1e6, 1) == 1.5 and len(weighing) == 8
    widest = next(layer for layer in large if isinstance(layer, nn.Linear))
    assert exercise("4.10").answer == pytest.approx(48 * widest.weight.numel() / 1e6, abs=0.05)


def test_code_exercises_know_another_right_way():
    """Held to torch and torchvision, and not to the reference that judges."""
    assert exercise("4.7").judge(torch.nn.functional.hardswish)[0] or exercise("4.7").judge(lambda x: F.hardswish(x))[0]

    class Theirs(nn.Module):
        def __init__(self, channels, hidden):
            super().__init__()
            block = torchvision.ops.SqueezeExcitation(channels, hidden, scale_activation=nn.Hardsigmoid)
            self.block = block

        def forward(self, x):
            return self.block(x)

    assert exercise("4.8").judge(Theirs)[0]

    def by_rank(numbers, d):  # the equations that are left have rank below d
        return torch.tensor([int((row > 0).sum()) < d for row in numbers])

    assert exercise("4.2").judge(by_rank)[0]
    assert not exercise("4.3").judge(Theirs)[0]


# ------------------------------------------------------------------------------------------------------------ spiral


def test_lost_points_are_those_that_cannot_be_recovered():
    """Two numbers above zero give a point back exactly; with fewer, a point beside it has the very same numbers."""
    trip = round_trip(3, seed=0)
    matrix = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    assert 0.4 < trip.share_lost < 0.6
    for point, lost in zip(trip.points, trip.lost, strict=True):
        numbers = matrix @ point
        alive = numbers > 0
        if lost:
            row = matrix[alive][0] if alive.any() else torch.tensor([1.0, 0.0])
            along = torch.stack([-row[1], row[0]])  # the direction in which the number that is left does not change
            step = (
                0.5 * numbers[~alive].abs().min() / (matrix[~alive] @ along).abs().max()
            )  # the others stay below zero
            assert torch.allclose((matrix @ (point + step * along)).relu(), numbers.relu(), atol=1e-6) and step > 0
        else:
            again = torch.linalg.lstsq(matrix[alive], numbers[alive, None]).solution[:, 0]
            assert torch.allclose(again, point, atol=1e-4)


def test_data_of_more_dimensions_need_more_numbers():
    """Counting heads by hand: d = 3 of n = 4 coins, 1 + 4 + 6 of 16; n = d needs all heads; below d none suffice."""
    assert expected_share(4, 3) == 11 / 16 and expected_share(5, 5) == 31 / 32 and expected_share(2, 3) == 1
    for n, d in ((8, 8), (15, 8), (15, 5), (30, 8)):
        trips = [round_trip(n, seed, d) for seed in range(200)]
        assert sum(trip.share_lost for trip in trips) / 200 == pytest.approx(expected_share(n, d), abs=0.04)
        assert trips[0].points.shape == (400, d) and torch.linalg.matrix_rank(trips[0].points) == d
    flat, swinging = round_trip(3, 0), round_trip(5, 0, 5)
    assert torch.equal(flat.points, swinging.points[:, :2]), "the same spiral in the first two coordinates"


def test_the_share_lost_follows_the_coins():
    for n in (2, 3, 4, 5, 8):
        mean = sum(round_trip(n, seed).share_lost for seed in range(300)) / 300
        assert mean == pytest.approx(expected_share(n), abs=0.025)
    assert round_trip(30, 0).share_lost == 0
    with pytest.raises(ValueError, match="at least 2"):
        round_trip(3, 0, 1)


def test_back_is_the_pseudo_inverse():
    """Without a ReLU the way back would be exact; with one and many dimensions it is near half the spiral."""
    trip = round_trip(2000, seed=1)
    assert torch.allclose(trip.back, trip.points / 2, atol=0.05)


def test_the_second_page_s_wrong_network_differs_in_the_order_alone():
    """With the residuals gone as well, another mistake would be caught in its place."""
    source = next(c.source for c in nbformat.read(PAGES[1], as_version=4).cells if c.source.startswith("wrong = "))
    lesson = definitions()
    exec(source, lesson)
    kind, seen = lesson["InvertedResidualV3"], 0
    for block in lesson["wrong"].eval().modules():
        if isinstance(block, kind) and len(block.layers) == 4:
            expand, depthwise, weigh, project = block.layers
            x = torch.randn(2, expand[0].in_channels, 8, 8)
            with torch.no_grad():
                y = project(depthwise(weigh(expand(x))))
                assert torch.equal(block(x), x + y if block.residual else y)
            seen += block.residual
    assert seen == 5
    assert difference(lesson["wrong"], reference("small")) > WRONG_BY


def test_a_page_s_block_must_answer_with_every_setting(capsys):
    class AlwaysAdds(blocks.InvertedResidual):
        def forward(self, x):
            return x + self.layers(x)

    x = torch.zeros(1, 8, 4, 4)
    assert blocks.finished(AlwaysAdds, blocks.InvertedResidual, x, (8, 8, 1, 6)) is AlwaysAdds
    both = (8, 8, 1, 6), (8, 16, 2, 6)
    assert blocks.finished(AlwaysAdds, blocks.InvertedResidual, x, *both) is blocks.InvertedResidual
    assert "not written yet" in capsys.readouterr().out
