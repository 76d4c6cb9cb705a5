"""A reader's hands on the three explorers of lesson 05: compare, staircase, race."""

import io
import re

import numpy as np
import pytest
from PIL import Image

SCREEN = {"width": 1280, "height": 720}  # a small laptop, or a projector
COMPARE = ["import helpers", "explorer = mobilenet_explorer(veiled=True)"]
RACE = ["import helpers", "zoo = read_results", "explorer = race_explorer("]


@pytest.fixture
def fits():
    def check(widget) -> None:
        """Controls, picture and words stand on a small screen together; nothing is cut off or scrolls inside."""
        widget.page.set_viewport_size(SCREEN)
        widget.box.evaluate("box => box.scrollIntoView({block: 'start'})")
        widget.page.wait_for_timeout(400)
        page = widget.page.locator(".jp-NotebookPanel-notebook").first.bounding_box()
        box, picture = widget.box.bounding_box(), widget.image.bounding_box()
        assert box["height"] <= page["height"], f"{box['height']:.0f} px high, {page['height']:.0f} px are there"
        natural = widget.image.evaluate("image => image.naturalWidth / image.naturalHeight")
        assert picture["width"] / picture["height"] == pytest.approx(natural, rel=0.01), "the picture is squashed"
        hidden = widget.box.evaluate(
            "box => [...box.querySelectorAll('.explorer-words, .explorer-words *, .explorer-controls, .explorer-body')]"
            ".filter(e => e.scrollWidth > e.clientWidth + 2 && getComputedStyle(e).display != 'inline')"
            ".map(e => e.className + ': ' + e.textContent.slice(0, 60))"
        )
        assert not hidden, f"wider than its place: {hidden}"

    return check


def test_mobilenet_explorer(open_lesson, fits):
    widget = open_lesson("05b", cells=COMPARE).widget()
    assert "61.0" not in widget.box.inner_text() and "61.0" not in widget.image.get_attribute("alt")
    fits(widget)
    widget.guess("V2 α 0.35 at 224 px")
    widget.says("-0.7 points")
    assert "it is V2 α 0.5 at 160 px" in widget.box.inner_text()
    widget.drag("width α", 0.5)
    widget.says("2.64M")
    widget.changed(lambda: widget.press("Keep B as A"))
    widget.drag("width α", 0.33)
    widget.says("× 0.667")
    widget.press("Time B here")
    widget.says("Timed: V2 α 0.5 at 224 px")
    widget.press("Time all widths")
    widget.says("Timed: 7 widths of V2 at 224 px", within=120)
    assert widget.words.locator("table.times").first.locator("td").count() == 4 * 7
    fits(widget)
    widget.screenshot("mobilenet")
    widget.choose("family", "our V2: CIFAR-10")
    widget.says("other images")
    widget.says("data/results/zoo.csv")
    widget.drag("budget: MACs", 0.0)
    widget.says("B does not fit")
    fits(widget)


def test_the_widest_times_fit(open_lesson, fits):
    """Three digits each and unsteady, as on a slow machine that has something else to do."""
    slow = "import helpers.lessons.lesson_05.explorer_mobilenet as its\nfrom helpers.latency import Timing\n"
    slow += "its.measure = lambda *_, **__: Timing(0.0888, 0.0588, 0.0999, 5, 1, 1, None)"
    widget = open_lesson("05b", cells=COMPARE, extra=slow).widget()
    widget.guess("V2 α 0.5 at 160 px")
    widget.press("Time all widths")
    widget.says("Timed: 7 widths of V2 at 224 px", within=60)
    assert widget.words.locator("table.times td").all_text_contents().count("88.8⚠") == 7
    widget.screenshot("slow")
    fits(widget)
    widget.press("Keep B as A")
    widget.choose("family", "our V2: CIFAR-10")
    widget.press("Time B here")
    widget.says("Timed: our V2")
    fits(widget)


def test_a_time_belongs_to_the_choice_it_was_started_for(open_lesson):
    widget = open_lesson("05b", cells=COMPARE).widget()
    widget.guess("V2 α 0.5 at 160 px")
    widget.says("not yet")
    widget.press("Time B here")
    widget.drag("width α", 1.0)  # at once, while it measures
    widget.says("Timed: V2 α 0.35 at 224 px")
    widget.says("1.4")
    assert widget.words.locator("table.times tr").first.locator("td").all_inner_texts() == ["0.35"]


def test_staircase_explorer(open_lesson, fits):
    widget = open_lesson("05_", cells=["import helpers", "explorer = staircase_explorer(veiled=True)"]).widget()
    assert "MACs (" not in widget.box.inner_text()
    widget.guess("a straight line")
    widget.says("300.8M MACs (")
    assert "it is a staircase" in widget.box.inner_text()
    fits(widget)
    widget.drag("width α", 0.0)
    widget.says("α = 0.2:")
    widget.changed(lambda: widget.press("weights"))
    handle = widget.control("width α").locator(".noUi-handle")
    handle.focus()
    for _ in range(5):
        handle.press("ArrowRight")
    widget.says("α = 0.25: 1.5M weights (43.3% of α = 1, 6.93 times α²)")
    widget.screenshot("staircase")


def picture_file(kind: str, size: tuple[int, int] = (640, 480), noise: bool = False) -> bytes:
    pixels = np.full((size[1], size[0], 3), 90, np.uint8)
    if noise:
        pixels = np.random.default_rng(0).integers(0, 256, pixels.shape, np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def test_race_explorer(open_lesson, fits):
    widget = open_lesson("05b", cells=RACE).widget()
    fits(widget)
    assert " ms" not in widget.words.inner_text()
    widget.guess("8")
    widget.says("in “only the narrowest is wrong”")
    fits(widget)
    widget.changed(lambda: widget.press("next"))
    widget.says("(2 of ")
    widget.changed(lambda: widget.press("previous"))
    widget.says("(1 of ")
    widget.changed(lambda: widget.press("race again"))
    widget.choose("images where", "all are wrong")
    widget.says("in “all are wrong”")
    assert widget.state()[1].count("✗") == 5
    widget.choose("images where", "all images")
    widget.says("of 2000 in “all images”")
    widget.drag("go to image", 0.5)
    widget.says(re.compile(r"test image (99|100)\d,"))  # a drag passes by other values; the last one counts

    def choose(name: str, content: bytes) -> None:
        with widget.page.expect_file_chooser() as chooser:
            widget.box.get_by_role("button", name="choose a file").click()
        chooser.value.set_files({"name": name, "mimeType": "image/*", "buffer": content})

    choose("holiday.jpg", picture_file("JPEG"))
    widget.says("holiday.jpg: its middle square, at 32 × 32 pixels")
    assert "✗" not in widget.state()[1]
    fits(widget)
    widget.screenshot("race")
    for name, content, words in (
        ("cut.jpg", picture_file("JPEG", noise=True)[:2000], "cut.jpg cannot be read as a picture"),
        ("notes.jpg", b"words, and no picture", "notes.jpg is not a picture"),
        ("wide.png", picture_file("PNG", (9000, 6000)), "wide.png is 9,000 × 6,000 pixels"),
        ("heavy.png", picture_file("PNG", (1750, 1750), noise=True), "heavy.png has 9 MB"),
    ):
        choose(name, content)
        widget.says(words)
        widget.says("The test image stays")
    widget.changed(lambda: widget.press("next"))
    assert widget.box.locator(".explorer-error").count() == 0
