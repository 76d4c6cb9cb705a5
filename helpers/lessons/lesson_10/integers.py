"""Whole numbers of eight bits in place of floats, by hand: one tensor, one layer, a whole network.

Nothing here is faster than float: numbers are rounded to what int8 can hold and computed with as floats, which shows
what rounding costs. Tests hold it to PyTorch's own rounding.
"""

import copy
import statistics
from collections.abc import Collection

import torch
from torch import nn

from helpers.lessons.lesson_10.folding import fold_all

SCHEMES = ("per tensor", "per channel")


def quantize(x: torch.Tensor, scale, zero, bits: int = 8) -> torch.Tensor:
    """Floats → whole numbers with a sign: round(x / scale) + zero, clipped to −2^(bits−1) … 2^(bits−1) − 1.

    Jacob et al. 2017, arXiv:1712.05877, equation 1. Comes as int32, of the shape of x.
    """
    half = 2 ** (bits - 1)
    return (torch.round(x / scale) + zero).clamp(-half, half - 1).to(torch.int32)


def dequantize(q: torch.Tensor, scale, zero) -> torch.Tensor:
    """Whole numbers → the floats they stand for: scale · (q − zero)."""
    return scale * (q - zero)


def steps_of(weight: torch.Tensor, scheme: str, bits: int = 8) -> torch.Tensor:
    """The scale of a weight [N,…]: the largest absolute value over 2^(bits−1) − 1, of all or of each channel out."""
    if scheme not in SCHEMES:
        raise ValueError(f"a scheme is one of {', '.join(SCHEMES)}, not {scheme!r}")
    sizes = weight.abs()
    largest = sizes.max() if scheme == "per tensor" else sizes.amax(tuple(range(1, weight.ndim)), keepdim=True)
    return largest.clamp(min=1e-12) / (2 ** (bits - 1) - 1)


def rounded(weight: torch.Tensor, scheme: str, bits: int = 8) -> torch.Tensor:
    """A weight as its integers give it back; symmetric: the zero point is 0."""
    scale = steps_of(weight, scheme, bits)
    return dequantize(quantize(weight, scale, 0, bits), scale, 0)


def kind_of(layer: nn.Module) -> str:
    """ "depthwise", "pointwise", "dense" or "linear"."""
    if isinstance(layer, nn.Linear):
        return "linear"
    if layer.groups == layer.in_channels and layer.groups > 1:
        return "depthwise"
    return "pointwise" if layer.kernel_size == (1, 1) else "dense"


def weighted(model: nn.Module) -> dict[str, nn.Module]:
    """The convolutions and linear layers of a network by name, in their order."""
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, (nn.Conv2d, nn.Linear))}


def by_kind(model: nn.Module) -> dict[str, dict[str, nn.Module]]:
    """{kind: {name: layer}} of a network's convolutions, in their order."""
    found = {"dense": {}, "depthwise": {}, "pointwise": {}}
    for name, layer in weighted(model).items():
        if kind_of(layer) in found:
            found[kind_of(layer)][name] = layer
    return found


def middle_layers(model: nn.Module) -> dict[str, nn.Module]:
    """The middle layer of each kind, called by both: {"depthwise, features.9.conv.1.0": layer}."""
    middle = {kind: list(layers)[len(layers) // 2] for kind, layers in by_kind(model).items()}
    return {f"{kind}, {name}": by_kind(model)[kind][name] for kind, name in middle.items()}


def channel_sizes(layer: nn.Module) -> torch.Tensor:
    """The largest absolute weight of each channel out [N]."""
    return layer.weight.detach().abs().flatten(1).amax(1)


def least_channel(model: nn.Module) -> tuple[float, str]:
    """The smallest channel of all weights, as a share of its layer's largest, and that layer's name."""
    sizes = {name: channel_sizes(layer) for name, layer in weighted(model).items()}
    return min((float(size.min() / size.max()), name) for name, size in sizes.items())


def worst_channels(model: nn.Module, bits: int = 8) -> dict[str, dict[str, float]]:
    """{kind: {scheme: share}}: what rounding changes in a layer's worst channel, in root mean squares of its weights.

    Of each kind's layers the median.
    """
    found = {kind: {} for kind in by_kind(model)}
    for kind, layers in by_kind(model).items():
        for scheme in SCHEMES:
            worst = []
            for layer in layers.values():
                weight = layer.weight.detach()
                lost = weight - rounded(weight, scheme, bits)
                sizes = weight.flatten(1).norm(dim=1).clamp(min=1e-12)
                worst.append(float((lost.flatten(1).norm(dim=1) / sizes).max()))
            found[kind][scheme] = statistics.median(worst)
    return found


def with_rounded_weights(model: nn.Module, scheme: str, bits: int = 8, only: str | Collection[str] = "") -> nn.Module:
    """A folded copy of `model` whose weights are rounded to `bits` bits: all, those of one kind, or of layers by name.

    `only`: a kind ("depthwise"), or the names of layers as `weighted` has them. Raises ValueError for other names.
    """
    model = fold_all(model)
    layers = weighted(model)
    if isinstance(only, str):
        only = [name for name, layer in layers.items() if only in ("", kind_of(layer))]
    if unknown := set(only) - set(layers):
        raise ValueError(f"no layer with weights is called {', '.join(sorted(unknown))}")
    with torch.no_grad():
        for name, layer in layers.items():
            if name in only:
                layer.weight.copy_(rounded(layer.weight, scheme, bits))
    return model


def ranges_seen(model: nn.Module, images: torch.Tensor, batch: int = 250) -> dict[str, tuple[float, float]]:
    """The least and the largest number that enters each convolution and linear layer, over `images` [N,3,H,W]."""
    found, hooks = {}, []

    def watch(name):
        def see(_, inputs):
            low, high = found.get(name, (0.0, 0.0))  # 0 stays a value that can be written exactly
            found[name] = min(low, float(inputs[0].min())), max(high, float(inputs[0].max()))

        return see

    for name, layer in weighted(model).items():
        hooks.append(layer.register_forward_pre_hook(watch(name)))
    try:
        with torch.inference_mode():
            for some in images.split(batch):
                model(some)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def scale_and_zero(low: float, high: float, bits: int = 8) -> tuple[float, int]:
    """Scale and zero point that spread low … high (0 among them) over all 2^bits whole numbers."""
    scale = max(high - low, 1e-12) / (2**bits - 1)
    return scale, round(-(2 ** (bits - 1)) - low / scale)


def int8_by_hand(model: nn.Module, images: torch.Tensor, scheme: str = "per channel", bits: int = 8) -> nn.Module:
    """A folded copy with rounded weights whose layers' inputs are rounded, too: by the ranges seen on `images`.

    float32 [N,3,H,W] for calibration. Biases stay floats, as engines keep them in 32 bits.
    """
    ranges = ranges_seen(fold_all(model), images)
    small = with_rounded_weights(model, scheme, bits)
    for name, layer in weighted(small).items():
        scale, zero = scale_and_zero(*ranges[name], bits)
        layer.register_forward_pre_hook(
            lambda _, inputs, scale=scale, zero=zero: (dequantize(quantize(inputs[0], scale, zero, bits), scale, zero),)
        )
    return small


def bytes_of(model: nn.Module, bits: int) -> int:
    """Bytes of a folded network: weights in `bits` bits, biases in 32, a float32 scale for each channel if not 32."""
    layers = weighted(fold_all(copy.deepcopy(model))).values()
    weights = sum(layer.weight.numel() for layer in layers)
    others = sum(layer.bias.numel() for layer in layers) * (1 if bits == 32 else 2)
    return weights * bits // 8 + 4 * others
