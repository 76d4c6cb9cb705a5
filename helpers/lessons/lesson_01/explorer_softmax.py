"""Three scores become probabilities and a loss: softmax and cross-entropy with a temperature."""

import math
from dataclasses import dataclass

from matplotlib.figure import Figure

from helpers.explorer import Explorer, menu, slider
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


def draw(result: Softmax) -> Figure:
    figure = Figure(figsize=(9.6, 3.4), layout="none")  # fixed margins: half the time of a computed layout
    figure.subplots_adjust(left=0.065, right=0.985, top=0.87, bottom=0.17, wspace=0.28)
    left, middle, right = figure.subplots(1, 3)  # few ticks, each of them costs time
    colours = [COLOURS[colour] for colour, _ in LOOK]
    for axis, values, form in [(left, result.scores, "{:.1f}"), (middle, result.probabilities, "{:.3f}")]:
        axis.bar(NAMES, values, color=colours, width=0.6)
        for place, value in enumerate(values):
            above = value >= 0
            axis.annotate(form.format(value), (place, value), (0, 3 if above else -3), textcoords="offset points",
                          ha="center", va="bottom" if above else "top")  # fmt: skip
        axis.grid(axis="x", visible=False)
    left.axhline(0, color="black", linewidth=0.8)
    left.set(title="Scores", ylabel="score z", ylim=(-LIMIT - 1.2, LIMIT + 1.2), yticks=(-4, -2, 0, 2, 4))
    middle.set(
        title=f"Softmax at T = {result.temperature:g}", ylabel="probability p", ylim=(0, 1.12), yticks=(0, 0.5, 1)
    )
    curve = [0.0003 * (1 / 0.0003) ** (step / 60) for step in range(61)]
    right.plot(curve, [-math.log(p) for p in curve], color="black", linewidth=1.5)
    p, marker = result.probabilities[result.truth], LOOK[result.truth][1]
    right.plot(max(p, 1e-4), min(result.loss, 8.4), marker, color=colours[result.truth], markersize=10)
    right.set(title=f"Loss if it is a {NAMES[result.truth]}", xlabel="probability p of the true class", ylabel="−ln p")
    right.set(xlim=(-0.03, 1.03), ylim=(-0.3, 8.8), xticks=(0, 0.5, 1), yticks=(0, 2, 4, 6, 8))
    return figure


def text(result: Softmax) -> str:
    parts = [f"{value:.3g}" for value in result.exponentials]
    p = result.probabilities[result.truth]
    return (
        f"e<sup>z/T</sup>: {' + '.join(parts)} = {sum(result.exponentials):.4g}; each divided by the sum gives its "
        f"probability.<br>Cross-entropy for <b>{NAMES[result.truth]}</b>: −ln {p:.3g} = <b>{result.loss:.2f}</b>."
    )


def softmax_explorer() -> Explorer:
    """Turn three scores and the temperature, and choose the true class; `.result` is a Softmax."""
    controls = {
        "cat": slider("score of cat", -LIMIT, LIMIT, 2.0, step=0.1),
        "dog": slider("score of dog", -LIMIT, LIMIT, 1.0, step=0.1),
        "frog": slider("score of frog", -LIMIT, LIMIT, -1.0, step=0.1),
        "temperature": slider("temperature T", options=TEMPERATURES, value=1.0),
        "truth": menu("the image shows a", NAMES, "cat"),
    }
    return Explorer(controls, compute, draw, text)
