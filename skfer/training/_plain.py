"""Values of a training as what ``torch.load(weights_only=True)`` reads, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_SIMPLE = (bool, int, float, str, type(None))


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
    if type(value) in _SIMPLE:
        return value
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "uifb":
        return torch.from_numpy(np.array(value))
    if type(value) in (list, tuple):
        return type(value)(map(plain, value))
    if type(value) is dict:
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


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Return all parameters and buffers by name, those that state_dict leaves out too."""
    return dict([*module.named_parameters(), *module.named_buffers()])


@torch.no_grad()
def set_tensors(module: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Set parameters and buffers in place; buffers may have another shape than before.

    Parameters
    ----------
    module : nn.Module
        It keeps its device and the layout of its weights.
    values : dict of str to Tensor
        From :func:`tensors_of` of a module that was made in the same way.
    """
    own = tensors_of(module)
    for name, value in values.items():
        if name in own and own[name].shape == value.shape:
            own[name].copy_(value)
            continue
        room, _, short = name.rpartition(".")
        like = next(iter(own.values()), value)
        module.get_submodule(room)._buffers[short] = value.to(like.device)


def numbers_of(module: nn.Module) -> dict[str, dict[str, float]]:
    """Return the numbers that each module has as attributes, such as a count of its calls."""
    return {
        name: {
            key: value
            for key, value in vars(part).items()
            if type(value) in (bool, int, float) and key != "training"
        }
        for name, part in module.named_modules()
    }


def set_numbers(module: nn.Module, values: Mapping[str, Mapping[str, float]]) -> None:
    """Set them to what :func:`numbers_of` returned of a module that was made in the same way."""
    for name, numbers in values.items():
        vars(module.get_submodule(name)).update(numbers)


def generator_state(rng: np.random.RandomState) -> dict[str, Any]:
    """Return the state of one of numpy's generators as plain values."""
    _, key, position, has_gauss, gauss = rng.get_state()
    numbers = torch.from_numpy(np.asarray(key).astype(np.int64))
    return {"key": numbers, "position": position, "has_gauss": has_gauss, "gauss": gauss}


def set_generator(rng: np.random.RandomState, state: Mapping[str, Any]) -> None:
    """Set one of numpy's generators to a state of :func:`generator_state`."""
    key = state["key"].numpy().astype(np.uint32)
    rng.set_state(("MT19937", key, state["position"], state["has_gauss"], state["gauss"]))
