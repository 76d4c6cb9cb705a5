"""What several test files share."""

import ast
import csv
import sys

import nbformat
import pytest
import torch

from helpers import ROOT
from helpers import results as store


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    """Which files ran before in this worker must not decide whether Matplotlib warns of too many figures."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def one_thread():
    """Threads that wait for each other cost more than they give on networks and batches this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def names_of(notebook: str, **given) -> dict:
    """The imports, functions and classes, and CONSTANTS of a lesson, made anew; `given` are names that these need."""
    path = ROOT / "notebooks" / f"{notebook}.ipynb"
    code = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")

    def defines(node: ast.stmt) -> bool:
        if isinstance(node, ast.Assign):
            return all(isinstance(target, ast.Name) and target.id.isupper() for target in node.targets)
        return isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef))

    names = {"__name__": f"lesson_{notebook[:2]}", **given}
    exec(compile(ast.Module([node for node in ast.parse(code).body if defines(node)], []), str(path), "exec"), names)
    return names


@pytest.fixture(scope="session")
def functions_of():
    """`names_of`, for the tests that hold a lesson to the helpers."""
    return names_of


@pytest.fixture
def results(tmp_path, monkeypatch):
    """An empty folder in place of data/results/, and one for unfinished runs."""
    monkeypatch.setattr(store, "RESULTS", tmp_path / "results")
    monkeypatch.setenv("HELPERS_RUNS", str(tmp_path / "runs"))
    return tmp_path / "results"


@pytest.fixture
def rows_of():
    """A function: the rows of a CSV file, as text."""

    def read(path) -> list[dict]:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return read


@pytest.fixture
def figure_of(monkeypatch):
    """A function: run the one cell of a lesson that holds `words`, with `names` known to it; returns what it shows.

    The page's imports, functions and CONSTANTS are known too. For the artists of figures that are drawn on the page.
    """
    from helpers import claims, plots

    def draw(notebook: str, words: str, **names):
        cells = nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", as_version=4).cells
        (source,) = [cell.source for cell in cells if cell.cell_type == "code" and words in cell.source]
        shown = []
        monkeypatch.setattr(plots, "show", lambda figure, alt: shown.append(figure))
        monkeypatch.setattr(claims, "claim", lambda holds, words: None)
        monkeypatch.setattr("helpers.claim", lambda holds, words: None)
        known = names_of(notebook, **names) | names
        exec(compile(source, notebook, "exec"), known)
        (figure,) = shown
        return figure

    return draw


def ends_of(bars) -> list[tuple[float, float]]:
    """The two ends of each vertical or horizontal bar of `axis.errorbar`, along it."""
    segments = bars.lines[2][0].get_segments()
    along = 0 if all(one[0][1] == one[1][1] for one in segments) else 1
    return [tuple(float(point[along]) for point in one) for one in segments]


@pytest.fixture(name="ends_of")
def _ends_of():
    """`ends_of`, for the tests of intervals."""
    return ends_of
