"""What a pickled embedder holds."""

import copy
import io
import pickle
import warnings
from pathlib import PurePath
from typing import Any

from sklearn.base import BaseEstimator
from skorch import NeuralNet
from torch import Tensor, nn

from skfer.training import on_cpu

_MOST_OF_CALLBACKS = 2**20
"""Bytes that callbacks may take: parameters take less, data that they watched more."""


def portable(value: Any, copies: dict[int, Any] | None = None) -> Any:
    """Return a value for a pickle that loads on any machine.

    Modules and tensors in it, or in its dicts, lists and tuples, are copied to the CPU; a module
    that occurs twice is one module in the copy too. A path is text, since another system has other
    classes for it. All else is as it is.
    """
    copies = {} if copies is None else copies
    if isinstance(value, nn.Module | Tensor):
        if id(value) not in copies:
            copies[id(value)] = on_cpu(value) if isinstance(value, nn.Module) else value.cpu()
        return copies[id(value)]
    if isinstance(value, PurePath):
        return str(value)
    if type(value) is dict:
        return {name: portable(item, copies) for name, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(portable(item, copies) for item in value)
    return value


class _CallbackPickler(pickle.Pickler):
    """Refuses what callbacks have kept of a training: a pickle would have it a second time."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, nn.Module | NeuralNet | BaseEstimator):
            raise pickle.PicklingError(f"it holds a {type(obj).__name__}")
        return NotImplemented


class CallbacksApart:
    """Callbacks in the state of an embedder, in a pickle of their own.

    They may hold an open file, or come from code that another machine lacks: an embedder is to be
    pickled and loaded nevertheless. A copy has copies of them, or themselves where they cannot be
    copied.

    Parameters
    ----------
    callbacks : list
        The parameter of the embedder.
    name : str
        The embedder, for the warning where they do not load.
    """

    def __init__(self, callbacks: list[Any], name: str) -> None:
        self.callbacks = callbacks
        self.name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return _loaded, (_pickled(self.callbacks), self.name)

    def __deepcopy__(self, memo: dict[int, Any]) -> "CallbacksApart":
        try:
            return CallbacksApart(copy.deepcopy(self.callbacks, memo), self.name)
        except Exception:  # whatever the code of a user raises
            return CallbacksApart(list(self.callbacks), self.name)


def _pickled(callbacks: list[Any]) -> bytes | str:
    """Return a pickle of callbacks, or why there is none, "" where that is nothing to tell."""
    buffer = io.BytesIO()
    try:
        _CallbackPickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(callbacks)
    except Exception as error:  # whatever the code of a user raises
        if any(type(callback).__module__ == "__main__" for callback in callbacks):
            return ""  # a worker process has no class of a script or notebook: it is as before
        return f"they could not be pickled: {error}"
    if buffer.tell() > _MOST_OF_CALLBACKS:
        return f"they are {buffer.tell():,} bytes, as if they held data, and were not pickled"
    return buffer.getvalue()


def _loaded(data: bytes | str, name: str) -> list[Any] | None:
    """Return callbacks from their pickle; None, with a warning, where they do not load."""
    if not data:
        return None
    if isinstance(data, str):
        why = data
    else:
        try:
            return pickle.loads(data)
        except Exception as error:
            why = f"they cannot be loaded: {error}"
    warnings.warn(
        f"This {name} comes without its callbacks, since {why}. It embeds as before; set "
        "callbacks before another fit that needs them.",
        UserWarning,
        stacklevel=2,
    )
    return None
