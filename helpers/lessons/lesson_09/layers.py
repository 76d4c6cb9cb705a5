"""Blocks and networks in full: what the page writes out, for its tests, and what it goes on with while a reader's own
are unfinished.

The page writes all of it but `channel_shuffle`, `InvertedResidual` and `settings`, which the reader writes. A test
holds the two to the same code.
"""

import torch
import torch.nn.functional as F
from torch import nn

from helpers.efficientnet import SameConv2d

# ---------------------------------------------------------------------------------------------- SqueezeNet


class Fire(nn.Module):
    """Squeeze by 1×1, expand by 1×1 and by 3×3 side by side: float32 [B,C,H,W] → [B,2·expand,H,W].

    Iandola et al. 2016, arXiv:1602.07360, section 3.2.
    """

    def __init__(self, channels_in, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(channels_in, squeeze, 1)
        self.expand1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x):
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1(x).relu(), self.expand3(x).relu()], dim=1)


class SqueezeNet(nn.Sequential):
    """SqueezeNet 1.1: float32 [B,3,H,W] → logits [B,classes]."""

    def __init__(self, classes=1000):
        def pool():
            return nn.MaxPool2d(3, stride=2, ceil_mode=True)

        super().__init__(
            nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), pool(),
            Fire(64, 16, 64), Fire(128, 16, 64), pool(),
            Fire(128, 32, 128), Fire(256, 32, 128), pool(),
            Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256),
            Fire(512, 64, 256), nn.Dropout(0.5),
            nn.Conv2d(512, classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip


# ---------------------------------------------------------------------------------------------- ShuffleNetV2


def channel_shuffle(x, groups):
    """Deal the channels anew, one of each group in turn: [B,C,H,W] → the same shape (arXiv:1707.01083, figure 1)."""
    batch, channels, height, width = x.shape
    by_group = x.reshape(batch, groups, channels // groups, height, width)
    return by_group.transpose(1, 2).reshape(x.shape)


def conv_norm(channels_in, channels_out, kernel, stride=1, groups=1, act=nn.ReLU):
    """A convolution without bias, BatchNorm, and an activation unless `act` is None."""
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    activation = [act()] if act else []
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out), *activation)


class ShuffleUnit(nn.Module):
    """ShuffleNetV2's unit: half of the channels pass by, the others are filtered, then all are dealt anew.

    float32 [B,C,H,W] → [B,channels_out,H/stride,W/stride]. Ma et al. 2018, arXiv:1807.11164, figure 3.
    """

    def __init__(self, channels_in, channels_out, stride):
        super().__init__()
        half, self.stride, self.shuffle = channels_out // 2, stride, channel_shuffle
        self.beside = nn.Identity()
        if stride == 2:
            self.beside = nn.Sequential(
                conv_norm(channels_in, channels_in, 3, 2, channels_in, act=None),
                conv_norm(channels_in, half, 1))  # fmt: skip
        self.layers = nn.Sequential(
            conv_norm(channels_in if stride == 2 else half, half, 1),
            conv_norm(half, half, 3, stride, groups=half, act=None),
            conv_norm(half, half, 1))  # fmt: skip

    def forward(self, x):
        a, b = (x, x) if self.stride == 2 else x.chunk(2, dim=1)
        return self.shuffle(torch.cat([self.beside(a), self.layers(b)], dim=1), 2)


# α → channels of the three stages and of the last convolution: arXiv:1807.11164, table 5.
SHUFFLE_TABLE = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}


class ShuffleNetV2(nn.Sequential):
    """ShuffleNetV2: float32 [B,3,H,W] → logits [B,classes]."""

    def __init__(self, width=1.0, classes=1000):
        *stages, last = SHUFFLE_TABLE[width]
        layers, channels = [conv_norm(3, 24, 3, stride=2), nn.MaxPool2d(3, 2, 1)], 24
        for channels_out, units in zip(stages, (4, 8, 4), strict=True):
            layers.append(ShuffleUnit(channels, channels_out, stride=2))
            layers += [ShuffleUnit(channels_out, channels_out, stride=1) for _ in range(units - 1)]
            channels = channels_out
        layers += [conv_norm(channels, last, 1), nn.AdaptiveAvgPool2d(1)]
        super().__init__(*layers, nn.Flatten(), nn.Linear(last, classes))


# ---------------------------------------------------------------------------------------------- inverted residuals


class InvertedResidual(nn.Module):
    """Lesson 04's block with two more knobs: the depthwise kernel, and who makes the layers.

    float32 [B,channels_in,H,W] → [B,channels_out,H/stride,W/stride]; `layer` is called as `conv_norm` is.
    """

    def __init__(self, channels_in, channels_out, expansion, stride, kernel, layer):
        super().__init__()
        wide = expansion * channels_in
        expand = [layer(channels_in, wide, 1)] if expansion > 1 else []
        depthwise = layer(wide, wide, kernel, stride, groups=wide)
        self.layers = nn.Sequential(*expand, depthwise, layer(wide, channels_out, 1, act=None))
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


def settings(table, channels):
    """Rows (expansion, channels out, repeats, stride, kernel) → what each block is made with.

    [(channels_in, channels_out, expansion, stride, kernel), …]; `channels` enter the first block.
    """
    blocks = []
    for expansion, channels_out, repeats, stride, kernel in table:
        for repeat in range(repeats):
            blocks.append((channels, channels_out, expansion, stride if repeat == 0 else 1, kernel))
            channels = channels_out
    return blocks


# arXiv:1905.11946, table 1: expansion, channels out, repeats, stride of the first, kernel
LITE0_TABLE = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3),
               (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]  # fmt: skip
# arXiv:1807.11626, figure 7, without squeeze-and-excite, as torchvision has it
MNASNET_TABLE = [(1, 16, 1, 1, 3), (3, 24, 3, 2, 3), (3, 40, 3, 2, 5), (6, 80, 3, 2, 5),
                 (6, 96, 2, 1, 3), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]  # fmt: skip


def lite_norm(channels_in, channels_out, kernel, stride=1, groups=1, act=nn.ReLU6):
    """Like `conv_norm`, as TensorFlow does it: padding on the right and below first, BatchNorm's eps 0.001."""
    conv = SameConv2d(channels_in, channels_out, kernel, stride, groups=groups, bias=False)
    activation = [act()] if act else []
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out, eps=1e-3), *activation)


def from_table(table, layer, block=InvertedResidual, classes=1000):
    """Stem, the table's blocks, head: float32 [B,3,H,W] → logits [B,classes]."""
    blocks = [block(*one, layer) for one in settings(table, 32)]
    head = [layer(320, 1280, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(layer(3, 32, 3, stride=2), *blocks, *head, nn.Dropout(0.2), nn.Linear(1280, classes))


# ---------------------------------------------------------------------------------------------- MobileNetV3's and V4's


class SqueezeExcite(nn.Module):
    """One factor for each channel from the means of all: [B,C,H,W] → the same shape (lesson 04b)."""

    def __init__(self, channels, hidden, act=nn.ReLU, gate=nn.Hardsigmoid):
        super().__init__()
        self.squeeze, self.excite = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)
        self.act, self.gate = act(), gate()

    def forward(self, x):
        return x * self.gate(self.excite(self.act(self.squeeze(x.mean((2, 3), keepdim=True)))))


def v3_norm(channels_in, channels_out, kernel, stride=1, groups=1, act=nn.Hardswish):
    """Like `conv_norm`, as V3 does it: h-swish, BatchNorm's eps 0.001; a depthwise layer weighs its channels too."""
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    weigh = [SqueezeExcite(channels_out, round_to_8(channels_out / 4))] if groups > 1 else []
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out, eps=1e-3), *([act()] if act else []), *weigh)


def round_to_8(channels):
    """The nearest multiple of 8, but never down by more than a tenth (arXiv:1801.04381's released code)."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


class UniversalBlock(nn.Module):
    """MobileNetV4's universal inverted bottleneck: a depthwise layer before expanding, one after, both or none.

    float32 [B,C,H,W] → the same shape; a kernel of 0 leaves the layer out. Qin et al. 2024, arXiv:2404.10518, figure 4.
    """

    def __init__(self, channels, expansion, first, middle):
        super().__init__()
        wide, layers = expansion * channels, []
        if first:
            before = conv_norm(channels, channels, first, groups=channels, act=None)
            layers.append(before)
        layers.append(conv_norm(channels, wide, 1))
        if middle:
            layers.append(conv_norm(wide, wide, middle, groups=wide))
        self.layers = nn.Sequential(*layers, conv_norm(wide, channels, 1, act=None))

    def forward(self, x):
        return x + self.layers(x)


# ---------------------------------------------------------------------------------------------- ResNet-18


class BasicBlock(nn.Module):
    """Two dense 3×3 convolutions and the sum: float32 [B,C,H,W] → [B,channels_out,H/stride,W/stride].

    He et al. 2015, arXiv:1512.03385, figure 5.
    """

    def __init__(self, channels_in, channels_out, stride):
        super().__init__()
        self.layers = nn.Sequential(conv_norm(channels_in, channels_out, 3, stride),
                                    conv_norm(channels_out, channels_out, 3, act=None))  # fmt: skip
        self.shortcut = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = conv_norm(channels_in, channels_out, 1, stride, act=None)

    def forward(self, x):
        return F.relu(self.layers(x) + self.shortcut(x))


class ResNet18(nn.Sequential):
    """ResNet-18: float32 [B,3,H,W] → logits [B,classes]."""

    def __init__(self, classes=1000):
        layers, channels = [conv_norm(3, 64, 7, stride=2), nn.MaxPool2d(3, 2, 1)], 64
        for channels_out in (64, 128, 256, 512):
            layers.append(BasicBlock(channels, channels_out, 1 + (channels_out > 64)))
            layers.append(BasicBlock(channels_out, channels_out, 1))
            channels = channels_out
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))
