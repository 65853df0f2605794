"""Cross-validation with unlabelled samples: always learned from, never scored."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import BaseCrossValidator, PredefinedSplit, check_cv
from sklearn.utils import check_consistent_length, column_or_1d

from skfer.model_selection._splitters import OfficialSplit, groups_for

UNLABELED = -1


class SemiSupervisedSplit(BaseCrossValidator):
    """Split the labelled samples by any splitter and add the unlabelled ones to every training set.

    Samples with ``y == -1``, scikit-learn's mark of an unlabelled sample, are in the training set
    of every fold and in no test set, so that -1 is never scored as a class. The wrapped splitter
    sees the labelled samples alone.

    Parameters
    ----------
    cv : int, splitter or list of (train, test), default=5
        How to split the labelled samples. An int means stratified folds.
    drop_test_groups : bool, default=True
        Leave an unlabelled sample out of the folds that test on its own group: learning from
        unlabelled faces of a person would make that person known. False keeps it in.

    See Also
    --------
    sklearn.semi_supervised.SelfTrainingClassifier : Learns from -1 as well.
    SubjectKFold : Folds of whole subjects.

    Notes
    -----
    -1 marks unlabelled samples where at least two other labels remain; {-1, 1} are two classes,
    and are refused here.

    Folds that belong to given rows (`OfficialSplit`, ``PredefinedSplit``, a list of folds) are
    made for all samples. They say which unlabelled samples may be learned from: those on the
    training side stay there, those on the test side go nowhere.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import KFold
    >>> from skfer.model_selection import SemiSupervisedSplit
    >>> y = np.array([0, 1, -1, 0, 1, -1])
    >>> subjects = np.array(["a", "a", "a", "b", "b", "c"])
    >>> cv = SemiSupervisedSplit(KFold(n_splits=2))
    >>> for train, test in cv.split(y, y, groups=subjects):
    ...     print(train, test)
    [3 4 5] [0 1]
    [0 1 2 5] [3 4]
    """

    # Asks for groups by default under metadata routing, as scikit-learn's group splitters do.
    __metadata_request__split = {"groups": True}  # noqa: RUF012

    def __init__(self, cv: Any = 5, *, drop_test_groups: bool = True):
        self.cv = cv
        self.drop_test_groups = drop_test_groups

    def split(
        self, X: ArrayLike, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the indices of each fold.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Only its length counts; the wrapped splitter is given row numbers in its place.
        y : array-like of shape (n_samples,)
            Labels, -1 where unlabelled.
        groups : array-like of shape (n_samples,), default=None
            Subject or sequence of each sample, passed on to a splitter that uses it.

        Yields
        ------
        train : ndarray of int
            Training indices in rising order, labelled and unlabelled.
        test : ndarray of int
            Test indices, all labelled.

        Raises
        ------
        ValueError
            When y is missing, has fewer than two labels beside -1, or a fold has no labelled
            test sample.
        """
        check_consistent_length(X, y, groups)
        y = _check_labels(y)
        labeled = y != UNLABELED
        fixed = _belongs_to_rows(self.cv)
        everywhere = np.empty(0, dtype=np.intp) if fixed else np.flatnonzero(~labeled)
        group = None if groups is None else _codes(groups)
        for fold, (train, test) in enumerate(self._split_rows(y, labeled, groups)):
            test = test[labeled[test]]
            if len(test) == 0:
                raise ValueError(
                    f"cv has no labelled test sample in fold {fold}: change the folds."
                )
            train = np.sort(np.concatenate([train, everywhere]))
            if group is not None and self.drop_test_groups:
                tested = np.isin(group[train], group[test])
                train = train[labeled[train] | ~tested]
            yield train, test

    def get_n_splits(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> int:
        """Return the number of folds that the wrapped splitter makes of the labelled samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), default=None
            Ignored.
        y : array-like of shape (n_samples,), default=None
            Labels, -1 where unlabelled; needed if the wrapped splitter counts samples or groups.
        groups : array-like of shape (n_samples,), default=None
            Needed if the wrapped splitter counts groups.

        Returns
        -------
        n_splits : int
            The number of folds.
        """
        if y is None:
            return check_cv(self.cv).get_n_splits(X, y, groups)
        y = _check_labels(y)
        rows, cv = self._rows_and_splitter(y, y != UNLABELED)
        return cv.get_n_splits(rows, y[rows], groups_for(cv, groups, rows))

    def _rows_and_splitter(self, y: np.ndarray, labeled: np.ndarray) -> tuple[np.ndarray, Any]:
        rows = np.arange(len(y)) if _belongs_to_rows(self.cv) else np.flatnonzero(labeled)
        return rows, check_cv(self.cv, y[rows], classifier=True)

    def _split_rows(
        self, y: np.ndarray, labeled: np.ndarray, groups: ArrayLike | None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Split the rows that the wrapped splitter may see, numbered as in the whole."""
        rows, cv = self._rows_and_splitter(y, labeled)
        for train, test in cv.split(rows, y[rows], groups_for(cv, groups, rows)):
            yield rows[train], rows[test]


def _check_labels(y: ArrayLike | None) -> np.ndarray:
    if y is None:
        raise ValueError("y is missing: SemiSupervisedSplit finds the unlabelled samples in it.")
    targets: np.ndarray = column_or_1d(np.asarray(y))
    labels = np.unique(targets)
    if UNLABELED in labels.tolist() and len(labels) < 3:
        raise ValueError(
            f"y holds the labels {labels.tolist()}: -1 marks unlabelled samples only where at "
            "least two other labels remain. Use the wrapped splitter itself, or rename the labels."
        )
    return targets


def _belongs_to_rows(cv: Any) -> bool:
    made_for_rows = isinstance(cv, OfficialSplit | PredefinedSplit)
    list_of_folds = not hasattr(cv, "split") and not isinstance(cv, Integral | None)
    return made_for_rows or list_of_folds


def _codes(groups: ArrayLike) -> np.ndarray:
    return np.unique(column_or_1d(np.asarray(groups)), return_inverse=True)[1]
