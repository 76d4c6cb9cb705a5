"""Lesson 06: the usual recipe for CIFAR-10 as printed, beside the same task done right → data/results/article.csv

The recipe's six code blocks, `pretrained=True` aside: imports; CIFAR-10 at 32 pixels through ToTensor and
Normalize; a pretrained MobileNetV2 with its weights frozen and a new head of ten classes; cross-entropy and Adam; ten
epochs in training mode; the test images in evaluation mode. Done right: 64 pixels, the backbone's own normalisation,
features computed once in evaluation mode; the same head, optimizer, epochs and images. Rows in between change one
thing at a time, and each is compared with the right one on the same test images.

It runs on the complete set. The shipped backbone stands in for torchvision's weights; --weights imagenet takes those.
Rows that are there already are skipped.
"""

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
from helpers.results import CHECKPOINTS, columns_of, is_recorded, provenance, read_results, record
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


def as_printed(train, test, backbone: Pretrained, mean, std, batch_size: int, epochs: int, log) -> torch.Tensor:
    """The usual loop: per-image transforms, a DataLoader, the frozen network run anew in every epoch. Logits [N,10]."""
    torch.manual_seed(0)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])
    model = copy.deepcopy(backbone.model)
    for parameter in model.parameters():
        parameter.requires_grad = False
    model.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(backbone.features, 10))
    optimizer = torch.optim.Adam(model.classifier.parameters(), lr=1e-3)
    loader = torch.utils.data.DataLoader(
        PerImage(train.images.numpy(), train.labels.tolist(), transform), batch_size=batch_size, shuffle=True
    )
    for epoch in range(epochs):
        model.train()
        started, total = time.monotonic(), 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        log(f"epoch {epoch + 1}/{epochs}: loss {total / len(loader):.3f} in {time.monotonic() - started:.0f} s")
    return predict(model, Batches(test, 500, mean=mean, std=std))


def with_cache(train, test, backbone: Pretrained, size, mean, std, batch_size: int, epochs: int, log) -> torch.Tensor:
    """The same head on features that are computed once, in evaluation mode. Logits [N,10]."""
    look = {"image_size": size, "mean": mean, "std": std}
    features, labels = cache_features(backbone, Batches(train, 250, **look))
    log(f"features of {len(features):,} images")
    torch.manual_seed(0)
    head = nn.Linear(backbone.features, 10)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(features)).split(batch_size):
            optimizer.zero_grad()
            F.cross_entropy(head(features[batch]), labels[batch]).backward()
            optimizer.step()
    with torch.no_grad():
        return head(cache_features(backbone, Batches(test, 250, **look))[0])


def logits_of(recipe: Recipe, train: ImageSet, test: ImageSet, backbone: Pretrained, epochs: int, log) -> torch.Tensor:
    """Train the head by `recipe` on `train`; the answer to every image of `test` [N,10]."""
    mean, std = (backbone.mean, backbone.std) if recipe.own else HALF
    if recipe.batchnorm == "training":
        return as_printed(train, test, backbone, mean, std, recipe.batch_size, epochs, log)
    size = recipe.size or backbone.image_size
    return with_cache(train, test, backbone, size, mean, std, recipe.batch_size, epochs, log)


def arguments(parser) -> None:
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--weights", default="tiny-imagenet", choices=["tiny-imagenet", "imagenet"])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--limit", type=int, help="so many images of each part: a trial, nothing is recorded")


def run(options, log) -> None:
    (train, test), backbone = load_cifar10("full"), load_pretrained(options.weights)
    if options.limit:
        train, test = (part[:: max(1, len(part) // options.limit)] for part in (train, test))
    stand_in = " in place of torchvision's ImageNet weights" if options.weights != "imagenet" else ""
    right = CHECKPOINTS / f"article_{options.weights}_{options.epochs}.pt"
    for name in ["done right", *(name for name in options.recipes if name != "done right")]:
        recipe, started = RECIPES[name], time.monotonic()
        unit = {"recipe": name, "weights": f"{backbone.about}{stand_in}", "epochs": options.epochs}
        if not options.limit and is_recorded("article.csv", unit) and (name != "done right" or right.exists()):
            log(f"{name}: in article.csv already")
            continue
        logits = logits_of(recipe, train, test, backbone, options.epochs, log)
        result, correct = accuracy(logits, test.labels, test.source), logits.argmax(1) == test.labels
        log(f"{name}: {result}")
        if options.limit:
            continue
        if name == "done right":  # which images it gets right, for the comparisons with the others
            right.parent.mkdir(parents=True, exist_ok=True)
            torch.save(correct, right)
        paired = mcnemar(correct, torch.load(right, weights_only=True))
        log(f"against the right one: {paired}")
        row = {**unit, **_row(recipe, backbone, result, paired), **provenance(time.monotonic() - started)}
        record("article.csv", [row], tuple(unit))


def _row(recipe: Recipe, backbone: Pretrained, result, paired) -> dict:
    size = recipe.size or backbone.image_size
    return {
        "batchnorm": recipe.batchnorm,
        "image_size": size,
        "normalisation": "its own" if recipe.own else "0.5 and 0.5",
        "batch_size": recipe.batch_size,
        "macs": count_macs(backbone.model, size),
        **columns_of(result),
        "difference": f"{paired.difference:.4f}",
        "difference_low": f"{paired.low:.4f}",
        "difference_high": f"{paired.high:.4f}",
        "only_this_right": paired.only_first,
        "only_right_one_right": paired.only_second,
        "source": result.source,
    }


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
