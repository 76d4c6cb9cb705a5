"""A reader's hands on the widgets: drag, choose, press; picture and text follow, and nothing below jumps."""

from pathlib import Path

import pytest

from helpers.widgets import EXPLORERS

# explorer → (lesson, what a reader does). Each act must change the picture and the text.
TRIES = {
    "augmentation": (
        "02",
        [("drag", "crop: padding in px", 1), ("drag", "flip: probability", 0), ("press", "New random numbers")],
    ),
    "softmax": ("01", [("drag", "score of dog", 0.9), ("choose", "the image shows a", "dog")]),
}


@pytest.mark.parametrize("name", TRIES)
def test_explorer(name, open_lesson):
    number, acts = TRIES[name]
    widget = open_lesson(number, cells=["helpers.about(", f"{name}_explorer("]).widget()
    for act, *arguments in acts:
        widget.changed(lambda act=act, arguments=arguments: getattr(widget, act)(*arguments))
    widget.screenshot(name)


def test_a_whole_lesson_runs_and_its_widget_works(open_lesson):
    widget = open_lesson("02").widget()
    widget.changed(lambda: widget.drag("brightness: up to ±", 1))


def test_an_error_is_seen_and_the_picture_stays(open_lesson):
    """An explorer that breaks shows a red box to the reader, and keeps its last good picture."""
    broken = "explorer._compute = lambda **values: 1 / 0"
    widget = open_lesson("02", cells=["helpers.about(", "augmentation_explorer("], extra=broken).widget()
    picture, _ = widget.state()
    widget.drag("crop: padding in px", 1)
    widget.box.locator(".explorer-error").wait_for(timeout=20_000)
    assert "ZeroDivisionError" in widget.box.inner_text() and widget.state()[0] == picture
    widget.screenshot("error")


def test_every_explorer_is_tried():
    written = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert not [name for name in EXPLORERS if name not in written and name.removesuffix("_explorer") not in TRIES]
