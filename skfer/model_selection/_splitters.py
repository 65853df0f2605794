"""The field's protocols as scikit-learn splitters."""

from collections.abc import Hashable, Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator, check_cv

from skfer._typing import ArrayLike
from skfer.exceptions import ArgumentError, shorten
from skfer.validation import (
    as_column,
    check_groups,
    check_int,
    check_same_length,
    refusal,
    shown,
    unlabeled_mask,
)


class SubjectKFold(BaseCrossValidator):
    """K folds of whole subjects: sorted by id, fold k tests on every n-th subject from the k-th.

    This is the field's ten-fold protocol on CK+: no person is both learned from and tested on,
    and the folds are the same in every run, without a seed.

    Parameters
    ----------
    n_splits : int, default=10
        Number of folds, at least 2 and at most the number of subjects.

    See Also
    --------
    sklearn.model_selection.LeaveOneGroupOut : One subject a fold, the protocol on JAFFE.
    sklearn.model_selection.StratifiedGroupKFold : Subject-disjoint folds with balanced classes.
    check_leakage : Refuses folds that share a subject, a sequence or an image.

    Notes
    -----
    Ids sort as numpy sorts them: numbers by size, strings by letter ("S10" before "S2"), except
    that strings which are all whole numbers sort by size ("2" before "10").
    Folds have equally many subjects, up to one, but not equally many samples.

    References
    ----------
    .. [1] P. Lucey et al., "The extended Cohn-Kanade dataset (CK+): a complete dataset for action
       unit and emotion-specified expression", CVPR Workshops 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.model_selection import SubjectKFold
    >>> subjects = np.array(["S3", "S1", "S2", "S1", "S4"])
    >>> for train, test in SubjectKFold(n_splits=2).split(subjects, groups=subjects):
    ...     print(subjects[test])
    ['S3' 'S1' 'S1']
    ['S2' 'S4']
    """

    # Asks for groups by default under metadata routing, as scikit-learn's group splitters do.
    __metadata_request__split = {"groups": True}  # noqa: RUF012 (scikit-learn asks for it)

    def __init__(self, n_splits: int = 10):
        self.n_splits = n_splits

    def split(
        self, X: ArrayLike, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the indices of each fold.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Only its length counts.
        y : array-like of shape (n_samples,), default=None
            Ignored.
        groups : array-like of shape (n_samples,)
            Subject of each sample.

        Yields
        ------
        train : ndarray of int
            Training indices of the fold.
        test : ndarray of int
            Test indices of the fold.

        Raises
        ------
        ValueError
            When groups is missing for all or some samples, does not fit X, or has fewer subjects
            than there are folds.
        """
        if groups is None:
            raise refusal(
                "groups",
                "is missing: SubjectKFold needs the subject of each sample, for example "
                "cross_validate(..., groups=bunch.groups).",
            )
        check_same_length(X=X, y=y, groups=groups)
        yield from super().split(X, y, groups)

    def get_n_splits(
        self, X: ArrayLike | None = None, y: ArrayLike | None = None, groups: object = None
    ) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object, default=None
            Ignored.

        Returns
        -------
        n_splits : int
            The number of folds.
        """
        return self.n_splits

    def _iter_test_masks(
        self, X: ArrayLike, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Iterator[np.ndarray]:
        n_splits = check_int(self.n_splits, "n_splits", at_least=2)
        n_subjects, subject = _number_subjects(check_groups(groups))
        if n_splits > n_subjects:
            raise refusal(
                "n_splits",
                "must be at most {}, the number of subjects in groups, got {}: ask for fewer "
                "folds.",
                n_subjects,
                n_splits,
            )
        for fold in range(n_splits):
            yield subject % n_splits == fold


class OfficialSplit(BaseCrossValidator):
    """One fold, the split that the data set's owners publish.

    Parameters
    ----------
    parts : array-like of shape (n_samples,)
        Part of each sample, such as ``bunch.split``: "train", "validation" or "test".
    train : str or sequence of str, default="train"
        Parts to train on, for example ``("train", "validation")``.
    test : str or sequence of str, default=None
        Parts to test on. None takes "test" if the set has it, with labels in the y that is split,
        and else "validation": the owners of some sets (AffectNet, SFEW) keep the test labels back.

    See Also
    --------
    sklearn.model_selection.PredefinedSplit : Several folds given by their numbers.
    check_leakage : Refuses folds that share a subject, a sequence or an image.

    Notes
    -----
    Samples of other parts go nowhere. The split belongs to the rows that it was made for: it is
    refused for any other number of rows.

    Examples
    --------
    >>> from skfer.model_selection import OfficialSplit
    >>> cv = OfficialSplit(["train", "validation", "train", "test"])
    >>> next(cv.split(range(4)))
    (array([0, 2]), array([3]))
    """

    def __init__(
        self,
        parts: ArrayLike,
        *,
        train: str | Sequence[str] = "train",
        test: str | Sequence[str] | None = None,
    ):
        self.parts = parts
        self.train = train
        self.test = test

    def split(
        self, X: ArrayLike, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the indices of the one fold.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Only its length counts.
        y : array-like of shape (n_samples,), default=None
            Labels, which only tell where there are some.
        groups : object, default=None
            Ignored.

        Yields
        ------
        train : ndarray of int
            Training indices.
        test : ndarray of int
            Test indices.

        Raises
        ------
        ValueError
            When X has another length than the split, a part does not occur, one part is on both
            sides, or what is to be tested has no labels.
        """
        parts = as_column(self.parts, "parts")
        n_samples = check_same_length(X=X)
        if n_samples != len(parts):
            raise refusal(
                "X",
                "has {} rows but parts has {}: take the rows of both alike, as in "
                "OfficialSplit(bunch.split[rows]).",
                n_samples,
                len(parts),
            )
        labeled = np.ones(len(parts), bool)
        if y is not None and np.ndim(y) == 1:  # of several targets all are taken to be there
            labeled = ~unlabeled_mask(as_column(y, "y"))
            check_same_length(X=X, y=labeled)
        train, test = self._sides(set(parts.tolist()), set(parts[labeled].tolist()))
        yield np.flatnonzero(np.isin(parts, train)), np.flatnonzero(np.isin(parts, test))

    def get_n_splits(
        self, X: ArrayLike | None = None, y: ArrayLike | None = None, groups: object = None
    ) -> int:
        """Return the number of folds, which is 1.

        Parameters
        ----------
        X, y, groups : object, default=None
            Ignored.

        Returns
        -------
        n_splits : int
            Always 1.
        """
        return 1

    def _sides(self, known: set[str], labeled: set[str]) -> tuple[list[str], list[str]]:
        """Return the parts of both sides, of those that there are and those that have labels."""
        there = labeled if labeled & {"test", "validation"} else known
        default = "test" if "test" in there else "validation"
        sides = {"train": self.train, "test": default if self.test is None else self.test}
        names = {}
        for side, value in sides.items():
            names[side] = _names(side, value)
            if not known.issuperset(names[side]):
                raise refusal(
                    side,
                    "names {}, but parts holds {}: name parts that occur there.",
                    shown(value),
                    shown(sorted(known, key=str)),
                )
        both = sorted(set(names["train"]) & set(names["test"]), key=str)
        if both:
            raise ArgumentError(
                "{train} and {test} both name {}: give every part to one side.", shown(both)
            )
        if labeled.isdisjoint(names["test"]):
            raise refusal(
                "test",
                "names {}, of which no sample has a label in y: name a part that has some, of {}.",
                shown(names["test"]),
                shown(sorted(labeled, key=str)),
            )
        return names["train"], names["test"]


def groups_for(cv: Any, groups: ArrayLike | None, rows: np.ndarray) -> np.ndarray | None:
    """Return the groups of the rows, or None for a splitter that would warn that it ignores them.

    scikit-learn's own splitters tell whether they use groups; all others are given them.
    """
    if groups is None:
        return None
    if type(cv).__module__.startswith("sklearn."):
        requests = cv.get_metadata_routing().split.requests
        if not requests.get("groups"):
            return None
    return as_column(groups, "groups")[rows]


def make_splitter(cv: Any, y: np.ndarray | None = None) -> Any:
    """Return anything that scikit-learn takes as ``cv`` as a splitter, or tell what is wrong."""
    if isinstance(cv, Integral | None):
        cv = check_int(cv, "cv", at_least=2, optional=True)
    elif isinstance(cv, str | bytes) or not hasattr(cv, "split"):
        cv = _folds(cv)
    return check_cv(cv, y, classifier=y is not None)


def split_by(
    cv: Any, rows: np.ndarray, y: np.ndarray | None, groups: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Split rows by a splitter, whose own errors are told as being about ``cv``."""
    try:
        yield from cv.split(rows, y, groups)
    except ArgumentError:
        raise
    except ValueError as error:
        raise refusal("cv", "cannot split these samples: {}", shorten(str(error))) from error


def _folds(cv: Any) -> list[Any]:
    try:
        folds = [] if isinstance(cv, str | bytes) else list(cv)
    except TypeError:
        folds = []
    if not folds or not all(isinstance(fold, list | tuple) and len(fold) == 2 for fold in folds):
        raise refusal(
            "cv",
            "must be a splitter, a number of folds, or a list of pairs (train, test), got {}.",
            shown(cv),
        )
    return folds


def _number_subjects(groups: np.ndarray) -> tuple[int, np.ndarray]:
    """Return the number of subjects, and the place of each sample's subject among the sorted."""
    try:
        subjects, place = np.unique(groups, return_inverse=True)
    except TypeError as error:
        raise refusal(
            "groups", "holds ids that cannot be sorted ({}): use numbers or words.", error
        ) from error
    names = subjects.tolist()
    if all(isinstance(name, str) and name.isascii() and name.isdecimal() for name in names):
        by_size = sorted(range(len(names)), key=lambda i: (int(names[i]), names[i]))
        place = np.argsort(by_size)[place]
    return len(subjects), place


def _names(side: str, value: Any) -> list[Any]:
    """Return the parts that one side of a split names."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    names = list(value) if isinstance(value, list | tuple | set) else [value]
    if not names or not all(isinstance(name, Hashable) for name in names):
        raise refusal(side, "must be the name of a part or a list of names, got {}.", shown(value))
    return names
