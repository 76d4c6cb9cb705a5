"""Exercises 8.2, 8.6, 8.8 and 8.9: functions to write, right ones and the mistakes people make in them."""

import math
from collections.abc import Callable

import torch
from torch.nn.functional import one_hot

from helpers.exercises.code import Case, CodeExercise, draw
from helpers.lessons.lesson_08.intervals import holm as holm_with_level

# ------------------------------------------------------------------------------------------- 8.2 interval_over_seeds


def interval_over_seeds(values, t):
    """Mean ± t standard errors of a list of numbers, as (low, high). The right answer."""
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    half = t * deviation / math.sqrt(len(values))
    return mean - half, mean + half


def _interval(half: Callable, middle: Callable = lambda values: sum(values) / len(values)) -> Callable:
    """A wrong one: `middle` of the values ± half(deviation, number, t)."""

    def interval(values, t):
        deviation = float(torch.tensor(values, dtype=torch.float64).std())
        wide = half(deviation, len(values), t)
        return middle(values) - wide, middle(values) + wide

    return interval


def _of_images(values, t):
    mean = sum(values) / len(values)
    half = t * math.sqrt(mean * (1 - mean) / len(values))
    return mean - half, mean + half


SEEDS = CodeExercise(
    "interval_over_seeds",
    (
        Case("for three seeds", [0.79, 0.77, 0.75], 4.303),
        Case("for five seeds", [0.62, 0.64, 0.61, 0.66, 0.60], 2.776),
        Case("for two seeds", [0.5, 0.7], 12.706),
        Case("for seeds that agree", [0.8, 0.8, 0.8], 4.303),
    ),
    interval_over_seeds,
    "mean ± t · s/√n, with n − 1 in the deviation s. Two seeds have t = 12.7: they say next to nothing.",
    {
        "Divide by n − 1 in the deviation: the mean was taken from the same few values.": _interval(
            lambda s, n, t: t * s * math.sqrt((n - 1) / n) / math.sqrt(n)
        ),
        "That is how far single seeds scatter. The mean of n seeds scatters less: divide by √n.": _interval(
            lambda s, n, t: t * s
        ),
        "Divide by √n, not by n.": _interval(lambda s, n, t: t * s / n),
        "The factor is t, not 1.96: with few seeds the deviation itself is uncertain.": _interval(
            lambda s, n, t: 1.96 * s / math.sqrt(n)
        ),
        "The factor t is missing: one standard error to each side holds far less than 95 %.": _interval(
            lambda s, n, t: s / math.sqrt(n)
        ),
        "Lowest and highest seed are no interval of the mean: more seeds would make it wider.": lambda values, t: (
            min(values),
            max(values),
        ),
        "Two ends are asked, low and high; you give the mean and half the width.": lambda values, t: (
            sum(values) / len(values),
            interval_over_seeds(values, t)[1] - sum(values) / len(values),
        ),
        "That is half the width; two ends are asked, the mean less it and the mean plus it.": lambda values, t: (
            interval_over_seeds(values, t)[1] - sum(values) / len(values)
        ),
        "The low end comes first, then the high one.": lambda values, t: interval_over_seeds(values, t)[::-1],
        "s is the deviation, the root of the variance.": _interval(lambda s, n, t: t * s**2 / math.sqrt(n)),
        "Leave the unit as it comes, shares: no per cent.": lambda values, t: tuple(
            100 * end for end in interval_over_seeds(values, t)
        ),
        "√(p(1 − p)/N) is for images, right or wrong. How far do the trainings themselves lie apart?": _of_images,
        "The middle is the mean, not the median.": _interval(
            lambda s, n, t: t * s / math.sqrt(n), lambda values: sorted(values)[len(values) // 2]
        ),
    },
    tolerance=1e-6,
    hint="First the mean, then the deviation with n − 1, then t · deviation / √n.",
)

# ------------------------------------------------------------------------------------------- 8.6 brier


def brier(probabilities, labels):
    """Mean over the images of Σ (p − 1[class is the label])², from [N,C] and [N]. The right answer."""
    return float(((probabilities - one_hot(labels, probabilities.shape[1])) ** 2).sum(1).mean())


def _of_the_label(probabilities, labels):
    return probabilities.gather(1, labels[:, None])[:, 0]


def _confidence_only(probabilities, labels):
    sure, answers = probabilities.max(1)
    return float(((sure - (answers == labels).float()) ** 2).mean())


BRIER = CodeExercise(
    "brier",
    (
        Case("for three classes", draw(6, 3, seed=1).softmax(1), torch.tensor([0, 1, 2, 2, 1, 0])),
        Case("for ten classes", draw(8, 10, seed=2).mul(3).softmax(1), torch.arange(8) + 2),
        Case("for answers that are all sure and right", torch.eye(4), torch.arange(4)),
        Case("for answers that are all sure and wrong", torch.eye(4), torch.tensor([1, 2, 3, 0])),
    ),
    brier,
    "0 for sure and right, 2 for sure and wrong, and it punishes every class's probability that is off.",
    {
        "That is the mean over images and classes: the ten terms of one image are added up.": (
            lambda p, labels: brier(p, labels) / p.shape[1]
        ),
        "That is the sum over the images; the mean is asked.": lambda p, labels: brier(p, labels) * len(labels),
        "The probabilities of the wrong classes count as well, each squared.": (
            lambda p, labels: float(((1 - _of_the_label(p, labels)) ** 2).mean())
        ),
        "That looks at the answer's confidence only; all classes count.": _confidence_only,
        "Probabilities come in: a second softmax makes them all alike.": lambda p, labels: brier(p.softmax(1), labels),
        "Take squares, not distances.": (
            lambda p, labels: float((p - one_hot(labels, p.shape[1])).abs().sum(1).mean())
        ),
        "No root at the end: the mean of the squares is asked.": (lambda p, labels: math.sqrt(brier(p, labels))),
        "That is the negative log-likelihood.": lambda p, labels: float(-_of_the_label(p, labels).log().mean()),
        "One number is asked; you give one for each image.": (
            lambda p, labels: ((p - one_hot(labels, p.shape[1])) ** 2).sum(1)
        ),
    },
    tolerance=1e-5,
    hint="torch.nn.functional.one_hot(labels, classes) is 1 for the label's class and 0 for the others.",
)

# ------------------------------------------------------------------------------------------- 8.8 holm


def holm(p_values):
    """Which of the p-values stand at 0.05 by Holm's rule, in their order. The right answer."""
    return holm_with_level(p_values)


def _each_against(limit: Callable) -> Callable:
    """Every p-value against limit(its rank from 0, how many there are), whatever became of those before it."""

    def rule(p_values):
        ranks = {place: rank for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__))}
        return [p <= limit(ranks[place], len(p_values)) for place, p in enumerate(p_values)]

    return rule


def _benjamini_hochberg(p_values):
    m = len(p_values)
    last = max((rank for rank, p in enumerate(sorted(p_values), 1) if p <= 0.05 * rank / m), default=0)
    return [p <= sorted(p_values)[last - 1] if last else False for p in p_values]


def _sorted(p_values):
    return holm_with_level(sorted(p_values))


def _in_the_order_given(p_values):
    stands = []
    for rank, p in enumerate(p_values):
        stands.append(p <= 0.05 / (len(p_values) - rank) and all(stands))
    return stands


def _largest_limit_first(p_values):
    order, stands = sorted(range(len(p_values)), key=p_values.__getitem__), [False] * len(p_values)
    for rank, place in enumerate(order, 1):
        if p_values[place] > 0.05 / rank:
            break
        stands[place] = True
    return stands


HOLM = CodeExercise(
    "holm",
    (
        Case("for four p-values", [0.04, 0.011, 0.02, 0.03]),
        Case("for five p-values", [0.2, 0.001, 0.013, 0.012, 0.9]),
        Case("for one that fails between two", [0.03, 0.002, 0.04, 0.0262]),
        Case("for p-values that all stand", [0.024, 0.0001, 0.016, 0.049]),  # no ties: "<" is right as well
        Case("for luck among five", [0.04, 0.8, 0.001, 0.02, 0.9]),
        Case("for a single one", [0.04]),
    ),
    holm,
    "the smallest against 0.05/m, the next against 0.05/(m − 1), and so on; after the first that fails none stands. "
    "With 95 % not a single one of those that stand is luck.",
    {
        "Nothing is corrected yet: with twenty comparisons one below 0.05 is to be expected.": (
            lambda p_values: [p <= 0.05 for p in p_values]
        ),
        "That is Bonferroni's rule, 0.05/m for all. Holm's is as safe and lets more stand: the limit grows after each "
        "that stands.": _each_against(lambda rank, m: 0.05 / m),
        "After the first that fails none may stand, even if it is below its own limit.": _each_against(
            lambda rank, m: 0.05 / (m - rank)
        ),
        "The answers belong in the order in which the p-values came.": _sorted,
        "Begin with the smallest p-value, whatever its place in the list.": _in_the_order_given,
        "The smallest is held against the least, 0.05/m, and the largest against 0.05; yours go the other way.": (
            _largest_limit_first
        ),
        "Those are limits of 0.05 · rank/m (Benjamini and Hochberg): they bound the share of false ones, not the "
        "chance of any.": _benjamini_hochberg,
        "True means that it stands.": lambda p_values: [not one for one in holm_with_level(p_values)],
    },
    hint="sorted(range(len(p_values)), key=lambda i: p_values[i]) gives the places, the smallest p-value first.",
)

# ------------------------------------------------------------------------------------------- 8.9 reported_and_honest


def reported_and_honest(right, chooses):
    """Of right or wrong [E,N]: the best epoch's accuracy on the images bool [N] that choose it, and on the others."""
    here = right[:, chooses].double().mean(1)
    best = int(here.argmax())
    return float(here[best]), float(right[best, ~chooses].double().mean())


def _best_on_each(right, chooses):
    return tuple(float(right[:, part].double().mean(1).max()) for part in (chooses, ~chooses))


def _judged_on_all(right, chooses):
    best = int(right[:, chooses].double().mean(1).argmax())
    return float(right[best, chooses].double().mean()), float(right[best].double().mean())


def _chosen_on(part: Callable) -> Callable:
    def both(right, chooses):
        best = part(right, chooses)
        return float(right[best, chooses].double().mean()), float(right[best, ~chooses].double().mean())

    return both


def _epochs(epochs: int, images: int, seed: int) -> torch.Tensor:
    return draw(epochs, images, seed=seed) < torch.linspace(-0.5, 0.7, epochs)[:, None]


REPORTED = CodeExercise(
    "reported_and_honest",
    (
        Case("for five epochs", _epochs(5, 40, 0), torch.arange(40) < 20),
        Case("for images that choose here and there", _epochs(8, 60, 3), torch.arange(60) % 3 == 0),
        Case("for many epochs that differ by luck alone", draw(30, 50, seed=4) < 0.4, torch.arange(50) < 10),
        Case("for a single epoch", _epochs(1, 12, 5), torch.arange(12) < 5),
    ),
    reported_and_honest,
    "one epoch, chosen once, judged twice. Only the second number was not chosen for being high.",
    {
        "You chose a second time, on the others: then that number flatters as well. The epoch stays.": _best_on_each,
        "The honest number comes from the others alone; yours has those that chose among them.": _judged_on_all,
        "The two have changed places: first the images that choose.": lambda right, chooses: reported_and_honest(
            right, chooses
        )[::-1],
        "The epoch is chosen on the images `chooses` alone, not on all.": _chosen_on(
            lambda right, chooses: int(right.double().mean(1).argmax())
        ),
        "That is the last epoch; the one that looks best is asked.": _chosen_on(lambda right, chooses: -1),
        "The epoch was chosen on the others: the images `chooses` do the choosing.": _chosen_on(
            lambda right, chooses: int(right[:, ~chooses].double().mean(1).argmax())
        ),
        "The second is the accuracy of that one epoch on the others, not the mean of all epochs.": (
            lambda right, chooses: (
                reported_and_honest(right, chooses)[0],
                float(right[:, ~chooses].double().mean()),
            )
        ),
        "Shares are asked, and those are counts of right images.": lambda right, chooses: (
            reported_and_honest(right, chooses)[0] * int(chooses.sum()),
            reported_and_honest(right, chooses)[1] * int((~chooses).sum()),
        ),
    },
    tolerance=1e-6,
    hint="right[:, chooses] has the columns of the images that choose; argmax tells the best row.",
)
