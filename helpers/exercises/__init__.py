"""Is my answer right, and if not, what did I misunderstand?

A lesson's exercises stand in the `exercises.py` of its room, helpers/lessons/; those with an answer to type as

    EXERCISES = {"3.2": Exercise(0.0478, "1/N + 1/K², and the channels in have cancelled", unit="share", digits=3,
                                 misconceptions={"Upside down: the fraction that is left is asked.": 20.9})}

and those with a function or a class to write as (`from helpers.exercises.code import Case, CodeExercise, draw, fill`)

    def softmax(scores): return torch.softmax(scores, -1)                                      # a right one
    CASES = (Case("for three scores", draw(3)), Case("for large scores", 1000 * draw(3)))      # words, then the inputs
    EXERCISES["1.6"] = CodeExercise("softmax", CASES, softmax, "the probabilities sum to 1 for scores of any size",
                                    {"You divided the scores themselves.": lambda scores: scores / scores.sum()})
    # a class: Case("with stride 2", draw(1, 8, 6, 6), use=lambda Block, x: fill(Block(8, 16, 2)).eval()(x))
    # many right results: Case("for an image", image, holds=lambda crop: None if fits(crop) else "is no part of it")
    # a mistake that is made in several ways: {"You averaged all of it.": (of_all_rows, of_each_row)}

`python -m pytest tests/core/test_exercises.py` tries each: the reference is right, an empty body is "not answered yet",
and each wrong implementation is met with its own words; tests/lessons/*/test_typed_*.py hold whether it is what the
words say.
"""

import math
import numbers
import re
import reprlib
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

LESSONS = Path(__file__).parent.parent / "lessons"
NUMBER, WHOLE = "a number", "one whole number"


class Reading(NamedTuple):
    """Another unit in which people give a number: `ratio` times the number asked. Taken as right, or only named."""

    ratio: float
    name: str
    taken: bool = True


# By the first word of an exercise's unit; "" is a count, for whole numbers that have no such unit.
READINGS = {
    "share": [Reading(100, "per cent")],
    "%": [Reading(0.01, "parts of 1 (per cent are asked)", False)],
    "points": [Reading(0.01, "parts of 1 (percentage points are asked)", False)],
    "MB": [
        Reading(1e6, "bytes"),
        Reading(1e3, "kB"),
        Reading(1e-3, "GB"),
        Reading(1e6 / 2**20, "MiB, units of 2²⁰ bytes (a MB is 10⁶ bytes)", False),
        Reading(8, "megabits (a byte is eight bits)", False),
    ],
    "M": [Reading(1e6, "ones"), Reading(1e-3, "thousand millions")],
    "": [Reading(1e-3, "thousands"), Reading(1e-6, "millions"), Reading(1e-9, "thousand millions")],
    "s": [Reading(1e3, "milliseconds"), Reading(1e6, "microseconds")],
    "ms": [Reading(1e-3, "seconds"), Reading(1e3, "microseconds")],
}
FLOPS = Reading(2, "FLOPs (one MAC is two of them)", False)


@dataclass(frozen=True)
class Exercise:
    """A right answer, why it is right, and what known misunderstandings give instead: {what to say: value}.

    The type of `answer` says what is asked: int (a whole number), float, bool, str (a choice), tuple (numbers in this
    order) or frozenset (choices in any order; one of them may be given without braces).

    Numbers are right within ±`tolerance`, and within what rounding to `digits` significant digits changes. `unit` is
    what the question asks for: "share" (a probability too), "%", "points" (of a hundred), "MB", "s", "ms", "M MACs",
    "MACs", or any other word. By it other units are heard: per cent for a share, bytes for MB, millions for a count of
    10,000 or more are taken; FLOPs for MACs and MiB for MB are named. Misconceptions match within half a per cent.

    Of choices, capitals, spaces, hyphens and what the pattern `ignored` matches do not count, and 0.50 is 0.5. `also`
    are other ways to write the answer; `choices` adds to the options of answer and misconceptions. `hint` follows any
    other wrong answer.
    """

    answer: object
    why: str
    misconceptions: Mapping[str, object] = field(default_factory=dict)
    tolerance: float = 0.0
    choices: tuple = ()
    hint: str = ""
    unit: str = ""
    digits: int | None = None
    also: tuple[str, ...] = ()
    ignored: str = ""

    def __post_init__(self):
        if not isinstance(self.answer, (bool, int, float, str, tuple, frozenset)):
            kind = type(self.answer).__name__
            raise TypeError(f"an answer is an int, float, bool, str, tuple or frozenset, not {kind}")
        if any(type(number) is float for number in self._wanted(self.answer)) and not (
            self.tolerance > 0 or (self.digits or 0) > 0
        ):
            raise ValueError(
                f"the answer {self.answer} needs a tolerance above 0 or digits: nobody hits a float exactly"
            )
        choice = isinstance(self.answer, (bool, str, frozenset))
        for words, wrong in self.misconceptions.items():
            if wrong == self.answer if choice else self._taken(self._wanted(wrong)) is not None:
                raise ValueError(f"{wrong} counts as right, perhaps in another unit; it can't be: {words}")

    @property
    def options(self) -> list:
        """What can be chosen from."""
        values = [self.answer, *self.misconceptions.values()]
        parts = [part for value in values for part in (value if isinstance(value, frozenset) else (value,))]
        return list({self._plain(part): part for part in (*parts, *self.choices)}.values())

    def judge(self, answer) -> tuple[bool, str]:
        """(is it right, what to tell the reader)."""
        if answer is None or answer is ...:
            return False, "Not answered yet: put your answer in place of None and run the cell again."
        try:
            value = _read(self, answer)
        except _Unsuitable as problem:
            return False, str(problem)
        if isinstance(self.answer, (bool, str, frozenset)):
            return self._judge_choice(value)
        return self._judge_numbers(value if isinstance(value, tuple) else (value,))

    def _judge_choice(self, value) -> tuple[bool, str]:
        if value == self.answer:
            return True, f"Right: {self.why}"
        for words, wrong in self.misconceptions.items():
            if value == wrong:
                return False, f"Not yet. {words}"
        what = f"{_show(value)} is not it"
        if isinstance(value, frozenset):
            if not value:
                what = "that is none of them; at least one is meant"
            elif value < self.answer:
                what = f"{_show(value)} is right as far as it goes, and something is missing"
            elif value > self.answer:
                what = f"in {_show(value)} is all that belongs there, and something that does not"
        return False, f"Not yet: {what}. {self.hint}".rstrip()

    def _judge_numbers(self, values: tuple) -> tuple[bool, str]:
        wanted = self._wanted(self.answer)
        taken = self._taken(values)
        if taken is not None:
            return True, f"Right{taken}: {self.why}"
        misconceptions = {words: self._wanted(wrong) for words, wrong in self.misconceptions.items()}
        told = [words for words, wrong in misconceptions.items() if _equal(values, wrong)]
        if told:
            return False, f"Not yet. {told[0]}"
        if all(map(self._is_rounded, values, wanted)):
            more = f"{self.digits} significant digits are asked" if self.digits else "please give more digits"
            more = "the exact number is asked" if isinstance(self.answer, int) and not self.digits else more
            return False, f"Not yet: that is rounded too far to tell right from wrong; {more}."
        told = _known(values, misconceptions, closest=min(0.005, _distance(values, wanted)))
        if told:
            return False, f"Not yet. {' Or: '.join(told)}"
        readings = [(reading, tuple(value / reading.ratio for value in values)) for reading in self._readings()]
        for reading, read in readings:
            if self._right(read) or all(map(self._is_rounded, read, wanted)):
                rounded = "" if self._right(read) else ", rounded too far"
                return False, f"Not yet, but near: that is in {reading.name}{rounded}; asked is {self._asked()}."
        for reading, read in readings:
            told = _known(read, misconceptions, closest=0.0005)
            if told:
                return False, f"Not yet: that is in {reading.name}, and besides: {' Or: '.join(told)}"
        return False, f"Not yet: {self._what(values, wanted)}. {self.hint}".rstrip()

    def _taken(self, values: tuple) -> str | None:
        """What is said after "Right": nothing for the unit asked, the name of another one; None where it is wrong."""
        if self._right(values):
            return ""
        for reading in self._readings():
            # Per cent can be told from a share only where it is above 1.
            told_apart = reading.name != "per cent" or max(map(abs, values)) > 1
            if reading.taken and told_apart and self._right(tuple(value / reading.ratio for value in values)):
                return f", in {reading.name}"
        return None

    def _what(self, values: tuple, wanted: tuple) -> str:
        """What is wrong with numbers that no known mistake gives."""
        (value, *others), (right, *_) = values, wanted
        if others:
            count = sum(map(self._near, values, wanted))
            if self._right(values[::-1]):
                return "those are the right numbers in another order"
            return f"{count} of the {len(values)} numbers {'is' if count == 1 else 'are'} right"
        if isinstance(self.answer, int) and value != int(value):
            return f"the answer is {WHOLE} here, and {_show(value)} is none"
        if self._near(-value, right):
            return "the size is right, and the sign is not"
        return f"{_show(value)} is too {'large' if value > right else 'small'}"

    def _asked(self) -> str:
        digits = f", to {self.digits} significant digits" if self.digits else ""
        kind = "the whole number" if isinstance(self.answer, int) else "a number"
        unit = {"": kind, "share": "a share, from 0 to 1"}.get(self.unit, f"a number of {self.unit}")
        return unit + digits

    def _readings(self) -> list[Reading]:
        """Other units that may be meant; none for 0, which is 0 in all of them."""
        wanted, kind = self._wanted(self.answer), self.unit.split()[:1]
        readings = READINGS.get(kind[0] if kind else "", [])
        if isinstance(self.answer, int) and not (kind and kind[0] in READINGS):
            readings = READINGS[""] if self.answer >= 10_000 else []
        elif not kind:
            readings = []
        readings = readings + [FLOPS] * ("MACs" in self.unit)
        return readings if all(wanted) else []

    def _wanted(self, value) -> tuple:
        return value if isinstance(value, tuple) else (value,)

    def _right(self, values: tuple) -> bool:
        return all(map(self._near, values, self._wanted(self.answer)))

    def _near(self, value: float, wanted: float) -> bool:
        half = _half(wanted, self.digits) if self.digits and wanted else 0
        # Sums and quotients of floats are off by their last bits.
        return abs(value - wanted) <= max(self.tolerance, half) * (1 + 1e-9) + 1e-12 * abs(wanted)

    def _is_rounded(self, value: float, wanted: float) -> bool:
        """Whether `value` is `wanted`, rounded to fewer digits than are asked (of whole numbers 1,000 or more)."""
        whole = isinstance(wanted, int)
        if self._near(value, wanted) or not wanted or (whole and abs(wanted) < 1000):
            return self._near(value, wanted)
        return any(
            _equal((value,), (_round(value, digits),)) and abs(value - wanted) <= _half(wanted, digits) * (1 + 1e-9)
            for digits in range(1 + whole, 7)
        )

    def _plain(self, value):
        if not isinstance(value, str):
            return repr(value)
        text = re.sub(r"[-_@,=]|(?<=\d)(?=[a-z])", " ", value.casefold())
        if self.ignored:
            text = re.sub(rf"(?<![a-z])(?:{self.ignored})(?![a-z])", " ", text)
        return " ".join(re.sub(r"\d+(?:\.\d+)?", lambda number: f"{float(number[0]):g}", text).split())


def check(number: str, answer) -> None:
    """Print whether `answer` to exercise `number` ("3.2", "A.1") is right, and if not, what may have gone wrong."""
    right, words = exercise(number).judge(answer)
    mark = "✓" if right else "·" if words.startswith("Not answered yet") else "✗"
    print(textwrap.fill(f"{mark} {number}  {words}", 112, subsequent_indent="  "))


def exercise(number: str) -> Exercise:
    """The exercise called `number`; ValueError when there is none."""
    chapter = str(number).partition(".")[0]
    name = f"lesson_{int(chapter):02}" if chapter.isdecimal() else f"appendix_{chapter.lower()}"
    module = f"helpers.lessons.{name}.exercises"
    if not name.replace("_", "").isalnum() or not (LESSONS / name / "exercises.py").exists():
        raise ValueError(f"there is no exercise {number!r}: a number looks like 3.2 (lesson 3, second exercise) or A.1")
    exercises = import_module(module).EXERCISES
    if number not in exercises:
        raise ValueError(f"there is no exercise {number!r}; this lesson has {', '.join(exercises)}")
    return exercises[number]


def every_exercise() -> dict:
    """All exercises of all rooms by their numbers, those of the lessons first."""
    rooms = sorted(path.parent.name for path in LESSONS.glob("*/exercises.py"))
    rooms = sorted(rooms, key=lambda room: room.startswith("appendix"))
    return {n: one for room in rooms for n, one in import_module(f"helpers.lessons.{room}.exercises").EXERCISES.items()}


class _Unsuitable(Exception):
    """Says in a friendly sentence what kind of answer is meant."""


def _read(exercise: Exercise, answer):
    """The answer as a plain Python value of the kind that is asked; _Unsuitable otherwise.

    Tensors, arrays and NumPy numbers are taken where their shape fits: no dimension for one number, one for several.
    """
    wanted, shape = exercise.answer, getattr(answer, "shape", None)
    if shape is not None and hasattr(answer, "tolist"):
        dimensions = 1 if isinstance(wanted, (tuple, frozenset)) else 0
        if len(shape) != dimensions:
            meant = "several values in a row are" if dimensions else "one value is"
            tip = ", .item() takes it out of a tensor with one element" if math.prod(shape) == 1 else ""
            raise _Unsuitable(f"This is a {type(answer).__name__} of shape {list(shape)}; {meant} meant here{tip}.")
        answer = answer.tolist()
    if callable(answer):
        name = getattr(answer, "__name__", "it")
        raise _Unsuitable(f"This is the function {name} itself; call it with parentheses, {name}(…), to get its value.")
    if isinstance(wanted, tuple):
        if not isinstance(answer, (list, tuple)):
            raise _Unsuitable(f"Several values are meant here, written as (…, …), not {_show(answer)}.")
        if len(answer) != len(wanted):
            raise _Unsuitable(f"Meant here are {len(wanted)} numbers, in a tuple; this has {len(answer)}.")
        return tuple(_number(a, w) for a, w in zip(answer, wanted, strict=True))
    if isinstance(wanted, frozenset):
        if isinstance(answer, dict) and not answer:  # {} is what people write for an empty set
            answer = set()
        several = isinstance(answer, (set, frozenset, list, tuple))
        return frozenset(_choice(part, exercise) for part in (answer if several else [answer]))
    if isinstance(wanted, bool):
        if not isinstance(answer, bool):
            raise _Unsuitable(f"The answer is True or False here (without quotation marks), not {_show(answer)}.")
        return answer
    if isinstance(wanted, str):
        one = isinstance(answer, (set, frozenset, list, tuple)) and len(answer) == 1
        return _choice(next(iter(answer)) if one else answer, exercise)
    return _number(answer, wanted)


def _number(value, wanted) -> float:
    meant = WHOLE if isinstance(wanted, int) else NUMBER
    if hasattr(value, "tolist") and getattr(value, "shape", None) == ():
        value = value.tolist()
    if isinstance(value, bool) or not isinstance(value, (numbers.Real, Decimal)):
        kind = "text" if isinstance(value, str) else type(value).__name__
        tip = "; leave out the quotation marks and the unit" if kind == "text" else ""
        raise _Unsuitable(f"The answer is {meant} here, and this is {kind}: {_show(value)}{tip}.")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        raise _Unsuitable(f"This is not {meant} that fits here: it is far too large.") from None
    if not finite:
        raise _Unsuitable(f"This is {value}, not {meant}: somewhere a calculation divided by zero or overflowed.")
    return value if isinstance(value, int) else float(value)


def _choice(value, exercise: Exercise):
    known = {exercise._plain(option): option for option in exercise.options}
    known |= {exercise._plain(other): exercise.answer for other in exercise.also}
    if not isinstance(value, str) or exercise._plain(value) not in known:
        raise _Unsuitable(f"Your {_show(value)} is none of the choices; write it as the question does.")
    return known[exercise._plain(value)]


def _half(number: float, digits: int) -> float:
    """What rounding a number to so many significant digits changes at most: 0.5 for 614.4 and three digits."""
    place = int(f"{number:e}".partition("e")[2])
    return 0.5 * 10.0 ** (place - digits + 1)


def _round(number: float, digits: int) -> float:
    return float(f"{number:.{digits - 1}e}")


def _equal(values: tuple, others: tuple) -> bool:
    return all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) for a, b in zip(values, others, strict=True))


def _known(values: tuple, misconceptions: dict[str, tuple], closest: float) -> list[str]:
    """The words of one misconception or two that give `values`: rounded as these were typed, else within `closest`."""
    typed = [words for words, wrong in misconceptions.items() if all(map(_as_typed, values, wrong))]
    near = {words: _distance(values, wrong) for words, wrong in misconceptions.items()}
    return typed[:2] or sorted((words for words in near if near[words] <= closest), key=near.get)[:1]


def _as_typed(value: float, wrong: float) -> bool:
    """Whether `value` is `wrong` rounded to as many digits as were typed, two or more."""
    typed = len(f"{value:.12g}".partition("e")[0].replace(".", "").strip("-0"))
    return _equal((value,), (_round(wrong, max(typed, 2)),))


def _distance(values: tuple, others: tuple) -> float:
    """The largest difference of two lists of numbers, relative to the second; infinite where only that is 0."""
    return max(abs(a - b) / abs(b) if b else (0.0 if a == b else math.inf) for a, b in zip(values, others, strict=True))


def _show(value) -> str:
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(repr, value))) + "}"
    try:
        text = f"{value:.10g}" if isinstance(value, float) else reprlib.repr(value)
    except Exception:  # a whole number too long for Python to print, an object that cannot show itself
        return f"this {type(value).__name__}"
    return text if len(text) <= 40 else text[:37] + "…"
