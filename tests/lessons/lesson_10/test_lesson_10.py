"""Lesson 10: folding and rounding held to PyTorch's own, the control, formats, rows, figures, the explorer."""

import os
import re
import tomllib

import pytest
import torch
from matplotlib.colors import to_hex
from torch import nn

from helpers import __main__ as command
from helpers import results as store
from helpers.alike import settle
from helpers.lessons.lesson_10 import control, device, engine_threads, engines, folding, integers, plots, rows
from helpers.lessons.lesson_10.explorer_device import AXES, LOOKS, NO_LIMIT, device_explorer
from helpers.models import load_zoo, mobilenet_v2
from helpers.plots import COLOURS

pytestmark = pytest.mark.usefixtures("one_thread")


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def network():
    """A small MobileNetV2 whose BatchNorms have statistics of their own."""
    torch.manual_seed(0)
    model = mobilenet_v2(0.25, num_classes=10, stem_stride=1)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.5, 0.5)
    settle(model, noise(8, 3, 32, 32))
    return model.eval()


def gap(one, other, images):
    with torch.inference_mode():
        a, b = one(images), other(images)
    return float((a - b).abs().max() / b.abs().max())


# ------------------------------------------------------------------------------------------------ folding


@pytest.mark.parametrize("groups", [1, 6])
@pytest.mark.parametrize("bias", [False, True])
def test_one_layer_gives_what_two_gave(groups, bias):
    torch.manual_seed(1)
    conv, norm = nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=groups, bias=bias), nn.BatchNorm2d(6, eps=0.01)
    for values in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(values)
    norm.running_var.uniform_(0.001, 2)
    norm.eval()
    images = noise(2, 6, 9, 9)
    assert gap(folding.folded(conv, norm), lambda x: norm(conv(x)), images) < 1e-5


def test_a_folded_network_has_no_batchnorm_and_the_same_scores(network):
    folded, images = folding.fold_all(network), noise(4, 3, 32, 32, seed=1)
    assert not [layer for layer in folded.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)], "a copy is folded"
    assert gap(folded, network, images) < 1e-4
    assert folded.features[0][0].weight.is_contiguous(memory_format=torch.channels_last)


# ------------------------------------------------------------------------------------------------ eight bits


@pytest.mark.parametrize("bits", [8, 4])
def test_rounding_is_pytorch_s_own(bits):
    weight = noise(5, 3, 3, 3) * torch.tensor([1.0, 0.1, 3.0, 0.01, 1.0])[:, None, None, None]
    half = 2 ** (bits - 1)
    scale = integers.steps_of(weight, "per channel", bits)
    zeros = torch.zeros(5, dtype=torch.int32)
    wanted = torch.fake_quantize_per_channel_affine(weight, scale.flatten(), zeros, 0, -half, half - 1)
    assert torch.allclose(integers.rounded(weight, "per channel", bits), wanted, atol=1e-7)
    one = float(integers.steps_of(weight, "per tensor", bits))
    wanted = torch.fake_quantize_per_tensor_affine(weight, one, 0, -half, half - 1)
    assert torch.allclose(integers.rounded(weight, "per tensor", bits), wanted, atol=1e-7)
    assert float(integers.rounded(weight, "per tensor", bits).abs().max()) == pytest.approx(float(weight.abs().max()))


def test_a_range_is_spread_over_all_numbers_and_0_stays_0():
    scale, zero = integers.scale_and_zero(-1.0, 3.0)
    assert (scale, zero) == (pytest.approx(4 / 255), -64)
    ends = integers.quantize(torch.tensor([-1.0, 0.0, 3.0, 9.0, -9.0]), scale, zero)
    assert ends.tolist() == [-128, -64, 127, 127, -128]
    assert integers.dequantize(ends, scale, zero)[1] == 0
    with pytest.raises(ValueError, match="a scheme is one of per tensor, per channel, not 'per row'"):
        integers.steps_of(torch.ones(2, 2), "per row")


def test_what_enters_a_layer_lies_on_256_steps(network):
    images, seen = noise(6, 3, 32, 32), {}
    small = integers.int8_by_hand(network, images)
    for name, layer in integers.weighted(small).items():
        layer.register_forward_hook(lambda _, x, y, name=name: seen.__setitem__(name, len(x[0].unique())))
    with torch.inference_mode():
        small(images)
    assert len(seen) == 53 and max(seen.values()) <= 256 and sorted(seen.values())[26] > 60
    for layer in integers.weighted(small).values():
        assert max(len(channel.unique()) for channel in layer.weight) <= 255


def test_only_the_kind_that_is_named_is_rounded(network):
    folded, some = folding.fold_all(network), integers.with_rounded_weights(network, "per tensor", 4, "depthwise")
    before, after = integers.weighted(folded), integers.weighted(some)
    for name, layer in before.items():
        kept = torch.equal(layer.weight, after[name].weight)
        assert kept == (integers.kind_of(layer) != "depthwise"), name
    kinds = [integers.kind_of(layer) for layer in before.values()]
    assert (kinds.count("depthwise"), kinds.count("dense"), kinds.count("linear")) == (17, 1, 1)
    named = ["features.1.conv.0.0", "classifier.1"]
    some = integers.weighted(integers.with_rounded_weights(network, "per channel", 4, named))
    assert [name for name, layer in before.items() if not torch.equal(layer.weight, some[name].weight)] == named
    with pytest.raises(ValueError, match=r"no layer with weights is called features\.99"):
        integers.with_rounded_weights(network, "per tensor", 4, ["features.99", *named])


def test_ranges_hold_all_images_and_0(network):
    images = noise(10, 3, 32, 32)
    found = integers.ranges_seen(network, images, batch=4)
    assert found["features.0.0"] == (float(images.min()), float(images.max()))
    assert all(low <= 0 <= high for low, high in found.values())
    assert not any(layer._forward_pre_hooks for layer in network.modules())


def test_the_worst_channel_by_hand():
    layer = nn.Conv2d(1, 2, 1, bias=False)
    layer.weight.data = torch.tensor([12.7, 0.04]).reshape(2, 1, 1, 1)
    found = integers.worst_channels(nn.Sequential(nn.Conv2d(2, 2, 3, groups=2), layer, nn.Conv2d(2, 2, 3)))
    share, name = integers.least_channel(nn.Sequential(nn.Conv2d(1, 1, 1), layer))
    assert share == pytest.approx(0.04 / 12.7) and name == "1"
    assert found["pointwise"]["per tensor"] == pytest.approx(1) and found["pointwise"]["per channel"] < 1e-6


# ------------------------------------------------------------------------------------------------ the control


def test_a_disguise_changes_no_bit_and_breaks_one_scale_alone(network):
    images, folded, unlike = noise(4, 3, 32, 32, seed=2), folding.fold_all(network), control.unbalanced(network, 8)
    with torch.inference_mode():
        assert torch.equal(folded(images), unlike(images))
    assert torch.equal(control.unbalanced(network, 0)(images), folded(images))
    errors = {scheme: [gap(integers.with_rounded_weights(one, scheme), folded, images) for one in (network, unlike)]
              for scheme in integers.SCHEMES}  # fmt: skip
    assert errors["per channel"][0] == pytest.approx(errors["per channel"][1], rel=1e-4)
    assert errors["per tensor"][1] > 1.4 * errors["per tensor"][0]


# ------------------------------------------------------------------------------------------------ formats


def test_formats_of_pytorch_answer_alike(network):
    images = noise(5, 3, 32, 32)
    with torch.inference_mode():
        wanted = network(images)
    for name in ("PyTorch", "PyTorch, folded"):
        engine = engines.build(name, network)
        assert torch.allclose(engine.answers(images), wanted, atol=1e-3 * float(wanted.abs().max()))
    assert engines.build("PyTorch", network).size > 4 * 250_922
    graph = engines.exported(network, images).module()
    with torch.inference_mode():
        assert [len(graph(images[:n])) for n in (1, 5)] == [1, 5]


def test_an_absent_extra_is_said_with_what_to_do(network, monkeypatch):
    monkeypatch.setattr(engines, "missing", lambda packages=(): ["onnx"])
    with pytest.raises(ModuleNotFoundError, match=r"ONNX Runtime needs onnx: pip install -e '\.\[device\]'"):
        engines.build("ONNX Runtime", network)
    with pytest.raises(ValueError, match=r"a format is one of PyTorch, .*, not 'TFLite'"):
        engines.build("TFLite", network)


def test_what_is_not_installed_is_found_without_importing():
    assert engines.missing(("torch", "no_such_package_at_all")) == ["no_such_package_at_all"]


def test_the_extra_brings_what_the_formats_ask_for():
    project = tomllib.loads((store.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [re.match(r"\w+", line)[0] for line in project["optional-dependencies"]["device"]]
    assert sorted(asked) == sorted(engines.EXTRA)


def test_nothing_printed_gets_through(capfd):
    with engines.quiet():
        print("from Python")
        os.system("echo from elsewhere")
    print("afterwards")
    assert capfd.readouterr().out == "afterwards\n"


def test_onnx_runtime_answers_as_pytorch_does(network):
    if engines.missing():
        pytest.skip("the extra [device] is not installed")
    images = noise(3, 3, 32, 32)
    with torch.inference_mode():
        wanted = network.to(memory_format=torch.contiguous_format)(images)
    found = engines.build("ONNX Runtime", network).answers(images)
    assert torch.allclose(found, wanted, atol=1e-4 * float(wanted.abs().max()))


# ------------------------------------------------------------------------------------------------ rows


def test_committed_rows_agree_with_themselves():
    found = rows.committed()
    assert {"PyTorch", "ONNX Runtime", "ExecuTorch", "ExecuTorch int8"} <= {one.format for one in found}
    for one in found:
        plain = rows.row_of(one.width, "PyTorch")
        assert one.correct - plain.correct == one.only_this - one.only_float and one.total == 2000
        assert one.changed >= one.only_this + one.only_float
        assert one.ms_low <= one.ms <= one.ms_high
        if one.bits == 32:
            assert one.changed <= 2, "a float engine gives the same answers"
        else:
            assert one.bytes < 0.45 * plain.bytes
    assert len({row["code"] for row in store.read_results("device.csv")}) == 1
    assert len({(one.width, one.format) for one in rows.compared()}) == len(rows.compared())


def test_pairs_from_two_counts():
    pair = rows.pair(12, 5, 2000)
    assert (pair.only_first, pair.only_second, pair.total) == (12, 5, 2000) and pair.difference == 7 / 2000
    with pytest.raises(ValueError, match=r"α = 0\.3 was not measured as 'PyTorch'"):
        rows.row_of(0.3, "PyTorch")


def test_a_trial_measures_and_records_nothing(results):
    assert command.main(["device", "--limit", "20", "--width", "0.25", "--format", "PyTorch, folded"]) == 0
    assert not (results / "device.csv").exists()


def test_each_int8_row_names_its_images():
    options = command.parser("device").parse_args(
        ["device", "--width", "1", "--images", "10", "100", "--draw", "0", "1"]
    )
    units = device.units(options)
    assert len(units) == 5 + 2 * 4
    assert {(u["images"], u["draw"]) for u in units if "int8" not in u["format"]} == {(0, 0)}


def test_an_engine_is_made_and_timed_with_the_threads_that_its_row_names(results, monkeypatch, rows_of):
    seen = []

    def build(name, model, calibration, threads):
        seen.append(
            (
                name,
                None if calibration is None else len(calibration),
                threads,
                sum(map(torch.numel, model.parameters())),
            )
        )
        return engines.Engine(lambda x: seen.append((tuple(x.shape), torch.get_num_threads())), 1)

    monkeypatch.setattr(engine_threads.engines, "build", build)
    monkeypatch.setattr(engine_threads, "SECONDS", 0.01)
    for name in ("ONNX Runtime", "ExecuTorch int8"):
        assert command.main(["engine_threads", "--width", "0.25", "--format", name]) == 0
        rows = [row for row in rows_of(results / "engine_threads.csv") if row["format"] == name]
        made = [one for one in seen if len(one) == 4]
        assert [one[:3] for one in made] == [(name, 1000 if "int8" in name else None, n) for n in (1, 2)]
        assert made[0][3] == 250_922
        assert [(row["width"], row["format"], row["threads"]) for row in rows] == [
            ("0.25", name, "1"),
            ("0.25", name, "2"),
        ]
        assert {one for one in seen if len(one) == 2} == {((1, 3, 32, 32), 1), ((1, 3, 32, 32), 2)}
        seen.clear()
    units = engine_threads.units(command.parser("engine_threads").parse_args(["engine_threads"]))
    assert len(units) == 16 and [unit["threads"] for unit in units] == [1, 2] * 8


def test_the_table_of_threads_divides_one_by_two():
    known = [{"width": 1.0, "format": "PyTorch", "threads": n, "ms": 4.0} for n in (1, 2)]
    for name, times in (("ExecuTorch", (3.0, 2.0)), ("PyTorch", (2.0, 4.0))):
        known += [{"width": 0.25, "format": name, "threads": n, "ms": ms} for n, ms in enumerate(times, start=1)]
    head, *lines = engine_threads.table(known[::-1]).splitlines()
    assert head.split()[:3] == ["format", "one", "thread"]
    assert [line.split() for line in lines] == [
        ["0.25", "PyTorch", "2.000", "4.000", "×", "0.50"],
        ["0.25", "ExecuTorch", "3.000", "2.000", "×", "1.50"],
        ["1", "PyTorch", "4.000", "4.000", "×", "1.00"],
    ]
    assert len(engine_threads.table().splitlines()) == 9 and "ONNX Runtime" in engine_threads.table()


# ------------------------------------------------------------------------------------------------ figures


def test_calls_stand_in_their_order():
    figure, alt = plots.calls({"a": [0.5, 0.001], "b": [0.002, 0.004]})
    assert [list(line.get_ydata()) for line in figure.axes[0].lines] == [[500, 1], [2, 4]]
    assert "a: first 500.0 ms, least 1.0 ms" in alt


def test_channels_fall_from_one():
    figure, alt = plots.channel_sizes({"x": torch.tensor([1.0, 4.0, 2.0])})
    assert figure.axes[0].lines[0].get_ydata().tolist() == [1, 0.5, 0.25] and "x 0.50" in alt


def test_right_answers_in_per_cent():
    figure, alt = plots.right_by({"per tensor": {8: 100, 4: 20}, "per channel": {8: 150, 4: 120}}, 200, 0.1, "x", "T")
    first, second, chance = figure.axes[0].lines
    assert list(first.get_ydata()) == [50, 10] and list(second.get_ydata()) == [75, 60]
    assert to_hex(first.get_color()) == COLOURS["vermillion"].lower() and chance.get_ydata()[0] == 10
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["8", "4"] and "per tensor: 8 50.0 %" in alt


# ------------------------------------------------------------------------------------------------ the explorer


@pytest.fixture(scope="module")
def explorer():
    return device_explorer()


@pytest.mark.parametrize("x", AXES)
def test_every_mark_stands_at_its_numbers(explorer, x):
    start = explorer.values
    seen = explorer.set(x=x, mb=1, bits=0, width=0.25, format="ONNX Runtime").result
    picture = explorer._screen.picture
    picture.update(seen)
    value = {"milliseconds": lambda one: one.ms, "megabytes": lambda one: one.bytes / 1e6}[x]
    for name in LOOKS:
        for lines, fits in ((picture.good, True), (picture.pale, False)):
            mine = [one for one in rows.compared() if one.format == name and (one.bytes <= 1e6) == fits]
            wanted = [(value(one), 100 * one.correct / 2000) for one in mine]
            assert [tuple(point) for point in lines[name].get_xydata()] == [pytest.approx(two) for two in wanted]
    chosen = rows.row_of(0.25, "ONNX Runtime")
    assert picture.ring.get_xydata()[0].tolist() == pytest.approx([value(chosen), 100 * chosen.correct / 2000])
    best = max((one for one in rows.compared() if one.bytes <= 1e6), key=lambda one: (one.correct, -one.ms))
    assert seen.best == best and picture.axes.get_xlabel() == AXES[x][0]
    low, high = picture.axes.get_xlim()
    assert all(low < value(one) < high for one in rows.compared())
    bottom, top = picture.axes.get_ylim()
    assert all(bottom < 100 * one.accuracy.value < top for one in rows.compared())
    explorer.set(**start)


def test_bits_and_budgets_leave_what_they_say(explorer):
    start = explorer.values
    seen = explorer.set(bits=8, mb=NO_LIMIT, ms=NO_LIMIT).result
    assert {one.bits for one in seen.rows} == {8} and seen.fitting == seen.rows
    seen = explorer.set(bits=32, ms=0.2, mb=0.3).result
    assert seen.best is None and "none is left" in explorer.words.value
    assert not len(explorer._screen.picture.star.get_xdata())
    explorer.set(**{**start, "width": 0.25, "format": "PyTorch"})
    assert "1,587 of 2,000" in explorer.words.value and "0 answers changed" in explorer.words.value
    explorer.set(**start)


def test_the_zoo_s_network_is_the_one_of_the_rows():
    assert engines.state_bytes(load_zoo(0.25)) == rows.row_of(0.25, "PyTorch").bytes
