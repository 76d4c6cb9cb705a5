"""Do two networks compute the same? One's tensors copied into the other, and the scores compared (lesson 04).

What a reader writes takes part once it works; until then a page goes on with a finished one.
"""

from collections.abc import Callable

import torch
from torch import nn


def finished(mine, ours, works: Callable[[object], object]):
    """`mine`, or `ours` until `works(mine)` gives something and no error: a page can then go on."""
    try:
        result = works(mine)
    except Exception:
        result = None
    if result is not None:
        return mine
    print(f"{mine.__name__} is not written yet: the page goes on with a finished one.")
    return ours


def copy_by_order(source, target):
    """Copy all tensors into a network that has the same shapes in the same order; ValueError if it has not."""
    tensors, names = list(source.state_dict().values()), list(target.state_dict())
    if [t.shape for t in tensors] != [t.shape for t in target.state_dict().values()]:
        raise ValueError("the two networks' tensors differ in number, shape or order")
    target.load_state_dict(dict(zip(names, tensors, strict=True)))
    return target.eval()


@torch.no_grad()
def settle(model, images):
    """One batch in training mode: BatchNorm takes its mean and variance from it."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    model.train()(images)
    return model.eval()


@torch.no_grad()
def difference(mine, reference, images):
    """max|Δ| / max|y| after copying the settled reference's tensors into `mine`."""
    expected = settle(reference, images)(images)
    gap = copy_by_order(reference, mine)(images) - expected
    return (gap.abs().max() / expected.abs().max()).item()
