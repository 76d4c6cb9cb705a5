"""Exercises of lesson 10."""

import math

from helpers.exercises import Exercise
from helpers.lessons.lesson_10.to_write import FOLD, TO_INTEGERS
from helpers.lessons.lesson_10.to_write_shrinking import CUT, STRAIGHT_THROUGH

EXERCISES = {
    "10.1": Exercise(
        (5, 9.1),
        "The one slow call moves the mean by four milliseconds and the median by none. It was real, all the same: of a "
        "hundred users ten wait so long. Say both, the middle and the tail.",
        {
            "The other way round: first the median, then the mean.": (9.1, 5),
            "That is the mean of least and largest; the mean is the sum over ten.": (5, 25),
            "The largest call belongs to the mean, too.": (5, 46 / 9),
        },
        tolerance=0.01,
        unit="ms",
        hint="Sort the ten; the middle is between the fifth and the sixth. The sum is 91.",
    ),
    "10.2": FOLD,
    "10.3": Exercise(
        -64,
        "scale = 4/255, and −128 + 1/scale = −64.25. The zero point is a whole number, so that 0 itself, which padding "
        "and ReLU write, is kept without any error.",
        {
            "That is counted from 0; with a sign the least whole number is −128.": 64,
            "That is right for a range with 0 in its middle; this one reaches from −1 to 3.": 0,
            "That stands for −1, the least of the range.": -128,
            "That is 3/scale above −128; it is −1 that lies at −128, and 0 is 1/scale above it.": 63,
        },
        hint="scale = (3 − (−1)) / 255; −1 belongs to −128; how many steps are there from −1 to 0?",
    ),
    "10.4": Exercise(
        5,
        "scale = 12.7/127 = 0.1, so that ±0.2 becomes ±2: −2, −1, 0, 1, 2. Little more than two bits are left to that "
        "channel.",
        {
            "That is what it would have with a scale of its own; here the layer has one.": 255,
            "0 is one of them, too.": 4,
            "Two on each side of 0, and 0.": 3,
            "Those are the steps of the largest channel, to one side.": 127,
            "Count the steps that the small channel reaches: 0.2 divided by the scale.": 2,
        },
        hint="The scale of the tensor is 12.7/127. To which whole numbers do −0.2 … 0.2 go?",
    ),
    "10.5": TO_INTEGERS,
    "10.6": Exercise(
        1088,
        "576 weights of one byte, 64 biases and 64 scales of four bytes. Nearly half of it is not weights: a depthwise "
        "layer does not come down to a quarter of its size.",
        {
            "Biases stay in 32 bits: four bytes each.": 576 + 64 + 256,
            "That leaves out the biases or the scales: each channel has one of each, of four bytes.": 576 + 256,
            "Those are the weights alone.": 576,
            "A depthwise layer has nine weights a channel, not nine for each pair of channels.": 64 * 64 * 9 + 512,
            "The weights take one byte each now, not four.": 4 * 576 + 512,
            "That is the layer in float32, before it is rounded.": 4 * 576 + 256,
        },
        unit="bytes",
        hint="Weights 9 · 64, one byte each; a bias and a scale for each channel, four bytes each.",
    ),
    "10.7": STRAIGHT_THROUGH,
    "10.8": Exercise(
        900,
        "36 · (8 + 9 + 8). Each of the three layers counts the hidden channels once: a quarter of them is a quarter of "
        "the MACs. A narrower width takes from both sides of a 1 × 1 layer, whose MACs fall with the square.",
        {
            "Those are the MACs that went, of the twelve.": 300,
            "That is the block before.": 1200,
            "The channels in and out stay 8: another block reads them, and the sum beside this one.": 36 * (6 + 9 + 6),
            "A depthwise layer has nine weights a channel, not nine for each pair of channels.": 36 * (8 + 9 * 36 + 8),
            "The depthwise layer computes, too: nine products for each hidden channel.": 36 * 16,
            "A 3 × 3 filter makes nine products, not three.": 36 * (8 + 3 + 8),
            "The projection reads the hidden channels: it has fewer to read now.": 36 * (8 + 9) + 48 * 8,
        },
        unit="MACs",
        hint="For each position: in · hidden for the expansion, 9 · hidden for the depthwise layer, hidden · out.",
    ),
    "10.9": CUT,
    "10.10": Exercise(
        1 / (1 + math.e),
        "1/(1 + e^(4/4)). Without a temperature it would be 0.018: nearly the label again, and dog would hardly count.",
        {
            "That is without a temperature.": 1 / (1 + math.exp(4)),
            "That is cat's share.": 1 / (1 + math.exp(-1)),
            "The scores are divided by the temperature, and not the probabilities.": 1 / (1 + math.exp(4)) / 4,
            "Divided by the temperature, not multiplied.": 1 / (1 + math.exp(16)),
            "That is dog against cat; a share is of the sum of both.": math.exp(-1),
        },
        unit="share",
        digits=3,
        hint="softmax of the scores 4/T and 0/T.",
    ),
}
