"""Lesson 05: two MobileNets beside each other: costs, measured accuracy, latency here, and two budgets."""

from collections.abc import Iterator, Mapping, Sequence

import torch

from helpers.explorer import Explorer, Veil, menu, slider
from helpers.latency import Timing, measure
from helpers.lessons.lesson_05.comparison import Comparison, compare, is_wide, text, told
from helpers.lessons.lesson_05.grid import OWN, RESOLUTIONS, WIDTHS, build
from helpers.lessons.lesson_05.mobilenet_chart import MobilenetChart
from helpers.lessons.lesson_05.networks import LOOK, LOOKS, NO_LIMIT, Network, published

__all__ = ["LOOK", "mobilenet_explorer", "published"]

KEEP, TIME, TIME_ALL = "Keep B as A", "Time B here", "Time all widths"
MAC_LIMITS = (1, 2, 5, 10, 20, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 600)  # millions
BYTE_LIMITS = (0.5, 1, 1.5, 2, 2.5, 3, 4, 6, 8, 10, 12, 16, 20, 25)  # MB
CLASSES = (2, 5, 10, 20, 50, 100, 200, 500, 1000)
A, B = Network("mobilenet_v2", 0.5, 160), Network("mobilenet_v2", 0.35, 224)  # about 60M MACs both
OFFERED = (Network("mobilenet_v2", 1.0, 224), Network(OWN, 1.0, 32, 10))
OWN_SIZE = 32  # pixels of the course's own images; those of ImageNet are larger
SECONDS, ROUNDS = 0.3, 3  # that one network is timed for; turns in which all widths are


def mobilenet_explorer(b: Network = B, a: Network | None = A, *, veiled: bool = False) -> Explorer:
    """Compare two MobileNets: family, width, resolution, classes, bits; two budgets; buttons that keep and time.

    `b` and `a` are the first choice and what it is compared with; with `veiled` it is asked first which of the two is
    the more accurate. `result` is a `Comparison`. `e.act("Keep B as A")`, `e.act("Time B here")` and
    `e.act("Time all widths")` press the buttons from code (float32, random weights).
    """
    timings: dict[Network, Timing] = {}

    def network(family: str, width: float, resolution: int, classes: int) -> Network:
        return Network(family, width, resolution, 10 if family == OWN else classes)

    def compute(family, width, resolution, a, classes, bits, mac_limit, byte_limit) -> Comparison:
        chosen = network(family, width, resolution, classes)
        return compare(chosen, a, bits, mac_limit, byte_limit, timings)

    def keep(family, width, resolution, classes, **_) -> None:
        kept, held = network(family, width, resolution, classes), controls["a"]
        held.options = list(dict.fromkeys([*held.options, (_label(kept), kept)]))
        held.value = kept

    def time_all(family, resolution, classes, **_) -> Iterator[None]:
        """By turns, so that a busy moment of the machine meets all widths alike; the middle one of the turns counts."""
        ready = {one: _ready(one) for one in (network(family, width, resolution, classes) for width in WIDTHS)}
        turns = {one: [] for one in ready}
        for _ in range(ROUNDS):
            for one, (model, image) in ready.items():
                turns[one].append(measure(model, image, threads=1, seconds=SECONDS / ROUNDS, warm_up=0.05))
                yield
        for one, found in turns.items():
            _remember(timings, one, sorted(found, key=lambda timing: timing.median)[ROUNDS // 2])
        return _note({one: timings[one] for one in ready})

    def time_b(family, width, resolution, classes, **_) -> str:
        one = network(family, width, resolution, classes)
        return _note({one: _remember(timings, one, measure(*_ready(one), threads=1, seconds=SECONDS, warm_up=0.05))})

    offered = dict.fromkeys([*OFFERED, *([a] if a else [])])
    controls = {
        "family": menu("family", [(_family(name), name) for name in LOOKS], b.family),
        "width": slider("width α", options=[(str(width), width) for width in WIDTHS], value=b.width),
        "resolution": slider("resolution, px", options=RESOLUTIONS, value=b.resolution),
        "a": menu("compare with A", [("nothing", None), *((_label(one), one) for one in offered)], a),
        "classes": slider("classes", options=CLASSES, value=b.classes),
        "bits": slider("bits a weight", options=(8, 16, 32), value=32),
        "mac_limit": slider("budget: MACs", options=_limits(MAC_LIMITS, "M"), value=60e6),
        "byte_limit": slider("budget: MB", options=_limits(BYTE_LIMITS, " MB"), value=NO_LIMIT),
    }

    def nudge(change) -> None:
        """Into the sizes of the other images; and the course's own networks have ten classes, whatever is chosen."""
        size, own = controls["resolution"], change.new == OWN
        if own != (size.value <= OWN_SIZE):
            size.value = OWN_SIZE if own else B.resolution
        controls["classes"].disabled = own

    controls["family"].observe(nudge, "value")
    explorer = Explorer(
        controls, compute, MobilenetChart, text, alt=told, text_height=360,
        actions={KEEP: keep, TIME: time_b, TIME_ALL: time_all},
        veil=Veil("Which of the two is the more accurate?", _winner, [a.name, b.name]) if veiled else None,
    )  # fmt: skip
    explorer.add_class("comparing")
    explorer.words.layout.flex = "1 1 300px"  # beside the picture on a small screen, too
    return explorer


def _winner(seen: Comparison) -> str:
    return max(seen.a, seen.b, key=lambda side: side.result.top1).network.name


def _ready(network: Network) -> tuple[torch.nn.Module, torch.Tensor]:
    """A network with random weights, and an image for it."""
    model = build(network.family, network.width, network.classes).to(memory_format=torch.channels_last)
    side = network.resolution
    return model, torch.rand(1, 3, side, side).contiguous(memory_format=torch.channels_last)


def _remember(timings: dict, network: Network, timing: Timing) -> Timing:
    timings.pop(network, None)  # the newest stands last
    timings[network] = timing
    return timing


def _note(found: Mapping[Network, Timing]) -> str:
    """What was timed, and whether to believe it."""
    what = next(iter(found)).name if len(found) == 1 else f"{len(found)} widths of {next(iter(found)).rest}"
    one = next(iter(found.values()))
    words = f"Timed: {what}, {one.threads} thread{'s' * (one.threads > 1)}."
    if any(map(is_wide, found.values())):
        words += " ⚠ Wide quartiles: the machine is busy with something else. Press again."
    return words


def _family(family: str) -> str:
    return "our V2: CIFAR-10" if family == OWN else f"{LOOK[family][0]}: ImageNet"


def _label(network: Network) -> str:
    return network.name + f", {network.classes} classes" * (network.classes not in (10 if network.own else 1000,))


def _limits(millions: Sequence[float], unit: str) -> list[tuple[str, float]]:
    return [*((f"{limit:g}{unit}", limit * 1e6) for limit in millions), ("no limit", NO_LIMIT)]
