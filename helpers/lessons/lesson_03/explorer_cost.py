"""A dense convolution against a depthwise and a pointwise one: what each costs on paper."""

from dataclasses import dataclass

from matplotlib.figure import Figure

from helpers.explorer import Explorer, Picture, Veil, slider, toggle
from helpers.plots import COLOURS

CHANNELS = (3, 8, 16, 24, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
SIZES = (7, 14, 28, 32, 56, 112, 224)
POWERS = {3: "1k", 6: "1M", 9: "1G", 12: "1,000G"}  # ticks that carry a number


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


KERNELS = {1: "orange", 3: "blue", 5: "green", 7: "purple"}  # and the colour of its curve
GHOST = {"color": "#555555", "linewidth": 1.3, "linestyle": (0, (3, 2))}


class CostPicture(Picture):
    """MACs as bars on a scale that never moves, and the saving against the channels; dashed: the first state."""

    def __init__(self):
        self.figure = Figure(figsize=(9.8, 3.5), layout="none")
        self.figure.subplots_adjust(left=0.085, right=0.985, top=0.9, bottom=0.17, wspace=0.24)
        macs, curve = self.figure.subplots(1, 2, width_ratios=(1, 1.15))
        names, colours = ["dense", "depthwise", "pointwise"], [COLOURS[c] for c in ("vermillion", "sky", "blue")]
        first = compare()
        # From the least that the controls allow to the most: every state has its place, and a change can be seen.
        macs.set(yscale="log", ylim=(20, 2e13), title="MACs of one image", ylabel="MACs (each line ten times)")
        self.bars = macs.bar(names, [1] * 3, color=colours)
        self.numbers = [macs.annotate("", (place, 1), (0, 3), textcoords="offset points", ha="center", va="bottom")
                        for place in range(3)]  # fmt: skip
        powers = range(2, 14)
        macs.set_yticks([10**power for power in powers], [POWERS.get(power, "") for power in powers])
        macs.set_yticks([], minor=True)
        macs.grid(axis="x", visible=False)
        self.ghosts = [
            macs.plot([place - 0.42, place + 0.42], [count, count], **GHOST, zorder=3)[0]
            for place, count in enumerate((first.dense_macs, first.depthwise_macs, first.pointwise_macs))
        ]
        macs.legend(self.ghosts[:1], ["the first state"], loc="upper right", bbox_to_anchor=(1.0, 1.03))
        self.lines, self.labels = {}, {}
        for kernel, colour in KERNELS.items():
            ratios = [compare(kernel, 1, channels, 1).times_fewer for channels in CHANNELS]
            (self.lines[kernel],) = curve.plot(CHANNELS, ratios, color=COLOURS[colour])
            self.labels[kernel] = curve.text(1080, ratios[-1], f"{kernel} × {kernel}", color="black", va="center")
        look = {"markersize": 9, "markerfacecolor": "none", "markeredgecolor": GHOST["color"]}
        curve.plot(first.channels_out, first.times_fewer, "D", **look)
        (self.diamond,) = curve.plot([], [], "D", color=COLOURS["vermillion"], markersize=9)
        curve.set(xscale="log", yscale="log", xlim=(2.7, 2000), ylim=(0.6, 70))
        curve.set_xticks((3, 8, 32, 128, 512), ("3", "8", "32", "128", "512"))
        curve.set_xticks([], minor=True)
        curve.set_yticks((1, 3, 10, 30), ("1", "3", "10", "30"))
        curve.set_yticks([], minor=True)
        curve.set(title="Times fewer MACs: 1 / (1/N + 1/K²)", xlabel="channels out N", ylabel="dense / separable")
        self.moving = [*self.bars, *self.numbers, *self.ghosts, *self.lines.values(), *self.labels.values(),
                       self.diamond]  # fmt: skip

    def update(self, now: Comparison) -> None:
        counts = (now.dense_macs, now.depthwise_macs, now.pointwise_macs)
        for place, (bar, number, count) in enumerate(zip(self.bars, self.numbers, counts, strict=True)):
            bar.set_height(count)
            number.set_text(in_short(count))
            number.xy = (place, count)
        for kernel, line in self.lines.items():
            mine = kernel == now.kernel
            line.set(linewidth=2.5 if mine else 1.2, alpha=1 if mine else 0.6)
            self.labels[kernel].set_fontweight("bold" if mine else "normal")
        self.diamond.set_data([now.channels_out], [now.times_fewer])


def in_short(count: int) -> str:
    """Three digits and a unit: 25.7M."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:,.0f}{unit}" if count >= 100 * size else f"{count / size:.3g}{unit}"
    return str(count)


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


def cost_explorer(veiled: bool = False) -> Explorer:
    """Turn kernel, channels, size and stride; `.result` is a Comparison. `veiled`: after a guess."""
    controls = {
        "kernel": toggle("kernel K", list(KERNELS), 3),
        "stride": toggle("stride", [1, 2], 1),
        "channels_in": slider("channels in M", options=CHANNELS, value=64),
        "channels_out": slider("channels out N", options=CHANNELS, value=128),
        "size": slider("input side, px", options=SIZES, value=56),
    }
    veil = Veil("At which kernel does the split stop paying?", lambda first: losing_kernel(), choices=list(KERNELS))
    return Explorer(controls, compare, CostPicture, text, veil=veil if veiled else None)


def losing_kernel() -> int:
    """The one kernel at which the split costs more than the dense layer, whatever the channels."""
    (kernel,) = (k for k in KERNELS if all(compare(k, 1, channels, 1).times_fewer < 1 for channels in CHANNELS))
    return kernel
