"""How long each network of lesson 09 takes, one image at a time and 32 at once → data/results/lineup.csv

One thread, channels last, random weights. The clock is the processor's, of this process alone: what other programs do
meanwhile does not count as time, but it can still slow this one (caches and memory are shared). On an idle machine it
is the time on the wall.
"""

import argparse

import torch

from helpers import latency
from helpers.latency import CLOCK, Timing
from helpers.latency import measure as measure_calls
from helpers.lessons.lesson_09.networks import MEMBERS, build
from helpers.runs import studies

KEY = ("network", "batch")
BATCHES = (1, 32)
SECONDS = {1: 2.0, 32: 8.0}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--network", choices=MEMBERS, nargs="+", default=list(MEMBERS), metavar="NAME",
                        help=f"some of: {', '.join(MEMBERS)}")  # fmt: skip
    parser.add_argument("--batch", type=studies.count, nargs="+", default=list(BATCHES))
    studies.arguments(parser, device=False)


def units(options: argparse.Namespace) -> list[dict]:
    """Each network with each batch size."""
    return [{"network": name, "batch": batch} for batch in options.batch for name in options.network]


def clocked(model: torch.nn.Module, size: int, batch: int = 1, seconds: float = 0.3) -> Timing:
    """Seconds of the processor for `batch` images of `size` pixels, one thread."""
    images = torch.rand(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    return measure_calls(model, images, threads=1, seconds=seconds, warm_up=seconds / 6, at_least=5, clock=CLOCK)


def by_turns(*models: torch.nn.Module, size: int = 224, rounds: int = 20) -> list[float]:
    """Milliseconds of the processor that one image of `size` pixels takes each of `models` (`latency.by_turns`)."""
    return list(latency.by_turns(dict(enumerate(models)), torch.rand(1, 3, size, size), rounds).values())


def measure(unit: dict, run: studies.Run) -> dict | None:
    """Time one network: median and quartiles of a call, in milliseconds of the processor."""
    name, batch = unit["network"], unit["batch"]
    seconds = 0.05 if run.trial else SECONDS.get(batch, 8.0)
    timing = clocked(build(name), MEMBERS[name][2], min(batch, run.options.limit or batch), seconds)
    run.log(f"{name}, batch {batch}: {timing}")
    if run.trial:
        return None
    times = {"ms": timing.median, "low": timing.low, "high": timing.high}
    return {**{column: f"{1e3 * value:.4g}" for column, value in times.items()}, "calls": timing.repetitions,
            "threads": timing.threads}  # fmt: skip


STUDY = studies.Study(
    "lineup.csv", KEY, units, measure, made_by=(build, MEMBERS, BATCHES, SECONDS, clocked, measure_calls, measure)
)


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)
