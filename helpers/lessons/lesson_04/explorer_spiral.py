"""A spiral through n random dimensions, a ReLU and back: figure 1 of the MobileNetV2 paper (arXiv:1801.04381)."""

import math
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure

from helpers.explorer import Explorer, slider
from helpers.plots import COLOURS

DIMENSIONS = (2, 3, 4, 5, 8, 15, 30)
POINTS, TURNS = 400, 2


@dataclass(frozen=True)
class RoundTrip:
    """What became of the spiral; a lost point cannot be told from others any more."""

    dimensions: int
    seed: int
    points: torch.Tensor  # [POINTS,2], the spiral, radius up to 1
    back: torch.Tensor  # [POINTS,2], after ReLU, through the pseudo-inverse
    lost: torch.Tensor  # bool [POINTS]: fewer than two of the point's n numbers are above zero

    @property
    def share_lost(self) -> float:
        return self.lost.float().mean().item()


def expected_share(dimensions: int) -> float:
    """Share of points lost, on average over random matrices: each number is above zero with probability 1/2."""
    return (1 + dimensions) / 2**dimensions


def round_trip(dimensions: int = 3, seed: int = 0) -> RoundTrip:
    """Embed the spiral in `dimensions` by a random matrix [n,2], apply ReLU, come back by the pseudo-inverse."""
    if dimensions < 2:
        raise ValueError(f"a flat spiral needs at least 2 dimensions, not {dimensions!r}")
    angle = torch.linspace(0.15, TURNS * 2 * math.pi, POINTS)
    points = torch.stack([angle * angle.cos(), angle * angle.sin()], dim=1) / angle[-1]
    matrix = torch.randn(dimensions, 2, generator=torch.Generator().manual_seed(seed))
    numbers = (points @ matrix.T).relu()
    back = numbers @ torch.linalg.pinv(matrix).T
    return RoundTrip(dimensions, seed, points, back, (numbers > 0).sum(dim=1) < 2)


def draw(trip: RoundTrip) -> Figure:
    figure = Figure(figsize=(10, 3.7), layout="none")  # a layout engine would double the time of a change
    figure.subplots_adjust(left=0.09, right=0.985, top=0.9, bottom=0.24, wspace=0.36)
    before, after, shares = figure.subplots(1, 3)
    panels = [(before, trip.points, "The spiral"), (after, trip.back, f"Back from n = {trip.dimensions}")]
    for axis, where, title in panels:
        axis.plot(*where[~trip.lost].T, "o", markersize=2.5, color=COLOURS["blue"], label="can be recovered")
        axis.plot(*where[trip.lost].T, "x", markersize=4, markeredgewidth=1, color=COLOURS["vermillion"], label="lost")
        axis.set(title=title, xlabel="first coordinate", ylabel="second coordinate")
        axis.set_aspect("equal", "datalim")
        axis.locator_params(nbins=4)
    before.legend(loc="upper left", bbox_to_anchor=(-0.25, -0.17), ncols=2, handletextpad=0.1, columnspacing=1)
    average = [100 * expected_share(n) for n in DIMENSIONS]
    shares.plot(average, "o-", color="black", markersize=4, linewidth=1, label="average, (n + 1) / 2ⁿ")
    here = DIMENSIONS.index(trip.dimensions)
    shares.plot(here, 100 * trip.share_lost, "D", color=COLOURS["vermillion"], markersize=9, label="this matrix")
    shares.legend(loc="upper right")
    shares.set_xticks(range(len(DIMENSIONS)), DIMENSIONS)
    shares.set(title="Points lost", xlabel="dimensions n", ylabel="share of the points (%)", ylim=(-4, 104))
    return figure


def text(trip: RoundTrip) -> str:
    return (
        f"<b>{int(trip.lost.sum())} of {POINTS} points ({trip.share_lost:.1%}) are lost</b> in n = {trip.dimensions} "
        f"dimensions with seed {trip.seed}: ReLU left them fewer than two numbers above zero, and two are needed to "
        f"find a point of a plane again. Over all matrices the average is {expected_share(trip.dimensions):.2%}."
    )


def spiral_explorer() -> Explorer:
    """Turn the number of dimensions and the seed of the random matrix; `.result` is a RoundTrip."""
    controls = {
        "dimensions": slider("dimensions n", options=DIMENSIONS, value=3),
        "seed": slider("seed", 0, 19, value=0),
    }
    return Explorer(controls, round_trip, draw, text)
