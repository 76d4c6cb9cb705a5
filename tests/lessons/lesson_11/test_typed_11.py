"""What learners type by mistake in lesson 11, written from the words alone: `check` finds the right ones."""

import math

import numpy as np
import pytest
import torch

from tests.typed import EVERY, Sheet, meet

SHEET = Sheet()
typed = SHEET.typed


# 11.2 on white


def parts(rgba):
    """Colours and opacities as decimal numbers, the second from 0 to 1."""
    picture = rgba.numpy().astype(float)
    return picture[:, :, :3], picture[:, :, 3:] / 255


def back(picture):
    return torch.tensor(picture.round().astype(np.uint8))


@typed("11.2", "That drops the opacity")
def white_dropped(rgba):
    return rgba[:, :, 0:3]


@typed("11.2", "That is the picture on black")
def white_black(rgba):
    colours, opacity = parts(rgba)
    return back(colours * opacity)


@typed("11.2", "Eight bits overflow")
def white_overflow(rgba):
    colours, opacity = rgba[..., :3], rgba[..., 3:]
    return (colours * opacity + 255 * (255 - opacity)) // 255


@typed("11.2", "Eight bits overflow")
def white_overflow_apart(rgba):
    colours, opacity = rgba[..., :3], rgba[..., 3:4]
    return colours * opacity // 255 + (255 - opacity)


@typed("11.2", "Half-transparent edges are mixed, too")
def white_zero_or_not(rgba):
    picture = rgba[..., :3].clone()
    picture[rgba[..., 3] == 0] = 255
    return picture


@typed("11.2", "Half-transparent edges are mixed, too")
def white_from_half(rgba):
    return torch.where(rgba[..., 3:] >= 128, rgba[..., :3], torch.tensor(255, dtype=torch.uint8))


@typed("11.2", "Half-transparent edges are mixed, too")
def white_opaque_or_not(rgba):
    picture = rgba[..., :3].clone()
    picture[rgba[..., 3] < 255] = 255
    return picture


@typed("11.2", "The opacity the wrong way round")
def white_turned(rgba):
    colours, opacity = parts(rgba)
    return back(colours * (1 - opacity) + 255 * opacity)


@typed("11.2", "Give back uint8")
def white_shares(rgba):
    colours, opacity = parts(rgba)
    return torch.tensor((colours * opacity / 255 + (1 - opacity)).astype(np.float32))


@typed("11.2", "Give back uint8")
def white_floats(rgba):
    opacity = rgba[..., 3:] / 255
    return rgba[..., :3] * opacity + 255 * (1 - opacity)


# 11.3 find the pairs


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / (math.hypot(*a) * math.hypot(*b))


def pairs(vectors, pick, alike):
    rows = vectors.tolist()
    every = [(i, j) for i in range(len(rows)) for j in range(len(rows)) if pick(i, j)]
    return [(i, j) for i, j in every if alike(rows[i], rows[j])]


@typed("11.3", "Every picture is its own twin there")
def pairs_own(vectors, least):
    return pairs(vectors, lambda i, j: j >= i, lambda a, b: cosine(a, b) >= least)


@typed("11.3", "Each pair stands there twice")
def pairs_twice(vectors, least):
    return pairs(vectors, lambda i, j: i != j, lambda a, b: cosine(a, b) >= least)


@typed("11.3", "All of it")
def pairs_all(vectors, least):
    unit = torch.nn.functional.normalize(vectors, dim=1)
    return [tuple(pair) for pair in (unit @ unit.T >= least).nonzero().tolist()]


@typed("11.3", "That is the product of the vectors")
def pairs_product(vectors, least):
    return pairs(vectors, lambda i, j: i < j, lambda a, b: np.dot(a, b) >= least)


@typed("11.3", "Opposite vectors are not alike")
def pairs_opposite(vectors, least):
    return pairs(vectors, lambda i, j: i < j, lambda a, b: abs(cosine(a, b)) >= least)


@typed("11.3", "Neighbours in the list only")
def pairs_neighbours(vectors, least):
    near = torch.nn.functional.cosine_similarity(vectors[:-1], vectors[1:])
    return [(i, i + 1) for i, value in enumerate(near) if value >= least]


# 11.6 occlusion


def squares(image, side):
    """The rows' and the columns' beginnings."""
    return range(0, image.shape[1], side), range(0, image.shape[2], side)


def falls(score, image, side, channels=slice(None), value=lambda whole, now: whole - now):
    whole, (tops, lefts) = score(image), squares(image, side)
    table = []
    for top in tops:
        table.append([])
        for left in lefts:
            covered = torch.clone(image)
            covered[channels, top : top + side, left : left + side] = 0
            table[-1].append(value(whole, score(covered)))
    return torch.tensor(table)


@typed("11.6", "The squares pile up")
def occlusion_pile(score, image, side):
    whole, (tops, lefts) = score(image), squares(image, side)
    table, covered = [], image.clone()
    for top in tops:
        for left in lefts:
            covered[:, top : top + side, left : left + side] = 0
            table.append(whole - score(covered))
    return torch.tensor(table).view(len(tops), len(lefts))


@typed("11.6", "The squares pile up")
def occlusion_pile_in_place(score, image, side):
    whole, (tops, lefts) = score(image), squares(image, side)
    table = torch.zeros(len(tops), len(lefts))
    for top in tops:
        for left in lefts:
            covered = image
            covered[:, top : top + side, left : left + side] = 0
            table[top // side, left // side] = whole - score(covered)
    return table


@typed("11.6", "That is the score that is left")
def occlusion_left(score, image, side):
    return falls(score, image, side, value=lambda whole, now: now)


@typed("11.6", "The other way round")
def occlusion_turned(score, image, side):
    return falls(score, image, side, value=lambda whole, now: now - whole)


@typed("11.6", "Cover all three channels")
def occlusion_channel(score, image, side):
    return falls(score, image, side, channels=0)


@typed("11.6", "Where covering helps the score")
def occlusion_cut(score, image, side):
    return falls(score, image, side, value=lambda whole, now: max(whole - now, 0.0))


@typed("11.6", "Rows and columns have changed places")
def occlusion_side(score, image, side):
    whole, (tops, lefts) = score(image), squares(image, side)
    table = torch.zeros(len(lefts), len(tops))
    for top in tops:
        for left in lefts:
            covered = image.clone()
            covered[:, top : top + side, left : left + side] = 0
            table[left // side, top // side] = whole - score(covered)
    return table


@typed("11.6", "Rows and columns have changed places")
def occlusion_square_on_its_side(score, image, side):
    whole, (tops, lefts) = score(image), squares(image, side)
    table = torch.zeros(len(tops), len(lefts))
    for top in tops:
        for left in lefts:
            covered = image.clone()
            covered[:, left : left + side, top : top + side] = 0
            table[top // side, left // side] = whole - score(covered)
    return table


# 11.7 Grad-CAM


def weighed(maps, weights):
    return torch.einsum("chw,c->hw", maps, weights)


@typed("11.7", "That weighs every point by its own gradient")
def cam_points(maps, gradients):
    return torch.relu(torch.einsum("chw,chw->hw", maps, gradients))


@typed("11.7", "What speaks against the class")
def cam_signed(maps, gradients):
    return weighed(maps, gradients.mean(dim=(1, 2)))


@typed("11.7", "The relu comes after the sum")
def cam_early(maps, gradients):
    weights = gradients.flatten(1).mean(1)
    return torch.stack([torch.clamp(w * m, min=0) for w, m in zip(weights, maps, strict=True)]).sum(0)


@typed("11.7", "The relu comes after the sum")
def cam_weights_cut(maps, gradients):
    return weighed(maps, torch.relu(gradients.mean(dim=(1, 2))))


@typed("11.7", "A map may speak against the class")
def cam_sizes(maps, gradients):
    return torch.relu(weighed(maps, torch.abs(gradients.mean(dim=(1, 2)))))


@typed("11.7", "A map may speak against the class")
def cam_gradients_sizes(maps, gradients):
    return torch.relu(weighed(maps, gradients.abs().mean(dim=(1, 2))))


@typed("11.7", "The maps are to be added up")
def cam_mean(maps, gradients):
    return torch.relu((gradients.mean((1, 2)).view(-1, 1, 1) * maps).mean(dim=0))


@typed("11.7", "The weight of a map is the mean")
def cam_sums(maps, gradients):
    return torch.clamp(weighed(maps, gradients.flatten(1).sum(1)), min=0)


@typed("11.7", "The mean goes over the points")
def cam_over_maps(maps, gradients):
    return torch.relu(maps.sum(0) * gradients.mean(0))


# 11.9 the cheapest threshold


def mistakes(probability, positive):
    """(threshold, misses, alarms) in rising order."""
    p, y = probability.numpy(), positive.numpy()
    return [(float(t), int((p[y] < t).sum()), int((p[~y] >= t).sum())) for t in np.unique(p)]


def lowest(probability, positive, cost):
    best, at = math.inf, None
    for threshold, missed, alarms in mistakes(probability, positive):
        if cost(missed, alarms) < best:
            best, at = cost(missed, alarms), threshold
    return at


@typed("11.9", "The two costs have changed places")
def cheapest_swapped(probability, positive, miss, alarm):
    return lowest(probability, positive, lambda missed, alarms: alarm * missed + miss * alarms)


@typed("11.9", "That counts mistakes, all alike")
def cheapest_count(probability, positive, miss, alarm):
    return lowest(probability, positive, lambda missed, alarms: missed + alarms)


@typed("11.9", "Those are the misses alone")
def cheapest_misses(probability, positive, miss, alarm):
    return lowest(probability, positive, lambda missed, alarms: missed * miss)


@typed("11.9", "Those are the alarms alone")
def cheapest_alarms(probability, positive, miss, alarm):
    return lowest(probability, positive, lambda missed, alarms: alarms * alarm)


@typed("11.9", "That is the highest of all costs")
def cheapest_dearest(probability, positive, miss, alarm):
    rows = mistakes(probability, positive)
    costs = [miss * missed + alarm * alarms for _, missed, alarms in rows]
    return rows[int(np.argmax(costs))][0]


@typed("11.9", "Give the threshold")
def cheapest_cost(probability, positive, miss, alarm):
    return float(min(miss * missed + alarm * alarms for _, missed, alarms in mistakes(probability, positive)))


@typed("11.9", "A half is right")
def cheapest_half(probability, positive, miss, alarm):
    return 1 / 2


@typed("11.9", "That is exercise 11.8's rule")
def cheapest_rule(probability, positive, miss, alarm):
    return 1 / (1 + miss / alarm)


@typed("11.9", "An image at the threshold itself")
def cheapest_above(probability, positive, miss, alarm):
    p, y = probability.numpy(), positive.numpy()
    thresholds = np.unique(p)
    costs = [miss * np.sum(p[y] <= t) + alarm * np.sum(p[~y] > t) for t in thresholds]
    return float(thresholds[np.argmin(costs)])


def on_a_grid(thresholds, probability, positive, miss, alarm):
    """The first of the cheapest thresholds, each pair of mistakes counted by a loop."""
    best, at = math.inf, None
    for threshold in thresholds:
        costs = 0
        for p, y in zip(probability, positive, strict=True):
            if y and p < threshold:
                costs += miss
            if not y and p >= threshold:
                costs += alarm
        if costs < best:
            best, at = costs, threshold
    return float(at)


@typed("11.9", "That is a step of a grid")
def cheapest_of_hundred(*inputs):
    return on_a_grid(np.arange(0, 1, 0.01), *inputs)


@typed("11.9", "That is a step of a grid")
def cheapest_of_hundred_one(*inputs):
    return on_a_grid(torch.linspace(0, 1, 101), *inputs)


@typed("11.9", "That is a step of a grid")
def cheapest_of_a_thousand(*inputs):
    return on_a_grid(np.linspace(0, 1, 1001), *inputs)


@typed("11.9", "That is a step of a grid")
def cheapest_of_twenty(*inputs):
    return on_a_grid(torch.arange(0.05, 1, 0.05), *inputs)


@typed("11.9", "Those are rates")
def cheapest_rates(probability, positive, miss, alarm):
    rows, n, others = mistakes(probability, positive), int(positive.sum()), int((~positive).sum())
    return min((miss * missed / n + alarm * alarms / others, threshold) for threshold, missed, alarms in rows)[1]


def white_cut(rgba):
    opacity = rgba[..., 3:] / 255
    return (rgba[..., :3] * opacity + 255 * (1 - opacity)).byte()


def white_whole(rgba):
    colours, opacity = rgba[..., :3].int(), rgba[..., 3:].int()
    return ((colours * opacity + 255 * (255 - opacity)) // 255).to(torch.uint8)


@pytest.mark.parametrize("written", [white_cut, white_whole])
def test_one_level_more_or_less_is_right(written):
    assert EVERY["11.2"].judge(written)[0], EVERY["11.2"].judge(written)[1]
    further = EVERY["11.2"].judge(lambda rgba: written(rgba) - 2 * (written(rgba) >= 2).byte())
    assert "the largest difference is" in further[1]


@SHEET.each
def test_what_was_typed_is_met_with_its_words(number, words, written):
    meet(number, words, written)
