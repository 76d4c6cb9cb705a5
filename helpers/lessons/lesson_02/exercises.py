"""Exercises of lesson 02."""

from helpers.data import CIFAR10_MEAN, CIFAR10_STD
from helpers.exercises import Exercise

_RED, _DEVIATION = CIFAR10_MEAN[0], CIFAR10_STD[0]

EXERCISES = {
    "2.1": Exercise(
        50_000 * 32 * 32 * 3 * 4 / 1e6,
        "50,000 images × 32 × 32 positions × 3 colours × 4 bytes. As bytes (uint8) it is a quarter, so Batches keeps "
        "uint8 and converts a batch at a time.",
        {
            "That is with one byte a value, as in the file; float32 takes four.": 50_000 * 32 * 32 * 3 / 1e6,
            "You counted positions only: each has three colours.": 50_000 * 32 * 32 * 4 / 1e6,
            "Those are all images of the set; the test images are not for training.": 60_000 * 32 * 32 * 3 * 4 / 1e6,
            "That is in MiB, units of 2²⁰ bytes. A MB is a million bytes.": 50_000 * 32 * 32 * 3 * 4 / 2**20,
            "That is in megabits: eight bits are a byte.": 50_000 * 32 * 32 * 3 * 32 / 1e6,
            "That is the sample; the question is about the complete set.": 5_000 * 32 * 32 * 3 * 4 / 1e6,
        },
        tolerance=0.1,
        hint="Multiply: images × height × width × colours × bytes a value.",
    ),
    "2.2": Exercise(
        (200 / 255 - _RED) / _DEVIATION,
        "200 / 255 is 0.784, which lies 0.293 above the mean, and that is 1.19 deviations.",
        {
            "First scale the value to 0…1: mean and deviation are given for that scale.": (200 - _RED) / _DEVIATION,
            "You subtracted the mean; the division by the deviation is missing.": 200 / 255 - _RED,
            "You scaled the value to 0…1; the normalisation is missing.": 200 / 255,
            "You divided by the deviation without subtracting the mean first.": 200 / 255 / _DEVIATION,
            "You divided by the copied number, which is the mean of the images' own deviations.": (200 / 255 - _RED)
            / 0.2023,
            "You divided by the variance; its square root is meant.": (200 / 255 - _RED) / _DEVIATION**2,
            "You subtracted the value from the mean: the sign is the wrong way round.": (_RED - 200 / 255) / _DEVIATION,
        },
        tolerance=0.005,
        hint="(value / 255 − mean) / deviation.",
    ),
    "2.3": Exercise(
        0.0,
        "inside a flat image nothing varies, so each has a deviation of 0, and so is their mean: all the variance lies "
        "between the images.",
        {
            "That is the deviation of all pixels together, the one that normalisation needs.": 12**-0.5,
            "That is the variance of all pixels together.": 1 / 12,
            "That is the mean of all pixels, not a deviation.": 0.5,
            "That is the distance from black to white, not a deviation inside an image.": 1.0,
        },
        tolerance=0.01,
        hint="Look at one single image: how much do its pixels differ from its own mean?",
    ),
    "2.4": Exercise(
        0.8,
        "wherever an image lies, its twin was drawn on its own, and four fifths of all images are for training. Split "
        "first, then augment.",
        {
            "That is the share of the images that went to validation; where did the twin of each go?": 0.2,
            "Half of all images are mirrored, but on which side does the twin of one image lie?": 0.5,
            "A mirror image has another fingerprint, but a network sees nearly the same picture: twins count.": 0.0,
            "Nearly: now and then both twins happen to be drawn for validation.": 1.0,
            "That is the chance of both: image for validation, twin for training. The first is given.": 0.16,
            "That is the chance that both twins are for training.": 0.64,
        },
        tolerance=0.005,
        hint="Take one validation image. Its twin was drawn too: for which side, with what chance (0 to 1)?",
    ),
    "2.5": Exercise(
        2 * 9 * 9,
        "the window can start at 9 rows and 9 columns (0 to 8), and each of these crops can be mirrored or not.",
        {
            "You have the crops. Each of them can also be mirrored.": 9 * 9,
            "The padding is on both sides, and position 0 counts too: how many places can the window start at?": 2
            * 5
            * 5,
            "Count the start positions once more: from 0 to 8, both included.": 2 * 8 * 8,
            "You have one direction only; the window moves down as well as to the right.": 2 * 9,
            "The flip is another choice for each crop: multiply, don't add.": 9 * 9 + 2,
            "Half of that is missing: the padding is on both sides.": 2 * 4 * 4,
        },
        hint="How many start positions downwards, how many to the right, and how many directions?",
    ),
}
