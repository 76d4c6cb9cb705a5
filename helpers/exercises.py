"""Is my answer right, and if not, what did I misunderstand?

A lesson's exercises stand in the `exercises.py` of its room, helpers/lessons/; those with an answer to type as

    EXERCISES = {"3.2": Exercise(0.0478, "1/N + 1/K², and the channels in have cancelled", unit="share", digits=3,
                                 misconceptions={"Upside down: the fraction that is left is asked.": 20.9})}

and those with a function or a class to write as (`from helpers.code_exercises import Case, CodeExercise, draw, fill`)

    def softmax(scores): return torch.softmax(scores, -1)                                      # a right one
    CASES = (Case("for three scores", draw(3)), Case("for large scores", 1000 * draw(3)))      # words, then the inputs
    EXERCISES["1.6"] = CodeExercise("softmax", CASES, softmax, "the probabilities sum to 1 for scores of any size",
                                    {"You divided the scores themselves.": lambda scores: scores / scores.sum()})
    # a class: Case("with stride 2", draw(1, 8, 6, 6), use=lambda Block, x: fill(Block(8, 16, 2)).eval()(x))
    # many right results: Case("for an image", image, holds=lambda crop: None if fits(crop) else "is no part of it")

`python -m pytest tests/core/test_exercises.py` tries each: the reference is right, an empty body is "not answered yet",
and each wrong implementation is met with its own words.
"""

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

LESSONS = Path(__file__).parent / "lessons"
NUMBER, WHOLE = "a number", "one whole number"


@dataclass(frozen=True)
class Exercise:
    """A right answer, why it is right, and what known misunderstandings give instead: {what to say: value}.

    The type of `answer` says what is asked: int (a whole number), float (within ±`tolerance`), bool, str (a choice;
    capitals and spaces do not matter), tuple (numbers in this order, each within ±`tolerance`) or frozenset (choices in
    any order). `choices` adds to the options of answer and misconceptions. `hint` follows any other wrong answer.
    """

    answer: object
    why: str
    misconceptions: Mapping[str, object] = field(default_factory=dict)
    tolerance: float = 0.0
    choices: tuple = ()
    hint: str = ""
    unit: str = ""
    digits: int | None = None

    def __post_init__(self):
        if not isinstance(self.answer, (bool, int, float, str, tuple, frozenset)):
            kind = type(self.answer).__name__
            raise TypeError(f"an answer is an int, float, bool, str, tuple or frozenset, not {kind}")
        numbers = self.answer if isinstance(self.answer, tuple) else (self.answer,)
        if any(type(number) is float for number in numbers) and not (self.tolerance > 0 or self.digits):
            raise ValueError(f"the answer {self.answer} needs a tolerance above 0: nobody hits a float exactly")

    @property
    def options(self) -> list:
        """What can be chosen from, in an order that gives nothing away."""
        values = [self.answer, *self.misconceptions.values()]
        parts = [part for value in values for part in (value if isinstance(value, frozenset) else (value,))]
        return sorted({_plain(part): part for part in (*parts, *self.choices)}.values(), key=str)

    def judge(self, answer) -> tuple[bool, str]:
        """(is it right, what to tell the reader)."""
        if answer is None:
            return False, "Not answered yet: put your answer in place of None and run the cell again."
        try:
            value = _read(self, answer)
        except _Unsuitable as problem:
            return False, str(problem)
        if self.same(value, self.answer):
            return True, f"Right: {self.why}"
        for words, wrong in self.misconceptions.items():
            if self.same(value, wrong):
                return False, f"Not yet. {words}"
        if isinstance(self.answer, tuple):
            right = sum(map(self._near, value, self.answer))
            what = f"{right} of the {len(value)} numbers {'is' if right == 1 else 'are'} right"
        elif isinstance(self.answer, (bool, str, frozenset)):
            what = f"{_show(value)} is not it"
        else:
            what = f"{_show(value)} is too {'large' if value > self.answer else 'small'}"
        return False, f"Not yet: {what}. {self.hint}".rstrip()

    def same(self, a, b) -> bool:
        """Whether two suitable values count as equal."""
        if isinstance(self.answer, tuple):
            return len(a) == len(b) and all(map(self._near, a, b))
        if isinstance(self.answer, frozenset):
            return {_plain(part) for part in a} == {_plain(part) for part in b}
        if isinstance(self.answer, (bool, str)):
            return _plain(a) == _plain(b)
        return self._near(a, b)

    def _near(self, a: float, b: float) -> bool:
        return abs(a - b) <= self.tolerance * (1 + 1e-9)


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
            meant = f"{len(wanted)} values in a row are" if dimensions else "one value is"
            tip = ", .item() takes it out of a tensor with one element" if math.prod(shape) == 1 else ""
            raise _Unsuitable(f"This is a {type(answer).__name__} of shape {list(shape)}; {meant} meant here{tip}.")
        answer = answer.tolist()
    if callable(answer):
        name = getattr(answer, "__name__", "it")
        raise _Unsuitable(f"This is the function {name} itself; call it with parentheses, {name}(…), to get its value.")
    if isinstance(wanted, tuple):
        answer = _several(answer, list, tuple)
        if len(answer) != len(wanted):
            raise _Unsuitable(f"Meant here are {len(wanted)} numbers, in a tuple; this has {len(answer)}.")
        return tuple(_number(a, w) for a, w in zip(answer, wanted, strict=True))
    if isinstance(wanted, frozenset):
        return frozenset(_choice(part, exercise) for part in _several(answer, set, frozenset, list, tuple))
    if isinstance(wanted, bool):
        if not isinstance(answer, bool):
            raise _Unsuitable(f"The answer is True or False here (without quotation marks), not {_show(answer)}.")
        return answer
    return _choice(answer, exercise) if isinstance(wanted, str) else _number(answer, wanted)


def _several(answer, *kinds):
    if not isinstance(answer, kinds):
        example = "{…, …}" if set in kinds else "(…, …)"
        raise _Unsuitable(f"Several values are meant here, written as {example}, not {_show(answer)}.")
    return answer


def _number(value, wanted):
    meant = WHOLE if isinstance(wanted, int) else NUMBER
    if hasattr(value, "tolist") and getattr(value, "shape", None) == ():
        value = value.tolist()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        kind = "text" if isinstance(value, str) else type(value).__name__
        tip = "; leave out the quotation marks and the unit" if kind == "text" else ""
        raise _Unsuitable(f"The answer is {meant} here, and this is {kind}: {_show(value)}{tip}.")
    if not math.isfinite(value):
        raise _Unsuitable(f"This is {value}, not {meant}: somewhere a calculation divided by zero or overflowed.")
    if isinstance(wanted, int) and value != int(value):
        raise _Unsuitable(f"The answer is {meant} here, and {_show(value)} is none.")
    return value


def _choice(value, exercise: Exercise):
    known = {_plain(option): option for option in exercise.options}
    if isinstance(value, bool) or _plain(value) not in known:
        options = ", ".join(repr(option) for option in exercise.options)
        raise _Unsuitable(f"Your {_show(value)} is none of the choices. Choose from {options}.")
    return known[_plain(value)]


def _plain(value):
    if isinstance(value, str):
        return " ".join(value.casefold().split())
    return value if isinstance(value, (int, float)) else repr(value)


def _show(value) -> str:
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(repr, value))) + "}"
    text = repr(value) if not isinstance(value, (int, float)) or isinstance(value, bool) else f"{value:.10g}"
    return text if len(text) <= 40 else text[:37] + "…"
