"""Exercises of lesson 03."""

from helpers.exercises import Exercise

EXERCISES = {
    "3.1": Exercise(
        10_838_016,
        "27 multiplications for each of 32 channels at 112 × 112 positions.",
        {
            "That is 224 × 224 positions; stride 2 leaves half as many a side.": 43_352_064,
            "You counted the bias too; this course does not (and this layer has none).": 11_239_424,
            "Each of the 32 filters reads all three input channels, not one.": 3_612_672,
            "Those are FLOPs: a multiplication and an addition counted as two.": 21_676_032,
            "That is without the padding: with it there are 112 positions a side, not 111.": 10_645_344,
        },
        hint="Find the side of the output first, then multiply K · K · M · N by the number of positions.",
    ),
    "3.2": Exercise(
        1 / 128 + 1 / 25,
        "1/N + 1/K² = 1/128 + 1/25, and the channels in have cancelled. Most of it is 1/25, the pointwise part.",
        {
            "N is the number of channels out; the channels in cancel.": 1 / 64 + 1 / 25,
            "A kernel of side K has K² weights: 25, not 5.": 1 / 128 + 1 / 5,
            "Upside down: that is how many times fewer. The fraction that is left is asked.": 1 / (1 / 128 + 1 / 25),
            "That is the fraction saved, not the fraction left.": 1 - 1 / 128 - 1 / 25,
            "The two shares are added, not multiplied: first one layer runs, then the other.": 1 / 128 / 25,
            "That is the ratio of a 3 × 3 kernel.": 1 / 128 + 1 / 9,
        },
        tolerance=0.0005,
        hint="Divide K²·M + M·N by K²·M·N.",
    ),
    "3.3": Exercise(
        8,
        "per position and channel in, a term costs 9 + 128 MACs and the dense layer 9 · 128: enough for 8.4 terms.",
        {
            "Nine terms are the dense kernel exactly, but they cost more than it: 9 · (9 + 128) > 9 · 128.": 9,
            "You used the channels in for N; they cancel.": 7,
            "You forgot the pointwise half of each term.": 127,
        },
        hint="r · (K² + N) against K² · N.",
    ),
    "3.4": Exercise(
        1.1234,
        "nine MACs for a value read and a value written, 8 bytes: 9/8, less a little for the weights.",
        {
            "That is MACs per value; a float32 value has 4 bytes.": 4.4936,
            "Twice too much: did you leave out the output, or count FLOPs?": 2.245,
            "Each channel has one kernel here: those are a dense layer's MACs.": 143.79,
            "That is bytes per MAC; turn it over.": 0.8902,
        },
        tolerance=0.01,
        hint="MACs: 9 · 128 · 56 · 56. Values: as many inputs as outputs, and 9 · 128 weights.",
    ),
}
