"""Exercises of lesson 09."""

from helpers.exercises import Exercise
from helpers.lessons.lesson_09.networks import MEMBERS
from helpers.lessons.lesson_09.to_write import BLOCK, SETTINGS, SHUFFLE
from helpers.lessons.lesson_09.to_write_orders import RANKS, UNBEATEN

EXERCISES = {
    "9.1": Exercise(
        45_344,
        "128 · 32 + 32 to squeeze, 32 · 128 + 128 and 9 · 32 · 128 + 128 to expand. A dense 3 × 3 convolution from 128 "
        "to 256 channels has 295,168: six and a half times as many.",
        {
            "These convolutions have a bias, too: one number for each channel that comes out.": 45_056,
            "Each of the two expanding convolutions puts out 128 channels; together they are 256.": 86_560,
            "The 3 × 3 convolution has nine weights for each pair of channels.": 12_576,
            "The expanding convolutions read the 32 squeezed channels, not the 128 that came in.": 168_224,
            "That leaves out the squeezing convolution.": 41_216,
            "That is the dense 3 × 3 convolution that the module stands for.": 295_168,
        },
        hint="Three convolutions: channels in × channels out × kernel area, and a bias for each channel out.",
        unit="parameters",
    ),
    "9.2": SHUFFLE,
    "9.3": Exercise(
        5_684_000,
        "784 positions × (58 · 58 + 9 · 58 + 58 · 58). On all 116 channels it would be 21.9 million, nearly four times "
        "as many: half the channels in and half out are a quarter of the products.",
        {
            "Half of the channels pass by: the layers see 58, not 116.": 21_917_504,
            "The middle convolution is depthwise: nine products for each channel and position.": 29_011_136,
            "There are two 1 × 1 convolutions, one before and one after the depthwise one.": 3_046_624,
            "That leaves out the depthwise convolution.": 5_274_752,
            "A map of 28 × 28 has 784 positions.": 203_000,
            "That is all for one position.": 7_250,
        },
        hint="Which channels go through the three convolutions, and how many are they?",
        unit="MACs",
    ),
    "9.4": Exercise(
        23,
        "2 + 3 + 3 + 4 + 4 + 5 + 2: each row is rounded up by itself, so a depth of 1.1 makes 1.44 times as many "
        "blocks, and B1 costs far more than the formula says. The rounding weighs less the deeper the network.",
        {
            "That is the sum times 1.1, rounded; each row is rounded up by itself.": 18,
            "That is the sum times 1.1, cut off; each row is rounded up by itself.": 17,
            "That is B0's own number; 1.1 times a row is rounded up.": 16,
            "Rows with one block grow as well: 1.1 becomes 2.": 21,
        },
        hint="The rows have 1, 2, 2, 3, 3, 4 and 1 blocks: times 1.1, rounded up, each.",
        unit="blocks",
    ),
    "9.5": BLOCK,
    "9.6": SETTINGS,
    "9.7": UNBEATEN,
    "9.8": RANKS,
    "9.9": Exercise(
        (1814 / 51) / (301 / 21),
        "35.6 thousand million a second against 14.3. Part of it is BatchNorm and activations, of which MobileNetV2 "
        "has more for its MACs: they take time, and no MAC counts them.",
        {
            "That is the ratio of the MACs; divide each by its time first.": 1814 / 301,
            "That is the ratio of the times.": 51 / 21,
            "The other way round: how many times as many has ResNet-18?": (301 / 21) / (1814 / 51),
            "That multiplies MACs and milliseconds; a speed is MACs *per* time.": (1814 * 51) / (301 * 21),
        },
        unit="times",
        digits=3,
        hint="MACs divided by time for each, then the ratio.",
    ),
    "9.10": Exercise(
        "MNASNet 1.0",
        "314M MACs, 17.5 MB, 73.5 %. By the MACs alone it would be MobileNetV3-Large, by the megabytes alone "
        "EfficientNet-Lite0: each breaks the other budget.",
        {
            "Its weights are 21.9 MB: four bytes for each of 5.5 million.": "MobileNetV3-Large",
            "Its weights fit (18.6 MB), its 385M MACs don't.": "EfficientNet-Lite0",
            "It has 386M MACs and 21.2 MB: too much of both.": "EfficientNet-B0",
            "Its weights fit (17.4 MB), its 402M MACs don't.": "RegNet-Y 400MF",
            "It fits; another one that fits is more accurate by half a point.": "ShuffleNetV2 1.5",
            "It fits; others that fit are more accurate.": "MobileNetV2",
            "It fits, at 71.2 %; another one that fits is better by two points.": "MNASNet 0.75",
            "Fewest weights does not mean most accurate: it is 58.2 %, and has 349M MACs.": "SqueezeNet 1.1",
        },
        choices=tuple(MEMBERS),
        hint="Strike out what has more than 320M MACs or 5 million parameters; then look for the highest accuracy.",
        also=("MNASNet 1", "mnasnet1_0"),
        ignored=r"[*†]",
    ),
}
