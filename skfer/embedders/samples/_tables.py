"""Checks rows of numbers, and tells what stands in them instead."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError, shorten
from skfer.pictures import PICTURE
from skfer.validation import shown

_LONGEST = 1000


def check_table(estimator: BaseEstimator, X: Any, *, reset: bool) -> NDArray[Any]:
    """Return a table of finite numbers, and take note of its columns or compare them.

    Raises
    ------
    ArgumentError
        If there are words, paths or times in it.
    ValueError
        What else scikit-learn finds.
    """
    try:
        table = validate_data(estimator, X, reset=reset, dtype="numeric")
        if table.dtype == object:  # what scikit-learn makes of columns of categories
            table = check_array(table, dtype=np.float64, input_name="X")
    except ValueError as error:
        _refuse_words(X, error)
        if len(str(error)) > _LONGEST:  # it has the whole array in it
            raise ValueError(shorten(str(error), _LONGEST)) from None
        raise
    if table.dtype.kind in "mM":
        raise ArgumentError("{X} must hold numbers, got times, of dtype {}.", table.dtype)
    return table


def _refuse_words(X: Any, error: ValueError) -> None:
    """Raise an error that names the column, if there are words or paths in a table."""
    if getattr(X, "ndim", 0) != 2 or 0 in X.shape:
        return
    first = np.asarray(X[:1], dtype=object)[0].tolist()
    for i, value in enumerate(first):
        if isinstance(value, PICTURE):
            name = shown(X.columns[i]) if hasattr(X, "columns") else i
            raise ArgumentError(
                "{X} is a table whose column {} has {}: give columns of numbers, or the one column "
                "of paths alone.",
                name,
                shown(value),
            ) from error
