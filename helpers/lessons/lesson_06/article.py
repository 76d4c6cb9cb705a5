"""Lesson 06: the usual recipe for CIFAR-10 as printed, beside the same task done right → data/results/article.csv

The recipe's six code blocks, `pretrained=True` aside: imports; CIFAR-10 at 32 pixels through ToTensor and
Normalize; a pretrained MobileNetV2 with its weights frozen and a new head of ten classes; cross-entropy and Adam; ten
epochs in training mode; the test images in evaluation mode. Done right: 64 pixels, the backbone's own normalisation,
features computed once in evaluation mode; the same head, optimizer, epochs and images. Rows in between change one
thing at a time, and each is compared with the right one on the same test images.

It runs on the complete set. The shipped backbone stands in for torchvision's weights; --weights imagenet takes those.
"""

import argparse
import copy
import time
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torchvision import transforms

from helpers.batches import Batches, PerImage
from helpers.costs import count_macs
from helpers.data import ImageSet, load_cifar10
from helpers.evaluation import accuracy, mcnemar, predict
from helpers.models import Pretrained, load_pretrained
from helpers.results import columns_of, read_results
from helpers.runs import studies
from helpers.runs.recipes import HOW_HEAD, by_adam, new_head
from helpers.training import cache_features

HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # the mean and deviation that many tutorials write without a reason


class Recipe(NamedTuple):
    """One way to the same ten-class head. size 0 and own=True: the backbone's own."""

    batchnorm: str  # "training": the whole network is put in training mode, as printed; or "evaluation"
    size: int
    own: bool  # its own normalisation, or 0.5 and 0.5
    batch_size: int


RECIPES = {
    "done right": Recipe("evaluation", 0, True, 64),
    "as printed": Recipe("training", 32, False, 64),
    "BatchNorm kept still": Recipe("evaluation", 32, False, 64),
    "and its own normalisation": Recipe("evaluation", 32, True, 64),
    "as printed, its own normalisation, batches of 32": Recipe("training", 32, True, 32),
}
ORDER = ("as printed", "BatchNorm kept still", "and its own normalisation", "done right")


def as_printed(
    train, test, backbone: Pretrained, mean, std, batch_size: int, epochs: int, log, device="cpu"
) -> torch.Tensor:
    """The usual loop: per-image transforms, a DataLoader, the frozen network run anew in every epoch. Logits [N,10].

    Not by `fit`: this is the loop that the usual recipe prints, and it is what is measured here.
    """
    torch.manual_seed(0)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])
    model = copy.deepcopy(backbone.model)
    for parameter in model.parameters():
        parameter.requires_grad = False
    model.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(backbone.features, 10))
    model.to(device)
    optimizer = torch.optim.Adam(model.classifier.parameters(), lr=1e-3)
    loader = torch.utils.data.DataLoader(
        PerImage(train.images.numpy(), train.labels.tolist(), transform), batch_size=batch_size, shuffle=True
    )
    for epoch in range(epochs):
        model.train()
        started, total = time.monotonic(), 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            total += loss.item()
        log(f"epoch {epoch + 1}/{epochs}: loss {total / len(loader):.3f} in {time.monotonic() - started:.0f} s")
    return predict(model, Batches(test, 500, mean=mean, std=std))


def with_cache(
    train, test, backbone: Pretrained, size, mean, std, batch_size: int, epochs: int, log, device="cpu"
) -> torch.Tensor:
    """The same head on features that are computed once, in evaluation mode. Logits [N,10]."""
    look, body = {"image_size": size, "mean": mean, "std": std}, backbone.model.to(device)
    features, labels = cache_features(body, Batches(train, 250, **look))
    log(f"features of {len(features):,} images")
    head, batches = new_head(features, labels, batch_size)
    by_adam(head, batches, epochs=epochs, device=device)
    with torch.no_grad():
        return head.cpu()(cache_features(body, Batches(test, 250, **look))[0])


def logits_of(
    recipe: Recipe, train: ImageSet, test: ImageSet, backbone: Pretrained, epochs: int, log, device="cpu"
) -> torch.Tensor:
    """Train the head by `recipe` on `train`; the answer to every image of `test` [N,10]."""
    mean, std = (backbone.mean, backbone.std) if recipe.own else HALF
    if recipe.batchnorm == "training":
        return as_printed(train, test, backbone, mean, std, recipe.batch_size, epochs, log, device)
    size = recipe.size or backbone.image_size
    return with_cache(train, test, backbone, size, mean, std, recipe.batch_size, epochs, log, device)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--weights", default="tiny-imagenet", choices=["tiny-imagenet", "imagenet"])
    parser.add_argument("--epochs", type=studies.count, default=10)
    studies.arguments(parser)


def units(options: argparse.Namespace) -> list[dict]:
    """The recipes asked for, the right one first: the others are compared with it."""
    stand_in = " in place of torchvision's ImageNet weights" if options.weights != "imagenet" else ""
    weights = f"{load_pretrained(options.weights).about}{stand_in}"
    names = ["done right", *(name for name in options.recipes if name != "done right")]
    return [{"recipe": name, "weights": weights, "epochs": options.epochs} for name in names]


def prepare(run: studies.Run) -> tuple[ImageSet, ImageSet, Pretrained]:
    """(training images, test images, backbone)."""
    parts, limit = load_cifar10("full"), run.options.limit
    if limit:
        parts = [part[:: max(1, len(part) // limit)] for part in parts]
    return (*parts, load_pretrained(run.options.weights))


def answers(unit: dict, run: studies.Run) -> torch.Tensor:
    """What the head taught by a unit's recipe says of the test images [N,10]; computed once, then kept."""
    recipe, device = RECIPES[unit["recipe"]], run.options.device
    path = run.checkpoint("article", unit, "recipe", "epochs")
    return studies.kept(path, lambda: logits_of(recipe, *run.world, unit["epochs"], run.log, device))


def measure(unit: dict, run: studies.Run) -> dict:
    """Teach a head by one recipe and compare it with the right one on the same test images."""
    (_, test, backbone), recipe = run.world, RECIPES[unit["recipe"]]
    logits = answers(unit, run)
    result, correct = accuracy(logits, test.labels, test.source), logits.argmax(1) == test.labels
    paired = mcnemar(correct, answers(unit | {"recipe": "done right"}, run).argmax(1) == test.labels)
    run.log(f"{unit['recipe']}: {result}; against the right one {paired}")
    size = recipe.size or backbone.image_size
    return {
        "batchnorm": recipe.batchnorm,
        "image_size": size,
        "normalisation": "its own" if recipe.own else "0.5 and 0.5",
        "batch_size": recipe.batch_size,
        "macs": count_macs(backbone.model.cpu(), size),
        **columns_of(result),
        "difference": f"{paired.difference:.4f}",
        "difference_low": f"{paired.low:.4f}",
        "difference_high": f"{paired.high:.4f}",
        "only_this_right": paired.only_first,
        "only_right_one_right": paired.only_second,
        "source": result.source,
    }


STUDY = studies.Study(
    "article.csv", ("recipe", "weights", "epochs"), units, measure, prepare=prepare,
    made_by=(as_printed, with_cache, logits_of, RECIPES, HALF, prepare, answers, measure, *HOW_HEAD, Batches, PerImage,
             cache_features, predict, mcnemar),
)  # fmt: skip


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)


def table() -> str:
    """The rows of data/results/article.csv: the printed recipe, then one thing after the other put right."""
    rows = {row["recipe"]: row for row in read_results("article.csv")}
    right = rows["done right"]
    lines = [f"{right['source']}: {right['total']:,} test images; {right['weights']}"]
    for name in ORDER:
        row = rows[name]
        how = f"{row['image_size']} px, normalised with {row['normalisation']}, BatchNorm in {row['batchnorm']} mode"
        lines.append(f"\n{name}: {how}")
        interval = f"{row['low']:.1%} to {row['high']:.1%}"
        lines.append(f"  {row['accuracy']:.1%} ({interval}), {row['seconds'] / 60:.1f} minutes of one core")
        if name != "done right":
            low, middle, high = (100 * row[f"difference{end}"] for end in ("_low", "", "_high"))
            lines[-1] += f"; against done right {middle:+.1f} points ({low:+.1f} to {high:+.1f})"
    return "\n".join(lines)
