"""Exercises of lesson 08."""

from helpers.exercises import Exercise
from helpers.lessons.lesson_08.to_write import BRIER, HOLM, REPORTED, SEEDS

_MEAN_OF_MEANS, _TRUE = 100 * (10 * 0.8 + 1) / 11, 100 * (800 + 10) / 1010

EXERCISES = {
    "8.1": Exercise(
        8_000,
        "the width goes with 1 / √N: half as wide takes four times as many images. A tenth as wide would take 200,000.",
        {
            "The width goes with one over the square root of the number of images, not with the number.": 4_000,
            "Those are the images to add. How many are there then in all?": 6_000,
            "The square root goes the other way: half as wide, two times two as many.": 2_828,
            "More images make it narrower: with fewer it gets wider.": 500,
            "Half as wide is two doublings, not three.": 16_000,
        },
        unit="images",
        hint="A standard error is √(p(1 − p)/N). By what must N grow for half of it?",
    ),
    "8.2": SEEDS,
    "8.3": Exercise(
        (0.75, 0.6),
        "8 images were called cat (6 cats and 2 dogs): precision 6/8. There are 10 cats: recall 6/10.",
        {
            "The two have changed places: precision looks at all that were called cat, recall at all that are cats.": (
                0.6,
                0.75,
            ),
            "Those are the numbers of dog.": (8 / 12, 0.8),
            "Those are the numbers of frog.": (0.8, 0.8),
            "That divides by all 25 images. Which images does each of the two look at?": (6 / 25, 6 / 25),
            "The first is the accuracy over all classes, 18 of 25.": (0.72, 0.6),
        },
        unit="share",
        digits=2,
        hint="Precision: of the images that were called cat. Recall: of the images that are cats.",
    ),
    "8.4": Exercise(
        0.009 / (0.009 + 0.0495),
        "of 1,000 images 10 are cats, 9 of them found, and 49.5 of the 990 others are called cat as well: 9 of 58.5. "
        "With half of the images cats the same detector has a precision of 95 %.",
        {
            "That is the recall: of the cats, the share that is found.": 0.9,
            "Weigh the two by how many there are: 10 cats and 990 others in 1,000 images.": 0.9 / 0.95,
            "Below the line is all that is called cat: the cats that were found, and 5 % of the 990 others.": 9 / 50,
            "Below the line is all that is called cat: the cats that were found, too.": 9 / 49.5,
            "Of 10 cats only 9 are found.": 10 / 59.5,
            "That is the share of alarms that are false.": 49.5 / 58.5,
            "That is how many of all images are called cat.": 0.0585,
        },
        unit="share",
        digits=2,
        hint="Take 1,000 images: how many cats, how many of them found, how many others called cat?",
    ),
    "8.5": Exercise(
        0.045,
        "45 of 50 are 0.90 right, 0.18 more than the confidence says, and the bin holds a quarter of the answers. "
        "It does not matter that the network was not sure enough: both directions count.",
        {
            "That is the gap of this bin. It counts with the bin's share of all answers.": 0.18,
            "That is how often the bin is right; how far is that from its confidence?": 0.9,
            "The error takes the distance: being not sure enough is no bonus.": -0.045,
            "The bin holds 50 of 200 answers, not 50 of 150.": 0.06,
            "That is the mean over the bins, empty or not equally full: each counts with its number of answers.": 0.09,
            "That is the bin's share of the answers. It multiplies the gap.": 0.25,
        },
        unit="share",
        digits=2,
        hint="Gap of the bin × share of the answers that lie in it, summed over the bins.",
    ),
    "8.6": BRIER,
    "8.7": Exercise(
        22 / 1024,
        "0 or 1 heads come up in 1 + 10 of 1,024 equally likely rows of ten tosses, 9 or 10 in as many: 22/1,024. "
        "Ten images can be enough.",
        {
            "That counts one direction only; the second network could have been the better one as well.": 11 / 1024,
            "That is exactly 9 to 1, in both directions. What is even more uneven counts too: add 10 to 0.": 20 / 1024,
            "That is exactly 9 to 1 in one direction.": 10 / 1024,
            "That is 10 to 0 only.": 2 / 1024,
            "That is the share of images where the first is right, not a probability of chance.": 0.1,
            "That is the difference over the ten images that differ.": 0.8,
        },
        unit="share",
        digits=3,
        tolerance=0.0006,  # 0.0215 may be rounded once more
        hint="Ten tosses have 2¹⁰ = 1,024 equally likely rows. In how many are there 0, 1, 9 or 10 heads?",
    ),
    "8.8": HOLM,
    "8.9": REPORTED,
    "8.10": Exercise(
        _MEAN_OF_MEANS - _TRUE,
        "the mean of the eleven batch means is 9/11 = 81.8 %; 810 of 1,010 images are 80.2 %. The ten images of the "
        "last batch counted as much as a hundred.",
        {
            "That is the mean of the batch means. How far is it from the true accuracy?": _MEAN_OF_MEANS,
            "That is the true accuracy. How far above it is the mean of the batch means?": _TRUE,
            "You compared with the 80 % of the full batches; the last ten images count too.": _MEAN_OF_MEANS - 80,
            "That is what the last batch really adds. How much does the mean of eleven means add?": _TRUE - 80,
            "The sign: the mean of the batch means is the larger one.": _TRUE - _MEAN_OF_MEANS,
            "In percentage points, please: 0.01 is one point.": (_MEAN_OF_MEANS - _TRUE) / 100,
            "There are eleven batches, not two kinds of batches with the same weight.": 90 - _TRUE,
        },
        unit="points",
        digits=2,
        hint="Eleven numbers: ten times 80 and once 100. Their mean, minus right answers divided by images.",
    ),
}
