"""Lesson 08's exercises: answers and programs that a learner might hand in."""

import numpy as np
import pytest
import torch

from helpers.exercises import exercise

TAKEN = {
    "8.1": [8000, 8000.0, 8_000],
    "8.3": [(0.75, 0.6), [0.75, 0.6], (75, 60), np.array([0.75, 0.6]), torch.tensor([0.75, 0.6])],
    "8.4": [0.15, 0.154, 9 / 58.5, 15, 15.4, 0.1538],
    "8.5": [0.045, 4.5, 0.25 * 0.18],
    "8.7": [22 / 1024, 0.021, 0.022, 0.0215, 2.1],
    "8.10": [1.6, 1.62, 1.620, 81.8181 - 80.198],
}
TOLD = [
    ("8.1", 4000, "square root"),
    ("8.1", 6000, "in all"),
    ("8.3", (0.6, 0.75), "changed places"),
    ("8.4", 0.9, "recall"),
    ("8.4", 0.95, "990 others"),
    ("8.4", 0.947, "990 others"),
    ("8.4", 0.18, "990 others"),
    ("8.4", 0.2, "2 significant digits"),
    ("8.5", 0.18, "bin's share"),
    ("8.5", 0.09, "mean over the bins"),
    ("8.7", 0.02, "3 significant digits"),
    ("8.7", 0.0195, "exactly 9 to 1, in both directions"),
    ("8.7", 20 / 1024, "add 10 to 0"),
    ("8.7", 0.0107, "one direction only"),
    ("8.7", 0.011, "one direction only"),
    ("8.7", 0.1, "not a probability of chance"),
    ("8.10", 0, "too small"),
    ("8.10", 0.0162, "percentage points"),
    ("8.10", 81.8, "How far is it"),
    ("8.10", 1.8, "80 % of the full batches"),
    ("8.10", 2, "2 significant digits"),
]


@pytest.mark.parametrize("number, answer", [(number, answer) for number, all_ in TAKEN.items() for answer in all_])
def test_right_answers_in_other_clothes_are_taken(number, answer):
    right, words = exercise(number).judge(answer)
    assert right, words


@pytest.mark.parametrize("number, answer, words", TOLD)
def test_likely_mistakes_are_told(number, answer, words):
    right, said = exercise(number).judge(answer)
    assert not right and words in said, said


def interval_with_numpy(values, t):
    half = t * np.std(values, ddof=1) / np.sqrt(len(values))
    return np.mean(values) - half, np.mean(values) + half


def interval_with_torch(values, t):
    x = torch.tensor(values, dtype=torch.float64)
    return [x.mean() - t * x.std() / len(x) ** 0.5, x.mean() + t * x.std() / len(x) ** 0.5]


def brier_with_loops(probabilities, labels):
    total = 0
    for p, label in zip(probabilities.tolist(), labels.tolist(), strict=True):
        total += sum((value - (place == label)) ** 2 for place, value in enumerate(p))
    return total / len(labels)


def brier_expanded(probabilities, labels):
    """Σ p² − 2 p[label] + 1."""
    true = probabilities[torch.arange(len(labels)), labels]
    return ((probabilities**2).sum(1) - 2 * true + 1).mean()


def holm_by_adjusted_p_values(p_values):
    order = np.argsort(p_values, kind="stable")
    adjusted = np.maximum.accumulate(np.array(p_values)[order] * np.arange(len(p_values), 0, -1))
    stands = np.empty(len(p_values), dtype=bool)
    stands[order] = adjusted <= 0.05
    return stands.tolist()


def holm_strictly_below(p_values):
    places, stands = sorted(range(len(p_values)), key=p_values.__getitem__), [False] * len(p_values)
    while places and p_values[places[0]] < 0.05 / len(places):
        stands[places.pop(0)] = True
    return stands


def honest_with_loops(right, chooses):
    right, chooses = right.tolist(), chooses.tolist()
    here = [[r for r, c in zip(row, chooses, strict=True) if c] for row in right]
    there = [[r for r, c in zip(row, chooses, strict=True) if not c] for row in right]
    best = max(range(len(right)), key=lambda epoch: sum(here[epoch]))
    return [sum(here[best]) / len(here[best]), sum(there[best]) / len(there[best])]


@pytest.mark.parametrize(("number", "written"), [
    ("8.2", interval_with_numpy), ("8.2", interval_with_torch), ("8.6", brier_with_loops), ("8.6", brier_expanded),
    ("8.8", holm_by_adjusted_p_values), ("8.8", holm_strictly_below), ("8.9", honest_with_loops),
])  # fmt: skip
def test_other_right_ways_are_taken(number, written):
    right, words = exercise(number).judge(written)
    assert right, words


def brier_that_changes_its_input(probabilities, labels):
    probabilities[torch.arange(len(labels)), labels] -= 1
    return (probabilities**2).sum(1).mean()


@pytest.mark.parametrize(("number", "written", "words"), [
    ("8.2", lambda values, t: interval_with_numpy(values, t)[::-1], "low end comes first"),
    ("8.2", lambda values, t: (0.0, 1.0), "too"),
    ("8.6", brier_that_changes_its_input, "changed its input"),
    ("8.8", lambda p_values: holm_by_adjusted_p_values(p_values)[0], "instead of"),
    ("8.9", lambda right, chooses: (right[:, chooses].double().mean(), right[:, ~chooses].double().mean()), "too"),
])  # fmt: skip
def test_other_wrong_ways_are_refused_in_words(number, written, words):
    right, said = exercise(number).judge(written)
    assert not right and words in said, said
