"""Lesson 12: shards, the buffer, the launcher, BatchNorm over all processes, its drawings and its exercises."""

import itertools
import os
import re
import time

import numpy as np
import pytest
import torch
from torch import nn

from helpers.data import CLASSES, ImageSet
from helpers.lessons.lesson_12 import clock, launch, plots, shards
from helpers.lessons.lesson_12.exercises import EXERCISES
from helpers.lessons.lesson_12.to_write import combine, in_order, share, step_seconds
from helpers.plots import COLOURS

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def images() -> ImageSet:
    pixels = torch.randint(0, 256, (25, 4, 4, 3), generator=torch.Generator().manual_seed(0)).byte()
    return ImageSet(pixels, torch.arange(25) % 10, CLASSES, "made up")


# ------------------------------------------------------------------------------------------- shards


def test_shards_give_back_what_was_written(images, tmp_path):
    paths = shards.write_shards(images, tmp_path / "s", 10)
    data = shards.Shards(tmp_path / "s")
    assert len(paths) == 3 and len(data) == 25 and data.classes == CLASSES
    pixels, labels = zip(*data.stream(), strict=True)
    assert np.array_equal(np.stack(pixels), images.images.numpy()) and list(labels) == images.labels.tolist()
    assert [label for _, label in data.stream([2, 0])] == [*images.labels[20:].tolist(), *images.labels[:10].tolist()]
    one = next(iter(data.stream()))[0]
    assert one.base is None, "an image that is kept does not keep its shard"


def test_a_damaged_or_missing_shard_is_told(images, tmp_path):
    shards.write_shards(images, tmp_path / "s", 5)
    wrong = shards.copy_with_a_wrong_bit(tmp_path / "s", tmp_path / "copy")
    with pytest.raises(ValueError, match=rf"{wrong.name} is not the file that was written"):
        shards.Shards(tmp_path / "copy")
    wrong.unlink()
    with pytest.raises(ValueError, match=rf"{wrong.name} or its labels are missing"):
        shards.Shards(tmp_path / "copy")
    with pytest.raises(FileNotFoundError, match=r"has no index\.json"):
        shards.Shards(tmp_path)
    with pytest.raises(ValueError, match="at least 1 image, not 0"):
        shards.write_shards(images, tmp_path / "t", 0)


@pytest.mark.parametrize("ending", ["png", "npy", "raw"])
def test_a_file_an_image(images, tmp_path, ending):
    paths = shards.write_files(images, tmp_path, ending)
    assert np.array_equal(np.stack([*map(shards.read_file, paths)]), images.images.numpy())


def test_reading_measures_memory(capsys):
    rate, peak = shards.reading("a megabyte", lambda: iter([np.zeros(1_000_000, np.uint8)]))
    assert 0.9 < peak < 1.5 and rate > 0 and "a megabyte" in capsys.readouterr().out


def test_what_is_taken_before_the_first_item_is_not_timed():
    rate, _ = shards.reading("slow to begin", lambda: time.sleep(0.3) or iter([1]))
    assert rate > 5


def test_the_buffer_gives_out_everything_once_and_nothing_too_early(functions_of):
    shuffled = functions_of("12_scaling_out")["shuffled"]
    for size in (1, 7, 100, 1000):
        order = list(shuffled(iter(range(500)), size, torch.Generator().manual_seed(1)))
        assert sorted(order) == list(range(500))
        assert max(place - index for index, place in enumerate(order)) < size
    assert list(shuffled(iter(range(20)), 1, torch.Generator())) == list(range(20))
    assert shards.correlation(list(range(50))) == pytest.approx(1)
    assert shards.correlation(list(range(50))[::-1]) == pytest.approx(-1)


# ------------------------------------------------------------------------------------------- processes


def answers(number):
    total = torch.tensor([float(dist.get_rank() + number)])  # noqa: F821
    dist.all_reduce(total)  # noqa: F821
    return {"rank": dist.get_rank(), "total": total, "threads": torch.get_num_threads()}  # noqa: F821


def fails():
    if dist.get_rank() == 1:  # noqa: F821
        raise ValueError("rank 1 has no images")
    dist.barrier()  # noqa: F821


def sleeps():
    (Path(__file__).parent / f"{os.getpid()}.pid").touch()  # noqa: F821
    time.sleep(300)


def test_a_function_of_the_page_runs_in_two_processes():
    assert launch.launch(answers, number=10) == [
        {"rank": rank, "total": torch.tensor([21.0]), "threads": 1} for rank in (0, 1)
    ]


def test_what_a_rank_said_is_told_and_nobody_waits():
    start = time.monotonic()
    with pytest.raises(launch.LaunchError, match=r"(?s)rank 1 ended with an error.*rank 1 has no images"):
        launch.launch(fails, seconds=250)
    assert time.monotonic() - start < 240


def test_a_launch_that_takes_too_long_is_stopped(monkeypatch, tmp_path):
    started = []
    real = launch.subprocess.Popen
    monkeypatch.setattr(launch.subprocess, "Popen", lambda *a, **k: started.append(real(*a, **k)) or started[-1])
    with pytest.raises(launch.LaunchError, match="2 processes were not done after 1 s"):
        launch.launch(sleeps, seconds=1)
    assert len(started) == 2 and all(process.poll() is not None for process in started), "none is left running"


def test_the_environment_keeps_the_processes_small_and_at_home(monkeypatch):
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    for system, name in (("linux", "lo"), ("darwin", "lo0"), ("win32", None)):
        monkeypatch.setattr(launch.sys, "platform", system)
        found = launch.on_this_machine()
        assert found["OMP_NUM_THREADS"] == "1" and found.get("GLOO_SOCKET_IFNAME") == name
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "mine")
    assert launch.on_this_machine()["GLOO_SOCKET_IFNAME"] == "mine"


def test_the_largest_difference():
    one = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([3])}
    assert launch.largest_difference(one, one) == 0
    assert launch.largest_difference(one, {**one, "a": torch.tensor([1.5, 1.0])}) == 1
    with pytest.raises(ValueError, match="the same tensors"):
        launch.largest_difference(one, {"a": one["a"]})


def test_the_clock_times_each_setting_in_each_round():
    (found,) = launch.launch(clock.clock, processes=1, settings=[(0.25, 2)], rounds=2)
    assert sorted(found) == ["0.25 2 False", "0.25 2 True", "vector"]
    assert all(len(values) == 2 and min(values) > 0 for values in found.values())


# ------------------------------------------------------------------------------------------- BatchNorm of all


def normed(sizes, batches):
    """Each batch through SyncNorm on this rank's share: outputs, gradients, and the layer after all of them."""
    rank, layer, found = dist.get_rank(), SyncNorm(4).train(), {}  # noqa: F821
    for number, (x, weight) in enumerate(batches):
        start = sum(sizes[number][:rank])
        part = slice(start, start + sizes[number][rank])
        layer.zero_grad()
        mine = x[part].clone().requires_grad_()
        y = layer(mine)
        (y.sin() * weight[part]).sum().backward()
        for parameter in layer.parameters():
            dist.all_reduce(parameter.grad)  # noqa: F821
        found[f"output {number}"], found[f"gradient {number}"] = y.detach(), mine.grad
        found[f"weight {number}"], found[f"bias {number}"] = layer.weight.grad.clone(), layer.bias.grad.clone()
    return found | {"mean": layer.running_mean, "var": layer.running_var}


CLASSES_OF_THE_PAGE = ("Summed", "SyncNorm")


def source_of_the_page() -> tuple[str, ...]:
    """The two classes as they stand on the page."""
    import ast

    import nbformat

    from helpers import ROOT

    cells = nbformat.read(ROOT / "notebooks" / "12_scaling_out.ipynb", as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    nodes = [node for node in ast.parse(code).body if getattr(node, "name", "") in CLASSES_OF_THE_PAGE]
    return tuple(ast.unparse(node) for node in nodes)


def test_syncnorm_is_the_batchnorm_of_the_whole_batch():
    """Outputs, gradients of inputs, weights and biases, running statistics: equal, uneven and lonely shares."""
    generator = torch.Generator().manual_seed(0)
    sizes = [[8, 8], [10, 7], [1, 16], [3, 2]]
    batches = [(torch.randn(2, sum(size), 4, 3, 3, generator=generator) * 2 + 1).unbind() for size in sizes]
    first, second = launch.launch(
        normed, also=source_of_the_page(), sizes=sizes, batches=[list(pair) for pair in batches]
    )
    layer = nn.BatchNorm2d(4).train()
    for number, (x, weight) in enumerate(batches):
        layer.zero_grad()
        whole = x.clone().requires_grad_()
        y = layer(whole)
        (y.sin() * weight).sum().backward()
        for name, value in (("output", y.detach()), ("gradient", whole.grad)):
            both = torch.cat([rank[f"{name} {number}"] for rank in (first, second)])
            assert float((both - value).abs().max()) <= 1e-5, f"{name} of shares {sizes[number]}"
        for name, value in (("weight", layer.weight.grad), ("bias", layer.bias.grad)):
            assert torch.allclose(first[f"{name} {number}"], value, atol=1e-4, rtol=1e-5)
    for rank in (first, second):
        assert torch.allclose(rank["mean"], layer.running_mean, atol=1e-5)
        assert torch.allclose(rank["var"], layer.running_var, atol=1e-5)


# ------------------------------------------------------------------------------------------- drawings


def test_the_shuffles_are_drawn_where_they_lie():
    figure = plots.draw_shuffles({"one": [0, 1, 2], "two": [2, 0, 1]})
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["one", "two"]
    assert [[*line.get_ydata()] for axis in figure.axes for line in axis.lines] == [[0, 1, 2], [2, 0, 1]]


def test_each_prediction_stands_beside_its_measurement():
    figure = plots.draw_predictions({"a": 10.0, "b": 30.0}, {"a": (11, 12, 14), "b": (20, 22, 25)})
    (axis,) = figure.axes
    lines = {(line.get_marker(), float(line.get_ydata()[0])): list(line.get_xdata()) for line in axis.lines}
    assert lines[("D", 0)] == [10] and lines[("D", 1)] == [30]
    assert lines[("o", 0)] == [12] and lines[("o", 1)] == [22]
    assert lines[("None", 0)] == [11, 14] and lines[("None", 1)] == [20, 25]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"] and axis.yaxis_inverted()
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["measured, with quartiles", "predicted"]


def test_published_runs_are_drawn_where_they_were():
    figure = plots.draw_imagenet([1, 64], {"model": [200.0, 4.0]}, {"Goyal": (256, 1.0), "Akiba": (1024, 0.25)})
    (axis,) = figure.axes
    found = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axis.lines}
    assert found == {"model": ([1, 64], [200.0, 4.0]), "Goyal": ([256], [1.0]), "Akiba": ([1024], [0.25])}
    assert axis.get_xscale() == axis.get_yscale() == "log"
    assert {axis.lines[1].get_color(), axis.lines[2].get_color()} == {COLOURS["vermillion"]}
    assert axis.lines[1].get_marker() != axis.lines[2].get_marker(), "told apart without colour"


# ------------------------------------------------------------------------------------------- exercises


@pytest.mark.parametrize("number", [number for number, one in EXERCISES.items() if hasattr(one, "reference")])
def test_right_answers_are_right_and_each_mistake_is_named(number):
    exercise = EXERCISES[number]
    assert exercise.judge(exercise.reference)[0]
    for words, mistake in exercise.wrong_ones:
        right, told = exercise.judge(mistake)
        assert not right and told == f"Not yet. {words}", words


@pytest.mark.parametrize("number", [number for number, one in EXERCISES.items() if hasattr(one, "answer")])
def test_wrong_numbers_are_told_apart(number):
    exercise = EXERCISES[number]
    assert exercise.judge(exercise.answer)[0] and exercise.judge(float(f"{exercise.answer:.3g}"))[0]
    for words, wrong in exercise.misconceptions.items():
        right, told = exercise.judge(wrong)
        assert not right and words in told, words


def test_the_shares_of_all_ranks_are_the_batches():
    order = torch.randperm(103, generator=torch.Generator().manual_seed(0)).tolist()
    for world in (1, 2, 3, 7):
        parts = [share(order, 20, rank, world) for rank in range(world)]
        assert [[*itertools.chain(*batch)] for batch in zip(*parts, strict=True)] == [
            order[p : p + 20] for p in range(0, 103, 20)
        ]


def test_combined_statistics_are_those_of_all():
    x = torch.randn(24, 5, generator=torch.Generator().manual_seed(0)) * 3 + 1
    parts = x.split([10, 1, 13])
    counts = torch.tensor([10.0, 1.0, 13.0])
    means, variances = (torch.stack(v) for v in zip(*[(p.mean(0), p.var(0, correction=0)) for p in parts], strict=True))
    mean, variance = combine(counts, means, variances)
    assert torch.allclose(mean, x.mean(0), atol=1e-5) and torch.allclose(variance, x.var(0, correction=0), atol=1e-4)


@pytest.mark.parametrize(("count", "world"), [(9, 2), (7, 3), (6, 2)])
def test_in_order_undoes_pytorch_s_own_sampler(count, world):
    from torch.utils.data import DistributedSampler

    parts = [[10 * i for i in DistributedSampler(range(count), world, rank, shuffle=False)] for rank in range(world)]
    assert in_order(parts, count) == [10 * i for i in range(count)]


def test_the_model_of_the_page_is_the_exercise():
    import nbformat

    from helpers import ROOT

    images, parameters, servers = 90 * 1_281_167, 25_557_032, 128
    speed = images / (29 * 3600 * 8)
    step = step_seconds(32 * servers, servers, 1 / speed, 4 * parameters, 6.25e9)  # a ring of servers, not of cards
    hours = images / (32 * 1024) * step / 3600
    cells = nbformat.read(ROOT / "notebooks" / "12b_mistakes_and_cost.ipynb", as_version=4).cells
    printed = "".join(o.get("text", "") for c in cells if c.cell_type == "code" for o in c.outputs)
    (shown,) = re.findall(r"1,024 cards +[\d.]+ to +([\d.]+) hours", printed)
    assert float(shown) == pytest.approx(hours, abs=0.005)
    from torchvision.models import resnet50

    with torch.device("meta"):
        assert sum(p.numel() for p in resnet50().parameters()) == parameters


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="processes are counted in /proc")
def test_no_page_leaves_a_process_behind(tmp_path):
    """What `launch` starts is gone when it returns."""
    children = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
    if not os.path.exists(children):
        pytest.skip("this system does not list children")
    with open(children, encoding="utf-8") as file:
        before = file.read().split()
    launch.launch(answers, number=1)
    with open(children, encoding="utf-8") as file:
        assert set(file.read().split()) <= set(before)
