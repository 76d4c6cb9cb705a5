"""Lesson 06: how many labels does transfer learning need? → data/results/transfer.csv

Labels a class × (scratch, frozen, fine-tuned) × seeds. Labelled are training images of the sample, judged is once, on
the sample's test images; all three see 64 pixels. scratch: MobileNetV2 with random weights. frozen: a linear head on
the shipped backbone's features. fine-tuned: from that head on, all weights at a small learning rate. From scratch gets
twice the images that fine-tuning gets, or more. A row a network; rows that are there with the same settings are
skipped. --pilot chooses learning rates on training images that are not among the labelled ones → transfer_pilot.csv.
"""

import copy
import time

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from helpers.batches import Batches
from helpers.data import ImageSet, load_cifar10
from helpers.evaluation import accuracy, predict
from helpers.models import Pretrained, load_pretrained, mobilenet_v2
from helpers.results import columns_of, is_recorded, provenance, read_results, record
from helpers.training import cache_features, fit

REGIMES = ("frozen", "fine-tuned", "scratch")
EPOCHS = {  # of 10, 50, 250 and 500 labels a class; the head counts steps instead
    "fine-tuned": {10: 30, 50: 10, 250: 4, 500: 3},
    "scratch": {10: 60, 50: 24, 250: 10, 500: 8},
}
RATES = {"frozen": 1e-3, "fine-tuned": 0.01, "scratch": 0.03}
PILOT = {"frozen": (3e-4, 1e-3, 3e-3), "fine-tuned": (3e-3, 1e-2, 3e-2), "scratch": (0.01, 0.03, 0.1, 0.3)}
AUGMENT, BATCH_SIZE, HEAD_STEPS, WEIGHT_DECAY = ("crop", "flip"), 50, 500, 5e-4


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


def train_head(features: torch.Tensor, labels: torch.Tensor, lr: float = 1e-3, seed: int = 0) -> nn.Linear:
    """A linear layer from features [N,D] to ten scores: HEAD_STEPS steps of Adam, batches of up to 100."""
    torch.manual_seed(seed)
    head = nn.Linear(features.shape[1], 10)
    optimizer, rows = torch.optim.Adam(head.parameters(), lr=lr), torch.empty(0, dtype=torch.int64)
    for _ in range(HEAD_STEPS):
        if not len(rows):
            rows = torch.randperm(len(features))
        batch, rows = rows[:100], rows[100:]
        loss = F.cross_entropy(head(features[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return head


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

    def features(self) -> tuple[torch.Tensor, torch.Tensor]:
        if self._features is None:
            parts = (self.train, self.test)
            self._features = [cache_features(self.backbone, Batches(part, 100, **self.look))[0] for part in parts]
        return self._features

    def logits(self, regime: str, which: torch.Tensor, epochs: int, lr: float, seed: int, log) -> torch.Tensor:
        """Train on the training images `which`; the answer to every test image [N,10]."""
        head = None
        if regime != "scratch":
            train_features, test_features = self.features()
            rate = lr if regime == "frozen" else RATES["frozen"]
            head = train_head(train_features[which], self.train.labels[which], rate, seed)
            if regime == "frozen":
                return head.requires_grad_(False)(test_features)
        model = network(regime, self.backbone, head, seed)
        batches = Batches(self.train[which], BATCH_SIZE, augment=AUGMENT, shuffle=True, seed=seed, **self.look)
        fit(model, batches, epochs=epochs, lr=lr, warmup_epochs=0.5, weight_decay=WEIGHT_DECAY, seed=seed, log=log)
        return predict(model, Batches(self.test, 100, **self.look))


def arguments(parser) -> None:
    parser.add_argument("--labels", type=int, nargs="+", default=[10, 50, 250, 500], choices=[10, 50, 250, 500])
    parser.add_argument("--regimes", nargs="+", default=list(REGIMES), choices=REGIMES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--pilot", action="store_true", help="three learning rates each, seed 0, validated")
    parser.add_argument("--limit", type=int, help="so many test images and one epoch: a trial, nothing is recorded")


def run(options, log) -> None:
    (train, test), name = load_cifar10(), "transfer_pilot.csv" if options.pilot else "transfer.csv"
    kind, study = "validation" if options.pilot else "test", None
    backbone = load_pretrained()
    for unit in units(options):
        labels, regime, seed = unit["labels_per_class"], unit["regime"], unit["seed"]
        if not options.limit and is_recorded(name, unit):
            log(f"{unit}: in {name} already")
            continue
        which = labelled(train, labels, seed)
        if options.pilot:
            test = train[without(which, len(train))[::4]]
        if options.limit:
            test = test[:: max(1, len(test) // options.limit)]
        if study is None or len(study.test) != len(test):
            study = Study(train, test, backbone)
        started = time.monotonic()
        epochs = 1 if options.limit and unit["epochs"] else unit["epochs"]
        logits = study.logits(regime, which, epochs, float(unit["lr"]), seed, log)
        result = accuracy(logits, test.labels, f"{test.source}, {kind} images")
        log(f"{labels} a class, {regime}, lr {unit['lr']}, seed {seed}: {result}")
        if not options.limit:
            row = {**unit, **columns_of(result), "source": result.source}
            record(name, [{**row, **provenance(time.monotonic() - started)}], key_of(options.pilot))


def without(which: torch.Tensor, count: int) -> torch.Tensor:
    """The indices below `count` that are not in `which`."""
    rest = torch.ones(count, dtype=torch.bool)
    rest[which] = False
    return torch.nonzero(rest).flatten()


def units(options) -> list[dict]:
    """Every network that is asked for, in the order of the seeds: an interrupted run leaves whole curves behind."""
    return [
        {"labels_per_class": labels, "regime": regime, "seed": seed, "epochs": EPOCHS.get(regime, {}).get(labels, 0),
         "lr": f"{lr:g}"}
        for seed in ([0] if options.pilot else options.seeds)
        for labels in options.labels
        for regime in options.regimes
        for lr in (PILOT[regime] if options.pilot else [RATES[regime]])
    ]  # fmt: skip


def key_of(pilot: bool) -> tuple[str, ...]:
    return ("labels_per_class", "regime", "seed", *(["lr"] if pilot else []))


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
