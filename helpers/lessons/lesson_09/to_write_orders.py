"""Exercises 9.7 and 9.8: functions of tables to write, right ones and the mistakes people make in them."""

import torch

from helpers.exercises.code import Case, CodeExercise, draw

# ------------------------------------------------------------------------------------------- 9.7 unbeaten


def unbeaten(rows):
    """Places of the rows (accuracy, cost, cost, …) that no other row beats. The right answer."""

    def beats(a, b):
        good = [a[0] >= b[0], *(x <= y for x, y in zip(a[1:], b[1:], strict=True))]
        return all(good) and tuple(a) != tuple(b)

    return [i for i, one in enumerate(rows) if not any(beats(other, one) for other in rows)]


def _by(beats):
    """A wrong one: those that no other beats by another rule."""

    def rule(rows):
        return [i for i, one in enumerate(rows) if not any(beats(other, one) for j, other in enumerate(rows) if j != i)]

    return rule


def _costs(a, b):
    return list(zip(a[1:], b[1:], strict=True))


UNBEATEN = CodeExercise(
    "unbeaten",
    (
        Case("for one cost", [(70, 300), (68, 57), (67, 100), (72, 590)]),
        Case("for two costs that disagree", [(70, 300, 8), (69, 200, 9), (68, 250, 10), (60, 350, 7)]),
        Case(
            "for three costs",
            [
                (71.9, 301, 3.5, 21),
                (74.0, 217, 5.5, 20),
                (69.4, 145, 2.3, 13),
                (67.7, 104, 2.2, 12),
                (58.2, 349, 1.2, 13),
                (69.8, 1814, 11.7, 52),
            ],
        ),
        Case("for costs in which one is large and one small", [(70, 300, 1), (69, 100, 9), (68, 250, 2), (67, 250, 3)]),
        Case("for rows that are alike", [(70, 10, 1), (70, 10, 1), (60, 20, 2)]),
        Case("for a row that is worse in one thing and equal in the rest", [(70, 10, 1), (70, 10, 2), (69, 10, 1)]),
        Case("for a single row", [(50, 5, 5)]),
    ),
    unbeaten,
    "what is left is worth a look; which of them to take, only a budget can say. With every cost that counts, more "
    "networks are left.",
    {
        "Only one cost was looked at: all of them count.": _by(
            lambda a, b: a[0] >= b[0] and a[1] <= b[1] and a[:2] != b[:2]
        ),
        "The costs were summed: megabytes and milliseconds cannot be added, each is compared by itself.": _by(
            lambda a, b: a[0] >= b[0] and sum(a[1:]) <= sum(b[1:]) and a != b
        ),
        "Better in one thing is not enough: it must not be worse in any.": _by(
            lambda a, b: a[0] > b[0] or any(x < y for x, y in _costs(a, b))
        ),
        "A network also beats another when it is equal in some things and better in one.": _by(
            lambda a, b: a[0] > b[0] and all(x < y for x, y in _costs(a, b))
        ),
        "Two rows that are alike do not beat each other: better in at least one thing is needed.": _by(
            lambda a, b: a[0] >= b[0] and all(x <= y for x, y in _costs(a, b))
        ),
        "Each row beats itself there, so none is left: better in at least one thing is needed.": lambda rows: [],
        "Of costs, less is better; you took more for better.": _by(
            lambda a, b: a[0] >= b[0] and all(x >= y for x, y in _costs(a, b)) and a != b
        ),
        "The places of the rows are asked (0, 1, …), not the rows themselves.": lambda rows: [
            rows[i] for i in unbeaten(rows)
        ],
        "Those are the ones that are beaten.": lambda rows: [i for i in range(len(rows)) if i not in unbeaten(rows)],
        "That is only the most accurate: a cheaper one that is less accurate is unbeaten too.": (
            lambda rows: [i for i, row in enumerate(rows) if row[0] == max(one[0] for one in rows)],
            lambda rows: [max(range(len(rows)), key=lambda i: rows[i][0])],
        ),
    },
    hint="a beats b: a[0] >= b[0], every cost of a at most that of b, and a differs from b.",
)

# ------------------------------------------------------------------------------------------- 9.8 rank_correlation


def rank_correlation(a, b):
    """Spearman's: the correlation of the places of two lists of different numbers. The right answer."""
    places = [[sorted(values).index(value) for value in values] for values in (a, b)]
    n = len(a)
    return 1 - 6 * sum((x - y) ** 2 for x, y in zip(*places, strict=True)) / (n * (n * n - 1))


def _of_values(a, b):
    return float(torch.corrcoef(torch.tensor([a, b], dtype=torch.float64))[0, 1])


def _by_argsort(a, b):
    places = [sorted(range(len(values)), key=values.__getitem__) for values in (a, b)]
    n = len(a)
    return 1 - 6 * sum((x - y) ** 2 for x, y in zip(*places, strict=True)) / (n * (n * n - 1))


def _moves(a, b):
    return [sorted(b).index(y) - sorted(a).index(x) for x, y in zip(a, b, strict=True)]


def _kendall(a, b):
    n = len(a)
    pairs = [(i, j) for i in range(n) for j in range(i)]
    same = sum((a[i] - a[j]) * (b[i] - b[j]) > 0 for i, j in pairs)
    return (2 * same - len(pairs)) / len(pairs)


RANKS = CodeExercise(
    "rank_correlation",
    (
        Case("for an order that is kept", [1.0, 2.0, 30.0], [5.0, 6.0, 7.0]),
        Case("for four networks of which two change places", [40, 145, 300, 590], [9.0, 8.0, 21.0, 40.0]),
        Case("for a list in no order", [300, 57, 146, 1814, 41, 219], [21.0, 8.7, 13.0, 52.0, 8.3, 20.5]),
        Case("for an order turned round", [1, 2, 3, 4, 5], [9, 7, 4, 2, 1]),
        Case("for many", draw(30).tolist(), (draw(30) + draw(30, seed=1)).tolist()),
    ),
    rank_correlation,
    "1 if both lists have the same order, −1 if one is the other turned round. How far apart the values lie does not "
    "count.",
    {
        "That is the correlation of the values; replace each value by its place in the order first.": _of_values,
        "That is which value stands at each place; asked is the place of each value.": _by_argsort,
        "The squares of the differences count, not their sizes.": lambda a, b: (
            1 - 6 * sum(map(abs, _moves(a, b))) / (len(a) * (len(a) ** 2 - 1))
        ),
        "That is the share itself; it is taken from 1.": lambda a, b: 1 - rank_correlation(a, b),
        "Divide by n(n² − 1), not by n³.": lambda a, b: 1 - 6 * sum(d * d for d in _moves(a, b)) / len(a) ** 3,
        "The factor 6 is missing.": lambda a, b: 1 - sum(d * d for d in _moves(a, b)) / (len(a) * (len(a) ** 2 - 1)),
        "That counts pairs in the same order (Kendall's); the formula with squared differences is asked.": _kendall,
    },
    tolerance=1e-6,
    hint="places = [sorted(a).index(value) for value in a]; the same for b; then 1 − 6 Σ d² / (n(n² − 1)).",
)
