"""Every function or class that a lesson asks for: a right one is accepted, each named mistake is met with its words."""

import pytest

from helpers.code_exercises import CodeExercise
from helpers.exercises import every_exercise

EVERY = every_exercise()
CODE = [number for number, one in EVERY.items() if isinstance(one, CodeExercise)]


@pytest.mark.parametrize("number", CODE)
def test_the_reference_is_right_and_a_body_left_empty_is_unanswered(number):
    one = EVERY[number]
    assert one.judge(one.reference) == (True, f"Right: {one.why}")
    assert len(one.why) > 20 and len(one.cases) >= 3 and one.mistakes
    assert one.judge(None)[1].startswith("Not answered yet")


@pytest.mark.parametrize("number, words", [(number, words) for number in CODE for words in EVERY[number].mistakes])
def test_each_named_mistake_is_met_with_its_own_words(number, words):
    assert EVERY[number].judge(EVERY[number].mistakes[words]) == (False, f"Not yet. {words}")
