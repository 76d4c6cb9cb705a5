"""helpers.latency with a clock that the test turns: no test here depends on how fast the machine is."""

import pytest
import torch
from torch import nn

from helpers.latency import Timing, measure


class Clock:
    """Stands still unless the measured function lets time pass."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def taking(clock, durations, then):
    """A function whose calls take `durations` one after another, and `then` for ever; it counts its calls."""
    queue = list(durations)

    def function():
        function.calls += 1
        clock.now += queue.pop(0) if queue else then

    function.calls = 0
    return function


def test_the_median_and_the_quartiles_are_of_the_calls():
    clock = Clock()
    timing = measure(taking(clock, [1, 1, 4, 1, 3, 2, 5], 9), clock=clock, seconds=0.5, warm_up=0, at_least=5)
    assert (timing.low, timing.median, timing.high) == (2, 3, 4) and timing.repetitions == 5


def test_warm_up_does_not_count():
    clock = Clock()
    slow_start = taking(clock, [50.0, 50.0], 0.25)
    timing = measure(slow_start, clock=clock, warm_up=10, seconds=1)
    assert timing.median == timing.high == 0.25 and slow_start.calls == 2 + timing.repetitions
    short = taking(clock, [], 0.25)
    timing = measure(short, clock=clock, warm_up=3, seconds=1, at_least=2)
    assert short.calls == 12 + 4 and timing.repetitions == 4  # 3 s and 1 s of calls


def test_a_single_slow_call_does_not_move_the_median():
    clock = Clock()
    assert measure(taking(clock, [1, 1, 1, 1000, 1], 1), clock=clock, warm_up=0, seconds=9).median == 1


def test_at_least_and_at_most_bound_the_calls():
    clock = Clock()
    assert measure(taking(clock, [], 100.0), clock=clock, seconds=1).repetitions == 7
    assert measure(taking(clock, [], 1e-9), clock=clock, seconds=1, at_most=30).repetitions == 30


def test_twice_the_work_takes_longer():
    """With the real clock: eight times as many additions take more than twice as long."""
    few, many = torch.ones(100_000), torch.ones(800_000)
    assert measure(torch.cumsum, many, 0, seconds=0.1).median > 2 * measure(torch.cumsum, few, 0, seconds=0.1).median


def test_threads_are_set_recorded_and_put_back():
    before = torch.get_num_threads()
    other = 1 if before > 1 else 2
    seen = []
    timing = measure(lambda: seen.append(torch.get_num_threads()), threads=other, seconds=0.01)
    assert set(seen) == {other} and timing.threads == other and torch.get_num_threads() == before
    assert measure(lambda: None, seconds=0.01).threads == before

    def fail():
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        measure(fail, threads=other)
    assert torch.get_num_threads() == before


def test_no_gradients_are_kept():
    layer, seen = nn.Linear(2, 2), []
    measure(lambda x: seen.append(layer(x).requires_grad), torch.ones(1, 2), seconds=0.01)
    assert set(seen) == {False}


def test_batch_and_memory_format_are_recorded():
    image = torch.zeros(5, 3, 8, 8)
    conv = nn.Conv2d(3, 4, 3)
    timing = measure(conv, image, seconds=0.01)
    assert (timing.batch, timing.memory_format) == (5, "contiguous")
    timing = measure(conv, image.to(memory_format=torch.channels_last), seconds=0.01)
    assert (timing.batch, timing.memory_format) == (5, "channels_last")
    grey = torch.zeros(2, 1, 8, 8)  # one channel is both; it is called by the usual name
    assert measure(torch.relu, grey, seconds=0.01).memory_format == "contiguous"
    timing = measure(torch.matmul, torch.ones(6, 2), torch.ones(2, 3), seconds=0.01)
    assert (timing.batch, timing.memory_format) == (6, None)
    timing = measure(lambda: None, seconds=0.01)
    assert (timing.batch, timing.memory_format) == (None, None)


def test_a_timing_says_all():
    text = str(Timing(0.00123, 0.0012, 0.00131, 312, 2, 1, "channels_last"))
    assert text == "1.23 ms · quartiles 1.2–1.31 · 312 calls · 2 threads · batch 1 · channels_last"
    assert str(Timing(2e-5, 1e-5, 3e-5, 7, 1, None, None)) == "20 µs · quartiles 10–30 · 7 calls · 1 thread"
    assert str(Timing(2.5, 2, 3, 1000, 1, None, None)).startswith("2.5 s · quartiles 2–3 · 1,000 calls")


def test_nonsense_is_named():
    with pytest.raises(TypeError, match="Tensor is neither"):
        measure(torch.ones(1))
    for options, words in [
        ({"threads": 0}, "threads is a positive whole number or None, not 0"),
        ({"threads": 1.5}, "not 1.5"),
        ({"seconds": 0}, "seconds is positive"),
        ({"warm_up": -1}, "warm_up not negative"),
        ({"at_least": 1}, "at_least ≥ 2"),
        ({"at_least": 9, "at_most": 8}, "they are 9 and 8"),
    ]:
        with pytest.raises(ValueError, match=words):
            measure(lambda: None, **options)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    with pytest.raises(ValueError, match=r"training mode.*\.eval\(\) it first"):
        measure(network, torch.zeros(1, 3, 8, 8))
    assert measure(network.eval(), torch.zeros(1, 3, 8, 8), seconds=0.01).repetitions >= 7
