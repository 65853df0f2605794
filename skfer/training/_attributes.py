"""What objects hold as attributes: taken apart into plain values, and made of them again."""

import hashlib
import logging
import pickle
import random
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from skfer.training._plain import SIMPLE

MISSING: Any = object()
"""Stands where nothing is."""
_STAYS = ("as it is there",)
"""What stands for a value that cannot be taken apart, such as a function or a layer."""
_NO_STATE = (
    *(np.generic, np.ndarray, Tensor, RemovableHandle),
    *(torch.device, torch.dtype, logging.Logger, logging.LoggerAdapter),
)
"""Kinds that are kept, or that tell nothing of what was learned."""
_Rebuild = Callable[[Any, Any, str], Any]


def taken_apart(value: Any) -> Any:
    """Return a value as numbers, text, tensors, lists and dicts; each tuple begins with a kind.

    Parameters
    ----------
    value : object
        What is in it that is none of the kinds of this file is left out.
    """
    try:
        return _apart(value)
    except RecursionError:  # it holds itself
        return _STAYS


def _apart(value: Any) -> Any:
    kind = type(value)
    if kind in SIMPLE:
        return value
    if kind is list:
        return [_apart(item) for item in value]
    if kind is dict and all(type(key) in SIMPLE for key in value):
        return {key: _apart(item) for key, item in value.items()}
    if kind in _KINDS:
        return (_name_of(kind), _KINDS[kind][0](value))
    if isinstance(value, np.generic):
        return ("scalar", _array_apart(np.asarray(value)))
    return _STAYS


def made_again(apart: Any, there: Any, device: str) -> Any:
    """Return the value that was taken apart.

    Parameters
    ----------
    apart : object
        From :func:`taken_apart`.
    there : object
        What is in its place: returned if it is equal, and where a value could not be taken apart.
        Its generators are set, others may draw from them too; all else is made anew.
    device : str
        For tensors that were not on the CPU.

    Raises
    ------
    LookupError
        If nothing is there that is needed.
    """
    if there is not MISSING and is_same(apart, taken_apart(there)):
        return there
    if isinstance(apart, list):
        return _items_again(apart, there, device)
    if isinstance(apart, dict):
        olds = there if type(there) is dict else {}
        return {k: made_again(v, olds.get(k, MISSING), device) for k, v in apart.items()}
    if not isinstance(apart, tuple):
        return apart
    if apart == _STAYS:
        if there is MISSING:
            raise LookupError
        return there
    name, parts = apart
    return _AGAIN[name](parts, there, device)


def is_same(one: Any, other: Any) -> bool:
    """Whether two values that were taken apart are equal."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        kinds = [(tensor.shape, tensor.dtype, tensor.layout) for tensor in (one, other)]
        alike = kinds[0] == kinds[1] and one.layout == torch.strided
        return alike and torch.equal(one.cpu(), other.cpu())
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(v, other[k]) for k, v in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)


def trace_of(value: Any) -> list[bytes]:
    """Return what tells whether that has changed which :func:`taken_apart` leaves out.

    Functions and layers do not count, nor does what cannot be pickled.
    """
    try:
        return _trace_of(value)
    except RecursionError:  # it holds itself
        return []


def _trace_of(value: Any) -> list[bytes]:
    if isinstance(value, list | tuple | set | frozenset | deque):
        return [trace for item in value for trace in _trace_of(item)]
    if isinstance(value, Mapping):
        return _trace_of(list(value.values()))
    is_kept = type(value) in SIMPLE or type(value) in _KINDS or callable(value)
    if is_kept or isinstance(value, _NO_STATE):
        return []
    try:
        return [hashlib.sha256(pickle.dumps(value)).digest()]
    except Exception:  # which one depends on the object
        return []


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _items_again(apart: list[Any], there: Any, device: str) -> list[Any]:
    is_like = type(there) in (list, tuple) and len(there) == len(apart)
    olds = there if is_like else [MISSING] * len(apart)
    return [made_again(item, old, device) for item, old in zip(apart, olds, strict=True)]


def _pairs(value: Mapping[Any, Any]) -> list[Any]:
    return [[_apart(key), _apart(item)] for key, item in value.items()]


def _dict_again(pairs: list[Any], there: Any, device: str) -> dict[Any, Any]:
    olds = there if isinstance(there, Mapping) else {}
    keys = [made_again(key, MISSING, device) for key, _ in pairs]
    return {
        key: made_again(item, olds.get(key, MISSING), device)
        for key, (_, item) in zip(keys, pairs, strict=True)
    }


def _defaultdict_again(pairs: list[Any], there: Any, device: str) -> defaultdict[Any, Any]:
    if not isinstance(there, defaultdict):
        raise LookupError  # what makes its defaults is a function
    return defaultdict(there.default_factory, _dict_again(pairs, there, device))


def _tensor_apart(tensor: Tensor) -> list[Any]:
    learns = tensor.is_leaf and tensor.requires_grad
    return [tensor.detach(), tensor.device.type == "cpu", learns]


def _tensor_again(parts: list[Any], there: Any, device: str) -> Tensor:
    tensor, on_cpu, learns = parts
    return (tensor if on_cpu else tensor.to(device)).requires_grad_(learns)


def _array_apart(array: np.ndarray) -> Any:
    if array.dtype.kind not in "biufcmMSU":
        return _STAYS
    numbers = np.frombuffer(bytearray(array.tobytes()), np.uint8)  # torch lacks some of its dtypes
    flat = torch.from_numpy(numbers) if len(numbers) else torch.empty(0, dtype=torch.uint8)
    return [flat, array.dtype.str, list(array.shape)]


def _array_again(parts: Any, there: Any, device: str) -> Any:
    if parts == _STAYS:
        return made_again(_STAYS, there, device)
    numbers, kind, shape = parts
    return np.frombuffer(bytearray(numbers.numpy().tobytes()), np.dtype(kind)).reshape(shape)


def _torch_generator_again(parts: list[Any], there: Any, device: str) -> torch.Generator:
    state, on_cpu = parts
    is_like = isinstance(there, torch.Generator) and (there.device.type == "cpu") == on_cpu
    generator = there if is_like else torch.Generator("cpu" if on_cpu else device)
    generator.set_state(state)
    return generator


def _numpy_generator_apart(rng: np.random.Generator) -> Any:
    return _apart(rng.bit_generator.state)


def _numpy_generator_again(apart: Any, there: Any, device: str) -> np.random.Generator:
    state = made_again(apart, MISSING, device)
    name = state["bit_generator"]
    is_like = isinstance(there, np.random.Generator) and name == type(there.bit_generator).__name__
    generator = there if is_like else np.random.Generator(getattr(np.random, name)())
    generator.bit_generator.state = state
    return generator


def _random_state_again(apart: Any, there: Any, device: str) -> np.random.RandomState:
    generator = there if isinstance(there, np.random.RandomState) else np.random.RandomState()
    generator.set_state(made_again(apart, MISSING, device))
    return generator


def _random_again(apart: Any, there: Any, device: str) -> random.Random:
    generator = there if isinstance(there, random.Random) else random.Random()
    generator.setstate(made_again(apart, MISSING, device))
    return generator


def _as_list(value: Any) -> list[Any]:
    return [_apart(item) for item in value]


def _in(kind: Callable[[list[Any]], Any]) -> _Rebuild:
    return lambda items, there, device: kind(_items_again(items, there, device))


_KINDS: dict[type, tuple[Callable[[Any], Any], _Rebuild]] = {
    tuple: (_as_list, _in(tuple)),
    set: (_as_list, _in(set)),
    frozenset: (_as_list, _in(frozenset)),
    deque: (
        lambda value: [value.maxlen, _as_list(value)],
        lambda parts, there, device: deque(_items_again(parts[1], MISSING, device), parts[0]),
    ),
    dict: (_pairs, _dict_again),
    OrderedDict: (_pairs, lambda *given: OrderedDict(_dict_again(*given))),
    Counter: (_pairs, lambda *given: Counter(_dict_again(*given))),
    defaultdict: (_pairs, _defaultdict_again),
    SimpleNamespace: (
        lambda value: _pairs(vars(value)),
        lambda pairs, there, device: SimpleNamespace(
            **_dict_again(pairs, getattr(there, "__dict__", {}), device)
        ),
    ),
    Tensor: (_tensor_apart, _tensor_again),
    np.ndarray: (_array_apart, _array_again),
    torch.Generator: (lambda g: [g.get_state(), g.device.type == "cpu"], _torch_generator_again),
    np.random.RandomState: (
        lambda rng: _apart(rng.get_state(legacy=False)),
        _random_state_again,
    ),
    np.random.Generator: (_numpy_generator_apart, _numpy_generator_again),
    random.Random: (lambda rng: _apart(rng.getstate()), _random_again),
}
"""How values of each kind are taken apart, and made again."""
_AGAIN: dict[str, _Rebuild] = {_name_of(kind): again for kind, (_, again) in _KINDS.items()}
_AGAIN["scalar"] = lambda parts, there, device: _array_again(parts, there, device)[()]
