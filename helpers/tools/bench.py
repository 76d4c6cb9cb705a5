"""Measure this machine; prints, writes nothing.

data: images per second, per-image DataLoader against Batches; train: a training step, channels_last or not; busy: an
epoch alone and beside programs that keep the cores busy, with threads that wait as PyTorch comes and as helpers says.
"""

import os
import platform
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager

import torch

from helpers.batches import Batches, dataloader_pipeline
from helpers.data import load_cifar10
from helpers.latency import step_seconds
from helpers.threads import SHORT_SPIN

WAITING = ("OMP_WAIT_POLICY", *SHORT_SPIN)  # the variables that say how threads wait


def arguments(parser) -> None:
    parser.add_argument("what", choices=["data", "train", "busy"])
    parser.add_argument("--all", action="store_true", help="busy: other ways to wait as well; takes minutes")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="busy: the median of N epochs each")


def run(options, log) -> None:
    if options.what == "busy":
        bench_busy(options.all, options.rounds)
    else:
        {"data": bench_data, "train": bench_train}[options.what]()


def images_per_second(batches) -> float:
    """One pass over `batches`, images divided by seconds."""
    started = time.perf_counter()
    count = sum(len(labels) for _, labels in batches)
    return count / (time.perf_counter() - started)


def bench_data(passes: int = 3) -> float:
    """Images per second of both pipelines on the sample's training images; returns how many times faster Batches is."""
    train, _ = load_cifar10()
    rows = {
        "DataLoader, 0 workers": dataloader_pipeline(train, 0),
        "DataLoader, 2 workers": dataloader_pipeline(train, 2),
        "Batches": Batches(train, 128, augment=("crop", "flip"), shuffle=True),
    }
    print(f"crop and flip, batch 128, {torch.get_num_threads()} threads, {platform.machine()}; {train.source}")
    medians = {}
    for name, batches in rows.items():
        images_per_second(batches)  # the first pass warms up
        rates = [images_per_second(batches) for _ in range(passes)]
        medians[name] = statistics.median(rates)
        print(f"{name:22} {medians[name]:9,.0f} images/s   ({', '.join(f'{rate:,.0f}' for rate in sorted(rates))})")
    ratio = medians.pop("Batches") / max(medians.values())
    print(f"Batches is {ratio:.1f} times as fast as the faster DataLoader")
    return ratio


def bench_train(width: float = 0.5, rounds: int = 3, steps: int = 7) -> float:
    """A training step in the default memory layout and in channels_last; returns how many times faster that is."""
    layouts = {"default layout": torch.contiguous_format, "channels_last": torch.channels_last}
    seconds = {name: [] for name in layouts}
    for _ in range(rounds):  # by turns, so that a busy minute of the machine does not fall on one of them alone
        for name, layout in layouts.items():
            seconds[name] += step_seconds(width, layout, steps)
    print(f"MobileNetV2, width {width:g}, 32 px, batch 128, {torch.get_num_threads()} threads, {platform.machine()}")
    for name, times in seconds.items():
        low, median, high = statistics.quantiles(times, n=4)
        spread = f"quartiles {1e3 * low:.0f} to {1e3 * high:.0f}, {len(times)} steps"
        print(f"{name:16} {1e3 * median:6.0f} ms a step ({spread})")
    default, last = (statistics.median(times) for times in seconds.values())
    print(f"channels_last is {default / last:.2f} times as fast")
    return default / last


# How threads wait → what is said before PyTorch is loaded; None: helpers is imported first and says what it always says
WAYS = {"as PyTorch comes": {}, "as helpers says": None}
MORE_WAYS = {
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    **{f"GOMP_SPINCOUNT={count}": {"GOMP_SPINCOUNT": count} for count in ("1000", "10000", "100000")},
    "one thread": {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
}


def bench_busy(more: bool = False, rounds: int = 1, busy: int | None = None) -> dict[str, tuple[float, float]]:
    """An epoch's seconds, alone and beside `busy` programs (one a core if None): way to wait → (alone, in company)."""
    if rounds < 1:
        raise ValueError(f"--rounds is 1 or more, not {rounds}")
    busy = busy or torch.get_num_threads()
    print(
        f"one epoch, MobileNetV2, width 0.5, 1,250 images of 32 px, batch 50, {platform.machine()}, median of {rounds}"
    )
    print(f"{'threads wait':26} {'alone':>8} {f'beside {busy} busy':>15}")
    found = {}
    for name, variables in (WAYS | MORE_WAYS if more else WAYS).items():
        alone = statistics.median(epoch_elsewhere(variables) for _ in range(rounds))
        with company(busy):
            beside = statistics.median(epoch_elsewhere(variables) for _ in range(rounds))
        found[name] = alone, beside
        print(f"{name:26} {alone:6.1f} s {beside:13.1f} s   {beside / alone:5.1f} times as long", flush=True)
    return found


@contextmanager
def company(count: int):
    """So many programs that do nothing but keep a core busy, as long as the `with` lasts."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def epoch_elsewhere(variables: dict[str, str] | None) -> float:
    """Seconds of `one_epoch` in a process of its own, started with these variables; None: as a lesson would start."""
    rest = {name: value for name, value in os.environ.items() if name not in WAITING}
    first = "helpers" if variables is None else "torch"  # after torch helpers is too late to change anything
    code = f"import {first}; from helpers.tools.bench import one_epoch; print(one_epoch())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=rest | (variables or {}), capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def one_epoch(images: int = 1250) -> float:
    """Seconds of one epoch of training after a short one that warms up."""
    from helpers.models import mobilenet_v2
    from helpers.training import fit

    train, _ = load_cifar10()
    torch.manual_seed(0)
    model = mobilenet_v2(0.5, num_classes=10, stem_stride=1).to(memory_format=torch.channels_last)
    part = train[:: len(train) // images]
    fit(model, Batches(part[::10], 50), epochs=1, lr=0.01)
    started = time.perf_counter()
    fit(model, Batches(part, 50, shuffle=True), epochs=1, lr=0.01)
    return time.perf_counter() - started
