"""Channel statistics of the images → data/results/channel_stats.csv"""

import time

from helpers.data import channel_stats, load_cifar10
from helpers.results import provenance, record


def arguments(parser) -> None:
    parser.add_argument("--full", action="store_true", help="also of the complete set (CIFAR10_DIR, or a download)")


def run(options, log) -> None:
    channel_statistics(options.full)


def channel_statistics(full: bool) -> None:
    """Print channel statistics of the training images, and record them with their provenance."""
    for which in ["sample", "full"] if full else ["sample"]:
        started = time.monotonic()
        train, _ = load_cifar10(which)
        stats = channel_stats(train)
        rows = []
        for name, values in stats._asdict().items():
            print(f"{train.source}: {name} {', '.join(f'{value:.4f}' for value in values)}")
            row = dict(zip(("red", "green", "blue"), [f"{value:.8f}" for value in values], strict=True))
            rows.append({"images": len(train), "statistic": name, **row, "source": train.source})
        made = provenance(time.monotonic() - started)
        record("channel_stats.csv", [{**row, **made} for row in rows], ("images", "statistic"))
