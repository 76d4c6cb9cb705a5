"""Every exercise takes its right answer, refuses the rest, and meets each misconception with its own words."""

import math
import re

import numpy as np
import pytest
import torch

from helpers import exercises as checks
from helpers.exercises import Exercise, check, every_exercise, exercise

FILES = sorted(path.parent.name for path in checks.LESSONS.glob("*/exercises.py"))
EVERY = every_exercise()
NUMBERS = [number for number, one in EVERY.items() if isinstance(one, Exercise)]


@pytest.fixture(params=NUMBERS)
def number(request):
    return request.param


def test_every_number_belongs_to_its_file():
    assert len(FILES) >= 11
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


class NoRepr:
    def __repr__(self):
        raise RuntimeError


NUMERIC = [number for number in NUMBERS if type(EVERY[number].answer) in (int, float)]
# What else counts as right: {first word of the unit: factors}; a count is a whole number of 10,000 or more.
ALSO_RIGHT = {"share": (100,), "MB": (1e6, 1e3, 1e-3), "M": (1e6, 1e-3), "s": (1e3, 1e6), "ms": (1e-3, 1e3)}
ONES = (1e-3, 1e-6, 1e-9)


def factors(one) -> tuple:
    unit = one.unit.partition(" ")[0]
    if unit in ALSO_RIGHT:
        return ALSO_RIGHT[unit]
    return ONES if type(one.answer) is int and one.answer >= 10_000 and unit not in ("%", "points") else ()


def is_right(one, value: float) -> bool:
    """By the rules alone: within the tolerance, or the same in the digits asked, in the unit asked or one as good."""
    for factor in (1, *factors(one)):
        other = value / factor
        width = max(one.tolerance, 1e-9 * abs(one.answer))
        if one.digits and one.answer:
            width = max(width, 0.5 * 10 ** (math.floor(math.log10(abs(one.answer))) + 1 - one.digits))
        # A share of 0.4 % is 0.004: typed as 0.4 it could be a share, too.
        if abs(other - one.answer) <= width * (1 + 1e-6) and not (factor == 100 and abs(value) <= 1):
            return True
    return False


@pytest.mark.parametrize("number", NUMERIC)
def test_the_answer_as_people_type_it(number):
    """Rounded, in per cent, in millions, doubled, off by a little: right where the rules say so, never an exception."""
    one, a = EVERY[number], EVERY[number].answer
    rounded = [float(f"{a:.{digits}g}") for digits in (1, 2, 3, 4, 5)]
    scaled = [a * factor for factor in (100, 0.01, 1e3, 1e6, 1e9, 1e-3, 1e-6, 1e-9, 2, 0.5, 8, 1e6 / 2**20, -1)]
    near = [a * 1.02, a * 0.98, a * 1.004, a + 1, a - 1, a + one.tolerance, 0]
    read = [float(f"{value:.{digits}g}") for value in scaled for digits in (2, 3)]
    for value in (*rounded, *scaled, *near, *read):
        for dressed in (value, float(value), np.float64(value), torch.tensor(float(value), dtype=torch.float64)):
            right, words = one.judge(dressed)
            assert right == is_right(one, float(value)), (value, one.answer, words)
            assert words[-1] in ".!?;)" or right, words
    if one.digits:
        assert one.judge(float(f"{a:.{one.digits}g}"))[0] and one.judge(float(f"{a:.{one.digits + 2}g}"))[0]


@pytest.mark.parametrize("number", NUMERIC)
def test_the_right_answer_rounded_is_never_called_too_large_or_too_small(number):
    one = EVERY[number]
    for digits in (2, 3):
        value = float(f"{one.answer:.{digits}g}")
        if isinstance(one.answer, float) or one.answer >= 1000:
            right, words = one.judge(value)
            known = any(math.isclose(value, wrong) for wrong in one.misconceptions.values())
            assert right or known or "rounded too far" in words, words


@pytest.mark.parametrize("number", NUMBERS)
def test_whatever_is_typed_there_is_an_answer_and_no_exception(number):
    one = EVERY[number]
    a = one.answer
    things = [
        None,
        ...,
        [],
        {},
        (),
        set(),
        "",
        str(a),
        repr(a),
        f"{a} %",
        b"",
        [a],
        {"a": a},
        True,
        10**400,
        -(10**5000),
    ]
    things += [[10**5000], NoRepr()]
    things += [float("nan"), np.nan, torch.tensor([]), torch.zeros(2), np.array("x"), torch.ones(1, 1), print, type, re]
    things += [1 + 1j, range(3), (None,), [[1]], {None}, {1, "a"}, "MACs", ["crop", 3], Exercise, iter([]), Ellipsis]
    for thing in things:
        right, words = one.judge(thing)
        assert isinstance(right, bool) and len(words) > 10
        assert not right or thing in (a, [a], str(a)) or (thing == "MACs" and a == {"MACs"}), (thing, words)


def test_no_refusal_gives_the_answer_away(number):
    one = exercise(number)
    refusals = [f"{words}" for words in one.misconceptions] + [one.hint, one.judge(None)[1], one.judge(math.nan)[1]]
    if not isinstance(one.answer, (bool, str, frozenset)):
        refusals.append(
            one.judge(type(one.answer)([-98765] * len(one.answer)) if isinstance(one.answer, tuple) else -98765)[1]
        )
    if isinstance(one.answer, (str, frozenset)):
        refusals += [one.judge(other)[1] for other in ("forty-two", set(), 3)]
    width = one.tolerance
    if one.digits and one.answer and isinstance(one.answer, (int, float)):
        width = max(width, 0.5 * 10 ** (math.floor(math.log10(abs(one.answer))) + 1 - one.digits))
    for words in refusals:
        assert not gives_away(one.answer, width, words), words


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


MEMORY = Exercise(614.4, "images × values × bytes", {"One byte a value.": 153.6}, unit="MB", digits=3)
COUNT = Exercise(10_838_016, "kernels × positions", {"One channel.": 3_612_672, "Near.": 10_850_000}, unit="MACs")
CHANCE = Exercise(
    22 / 1024, "both directions count", {"One only.": 11 / 1024, "Exactly 9.": 20 / 1024}, unit="share", digits=2
)
RARE = Exercise(0.004, "one of 250", {"One of 500.": 0.002}, unit="share", digits=1)
LEFT = Exercise(0.7788, "e to minus a quarter", {"No momentum.": 0.9753, "4e-5.": 0.9802}, digits=2)
NOTHING = Exercise(0.0, "nothing is left of it", {"All.": 1.0}, tolerance=0.01, unit="MB")
TRIPLE = Exercise((1, 2, 3), "one after the other", {"All alike.": (1, 1, 1)})
POINTS = Exercise(1.62, "a mean of means", {"The mean.": 81.82}, unit="points", digits=2)
NETWORK = Exercise(
    "V3-Small 0.75 at 224",
    "44M MACs",
    {"Too large.": "V2 0.5 at 160"},
    ignored="α|at|px|pixels?|224",
    also=("the third",),
)


RIGHT = [
    (MEMORY, [614.4, 614, 614.0, 614_400_000, 614e6, 0.6144, 0.614, 614_400]),
    (COUNT, [10_838_016, 10.838016, 10838.016, 0.010838016]),
    (CHANCE, [0.021, 0.0215, 0.02148, 2.1, 2.15, 2.1484]),
    (LEFT, [0.78, 0.779, 0.7788]),
    (POINTS, [1.6, 1.62]),
    (NETWORK, ["V3-Small α 0.75 at 224 px", "v3 small 0.75", "V3-Small 0.750 224px", "The Third", {"V3-Small 0.75"}]),
    (WHOLE, [288, 288.0, torch.tensor(288), np.int64(288)]),
    (SHARE, [0.2549, np.float32(0.25)]),
    (WORD, ["  After the  SPLIT "]),
    (YES, [True, np.bool_(True)]),
    (PAIR, [[32, 16], torch.Size([32, 16]), torch.tensor([32, 16]), (np.int64(32), torch.tensor(16))]),
    (SOME, [{"flip", "crop"}, ["Crop", "flip"]]),
]
WRONG = [
    (MEMORY, 585.9375, "that is in MiB, units of 2²⁰ bytes"),
    (MEMORY, 4915.2, "megabits"),
    (MEMORY, 146.48, "that is in MiB, units of 2²⁰ bytes (a MB is 10⁶ bytes), and besides: One byte a value."),
    (MEMORY, 154, "One byte a value."),
    (MEMORY, 610, "rounded too far to tell right from wrong; 3 significant digits are asked"),
    (COUNT, 21_676_032, "FLOPs (one MAC is two of them)"),
    (COUNT, 10.8, "that is in millions, rounded too far; asked is a number of MACs"),
    (COUNT, 10_800_000, "rounded too far to tell right from wrong; the exact number is asked"),
    (COUNT, 3.613, "that is in millions, and besides: One channel."),
    (COUNT, 3.7, "the answer is one whole number here, and 3.7 is none"),
    (COUNT, 3_610_000, "One channel."),
    (COUNT, 10_838_017, "10838017 is too large"),
    (COUNT, 10_849_000, "Near."),
    (CHANCE, 0.02, "rounded too far"),
    (CHANCE, 0.0107, "One only."),
    (CHANCE, 1.07, "that is in per cent, and besides: One only."),
    (CHANCE, 0.0195, "Exactly 9."),
    (CHANCE, -0.0215, "the size is right, and the sign is not"),
    (RARE, 0.4, "that is in per cent; asked is a share, from 0 to 1"),
    (LEFT, 0.98, "No momentum. Or: 4e-5."),
    (LEFT, 0.975, "Not yet. No momentum."),
    (LEFT, 0.9805, "Not yet. 4e-5."),
    (LEFT, 0.8, "rounded too far"),
    (LEFT, 1, "1 is too large"),
    (NOTHING, 5, "5 is too large"),
    (TRIPLE, (3, 2, 1), "those are the right numbers in another order"),
    (TRIPLE, (1, 2, 4), "2 of the 3 numbers are right"),
    (WHOLE, ..., "Not answered yet"),
    (POINTS, 0.0162, "parts of 1 (percentage points are asked)"),
    (POINTS, 0, "0 is too small"),
    (NETWORK, "V2 α 0.5 at 160 px", "Too large."),
    (NETWORK, "V2 0.5", "none of the choices; write it as the question does"),
    (WHOLE, 10**400, "far too large"),
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
    (PAIR, (16.0, 31), "0 of the 2 numbers are right"),
    (PAIR, (32,), "Meant here are 2 numbers, in a tuple; this has 1"),
    (PAIR, (32, 15), "1 of the 2 numbers is right"),
    (PAIR, (32, math.nan), "nan"),
    (SOME, {"crop", "cutout"}, "{'crop', 'cutout'} is not it"),
    (SOME, "crop", "{'crop'} is right as far as it goes, and something is missing"),
    (SOME, "flip", "Only half."),
    (SOME, {"crop", "flip", "cutout"}, "all that belongs there, and something that does not"),
    (SOME, {"a": 1}, "none of the choices"),
    (SOME, "", "none of the choices"),
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
    with pytest.raises(ValueError, match="counts as right, perhaps in another unit; it can't be: In per cent"):
        Exercise(0.25, "", {"In per cent.": 25}, unit="share", digits=2)
    with pytest.raises(ValueError, match="counts as right"):
        Exercise("a", "", {"Not a.": "a"})


def test_the_guard_against_giving_away_works():
    assert gives_away(288, 0, "it is 288, of course") and not gives_away(288, 0, "it is not 2880")
    assert gives_away("flip", 0, "Flip it") and gives_away("b", 0, "it is 'b'") and not gives_away("b", 0, "a bee")
    assert gives_away((32, 16), 0, "the shape (32, 16)")
