"""Lesson 08's claims about the stored tables."""

import pytest

from helpers.lessons.lesson_08 import mistakes
from helpers.lessons.lesson_08.robustness import DAMAGE
from helpers.results import read_results

WIDTHS = (0.25, 0.35, 0.5, 0.75, 1.0)


@pytest.fixture(scope="module")
def rows() -> dict[str, dict]:
    return {row["variant"]: row for row in read_results("mistakes.csv")}


def test_all_seven_mistakes_are_measured(rows):
    assert {row["number"] for row in rows.values()} == set(mistakes.MISTAKES)
    assert {rows[variant]["number"] for variant in mistakes.MAIN.values()} == set(mistakes.MISTAKES)
    for row in rows.values():
        assert row["mistake"] == mistakes.MISTAKES[row["number"]] and row["images"] == 2000
        assert row["reported"] - row["honest"] == pytest.approx(row["difference"], abs=2e-4)
        assert row["low"] <= row["difference"] <= row["high"]
        assert row["least"] <= row["most"]


@pytest.fixture(scope="module")
def damaged() -> dict[tuple, dict]:
    return {(r["width"], r["kind"], r["strength"]): r for r in read_results("robustness.csv") if r["total"] == 2000}


def test_every_width_was_damaged_in_every_way(damaged):
    assert set(damaged) == {(w, kind, s) for w in WIDTHS for kind, (_, strengths) in DAMAGE.items() for s in strengths}
    for (width, kind, _), row in damaged.items():
        clean = damaged[width, "none", 0]["correct"]
        assert row["change"] == pytest.approx((row["correct"] - clean) / 2000, abs=1e-5)
        assert kind == "none" or row["change"] < 0.01


def test_the_lead_of_the_widest_melts_with_the_damage(damaged):
    """The lesson's table: eight points undamaged, none left at the strongest."""
    kinds = [kind for kind in DAMAGE if kind != "none"]

    def lead(step: int) -> float:
        places = [("none", 0) if step == 0 else (kind, DAMAGE[kind][1][step - 1]) for kind in kinds]
        return sum(damaged[1.0, *place]["accuracy"] - damaged[0.25, *place]["accuracy"] for place in places) / 5

    assert lead(0) > 0.07 and lead(1) > 0.06 and abs(lead(4)) < 0.015
