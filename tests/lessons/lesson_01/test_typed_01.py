"""What learners type by mistake in lesson 01, written from the words alone: `check` finds the right ones."""

import math
from collections import Counter

import numpy as np
import torch
import torch.nn.functional as F

from tests.typed import Sheet, meet

SHEET = Sheet()
typed = SHEET.typed


# 1.2 softmax


@typed("1.2", "Right for small scores, but e to a large score overflows")
def softmax_overflow(scores):
    powers = np.exp(scores.numpy())
    return torch.tensor(powers / powers.sum(axis=1, keepdims=True))


@typed("1.2", "Subtract the row's largest score")
def softmax_mean(scores):
    rows = []
    for row in scores:
        powers = torch.exp(row - torch.mean(row))
        rows.append(powers / torch.sum(powers))
    return torch.stack(rows)


@typed("1.2", "Subtract the row's largest score")
def softmax_smallest(scores):
    powers = torch.exp(scores - scores.amin(1, keepdim=True))
    return powers / powers.sum(1, keepdim=True)


@typed("1.2", "You subtracted the largest score of the whole batch")
def softmax_batch_max(scores):
    powers = np.exp(scores.numpy() - np.max(scores.numpy()))
    return torch.from_numpy(powers / powers.sum(-1)[:, None])


@typed("1.2", "You divided by the sum of a column. Each row")
def softmax_column(scores):
    powers = torch.exp(scores - scores.amax(dim=1)[:, None])
    return powers / torch.sum(powers, dim=0)


@typed("1.2", "You went along the columns")
def softmax_columns(scores):
    powers = np.exp(scores.numpy() - scores.numpy().max(axis=0))
    return torch.tensor(powers / powers.sum(axis=0))


@typed("1.2", "You divided by the sum over the whole batch; each row")
def softmax_batch_sum(scores):
    powers = torch.pow(math.e, scores)
    return powers / powers.sum()


@typed("1.2", "You divided by the sum over the whole batch, after the subtraction")
def softmax_batch_sum_stable(scores):
    powers = torch.exp(scores - scores.amax(1, keepdim=True))
    return powers / powers.sum()


@typed("1.2", "You divided by the sum over the whole batch, after the subtraction")
def softmax_batch_all(scores):
    powers = np.exp(scores.numpy() - scores.numpy().max())
    return torch.tensor(powers / powers.sum())


@typed("1.2", "You divided the scores themselves by their sum")
def softmax_scores(scores):
    return torch.stack([row / row.sum() for row in scores])


@typed("1.2", "Those are exponentials, not yet divided")
def softmax_powers_stable(scores):
    largest, _ = scores.max(dim=1, keepdim=True)
    return torch.exp(scores - largest)


@typed("1.2", "Those are exponentials: subtract")
def softmax_powers(scores):
    return torch.tensor(np.exp(scores.numpy()))


@typed("1.2", "You divided by the sum of a column, and large scores overflow")
def softmax_column_overflow(scores):
    powers = torch.exp(scores)
    return powers / powers.sum(0)


@typed("1.2", "The sign is turned round")
def softmax_minus(scores):
    turned = -scores
    powers = torch.exp(turned - turned.amax(1, keepdim=True))
    return powers / powers.sum(1, keepdim=True)


@typed("1.2", "The sign is turned round")
def softmax_from_largest(scores):
    powers = torch.exp(scores.max(dim=1, keepdim=True).values - scores)
    return powers / powers.sum(dim=1, keepdim=True)


@typed("1.2", "Those are the logarithms of the probabilities")
def softmax_logs(scores):
    return scores - torch.logsumexp(scores, dim=1)[:, None]


@typed("1.2", "That uses powers of 2, and large scores overflow")
def softmax_two_overflow(scores):
    powers = np.exp2(scores.numpy())
    return torch.tensor(powers / powers.sum(1, keepdims=True))


@typed("1.2", "That uses powers of 2; softmax")
def softmax_two(scores):
    powers = torch.pow(2, scores - scores.amax(1, keepdim=True))
    return powers / powers.sum(1, keepdim=True)


# 1.3 cross-entropy


def of_its_class(probabilities, classes):
    return [float(row[c]) for row, c in zip(probabilities, classes, strict=True)]


def log(p):
    return math.log(p) if p > 0 else -math.inf


@typed("1.3", "The sign is wrong")
def loss_sign(probabilities, classes):
    return torch.tensor(sum(map(log, of_its_class(probabilities, classes))) / len(classes))


@typed("1.3", "You added up the losses")
def loss_sum(probabilities, classes):
    return torch.tensor(-sum(map(log, of_its_class(probabilities, classes))))


@typed("1.3", "That is a list")
def loss_list(probabilities, classes):
    return F.nll_loss(torch.log(probabilities), classes, reduction="none")


@typed("1.3", "You took the mean of the probabilities first")
def loss_mean_first(probabilities, classes):
    return -torch.log(probabilities.gather(1, classes[:, None]).mean())


@typed("1.3", "You took the largest probability")
def loss_largest(probabilities, classes):
    return torch.tensor(-np.log(probabilities.numpy().max(axis=1)).mean())


@typed("1.3", "That is the logarithm to base 10")
def loss_ten(probabilities, classes):
    return torch.tensor(np.mean([-math.log10(p) for p in of_its_class(probabilities, classes)]))


@typed("1.3", "That is the logarithm to base 2")
def loss_two(probabilities, classes):
    return torch.tensor(np.mean([-math.log2(p) for p in of_its_class(probabilities, classes)]))


@typed("1.3", "That is how much probability went to wrong classes")
def loss_wrong_share(probabilities, classes):
    wrong = 1 - F.one_hot(classes, probabilities.shape[1])
    return (probabilities * wrong).sum() / len(classes)


@typed("1.3", "You handed probabilities to PyTorch's cross_entropy")
def loss_twice(probabilities, classes):
    return torch.nn.CrossEntropyLoss()(probabilities, classes)


@typed("1.3", "You took the logarithms of all classes")
def loss_all(probabilities, classes):
    return torch.mean(-torch.log(probabilities))


@typed("1.3", "You took the logarithms of all classes")
def loss_all_summed(probabilities, classes):
    return -torch.log(probabilities).sum(dim=1).mean()


@typed("1.3", "That is the first class's probability")
def loss_first(probabilities, classes):
    return torch.stack([-torch.log(row[0]) for row in probabilities]).mean()


@typed("1.3", "p[:, classes] takes all those columns")
def loss_columns(probabilities, classes):
    return (-torch.log(probabilities.index_select(1, classes))).mean()


# 1.7 the fixed answer


def most_frequent(labels):
    return Counter(labels.tolist()).most_common(1)[0][0]


@typed("1.7", "You looked up the most frequent class in the test labels")
def majority_test(training_labels, test_labels):
    return Counter(test_labels.tolist()).most_common(1)[0][1] / len(test_labels)


@typed("1.7", "That is the share of its class among the training labels")
def majority_training(training_labels, test_labels):
    return np.bincount(training_labels.numpy()).max() / len(training_labels)


@typed("1.7", "That is how many are right")
def majority_count(training_labels, test_labels):
    return test_labels.tolist().count(most_frequent(training_labels))


@typed("1.7", "That is in per cent")
def majority_per_cent(training_labels, test_labels):
    return 100 * test_labels.tolist().count(most_frequent(training_labels)) / len(test_labels)


@typed("1.7", "That is the share that is wrong")
def majority_wrong(training_labels, test_labels):
    return 1 - test_labels.tolist().count(most_frequent(training_labels)) / len(test_labels)


@typed("1.7", "That is the class, not how often")
def majority_class(training_labels, test_labels):
    return most_frequent(training_labels)


@typed("1.7", "1 / number of classes is what guessing")
def majority_guess(training_labels, test_labels):
    return 1 / len(set(training_labels.tolist()))


@typed("1.7", "1 / number of classes is what guessing")
def majority_guess_by_largest(training_labels, test_labels):
    return 1 / (int(training_labels.max()) + 1)


@typed("1.7", "You divided by the number of training labels")
def majority_divided(training_labels, test_labels):
    answer = np.bincount(training_labels.numpy()).argmax()
    return int(np.sum(test_labels.numpy() == answer)) / training_labels.numel()


# 1.8 a vote


def counted(row):
    """A row's classes with their counts, in the order of first meetings."""
    return {c: row.count(c) for c in row}


@typed("1.8", "Nearly: where two classes are equally frequent you take the smaller")
def vote_smaller(near):
    return torch.tensor([int(np.bincount(row).argmax()) for row in near.tolist()])


@typed("1.8", "Nearly: where two classes are equally frequent you take the larger")
def vote_larger(near):
    winners = []
    for row in near.tolist():
        counts = counted(row)
        winners.append(max(counts, key=lambda c: (counts[c], c)))
    return torch.tensor(winners)


@typed("1.8", "That is the nearest neighbour's class")
def vote_nearest(near):
    return torch.tensor([row[0] for row in near.tolist()])


@typed("1.8", "Where no class has a tie you are right")
def vote_nearest_of_all(near):
    winners = []
    for row in near.tolist():
        counts = counted(row)
        best = [c for c in counts if counts[c] == max(counts.values())]
        winners.append(best[0] if len(best) == 1 else row[0])
    return torch.tensor(winners)


@typed("1.8", "You counted down the columns")
def vote_columns(near):
    return torch.tensor([Counter(column).most_common(1)[0][0] for column in near.T.tolist()])


@typed("1.8", "You counted down the columns")
def vote_columns_mode(near):
    return torch.mode(near, dim=0)[0]


@typed("1.8", "You counted all rows together")
def vote_together(near):
    return torch.full((len(near),), most_frequent(near.flatten()))


@typed("1.8", "You counted all rows together")
def vote_together_bins(near):
    return torch.full((len(near),), int(torch.bincount(near.flatten()).argmax()))


@typed("1.8", "You counted all rows together")
def vote_together_once(near):
    return torch.tensor(most_frequent(near.flatten()))


@typed("1.8", "You counted all rows together")
def vote_together_bins_once(near):
    counts = [int((near == c).sum()) for c in range(10)]
    return torch.tensor(counts.index(max(counts)))


@typed("1.8", "That is a median of class numbers")
def vote_median(near):
    return torch.tensor(np.median(near.numpy(), axis=1).astype(int))


@typed("1.8", "That is how often the winner was named")
def vote_count(near):
    return torch.tensor([max(counted(row).values()) for row in near.tolist()])


@typed("1.8", "That is a mean of class numbers")
def vote_mean(near):
    return torch.tensor([round(sum(row) / len(row)) for row in near.tolist()])


@typed("1.8", "That is a mean of class numbers")
def vote_mean_down(near):
    return near.sum(dim=1) // near.shape[1]


@typed("1.8", "That is a mean of class numbers")
def vote_mean_unrounded(near):
    return torch.tensor(np.average(near.numpy(), axis=1))


@SHEET.each
def test_what_was_typed_is_met_with_its_words(number, words, written):
    meet(number, words, written)
