"""Sets samples aside for validation."""

from collections.abc import Iterator
from math import ceil
from typing import Any

import numpy as np
from sklearn.model_selection import (
    GroupShuffleSplit,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedShuffleSplit,
)

from skfer._typing import NDArray
from skfer.exceptions import shorten, warn_caller

_N_DRAWS = 100  # of subjects, until training has samples of each class


def validation_split(
    codes: NDArray[np.intp], groups: NDArray[Any] | None, fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Set labeled samples aside for validation; subjects stay apart if groups are given.

    Parameters
    ----------
    codes : array of int of shape (n,)
        Class codes; samples without a label, -1, are trained on, unless their subject is set aside.
    groups : array of shape (n,) or None
        Subjects.
    fraction : float
        Share of samples (of subjects, if groups are given) for validation.
    seed : int
        Draws the split.

    Returns
    -------
    train, valid : array of int
        Indices. Training keeps a sample of each class, where subjects allow it.

    Raises
    ------
    ValueError
        If there is only one subject, or too few samples or subjects remain on one side.
    """
    is_labeled = codes >= 0
    labeled, unlabeled = np.flatnonzero(is_labeled), np.flatnonzero(~is_labeled)
    if groups is None:
        train, valid = _split_samples(codes[labeled], fraction, seed)
    else:
        train, valid = _split_subjects(codes[labeled], groups[labeled], fraction, seed)
    if len(train) < 2:
        raise ValueError(
            f"validation_fraction={fraction} leaves {len(train)} labeled sample to train on, and "
            "everything is measured between samples: lower it, give more samples, or set "
            "early_stopping=False."
        )
    train, valid = labeled[train], labeled[valid]
    if groups is not None:
        unlabeled = unlabeled[~np.isin(groups[unlabeled], groups[valid])]
    return np.concatenate([train, unlabeled]), valid


def _split_samples(
    codes: NDArray[np.intp], fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split by class, and leave classes of one sample to training."""
    sizes = np.bincount(codes)
    often, single = np.flatnonzero(sizes[codes] > 1), np.flatnonzero(sizes[codes] == 1)
    n_classes, n_valid = np.count_nonzero(sizes > 1), ceil(fraction * len(codes))
    if n_classes <= fraction * len(codes) and n_classes + n_valid <= len(often):
        splitter = StratifiedShuffleSplit(1, test_size=n_valid, random_state=seed)
        train, valid = next(splitter.split(often, codes[often]))
        train = np.concatenate([often[train], single])
        if _n_lost(codes, train) == 0:
            return train, often[valid]
    return _keep_one_of_each(codes, n_valid, fraction, seed)


def _keep_one_of_each(
    codes: NDArray[np.intp], n_valid: int, fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw from all, or, where that leaves a class nothing, from all but one sample of each."""
    if n_valid < len(codes):
        train, valid = next(ShuffleSplit(1, test_size=n_valid, random_state=seed).split(codes))
        if _n_lost(codes, train) == 0:
            return train, valid
    order = np.random.RandomState(seed).permutation(len(codes))
    kept = order[np.unique(codes[order], return_index=True)[1]]
    valid = order[~np.isin(order, kept)][:n_valid]
    if len(valid) < n_valid:
        raise ValueError(
            f"validation_fraction={fraction} leaves too few samples on one side: {n_valid} of "
            f"{len(codes)} are to be set aside, and of {len(kept)} classes training needs one each."
        )
    return np.setdiff1d(np.arange(len(codes)), valid), valid


def _split_subjects(
    codes: NDArray[np.intp], groups: NDArray[Any], fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Take the first split of subjects that leaves samples of each class to training."""
    if len(np.unique(groups)) == 1:
        raise ValueError(
            "groups holds one subject only, and early_stopping keeps subjects apart: "
            "give more subjects or set early_stopping=False."
        )
    found = None
    try:
        for train, valid in _splits_of_subjects(codes, groups, fraction, seed):
            n_lost = _n_lost(codes, train)
            if found is None or n_lost < found[0]:
                found = n_lost, train, valid
            if n_lost == 0:
                break
    except ValueError as error:
        raise ValueError(
            f"validation_fraction={fraction} leaves too few subjects on one side: {error}"
        ) from error
    assert found is not None
    return found[1:]


def _splits_of_subjects(
    codes: NDArray[np.intp], groups: NDArray[Any], fraction: float, seed: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    n_splits = round(1 / fraction)
    can_be_stratified = (
        n_splits >= 2
        and abs(1 / n_splits - fraction) < 0.05
        and len(np.unique(groups)) >= n_splits
        and np.bincount(codes).min() >= n_splits
    )
    if can_be_stratified:
        folds = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
        splits = list(folds.split(codes, codes, groups))
        # The first folds have the subjects whose classes are the most unlike the others'.
        for fold in np.random.RandomState(seed).permutation(n_splits):
            yield splits[fold]
    draws = GroupShuffleSplit(_N_DRAWS, test_size=fraction, random_state=seed)
    yield from draws.split(codes, codes, groups)


def _n_lost(codes: NDArray[np.intp], train: NDArray[np.intp]) -> int:
    """Return how many classes are not among the samples to train on."""
    n_classes = len(np.unique(codes))
    return n_classes - len(np.unique(codes[train]))


def tell_lost(codes: NDArray[np.intp], train: NDArray[np.intp], classes: NDArray[Any]) -> None:
    """Warn of classes whose subjects are all set aside for validation.

    Parameters
    ----------
    codes : array of int of shape (n,)
        Class codes; -1 without a label.
    train : array of int
        Indices of the samples to train on.
    classes : array of shape (n_classes,)
        Names of the classes.
    """
    lost = np.setdiff1d(codes, np.append(codes[train], -1))
    if len(lost):
        warn_caller(
            f"validation_fraction sets all subjects of {shorten(str(classes[lost].tolist()))} "
            "aside, so that training has no sample of them: lower it, give more subjects, or set "
            "early_stopping=False.",
            UserWarning,
        )


def check_triplets(
    codes: NDArray[np.intp], batches: list[NDArray[np.intp]], fraction: float
) -> None:
    """Raise ValueError unless a batch has two samples of one class, and one of another."""
    for batch in batches:
        counts = np.unique(codes[batch], return_counts=True)[1]
        if len(counts) > 1 and counts.max() > 1:
            return
    n_samples = len(np.unique(np.concatenate(batches)))
    raise ValueError(
        f"validation_fraction={fraction} sets {n_samples} samples aside for early_stopping, which "
        "make no triplet (two of a class and one of another), so that their loss tells nothing: "
        "raise it, or add a classification term (classification_weight)."
    )
