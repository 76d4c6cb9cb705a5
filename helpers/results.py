"""What was measured once, by which code? The files of data/results/, each row with its provenance."""

import contextlib
import csv
import datetime
import os
import platform
import sys
from pathlib import Path

import torch
import torchvision

from helpers import DATA
from helpers.evaluation import Accuracy

RESULTS = DATA / "results"
CHECKPOINTS = DATA / "runs"


def provenance(seconds: float) -> dict[str, str]:
    """What made a row: command, seconds, versions, processor, threads, date."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        cpu = f"{names[0]}, {len(names)} cores" if names else cpu
    return {
        "seconds": f"{seconds:.0f}",
        "command": "python -m helpers " + " ".join(sys.argv[1:]),
        "torch": torch.__version__.split("+")[0],
        "torchvision": torchvision.__version__.split("+")[0],
        "cpu": cpu,
        "threads": str(torch.get_num_threads()),
        "date": datetime.date.today().isoformat(),
    }


def record(name: str, rows: list[dict], key: tuple[str, ...]) -> Path:
    """Put rows into data/results/`name` in place of those with the same `key` columns; never leaves half a file."""
    path = RESULTS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{column: str(value) for column, value in row.items()} for row in rows]
    if path.exists():
        with open(path, newline="", encoding="utf-8") as file:
            rows = [*csv.DictReader(file), *rows]
    latest = {tuple(row[column] for column in key): row for row in rows}
    columns = list(dict.fromkeys(column for row in rows for column in row))
    part = path.with_name(name + ".part")
    with open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(latest.values(), key=lambda row: [_number(row[column]) for column in key]))
    os.replace(part, path)
    return path


def read_results(name: str) -> list[dict]:
    """The rows of data/results/`name`; a column whose cells are all numbers comes as int or float, any other as text.

    Raises FileNotFoundError when the file is missing.
    """
    path = RESULTS / name
    if not path.exists():
        raise FileNotFoundError(f"{name} is missing from data/results/: restore it with git checkout")
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for column in rows[0] if rows else ():
        for kind in (int, float):
            with contextlib.suppress(ValueError):
                for row, value in zip(rows, [kind(row[column]) for row in rows], strict=True):
                    row[column] = value
                break
    return rows


def is_recorded(name: str, key: dict) -> bool:
    """Whether data/results/`name` has a row with these columns and values: a study skips it."""
    path = RESULTS / name
    if not path.exists():
        return False
    with open(path, newline="", encoding="utf-8") as file:
        return any(all(row.get(c) == str(value) for c, value in key.items()) for row in csv.DictReader(file))


def columns_of(result: Accuracy) -> dict[str, int | str]:
    """An accuracy as the columns of a row."""
    shares = {"accuracy": result.value, "low": result.low, "high": result.high}
    return {"correct": result.correct, "total": result.total, **{name: f"{x:.4f}" for name, x in shares.items()}}


def _number(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return float("inf"), text
