"""What a stranger's function can do in a contained process, and what it cannot: each is tried."""

import contextlib
import ctypes
import os
import socket
import tempfile
import time
from pathlib import Path

import pytest
import torch

from helpers.tools import contain

torch.set_num_threads(1)  # a process that has used several threads cannot be copied
LIMITS = contain.Limits(seconds=20, memory=3e8)
SHORT = contain.Limits(seconds=2, memory=3e8)


@pytest.fixture(scope="module", autouse=True)
def can_be_contained():
    if reason := contain.impossible():
        pytest.skip(reason)


def loop():
    while True:
        pass


def bomb():
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.001)


def connect():
    socket.create_connection(("127.0.0.1", 9), timeout=1)


def write_everywhere():
    written = []
    for place in ("/tmp", "/var/tmp", "/dev/shm", "/home", str(contain.ROOT), str(contain.ROOT / "data"), os.getcwd()):
        try:
            Path(place, "left.txt").write_text("x", encoding="utf-8")
            written.append(place)
        except OSError:
            pass
    return written == [os.getcwd()]


def leave_a_daemon():
    if os.fork() == 0:
        os.setsid()
        time.sleep(60)
    return "left"


def shout_and_answer():
    for _ in range(100_000):
        print("x" * 100)
    return "done"


def write_nonsense():
    for handle in range(3, 60):
        with contextlib.suppress(OSError):
            os.write(handle, b'{"result": [')
    os._exit(0)


@pytest.mark.parametrize(
    ("work", "told"),
    [
        (lambda: [1, 2.5, "a"], [1, 2.5, "a"]),
        (lambda: os.getuid() not in (0, 65534) and os.getgroups() == [], True),
        (lambda: os.listdir(), []),
        (lambda: [n for n in os.listdir("/proc") if n.isdigit()], ["1", "2"]),
        (write_everywhere, True),
        (leave_a_daemon, "left"),
        (shout_and_answer, "done"),
        (lambda: "SECRET_OF_THE_TEACHER" in os.environ, False),
        (lambda: torch.ones(20, 30).mm(torch.ones(30, 1)).sum().item(), 600.0),
    ],
)
def test_what_works(work, told, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_TEACHER", "x")
    assert contain.contained(work, LIMITS) == (told, "")


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (loop, "stopped after 2 seconds"),
        (bomb, "stopped after 2 seconds"),
        (lambda: time.sleep(60), "stopped after 2 seconds"),
        (lambda: len(bytearray(10**9)), "it asked for more than 0.3 GB of memory"),
        (lambda: "a" * 10**7, "its answer is larger than 8 MB"),
        (lambda: Path("x").write_bytes(bytes(10**8)), "File too large"),
        (connect, "Network is unreachable"),
        (lambda: os.kill(1, 9), "Operation not permitted"),
        (lambda: os.kill(-1, 9), "No such process"),
        (lambda: os.setuid(0), "Operation not permitted"),
        (lambda: Path("/etc/shadow").read_bytes(), "Permission denied"),
        (lambda: os._exit(0), "its process ended without an answer"),
        (lambda: ctypes.string_at(0), "its process ended without an answer (it crashed)"),
        (lambda: exit(), "SystemExit"),
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda: {1, 2}, "TypeError"),
        (write_nonsense, "its process ended without an answer"),
    ],
)
def test_what_does_not(work, words):
    start = time.monotonic()
    told, trouble = contain.contained(work, SHORT)
    assert told is None and words in trouble
    assert time.monotonic() - start < 10, "the limit holds"


def test_nothing_is_left_behind():
    """No process of the stranger's, no folder, no open file."""
    desks = lambda: set(Path(tempfile.gettempdir()).glob("desk_*"))  # noqa: E731
    handles, before = len(os.listdir("/proc/self/fd")), desks()
    for work in (bomb, leave_a_daemon):
        contain.contained(work, SHORT)
    time.sleep(0.2)
    stranger = contain._stranger()
    owners = []
    for place in Path("/proc").iterdir():
        try:
            owners += [place.stat().st_uid] * place.name.isdigit()
        except OSError:
            continue
    assert stranger not in owners
    assert len(os.listdir("/proc/self/fd")) == handles
    assert desks() <= before


def test_the_others_answers_look_empty():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "of a neighbour").write_text("4.5", encoding="utf-8")
        folder.chmod(0o755)
        assert contain.contained(lambda: os.listdir(folder), LIMITS) == (["of a neighbour"], "")
        assert contain.contained(lambda: os.listdir(folder), LIMITS, hidden=(folder,)) == ([], "")


def test_without_walls_the_limits_stay():
    assert contain.contained(os.getuid, LIMITS, free=True) == (os.getuid(), "")
    assert contain.contained(loop, SHORT, free=True)[1] == "stopped after 2 seconds"
    assert "memory" in contain.contained(lambda: len(bytearray(10**9)), SHORT, free=True)[1]


def test_who_cannot_contain_says_why(monkeypatch):
    monkeypatch.setattr(contain.os, "geteuid", lambda: 1000)
    assert contain.impossible() == "only root can run a program as another user"
    monkeypatch.setattr(contain.sys, "platform", "darwin")
    assert contain.impossible() == "only Linux can shut a program in"


def test_where_the_system_refuses_that_is_told(monkeypatch):
    def refuse(name, *arguments):
        raise PermissionError(1, f"{name}: Operation not permitted")

    monkeypatch.setattr(contain, "_call", refuse)
    assert "this machine does not allow it (PermissionError" in contain.impossible()
