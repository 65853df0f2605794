"""A hash of what a training starts from: parameters, data and the user's own code."""

import os
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from skfer._digest import CONSTANTS, Digest, functions_of
from skfer._typing import NDArray
from skfer.training import ImageSource, PictureSource, RowSource, release_pages
from skfer.training._module_state import OF_TORCH

_HOOKS = sorted(name for name in OF_TORCH if "ward_" in name and "hooks" in name)


class TrainingDigest(Digest):
    """A hash that knows tensors, networks, callbacks and where samples come from."""

    values = (*Digest.values, Tensor, nn.Module, torch.Generator)

    def add(self, value: Any) -> None:
        """Take a value in, with its type."""
        if isinstance(value, ImageSource | RowSource):
            self.word(type(value).__qualname__)
            self.add_array(value.images if isinstance(value, ImageSource) else value.rows)
        else:
            super().add(value)

    def add_array(self, array: NDArray[Any]) -> None:
        """Take in the numbers of an array, of which a memmap then keeps no page."""
        super().add_array(array)
        release_pages(array)

    def add_code(self, kind: type) -> None:
        """Take in what the methods of a class do, if it is the user's.

        Of a callback the constants alone that its functions name: what it counts and collects, also
        on its class, is no part of what it does.
        """
        if issubclass(kind, Callback):
            with self.taking_in(CONSTANTS):
                super().add_code(kind)
        else:
            super().add_code(kind)

    def parts_of(self, value: Any) -> list[Any]:
        """Return what a value consists of."""
        if isinstance(value, PictureSource):
            return [value.shape, *map(_picture, value.items)]
        if isinstance(value, Tensor):
            return _parts_of_tensor(value)
        if isinstance(value, nn.Module):
            return _parts_of_module(value)
        if isinstance(value, torch.Generator):
            return [value.get_state()]
        return super().parts_of(value)

    def written_in(self, kind: type) -> dict[str, Any]:
        """Return the functions and values that a class holds, of a callback the functions alone."""
        if not issubclass(kind, Callback):
            return super().written_in(kind)
        items = sorted(vars(kind).items())
        return {name: functions_of(item) for name, item in items if functions_of(item)}


def _parts_of_tensor(tensor: Tensor) -> list[Any]:
    kind = [str(tensor.dtype), tensor.requires_grad]
    if is_lazy(tensor):  # a parameter that gets its shape in training
        return kind
    flat = tensor.detach().cpu().to_dense().contiguous().flatten()
    # numpy lacks some of torch's dtypes
    return [*kind, tuple(tensor.shape), flat.view(torch.uint8).numpy()]


def _parts_of_module(module: nn.Module) -> list[Any]:
    """Return what a module does and holds: also what its text and its state_dict leave out."""
    if "_orig_mod" in module._modules:  # compiled, by what differs in every process
        return [module._modules["_orig_mod"]]
    state = vars(module)
    # Some modules set their attributes anew when they are copied.
    settings = {name: item for name, item in sorted(state.items()) if name not in OF_TORCH}
    hooks = [list(state.get(name, {}).values()) for name in _HOOKS]  # numbered through a process
    parts = (module._parameters, module._buffers, module._modules)
    return [type(module), settings, hooks, *(dict(part.items()) for part in parts)]


def _picture(item: Any) -> Any:
    """Return what tells whether a picture has changed, without reading a file."""
    if not isinstance(item, str | bytes | os.PathLike):
        return np.asarray(item)
    try:
        status = os.stat(item)
    except OSError:
        return os.fsdecode(item)
    return [os.fsdecode(item), status.st_size, status.st_mtime_ns]
