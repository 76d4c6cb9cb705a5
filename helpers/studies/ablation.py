"""Lesson 07: what is each part of the training recipe worth, at width 0.25? → data/results/ablation.csv

Every run is the recipe with one thing changed (or two: weight decay and the number of downsamplings), with the same
learning rate, on the same part of the zoo's training images, for few epochs: far shorter than a real training. Judged
after the last epoch on the zoo's 5,000 validation images, and image by image against the recipe with the same seed.
A row a run; runs that are in the file are not run again.
"""

import time

import torch
from torch import nn

from helpers.costs import count_macs
from helpers.data import Batches
from helpers.evaluation import accuracy, mcnemar, predict
from helpers.models import mobilenet_v2
from helpers.runs import CHECKPOINTS, provenance, read_results, record, zoo_sets
from helpers.training import cosine_with_warmup, fit

FILE, WIDTH, LR = "ablation.csv", 0.25, 0.1
RECIPE = {
    "downsamplings": 4, "weight_decay": 5e-4, "schedule": "cosine", "warmup": 0.5, "label_smoothing": 0.1,
    "average": 0.998, "augment": "crop flip",
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
    "no warm-up": {"warmup": 0.0},
    "no smoothing": {"label_smoothing": 0.0},
    "no averaging": {"average": 0.0},
    "no augmentation": {"augment": ""},
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


def train(parts: dict, images, validation, epochs: int, batch_size: int, seed: int):
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
        warmup=parts["warmup"],
        label_smoothing=parts["label_smoothing"],
        average=parts["average"],
        validation=Batches(validation, 500),
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
            model, history = train(parts, train_images, validation, options.epochs, options.batch_size, seed)
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
