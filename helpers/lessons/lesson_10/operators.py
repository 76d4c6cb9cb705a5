"""Which ways to pool the last map can be written as ONNX and as ExecuTorch's file? → data/results/operators.csv

The zoo's network of width 0.25 with another pooling before its classifier, and no training. A row a pooling and format:
what came of it, the innermost words of the error, and how far the file's scores are from PyTorch's. Needs
`pip install -e ".[device]"`.
"""

import argparse
import copy
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from helpers.data import load_cifar10
from helpers.lessons.lesson_10 import engines
from helpers.lessons.lesson_10.device import stacked
from helpers.models import load_zoo
from helpers.results import read_results
from helpers.runs import studies

FILE, KEY = "operators.csv", ("pooling", "format")
FORMATS = ("ONNX", "ExecuTorch")
IMAGES = 100  # test images whose scores are compared


def mean(maps):
    """[B,C,H,W] → [B,C]: what MobileNet does."""
    return maps.mean((2, 3))


def median(maps):
    """[B,C,H,W] → [B,C]: the lower one of the two in the middle, as torch.median gives it."""
    return maps.flatten(2).median(2).values


def sorted_middle(maps):
    """[B,C,H,W] → [B,C]: the same number, found by sorting."""
    return maps.flatten(2).sort(2).values[:, :, (maps.shape[2] * maps.shape[3] - 1) // 2]


POOLINGS = ("mean", "median", "sorted_middle")


class Pooled(nn.Module):
    """A MobileNetV2 with another pooling: float32 [B,3,S,S] → scores [B,10]."""

    def __init__(self, model: nn.Module, pooling: Callable):
        super().__init__()
        model = copy.deepcopy(model).eval().to(memory_format=torch.contiguous_format)
        self.features, self.classifier, self.pooling = model.features, model.classifier, pooling

    def forward(self, x):
        return self.classifier(self.pooling(self.features(x)))


def innermost(error: BaseException) -> str:
    """The first line of what the error was raised from in the end, at most 90 characters."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    words = " ".join(next(line for line in [*str(error).splitlines(), type(error).__name__] if line.strip()).split())
    return words if len(words) <= 90 else words[:89] + "…"


def tried(model: nn.Module, images: torch.Tensor, format_: str = "ONNX") -> tuple[str, str, float]:
    """Write a network as a file and ask it for `images` [N,3,S,S]: (what came of it, why, largest score difference).

    "answers"; "refused" by the exporter; or "not loaded" by the engine, though the file was written.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network"
        try:
            if format_ == "ONNX":
                engines.onnx_file(model, images, path)
            else:
                engines.executorch_file(model, images[:1], path)
            engine = engines.onnx_runtime(path) if format_ == "ONNX" else engines.executorch(path)
        except Exception as error:  # each exporter has kinds of its own
            return "not loaded" if path.exists() else "refused", innermost(error), float("nan")
        with torch.inference_mode():
            return "answers", "", float((engine.answers(images) - model(images)).abs().max())


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pooling", choices=POOLINGS, nargs="+", default=list(POOLINGS), metavar="NAME",
                        help=f"some of: {', '.join(POOLINGS)}")  # fmt: skip
    studies.arguments(parser, device=False)


def units(options: argparse.Namespace) -> list[dict]:
    """Each pooling in each format."""
    return [{"pooling": name, "format": kind} for name in options.pooling for kind in FORMATS]


def measure(unit: dict, run: studies.Run) -> dict | None:
    """Try one pooling in one format."""
    if gone := engines.missing():
        raise ValueError(f"this needs {', '.join(gone)}: pip install -e '.[device]' in the repository's folder")
    images = stacked(load_cifar10("sample")[1][: run.options.limit or IMAGES])
    outcome, said, gap = tried(Pooled(load_zoo(0.25), globals()[unit["pooling"]]), images, unit["format"])
    run.log(f"{unit['pooling']}, {unit['format']}: {outcome} {said or f'(scores differ by {gap:.0e})'}")
    if run.trial:
        return None
    return {"outcome": outcome, "said": said, "difference": f"{gap:.2g}", "packages": engines.versions()}


STUDY = studies.Study(
    FILE, KEY, units, measure,
    made_by=(mean, median, sorted_middle, Pooled, innermost, tried, measure, IMAGES,
             engines.onnx_file, engines.executorch_file),
)  # fmt: skip


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)


# ---------------------------------------------------------------------------------------------- for the lesson


def row_of(pooling: str, format_: str) -> dict:
    """The committed row of a pooling in a format."""
    (row,) = [row for row in read_results(FILE) if (row["pooling"], row["format"]) == (pooling, format_)]
    return row
