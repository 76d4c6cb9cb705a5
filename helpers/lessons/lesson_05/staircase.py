"""Lesson 05: the channels of MobileNet V1 and V2 at any width multiplier, and what they cost at 224 pixels.

Counted by arithmetic, a layer at a time, so that a hundred widths take no time; the tests hold it to the real networks.
"""

import functools
from dataclasses import dataclass

from helpers.models import V1_BLOCKS

SIDE, CLASSES = 224, 1000
# arXiv:1801.04381, table 2: expansion, channels out, repeats, stride
V2_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
FAMILIES = {"V1": "cut off to whole numbers", "V2": "rounded to eights"}


@dataclass(frozen=True)
class Layer:
    """One convolution that mixes channels, and the depthwise one before it."""

    name: str
    asked: float  # channels out at this α, before rounding
    channels: int  # as they are
    full: int  # at α = 1
    macs: int
    params: int


def round_to_8(channels: float) -> int:
    """V2's rounding: the nearest multiple of 8, at least 8, and never below nine tenths of what was asked."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


@functools.cache
def layers(family: str, width: float) -> tuple[Layer, ...]:
    """The layers of a network of width α in order, the classifier last; costs of 224 pixels and 1000 classes."""
    return tuple(_v1(width) if family == "V1" else _v2(width))


@functools.cache
def whole(family: str, width: float) -> tuple[int, int]:
    """(MACs, parameters) of a whole network."""
    return sum(layer.macs for layer in layers(family, width)), sum(layer.params for layer in layers(family, width))


def _v1(width: float):
    def cut(channels: int) -> int:
        return max(1, int(channels * width))

    side, channels = SIDE // 2, cut(32)
    yield Layer("first 3 × 3", 32 * width, channels, 32, 27 * channels * side**2, 29 * channels)
    for number, (full, stride) in enumerate(V1_BLOCKS, start=1):
        out, side = cut(full), side // stride
        macs = (9 * channels + channels * out) * side**2
        params = 11 * channels + channels * out + 2 * out  # BatchNorm has two a channel
        yield Layer(f"block {number}", full * width, out, full, macs, params)
        channels = out
    yield _classifier(channels)


def _v2(width: float):
    side, channels = SIDE // 2, round_to_8(32 * width)
    yield Layer("first 3 × 3", 32 * width, channels, 32, 27 * channels * side**2, 29 * channels)
    number = 0
    for expansion, full, repeats, stride in V2_STAGES:
        out = round_to_8(full * width)
        for repeat in range(repeats):
            number, hidden, before = number + 1, channels * expansion, side
            side //= stride if repeat == 0 else 1
            macs = 9 * hidden * side**2 + hidden * out * side**2
            params = 9 * hidden + hidden * out + 2 * hidden + 2 * out
            if expansion > 1:
                macs, params = macs + channels * hidden * before**2, params + channels * hidden + 2 * hidden
            yield Layer(f"block {number}", full * width, out, full, macs, params)
            channels = out
    last = round_to_8(1280 * max(1.0, width))
    yield Layer("last 1 × 1", 1280 * max(1.0, width), last, 1280, channels * last * side**2, channels * last + 2 * last)
    yield _classifier(last)


def _classifier(channels: int) -> Layer:
    return Layer("classifier", CLASSES, CLASSES, CLASSES, channels * CLASSES, (channels + 1) * CLASSES)
