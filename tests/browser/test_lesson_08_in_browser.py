"""A reader's hands on the two explorers of lesson 08."""


def test_confusion_explorer(open_lesson):
    cells = ["import helpers", "logits = {width", "network = logits", "explorer = confusion_explorer"]
    widget = open_lesson("08", cells=cells).widget()
    widget.screenshot("confusion")
    widget.changed(lambda: widget.press("next images"))
    widget.changed(lambda: widget.choose("the image shows", "ship"))
    widget.box.get_by_text("images of ship").first.wait_for()
    widget.changed(lambda: widget.choose("it was called", "ship"))
    widget.box.get_by_text("were called ship.").first.wait_for()
    widget.changed(lambda: widget.choose("network", "α = 1.0"))
    widget.box.get_by_text("α = 1.0:").first.wait_for()


def test_threshold_explorer(open_lesson):
    cells = [
        "import helpers",
        "logits = {width",
        "network = logits",
        "def reliability",
        "temperature = evaluation",
        "explorer = threshold_explorer",
    ]
    widget = open_lesson("08", cells=cells).widget()
    widget.screenshot("threshold")
    widget.changed(lambda: widget.drag("answer from", 0.0))
    widget.box.get_by_text("images are answered (100.0%)").first.wait_for()  # a drag passes by other values
    widget.changed(lambda: widget.drag("answer from", 1.0))
    widget.box.get_by_text("threshold 0.9").first.wait_for()
    widget.changed(lambda: widget.choose("network", "α = 0.25, as it is"))
    widget.box.get_by_text("α = 0.25, as it is, threshold").first.wait_for()
