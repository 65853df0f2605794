"""Cross-validation with unlabeled samples: always learned from, never scored."""

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator, PredefinedSplit

from skfer._typing import ArrayLike
from skfer.model_selection._splitters import (
    OfficialSplit,
    groups_for,
    make_splitter,
    split_by,
)
from skfer.validation import (
    check_flag,
    check_groups,
    check_labels,
    check_same_length,
    is_unlabeled_mark,
    number_values,
    refusal,
    shown,
    unlabeled_mask,
)


class SemiSupervisedSplit(BaseCrossValidator):
    """Split the labeled samples by any splitter and add the unlabeled ones to every training set.

    Samples with ``y == -1``, scikit-learn's mark of an unlabeled sample, or without a value (NaN,
    None, "") are in the training set of every fold and in no test set, so that -1 is never scored
    as a class. The wrapped splitter sees the labeled samples alone.

    Parameters
    ----------
    cv : int, splitter or list of (train, test), default=5
        How to split the labeled samples. An int means stratified folds.
    drop_test_groups : bool, default=True
        Leave an unlabeled sample out of the folds that test on its own group: learning from
        unlabeled faces of a person would make that person known. False keeps it in.

    See Also
    --------
    sklearn.semi_supervised.SelfTrainingClassifier : Learns from -1 as well.
    SubjectKFold : Folds of whole subjects.

    Notes
    -----
    -1 marks unlabeled samples where at least two other labels remain; {-1, 1} are two classes,
    and are refused here.

    Folds that belong to given rows (`OfficialSplit`, ``PredefinedSplit``, a list of folds) are
    made for all samples. They say which unlabeled samples may be learned from: those on the
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
    __metadata_request__split = {"groups": True}  # noqa: RUF012 (scikit-learn asks for it)

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
            Labels, -1 where unlabeled.
        groups : array-like of shape (n_samples,), default=None
            Subject or sequence of each sample, passed on to a splitter that uses it.

        Yields
        ------
        train : ndarray of int
            Training indices in rising order, labeled and unlabeled.
        test : ndarray of int
            Test indices, all labeled.

        Raises
        ------
        ValueError
            When y is missing, has fewer than two labels beside -1, groups are missing for some
            samples, or a fold has no labeled test sample.
        """
        labels, labeled = _check_labels(y)
        check_same_length(X=X, y=labels, groups=groups)
        drop_test_groups = check_flag(self.drop_test_groups, "drop_test_groups")
        fixed = _belongs_to_rows(self.cv)
        everywhere = np.empty(0, dtype=np.intp) if fixed else np.flatnonzero(~labeled)
        group = None if groups is None else number_values(check_groups(groups), names=["groups"])[0]
        for fold, (train, test) in enumerate(self._split_rows(labels, labeled, groups)):
            test = test[labeled[test]]
            if len(test) == 0:
                raise refusal(
                    "cv", "has no labeled test sample in fold {}: change the folds.", fold
                )
            train = np.sort(np.concatenate([train, everywhere]))
            if group is not None and drop_test_groups:
                tested = np.isin(group[train], group[test])
                train = train[labeled[train] | ~tested]
            yield train, test

    def get_n_splits(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> int:
        """Return the number of folds that the wrapped splitter makes of the labeled samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), default=None
            Ignored.
        y : array-like of shape (n_samples,), default=None
            Labels, -1 where unlabeled; needed if the wrapped splitter counts samples or groups.
        groups : array-like of shape (n_samples,), default=None
            Needed if the wrapped splitter counts groups.

        Returns
        -------
        n_splits : int
            The number of folds.
        """
        if y is None:
            return make_splitter(self.cv).get_n_splits(X, y, groups)
        labels, labeled = _check_labels(y)
        rows, cv = self._rows_and_splitter(labels, labeled)
        return cv.get_n_splits(rows, labels[rows], groups_for(cv, groups, rows))

    def _rows_and_splitter(self, y: np.ndarray, labeled: np.ndarray) -> tuple[np.ndarray, Any]:
        rows = np.arange(len(y)) if _belongs_to_rows(self.cv) else np.flatnonzero(labeled)
        return rows, make_splitter(self.cv, y[rows])

    def _split_rows(
        self, y: np.ndarray, labeled: np.ndarray, groups: ArrayLike | None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Split the rows that the wrapped splitter may see, numbered as in the whole."""
        rows, cv = self._rows_and_splitter(y, labeled)
        for train, test in split_by(cv, rows, y[rows], groups_for(cv, groups, rows)):
            yield rows[train], rows[test]


def _check_labels(y: ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels as an array, and where there is one."""
    if y is None:
        raise refusal("y", "is missing: SemiSupervisedSplit finds the unlabeled samples in it.")
    labels = check_labels(y, allow_unlabeled=True)
    labeled = ~unlabeled_mask(labels)
    found = set(labels[labeled].tolist())
    too_few = len(found) < 2 and not labeled.all()
    if too_few or any(map(is_unlabeled_mark, found)):
        raise refusal(
            "y",
            "holds the labels {}: -1 marks unlabeled samples only where at least two other labels "
            "remain. Use the wrapped splitter itself, or rename the labels.",
            shown(sorted(found, key=str)),
        )
    return labels, labeled


def _belongs_to_rows(cv: Any) -> bool:
    made_for_rows = isinstance(cv, OfficialSplit | PredefinedSplit)
    list_of_folds = not hasattr(cv, "split") and not isinstance(cv, Integral | None)
    return made_for_rows or list_of_folds
