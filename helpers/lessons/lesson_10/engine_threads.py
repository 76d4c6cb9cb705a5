"""What does a second thread give an engine, for one image? → data/results/engine_threads.csv

The narrowest and the widest network of the zoo, one image at a time, with one thread and with two. The clock is the one
on the wall, since two threads at work count double on the processor's: run it on a machine that does nothing else.
Needs `pip install -e ".[device]"`.
"""

import argparse
from collections.abc import Sequence

from helpers.data import load_cifar10
from helpers.latency import measure as measure_calls
from helpers.lessons.lesson_10 import engines
from helpers.lessons.lesson_10.device import CALIBRATION, drawn, stacked
from helpers.models import load_zoo
from helpers.results import read_results
from helpers.runs import studies

FILE, KEY = "engine_threads.csv", ("width", "format", "threads")
WIDTHS, THREADS = (0.25, 1.0), (1, 2)
FORMATS = ("PyTorch", "ONNX Runtime", "ExecuTorch", "ExecuTorch int8")
SECONDS = 2.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--width", type=studies.width, nargs="+", default=list(WIDTHS))
    parser.add_argument("--format", choices=engines.FORMATS, nargs="+", default=list(FORMATS), metavar="NAME",
                        help=f"some of: {', '.join(engines.FORMATS)}")  # fmt: skip
    studies.arguments(parser, device=False)


def units(options: argparse.Namespace) -> list[dict]:
    """Each width in each format, with one thread and right after that with two."""
    return [
        {"width": f"{width:g}", "format": name, "threads": threads}
        for width in options.width
        for name in options.format
        for threads in THREADS
    ]


def measure(unit: dict, run: studies.Run) -> dict | None:
    """Make one format with so many threads, and time it on one image of the test set."""
    train, test = load_cifar10("sample")
    calibration = drawn(train, CALIBRATION, draw=0) if engines.FORMATS[unit["format"]] == 8 else None
    engine = engines.build(unit["format"], load_zoo(float(unit["width"])), calibration, unit["threads"])
    image = stacked(test[:1]).contiguous()
    seconds = 0.05 if run.trial else SECONDS
    timing = measure_calls(engine.run, image, threads=unit["threads"], seconds=seconds, warm_up=0.3)
    run.log(f"{unit['width']} {unit['format']}: {timing}")
    if run.trial:
        return None
    times = {"ms": timing.median, "ms_low": timing.low, "ms_high": timing.high}
    return {
        **{column: f"{1e3 * value:.4g}" for column, value in times.items()},
        "calls": timing.repetitions,
        "packages": engines.versions(),
        "threads": unit["threads"],
    }


STUDY = studies.Study(
    FILE, KEY, units, measure,
    made_by=(engines.build, engines.onnx_file, engines.onnx_runtime, engines.int8_graph, engines.executorch_file,
             engines.executorch, drawn, stacked, measure_calls, measure, SECONDS, CALIBRATION),
)  # fmt: skip


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)


# ---------------------------------------------------------------------------------------------- for the lesson


def table(rows: Sequence[dict] | None = None) -> str:
    """A line a width and format: milliseconds with one thread and with two, the first as a multiple of the second.

    `rows` are those of data/results/engine_threads.csv, if not given.
    """
    rows = read_results(FILE) if rows is None else rows
    known = {(row["width"], row["format"], row["threads"]): row for row in rows}
    lines = [f"{'':5}{'format':17}{'one thread':>12}{'two':>8}   faster by"]
    asked = dict.fromkeys((row["width"], row["format"]) for row in rows)
    for width, name in sorted(asked, key=lambda one: (one[0], list(engines.FORMATS).index(one[1]))):
        one, two = (known[width, name, threads]["ms"] for threads in THREADS)
        lines.append(f"{width:<5g}{name:17}{one:12.3f}{two:8.3f}   × {one / two:.2f}")
    return "\n".join(lines)
