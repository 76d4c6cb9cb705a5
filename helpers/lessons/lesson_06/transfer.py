"""Lesson 06: how many labels does transfer learning need? → data/results/transfer.csv

Labels a class × (scratch, frozen, fine-tuned) × seeds. Labelled are training images of the sample, judged is once, on
the sample's test images; all three see 64 pixels. scratch: MobileNetV2 with random weights. frozen: a linear head on
the shipped backbone's features. fine-tuned: from that head on, all weights at a small learning rate. From scratch gets
twice the images that fine-tuning gets, or more. A row a network. --pilot chooses, on training images that are not
labelled: learning rates → transfer_pilot.csv, and how long the frozen network's head learns → transfer_steps.csv.
"""

import argparse
import copy
from pathlib import Path

import torch
from torch import nn

from helpers.batches import Batches
from helpers.data import ImageSet, load_cifar10
from helpers.evaluation import accuracy, mean_interval, predict
from helpers.models import Pretrained, load_pretrained, mobilenet_v2
from helpers.results import columns_of, read_results
from helpers.runs import studies
from helpers.runs.recipes import HOW_HEAD, by_adam, new_head
from helpers.training import cache_features, fit

REGIMES = ("frozen", "fine-tuned", "scratch")
EPOCHS = {  # by the labels a class
    "fine-tuned": {10: 30, 50: 10, 250: 4, 500: 3},
    "scratch": {10: 60, 50: 24, 250: 10, 500: 8},
}
RATES = {"frozen": 1e-3, "fine-tuned": 0.01, "scratch": 0.03}
PILOT = {"frozen": (3e-4, 1e-3, 3e-3), "fine-tuned": (3e-3, 1e-2, 3e-2), "scratch": (0.01, 0.03, 0.1, 0.3)}
HEAD_STEPS = {10: 125, 50: 250, 250: 1000, 500: 1000}  # a head alone counts steps, by the labels a class
STEPS_TRIED, LABELS_TRIED = (
    (30, 60, 125, 250, 500, 1000, 2500, 5000),
    (10, 50, 250, 400),
)  # 500 would leave none to judge
PHASE_1 = 500  # steps of the head before fine-tuning
AUGMENT, BATCH_SIZE, WEIGHT_DECAY = ("crop", "flip"), 50, 5e-4

KEY = ("labels_per_class", "regime", "seed")


def labelled(train: ImageSet, per_class: int, seed: int) -> torch.Tensor:
    """Which images have labels: indices of `per_class` random images of each class, the same for the same seed.

    Raises ValueError when a class has fewer.
    """
    generator, chosen = torch.Generator().manual_seed(seed), []
    for label, name in enumerate(train.classes):
        members = torch.nonzero(train.labels == label).flatten()
        if not 0 < per_class <= len(members):
            raise ValueError(f"class {name!r} has {len(members)} images: {per_class} labels cannot be taken from it")
        chosen.append(members[torch.randperm(len(members), generator=generator)[:per_class]])
    return torch.cat(chosen)


def train_head(
    features: torch.Tensor, labels: torch.Tensor, steps: int = PHASE_1, lr: float = 1e-3, seed: int = 0,
    device: str = "cpu",
) -> nn.Linear:  # fmt: skip
    """A linear layer from features [N,D] to ten scores: whole epochs of about so many `steps` of Adam in all."""
    head, batches = new_head(features, labels, 100, seed)
    by_adam(head, batches, epochs=max(1, steps // len(batches)), lr=lr, device=device)
    return head.cpu()


def network(regime: str, backbone: Pretrained, head: nn.Linear | None, seed: int) -> nn.Sequential:
    """What training starts from, all weights free: a copy of the backbone with its head, or the same layers, random."""
    torch.manual_seed(seed)
    if regime == "scratch":
        start = nn.Sequential(mobilenet_v2(), nn.Linear(backbone.features, 10))
        start[0].classifier = nn.Identity()
    else:
        start = nn.Sequential(copy.deepcopy(backbone.model), copy.deepcopy(head))
    return start.requires_grad_(True).to(memory_format=torch.channels_last)


class Study:
    """The images, and the frozen features of all of them, computed once when they are first asked for."""

    def __init__(self, train: ImageSet, test: ImageSet, backbone: Pretrained):
        self.train, self.test, self.backbone = train, test, backbone
        self.look = {"image_size": backbone.image_size, "mean": backbone.mean, "std": backbone.std}
        self._features = None

    def features(self, device: str = "cpu") -> list[torch.Tensor]:
        """The backbone's features of the training and of the test images, [N,D] each."""
        if self._features is None:
            self.backbone.model.to(device)
            parts = (self.train, self.test)
            self._features = [cache_features(self.backbone, Batches(part, 100, **self.look))[0] for part in parts]
        return self._features

    def logits(
        self, regime: str, which: torch.Tensor, epochs: int, lr: float, seed: int, log, checkpoint: Path | None = None,
        device: str = "cpu", head_steps: int = PHASE_1,
    ) -> torch.Tensor:  # fmt: skip
        """Train on the training images `which`; the answer to every test image [N,10]."""
        head = None
        if regime != "scratch":
            train_features, test_features = self.features(device)
            rate = lr if regime == "frozen" else RATES["frozen"]
            head = train_head(train_features[which], self.train.labels[which], head_steps, rate, seed, device)
            if regime == "frozen":
                return head.requires_grad_(False)(test_features)
        model = network(regime, self.backbone, head, seed)
        batches = Batches(self.train[which], BATCH_SIZE, augment=AUGMENT, shuffle=True, seed=seed, **self.look)
        fit(model, batches, epochs=epochs, lr=lr, warmup_epochs=0.5, weight_decay=WEIGHT_DECAY, seed=seed, log=log,
            checkpoint=checkpoint, device=device)  # fmt: skip
        return predict(model, Batches(self.test, 100, **self.look))


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--labels", type=int, nargs="+", default=[10, 50, 250, 500], choices=[10, 50, 250, 500])
    parser.add_argument("--regimes", nargs="+", default=list(REGIMES), choices=REGIMES)
    parser.add_argument("--seeds", type=studies.seed, nargs="+", default=[0, 1, 2])
    parser.add_argument("--pilot", action="store_true", help="learning rates, and steps of a head, validated")
    studies.arguments(parser)


def prepare(run: studies.Run) -> tuple[ImageSet, ImageSet, Pretrained, dict]:
    """(training images, test images, backbone, a dict of the images judged in it → Study)."""
    return (*load_cifar10(), load_pretrained(), {})


def measure(unit: dict, run: studies.Run) -> dict:
    """Teach one network with so many labels and judge it: on test images, or a pilot's on training images left over."""
    train, test, backbone, made = run.world
    labels, regime, seed, pilot, limit = (
        unit["labels_per_class"], unit["regime"], unit["seed"], run.options.pilot, run.options.limit
    )  # fmt: skip
    which = labelled(train, labels, seed)
    judged = (labels, seed) if pilot else "test"
    if judged not in made:
        images = train[without(which, len(train))[::4]] if pilot else test
        made[judged] = Study(train, images[:: max(1, len(images) // limit)] if limit else images, backbone)
    study, kind = made[judged], "validation" if pilot else "test"
    logits = study.logits(
        regime, which, 1 if limit and unit["epochs"] else unit["epochs"], float(unit["lr"]), seed, run.log,
        run.checkpoint("transfer", unit, *KEY, "lr"), run.options.device, unit["head_steps"],
    )  # fmt: skip
    result = accuracy(logits, study.test.labels, f"{study.test.source}, {kind} images")
    run.log(f"{labels} a class, {regime}, lr {unit['lr']}, {unit['head_steps']} steps, seed {seed}: {result}")
    return {**columns_of(result), "source": result.source}


def without(which: torch.Tensor, count: int) -> torch.Tensor:
    """The indices below `count` that are not in `which`."""
    rest = torch.ones(count, dtype=torch.bool)
    rest[which] = False
    return torch.nonzero(rest).flatten()


def head_steps(regime: str, labels: int, pilot: bool) -> int:
    """How long the head learns: the pilot tried its rates on one length, and the lengths afterwards."""
    lengths = {"fine-tuned": PHASE_1, "frozen": PHASE_1 if pilot else HEAD_STEPS[labels]}
    return lengths.get(regime, 0)


def units(options: argparse.Namespace) -> list[dict]:
    """Every network that is asked for, in the order of the seeds: an interrupted run leaves whole curves behind."""
    return [
        {"labels_per_class": labels, "regime": regime, "seed": seed, "epochs": EPOCHS.get(regime, {}).get(labels, 0),
         "head_steps": head_steps(regime, labels, options.pilot), "lr": f"{lr:g}"}
        for seed in ([0] if options.pilot else options.seeds)
        for labels in options.labels
        if labels in LABELS_TRIED or not options.pilot
        for regime in options.regimes
        for lr in (PILOT[regime] if options.pilot else [RATES[regime]])
    ]  # fmt: skip


def units_of_steps(options: argparse.Namespace) -> list[dict]:
    """The frozen network's heads that learned for so many steps, for the seeds asked for."""
    return [
        {"labels_per_class": labels, "regime": "frozen", "seed": seed, "head_steps": steps, "epochs": 0,
         "lr": f"{RATES['frozen']:g}"}
        for seed in options.seeds
        for labels in LABELS_TRIED
        for steps in STEPS_TRIED
        if "frozen" in options.regimes
    ]  # fmt: skip


HOW = (labelled, train_head, network, Study, without, measure, EPOCHS, RATES, AUGMENT, BATCH_SIZE, WEIGHT_DECAY,
       *HOW_HEAD, Batches, mobilenet_v2, cache_features, predict)  # fmt: skip
STUDY = studies.Study("transfer.csv", KEY, units, measure, prepare=prepare, made_by=HOW)
PILOT_STUDY = studies.Study("transfer_pilot.csv", (*KEY, "lr"), units, measure, prepare=prepare, made_by=(*HOW, PILOT))
STEPS_STUDY = studies.Study(
    "transfer_steps.csv", (*KEY, "head_steps"), units_of_steps, measure, prepare=prepare, made_by=HOW
)


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, *((PILOT_STUDY, STEPS_STUDY) if options.pilot else (STUDY,)))


# ---------------------------------------------------------------------------------------------- what came of it


def accuracies(rows: list[dict], regime: str, labels: int) -> list[float]:
    """Of data/results/transfer.csv, in per cent, one a seed in their order."""
    found = [row for row in rows if (row["regime"], row["labels_per_class"]) == (regime, labels)]
    return [100 * row["accuracy"] for row in sorted(found, key=lambda row: row["seed"])]


def counts(rows: list[dict]) -> list[int]:
    """The numbers of labels a class that there are rows of."""
    return sorted({row["labels_per_class"] for row in rows})


def table() -> str:
    """Mean accuracy of the seeds and its 95 % interval for each number of labels, from data/results/transfer.csv."""
    rows = read_results("transfer.csv")
    lines = [f"{rows[0]['source']}; mean of three seeds (95 % interval over seeds)"]
    lines.append(" " * 12 + "".join(f"{name:>23}" for name in reversed(REGIMES)))
    for labels in counts(rows):
        lines.append(f"{labels:3} a class ")
        for name in reversed(REGIMES):
            middle, low, high = mean_interval(accuracies(rows, name, labels))
            lines[-1] += f"{f'{middle:.1f} % ({low:.1f} to {high:.1f})':>23}"
    return "\n".join(lines)


def gains() -> str:
    """What fine-tuning adds to the frozen network, seed by seed on the same labels: mean and 95 % interval."""
    rows, lines = read_results("transfer.csv"), ["fine-tuned against frozen, the same labelled images in each pair:"]
    for labels in counts(rows):
        pairs = zip(*(accuracies(rows, name, labels) for name in ("fine-tuned", "frozen")), strict=True)
        each = [tuned - still for tuned, still in pairs]
        middle, low, high = mean_interval(each)
        seeds = ", ".join(f"{one:+.1f}" for one in each)
        lines.append(f"{labels:3} a class {middle:+.1f} points ({low:+.1f} to {high:+.1f}); by seed {seeds}")
    return "\n".join(lines)
