"""Exercises 9.2, 9.5 and 9.6: what is to be written, right ones and the mistakes people make in them."""

import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from helpers.exercises.code import Case, CodeExercise, draw, fill
from helpers.lessons.lesson_09.layers import (
    LITE0_TABLE,
    MNASNET_TABLE,
    InvertedResidual,
    channel_shuffle,
    conv_norm,
    lite_norm,
    settings,
)

# ------------------------------------------------------------------------------------------- 9.2 channel_shuffle


def _eight(groups: int) -> torch.Tensor:
    """Eight channels that hold their own numbers, one image, 1 × 2."""
    return torch.arange(8.0).reshape(1, 8, 1, 1).expand(1, 8, 1, 2).contiguous()


def _within(x, groups):
    batch, channels, height, width = x.shape
    by_group = x.reshape(batch, groups, channels // groups, height, width)
    return by_group.flip(2).reshape(x.shape)


def _back(x, groups):
    return channel_shuffle(x, x.shape[1] // groups)


def _no_transpose(x, groups):
    batch, channels, height, width = x.shape
    return x.reshape(batch, channels // groups, groups, height, width).reshape(x.shape)


def _halves(x, groups):
    return torch.cat(x.chunk(groups, dim=1)[::-1], dim=1)


def _turned_round(turns):
    return lambda x, groups: torch.roll(x, turns * x.shape[1] // groups, dims=1)


def _first_of_each(x, groups):
    return x[:, :: x.shape[1] // groups]


def _random(order_of):
    return lambda x, groups: x[:, order_of(x.shape[1])]


def _shuffled(channels):
    order = list(range(channels))
    random.shuffle(order)
    return order


def _positions(x, groups):
    return x.reshape(len(x), groups, -1).transpose(1, 2).reshape(x.shape)


def _images(x, groups):
    return x.reshape(groups, -1, *x.shape[2:]).transpose(0, 1).reshape(x.shape)


SHUFFLE = CodeExercise(
    "channel_shuffle",
    (
        Case("for eight channels in two groups", _eight(2), 2),
        Case("for eight channels in four groups", _eight(4), 4),
        Case("for three images with twelve channels in three groups", draw(3, 12, 4, 5), 3),
        Case("for one group", draw(2, 6, 3, 3, seed=1), 1),
    ),
    channel_shuffle,
    "a reshape, an exchange of two axes, a reshape: no multiplication, no weight. It only moves numbers, and that "
    "takes time all the same: page 9b measures it.",
    {
        "Nothing has moved: between the two reshapes the axes of group and place must be exchanged.": _no_transpose,
        "You dealt the other way: with C/groups groups. Reshape to (groups, C / groups) first, then exchange.": _back,
        "The groups have changed places as wholes; one channel of each in turn is asked.": (
            _halves,
            _turned_round(1),
            _turned_round(-1),
        ),
        "You turned the order inside each group; channels of different groups must come to stand side by side.": (
            _within
        ),
        "All channels stay: you kept one of each group.": _first_of_each,
        "A random order would be another one in every call; the shuffle is always the same.": (
            _random(torch.randperm),
            _random(np.random.permutation),
            _random(lambda channels: random.sample(range(channels), channels)),
            _random(_shuffled),
        ),
        "That moves pixels from one place to another: keep height and width as axes of their own.": _positions,
        "That mixes the images of a batch: the batch stays the first axis.": _images,
    },
    hint="For groups a, b of (0, 1, 2, 3) and (4, 5, 6, 7) the new order is 0, 4, 1, 5, 2, 6, 3, 7.",
)

# ------------------------------------------------------------------------------------------- 9.5 InvertedResidual


def run(block, *given, x):
    """Make the block with weights that depend on their shapes alone, in eval mode, and run it."""
    made = fill(block(*given)).eval()
    with torch.no_grad():
        return made(x)


def run_switched_off(block, *given, x):
    """The same with the residual switched off, as the page does further down."""
    made = fill(block(*given)).eval()
    made.residual = False
    with torch.no_grad():
        return made(x)


class _NoResidual(InvertedResidual):
    def forward(self, x):
        return self.layers(x)


class _AddsByStride(InvertedResidual):
    def __init__(self, channels_in, channels_out, expansion, stride, kernel, layer):
        super().__init__(channels_in, channels_out, expansion, stride, kernel, layer)
        self.residual = stride == 1


class _AddsByChannels(InvertedResidual):
    def __init__(self, channels_in, channels_out, expansion, stride, kernel, layer):
        super().__init__(channels_in, channels_out, expansion, stride, kernel, layer)
        self.residual = channels_in == channels_out


class _AddsByShape(InvertedResidual):
    def forward(self, x):
        y = self.layers(x)
        return x + y if x.shape == y.shape else y


class _AddsAlways(InvertedResidual):
    def forward(self, x):
        return x + self.layers(x)


class _KeepsAlways(InvertedResidual):
    def __init__(self, channels_in, channels_out, expansion, stride, kernel, layer):
        super().__init__(channels_in, channels_out, expansion, stride, kernel, layer)
        self.residual = True


class _GroupsOfTheInput(InvertedResidual):
    def __init__(self, channels_in, channels_out, expansion, stride, kernel, layer):
        super().__init__(channels_in, channels_out, expansion, stride, kernel, layer)
        wide = expansion * channels_in
        self.layers[-2] = layer(wide, wide, kernel, stride, groups=channels_in)


class _DepthwiseNotActivated(InvertedResidual):
    def __init__(self, channels_in, channels_out, expansion, stride, kernel, layer):
        super().__init__(channels_in, channels_out, expansion, stride, kernel, layer)
        wide = expansion * channels_in
        self.layers[-2] = layer(wide, wide, kernel, stride, groups=wide, act=None)


class _Activated(InvertedResidual):
    def __init__(self, channels_in, channels_out, expansion, stride, kernel, layer):
        super().__init__(channels_in, channels_out, expansion, stride, kernel, layer)
        self.layers[-1] = layer(expansion * channels_in, channels_out, 1)


def _after(activation, everywhere):
    class After(InvertedResidual):
        def forward(self, x):
            y = super().forward(x)
            return activation(y) if everywhere or self.residual else y

    return After


class _Always3(InvertedResidual):
    def __init__(self, channels_in, channels_out, expansion, stride, kernel, layer):
        super().__init__(channels_in, channels_out, expansion, stride, 3, layer)


class _Dense(InvertedResidual):
    def __init__(self, channels_in, channels_out, expansion, stride, kernel, layer):
        super().__init__(channels_in, channels_out, expansion, stride, kernel, layer)
        wide = expansion * channels_in
        self.layers[-2] = layer(wide, wide, kernel, stride)


class _AlwaysExpands(InvertedResidual):
    def __init__(self, channels_in, channels_out, expansion, stride, kernel, layer):
        super().__init__(channels_in, channels_out, expansion, stride, kernel, layer)
        if expansion == 1:
            self.layers = nn.Sequential(layer(channels_in, channels_in, 1), *self.layers)


class _StrideFirst(InvertedResidual):
    def __init__(self, channels_in, channels_out, expansion, stride, kernel, layer):
        super().__init__(channels_in, channels_out, expansion, stride, kernel, layer)
        wide = expansion * channels_in
        if expansion > 1:
            middle = layer(wide, wide, kernel, 1, groups=wide)
            self.layers = nn.Sequential(layer(channels_in, wide, 1, stride), middle, self.layers[-1])


class _WidensTheOutput(InvertedResidual):
    def __init__(self, channels_in, channels_out, expansion, stride, kernel, layer):
        super().__init__(channels_in, channels_out, expansion, stride, kernel, layer)
        wide = expansion * channels_out
        expand = [layer(channels_in, wide, 1)] if expansion > 1 else []
        first = wide if expansion > 1 else channels_in
        depthwise = layer(first, first, kernel, stride, groups=first)
        self.layers = nn.Sequential(*expand, depthwise, layer(first, channels_out, 1, act=None))


class _OwnActivation(InvertedResidual):
    def __init__(self, channels_in, channels_out, expansion, stride, kernel, layer):
        super().__init__(channels_in, channels_out, expansion, stride, kernel, layer)
        wide = expansion * channels_in
        expand = [layer(channels_in, wide, 1, act=nn.ReLU6)] if expansion > 1 else []
        depthwise = layer(wide, wide, kernel, stride, groups=wide, act=nn.ReLU6)
        self.layers = nn.Sequential(*expand, depthwise, self.layers[-1])


class _Lesson4Order(InvertedResidual):
    def __init__(self, channels_in, channels_out, stride, expansion, kernel, layer):
        super().__init__(channels_in, channels_out, expansion, stride, kernel, layer)


class _OwnLayers(InvertedResidual):
    def __init__(self, channels_in, channels_out, expansion, stride, kernel, layer):
        super().__init__(channels_in, channels_out, expansion, stride, kernel, conv_norm)


BLOCK = CodeExercise(
    "InvertedResidual",
    (
        Case(
            "with kernel 3, stride 1, as many channels out as in", 8, 8, 6, 1, 3, conv_norm, use=run, x=draw(2, 8, 7, 7)
        ),
        Case("with kernel 5 and stride 2", 8, 12, 3, 2, 5, conv_norm, use=run, x=draw(2, 8, 8, 8)),
        Case("with other channels out than in", 8, 12, 6, 1, 5, lite_norm, use=run, x=draw(2, 8, 6, 6)),
        Case("with expansion 1", 8, 8, 1, 1, 3, lite_norm, use=run, x=draw(2, 8, 6, 6)),
        Case("with stride 2 and the same channels", 8, 8, 6, 2, 3, lite_norm, use=run, x=8 * draw(2, 8, 8, 8)),
        Case("with residual set to False", 8, 8, 6, 1, 3, conv_norm, use=run_switched_off, x=draw(2, 8, 7, 7)),
    ),
    InvertedResidual,
    "the block of lesson 4, with the kernel and the layers left open: three families of networks are made of it.",
    {
        "Where stride is 1 and both ends have the same channels, the input is added.": _NoResidual,
        "Stride 1 alone does not suffice: both ends must have the same channels for a sum.": _AddsByStride,
        "The same channels do not suffice: with stride 2 what comes out is smaller than what went in.": _AddsByChannels,
        "The input is added only where both ends have the same shape: stride 1 and as many channels.": (
            _AddsAlways,
            _KeepsAlways,
        ),
        "Right for every shape; but ask self.residual, because the page switches one off by it.": _AddsByShape,
        "The projection has no activation: call layer(…, act=None).": _Activated,
        "There is no activation after the sum.": (
            _after(F.relu6, everywhere=True),
            _after(F.relu6, everywhere=False),
            _after(F.relu, everywhere=True),
            _after(F.relu, everywhere=False),
        ),
        "The depthwise convolution takes `kernel`, not always 3.": _Always3,
        "The middle convolution is depthwise: groups=wide.": _Dense,
        "groups is the number of channels that the depthwise layer sees: wide, not channels_in.": _GroupsOfTheInput,
        "The depthwise layer has its activation, too: only the last one has act=None.": _DepthwiseNotActivated,
        "With expansion 1 there is nothing to widen: the first 1 × 1 convolution is left out.": _AlwaysExpands,
        "The stride belongs to the depthwise convolution, not to the one that widens.": _StrideFirst,
        "It is the input that is widened: wide = expansion * channels_in.": _WidensTheOutput,
        "Here the expansion comes before the stride; in lesson 4's block it was the other way round.": _Lesson4Order,
        "Which activation is the business of `layer`: leave `act` alone but for the projection.": _OwnActivation,
        "Make the layers by `layer`, which is given: lite_norm pads otherwise and cuts at 6.": _OwnLayers,
    },
    hint="layer(channels_in, wide, 1), layer(wide, wide, kernel, stride, groups=wide), layer(wide, channels_out, 1, "
    "act=None); then the sum where it is possible.",
)

# ------------------------------------------------------------------------------------------- 9.6 settings


def _every_stride(table, channels):
    return [(a, b, e, row[3], k) for (a, b, e, _, k), row in _with_rows(table, channels)]


def _with_rows(table, channels):
    rows = [row for row in table for _ in range(row[2])]
    return list(zip(settings(table, channels), rows, strict=True))


def _channels_of_the_row(table, channels):
    found = []
    for expansion, out, repeats, stride, kernel in table:
        found += [(channels, out, expansion, stride if i == 0 else 1, kernel) for i in range(repeats)]
        channels = out
    return found


def _once(table, channels):
    return settings([(e, out, 1, stride, k) for e, out, _, stride, k in table], channels)


def _stride_last(table, channels):
    found = []
    for expansion, out, repeats, stride, kernel in table:
        for i in range(repeats):
            found.append((channels, out, expansion, stride if i == repeats - 1 else 1, kernel))
            channels = out
    return found


def _never_updated(table, channels):
    return [(channels, *rest) for _, *rest in settings(table, channels)]


def _in_table_order(table, channels):
    return [(a, e, b, s, k) for a, b, e, s, k in settings(table, channels)]


def _expansion_first(table, channels):
    return [(e, a, b, s, k) for a, b, e, s, k in settings(table, channels)]


def _kernel_before_stride(table, channels):
    return [(a, b, e, k, s) for a, b, e, s, k in settings(table, channels)]


def _one_more(table, channels):
    return settings([(e, out, repeats + 1, stride, k) for e, out, repeats, stride, k in table], channels)


SETTINGS = CodeExercise(
    "settings",
    (
        Case("for a table of one row", [(6, 24, 2, 2, 3)], 16),
        Case("for EfficientNet-Lite0's table", LITE0_TABLE, 32),
        Case("for MNASNet's table", MNASNET_TABLE, 32),
        Case("for rows that are not repeated", [(1, 8, 1, 1, 3), (3, 8, 1, 2, 5)], 8),
    ),
    settings,
    "the first block of a row changes channels and size, the others keep them and so have a residual.",
    {
        "Only the first block of a row has the row's stride, the others have 1.": _every_stride,
        "From the second block of a row on, the row's own channels come in.": _channels_of_the_row,
        "A row with repeats n stands for n blocks.": _once,
        "The stride belongs to the first block of a row, not to the last.": _stride_last,
        "What comes out of one block goes into the next: keep `channels` up to date.": _never_updated,
        "The order is (channels_in, channels_out, expansion, stride, kernel).": (
            _in_table_order,
            _expansion_first,
            _kernel_before_stride,
        ),
        "repeats counts all blocks of the row, the first included.": _one_more,
    },
    hint="Two loops: over the rows, and over range(repeats); at the end of the inner one channels = channels_out.",
)
