"""How long threads wait and how many there are: said before PyTorch loads, from files that the test writes."""

import json
import os
import subprocess
import sys

import pytest

from helpers import threads


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function: write the control group files of a made-up machine with eight cores; returns its root folder."""
    monkeypatch.setattr(threads, "visible_cores", lambda: 8)

    def write(files: dict[str, str]):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n", encoding="utf-8")
        return tmp_path

    return write


V2, V1 = "sys/fs/cgroup", "sys/fs/cgroup/cpu"
V1_GROUPS = "7:blkio:/docker/a\n4:cpuacct,cpu:/docker/a\n0::/"


@pytest.mark.parametrize(
    "files, cores",
    [
        ({}, 8),
        ({"proc/self/cgroup": "0::/"}, 8),
        ({"proc/self/cgroup": "0::/", f"{V2}/cpu.max": "200000 100000"}, 2),
        ({"proc/self/cgroup": "0::/", f"{V2}/cpu.max": "max 100000"}, 8),
        ({"proc/self/cgroup": "0::/", f"{V2}/cpu.max": "765000 100000"}, 7),
        ({"proc/self/cgroup": "0::/", f"{V2}/cpu.max": "50000 100000"}, 1),
        ({"proc/self/cgroup": "0::/", f"{V2}/cpu.max": "1600000 100000"}, 8),
        ({"proc/self/cgroup": "0::/", f"{V2}/cpu.max": "300000 50000"}, 6),
        ({"proc/self/cgroup": "0::/user/job", f"{V2}/user/job/cpu.max": "300000 100000"}, 3),
        # the strictest of the groups around the process counts
        (
            {
                "proc/self/cgroup": "0::/user/job",
                f"{V2}/user/cpu.max": "200000 100000",
                f"{V2}/user/job/cpu.max": "500000 100000",
            },
            2,
        ),
        # another job's quota does not
        ({"proc/self/cgroup": "0::/user/job", f"{V2}/user/other/cpu.max": "100000 100000"}, 8),
        # in a container whose own group is mounted at the top, the path may lead outside
        ({"proc/self/cgroup": "0::/../outside", f"{V2}/cpu.max": "200000 100000"}, 2),
        # version 1
        ({"proc/self/cgroup": V1_GROUPS, f"{V1}/cpu.cfs_quota_us": "400000", f"{V1}/cpu.cfs_period_us": "100000"}, 4),
        ({"proc/self/cgroup": V1_GROUPS, f"{V1}/cpu.cfs_quota_us": "-1", f"{V1}/cpu.cfs_period_us": "100000"}, 8),
        (
            {
                "proc/self/cgroup": V1_GROUPS,
                f"{V1},cpuacct/docker/a/cpu.cfs_quota_us": "150000",
                f"{V1},cpuacct/docker/a/cpu.cfs_period_us": "50000",
            },
            3,
        ),
        ({"proc/self/cgroup": V1_GROUPS, f"{V1}/cpu.cfs_quota_us": "400000"}, 8),
        # files that say nothing useful
        ({"proc/self/cgroup": "0::/", f"{V2}/cpu.max": "two cores"}, 8),
        ({"proc/self/cgroup": "nonsense", f"{V2}/cpu.max": "200000 100000"}, 8),
        ({"proc/self/cgroup": "0::/", f"{V2}/cpu.max": "200000 0"}, 8),
    ],
)
def test_no_more_cores_than_the_quota_grants(machine, files, cores):
    assert threads.granted_cores(machine(files)) == cores


NAMES = ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_WAIT_POLICY", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def said() -> dict[str, str]:
    """What the environment says about threads."""
    return {name: os.environ[name] for name in NAMES if name in os.environ}


@pytest.fixture
def before_torch(monkeypatch):
    """As if PyTorch were not loaded, on eight cores, with an environment that says nothing about threads."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    for name in NAMES:
        monkeypatch.setenv(name, "so that it is put back")
        monkeypatch.delenv(name)
    monkeypatch.setattr(threads, "visible_cores", lambda: 8)
    monkeypatch.setattr(threads, "granted_cores", lambda: 8)
    return monkeypatch


def test_threads_spin_briefly(before_torch):
    assert threads.settle() is True
    assert said() == {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}


def test_a_quota_limits_the_threads(before_torch):
    before_torch.setattr(threads, "granted_cores", lambda: 3)
    threads.settle()
    assert said()["OMP_NUM_THREADS"] == said()["MKL_NUM_THREADS"] == "3"


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_a_number_of_threads_that_was_set_stays(before_torch, name):
    before_torch.setattr(threads, "granted_cores", lambda: 3)
    before_torch.setenv(name, "6")
    threads.settle()
    assert {key: value for key, value in said().items() if key.endswith("NUM_THREADS")} == {name: "6"}


@pytest.mark.parametrize(
    "mine, after",
    [
        ({"GOMP_SPINCOUNT": "infinity"}, {"GOMP_SPINCOUNT": "infinity", "KMP_BLOCKTIME": "1"}),
        ({"KMP_BLOCKTIME": "200"}, {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "200"}),
        ({"OMP_WAIT_POLICY": "PASSIVE"}, {"OMP_WAIT_POLICY": "PASSIVE"}),
    ],
)
def test_a_way_to_wait_that_was_set_stays(before_torch, mine, after):
    for name, value in mine.items():
        before_torch.setenv(name, value)
    threads.settle()
    assert said() == after


def test_too_late_is_quiet_and_changes_nothing(before_torch, capsys):
    before_torch.setitem(sys.modules, "torch", object())
    assert threads.settle() is False and said() == {} and capsys.readouterr() == ("", "")


PROCESS = """
import json, os
import helpers
import torch
print(json.dumps([os.environ["GOMP_SPINCOUNT"], torch.get_num_threads(), helpers.threads.settle()]))
"""


@pytest.mark.parametrize("given, used", [({}, None), ({"OMP_NUM_THREADS": "1"}, 1)])
def test_pytorch_obeys(given, used):
    """In a process of its own; the second call comes too late."""
    rest = {name: value for name, value in os.environ.items() if name not in NAMES}
    done = subprocess.run([sys.executable, "-c", PROCESS], env=rest | given, capture_output=True, text=True, check=True)
    spin, count, again = json.loads(done.stdout)
    assert spin == "1000" and again is False
    assert count == used if used else 1 <= count <= threads.granted_cores()
