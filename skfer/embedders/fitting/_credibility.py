"""What is to be believed of labels of which many may be wrong."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from skfer._typing import NDArray

CELLS = 6
"""In how many parts of its height and width a map of features is averaged: it matters where in a
face a fold lies."""
PRESUMED = 0.3
"""The share of wrong labels that is presumed, where none is given."""
_SPREAD = 0.15
"""The standard deviation of the presumption where the share is found: it decides only where
features tell nothing."""
_STRENGTHS = (0.3, 1.0, 3.0)
"""Inverse regularizations of the logistic regression among which the labels choose, times the
number of features."""
_LEARNED_FROM = 4_000
"""So many samples are learned from at most: more of them would take long and tell little."""
_FOLDS = 5
_LEAST = 1e-3


def credible_votes(
    features: NDArray[np.float32],
    codes: NDArray[np.intp],
    n_classes: int,
    label_noise: bool | float | str,
    random_state: np.random.RandomState,
) -> tuple[NDArray[np.float32], float]:
    """Return how probable each class is, given a label that may be wrong and the features.

    A logistic regression on features that have not been trained on the labels, by folds, says
    what it finds of each sample without having seen its label. A wrong label is presumed to be
    any other class with equal probability; Bayes' rule joins what was found with the label.

    Parameters
    ----------
    features : array of shape (n, n_features)
        Standardized.
    codes : array of int of shape (n,)
        Given class of each sample, -1 for one without a label.
    n_classes : int
        Number of classes.
    label_noise : True, float or "auto"
        The share of wrong labels; True is 0.3. "auto" finds the most probable one, given what was
        found of the samples and a presumption of 0.3 ± 0.15.
    random_state : RandomState
        Draws the folds, and samples where there are very many.

    Returns
    -------
    votes : array of float32 of shape (n, n_classes)
        Rows sum to 1; those of samples without a label are 0. Labels of a class of fewer than five
        samples are believed.
    share : float
        The share of wrong labels that was given or found; 0 where all are believed.
    """
    votes = np.zeros((len(codes), n_classes), np.float32)
    labeled = np.flatnonzero(codes >= 0)
    votes[labeled, codes[labeled]] = 1
    counts = np.bincount(codes[labeled], minlength=n_classes)
    classes = np.flatnonzero(counts >= _FOLDS)
    if len(classes) < 2:
        return votes, 0.0
    judged = np.flatnonzero(np.isin(codes, classes))
    given = np.searchsorted(classes, codes[judged])
    found = _out_of_fold(features[judged], given, random_state)
    share = _share_of(label_noise, found, given, random_state)
    votes[np.ix_(judged, classes)] = _joined(found, given, share)
    return votes, share


def _out_of_fold(
    features: NDArray[np.float32], given: NDArray[np.intp], random_state: np.random.RandomState
) -> NDArray[np.float64]:
    """Return the posterior of the given labels; classes count alike, as they do in the batches."""
    splitter = StratifiedKFold(_FOLDS, shuffle=True, random_state=random_state)
    folds = list(splitter.split(given, given))
    rows = np.arange(len(given))
    best, best_fit = np.empty(0), -np.inf
    for strength in _STRENGTHS:
        model = LogisticRegression(
            C=strength / features.shape[1], class_weight="balanced", max_iter=1000
        )
        posterior = np.empty((len(given), given.max() + 1))
        for others, fold in folds:
            learned = _at_most(random_state.permutation(others), given)
            posterior[fold] = model.fit(features[learned], given[learned]).predict_proba(
                features[fold]
            )
        fit = np.log(posterior[rows, given]).mean()
        if fit > best_fit:
            best, best_fit = posterior, fit
    return best


def _at_most(shuffled: NDArray[np.intp], given: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return as many rows as are worth their time, in order, all of the rare classes first."""
    place = np.empty(len(shuffled), np.intp)
    for label in np.unique(given):
        of_class = np.flatnonzero(given[shuffled] == label)
        place[of_class] = np.arange(len(of_class))
    return np.sort(shuffled[np.argsort(place, kind="stable")[:_LEARNED_FROM]])


def _share_of(
    label_noise: bool | float | str,
    found: NDArray[np.float64],
    given: NDArray[np.intp],
    random_state: np.random.RandomState,
) -> float:
    if label_noise == "auto":
        return _wrong_share(found, given, random_state)
    return PRESUMED if isinstance(label_noise, bool | np.bool_) else float(label_noise)


def _wrong_share(
    found: NDArray[np.float64], given: NDArray[np.intp], random_state: np.random.RandomState
) -> float:
    """Return the share of wrong labels that is most probable, by what was found of each sample.

    How sharp that should be, since regularization has blurred it, and how frequent the classes are
    is fitted at the same time: either would be taken for mistakes.
    """
    frequency = np.log(np.bincount(given) / len(given))
    rows = random_state.permutation(len(given))[:_LEARNED_FROM]
    found, given = np.log(found[rows].clip(_LEAST**2)), given[rows]
    n_classes = len(frequency)
    # Of two classes nearly half of the labels can be wrong, not more.
    most = 0.9 * (1 - 1 / n_classes)
    known = (found, np.eye(n_classes)[given], frequency, most)
    start = np.r_[logit(PRESUMED / most), np.zeros(1 + n_classes)]
    bounds = [(-12, 12), (-3, 4), *[(-5, 5)] * n_classes]
    best = minimize(_improbability, start, known, jac=True, bounds=bounds).x[0]
    return float(most * expit(best))


def _improbability(
    chosen: NDArray[np.float64],
    found: NDArray[np.float64],
    labels: NDArray[np.float64],
    frequency: NDArray[np.float64],
    most: float,
) -> tuple[float, NDArray[np.float64]]:
    """Return minus the logarithm of how probable the labels are, and its gradient.

    `chosen` is the logit of the share of `most`, the logarithm of how much sharper `found`, a
    logarithm itself, should be, and a shift of each class.
    """
    n_classes = len(frequency)
    share, power, shifts = most * expit(chosen[0]), chosen[1], chosen[2:]
    posterior = softmax(np.exp(power) * found + frequency + shifts, axis=1)
    right = (posterior * labels).sum(axis=1)
    other = share / (n_classes - 1)
    seen = other + (1 - share - other) * right
    doubt = (share - PRESUMED) / _SPREAD
    value = doubt**2 / 2 + 0.01 * (power**2 + shifts @ shifts) - np.log(seen).sum()
    slopes = ((other + share - 1) / seen * right)[:, None] * (labels - posterior)
    by_share = doubt / _SPREAD + ((right - (1 - right) / (n_classes - 1)) / seen).sum()
    gradient = [
        by_share * share * (1 - share / most),
        (slopes * found).sum() * np.exp(power) + 0.02 * power,
        *(slopes.sum(axis=0) + 0.02 * shifts),
    ]
    return float(value), np.array(gradient)


def _joined(
    found: NDArray[np.float64], given: NDArray[np.intp], share: float
) -> NDArray[np.float64]:
    """Join the posterior of given labels with the labels themselves, by Bayes' rule."""
    n_classes = found.shape[1]
    right = 1 - share
    other = share / (n_classes - 1)
    # What was found is of given labels; of right ones it would be this much sharper.
    sharper = ((found - other) / (right - other)).clip(_LEAST)
    joined = sharper * np.where(np.arange(n_classes) == given[:, None], right, other)
    return joined / joined.sum(axis=1, keepdims=True)
