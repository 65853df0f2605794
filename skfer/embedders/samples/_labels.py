"""Checks y and groups."""

from enum import Enum
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _num_samples,
    assert_all_finite,
    column_or_1d,
)

from skfer._typing import NDArray
from skfer.embedders.samples._inputs import check_no_single_path
from skfer.validation import (
    UNLABELED,
    as_column,
    check_labels,
    leave_out_unlabeled,
    mark_mask,
    missing_mask,
    refusal,
    shown,
)


def check_y(y: Any, X: Any, *, allow_unlabeled: bool, name: str) -> NDArray[Any]:
    """Validate labels.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels of any kind that scikit-learn takes.
    X : array-like
        The samples that they label.
    allow_unlabeled : bool
        Whether samples may be unlabeled; see `skfer.validation.unlabeled_mask`.
    name : str
        The estimator, for messages.

    Returns
    -------
    array of shape (n,)

    Raises
    ------
    ValueError
        If y is missing, of another length than X, continuous or infinite, mixes words and numbers,
        or has unlabeled samples where that is not allowed.
    """
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
    check_no_single_path(X)
    n_samples = _num_samples(X)
    if n_samples == 0:
        raise ValueError("X holds 0 samples, while a minimum of 1 is required.")
    if getattr(y, "ndim", 1) > 2:
        raise refusal(
            "y", "must be labels, one for each sample, got an array of shape {}: is it X?", y.shape
        )
    if getattr(y, "ndim", 1) > 1:
        y = column_or_1d(y, warn=True)
    y = as_column(y, "y")
    if len(y) != n_samples:
        raise ValueError(
            f"X and y must have the same length: X has {n_samples} samples, y has {len(y)}."
        )
    if y.dtype.kind == "f":
        assert_all_finite(y, allow_nan=True, input_name="y")
    hint = f"{name} cannot use such samples: leave them out, or use GaussianMetricEmbedder."
    y = check_labels(y, "y", allow_unlabeled=allow_unlabeled, hint=hint)
    present = _plain(y[leave_out_unlabeled(y)])
    _refuse_other_objects(present)
    check_classification_targets(present)
    return y


def _refuse_other_objects(labels: NDArray[Any]) -> None:
    """Refuse what scikit-learn takes for targets of a regression, such as members of an Enum."""
    if labels.dtype.kind != "O" or not len(labels) or isinstance(labels[0], str):
        return
    label = labels[0]
    remedy = "[label.name for label in y]" if isinstance(label, Enum) else "list(map(str, y))"
    text = (
        "must hold words or integers of at most 64 bits, got {}: give names or values, such as {}."
    )
    raise refusal("y", text, shown(label), remedy)


def check_enough(codes: NDArray[np.intp]) -> None:
    """Raise ValueError unless two samples have a label, as positions in the classes (-1: none)."""
    n_labeled = np.count_nonzero(codes >= 0)
    if n_labeled < 2:
        raise refusal(
            "y",
            "has {} labeled samples: a training needs at least two, as everything is measured "
            "between samples.",
            n_labeled,
        )


def _plain(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels, left over from a column with gaps, in the type that they have without gaps."""
    if labels.dtype.kind != "O":
        return labels
    values = labels.tolist()
    return labels if any(isinstance(value, str) for value in values) else np.array(values)


def labeled(y: NDArray[Any], classes: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Return the rows that have a label, and their labels.

    Parameters
    ----------
    y : array of shape (n,)
        What `check_y` has returned.
    classes : array of shape (n_classes,)
        Those of a fitted embedder: -1 is a mark of no label unless it is one of them.
    """
    has_none = missing_mask(y)
    if not mark_mask(classes).any():
        has_none |= mark_mask(y)
    rows = np.flatnonzero(~has_none)
    return rows, _plain(y[rows])


def find_classes(y: NDArray[Any], name: str) -> NDArray[Any]:
    """Return the classes in y, sorted, without the marks of unlabeled samples.

    Raises
    ------
    ValueError
        If there are fewer than two classes.
    """
    classes = np.unique(_plain(y[leave_out_unlabeled(y)]))
    if len(classes) < 2:
        raise ValueError(
            f"{name} needs at least two classes in y to learn distances; got one class: "
            f"{shown(classes.tolist())}. (The first partial_fit takes all that will come as "
            "classes=.)"
        )
    return classes


def check_classes(classes: Any, name: str) -> NDArray[Any]:
    """Return the classes that a user announces, sorted.

    Raises
    ------
    ValueError
        If they are not one-dimensional, have missing values, or are fewer than two.
    """
    column = check_labels(classes, "classes", allow_unlabeled=True)
    missing = np.flatnonzero(missing_mask(column))
    if len(missing):
        raise refusal("classes", "must have no missing values, got {}.", shown(column[missing[0]]))
    return find_classes(column, name)


def check_same_classes(classes: Any, known: NDArray[Any], name: str) -> None:
    """Raise ValueError if a user announces other classes than those of the first call."""
    given = check_classes(classes, name)
    if not np.array_equal(given, known):
        raise ValueError(
            f"classes={shown(given.tolist())} is not the same as in the first call: "
            f"{shown(known.tolist())}. Leave it out, or give the same."
        )


def encode(
    y: NDArray[Any],
    classes: NDArray[Any],
    *,
    allow_unlabeled: bool = True,
    hint: str = (
        "partial_fit takes all that will come as classes=, and with warm_start=True they must stay "
        "the same."
    ),
) -> NDArray[np.intp]:
    """Return the position of each label in `classes`, -1 for samples without a label.

    Raises
    ------
    ValueError
        If y holds a label that is not among the classes.
    """
    numbers = {label: code for code, label in enumerate(classes.tolist())}
    codes = np.array([numbers.get(label, UNLABELED) for label in y.tolist()], dtype=np.intp)
    strange = codes == UNLABELED
    if allow_unlabeled:
        strange &= ~(missing_mask(y) | mark_mask(y))
    if strange.any():
        found = list(dict.fromkeys(y[strange].tolist()))[:5]
        raise refusal(
            "y",
            "holds {}, but training began with the classes {}: {}",
            shown(found),
            shown(classes.tolist()),
            hint,
        )
    return codes
