"""Lesson 09: where a network's time goes, and the same network with operations left out or put in, as a control."""

import copy

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from helpers.latency import CLOCK
from helpers.lessons.lesson_09.layers import ShuffleUnit

KINDS = ("dense", "grouped", "pointwise", "depthwise", "BatchNorm", "activation", "everything else")
ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.Hardsigmoid, nn.Sigmoid)


def kind_of(layer: nn.Module) -> str:
    """Which of KINDS a layer without children belongs to."""
    if isinstance(layer, nn.Conv2d):
        if layer.groups > 1:
            return "depthwise" if layer.groups == layer.in_channels else "grouped"
        return "pointwise" if layer.kernel_size == (1, 1) else "dense"
    if isinstance(layer, nn.BatchNorm2d):
        return "BatchNorm"
    return "activation" if isinstance(layer, ACTIVATIONS) else "everything else"


@torch.inference_mode()
def time_by_kind(model: nn.Module, size: int, calls: int = 8) -> dict[str, float]:
    """Milliseconds of the processor by kind of operation, for one image, one thread; the sum is the whole call.

    "everything else" holds pooling, linear layers and what is no layer: sums, concatenations, shuffles.
    """
    spent, started, hooks = dict.fromkeys(KINDS, 0.0), {}, []

    def before(layer, _):
        started[layer] = CLOCK()

    def after(layer, *_):
        spent[kind_of(layer)] += CLOCK() - started[layer]

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    image = torch.rand(1, 3, size, size).contiguous(memory_format=torch.channels_last)
    try:
        for layer in model.modules():
            if not list(layer.children()):
                hooks += [layer.register_forward_pre_hook(before), layer.register_forward_hook(after)]
        model(image), model(image)
        spent.update(dict.fromkeys(KINDS, 0.0))
        whole = CLOCK()
        for _ in range(calls):
            model(image)
        whole = CLOCK() - whole
    finally:
        torch.set_num_threads(threads)
        for hook in hooks:
            hook.remove()
    spent["everything else"] += whole - sum(spent.values())
    return {kind: 1e3 * seconds / calls for kind, seconds in spent.items()}


def without(model: nn.Module, *kinds: str) -> nn.Module:
    """A copy in which every layer of these kinds ("BatchNorm", "activation") does nothing; the MACs stay."""
    model = copy.deepcopy(model)
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if not list(layer.children()) and kind_of(layer) in kinds:
                setattr(parent, name, nn.Identity())
    return model


def without_shuffles(model: nn.Module) -> nn.Module:
    """A copy of a network of `ShuffleUnit`s in which no channel changes its place; the MACs stay."""
    model = copy.deepcopy(model)
    for unit in model.modules():
        if isinstance(unit, ShuffleUnit):
            unit.shuffle = lambda x, groups: x
    return model


def with_batchnorm(model: nn.Module) -> nn.Module:
    """A copy with a BatchNorm behind every convolution, as most networks have it; the MACs stay."""
    model = copy.deepcopy(model)
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.Conv2d):
                setattr(parent, name, nn.Sequential(layer, nn.BatchNorm2d(layer.out_channels)))
    return model.eval()


class _Writes(TorchDispatchMode):
    """Counts what each operation puts into memory: an output in memory of its own, or one written in place."""

    total = 0

    def __torch_dispatch__(self, operation, types, given=(), named=None):
        made = operation(*given, **(named or {}))
        first = made[0] if isinstance(made, (tuple, list)) else made
        if isinstance(first, torch.Tensor):
            # A view (reshape, chunk, dropout in eval mode) lies where its input lies and writes nothing.
            old = {one.untyped_storage()._cdata for one in tree_leaves(given) if isinstance(one, torch.Tensor)}
            if operation._schema.is_mutable or first.untyped_storage()._cdata not in old:
                self.total += first.numel()
        return made


@torch.inference_mode()
def values_written(model: nn.Module, size: int) -> int:
    """How many numbers all operations write for one image: what must go through the memory, whatever its MACs.

    Layers and what is none alike: sums, concatenations, the copies of a shuffle, padding by an operation of its own.
    """
    model = copy.deepcopy(model).to("meta")
    image = torch.empty(1, 3, size, size, device="meta").contiguous(memory_format=torch.channels_last)
    with _Writes() as writes:
        model(image)
    return writes.total
