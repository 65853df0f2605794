"""The fits of an evaluation: two methods are compared where both were fitted."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError
from skfer.validation import as_list, check_choice, shown

Record = Mapping[str, Any]
Run = tuple[int, int]
"""Fold and seed: what fits of several methods have in common."""


class Pair(NamedTuple):
    """Differences of two methods."""

    differences: NDArray[np.float64]
    n_train: float
    n_test: float  # 0 where the differences are of seeds alone
    by_seed: bool


def check_fits(fits: Any, measure: str) -> list[Record]:
    """Return fits as dicts, method by method, if there are any and they have this measure."""
    records = [_record(fit) for fit in as_list(fits, "fits", "fits")]
    if not records:
        raise ArgumentError("{fits} is empty: there is nothing to compare.")
    check_choice(measure, "measure", list(records[0]["scores"]))
    return sorted(records, key=lambda record: record.get("place", 0))


def _record(fit: Any) -> Record:
    record = fit if isinstance(fit, Mapping) else getattr(fit, "__dict__", {})
    if "scores" not in record:
        raise ArgumentError(
            "{fits} must hold what skfer.evaluation.compare yields, got {}.", shown(fit)
        )
    return record


def scores_by_run(records: list[Record], measure: str) -> dict[str, dict[Run, float]]:
    """Return the scores of each method that has some; NaN where the measure is not defined."""
    found: dict[str, dict[Run, list[Any]]] = {}
    for record in records:
        runs = found.setdefault(_method_of(record), {})
        runs.setdefault(_run_of(record), []).append(record["scores"][measure])
    means = {
        name: {run: _mean(values) for run, values in runs.items()} for name, runs in found.items()
    }
    return {name: runs for name, runs in means.items() if np.isfinite([*runs.values()]).any()}


def _run_of(record: Record) -> Run:
    return record["fold"], record.get("seed") or 0


def _method_of(record: Record) -> str:
    return str(record["method"])


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


def pair_up(
    records: list[Record], runs: Mapping[str, Mapping[Run, float]], method: str, reference: str
) -> Pair:
    """Take the differences where both were fitted: what a seed does to both is no difference."""
    ours, theirs = runs[method], runs[reference]
    differences = {run: ours[run] - theirs[run] for run in ours if run in theirs}
    both = [
        r for r in records if _method_of(r) in (method, reference) and _run_of(r) in differences
    ]
    by_seed = are_of_seeds(differences)
    return Pair(
        by_unit(differences, differences),
        n_train=_mean(record["n_train"] for record in both),
        n_test=0.0 if by_seed else _mean(record["n_test"] for record in both),
        by_seed=by_seed,
    )
