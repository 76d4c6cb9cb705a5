"""How does a run survive a pulled plug?"""

import os
import warnings
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch


@dataclass
class History:
    """One number an epoch: learning rate at its end, mean training loss, validation loss and accuracy, seconds."""

    lr: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def best_epoch(self) -> int:
        """The epoch (from 1) with the highest validation accuracy; of several, that with the lowest loss; 0: none."""
        scores = list(zip(self.validation_accuracy, [-loss for loss in self.validation_loss], strict=True))
        return scores.index(max(scores)) + 1 if scores else 0


def generations(path) -> tuple[Path, Path]:
    """The newest checkpoint and the one before it."""
    return Path(path), Path(f"{path}.previous")


def save_checkpoint(
    path, model, optimizer, averaged, *, epoch: int, epochs: int, history: History, best=None,
    settings: dict | None = None,
) -> None:  # fmt: skip
    """Everything that a run needs to go on, whole or not at all (written beside the goal, then renamed).

    The checkpoint before it stays as `path`.previous. `settings` are the numbers that make a run what it is;
    `load_checkpoint` refuses a file that has others. `averaged` is `model` itself, `best` None when there is none.
    """
    newest, previous = generations(path)
    newest.parent.mkdir(parents=True, exist_ok=True)
    state = {
        "model": model.state_dict(),
        "averaged": averaged.state_dict() if averaged is not model else None,
        "best": best.state_dict() if best is not None else None,
        "optimizer": optimizer.state_dict(),
        "epoch": epoch,
        "settings": {"epochs": epochs, **(settings or {})},
        "history": asdict(history),
        "random": torch.get_rng_state(),
    }
    part = newest.with_name(newest.name + ".part")
    torch.save(state, part)
    with open(part, "rb+") as file:  # on the disk before it takes the name: a power cut must not leave it empty
        os.fsync(file.fileno())
    if newest.exists():
        os.replace(newest, previous)
    os.replace(part, newest)


def load_checkpoint(
    path, model, optimizer, averaged, *, epochs: int, best=None, settings: dict | None = None
) -> tuple[int, History]:
    """Put a saved run's state back; returns (epochs already done, History). Opens plain tensors only, never code.

    When the newest file is damaged or of another run, it is set aside as `path`.refused with a warning and the one
    before is used. Raises ValueError, and says what is wrong, when that one is no good either: nothing was changed.
    """
    networks, refused = {"model": model, "averaged": None if averaged is model else averaged, "best": best}, []
    for file in filter(Path.exists, generations(path)):
        try:
            state = _read_checkpoint(file, networks, optimizer.param_groups, {"epochs": epochs, **(settings or {})})
        except ValueError as error:
            refused.append(error)
            continue
        for name, network in networks.items():
            if network is not None:
                network.load_state_dict(state[name])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        if refused:
            os.replace(path, f"{path}.refused")
            warnings.warn(
                f"{refused[0]}: set aside as {Path(path).name}.refused. The one before it is used: "
                f"{file.name}, after {state['epoch']} of {epochs} epochs", stacklevel=3,
            )  # fmt: skip
        return state["epoch"], History(**state["history"])
    if not refused:
        raise FileNotFoundError(f"there is no checkpoint {path}")
    both = f" ({file.name} is no good either)" if len(refused) > 1 else ""
    raise ValueError(f"{refused[0]}: delete it to start anew{both}") from refused[0]


def _read_checkpoint(file: Path, networks: dict, groups: list[dict], settings: dict) -> dict:
    """The state in a file that belongs to this run; ValueError otherwise, before anything was changed."""
    try:
        if zipfile.ZipFile(file).testzip():  # compares the checksums, which torch.load does not
            raise ValueError("a checksum differs")
        state = torch.load(file, weights_only=True)
        theirs = state["settings"]
        for name, value in settings.items():
            if theirs.get(name) != value:
                raise _Foreign(f"{file} is of another run ({name} {theirs.get(name)}, not {value})")
        for name, network in networks.items():
            saved = state.get(name) or {}
            mine = network.state_dict() if network is not None else {}
            if {k: v.shape for k, v in saved.items()} != {k: v.shape for k, v in mine.items()}:
                raise _Foreign(f"{file} is of another network (the tensors of its {name!r} differ)")
        sizes = [[len(group["params"]) for group in groups] for groups in (state["optimizer"]["param_groups"], groups)]
        if sizes[0] != sizes[1] or not len(History(**state["history"])) == state["epoch"] <= settings["epochs"]:
            raise _Foreign(f"{file} is of a run that trained other weights")
        torch.Generator().set_state(state["random"])
    except _Foreign:
        raise
    except Exception as error:
        raise ValueError(f"{file} is no checkpoint of this run ({type(error).__name__})") from error
    return state


class _Foreign(ValueError):
    """A sound checkpoint, but of something else."""
