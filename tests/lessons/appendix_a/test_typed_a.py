"""What learners type by mistake in appendix A, written from the words alone: `check` finds the right ones."""

import math

from torch import nn

from tests.typed import Sheet, meet

SHEET = Sheet()
typed = SHEET.typed


# A.1 what a file holds


@typed("A.1", "That is what is trained")
def stored_trained(model):
    return sum(math.prod(p.shape) for p in model.parameters())


@typed("A.1", "You counted BatchNorm's counters")
def stored_counters(model):
    count = 0
    for tensor in model.state_dict().values():
        count += tensor.numel()
    return count


@typed("A.1", "You counted tensors")
def stored_tensors(model):
    return len([name for name in model.state_dict() if not name.endswith("num_batches_tracked")])


@typed("A.1", "You counted tensors")
def stored_tensors_all(model):
    return len(model.state_dict())


@typed("A.1", "You added all four vectors")
def stored_twice(model):
    count = sum(p.numel() for p in model.parameters())
    for layer in model.modules():
        if hasattr(layer, "running_mean"):
            count += sum(len(v) for v in (layer.weight, layer.bias, layer.running_mean, layer.running_var))
    return count


@typed("A.1", "You added all four vectors")
def stored_twice_2d(model):
    norms = [layer for layer in model.modules() if type(layer) is nn.BatchNorm2d]
    return sum(p.numel() for p in model.parameters()) + sum(4 * norm.num_features for norm in norms)


@typed("A.1", "You took BatchNorm out")
def stored_without(model):
    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    return sum(p.numel() for layer in layers for p in layer.parameters())


@typed("A.1", "You took BatchNorm out")
def stored_without_2d(model):
    norms = {id(p) for layer in model.modules() if isinstance(layer, nn.BatchNorm2d) for p in layer.parameters()}
    return sum(p.numel() for p in model.parameters() if id(p) not in norms)


@typed("A.1", "There are BatchNorms of other kinds than 2d")
def stored_2d(model):
    count = sum(p.numel() for p in model.parameters())
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            count += layer.running_mean.numel() + layer.running_var.numel()
    return count


# A.4 what a number can hide


def decimals(printed):
    return len(printed.split(".")[1]) if "." in printed else 0


def rounded(count, printed):
    return f"{count / 1e6:.{decimals(printed)}f}" == printed


def cut(count, printed):
    scale = 10 ** decimals(printed)
    return math.floor(count * scale / 1_000_000) == round(float(printed) * scale)


@typed("A.4", "You know rounding only")
def could_round(count, printed):
    return rounded(count, printed)


@typed("A.4", "You know cutting off only")
def could_cut(count, printed):
    return str(count / 1e6).startswith(printed)


@typed("A.4", "One of the two is enough")
def could_both(count, printed):
    return rounded(count, printed) and cut(count, printed)


@typed("A.4", "You looked at whole millions only")
def could_whole(count, printed):
    whole = int(float(printed))
    return whole in (round(count / 1e6), int(count / 1e6))


@typed("A.4", "That is True for everything")
def could_always(count, printed):
    return count >= 0


@SHEET.each
def test_what_was_typed_is_met_with_its_words(number, words, written):
    meet(number, words, written)
