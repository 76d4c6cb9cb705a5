"""Train networks of the zoo on the complete CIFAR-10 → data/results/zoo.csv

Without --width, --size and --seed, --missing makes every row that the lessons use. The weights of seed 0 at 32 pixels
by the zoo's own recipe are those that ship with the lessons; another run leaves none.

`torchrun --nproc-per-node 2 -m helpers train …` shares each batch out among two processes; its rows go to a file of
their own, zoo_2_processes.csv.
"""

import argparse
from pathlib import Path

import torch

from helpers import ranks
from helpers.models import WEIGHTS, mobilenet_v2, save_weights
from helpers.results import record
from helpers.runs import studies
from helpers.runs.recipes import HOW_ZOO, ZOO, curve, long_run, recipe_arguments, recipe_of

# (width, pixels, seed): every width at 32 pixels, two of them at 24, three at 16 and once a fourth
RUNS = [
    *((width, 32, seed) for seed in (0, 1, 2) for width in (0.25, 0.35, 0.5, 0.75, 1.0)),
    *((width, size, seed) for seed in (0, 1, 2) for size in (24, 16) for width in (0.25, 0.5)),
    *((0.75, 16, seed) for seed in (0, 1, 2)),
    (1.0, 16, 0),
]
KEY = ("width", "resolution", "seed")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--width", type=studies.width, nargs="+", help="one or several")
    parser.add_argument("--size", type=studies.size, nargs="+", help="pixels; 32 when none is given")
    parser.add_argument("--seed", type=studies.seed, nargs="+", help="0 when none is given")
    recipe_arguments(parser, ZOO)
    studies.arguments(parser)


def units(options: argparse.Namespace) -> list[dict]:
    """The networks asked for: those of the options, or with --missing those of RUNS that fit the options."""
    if not options.width and not options.missing:
        raise ValueError("which width? --width 0.25, or --missing for all that the lessons use and that are not there")
    asked = [options.width, options.size, options.seed]
    if options.missing:
        runs = [run for run in RUNS if all(not some or x in some for x, some in zip(run, asked, strict=True))]
    else:
        runs = [(w, p, s) for s in options.seed or [0] for p in options.size or [32] for w in options.width]
    recipe = recipe_of(options, ZOO).columns()
    return [{"width": f"{width:g}", "resolution": size, "seed": seed, **recipe} for width, size, seed in runs]


def ships(unit: dict, options: argparse.Namespace) -> bool:
    """Whether a run's weights are those that come with the lessons."""
    documented = {"resolution": 32, "seed": 0, **ZOO.columns()}
    alone = options.device == "cpu" and ranks.world() == 1
    return alone and all(unit[name] == value for name, value in documented.items())


def check(units: list[dict], options: argparse.Namespace) -> None:
    """Weights that ship are replaced by --overwrite alone: ValueError before hours of training."""
    if options.again and not options.overwrite:
        for unit in units:
            if ships(unit, options) and weights(unit).exists():
                raise ValueError(
                    f"{weights(unit).name} ships with the lessons: only --overwrite replaces it, not --again"
                )


def weights(unit: dict) -> Path:
    """The file of a network's weights."""
    return WEIGHTS / f"zoo_mobilenet_v2_{unit['width']}.safetensors"


def measure(unit: dict, run: studies.Run) -> dict | None:
    """Train one network, judge it once on the test images; also records its curve, and its weights where they ship."""
    torch.manual_seed(unit["seed"])
    model = mobilenet_v2(float(unit["width"]), num_classes=10, stem_stride=1, dropout=0.0)
    recipe = recipe_of(run.options, ZOO)
    checkpoint = run.checkpoint("zoo", unit, *KEY)
    found = long_run(model, recipe, checkpoint, run, image_size=unit["resolution"], seed=unit["seed"])
    if found is None:
        return None
    row, history = found
    if ships(unit, run.options):
        ship(model, unit, checkpoint.with_suffix(".safetensors"), run)
    else:
        run.log("its weights are not kept: only those of seed 0, 32 pixels, the zoo's own recipe and the CPU ship")
    run_of = {column: unit[column] for column in KEY}
    lines = [{**run_of, **line, "code": STUDY.code} for line in curve(history)]
    curves = studies.file_on("zoo_curves.csv", run.options)
    record(curves, lines, (*KEY, "epoch"), overwrite=run.replaces, within=KEY)
    return row


def ship(model: torch.nn.Module, unit: dict, new: Path, run: studies.Run) -> None:
    """Put the weights among those that ship; ValueError, and they stay as `new`, when others are there."""
    save_weights(model, new)
    old = weights(unit)
    if old.exists() and old.read_bytes() != new.read_bytes() and not run.options.overwrite:
        raise ValueError(f"{old.name} holds other weights, and only --overwrite replaces them; the new ones are {new}")
    save_weights(model, old)


STUDY = studies.Study(
    "zoo.csv", KEY, units, measure, check=check, older=ZOO.columns(), also=("zoo_curves.csv",), together=True,
    made_by=(mobilenet_v2, *HOW_ZOO, measure),
)  # fmt: skip


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)
