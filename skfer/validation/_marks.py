"""What stands for "no value" and for "no label", in every type that a column can have."""

from numbers import Number
from typing import Any

import numpy as np

from skfer._typing import NDArray

UNLABELED = -1
"""Code of a sample without a label."""

MISSING_WORDS = frozenset(
    {"", "<NA>", "N/A", "NA", "NULL", "NaN", "NaT", "None", "n/a", "nan", "null", "#N/A", "#NA"}
    | {"#N/A N/A", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"}
)
"""Words for a missing value: the default of `pandas.read_csv`, with the empty one, and NaT."""


def is_missing(value: Any) -> bool:
    """Return whether a value of a label or group column stands for none.

    Parameters
    ----------
    value : object
        None, NaN, NaT, pandas.NA, a masked value, an empty string, or a word of `MISSING_WORDS`
        (blanks around it do not count) are missing; nothing else is.

    Returns
    -------
    missing : bool
        Whether it is.

    Examples
    --------
    >>> from skfer.validation import is_missing
    >>> [is_missing(value) for value in (None, float("nan"), "NA", " ", "joy", 0)]
    [True, True, True, True, False, False]
    """
    if value is None or value is np.ma.masked:
        return True
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        return value.strip() in MISSING_WORDS
    if isinstance(value, list | tuple | dict | set | np.ndarray):
        return False
    try:
        return bool(value != value)
    except (TypeError, ArithmeticError):  # what pandas.NA and a signaling Decimal NaN say
        return True
    except ValueError:  # a collection of a kind unknown here
        return False


def missing_mask(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where a column has no value.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Of any type; see `as_column`.

    Returns
    -------
    missing : ndarray of shape (n,), bool
        True where `is_missing` holds.
    """
    if values.dtype.kind in "biu":
        return np.zeros(len(values), dtype=bool)
    if values.dtype.kind in "fc":
        return np.isnan(values)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    return np.fromiter(map(is_missing, values.tolist()), dtype=bool, count=len(values))


def is_unlabeled_mark(value: Any) -> bool:
    """Return whether a label is -1 in any type: the integer, the float, or the word "-1".

    Parameters
    ----------
    value : object
        A label. Whether the mark means "unlabeled" depends on the other labels: see
        `unlabeled_mask`.

    Returns
    -------
    mark : bool
        Whether it is the mark.
    """
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        return value.strip() in ("-1", "-1.0")
    return isinstance(value, Number) and not is_missing(value) and bool(value == UNLABELED)


def mark_mask(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where a column of labels has the mark of the unlabeled, whatever else it holds.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        Of any type; see `as_column`.

    Returns
    -------
    marked : ndarray of shape (n,), bool
        True where `is_unlabeled_mark` holds.
    """
    if labels.dtype.kind in "if":
        return labels == UNLABELED
    if labels.dtype.kind not in "OUS":
        return np.zeros(len(labels), dtype=bool)
    return np.fromiter(map(is_unlabeled_mark, labels.tolist()), dtype=bool, count=len(labels))
