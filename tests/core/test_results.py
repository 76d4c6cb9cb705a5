"""Records that are added and never lost, replaced unasked or half-written, and what a row says of its making."""

import csv
import errno
import multiprocessing
import os
import re
import shlex
import subprocess
import sys
from collections import Counter

import pytest
import torch

from helpers import DATA, ROOT
from helpers import results as store
from helpers.__main__ import commands
from helpers.batches import Batches


def test_record_adds_and_replaces_by_key_when_told_to(results, rows_of):
    store.record("t.csv", [{"width": 1.0, "seed": 0, "accuracy": "0.5"}], ("width", "seed"))
    store.record("t.csv", [{"width": 0.25, "seed": 0, "accuracy": "0.4"}], ("width", "seed"))
    store.record("t.csv", [{"width": 1.0, "seed": 0, "accuracy": "0.6"}], ("width", "seed"), overwrite=True)
    path = store.record("t.csv", [{"width": 1.0, "seed": 1, "accuracy": "0.7"}], ("width", "seed"))
    assert [(row["width"], row["seed"], row["accuracy"]) for row in rows_of(path)] == [
        ("0.25", "0", "0.4"),
        ("1.0", "0", "0.6"),
        ("1.0", "1", "0.7"),
    ]
    assert b"\r" not in path.read_bytes()


def test_record_sorts_numbers_as_numbers(results, rows_of):
    path = store.record("t.csv", [{"epoch": number} for number in (10, 9, 100, 1)], ("epoch",))
    assert [row["epoch"] for row in rows_of(path)] == ["1", "9", "10", "100"]


def test_record_keeps_one_row_a_key_and_takes_new_columns(results, rows_of):
    store.record("t.csv", [{"name": "a", "x": 1}, {"name": "a", "x": 2}], ("name",))
    path = store.record("t.csv", [{"name": "b", "x": 3, "y": "a, b"}], ("name",))
    assert rows_of(path) == [{"name": "a", "x": "2", "y": ""}, {"name": "b", "x": "3", "y": "a, b"}]


def test_results_come_back_as_numbers_and_a_missing_file_is_explained(results):
    rows = [
        {"width": 0.5, "seed": 0, "command": "a, b", "macs": 12, "digits": "7"},
        {"width": 1, "seed": 1, "command": "c", "macs": 13, "digits": "x"},
    ]
    path = store.record("t.csv", rows, ("width",))
    assert "\n1,1,c" in path.read_text(encoding="utf-8")
    found = store.read_results("t.csv")
    assert found == rows
    assert [[type(value) for value in row.values()] for row in found] == [[float, int, str, int, str]] * 2
    with pytest.raises(FileNotFoundError, match=r"none.csv is missing from data/results/: restore it"):
        store.read_results("none.csv")


def test_record_leaves_the_old_file_when_it_fails(results, monkeypatch):
    path = store.record("t.csv", [{"name": "a", "x": 1}], ("name",))
    before = path.read_bytes()

    def rows(self, rows):
        self.writerow({"name": "half", "x": "a row"})
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(csv.DictWriter, "writerows", rows)
    with pytest.raises(OSError, match="Input/output error"):
        store.record("t.csv", [{"name": "b", "x": 2}], ("name",))
    assert path.read_bytes() == before


def test_a_row_that_says_something_else_stays(results):
    path = store.record("t.csv", [{"width": 1.0, "epochs": 16, "accuracy": "0.5"}], ("width",))
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"t.csv has a row of width 1.0 already, with epochs 16, not 1: only --over"):
        store.record("t.csv", [{"width": 0.5, "epochs": 1}, {"width": 1.0, "epochs": 1}], ("width",))
    assert path.read_bytes() == before
    same = {"width": 1.0, "epochs": 16, "accuracy": "0.5", "commit": "abc", "seconds": "3"}
    store.record("t.csv", [same], ("width",))
    assert store.stored("t.csv") == [{column: str(value) for column, value in same.items()}], "only its making is new"


def test_a_whole_is_replaced_as_a_whole(results):
    """A run of two epochs in place of one of four leaves no epochs three and four."""

    def curve(epochs, loss, **how):
        rows = [{"seed": 0, "epoch": epoch, "loss": loss} for epoch in range(1, epochs + 1)]
        return store.record("t.csv", rows, ("seed", "epoch"), within=("seed",), **how)

    store.record("t.csv", [{"seed": 1, "epoch": 1, "loss": 7}], ("seed", "epoch"))
    curve(4, 1)
    curve(4, 1)
    for epochs, loss in ((2, 1), (4, 2)):
        with pytest.raises(ValueError, match="only --overwrite"):
            curve(epochs, loss)
    curve(2, 2, overwrite=True)
    assert [(row["seed"], row["epoch"], row["loss"]) for row in store.stored("t.csv")] == [
        ("0", "1", "2"), ("0", "2", "2"), ("1", "1", "7"),
    ]  # fmt: skip


def add_rows(folder, first: int) -> None:
    store.RESULTS = folder
    for number in range(first, first + 60):
        store.record("t.csv", [{"number": number, "twice": 2 * number}], ("number",))


def test_two_processes_that_record_at_the_same_moment_lose_no_row(results):
    context = multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn")
    both = [context.Process(target=add_rows, args=(results, first)) for first in (0, 60)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert [row["number"] for row in store.stored("t.csv")] == [str(number) for number in range(120)]
    assert [path.name for path in results.iterdir() if not path.name.endswith(".lock")] == ["t.csv"]


def test_a_lock_is_held_by_one_and_let_go_by_the_dead(tmp_path):
    path = tmp_path / "one.lock"
    code = f"""
from pathlib import Path
from helpers.results import locked
with locked(Path({str(path)!r})):
    print("held", flush=True)
    input()
"""
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert holder.stdout.readline().strip() == b"held"
    with store.locked(path, wait=False) as mine:
        assert not mine
    holder.kill()
    holder.wait()
    with store.locked(path, wait=False) as mine:
        assert mine


def test_a_full_disk_is_told_with_room_and_folder(results, monkeypatch):
    path = store.record("t.csv", [{"name": "a", "x": 1}], ("name",))
    before = path.read_bytes()
    monkeypatch.setattr(csv.DictWriter, "writerows", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(
        OSError, match=r"^the disk is full: [\d,.]+ MB are left in .*results; the rows before this one are"
    ):
        store.record("t.csv", [{"name": "b", "x": 2}], ("name",))
    assert path.read_bytes() == before and not list(results.glob("*.part"))


def test_a_folder_where_a_file_is_meant_is_named_and_left(results):
    (results / "t.csv").mkdir(parents=True)
    for attempt in (lambda: store.record("t.csv", [{"a": 1}], ("a",)), lambda: store.read_results("t.csv")):
        with pytest.raises(IsADirectoryError, match=r"t.csv is a folder, and a file of results is meant") as told:
            attempt()
        assert "delete" not in str(told.value).lower()


def test_unfinished_runs_lie_where_helpers_runs_says(monkeypatch, tmp_path):
    monkeypatch.delenv("HELPERS_RUNS", raising=False)
    assert store.runs_folder() == ROOT / "data" / "runs"
    monkeypatch.setenv("HELPERS_RUNS", str(tmp_path / "there"))
    assert store.runs_folder() == tmp_path / "there" and store.runs_folder(trial=True) == tmp_path / "there" / "trials"
    (tmp_path / "there").write_text("a file", encoding="utf-8")
    with pytest.raises(NotADirectoryError, match="there is a file: set HELPERS_RUNS to another"):
        store.runs_folder()


# -------------------------------------------------------------------------------- where a row comes from


def test_provenance_says_what_made_a_row(monkeypatch):
    words = ["article", "--recipes", "done right", "as printed"]
    monkeypatch.setattr(store.sys, "argv", ["/somewhere/helpers/__main__.py", *words])
    made = store.provenance(12.6, "abc", "CPU")
    assert tuple(made) == store.PROVENANCE, "the columns of the files"
    assert shlex.split(made["command"]) == ["python", "-m", "helpers", *words] and made["seconds"] == "13"
    assert made["torch"] == torch.__version__.split("+")[0] and made["threads"] == str(torch.get_num_threads())
    assert made["python"] == ".".join(map(str, sys.version_info[:3])) and made["numpy"] and made["date"]
    assert (made["code"], made["device"]) == ("abc", "CPU") and "/" not in made["command"]


def git(folder, *words: str) -> str:
    settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=m"]
    told = subprocess.run(["git", *settings, "-C", folder, *words], capture_output=True, text=True, check=True)
    return told.stdout.strip()


def test_the_commit_tells_when_the_code_differs_from_it(monkeypatch, tmp_path):
    monkeypatch.delenv("HELPERS_COMMIT", raising=False)
    monkeypatch.setattr(store, "ROOT", tmp_path)
    assert store.commit() == "", "no git, no commit"
    for folder in ("helpers", "data"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("before", encoding="utf-8")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    name = git(tmp_path, "rev-parse", "--short", "HEAD")
    (tmp_path / "data" / "file").write_text("a new row", encoding="utf-8")
    assert store.commit() == name and len(name) >= 7
    (tmp_path / "helpers" / "new.py").write_text("", encoding="utf-8")
    assert store.commit() == f"{name}+"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert store.commit() == ""


def code_of(text: str, monkeypatch, tmp_path) -> str:
    """`code_of` the function `f` in a file of its own."""
    path = tmp_path / f"module_{abs(hash(text))}.py"
    path.write_text(text, encoding="utf-8")
    names = {}
    exec(compile(text, str(path), "exec"), names)
    return store.code_of((names["f"],))


FUNCTION = "def f(x, rate=0.1):\n    return x * rate\n"


@pytest.mark.parametrize("other", [
    'def f(x, rate=0.1):\n    """Says what it does."""\n    return x * rate\n',
    "def f(x, rate=0.1):  # why\n\n    return (x *\n            rate)\n",
])  # fmt: skip
def test_comments_docstrings_and_layout_are_no_other_code(other, monkeypatch, tmp_path):
    assert code_of(other, monkeypatch, tmp_path) == code_of(FUNCTION, monkeypatch, tmp_path)


@pytest.mark.parametrize("other", [
    FUNCTION.replace("0.1", "0.2"), FUNCTION.replace("x * rate", "x / rate"), FUNCTION.replace("x, rate", "x, *, rate"),
    "def f(x, rate=0.1):\n    'a'\n    print()\n    return x * rate\n",
])  # fmt: skip
def test_any_other_change_is_other_code(other, monkeypatch, tmp_path):
    assert code_of(other, monkeypatch, tmp_path) != code_of(FUNCTION, monkeypatch, tmp_path)


def test_classes_and_values_count_too():
    assert store.code_of((Batches, 0.1)) != store.code_of((Batches, 0.2)) != store.code_of((Counter, 0.2))
    assert store.code_of(({"a": (1, 2)},)) == store.code_of(({"a": (1, 2)},)) and len(store.code_of(())) == 12
    with pytest.raises(TypeError, match="must print alike every time, and this does not"):
        store.code_of(({"f": lambda: 0},))


def test_a_hash_is_never_read_as_a_number(results):
    store.record("t.csv", [{"a": 1, "commit": "12e4567", "code": "000000000012", "python": "3.10"}], ("a",))
    (row,) = store.read_results("t.csv")
    assert row == {"a": 1, "commit": "12e4567", "code": "000000000012", "python": "3.10"}
    assert store.same("0.50", 0.5) and store.same("a", "a") and not store.same("a", "b") and not store.same("", 0)
    assert os.environ.get("HELPERS_COMMIT") is None


def test_the_datasheet_has_a_line_for_every_file_and_the_command_that_makes_it():
    said = {}
    for line in (DATA / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and ".csv`" in cells[0]:
            said |= dict.fromkeys(re.findall(r"`(\w+\.csv)`", cells[0]), cells[1])
    there = {path.name for path in (DATA / "results").glob("*.csv")}
    assert not there - set(said), "files that the datasheet leaves out"
    known = commands()
    for name in there:
        made_by = re.findall(r"python -m helpers (\w+)", said[name])
        assert made_by and set(made_by) <= set(known), f"{name}: {said[name]}"
