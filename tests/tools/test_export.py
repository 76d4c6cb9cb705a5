"""Exported pages say their pictures in words: read from the HTML that a browser gets."""

import base64
from html.parser import HTMLParser

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from helpers import ROOT
from helpers import __main__ as command
from helpers.tools import execute, export

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


class Pictures(HTMLParser):
    """The `alt` of every PNG of a page, None where there is none."""

    def __init__(self, html: str):
        super().__init__()
        self.alts = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        seen = dict(attributes)
        if tag == "img" and seen.get("src", "").startswith("data:image/png"):
            assert sum(name == "alt" for name, _ in attributes) == 1
            self.alts.append(seen["alt"])


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    def write(name: str, *alts: str | None):
        outputs = [
            new_output("display_data", data={"image/png": PNG}, metadata={"image/png": {"alt": alt}} if alt else {})
            for alt in alts
        ]
        place = tmp_path / "notebooks" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(new_notebook(cells=[new_code_cell("draw()", outputs=outputs, execution_count=1)]), place)

    monkeypatch.setattr(execute, "ROOT", tmp_path)
    return write


def test_every_picture_carries_its_words(notebook, tmp_path, capsys):
    words = ['A "quoted" line & <one> more.', "The second picture, told in words."]
    notebook("00_tour.ipynb", *words)
    notebook("solutions/01_concepts.ipynb", None)
    assert command.main(["export", "--to", str(tmp_path / "site")]) == 0
    assert Pictures((tmp_path / "site" / "00_tour.html").read_text(encoding="utf-8")).alts == words
    (without,) = Pictures((tmp_path / "site" / "solutions" / "01_concepts.html").read_text(encoding="utf-8")).alts
    assert without == "No description has been provided for this image", "what nbconvert writes where nothing is said"
    assert "00_tour.html" in capsys.readouterr().out


def test_a_lesson_s_page_says_all_its_pictures():
    path = ROOT / "notebooks" / "03_depthwise_separable_convolution.ipynb"
    outputs = [out for c in nbformat.read(path, 4).cells if c.cell_type == "code" for out in c.outputs]
    stored = [out.metadata["image/png"]["alt"] for out in outputs if "image/png" in out.get("data", {})]
    assert Pictures(export.page(path)).alts == stored and len(stored) > 3
