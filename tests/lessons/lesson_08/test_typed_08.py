"""What learners type by mistake in lesson 08, written from the words alone: `check` finds the right ones."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from tests.typed import Sheet, meet

SHEET = Sheet()
typed = SHEET.typed


def around(middle, half):
    return middle - half, middle + half


@typed("8.2", "Divide by n − 1 in the deviation")
def seeds_biased(values, t):
    return around(np.mean(values), t * np.std(values) / math.sqrt(len(values)))


@typed("8.2", "That is how far single seeds scatter")
def seeds_single(values, t):
    return around(np.mean(values), t * np.std(values, ddof=1))


@typed("8.2", "Divide by √n, not by n")
def seeds_n(values, t):
    return around(np.mean(values), t * np.std(values, ddof=1) / len(values))


@typed("8.2", "The factor is t, not 1.96")
def seeds_normal(values, t):
    return around(np.mean(values), 1.96 * np.std(values, ddof=1) / np.sqrt(len(values)))


@typed("8.2", "The factor t is missing")
def seeds_no_t(values, t):
    return around(np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values)))


@typed("8.2", "Lowest and highest seed are no interval")
def seeds_range(values, t):
    return sorted(values)[0], sorted(values)[-1]


@typed("8.2", "Two ends are asked")
def seeds_half(values, t):
    return np.mean(values), t * np.std(values, ddof=1) / np.sqrt(len(values))


@typed("8.2", "That is half the width")
def seeds_half_alone(values, t):
    return t * torch.tensor(values).std().item() / len(values) ** 0.5


@typed("8.2", "The low end comes first")
def seeds_turned(values, t):
    half = t * np.std(values, ddof=1) / np.sqrt(len(values))
    return np.mean(values) + half, np.mean(values) - half


@typed("8.2", "s is the deviation, the root of the variance")
def seeds_variance(values, t):
    return around(np.mean(values), t * np.var(values, ddof=1) / np.sqrt(len(values)))


@typed("8.2", "Leave the unit as it comes")
def seeds_per_cent(values, t):
    values = [100 * value for value in values]
    return around(np.mean(values), t * np.std(values, ddof=1) / np.sqrt(len(values)))


@typed("8.2", "√(p(1 − p)/N) is for images")
def seeds_images(values, t):
    p = np.mean(values)
    return around(p, t * np.sqrt(p * (1 - p) / len(values)))


@typed("8.2", "The middle is the mean, not the median")
def seeds_median(values, t):
    return around(sorted(values)[len(values) // 2], t * np.std(values, ddof=1) / np.sqrt(len(values)))


def off(p, labels):
    """How far each probability is from 0 or 1, [N,C]."""
    return p - torch.eye(p.shape[1])[labels]


@typed("8.6", "That is the mean over images and classes")
def brier_mean(p, labels):
    return float((off(p, labels) ** 2).mean())


@typed("8.6", "That is the sum over the images")
def brier_sum(p, labels):
    return float((off(p, labels) ** 2).sum())


@typed("8.6", "The probabilities of the wrong classes count as well")
def brier_label(p, labels):
    return sum((1 - p[i, label]) ** 2 for i, label in enumerate(labels)).item() / len(labels)


@typed("8.6", "That looks at the answer's confidence only")
def brier_top(p, labels):
    return sum((row.max() - float(row.argmax() == label)) ** 2 for row, label in zip(p, labels)).item() / len(p)  # noqa: B905


@typed("8.6", "Probabilities come in")
def brier_softmax(p, labels):
    return float((off(torch.softmax(p, -1), labels) ** 2).sum(1).mean())


@typed("8.6", "Take squares, not distances")
def brier_distance(p, labels):
    return float(off(p, labels).abs().sum() / len(p))


@typed("8.6", "No root at the end")
def brier_root(p, labels):
    return float(torch.sqrt((off(p, labels) ** 2).sum(1).mean()))


@typed("8.6", "That is the negative log-likelihood")
def brier_nll(p, labels):
    return F.nll_loss(torch.log(p), labels).item()


@typed("8.6", "One number is asked")
def brier_each(p, labels):
    return (off(p, labels) ** 2).sum(1)


@typed("8.8", "Nothing is corrected yet")
def holm_none(p):
    return [value <= 0.05 for value in p]


@typed("8.8", "That is Bonferroni's rule")
def holm_bonferroni(p):
    return [len(p) * value <= 0.05 for value in p]


@typed("8.8", "After the first that fails none may stand")
def holm_no_stop(p):
    stands = [False] * len(p)
    for rank, place in enumerate(np.argsort(p)):
        stands[place] = bool(p[place] <= 0.05 / (len(p) - rank))
    return stands


def holm_right(p):
    stands = [False] * len(p)
    for rank, place in enumerate(np.argsort(p)):
        if p[place] > 0.05 / (len(p) - rank):
            break
        stands[place] = True
    return stands


@typed("8.8", "The answers belong in the order in which")
def holm_sorted(p):
    return sorted(holm_right(p), reverse=True)  # those that stand have the smallest p-values


@typed("8.8", "Begin with the smallest p-value")
def holm_as_given(p):
    stands = [False] * len(p)
    for rank, value in enumerate(p):
        if value > 0.05 / (len(p) - rank):
            break
        stands[rank] = True
    return stands


@typed("8.8", "The smallest is held against the least")
def holm_backwards(p):
    stands = [False] * len(p)
    for rank, place in enumerate(np.argsort(p)):
        if p[place] > 0.05 / (rank + 1):
            break
        stands[place] = True
    return stands


@typed("8.8", "Those are limits of 0.05 · rank/m")
def holm_fdr(p):
    below = [value for rank, value in enumerate(sorted(p)) if value <= 0.05 * (rank + 1) / len(p)]
    return [value <= max(below, default=-1) for value in p]


@typed("8.8", "True means that it stands")
def holm_inverse(p):
    return [not stands for stands in holm_right(p)]


def shares(right, columns):
    """Accuracy of each epoch on some columns, by NumPy."""
    return right.numpy()[:, columns.numpy()].mean(1)


@typed("8.9", "You chose a second time")
def epochs_twice(right, chooses):
    return shares(right, chooses).max(), shares(right, ~chooses).max()


@typed("8.9", "The honest number comes from the others alone")
def epochs_all(right, chooses):
    best = shares(right, chooses).argmax()
    return shares(right, chooses)[best], right[best].float().mean()


@typed("8.9", "The two have changed places")
def epochs_turned(right, chooses):
    best = shares(right, chooses).argmax()
    return shares(right, ~chooses)[best], shares(right, chooses)[best]


@typed("8.9", "The epoch is chosen on the images `chooses` alone")
def epochs_on_all(right, chooses):
    best = right.float().mean(1).argmax()
    return shares(right, chooses)[best], shares(right, ~chooses)[best]


@typed("8.9", "That is the last epoch")
def epochs_last(right, chooses):
    return shares(right, chooses)[-1], shares(right, ~chooses)[-1]


@typed("8.9", "The epoch was chosen on the others")
def epochs_others(right, chooses):
    best = shares(right, ~chooses).argmax()
    return shares(right, chooses)[best], shares(right, ~chooses)[best]


@typed("8.9", "The second is the accuracy of that one epoch")
def epochs_mean(right, chooses):
    return shares(right, chooses).max(), shares(right, ~chooses).mean()


@typed("8.9", "Shares are asked")
def epochs_counts(right, chooses):
    best = shares(right, chooses).argmax()
    return int(right[best][chooses].sum()), int(right[best][~chooses].sum())


@SHEET.each
def test_what_was_typed_is_met_with_its_words(number, words, written):
    meet(number, words, written)
