"""Every exercise takes its right answer, refuses the rest, and meets each misconception with its own words."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers import exercises as checks
from helpers.exercises import Exercise, check, every_exercise, exercise

FILES = sorted(path.parent.name for path in Path(checks.__file__).parent.glob("lessons/*/exercises.py"))
EVERY = every_exercise()
NUMBERS = [number for number, one in EVERY.items() if isinstance(one, Exercise)]


@pytest.fixture(params=NUMBERS)
def number(request):
    return request.param


def test_every_number_belongs_to_its_file():
    for name in FILES:
        kind, _, chapter = name.partition("_")
        chapter = chapter.upper() if kind == "appendix" else str(int(chapter))
        numbers = list(checks.import_module(f"helpers.lessons.{name}.exercises").EXERCISES)
        assert numbers == [f"{chapter}.{count}" for count in range(1, len(numbers) + 1)]


def test_right_answer_is_accepted_with_its_reason(number):
    right, words = exercise(number).judge(exercise(number).answer)
    assert right and exercise(number).why in words and len(exercise(number).why) > 20


def test_each_misconception_is_met_with_its_own_words(number):
    one = exercise(number)
    assert one.misconceptions, "an exercise knows at least one likely mistake"
    for words, value in one.misconceptions.items():
        assert one.judge(value) == (False, f"Not yet. {words}")


def test_a_misconception_rounded_to_three_digits_is_met_too_or_said_to_be_rounded(number):
    one = exercise(number)
    for words, value in one.misconceptions.items():
        if type(value) is float and value:
            right, said = one.judge(float(f"{value:.3g}"))
            assert not right and (words in said or "rounded too far" in said), (value, said)


def test_none_wrong_types_and_impossible_numbers_are_refused_in_a_sentence(number):
    for bad in (
        None,
        object(),
        {},
        len,
        math.nan,
        math.inf,
        torch.rand(2, 3),
        np.zeros((4, 4)),
        "forty-two",
        b"7",
        2j,
        [None],
    ):
        right, words = exercise(number).judge(bad)
        assert not right and words[0].isupper() and words[-1] in ".!?", (bad, words)
    assert "Not answered yet" in exercise(number).judge(None)[1]


def test_no_refusal_gives_the_answer_away(number):
    one = exercise(number)
    refusals = [f"{words}" for words in one.misconceptions] + [one.hint, one.judge(None)[1], one.judge(math.nan)[1]]
    if not isinstance(one.answer, (bool, str, frozenset)):
        refusals.append(
            one.judge(type(one.answer)([-98765] * len(one.answer)) if isinstance(one.answer, tuple) else -98765)[1]
        )
    if isinstance(one.answer, (str, frozenset)):
        refusals += [one.judge(other)[1] for other in ("forty-two", set(), 3)]
    for words in refusals:
        assert not gives_away(one.answer, one.tolerance, words), words


def gives_away(answer, tolerance, words) -> bool:
    if isinstance(answer, str):  # a choice of one letter ("b") is looked for in quotation marks only
        letter = len(answer) == 1
        return bool(
            re.search(rf"['\"“]{answer}['\"”]" if letter else rf"\b{re.escape(answer)}\b", words, 0 if letter else re.I)
        )
    if isinstance(answer, float) or (type(answer) is int and abs(answer) > 9):
        found = [float(text.replace(",", "")) for text in re.findall(r"\d[\d,]*(?:\.\d+)?", words)]
        return any(abs(value - abs(answer)) <= tolerance for value in found)
    return isinstance(answer, tuple) and repr(answer)[1:-1] in words


# The mechanism itself, on exercises of our own.
WHOLE = Exercise(288, "each of the 32 channels has its own kernel", {"One kernel for all.": 9}, hint="Count again.")
SHARE = Exercise(0.25, "a quarter of them is kept by the split", {"In per cent.": 25.0}, tolerance=0.005)
WORD = Exercise(
    "after the split", "the copies stay on one side", {"Then copies leak.": "before the split"}, choices=("never",)
)
YES = Exercise(True, "the mean does not depend on the order", {"It does not.": False})
PAIR = Exercise((32, 16), "stride 2 halves the size", {"Height and width swapped.": (16, 32)})
SOME = Exercise(
    frozenset({"crop", "flip"}), "both keep the class", {"Only half.": frozenset({"flip"})}, choices=("cutout",)
)


RIGHT = [
    (WHOLE, [288, 288.0, torch.tensor(288), np.int64(288)]),
    (SHARE, [0.2549, np.float32(0.25)]),
    (WORD, ["  After the  SPLIT "]),
    (YES, [True, np.bool_(True)]),
    (PAIR, [[32, 16], torch.Size([32, 16]), torch.tensor([32, 16]), (np.int64(32), torch.tensor(16))]),
    (SOME, [{"flip", "crop"}, ["Crop", "flip"]]),
]
WRONG = [
    (WHOLE, 287, "287 is too small. Count again."),
    (WHOLE, 1e9, "too large"),
    (WHOLE, 288.4, "288.4 is none"),
    (WHOLE, True, "one whole number here, and this is bool"),
    (WHOLE, "288", "leave out the quotation marks"),
    (WHOLE, torch.tensor([288]), "shape [1]; one value is meant here, .item()"),
    (WHOLE, torch.ones(2, 2), "shape [2, 2]"),
    (WHOLE, math.nan, "nan, not one whole number"),
    (WHOLE, -math.inf, "-inf"),
    (WHOLE, len, "the function len itself"),
    (WHOLE, (288,), "this is tuple"),
    (SHARE, 0.2551, "too large"),
    (SHARE, 25, "Not yet. In per cent."),
    (WORD, "sometimes", "none of the choices; write it as the question does"),
    (WORD, "NEVER", "'never' is not it"),
    (WORD, 3, "none of the choices"),
    (YES, 1, "True or False"),
    (YES, "True", "True or False"),
    (PAIR, 32, "Several values"),
    (PAIR, "32, 16", "Several values"),
    (PAIR, (32,), "Meant here are 2 numbers, in a tuple; this has 1"),
    (PAIR, (32, 15), "1 of the 2 numbers is right"),
    (PAIR, (32, math.nan), "nan"),
    (SOME, {"crop", "cutout"}, "{'crop', 'cutout'} is not it"),
    (SOME, "crop", "{'crop'} is right as far as it goes, and something is missing"),
    (SOME, "flip", "Only half."),
    (SOME, {"crop", "flip", "cutout"}, "all that belongs there, and something that does not"),
    (SOME, {}, "none of them; at least one is meant"),
    (SOME, set(), "none of them; at least one is meant"),
    (SOME, {"blur"}, "none of the choices"),
]


@pytest.mark.parametrize("one, answer", [(one, answer) for one, answers in RIGHT for answer in answers])
def test_the_right_answer_in_other_clothes(one, answer):
    assert one.judge(answer)[0]


@pytest.mark.parametrize("one, answer, words", WRONG)
def test_wrong_answers_get_a_sentence_that_helps(one, answer, words):
    right, said = one.judge(answer)
    assert not right and words in said


def test_check_prints_two_short_lines_at_most_and_returns_nothing(capsys, monkeypatch):
    monkeypatch.setattr(checks, "exercise", lambda number: WHOLE)
    assert check("3.2", None) is check("3.2", 288) is check("3.2", 9) is None
    unanswered, right, wrong = capsys.readouterr().out.splitlines()
    assert unanswered.startswith("· 3.2  Not answered yet") and right.startswith("✓ 3.2  Right: each of")
    assert wrong == "✗ 3.2  Not yet. One kernel for all."


@pytest.mark.parametrize("number", ["99.1", "A.99", "zzz", "", "2.99", "../2.1"])
def test_an_exercise_that_does_not_exist_is_named(number):
    with pytest.raises(ValueError, match="there is no exercise"):
        exercise(number)


def test_careless_declarations_are_refused():
    with pytest.raises(ValueError, match="tolerance"):
        Exercise(0.25, "")
    with pytest.raises(TypeError, match="list"):
        Exercise([1, 2], "")


def test_the_guard_against_giving_away_works():
    assert gives_away(288, 0, "it is 288, of course") and not gives_away(288, 0, "it is not 2880")
    assert gives_away("flip", 0, "Flip it") and gives_away("b", 0, "it is 'b'") and not gives_away("b", 0, "a bee")
    assert gives_away((32, 16), 0, "the shape (32, 16)")
