"""Lesson 07: what is each part of the training recipe worth, at width 0.25? → data/results/ablation.csv

Every run is the recipe with one thing changed (or two: weight decay and the number of downsamplings), with the same
learning rate, on the same part of the zoo's training images, for few epochs: far shorter than a real training. Judged
after the last epoch on the zoo's 5,000 validation images, and image by image against the recipe with the same seed.
A row a run; runs that are in the file are not run again.
"""

import time
from statistics import mean

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import nn

from helpers.batches import Batches
from helpers.costs import count_macs
from helpers.evaluation import Paired, accuracy, mcnemar, predict
from helpers.models import mobilenet_v2
from helpers.plots import COLOURS
from helpers.recipes import zoo_sets
from helpers.results import CHECKPOINTS, provenance, read_results, record
from helpers.training import cosine_with_warmup, fit

FILE, WIDTH, LR = "ablation.csv", 0.25, 0.05  # half the zoo's learning rate, for half its batch
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


def arguments(parser) -> None:
    parser.add_argument("--images", type=int, default=12_000, help="training images")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=VARIANTS, nargs="+", default=list(VARIANTS), metavar="NAME",
                        help=f"some of: {', '.join(VARIANTS)}")  # fmt: skip
    parser.add_argument("--limit", type=int, help="so many training and validation images: a trial, nothing is kept")


def constant_after_warmup(step: int, steps: int, warmup: int) -> float:
    """Factor on the learning rate: the same line up, and then no cosine."""
    return min(1.0, (step + 1) / warmup) if warmup else 1.0


def network(downsamplings: int, width: float = WIDTH) -> nn.Module:
    """MobileNetV2 for 32 pixels that halves them so often: 5 as published, 4 as in the zoo, 3 as in pytorch-cifar."""
    if downsamplings not in (3, 4, 5):
        raise ValueError(f"downsamplings are 3, 4 or 5, not {downsamplings!r}")
    model = mobilenet_v2(width, num_classes=10, stem_stride=2 if downsamplings == 5 else 1, dropout=0.0)
    if downsamplings == 3:
        model.features[2].conv[1][0].stride = (1, 1)  # the depthwise convolution of the first 24-channel block
    return model.to(memory_format=torch.channels_last)


def train(parts: dict, images, epochs: int, batch_size: int, seed: int):
    """One run; returns (network, History). `parts` has the keys of RECIPE."""
    torch.manual_seed(seed)
    model = network(parts["downsamplings"])
    history = fit(
        model,
        Batches(images, batch_size, augment=parts["augment"].split(), shuffle=True, seed=seed),
        epochs=epochs,
        lr=LR,
        weight_decay=parts["weight_decay"],
        schedule=cosine_with_warmup if parts["schedule"] == "cosine" else constant_after_warmup,
        warmup_epochs=parts["warmup_epochs"],
        label_smoothing=parts["label_smoothing"],
        ema_decay=parts["ema_decay"],
        seed=seed,
    )
    return model, history


def run(options, log) -> None:
    train_images, validation, _ = zoo_sets()
    chosen = torch.randperm(len(train_images), generator=torch.Generator().manual_seed(0))
    train_images = train_images[chosen[: options.limit or options.images]]
    if options.limit:
        validation = validation[torch.arange(0, len(validation), max(1, len(validation) // options.limit))]
    settings = {"images": len(train_images), "epochs": options.epochs, "batch_size": options.batch_size}
    for seed in range(options.seeds):
        right = {}  # variant → bool [N]: which validation images it gets right
        for name in ["recipe", *(name for name in options.only if name != "recipe")]:
            key = {"variant": name, "seed": seed, **settings}
            kept = CHECKPOINTS / ("_".join(["ablation", *map(str, key.values())]).replace(" ", "-") + ".pt")
            if not options.limit and _recorded(key) and (name != "recipe" or kept.exists()):
                if name == "recipe":
                    right[name] = torch.load(kept, weights_only=True)
                continue
            began, parts = time.monotonic(), RECIPE | VARIANTS[name]
            model, history = train(parts, train_images, options.epochs, options.batch_size, seed)
            logits = predict(model, Batches(validation, 500))
            right[name] = logits.argmax(1) == validation.labels
            result, pair = accuracy(logits, validation.labels), mcnemar(right[name], right["recipe"])
            log(f"{name}, seed {seed}: {result}; against the recipe {pair}")
            if options.limit:
                continue
            if name == "recipe":
                CHECKPOINTS.mkdir(parents=True, exist_ok=True)
                torch.save(right[name], kept)
            row = {
                **key,
                **parts,
                "width": WIDTH,
                "lr": LR,
                "macs": count_macs(model, 32),
                "loss": f"{history.loss[-1]:.4g}",
                "correct": result.correct,
                "total": result.total,
                "accuracy": f"{result.value:.4f}",
                "low": f"{result.low:.4f}",
                "high": f"{result.high:.4f}",
                "only_this": pair.only_first,
                "only_recipe": pair.only_second,
                **provenance(time.monotonic() - began),
            }
            record(FILE, [row], tuple(key))


def _recorded(key: dict) -> bool:
    try:
        return any(all(row[column] == value for column, value in key.items()) for row in read_results(FILE))
    except FileNotFoundError:
        return False


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
