"""A spiral through n random dimensions, a ReLU and back: figure 1 of the MobileNetV2 paper (arXiv:1801.04381).

The paper's spiral is flat. Here it may also move in d dimensions, since what counts is n beside d.
"""

import math
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure

from helpers.explorer import Explorer, Picture, Veil, slider
from helpers.plots import COLOURS

DIMENSIONS = (2, 3, 4, 5, 8, 15, 30, 60)
DATA = (2, 3, 5, 8, 15)
POINTS, TURNS = 400, 2
EDGE = 1.35  # of the two panels that show points


@dataclass(frozen=True)
class RoundTrip:
    """What became of the spiral; a lost point cannot be told from others any more."""

    dimensions: int
    data: int
    seed: int
    points: torch.Tensor  # [POINTS,data], the spiral in the first two coordinates, radius up to 1
    back: torch.Tensor  # [POINTS,data], after ReLU, through the pseudo-inverse
    lost: torch.Tensor  # bool [POINTS]: fewer than `data` of the point's n numbers are above zero

    @property
    def share_lost(self) -> float:
        return self.lost.float().mean().item()


def expected_share(dimensions: int, data: int = 2) -> float:
    """Share of points lost, on average over random matrices: fewer than `data` heads among `dimensions` coins."""
    return sum(math.comb(dimensions, heads) for heads in range(min(data, dimensions + 1))) / 2**dimensions


def round_trip(dimensions: int = 3, seed: int = 0, data: int = 2) -> RoundTrip:
    """Embed the spiral in `dimensions` by a random matrix [n,data], apply ReLU, come back by the pseudo-inverse.

    Raises ValueError when `data` is below 2, a flat spiral, or `dimensions` below 1.
    """
    if dimensions < 1 or data < 2:
        raise ValueError(f"a spiral needs at least 2 dimensions and a layer 1 number, not {data!r} and {dimensions!r}")
    angle = torch.linspace(0.15, TURNS * 2 * math.pi, POINTS)
    points = torch.stack([angle * angle.cos(), angle * angle.sin()], dim=1) / angle[-1]
    # Beyond the plane it swings faster from one dimension to the next, so that no dimension repeats another.
    swings = [0.5 * torch.sin((2 + 0.7 * extra) * angle + extra) for extra in range(data - 2)]
    points = torch.cat([points, *(swing[:, None] for swing in swings)], dim=1)
    matrix = torch.randn(dimensions, data, generator=torch.Generator().manual_seed(seed))
    numbers = (points @ matrix.T).relu()
    back = numbers @ torch.linalg.pinv(matrix).T
    return RoundTrip(dimensions, data, seed, points, back, (numbers > 0).sum(dim=1) < data)


class SpiralPicture(Picture):
    """The spiral, what comes back (both by their first two coordinates), and the share lost beside the expected one.

    The axes stay as they are in every state, so that a change can be seen.
    """

    def __init__(self):
        self.figure = Figure(figsize=(10, 3.7), layout="none")
        self.figure.subplots_adjust(left=0.07, right=0.985, top=0.9, bottom=0.24, wspace=0.3)
        before, after, shares = self.figure.subplots(1, 3)
        self.points = []  # of each panel: the kept ones, the lost ones
        for axis in (before, after):
            kept = axis.plot([], [], "o", markersize=2.5, color=COLOURS["blue"], label="can be recovered")
            lost = axis.plot([], [], "x", markersize=4, markeredgewidth=1, color=COLOURS["vermillion"], label="lost")
            self.points.append((*kept, *lost))
            axis.set(xlabel="first coordinate", ylabel="second coordinate", xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE))
            axis.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1), aspect="equal")
        self.titles = [axis.set_title("", loc="left") for axis in (before, after)]
        self.outside = after.text(0.03, 0.03, "", transform=after.transAxes, fontsize=8)
        before.legend(loc="upper left", bbox_to_anchor=(-0.25, -0.17), ncols=2, handletextpad=0.1, columnspacing=1)
        places, flat = range(len(DIMENSIONS)), [100 * expected_share(n) for n in DIMENSIONS]
        shares.plot(places, flat, "o-", color="#AAAAAA", markersize=4, linewidth=1, label="average, d = 2")
        (self.average,) = shares.plot(places, flat, "o-", color="black", markersize=4, linewidth=1, label="average")
        (self.mine,) = shares.plot([], [], "D", color=COLOURS["vermillion"], markersize=9, label="this matrix")
        shares.legend(loc="upper right", bbox_to_anchor=(1.06, -0.17), ncols=3, handletextpad=0.3, columnspacing=1)
        shares.set_xticks(places, DIMENSIONS)
        shares.set(title="Points lost", xlabel="dimensions n", ylabel="share of the points (%)", ylim=(-4, 104))
        self.moving = [*self.points[0], *self.points[1], *self.titles, self.outside, self.average, self.mine]

    def update(self, trip: RoundTrip) -> None:
        for where, (kept, lost) in zip((trip.points, trip.back), self.points, strict=True):
            kept.set_data(*where[~trip.lost, :2].T)
            lost.set_data(*where[trip.lost, :2].T)
        self.titles[0].set_text(f"The spiral, d = {trip.data}")
        self.titles[1].set_text(f"Back from n = {trip.dimensions}")
        outside = int((trip.back[:, :2].abs() > EDGE).any(dim=1).sum())  # of a matrix that nearly flattens the plane
        self.outside.set_text(f"{outside} points lie outside" if outside else "")
        self.average.set_ydata([100 * expected_share(n, trip.data) for n in DIMENSIONS])
        self.mine.set_data([DIMENSIONS.index(trip.dimensions)], [100 * trip.share_lost])


def text(trip: RoundTrip) -> str:
    """What the picture shows, in two sentences."""
    average = expected_share(trip.dimensions, trip.data)
    return (
        f"<b>{int(trip.lost.sum())} of {POINTS} points ({trip.share_lost:.1%}) are lost</b> in n = {trip.dimensions} "
        f"dimensions with seed {trip.seed}: to find a point of d = {trip.data} dimensions again, {trip.data} numbers "
        f"above zero are needed. Over all matrices the average is {average:.2%}."
    )


def spiral_explorer(veiled: bool = False) -> Explorer:
    """Turn the numbers of dimensions and the seed of the random matrix; `.result` is a RoundTrip.

    `veiled`: nothing is shown until the share lost in the first state has been guessed.
    """
    controls = {
        "dimensions": slider("dimensions n", options=DIMENSIONS, value=3),
        "data": slider("of the data, d", options=DATA, value=2),
        "seed": slider("seed", 0, 19, value=0),
    }
    veil = Veil("With n = 3, what share of a plane's points is lost?", lambda first: 100 * first.share_lost, unit="%")
    return Explorer(controls, round_trip, SpiralPicture, text, veil=veil if veiled else None, text_height=44)
