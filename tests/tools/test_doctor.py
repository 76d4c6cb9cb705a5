"""Made-up illnesses, one at a time: each is told in a sentence with what to do, and only it."""

import json
import os
import shutil
import subprocess
import sys
from importlib import metadata

import pytest

from helpers import DATA, ROOT, threads
from helpers import __main__ as command
from helpers.tools import doctor, jupyters


def only(monkeypatch, *names):
    """The other checks are left out."""
    monkeypatch.setattr(doctor, "CHECKS", {name: doctor.CHECKS[name] for name in names})


def found(capsys) -> list[str]:
    """What is not ok, without the last line."""
    return [line for line in capsys.readouterr().out.splitlines()[:-2] if not line.startswith("ok")]


def test_a_class_s_machine_with_a_checkout_that_it_may_not_write_is_well(classroom, desk):
    told = classroom.run("doctor")
    lines = told.stdout.splitlines()
    assert told.returncode == 0, told.stdout + told.stderr
    assert lines[-1] == "The lessons can run here." and not told.stderr
    notes = [line for line in lines if line.startswith("note  writing")]
    assert len(notes) == 2, told.stdout
    assert "lessons cannot be saved where they lie (Permission denied): `python -m helpers workbook" in notes[0]
    assert "set HELPERS_RUNS to a folder of your own first" in notes[1]
    assert {line.split(":")[0].split()[1] for line in lines if ":" in line} == set(doctor.CHECKS)
    assert any("28 files of images and weights" in line for line in lines) == (len(list(sums())) == 28)


def sums():
    for path in (DATA / "weights").glob("*.sha256"):
        yield from path.read_text(encoding="utf-8").splitlines()
    for name in ("cifar10-sample", "photos"):
        yield from (DATA / name / "SHA256SUMS").read_text(encoding="utf-8").splitlines()


def test_a_damaged_a_missing_and_an_unlisted_file_are_told(monkeypatch, tmp_path, capsys):
    shutil.copytree(DATA / "weights", tmp_path / "data" / "weights")
    for name in ("cifar10-sample", "photos"):
        shutil.copytree(DATA / name, tmp_path / "data" / name)
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    monkeypatch.setattr(doctor, "DATA", tmp_path / "data")
    only(monkeypatch, "files")
    assert command.main(["doctor"]) == 0 and found(capsys) == []
    weights, sheet = (
        tmp_path / "data" / "weights" / "small_cnn.safetensors",
        tmp_path / "data" / "cifar10-sample" / "test",
    )
    blob = weights.read_bytes()
    weights.write_bytes(blob[:-1] + bytes([blob[-1] ^ 1]))
    (sheet / "cat.png").unlink()
    monkeypatch.setenv("CIFAR10_DIR", "/nowhere")
    assert command.main(["doctor"]) == 1
    advice = "`git checkout data`, or fetch the repository again"
    assert found(capsys) == [
        f"WRONG files: {os.path.join('data', 'cifar10-sample', 'test', 'cat.png')} is missing: {advice}",
        f"WRONG files: {os.path.join('data', 'weights', 'small_cnn.safetensors')} is damaged (its SHA-256 differs): "
        f"{advice}",
        "WRONG files: CIFAR10_DIR names /nowhere, which is no folder: correct it, or unset it",
    ]


def test_old_and_missing_packages_are_told_with_the_command(monkeypatch, capsys):
    version = metadata.version

    def made_up(name):
        if name == "nbval":
            raise metadata.PackageNotFoundError(name)
        return {"ipywidgets": "7.8.5", "torch": "2.3.0+cpu"}.get(name) or version(name)

    monkeypatch.setattr(metadata, "version", made_up)
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    only(monkeypatch, "versions")
    assert command.main(["doctor"]) == 1
    install = f"`pip install -r requirements.txt` in {ROOT}"
    assert found(capsys) == [
        f"WRONG versions: Python 3.10.4 is not >=3.11: make a virtual environment with a newer one, and {install}",
        f"WRONG versions: torch 2.3.0+cpu is not <2.16,>=2.9: {install}",
        f"WRONG versions: ipywidgets 7.8.5 is not <9,>=8.1: {install}",
        f"WRONG versions: nbval is not installed: {install}",
    ]


def test_torch_and_torchvision_of_two_builds_are_told(monkeypatch, capsys):
    import torchvision

    def foreign(*tensors):
        raise RuntimeError("operator torchvision::nms does not exist\nmore")

    monkeypatch.setattr(torchvision.ops, "nms", foreign)
    only(monkeypatch, "versions")
    assert command.main(["doctor"]) == 1
    (told,) = found(capsys)
    assert "(operator torchvision::nms does not exist): they must come from the same place" in told


def test_without_pytorch_every_other_check_goes_on(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.delitem(sys.modules, "helpers.efficientnet", raising=False)
    monkeypatch.delattr("helpers.efficientnet", raising=False)
    only(monkeypatch, "versions", "files", "memory", "cores")
    assert command.main(["doctor"]) == 1
    told = [line for line in found(capsys) if "memory" not in line]
    assert [line.split(":")[0] for line in told] == ["WRONG versions", "WRONG files", "WRONG cores"]
    assert all("torch" in line and "pip install -r requirements.txt" in line for line in told)


def test_the_doctor_imports_no_pytorch_before_it_looks():
    code = "import sys, helpers.tools.doctor as d; assert not {'torch', 'numpy', 'packaging'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({"proc/self/cgroup": "0::/"}, None),
        ({"proc/self/cgroup": "0::/a", "2/a/memory.max": "max", "2/a/memory.current": "5"}, None),
        ({"proc/self/cgroup": "0::/a", "2/a/memory.max": "900", "2/a/memory.current": "500"}, 400),
        # files that were only read can be dropped
        (
            {"proc/self/cgroup": "0::/a", "2/a/memory.max": "900", "2/a/memory.current": "500",
             "2/a/memory.stat": "anon 1\ninactive_file 100\nactive_file 7"},
            500,
        ),
        # the group around it is narrower
        (
            {"proc/self/cgroup": "0::/a/b", "2/a/memory.max": "600", "2/a/memory.current": "500",
             "2/a/b/memory.max": "900", "2/a/b/memory.current": "1"},
            100,
        ),
        # version 1, seen from inside a container, and its way to write "no limit"
        (
            {"proc/self/cgroup": "4:memory:/docker/x\n3:cpu:/", "1/memory.limit_in_bytes": "900",
             "1/memory.usage_in_bytes": "700", "1/memory.stat": "total_inactive_file 50"},
            250,
        ),
        (
            {"proc/self/cgroup": "4:memory:/", "1/memory.limit_in_bytes": "9223372036854771712",
             "1/memory.usage_in_bytes": "700"},
            None,
        ),
    ],
)  # fmt: skip
def test_a_container_s_share_of_memory(files, left, tmp_path):
    for name, text in files.items():
        name = name.replace("2/", "sys/fs/cgroup/", 1) if name[0] == "2" else name
        name = name.replace("1/", "sys/fs/cgroup/memory/", 1) if name[0] == "1" else name
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n", encoding="utf-8")
    assert doctor.group_free(tmp_path) == left


@pytest.mark.parametrize(
    ("machine", "group", "code", "words"),
    [
        (16e9, None, 0, "ok    memory: 16.0 GB free on this machine"),
        (
            16e9,
            0.7e9,
            1,
            "WRONG memory: 0.7 GB left of what this container may use; a lesson takes up to 1.2, and a kernel ",
        ),
        (1.4e9, 9e9, 0, "note  memory: 1.4 GB free on this machine; a lesson takes up to 1.2: keep one kernel at a"),
        (None, None, 0, "note  memory: how much is free could not be read"),
    ],
)
def test_memory_that_is_short_is_told(machine, group, code, words, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_machine_free", lambda: machine)
    monkeypatch.setattr(doctor, "group_free", lambda: group)
    only(monkeypatch, "memory")
    assert command.main(["doctor"]) == code
    assert capsys.readouterr().out.startswith(words)


@pytest.mark.parametrize(
    ("seen", "granted", "used", "words"),
    [
        (8, 8, 4, "ok    cores: 4 threads of PyTorch on 8 cores\n"),
        (8, 2, 8, "note  cores: 8 threads of PyTorch on 8 cores, of which a quota grants 2: more threads than cores "
         "wait for each other. OMP_NUM_THREADS say so: unset, or set to 2\n"),
        (1, 1, 1, "note  cores: 1 thread of PyTorch on 1 core: the lessons run, about twice as long as they say\n"),
    ],
)  # fmt: skip
def test_threads_beyond_the_quota_are_told(seen, granted, used, words, monkeypatch, capsys):
    import torch

    monkeypatch.setattr(threads, "visible_cores", lambda: seen)
    monkeypatch.setattr(threads, "granted_cores", lambda: granted)
    monkeypatch.setattr(torch, "get_num_threads", lambda: used)
    monkeypatch.setenv("OMP_NUM_THREADS", str(used))
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    only(monkeypatch, "cores")
    assert command.main(["doctor"]) == 0
    assert capsys.readouterr().out.startswith(words)


@pytest.mark.parametrize(
    ("own", "wall", "words"),
    [
        (6, 7, "ok    speed: one picture through MobileNetV2 takes one core 6.0 ms\n"),
        (
            6,
            44,
            "note  speed: one picture through MobileNetV2 takes one core 6.0 ms, and 44.0 by the clock: other programs",
        ),
        (
            80,
            81,
            "note  speed: one picture through MobileNetV2 takes one core 80.0 ms, above 30: is a battery saver on?",
        ),
    ],
)
def test_a_slow_and_a_busy_machine_are_told_apart(own, wall, words, monkeypatch, capsys):
    import time

    from helpers import latency

    def measure(*inputs, clock, **settings):
        seconds = {time.process_time: own, time.perf_counter: wall}[clock] / 1e3
        return latency.Timing(seconds, seconds, seconds, 7, 1, 1, None)

    monkeypatch.setattr(latency, "measure", measure)
    only(monkeypatch, "speed")
    assert command.main(["doctor"]) == 0
    assert capsys.readouterr().out.startswith(words)


WELL = {"python": "/env/bin/python", "helpers": str(ROOT / "helpers" / "__init__.py"), "jupyterlab": "4.6.6",
        "jupyterlab_widgets": "3.0.17", "ipywidgets": "8.1.9", "ipykernel": "7", "manager": "5.0.17",
        "folder": "/env/ext", "kernel": "python3"}  # fmt: skip


@pytest.mark.parametrize(
    ("server", "kernel", "words"),
    [
        ({}, {}, None),
        ({"kernel": "/other/bin/python"}, {}, None),
        ({"manager": "3.1.7", "jupyterlab_widgets": "1.1.7"}, {}, "whose page part in /env/ext is 3.1.7 and not 5"),
        ({"manager": None}, {}, "without its page part, so no slider shows"),
        ({"kernel": "/k"}, {"ipywidgets": "7.7.0"}, "ipywidgets 7.7.0 in the kernel, jupyterlab_widgets 3.0.17 in Jup"),
        ({"kernel": "/k"}, {"ipywidgets": None}, "the kernel has no ipywidgets"),
        ({"kernel": "/k"}, {"python": "/k", "helpers": None}, "kernel is /k, which finds no `helpers`: start `jupyter"),
        ({"kernel": "/k"}, {"helpers": "/else/helpers/__init__.py"}, "takes `helpers` from /else/helpers, not from"),
        ({"kernel": "/k"}, {"error": "no such file"}, "python3 is /k, which does not answer (no such file)"),
        ({"kernel": None}, {}, "the server has no kernel called python3"),
        ({"error": "No module named jupyter_core"}, {}, "which runs `jupyter lab`, does not answer (No module named"),
    ],
)
def test_a_server_and_a_kernel_that_do_not_fit_are_told(server, kernel, words, monkeypatch, capsys):
    monkeypatch.setattr(jupyters, "server_python", lambda: "/env/bin/python")
    monkeypatch.setattr(jupyters, "ask", lambda python, code: WELL | (server if code == jupyters.SERVER else kernel))
    only(monkeypatch, "widgets")
    assert command.main(["doctor"]) == (1 if words else 0)
    told = found(capsys)
    assert len(told) == (1 if words else 0) and all(words in line for line in told), told


@pytest.mark.parametrize(
    ("start", "python"),
    [
        ("#!/env/bin/python3.11\nimport re\n", "/env/bin/python3.11"),
        ("#!/bin/sh\n'''exec' \"/教室 电脑/.venv/bin/python\" \"$0\" \"$@\"\n' '''\n", "/教室 电脑/.venv/bin/python"),
        ("#!/bin/sh\n'''exec' /long/bin/python3 \"$0\" \"$@\"\n' '''\n", "/long/bin/python3"),
    ],
)
def test_the_server_s_python_stands_in_its_command(start, python, monkeypatch, tmp_path):
    (tmp_path / "jupyter-lab").write_text(start, encoding="utf-8")
    monkeypatch.setattr(shutil, "which", lambda name, path=None: str(tmp_path / "jupyter-lab"))
    assert jupyters.server_python() == python


def test_another_python_is_asked_and_one_that_fails_is_quoted(tmp_path):
    told = jupyters.ask(sys.executable, jupyters.SERVER)
    assert told["ipywidgets"] == metadata.version("ipywidgets") and told["manager"].startswith("5.")
    assert json.dumps(told)
    assert jupyters.ask(sys.executable, "import nothing_of_this_name\n")["error"] == (
        "ModuleNotFoundError: No module named 'nothing_of_this_name'"
    )
    assert "No such file" in jupyters.ask(str(tmp_path / "python"), "")["error"]
