"""The explorer of width, resolution and budgets under a reader's hands, in a notebook of its own."""

import nbformat

CODE = "from helpers.widgets import mobilenet_explorer\nmobilenet_explorer()"


def test_mobilenet_explorer(open_lesson, tmp_path, monkeypatch):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)])
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    (tmp_path / "notebooks").mkdir()
    nbformat.write(notebook, tmp_path / "notebooks" / "explorer.ipynb")
    monkeypatch.setitem(open_lesson.__globals__, "ROOT", tmp_path)
    widget = open_lesson("explorer", cells=["mobilenet_explorer()"]).widget()
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
