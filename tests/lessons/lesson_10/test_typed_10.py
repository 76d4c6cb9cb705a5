"""What learners type by mistake in lesson 10, written from the words alone: `check` finds the right ones."""

import numpy as np
import torch
from torch.nn.utils.fusion import fuse_conv_bn_weights

from tests.typed import EVERY, Sheet, meet

SHEET = Sheet()
typed = SHEET.typed


# 10.2 fold


def filters(weight, factors):
    """Each filter times its number, one filter after the other."""
    return torch.stack([one * factor for one, factor in zip(weight, factors, strict=True)])


def deviation(var, eps):
    """By NumPy, as a tensor again."""
    return torch.tensor(np.sqrt(var.numpy() + np.float32(eps)))


@typed("10.2", "The variance is under a root")
def fold_variance(weight, gamma, beta, mean, var, eps):
    s = gamma / (var + eps)
    return torch.einsum("n,nmij->nmij", s, weight), torch.addcmul(beta, mean, s, value=-1)


@typed("10.2", "eps is missing")
def fold_no_eps(weight, gamma, beta, mean, var, eps):
    deviations = torch.sqrt(var)
    return filters(weight, gamma / deviations), beta - gamma * mean / deviations


@typed("10.2", "eps stands inside the root")
def fold_eps_outside(weight, gamma, beta, mean, var, eps):
    s = gamma * (torch.pow(var, 0.5) + eps).reciprocal()
    return filters(weight, s), beta - s * mean


@typed("10.2", "The mean is scaled before it is taken away")
def fold_mean_as_it_is(weight, gamma, beta, mean, var, eps):
    return filters(weight, gamma / deviation(var, eps)), torch.sub(beta, mean)


@typed("10.2", "The mean is missing")
def fold_beta_as_it_is(weight, gamma, beta, mean, var, eps):
    return filters(weight, gamma / deviation(var, eps)), beta.clone()


@typed("10.2", "The mean is taken away, not added")
def fold_mean_added(weight, gamma, beta, mean, var, eps):
    s = gamma / deviation(var, eps)
    return filters(weight, s), mean * s + beta


@typed("10.2", "BatchNorm's γ is missing")
def fold_no_gamma(weight, gamma, beta, mean, var, eps):
    s = torch.rsqrt(var + eps)
    return filters(weight, s), beta - mean * s


@typed("10.2", "BatchNorm's γ is missing")
def fold_no_gamma_in_the_bias(weight, gamma, beta, mean, var, eps):
    deviations = deviation(var, eps)
    return filters(weight, gamma / deviations), beta - mean / deviations


@typed("10.2", "BatchNorm's γ is missing")
def fold_no_gamma_in_the_weight(weight, gamma, beta, mean, var, eps):
    deviations = deviation(var, eps)
    return filters(weight, 1 / deviations), beta - gamma * mean / deviations


@typed("10.2", "β is missing from the bias")
def fold_no_beta(weight, gamma, beta, mean, var, eps):
    s = gamma / deviation(var, eps)
    return filters(weight, s), torch.zeros_like(mean) - mean * s


@typed("10.2", "β is added after scaling")
def fold_beta_scaled(weight, gamma, beta, mean, var, eps):
    s = gamma / deviation(var, eps)
    return filters(weight, s), s * beta - s * mean


@typed("10.2", "The factor belongs to the channels out")
def fold_columns(weight, gamma, beta, mean, var, eps):
    s = gamma / deviation(var, eps)
    return weight * s, beta - mean * s


@typed("10.2", "The factor belongs to the channels out")
def fold_channels_in(weight, gamma, beta, mean, var, eps):
    s = gamma / deviation(var, eps)
    return s.view(1, -1, 1, 1) * weight, beta - mean * s


@typed("10.2", "The factor belongs to the channels out")
def fold_rows_of_the_filter(weight, gamma, beta, mean, var, eps):
    s = gamma / deviation(var, eps)
    return weight * s[:, None, None], beta - mean * s


@typed("10.2", "The factor belongs to the channels out")
def fold_columns_by_a_column(weight, gamma, beta, mean, var, eps):
    s = gamma / deviation(var, eps)
    return weight * s.unsqueeze(-1), beta - mean * s


def test_torch_s_own_folding_is_right():
    def fold(weight, gamma, beta, mean, var, eps):
        return fuse_conv_bn_weights(weight, None, mean, var, eps, gamma, beta)

    assert EVERY["10.2"].judge(fold)[0], EVERY["10.2"].judge(fold)[1]


# 10.5 to_integers


def top(bits):
    """The largest whole number with a sign."""
    return 2**bits // 2 - 1


def sizes(weight):
    """The largest absolute value of each channel, by a loop."""
    return torch.tensor([float(np.abs(one.numpy()).max()) for one in weight])


def whole(weight, scales, rounding=torch.round):
    """Channel by channel, as the hint says it: nothing is clipped."""
    return torch.stack([rounding(one / scale) for one, scale in zip(weight, scales, strict=True)]).int()


def clipped(weight, scales, bits):
    return whole(weight, scales).clip(-top(bits) - 1, top(bits))


@typed("10.5", "That is one scale for the whole tensor")
def integers_one_scale(weight, bits):
    scale = torch.abs(weight).max() / top(bits)
    return (weight / scale).round().to(torch.int32), scale


@typed("10.5", "That is one scale for the whole tensor")
def integers_one_scale_a_number(weight, bits):
    scale = weight.abs().max().item() / top(bits)
    return torch.round(weight / scale).int(), scale


@typed("10.5", "That is one scale for the whole tensor")
def integers_one_scale_repeated(weight, bits):
    scales = torch.full((weight.shape[0],), float(weight.abs().max()) / top(bits))
    return whole(weight, scales), scales


@typed("10.5", "That is one scale for the whole tensor")
def integers_one_scale_in_a_list(weight, bits):
    scale = weight.abs().max().reshape(1) / top(bits)
    return (weight / scale).round().int(), scale


@typed("10.5", "Divide the largest by")
def integers_255(weight, bits):
    scales = sizes(weight) / (2**bits - 1)
    return whole(weight, scales), scales


@typed("10.5", "Divide the largest by")
def integers_255_clipped(weight, bits):
    scales = sizes(weight) / (2**bits - 1)
    return clipped(weight, scales, bits), scales


@typed("10.5", "There are 127 whole numbers above 0")
def integers_128(weight, bits):
    scales = sizes(weight) / (1 << (bits - 1))
    return whole(weight, scales), scales


@typed("10.5", "There are 127 whole numbers above 0")
def integers_128_clipped(weight, bits):
    scales = sizes(weight) / (1 << (bits - 1))
    return clipped(weight, scales, bits), scales


@typed("10.5", "The largest *absolute* value counts")
def integers_largest(weight, bits):
    scales = weight.reshape(len(weight), -1).max(dim=1).values / top(bits)
    return whole(weight, scales), scales


@typed("10.5", "The largest *absolute* value counts")
def integers_largest_clipped(weight, bits):
    scales = torch.stack([one.max() for one in weight]) / top(bits)
    return clipped(weight, scales, bits), scales


@typed("10.5", "The largest *absolute* value counts")
def integers_size_of_the_largest(weight, bits):
    scales = torch.stack([one.max().abs() for one in weight]) / top(bits)
    return whole(weight, scales), scales


@typed("10.5", "The largest *absolute* value counts")
def integers_size_of_the_largest_clipped(weight, bits):
    scales = torch.stack([one.max().abs() for one in weight]) / top(bits)
    return clipped(weight, scales, bits), scales


@typed("10.5", "The steps are always those of 8 bits")
def integers_eight_bits(weight, bits):
    scales = sizes(weight) / 127
    return whole(weight, scales), scales


@typed("10.5", "The steps are always those of 8 bits")
def integers_eight_bits_clipped(weight, bits):
    scales = sizes(weight) / 127
    return clipped(weight, scales, bits), scales


@typed("10.5", "Round to the nearest whole number")
def integers_cut_off(weight, bits):
    scales = sizes(weight) / top(bits)
    return whole(weight, scales, lambda shares: shares.int()), scales


@typed("10.5", "Round to the nearest whole number")
def integers_cut_off_at_once(weight, bits):
    largest = weight.abs().amax(dim=tuple(range(1, weight.dim())), keepdim=True)
    return (weight / largest * top(bits)).to(torch.int32), largest.flatten() / top(bits)


@typed("10.5", "Round to the nearest whole number")
def integers_cut_off_otherwise(weight, bits):
    largest = weight.abs().amax(dim=tuple(range(1, weight.dim())), keepdim=True)
    return (weight * top(bits) / largest).to(torch.int32), largest.flatten() / top(bits)


@typed("10.5", "Round to the nearest whole number")
def integers_floor(weight, bits):
    scales = sizes(weight) / top(bits)
    return whole(weight, scales, torch.floor), scales


# 10.7 straight_through


def on_steps(weight, step):
    return (weight / step).round() * step


def passed_on(weight, values):
    """These values, and the weight's own gradient."""
    return weight + (values - weight).detach()


@typed("10.7", "Rounding alone lets no gradient through")
def straight_alone(weight, bits):
    step = weight.detach().abs().amax() / top(bits)
    return step * torch.round(weight / step)


@typed("10.7", "Rounding alone lets no gradient through")
def straight_alone_with_its_scale(weight, bits):
    return on_steps(weight, torch.max(torch.abs(weight)) / top(bits))


@typed("10.7", "Nothing at all comes back")
def straight_nothing(weight, bits):
    with torch.no_grad():
        return on_steps(weight, weight.abs().max() / top(bits))


@typed("10.7", "The difference is turned round")
def straight_turned(weight, bits):
    with torch.no_grad():
        error = weight - on_steps(weight, weight.abs().max() / top(bits))
    return weight + error


@typed("10.7", "Forwards that is the weight as it was")
def straight_weight(weight, bits):
    values = on_steps(weight, weight.detach().abs().max() / top(bits))
    return values + (weight - values).detach()


@typed("10.7", "Forwards that is the weight as it was")
def straight_weight_with_its_scale(weight, bits):
    values = on_steps(weight, weight.abs().max() / top(bits))
    return values - values.detach() + weight.detach()


@typed("10.7", "The weight itself was overwritten")
def straight_in_place(weight, bits):
    held = weight.detach()
    held.copy_(on_steps(held, held.abs().max() / top(bits)))
    return weight + 0


@typed("10.7", "The weight itself was overwritten")
def straight_through_its_data(weight, bits):
    weight.data = on_steps(weight.data, weight.data.abs().max() / top(bits))
    return weight


@typed("10.7", "A second gradient reaches the largest weight")
def straight_scale(weight, bits):
    step = weight.abs().max() / top(bits)
    return passed_on(weight / step, torch.round(weight / step)) * step


@typed("10.7", "Those are whole numbers")
def straight_whole(weight, bits):
    return passed_on(weight, (weight * top(bits) / weight.abs().max()).round())


@typed("10.7", "That is a scale for each channel")
def straight_per_channel(weight, bits):
    largest = weight.detach().abs().amax(dim=tuple(range(1, weight.dim())), keepdim=True)
    return passed_on(weight, on_steps(weight, largest / top(bits)))


@typed("10.7", "The steps are always those of 8 bits")
def straight_eight(weight, bits):
    return passed_on(weight, on_steps(weight, weight.abs().max() / 127))


@typed("10.7", "Divide the largest by 2^(bits − 1) − 1")
def straight_all_steps_up(weight, bits):
    return passed_on(weight, on_steps(weight, weight.abs().max() / (2**bits - 1)))


@typed("10.7", "There are 2^(bits − 1) − 1 whole numbers above 0")
def straight_one_too_many(weight, bits):
    return passed_on(weight, on_steps(weight, weight.abs().max() * 2.0 ** (1 - bits)))


@typed("10.7", "The largest *absolute* value counts")
def straight_largest(weight, bits):
    return passed_on(weight, on_steps(weight, weight.max() / top(bits)))


# 10.9 cut


def picked(layer, keep):
    """The rows of a weight and of its bias."""
    return tuple(torch.index_select(one, 0, keep) for one in layer)


def reads(project, keep):
    return torch.index_select(project[0], 1, keep), project[1]


@typed("10.9", "The projection reads the hidden channels: they are the columns")
def cut_rows_of_the_projection(expand, depthwise, project, keep):
    return picked(expand, keep), picked(depthwise, keep), picked(project, keep)


@typed("10.9", "The projection reads the hidden channels: they are the columns")
def cut_rows_of_its_weight(expand, depthwise, project, keep):
    return picked(expand, keep), picked(depthwise, keep), (picked(project, keep)[0], project[1])


@typed("10.9", "The projection still reads all")
def cut_not_the_projection(expand, depthwise, project, keep):
    return picked(expand, keep), picked(depthwise, keep), project


@typed("10.9", "The projection's bias belongs to the channels out")
def cut_its_bias(expand, depthwise, project, keep):
    weight, bias = project
    return picked(expand, keep), picked(depthwise, keep), (weight[:, keep], bias[keep])


@typed("10.9", "The depthwise layer has a filter")
def cut_not_the_depthwise(expand, depthwise, project, keep):
    return picked(expand, keep), depthwise, reads(project, keep)


@typed("10.9", "The depthwise layer has a filter")
def cut_its_bias_alone(expand, depthwise, project, keep):
    filters, bias = depthwise
    return picked(expand, keep), (filters, bias[keep]), reads(project, keep)


@typed("10.9", "A depthwise weight is [C,1,3,3]")
def cut_depthwise_columns(expand, depthwise, project, keep):
    filters, bias = depthwise
    return picked(expand, keep), (filters[:, keep], bias[keep]), reads(project, keep)


@typed("10.9", "The expansion *makes* the hidden channels")
def cut_expansion_columns(expand, depthwise, project, keep):
    weight, bias = expand
    return (weight[:, keep], bias[keep]), picked(depthwise, keep), reads(project, keep)


@typed("10.9", "The biases of the hidden channels go")
def cut_no_bias(expand, depthwise, project, keep):
    (first, one), (second, two) = expand, depthwise
    return (first[keep], one), (second[keep], two), reads(project, keep)


@typed("10.9", "The biases of the hidden channels go")
def cut_not_the_first_bias(expand, depthwise, project, keep):
    return (expand[0][keep], expand[1]), picked(depthwise, keep), reads(project, keep)


@typed("10.9", "The biases of the hidden channels go")
def cut_not_the_second_bias(expand, depthwise, project, keep):
    return picked(expand, keep), (depthwise[0][keep], depthwise[1]), reads(project, keep)


@typed("10.9", "`keep` names the channels that stay")
def cut_those_that_stay(expand, depthwise, project, keep):
    rest = torch.tensor([place for place in range(len(expand[1])) if place not in keep.tolist()])
    return picked(expand, rest), picked(depthwise, rest), reads(project, rest)


def silent(layer, keep, dim=0):
    """A copy with zeros where a channel goes."""
    weight, bias = torch.zeros_like(layer[0]), torch.zeros_like(layer[1])
    if dim:
        weight[:, keep] = layer[0][:, keep]
        return weight, layer[1]
    weight[keep], bias[keep] = layer[0][keep], layer[1][keep]
    return weight, bias


@typed("10.9", "Zeros are computed with like any number")
def cut_zeros(expand, depthwise, project, keep):
    return silent(expand, keep), silent(depthwise, keep), silent(project, keep, dim=1)


@typed("10.9", "Zeros are computed with like any number")
def cut_zeros_read(expand, depthwise, project, keep):
    return expand, depthwise, silent(project, keep, dim=1)


@typed("10.9", "Zeros are computed with like any number")
def cut_zeros_made(expand, depthwise, project, keep):
    return silent(expand, keep), depthwise, project


@SHEET.each
def test_what_was_typed_is_met_with_its_words(number, words, written):
    meet(number, words, written)
