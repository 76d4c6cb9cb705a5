"""A convolution whose weights are laid out for the processor once, before it is called, and not at every call.

PyTorch keeps a layer's weights as [N,M,K,K], in a layout that training can change. oneDNN, the library that computes
most convolutions on a CPU, wants them in blocks that fit the processor's registers, and so copies them anew in every
call. What serves a network can do that once: torch.compile with `freezing`, ONNX Runtime (lesson 10). This file asks
for the same operations directly. They are internal to PyTorch; where there is no oneDNN the layer stays as it is.
"""

import copy

import torch
from torch import nn


def can_prepare() -> bool:
    """Whether this PyTorch has oneDNN and the operations that lay out weights beforehand."""
    operations = torch.ops.mkldnn
    return torch.backends.mkldnn.is_available() and all(
        hasattr(operations, name) for name in ("_reorder_convolution_weight", "_convolution_pointwise")
    )


class Prepared(nn.Module):
    """The convolution `layer` for inputs of `shape` [B,M,H,W]; it gives what the layer gives, without gradients."""

    def __init__(self, layer: nn.Conv2d, shape: torch.Size):
        super().__init__()
        if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
            raise ValueError(f"only a Conv2d whose zero padding is given in numbers can be prepared, not {layer}")
        self.bias = layer.bias
        self.where = list(layer.padding), list(layer.stride), list(layer.dilation), layer.groups
        with torch.no_grad():
            self.weight = torch.ops.mkldnn._reorder_convolution_weight(layer.weight, *self.where, list(shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._convolution_pointwise(x, self.weight, self.bias, *self.where, "none", [], "")


def prepare(network: nn.Module, images: torch.Tensor, threads: int = 1) -> nn.Module:
    """A copy of `network` in which every Conv2d is prepared for `images` [B,C,H,W]; the network stays as it was.

    Call it with as many `threads` as are named here: the layout is chosen for them, and with another number oneDNN may
    fall back on a routine 20 times slower (measured with a pointwise layer prepared for two threads, called with one).
    Without oneDNN the copy computes as the network does. Raises ValueError for a padding that is not zeros in numbers.
    """
    network, before = copy.deepcopy(network).eval(), torch.get_num_threads()
    if not can_prepare():
        return network
    try:
        torch.set_num_threads(threads)
        return _replaced(network, images)
    finally:
        torch.set_num_threads(before)


def _replaced(network: nn.Module, images: torch.Tensor) -> nn.Module:
    """`network` itself, with prepared convolutions in place of its own."""
    shapes = {}

    def note(layer, inputs, output):
        shapes[layer] = inputs[0].shape

    hooks = [layer.register_forward_hook(note) for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    if isinstance(network, nn.Conv2d):
        return Prepared(network, shapes[network])
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if layer in shapes:
                setattr(parent, name, Prepared(layer, shapes[layer]))
    return network
