"""Run a function on what a stranger wrote, in a process that can do little: for `python -m helpers grade`.

Contained (Linux, as root): a user of its own who owns nothing, no network, processes of its own only, all disks
read-only but for 16 MB of its own that vanish, limits of time, memory, processes and what it may answer. The answer
comes back as JSON, which is data and nothing else.

What is not contained: it reads every file that all users of this machine may read; and a hole in the kernel is a hole.
"""

import contextlib
import ctypes
import dataclasses
import errno
import json
import os
import pwd
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from helpers import ROOT

NEW = 0x20000 | 0x8000000 | 0x20000000 | 0x40000000  # mounts, System V's memory, processes, network: of its own
READ_ONLY, NO_SETUID, NO_DEVICES, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
DIES_WITH_PARENT, NO_NEW_RIGHTS = 1, 38
DISK = 16 * 10**6


@dataclasses.dataclass(frozen=True)
class Limits:
    """Seconds by the clock, bytes of memory above what this process has, processes, bytes of the answer."""

    seconds: float = 30
    memory: float = 1e9
    processes: int = 4
    answer: int = 8 * 10**6


def impossible() -> str:
    """Why nothing can be contained here; nothing where it can."""
    if not sys.platform.startswith("linux"):
        return "only Linux can shut a program in"
    if os.geteuid() != 0:
        return "only root can run a program as another user"
    told, trouble = contained(lambda: os.getuid(), Limits(seconds=10))
    return "" if told == _stranger() else f"this machine does not allow it ({trouble})"


def contained(work: Callable, limits: Limits, hidden: tuple[Path, ...] = (), free: bool = False) -> tuple:
    """(what `work()` gives, as JSON brings it, and "") or (None, a sentence: what stopped it).

    `hidden` folders look empty to it. `free`: in a process of its own with the limits, and nothing more.
    """
    sys.stdout.flush(), sys.stderr.flush()
    desk = Path(tempfile.mkdtemp(prefix="desk_")).resolve()
    reader, writer = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        code = 70
        try:
            os.close(reader)
            os.setsid()
            if free:
                code = _work(work, writer, limits, desk, None)
            else:
                _shut_in(desk, hidden)
                code = _wait(os.fork() or _first(work, writer, limits, desk))
        except BaseException as problem:
            _send(writer, {"trouble": f"{type(problem).__name__}: {problem}"[:300]})
        finally:
            os._exit(code)
    os.close(writer)
    try:
        text, late = _read(reader, limits)
    finally:
        os.close(reader)
        for end in (os.killpg, os.kill):  # what it started inside dies with its first process
            with contextlib.suppress(ProcessLookupError):
                end(keeper, signal.SIGKILL)
        code = _wait(keeper)
        shutil.rmtree(desk, ignore_errors=True)
    if late:
        return None, late
    try:
        told = json.loads(text)
        return told["result"], ""
    except (KeyError, TypeError):
        return None, str(told["trouble"] if isinstance(told, dict) and "trouble" in told else "it gave no answer")[:300]
    except (ValueError, RecursionError, MemoryError):
        return None, f"its process ended without an answer{_cause(code)}"


def _cause(code: int) -> str:
    if code <= 128:
        return ""
    name = signal.Signals(code - 128).name if code - 128 in list(signal.Signals) else str(code - 128)
    words = {"SIGXCPU": "too much processor time", "SIGSEGV": "it crashed", "SIGXFSZ": "too large a file"}
    return f" ({words.get(name, name)})"


def _read(reader: int, limits: Limits) -> tuple[bytes, str]:
    """All that comes through the pipe until its end, within the limits; (text, why it was broken off)."""
    end, text = time.monotonic() + limits.seconds, bytearray()
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            return b"", f"stopped after {limits.seconds:g} seconds"
        part = os.read(reader, 1 << 16)
        if not part:
            return bytes(text), ""
        text += part
        if len(text) > limits.answer:
            return b"", f"its answer is larger than {limits.answer / 1e6:g} MB"


def _send(writer: int, told: dict) -> None:
    text = json.dumps(told).encode()
    while text:
        text = text[os.write(writer, text) :]


def _wait(child: int) -> int:
    """The exit code of a child, or 128 and its signal."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


def _call(name: str, *arguments) -> None:
    """A function of the C library that gives 0; OSError where it does not."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _mount(source: Path | None, target: Path, kind: str | None, flags: int, options: str | None = None) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, options)]
    _call("mount", texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3])


def _shut_in(desk: Path, hidden: tuple[Path, ...]) -> None:
    """From here on: no network, and all disks read-only but for an empty desk; what `hidden` holds is gone."""
    _call("unshare", NEW)
    _mount(None, Path("/"), None, RECURSIVE | PRIVATE)
    needed = {Path(place).resolve() for place in (ROOT, sys.prefix, sys.base_prefix)}
    for folder in hidden:
        if not any(place.is_relative_to(folder) for place in (*needed, desk)):
            _mount(Path("tmpfs"), folder, "tmpfs", NO_SETUID | NO_DEVICES, "size=4k,mode=755")
    for place in needed:
        if not place.stat().st_mode & 0o001:
            raise OSError(errno.EACCES, f"other users may not enter {place}: chmod -R go+rX")
    _make_reachable({*needed, desk})
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        place = Path(line.split()[4].encode().decode("unicode_escape").encode("latin-1").decode("utf-8"))
        try:
            _mount(None, place, None, REMOUNT | BIND | READ_ONLY)
        except OSError as problem:
            if problem.errno not in (errno.ENOENT, errno.EINVAL):  # it lies under another one
                raise
    _mount(Path("tmpfs"), desk, "tmpfs", NO_SETUID | NO_DEVICES, f"size={DISK},mode=777")


def _make_reachable(needed: set[Path]) -> None:
    """Folders that strangers may read, in one that they may not enter (a home): the way to them, and nothing beside."""
    closed = {place: _closed(place) for place in needed}
    handles = {place: os.open(place, os.O_PATH) for place in needed if closed[place]}
    for door in {door for door in closed.values() if door}:
        if any(door != other and door.is_relative_to(other) for other in closed.values() if other):
            continue
        _mount(Path("tmpfs"), door, "tmpfs", NO_SETUID | NO_DEVICES, "size=64k,mode=755")
    for place in sorted(handles):
        place.mkdir(parents=True, exist_ok=True)
        _mount(Path(f"/proc/self/fd/{handles[place]}"), place, None, BIND | RECURSIVE)
        os.close(handles[place])


def _closed(place: Path) -> Path | None:
    """The first folder on the way to a place that strangers may not enter."""
    return next((door for door in reversed(place.parents) if not door.stat().st_mode & 0o001), None)


def _first(work: Callable, writer: int, limits: Limits, desk: Path) -> int:
    """The first process inside: as it ends, so does every other. It waits for the one that works."""
    code = 70
    try:
        _call("prctl", DIES_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        _mount(Path("proc"), Path("/proc"), "proc", NO_SETUID | NO_DEVICES)
        worker = os.fork()
        if worker == 0:
            code = _work(work, writer, limits, desk, _stranger())
        else:
            code = _wait(worker)
    except BaseException as problem:
        _send(writer, {"trouble": f"{type(problem).__name__}: {problem}"[:300]})
    finally:
        os._exit(code)


def _stranger() -> int:
    """The number of a user who does not exist here."""
    taken = {user.pw_uid for user in pwd.getpwall()}
    return next(number for number in range(58_000, 60_000) if number not in taken)


def _work(work: Callable, writer: int, limits: Limits, desk: Path, user: int | None) -> int:
    """Give up what is not needed, work, answer."""
    os.chdir(desk)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    os.closerange(3, writer)
    os.closerange(writer + 1, 65_536)
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    os.environ.clear()
    os.environ.update(kept | {"HOME": str(desk), "TMPDIR": str(desk), "MPLCONFIGDIR": str(desk), "MPLBACKEND": "Agg"})
    tempfile.tempdir = None
    _limit(resource.RLIMIT_CPU, limits.seconds + 1)
    _limit(resource.RLIMIT_FSIZE, DISK)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, 256)
    if sys.platform.startswith("linux"):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + limits.memory)
    if user is not None:
        _limit(resource.RLIMIT_NPROC, limits.processes)
        _call("prctl", NO_NEW_RIGHTS, 1, 0, 0, 0)
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    try:
        _send(writer, {"result": work()})
    except MemoryError:
        _send(writer, {"trouble": f"it asked for more than {limits.memory / 1e9:g} GB of memory"})
    except BaseException as problem:
        _send(writer, {"trouble": f"{type(problem).__name__}: {problem}"[:300]})
    return 0


def _limit(what: int, value: float) -> None:
    hard = resource.getrlimit(what)[1]
    value = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
    resource.setrlimit(what, (value, value))
