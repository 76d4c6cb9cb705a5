"""Exercises of lesson 05, both pages."""

import math

from helpers.exercises import Exercise
from helpers.exercises.code import Case, CodeExercise
from helpers.lessons.lesson_05.networks import over, published
from helpers.lessons.lesson_05.staircase import round_to_8
from helpers.results import read_results

# "V3-Small α 0.75 at 224 px" is "V3-Small 0.75": what is left unsaid is the usual size.
SPELLING = "α|alpha|at|px|pixels?"


def _published(answer: str, macs: float, megabytes: float, bits: int, known: dict[str, str]) -> dict[str, str]:
    """{what to say: network}: the known ones, then all other published networks, judged as the explorer judges them."""
    rows: dict[str, list] = {}
    for row in published():
        rows.setdefault(row.name.replace(" α", "").removesuffix(" px"), []).append(row)
    told = dict(known)
    for name in sorted(rows.keys() - {answer, *known.values()}):
        best = max(rows[name], key=lambda row: row.top1)
        if broken := over(best.macs, best.params, bits, macs * 1e6, megabytes * 1e6):
            told[f"{name} does not fit: {' and '.join(broken)}."] = name
        else:
            told[f"{name} fits, with {best.top1:g} %. Something that is more accurate fits, too."] = name
    return told


def _zoo(macs: float, known: dict[str, str]) -> dict[str, str]:
    """The same for the rows of our own table, all of those that cost too much."""
    told = dict(known)
    for row in read_results("zoo.csv"):
        name = f"V2 {row['width']} at {row['resolution']}"
        if row["macs"] > macs and name not in known.values():
            told[f"{name} costs {row['macs'] / 1e6:.1f} million MACs."] = name
    return told


def kept(blocks, alpha):
    """Of separable blocks (channels in, channels out, side), the share of MACs that is left at α."""
    return _kept(blocks, alpha, round_to_8)


def _kept(blocks, alpha, rounded, depthwise=9) -> float:
    narrow = [(rounded(alpha * m), rounded(alpha * n), side) for m, n, side in blocks]
    return _macs(narrow, depthwise) / _macs(blocks, depthwise)


def _macs(blocks, depthwise=9) -> float:
    return sum((depthwise * m + m * n) * side**2 for m, n, side in blocks)


def positions(side):
    """Of the last map of V2 for images of side × side pixels: five strides of 2, each rounding up."""
    return _positions(side)


def _positions(side, strides=5, half=lambda side: math.ceil(side / 2)) -> int:
    for _ in range(strides):
        side = half(side)
    return side**2


def choose(rows, mac_limit, byte_limit, bits):
    """Of (name, MACs, weights, accuracy) the name of the most accurate within both limits; None if none fits."""
    return _chosen([row for row in rows if row[1] <= mac_limit and row[2] * bits / 8 <= byte_limit])


def _chosen(rows, key=lambda row: (-row[3], row[1])):
    return min(rows, key=key)[0] if rows else None


def front(rows):
    """Of (MACs, accuracy) those that no other beats, cheapest first."""
    return [row for row in sorted(rows) if all(other[1] < row[1] for other in rows if other[0] < row[0])]


BLOCKS = [(64, 128, 28), (128, 128, 28), (128, 256, 14)]
TABLE = [
    ("a", 20e6, 1.6e6, 50.8), ("b", 30e6, 1.7e6, 55.7), ("c", 50e6, 2.0e6, 61.0), ("d", 59e6, 1.7e6, 60.3),
    ("e", 97e6, 2.0e6, 65.4), ("f", 44e6, 2.4e6, 65.4), ("g", 300e6, 3.5e6, 71.8),
]  # fmt: skip
POINTS = [(20.0, 50.8), (59.0, 60.3), (50.0, 61.0), (14.0, 41.5), (41.0, 49.8), (97.0, 65.4), (45.0, 50.2)]

EXERCISES = {
    "5.1": Exercise(
        16,
        "0.35 × 32 = 11.2, and the nearest multiple of 8 is 8. That is below nine tenths of 11.2, which is 10.08, so "
        "it goes up to 16. 0.35 was asked for, and half is kept.",
        {
            "8 is the nearest multiple, but the second half of the rule asks: is it at least 0.9 × 11.2?": 8,
            "That is 0.35 × 32 without its decimals; V2 rounds to multiples of 8.": 11,
            "That is 0.35 × 32 rounded up, but not to a multiple of 8.": 12,
            "That is the stage at α = 1.": 32,
            "That is too far up: the first multiple of 8 above 11.2 comes earlier.": 24,
        },
        unit="channels",
        hint="First the nearest multiple of 8 to 11.2; then, is it below nine tenths of 11.2? If so, 8 more.",
    ),
    "5.2": CodeExercise(
        "positions",
        cases=(
            Case("at 112 pixels", 112),
            Case("at 224 pixels", 224),
            Case("at 96 pixels", 96),
            Case("at 100 pixels", 100),
            Case("at 225 pixels", 225),
            Case("at 32 pixels", 32),
        ),
        reference=positions,
        why="112, 56, 28, 14, 7 and then 4, because a stride of 2 takes every second position and 7 has four. 4 × 4 is "
        "a third more than 12¼, so resolutions are chosen as multiples of 32.",
        mistakes={
            "A stride rounds up: with padding 1, of seven positions 1, 3, 5 and 7 are all kept.": (
                lambda side: _positions(side, half=lambda side: side // 2),
                lambda side: (side // 32) ** 2,
            ),
            "`round` goes to the even neighbour of a half; a stride always rounds up.": (
                lambda side: _positions(side, half=lambda side: round(side / 2))
            ),
            "Positions are whole rows and columns: follow the side, and round up at each stride.": (
                lambda side: (side / 32) ** 2,
                lambda side: int((side / 32) ** 2),
                lambda side: int(49 * (side / 224) ** 2),
                lambda side: math.ceil((side / 32) ** 2),
            ),
            "That is the side; positions are side × side.": lambda side: math.isqrt(positions(side)),
            "That is one stride too few: V2 halves the sides five times.": lambda side: _positions(side, strides=4),
            "That is one stride too many: V2 halves the sides five times.": lambda side: _positions(side, strides=6),
        },
        hint="Five times: half of the side, rounded up. Then the square.",
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
    "5.4": CodeExercise(
        "kept",
        cases=(
            Case("for one block at α = 0.5", BLOCKS[:1], 0.5),
            Case("for three blocks at α = 0.5", BLOCKS, 0.5),
            Case("for three blocks at α = 0.35", [(32, 32, 28), *BLOCKS[1:]], 0.35),
            Case("for V2's channels at α = 0.25", [(32, 16, 112), (144, 24, 56), (192, 32, 28)], 0.25),
            Case("at α = 1.4", BLOCKS, 1.4),
            Case("at α = 1", BLOCKS, 1.0),
        ),
        reference=kept,
        why="pointwise MACs lose at both ends, depthwise ones at one, and eights are all the channels there are.",
        mistakes={
            "That is α² itself. Depthwise MACs go with α, and channels come in eights.": lambda blocks, alpha: alpha**2,
            "You did not round: channels come in eights.": lambda blocks, alpha: _kept(blocks, alpha, float),
            "You rounded to the nearest multiple of 8; the second half of the rule is missing.": (
                lambda blocks, alpha: _kept(blocks, alpha, lambda c: max(8, int(c + 4) // 8 * 8)),
                lambda blocks, alpha: _kept(blocks, alpha, lambda c: 8 * round(c / 8)),
            ),
            "You left out the depthwise MACs, 9 · M · D².": lambda blocks, alpha: _kept(blocks, alpha, round_to_8, 0),
            "You averaged the blocks' shares: add up all MACs first, the large blocks count for more.": (
                lambda blocks, alpha: sum(kept([block], alpha) for block in blocks) / len(blocks)
            ),
            "Upside down: the share that is left is asked.": lambda blocks, alpha: 1 / kept(blocks, alpha),
        },
        hint="Add up 9 · M · D² + M · N · D² over the blocks, twice: with round_to_8(α · M), and as they are.",
    ),
    "5.5": Exercise(
        "V3-Small 0.75 at 224",
        "44M MACs and 2.4 MB, as printed. V2 0.5 at 224 is as accurate (65.4 %) and smaller, but costs 97M MACs; both "
        "fit, and the battery decides.",
        _published(
            "V3-Small 0.75 at 224",
            100,
            2.5,
            8,
            {
                "It fits, and is as accurate as the best. But the battery counts too: another network reaches 65.4 % "
                "with less than half the MACs.": "V2 0.5 at 224",
                "Its 2.9 million weights, as printed, take 2.9 MB at 8 bits.": "V3-Small 1.0 at 224",
                "Over both budgets: 107 million MACs, and 2.64 MB, which fewer pixels do not help.": "V2 0.75 at 160",
                "It fits both budgets with room to spare; something more accurate does too.": "V2 0.5 at 160",
                "It fits. V2 does better within these budgets; look at the yellow band.": "V1 0.5 at 128",
                "Wider and at fewer pixels does better.": "V2 0.35 at 224",
            },
        ),
        hint="In the explorer: 1000 classes, 8 bits, both budgets; then read what is on the yellow band.",
        ignored=SPELLING + "|224",
    ),
    "5.6": Exercise(
        "V2 0.75 at 224",
        "10.5 MB and 209M MACs, 69.8 %. The weights decide here: V2 1.0 and V3-Large are more accurate, but over 12 MB "
        "in float32. At 16 bits a weight V3-Large 1.0 would fit, with 75.2 %.",
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
                "It is over the MACs: 325M (the release table leaves one layer out: 317M).": "V1 0.75 at 224",
                "It fits; the same weights see more at a higher resolution.": "V2 0.75 at 192",
                "It fits, with 4 MB to spare.": "V2 0.5 at 224",
            },
        ),
        hint="The budget of weights leaves widths up to 0.75 of V1 and V2, and V3-Small.",
        ignored=SPELLING + "|224",
    ),
    "5.7": Exercise(
        "V2 0.25 at 24",
        "both fit at almost the same cost, and their intervals are far apart: here few channels that see 24 pixels "
        "beat many that see 16. It also has a third of the weights. Three trainings "
        "each: even the nearest pair is 1.5 points apart.",
        _zoo(
            2e6,
            {
                "It fits, and costs the same as another row that fits. Compare the two intervals.": "V2 0.5 at 16",
                "It fits, with more than half of the budget left over.": "V2 0.25 at 16",
            },
        ),
        hint="Three rows of the table cost at most 2 million MACs.",
        ignored=SPELLING + "|our|v2|32",
    ),
    "5.8": CodeExercise(
        "choose",
        cases=(
            Case("for float32 weights", TABLE, 60e6, 8e6, 32),
            Case("for weights of 8 bits", TABLE, 60e6, 2e6, 8),
            Case("for two that are equally accurate", TABLE, 100e6, 10e6, 32),
            Case("where one stands exactly at both limits", TABLE, 50e6, 2e6, 8),
            Case("where nothing fits", TABLE, 10e6, 8e6, 32),
            Case("where the weights decide", TABLE, 400e6, 3.45e6, 16),
        ),
        reference=choose,
        why="both limits, bits ÷ 8 bytes a weight, then accuracy, then MACs.",
        mistakes={
            "You took four bytes a weight whatever the bits.": lambda rows, m, b, bits: choose(rows, m, b, 32),
            "You compared the number of weights with the bytes.": lambda rows, m, b, bits: choose(rows, m, b, 8),
            "You multiplied by the bits; a byte has eight of them.": lambda rows, m, b, bits: choose(
                rows, m, b, 8 * bits
            ),
            "You looked at the MACs alone.": lambda rows, m, b, bits: choose(rows, m, float("inf"), bits),
            "You looked at the weights alone.": lambda rows, m, b, bits: choose(rows, float("inf"), b, bits),
            "A network exactly at a limit fits: ≤, not <.": lambda rows, m, b, bits: _chosen(
                [row for row in rows if row[1] < m and row[2] * bits / 8 < b]
            ),
            "Of two that are equally accurate take the one with fewer MACs.": lambda rows, m, b, bits: _chosen(
                [row for row in rows if row[1] <= m and row[2] * bits / 8 <= b], key=lambda row: -row[3]
            ),
            "That is the cheapest that fits; the most accurate is asked.": lambda rows, m, b, bits: _chosen(
                [row for row in rows if row[1] <= m and row[2] * bits / 8 <= b], key=lambda row: row[1]
            ),
        },
        hint="First keep what is within both limits, then take the most accurate of these.",
    ),
    "5.9": CodeExercise(
        "front",
        cases=(
            Case("for seven networks", POINTS),
            Case("for two of equal accuracy", [(30.0, 60.0), (20.0, 60.0), (40.0, 61.0)]),
            Case("for one network", [(30.0, 60.0)]),
            Case("where each costs more and is better", [(3.0, 3.0), (1.0, 1.0), (2.0, 2.0)]),
        ),
        reference=front,
        why="whoever is not on it pays MACs for nothing: another one is cheaper and at least as accurate.",
        mistakes={
            "Those are all of them, in order. Who is beaten by a cheaper one goes.": sorted,
            "That is the most accurate one alone; the cheaper ones that nobody beats belong there, too.": (
                lambda rows: [max(rows, key=lambda row: row[1])]
            ),
            "The right ones, but not the cheapest first.": (
                lambda rows: [row for row in rows if row in front(rows)],
                lambda rows: front(rows)[::-1],
            ),
            "Of two that are equally accurate the dearer one is beaten, too.": lambda rows: [
                row for row in sorted(rows) if all(other[1] <= row[1] for other in rows if other[0] < row[0])
            ],
            "You compared each with its neighbour alone; it may be beaten by one further left.": lambda rows: [
                row for place, row in enumerate(sorted(rows)) if place == 0 or row[1] > sorted(rows)[place - 1][1]
            ],
        },
        hint="Sort by MACs and walk: keep a network when it is more accurate than all that you kept.",
    ),
}
