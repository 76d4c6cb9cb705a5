"""How were the committed networks trained? The zoo's images and recipe, for the long runs of several lessons."""

import argparse
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import nn

from helpers.batches import AUGMENTATIONS, Batches
from helpers.checkpoints import History
from helpers.costs import count_macs, count_params
from helpers.data import ImageSet, load_cifar10
from helpers.evaluation import accuracy, predict
from helpers.results import columns_of
from helpers.runs import studies
from helpers.runs.together import fit
from helpers.training import constant_with_warmup, cosine_with_warmup
from helpers.training import fit as fit_alone

SCHEDULES = {"cosine": cosine_with_warmup, "constant": constant_with_warmup}
_SHARE = "a number from 0 to below 1"
# field of a Recipe → (its type, what it is, when it holds)
LIMITS = {
    "epochs": (int, "a whole number of at least 1", lambda n: n >= 1),
    "lr": (float, "a learning rate above 0", lambda x: 0 < x < math.inf),
    "weight_decay": (float, _SHARE, lambda x: 0 <= x < 1),
    "warmup_epochs": (float, "a number of epochs, 0 or more", lambda x: 0 <= x < math.inf),
    "label_smoothing": (float, _SHARE, lambda x: 0 <= x < 1),
    "ema_decay": (float, _SHARE, lambda x: 0 <= x < 1),
    "momentum": (float, _SHARE, lambda x: 0 <= x < 1),
    "batch_size": (int, "a whole number of at least 1", lambda n: n >= 1),
}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, by SGD with Nesterov momentum: the arguments of `fit`, and those of its `Batches`.

    Raises ValueError for a number that makes no sense.
    """

    epochs: int
    lr: float
    weight_decay: float
    warmup_epochs: float = 0.0
    label_smoothing: float = 0.0
    ema_decay: float = 0.0
    augment: tuple[str, ...] = ()
    batch_size: int = 128
    momentum: float = 0.9
    schedule: str = "cosine"

    def __post_init__(self):
        for name, (kind, words, holds) in LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, kind)) or not holds(value):
                raise ValueError(f"{name} is {words}, not {value!r}")
        if self.warmup_epochs > self.epochs:
            raise ValueError(f"a warm-up of {self.warmup_epochs:g} epochs does not end within {self.epochs}")
        if self.schedule not in SCHEDULES or not {*self.augment} <= {*AUGMENTATIONS}:
            raise ValueError(f"schedules are {', '.join(SCHEDULES)}, augmentations {', '.join(AUGMENTATIONS)}; "
                             f"not {self.schedule!r} and {self.augment!r}")  # fmt: skip

    def columns(self) -> dict[str, object]:
        """The recipe as columns of a row."""
        return {**asdict(self), "augment": " ".join(self.augment)}

    def train(self, model: nn.Module, images: ImageSet, *, image_size: int | None = None, seed: int = 0,
              validation: Batches | None = None, checkpoint: Path | None = None, device: str | None = None,
              optimizer=None, log=None) -> History:  # fmt: skip
        """Train `model` in place on `images`; the rest is `fit`'s. An `optimizer` brings learning rate and momentum."""
        batches = Batches(images, self.batch_size, image_size=image_size, augment=self.augment, shuffle=True, seed=seed)
        return fit(
            model.to(memory_format=torch.channels_last),
            batches,
            epochs=self.epochs,
            **({"optimizer": optimizer} if optimizer else {"lr": self.lr, "momentum": self.momentum}),
            weight_decay=self.weight_decay,
            warmup_epochs=self.warmup_epochs,
            schedule=SCHEDULES[self.schedule],
            label_smoothing=self.label_smoothing,
            ema_decay=self.ema_decay,
            validation=validation,
            checkpoint=checkpoint,
            device=device,
            seed=seed,
            log=log,
        )


# How every network of the zoo is trained; learning rate and weight decay were chosen by `python -m helpers pilot`.
ZOO = Recipe(
    epochs=16, lr=0.1, weight_decay=5e-4, warmup_epochs=1.0, label_smoothing=0.1, ema_decay=0.998,
    augment=("crop", "flip"), batch_size=128,
)  # fmt: skip


def recipe_arguments(parser: argparse.ArgumentParser, default: Recipe) -> None:
    """An option for each number of a recipe: --epochs, --lr, --weight-decay …"""
    group = parser.add_argument_group("recipe")
    for name, limits in LIMITS.items():
        value = getattr(default, name)
        group.add_argument(f"--{name.replace('_', '-')}", type=studies.number(*limits), default=value,
                           help=f"{value:g}", metavar="N" if limits[0] is int else "X")  # fmt: skip


def recipe_of(options: argparse.Namespace, default: Recipe) -> Recipe:
    """The recipe that the options of `recipe_arguments` say."""
    return replace(default, **{name: getattr(options, name) for name in LIMITS})


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


def some(images: ImageSet, count: int | None) -> ImageSet:
    """`count` of the images at random, always the same ones; all of them for None."""
    if count is None:
        return images
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:count]]


def long_run(
    model: nn.Module, recipe: Recipe, checkpoint: Path, run: studies.Run, *, image_size: int = 32, seed: int = 0
) -> tuple[dict, History] | None:
    """Train on the zoo's images, judge once on the test images; (columns of a row, History). None for a trial.

    `checkpoint` is the file from which an interrupted run goes on.
    """
    train, validation, test = zoo_sets()
    history = recipe.train(
        model,
        some(train, run.options.limit),
        image_size=image_size,
        seed=seed,
        validation=Batches(validation, 500, image_size=image_size),
        checkpoint=checkpoint,
        device=run.options.device,
        log=run.log,
    )
    if run.trial:
        return None
    result = accuracy(predict(model, Batches(test, 500, image_size=image_size)), test.labels, test.source)
    run.log(f"{checkpoint.stem}: {result}")
    costs = {"parameters": count_params(model), "macs": count_macs(model, image_size)}
    return {**costs, **columns_of(result), "seconds": f"{sum(history.seconds):.0f}"}, history


def curve(history: History) -> list[dict]:
    """A History as rows, one an epoch, with the digits that can be trusted."""
    columns = {name: values for name, values in asdict(history).items() if values}
    return [
        {"epoch": index + 1, **{name: f"{values[index]:.4g}" for name, values in columns.items()}}
        for index in range(len(history))
    ]


# ---------------------------------------------------------------------------------------------- a head on features


class Rows:
    """Batches of the rows of `features` [N,D] with their labels [N], in a new order each pass, drawn by `generator`."""

    def __init__(self, features: torch.Tensor, labels: torch.Tensor, batch_size: int, generator: torch.Generator):
        self.features, self.labels, self.batch_size, self.generator = features, labels, batch_size, generator

    def __len__(self) -> int:
        return math.ceil(len(self.features) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for rows in torch.randperm(len(self.features), generator=self.generator).split(self.batch_size):
            yield self.features[rows], self.labels[rows]


def new_head(features: torch.Tensor, labels: torch.Tensor, batch_size: int, seed: int = 0) -> tuple[nn.Linear, Rows]:
    """A linear layer from features [N,D] to ten scores, and the batches it will learn from; `seed` decides both."""
    torch.manual_seed(seed)
    head, generator = nn.Linear(features.shape[1], 10), torch.Generator()
    generator.set_state(torch.get_rng_state())  # as if the batches were drawn right after the weights
    return head, Rows(features, labels, batch_size, generator)


def by_adam(model: nn.Module, batches, *, epochs: int = 1, optimizer: torch.optim.Adam | None = None,
            lr: float = 1e-3, device: str | None = None) -> History:  # fmt: skip
    """Train as most tutorials do: Adam at a constant rate. `optimizer`, when it goes on with one, has its own rate."""
    made = (lambda groups: torch.optim.Adam(groups, lr=lr)) if optimizer is None else lambda groups: optimizer
    return fit(model, batches, epochs=epochs, optimizer=made, schedule=constant_with_warmup, device=device)


HOW = (Batches, fit_alone, Recipe)  # what every recipe's training is made of, and what a run on the zoo's images is
HOW_ZOO = (*HOW, zoo_sets, some, long_run, predict, accuracy)
HOW_HEAD = (fit_alone, Rows, new_head, by_adam)
