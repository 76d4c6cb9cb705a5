"""Handouts on paper, A4 and Letter: no text beyond the margin, whole figures, no heading alone at a page's foot."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from helpers import ROOT
from helpers.tools import handout, worksheets

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# Two that CI looks at; `-m slow` looks at all.
FEW = ("00_quick_tour", "03_depthwise_separable_convolution")
PAGES = [
    pytest.param(path, teacher, id=f"{path.stem}{'-teacher' * teacher}",
                 marks=[] if path.stem in FEW else [pytest.mark.slow])
    for path in LESSONS for teacher in (False, True)
]  # fmt: skip
MM = 96 / 25.4  # CSS pixels of a millimetre
PAPER = {"A4": (210, 297), "Letter": (215.9, 279.4)}
MARGIN = 16  # millimetres left and right, as the style sheet has them
# Each piece of text and each picture: how far it reaches to the left and to the right of the column, in pixels.
BEYOND = """width => {
    const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const judge = (box, words) => {
        if (box.width > 0 && (box.left < -0.5 || box.right > width + 0.5))
            found.push(`${Math.round(box.left)} to ${Math.round(box.right)} of ${Math.round(width)}: ${words}`);
    };
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const range = document.createRange();
        range.selectNodeContents(node);
        for (const box of range.getClientRects()) judge(box, node.textContent.trim().slice(0, 80));
    }
    document.querySelectorAll("img").forEach(one => judge(one.getBoundingClientRect(), one.alt.slice(0, 80)));
    document.querySelectorAll("pre, table, div").forEach(one => {
        if (one.scrollWidth > one.clientWidth + 1) found.push(`cut: ${one.textContent.trim().slice(0, 80)}`);
    });
    return found;
}"""
# Is each picture whole on one page: no higher than what a page holds?
HIGH = "height => [...document.images].filter(one => one.getBoundingClientRect().height > height).map(one => one.alt)"


def shown(browser, html: str, tmp_path: Path, paper: str):
    """A page of the browser that is as wide as this paper's column, in print's style; it asks for no network."""
    place = tmp_path / "page.html"
    place.write_text(html, encoding="utf-8")
    page = browser.new_page(viewport={"width": round((PAPER[paper][0] - 2 * MARGIN) * MM), "height": 1000})
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.emulate_media(media="print")
    page.goto(place.as_uri())
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    return page


@pytest.mark.parametrize("paper", PAPER)
@pytest.mark.parametrize(("path", "teacher"), PAGES)
def test_no_text_lies_beyond_the_margin(path, teacher, paper, browser, tmp_path):
    page = shown(browser, handout.page(path, teacher), tmp_path, paper)
    width = page.evaluate("document.documentElement.clientWidth")
    assert page.evaluate(BEYOND, width) == []
    assert page.evaluate(HIGH, (PAPER[paper][1] - 40) * MM) == []
    page.close()


@pytest.mark.parametrize("answers", [False, True], ids=["empty", "answers"])
@pytest.mark.parametrize("name", worksheets.SHEETS)
def test_a_worksheet_is_one_page_of_a4(name, answers, browser, tmp_path):
    page = shown(browser, worksheets.page(name, answers), tmp_path, "A4")
    assert page.evaluate(BEYOND, page.evaluate("document.documentElement.clientWidth")) == []
    page.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
    page.close()
    assert len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "page.pdf").read_bytes())) == 1


def test_the_ruler_sees_what_reaches_beyond(browser, tmp_path):
    bad = '<body style="margin:0"><pre style="width: 3000px">far</pre><div style="margin-left: -9px">left</div>'
    bad += f'<div style="margin-left: 670px">{90 * "m"}</div><img alt="wide" width=900 height=3000 src="data:,">'
    page = shown(browser, bad, tmp_path, "A4")
    told = page.evaluate(BEYOND, page.evaluate("document.documentElement.clientWidth"))
    assert [any(word in line for line in told) for word in ("left", "mmm", "wide")] == [True] * 3, told
    assert page.evaluate(HIGH, 900) == ["wide"]
    page.close()


@pytest.mark.parametrize("paper", PAPER)
@pytest.mark.parametrize(("path", "teacher"), PAGES)
def test_no_heading_stands_alone_at_the_foot_of_a_page(path, teacher, paper, browser, tmp_path):
    """Read from the PDF that the browser prints, by poppler's pdftotext."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is not installed: pages are not read")
    page = shown(browser, handout.page(path, teacher), tmp_path, paper)
    headings = {_bare(text) for text in page.locator("h1, h2, h3, h4, .answers > b").all_inner_texts()}
    page.pdf(path=tmp_path / "page.pdf", format=paper)
    page.close()
    text = subprocess.run(["pdftotext", "-layout", tmp_path / "page.pdf", "-"], capture_output=True, check=True)
    sheets = [sheet.strip().splitlines() for sheet in text.stdout.decode("utf-8").split("\f")[:-1]]
    assert len(sheets) > 4 and len(headings) > 4
    seen = 0
    for number, lines in enumerate(sheets, 1):
        assert _bare(lines[-1]) == str(number), "each page has its number"
        last = next(_bare(line) for line in reversed(lines[:-1]) if line.strip())
        assert last not in headings, f"page {number} ends in the heading {last}"
        seen += sum(_bare(line) in headings for line in lines)
    assert seen >= len(headings) / 2, "headings are found in the text at all"


def _bare(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip()
