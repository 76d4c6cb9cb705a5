"""Lesson 01's explorer under a reader's hands."""


def test_softmax_explorer(open_lesson):
    widget = open_lesson("01_", cells=["import helpers", "explorer = "]).widget()

    def says(words: str) -> None:
        # A drag passes other values on its way; the last one has to arrive.
        widget.box.get_by_text(words).wait_for(timeout=20_000)

    widget.changed(lambda: widget.drag("score of frog", 1.0))
    says("2.72 + 54.6 = 64.71")
    widget.changed(lambda: widget.choose("the image shows a", "frog"))
    says("Cross-entropy for frog: −ln 0.844 = 0.17")
    widget.changed(lambda: widget.drag("temperature T", 0.0))
    says("54.6 + 8.89e+06")
    widget.screenshot("softmax")
