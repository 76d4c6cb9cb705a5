"""Measure this machine; prints, writes nothing.

data: images per second, per-image DataLoader against Batches; train: a training step, channels_last or not.
"""

import platform
import statistics
import time

import torch

from helpers.batches import Batches, dataloader_pipeline
from helpers.data import load_cifar10
from helpers.latency import step_seconds


def arguments(parser) -> None:
    parser.add_argument("what", choices=["data", "train"])


def run(options, log) -> None:
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
