"""BatchNorm folded into the convolution before it, by hand, for a layer and for a whole network."""

import copy
import itertools

import torch
from torch import nn


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution with bias that gives what `conv` and then `norm` (in eval mode) give: weight [N,M/groups,K,K].

    Jacob et al. 2017, arXiv:1712.05877, section 3.2.
    """
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    start = torch.zeros_like(norm.bias) if conv.bias is None else conv.bias
    one = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding,
                    conv.dilation, conv.groups)  # fmt: skip
    with torch.no_grad():
        one.weight.copy_(conv.weight * scale[:, None, None, None])
        one.bias.copy_(norm.bias + (start - norm.running_mean) * scale)
    return one


def fold_all(model: nn.Module) -> nn.Module:
    """A copy of `model` in which every BatchNorm behind a convolution is folded, and an Identity stands in its place.

    Right where a `Sequential` holds both as neighbours, as in every MobileNet of this series. Eval mode, channels last.
    """
    model = copy.deepcopy(model).eval()
    for part in model.modules():
        if isinstance(part, nn.Sequential):
            layers = list(part)
            for i, (first, second) in enumerate(itertools.pairwise(layers)):
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    part[i], part[i + 1] = folded(first, second), nn.Identity()
    return model.eval().to(memory_format=torch.channels_last)
