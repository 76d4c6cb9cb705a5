"""Quiz questions out of exercises, and how they are written as GIFT."""

import html
import re
from functools import cache
from typing import NamedTuple

import nbformat

from helpers import ROOT
from helpers.exercises import Exercise, every_exercise
from helpers.tools.handout import words as as_html

EACH, MOST = 8, 4  # questions a lesson; wrong choices a question
HEADING = re.compile(r"^#{2,4} Exercise ([A\d]+\.\d+)\b[^\n]*\n", re.MULTILINE)


class Item(NamedTuple):
    """A question with one right choice. `wrong` are (choice, what to say); texts are HTML, choices plain text."""

    title: str
    question: str
    right: str
    why: str
    wrong: tuple[tuple[str, str], ...]


def lessons() -> dict[str, list[str]]:
    """ "03" → the numbers of its exercises that have an answer to type, of the pages that are here."""
    found: dict = {}
    for number, one in every_exercise().items():
        if isinstance(one, Exercise) and number[0] != "A" and number in questions():
            found.setdefault(number.partition(".")[0].zfill(2), []).append(number)
    return found


@cache
def questions() -> dict[str, str]:
    """The number of each exercise → what its page asks, as Markdown."""
    found = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                parts = HEADING.split(cell.source)
                found |= {number: text.strip() for number, text in zip(parts[1::2], parts[2::2], strict=True)}
    return found


def items(lesson: str) -> list[Item]:
    """The questions of a lesson: what is asked; then what went wrong, for exercises with most to tell."""
    numbers = lessons()[lesson]
    asked = [item for number in numbers if (item := _asked(number))][: EACH - min(4, len(numbers))]
    asked_of = {item.title for item in asked}
    by_wealth = sorted(numbers, key=lambda number: -len(every_exercise()[number].misconceptions))
    told = [item for number in by_wealth if (item := _diagnosis(number))]
    more = [item for number in numbers if (item := _asked(number)) and item.title not in asked_of]
    return [*asked, *told, *more][:EACH]


def _asked(number: str) -> Item | None:
    """What is the answer?"""
    one = every_exercise()[number]
    right, wrong = shown(one, one.answer), {}
    for words, value in one.misconceptions.items():
        choice = shown(one, value)
        if choice != right and words not in wrong.values():
            wrong.setdefault(choice, words)
    wrong = list(wrong.items())[:MOST]
    if len(wrong) < 2:
        return None
    return Item(f"{number} answer", as_html(questions()[number], ROOT), right, _sentence(one.why), tuple(wrong))


def _diagnosis(number: str) -> Item | None:
    """Somebody gave a wrong answer: what happened?"""
    one = every_exercise()[number]
    told: dict = {}
    for words, value in one.misconceptions.items():
        told.setdefault(words, shown(one, value))
    # The richest sentence is the clearest case; others that describe the same value would be right, too.
    words = max(told, key=lambda text: (len(text), text))
    others = [other for other in told if told[other] != told[words]]
    if len(others) < 2:
        return None
    question = f"{as_html(questions()[number], ROOT)}<p><b>Somebody answers {html.escape(told[words])}.</b> "
    question += "What would you tell them?</p>"
    wrong = tuple((other, f"That would be {told[other]}.") for other in others[:MOST])
    return Item(
        f"{number} diagnosis",
        question,
        words,
        f"The right answer: {shown(one, one.answer)}. {_sentence(one.why)}",
        wrong,
    )


def shown(one: Exercise, value) -> str:
    """A right or wrong answer as people write it, with the unit."""
    if isinstance(value, (set, frozenset)):
        return "; ".join(sorted(map(str, value))) or "none of them"
    if isinstance(value, tuple):
        return f"({', '.join(_number(one, part) for part in value)})"
    unit = {"": "", "share": "", "%": " %"}.get(one.unit, f" {one.unit}")
    return _number(one, value) + (unit if isinstance(value, (int, float)) and not isinstance(value, bool) else "")


def _number(one: Exercise, value) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or (float(value).is_integer() and abs(value) >= 100):
        return f"{int(value):,}"
    text = f"{value:.{max(one.digits or 3, 3)}g}"
    return f"{float(text):,.10g}" if "e" in text else text


def gift(category: str, questions_: list[Item]) -> str:
    """Questions as a GIFT file."""
    parts = [f"$CATEGORY: MobileNet, measured/{category}"]
    for item in questions_:
        choices = [f"={_choice(item.right)}#{_choice(item.why)}"]
        choices += [f"~{_choice(choice)}#{_choice(words)}" for choice, words in item.wrong]
        body = "\n".join(f"\t{choice}" for choice in choices)
        parts.append(f"::{_escaped(item.title)}::[html]{_escaped(_one_line(item.question))}{{\n{body}\n}}")
    return "\n\n".join(parts) + "\n"


def _choice(text: str) -> str:
    return _escaped(html.escape(_one_line(text), quote=False))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _escaped(text: str) -> str:
    """GIFT's own signs, with a backslash."""
    return re.sub(r"([\\~=#{}:])", r"\\\1", text)
