"""The clock, the turns, the layers told apart, and convolutions prepared beforehand."""

import time

import pytest
import torch
from torch import nn

from helpers.costs import count_macs
from helpers.latency import Timing
from helpers.lessons.lesson_03 import prepared, timing
from helpers.lessons.lesson_03.prepared import can_prepare, prepare
from helpers.lessons.lesson_03.timing import macs_by_kind, moved_bytes, own_clock, time_by_kind, time_in_turns

pytestmark = pytest.mark.usefixtures("one_thread")


def network():
    layers = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 5, 1, 2, groups=8)
    return nn.Sequential(*layers, nn.Sequential(nn.Conv2d(8, 6, 1), nn.ReLU()), nn.Flatten(), nn.Linear(384, 2)).eval()


def test_the_clock_stands_still_while_the_thread_waits(monkeypatch):
    clock = own_clock()
    if clock is time.thread_time:
        before = clock()
        time.sleep(0.2)
        assert clock() - before < 0.1
    coarse = time.get_clock_info("perf_counter")
    coarse.resolution = 0.016
    monkeypatch.setattr(time, "get_clock_info", lambda name: coarse)
    assert own_clock() is time.perf_counter


def test_jobs_take_turns_and_the_middle_round_counts(monkeypatch):
    medians = {"a": iter([5.0, 1.0, 4.0, 2.0, 3.0]), "b": iter([9.0, 8.0, 1.0, 2.0, 7.0])}
    calls = []

    def measure(function, x, **options):
        calls.append(function)
        assert options["threads"] == 1
        value = next(medians[function])
        return Timing(value, value - 0.5, value + 0.5, 3, 1, None, None)

    monkeypatch.setattr(timing, "measure", measure)
    found = time_in_turns({"first": ("a", None), "second": ("b", None)}, rounds=5)
    assert calls == ["a", "b"] * 5
    assert [(t.median, t.low, t.high) for t in found.values()] == [(3.0, 2.5, 3.5), (7.0, 6.5, 7.5)]


def test_real_jobs_are_timed_on_one_thread():
    found = time_in_turns({size: (torch.relu, torch.rand(size)) for size in (1000, 3_000_000)}, rounds=3, seconds=0.01)
    assert found[3_000_000].median > 5 * found[1000].median and found[1000].threads == 1


def test_time_by_kind_finds_the_slow_layer_and_leaves_no_trace():
    class Slow(nn.ReLU):
        def forward(self, x):
            for _ in range(200):
                x = super().forward(x)
            return x

    model = network()
    model[2] = Slow()
    found = time_by_kind(model, torch.rand(1, 3, 16, 16), calls=5)
    assert set(found) == {"dense", "depthwise", "pointwise", "linear", "BatchNorm2d", "ReLU", "Slow", "Flatten"}
    assert found["Slow"] > 0.5 * sum(found.values()) and min(found.values()) > 0
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_two_layers_of_a_kind_are_added():
    ticks = iter(range(1000))
    old, timing.own_clock = timing.own_clock, lambda: lambda: next(ticks)
    try:
        found = time_by_kind(network(), torch.rand(1, 3, 16, 16), calls=3)
    finally:
        timing.own_clock = old
    assert found["ReLU"] == 2 and found["dense"] == 1, (
        "each layer takes one tick of this clock, and there are two ReLUs"
    )


def test_two_calls_that_warm_up_do_not_count(monkeypatch):
    ticks = iter([0, 100, 200, 300, 400, 401])  # two slow calls of the one layer, and a quick one
    monkeypatch.setattr(timing, "own_clock", lambda: lambda: next(ticks))
    assert time_by_kind(nn.Sequential(nn.Conv2d(3, 4, 3)), torch.rand(1, 3, 8, 8), calls=1) == {"dense": 1}


def test_macs_by_kind():
    counts = macs_by_kind(network(), 16)
    assert counts == {"dense": 27 * 8 * 64, "depthwise": 25 * 8 * 64, "pointwise": 48 * 64, "linear": 768}
    assert sum(counts.values()) == count_macs(network(), 16)


def test_moved_bytes_by_hand():
    assert moved_bytes(nn.Conv2d(3, 8, 3, stride=2, padding=1), 10) == 4 * (3 * 100 + 216 + 8 * 25)
    assert moved_bytes(nn.Conv2d(6, 6, 3, padding=1, groups=6), 5) == 4 * (6 * 25 + 54 + 6 * 25)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("layer", [
    nn.Conv2d(16, 24, 3, padding=1), nn.Conv2d(16, 16, 3, 2, 1, groups=16, bias=False), nn.Conv2d(16, 8, 1),
    nn.Conv2d(16, 8, (1, 5), padding=(0, 4), dilation=2, groups=2),
], ids=str)  # fmt: skip
def test_a_prepared_layer_gives_what_the_layer_gives(layer, layout):
    x = torch.randn(2, 16, 9, 11).to(memory_format=layout)
    with torch.no_grad():
        torch.testing.assert_close(prepare(layer, x)(x), layer(x), atol=1e-5, rtol=1e-5)


def test_a_prepared_network_and_the_one_it_came_from():
    model, x = network(), torch.randn(1, 3, 16, 16)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    ready = prepare(model, x)
    with torch.no_grad():
        torch.testing.assert_close(ready(x), model(x), atol=1e-5, rtol=1e-5)
    assert sum(isinstance(layer, prepared.Prepared) for layer in ready.modules()) == 3 * can_prepare()
    assert sum(isinstance(layer, nn.Conv2d) for layer in model.modules()) == 3
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not any(layer._forward_hooks for layer in (*ready.modules(), *model.modules()))


def test_the_number_of_threads_is_put_back():
    before = torch.get_num_threads()
    prepare(network(), torch.randn(1, 3, 16, 16), threads=2)
    assert torch.get_num_threads() == before


def test_without_onednn_it_computes_as_before(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not can_prepare()
    model, x = network(), torch.randn(1, 3, 16, 16)
    ready = prepare(model, x)
    assert ready is not model and isinstance(ready[0], nn.Conv2d) and torch.equal(ready(x), model(x))


@pytest.mark.skipif(not can_prepare(), reason="oneDNN is missing")
def test_what_cannot_be_prepared_is_named():
    for options in ({"padding": "same"}, {"padding": 1, "padding_mode": "reflect"}):
        with pytest.raises(ValueError, match="only a Conv2d whose zero padding is given in numbers"):
            prepare(nn.Conv2d(3, 4, 3, **options), torch.rand(1, 3, 8, 8))
