"""What a lesson's learners type by mistake, and that `check` meets it with the words that tell this mistake.

A lesson's tests/lessons/*/test_typed_*.py holds them, written from the words and not from the room:

    SHEET = Sheet()
    typed = SHEET.typed

    @typed("2.2", "That is the variance")  # the number, and how the words begin
    def channel_std_variance(parts): ...

    @SHEET.each
    def test_what_was_typed_is_met_with_its_words(number, words, written):
        meet(number, words, written)
"""

from collections.abc import Callable

import pytest

from helpers.exercises import every_exercise

EVERY = every_exercise()


class Sheet(list):
    """(number of the exercise, the beginning of the words, what was typed), in order."""

    def typed(self, number: str, words: str) -> Callable:
        """A decorator that keeps what it stands over, and leaves it as it is."""

        def keep(written):
            self.append((number, words, written))
            return written

        return keep

    def each(self, test: Callable) -> Callable:
        """A decorator: run a test for each of what was typed so far."""
        names = [f"{number}-{written.__name__}" for number, _, written in self]
        return pytest.mark.parametrize(("number", "words", "written"), self, ids=names)(test)


def told(number: str, words: str) -> str:
    """The one sentence of an exercise's mistakes that begins so."""
    (whole,) = [one for one in EVERY[number].mistakes if one.startswith(words)]
    return whole


def meet(number: str, words: str, written: Callable) -> None:
    """Fails unless `check` says these words, and no others, to what was written."""
    said = EVERY[number].judge(written)
    assert said == (False, f"Not yet. {told(number, words)}"), said[1]
