"""Is the block worth it? Five networks of equal MACs, trained alike → data/results/blocks.csv

Every network costs 24 to 25 million MACs at 32 pixels (small.py). With --pilot learning rate and weight decay are
tried, the same small grid for each, a few epochs, judged on the 5,000 validation images (→ blocks_pilot.csv). Without
it every network is trained by the zoo's recipe with the pair that the pilot found best for it, on the 45,000 training
images, three seeds, and judged once on the 10,000 test images.

--control tries three other explanations of what is seen, on validation images (→ blocks_control.csv). The pilot gave
the networks with and without squeeze-and-excite different decays: `pair` trains each with the other's rate and decay.
MobileNetV2 alone starts from torchvision's first weights: `weights` trains it from PyTorch's, as the others are. And
BatchNorm's statistics may lag behind the weights: `statistics` judges a network again with them measured anew.
"""

import argparse
from dataclasses import replace

import torch

from helpers.batches import Batches
from helpers.evaluation import Accuracy, mcnemar, predict
from helpers.lessons.lesson_09 import layers, small
from helpers.lessons.lesson_09.small import NETWORKS
from helpers.results import columns_of, record, stored
from helpers.runs import studies
from helpers.runs.anew import BATCH, IMAGES, measured_anew
from helpers.runs.recipes import HOW, HOW_ZOO, ZOO, Recipe, curve, long_run, some, zoo_sets

RATES, DECAYS = (0.1, 0.2, 0.4), (5e-4, 5e-5)
PILOT_EPOCHS = 4
KEY = ("network", "seed", "epochs")
TWINS = ("EfficientNet, with squeeze-and-excite", "EfficientNet, without")
KEY_CONTROL = ("network", "lr", "weight_decay", "seed", "epochs")
KEY_PILOT = ("network", "lr", "weight_decay", "epochs")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pilot", action="store_true", help="the grid of rates and decays, on validation images")
    parser.add_argument("--control", choices=("pair", "weights", "statistics"), help="the twins with each other's"
                        " rate and decay; MobileNetV2 from other first weights; BatchNorm measured anew")  # fmt: skip
    parser.add_argument("--network", choices=NETWORKS, nargs="+", default=list(NETWORKS), metavar="NAME",
                        help=f"some of: {', '.join(NETWORKS)}")  # fmt: skip
    parser.add_argument("--seed", type=studies.seed, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=studies.count, help=f"{ZOO.epochs}; of the pilot {PILOT_EPOCHS}")
    studies.arguments(parser)


def grid(options: argparse.Namespace) -> list[dict]:
    """Every network with every pair of a rate and a decay."""
    epochs = options.epochs or PILOT_EPOCHS
    return [{"network": name, "lr": f"{lr:g}", "weight_decay": f"{decay:g}", "epochs": epochs}
            for name in options.network for decay in DECAYS for lr in RATES]  # fmt: skip


def chosen(name: str, options: argparse.Namespace) -> Recipe:
    """The zoo's recipe with the pair that is best for this network on the validation images; the zoo's own in a trial.

    Raises ValueError while the pilot's rows of this network are not all there.
    """
    epochs = options.epochs or ZOO.epochs
    if options.limit:
        return replace(ZOO, epochs=epochs)
    rows = [row for row in stored(studies.file_on("blocks_pilot.csv", options)) if row["network"] == name]
    if len({(row["lr"], row["weight_decay"]) for row in rows}) < len(RATES) * len(DECAYS):
        raise ValueError(f"first the pilot of {name}: python -m helpers blocks --pilot")
    best = max(rows, key=lambda row: float(row["validation_accuracy"]))
    return replace(ZOO, epochs=epochs, lr=float(best["lr"]), weight_decay=float(best["weight_decay"]))


def units(options: argparse.Namespace) -> list[dict]:
    """Every network with every seed, by the recipe chosen for it."""
    recipes = {name: chosen(name, options).columns() for name in options.network}
    return [{"network": name, "seed": seed, **recipes[name]} for seed in options.seed for name in options.network]


def controls(options: argparse.Namespace) -> list[dict]:
    """The twins with each other's pair; MobileNetV2 from other first weights; or every network with its own pair."""
    if options.control == "statistics":
        return units(options)
    if options.control == "weights":
        recipe = chosen(next(iter(NETWORKS)), options).columns()
        return [{"network": name, "seed": seed, **recipe} for seed in options.seed for name in small.OTHER_WEIGHTS]
    crossed = dict(zip(TWINS, reversed(TWINS), strict=True))
    recipes = {name: chosen(other, options).columns() for name, other in crossed.items() if name in options.network}
    return [{"network": name, "seed": seed, **recipes[name]} for seed in options.seed for name in recipes]


def pilot(unit: dict, run: studies.Run) -> dict:
    """Train on the training images, judge on the validation images after the last epoch."""
    images, validation, _ = run.world
    torch.manual_seed(0)
    recipe = replace(ZOO, epochs=unit["epochs"], lr=float(unit["lr"]), weight_decay=float(unit["weight_decay"]))
    history = recipe.train(
        NETWORKS[unit["network"]](), some(images, run.options.limit), validation=Batches(validation, 500),
        checkpoint=run.checkpoint("blocks-pilot", unit, *KEY_PILOT), device=run.options.device, log=run.log,
    )  # fmt: skip
    run.log(f"{unit['network']}, lr {unit['lr']}, decay {unit['weight_decay']}: "
            f"validation {history.validation_accuracy[-1]:.2%}")  # fmt: skip
    return {"loss": f"{history.loss[-1]:.4g}", "validation_loss": f"{history.validation_loss[-1]:.4g}",
            "validation_accuracy": f"{history.validation_accuracy[-1]:.4f}",
            "seconds": f"{sum(history.seconds):.0f}"}  # fmt: skip


def measure(unit: dict, run: studies.Run) -> dict | None:
    """Train one network and judge it once on the test images; also records its curve."""
    torch.manual_seed(unit["seed"])
    model, checkpoint = NETWORKS[unit["network"]](), run.checkpoint("blocks", unit, *KEY)
    found = long_run(model, chosen(unit["network"], run.options), checkpoint, run, seed=unit["seed"])
    if found is None:
        return None
    row, history = found
    lines = [{**{column: unit[column] for column in KEY}, **line, "code": STUDY.code} for line in curve(history)]
    record(studies.file_on("blocks_curves.csv", run.options), lines, (*KEY, "epoch"), overwrite=run.replaces,
           within=KEY)  # fmt: skip
    return {**row, "validation_accuracy": f"{history.validation_accuracy[-1]:.4f}"}


def control(unit: dict, run: studies.Run) -> dict:
    """Judge one network on the validation images, as it is and with BatchNorm anew; trained first if not there."""
    images, validation, _ = run.world
    images = some(images, run.options.limit)
    torch.manual_seed(unit["seed"])
    model, same = (
        (NETWORKS | small.OTHER_WEIGHTS)[unit["network"]](),
        replace(run, code=STUDY.code),
    )  # the checkpoints of `blocks`
    recipe = replace(ZOO, **{name: unit[name] for name in ("epochs", "lr", "weight_decay")})
    recipe.train(model, images, image_size=32, seed=unit["seed"], validation=Batches(validation, 500, image_size=32),
                 checkpoint=same.checkpoint("blocks", unit, *KEY), device=run.options.device, log=run.log)  # fmt: skip
    before, anew = (
        predict(one, Batches(validation, 500)).argmax(1) == validation.labels
        for one in (model, measured_anew(model, images, recipe.augment))
    )
    change = mcnemar(anew, before)
    run.log(f"{unit['network']}, decay {unit['weight_decay']}, seed {unit['seed']}: anew {change}")
    return {**columns_of(Accuracy(int(before.sum()), len(before))), "correct_anew": int(anew.sum()),
            "only_anew": change.only_first, "only_before": change.only_second}  # fmt: skip


MADE_BY = (
    small.zoo, small.shuffle, small.efficient, small.resnet, layers.conv_norm, layers.ShuffleUnit,
    layers.InvertedResidual, layers.SqueezeExcite, layers.BasicBlock, layers.settings, layers.LITE0_TABLE,
    tuple(NETWORKS), ZOO,
)  # fmt: skip
STUDY = studies.Study(
    "blocks.csv", KEY, units, measure, made_by=(*MADE_BY, *HOW_ZOO, measure), also=("blocks_curves.csv",)
)
STUDY_PILOT = studies.Study(
    "blocks_pilot.csv", KEY_PILOT, grid, pilot, prepare=lambda run: zoo_sets(), made_by=(*MADE_BY, *HOW, some, pilot)
)
STUDY_CONTROL = studies.Study(
    "blocks_control.csv", KEY_CONTROL, controls, control, prepare=lambda run: zoo_sets(),
    made_by=(*MADE_BY, *HOW, some, control, measured_anew, IMAGES, BATCH, small.zoo_from_defaults),
)  # fmt: skip


def run(options: argparse.Namespace, log) -> int:
    study = STUDY_PILOT if options.pilot else STUDY_CONTROL if options.control else STUDY
    return studies.run(options, log, study)
