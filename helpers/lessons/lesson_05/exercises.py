"""Exercises of lesson 05."""

import csv

from helpers import DATA
from helpers.exercises import Exercise
from helpers.results import read_results

FAMILIES = {
    "mobilenet_v1": "V1",
    "mobilenet_v2": "V2",
    "mobilenet_v3_small": "V3-Small",
    "mobilenet_v3_large": "V3-Large",
}
# "V3-Small α 0.75 at 224 px" is "V3-Small 0.75": what is left unsaid is the usual size.
SPELLING = "α|alpha|at|px|pixels?"


def _published(answer: str, macs: float, megabytes: float, bits: int, known: dict[str, str]) -> dict[str, str]:
    """{what to say: network}: the known ones, then all other published networks, judged by their printed numbers."""
    rows: dict[str, list] = {}
    with open(DATA / "published" / "published_imagenet_results.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = f"{FAMILIES[row['family']]} {float(row['width'])} at {row['resolution']}"
            numbers = float(row["mmacs"]), float(row["mparams"]) * bits / 8, float(row["top1"])
            rows.setdefault(name, []).append(numbers)
    told = dict(known)
    for name in sorted(rows.keys() - {answer, *known.values()}):
        cost, size, top1 = min(rows[name])
        too_much = [f"{cost:g} million MACs"] * (cost > macs) + [f"{size:.2f} MB of weights"] * (size > megabytes)
        if too_much:
            told[f"{name} does not fit: {' and '.join(too_much)}."] = name
        else:
            told[f"{name} fits, with {top1:g} %. Something that is more accurate fits, too."] = name
    return told


def _zoo(macs: float, known: dict[str, str]) -> dict[str, str]:
    """The same for the rows of our own table, all of those that cost too much."""
    told = dict(known)
    for row in read_results("zoo.csv"):
        name = f"V2 {row['width']} at {row['resolution']}"
        if row["macs"] > macs and name not in known.values():
            told[f"{name} costs {row['macs'] / 1e6:.1f} million MACs."] = name
    return told


EXERCISES = {
    "5.1": Exercise(
        16,
        "0.35 × 32 = 11.2, and the nearest multiple of 8 is 8. That is below nine tenths of 11.2, which is 10.08, so "
        "it goes up to 16. 0.35 was asked for, and half is kept.",
        {
            "8 is the nearest multiple, but the second half of the rule asks: is it at least 0.9 × 11.2?": 8,
            "That is 0.35 × 32 without its decimals; V2 rounds to multiples of 8.": 11,
            "That is 0.35 × 32 rounded up, but not to a multiple of 8.": 12,
            "That is the stage at α = 1 or 0.75.": 32,
            "That is too far up: the first multiple of 8 above 11.2 comes earlier.": 24,
        },
        unit="channels",
        hint="First the nearest multiple of 8 to 11.2; then, is it below nine tenths of 11.2? If so, 8 more.",
    ),
    "5.2": Exercise(
        16,
        "112, 56, 28, 14, 7 and then 4, because a stride of 2 takes every second position and 7 has four. 4 × 4 is "
        "a third more than 12¼, so resolutions are chosen as multiples of 32.",
        {
            "That is a quarter of 49 without its decimals. Positions are whole rows and columns: halve the sides five "
            "times.": 12,
            "That rounds 7 ÷ 2 down. With padding 1, positions 1, 3, 5 and 7 are all kept.": 9,
            "That is the map at 224 pixels.": 49,
            "That is the side; positions are side × side.": 4,
            "That is one stride too few: V2 halves the sides five times.": 196,
        },
        unit="positions",
        hint="Follow the side through five strides of 2, rounding up each time.",
    ),
    "5.3": Exercise(
        160,
        "60 images for A alone and 100 for B alone. The other 1,840 say nothing about which is better. B leads by 40 "
        "images, 2.0 points, and the paired interval is 0.8 to 3.2 points: real, although the networks' own "
        "intervals, 76.1 to 79.8 % and 78.2 to 81.7 %, overlap.",
        {
            "That is B's lead. It says by how much, not out of how many.": 40,
            "These both miss.": 340,
            "That also counts the images that both miss.": 500,
            "That also counts the images that both get right.": 1660,
            "These both get right.": 1500,
            "Those are only B's.": 100,
            "Those are only A's.": 60,
        },
        unit="images",
        hint="Of A's 1,560 images, 1,500 are B's too. How many are A's alone? And B's?",
    ),
    "5.4": Exercise(
        "V3-Small 0.75 at 224",
        "44M MACs and 2.4 MB. V2 0.5 at 224 is as accurate (65.4 %) and smaller, but costs 97M MACs; both fit, and the "
        "battery decides.",
        _published(
            "V3-Small 0.75 at 224",
            100,
            2.5,
            8,
            {
                "It fits, and is as accurate as the best. But the battery counts too: another network reaches 65.4 % "
                "with less than half the MACs.": "V2 0.5 at 224",
                "2.9 million weights of 8 bits as printed, 2.54 as counted: both over 2.5 MB.": "V3-Small 1.0 at 224",
                "Over both budgets: 107 million MACs, and 2.61 MB, which fewer pixels do not help.": "V2 0.75 at 160",
                "It fits both budgets with room to spare; something more accurate does too.": "V2 0.5 at 160",
                "It fits. V2 does better within these budgets; look at the yellow band.": "V1 0.5 at 128",
                "Wider and at fewer pixels does better.": "V2 0.35 at 224",
            },
        ),
        hint="In the explorer: 1000 classes, 8 bits, both budgets; then read what is on the yellow band.",
        ignored=SPELLING + "|224",
    ),
    "5.5": Exercise(
        "V2 0.75 at 224",
        "10.4 MB and 209M MACs, 69.8 %. The weights decide here: V2 1.0 and V3-Large are more accurate, but over 12 MB "
        "in float32. At 16 bits a weight they would fit.",
        _published(
            "V2 0.75 at 224",
            300,
            12,
            32,
            {
                "Its weights take 14 MB in float32, at any resolution.": "V2 1.0 at 224",
                "Its weights take 14 MB in float32; fewer pixels save MACs, not weights.": "V2 1.0 at 192",
                "Its weights take 16 MB in float32.": "V3-Large 0.75 at 224",
                "Its weights take 21.6 MB in float32.": "V3-Large 1.0 at 224",
                "It fits, with MACs to spare: 67.5 %. Spend them.": "V3-Small 1.0 at 224",
                "It is over the MACs: 317M or 325M, as you count.": "V1 0.75 at 224",
                "It fits; the same weights see more at a higher resolution.": "V2 0.75 at 192",
                "It fits, with 4 MB to spare.": "V2 0.5 at 224",
            },
        ),
        hint="The budget of weights leaves widths up to 0.75 of V1 and V2, and V3-Small.",
        ignored=SPELLING + "|224",
    ),
    "5.6": Exercise(
        "V2 0.25 at 24",
        "both fit at almost the same cost, and their intervals are far apart: here few channels that see 24 pixels "
        "beat many that see 16. It also has a third of the weights. One seed each, but the gap is wider than a seed's.",
        _zoo(
            2e6,
            {
                "It fits, and costs the same as another row that fits. Compare the two intervals.": "V2 0.5 at 16",
                "It fits, with more than half of the budget left over.": "V2 0.25 at 16",
            },
        ),
        hint="Three rows of the table cost at most 2 million MACs.",
        ignored=SPELLING + "|v2|32",
    ),
}
