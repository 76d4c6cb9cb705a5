"""helpers.models: the networks' sizes and shapes; weight files that are missing, damaged or foreign."""

import json

import pytest
import torch
import torchvision

from helpers import models


def parameters(model) -> int:
    return sum(p.numel() for p in model.parameters())


# Appendix A recounts the papers' numbers; these were worked out by hand from table 1: sum over the layers of
# channels_in × channels_out × kernel² / groups, two BatchNorm numbers a channel, and the classifier with its bias.
@pytest.mark.parametrize(("width", "count"), [(1.0, 4_231_976), (0.75, 2_585_560), (0.5, 1_331_592), (0.25, 470_072)])
def test_mobilenet_v1_parameters(width, count):
    assert parameters(models.mobilenet_v1(width)) == count


def test_mobilenet_v1_shapes():
    model = models.mobilenet_v1(0.25, num_classes=10).eval()
    assert model(torch.zeros(2, 3, 96, 96)).shape == (2, 10)
    maps = torch.zeros(1, 3, 224, 224)
    for layer in model[:27]:
        maps = layer(maps)
    assert maps.shape == (1, 256, 7, 7)
    strides = [conv.stride[0] for conv in model.modules() if isinstance(conv, torch.nn.Conv2d)]
    assert strides.count(2) == 5 and len(strides) == 27
    strided = [conv for conv in model.modules() if isinstance(conv, torch.nn.Conv2d) and conv.stride[0] == 2]
    assert [conv.groups == conv.in_channels for conv in strided] == [False, True, True, True, True], (
        "the depthwise ones"
    )
    bigger = models.mobilenet_v1(0.25, stem_stride=1)[:27]
    assert bigger(torch.zeros(1, 3, 32, 32)).shape[-1] == 2


@pytest.mark.parametrize("width", [0.35, 1.0, 1.4])
def test_mobilenet_v2_is_torchvisions(width):
    model, theirs = models.mobilenet_v2(width), torchvision.models.mobilenet_v2(width_mult=width)
    for look in (
        lambda network: [(name, tensor.shape) for name, tensor in network.state_dict().items()],
        lambda network: [layer.stride for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)],
    ):
        assert look(model) == look(theirs)


def test_the_stem_of_stride_1_doubles_the_last_map():
    images = torch.zeros(1, 3, 32, 32)
    assert models.mobilenet_v2(0.35).eval().features(images).shape[-1] == 1
    assert models.mobilenet_v2(0.35, stem_stride=1).eval().features(images).shape[-1] == 2


def test_the_small_cnn_is_the_one_that_was_stored():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = models.small_cnn(3), models.small_cnn(3), models.small_cnn(4)
    assert torch.equal(torch.rand(1), expected), "building it draws from the numbers of whoever builds it"
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True))
    assert not torch.equal(first[0][0].weight, other[0][0].weight)
    assert parameters(first) == 94_762 and first(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    models.load_weights(first, models.WEIGHTS / "small_cnn.safetensors")


@pytest.mark.parametrize("build", [models.mobilenet_v1, models.mobilenet_v2])
@pytest.mark.parametrize("width", [0, -1, 5, float("nan")])
def test_a_width_that_makes_no_sense_is_refused(build, width):
    with pytest.raises(ValueError, match="width multiplier"):
        build(width)


def test_a_stem_stride_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="stem_stride"):
        models.mobilenet_v2(stem_stride=3)


# ------------------------------------------------------------------------------------------------------ weight files


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    model = models.mobilenet_v2(0.25, num_classes=10)
    model(torch.randn(8, 3, 32, 32))  # so that BatchNorm's statistics are no longer 0 and 1
    return model.eval()


@pytest.fixture
def path(trained, tmp_path):
    return models.save_weights(trained, tmp_path / "net.safetensors")


def other(width=0.25, classes=10):
    torch.manual_seed(1)
    return models.mobilenet_v2(width, num_classes=classes)


def test_weights_come_back_to_float16(trained, path):
    loaded = models.load_weights(other(), path)
    for (name, saved), back in zip(trained.state_dict().items(), loaded.state_dict().values(), strict=True):
        if saved.is_floating_point():
            assert back.dtype == torch.float32 and torch.equal(back, saved.half().float()), name
    assert sorted(p.name for p in path.parent.iterdir()) == ["net.safetensors", "net.safetensors.sha256"]


def test_the_sum_beside_the_file_is_what_sha256sum_reads(path):
    import hashlib

    digest, name = (path.parent / "net.safetensors.sha256").read_text(encoding="utf-8").split()
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest() and name == path.name


@pytest.mark.parametrize("suffix", ["", ".sha256"])
def test_a_missing_file_is_named(path, suffix):
    lost = path.with_name(path.name + suffix)
    lost.unlink()
    with pytest.raises(FileNotFoundError, match=f"^{lost.name} is missing"):
        models.load_weights(other(), path)


DAMAGES = {
    "cut short": lambda blob: blob[:-1],
    "one bit": lambda blob: blob[:2000] + bytes([blob[2000] ^ 1]) + blob[2001:],
    "empty": lambda blob: b"",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_refused(path, damage):
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"net.safetensors is damaged.*sha256"):
        models.load_weights(other(), path)


def test_a_file_that_is_no_safetensors_is_refused(path):
    import hashlib

    path.write_bytes(b"this is no network")
    path.with_name(path.name + ".sha256").write_text(hashlib.sha256(path.read_bytes()).hexdigest(), encoding="utf-8")
    with pytest.raises(ValueError, match=r"net.safetensors does not fit this network"):
        models.load_weights(other(), path)


@pytest.mark.parametrize(
    "network",
    [other(width=0.5), other(classes=100), models.mobilenet_v1(0.25, num_classes=10), torch.nn.Linear(3, 3)],
    ids=["wrong width", "wrong classes", "V1 for V2", "a linear layer"],
)
def test_another_network_is_refused(path, network):
    with pytest.raises(ValueError, match=r"net.safetensors does not fit this network"):
        models.load_weights(network, path)


def test_a_network_that_lacks_a_layer_of_the_file_is_refused(path):
    network = other()
    network.classifier = torch.nn.Identity()
    with pytest.raises(ValueError, match=r"not wanted \['classifier"):
        models.load_weights(network, path)


def test_a_file_that_lacks_a_layer_of_the_network_is_refused(tmp_path):
    network = other()
    network.classifier = torch.nn.Identity()
    path = models.save_weights(network, tmp_path / "net.safetensors")
    with pytest.raises(ValueError, match=r"missing \['classifier"):
        models.load_weights(other(), path)


def test_the_file_is_as_readable_as_any_other(path):
    plain = path.with_name("plain")
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_write_that_fails_leaves_the_old_pair(trained, path, monkeypatch):
    before = path.read_bytes()

    def fill(path, blob):
        with path.open("wb") as file:
            file.write(blob[:100])  # a disk that is full after a hundred bytes
        raise OSError("disk full")

    monkeypatch.setattr(models.Path, "write_bytes", fill)
    with pytest.raises(OSError, match="disk full"):
        models.save_weights(other(), path)
    assert path.read_bytes() == before
    models.load_weights(other(), path)


# --------------------------------------------------------------------------------------------------- what ships


def test_the_shipped_backbone_has_features_and_facts():
    pretrained = models.load_pretrained()
    facts = json.loads((models.WEIGHTS / "mobilenet_v2_tiny_imagenet.json").read_text(encoding="utf-8"))
    assert pretrained.image_size == facts["image_size"] and facts["trained_on"] in pretrained.about
    size = pretrained.image_size
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    features = pretrained.model(images)
    assert pretrained.look == {name: facts[name] for name in ("image_size", "mean", "std")} | {
        name: tuple(facts[name]) for name in ("mean", "std")
    }
    assert features.shape == (2, pretrained.features) and not features.requires_grad and not pretrained.model.training
    assert (features[0] - features[1]).abs().max() > 0.1, "two images give the same features: untrained or constant"


def test_unknown_names_and_widths_say_what_there_is():
    with pytest.raises(ValueError, match=r"tiny-imagenet.*efficientnet-lite0.*not 'cifar'"):
        models.load_pretrained("cifar")
    with pytest.raises(FileNotFoundError, match=r"zoo_mobilenet_v2_0.1.safetensors.*Widths there"):
        models.load_zoo(0.1)
