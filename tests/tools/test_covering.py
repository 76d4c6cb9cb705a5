"""What a learner's copy covers: claims and descriptions, found by the syntax and taken out to the letter."""

import pytest

from helpers.tools import covering

LONG = "Blätter fallen, und jedes von ihnen fällt ein wenig anders als das davor."
CLAIMED = """a = 1  # größer
helpers.claim(a > 0, "it is positive")
for b in range(3):
    helpers.claim(b < 3, "stays: it is inside a loop")
helpers.claim(
    a < 2,
    "and small",
)
print(a)"""


def test_claims_are_parted_from_the_code():
    code, claims = covering.without_claims(CLAIMED)
    assert (
        code
        == """a = 1  # größer
for b in range(3):
    helpers.claim(b < 3, "stays: it is inside a loop")
print(a)"""
    )
    assert (
        claims
        == """helpers.claim(a > 0, "it is positive")
helpers.claim(
    a < 2,
    "and small",
)"""
    )


@pytest.mark.parametrize("source", ["print(1)", "%matplotlib inline\nhelpers.claim(1, 'x')", "def f(:", ""])
def test_other_code_stays_as_it_is(source):
    assert covering.without_claims(source) == (source, "")
    assert covering.without_description(source) == source and not covering.describes(source)


@pytest.mark.parametrize(
    "source, left",
    [
        (f'plots.show(figure, "{LONG}")', 'plots.show(figure, "…")'),
        (f'alt = "{LONG}"\nplots.show(figure, alt)', 'alt = "…"\nplots.show(figure, alt)'),
        (f'x = 1\nplots.show(\n    figure,\n    "{LONG[:40]}, "\n    f"{LONG[40:]} {{x}}",\n)\ny = 2',
         'x = 1\nplots.show(\n    figure,\n    "…",\n)\ny = 2'),
        (f'plots.show(draw("ä"), "{LONG}")\nplots.show(b, "{LONG}")', 'plots.show(draw("ä"), "…")\nplots.show(b, "…")'),
    ],
)  # fmt: skip
def test_descriptions_are_replaced(source, left):
    assert covering.without_description(source) == left and covering.describes(source)


def test_titles_printed_words_and_docstrings_stay():
    source = f'def f():\n    """{LONG}"""\nprint("{LONG}")\nprint(f"{LONG} {{1}}")\ndraw("k nearest neighbours")'
    assert covering.without_description(source) == source and not covering.describes(source)


def test_alternative_texts_that_a_function_makes_stay():
    source = "plots.show(*drawings.worth(known))\nplots.show(explorer.figure(), explorer.alt)"
    assert covering.without_description(source) == source and not covering.describes(source)
