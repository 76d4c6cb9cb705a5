"""Exercises of lesson 07."""

import math

from helpers.exercises import Exercise
from helpers.lessons.lesson_07.to_write import ACCUMULATE, STEP, SUGGEST
from helpers.lessons.lesson_07.to_write_smoothing import SMOOTHED

_CONFIDENT, _UNSURE = -math.log(0.91), -math.log(0.01)


def _cosine(part: float) -> float:
    """The learning rate after this part of the way down from 0.1."""
    return 0.1 * (1 + math.cos(math.pi * part)) / 2


def _idle(decay: float, momentum: float = 0.9, lr: float = 0.05) -> float:
    """What decay leaves of a weight of 1 without a gradient after 1,000 steps."""
    weight, velocity = 1.0, 0.0
    for _ in range(1000):
        velocity = momentum * velocity + decay * weight
        weight -= lr * velocity
    return weight


EXERCISES = {
    "7.1": Exercise(
        1.62,
        "the gradient at 0.6 is −4.8, so v = 0.9 · (−6) − 4.8 = −10.2 and w = 0.6 + 1.02. Without momentum it would be "
        "1.08 only.",
        {
            "That is a step without momentum; the velocity of the first step still counts, nine tenths of it.": 1.08,
            "That moves on with the old velocity alone; the new gradient, 2 · (0.6 − 3), is added to it.": 1.14,
            "That keeps the velocity whole; nine tenths of it are kept.": 1.68,
            "That takes the gradient at w = 0 again; the weight is at 0.6 now.": 1.74,
            "That averages, 0.9 · old + 0.1 · new; the velocity is a sum, the new gradient counts in full.": 1.188,
            "That is after one step; the second is asked.": 0.6,
            "That is after three steps.": 2.814,
            "That keeps v at −6; the new gradient, 2 · (0.6 − 3), and the 0.9 change it.": 1.2,
            "That is the step. Where is w after it?": 1.02,
            "That is the velocity. Where is w?": -10.2,
        },
        digits=3,
        hint="v = 0.9 · v + 2 · (w − 3), with v = −6 and w = 0.6; then w = w − 0.1 · v.",
    ),
    "7.2": STEP,
    "7.3": Exercise(
        _cosine(675 / 900),
        "775 is three quarters of the way from step 100 to step 1,000, and half of 1 + cos(¾π) is 0.146. A straight "
        "line would be at 0.025: the cosine spends its last quarter on small steps.",
        {
            "That is a straight line down; a cosine is lower in its last quarter.": 0.025,
            "That begins the cosine at step 0; it begins when the warm-up ends, at step 100.": _cosine(775 / 1000),
            "That is the factor. Times lr, 0.1.": 10 * _cosine(675 / 900),
            "That is one quarter of the way down; 775 is three quarters.": _cosine(225 / 900),
            "That is half-way down, at step 550.": 0.05,
            "The cosine goes from 1 to −1; half of (1 + cosine) goes from 1 to 0.": 0.1 * math.cos(0.75 * math.pi),
        },
        digits=2,
        hint="schedule(775, 1000, 100), times 0.1.",
    ),
    "7.4": Exercise(
        _idle(5e-4),
        "momentum adds the shrinking up to ten times itself, so about exp(−1,000 · 0.05 · 5e-4 · 10) = exp(−0.25) is "
        "left. Without momentum it would be 98 %.",
        {
            "That is without momentum, which adds the shrinking up to ten times itself.": _idle(5e-4, momentum=0),
            "That is what is lost. What is left?": 1 - _idle(5e-4),
            "That is what is lost, without momentum.": 1 - _idle(5e-4, momentum=0),
            "That is weight decay 4e-5; 5e-4 is asked.": _idle(4e-5),
            "A straight line, 1 − 0.25; but each step shrinks what is left, not the first 1.": 0.75,
            "That leaves out the learning rate (a step shrinks by lr · decay) and momentum.": math.exp(-0.5),
            "That leaves out the learning rate: a step shrinks by lr · decay.": _idle(5e-4, lr=1),
        },
        unit="share",
        digits=2,
        hint="idle([0.05] * 1000, 5e-4).",
    ),
    "7.5": SMOOTHED,
    "7.6": Exercise(
        0.91 * _CONFIDENT + 9 * 0.01 * _UNSURE,
        "the true class has the target 0.91, each of the nine others 0.01: −0.91 · ln 0.91 − 9 · 0.01 · ln 0.01. No "
        "network gets below, however good; so losses with and without smoothing cannot be compared.",
        {
            "Only the true class, and its target is 0.91; the nine others count as well.": -math.log(0.9),
            "That is −ln 0.91, of the true class alone; the nine others count as well.": _CONFIDENT,
            "That is the true class's part; the nine others have their part too.": 0.91 * _CONFIDENT,
            "The ε is shared by all ten classes, the true one too: 0.91 and 0.01, not 0.9 and 0.0111.": -0.9
            * math.log(0.9)
            - 0.1 * math.log(0.1 / 9),
            "That is the part of the nine others; the true class has its part too.": 9 * 0.01 * _UNSURE,
            "That is knowing nothing, −ln 0.1.": math.log(10),
        },
        digits=3,
        hint="Targets 0.91 once and 0.01 nine times; sum −target · ln(target).",
    ),
    "7.7": Exercise(
        frozenset({"gradients"}),
        "the next batch computes them anew. Everything else carries something from one step to the next.",
        {
            "Without the velocities the first steps after the break are other steps; and of the gradients?": frozenset(
                {"velocities"}
            ),
            "Gradients, yes. But velocities are no gradients: they remember all the steps before.": frozenset(
                {"gradients", "velocities"}
            ),
            "Gradients, yes. But dropout and loaders that shuffle draw from the random state.": frozenset(
                {"gradients", "random state"}
            ),
            "Gradients, yes. But the average remembers weights of long ago, which nothing else does.": frozenset(
                {"gradients", "averaged weights"}
            ),
            "Gradients, yes. But the learning rate and the order of the images follow from the epoch.": frozenset(
                {"gradients", "epoch"}
            ),
            "How would the learning rate, and the order of the images, know how far the run had come?": (
                frozenset({"epoch"})
            ),
            "Dropout and a loader that shuffles would draw other numbers after the break.": frozenset({"random state"}),
            "The average remembers weights of long ago, which nothing else does.": frozenset({"averaged weights"}),
            "Without the weights there is nothing to go on from.": frozenset({"weights"}),
            "Those are needed; which are the ones that need not be there?": frozenset(
                {"weights", "velocities", "random state", "epoch", "averaged weights"}
            ),
        },
        hint="What does a step read that an earlier step has written?",
    ),
    "7.8": SUGGEST,
    "7.9": Exercise(
        18,
        "half the rate, over nine times the squared norm: 2 · 9. The layer's weights now turn 18 times more slowly.",
        {
            "That is the schedule's part alone; the norm has grown as well.": 2,
            "The norm counts squared: the gradient shrinks with it, and the same step turns a longer weight less.": 6,
            "That is the norm's part, 3²; the rate has fallen as well.": 9,
            "Upside down: how many times smaller is it?": 1 / 18,
            "The norm counts squared, and the rate plainly: 2 · 3², not 2² · 3.": 12,
            "Both parts squared; the rate counts plainly.": 36,
            "Growing norms and falling rates both make it smaller: multiply.": 4.5,
        },
        hint="lr / ‖w‖², before and after.",
    ),
    "7.10": Exercise(
        4490,
        "(1 + s) / (10 + s) = 0.998 gives s = 4,490: a run of 564 steps never gets there.",
        {
            "That is how many steps an average with 0.998 looks back, 1 / (1 − 0.998).": 500,
            "Too far: the two are equal before.": 4491,
            "Too early: there (1 + s) / (10 + s) is still below 0.998.": 4489,
            "Solve 1 + s = 0.998 · (10 + s): on the left stands 1 + s, not s.": 4990,
            "That is the ablation's whole length.": 564,
            "That is the zoo's whole length.": 5632,
            "9 / 0.002: but 0.998 · 10 is 9.98, and not 10.": 4500,
        },
        hint="Solve (1 + s) / (10 + s) = 0.998 for s.",
    ),
    "7.11": ACCUMULATE,
}
