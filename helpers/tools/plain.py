"""Answers as data: what a program gave, as JSON and back, so that nothing of a stranger's is called or unpickled."""

import base64
import math

import numpy as np
import torch

from helpers.exercises.code import Outcome

DTYPES = {str(one).removeprefix("torch."): one for one in (
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.bool,
)}  # fmt: skip
MOST = 4 * 10**6  # bytes of a tensor, characters of a text
DEEP = 12


def packed(value, depth: int = 0):
    """Numbers, text, tensors, arrays and what holds them, as JSON; of anything else the name of its type alone."""
    if value is None or isinstance(value, bool):
        return value
    if value is ...:
        return ["..."]
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.dtype.name in DTYPES):
        kind, array = "number" if isinstance(value, np.generic) else "array", np.array(value, copy=True)
        return [kind, *_tensor(torch.from_numpy(array))] if array.dtype.name in DTYPES else ["?", kind]
    if isinstance(value, int):
        return ["int", hex(int(value))[: 10**4]]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else ["float", repr(float(value))]
    if isinstance(value, str):
        return str(value)[:MOST]
    if isinstance(value, torch.Tensor):
        return ["tensor", *_tensor(value)]
    if depth < DEEP:
        if isinstance(value, (list, tuple, set, frozenset)):
            kind = next(one for one in (list, tuple, set, frozenset) if isinstance(value, one)).__name__
            return [kind, [packed(part, depth + 1) for part in value]]
        if isinstance(value, dict):
            return ["dict", [[packed(name, depth + 1), packed(part, depth + 1)] for name, part in value.items()]]
    if callable(value):
        return ["function", str(getattr(value, "__name__", "it"))[:80]]
    return ["?", type(value).__name__[:80]]


def _tensor(value: torch.Tensor) -> list:
    value = value.detach().cpu().contiguous()
    if value.numel() * value.element_size() > MOST:
        raise ValueError(f"a result of {value.numel():,} numbers is too large to be looked at")
    name = str(value.dtype).removeprefix("torch.")
    return [name, list(value.shape), base64.b64encode(value.reshape(-1).view(torch.uint8).numpy().tobytes()).decode()]


def unpacked(told):
    """The value again, made of Python's and PyTorch's own types; ValueError for what `packed` never writes."""
    if told is None or isinstance(told, (bool, int, float, str)):
        return told
    try:
        kind, *rest = told
        if kind in ("tensor", "array", "number"):
            return _made(kind, *rest)
        if kind == "dict":
            return {unpacked(name): unpacked(part) for name, part in rest[0]}
        if kind in ("list", "tuple", "set", "frozenset"):
            parts = [unpacked(part) for part in rest[0]]
            return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[kind](parts)
        simple = {"...": lambda: ..., "int": lambda: int(rest[0], 16), "float": lambda: float(rest[0])}
        if kind in simple:
            return simple[kind]()
        name = "".join(letter for letter in str(rest[0]) if letter.isidentifier() or letter.isdigit()) or "thing"
        if kind == "function":
            return _named(name)
        if kind == "?":
            return type(name, (), {})()
    except (TypeError, IndexError, KeyError, RuntimeError) as problem:
        raise ValueError(f"that is no answer ({problem})") from problem
    raise ValueError("that is no answer")


def _named(name: str):
    def function():
        raise NotImplementedError

    function.__name__ = name
    return function


def _made(kind: str, dtype: str, shape: list, text: str):
    data = bytearray(base64.b64decode(text))
    if any(not isinstance(side, int) or side < 0 for side in shape):
        raise ValueError("a tensor's sides are whole numbers")
    value = torch.frombuffer(data, dtype=torch.uint8) if data else torch.zeros(0, dtype=torch.uint8)
    value = value.view(DTYPES[dtype]).reshape(shape)
    if kind == "tensor":
        return value
    return value.numpy() if kind == "array" else value.numpy()[()]


def outcome_packed(outcome: Outcome) -> dict:
    """What came of a case, but for the objection, which is found anew by whoever judges."""
    return {"result": packed(outcome.result), "error": outcome.error[:200], "trouble": outcome.trouble[:600],
            "changed": bool(outcome.changed), "printed": outcome.printed[:200]}  # fmt: skip


def outcome_unpacked(told: dict) -> Outcome:
    """An outcome again; ValueError for what is none."""
    if not isinstance(told, dict) or not {"result", "error", "trouble", "changed", "printed"} <= set(told):
        raise ValueError("that is no outcome")
    texts = {name: str(told[name])[:600] for name in ("error", "trouble", "printed")}
    return Outcome(unpacked(told["result"]), changed=bool(told["changed"]), **texts)
