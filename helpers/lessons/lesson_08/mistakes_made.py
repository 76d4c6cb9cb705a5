"""How each of lesson 08's mistakes is made, and the same thing done right beside it; `mistakes` has the study."""

import copy
from collections.abc import Iterator
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import nn

from helpers.batches import Batches
from helpers.data import CIFAR10_MEAN, CIFAR10_STD, ImageSet, load_cifar10, split
from helpers.evaluation import predict
from helpers.lessons.lesson_08 import intervals
from helpers.lessons.lesson_08.intervals import columns, compare, flattered, flattery
from helpers.models import load_pretrained, load_zoo, small_cnn
from helpers.runs.recipes import by_adam, new_head, some
from helpers.training import cache_features

COPIED = (0.2023, 0.1994, 0.2010)  # the mean of the images' own deviations, not the deviation: lesson 02
EPOCHS, MANY_EPOCHS, CNN_EPOCHS, BATCH, PASSES = 10, 30, 10, 100, 2
HEADS, NETWORKS, DRAWS = 10, 3, 1000


def head_epochs(features: torch.Tensor, labels: torch.Tensor, seed: int) -> Iterator[nn.Linear]:
    """Lesson 00's head: one linear layer from features [N,D] to ten scores, trained on; yields after each epoch."""
    head, batches = new_head(features, labels, BATCH, seed)
    adam = torch.optim.Adam(head.parameters(), lr=1e-3)
    while True:
        by_adam(head, batches, optimizer=adam)
        yield head


def drifting(backbone: nn.Module, batches: Batches, seed: int, epochs: int, device: str = "cpu") -> nn.Sequential:
    """The same head, trained the usual way on a "frozen" network that is put in training mode with it: it drifts."""
    torch.manual_seed(seed)
    whole = nn.Sequential(copy.deepcopy(backbone), nn.Linear(1280, 10))
    whole[0].requires_grad_(False)  # the weights stay; BatchNorm's statistics are none
    by_adam(whole, batches, epochs=epochs, device=device)
    return whole


def batch_weights(total: int, batch_size: int) -> torch.Tensor:
    """What each of `total` images counts in the mean of the batches' accuracies, float64 [total], relative to 1/total.

    All 1 when the batches are equal; in a short last batch each image counts more, in the others a little less.
    """
    sizes = torch.tensor([batch_size] * (total // batch_size) + [total % batch_size] * (total % batch_size > 0))
    return torch.repeat_interleave(total / (len(sizes) * sizes.double()), sizes)


class Study:
    """Every variant is a method that returns `columns`; what several need is computed once.

    Networks and their inputs are on `device`; features, heads and all that is counted stay on the CPU.
    """

    def __init__(self, limit: int | None = None, device: str = "cpu"):
        train, test = load_cifar10()
        everything = load_cifar10("full")[1] if limit is None else load_cifar10()[1]
        self.test, self.rest = apart(everything, test, 200 if limit is None else 100)
        if limit:
            train, self.test, self.rest = train[:: len(train) // limit], some(self.test, limit), some(self.rest, limit)
        self.train, self.validation = split(train, 0.2)
        self.device, trial = device, limit is not None
        self.heads, self.networks = range(2 if trial else HEADS), range(2 if trial else NETWORKS)
        self.epochs = 1 if trial else EPOCHS
        self.many_epochs, self.cnn_epochs = (2, 2) if trial else (MANY_EPOCHS, CNN_EPOCHS)
        self.backbone = load_pretrained()
        self.backbone.model.to(device)
        self.look = {"image_size": 64, "mean": self.backbone.mean, "std": self.backbone.std}
        self.labels = self.test.labels
        self.all_labels = torch.cat([self.labels, self.rest.labels])
        self.draws = intervals.draws(torch.arange(len(self.all_labels)) < len(self.labels), 10 if trial else DRAWS)

    # -------------------------------------------------------------------------------------- what several need

    def right(self, logits: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Which answers [N,10] are right: bool [N]."""
        return logits.argmax(1) == (self.labels if labels is None else labels)

    def features(self, images: ImageSet, **changed) -> torch.Tensor:
        """What the frozen backbone makes of the images [N,1280], prepared as in lesson 00 but for what is `changed`."""
        return cache_features(self.backbone, Batches(images, BATCH, **{**self.look, **changed}))[0]

    def head(self, features: torch.Tensor, seed: int) -> nn.Linear:
        """Lesson 00's head after as many steps as it has there, no more to be trained.

        `features` of several passes over the training images, one below the other, take fewer epochs.
        """
        passes = len(features) // len(self.train)
        epochs = head_epochs(features, self.train.labels.repeat(passes), seed)
        return [next(epochs) for _ in range(max(1, self.epochs // passes))][-1].requires_grad_(False)

    def trained(self, **changed) -> torch.Tensor:
        """Right or wrong [seeds,N] of heads trained and judged on features of images prepared in the same way."""
        features, test = self.features(self.train, **changed), self.features(self.test, **changed)
        return torch.stack([self.right(self.head(features, seed)(test)) for seed in self.heads])

    @cached_property
    def clean(self) -> tuple[list[nn.Linear], torch.Tensor, torch.Tensor, torch.Tensor]:
        """Heads done right, one a seed, and the features of the training, test and other test images."""
        train, test, rest = (self.features(images) for images in (self.train, self.test, self.rest))
        return [self.head(train, seed) for seed in self.heads], train, test, rest

    @cached_property
    def honest(self) -> torch.Tensor:
        """Right or wrong [seeds,N] of the heads done right."""
        heads, _, test, _ = self.clean
        return torch.stack([self.right(head(test)) for head in heads])

    @cached_property
    def zoo(self) -> tuple[nn.Module, torch.Tensor]:
        """The zoo's narrowest network, and which test images it gets right."""
        network = load_zoo(0.25).to(self.device)
        return network, self.right(predict(network, Batches(self.test, 500)))

    # -------------------------------------------------------------------------------------- 1 to 5

    def augmented(self) -> dict:
        """Mistake 1: crops and flips for the training and for the test, as one `transform` does it."""
        batches = Batches(self.train, BATCH, augment=("crop", "flip"), **self.look)
        pool = torch.cat([cache_features(self.backbone, batches)[0] for _ in range(PASSES)])  # each pass is another
        clean, found = self.clean[2], []
        for seed in self.heads:
            if seed < 3 or len(self.heads) <= 3:  # three draws of the test images' crops are enough
                seen = self.features(self.test, augment=("crop", "flip"), seed=seed)
            head = self.head(pool, seed)
            found.append((self.right(head(seen)), self.right(head(clean))))
        return compare(*(torch.stack(rows) for rows in zip(*found, strict=True)))

    def augmented_test(self) -> dict:
        """Mistake 1: crops and flips for the test alone. Three heads, each with its own draw."""
        heads, _, _, _ = self.clean
        seen = [self.features(self.test, augment=("crop", "flip"), seed=seed) for seed in self.heads[:3]]
        found = torch.stack([self.right(head(x)) for head, x in zip(heads, seen, strict=False)])
        return compare(found, self.honest[: len(found)])

    def augmented_zoo(self) -> dict:
        """Mistake 1, of a network that knows crops and flips from its long training; three draws of the crops."""
        network, honest = self.zoo
        batches = [Batches(self.test, 500, augment=("crop", "flip"), seed=seed) for seed in range(3)]
        return single(compare(torch.stack([self.right(predict(network, each)) for each in batches]), honest))

    def drift(self) -> dict:
        """Mistake 2 while the head learns: the backbone is in training mode with it. Three seeds."""
        found, test = [], Batches(self.test, BATCH, **self.look)
        for seed in self.heads[:3]:
            batches = Batches(self.train, BATCH, shuffle=True, seed=seed, **self.look)
            whole = drifting(self.backbone.model, batches, seed, self.epochs, self.device)
            found.append(self.right(predict(whole, test)))
        return compare(torch.stack(found), self.honest[: len(found)])

    def no_eval(self, shuffle: bool) -> dict:
        """Trained right, but judged without `.eval()`: each test batch is normalised by its own statistics.

        Shuffled, three orders take turns among the heads.
        """
        body, found = copy.deepcopy(self.backbone.model).train(), []
        for seed, head in enumerate(self.clean[0]):
            if shuffle and seed < 3:
                order = torch.randperm(len(self.test), generator=torch.Generator().manual_seed(seed))
            elif not shuffle:
                order = torch.arange(len(self.test))
            if seed < (3 if shuffle else 1):
                with torch.no_grad():
                    batches = Batches(self.test[order], BATCH, **self.look)
                    features = torch.cat([body(x.to(self.device)).cpu() for x, _ in batches])
            right = torch.empty(len(order), dtype=torch.bool)
            right[order] = self.right(head(features), self.labels[order])
            found.append(right)
        return compare(torch.stack(found), self.honest)

    def pixels(self, size: int) -> dict:
        """Mistake 3: fewer pixels than the 64 of lesson 00."""
        return compare(self.trained(image_size=size), self.honest)

    def copied(self) -> dict:
        """Mistake 4: the copied deviation for both the head's training and the test."""
        both = [self.trained(mean=CIFAR10_MEAN, std=std) for std in (COPIED, CIFAR10_STD)]
        return compare(*both)

    def copied_zoo(self) -> dict:
        """Mistake 4, in the test alone."""
        network, honest = self.zoo
        return compare(self.right(predict(network, Batches(self.test, 500, std=COPIED))), honest)

    def copied_small(self) -> dict:
        """Mistake 4, of a network trained from scratch with it and judged with it."""
        both = []
        for std in (COPIED, CIFAR10_STD):
            epochs = [self.small_epochs(seed, std=std) for seed in self.networks]
            last = [[next(each) for _ in range(self.cnn_epochs)][-1] for each in epochs]
            both.append(torch.stack([self.right(predict(one, Batches(self.test, 500, std=std))) for one in last]))
        return compare(*both)

    def batch_means(self, total: int, batch_size: int, orders: int = DRAWS) -> dict:
        """Mistake 5 in random orders of so many images drawn at random: `least` and `most` hold 95 % of them."""
        right, generator = self.honest[0].double(), torch.Generator().manual_seed(0)
        total = min(total, len(right))
        weights, drawn = batch_weights(total, batch_size), []
        for _ in range(orders):
            seen = right[torch.randperm(len(right), generator=generator)[:total]]
            drawn.append(((weights * seen).mean(), seen.mean()))
        reported, honest = torch.tensor(drawn).double().T
        ends = (reported - honest).quantile(torch.tensor([0.025, 0.975]).double()).tolist()
        means = (float(reported.mean()), float(honest.mean()))
        return columns(*means, [means[0] - means[1]], least=ends[0], most=ends[1])

    # -------------------------------------------------------------------------------------- 6 to 8: what was chosen

    @cached_property
    def watched_heads(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """For each head: validation accuracy [epochs], and right or wrong [epochs,N] on all test images."""
        _, train, test, rest = self.clean
        validation, everything, runs = self.features(self.validation), torch.cat([test, rest]), []
        for seed in self.heads:
            epochs, score, right = head_epochs(train, self.train.labels, seed), [], []
            for _, head in zip(range(self.many_epochs), epochs, strict=False):
                with torch.no_grad():
                    score.append(self.right(head(validation), self.validation.labels).double().mean())
                    right.append(self.right(head(everything), self.all_labels))
            runs.append((torch.stack(score), torch.stack(right)))
        return runs

    def small_epochs(self, seed: int, **look) -> Iterator[nn.Module]:
        """Lesson 01's small CNN, trained from scratch with Adam at a constant rate; yields after each epoch.

        Not by `fit`, which would start each epoch with the same images.
        """
        network = small_cnn(seed).to(self.device)
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        batches = Batches(self.train, 64, augment=("flip",), shuffle=True, seed=seed, **look)
        while True:
            network.train()
            for images, labels in batches:
                loss = F.cross_entropy(network(images.to(self.device)), labels.to(self.device))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            yield network

    @cached_property
    def watched_networks(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """The same of the small CNN, on 16 × 16 pixels: a quarter of the time."""
        runs, look = [], {"image_size": 16}
        for seed in self.networks:
            score, right = [], []
            for _, network in zip(range(self.cnn_epochs), self.small_epochs(seed, **look), strict=False):
                validation, test, rest = (
                    self.right(predict(network, Batches(images, 500, **look)), images.labels)
                    for images in (self.validation, self.test, self.rest)
                )
                score.append(validation.double().mean())
                right.append(torch.cat([test, rest]))
            runs.append((torch.stack(score), torch.stack(right)))
        return runs

    def epoch(self, runs: list[tuple[torch.Tensor, torch.Tensor]]) -> dict:
        """Mistake 6: the epoch that looks best on the test images, against the one the validation images choose."""
        by_validation = [int(score.argmax()) for score, _ in runs]
        return flattered([
            flattery(right, self.draws, lambda found, epoch=epoch: found[:, epoch])
            for (_, right), epoch in zip(runs, by_validation, strict=True)
        ])  # fmt: skip

    def seed(self, runs: list[tuple[torch.Tensor, torch.Tensor]]) -> dict:
        """Mistake 7: the best seed after its last epoch against the mean; `least`, `most`: seeds, on all images."""
        last = torch.stack([right[-1] for _, right in runs])
        apart = last.double().mean(1) - last.double().mean()
        found = flattered([flattery(last, self.draws, lambda found: found.mean(1))])
        return found | {"least": f"{float(apart.min()):.5f}", "most": f"{float(apart.max()):.5f}"}

    @cached_property
    def sure(self) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
        """(confidence, right or wrong) of the zoo's α = 0.5 on its validation images, and on all test images.

        Its validation images are the sample's training images.
        """
        network, known = load_zoo(0.5).to(self.device), []
        for parts in ((self.train, self.validation), (self.test, self.rest)):
            each = [surely(network, images) for images in parts]
            known.append(tuple(torch.cat(column) for column in zip(*each, strict=True)))
        return known[0], known[1]

    def threshold(self, count: int | None) -> dict:
        """Mistake 8: from which confidence on are 95 % right? Chosen on so many test images; None: on validation.

        `reported`: what is right on the images that chose it, `honest`: on the test images that did not (for None: on
        the 8,000 that are outside of each draw).
        """
        validation, (sure, right) = self.sure
        found = []
        for mask in self.draws:
            some_of = torch.nonzero(mask)[:, 0]  # class by class: every so many-th is of all classes
            some_of = some_of[:: max(1, len(some_of) // count)] if count else some_of
            here = (sure[some_of], right[some_of]) if count else validation
            t = intervals.threshold_for(*here)
            found.append((intervals.right_from(*here, t), intervals.right_from(sure[~mask], right[~mask], t)))
        reported, honest = torch.tensor(found).double().T
        others = (reported - honest)[1:]
        ends = others.quantile(torch.tensor([0.025, 0.975]).double()).tolist()
        first = (float(reported[0]), float(honest[0]))
        return columns(*first, [first[0] - first[1]], ends, others=float(others.mean()))


def apart(everything: ImageSet, test: ImageSet, per_class: int) -> tuple[ImageSet, ImageSet]:
    """The sample's test images, which are the first of each class, and all others. ValueError if they are not."""
    first = torch.zeros(len(everything), dtype=torch.bool)
    for label in range(10):
        first[torch.nonzero(everything.labels == label).flatten()[:per_class]] = True
    mine = everything[first]
    mine = mine[torch.argsort(mine.labels, stable=True)]
    if per_class == 200 and not torch.equal(mine.images, test.images):
        raise ValueError("the first 200 test images of each class are not the sample's: one of the two is altered")
    return mine, everything[~first]


def surely(network: nn.Module, images: ImageSet) -> tuple[torch.Tensor, torch.Tensor]:
    """(how sure the network is of its answers [N], whether they are right, bool [N])."""
    sure, answers = predict(network, Batches(images, 500)).softmax(1).max(1)
    return sure, answers == images.labels


def single(found: dict) -> dict:
    """The columns of one stored network: what varied was no training, so that nothing is said of other seeds."""
    return found | {"trainings": "1", "seeds_low": "nan", "seeds_high": "nan"}


MAKERS = (Study, head_epochs, drifting, batch_weights, apart, surely, single,
          (COPIED, EPOCHS, MANY_EPOCHS, CNN_EPOCHS, BATCH, PASSES, HEADS, NETWORKS, DRAWS))  # fmt: skip
