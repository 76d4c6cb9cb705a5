"""What learners type by mistake in lesson 12, written from the words alone: `check` finds the right ones."""

import itertools

import numpy as np
import torch

from tests.typed import Sheet, meet

SHEET = Sheet()
typed = SHEET.typed


# 12.2 share


def cut(order, size):
    """Lists of so many, the last one of what is left."""
    left, found = list(order), []
    while left:
        found.append(left[:size])
        left = left[size:]
    return found


def part(batch, rank, world):
    """By NumPy's places: the part that is asked."""
    return [
        one for place, one in enumerate(batch) if rank * len(batch) // world <= place < (rank + 1) * len(batch) // world
    ]


@typed("12.2", "You cut the epoch among the ranks first")
def share_epoch(order, batch_size, rank, world):
    return cut(part(order, rank, world), batch_size // world)


@typed("12.2", "You cut the epoch among the ranks first")
def share_epoch_in_full_batches(order, batch_size, rank, world):
    mine = order[len(order) * rank // world : len(order) * (rank + 1) // world]
    return [mine[i : i + batch_size] for i in range(0, len(mine), batch_size)]


@typed("12.2", "You cut the epoch among the ranks first")
def share_epoch_in_turn(order, batch_size, rank, world):
    return cut(order[rank::world], batch_size // world)


@typed("12.2", "You cut the epoch among the ranks first")
def share_epoch_in_turn_in_full_batches(order, batch_size, rank, world):
    return cut(order[rank::world], batch_size)


@typed("12.2", "You dealt out whole batches")
def share_whole_batches(order, batch_size, rank, world):
    return [batch for number, batch in enumerate(cut(order, batch_size)) if number % world == rank]


@typed("12.2", "You dealt out whole batches")
def share_whole_batches_in_a_row(order, batch_size, rank, world):
    return part(cut(order, batch_size), rank, world)


@typed("12.2", "The last batch is smaller")
def share_first_size(order, batch_size, rank, world):
    n = batch_size // world
    return [batch[rank * n :][:n] for batch in cut(order, batch_size)]


@typed("12.2", "The last batch is smaller")
def share_first_places(order, batch_size, rank, world):
    first, last = rank * batch_size // world, (rank + 1) * batch_size // world
    return [batch[first:last] for batch in cut(order, batch_size)]


@typed("12.2", "Multiply first, then divide")
def share_divided_first(order, batch_size, rank, world):
    found = []
    for batch in cut(order, batch_size):
        each = int(len(batch) / world)
        found.append(batch[each * rank : each * rank + each])
    return found


@typed("12.2", "Multiply first, then divide")
def share_divided_first_rest_to_the_last(order, batch_size, rank, world):
    found = []
    for batch in cut(order, batch_size):
        each = len(batch) // world
        found.append(batch[each * rank :] if rank == world - 1 else batch[each * rank : each * rank + each])
    return found


@typed("12.2", "Multiply first, then divide")
def share_by_torch(order, batch_size, rank, world):
    found = []
    for batch in cut(order, batch_size):
        found.append(torch.tensor(batch).tensor_split(world)[rank].tolist())
    return found


@typed("12.2", "That deals out images in turn")
def share_in_turn(order, batch_size, rank, world):
    return [[one for i, one in enumerate(batch) if i % world == rank] for batch in cut(order, batch_size)]


@typed("12.2", "The batch size is that of all ranks together")
def share_batch_size_each(order, batch_size, rank, world):
    return [part(batch, rank, world) for batch in cut(order, world * batch_size)]


@typed("12.2", "The batch size is that of all ranks together")
def share_batch_size_each_by_steps(order, batch_size, rank, world):
    starts = range(0, len(order), batch_size * world)
    return [order[start + rank * batch_size : start + (rank + 1) * batch_size] for start in starts]


@typed("12.2", "You dropped the last, smaller batch")
def share_dropped(order, batch_size, rank, world):
    starts = range(0, len(order) - batch_size + 1, batch_size)
    return [part(order[start : start + batch_size], rank, world) for start in starts]


@typed("12.2", "You dropped the last, smaller batch")
def share_dropped_by_count(order, batch_size, rank, world):
    return [part(batch, rank, world) for batch in cut(order, batch_size) if len(batch) == batch_size]


@typed("12.2", "The ranks have changed places")
def share_turned(order, batch_size, rank, world):
    return [part(batch, world - rank - 1, world) for batch in cut(order, batch_size)]


# 12.4 combine


def rows(counts, means, variances):
    """(n, means, variances) of each rank, by NumPy."""
    return list(zip(counts.tolist(), means.numpy().astype(float), variances.numpy().astype(float), strict=True))


def answer(mean, variance):
    return torch.tensor(mean).float(), torch.tensor(variance).float()


def middle(ranks):
    """The mean of all images."""
    return sum(n * mean for n, mean, _ in ranks) / sum(n for n, _, _ in ranks)


def scatter(ranks):
    """The sum of the squared differences from the mean of all images."""
    return sum(n * (variance + (mean - middle(ranks)) ** 2) for n, mean, variance in ranks)


@typed("12.4", "A rank with fewer images counts for less")
def combine_alike(counts, means, variances):
    mean = means.mean(dim=0)
    return mean, torch.mean(variances + (means - mean) ** 2, dim=0)


@typed("12.4", "A rank with fewer images counts for less")
def combine_alike_by_numpy(counts, means, variances):
    m, v = means.numpy().astype(float), variances.numpy().astype(float)
    return answer(m.mean(0), v.mean(0) + m.var(0))


@typed("12.4", "A rank with fewer images counts for less")
def combine_alike_but_for_the_mean(counts, means, variances):
    ranks = rows(counts, means, variances)
    m, v = middle(ranks), variances.numpy().astype(float)
    return answer(m, (v + means.numpy().astype(float) ** 2).mean(0) - m**2)


@typed("12.4", "A rank with fewer images counts for less")
def combine_alike_around_the_right_mean(counts, means, variances):
    mean = (counts @ means) / counts.sum()
    return mean, (variances + (means - mean) ** 2).mean(0)


@typed("12.4", "The ranks' means differ")
def combine_variances(counts, means, variances):
    m, v, n = means.numpy(), variances.numpy(), counts.numpy()
    return answer(np.average(m, axis=0, weights=n), np.average(v, axis=0, weights=n))


@typed("12.4", "Those are plain means over the ranks")
def combine_plain(counts, means, variances):
    ranks = len(counts)
    return sum(means) / ranks, sum(variances) / ranks


@typed("12.4", "That is only what differs between the ranks")
def combine_between(counts, means, variances):
    ranks = rows(counts, means, variances)
    m = middle(ranks)
    return answer(m, sum(n * (mean - m) ** 2 for n, mean, _ in ranks) / sum(n for n, _, _ in ranks))


@typed("12.4", "BatchNorm normalises by the variance over n")
def combine_unbiased(counts, means, variances):
    ranks = rows(counts, means, variances)
    return answer(middle(ranks), scatter(ranks) / (counts.sum().item() - 1))


@typed("12.4", "That is the mean of the squares")
def combine_squares(counts, means, variances):
    squares = variances + means**2
    return (counts @ means) / counts.sum(), (counts @ squares) / counts.sum()


@typed("12.4", "The variance is asked")
def combine_deviation(counts, means, variances):
    ranks = rows(counts, means, variances)
    return answer(middle(ranks), np.sqrt(scatter(ranks) / counts.sum().item()))


@typed("12.4", "The other way round")
def combine_variance_first(counts, means, variances):
    ranks = rows(counts, means, variances)
    return answer(scatter(ranks) / counts.sum().item(), middle(ranks))


# 12.5 in_order


@typed("12.5", "One rank after the other: rank 0 had")
def order_ranks(parts, count):
    return list(itertools.chain.from_iterable(parts))[:count]


@typed("12.5", "One rank after the other: rank 0 had")
def order_ranks_one_by_one(parts, count):
    answers = []
    for part in parts:
        answers = answers + part
    return answers[0:count]


@typed("12.5", "One rank after the other, and the filling")
def order_ranks_filled(parts, count):
    answers = []
    for part in parts:
        answers.extend(part)
    return answers


@typed("12.5", "One rank after the other, and the filling")
def order_ranks_filled_by_torch(parts, count):
    return torch.tensor(parts).flatten().tolist()


def in_turn(parts):
    """One answer of each rank at a time, by NumPy."""
    return np.array(parts).T.ravel().tolist()


@typed("12.5", "The images that were filled in")
def order_filled(parts, count):
    return in_turn(parts)


@typed("12.5", "The images that were filled in")
def order_filled_by_places(parts, count):
    total, world = sum(map(len, parts)), len(parts)
    return [parts[place % world][place // world] for place in range(total)]


@typed("12.5", "The filling stands at the end")
def order_front(parts, count):
    answers = in_turn(parts)
    return answers[len(answers) - count :]


@typed("12.5", "Two images may well have the same answer")
def order_unlike(parts, count):
    answers = []
    for answer in in_turn(parts):
        if answer not in answers:
            answers.append(answer)
    return answers


@typed("12.5", "Two images may well have the same answer")
def order_unlike_and_sorted(parts, count):
    return sorted(set(in_turn(parts)))


@typed("12.5", "Two images may well have the same answer")
def order_unlike_and_cut(parts, count):
    return list(dict.fromkeys(in_turn(parts)))[:count]


# 12.7 step_seconds


def ring(workers, size, bandwidth):
    """Seconds: N − 1 pieces out and N − 1 pieces back."""
    piece = size / workers
    return sum(piece / bandwidth for _ in range(2 * (workers - 1)))


@typed("12.7", "Each worker computes its share")
def seconds_whole_batch(batch, workers, per_image, size, bandwidth):
    return per_image * batch + ring(workers, size, bandwidth)


@typed("12.7", "In a ring each sends")
def seconds_once(batch, workers, per_image, size, bandwidth):
    return per_image * batch / workers + size / bandwidth


@typed("12.7", "2 · (N − 1)/N, not 2")
def seconds_twice(batch, workers, per_image, size, bandwidth):
    return per_image * batch / workers + (size + size) / bandwidth


@typed("12.7", "That is one way only")
def seconds_one_round(batch, workers, per_image, size, bandwidth):
    return per_image * batch / workers + ring(workers, size, bandwidth) / 2


@typed("12.7", "In a ring nobody sends to all others")
def seconds_to_all(batch, workers, per_image, size, bandwidth):
    return per_image * batch / workers + sum(size / bandwidth for _ in range(1, workers))


@typed("12.7", "In a ring nobody sends to all others")
def seconds_to_all_and_back(batch, workers, per_image, size, bandwidth):
    return per_image * batch / workers + 2 * (workers - 1) * size / bandwidth


@typed("12.7", "They do not happen at the same time")
def seconds_at_once(batch, workers, per_image, size, bandwidth):
    return sorted([per_image * batch / workers, ring(workers, size, bandwidth)])[-1]


@typed("12.7", "Only the computing is shared out")
def seconds_all_shared(batch, workers, per_image, size, bandwidth):
    return per_image * batch / workers + ring(workers, size, bandwidth) / workers


@SHEET.each
def test_what_was_typed_is_met_with_its_words(number, words, written):
    meet(number, words, written)
