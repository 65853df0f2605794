"""One method fitted on one fold, and what it reached."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from numbers import Number
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone

from skfer._typing import NDArray
from skfer.embedders.composed._groups import told_groups
from skfer.evaluation._measures import measure_embedding, measure_posterior, measure_predictions
from skfer.evaluation._recording import recorded_warnings
from skfer.evaluation._votes import Votes, told_votes

_NOTHING_TO_FIND = (
    "recall@k is not defined, since no image that is tested has another one of its class to find: "
    "left out of the mean"
)


@dataclass(frozen=True)
class Fit:
    """What one method reached on one fold.

    Parameters
    ----------
    method : str
        Its name.
    fold : int
        Number of the fold, from 0.
    seed : int or None
        What the training was seeded with; None as the method itself says.
    scores : dict of str to float or None
        Of each measure, on the test part; None where it is not defined. Where fewer than five
        groups are tested at a time, retrieval searches the training part: among so few there
        may be nothing to find.
    predicted : list
        The label predicted for each image of the test part, in its order.
    fit_time : float
        Seconds to fit the embedder.
    images_per_second : float
        Speed of ``transform`` on the test part.
    n_train, n_test : int
        Sizes of the two parts, without samples that have no label.
    warnings : tuple of str
        What was warned of, for instance that the embedding collapsed.
    points : list of (float, float), default=None
        The test part's embedding in the plane of its two main components; of the first fold and
        seed only.
    n_unlabeled : int, default=0
        How many samples without a label the method learned from beside the others.
    place : int, default=0
        Of the method among those that were compared: fits come in any order, tables in this one.

    See Also
    --------
    compare : Makes them.
    summarize : Means over them.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.evaluation import compare, make_methods, make_splits
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> splits = make_splits(faces, n_folds=2)
    >>> methods = make_methods(["pca"])
    >>> fits = list(compare(methods, faces.images, faces.target, splits))
    >>> fits[0].method, fits[0].fold, fits[0].n_test
    ('pca', 0, 24)
    """

    method: str
    fold: int
    seed: int | None
    scores: dict[str, float | None]
    predicted: list[Any] = field(repr=False)
    fit_time: float
    images_per_second: float
    n_train: int
    n_test: int
    warnings: tuple[str, ...] = ()
    points: list[list[float]] | None = field(default=None, repr=False)
    n_unlabeled: int = 0
    place: int = field(default=0, repr=False)


@dataclass(frozen=True)
class Task:
    """One fit to do: a method, and the samples that it is trained and tested on.

    Of those that it is trained on `known` have a label; None is all.
    """

    method: str
    embedder: Any
    classifier: BaseEstimator | None  # None is the prediction of the embedder itself
    fold: int
    seed: int | None
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    with_points: bool = False
    known: NDArray[np.intp] | None = None
    with_votes: bool = False
    place: int = 0


def run_task(
    task: Task,
    X: NDArray[Any],
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    votes: Votes | None = None,
) -> Fit:
    """Fit an embedder and a classifier on one part of the data and measure them on the other.

    Everything runs on one thread of torch, so that fits can run side by side and a score does
    not depend on the number of cores.
    """
    train, test = task.train, task.test
    known = train if task.known is None else task.known
    y_known, y_test = _labels_of(y, known), _labels_of(y, test)
    # Recorded, since fits run in other processes, which would print them as they like.
    with _one_thread(), recorded_warnings() as told:
        start = time.perf_counter()
        target = y_known if len(known) == len(train) else y[train]
        beside = _beside(task, groups, votes)
        embedder = seeded_clone(task.embedder, task.seed).fit(X[train], target, **beside)
        fit_time = time.perf_counter() - start
        Z_known = embedder.transform(X[known])
        start = time.perf_counter()
        Z_test = embedder.transform(X[test])
        speed = len(test) / (time.perf_counter() - start)
        if task.classifier is None:
            predicted = embedder.predict(X[test])
        else:
            predicted = clone(task.classifier).fit(Z_known, y_known).predict(Z_test)
        scores = (
            measure_predictions(y_test, predicted)
            | measure_embedding(
                Z_known, Z_test, y_known, y_test, None if groups is None else groups[test]
            )
            | measure_posterior(embedder, X[test], y_test)
        )
    if scores["recall_at_1"] is None:
        told.append(_NOTHING_TO_FIND)
    return Fit(
        method=task.method,
        fold=task.fold,
        seed=task.seed,
        scores=scores,
        predicted=predicted.tolist(),
        fit_time=fit_time,
        images_per_second=speed,
        n_train=len(known),
        n_test=len(test),
        warnings=tuple(dict.fromkeys(told)),
        points=_in_the_plane(Z_test) if task.with_points else None,
        n_unlabeled=len(train) - len(known),
        place=task.place,
    )


def _beside(task: Task, groups: NDArray[Any] | None, votes: Votes | None) -> dict[str, Any]:
    """Return what the embedder is told in `fit` beside labels."""
    told = told_groups(task.embedder, None if groups is None else groups[task.train])
    if votes is None or not task.with_votes:
        return told
    return told | told_votes(task.embedder, votes.told(task.train))


def _labels_of(y: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
    """Return the labels of rows that have one, in the type that they have without gaps."""
    labels = y[rows]
    if labels.dtype == object and all(isinstance(label, Number) for label in labels):
        return np.array(labels.tolist())
    return labels


def seeded_clone(embedder: Any, seed: int | None) -> Any:
    """Return an unfitted copy in which every ``random_state`` is `seed`, unless that is None."""
    copy = clone(embedder)
    if seed is None:
        return copy
    names = [
        name
        for name in copy.get_params()
        if name == "random_state" or name.endswith("__random_state")
    ]
    return copy.set_params(**dict.fromkeys(names, seed))


def _in_the_plane(Z: NDArray[Any]) -> list[list[float]]:
    """Return the two main coordinates, to the digits that a picture shows."""
    # Not by PCA, which warns of an embedding that has collapsed to a point.
    U, s, _ = np.linalg.svd(Z.astype(np.float64) - Z.mean(axis=0), full_matrices=False)
    points = (U * s)[:, :2]
    padded = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    return np.round(padded, 4).tolist()


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
