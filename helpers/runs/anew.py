"""What do BatchNorm's running statistics cost a trained network? Measure them anew, and leave the weights alone."""

import copy

import torch
from torch import nn

from helpers.batches import Batches
from helpers.data import ImageSet

IMAGES, BATCH = 5_000, 500


def measured_anew(model: nn.Module, images: ImageSet, augment: tuple[str, ...]) -> nn.Module:
    """A copy with the same weights and the means and variances that some IMAGES training images have in it."""
    model = copy.deepcopy(model).train()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # the plain mean of the batches below
    drawn = images[:: max(1, len(images) // IMAGES)]
    with torch.no_grad():
        for inputs, _ in Batches(drawn, min(BATCH, len(drawn)), shuffle=True, augment=augment):
            model(inputs)
    return model.eval()
