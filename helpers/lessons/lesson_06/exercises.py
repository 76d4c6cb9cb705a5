"""Exercises of lesson 06."""

from helpers.exercises import Exercise
from helpers.lessons.lesson_06.to_write import CACHE, KEEP_STILL, MEAN_LOSS, RENORMALISE, UNFREEZE

_IMAGES, _FEATURES = 50_000, 1280

EXERCISES = {
    "6.1": CACHE,
    "6.2": Exercise(
        _IMAGES * _FEATURES * 4 / 1e6,
        "50,000 images × 1,280 features × 4 bytes. Enlarged to 64 pixels and kept as float32, the images themselves "
        "would take 2,458 MB.",
        {
            "That is the number of features in millions; each of them takes four bytes.": _IMAGES * _FEATURES / 1e6,
            "That is with two bytes each (float16); float32 takes four.": _IMAGES * _FEATURES * 2 / 1e6,
            "That is in MiB, units of 2²⁰ bytes. A MB is a million bytes.": _IMAGES * _FEATURES * 4 / 2**20,
            "That is in megabits: eight bits are a byte.": _IMAGES * _FEATURES * 32 / 1e6,
            "Those are the images, 3,072 values each. The cache holds features, 1,280 each.": _IMAGES * 3072 * 4 / 1e6,
            "Those are the images as bytes. The cache holds features, in float32.": _IMAGES * 3072 / 1e6,
            "Those are the enlarged images. The cache holds features, 1,280 each.": _IMAGES * 3 * 64 * 64 * 4 / 1e6,
            "That is the sample; the question is about the complete set.": 5_000 * _FEATURES * 4 / 1e6,
        },
        unit="MB",
        digits=3,
        hint="Multiply: images × features × bytes a feature.",
    ),
    "6.3": Exercise(
        frozenset({"random crops", "random brightness"}),
        "each epoch shows other pixels, and other pixels have other features. The other three only change what is done "
        "with the features.",
        {
            "One of the two is there. Which other change makes an image look different in each epoch?": frozenset(
                {"random crops"}
            ),
            "One is there. Which other change makes an image look different in each epoch?": frozenset(
                {"random brightness"}
            ),
            "Shuffling changes the order only. The features of an image are the same wherever it stands.": frozenset(
                {"random crops", "random brightness", "shuffling"}
            ),
            "In evaluation mode an image's features do not depend on the others in its batch. (In training mode they "
            "do: trap 3.)": frozenset({"random crops", "random brightness", "a larger batch"}),
            "The frozen network does not know how many heads there are; a second reads its features too.": frozenset(
                {"random crops", "random brightness", "a second head"}
            ),
        },
        hint="What does the frozen network's output depend on?",
    ),
    "6.4": Exercise(
        65,
        "65 → 33 → 17 → 9 → 5 → 3. Each halving rounds up (kernel 3, stride 2, padding 1), so n pixels leave a side of "
        "n / 32, rounded up; 64 still leave 2.",
        {
            "That is the largest: 96 → 48 → 24 → 12 → 6 → 3. Which is the smallest?": 96,
            "Nearly: 64 → 32 → 16 → 8 → 4 → 2.": 64,
            "That is one more than the largest: 97 pixels leave a side of 4.": 97,
            "Those are the positions on the map. How large is the image?": 9,
            "That is the side of the map. How large is the image?": 3,
            "33 → 17 → 9 → 5 → 3 → 2: there are five halvings.": 33,
        },
        unit="pixels",
        hint="An odd side is rounded up when it is halved. From 3 go back five times, to the smallest that fits.",
    ),
    "6.5": RENORMALISE,
    "6.6": Exercise(
        29,
        "the part that is left shrinks to 0.9ⁿ, and 0.9²⁸ = 0.052, 0.9²⁹ = 0.047. An epoch of 1,000 images in batches "
        "of 32 has more batches than that.",
        {
            "Nearly: after 28 batches 5.2 % of the way is left.": 28,
            "That is half of the way: 0.9⁷ is just below one half.": 7,
            "That is 90 % of the way.": 22,
            "Each batch moves it a tenth of what is *left*, so after ten batches it has not arrived.": 10,
            "You took half a per cent for five: 0.9ⁿ ≤ 0.05 is meant.": 51,
            "That is 99 % of the way.": 44,
            "You took 0.9 for the part that the new value gets. It gets a tenth.": 2,
        },
        unit="batches",
        hint="After n batches 0.9ⁿ of the way is left: when is that at most 0.05?",
    ),
    "6.7": KEEP_STILL,
    "6.8": MEAN_LOSS,
    "6.9": Exercise(
        frozenset({"BatchNorm still", "no augmentation"}),
        "with moving statistics or moving pixels the network's answer to an image is another one in each epoch. The "
        "other three repairs change what the answer is, not whether it stays.",
        {
            "One of the two is there. What else makes an image's features other ones in each epoch?": frozenset(
                {"BatchNorm still"}
            ),
            "One is there. What else changes an image's features, although its pixels stay?": frozenset(
                {"no augmentation"}
            ),
            "A wrong normalisation is wrong in the same way in each epoch: its features can be kept.": frozenset(
                {"BatchNorm still", "no augmentation", "its own normalisation"}
            ),
            "Small images have features that can be kept, too; they are only worse ones.": frozenset(
                {"BatchNorm still", "no augmentation", "larger images"}
            ),
            "Size and normalisation give other features, but the same ones in each epoch. What changes from epoch to "
            "epoch?": frozenset({"BatchNorm still", "no augmentation", "its own normalisation", "larger images"}),
            "The test images are no part of the training: their features may be computed as often as you "
            "like.": frozenset({"BatchNorm still", "no augmentation", "clean test images"}),
        },
        hint="When does the network give the same image the same features in each epoch?",
    ),
    "6.10": UNFREEZE,
    "6.11": Exercise(
        72.154 - 71.878,
        "72.154 − 71.878: the same network, trained by a newer recipe, is a quarter of a point better.",
        {
            "The sign is wrong: the old weights are the worse ones.": 71.878 - 72.154,
            "That is the difference in top-5 accuracy.": 90.822 - 90.286,
            "That is the new accuracy. How far is it from the old one?": 72.154,
            "That is the old accuracy. How far is the new one from it?": 71.878,
            "That is the difference as per cent of the old accuracy; the plain difference is meant.": 100
            * (72.154 / 71.878 - 1),
        },
        tolerance=0.006,  # 0.27, of values that were rounded before
        unit="points",
        digits=2,
        hint="The top-1 accuracy (acc@1) of IMAGENET1K_V2 minus that of IMAGENET1K_V1.",
    ),
}
