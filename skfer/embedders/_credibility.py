"""What is to be believed of labels of which many may be wrong."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from skfer._typing import NDArray

CELLS = 6
"""In how many parts of its height and width a map of features is averaged: it matters where in a
face a fold lies."""
PRESUMED = 0.3
"""The share of wrong labels that is presumed."""
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
    random_state: np.random.RandomState,
) -> NDArray[np.float32]:
    """Return how probable each class is, given a label that may be wrong and the features.

    A logistic regression on features that have not been trained on the labels, by folds, says
    what it finds of each sample without having seen its label. A label is presumed to be wrong
    with a probability of 0.3, and then to be any other class; Bayes' rule joins both.

    Parameters
    ----------
    features : array of shape (n, n_features)
        Standardized.
    codes : array of int of shape (n,)
        Given class of each sample, -1 for one without a label.
    n_classes : int
        Number of classes.
    random_state : RandomState
        Draws the folds.

    Returns
    -------
    array of float32 of shape (n, n_classes)
        Rows sum to 1; those of samples without a label are 0. Labels of a class of fewer than five
        samples are believed.
    """
    votes = np.zeros((len(codes), n_classes), np.float32)
    labeled = np.flatnonzero(codes >= 0)
    votes[labeled, codes[labeled]] = 1
    counts = np.bincount(codes[labeled], minlength=n_classes)
    classes = np.flatnonzero(counts >= _FOLDS)
    if len(classes) < 2:
        return votes
    judged = np.flatnonzero(np.isin(codes, classes))
    given = np.searchsorted(classes, codes[judged])
    found = _out_of_fold(features[judged], given, random_state)
    votes[np.ix_(judged, classes)] = _joined(found, given)
    return votes


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


def _joined(found: NDArray[np.float64], given: NDArray[np.intp]) -> NDArray[np.float64]:
    """Join the posterior of given labels with the labels themselves, by Bayes' rule."""
    n_classes = found.shape[1]
    right = 1 - PRESUMED
    other = PRESUMED / (n_classes - 1)
    # What was found is of given labels; of right ones it would be this much sharper.
    sharper = ((found - other) / (right - other)).clip(_LEAST)
    joined = sharper * np.where(np.arange(n_classes) == given[:, None], right, other)
    return joined / joined.sum(axis=1, keepdims=True)
