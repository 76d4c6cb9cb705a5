"""How does a run survive a pulled plug?"""

import errno
import hashlib
import os
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn

from helpers import ranks
from helpers.batches import Batches, BatchSource
from helpers.evaluation import device_of

FIRST_WEIGHTS = "first weights"  # the setting that holds the fingerprint of a network before its first step


@dataclass
class History:
    """One number an epoch: learning rate at its end, mean training loss, validation loss and accuracy, seconds."""

    lr: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        """Epochs done."""
        return len(self.loss)

    @property
    def best_epoch(self) -> int:
        """The epoch (from 1) with the highest validation accuracy; of several, that with the lowest loss; 0: none."""
        scores = list(zip(self.validation_accuracy, [-loss for loss in self.validation_loss], strict=True))
        return scores.index(max(scores)) + 1 if scores else 0


# ---------------------------------------------------------------------------------------------- what a run belongs to


def fingerprint(tensors: Iterable[torch.Tensor]) -> str:
    """The first 12 hexadecimal digits of a SHA-256 over dtypes, shapes and bytes; about a second for a gigabyte."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:12]


def identity(batches: BatchSource | None, name: str = "") -> dict[str, str]:
    """What makes batches what they are, in words, `name` before each; of a source that is no `Batches`, its length."""
    words = {"images": "none" if batches is None else "unknown", "batches": 0 if batches is None else len(batches)}
    if isinstance(batches, Batches):
        data = batches.image_set
        strengths = [f"{kind} {strength:g}" for kind, strength in sorted(batches.augment.items()) if strength]
        words |= {
            "images": f"{len(data):,} with SHA-256 {fingerprint((data.images, data.labels))}",
            "augment": " ".join(strengths) or "nothing",
            "image_size": batches.image_size or data.images.shape[1],
            "mean": batches.mean,
            "std": batches.std,
            "batch_size": batches.batch_size,
            "shuffle": bool(batches.shuffle),
            "seed of the batches": batches.seed,
        }
    if processes := getattr(batches, "processes", None):  # each BatchNorm saw its share: another training
        words["processes"] = processes
    return {f"{name}{key}": str(value) for key, value in words.items()}


# ---------------------------------------------------------------------------------------------- saving


def generations(path: str | Path) -> tuple[Path, Path]:
    """The newest checkpoint and the one before it."""
    return Path(path), Path(f"{path}.previous")


def check_writable(path: str | Path) -> None:
    """Make the folder of a checkpoint; ValueError or OSError, in a sentence, where no file of that name can be."""
    newest, _ = generations(path)
    if newest.is_dir():
        raise ValueError(f"the checkpoint {path} is a folder: name a file in it, as {newest / 'run.pt'}")
    try:
        newest.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=newest.parent):
            pass
    except OSError as error:
        words = f"no checkpoint can be written to the folder {newest.parent} ({error.strerror}): name one in another"
        raise OSError(error.errno, words) from error


def save_checkpoint(
    path: str | Path, model: nn.Module, optimizer: torch.optim.Optimizer, averaged: nn.Module, *, epoch: int,
    epochs: int, history: History, best: nn.Module | None = None, settings: dict | None = None,
) -> None:  # fmt: skip
    """Everything that a run needs to go on, whole or not at all (written beside the goal, then renamed).

    The checkpoint before it stays as `path`.previous. `settings` (numbers, words) make a run what it is:
    `load_checkpoint` refuses a file that has others. `averaged` is `model` itself, `best` None when there is none.
    Of several processes (`helpers.ranks`) rank 0 alone writes; the others return.
    Raises OSError that says what is safe where the disk is full or the file cannot be written.
    """
    if not ranks.first():
        return
    newest, previous = generations(path)
    newest.parent.mkdir(parents=True, exist_ok=True)
    device = device_of(model)
    state = {
        "model": model.state_dict(),
        "averaged": averaged.state_dict() if averaged is not model else None,
        "best": best.state_dict() if best is not None else None,
        "optimizer": optimizer.state_dict(),
        "epoch": epoch,
        "settings": {"epochs": epochs, **(settings or {})},
        "history": asdict(history),
        "random": torch.get_rng_state(),
        "cuda_random": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }
    part, free = newest.with_name(newest.name + ".part"), shutil.disk_usage(newest.parent).free
    try:
        torch.save(state, part)
        with open(part, "rb+") as file:  # on the disk before it takes the name: a power cut must not leave it empty
            os.fsync(file.fileno())
        if newest.exists():
            os.replace(newest, previous)
        os.replace(part, newest)
    except (OSError, RuntimeError) as error:  # PyTorch tells of a full disk by a RuntimeError about a position
        raise _not_saved(error, newest, state, free) from error
    finally:
        part.unlink(missing_ok=True)


def _not_saved(error: Exception, newest: Path, state: dict, free: int) -> OSError:
    """What went wrong, what is safe, what to do."""
    parts = [state["model"], state["averaged"] or {}, state["best"] or {}, *state["optimizer"]["state"].values()]
    needed = sum(value.nbytes for part in parts for value in part.values() if isinstance(value, torch.Tensor))
    number = getattr(error, "errno", None) or (errno.ENOSPC if free < 1.1 * needed + 1e6 else errno.EIO)
    reason = "the disk is full" if number in (errno.ENOSPC, errno.EDQUOT) else str(error).strip().splitlines()[0]
    before = [file for file in generations(newest) if file.exists()]
    safe = f"epoch {state['epoch'] - 1} is safe in {before[0]}" if before else "no epoch is saved yet"
    return OSError(
        number, f"epoch {state['epoch']} could not be saved in {newest.parent}: {reason} (it takes {needed / 1e6:,.1f} "
        f"MB, {free / 1e6:,.1f} MB were free); {safe}. Make room, and the same command goes on"
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------- going on


def load_checkpoint(
    path: str | Path, model: nn.Module, optimizer: torch.optim.Optimizer, averaged: nn.Module, *, epochs: int,
    best: nn.Module | None = None, settings: dict | None = None,
) -> tuple[int, History]:  # fmt: skip
    """Put a saved run's state back, each tensor on its network's device; returns (epochs already done, History).

    Opens plain tensors only, never code. Without `settings` only the networks and the number of epochs are compared.
    When the newest file is damaged or of another run, it is set aside as `path`.refused with a warning and the one
    before is used. Raises ValueError, and says what is wrong, when that one is no good either: nothing was changed.
    """
    networks, refused = {"model": model, "averaged": None if averaged is model else averaged, "best": best}, []
    for file in filter(Path.exists, generations(path)):
        try:
            state = _read_checkpoint(file, networks, optimizer.param_groups, epochs, settings)
        except ValueError as error:
            refused.append(error)
            continue
        for name, network in networks.items():
            if network is not None:
                network.load_state_dict(state[name])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        device = device_of(model)
        if device.type == "cuda" and state["cuda_random"] is not None:
            torch.cuda.set_rng_state(state["cuda_random"], device)
        if refused:
            aside = _free_name(Path(f"{path}.refused"))
            os.replace(path, aside)
            warnings.warn(
                f"{refused[0]}: set aside as {aside.name}. The one before it is used: "
                f"{file.name}, after {state['epoch']} of {epochs} epochs", stacklevel=4,
            )  # fmt: skip
        return state["epoch"], History(**state["history"])
    if not refused:
        raise FileNotFoundError(f"there is no checkpoint {path}")
    both = f" ({file.name} is no good either)" if len(refused) > 1 else ""
    raise ValueError(f"{refused[0]}: to start anew, name another file or move this one away{both}") from refused[0]


def _free_name(path: Path) -> Path:
    """`path`, or with a number behind it when there is such a file already: nothing is overwritten."""
    number = 1
    while (free := path if number == 1 else Path(f"{path}{number}")).exists():
        number += 1
    return free


def _read_checkpoint(file: Path, networks: dict, groups: list[dict], epochs: int, settings: dict | None) -> dict:
    """The state in a file that belongs to this run, on the CPU; ValueError otherwise, before anything was changed."""
    try:
        with zipfile.ZipFile(file) as archive:
            if archive.testzip():  # compares the checksums, which torch.load does not
                raise ValueError("a checksum differs")
        state = torch.load(file, weights_only=True, map_location="cpu")
        others = _others(file, state["settings"], {"epochs": epochs, **(settings or {})}, settings is None)
        for name, network in networks.items():
            saved = state[name] or {}
            mine = network.state_dict() if network is not None else {}
            if {k: v.shape for k, v in saved.items()} != {k: v.shape for k, v in mine.items()}:
                raise _Foreign(f"{file} is of another network (the tensors of its {name!r} differ)")
        # A network that this very run trained (the call was made again) is welcome too, though it has moved on.
        outcomes = [state[name] for name in networks if state[name]]
        if others and not any(_equal(networks["model"].state_dict(), saved) for saved in outcomes):
            raise _Foreign(f"{file} is of a network that began with other weights: build it anew with the same seed")
        sizes = [[len(group["params"]) for group in groups] for groups in (state["optimizer"]["param_groups"], groups)]
        if sizes[0] != sizes[1] or not len(History(**state["history"])) == state["epoch"] <= epochs:
            raise _Foreign(f"{file} is of a run that trained other weights")
        torch.Generator().set_state(state["random"])
    except _Foreign:
        raise
    except Exception as error:
        raise ValueError(f"{file} is no checkpoint of this run ({type(error).__name__})") from error
    return state


def _others(file: Path, theirs: dict, mine: dict, only_mine: bool) -> bool:
    """Do the first weights differ? Where anything else does, _Foreign with all that does."""
    if FIRST_WEIGHTS in mine and FIRST_WEIGHTS not in theirs:
        raise _Foreign(f"{file} is from an older version, which did not note its data and its first weights")
    if "processes" in mine | theirs:
        mine, theirs = ({"processes": "1", **one} for one in (mine, theirs))
    names = [name for name in (mine if only_mine else {**mine, **theirs}) if mine.get(name) != theirs.get(name)]
    others = [name for name in names if name != FIRST_WEIGHTS]
    shared = [name for name in others if name in mine and name in theirs]  # Adam's betas differ from SGD's, too
    differ = [f"{name} {theirs.get(name)}, not {mine.get(name)}" for name in shared or others]
    if differ:
        raise _Foreign(f"{file} is of another run ({'; '.join(differ)})")
    return bool(names)


def _equal(mine: dict, saved: dict) -> bool:
    return mine.keys() == saved.keys() and all(torch.equal(mine[name].cpu(), saved[name]) for name in mine)


class _Foreign(ValueError):
    """A sound checkpoint, but of something else."""
