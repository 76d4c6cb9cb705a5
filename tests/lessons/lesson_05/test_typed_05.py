"""What learners type by mistake in lesson 05, written from the words alone: `check` finds the right ones."""

from itertools import pairwise
from math import ceil

from helpers.lessons.lesson_05.staircase import round_to_8
from tests.typed import Sheet, meet

SHEET = Sheet()
typed = SHEET.typed


# 5.2 a size that does not divide


def halved(side, times, half):
    for _ in range(times):
        side = half(side)
    return side * side


@typed("5.2", "A stride rounds up: with padding 1")
def positions_down(side):
    for _ in range(5):
        side //= 2
    return side * side


@typed("5.2", "A stride rounds up: with padding 1")
def positions_int(side):
    return int(side / 32) ** 2


@typed("5.2", "`round` goes to the even neighbour")
def positions_rounded(side):
    return halved(side, 5, lambda side: round(side / 2))


@typed("5.2", "Positions are whole rows and columns")
def positions_share(side):
    return 49 * (side / 224) ** 2


@typed("5.2", "Positions are whole rows and columns")
def positions_cut(side):
    return int(49 * (side / 224) ** 2)


@typed("5.2", "Positions are whole rows and columns")
def positions_cut_square(side):
    return side * side // 1024


@typed("5.2", "Positions are whole rows and columns")
def positions_up_once(side):
    return ceil((side / 32) ** 2)


@typed("5.2", "That is the side; positions are side × side")
def positions_side(side):
    for _ in range(5):
        side = (side + 1) // 2
    return side


@typed("5.2", "That is one stride too few")
def positions_four(side):
    return halved(side, 4, lambda side: ceil(side / 2))


@typed("5.2", "That is one stride too many")
def positions_six(side):
    return halved(side, 6, lambda side: ceil(side / 2))


# 5.4 what α keeps


def cost(blocks):
    total = 0
    for m, n, side in blocks:
        total += 9 * m * side * side + m * n * side * side
    return total


def narrow(blocks, alpha, rounding=round_to_8):
    return [(rounding(m * alpha), rounding(n * alpha), side) for m, n, side in blocks]


@typed("5.4", "That is α² itself")
def kept_square(blocks, alpha):
    return alpha * alpha


@typed("5.4", "You did not round")
def kept_unrounded(blocks, alpha):
    return sum((9 * alpha * m + alpha * m * alpha * n) * d**2 for m, n, d in blocks) / cost(blocks)


@typed("5.4", "You rounded to the nearest multiple of 8")
def kept_nearest(blocks, alpha):
    return cost(narrow(blocks, alpha, lambda c: max(8, 8 * ((c + 4) // 8)))) / cost(blocks)


@typed("5.4", "You rounded to the nearest multiple of 8")
def kept_round(blocks, alpha):
    return cost(narrow(blocks, alpha, lambda c: 8 * round(c / 8))) / cost(blocks)


@typed("5.4", "You left out the depthwise MACs")
def kept_pointwise(blocks, alpha):
    left = sum(round_to_8(alpha * m) * round_to_8(alpha * n) * d**2 for m, n, d in blocks)
    return left / sum(m * n * d**2 for m, n, d in blocks)


@typed("5.4", "You averaged the blocks' shares")
def kept_averaged(blocks, alpha):
    shares = []
    for m, n, d in blocks:
        few, fewer = round_to_8(alpha * m), round_to_8(alpha * n)
        shares.append((9 * few * d**2 + few * fewer * d**2) / (9 * m * d**2 + m * n * d**2))
    return sum(shares) / len(shares)


@typed("5.4", "Upside down")
def kept_upside_down(blocks, alpha):
    return cost(blocks) / cost(narrow(blocks, alpha))


# 5.8 choose


def best_of(fitting):
    """The first of the most accurate ones, those with few MACs first."""
    best = None
    for name, _, _, accuracy in sorted(fitting, key=lambda row: row[1]):
        if best is None or accuracy > best[1]:
            best = name, accuracy
    return best and best[0]


@typed("5.8", "You took four bytes a weight")
def choose_four(rows, mac_limit, byte_limit, bits):
    return best_of([row for row in rows if row[1] <= mac_limit and 4 * row[2] <= byte_limit])


@typed("5.8", "You compared the number of weights with the bytes")
def choose_weights(rows, mac_limit, byte_limit, bits):
    return best_of([row for row in rows if row[1] <= mac_limit and row[2] <= byte_limit])


@typed("5.8", "You multiplied by the bits")
def choose_bits(rows, mac_limit, byte_limit, bits):
    return best_of([row for row in rows if row[1] <= mac_limit and row[2] * bits <= byte_limit])


@typed("5.8", "You looked at the MACs alone")
def choose_by_macs(rows, mac_limit, byte_limit, bits):
    return best_of([row for row in rows if row[1] <= mac_limit])


@typed("5.8", "You looked at the weights alone")
def choose_by_bytes(rows, mac_limit, byte_limit, bits):
    return best_of([row for row in rows if row[2] * bits // 8 <= byte_limit])


@typed("5.8", "A network exactly at a limit fits")
def choose_below(rows, mac_limit, byte_limit, bits):
    return best_of([row for row in rows if row[1] < mac_limit and row[2] * bits / 8 < byte_limit])


@typed("5.8", "Of two that are equally accurate take")
def choose_first(rows, mac_limit, byte_limit, bits):
    fitting = [row for row in rows if row[1] <= mac_limit and row[2] * bits / 8 <= byte_limit]
    if not fitting:
        return None
    return max(fitting, key=lambda row: row[3])[0]


@typed("5.8", "That is the cheapest that fits")
def choose_cheapest(rows, mac_limit, byte_limit, bits):
    fitting = [
        (macs, name) for name, macs, weights, _ in rows if macs <= mac_limit and weights * bits / 8 <= byte_limit
    ]
    return sorted(fitting)[0][1] if fitting else None


# 5.9 what nothing beats


def on_front(row, rows):
    return not any(other[0] < row[0] and other[1] >= row[1] for other in rows)


@typed("5.9", "Those are all of them, in order")
def front_all(rows):
    return sorted(rows, key=lambda row: row[0])


@typed("5.9", "That is the most accurate one alone")
def front_best(rows):
    return [sorted(rows, key=lambda row: (row[1], -row[0]))[-1]]


@typed("5.9", "The right ones, but not the cheapest first")
def front_as_given(rows):
    return [row for row in rows if on_front(row, rows)]


@typed("5.9", "The right ones, but not the cheapest first")
def front_best_first(rows):
    return sorted([row for row in rows if on_front(row, rows)], reverse=True)


@typed("5.9", "Of two that are equally accurate the dearer one")
def front_equal(rows):
    found, best = [], 0
    for macs, accuracy in sorted(rows):
        if accuracy >= best:
            found.append((macs, accuracy))
            best = accuracy
    return found


@typed("5.9", "You compared each with its neighbour alone")
def front_neighbour(rows):
    ordered = sorted(rows)
    return ordered[:1] + [b for a, b in pairwise(ordered) if b[1] > a[1]]


@SHEET.each
def test_what_was_typed_is_met_with_its_words(number, words, written):
    meet(number, words, written)
