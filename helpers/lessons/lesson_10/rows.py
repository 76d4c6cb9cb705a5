"""The committed rows of data/results/device.csv: each width in each format, its answers, bytes and milliseconds."""

from dataclasses import dataclass
from functools import cache

import torch

from helpers.evaluation import Accuracy, Paired, mcnemar
from helpers.lessons.lesson_10.engines import FORMATS
from helpers.results import read_results

MOST = 1000  # calibration images of the rows that are compared


@dataclass(frozen=True)
class Row:
    """One network in one format, on the 2,000 test images; milliseconds for one image with one thread."""

    width: float
    format: str
    images: int  # for calibration; 0 in float32
    draw: int
    correct: int
    total: int
    changed: int  # answers that differ from PyTorch's
    only_this: int  # right here, wrong in PyTorch
    only_float: int
    bytes: int
    ms: float
    ms_low: float
    ms_high: float

    @property
    def bits(self) -> int:
        return FORMATS[self.format]

    @property
    def accuracy(self) -> Accuracy:
        """With its interval over images."""
        return Accuracy(self.correct, self.total, "")

    @property
    def paired(self) -> Paired:
        """This format against PyTorch, image by image."""
        return pair(self.only_this, self.only_float, self.total)


def pair(only_first: int, only_second: int, total: int) -> Paired:
    """McNemar's comparison from its two counts."""
    first, second = torch.zeros(total, dtype=torch.bool), torch.zeros(total, dtype=torch.bool)
    first[:only_first] = True
    second[only_first : only_first + only_second] = True
    return mcnemar(first, second)


@cache
def committed() -> tuple[Row, ...]:
    """All rows, by width and in the order of FORMATS."""
    names = Row.__dataclass_fields__
    rows = [Row(**{name: row[name] for name in names}) for row in read_results("device.csv")]
    return tuple(sorted(rows, key=lambda row: (row.width, list(FORMATS).index(row.format), row.images, row.draw)))


def compared() -> tuple[Row, ...]:
    """One row a width and format: the int8 ones with the most calibration images."""
    return tuple(row for row in committed() if row.draw == 0 and row.images in (0, MOST))


def row_of(width: float, name: str) -> Row:
    """The row of a width in a format; ValueError when it was not measured."""
    for row in compared():
        if row.width == width and row.format == name:
            return row
    raise ValueError(f"α = {width:g} was not measured as {name!r}: see data/results/device.csv")


def table(rows: tuple[Row, ...], times: bool = True) -> str:
    """Rows as text: format, right answers, changed answers, bytes, and milliseconds unless not wanted."""
    lines = [f"{'':5}{'format':29}{'right':>6}{'changed':>9}{'MB':>7}" + (f"{'ms':>7}" if times else "")]
    for row in rows:
        line = f"{row.width:<5g}{row.format:29}{row.correct:6,}{row.changed:9}{row.bytes / 1e6:7.2f}"
        lines.append(line + (f"{row.ms:7.2f}" if times else ""))
    return "\n".join(lines)
