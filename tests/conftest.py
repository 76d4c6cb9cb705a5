"""What several test files share."""

import ast
import csv

import nbformat
import pytest
import torch

from helpers import ROOT
from helpers import results as store


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
