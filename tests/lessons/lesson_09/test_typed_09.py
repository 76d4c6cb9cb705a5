"""What learners type by mistake in lesson 09, written from the words alone: `check` finds the right ones."""

import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.typed import Sheet, meet

SHEET = Sheet()
typed = SHEET.typed


# 9.2 the shuffle


def dealt(x, order):
    return torch.stack([x[:, place] for place in order], dim=1)


@typed("9.2", "Nothing has moved")
def shuffle_nothing(x, groups):
    b, c, h, w = x.shape
    return x.view(b, groups, c // groups, h, w).view(b, c, h, w)


@typed("9.2", "You dealt the other way")
def shuffle_back(x, groups):
    b, c, h, w = x.shape
    return x.view(b, c // groups, groups, h, w).permute(0, 2, 1, 3, 4).reshape(b, c, h, w)


@typed("9.2", "The groups have changed places as wholes")
def shuffle_groups(x, groups):
    b, c, h, w = x.shape
    return x.view(b, groups, c // groups, h, w).flip(1).view(b, c, h, w)


@typed("9.2", "The groups have changed places as wholes")
def shuffle_groups_roll(x, groups):
    return torch.roll(x, x.shape[1] // groups, dims=1)


@typed("9.2", "The groups have changed places as wholes")
def shuffle_groups_first_last(x, groups):
    first, *others = x.split(x.shape[1] // groups, dim=1)
    return torch.cat([*others, first], dim=1)


@typed("9.2", "You turned the order inside each group")
def shuffle_inside(x, groups):
    size = x.shape[1] // groups
    return dealt(x, [g * size + size - 1 - k for g in range(groups) for k in range(size)])


@typed("9.2", "All channels stay")
def shuffle_one_each(x, groups):
    size = x.shape[1] // groups
    return dealt(x, [g * size for g in range(groups)])


@typed("9.2", "A random order would be another one")
def shuffle_random(x, groups):
    order = torch.randperm(x.size(1))
    return torch.index_select(x, 1, order)


@typed("9.2", "A random order would be another one")
def shuffle_random_numpy(x, groups):
    return x[:, np.random.permutation(x.shape[1])]


@typed("9.2", "A random order would be another one")
def shuffle_random_python(x, groups):
    order = list(range(x.shape[1]))
    random.shuffle(order)
    return x[:, order]


@typed("9.2", "A random order would be another one")
def shuffle_random_sample(x, groups):
    return dealt(x, random.sample(range(x.shape[1]), x.shape[1]))


@typed("9.2", "That moves pixels")
def shuffle_pixels(x, groups):
    b, c, h, w = x.shape
    return torch.tensor(x.numpy().reshape(b, groups, -1).swapaxes(1, 2).reshape(b, c, h, w))


@typed("9.2", "That mixes the images of a batch")
def shuffle_images(x, groups):
    b, c, h, w = x.shape
    return x.reshape(groups, b * c // groups, h, w).permute(1, 0, 2, 3).reshape(b, c, h, w)


# 9.5 the block


def page_layer(channels_in, channels_out, kernel, stride=1, groups=1, act=nn.ReLU):
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out), *([act()] if act else []))


def block(widen=None, middle=None, narrow=None, answer=None, wide_of=None, expands=None, adds=None):
    """A right block but for what is given, as a class of its own; each part takes what it needs by name."""

    class Block(nn.Module):
        def __init__(self, channels_in, channels_out, expansion, stride, kernel, layer):
            super().__init__()
            wide = wide_of(channels_in, channels_out, expansion) if wide_of else expansion * channels_in
            given = {"a": channels_in, "b": channels_out, "wide": wide, "s": stride, "k": kernel, "layer": layer}
            parts = []
            if expansion > 1 or expands:
                parts.append(widen(**given) if widen else layer(channels_in, wide, 1))
            parts.append(middle(**given) if middle else layer(wide, wide, kernel, stride, groups=wide))
            parts.append(narrow(**given) if narrow else layer(wide, channels_out, 1, act=None))
            self.parts = nn.ModuleList(parts)
            self.residual = adds(**given) if adds else stride == 1 and channels_in == channels_out

        def forward(self, x):
            y = x
            for part in self.parts:
                y = part(y)
            if answer:
                return answer(x, y, self.residual)
            return x + y if self.residual else y

    return Block


for words, name, wrong in (
    ("Where stride is 1 and both ends", "no_sum", block(answer=lambda x, y, add: y)),
    ("Stride 1 alone does not suffice", "by_stride", block(adds=lambda s, **_: s == 1)),
    ("The same channels do not suffice", "by_channels", block(adds=lambda a, b, **_: a == b)),
    ("The input is added only where both ends", "always", block(adds=lambda **_: True)),
    ("The input is added only where both ends", "always_unasked", block(answer=lambda x, y, add: x + y)),
    ("Right for every shape", "by_shape", block(answer=lambda x, y, add: x + y if x.shape == y.shape else y)),
    (
        "groups is the number of channels that the depthwise layer sees",
        "groups_of_the_input",
        block(middle=lambda a, wide, k, s, layer, **_: layer(wide, wide, k, s, groups=a)),
    ),
    (
        "The depthwise layer has its activation",
        "depthwise_linear",
        block(middle=lambda wide, k, s, layer, **_: layer(wide, wide, k, s, groups=wide, act=None)),
    ),
    ("The projection has no activation", "narrow_relu", block(narrow=lambda wide, b, layer, **_: layer(wide, b, 1))),
    ("There is no activation after the sum", "relu6", block(answer=lambda x, y, add: F.relu6(x + y if add else y))),
    ("There is no activation after the sum", "relu", block(answer=lambda x, y, add: F.relu(x + y if add else y))),
    (
        "There is no activation after the sum",
        "relu6_of_the_sum",
        block(answer=lambda x, y, add: F.relu6(x + y) if add else y),
    ),
    (
        "There is no activation after the sum",
        "relu_of_the_sum",
        block(answer=lambda x, y, add: F.relu(x + y) if add else y),
    ),
    (
        "The depthwise convolution takes `kernel`",
        "three",
        block(middle=lambda wide, s, layer, **_: layer(wide, wide, 3, s, groups=wide)),
    ),
    (
        "The middle convolution is depthwise",
        "dense",
        block(middle=lambda wide, k, s, layer, **_: layer(wide, wide, k, s)),
    ),
    ("With expansion 1 there is nothing to widen", "always_widens", block(expands=True)),
    (
        "The stride belongs to the depthwise convolution",
        "stride_first",
        block(
            widen=lambda a, wide, s, layer, **_: layer(a, wide, 1, s),
            middle=lambda wide, k, layer, **_: layer(wide, wide, k, groups=wide),
        ),
    ),
    ("It is the input that is widened", "wide_of_the_output", block(wide_of=lambda a, b, e: e * b if e > 1 else a)),
    (
        "Which activation is the business of `layer`",
        "relu6_everywhere",
        block(
            widen=lambda a, wide, layer, **_: layer(a, wide, 1, act=nn.ReLU6),
            middle=lambda wide, k, s, layer, **_: layer(wide, wide, k, s, groups=wide, act=nn.ReLU6),
        ),
    ),
    (
        "Make the layers by `layer`",
        "own_layers",
        block(
            widen=lambda a, wide, **_: page_layer(a, wide, 1),
            middle=lambda wide, k, s, **_: page_layer(wide, wide, k, s, groups=wide),
            narrow=lambda wide, b, **_: page_layer(wide, b, 1, act=None),
        ),
    ),
):
    wrong.__name__ = name
    typed("9.5", words)(wrong)


@typed("9.5", "Here the expansion comes before the stride")
class LikeLesson4(block()):
    def __init__(self, channels_in, channels_out, stride, expansion, kernel, layer):
        super().__init__(channels_in, channels_out, expansion, stride, kernel, layer)


# 9.6 from a table to blocks


@typed("9.6", "Only the first block of a row has the row's stride")
def settings_strides(table, channels):
    blocks = []
    for expansion, out, repeats, stride, kernel in table:
        for _ in range(repeats):
            blocks.append((channels, out, expansion, stride, kernel))
            channels = out
    return blocks


@typed("9.6", "From the second block of a row on")
def settings_row_channels(table, channels):
    blocks = []
    for expansion, out, repeats, stride, kernel in table:
        blocks.append((channels, out, expansion, stride, kernel))
        for _ in range(1, repeats):
            blocks.append((channels, out, expansion, 1, kernel))
        channels = out
    return blocks


@typed("9.6", "A row with repeats n stands for n blocks")
def settings_once(table, channels):
    blocks = []
    for expansion, out, _, stride, kernel in table:
        blocks.append((channels, out, expansion, stride, kernel))
        channels = out
    return blocks


@typed("9.6", "The stride belongs to the first block of a row")
def settings_last(table, channels):
    blocks = []
    for expansion, out, repeats, stride, kernel in table:
        for step in [1] * (repeats - 1) + [stride]:
            blocks.append((channels, out, expansion, step, kernel))
            channels = out
    return blocks


@typed("9.6", "What comes out of one block goes into the next")
def settings_same(table, channels):
    return [
        (channels, out, expansion, 1 if i else stride, kernel)
        for expansion, out, repeats, stride, kernel in table
        for i in range(repeats)
    ]


def settings_right(table, channels):
    blocks = []
    for expansion, out, repeats, stride, kernel in table:
        while repeats:
            blocks.append((channels, out, expansion, stride, kernel))
            channels, stride, repeats = out, 1, repeats - 1
    return blocks


@typed("9.6", "The order is")
def settings_order(table, channels):
    return [(a, e, b, s, k) for a, b, e, s, k in settings_right(table, channels)]


@typed("9.6", "The order is")
def settings_order_of_the_table(table, channels):
    return [(e, a, b, s, k) for a, b, e, s, k in settings_right(table, channels)]


@typed("9.6", "The order is")
def settings_kernel_before_stride(table, channels):
    return [(a, b, e, k, s) for a, b, e, s, k in settings_right(table, channels)]


@typed("9.6", "repeats counts all blocks")
def settings_more(table, channels):
    blocks = []
    for expansion, out, repeats, stride, kernel in table:
        blocks.append((channels, out, expansion, stride, kernel))
        blocks += [(out, out, expansion, 1, kernel)] * repeats
        channels = out
    return blocks


# 9.7 what nothing beats


def left(rows, beats):
    """Places of the rows that no row at another place beats."""
    places = []
    for i, one in enumerate(rows):
        others = [other for j, other in enumerate(rows) if j != i]
        if not any(beats(np.array(other, float), np.array(one, float)) for other in others):
            places.append(i)
    return places


def gains(a, b):
    """How much better `a` is in each thing."""
    return np.concatenate([a[:1] - b[:1], b[1:] - a[1:]])


def right_places(rows):
    return left(rows, lambda a, b: (gains(a, b) >= 0).all() and (gains(a, b) > 0).any())


@typed("9.7", "Only one cost was looked at")
def unbeaten_one_cost(rows):
    return right_places([row[:2] for row in rows])


@typed("9.7", "The costs were summed")
def unbeaten_summed(rows):
    return right_places([(row[0], sum(row[1:])) for row in rows])


@typed("9.7", "Better in one thing is not enough")
def unbeaten_any(rows):
    return left(rows, lambda a, b: (gains(a, b) > 0).any())


@typed("9.7", "A network also beats another when it is equal")
def unbeaten_strict(rows):
    return left(rows, lambda a, b: (gains(a, b) > 0).all())


@typed("9.7", "Two rows that are alike do not beat each other")
def unbeaten_alike(rows):
    return left(rows, lambda a, b: (gains(a, b) >= 0).all())


@typed("9.7", "Each row beats itself there")
def unbeaten_itself(rows):
    return [
        i
        for i, one in enumerate(rows)
        if not any(a[0] >= one[0] and all(x <= y for x, y in zip(a[1:], one[1:], strict=True)) for a in rows)
    ]


@typed("9.7", "Of costs, less is better")
def unbeaten_more(rows):
    return left(rows, lambda a, b: (a >= b).all() and (a > b).any())


@typed("9.7", "The places of the rows are asked")
def unbeaten_rows(rows):
    return [rows[i] for i in right_places(rows)]


@typed("9.7", "Those are the ones that are beaten")
def unbeaten_beaten(rows):
    return sorted(set(range(len(rows))) - set(right_places(rows)))


@typed("9.7", "That is only the most accurate")
def unbeaten_best(rows):
    accuracies = np.array([row[0] for row in rows])
    return np.flatnonzero(accuracies == accuracies.max()).tolist()


@typed("9.7", "That is only the most accurate")
def unbeaten_first_best(rows):
    return [int(np.argmax([row[0] for row in rows]))]


# 9.8 rank correlation


def places(values):
    return np.argsort(np.argsort(values))


def squares(a, b):
    return ((places(a) - places(b)) ** 2).sum()


@typed("9.8", "That is the correlation of the values")
def ranks_values(a, b):
    return float(np.corrcoef(a, b)[0, 1])


@typed("9.8", "That is which value stands at each place")
def ranks_argsort(a, b):
    d = np.argsort(a) - np.argsort(b)
    return float(1 - 6 * (d**2).sum() / (len(a) * (len(a) ** 2 - 1)))


@typed("9.8", "The squares of the differences count")
def ranks_sizes(a, b):
    return float(1 - 6 * abs(places(a) - places(b)).sum() / (len(a) ** 3 - len(a)))


@typed("9.8", "That is the share itself")
def ranks_share(a, b):
    return float(6 * squares(a, b) / (len(a) ** 3 - len(a)))


@typed("9.8", "Divide by n(n² − 1), not by n³")
def ranks_cube(a, b):
    return float(1 - 6 * squares(a, b) / len(a) ** 3)


@typed("9.8", "The factor 6 is missing")
def ranks_six(a, b):
    return float(1 - squares(a, b) / (len(a) ** 3 - len(a)))


@typed("9.8", "That counts pairs in the same order")
def ranks_pairs(a, b):
    a, b = np.array(a), np.array(b)
    signs = np.sign(a[:, None] - a) * np.sign(b[:, None] - b)
    return float(signs.sum() / (len(a) * (len(a) - 1)))


@SHEET.each
def test_what_was_typed_is_met_with_its_words(number, words, written):
    meet(number, words, written)
