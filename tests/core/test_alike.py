"""Two networks that compute the same are told from two that do not, and an unfinished one from a finished one."""

import pytest
import torch
from torch import nn

from helpers import alike


def network(add: bool = True, width: int = 6) -> nn.Module:
    """A convolution and BatchNorm, with a shortcut or without: the same tensors, other scores."""

    class Block(nn.Sequential):
        def forward(self, x):
            return super().forward(x) + x if add else super().forward(x)

    return Block(nn.Conv2d(3, width, 1, bias=False), nn.BatchNorm2d(width), nn.Conv2d(width, 3, 1))


IMAGES = torch.randn(8, 3, 5, 5, generator=torch.Generator().manual_seed(0)) * 3 + 1


def test_the_same_network_scores_the_same_and_one_without_its_shortcut_does_not():
    assert alike.difference(network(), network(), IMAGES) <= 1e-6
    assert alike.difference(network(add=False), network(), IMAGES) > 0.1


def test_a_settled_network_knows_its_images_statistics_and_is_in_eval_mode():
    one = alike.settle(network(), IMAGES)
    seen = one[0](IMAGES).transpose(0, 1).flatten(1)
    assert not one.training and torch.allclose(one[1].running_mean, seen.mean(1), atol=1e-5)
    assert torch.allclose(one[1].running_var, seen.var(1), rtol=1e-4)


def test_tensors_are_copied_in_order_and_another_network_is_refused():
    first, second = network(), network()
    copied = alike.copy_by_order(first, second)
    assert copied is second and not second.training
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(ValueError, match="differ in number, shape or order"):
        alike.copy_by_order(network(), network(width=7))


def test_what_is_not_written_yet_has_a_stand_in(capsys):
    def mine(values): ...

    assert alike.finished(mine, len, lambda f: f([1])) is len and "mine is not written" in capsys.readouterr().out
    assert alike.finished(mine, len, lambda f: f([1]) + 1) is len
    assert alike.finished(sum, len, lambda f: f([1])) is sum
