"""Notebooks are executed whole or left as they were."""

import nbformat
import pytest

from helpers import __main__ as command
from helpers.tools import execute as make


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    monkeypatch.setattr(make, "ROOT", tmp_path)
    folder = tmp_path / "notebooks"
    (folder / "solutions").mkdir(parents=True)

    def write(name: str, *cells: str):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "widgets": {"state": {}}}
        nbformat.write(notebook, folder / name)
        return folder / name

    return write


def test_execute_stores_outputs_and_leaves_a_failing_notebook_as_it_was(notebooks, capsys):
    good = notebooks("00_good.ipynb", "import os\nprint(6 * 7)", "os.path.basename(os.getcwd())")
    bad = notebooks("01_bad.ipynb", "print('before')", "1 / 0")
    before = bad.read_bytes()
    assert make.execute(["00", "01"]) == 1
    assert bad.read_bytes() == before
    told = capsys.readouterr().out
    assert "01_bad.ipynb failed and was left as it was" in told and "ZeroDivisionError" in told
    done = nbformat.read(good, as_version=4)
    assert [cell.execution_count for cell in done.cells] == [1, 2]
    assert done.cells[0].outputs[0]["text"] == "42\n"
    assert done.cells[1].outputs[0]["data"]["text/plain"] == "'notebooks'", "it runs in its own folder"
    assert "widgets" not in done.metadata and done.metadata["language_info"] == {"name": "python"}
    assert all("execution" not in cell.metadata for cell in done.cells)
    assert sorted(p.name for p in good.parent.iterdir()) == ["00_good.ipynb", "01_bad.ipynb", "solutions"]


def test_execute_without_names_runs_all_lessons_and_solutions(notebooks, capsys):
    for name in ("00_a.ipynb", "appendix_a.ipynb", "solutions/00_a.ipynb"):
        notebooks(name, "print('here')")
    assert command.main(["execute"]) == 0
    told = [line.split(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert told == ["notebooks/00_a.ipynb", "notebooks/appendix_a.ipynb", "notebooks/solutions/00_a.ipynb"]


def test_execute_survives_a_kernel_that_dies(notebooks, capsys):
    dead = notebooks("02_dead.ipynb", "import os\nos._exit(3)")
    before = dead.read_bytes()
    assert make.execute(["02"]) == 1
    assert "02_dead.ipynb failed and was left as it was" in capsys.readouterr().out and dead.read_bytes() == before
