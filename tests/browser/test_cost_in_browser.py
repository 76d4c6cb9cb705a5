"""A reader's hands on the cost explorer of lesson 03."""

import time


def test_cost_explorer(open_lesson):
    widget = open_lesson("03_", cells=["import helpers", "explorer = cost_explorer()"]).widget()
    widget.changed(lambda: widget.drag("channels in M", 1.0))
    widget.changed(lambda: widget.drag("channels out N", 0.0))
    widget.changed(lambda: widget.drag("input side", 0.5))
    widget.changed(lambda: widget.press("7"))
    deadline = time.monotonic() + 20  # on a busy machine the last step of a drag may still be on its way
    while "7·7·1024·3" not in widget.state()[1] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "7·7·1024·3" in widget.state()[1]
    widget.screenshot("cost")
