"""Records that are added, replaced and never half-written, and what a row says of its making."""

import csv

import pytest
import torch

from helpers import results as store


def test_record_adds_and_replaces_by_key(results, rows_of):
    store.record("t.csv", [{"width": 1.0, "seed": 0, "accuracy": "0.5"}], ("width", "seed"))
    store.record("t.csv", [{"width": 0.25, "seed": 0, "accuracy": "0.4"}], ("width", "seed"))
    store.record("t.csv", [{"width": 1.0, "seed": 0, "accuracy": "0.6"}], ("width", "seed"))
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
    assert "\n1,1,c" in path.read_text()
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
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(csv.DictWriter, "writerows", rows)
    with pytest.raises(OSError, match="No space left"):
        store.record("t.csv", [{"name": "b", "x": 2}], ("name",))
    assert path.read_bytes() == before


def test_provenance_says_what_made_a_row(monkeypatch):
    monkeypatch.setattr(store.sys, "argv", ["/somewhere/helpers/__main__.py", "train", "--width", "0.5"])
    made = store.provenance(12.6)
    assert made["command"] == "python -m helpers train --width 0.5" and made["seconds"] == "13"
    assert made["torch"] == torch.__version__.split("+")[0] and made["threads"] == str(torch.get_num_threads())
    assert "/" not in made["command"] and all(made.values())
