"""What does it cost on this machine? Times with warm-up, quartiles, and everything needed to read them."""

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

# The processor's seconds of this process alone; Windows counts them in steps of 16 ms, too coarse for one image.
CLOCK = time.process_time if os.name == "posix" else time.perf_counter


@dataclass(frozen=True)
class Timing:
    """Seconds of one call, and how they were measured; `str()` says all of it."""

    median: float
    low: float  # a quarter of the calls were faster
    high: float  # a quarter of the calls were slower
    repetitions: int
    threads: int
    batch: int | None  # first dimension of the first tensor, None without one
    memory_format: str | None  # "channels_last" or "contiguous" of the first image-like tensor [B,C,H,W]

    def __str__(self) -> str:
        unit, factor = next((u, f) for u, f, limit in _UNITS if self.median < limit)
        parts = [
            f"{self.median * factor:.3g} {unit}",
            f"quartiles {self.low * factor:.3g}–{self.high * factor:.3g}",
            f"{self.repetitions:,} calls",
            f"{self.threads} thread{'s' if self.threads > 1 else ''}",
        ]
        parts += [f"batch {self.batch}"] if self.batch is not None else []
        parts += [self.memory_format] if self.memory_format else []
        return " · ".join(parts)


_UNITS = (("µs", 1e6, 1e-3), ("ms", 1e3, 1), ("s", 1, float("inf")))


def measure(
    function: Callable,
    *inputs,
    threads: int | None = None,
    seconds: float = 0.5,
    warm_up: float = 0.1,
    at_least: int = 7,
    at_most: int = 5000,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Time `function(*inputs)` without gradients: how long one call takes, again and again.

    threads   used by PyTorch inside an operation; None leaves them as they are. They are put back afterwards
    seconds   go on for so long, but make `at_least` and `at_most` so many calls
    warm_up   seconds of calls that do not count (memory is fetched, kernels are chosen), two calls at least
    clock     where the seconds come from
    Raises TypeError when `function` cannot be called, ValueError for nonsense in the numbers and for a network whose
    BatchNorm or Dropout is in training mode: that is not what answers a user.
    """
    if not callable(function):
        raise TypeError(f"measure takes a function or a network and its inputs; {type(function).__name__} is neither")
    _check_numbers(threads, seconds, warm_up, at_least, at_most)
    if isinstance(function, nn.Module):
        acting = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
        if any(module.training for module in function.modules() if isinstance(module, acting)):
            raise ValueError(
                "the network is in training mode, where BatchNorm and Dropout do other work: .eval() it first"
            )
    before = torch.get_num_threads()
    try:
        if threads is not None:
            torch.set_num_threads(threads)
        used = torch.get_num_threads()
        with torch.inference_mode():
            _calls(function, inputs, clock, warm_up, 2, at_most)
            times = _calls(function, inputs, clock, seconds, at_least, at_most)
    finally:
        torch.set_num_threads(before)
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    return Timing(median, low, high, len(times), used, *_describe(inputs))


def by_turns(models: Mapping[str, Callable], images: torch.Tensor, rounds: int = 20) -> dict[str, float]:
    """Milliseconds of the processor that each network takes for `images` [B,3,S,S], one thread: medians.

    They take turns, so that a busy moment of the machine meets all of them alike. Each is called twice in its turn and
    the second call is timed: what the one before left in the caches does not count.
    """
    images = images.contiguous(memory_format=torch.channels_last)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with torch.inference_mode():
            for number in range(rounds + 2):
                for name, model in models.items():
                    model(images)
                    started = CLOCK()
                    model(images)
                    if number >= 2:  # the first rounds warm up
                        seconds[name].append(CLOCK() - started)
    finally:
        torch.set_num_threads(threads)
    return {name: 1e3 * statistics.median(found) for name, found in seconds.items()}


def _calls(function, inputs, clock, seconds: float, at_least: int, at_most: int) -> list[float]:
    times, started = [], clock()
    while len(times) < at_least or (len(times) < at_most and clock() - started < seconds):
        begin = clock()
        function(*inputs)
        times.append(clock() - begin)
    return times


def _check_numbers(threads, seconds, warm_up, at_least, at_most) -> None:
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise ValueError(f"threads is a positive whole number or None, not {threads!r}")
    if not seconds > 0 or not warm_up >= 0:
        raise ValueError(f"seconds is positive and warm_up not negative; they are {seconds!r} and {warm_up!r}")
    if not 2 <= at_least <= at_most:
        raise ValueError(
            f"quartiles need at_least ≥ 2 calls and at_most no fewer; they are {at_least!r} and {at_most!r}"
        )


def _describe(inputs) -> tuple[int | None, str | None]:
    tensors = [x for x in inputs if isinstance(x, torch.Tensor) and x.ndim > 0]
    images = [x for x in tensors if x.ndim == 4]
    if not images:
        return (len(tensors[0]) if tensors else None), None
    last = images[0].is_contiguous(memory_format=torch.channels_last) and not images[0].is_contiguous()
    return len(tensors[0]), "channels_last" if last else "contiguous"


def step_seconds(width: float, memory_format: torch.memory_format, steps: int, batch: int = 128) -> list[float]:
    """Seconds of each of `steps` training steps of a MobileNetV2 on random 32-pixel images, after two that warm up."""
    from helpers.models import mobilenet_v2

    torch.manual_seed(0)
    model = mobilenet_v2(width, num_classes=10, stem_stride=1).to(memory_format=memory_format).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images = torch.randn(batch, 3, 32, 32).contiguous(memory_format=memory_format)
    labels, seconds = torch.arange(batch) % 10, []
    for _ in range(steps + 2):
        started = time.perf_counter()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - started)
    return seconds[2:]
