"""Lesson 06: the usual article on CIFAR-10 as printed, then repaired one step at a time → data/results/article.csv

The article's six code blocks: one random transform for training *and* test images; batches of 64; a pretrained
MobileNetV2 with every parameter frozen; a new classifier; Adam; ten epochs, `model.train()` at each, printed the mean
of the batches' losses; then `model.eval()`, accuracy and mean loss over the *augmented* test images. Only the weights
are others than the article's: the backbone that ships with the course, or EfficientNet-Lite0, for torchvision's.

Three parts. "article": as printed on the complete training set, three seeds; the score is looked up five times, for it
is random, and then on clean test images. "chain": repaired step by step, each step compared with the one before on the
same test images, on the same 10,000 training images throughout. "efficientnet-lite0": the same chain with ImageNet's
weights. "imagenet" (asked for only): with torchvision's. All are judged on CIFAR-10's 10,000 test images.
"""

import argparse
import copy
import time
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision import transforms

from helpers.batches import PerImage
from helpers.costs import count_macs
from helpers.data import ImageSet, load_cifar10
from helpers.evaluation import accuracy, mcnemar
from helpers.lessons.lesson_06.transfer import mean_interval
from helpers.models import Pretrained, load_pretrained
from helpers.results import columns_of, read_results, stored
from helpers.runs import studies
from helpers.runs.recipes import some

PRINTED = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))  # the article's mean and deviation
STEPS = (  # each keeps the repairs before it
    "as printed", "clean test images", "larger images", "its own normalisation", "BatchNorm still", "no augmentation",
    "features cached",
)  # fmt: skip
LOOKS = 5  # how often the same network is judged on newly augmented test images
SIZES = {"tiny-imagenet": 64, "efficientnet-lite0": 96, "imagenet": 96}  # pixels, once the images are enlarged
PARTS = {  # name: (weights, training images, steps, seeds)
    "chain": ("tiny-imagenet", 10_000, STEPS, (0,)),
    "article": ("tiny-imagenet", 50_000, STEPS[:2], (0, 1, 2)),
    "efficientnet-lite0": ("efficientnet-lite0", 10_000, STEPS, (0,)),
    "imagenet": ("imagenet", 10_000, STEPS, (0,)),
}


def transform_of(repaired: tuple[str, ...], backbone: Pretrained, size: int, random: bool) -> transforms.Compose:
    """The article's transform, PIL image → float32 [3,S,S], with what is `repaired`; `random`: with flip and crop."""
    steps = [transforms.RandomHorizontalFlip(), transforms.RandomCrop(32, padding=4)] if random else []
    mean, std = (backbone.mean, backbone.std) if "its own normalisation" in repaired else PRINTED
    steps += [transforms.ToTensor(), transforms.Normalize(mean, std)]
    return transforms.Compose([*steps, transforms.Resize(size)] if "larger images" in repaired else steps)


def loader(images: ImageSet, transform: transforms.Compose, shuffle: bool) -> DataLoader:
    """The article's: batches of 64, an image at a time."""
    data = PerImage(images.images.numpy(), images.labels.tolist(), transform)
    return DataLoader(data, batch_size=64, shuffle=shuffle)


def frozen(backbone: Pretrained) -> nn.Module:
    """A copy of the backbone, every parameter frozen, with the article's new classifier."""
    model = copy.deepcopy(backbone.model)
    for parameter in model.parameters():
        parameter.requires_grad = False
    model.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(backbone.features, 10))
    return model


def learn(model: nn.Module, batches: DataLoader, epochs: int, still: bool = False, device: str = "cpu", log=print):
    """The article's loop: teaches `model.classifier` in place; returns what it prints, a mean loss an epoch.

    Not by `fit`: this loop is what is measured. `still`: BatchNorm stays in evaluation mode.
    """
    optimizer, printed = torch.optim.Adam(model.classifier.parameters(), lr=0.001), []
    for epoch in range(epochs):
        model.train()
        for module in model.modules():
            if still and isinstance(module, nn.BatchNorm2d):
                module.eval()
        running_loss = 0.0
        for inputs, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        printed.append(running_loss / len(batches))
        log(f"epoch {epoch + 1}/{epochs}: loss {printed[-1]:.3f}")
    return printed


def answers_of(model: nn.Module, batches: DataLoader, device: str = "cpu") -> torch.Tensor:
    """The network's answers in evaluation mode, logits [N,C] (or features [N,D]) on the CPU."""
    model.eval()
    with torch.no_grad():
        return torch.cat([model(inputs.to(device)).cpu() for inputs, _ in batches])


def mean_loss(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """As the article computes it: the mean of the losses of the batches of 64."""
    pairs = zip(logits.split(64), labels.split(64), strict=True)
    losses = [F.cross_entropy(*pair).item() for pair in pairs]
    return sum(losses) / len(losses)


def taught(
    repaired: tuple[str, ...], train: ImageSet, test: ImageSet, backbone: Pretrained, size: int, epochs: int, seed: int,
    device: str = "cpu", log=print,
) -> dict:  # fmt: skip
    """Run the article's blocks, repaired so far.

    Returns {"losses": what each epoch prints; "seconds": processor time of the training, feature computation included;
    "looks": logits [LOOKS,N,10] of augmented test images, where that is not repaired; "clean": logits [N,10]}.
    """
    torch.manual_seed(seed)
    model = frozen(backbone).to(device)
    clean = transform_of(repaired, backbone, size, random=False)
    training = transform_of(repaired, backbone, size, random="no augmentation" not in repaired)
    begun = time.process_time()
    if "features cached" in repaired:  # the same images through the same loader, once
        features = answers_of(backbone.model.to(device), loader(train, training, shuffle=False), device)
        batches = DataLoader(TensorDataset(features, train.labels), batch_size=64, shuffle=True)
        learner = nn.Sequential(OrderedDict(classifier=model.classifier))
    else:
        batches, learner = loader(train, training, shuffle=True), model
    torch.manual_seed(seed)  # the same order and the same dropout, cached or not
    losses = learn(learner, batches, epochs, "BatchNorm still" in repaired, device, log)
    found = {"losses": losses, "seconds": time.process_time() - begun}
    if "clean test images" not in repaired:
        looks = [answers_of(model, loader(test, training, shuffle=False), device) for _ in range(LOOKS)]
        found["looks"] = torch.stack(looks)
    return found | {"clean": answers_of(model, loader(test, clean, shuffle=False), device)}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--parts", nargs="+", default=[*PARTS][:3], choices=[*PARTS], help="all but imagenet")
    parser.add_argument("--steps", nargs="+", default=list(STEPS), choices=STEPS)
    parser.add_argument("--seeds", type=studies.seed, nargs="+", help="others than the part's own")
    parser.add_argument("--epochs", type=studies.count, default=10)
    studies.arguments(parser)


def units(options: argparse.Namespace) -> list[dict]:
    """Every step of the parts asked for, in the order of the chain."""
    return [
        {"weights": weights, "train_images": images, "step": step, "seed": seed, "epochs": options.epochs}
        for weights, images, steps, seeds in (PARTS[part] for part in options.parts)
        for seed in options.seeds or seeds
        for step in steps
        if step in options.steps
    ]


def prepare(run: studies.Run) -> tuple[ImageSet, ImageSet, dict[str, Pretrained]]:
    """(training images, test images, backbones by name as they are asked for)."""
    parts, limit = load_cifar10("full"), run.options.limit
    if limit:
        parts = [part[:: max(1, len(part) // limit)] for part in parts]
    return (*parts, {})


def results_of(unit: dict, run: studies.Run) -> dict:
    """What `taught` gives for a unit: computed once, then kept. Clean test images are shown to the printed network."""
    unit = unit | {"step": STEPS[0]} if unit["step"] == STEPS[1] else unit
    train, test, backbones = run.world
    weights, images, device = unit["weights"], min(unit["train_images"], len(train)), run.options.device
    backbone = backbones.setdefault(weights, load_pretrained(weights))
    repaired = STEPS[: STEPS.index(unit["step"]) + 1]

    def make() -> dict:
        run.log(f"{weights}, {images:,} images, seed {unit['seed']}: {unit['step']}")
        train_on = train if images == len(train) else some(train, images)
        return taught(repaired, train_on, test, backbone, SIZES[weights], unit["epochs"], unit["seed"], device, run.log)

    return studies.kept(run.checkpoint("article", unit, "weights", "train_images", "step", "seed"), make)


def measure(unit: dict, run: studies.Run) -> list[dict]:
    """One step's row, compared with the step before; as printed, a row for each look at the test images."""
    _, test, backbones = run.world
    found, place = results_of(unit, run), STEPS.index(unit["step"])
    backbone = backbones[unit["weights"]]
    looks = found["looks"] if place == 0 else found["clean"][None]
    size = SIZES[unit["weights"]] if place >= STEPS.index("larger images") else 32
    rows = []
    for look, logits in enumerate(looks, start=1):
        result = accuracy(logits, test.labels, test.source)
        row = {
            "look": look,
            "image_size": size,
            "macs": count_macs(backbone.model.cpu(), size),
            **columns_of(result),
            "test_loss": f"{mean_loss(logits, test.labels):.4f}",
            "train_loss": f"{found['losses'][-1]:.4f}",
            "cpu_seconds": f"{found['seconds']:.0f}",
            "about": backbone.about,
            "source": result.source,
        }
        if place > 0:
            before = results_of(unit | {"step": STEPS[place - 1]}, run)
            earlier = before["looks"][0] if place == 1 else before["clean"]
            right, was = (one.argmax(1) == test.labels for one in (logits, earlier))
            pair = mcnemar(right, was)
            ends = {"difference": pair.difference, "difference_low": pair.low, "difference_high": pair.high}
            row |= {name: f"{end:.4f}" for name, end in ends.items()}
            row |= {"only_this_right": pair.only_first, "only_before_right": pair.only_second}
        run.log(f"{unit['step']}, look {look}: {result}")
        rows.append(row)
    return rows


STUDY = studies.Study(
    "article.csv", ("weights", "train_images", "step", "seed", "look"), units, measure, prepare=prepare,
    made_by=(transform_of, loader, frozen, learn, answers_of, mean_loss, taught, prepare, results_of, measure, PRINTED,
             STEPS, LOOKS, SIZES, PerImage, some, mcnemar),
)  # fmt: skip


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)


# ---------------------------------------------------------------------------------------------- what came of it


def found(part: str, *steps: str) -> list[dict]:
    """The rows of data/results/article.csv that there are of a part, in the order of steps, seeds and looks."""
    weights, images, *_ = PARTS[part]
    rows = read_results("article.csv") if stored("article.csv") else []
    rows = [row for row in rows if (row["weights"], row["train_images"]) == (weights, images)]
    rows = [row for row in rows if row["step"] in (steps or STEPS)]
    return sorted(rows, key=lambda row: (STEPS.index(row["step"]), row["seed"], row["look"]))


def by_seed(step: str) -> dict[int, list[dict]]:
    """The rows of one step on the complete training set, by seed."""
    rows: dict[int, list[dict]] = {}
    for row in found("article", step):
        rows.setdefault(row["seed"], []).append(row)
    return rows


def first_seed(part: str) -> list[dict]:
    """One row a step of the chain: seed 0, the first look."""
    return [row for row in found(part) if (row["seed"], row["look"]) == (0, 1)]


def printed() -> str:
    """What the complete article prints, seed by seed: five looks at one network; and the same on clean images."""
    looked, clean = by_seed("as printed"), by_seed("clean test images")
    if not looked:
        return _to_be_run("article")
    lines = [_images(looked[0][0])]
    for seed, rows in looked.items():
        scores = " ".join(f"{row['accuracy']:.2%}" for row in rows)
        losses = f"last epoch's loss {rows[0]['train_loss']:.3f}, test loss {rows[0]['test_loss']:.3f}"
        lines.append(f"seed {seed}: {losses}; five looks: {scores}")
        lines += [f"        clean images {row['accuracy']:.2%}: {_against(row)}" for row in clean.get(seed, ())]
    for name, rows in (("first look", looked), ("clean images", clean)):
        if len(rows) > 1:
            middle, low, high = mean_interval([100 * of_seed[0]["accuracy"] for of_seed in rows.values()])
            lines.append(f"{name}: mean of {len(rows)} seeds {middle:.1f} % (95 % interval {low:.1f} to {high:.1f})")
    return "\n".join(lines)


def chain(part: str = "chain") -> str:
    """The article repaired step by step: accuracy of each step, processor time, and the paired difference."""
    rows = first_seed(part)
    if not rows:
        return _to_be_run(part)
    lines = [_images(rows[0])]
    for row in rows:
        interval = f"{row['accuracy']:.1%} ({row['low']:.1%} to {row['high']:.1%})"
        versus = "" if row["step"] == STEPS[0] else _against(row)
        lines.append(f"{row['step']:22} {interval}   {row['cpu_seconds'] / 60:5.1f} min   {versus}".rstrip())
    return "\n".join(lines)


def _to_be_run(part: str) -> str:
    return f"There are no rows of this yet; the command that makes them: python -m helpers article --parts {part}"


def _images(row: dict) -> str:
    source = f"{row['train_images']:,} training and {row['total']:,} test images of {row['source']}"
    return f"{source}\n{row['about']}, for torchvision's weights\n"


def _against(row: dict) -> str:
    """The difference to the step before, in points, with its interval."""
    low, middle, high = (100 * float(row[f"difference{end}"]) for end in ("_low", "", "_high"))
    return f"{middle:+.1f} points ({low:+.1f} to {high:+.1f})"
