"""A reader's hands on lesson 2's widget, on a whole lesson, and on what the other lessons' tests lean on."""

from pathlib import Path

from helpers.lessons import EXPLORERS

CELLS = ["helpers.about(", "augmentation_explorer("]  # imports and widget: all that a quick test needs


def test_augmentation_explorer(open_lesson):
    widget = open_lesson("02b", cells=CELLS).widget()
    widget.changed(lambda: widget.drag("crop: padding in px", 1))
    widget.changed(lambda: widget.drag("flip: probability", 0))
    widget.changed(lambda: widget.press("New random numbers"))
    widget.screenshot("augmentation")


def test_a_whole_lesson_runs_and_its_widget_works(open_lesson):
    widget = open_lesson("02b").widget()
    widget.changed(lambda: widget.drag("brightness: up to ±", 1))


def test_an_error_is_seen_and_the_picture_stays(open_lesson):
    """An explorer that breaks shows a red box to the reader, and keeps its last good picture."""
    widget = open_lesson("02b", cells=CELLS, extra="explorer._compute = lambda **values: 1 / 0").widget()
    picture, _ = widget.state()
    widget.drag("crop: padding in px", 1)
    widget.box.locator(".explorer-error").wait_for(timeout=20_000)
    assert "ZeroDivisionError" in widget.box.inner_text() and widget.state()[0] == picture
    widget.screenshot("error")


def test_every_explorer_is_tried():
    written = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in EXPLORERS if f"test_{name}(" not in written] == []
