"""Four small projects with a cost for each kind of mistake, and a model card that measured numbers fill."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

CARD = """\
# Model card: {name}

**What it is.** {network}, frozen, and a linear head for {classes}.
**Meant for.** {use}
**Not meant for.** {misuse}
**Learned from.** {learned} of the {total} photos in the folder `{folder}`; twins kept on one side of the split.
**Judged on.** The other {judged}, which chose nothing: {accuracy}.
**By class.** {by_class}.
**Known faults.** {faults}
**Cost.** {macs:.0f}M MACs for a photo of {side} pixels; {parameters:.1f}M parameters, whatever the photo.
"""


@dataclass(frozen=True)
class Project:
    """A use of lesson 1, a stand-in for it among CIFAR-10's classes, and what its mistakes cost."""

    use: str
    positive: tuple[str, ...]
    miss: float
    alarm: float


# The costs are invented: whoever uses a classifier must find their own.
PROJECTS = (
    Project("a lesion in a medical image", ("cat",), 50, 1),
    Project("vehicles on the road", ("automobile", "truck"), 20, 1),
    Project("something unusual on a camera", ("deer",), 5, 2),
    Project("a product to recommend", ("ship",), 1, 3),
)


def cost(called: torch.Tensor, positive: torch.Tensor, project: Project) -> torch.Tensor:
    """What each image's answer costs, float64 [N]; both inputs bool [N]."""
    return project.miss * (positive & ~called).double() + project.alarm * (~positive & called).double()


def cost_curve(probability: torch.Tensor, positive: torch.Tensor, project: Project, thresholds: Sequence[float]):
    """The mean cost of a thousand images for each threshold, float64 [K]."""
    return torch.stack([1000 * cost(probability >= t, positive, project).mean() for t in thresholds])


def formula(project: Project) -> float:
    """From which probability on to call, where the probabilities are true (exercise 11.8)."""
    return project.alarm / (project.alarm + project.miss)


def saved(
    probability: torch.Tensor, positive: torch.Tensor, project: Project, threshold: float, draws: int = 2000
) -> tuple[float, float, float]:
    """(how much a thousand images cost less than with 0.5, and the ends of a 95 % bootstrap interval over images)."""
    less = cost(probability >= 0.5, positive, project) - cost(probability.double() >= threshold, positive, project)
    less = 1000 * less.numpy()
    random = np.random.default_rng(0)
    means = [less[random.integers(0, len(less), len(less))].mean() for _ in range(draws)]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(less.mean()), float(low), float(high)


def model_card(**facts) -> str:
    """The template, filled; a KeyError names a number that nobody has measured."""
    return CARD.format(**facts)
