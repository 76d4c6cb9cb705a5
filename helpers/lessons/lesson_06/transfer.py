"""Lesson 06: how many labels does transfer learning need? → data/results/transfer.csv

Labels a class × (scratch, frozen, fine-tuned) × seeds. Labelled are training images of the sample, judged is once, on
the sample's test images; all three see 64 pixels. scratch: MobileNetV2 with random weights. frozen: a linear head on
the shipped backbone's features. fine-tuned: from that head on, all weights at a small learning rate. From scratch gets
twice the images that fine-tuning gets, or more. A row a network. --pilot chooses learning rates on training images that
are not among the labelled ones → transfer_pilot.csv.
"""

import argparse
import copy
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import nn

from helpers.batches import Batches
from helpers.data import ImageSet, load_cifar10
from helpers.evaluation import accuracy, predict
from helpers.models import Pretrained, load_pretrained, mobilenet_v2
from helpers.results import columns_of, read_results
from helpers.runs import studies
from helpers.runs.recipes import HOW_HEAD, by_adam, new_head
from helpers.training import cache_features, fit

REGIMES = ("frozen", "fine-tuned", "scratch")
EPOCHS = {  # of 10, 50, 250 and 500 labels a class; the head counts steps instead
    "fine-tuned": {10: 30, 50: 10, 250: 4, 500: 3},
    "scratch": {10: 60, 50: 24, 250: 10, 500: 8},
}
RATES = {"frozen": 1e-3, "fine-tuned": 0.01, "scratch": 0.03}
PILOT = {"frozen": (3e-4, 1e-3, 3e-3), "fine-tuned": (3e-3, 1e-2, 3e-2), "scratch": (0.01, 0.03, 0.1, 0.3)}
AUGMENT, BATCH_SIZE, HEAD_STEPS, WEIGHT_DECAY = ("crop", "flip"), 50, 500, 5e-4

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
    features: torch.Tensor, labels: torch.Tensor, lr: float = 1e-3, seed: int = 0, device: str = "cpu"
) -> nn.Linear:
    """A linear layer from features [N,D] to ten scores: whole epochs of about HEAD_STEPS steps of Adam in all."""
    head, batches = new_head(features, labels, 100, seed)
    by_adam(head, batches, epochs=max(1, HEAD_STEPS // len(batches)), lr=lr, device=device)
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
        device: str = "cpu",
    ) -> torch.Tensor:  # fmt: skip
        """Train on the training images `which`; the answer to every test image [N,10]."""
        head = None
        if regime != "scratch":
            train_features, test_features = self.features(device)
            rate = lr if regime == "frozen" else RATES["frozen"]
            head = train_head(train_features[which], self.train.labels[which], rate, seed, device)
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
    parser.add_argument("--pilot", action="store_true", help="three learning rates each, seed 0, validated")
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
        run.checkpoint("transfer", unit, *KEY, "lr"), run.options.device,
    )  # fmt: skip
    result = accuracy(logits, study.test.labels, f"{study.test.source}, {kind} images")
    run.log(f"{labels} a class, {regime}, lr {unit['lr']}, seed {seed}: {result}")
    return {**columns_of(result), "source": result.source}


def without(which: torch.Tensor, count: int) -> torch.Tensor:
    """The indices below `count` that are not in `which`."""
    rest = torch.ones(count, dtype=torch.bool)
    rest[which] = False
    return torch.nonzero(rest).flatten()


def units(options: argparse.Namespace) -> list[dict]:
    """Every network that is asked for, in the order of the seeds: an interrupted run leaves whole curves behind."""
    return [
        {"labels_per_class": labels, "regime": regime, "seed": seed, "epochs": EPOCHS.get(regime, {}).get(labels, 0),
         "lr": f"{lr:g}"}
        for seed in ([0] if options.pilot else options.seeds)
        for labels in options.labels
        for regime in options.regimes
        for lr in (PILOT[regime] if options.pilot else [RATES[regime]])
    ]  # fmt: skip


HOW = (labelled, train_head, network, Study, without, measure, EPOCHS, RATES, AUGMENT, BATCH_SIZE, HEAD_STEPS,
       WEIGHT_DECAY, *HOW_HEAD, Batches, mobilenet_v2, cache_features, predict)  # fmt: skip
STUDY = studies.Study("transfer.csv", KEY, units, measure, prepare=prepare, made_by=HOW)
PILOT_STUDY = studies.Study("transfer_pilot.csv", (*KEY, "lr"), units, measure, prepare=prepare, made_by=(*HOW, PILOT))


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, PILOT_STUDY if options.pilot else STUDY)


# ---------------------------------------------------------------------------------------------- what came of it


def table() -> str:
    """Mean accuracy of the seeds (lowest to highest) for each number of labels, from data/results/transfer.csv."""
    rows = read_results("transfer.csv")
    head = " " * 12 + "".join(f"{name:>23}" for name in reversed(REGIMES))
    lines = [f"{rows[0]['source']}; mean of three seeds (lowest to highest)", head]
    for count in sorted({row["labels_per_class"] for row in rows}):
        lines.append(f"{count:3} a class ")
        for name in reversed(REGIMES):
            found = _accuracies(rows, name, count)
            lines[-1] += f"{f'{sum(found) / len(found):.1f} % ({min(found):.1f} to {max(found):.1f})':>23}"
    return "\n".join(lines)


def figure(live: dict):
    """The same as curves, every seed a dot; `live` {regime: Accuracy} of a short run with 10 labels stands beside."""
    rows = read_results("transfer.csv")
    figure, axes = plt.subplots(figsize=(7, 4))
    counts = sorted({row["labels_per_class"] for row in rows})
    for name, marker, place in zip(REGIMES, "o^s", (7, 7.6, 7.3), strict=True):
        found = [_accuracies(rows, name, count) for count in counts]
        (line,) = axes.plot(counts, [sum(part) / len(part) for part in found], marker + "-", label=name)
        for count, part in zip(counts, found, strict=True):
            axes.scatter([count] * len(part), part, 14, line.get_color())
        middle, low, high = (100 * getattr(live[name], end) for end in ("value", "low", "high"))
        bars = [[middle - low], [high - middle]]
        axes.errorbar(place, middle, bars, fmt=marker, mfc="white", color=line.get_color(), capsize=3)
    axes.set(xscale="log", xlabel="labelled images a class", ylabel="accuracy in %", ylim=(0, None))
    axes.set(xticks=counts, xticklabels=counts, title="Labels, or other people's weights? (CIFAR-10 sample)")
    axes.minorticks_off()
    axes.legend(loc="lower right")
    return figure


def _accuracies(rows: list[dict], regime: str, count: int) -> list[float]:
    """In per cent, one a seed."""
    return [100 * row["accuracy"] for row in rows if (row["regime"], row["labels_per_class"]) == (regime, count)]
