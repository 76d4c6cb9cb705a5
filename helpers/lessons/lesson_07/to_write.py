"""Exercises 7.2, 7.8 and 7.11: functions to write, right ones and the mistakes people make in them."""

import torch
import torch.nn.functional as F
from torch import nn

from helpers.exercises.code import Case, CodeExercise, draw, fill
from helpers.lessons.lesson_07.plots import smooth

# ------------------------------------------------------------------------------------------------- 7.2 the step


def training_step(model, images, labels, optimizer):
    """One step of the optimizer; gives the loss. The right answer."""
    model.train()
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _never_cleared(model, images, labels, optimizer):
    loss = F.cross_entropy(model.train()(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def _cleared_too_late(model, images, labels, optimizer):
    loss = F.cross_entropy(model.train()(images), labels)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def _as_it_stood(model, images, labels, optimizer):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _stepped_first(model, images, labels, optimizer):
    optimizer.step()
    optimizer.zero_grad()
    loss = F.cross_entropy(model.train()(images), labels)
    loss.backward()
    return loss.item()


def _stepped_after_the_loss(model, images, labels, optimizer):
    loss = F.cross_entropy(model.train()(images), labels)
    optimizer.step()  # PyTorch's backward() stops then: the weights that it needs have changed
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


def _cleared_at_the_end(model, images, labels, optimizer):
    loss = _never_cleared(model, images, labels, optimizer)
    optimizer.zero_grad()
    return loss


def _gave_a_tensor(model, images, labels, optimizer):
    return torch.tensor(training_step(model, images, labels, optimizer))


def _loss_afterwards(model, images, labels, optimizer):
    training_step(model, images, labels, optimizer)
    return F.cross_entropy(model(images), labels).item()


def _with_softmax(model, images, labels, optimizer):
    loss = F.cross_entropy(model.train()(images).softmax(1), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def two_steps(step, images, labels, momentum=0.0, mode=True):
    """Losses, whether they are plain, and a network with BatchNorm after two steps, with old gradients lying about."""
    model = fill(nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))).train(mode)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=momentum)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    losses = [step(model, images, labels, optimizer) for _ in range(2)]
    plain = [not isinstance(loss, torch.Tensor) for loss in losses]
    return losses, plain, [value.detach().clone() for value in model.state_dict().values()]


STEP = CodeExercise(
    "training_step",
    (
        Case("for a network in training mode", draw(8, 4), torch.arange(8) % 3, use=two_steps),
        Case("with momentum", draw(9, 4, seed=1), torch.arange(9) % 3, momentum=0.9, use=two_steps),
        Case("for a network in eval mode", draw(6, 4, seed=2), torch.arange(6) % 3, mode=False, use=two_steps),
    ),
    training_step,
    "training mode, forward, clear, backward, step, in an order in which no old gradient counts.",
    {
        "The gradients of the step before are still there, and backward() adds to them: zero_grad() comes before "
        "backward().": _never_cleared,
        "The weights do not move: is there an optimizer.step() after backward(), and are the gradients cleared before "
        "backward() and not after it?": _cleared_too_late,
        "Somebody may have judged the network before, and left it in eval mode: model.train() comes "
        "first.": _as_it_stood,
        "You stepped before backward(): by the gradients of another batch.": (
            _stepped_first,
            _stepped_after_the_loss,
        ),
        "You cleared the gradients after the step: then those that lay about before the first step still count. Clear "
        "them before backward().": _cleared_at_the_end,
        "The step is right, but you gave a tensor; loss.item() is a plain number.": _gave_a_tensor,
        "You gave the loss after the step, which costs a second pass; the loss that the step came from is "
        "meant.": _loss_afterwards,
        "cross_entropy takes the scores themselves: it does the softmax.": _with_softmax,
    },
    hint="model.train(), F.cross_entropy, zero_grad, backward, step; then loss.item().",
)

# ------------------------------------------------------------------------------- 7.8 reading a range test


def suggest(rates, losses):
    """A third of the rate at which the smoothed loss is lowest. The right answer."""
    smoothed = smooth(losses)
    return rates[smoothed.index(min(smoothed))] / 3


def _other_way_round(rates, losses):
    smoothed = smooth(losses, keep=0.1)
    return rates[smoothed.index(min(smoothed))] / 3


def _from_zero(rates, losses):
    value, smoothed = 0.0, []
    for loss in losses:
        value = 0.9 * value + 0.1 * loss
        smoothed.append(value)
    return rates[smoothed.index(min(smoothed))] / 3


def _at_the_lowest_loss(rates, losses):
    return rates[losses.index(min(losses))]


def _one_off(rates, losses):
    smoothed = smooth(losses)[1:]
    return rates[smoothed.index(min(smoothed))] / 3


def _mean_of_the_last_ten(rates, losses):
    windows = [losses[max(0, place - 9) : place + 1] for place in range(len(losses))]
    means = [sum(window) / len(window) for window in windows]
    return rates[means.index(min(means))] / 3


def _range_test(turn: float, noise: float, seed: int, steps: int = 60) -> tuple[list[float], list[float]]:
    """Made-up losses that fall until the rate is `turn` and then rise, ragged by `noise`."""
    rates = [1e-3 * 3000 ** (step / steps) for step in range(steps + 1)]
    ragged = draw(steps + 1, seed=seed).tolist()
    losses = [2.3 - 0.9 * min(r / turn, 1) + 0.8 * max(0.0, r - turn) / turn for r in rates]
    return rates, [loss + noise * noisy for loss, noisy in zip(losses, ragged, strict=True)]


SUGGEST = CodeExercise(
    "suggest",
    (
        Case("for a ragged curve", *_range_test(0.2, 0.3, seed=0)),
        Case("for another", *_range_test(0.05, 0.25, seed=4)),
        Case("for one that is never ragged", *_range_test(0.6, 0.0, seed=2)),
        Case("for a very ragged one", *_range_test(0.2, 0.5, seed=3)),
        Case("for three losses", [0.01, 0.1, 1.0], [2.0, 1.0, 3.0]),
        Case(
            "for a curve with one lucky batch", [0.01 * 2**k for k in range(8)], [2.0, 0.9, 2.0, 1.0, 1.0, 1.0, 1.0, 3]
        ),
    ),
    suggest,
    "smoothed first, because the lowest single loss is luck; then a third of the rate, because a little beyond the "
    "lowest point the loss turns up.",
    {
        "You took the lowest single loss; smooth the losses first.": lambda rates, losses: (
            rates[losses.index(min(losses))] / 3
        ),
        "You took the rate at the lowest single loss; smooth first, and take a third.": _at_the_lowest_loss,
        "That is the rate at the lowest point itself; a third of it is asked.": lambda rates, losses: (
            3 * suggest(rates, losses)
        ),
        "That is a tenth of the rate at the lowest point; a third is asked.": lambda rates, losses: (
            0.3 * suggest(rates, losses)
        ),
        "Your places are one off: the first average is the first loss, and belongs to the first rate.": _one_off,
        "That is the mean of the last ten losses; the average is to keep nine tenths of itself.": (
            _mean_of_the_last_ten
        ),
        "You kept a tenth of the average and took nine tenths of the loss; it is the other way round.": (
            _other_way_round
        ),
        "Your average starts at 0, so its first values are far too low; start at the first loss.": _from_zero,
        "That is the lowest smoothed loss; the rate is asked.": lambda rates, losses: min(smooth(losses)),
        "That is the place in the list; the rate there is asked, over three.": lambda rates, losses: smooth(
            losses
        ).index(min(smooth(losses))),
    },
    tolerance=1e-6,
    hint="average = 0.9 * average + 0.1 * loss, from the first loss on; where is it lowest?",
)

# ------------------------------------------------------------------------------- 7.11 gradient accumulation


def accumulate(model, parts, optimizer):
    """One step for a batch that comes in parts [(images, labels), …]: that of the whole batch. The right answer."""
    total = sum(len(labels) for _, labels in parts)
    optimizer.zero_grad()
    for images, labels in parts:
        loss = F.cross_entropy(model(images), labels, reduction="sum") / total
        loss.backward()
    optimizer.step()


def _sum_of_means(model, parts, optimizer):
    optimizer.zero_grad()
    for images, labels in parts:
        F.cross_entropy(model(images), labels).backward()
    optimizer.step()


def _mean_of_means(model, parts, optimizer):
    optimizer.zero_grad()
    for images, labels in parts:
        (F.cross_entropy(model(images), labels) / len(parts)).backward()
    optimizer.step()


def _sum_of_all(model, parts, optimizer):
    optimizer.zero_grad()
    for images, labels in parts:
        F.cross_entropy(model(images), labels, reduction="sum").backward()
    optimizer.step()


def _a_step_a_part(model, parts, optimizer):
    total = sum(len(labels) for _, labels in parts)
    for images, labels in parts:
        optimizer.zero_grad()
        (F.cross_entropy(model(images), labels, reduction="sum") / total).backward()
        optimizer.step()


def _a_step_a_part_by_means(model, parts, optimizer):
    for images, labels in parts:
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()


def _a_step_a_part_uncleared(model, parts, optimizer):
    total = sum(len(labels) for _, labels in parts)
    optimizer.zero_grad()
    for images, labels in parts:
        (F.cross_entropy(model(images), labels, reduction="sum") / total).backward()
        optimizer.step()


def _a_step_a_part_by_means_uncleared(model, parts, optimizer):
    optimizer.zero_grad()
    for images, labels in parts:
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()


def _over_the_number_of_parts(model, parts, optimizer):
    optimizer.zero_grad()
    for images, labels in parts:
        (F.cross_entropy(model(images), labels, reduction="sum") / len(parts)).backward()
    optimizer.step()


def _as_if_all_like_the_first(model, parts, optimizer):
    optimizer.zero_grad()
    for images, labels in parts:
        total = len(parts) * len(parts[0][1])
        (F.cross_entropy(model(images), labels, reduction="sum") / total).backward()
    optimizer.step()


def _never_stepped(model, parts, optimizer):
    optimizer.zero_grad()


def _last_part_only(model, parts, optimizer):
    total = sum(len(labels) for _, labels in parts)
    for images, labels in parts:
        optimizer.zero_grad()
        (F.cross_entropy(model(images), labels, reduction="sum") / total).backward()
    optimizer.step()


def _last_part_by_its_mean(model, parts, optimizer):
    for images, labels in parts:
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
    optimizer.step()


def _not_cleared(model, parts, optimizer):
    total = sum(len(labels) for _, labels in parts)
    for images, labels in parts:
        (F.cross_entropy(model(images), labels, reduction="sum") / total).backward()
    optimizer.step()


def one_step(accumulate, sizes):
    """The weights of a small network after one step for parts of such sizes, with old gradients lying about."""
    model = fill(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    parts = [(draw(size, 4, seed=place), torch.arange(place, place + size) % 3) for place, size in enumerate(sizes)]
    accumulate(model, parts, optimizer)
    return [parameter.detach().clone() for parameter in model.parameters()]


ACCUMULATE = CodeExercise(
    "accumulate",
    (
        Case("for four parts of 8", (8, 8, 8, 8), use=one_step),
        Case("for parts of 10, 10 and 3", (10, 10, 3), use=one_step),
        Case("for one part", (6,), use=one_step),
    ),
    accumulate,
    "each part adds the sum of its losses over the number of all images, so a part of three counts as three.",
    {
        "Each part added the mean of its own losses: the gradient is as many times too long as there are "
        "parts.": _sum_of_means,
        "You took the mean of the parts' means: then each image of a small part counts for more.": _mean_of_means,
        "You added sums and did not divide by the number of all images.": _sum_of_all,
        "You stepped after every part; one step for all of them is asked.": (
            _a_step_a_part,
            _a_step_a_part_uncleared,
        ),
        "You stepped after every part, each by its own mean; one step for all of them is asked.": (
            _a_step_a_part_by_means,
            _a_step_a_part_by_means_uncleared,
        ),
        "You divided by the number of parts; divide by the number of all images.": _over_the_number_of_parts,
        "You counted every part as large as the first; they are not all of one size.": _as_if_all_like_the_first,
        "The weights do not move: where is optimizer.step()?": _never_stepped,
        "You cleared the gradients before every part, so only the last one counts.": (
            _last_part_only,
            _last_part_by_its_mean,
        ),
        "There may be gradients of the batch before: zero_grad() once, at the start.": _not_cleared,
    },
    tolerance=1e-5,
    hint='F.cross_entropy(…, reduction="sum") over the number of all images; zero_grad and step once.',
)
