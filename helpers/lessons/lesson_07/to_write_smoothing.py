"""Exercise 7.5: label smoothing to write, a right one and the mistakes people make in it."""

import torch
import torch.nn.functional as F

from helpers.exercises.code import Case, CodeExercise, draw


def smoothed_loss(logits, labels, epsilon):
    """Cross-entropy with label smoothing, the mean over the images. The right answer."""
    logs = logits.log_softmax(1)
    right = logs.gather(1, labels[:, None])[:, 0]
    return -((1 - epsilon) * right + epsilon * logs.mean(1)).mean()


def _rest_shares(logits, labels, epsilon):
    logs, classes = logits.log_softmax(1), logits.shape[1]
    right = logs.gather(1, labels[:, None])[:, 0]
    others = logs.sum(1) - right
    return -((1 - epsilon) * right + epsilon / (classes - 1) * others).mean()


def _right_class_only(logits, labels, epsilon):
    return (1 - epsilon) * F.cross_entropy(logits, labels)


def _target_of_the_right_class_only(logits, labels, epsilon):
    return (1 - epsilon + epsilon / logits.shape[1]) * F.cross_entropy(logits, labels)


def _right_class_whole(logits, labels, epsilon):
    return F.cross_entropy(logits, labels) - epsilon * logits.log_softmax(1).mean()


def _shared_by_ten(logits, labels, epsilon):
    return (1 - epsilon) * F.cross_entropy(logits, labels) - epsilon / 10 * logits.log_softmax(1).sum(1).mean()


def _swapped(logits, labels, epsilon):
    return smoothed_loss(logits, labels, 1 - epsilon)


SMOOTHED = CodeExercise(
    "smoothed_loss",
    (
        Case("for four images and ten classes", draw(4, 10), torch.tensor([3, 0, 9, 3]), 0.1),
        Case("for three classes and ε = 0.3", 3 * draw(5, 3, seed=1), torch.tensor([0, 1, 2, 2, 1]), 0.3),
        Case("without smoothing", draw(2, 4, seed=2), torch.tensor([1, 2]), 0.0),
        Case("for a score of 200", torch.tensor([[200.0, 0.0]]), torch.tensor([0]), 0.1),
    ),
    smoothed_loss,
    "1 − ε of the right class's −log p, and ε of the mean over all classes, the right one too.",
    {
        "You shared ε among the other classes. All classes share it, the right one too: 0.91 and 0.01, not 0.9 and "
        "0.0111.": _rest_shares,
        "That is the right class's part alone; each of the others has the target ε/C.": _right_class_only,
        "The right class has its whole target, and the others' part is missing.": _target_of_the_right_class_only,
        "The right class has 1 + ε/C; it gives up ε, and gets back its own share: 1 − ε + ε/C.": _right_class_whole,
        "ε is shared by the classes that are there, logits.shape[1], and not always by ten.": _shared_by_ten,
        "That is the mean over images and classes; sum over the classes, and take the mean over the "
        "images.": lambda logits, labels, epsilon: smoothed_loss(logits, labels, epsilon) / logits.shape[1],
        "That is the sum over the images; the mean is meant.": lambda logits, labels, epsilon: (
            len(labels) * smoothed_loss(logits, labels, epsilon)
        ),
        "That is one loss an image; their mean is meant.": lambda logits, labels, epsilon: F.cross_entropy(
            logits, labels, label_smoothing=epsilon, reduction="none"
        ),
        "The sign: log-probabilities are negative, and a loss is not.": lambda logits, labels, epsilon: (
            -smoothed_loss(logits, labels, epsilon)
        ),
        "The log of a softmax is −inf where a probability rounds to 0: take log_softmax.": lambda logits, labels, e: (
            -((1 - e) * logits.softmax(1).log().gather(1, labels[:, None])[:, 0] + e * logits.softmax(1).log().mean(1))
        ).mean(),
        "ε and 1 − ε have changed places.": _swapped,
        "That is the loss without smoothing.": lambda logits, labels, epsilon: F.cross_entropy(logits, labels),
    },
    hint="Targets: ε/C for every class, and 1 − ε more for the right one; −(targets · log_softmax) summed.",
)
