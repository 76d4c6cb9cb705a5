"""Each mistake that a room has words for is typed a second time, in tests/lessons/*/test_typed_*.py.

The rooms hold a wrong implementation for each of their words, and tests/core/test_code_exercises.py meets each with its
own words; whether it makes the mistake that its words tell is held by those files alone.
"""

from collections import Counter
from importlib import import_module

import pytest

from helpers import ROOT
from tests.typed import EVERY, told

FILES = sorted((ROOT / "tests" / "lessons").glob("*/test_typed_*.py"))
SHEETS = {path.parent.name: import_module(f"tests.lessons.{path.parent.name}.{path.stem}").SHEET for path in FILES}
CODE = {number: one for number, one in EVERY.items() if hasattr(one, "mistakes")}


def test_each_mistake_is_typed_as_often_as_its_room_makes_it():
    typed = Counter((number, told(number, words)) for sheet in SHEETS.values() for number, words, _ in sheet)
    made = Counter((number, words) for number, one in CODE.items() for words, _ in one.wrong_ones)
    missing = [mistake for mistake, count in made.items() if typed[mistake] < count]
    assert not missing, missing


@pytest.mark.parametrize("room", SHEETS)
def test_a_sheet_keeps_to_its_lesson(room):
    chapter = {number.partition(".")[0] for number, _, _ in SHEETS[room]}
    assert len(chapter) == 1 and room in (f"lesson_{min(chapter):0>2}", f"appendix_{min(chapter).lower()}")
