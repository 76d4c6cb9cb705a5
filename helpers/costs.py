"""What does it cost on paper? Multiply-accumulates, parameters and activation memory, counted without computing.

1 MAC is one multiply-accumulate of a convolution or linear layer. A bias, BatchNorm, activation or pooling is no MAC;
a multiplication with a zero of the padding is one. The network runs once on PyTorch's meta device: shapes, no numbers.
PyTorch's own counter of FLOPs watches, so that a matrix product outside these layers is not missed in silence.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class LayerCost:
    """One call of a convolution or linear layer. Shapes have no batch: (channels, height, width) or (features,)."""

    name: str
    kind: str  # "dense", "depthwise", "pointwise", "grouped" or "linear"
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    macs: int
    params: int  # weights and biases; 0 when the same layer is called again


def count_params(model: nn.Module) -> int:
    """Number of learnable values: weights, biases, BatchNorm's scale and shift. A shared one counts once."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(model: nn.Module, image_size: int | tuple[int, int], channels: int = 3) -> int:
    """Multiply-accumulates of one image [channels, H, W] through `model`; errors as in `layer_costs`."""
    return sum(layer.macs for layer in layer_costs(model, image_size, channels))


def layer_costs(model: nn.Module, image_size: int | tuple[int, int], channels: int = 3) -> list[LayerCost]:
    """The convolutions and linear layers in the order they are called, with what one image costs in each.

    image_size  pixels: one number, or (height, width)
    The model is left as it was. Only layers that are called as modules are seen; attention's products and calls of
    torch.nn.functional are not. Where these multiply matrices, `torch.utils.flop_counter` counts more.
    Raises ValueError in that case, with both counts; for an image size that is no positive whole number; for a network
    that does not take such images (too small, wrong channels); and for one without convolutions and linear layers.
    """
    layers, seen = [], set()

    def note(name: str) -> Callable:
        def hook(layer, inputs, output):
            # Every weight is used once at each position: of the output, or of the input when transposed.
            where = inputs[0] if isinstance(layer, _ConvTransposeNd) else output
            features = layer.out_features if isinstance(layer, nn.Linear) else where.shape[1]
            params = 0 if layer in seen else count_params(layer)
            seen.add(layer)
            macs = layer.weight.numel() * (where.numel() // features)
            layers.append(LayerCost(name, _kind(layer), _shape(inputs[0]), _shape(output), macs, params))

        return hook

    counted = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, (_ConvNd, nn.Linear))]
    if not counted:
        raise ValueError(f"{type(model).__name__} has no convolution and no linear layer: there is nothing to count")
    hooks = [layer.register_forward_hook(note(name)) for name, layer in counted]
    counter = FlopCounterMode(display=False)
    try:
        with counter:
            _run_on_meta(model, image_size, channels, _ShapesKept())
    finally:
        for hook in hooks:
            hook.remove()
    ours, theirs = sum(layer.macs for layer in layers), counter.get_total_flops() // 2
    if ours != theirs:
        why = (
            "it also multiplies matrices outside its convolutions and linear layers (attention, torch.nn.functional)"
            if theirs > ours
            else "some layer is not computed as a convolution or a matrix product"
        )
        raise ValueError(
            f"{type(model).__name__} has {ours:,} MACs in its convolutions and linear layers, torch.utils.flop_counter "
            f"finds {theirs:,}, {abs(theirs - ours):,} {'more' if theirs > ours else 'fewer'}: {why}"
        )
    return layers


def peak_activation_bytes(
    model: nn.Module, image_size: int | tuple[int, int], bytes_per_value: int = 4, channels: int = 3
) -> int:
    """Bytes of the largest sum of tensors alive at once: batch 1, skip connections included, nothing in place.

    A tensor lives from the operation that makes it to the last one that reads it. Each operation (BatchNorm and ReLU
    too) writes a new one while its inputs are still there; a reshaped view is its original. Weights do not count.
    Raises ValueError as `layer_costs` does.
    """
    life = _Lifetimes()
    life.finish(_run_on_meta(model, image_size, channels, life, life.start))
    return life.peak() * bytes_per_value


class _ShapesKept(TorchDispatchMode):
    """Answers for BatchNorm and activations, which are no MACs: PyTorch takes them apart, and three times as long."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if operation in _IN_PLACE:
            return args[0]
        if operation in _OF_THE_SAME_SHAPE:
            return torch.empty_like(args[0])
        if operation is torch.ops.aten.native_batch_norm.default:
            return torch.empty_like(args[0]), args[0].new_empty(0), args[0].new_empty(0)
        return operation(*args, **(kwargs or {}))


_ACTIVATIONS = ("relu", "hardtanh", "hardswish", "hardsigmoid", "sigmoid", "silu")
_OF_THE_SAME_SHAPE = {getattr(torch.ops.aten, name).default for name in _ACTIVATIONS}
_IN_PLACE = {getattr(torch.ops.aten, f"{name}_").default for name in _ACTIVATIONS}


class _Lifetimes(TorchDispatchMode):
    """Notes which tensors each operation reads and writes. One that is changed in place counts as a new one."""

    def __init__(self):
        super().__init__()
        self.values: dict[int, list] = {}  # storage → [size, birth, last use] of its present value
        self.dead: list[list] = []  # values that an in-place operation has replaced
        self.kept, self.step = [], 0

    def start(self, image: torch.Tensor) -> None:
        self.values[_storage(image)] = [image.numel(), 0, 0]

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        reads = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        before = {_storage(x) for x in reads}
        result = operation(*args, **(kwargs or {}))
        writes = [x for x in tree_leaves(result) if isinstance(x, torch.Tensor)]
        self.kept += writes  # a freed storage's address would be given to the next one
        self.step += 1
        for storage in before & self.values.keys():
            self.values[storage][2] = self.step
        changes = operation._schema.is_mutable
        for tensor in writes:
            storage = _storage(tensor)
            if storage in before and (not changes or storage not in self.values):  # a view, or a weight
                continue
            if storage in self.values:
                self.dead.append(self.values[storage])
            self.values[storage] = [tensor.numel(), self.step, self.step]
        return result

    def finish(self, outputs) -> None:
        for tensor in tree_leaves(outputs):
            if isinstance(tensor, torch.Tensor) and _storage(tensor) in self.values:
                self.values[_storage(tensor)][2] = self.step + 1  # the caller reads it

    def peak(self) -> int:
        """Largest number of values alive in any step. What nobody reads (indices of a MaxPool) is not kept."""
        change = [0] * (self.step + 3)
        for size, birth, death in (*self.dead, *self.values.values()):
            if death == birth:
                continue
            change[birth] += size
            change[death + 1] -= size
        alive = peak = 0
        for step in change:
            alive += step
            peak = max(peak, alive)
        return peak


def _run_on_meta(model: nn.Module, image_size, channels: int, watch: TorchDispatchMode, start: Callable | None = None):
    """One image of shapes without numbers through the model in eval mode; its weights and modes are left alone.

    `watch` sees every operation, `start` the image before the first of them. Returns what the model returns.
    """
    height, width = image_size if isinstance(image_size, (tuple, list)) and len(image_size) == 2 else [image_size] * 2
    for what, value in (("image_size", height), ("image_size", width), ("channels", channels)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            told = image_size if what == "image_size" else value
            raise ValueError(f"{what} is a positive whole number" + " or (height, width)" * (what != "channels")
                             + f", not {told!r}")  # fmt: skip
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    meta = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
    kind = next((tensor.dtype for tensor in meta.values() if tensor.is_floating_point()), torch.float32)
    image = torch.empty(1, channels, height, width, dtype=kind, device="meta")
    modes = [(module, module.training) for module in model.modules()]
    if start is not None:
        start(image)
    try:
        # BatchNorm in training mode would refuse a single value per channel.
        model.eval()
        with torch.no_grad(), watch:
            return torch.func.functional_call(model, meta, (image,))
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"{type(model).__name__} does not take an image of {channels} channels and {height} × {width} pixels "
            f"(too small, or not the channels it was made for): {reason}"
        ) from error
    finally:
        for module, training in modes:
            module.training = training


def _kind(layer: nn.Module) -> str:
    if isinstance(layer, nn.Linear):
        return "linear"
    if layer.groups > 1:
        return "depthwise" if layer.groups == layer.in_channels else "grouped"
    return "pointwise" if math.prod(layer.kernel_size) == 1 else "dense"


def _shape(tensor: torch.Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape[1:])


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata
