"""Samples without a label: which methods learn from them, and the parts of a fold without them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.feature_selection import SelectorMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from skfer._typing import NDArray
from skfer.embedders import BaseEmbedder, WithLabels
from skfer.evaluation._checks import Split
from skfer.evaluation._votes import Votes, takes_votes
from skfer.validation import refusal


class Parts(NamedTuple):
    """What a method learns from in a fold, and what it is tested on."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    known: NDArray[np.intp] | None  # those of `train` that have a label; None for all


def parts_of(
    estimator: Any, split: Split, labeled: NDArray[np.bool_], votes: Votes | None
) -> Parts:
    """Return the rows of a fold that a method learns from, and those that it is tested on.

    What accepts no unlabeled samples learns from the others, and, if it is told votes, from what
    has votes.
    """
    train, test = split
    if labeled.all():
        return Parts(train, test, None)
    known = train[labeled[train]]
    if takes_unlabeled(estimator):
        learned = train
    elif votes is not None and takes_unlabeled(estimator, by_votes=True):
        learned = train[votes.are_there(train)]
    else:
        learned = known
    return Parts(learned, test[labeled[test]], known)


def takes_unlabeled(estimator: Any, *, by_votes: bool = False) -> bool:
    """Whether an unfitted method learns from samples without a label.

    With `by_votes`, whether it does where they have votes. In a pipeline no other step may use
    labels: it would take -1 for one more class.
    """
    if isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps if hasattr(step, "fit")]
        takes = [takes_unlabeled(step, by_votes=by_votes) for step in steps]
        others = [step for step, one in zip(steps, takes, strict=True) if not one]
        return any(takes) and not any(map(_uses_labels, others))
    if isinstance(estimator, WithLabels):
        return takes_unlabeled(estimator.embedder, by_votes=by_votes)
    if by_votes and isinstance(estimator, BaseEmbedder) and takes_votes(estimator):
        return True
    return bool(getattr(estimator, "accepts_unlabeled", False))


def _uses_labels(estimator: Any) -> bool:
    # A selection of features does without labels too, by its tags, and uses those that it gets.
    if isinstance(estimator, SelectorMixin) or not hasattr(estimator, "__sklearn_tags__"):
        return True
    return bool(get_tags(estimator).target_tags.required)


def check_labeled(y: NDArray[Any], splits: Sequence[Split], labeled: NDArray[np.bool_]) -> None:
    """Raise if unlabeled samples leave a fold nothing to learn, or nothing to test."""
    if labeled.all():
        return
    for fold, (train, test) in enumerate(splits):
        n_classes = len(set(y[train[labeled[train]]].tolist()))
        if n_classes < 2:
            raise refusal(
                "splits",
                "has {} to train on in fold {}: give folds with labels of two classes at least.",
                "labels of one class" if n_classes else "no labels",
                fold,
            )
        if not labeled[test].any():
            raise refusal("splits", "has no labels to test on in fold {}: give other folds.", fold)
