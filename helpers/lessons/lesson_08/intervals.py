"""How sure is a difference? Over other images, over other trainings, over the choice that was made; several at once."""

import math
from collections.abc import Callable, Sequence

import torch

from helpers.evaluation import T_95, calibration

NOT_ASKED = (math.nan, math.nan)


def over_seeds(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean of what 2 to 10 trainings gave: what would other trainings give, on these images?

    nan for a single one, which says nothing of others.
    """
    x = torch.as_tensor(values).double()
    if len(x) < 2:
        return NOT_ASKED
    half = T_95[len(x)] * float(x.std()) / math.sqrt(len(x))
    return float(x.mean()) - half, float(x.mean()) + half


def over_images(each: torch.Tensor) -> tuple[float, float]:
    """95 % interval of the mean of `each` image's value [N]: what would other images give, with these trainings?"""
    each = each.double()
    half = 1.96 * float(each.std()) / math.sqrt(len(each))
    return float(each.mean()) - half, float(each.mean()) + half


def columns(reported: float, honest: float, each: Sequence[float], images=NOT_ASKED, **more: float) -> dict[str, str]:
    """A mistake's columns, all in shares: what it reports, what is so, and what `each` training says of the difference.

    `more`: `kept` (the part of reported − honest that is no mistake), or columns that replace others.
    """
    each = torch.as_tensor(each).double()
    low, high = over_seeds(each)
    found = {"reported": reported, "honest": honest, "kept": 0.0, "difference": float(each.mean()), "others": math.nan}
    found |= {"seeds_low": low, "seeds_high": high, "images_low": images[0], "images_high": images[1]}
    found |= {"least": float(each.min()), "most": float(each.max())} | more
    return {"trainings": str(len(each)), **{name: f"{share:.5f}" for name, share in found.items()}}


def compare(with_mistake: torch.Tensor, without: torch.Tensor) -> dict[str, str]:
    """`columns` from what each image counts, [seeds,N] (or [N]) in 0…1, with the mistake and without.

    Over seeds: each training's mean difference. Over images: each image's difference, averaged over the trainings.
    """
    both = [torch.atleast_2d(x).double() for x in (with_mistake, without)]
    each = both[0] - both[1]
    return columns(*(float(x.mean()) for x in both), each.mean(1), over_images(each.mean(0)))


# ---------------------------------------------------------------------------------------------- what was chosen


def draws(first: torch.Tensor, more: int = 1000, seed: int = 0) -> torch.Tensor:
    """Which images choose: bool [1 + more,N], the images `first` (bool [N]), then as many at random each time."""
    generator, count = torch.Generator().manual_seed(seed), int(first.sum())
    chosen = torch.zeros(1 + more, len(first), dtype=torch.bool)
    chosen[0] = first
    for row in chosen[1:]:
        row[torch.randperm(len(first), generator=generator)[:count]] = True
    return chosen


def shares(right: torch.Tensor, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Accuracy of K candidates, right or wrong [K,N], on the images that choose (bool [D,N]) and on the others.

    Two float64 [D,K].
    """
    right, mask = right.double(), chosen.double()
    count, hits = mask.sum(1, keepdim=True), mask @ right.T
    return hits / count, (right.sum(1) - hits) / (right.shape[1] - count)


def flattery(right: torch.Tensor, chosen: torch.Tensor, honest: Callable) -> dict[str, torch.Tensor]:
    """The best of K candidates on the images that choose, against an honest choice; each [D].

    `honest` takes accuracies [D,K] and gives [D], without a look at them (a column, or the mean). What the best gains
    on the images that chose it is `gained`; on the others, `kept`; the difference is nothing but flattery.
    """
    here, there = shares(right, chosen)
    best = here.argmax(1, keepdim=True)
    gained, kept = (x.gather(1, best)[:, 0] - honest(x) for x in (here, there))
    return {"reported": here.max(1).values, "honest": honest(here), "kept": kept, "flattery": gained - kept}


def flattered(found: Sequence[dict[str, torch.Tensor]]) -> dict[str, str]:
    """`columns` of the `flattery` of each training: of the first draw, and over images as the other draws have it."""
    first = {name: sum(float(one[name][0]) for one in found) / len(found) for name in ("reported", "honest", "kept")}
    others = torch.stack([one["flattery"][1:] for one in found]).mean(0)
    ends = others.quantile(torch.tensor([0.025, 0.975]).double()).tolist()
    each = [float(one["flattery"][0]) for one in found]
    return columns(**first, each=each, images=ends, others=float(others.mean()))


def threshold_for(confidence: torch.Tensor, right: torch.Tensor, wanted: float = 0.95) -> float:
    """The lowest threshold from which on at least `wanted` of the answers are right; 1 when there is none.

    `confidence` [N] and `right` bool [N]; all answers of one confidence are given together.
    """
    order = confidence.argsort(descending=True, stable=True)
    sure, hits = confidence[order], right[order].double().cumsum(0)
    last = torch.nonzero(torch.diff(sure, append=torch.tensor([-1.0])))[:, 0]  # of each confidence
    enough = last[hits[last] / (last + 1) >= wanted]
    return float(sure[enough[-1]]) if len(enough) else 1.0


def right_from(confidence: torch.Tensor, right: torch.Tensor, threshold: float) -> float:
    """The share that is right of the answers from `threshold` on; nan when there are none."""
    return float(right[confidence >= threshold].double().mean())


# ---------------------------------------------------------------------------------------------- several at once


def holm(p_values: Sequence[float], level: float = 0.05) -> list[bool]:
    """Which of several p-values stand, so that with 95 % not one stands by chance alone (Holm 1979).

    The smallest is held against level/m, the next against level/(m − 1) …; from the first that fails on, none stands.
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    stands, m = [False] * len(p_values), len(p_values)
    for rank, place in enumerate(order):
        if p_values[place] > level / (m - rank):
            break
        stands[place] = True
    return stands


def bootstrap(each: torch.Tensor, count: int = 2000, seed: int = 0) -> torch.Tensor:
    """Means of the columns of `each` [N,K] over N rows drawn with replacement, `count` times: float64 [count,K].

    A row is an image with all that is known of it, so that what was paired stays paired.
    """
    generator, size = torch.Generator().manual_seed(seed), len(each)
    counts = torch.stack([
        torch.randint(size, (size,), generator=generator).bincount(minlength=size) for _ in range(count)
    ])  # fmt: skip
    return counts.double() @ each.double() / size


def chance_of_error(logits: torch.Tensor, count: int = 200, bins: int = 10) -> float:
    """The mean ECE of `count` draws of labels that are right exactly as often as the logits [N,C] say."""
    sure, answers = logits.softmax(1).max(1)
    generator, other = torch.Generator().manual_seed(0), (answers + 1) % logits.shape[1]
    errors = []
    for _ in range(count):
        lucky = torch.rand(len(sure), generator=generator) < sure
        errors.append(calibration(logits, torch.where(lucky, answers, other), bins).error)
    return sum(errors) / count
