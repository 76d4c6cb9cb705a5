"""Accuracy, intervals, confusion, calibration and the paired test, against published or hand-made numbers."""

import math

import pytest
import torch
from torch import nn

from helpers import evaluation
from helpers.evaluation import (
    Accuracy,
    accuracy,
    calibration,
    confusion_matrix,
    device_of,
    fit_temperature,
    mcnemar,
    mean_interval,
    precision_recall,
    predict,
    predict_with_labels,
    top_k,
    wilson_interval,
)


def logits_for(predicted: list[int], classes: int = 3) -> torch.Tensor:
    return nn.functional.one_hot(torch.tensor(predicted), classes).float()


# -------------------------------------------------------------------------------- mean_interval


@pytest.mark.parametrize(("values", "half"), [
    ([3.0, 5.0], 12.7062 * 2**0.5 / 2**0.5), ([1.0, 2.0, 6.0], 4.30265 * 7**0.5 / 3**0.5),
    ([1.0, 5.0, 2.0, 2.5, 9.0], 2.77645 * 10.3**0.5 / 5**0.5),
])  # fmt: skip
def test_mean_intervals_are_students(values, half):
    """The quantiles of Student's t stand in every table: 1, 2 and 4 degrees of freedom."""
    middle = sum(values) / len(values)
    assert mean_interval(values) == pytest.approx((middle, middle - half, middle + half), abs=2e-3)


def test_a_deviation_is_pooled_over_all_that_was_trained_more_than_once():
    deviation, factor = evaluation.pooled([[1.0, 3.0], [10.0], [5.0, 5.0, 8.0]])  # squares 2 + 6 over 1 + 2 degrees
    assert deviation == pytest.approx((8 / 3) ** 0.5) and factor == 3.182
    _, factor = evaluation.pooled([[0.0, 1.0]] * 20)
    assert factor == pytest.approx(2.086, abs=5e-4), "Student's t with 20 degrees of freedom"
    with pytest.raises(ValueError, match="more than once"):
        evaluation.pooled([[1.0], [2.0]])


def test_an_interval_over_trainings_needs_two_of_them():
    for values in ([], [0.8], [0.8] * 11):
        with pytest.raises(ValueError, match=f"needs 2 to 10 of them, and there are {len(values)}"):
            mean_interval(values)


# -------------------------------------------------------------------------------- predict


class Probe(nn.Module):
    """Notes how it is called; has a frozen part in evaluation mode and dropout that must not act."""

    def __init__(self):
        super().__init__()
        self.frozen, self.free, self.drop = nn.BatchNorm1d(2), nn.BatchNorm1d(2), nn.Dropout(0.5)
        self.grads = []

    def forward(self, x):
        self.grads.append(torch.is_grad_enabled())
        return self.drop(self.free(self.frozen(x)))


def test_predict_uses_evaluation_mode_and_puts_every_mode_back():
    model = Probe().train()
    model.frozen.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x = torch.arange(10.0).view(5, 2)
    y = predict(model, [(x[:3], None), (x[3:], None)])
    assert torch.allclose(y, x, rtol=1e-4) and not y.requires_grad and model.grads == [False, False]
    assert model.training and model.free.training and model.drop.training and not model.frozen.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_predict_puts_the_mode_back_after_an_error():
    model = Probe().train()
    with pytest.raises(RuntimeError):
        predict(model, [(torch.ones(2, 7), None)])
    assert model.training and model.frozen.training


@pytest.mark.parametrize("nothing", [[], iter([])], ids=["empty list", "used-up generator"])
def test_nothing_to_predict(nothing):
    with pytest.raises(ValueError, match="there are no batches to predict: the list is empty, or a generator that was"):
        predict(nn.Identity(), nothing)


def test_batches_go_to_the_model_and_answers_come_to_the_cpu(monkeypatch):
    """With a stand-in for an accelerator: inputs are sent to it, logits and labels come back."""
    sent, fetched = [], []

    class Travelling(torch.Tensor):
        def to(self, device):
            sent.append(device)
            return self

        def cpu(self):
            fetched.append(len(self))
            return self.as_subclass(torch.Tensor)

    there = torch.device("cuda", 1)
    monkeypatch.setattr(evaluation, "device_of", lambda model: there)
    inputs, labels = torch.ones(3, 2).as_subclass(Travelling), torch.zeros(3).as_subclass(Travelling)
    outputs, truth = predict_with_labels(nn.Identity(), [(inputs, labels)] * 2)
    assert sent == [there] * 2 and fetched == [3] * 4
    assert type(outputs) is type(truth) is torch.Tensor and outputs.shape == (6, 2)


def test_device_of():
    assert device_of(nn.Linear(1, 1)) == torch.device("cpu") == device_of(nn.Identity())
    assert device_of(nn.Linear(1, 1, device="meta")) == torch.device("meta")


def test_predict_results_can_train_a_head():
    outputs = predict(Probe(), [(torch.ones(4, 2), None)])
    nn.Linear(2, 1)(outputs[:2]).sum().backward()


def test_predictions_and_labels_belong_together_when_the_batches_change_their_order():
    class Restless:
        def __iter__(self):
            x = torch.randperm(100).float().view(100, 1)
            return iter([(x[:60], x[:60, 0].long()), (x[60:], x[60:, 0].long())])

    outputs, labels = predict_with_labels(nn.Identity(), Restless())
    assert torch.equal(outputs[:, 0].long(), labels) and not torch.equal(labels, torch.arange(100))


# -------------------------------------------------------------------------------- accuracy and its interval


@pytest.mark.parametrize(
    "correct, total, low, high",
    [  # The examples of Newcombe 1998, Statistics in Medicine 17:857-872, method 3 (Wilson without correction)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_as_published(correct, total, low, high):
    assert wilson_interval(correct, total) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_solves_its_equation():
    """The ends are the shares whose distance from the observed share is z of their own standard errors."""
    for end in wilson_interval(1300, 2000, confidence=0.9):
        assert abs(0.65 - end) / math.sqrt(end * (1 - end) / 2000) == pytest.approx(1.6448536, rel=1e-6)
    assert wilson_interval(20, 20)[1] == 1.0 and wilson_interval(0, 20)[0] == 0.0


@pytest.mark.parametrize("correct, total", [(1, 0), (-1, 5), (6, 5), (0, 0)])
def test_wilson_interval_refuses(correct, total):
    with pytest.raises(ValueError, match=f"correct must lie in 0..total and total above 0, not {correct} of {total}"):
        wilson_interval(correct, total)
    with pytest.raises(ValueError, match=r"a confidence lies between 0 and 1, not 95"):
        wilson_interval(1, 2, confidence=95)


def test_accuracy_says_all():
    result = accuracy(logits_for([0, 1, 2, 2]), torch.tensor([0, 1, 1, 2]), "four images")
    assert (result.correct, result.total, result.value) == (3, 4, 0.75)
    assert (result.low, result.high) == wilson_interval(3, 4)
    assert accuracy(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 1, 2])) == Accuracy(3, 4)
    assert str(Accuracy(1300, 2000, "CIFAR-10 sample")) == (
        "65.0% (95 % interval 62.9% to 67.1%; 1,300 of 2,000) · CIFAR-10 sample"
    )


def test_wrong_inputs():
    logits, labels = logits_for([0, 1, 2]), torch.tensor([0, 1, 2])
    for function in (accuracy, confusion_matrix, calibration, fit_temperature, lambda *both: top_k(*both, k=2)):
        with pytest.raises(ValueError, match=r"one value an image, for the same images .* shapes are \[3\] and \[2\]"):
            function(logits, labels[:2])
        with pytest.raises(ValueError, match=r"shapes are \[3\] and \[3, 1\]"):
            function(logits, labels[:, None])
        with pytest.raises(ValueError, match=r"at least one; shapes are \[0\] and \[0\]"):
            function(logits[:0], labels[:0])
        with pytest.raises(ValueError, match=r"a label lies outside 0..2: there are 3 columns of logits"):
            function(logits, labels + 1)
        with pytest.raises(ValueError, match=r"a label lies outside 0..2"):
            function(logits, labels - 1)
        with pytest.raises(FloatingPointError, match=r"answer to 1 of 3 images is not a number"):
            function(logits * torch.tensor([1.0, float("nan"), 1.0])[:, None], labels)
    with pytest.raises(ValueError, match=r"one row an image and one column a class, not the shape \[3\]"):
        confusion_matrix(labels, labels)
    with pytest.raises(ValueError, match=r"one row an image and one column a class, not the shape \[3, 3, 1\]"):
        accuracy(logits[..., None], labels)
    with pytest.raises(ValueError, match="calibration needs at least one bin, not 0"):
        calibration(logits, labels, bins=0)


def test_confusion_has_true_rows_and_predicted_columns():
    table = confusion_matrix(logits_for([1, 1, 2, 0]), torch.tensor([0, 0, 2, 1]))
    assert table.tolist() == [[0, 2, 0], [1, 0, 0], [0, 0, 1]] and table.dtype == torch.int64
    assert confusion_matrix(logits_for([2]), torch.tensor([2])).shape == (3, 3)


def test_precision_and_recall_by_hand():
    #                       called: cat dog frog
    counts = torch.tensor([[6, 3, 1], [2, 8, 0], [0, 1, 4]])
    precision, recall = precision_recall(counts)
    assert precision.tolist() == pytest.approx([6 / 8, 8 / 12, 4 / 5])
    assert recall.tolist() == pytest.approx([6 / 10, 8 / 10, 4 / 5])
    assert precision.dtype == recall.dtype == torch.float64


def test_precision_of_a_class_that_was_never_called_is_unknown():
    precision, recall = precision_recall(torch.tensor([[0, 3, 0], [0, 2, 0], [0, 0, 0]]))
    assert math.isnan(precision[0]) and precision[1] == 0.4 and math.isnan(precision[2])
    assert recall[:2].tolist() == [0, 1] and math.isnan(recall[2]), "no image of class 2"


@pytest.mark.parametrize("counts", [torch.ones(2, 3), torch.ones(4), -torch.ones(2, 2)])
def test_precision_and_recall_refuse_what_is_no_table_of_counts(counts):
    with pytest.raises(ValueError, match="counts are a square table"):
        precision_recall(counts)


def test_top_k_by_hand():
    logits = torch.tensor([[3.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 3.0], [1.0, 5.0, 4.0, 2.0]])
    labels = torch.tensor([1, 0, 0])  # second, fourth and fourth of the row
    assert [top_k(logits, labels, k).correct for k in (1, 2, 3, 4)] == [0, 1, 1, 3]
    assert top_k(logits, labels, 2, "three rows") == Accuracy(1, 3, "three rows")
    assert top_k(logits, torch.tensor([0, 3, 1]), 1) == accuracy(logits, torch.tensor([0, 3, 1])) == Accuracy(3, 3)
    for k in (0, 5):
        with pytest.raises(ValueError, match=f"k lies between 1 and the number of classes, 4, not {k}"):
            top_k(logits, labels, k)


def test_of_equal_logits_the_first_counts_as_everywhere_else():
    logits, labels = torch.zeros(4, 4), torch.arange(4)
    assert [top_k(logits, labels, k).correct for k in (1, 2, 3)] == [1, 2, 3]
    assert confusion_matrix(logits, labels).diagonal().tolist() == [1, 0, 0, 0]


# -------------------------------------------------------------------------------- calibration


def sure(probability: float, predicted: int = 0) -> list[float]:
    """Logits of two classes whose softmax gives `predicted` this probability."""
    logit = math.log(probability / (1 - probability))
    return [logit, 0.0] if predicted == 0 else [0.0, logit]


def test_calibration_by_hand():
    logits = torch.tensor([sure(0.95), sure(0.95), sure(0.95), sure(0.95), sure(0.65), sure(0.75, predicted=1)])
    labels = torch.tensor([0, 0, 0, 1, 1, 1])  # right: 3 of 4 at 0.95, 0 of 1 at 0.65, 1 of 1 at 0.75
    result = calibration(logits, labels, bins=10)
    assert result.count == [0, 0, 0, 0, 0, 0, 1, 1, 0, 4]
    assert result.confidence[9] == pytest.approx(0.95) and result.accuracy[9] == 0.75
    assert (result.accuracy[6], result.accuracy[7]) == (0, 1) and math.isnan(result.accuracy[0])
    assert result.error == pytest.approx((4 * 0.20 + 1 * 0.65 + 1 * 0.25) / 6)


def test_calibration_of_the_two_ends():
    certain = torch.tensor([[1000.0, 0.0]] * 3)
    assert calibration(certain, torch.tensor([0, 0, 0])).error == 0
    assert calibration(certain, torch.tensor([1, 1, 1])).error == 1
    assert calibration(certain, torch.tensor([0, 0, 0]), bins=4).count == [0, 0, 0, 3], "1.0 belongs to the last bin"
    undecided = calibration(torch.zeros(4, 2), torch.tensor([0, 0, 1, 1]), bins=2)
    assert undecided.count == [4, 0] and undecided.error == 0, "0.5 belongs to the bin that ends there"


def test_temperature_by_hand():
    """Sure of 9 in 10 and right in 3 of 4: at the best T the confidence is 3/4, so 2.197 / T = ln 3."""
    logits = torch.tensor([sure(0.9)] * 4)
    labels = torch.tensor([0, 0, 0, 1])
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(math.log(9) / math.log(3)) == pytest.approx(2.0)
    assert calibration(logits / temperature, labels).error == pytest.approx(0, abs=1e-6)
    assert fit_temperature(logits * 10, labels) == pytest.approx(20), "ten times as sure needs ten times the T"
    shy = torch.tensor([sure(0.6)] * 4)
    assert fit_temperature(shy, labels) == pytest.approx(math.log(1.5) / math.log(3)), "below 1: not sure enough"


def test_temperature_changes_no_answer_and_minimises_the_loss():
    generator = torch.Generator().manual_seed(0)
    logits = 5 * torch.randn(400, 10, generator=generator)
    labels = torch.where(torch.rand(400, generator=generator) < 0.6, logits.argmax(1), torch.arange(400) % 10)
    best = fit_temperature(logits, labels)
    losses = [nn.functional.cross_entropy(logits / t, labels).item() for t in (best * 0.99, best, best * 1.01)]
    assert losses[1] < min(losses[0], losses[2]) and best > 1
    assert torch.equal((logits / best).argmax(1), logits.argmax(1))


def test_temperature_needs_mistakes_and_some_knowledge():
    logits = torch.tensor([sure(0.9)] * 4)
    with pytest.raises(ValueError, match="no temperature is best: every image is right"):
        fit_temperature(logits, torch.tensor([0, 0, 0, 0]))
    with pytest.raises(ValueError, match="no label has a higher logit than chance gives"):
        fit_temperature(logits, torch.tensor([0, 1, 1, 1]))


# -------------------------------------------------------------------------------- paired comparison


def pairs(both: int, first: int, second: int, neither: int) -> tuple[torch.Tensor, torch.Tensor]:
    counts = torch.tensor([both, first, second, neither])
    return tuple(torch.tensor(column).repeat_interleave(counts) for column in ([True, True, False, False],
                                                                               [True, False, True, False]))  # fmt: skip


def test_mcnemar_by_hand():
    result = mcnemar(*pairs(both=30, first=7, second=1, neither=12))
    assert (result.only_first, result.only_second, result.total) == (7, 1, 50)
    assert result.difference == pytest.approx(0.12)
    assert result.p_value == pytest.approx(2 * (1 + 8) / 2**8), "0 or 1 of 8 heads, and the mirror image"
    # Agresti and Min: half a count to each of the four cells, then Wald's interval.
    half = 1.959964 * math.sqrt(7.5 + 1.5 - 6**2 / 52) / 52
    assert (result.low, result.high) == pytest.approx((6 / 52 - half, 6 / 52 + half), abs=1e-6)
    other = mcnemar(*reversed(pairs(30, 7, 1, 12)))
    assert (other.difference, other.low, other.high) == (-result.difference, -result.high, -result.low)
    assert other.p_value == result.p_value
    assert str(result).startswith("+12.0 points (95 % interval +0.7 to +22.4; p = 0.07; only the first right 7, only")
    assert result.points == "+12.0 points (+0.7 to +22.4)" and other.points == "-12.0 points (-22.4 to -0.7)"


def test_mcnemar_without_a_difference():
    same = mcnemar(*pairs(5, 0, 0, 5))
    assert same.p_value == 1 and same.difference == 0 and same.low == -same.high < 0
    assert mcnemar(*pairs(0, 3, 3, 0)).p_value == 1, "never above one"


@pytest.mark.parametrize("first, second", [(1, 0), (0, 9), (5, 5), (6, 5), (300, 200), (1100, 1000), (2000, 1000)])
def test_mcnemar_is_the_sum_of_the_binomial_s_terms(first, second):
    """In whole numbers of any size, which floats have to meet in 12 digits."""
    tail = sum(math.comb(first + second, k) for k in range(min(first, second) + 1))
    exact = min(1.0, 2 * tail / 2 ** (first + second))
    assert mcnemar(*pairs(3, first, second, 4)).p_value == pytest.approx(exact, rel=1e-12, abs=0)


def test_mcnemar_of_many_pairs_is_still_exact():
    result = mcnemar(*pairs(0, 2000, 1000, 7000))
    assert 0 < result.p_value < 1e-70
    assert mcnemar(*pairs(0, 1550, 1450, 7000)).p_value == pytest.approx(0.0707, abs=5e-4), "as the normal curve says"


def test_mcnemar_refuses():
    first, second = pairs(2, 1, 1, 2)
    with pytest.raises(ValueError, match=r"for the same images .* shapes are \[6\] and \[5\]"):
        mcnemar(first, second[1:])
    with pytest.raises(ValueError, match="at least one"):
        mcnemar(first[:0], second[:0])
    with pytest.raises(ValueError, match="takes bool tensors: was each image right"):
        mcnemar(first.long(), second.long())
