"""Exercises of appendix A."""

from helpers.exercises import Exercise

EXERCISES = {
    "A.1": Exercise(
        4_147_200,
        "24 kernels of 3 × 3 × 3 weights at each of the 80 × 80 positions that a stride of 2 leaves. This is 2.5 % of "
        "the network, the distance of the four points.",
        {
            "You used the input's height and width; a stride of 2 leaves half of each.": 16_588_800,
            "That is with 32 channels; the width multiplier narrows them.": 5_529_600,
            "You counted one input channel; each kernel reads all three colours.": 1_382_400,
            "Those are FLOPs: one multiply-accumulate is two of them.": 8_294_400,
            "Those are the weights; each is used at every position of the output.": 648,
        },
        hint="Weights of one kernel × kernels × positions of the output.",
    ),
    "A.2": Exercise(
        3.54,
        "the file stores γ, β, mean and variance: 3,504,872 + 2 × 17,056 = 3,538,984.",
        {
            "That holds only what is trained: γ and β. The file also keeps the mean and the variance.": 3.5,
            "That is with one vector more than the trained two; the file keeps two more.": 3.52,
            "That is cut off. Round it, as this page's 3.47 is rounded.": 3.53,
            "You took BatchNorm out; the file has it in.": 3.47,
            "You added four vectors to a count that has two of them already.": 3.57,
        },
        tolerance=0.001,
        hint="Start from the count with all trained numbers and add what is stored beside them.",
    ),
    "A.3": Exercise(
        6,
        "it repairs 150 and breaks 418, 186, 49, 41, 21. A rule that mends one row and loses five explains nothing.",
        {
            "That is what ordinary rounding reproduces. Upwards, 418.122 becomes 419.": 10,
            "That is what the pooling reproduces.": 11,
            "That is what cutting off reproduces.": 5,
            "You may have let the row of 34M pass: rounded up, 30.213 is 31.": 7,
        },
        hint="Go through the sixteen rows marked v1 and r; math.ceil rounds up.",
    ),
    "A.4": Exercise(
        1.5,
        "rounded, it lies between 10.5 and 11.5; cut off, between 11 and 12; so from 10.5 to 12. That is 14 % of 11.",
        {
            "That is for one of the two conventions; you do not know which it was.": 1.0,
            "You added the two ranges; half of each lies in the other.": 2.0,
            "That is the part that the two ranges share.": 0.5,
        },
        tolerance=0.001,
        hint="Write down both ranges, then take everything from the lowest to the highest number.",
    ),
}
