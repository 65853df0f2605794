"""Whether predicted probabilities are what they say."""

from typing import Any

import numpy as np

from skfer._typing import ArrayLike, NDArray
from skfer.exceptions import ArgumentError
from skfer.validation import check_int, check_labels, check_rows, number_values
from skfer.validation._arrays import word_of


def expected_calibration_error(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    n_bins: int = 15,
) -> float:
    """Mean distance between how sure a classifier is and how often it is right.

    Samples are put into bins of equal width by the largest probability. In each bin the mean of
    it is compared with the share of right predictions; bins count by their samples.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, numbers or strings. One that is none of `labels` cannot be predicted: it counts as
        predicted wrongly.
    y_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
        Predicted probabilities; of two classes those of the second alone will do, as scorers of
        scikit-learn give them. A data frame whose columns have the names of the classes may have
        them in any order.
    labels : array-like of shape (n_classes,), default=None
        The class of each column, as in ``classes_``; None takes the sorted labels of `y_true`.
    n_bins : int, default=15
        Number of bins between 0 and 1.

    Returns
    -------
    error : float
        Between 0 (sure exactly as often as right) and 1.

    Raises
    ------
    ArgumentError
        When the arguments do not fit each other, or a row is no distribution.

    See Also
    --------
    skfer.inspection.ReliabilityDisplay : The same as a picture.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks",
       ICML 2017, equation 3.

    Examples
    --------
    >>> from skfer.metrics import expected_calibration_error
    >>> proba = [[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]
    >>> round(expected_calibration_error(["joy", "joy", "rage", "joy"], proba), 3)
    0.1
    """
    proba = check_rows(y_proba, "y_proba", ensure_2d=False)
    if proba.ndim == 1:
        proba = np.column_stack([1 - proba, proba])
    truth = check_labels(y_true, "y_true", n_samples=len(proba), rows_name="y_proba")
    classes = np.unique(truth) if labels is None else check_labels(labels, "labels")
    proba = in_order_of(classes, proba, y_proba)
    truth, classes = number_values(truth, classes, names=["y_true", "labels"])
    n_bins = check_int(n_bins, "n_bins", at_least=1, at_most=10_000)
    if len(np.unique(classes)) < len(classes):
        raise ArgumentError("{labels} names a class twice: each column has a class of its own.")
    if len(classes) != proba.shape[1]:
        raise ArgumentError(
            "{y_proba} has {} columns for {} classes: give the class of each column as {labels}.",
            proba.shape[1],
            len(classes),
        )
    if proba.min() < 0 or np.abs(proba.sum(axis=1) - 1).max() > 1e-3:
        raise ArgumentError(
            "{y_proba} has values below 0, or a row that does not sum to 1: give probabilities."
        )
    return mean_gap(proba.max(axis=1), classes[proba.argmax(axis=1)] == truth, n_bins)


def bins_of(sure: NDArray[Any], n_bins: int) -> NDArray[np.intp]:
    """Put predictions into bins of equal width, each with its upper edge, as in the paper."""
    return np.clip(np.ceil(sure * n_bins).astype(np.intp) - 1, 0, n_bins - 1)


def mean_gap(sure: NDArray[Any], right: NDArray[np.bool_], n_bins: int = 15) -> float:
    """Return how far predictions are, bin by bin, less sure or surer than they are right."""
    gaps = np.bincount(bins_of(sure, n_bins), weights=right - sure, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(sure))


def in_order_of(
    classes: NDArray[Any], proba: NDArray[np.floating], given: Any
) -> NDArray[np.floating]:
    """Return probabilities in the order of classes, if the columns have their names in another.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The class that each column is to be of.
    proba : ndarray of shape (n_samples, n_columns)
        What was made of `given`.
    given : array-like
        A data frame may name its columns.
    """
    names = list(map(word_of, getattr(given, "columns", ())))
    wanted = list(map(word_of, classes.tolist()))
    # A frame whose columns were given no names numbers them.
    if names == list(map(str, range(len(names)))) or sorted(names) != sorted(set(wanted)):
        return proba
    return proba[:, [names.index(word) for word in wanted]]
