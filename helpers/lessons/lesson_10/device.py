"""How the zoo's networks answer the test images in each format, their bytes and milliseconds → data/results/device.csv

Formats: PyTorch as it is, folded by hand, compiled; ONNX Runtime; ExecuTorch with XNNPACK in float32, and in int8 with
one scale a tensor or one a channel, calibrated on some of the sample's training images. All but the first three need
`pip install -e ".[device]"`. One image at a time, one thread; the clock is the processor's, of this process alone.
"""

import argparse
import time

import torch

from helpers.batches import Batches
from helpers.data import ImageSet, load_cifar10
from helpers.evaluation import accuracy, mcnemar, predict
from helpers.latency import CLOCK
from helpers.latency import measure as measure_calls
from helpers.lessons.lesson_10 import engines, folding
from helpers.models import load_zoo
from helpers.results import columns_of
from helpers.runs import studies

KEY = ("width", "format", "images", "draw")
WIDTHS = (0.25, 0.35, 0.5, 0.75, 1.0)
CALIBRATION = 1000  # images, for the int8 formats
SECONDS = 2.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--width", type=studies.width, nargs="+", default=list(WIDTHS))
    parser.add_argument("--format", choices=engines.FORMATS, nargs="+", default=list(engines.FORMATS), metavar="NAME",
                        help=f"some of: {', '.join(engines.FORMATS)}")  # fmt: skip
    parser.add_argument("--images", type=studies.count, nargs="+", default=[CALIBRATION],
                        help="for calibration, of the 5,000 training images")  # fmt: skip
    parser.add_argument("--draw", type=studies.seed, nargs="+", default=[0], help="which images: a seed")
    studies.arguments(parser, device=False)


def units(options: argparse.Namespace) -> list[dict]:
    """Each width in each format; the int8 ones with each number of calibration images and each draw."""
    found = []
    for width in options.width:
        for name in options.format:
            drawn = [(n, draw) for n in options.images for draw in options.draw]
            for images, draw in drawn if engines.FORMATS[name] == 8 else [(0, 0)]:
                found.append({"width": f"{width:g}", "format": name, "images": images, "draw": draw})
    return found


def stacked(images: ImageSet) -> torch.Tensor:
    """All images as the zoo's networks take them: float32 [N,3,32,32]."""
    return torch.cat([batch for batch, _ in Batches(images, 500)])


def drawn(images: ImageSet, count: int, draw: int) -> torch.Tensor:
    """`count` images at random by the seed `draw`, as the zoo's networks take them."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(draw))
    return stacked(images[order[:count]])


def measure(unit: dict, run: studies.Run) -> dict | None:
    """Make one format, ask it for all test images, compare with PyTorch's answers, and time it on one image."""
    train, test = load_cifar10("sample")
    test = test if run.options.limit is None else test[: run.options.limit]
    model = load_zoo(float(unit["width"]))
    logits = predict(model, Batches(test, 250))
    calibration = drawn(train, unit["images"], unit["draw"]) if unit["images"] else None
    began = time.perf_counter()
    engine = engines.build(unit["format"], model, calibration)
    made = time.perf_counter() - began
    images = stacked(test)
    mine = engine.answers(images)
    pair = mcnemar(mine.argmax(1) == test.labels, logits.argmax(1) == test.labels)
    one = images[:1].contiguous()
    timing = measure_calls(engine.run, one, threads=1, seconds=0.05 if run.trial else SECONDS, warm_up=0.3, clock=CLOCK)
    run.log(
        f"{unit['width']} {unit['format']} ({unit['images']} images): {accuracy(mine, test.labels)}; {pair}; {timing}"
    )
    if run.trial:
        return None
    return {
        **columns_of(accuracy(mine, test.labels)), "changed": int((mine.argmax(1) != logits.argmax(1)).sum()),
        "only_this": pair.only_first, "only_float": pair.only_second,
        "difference": f"{float((mine - logits).abs().max()):.2g}", "bytes": engine.size,
        "ms": f"{1e3 * timing.median:.4g}", "ms_low": f"{1e3 * timing.low:.4g}", "ms_high": f"{1e3 * timing.high:.4g}",
        "calls": timing.repetitions, "made_in": f"{made:.0f}", "packages": engines.versions(), "threads": 1,
    }  # fmt: skip


MADE_BY = (
    engines.build, engines.onnx_file, engines.onnx_runtime, engines.exported, engines.int8_graph,
    engines.executorch_file, engines.executorch, engines.state_bytes, folding.folded, folding.fold_all, stacked, drawn,
    measure, SECONDS,
)  # fmt: skip
STUDY = studies.Study("device.csv", KEY, units, measure, made_by=MADE_BY)


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)
