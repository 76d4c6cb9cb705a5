"""What the appendix counts: parts of a network, values that layers write, and V3 with the channels of its release."""

from collections import Counter
from math import ceil, floor, prod
from typing import NamedTuple

import torch
from torch import nn
from torchvision.models.mobilenetv3 import InvertedResidualConfig, MobileNetV3, _mobilenet_v3_conf

from helpers.costs import count_params, layer_costs


def released_v3(kind: str, width: float) -> MobileNetV3:
    """V3 "large" or "small" as released: hidden layers follow the narrowed input, the last layer has 1,280 channels.

    Takes float32 [B,3,H,W] and gives logits [B,1000]; fresh random weights. Source: tensorflow/models,
    research/slim/nets/mobilenet/mobilenet_v3.py, options as in its release table.
    """
    settings, _ = _mobilenet_v3_conf(f"mobilenet_v3_{kind}")  # torchvision's table of blocks at width 1
    narrow = InvertedResidualConfig.adjust_channels  # multiply, then round to a multiple of eight
    blocks, channels = [], narrow(16, width)
    for s in settings:
        hidden = narrow(channels, s.expanded_channels / s.input_channels)
        out = narrow(s.out_channels, width)
        activation = "HS" if s.use_hs else "RE"
        shape = (s.kernel, hidden, out, s.use_se, activation, s.stride, s.dilation, 1.0)
        blocks.append(InvertedResidualConfig(channels, *shape))
        channels = out
    return MobileNetV3(blocks, last_channel=1280)


class Parts(NamedTuple):
    """What the conventions of published tables put in or leave out; for one image."""

    macs: int  # of all convolutions and linear layers
    first: int  # MACs of the first convolution
    pooling: int  # values that the last average pooling adds up
    params: int  # everything trained
    channels: int  # length of one BatchNorm vector, summed over the network


def take_apart(model: nn.Module, size: int) -> Parts:
    """Count a network (on any device, `meta` included) for square images of `size` pixels."""
    layers = layer_costs(model, size)
    last = [layer for layer in layers if layer.kind != "linear"][-1]
    channels = sum(m.num_features for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    macs = sum(layer.macs for layer in layers)
    return Parts(macs, layers[0].macs, prod(last.output_shape), count_params(model), channels)


def values_written(model: nn.Module, kind: type[nn.Module], size: int = 224) -> int:
    """Values that all layers of `kind` write for one image of `size` pixels; `model` is on the `meta` device."""
    total = 0

    def add(layer, inputs, output):
        nonlocal total
        total += output.numel()

    hooks = [layer.register_forward_hook(add) for layer in model.modules() if isinstance(layer, kind)]
    model.eval()(torch.empty(1, 3, size, size, device="meta"))
    for hook in hooks:
        hook.remove()
    return total


def shares(model: nn.Module, size: int = 224) -> tuple[dict[str, float], dict[str, float]]:
    """Per cent of the MACs, and of the weights (no bias, no BatchNorm), by the kinds of layers of V1's table 2."""
    names = {"pointwise": "1x1 convolutions", "depthwise": "depthwise convolutions"}
    names |= {"dense": "first convolution", "linear": "classifier"}
    macs, weights = Counter(), Counter()
    for layer in layer_costs(model, size):
        macs[names[layer.kind]] += layer.macs
        weights[names[layer.kind]] += model.get_submodule(layer.name).weight.numel()
    return tuple({name: 100 * number / part.total() for name, number in part.items()} for part in (macs, weights))


def table_of(row: dict) -> str:
    """Which table a published row stands in: "V1 paper", "V2 release" …"""
    version = row["family"].split("_")[1].upper()  # "mobilenet_v2" → "V2"
    return f"{version} {'paper' if 'arXiv' in row['source'] else 'release'}"


def nearby(count: int, printed: str, window: float) -> list[str]:
    """The numbers within `window` (0.1: 10 %) of `count`, as they could be printed in place of the text `printed`."""
    decimals = len(printed.partition(".")[2])
    ours = count / 10 ** (6 - decimals)
    low, high = ceil((1 - window) * ours), floor((1 + window) * ours)
    return [f"{number / 10**decimals:.{decimals}f}" for number in range(low, high + 1)]
