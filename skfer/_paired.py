"""Two methods that were tried on the same folds: their differences, and how sure these are."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from skfer._typing import NDArray

Record = Mapping[str, Any]
"""A fit: method, fold, seed, sizes of its parts and scores."""
Run = tuple[int, int]
"""Fold and seed: what fits of several methods have in common."""

_ROUNDING = 16 * np.finfo(float).eps
"""Share of the largest score; differences that are no larger may come from rounding alone."""


class Pair(NamedTuple):
    """Differences of two methods, fold by fold, or seed by seed of a single fold."""

    differences: NDArray[np.float64]  # NaN where one of the two has no score
    largest: float  # of the scores that they are made of
    n_train: float
    n_test: float  # 0 where the differences are of seeds alone
    by_seed: bool


class Mean(NamedTuple):
    """A mean and its standard error, which a single value has not."""

    mean: float
    error: float | None
    n: int


def run_of(record: Record) -> Run:
    """Return the fold and seed of a fit."""
    return record["fold"], record.get("seed") or 0


def common_runs(records: Iterable[Record], *methods: str) -> set[Run]:
    """Return the folds and seeds with which each of these methods was fitted."""
    records = list(records)
    return set.intersection(
        *({run_of(r) for r in records if str(r["method"]) == method} for method in methods)
    )


def scores_by_run(records: Iterable[Record], measure: str) -> dict[str, dict[Run, float]]:
    """Return the scores of each method, NaN where the measure is not defined."""
    found: dict[str, dict[Run, list[Any]]] = {}
    for record in records:
        runs = found.setdefault(str(record["method"]), {})
        runs.setdefault(run_of(record), []).append(record["scores"][measure])
    return {
        name: {run: _mean(values) for run, values in runs.items()} for name, runs in found.items()
    }


def _mean(values: Iterable[float | None]) -> float:
    there = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(there)) if there else np.nan


def are_of_seeds(runs: Collection[Run]) -> bool:
    """Whether several runs differ in their seed alone."""
    return len(runs) > 1 and len({fold for fold, _ in runs}) == 1


def by_unit(scores: Mapping[Run, float], runs: Collection[Run]) -> NDArray[np.float64]:
    """Return the mean score of each fold of these runs, or of each seed of their only fold."""
    place = int(are_of_seeds(runs))
    units = sorted({run[place] for run in runs})
    return np.array(
        [_mean(score for run, score in scores.items() if run[place] == unit) for unit in units]
    )


def pair_up(records: Sequence[Record], measure: str, method: str, reference: str) -> Pair:
    """Take the differences where both were fitted: what a seed does to both is no difference.

    Seeds of a fold are averaged, since their fits share all their data.
    """
    runs = common_runs(records, method, reference)
    both = [r for r in records if str(r["method"]) in (method, reference) and run_of(r) in runs]
    scores = scores_by_run(both, measure)
    ours, theirs = scores.get(method, {}), scores.get(reference, {})
    differences = {run: ours[run] - theirs[run] for run in runs}
    paired = [run for run, apart in differences.items() if np.isfinite(apart)]
    largest = max((abs(each[run]) for run in paired for each in (ours, theirs)), default=0.0)
    by_seed = are_of_seeds(runs)
    return Pair(
        by_unit(differences, runs),
        largest=largest,
        n_train=_mean(record["n_train"] for record in both),
        n_test=0.0 if by_seed else _mean(record["n_test"] for record in both),
        by_seed=by_seed,
    )


def corrected_mean(differences: NDArray[np.float64], largest: float, share: float) -> Mean:
    """Return the mean of differences over folds with the error of Nadeau and Bengio.

    Parameters
    ----------
    differences : ndarray of shape (n,)
        Those that are not finite are left out.
    largest : float
        Size of the largest score, which tells what may come from rounding.
    share : float
        Size of a fold's test part in terms of its training part's.

    Returns
    -------
    Mean
        Its mean is NaN without a difference.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning 52,
       2003, section 3.
    """
    there = differences[np.isfinite(differences)]
    rounding = _ROUNDING * largest
    # Means of the same scores, summed in another order, differ by rounding.
    there = np.where(np.abs(there) <= rounding, 0.0, there)
    n = len(there)
    if n < 2:
        return Mean(float(there.mean()) if n else np.nan, None, n)
    variance = 0.0 if np.ptp(there) <= rounding else there.var(ddof=1)
    return Mean(float(there.mean()), float(np.sqrt((1 / n + share) * variance)), n)
