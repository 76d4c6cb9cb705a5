"""Exercises 12.2, 12.4, 12.5 and 12.7: functions to write, right ones and the mistakes people make in them."""

import torch

from helpers.exercises.code import Case, CodeExercise, draw

# ------------------------------------------------------------------------------------------- 12.2 share


def share(order, batch_size, rank, world):
    """One list a batch: the part of it that belongs to `rank`, from rank·n//world to (rank+1)·n//world. The answer."""
    batches = [order[place : place + batch_size] for place in range(0, len(order), batch_size)]
    return [batch[rank * len(batch) // world : (rank + 1) * len(batch) // world] for batch in batches]


def _cut(order, size):
    return [order[place : place + size] for place in range(0, len(order), size)]


def _of_the_whole(in_turn, size_of):
    def wrong(order, batch_size, rank, world):
        mine = order[rank::world] if in_turn else order[rank * len(order) // world : (rank + 1) * len(order) // world]
        return _cut(mine, size_of(batch_size, world))

    return wrong


def _whole_batches(order, batch_size, rank, world):
    return _cut(order, batch_size)[rank::world]


def _whole_batches_in_a_row(order, batch_size, rank, world):
    batches = _cut(order, batch_size)
    return batches[rank * len(batches) // world : (rank + 1) * len(batches) // world]


def _as_large_as_the_first(order, batch_size, rank, world):
    size = batch_size // world
    return [batch[rank * size : (rank + 1) * size] for batch in _cut(order, batch_size)]


def _places_of_the_first(order, batch_size, rank, world):
    first, end = rank * batch_size // world, (rank + 1) * batch_size // world
    return [batch[first:end] for batch in _cut(order, batch_size)]


def _divided_first(rest_to_the_last):
    def wrong(order, batch_size, rank, world):
        found = []
        for batch in _cut(order, batch_size):
            size = len(batch) // world
            end = len(batch) if rest_to_the_last and rank == world - 1 else (rank + 1) * size
            found.append(batch[rank * size : end])
        return found

    return wrong


def _rest_to_the_first(order, batch_size, rank, world):
    return [torch.tensor(batch).tensor_split(world)[rank].tolist() for batch in _cut(order, batch_size)]


def _every_other(order, batch_size, rank, world):
    return [batch[rank::world] for batch in _cut(order, batch_size)]


def _batch_size_each(order, batch_size, rank, world):
    return share(order, batch_size * world, rank, world)


def _batch_size_each_by_steps(order, batch_size, rank, world):
    return [batch[rank * batch_size : (rank + 1) * batch_size] for batch in _cut(order, batch_size * world)]


def _dropped(order, batch_size, rank, world):
    return share(order[: len(order) // batch_size * batch_size], batch_size, rank, world)


_ORDER = [7, 2, 9, 4, 0, 5, 1, 8, 3, 6, 11, 10, 12]
SHARE = CodeExercise(
    "share",
    (
        Case("for rank 0 of 2", _ORDER, 6, 0, 2),
        Case("for rank 1 of 2", _ORDER, 6, 1, 2),
        Case("for rank 1 of 3 and batches of 5", _ORDER, 5, 1, 3),
        Case("for batches that come out even", _ORDER[:12], 4, 1, 2),
        Case("for one process", _ORDER, 6, 0, 1),
    ),
    share,
    "every rank cuts the same batches out of the same order and keeps its part of each. (Averaging over the ranks then "
    "gives the whole batch's gradient where the parts are equal; the small last batch wants sums.)",
    {
        "You cut the epoch among the ranks first: then the batches are other ones than those of one process.": tuple(
            _of_the_whole(in_turn, size_of)
            for in_turn in (False, True)
            for size_of in (lambda size, world: size // world, lambda size, world: size)
        ),
        "You dealt out whole batches; a rank takes its part of each batch.": (
            _whole_batches,
            _whole_batches_in_a_row,
        ),
        "The last batch is smaller, and so are its shares: count its own images.": (
            _as_large_as_the_first,
            _places_of_the_first,
        ),
        "Multiply first, then divide, rank·n//world: where n does not come out even, the rest lies elsewhere in yours, "
        "or is left out.": (_divided_first(False), _divided_first(True), _rest_to_the_first),
        "That deals out images in turn (rank, rank + world, …): also fair, but the part from rank·n//world on is "
        "asked.": _every_other,
        "The batch size is that of all ranks together; yours is that of each.": (
            _batch_size_each,
            _batch_size_each_by_steps,
        ),
        "You dropped the last, smaller batch.": _dropped,
        "The ranks have changed places.": lambda o, b, r, w: share(o, b, w - 1 - r, w),
    },
    hint="First cut `order` into batches, then each batch of n from rank * n // world to (rank + 1) * n // world.",
)

# ------------------------------------------------------------------------------------------- 12.4 combine


def combine(counts, means, variances):
    """(mean, variance) [C] of all images from each rank's counts [R], means and variances [R,C]. The right answer."""
    weights = (counts / counts.sum())[:, None]
    mean = (weights * means).sum(0)
    return mean, (weights * (variances + means.square())).sum(0) - mean.square()


def _all_alike(counts, means, variances):
    return combine(torch.ones_like(counts), means, variances)


def _all_alike_but_for_the_mean(counts, means, variances):
    mean, _ = combine(counts, means, variances)
    return mean, (variances + means.square()).mean(0) - mean.square()


def _all_alike_around_the_mean(counts, means, variances):
    mean, _ = combine(counts, means, variances)
    return mean, (variances + (means - mean).square()).mean(0)


def _mean_of_variances(counts, means, variances):
    weights = (counts / counts.sum())[:, None]
    return (weights * means).sum(0), (weights * variances).sum(0)


def _plain_means(counts, means, variances):
    return means.mean(0), variances.mean(0)


def _only_between(counts, means, variances):
    return combine(counts, means, torch.zeros_like(variances))


def _unbiased(counts, means, variances):
    mean, variance = combine(counts, means, variances)
    return mean, variance * counts.sum() / (counts.sum() - 1)


def _squares_left(counts, means, variances):
    mean, variance = combine(counts, means, variances)
    return mean, variance + mean.square()


def _variance_first(counts, means, variances):
    return combine(counts, means, variances)[::-1]


def _standard_deviation(counts, means, variances):
    mean, variance = combine(counts, means, variances)
    return mean, variance.sqrt()


COMBINE = CodeExercise(
    "combine",
    (
        Case("for two equal shares", torch.tensor([8.0, 8.0]), draw(2, 4), 0.5 + draw(2, 4, seed=1).square()),
        Case("for shares of 10 and 7", torch.tensor([10.0, 7.0]), draw(2, 3, seed=2), draw(2, 3, seed=3).square()),
        Case("for three ranks", torch.tensor([4.0, 1.0, 9.0]), draw(3, 2, seed=4), draw(3, 2, seed=5).square()),
        Case("for one rank", torch.tensor([5.0]), draw(1, 3, seed=6), draw(1, 3, seed=7).square()),
    ),
    combine,
    "each rank weighs by its images, and the variance is the mean of the squares minus the square of the mean: what "
    "varies inside the shares, plus what differs between them.",
    {
        "A rank with fewer images counts for less: weigh by counts.": (
            _all_alike,
            _all_alike_but_for_the_mean,
            _all_alike_around_the_mean,
        ),
        "The ranks' means differ, and that is variance, too: mean of the squares minus square of the "
        "mean.": _mean_of_variances,
        "Those are plain means over the ranks: weigh by counts, and add what differs between the ranks' "
        "means.": _plain_means,
        "That is only what differs between the ranks; add what varies inside each.": _only_between,
        "BatchNorm normalises by the variance over n, not n − 1.": _unbiased,
        "That is the mean of the squares; take the square of the mean away.": _squares_left,
        "The variance is asked, not the standard deviation.": _standard_deviation,
        "The other way round: first the mean, then the variance.": _variance_first,
    },
    tolerance=1e-5,
    hint="A rank's mean of squares is its variance plus its mean squared.",
)

# ------------------------------------------------------------------------------------------- 12.5 in_order


def in_order(parts, count):
    """The answers of ranks that had places r, r + w, r + 2w, … (padded at the end), in order. The right answer."""
    return [answer for row in zip(*parts, strict=True) for answer in row][:count]


def _one_after_the_other(parts, count):
    return [answer for part in parts for answer in part][:count]


def _one_after_the_other_with_padding(parts, count):
    return [answer for part in parts for answer in part]


def _with_padding(parts, count):
    return [answer for row in zip(*parts, strict=True) for answer in row]


def _cut_in_front(parts, count):
    return _with_padding(parts, count)[-count:]


def _without_repeats(parts, count):
    return list(dict.fromkeys(_with_padding(parts, count)))


IN_ORDER = CodeExercise(
    "in_order",
    (
        Case("for nine images on two ranks", [[0, 2, 4, 6, 8], [1, 3, 5, 7, 0]], 9),
        Case("for seven images on three ranks", [[3, 1, 3], [1, 3, 3], [2, 2, 1]], 7),
        Case("for shares that come out even", [[5, 6, 7], [8, 9, 5]], 6),
        Case("for one rank", [[4, 4, 2]], 3),
    ),
    in_order,
    "one answer from each rank in turn, and what was filled in at the end is cut off: every image counts once.",
    {
        "One rank after the other: rank 0 had places 0, w, 2w, … Take one answer from each in turn.": (
            _one_after_the_other
        ),
        "One rank after the other, and the filling counts, too: take one from each in turn, and cut at count.": (
            _one_after_the_other_with_padding
        ),
        "The images that were filled in at the end count twice: keep `count` answers.": _with_padding,
        "The filling stands at the end, not in front.": _cut_in_front,
        "Two images may well have the same answer: cut at count, do not drop equal ones.": (
            _without_repeats,
            lambda parts, count: sorted(_without_repeats(parts, count)),
        ),
    },
    hint="zip(*parts) gives one answer of each rank at a time.",
)

# ------------------------------------------------------------------------------------------- 12.7 step_seconds


def step_seconds(batch, workers, per_image, size, bandwidth):
    """Seconds: the images of one worker, then a ring all-reduce of `size` bytes. The right answer."""
    return batch / workers * per_image + 2 * (workers - 1) / workers * size / bandwidth


def _sent(times):
    def seconds(batch, workers, per_image, size, bandwidth):
        return batch / workers * per_image + times(workers) * size / bandwidth

    return seconds


def _whole_batch_each(batch, workers, per_image, size, bandwidth):
    return step_seconds(batch * workers, workers, per_image, size, bandwidth)


def _overlapped(batch, workers, per_image, size, bandwidth):
    return max(batch / workers * per_image, 2 * (workers - 1) / workers * size / bandwidth)


def _everything_shared(batch, workers, per_image, size, bandwidth):
    return (batch * per_image + 2 * (workers - 1) / workers * size / bandwidth) / workers


STEP_SECONDS = CodeExercise(
    "step_seconds",
    (
        Case("for 2 workers", 64, 2, 0.002, 10e6, 1e9),
        Case("for 256 workers", 8192, 256, 0.0073, 102e6, 6.25e9),
        Case("for a slow network", 1024, 16, 0.001, 14e6, 1e7),
        Case("for one worker, who sends nothing", 32, 1, 0.01, 14e6, 1e9),
    ),
    step_seconds,
    "computing is shared out, sending is not: with more workers the first shrinks, and the second stays.",
    {
        "Each worker computes its share of the batch alone: batch / workers.": _whole_batch_each,
        "In a ring each sends 2 · (N − 1)/N times the gradients.": _sent(lambda n: 1),
        "2 · (N − 1)/N, not 2: one worker alone sends nothing.": _sent(lambda n: 2),
        "That is one way only: the sums have to come back, too.": _sent(lambda n: (n - 1) / n),
        "In a ring nobody sends to all others: 2 · (N − 1)/N times the gradients.": (
            _sent(lambda n: n - 1),
            _sent(lambda n: 2 * (n - 1)),
        ),
        "They do not happen at the same time here: first computing, then sending.": _overlapped,
        "Only the computing is shared out; each worker sends for itself.": _everything_shared,
    },
    tolerance=1e-9,
    hint="batch / workers * per_image, and 2 * (workers - 1) / workers * size / bandwidth.",
)
