"""The explorers for lesson 08 under a reader's hands, in a notebook of their own with invented networks."""

import nbformat
import pytest


@pytest.fixture
def open_example(open_lesson, tmp_path, monkeypatch):
    """open_example("confusion") shows the explorer that helpers/widgets/confusion.py builds for tests."""

    def open_one(name: str):
        code = f"from helpers.widgets.{name} import example\nexample()"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
        notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
        (tmp_path / "notebooks").mkdir()
        nbformat.write(notebook, tmp_path / "notebooks" / "explorer.ipynb")
        monkeypatch.setitem(open_lesson.__globals__, "ROOT", tmp_path)
        return open_lesson("explorer", cells=["example()"]).widget()

    return open_one


def test_confusion_explorer(open_example):
    widget = open_example("confusion")
    widget.changed(lambda: widget.press("next images"))
    widget.changed(lambda: widget.choose("the image shows", "ship"))
    widget.box.get_by_text("images of ship").first.wait_for()
    widget.changed(lambda: widget.choose("it was called", "ship"))
    widget.box.get_by_text("were called ship.").first.wait_for()


def test_threshold_explorer(open_example):
    widget = open_example("threshold")
    widget.changed(lambda: widget.drag("answer from", 0.0))
    widget.box.get_by_text("images are answered (100.0%)").first.wait_for()  # a drag passes by other values
    widget.changed(lambda: widget.drag("answer from", 1.0))
    widget.box.get_by_text("threshold 0.9").first.wait_for()
