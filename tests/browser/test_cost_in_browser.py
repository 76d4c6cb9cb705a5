"""A reader's hands on the cost explorer of lesson 03."""


def test_cost_explorer(open_lesson):
    widget = open_lesson("03_", cells=["import helpers", "explorer = cost_explorer()"]).widget()
    widget.changed(lambda: widget.drag("channels in M", 1.0))
    widget.changed(lambda: widget.drag("channels out N", 0.0))
    widget.changed(lambda: widget.drag("input side", 0.5))
    widget.changed(lambda: widget.press("7"))
    assert "7·7·1024·3" in widget.state()[1]
    widget.screenshot("cost")
