"""Short runs that choose the zoo's learning rate and weight decay → data/results/zoo_pilot.csv"""

import time

import torch

from helpers.batches import Batches
from helpers.models import mobilenet_v2
from helpers.recipes import AUGMENT, BATCH_SIZE, RECIPE, zoo_sets
from helpers.results import provenance, record
from helpers.training import fit


def arguments(parser) -> None:
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--images", type=int, default=12_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lr", type=float, nargs="+", default=[0.05, 0.1, 0.2])
    parser.add_argument("--weight-decay", type=float, nargs="+", default=[5e-4, 5e-5])


def run(options, log) -> None:
    pilot(options.width, options.images, options.epochs, options.lr, options.weight_decay, log)


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
