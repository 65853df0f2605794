"""Whether one method is better than another, when both were tried on the same folds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student_t

from skfer._paired import Mean, Run, common_runs, corrected_mean, pair_up
from skfer._typing import ArrayLike
from skfer.evaluation._checks import check_fits, check_known
from skfer.evaluation._fits import Fit
from skfer.exceptions import ArgumentError
from skfer.validation import as_array, check_real


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
    largest = float(np.abs([ours, theirs]).max())
    return _tested(corrected_mean(ours - theirs, largest, n_test / n_train))


def _tested(found: Mean) -> PairedDifference:
    """Test whether a mean is 0, by Student's t."""
    mean, error, n = found
    if error is None:
        return PairedDifference(mean, None, None, None, n)
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
    pair = pair_up([vars(fit) for fit in fits], measure, method, reference)
    share = pair.n_test / pair.n_train if pair.differences.size else 0.0
    found = corrected_mean(pair.differences, pair.largest, share)
    return _tested(found) if found.n else None


def shared_runs(fits: Sequence[Fit], *methods: str) -> set[Run]:
    """Return the folds and seeds, as pairs, with which each of these methods was fitted."""
    return common_runs([vars(fit) for fit in fits], *methods)
