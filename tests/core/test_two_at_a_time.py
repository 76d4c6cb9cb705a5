"""Tests run two files at a time, a thread each; a single file is not shared out, and no notebook's cells part."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from helpers import ROOT, threads


@pytest.fixture
def settings(pytestconfig):
    """The repository's conftest.py, as pytest has loaded it."""
    (found,) = [one for one in pytestconfig.pluginmanager.get_plugins()
                if getattr(one, "__file__", None) == str(ROOT / "conftest.py")]  # fmt: skip
    return found


@pytest.mark.parametrize(
    "args, cores, workers",
    [
        (["tests", "notebooks"], 2, 2),
        (["notebooks"], 8, 2),
        (["tests/core/test_data.py", "tests/core/test_costs.py"], 2, 2),
        (["tests/core/test_data.py"], 2, 0),
        (["tests/core/test_data.py::test_one"], 2, 0),
        (["tests", "notebooks"], 1, 0),
    ],
)
def test_two_workers_where_there_is_something_to_share(settings, monkeypatch, args, cores, workers):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(threads, "granted_cores", lambda: cores)
    config = SimpleNamespace(args=args, option=SimpleNamespace(dist="loadfile"))
    assert settings.pytest_xdist_auto_num_workers(config) == workers
    assert config.option.dist == ("loadfile" if workers else "no")


def test_a_file_stays_with_one_worker_and_has_one_thread(tmp_path):
    """Cells of a notebook build on one another: a worker has all of them."""
    words = "import os\nimport pytest\n\n\n@pytest.mark.parametrize('n', range(6))\ndef test_who(n):\n"
    words += "    with open(os.environ['SEEN'], 'a') as file:\n"
    words += "        print(os.environ['PYTEST_XDIST_WORKER'], os.environ['OMP_NUM_THREADS'], {name!r}, file=file)\n"
    for name in ("test_a.py", "test_b.py"):
        (tmp_path / name).write_text(words.format(name=name), encoding="utf-8")
    seen, command = tmp_path / "seen", [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"]
    unwanted = ("PYTEST_XDIST_WORKER", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTEST_ADDOPTS")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    run = subprocess.run(
        [*command, "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "--confcutdir", str(ROOT),
         "-p", "conftest", str(tmp_path)],
        cwd=ROOT, env=environment | {"SEEN": str(seen), "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    lines = [line.split() for line in seen.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 12 and {count for _, count, _ in lines} == {"1"}
    for name in ("test_a.py", "test_b.py"):
        assert len({worker for worker, _, file in lines if file == name}) == 1
