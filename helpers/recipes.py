"""How were the committed networks trained? The zoo's images and recipe, for the long runs of several lessons."""

from dataclasses import asdict

import torch

from helpers.batches import Batches
from helpers.checkpoints import History
from helpers.costs import count_macs, count_params
from helpers.data import ImageSet, load_cifar10
from helpers.evaluation import accuracy, predict
from helpers.results import CHECKPOINTS, columns_of, provenance
from helpers.training import fit

# How every network of the zoo is trained; learning rate and weight decay were chosen by `python -m helpers pilot`.
RECIPE = {"warmup_epochs": 1.0, "label_smoothing": 0.1, "ema_decay": 0.998}
AUGMENT, BATCH_SIZE = ("crop", "flip"), 128


def zoo_sets() -> tuple[ImageSet, ImageSet, ImageSet]:
    """(45,000 training, 5,000 validation, 10,000 test) images: validation is exactly the sample's training set."""
    (full, test), (sample, _) = load_cifar10("full"), load_cifar10("sample")
    if (len(full), len(test)) != (50_000, 10_000):
        raise ValueError(f"the zoo trains on the complete CIFAR-10, not on {full.source}")
    validation = torch.zeros(len(full), dtype=torch.bool)
    for label in range(10):
        validation[torch.nonzero(full.labels == label).flatten()[:500]] = True
    held_out = full[validation]
    by_class = held_out[torch.argsort(held_out.labels, stable=True)]
    if not torch.equal(by_class.images, sample.images):
        raise ValueError("the first 500 images of each class are not the sample's: one of the two is altered")
    return full[~validation], held_out, test


def long_run(
    model, size: int, seed: int, epochs: int, lr: float, weight_decay: float, limit: int | None, name: str, log
) -> tuple[dict, History] | None:
    """Train by the zoo's recipe on the zoo's images, judge once; (columns of a row, History). None if `limit` is set.

    `name` is the checkpoint's in data/runs/, from which an interrupted run goes on.
    """
    train, validation, test = zoo_sets()
    if limit:
        train = train[torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:limit]]
    model, sized = model.to(memory_format=torch.channels_last), {"image_size": size}
    history = fit(
        model,
        Batches(train, BATCH_SIZE, augment=AUGMENT, shuffle=True, seed=seed, **sized),
        epochs=epochs,
        lr=lr,
        weight_decay=weight_decay,
        validation=Batches(validation, 500, **sized),
        checkpoint=CHECKPOINTS / f"{name}.pt",
        log=log,
        seed=seed,
        **RECIPE,
    )
    if limit:
        log("a run on fewer images is only a trial: nothing is recorded")
        return None
    result = accuracy(predict(model, Batches(test, 500, **sized)), test.labels, test.source)
    log(f"{name}: {result}")
    row = {
        "epochs": epochs,
        "parameters": count_params(model),
        "macs": count_macs(model, size),
        **columns_of(result),
        **provenance(sum(history.seconds)),
    }
    return row, history


def curve(history: History) -> list[dict]:
    """A History as rows, one an epoch, with the digits that can be trusted."""
    columns = {name: values for name, values in asdict(history).items() if values}
    return [
        {"epoch": index + 1, **{name: f"{values[index]:.4g}" for name, values in columns.items()}}
        for index in range(len(history))
    ]
