"""Exercises of lesson 01: 1.1 to 1.6 stand on its first page, 1.7 to 1.11 on its second."""

import math

from helpers.exercises import Exercise
from helpers.lessons.lesson_01.to_write import CROSS_ENTROPY, MAJORITY, SOFTMAX, VOTE

EXERCISES = {
    "1.1": Exercise(
        1 / (1 + math.exp(-2)),
        "only the difference counts: e³ / (e³ + e¹) = e² / (e² + 1). The scores 103 and 101 would give the same.",
        {
            "That divides the scores themselves, 3 by 3 + 1. Softmax divides their exponentials.": 3 / 4,
            "That is the probability of the other class.": 1 / (1 + math.exp(2)),
            "That looks at the first score alone; the other one takes its share too.": 1 / (1 + math.exp(-3)),
            "That is an exponential. It still has to be divided by the sum of both.": math.exp(3),
            "That uses powers of 2; softmax uses powers of e.": 4 / 5,
            "That is the ratio of the two probabilities.": math.exp(2),
            "That counts on a third class with the score 0; there are only two.": math.exp(3)
            / (math.exp(3) + math.exp(1) + 1),
        },
        unit="share",
        digits=2,
        hint="e to the power of each score, then divide by their sum. A probability lies between 0 and 1.",
    ),
    "1.2": SOFTMAX,
    "1.3": CROSS_ENTROPY,
    "1.4": Exercise(
        math.log(10),
        "each class gets 1/10, and −ln(1/10) = ln 10. An untrained network's first loss should lie near it: if it does "
        "not, something is wrong before training has begun.",
        {
            "That is the probability of the right class. The loss is minus its logarithm.": 0.1,
            "That is the logarithm to base 2, the loss in bits; the natural one is meant.": math.log2(10),
            "That is the logarithm to base 10; cross-entropy uses the natural one.": 1.0,
            "The sign is wrong: the logarithm of a probability is negative, and the loss is minus that.": -math.log(10),
            "That is the chance of being wrong, not the cross-entropy.": 0.9,
            "That is the loss over three classes; here there are ten.": math.log(3),
            "That adds up all ten classes. Only the right class's probability enters.": 10 * math.log(10),
        },
        digits=3,
        hint="What probability does each of the ten classes get? Then minus its natural logarithm.",
    ),
    "1.5": Exercise(
        10 / 100,
        "braking is cheaper as soon as p × 90 exceeds (1 − p) × 10, so from p = 10/100 on. Answering with the more "
        "probable class would wait for 50 %.",
        {
            "That is the threshold when both mistakes cost the same: here one costs nine times the other.": 0.5,
            "The two costs have changed places: that would brake only when almost sure.": 90 / 100,
            "That is the ratio of the costs. Braking costs something only with probability 1 − p.": 10 / 90,
            "That is the ratio of the costs the other way round; a probability is at most 1.": 9.0,
            "That is the threshold of the example above, where a miss costs twenty times a false alarm.": 5 / 105,
        },
        unit="share",
        digits=2,
        hint="Write down what each action costs on average, as a function of p. Where are the two equal?",
    ),
    "1.6": Exercise(
        1_000 * 0.9 / (1_000 * 0.9 + 999_000 * 0.01),
        "900 true alarms among 10,890. What is rare stays rare: nearly all of the million scenes are normal, and one "
        "per cent of them is more than all unusual scenes together.",
        {
            "That is the share of unusual scenes that are reported. Of the reported ones, how many are unusual?": 0.9,
            "That is the share of normal scenes not reported; or you took half of all scenes for unusual.": 0.99,
            "That divides true alarms by false alarms. All alarms stand below the line.": 900 / 9_990,
            "That is the share of false alarms among all alarms.": 9_990 / 10_890,
            "That is how often a scene is reported at all.": 10_890 / 1_000_000,
            "That is how often a scene is unusual, before any camera has looked.": 0.001,
            "That compares the two rates, as if half of all scenes were unusual.": 0.9 / 0.91,
        },
        unit="share",
        digits=2,
        hint="Imagine the million scenes: how many true alarms are there, and how many false ones?",
    ),
    "1.7": MAJORITY,
    "1.8": VOTE,
    "1.9": Exercise(
        50_000 * 3_072,
        "one multiply-accumulate for each of 3,072 values of each of 50,000 stored images. k nearest neighbours gets "
        "dearer with every image it learns from; a network does not.",
        {
            "That is for the 4,000 images of this page; the complete set has 50,000.": 4_000 * 3_072,
            "You counted one colour; each pixel has three values.": 50_000 * 1_024,
            "That is one distance. There is one for each stored image.": 3_072,
            "That counts images. Each distance takes one multiply-accumulate per pixel value.": 50_000,
            "k does not enter: all distances are needed to find the nearest ones.": 20 * 3_072,
            "That is the complete set with its test images; they are not stored.": 60_000 * 3_072,
            "That is with bytes of float32: MACs have no bytes.": 50_000 * 3_072 * 4,
        },
        unit="MACs",
        hint="Stored images × pixel values of an image.",
    ),
    "1.10": Exercise(
        5.0,
        "60 − 35 = 25 images of 500. Their intervals overlap (67.9 to 75.8 % and 62.8 to 71.0 %), and yet the "
        "difference is settled: its own interval goes from +1.2 to +8.8 points.",
        {
            "That is the difference in images; how many points of 500 are they?": 25.0,
            "You divided by the images on which they differ. An accuracy is a share of all 500.": 100 * 25 / 95,
            "You divided by the images that both get right. An accuracy is a share of all 500.": 100 * 25 / 300,
            "That is how often only A is right; what only B gets right has to be taken off.": 12.0,
            "That is how often the two differ, whichever is right.": 19.0,
            "That is A's accuracy; B's has to be taken off.": 72.0,
            "The sign is wrong: A is right more often than B.": -5.0,
        },
        unit="points",
        digits=2,
        hint="How many images does each get right? Both counts share the 300.",
    ),
    "1.11": Exercise(
        3_504_872 / 1e6,
        "one byte a weight instead of four. It is a quarter of the memory, and of the energy for fetching; what it "
        "costs in accuracy is measured in lesson 10.",
        {
            "That is with 32 bits, four bytes, for each; 8 bits are one byte.": 4 * 3_504_872 / 1e6,
            "You divided by 8. A weight takes 8 bits: that is one byte, not an eighth of one.": 3_504_872 / 8e6,
            "That is with 16 bits each; 8 bits are one byte.": 2 * 3_504_872 / 1e6,
            "That saves a factor of 4 twice: 3,504,872 counts weights, not bytes.": 3_504_872 / 4e6,
        },
        unit="MB",
        digits=3,
        hint="How many bytes are 8 bits? A MB is a million bytes.",
    ),
}
