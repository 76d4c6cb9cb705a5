"""Handouts: what stands on them and what does not, read from the HTML. How they fall on paper: tests/browser/."""

import base64
import re
from html.parser import HTMLParser

import nbformat
import pytest

from helpers import ROOT
from helpers import __main__ as command
from helpers.tools import covering, handout

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
THIRD = ROOT / "notebooks" / "03_depthwise_separable_convolution.ipynb"


class Page(HTMLParser):
    """Words, pictures' alternative texts and every address that a browser would follow or fetch."""

    def __init__(self, html: str):
        super().__init__()
        self.alts, self.fetched, self.links, self.classes, self.text, self._hidden = [], [], [], [], "", False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        seen = dict(attributes)
        self.classes += (seen.get("class") or "").split()
        self._hidden = tag == "style"
        if tag == "img":
            self.alts.append(seen.get("alt"))
        if tag == "a":
            self.links.append(seen.get("href"))
        else:
            self.fetched += [seen[name] for name in ("src", "href", "data", "poster") if name in seen]
        assert tag != "script"

    def handle_endtag(self, tag):
        self._hidden = False

    def handle_data(self, data):
        self.text += "" if self._hidden else data


@pytest.fixture(scope="module")
def pages():
    """Lesson → (handout, teacher's handout); each is made once."""
    made = {}

    def get(path):
        if path not in made:
            made[path] = [Page(handout.page(path, teacher)) for teacher in (False, True)]
        return made[path]

    return get


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_page_asks_nothing_of_the_network_and_says_its_pictures(path, pages):
    for page in pages(path):
        assert all(address.startswith("data:image/") for address in page.fetched)
        assert all(link.startswith("http") for link in page.links)
        assert len(page.alts) == len(page.fetched) and all(page.alts)
        assert "$$" not in page.text and "\\frac" not in page.text and "FORMULA" not in page.text
    assert page.fetched, "the teacher's copy has the pictures"
    source = handout.page(path)
    assert not re.search(r"@import|url\(|<link|<script", source)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_guesses_and_answers_have_their_lines_and_the_teacher_the_answers(path, pages):
    plain, teacher = pages(path)
    cells = nbformat.read(path, 4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    asked = [m for cell in code for m in re.findall(r'check\("([A\d.]+)", (\w+)', cell.source)]
    typed = [key for key, name in asked if name.startswith("answer")]
    answering = [cell for cell in code if "answers-prediction" in cell.metadata.get("tags", [])]
    guesses = sum("**Predict" in cell.source for cell in cells if cell.cell_type == "markdown")
    assert plain.classes.count("line") == guesses + len(answering) + len(typed)
    assert plain.classes.count("lines") == len(asked) - len(typed)
    assert plain.classes.count("answers") == 0 and "✓" not in plain.text and "Not answered yet" not in plain.text
    assert teacher.classes.count("answers") == len(asked)
    assert teacher.classes.count("line") == teacher.classes.count("lines") == 0
    for key, _ in asked:
        assert f"✓ {key}  Right" in teacher.text, key
    for cell in code:
        assert cell.source.split("\n")[-1] in teacher.text
        if cell not in answering:
            assert cell.source.split("\n")[-1] in plain.text
        told = cell in answering and covering.describes(cell.source)
        assert told or cell.source.split("\n")[0] in plain.text
        for claim in re.findall(r"^helpers\.claim\(.*?\)$", cell.source, re.MULTILINE | re.DOTALL):
            assert claim in teacher.text and (claim in plain.text) == (cell not in answering)
    again = "".join(o.get("text", "") for cell in code if cell not in answering for o in cell.outputs)  # a last table
    for cell in answering:
        for output in cell.outputs:
            lines = [line for line in output.get("text", "").splitlines() if len(line) > 30 and line not in cell.source]
            assert all(line in teacher.text for line in lines)
            assert not any(line in plain.text for line in lines if line not in again), (
                "an answer stands on the handout without answers"
            )


def test_other_outputs_and_explorers_pictures_stand_on_both(pages):
    cells = nbformat.read(THIRD, 4).cells
    alts = {
        answers: [
            output.metadata["image/png"]["alt"]
            for cell in cells
            if cell.cell_type == "code" and ("answers-prediction" in cell.metadata.get("tags", [])) == answers
            for output in cell.outputs
            if "image/png" in output.get("data", {})
        ]
        for answers in (False, True)
    }
    plain, teacher = pages(THIRD)
    assert plain.alts == alts[False] and len(alts[False]) > 4 and alts[True]
    assert set(teacher.alts) >= {*alts[False], *alts[True]}
    assert any(alt.startswith("Two grey panels") for alt in plain.alts), "the explorer's picture"
    assert "To turn the controls" not in plain.text


def test_long_lines_are_set_smaller_before_they_wrap():
    cell = nbformat.v4.new_code_cell(
        "x", outputs=[nbformat.v4.new_output("stream", name="stdout", text=120 * "m" + "\n")]
    )
    (line,) = handout._outputs(cell, THIRD)
    assert 'style="font-size: 6.40pt"' in line
    assert "style=" not in handout._code(88 * "m", leads=False)


def test_what_a_page_prints_in_markdown_pictures_and_links(tmp_path):
    (tmp_path / "a b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    source = "# Head\n\n[next](01_a.ipynb) and [paper](https://doi.org/1) ![a picture](x.png)"
    page = Page(handout.words(source, tmp_path / "00_a.ipynb"))
    assert page.links == ["https://doi.org/1"] and page.text.replace("Head", "").split() == ["next", "and", "paper"]
    (picture,) = page.fetched
    assert base64.b64decode(picture.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")


def test_formulas_are_drawn_and_said(pages):
    plain, _ = pages(ROOT / "notebooks" / "02_loading_data.ipynb")
    formulas = [alt for alt in plain.alts if "\\sigma" in alt]
    assert len(formulas) == 2 and formulas[1].count("underbrace") == 4
    assert handout._underset(r"a + \underbrace{b^{2}}_{\text{c}} = d") == r"a + \underset{\text{c}}{b^{2}} = d"
    with pytest.raises(ValueError, match=r"the formula \\nonsense\{x\} cannot be drawn: "):
        handout._formula(r"\nonsense{x}")


def test_the_command_in_a_classroom(classroom, desk):
    """Two lessons, in a checkout that may not be written; the handouts land where the teacher stands."""
    told = classroom.run("print", "--to", "讲义 一")
    assert told.returncode == 0, told.stderr
    assert sorted(path.name for path in (desk / "讲义 一").iterdir()) == [
        "00_quick_tour.html", "03_depthwise_separable_convolution.html",
    ]  # fmt: skip


def test_teachers_copies_have_names_of_their_own_and_solutions_have_none(tmp_path, capsys):
    for more in ([], ["--teacher"]):
        assert command.main(["print", "03_", "--to", str(tmp_path), *more]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{THIRD.stem}.html", f"{THIRD.stem}_teacher.html"]
    assert command.main(["print", "solutions/03"]) == 1
    assert "--teacher prints them with their lesson" in capsys.readouterr().err
