"""A hash of what a training starts from: parameters, data and the user's own code."""

import os
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import Tensor, nn

from skfer._digest import Digest, functions_of
from skfer._typing import NDArray
from skfer.training import ImageSource, PictureSource, RowSource, release_pages

_OF_TORCH = frozenset(vars(nn.Module()))


class TrainingDigest(Digest):
    """A hash that knows tensors, networks, callbacks and where samples come from."""

    plain = (*Digest.plain, Tensor)

    def add(self, value: Any) -> None:
        """Take a value in, with its type."""
        if isinstance(value, Tensor):
            flat = value.detach().cpu().contiguous().flatten()  # numpy lacks some of torch's dtypes
            self.word(f"{type(value).__qualname__} {value.dtype} {tuple(value.shape)}")
            self.add_array(flat.view(torch.uint8).numpy())
        elif isinstance(value, ImageSource | RowSource):
            self.word(type(value).__qualname__)
            self.add_array(value.images if isinstance(value, ImageSource) else value.rows)
        else:
            super().add(value)

    def add_array(self, array: NDArray[Any]) -> None:
        """Take in the numbers of an array, of which a memmap then keeps no page."""
        super().add_array(array)
        release_pages(array)

    def parts_of(self, value: Any) -> list[Any]:
        """Return what a value consists of."""
        if isinstance(value, PictureSource):
            return [value.shape, *map(_picture, value.items)]
        if isinstance(value, nn.Module):
            # Settings too, which the text of a module may leave out, such as the margin of a loss.
            own = {name: item for name, item in vars(value).items() if name not in _OF_TORCH}
            return [str(value), own, dict(value.state_dict()), *value.children()]
        return super().parts_of(value)

    def written_in(self, kind: type) -> dict[str, Any]:
        """Return the functions and plain values that a class holds.

        Of a callback the text of its functions alone: what they count and collect is no part of it.
        """
        if not issubclass(kind, Callback):
            return super().written_in(kind)
        items = sorted(vars(kind).items())
        return {name: [f.__code__ for f in functions_of(item)] for name, item in items}


def _picture(item: Any) -> Any:
    """Return what tells whether a picture has changed, without reading a file."""
    if not isinstance(item, str | bytes | os.PathLike):
        return np.asarray(item)
    try:
        status = os.stat(item)
    except OSError:
        return os.fsdecode(item)
    return [os.fsdecode(item), status.st_size, status.st_mtime_ns]
