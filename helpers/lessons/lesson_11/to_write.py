"""Exercises 11.2, 11.3, 11.6, 11.7 and 11.9: functions to write, right ones and the mistakes people make in them."""

import torch

from helpers.exercises.code import Case, CodeExercise, draw

# ------------------------------------------------------------------------------------------- 11.2 on_white


def _rgba(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (*shape, 4), generator=generator).byte()


def _pixels(*rgba: list[int]) -> torch.Tensor:
    return torch.tensor([rgba], dtype=torch.uint8)


def on_white(rgba):
    """uint8 [H,W,4] → uint8 [H,W,3] as it looks on white paper. The right answer."""
    opacity = rgba[..., 3:].double() / 255
    return (rgba[..., :3] * opacity + 255 * (1 - opacity)).round().byte()


def _overflowing(rgba):
    return (rgba[..., :3] * rgba[..., 3:] + 255 * (255 - rgba[..., 3:])) // 255  # all of it in eight bits


def _on(ground):
    def mix(rgba):
        opacity = rgba[..., 3:].double() / 255
        return (rgba[..., :3] * opacity + ground * (1 - opacity)).round().byte()

    return mix


def _overflowing_apart(rgba):
    return rgba[..., :3] * rgba[..., 3:] // 255 + (255 - rgba[..., 3:])


def _all_or_nothing(least):
    return lambda rgba: torch.where(rgba[..., 3:] < least, torch.full_like(rgba[..., :3], 255), rgba[..., :3])


ON_WHITE = CodeExercise(
    "on_white",
    (
        Case("for many colours and opacities", _rgba(5, 7)),
        Case("for a tall picture", _rgba(9, 2, seed=1)),
        Case("for what is fully transparent", _pixels([10, 200, 30, 0], [0, 0, 0, 0])),
        Case("for what is opaque", _pixels([10, 200, 30, 255], [0, 0, 0, 255])),
        Case("for a half-transparent black", _pixels([0, 0, 0, 128])),
    ),
    on_white,
    "colour times opacity, plus white times what is left. Pillow's `convert('RGB')` only drops the fourth number, and "
    "what lay hidden under transparent places comes out.",
    {
        "That drops the opacity: the colours hidden under transparent places come out.": lambda rgba: rgba[..., :3],
        "That is the picture on black: add white for what is transparent.": _on(0),
        "Eight bits overflow: 200 × 200 is no uint8. Calculate in decimal numbers, then go back.": (
            _overflowing, _overflowing_apart
        ),
        "Half-transparent edges are mixed, too: opacity is a number from 0 to 255, not yes or no.": (
            _all_or_nothing(1), _all_or_nothing(128), _all_or_nothing(255)
        ),
        "The opacity the wrong way round: 255 is opaque.": lambda rgba: on_white(
            torch.cat([rgba[..., :3], 255 - rgba[..., 3:]], -1)
        ),
        "Give back uint8, from 0 to 255.": (
            lambda rgba: on_white(rgba).float() / 255, lambda rgba: on_white(rgba).float()
        ),
    },
    tolerance=1,  # level: some round, others cut off
)  # fmt: skip

# ------------------------------------------------------------------------------------------- 11.3 near_pairs


def near_pairs(vectors, least):
    """[(i, j) with i < j] whose cosine is at least `least`, in order. The right answer."""
    length = vectors.norm(dim=1)
    alike = vectors @ vectors.T / (length[:, None] * length)
    return [(i, j) for i in range(len(vectors)) for j in range(i + 1, len(vectors)) if alike[i, j] >= least]


def _pairs(alike, least, keep) -> list:
    return [(i, j) for i in range(len(alike)) for j in range(len(alike)) if keep(i, j) and alike[i, j] >= least]


def _cosines(vectors):
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    return unit @ unit.T


_TWINS = torch.cat([draw(3, 8), 3 * draw(3, 8) + 0.2 * draw(3, 8, seed=1), draw(2, 8, seed=2)])
NEAR_PAIRS = CodeExercise(
    "near_pairs",
    (
        Case("for three vectors and their larger, noisy twins", _TWINS, 0.9),
        Case("for a lower bar", _TWINS, 0.2),
        Case("for opposite vectors", torch.cat([draw(2, 4), -draw(2, 4)]), 0.9),
        Case("for three that are all alike", draw(1, 6).repeat(3, 1) + 0.05 * draw(3, 6, seed=4), 0.9),
        Case("for short vectors", 0.01 * torch.cat([draw(2, 5), draw(2, 5)]), 0.9),
    ),
    near_pairs,
    "each pair once, no picture with itself. The lengths are divided out, so that a paler copy is found as well.",
    {
        "Every picture is its own twin there: only i < j.": lambda v, least: _pairs(
            _cosines(v), least, lambda i, j: i <= j
        ),
        "Each pair stands there twice, (i, j) and (j, i): only i < j.": lambda v, least: _pairs(
            _cosines(v), least, lambda i, j: i != j
        ),
        "All of it: pairs twice, and each picture with itself. Only i < j.": lambda v, least: _pairs(
            _cosines(v), least, lambda i, j: True
        ),
        "That is the product of the vectors; divide by both lengths.": lambda v, least: _pairs(
            v @ v.T, least, lambda i, j: i < j
        ),
        "Opposite vectors are not alike: no absolute value.": lambda v, least: _pairs(
            _cosines(v).abs(), least, lambda i, j: i < j
        ),
        "Neighbours in the list only: every picture is to be compared with every later one.": lambda v, least: _pairs(
            _cosines(v), least, lambda i, j: j == i + 1
        ),
    },
)

# ------------------------------------------------------------------------------------------- 11.6 occlusion


def occlusion(score, image, side):
    """[H/side, W/side]: how far the score falls when a square of the image is grey. The right answer."""
    whole, rows, columns = score(image), image.shape[1] // side, image.shape[2] // side
    fall = torch.zeros(rows, columns)
    for row in range(rows):
        for column in range(columns):
            covered = image.clone()
            covered[:, row * side : (row + 1) * side, column * side : (column + 1) * side] = 0
            fall[row, column] = whole - score(covered)
    return fall


class Weighed:
    """A score that weighs every pixel, so that a test knows what each square is worth."""

    def __init__(self, weight):
        self.weight = weight

    def __call__(self, image):
        return float((image * self.weight).sum())


def _accumulating(score, image, side):
    covered, whole = image.clone(), score(image)
    fall = torch.zeros(image.shape[1] // side, image.shape[2] // side)
    for row in range(fall.shape[0]):
        for column in range(fall.shape[1]):
            covered[:, row * side : (row + 1) * side, column * side : (column + 1) * side] = 0
            fall[row, column] = whole - score(covered)
    return fall


def _score_left(score, image, side):
    return score(image) - occlusion(score, image, side)


def _one_channel(score, image, side):
    first = image.clone()
    fall = torch.zeros(image.shape[1] // side, image.shape[2] // side)
    for row in range(fall.shape[0]):
        for column in range(fall.shape[1]):
            covered = first.clone()
            covered[0, row * side : (row + 1) * side, column * side : (column + 1) * side] = 0
            fall[row, column] = score(image) - score(covered)
    return fall


def _on_its_side(score, image, side):
    fall = torch.zeros(image.shape[1] // side, image.shape[2] // side)
    for row in range(fall.shape[0]):
        for column in range(fall.shape[1]):
            covered = image.clone()
            covered[:, column * side : (column + 1) * side, row * side : (row + 1) * side] = 0
            fall[row, column] = score(image) - score(covered)
    return fall


def _as_map(written, *inputs):
    """The result as a tensor: rows of numbers in lists, or an array, are as good."""
    result = written(*inputs)
    try:
        return result if result is None or result is ... else torch.as_tensor(result).float()
    except (TypeError, ValueError):
        return result


OCCLUSION = CodeExercise(
    "occlusion",
    (
        Case("for an image of 6 × 6", Weighed(draw(3, 6, 6, seed=1)), draw(3, 6, 6), 2, use=_as_map),
        Case("for a wide image", Weighed(draw(3, 4, 12, seed=2)), draw(3, 4, 12, seed=3), 4, use=_as_map),
        Case("for squares of one pixel", Weighed(draw(3, 3, 2, seed=4)), draw(3, 3, 2, seed=5), 1, use=_as_map),
    ),
    occlusion,
    "one square grey at a time; what the score falls by is what the square was worth to it. Where it rises, the square "
    "spoke against the class.",
    {
        "The squares pile up: start each time from the whole image (clone it).": _accumulating,
        "That is the score that is left. How far does it fall?": _score_left,
        "The other way round: the score of the whole image comes first.": lambda *a: -occlusion(*a),
        "Cover all three channels.": _one_channel,
        "Where covering helps the score, the fall is negative; do not cut it off.": lambda *a: occlusion(*a).relu(),
        "Rows and columns have changed places.": (lambda *a: occlusion(*a).T, _on_its_side),
    },
)

# ------------------------------------------------------------------------------------------- 11.7 grad_cam


def grad_cam(maps, gradients):
    """[H,W]: maps [C,H,W], each weighed by the mean of its gradient, summed, negatives cut off. The right answer."""
    return (maps * gradients.mean((1, 2), keepdim=True)).sum(0).relu()


GRAD_CAM = CodeExercise(
    "grad_cam",
    (
        Case("for four maps", draw(4, 5, 5).relu(), draw(4, 5, 5, seed=2)),  # 60 % of the right map is above 0
        Case("for maps that are not square", draw(6, 3, 7, seed=2).relu(), draw(6, 3, 7, seed=3)),
        Case("for one map", draw(1, 4, 4, seed=4).relu(), draw(1, 4, 4, seed=8)),  # 44 % of it
    ),
    grad_cam,
    "one weight a map: how much the class gains when the whole map grows. What speaks against the class is cut off, "
    "after the sum.",
    {
        "That weighs every point by its own gradient (gradient × input); Grad-CAM takes one a map, the mean of "
        "them.": lambda maps, gradients: (maps * gradients).sum(0).relu(),
        "What speaks against the class is to be cut off: relu at the end.": lambda maps, gradients: (
            (maps * gradients.mean((1, 2), keepdim=True)).sum(0)
        ),
        "The relu comes after the sum: maps that speak against the class belong in it.": lambda maps, gradients: (
            (maps * gradients.mean((1, 2), keepdim=True)).relu().sum(0)
        ),
        "A map may speak against the class: no absolute value of the weights.": (
            lambda maps, gradients: grad_cam(maps, gradients.mean((1, 2), keepdim=True).abs()),
            lambda maps, gradients: grad_cam(maps, gradients.abs()),
        ),
        "The maps are to be added up, not averaged.": lambda maps, gradients: grad_cam(maps, gradients) / len(maps),
        "The weight of a map is the mean of its gradient, not the sum.": lambda maps, gradients: (
            grad_cam(maps, gradients) * maps[0].numel()
        ),
        "The mean goes over the points of a map, not over the maps.": lambda maps, gradients: (
            (maps * gradients.mean(0)).sum(0).relu()
        ),
    },
)  # fmt: skip

# ------------------------------------------------------------------------------------------- 11.9 cheapest


def cheapest(probability, positive, miss, alarm):
    """The value of `probability` from which on to call, that makes the mistakes cheapest. The right answer."""

    def cost(threshold):
        called = probability >= threshold
        return miss * int((positive & ~called).sum()) + alarm * int((~positive & called).sum())

    return float(min(probability.unique(), key=cost))


def _with(cost_of):
    def find(probability, positive, miss, alarm):
        def cost(threshold):
            called = probability >= threshold
            missed, false = int((positive & ~called).sum()), int((~positive & called).sum())
            return cost_of(missed, false, miss, alarm)

        return float(min(probability.unique(), key=cost))

    return find


def _grid(steps):
    def find(probability, positive, miss, alarm):
        def cost(threshold):
            called = probability >= threshold
            return miss * int((positive & ~called).sum()) + alarm * int((~positive & called).sum())

        return min((step / steps for step in range(steps + 1)), key=cost)

    return find


def _scored(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    positive = draw(60, seed=seed) > 0.6
    return torch.sigmoid(draw(60, seed=seed + 1) + 2 * positive - 1), positive


CHEAPEST = CodeExercise(
    "cheapest",
    (
        Case("for a miss that costs 20 alarms", *_scored(0), 20, 1),
        Case("for an alarm that costs 7 misses", *_scored(3), 1, 7),
        Case("for equal costs", *_scored(6), 1, 1),
        Case("for five images", torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9]), torch.tensor([0, 1, 0, 1, 1]).bool(), 10, 3),
    ),
    cheapest,
    "every value that occurs is tried, and the cheapest taken. On images that the network did not learn from, and "
    "never on those that judge.",
    {
        "The two costs have changed places: a miss is a positive that is not called.": lambda p, y, m, a: cheapest(
            p, y, a, m
        ),
        "That counts mistakes, all alike; weigh them by what they cost.": lambda p, y, m, a: cheapest(p, y, 1, 1),
        "Those are the misses alone: calling everything is cheap then. Alarms cost, too.": _with(
            lambda missed, false, miss, alarm: miss * missed
        ),
        "Those are the alarms alone: never calling is cheap then. Misses cost, too.": _with(
            lambda missed, false, miss, alarm: alarm * false
        ),
        "That is the highest of all costs; the lowest is asked.": _with(
            lambda missed, false, miss, alarm: -(miss * missed + alarm * false)
        ),
        "Give the threshold, not what it costs.": lambda p, y, m, a: float(
            min(
                m * int((y & ~(p >= t)).sum()) + a * int((~y & (p >= t)).sum()) for t in p.unique()
            )
        ),
        "A half is right for equal costs and true probabilities alone.": lambda p, y, m, a: 0.5,
        "That is exercise 11.8's rule, for true probabilities. A network's need not be true: try them on "
        "these images.": lambda p, y, m, a: a / (a + m),
        "An image at the threshold itself is called, too: >=, not >.": lambda p, y, m, a: float(
            min(p.unique(), key=lambda t: m * int((y & ~(p > t)).sum()) + a * int((~y & (p > t)).sum()))
        ),
        "That is a step of a grid of your own; a value of `probability` is asked.": (
            _grid(100), _grid(1000), _grid(20)
        ),
        "Those are rates: each kind of mistake divided by how many there could be. The mistakes themselves "
        "cost.": lambda p, y, m, a: float(
            min(
                p.unique(),
                key=lambda t: m * float((p < t)[y].double().mean()) + a * float((p >= t)[~y].double().mean()),
            )
        ),
    },
)  # fmt: skip
