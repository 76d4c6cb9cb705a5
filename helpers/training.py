"""How is it trained?"""

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from helpers import ranks
from helpers.batches import Batches, BatchSource
from helpers.checkpoints import (
    FIRST_WEIGHTS,
    History,
    check_writable,
    fingerprint,
    generations,
    identity,
    load_checkpoint,
    save_checkpoint,
)
from helpers.evaluation import accuracy, device_of, predict_with_labels


def cosine_with_warmup(step: int, steps: int, warmup: int) -> float:
    """Factor on the learning rate: a straight line up over `warmup` steps, then half a cosine down to 0 at `steps`."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def constant_with_warmup(step: int, steps: int, warmup: int) -> float:
    """Factor on the learning rate: a straight line up over `warmup` steps, then 1; with `warmup` 0, always 1."""
    return min(1.0, (step + 1) / warmup) if warmup else 1.0


def fit(
    model: nn.Module,
    batches: BatchSource,
    *,
    epochs: int,
    lr: float | None = None,
    validation: BatchSource | None = None,
    optimizer: Callable[[list[dict]], torch.optim.Optimizer] | None = None,
    device: str | torch.device | None = None,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
    warmup_epochs: float = 0.0,
    schedule: Callable[[int, int, int], float] = cosine_with_warmup,
    label_smoothing: float = 0.0,
    ema_decay: float = 0.0,
    clip_grad_norm: float = 0.0,
    keep_best: bool = False,
    checkpoint: str | Path | None = None,
    log: Callable[[str], None] | None = None,
    seed: int = 0,
) -> History:
    """Train `model` in place, by SGD with Nesterov momentum unless `optimizer` says otherwise; returns the History.

    batches, validation  yield (inputs [B,…], labels int64 [B]); `len` counts batches
    lr                   SGD's learning rate; not with `optimizer`, which brings its own
    optimizer            makes an optimizer from two parameter groups, weight matrices first, the rest (biases,
                         BatchNorm) second: `lambda groups: torch.optim.Adam(groups, lr=1e-3)`. Each group has its
                         "weight_decay" from the argument of that name, which overrules the optimizer's own default
    device               "cpu", "cuda", …: model and batches are moved there; without it, batches follow the model.
                         On cuda the network computes in bfloat16 (autocast; weights stay float32) and `Batches` lie
                         there as a whole
    schedule             of (step, steps, warm-up steps): the factor on each group's own learning rate, as
                         `cosine_with_warmup` or `constant_with_warmup`
    warmup_epochs        fractions allowed
    weight_decay         acts on weight matrices only, not on biases and BatchNorm
    momentum             SGD's, from 0 to below 1; another optimizer brings its own
    ema_decay            above 0: a running average of all weights with that decay a step is evaluated and kept, as
                         torch.optim.swa_utils.AveragedModel does; in step s the decay is at most (1 + s) / (10 + s)
    clip_grad_norm       above 0: longest gradient (norm over all weights) that a step may take
    keep_best            leave the weights of `History.best_epoch` in the model, not the last ones
    checkpoint           file: saved after every epoch; the same call, with the network built anew, goes on from it to
                         the same bits (CPU and CUDA). It knows the settings, the first weights and the data; those of
                         another run are refused. Only `Batches` are compared: of another source, only their number
    log                  gets a line of progress every few seconds

    The History's loss is the mean over *images*: a small last batch counts by its size (the mean of the batches'
    means would be lesson 08's mistake 5). The model is left in eval mode, on `device`.
    Raises ValueError for data that cannot be learned from (no batches, a class without images, labels out of range,
    images that do not fit the network or are of two sizes), for settings out of their range and for a checkpoint of
    another run; FloatingPointError when the loss is not finite; OSError when a checkpoint cannot be written.
    """
    _check_settings(epochs, weight_decay, momentum, warmup_epochs, label_smoothing, ema_decay, clip_grad_norm, seed)
    epochs, seed = int(epochs), int(seed)
    weights = [p for p in model.parameters() if p.requires_grad]
    _check_run(weights, batches, validation, keep_best)
    device = device_of(model) if device is None else find_device(device)
    model.to(device)
    optimizer = _optimizer(optimizer, weights, lr, momentum, float(weight_decay))
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    averaged = copy.deepcopy(model) if ema_decay else model
    best = copy.deepcopy(model) if keep_best else None
    steps, warmup = epochs * len(batches), round(warmup_epochs * len(batches))
    networks = {"averaged": averaged, "best": best, "epochs": epochs}
    history, start = History(), 0
    torch.manual_seed(seed)
    if checkpoint:
        check_writable(checkpoint)
        networks["settings"] = {
            **_described(optimizer, schedule, steps, warmup),
            "warmup_epochs": float(warmup_epochs),
            "label_smoothing": float(label_smoothing),
            "ema_decay": float(ema_decay),
            "clip_grad_norm": float(clip_grad_norm),
            "keep_best": bool(keep_best),
            "seed": seed,
            **identity(batches),
            **identity(validation, "validation "),
            FIRST_WEIGHTS: fingerprint(model.state_dict().values()),
        }
        start, history = _resumed(checkpoint, model, optimizer, networks, batches, log or (lambda words: None))
    feed, half = batches, torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda")
    if device.type == "cuda" and isinstance(batches, Batches):
        feed = batches.to(device)
    say = _progress(log, start * len(batches), steps)
    with _stoppable(checkpoint, start, epochs, log) as saved:
        for epoch in range(start, epochs):
            model.train()
            started, total, seen = time.monotonic(), 0.0, 0
            if hasattr(feed, "epoch"):
                feed.epoch = epoch
            for index, (inputs, labels) in enumerate(feed):
                where, step = f"batch {index + 1} of epoch {epoch + 1}", epoch * len(batches) + index
                factor = schedule(step, steps, warmup)
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * factor
                inputs, labels = inputs.to(device), labels.to(device)
                with half:
                    logits = _logits(model, inputs, labels, where)
                    loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
                if step == 0:
                    _check_classes(batches, logits.shape[1])
                _check_loss(loss, inputs, where, rates[0] * factor)
                optimizer.zero_grad()
                loss.backward()
                if clip_grad_norm:
                    nn.utils.clip_grad_norm_(weights, clip_grad_norm)
                optimizer.step()
                total, seen = total + loss.item() * len(labels), seen + len(labels)
                if ema_decay:
                    _average(averaged, model, min(ema_decay, (1 + step) / (10 + step)))
                say(step, f"epoch {epoch + 1}/{epochs} {(index + 1) / len(batches):4.0%} loss {loss.item():.3f}")
            history.lr.append(rates[0] * factor)
            history.loss.append(total / seen)
            if validation is not None:
                logits, labels = predict_with_labels(averaged, validation)
                history.validation_loss.append(F.cross_entropy(logits, labels).item())
                history.validation_accuracy.append(accuracy(logits, labels).value)
            if keep_best and history.best_epoch == epoch + 1:
                best.load_state_dict(averaged.state_dict())
            history.seconds.append(time.monotonic() - started)
            if checkpoint:
                save_checkpoint(checkpoint, model, optimizer, epoch=epoch + 1, history=history, **networks)
                saved.append(epoch + 1)
            if log:
                measured = f" validation {history.validation_accuracy[-1]:.1%}" if validation is not None else ""
                seconds = history.seconds[-1]
                log(f"epoch {epoch + 1}/{epochs} done: loss {history.loss[-1]:.3f}{measured} in {seconds:.0f} s")
    if ema_decay or keep_best:
        model.load_state_dict((best if keep_best else averaged).state_dict())
    model.eval()
    return history


def find_device(name: str | torch.device) -> torch.device:
    """The device called `name` ("cpu", "cuda", "cuda:1", "mps"); ValueError where this machine has no such device."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # a name alone proves nothing
    except (RuntimeError, AssertionError, TypeError) as error:
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        raise ValueError(f"there is no device {name!s} here: this machine has cpu{f' and {found}' if found else ''}"
                         ) from error  # fmt: skip
    return device


def _optimizer(make, weights: list[nn.Parameter], lr, momentum: float, weight_decay: float) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum, or what `make` makes of the same two parameter groups."""
    groups = [
        {"params": [p for p in weights if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if make is None:
        if not _is(Real, lr) or not 0 < lr < math.inf:
            raise ValueError(f"lr is a learning rate above 0, not {lr!r}; without lr, give an optimizer")
        # float: a NumPy number would not come back from a checkpoint
        return torch.optim.SGD(groups, lr=float(lr), momentum=momentum, nesterov=momentum > 0)
    for name, given in (("lr", lr is not None), ("momentum", momentum != 0.9)):
        if given:
            raise ValueError(f"{name} and optimizer were both given: the optimizer has its own, set {name} in it")
    made = make(groups) if callable(make) else make
    if not callable(make) or not isinstance(made, torch.optim.Optimizer):
        raise TypeError(
            "optimizer is a function from parameter groups to an optimizer, as lambda groups: "
            f"torch.optim.Adam(groups, lr=1e-3); {'it gave' if callable(make) else 'not'} a {type(made).__name__}"
        )
    holds = {id(p) for group in made.param_groups for p in group["params"]}
    if holds != {id(p) for p in weights}:
        raise ValueError(
            f"the optimizer holds {len(holds)} tensors that are not the {len(weights)} the model trains: give it the "
            "groups it gets, and freeze what should stay with requires_grad_(False)"
        )
    return made


def _described(optimizer: torch.optim.Optimizer, schedule: Callable, steps: int, warmup: int) -> dict[str, str]:
    """Optimizer and schedule in words, for a checkpoint: {"optimizer": "SGD", "lr": "0.1", …, "schedule": …}."""
    words = {"optimizer": type(optimizer).__name__}
    for name in sorted(optimizer.param_groups[0].keys() - {"params"}):
        values = [str(group.get(name)) for group in optimizer.param_groups]
        words[name] = values[0] if len(set(values)) == 1 else " / ".join(values)
    words["schedule"] = getattr(schedule, "__name__", type(schedule).__name__)
    if schedule not in (cosine_with_warmup, constant_with_warmup):  # two lambdas have the same name
        factors = [schedule(part * (steps - 1) // 4, steps, warmup) for part in range(5)]
        words["schedule"] += f" of factors {' '.join(f'{factor:.3g}' for factor in factors)}"
    return words


def _resumed(path, model, optimizer, networks: dict, batches, log) -> tuple[int, History]:
    """What a checkpoint holds of this run: (epochs done, History); (0, an empty one) when there is none."""
    if not isinstance(batches, Batches):
        log(f"{path} notes only the number of batches: whether a run goes on with the same data is for you to see to")
    with ranks.in_turn():
        there = any(file.exists() for file in generations(path))
        start, history = load_checkpoint(path, model, optimizer, **networks) if there else (0, History())
    if start != (of_first := ranks.agree(start)):
        raise ValueError(f"rank {ranks.rank()} found {start} epochs in {path}, and rank 0 found {of_first}: the file "
                         "must lie where all processes can read it, on a disk that all machines share")  # fmt: skip
    if not there:
        return start, history
    if start == networks["epochs"]:
        log(f"already finished, nothing to do: {path} holds all {start} epochs")
    else:
        log(f"goes on from epoch {start} of {networks['epochs']}, saved in {path}")
    return start, history


@contextmanager
def _stoppable(checkpoint, start: int, epochs: int, log) -> Iterator[list[int]]:
    """On Ctrl-C say what is safe, in the log and under the traceback, and let it stop the program.

    Yields a list whose last number is the last epoch that was saved; whoever saves another appends it.
    """
    saved = [start]
    try:
        yield saved
    except KeyboardInterrupt as stop:
        words = "nothing is saved; with checkpoint=, a run goes on from its last whole epoch"
        if checkpoint:
            words = f"no epoch was saved in {checkpoint} yet; the same command starts anew"
            if saved[-1]:
                words = f"epoch {saved[-1]} of {epochs} is safe in {checkpoint}; the same command goes on"
            words += " (in a notebook: build the network anew first)"
        stop.args = (words,)
        if log:
            log(f"stopped: {words}")
        raise


def _progress(log, done: int, steps: int) -> Callable[[int, str], None]:
    """A function of (step, words) that logs them every 15 seconds, with the minutes that are left."""
    began = last = time.monotonic()

    def say(step: int, words: str) -> None:
        nonlocal last
        if log and time.monotonic() - last > 15:
            last, share = time.monotonic(), (step + 1 - done) / (steps - done)
            log(f"{words} {(last - began) * (1 / share - 1) / 60:.0f} min left")

    return say


@torch.no_grad()
def _average(averaged: nn.Module, model: nn.Module, keep: float) -> None:
    mine, new = averaged.state_dict().values(), model.state_dict().values()
    floats = [(a, b) for a, b in zip(mine, new, strict=True) if a.is_floating_point()]
    torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], 1 - keep)


# ---------------------------------------------------------------------------------------------- what can be wrong


def _check_settings(epochs, weight_decay, momentum, warmup_epochs, label_smoothing, ema_decay, clip_grad_norm, seed):
    if not _is(Integral, epochs) or epochs < 1:
        raise ValueError(f"epochs is a whole number from 1 on, not {epochs!r}")
    if not _is(Integral, seed):
        raise ValueError(f"seed is a whole number, not {seed!r}")
    if not _is(Real, clip_grad_norm) or not clip_grad_norm >= 0:
        raise ValueError(f"clip_grad_norm is the longest gradient allowed, 0 for any; it cannot be {clip_grad_norm!r}")
    if not _is(Real, warmup_epochs) or not 0 <= warmup_epochs <= epochs:
        raise ValueError(f"warmup_epochs lies between 0 and the {epochs} epochs of the run, not {warmup_epochs!r}")
    if not _is(Real, weight_decay) or not 0 <= weight_decay < math.inf:
        raise ValueError(f"weight_decay is a number from 0 on, as 5e-4, not {weight_decay!r}")
    below_one = {"momentum": momentum, "label_smoothing": label_smoothing, "ema_decay": ema_decay}
    for name, value in below_one.items():
        if not _is(Real, value) or not 0 <= value < 1:
            raise ValueError(f"{name} is a share from 0 to below 1, not {value!r}")


def _is(kind: type, value) -> bool:
    """Is it a number of that kind? True and False are none."""
    return isinstance(value, kind) and not isinstance(value, bool)


def _check_run(weights: list, batches, validation, keep_best: bool) -> None:
    """What else can be known before the first step."""
    if not weights:
        raise ValueError("nothing to train: every weight of the model is frozen (requires_grad is False)")
    for name, part in (("batches", batches), ("validation", validation)):
        if part is not None and not hasattr(part, "__len__"):
            raise TypeError(f"{name} is a {type(part).__name__}, which is used up after one epoch: give a list")
        if part is not None and not len(part):
            raise ValueError(f"{name} is empty: there is nothing to {'learn from' if name == 'batches' else 'judge'}")
    if keep_best and validation is None:
        raise ValueError("keep_best needs validation batches: on what should an epoch be the best?")
    sizes = [part.image_size or part.image_set.images.shape[1] for part in (batches, validation)
             if hasattr(part, "image_set")]  # fmt: skip
    if len(set(sizes)) > 1:
        raise ValueError(f"training images are {sizes[0]} pixels wide, validation images {sizes[1]}: make them equal")


def _logits(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, where: str) -> torch.Tensor:
    try:
        logits = model(inputs)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"{where} does not go through the network: inputs of shape {list(inputs.shape)} ({inputs.dtype}; images "
            f"are [B,C,H,W]). The layer that stopped says: {str(error).strip().splitlines()[0]}"
        ) from error
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(f"{where}: outputs {list(logits.shape)} and labels {list(labels.shape)}, not [B,C] and [B]")
    if not 0 <= labels.min() <= labels.max() < logits.shape[1]:
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise ValueError(f"{where} has the label {wrong}, but the network knows 0 to {logits.shape[1] - 1}")
    return logits


def _check_classes(batches, classes: int) -> None:
    """Every class needs an image to be learned from, where the labels can be looked up without another pass."""
    if hasattr(batches, "image_set"):
        labels, names = batches.image_set.labels, batches.image_set.classes
    elif isinstance(batches, (list, tuple)):
        labels, names = torch.cat([labels for _, labels in batches]), ()
    else:
        labels, names = getattr(getattr(batches, "dataset", None), "targets", None), ()  # torchvision's datasets
    if labels is None:
        return
    missing = sorted(set(range(classes)) - set(torch.as_tensor(labels).tolist()))
    if missing:
        first = f"{missing[0]} ({names[missing[0]]})" if missing[0] < len(names) else missing[0]
        raise ValueError(
            f"classes without a training image: {len(missing)} of the network's {classes}, the first is {first}. "
            "What it never saw it never answers: add images, or build it with fewer classes"
        )


def _check_loss(loss: torch.Tensor, inputs: torch.Tensor, where: str, lr: float) -> None:
    if math.isfinite(loss.item()):
        return
    if not inputs.isfinite().all():
        raise FloatingPointError(f"the inputs of {where} hold numbers that are not finite: look at that batch")
    raise FloatingPointError(
        f"the loss is {loss.item()} in {where}, at a learning rate of {lr:.3g}. "
        "Try a smaller lr, more warmup_epochs, or clip_grad_norm=1.0"
    )


# ---------------------------------------------------------------------------------------------- features


def cache_features(pretrained, batches: BatchSource) -> tuple[torch.Tensor, torch.Tensor]:
    """A frozen network's features [N,D] and the labels [N] on the CPU, computed once, for training heads on them.

    `pretrained` is a `models.Pretrained` or a module; it runs in evaluation mode, so its BatchNorm cannot drift.
    """
    return predict_with_labels(pretrained if isinstance(pretrained, nn.Module) else pretrained.model, batches)
