"""Columns and rows of arrays, without conversions that lose something in silence."""

from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any

import numpy as np
from sklearn.utils import check_array

from skfer._typing import NDArray
from skfer.exceptions import shorten
from skfer.validation._messages import refusal, shown

# The largest integer up to which a float tells all apart.
_EXACT = 2**53


def as_column(values: Any, name: str) -> NDArray[Any]:
    """Return values as a one-dimensional array in which different values stay different.

    Parameters
    ----------
    values : array-like of shape (n,) or (n, 1)
        An array, a tensor, a Series or a sequence.
    name : str
        The argument.

    Returns
    -------
    column : ndarray of shape (n,)
        Of the type of an array; of a sequence that numpy would change (1 beside "1", None beside
        a word, integers that no float holds) an array of objects. Members of an enumeration of
        words are the words that they equal, and words of numpy's ``StringDType`` objects.

    Raises
    ------
    ArgumentError
        If it is no column.

    Examples
    --------
    >>> from skfer.validation import as_column
    >>> as_column([1, "1"], "groups")
    array([1, '1'], dtype=object)
    """
    if isinstance(values, np.ma.MaskedArray):
        values = np.array(values.tolist(), dtype=object)
    elif not hasattr(values, "dtype") and not hasattr(values, "__array__"):
        values = _plain_words(values)
        values = _as_objects(values, name) if _would_change(values) else values
    elif _has_gaps_among_integers(values):
        values = values.astype(object)  # which numpy would make floats of
    try:
        column = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise refusal(
            name, "cannot be read as an array ({}): give one value a row.", str(error)
        ) from error
    if column.dtype.kind == "T":  # which only few functions of numpy take
        column = column.astype(object)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column.ravel()
    if column.ndim != 1:
        raise refusal(
            name,
            "must be one-dimensional, with one value for each sample, got {}.",
            shown(column if column.ndim else values),
        )
    if column.dtype.kind == "O" and any(map(_is_member, set(map(type, column.tolist())))):
        column = _as_objects(_plain_words(column.tolist()), name)
    return column


def word_of(label: Any) -> str:
    """Return the text of a label; of a member of an enumeration of words, the word.

    Parameters
    ----------
    label : object
        A word, a number, or whatever else is a label.

    Returns
    -------
    word : str
        What compares equal to a word, whatever its class has as ``__str__``.

    Examples
    --------
    >>> from enum import Enum
    >>> from skfer.validation._arrays import word_of
    >>> class Emotion(str, Enum):
    ...     JOY = "joy"
    >>> word_of(Emotion.JOY), str(Emotion.JOY), word_of(3)
    ('joy', 'Emotion.JOY', '3')
    """
    return str.__str__(label) if isinstance(label, str) else str(label)


def _is_member(kind: type) -> bool:
    """Whether values of a class equal words, but have a text of their own, by which numpy goes."""
    return issubclass(kind, str) and kind not in (str, np.str_)


def _plain_words(values: Any) -> Any:
    """Return a sequence with words in the place of members of enumerations of words."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence):
        return values
    values = values if isinstance(values, list | tuple | range) else list(values)
    if any(map(_is_member, set(map(type, values)))):
        return [word_of(value) if _is_member(type(value)) else value for value in values]
    return values


def _has_gaps_among_integers(values: Any) -> bool:
    """Whether values are a column of pandas, of integers some of which are missing."""
    dtype = getattr(values, "dtype", None)
    is_of_pandas = not isinstance(dtype, np.dtype) and hasattr(values, "isna")
    return is_of_pandas and getattr(dtype, "kind", "") in tuple("iu") and bool(values.isna().any())


def as_array(values: Any, name: str, dtype: Any = None) -> NDArray[Any]:
    """Return values as an array.

    Parameters
    ----------
    values : array-like
        What was given.
    name : str
        The argument.
    dtype : dtype, default=None
        Of what type it is to be; by default that of the values.

    Returns
    -------
    array : ndarray
        The values, copied only if they must be.

    Raises
    ------
    ArgumentError
        If numpy makes no such array of them.

    Examples
    --------
    >>> from skfer.validation import as_array
    >>> as_array([[1], [2]], "box", float).shape
    (2, 1)
    """
    try:
        return np.asarray(values, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as error:
        what = "an array" if dtype is None else "an array of numbers"
        text = "must be {}, got {}: {}."
        raise refusal(name, text, what, shown(values), str(error).rstrip(".")) from error


def as_list(values: Any, name: str, what: str = "values") -> list[Any]:
    """Return what an array, a sequence, a set or an iterator holds.

    Parameters
    ----------
    values : iterable
        A word is none, nor are bytes and mappings.
    name : str
        The argument.
    what : str, default="values"
        What it holds, for the message.

    Returns
    -------
    values : list
        Of an array its rows.

    Raises
    ------
    ArgumentError
        If it is one value instead of several.

    Examples
    --------
    >>> from skfer.validation import as_list
    >>> as_list(("joy", "fear"), "classes", "names")
    ['joy', 'fear']
    """
    several = isinstance(values, Iterable) and getattr(values, "ndim", 1) > 0
    if not several or isinstance(values, str | bytes | Mapping):
        raise refusal(name, "must be a list of {}, got {}.", what, shown(values))
    return list(values)


def check_rows(rows: Any, name: str, **options: Any) -> NDArray[Any]:
    """Return a table of finite numbers, by `sklearn.utils.check_array`.

    Parameters
    ----------
    rows : array-like of shape (n_samples, n_features)
        What was given.
    name : str
        The argument.
    **options : dict
        Passed to `check_array`. By default float32 and float64 stay what they are, and all else
        becomes float64.

    Returns
    -------
    rows : ndarray of shape (n_samples, n_features)
        The table.

    Raises
    ------
    ArgumentError
        If it is no such table; the message names the argument.
    """
    if isinstance(rows, str | bytes) or not hasattr(rows, "__len__"):
        raise refusal(
            name, "must be an array of shape (n_samples, n_features), got {}.", shown(rows)
        )
    options = {"dtype": (np.float64, np.float32), "input_name": name} | options
    try:
        return check_array(rows, **options)
    except (TypeError, ValueError, OverflowError) as error:
        # Only the first sentence: scikit-learn's goes on with the whole array.
        said = str(error).split("\n")[0].removesuffix("instead:").strip().rstrip(".")
        raise refusal(
            name,
            "must be an array of shape (n_samples, n_features) of finite numbers: {}.",
            shorten(said),
        ) from error


def check_same_length(**columns: Any) -> int:
    """Raise unless all columns have one entry for each row of the first.

    Parameters
    ----------
    **columns : dict of str to array-like
        The arguments by their names; None is left out.

    Returns
    -------
    n_samples : int
        The common length.

    Raises
    ------
    ArgumentError
        About the first argument of another length.

    Examples
    --------
    >>> from skfer.validation import check_same_length
    >>> check_same_length(X=[[0], [1]], y=[0, 1], groups=None)
    2
    """
    (first, rows), *others = columns.items()
    n_samples = _length(rows, first)
    for name, values in others:
        if values is not None and _length(values, name) != n_samples:
            raise refusal(
                name,
                "has {} entries but {} has {} rows: pass one entry for each row.",
                _length(values, name),
                first,
                n_samples,
            )
    return n_samples


def _length(values: Any, name: str) -> int:
    shape = getattr(values, "shape", None)
    if shape and isinstance(shape[0], int):
        return shape[0]
    if shape == () or isinstance(values, str | bytes) or not isinstance(values, Sized):
        raise refusal(name, "must have one entry for each sample, got {}.", shown(values))
    return len(values)


def _would_change(values: Any) -> bool:
    """Whether numpy makes other values of those in a sequence, for want of a common type."""
    if not isinstance(values, list | tuple | range):
        return not isinstance(values, Sized) or isinstance(values, str | bytes | dict | set)
    kinds = set(map(type, values))
    if len(kinds) > 1 and any(issubclass(kind, str | bytes) for kind in kinds):
        return not all(issubclass(kind, str) for kind in kinds)
    return any(issubclass(kind, int) for kind in kinds) and any(
        isinstance(value, int) and abs(value) > _EXACT for value in values
    )


def _as_objects(values: Any, name: str) -> NDArray[Any]:
    if not isinstance(values, list | tuple | range):
        raise refusal(
            name,
            "must be an array or a list, with one value for each sample, got {}.",
            shown(values),
        )
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
