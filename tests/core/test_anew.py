"""helpers.runs.anew: the same weights, the statistics of the images, and nothing of the network that was given."""

import pytest
import torch
from torch import nn

from helpers.batches import Batches
from helpers.data import ImageSet
from helpers.runs import anew


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (60, 32, 32, 3), dtype=torch.uint8, generator=generator)
    return ImageSet(pixels, torch.arange(60) % 10, tuple("abcdefghij"), "drawn")


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2))
    for layer in (network[1], network[4]):
        layer.running_mean.fill_(7)
        layer.running_var.fill_(9)
        layer.num_batches_tracked.fill_(5)
    return network.train()


def by_hand(network, images, batches):
    """The first BatchNorm's mean of the batches' means, and of their unbiased variances."""
    with torch.no_grad():
        maps = [network[0](inputs) for inputs, _ in Batches(images, batches)]
    return (
        torch.stack([kept.mean(dim=(0, 2, 3)) for kept in maps]).mean(dim=0),
        torch.stack([kept.var(dim=(0, 2, 3)) for kept in maps]).mean(dim=0),
    )


def test_the_statistics_are_those_of_the_images(network, images, monkeypatch):
    """One batch of all: the order drawn has no part in it, and what stood there before has none either."""
    monkeypatch.setattr(anew, "BATCH", 60)
    mean, var = by_hand(network, images, 60)
    fresh = anew.measured_anew(network, images, ())
    torch.testing.assert_close(fresh[1].running_mean, mean, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(fresh[1].running_var, var, atol=1e-5, rtol=1e-4)


def test_every_batch_counts_alike(network, images, monkeypatch):
    """The plain mean: of means of batches of one size it is the mean of all images, in whatever order."""
    monkeypatch.setattr(anew, "BATCH", 20)
    mean, _ = by_hand(network, images, 60)
    torch.testing.assert_close(anew.measured_anew(network, images, ())[1].running_mean, mean, atol=1e-5, rtol=1e-4)
    monkeypatch.undo()
    assert anew.measured_anew(network, images, ())[1].num_batches_tracked == 1, "never a batch above what there is"


def test_a_part_of_the_images_is_spread_over_all_of_them(network, images, monkeypatch):
    monkeypatch.setattr(anew, "IMAGES", 20)
    mean, _ = by_hand(network, images[::3], 20)
    torch.testing.assert_close(anew.measured_anew(network, images, ())[1].running_mean, mean, atol=1e-5, rtol=1e-4)


def test_the_network_given_stays_as_it_was_and_the_weights_are_its_own(network, images):
    before = {name: kept.clone() for name, kept in network.state_dict().items()}
    fresh = anew.measured_anew(network, images, ())
    assert all(torch.equal(kept, before[name]) for name, kept in network.state_dict().items())
    assert network.training and not fresh.training
    assert network[1].momentum == 0.1
    for name, kept in fresh.named_parameters():
        assert torch.equal(kept, before[name]) and kept.grad is None


def test_the_images_are_cropped_and_flipped_as_in_training(network, images, monkeypatch):
    """A crop pads with black: the first layer's mean moves."""
    monkeypatch.setattr(anew, "BATCH", 60)
    plain, cropped = (anew.measured_anew(network, images, augment)[1].running_mean for augment in ((), ("crop",)))
    assert not torch.allclose(plain, cropped, atol=1e-3)
