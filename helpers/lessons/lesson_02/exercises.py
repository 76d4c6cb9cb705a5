"""Exercises of lesson 02: 2.1 to 2.5 stand on its first page, 2.6 to 2.9 on its second."""

from helpers.exercises import Exercise
from helpers.lessons.lesson_02.to_write import CROP, SHEET, SPLIT
from helpers.lessons.lesson_02.to_write_std import STD

EXERCISES = {
    "2.1": Exercise(
        50_000 * 32 * 32 * 3 * 4 / 1e6,
        "50,000 images × 32 × 32 positions × 3 colours × 4 bytes. As bytes (uint8) it is a quarter, so Batches keeps "
        "uint8 and converts a batch at a time.",
        {
            "That is with one byte a value, as in the file; float32 takes four.": 50_000 * 32 * 32 * 3 / 1e6,
            "That is with eight bytes a value (float64); float32 takes four.": 50_000 * 32 * 32 * 3 * 8 / 1e6,
            "You counted positions only: each has three colours.": 50_000 * 32 * 32 * 4 / 1e6,
            "Those are all images of the set; the test images are not for training.": 60_000 * 32 * 32 * 3 * 4 / 1e6,
            "That is the sample; the question is about the complete set.": 5_000 * 32 * 32 * 3 * 4 / 1e6,
            "That is one image; how many are there?": 32 * 32 * 3 * 4 / 1e6,
        },
        unit="MB",
        digits=3,
        hint="Which five numbers have to be multiplied?",
    ),
    "2.2": STD,
    "2.3": Exercise(
        0.0,
        "inside a flat image nothing varies, so each has a deviation of 0, and so is their mean: all the variance lies "
        "between the images.",
        {
            "That is the deviation of all pixels together, the one that normalisation needs.": 12**-0.5,
            "That is the variance of all pixels together.": 1 / 12,
            "That is the variance of all pixels together, rounded.": 0.08,
            "That is the mean of all pixels, not a deviation.": 0.5,
            "That is the distance from black to white, not a deviation inside an image.": 1.0,
            "That is how far the greys lie from their mean, on average: it compares images with each other.": 0.25,
        },
        tolerance=0.0005,
        digits=2,
        hint="Look at one single image: how much do its pixels differ from its own mean?",
    ),
    "2.4": SPLIT,
    "2.5": Exercise(
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
            "That is the chance that both twins are for validation.": 0.04,
            "That is the chance that the twins are parted at all; here one of them is known to validate.": 0.32,
        },
        unit="share",
        digits=2,
        hint="Take one validation image. Its twin was drawn too: for which side, with what chance?",
    ),
    "2.6": CROP,
    "2.7": Exercise(
        2 * 9 * 9,
        "the window can start at 9 rows and 9 columns (0 to 8), and each of these crops can be mirrored or not.",
        {
            "You have the crops. Each of them can also be mirrored.": 9 * 9,
            "The padding is on both sides: how many places can the window start at?": 2 * 5 * 5,
            "The padding is on both sides; and each crop can also be mirrored.": 5 * 5,
            "Count the start positions once more: from 0 to 8, both included.": 2 * 8 * 8,
            "Start positions from 0 to 8, both included; and each crop can also be mirrored.": 8 * 8,
            "You have one direction only; the window moves down as well as to the right.": 2 * 9,
            "The flip is another choice for each crop: multiply, don't add.": 9 * 9 + 2,
            "The padding is on both sides, and the first and the last position both count.": 2 * 4 * 4,
            "Each direction has its own start position: multiply them, don't add.": 2 * (9 + 9),
        },
        hint="How many start positions downwards, how many to the right, and how many directions?",
    ),
    "2.8": SHEET,
    "2.9": Exercise(
        1 / (1 / 2000 + 1 / 500),
        "an image takes 0.5 ms to load and 2 ms to compute, 2.5 ms in all. A loader ten times as fast would make it "
        "488: the slower step decides.",
        {
            "That would be the rate if loading and computing went on at the same time, on cores of their own.": 500.0,
            "That is the mean of the rates; but an image has to go through both steps, one after the other.": 1250.0,
            "You added the rates. The second step takes more time, it saves none.": 2500.0,
            "You subtracted the rates. Subtract or add times, not rates.": 1500.0,
            "That is how long one image takes, in ms; images a second are asked.": 2.5,
            "That is how many seconds one image takes; how many images go into one second?": 0.0025,
            "That is the harmonic mean of the rates, twice what is asked: an image needs both steps.": 800.0,
        },
        digits=3,
        unit="images/s",
        hint="How many milliseconds does one image take in each step?",
    ),
}
