"""Is the function or class that I wrote right, and if not, what did I get wrong?

`helpers.exercises` says how such an exercise is declared. The learner's code is called on copies of inputs that the
page does not show, with random numbers that start from the same seed each time, and compared with a reference.

What cannot be caught: a loop inside C (`sum(iter(int, 1))`, a huge matrix product) is not interrupted, since Python
looks at its clock between its own steps only; nor, off the main thread, one that swallows every exception; and
`os._exit`, or IPython's own `exit()`, ends the kernel.
"""

import contextlib
import copy
import dataclasses
import dis
import inspect
import io
import linecache
import math
import random
import signal
import sys
import sysconfig
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from helpers.exercises.compare import difference

UNANSWERED = "Not answered yet: write the body of {} and run the cell again."
HELPERS = str(Path(__file__).parent.parent)
NOT_THE_LEARNERS = (HELPERS, sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), "<frozen")
TOO_LONG, LEFT = "_TooLong", "NotImplementedError without a word"
IDLE, CONSTANT = {"RESUME", "NOP", "POP_TOP", "RETURN_VALUE"}, {"LOAD_CONST", "RETURN_CONST"}


class Case:
    """One input that the exercise does not show. `words` say what kind it is: "for two images with stride 2".

    What the learner wrote is called with copies of `inputs` and `options`; `use(written, *inputs, **options)` calls it
    in another way (makes an object of a class and runs it; calls a function twenty times). The result is compared with
    the reference's, or, where many results are right, `holds(result)` returns None or a sentence that says what is
    wrong ("the crop is not a part of the image").
    """

    def __init__(self, words: str, *inputs, use: Callable | None = None, holds: Callable | None = None, **options):
        self.words, self.inputs, self.options, self.use, self.holds = words, inputs, options, use, holds


@dataclasses.dataclass(frozen=True)
class CodeExercise:
    """A function or class to write, called `name` on the page.

    `reference`: a right one, whose parameters are those that the learner's must take. `mistakes`: {what to say: a wrong
    one, or a tuple of several}; the first that gives what the learner's gives (or breaks the same `holds`) in *all*
    cases is named. Numbers may differ by `tolerance`, times the number where it is above 1 (whole ones in tensors by
    `tolerance` alone); tensors must agree in kind (bool, whole, floating), and in dtype with `exact_dtype`. Where the
    reference raises an error, one of this type is asked. `seconds` is the limit of one case. Inputs may not be changed
    unless `in_place`.
    """

    name: str
    cases: tuple[Case, ...]
    reference: Callable
    why: str
    mistakes: Mapping[str, Callable | tuple[Callable, ...]] = dataclasses.field(default_factory=dict)
    tolerance: float = 1e-4
    exact_dtype: bool = False
    in_place: bool = False
    seconds: float = 5
    hint: str = ""

    @property
    def wrong_ones(self) -> Iterator[tuple[str, Callable]]:
        """(what to say, a wrong one) of all mistakes, in order."""
        for words, wrong in self.mistakes.items():
            yield from ((words, one) for one in (wrong if isinstance(wrong, tuple) else (wrong,)))

    def judge(self, written) -> tuple[bool, str]:
        """(is it right, what to tell the reader). Random states, printed output and warnings stay as they were."""
        with _random_states_kept():
            problem, got = self.tried(written)
            return (False, problem) if problem else self.verdict(got)

    def tried(self, written) -> tuple[str, list["Outcome"]]:
        """What speaks against it before it is called, and what came of each case, up to the first that takes too long.

        `verdict` may be asked elsewhere, as long as each outcome's `objection` is found anew there (`objection`).
        """
        if written is None or written is ...:
            return UNANSWERED.format(self.name), []
        problem = self._unsuitable(written)
        if problem or _is_stub(written, self.reference):
            return problem or UNANSWERED.format(self.name), []
        return "", self._outcomes(written)

    def verdict(self, got: list["Outcome"]) -> tuple[bool, str]:
        """(is it right, what to tell the reader) of what came of the cases."""
        right, words = self._verdict(got)
        printed = next((outcome.printed for outcome in got if outcome.printed), "")
        if printed and not right:
            words += f" It printed: {printed[:200]}"
        return right, words

    def _outcomes(self, written) -> list["Outcome"]:
        """What comes of each case, up to the first that takes too long."""
        got = []
        for case in self.cases:
            got.append(_run(case, written, self.seconds))
            if got[-1].error == TOO_LONG:
                break
        return got

    def _verdict(self, got: list["Outcome"]) -> tuple[bool, str]:
        last = self.cases[len(got) - 1].words
        if got[-1].error == TOO_LONG:
            return False, f"Not yet: {last} it was stopped after {self.seconds:g} seconds. Does a loop end?"
        if all(outcome.is_nothing() for outcome in got):
            return False, UNANSWERED.format(self.name)
        cases = list(zip(self.cases, got, strict=True))
        wrong = [f"{case.words} {words}" for case, outcome in cases if (words := self._differs(case, outcome))]
        for words, mistake in self.wrong_ones if wrong else ():
            if all(self._same(case, outcome, _run(case, mistake, self.seconds)) for case, outcome in cases):
                return False, f"Not yet. {words}"
        changed = [case.words for case, outcome in cases if outcome.changed]
        if changed and not self.in_place:
            what = "and gives a wrong result" if wrong else "although its result is right"
            return False, f"Not yet: your {self.name} changed its input ({changed[0]}), {what}. Work on a new one."
        if wrong:
            return False, f"Not yet: {wrong[0]}. {self.hint}".rstrip()
        return True, f"Right: {self.why}"

    def _differs(self, case: Case, got: "Outcome") -> str | None:
        """How an outcome differs from the right one, in words; None where it does not."""
        wanted = _run(case, self.reference, math.inf)
        if wanted.error and not got.error:
            return f"it should stop with {wanted.error}, and goes on"
        if got.error:
            return None if got.error == wanted.error else got.trouble
        if case.holds:
            return got.objection
        words = difference(got.result, wanted.result, self.tolerance, self.exact_dtype)
        return words and f"it gives {words}"

    def _same(self, case: Case, one: "Outcome", other: "Outcome") -> bool:
        if one.error or other.error:
            return one.kind_of_error() == other.kind_of_error()
        if case.holds:
            return one.objection == other.objection
        return difference(one.result, other.result, self.tolerance, self.exact_dtype) is None

    def _unsuitable(self, written) -> str | None:
        kind = "class" if inspect.isclass(self.reference) else "function"
        if not callable(written) or (kind == "class") != inspect.isclass(written):
            what = "this is a class" if inspect.isclass(written) else f"this is {type(written).__name__}"
            what = "this is a function" if inspect.isroutine(written) else what
            return f"The {kind} itself is meant here, check(…, {self.name}) without parentheses after its name; {what}."
        try:
            meant, taken = inspect.signature(self.reference), inspect.signature(written)
        except ValueError:  # some built-in functions do not tell
            return None
        plain = [p for p in meant.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        named = [p.name for p in meant.parameters.values() if p.kind == p.KEYWORD_ONLY]
        try:
            taken.bind(*plain, **dict.fromkeys(named))
        except TypeError:
            names = [p.name for p in plain] + named
            count = f"{len(names)} argument" + "s" * (len(names) != 1)
            has = ", ".join(taken.parameters) or "none"
            return f"{self.name} must take {count}: {', '.join(names) or 'none'}. Yours takes {has}."
        return None


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    """Standard normal numbers, float32, that leave the random state alone: inputs for cases."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def fill(module: nn.Module) -> nn.Module:
    """The same module with parameters that depend on their shapes alone, so that two ways to write it can be compared.

    Vectors (biases, BatchNorm's) get values between 0.5 and 1.5; all else is normal, scaled by the inputs it sums.
    """
    with torch.no_grad():
        for parameter in module.parameters():
            values = draw(*parameter.shape)
            inputs = parameter[0].numel() if parameter.dim() > 1 else 0
            parameter.copy_(values / inputs**0.5 if inputs else 0.5 + torch.sigmoid(values))
    return module


@dataclasses.dataclass
class Outcome:
    """What came of one case: a result, or an error by its type's name, and where it arose in a sentence."""

    result: object = None
    objection: str | None = None
    error: str = ""
    trouble: str = ""
    changed: bool = False
    printed: str = ""

    def is_nothing(self) -> bool:
        """Whether the body was left as it stood."""
        return self.result is ... or self.error == LEFT  # None comes of a body without a return; a stub is not called

    def kind_of_error(self) -> tuple[str, list[str]]:
        """What tells one mistake's error from another's; torch has the type RuntimeError for nearly all of its own."""
        what = self.trouble.partition("), ")[0].split()  # "it stops with RuntimeError (", then the message
        return self.error, what[:8] if self.error == "RuntimeError" else []


def _trouble(error: BaseException) -> str:
    """An error in a sentence, with the learner's line."""
    if isinstance(error, RecursionError):
        what = "it calls itself without end"
    elif isinstance(error, SystemExit):
        what = "it asks Python to end (sys.exit); return a value instead"
    else:
        message = " ".join(str(error).split())
        message = message if len(message) <= 120 else message[:117] + "…"
        what = f"it stops with {type(error).__name__}" + (f" ({message})" if message else "")
    place, trace = "", error.__traceback__
    while trace:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith(NOT_THE_LEARNERS):
            line = linecache.getline(name, trace.tb_lineno).strip()
            place = f", in line {trace.tb_lineno}" + (f": `{line}`" if line else "")
        trace = trace.tb_next
    return what + (place or ", outside your own lines: what they gave could not be used")


def _name(error: BaseException) -> str:
    """The name of an error's type; LEFT for a NotImplementedError without words.

    (With words it may be torch's own, for what it was wrongly given.)
    """
    return LEFT if isinstance(error, NotImplementedError) and not str(error) else type(error).__name__


def _run(case: Case, written, seconds: float) -> Outcome:
    """Call what was written on copies of a case's inputs; whatever happens, an outcome comes back (Ctrl-C excepted)."""
    inputs, options = copy.deepcopy((case.inputs, case.options))
    use = case.use or (lambda function, *inputs, **options: function(*inputs, **options))
    outcome, printed = Outcome(), io.StringIO()
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with torch.enable_grad(), _Limit(seconds):
                outcome.result = use(written, *inputs, **options)
            outcome.objection = objection(case, outcome.result)
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # also SystemExit
            outcome.error, outcome.trouble = _name(problem), _trouble(problem)
    outcome.printed = " ".join(printed.getvalue().split())
    outcome.changed = difference((inputs, options), (case.inputs, case.options)) is not None
    return outcome


def objection(case: Case, result) -> str | None:
    """What a case's `holds` has against a result; None where there is nothing, or no `holds`."""
    if result is None and case.holds:
        return "it gives nothing (None: is there a return?)"
    try:
        return case.holds(result) if case.holds else None
    except Exception as problem:
        return f"it gives a value of type {type(result).__name__}, which does not fit ({problem})"


class _TooLong(BaseException):
    """Not an Exception, so that the learner's `except Exception` lets it pass."""


class _Limit:
    """Interrupts Python code after some seconds: by a timer on the main thread, else by looking at every line.

    The timer rings again, and after it the next line is interrupted too, for loops that swallow every exception; never
    this file's own lines.
    """

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.timer = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()

    def __enter__(self):
        self.deadline, self.old_trace = time.monotonic() + self.seconds, sys.gettrace()
        if self.timer and self.seconds < math.inf:
            self.old = signal.signal(signal.SIGALRM, lambda _, frame: self.ring(frame))
            self.left = signal.setitimer(signal.ITIMER_REAL, self.seconds, 0.05)
        elif self.seconds < math.inf:
            sys.settrace(self.trace)

    def __exit__(self, *_):
        if self.timer and self.seconds < math.inf:
            signal.setitimer(signal.ITIMER_REAL, *self.left)
        if sys.gettrace() is not self.old_trace:  # before anything that is written in Python is called
            sys.settrace(self.old_trace)
        if self.timer and self.seconds < math.inf:
            signal.signal(signal.SIGALRM, self.old)

    def ring(self, frame):
        if frame.f_code.co_filename != __file__:
            sys.settrace(self.trace)
            frame.f_trace = self.trace
            raise _TooLong

    def trace(self, frame, event, _):
        if event == "line" and time.monotonic() > self.deadline:
            self.ring(frame)
        return self.trace


@contextlib.contextmanager
def _random_states_kept():
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        for put_back, state in zip((random.setstate, np.random.set_state, torch.set_rng_state), states, strict=True):
            put_back(state)


def _is_stub(written, reference) -> bool:
    """Whether a function's body, or that of a method the reference has, is only `...`, `pass` or a docstring."""
    if inspect.isclass(written):
        pairs = [(part, getattr(reference, name, None)) for name, part in vars(written).items()]
        pairs = [(part, wanted) for part, wanted in pairs if inspect.isfunction(part) and inspect.isfunction(wanted)]
        return not pairs or any(_is_stub(*pair) and not _is_stub(pair[1], None) for pair in pairs)
    code = getattr(written, "__code__", None)
    steps = list(dis.get_instructions(code)) if code else []
    return bool(steps) and all(s.opname in IDLE or (s.opname in CONSTANT and s.argval in (None, ...)) for s in steps)
