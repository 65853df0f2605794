"""Whom a model fails: recall by class and subgroup, and how sure the gaps are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import t as student_t
from sklearn.utils import check_random_state

from skfer._typing import ArrayLike, NDArray
from skfer.evaluation._tables import Cell, Table, format_tables
from skfer.exceptions import ArgumentError
from skfer.validation import (
    check_groups,
    check_int,
    check_labels,
    check_random_seed,
    check_same_length,
    missing_mask,
    number_values,
)

FEWEST_SAMPLES = 30
"""A subgroup with fewer tells little."""
_DRAWS_AT_ONCE = 100
_Draw = Callable[[np.random.RandomState, int], NDArray[np.float64]]


@dataclass(frozen=True)
class SubgroupReport:
    """What :func:`subgroup_report` found; ``str(report)`` is the report as text.

    Parameters
    ----------
    subgroups : ndarray of shape (n_subgroups,)
        The subgroups, sorted.
    labels : ndarray of shape (n_classes,)
        The classes, sorted.
    n_samples : ndarray of shape (n_subgroups, n_classes), int
        Samples of each class in each subgroup.
    n_groups : ndarray of shape (n_subgroups,), int
        Persons in each subgroup; its samples where persons are not known.
    recall : ndarray of shape (n_subgroups, n_classes)
        Share of them that was recognized; nan where there are none.
    class_gap, class_gap_low, class_gap_high : ndarray of shape (n_subgroups, n_classes)
        Recall in the subgroup less that in all others, and the ends of its interval.
    gap, gap_low, gap_high : ndarray of shape (n_subgroups,)
        The mean of the gaps over the classes, and the ends of its interval.
    is_small : ndarray of shape (n_subgroups,), bool
        Subgroups of which little can be said.

    See Also
    --------
    subgroup_report : Makes it.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.evaluation import subgroup_report
    >>> y, age = np.tile([0, 1], 20), np.repeat(["old", "young"], 20)
    >>> report = subgroup_report(y, np.where(age == "old", 0, y), age, groups=np.arange(40))
    >>> report.recall.tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """

    subgroups: NDArray[Any]
    labels: NDArray[Any]
    n_samples: NDArray[np.int64]
    n_groups: NDArray[np.int64]
    recall: NDArray[np.float64]
    class_gap: NDArray[np.float64]
    class_gap_low: NDArray[np.float64]
    class_gap_high: NDArray[np.float64]
    gap: NDArray[np.float64]
    gap_low: NDArray[np.float64]
    gap_high: NDArray[np.float64]
    is_small: NDArray[np.bool_]

    def tables(self, names: Sequence[str] | None = None) -> list[Table]:
        """Return the report as tables.

        Parameters
        ----------
        names : sequence of str, default=None
            Names of the classes, in the order of ``labels``; None takes the labels.

        Returns
        -------
        list of Table
            Gaps, and recall by class.
        """
        rows = [
            f"{name} *" if small else str(name)
            for name, small in zip(self.subgroups, self.is_small, strict=True)
        ]
        note = " (* too small to tell)" if self.is_small.any() else ""
        gaps = [
            [Cell(int(n.sum()), form=",.0f"), Cell(int(p), form=",.0f"), _cell(np.nanmean(r))]
            + [_cell(value, "+.3f") for value in ends]
            for n, p, r, *ends in zip(
                self.n_samples,
                self.n_groups,
                self.recall,
                self.gap,
                self.gap_low,
                self.gap_high,
                strict=True,
            )
        ]
        recalls = [[_cell(value) for value in row] for row in self.recall]
        heads = ["faces", "persons", "mean recall", "gap to the others", "95 % from", "to"]
        classes = [str(name) for name in (self.labels if names is None else names)]
        return [
            Table(f"subgroups{note}", heads, list(zip(rows, gaps, strict=True))),
            Table("recall of each class", classes, list(zip(rows, recalls, strict=True))),
        ]

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return format_tables(self.tables())


def _cell(value: float, form: str = ".3f") -> Cell:
    return Cell(None if np.isnan(value) else float(value), form=form)


def subgroup_report(
    y: ArrayLike,
    y_pred: ArrayLike,
    subgroups: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_bootstrap: int = 1000,
    min_samples: int = FEWEST_SAMPLES,
    min_groups: int = 5,
    random_state: int | np.random.RandomState | None = None,
) -> SubgroupReport:
    """Compare how well the classes are recognized in subgroups, such as of age or skin tone.

    Parameters
    ----------
    y, y_pred : array-like of shape (n,)
        Labels, and what was predicted.
    subgroups : array-like of shape (n,)
        The subgroup of each sample; one without (None, nan, "") is left out.
    groups : array-like of shape (n,), default=None
        Persons. Intervals come from drawing persons again and again, since the faces of one are
        not independent; None draws samples.
    n_bootstrap : int, default=1000
        Number of draws, at least 2.
    min_samples, min_groups : int, default=30, 5
        A subgroup with fewer samples or persons is marked as small.
    random_state : int, RandomState or None, default=None
        Draws the persons.

    Returns
    -------
    SubgroupReport
        ``print(report)`` shows it. Intervals are of one gap each: of many subgroups and classes
        some gap lies outside by chance.

    Raises
    ------
    ArgumentError
        If the columns are not of one length, or there are fewer than two subgroups.

    See Also
    --------
    compare : Fits, whose predictions it takes.

    Notes
    -----
    An interval is the gap and, on both sides of it, its standard deviation over the draws times
    the 97.5 % quantile of Student's t, with one degree of freedom less than there are persons in
    the subgroup, or in the others if they are fewer. A class in which every face of a subgroup is
    right would not vary: for each draw, a class of a subgroup gets one right and one wrong face
    of persons of their own, as Agresti and Caffo [1]_ do it. Of a single person nothing is
    known, and the interval is from -1 to 1.

    In simulations without a true gap at most about one interval in twenty leaves out 0 (the tests
    have some), and fewer where persons are few: a gap that few persons show may be true though its
    interval holds 0.
    Intervals that are the middle of the draws leave it out several times as often there, as a class
    of which all faces are recognized has no spread.

    References
    ----------
    .. [1] A. Agresti, B. Caffo, "Simple and effective confidence intervals for proportions and
       differences of proportions result from adding two successes and two failures", The
       American Statistician 54(4), 2000.

    Examples
    --------
    >>> from skfer.evaluation import subgroup_report
    >>> y = ["joy", "rage"] * 4
    >>> y_pred = ["joy", "rage"] * 2 + ["joy", "joy"] * 2
    >>> report = subgroup_report(y, y_pred, ["young"] * 4 + ["old"] * 4, random_state=0)
    >>> report.subgroups.tolist(), report.recall.tolist(), report.gap.tolist()
    (['old', 'young'], [[1.0, 0.0], [1.0, 1.0]], [-0.5, 0.5])
    """
    truth = check_labels(y, "y")
    check_same_length(y=truth, y_pred=y_pred, subgroups=subgroups, groups=groups)
    check_int(n_bootstrap, "n_bootstrap", at_least=2, at_most=10**6)
    check_int(min_samples, "min_samples", at_least=0)
    check_int(min_groups, "min_groups", at_least=0)
    check_random_seed(random_state)
    predicted = check_labels(y_pred, "y_pred", allow_unlabeled=True)
    true, other = number_values(truth, predicted, names=["y", "y_pred"])
    right = true == other
    part = check_groups(subgroups, "subgroups", allow_missing=True)
    people = None if groups is None else check_groups(groups)
    known = ~missing_mask(part)
    names, part_codes = np.unique(part[known], return_inverse=True)
    labels, label_codes = np.unique(truth[known], return_inverse=True)
    if len(names) < 2:
        raise ArgumentError("{subgroups} has {}: give at least two.", _told(names))
    shape = (len(names), len(labels), 2)
    cells = np.ravel_multi_index((part_codes, label_codes, right[known].astype(np.intp)), shape)
    total = _right_and_all(np.bincount(cells, minlength=np.prod(shape)).reshape(shape))
    class_gap = _class_gaps(total)
    gap = _mean_over_classes(class_gap)
    person_codes = np.arange(len(cells))
    if people is not None:
        _, person_codes = np.unique(people[known], return_inverse=True)
    draw = _drawn_samples(cells) if people is None else _drawn_persons(person_codes, cells)
    draws = _bootstrap(draw, shape, n_bootstrap, check_random_state(random_state))
    _, class_fewest = _n_persons(person_codes, part_codes, label_codes)
    n_groups, fewest = _n_persons(person_codes, part_codes, np.zeros_like(label_codes))
    n_groups, fewest = n_groups[:, 0], fewest[:, 0]
    class_low, class_high = _interval(class_gap, draws, class_fewest)
    low, high = _interval(gap, _mean_over_classes(draws), fewest)
    return SubgroupReport(
        subgroups=names,
        labels=labels,
        n_samples=total[..., 1].astype(np.int64),
        n_groups=n_groups,
        recall=_ratio(total),
        class_gap=class_gap,
        class_gap_low=class_low,
        class_gap_high=class_high,
        gap=gap,
        gap_low=low,
        gap_high=high,
        is_small=(total[..., 1].sum(axis=1) < min_samples) | (n_groups < min_groups),
    )


def _told(names: NDArray[Any]) -> str:
    return f"one value, {names[0]!r}" if len(names) else "no value"


def _right_and_all(cells: NDArray[Any]) -> NDArray[np.float64]:
    """Turn counts of wrong and right predictions, in the last axis, to those of right and all."""
    return np.stack([cells[..., 1], cells.sum(axis=-1)], axis=-1).astype(np.float64)


def _n_persons(
    person: NDArray[np.intp], part: NDArray[np.intp], label: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Count the persons of each class in each subgroup, and in the others if they are fewer.

    There is no table with a row for each person: of many persons and classes it would be large.
    """
    shape = (part.max() + 1, label.max() + 1)
    pair = person * shape[1] + label
    pairs, parts = np.divmod(np.unique(pair * shape[0] + part), shape[0])
    found, which, times = np.unique(pairs, return_inverse=True, return_counts=True)
    cells = parts * shape[1] + pairs % shape[1]
    own = np.bincount(cells, minlength=np.prod(shape)).reshape(shape)
    alone = np.bincount(cells[times[which] == 1], minlength=np.prod(shape)).reshape(shape)
    others = np.bincount(found % shape[1], minlength=shape[1]) - alone
    return own, np.minimum(own, others)


def _ratio(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    right, total = counts[..., 0], counts[..., 1]
    return np.divide(right, total, out=np.full_like(right, np.nan), where=total > 0)


def _class_gaps(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Recall in each subgroup less that in all others; counts are (..., subgroup, class, 2)."""
    others = counts.sum(axis=-3, keepdims=True) - counts
    return _ratio(counts) - _ratio(others)


def _mean_over_classes(gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    n = np.isfinite(gaps).sum(axis=-1)
    total = np.nansum(gaps, axis=-1)
    return np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)


def _drawn_persons(person: NDArray[np.intp], cells: NDArray[np.intp]) -> _Draw:
    """Return what draws as many persons, with replacement, and counts what is in each cell."""
    n_persons = person.max() + 1
    counts = csr_array((np.ones(len(cells)), (cells, person)))

    def draw(rng: np.random.RandomState, size: int) -> NDArray[np.float64]:
        times = rng.multinomial(n_persons, np.full(n_persons, 1 / n_persons), size=size)
        return (counts @ times.T).T

    return draw


def _drawn_samples(cells: NDArray[np.intp]) -> _Draw:
    """Return what draws as many samples: those of a cell are alike, so cells are drawn."""
    counts = np.bincount(cells)
    there = np.flatnonzero(counts)

    def draw(rng: np.random.RandomState, size: int) -> NDArray[np.float64]:
        drawn = np.zeros((size, len(counts)))
        drawn[:, there] = rng.multinomial(len(cells), counts[there] / len(cells), size=size)
        return drawn

    return draw


def _bootstrap(
    draw: _Draw, shape: tuple[int, ...], n: int, rng: np.random.RandomState
) -> NDArray[np.float64]:
    """Gaps by class for `n` sets that are drawn: of subgroup, class, and wrong or right."""
    gaps = []
    for start in range(0, n, _DRAWS_AT_ONCE):
        size = min(_DRAWS_AT_ONCE, n - start)
        cells = np.zeros((size, np.prod(shape)))
        found = draw(rng, size)
        cells[:, : found.shape[1]] = found  # the last cells may be empty
        drawn = _right_and_all(cells.reshape(size, *shape))
        gaps.append(_class_gaps(drawn + _added(drawn, rng)))
    return np.concatenate(gaps)


def _added(drawn: NDArray[np.float64], rng: np.random.RandomState) -> NDArray[np.float64]:
    """Draw, for a class of a subgroup, one right and one wrong face, where it has faces."""
    times = rng.poisson(1.0, size=drawn.shape)  # how often one of many persons is drawn
    right, wrong = times[..., 0], times[..., 1]
    return np.stack([right, right + wrong], axis=-1) * (drawn[..., 1:] > 0)


def _interval(
    gap: NDArray[np.float64], draws: NDArray[np.float64], fewest: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of Student's interval, nan where there is no gap.

    `fewest` says on how many persons a gap rests: of the subgroup, or of the others.
    """
    known = np.isfinite(gap) & (fewest > 1) & (np.isfinite(draws).sum(axis=0) > 1)
    spread = np.nanstd(np.where(known, draws, 0.0), axis=0)
    reach = student_t.ppf(0.975, np.maximum(fewest - 1, 1)) * spread
    reach = np.where(known, reach, 2.0)  # as far as a gap can be
    return np.maximum(gap - reach, -1), np.minimum(gap + reach, 1)
