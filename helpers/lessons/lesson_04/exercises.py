"""Exercises of lesson 04."""

import torch
import torch.nn.functional as F
from torch import nn

from helpers.exercises import Exercise
from helpers.exercises.code import Case, CodeExercise
from helpers.lessons.lesson_04.blocks import InvertedResidual, SqueezeExcite


def run(block: type[nn.Module], *settings: int, x: torch.Tensor) -> torch.Tensor:
    """Make a block, let its BatchNorm measure `x`, and give what it answers then: numbers that are not near zero."""
    torch.manual_seed(0)
    made = block(*settings)
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    with torch.no_grad():
        made.train()(x)
        return made.eval()(x)


def run_switched_off(block: type[nn.Module], *settings: int, x: torch.Tensor) -> torch.Tensor:
    """The same with the residual switched off, as the page does where it breaks a network on purpose."""

    def without(*settings: int) -> nn.Module:
        made = block(*settings)
        made.residual = False
        return made

    return run(without, *settings, x=x)


def images(channels: int, side: int = 6) -> torch.Tensor:
    """Two random images [2,channels,side,side], the same every time."""
    return torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(channels))


class NoResidual(InvertedResidual):
    """Wrong: never adds what came in."""

    def forward(self, x):
        return self.layers(x)


class ReluAfterwards(InvertedResidual):
    """Wrong: an activation after the sum."""

    def forward(self, x):
        return F.relu6(super().forward(x))


class ReluAfterTheSum(InvertedResidual):
    """Wrong: an activation after the sum, where there is a sum."""

    def forward(self, x):
        return F.relu6(super().forward(x)) if self.residual else self.layers(x)


class Twice(InvertedResidual):
    """Wrong: adds the block's answer to itself."""

    def forward(self, x):
        return self.layers(x) + self.layers(x) if self.residual else self.layers(x)


class OnlyWhereNot(InvertedResidual):
    """Wrong: adds where it should not, and only there."""

    def forward(self, x):
        return self.layers(x) if self.residual else x + self.layers(x)


class ByShape(InvertedResidual):
    """Wrong where the residual is switched off: goes by the shapes alone."""

    def forward(self, x):
        y = self.layers(x)
        return x + y if x.shape == y.shape else y


class ActivationBefore(InvertedResidual):
    """Wrong: an activation before the sum."""

    def forward(self, x):
        y = F.relu6(self.layers(x))
        return x + y if self.residual else y


class ActivationBeforeTheSum(InvertedResidual):
    """Wrong: an activation before the sum, where there is a sum."""

    def forward(self, x):
        return x + F.relu6(self.layers(x)) if self.residual else self.layers(x)


class NoRelu(SqueezeExcite):
    """Wrong: no ReLU between the two convolutions."""

    def forward(self, x):
        return x * F.hardsigmoid(self.excite(self.squeeze(x.mean((2, 3), keepdim=True))))


class Relu6(SqueezeExcite):
    """Wrong: ReLU6 between them."""

    def forward(self, x):
        return x * F.hardsigmoid(self.excite(F.relu6(self.squeeze(x.mean((2, 3), keepdim=True)))))


class SoftSigmoid(SqueezeExcite):
    """Wrong: the true sigmoid."""

    def forward(self, x):
        return x * torch.sigmoid(self.excite(self.squeeze(x.mean((2, 3), keepdim=True)).relu()))


class NoSigmoid(SqueezeExcite):
    """Wrong: factors that are not squeezed into 0…1."""

    def forward(self, x):
        return x * self.excite(self.squeeze(x.mean((2, 3), keepdim=True)).relu())


class OnlyFactors(SqueezeExcite):
    """Wrong: gives the factors, and not the maps times them."""

    def forward(self, x):
        return F.hardsigmoid(self.excite(self.squeeze(x.mean((2, 3), keepdim=True)).relu()))


class Added(SqueezeExcite):
    """Wrong: adds the factors."""

    def forward(self, x):
        return x + F.hardsigmoid(self.excite(self.squeeze(x.mean((2, 3), keepdim=True)).relu()))


class NotSqueezed(SqueezeExcite):
    """Wrong: a factor for each position, no mean over the map."""

    def forward(self, x):
        return x * F.hardsigmoid(self.excite(self.squeeze(x).relu()))


class MeanOfTheBatch(SqueezeExcite):
    """Wrong: one mean for all images of the batch."""

    def forward(self, x):
        return x * F.hardsigmoid(self.excite(self.squeeze(x.mean((0, 2, 3), keepdim=True)).relu()))


EXERCISES = {
    "4.1": Exercise(
        8_128_512,
        "the first convolution: 112 × 112 positions × 3 × 3 × 3 × 24 channels. 325.4 million less 8.1 million is 317.3 "
        "million, the digits on the release page. The same holds for its rows at 192, 160 and 128 pixels.",
        {
            "That layer has width 1.0, with 32 channels; at width 0.75 there are 24.": 10_838_016,
            "That counts at 224 × 224, the size of the input; positions of the output count.": 32_514_048,
            "That is the classifier; without it 324.6 million are left, which rounds to 325.": 768_000,
            "That is all that is left. The MACs of the one layer left out are asked.": 317_271_936,
            "That is the whole network. Look for one layer of about 8 million.": 325_400_448,
        },
        hint="325.4 million less this layer must print as 317 million.",
        unit="MACs",
    ),
    "4.2": CodeExercise(
        "lost",
        cases=(
            Case("for points of a plane in three numbers", torch.tensor([[5.0, 1, -4], [-4, 1, -1], [-1, -2, -3]]), 2),
            Case("for numbers that are exactly zero", torch.tensor([[0.0, 0, 3], [0, 2, 1]]), 2),
            Case("for many numbers and d = 3", torch.randn(50, 6, generator=torch.Generator().manual_seed(1)), 3),
            Case("for a layer as wide as the data", torch.randn(40, 4, generator=torch.Generator().manual_seed(2)), 4),
        ),
        reference=lambda numbers, d: (numbers > 0).sum(dim=1) < d,
        why="d unknown numbers need d equations, and a ReLU leaves one for each number above zero.",
        mistakes={
            "A zero is no equation, it may stand for any negative number. Count those above zero.": lambda numbers, d: (
                (numbers >= 0).sum(dim=1) < d
            ),
            "d numbers above zero do suffice: d equations for d unknowns.": lambda numbers, d: (
                (numbers > 0).sum(dim=1) <= d
            ),
            "The other way round: those are the points that can be found again.": lambda numbers, d: (
                (numbers > 0).sum(dim=1) >= d
            ),
            "You asked whether *any* number was set to zero; a point can spare some of them.": (
                lambda numbers, d: (numbers <= 0).any(dim=1),
                lambda numbers, d: (numbers < 0).any(dim=1),
            ),
            "You asked whether *all* numbers are gone; fewer than d left are too few.": lambda numbers, d: (
                numbers <= 0
            ).all(dim=1),
            "That is a count; the answer is True or False for each point.": lambda numbers, d: (numbers > 0).sum(dim=1),
            "That is one number for all points; the answer is True or False for each point.": (
                lambda numbers, d: ((numbers > 0).sum(dim=1) < d).float().mean(),
                lambda numbers, d: ((numbers > 0).sum(dim=1) < d).sum(),
                lambda numbers, d: (numbers > 0).sum() < d,
            ),
        },
    ),
    "4.3": CodeExercise(
        "InvertedResidual",
        cases=(
            Case("for stride 1 and as many channels out as in", 8, 8, 1, 6, use=run, x=images(8)),
            Case("for stride 2", 8, 8, 2, 6, use=run, x=images(8)),
            Case("for other channels out than in", 8, 12, 1, 6, use=run, x=images(8)),
            Case("for expansion 1", 8, 8, 1, 1, use=run, x=images(8)),
            Case("with residual set to False", 8, 8, 1, 6, use=run_switched_off, x=images(8)),
        ),
        reference=InvertedResidual,
        why="ten of V2's seventeen blocks add their input. The addition costs no MAC and no parameter: no count "
        "sees it.",
        mistakes={
            "Where both ends have the same shape (self.residual), the input is added.": NoResidual,
            "There is no activation after the sum: what is passed on is narrow and linear.": (
                ReluAfterwards,
                ReluAfterTheSum,
            ),
            "You added the layers' output to itself; the *input* is added to it.": Twice,
            "The other way round: add where self.residual is true.": OnlyWhereNot,
            "Right for every shape; but ask self.residual, because the page switches one off by it.": ByShape,
            "What the projection gives goes into the sum as it is, with no activation.": (
                ActivationBefore,
                ActivationBeforeTheSum,
            ),
        },
    ),
    "4.4": Exercise(
        15_466_752,
        "10,838,016 to expand at 56 × 56, then 1,016,064 for the depthwise and 3,612,672 to project, both at 28 × 28. "
        "The stride comes after the expansion, which stays the most expensive part.",
        {
            "That has all three at 56 × 56; the depthwise has stride 2, so two of them put out 28 × 28.": 29_352_960,
            "That has all three at 28 × 28; the stride sits in the depthwise, after the expansion.": 7_338_240,
            "That counts the depthwise at the size of its input; positions of the output count.": 18_514_944,
            "That projects at 56 × 56; after the depthwise the map is 28 × 28.": 26_304_768,
            "That is a dense 3 × 3 convolution in the middle; a depthwise one has 9 weights a channel.": 160_763_904,
            "That leaves out the depthwise convolution.": 14_450_688,
            "That leaves out the expansion.": 4_628_736,
        },
        hint="Three convolutions, one after the other: how large is the map that each puts out?",
        unit="MACs",
    ),
    "4.5": Exercise(
        3_470_760,
        "without BatchNorm's two vectors, scale and shift: 2 × 17,056 fewer than 3,504,872. The same convention "
        "reproduces all six widths on the release page (appendix A).",
        {
            "That is the full count, which prints as 3.50 million.": 3_504_872,
            "That is what the paper prints; the count that prints as 3.47 million is asked.": 3_400_000,
            "That leaves out one vector of BatchNorm; it learns two, a scale and a shift.": 3_487_816,
            "That leaves out four vectors, but the running mean and variance were never counted.": 3_436_648,
            "That adds BatchNorm's running mean and variance; 3.47 is less than your count, not more.": 3_538_984,
            "That leaves out the classifier's bias, 1,000 numbers: too few to turn 3.50 into 3.47.": 3_503_872,
            "That is what was left out. What is left is asked.": 34_112,
            "That leaves out the whole classifier, more than a third of the network.": 2_223_872,
        },
        hint="Sum the parameters of each kind of layer: which sum is about 34,000?",
        unit="parameters",
    ),
    "4.6": Exercise(
        frozenset({"MACs"}),
        "at stride 1 the depthwise convolution computes every position, and the projection then skips three "
        "quarters of them. What is left is exactly the same numbers, at four times the depthwise cost. So scores alone "
        "do not suffice either: a missing residual is seen by them only, this mistake by the MACs only.",
        {
            "The MACs do notice. But think the scores through: a projection at stride 2 takes every second row and "
            "column of a map that was computed in full. Do they hold other numbers than before?": frozenset(
                {"MACs", "scores"}
            ),
            "Do the positions that the projection takes hold other numbers than before? And how many positions does "
            "the depthwise convolution compute now?": frozenset({"scores"}),
            "Weights are as many as before: a stride has none.": frozenset({"parameters"}),
            "A stride has no weights; the number of parameters does not change.": frozenset({"parameters", "MACs"}),
            "A stride has no weights. And do the positions that are left hold other numbers than before?": frozenset(
                {"parameters", "scores"}
            ),
            "Not all three: a stride has no weights, for a start.": frozenset({"parameters", "MACs", "scores"}),
        },
    ),
    "4.7": CodeExercise(
        "h_swish",
        cases=(
            Case("for numbers on both sides of −3 and 3", torch.tensor([-7.0, -3.5, -3, -1, 0, 0.5, 1, 3, 3.5, 9])),
            Case("for a batch of maps", 4 * images(3)),
            Case("for large numbers", torch.tensor([100.0, -100.0, 6.5])),
        ),
        reference=lambda x: F.hardswish(x),
        why="two comparisons, an addition and two products: whole-number arithmetic can do that. An exponential it "
        "cannot.",
        mistakes={
            "You did not divide by 6: at x = 3 the factor must be 1.": lambda x: x * F.relu6(x + 3),
            "That is the hard sigmoid, the factor; x is multiplied by it.": lambda x: F.relu6(x + 3) / 6,
            "That is swish with the smooth sigmoid; the hard one is asked.": lambda x: x * torch.sigmoid(x),
            "You cut x at 6; h-swish goes on as x.": (
                lambda x: (x * F.relu6(x + 3) / 6).clamp(max=6),
                lambda x: F.relu6(x) * F.relu6(x + 3) / 6,
            ),
            "Add 3 before you cut: ReLU6(x + 3), not ReLU6(x) + 3.": lambda x: x * (F.relu6(x) + 3) / 6,
            "The factor must stop at 1: ReLU6, not ReLU.": lambda x: x * F.relu(x + 3) / 6,
        },
        tolerance=1e-5,
    ),
    "4.8": CodeExercise(
        "SqueezeExcite",
        cases=(
            Case("for two images with four channels", 4, 2, use=run, x=3 * images(4)),
            Case("for eight channels with large values", 8, 8, use=run, x=20 * images(8) + 20),
            Case("for maps of one position", 4, 4, use=run, x=images(4, side=1)),
        ),
        reference=SqueezeExcite,
        why="one mean a channel goes in and one factor a channel comes out.",
        mistakes={
            "The squeeze layer's output goes through a ReLU before the next layer.": NoRelu,
            "The squeeze layer is followed by a plain ReLU; yours is cut at 6.": Relu6,
            "V3 takes the hard sigmoid (F.hardsigmoid), made of straight lines; this is the smooth one.": SoftSigmoid,
            "The factors must lie between 0 and 1: the hard sigmoid is missing.": NoSigmoid,
            "These are the factors; the channels are multiplied by them.": OnlyFactors,
            "Multiply the channels by their factors; you added.": Added,
            "Squeeze first: the small layers see one mean a channel, not the map.": NotSqueezed,
            "Each image has means of its own; yours go over the batch as well.": MeanOfTheBatch,
        },
    ),
    "4.9": Exercise(
        3_552,
        "72 · 24 + 24 in the first layer, 24 · 72 + 72 in the second.",
        {
            "Both layers have a bias, too: 24 numbers and 72.": 3_456,
            "That is one of the two layers; the way back has as many weights.": 1_752,
            "That is the second layer alone.": 1_800,
            "That is a layer from 72 to 72 channels; the middle has only 24.": 5_256,
            "Those are 3 × 3 convolutions; here they are 1 × 1.": 31_200,
        },
        hint="A 1 × 1 convolution from a to b channels has a · b weights and b biases.",
        unit="parameters",
    ),
    "4.10": Exercise(
        59.0,
        "960 · 1,280 MACs at each of 49 positions are 60.2 million, at one position 1.2 million. The whole of "
        "V3-Large has 217 million.",
        {
            "That is the cost before the mean; the difference is asked, and one position remains.": 60.2112,
            "That is the cost with the mean first; the difference is asked.": 1.2288,
            "A map of 7 × 7 has 49 positions, not 7.": 7.3728,
            "That is the layer from 320 channels, V2's; V3-Large's reads 960.": 19.6608,
        },
        hint="960 · 1,280 MACs a position: how many positions less?",
        tolerance=0.06,
        unit="M MACs",
        digits=3,
    ),
}
