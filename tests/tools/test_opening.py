"""The first line of every page says what to do where `helpers` is missing, and nothing but that line is written."""

import subprocess
import sys

import nbformat
import pytest

from helpers import ROOT
from helpers.tools import opening

NOTEBOOKS = [path for path in sorted((ROOT / "notebooks").rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]


def first_code(text: str) -> str:
    return next(cell.source for cell in nbformat.reads(text, 4).cells if cell.cell_type == "code")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.relative_to(ROOT / "notebooks").as_posix())
def test_a_page_is_as_the_tool_writes_it(path):
    text = path.read_text(encoding="utf-8")
    assert first_code(text).splitlines()[0] == opening.line(), "python -m helpers opening"
    assert opening.changed(text, opening.line()) == text


def test_an_address_stands_on_the_line_and_nothing_else_changes():
    text = NOTEBOOKS[0].read_text(encoding="utf-8")
    first = opening.line("https://example.org/x")
    assert first.endswith("Open this page in its repository: https://example.org/x")
    there = opening.changed(text, first)
    assert first_code(there).splitlines()[0] == first
    assert len(set(there.splitlines()) ^ set(text.splitlines())) == 2
    assert opening.changed(there, opening.line()) == text
    with pytest.raises(ValueError, match="characters too long"):
        opening.line("https://example.org/" + 40 * "x")


def test_the_address_is_read_from_pyproject_and_may_be_empty(monkeypatch, tmp_path):
    monkeypatch.setattr(opening, "ROOT", tmp_path)
    urls = "[project]\n[project.urls]\n"
    named = urls + 'Repository = "https://a.org/b"\n'
    for text, address in (("[project]\n", ""), (urls, ""), (named, "https://a.org/b")):
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        assert opening.address() == address
    assert "https://a.org/b" in opening.line()


def test_a_page_that_was_mailed_alone_shows_the_advice():
    """As Jupyter does: the traceback shows the line that failed, with its comment."""
    source = first_code(NOTEBOOKS[0].read_text(encoding="utf-8"))
    lost = "import sys; sys.modules['helpers'] = None  # as if it were not there\n"
    command = [sys.executable, "-m", "IPython", "--colors=NoColor", "-c", lost + source]
    told = subprocess.run(command, capture_output=True, encoding="utf-8")
    shown = told.stdout + told.stderr
    assert "ModuleNotFoundError" in shown and "Open this page in its repository" in shown
