"""The cost grid, and the explorer that compares MobileNets: exact counts, published neighbours, budgets, the button."""

import csv
import itertools
import math
import re

import pytest
import torch

from helpers import DATA
from helpers import __main__ as command
from helpers.costs import count_macs, count_params, peak_activation_bytes
from helpers.latency import Timing
from helpers.lessons.lesson_05 import explorer_mobilenet as mobilenet
from helpers.lessons.lesson_05 import grid, mobilenet_explorer
from helpers.lessons.lesson_05.explorer_mobilenet import BUTTON, NO_LIMIT, compare, published, text

FAMILIES = list(grid.FAMILIES)


@pytest.fixture(scope="module")
def table():
    with open(DATA / "published" / "published_imagenet_results.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def explorer():
    return mobilenet_explorer()


# ------------------------------------------------------------------------------------------------ the grid


@pytest.mark.parametrize(
    ("family", "width", "resolution"),
    [
        ("mobilenet_v1", 0.35, 32),  # 0.35 × 32 is cut off, not rounded
        ("mobilenet_v2", 1.4, 96),  # its last convolution grows with the width
        ("mobilenet_v3_small", 0.25, 224),
        ("mobilenet_v3_large", 0.75, 160),
    ],
)
def test_cells_of_the_committed_grid_are_counted_again(family, width, resolution):
    assert grid.read_grid()[family, width, resolution] == grid.count(family, width, resolution)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_any_number_of_classes_is_exact(family, classes):
    with torch.device("meta"):
        model = grid.build(family, 0.5, classes)
    cost = grid.read_grid()[family, 0.5, 64]
    assert cost.with_classes(classes) == (count_params(model), count_macs(model, 64))
    assert cost.peak_values == peak_activation_bytes(model, 64, 1), "the last layer is never the peak"


def test_the_grid_is_complete_and_says_where_it_is_from():
    assert set(grid.read_grid()) == set(itertools.product(FAMILIES, grid.WIDTHS, grid.RESOLUTIONS))
    with open(grid.GRID, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["command"] for row in rows} == {"python -m helpers grid"}
    assert all(row[column] for row in rows for column in ("torch", "torchvision", "cpu", "threads", "date"))


def test_the_grid_is_written_again_to_the_same_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr("helpers.results.RESULTS", tmp_path)
    monkeypatch.setattr(grid, "WIDTHS", (0.25,))
    monkeypatch.setattr(grid, "RESOLUTIONS", (32, 96))
    assert command.main(["grid"]) == 0
    again = grid.read_grid(tmp_path / grid.GRID.name)
    assert len(again) == 8 and again.items() <= grid.read_grid().items()


def test_a_missing_grid_and_a_wrong_family_are_explained(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cost_grid.csv is missing.*python -m helpers grid"):
        grid.read_grid(tmp_path / "cost_grid.csv")
    with pytest.raises(ValueError, match=r"families are mobilenet_v1, .*not 'mobilenet_v4'"):
        grid.build("mobilenet_v4", 1.0)


# ------------------------------------------------------------------------------------------------ what is computed


def test_known_integers():
    v2 = compare("mobilenet_v2", 1.0, 224)
    assert (v2.macs, v2.params, v2.bytes, v2.peak_bytes) == (300_774_272, 3_504_872, 14_019_488, 9_633_792)
    ten = compare("mobilenet_v2", 1.0, 224, classes=10, bits=8)
    assert (ten.macs, ten.params, ten.bytes) == (300_774_272 - 1280 * 990, 2_236_682, 2_236_682)
    assert ten.peak_bytes == 9_633_792 // 4
    # First block, width 1: 32 maps of 112 × 112 come in, 96 go out of the expansion and of its BatchNorm.
    assert v2.peak_bytes == 4 * 2 * 96 * 112**2
    assert compare("mobilenet_v1", 1.0, 224).params == 4_231_976
    assert compare("mobilenet_v2", 1.0, 224, bits=16).bytes == 7_009_744


@pytest.mark.parametrize("classes", [1000, 10])
def test_the_nearest_published_row_by_brute_force(table, classes):
    own = 0
    for family, width, resolution in grid.read_grid():
        seen = compare(family, width, resolution, classes)
        rows = [row for row in table if row["family"] == family]
        same = [row for row in rows if (float(row["width"]), int(row["resolution"])) == (width, resolution)]
        assert seen.exact == bool(same)
        own += len(same)

        def printed(row, family=family):
            features = grid.read_grid()[family, float(row["width"]), 224].features
            return float(row["mmacs"]) * 1e6 - features * (1000 - classes)

        best = min(abs(math.log(printed(row) / seen.macs)) for row in same or rows)
        allowed = [row for row in same or rows if abs(math.log(printed(row) / seen.macs)) <= best + 1e-9]
        allowed = [row for row in allowed if "release" in row["source"]] or allowed
        found = seen.nearest
        assert (found.width, found.resolution, found.top1, found.source) in [
            (float(row["width"]), int(row["resolution"]), float(row["top1"]), row["source"]) for row in allowed
        ]
    assert own == 51, "every published row is the nearest of its own network, or its twin from the paper"


@pytest.mark.parametrize("bits", [32, 8])
@pytest.mark.parametrize(
    ("macs", "size"), [(60e6, 2e6), (97e6, NO_LIMIT), (NO_LIMIT, 7.8e6), (5e6, 2e6), (NO_LIMIT, NO_LIMIT)]
)
def test_what_fits_is_what_the_table_says(table, bits, macs, size):
    seen = compare(bits=bits, mac_limit=macs, byte_limit=size)
    light = [row for row in table if float(row["mparams"]) * 1e6 * bits / 8 <= size]
    fitting = [row for row in light if float(row["mmacs"]) * 1e6 <= macs]
    assert sorted((row.macs, row.top1) for row in seen.fitting) == sorted(
        (float(row["mmacs"]) * 1e6, float(row["top1"])) for row in fitting
    )
    best = max((float(row["top1"]) for row in fitting), default=None)
    assert (seen.best.top1 if seen.best else None) == best
    front = {
        (float(a["mmacs"]) * 1e6, float(a["top1"]))
        for a in fitting
        if not any(
            float(b["mmacs"]) <= float(a["mmacs"]) and float(b["top1"]) >= float(a["top1"])
            and (b["mmacs"], b["top1"]) != (a["mmacs"], a["top1"])
            for b in fitting
        )
    }  # fmt: skip
    assert {(row.macs, row.top1) for row in seen.front} == front
    assert seen.fits == (seen.macs <= macs and seen.bytes <= size)


def test_two_budgets_decide_as_by_hand():
    seen = compare("mobilenet_v2", 0.75, 192, bits=8, mac_limit=60e6, byte_limit=2e6)
    assert not seen.fits and (seen.best.key, seen.best.top1) == (("mobilenet_v2", 0.5, 160), 61.0)
    assert "does not fit: 153.9M MACs are more than 60M, 2.64 MB are more than 2 MB" in text(seen)
    assert "V2 α 0.5 at 160 px, 61.0 %" in text(seen)
    assert "no published row fits" in text(compare(mac_limit=1e6))
    assert "fits both budgets" in text(compare(mac_limit=50_184_000, byte_limit=7_874_720))  # exactly at the limit
    assert "does not fit" in text(compare(mac_limit=50_183_999))


def test_fewer_classes_shrink_the_published_rows_too():
    whole, ten = published(), published(10)
    row, small = next((a, b) for a, b in zip(whole, ten, strict=True) if a.key == ("mobilenet_v2", 0.35, 96))
    assert (row.macs, row.params) == (11e6, 1.66e6)
    assert (row.macs - small.macs, row.params - small.params) == (1280 * 990, 1281 * 990)
    assert row.top1 == small.top1 == 45.5


def test_the_words_name_the_source_and_say_when_the_accuracy_is_not_its_own():
    own, other = text(compare("mobilenet_v1", 0.25, 128)), text(compare("mobilenet_v3_small", 0.25, 96))
    assert "41.5 % top-1 of 1000 ImageNet classes (TF-Slim release table" in own and "not this network" not in own
    third = text(compare("mobilenet_v3_small", 1.0, 224))
    assert "the source counts 66M MACs (why: appendix A): 67.5 %" in third and "the source counts" not in own
    assert "not this network; nearest is V3-Small α 0.75 at 224 px with 23 times its MACs: 65.4 %" in other


# ------------------------------------------------------------------------------------------------ in the picture


def drawn(explorer):
    """(label → (x, y) of the artists that have one, the text of the fixed box)."""
    (axes,) = explorer.figure().axes
    return {line.get_label(): line.get_xydata().tolist() for line in axes.lines}, axes.texts[-1].get_text()


def test_the_choice_and_its_neighbours_are_where_they_should_be(explorer):
    explorer.set(width=0.5, resolution=160, mac_limit=100e6, byte_limit=8e6)
    lines, box = drawn(explorer)
    assert [[50.184, 61.0]] in lines.values() and box.startswith("your choice: V2 α 0.5 at 160 px\n50.2M")
    assert lines["most accurate that fits"] == [[97.0, 65.4]]
    assert sum(len(lines[name]) for name in ("V1", "V2", "V3-Small", "V3-Large")) == len(explorer.result.fitting) < 51
    explorer.set(width=0.25, resolution=96, mac_limit=NO_LIMIT, byte_limit=NO_LIMIT)
    lines, box = drawn(explorer)
    assert lines["nearest published V2"] == [[11.0, 45.5]] and "no published accuracy" in box
    assert sum(len(lines[name]) for name in ("V1", "V2", "V3-Small", "V3-Large")) == 51


MEASURED = [  # invented
    dict(zip(("width", "parameters", "macs", "accuracy", "low", "high"), row, strict=True))
    for row in [("0.25", "250000", "6000000", "0.87", "0.86", "0.88"), (1.0, 2_200_000, 88e6, 0.93, 0.925, 0.935)]
]


def crosses(explorer) -> dict:
    """(MACs in millions, per cent) of each measured point → (colour, its interval's ends)."""
    found = {}
    for container in explorer.figure().axes[0].containers:
        points, _, (bars,) = container
        for where, bar in zip(points.get_xydata().tolist(), bars.get_segments(), strict=True):
            found[tuple(where)] = (points.get_color(), *bar[:, 1].round(6).tolist())
    return found


def test_measured_rows_are_drawn_with_their_widths_and_intervals():
    explorer = mobilenet_explorer(MEASURED).set(mac_limit=NO_LIMIT, byte_limit=NO_LIMIT)
    assert crosses(explorer) == {(6.0, 87.0): ("black", 86.0, 88.0), (88.0, 93.0): ("black", 92.5, 93.5)}
    axes = explorer.figure().axes[0]
    assert axes.get_xlim()[0] < 6 and {"0.25", "1.0"} <= {text.get_text() for text in axes.texts}


@pytest.mark.parametrize(
    ("change", "grey"),
    [({"mac_limit": 80e6}, {88.0}), ({"byte_limit": 8e6}, {88.0}), ({"byte_limit": 8e6, "bits": 16}, set()),
     ({"mac_limit": 80e6, "byte_limit": 0.5e6}, {6.0, 88.0})],
)  # fmt: skip
def test_measured_rows_over_a_budget_are_grey(change, grey):
    explorer = mobilenet_explorer(MEASURED).set(mac_limit=NO_LIMIT, byte_limit=NO_LIMIT, bits=32).set(**change)
    assert {x for (x, _), (colour, *_) in crosses(explorer).items() if colour != "black"} == grey


# ------------------------------------------------------------------------------------------------ the button


def test_the_button_times_the_network_that_was_chosen(explorer, monkeypatch):
    seen = []

    def timed(model, image):
        seen.append((count_params(model), model.training, tuple(image.shape)))
        return Timing(0.0123, 0.0121, 0.0129, 41, 2, 1, "channels_last")

    monkeypatch.setattr(mobilenet, "measure", timed)
    explorer.set(family="mobilenet_v3_small", width=0.35, resolution=64, classes=10).act(BUTTON)
    assert seen == [(explorer.result.params, False, (1, 3, 64, 64))]
    assert "12.3 ms · quartiles 12.1–12.9 · 41 calls · 2 threads · batch 1" in explorer.words.value
    assert drawn(explorer)[1].endswith("12.3 ms here")
    explorer.set(bits=8)
    assert explorer.result.timing, "the time is of float32 whatever the bits"
    for other in ({"resolution": 96}, {"width": 0.5}, {"classes": 2}, {"family": "mobilenet_v1"}):
        before = explorer.values
        assert explorer.set(**other).result.timing is None and "not measured yet" in explorer.words.value
        assert explorer.set(**before).result.timing.median == 0.0123


def test_the_button_measures_in_earnest(explorer):
    timing = explorer.set(width=0.25, resolution=32, classes=2).act(BUTTON).result.timing
    assert 0 < timing.low <= timing.median <= timing.high and timing.batch == 1
    assert timing.threads == torch.get_num_threads() and timing.memory_format == "channels_last"
    assert re.search(r"[\d.]+ [mµ]?s · quartiles [\d.]+–[\d.]+ · [\d,]+ calls · \d+ threads?", explorer.words.value)
