"""A network made smaller and trained on: weights rounded in the loop, masked, or whole hidden channels taken away."""

import copy

import torch
from torch import nn
from torch.nn.utils import parametrize

from helpers.batches import Batches
from helpers.data import ImageSet
from helpers.lessons.lesson_10.folding import fold_all
from helpers.lessons.lesson_10.integers import by_kind, kind_of, rounded, weighted
from helpers.training import fit

# of 0.001, 0.003 and 0.01 the rate with the least training loss at four bits; the network left whole has less at 0.001
LR, BATCH = 0.003, 64
RANDOM, MAGNITUDE = "at random", "by magnitude"


class Rounding(nn.Module):
    """Weight [N,…] → the same, rounded to `bits` bits; backwards as if nothing had been rounded (straight through)."""

    def __init__(self, bits: int, scheme: str = "per tensor"):
        super().__init__()
        self.bits, self.scheme = bits, scheme

    def forward(self, weight):
        return weight + (rounded(weight.detach(), self.scheme, self.bits) - weight).detach()


class Zeros(nn.Module):
    """Weight [N,…] → the same, with zeros where `mask` is 0; no gradient reaches those."""

    def __init__(self, mask: torch.Tensor):
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight):
        return weight * self.mask


def with_rounding(model: nn.Module, bits: int, scheme: str = "per tensor") -> nn.Module:
    """A folded copy that computes with weights of `bits` bits and learns with those of 32."""
    model = fold_all(model)
    for layer in weighted(model).values():
        parametrize.register_parametrization(layer, "weight", Rounding(bits, scheme))
    return model


def with_zeros(model: nn.Module, share: float) -> nn.Module:
    """A folded copy in which that share of each 1 × 1 layer's weights, the smallest, is 0 and stays 0."""
    model = fold_all(model)
    for layer in by_kind(model)["pointwise"].values():
        sizes = layer.weight.detach().abs()
        order = sizes.flatten().argsort()
        mask = torch.ones(sizes.numel())
        mask[order[: round(share * sizes.numel())]] = 0
        parametrize.register_parametrization(layer, "weight", Zeros(mask.reshape(sizes.shape)))
    return model


def settled(model: nn.Module) -> nn.Module:
    """A copy whose weights are what they were computed to: rounded or masked once and for all, in plain layers.

    (`remove_parametrizations` on a copy takes the weight away from the original, too: both share a class.)
    """
    model = copy.deepcopy(model)
    for part in list(model.modules()):
        for name, layer in part.named_children():
            if parametrize.is_parametrized(layer, "weight"):
                setattr(part, name, _plain(layer))
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _plain(layer: nn.Module) -> nn.Module:
    if isinstance(layer, nn.Linear):
        made = nn.Linear(layer.in_features, layer.out_features)
    else:
        made = nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding,
                         layer.dilation, layer.groups)  # fmt: skip
    with torch.no_grad():
        made.weight.copy_(layer.weight), made.bias.copy_(layer.bias)
    return made


# ------------------------------------------------------------------------------------------------ whole channels


def blocks(model: nn.Module) -> list[tuple[nn.Conv2d, nn.Conv2d, nn.Conv2d]]:
    """(expansion, depthwise, projection) of each inverted residual block of a folded MobileNetV2 that expands."""
    found = [list(part.conv) for part in model.modules() if len(getattr(part, "conv", [])) == 4]
    return [(parts[0][0], parts[1][0], parts[2]) for parts in found]


def strengths(expand: nn.Conv2d, depthwise: nn.Conv2d, project: nn.Conv2d) -> torch.Tensor:
    """How much each hidden channel can do [C]: the norms of its row, its filter and its column, multiplied.

    A product, because one layer's norm alone says little: multiply it by 2, divide the next by 2, and the answers stay.
    """
    sizes = expand.weight.flatten(1).norm(dim=1), depthwise.weight.flatten(1).norm(dim=1)
    return (sizes[0] * sizes[1] * project.weight.flatten(1).norm(dim=0)).detach()


def without_channels(expand, depthwise, project, keep: torch.Tensor) -> tuple[nn.Conv2d, nn.Conv2d, nn.Conv2d]:
    """Three new layers that have only the hidden channels `keep` (their places, int64)."""

    def of(layer, weight, bias, groups=1):
        new = nn.Conv2d(weight.shape[1] * groups, len(weight), layer.kernel_size, layer.stride, layer.padding,
                        layer.dilation, groups)  # fmt: skip
        with torch.no_grad():
            new.weight.copy_(weight), new.bias.copy_(bias)
        return new

    return (
        of(expand, expand.weight[keep], expand.bias[keep]),
        of(depthwise, depthwise.weight[keep], depthwise.bias[keep], len(keep)),
        of(project, project.weight[:, keep], project.bias),
    )


def kept(layers: tuple, share: float, how: str, draws: torch.Generator) -> torch.Tensor:
    """The places of the share of hidden channels that stay, in their order: the strongest, or drawn at random."""
    if how not in (MAGNITUDE, RANDOM):
        raise ValueError(f"channels are chosen {MAGNITUDE} or {RANDOM}, not {how!r}")
    sizes = strengths(*layers)
    order = sizes.argsort(descending=True) if how == MAGNITUDE else torch.randperm(len(sizes), generator=draws)
    return order[: max(1, round(share * len(sizes)))].sort().values


def with_fewer_channels(model: nn.Module, share: float, how: str = MAGNITUDE, seed: int = 0) -> nn.Module:
    """A folded copy that keeps that share of each block's hidden channels."""
    model, draws = fold_all(model), torch.Generator().manual_seed(seed)
    for part in model.modules():
        if len(getattr(part, "conv", [])) == 4:
            layers = part.conv[0][0], part.conv[1][0], part.conv[2]
            if kind_of(layers[1]) != "depthwise":
                raise ValueError(
                    "after an expansion comes a depthwise convolution in MobileNetV2, and here it does not"
                )
            keep = kept(layers, share, how, draws)
            part.conv[0][0], part.conv[1][0], part.conv[2] = without_channels(*layers, keep)
    return model.eval().to(memory_format=torch.channels_last)


# ------------------------------------------------------------------------------------------------ trained on, timed


def finetuned(model: nn.Module, images: ImageSet, seed: int, epochs: int = 1, lr: float = LR) -> nn.Module:
    """A copy trained on `images`, cropped and flipped; the seed decides order, crops and dropout.

    The last epoch's loss is kept as its `loss`.
    """
    model = copy.deepcopy(model).requires_grad_(True)
    batches = Batches(images, BATCH, augment=("crop", "flip"), shuffle=True, seed=seed)
    model.loss = fit(model, batches, epochs=epochs, lr=lr, warmup_epochs=0.2, seed=seed).loss[-1]
    return settled(model)
