"""A reader's hands on the spiral of lesson 04."""


def test_spiral_explorer(open_lesson):
    widget = open_lesson("04", cells=["import helpers", "spiral_explorer()"]).widget()

    def says(words: str) -> None:  # a drag passes through other values first
        widget.box.locator("> .widget-html").filter(has_text=words).wait_for(timeout=20_000)

    widget.changed(lambda: widget.drag("dimensions n", 1.0))
    says("0 of 400 points (0.0%) are lost in n = 60 dimensions with seed 0")
    widget.changed(lambda: widget.drag("dimensions n", 0.0))
    says("in n = 2 dimensions with seed 0")
    widget.changed(lambda: widget.drag("seed", 1.0))
    says("in n = 2 dimensions with seed 19")
    widget.screenshot("spiral")
