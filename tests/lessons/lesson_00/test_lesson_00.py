"""The quick tour's drawings: what they draw and what their sentences say are the numbers that they were given."""

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
    image = test[[650]]
    figure, words = plots.flow(image, torch.randn(1280).relu(), scores)
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


def test_every_redraw_is_in_the_histogram():
    torch.manual_seed(0)
    shares = torch.randint(1200, 1300, (500,)) / 2000
    figure, words = plots.redraws(shares, (0.61, 0.64), (0.62, 0.65), total=2000)
    bars = [patch.get_height() for patch in figure.axes[0].patches]
    assert sum(bars) == 500
    bars_above = [line.get_xdata() for line in figure.axes[0].lines]
    assert [tuple(round(x, 6) for x in line) for line in bars_above] == [(61, 64), (62, 65)]
    assert "redraws from 61.0% to 64.0%" in words and "formula from 62.0% to 65.0%" in words


def test_confusion_shows_every_count():
    counts = torch.tensor([[5, 0, 1], [4, 2, 0], [0, 3, 9]])
    figure, words = plots.confusion(counts, ("ant", "bee", "cow"), frame=(1, 2))
    assert [text.get_text() for text in figure.axes[0].texts] == ["5", "·", "1", "4", "2", "·", "·", "3", "9"]
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
    assert [text.get_text() for text in figure.axes[1].texts] == ["75%", "25%"]
