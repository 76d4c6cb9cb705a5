"""Lesson 08: eight silent mistakes of the usual tutorial, measured on the same images → data/results/mistakes.csv

Each is made on purpose and judged on the sample's 2,000 test images beside the same thing done right: as people make it
(`REALISTIC`), and beside that where it is harmless. Most are made with lesson 00's classifier (frozen MobileNetV2,
linear head, 4,000 training and 1,000 validation images), some with the zoo's networks or with lesson 01's small CNN.

A row a variant. `difference` is what the mistake makes of the reported accuracy, the mean of `trainings`; its interval
`seeds_…` is about other trainings judged on the same images (nan for a single training), `images_…` about other images
judged by the same trainings; `least` and `most` are single trainings. In mistake 5 they hold 95 % of the random orders.

In mistakes 6 to 8 something is chosen on the sample's 2,000 test images; the other 8,000 of the complete set judge.
`reported` − `honest` is what the choice gains on the images that made it, `kept` what is left of that on the others,
`difference` the rest: flattery. `images_…` then holds 95 % of 1,000 other draws of the images that choose, `others` is
their mean. Rows without a commit are of an older run of three trainings, whose interval over seeds follows from the
least, the mean and the most of them; the small CNN learned for twenty epochs then, not for ten.
"""

import argparse
import math

from helpers.batches import Batches
from helpers.data import split
from helpers.evaluation import predict
from helpers.lessons.lesson_08 import intervals
from helpers.lessons.lesson_08.mistakes_made import MAKERS, Study
from helpers.models import small_cnn
from helpers.results import read_results
from helpers.runs import studies
from helpers.runs.recipes import HOW_HEAD
from helpers.training import cache_features

MISTAKES = {
    1: "test images augmented",
    2: "BatchNorm in training mode",
    3: "32 pixels into a network that divides by 32",
    4: "the copied standard deviation",
    5: "mean of batch means, short last batch",
    6: "epoch chosen on the test images",
    7: "the best of several seeds",
    8: "threshold chosen on the test images",
}
ZOO, SMALL = "zoo, width 0.25", "small CNN from scratch"
REALISTIC = {  # number → the variant as people make it, which stands for the mistake in the lesson's table
    1: "frozen MobileNetV2, one transform for all",
    2: "training mode in the test, images shuffled",
    3: "frozen MobileNetV2, 32 instead of 64 pixels",
    4: f"{ZOO}, in the test only",
    5: "130 images in batches of 128, 1,000 draws",
    6: "frozen MobileNetV2, best of thirty epochs",
    7: "frozen MobileNetV2, best of ten heads",
    8: "zoo, width 0.5, chosen on 200 images",
}
HARMLESS = {  # number → the same mistake where it costs least; 3, 6 and 7 have none
    1: f"{ZOO}, crop and flip",
    2: "training mode while the head learned",
    4: "frozen MobileNetV2, new head with it",
    5: "2,000 images in batches of 64, 1,000 orders",
    8: "zoo, width 0.5, chosen on 2,000 images",
}
LOOKS = {  # number → (what it looks like in code, how to notice it, the lesson that explains it)
    1: ("one `transform` for both sets", "judge twice: the accuracy differs", "2"),
    2: ("no `model.eval()`", "shuffle: the accuracy differs", "6"),
    3: ("no `Resize`", "the last map is 1 × 1", "6"),
    4: ("`(0.2023, 0.1994, 0.2010)`", "compute it", "2"),
    5: ("`sum(accuracies) / len(loader)`", "compare: right ÷ images", "8"),
    6: ("`if test_accuracy > best`", "no validation set in the code", "7, 8"),
    7: ("a number alone", "ask for the other seeds", "5"),
    8: ("`threshold = …test…`", "who chose, who judged?", "8"),
}

VARIANTS = {  # (number, variant) → how a Study measures it; the quick ones first
    (6, REALISTIC[6]): lambda study: study.epoch(study.watched_heads),
    (7, REALISTIC[7]): lambda study: study.seed(study.watched_heads),
    (5, REALISTIC[5]): lambda study: study.batch_means(130, 128),
    (5, HARMLESS[5]): lambda study: study.batch_means(2000, 64),
    (8, REALISTIC[8]): lambda study: study.threshold(200),
    (8, HARMLESS[8]): lambda study: study.threshold(2000),
    (8, "zoo, width 0.5, chosen on 5,000 validation images"): lambda study: study.threshold(None),
    (1, REALISTIC[1]): Study.augmented,
    (6, f"{SMALL}, best of ten epochs"): lambda study: study.epoch(study.watched_networks),
    (7, f"{SMALL}, best of three seeds"): lambda study: study.seed(study.watched_networks),
    (3, "frozen MobileNetV2, 48 instead of 64 pixels"): lambda study: study.pixels(48),
    (4, REALISTIC[4]): Study.copied_zoo,
    (1, HARMLESS[1]): Study.augmented_zoo,
    (1, "frozen MobileNetV2, crop and flip"): Study.augmented_test,
    (2, REALISTIC[2]): lambda study: study.no_eval(True),
    (2, "training mode in the test, images class by class"): lambda study: study.no_eval(False),
    (3, REALISTIC[3]): lambda study: study.pixels(32),
    (4, HARMLESS[4]): Study.copied,
    (2, HARMLESS[2]): Study.drift,
    (4, f"{SMALL}, trained and judged with it"): Study.copied_small,
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", type=int, nargs="+", choices=MISTAKES, default=list(MISTAKES))
    studies.arguments(parser)
    parser.epilog = "On a --device are the networks and their inputs; heads on features are trained on the CPU."


def units(options: argparse.Namespace) -> list[dict]:
    """Every variant of the mistakes that are asked for."""
    return [{"number": number, "variant": variant} for number, variant in VARIANTS if number in options.only]


def measure(unit: dict, run: studies.Run) -> dict:
    """Make one mistake on purpose, beside the same thing done right."""
    number, variant = unit["number"], unit["variant"]
    found = VARIANTS[number, variant](run.world)
    points = ", ".join(f"{name} {100 * float(share):+.2f}" for name, share in found.items() if name != "trainings")
    run.log(f"{number} {MISTAKES[number]} ({variant}): {found['trainings']} trainings, {points}")
    test = run.world.test
    return {"mistake": MISTAKES[number], **found, "images": len(test), "source": test.source}


STUDY = studies.Study(
    "mistakes.csv", ("number", "variant"), units, measure,
    prepare=lambda run: Study(run.options.limit, run.options.device),
    made_by=(*MAKERS, intervals.columns, intervals.compare, intervals.flattery, intervals.flattered,
             intervals.threshold_for, *VARIANTS, *HOW_HEAD, Batches, small_cnn, cache_features, split, predict),
)  # fmt: skip


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY)


# ---------------------------------------------------------------------------------------------- for the lesson


def points(row: dict, *columns: str) -> str:
    """A row's columns in percentage points: one as "+1.2", two as "-0.3 to +1.5"; a dash where it has none."""
    found = [100 * row[column] for column in columns]  # + 0.0 below: never "-0.0"
    return "–" if math.isnan(found[0]) else " to ".join(f"{round(value, 1) + 0.0:+.1f}" for value in found)


def estimate(row: dict, column: str, ends: str = "") -> str:
    """A row's column and its interval in points, as "+1.2 (-0.3 to +2.5)"; the ends are `ends`_low and `ends`_high."""
    ends = ends or column
    return f"{points(row, column)} ({points(row, f'{ends}_low', f'{ends}_high')})"


def spread(row: dict) -> str:
    """A row's interval over images in points; of random orders, which have none, the middle 95 %."""
    none = math.isnan(row["images_low"])
    return points(row, "least", "most") if none else points(row, "images_low", "images_high")


def table() -> str:
    """The mistakes as a Markdown table: what, in code, how to notice, what it costs as people make it and at best."""
    rows = {row["variant"]: row for row in read_results("mistakes.csv")}
    heads = ("", "mistake (lesson)", "in code", "how to notice", "points", "over trainings", "over images", "harmless")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for number, name in MISTAKES.items():
        (code, notice, lesson), row = LOOKS[number], rows[REALISTIC[number]]
        costs = f"**{points(row, 'difference')}**", points(row, "seeds_low", "seeds_high"), spread(row)
        harmless = points(rows[HARMLESS[number]], "difference") if number in HARMLESS else "–"
        cells = number, f"{name} ({lesson})", code, notice, *costs, harmless
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)
