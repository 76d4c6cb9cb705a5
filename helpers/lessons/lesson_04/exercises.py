"""Exercises of lesson 04."""

from helpers.exercises import Exercise

EXERCISES = {
    "4.1": Exercise(
        8_128_512,
        "the first convolution: 112 × 112 positions × 3 × 3 × 3 × 24 channels. 325.4 million less 8.1 million is 317.3 "
        "million, the digits on the release page. The same holds for its rows at 192, 160 and 128 pixels.",
        {
            "That layer has width 1.0, with 32 channels; at width 0.75 there are 24.": 10_838_016,
            "That counts at 224 × 224, the size of the input; positions of the output count.": 32_514_048,
            "That is the classifier; without it 324.7 million are left, which rounds to 325.": 768_000,
            "That is all that is left. The MACs of the one layer left out are asked.": 317_271_936,
            "That is the whole network. Look for one layer of about 8 million.": 325_400_448,
        },
        hint="325.4 million less this layer must print as 317 million.",
    ),
    "4.2": Exercise(
        15_466_752,
        "10,838,016 to expand at 56 × 56, then 1,016,064 for the depthwise and 3,612,672 to project, both at 28 × 28. "
        "The stride comes after the expansion, which stays the most expensive part.",
        {
            "That has all three at 56 × 56; the depthwise has stride 2, so two of them put out 28 × 28.": 29_352_960,
            "That has all three at 28 × 28; the stride sits in the depthwise, after the expansion.": 7_338_240,
            "That counts the depthwise at the size of its input; positions of the output count.": 18_514_944,
            "That projects at 56 × 56; after the depthwise the map is 28 × 28.": 26_304_768,
            "That is a dense 3 × 3 convolution in the middle; a depthwise one has 9 weights a channel.": 160_763_904,
            "That leaves out the depthwise convolution.": 14_450_688,
            "That leaves out the expansion.": 4_628_736,
        },
        hint="For each convolution: positions of its output × weights of one output channel × output channels.",
    ),
    "4.3": Exercise(
        3_470_760,
        "without BatchNorm's two vectors, scale and shift: 2 × 17,056 fewer than 3,504,872. The same convention "
        "reproduces all six widths on the release page (appendix A).",
        {
            "That is the full count, which prints as 3.50 million.": 3_504_872,
            "That leaves out one vector of BatchNorm; it learns two, a scale and a shift.": 3_487_816,
            "That leaves out four vectors, but the running mean and variance were never counted.": 3_436_648,
            "That adds BatchNorm's running mean and variance; 3.47 is less than your count, not more.": 3_538_984,
            "That leaves out the classifier's bias, 1,000 numbers: too few to turn 3.50 into 3.47.": 3_503_872,
            "That is what was left out. What is left is asked.": 34_112,
            "That leaves out the whole classifier, more than a third of the network.": 2_223_872,
        },
        hint="Sum the parameters of each kind of layer: which sum is about 34,000?",
    ),
    "4.4": Exercise(
        frozenset({"MACs"}),
        "at stride 1 the depthwise convolution computes every position, and the projection then passes over three "
        "quarters of them. What is left is exactly the same numbers, at four times the depthwise cost. So scores alone "
        "do not suffice either: a missing residual is seen by them only, this mistake by the MACs only.",
        {
            "The MACs do notice. But think the scores through: a projection at stride 2 takes every second row and "
            "column of a map that was computed in full. Do they hold other numbers than before?": frozenset(
                {"MACs", "scores"}
            ),
            "Do the positions that the projection takes hold other numbers than before? And how many positions does "
            "the depthwise convolution compute now?": frozenset({"scores"}),
            "Weights are as many as before: a stride has none.": frozenset({"parameters"}),
            "A stride has no weights; the number of parameters does not change.": frozenset({"parameters", "MACs"}),
            "Not all three: a stride has no weights, for a start.": frozenset({"parameters", "MACs", "scores"}),
        },
    ),
}
