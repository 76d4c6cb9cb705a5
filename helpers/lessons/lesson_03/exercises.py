"""Exercises of lesson 03, both pages."""

import torch
from torch import nn

from helpers.exercises import Exercise
from helpers.exercises.code import Case, CodeExercise, draw


def depthwise(image: torch.Tensor, weight: torch.Tensor, stride: int = 1) -> torch.Tensor:
    """image [M,H,W], weight [M,K,K] → [M,H_out,W_out], no padding."""
    return nn.functional.conv2d(image[None], weight[:, None], stride=stride, groups=len(image))[0]


def standing_still(image, weight, stride=1):
    """The right output's size, filled with windows that start one pixel apart."""
    height, width = depthwise(image, weight, stride).shape[1:]
    return depthwise(image, weight)[:, :height, :width]


def one_product(image, weight, stride=1, place=0):
    """Of each window the product at `place`, `place` alone: the first one, or, with −1, the last one."""
    kernel = torch.zeros_like(weight)
    kernel[:, place, place] = weight[:, place, place]
    return depthwise(image, kernel, stride)


def all_channels(image, weight, stride=1):
    """Wrong: every output channel is the sum of all the inputs', as in a dense layer."""
    return depthwise(image, weight, stride).sum(0, keepdim=True).expand(len(image), -1, -1)


def one_kernel_for_all(image, weight, stride=1):
    """Wrong: a channel's kernel goes over all the inputs."""
    kernels = weight[:, None].expand(-1, len(image), -1, -1)
    return nn.functional.conv2d(image[None], kernels, stride=stride)[0]


def conv_macs(layer: nn.Conv2d, side: int) -> int:
    """MACs of a Conv2d on one image of side `side`. The right answer."""
    return _macs(layer, side)


def _macs(layer, side, *, groups=True, stride=True, padding=2, dilation=True, squared=True, first=1) -> int:
    """MACs of a Conv2d, with what a learner may have left out."""
    count = layer.weight.numel() * (1 if groups else layer.groups)
    for axis in (0, 1):
        reach = (layer.kernel_size[axis] - 1) * (layer.dilation[axis] if dilation else 1) + 1
        padded = side + layer.padding[axis] * padding
        count *= (padded - reach) // (layer.stride[axis] if stride else 1) + first
    return count if squared else count // layer.kernel_size[1]


def _parts_of_windows(layer, side):
    """MACs with / in place of //: a last column that no window reaches counts as a part of one."""
    count = layer.weight.numel()
    for axis in (0, 1):
        reach = (layer.kernel_size[axis] - 1) * layer.dilation[axis] + 1
        count *= (side + 2 * layer.padding[axis] - reach) / layer.stride[axis] + 1
    return count


def _reaching_too_far(layer, side):
    """MACs with a reach of dilation · K."""
    count = layer.weight.numel()
    for axis in (0, 1):
        reach = layer.kernel_size[axis] * layer.dilation[axis]
        count *= (side + 2 * layer.padding[axis] - reach) // layer.stride[axis] + 1
    return count


def _as_if_square(layer, side):
    """MACs with the height's kernel, stride, padding and dilation for the width as well."""
    reach = (layer.kernel_size[0] - 1) * layer.dilation[0] + 1
    outputs = ((side + 2 * layer.padding[0] - reach) // layer.stride[0] + 1) ** 2
    return layer.weight[:, :, 0, 0].numel() * layer.kernel_size[0] ** 2 * outputs


def _with_bias(layer, side):
    kernels = layer.weight[0].numel()
    return _macs(layer, side) // kernels * (kernels + (layer.bias is not None))


def intensity(layer: nn.Conv2d, side: int, batch: int = 1) -> float:
    """MACs a byte that a Conv2d moves, with numbers of 4 bytes. The right answer."""
    return _intensity(layer, side, batch)


def _intensity(layer, side, batch=1, *, weights=1, biases=0, inputs=1, outputs=1, width=4) -> float:
    macs = _macs(layer, side)
    written = macs // layer.weight[0].numel()  # each output value takes as many MACs as a kernel has weights
    read = layer.in_channels * side**2
    kept = weights * layer.weight.numel() + (biases * layer.out_channels if layer.bias is not None else 0)
    return batch * macs / (width * (batch * (inputs * read + outputs * written) + kept))


def at_least(macs: float, moved: float, peak: float, bandwidth: float) -> float:
    """Seconds that a layer takes at least, by a roofline. The right answer."""
    return max(macs / peak, moved / bandwidth)


LAYERS = {
    "for a plain 3 × 3 layer": (nn.Conv2d(3, 8, 3), 10),
    "for a layer with padding": (nn.Conv2d(3, 8, 3, padding=1), 10),
    "for a layer with stride 2": (nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False), 12),
    "for a depthwise layer": (nn.Conv2d(6, 6, 5, padding=2, groups=6), 9),
    "for a layer of two groups": (nn.Conv2d(6, 8, 3, groups=2), 8),
    "for a dilated layer": (nn.Conv2d(3, 4, 3, dilation=2, padding=1), 12),
    "for a kernel of 1 × 7": (nn.Conv2d(3, 2, (1, 7), padding=(0, 3), stride=(1, 2)), 9),
}

EXERCISES = {
    "3.1": Exercise(
        10_838_016,
        "27 multiplications for each of 32 channels at 112 × 112 positions.",
        {
            "That is 224 × 224 positions; stride 2 leaves half as many a side.": 43_352_064,
            "You counted the bias too; this course does not (and this layer has none).": 11_239_424,
            "Each of the 32 filters reads all three input channels, not one.": 3_612_672,
            "Those are FLOPs: a multiplication and an addition counted as two.": 21_676_032,
            "That is without the padding: with it there are 112 positions a side, not 111.": 10_645_344,
            "Those are the weights: each of them is used at every position of the output.": 864,
            "Those are the output's values; each of them takes 27 multiplications.": 401_408,
            "A kernel has 3 × 3 weights in each of 3 channels, 27 in all; you counted 3.": 1_204_224,
        },
        hint="Find the side of the output first. Then: how many weights, and how often is each used?",
        unit="MACs",
    ),
    "3.2": CodeExercise(
        "depthwise",
        cases=(
            Case("for three channels of 6 × 6", draw(3, 6, 6), draw(3, 3, 3, seed=1)),
            Case("for an image that is wider than high", draw(2, 5, 8), draw(2, 3, 3, seed=1)),
            Case("with stride 2", draw(3, 7, 9), draw(3, 3, 3, seed=1), 2),
            Case("with stride 2 and a last column that no window reaches", draw(2, 8, 8), draw(2, 3, 3, seed=1), 2),
            Case("with a kernel of one pixel", draw(4, 3, 3), draw(4, 1, 1, seed=1)),
            Case("with a 5 × 5 kernel and stride 3", draw(1, 11, 11), draw(1, 5, 5, seed=1), 3),
        ),
        reference=depthwise,
        why="this is conv2d with groups=M: M small convolutions that never see each other.",
        mistakes={
            "Your windows start one pixel apart. With a stride they start at row · stride, column · stride.": (
                standing_still
            ),
            "You left out the stride: the output has (H − K) // stride + 1 rows.": (
                lambda image, weight, stride=1: depthwise(image, weight)
            ),
            "Every channel got the kernel of channel 0; each has its own.": (
                lambda image, weight, stride=1: depthwise(image, weight[:1].expand_as(weight), stride)
            ),
            "You added up the channels. That is a dense layer's work: a depthwise one keeps them apart.": (
                all_channels,
                one_kernel_for_all,
            ),
            "Your kernel is turned round: the pixel in a window's first row meets the kernel's first row.": (
                lambda image, weight, stride=1: depthwise(image, weight.flip(1, 2), stride)
            ),
            "You added up the channels: a depthwise layer gives as many as it takes.": (
                lambda image, weight, stride=1: depthwise(image, weight, stride).sum(0, keepdim=True),
                lambda image, weight, stride=1: depthwise(image, weight, stride).sum(0),
            ),
            "Your kernel is on its side: a window's rows meet the kernel's rows, its columns the columns.": (
                lambda image, weight, stride=1: depthwise(image, weight.transpose(1, 2), stride)
            ),
            "You multiplied the corner of each window only; there are K · K products to add up.": one_product,
            "Only the last product of each window is left: add each to the sum (+=) instead of storing it (=).": (
                lambda image, weight, stride=1: one_product(image, weight, stride, place=-1)
            ),
        },
        hint="For each channel, row and column: multiply a K × K window by that channel's kernel and add up.",
    ),
    "3.3": Exercise(
        1 / 128 + 1 / 25,
        "1/N + 1/K² = 1/128 + 1/25, and the channels in have cancelled. Most of it is 1/25, the pointwise part.",
        {
            "N is the number of channels out; the channels in cancel.": 1 / 64 + 1 / 25,
            "A kernel of side K has K² weights: 25, not 5.": 1 / 128 + 1 / 5,
            "Upside down: that is how many times fewer. The fraction that is left is asked.": 1 / (1 / 128 + 1 / 25),
            "That is the fraction saved, not the fraction left.": 1 - 1 / 128 - 1 / 25,
            "The two shares are added, not multiplied: first one layer runs, then the other.": 1 / 128 / 25,
            "That is the ratio of a 3 × 3 kernel.": 1 / 128 + 1 / 9,
            "That is the pointwise layer alone; the depthwise one has to run first.": 1 / 25,
            "That is the depthwise layer alone.": 1 / 128,
        },
        hint="Write down the MACs of the pair and of the dense layer at one position, then divide.",
        unit="share",
        digits=3,
    ),
    "3.4": CodeExercise(
        "conv_macs",
        cases=tuple(Case(words, *case) for words, case in LAYERS.items()),
        reference=conv_macs,
        why="each weight is used once at each position of the output, whatever the layer is called.",
        mistakes={
            "You forgot the groups: a channel out reads in_channels / groups channels.": (
                lambda layer, side: _macs(layer, side, groups=False)
            ),
            "You counted the input's positions: stride, padding and kernel decide how many the output has.": (
                lambda layer, side: layer.weight.numel() * side**2
            ),
            "At the edge you counted a part of a window; only whole ones fit, so divide by the stride with //.": (
                _parts_of_windows
            ),
            "You forgot the stride.": lambda layer, side: _macs(layer, side, stride=False),
            "You forgot the padding, which is added at both sides.": lambda layer, side: _macs(layer, side, padding=0),
            "The padding is added at both sides: twice.": lambda layer, side: _macs(layer, side, padding=1),
            "You forgot the dilation: a dilated kernel reaches over dilation · (K − 1) + 1 pixels.": (
                lambda layer, side: _macs(layer, side, dilation=False)
            ),
            "A dilated kernel of K pixels has K − 1 gaps: it reaches over less than dilation · K.": _reaching_too_far,
            "The first window counts, too: add 1 to the steps that are made from it.": (
                lambda layer, side: _macs(layer, side, first=0)
            ),
            "You counted the bias; an addition alone is no MAC.": _with_bias,
            "Those are FLOPs: one MAC is two of them.": lambda layer, side: 2 * _macs(layer, side),
            "You took the first number of each pair for both directions. A kernel of 1 × 7 is wider than high.": (
                _as_if_square
            ),
            "A kernel is as wide as it is high or not: multiply both of its sides.": (
                lambda layer, side: _macs(layer, side, squared=False)
            ),
            "Those are the weights. Each is used at every position of the output.": (
                lambda layer, side: layer.weight.numel()
            ),
        },
        tolerance=0,
        hint="Output height and width, channels out, channels that each of them reads, kernel height and width.",
    ),
    "3.5": Exercise(
        8,
        "per position and channel in, a term costs 9 + 128 MACs and the dense layer 9 · 128: enough for 8.4 terms.",
        {
            "Nine terms are the dense kernel exactly, but they cost more than it: 9 · (9 + 128) > 9 · 128.": 9,
            "You used the channels in for N; they cancel.": 7,
            "You forgot the pointwise half of each term.": 127,
        },
        hint="What does one term cost at one position? What does the dense layer cost there?",
        unit="terms",
    ),
    "3.6": Exercise(
        1.1234,
        "nine MACs for a value read and a value written, 8 bytes: 9/8, less a little for the weights.",
        {
            "That is MACs per value; a float32 value has 4 bytes.": 4.4936,
            "Twice too much: did you leave out the output, or count FLOPs?": 2.2459,
            "That is a dense layer: here each channel has one kernel of its own.": 121.66,
            "Those are a dense layer's MACs over a depthwise layer's bytes: each channel has one kernel here.": 143.79,
            "That is bytes per MAC; turn it over.": 0.8902,
            "That is MACs per bit.": 0.14042,
            "That is 9/8, without the weights: they are read, too.": 1.13,
        },
        hint="How many MACs are there for each value that is written? How many values are read and written?",
        unit="MACs per byte",
        digits=3,
    ),
    "3.7": CodeExercise(
        "intensity",
        cases=(
            *(Case(words, *case) for words, case in LAYERS.items() if "dilated" not in words),
            Case("for eight images", nn.Conv2d(16, 16, 3, padding=1), 4, 8),
            Case("for two images and stride 2", nn.Conv2d(4, 6, 3, stride=2, padding=1), 8, 2),
        ),
        reference=intensity,
        why="a batch shares the weights, so that a layer with many weights and few pixels gains most from it.",
        mistakes={
            "With yours a batch changes nothing. Inputs, outputs and MACs grow with it; the weights are read once.": (
                lambda layer, side, batch=1: _intensity(layer, side)
            ),
            "You left out the inputs; they are read, 4 bytes each.": (
                lambda layer, side, batch=1: _intensity(layer, side, batch, inputs=0)
            ),
            "You counted the bias among the weights (as `params` does); leave it out here.": (
                lambda layer, side, batch=1: _intensity(layer, side, batch, biases=1)
            ),
            "Those are the MACs of one image over the bytes of the whole batch.": (
                lambda layer, side, batch=1: _intensity(layer, side, batch) / batch
            ),
            "You left out the outputs; they are written, 4 bytes each.": (
                lambda layer, side, batch=1: _intensity(layer, side, batch, outputs=0)
            ),
            "You left out the weights; they are read, 4 bytes each.": (
                lambda layer, side, batch=1: _intensity(layer, side, batch, weights=0)
            ),
            "That is MACs per value; a float32 value has 4 bytes.": (
                lambda layer, side, batch=1: _intensity(layer, side, batch, width=1)
            ),
            "That is FLOPs per byte: twice the MACs.": lambda layer, side, batch=1: 2 * _intensity(layer, side, batch),
            "That is bytes per MAC; turn it over.": lambda layer, side, batch=1: 1 / _intensity(layer, side, batch),
        },
        hint="MACs of all images, over 4 bytes for each input value, each weight and each output value.",
    ),
    "3.8": CodeExercise(
        "at_least",
        cases=(
            Case("for a layer that moves much", 1e6, 8e6, 50e9, 20e9),
            Case("for a layer that multiplies much", 5e8, 8e6, 50e9, 20e9),
            Case("for a layer at the corner of the roof", 5e6, 2e6, 50e9, 20e9),
            Case("for a layer without multiplications", 0.0, 4e6, 50e9, 20e9),
        ),
        reference=at_least,
        why="both go on at the same time, so that the slower one decides. This is the roofline, told in seconds.",
        mistakes={
            "You added the two times; a processor fetches while it multiplies, so the longer one decides.": (
                lambda macs, moved, peak, bandwidth: macs / peak + moved / bandwidth
            ),
            "You took the shorter of the two times; the layer is not ready before both are done.": (
                lambda macs, moved, peak, bandwidth: min(macs / peak, moved / bandwidth)
            ),
            "You looked at the multiplications only.": lambda macs, moved, peak, bandwidth: macs / peak,
            "You looked at the bytes only.": lambda macs, moved, peak, bandwidth: moved / bandwidth,
            "Upside down: a time is an amount divided by a speed.": (
                lambda macs, moved, peak, bandwidth: max(peak / macs, bandwidth / moved)
            ),
            "That is a speed, in MACs a second; asked are the seconds that the layer's MACs take at it.": (
                lambda macs, moved, peak, bandwidth: min(peak, macs / moved * bandwidth)
            ),
        },
        tolerance=1e-10,
        hint="How long would the multiplications take alone? And the bytes alone?",
    ),
    "3.9": Exercise(
        1 / (0.90 + 0.10 / 4),
        "0.90 ms stay, 0.10 ms become 0.025. What takes a tenth of the time can give back a tenth at most.",
        {
            "That is the layer's own gain; the pointwise layer takes as long as before.": 4,
            "That would be so if the depthwise layer took no time at all.": 1 / 0.90,
            "Upside down: that is the time that is left.": 0.925,
            "That is 1 and the share of the time that is saved; divide the old time by the new one.": 1.075,
            "Times are added, gains are not: work out the new time of the pair first.": 0.9 + 0.1 * 4,
            "You made the pointwise layer faster instead.": 1 / (0.10 + 0.90 / 4),
        },
        hint="How long does the pair take afterwards?",
        unit="times",
        digits=3,
    ),
}
