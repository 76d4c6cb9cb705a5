"""A control: the same answers, bit for bit, from weights whose channels differ more and more in size."""

import torch
from torch import nn

from helpers.lessons.lesson_10.folding import fold_all
from helpers.lessons.lesson_10.integers import kind_of


class Clip(nn.Module):
    """ReLU6 with a limit for each channel: float32 [B,C,H,W] → the same shape, limits [C,1,1]."""

    def __init__(self, limits: torch.Tensor):
        super().__init__()
        self.register_buffer("limits", limits)

    def forward(self, x):
        return x.clamp(min=0).minimum(self.limits)


def unbalanced(model: nn.Module, octaves: int, seed: int = 0) -> nn.Module:
    """A folded copy in which each channel between expansion and depthwise layer is 1 to 2^octaves times as large.

    The expansion's channel (weights, bias and the limit of its ReLU6) is multiplied by a power of two at random, the
    depthwise filter that reads it divided by the same: in float32 nothing changes, not even the last bit. The trick the
    other way round, to make int8 better, is Nagel et al.'s, arXiv:1906.04721, section 4.1.
    """
    model, draws = fold_all(model), torch.Generator().manual_seed(seed)
    for block in model.modules():
        parts = list(getattr(block, "conv", []))
        if len(parts) != 4:  # the first block has no expansion
            continue
        expand, depthwise = parts[0], parts[1][0]
        if kind_of(depthwise) != "depthwise":
            raise ValueError("after an expansion comes a depthwise convolution in MobileNetV2, and here it does not")
        factor = 2.0 ** torch.randint(octaves + 1, (depthwise.in_channels,), generator=draws)
        with torch.no_grad():
            expand[0].weight.mul_(factor[:, None, None, None])
            expand[0].bias.mul_(factor)
            depthwise.weight.div_(factor[:, None, None, None])
        expand[2] = Clip(6 * factor[:, None, None])
    return model
