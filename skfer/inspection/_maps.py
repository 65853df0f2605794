"""Maps over faces, and the parts of faces, as a caller gives them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError
from skfer.validation import as_array


def check_maps(maps: Any) -> NDArray[Any]:
    """Return maps as the network gives them, in single precision, or else in double."""
    single = getattr(maps, "dtype", None) == np.float32
    values = as_array(maps, "maps", np.float32 if single else np.float64)
    if values.ndim != 3 or 0 in values.shape or not np.isfinite(values).all() or values.min() < 0:
        raise ArgumentError(
            "{maps} must be finite, not below 0, and of shape (n, height, width), got shape {}.",
            values.shape,
        )
    return values


def check_parts(parts: Any, part_names: Any, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return the number of the part that each pixel of maps of a shape belongs to."""
    values = as_array(parts, "parts")
    if values.shape != shape or values.dtype.kind not in "biu":
        raise ArgumentError(
            "{parts} must have a part's number for each pixel of the maps, shape {}; got shape {}.",
            shape,
            values.shape,
        )
    several = isinstance(part_names, Sequence) or getattr(part_names, "ndim", 0) == 1
    if not several or values.min() < 0 or values.max() >= len(part_names):
        raise ArgumentError("{part_names} must name each number in {parts}.")
    return values.astype(np.intp)
