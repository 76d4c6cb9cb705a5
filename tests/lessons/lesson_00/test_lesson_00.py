"""The quick tour's drawings: what they draw and what their sentences say are the numbers that they were given."""

import itertools
import re

import matplotlib.pyplot as plt
import pytest
import torch
import torch.nn.functional as F
from matplotlib.patches import Rectangle

from helpers.data import load_cifar10
from helpers.lessons.lesson_00 import plots


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_flow_ends_in_the_loss():
    _, test = load_cifar10()
    torch.manual_seed(0)
    scores = torch.randn(10)
    image, features = test[[650]], torch.randn(1280).relu()
    figure, words = plots.flow(image, features, scores)
    picture, middle = (figure.axes[place].images[0].get_array() for place in (0, 2))
    assert torch.equal(torch.tensor(picture), image.images[0])
    assert torch.equal(torch.tensor(middle).flatten(), features)
    assert [bar.get_width() for bar in figure.axes[4].patches] == pytest.approx(scores.tolist())
    assert [tick.get_text() for tick in figure.axes[4].get_yticklabels()] == list(test.classes)
    loss = F.cross_entropy(scores[None], image.labels).item()
    assert f"the loss {loss:.2f}." in words and test.classes[image.labels[0]] in words
    assert figure.axes[-1].texts[0].get_text() == f"{loss:.2f}"
    bars = [bar.get_width() for bar in figure.axes[6].patches]
    assert bars == pytest.approx((100 * scores.softmax(0)).tolist(), rel=1e-5)
    colours = [bar.get_facecolor() for bar in figure.axes[6].patches]
    assert [colour == colours[0] for colour in colours] == [index != int(image.labels[0]) for index in range(10)]


def test_a_weight_rolls_as_the_page_prints():
    figure, words = plots.rolling((0.25, 1.05))
    good, bad = (axis.lines[1].get_xdata() for axis in figure.axes)
    assert list(good) == [-1, 1, 2, 2.5, 2.75, 2.875] and abs(bad[-1] - 3) > abs(bad[0] - 3)
    assert list(figure.axes[0].lines[1].get_ydata()) == [17, 5, 2, 1.25, 1.0625, 1.015625]
    assert "2.9 at learning rate 0.25" in words and f"{bad[-1]:.1f} at learning rate 1.05" in words


def test_an_arrow_leads_from_each_place_of_the_weight_to_the_next():
    figure, _ = plots.rolling([0.1, 0.9], start=-1.0, steps=4)
    for axis in figure.axes:
        way = list(zip(*axis.lines[1].get_data(), strict=True))
        arrows = [each for each in axis.texts if each.arrow_patch is not None]
        assert [(tuple(each.xyann), tuple(each.xy)) for each in arrows] == list(itertools.pairwise(way))


def test_every_redraw_is_in_the_histogram():
    torch.manual_seed(0)
    shares = torch.randint(1200, 1300, (500,)) / 2000
    figure, words = plots.redraws(shares, (0.61, 0.64), (0.62, 0.65), total=2000)
    bars = [patch.get_height() for patch in figure.axes[0].patches]
    assert sum(bars) == 500
    bars_above = [line.get_xdata() for line in figure.axes[0].lines]
    assert [tuple(round(x, 6) for x in line) for line in bars_above] == [(61, 64), (62, 65)]
    names = ["middle 95 % of the redraws", "interval by Wilson's formula"]
    heights = [(text.get_text(), text.get_position()[1]) for text in figure.axes[0].texts]
    assert heights == [(name, line.get_ydata()[0]) for name, line in zip(names, figure.axes[0].lines, strict=True)]
    assert "redraws from 61.0% to 64.0%" in words and "formula from 62.0% to 65.0%" in words


def test_confusion_shows_every_count():
    counts = torch.tensor([[5, 0, 1], [4, 2, 0], [0, 3, 9]])
    figure, words = plots.confusion(counts, ("ant", "bee", "cow"), frame=(1, 2))
    assert [text.get_text() for text in figure.axes[0].texts] == ["5", "·", "1", "4", "2", "·", "·", "3", "9"]
    assert figure.axes[0].images[0].get_array().tolist() == counts.tolist()
    assert (figure.axes[0].get_ylabel(), figure.axes[0].get_xlabel()) == ("what it is", "the network's answer")
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["ant", "bee", "cow"]
    assert "16 of 24 on the diagonal" in words and "bee called ant, 4 times" in words
    frame = next(patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle))
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((0.5, 0.5), 2, 2)


@pytest.mark.parametrize(("height", "width", "corner"), [(60, 40, (-0.5, 9.5)), (40, 60, (9.5, -0.5))])
def test_the_square_is_what_the_network_sees(height, width, corner):
    photo = torch.zeros(height, width, 3, dtype=torch.uint8)
    figure, words = plots.named_photo(photo, ["cat", "dog"], torch.tensor([0.75, 0.25]))
    square = figure.axes[0].patches[0]
    assert square.get_xy() == corner and square.get_width() == square.get_height() == 40
    assert re.search(r"cat 75%, dog 25%\.$", words)
    assert [bar.get_width() for bar in figure.axes[1].patches] == [75, 25]
    assert [tick.get_text() for tick in figure.axes[1].get_yticklabels()] == ["cat", "dog"]
    assert [text.get_text() for text in figure.axes[1].texts] == ["75%", "25%"]
