"""How is it trained?"""

import copy
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from helpers.evaluation import accuracy, predict_with_labels


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


def cosine_with_warmup(step: int, steps: int, warmup: int) -> float:
    """Factor on the learning rate: a straight line up over `warmup` steps, then half a cosine down to 0 at `steps`."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def fit(
    model: nn.Module,
    batches,
    *,
    epochs: int,
    lr: float,
    validation=None,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
    warmup: float = 0.0,
    label_smoothing: float = 0.0,
    average: float = 0.0,
    checkpoint: str | Path | None = None,
    log: Callable[[str], None] | None = None,
    seed: int = 0,
) -> History:
    """Train `model` in place by SGD with Nesterov momentum and a cosine schedule; returns the History.

    `batches` and `validation` yield (inputs, labels). `warmup` counts epochs (fractions allowed). Weight decay touches
    weight matrices only, not biases and BatchNorm. `average` > 0 keeps a running average of all weights with that
    decay per step, evaluates it, and leaves it in the model at the end. With `checkpoint`, every epoch is saved there
    and a run that was interrupted goes on to the same bits. `log` gets a line of progress every few seconds.
    """
    if epochs < 1 or lr <= 0:
        raise ValueError(f"epochs must be at least 1 and lr above 0, not {epochs!r} and {lr!r}")
    lr, weight_decay = float(lr), float(weight_decay)  # a NumPy number would not come back from a checkpoint
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("nothing to train: every weight of the model is frozen (requires_grad is False)")
    groups = [
        {"params": [p for p in model.parameters() if p.requires_grad and p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in model.parameters() if p.requires_grad and p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=momentum > 0)
    averaged = copy.deepcopy(model) if average else model
    history, start, steps = History(), 0, epochs * len(batches)
    settings = {
        "lr": lr,
        "weight_decay": weight_decay,
        "momentum": momentum,
        "warmup": warmup,
        "label_smoothing": label_smoothing,
        "average": average,
        "seed": seed,
        "batches": len(batches),
    }
    torch.manual_seed(seed)
    if checkpoint and Path(checkpoint).exists():
        start, history = load_checkpoint(checkpoint, model, optimizer, averaged, epochs=epochs, settings=settings)
    began, last_line = time.monotonic(), time.monotonic()
    for epoch in range(start, epochs):
        model.train()
        started, total = time.monotonic(), 0.0
        if hasattr(batches, "epoch"):
            batches.epoch = epoch
        for index, (inputs, labels) in enumerate(batches):
            step = epoch * len(batches) + index
            factor = cosine_with_warmup(step, steps, round(warmup * len(batches)))
            for group in optimizer.param_groups:
                group["lr"] = lr * factor
            loss = F.cross_entropy(model(inputs), labels, label_smoothing=label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
            if average:
                _average(averaged, model, min(average, (1 + step) / (10 + step)))
            if log and time.monotonic() - last_line > 15:
                last_line, done = time.monotonic(), (step + 1 - start * len(batches)) / (steps - start * len(batches))
                left = (last_line - began) * (1 / done - 1)
                share = (index + 1) / len(batches)
                log(f"epoch {epoch + 1}/{epochs} {share:4.0%} loss {loss.item():.3f} {left / 60:.0f} min left")
        if not math.isfinite(total):
            raise FloatingPointError(f"the loss is not a number in epoch {epoch + 1}: use a smaller lr than {lr:g}")
        history.lr.append(lr * factor)
        history.loss.append(total / len(batches))
        if validation is not None:
            logits, labels = predict_with_labels(averaged, validation)
            history.validation_loss.append(F.cross_entropy(logits, labels).item())
            history.validation_accuracy.append(accuracy(logits, labels).value)
        history.seconds.append(time.monotonic() - started)
        if checkpoint:
            progress = {"epoch": epoch + 1, "epochs": epochs, "history": history, "settings": settings}
            save_checkpoint(checkpoint, model, optimizer, averaged, **progress)
        if log:
            measured = f" validation {history.validation_accuracy[-1]:.1%}" if validation is not None else ""
            seconds = history.seconds[-1]
            log(f"epoch {epoch + 1}/{epochs} done: loss {history.loss[-1]:.3f}{measured} in {seconds:.0f} s")
    if average:
        model.load_state_dict(averaged.state_dict())
    model.eval()
    return history


@torch.no_grad()
def _average(averaged: nn.Module, model: nn.Module, keep: float) -> None:
    mine, new = averaged.state_dict().values(), model.state_dict().values()
    floats = [(a, b) for a, b in zip(mine, new, strict=True) if a.is_floating_point()]
    torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], 1 - keep)


def cache_features(pretrained, batches) -> tuple[torch.Tensor, torch.Tensor]:
    """A frozen network's features [N,D] and the labels [N], computed once, for training heads on them.

    `pretrained` is a `models.Pretrained` or a module; it runs in evaluation mode, so its BatchNorm cannot drift.
    """
    return predict_with_labels(pretrained if isinstance(pretrained, nn.Module) else pretrained.model, batches)


def save_checkpoint(
    path, model, optimizer, averaged, *, epoch: int, epochs: int, history: History, settings: dict | None = None
) -> None:
    """Everything that a run needs to go on, whole or not at all (written beside the goal, then renamed).

    `settings` are the numbers that make a run what it is; `load_checkpoint` refuses a file that has others.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        "model": model.state_dict(),
        "averaged": averaged.state_dict() if averaged is not model else None,
        "optimizer": optimizer.state_dict(),
        "epoch": epoch,
        "settings": {"epochs": epochs, **(settings or {})},
        "history": asdict(history),
        "random": torch.get_rng_state(),
    }
    torch.save(state, path.with_name(path.name + ".part"))
    os.replace(path.with_name(path.name + ".part"), path)


def load_checkpoint(
    path, model, optimizer, averaged, *, epochs: int, settings: dict | None = None
) -> tuple[int, History]:
    """Put a saved run's state back; returns (epochs already done, History). Opens plain tensors only, never code.

    Raises ValueError, and says what differs, when the file is damaged or belongs to another run.
    """
    settings = {"epochs": epochs, **(settings or {})}
    try:
        state = torch.load(path, weights_only=True)
        differs = [name for name in settings if state["settings"].get(name) != settings[name]]
        if not differs:
            model.load_state_dict(state["model"])
            if averaged is not model:
                averaged.load_state_dict(state["averaged"])
            optimizer.load_state_dict(state["optimizer"])
            torch.set_rng_state(state["random"])
            return state["epoch"], History(**state["history"])
    except Exception as error:
        raise ValueError(
            f"{path} is no checkpoint of this run ({type(error).__name__}): delete it to start anew"
        ) from error
    name = differs[0]
    theirs = state["settings"].get(name)
    raise ValueError(f"{path} is of another run ({name} {theirs}, not {settings[name]}): delete it to start anew")
