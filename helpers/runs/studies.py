"""How is a long run done? What all studies share: which rows are missing, several processes, trials, the command line.

A study says what its rows are and how one is made; `run` makes those that are not there, so that a run that was
interrupted goes on with the same command. Two such commands at the same time share the work.
"""

import argparse
import contextlib
import functools
import hashlib
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from helpers import ROOT, ranks
from helpers.results import code_of, commit, locked, provenance, record, runs_folder, same, stored
from helpers.training import find_device

# What glibc does with large blocks: keep them, instead of giving them back to the system after every batch.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "16000000000",
    "MALLOC_TOP_PAD_": "1000000000",
}


@dataclass
class Run:
    """What `measure` is given beside its unit: the command line's options, where to log, and what `prepare` made."""

    options: argparse.Namespace
    log: Callable[[str], None]
    code: str = ""
    world: object = None

    @property
    def trial(self) -> bool:
        """Whether this is a run on a few images, of which nothing is recorded."""
        return self.options.limit is not None

    @property
    def replaces(self) -> bool:
        """Whether rows that are there may be replaced."""
        return self.options.again or self.options.overwrite

    def checkpoint(self, name: str, unit: dict, *told_by: str) -> Path:
        """Where this unit's unfinished training lies: other settings, other code and trials never meet.

        `told_by` are the columns that a person tells it by; the rest goes into eight digits.
        """
        settings = [unit, self.options.device, self.options.limit, self.code]
        settings += [ranks.world()] if ranks.world() > 1 else []
        digits = hashlib.sha256(repr(settings).encode()).hexdigest()[:8]
        words = "_".join([name, *(str(unit[column]) for column in told_by), digits])
        return runs_folder(self.trial) / f"{words.replace(' ', '-')}.pt"


def kept(path: Path, make: Callable[[], torch.Tensor]) -> torch.Tensor:
    """The tensor in the file `path`, or made and put there; of several processes one makes it, the others wait."""
    with locked(path.with_suffix(".lock")):
        if not path.exists():
            part = path.with_suffix(".part")
            torch.save(make(), part)
            os.replace(part, path)
        return torch.load(path, weights_only=True)


@dataclass(frozen=True)
class Study:
    """Rows of data/results/`file`, and how they are made.

    key      the columns that tell rows apart
    units    options → the rows asked for, each as a dict of its settings: the key's columns and all else that was set
    measure  (unit, run) → the other columns of its row, or several such dicts; None for a trial with nothing to show
    made_by  functions, classes and values whose code makes the rows: `code_of` them stands in each
    prepare  run → what all units need, made once a process, found in `run.world`
    older    what the cells mean that are empty because their rows are older than the column
    check    (units to be made, options) → nothing, or an error that forbids the run
    also     other files that `measure` records with the same code
    together whether several processes can train one network of it (torchrun)
    """

    file: str
    key: tuple[str, ...]
    units: Callable[[argparse.Namespace], list[dict]]
    measure: Callable[[dict, Run], dict | list[dict] | None]
    made_by: tuple
    prepare: Callable[[Run], object] = lambda run: None
    older: Mapping[str, object] = field(default_factory=dict)
    check: Callable[[list[dict], argparse.Namespace], None] = lambda units, options: None
    also: tuple[str, ...] = ()
    together: bool = False

    @functools.cached_property
    def code(self) -> str:
        """`code_of` what makes the rows, read when it is first asked for."""
        return code_of(self.made_by)

    def run(self, run: Run) -> None:
        """Make the rows that `run.options` ask for and that are not there yet."""
        units = self.units(run.options)
        options, log = run.options, run.log
        if run.trial:
            for unit in units:
                self._measure(unit, run)
            log("a run on fewer images is only a trial: nothing is recorded")
            return
        asked = self._asked(units, run)
        self.check(asked, options)
        places = ranks.agree([units.index(unit) for unit in asked])  # of several ranks, the first has looked
        for unit in (units[place] for place in places):
            # Ranks that train one network are one to all others: the first holds the claim.
            claim = locked(self.claim(unit, options), wait=False) if ranks.first() else contextlib.nullcontext(True)
            with claim as mine:
                if not ranks.agree(mine):
                    log(f"{_words(unit)}: another process is at it")
                elif ranks.agree(_wanted(self.state(unit, options), options)):  # nobody made it since
                    self._make(unit, run)

    def claim(self, unit: dict, options: argparse.Namespace) -> Path:
        """The file that is held while a process makes this row."""
        digits = hashlib.sha256(repr(unit).encode()).hexdigest()[:12]
        return runs_folder() / "claims" / f"{file_on(self.file, options)}.{digits}.lock"

    def _make(self, unit: dict, run: Run) -> None:
        began = time.monotonic()
        found = self._measure(unit, run)
        made = provenance(time.monotonic() - began, self.code, _name_of(run.options.device))
        rows = [{**unit, **row, **made, **{c: row[c] for c in made if c in row}} for row in found]
        record(file_on(self.file, run.options), rows, self.key, overwrite=run.replaces)

    def _measure(self, unit: dict, run: Run) -> list[dict]:
        if run.world is None:
            run.world = self.prepare(run)
        found = self.measure(unit, run)
        return found if isinstance(found, list) else [found]

    def _asked(self, units: list[dict], run: Run) -> list[dict]:
        """The units to make; says which rows stay, and raises ValueError before anything is lost or made in vain."""
        states = [self.state(unit, run.options) for unit in units]
        for unit, state in zip(units, states, strict=True):
            if state.startswith("with ") and not run.options.overwrite:
                raise ValueError(
                    f"data/results/{file_on(self.file, run.options)} has the row of {_words(unit)} {state}: only "
                    "--overwrite replaces it"
                )
        for state, number in Counter(states).items():
            if not _wanted(state, run.options):
                run.log(f"{number} of {len(units)} rows are there already{STAYS[state]}")
        return [unit for unit, state in zip(units, states, strict=True) if _wanted(state, run.options)]

    def state(self, unit: dict, options: argparse.Namespace) -> str:
        """Of a unit's row: "missing", "current", "stale" (other code), "unknown" (older), "with epochs 3, not 4"."""
        told_by = [column for column in self.key if column in unit]
        rows = [row for row in stored(file_on(self.file, options)) if all(same(row[c], unit[c]) for c in told_by)]
        for row in rows:
            for column, value in unit.items():
                cell = row.get(column) or self.older.get(column, value)
                if column not in self.key and not same(cell, value):
                    return f"with {column} {cell}, not {value}"
        return min((self.state_of(row) for row in rows), default="missing", key=list(STAYS).index)

    def state_of(self, row: dict) -> str:
        """Was this row made by today's code? "current", "stale", or "unknown" for one older than this question."""
        return {"": "unknown", self.code: "current"}.get(row.get("code") or "", "stale")


# Why rows that are there are not made anew, worst first.
STAYS = {"stale": ", made by other code (--again makes them anew)", "unknown": "", "current": ""}


def file_on(name: str, options: argparse.Namespace) -> str:
    """A file's name; what other devices than the CPU measure makes a file of its own, as zoo_cuda.csv.

    So does what several processes train, as zoo_2_processes.csv: each BatchNorm saw its share of a batch.
    """
    kind, count = torch.device(options.device).type, ranks.world()
    ending = ("" if kind == "cpu" else f"_{kind}") + (f"_{count}_processes" if count > 1 else "")
    return name.replace(".csv", f"{ending}.csv")


def _wanted(state: str, options: argparse.Namespace) -> bool:
    """Whether a row in this state is to be made."""
    return state == "missing" or options.overwrite or (options.again and state in ("stale", "unknown"))


def _words(unit: dict) -> str:
    return ", ".join(f"{column} {value}" for column, value in unit.items())


def _name_of(device: str) -> str:
    """What a row says of where it was made: CPU, MPS, or the card and how it computes."""
    kind, count = torch.device(device).type, ranks.world()
    name = f"{torch.cuda.get_device_name(device)}, bfloat16" if kind == "cuda" else kind.upper()
    return f"{name}, {count} processes" if count > 1 else name


def run(options: argparse.Namespace, log: Callable[[str], None], *studies: Study) -> int:
    """Do what the command line asks of these studies, one after the other; returns an exit code."""
    if os.environ.get("HELPERS_SEED") and not options.limit:
        raise ValueError("HELPERS_SEED shifts the seeds, and rows would name others than they were made with: unset it")
    try:
        with ranks.joined(options.device):
            if ranks.world() > 1:
                _check_together(options, studies)
                log = log if ranks.first() else lambda words: None
            elif options.processes and "HELPERS_COPY_OF" not in os.environ:
                return in_processes(options, log)
            runs = [Run(options, log, study.code) for study in studies]  # before anybody edits a file that is loaded
            for study, each in zip(studies, runs, strict=True):
                study.run(each)
    except KeyboardInterrupt:
        files = ", ".join(file_on(study.file, options) for study in studies)
        raise KeyboardInterrupt(
            f"the rows in data/results/{files} and the finished epochs in {runs_folder()} are safe, and the same "
            "command goes on from there"
        ) from None
    return 0


def _check_together(options: argparse.Namespace, studies: tuple[Study, ...]) -> None:
    """ValueError for what several processes cannot do with one network."""
    if options.processes:
        raise ValueError("--processes shares out rows, torchrun the batches of one network: give one of the two")
    if alone := [study.file for study in studies if not study.together]:
        raise ValueError(f"the rows of {', '.join(alone)} are made by one process each: give the command without "
                         "torchrun, perhaps with --processes 2")  # fmt: skip


def in_processes(options: argparse.Namespace, log: Callable[[str], None]) -> int:
    """The same command in `options.processes` processes, of one thread each and at the lowest priority.

    They run from a copy of helpers/ as it is now, so that editing goes on; data, results and runs stay where they are.
    Returns 0 when all of them ended well.
    """
    if options.limit or options.overwrite:
        raise ValueError("--limit and --overwrite go with one process: leave out --processes")
    with tempfile.TemporaryDirectory(prefix="helpers-") as copy:
        shutil.copytree(
            Path(__file__).parent.parent, Path(copy) / "helpers", ignore=shutil.ignore_patterns("__pycache__")
        )
        places = [copy, *filter(None, [os.environ.get("PYTHONPATH")])]
        of_the_copy = {"HELPERS_COPY_OF": str(ROOT), "HELPERS_COMMIT": commit(), "PYTHONPATH": os.pathsep.join(places)}
        environment = KEEP_MEMORY | os.environ | of_the_copy | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        low = {"preexec_fn": lambda: os.nice(19)} if hasattr(os, "nice") else {"creationflags": 0x40}  # Windows: idle
        command = [sys.executable, "-P", "-m", "helpers", *options.words]  # -P: not the helpers of this folder
        children = [subprocess.Popen(command, env=environment, **low) for _ in range(options.processes)]
        log(f"{len(children)} processes, from a copy of the code{f' at {commit()}' if commit() else ''}")
        try:
            codes = [child.wait() for child in children]
            return int(any(codes))
        finally:  # Ctrl-C, or one that failed to start: no process stays behind
            for child in children:
                if child.poll() is None:
                    child.terminate()
                    child.wait()


# ---------------------------------------------------------------------------------------------- the command line


def number(kind: type, words: str, holds: Callable[[float], bool]) -> Callable[[str], float]:
    """A `type` for argparse: an int or float for which `holds` is true; anything else is an error in `words`."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan  # for which no comparison holds
        if not holds(value):
            raise argparse.ArgumentTypeError(f"it is {words}, not {text}")
        return value

    return read


count = number(int, "a whole number of at least 1", lambda n: n >= 1)
seed = number(int, "a whole number of at least 0", lambda n: n >= 0)
width = number(float, "a width multiplier above 0 and up to 4", lambda w: 0 < w <= 4)
size = number(int, "a whole number of pixels from 16 (halved four times) to 224", lambda n: 16 <= n <= 224)


def device_name(text: str) -> str:
    """The name of a device that is there."""
    try:
        return str(find_device(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def arguments(parser: argparse.ArgumentParser, device: bool = True) -> None:
    """What every long run understands; `--device` not where nothing is computed on one."""
    shared = parser.add_argument_group("as every long run")
    shared.add_argument("--limit", type=count, help="use so many images: a trial, nothing is recorded")
    shared.add_argument("--missing", action="store_true", help="all rows of the study that are not there yet")
    shared.add_argument(
        "--again", action="store_true", help="also rows that were made by other code, or by unknown code"
    )
    shared.add_argument(
        "--overwrite", action="store_true", help="also rows made with other settings, whatever is there"
    )
    shared.add_argument("--processes", type=count, default=0, metavar="N",
                        help="share the work among so many processes of one thread and low priority")  # fmt: skip
    parser.set_defaults(device="cpu")
    if device:
        shared.add_argument("--device", type=device_name, help="cpu (the default), cuda, mps")
