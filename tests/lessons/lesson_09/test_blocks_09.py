"""Lesson 09's blocks and networks held to torchvision, wrong variants caught, and the page's code to the room's."""

import ast
from functools import partial

import nbformat
import pytest
import torch
import torchvision
from torch import nn
from torchvision.models import mobilenetv3, shufflenetv2, squeezenet

from helpers import ROOT, alike
from helpers.costs import count_macs, count_params
from helpers.efficientnet import LITE0_BLOCKS, load_efficientnet_lite0
from helpers.lessons.lesson_09 import layers as blocks
from helpers.lessons.lesson_09.exercises import EXERCISES

pytestmark = pytest.mark.usefixtures("one_thread")
PAGE = ROOT / "notebooks" / "09_other_lightweight_networks.ipynb"
TOLERANCE, WRONG_BY = 1e-5, 1e-3  # of the largest score
NETWORKS = {
    "squeezenet1_1": blocks.SqueezeNet,
    **{
        f"shufflenet_v2_x{str(width).replace('.', '_')}": partial(blocks.ShuffleNetV2, width)
        for width in blocks.SHUFFLE_TABLE
    },
    "mnasnet1_0": partial(blocks.from_table, blocks.MNASNET_TABLE, blocks.conv_norm),
    "resnet18": blocks.ResNet18,
}


def reference(name: str) -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.get_model(name, weights=None)


def images(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_is_torchvisions(name):
    mine, theirs = NETWORKS[name](), reference(name)
    assert count_params(mine) == count_params(theirs)
    assert [count_macs(mine, size) for size in (96, 224)] == [count_macs(theirs, size) for size in (96, 224)]
    assert alike.difference(mine, theirs, images(3, 3, 96, 96)) <= TOLERANCE


def without_shuffle(model):
    for unit in model.modules():
        if isinstance(unit, blocks.ShuffleUnit):
            unit.shuffle = lambda x, groups: x


def wrong_way_round(model):
    for unit in model.modules():
        if isinstance(unit, blocks.ShuffleUnit):
            unit.shuffle = lambda x, groups: blocks.channel_shuffle(x, x.shape[1] // groups)


def one_residual_less(model):
    next(one for one in model.modules() if getattr(one, "residual", False)).residual = False


def last_relu_gone(model):
    model[-3] = nn.Identity()


def no_shortcut(model):
    model[2].shortcut.forward = lambda x: 0 * x


BROKEN = [
    ("shufflenet_v2_x1_0", without_shuffle),
    ("shufflenet_v2_x1_0", wrong_way_round),
    ("mnasnet1_0", one_residual_less),
    ("squeezenet1_1", last_relu_gone),
    ("resnet18", no_shortcut),
]


@pytest.mark.parametrize(("name", "damage"), BROKEN, ids=lambda one: getattr(one, "__name__", one))
def test_a_broken_one_is_caught_by_the_scores_alone(name, damage):
    mine, theirs = NETWORKS[name](), reference(name)
    damage(mine)
    assert (count_params(mine), count_macs(mine, 96)) == (count_params(theirs), count_macs(theirs, 96))
    assert alike.difference(mine, theirs, images(3, 3, 96, 96)) > WRONG_BY


@pytest.mark.parametrize("stride", [1, 2])
def test_the_shuffle_unit_is_torchvisions(stride):
    mine, theirs = blocks.ShuffleUnit(16, 16, stride), shufflenetv2.InvertedResidual(16, 16, stride)
    assert alike.difference(mine, theirs, images(4, 16, 9, 9)) <= TOLERANCE


def test_the_fire_module_is_torchvisions():
    theirs = squeezenet.Fire(12, 4, 6, 6)
    assert alike.difference(blocks.Fire(12, 4, 6), theirs, images(2, 12, 7, 7)) <= TOLERANCE
    assert count_params(blocks.Fire(128, 32, 128)) == 45_344


@pytest.mark.parametrize(("channels", "groups"), [(8, 2), (8, 4), (12, 3), (6, 6), (6, 1)])
def test_the_shuffle_is_torchvisions_and_pytorchs(channels, groups):
    x = images(2, channels, 3, 5)
    mine = blocks.channel_shuffle(x, groups)
    assert torch.equal(mine, shufflenetv2.channel_shuffle(x, groups))
    assert torch.equal(mine, nn.functional.channel_shuffle(x, groups))


@pytest.mark.parametrize(("stride", "out"), [(1, 40), (2, 48)])
def test_the_v3_block_is_torchvisions(stride, out):
    row = mobilenetv3.InvertedResidualConfig(40, 5, 240, out, True, "HS", stride, 1, 1.0)
    theirs = mobilenetv3.InvertedResidual(row, partial(nn.BatchNorm2d, eps=1e-3))
    mine = blocks.InvertedResidual(40, out, 6, stride, 5, blocks.v3_norm)
    assert alike.difference(mine, theirs, images(4, 40, 14, 14)) <= TOLERANCE


def test_lite0_has_the_real_weights_scores():
    theirs = load_efficientnet_lite0()
    mine = alike.copy_by_order(theirs, blocks.from_table(blocks.LITE0_TABLE, blocks.lite_norm))
    x = images(2, 3, 224, 224)
    with torch.no_grad():
        expected = theirs(x)
        assert (mine(x) - expected).abs().max() <= TOLERANCE * expected.abs().max()
        assert (mine.train()(x) - expected).abs().max() > WRONG_BY
    assert [tuple(row) for row in LITE0_BLOCKS] == blocks.LITE0_TABLE
    assert (count_params(mine), count_macs(mine, 224)) == (4_652_008, 385_187_552)


def test_v4s_block_with_a_middle_layer_is_lesson_04s_and_four_are_different():
    mine = blocks.InvertedResidual(96, 96, 4, 1, 3, blocks.conv_norm)
    assert alike.difference(blocks.UniversalBlock(96, 4, 0, 3), mine, images(4, 96, 14, 14)) <= TOLERANCE
    costs = {(a, b): count_macs(blocks.UniversalBlock(96, 4, a, b), 14, 96) for a in (0, 3) for b in (0, 3)}
    positions = 14 * 14
    assert costs[0, 0] == positions * 2 * 96 * 384
    assert costs[3, 0] - costs[0, 0] == positions * 9 * 96 and costs[0, 3] - costs[0, 0] == positions * 9 * 384
    assert costs[3, 3] == costs[3, 0] + costs[0, 3] - costs[0, 0]


def defined(source: str) -> dict[str, str]:
    """What a text defines: functions and classes without docstrings and annotations, and CONSTANTS."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            for part in ast.walk(node):
                if isinstance(part, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(part):
                    part.body = part.body[1:]
            found[node.name] = ast.unparse(node)
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "").isupper():
            found[node.targets[0].id] = ast.unparse(node.value)
    return found


def test_the_page_writes_out_what_the_room_has():
    cells = [cell.source for cell in nbformat.read(PAGE, as_version=4).cells if cell.cell_type == "code"]
    page, room = defined("\n\n".join(cells)), defined((ROOT / "helpers/lessons/lesson_09/layers.py").read_text("utf-8"))
    alike = ("Fire", "SqueezeNet", "conv_norm", "LITE0_TABLE", "MNASNET_TABLE", "UniversalBlock", "ResNet18")
    for name in alike:
        assert page[name] == room[name], name
    # the page's own name for what the reader may have written is `shuffle`
    for name in ("ShuffleUnit", "ShuffleNetV2"):
        told = page[name].replace("room.SHUFFLE_TABLE", "SHUFFLE_TABLE")
        assert told == room[name].replace("stride, channel_shuffle)", "stride, shuffle)"), name


# What readers type in exercises 9.5 and 9.7, written here a second time, and the beginning of what they are told.


def block(joins=lambda stride, i, o: stride == 1 and i == o, groups=lambda i, wide: wide, second=None):
    """Exercise 9.5 as a reader writes it, by layers of its own names; `second`: what is said to the depthwise layer."""

    class InvertedResidual(nn.Module):
        def __init__(self, channels_in, channels_out, expansion, stride, kernel, layer):
            super().__init__()
            wide = channels_in * expansion
            self.widen = layer(channels_in, wide, 1) if expansion != 1 else None
            self.deep = layer(wide, wide, kernel, stride, groups=groups(channels_in, wide), **(second or {}))
            self.narrow = layer(wide, channels_out, 1, act=None)
            self.residual = joins(stride, channels_in, channels_out)

        def forward(self, x):
            y = self.narrow(self.deep(self.widen(x) if self.widen else x))
            return y + x if self.residual else y

    return InvertedResidual


def summed(rows):
    return [i for i, (a, *b) in enumerate(rows)
            if not [1 for j, (c, *d) in enumerate(rows)
                    if j != i and c >= a and sum(d) <= sum(b) and (c, *d) != (a, *b)]]  # fmt: skip


TYPED = {
    "Right": ("9.5", block()),
    "Stride 1 alone does not suffice": ("9.5", block(joins=lambda stride, i, o: stride == 1)),
    "The same channels do not suffice": ("9.5", block(joins=lambda stride, i, o: i == o)),
    "The input is added only where": ("9.5", block(joins=lambda *_: True)),
    "groups is the number of channels that": ("9.5", block(groups=lambda i, wide: i)),
    "The depthwise layer has its activation": ("9.5", block(second={"act": None})),
    "The costs were summed": ("9.7", summed),
}


@pytest.mark.parametrize("words", TYPED)
def test_what_was_typed_is_met_with_its_words(words):
    number, written = TYPED[words]
    written.__name__ = EXERCISES[number].name
    right, said = EXERCISES[number].judge(written)
    assert right == (words == "Right") and words in said, said


def test_one_cost_alone_is_still_told_from_the_sum():
    def unbeaten(rows):
        return [i for i, a in enumerate(rows)
                if not any(b[0] >= a[0] and b[1] <= a[1] and b[:2] != a[:2] for b in rows)]  # fmt: skip

    assert "Only one cost was looked at" in EXERCISES["9.7"].judge(unbeaten)[1]
