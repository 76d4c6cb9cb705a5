"""Lesson 07: what is each part of the training recipe worth, at width 0.25? → data/results/ablation.csv

Every run is the recipe with one thing changed (or two at once), with the same learning rate, on the same of the zoo's
training images. Judged after the last epoch on the zoo's 5,000 validation images, and image by image against the recipe
with the same seed. A row a run. Without options the short runs: 12,000 images, 3 epochs, three seeds, batches of 64;
with --long those from which conclusions are drawn: 45,000 images, 10 epochs, five seeds, the zoo's batches of 128
(→ ablation_long.csv).
"""

import argparse
import functools
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from statistics import mean

import torch
from torch import nn

from helpers.batches import Batches
from helpers.checkpoints import History
from helpers.costs import count_macs
from helpers.data import ImageSet
from helpers.evaluation import Paired, accuracy, mcnemar, mean_interval, predict
from helpers.models import mobilenet_v2
from helpers.results import columns_of, locked
from helpers.runs import studies
from helpers.runs.recipes import HOW, Recipe, some, zoo_sets

FILE, FILE_LONG, WIDTH = "ablation.csv", "ablation_long.csv", 0.25
LR = 0.1 / 128  # for each image of a batch: the zoo's learning rate for its batch
SHORT = {"images": 12_000, "epochs": 3, "batch_size": 64, "seeds": 3}
LONG = {"images": 45_000, "epochs": 10, "batch_size": 128, "seeds": 5}
LONG_VARIANTS = (
    "recipe", "no augmentation", "no smoothing", "no averaging", "no cosine", "neither averaging nor cosine",
    "weight decay 4e-5", "no decay on depthwise filters", "5 downsamplings",
)  # fmt: skip
KEY = ("variant", "seed", "images", "epochs", "batch_size")
RECIPE = {
    "downsamplings": 4, "weight_decay": 5e-4, "schedule": "cosine", "warmup_epochs": 0.5, "label_smoothing": 0.1,
    "ema_decay": 0.998, "augment": "crop flip", "decay_depthwise": "yes",
}  # fmt: skip
VARIANTS = {
    "recipe": {},
    "weight decay 4e-5": {"weight_decay": 4e-5},
    "5 downsamplings": {"downsamplings": 5},
    "5 downsamplings, 4e-5": {"downsamplings": 5, "weight_decay": 4e-5},
    "3 downsamplings": {"downsamplings": 3},
    "3 downsamplings, 4e-5": {"downsamplings": 3, "weight_decay": 4e-5},
    "no weight decay": {"weight_decay": 0.0},
    "no cosine": {"schedule": "constant"},
    "no warm-up": {"warmup_epochs": 0.0},
    "no smoothing": {"label_smoothing": 0.0},
    "no averaging": {"ema_decay": 0.0},
    "no augmentation": {"augment": ""},
    "neither averaging nor cosine": {"ema_decay": 0.0, "schedule": "constant"},
    "no decay on depthwise filters": {"decay_depthwise": "no"},
}
SHORT_VARIANTS = tuple(list(VARIANTS)[:12])
GRID = {  # weight decay → its runs with 5, 4 and 3 halvings
    5e-4: ("5 downsamplings", "recipe", "3 downsamplings"),
    4e-5: ("5 downsamplings, 4e-5", "weight decay 4e-5", "3 downsamplings, 4e-5"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    words = "the long runs: {images} images, {epochs} epochs, batches of {batch_size}, {seeds} seeds, if not said"
    parser.add_argument("--long", action="store_true", help=words.format(**LONG))
    for name, words in (("images", "training images"), ("epochs", "passes"), ("batch_size", ""), ("seeds", "from 0")):
        parser.add_argument(f"--{name.replace('_', '-')}", type=studies.count, help=f"{SHORT[name]}; {words}")
    parser.add_argument("--only", choices=VARIANTS, nargs="+", metavar="NAME", help=f"some of: {', '.join(VARIANTS)}")
    studies.arguments(parser)


def settings(options: argparse.Namespace) -> dict:
    """What the options ask for: the keys of SHORT, and "only"."""
    base = {**LONG, "only": LONG_VARIANTS} if options.long else {**SHORT, "only": SHORT_VARIANTS}
    given = {name: getattr(options, name) for name in base if getattr(options, name) is not None}
    return base | given


def network(downsamplings: int, width: float = WIDTH) -> nn.Module:
    """MobileNetV2 for 32 pixels that halves them so often: 5 as published, 4 as in the zoo, 3 as in pytorch-cifar."""
    if downsamplings not in (3, 4, 5):
        raise ValueError(f"downsamplings are 3, 4 or 5, not {downsamplings!r}")
    model = mobilenet_v2(width, num_classes=10, stem_stride=2 if downsamplings == 5 else 1, dropout=0.0)
    if downsamplings == 3:
        model.features[2].conv[1][0].stride = (1, 1)  # the depthwise convolution of the first 24-channel block
    return model.to(memory_format=torch.channels_last)


def train(
    parts: dict, images: ImageSet, epochs: int, batch_size: int, seed: int, checkpoint: Path | None = None, device=None,
    log=None,
) -> tuple[nn.Module, History]:  # fmt: skip
    """One run; returns (network, History). `parts` has the keys of RECIPE."""
    torch.manual_seed(seed)
    model = network(parts["downsamplings"])
    rest = {name: value for name, value in parts.items() if name not in ("downsamplings", "augment", "decay_depthwise")}
    recipe = Recipe(epochs, LR * batch_size, augment=tuple(parts["augment"].split()), batch_size=batch_size, **rest)
    optimizer = None if parts["decay_depthwise"] == "yes" else functools.partial(without_depthwise_decay, recipe)
    return model, recipe.train(
        model, images, seed=seed, checkpoint=checkpoint, device=device, log=log, optimizer=optimizer
    )


def without_depthwise_decay(recipe: Recipe, groups: list[dict]) -> torch.optim.Optimizer:
    """The recipe's SGD, with weight decay on every weight matrix but the depthwise filters [C,1,3,3]."""
    decayed, rest = groups
    depthwise = [p for p in decayed["params"] if p.ndim == 4 and p.shape[1] == 1]
    others = [p for p in decayed["params"] if not (p.ndim == 4 and p.shape[1] == 1)]
    kept = [{**decayed, "params": others}, {**rest, "params": depthwise}, rest]
    return torch.optim.SGD(kept, lr=recipe.lr, momentum=recipe.momentum, nesterov=True)


def units(options: argparse.Namespace) -> list[dict]:
    """The runs asked for. The recipe of every seed comes first, because the others are compared with it."""
    asked = settings(options)
    names = ["recipe", *(name for name in asked["only"] if name != "recipe")]
    sizes = {name: asked[name] for name in ("images", "epochs", "batch_size")}
    found = [{"variant": name, "seed": seed, **sizes} for seed in range(asked["seeds"]) for name in names]
    return sorted(found, key=lambda unit: unit["variant"] != "recipe")


def judged(unit: dict, run: studies.Run) -> tuple[torch.Tensor, History, nn.Module]:
    """Train, or take what is trained already: logits of the validation images [N,10], History and network."""
    images, validation, _ = run.world
    checkpoint = run.checkpoint("ablation", unit, *KEY)
    with locked(checkpoint.with_suffix(".lock")):  # two variants may want the recipe of one seed
        model, history = train(
            RECIPE | VARIANTS[unit["variant"]], some(images, run.options.limit or unit["images"]), unit["epochs"],
            unit["batch_size"], unit["seed"], checkpoint, run.options.device, run.log,
        )  # fmt: skip
    return predict(model, Batches(some(validation, run.options.limit), 500)), history, model


def measure(unit: dict, run: studies.Run) -> dict:
    """Train one variant and judge it beside the recipe of the same seed, on the same validation images."""
    logits, history, model = judged(unit, run)
    labels = some(run.world[1], run.options.limit).labels
    recipe = logits if unit["variant"] == "recipe" else judged(unit | {"variant": "recipe"}, run)[0]
    result = accuracy(logits, labels)
    pair = mcnemar(logits.argmax(1) == labels, recipe.argmax(1) == labels)
    run.log(f"{unit['variant']}, seed {unit['seed']}: {result}; against the recipe {pair}")
    return {
        **RECIPE,
        **VARIANTS[unit["variant"]],
        "width": WIDTH,
        "lr": LR * unit["batch_size"],
        "macs": count_macs(model, 32),
        "loss": f"{history.loss[-1]:.4g}",
        **columns_of(result),
        "only_this": pair.only_first,
        "only_recipe": pair.only_second,
        "seconds": f"{sum(history.seconds):.0f}",
    }


STUDY = studies.Study(
    FILE, KEY, units, measure, prepare=lambda run: zoo_sets(),
    made_by=(network, train, without_depthwise_decay, judged, measure, *HOW, RECIPE, VARIANTS, WIDTH, LR, some,
             zoo_sets, predict, mcnemar),
)  # fmt: skip


STUDY_LONG = replace(STUDY, file=FILE_LONG)


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY_LONG if options.long else STUDY)


# ---------------------------------------------------------------------------------------------- for the lesson


def paired(row: dict) -> Paired:
    """A run's difference to the recipe of its seed, from the counts of images that only one of the two got right."""
    image = torch.arange(row["total"])
    return mcnemar(image < row["only_this"], image >= row["total"] - row["only_recipe"])


def changes(rows: list[dict], parts: Collection[int] = (1,)) -> dict[str, list[Paired]]:
    """A change of so many parts of the recipe → its differences, seed by seed; the costliest change first."""
    names = [name for name, changed in VARIANTS.items() if len(changed) in parts]
    rows = sorted(rows, key=lambda row: row["seed"])
    found = {name: [paired(row) for row in rows if row["variant"] == name] for name in names}
    found = {name: pairs for name, pairs in found.items() if pairs}
    return dict(sorted(found.items(), key=lambda item: mean(pair.difference for pair in item[1])))


def three_against_four(rows: list[dict]) -> list[float]:
    """Points by which three halvings beat four with the same decay and seed: each decay of GRID, seed by seed."""
    found = {(row["variant"], row["seed"]): 100 * row["accuracy"] for row in rows}
    seeds = sorted(seed for name, seed in found if name == "recipe")
    return [found[three, seed] - found[four, seed] for _, four, three in GRID.values() for seed in seeds]


def table(rows: list[dict]) -> str:
    """The short runs: the recipe's accuracies, then each change of it: mean, its interval over seeds, and each seed."""
    lines = [f"the recipe: {_recipes(rows)} %"]
    for name, pairs in changes(rows).items():
        lines.append(f"{name:18} {_differences(pairs)}")
    return "\n".join(lines)


def table_halvings(rows: list[dict]) -> str:
    """Decay × halvings: MACs, the mean accuracy and each seed's; then three halvings against four, all pairs."""
    macs, lines = {row["variant"]: row["macs"] / 1e6 for row in rows}, []
    for decay, names in GRID.items():
        for name, count in zip(names, (5, 4, 3), strict=True):
            each = [100 * row["accuracy"] for row in rows if row["variant"] == name]
            seeds = ", ".join(f"{value:.1f}" for value in each)
            lines.append(f"{decay:g}, {count} halvings, {macs[name]:.1f}M: {mean(each):.1f} % ({seeds})")
    middle, low, high = mean_interval(three_against_four(rows))
    lines.append(f"three against four, six pairs: {middle:+.1f} ({low:+.1f} to {high:+.1f}) points")
    return "\n".join(lines)


def table_longer(rows: list[dict], anew: list[dict]) -> str:
    """The long runs, two lines a change: its differences to the recipe as both were judged, and with BatchNorm measured
    anew in both (rows of ablation_anew.csv); mean, its interval over seeds, and each seed, in points."""
    lines = [f"longer, the recipe: {_recipes(rows)} %"]
    judged, controls = (changes(runs, parts=(1, 2)) for runs in (rows, anew))
    for name, pairs in judged.items():
        lines.append(f"{name:28}  as judged {_differences(pairs)}")
        if name in controls:
            lines.append(f"{'':28}  BN anew   {_differences(controls[name])}")
    return "\n".join(lines)


def _differences(pairs: list[Paired]) -> str:
    """Mean and interval over seeds, where there are several, and each seed's, in points."""
    points = [100 * pair.difference for pair in pairs]
    if len(points) == 1:
        return f"{points[0]:+z5.1f}"
    each = ", ".join(f"{point:+z.1f}" for point in points)
    middle, low, high = mean_interval(points)
    return f"{middle:+z5.1f} ({low:+z5.1f} to {high:+z5.1f}) points: {each}"


def _recipes(rows: list[dict]) -> str:
    found = sorted((row for row in rows if row["variant"] == "recipe"), key=lambda row: row["seed"])
    return ", ".join(f"{100 * row['accuracy']:.1f}" for row in found)
