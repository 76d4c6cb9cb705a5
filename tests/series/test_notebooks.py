"""The rules that every notebook keeps, for those there are and those to come. Running them is nbval's part."""

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
MANY_PICTURES = ("02", "05", "08")


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def prose(path: Path) -> str:
    return "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def lines(cell) -> int:
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def everywhere(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.relative_to(ROOT / "notebooks").as_posix())


def test_there_are_lessons():
    assert LESSONS and LESSONS[0].name == "00_quick_tour.ipynb"
    assert all(re.fullmatch(r"(\d\d|appendix_[a-z])_\w+\.ipynb", path.name) for path in LESSONS)


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
def test_checked_cells_can_be_compared(path):
    checked = [cell for cell in code_cells(path) if "nbval-check-output" in cell.metadata.get("tags", [])]
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
    if path in LESSONS:
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
    if number := re.match(r"\d\d", path.name):
        assert cells[0].source.startswith(f"# {int(number[0])} · ")
    else:
        assert cells[0].source.startswith("# Appendix ")
    for part in ("You will learn", "**Time**", "**Needs**"):
        assert part in cells[0].source
    assert cells[1].cell_type == "code" and "helpers.about(" in cells[1].source.splitlines()[-1]


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


def test_the_tour_is_short():
    assert len(read(LESSONS[0]).cells) <= 20


def stem(path: Path) -> str:
    """What a lesson's exercises and its teaching page are called."""
    return path.name[:2] if path.name[0].isdigit() else path.name[: len("appendix_a")]


def room(path: Path) -> str:
    """The lesson's folder in helpers/lessons/."""
    return f"lesson_{path.name[:2]}" if path.name[0].isdigit() else stem(path)


def exercises_of(path: Path) -> dict:
    return importlib.import_module(f"helpers.lessons.{room(path)}.exercises").EXERCISES


def exercises(path: Path) -> list[str]:
    """Keys of the exercises that a notebook checks, in order."""
    return re.findall(r'check\(\s*"([^"]+)"', "\n".join(cell.source for cell in code_cells(path)))


@everywhere(WITH_EXERCISES)
def test_exercises_are_unanswered_and_solved_beside(path):
    keys = exercises(path)
    assert len(keys) >= 3 and len(set(keys)) == len(keys)
    cells = [cell for cell in code_cells(path) if "check(" in cell.source and "import" not in cell.source]
    for cell in cells:
        assert re.search(r"^answer\w* = None", cell.source, re.M), f"already answered:\n{cell.source}"
    solution = path.parent / "solutions" / path.name
    assert solution.exists() and exercises(solution) == keys
    assert not re.search(r"^answer\w* = None", "\n".join(cell.source for cell in code_cells(solution)), re.M)
    assert sorted(exercises_of(path)) == sorted(keys)


@everywhere(WITH_EXERCISES)
def test_stored_checks_say_what_they_say_today(path, capsys):
    """A lesson's stored output is what an unanswered check prints, that of the solutions what a right one prints."""
    for notebook, answered in ((path, False), (path.parent / "solutions" / path.name, True)):
        for cell in code_cells(notebook):
            stored = "".join(output.get("text", "") for output in cell.outputs)
            for key in re.findall(r'^check\(\s*"([^"]+)"', cell.source, re.M):
                check(key, exercises_of(path)[key].answer if answered else None)
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
