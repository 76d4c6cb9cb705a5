"""What readers write on lesson 10's second page, with the usual mistakes: a rounding that learns, channels cut out."""

import torch

from helpers.exercises.code import Case, CodeExercise, draw
from helpers.lessons.lesson_10.integers import steps_of

# ------------------------------------------------------------------------------------------------ 10.7 straight_through


def straight_through(weight, bits):
    """Weight [N,…] → the same rounded to `bits` bits, one scale; its gradient is 1 everywhere. The right one."""
    scale = steps_of(weight.detach(), "per tensor", bits)
    return weight + (scale * torch.round(weight.detach() / scale) - weight).detach()


def learning(written, weight, bits):
    """What `written` gives for a weight that is learned, the gradient that comes back, and what the weight is then."""
    weight = weight.clone().requires_grad_(True)
    out = written(weight, bits)
    (out * draw(*weight.shape, seed=7)).sum().backward()
    return out.detach(), weight.grad, weight.detach()


def _scale(weight, bits, steps=lambda bits: 2 ** (bits - 1) - 1, largest=lambda weight: weight.abs().max()):
    return largest(weight) / steps(bits)


def _rounded(weight, scale):
    return scale * torch.round(weight / scale)


def _by(scale_of):
    """Straight through, with another scale."""

    def wrong(weight, bits):
        held = weight.detach()
        return weight + (_rounded(held, scale_of(held, bits)) - weight).detach()

    return wrong


def _rounding_alone(detach):
    return lambda weight, bits: _rounded(weight, _scale(weight.detach() if detach else weight, bits))


def _nothing_back(weight, bits):
    return _rounded(weight, _scale(weight, bits)).detach()


def _turned_round(weight, bits):
    return weight + (weight - _rounded(weight, _scale(weight, bits))).detach()


def _still_the_weight(detach):
    def wrong(weight, bits):
        rounded = _rounded(weight, _scale(weight.detach() if detach else weight, bits))
        return rounded + (weight - rounded).detach()

    return wrong


def _overwritten(weight, bits):
    weight.data = _rounded(weight.data, _scale(weight.data, bits))
    return weight * 1


def _scale_learns(weight, bits):
    scale = _scale(weight, bits)
    steps = weight / scale
    return scale * (steps + (torch.round(steps) - steps).detach())


def _whole_numbers(weight, bits):
    return weight + (torch.round(weight / _scale(weight, bits)) - weight).detach()


STRAIGHT_THROUGH = CodeExercise(
    "straight_through",
    (
        Case("for a linear layer of eight bits", draw(3, 5), 8, use=learning),
        Case("for a 3 × 3 layer of four bits", draw(4, 2, 3, 3, seed=1), 4, use=learning),
        Case("for negative weights alone", -draw(2, 3, seed=2).abs() - 0.1, 4, use=learning),
        Case("for two bits", draw(6, 1, 3, 3, seed=3), 2, use=learning),
    ),
    straight_through,
    "forwards the network computes with what the device will have, backwards it learns as if nothing had been rounded.",
    {
        "Rounding alone lets no gradient through: a step is level, and its slope 0.": (
            _rounding_alone(True),
            _rounding_alone(False),
        ),
        "Nothing at all comes back: the result is detached as a whole.": _nothing_back,
        "The difference is turned round: what is added to the weight is rounded − weight.": _turned_round,
        "Forwards that is the weight as it was: detach the difference, and not the way that the gradient takes.": (
            _still_the_weight(True),
            _still_the_weight(False),
        ),
        "The weight itself was overwritten: the optimiser needs its 32 bits, for small steps to add up.": _overwritten,
        "A second gradient reaches the largest weight through the scale: detach the scale, too.": _scale_learns,
        "Those are whole numbers: multiply by the scale again.": _whole_numbers,
        "That is a scale for each channel; one for the whole tensor is asked.": _by(
            lambda weight, bits: steps_of(weight, "per channel", bits)
        ),
        "The steps are always those of 8 bits; `bits` says how many there are.": _by(
            lambda weight, bits: _scale(weight, 8)
        ),
        "Divide the largest by 2^(bits − 1) − 1: half of the whole numbers lie below 0.": _by(
            lambda weight, bits: _scale(weight, bits, lambda bits: 2**bits - 1)
        ),
        "There are 2^(bits − 1) − 1 whole numbers above 0, not 2^(bits − 1).": _by(
            lambda weight, bits: _scale(weight, bits, lambda bits: 2 ** (bits - 1))
        ),
        "The largest *absolute* value counts: a tensor may have negative weights alone.": _by(
            lambda weight, bits: _scale(weight, bits, largest=lambda weight: weight.max())
        ),
    },
    hint="First the rounded weight, as without learning. Then a sum of two parts, of which the gradient sees one.",
)

# ------------------------------------------------------------------------------------------------ 10.9 cut


def cut(expand, depthwise, project, keep):
    """Three pairs (weight, bias) and the places of the hidden channels that stay → three pairs. The right one."""
    (first, one), (second, two), (third, three) = expand, depthwise, project
    return (first[keep], one[keep]), (second[keep], two[keep]), (third[:, keep], three)


def _with(**changed):
    """`cut` with one of the six tensors, "first" … "three", made otherwise: a function of (tensor, keep)."""

    def wrong(expand, depthwise, project, keep):
        right = cut(expand, depthwise, project, keep)
        names = (("first", "one"), ("second", "two"), ("third", "three"))
        given = (expand, depthwise, project)
        return tuple(
            tuple(
                changed[name](old, keep) if name in changed else new
                for name, old, new in zip(pair, layer, mine, strict=True)
            )
            for pair, layer, mine in zip(names, given, right, strict=True)
        )

    return wrong


def _as_it_was(tensor, keep):
    return tensor


def _columns(tensor, keep):
    return tensor[:, keep]


def _rows(tensor, keep):
    return tensor[keep]


def _others(expand, depthwise, project, keep):
    return cut(expand, depthwise, project, _those_not_in(keep, len(expand[1])))


def _those_not_in(keep, count):
    gone = torch.ones(count, dtype=torch.bool)
    gone[keep] = False
    return gone.nonzero().flatten()


def _zeros(*which):
    """Zeros in place of the channels that go, in all layers or in the projection alone."""

    def wrong(expand, depthwise, project, keep):
        mask = torch.zeros(len(expand[1]))
        mask[keep] = 1
        column = mask[:, None, None, None]
        layers = [
            (expand[0] * column, expand[1] * mask),
            (depthwise[0] * column, depthwise[1] * mask),
            (project[0] * mask[None, :, None, None], project[1]),
        ]
        given = (expand, depthwise, project)
        return tuple(layers[i] if i in which else given[i] for i in range(3))

    return wrong


def _block(channels_in, hidden, channels_out, seed):
    return (
        (draw(hidden, channels_in, 1, 1, seed=seed), draw(hidden, seed=seed + 1)),
        (draw(hidden, 1, 3, 3, seed=seed + 2), draw(hidden, seed=seed + 3)),
        (draw(channels_out, hidden, 1, 1, seed=seed + 4), draw(channels_out, seed=seed + 5)),
    )


CUT = CodeExercise(
    "cut",
    (
        Case("for a block of 12 hidden channels", *_block(12, 12, 12, 0), torch.tensor([0, 3, 4, 7, 11])),
        Case("for more channels out than hidden", *_block(9, 8, 10, 6), torch.tensor([1, 2, 5])),
        Case("for one channel that stays", *_block(6, 6, 6, 12), torch.tensor([4])),
    ),
    cut,
    "five of the six tensors become smaller; the projection's bias belongs to channels that stay. Nothing is left to "
    "multiply by 0.",
    {
        "The projection reads the hidden channels: they are the columns, `[:, keep]`, of its weight.": (
            _with(third=_rows),
            _with(third=_rows, three=_rows),
        ),
        "The projection still reads all hidden channels: its weight has columns to give up.": _with(third=_as_it_was),
        "The projection's bias belongs to the channels out, and these all stay.": _with(three=_rows),
        "The depthwise layer has a filter for each hidden channel: its rows go, too.": (
            _with(second=_as_it_was, two=_as_it_was),
            _with(second=_as_it_was),
        ),
        "A depthwise weight is [C,1,3,3]: the channels are its rows, not the one column.": _with(second=_columns),
        "The expansion *makes* the hidden channels: they are the rows of its weight.": _with(first=_columns),
        "The biases of the hidden channels go with them.": (
            _with(one=_as_it_was, two=_as_it_was),
            _with(one=_as_it_was),
            _with(two=_as_it_was),
        ),
        "`keep` names the channels that stay; those are gone now.": _others,
        "Zeros are computed with like any number: take the channels out.": (_zeros(0, 1, 2), _zeros(2), _zeros(0)),
    },
    hint="Rows of the expansion and of the depthwise layer with their biases; columns of the projection.",
)
