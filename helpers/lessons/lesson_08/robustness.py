"""Lesson 08: five widths on blurred, noisy, darker, brighter and JPEG-damaged test images → data/results/robustness.csv

The zoo's networks judge the complete set's 10,000 test images (--sample: the sample's 2,000), first as they are
(corruption "none") and then damaged. `change` is the accuracy on damaged minus that on undamaged images, a paired
difference with its 95 % interval. A row a network and damage; rows that are there with the same weights are skipped.
How each pair of widths differs on the undamaged images goes to data/results/zoo_pairs.csv.
"""

import io
import itertools
import time

import torch
import torchvision.transforms.functional as TF
from PIL import Image

from helpers.batches import Batches
from helpers.data import ImageSet, load_cifar10
from helpers.evaluation import Accuracy, Paired, mcnemar, predict
from helpers.models import WEIGHTS, load_zoo
from helpers.results import columns_of, is_recorded, provenance, record

DAMAGE = {  # kind → (what the strength is, strengths from weak to strong)
    "none": ("–", (0,)),
    "blur": ("deviation of a Gaussian, pixels", (0.5, 0.7, 1.0, 1.5)),
    "noise": ("deviation of Gaussian noise, of 255", (5, 10, 20, 40)),
    "darker": ("brightness multiplied by", (0.7, 0.5, 0.3, 0.2)),
    "brighter": ("brightness multiplied by", (1.3, 1.6, 2.0, 3.0)),
    "jpeg": ("JPEG quality", (80, 50, 20, 10)),
}


def damage(images: ImageSet, kind: str, strength: float, seed: int = 0) -> ImageSet:
    """The images blurred, noisy, darker, brighter or stored as JPEG (see DAMAGE), again uint8 [N,H,W,3].

    The same seed gives the same noise. Raises ValueError for an unknown kind or a strength that makes no sense.
    """
    if kind not in DAMAGE:
        raise ValueError(f"there is no damage {kind!r}; there are {', '.join(DAMAGE)}")
    if (kind != "none" and not strength > 0) or (kind == "jpeg" and strength not in range(1, 96)):
        raise ValueError(f"{kind} cannot have strength {strength!r}: it is the {DAMAGE[kind][0]}")
    pixels = images.images
    if kind == "jpeg":
        pixels = torch.stack([_jpeg(image, int(strength)) for image in pixels])
    elif kind != "none":
        x = pixels.float()
        if kind == "blur":
            side = 2 * round(3 * strength) + 1  # three deviations to each side
            x = TF.gaussian_blur(x.permute(0, 3, 1, 2), side, strength).permute(0, 2, 3, 1)
        elif kind == "noise":
            x = x + strength * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
        else:
            x = x * strength
        pixels = x.round().clamp(0, 255).to(torch.uint8)
    words = images.source if kind == "none" else f"{images.source}, {kind} {strength:g}"
    return ImageSet(pixels.contiguous(), images.labels, images.classes, words)


def _jpeg(image: torch.Tensor, quality: int) -> torch.Tensor:
    """Store one image [H,W,3] as JPEG and read it again."""
    file = io.BytesIO()
    Image.fromarray(image.numpy()).save(file, "JPEG", quality=quality)
    height, width, _ = image.shape
    return torch.frombuffer(bytearray(Image.open(file).tobytes()), dtype=torch.uint8).view(height, width, 3)


def zoo_widths() -> list[float]:
    """The widths whose trained network is in data/weights/, narrowest first."""
    names = [path.stem.removeprefix("zoo_mobilenet_v2_") for path in WEIGHTS.glob("zoo_mobilenet_v2_*.safetensors")]
    return sorted(float(name) for name in names if name.replace(".", "", 1).isdigit())


def paired_columns(result: Paired) -> dict[str, int | str]:
    """A paired difference as the columns of a row, in shares (not in percentage points)."""
    shares = {"difference": result.difference, "low": result.low, "high": result.high}
    counts = {"only_first": result.only_first, "only_second": result.only_second, "total": result.total}
    return {**counts, **{name: f"{x:.5f}" for name, x in shares.items()}, "p_value": f"{result.p_value:.3g}"}


def arguments(parser) -> None:
    parser.add_argument("--sample", action="store_true", help="the sample's 2,000 test images, not all 10,000")
    parser.add_argument("--kinds", nargs="+", choices=DAMAGE, default=list(DAMAGE))
    parser.add_argument("--widths", type=float, nargs="+", help="all that are in data/weights/ when none is given")
    parser.add_argument("--limit", type=int, help="use so many images: a trial, nothing is recorded")


def run(options, log) -> None:
    _, test = load_cifar10("sample" if options.sample else "full")
    if options.limit:
        test = test[torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[: options.limit]]
    networks = {width: load_zoo(width) for width in options.widths or zoo_widths()}
    prints = {w: (WEIGHTS / f"zoo_mobilenet_v2_{w:g}.safetensors.sha256").read_text()[:12] for w in networks}
    right = {}  # width → bool [N] on the undamaged images

    def judge(width: float, images: ImageSet) -> torch.Tensor:
        return predict(networks[width], Batches(images, 500)).argmax(1) == images.labels

    for kind in options.kinds:
        for strength in DAMAGE[kind][1]:
            units = {
                width: {"width": f"{width:g}", "kind": kind, "strength": strength, "total": len(test),
                        "weights": prints[width]}
                for width in networks
            }  # fmt: skip
            if not options.limit:
                units = {width: unit for width, unit in units.items() if not is_recorded("robustness.csv", unit)}
            images = damage(test, kind, strength) if units else test
            for width, unit in units.items():
                started = time.monotonic()
                if width not in right:
                    right[width] = judge(width, test)
                now = right[width] if kind == "none" else judge(width, images)
                result, change = Accuracy(int(now.sum()), len(now), images.source), mcnemar(now, right[width])
                log(f"width {width:g}: {result}; change {change}")
                if not options.limit:
                    shares = {"change": change.difference, "change_low": change.low, "change_high": change.high}
                    shares = {name: f"{share:.5f}" for name, share in shares.items()}
                    row = {**unit, **columns_of(result), **shares, **provenance(time.monotonic() - started)}
                    record("robustness.csv", [row], ("total", "kind", "strength", "width"))
    for first, second in itertools.combinations(networks, 2):
        unit = {"first": f"{first:g}", "second": f"{second:g}", "total": len(test),
                "weights": f"{prints[first]} {prints[second]}"}  # fmt: skip
        if options.limit or is_recorded("zoo_pairs.csv", unit):
            continue
        started = time.monotonic()
        for width in (first, second):
            if width not in right:
                right[width] = judge(width, test)
        pair = mcnemar(right[first], right[second])
        log(f"width {first:g} against {second:g}: {pair}")
        row = {**unit, **paired_columns(pair), "source": test.source, **provenance(time.monotonic() - started)}
        record("zoo_pairs.csv", [row], ("total", "first", "second"))
