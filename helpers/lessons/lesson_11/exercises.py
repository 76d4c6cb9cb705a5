"""Exercises of lesson 11."""

from helpers.exercises import Exercise
from helpers.lessons.lesson_11.to_write import CHEAPEST, GRAD_CAM, NEAR_PAIRS, OCCLUSION, ON_WHITE

EXERCISES = {
    "11.1": Exercise(
        frozenset({"half a JPEG", "Thumbs.db", "a HEIC"}),
        "the half is damaged, Thumbs.db is Windows' own note, and a HEIC must be exported first. What systems leave "
        "behind is known by its name; of all other files only what is in them counts.",
        {
            "A name in another script or without an ending is no reason: what is in the file counts.": frozenset(
                {"half a JPEG", "Thumbs.db", "a HEIC", "a PNG called photo"}
            ),
            "A moving GIF is used: its first picture.": frozenset(
                {"half a JPEG", "Thumbs.db", "a HEIC", "a moving GIF"}
            ),
            "A print shop's CMYK is turned into RGB, and used.": frozenset(
                {"half a JPEG", "Thumbs.db", "a HEIC", "a CMYK JPEG"}
            ),
            "Half a file is half a picture: it is damaged, and grey below.": frozenset({"Thumbs.db", "a HEIC"}),
            "Pillow does not read HEIC.": frozenset({"half a JPEG", "Thumbs.db"}),
        },
        choices=("a PNG called photo", "a moving GIF", "a CMYK JPEG"),
        hint="For each: does it hold one whole picture of a kind that Pillow reads?",
    ),
    "11.2": ON_WHITE,
    "11.3": NEAR_PAIRS,
    "11.4": Exercise(
        10 * 2 * 30 * 70 / (100 * 99),
        "of a pair, one of the two lies in the test part and the other not with probability 2 · 0.3 · 70/99 = 0.42; of "
        "ten pairs 4.2 are parted.",
        {
            "That is the chance for one pair; how many of the ten?": 2 * 30 * 70 / (100 * 99),
            "Either of the two can be the one in the test part: twice as many.": 10 * 30 * 70 / (100 * 99),
            "That is what lies in the test part; a pair is parted when its twin does not.": 3.0,
            "Half of the pairs would be parted if the halves were equal and the pictures many.": 5.0,
            "Those are the pairs that stay together.": 10 - 10 * 2 * 30 * 70 / (100 * 99),
        },
        unit="pairs",
        digits=2,
        hint="One of a pair in the test part (30 of 100), the other among the other 70 of 99; and the other way round.",
    ),
    "11.5": Exercise(
        139,
        "1.96 · √(0.9 · 0.1 / n) ≤ 0.05 asks for n ≥ 138.3. Test photos cost as much work as others, and buy nothing "
        "but certainty.",
        {
            "That is for an accuracy of 50 %, the widest interval there is.": 385,
            "That is one standard error, not 1.96 of them.": 36,
            "That is for an interval of 5 points in all; ± 5 is asked.": 554,
            "Rounded down it is a little wider than ± 5.": 138,
            "That is rounded to the next ten; the least whole number is asked.": 140,
            "Each class has an interval of its own, but this is about all photos together.": 556,
        },
        unit="photos",
        hint="Half the width is 1.96 · √(p(1 − p)/n); at least: the least whole number that is enough.",
    ),
    "11.6": OCCLUSION,
    "11.7": GRAD_CAM,
    "11.8": Exercise(
        1 / 21,
        "an alarm costs 1 · (1 − p), none 20 · p: equal at p = 1/21. So raise it for a picture that is 95 % harmless.",
        {
            "The other way round: where a miss is dear, the alarm is raised early.": 20 / 21,
            "Either rounded too far (give one digit more), or an alarm is taken to cost 1 always: it costs only where "
            "it is false, with probability 1 − p.": 1 / 20,
            "That is the threshold for equal costs.": 0.5,
            "An alarm costs 1 · (1 − p), not 1 · (1 + p): it costs nothing where it is right.": 1 / 19,
        },
        unit="share",
        digits=2,
        hint="At the threshold an alarm and none cost the same.",
    ),
    "11.9": CHEAPEST,
}
