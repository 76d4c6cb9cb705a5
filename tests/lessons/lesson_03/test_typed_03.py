"""What learners type by mistake in lesson 03, written from the words alone: `check` finds the right ones."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from tests.typed import Sheet, meet

SHEET = Sheet()
typed = SHEET.typed


# 3.2 depthwise


def sides(image, weight, stride):
    kernel = weight.shape[-1]
    return [(side - kernel) // stride + 1 for side in image.shape[1:]]


def windows(image, weight, stride, value, step=None):
    """[M,H_out,W_out] by loops; `value(window, kernel, channel)` of each channel's window, every `step` pixels."""
    rows, columns = sides(image, weight, stride)
    kernel, step = weight.shape[-1], step or stride
    out = torch.zeros(len(image), rows, columns)
    for m in range(len(image)):
        for r in range(rows):
            for c in range(columns):
                window = image[m, r * step : r * step + kernel, c * step : c * step + kernel]
                out[m, r, c] = value(window, weight[m])
    return out


def product(window, kernel):
    return (window * kernel).sum()


@typed("3.2", "Your windows start one pixel apart")
def depthwise_still(image, weight, stride=1):
    return windows(image, weight, stride, product, step=1)


@typed("3.2", "You left out the stride")
def depthwise_no_stride(image, weight, stride=1):
    return windows(image, weight, 1, product)


@typed("3.2", "Every channel got the kernel of channel 0")
def depthwise_first_kernel(image, weight, stride=1):
    return torch.cat([F.conv2d(channel[None, None], weight[None, :1], stride=stride)[0] for channel in image])


@typed("3.2", "You added up the channels. That is a dense layer's work")
def depthwise_dense(image, weight, stride=1):
    rows, columns = sides(image, weight, stride)
    k, out = weight.shape[-1], torch.zeros(len(image), *sides(image, weight, stride))
    for r in range(rows):
        for c in range(columns):
            out[:, r, c] = (image[:, r * stride : r * stride + k, c * stride : c * stride + k] * weight).sum()
    return out


@typed("3.2", "You added up the channels. That is a dense layer's work")
def depthwise_dense_kernel(image, weight, stride=1):
    rows, columns = sides(image, weight, stride)
    k, out = weight.shape[-1], torch.zeros(len(image), *sides(image, weight, stride))
    for m in range(len(image)):
        for r in range(rows):
            for c in range(columns):
                window = image[:, r * stride : r * stride + k, c * stride : c * stride + k]
                out[m, r, c] = (window * weight[m]).sum()
    return out


@typed("3.2", "Your kernel is turned round")
def depthwise_turned(image, weight, stride=1):
    return windows(image, weight, stride, lambda window, kernel: product(window, torch.rot90(kernel, 2)))


@typed("3.2", "You added up the channels: a depthwise layer gives as many")
def depthwise_one(image, weight, stride=1):
    return F.conv2d(image[None], weight[None], stride=stride)[0]


@typed("3.2", "You added up the channels: a depthwise layer gives as many")
def depthwise_one_map(image, weight, stride=1):
    rows, columns = sides(image, weight, stride)
    k, out = weight.shape[-1], torch.zeros(rows, columns)
    for r in range(rows):
        for c in range(columns):
            out[r, c] = (image[:, r * stride : r * stride + k, c * stride : c * stride + k] * weight).sum()
    return out


@typed("3.2", "Your kernel is on its side")
def depthwise_side(image, weight, stride=1):
    return windows(image, weight, stride, lambda window, kernel: product(window, kernel.T))


@typed("3.2", "You multiplied the corner of each window only")
def depthwise_corner(image, weight, stride=1):
    return windows(image, weight, stride, lambda window, kernel: window[0, 0] * kernel[0, 0])


@typed("3.2", "Only the last product of each window is left")
def depthwise_last(image, weight, stride=1):
    def last(window, kernel):
        for i in range(len(kernel)):
            for j in range(len(kernel)):
                value = window[i, j] * kernel[i, j]
        return value

    return windows(image, weight, stride, last)


# 3.4 a counter


def out_sides(layer, side):
    return [
        math.floor((side + 2 * p - d * (k - 1) - 1) / s) + 1
        for k, s, p, d in zip(layer.kernel_size, layer.stride, layer.padding, layer.dilation, strict=True)
    ]


def per_position(layer):
    return layer.out_channels * layer.in_channels // layer.groups * math.prod(layer.kernel_size)


@typed("3.4", "You forgot the groups")
def macs_groups(layer, side):
    height, width = out_sides(layer, side)
    return layer.in_channels * layer.out_channels * layer.kernel_size[0] * layer.kernel_size[1] * height * width


@typed("3.4", "You counted the input's positions")
def macs_inputs(layer, side):
    return per_position(layer) * side * side


@typed("3.4", "At the edge you counted a part of a window")
def macs_parts(layer, side):
    height, width = (
        (side + 2 * layer.padding[i] - (layer.dilation[i] * (layer.kernel_size[i] - 1) + 1)) / layer.stride[i] + 1
        for i in range(2)
    )
    return per_position(layer) * height * width


@typed("3.4", "You forgot the stride")
def macs_stride(layer, side):
    (kh, kw), (ph, pw), (dh, dw) = layer.kernel_size, layer.padding, layer.dilation
    return per_position(layer) * (side + 2 * ph - dh * (kh - 1)) * (side + 2 * pw - dw * (kw - 1))


@typed("3.4", "You forgot the padding")
def macs_padding(layer, side):
    (kh, kw), (sh, sw), (dh, dw) = layer.kernel_size, layer.stride, layer.dilation
    return per_position(layer) * ((side - dh * (kh - 1) - 1) // sh + 1) * ((side - dw * (kw - 1) - 1) // sw + 1)


@typed("3.4", "The padding is added at both sides: twice")
def macs_padding_once(layer, side):
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = layer.kernel_size, layer.stride, layer.padding, layer.dilation
    height, width = (side + ph - dh * (kh - 1) - 1) // sh + 1, (side + pw - dw * (kw - 1) - 1) // sw + 1
    return per_position(layer) * height * width


@typed("3.4", "You forgot the dilation")
def macs_dilation(layer, side):
    (kh, kw), (sh, sw), (ph, pw) = layer.kernel_size, layer.stride, layer.padding
    return per_position(layer) * ((side + 2 * ph - kh) // sh + 1) * ((side + 2 * pw - kw) // sw + 1)


@typed("3.4", "A dilated kernel of K pixels has K − 1 gaps")
def macs_reach(layer, side):
    sides = []
    for k, s, p, d in zip(layer.kernel_size, layer.stride, layer.padding, layer.dilation, strict=True):
        sides.append((side + 2 * p - k * d) // s + 1)
    return per_position(layer) * sides[0] * sides[1]


@typed("3.4", "The first window counts, too")
def macs_steps(layer, side):
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = layer.kernel_size, layer.stride, layer.padding, layer.dilation
    height, width = (side + 2 * ph - dh * (kh - 1) - 1) // sh, (side + 2 * pw - dw * (kw - 1) - 1) // sw
    return per_position(layer) * height * width


@typed("3.4", "You counted the bias")
def macs_bias(layer, side):
    each = layer.in_channels // layer.groups * math.prod(layer.kernel_size)
    if layer.bias is not None:
        each += 1
    return each * layer.out_channels * math.prod(out_sides(layer, side))


@typed("3.4", "Those are FLOPs")
def macs_flops(layer, side):
    return 2 * per_position(layer) * math.prod(out_sides(layer, side))


@typed("3.4", "A kernel is as wide as it is high or not")
def macs_one_side(layer, side):
    height, width = out_sides(layer, side)
    return layer.in_channels // layer.groups * layer.out_channels * layer.kernel_size[0] * height * width


@typed("3.4", "You took the first number of each pair for both directions")
def macs_square(layer, side):
    k, s, p, d = layer.kernel_size[0], layer.stride[0], layer.padding[0], layer.dilation[0]
    out = (side + 2 * p - d * (k - 1) - 1) // s + 1
    return layer.in_channels // layer.groups * layer.out_channels * k**2 * out**2


@typed("3.4", "Those are the weights")
def macs_weights(layer, side):
    return per_position(layer)


# 3.7 intensity


def values(layer, side):
    """MACs, values read, values written and weights, of one image."""
    outputs = math.prod(out_sides(layer, side))
    macs = per_position(layer) * outputs
    return macs, layer.in_channels * side * side, layer.out_channels * outputs, per_position(layer)


@typed("3.7", "With yours a batch changes nothing")
def intensity_batch(layer, side, batch=1):
    macs, read, written, weights = values(layer, side)
    return batch * macs / (batch * 4 * (read + written + weights))


@typed("3.7", "You left out the inputs")
def intensity_inputs(layer, side, batch=1):
    macs, _, written, weights = values(layer, side)
    return batch * macs / (4 * batch * written + 4 * weights)


@typed("3.7", "You counted the bias among the weights")
def intensity_bias(layer, side, batch=1):
    macs, read, written, _ = values(layer, side)
    parameters = sum(p.numel() for p in layer.parameters())
    return batch * macs / (4 * batch * (read + written) + 4 * parameters)


@typed("3.7", "Those are the MACs of one image over the bytes")
def intensity_one(layer, side, batch=1):
    macs, read, written, weights = values(layer, side)
    return macs / (4 * batch * (read + written) + 4 * weights)


@typed("3.7", "You left out the outputs")
def intensity_outputs(layer, side, batch=1):
    macs, read, _, weights = values(layer, side)
    return batch * macs / (4 * batch * read + 4 * weights)


@typed("3.7", "You left out the weights")
def intensity_weights(layer, side, batch=1):
    macs, read, written, _ = values(layer, side)
    return macs / (4 * (read + written))


@typed("3.7", "That is MACs per value")
def intensity_values(layer, side, batch=1):
    macs, read, written, weights = values(layer, side)
    return batch * macs / (batch * (read + written) + weights)


@typed("3.7", "That is FLOPs per byte")
def intensity_flops(layer, side, batch=1):
    macs, read, written, weights = values(layer, side)
    return 2 * macs * batch / ((batch * (read + written) + weights) * 4)


@typed("3.7", "That is bytes per MAC")
def intensity_turned(layer, side, batch=1):
    macs, read, written, weights = values(layer, side)
    return 4 * (batch * (read + written) + weights) / (macs * batch)


# 3.8 the roofline in seconds


@typed("3.8", "You added the two times")
def time_sum(macs, moved, peak, bandwidth):
    return sum([macs / peak, moved / bandwidth])


@typed("3.8", "You took the shorter of the two times")
def time_shorter(macs, moved, peak, bandwidth):
    multiplying, fetching = macs / peak, moved / bandwidth
    return multiplying if multiplying < fetching else fetching


@typed("3.8", "You looked at the multiplications only")
def time_macs(macs, moved, peak, bandwidth):
    return float(np.divide(macs, peak))


@typed("3.8", "You looked at the bytes only")
def time_bytes(macs, moved, peak, bandwidth):
    return float(np.divide(moved, bandwidth))


@typed("3.8", "Upside down")
def time_upside_down(macs, moved, peak, bandwidth):
    return sorted([peak / macs, bandwidth / moved])[1]


@typed("3.8", "That is a speed")
def time_speed(macs, moved, peak, bandwidth):
    intensity = macs / moved
    return min(intensity * bandwidth, peak)


@SHEET.each
def test_what_was_typed_is_met_with_its_words(number, words, written):
    meet(number, words, written)
