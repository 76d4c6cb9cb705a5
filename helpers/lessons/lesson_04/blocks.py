"""Blocks in full, for a page that goes on while the reader's own are unfinished; and what both pages need.

The first page writes `conv_norm`, `round_to_8` and `shares` out, and `copy_by_order`, `settle` and `difference`, which
are the core's; a test holds them to the same code.
"""

import torch
import torch.nn.functional as F
from torch import nn

from helpers import alike


def conv_norm(channels_in, channels_out, kernel, stride=1, groups=1, act=nn.ReLU, eps=1e-5):
    """The lesson's layer: a convolution without bias, BatchNorm, and an activation unless `act` is None."""
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    activation = [act()] if act else []
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out, eps=eps), *activation)


def round_to_8(channels):
    """The nearest multiple of 8, but never down by more than a tenth (arXiv:1801.04381's released code)."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


class InvertedResidual(nn.Module):
    """Expand, filter depthwise, project without activation: float32 [B,C,H,W] → [B,channels_out,H/stride,W/stride].

    Sandler et al. 2018, arXiv:1801.04381, table 1, figure 4d. Where both ends have the same shape the input is added.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, expansion: int):
        super().__init__()
        wide = expansion * channels_in
        expand = [conv_norm(channels_in, wide, 1, act=nn.ReLU6)] if expansion > 1 else []
        depthwise = conv_norm(wide, wide, 3, stride, groups=wide, act=nn.ReLU6)
        project = conv_norm(wide, channels_out, 1, act=None)
        self.layers = nn.Sequential(*expand, depthwise, project)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


class SqueezeExcite(nn.Module):
    """One factor in 0…1 for each channel, from the means of all channels: float32 [B,C,H,W] → the same shape.

    Hu et al. 2018, arXiv:1709.01507, with V3's hard sigmoid (arXiv:1905.02244, section 5.3).
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        means = x.mean((2, 3), keepdim=True)
        return x * F.hardsigmoid(self.excite(self.squeeze(means).relu()))


def finished(mine: type[nn.Module], ours: type[nn.Module], x: torch.Tensor, *settings: tuple) -> type[nn.Module]:
    """`mine`, or `ours` until `mine(*one)` gives a tensor for `x` with each of the settings: a page can then go on."""

    def works(make):
        return all(isinstance(make(*one)(x), torch.Tensor) for one in settings) or None

    return alike.finished(mine, ours, works)


def shares(layers, what):
    """Per cent of the MACs or of the parameters ("macs", "params") by kind of layer."""
    per_kind = {}
    for layer in layers:
        per_kind[layer.kind] = per_kind.get(layer.kind, 0) + getattr(layer, what)
    total = sum(per_kind.values())
    return {kind: 100 * value / total for kind, value in per_kind.items()}
