"""Lesson 08's statistics, each computed a second time: by numerical integration, by a loop, by hand."""

import math
import random

import numpy as np
import pytest
import torch

from helpers.evaluation import mcnemar
from helpers.lessons.lesson_08 import intervals
from helpers.lessons.lesson_08.intervals import T_95, bootstrap, compare, flattery, holm, over_seeds, threshold_for


def numbers(row: dict[str, str]) -> dict[str, float]:
    return {name: float(text) for name, text in row.items()}


# ------------------------------------------------------------------------------------------------ seeds and images


@pytest.mark.parametrize("seeds", T_95)
def test_students_t_holds_95_percent(seeds):
    """The area under Student's density between −t and t, by the midpoint rule."""
    nu, width = seeds - 1, 2 * T_95[seeds] / 200_000
    x = -T_95[seeds] + width * (np.arange(200_000) + 0.5)
    density = (
        math.gamma((nu + 1) / 2) / math.gamma(nu / 2) / math.sqrt(nu * math.pi) * (1 + x**2 / nu) ** (-(nu + 1) / 2)
    )
    assert density.sum() * width == pytest.approx(0.95, abs=1e-4)


def test_the_interval_over_seeds_is_numpys_standard_error_times_t():
    values = [0.7915, 0.7703, 0.7703]
    low, high = over_seeds(values)
    assert (low + high) / 2 == pytest.approx(np.mean(values))
    assert high - low == pytest.approx(2 * 4.303 * np.std(values, ddof=1) / math.sqrt(3))
    assert all(math.isnan(end) for end in over_seeds([0.5])), "one training says nothing of others"


def test_compare_tells_seeds_and_images_apart():
    random_ = torch.Generator().manual_seed(0)
    first, second = (torch.rand(2, 500, generator=random_) < p for p in (0.6, 0.7))
    row, pair = numbers(compare(first[0], second[0])), mcnemar(first[0], second[0])
    assert row["difference"] == pytest.approx(pair.difference, abs=1e-5) and row["trainings"] == 1
    assert (row["images_low"], row["images_high"]) == pytest.approx((pair.low, pair.high), abs=2e-3)
    assert math.isnan(row["seeds_low"]) and math.isnan(row["others"]) and row["kept"] == 0
    both = numbers(compare(first, second))
    each = [mcnemar(a, b).difference for a, b in zip(first, second, strict=True)]
    assert (both["least"], both["most"]) == pytest.approx((min(each), max(each)), abs=1e-5)
    assert (both["seeds_low"], both["seeds_high"]) == pytest.approx(over_seeds(each), abs=1e-5)
    assert both["images_high"] - both["images_low"] < row["images_high"] - row["images_low"], "two blur less than one"
    assert both["reported"] - both["honest"] == pytest.approx(both["difference"], abs=2e-5)


def test_a_shift_of_all_seeds_is_sure_over_seeds_and_a_shift_of_one_is_not():
    same = torch.zeros(3, 100, dtype=torch.bool)
    same[:, :10] = True
    row = numbers(compare(same, torch.zeros(3, 100)))
    assert row["seeds_low"] == row["seeds_high"] == 0.1 and row["images_low"] < 0.05 < 0.15 < row["images_high"]
    one = torch.zeros(3, 100)
    one[0] = 1
    row = numbers(compare(one, torch.zeros(3, 100)))
    assert row["images_low"] == pytest.approx(row["images_high"]) and row["seeds_low"] < -1 and row["seeds_high"] > 1


# ------------------------------------------------------------------------------------------------ what was chosen


def test_draws_begin_with_the_given_images_and_are_all_as_many():
    first = torch.arange(50) < 10
    chosen = intervals.draws(first, 20)
    assert chosen.shape == (21, 50) and torch.equal(chosen[0], first) and (chosen.sum(1) == 10).all()
    assert len({tuple(row.tolist()) for row in chosen}) == 21
    assert torch.equal(chosen, intervals.draws(first, 20))


def test_flattery_by_hand():
    """Epoch 2 looks best on the four images that choose (the honest epoch 1 has 2); on the others it loses one."""
    right = torch.tensor([[0, 0, 0, 0, 0, 0], [1, 1, 0, 0, 1, 1], [1, 1, 1, 1, 1, 0]]).bool()
    chosen = torch.tensor([[1, 1, 1, 1, 0, 0]]).bool()
    found = {name: float(value) for name, value in flattery(right, chosen, lambda x: x[:, 1]).items()}
    assert found == {"reported": 1.0, "honest": 0.5, "kept": -0.5, "flattery": 1.0}


def test_flattery_against_a_loop_over_draws():
    generator = torch.Generator().manual_seed(1)
    right = torch.rand(6, 80, generator=generator) < 0.6
    chosen = intervals.draws(torch.arange(80) < 20, 5)
    found = flattery(right, chosen, lambda x: x.mean(1))
    for place, mask in enumerate(chosen):
        here = [row[mask].double().mean().item() for row in right]
        there = [row[~mask].double().mean().item() for row in right]
        best = here.index(max(here))
        kept = there[best] - sum(there) / 6
        assert found["kept"][place].item() == pytest.approx(kept)
        assert found["flattery"][place].item() == pytest.approx(here[best] - sum(here) / 6 - kept)


def test_equal_candidates_flatter_and_keep_nothing():
    right = torch.rand(30, 4000, generator=torch.Generator().manual_seed(2)) < 0.65
    row = numbers(
        intervals.flattered([flattery(right, intervals.draws(torch.arange(4000) < 800, 200), lambda x: x[:, 0])])
    )
    assert row["reported"] - row["honest"] - row["kept"] == pytest.approx(row["difference"], abs=2e-5)
    assert row["images_low"] < row["others"] < row["images_high"] and row["others"] > 0.02, "pure luck of thirty"


def test_the_threshold_is_the_lowest_that_keeps_the_promise():
    draw = random.Random(0)
    sure = torch.tensor([round(draw.random(), 1) for _ in range(200)])  # many are equal
    right = torch.tensor([draw.random() < float(s) for s in sure])
    for wanted in (0.5, 0.7, 0.9):
        enough = [t for t in sorted(set(sure.tolist())) if right[sure >= t].double().mean() >= wanted]
        assert threshold_for(sure, right, wanted) == (enough[0] if enough else 1.0)
    assert threshold_for(torch.tensor([0.9, 0.8]), torch.tensor([False, False])) == 1.0
    assert intervals.right_from(sure, right, 0.7) == right[sure >= 0.7].double().mean()


# ------------------------------------------------------------------------------------------------ several at once


def test_holm_is_the_closed_test_of_all_subsets():
    """A hypothesis stands when every set that holds it is refuted by Bonferroni's rule (closed testing)."""
    draw = random.Random(3)
    for _ in range(60):
        p_values = [draw.choice((0.001, 0.008, 0.012, 0.016, 0.02, 0.03, 0.2)) for _ in range(5)]
        sets = [[i for i in range(5) if bits >> i & 1] for bits in range(1, 32)]
        refuted = {tuple(one): min(p_values[i] for i in one) <= 0.05 / len(one) for one in sets}
        wanted = [all(refuted[tuple(one)] for one in sets if place in one) for place in range(5)]
        assert holm(p_values) == wanted, p_values


def test_the_bootstrap_keeps_pairs_together_and_has_the_known_spread():
    each = torch.rand(400, generator=torch.Generator().manual_seed(0)).double()
    means = bootstrap(torch.stack([each, 1 - each], 1), 1500)
    assert torch.allclose(means.sum(1), torch.ones(1500).double()), "both columns of the same images"
    assert means[:, 0].mean().item() == pytest.approx(each.mean().item(), abs=2e-3)
    assert means[:, 0].std().item() == pytest.approx(each.std().item() / 20, rel=0.08)


def test_even_a_calibrated_network_has_an_error_and_more_images_make_it_smaller():
    logits = torch.randn(2000, 10, generator=torch.Generator().manual_seed(0)) * 2
    few, many = intervals.chance_of_error(logits[:200], 40), intervals.chance_of_error(logits, 40)
    assert 0.005 < many < few / 2 < 0.1
