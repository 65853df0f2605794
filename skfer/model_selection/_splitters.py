"""The field's protocols as scikit-learn splitters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import column_or_1d


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
    __metadata_request__split = {"groups": True}  # noqa: RUF012

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
        if not isinstance(self.n_splits, Integral) or self.n_splits < 2:
            raise ValueError(f"n_splits must be an int of at least 2, got {self.n_splits!r}.")
        if groups is None:
            raise ValueError(
                "groups is missing: SubjectKFold needs the subject of each sample, for example "
                "cross_validate(..., groups=bunch.groups)."
            )
        groups = column_or_1d(np.asarray(groups))
        n_subjects, subject = _number_subjects(groups)
        if self.n_splits > n_subjects:
            raise ValueError(
                f"n_splits={self.n_splits} is more than the {n_subjects} subjects in groups: ask "
                "for fewer folds."
            )
        for fold in range(self.n_splits):
            yield subject % self.n_splits == fold


class OfficialSplit(BaseCrossValidator):
    """One fold, the split that the data set's owners publish.

    Parameters
    ----------
    parts : array-like of shape (n_samples,)
        Part of each sample, such as ``bunch.split``: "train", "validation" or "test".
    train : str or sequence of str, default="train"
        Parts to train on, for example ``("train", "validation")``.
    test : str or sequence of str, default=None
        Parts to test on. None takes "test" if the set has it and else "validation": the owners
        of some sets (AffectNet, SFEW) keep the test labels back.

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
        y, groups : array-like of shape (n_samples,), default=None
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
            When X has another length than the split, a part does not occur, or one part is on
            both sides.
        """
        parts = column_or_1d(np.asarray(self.parts))
        if n_rows(X) != len(parts):
            raise ValueError(
                f"X has {n_rows(X)} rows but parts has {len(parts)}: take the rows of both alike, "
                "as in OfficialSplit(bunch.split[rows])."
            )
        train, test = self._sides(set(parts.tolist()))
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

    def _sides(self, known: set[str]) -> tuple[list[str], list[str]]:
        default = "test" if "test" in known else "validation"
        sides = {"train": self.train, "test": default if self.test is None else self.test}
        names = {}
        for side, value in sides.items():
            names[side] = [value] if isinstance(value, str) else list(value)
            missing = [name for name in names[side] if name not in known]
            if missing or not names[side]:
                raise ValueError(
                    f"{side}={value!r} does not fit parts, which holds "
                    f"{sorted(known, key=str)}: name parts that occur there."
                )
        both = sorted(set(names["train"]) & set(names["test"]))
        if both:
            raise ValueError(f"train and test both name {both}: give every part to one side.")
        return names["train"], names["test"]


def n_rows(X: ArrayLike) -> int:
    """Count the samples of anything that scikit-learn splits."""
    shape = getattr(X, "shape", None)
    return int(shape[0]) if shape else len(X)  # type: ignore[arg-type]


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
    return np.asarray(groups)[rows]


def is_missing(value: Any) -> bool:
    """Return whether a value stands for none: None, nan, pandas.NA or an empty string."""
    if value is None or (isinstance(value, str) and not value):
        return True
    try:
        return bool(value != value)
    except TypeError:  # what pandas.NA says of any comparison
        return True


def _number_subjects(groups: np.ndarray) -> tuple[int, np.ndarray]:
    """Return the number of subjects, and the place of each sample's subject among the sorted."""
    unknown = [row for row, value in enumerate(groups.tolist()) if is_missing(value)]
    if unknown:
        raise ValueError(
            f"groups names no subject for {len(unknown)} samples, such as sample {unknown[0]}: all "
            "of them would count as one person. Leave them out, or give each an id."
        )
    try:
        subjects, place = np.unique(groups, return_inverse=True)
    except TypeError as error:
        raise ValueError(
            f"groups mixes ids that cannot be sorted ({error}): use all numbers or all strings."
        ) from error
    names = subjects.tolist()
    if all(isinstance(name, str) and name.isascii() and name.isdecimal() for name in names):
        by_size = sorted(range(len(names)), key=lambda i: (int(names[i]), names[i]))
        place = np.argsort(by_size)[place]
    return len(subjects), place
