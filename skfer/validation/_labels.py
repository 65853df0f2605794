"""Columns of labels and groups: one kind of value, and one mark of what has none."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skfer._typing import NDArray
from skfer.validation._arrays import as_column
from skfer.validation._marks import mark_mask, missing_mask
from skfer.validation._messages import refusal, shown

# Below this, two columns of integers or floats have a common type that holds both exactly.
_EXACT = 2**53


def check_labels(
    labels: Any,
    name: str = "y",
    *,
    n_samples: int | None = None,
    rows_name: str = "X",
    allow_unlabeled: bool = False,
    hint: str = "Leave such samples out.",
) -> NDArray[Any]:
    """Return a column of labels of one kind.

    Parameters
    ----------
    labels : array-like of shape (n,)
        Numbers, words, or anything else that can be compared.
    name : str, default="y"
        The argument.
    n_samples : int, default=None
        How many there must be; None for any number.
    rows_name : str, default="X"
        What has so many rows, for the message.
    allow_unlabeled : bool, default=False
        Whether samples may be unlabeled (see `unlabeled_mask`).
    hint : str, default="Leave such samples out."
        What to do about unlabeled samples where they are not allowed.

    Returns
    -------
    labels : ndarray of shape (n,)
        The column as it was given, with its marks of unlabeled samples.

    Raises
    ------
    ArgumentError
        If it is no column of labels of one kind, of another length, or has unlabeled samples that
        are not allowed.
    """
    column = _checked_column(labels, name, n_samples, rows_name)
    unlabeled = unlabeled_mask(column)
    _check_one_kind(name, column[~unlabeled])
    if unlabeled.any() and not allow_unlabeled:
        row = np.flatnonzero(unlabeled)[0]
        raise refusal(
            name,
            "has no label for {} samples, such as {} for sample {}. {}",
            unlabeled.sum(),
            shown(column[row]),
            row,
            hint,
        )
    return column


_APART = "All of them would count as one person: leave them out, or give each an id of its own."
_IF_A_NAME = 'That is what tables have where nothing is known: write "Na" if it is a name.'


def check_groups(
    groups: Any,
    name: str = "groups",
    *,
    n_samples: int | None = None,
    rows_name: str = "X",
    allow_missing: bool = False,
) -> NDArray[Any]:
    """Return a column of groups (subjects, sequences) of one kind.

    Parameters
    ----------
    groups : array-like of shape (n,)
        Ids: numbers or words.
    name : str, default="groups"
        The argument.
    n_samples : int, default=None
        How many there must be; None for any number.
    rows_name : str, default="X"
        What has so many rows, for the message.
    allow_missing : bool, default=False
        Whether a sample may have no group (see `is_missing`).

    Returns
    -------
    groups : ndarray of shape (n,)
        The column as it was given.

    Raises
    ------
    ArgumentError
        If it is no column of ids of one kind, of another length, or has missing ones that are not
        allowed.
    """
    column = _checked_column(groups, name, n_samples, rows_name)
    missing = missing_mask(column)
    _check_one_kind(name, column[~missing])
    if missing.any() and not allow_missing:
        row = np.flatnonzero(missing)[0]
        raise refusal(
            name,
            "has no group for {} samples, such as {} for sample {}. {}",
            missing.sum(),
            shown(column[row]),
            row,
            _IF_A_NAME if str(column[row]) == "NA" else _APART,
        )
    return column


def unlabeled_mask(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where a column of labels has none.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        A column from `as_column` or `check_labels`.

    Returns
    -------
    unlabeled : ndarray of shape (n,), bool
        True where a label is missing (`is_missing`), and where it is -1 or "-1" beside at least two
        other labels: {-1, 1} are two classes, as in scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.validation import unlabeled_mask
    >>> unlabeled_mask(np.array(["joy", "-1", "fear", "nan"]))
    array([False,  True, False,  True])
    >>> unlabeled_mask(np.array([1, -1, 1]))
    array([False, False, False])
    """
    missing, marked = missing_mask(labels), mark_mask(labels)
    if marked.any():
        others = set(labels[~missing & ~marked].tolist())
        if len(others) < 2:
            return missing
    return missing | marked


def leave_out_unlabeled(labels: NDArray[Any]) -> NDArray[np.intp]:
    """Return the rows that have a label, in order.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        A column of labels.

    Returns
    -------
    rows : ndarray of int
        Where `unlabeled_mask` is False.
    """
    return np.flatnonzero(~unlabeled_mask(labels))


def number_values(*columns: NDArray[Any], names: Sequence[str]) -> list[NDArray[np.intp]]:
    """Give the values of several columns numbers: equal values, equal numbers, across columns.

    Parameters
    ----------
    *columns : ndarray of shape (n,)
        From `check_labels` or `check_groups`.
    names : sequence of str
        The argument that each came by.

    Returns
    -------
    numbers : list of ndarray of int
        One array a column, numbers from 0; -1 where a value is missing.

    Raises
    ------
    ArgumentError
        If the columns are of different kinds: 1 is not "1".

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.validation import number_values
    >>> number_values(np.array(["b", "a"]), np.array(["a", "c"]), names=["labels", "reference"])
    [array([1, 0]), array([0, 2])]
    """
    missing = [missing_mask(column) for column in columns]
    present = [column[~gone] for column, gone in zip(columns, missing, strict=True)]
    kinds = [_kind(column) for column in present]
    for name, kind in zip(names, kinds, strict=True):
        if kind and kinds[0] and kind != kinds[0]:
            raise refusal(
                name,
                "holds {} but {} holds {}, which are never equal: give both in the same form.",
                kind,
                names[0],
                kinds[0],
            )
    codes = _number(present)
    numbers = []
    for gone in missing:
        column = np.full(len(gone), -1, dtype=np.intp)
        n_present = len(gone) - int(gone.sum())
        column[~gone], codes = codes[:n_present], codes[n_present:]
        numbers.append(column)
    return numbers


def _number(columns: list[NDArray[Any]]) -> NDArray[np.intp]:
    """Give numbers to the values of columns that are laid end to end."""
    if _have_exact_common_type(columns):
        return np.unique(np.concatenate(columns), return_inverse=True)[1]
    known: dict[Any, int] = {}
    values = [value for column in columns for value in column.tolist()]
    return np.array([known.setdefault(value, len(known)) for value in values], dtype=np.intp)


def _have_exact_common_type(columns: list[NDArray[Any]]) -> bool:
    kinds = {column.dtype.kind for column in columns}
    if kinds <= {"U"} or (len({column.dtype for column in columns}) == 1 and kinds != {"O"}):
        return True
    if not kinds <= set("biuf"):
        return False
    if np.result_type(*columns).kind in "biu":
        return True
    return all(
        column.dtype.kind == "f" or column.size == 0 or abs(column.astype(object)).max() < _EXACT
        for column in columns
    )


def _checked_column(values: Any, name: str, n_samples: int | None, rows_name: str) -> NDArray[Any]:
    if values is None:
        raise refusal(name, "is missing: pass one value for each sample.")
    column = as_column(values, name)
    if n_samples is not None and len(column) != n_samples:
        raise refusal(
            name,
            "has {} entries but {} has {} rows: pass one entry for each row.",
            len(column),
            rows_name,
            n_samples,
        )
    if column.dtype.kind in "fc" and np.isinf(column).any():
        row = np.flatnonzero(np.isinf(column))[0]
        raise refusal(name, "contains infinity, for sample {}.", row)
    return column


def _check_one_kind(name: str, present: NDArray[Any]) -> None:
    """Raise if values that are there cannot be compared with each other."""
    if present.dtype.kind != "O":
        return
    first: dict[str, Any] = {}
    for value in present.tolist():
        first.setdefault(_kind_of(value), value)
    for value in first.values():
        try:
            hash(value)
        except TypeError:
            raise refusal(name, "must hold numbers or words, got {} in it.", shown(value)) from None
    if len(first) > 1:
        kinds, examples = list(first)[:2], [shown(value) for value in first.values()][:2]
        raise refusal(
            name,
            "mixes {} and {}, such as {} and {}, which cannot be compared: give all in the same "
            "form.",
            *kinds,
            *examples,
        )


def _kind(column: NDArray[Any]) -> str:
    """Tell what the values of a column are; "" for none."""
    if len(column) == 0:
        return ""
    return _kind_of(column[0])


def _kind_of(value: Any) -> str:
    if isinstance(value, str):
        return "words"
    if isinstance(value, bool | int | float | np.number | np.bool_):
        return "numbers"
    return f"values of type {type(value).__name__}"
