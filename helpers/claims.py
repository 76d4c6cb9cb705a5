"""Does what the page says hold here, too?

A lesson says `claim(holds, words)` of what a live training or timing shows. `python -m helpers claims` runs the lessons
under other seeds, threads and instruction sets, and collects what each claim came to; it asks for that by two variables
of the environment, without which nothing here happens:

HELPERS_CLAIMS  a file: each claim adds a line of JSON to it and goes on
HELPERS_SEED    a whole number k: the seeds of the lesson are shifted by k times a large number (`shift_seeds`)
"""

import json
import os
import sys

STRIDE = 7_368_787  # a prime far above the seeds that lessons use, and not the one by which `Batches` counts epochs


def claim(holds: bool, words: str) -> None:
    """Say that `words` should hold; `holds` says whether it does on this machine, in this run.

    In a reader's notebook nothing is printed when it holds, and a sentence when it does not; then the page goes on.
    Under pytest (nbval's kernels included: they inherit its environment) a claim that fails is an AssertionError.
    """
    holds = bool(holds)
    if file := os.environ.get("HELPERS_CLAIMS"):
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(json.dumps({"words": words, "holds": holds, **settings()}) + "\n")
    elif not holds and "PYTEST_CURRENT_TEST" in os.environ:
        raise AssertionError(f"should hold: {words}")
    elif not holds:
        print(f"Here it is otherwise. On the machine that made this page it held: {words}")


def settings() -> dict:
    """What a claim's outcome may depend on: the shift of the seeds, PyTorch's threads, its instruction set."""
    found = {"seed": asked_shift(), "threads": None, "instructions": None}
    if torch := sys.modules.get("torch"):
        found |= {"threads": torch.get_num_threads(), "instructions": torch.backends.cpu.get_cpu_capability()}
    return found


def asked_shift() -> int:
    """The number in HELPERS_SEED, 0 without it."""
    text = os.environ.get("HELPERS_SEED") or "0"
    if not text.isdecimal():
        raise ValueError(f"HELPERS_SEED is a whole number such as 3, not {text!r}: correct it, or unset it")
    return int(text)


def shift_seeds(k: int) -> None:
    """From now on a seed s means s + k · STRIDE to PyTorch, NumPy and Python's random: the same lesson, other luck.

    0 changes nothing; any other k imports PyTorch. Seeds that are no whole number stay as they are.
    """
    if not k:
        return
    import random

    import numpy
    import torch

    def shifted(function):
        def call(seed=None, *rest, **named):
            whole = isinstance(seed, (int, numpy.integer)) and not isinstance(seed, bool)
            return function(int(seed) + k * STRIDE if whole else seed, *rest, **named)

        return call

    class Generator(torch.Generator):
        def manual_seed(self, seed: int) -> torch.Generator:
            return super().manual_seed(int(seed) + k * STRIDE)

    torch.Generator = Generator
    torch.manual_seed = torch.random.manual_seed = shifted(torch.manual_seed)
    numpy.random.default_rng, numpy.random.seed = shifted(numpy.random.default_rng), shifted(numpy.random.seed)
    random.seed = shifted(random.seed)
