"""Lesson 05: two networks beside each other, in numbers and as a table; nothing is drawn here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape

from helpers.latency import Timing
from helpers.lessons.lesson_05 import networks
from helpers.lessons.lesson_05.networks import NO_LIMIT, Network, Result

WIDE = 0.25  # quartiles further apart than this share of the median are a warning
STYLE = """<style>
.explorer table.ab, .explorer table.times { border-collapse: collapse; width: 100%; max-width: 560px;
  margin: 0 0 4px 0; }
.explorer table.ab :is(th, td), .explorer table.times :is(th, td) { padding: 0 4px; text-align: right;
  font-size: 12px; line-height: 15px; white-space: nowrap; }
.explorer table.ab :is(th, td):first-child, .explorer table.times :is(th, td):first-child { text-align: left; }
.explorer table.ab tr + tr, .explorer table.times tr + tr { border-top: 1px solid #8888; }
.explorer table.times :is(th, td) { font-size: 11px; line-height: 13px; padding: 0 2px; }
.explorer table.times { width: calc(100% - 10px); } /* a ⚠ hangs over the edge, so that it widens no column */
.explorer table.times small { position: absolute; font-size: 9px; }
.comparing .explorer-words { font-size: 12px; line-height: 1.3; }
</style>"""


@dataclass(frozen=True)
class Side:
    """One network and all that is known of it."""

    network: Network
    bits: int  # of a weight, and of an activation
    macs: int
    params: int
    peak_values: int
    result: Result | None  # its own measured accuracy
    nearest: Result  # the same, or that of its nearest relative
    over: list[str]  # the budgets that it breaks, in words
    timing: Timing | None

    @property
    def bytes(self) -> float:
        return self.params * self.bits / 8

    @property
    def peak_bytes(self) -> float:
        return self.peak_values * self.bits / 8


@dataclass(frozen=True)
class Comparison:
    """The choice B, what it is compared with, and the measured results seen from there."""

    a: Side | None
    b: Side
    bits: int
    limits: tuple[float, float]  # MACs, bytes of weights
    rows: tuple[Result, ...]  # on the same images as B
    fitting: list[Result]
    front: list[Result]
    timings: Mapping[Network, Timing] = field(default_factory=dict)

    @property
    def best(self) -> Result | None:
        """The most accurate that keeps both budgets."""
        return self.front[-1] if self.front else None

    @property
    def a_is_here(self) -> bool:
        """Whether A's accuracy is on the same images as B's, and so on the same picture."""
        return self.a is not None and self.a.network.own == self.b.network.own


def compare(
    b: Network, a: Network | None = None, bits: int = 32, mac_limit: float = NO_LIMIT, byte_limit: float = NO_LIMIT,
    timings: Mapping[Network, Timing] | None = None,
) -> Comparison:  # fmt: skip
    """Networks B and A (or none) by one ruler, and which measured results keep the budgets: MACs, bytes of weights."""
    timings = timings or {}

    def side(network: Network) -> Side:
        macs, params, peak = networks.costs(network)
        result = networks.result_of(network)
        near = result or networks.nearest(network)
        over = networks.over(macs, params, bits, mac_limit, byte_limit)
        return Side(network, bits, macs, params, peak, result, near, over, timings.get(network))

    rows = networks.results_like(b)
    fitting = networks.fitting(rows, bits, mac_limit, byte_limit)
    return Comparison(
        side(a) if a else None, side(b), bits, (mac_limit, byte_limit), rows, fitting, networks.front(fitting),
        dict(timings),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------ in words


def table(seen: Comparison) -> list[tuple[str, str, str, str]]:
    """Rows of (what, A, B, B / A); A is empty where nothing is kept."""
    a, b = seen.a, seen.b
    sides = (a, b)

    def ratio(value) -> str:
        values = [value(side) if side else None for side in sides]
        return f"× {_short(values[1] / values[0])}" if all(values) else ""

    def row(what: str, say, value=None) -> tuple[str, str, str, str]:
        return what, *(say(side) if side else "" for side in sides), ratio(value) if value else ""

    points = ""
    if a and seen.a_is_here and a.result and b.result:
        points = f"{b.result.top1 - a.result.top1:+.1f} points"
    elif a and not seen.a_is_here:
        points = "other images"
    return [
        row("network", lambda side: networks.LOOKS[side.network.family][0]),
        row("width α", lambda side: f"{side.network.width}", lambda side: side.network.width),
        row("pixels", lambda side: f"{side.network.resolution}", lambda side: side.network.resolution),
        row("parameters", lambda side: f"{side.params / 1e6:.2f}M{_printed(side)}", lambda side: side.params),
        row("MACs", lambda side: f"{side.macs / 1e6:.1f}M{_printed(side)}", lambda side: side.macs),
        row(f"weights, {seen.bits} bits", lambda side: f"{side.bytes / 1e6:.2f} MB", lambda side: side.bytes),
        row("peak memory", lambda side: f"{side.peak_bytes / 1e6:.2f} MB", lambda side: side.peak_bytes),
        (*row("accuracy", accuracy)[:3], points),
        row("time here", lambda side: time(side.timing), lambda side: side.timing and side.timing.median),
        row("budgets", lambda side: "too much" if side.over else "fits"),
    ]


def accuracy(side: Side) -> str:
    """A network's accuracy with its interval where there is one."""
    if not side.result:
        return "not measured"
    low_high = side.result.interval
    return f"{side.result.top1:.1f} %" + (f" ({low_high[0]:.1f}–{low_high[1]:.1f})" if low_high else "")


def time(timing: Timing | None) -> str:
    """A median in words, "not yet" without one, with a word of warning where the quartiles are wide."""
    return f"{_ms(timing.median)} ms" + " ⚠" * is_wide(timing) if timing else "not yet"


def is_wide(timing: Timing) -> bool:
    """Whether the quartiles are so far apart that the median says little."""
    return timing.high - timing.low > WIDE * timing.median


def sentences(seen: Comparison) -> dict[str, str]:
    """What the table cannot say: where the accuracy is from, and what the budgets leave."""
    b, best, verdict, rest = seen.b, seen.best, "B fits both", "no measured network fits"
    if b.over:
        verdict = f"B does not fit: {', '.join(b.over)}"
    if best:
        rest = f"{len(seen.fitting)} of {len(seen.rows)} results fit, the best is {best.name}, {best.top1:.1f} %"
    return {"Accuracy": source(b), "Budgets": f"{verdict}; {rest}"}


def source(side: Side) -> str:
    """Where a network's accuracy is from, and how far it is from its own."""
    result, network = side.result, side.network
    where = "CIFAR-10, ten classes" if network.own else "ImageNet, 1000 classes"
    if not result:
        near, times = side.nearest, _short(side.nearest.macs / side.macs)
        return f"not measured; nearest is {near.name} with {times} times the MACs: {near.top1:.1f} % on {where}"
    words = f"{where} ({result.source.partition(', tensorflow/')[0]})"
    if other := networks.other_source(network):
        words += f"; another table prints {other.top1:.1f} %"
    if result.seeds:
        words += f"; other seeds reach {', '.join(f'{value:.1f}' for value in result.seeds)} %"
    if networks.is_printed(network):
        words += "; MACs and parameters as printed there (the released network is not torchvision's)"
    elif not network.own and abs(result.printed_macs / networks.costs(replace(network, classes=1000))[0] - 1) > 0.02:
        words += f"; it prints {result.printed_macs / 1e6:.0f}M MACs (why: appendix A)"
    return words


def text(seen: Comparison) -> str:
    """The table, the sentences and the times, as HTML."""
    words = "".join(f"<div><b>{head}</b>: {escape(what)}.</div>" for head, what in sentences(seen).items())
    return STYLE + columns(seen) + words + stopwatch_table(seen.timings)


def told(seen: Comparison) -> str:
    """The picture in words, for those who hear it."""
    sides = [("B", seen.b)] + ([("A", seen.a)] if seen.a else [])
    said = [
        f"{letter} is {side.network.name}: {side.macs / 1e6:.1f}M MACs, {side.bytes / 1e6:.2f} MB, {accuracy(side)}"
        for letter, side in sides
    ]
    where = "our networks on CIFAR-10" if seen.b.network.own else "published MobileNets on ImageNet"
    return f"Accuracy against MACs of {where}. {'. '.join(said)}. {sentences(seen)['Budgets']}."


def columns(seen: Comparison) -> str:
    """`table` as HTML."""
    cells = [("", "A", "B", "B / A"), *table(seen)]
    # An interval has its own line, and the words beside it need no more room.
    cells = [tuple(cell.replace(" (", "<br>(").replace("other ", "other <br>") for cell in row) for row in cells]
    if seen.a is None:
        cells = [(what, b) for what, _, b, _ in cells]
    head = "".join(f"<th scope='col'>{cell}</th>" for cell in cells[0])
    body = "".join(
        f"<tr><th scope='row'>{row[0]}</th>{''.join(f'<td>{cell}</td>' for cell in row[1:])}</tr>" for row in cells[1:]
    )
    return f"<table class='ab'><tr>{head}</tr>{body}</table>"


def stopwatch(timings: Mapping[Network, Timing]) -> dict[str, dict[float, Timing]]:
    """Every time measured so far, by family and size, the newest first: {"V2 at 160 px": {width: time}}."""
    found: dict[str, dict[float, Timing]] = {}
    for network, timing in timings.items():
        found[network.rest] = found.pop(network.rest, {}) | {network.width: timing}
    return {key: dict(sorted(times.items())) for key, times in reversed(found.items())}


def stopwatch_table(timings: Mapping[Network, Timing]) -> str:
    """`stopwatch` as HTML: a column a width, its median and quartiles; all but the newest size folded away."""
    if not timings:
        return ""
    rows = []
    for name, times in stopwatch(timings).items():
        lines = {
            f"{name}, α": [str(width) for width in times],
            "median, ms": [f"<b>{_ms(one.median)}</b>{'<small>⚠</small>' * is_wide(one)}" for one in times.values()],
            "¼ are below": [_ms(one.low) for one in times.values()],
            "¼ are above": [_ms(one.high) for one in times.values()],
        }
        cells = "".join(
            f"<tr><th scope='row'>{head}</th>{''.join(f'<td>{cell}</td>' for cell in line)}</tr>"
            for head, line in lines.items()
        )
        rows.append(f"<table class='times'>{cells}</table>")
    older = f"<details><summary>measured before: {len(rows) - 1}</summary>{''.join(rows[1:])}</details>"
    return rows[0] + (older if rows[1:] else "")


def _printed(side: Side) -> str:
    return " printed" * networks.is_printed(side.network)


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _ms(seconds: float) -> str:
    return _short(seconds * 1e3)
