"""Whether one method is better than another, when both were tried on the same folds."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t as student_t

from skfer._typing import ArrayLike
from skfer.evaluation._checks import check_fits, check_known
from skfer.evaluation._fits import Fit
from skfer.exceptions import ArgumentError
from skfer.validation import as_array, check_real

_ROUNDING = 16 * np.finfo(float).eps
"""Share of the largest score; differences that are no larger may come from rounding alone."""


class PairedDifference(NamedTuple):
    """A mean difference over folds and how sure it is.

    Attributes
    ----------
    mean : float
        Mean difference.
    error : float or None
        Its standard error, corrected; None of a single difference.
    t : float or None
        Their ratio.
    p_value : float or None
        Two-sided, by Student's t with n - 1 degrees of freedom.
    n : int
        Number of differences.

    See Also
    --------
    paired_difference : Makes it from scores.
    compare_with : Makes it from fits.

    Examples
    --------
    >>> from skfer.evaluation import paired_difference
    >>> found = paired_difference([0.6, 0.7, 0.8], [0.5, 0.5, 0.7], n_train=80, n_test=40)
    >>> round(found.mean, 3), found.n
    (0.133, 3)
    """

    mean: float
    error: float | None
    t: float | None
    p_value: float | None
    n: int


def paired_difference(
    scores: ArrayLike, reference: ArrayLike, *, n_train: float, n_test: float
) -> PairedDifference:
    """Mean difference of scores on the same folds, with the error of Nadeau and Bengio.

    The training sets of different folds overlap, so that scores are not independent and the
    usual error, sqrt(s² / n), is too small. It becomes sqrt((1/n + n_test/n_train) s²).

    Parameters
    ----------
    scores, reference : array-like of shape (n,)
        Scores of a method and of the one that it is compared with, fold by fold.
    n_train, n_test : float
        Sizes of a fold's two parts, or their means. ``n_test=0`` gives the usual error, for scores
        that differ in their seed alone.

    Returns
    -------
    PairedDifference
        Where all differences are equal, but for rounding, the error is 0, and the p value 0, or 1
        if they are 0.

    Raises
    ------
    ArgumentError
        If the scores are not as many, not finite or none, or a size makes no sense.

    See Also
    --------
    compare_with : The same from fits.
    skfer.inspection.ComparisonDisplay : Differences with their intervals.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning 52,
       2003, section 3 (the corrected resampled t-test).

    Examples
    --------
    >>> from skfer.evaluation import paired_difference
    >>> found = paired_difference([0.91, 0.92, 0.96], [0.90, 0.90, 0.93], n_train=80, n_test=40)
    >>> round(found.mean, 4), round(found.error, 4), round(found.p_value, 2)
    (0.02, 0.0091, 0.16)
    """
    ours, theirs = as_array(scores, "scores", float), as_array(reference, "reference", float)
    n_train, n_test = check_real(n_train, "n_train"), check_real(n_test, "n_test")
    if ours.shape != theirs.shape or ours.ndim != 1 or ours.size == 0:
        raise ArgumentError(
            "{scores} and {reference} must have a value for each fold, got shapes {} and {}.",
            ours.shape,
            theirs.shape,
        )
    if not np.isfinite([ours, theirs]).all():
        raise ArgumentError("{scores} and {reference} must be finite: leave other folds out.")
    if not (n_train > 0 and n_test >= 0):
        raise ArgumentError(
            "{n_train=} and {n_test=} are no sizes of two parts.", n_train=n_train, n_test=n_test
        )
    differences = ours - theirs
    # Means of the same scores, summed in another order, differ by rounding.
    rounding = _ROUNDING * np.maximum(np.abs(ours), np.abs(theirs)).max()
    differences[np.abs(differences) <= rounding] = 0
    n, mean = len(differences), float(differences.mean())
    if n == 1:
        return PairedDifference(mean, None, None, None, 1)
    variance = 0.0 if np.ptp(differences) <= rounding else differences.var(ddof=1)
    error = float(np.sqrt((1 / n + n_test / n_train) * variance))
    certain = error == 0 and mean != 0
    ratio = float(np.copysign(np.inf, mean)) if certain else mean / (error or 1)
    return PairedDifference(mean, error, ratio, float(2 * student_t.sf(abs(ratio), n - 1)), n)


def compare_with(
    fits: Sequence[Fit], method: str, reference: str, measure: str
) -> PairedDifference | None:
    """Compare two methods in one measure, fold by fold.

    Fits of a fold and seed that only one of the two has are left out, as when an evaluation was
    broken off: what a seed does to both is no difference. Seeds are averaged in each fold, since
    their fits share all their data. Where the two share but one fold, its seeds are compared, and
    the error is that of the training alone.

    Parameters
    ----------
    fits : sequence of Fit
        From :func:`compare`.
    method, reference : str
        The method, and what it is compared with.
    measure : str
        A key of ``fit.scores``.

    Returns
    -------
    PairedDifference or None
        None where no fold and seed has a value of both.

    See Also
    --------
    paired_difference : The same from scores.
    difference_table : All methods in a table.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.evaluation import compare, make_methods, make_splits
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> splits = make_splits(faces, n_folds=2)
    >>> methods = make_methods(["pca"])
    >>> fits = list(compare(methods, faces.images, faces.target, splits))
    >>> from skfer.evaluation import compare_with
    >>> compare_with(fits, "pca", "pca", "accuracy").mean  # from itself
    0.0
    """
    fits = check_fits(fits)
    check_known(measure, "measure", fits[0].scores)
    known = {fit.method for fit in fits}
    method, reference = (
        check_known(method, "method", known),
        check_known(reference, "reference", known),
    )
    pairs = common_runs(fits, method, reference)
    fits = [fit for fit in fits if fit.method in (method, reference) and run_of(fit) in pairs]
    by_seed = len({fold for fold, _ in pairs}) == 1
    scored = [fit for fit in fits if fit.scores[measure] is not None]
    shared = common_runs(scored, method, reference)
    if not shared:
        return None
    scored = [fit for fit in scored if run_of(fit) in shared]
    ours, theirs = (_per_unit(scored, name, measure, by_seed) for name in (method, reference))
    return paired_difference(
        [ours[unit] for unit in sorted(ours)],
        [theirs[unit] for unit in sorted(ours)],
        n_train=float(np.mean([fit.n_train for fit in fits])),
        n_test=0 if by_seed else float(np.mean([fit.n_test for fit in fits])),
    )


def common_runs(fits: Sequence[Fit], *methods: str) -> set[tuple[int, int]]:
    """Return the folds and seeds, as pairs, with which each of these methods was fitted."""
    return set.intersection(
        *({run_of(fit) for fit in fits if fit.method == method} for method in methods)
    )


def run_of(fit: Fit) -> tuple[int, int]:
    """Return what fits of several methods have in common: fold and seed."""
    return fit.fold, fit.seed or 0


def _per_unit(fits: Sequence[Fit], method: str, measure: str, by_seed: bool) -> dict[int, float]:
    """Return a method's mean score of each fold, or of each seed."""
    values: dict[int, list[Any]] = {}
    for fit in fits:
        if fit.method == method:
            fold, seed = run_of(fit)
            values.setdefault(seed if by_seed else fold, []).append(fit.scores[measure])
    return {unit: float(np.mean(scores)) for unit, scores in values.items()}
