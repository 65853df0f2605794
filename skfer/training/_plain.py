"""Values of a training as what ``torch.load(weights_only=True)`` reads, and back."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

SIMPLE = (bool, int, float, str, type(None))


def plain(value: Any) -> Any:
    """Return a value as tensors, numbers, text, lists and dicts.

    Parameters
    ----------
    value : object
        Arrays become tensors, and numbers of numpy those of Python.

    Raises
    ------
    TypeError
        If it holds something else.
    """
    if type(value) in SIMPLE:
        return value
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "uifb":
        return torch.from_numpy(np.array(value))
    if type(value) in (list, tuple):
        return type(value)(map(plain, value))
    if type(value) in (dict, OrderedDict):
        return {key: plain(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} is no plain value.")


def plain_items(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those items of a mapping that are plain values."""
    found = {}
    for name, value in values.items():
        try:
            found[name] = plain(value)
        except TypeError:
            continue
    return found


def generator_state(rng: np.random.RandomState) -> dict[str, Any]:
    """Return the state of one of numpy's generators as plain values."""
    _, key, position, has_gauss, gauss = rng.get_state()
    numbers = torch.from_numpy(np.asarray(key).astype(np.int64))
    return {"key": numbers, "position": position, "has_gauss": has_gauss, "gauss": gauss}


def set_generator(rng: np.random.RandomState, state: Mapping[str, Any]) -> None:
    """Set one of numpy's generators to a state of :func:`generator_state`."""
    key = state["key"].numpy().astype(np.uint32)
    rng.set_state(("MT19937", key, state["position"], state["has_gauss"], state["gauss"]))
