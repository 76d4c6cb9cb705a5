"""Which of several processes am I? What torchrun says, and what the processes agree on.

`torchrun --nproc-per-node 2 -m helpers train …` starts the same command twice. Each copy has a number, its *rank*, and
rank 0 alone writes files. Without torchrun there is one process, of rank 0, and nothing here does anything.
"""

import contextlib
import datetime
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import torch
import torch.distributed as dist

WAIT = datetime.timedelta(minutes=10)  # for a process that does not answer; then the others give up


def world() -> int:
    """Processes that train one network together; 1 without torchrun."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This process's number among them, from 0."""
    return dist.get_rank() if world() > 1 else 0


def first() -> bool:
    """Whether this process is the one that writes files and talks."""
    return rank() == 0


@contextlib.contextmanager
def joined(device: str = "cpu", meeting: Path | None = None) -> Iterator[None]:
    """Meet the other processes that torchrun started (it says so in WORLD_SIZE), and part from them at the end.

    They talk through gloo, or on `device` "cuda" through nccl, each with the card of its LOCAL_RANK. Without torchrun
    they can meet in a file, `meeting`, that is not there yet.
    """
    asked = os.environ.get("WORLD_SIZE") or "1"
    if not asked.isdecimal():
        raise ValueError(f"WORLD_SIZE is the number of processes, which torchrun sets, not {asked!r}: unset it")
    if (int(asked) < 2 and not meeting) or world() > 1:
        yield
        return
    if not dist.is_available():
        raise ValueError("this PyTorch was built without torch.distributed: give the command without torchrun")
    cuda = torch.device(device).type == "cuda"
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    me, count = int(os.environ["RANK"]), int(asked)
    if meeting:
        store = dist.FileStore(str(meeting), count)
    else:
        store, _, _ = next(dist.rendezvous("env://", timeout=WAIT))
        if os.environ.get("LOCAL_WORLD_SIZE") == asked:
            # After a restart torchrun's store still holds the addresses of the processes that died, and the new ones
            # may wait for those without end (pytorch/pytorch#135712). On one machine all know which attempt it is.
            store = dist.PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
    dist.init_process_group("nccl" if cuda else "gloo", store=store, rank=me, world_size=count, timeout=WAIT)
    try:
        yield
    finally:
        dist.destroy_process_group()


def leave(code: int) -> NoReturn:
    """End this process at once, with all that it printed, and without taking Python apart.

    One of gloo's threads may just then ask for the interpreter, is ended in the middle of it, and takes the process
    with it ("terminate called without an active exception"): a finished run would be told as a failed one.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def agree(value):
    """What rank 0 has as `value` (numbers, words, lists and dicts of them), on every rank."""
    if world() == 1:
        return value
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    text = json.dumps(value).encode() if first() else b""
    size = torch.tensor([len(text)], device=device)
    dist.broadcast(size, 0)
    letters = torch.zeros(int(size), dtype=torch.uint8, device=device)
    if first():
        letters.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
    dist.broadcast(letters, 0)
    return json.loads(bytes(letters.cpu().tolist()))


@contextlib.contextmanager
def in_turn() -> Iterator[None]:
    """Rank 0 goes through the block first, then rank 1, and so on: none sees a file that another is moving."""
    for _ in range(rank()):
        dist.barrier()
    try:
        yield
    finally:
        if world() > 1:
            for _ in range(world() - rank()):
                dist.barrier()
