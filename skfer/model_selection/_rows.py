"""Some rows of a Bunch: of all columns, whatever they are called."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from skfer._typing import NDArray

_COLUMNS = ("images", "target", "groups", "filenames", "split", "subgroup")
"""What may be a list with an entry for each image."""


def rows_of(bunch: Mapping[str, Any], kept: NDArray[np.intp], n_images: int) -> dict[str, Any]:
    """Return some rows of all columns of a bunch, and the rest of it as it is.

    Parameters
    ----------
    bunch : mapping
        Columns have an entry for each image: arrays of that length whose name does not end in
        "_names", and lists of known names.
    kept : ndarray of int
        Which rows.
    n_images : int
        How many there are in all.
    """
    left = {
        name: _taken(value, kept) if _is_column(name, value, n_images) else value
        for name, value in bunch.items()
    }
    if left.get("frame") is not None:
        left["frame"] = left["frame"].iloc[kept].reset_index(drop=True)
    return left


def _is_column(name: str, value: Any, n_images: int) -> bool:
    """Whether a value of a bunch has an entry for each image."""
    is_array = (hasattr(value, "dtype") or hasattr(value, "iloc")) and np.ndim(value) > 0
    # What another list of this length is of, nobody knows.
    is_sequence = is_array or (name in _COLUMNS and isinstance(value, list | tuple))
    stays = name == "frame" or name.endswith("_names")
    return is_sequence and len(value) == n_images and not stays


def _taken(column: Any, kept: NDArray[np.intp]) -> Any:
    """Return the entries of a column in some places."""
    if isinstance(column, list | tuple):
        return type(column)(column[i] for i in kept)
    return column.iloc[kept] if hasattr(column, "iloc") else column[kept]
