"""Lesson 09: five networks for CIFAR-10's 32 pixels that cost the same, 24 to 25 million MACs, by different blocks.

All have a first convolution of stride 1 and no dropout; they end on maps of 2 × 2 (the zoo's α = 1 and the two in
EfficientNet's style), 4 × 4 (ShuffleNetV2) and 8 × 8 (ResNet, as its paper has it, but narrower and with 1 × 1
convolutions as shortcuts). Which strides the other three lose at 32 pixels is our choice.
"""

from torch import nn

from helpers.lessons.lesson_09.layers import (
    LITE0_TABLE,
    BasicBlock,
    InvertedResidual,
    ShuffleUnit,
    SqueezeExcite,
    conv_norm,
    settings,
)
from helpers.models import mobilenet_v2

CLASSES = 10


def zoo() -> nn.Module:
    """The series' MobileNetV2 of width 1."""
    return mobilenet_v2(1.0, num_classes=CLASSES, stem_stride=1, dropout=0.0)


def zoo_from_defaults() -> nn.Module:
    """The same, with PyTorch's first weights, which the other four have, in place of torchvision's for MobileNetV2."""
    model = zoo()
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.reset_parameters()
    return model


def shuffle(stages: tuple[int, ...] = (82, 164, 320), last: int = 1024) -> nn.Sequential:
    """A ShuffleNetV2 without the first pooling."""
    layers, channels = [conv_norm(3, 24, 3)], 24
    for channels_out, units in zip(stages, (4, 8, 4), strict=True):
        layers += [ShuffleUnit(channels if i == 0 else channels_out, channels_out, 2 if i == 0 else 1)
                   for i in range(units)]  # fmt: skip
        channels = channels_out
    return nn.Sequential(*layers, conv_norm(channels, last, 1), *_head(last))


class _Weighed(nn.Module):
    """EfficientNet's depthwise layer, squeeze-and-excite behind it; the hidden channels follow the block's input."""

    def __init__(self, layer: nn.Module, channels: int, hidden: int):
        super().__init__()
        self.layer, self.weigh = layer, SqueezeExcite(channels, hidden, nn.SiLU, nn.Sigmoid)

    def forward(self, x):
        return self.weigh(self.layer(x))


def efficient(squeeze: bool, width: float = 0.85) -> nn.Sequential:
    """A network by EfficientNet-B0's table and its swish, `width` times as wide, with squeeze-and-excite or without."""
    layer = _with_swish
    wide = [(e, max(8, 8 * round(out * width / 8)), n, s, k) for e, out, n, s, k in LITE0_TABLE]
    layers, channels = [layer(3, 8 * round(32 * width / 8), 3)], 8 * round(32 * width / 8)
    for one in settings(wide, channels):
        block = InvertedResidual(*one, layer)
        if squeeze:
            place = len(block.layers) - 2
            block.layers[place] = _Weighed(block.layers[place], one[0] * one[2], max(1, one[0] // 4))
        layers.append(block)
    return nn.Sequential(*layers, layer(wide[-1][1], 1280, 1), *_head(1280))


def resnet(stages: tuple[int, ...] = (12, 25, 50), blocks: int = 3) -> nn.Sequential:
    """A ResNet for CIFAR-10 (arXiv:1512.03385, section 4.2): three stages of basic blocks."""
    layers, channels = [conv_norm(3, stages[0], 3)], stages[0]
    for stage, channels_out in enumerate(stages):
        for i in range(blocks):
            layers.append(BasicBlock(channels, channels_out, 2 if stage and i == 0 else 1))
            channels = channels_out
    return nn.Sequential(*layers, *_head(channels))


def _with_swish(channels_in, channels_out, kernel, stride=1, groups=1, act=nn.SiLU):
    return conv_norm(channels_in, channels_out, kernel, stride, groups, act)


def _head(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)]


NETWORKS = {
    "MobileNetV2 (zoo)": zoo,
    "ShuffleNetV2": shuffle,
    "EfficientNet, with squeeze-and-excite": lambda: efficient(True),
    "EfficientNet, without": lambda: efficient(False),
    "ResNet-20": resnet,
}
OTHER_WEIGHTS = {"MobileNetV2, other first weights": zoo_from_defaults}  # a control
