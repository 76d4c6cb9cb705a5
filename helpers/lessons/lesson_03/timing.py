"""Times that bear a neighbour: layers in turns, by a clock that stands still while another program has the core."""

import math
import statistics
import time
from collections.abc import Callable, Hashable, Mapping

import torch
from torch import nn

from helpers.costs import layer_costs
from helpers.latency import Timing, measure


def own_clock() -> Callable[[], float]:
    """The seconds that this thread has computed; the clock on the wall where the system counts these too coarsely.

    With one thread and nobody else both run alike. Linux and macOS count the former in nanoseconds, Windows in steps
    of 16 ms.
    """
    fine = time.get_clock_info("thread_time").resolution <= 1e-6
    return time.thread_time if fine else time.perf_counter


def time_in_turns(
    jobs: Mapping[Hashable, tuple[Callable, torch.Tensor]], rounds: int = 5, seconds: float = 0.03
) -> dict[Hashable, Timing]:
    """{name: (function, its input)} → {name: Timing} on one thread.

    Each round takes every job in turn, so that a busy minute meets them all alike. Of the `rounds` timings of a job the
    middle one counts (by its median), with its own quartiles: neither the calmest nor the worst.
    """
    clock, found = own_clock(), {name: [] for name in jobs}
    for _ in range(rounds):
        for name, (function, x) in jobs.items():
            timing = measure(function, x, threads=1, seconds=seconds, warm_up=0.01, at_least=3, clock=clock)
            found[name].append(timing)
    return {name: sorted(timings, key=lambda t: t.median)[rounds // 2] for name, timings in found.items()}


def time_by_kind(network: nn.Module, images: torch.Tensor, calls: int = 15) -> dict[str, float]:
    """Seconds of one call on one thread, by kind of layer: "dense", "depthwise", "pointwise", and class names.

    Each layer's time is the median of `calls` calls; two that warm up do not count.
    """
    kinds = {cost.name: cost.kind for cost in layer_costs(network, tuple(images.shape[2:]), images.shape[1])}
    clock, times, started = own_clock(), {}, {}

    def before(layer, inputs):
        started[layer] = clock()

    def after(layer, inputs, output):
        times.setdefault(layer, []).append(clock() - started[layer])

    leaves = {layer: name for name, layer in network.named_modules() if not list(layer.children())}
    hooks = [hook for layer in leaves for hook in (layer.register_forward_pre_hook(before),
                                                   layer.register_forward_hook(after))]  # fmt: skip
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with torch.inference_mode():
            for _ in range(calls + 2):
                network(images)
    finally:
        torch.set_num_threads(threads)
        for hook in hooks:
            hook.remove()
    total = {}
    for layer, name in leaves.items():
        if layer in times:
            kind = kinds.get(name, type(layer).__name__)
            total[kind] = total.get(kind, 0) + statistics.median(times[layer][2:])
    return total


def moved_bytes(layer: nn.Conv2d, side: int) -> int:
    """Bytes of float32 that one image of side × side pixels makes a convolution read and write, each value once."""
    (cost,) = layer_costs(layer, side, channels=layer.in_channels)
    return 4 * (math.prod(cost.input_shape) + layer.weight.numel() + math.prod(cost.output_shape))


def macs_by_kind(network: nn.Module, image_size: int) -> dict[str, int]:
    """MACs of one image by kind of layer: "dense", "depthwise", "pointwise", "grouped", "linear"."""
    total = {}
    for layer in layer_costs(network, image_size):
        total[layer.kind] = total.get(layer.kind, 0) + layer.macs
    return total
