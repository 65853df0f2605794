"""Which file a fit is kept in: one for each combination of parameters and data."""

import functools
import hashlib
import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skfer._typing import NDArray
from skfer._version import __version__
from skfer.exceptions import ArgumentError
from skfer.training import Checkpoint, ImageSource, PictureSource, RowSource, release_pages

_CHUNK_BYTES = 2**24
_OF_TORCH = frozenset(vars(nn.Module()))
_NO_MATTER = ("checkpoint", "verbose", "on_error")
"""Parameters that change nothing of what is learned."""


def open_checkpoint(
    folder: str | os.PathLike[str],
    name: str,
    parameters: Mapping[str, Any],
    data: Mapping[str, Any],
    random_state: np.random.RandomState,
) -> Checkpoint:
    """Return the checkpoint of one fit.

    Parameters
    ----------
    folder : path-like
        The ``checkpoint`` parameter.
    name : str
        Of the embedder's class.
    parameters : mapping
        All parameters of the embedder.
    data : mapping
        What else the result depends on: inputs, codes, classes, the present weights.
    random_state : RandomState
        Of the fit; nothing has been drawn from it yet.

    Raises
    ------
    ArgumentError
        If there is a file in the place of the folder, or `random_state` is None, so that no two
        fits are the same.
    """
    if parameters["random_state"] is None:
        raise ArgumentError(
            "{checkpoint} needs a {random_state}, such as 0: with {random_state=None} every fit is "
            "another one, and none can go on.",
            random_state=None,
        )
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise ArgumentError(
            "{checkpoint=} is a file: give a folder, in which each fit has a file of its own.",
            checkpoint=str(folder),
        )
    matters = {key: value for key, value in parameters.items() if key not in _NO_MATTER}
    # A callback may say that it changes nothing.
    matters["callbacks"] = [
        callback
        for callback in parameters["callbacks"] or []
        if not getattr(callback, "only_watches", False)
    ]
    digest = _Digest()
    digest.add({"parameters": matters, "data": dict(data), "generator": random_state})
    path = Path(folder) / f"{name}-{digest.hexdigest()}.ckpt"
    return Checkpoint(path, {"skfer": __version__, "torch": str(torch.__version__)}, random_state)


class _Digest:
    """A hash of parameters and data that is the same in every process."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=12)
        self._within: list[Any] = []  # what is being taken in: an object may hold itself

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def add(self, value: Any) -> None:
        """Take a value in, with its type, so that 1 and "1" and [1] differ."""
        self._word(type(value).__qualname__)
        if isinstance(value, np.ndarray) and value.dtype.kind != "O":
            self._add_array(value)
        elif isinstance(value, Tensor):
            flat = value.detach().cpu().contiguous().flatten()  # numpy lacks some of torch's dtypes
            self._word(f"{value.dtype} {tuple(value.shape)}")
            self._add_array(flat.view(torch.uint8).numpy())
        elif isinstance(value, ImageSource | RowSource):
            self._add_array(value.images if isinstance(value, ImageSource) else value.rows)
        elif not any(value is outer for outer in self._within):
            self._within.append(value)
            for part in _parts(value):
                if isinstance(part, bytes):
                    self._hash.update(part)
                else:
                    self.add(part)
            self._within.pop()
            self._word("end")

    def _word(self, text: str) -> None:
        self._hash.update(f"{len(text)}:{text}".encode())

    def _add_array(self, array: NDArray[Any]) -> None:
        self._word(f"{array.dtype.str} {array.shape}")
        n_rows = max(1, _CHUNK_BYTES * len(array) // max(1, array.nbytes)) if array.ndim else 1
        for start in range(0, len(array) if array.ndim else 1, n_rows):
            rows = array[start : start + n_rows] if array.ndim else array
            self._hash.update(np.ascontiguousarray(rows).tobytes())
        release_pages(array)


def _parts(value: Any) -> list[Any]:
    """Return what a value consists of: bytes, or values that are taken in one by one."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | os.PathLike):
        return [repr(value).encode()]
    if isinstance(value, np.generic):
        return [np.asarray(value)]
    if isinstance(value, Mapping):
        return [part for item in value.items() for part in item]
    if isinstance(value, list | tuple | np.ndarray):
        return list(value)
    if isinstance(value, PictureSource):
        return [value.shape, *map(_picture, value.items)]
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if isinstance(value, np.random.RandomState):
        return list(value.get_state())
    if isinstance(value, nn.Module):
        # Settings too, which the text of a module may leave out, such as the margin of a loss.
        own = {name: item for name, item in vars(value).items() if name not in _OF_TORCH}
        return [str(value), own, dict(value.state_dict()), *value.children()]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return [value.__qualname__, value.__code__, value.__defaults__, value.__kwdefaults__, cells]
    if isinstance(value, CodeType):
        return [value.co_code, value.co_names, value.co_consts]
    if isinstance(value, type) or not hasattr(value, "__dict__"):
        return [f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value)}"]
    if hasattr(value, "get_params"):
        # Of a callback its parameters alone: it may hold anything of an earlier training.
        names = inspect.signature(type(value)).parameters
        return [{name: getattr(value, name) for name in names if hasattr(value, name)}]
    return [vars(value)]


def _picture(item: Any) -> Any:
    """Return what tells whether a picture has changed, without reading a file."""
    if not isinstance(item, str | bytes | os.PathLike):
        return np.asarray(item)
    try:
        status = os.stat(item)
    except OSError:
        return os.fsdecode(item)
    return [os.fsdecode(item), status.st_size, status.st_mtime_ns]
