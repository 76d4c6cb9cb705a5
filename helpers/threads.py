"""How do PyTorch's threads behave on a machine that others use too?

PyTorch shares an operation out among threads of OpenMP. One that is done before the others waits, and waits by
*spinning*: it looks again and again, and nobody else gets its core. Alone that is fastest. Beside other busy programs
it is a disaster: the thread that all wait for has no core, because those that wait for it hold them. A spin that gives
up soon costs next to nothing alone and saves nearly everything in company; `python -m helpers bench busy` measures it.
How long a thread spins is read once, when PyTorch loads its OpenMP library, so it has to be said before:

- Linux: PyTorch's wheels bring GNU's libgomp. It spins 300,000 times, unless GOMP_SPINCOUNT says otherwise
  (https://gcc.gnu.org/onlinedocs/libgomp/GOMP_005fSPINCOUNT.html). It does so less only where one program has more
  threads than there are cores; of other programs it knows nothing.
- macOS: LLVM's libomp spins for 200 milliseconds, unless KMP_BLOCKTIME says otherwise (https://openmp.llvm.org).
- Windows: the wheels bring Intel's libiomp5md, which knows KMP_BLOCKTIME too, and Microsoft's vcomp140, which runs some
  of the loops (https://github.com/pytorch/pytorch/pull/176179) and for which we know no such setting.

Only the setting for Linux was measured.
"""

import os
import sys
from pathlib import Path

# Measured by `bench busy` on two cores of an AMD EPYC (2026-11), seconds of an epoch alone → beside two busy programs:
# as PyTorch comes 1.5 → more than 100; 100,000 spins 1.7 → 119; 10,000 1.5 → 15; 3,000 and 2,000 in between;
# 1,000 1.7 → 4.2; no spin at all (OMP_WAIT_POLICY=PASSIVE) 2.4 → 3.0; one thread 1.9 → 2.8.
SHORT_SPIN = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}


def settle() -> bool:
    """Let waiting threads spin briefly, and use no more threads than the machine grants; what you have set stays.

    Returns False if it is too late because PyTorch is loaded already: then nothing is changed, and nothing goes wrong.
    """
    if "torch" in sys.modules:
        return False
    if "OMP_WAIT_POLICY" not in os.environ:  # whoever set that has decided how threads wait
        for name, value in SHORT_SPIN.items():
            os.environ.setdefault(name, value)
    granted = granted_cores()
    if granted < visible_cores() and not {"OMP_NUM_THREADS", "MKL_NUM_THREADS"} & set(os.environ):
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(granted)
    return True


def visible_cores() -> int:
    """Cores that this process may run on: all of the machine's, or those it was pinned to."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def granted_cores(root: Path = Path("/")) -> int:
    """Cores that this process may keep busy at once, at least 1: the visible ones, or fewer if it has a quota.

    A container shows all cores of its host and stops whoever has used up the container's quota of seconds. That is
    said in a control group's files under `root`, on Linux alone. 7.6 cores are 7: one thread more than the quota can
    run, and all wait for the one that was stopped.
    """
    return max(1, int(min([visible_cores(), *_quotas(Path(root))])))


def _quotas(root: Path) -> list[float]:
    """The quota, in cores, of the process's control group and of each group around it that has one."""
    groups = _read(root / "proc/self/cgroup").splitlines()  # lines such as 0::/user/job (version 2), 3:cpu,cpuacct:/job
    found = []
    for number, controllers, group in (line.split(":", 2) for line in groups if line.count(":") >= 2):
        if number == "0":
            places, files = [root / "sys/fs/cgroup"], ["cpu.max"]
        elif "cpu" in controllers.split(","):
            places = [root / "sys/fs/cgroup/cpu", root / "sys/fs/cgroup/cpu,cpuacct"]
            files = ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
        else:
            continue
        parts = [part for part in group.split("/") if part and part != ".."]  # inside a container it may begin with ..
        for place in places:
            for depth in range(len(parts) + 1):
                folder = place.joinpath(*parts[:depth])
                found += _cores(" ".join(_read(folder / file) for file in files))
    return found


def _cores(text: str) -> list[float]:
    """[cores] of "QUOTA PERIOD", both in microseconds; nothing for "max …", "-1 …" and what cannot be read."""
    try:
        quota, period = map(int, text.split())
    except ValueError:
        return []
    return [quota / period] if quota > 0 and period > 0 else []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
