"""Quiz questions out of exercises, and how they are written as GIFT."""

import hashlib
import html
import re
from functools import cache
from typing import NamedTuple

import nbformat

from helpers import ROOT
from helpers.exercises import Exercise, every_exercise
from helpers.tools.handout import words as as_html

EACH, HALF, MOST = 8, 4, 4  # questions a lesson, and of one form; wrong choices a question
FORMS = {"answer": "what is the answer", "diagnosis": "what went wrong"}
# How an answer is to be typed says nothing to who ticks one.
TYPING = re.compile(
    r"\s*\((?:an?|the|to|two|three|its|from)\b[^();=]*\b(?:number|digits?|nearest|table)\b[^();=]*\)", re.I
)
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


@cache
def _sections() -> dict[str, str]:
    """The number of each exercise → its page's title and the heading above it, for who reads the question alone."""
    found = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        title = section = ""
        for cell in nbformat.read(path, as_version=4).cells:
            for line in cell.source.splitlines() if cell.cell_type == "markdown" else ():
                if line.startswith("# "):
                    title = line[2:]
                elif line.startswith("## "):
                    section = line[3:]
                elif head := HEADING.match(line + "\n"):
                    found[head[1]] = f"{title}: {section}" if section else title
    return found


def items(lesson: str) -> list[Item]:
    """The questions of a lesson: half ask for an answer, half what went wrong; together they touch all its exercises.

    A question of one form may tell the answer to one of the other: a test takes one form.
    """
    numbers = lessons()[lesson]
    asked = {number: item for number in numbers if (item := _asked(number))}
    told = {number: item for number in numbers if (item := _diagnosis(number))}
    first = _spread(list(asked), HALF)
    second = sorted(told, key=lambda number: (number in first, -len(every_exercise()[number].misconceptions)))
    second = sorted(second[: EACH - len(first)], key=numbers.index)
    more = [number for number in asked if number not in first][: EACH - len(first) - len(second)]
    return [asked[number] for number in sorted([*first, *more], key=numbers.index)] + [
        told[number] for number in second
    ]


def _spread(numbers: list[str], count: int) -> list[str]:
    """`count` of the numbers, evenly over the lesson's pages."""
    return [numbers[round(i * (len(numbers) - 1) / (count - 1))] for i in range(min(count, len(numbers)))]


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
    return Item(f"{number} answer", _stem(number), right, _sentence(one.why), tuple(wrong))


def _diagnosis(number: str) -> Item | None:
    """Somebody gave a wrong answer: what happened?

    Choices tell themselves apart neither by their numbers nor by their length, where the check's sentences allow it.
    """
    one = every_exercise()[number]
    told: dict = {}
    for words, value in one.misconceptions.items():
        if shown(one, value) not in words:  # it would name the answer that is asked about
            told.setdefault(words, shown(one, value))
    found = None
    for words in sorted(told, key=lambda text: hashlib.sha256(text.encode()).digest()):
        others = [other for other in told if _apart(told, words, other)]
        bare = [other for other in others if not re.search(r"\d", other)]
        with_numbers = re.search(r"\d", words) is not None
        others = bare if len(bare) >= 2 and not with_numbers else others
        others = sorted(others, key=lambda other: abs(len(other) - len(words)))[: MOST - 1]
        if len(others) < 2 or (with_numbers and not any(re.search(r"\d", other) for other in others)):
            continue
        longer = sum(len(other) > len(words) for other in others)
        rank = (not with_numbers and len(others) == MOST - 1, 0 < longer < len(others), longer > 0)
        if found is None or rank > found[0]:
            found = rank, words, others
    if found is None:
        return None
    _, words, others = found
    question = f"{_stem(number)}<p><b>Somebody answers {html.escape(told[words])}.</b> "
    question += "What would you tell them?</p>"
    wrong = tuple((other, f"That would be {told[other]}.") for other in sorted(others))
    why = f"The right answer: {shown(one, one.answer)}. {_sentence(one.why)}"
    return Item(f"{number} diagnosis", question, words, why, wrong)


def _apart(told: dict[str, str], words: str, other: str) -> bool:
    """Is `other` wrong where `words` is right: about another answer, and not the same advice at its end?"""
    advice = [re.split(r"[;.?] ", text)[1:] for text in (words, other)]
    return told[words] != told[other] and not (advice[0] and advice[0][-1:] == advice[1][-1:])


def _stem(number: str) -> str:
    """What the page asks, with the section it is asked in, as HTML."""
    text = TYPING.sub("", questions()[number]).replace("Answer with a set of", "Choose from")
    text = text.removesuffix("Answer with a set.").rstrip()
    return f"<p><i>{html.escape(_sections()[number])}</i></p>{as_html(text, ROOT)}"


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
    """Questions as a GIFT file, those of each form in a category of their own."""
    parts, before = [], None
    for item in questions_:
        form = FORMS.get(item.title.rpartition(" ")[2], "")
        if form != before:
            parts.append(f"$CATEGORY: MobileNet, measured/{category}{'/' if form else ''}{form}")
            before = form
        choices = [f"={_choice(item.right)}#{_choice(item.why)}"]
        choices += [f"~{_choice(choice)}#{_choice(words)}" for choice, words in item.wrong]
        body = "\n".join(f"\t{choice}" for choice in choices)
        parts.append(f"::{_escaped(item.title)}::[html]{_escaped(_one_line(item.question))}{{\n{body}\n}}")
    return "\n\n".join(parts) + "\n"


def _choice(text: str) -> str:
    text = html.escape(_one_line(text), quote=False)
    return _escaped(re.sub(r"\*(\w[^*]*\w)\*", r"<em>\1</em>", text))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _escaped(text: str) -> str:
    """GIFT's own signs, with a backslash."""
    return re.sub(r"([\\~=#{}:])", r"\\\1", text)
