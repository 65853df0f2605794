"""Checks what several people said of each sample."""

from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse

from skfer._typing import NDArray
from skfer.validation import refusal, shown
from skfer.validation._arrays import word_of

_FEWEST = 20
"""Samples that it takes to tell that votes and labels do not go together."""

_OF_FOLDS = (
    " In cross-validation, where a fold may lack a class, give a data frame whose columns are "
    "named after the classes."
)


def check_votes(
    votes: Any, codes: NDArray[np.intp], classes: NDArray[Any], *, accepts_unlabeled: bool
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return class codes and the share of each class in the votes.

    Parameters
    ----------
    votes : array-like of shape (n, n_classes) or (n, n_codes)
        Counts or shares, in the order of `classes`; or one column for each integer from 0 on, where
        classes are such integers; or a data frame that has columns of their names. A fold without
        one of the classes needs one of the last two. A sample whose row is 0 or NaN has its label
        alone.
    codes : array of int of shape (n,)
        Class of each sample, -1 for one without a label.
    classes : array of shape (n_classes,)
        The labels.
    accepts_unlabeled : bool
        Whether samples may have neither a label nor votes.

    Returns
    -------
    codes : array of int of shape (n,)
        A sample without a label has the class with the most votes.
    shares : array of float32 of shape (n, n_classes)
        Rows sum to 1; those of samples with neither label nor votes are 0.

    Raises
    ------
    ArgumentError
        If the votes have another shape, are negative or infinite, are all for other classes, or
        speak against the labels, as they do when their columns are in another order.
    """
    votes = _by_name(votes, classes)
    counts = _columns_of(_as_numbers(votes, len(codes)), codes, classes)
    totals = counts.sum(axis=1)
    voted = totals > 0
    nothing = np.flatnonzero(~voted & (codes < 0))
    if len(nothing) and not accepts_unlabeled:
        raise refusal(
            "votes",
            "must have votes for classes of y where y has no label, but the sample {} has neither: "
            "leave such samples out.",
            nothing[0],
        )
    shares = counts / np.where(voted, totals, 1)[:, None]
    _check_order(shares, np.where(voted, codes, -1), classes)
    codes = np.where((codes < 0) & voted, counts.argmax(axis=1), codes)
    alone = np.flatnonzero(~voted & (codes >= 0))
    shares[alone, codes[alone]] = 1
    return codes, shares.astype(np.float32)


def _check_order(
    shares: NDArray[np.float64], codes: NDArray[np.intp], classes: NDArray[Any]
) -> None:
    known = np.flatnonzero(codes >= 0)
    if len(known) < _FEWEST:
        return
    agreed = shares[known, codes[known]].mean()
    if agreed < 0.5 / len(classes):
        raise refusal(
            "votes",
            "give the labels a share of {} in the mean, less than votes at random would: are "
            "the columns in the order {}?",
            f"{agreed:.2f}",
            shown(classes.tolist()),
        )


def _by_name(votes: Any, classes: NDArray[Any]) -> Any:
    """Return the columns of the classes, where those of a data frame have their names."""
    if not hasattr(votes, "columns"):
        return votes
    names, wanted = list(map(word_of, votes.columns)), list(map(word_of, classes.tolist()))
    if names == [str(i) for i in range(len(names))]:  # those of a frame that was given none
        return np.asarray(votes)
    # Numbers have many names: 4 is a class of 4.0 too.
    for key in (str, _number) if classes.dtype.kind in "iuf" else (str,):
        columns, sought = list(map(key, names)), list(map(key, wanted))
        if set(sought) <= set(columns):
            return np.asarray(votes)[:, [columns.index(name) for name in sought]]
    raise refusal(
        "votes",
        "have the columns {}: give each of the classes {} a column of its name, or an array with "
        "columns in this order.",
        shown(names),
        shown(wanted),
    )


def _number(name: str) -> float | str:
    try:
        return float(name)
    except ValueError:
        return name


def _as_numbers(votes: Any, n_samples: int) -> NDArray[np.float64]:
    if isinstance(votes, torch.Tensor):
        votes = votes.detach().cpu().double().numpy()
    if issparse(votes):
        raise refusal(
            "votes",
            "must be a dense array, got a sparse one of shape {}: give votes.toarray().",
            votes.shape,
        )
    try:
        counts = np.array(votes, dtype=np.float64)
    except (TypeError, ValueError):
        raise refusal("votes", "must be an array of numbers, got {}.", shown(votes)) from None
    if counts.ndim != 2 or len(counts) != n_samples:
        raise refusal(
            "votes",
            "must be of shape (n_samples, n_classes), a row for each of the {} samples; got shape "
            "{}.",
            n_samples,
            counts.shape,
        )
    counts[np.isnan(counts)] = 0
    if np.isinf(counts).any() or (counts < 0).any():
        raise refusal("votes", "must be counts or shares, none of them negative or infinite.")
    return counts


def _columns_of(
    counts: NDArray[np.float64], codes: NDArray[np.intp], classes: NDArray[Any]
) -> NDArray[np.float64]:
    n_columns = counts.shape[1]
    if n_columns == len(classes):
        return counts
    if classes.dtype.kind == "f" and (classes == np.round(classes)).all():
        classes = classes.astype(np.int64)
    if classes.dtype.kind in "iu" and classes.min() >= 0 and classes.max() < n_columns:
        if classes.max() >= len(classes):  # else the first columns are those of both readings
            _check_integers(counts, codes, classes)
        return counts[:, classes]
    raise refusal(
        "votes",
        "must have a column for each of the {} classes {}, or for each integer from 0 on; got {} "
        "columns.{}",
        len(classes),
        shown(classes.tolist()),
        n_columns,
        _OF_FOLDS if n_columns > len(classes) else "",
    )


def _check_integers(
    counts: NDArray[np.float64], codes: NDArray[np.intp], classes: NDArray[Any]
) -> None:
    """Refuse columns that are not of the integers from 0 on.

    In a fold that lacks a class, columns in the order of the classes of all samples look so.
    """
    totals = counts.sum(axis=1)
    for code, label in enumerate(classes):
        own = np.flatnonzero((codes == code) & (totals > 0))
        if not len(own):
            continue
        agreed = (counts[own, label] / totals[own]).mean()
        if agreed < 0.5 / counts.shape[1]:
            raise refusal(
                "votes",
                "have {} columns for the classes {}, and the column {}, if there is one for each "
                "integer from 0 on, gives samples of class {} a share of {} in the mean: give a "
                "column for each integer from 0 on, or a data frame whose columns are named after "
                "the classes, so that a fold without one of the classes finds its own.",
                counts.shape[1],
                shown(classes.tolist()),
                label,
                label,
                f"{agreed:.2f}",
            )
