"""The runs behind the committed files: `python -m helpers --help`."""

import argparse
import sys
import time
from importlib import import_module
from pathlib import Path

# A lesson's long runs: helpers/studies/NAME.py has `arguments(parser)` and `run(options, log)`; its docstring is help.
STUDIES = sorted(path.stem for path in (Path(__file__).parent / "studies").glob("*.py") if path.stem != "__init__")


def log(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, flush=True)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m helpers", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)

    sample = commands.add_parser("sample", help="write data/cifar10-sample/ from contact sheets of the complete set")
    sample.add_argument("--from", dest="folder", required=True, metavar="FOLDER")

    stats = commands.add_parser("stats", help="channel statistics of the images → data/results/channel_stats.csv")
    stats.add_argument("--full", action="store_true", help="also of the complete set (CIFAR10_DIR, or a download)")

    commands.add_parser("grid", help="what each family, width and resolution costs → data/results/cost_grid.csv")

    bench = commands.add_parser("bench", help="measure this machine; prints, writes nothing")
    bench.add_argument(
        "what", choices=["data", "train"],
        help="data: images per second, per-image DataLoader against Batches; train: a step, channels_last or not",
    )  # fmt: skip

    execute = commands.add_parser("execute", help="run notebooks in a clean kernel and store the outputs")
    execute.add_argument(
        "which", nargs="*", metavar="NN", help="00, solutions/03, appendix_a …; all when none is named"
    )

    train = commands.add_parser("train", help="train one network on the complete CIFAR-10 → data/results/zoo.csv")
    train.add_argument("--width", type=float, required=True)
    train.add_argument("--size", type=int, default=32, help="pixels")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--epochs", type=int, default=16)
    train.add_argument("--lr", type=float, default=0.1)
    train.add_argument("--weight-decay", type=float, default=5e-4)
    train.add_argument("--limit", type=int, help="use so many training images only: a trial, nothing is recorded")

    pilot = commands.add_parser("pilot", help="short runs that choose learning rate and weight decay")
    pilot.add_argument("--width", type=float, default=0.25)
    pilot.add_argument("--images", type=int, default=12_000)
    pilot.add_argument("--epochs", type=int, default=5)
    pilot.add_argument("--lr", type=float, nargs="+", default=[0.05, 0.1, 0.2])
    pilot.add_argument("--weight-decay", type=float, nargs="+", default=[5e-4, 5e-5])

    for name in STUDIES:
        study = import_module(f"helpers.studies.{name}")
        study.arguments(commands.add_parser(name, help=study.__doc__.splitlines()[0], description=study.__doc__))
    return top


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        if options.command in STUDIES:
            import_module(f"helpers.studies.{options.command}").run(options, log)
        elif options.command == "train":
            from helpers.runs import train_zoo

            train_zoo(
                options.width, options.size, options.seed, options.epochs, options.lr, options.weight_decay,
                options.limit, log,
            )  # fmt: skip
        elif options.command == "pilot":
            from helpers.runs import pilot

            pilot(options.width, options.images, options.epochs, options.lr, options.weight_decay, log)
        elif options.command == "stats":
            from helpers.make import channel_statistics

            channel_statistics(options.full)
        elif options.command == "sample":
            from helpers.make import write_sample

            write_sample(options.folder)
        elif options.command == "grid":
            from helpers.grid import write_grid

            write_grid()
        elif options.command == "bench":
            from helpers.make import bench_data, bench_train

            {"data": bench_data, "train": bench_train}[options.what]()
        elif options.command == "execute":
            from helpers.make import execute

            return execute(options.which)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
