"""Labels of any kind, and the names that a picture shows for them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError
from skfer.validation import (
    UNLABELED,
    as_column,
    check_labels,
    mark_mask,
    missing_mask,
    number_values,
    shown,
    unlabeled_mask,
)
from skfer.validation._arrays import word_of

NO_LABEL = "unlabeled"


class Labels(NamedTuple):
    """Labels as codes.

    ``codes`` is the row of each sample's label in ``classes``, -1 without one; ``names`` has what
    is shown for each class.
    """

    codes: NDArray[np.intp]
    classes: NDArray[Any]
    names: list[str]

    def of(self, code: int) -> str:
        """Return the name of a code."""
        return NO_LABEL if code == UNLABELED else self.names[code]


def or_unlabeled(y: Any, n: int) -> Any:
    """Return labels as they were given, or a column without any label."""
    return np.full(n, None) if y is None else y


def read_labels(
    y: Any,
    names: Any = None,
    *,
    n_samples: int | None = None,
    argument: str = "y",
    rows_name: str = "X",
    classes: Any = None,
    others: bool = False,
) -> Labels:
    """Encode labels.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Numbers or words; unlabeled ones are welcome.
    names : sequence, mapping, Bunch or None
        See :func:`names_of`.
    n_samples : int, optional
        How many there must be.
    argument, rows_name : str
        What y and the rows beside it are called in errors.
    classes : array-like, optional
        All classes, where y need not hold each of them.
    others : bool
        Whether y may hold labels that are none of the classes, which get the code after the last.
    """
    column = check_labels(
        y, argument, n_samples=n_samples, rows_name=rows_name, allow_unlabeled=True
    )
    unlabeled = unlabeled_mask(column)
    known = column[~unlabeled]
    if classes is None:
        distinct = np.unique(known)
    else:
        distinct = as_column(classes, "classes")
        if others:
            number_values(known, distinct, names=[argument, "classes"])  # "1" is no class beside 1
            unlabeled = missing_mask(column) | mark_mask(column)
        # A label of one class among many may look like the mark of none.
        unlabeled &= ~np.isin(column, distinct)
        known = column[~unlabeled]
    codes = np.full(len(column), UNLABELED, dtype=np.intp)
    codes[~unlabeled] = _positions(known, distinct, None if others else argument)
    return Labels(codes, distinct, names_of(distinct, names))


def alike(y: Any, others: Any, names: Any) -> Any:
    """Return labels as their names where they are codes, and words are to be compared with them."""
    if y is None or others is None or names is None:
        return y
    try:
        labels, other = read_labels(y, names), read_labels(others, names)
    except ArgumentError:
        return y  # which is told where each is checked, by its name
    if labels.classes.dtype.kind not in "biuf" or other.classes.dtype.kind in "biuf":
        return y
    words = np.array([*labels.names, None], dtype=object)  # the last is that of UNLABELED
    return words[labels.codes]


def read_predictions(
    y_pred: Any, y: Any, names: Any = None, *, argument: str = "y"
) -> tuple[Labels, NDArray[np.bool_]]:
    """Encode predicted labels, and tell which are wrong: those that differ from a known label."""
    true = read_labels(y, argument=argument)
    n = len(true.codes)
    predicted = read_labels(y_pred, names, n_samples=n, argument="y_pred", rows_name=argument)
    known = true.codes != UNLABELED
    both = [np.asarray(y)[known], np.asarray(y_pred)[known]]
    one, other = number_values(*both, names=[argument, "y_pred"])
    wrong = np.zeros(n, dtype=bool)
    wrong[known] = one != other
    return predicted, wrong


def names_of(classes: NDArray[Any], names: Any = None) -> list[str]:
    """Return what is shown for each class.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Labels. Words stand for themselves.
    names : sequence of str, mapping or Bunch, optional
        ``names[code]`` is the name of an integer class: ``bunch.target_names``, a dict from labels
        to names, or the whole Bunch.

    Raises
    ------
    ArgumentError
        If a class has no name there.
    """
    if names is None:
        return [_plain(c) for c in classes.tolist()]
    if isinstance(names, Mapping) and "target_names" in names:
        names = names["target_names"]
    if isinstance(names, Mapping):
        return [word_of(names.get(c, _plain(c))) for c in classes.tolist()]
    several = isinstance(names, Sequence) or getattr(names, "ndim", 0) == 1
    if isinstance(names, str | bytes) or not several:
        raise ArgumentError(
            "{names} must be a list of names, a dict, or a Bunch, got {}.", shown(names)
        )
    return [_named(c, names) for c in classes.tolist()]


def _named(label: Any, names: Any) -> str:
    whole = isinstance(label, bool | int) or (isinstance(label, float) and label.is_integer())
    if not whole:
        return _plain(label)
    code = int(label)
    if not 0 <= code < len(names):
        raise ArgumentError(
            "{names} has {} entries, and none is the name of class {}: names[code] must be the "
            "name of an integer class, as in bunch.target_names; or give a dict from classes to "
            "names.",
            len(names),
            code,
        )
    return word_of(names[code])


def _plain(label: Any) -> str:
    return str(int(label)) if isinstance(label, float) and label.is_integer() else word_of(label)


def _positions(known: NDArray[Any], distinct: NDArray[Any], argument: str | None) -> list[int]:
    """Return the place of each label among the classes; an argument holds no others."""
    rows = {label: row for row, label in enumerate(distinct.tolist())}
    strange = [label for label in known.tolist() if label not in rows]
    if strange and argument is not None:
        raise ArgumentError(
            f"{{{argument}}} holds {{}}, which is none of the classes {{}}.",
            shown(strange[0]),
            shown(distinct.tolist()),
        )
    return [rows.get(label, len(rows)) for label in known.tolist()]
