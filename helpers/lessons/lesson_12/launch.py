"""Start a function of the page in several processes, as torchrun does, and bring back what each returns."""

import ast
import contextlib
import inspect
import linecache
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from helpers import ROOT

# What the page's functions may use; the worker imports the same. `helpers` first, as on every page.
IMPORTS = """\
import copy
import os
import sys
import time
from pathlib import Path

import helpers  # first: it settles how PyTorch's threads wait

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from helpers import ranks
from helpers.batches import Batches
from helpers.data import load_cifar10
from helpers.models import mobilenet_v2
from helpers.runs.together import Share, Together
"""
MEET = """\

if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])
    inputs = torch.load(folder / "inputs.pt", weights_only=True)
    # A file in place of a port: no port can be taken, and no other user can knock. torchrun has its own meeting point.
    with ranks.joined(meeting=None if "TORCHELASTIC_RUN_ID" in os.environ else folder / "meeting"):
        found = FUNCTION(**inputs)
        torch.save(found, folder / f"rank{rank}.pt")
        dist.barrier()
    ranks.leave(0)
"""


class LaunchError(RuntimeError):
    """A process ended with an error, or did not end; the message holds its last lines."""


def on_this_machine() -> dict[str, str]:
    """The environment in which workers of one machine find each other and do not crowd it."""
    loopback = {"linux": "lo", "darwin": "lo0"}.get(sys.platform)
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    mine = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(places)}
    if loopback and "GLOO_SOCKET_IFNAME" not in os.environ:
        mine["GLOO_SOCKET_IFNAME"] = loopback  # a machine's own name may lead out into the network, or nowhere
    return {**os.environ, **mine}


def launch(
    function: Callable[..., dict], *, processes: int = 2, seconds: float = 240, restarts: int | None = None,
    also: tuple = (), **inputs
) -> list[dict]:  # fmt: skip
    """Call `function(**inputs)` in `processes` processes of one thread each; returns what each rank returned.

    The source of `function`, and of the functions, classes and lines in `also` that it uses, goes into a file that
    every process runs; the names of `IMPORTS` are known there, and the processes can talk (`torch.distributed`, gloo).
    Inputs and results are tensors, numbers, words, and lists and dicts of them. With `restarts`, torchrun starts and
    watches the processes: when one dies, all begin anew, so many times at most. Raises LaunchError when one fails, or
    when they are not done after `seconds`; none is left running.
    """
    parts = (part if isinstance(part, str) else source_of(part) for part in (*also, function))
    code = "\n\n".join(map(textwrap.dedent, parts))
    with tempfile.TemporaryDirectory(prefix="helpers-", ignore_cleanup_errors=True) as home:
        folder = Path(home)
        torch.save(inputs, folder / "inputs.pt")
        script = folder / "worker.py"
        script.write_text(IMPORTS + "\n\n" + code + MEET.replace("FUNCTION", function.__name__), encoding="utf-8")
        if restarts is None:
            run([sys.executable, str(script), home], folder, processes, seconds)
        else:
            torchrun([str(script), home], folder, processes, seconds, restarts)
        return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(processes)]


def source_of(part: Callable) -> str:
    """The source of a function or class, of a notebook's cell too; ValueError where there is none to be found."""
    try:
        if not inspect.isclass(part):
            return inspect.getsource(part)
        # `inspect` does not find the classes of a notebook; their methods know the cell.
        methods = [getattr(one, "__func__", one) for one in vars(part).values()]
        file = next(method.__code__.co_filename for method in methods if inspect.isfunction(method))
        text = "".join(linecache.getlines(file))
        found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)]
        return ast.get_source_segment(text, next(node for node in found if node.name == part.__name__))
    except (OSError, StopIteration) as error:
        raise ValueError(
            f"the source of {part.__name__} cannot be found: run the cell that defines it again"
        ) from error


def torchrun(
    words: list[str], folder: Path, processes: int, seconds: float, restarts: int = 0, environment: dict | None = None
) -> str:
    """`torchrun --standalone … words` (a script with its arguments, or -m and a module); returns what it said.

    --standalone takes any free port. Raises LaunchError as `launch` does.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command += ["--max-restarts", str(restarts), *words]
    log = folder / "torchrun.log"
    # A group of its own, where there are such: what torchrun started goes with it.
    alone = {"start_new_session": True} if hasattr(os, "killpg") else {}
    with open(log, "wb") as file:
        agent = subprocess.Popen(
            command, env=on_this_machine() | (environment or {}), stdout=file, stderr=file, cwd=folder, **alone
        )
    try:
        if agent.wait(timeout=seconds):
            raise LaunchError(f"torchrun gave up:\n{_tail(log, 40)}")
    except subprocess.TimeoutExpired:
        raise LaunchError(f"torchrun was not done after {seconds:g} s, and was stopped: is the machine busy? Run the "
                          f"cell again. It said:\n{_tail(log)}") from None  # fmt: skip
    finally:
        if agent.poll() is None:
            agent.terminate()  # torchrun ends its workers
            with contextlib.suppress(subprocess.TimeoutExpired):
                agent.wait(timeout=40)
        if alone:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(agent.pid, signal.SIGKILL)
        agent.kill()
        agent.wait()
    return log.read_text(encoding="utf-8", errors="replace")


def run(command: list[str], folder: Path, processes: int, seconds: float) -> None:
    """The same command `processes` times, each with its RANK; LaunchError says what the first that failed said."""
    workers, logs = [], [folder / f"rank{rank}.log" for rank in range(processes)]
    try:
        for rank, log in enumerate(logs):
            who = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes)}
            with open(log, "wb") as file:
                workers.append(
                    subprocess.Popen(command, env=on_this_machine() | who, stdout=file, stderr=file, cwd=folder)
                )
        end = time.monotonic() + seconds
        while any(worker.poll() is None for worker in workers):
            if any(worker.poll() for worker in workers):  # the others would wait for it
                time.sleep(0.5)  # for its last words, and for theirs
                break
            if time.monotonic() > end:
                raise LaunchError(f"{processes} processes were not done after {seconds:g} s, and were stopped: is the "
                                  f"machine busy? Run the cell again. Rank 0 said:\n{_tail(logs[0])}")  # fmt: skip
            time.sleep(0.02)
        failed = [rank for rank, worker in enumerate(workers) if worker.poll()]
        # One that fails takes the connection from the others, who then fail, too: not theirs is the cause.
        failed.sort(key=lambda rank: "gloo" in _tail(logs[rank], 1))
        if failed:
            raise LaunchError(f"rank {failed[0]} ended with an error:\n{_tail(logs[failed[0]])}")
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()


def _tail(log: Path, lines: int = 12) -> str:
    text = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return "\n".join(text[-lines:]) or "(nothing)"


def largest_difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The largest |a − b| over all numbers of two dicts of tensors; ValueError when their names differ."""
    if one.keys() != other.keys():
        raise ValueError(f"the two do not hold the same tensors: {sorted(one.keys() ^ other.keys())[:3]}")
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


def parameters_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """Name → parameter, detached: what an optimizer moves, without BatchNorm's running statistics."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
