"""Will the lessons run here? Each finding is a sentence; what is wrong comes with what to do.

ok    as the lessons need it
note  the lessons run, but you should know
WRONG something will not work: the exit status is 1
"""

import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from helpers import DATA, ROOT, threads
from helpers.tools import jupyters

INSTALL = f"`pip install -r requirements.txt` in {ROOT}"
OK, NOTE, WRONG = "ok", "note", "WRONG"
Finding = tuple[str, str]
NEEDED, ADVISED = 1.2, 2.0  # GB free: the most that a kernel took in lessons 00, 03, 06 and 08; that with its server
SLOW = 30.0  # ms for the picture of `speed`


def arguments(parser) -> None:
    pass


def run(options, log) -> int:
    wrong = 0
    for name, check in CHECKS.items():
        for state, words in _to_the_end(check):
            print(f"{state:6}{name}: {words}", flush=True)
            wrong += state == WRONG
    words = "1 thing is" if wrong == 1 else f"{wrong} things are"
    print(f"\n{words} wrong: begin with the first." if wrong else "\nThe lessons can run here.")
    return 1 if wrong else 0


def _to_the_end(check) -> Iterator[Finding]:
    """What a check finds; where it breaks off, that too: a doctor who falls ill helps nobody."""
    try:
        yield from check()
    except ImportError as error:
        yield WRONG, f"could not be looked at to the end, for want of {error.name or error}: {INSTALL}"
    except Exception as error:
        yield WRONG, f"could not be looked at to the end ({type(error).__name__}: {error})"


def versions() -> Iterator[Finding]:
    """Python and the packages against pyproject.toml and requirements.txt; do torch and torchvision work together?"""
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    python = ".".join(map(str, sys.version_info[:3]))
    wanted = re.search(r'requires-python = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[1]
    if python not in SpecifierSet(wanted):
        yield WRONG, f"Python {python} is not {wanted}: make a virtual environment with a newer one, and {INSTALL}"
    lines = [
        line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    ]
    fine = []
    for line in filter(None, lines):
        if line.startswith("-"):
            continue
        need = Requirement(line)
        try:
            there = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            yield WRONG, f"{need.name} is not installed: {INSTALL}"
            continue
        if need.specifier.contains(there, prereleases=True):
            fine.append(need.name)
        else:
            yield WRONG, f"{need.name} {there} is not {need.specifier}: {INSTALL}"
    yield OK, f"Python {python}, {len(fine)} packages as requirements.txt asks"
    try:
        import torch
        import torchvision

        torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        yield (
            WRONG,
            f"torch and torchvision do not load together ({jupyters.first_line(error)}): they must come from the same "
            f"place. `pip uninstall torch torchvision`, then {INSTALL}",
        )
    else:
        yield OK, f"torch {torch.__version__} and torchvision {torchvision.__version__} load together"


def files() -> Iterator[Finding]:
    """Images, weights and the package with ImageNet weights against their SHA-256."""
    sums = {DATA / name: DATA / name / "SHA256SUMS" for name in ("cifar10-sample", "photos")}
    sums |= {path.parent / path.stem: path for path in sorted((DATA / "weights").glob("*.sha256"))}
    if len(sums) < 4:
        yield WRONG, f"{DATA} lacks weights: `git checkout data`, or fetch the repository again"
    good = 0
    for place, listed in sums.items():
        if not listed.exists():
            yield WRONG, f"{listed} is missing: `git checkout data`, or fetch the repository again"
            continue
        for line in listed.read_text(encoding="utf-8").splitlines():
            digest, name = line.split(maxsplit=1)
            path = (place if place.is_dir() else place.parent) / name
            state = _state(path, digest)
            if state:
                yield WRONG, f"{path.relative_to(ROOT)} {state}: `git checkout data`, or fetch the repository again"
            good += not state
    yield OK, f"{good} files of images and weights are what they should be"
    if folder := os.environ.get("CIFAR10_DIR"):
        if Path(folder).is_dir():
            yield OK, f"CIFAR10_DIR names {folder}"
        else:
            yield WRONG, f"CIFAR10_DIR names {folder}, which is no folder: correct it, or unset it"
    from helpers import efficientnet

    try:
        efficientnet._read_weights()
    except (FileNotFoundError, ValueError) as error:
        yield WRONG, str(error)
    else:
        yield OK, f"{efficientnet.PACKAGE} has its weights"


def _state(path: Path, digest: str) -> str:
    """What is wrong with a file, in words; nothing if nothing is."""
    try:
        return "" if hashlib.sha256(path.read_bytes()).hexdigest() == digest else "is damaged (its SHA-256 differs)"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def writing() -> Iterator[Finding]:
    """Where can be written: temporary files, Jupyter's own, this checkout, long runs; and room on the disk."""
    for words, folder, advice in (
        ("temporary files", Path(tempfile.gettempdir()), "set TMPDIR (on Windows TEMP) to a folder of your own"),
        ("Jupyter's connection files", _jupyter_folder(), "set JUPYTER_RUNTIME_DIR to a folder of your own"),
    ):
        if reason := _refusal(folder):
            yield WRONG, f"{words} cannot be written to {folder} ({reason}): {advice}"
        elif (left := shutil.disk_usage(_existing(folder)).free / 1e6) < 100:
            yield WRONG, f"{left:.0f} MB are left on the disk of {folder}, where {words} go: make room"
        else:
            yield OK, f"{words} go to {folder}"
    if reason := _refusal(ROOT / "notebooks"):
        yield (
            NOTE,
            f"the lessons cannot be saved where they lie ({reason}): `python -m helpers workbook FOLDER` makes "
            "copies of your own",
        )
    else:
        yield OK, f"the lessons can be saved in {ROOT / 'notebooks'}"
    from helpers import results

    try:
        folder = results.runs_folder()
    except NotADirectoryError as error:
        yield WRONG, str(error)
        return
    if reason := _refusal(folder):
        yield NOTE, f"long runs cannot be kept in {folder} ({reason}): set HELPERS_RUNS to a folder of your own first"
    else:
        yield OK, f"long runs are kept in {folder}"


def _jupyter_folder() -> Path:
    from jupyter_core.paths import jupyter_runtime_dir

    return Path(jupyter_runtime_dir())


def _existing(folder: Path) -> Path:
    """The folder, or the nearest around it that exists."""
    return next(place for place in (folder, *folder.absolute().parents) if place.is_dir())


def _refusal(folder: Path) -> str:
    """Why no file can be made in `folder`, or in the nearest folder around it that exists; nothing if one can."""
    try:
        with tempfile.TemporaryFile(dir=_existing(folder)):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def memory() -> Iterator[Finding]:
    """Free memory: the machine's, or what is left of a container's share."""
    found = {"free on this machine": _machine_free(), "left of what this container may use": group_free()}
    known = {words: free for words, free in found.items() if free is not None}
    if not known:
        yield NOTE, f"how much is free could not be read; a lesson takes up to {NEEDED:g} GB"
        return
    words, free = min(known.items(), key=lambda one: one[1])
    told = f"{free / 1e9:.1f} GB {words}"
    if free < NEEDED * 1e9:
        yield (
            WRONG,
            f"{told}; a lesson takes up to {NEEDED:g}, and a kernel that gets less dies without a word: "
            "shut down other kernels and programs, or ask for more",
        )
    elif free < ADVISED * 1e9:
        yield NOTE, f"{told}; a lesson takes up to {NEEDED:g}: keep one kernel at a time"
    else:
        yield OK, told


def _machine_free() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8")
        return 1024 * int(re.search(r"MemAvailable:\s+(\d+)", lines)[1])
    except (OSError, TypeError):
        pass
    try:
        import psutil
    except ImportError:
        return None
    return psutil.virtual_memory().available


def group_free(root: Path = Path("/")) -> float | None:
    """Bytes that this process's control group may still use (version 1 or 2), None where nothing limits it.

    Files that the group has only read (inactive_file) can be dropped, and do not count as used.
    """
    found = []
    for line in threads._read(root / "proc/self/cgroup").splitlines():
        number, controllers, group = line.split(":", 2)
        if number == "0":
            place, names, cache = root / "sys/fs/cgroup", ("memory.max", "memory.current"), "inactive_file"
        elif "memory" in controllers.split(","):
            place, cache = root / "sys/fs/cgroup/memory", "total_inactive_file"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        parts = [part for part in group.split("/") if part and part != ".."]
        for depth in range(len(parts) + 1):
            folder = place.joinpath(*parts[:depth])
            most, used = (threads._read(folder / name) for name in names)
            if most.isdecimal() and used.isdecimal() and int(most) < 1 << 60:  # version 1 writes a huge number for none
                dropped = re.search(rf"^{cache} (\d+)", threads._read(folder / "memory.stat"), re.MULTILINE)
                found.append(int(most) - int(used) + (int(dropped[1]) if dropped else 0))
    return min(found, default=None)


def cores() -> Iterator[Finding]:
    """Cores that are seen and granted, and PyTorch's threads."""
    import torch

    seen, granted, used = threads.visible_cores(), threads.granted_cores(), torch.get_num_threads()
    told = f"{used} thread{'s' * (used > 1)} of PyTorch on {seen} core{'s' * (seen > 1)}"
    told += f", of which a quota grants {granted}" if granted < seen else ""
    if used > granted:
        named = [name for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ]
        yield (
            NOTE,
            f"{told}: more threads than cores wait for each other. "
            + (
                f"{' and '.join(named)} say so: unset, or set to {granted}"
                if named
                else f"Set OMP_NUM_THREADS={granted}"
            ),
        )
    elif granted == 1:
        yield NOTE, f"{told}: the lessons run, about twice as long as they say"
    else:
        yield OK, told


def speed() -> Iterator[Finding]:
    """One timing: a picture of 32 pixels through the widest network of the series, on one thread.

    Two clocks tell a slow processor (its own seconds count) from one that others use too (everybody's do).
    """
    import torch

    from helpers.latency import measure
    from helpers.models import load_zoo

    picture = torch.zeros(1, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    model = load_zoo(1.0)
    own, wall = (1e3 * measure(model, picture, threads=1, seconds=0.5, clock=clock).median
                 for clock in (time.process_time, time.perf_counter))  # fmt: skip
    told = f"one picture through MobileNetV2 takes one core {own:.1f} ms"
    if own > SLOW:
        yield NOTE, f"{told}, above {SLOW:g}: is a battery saver on? The pages will compute for longer than they say"
    elif wall > 1.5 * own:
        yield (
            NOTE,
            f"{told}, and {wall:.1f} by the clock: other programs use this processor, and the pages' timings will "
            "be rough",
        )
    else:
        yield OK, told


def widgets() -> Iterator[Finding]:
    """Do the server that shows the sliders and the kernel that moves them fit? And does the kernel find helpers?"""
    server = jupyters.server_python()
    if server is None:
        yield WRONG, f"`jupyter lab` is not found: activate the virtual environment, or {INSTALL}"
        return
    told = jupyters.ask(server, jupyters.SERVER)
    if "error" in told:
        yield WRONG, f"{server}, which runs `jupyter lab`, does not answer ({told['error']}): {INSTALL}"
        return
    if told["kernel"] is None:
        yield WRONG, f"the server has no kernel called python3: `{sys.executable} -m pip install ipykernel`"
        return
    bare = re.fullmatch(
        r"python(\d(\.\d+)?)?", told["kernel"]
    )  # the server puts its own Python in place of a bare name
    kernel = told if bare else jupyters.ask(told["kernel"], jupyters.PROBE)
    if "error" in kernel:
        yield (
            WRONG,
            f"the kernel python3 is {told['kernel']}, which does not answer ({kernel['error']}): "
            f"`{sys.executable} -m ipykernel install --sys-prefix`",
        )
        return
    if kernel["helpers"] is None:
        yield (
            WRONG,
            f"the notebooks' kernel is {kernel['python']}, which finds no `helpers`: start `jupyter lab` from the "
            f"environment in which {INSTALL} was given, or `{sys.executable} -m ipykernel install --sys-prefix`",
        )
    elif not Path(kernel["helpers"]).is_relative_to(ROOT):
        yield (
            WRONG,
            f"the notebooks' kernel takes `helpers` from {Path(kernel['helpers']).parent}, not from {ROOT}: "
            f"{INSTALL}, or change PYTHONPATH",
        )
    else:
        yield OK, f"the notebooks' kernel is {kernel['python']} and finds helpers"
    manager, package = told.get("manager"), kernel["ipywidgets"]
    pair = f"ipywidgets {package} in the kernel, jupyterlab_widgets {told['jupyterlab_widgets']} in JupyterLab "
    pair += f"{told['jupyterlab']}"
    if package is None:
        yield WRONG, f"the kernel has no ipywidgets, so there are no sliders: {INSTALL}"
    elif manager is None:
        yield WRONG, f"{pair} without its page part, so no slider shows: {INSTALL}, in the environment of `jupyter lab`"
    elif (package.split(".")[0], manager.split(".")[0]) != ("8", "5"):  # jupyterlab_widgets 3 serves manager 5
        yield (
            WRONG,
            f"{pair}, whose page part in {told['folder']} is {manager} and not 5: no slider shows. {INSTALL}, in "
            "the environment of `jupyter lab`, or delete that folder if it is an old one; then load the page anew",
        )
    else:
        yield OK, pair


CHECKS = {"versions": versions, "files": files, "writing": writing, "memory": memory, "cores": cores, "speed": speed,
          "widgets": widgets}  # fmt: skip
