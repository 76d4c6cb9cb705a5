"""Which network? Builders, and the weights that ship with the lessons."""

import hashlib
import io
import json
import os
import socket
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import safetensors.torch
import torch
import torchvision
from torch import nn
from torchvision.models import MobileNetV2

from helpers import DATA
from helpers.efficientnet import IMAGENET_CLASSES, LITE0_LOOK, load_efficientnet_lite0

WEIGHTS = DATA / "weights"
IMAGENET = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V2
TIMEOUT = 30.0  # seconds to wait for an answer when these are fetched

# (output channels at width 1, stride) of the thirteen separable blocks: Howard et al. 2017, arXiv:1704.04861, table 1.
V1_BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]


def mobilenet_v1(width: float = 1.0, num_classes: int = 1000, stem_stride: int = 2) -> nn.Sequential:
    """MobileNetV1 with a width multiplier (Howard et al. 2017, arXiv:1704.04861, table 1); torchvision has none.

    Takes float32 [B,3,H,W] and gives logits [B,num_classes]. `stem_stride=1` suits 32-pixel images.
    As in the paper, channels are cut off to whole numbers, not rounded to multiples of eight.
    """
    _check_width(width)

    def conv(channels_in: int, channels_out: int, kernel: int, stride: int, groups: int = 1) -> nn.Sequential:
        layer = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        return nn.Sequential(layer, nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True))

    channels = max(1, int(32 * width))
    layers = [conv(3, channels, 3, stem_stride)]
    for out, stride in V1_BLOCKS:
        out = max(1, int(out * width))
        layers += [conv(channels, channels, 3, stride, groups=channels), conv(channels, out, 1, 1)]
        channels = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, num_classes))


def mobilenet_v2(width: float = 1.0, num_classes: int = 1000, stem_stride: int = 2, dropout: float = 0.2) -> nn.Module:
    """torchvision's MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381) with fresh random weights.

    Takes float32 [B,3,H,W] and gives logits [B,num_classes]. `stem_stride=1` leaves the first convolution at full size,
    which suits 32-pixel images: the last feature map is then 2×2 instead of 1×1.
    """
    _check_width(width)
    if stem_stride not in (1, 2):
        raise ValueError(f"stem_stride is 1 or 2, not {stem_stride!r}")
    model = torchvision.models.mobilenet_v2(width_mult=width, num_classes=num_classes, dropout=dropout)
    model.features[0][0].stride = (stem_stride, stem_stride)
    return model


# What lesson 07 made of 25 million MACs: 32-pixel maps are kept one stage longer, and expansion 3 pays for them.
BUDGET = {"width": 0.7, "expansion": 3, "strides": (1, 1, 2, 2, 1, 2, 1), "head": 640}


def mobilenet_v2_of(width: float, expansion: int, strides: tuple[int, ...], head: int) -> nn.Module:
    """A MobileNetV2 for 10 classes of 32-pixel images with strides of its own; random weights, no dropout.

    Takes float32 [B,3,32,32] and gives logits [B,10]. `strides` are those of the seven stages (arXiv:1801.04381,
    table 2, whose channels and repeats stay), behind a first convolution of stride 1. `head` counts the channels of the
    last convolution, which no width multiplier changes.
    """
    _check_width(width)
    channels, repeats = (16, 24, 32, 64, 96, 160, 320), (1, 2, 3, 4, 3, 3, 1)
    stages = [list(stage) for stage in zip((1, *[expansion] * 6), channels, repeats, strides, strict=True)]
    model = MobileNetV2(num_classes=10, width_mult=width, inverted_residual_setting=stages, dropout=0.0)
    model.features[0][0].stride = (1, 1)
    last, last_channels = model.features[-1], model.features[-1][0].in_channels
    model.features[-1] = type(last)(last_channels, head, kernel_size=1, activation_layer=nn.ReLU6)
    model.classifier[1] = nn.Linear(head, 10)
    nn.init.kaiming_normal_(model.features[-1][0].weight, mode="fan_out")  # as torchvision begins
    nn.init.normal_(model.classifier[1].weight, 0, 0.01)
    nn.init.zeros_(model.classifier[1].bias)
    return model


def small_cnn(seed: int = 0) -> nn.Sequential:
    """The small convolutional network of lesson 01: images float32 [B,3,32,32] → logits [B,10]; 94,762 weights.

    Three times a 3×3 convolution, half the size, BatchNorm, ReLU. The same `seed` gives the same first weights.
    `load_weights(small_cnn(), WEIGHTS / "small_cnn.safetensors")` fills in those that lesson 01 trained.
    """
    blocks = []
    with torch.random.fork_rng(devices=[]):  # whoever draws numbers afterwards draws what they would have drawn anyway
        torch.manual_seed(seed)
        for channels_in, channels_out in ((3, 32), (32, 64), (64, 128)):
            convolution = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
            blocks.append(nn.Sequential(convolution, nn.MaxPool2d(2), nn.BatchNorm2d(channels_out), nn.ReLU()))
        network = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))
    return network.to(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Pretrained:
    """A frozen feature extractor and what its images must look like."""

    model: nn.Module  # float32 [B,3,image_size,image_size] → features [B,features], in eval mode
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    about: str
    features: int = 1280
    head: nn.Module | None = None  # features [B,features] → logits [B,len(classes)], where it names what it was taught
    classes: tuple[str, ...] = ()

    @property
    def look(self) -> dict:
        """What `Batches` and `photo_input` need to know: `Batches(images, 100, **pretrained.look)`."""
        return {"image_size": self.image_size, "mean": self.mean, "std": self.std}


def load_pretrained(which: str = "tiny-imagenet") -> Pretrained:
    """A frozen network that maps normalised images to 1,280 features.

    "tiny-imagenet"      the MobileNetV2 that ships with the lessons: modest, 27.8 % top-1 of 200 classes
    "efficientnet-lite0" EfficientNet-Lite0 with Google's ImageNet weights, from a package of requirements.txt; with the
                         head and the names of its 1,000 classes
    "imagenet"           torchvision's MobileNetV2, fetched at the first use

    Raises FileNotFoundError or ValueError when a file is missing or damaged, ValueError for another name, and
    ConnectionError, with what to do, when torchvision's weights cannot be fetched.
    """
    head, classes = None, ()
    if which == "efficientnet-lite0":
        model = load_efficientnet_lite0()
        size, mean, std = LITE0_LOOK.values()
        about = "EfficientNet-Lite0, pretrained by Google on ImageNet, 1.28 million images, 1,000 classes, 224x224"
        head, classes = model.classifier.requires_grad_(False), IMAGENET_CLASSES
    elif which == "imagenet":
        model = mobilenet_v2()
        model.load_state_dict(_imagenet_state())
        look = IMAGENET.transforms()
        size, mean, std = look.crop_size[0], tuple(look.mean), tuple(look.std)
        about = f"MobileNetV2, width 1.0, pretrained by torchvision on ImageNet ({IMAGENET.name})"
    elif which == "tiny-imagenet":
        model = load_weights(mobilenet_v2(num_classes=200), WEIGHTS / "mobilenet_v2_tiny_imagenet.safetensors")
        facts = json.loads((WEIGHTS / "mobilenet_v2_tiny_imagenet.json").read_text(encoding="utf-8"))
        size, mean, std = facts["image_size"], tuple(facts["mean"]), tuple(facts["std"])
        about = f"MobileNetV2, width 1.0, pretrained on {facts['trained_on']}"
    else:
        raise ValueError(f'load_pretrained knows "tiny-imagenet", "efficientnet-lite0" and "imagenet", not {which!r}')
    model.classifier = nn.Identity()
    model.requires_grad_(False)
    model = model.eval().to(memory_format=torch.channels_last)
    return Pretrained(model, size, mean, std, about, head=head, classes=classes)


def _imagenet_state() -> dict[str, torch.Tensor]:
    """torchvision's ImageNet weights, fetched once into torch.hub's own cache and compared with the hash they name."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / IMAGENET.url.rpartition("/")[2]
    digest = path.stem.rpartition("-")[2]  # torchvision's files carry the start of their SHA-256 in their name
    if not path.exists():
        print(f"Fetching torchvision's ImageNet weights (14 MB) from {IMAGENET.url}", flush=True)
        old_timeout = socket.getdefaulttimeout()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            socket.setdefaulttimeout(TIMEOUT)
            torch.hub.download_url_to_file(IMAGENET.url, str(path), digest, progress=False)
        except (OSError, HTTPException, RuntimeError) as error:
            reason = getattr(error, "reason", None)  # what an URLError wraps
            detail = reason if isinstance(reason, Exception) else error
            if isinstance(detail, TimeoutError):
                detail = f"no answer for {TIMEOUT:g} seconds"
            elif isinstance(error, RuntimeError):
                detail = "what came is not the file (its SHA-256 differs): a cut connection, or a proxy's own page"
            raise ConnectionError(
                f"torchvision's ImageNet weights could not be fetched from {IMAGENET.url}: {detail}. Nothing was kept. "
                "The lessons do not need them, load_pretrained() ships with them. To have them all the same, fetch "
                f"that file on a machine with a network and put it into {path.parent}"
            ) from error
        finally:
            socket.setdefaulttimeout(old_timeout)
    blob = path.read_bytes()
    if not hashlib.sha256(blob).hexdigest().startswith(digest):
        raise ValueError(f"{path} is damaged: its SHA-256 does not begin with {digest}. Delete it and try again")
    return torch.load(io.BytesIO(blob), weights_only=True)


def load_zoo(width: float | str) -> nn.Module:
    """One of the series' own MobileNetV2: 10 classes, 32 pixels, stem of stride 1, eval mode.

    `width` is a width multiplier, or "budget" for the network of lesson 07 that spends its 25 million MACs on larger
    maps (`BUDGET`). Trained on the complete CIFAR-10 without the sample's 5,000 training images and without any test
    image (`python -m helpers train`, `budget`). Expects images normalised with CIFAR10_MEAN and CIFAR10_STD.
    """
    name = width if isinstance(width, str) else f"{width:g}"
    path = WEIGHTS / ("budget_mobilenet_v2.safetensors" if name == "budget" else f"zoo_mobilenet_v2_{name}.safetensors")
    if not path.exists():
        there = sorted(p.stem.removeprefix("zoo_mobilenet_v2_") for p in WEIGHTS.glob("zoo_mobilenet_v2_*.safetensors"))
        raise FileNotFoundError(
            f"no trained network of width {name}: {path.name} is not in data/weights/. "
            f"Widths there: {', '.join(there) or 'none'}. `git checkout data/weights` brings back a lost file."
        )
    made = mobilenet_v2_of(**BUDGET) if name == "budget" else mobilenet_v2(float(width), num_classes=10, stem_stride=1)
    return load_weights(made, path).eval().to(memory_format=torch.channels_last)


def save_weights(model: nn.Module, path: str | Path) -> Path:
    """Write a network's weights as safetensors float16, with their SHA-256 in `path` + ".sha256".

    BatchNorm's batch counter is left out: nothing uses it after training.
    """
    path = Path(path)
    state = {k: v.detach().half().contiguous() for k, v in model.state_dict().items() if v.is_floating_point()}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    blob = safetensors.torch.save(state)  # not save_file: it makes a file that only its owner may read
    temporary.write_bytes(blob)
    digest = hashlib.sha256(blob).hexdigest()
    # The sum goes first: should the second step fail, the pair is refused rather than believed.
    sum_part = path.with_name(path.name + ".sha256.part")
    sum_part.write_text(f"{digest}  {path.name}\n", encoding="utf-8")
    os.replace(sum_part, path.with_name(path.name + ".sha256"))
    os.replace(temporary, path)
    return path


def load_weights(model: nn.Module, path: str | Path) -> nn.Module:
    """Fill `model` from a file of `save_weights`, after comparing its SHA-256.

    Raises FileNotFoundError when a file is missing, ValueError when it is damaged or belongs to another network.
    """
    path = Path(path)
    sum_path = path.with_name(path.name + ".sha256")
    for needed in (path, sum_path):
        if not needed.exists():
            raise FileNotFoundError(f"{needed.name} is missing from {path.parent.name}/: restore it with git checkout")
    blob = path.read_bytes()
    if hashlib.sha256(blob).hexdigest() != sum_path.read_text(encoding="utf-8").split()[0]:
        raise ValueError(
            f"{path.name} is damaged: its SHA-256 is not the one in {sum_path.name}. Restore both with git checkout"
        )
    try:
        state = {k: v.float() for k, v in safetensors.torch.load(blob).items()}
        missing, unexpected = model.load_state_dict(state, strict=False)
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise ValueError(f"{path.name} does not fit this network: {error}") from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError(f"{path.name} does not fit this network: missing {missing[:3]}, not wanted {unexpected[:3]}")
    return model


def _check_width(width: float) -> None:
    if not 0 < width <= 4:
        raise ValueError(f"the width multiplier lies between 0 and 4 (usually 0.25 to 1.4), not {width!r}")
