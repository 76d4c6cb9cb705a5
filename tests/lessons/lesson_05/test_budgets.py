"""One ruler for budgets: table, marker, star, grey, words and exercise checks agree on every network and budget."""

import csv
import itertools
import random
import re

import pytest
from matplotlib.colors import to_hex

from helpers import DATA
from helpers.exercises import exercise
from helpers.lessons.lesson_05 import networks
from helpers.lessons.lesson_05.comparison import compare, sentences, table
from helpers.lessons.lesson_05.explorer_mobilenet import BYTE_LIMITS, MAC_LIMITS, mobilenet_explorer
from helpers.lessons.lesson_05.grid import OWN, RESOLUTIONS, WIDTHS, read_grid
from helpers.lessons.lesson_05.mobilenet_chart import GREY
from helpers.lessons.lesson_05.networks import NO_LIMIT, PRINTED, Network
from helpers.results import read_results

FAMILIES = [*networks.LOOK, OWN]
BITS = (8, 16, 32)
BUDGETS = list(
    itertools.product([1e6 * x for x in MAC_LIMITS] + [NO_LIMIT], [1e6 * x for x in BYTE_LIMITS] + [NO_LIMIT], BITS)
)


def measured() -> dict[tuple, tuple[float, float, float]]:
    """(family, α, pixels) → (MACs, parameters, best accuracy) of every network with an accuracy, in another way."""
    found = {}
    with open(DATA / "published" / "published_imagenet_results.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = row["family"], float(row["width"]), int(row["resolution"])
            cost = read_grid()[key]
            macs, params = cost.macs + 1000 * cost.features, cost.params + 1000 * (cost.features + 1)
            if key[0] in PRINTED:
                macs, params = (round(1e6 * float(row[column])) for column in ("mmacs", "mparams"))
            found[key] = macs, params, max(float(row["top1"]), found.get(key, (0, 0, 0))[2])
    for row in read_results("zoo.csv"):
        key = OWN, row["width"], row["resolution"]
        found.setdefault(key, (row["macs"], row["parameters"], 100 * row["accuracy"]))
    return found


MEASURED = measured()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_network_and_budget_has_one_verdict(family):
    """The verdict on the choice is the verdict on the same network's dot, and both are the plain comparison's."""
    own = family == OWN
    keys = [key for key in MEASURED if (key[0] == OWN) == own]
    for macs, size, bits in BUDGETS:
        fits = {key for key in keys if MEASURED[key][0] <= macs and MEASURED[key][1] * bits / 8 <= size}
        first = compare(Network(family, 1.0, 32, 10 if own else 1000), None, bits, macs, size)
        assert {row.key for row in first.fitting} == fits
        assert (first.best.top1 if fits else None) == max((MEASURED[key][2] for key in fits), default=None)
        for key in keys:
            if key[0] == family:
                network = Network(*key, 10 if own else 1000)
                cost = networks.costs(network)
                assert cost[:2] == MEASURED[key][:2]
                broken = networks.over(*cost[:2], bits, macs, size)
                assert (not broken) == (key in fits), (network.name, macs, size, bits)
                for words in broken:
                    value, limit = (float(number) for number in re.findall(r"[\d.]+", words))
                    assert value > limit, f"nobody would believe: {words}"


def test_a_network_without_an_accuracy_is_counted():
    for family, width, resolution in itertools.product(FAMILIES, WIDTHS, RESOLUTIONS):
        if (family, width, resolution) not in MEASURED:
            network, cost = Network(family, width, resolution, 10), read_grid()[family, width, resolution]
            assert networks.costs(network) == (*reversed(cost.with_classes(10)), cost.peak_values)
            assert networks.result_of(network) is None and not networks.is_printed(network)


def test_the_picture_and_the_words_follow_the_same_verdict():
    dice, explorer = random.Random(0), mobilenet_explorer()
    for key in dice.sample(sorted(MEASURED), 25):
        macs, size, bits = dice.choice(BUDGETS)
        family, width, resolution = key
        explorer.set(family=family, width=width, resolution=resolution, bits=bits, mac_limit=macs, byte_limit=size)
        seen, chart = explorer.result, explorer._screen.picture
        chart = chart.ours if family == OWN else chart.imagenet
        fits = MEASURED[key][0] <= macs and MEASURED[key][1] * bits / 8 <= size
        assert ("B fits both" in sentences(seen)["Budgets"]) == fits
        assert (table(seen)[-1][2] == "fits") == fits
        (x,), (y,) = chart.b.get_data()
        assert (x, y) == pytest.approx((MEASURED[key][0] / 1e6, MEASURED[key][2]))
        dots = chart.dots[family]
        places = [list(place) for place in dots.get_offsets()]
        colour = to_hex(dots.get_facecolors()[places.index([x, y])])
        assert colour == (to_hex(networks.LOOKS[family][1]) if fits else to_hex(GREY)), "the choice and its dot differ"
        grey = sum(to_hex(face) == to_hex(GREY) for one in chart.dots.values() for face in one.get_facecolors())
        assert grey == len(seen.rows) - len(seen.fitting)
        star = list(zip(*chart.star.get_data(), strict=True))
        assert star == ([(seen.best.macs / 1e6, seen.best.top1)] if seen.best else [])


@pytest.mark.parametrize(("number", "macs", "size", "bits"), [("5.5", 100e6, 2.5e6, 8), ("5.6", 300e6, 12e6, 32)])
def test_the_exercises_judge_by_the_same_ruler(number, macs, size, bits):
    """Every published network as an answer: it is said not to fit exactly where the explorer says so."""
    one = exercise(number)
    for key, (cost, params, _) in MEASURED.items():
        if key[0] == OWN:
            continue
        network = Network(*key)
        right, words = one.judge(network.name)
        fits = cost <= macs and params * bits / 8 <= size
        assert not right or fits
        refused = any(
            part in words for part in ("does not fit", "ts weights take", "take 2.9 MB", "ver the MACs", "Over")
        )
        assert right or refused == (not fits), (network.name, words)
        assert "choose from" not in words and "none of the choices" not in words


def test_eleven_contradictions_are_gone():
    """Networks whose printed and counted numbers fell on two sides of a stop of the sliders."""
    v2 = compare(Network("mobilenet_v2", 1.0, 224), None, 16, 300e6, 12e6)
    assert v2.b.over == ["300.8M MACs are more than 300M"] and v2.b.network.key not in {row.key for row in v2.fitting}
    small = compare(Network("mobilenet_v3_small", 1.0, 224), None, 32, 60e6, NO_LIMIT)
    assert small.b.over == ["66.0M MACs are more than 60M"]
    assert {row[0]: row[2] for row in table(small)}["MACs"] == "66.0M printed"
    exact = Network("mobilenet_v2", 0.5, 160)
    assert not compare(exact, None, 32, 50_184_000, 7_874_720).b.over, "exactly at the limit fits"
    assert compare(exact, None, 32, 50_183_999).b.over == ["50.2M MACs are more than 50.184M"]
    assert networks.over(60_000_001, 1, 32, 60e6, NO_LIMIT) == ["60.000001M MACs are more than 60M"]
