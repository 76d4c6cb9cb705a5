"""`python -m helpers claims` on a made-up lesson: which settings are tried, what they do, what the table says."""

import nbformat
import pytest

from helpers import __main__ as command
from helpers.tools import claims, execute
from helpers.tools.claims import Setting, plan, table, try_claims


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """A function: write notebooks/NAME with these code cells in an empty folder, return its path."""
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    (tmp_path / "notebooks").mkdir()

    def write(name: str, *cells: str):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.cells.insert(1, nbformat.v4.new_markdown_cell("# A lesson"))
        notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        path = tmp_path / "notebooks" / name
        nbformat.write(notebook, path)
        return path

    return write


def test_the_plan_is_every_seed_and_every_combination_once():
    assert plan([0, 1, 2], ["default", "avx2"], [1, 2]) == [
        Setting(0, "default", 2),
        Setting(1, "default", 2),
        Setting(2, "default", 2),
        Setting(0, "default", 1),
        Setting(0, "avx2", 1),
        Setting(0, "avx2", 2),
    ]
    assert plan([3], ["avx2"], [1]) == [Setting(3, "avx2", 1)]


FIRST = """
import helpers
import torch
draw = torch.rand(1, generator=torch.Generator().manual_seed(0)).item()
helpers.claim(True, f"{draw:.4f} {torch.get_num_threads()} {torch.backends.cpu.get_cpu_capability()}")
"""


def test_a_setting_reaches_the_kernel_and_the_file_stays(lesson):
    path = lesson("00_a.ipynb", FIRST)
    before = path.read_bytes()
    words = [try_claims(path, setting) for setting in (Setting(0, "default", 1), Setting(2, "avx2", 2))]
    (first,), (second,) = words
    assert first.split()[:2] == ["0.4963", "1"], "torch's first number after the seed 0"
    assert second.split()[0] != "0.4963" and second.split()[1] == "2"
    assert second.split()[2] in ("AVX2", "DEFAULT", "NO")  # DEFAULT: this processor has not even AVX2
    assert path.read_bytes() == before


CELLS = [
    "import helpers",
    "for width in (1, 2, 3):\n    helpers.claim(width < 3, 'narrow')\nhelpers.claim(True, 'wide')",
    "1 / 0",
    "helpers.claim(True, 'still said')",
]


def test_claims_and_cells_that_stop_are_told(lesson, capsys):
    lesson("00_a.ipynb", *CELLS)
    lesson("01_b.ipynb", "import helpers\nhelpers.claim(True, 'all is well')")
    options = ["--seeds", "0", "--threads", "1", "--instructions", "default"]
    assert command.main(["claims", "00", *options]) == 1
    told = capsys.readouterr().out
    assert told.endswith(
        "\n00_a.ipynb\n  a  seed 0, default, 1 thread\n  a\n  ✗  narrow\n  ✓  wide\n  ✓  still said\n"
        "  ✗  (code cell 3 stops: ZeroDivisionError: division by zero)\n"
    )
    assert "s, not so: narrow; (code cell 3 stops: ZeroDivisionError: division by zero)\n" in told
    assert command.main(["claims", "01", *options]) == 0
    told = capsys.readouterr().out
    assert "✓  all is well" in told and "s, all 1 claims hold" in told


def test_a_kernel_that_dies_is_a_failure(lesson):
    path = lesson("00_a.ipynb", "import helpers\nhelpers.claim(True, 'before')", "import os\nos._exit(1)")
    outcome = try_claims(path, Setting(0, "default", 1))
    assert outcome == {"before": True, "(the lesson ends early: DeadKernelError)": False}


def test_the_table_has_a_column_for_each_setting():
    settings = [Setting(0, "default", 2), Setting(0, "avx2", 1)]
    told = table("07_training.ipynb", settings, [{"α": True, "β": False}, {"α": True}])
    assert told.splitlines() == [
        "",
        "07_training.ipynb",
        "  a  seed 0, default, 2 threads",
        "  b  seed 0, avx2, 1 thread",
        "  a b",
        "  ✓ ✓  α",
        "  ✗ –  β",
    ]


@pytest.mark.parametrize("options", [["--threads", "0"], ["--seeds", "-1"]])
def test_wrong_numbers_are_named(options, capsys):
    assert command.main(["claims", "00", *options]) == 1
    assert "threads start at 1 and seeds at 0" in capsys.readouterr().err


def test_an_unknown_lesson_is_named(lesson, capsys):
    assert command.main(["claims", "77"]) == 1
    assert "no notebook notebooks/77*.ipynb" in capsys.readouterr().err


def test_a_kernel_that_is_killed_is_one_claim_that_fails_and_the_others_are_told(lesson):
    path = lesson("00_a.ipynb", "import helpers\nhelpers.claim(True, 'said before')", "import os\nos._exit(9)")
    outcome = try_claims(path, Setting(0, "default", 1))
    assert outcome["said before"] is True
    (end,) = [words for words in outcome if words != "said before"]
    assert end == "(the lesson ends early: DeadKernelError)" and outcome[end] is False


def test_what_was_tried_before_ctrl_c_is_told(lesson, capsys, monkeypatch):
    lesson("00_a.ipynb", "import helpers")
    answers = iter([{"narrow": False}])

    def tried(path, setting, timeout):
        try:
            return next(answers)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(claims, "try_claims", tried)
    assert command.main(["claims", "00", "--seeds", "0", "1", "--threads", "1", "--instructions", "default"]) == 130
    assert capsys.readouterr().out.endswith("\n00_a.ipynb\n  a  seed 0, default, 1 thread\n  a\n  ✗  narrow\n")
