"""What readers write in lesson 10, with the usual mistakes: BatchNorm folded, a weight in whole numbers."""

import torch

from helpers.exercises.code import Case, CodeExercise, draw
from helpers.lessons.lesson_10.integers import quantize, steps_of

# ------------------------------------------------------------------------------------------------ 10.2 fold


def fold(weight, gamma, beta, mean, var, eps):
    """Weight [N,M,K,K] of a convolution without bias, its BatchNorm's vectors [N] → (weight, bias). The right one."""
    scale = gamma / (var + eps).sqrt()
    return weight * scale[:, None, None, None], beta - mean * scale


def _with(scale, bias=None):
    def wrong(weight, gamma, beta, mean, var, eps):
        factor = scale(gamma, var, eps)
        return weight * factor[:, None, None, None], (bias or _plain)(beta, mean, factor)

    return wrong


def _plain(beta, mean, factor):
    return beta - mean * factor


def _right_scale(gamma, var, eps):
    return gamma / (var + eps).sqrt()


def _shaped(*shape):
    """The factor [N] put in this shape before it meets the weight."""

    def wrong(weight, gamma, beta, mean, var, eps):
        factor = _right_scale(gamma, var, eps)
        return weight * factor.reshape(shape), beta - mean * factor

    return wrong


def _no_gamma(weight, gamma, beta, mean, var, eps):
    return fold(weight, torch.ones_like(gamma), beta, mean, var, eps)


def _gamma_in_one(in_weight):
    def wrong(*inputs):
        with_it, without = fold(*inputs), _no_gamma(*inputs)
        return (with_it[0], without[1]) if in_weight else (without[0], with_it[1])

    return wrong


def _norm(channels, seed=0):
    gamma, beta, mean = (draw(channels, seed=seed + i) for i in range(3))
    return gamma, beta, mean, draw(channels, seed=seed + 3).abs() + 0.01, 1e-5


FOLD = CodeExercise(
    "fold",
    (
        Case("for a 1 × 1 convolution", draw(4, 4, 1, 1), *_norm(4)),
        Case("for a 3 × 3 convolution from 3 to 8 channels", draw(8, 3, 3, 3), *_norm(8, seed=5)),
        Case("for a depthwise convolution", draw(6, 1, 3, 3), *_norm(6, seed=9)),
        Case("for a channel that hardly varies", draw(2, 2, 1, 1), *_norm(2)[:3], torch.tensor([1e-7, 1.0]), 1e-3),
    ),
    fold,
    "one multiplication a weight, done once and for all; at run time BatchNorm is gone.",
    {
        "The variance is under a root: divide by √(var + eps).": _with(lambda gamma, var, eps: gamma / (var + eps)),
        "eps is missing: a channel that hardly varies would blow up.": _with(
            lambda gamma, var, eps: gamma / var.sqrt()
        ),
        "eps stands inside the root, beside the variance.": _with(lambda gamma, var, eps: gamma / (var.sqrt() + eps)),
        "The mean is scaled before it is taken away: bias = β − mean · scale.": _with(
            _right_scale, lambda beta, mean, factor: beta - mean
        ),
        "The mean is missing: bias = β − mean · scale, not β alone.": _with(
            _right_scale, lambda beta, mean, factor: beta
        ),
        "The mean is taken away, not added.": _with(_right_scale, lambda beta, mean, factor: beta + mean * factor),
        "BatchNorm's γ is missing from the factor.": (_no_gamma, _gamma_in_one(True), _gamma_in_one(False)),
        "β is missing from the bias.": _with(_right_scale, lambda beta, mean, factor: -mean * factor),
        "β is added after scaling: it is not multiplied.": _with(
            _right_scale, lambda beta, mean, factor: (beta - mean) * factor
        ),
        "The factor belongs to the channels out, the first dimension of the weight.": tuple(
            _shaped(*shape) for shape in ((1, -1, 1, 1), (-1,), (-1, 1), (-1, 1, 1))
        ),
    },
    hint="scale = gamma / (var + eps).sqrt(); weight · scale for each channel out; bias = beta − mean · scale.",
)

# ------------------------------------------------------------------------------------------------ 10.5 to_integers


def to_integers(weight, bits):
    """Weight [N,…] → (whole numbers int32 of the same shape, scale of each channel out [N]). The right one."""
    scale = steps_of(weight, "per channel", bits)
    return quantize(weight, scale, 0, bits), scale.flatten()


def _scaled(scale_of, round_=torch.round, clip=True):
    def wrong(weight, bits):
        scale = scale_of(weight, bits)
        shape = [-1, *[1] * (weight.ndim - 1)] if scale.ndim else []
        whole, half = round_(weight / scale.reshape(shape)), 2 ** (bits - 1)
        return (whole.clamp(-half, half - 1) if clip else whole).to(torch.int32), scale

    return wrong


def _clipped_or_not(*scales_of):
    return tuple(_scaled(scale_of, clip=clip) for scale_of in scales_of for clip in (True, False))


def _largest(weight):
    return weight.abs().flatten(1).amax(1)


def _of_all(weight, bits):
    return weight.abs().max() / (2 ** (bits - 1) - 1)


def _one_number(weight, bits):
    whole, scale = _scaled(_of_all)(weight, bits)
    return whole, float(scale)


def _right_steps(weight, bits):
    return _largest(weight) / (2 ** (bits - 1) - 1)


def _cut_off(multiply_first):
    """The same numbers in another order: rounding may leave the largest weight, or another, just below a whole one."""

    def wrong(weight, bits):
        scale, top = _right_steps(weight, bits), 2 ** (bits - 1) - 1
        largest = _largest(weight).reshape(-1, *[1] * (weight.ndim - 1))
        return (weight * top / largest if multiply_first else weight / largest * top).to(torch.int32), scale

    return wrong


TO_INTEGERS = CodeExercise(
    "to_integers",
    (
        Case("for a linear layer", draw(3, 5), 8),
        Case(
            "for channels of unlike size",
            draw(4, 1, 3, 3) * torch.tensor([1.0, 0.01, 30.0, 5.0])[:, None, None, None],
            8,
        ),
        Case("for negative weights alone", -draw(2, 3, 1, 1).abs(), 8),
        Case("for four bits", draw(6, 4, 3, 3, seed=2), 4),
    ),
    to_integers,
    "each channel uses all of its whole numbers, however small its weights are.",
    {
        "That is one scale for the whole tensor; each channel out gets its own.": (
            _scaled(lambda weight, bits: _of_all(weight, bits).expand(len(weight))),
            _scaled(_of_all),
            _scaled(lambda weight, bits: _of_all(weight, bits).reshape(1)),
            _one_number,
        ),
        "Divide the largest by 2^(bits − 1) − 1: with a sign there are 127 steps up, not 255.": _clipped_or_not(
            lambda weight, bits: _largest(weight) / (2**bits - 1)
        ),
        "There are 127 whole numbers above 0, not 128: the largest weight would be clipped.": _clipped_or_not(
            lambda weight, bits: _largest(weight) / 2 ** (bits - 1)
        ),
        "The largest *absolute* value counts: a channel may have negative weights alone.": _clipped_or_not(
            lambda weight, bits: weight.flatten(1).amax(1) / (2 ** (bits - 1) - 1),
            lambda weight, bits: weight.flatten(1).amax(1).abs() / (2 ** (bits - 1) - 1),
        ),
        "The steps are always those of 8 bits; `bits` says how many there are.": _clipped_or_not(
            lambda weight, bits: _largest(weight) / 127
        ),
        "Round to the nearest whole number; `.int()` alone cuts off towards 0.": (
            _scaled(_right_steps, torch.trunc),
            _cut_off(multiply_first=False),
            _cut_off(multiply_first=True),
            _scaled(_right_steps, torch.floor),
        ),
    },
    hint="scale = largest |weight| of each channel / (2 ** (bits - 1) - 1); round(weight / scale), as torch.int32.",
)
