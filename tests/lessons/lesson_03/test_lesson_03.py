"""Lesson 03's own definitions, taken out of the notebook and held to PyTorch's convolution and to helpers.costs."""

import ast
import itertools
import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers import ROOT
from helpers.costs import count_macs, layer_costs
from helpers.models import mobilenet_v1

NOTEBOOK = ROOT / "notebooks" / "03_depthwise_separable_convolution.ipynb"


@pytest.fixture(scope="module")
def lesson():
    """The functions and the constant BLOCKS that the notebook defines, without running its other lines."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    wanted = []
    for cell in cells:
        if cell["cell_type"] == "code":
            for node in ast.parse("".join(cell["source"])).body:
                constant = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "BLOCKS"
                if isinstance(node, (ast.FunctionDef, ast.Import, ast.ImportFrom)) or constant:
                    wanted.append(node)
    names = {}
    exec(compile(ast.Module(wanted, []), NOTEBOOK.name, "exec"), names)
    return names


def output_of(fragment):
    """What the committed notebook prints under the one cell that contains `fragment`."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    (cell,) = [c for c in cells if c["cell_type"] == "code" and fragment in "".join(c["source"])]
    return "".join("".join(output.get("text", [])) for output in cell["outputs"])


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("channels_in, channels_out, size", [(1, 1, 5), (2, 3, 7), (3, 2, 8)])
def test_six_loops_are_a_convolution_and_the_formula(lesson, kernel, stride, channels_in, channels_out, size):
    torch.manual_seed(kernel)
    image, weight = torch.randn(channels_in, size, size), torch.randn(channels_out, channels_in, kernel, kernel)
    output, multiplications = lesson["conv_loops"](image, weight, stride)
    torch.testing.assert_close(output, F.conv2d(image[None], weight, stride=stride)[0], atol=1e-5, rtol=1e-5)
    layer = nn.Conv2d(channels_in, channels_out, kernel, stride=stride, bias=False)
    assert multiplications == count_macs(layer, size, channels_in)
    assert multiplications == lesson["macs_dense"](kernel, channels_in, channels_out, output.shape[1])


@pytest.mark.parametrize("kernel, channels, size", [(1, 2, 4), (3, 4, 6), (5, 3, 7)])
def test_five_loops_are_a_grouped_convolution(lesson, kernel, channels, size):
    torch.manual_seed(kernel)
    image, weight = torch.randn(channels, size, size), torch.randn(channels, kernel, kernel)
    output, multiplications = lesson["depthwise_loops"](image, weight)
    torch.testing.assert_close(output, F.conv2d(image[None], weight[:, None], groups=channels)[0], atol=1e-5, rtol=1e-5)
    assert multiplications == count_macs(nn.Conv2d(channels, channels, kernel, groups=channels), size, channels)


def test_the_formula_of_the_pair(lesson):
    for kernel, channels_in, channels_out, size in [(3, 64, 128, 56), (5, 3, 7, 9), (1, 8, 8, 4), (7, 16, 1, 12)]:
        pair = nn.Sequential(
            nn.Conv2d(channels_in, channels_in, kernel, padding=kernel // 2, groups=channels_in),
            nn.Conv2d(channels_in, channels_out, 1),
        )
        separable = lesson["macs_separable"](kernel, channels_in, channels_out, size)
        dense = lesson["macs_dense"](kernel, channels_in, channels_out, size)
        assert separable == count_macs(pair, size, channels_in)
        assert separable / dense == pytest.approx(1 / channels_out + 1 / kernel**2)


def test_the_blocks_are_mobilenets_own(lesson):
    layers = layer_costs(mobilenet_v1(), 224)
    pairs = [
        (first.input_shape[0], second.output_shape[0], first.input_shape[1])
        for first, second in itertools.pairwise(layers)
        if first.kind == "depthwise" and first.input_shape == first.output_shape
    ]
    assert set(lesson["BLOCKS"]) <= set(pairs) and len(lesson["BLOCKS"]) == 5


def test_the_layers_that_are_timed_are_the_layers_that_are_counted(lesson):
    for m, n, side in lesson["BLOCKS"]:
        for kind, layer in lesson["three_layers"](m, n).items():
            (cost,) = layer_costs(layer, side, channels=m)
            assert (cost.kind, cost.input_shape, cost.output_shape[1:]) == (kind, (m, side, side), (side, side))


@pytest.mark.parametrize("n, m, kernel", [(16, 8, 3), (4, 3, 5), (5, 2, 1)])
def test_separable_terms_are_the_best_ones_and_all_of_them_are_the_kernel(lesson, n, m, kernel):
    torch.manual_seed(0)
    weight = torch.randn(n, m, kernel, kernel)
    all_terms = min(n, kernel**2)
    lost = []
    for terms in range(1, all_terms + 1):
        depthwise, pointwise = lesson["separable_terms"](weight, terms)
        assert depthwise.shape == (m, terms, kernel, kernel) and pointwise.shape == (m, n, terms)
        lost.append((weight - lesson["rebuild"](depthwise, pointwise)).square().sum().item())
    # Eckart and Young: what is lost is the sum of the squares of the singular values left out.
    values = torch.linalg.svdvals(weight.transpose(0, 1).reshape(m, n, -1)).square().sum(0)
    left_out = [values[terms:].sum().item() for terms in range(1, all_terms + 1)]
    assert lost == pytest.approx(left_out, abs=1e-3)
    assert lesson["kept"](weight, all_terms) == pytest.approx(100, abs=1e-3)


def test_the_small_cnn_is_the_one_that_ships(lesson):
    cnn = lesson["small_cnn"]()
    assert [block[0].out_channels for block in cnn[:3]] == [32, 64, 128] and not cnn.training


def test_the_committed_page_shows_what_its_prose_says():
    assert output_of("FlopCounterMode(display").count("= 2 · MACs") == 2
    for line in output_of("def values_written").splitlines()[1:]:
        ours, printed = line.split("  ")[-1].split(" = ")[0].strip(), line.split("printed ")[1]
        assert ours == printed
    assert "8.41 times fewer" in output_of("changes = [{}")
