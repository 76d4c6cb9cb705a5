"""Long runs: only what is missing, nothing replaced unasked, several processes from a copy of the code."""

import argparse
import csv
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from helpers import ROOT, results
from helpers.runs import studies


class World:
    """A study of rows {"name", "epochs"} whose measuring is counted."""

    def __init__(self):
        self.measured, self.prepared, self.lines, self.code = [], 0, [], "today"

    def study(self, **changes) -> studies.Study:
        def prepare(run):
            self.prepared += 1
            return "images"

        def measure(unit, run):
            assert run.world == "images"
            self.measured.append(unit["name"])
            return {"accuracy": 0.5}

        def units(options):
            return [{"name": name, "epochs": options.epochs} for name in options.names]

        given = {"file": "t.csv", "key": ("name",), "units": units, "measure": measure, "prepare": prepare}
        return studies.Study(**{**given, "made_by": (self.code,), **changes})

    def __call__(self, *words: str, **changes) -> int:
        parser = argparse.ArgumentParser()
        parser.add_argument("--names", nargs="+", default=["a", "b"])
        parser.add_argument("--epochs", type=studies.count, default=16)
        studies.arguments(parser)
        self.measured.clear()
        self.lines.clear()
        return studies.run(parser.parse_args(words), self.lines.append, self.study(**changes))


@pytest.fixture
def world(results, monkeypatch, tmp_path) -> World:
    monkeypatch.setenv("HELPERS_RUNS", str(tmp_path / "runs"))
    return World()


def test_rows_that_are_there_are_not_made_again(world):
    assert world("--names", "a") == 0 and world.measured == ["a"] and world.prepared == 1
    world("--missing")
    assert world.measured == ["b"] and world.lines == ["1 of 2 rows are there already"]
    world()
    assert world.measured == [] and world.prepared == 2, "nothing is loaded for nothing"
    rows = results.stored("t.csv")
    assert [(row["name"], row["epochs"], row["accuracy"], row["code"]) for row in rows] == [
        (name, "16", "0.5", results.code_of(("today",))) for name in "ab"
    ]
    assert rows[0]["device"] == "CPU" and rows[0]["date"]


def test_rows_of_other_code_are_named_and_made_anew_when_asked(world):
    world()
    world.code = "tomorrow"
    world("--names", "a", "b", "c")
    assert world.measured == ["c"]
    assert world.lines == ["2 of 3 rows are there already, made by other code (--again makes them anew)"]
    world("--again")
    assert world.measured == ["a", "b"] and {row["code"] for row in results.stored("t.csv")} == {
        results.code_of(("tomorrow",))
    }


def test_rows_older_than_the_hash_stay_unless_asked(world):
    results.record("t.csv", [{"name": "a", "epochs": 16, "accuracy": 0.4}], ("name",))
    world()
    assert world.measured == ["b"]
    world("--again")
    assert world.measured == ["a"] and {row["accuracy"] for row in results.stored("t.csv")} == {"0.5"}


def test_rows_of_other_settings_are_kept_before_anything_is_run(world):
    world()
    before = (results.RESULTS / "t.csv").read_bytes()
    for words in (["--epochs", "1"], ["--epochs", "1", "--again"], ["--epochs", "1", "--names", "c", "a"]):
        with pytest.raises(
            ValueError, match=r"t.csv has the row of name a, epochs 1 with epochs 16, not 1: only --over"
        ):
            world(*words)
        assert world.measured == [] and (results.RESULTS / "t.csv").read_bytes() == before
    world("--epochs", "1", "--names", "a", "--overwrite")
    assert world.measured == ["a"] and [row["epochs"] for row in results.stored("t.csv")] == ["1", "16"]


def test_empty_cells_of_older_rows_mean_what_the_study_says(world):
    results.record("t.csv", [{"name": "a", "accuracy": 0.5}], ("name",))
    world("--names", "a", older={"epochs": 16})
    assert world.measured == []
    with pytest.raises(ValueError, match="with epochs 16, not 8"):
        world("--names", "a", "--epochs", "8", older={"epochs": 16})


def test_a_trial_records_nothing_and_keeps_its_runs_apart(world):
    paths = []
    measure = lambda unit, run: paths.append(run.checkpoint("t", unit, "name")) or {}  # noqa: E731
    world("--limit", "5", measure=measure)
    assert world.lines == ["a run on fewer images is only a trial: nothing is recorded"]
    assert not results.RESULTS.exists()
    world(measure=measure)
    world("--limit", "6", measure=measure)
    assert [path.parent.name for path in paths] == ["trials"] * 2 + ["runs"] * 2 + ["trials"] * 2
    assert len({path.name for path in paths}) == 6 and paths[0].name.startswith("t_a_")


def test_checkpoints_of_other_code_and_settings_never_meet(world):
    paths = []
    measure = lambda unit, run: paths.append(run.checkpoint("t", unit, "name")) or {}  # noqa: E731
    world("--names", "a", measure=measure)
    world("--names", "a", "--overwrite", measure=measure)
    world.code = "tomorrow"
    world("--names", "a", "--overwrite", measure=measure)
    world("--names", "a", "--epochs", "1", "--overwrite", measure=measure)
    assert paths[0] == paths[1] and len(set(paths)) == 3


def test_a_row_that_another_process_makes_is_left_to_it(world):
    with results.locked(world.study().claim({"name": "a", "epochs": 16}, argparse.Namespace(device="cpu"))):
        world()
    assert world.measured == ["b"] and world.lines == ["name a, epochs 16: another process is at it"]
    world()
    assert world.measured == ["a"]


def test_a_row_that_appeared_meanwhile_is_not_made_again(world):
    def measure(unit, run):
        world.measured.append(unit["name"])
        results.record("t.csv", [{"name": "b", "epochs": 16}], ("name",))
        return {}

    world(measure=measure)
    assert world.measured == ["a"]


def test_what_a_study_forbids_is_not_run(world):
    def check(units, options):
        raise ValueError(f"no {units[0]['name']}")

    with pytest.raises(ValueError, match="no a"):
        world(check=check)
    assert world.measured == []


def test_rows_under_shifted_seeds_are_refused(world, monkeypatch):
    monkeypatch.setenv("HELPERS_SEED", "3")
    with pytest.raises(ValueError, match="HELPERS_SEED shifts the seeds"):
        world()


def test_another_device_has_a_file_of_its_own(world):
    options = argparse.Namespace(device="cuda:1")
    assert studies.file_on("zoo.csv", options) == "zoo_cuda.csv"
    assert studies.file_on("zoo.csv", argparse.Namespace(device="cpu")) == "zoo.csv"


def test_stopping_says_what_is_safe(world):
    def measure(unit, run):
        raise KeyboardInterrupt

    with pytest.raises(
        KeyboardInterrupt, match=r"the rows in data/results/t.csv and the finished epochs in .*runs are sa"
    ):
        world(measure=measure)


def test_a_kept_tensor_is_made_once(tmp_path):
    made = []
    for _ in range(2):
        found = studies.kept(tmp_path / "a" / "x.pt", lambda: made.append(1) or torch.arange(3))
        assert found.tolist() == [0, 1, 2] and made == [1]


@pytest.mark.parametrize("word", ["--limit", "--overwrite"])
def test_some_options_go_with_one_process(world, word):
    with pytest.raises(ValueError, match="--limit and --overwrite go with one process"):
        world("--processes", "2", word, *(["5"] if word == "--limit" else []))


@pytest.mark.parametrize(
    "words, told",
    [
        (["--limit", "0"], "--limit: it is a whole number of at least 1, not 0"),
        (["--limit", "-5"], "--limit: it is a whole number of at least 1, not -5"),
        (["--limit", "many"], "--limit: it is a whole number of at least 1, not many"),
        (["--processes", "0"], "--processes: it is a whole number of at least 1, not 0"),
        (["--device", "warp"], "--device: there is no device warp here"),
    ],
)
def test_wrong_options_are_refused_in_a_sentence(world, words, told, capsys):
    with pytest.raises(SystemExit):
        world(*words)
    assert told in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named(world, capsys):
    with pytest.raises(SystemExit):
        world("--device", "cuda")
    assert "--device: there is no device cuda here: this machine has cpu" in capsys.readouterr().err


# -------------------------------------------------------------------------------- several processes

TINY = '''
"""A study of six rows that says which code made it, and with what."""
import os, time, torch
from pathlib import Path
from helpers import ROOT
from helpers.runs import studies

def arguments(parser):
    studies.arguments(parser)

def measure(unit, run):
    time.sleep(0.4)
    (ROOT / "started").touch()
    while unit["n"] > 2 and (ROOT / "wait").exists():
        time.sleep(0.1)
    return {"process": os.getpid(), "word": "before"}

STUDY = studies.Study("tiny.csv", ("n",), lambda options: [{"n": n} for n in range(6)], measure, made_by=(measure,))

def run(options, log):
    return studies.run(options, log, STUDY)
'''


@pytest.fixture
def checkout(tmp_path):
    """A checkout with the study TINY in it, without git and with nothing in data.

    Its processes keep their priority: on a busy machine the lowest would not get to run for minutes.
    """
    folder = tmp_path / "a checkout"
    (folder / "data").mkdir(parents=True)
    shutil.copytree(ROOT / "helpers", folder / "helpers", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "helpers" / "tools" / "tiny.py").write_text(TINY, encoding="utf-8")
    studies_file = folder / "helpers" / "runs" / "studies.py"
    code = studies_file.read_text(encoding="utf-8")
    assert "os.nice(19)" in code
    studies_file.write_text(code.replace("os.nice(19)", "os.nice(0)"), encoding="utf-8")
    return folder


def start(checkout, *words: str) -> subprocess.Popen:
    unwanted = ("HELPERS_RUNS", "HELPERS_COMMIT", "HELPERS_COPY_OF", "HELPERS_SEED")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "helpers", *words], env=environment | {"PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        # what a shell starts with `&` ignores Ctrl-C, and so would this
        preexec_fn=None if os.name == "nt" else lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def wait_for(path, running) -> None:
    for _ in range(3_000):
        if path.exists():
            return
        if running.poll() is not None:
            pytest.fail(f"the command ended before {path} came: {running.communicate()[1]}")
        time.sleep(0.1)
    running.kill()
    pytest.fail(f"{path} did not come")


def read(checkout) -> list[dict]:
    with open(checkout / "data" / "results" / "tiny.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.skipif(not hasattr(os, "nice"), reason="this system has no nice")
def test_processes_start_at_the_lowest_priority_with_one_thread(world, monkeypatch):
    started = []

    class Process:
        def __init__(self, command, env, preexec_fn):
            started.append((command, env, preexec_fn))

        def wait(self):
            return len(started) - 1  # the first ends well, the second does not

        def poll(self):
            return 0

    monkeypatch.setattr(subprocess, "Popen", Process)
    monkeypatch.setattr(studies, "commit", lambda: "abc1234")  # asks git, by Popen
    parser = argparse.ArgumentParser()
    studies.arguments(parser)
    options = parser.parse_args(["--processes", "2"])
    options.words = ["tiny", "--processes", "2"]
    assert studies.run(options, world.lines.append, world.study()) == 1
    lowered = []
    monkeypatch.setattr(os, "nice", lowered.append)
    for command, env, preexec in started:
        preexec()
        assert command[1:] == ["-P", "-m", "helpers", "tiny", "--processes", "2"]
        assert env["OMP_NUM_THREADS"] == env["MKL_NUM_THREADS"] == "1" and env["HELPERS_COMMIT"] == "abc1234"
        assert env["HELPERS_COPY_OF"] == str(ROOT) and not env["PYTHONPATH"].startswith(str(ROOT))
    assert lowered == [19, 19] and world.measured == []


def test_two_processes_share_the_rows_and_work_from_a_copy(checkout):
    command = ["tiny", "--missing", "--processes", "2"]
    running = start(checkout, *command)
    wait_for(checkout / "started", running)
    (checkout / "helpers" / "tools" / "tiny.py").write_text(TINY.replace("before", "after"), encoding="utf-8")
    (checkout / "helpers" / "results.py").write_text("raise SystemError('edited while it runs')", encoding="utf-8")
    told, error = running.communicate(timeout=300)
    assert running.returncode == 0 and error == "", error
    rows = read(checkout)
    assert [row["n"] for row in rows] == list("012345") and {row["word"] for row in rows} == {"before"}
    assert len({row["process"] for row in rows}) == 2
    assert {(row["threads"], row["commit"]) for row in rows} == {("1", "")}
    assert {row["command"] for row in rows} == {shlex.join(["python", "-m", "helpers", *command])}
    assert "2 processes, from a copy of the code" in told


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT for another process")
def test_ctrl_c_says_what_is_safe_in_one_sentence_and_the_same_command_goes_on(checkout):
    (checkout / "wait").touch()  # so that it is not through before it is stopped
    running = start(checkout, "tiny", "--processes", "2")
    wait_for(checkout / "data" / "results" / "tiny.csv", running)
    running.send_signal(signal.SIGINT)
    _, error = running.communicate(timeout=300)
    assert running.returncode == 130 and error.startswith("Stopped: the rows in data/results/tiny.csv"), error
    assert error.rstrip().endswith("are safe, and the same command goes on from there.") and error.count("\n") == 1
    made = read(checkout)
    assert 0 < len(made) < 4
    (checkout / "wait").unlink()
    again = start(checkout, "tiny")
    assert again.wait(300) == 0, again.stderr.read()
    assert len(read(checkout)) == 6 and all(row in read(checkout) for row in made)
