"""The long runs behind the files of data/results/, each with its provenance. Called by `python -m helpers`."""

import contextlib
import csv
import datetime
import os
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path

import torch
import torchvision

from helpers import DATA
from helpers.data import Batches, ImageSet, load_cifar10
from helpers.evaluation import Accuracy, accuracy, predict
from helpers.models import WEIGHTS, mobilenet_v2, save_weights
from helpers.training import History, fit

RESULTS = DATA / "results"
CHECKPOINTS = DATA / "runs"
# How every network of the zoo is trained; learning rate and weight decay were chosen by `python -m helpers pilot`.
RECIPE = {"warmup": 1.0, "label_smoothing": 0.1, "average": 0.998}
AUGMENT, BATCH_SIZE = ("crop", "flip"), 128


def provenance(seconds: float) -> dict[str, str]:
    """What made a row: command, seconds, versions, processor, threads, date."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        cpu = f"{names[0]}, {len(names)} cores" if names else cpu
    return {
        "seconds": f"{seconds:.0f}",
        "command": "python -m helpers " + " ".join(sys.argv[1:]),
        "torch": torch.__version__.split("+")[0],
        "torchvision": torchvision.__version__.split("+")[0],
        "cpu": cpu,
        "threads": str(torch.get_num_threads()),
        "date": datetime.date.today().isoformat(),
    }


def record(name: str, rows: list[dict], key: tuple[str, ...]) -> Path:
    """Put rows into data/results/`name` in place of those with the same `key` columns; never leaves half a file."""
    path = RESULTS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{column: str(value) for column, value in row.items()} for row in rows]
    if path.exists():
        with open(path, newline="", encoding="utf-8") as file:
            rows = [*csv.DictReader(file), *rows]
    latest = {tuple(row[column] for column in key): row for row in rows}
    columns = list(dict.fromkeys(column for row in rows for column in row))
    part = path.with_name(name + ".part")
    with open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(latest.values(), key=lambda row: [_number(row[column]) for column in key]))
    os.replace(part, path)
    return path


def read_results(name: str) -> list[dict]:
    """The rows of data/results/`name`; a column whose cells are all numbers comes as int or float, any other as text.

    Raises FileNotFoundError when the file is missing.
    """
    path = RESULTS / name
    if not path.exists():
        raise FileNotFoundError(f"{name} is missing from data/results/: restore it with git checkout")
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for column in rows[0] if rows else ():
        for kind in (int, float):
            with contextlib.suppress(ValueError):
                for row, value in zip(rows, [kind(row[column]) for row in rows], strict=True):
                    row[column] = value
                break
    return rows


def is_recorded(name: str, key: dict) -> bool:
    """Whether data/results/`name` has a row with these columns and values: a study skips it."""
    path = RESULTS / name
    if not path.exists():
        return False
    with open(path, newline="", encoding="utf-8") as file:
        return any(all(row.get(c) == str(value) for c, value in key.items()) for row in csv.DictReader(file))


def columns_of(result: Accuracy) -> dict[str, int | str]:
    """An accuracy as the columns of a row."""
    shares = {"accuracy": result.value, "low": result.low, "high": result.high}
    return {"correct": result.correct, "total": result.total, **{name: f"{x:.4f}" for name, x in shares.items()}}


def _number(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return float("inf"), text


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


def train_zoo(
    width: float, size: int, seed: int, epochs: int, lr: float, weight_decay: float, limit: int | None, log
) -> None:
    """Train one network of the zoo, judge it once on the test images, and write its rows (and seed 0's weights)."""
    torch.manual_seed(seed)
    model = mobilenet_v2(width, num_classes=10, stem_stride=1, dropout=0.0)
    name = f"zoo_{width:g}_{size}_{seed}_{epochs}"
    result = long_run(model, size, seed, epochs, lr, weight_decay, limit, name, log)
    if result:
        run = {"width": f"{width:g}", "resolution": size, "seed": seed}
        if seed == 0 and size == 32:
            save_weights(model, WEIGHTS / f"zoo_mobilenet_v2_{width:g}.safetensors")
        lines = [{**run, **line} for line in curve(result[1])]
        record("zoo_curves.csv", lines, ("width", "resolution", "seed", "epoch"))
        record("zoo.csv", [{**run, **result[0]}], ("width", "resolution", "seed"))


def long_run(
    model, size: int, seed: int, epochs: int, lr: float, weight_decay: float, limit: int | None, name: str, log
) -> tuple[dict, History] | None:
    """Train by the zoo's recipe on the zoo's images, judge once; (columns of a row, History). None if `limit` is set.

    `name` is the checkpoint's in data/runs/, from which an interrupted run goes on.
    """
    from helpers.costs import count_macs, count_params

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


def pilot(width: float, images: int, epochs: int, rates: list[float], decays: list[float], log) -> None:
    """Short runs on part of the training images; the validation images choose learning rate and weight decay."""
    train, validation, _ = zoo_sets()
    train = train[torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:images]]
    for weight_decay in decays:
        for lr in rates:
            torch.manual_seed(0)
            model = mobilenet_v2(width, num_classes=10, stem_stride=1, dropout=0.0)
            model = model.to(memory_format=torch.channels_last)
            started = time.monotonic()
            history = fit(
                model,
                Batches(train, BATCH_SIZE, augment=AUGMENT, shuffle=True),
                epochs=epochs,
                lr=lr,
                weight_decay=weight_decay,
                validation=Batches(validation, 500),
                **RECIPE,
            )
            row = {
                "width": f"{width:g}",
                "lr": f"{lr:g}",
                "weight_decay": f"{weight_decay:g}",
                "images": images,
                "epochs": epochs,
                "loss": f"{history.loss[-1]:.4g}",
                "validation_loss": f"{history.validation_loss[-1]:.4g}",
                "validation_accuracy": f"{history.validation_accuracy[-1]:.4f}",
                **provenance(time.monotonic() - started),
            }
            record("zoo_pilot.csv", [row], ("width", "lr", "weight_decay", "images", "epochs"))
            log(f"lr {lr:g} weight decay {weight_decay:g}: validation {history.validation_accuracy[-1]:.1%}")
