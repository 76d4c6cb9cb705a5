"""What teachers are told: every exercise has its place, and every wrong answer that is listed is known to its check."""

import re

import pytest

from helpers import ROOT
from helpers.exercises import Exercise, every_exercise

TEACHING = ROOT / "notebooks" / "teaching"
NUMBER = r"[−-]?\d[\d,]*(?:\.\d+)?(?:/\d[\d,]*)?(?: million)?"
# A list of numbers, with a reason in brackets after each: "204.8 (three colours forgotten), 153.6 (bytes) and 585.9"
LISTED = re.compile(rf"({NUMBER})(?: MB)?(?: \([^()]*\))?(?:(?:, and|,| and| or) |$|[.;:])")


def page_of(number: str) -> str:
    chapter = number.partition(".")[0]
    name = f"{int(chapter):02}" if chapter.isdecimal() else f"appendix_{chapter.lower()}"
    return (TEACHING / f"{name}.md").read_text(encoding="utf-8")


def split(number: str) -> tuple[str, str]:
    """(what comes before the wrong answers, the wrong answers)."""
    before, _, rest = page_of(number).partition("## Common wrong answers")
    return before, rest.partition("\n## ")[0]


def listed(number: str) -> list[str]:
    """The numbers that a page lists as wrong answers to an exercise, from its table or its list."""
    _, wrong = split(number)
    found = []
    for line in re.sub(r"\n  +", " ", wrong).splitlines():
        if row := re.match(rf"\| {re.escape(number)} \| ([^|]+) \|", line):
            cell = row[1].strip()
            if re.fullmatch(rf"(?:{NUMBER}(?:, | or | and )?)+", cell):
                found += re.findall(NUMBER, cell)
        elif item := re.match(rf"- {re.escape(number)}: (.+)", line):
            text, place = item[1], 0
            while more := LISTED.match(text, place):
                found.append(more[1])
                place = more.end()
    return found


def value_of(text: str) -> float:
    plain, million = text.replace(",", "").replace("−", "-"), 1
    if plain.endswith(" million"):
        plain, million = plain.removesuffix(" million"), 10**6
    above, _, below = plain.partition("/")
    value = float(above) / float(below or 1) * million
    return int(value) if value.is_integer() and "." not in plain else value


WRONG = [
    (number, text)
    for number, one in every_exercise().items()
    if isinstance(one, Exercise) and isinstance(one.answer, (int, float))
    for text in listed(number)
]


def test_the_reader_finds_what_is_listed():
    assert len(WRONG) >= 60
    assert listed("3.1") == ["43,352,064", "11,239,424", "3,612,672", "21,676,032"]
    assert listed("2.1") == ["204.8", "153.6", "585.9"] and listed("8.7") == ["11/1,024", "20/1,024"]
    assert listed("9.3") == ["21.9 million", "29.0 million", "3.0 million"]
    assert value_of("−0.28") == -0.28 and value_of("22/1,024") == 22 / 1024 and value_of("21.9 million") == 21.9e6


@pytest.mark.parametrize(("number", "text"), WRONG, ids=lambda one: str(one))
def test_a_listed_wrong_answer_is_wrong_and_known(number, text):
    one = every_exercise()[number]
    right, words = one.judge(value_of(text))
    assert not right, f"{text} is right: {words}"
    assert "but near: that is in" in words or any(known in words for known in one.misconceptions), words


@pytest.mark.parametrize("number", every_exercise())
def test_every_exercise_stands_in_a_plan_or_is_homework(number):
    """By its number, or in a range: "6.2 to 6.4"."""
    before, after = page_of(number).partition("## Common wrong answers")[::2]
    text = before + after.partition("\n## ")[2]
    ranges = re.findall(r"([A\d]+)\.(\d+)(?: to |–)\1\.(\d+)", text)
    chapter, _, place = number.partition(".")
    inside = any(first == chapter and int(low) <= int(place) <= int(high) for first, low, high in ranges)
    assert inside or re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", text), (
        f"{number} has no minute and is no homework"
    )


@pytest.mark.parametrize("path", sorted(TEACHING.glob("[0a]*.md")), ids=lambda path: path.stem)
def test_the_minutes_of_a_plan_follow_each_other(path):
    """0–5, 5–11, … without a gap, to 45 (the tour: 20)."""
    plans, last = [], None
    for line in path.read_text(encoding="utf-8").splitlines():
        if row := re.match(r"\| (\d+)–(\d+) \|", line):
            start, end = int(row[1]), int(row[2])
            if start == 0:
                plans.append(last) if last is not None else None
            else:
                assert start == last, f"{path.name}: {line[:40]} follows {last}"
            last = end
    assert [*plans, last] == ([20] if path.stem == "00" else [45] * len([*plans, last]))
