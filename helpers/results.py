"""What was measured once, by which code? The files of data/results/, each row with its provenance."""

import ast
import contextlib
import csv
import datetime
import errno
import hashlib
import inspect
import math
import os
import platform
import shlex
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy
import torch
import torchvision

from helpers import DATA, ROOT, ranks
from helpers.evaluation import Accuracy

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

RESULTS = DATA / "results"
# The columns that say how a row was made, not what came out: two rows may differ in them and still agree.
PROVENANCE = ("seconds", "command", "torch", "torchvision", "cpu", "threads", "date", "python", "numpy", "device",
              "commit", "code")  # fmt: skip
TEXT = {*PROVENANCE} - {"seconds", "threads"}  # never read as numbers: a commit may look like 12e4567


def runs_folder(trial: bool = False) -> Path:
    """Where unfinished runs lie: the folder that HELPERS_RUNS names, otherwise data/runs/; trials in one of their own.

    Raises NotADirectoryError when there is a file of that name.
    """
    folder = Path(os.environ.get("HELPERS_RUNS") or DATA / "runs")
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"unfinished runs need a folder, but {folder} is a file: set HELPERS_RUNS to another")
    return folder / "trials" if trial else folder


# ---------------------------------------------------------------------------------------------- where a row comes from


def provenance(seconds: float, code: str = "", device: str = "CPU") -> dict[str, str]:
    """What made a row: command, seconds, versions, processor, threads, date, device, commit, and `code_of` its makers.

    The command can be pasted into a shell and runs.
    """
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        cpu = f"{names[0]}, {len(names)} cores" if names else cpu
    starter = ["torchrun", "--nproc-per-node", str(ranks.world())] if ranks.world() > 1 else ["python"]
    return {
        "seconds": f"{seconds:.0f}",
        "command": shlex.join([*starter, "-m", "helpers", *sys.argv[1:]]),
        "torch": torch.__version__.split("+")[0],
        "torchvision": torchvision.__version__.split("+")[0],
        "cpu": cpu,
        "threads": str(torch.get_num_threads()),
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "device": device,
        "commit": commit(),
        "code": code,
    }


def commit() -> str:
    """Git's short name of the checkout's commit, with "+" when helpers/ differs from it; "" where there is no git.

    Only helpers/ counts: the rows themselves, as they come, change data/results/.
    """
    if "HELPERS_COMMIT" in os.environ:  # in a copy of the code (runs/studies.py): of the moment when it was taken
        return os.environ["HELPERS_COMMIT"]
    if not (ROOT / ".git").exists():  # unpacked somewhere, perhaps inside a repository that knows nothing of it
        return ""
    try:
        name, changes = (
            subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=True).stdout.strip()
            for words in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "--", "helpers"])
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return name + "+" * bool(changes)


def code_of(made_by: tuple) -> str:
    """Twelve digits that stand for the code of functions and classes, and for the values of anything else in the tuple.

    Comments, docstrings and layout do not count, nor does the version of Python. Raises TypeError for a value that
    prints otherwise in each process (one that holds functions).
    """
    parts = []
    for maker in made_by:
        if inspect.isroutine(maker) or inspect.isclass(maker):
            (tree,) = ast.parse(textwrap.dedent(inspect.getsource(maker))).body
            parts.append(repr(_bare(tree)))
        elif " at 0x" in repr(maker):
            raise TypeError(f"a value that makes rows must print alike every time, and this does not: {maker!r:.80}")
        else:
            parts.append(repr(maker))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _bare(node):
    """A syntax tree as nested tuples, without places, docstrings and the empty fields of newer Pythons."""
    if isinstance(node, ast.AST):
        fields = dict(ast.iter_fields(node))
        if ast.get_docstring(node) if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else None:
            fields["body"] = fields["body"][1:]
        parts = [(name, _bare(value)) for name, value in sorted(fields.items())]
        return (type(node).__name__, *[part for part in parts if part[1] not in ((), "None")])
    if isinstance(node, list):
        return tuple(map(_bare, node))
    return repr(node)


# ---------------------------------------------------------------------------------------------- rows


def record(
    name: str, rows: list[dict], key: tuple[str, ...], *, overwrite: bool = False, within: tuple[str, ...] = ()
) -> Path:
    """Put rows into data/results/`name`, told apart by their `key` columns; returns the file.

    Never leaves half a file, and loses no row when several processes record at the same moment. A row that is there and
    says something else (anywhere but in how it was made) stays, and ValueError says so, unless `overwrite`. Columns
    `within` name a whole that is replaced as one, such as all epochs of a run: what is left of an older one goes.
    """
    new = {tuple(row[column] for column in key): row for row in map(_as_text, rows)}
    wholes = {tuple(row[column] for column in within) for row in new.values()} if within else set()

    def merge(old: list[dict]) -> list[dict]:
        kept = {}
        for row in old:
            place = tuple(row[column] for column in key)
            mine, part = new.get(place), tuple(row[column] for column in within)
            differ = [c for c in row if mine and c in mine and c not in PROVENANCE and row[c] != mine[c]]
            if not overwrite and (differ or (not mine and part in wholes)):
                which = ", ".join(f"{column} {row[column]}" for column in key)
                other = f"with {differ[0]} {row[differ[0]]}, not {mine[differ[0]]}" if differ else "of an older run"
                raise ValueError(f"{name} has a row of {which} already, {other}: only --overwrite replaces it")
            if part not in wholes:
                kept[place] = row
        return [*(kept | new).values()]

    return update(name, merge, key)


def update(name: str, change: Callable[[list[dict]], list[dict]], key: tuple[str, ...] | None = None) -> Path:
    """Replace the rows of data/results/`name` by `change(rows)`, sorted by `key`, while no other process can.

    Of several processes (`helpers.ranks`) rank 0 alone does it; the others return.
    Raises OSError, with what to do, when the disk is full: the file is then as it was.
    """
    path = RESULTS / name
    if not ranks.first():
        return path
    with locked(path.with_name(f".{name}.lock")):
        rows = change(stored(name))
        if key:
            rows = sorted(rows, key=lambda row: [_number(row[column]) for column in key])
        columns = list(dict.fromkeys(column for row in rows for column in row))
        part = path.with_name(f"{name}.{os.getpid()}.part")
        try:
            with open(part, "w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, fieldnames=columns, restval="", lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            raise explained(error, path.parent, "the rows before this one are safe") from error
    return path


def stored(name: str) -> list[dict]:
    """The rows of data/results/`name` as text; none when there is no such file. IsADirectoryError for a folder."""
    path = RESULTS / name
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, and a file of results is meant: give the folder another place")
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_results(name: str) -> list[dict]:
    """The rows of data/results/`name`; a column whose cells are all numbers comes as int or float, any other as text.

    Raises FileNotFoundError when the file is missing.
    """
    if not (RESULTS / name).exists():
        raise FileNotFoundError(f"{name} is missing from data/results/: restore it with git checkout")
    rows = stored(name)
    for column in set(rows[0]) - TEXT if rows else ():
        for kind in (int, float):
            with contextlib.suppress(ValueError):
                for row, value in zip(rows, [kind(row[column]) for row in rows], strict=True):
                    row[column] = value
                break
    return rows


def columns_of(result: Accuracy) -> dict[str, int | str]:
    """An accuracy as the columns of a row."""
    shares = {"accuracy": result.value, "low": result.low, "high": result.high}
    return {"correct": result.correct, "total": result.total, **{name: f"{x:.4f}" for name, x in shares.items()}}


def same(one, other) -> bool:
    """Whether two cells say the same: "0.50" and 0.5 do."""
    numbers = {_number(str(value))[0] for value in (one, other)}
    return str(one) == str(other) or (numbers != {math.inf} and len(numbers) == 1)


def _as_text(row: dict) -> dict[str, str]:
    return {column: str(value) for column, value in row.items()}


def _number(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return math.inf, text


# ---------------------------------------------------------------------------------------------- one process at a time


@contextlib.contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold `path`, an empty file made for this, against all other processes; yields whether it is held.

    Without `wait` another process may have it. The system lets go of it when the process ends, however it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        held = _lock(file)
        while wait and not held:
            time.sleep(0.02)
            held = _lock(file)
        yield held


def _lock(file) -> bool:
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):  # somebody else has it: the first is Unix's word, the second Windows'
        return False
    return True


def explained(error: OSError, folder: Path, safe: str) -> OSError:
    """A full disk's error as one sentence: how much room is left and where, what is `safe`, what to do."""
    if error.errno not in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return error
    left = shutil.disk_usage(folder).free / 1e6
    return OSError(
        f"the disk is full: {left:,.1f} MB are left in {folder}; {safe}. Make room, and the same command goes on"
    )
