"""What training does on a GPU. Without one only the part that any machine can show runs."""

import pytest
import torch
from torch import nn

from helpers.batches import AUGMENTATIONS, Batches
from helpers.data import CLASSES, ImageSet
from helpers.models import mobilenet_v2
from helpers.training import fit

needs_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")


def images(count: int = 200) -> ImageSet:
    pixels = torch.randint(0, 256, (count, 32, 32, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return ImageSet(pixels, torch.arange(count) % 10, CLASSES, "made up")


def same_on(device: str) -> None:
    here = Batches(images(), 64, image_size=24, augment=tuple(AUGMENTATIONS), shuffle=True, seed=3)
    there = here.to(device)
    assert there.image_set.images.device.type == there.image_set.labels.device.type == device
    for (x, labels), (moved, moved_labels) in zip(here, there, strict=True):
        assert moved.device.type == device and torch.equal(moved_labels.cpu(), labels)
        torch.testing.assert_close(moved.cpu(), x, rtol=0, atol=2e-5)
    assert here.epoch == there.epoch == 1


def test_batches_that_are_moved_are_the_same_batches():
    same_on("cpu")


def test_fit_computes_in_float32_on_a_cpu():
    seen = []

    class Watched(nn.Linear):
        def forward(self, x):
            out = super().forward(x)
            seen.append(out.dtype)
            return out

    fit(nn.Sequential(nn.Flatten(), Watched(3 * 32 * 32, 10)), Batches(images(), 100), epochs=1, lr=0.01, device="cpu")
    assert seen == [torch.float32] * 2


@needs_a_gpu
def test_batches_on_a_gpu():
    same_on("cuda")


@needs_a_gpu
def test_a_run_on_a_gpu_is_in_bfloat16_with_weights_in_float32_and_comes_near_the_cpu_s():
    losses = {}
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        model = mobilenet_v2(0.25, num_classes=10, stem_stride=1, dropout=0.0)
        seen = []
        model.features[0][0].register_forward_hook(lambda layer, given, out, seen=seen: seen.append(out.dtype))
        losses[device] = fit(model, Batches(images(), 50, augment=("crop", "flip"), shuffle=True), epochs=1, lr=0.01,
                             device=device).loss[0]  # fmt: skip
        assert set(seen) == {torch.bfloat16 if device == "cuda" else torch.float32}
        assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=0.02)
