"""Lesson 08's claims about the stored tables."""

import math

import pytest

from helpers.lessons.lesson_08 import mistakes
from helpers.lessons.lesson_08.intervals import over_seeds
from helpers.lessons.lesson_08.mistakes import HARMLESS, REALISTIC
from helpers.lessons.lesson_08.robustness import DAMAGE
from helpers.results import read_results

WIDTHS = (0.25, 0.35, 0.5, 0.75, 1.0)


@pytest.fixture(scope="module")
def rows() -> dict[str, dict]:
    return {row["variant"]: row for row in read_results("mistakes.csv")}


def test_all_eight_mistakes_are_measured_both_ways(rows):
    assert {(row["number"], row["variant"]) for row in rows.values()} <= set(mistakes.VARIANTS)
    assert {*REALISTIC.values(), *HARMLESS.values()} <= set(rows)
    for row in rows.values():
        assert row["mistake"] == mistakes.MISTAKES[row["number"]] and row["images"] == 2000
        assert row["reported"] - row["honest"] - row["kept"] == pytest.approx(row["difference"], abs=2e-4)
        assert row["least"] <= row["most"] and (row["trainings"] > 1) != math.isnan(row["seeds_low"])


def test_intervals_over_seeds_of_the_older_run_follow_from_three_trainings(rows):
    older = [row for row in rows.values() if not row["commit"] and row["trainings"] == 3]
    for row in older:
        three = [row["least"], 3 * row["difference"] - row["least"] - row["most"], row["most"]]
        assert (row["seeds_low"], row["seeds_high"]) == pytest.approx(over_seeds(three), abs=1e-4)
    assert len(older) >= 5


def test_what_people_do_costs_more_than_the_harmless_way(rows):
    """The lesson's order: 32 pixels, no .eval(), then the copied deviation and one transform for all."""
    cost = {number: rows[variant]["difference"] for number, variant in REALISTIC.items()}
    assert sorted((1, 2, 3, 4), key=cost.get)[:2] == [3, 2] and cost[3] < -0.12 and cost[2] < -0.08
    assert all(cost[number] < rows[HARMLESS[number]]["difference"] < 0.01 for number in (1, 2, 4))
    for number in (1, 2, 3):
        assert rows[REALISTIC[number]]["seeds_high"] < 0 and rows[REALISTIC[number]]["images_high"] < 0


def test_what_was_chosen_on_the_test_images_flatters(rows):
    for number in (6, 7):
        row = rows[REALISTIC[number]]
        assert row["others"] > 0 and 0 < row["images_low"] < row["others"] < row["images_high"]
    few, many = rows[REALISTIC[8]], rows[HARMLESS[8]]
    assert few["images_high"] - few["images_low"] > 2 * (many["images_high"] - many["images_low"])
    assert few["reported"] >= 0.95 and many["reported"] >= 0.95, "chosen so"


@pytest.fixture(scope="module")
def damaged() -> dict[tuple, dict]:
    return {(r["width"], r["kind"], r["strength"]): r for r in read_results("robustness.csv") if r["total"] == 2000}


def test_every_width_was_damaged_in_every_way(damaged):
    assert set(damaged) == {(w, kind, s) for w in WIDTHS for kind, (_, strengths) in DAMAGE.items() for s in strengths}
    for (width, kind, _), row in damaged.items():
        clean = damaged[width, "none", 0]["correct"]
        assert row["change"] == pytest.approx((row["correct"] - clean) / 2000, abs=1e-5)
        assert kind == "none" or row["change"] < 0.01


@pytest.fixture(scope="module")
def pairs() -> list[dict]:
    """α = 1.0 against 0.25, each strength of each kind."""
    found = [row for row in read_results("robustness_pairs.csv") if (row["first"], row["second"]) == (1, 0.25)]
    return [row for row in found if row["total"] == 2000]


def test_a_difference_of_changes_is_that_of_the_two_rows(damaged, pairs):
    single = [row for row in pairs if row["strength"] != "mean"]
    assert {(row["kind"], float(row["strength"])) for row in single} == {
        (kind, strength) for kind, (_, strengths) in DAMAGE.items() if kind != "none" for strength in strengths
    }
    for row in single:
        one, other = (damaged[width, row["kind"], float(row["strength"])] for width in (1.0, 0.25))
        assert row["change"] == pytest.approx(one["change"] - other["change"], abs=2e-5)
        assert row["change_low"] < row["change"] < row["change_high"]
    for kind in {row["kind"] for row in pairs}:
        four = [row["change"] for row in single if row["kind"] == kind]
        (mean,) = [row["change"] for row in pairs if (row["kind"], row["strength"]) == (kind, "mean")]
        assert mean == pytest.approx(sum(four) / 4, abs=2e-5)
