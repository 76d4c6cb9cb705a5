"""The explorer that compares two MobileNets: what is computed, the table, the marks on the chart, the buttons."""

import csv
import math
import re
from dataclasses import replace

import pytest
import torch
from matplotlib.colors import to_hex

from helpers import DATA
from helpers.costs import count_params
from helpers.latency import Timing
from helpers.lessons.lesson_05 import explorer_mobilenet as mobilenet
from helpers.lessons.lesson_05 import grid, mobilenet_explorer
from helpers.lessons.lesson_05.comparison import compare, is_wide, source, stopwatch, table, text, told
from helpers.lessons.lesson_05.explorer_mobilenet import KEEP, TIME, TIME_ALL, published
from helpers.lessons.lesson_05.grid import OWN
from helpers.lessons.lesson_05.mobilenet_chart import MobilenetChart
from helpers.lessons.lesson_05.networks import NO_LIMIT, Network
from helpers.results import read_results

HALF, NARROW, WHOLE = (Network("mobilenet_v2", *rest) for rest in ((0.5, 160), (0.35, 224), (1.0, 224)))
OURS = Network(OWN, 0.25, 32, 10)


@pytest.fixture(scope="module")
def printed():
    with open(DATA / "published" / "published_imagenet_results.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def explorer():
    return mobilenet_explorer()


# ------------------------------------------------------------------------------------------------ what is computed


def test_known_integers():
    v2 = compare(WHOLE).b
    assert (v2.macs, v2.params, v2.bytes, v2.peak_bytes) == (300_774_272, 3_504_872, 14_019_488, 9_633_792)
    ten = compare(replace(WHOLE, classes=10), bits=8).b
    assert (ten.macs, ten.params, ten.bytes) == (300_774_272 - 1280 * 990, 2_236_682, 2_236_682)
    # First block, width 1: 32 maps of 112 × 112 come in, 96 go out of the expansion and of its BatchNorm.
    assert ten.peak_bytes == 2 * 96 * 112**2
    assert compare(Network("mobilenet_v1", 1.0, 224)).b.params == 4_231_976
    small = Network("mobilenet_v3_small", 0.75, 224)
    assert compare(small).b.params == 2_400_000, "as printed: torchvision's network is another one"
    assert compare(replace(small, classes=10)).b.params == 2_400_000 - 1281 * 990


def test_the_nearest_measured_network_by_brute_force(printed):
    for family, width, resolution in grid.read_grid():
        side = compare(Network(family, width, resolution, 10 if family == OWN else 1000)).b
        if family == OWN:
            rows = [(row["width"], row["resolution"], row["macs"]) for row in read_results("zoo.csv")]
        else:
            mine = [row for row in printed if row["family"] == family]
            rows = [(float(row["width"]), int(row["resolution"]), float(row["mmacs"]) * 1e6) for row in mine]
        assert bool(side.result) == ((width, resolution) in {row[:2] for row in rows})
        if not side.result:
            gaps = {row[:2]: abs(math.log(row[2] / side.macs)) for row in rows}
            found = gaps[side.nearest.width, side.nearest.resolution]
            assert found <= min(gaps.values()) + 0.15, (
                "the printed numbers and the counted ones differ by a few per cent"
            )


def test_our_own_networks_are_those_of_the_table():
    rows = {(row["width"], row["resolution"]): row for row in read_results("zoo.csv") if row["seed"] == 0}
    assert len(rows) >= 9
    for (width, resolution), row in rows.items():
        side = compare(Network(OWN, width, resolution, 10)).b
        assert (side.macs, side.params) == (row["macs"], row["parameters"])
        assert side.result.top1 == pytest.approx(100 * row["accuracy"])
        assert side.result.interval == pytest.approx((100 * row["low"], 100 * row["high"]))
    others = [
        100 * row["accuracy"] for row in read_results("zoo.csv") if row["width"] == 0.25 and row["resolution"] == 32
    ]
    assert list(compare(OURS).b.result.seeds) == pytest.approx(others[1:]) and len(others) > 2


def test_published_and_own_networks_are_never_on_one_chart():
    both = compare(OURS, HALF)
    assert {row.family for row in both.rows} == {OWN} and not both.a_is_here
    assert OWN not in {row.family for row in compare(HALF, OURS).rows}
    assert dict((row[0], row[3]) for row in table(both))["accuracy"] == "other images"  # noqa: C402


def test_the_table_of_two_networks():
    rows = {what: rest for what, *rest in table(compare(NARROW, HALF, mac_limit=55e6))}
    assert rows["MACs"] == ["50.2M", "59.3M", "× 1.18"] and rows["parameters"] == ["1.97M", "1.68M", "× 0.852"]
    assert rows["weights, 32 bits"] == ["7.87 MB", "6.71 MB", "× 0.852"]
    assert rows["peak memory"] == ["2.46 MB", "4.82 MB", "× 1.96"]
    assert rows["accuracy"] == ["61.0 %", "60.3 %", "-0.7 points"]
    assert rows["time here"] == ["not yet", "not yet", ""] and rows["budgets"] == ["fits", "too much", ""]
    alone = text(compare(NARROW))
    assert ">A<" not in alone and "B / A" not in alone and ">B<" in alone
    row = next(
        row for row in read_results("zoo.csv") if (row["width"], row["resolution"], row["seed"]) == (0.25, 32, 0)
    )
    expected = "{accuracy:.1f} % ({low:.1f}–{high:.1f})".format(
        **{k: 100 * row[k] for k in ("accuracy", "low", "high")}
    )
    assert {what: b for what, _, b, _ in table(compare(OURS))}["accuracy"] == expected


def test_the_words_name_the_source_and_say_when_the_accuracy_is_not_its_own():
    assert source(compare(HALF).b).startswith("ImageNet, 1000 classes (TF-Slim release table")
    twice = source(compare(Network("mobilenet_v1", 0.25, 224)).b)
    assert "Howard et al. 2017" in twice and "another table prints 49.8 %" in twice
    assert "it prints 34M MACs (why: appendix A)" in source(compare(Network("mobilenet_v1", 0.25, 192)).b)
    assert "as printed there" in source(compare(Network("mobilenet_v3_small", 1.0, 224)).b)
    other = source(compare(Network("mobilenet_v3_small", 0.25, 96)).b)
    assert re.match(r"not measured; nearest is V3-Small α 0.75 at 224 px with [\d.]+ times the MACs: 65.4 %", other)
    ours = source(compare(OURS).b)
    assert "CIFAR-10, ten classes" in ours and "10,000 test images" in ours and "other seeds reach 77.0" in ours
    spoken = told(compare(NARROW, HALF))
    assert "B is V2 α 0.35 at 224 px: 59.3M MACs, 6.71 MB, 60.3 %" in spoken and "A is V2 α 0.5 at 160 px" in spoken


def test_fewer_classes_shrink_the_published_rows_too():
    whole, ten = published(), published(10)
    row, small = next((a, b) for a, b in zip(whole, ten, strict=True) if a.key == ("mobilenet_v2", 0.35, 96))
    assert (row.printed_macs, row.printed_params) == (11e6, 1.66e6)
    assert (row.macs - small.macs, row.params - small.params) == (1280 * 990, 1281 * 990)
    assert row.top1 == small.top1 == 45.5


# ------------------------------------------------------------------------------------------------ in the picture


def chart(explorer):
    picture = explorer._screen.picture
    return picture.ours if explorer.result.b.network.own else picture.imagenet


def at(line) -> list[tuple[float, float]]:
    return [tuple(map(float, point)) for point in line.get_xydata()]


def test_a_b_and_the_arrow_stand_where_they_should(explorer):
    explorer.set(mac_limit=60e6)
    seen = chart(explorer)
    assert at(seen.b) == [(pytest.approx(59.285808), 60.3)] and at(seen.a) == [(pytest.approx(50.184), 61.0)]
    assert seen.b.get_marker() == "o" and to_hex(seen.b.get_markerfacecolor()) == "#0072b2"
    assert to_hex(seen.a.get_markerfacecolor()) == "#ffffff", "A is a ghost"
    start, end = seen.arrow._posA_posB
    assert start == at(seen.a)[0] and end == at(seen.b)[0]
    assert [seen.letters[letter].xy for letter in "AB"] == [start, end]
    assert at(seen.star) == [(pytest.approx(44.0), 65.4)], "of the two with 65.4 % the one with fewer MACs"
    assert at(seen.front)[-1] == at(seen.star)[0] and not at(seen.ring) and not at(seen.drop)
    assert seen.shade.get_x() == 60
    assert seen.axes.get_title(loc="left") == "MobileNets on ImageNet, as published"


@pytest.mark.parametrize("a", [HALF, WHOLE])
@pytest.mark.parametrize("family", ["mobilenet_v2", OWN])
def test_no_letter_hides_a_width_s_number_or_leaves_the_chart(family, a):
    explorer = mobilenet_explorer(
        b=NARROW, a=replace(a, family=family, classes=10, resolution=32) if family == OWN else a
    )
    for width in (0.25, 0.35, 0.5, 0.75, 1.0, 1.4):
        for resolution in (16, 24, 32) if family == OWN else (128, 160, 224):
            explorer.set(family=family, width=width, resolution=resolution)
            seen, renderer = chart(explorer), explorer._screen.picture.figure.canvas.get_renderer()
            numbers = [number.get_window_extent(renderer) for number in seen.numbers]
            inside, places = seen.axes.get_window_extent(renderer), []
            for letter in seen.letters.values():
                if letter.get_visible():
                    box = letter.get_window_extent(renderer)
                    hidden = [one for one in numbers if box.padded(-1).overlaps(one)]
                    assert not hidden, f"{letter.get_text()} at α {width}, {resolution} px"
                    assert inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
                    places.append(box)
            assert len(places) < 2 or not places[0].overlaps(places[1])


def test_without_an_accuracy_the_marker_is_hollow_at_the_foot(explorer):
    explorer.set(width=0.25, resolution=96, mac_limit=NO_LIMIT)
    seen = chart(explorer)
    ((x, y),) = at(seen.b)
    assert x == pytest.approx(explorer.result.b.macs / 1e6) and y < 40
    assert to_hex(seen.b.get_markerfacecolor()) == "#ffffff" and at(seen.drop)[0] == (x, y)
    assert at(seen.ring) == [(explorer.result.b.nearest.macs / 1e6, 45.5)]
    explorer.set(width=0.25, resolution=16)
    assert seen.b.get_marker() == "<" and at(seen.b)[0][0] == pytest.approx(7 * 1.06)
    explorer.set(family=OWN, width=1.0, resolution=224)
    assert chart(explorer).b.get_marker() == ">" and at(chart(explorer).b)[0][0] == pytest.approx(35 / 1.06)


@pytest.mark.parametrize("a", [None, NARROW, OURS])
def test_no_ghost_where_there_is_nothing_to_compare(a):
    seen = chart(mobilenet_explorer(b=NARROW, a=a))
    assert not seen.a.get_visible() and not seen.arrow.get_visible() and not seen.letters["A"].get_visible()


def test_our_own_chart_shows_intervals_and_seeds():
    explorer = mobilenet_explorer(b=OURS, a=Network(OWN, 1.0, 32, 10))
    seen = chart(explorer)
    assert seen.axes.get_title(loc="left").startswith("Our MobileNetV2 on CIFAR-10")
    bars = {}
    for container in seen.axes.containers:
        (x, y), (arms,) = container.lines[0].get_xydata()[0], container.lines[2]
        bars[round(x, 6), round(y, 6)] = arms.get_segments()[0][:, 1].round(6).tolist()
    rows = [row for row in read_results("zoo.csv") if row["seed"] == 0]
    for row in rows:
        place = round(row["macs"] / 1e6, 6), round(100 * row["accuracy"], 6)
        assert bars[place] == [round(100 * row["low"], 6), round(100 * row["high"], 6)]
    rings = [at(line)[0] for line in seen.axes.lines if line.get_color() == "#777777" and line.get_marker() == "o"]
    others = [row for row in read_results("zoo.csv") if row["seed"] > 0]
    wanted = sorted((row["macs"] / 1e6, 100 * row["accuracy"]) for row in others)
    assert sorted(rings) == [pytest.approx(pair) for pair in wanted]
    assert seen.a.get_visible() and at(seen.a) == [(24.461312, pytest.approx(87.04))]


def test_the_chosen_width_s_line_is_bold_and_joins_the_release_s_points(explorer, printed):
    seen = chart(explorer.set(mac_limit=NO_LIMIT))
    for (family, width), (grey, coloured) in seen.lines.items():
        bold = (family, width) == ("mobilenet_v2", 0.35)
        assert grey.get_linewidth() == coloured.get_linewidth() == (3 if bold else 1.2)
        rows = [row for row in printed if row["family"] == family and float(row["width"]) == width]
        wanted = sorted(float(row["top1"]) for row in rows if "release" in row["source"])
        assert sorted(y for _, y in at(coloured)) == wanted == sorted(y for _, y in at(grey))


# ------------------------------------------------------------------------------------------------ the buttons


@pytest.fixture
def stopwatch_of(monkeypatch):
    """What `measure` was asked, with a time that tells the networks apart; every third one is unsteady."""
    asked = []

    def timed(model, image, **given):
        asked.append((count_params(model), model.training, tuple(image.shape)))
        assert given["threads"] == 1, "two threads make one picture slower and its times uneven"
        median = 1e-3 * len(asked)
        spread = 0.5 if len(asked) % 3 == 0 else 0.02
        return Timing(median, median * (1 - spread), median * (1 + spread), 41, 2, 1, "channels_last")

    monkeypatch.setattr(mobilenet, "measure", timed)
    return asked


def test_keep_holds_b_as_a_and_remembers_every_one_kept(explorer):
    explorer.set(width=0.75, resolution=96).act(KEEP)
    kept = Network("mobilenet_v2", 0.75, 96)
    assert explorer.values["a"] == kept == explorer.result.a.network
    explorer.set(width=0.25, resolution=160)
    assert explorer.result.a.network == kept and explorer.result.b.network.width == 0.25
    explorer.act(KEEP)
    labels = [label for label, _ in explorer.controls["a"].options]
    assert labels[0] == "nothing" and "V2 α 0.75 at 96 px" in labels and labels[-1] == "V2 α 0.25 at 160 px"
    assert explorer.set(a=kept).result.a.network == kept


def test_a_time_belongs_to_the_network_it_was_measured_for(explorer, stopwatch_of):
    explorer.set(family="mobilenet_v3_small", width=0.35, resolution=64, classes=10).act(TIME)
    network = Network("mobilenet_v3_small", 0.35, 64, 10)
    with torch.device("meta"):
        params = count_params(grid.build(*network.key[:2], 10))
    assert stopwatch_of == [(params, False, (1, 3, 64, 64))]
    assert explorer.result.b.timing.median == 0.001
    assert {row[0]: row[2] for row in table(explorer.result)}["time here"] == "1 ms"
    assert "Timed: V3-Small α 0.35 at 64 px, 2 threads" in explorer.words.value
    for other in ({"resolution": 96}, {"width": 0.5}, {"classes": 2}, {"family": "mobilenet_v1"}):
        before = explorer.values
        assert explorer.set(**other).result.b.timing is None
        assert "V3-Small at 64 px, 10 classes" in explorer.words.value, "it stays in the table"
        assert explorer.set(**before).result.b.timing.median == 0.001
    assert explorer.set(bits=8).result.b.timing, "the time is of float32 whatever the bits"


def test_one_button_times_all_widths_and_warns_of_wide_quartiles(explorer, stopwatch_of):
    explorer.act(TIME_ALL)
    first, second, third = (stopwatch_of[7 * turn : 7 * turn + 7] for turn in range(3))
    assert first == second == third and len(stopwatch_of) == 3 * len(set(first)) == 3 * len(grid.WIDTHS), "by turns"
    assert {shape for *_, shape in stopwatch_of} == {(1, 3, 224, 224)}
    times = stopwatch(explorer.result.timings)
    assert list(times) == ["V2 at 224 px"] and list(times["V2 at 224 px"]) == list(grid.WIDTHS)
    middle = [round(one.median * 1e3) for one in times["V2 at 224 px"].values()]
    assert middle == [8, 9, 10, 11, 12, 13, 14], "neither the first turn nor the last"
    assert [is_wide(one) for one in times["V2 at 224 px"].values()] == [False, True, False, False, True, False, False]
    assert "<td><b>9</b><small>⚠</small></td><td><b>10</b></td>" in explorer.words.value
    assert "below</th><td>7.84</td><td>4.5</td><td>9.8</td>" in explorer.words.value
    assert "above</th><td>8.16</td><td>13.5</td><td>10.2</td>" in explorer.words.value
    assert "Timed: 7 widths of V2 at 224 px" in explorer.words.value and "⚠ Wide quartiles" in explorer.words.value
    explorer.set(resolution=96).act(TIME)
    assert list(stopwatch(explorer.result.timings)) == ["V2 at 96 px", "V2 at 224 px"], "the newest first"
    assert "measured before: 1" in explorer.words.value and "⚠ Wide" not in explorer.words.value
    explorer.set(resolution=224, width=1.0).act(KEEP).set(width=0.35)
    assert {what: rest for what, *rest in table(explorer.result)}["time here"] == ["12 ms ⚠", "9 ms ⚠", "× 0.75"]


def test_the_button_measures_in_earnest(explorer):
    timing = explorer.set(family=OWN, width=0.25).act(TIME).result.b.timing
    assert explorer.values["resolution"] == 32, "the course's own networks see 32 pixels"
    assert 0 < timing.low <= timing.median <= timing.high and timing.batch == 1
    assert timing.threads == 1 and timing.memory_format == "channels_last"


def test_families_keep_to_the_sizes_of_their_images(explorer):
    explorer.set(family=OWN)
    assert explorer.values["resolution"] == 32 and explorer.result.b.network.classes == 10
    assert explorer.controls["classes"].disabled
    explorer.set(family="mobilenet_v1")
    assert explorer.values["resolution"] == 224 and not explorer.controls["classes"].disabled
    explorer.set(resolution=128).set(family="mobilenet_v2")
    assert explorer.values["resolution"] == 128


# ------------------------------------------------------------------------------------------------ the veil


def test_veiled_it_asks_which_is_better_and_gives_nothing_away():
    explorer = mobilenet_explorer(veiled=True)
    assert "61.0" not in explorer.words.value and "60.3" not in explorer.words.value and "61.0" not in explorer.alt
    explorer.guess("V2 α 0.35 at 224 px")
    assert "61.0 %" in explorer.words.value and "60.3 %" in explorer.alt
    assert "it is <b>V2 α 0.5 at 160 px</b>" in explorer._asked.children[0].value


def test_a_width_s_number_is_read_over_lines_and_points():
    """What moves is painted later and would cover the numbers: they are painted with it, over all but the letters."""
    for chart in (MobilenetChart().imagenet, MobilenetChart().ours):
        over = [
            artist for artist in chart.moving if artist not in chart.numbers and artist not in chart.letters.values()
        ]
        assert set(chart.numbers) <= set(chart.moving)
        assert min(one.zorder for one in chart.numbers) > max(artist.zorder for artist in over)
        assert all(one.get_path_effects() for one in chart.numbers)
