"""What sets two results apart, in words: numbers, tensors and arrays, texts, and lists, tuples and dicts of them."""

import numbers
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn


def difference(got, wanted, tolerance: float = 0.0, exact_dtype: bool = False) -> str | None:
    """How `got` differs from `wanted`, in words that do not give `wanted` away; None where they agree.

    Tensors, arrays, numbers, text, modules (by their states), dataclasses, and lists, tuples and mappings of these.
    Numbers may differ by `tolerance`, times the number where it is above 1; whole ones in tensors by `tolerance` alone.
    """
    if _is_number(wanted):
        return _number_differs(got, wanted, tolerance)
    if isinstance(wanted, (torch.Tensor, np.ndarray)):
        return _array_differs(got, wanted, tolerance, exact_dtype)
    if isinstance(wanted, nn.Module) and isinstance(got, nn.Module):
        return difference(list(got.state_dict().values()), list(wanted.state_dict().values()), tolerance, exact_dtype)
    if isinstance(wanted, Mapping):
        if not isinstance(got, Mapping):
            return _instead(got, wanted)
        if set(got) != set(wanted):
            return f"{len(got)} keys that are not those asked for"
        return _first(((f"{key!r}", got[key], wanted[key]) for key in wanted), tolerance, exact_dtype)
    if isinstance(wanted, (list, tuple)):
        if isinstance(got, (torch.Tensor, np.ndarray)):
            got = got.tolist()
        if not isinstance(got, (list, tuple)):
            return _instead(got, wanted)
        if len(got) != len(wanted):
            return f"{len(got)} elements instead of {len(wanted)}"
        return _first(
            ((f"element {i}", *pair) for i, pair in enumerate(zip(got, wanted, strict=True))), tolerance, exact_dtype
        )
    if type(got) is not type(wanted):
        return _instead(got, wanted)
    if isinstance(wanted, (str, bytes, set, frozenset)):
        return None if got == wanted else f"{_short(got)}, which is not it"
    return difference(vars(got), vars(wanted), tolerance, exact_dtype) if hasattr(wanted, "__dict__") else None


def _first(parts, tolerance, exact_dtype) -> str | None:
    for name, got, wanted in parts:
        words = difference(got, wanted, tolerance, exact_dtype)
        if words:
            return f"{words} (in {name})" if "(in " not in words else words
    return None


def _is_number(value) -> bool:
    return isinstance(value, (bool, numbers.Number, np.generic)) or getattr(value, "shape", None) == ()


def _number_differs(got, wanted, tolerance) -> str | None:
    if not _is_number(got):
        return _instead(got, wanted)
    got, wanted = (value.item() if hasattr(value, "item") else value for value in (got, wanted))
    if isinstance(wanted, bool) != isinstance(got, bool):
        return _instead(got, wanted)
    if isinstance(wanted, bool):
        return None if got == wanted else f"{got}, which is not it"
    if got == wanted or abs(got - wanted) <= tolerance * max(1, abs(wanted)) or (got != got and wanted != wanted):
        return None
    size = "not a number" if got != got else "too large" if got > wanted else "too small"
    return f"{_short(got)}, which is {size}"


def _array_differs(got, wanted, tolerance, exact_dtype) -> str | None:
    if type(got).__name__ == "Parameter":
        got = got.data
    if not isinstance(got, type(wanted)) and not isinstance(wanted, type(got)):
        return _instead(got, wanted)
    if list(got.shape) != list(wanted.shape):
        return f"shape {list(got.shape)} instead of {list(wanted.shape)}"
    got, wanted = (torch.as_tensor(value).detach() for value in (got, wanted))
    if _kind(got) != _kind(wanted) or (exact_dtype and got.dtype != wanted.dtype):
        return f"{got.dtype} values instead of {wanted.dtype}".replace("torch.", "")
    whole, got, wanted = _kind(wanted) == "whole", got.double(), wanted.double()
    close = (got - wanted).abs() <= tolerance * (1 if whole else wanted.abs().clamp(min=1))
    close |= (got == wanted) | (got.isnan() & wanted.isnan())
    if close.all():
        return None
    strange = got.isnan() & ~wanted.isnan()
    if strange.any():
        return f"nan (not a number) in {int(strange.sum())} of {got.numel()} values"
    largest = (got - wanted)[~close].abs().max().item()
    return f"other values in {int((~close).sum())} of {got.numel()} places; the largest difference is {largest:.2g}"


def _kind(tensor) -> str:
    return "floating" if tensor.is_floating_point() else "bool" if tensor.dtype == torch.bool else "whole"


def _instead(got, wanted) -> str:
    what = "nothing (None: is there a return?)" if got is None else f"a value of type {type(got).__name__}"
    if type(got) is type(wanted) and hasattr(got, "shape"):
        return f"shape {list(got.shape)} instead of {list(wanted.shape)}"
    return f"{what} instead of one of type {type(wanted).__name__}"


def _short(value) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 40 else text[:37] + "…"
