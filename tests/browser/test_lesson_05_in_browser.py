"""A reader's hands on the two explorers of lesson 05."""


def test_mobilenet_explorer(open_lesson):
    cells = ["import helpers", "zoo = read_results", "shipped = [", "explorer = mobilenet_explorer"]
    widget = open_lesson("05", cells=cells).widget()
    for act, words in (
        (lambda: widget.drag("width α", 0.5), "V2 α 0.75 at 160 px"),
        (lambda: widget.drag("width α", 0.33), "V2 α 0.5 at 160 px"),
        (lambda: widget.press("Measure latency here"), "batch 1 · channels_last"),
        (lambda: widget.screenshot("mobilenet") or widget.choose("family", "V3-Small"), "V3-Small α 0.5 at 160 px"),
        (lambda: widget.drag("budget: MACs", 0.0), "no published row fits"),
    ):
        widget.changed(act)
        # A drag passes by other values; the last one is what counts.
        widget.box.get_by_text(words).first.wait_for()


def test_widths_explorer(open_lesson):
    cells = ["import helpers", "zoo = read_results", "logits = {", "explorer = widths_explorer"]
    widget = open_lesson("05", cells=cells).widget()
    assert "in “only the narrowest is wrong”" in widget.state()[1]
    widget.changed(lambda: widget.press("next image"))
    assert "(2 of " in widget.state()[1]
    widget.screenshot("widths")
    widget.changed(lambda: widget.choose("show", "all are wrong"))
    assert widget.state()[1].count("✗") == 5
    widget.changed(lambda: widget.drag("from image", 0.5))
    widget.box.get_by_text("Test image 10").first.wait_for()  # a drag passes by other values; the last one counts
    widget.changed(lambda: widget.choose("show", "all images"))
    widget.box.get_by_text("of 2000 in “all images”").first.wait_for()
