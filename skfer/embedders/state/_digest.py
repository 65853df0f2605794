"""A hash of what a training starts from: parameters, data and the user's own code."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from skorch.callbacks import Callback
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils.hooks import RemovableHandle

from skfer._digest import CONSTANTS, Digest, told_of_file, told_with_files
from skfer._typing import NDArray
from skfer.pictures import PATH, PICTURE
from skfer.training import ImageSource, PictureSource, RowSource, release_pages
from skfer.training._module_state import OF_TORCH

_FILES = ("backbone_weights", "model_file", "predictor_file")
"""Parameters that name a file: of embedders, and of the detectors before them."""
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

        Of a callback the constants alone that its functions name and its class holds: what it
        counts and collects, also on its class, is no part of what it does.
        """
        if issubclass(kind, Callback):
            with self.taking_in(CONSTANTS):
                super().add_code(kind)
        else:
            super().add_code(kind)

    def parts_of(self, value: Any) -> list[Any]:
        """Return what a value consists of."""
        if isinstance(value, PictureSource):
            return [value.shape, *map(told_of_picture, value.items)]
        if isinstance(value, Tensor):
            return _parts_of_tensor(value)
        if isinstance(value, nn.Module):
            return _parts_of_module(value)
        if isinstance(value, torch.Generator):
            return [value.get_state()]
        if isinstance(value, Mapping):
            value = told_with_files(value, _FILES)
        return super().parts_of(value)


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
    # Some modules set their attributes anew when they are copied. Hooks, and what removes them, are
    # numbered through a process.
    settings = {
        name: item
        for name, item in sorted(state.items())
        if name not in OF_TORCH and not isinstance(item, RemovableHandle)
    }
    hooks = [list(state.get(name, {}).values()) for name in _HOOKS]
    parts = (module._parameters, module._buffers, module._modules)
    return [type(module), settings, hooks, *(dict(part.items()) for part in parts)]


def told_of_picture(item: Any) -> Any:
    """Return what tells whether a picture has changed, without reading a file."""
    if isinstance(item, PATH):
        return told_of_file(item)
    return np.asarray(item) if isinstance(item, PICTURE) else item


def parameters_of(estimator: BaseEstimator) -> dict[str, Any]:
    """Return parameters, with what tells whether the files that they name have changed."""
    # Of a detector any, which it reads; another estimator may write to a file, such as a log.
    names = None if hasattr(estimator, "fingerprint") else _FILES
    return told_with_files(estimator.get_params(deep=False), names)
