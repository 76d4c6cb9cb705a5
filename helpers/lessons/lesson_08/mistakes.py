"""Lesson 08: seven silent mistakes of the usual tutorial, measured on the same images → data/results/mistakes.csv

Each is made on purpose and judged on the sample's 2,000 test images, beside the same thing done right. Most are made
with lesson 00's classifier (frozen MobileNetV2, linear head, 4,000 training and 1,000 validation images), some also
with the zoo's width 0.25 or lesson 01's small CNN. `difference` is what the mistake makes of the reported accuracy,
paired image by image and averaged over the seeds, with a 95 % interval over images; `least` and `most` are single
seeds (or orders of the images). `seeds` is what the study was asked for; of those mistake 5 needs one, and the heads
of 6 and 7 take ten. A row a variant.
"""

import argparse
import copy
import math
from collections.abc import Iterator
from functools import cache, cached_property

import torch
import torch.nn.functional as F
from torch import nn

from helpers.batches import Batches
from helpers.data import CIFAR10_MEAN, CIFAR10_STD, ImageSet, load_cifar10, split
from helpers.evaluation import predict
from helpers.models import load_pretrained, load_zoo, small_cnn
from helpers.results import read_results
from helpers.runs import studies
from helpers.runs.recipes import HOW_HEAD, by_adam, new_head
from helpers.training import cache_features

COPIED = (0.2023, 0.1994, 0.2010)  # the mean of the images' own deviations, not the deviation: lesson 02
EPOCHS, MANY_EPOCHS, CNN_EPOCHS, BATCH = 10, 30, 20, 100
MISTAKES = {
    1: "test images augmented",
    2: "BatchNorm in training mode",
    3: "32 pixels into a network that divides by 32",
    4: "the copied standard deviation",
    5: "mean of batch means, short last batch",
    6: "epoch chosen on the test images",
    7: "one seed, no interval",
}

MAIN = {  # number → the variant that stands for it in the lesson's table
    1: "frozen MobileNetV2, crop and flip",
    2: "training mode while the head learned",
    3: "frozen MobileNetV2, 32 instead of 64 pixels",
    4: "frozen MobileNetV2, new head with it",
    5: "batches of 64, images class by class",
    6: "frozen MobileNetV2, ten heads",
    7: "frozen MobileNetV2, best of ten heads",
}

LOOKS = {  # number → (what it looks like in code, how to notice it, the lesson that explains it)
    1: ("one `transform` for both sets", "judge twice: the accuracy differs", "2"),
    2: ("`model.train()` for all of it", "`running_mean` changes", "6"),
    3: ("no `Resize`", "the last map is 1 × 1", "6"),
    4: ("`(0.2023, 0.1994, 0.2010)`", "compute it", "2"),
    5: ("`sum(accuracies) / len(loader)`", "compare: right ÷ images", "8"),
    6: ("`if test_accuracy > best`", "no validation set in the code", "7, 8"),
    7: ("a number alone", "run it again", "5"),
}


def head_epochs(features: torch.Tensor, labels: torch.Tensor, seed: int) -> Iterator[nn.Linear]:
    """Lesson 00's head: one linear layer from features [N,D] to ten scores, trained on; yields after each epoch."""
    head, batches = new_head(features, labels, BATCH, seed)
    adam = torch.optim.Adam(head.parameters(), lr=1e-3)
    while True:
        by_adam(head, batches, optimizer=adam)
        yield head


def drifting(backbone: nn.Module, batches: Batches, seed: int, epochs: int = EPOCHS) -> nn.Sequential:
    """The same head, trained the usual way on a "frozen" network that is put in training mode with it: it drifts."""
    torch.manual_seed(seed)
    whole = nn.Sequential(copy.deepcopy(backbone), nn.Linear(1280, 10))
    whole[0].requires_grad_(False)  # the weights stay; BatchNorm's statistics are none
    by_adam(whole, batches, epochs=epochs)
    return whole


def batch_weights(total: int, batch_size: int) -> torch.Tensor:
    """What each of `total` images counts in the mean of the batches' accuracies, float64 [total], relative to 1/total.

    All 1 when the batches are equal; in a short last batch each image counts more, in the others a little less.
    """
    sizes = torch.tensor([batch_size] * (total // batch_size) + [total % batch_size] * (total % batch_size > 0))
    return torch.repeat_interleave(total / (len(sizes) * sizes.double()), sizes)


def compare(with_mistake: torch.Tensor, without: torch.Tensor) -> dict[str, str]:
    """Columns of a row from what each image counts, [seeds,N] (or [N]) in 0…1, with the mistake and without.

    The interval is that of a mean of paired differences: each image's difference is averaged over the seeds, and the
    mean over the N images has 1.96 standard errors to each side.
    """
    both = [torch.atleast_2d(x).double() for x in (with_mistake, without)]
    each = both[0] - both[1]
    image, middle = each.mean(0), float(each.mean())
    half = 1.96 * float(image.std()) / math.sqrt(len(image))
    shares = {"reported": float(both[0].mean()), "honest": float(both[1].mean()), "difference": middle}
    shares |= {"low": middle - half, "high": middle + half}
    shares |= {"least": float(each.mean(1).min()), "most": float(each.mean(1).max())}
    return {name: f"{share:.5f}" for name, share in shares.items()}


class Study:
    """Every variant is a method that returns `compare`'s columns; what several need is computed once."""

    def __init__(self, seeds: int, limit: int | None = None):
        train, self.test = load_cifar10()
        if limit:
            train, self.test = train[:: len(train) // limit], self.test[:: len(self.test) // limit]
        self.train, self.validation = split(train, 0.2)
        self.seeds, self.labels, self.epochs = range(seeds), self.test.labels, 1 if limit else EPOCHS
        self.many_epochs, self.cnn_epochs = (2, 2) if limit else (MANY_EPOCHS, CNN_EPOCHS)
        self.more_seeds = range(2 if limit else 10)
        self.backbone = load_pretrained()
        self.look = {"image_size": 64, "mean": self.backbone.mean, "std": self.backbone.std}

    def right(self, logits: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return logits.argmax(1) == (self.labels if labels is None else labels)

    def features(self, images: ImageSet, **changed) -> torch.Tensor:
        return cache_features(self.backbone, Batches(images, BATCH, **{**self.look, **changed}))[0]

    def trained(self, **changed) -> torch.Tensor:
        """Right or wrong [seeds,N] of heads trained and judged on features of images prepared in the same way."""
        features, test = self.features(self.train, **changed), self.features(self.test, **changed)
        return torch.stack([self.right(head(test)) for head in self.heads(features)])

    def heads(self, features: torch.Tensor) -> list[nn.Linear]:
        return [self.head(features, seed) for seed in self.seeds]

    def head(self, features: torch.Tensor, seed: int) -> nn.Linear:
        epochs = head_epochs(features, self.train.labels, seed)
        return [next(epochs) for _ in range(self.epochs)][-1].requires_grad_(False)

    @cached_property
    def clean(self) -> tuple[list[nn.Linear], torch.Tensor]:
        """Heads done right, one a seed, and the test images' features."""
        return self.heads(self.features(self.train)), self.features(self.test)

    @cached_property
    def honest(self) -> torch.Tensor:
        heads, features = self.clean
        return torch.stack([self.right(head(features)) for head in heads])

    @cached_property
    def zoo(self) -> tuple[nn.Module, torch.Tensor]:
        network = load_zoo(0.25)
        return network, self.right(predict(network, Batches(self.test, 500)))

    def augmented(self) -> dict:
        seen = [self.features(self.test, augment=("crop", "flip"), seed=seed) for seed in self.seeds]
        return compare(
            torch.stack([self.right(head(x)) for head, x in zip(self.clean[0], seen, strict=True)]), self.honest
        )

    def augmented_zoo(self) -> dict:
        network, honest = self.zoo
        batches = [Batches(self.test, 500, augment=("crop", "flip"), seed=seed) for seed in self.seeds]
        return compare(torch.stack([self.right(predict(network, each)) for each in batches]), honest)

    def drift(self) -> dict:
        found, test = [], Batches(self.test, BATCH, **self.look)
        for seed in self.seeds:
            batches = Batches(self.train, BATCH, shuffle=True, seed=seed, **self.look)
            found.append(self.right(predict(drifting(self.backbone.model, batches, seed, self.epochs), test)))
        return compare(torch.stack(found), self.honest)

    def no_eval(self, shuffle: bool) -> dict:
        """Trained right, but judged without `.eval()`: each test batch is normalised by its own statistics."""
        found = []
        for seed in self.seeds:
            body = copy.deepcopy(self.backbone.model).train()
            order = torch.arange(len(self.test))
            if shuffle:
                order = torch.randperm(len(self.test), generator=torch.Generator().manual_seed(seed))
            with torch.no_grad():
                features = torch.cat([body(x) for x, _ in Batches(self.test[order], BATCH, **self.look)])
            right = torch.empty(len(order), dtype=torch.bool)
            right[order] = self.right(self.clean[0][seed](features), self.labels[order])
            found.append(right)
        return compare(torch.stack(found), self.honest)

    def small(self) -> dict:
        return compare(self.trained(image_size=32), self.honest)

    def copied(self) -> dict:
        both = [self.trained(mean=CIFAR10_MEAN, std=std) for std in (COPIED, CIFAR10_STD)]
        return compare(*both)

    def copied_zoo(self) -> dict:
        network, honest = self.zoo
        return compare(self.right(predict(network, Batches(self.test, 500, std=COPIED))), honest)

    def batch_means(self, batch_size: int, orders: int = 0) -> dict:
        """In the stored order, class by class; or in random orders: the interval then holds 95 % of the orders."""
        weights, right = batch_weights(len(self.test), batch_size), self.honest[0].double()
        if not orders:
            return compare(weights * right, right)
        generator = torch.Generator().manual_seed(0)
        weights = torch.stack([weights[torch.randperm(len(weights), generator=generator)] for _ in range(orders)])
        low, high = (weights * right - right).mean(1).quantile(torch.tensor([0.025, 0.975]).double()).tolist()
        return compare(weights * right, right) | {"low": f"{low:.5f}", "high": f"{high:.5f}"}

    @cached_property
    def watched_heads(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """For each of ten seeds: validation accuracy [epochs], and right or wrong [epochs,N] on the test images."""
        (_, test), train, validation = self.clean, self.features(self.train), self.features(self.validation)
        runs = []
        for seed in self.more_seeds:
            heads, score, right = head_epochs(train, self.train.labels, seed), [], []
            for _, head in zip(range(self.many_epochs), heads, strict=False):
                with torch.no_grad():
                    score.append(self.right(head(validation), self.validation.labels).double().mean())
                    right.append(self.right(head(test)))
            runs.append((torch.stack(score), torch.stack(right)))
        return runs

    @cache  # noqa: B019 - the study lives as long as the process
    def watched_networks(self, std: tuple[float, ...]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """The same of lesson 01's small CNN, trained from scratch with Adam at a constant rate.

        Not by `fit`, which looks at one set of images after an epoch; here the answers to two are wanted.
        """
        runs = []
        for seed in self.seeds:
            network, score, right = small_cnn(seed), [], []
            optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
            batches = Batches(self.train, 64, augment=("flip",), shuffle=True, seed=seed, std=std)
            for _ in range(self.cnn_epochs):
                network.train()
                for images, labels in batches:
                    loss = F.cross_entropy(network(images), labels)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                known = self.right(predict(network, Batches(self.validation, 500, std=std)), self.validation.labels)
                score.append(known.double().mean())
                right.append(self.right(predict(network, Batches(self.test, 500, std=std))))
            runs.append((torch.stack(score), torch.stack(right)))
        return runs

    def copied_small(self) -> dict:
        both = [torch.stack([right[-1] for _, right in self.watched_networks(std)]) for std in (COPIED, CIFAR10_STD)]
        return compare(*both)

    def chosen(self, runs: list[tuple[torch.Tensor, torch.Tensor]]) -> dict:
        """The epoch that looks best on the test images, against the one that looks best on the validation images."""
        on_test = [right[right.double().mean(1).argmax()] for _, right in runs]
        on_validation = [right[score.argmax()] for score, right in runs]
        return compare(torch.stack(on_test), torch.stack(on_validation))

    def seeds_apart(self, runs: list[tuple[torch.Tensor, torch.Tensor]]) -> dict:
        """The best seed's accuracy after the last epoch against the mean of all seeds; least and most are seeds."""
        right = torch.stack([right[-1] for _, right in runs]).double()
        mean = right.mean(0)
        result = compare(right[right.mean(1).argmax()], mean)
        return result | {name: compare(right, mean)[name] for name in ("least", "most")}


ZOO, SMALL = "zoo, width 0.25", "small CNN from scratch"
VARIANTS = {  # (number, variant) → how a Study measures it
    (1, "frozen MobileNetV2, crop and flip"): Study.augmented,
    (1, f"{ZOO}, crop and flip"): Study.augmented_zoo,
    (2, "training mode while the head learned"): Study.drift,
    (2, "training mode in the test, images class by class"): lambda study: study.no_eval(False),
    (2, "training mode in the test, images shuffled"): lambda study: study.no_eval(True),
    (3, "frozen MobileNetV2, 32 instead of 64 pixels"): Study.small,
    (4, "frozen MobileNetV2, new head with it"): Study.copied,
    (4, f"{ZOO}, in the test only"): Study.copied_zoo,
    (4, f"{SMALL}, trained and judged with it"): Study.copied_small,
    **{(5, f"batches of {size}, images class by class"): lambda study, size=size: study.batch_means(size)
       for size in (32, 64, 128)},
    **{(5, f"batches of {size}, 1,000 random orders"): lambda study, size=size: study.batch_means(size, 1000)
       for size in (32, 64, 128)},
    (6, "frozen MobileNetV2, ten heads"): lambda study: study.chosen(study.watched_heads),
    (6, SMALL): lambda study: study.chosen(study.watched_networks(CIFAR10_STD)),
    (7, "frozen MobileNetV2, best of ten heads"): lambda study: study.seeds_apart(study.watched_heads),
    (7, f"{SMALL}, best of its seeds"): lambda study: study.seeds_apart(study.watched_networks(CIFAR10_STD)),
}  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=studies.count, default=3, help="so many, from 0")
    parser.add_argument("--only", type=int, nargs="+", choices=MISTAKES, default=list(MISTAKES))
    studies.arguments(parser, device=False)


def units(options: argparse.Namespace) -> list[dict]:
    return [
        {"number": number, "variant": variant, "seeds": options.seeds}
        for number, variant in VARIANTS
        if number in options.only
    ]


def measure(unit: dict, run: studies.Run) -> dict:
    """Make one mistake on purpose, beside the same thing done right."""
    number, variant = unit["number"], unit["variant"]
    found = VARIANTS[number, variant](run.world)
    points = ", ".join(f"{name} {100 * float(share):+.2f}" for name, share in found.items())
    run.log(f"{number} {MISTAKES[number]} ({variant}): {points}")
    test = run.world.test
    return {"mistake": MISTAKES[number], **found, "images": len(test), "source": test.source}


STUDY = studies.Study(
    "mistakes.csv", ("number", "variant"), units, measure,
    prepare=lambda run: Study(run.options.seeds, run.options.limit),
    made_by=(Study, head_epochs, drifting, batch_weights, compare, COPIED, (EPOCHS, MANY_EPOCHS, CNN_EPOCHS, BATCH),
             *VARIANTS, *HOW_HEAD, Batches, small_cnn, cache_features, split, predict),
)  # fmt: skip


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)


# ---------------------------------------------------------------------------------------------- for the lesson


def table() -> str:
    """The seven mistakes as a Markdown table: what, in code, how to notice, what it makes of the accuracy, lesson."""
    rows = {row["variant"]: row for row in read_results("mistakes.csv")}
    lines = ["| | mistake | in code | how to notice | honest → reported, points (95 %) | lesson |", "|---" * 6 + "|"]
    for number, name in MISTAKES.items():
        row, (code, notice, lesson) = rows[MAIN[number]], LOOKS[number]
        points, low, high = (f"{100 * row[end]:+.1f}" for end in ("difference", "low", "high"))
        cost = f"{row['honest']:.1%} → {row['reported']:.1%}: **{points}** ({low} to {high})"
        lines.append(f"| {number} | {name} | {code} | {notice} | {cost} | {lesson} |")
    return "\n".join(lines)
