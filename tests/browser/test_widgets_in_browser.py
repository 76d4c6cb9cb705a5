"""A reader on whole pages: what stands there after *Run All*, the veil, an error, the next day."""

import pytest

CELLS = ["helpers.about(", "augmentation_explorer("]  # imports and widget: all that a quick test needs


def test_an_error_is_seen_and_the_picture_stays(open_lesson):
    """An explorer that breaks shows a red box to the reader, and keeps its last good picture."""
    widget = open_lesson("02b", cells=CELLS, extra="explorer._compute = lambda **values: 1 / 0").widget()
    picture, _ = widget.state()
    widget.drag("crop: padding, px", 1)
    widget.box.locator(".explorer-error").wait_for(timeout=20_000)
    assert "ZeroDivisionError" in widget.box.inner_text() and widget.state()[0] == picture
    widget.screenshot("error")


def test_a_guess_lifts_the_veil(open_lesson):
    widget = open_lesson("04", cells=["import helpers", "explorer = spiral_explorer"]).widget()
    assert widget.words.inner_text().strip() == "Veiled until you have guessed."
    veiled, alt = widget.state()[0], widget.image.get_attribute("alt")
    assert "what share of a plane's points is lost?" in alt and "400" not in alt
    widget.screenshot("veiled")
    widget.press("Reveal")
    widget.box.get_by_text("First guess: a number.").wait_for()
    assert widget.state()[0] == veiled
    widget.guess("25")
    widget.says("of 400 points")
    assert "You guessed 25 %" in widget.box.inner_text() and widget.state()[0] != veiled
    widget.changed(lambda: widget.drag("dimensions n", 1.0))
    widget.says("0 of 400 points (0.0%) are lost in n = 60 dimensions")
    widget.screenshot("unveiled")


def test_the_next_day_the_page_says_what_to_do(open_lesson):
    """Without its kernel nothing is left of a widget; the sentence below it and the static picture are."""
    lesson = open_lesson("02b", cells=CELLS)
    page = lesson.page
    page.keyboard.press("Control+s")
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name="Shut Down Kernel", exact=True).click()
    page.wait_for_timeout(1500)
    page.reload()
    page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
    page.get_by_text("Controls dead or missing").first.wait_for(timeout=60_000)
    page.locator(".jp-RenderedImage img").first.wait_for(timeout=60_000)  # the static picture


@pytest.mark.slow
@pytest.mark.parametrize(
    "lesson, values, veiled",
    [
        ("01", {"temperature T": "1.0", "score of cat": "2.00"}, False),
        ("02b", {"crop: padding, px": "4", "flip: probability": "0.50"}, False),
        ("03", {"kernel K": "3", "channels in M": "64", "channels out N": "128", "input side, px": "56"}, True),
        ("04", {"dimensions n": "3", "of the data, d": "2", "seed": "0"}, True),
    ],
)
def test_after_run_all_the_explorer_stands_as_the_text_says(open_lesson, lesson, values, veiled):
    widget = open_lesson(lesson).widget()
    shown = widget.values()
    assert {label: shown[label] for label in values} == values
    assert ("Veiled" in widget.words.inner_text()) == veiled
