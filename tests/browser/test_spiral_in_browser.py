"""A reader's hands on the spiral of lesson 04."""


def test_spiral_explorer(open_lesson):
    widget = open_lesson("04", cells=["import helpers", "spiral_explorer()"]).widget()
    widget.changed(lambda: widget.drag("dimensions n", 1.0))
    assert widget.state()[1].startswith("0 of 400 points (0.0%) are lost in n = 30")
    widget.changed(lambda: widget.drag("dimensions n", 0.0))
    assert "n = 2 dimensions" in widget.state()[1]
    widget.changed(lambda: widget.drag("seed", 0.5))
    widget.screenshot("spiral")
