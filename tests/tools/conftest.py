"""A classroom: a checkout of two lessons that may not be written, at a path with a space and Chinese characters."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import ROOT

# Root writes wherever it likes, unless it gives that up.
AS_ANYBODY = ["setpriv", "--bounding-set", "-dac_override"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
LESSONS = ("00_quick_tour.ipynb", "03_depthwise_separable_convolution.ipynb")


class Classroom:
    """`run("workbook", "我的")` gives a command there as a student does, standing in a folder of their own, `desk`."""

    def __init__(self, folder: Path):
        self.checkout, self.desk = folder / "教室 电脑" / "mobilenet 教程", folder / "我的 桌面"

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        environment = os.environ | {"PYTHONPATH": str(self.checkout), "OMP_NUM_THREADS": "1"} | environment
        return subprocess.run(
            [*AS_ANYBODY, sys.executable, "-B", "-m", "helpers", *arguments],
            env=environment | {"PYTHONIOENCODING": "utf-8"}, cwd=self.desk, capture_output=True, encoding="utf-8",
        )  # fmt: skip


@pytest.fixture(scope="session")
def classroom(tmp_path_factory):
    room = Classroom(tmp_path_factory.mktemp("classroom"))
    room.desk.mkdir()
    for name, *left_out in (("helpers", "__pycache__"), ("data", "runs", "downloads", ".*")):
        shutil.copytree(ROOT / name, room.checkout / name, ignore=shutil.ignore_patterns(*left_out))
    for name in LESSONS:
        for place in ("notebooks", "notebooks/solutions"):
            if (ROOT / place / name).exists():
                (room.checkout / place).mkdir(exist_ok=True)
                shutil.copy(ROOT / place / name, room.checkout / place)
    for name in ("requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, room.checkout)
    every = [room.checkout, *room.checkout.rglob("*")]
    for path in every:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        touch = [*AS_ANYBODY, sys.executable, "-c", "import sys; open(sys.argv[1], 'w')", str(room.checkout / "x")]
        tried = subprocess.run(touch, capture_output=True) if not AS_ANYBODY or shutil.which("setpriv") else None
        if tried is None or tried.returncode == 0:
            pytest.skip("here nobody can be kept from writing: a read-only checkout cannot be tried")
        yield room
    finally:
        for path in every:
            path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture
def desk(classroom):
    """The student's folder, empty."""
    shutil.rmtree(classroom.desk)
    classroom.desk.mkdir()
    return classroom.desk
