"""Exercises 6.1, 6.5, 6.7, 6.8 and 6.10: functions to write, right ones and the mistakes people make in them."""

import copy

import torch
from torch import nn

from helpers.exercises.code import Case, CodeExercise, draw, fill

# ------------------------------------------------------------------------------------------- 6.1 cache


def _network(*more: nn.Module) -> nn.Module:
    """A small network in training mode, whose BatchNorm has seen other images than it is given."""
    network = fill(nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), *more))
    network[1].running_mean += 0.3
    network[1].running_var *= 2
    return network


def _batches(*sizes: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(draw(size, 3, 5, 5, seed=size), torch.arange(size) % 10) for size in sizes]


def _with_history(cache, network, batches):
    """What `cache` gives, and whether its features still carry what a backward pass would need."""
    found = cache(network, batches)
    if not isinstance(found, (tuple, list)) or len(found) != 2 or not isinstance(found[0], torch.Tensor):
        return found
    return found[0].detach(), found[1], found[0].requires_grad


def cache(network, batches):
    """(features [N,D], labels [N]) of all images, the network in evaluation mode. The right answer."""
    network.eval()
    with torch.no_grad():
        pairs = [(network(images), labels) for images, labels in batches]
    features, labels = zip(*pairs, strict=True)
    return torch.cat(features), torch.cat(labels)


def _in_training_mode(network, batches):
    network.train()
    with torch.no_grad():
        pairs = [(network(images), labels) for images, labels in batches]
    features, labels = zip(*pairs, strict=True)
    return torch.cat(features), torch.cat(labels)


def _with_gradients(network, batches):
    network.eval()
    features, labels = zip(*[(network(images), labels) for images, labels in batches], strict=True)
    return torch.cat(features), torch.cat(labels)


def _both_forgotten(network, batches):
    features, labels = zip(*[(network(images), labels) for images, labels in batches], strict=True)
    return torch.cat(features), torch.cat(labels)


CACHE = CodeExercise(
    "cache",
    (
        Case("for a network in training mode", _network(), _batches(4, 4, 3), use=_with_history),
        Case("for a network with dropout", _network(nn.Dropout(0.5)), _batches(3, 5), use=_with_history),
        Case("for a network in evaluation mode", _network().eval(), _batches(2, 6), use=_with_history),
        Case("for a single batch", _network(), _batches(7), use=_with_history),
    ),
    cache,
    "evaluation mode, no gradients, every batch once. In training mode BatchNorm would use the batch's own statistics, "
    "and the features of an image would depend on its neighbours.",
    {
        "The network answers in the mode in which it was left. In training mode BatchNorm uses the batch's statistics, "
        "and dropout drops: call network.eval() first.": lambda network, batches: (
            (_in_training_mode if network.training else cache)(network, batches)
        ),
        "The features still carry what a backward pass needs, and it fills the memory: compute them under "
        "torch.no_grad().": _with_gradients,
        "Two things are missing: network.eval() before the first batch, and torch.no_grad() around the "
        "pass.": _both_forgotten,
        "That is the last batch only; all of them belong into the two tensors.": lambda network, batches: cache(
            network, batches[-1:]
        ),
        "That is the first batch only: does a return stand inside the loop?": lambda network, batches: cache(
            network, batches[:1]
        ),
        "The labels are missing: give (features, labels).": lambda network, batches: cache(network, batches)[0],
        "Those are lists of batches: torch.cat joins each of them into one tensor.": lambda network, batches: (
            [cache(network, [one])[0] for one in batches], [labels for _, labels in batches]
        ),
        "Features first, then labels.": lambda network, batches: cache(network, batches)[::-1],
    },
)  # fmt: skip

# ------------------------------------------------------------------------------------------- 6.5 renormalise


def _column(values) -> torch.Tensor:
    return torch.tensor(values).view(3, 1, 1)


def renormalise(x, old, new):
    """Images [B,3,H,W] normalised with `old`, (mean, deviation), as `new` would have made them. The right answer."""
    (old_mean, old_std), (new_mean, new_std) = (tuple(map(_column, pair)) for pair in (old, new))
    return (x * old_std + old_mean - new_mean) / new_std


def _not_undone(x, old, new):
    return (x - _column(new[0])) / _column(new[1])


def _only_undone(x, old, new):
    return x * _column(old[1]) + _column(old[0])


def _undone_in_the_wrong_order(x, old, new):
    return ((x + _column(old[0])) * _column(old[1]) - _column(new[0])) / _column(new[1])


def _along_the_width(x, old, new):
    (old_mean, old_std), (new_mean, new_std) = (tuple(map(torch.tensor, pair)) for pair in (old, new))
    return (x * old_std + old_mean - new_mean) / new_std


HALF, OWN = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), ((0.48, 0.45, 0.40), (0.28, 0.27, 0.29))
RENORMALISE = CodeExercise(
    "renormalise",
    (
        Case("from 0.5 and 0.5 to the network's own", draw(2, 3, 4, 5), HALF, OWN),
        Case("from its own to 0.5 and 0.5", draw(1, 3, 6, 2, seed=1), OWN, HALF),
        Case("for channels that differ much", draw(2, 3, 3, 4, seed=2), ((0.1, 0.5, 0.9), (0.1, 0.2, 0.4)), OWN),
        Case("for images three pixels wide", draw(1, 3, 2, 3, seed=3), OWN, ((0.2, 0.4, 0.6), (0.3, 0.2, 0.1))),
    ),
    renormalise,
    "first back to pixels (times the old deviation, plus the old mean), then the new way. Both steps are one: a scale "
    "and a shift for each channel.",
    {
        "You normalised a second time; first undo the old normalisation.": _not_undone,
        "You undid the old normalisation; the new one is still to be done.": _only_undone,
        "Undone in the wrong order: x = (pixel − mean) / std, so multiply by the old deviation first, then add the old "
        "mean.": _undone_in_the_wrong_order,
        "From the new to the old: the two are swapped.": lambda x, old, new: renormalise(x, new, old),
        "Three numbers line up with the *last* axis, the width. Give them the shape [3, 1, 1].": _along_the_width,
        "Multiplied by the new deviation: normalising divides by it.": lambda x, old, new: (
            (_only_undone(x, old, new) - _column(new[0])) * _column(new[1])
        ),
        "Added the new mean: normalising subtracts it.": lambda x, old, new: (
            (_only_undone(x, old, new) + _column(new[0])) / _column(new[1])
        ),
    },
)

# ------------------------------------------------------------------------------------------- 6.7 keep_still


class Nested(nn.Module):
    """A network with BatchNorm at three depths, of two kinds, and dropout."""

    def __init__(self):
        super().__init__()
        block = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Sequential(nn.BatchNorm2d(4), nn.ReLU6()))
        self.features = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), block)
        self.classifier = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.2), nn.Linear(4, 10))


FLAT = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.5))


def modes(keep_still, model) -> list[bool]:
    """Which layers (those with no others inside) are in training mode after the call."""
    keep_still(model)
    return [layer.training for layer in model.modules() if not list(layer.children())]


def keep_still(model):
    """Training mode for all but the BatchNorm layers. The right answer."""
    model.train()
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()


def _only_2d(model):
    model.train()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()


def _children_only(model):
    model.train()
    for layer in model.children():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()


def _without_train(model):
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()


KEEP_STILL = CodeExercise(
    "keep_still",
    (
        Case("for a flat network", FLAT, use=modes),
        Case("for a network in evaluation mode", copy.deepcopy(FLAT).eval(), use=modes),
        Case("for layers inside of layers", Nested(), use=modes),
        Case("for layers inside of layers, in evaluation mode", Nested().eval(), use=modes),
    ),
    keep_still,
    "train() for all, then eval() for each BatchNorm. Dropout still drops while the head learns, and the statistics "
    "stay where they are.",
    {
        "There are BatchNorms of other kinds than 2d, for features (1d) and for films (3d).": _only_2d,
        "children() are the outermost layers only; modules() finds those inside of others too.": _children_only,
        "model.eval() alone also switches the dropout off, while the head is to learn.": lambda model: model.eval(),
        "BatchNorm goes along: train() reaches every layer, and frozen parameters do not stop running statistics. Put "
        "each BatchNorm in evaluation mode, after train().": lambda model: model.train(),
        "The model may come in evaluation mode: put it in training mode first.": _without_train,
    },
    in_place=True,
)  # fmt: skip

# ------------------------------------------------------------------------------------------- 6.8 mean_over_images


def mean_over_images(losses, sizes):
    """The mean over all images from the means of batches and their sizes. The right answer."""
    return sum(loss * size for loss, size in zip(losses, sizes, strict=True)) / sum(sizes)


MEAN_LOSS = CodeExercise(
    "mean_over_images",
    (
        Case("for a small last batch", [1.0, 2.0, 6.0], [64, 64, 16]),
        Case("for one image in the last batch", [0.5, 0.75, 3.0], [100, 100, 1]),
        Case("for batches of one size", [0.5, 1.5], [10, 10]),
        Case("for a single batch", [2.25], [7]),
    ),
    mean_over_images,
    "each image counts once. The article's mean lets an image of a small last batch count for more than one of a full "
    "batch.",
    {
        "That is the article's own mean, over batches: an image of a small batch counts for more.": lambda losses, _: (
            sum(losses) / len(losses)
        ),
        "That is the sum over all images; divide it by their number.": lambda losses, sizes: (
            mean_over_images(losses, sizes) * sum(sizes)
        ),
        "The sum over all images is right; divide it by the number of images, not of batches.": lambda losses, sizes: (
            mean_over_images(losses, sizes) * sum(sizes) / len(sizes)
        ),
        "Each loss is a *mean* over its batch: multiply it by the size before you add up.": lambda losses, sizes: (
            sum(losses) / sum(sizes)
        ),
        "You took every batch for as large as the first.": lambda losses, sizes: sum(losses) * sizes[0] / sum(sizes),
    },
)

# ------------------------------------------------------------------------------------------- 6.10 unfreeze_last


class Five(nn.Module):
    """Five blocks in `features` and a classifier, as in MobileNetV2, but small."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(*[nn.Sequential(nn.Linear(n, n + 1), nn.BatchNorm1d(n + 1)) for n in range(2, 7)])
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(7, 10))


def trainable(unfreeze_last, model, blocks):
    """What `unfreeze_last` gives, and which parameters it left free."""
    return unfreeze_last(model, blocks), [parameter.requires_grad for parameter in model.parameters()]


def _set(model, parts) -> int:
    model.requires_grad_(False)
    for part in parts:
        part.requires_grad_(True)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def unfreeze_last(model, blocks):
    """Free the last blocks and the classifier, freeze the rest; how many numbers are free. The right answer."""
    return _set(model, [*model.features[len(model.features) - blocks :], model.classifier])


def _minus_zero(model, blocks):
    return _set(model, [*model.features[-blocks:], model.classifier])


def _not_frozen_first(model, blocks):
    for part in [*model.features[len(model.features) - blocks :], model.classifier]:
        part.requires_grad_(True)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _all_counted(model, blocks):
    unfreeze_last(model, blocks)
    return sum(parameter.numel() for parameter in model.parameters())


def _tensors_counted(model, blocks):
    unfreeze_last(model, blocks)
    return sum(parameter.requires_grad for parameter in model.parameters())


def _nothing_returned(model, blocks):
    unfreeze_last(model, blocks)


UNFREEZE = CodeExercise(
    "unfreeze_last",
    (
        Case("for two blocks", Five(), 2, use=trainable),
        Case("for no block, the head alone", Five(), 0, use=trainable),
        Case("for a frozen model and one block", Five().requires_grad_(False), 1, use=trainable),
        Case("for all five blocks", Five(), 5, use=trainable),
    ),
    unfreeze_last,
    "freeze all, then free the last blocks and the head; between the head alone and the whole network lies every "
    "number of blocks. features[-0:] would have been all of them.",
    {
        "For 0 blocks, features[-0:] is features[0:], all of them: count from the front, "
        "features[len(features) - blocks:].": _minus_zero,
        "What was free before stays free: freeze the whole model first.": _not_frozen_first,
        "Those are the first blocks; the last ones, next to the head, are meant.": lambda model, blocks: _set(
            model, [*model.features[:blocks], model.classifier]
        ),
        "features[-blocks] is one block; features[-blocks:] would be all from there on.": lambda model, blocks: _set(
            model, [model.features[-blocks], model.classifier]
        ),
        "The head must learn too: free model.classifier.": lambda model, blocks: _set(
            model, [*model.features[len(model.features) - blocks :]]
        ),
        "The right ones are free; count only those parameters.": _all_counted,
        "That counts tensors; count the numbers in them, parameter.numel().": _tensors_counted,
        "The right ones are free; give back how many parameters that are.": _nothing_returned,
        "Those are the frozen ones: the other way round.": lambda model, blocks: _set(
            model, model.features[: len(model.features) - blocks]
        ),
    },
    in_place=True,
)
