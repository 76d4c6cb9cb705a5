"""Exercise 2.2: a deviation to write, a right one and the mistakes people make in it."""

import functools

import torch

from helpers.exercises.code import Case, CodeExercise


def some_bytes(*shape: int, low: int = 0, high: int = 256, seed: int = 0) -> torch.Tensor:
    """Random whole numbers from `low` to below `high`, uint8, the same every time."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, shape, dtype=torch.uint8, generator=generator)


def _scaled(parts: list[torch.Tensor]) -> list[torch.Tensor]:
    return [part.flatten(0, 2).double() / 255 for part in parts]  # each [pixels, 3]


def channel_std(parts):
    """Standard deviation of each channel over all pixels of the parts, uint8 [n,H,W,3] each. The right answer."""
    count, total, squares = 0, 0, 0
    for part in parts:
        pixels = part.flatten(0, 2).double() / 255  # [pixels, 3]
        count += len(pixels)
        total = total + pixels.sum(0)
        squares = squares + pixels.square().sum(0)
    return (squares / count - (total / count) ** 2).sqrt().tolist()


def _twice(wrong):
    """A mistake with n, as NumPy's std divides, and with n − 1, as PyTorch's does."""
    return functools.partial(wrong, correction=0), functools.partial(wrong, correction=1)


def _mean_of_deviations(parts, correction):
    return torch.stack([part.std(0, correction=correction) for part in _scaled(parts)]).mean(0).tolist()


def _mean_of_image_deviations(parts, correction):
    return _mean_of_deviations([part[i : i + 1] for part in parts for i in range(len(part))], correction)


def _mean_of_variances(parts, correction):
    return torch.stack([part.var(0, correction=correction) for part in _scaled(parts)]).mean(0).sqrt().tolist()


def _of_bytes(parts, correction):
    return torch.cat(_scaled(parts)).mul(255).std(0, correction=correction).tolist()


def _variance(parts, correction):
    return torch.cat(_scaled(parts)).var(0, correction=correction).tolist()


def _of_all_channels(parts, correction):
    return torch.cat(_scaled(parts)).std(correction=correction).item()


def _of_the_last(parts, correction):
    return _scaled(parts)[-1].std(0, correction=correction).tolist()


def _mean_of_sums(parts):
    means = torch.stack([part.mean(0) for part in _scaled(parts)]).mean(0)
    squares = torch.stack([part.square().mean(0) for part in _scaled(parts)]).mean(0)
    return (squares - means**2).sqrt().tolist()


def _divided_by_images(parts):
    count = sum(len(part) for part in parts)
    flat = torch.cat(_scaled(parts))
    return (flat.square().sum(0) / count - (flat.sum(0) / count) ** 2).sqrt().tolist()


def _squares_of_bytes(parts):
    flat = torch.cat([part.flatten(0, 2) for part in parts])
    return (flat.square().double().mean(0) - flat.double().mean(0) ** 2).sqrt().div(255).tolist()


STD_CASES = (
    Case(
        "for a dark, a middling and a bright part", [some_bytes(2, 3, 4, 3, low=a, high=a + 56) for a in (0, 100, 200)]
    ),
    Case(
        "for parts of 5, 1 and 2 images",
        [some_bytes(5, 2, 3, 3, high=90), some_bytes(1, 2, 3, 3), some_bytes(2, 2, 3, 3, low=200)],
    ),
    Case("for one part alone", [some_bytes(4, 2, 2, 3, seed=3)]),
    Case("for flat grey images", [torch.full((1, 2, 2, 3), grey, dtype=torch.uint8) for grey in (0, 90, 255)]),
    # squares that fit into a byte
    Case("for very dark parts", [some_bytes(n, 3, 2, 3, high=16, seed=n) for n in (2, 3)]),
)
STD = CodeExercise(
    "channel_std",
    STD_CASES,
    channel_std,
    "counts, sums and sums of squares can be added up part by part; deviations cannot.",
    {
        "You averaged the parts' own deviations: that is how the copied number came about. What lies between the "
        "parts' means is missing.": _twice(_mean_of_deviations),
        "You averaged the images' own deviations: that is the copied number, once more.": _twice(
            _mean_of_image_deviations
        ),
        "You averaged the variances inside the parts; the variance between their means is missing.": _twice(
            _mean_of_variances
        ),
        "You gave each part the same weight, but a part with more images counts more.": _mean_of_sums,
        "The pixels are meant on the scale from 0 to 1: divide them by 255.": _twice(_of_bytes),
        "You divided by n − 1. Here all pixels are there, not a sample of them: divide by n (correction=0).": (
            lambda parts: torch.cat(_scaled(parts)).std(0).tolist()
        ),
        "That is the variance; its square root is meant.": _twice(_variance),
        "That is one deviation for all three channels together; each channel has its own.": _twice(_of_all_channels),
        "The square of a byte does not fit into a byte: turn the pixels into floats before you square them.": (
            _squares_of_bytes
        ),
        "You divided by the number of images; n counts pixels, H × W in each image.": _divided_by_images,
        "You used the last part only: what must be kept from one part to the next?": _twice(_of_the_last),
        "That is the mean of each channel, not its deviation.": lambda parts: (
            torch.cat(_scaled(parts)).mean(0).tolist()
        ),
    },
    hint="Which three numbers of a part can be added to those of the next?",
)
