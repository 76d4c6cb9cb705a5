"""Channel statistics of the images → data/results/channel_stats.csv"""

import argparse

from helpers.data import channel_stats, load_cifar10
from helpers.runs import studies

SIZES = {5_000: "sample", 50_000: "full"}  # training images → what to load


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--full", action="store_true", help="also of the complete set (CIFAR10_DIR, or a download)")
    studies.arguments(parser, device=False)


def units(options: argparse.Namespace) -> list[dict]:
    """One row: which images, and how many."""
    return [{"images": size} for size in SIZES if size == 5_000 or options.full or options.missing]


def measure(unit: dict, run: studies.Run) -> list[dict]:
    """Mean, deviation and mean deviation of an image of the training images' colours; three rows."""
    train, _ = load_cifar10(SIZES[unit["images"]])
    rows = []
    for name, values in channel_stats(train)._asdict().items():
        run.log(f"{train.source}: {name} {', '.join(f'{value:.4f}' for value in values)}")
        colours = dict(zip(("red", "green", "blue"), [f"{value:.8f}" for value in values], strict=True))
        rows.append({"statistic": name, **colours, "source": train.source})
    return rows


STUDY = studies.Study(
    "channel_stats.csv", ("images", "statistic"), units, measure, made_by=(channel_stats, load_cifar10, measure)
)


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)
