"""Batches: shapes and numbers, each augmentation checked for what it promises, and speed as a ratio."""

import statistics
import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from helpers.batches import AUGMENTATIONS, Batches, dataloader_pipeline
from helpers.data import CIFAR10_MEAN, CIFAR10_STD, CLASSES, ImageSet, load_cifar10

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}  # leaves the pixels in 0..1
NAMES = tuple(AUGMENTATIONS)


def made(count: int, height: int = 32, width: int = 32, low: int = 0, high: int = 256) -> ImageSet:
    generator = torch.Generator().manual_seed(count)
    images = torch.randint(low, high, (count, height, width, 3), generator=generator, dtype=torch.uint8)
    return ImageSet(images, torch.arange(count) % 10, CLASSES, "made up")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def real() -> ImageSet:
    return load_cifar10()[0]


def whole(images: ImageSet, size: int = 64, **options) -> torch.Tensor:
    return torch.cat([x for x, _ in Batches(images, size, **options)])


def pixels(images: ImageSet, size: int = 64, **options) -> torch.Tensor:
    """What comes out in units of 0..255, [N,3,H,W]."""
    return whole(images, size, **PLAIN, **options) * 255


def original(images: ImageSet) -> torch.Tensor:
    return images.images.permute(0, 3, 1, 2).float()


# -------------------------------------------------------------------------------- form


def test_dtype_shape_layout_and_length():
    images = made(10)
    batches = Batches(images, 4, augment=NAMES)
    assert len(batches) == 3
    seen = list(batches)
    assert [x.shape for x, _ in seen] == [(4, 3, 32, 32), (4, 3, 32, 32), (2, 3, 32, 32)]
    for x, y in seen:
        assert x.dtype == torch.float32 and y.dtype == torch.int64 and len(x) == len(y)
        assert x.is_contiguous(memory_format=torch.channels_last)
    assert torch.cat([y for _, y in seen]).tolist() == images.labels.tolist()
    assert len(Batches(images, 5)) == 2 and len(Batches(images, 11)) == 1


def test_normalisation():
    images = made(6)
    expected = (original(images) / 255 - torch.tensor(CIFAR10_MEAN).view(3, 1, 1)) / torch.tensor(CIFAR10_STD).view(
        3, 1, 1
    )
    assert torch.allclose(whole(images), expected, atol=1e-6)
    mine = {"mean": (0.1, 0.2, 0.3), "std": (0.5, 1.0, 2.0)}
    expected = (original(images) / 255 - torch.tensor((0.1, 0.2, 0.3)).view(3, 1, 1)) / torch.tensor(mine["std"]).view(
        3, 1, 1
    )
    assert torch.allclose(whole(images, **mine), expected, atol=1e-6)


def test_the_image_set_is_never_changed():
    images = made(9)
    before = images.images.clone()
    for x, y in Batches(images, 4, augment=NAMES, image_size=16, shuffle=True):
        x.zero_()
        y.zero_()
    assert torch.equal(images.images, before) and torch.equal(images.labels, torch.arange(9))


@pytest.mark.parametrize("size", [8, 24, 32, 48])
def test_image_size(size):
    images = made(5)
    x = pixels(images, image_size=size)
    assert x.shape == (5, 3, size, size) and x.is_contiguous(memory_format=torch.channels_last)
    expected = F.interpolate(original(images), size=(size, size), mode="bilinear", antialias=size < 32)
    assert torch.allclose(x, expected if size != 32 else original(images), atol=0.01)


def test_a_smaller_image_is_averaged_not_picked():
    """Noise shrinks when 16 pixels become one; without antialiasing most pixels would just be left out."""
    spread = pixels(made(8), image_size=8).std() / pixels(made(8)).std()
    assert spread < 0.4


# -------------------------------------------------------------------------------- random, but the same


@pytest.mark.parametrize("image_size", [None, 24, 48])
@pytest.mark.parametrize("augment", [(name,) for name in NAMES] + [NAMES], ids="+".join)
def test_the_same_images_whatever_the_batch_size(real, augment, image_size):
    images = real[::193]  # 26 images
    ways = [whole(images, size, augment=augment, image_size=image_size, shuffle=True) for size in (1, 7, 26)]
    for other in ways[1:]:
        assert torch.equal(ways[0], other)
    if augment != ("flip",) or image_size is None:
        assert not torch.equal(ways[0], whole(images, image_size=image_size, shuffle=True)), "nothing was augmented"


def test_seed_and_epoch_change_the_images():
    images = made(20)
    for name in NAMES:
        batches = Batches(images, 8, augment=name)
        first, second = (torch.cat([x for x, _ in batches]) for _ in range(2))
        assert batches.epoch == 2
        assert not torch.equal(first, second), f"{name} is the same in every epoch"
        assert not torch.equal(first, whole(images, 8, augment=name, seed=1)), f"{name} ignores the seed"
        batches.epoch = 0
        assert torch.equal(first, torch.cat([x for x, _ in batches])), f"{name} cannot be repeated"
    torch.manual_seed(5)
    one = whole(images, augment=NAMES)
    torch.manual_seed(6)
    assert torch.equal(one, whole(images, augment=NAMES)), "the global random numbers play a part"


@pytest.mark.parametrize("options", [{"shuffle": True}, {"augment": ("crop", "flip")}], ids=["order", "augmentation"])
def test_seeds_share_no_epoch(options):
    """Three seeds, as the long runs have, 12 epochs each: no two of the 36 see the same."""
    images, seen = made(20), set()
    for seed in range(3):
        batches = Batches(images, 20, seed=seed, **options)
        seen |= {tuple(next(iter(batches))[0].sum((1, 2, 3)).tolist()) for _ in range(12)}
    assert len(seen) == 36


def test_shuffle_keeps_images_and_labels_together():
    images = made(50)
    batches = Batches(images, 7, shuffle=True, **PLAIN)
    orders = []
    for _ in range(2):
        x, y = (torch.cat(part) for part in zip(*batches, strict=True))
        where = [(original(images) - picture * 255).abs().flatten(1).amax(1).argmin().item() for picture in x]
        assert sorted(where) == list(range(50)) and images.labels[where].tolist() == y.tolist()
        orders.append(where)
    assert orders[0] != list(range(50)) and orders[0] != orders[1]
    _, y = (torch.cat(part) for part in zip(*Batches(images, 7), strict=True))
    assert y.tolist() == images.labels.tolist(), "without shuffle the order is kept"


# -------------------------------------------------------------------------------- what each augmentation does


def test_flip_is_a_flip():
    images = made(200)
    x, plain = pixels(images, augment="flip").round(), original(images)
    kept = (x == plain).flatten(1).all(1)
    turned = (x == plain.flip(3)).flatten(1).all(1)
    assert torch.all(kept ^ turned)
    assert 70 <= int(turned.sum()) <= 130, "half of 200 within four standard deviations"
    assert torch.equal(pixels(images, augment={"flip": 1}).round(), plain.flip(3))
    assert torch.equal(pixels(images, augment={"flip": 0}).round(), plain)


def test_crop_is_a_shifted_window_with_black_outside():
    images, padding = made(300, low=1), 3  # no pixel is black, so black can only come from outside
    x, plain = pixels(images, augment={"crop": padding}).round(), original(images)
    shifts = []
    padded = F.pad(plain, [padding] * 4)
    for picture, around in zip(x, padded, strict=True):
        found = [
            (top, left)
            for top in range(2 * padding + 1)
            for left in range(2 * padding + 1)
            if torch.equal(picture, around[:, top : top + 32, left : left + 32])
        ]
        assert len(found) == 1, "this is no window of the padded image"
        shifts += found
    for position in zip(*shifts, strict=True):
        assert set(position) == set(range(7)), "not every shift occurs"
    assert len(set(shifts)) == 49, "the two directions are not independent"


@pytest.mark.parametrize("height, width", [(20, 32), (32, 20)])
def test_crop_of_images_that_are_not_square(height, width):
    x = pixels(made(8, height, width, low=1), augment="crop")
    assert x.shape == (8, 3, height, width) and int((x == 0).sum()) > 0


def test_brightness_multiplies_within_its_bounds():
    images = made(400, low=20, high=150)  # times 1.2 stays below 255
    ratio = pixels(images, augment={"brightness": 0.2}) / original(images)
    factor = ratio.flatten(1).mean(1)
    assert torch.allclose(ratio, factor.view(-1, 1, 1, 1), atol=1e-4), "one factor an image, for all its pixels"
    assert 0.8 <= factor.min() < 0.82 and 1.18 < factor.max() <= 1.2


def test_contrast_stretches_about_the_mean_within_its_bounds():
    images = made(400, low=60, high=190)
    x, plain = pixels(images, augment={"contrast": 0.3}), original(images)
    assert torch.allclose(x.mean((1, 2, 3)), plain.mean((1, 2, 3)), atol=0.01), "the mean stays"
    factor = x.flatten(1).std(1) / plain.flatten(1).std(1)
    middle = plain.mean((1, 2, 3), keepdim=True)
    assert torch.allclose(x, middle + (plain - middle) * factor.view(-1, 1, 1, 1), atol=0.01)
    assert 0.7 <= factor.min() < 0.72 and 1.28 < factor.max() <= 1.3


def test_brightness_and_contrast_together_stay_pixels():
    x = pixels(made(100), augment={"brightness": 1, "contrast": 1})
    assert x.min() == 0 and 255 - 1e-3 < x.max() <= 255 + 1e-3, "cut off at black and white"
    both = pixels(made(100, low=60, high=120), augment={"brightness": 0.2, "contrast": 0.2})
    bright = pixels(made(100, low=60, high=120), augment={"brightness": 0.2})
    assert torch.allclose(both.mean((1, 2, 3)), bright.mean((1, 2, 3)), atol=0.01), "contrast turns about the new mean"


@pytest.mark.parametrize("side", [1, 5, 8, 32])
def test_cutout_is_one_square_at_the_mean(side):
    images = made(300)
    x, plain = whole(images, augment={"cutout": side}), whole(images)
    hole = (x.abs() < 1e-6).all(1)  # the mean colour is 0 after normalising
    for picture, before, after in zip(hole, plain, x, strict=True):
        rows, columns = picture.any(1).nonzero().flatten(), picture.any(0).nonzero().flatten()
        assert len(rows) == len(columns) == side and int(picture.sum()) == side**2
        assert rows[-1] - rows[0] == columns[-1] - columns[0] == side - 1
        assert torch.equal(after[:, ~picture], before[:, ~picture]), "something outside the square changed"
    tops, lefts = hole.any(2).float().argmax(1), hole.any(1).float().argmax(1)
    for corner in (tops, lefts):
        assert corner.min() == 0 and corner.max() == 32 - side, "the square does not reach every edge"


# -------------------------------------------------------------------------------- wrong inputs


@pytest.mark.parametrize(
    "size, options, words",
    [
        (0, {}, "a batch holds at least 1 image, not 0"),
        (-1, {}, "a batch holds at least 1 image, not -1"),
        (2.5, {}, r"a batch holds at least 1 image, not 2\.5"),
        (4, {"image_size": 0}, "image_size is a positive number of pixels, not 0"),
        (4, {"image_size": 32.0}, r"image_size is a positive number of pixels, not 32\.0"),
        (4, {"augment": ("flip", "crpo")}, "there is no augmentation 'crpo'; there are crop, flip, brightness"),
        (4, {"augment": "mirror"}, "there is no augmentation 'mirror'"),
        (4, {"augment": {"flip": 1.5}}, r"flip cannot have strength 1\.5: it is the probability of a left-right flip"),
        (4, {"augment": {"brightness": 2}}, "brightness cannot have strength 2: it is the largest relative change"),
        (4, {"augment": {"contrast": -0.1}}, r"contrast cannot have strength -0\.1"),
        (4, {"augment": {"crop": 33}}, "crop cannot have strength 33: it is the pixels of padding"),
        (4, {"augment": {"cutout": 33}}, "cutout cannot have strength 33: it is the side in pixels"),
        (4, {"augment": {"flip": float("nan")}}, "flip cannot have strength nan"),
        (4, {"augment": {"flip": True}}, "flip cannot have strength True: it is the probability of a left-right flip"),
        (4, {"augment": {"crop": True}}, "crop cannot have strength True: it is the pixels of padding"),
        (4, {"augment": {"crop": 0.5}}, r"crop cannot have strength 0\.5: it is counted in whole pixels"),
        (4, {"augment": {"cutout": 0.5}}, r"cutout cannot have strength 0\.5: it is counted in whole pixels"),
        (4, {"augment": {"cutout": 7.9}}, r"cutout cannot have strength 7\.9: it is counted in whole pixels"),
        (4, {"augment": {"cutout": "8"}}, "cutout cannot have strength '8'"),
        (True, {}, "a batch holds at least 1 image, not True"),
        (4, {"image_size": True}, "image_size is a positive number of pixels, not True"),
        (4, {"seed": 0.5}, r"seed is a whole number, not 0\.5"),
        (4, {"mean": (125.3, 123.0, 113.9)}, r"three numbers each, of pixels from 0 to 1, std above 0, not \(125\.3"),
        (4, {"mean": (float("nan"), 0, 0)}, "three numbers each, of pixels from 0 to 1, std above 0, not"),
        (4, {"std": (0.2, float("nan"), 0.2)}, "three numbers each, of pixels from 0 to 1, std above 0, not"),
        (4, {"std": (0.2, 0.0, 0.2)}, "mean and std need three numbers each, of pixels from 0 to 1, std above 0"),
        (4, {"mean": (0.5, 0.5)}, "mean and std need three numbers each, of pixels from 0 to 1, std above 0"),
    ],
)
def test_wrong_inputs(size, options, words):
    with pytest.raises(ValueError, match=words):
        Batches(made(4), size, **options)


def test_whole_numbers_of_any_kind_will_do():
    images = made(6)
    expected = whole(images, 4, augment={"crop": 3, "cutout": 5}, image_size=16, seed=2)
    numpy = {"augment": {"crop": np.int64(3), "cutout": 5.0}, "image_size": np.int32(16), "seed": np.int64(2)}
    assert torch.equal(whole(images, np.int64(4), **numpy), expected)


def test_no_images():
    with pytest.raises(ValueError, match="there are no images to make batches of"):
        Batches(made(4)[:0], 2)


# -------------------------------------------------------------------------------- speed, as a ratio in one run


def test_batches_are_several_times_as_fast_as_a_per_image_pipeline(real):
    """`python -m helpers bench data` measures it properly (at least 8); this catches a loss of the whole advantage.

    Processor seconds of one thread: other programs on the machine hardly change their ratio.
    """
    images = real[:1000]
    pipelines = dataloader_pipeline(images, 0), Batches(images, 128, augment=("crop", "flip"), shuffle=True)
    seconds = [[], []]
    for _ in range(4):
        for batches, times in zip(pipelines, seconds, strict=True):
            started = time.process_time()
            assert sum(len(labels) for _, labels in batches) == 1000
            times.append(time.process_time() - started)
    slow, fast = (statistics.median(times[1:]) for times in seconds)  # the first pass warms up
    assert slow / fast > 4
