"""A dense convolution against a depthwise and a pointwise one: what each costs on paper."""

from dataclasses import dataclass

from matplotlib.figure import Figure

from helpers.explorer import Explorer, slider, toggle
from helpers.plots import COLOURS

CHANNELS = (3, 8, 16, 24, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
SIZES = (7, 14, 28, 32, 56, 112, 224)


@dataclass(frozen=True)
class Comparison:
    """MACs and weights (no bias, padding of half a kernel) of the dense layer and of the two that replace it."""

    kernel: int
    channels_in: int
    channels_out: int
    size: int  # side of the input, pixels
    stride: int
    size_out: int
    dense_weights: int
    depthwise_weights: int
    pointwise_weights: int

    @property
    def dense_macs(self) -> int:
        return self.dense_weights * self.size_out**2

    @property
    def depthwise_macs(self) -> int:
        return self.depthwise_weights * self.size_out**2

    @property
    def pointwise_macs(self) -> int:
        return self.pointwise_weights * self.size_out**2

    @property
    def times_fewer(self) -> float:
        """Dense over separable; the same for MACs and weights, for each weight is used once at each output position."""
        return self.dense_weights / (self.depthwise_weights + self.pointwise_weights)


def compare(
    kernel: int = 3, channels_in: int = 64, channels_out: int = 128, size: int = 56, stride: int = 1
) -> Comparison:
    """K × K convolution from M to N channels, against K × K depthwise and 1 × 1 pointwise; `size` is the input's."""
    if kernel % 2 == 0 or kernel < 1:
        raise ValueError(f"the kernel is an odd number of pixels, so that it has a centre, not {kernel!r}")
    if min(channels_in, channels_out, size, stride) < 1:
        raise ValueError("channels, size and stride are at least 1")
    size_out = (size - 1) // stride + 1  # with a padding of (kernel − 1) / 2
    weights = (kernel**2 * channels_in * channels_out, kernel**2 * channels_in, channels_in * channels_out)
    return Comparison(kernel, channels_in, channels_out, size, stride, size_out, *weights)


def draw(now: Comparison) -> Figure:
    figure = Figure(
        figsize=(9.8, 3.5), layout="none"
    )  # fixed margins: a layout engine would double the time of a change
    figure.subplots_adjust(left=0.085, right=0.985, top=0.9, bottom=0.17, wspace=0.3)
    macs, curve = figure.subplots(1, 2, width_ratios=(1, 1.15))
    parts = [count / 1e6 for count in (now.dense_macs, now.depthwise_macs, now.pointwise_macs)]
    bars = macs.bar(
        ["dense", "depthwise", "pointwise"], parts, color=[COLOURS[c] for c in ("vermillion", "sky", "blue")]
    )
    macs.bar_label(bars, [f"{part:,.0f}M" if part >= 100 else f"{part:.3g}M" for part in parts], padding=2)
    macs.set(title="MACs of one image", ylabel="millions of MACs", ylim=(0, 1.15 * max(parts)))
    for kernel, colour in ((1, "orange"), (3, "blue"), (5, "green"), (7, "purple")):
        ratios = [compare(kernel, 1, channels, 1).times_fewer for channels in CHANNELS]
        mine = kernel == now.kernel
        curve.plot(CHANNELS, ratios, color=COLOURS[colour], linewidth=2.5 if mine else 1.2, alpha=1 if mine else 0.6)
        curve.text(
            1080,
            ratios[-1],
            f"{kernel} × {kernel}",
            color="black",
            va="center",
            fontweight="bold" if mine else "normal",
        )
    curve.plot(now.channels_out, now.times_fewer, "D", color=COLOURS["vermillion"], markersize=9)
    curve.set(xscale="log", yscale="log", xlim=(2.7, 2000), ylim=(0.6, 70))
    curve.set_xticks((3, 8, 32, 128, 512), ("3", "8", "32", "128", "512"))
    curve.set_xticks([], minor=True)
    curve.set_yticks((1, 3, 10, 30), ("1", "3", "10", "30"))
    curve.set_yticks([], minor=True)
    curve.set(title="Times fewer MACs: 1 / (1/N + 1/K²)", xlabel="channels out N", ylabel="dense / separable")
    return figure


def text(now: Comparison) -> str:
    k, m, n, out = now.kernel, now.channels_in, now.channels_out, now.size_out
    judgement = (
        f"<b>{now.times_fewer:.2f} times fewer MACs</b>, and as many times fewer weights"
        if now.times_fewer > 1
        else f"<b>No gain</b>: {1 / now.times_fewer:.2f} times <i>more</i> MACs and weights"
    )
    return (
        f"Dense: {k}·{k}·{m}·{n} = {now.dense_weights:,} weights, each used at {out} × {out} positions: "
        f"{now.dense_macs:,} MACs. Depthwise: {k}·{k}·{m} = {now.depthwise_weights:,} weights, "
        f"{now.depthwise_macs:,} MACs. Pointwise: {m}·{n} = {now.pointwise_weights:,} weights, "
        f"{now.pointwise_macs:,} MACs. {judgement}."
    )


def cost_explorer() -> Explorer:
    """Turn kernel, channels, size and stride; `.result` is a Comparison."""
    controls = {
        "kernel": toggle("kernel K", [1, 3, 5, 7], 3),
        "stride": toggle("stride", [1, 2], 1),
        "channels_in": slider("channels in M", options=CHANNELS, value=64),
        "channels_out": slider("channels out N", options=CHANNELS, value=128),
        "size": slider("input side", options=SIZES, value=56),
    }
    return Explorer(controls, compare, draw, text)
