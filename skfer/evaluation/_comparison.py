"""Every method on every fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from skfer.evaluation._fits import Fit, Task, run_task
from skfer.exceptions import ArgumentError

N_NEIGHBORS = 5

_CLASSIFIERS: dict[str, Callable[[], BaseEstimator]] = {
    "knn": lambda: KNeighborsClassifier(N_NEIGHBORS),
    "svm": lambda: SVC(class_weight="balanced"),
}


def compare(
    methods: Mapping[str, Any],
    X: NDArray[Any],
    y: NDArray[Any],
    splits: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    *,
    groups: NDArray[Any] | None = None,
    classifier: str = "knn",
    n_jobs: int = 1,
) -> Iterator[Fit]:
    """Fit every method on every fold, yielding each fit as soon as it is there.

    Parameters
    ----------
    methods : mapping of str to transformer
        Unfitted embedders by name.
    X : ndarray of shape (n, ...)
        Images.
    y : ndarray of shape (n,)
        Labels.
    splits : sequence of (train, test)
        Indices of each fold.
    groups : ndarray of shape (n,), default=None
        Subjects; a face's own is left out when its nearest neighbors are looked for.
    classifier : {"knn", "svm"}, default="knn"
        What follows each embedder.
    n_jobs : int, default=1
        Fits to run side by side.

    Yields
    ------
    Fit
        In no particular order.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.evaluation import compare, make_splits, pca_baseline
    >>> faces = make_expressions(12, 1, image_size=24, random_state=0)
    >>> splits = make_splits(faces, n_folds=2)
    >>> fits = compare({"pca": pca_baseline()}, faces.images, faces.target, splits)
    >>> sorted(fit.n_test for fit in fits)
    [48, 48]
    """
    follow = _CLASSIFIERS[classifier]()
    tasks = [
        Task(name, embedder, follow, fold, train, test)
        for fold, (train, test) in enumerate(splits)
        for name, embedder in methods.items()
    ]
    parallel = joblib.Parallel(n_jobs=min(n_jobs, len(tasks)), return_as="generator_unordered")
    yield from parallel(joblib.delayed(run_task)(task, X, y, groups) for task in tasks)


def check_folds(
    y: NDArray[Any], splits: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]], classifier: str
) -> None:
    """Raise ValueError if a fold has too little to train on: better before the first training.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Labels.
    splits : sequence of (train, test)
        Indices of each fold.
    classifier : {"knn", "svm"}
        What follows each embedder.
    """
    for fold, (train, _) in enumerate(splits):
        if len(np.unique(y[train])) < 2:
            raise ArgumentError(
                "fold {} has one class to train on: give more images, fewer folds ({n_folds}), or "
                "another {protocol}.",
                fold,
            )
        if classifier == "knn" and len(train) < N_NEIGHBORS:
            raise ArgumentError(
                "fold {} has {} images to train on, and {classifier=knn} needs {}: give more "
                "images ({max_per_class}), or {classifier=svm}.",
                fold,
                len(train),
                N_NEIGHBORS,
            )
