"""Exercises of lesson 12."""

from helpers.exercises import Exercise
from helpers.lessons.lesson_12.to_write import COMBINE, IN_ORDER, SHARE, STEP_SECONDS

PARAMETERS = 3_504_872  # MobileNetV2, α = 1, 1,000 classes
EIGHT = 2 * 7 / 8 * 4 * PARAMETERS / 1e6  # MB that each of 8 sends in a ring

EXERCISES = {
    "12.1": Exercise(
        10_000 * 256 * 256 * 3 / 1e9,
        "10,000 · 256 · 256 · 3 bytes = 1.97 GB. As float32 it would be four times as much: so images stay uint8 until "
        "they are a batch.",
        {
            "That is as float32; a uint8 has one byte.": 4 * 10_000 * 256 * 256 * 3 / 1e9,
            "Colour images have three channels.": 10_000 * 256 * 256 / 1e9,
            "Those are gigabits.": 8 * 10_000 * 256 * 256 * 3 / 1e9,
            "That is in units of 2³⁰; a GB is 10⁹ bytes here.": 10_000 * 256 * 256 * 3 / 2**30,
            "Those are megabytes.": 10_000 * 256 * 256 * 3 / 1e6,
            "Those are bytes; a GB is 10⁹ of them.": 10_000.0 * 256 * 256 * 3,
        },
        unit="GB",
        digits=3,
        hint="Images · height · width · channels, a byte each.",
    ),
    "12.2": SHARE,
    "12.3": Exercise(
        EIGHT,
        "2 · 7/8 · 4 · 3,504,872 bytes = 24.5 MB. A thousand would send 28.0 each: hardly more. So rings are used.",
        {
            "That is one copy of the gradients; in a ring each sends 2 · (N − 1)/N of it.": 4 * PARAMETERS / 1e6,
            "Twice, but not all of it: of N pieces, N − 1 are passed on each way.": 8 * PARAMETERS / 1e6,
            "Only one way: the sums have to come back to all, too.": EIGHT / 2,
            "That would be each to each of the seven others.": 7 * 4 * PARAMETERS / 1e6,
            "A float32 has four bytes.": EIGHT / 4,
            "Those are megabits.": 8 * EIGHT,
        },
        unit="MB",
        digits=3,
        hint="N − 1 messages until the sums are complete, N − 1 until all have them, each of 1/N of the gradients.",
    ),
    "12.4": COMBINE,
    "12.5": IN_ORDER,
    "12.6": Exercise(
        10.24,
        "1,024 machines · 10 days / 1,000 days = 10.2: one a day. Without checkpoints hardly any such run would end.",
        {
            "That is what one machine does in ten days.": 0.01,
            "That is a day; the training takes ten.": 1.024,
            "The chance that at least one fails is nearly 1, but how many failures?": 1 - 0.99**1024,
            "The other way round: machines times days, over the days between failures.": 1000 / 1024 * 10,
            "All of it in days: 1,024 machines for 10 days are 10,240 days of running.": 10_240.0,
        },
        unit="failures",
        digits=3,
        hint="How many days do all machines together run, and how many failures is that?",
    ),
    "12.7": STEP_SECONDS,
    "12.8": Exercise(
        51.2,
        "64 times the images in a step of 250 ms instead of 200: 64 · 200/250 = 51.2, an efficiency of 80 %.",
        {
            "That would be so if sending cost nothing.": 64.0,
            "That is the efficiency; how many times as many images a second as one?": 0.8,
            "50 ms are a quarter of 200, but a fifth of the 250 that a step now takes.": 48.0,
            "That is the efficiency in per cent.": 80.0,
            "The 64 do not wait for one another in turn: all send at the same time.": 64 * 200 / (200 + 64 * 50),
        },
        unit="times",
        digits=3,
        hint="Images a second: 64 times as many images a step, and a step takes 200 + 50 ms.",
    ),
}
