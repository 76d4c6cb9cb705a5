"""Lesson 01: the small network that lesson 03 takes apart → data/weights/small_cnn.safetensors

Trained on 4,000 of the sample's 5,000 training images, ten epochs, about half a minute. Another processor or number of
threads gives other weights of about the same accuracy; the stored ones are right on 66.9 % of the validation images.
"""

from pathlib import Path

from torch import nn

from helpers.batches import Batches
from helpers.checkpoints import History
from helpers.data import ImageSet, load_cifar10, split
from helpers.evaluation import accuracy, predict
from helpers.models import WEIGHTS, save_weights, small_cnn
from helpers.training import fit

STORED = WEIGHTS / "small_cnn.safetensors"
# Chosen in a dozen tries on the validation images.
RECIPE = {"epochs": 10, "lr": 0.3, "weight_decay": 5e-4, "warmup_epochs": 1}


def train_small_cnn(train: ImageSet, validation: ImageSet, log=None, **changes) -> tuple[nn.Module, History]:
    """The small CNN trained by RECIPE (`changes` replace its entries) on images mirrored at random; in eval mode."""
    model = small_cnn()
    batches = Batches(train, 64, augment=("flip",), shuffle=True)
    return model, fit(model, batches, validation=Batches(validation, 500), log=log, **RECIPE | changes)


def arguments(parser) -> None:
    parser.add_argument("--to", type=Path, default=STORED, metavar="FILE", help="where the weights go")
    parser.add_argument("--overwrite", action="store_true", help="replace weights that are there already")


def run(options, log) -> None:
    if options.to.exists() and not options.overwrite:
        raise FileExistsError(
            f"{options.to.name} is there already and was left as it is: --to FILE writes elsewhere, --overwrite here"
        )
    train, validation = split(load_cifar10()[0], 0.2)
    model, _ = train_small_cnn(train, validation, log)
    save_weights(model, options.to)
    result = accuracy(predict(model, Batches(validation, 500)), validation.labels)
    log(f"{options.to.name} written: {result} · validation images")
