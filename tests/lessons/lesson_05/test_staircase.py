"""The staircase: every layer's channels and costs by arithmetic, held to the real networks."""

import pytest
import torch
from matplotlib.colors import to_hex
from torchvision.models._utils import _make_divisible

from helpers.costs import count_macs, count_params, layer_costs
from helpers.lessons.lesson_05 import staircase, staircase_explorer
from helpers.models import mobilenet_v1, mobilenet_v2
from helpers.plots import COLOURS

BUILD = {"V1": mobilenet_v1, "V2": mobilenet_v2}


@pytest.mark.parametrize("family", BUILD)
@pytest.mark.parametrize("width", [0.1, 0.25, 0.35, 0.55, 1.0, 1.09, 1.4])
def test_channels_macs_and_parameters_are_the_real_network_s(family, width):
    with torch.device("meta"):
        model = BUILD[family](width)
    real = layer_costs(model, 224)
    mixing = [layer.output_shape[0] for layer in real if layer.kind != "depthwise"]
    mine = staircase.layers(family, width)
    if family == "V2":  # a block's expansion is drawn with its projection
        mixing = [mixing[0], mixing[1], *mixing[3:-2:2], *mixing[-2:]]
    assert [layer.channels for layer in mine] == mixing
    macs, params = staircase.whole(family, width)
    assert macs == sum(layer.macs for layer in real)
    assert params == sum(parameter.numel() for parameter in model.parameters())


# ------------------------------------------------------------------------------------------------ the explorer


@pytest.fixture
def explorer():
    return staircase_explorer()


def test_rounding_is_torchvision_s():
    for channels in (value / 10 for value in range(1, 4000, 7)):
        assert staircase.round_to_8(channels) == _make_divisible(channels, 8)


def test_what_is_computed(explorer):
    now = explorer.set(width=0.25).result
    model = mobilenet_v2(0.25)
    assert (now.macs, now.params) == (count_macs(model, 224), count_params(model))
    assert now.share == pytest.approx(now.macs / 300_774_272) and now.times == pytest.approx(now.share / 0.0625)
    assert now.same == (0.24, 0.26)
    assert explorer.set(what="weights").result.share == pytest.approx(now.params / 3_504_872)
    for value in (0.35, 0.55, 0.58, 1.1):  # what a slider holds may be 0.35000000000000003
        assert explorer.set(width=value + 1e-16).result.width == value


def test_towers_are_as_high_as_the_channels_and_orange_where_more_than_asked(explorer):
    explorer.set(width=0.35)
    picture, blocks = explorer._screen.picture, explorer.result.blocks
    assert [layer.channels for layer in blocks[:5]] == [16, 8, 8, 8, 16]
    for layer, kept, extra, asked in zip(
        blocks, picture.kept, picture.extra, picture.asked.get_segments(), strict=True
    ):
        assert kept.get_height() + extra.get_height() == pytest.approx(layer.channels)
        assert extra.get_y() == pytest.approx(kept.get_height())
        assert (extra.get_height() > 0) == (layer.channels > layer.asked)
        assert asked[:, 1].tolist() == pytest.approx([layer.asked] * 2)
    assert [to_hex(bars[0].get_facecolor()) for bars in (picture.kept, picture.extra)] == [
        COLOURS["blue"].lower(), COLOURS["orange"].lower(),
    ]  # fmt: skip
    heights = {segment[0, 1] for segment in picture.boxes.get_segments()}
    assert heights == set(range(8, max(layer.channels for layer in blocks), 8)), "a box is eight channels"


@pytest.mark.parametrize("what", ["MACs", "weights"])
def test_the_point_stands_on_its_curve(explorer, what):
    explorer.set(width=0.55, what=what)
    picture, now = explorer._screen.picture, explorer.result
    for axes, found, y in (
        (picture.curve, picture.curves, 100 * now.share),
        (picture.ratio, picture.multiples, now.times),
    ):
        point = picture.points[picture.answers.index(axes)]
        assert point.get_xydata().tolist() == [[0.55, pytest.approx(y)]]
        assert [0.55, pytest.approx(y)] in found["V2"].get_xydata().tolist()
        assert found["V2"].get_xydata().tolist() != found["V1"].get_xydata().tolist()
    law = next(line for line in picture.curve.lines if line.get_label() == "α²")
    assert [0.5, pytest.approx(25)] in law.get_xydata().tolist()
    assert picture.curve.get_title(loc="left").startswith(what)


def test_the_words(explorer):
    words = explorer.set(width=0.25).words.value
    assert "37.2M MACs (12.4% of α = 1, 1.98 times α²)" in words and "α² is 6.2%" in words
    assert "Every α from 0.24 to 0.26 is this very network" in words
    assert "The last 1 × 1 has 1,792 channels" in explorer.set(width=1.4).words.value
    assert "16, 8, 8, 8, 16" in explorer.set(width=0.35).alt


def test_veiled_it_asks_for_the_curve_s_shape():
    explorer = staircase_explorer(veiled=True)
    assert "12.4%" not in explorer.set(width=0.25).words.value and "steps" not in explorer.alt
    assert explorer._screen.picture.towers not in explorer._screen.picture.answers, "the towers can be played with"
    explorer.guess("a smooth curve, α²")
    assert "12.4%" in explorer.words.value and "a staircase" in explorer._asked.children[0].value
