"""Lesson 10's second page: rounding in the loop, zeros, cut channels, a teacher; studies, rows, figures."""

import argparse
import copy
import inspect
import math

import pytest
import torch
import torch.nn.functional as F
from matplotlib.colors import to_hex
from torch import nn
from torch.nn.utils import parametrize

from helpers import __main__ as command
from helpers.alike import settle
from helpers.costs import count_macs
from helpers.data import CLASSES, ImageSet
from helpers.lessons.lesson_10 import distil, engines, integers, operators, plots, shrink, shrinking, to_write_shrinking
from helpers.lessons.lesson_10.folding import fold_all
from helpers.models import mobilenet_v2
from helpers.plots import COLOURS
from helpers.results import read_results
from helpers.runs import recipes

pytestmark = pytest.mark.usefixtures("one_thread")
PAGE = "10b_smaller_by_training"


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def pictures(count: int, source: str = "made up") -> ImageSet:
    draws = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 32, 32, 3), generator=draws, dtype=torch.uint8)
    return ImageSet(pixels, torch.arange(count) % 10, CLASSES, source)


@pytest.fixture(scope="module")
def network():
    """A small MobileNetV2 whose BatchNorms have statistics of their own, folded."""
    torch.manual_seed(0)
    model = mobilenet_v2(0.25, num_classes=10, stem_stride=1)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.5, 0.5)
    return fold_all(settle(model, noise(8, 3, 32, 32)))


def gap(one, other, images) -> float:
    with torch.inference_mode():
        a, b = one(images), other(images)
    return float((a - b).abs().max() / b.abs().max())


# ------------------------------------------------------------------------------------------------ rounded, masked


@pytest.mark.parametrize("bits", [8, 4])
def test_forwards_it_is_the_rounded_network_and_backwards_the_gradient_goes_straight(network, bits):
    images, loop = noise(4, 3, 32, 32), shrinking.with_rounding(network, bits)
    afterwards = integers.with_rounded_weights(network, "per tensor", bits)
    assert gap(loop, afterwards, images) < 1e-5 and gap(shrinking.settled(loop), afterwards, images) < 1e-5
    loop.zero_grad(), afterwards.requires_grad_(True)
    loop(images).square().sum().backward(), afterwards(images).square().sum().backward()
    for name, layer in integers.weighted(afterwards).items():
        mine = integers.weighted(loop)[name].parametrizations.weight.original.grad
        assert torch.allclose(mine, layer.weight.grad, rtol=1e-3, atol=1e-3 * float(layer.weight.grad.abs().max()))


def test_the_exercise_is_what_the_network_does(network):
    weight = noise(4, 3, 3, 3)
    wanted, slope, left = to_write_shrinking.learning(lambda w, bits: shrinking.Rounding(bits)(w), weight, 4)
    found, mine, _ = to_write_shrinking.learning(to_write_shrinking.straight_through, weight, 4)
    assert torch.allclose(wanted, found) and torch.equal(slope, mine) and torch.equal(left, weight)


def test_the_smaller_half_of_each_pointwise_layer_is_0_and_stays_0(network):
    sparse = shrinking.with_zeros(network, 0.5)
    for _ in range(2):
        sparse.train()
        F.cross_entropy(sparse(noise(8, 3, 32, 32)), torch.arange(8)).backward()
        torch.optim.SGD(sparse.parameters(), 0.1).step()
    before, after = integers.weighted(network), integers.weighted(shrinking.settled(sparse))
    for name, layer in after.items():
        zero = layer.weight == 0
        if integers.kind_of(layer) != "pointwise":
            assert not zero.any(), name
            continue
        assert int(zero.sum()) == round(0.5 * zero.numel())
        sizes = before[name].weight.abs()
        assert sizes[zero].max() <= sizes[~zero].min()


def test_settled_is_a_copy_without_parametrizations(network):
    loop = shrinking.with_rounding(network, 4)
    still = shrinking.settled(loop)
    assert not any(parametrize.is_parametrized(layer) for layer in still.modules())
    assert parametrize.is_parametrized(loop.features[0][0]) and not still.training
    assert len(loop.features[0][0].weight.unique()) <= 15, "the original stays as it was"
    assert max(len(layer.weight.unique()) for layer in integers.weighted(still).values()) <= 15


# ------------------------------------------------------------------------------------------------ whole channels


@pytest.mark.parametrize("how", [shrinking.MAGNITUDE, shrinking.RANDOM])
def test_a_cut_network_answers_as_one_whose_channels_nobody_reads(network, how):
    images, cut = noise(4, 3, 32, 32), shrinking.with_fewer_channels(network, 0.75, how, seed=3)
    deaf, draws = copy.deepcopy(network), torch.Generator().manual_seed(3)
    for layers in shrinking.blocks(deaf):
        keep = shrinking.kept(layers, 0.75, how, draws)
        gone = torch.ones(layers[0].out_channels, dtype=torch.bool).index_fill(0, keep, False)
        layers[2].weight.data[:, gone] = 0
    assert gap(cut, deaf, images) < 1e-4 < gap(cut, network, images)


def test_macs_fall_with_the_hidden_channels(network):
    macs = {share: count_macs(shrinking.with_fewer_channels(network, share), 32) for share in (1.0, 0.75, 0.5)}
    assert macs[1.0] == 2_945_152 and macs[1.0] - macs[0.75] == pytest.approx(macs[0.75] - macs[0.5], rel=0.02)
    assert len(shrinking.blocks(network)) == 16
    for _, depthwise, _ in shrinking.blocks(shrinking.with_fewer_channels(network, 0.5)):
        assert depthwise.groups == depthwise.in_channels == depthwise.out_channels


def test_strength_is_blind_to_the_disguise_of_page_10():
    expand, depthwise, project = nn.Conv2d(4, 6, 1), nn.Conv2d(6, 6, 3, groups=6), nn.Conv2d(6, 4, 1)
    before = shrinking.strengths(expand, depthwise, project)
    expand.weight.data[2] *= 8
    depthwise.weight.data[2] /= 8
    assert torch.allclose(before, shrinking.strengths(expand, depthwise, project))
    project.weight.data[:, 2] = 0
    assert shrinking.strengths(expand, depthwise, project)[2] == 0


def test_the_strongest_stay_in_their_order():
    layers = nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 1, groups=4), nn.Conv2d(4, 1, 1)
    for layer in layers:
        layer.weight.data[:] = 1
    layers[0].weight.data[:, 0, 0, 0] = torch.tensor([3.0, -9.0, 1.0, 5.0])
    assert shrinking.kept(layers, 0.5, shrinking.MAGNITUDE, None).tolist() == [1, 3]
    draws = [shrinking.kept(layers, 0.5, shrinking.RANDOM, torch.Generator().manual_seed(s)).tolist() for s in range(9)]
    assert len({tuple(one) for one in draws}) > 2 and all(one == sorted(one) for one in draws)
    with pytest.raises(ValueError, match="channels are chosen by magnitude or at random, not 'by size'"):
        shrinking.kept(layers, 0.5, "by size", None)


def test_cut_is_what_the_reader_writes():
    layers = nn.Conv2d(4, 6, 1), nn.Conv2d(6, 6, 3, groups=6), nn.Conv2d(6, 4, 1)
    keep = torch.tensor([0, 2, 5])
    mine = to_write_shrinking.cut(*((layer.weight, layer.bias) for layer in layers), keep)
    for new, (weight, bias) in zip(shrinking.without_channels(*layers, keep), mine, strict=True):
        assert torch.equal(new.weight, weight) and torch.equal(new.bias, bias)


# ------------------------------------------------------------------------------------------------ trained on, timed


def test_training_on_leaves_the_given_network_and_depends_on_the_seed(network):
    before = copy.deepcopy(network.state_dict())
    one, same, other = (shrinking.finetuned(network, pictures(80), seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(before.values(), network.state_dict().values(), strict=True))
    images = noise(2, 3, 32, 32)
    assert gap(one, same, images) == 0 < gap(one, other, images) and one.loss == same.loss != other.loss
    assert not any(parameter.requires_grad for parameter in one.parameters())


# ------------------------------------------------------------------------------------------------ a teacher


def test_the_gradient_put_beside_the_label_s_is_that_of_the_loss():
    torch.manual_seed(0)
    student, teacher = (mobilenet_v2(0.25, 10, 1, dropout=0.0) for _ in range(2))
    nn.init.normal_(teacher.classifier[1].weight)
    images, labels = noise(6, 3, 32, 32), torch.arange(6)
    student.train(), teacher.eval()
    with torch.no_grad():
        wanted = teacher(images)
    distil.distillation_loss(student(images), wanted, labels, smoothing=0.1).backward()
    direct = {name: p.grad.clone() for name, p in student.named_parameters()}
    student.zero_grad()
    undo = distil.taught(student, teacher)
    F.cross_entropy(student(images), labels, label_smoothing=0.1).backward()
    largest = max(float(one.abs().max()) for one in direct.values())
    for name, parameter in student.named_parameters():
        assert torch.allclose(parameter.grad, direct[name], rtol=1e-3, atol=1e-5 * largest), name
    assert not any(p.requires_grad for p in teacher.parameters())
    undo()
    student.zero_grad()
    F.cross_entropy(student(images), labels, label_smoothing=0.1).backward()
    assert not torch.allclose(student.classifier[1].bias.grad, direct["classifier.1.bias"])
    assert "teacher" not in " ".join(student.state_dict())


def test_the_page_s_loss_is_the_study_s(functions_of):
    written = functions_of(PAGE)["distillation_loss"]
    scores, teacher, labels = noise(5, 10), noise(5, 10, seed=1), torch.arange(5)
    for temperature, share in ((4.0, 0.9), (1.0, 0.5), (2.0, 0.0)):
        mine = written(scores, teacher, labels, temperature, share)
        assert float(mine) == pytest.approx(
            float(distil.distillation_loss(scores, teacher, labels, temperature, share)), rel=1e-5
        )
    defaults = {name: one.default for name, one in inspect.signature(written).parameters.items()}
    assert (defaults["T"], defaults["share"]) == (distil.TEMPERATURE, distil.SHARE)


@pytest.fixture
def tiny(results, monkeypatch):
    sets = (pictures(60, "a"), pictures(40, "b"), pictures(10, "c"))
    monkeypatch.setattr(distil, "zoo_sets", lambda: sets)
    monkeypatch.setattr(distil, "load_zoo", lambda width: mobilenet_v2(0.25, 10, 1).eval())
    return results


def options(module, *words: str):
    parser = argparse.ArgumentParser()
    module.arguments(parser)
    return parser.parse_args(list(words))


def test_students_are_paired_and_not_trained_twice(tiny, rows_of, monkeypatch):
    asked = options(distil, "--images", "60", "--epochs", "1", "--batch-size", "30", "--seeds", "2")
    assert distil.run(asked, lambda words: None) == 0
    rows = rows_of(tiny / "distil.csv")
    assert [(row["teacher"], row["seed"]) for row in rows] == [("none", "0"), ("none", "1"), ("α 1", "0"), ("α 1", "1")]
    alone, taught = rows[0], rows[2]
    assert int(taught["correct"]) - int(alone["correct"]) == int(taught["only_this"]) - int(taught["only_alone"])
    assert (alone["temperature"], taught["temperature"], taught["share"]) == ("", "4.0", "0.9")
    assert alone["total"] == "40" and alone["only_this"] == alone["only_alone"] == "0"
    assert alone["loss"] != taught["loss"], "the teacher changes what is learned"
    monkeypatch.setattr(distil, "judged", lambda *_: pytest.fail("it was trained again"))
    lines = []
    distil.run(asked, lines.append)
    assert lines[-1] == "4 of 4 rows are there already"


def test_the_long_runs_are_the_documented_ones():
    asked = distil.settings(options(distil, "--long"))
    assert asked == {"images": 45_000, "epochs": 10, "batch_size": 128, "seeds": 5}
    assert len(distil.units(options(distil, "--long"))) == 10
    assert distil.settings(options(distil)) == distil.SHORT
    assert distil.settings(options(distil, "--long", "--seeds", "2"))["seeds"] == 2
    assert recipes.ZOO.lr == distil.LR * 128 and distil.RECIPE["weight_decay"] == recipes.ZOO.weight_decay


def test_the_recipe_is_lesson_07_s():
    row = next(row for row in read_results("ablation.csv") if row["variant"] == "recipe")
    for name in ("weight_decay", "warmup_epochs", "label_smoothing", "ema_decay"):
        assert row[name] == distil.RECIPE[name]
    assert row["augment"] == " ".join(distil.RECIPE["augment"]) and row["schedule"] == recipes.Recipe(1, 1, 0).schedule
    assert row["lr"] == pytest.approx(distil.LR * row["batch_size"]) and row["macs"] == 2_945_152


# ------------------------------------------------------------------------------------------------ the study of arms


def test_each_arm_starts_as_its_name_says():
    macs = {arm: count_macs(shrink.start_of(arm), 32) for arm in shrink.ARMS}
    assert macs["half the weights 0"] == macs[shrink.WIDER] > macs["3/4 of the channels"] == macs["3/4, at random"]
    assert macs["3/4 of the channels"] > macs[shrink.BASE] == macs["4 bits"] == macs["8 bits"]
    loop = shrink.start_of("4 bits").features[0][0].parametrizations.weight[0]
    assert isinstance(loop, shrinking.Rounding) and (loop.bits, loop.scheme) == (4, "per tensor")
    for arm, said in (("8 bits", (8, "per tensor")), ("4 bits, a channel", (4, "per channel"))):
        loop = shrink.start_of(arm).features[0][0].parametrizations.weight[0]
        assert (loop.bits, loop.scheme) == said
    one, other = (shrink.start_of("3/4, at random", seed).features[3].conv[0][0].weight for seed in (0, 1))
    assert not torch.equal(one, other)


def test_arms_of_one_seed_are_compared_image_by_image(results, rows_of, monkeypatch):
    monkeypatch.setattr(shrink, "load_cifar10", lambda which: (pictures(40), pictures(50)))
    monkeypatch.setattr(shrink, "ARMS", {arm: shrink.ARMS[arm] for arm in (shrink.BASE, "4 bits")})
    assert shrink.run(options(shrink, "--seeds", "1"), lambda words: None) == 0
    base, four = sorted(rows_of(results / "shrink.csv"), key=lambda row: row["arm"] != shrink.BASE)
    assert base["only_this"] == base["only_control"] == "0" and base["total"] == "50"
    assert int(four["correct"]) - int(base["correct"]) == int(four["only_this"]) - int(four["only_control"])


def test_a_trial_records_nothing(results):
    assert command.main(["shrink", "--limit", "100", "--seeds", "1"]) == 0
    assert not (results / "shrink.csv").exists()


def made_up() -> list[dict]:
    base = {"macs": 3e6, "total": 100, "only_this_25": 0, "only_25": 0}
    return [
        {"arm": arm, "seed": seed, "before": before, "correct": 80 + more - less, "only_this": more,
         "only_control": less, **base}
        for arm, before, more, less in ((shrink.BASE, 79, 0, 0), ("4 bits", 50, 2, 7)) for seed in (0, 1, 2)
    ]  # fmt: skip


def test_the_table_tells_means_and_points():
    lines = shrink.table(made_up(), shrink.BASE, "4 bits").splitlines()
    assert lines[1].split()[-3:] == ["79", "80", "–"]
    assert lines[2].endswith("50     75   -5.0 (-5.0 to -5.0)") and "3.00" in lines[2]
    assert shrink.counts(made_up(), "4 bits") == {"4 bits": [75, 75, 75]}
    assert [pair.difference for pair in shrink.pairs(made_up(), "4 bits")] == [-0.05] * 3


def test_committed_rows_agree_with_themselves():
    rows = shrink.committed()
    for row in rows:
        control = shrink.BASE if row["width"] == 0.25 else shrink.WIDER
        (other,) = [one for one in rows if (one["arm"], one["seed"]) == (control, row["seed"])]
        (base,) = [one for one in rows if (one["arm"], one["seed"]) == (shrink.BASE, row["seed"])]
        assert row["correct"] - other["correct"] == row["only_this"] - row["only_control"]
        assert row["correct"] - base["correct"] == row["only_this_25"] - row["only_25"] and row["total"] == 2000
    assert len({row["code"] for row in read_results(shrink.FILE)}) == 1
    for file in (distil.FILE, distil.FILE_LONG):
        told = distil.known(file)
        for row in (row for row in told if row["teacher"] == distil.TAUGHT):
            (alone,) = [one for one in told if (one["teacher"], one["seed"]) == (distil.ALONE, row["seed"])]
            assert row["correct"] - alone["correct"] == row["only_this"] - row["only_alone"]


def test_the_prose_tells_the_rows():
    rows = shrink.committed()
    told = {arm: shrink.points(shrink.pairs(rows, arm)).split()[0] for arm in shrink.ARMS}
    assert (told["4 bits"], told["half the weights 0"]) == ("-3.7", "-4.2")
    assert (told["3/4 of the channels"], told["3/4, at random"]) == ("-4.8", "-12.3")
    assert shrink.points(shrink.pairs(rows, "8 bits")) == "+0.2 (-0.3 to +0.7)"
    assert shrink.points(shrink.pairs(rows, "4 bits, a channel")) == "-0.6 (-1.4 to +0.2)"
    assert shrink.points(shrink.pairs(rows, "3/4 of the channels", "25")).split()[0] == "-2.5"
    assert shrink.points(shrink.pairs(rows, "half the weights 0", "25")).split()[0] == "-1.8"
    means = {arm: sum(counts) / 5 for arm, counts in shrink.counts(rows, *shrink.ARMS).items()}
    told = ("4 bits", "4 bits, a channel", shrink.BASE)
    assert [round(means[arm]) for arm in told] == [1491, 1553, 1565]
    pairs, long = distil.pairs(distil.known()), distil.pairs(distil.known(distil.FILE_LONG))
    assert shrink.points(pairs) == "+1.5 (-1.7 to +4.8)" and f"{pairs[1].p_value:.0e}" == "1e-14"
    assert [f"{100 * pair.difference:+.1f}" for pair in pairs[:2]] == ["+2.9", "+5.4"]
    assert all(pair.high > 0 > pair.low for pair in pairs[2:]), "the other three: nothing"
    assert shrink.points(long) == "+2.4 (+1.0 to +3.8)" and all(pair.difference > 0 for pair in long)
    assert len(long) == 5 and {row["total"] for row in distil.known(distil.FILE_LONG)} == {5000}


# ------------------------------------------------------------------------------------------------ operations


def test_sorting_finds_the_median():
    maps = noise(3, 5, 2, 2)
    assert torch.equal(operators.median(maps), operators.sorted_middle(maps))
    assert torch.equal(operators.median(noise(1, 2, 3, 3)), operators.sorted_middle(noise(1, 2, 3, 3)))


def test_pooling_by_the_mean_is_the_network_itself():
    torch.manual_seed(0)
    model = mobilenet_v2(0.25, 10, 1).eval()
    images = noise(2, 3, 32, 32)
    assert gap(operators.Pooled(model, operators.mean), model, images) < 1e-5
    assert gap(operators.Pooled(model, operators.median), model, images) > 1e-3


def test_why_is_the_innermost_error_s_first_line():
    try:
        try:
            raise KeyError("no such operation\nand a page of advice")
        except KeyError as error:
            raise RuntimeError("step 3 of 3 failed") from error
    except RuntimeError as error:
        assert operators.innermost(error).startswith("'no such operation")
    assert len(operators.innermost(ValueError("x" * 200))) == 90


def test_a_refusal_is_told_and_a_file_that_is_not_loaded_too(monkeypatch):
    model, images = nn.Flatten(), torch.zeros(2, 3, 4, 4)
    monkeypatch.setattr(engines, "onnx_file", lambda model, images, path: path.write_bytes(b"x"))

    def refuse(*_):
        raise ValueError("no kernel")

    monkeypatch.setattr(engines, "onnx_runtime", refuse)
    assert operators.tried(model, images)[:2] == ("not loaded", "no kernel")
    monkeypatch.setattr(engines, "onnx_file", refuse)
    outcome, why, far = operators.tried(model, images)
    assert (outcome, why) == ("refused", "no kernel") and math.isnan(far)
    monkeypatch.setattr(engines, "onnx_file", lambda model, images, path: path)
    monkeypatch.setattr(engines, "onnx_runtime", lambda path: engines.Engine(lambda x: model(x) + 0.5, 1))
    assert operators.tried(model, images) == ("answers", "", 0.5)


def test_without_the_extra_the_study_says_what_to_install(monkeypatch, results, capsys):
    monkeypatch.setattr(engines, "missing", lambda packages=(): ["onnx"])
    assert command.main(["operators", "--pooling", "median"]) == 1
    assert "this needs onnx: pip install -e '.[device]'" in capsys.readouterr().err


def test_the_page_speaks_of_these_rows():
    found = {(name, kind): operators.row_of(name, kind)["outcome"] for name in operators.POOLINGS
             for kind in operators.FORMATS}  # fmt: skip
    assert found["median", "ONNX"] == found["median", "ExecuTorch"] == "refused"
    assert found["mean", "ONNX"] == found["mean", "ExecuTorch"] == found["sorted_middle", "ONNX"] == "answers"
    assert found["sorted_middle", "ExecuTorch"] == "not loaded"


# ------------------------------------------------------------------------------------------------ figures


def test_seeds_stand_at_their_shares():
    after, before = {"a": [100, 120], "b": [60, 80]}, {"b": [10, 30]}
    figure, alt = plots.by_seed(after, 200, "T", before)
    (axis,) = figure.axes
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    assert [list(line.get_xdata()) for line in dots] == [[50, 60], [30, 40]]
    assert [set(line.get_ydata()) for line in dots] == [{0}, {1}]
    means = [line for line in axis.lines if line.get_marker() == "None"]
    assert [list(line.get_xdata()) for line in means] == [[55, 55], [35, 35]]
    (cross,) = [line for line in axis.lines if line.get_marker() == "x"]
    assert list(cross.get_xdata()) == [5, 15] and set(cross.get_ydata()) == {1}
    assert to_hex(cross.get_color()) == COLOURS["vermillion"].lower()
    assert [text.get_text() for text in axis.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a seed", "mean", "before"]
    assert alt == "T. a: mean 55.0 %, 50.0 to 60.0; b: mean 35.0 %, 30.0 to 40.0, before 10.0."


def test_soft_targets_are_bars_under_their_picture():
    shares = {"T = 1": torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]), "T = 4": torch.full((2, 3), 1 / 3)}
    figure, alt = plots.soft_targets(pictures(2).images, ["x", "y", "z"], shares)
    top, bottom = figure.axes[:2], figure.axes[2:]
    assert [axis.images[0].get_array().shape for axis in top] == [(32, 32, 3)] * 2
    for column, axis in enumerate(bottom):
        bars = [[bar.get_width() for bar in group] for group in axis.containers]
        assert bars == [pytest.approx(shares[name][column].tolist()) for name in shares]
        heights = [bar.get_y() + bar.get_height() / 2 for bar in axis.containers[0]]
        assert heights == pytest.approx([-0.2, 0.8, 1.8])
    assert [text.get_text() for text in bottom[0].get_yticklabels()] == ["x", "y", "z"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["T = 1", "T = 4"]
    assert "image 1, T = 1: x 0.70, y 0.20" in alt and "image 2, T = 1: z 0.60, y 0.30" in alt
