"""What ROOM.md, COURSE.md and the Dockerfile promise: commands that exist, versions that belong together, one truth."""

import itertools
import re

import pytest

from helpers import ROOT
from helpers.__main__ import commands
from helpers.exercises import every_exercise
from helpers.tools import worksheets

TEACHING = ROOT / "notebooks" / "teaching"
PAGES = ("ROOM.md", "COURSE.md")
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")
TORCH = " ".join(re.findall(r"^torch(?:vision)?==\S+", CONSTRAINTS, re.MULTILINE))


def text_of(name: str) -> str:
    return (TEACHING / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_commands_exist_and_links_lead_somewhere(name):
    text = text_of(name)
    named = re.findall(r"python -m helpers (\w+)", text)
    assert len(named) >= 3 and set(named) <= set(commands())
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (TEACHING / target).exists(), target


def test_the_versions_of_torch_are_those_of_the_constraints():
    docker = (ROOT / ".binder" / "Dockerfile").read_text(encoding="utf-8")
    assert TORCH.count("==") == 2
    assert f"{TORCH} --index-url" in docker and f"pip download {TORCH} " in text_of("ROOM.md")


def test_what_is_untried_is_called_so():
    room = text_of("ROOM.md")
    for heading in ("Docker and Binder", "Colab and Kaggle"):
        assert "**Untried" in room.partition(f"## {heading}")[2].partition("\n## ")[0]
    assert "Untried" in (ROOT / ".binder" / "Dockerfile").read_text(encoding="utf-8")


def test_plans_name_lessons_and_exercises_that_exist():
    course = text_of("COURSE.md")
    for plan in re.findall(r"(?:^\| \d.*\n)+", course, re.MULTILINE):
        for number in re.findall(r"\b(\d{1,2}\.\d{1,2})\b(?! times)", plan):
            assert number in every_exercise() or f"{number} times" in plan, number
    for sheet in re.findall(r"worksheet (\d\d)", course):
        assert sheet in worksheets.SHEETS


def test_the_ninety_minutes_follow_each_other():
    plan = text_of("COURSE.md").partition("## Ninety minutes")[2].partition("\n## ")[0]
    spans = [(int(a), int(b)) for a, b in re.findall(r"^\| (\d+)–(\d+) \|", plan, re.MULTILINE)]
    assert spans[0][0] == 0 and spans[-1][1] == 90
    assert all(one[1] == other[0] for one, other in itertools.pairwise(spans))
    weeks = re.findall(r"^\| (\d+) \|", text_of("COURSE.md").partition("## Twelve weeks")[2], re.MULTILINE)
    assert [int(week) for week in weeks[:12]] == list(range(1, 13))
