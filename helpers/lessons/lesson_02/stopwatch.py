"""Where the time of a loader goes: a stopwatch for each step, and everything else by subtraction."""

import time
from collections.abc import Callable, Iterable, Mapping


class Stopwatch:
    """A function of one value that does what `step` does, and adds up the seconds this took."""

    def __init__(self, step: Callable):
        self.step, self.seconds = step, 0.0

    def __call__(self, value):
        started = time.perf_counter()
        result = self.step(value)
        self.seconds += time.perf_counter() - started
        return result


def timed_pass(loader: Iterable, watches: Mapping[str, Stopwatch]) -> dict[str, float]:
    """{step: µs an image} of one pass over (images, labels); "the rest" is what it took beyond the watches.

    Without watches the whole pass is one step, "all of it".
    """
    for watch in watches.values():
        watch.seconds = 0.0
    started = time.perf_counter()
    count = sum(len(labels) for _, labels in loader)
    total = time.perf_counter() - started
    spent = {name: watch.seconds for name, watch in watches.items()}
    spent["the rest" if watches else "all of it"] = total - sum(spent.values())
    return {name: 1e6 * seconds / count for name, seconds in spent.items()}


def median_pass(loader: Iterable, watches: Mapping[str, Stopwatch], passes: int = 3) -> dict[str, float]:
    """The `timed_pass` whose total is the median of an odd number of `passes`."""
    all_passes = [timed_pass(loader, watches) for _ in range(passes)]
    return sorted(all_passes, key=lambda spent: sum(spent.values()))[passes // 2]
