"""The benchmark of a busy machine: what is started, beside what, and what is printed. No test here asks how long."""

import os
import subprocess
import sys

import pytest

from helpers import __main__ as command
from helpers.tools import bench


@pytest.fixture
def started(monkeypatch):
    """The processes that would be started: (code, what the environment says about waiting and threads)."""
    calls = []

    def run(line, env, **_):
        names = (*bench.WAITING, "OMP_NUM_THREADS")
        calls.append((line[2], {name: env[name] for name in names if name in env}))
        return subprocess.CompletedProcess(line, 0, stdout=f"{len(calls)}.5\n")

    monkeypatch.setattr(bench.subprocess, "run", run)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return calls


def test_each_way_to_wait_is_tried_in_a_process_of_its_own(started):
    for variables in bench.WAYS.values():
        bench.epoch_elsewhere(variables)
    for variables in bench.MORE_WAYS.values():
        bench.epoch_elsewhere(variables)
    codes, said = zip(*started, strict=True)
    assert [code.split(";")[0] for code in codes] == ["import torch", "import helpers"] + ["import torch"] * 5
    assert said == (
        {},
        {},
        {"OMP_WAIT_POLICY": "PASSIVE"},
        {"GOMP_SPINCOUNT": "1000"},
        {"GOMP_SPINCOUNT": "10000"},
        {"GOMP_SPINCOUNT": "100000"},
        {"OMP_NUM_THREADS": "1"},
    )


def test_the_table_says_alone_and_beside(started, monkeypatch, capsys):
    with_company = []
    monkeypatch.setattr(bench, "company", lambda count: with_company.append(count) or bench.contextmanager(iter)([0]))
    assert command.main(["bench", "busy", "--rounds", "3"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "1,250 images" in told[0] and "median of 3" in told[0]
    # epochs 1 to 3 alone, 4 to 6 in company; then the same as helpers says
    assert " ".join(told[2].split()) == "as PyTorch comes 2.5 s 5.5 s 2.2 times as long"
    assert " ".join(told[3].split()) == "as helpers says 8.5 s 11.5 s 1.4 times as long"
    assert len(with_company) == 2 and min(with_company) >= 1


def test_rounds_are_positive(capsys):
    assert command.main(["bench", "busy", "--rounds", "0"]) == 1
    assert "--rounds is 1 or more, not 0" in capsys.readouterr().err


def test_company_keeps_cores_busy_and_leaves_nothing_behind(monkeypatch):
    programs, start = [], subprocess.Popen

    def remember(line):
        programs.append(start(line))
        return programs[-1]

    monkeypatch.setattr(bench.subprocess, "Popen", remember)
    with pytest.raises(RuntimeError), bench.company(2):
        assert [program.poll() for program in programs] == [None, None], "they run"
        raise RuntimeError
    assert len(programs) == 2 and all(program.poll() is not None for program in programs)


def test_an_epoch_is_timed_where_the_threads_are_settled():
    """Once for real, with few images."""
    code = "import helpers; from helpers.tools.bench import one_epoch; print(one_epoch(100))"
    one = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=one, capture_output=True, text=True, check=True)
    assert float(done.stdout) > 0


def test_batches_is_held_to_the_faster_of_the_two_loaders(monkeypatch, capsys):
    # warm-up and three passes of each: the median counts, and the warm-up does not
    rates = iter([1, 100, 900, 200, 1, 400, 500, 300, 1, 1200, 1000, 1100])
    monkeypatch.setattr(bench, "images_per_second", lambda batches: next(rates))
    assert bench.bench_data() == 1100 / 400
    told = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert told[1] == "DataLoader, 0 workers 200 images/s (100, 200, 900)"
    assert told[-1] == "Batches is 2.8 times as fast as the faster DataLoader"
