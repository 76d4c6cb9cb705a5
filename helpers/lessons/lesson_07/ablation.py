"""Lesson 07: what is each part of the training recipe worth, at width 0.25? → data/results/ablation.csv

Every run is the recipe with one thing changed (or two: weight decay and the number of downsamplings), with the same
learning rate, on the same part of the zoo's training images, for few epochs: far shorter than a real training. Judged
after the last epoch on the zoo's 5,000 validation images, and image by image against the recipe with the same seed.
A row a run.
"""

import argparse
from pathlib import Path
from statistics import mean

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import nn

from helpers.batches import Batches
from helpers.checkpoints import History
from helpers.costs import count_macs
from helpers.data import ImageSet
from helpers.evaluation import Paired, accuracy, mcnemar, predict
from helpers.models import mobilenet_v2
from helpers.plots import COLOURS
from helpers.results import columns_of, locked
from helpers.runs import studies
from helpers.runs.recipes import HOW, Recipe, some, zoo_sets

FILE, WIDTH, LR = "ablation.csv", 0.25, 0.05  # half the zoo's learning rate, for half its batch
KEY = ("variant", "seed", "images", "epochs", "batch_size")
RECIPE = {
    "downsamplings": 4, "weight_decay": 5e-4, "schedule": "cosine", "warmup_epochs": 0.5, "label_smoothing": 0.1,
    "ema_decay": 0.998, "augment": "crop flip",
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
}
GRID = {  # weight decay → its runs with 5, 4 and 3 halvings
    5e-4: ("5 downsamplings", "recipe", "3 downsamplings"),
    4e-5: ("5 downsamplings, 4e-5", "weight decay 4e-5", "3 downsamplings, 4e-5"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=studies.count, default=12_000, help="training images")
    parser.add_argument("--epochs", type=studies.count, default=3)
    parser.add_argument("--batch-size", type=studies.count, default=64)
    parser.add_argument("--seeds", type=studies.count, default=3, help="so many, from 0")
    parser.add_argument("--only", choices=VARIANTS, nargs="+", default=list(VARIANTS), metavar="NAME",
                        help=f"some of: {', '.join(VARIANTS)}")  # fmt: skip
    studies.arguments(parser)


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
    rest = {name: value for name, value in parts.items() if name not in ("downsamplings", "augment")}
    recipe = Recipe(epochs, LR, augment=tuple(parts["augment"].split()), batch_size=batch_size, **rest)
    return model, recipe.train(model, images, seed=seed, checkpoint=checkpoint, device=device, log=log)


def units(options: argparse.Namespace) -> list[dict]:
    """The runs asked for. The recipe of every seed comes first, because the others are compared with it."""
    names = ["recipe", *(name for name in options.only if name != "recipe")]
    found = [
        {"variant": name, "seed": seed, "images": options.images, "epochs": options.epochs,
         "batch_size": options.batch_size}
        for seed in range(options.seeds) for name in names
    ]  # fmt: skip
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
        "lr": LR,
        "macs": count_macs(model, 32),
        "loss": f"{history.loss[-1]:.4g}",
        **columns_of(result),
        "only_this": pair.only_first,
        "only_recipe": pair.only_second,
        "seconds": f"{sum(history.seconds):.0f}",
    }


STUDY = studies.Study(
    FILE, KEY, units, measure, prepare=lambda run: zoo_sets(),
    made_by=(network, train, judged, measure, *HOW, RECIPE, VARIANTS, WIDTH, LR, some, zoo_sets, predict, mcnemar),
)  # fmt: skip


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)


# ---------------------------------------------------------------------------------------------- for the lesson


def paired(row: dict) -> Paired:
    """A run's difference to the recipe of its seed, from the counts of images that only one of the two got right."""
    image = torch.arange(row["total"])
    return mcnemar(image < row["only_this"], image >= row["total"] - row["only_recipe"])


def changes(rows: list[dict]) -> dict[str, list[Paired]]:
    """One change of the recipe → its differences, seed by seed; the costliest change first."""
    names = [name for name, parts in VARIANTS.items() if len(parts) == 1]
    found = {name: [paired(row) for row in rows if row["variant"] == name] for name in names}
    return dict(sorted(found.items(), key=lambda item: mean(pair.difference for pair in item[1])))


def draw_changes(rows: list[dict]) -> Figure:
    """The changes as points, a mark a seed, with the 95 % interval of each pair of networks."""
    figure, axes = plt.subplots(figsize=(7.5, 4.5))
    for place, pairs in enumerate(changes(rows).values()):
        for seed, pair in enumerate(pairs):
            x, low, high = (100 * value for value in (pair.difference, pair.low, pair.high))
            look = {"fmt": "os^"[seed % 3], "color": list(COLOURS.values())[seed % 3]}
            axes.errorbar(x, place + 0.22 * (seed - 1), xerr=[[x - low], [high - x]], capsize=2, lw=1.2, ms=5, **look,
                          label=None if place else f"seed {seed}")  # fmt: skip
        axes.text(1.01, place, f"{100 * mean(pair.difference for pair in pairs):+z.1f}", va="center",
                  transform=axes.get_yaxis_transform())  # fmt: skip
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(range(len(changes(rows))), list(changes(rows)))
    axes.set(title="One part changed (right: mean of the seeds)")
    axes.set_xlabel("points of validation accuracy, against the recipe of the same seed")
    axes.invert_yaxis()
    axes.legend(loc="lower left")
    return figure


def draw_halvings(rows: list[dict]) -> Figure:
    """Accuracy against the number of halvings, a line a weight decay, a small mark a seed."""
    figure, axes = plt.subplots(figsize=(7, 3.4))
    for (decay, names), look, colour, shift in zip(GRID.items(), "o^", ("blue", "orange"), (-0.04, 0.04), strict=True):
        values = [[100 * row["accuracy"] for row in rows if row["variant"] == name] for name in names]
        look = {"marker": look, "color": COLOURS[colour]}
        places = [place + shift for place in range(3)]
        axes.plot(places, [mean(v) for v in values], **look, label=f"weight decay {decay:g}")
        for place, v in enumerate(values):
            axes.plot([place + shift] * len(v), v, **look, linestyle="none", markersize=4, alpha=0.5)
    axes.set_xticks(range(3), ["5\n32 → 1 pixel", "4\n32 → 2 pixels", "3\n32 → 4 pixels"])
    axes.set(title="How often the network halves the image", xlabel="halvings", ylabel="validation accuracy in %")
    axes.legend()
    return figure
