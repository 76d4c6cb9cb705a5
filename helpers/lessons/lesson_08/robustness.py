"""Lesson 08: five widths on blurred, noisy, darker, brighter and JPEG-damaged test images → data/results/robustness.csv

The zoo's networks judge the complete set's 10,000 test images (--sample: the sample's 2,000), first as they are
(corruption "none") and then damaged. `change` is the accuracy on damaged minus that on undamaged images, a paired
difference with its 95 % interval. A row a network and damage; rows of other weights are replaced by --overwrite alone.
How each pair of widths differs on the undamaged images goes to data/results/zoo_pairs.csv, and how differently two of
them suffer to data/results/robustness_pairs.csv, a row a pair, kind and strength ("mean": of the four): `change` is the
first's change minus the second's, `kept` the same of what is left of the undamaged accuracy; both with a 95 % interval
from a bootstrap over images, each with all its answers; `p_value` asks whether the two changes are alike.
"""

import argparse
import functools
import io
import itertools
import math

import torch
import torchvision.transforms.functional as TF
from PIL import Image

from helpers.batches import Batches
from helpers.data import ImageSet, load_cifar10
from helpers.evaluation import Accuracy, Paired, mcnemar, predict
from helpers.lessons.lesson_08.intervals import bootstrap
from helpers.models import WEIGHTS, load_zoo
from helpers.results import columns_of
from helpers.runs import studies
from helpers.runs.recipes import some

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


class Answers:
    """Which test images each network gets right, as they are and damaged; each is asked once."""

    def __init__(self, test: ImageSet, device: str):
        self.test, self.device, self._known = test, device, {}
        self._network = functools.cache(lambda width: load_zoo(width).to(device))
        self._damaged = functools.lru_cache(1)(lambda kind, strength: damage(test, kind, strength))

    def right(self, width: float, kind: str = "none", strength: float = 0) -> tuple[torch.Tensor, str]:
        """(bool [N], which images these were in words)."""
        if (width, kind, strength) not in self._known:
            images = self._damaged(kind, strength)
            right = predict(self._network(width), Batches(images, 500)).argmax(1) == images.labels
            self._known[width, kind, strength] = right, images.source
        return self._known[width, kind, strength]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sample", action="store_true", help="the sample's 2,000 test images, not all 10,000")
    parser.add_argument("--kinds", nargs="+", choices=DAMAGE, default=list(DAMAGE))
    parser.add_argument(
        "--widths", type=studies.width, nargs="+", help="all that are in data/weights/ when none is given"
    )
    studies.arguments(parser)


def chosen(options: argparse.Namespace) -> tuple[dict[float, str], int]:
    """(width → the first digits of its weights' SHA-256, number of test images)."""
    widths = options.widths or zoo_widths()
    prints = {w: (WEIGHTS / f"zoo_mobilenet_v2_{w:g}.safetensors.sha256").read_text("utf-8")[:12] for w in widths}
    return prints, len(judged(options))


def judged(options: argparse.Namespace) -> ImageSet:
    """The test images, or for a trial some of them."""
    return some(load_cifar10("sample" if options.sample else "full")[1], options.limit)


def units(options: argparse.Namespace) -> list[dict]:
    """One damage after the other, each for all networks, so that images are damaged once."""
    prints, total = chosen(options)
    return [
        {"width": f"{width:g}", "kind": kind, "strength": strength, "total": total, "weights": digest}
        for kind in options.kinds
        for strength in DAMAGE[kind][1]
        for width, digest in prints.items()
    ]


def pairs(options: argparse.Namespace) -> list[dict]:
    """Every pair of the networks that are asked for."""
    prints, total = chosen(options)
    return [
        {"first": f"{first:g}", "second": f"{second:g}", "total": total, "weights": f"{prints[first]} {prints[second]}"}
        for first, second in itertools.combinations(prints, 2)
    ]


def suffering(options: argparse.Namespace) -> list[dict]:
    """Every pair of those networks and every kind of damage; a pair is the wider against the narrower."""
    prints, total = chosen(options)
    return [
        {"first": f"{wide:g}", "second": f"{narrow:g}", "kind": kind, "total": total,
         "weights": f"{prints[wide]} {prints[narrow]}"}
        for narrow, wide in sorted(itertools.combinations(prints, 2), key=lambda pair: pair[0] / pair[1])
        for kind in options.kinds
        if kind != "none"
    ]  # fmt: skip


def measure(unit: dict, run: studies.Run) -> dict:
    """Judge one network on images damaged in one way, and pair that with its answers to the undamaged ones."""
    width = float(unit["width"])
    now, source = run.world.right(width, unit["kind"], unit["strength"])
    result, change = Accuracy(int(now.sum()), len(now), source), mcnemar(now, run.world.right(width)[0])
    run.log(f"width {width:g}: {result}; change {change}")
    shares = {"change": change.difference, "change_low": change.low, "change_high": change.high}
    return {**columns_of(result), **{name: f"{share:.5f}" for name, share in shares.items()}}


def measure_pair(unit: dict, run: studies.Run) -> dict:
    """Compare two networks on the undamaged images."""
    pair = mcnemar(*(run.world.right(float(unit[place]))[0] for place in ("first", "second")))
    run.log(f"width {unit['first']} against {unit['second']}: {pair}")
    return {**paired_columns(pair), "source": run.world.test.source}


def difference_of_changes(wide: torch.Tensor, narrow: torch.Tensor) -> dict[str, str]:
    """How differently two networks suffer, from their answers, bool [N,1 + K]: undamaged first, then K strengths.

    `change`: points lost by the one minus points lost by the other, the mean of the K; `kept`: the same of what is left
    of the undamaged accuracy. Intervals from a paired bootstrap over the N images.
    """
    answers = torch.cat([wide, narrow], 1)
    drawn = torch.cat([answers.double().mean(0, keepdim=True), bootstrap(answers)])  # what is, then what might be
    one, other = drawn.split(wide.shape[1], 1)
    change = (one[:, 1:] - one[:, :1] - other[:, 1:] + other[:, :1]).mean(1)
    kept = (one[:, 1:] / one[:, :1] - other[:, 1:] / other[:, :1]).mean(1)
    ends, found = torch.tensor([0.025, 0.975]).double(), {}
    for name, values in (("change", change), ("kept", kept)):
        low, high = values[1:].quantile(ends).tolist()
        found |= {name: f"{float(values[0]):.5f}", f"{name}_low": f"{low:.5f}", f"{name}_high": f"{high:.5f}"}
    away = float(change[0].abs() / change[1:].std())  # in standard errors
    return found | {"p_value": f"{math.erfc(away / math.sqrt(2)):.3g}"}


def measure_suffering(unit: dict, run: studies.Run) -> list[dict]:
    """Both networks on the undamaged images and on the damaged ones: a row a strength, and one for all four."""
    kind, world = unit["kind"], run.world
    strengths = DAMAGE[kind][1]
    wide, narrow = (
        torch.stack([world.right(width)[0], *(world.right(width, kind, one)[0] for one in strengths)], 1)
        for width in (float(unit["first"]), float(unit["second"]))
    )
    places = {f"{one:g}": [0, 1 + place] for place, one in enumerate(strengths)} | {"mean": list(range(5))}
    rows = [{"strength": name, **difference_of_changes(wide[:, at], narrow[:, at])} for name, at in places.items()]
    run.log(f"{kind}, width {unit['first']} against {unit['second']}: {100 * float(rows[-1]['change']):+.1f} points")
    return [{**row, "source": world.test.source} for row in rows]


def prepare(run: studies.Run) -> Answers:
    """The images and, when they are asked for, the networks."""
    return Answers(judged(run.options), run.options.device)


HOW = (Answers, judged, some, Batches, predict, mcnemar)
STUDY = studies.Study(
    "robustness.csv", ("total", "kind", "strength", "width"), units, measure, prepare=prepare,
    made_by=(measure, damage, _jpeg, DAMAGE, *HOW),
)  # fmt: skip
PAIRS = studies.Study(
    "zoo_pairs.csv", ("total", "first", "second"), pairs, measure_pair, prepare=prepare, made_by=(measure_pair, *HOW)
)
SUFFERING = studies.Study(
    "robustness_pairs.csv", ("total", "first", "second", "kind", "strength"), suffering, measure_suffering,
    prepare=prepare, made_by=(measure_suffering, difference_of_changes, bootstrap, damage, _jpeg, DAMAGE, *HOW),
)  # fmt: skip


def run(options: argparse.Namespace, log) -> int:
    return studies.run(options, log, STUDY, PAIRS, SUFFERING)
