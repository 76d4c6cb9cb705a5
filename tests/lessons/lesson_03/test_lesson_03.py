"""What the two pages define, held to PyTorch and to helpers; and every exercise's key by a way of its own."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from helpers.costs import count_macs, count_params, layer_costs
from helpers.lessons.lesson_03.exercises import EXERCISES, LAYERS
from helpers.models import WEIGHTS, load_weights, mobilenet_v1, small_cnn


@pytest.fixture(scope="module")
def lesson(functions_of):
    return functions_of("03_depthwise_separable_convolution")


@pytest.fixture(scope="module")
def second_page(functions_of):
    return functions_of("03b_macs_are_not_time")


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


def test_the_pair_and_its_formula(lesson):
    for kernel, channels_in, channels_out, size in [(3, 64, 128, 56), (5, 3, 7, 9), (1, 8, 8, 4), (7, 16, 1, 12)]:
        pair = lesson["separable"](channels_in, channels_out, kernel)
        separable = lesson["macs_separable"](kernel, channels_in, channels_out, size)
        dense = lesson["macs_dense"](kernel, channels_in, channels_out, size)
        assert separable == count_macs(pair, size, channels_in)
        assert separable / dense == pytest.approx(1 / channels_out + 1 / kernel**2)
    assert [cost.kind for cost in layer_costs(lesson["separable"](6, 8, stride=2), 9, 6)] == ["depthwise", "pointwise"]
    assert lesson["separable"](6, 8, stride=2)(torch.rand(1, 6, 9, 9)).shape == (1, 8, 5, 5)


def test_the_blocks_are_mobilenets_own(lesson, second_page):
    layers = layer_costs(mobilenet_v1(), 224)
    pairs = [
        (first.input_shape[0], second.output_shape[0], first.input_shape[1])
        for first, second in itertools.pairwise(layers)
        if first.kind == "depthwise" and first.input_shape == first.output_shape
    ]
    assert set(lesson["BLOCKS"]) <= set(pairs) and len(lesson["BLOCKS"]) == 5
    assert lesson["BLOCKS"] == second_page["BLOCKS"]


@pytest.mark.parametrize("n, m, kernel", [(16, 8, 3), (4, 3, 5), (5, 2, 1)])
def test_separable_terms_are_the_best_ones_and_all_of_them_are_the_kernel(lesson, n, m, kernel):
    torch.manual_seed(0)
    weight = torch.randn(n, m, kernel, kernel)
    all_terms = min(n, kernel**2)
    lost = []
    for terms in range(1, all_terms + 1):
        depthwise, pointwise = lesson["separable_terms"](weight, terms)
        assert depthwise.shape == (m, terms, kernel, kernel) and pointwise.shape == (m, n, terms)
        rebuilt = lesson["rebuild"](depthwise, pointwise)
        torch.testing.assert_close(rebuilt, torch.einsum("mtij,mnt->nmij", depthwise, pointwise))
        lost.append((weight - rebuilt).square().sum().item())
    # Eckart and Young: what is lost is the sum of the squares of the singular values left out.
    values = torch.linalg.svdvals(weight.transpose(0, 1).reshape(m, n, -1)).square().sum(0)
    left_out = [values[terms:].sum().item() for terms in range(1, all_terms + 1)]
    assert lost == pytest.approx(left_out, abs=1e-3)
    assert lesson["kept"](weight, all_terms) == pytest.approx(100, abs=1e-3)


def test_terms_replace_the_second_and_third_layer_alone(lesson):
    trained = load_weights(small_cnn(), WEIGHTS / "small_cnn.safetensors")
    for terms in (1, 9):
        network = lesson["with_terms"](terms)
        changed = [
            name
            for (name, now), was in zip(network.state_dict().items(), trained.state_dict().values(), strict=True)
            if not torch.allclose(now, was, atol=1e-5)
        ]
        assert changed == (["1.0.weight", "2.0.weight"] if terms == 1 else []) and not network.training
        ranks = torch.linalg.matrix_rank(network[1][0].weight.transpose(0, 1).reshape(32, 64, 9), rtol=1e-4)
        assert ranks.tolist() == [terms] * 32


def test_settle_measures_what_a_batchnorm_sees_and_trains_nothing(lesson, one_thread):
    network = small_cnn(seed=1).eval()
    weights = {name: value.clone() for name, value in network.named_parameters()}
    batches = [(torch.rand(40, 3, 32, 32) + i, None) for i in range(3)]  # labels cannot be used
    settled = lesson["settle"](network, batches)
    assert settled is network and not settled.training
    assert all(torch.equal(value, weights[name]) for name, value in network.named_parameters())
    with torch.no_grad():
        seen = [network[0][1](network[0][0](images)) for images, _ in batches]
    torch.testing.assert_close(network[0][2].running_mean, torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0))
    variances = torch.stack([x.transpose(0, 1).flatten(1).var(1) for x in seen]).mean(0)
    torch.testing.assert_close(network[0][2].running_var, variances)


def test_the_dense_twin_has_mobilenets_shapes_and_the_papers_counts(second_page):
    twin, mobilenet = layer_costs(second_page["dense_twin"](), 224), layer_costs(mobilenet_v1(), 224)
    assert [cost.kind for cost in twin] == ["dense"] * 14 + ["linear"]
    after_each_pair = [cost.output_shape for cost in mobilenet if cost.kind != "depthwise"]
    assert [cost.output_shape for cost in twin] == after_each_pair
    # Howard et al. 2017, arXiv:1704.04861, table 4: 4866 and 569 million, 29.3 and 4.2 million
    assert sum(cost.macs for cost in twin) == 4_867_293_184 and sum(cost.macs for cost in mobilenet) == 568_740_352
    assert count_params(second_page["dense_twin"]()) == 29_294_088 and count_params(mobilenet_v1()) == 4_231_976


def test_the_layers_that_are_timed_are_the_layers_that_are_counted(second_page):
    for m, n, side in second_page["BLOCKS"]:
        for kind, layer in second_page["three_layers"](m, n).items():
            (cost,) = layer_costs(layer, side, channels=m)
            assert (cost.kind, cost.input_shape, cost.output_shape[1:]) == (kind, (m, side, side), (side, side))


# ------------------------------------------------------------------------------------------------------ exercise keys


def flops(layer, *shape) -> int:
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        layer.to("meta")(torch.empty(shape))
    return counter.get_total_flops()


def test_keys_of_the_numbers():
    assert EXERCISES["3.1"].answer == flops(nn.Conv2d(3, 32, 3, 2, 1, bias=False), 1, 3, 224, 224) // 2
    dense = flops(nn.Conv2d(64, 128, 5, padding=2), 1, 64, 9, 9)
    pair = flops(nn.Conv2d(64, 64, 5, padding=2, groups=64), 1, 64, 9, 9) + flops(nn.Conv2d(64, 128, 1), 1, 64, 9, 9)
    assert EXERCISES["3.3"].answer == pytest.approx(pair / dense)
    one = flops(nn.Conv2d(64, 64, 3, padding=1, groups=64), 1, 64, 9, 9) + flops(nn.Conv2d(64, 128, 1), 1, 64, 9, 9)
    dense = flops(nn.Conv2d(64, 128, 3, padding=1), 1, 64, 9, 9)
    assert EXERCISES["3.5"].answer == max(r for r in range(20) if r * one < dense)
    layer, x = nn.Conv2d(128, 128, 3, padding=1, groups=128, bias=False), torch.empty(1, 128, 56, 56)
    moved = sum(tensor.numel() * tensor.element_size() for tensor in (x, layer.weight, layer(x)))
    count = flops(layer, 1, 128, 56, 56) // 2
    assert EXERCISES["3.6"].answer == pytest.approx(count / moved, abs=1e-4)
    depthwise, pointwise = 0.10, 0.90
    assert EXERCISES["3.9"].answer == pytest.approx((depthwise + pointwise) / (depthwise / 4 + pointwise))


def test_key_of_the_depthwise_loops():
    for case in EXERCISES["3.2"].cases:
        image, weight, stride = (*case.inputs, 1)[:3]
        m, k, _ = weight.shape
        rows, columns = range(0, image.shape[1] - k + 1, stride), range(0, image.shape[2] - k + 1, stride)
        by_hand = torch.zeros(m, len(rows), len(columns))
        for c, (i, y), (j, x) in itertools.product(range(m), enumerate(rows), enumerate(columns)):
            for a, b in itertools.product(range(k), range(k)):
                by_hand[c, i, j] += image[c, y + a, x + b] * weight[c, a, b]
        torch.testing.assert_close(EXERCISES["3.2"].reference(*case.inputs), by_hand, atol=1e-5, rtol=1e-5)


def test_key_of_the_counter():
    for layer, side in LAYERS.values():
        meta = nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding,
                         layer.dilation, layer.groups)  # fmt: skip
        assert 2 * EXERCISES["3.4"].reference(layer, side) == flops(meta, 1, layer.in_channels, side, side)


def test_key_of_the_intensity():
    for case in EXERCISES["3.7"].cases:
        layer, side, batch = (*case.inputs, 1)[:3]
        x = torch.rand(batch, layer.in_channels, side, side)
        moved = sum(tensor.numel() * tensor.element_size() for tensor in (x, layer.weight, layer(x)))
        macs = batch * count_macs(layer, side, layer.in_channels)
        assert EXERCISES["3.7"].reference(*case.inputs) == pytest.approx(macs / moved)


def test_key_of_the_roof():
    """A processor that multiplies and fetches in small steps, side by side, is done when the later of the two is."""
    for case in EXERCISES["3.8"].cases:
        macs, moved, peak, bandwidth = case.inputs
        step, seconds = 1e-7, 0.0
        while macs > 0 or moved > 0:
            macs, moved, seconds = macs - peak * step, moved - bandwidth * step, seconds + step
        assert EXERCISES["3.8"].reference(*case.inputs) == pytest.approx(seconds, rel=0.01)
