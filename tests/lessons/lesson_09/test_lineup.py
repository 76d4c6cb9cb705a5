"""Lesson 09's twenty networks, their times, the explorer and the figures: each mark where its numbers say."""

import math
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
import torchvision
from matplotlib.colors import to_hex
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from torch import nn

from helpers import latency
from helpers import plots as helper_plots
from helpers import results as store
from helpers.costs import count_macs, count_params
from helpers.evaluation import wilson_interval
from helpers.lessons.lesson_09 import layers, lineup, networks, parts, plots
from helpers.lessons.lesson_09.exercises import EXERCISES
from helpers.lessons.lesson_09.explorer_lineup import AXES, NO_LIMIT, lineup_explorer
from helpers.plots import COLOURS

pytestmark = pytest.mark.usefixtures("one_thread")
ROWS = networks.line_up()
MACS = {one.name: one.macs for one in ROWS}


# ------------------------------------------------------------------------------------------------ the networks


def test_twenty_networks_fewest_macs_first():
    assert len(ROWS) == len(networks.MEMBERS) == 20 and {one.family for one in ROWS} == set(networks.FAMILIES)
    assert [one.macs for one in ROWS] == sorted(one.macs for one in ROWS)


@pytest.mark.parametrize("one", ROWS, ids=lambda one: one.name)
def test_costs_and_accuracy_are_those_that_torchvision_tells(one):
    builder = networks.MEMBERS[one.name][1]
    if not builder:
        assert one.mark == "†"
        return
    meta = torchvision.models.get_model_weights(builder)["IMAGENET1K_V1"].meta
    assert one.params == meta["num_params"] and one.top1 == meta["_metrics"]["ImageNet-1K"]["acc@1"]
    assert one.macs / 1e9 == pytest.approx(meta["_ops"], abs=0.0006)
    assert one.mark == ("*" if one.name.split()[-1] in ("1.5", "2.0", "0.75", "1.3") else "")


def test_what_torchvision_does_not_have():
    lite, v1 = networks.network("EfficientNet-Lite0"), networks.network("MobileNetV1")
    assert (lite.params, lite.macs, lite.top1) == (4_652_008, 385_187_552, 75.1)
    assert (v1.params, v1.macs, v1.top1) == (4_231_976, 568_740_352, 70.9)
    printed = (store.DATA / "published" / "published_imagenet_results.csv").read_text(encoding="utf-8")
    assert "mobilenet_v1,1,224,569,4.24,70.9" in printed


def test_the_gap_that_the_page_calls_nothing_is_within_an_interval():
    low, high = wilson_interval(round(0.7 * 50_000), 50_000)
    assert 0.0035 < (high - low) / 2 < 0.0045
    gap = networks.network("MNASNet 0.5").top1 - networks.network("MobileNetV3-Small").top1
    assert gap == pytest.approx(0.066, abs=0.001)


def test_weights_depend_on_the_name_alone_and_leave_the_random_state():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    one, two = (networks.build("MobileNetV3-Small") for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state) and not one.training
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_the_front_by_hand():
    front = networks.front(ROWS)
    for one in ROWS:
        beaten = any(other.macs <= one.macs and other.top1 > one.top1 for other in ROWS)
        assert (one in front) == (not beaten), one.name
    assert front[-1].top1 == max(one.top1 for one in ROWS)


def test_committed_times_of_all_networks():
    rows = store.read_results("lineup.csv")
    assert {(row["network"], row["batch"]) for row in rows} == {(n, b) for n in networks.MEMBERS for b in (1, 32)}
    for row in rows:
        assert row["low"] <= row["ms"] <= row["high"] and row["threads"] == 1 and row["calls"] >= 5
    for batch in (1, 32):
        known = networks.committed(batch)
        assert set(known) == set(networks.MEMBERS)
        assert known["ResNet-18"] == pytest.approx(
            next(row["ms"] for row in rows if row["network"] == "ResNet-18" and row["batch"] == batch) / batch
        )


def test_the_clock_does_not_run_while_the_process_sleeps():
    if latency.CLOCK is not time.process_time:
        pytest.skip("the clock on the wall")
    before = latency.CLOCK()
    time.sleep(0.2)
    assert latency.CLOCK() - before < 0.1


def test_a_trial_of_the_times_records_nothing(results):
    from helpers import __main__ as command

    assert command.main(["lineup", "--limit", "1", "--network", "ShuffleNetV2 0.5", "--batch", "1"]) == 0
    assert not (results / "lineup.csv").exists()
    assert command.main(["lineup", "--network", "ShuffleNetV2 0.5", "--batch", "1"]) == 0
    (row,) = store.read_results("lineup.csv")
    assert row["network"] == "ShuffleNetV2 0.5" and row["batch"] == 1 and 0 < row["ms"] < 1000


# ------------------------------------------------------------------------------------------------ parts and controls


def test_every_layer_has_its_kind_and_the_parts_sum_to_the_whole():
    model = nn.Sequential(layers.conv_norm(3, 8, 3), layers.InvertedResidual(8, 8, 2, 1, 3, layers.conv_norm))
    model = model.eval().to(memory_format=torch.channels_last)
    found = parts.time_by_kind(model, 32, calls=3)
    assert list(found) == list(parts.KINDS) and found["grouped"] == 0
    assert all(found[kind] > 0 for kind in ("dense", "pointwise", "depthwise", "BatchNorm", "activation"))
    assert not any(layer._forward_hooks for layer in model.modules())
    assert (
        parts.kind_of(nn.Conv2d(8, 8, 3, groups=2)) == "grouped" and parts.kind_of(nn.Linear(2, 2)) == parts.KINDS[-1]
    )


@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNet-B0", "SqueezeNet 1.1"])
def test_a_control_leaves_the_macs(name):
    model = networks.build(name)
    bare, normed = parts.without(model, "BatchNorm", "activation"), parts.with_batchnorm(model)
    kinds = [parts.kind_of(layer) for layer in bare.modules() if not list(layer.children())]
    assert not {"BatchNorm", "activation"} & {*kinds}
    assert count_macs(bare, 64) == count_macs(model, 64) == count_macs(normed, 64)
    norms, convolutions = (sum(isinstance(layer, kind) for layer in normed.modules())
                           for kind in (nn.BatchNorm2d, nn.Conv2d))  # fmt: skip
    assert norms >= convolutions and count_params(normed) > count_params(model)


def test_a_network_without_shuffles_costs_the_same_and_moves_nothing():
    model = layers.ShuffleNetV2(0.5).eval()
    still = parts.without_shuffles(model)
    assert (count_macs(still, 64), count_params(still)) == (count_macs(model, 64), count_params(model))
    x = torch.rand(1, 48, 3, 3)
    units = [[one for one in net.modules() if isinstance(one, layers.ShuffleUnit)] for net in (model, still)]
    assert len(units[0]) == 16 and all(one.shuffle(x, 2) is x for one in units[1])
    assert not any(one.shuffle(x, 2) is x for one in units[0]), "the network itself is left alone"


class Fork(nn.Module):
    """A convolution (8 · 6 · 6 numbers), its ReLU in place or not, a view, a sum and a concatenation."""

    def __init__(self, inplace):
        super().__init__()
        self.conv, self.relu, self.drop = nn.Conv2d(3, 8, 1), nn.ReLU(inplace), nn.Dropout(0.5)

    def forward(self, x):
        x = self.drop(self.relu(self.conv(x)))
        a, b = x.chunk(2, dim=1)
        return torch.cat([x, a + b], dim=1)


@pytest.mark.parametrize("inplace", [True, False])
def test_every_number_that_is_written_is_counted_and_no_view(inplace):
    assert parts.values_written(Fork(inplace).eval(), 6) == 36 * (8 + 8 + 4 + 12)


def test_written_numbers_of_the_page():
    millions = {name: parts.values_written(networks.build(name), 224) / 1e6
                for name in ("SqueezeNet 1.1", "MobileNetV2", "ShuffleNetV2 2.0")}  # fmt: skip
    # the concatenations alone are 1.45 million in SqueezeNet, 1.72 in ShuffleNetV2, whose shuffles are as many again
    assert {name: round(value, 1) for name, value in millions.items()} == {
        "SqueezeNet 1.1": 7.0, "MobileNetV2": 19.7, "ShuffleNetV2 2.0": 13.8}  # fmt: skip


# ------------------------------------------------------------------------------------------------ choosing


def test_both_budgets_of_the_exercise_change_the_choice():
    def best(macs, megabytes):
        return max((o for o in ROWS if o.macs <= macs and o.megabytes <= megabytes), key=lambda one: one.top1).name

    assert best(320e6, 20) == "MNASNet 1.0"
    assert best(320e6, math.inf) == "MobileNetV3-Large" and best(math.inf, 20) == "EfficientNet-Lite0"


def test_the_rounded_times_of_the_exercise_are_the_committed_ones():
    assert [round(networks.committed(1)[name]) for name in ("ResNet-18", "MobileNetV2")] == [51, 21]
    for batch in (1, 32):
        times = networks.committed(batch)
        assert all(low <= times[name] <= high for name, (low, high) in networks.quartiles(batch).items())


@pytest.mark.parametrize("name", networks.MEMBERS)
def test_every_name_of_the_table_is_heard(name):
    for typed in (name, networks.network(name).label, name.lower().replace("-", " ")):
        right, words = EXERCISES["9.10"].judge(typed)
        assert right == (name == "MNASNet 1.0") and "none of the choices" not in words, words


# ------------------------------------------------------------------------------------------------ the explorer


@pytest.fixture(scope="module")
def explorer():
    return lineup_explorer()


@pytest.mark.parametrize("x", AXES)
@pytest.mark.parametrize("y", ["accuracy", "latency"])
def test_every_point_stands_at_its_numbers(explorer, x, y):
    seen = explorer.set(x=x, y=y, mac_limit=250, chosen="ResNet-18").result
    picture = explorer._screen.picture
    picture.update(seen)
    wanted = {"MACs": lambda one: one.macs / 1e6, "parameters": lambda one: one.params / 1e6,
              "latency": lambda one: networks.committed(1)[one.name], "accuracy": lambda one: one.top1,
              "latency in a batch": lambda one: networks.committed(32)[one.name],
              "memory": lambda one: one.peak_bytes / 1e6}  # fmt: skip
    for family in networks.FAMILIES:
        for lines, fits in ((picture.good, True), (picture.pale, False)):
            mine = [one for one in ROWS if one.family == family and (one.macs <= 250e6) == fits]
            assert [tuple(point) for point in lines[family].get_xydata()] == [
                pytest.approx((wanted[x](one), wanted[y](one))) for one in mine
            ]
        assert to_hex(picture.good[family].get_color()) == networks.colour(family).lower()
    resnet, best = networks.network("ResNet-18"), networks.network("MobileNetV3-Large")
    assert tuple(picture.ring.get_xydata()[0]) == pytest.approx((wanted[x](resnet), wanted[y](resnet)))
    assert tuple(picture.star.get_xydata()[0]) == pytest.approx((wanted[x](best), wanted[y](best)))
    below = picture.name.xyann[1] < 0
    assert (picture.name.get_verticalalignment() == "top") == below == (y == "latency" or wanted[y](resnet) > 60)
    assert picture.name.get_text() == "ResNet-18" and picture.axes.get_xlabel() == AXES[x].words
    low, high = picture.axes.get_xlim()
    assert all(low < wanted[x](one) < high for one in ROWS)


def test_budgets_and_families_leave_what_they_say(explorer):
    start = explorer.values
    seen = explorer.set(mac_limit=NO_LIMIT, byte_limit=12, time_limit=NO_LIMIT, chosen="MobileNetV2", x="MACs",
                        y="accuracy").result  # fmt: skip
    assert {one.name for one in seen.fitting} == {one.name for one in ROWS if 4 * one.params <= 12e6}
    assert seen.broken == ("14.0 MB of weights are more than 12",) and "14.0 MB" in explorer.words.value
    seen = explorer.set(byte_limit=NO_LIMIT, time_limit=12).result
    assert {one.name for one in seen.fitting} == {n for n, ms in networks.committed(1).items() if ms <= 12}
    seen = explorer.set(time_limit=NO_LIMIT, MobileNet=False, EfficientNet=False).result
    assert len(seen.rows) == 13 and seen.best.name == max(seen.rows, key=lambda one: one.top1).name
    assert "13 of 13" in explorer.words.value
    seen = explorer.set(mac_limit=50, ShuffleNetV2=False).result
    assert (
        seen.best is None
        and "none is left" in explorer.words.value
        and not len(explorer._screen.picture.star.get_xdata())
    )
    assert explorer.set(**start).error == ""


def test_times_of_this_machine_take_the_place_of_the_committed_ones():
    times = {one.name: 5.0 for one in ROWS} | {"ResNet-18": 99.0}
    mine = lineup_explorer(times).set(time_limit=8, mac_limit=NO_LIMIT, chosen="ResNet-18")
    assert len(mine.result.fitting) == 19 and "99.0 ms alone" in mine.words.value
    with pytest.raises(ValueError, match=r"a time is needed for every network; none is given for .*ResNet-18"):
        lineup_explorer({"MobileNetV2": 3.0})


# ------------------------------------------------------------------------------------------------ figures


def test_the_shuffle_s_arrows_lead_where_the_channels_go():
    after = [0, 4, 1, 5, 2, 6, 3, 7]
    figure, alt = plots.shuffle(range(8), after)
    arrows = [text for text in figure.axes[0].texts if getattr(text, "arrow_patch", None)]
    assert [(arrow.xyann[0], arrow.xy[0]) for arrow in arrows] == [(c, after.index(c)) for c in range(8)]
    assert [to_hex(arrow.arrow_patch.get_edgecolor()) for arrow in arrows] == [
        COLOURS["blue" if c < 4 else "orange"].lower() for c in range(8)
    ]
    assert "[0, 4, 1, 5, 2, 6, 3, 7]" in alt


def test_formula_and_count_stand_at_their_numbers():
    rows = [("B0", 1.0, 1.0), ("B1", 1.26, 1.78), ("B2", 1.96, 2.58)]
    (axis,) = plots.scaling(rows)[0].axes
    said, counted, doubled = axis.lines
    assert list(said.get_ydata()) == [1.0, 1.26, 1.96] and list(counted.get_ydata()) == [1.0, 1.78, 2.58]
    assert list(doubled.get_ydata()) == pytest.approx([1, 1.920270, 3.687437]) and axis.get_yscale() == "log"
    assert [text.get_text() for text in axis.get_legend().get_texts()][1] == "counted"


def test_pictures_carry_their_names():
    figure, alt = plots.named(
        [torch.zeros(4, 4, 3, dtype=torch.uint8)] * 2, [[("cat", 0.5), ("dog", 0.2)], [("van", 0.9)]]
    )
    assert [axis.get_title() for axis in figure.axes] == ["cat 50%\ndog 20%", "van 90%"]
    long = [("Rhodesian ridgeback", 0.5)]
    titles = [axis.get_title() for axis in plots.named([torch.zeros(4, 4, 3)] * 2, [long, long])[0].axes]
    assert titles == ["Rhodesian ridgeback 50%", "Rhodesian ridge… 50%"]
    assert "cat 50%, van 90%" in alt


def test_the_front_s_line_and_hollow_marks():
    figure, alt = plots.pareto(ROWS)
    line, *points = figure.axes[0].lines
    best = networks.front(ROWS)
    assert [tuple(p) for p in line.get_xydata()] == [(one.macs / 1e6, one.top1) for one in best]
    assert line.get_drawstyle() == "steps-post", "level up to the next network: between two there is none to have"
    found = {tuple(p.get_xydata()[0]): p for p in points}
    for one in ROWS:
        point = found[one.macs / 1e6, one.top1]
        assert to_hex(point.get_color()) == networks.colour(one.family).lower()
        assert (point.get_markerfacecolor() == "white") == bool(one.mark)
    labels = {text.get_text(): text.xy for text in figure.axes[0].texts}
    assert labels == {one.label: (one.macs / 1e6, one.top1) for one in ROWS}
    assert all(one.name in alt for one in best)


def test_no_label_of_the_front_lies_on_a_mark_or_the_line():
    helper_plots.use_style()
    axis = (figure := plots.pareto(ROWS)[0]).axes[0]
    figure.draw_without_rendering()
    line, *points = axis.lines
    pairs = pairwise(line.get_xydata())
    steps = [corner for (x0, y0), (x1, y1) in pairs for corner in ((x0, y0), (x1, y0), (x1, y1))]
    ends = axis.transData.transform(steps)
    dots = axis.transData.transform([point.get_xydata()[0] for point in points])
    scale = figure.dpi / 72
    marks = [Bbox.from_bounds(x - 4 * scale, y - 4 * scale, 8 * scale, 8 * scale) for x, y in dots]
    marks += [Bbox.from_extents(*np.minimum(a, b) - 2.5 * scale, *np.maximum(a, b) + 2.5 * scale)
              for a, b in pairwise(ends)]  # fmt: skip
    boxes = {text.get_text(): Text.get_window_extent(text) for text in axis.texts}
    for name, box in boxes.items():
        box = box.padded(-1.5 * scale)  # the extent holds room for accents and descenders
        assert not [mark for mark in marks if box.overlaps(mark)], name
        assert not [other for other in boxes if other != name and box.overlaps(boxes[other].padded(-1.5 * scale))], name


def test_lines_join_two_places():
    times = MACS | {"SqueezeNet 1.0": 1.0}
    figure, alt = plots.orders(ROWS, times, ["SqueezeNet 1.0"], "time")
    axis, order = figure.axes[0], [one.name for one in ROWS]
    by_time = sorted(order, key=times.get)
    for name, line in zip(order, axis.lines, strict=True):
        assert list(line.get_ydata()) == [order.index(name), by_time.index(name)]
        assert (to_hex(line.get_color()) == COLOURS["vermillion"].lower()) == (name == "SqueezeNet 1.0")
    assert "SqueezeNet 1.0 from 19 to 1" in alt and axis.get_ylim()[0] > axis.get_ylim()[1]


def test_bars_stack_up_to_the_whole():
    shares = {"one": dict(zip(parts.KINDS, range(1, 8), strict=True)), "two": dict.fromkeys(parts.KINDS, 2.0)}
    figure, alt = plots.parts(shares)
    (axis,) = figure.axes
    for place, one in enumerate(shares.values()):
        bars = [bar for bar in axis.patches if round(bar.get_y() + bar.get_height() / 2) == place]
        assert [bar.get_width() for bar in bars] == list(one.values())
        assert bars[-1].get_x() + bars[-1].get_width() == pytest.approx(sum(one.values()))
    assert len({to_hex(bar.get_facecolor()) for bar in axis.patches}) == len(parts.KINDS)
    colours = {kind: to_hex(bar.get_facecolor()) for kind, bar in zip(parts.KINDS, axis.patches[::2], strict=False)}
    bare = plots.parts({"one": shares["one"] | {"grouped": 0.0}})[0].axes[0]
    assert [text.get_text() for text in bare.get_legend().get_texts()] == [k for k in parts.KINDS if k != "grouped"]
    assert [to_hex(bar.get_facecolor()) for bar in bare.patches[:1]] == [colours["dense"]]
    assert "dense 4%" in alt and math.isclose(sum(shares["one"].values()), 28)


def test_networks_take_turns_and_each_gets_its_own_median(monkeypatch):
    """A clock that stands still but for what a model's call adds: of each turn the second call counts, from round 3."""
    now, calls = [0.0], []
    turns = [90, 80, 1, 2, 3, 4, 100]  # milliseconds of the call that may count

    def model(name: str, more: float):
        class Slow(torch.nn.Module):
            def forward(self, x):
                assert x.shape == (1, 3, 32, 32) and torch.get_num_threads() == 1
                turn, second = divmod(calls.count(name), 2)
                calls.append(name)
                now[0] += (turns[turn] + more) / 1e3 if second else 5.0
                return x

        return Slow()

    monkeypatch.setattr(latency, "CLOCK", lambda: now[0])
    threads = torch.get_num_threads()
    found = lineup.by_turns(model("a", 0), model("b", 10), size=32, rounds=5)
    assert found == pytest.approx([3, 13]) and torch.get_num_threads() == threads
    assert calls == ["a", "a", "b", "b"] * 7, "two rounds warm up, five count"
