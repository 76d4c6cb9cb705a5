"""What learners type by mistake in lesson 06, written from the words alone: `check` finds the right ones."""

import numpy as np
import torch
from torch import nn

from tests.typed import Sheet, meet

SHEET = Sheet()
typed = SHEET.typed


@typed("6.1", "The network answers in the mode in which it was left")
@torch.no_grad()
def cache_mode(network, batches):
    return torch.cat([network(x) for x, _ in batches]), torch.cat([y for _, y in batches])


@typed("6.1", "The features still carry what a backward pass needs")
def cache_gradients(network, batches):
    network.eval()
    return torch.cat([network(x) for x, _ in batches]), torch.cat([y for _, y in batches])


@typed("6.1", "That is the last batch only")
@torch.no_grad()
def cache_last(network, batches):
    network.eval()
    for x, y in batches:
        features, labels = network(x), y
    return features, labels


@typed("6.1", "Two things are missing")
def cache_neither(network, batches):
    return torch.cat([network(x) for x, _ in batches]), torch.cat([y for _, y in batches])


@typed("6.1", "That is the first batch only")
@torch.no_grad()
def cache_first(network, batches):
    network.eval()
    for x, y in batches:
        return network(x), y


@typed("6.1", "The labels are missing")
@torch.no_grad()
def cache_no_labels(network, batches):
    network.eval()
    return torch.cat([network(x) for x, _ in batches])


@typed("6.1", "Those are lists of batches")
@torch.no_grad()
def cache_lists(network, batches):
    network.eval()
    features, labels = [], []
    for x, y in batches:
        features.append(network(x))
        labels.append(y)
    return features, labels


@typed("6.1", "Features first, then labels")
@torch.no_grad()
def cache_turned(network, batches):
    network.eval()
    return torch.cat([y for _, y in batches]), torch.cat([network(x) for x, _ in batches])


@typed("6.5", "Three numbers line up with the *last* axis")
def renormalise_width(x, old, new):
    (m0, s0), (m1, s1) = (tuple(torch.as_tensor(v) for v in pair) for pair in (old, new))
    return (x * s0 + m0 - m1) / s1


@typed("6.5", "You normalised a second time")
def renormalise_twice(x, old, new):
    mean, std = (torch.as_tensor(v).view(3, 1, 1) for v in new)
    return (x - mean) / std


@typed("6.5", "You undid the old normalisation")
def renormalise_undone(x, old, new):
    mean, std = (torch.as_tensor(v).view(3, 1, 1) for v in old)
    return x * std + mean


@typed("6.5", "Undone in the wrong order")
def renormalise_order(x, old, new):
    (m0, s0), (m1, s1) = (tuple(torch.as_tensor(v).view(3, 1, 1) for v in pair) for pair in (old, new))
    return ((x + m0) * s0 - m1) / s1


@typed("6.5", "From the new to the old")
def renormalise_back(x, old, new):
    (m0, s0), (m1, s1) = (tuple(torch.as_tensor(v).view(3, 1, 1) for v in pair) for pair in (old, new))
    return (x * s1 + m1 - m0) / s0


@typed("6.5", "Multiplied by the new deviation")
def renormalise_times(x, old, new):
    (m0, s0), (m1, s1) = (tuple(torch.as_tensor(v).view(3, 1, 1) for v in pair) for pair in (old, new))
    return (x * s0 + m0 - m1) * s1


@typed("6.5", "Added the new mean")
def renormalise_plus(x, old, new):
    (m0, s0), (m1, s1) = (tuple(torch.as_tensor(v).view(3, 1, 1) for v in pair) for pair in (old, new))
    return (x * s0 + m0 + m1) / s1


def is_norm(layer):
    return "BatchNorm" in type(layer).__name__


@typed("6.7", "There are BatchNorms of other kinds than 2d")
def still_2d(model):
    model.train()
    [layer.eval() for layer in model.modules() if type(layer) is nn.BatchNorm2d]


@typed("6.7", "children() are the outermost layers only")
def still_children(model):
    model.train()
    [layer.eval() for layer in model.children() if is_norm(layer)]


@typed("6.7", "model.eval() alone also switches the dropout off")
def still_eval(model):
    model.train(False)


@typed("6.7", "BatchNorm goes along")
def still_frozen(model):
    model.train()
    for layer in model.modules():
        if is_norm(layer):
            layer.requires_grad_(False)


@typed("6.7", "The model may come in evaluation mode")
def still_no_train(model):
    [layer.eval() for layer in model.modules() if is_norm(layer)]


@typed("6.8", "That is the article's own mean")
def mean_article(losses, sizes):
    return float(np.mean(losses))


@typed("6.8", "That is the sum over all images; divide")
def mean_sum(losses, sizes):
    return float(np.dot(losses, sizes))


@typed("6.8", "The sum over all images is right")
def mean_batches(losses, sizes):
    return float(np.dot(losses, sizes)) / len(losses)


@typed("6.8", "Each loss is a *mean* over its batch")
def mean_not_weighted(losses, sizes):
    return float(np.sum(losses)) / sum(sizes)


@typed("6.8", "You took every batch for as large as the first")
def mean_first(losses, sizes):
    return sum(loss * sizes[0] for loss in losses) / sum(sizes)


def free(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def freeze_all(model):
    for p in model.parameters():
        p.requires_grad = False


def thaw(*parts):
    for part in parts:
        for p in part.parameters():
            p.requires_grad = True


@typed("6.10", "For 0 blocks, features[-0:]")
def unfreeze_minus_zero(model, blocks):
    freeze_all(model)
    thaw(model.features[-blocks:], model.classifier)
    return free(model)


@typed("6.10", "What was free before stays free")
def unfreeze_not_frozen(model, blocks):
    thaw(*[model.features[-1 - k] for k in range(blocks)], model.classifier)
    return free(model)


@typed("6.10", "Those are the first blocks")
def unfreeze_first(model, blocks):
    freeze_all(model)
    thaw(*[model.features[k] for k in range(blocks)], model.classifier)
    return free(model)


@typed("6.10", "features[-blocks] is one block")
def unfreeze_one(model, blocks):
    freeze_all(model)
    thaw(model.features[-blocks])
    thaw(model.classifier)
    return free(model)


@typed("6.10", "The head must learn too")
def unfreeze_headless(model, blocks):
    freeze_all(model)
    thaw(*[model.features[-1 - k] for k in range(blocks)])
    return free(model)


@typed("6.10", "The right ones are free; count only those")
def unfreeze_all_counted(model, blocks):
    freeze_all(model)
    thaw(*[model.features[-1 - k] for k in range(blocks)], model.classifier)
    return sum(p.numel() for p in model.parameters())


@typed("6.10", "That counts tensors")
def unfreeze_tensors(model, blocks):
    freeze_all(model)
    thaw(*[model.features[-1 - k] for k in range(blocks)], model.classifier)
    return len([p for p in model.parameters() if p.requires_grad])


@typed("6.10", "The right ones are free; give back")
def unfreeze_silent(model, blocks):
    freeze_all(model)
    thaw(*[model.features[-1 - k] for k in range(blocks)], model.classifier)


@typed("6.10", "Those are the frozen ones")
def unfreeze_inverse(model, blocks):
    freeze_all(model)
    thaw(*[model.features[k] for k in range(5 - blocks)])
    return free(model)


@SHEET.each
def test_what_was_typed_is_met_with_its_words(number, words, written):
    meet(number, words, written)
