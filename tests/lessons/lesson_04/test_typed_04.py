"""What learners type by mistake in lesson 04, written from the words alone: `check` finds the right ones."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.typed import Sheet, meet

SHEET = Sheet()
typed = SHEET.typed


# 4.2 which points are lost


def above(row):
    return sum(value > 0 for value in row)


@typed("4.2", "A zero is no equation")
def lost_zero(numbers, d):
    return torch.tensor([sum(value >= 0 for value in row) < d for row in numbers.tolist()])


@typed("4.2", "d numbers above zero do suffice")
def lost_d(numbers, d):
    return torch.tensor([above(row) <= d for row in numbers.tolist()])


@typed("4.2", "The other way round")
def lost_turned(numbers, d):
    return torch.tensor([above(row) >= d for row in numbers.tolist()])


@typed("4.2", "You asked whether *any* number was set to zero")
def lost_any(numbers, d):
    return torch.any(F.relu(numbers) == 0, dim=1)


@typed("4.2", "You asked whether *any* number was set to zero")
def lost_any_negative(numbers, d):
    return torch.tensor((numbers.numpy() < 0).any(axis=1))


@typed("4.2", "You asked whether *all* numbers are gone")
def lost_all(numbers, d):
    return F.relu(numbers).sum(dim=1) == 0


@typed("4.2", "That is a count")
def lost_count(numbers, d):
    return torch.tensor([above(row) for row in numbers.tolist()])


@typed("4.2", "That is one number for all points")
def lost_share(numbers, d):
    return float(np.mean([above(row) < d for row in numbers.tolist()]))


@typed("4.2", "That is one number for all points")
def lost_no_dim(numbers, d):
    return (numbers > 0).sum() < d


@typed("4.2", "That is one number for all points")
def lost_how_many(numbers, d):
    return len([row for row in numbers.tolist() if above(row) < d])


# 4.3 the block's way


def layer(channels_in, channels_out, kernel, stride=1, groups=1, act=True):
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out), *[nn.ReLU6()] * act)


class Given(nn.Module):
    """What the page gives: the layers, and whether both ends have the same shape."""

    def __init__(self, channels_in, channels_out, stride, expansion):
        super().__init__()
        wide = expansion * channels_in
        expand = [layer(channels_in, wide, 1)] if expansion > 1 else []
        middle = layer(wide, wide, 3, stride, groups=wide)
        self.layers = nn.Sequential(*expand, middle, layer(wide, channels_out, 1, act=False))
        self.residual = stride == 1 and channels_in == channels_out


@typed("4.3", "Where both ends have the same shape")
class NoSum(Given):
    def forward(self, x):
        for part in self.layers:
            x = part(x)
        return x


@typed("4.3", "There is no activation after the sum")
class ReluAfter(Given):
    def forward(self, x):
        y = self.layers(x)
        if self.residual:
            y = y + x
        return torch.relu(y)


@typed("4.3", "There is no activation after the sum")
class ReluAfterTheSumOnly(Given):
    def forward(self, x):
        if self.residual:
            return F.relu6(x + self.layers(x))
        return self.layers(x)


@typed("4.3", "You added the layers' output to itself")
class Itself(Given):
    def forward(self, x):
        x = self.layers(x)
        if self.residual:
            x = x + x
        return x


@typed("4.3", "The other way round")
class Inverse(Given):
    def forward(self, x):
        if not self.residual:
            return torch.add(self.layers(x), x)
        return self.layers(x)


@typed("4.3", "Right for every shape")
class Shape(Given):
    def forward(self, x):
        out = self.layers(x)
        if out.size() == x.size():
            out = out + x
        return out


@typed("4.3", "What the projection gives goes into the sum as it is")
class ReluBefore(Given):
    def forward(self, x):
        out = torch.relu(self.layers(x))
        return out + x if self.residual else out


@typed("4.3", "What the projection gives goes into the sum as it is")
class ReluBeforeTheSumOnly(Given):
    def forward(self, x):
        return x + F.relu6(self.layers(x)) if self.residual else self.layers(x)


# 4.7 h-swish


@typed("4.7", "You did not divide by 6")
def swish_six(x):
    return x * torch.clamp(x + 3, 0, 6)


@typed("4.7", "That is the hard sigmoid")
def swish_factor(x):
    return torch.tensor(np.clip((x.numpy() + 3) / 6, 0, 1))


@typed("4.7", "That is swish with the smooth sigmoid")
def swish_smooth(x):
    return F.silu(x)


@typed("4.7", "You cut x at 6")
def swish_cut(x):
    return x.clamp(max=6) * F.relu6(x + 3) / 6


@typed("4.7", "You cut x at 6")
def swish_relu6(x):
    return F.relu6(x) * F.relu6(x + 3) / 6


@typed("4.7", "Add 3 before you cut")
def swish_late(x):
    return x * (torch.clamp(x, 0, 6) + 3) / 6


@typed("4.7", "The factor must stop at 1")
def swish_relu(x):
    return x * (x + 3).clamp(min=0) / 6


# 4.8 squeeze-and-excite


class Squeezing(nn.Module):
    """What the page gives: two layers of 1 × 1."""

    def __init__(self, channels, hidden):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)


@typed("4.8", "The squeeze layer's output goes through a ReLU")
class NoReluBetween(Squeezing):
    def forward(self, x):
        means = F.adaptive_avg_pool2d(x, 1)
        return F.hardsigmoid(self.excite(self.squeeze(means))) * x


@typed("4.8", "The squeeze layer is followed by a plain ReLU")
class SixBetween(Squeezing):
    def forward(self, x):
        hidden = torch.clamp(self.squeeze(F.adaptive_avg_pool2d(x, 1)), 0, 6)
        return F.hardsigmoid(self.excite(hidden)) * x


@typed("4.8", "V3 takes the hard sigmoid")
class Smooth(Squeezing):
    def forward(self, x):
        s = F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))
        return 1 / (1 + torch.exp(-self.excite(s))) * x


@typed("4.8", "The factors must lie between 0 and 1")
class Unbounded(Squeezing):
    def forward(self, x):
        return self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))) * x


@typed("4.8", "These are the factors")
class Factors(Squeezing):
    def forward(self, x):
        s = F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))
        return F.relu6(self.excite(s) + 3) / 6


@typed("4.8", "Multiply the channels by their factors")
class Sum(Squeezing):
    def forward(self, x):
        s = F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))
        return torch.add(x, F.relu6(self.excite(s) + 3) / 6)


@typed("4.8", "Squeeze first")
class EveryPosition(Squeezing):
    def forward(self, x):
        s = F.relu(self.squeeze(x))
        return x * (F.relu6(self.excite(s) + 3) / 6)


@typed("4.8", "Each image has means of its own")
class OverTheBatch(Squeezing):
    def forward(self, x):
        means = torch.stack([x[:, c].mean() for c in range(x.shape[1])]).view(1, -1, 1, 1)
        return x * F.hardsigmoid(self.excite(F.relu(self.squeeze(means))))


@SHEET.each
def test_what_was_typed_is_met_with_its_words(number, words, written):
    meet(number, words, written)
