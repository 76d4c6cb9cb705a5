"""Functions and classes that learners write: right ones accepted, each mistake named, all else survived."""

import dataclasses
import math
import random
import signal
import sys
import threading
import time
import types
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from helpers.exercises import check, every_exercise
from helpers.exercises import code as code_exercises
from helpers.exercises.code import Case, CodeExercise, difference, draw, fill

EVERY = every_exercise()
CODE = [number for number, one in EVERY.items() if isinstance(one, CodeExercise)]


@pytest.mark.parametrize("number", CODE)
def test_the_reference_is_right_and_a_body_left_empty_is_unanswered(number):
    one = EVERY[number]
    assert one.judge(one.reference) == (True, f"Right: {one.why}")
    assert len(one.why) > 20 and len(one.cases) >= 2 and one.mistakes
    assert one.judge(None)[1].startswith("Not answered yet")


@pytest.mark.parametrize("number, words, wrong", [(n, *told) for n in CODE for told in EVERY[n].wrong_ones])
def test_each_named_mistake_is_met_with_its_own_words(number, words, wrong):
    assert EVERY[number].judge(wrong) == (False, f"Not yet. {words}")


# The mechanism itself, on exercises of our own.
def softmax(scores):
    return torch.softmax(scores, -1)


def too_large(scores):
    return scores.exp() / scores.exp().sum(-1, keepdim=True)


ROWS = (
    Case("for three scores", draw(3)),
    Case("for scores near 1,000", 1000 * draw(3)),
    Case("for two rows", draw(2, 4)),
)
SOFTMAX = CodeExercise(
    "softmax",
    ROWS,
    softmax,
    "scores of any size",
    {
        "You divided the scores themselves.": lambda scores: scores / scores.sum(-1, keepdim=True),
        "Subtract the largest score first.": too_large,
    },
    seconds=0.3,
    hint="Exponentials first.",
)


def stub(scores): ...


def documented_stub(scores):
    """Softmax of the last dimension."""
    pass


def left_open(scores):
    raise NotImplementedError


def returns_dots(scores):
    return ...


@pytest.mark.parametrize("written", [stub, documented_stub, left_open, returns_dots, None, ..., lambda scores: None])
def test_what_is_not_written_yet_is_unanswered(written, capsys, monkeypatch):
    right, words = SOFTMAX.judge(written)
    assert not right and words == "Not answered yet: write the body of softmax and run the cell again."
    monkeypatch.setattr("helpers.exercises.exercise", lambda number: SOFTMAX)
    check("3.2", written)
    assert capsys.readouterr().out.startswith("· 3.2  Not answered yet")


def forgets_its_return(scores):
    scores.softmax(-1)


def test_what_gives_nothing_back_is_no_empty_body():
    for written in (forgets_its_return, print):
        right, words = SOFTMAX.judge(written)
        assert not right and "nothing (None: is there a return?)" in words and "Not answered" not in words
    assert "It printed: tensor(" in words


def loss_of_swapped_arguments(scores):
    labels = torch.zeros(len(scores), dtype=torch.int64)
    return torch.nn.functional.cross_entropy(labels, scores.float())


def test_what_torch_has_not_implemented_is_an_error_of_the_learner_and_no_empty_body():
    right, words = SOFTMAX.judge(loss_of_swapped_arguments)
    assert not right and "Not answered" not in words and "Error" in words


@pytest.mark.parametrize(
    "written", [softmax, lambda scores: scores.softmax(-1), nn.Softmax(-1), lambda s, extra=1: softmax(s)]
)
def test_what_is_right_is_accepted(written):
    assert SOFTMAX.judge(written) == (True, "Right: scores of any size")


def changes_its_input(scores):
    scores -= scores.max(-1, keepdim=True).values
    return too_large(scores)


def ends_never(scores):
    while True:
        pass


def swallows_everything(scores):
    while True:
        try:
            while True:
                pass
        except:  # noqa: E722
            print("go on")


def swallows_exceptions(scores):
    try:
        ends_never(scores)
    except Exception:
        return softmax(scores)


def calls_itself(scores):
    return calls_itself(scores)


def leaves(scores):
    sys.exit("bye")


def crashes(scores):
    total = scores.sum()
    return scores[100] / total


def prints_and_fails(scores):
    print("largest", 3)
    warnings.warn("look", stacklevel=1)
    return scores * 0


SAYS = [
    (lambda scores: scores / scores.sum(-1, keepdim=True), "Not yet. You divided the scores themselves."),
    (too_large, "Not yet. Subtract the largest score first."),
    (
        changes_its_input,
        "your softmax changed its input (for three scores), although its result is right. Work on a new",
    ),
    (ends_never, "for three scores it was stopped after 0.3 seconds. Does a loop end?"),
    (swallows_everything, "it was stopped after 0.3 seconds"),
    (swallows_exceptions, "it was stopped after 0.3 seconds"),
    (calls_itself, "it calls itself without end, in line"),
    (leaves, "it asks Python to end (sys.exit)"),
    (
        crashes,
        "for three scores it stops with IndexError (index 100 is out of bounds for dimension 0 with size 3), in line",
    ),
    (crashes, ": `return scores[100] / total`"),
    (prints_and_fails, "Exponentials first. It printed: largest 3"),
    (lambda a, b: a, "softmax must take 1 argument: scores. Yours takes a, b."),
    (lambda: 1, "softmax must take 1 argument: scores. Yours takes none."),
    (
        lambda scores: scores.softmax(0),
        "for two rows it gives other values in 8 of 8 places; the largest difference is",
    ),
    (lambda scores: scores.softmax(-1).tolist(), "a value of type list instead of one of type Tensor"),
    (lambda scores: scores.softmax(-1).numpy(), "a value of type ndarray instead of one of type Tensor"),
    (lambda scores: scores.softmax(-1)[..., :2], "for three scores it gives shape [2] instead of [3]"),
    (lambda scores: scores.argsort(), "int64 values instead of float32"),
    (lambda scores: scores * float("nan"), "nan (not a number) in 3 of 3 values"),
    (
        lambda scores: None if len(scores) == 2 else scores.softmax(-1),
        "for two rows it gives nothing (None: is there a ret",
    ),
    (lambda scores: 7, "a value of type int"),
    (lambda scores: False, "a value of type bool"),
    (
        softmax(draw(3)),
        "The function itself is meant here, check(…, softmax) without parentheses after its name; this is T",
    ),
    ("softmax", "this is str"),
    (nn.Softmax, "this is a class"),
]


@pytest.mark.parametrize("written, words", SAYS)
def test_what_is_wrong_gets_a_sentence(written, words):
    trace = sys.gettrace()
    right, said = SOFTMAX.judge(written)
    assert sys.gettrace() is trace
    assert not right and words in said and said[-1] in ".?`3", said


def test_a_loop_without_end_is_interrupted_off_the_main_thread_too():
    said = []
    thread = threading.Thread(target=lambda: said.append(SOFTMAX.judge(ends_never)))
    thread.start()
    thread.join(20)
    assert "it was stopped after" in said[0][1]


def test_an_alarm_that_somebody_else_has_set_goes_on():
    if not hasattr(signal, "setitimer"):
        pytest.skip("no timer signals on this system")
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 100)
    try:
        handler = signal.getsignal(signal.SIGALRM)
        SOFTMAX.judge(ends_never)
        assert signal.getsignal(signal.SIGALRM) is handler and 50 < signal.getitimer(signal.ITIMER_REAL)[0] <= 100
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_ctrl_c_is_not_swallowed():
    def interrupted(scores):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SOFTMAX.judge(interrupted)


def test_random_states_printing_and_gradients_are_as_before(capsys):
    def noisy(scores):
        print("noise")
        warnings.warn("look", stacklevel=1)
        random.seed(5), np.random.seed(5), torch.manual_seed(5)
        torch.set_grad_enabled(False)
        return softmax(scores)

    random.seed(7), np.random.seed(7), torch.manual_seed(7)
    wanted = random.random(), np.random.rand(), torch.rand(1)
    random.seed(7), np.random.seed(7), torch.manual_seed(7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert SOFTMAX.judge(noisy) == (True, "Right: scores of any size")
    assert (random.random(), np.random.rand(), torch.rand(1)) == wanted
    assert torch.is_grad_enabled() and capsys.readouterr().out == ""


@pytest.mark.parametrize("dice", [random.random, np.random.rand, lambda: torch.rand(()).item()])
def test_random_numbers_are_the_same_for_the_learner_and_the_reference(dice):
    one = CodeExercise("noise", (Case("once", 1), Case("again", 2)), lambda x: x + dice(), "the same seed")
    assert one.judge(lambda x: dice() + x)[0] and not one.judge(lambda x: dice() + dice() + x)[0]


def test_an_alarm_never_interrupts_the_engine_s_own_lines():
    def frame(name):
        return types.SimpleNamespace(f_code=types.SimpleNamespace(co_filename=name))

    trace, limit = sys.gettrace(), code_exercises._Limit(1)
    limit.deadline = math.inf
    try:
        limit.ring(frame(code_exercises.__file__))
        with pytest.raises(code_exercises._TooLong):
            limit.ring(frame("a cell"))
    finally:
        sys.settrace(trace)


def test_the_cases_stay_as_they_were():
    before = [case.inputs[0].clone() for case in ROWS]
    SOFTMAX.judge(changes_its_input)
    assert all(torch.equal(case.inputs[0], old) for case, old in zip(ROWS, before, strict=True))


def test_inputs_may_be_changed_where_the_exercise_says_so():
    assert dataclasses.replace(SOFTMAX, in_place=True).judge(changes_its_input)[0]


def test_time_is_given_to_each_case():
    def slow(scores):
        time.sleep(0.15)
        return softmax(scores)

    assert SOFTMAX.judge(slow)[0]


def test_the_dtype_counts_where_it_is_said_to():
    assert SOFTMAX.judge(lambda scores: scores.double().softmax(-1))[0]
    exact = dataclasses.replace(SOFTMAX, exact_dtype=True)
    assert "float64 values instead of float32" in exact.judge(lambda scores: scores.double().softmax(-1))[1]


# Many right results.
def crop(image, size):
    top, left = (int(torch.randint(0, side - size + 1, ())) for side in image.shape)
    return image[top : top + size, left : left + size]


IMAGE = torch.arange(36.0).reshape(6, 6)


def is_part(result):
    windows = IMAGE.unfold(0, 4, 1).unfold(1, 4, 1).reshape(-1, 4, 4)
    return None if any(torch.equal(result, window) for window in windows) else "it is no part of the image"


def differs(results):
    return None if len({result.sum().item() for result in results}) > 3 else "it cuts the same place again and again"


CROP = CodeExercise(
    "crop",
    (
        Case("for an image of 6 × 6", IMAGE, 4, holds=is_part),
        Case(
            "called twenty times", IMAGE, 4, use=lambda crop, *inputs: [crop(*inputs) for _ in range(20)], holds=differs
        ),
        Case("for a size given by name", IMAGE, size=6),
    ),
    crop,
    "each place is as likely",
    {"The place is not drawn.": lambda image, size: image[:size, :size]},
)


def test_a_result_of_which_many_are_right_is_judged_by_its_properties():
    assert CROP.judge(crop)[0]
    assert CROP.judge(lambda image, size: image[:size, :size]) == (False, "Not yet. The place is not drawn.")
    assert CROP.judge(lambda image, size: image[:size, :size] + 0.5)[1] == (
        "Not yet: for an image of 6 × 6 it is no part of the image."
    )
    # Another place, but the same rules are broken.
    assert CROP.judge(lambda image, size: image[-size:, -size:])[1] == "Not yet. The place is not drawn."
    fixed = dataclasses.replace(CROP, mistakes={}).judge(lambda image, size: image[:size, :size])[1]
    assert fixed == "Not yet: called twenty times it cuts the same place again and again."
    assert "Yours takes image, side" not in CROP.judge(lambda image, size=4: crop(image, size))[1]


# Classes.
class Block(nn.Module):
    def __init__(self, channels_in, channels_out, stride=1):
        super().__init__()
        self.convolution = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x):
        return self.norm(self.convolution(x)).relu()


class WithoutReLU(Block):
    def forward(self, x):
        return self.norm(self.convolution(x))


class OtherOrder(nn.Module):
    def __init__(self, channels_in, channels_out, stride=1):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels_out)
        self.layers = nn.ModuleList([nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)])

    def forward(self, x):
        return torch.relu(self.norm(self.layers[0](x)))


def stub_class(**methods):
    return type("Block", (nn.Module,), methods)


def run(Block, x):
    return fill(Block(3, 8, stride=2)).eval()(x)


BLOCK = CodeExercise(
    "Block", (Case("with stride 2", draw(1, 3, 6, 6), use=run),), Block, "done", {"No ReLU.": WithoutReLU}
)


def test_a_class_is_made_and_run():
    assert BLOCK.judge(Block)[0] and BLOCK.judge(OtherOrder)[0]
    assert BLOCK.judge(WithoutReLU) == (False, "Not yet. No ReLU.")

    class ForgetsSuper(Block):
        def __init__(self, channels_in, channels_out, stride=1):
            self.norm = nn.BatchNorm2d(channels_out)

    class NoStride(Block):
        def __init__(self, channels_in, channels_out):
            super().__init__(channels_in, channels_out)

    class Misspelled(Block):
        def forward(self, x):
            return self.nrom(x)

    class StrideIgnored(Block):
        def __init__(self, channels_in, channels_out, stride=1):
            super().__init__(channels_in, channels_out)

    assert (
        "AttributeError (cannot assign module before Module.__init__() call), in line" in BLOCK.judge(ForgetsSuper)[1]
    )
    assert BLOCK.judge(NoStride)[1] == (
        "Block must take 3 arguments: channels_in, channels_out, stride. Yours takes channels_in, channels_out."
    )
    assert (
        "has no attribute 'nrom'" in BLOCK.judge(Misspelled)[1]
        and "`return self.nrom(x)`" in BLOCK.judge(Misspelled)[1]
    )
    assert "shape [1, 8, 6, 6] instead of [1, 8, 3, 3]" in BLOCK.judge(StrideIgnored)[1]
    assert "The class itself is meant here" in BLOCK.judge(Block(3, 8))[1]
    assert "this is a function" in BLOCK.judge(run)[1]


def test_a_class_without_a_body_is_unanswered():
    def forward(self, x): ...

    def __init__(self, channels_in, channels_out, stride=1):
        super(nn.Module, self).__init__()

    for written in (stub_class(), stub_class(forward=forward), stub_class(__init__=__init__, forward=forward)):
        assert BLOCK.judge(written)[1].startswith("Not answered yet"), vars(written)


def test_fill_depends_on_shapes_alone_and_reaches_every_parameter():
    first, second = fill(Block(3, 8)), fill(OtherOrder(3, 8))
    assert torch.equal(first.convolution.weight, second.layers[0].weight)
    assert first.norm.weight.min() > 0.5 and first.norm.weight.max() < 1.5
    assert first.convolution.weight.std().item() == pytest.approx(27**-0.5, rel=0.2)
    assert abs(first.convolution.weight.mean().item()) < 0.05


def test_draw_leaves_the_random_state_alone():
    state = torch.get_rng_state()
    assert torch.equal(draw(2, 3), draw(2, 3)) and not torch.equal(draw(2, 3), draw(2, 3, seed=1))
    assert draw(2, 3).shape == (2, 3) and torch.equal(state, torch.get_rng_state())


@dataclasses.dataclass(frozen=True)
class Pair:
    images: torch.Tensor
    names: tuple


SAME = [
    ([1, 2], (1, 2)),
    (torch.Size([2, 3]), (2, 3)),
    (torch.tensor([1, 2]), [1, 2]),
    (torch.tensor(3), 3),
    (np.float32(0.5), 0.5),
    (3, torch.tensor(3)),
    (float("nan"), float("nan")),
    ({"a": torch.ones(2)}, {"a": torch.ones(2)}),
    (nn.Parameter(torch.ones(2)), torch.ones(2)),
    (np.bool_(True), True),
    (Pair(torch.ones(2), ("a",)), Pair(torch.ones(2), ("a",))),
    (None, None),
    (torch.tensor([True]), torch.tensor([True])),
    (torch.tensor([float("inf")]), torch.tensor([float("inf")])),
    (torch.zeros(0), torch.zeros(0)),
    ({1, 2}, {2, 1}),
]
OTHER = [
    ([1, 2], (1, 2, 3), "2 elements instead of 3"),
    ([1, 5], (1, 2), "5, which is too large (in element 1)"),
    (
        (1, (2, torch.ones(2))),
        (1, (2, torch.zeros(2))),
        "other values in 2 of 2 places; the largest difference is 1 (in el",
    ),
    (float("nan"), 1.0, "not a number"),
    (1, True, "a value of type int instead of one of type bool"),
    (True, 1, "a value of type bool instead of one of type int"),
    (False, True, "False, which is not it"),
    ("cat", "dog", "'cat', which is not it"),
    (3, "dog", "a value of type int"),
    ({"a": 1}, {"b": 1}, "keys"),
    ([], {"b": 1}, "a value of type list"),
    (torch.ones(1), 1.0, "a value of type Tensor"),
    (torch.tensor([1]), torch.tensor([True]), "int64 values instead of bool"),
    (Pair(torch.ones(2), ("a",)), Pair(torch.ones(2), ("b",)), "'a', which is not it"),
    (nn.Linear(2, 2), fill(nn.Linear(2, 2)), "other values"),
    (0.1, 0.2, "0.1, which is too small"),
    (torch.tensor([float("inf")]), torch.tensor([1.0]), "the largest difference is inf"),
    (None, {1}, "nothing (None: is there a return?)"),
]


@pytest.mark.parametrize("got, wanted", SAME)
def test_results_that_agree(got, wanted):
    assert difference(got, wanted, 1e-6) is None


@pytest.mark.parametrize("got, wanted, words", OTHER)
def test_results_that_differ_are_told_apart_in_words(got, wanted, words):
    assert words in difference(got, wanted, 1e-6)


def test_the_tolerance_is_of_the_number_where_it_is_above_one():
    assert difference(1e6 + 1, 1e6, 1e-5) is None and difference(0.01, 0.0101, 1e-5) is not None
    assert difference(torch.tensor([0.001]), torch.tensor([0.00105]), 1e-4) is None
    assert difference(torch.tensor([1e6 + 50]), torch.tensor([1e6]), 1e-5) is not None


def test_the_tolerance_of_whole_numbers_is_the_same_for_small_and_large_ones():
    assert difference(torch.tensor([0, 255]).byte(), torch.tensor([1, 254]).byte(), 1) is None
    assert difference(torch.tensor([0, 200]).byte(), torch.tensor([0, 202]).byte(), 1) is not None
    assert difference(torch.tensor([100_001]), torch.tensor([100_000]), 1e-4) is not None


def test_an_error_can_be_what_is_asked():
    def divide(a, b):
        if b == 0:
            raise ValueError("b is 0")
        return a / b

    one = CodeExercise("divide", (Case("for 4 and 2", 4, 2), Case("for b = 0", 4, 0)), divide, "no surprise")
    assert one.judge(divide)[0]
    assert "for b = 0 it stops with ZeroDivisionError (division by zero), in line" in one.judge(lambda a, b: a / b)[1]
    assert "for b = 0 it should stop with ValueError, and goes on" in one.judge(lambda a, b: a / b if b else 0)[1]


def test_what_goes_wrong_outside_the_learners_lines_is_told_as_that():
    cases = (Case("for three scores", draw(3), holds=lambda result: result.missing),)
    odd = dataclasses.replace(SOFTMAX, cases=cases, mistakes={})
    assert "gives a value of type Tensor, which does not fit ('Tensor' object has no" in odd.judge(lambda s: s)[1]
    assert (
        "it gives nothing (None: is there a return?)"
        in CROP.judge(lambda image, size: None if image.sum() > 0 and torch.rand(1) < 2 and size == 4 else image)[1]
    )
    use = eval(compile("lambda function, scores: function(scores).shape", "<frozen room>", "eval"))
    shape = dataclasses.replace(SOFTMAX, cases=(Case("for three scores", draw(3), use=use),))
    assert "outside your own lines" in shape.judge(lambda scores: scores.tolist() and None)[1]


def test_one_mistake_can_be_made_in_several_ways():
    several = dataclasses.replace(
        SOFTMAX, mistakes={"Not the scores.": (torch.relu, torch.sigmoid), "Nor a sine.": torch.sin}
    )
    assert [several.judge(written)[1] for written in (torch.relu, torch.sigmoid, torch.sin)] == [
        "Not yet. Not the scores.",
        "Not yet. Not the scores.",
        "Not yet. Nor a sine.",
    ]
    assert several.judge(torch.cos)[1].startswith("Not yet: for three scores")


def test_two_errors_of_torch_are_not_one_mistake():
    def added(scores):
        return scores + torch.zeros(7)

    def reshaped(scores):
        return scores.view(7, 7)

    one = dataclasses.replace(SOFTMAX, mistakes={"Seven is too many.": added})
    assert one.judge(lambda scores: torch.ones(9) - scores)[1] == "Not yet. Seven is too many."
    assert "it stops with RuntimeError (shape '[7, 7]' is invalid" in one.judge(reshaped)[1]
    divided = dataclasses.replace(SOFTMAX, mistakes={"There is no zeroth part.": lambda scores: 1 / 0})
    assert divided.judge(lambda scores: 1.0 / 0.0)[1] == "Not yet. There is no zeroth part."


def test_each_of_two_cases_called_alike_counts():
    twice = dataclasses.replace(SOFTMAX, cases=(Case("for scores", draw(2, 3)), Case("for scores", draw(3))))
    assert "for scores it gives other values" in twice.judge(lambda scores: scores.softmax(0))[1]
