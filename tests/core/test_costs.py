"""helpers.costs against layers worked by hand and against PyTorch's own counter."""

import pytest
import torch
import torchvision
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from helpers import costs
from helpers.costs import count_macs, count_params, layer_costs, peak_activation_bytes
from helpers.models import mobilenet_v1

# channels in, channels out, kernel, options, image size, MACs, parameters: each factor written out
# MACs = kernel height × width × channels in of one group × channels out × output height × width
BY_HAND = [
    (3, 8, 3, {}, 10, 3 * 3 * 3 * 8 * 8 * 8, 3 * 3 * 3 * 8 + 8),  # 10 − 2 = 8 positions a side
    (3, 8, 3, {"bias": False}, 10, 13_824, 216),
    (3, 8, 3, {"padding": 1}, 10, 3 * 3 * 3 * 8 * 10 * 10, 224),
    (3, 8, 3, {"padding": 1, "stride": 2}, 10, 3 * 3 * 3 * 8 * 5 * 5, 224),
    (3, 8, 3, {"padding": 1, "stride": 2}, 11, 3 * 3 * 3 * 8 * 6 * 6, 224),  # an odd side: (11 + 2 − 3) // 2 + 1
    (3, 8, 3, {"stride": (2, 1)}, 9, 3 * 3 * 3 * 8 * 4 * 7, 224),
    (3, 8, 3, {"dilation": 2}, 10, 3 * 3 * 3 * 8 * 6 * 6, 224),  # reaches over 5 pixels
    (6, 8, 3, {"groups": 2}, 8, 3 * 3 * 3 * 8 * 6 * 6, 3 * 3 * 3 * 8 + 8),
    (6, 6, 3, {"groups": 6, "padding": 1}, 8, 3 * 3 * 6 * 8 * 8, 60),
    (6, 12, 3, {"groups": 6, "padding": 1}, 8, 3 * 3 * 12 * 8 * 8, 120),  # two outputs a channel
    (16, 32, 1, {"bias": False}, 7, 16 * 32 * 7 * 7, 512),
    (16, 32, 1, {"stride": 2}, 7, 16 * 32 * 4 * 4, 544),
    (4, 4, 5, {"padding": 2, "groups": 4}, 9, 25 * 4 * 9 * 9, 104),
    (3, 4, 7, {"padding": 3, "stride": 2}, 32, 49 * 3 * 4 * 16 * 16, 592),
    (5, 2, (1, 7), {"padding": (0, 3)}, 9, 7 * 5 * 2 * 9 * 9, 72),
    (5, 2, (1, 7), {}, (9, 12), 7 * 5 * 2 * 9 * 6, 72),
]


@pytest.mark.parametrize("channels, out, kernel, options, size, macs, params", BY_HAND)
def test_one_convolution_by_hand(channels, out, kernel, options, size, macs, params):
    layer = nn.Conv2d(channels, out, kernel, **options)
    assert count_macs(layer, size, channels=channels) == macs
    assert count_params(layer) == params == layer_costs(layer, size, channels)[0].params


def test_linear_by_hand():
    head = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 10), nn.ReLU(), nn.Linear(10, 2, bias=False))
    first, second = layer_costs(head, 4)
    assert (first.macs, first.params, second.macs, second.params) == (480, 490, 20, 20)
    assert (first.kind, first.input_shape, first.output_shape) == ("linear", (48,), (10,))
    per_row = nn.Linear(7, 5)  # a linear layer on each of 3 × 6 rows
    assert count_macs(per_row, (6, 7)) == 3 * 6 * 7 * 5


def test_a_transposed_convolution_uses_each_weight_at_each_position_of_its_input():
    layer = nn.ConvTranspose2d(3, 8, 3, stride=2)
    assert count_macs(layer, 5) == 3 * 3 * 3 * 8 * 5 * 5


def test_kinds_names_and_shapes():
    block = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.Sequential(nn.Conv2d(8, 16, 1)),
        nn.Conv2d(16, 16, 1, groups=4),
    )
    layers = layer_costs(block, (12, 16))
    assert [layer.kind for layer in layers] == ["dense", "depthwise", "pointwise", "grouped"]
    assert [layer.name for layer in layers] == ["0", "1", "2.0", "3"]
    assert layers[0].input_shape == (3, 12, 16) and layers[0].output_shape == (8, 6, 8)
    assert layer_costs(nn.Conv2d(1, 1, 3, groups=1), 5, channels=1)[0].kind == "dense"
    two_each = nn.Conv2d(6, 12, 3, groups=6)
    assert layer_costs(two_each, 5, channels=6)[0].kind == "depthwise"


NETWORKS = {
    "mobilenet_v1": lambda: mobilenet_v1(0.5),
    "mobilenet_v2": torchvision.models.mobilenet_v2,
    "mobilenet_v3_small": torchvision.models.mobilenet_v3_small,
    "mobilenet_v3_large": torchvision.models.mobilenet_v3_large,
    "resnet18": torchvision.models.resnet18,
}


@pytest.mark.parametrize("size", [96, 160, 224, (130, 75)], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_half_of_what_pytorch_counts_as_flops(name, size):
    with torch.device("meta"):
        model = NETWORKS[name]().eval()
        image = torch.empty(1, 3, *(size if isinstance(size, tuple) else (size, size)))
        with FlopCounterMode(display=False) as counter:
            model(image)
    assert 2 * count_macs(model, size) == counter.get_total_flops()


def test_mobilenet_v2_at_224():
    layers = layer_costs(torchvision.models.mobilenet_v2(), 224)
    assert sum(layer.macs for layer in layers) == 300_774_272
    # 3,504,872 parameters, of which BatchNorm has two for each of 17,056 channels
    assert sum(layer.params for layer in layers) == 3_504_872 - 2 * 17_056


@pytest.mark.parametrize("size, ours, all_of_them", [(224, 11_271_124_992, 17_563_828_224)])
def test_attention_is_not_missed_in_silence(size, ours, all_of_them):
    """Dosovitskiy et al. 2021, arXiv:2010.11929: torchvision's ViT-B/16 calls its projections as functions."""
    with torch.device("meta"):
        model = torchvision.models.vit_b_16()
    said = f"VisionTransformer has {ours:,} MACs .* finds {all_of_them:,}, {all_of_them - ours:,} more: .*attention"
    for count in (count_macs, layer_costs):
        with pytest.raises(ValueError, match=said):
            count(model, size)
    # By hand: 12 layers, 197 tokens of 768 numbers. Query, key and value; their product, its use; the projection.
    attention = 12 * (3 * 197 * 768**2 + 2 * 197**2 * 768 + 197 * 768**2)
    assert all_of_them - ours == attention


class Outside(nn.Module):
    """A convolution, and a matrix product of which it depends on `how` whether a layer makes it."""

    def __init__(self, how):
        super().__init__()
        self.how, self.first, self.second = how, nn.Conv2d(3, 4, 1), nn.Linear(5, 7, bias=False)

    def forward(self, x):
        x = self.first(x)
        weight = self.second.weight
        ways = {
            "layer": lambda: self.second(x),
            "function": lambda: nn.functional.linear(x, weight),
            "@": lambda: x @ weight.T,
            "elementwise": lambda: x * x,
            "transposed": lambda: nn.functional.conv_transpose2d(x, x.new_empty(4, 2, 3, 3)),
            "attention": lambda: nn.functional.scaled_dot_product_attention(x, x, x),
        }
        return ways[self.how]()


@pytest.mark.parametrize("how, missed", [
    ("layer", 0), ("elementwise", 0), ("function", 4 * 5 * 5 * 7), ("@", 4 * 5 * 5 * 7),
    ("transposed", 4 * 2 * 9 * 25), ("attention", 2 * 4 * 5 * 5 * 5),
])  # fmt: skip
def test_every_product_is_counted_or_named(how, missed):
    model, first = Outside(how), 3 * 4 * 25
    if not missed:
        assert count_macs(model, 5) == first + 4 * 5 * 5 * 7 * (how == "layer")
        return
    with pytest.raises(ValueError, match=rf"Outside has {first:,} MACs .*, {missed:,} more: it also multiplies"):
        count_macs(model, 5)
    assert not any(module._forward_hooks for module in model.modules())


def test_a_layer_that_is_no_matrix_product_is_named_too():
    class Looked(nn.Linear):
        def forward(self, x):
            return x[..., :1].expand(*x.shape[:-1], self.out_features)

    with pytest.raises(ValueError, match=r"Looked has 27 MACs .* finds 0, 27 fewer: some layer is not computed as"):
        count_macs(Looked(3, 1), 3)


def test_a_layer_called_twice_costs_twice_and_is_stored_once():
    shared = nn.Conv2d(3, 3, 1)
    layers = layer_costs(nn.Sequential(shared, nn.ReLU(), shared), 4)
    assert [layer.macs for layer in layers] == [144, 144] and [layer.params for layer in layers] == [12, 0]
    assert count_params(nn.Sequential(shared, shared)) == 12


def test_the_model_is_left_as_it_was():
    model = torchvision.models.mobilenet_v2(width_mult=0.25)
    model.features[3].eval()
    modes = [module.training for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    holders = [id(parameter) for parameter in model.parameters()]
    count_macs(model, 64)
    peak_activation_bytes(model, 64)
    with pytest.raises(ValueError):
        count_macs(model, 64, channels=4)
    assert [module.training for module in model.modules()] == modes
    assert [id(parameter) for parameter in model.parameters()] == holders
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_network_in_training_mode_is_counted_as_it_answers():
    # On a map of one pixel, BatchNorm in training mode would refuse a batch of one.
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).train()
    assert count_macs(model, 3) == 216 and model.training


def test_other_number_formats_and_devices():
    half = nn.Conv2d(3, 8, 3).half()
    assert count_macs(half, 10) == 13_824 and next(half.parameters()).dtype == torch.float16
    meta = nn.Conv2d(3, 8, 3, device="meta")
    assert count_macs(meta, 10) == 13_824 and next(meta.parameters()).is_meta


@pytest.mark.parametrize("size", [0, -3, 2.5, "32", None, True, (32,), (32, 0), (1, 2, 3)], ids=str)
def test_an_image_size_that_is_none(size):
    for count in (count_macs, layer_costs, peak_activation_bytes):
        with pytest.raises(ValueError, match="image_size is a positive whole number or"):
            count(nn.Conv2d(3, 4, 1), size)


def test_what_cannot_be_counted_is_named():
    with pytest.raises(ValueError, match=r"Conv2d does not take an image of 3 channels and 6 × 6 pixels \(too small"):
        count_macs(nn.Conv2d(3, 4, 7), 6)
    with pytest.raises(ValueError, match=r"1 channels and 6 × 6 pixels .*not the channels it was made for"):
        count_macs(nn.Conv2d(3, 4, 3), 6, channels=1)
    with pytest.raises(ValueError, match="channels is a positive whole number, not 0"):
        count_macs(nn.Conv2d(3, 4, 3), 6, channels=0)
    shapes = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(100, 2))
    with pytest.raises(ValueError, match="Sequential does not take an image of 3 channels and 8 × 8"):
        count_macs(shapes, 8)
    with pytest.raises(ValueError, match="ReLU has no convolution and no linear layer"):
        count_macs(nn.ReLU(), 8)


# ------------------------------------------------------------------------------------------------ activation memory


class Residual(nn.Module):
    def __init__(self, skip=True, in_place=False):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(in_place), nn.Conv2d(8, 8, 3, padding=1))
        self.skip = skip

    def forward(self, x):
        return x + self.body(x) if self.skip else self.body(x)


def test_a_residual_block_by_hand():
    one = 8 * 10 * 10  # values of each tensor
    # In the second convolution its input and output are alive; with the skip the block's input too.
    assert peak_activation_bytes(Residual(skip=False), 10, channels=8) == 2 * one * 4
    assert peak_activation_bytes(Residual(skip=True), 10, channels=8) == 3 * one * 4
    assert peak_activation_bytes(Residual(in_place=True), 10, channels=8) == 3 * one * 4, "nothing is in place"
    assert peak_activation_bytes(Residual(skip=True), 10, 1, channels=8) == 3 * one


def test_a_chain_by_hand():
    chain = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(16, 4, 1), nn.Flatten(), nn.Linear(64, 2)
    )
    # image 192 + first 1024; first 1024 + pooled 256: the largest; pooled 256 + 64; 64 (flattened: the same) + 2
    assert peak_activation_bytes(chain, 8, 1) == 1024 + 256
    assert peak_activation_bytes(chain[:1], 8, 1) == 192 + 1024
    assert peak_activation_bytes(nn.Sequential(chain[0], nn.ReLU(inplace=True)), 8, 1) == 2 * 1024


def test_a_view_is_no_second_tensor_and_a_weight_is_no_activation():
    head = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.Flatten(), nn.Linear(1024, 100))
    assert peak_activation_bytes(head, 8, 1) == 192 + 1024


def test_branches_live_until_they_are_joined():
    class Two(nn.Module):
        def forward(self, x):
            a = torch.relu(x)
            b = torch.sigmoid(x)  # x is read for the last time
            c = torch.nn.functional.avg_pool2d(b, 2)  # a waits
            return torch.cat([a.flatten(1), c.flatten(1)], dim=1)

    assert peak_activation_bytes(Two(), 8, 1) == 3 * 192  # x, a, b: more than a, b, c (432) and a, c, joined (480)


def test_the_peak_of_mobilenet_v2_is_its_first_expansion():
    # Block 2 widens 16 to 96 channels at 112 × 112: the BatchNorm there reads and writes the largest tensor.
    model = torchvision.models.mobilenet_v2()
    assert peak_activation_bytes(model, 224) == 2 * 96 * 112 * 112 * 4 == 9_633_792
    assert peak_activation_bytes(model.train(), 224, 1) == 2_408_448


class Passes(TorchDispatchMode):
    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        return operation(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "shufflenet_v2_x0_5"])
def test_shapes_that_are_known_at_once_are_the_shapes(name, monkeypatch):
    model = getattr(torchvision.models, name)()
    quick = layer_costs(model, (96, 64))
    monkeypatch.setattr(costs, "_ShapesKept", Passes)
    assert layer_costs(model, (96, 64)) == quick


def test_an_activation_s_shape_is_answered_and_nothing_else():
    x, aten = torch.empty(2, 3, 5, 5, device="meta"), torch.ops.aten
    with costs._ShapesKept():
        assert aten.hardtanh_(x, 0, 6) is x and aten.silu(x).shape == x.shape and aten.silu(x) is not x
        assert aten.mean.dim(x, [2, 3]).shape == (2, 3)
