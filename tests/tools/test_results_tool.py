"""`python -m helpers results`: which rows were made by today's code."""

import pytest

from helpers import __main__ as command
from helpers import results as store
from helpers.lessons.lesson_05 import train
from helpers.tools import results as tool


@pytest.fixture
def rows(results, monkeypatch):
    """Three rows of the zoo: by today's code, by other code, older than the question."""
    monkeypatch.setattr(tool, "RESULTS", results)
    rows = [
        {"width": width, "resolution": 32, "seed": 0, "accuracy": 0.5, "commit": "abc", "code": code}
        for width, code in ((0.25, train.STUDY.code), (0.5, "other"), (1.0, ""))
    ]
    store.record("zoo.csv", rows, train.KEY)
    store.record("zoo_curves.csv", [{**row, "epoch": 1} for row in rows[:1]], (*train.KEY, "epoch"))
    store.record("strange.csv", [{"a": 1}], ("a",))
    return rows


def line_of(name: str, capsys) -> list[str]:
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith(f"{name} "))
    return line.split()[1:]


@pytest.mark.parametrize(("name", "line"), [
    ("zoo.csv", ["3", "1", "1", "1", "train"]), ("zoo_curves.csv", ["1", "1", "0", "0", "train"]),
    ("transfer.csv", ["0", "0", "0", "0", "transfer"]), ("strange.csv", ["1", "0", "0", "1", "no", "command"]),
])  # fmt: skip
def test_each_file_has_a_line(rows, capsys, name, line):
    assert command.main(["results"]) == 0
    assert line_of(name, capsys) == line


def test_accepting_writes_the_hash_and_nothing_else(rows, capsys):
    assert command.main(["results", "--accept", "zoo"]) == 0
    assert line_of("zoo.csv", capsys)[:4] == ["3", "3", "0", "0"]
    assert store.stored("zoo.csv") == [
        {column: str(value) for column, value in {**row, "code": train.STUDY.code}.items()} for row in rows
    ]


@pytest.mark.parametrize("name", ["strange", "nowhere.csv", "transfer"])
def test_only_what_a_study_makes_can_be_accepted(rows, capsys, name):
    assert command.main(["results", "--accept", name]) == 1
    assert capsys.readouterr().err.startswith(f"ValueError: data/results/ has no file {name.removesuffix('.csv')}.csv")


def test_every_committed_file_has_a_command():
    owners = tool.all_studies()
    assert {path.name for path in store.RESULTS.glob("*.csv")} <= set(owners)
    for name, (_, study) in owners.items():
        rows = store.stored(name)
        assert not rows or {*study.key} <= {*rows[0]}, f"{name} has no column of its key"
