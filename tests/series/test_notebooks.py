"""The rules that every notebook keeps, for those there are and those to come. Running them is nbval's part.

A lesson NN may have a second page, NNb_topic.ipynb: it keeps every rule by itself and has solutions of its own; the
room in helpers/lessons/, its exercises, and the teaching page are shared.
"""

import ast
import importlib
import json
import re
import statistics
from pathlib import Path

import nbformat
import pytest

from helpers import ROOT
from helpers.exercises import check

NOTEBOOKS = sorted(p for p in (ROOT / "notebooks").glob("**/*.ipynb") if ".ipynb_checkpoints" not in p.parts)
LESSONS = [path for path in NOTEBOOKS if path.parent.name == "notebooks"]
WITH_EXERCISES = [path for path in LESSONS if not path.name.startswith("00")]
NUMBERED = [path for path in LESSONS if path.name[0].isdigit()]  # in the order in which they are read
MANY_PICTURES = ("02", "05", "08", "09b", "11")
LONG_CELLS = ("05", "08")  # tables and loops that are what the lesson shows


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def prose(path: Path) -> str:
    return "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def lines(cell) -> int:
    """Lines of code: neither empty ones nor those that hold only words, such as a picture's alternative text."""
    return sum(bool(line.strip()) and not re.fullmatch(r'\s*"[^"]*",?', line) for line in cell.source.splitlines())


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def statements(path: Path) -> list[ast.AST]:
    """Every statement and expression of a notebook's code."""
    return [node for cell in code_cells(path) for node in ast.walk(ast.parse(cell.source))]


def everywhere(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.relative_to(ROOT / "notebooks").as_posix())


def test_there_are_lessons():
    assert LESSONS and LESSONS[0].name == "00_quick_tour.ipynb"
    assert all(re.fullmatch(r"(\d\db?|appendix_[a-z])_\w+\.ipynb", path.name) for path in LESSONS)
    names = {path.name[:3] for path in LESSONS}
    assert all(f"{name[:2]}_" in names for name in names if name.endswith("b")), "a second page needs a first"


@everywhere(NOTEBOOKS)
def test_helpers_is_imported_first(path):
    """It settles how PyTorch's threads wait, and that must be said before PyTorch loads its library."""
    assert code_cells(path)[0].source.startswith("import helpers  # not found? Open this page in its repository")


@everywhere(NOTEBOOKS)
def test_code_fits_a_screen(path):
    wide = [line for cell in code_cells(path) for line in cell.source.splitlines() if len(line) > 88]
    assert not wide, "wider than 88 columns"


@everywhere(NOTEBOOKS)
def test_claims_not_asserts(path):
    """An assert stops the page of a reader whose machine is a little different; `helpers.claim` says it and goes on."""
    for node in statements(path):
        assert not isinstance(node, ast.Assert), f"use helpers.claim(…): {ast.unparse(node)}"
        assert getattr(node, "id", "") != "AssertionError", "use helpers.claim(False, …)"


@everywhere(NOTEBOOKS)
def test_size(path):
    limit = 1_000 if path.name.startswith(MANY_PICTURES) and path in LESSONS else 400
    assert path.stat().st_size <= limit * 1000


@everywhere(NOTEBOOKS)
def test_is_valid_and_has_no_widget_state(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata, "GitHub does not draw a notebook with metadata.widgets"
    assert not [cell for cell in notebook.cells if cell.cell_type == "code" and not cell.source.strip()], "empty cell"


@everywhere(NOTEBOOKS)
def test_outputs_come_from_one_clean_run(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run: python -m helpers execute"
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"], "a warning or a progress bar"


@everywhere(NOTEBOOKS)
def test_outputs_hold_no_absolute_path(path):
    found = re.findall(r"(?:/(?:root|home|tmp|work|Users|var|mnt)/|[A-Z]:\\\\)[\w.]*", json.dumps(
        [output for cell in code_cells(path) for output in cell.outputs if "image/png" not in output.get("data", {})]
    ))  # fmt: skip
    assert not found


@everywhere(NOTEBOOKS)
def test_pictures_in_the_text_have_alternative_text(path):
    for alternative, target in re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", prose(path)):
        assert len(alternative) >= 15, f"{target[:60]} needs a sentence that tells what it shows"
    assert "<img" not in prose(path).replace('<img alt="', ""), "an <img> starts with its alt text"


@everywhere(NOTEBOOKS)
def test_stored_pictures_have_alternative_text(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                words = output.metadata.get("image/png", {}).get("alt", "")
                assert len(words.split()) >= 5, f"show it by plots.show(figure, alt):\n{cell.source}"


@everywhere(LESSONS)
def test_every_prediction_is_answered(path):
    """A workbook clears the cells that give a *Predict* away: each has one, before the next *Predict* is asked."""
    asked, answered, open_question = 0, 0, ""
    for cell in read(path).cells:
        if cell.cell_type == "markdown" and "**Predict" in cell.source:
            assert not open_question, f"no cell is tagged answers-prediction after:\n{open_question}"
            asked += cell.source.count("**Predict")
            open_question = cell.source
        elif "answers-prediction" in tags(cell):
            assert cell.cell_type == "code" and cell.outputs, f"nothing is answered by:\n{cell.source}"
            answered += 1
            open_question = ""
    assert not open_question and answered >= asked, f"{asked} predictions, {answered} cells tagged answers-prediction"


@everywhere(NOTEBOOKS)
def test_checked_cells_can_be_compared(path):
    checked = [cell for cell in code_cells(path) if "nbval-check-output" in tags(cell)]
    for cell in checked:
        assert cell.execution_count and cell.outputs, f"nothing would be compared:\n{cell.source}"
        kinds = {key for output in cell.outputs for key in output.get("data", {})}
        assert not kinds & {"image/png", "application/vnd.jupyter.widget-view+json"}, f"not comparable:\n{cell.source}"
    if path in LESSONS:
        assert len(checked) >= 3


@everywhere(NOTEBOOKS)
def test_cells_are_short(path):
    counts = [lines(cell) for cell in code_cells(path)]
    assert max(counts) <= 25
    if path in LESSONS and path.name[:2] not in LONG_CELLS:
        assert statistics.median(counts) <= 6


@everywhere(NOTEBOOKS)
def test_every_figure_is_told_in_words(path):
    """After a cell that draws, the next markdown says what to see (several figures in a row may share the sentence)."""
    cells = read(path).cells
    for index, cell in enumerate(cells):
        if cell.cell_type == "code" and any("image/png" in output.get("data", {}) for output in cell.outputs):
            after = "".join(c.source for c in cells[index + 1 : index + 4] if c.cell_type == "markdown")
            assert "What to see" in after, f"no *What to see* after:\n{cell.source}"


@everywhere(LESSONS)
def test_every_explorer_is_followed_by_its_picture(path):
    """GitHub and paper show no widgets: the static figure must be stored as a picture, not as `<Figure size …>`."""
    cells = code_cells(path)
    for index, cell in enumerate(cells):
        if cell.source.splitlines()[-1].strip() == "explorer":
            assert any("image/png" in output.get("data", {}) for output in cells[index + 1].outputs), cell.source


@everywhere(LESSONS)
def test_opening(path):
    cells = read(path).cells
    if number := re.match(r"(\d\d)(b?)", path.name):
        assert cells[0].source.startswith(f"# {int(number[1])}{number[2]} · ")
    else:
        assert cells[0].source.startswith("# Appendix ")
    for part in ("You will learn", "**Time**", "**Needs**"):
        assert part in cells[0].source
    assert cells[1].cell_type == "code" and "helpers.about(" in cells[1].source.splitlines()[-1]


@everywhere(NOTEBOOKS)
def test_what_follows_a_predict_is_tagged(path):
    """Up to the next words all that a cell puts out answers the guess: a learner's copy covers it. Not explorers, which
    have veils of their own, and not exercises."""
    waits = False
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            waits = "**Predict" in cell.source
        elif waits and cell.outputs and not re.search(r'_explorer\(|\.figure\(\)|check\("', cell.source):
            assert "answers-prediction" in cell.metadata.get("tags", []), (cell.id, cell.source[:80])


@everywhere(WITH_EXERCISES)
def test_length_and_closing(path):
    cells, words = read(path).cells, len(re.findall(r"\w+", prose(path)))
    assert 25 <= len(cells) <= 50
    assert 800 <= words <= 2200
    for part in ("What you have learned", "Where next", "References"):
        assert part in cells[-1].source


@everywhere(NOTEBOOKS)
def test_links_to_files_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:\s]+)\)", prose(path)):
        assert (path.parent / target).exists(), f"there is no {target}"


@everywhere(LESSONS)
def test_links_to_the_neighbours(path):
    """The first cell links to the page before, the last to the page after; an appendix says where it belongs."""
    first, last = read(path).cells[0].source, read(path).cells[-1].source
    if path not in NUMBERED:
        assert any(f"]({lesson.name})" in first for lesson in NUMBERED)
        return
    place = NUMBERED.index(path)
    for before in NUMBERED[max(0, place - 1) : place]:
        assert f"]({before.name})" in first, f"the first cell has no link to {before.name}"
    for after in NUMBERED[place + 1 : place + 2]:
        assert f"]({after.name})" in last, f"the last cell has no link to {after.name}"


def test_the_tour_is_short():
    assert len(read(LESSONS[0]).cells) <= 20


def stem(path: Path) -> str:
    """What a lesson's teaching page and, in the end, its room are called; both pages of a lesson share them."""
    return path.name[:2] if path in NUMBERED else path.name[: len("appendix_a")]


def exercises_of(path: Path) -> dict:
    """The exercises of the lesson's room, those of its other page included."""
    room = f"lesson_{stem(path)}" if path in NUMBERED else stem(path)
    return importlib.import_module(f"helpers.lessons.{room}.exercises").EXERCISES


def checks(path: Path) -> list[tuple[str, ast.expr, nbformat.NotebookNode]]:
    """(key, what is checked, its cell) for every `check("3.2", answer)` of a notebook, in order."""
    return [
        (node.args[0].value, node.args[1], cell)
        for cell in code_cells(path)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check"
    ]


def is_left_open(name: str, cell) -> bool:
    """Whether `name` is `None` in that cell, or a function or class whose bodies hold nothing but a docstring."""
    for node in ast.parse(cell.source).body:
        if isinstance(node, ast.Assign) and name in [getattr(target, "id", "") for target in node.targets]:
            return isinstance(node.value, ast.Constant) and node.value.value is None
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            functions = [part for part in ast.walk(node) if isinstance(part, ast.FunctionDef)]
            return bool(functions) and any(map(has_no_body, functions))
    return False


def has_no_body(function: ast.FunctionDef) -> bool:
    def says_nothing(node: ast.stmt) -> bool:
        value = getattr(node, "value", None)
        nothing = value is None or (isinstance(value, ast.Constant) and value.value in (None, ...))
        return isinstance(node, ast.Pass) or (isinstance(node, (ast.Expr, ast.Return)) and nothing)

    body = function.body[1:] if ast.get_docstring(function) else function.body
    return all(map(says_nothing, body))


@everywhere(WITH_EXERCISES)
def test_exercises_are_unanswered_and_solved_beside(path):
    solution = path.parent / "solutions" / path.name
    assert solution.exists()
    keys = [key for key, _, _ in checks(path)]
    assert len(keys) >= 4 and len(set(keys)) == len(keys)
    assert [key for key, _, _ in checks(solution)] == keys
    for key, answer, cell in checks(path):
        assert is_left_open(answer.id, cell), f"exercise {key} is already answered"
        assert cell.source.count("check(") == 1, f"one exercise a cell: {key}"
    for key, answer, cell in checks(solution):
        assert not is_left_open(getattr(answer, "id", ""), cell), f"the solutions leave exercise {key} open"


@everywhere(WITH_EXERCISES)
def test_the_pages_of_a_lesson_ask_all_its_exercises(path):
    pages = [page for page in WITH_EXERCISES if stem(page) == stem(path)]
    assert sorted(key for page in pages for key, _, _ in checks(page)) == sorted(exercises_of(path))


@everywhere(WITH_EXERCISES)
def test_stored_checks_say_what_they_say_today(path, capsys):
    """A lesson's stored output is what an unanswered check prints, that of the solutions what a right one prints."""
    for notebook, mark in ((path, "·"), (path.parent / "solutions" / path.name, "✓")):
        for key, _, cell in checks(notebook):
            stored = "".join(output.get("text", "") for output in cell.outputs)
            assert f"{mark} {key} " in stored, f"{notebook.name}, exercise {key}, does not print {mark}"
            answer = getattr(exercises_of(path)[key], "answer", None)  # an exercise in code has none to compare with
            if answer is not None:
                check(key, answer if mark == "✓" else None)
                assert capsys.readouterr().out.strip() in stored, f"{notebook.name}, exercise {key}"


@everywhere(WITH_EXERCISES)
def test_teachers_have_a_page(path):
    page = path.parent / "teaching" / f"{stem(path)}.md"
    assert page.exists() and len(page.read_text(encoding="utf-8").split()) > 200


def test_the_readme_lists_every_lesson():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in LESSONS:
        assert f"notebooks/{path.name}" in readme
    for target in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (ROOT / target).exists(), f"README.md points at {target}"
