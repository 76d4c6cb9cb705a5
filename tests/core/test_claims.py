"""A claim fails under pytest and speaks to a reader; with a file to write to it is recorded; seeds can be shifted."""

import json
import os
import subprocess
import sys

import nbformat
import pytest

from helpers import claims
from helpers.claims import claim


def test_a_claim_that_holds_says_nothing(capsys):
    claim(True, "two is more than one")
    assert capsys.readouterr().out == ""


def test_under_pytest_a_claim_that_fails_is_an_error():
    with pytest.raises(AssertionError, match="should hold: one is more than two"):
        claim(1 > 2, "one is more than two")


def test_a_reader_is_told_and_goes_on(monkeypatch, capsys):
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # as in a reader's notebook
    claim(1 > 2, "one is more than two")
    told = capsys.readouterr().out
    assert told == "Here it is otherwise. On the machine that made this page it held: one is more than two\n"


@pytest.fixture
def notebook(tmp_path):
    """A function: write a notebook of these code cells, return its path."""

    def write(*cells: str):
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        made.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(made, tmp_path / "lesson.ipynb")
        return tmp_path / "lesson.ipynb"

    return write


@pytest.mark.parametrize("condition, failures", [("1 < 2", 0), ("1 > 2", 1)])
def test_nbval_fails_where_a_claim_does(notebook, condition, failures):
    """The kernel that nbval starts inherits PYTEST_CURRENT_TEST; were that to change, no claim would ever fail."""
    path = notebook("import helpers", f"helpers.claim({condition}, 'it should be so')")
    options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--nbval-lax", "--nbval-current-env"]
    rest = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "HELPERS"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, path], cwd=path.parent, env=rest, capture_output=True, text=True
    )
    assert done.returncode == failures, done.stdout
    assert ("should hold: it should be so" in done.stdout) == bool(failures)


def test_a_claim_is_recorded_and_goes_on(tmp_path, monkeypatch, capsys):
    file = tmp_path / "claims.jsonl"
    monkeypatch.setenv("HELPERS_CLAIMS", str(file))
    monkeypatch.setenv("HELPERS_SEED", "4")
    claim(True, "α = 0.5 is better")
    claim(False, "frozen → worse")
    first, second = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert (first["words"], first["holds"], second["words"], second["holds"]) == (
        "α = 0.5 is better", True, "frozen → worse", False,
    )  # fmt: skip
    assert first["seed"] == 4 and first["threads"] >= 1 and first["instructions"]
    assert capsys.readouterr().out == ""


def test_numbers_of_libraries_count_as_true_or_false(tmp_path, monkeypatch):
    import numpy
    import torch

    monkeypatch.setenv("HELPERS_CLAIMS", str(tmp_path / "claims.jsonl"))
    claim(torch.tensor(True), "a tensor")
    claim(numpy.bool_(False), "a NumPy number")
    lines = (tmp_path / "claims.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["holds"] for line in lines] == [True, False]


DRAWS = """
import helpers, json, random, numpy, torch
torch.manual_seed(0)
a = torch.rand(1).item()
b = torch.rand(1, generator=torch.Generator().manual_seed(0)).item()
same = torch.randperm(9, generator=torch.Generator().manual_seed(5)).tolist()
random.seed(0)
numpy.random.seed(0)
print(json.dumps([a, b, same, random.random(), numpy.random.rand(), numpy.random.default_rng(0).random()]))
"""


def draws(**environment) -> list:
    done = subprocess.run(
        [sys.executable, "-c", DRAWS], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_another_seed_is_other_luck_everywhere_and_the_same_each_time():
    usual, zero, one, again, two = draws(), *(draws(HELPERS_SEED=k) for k in ("0", "1", "1", "2"))
    assert usual == zero and one == again
    for a, b, c in zip(usual, one, two, strict=True):
        assert a != b and b != c and a != c
    assert usual[0] == usual[1] and one[0] == one[1], "a generator and the global one are shifted alike"


def test_a_seed_that_is_no_number_is_named(monkeypatch):
    monkeypatch.setenv("HELPERS_SEED", "many")
    with pytest.raises(ValueError, match="HELPERS_SEED is a whole number such as 3, not 'many'"):
        claims.asked_shift()
