"""Lesson 01's explorer under a reader's hands."""


def test_softmax_explorer(open_lesson):
    widget = open_lesson("01", cells=["import helpers", "explorer = "]).widget()
    widget.changed(lambda: widget.drag("score of frog", 1.0))
    widget.changed(lambda: widget.choose("the image shows a", "frog"))
    widget.changed(lambda: widget.drag("temperature T", 0.0))
    assert "Cross-entropy for frog" in widget.state()[1]
    widget.screenshot("softmax")
