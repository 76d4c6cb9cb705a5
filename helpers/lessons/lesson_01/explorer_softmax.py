"""Three scores become probabilities and a loss: softmax and cross-entropy with a temperature."""

import math
from dataclasses import dataclass

from matplotlib.figure import Figure

from helpers.explorer import Explorer, Picture, Veil, menu, slider
from helpers.plots import COLOURS

NAMES = ("cat", "dog", "frog")
LOOK = (("blue", "o"), ("orange", "s"), ("green", "D"))  # colour and marker of each class
TEMPERATURES = (0.25, 0.5, 1.0, 2.0, 4.0)
LIMIT = 4.0  # scores go from -LIMIT to LIMIT


@dataclass(frozen=True)
class Softmax:
    """What three scores become: z → e^(z/T) → divided by their sum → minus the logarithm of the true class's."""

    scores: tuple[float, float, float]
    temperature: float
    truth: int
    exponentials: tuple[float, float, float]
    probabilities: tuple[float, float, float]
    loss: float


def compute(cat: float, dog: float, frog: float, temperature: float = 1.0, truth: str = "cat") -> Softmax:
    """Softmax of the three scores at `temperature`, and the cross-entropy (natural logarithm) for the class `truth`."""
    if temperature <= 0:
        raise ValueError(f"a temperature lies above 0, not {temperature!r}")
    scores = (cat, dog, frog)
    exponentials = tuple(math.exp(score / temperature) for score in scores)
    probabilities = tuple(value / sum(exponentials) for value in exponentials)
    true_class = NAMES.index(truth)
    return Softmax(scores, temperature, true_class, exponentials, probabilities, -math.log(probabilities[true_class]))


class SoftmaxPicture(Picture):
    """Scores, their probabilities, and the place of the true class on the curve of −ln p. No axis moves."""

    def __init__(self):
        self.figure = Figure(figsize=(9.6, 3.4), layout="none")
        self.figure.subplots_adjust(left=0.065, right=0.985, top=0.87, bottom=0.17, wspace=0.28)
        left, middle, right = self.figure.subplots(1, 3)
        self.bars, self.numbers = [], []
        for axis in (left, middle):
            self.bars.append(axis.bar(NAMES, [0] * 3, color=[COLOURS[colour] for colour, _ in LOOK], width=0.6))
            style = {"textcoords": "offset points", "ha": "center"}
            self.numbers.append([axis.annotate("", (place, 0), (0, 3), **style) for place in range(3)])
            axis.grid(axis="x", visible=False)
        left.axhline(0, color="black", linewidth=0.8)
        left.set(title="Scores", ylabel="score z", ylim=(-LIMIT - 1.2, LIMIT + 1.2), yticks=(-4, -2, 0, 2, 4))
        middle.set(ylabel="probability p", ylim=(0, 1.12), yticks=(0, 0.5, 1))
        curve = [0.0003 * (1 / 0.0003) ** (step / 60) for step in range(61)]
        right.plot(curve, [-math.log(p) for p in curve], color="black", linewidth=1.5)
        (self.dot,) = right.plot([], [], "o", markersize=10)
        right.set(xlabel="probability p of the true class", ylabel="−ln p")
        right.set(xlim=(-0.03, 1.03), ylim=(-0.3, 8.8), xticks=(0, 0.5, 1), yticks=(0, 2, 4, 6, 8))
        self.titles = [axis.set_title("", loc="left") for axis in (middle, right)]
        self.answers = [middle, right]
        self.moving = [*self.bars[0], *self.bars[1], *self.numbers[0], *self.numbers[1], self.dot,
                       *self.titles]  # fmt: skip

    def update(self, result: Softmax) -> None:
        rows = [(result.scores, "{:.1f}"), (result.probabilities, "{:.3f}")]
        for bars, numbers, (values, form) in zip(self.bars, self.numbers, rows, strict=True):
            for place, (bar, number, value) in enumerate(zip(bars, numbers, values, strict=True)):
                bar.set_height(value)
                number.set_text(form.format(value))
                number.xy = (place, value)
                number.set_position((0, 3 if value >= 0 else -3))
                number.set_va("bottom" if value >= 0 else "top")
        # The dot is the true class's, in its colour and with its marker.
        colour, marker = LOOK[result.truth]
        self.dot.set(color=COLOURS[colour], marker=marker)
        self.dot.set_data([max(result.probabilities[result.truth], 1e-4)], [min(result.loss, 8.4)])
        self.titles[0].set_text(f"Softmax at T = {result.temperature:g}")
        self.titles[1].set_text(f"Loss if it is a {NAMES[result.truth]}")


def text(result: Softmax) -> str:
    parts = [f"{value:.3g}" for value in result.exponentials]
    p = result.probabilities[result.truth]
    return (
        f"e<sup>z/T</sup>: {' + '.join(parts)} = {sum(result.exponentials):.4g}; each divided by the sum gives its "
        f"probability.<br>Cross-entropy for <b>{NAMES[result.truth]}</b>: −ln {p:.3g} = <b>{result.loss:.2f}</b>."
    )


def softmax_explorer(veiled: bool = False) -> Explorer:
    """Turn three scores and the temperature, and choose the true class; `.result` is a Softmax.

    `veiled`: at T = 4 nothing is shown until the cat's probability there has been guessed.
    """
    controls = {
        "cat": slider("score of cat", -LIMIT, LIMIT, 2.0, step=0.1),
        "dog": slider("score of dog", -LIMIT, LIMIT, 1.0, step=0.1),
        "frog": slider("score of frog", -LIMIT, LIMIT, -1.0, step=0.1),
        "temperature": slider("temperature T", options=TEMPERATURES, value=1.0),
        "truth": menu("the image shows a", NAMES, "cat"),
    }
    veil = Veil(
        "At T = 4, what probability is left to the cat (scores 2, 1 and −1)?",
        lambda first: compute(*first.scores, temperature=4.0).probabilities[0],
        hides=lambda temperature, **_: temperature == 4.0,
    )
    return Explorer(controls, compute, SoftmaxPicture, text, veil=veil if veiled else None, text_height=44)
