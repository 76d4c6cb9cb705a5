"""What learners type by mistake in lesson 07, written from the words alone: `check` finds the right ones."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.typed import EVERY, Sheet, meet

SHEET = Sheet()
typed = SHEET.typed


# 7.2 one step


@typed("7.2", "The gradients of the step before are still there")
def step_never_cleared(model, images, labels, optimizer):
    model.train()
    scores = model(images)
    loss = nn.CrossEntropyLoss()(scores, labels)
    loss.backward()
    optimizer.step()
    return float(loss)


@typed("7.2", "The weights do not move")
def step_missing(model, images, labels, optimizer):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    return loss.item()


@typed("7.2", "The weights do not move")
def step_cleared_between(model, images, labels, optimizer):
    model.train()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    model.zero_grad()
    optimizer.step()
    return loss.item()


@typed("7.2", "The weights do not move")
def step_between(model, images, labels, optimizer):
    model.train()
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    optimizer.step()
    loss.backward()
    return loss.item()


@typed("7.2", "Somebody may have judged the network before")
def step_no_train(model, images, labels, optimizer):
    optimizer.zero_grad(set_to_none=False)
    loss = nn.CrossEntropyLoss()(model(images), labels)
    loss.backward()
    optimizer.step()
    return float(loss)


@typed("7.2", "You stepped before backward()")
def step_first(model, images, labels, optimizer):
    model.train()
    optimizer.step()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    return loss.item()


@typed("7.2", "You stepped before backward()")
def step_after_the_loss(model, images, labels, optimizer):
    model.train()
    loss = nn.CrossEntropyLoss()(model(images), labels)
    optimizer.step()
    loss.backward()
    return loss.item()


@typed("7.2", "You cleared the gradients after the step")
def step_cleared_at_the_end(model, images, labels, optimizer):
    model.train()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    for p in model.parameters():
        p.grad = None
    return loss.item()


@typed("7.2", "The step is right, but you gave a tensor")
def step_tensor(model, images, labels, optimizer):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss


@typed("7.2", "You gave the loss after the step")
def step_afterwards(model, images, labels, optimizer):
    model.train()
    optimizer.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    optimizer.step()
    with torch.no_grad():
        return F.cross_entropy(model(images), labels).item()


@typed("7.2", "cross_entropy takes the scores themselves")
def step_softmax(model, images, labels, optimizer):
    model.train()
    optimizer.zero_grad()
    probabilities = torch.softmax(model(images), dim=-1)
    loss = F.cross_entropy(probabilities, labels)
    loss.backward()
    optimizer.step()
    return loss.item()


# 7.5 label smoothing


def targets(logits, labels, every, right):
    """Every class's target [N,C], the right one's apart."""
    table = torch.full(logits.shape, float(every))
    for row, label in enumerate(labels):
        table[row, label] = right
    return table


def loss_of(logits, table):
    return -(table * F.log_softmax(logits, dim=-1)).sum(dim=-1).mean()


@typed("7.5", "You shared ε among the other classes")
def smoothed_others(logits, labels, epsilon):
    return loss_of(logits, targets(logits, labels, epsilon / (logits.shape[1] - 1), 1 - epsilon))


@typed("7.5", "That is the right class's part alone")
def smoothed_right(logits, labels, epsilon):
    return loss_of(logits, (1 - epsilon) * F.one_hot(labels, logits.shape[1]))


@typed("7.5", "The right class has its whole target, and the others'")
def smoothed_right_whole(logits, labels, epsilon):
    return loss_of(logits, targets(logits, labels, 0, 1 - epsilon + epsilon / logits.shape[1]))


@typed("7.5", "The right class has 1 + ε/C")
def smoothed_more(logits, labels, epsilon):
    classes = logits.shape[1]
    return F.cross_entropy(logits, F.one_hot(labels, classes) + epsilon / classes)


@typed("7.5", "ε is shared by the classes that are there")
def smoothed_ten(logits, labels, epsilon):
    return loss_of(logits, targets(logits, labels, epsilon / 10, 1 - epsilon + epsilon / 10))


def smooth_targets(logits, labels, epsilon):
    classes = logits.shape[1]
    return (1 - epsilon) * F.one_hot(labels, classes) + epsilon / classes


@typed("7.5", "That is the mean over images and classes")
def smoothed_mean(logits, labels, epsilon):
    return (-smooth_targets(logits, labels, epsilon) * F.log_softmax(logits, 1)).mean()


@typed("7.5", "That is the sum over the images")
def smoothed_sum(logits, labels, epsilon):
    return -(smooth_targets(logits, labels, epsilon) * F.log_softmax(logits, 1)).sum()


@typed("7.5", "That is one loss an image")
def smoothed_each(logits, labels, epsilon):
    return -(smooth_targets(logits, labels, epsilon) * F.log_softmax(logits, 1)).sum(1)


@typed("7.5", "The sign: log-probabilities are negative")
def smoothed_sign(logits, labels, epsilon):
    return torch.mean((smooth_targets(logits, labels, epsilon) * F.log_softmax(logits, 1)).sum(1))


@typed("7.5", "The log of a softmax")
def smoothed_log(logits, labels, epsilon):
    logs = torch.log(torch.softmax(logits, dim=1))
    return -(smooth_targets(logits, labels, epsilon) * logs).sum(1).mean()


@typed("7.5", "ε and 1 − ε have changed places")
def smoothed_swapped(logits, labels, epsilon):
    classes = logits.shape[1]
    return loss_of(logits, epsilon * F.one_hot(labels, classes) + (1 - epsilon) / classes)


@typed("7.5", "That is the loss without smoothing")
def smoothed_not(logits, labels, epsilon):
    return F.nll_loss(F.log_softmax(logits, dim=1), labels)


# 7.8 a rate read by program


def averages(losses, start=None, old=0.9):
    average, found = losses[0] if start is None else start, []
    for place, loss in enumerate(losses):
        average = loss if place == 0 and start is None else old * average + (1 - old) * loss
        found.append(average)
    return found


@typed("7.8", "You took the lowest single loss; smooth")
def rate_single(rates, losses):
    return rates[int(np.argmin(losses))] / 3


@typed("7.8", "You took the rate at the lowest single loss")
def rate_single_whole(rates, losses):
    return min(zip(losses, rates, strict=True))[1]


@typed("7.8", "That is the rate at the lowest point itself")
def rate_whole(rates, losses):
    return rates[int(np.argmin(averages(losses)))]


@typed("7.8", "That is a tenth of the rate")
def rate_tenth(rates, losses):
    return rates[int(np.argmin(averages(losses)))] / 10


@typed("7.8", "Your places are one off")
def rate_one_off(rates, losses):
    average, smoothed = losses[0], []
    for loss in losses[1:]:
        average = 0.9 * average + 0.1 * loss
        smoothed.append(average)
    return rates[smoothed.index(min(smoothed))] / 3


@typed("7.8", "That is the mean of the last ten losses")
def rate_ten(rates, losses):
    means = [np.mean(losses[:end][-10:]) for end in range(1, len(losses) + 1)]
    return rates[int(np.argmin(means))] / 3


@typed("7.8", "You kept a tenth of the average")
def rate_turned(rates, losses):
    return rates[int(np.argmin(averages(losses, old=0.1)))] / 3


@typed("7.8", "Your average starts at 0")
def rate_from_zero(rates, losses):
    return rates[int(np.argmin(averages(losses, start=0)))] / 3


@typed("7.8", "That is the lowest smoothed loss")
def rate_loss(rates, losses):
    return sorted(averages(losses))[0]


@typed("7.8", "That is the place in the list")
def rate_place(rates, losses):
    return int(np.argmin(averages(losses)))


# 7.11 gradient accumulation


@typed("7.11", "Each part added the mean of its own losses")
def parts_means(model, parts, optimizer):
    optimizer.zero_grad()
    total = 0
    for images, labels in parts:
        total = total + nn.CrossEntropyLoss()(model(images), labels)
    total.backward()
    optimizer.step()


@typed("7.11", "You took the mean of the parts' means")
def parts_mean_of_means(model, parts, optimizer):
    optimizer.zero_grad()
    torch.stack([F.cross_entropy(model(images), labels) for images, labels in parts]).mean().backward()
    optimizer.step()


@typed("7.11", "You added sums and did not divide")
def parts_sums(model, parts, optimizer):
    optimizer.zero_grad()
    for images, labels in parts:
        nn.CrossEntropyLoss(reduction="sum")(model(images), labels).backward()
    optimizer.step()


def share(model, images, labels, parts):
    """A part's mean loss, weighed by its share of all images."""
    return F.cross_entropy(model(images), labels) * len(labels) / sum(len(y) for _, y in parts)


@typed("7.11", "You stepped after every part; one step")
def parts_steps(model, parts, optimizer):
    for images, labels in parts:
        optimizer.zero_grad()
        share(model, images, labels, parts).backward()
        optimizer.step()


@typed("7.11", "You stepped after every part; one step")
def parts_steps_cleared_once(model, parts, optimizer):
    optimizer.zero_grad()
    for images, labels in parts:
        share(model, images, labels, parts).backward()
        optimizer.step()


@typed("7.11", "You stepped after every part, each by its own mean")
def parts_steps_means(model, parts, optimizer):
    for images, labels in parts:
        loss = nn.CrossEntropyLoss()(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@typed("7.11", "You stepped after every part, each by its own mean")
def parts_steps_means_cleared_once(model, parts, optimizer):
    optimizer.zero_grad()
    for images, labels in parts:
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()


@typed("7.11", "You divided by the number of parts")
def parts_number(model, parts, optimizer):
    optimizer.zero_grad()
    sums = [F.cross_entropy(model(images), labels, reduction="none").sum() for images, labels in parts]
    (sum(sums) / len(sums)).backward()
    optimizer.step()


@typed("7.11", "You counted every part as large as the first")
def parts_first(model, parts, optimizer):
    optimizer.zero_grad()
    size = len(parts[0][0])
    for images, labels in parts:
        (F.cross_entropy(model(images), labels, reduction="sum") / (size * len(parts))).backward()
    optimizer.step()


@typed("7.11", "The weights do not move")
def parts_no_step(model, parts, optimizer):
    optimizer.zero_grad()
    for images, labels in parts:
        share(model, images, labels, parts).backward()


@typed("7.11", "You cleared the gradients before every part")
def parts_cleared(model, parts, optimizer):
    for images, labels in parts:
        optimizer.zero_grad()
        share(model, images, labels, parts).backward()
    optimizer.step()


@typed("7.11", "You cleared the gradients before every part")
def parts_cleared_means(model, parts, optimizer):
    for images, labels in parts:
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
    optimizer.step()


@typed("7.11", "There may be gradients of the batch before")
def parts_not_cleared(model, parts, optimizer):
    sum(share(model, images, labels, parts) for images, labels in parts).backward()
    optimizer.step()


def test_another_error_of_pytorch_is_no_step_before_backward():
    def backward_twice(model, images, labels, optimizer):
        model.train()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        loss.backward()
        optimizer.step()
        return loss.item()

    assert "it stops with RuntimeError (Trying to backward" in EVERY["7.2"].judge(backward_twice)[1]


@SHEET.each
def test_what_was_typed_is_met_with_its_words(number, words, written):
    meet(number, words, written)
