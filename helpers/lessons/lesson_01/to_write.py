"""The functions that learners of lesson 01 write: right ones, likely wrong ones, and inputs that tell them apart."""

import math
from collections import Counter

import torch
import torch.nn.functional as F

from helpers.exercises.code import Case, CodeExercise, draw

# ---------------------------------------------------------------------------------------------- 1.2 softmax


def softmax(scores):
    """Scores [N,C] → probabilities [N,C]."""
    return torch.softmax(scores, dim=1)


def _exponentials_over(scores, subtracted, dim):
    exponentials = (scores - subtracted).exp()
    return exponentials / exponentials.sum(dim, keepdim=True)


LEVELS = torch.tensor([[1000.0], [-1000.0]])  # two rows far apart: one largest score does not do for both
SOFTMAX = CodeExercise(
    "softmax",
    (
        Case("for four rows of three scores", draw(4, 3)),
        Case("for one row of ten scores", 3 * draw(1, 10, seed=1)),
        Case("for three equal scores in each of two rows", torch.zeros(2, 3)),
        Case("for scores around 1000 in one row and around -1000 in the other", draw(2, 5, seed=2) + LEVELS),
        Case("for scores far apart within a row", torch.tensor([[0.0, 1000.0, 0.0], [-800.0, 0.0, 800.0]])),
    ),
    softmax,
    "each row has its own largest score and its own sum. Without the subtraction e¹⁰⁰⁰ is inf, and inf / inf is nan.",
    {
        "Right for small scores, but e to a large score overflows: subtract each row's largest score first.": (
            lambda scores: _exponentials_over(scores, 0, 1)
        ),
        "Subtract the row's largest score: less its mean or its smallest, a large one still overflows.": (
            lambda scores: _exponentials_over(scores, scores.mean(1, keepdim=True), 1),
            lambda scores: _exponentials_over(scores, scores.amin(1, keepdim=True), 1),
        ),
        "You subtracted the largest score of the whole batch: in a row far below it every exponential becomes 0.": (
            lambda scores: _exponentials_over(scores, scores.max(), 1)
        ),
        "You divided by the sum of a column. Each row is one image: its own probabilities add up to 1.": (
            lambda scores: _exponentials_over(scores, scores.max(1, keepdim=True).values, 0)
        ),
        "You went along the columns. Each row is one image: its own probabilities add up to 1.": (
            lambda scores: torch.softmax(scores, dim=0)
        ),
        "You divided by the sum over the whole batch; each row has a sum of its own.": (
            lambda scores: _exponentials_over(scores, 0, (0, 1))
        ),
        "You divided by the sum over the whole batch, after the subtraction; each row has a sum of its own.": (
            lambda scores: _exponentials_over(scores, scores.max(1, keepdim=True).values, (0, 1)),
            lambda scores: _exponentials_over(scores, scores.max(), (0, 1)),
        ),
        "You divided the scores themselves by their sum. Softmax divides their exponentials.": (
            lambda scores: scores / scores.sum(1, keepdim=True)
        ),
        "Those are exponentials, not yet divided by their sum.": (
            lambda scores: (scores - scores.max(1, keepdim=True).values).exp()
        ),
        "Those are exponentials: subtract each row's largest score first, and divide by their sum at the end.": (
            lambda scores: scores.exp()
        ),
        "You divided by the sum of a column, and large scores overflow. Go along the rows, largest score subtracted.": (
            lambda scores: _exponentials_over(scores, 0, 0)
        ),
        "The sign is turned round: the largest score gets the smallest probability.": (
            lambda scores: torch.softmax(-scores, dim=1),
            lambda scores: _exponentials_over(-scores, -scores.max(1, keepdim=True).values, 1),
        ),
        "Those are the logarithms of the probabilities.": lambda scores: torch.log_softmax(scores, dim=1),
        "That uses powers of 2, and large scores overflow; softmax uses powers of e.": (
            lambda scores: 2**scores / (2**scores).sum(1, keepdim=True)
        ),
        "That uses powers of 2; softmax uses powers of e.": lambda scores: torch.softmax(scores * math.log(2), dim=1),
    },
    hint="Three steps: subtract the row's largest score, .exp(), divide by the row's sum. keepdim=True keeps [N,1].",
)

# ---------------------------------------------------------------------------------------------- 1.3 cross-entropy


def cross_entropy(probabilities, classes):
    """Probabilities [N,C] and true classes [N] → the mean of −ln p of the true class."""
    return -probabilities[torch.arange(len(classes)), classes].log().mean()


def _true(probabilities, classes):
    return probabilities[torch.arange(len(classes)), classes]


CROSS_ENTROPY = CodeExercise(
    "cross_entropy",
    (
        Case("for four images and three classes", draw(4, 3, seed=3).softmax(1), torch.tensor([2, 0, 1, 1])),
        Case("for one image", torch.tensor([[0.2, 0.5, 0.3]]), torch.tensor([2])),
        Case(
            "for an answer that is sure and right, and one that knows nothing",
            torch.tensor([[0.0, 1.0, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]]),
            torch.tensor([1, 3]),
        ),
        Case("for five images and ten classes", draw(5, 10, seed=4).softmax(1), torch.tensor([9, 9, 0, 4, 5])),
    ),
    cross_entropy,
    "of each row only the true class's probability counts; −ln makes it a loss, and the mean makes one number.",
    {
        "The sign is wrong: the logarithm of a probability is negative, and the loss is minus that.": (
            lambda p, c: _true(p, c).log().mean()
        ),
        "You added up the losses; the mean is asked, so that the size of the batch does not matter.": (
            lambda p, c: -_true(p, c).log().sum()
        ),
        "That is a list, one loss an image; their mean is asked.": lambda p, c: -_true(p, c).log(),
        "You took the mean of the probabilities first, and then the logarithm. First the logarithm, then the mean.": (
            lambda p, c: -_true(p, c).mean().log()
        ),
        "You took the largest probability of each row. What counts is the true class's, large or small.": (
            lambda p, c: -p.max(1).values.log().mean()
        ),
        "That is the logarithm to base 10; the natural one is meant (torch.log).": (
            lambda p, c: -_true(p, c).log10().mean()
        ),
        "That is the logarithm to base 2; the natural one is meant (torch.log).": (
            lambda p, c: -_true(p, c).log2().mean()
        ),
        "That is how much probability went to wrong classes, on average; −ln p is meant.": (
            lambda p, c: (1 - _true(p, c)).mean()
        ),
        "You handed probabilities to PyTorch's cross_entropy. It wants scores, and applies softmax a second time.": (
            lambda p, c: F.cross_entropy(p, c)
        ),
        "You took the logarithms of all classes. Only the true class's probability enters.": (
            lambda p, c: -p.log().mean(),
            lambda p, c: -p.log().sum(1).mean(),
        ),
        "That is the first class's probability in every row; row i needs the one of its own class.": (
            lambda p, c: -p[:, 0].log().mean()
        ),
        "p[:, classes] takes all those columns from every row; row i needs one number, that of its own class.": (
            lambda p, c: -p[:, c].log().mean()
        ),
    },
    hint="probabilities[torch.arange(N), classes] picks one number from each row.",
)

# ---------------------------------------------------------------------------------------------- 1.7 the fixed answer


def majority_accuracy(training_labels, test_labels):
    """Accuracy on `test_labels` of always answering the most frequent class of `training_labels`."""
    return (test_labels == training_labels.mode().values).float().mean()


MAJORITY = CodeExercise(
    "majority_accuracy",
    (
        Case("where one class is more frequent", torch.tensor([1, 1, 1, 0, 2]), torch.tensor([0, 1, 1, 2, 0, 0, 0, 2])),
        Case(
            "where the frequent training class is rare in the test",
            torch.tensor([4] * 7 + [2] * 3),
            torch.tensor([2] * 9 + [4]),
        ),
        Case("where the frequent training class is missing in the test", torch.tensor([0, 3, 3]), torch.tensor([0, 1])),
        Case("where nearly all images are of class 0", torch.tensor([0] * 99 + [1]), torch.tensor([0] * 199 + [1])),
    ),
    majority_accuracy,
    "the answer is learned from the training labels and judged on the test labels, as with any other classifier. "
    "Where 199 of 200 images are of one class, it is right in 99.5 % of them without looking.",
    {
        "You looked up the most frequent class in the test labels. A classifier learns from the training labels.": (
            lambda training, test: (test == test.mode().values).float().mean()
        ),
        "That is the share of its class among the training labels; the test labels judge.": (
            lambda training, test: (training == training.mode().values).float().mean()
        ),
        "That is how many are right; divide by the number of test labels.": (
            lambda training, test: (test == training.mode().values).sum()
        ),
        "That is in per cent; a share, from 0 to 1, is asked.": (
            lambda training, test: 100 * (test == training.mode().values).float().mean()
        ),
        "That is the share that is wrong.": lambda training, test: (test != training.mode().values).float().mean(),
        "That is the class, not how often it is right.": lambda training, test: training.mode().values,
        "1 / number of classes is what guessing at random reaches; the most frequent class can be more, or less.": (
            lambda training, test: 1 / len(training.unique()),
            lambda training, test: 1 / (1 + int(training.max())),
        ),
        "You divided by the number of training labels; the test labels are counted.": (
            lambda training, test: (test == training.mode().values).sum() / len(training)
        ),
    },
    hint="Which class is most frequent in the training labels? How many of the test labels are that class?",
)

# ---------------------------------------------------------------------------------------------- 1.8 a vote


def vote(near):
    """Labels [N,k], nearest first → the most frequent of each row, [N]; of equals, the one met first."""
    return torch.tensor([Counter(row).most_common(1)[0][0] for row in near.tolist()])


def _largest_of_equals(nearest):
    counts = F.one_hot(nearest, 10).sum(1)
    return 9 - counts.flip(1).argmax(1)


VOTE = CodeExercise(
    "vote",
    (
        Case("where one class is most frequent", torch.tensor([[3, 5, 5, 1, 5], [7, 7, 2, 2, 2]])),
        Case(
            "where two classes are equally frequent", torch.tensor([[8, 2, 2, 8, 5], [1, 6, 6, 1, 9], [4, 2, 7, 0, 1]])
        ),
        Case("for one neighbour", torch.tensor([[9], [0], [4]])),
        Case(
            "where the nearest is outvoted and two others are equal", torch.tensor([[3, 9, 1, 1, 9], [5, 0, 7, 7, 0]])
        ),
    ),
    vote,
    "count each row, and of the most frequent classes take the one whose first neighbour is nearer.",
    {
        "Nearly: where two classes are equally frequent you take the smaller number; the nearer one is meant.": (
            lambda nearest: nearest.mode(1).values
        ),
        "Nearly: where two classes are equally frequent you take the larger number; the nearer one is meant.": (
            _largest_of_equals
        ),
        "That is the nearest neighbour's class; all k have a vote.": lambda nearest: nearest[:, 0],
        "Where no class has a tie you are right; where there is one the nearest of all neighbours need not be in it.": (
            lambda nearest: torch.tensor([_nearest_if_tied(row) for row in nearest.tolist()])
        ),
        "You counted down the columns. Each row is one image with its k neighbours.": (
            lambda nearest: nearest.mode(0).values,
            lambda nearest: vote(nearest.T),
        ),
        "You counted all rows together; each row is an image of its own.": (
            lambda nearest: nearest.flatten().mode().values.repeat(len(nearest)),
            lambda nearest: nearest.flatten().mode().values,
            lambda nearest: vote(nearest.view(1, -1)).repeat(len(nearest)),
            lambda nearest: vote(nearest.view(1, -1))[0],
        ),
        "That is a median of class numbers. Classes have no order: count them.": (
            lambda nearest: nearest.median(1).values
        ),
        "That is how often the winner was named, not the winner.": (
            lambda nearest: F.one_hot(nearest, 10).sum(1).max(1).values
        ),
        "That is a mean of class numbers. Between cat (3) and dog (5) there is no deer (4): count them.": (
            lambda nearest: nearest.float().mean(1).round().long(),
            lambda nearest: nearest.float().mean(1).long(),
            lambda nearest: nearest.float().mean(1),
        ),
    },
    hint="Per row: how often does each class occur? collections.Counter keeps the order of first meetings, and "
    "torch.tensor makes a tensor of a list.",
)


def _nearest_if_tied(row):
    counts = Counter(row).most_common(2)
    return row[0] if len(counts) == 2 and counts[0][1] == counts[1][1] else counts[0][0]
