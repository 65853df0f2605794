"""Cross-validated comparison of embedders, as `skfer evaluate` prints it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import accuracy_score, recall_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

from skfer.metrics import recall_at_k

N_NEIGHBORS = 5

CLASSIFIERS: dict[str, Callable[[], BaseEstimator]] = {
    "knn": lambda: KNeighborsClassifier(N_NEIGHBORS),
    "svm": lambda: SVC(class_weight="balanced"),
}
"""Names of the classifiers that follow an embedder, and how to make them."""

MEASURES = ("accuracy", "balanced_accuracy", "recall_at_1")
"""What is measured on the test part of each fold."""


_FEW_SUBJECTS = 5
_NOTHING_TO_FIND = (
    "recall@1 is not defined, since no image that is tested has another one of its class to find: "
    "left out of the mean"
)


@dataclass(frozen=True)
class Score:
    """What one method reached on one fold.

    Attributes
    ----------
    method : str
        Name of the embedder.
    fold : int
        Number of the fold, from 0.
    accuracy, balanced_accuracy : float
        Of the classifier on the embedded test part.
    recall_at_1 : float or None
        Share of test images whose nearest other test image, not of the same subject if
        subjects are known, has their label. Where fewer than five subjects are tested at a
        time, the training part is searched: among so few there may be nothing to find. None if
        there is nothing to find there either.
    fit_time : float
        Seconds to fit the embedder.
    images_per_second : float
        Speed of ``transform`` on the test part.
    n_train, n_test : int
        Sizes of the two parts.
    warnings : tuple of str
        What was warned of, for instance that the embedding collapsed.
    """

    method: str
    fold: int
    accuracy: float
    balanced_accuracy: float
    recall_at_1: float | None
    fit_time: float
    images_per_second: float
    n_train: int
    n_test: int
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a dict, for JSON."""
        return asdict(self)


def flat(X: NDArray[Any]) -> NDArray[Any]:
    """Images as rows of pixels."""
    return X.reshape(len(X), -1)


def pca_baseline(n_components: int = 100, random_state: int | None = None) -> Pipeline:
    """PCA on pixels: what a method must beat to be worth training.

    Parameters
    ----------
    n_components : int, default=100
        Components to keep, fewer if there are not so many images.
    random_state : int, optional
        Seed of the randomised solver.
    """
    return make_pipeline(FunctionTransformer(flat), _CappedPCA(n_components, random_state))


class _CappedPCA(TransformerMixin, BaseEstimator):
    """PCA with as many components as asked for, or as there are samples or features."""

    def __init__(self, n_components: int, random_state: int | None = None) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: NDArray[Any], y: Any = None):
        n = min(self.n_components, *X.shape)
        self.pca_ = PCA(n, random_state=self.random_state).fit(X)
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[Any]:
        return self.pca_.transform(X)


def score_fold(
    method: str,
    embedder: Any,
    classifier: BaseEstimator,
    X: NDArray[Any],
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    fold: int,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
) -> Score:
    """Fit an embedder and a classifier on one part of the data and measure them on the other.

    Everything runs on one thread of torch, so that folds can run side by side and a score
    does not depend on the number of cores.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # Recorded, since fits run in other processes, which would print them as they like.
        with warnings.catch_warnings(record=True) as caught:
            start = time.perf_counter()
            embedder = clone(embedder).fit(X[train], y[train])
            fit_time = time.perf_counter() - start
            Z_train = embedder.transform(X[train])
            start = time.perf_counter()
            Z_test = embedder.transform(X[test])
            speed = len(test) / (time.perf_counter() - start)
            predicted = clone(classifier).fit(Z_train, y[train]).predict(Z_test)
    finally:
        torch.set_num_threads(threads)
    recall = _recall_at_1(Z_train, Z_test, y, groups, train, test)
    told = [str(warning.message) for warning in caught]
    return Score(
        method,
        fold,
        float(accuracy_score(y[test], predicted)),
        balanced_accuracy(y[test], predicted),
        recall,
        fit_time,
        speed,
        len(train),
        len(test),
        tuple(dict.fromkeys(told if recall is not None else [*told, _NOTHING_TO_FIND])),
    )


def balanced_accuracy(y_true: NDArray[Any], y_predicted: NDArray[Any]) -> float:
    """Mean recall over the classes that are there; a fold of one subject may lack some."""
    labels = np.unique(y_true)
    return float(recall_score(y_true, y_predicted, labels=labels, average="macro"))


def _recall_at_1(
    Z_train: NDArray[Any],
    Z_test: NDArray[Any],
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
) -> float | None:
    others: dict[str, Any] = {}
    if groups is not None and len(np.unique(groups[test])) >= _FEW_SUBJECTS:
        others = {"groups": groups[test]}
    elif groups is not None:
        others = {"reference_embeddings": Z_train, "reference_labels": y[train]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        recall = float(recall_at_k(Z_test, y[test], **others))
    return None if np.isnan(recall) else recall


def check_folds(
    y: NDArray[Any], splits: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]], classifier: str
) -> None:
    """Raise ValueError if a fold has too little to train on: better before the first training.

    Parameters
    ----------
    y : array of shape (n,)
        Labels.
    splits : sequence of (train, test)
        Indices of each fold.
    classifier : {"knn", "svm"}
        What follows each embedder.
    """
    for fold, (train, _) in enumerate(splits):
        if len(np.unique(y[train])) < 2:
            raise ValueError(
                f"fold {fold} has one class to train on: give more images, fewer --folds, or "
                "another --protocol."
            )
        if classifier == "knn" and len(train) < N_NEIGHBORS:
            raise ValueError(
                f"fold {fold} has {len(train)} images to train on, and --classifier knn needs "
                f"{N_NEIGHBORS}: give more images (--max-per-class), or --classifier svm."
            )


def evaluate(
    methods: Mapping[str, Any],
    X: NDArray[Any],
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    splits: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    classifier: str = "knn",
    n_jobs: int = 1,
) -> Iterator[Score]:
    """Score every method on every fold, yielding each score as soon as it is there.

    Parameters
    ----------
    methods : mapping of str to transformer
        Unfitted embedders by name.
    X : array of shape (n, ...)
        Images.
    y : array of shape (n,)
        Labels.
    groups : array of shape (n,) or None
        Subjects; left out when looking for a face's nearest neighbour.
    splits : sequence of (train, test)
        Indices of each fold.
    classifier : {"knn", "svm"}, default="knn"
        What follows each embedder.
    n_jobs : int, default=1
        Fits to run side by side.

    Yields
    ------
    Score
        In no particular order.
    """
    follow = CLASSIFIERS[classifier]()
    jobs = [
        joblib.delayed(score_fold)(name, embedder, follow, X, y, groups, fold, train, test)
        for fold, (train, test) in enumerate(splits)
        for name, embedder in methods.items()
    ]
    parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    yield from parallel(jobs)


def training_warnings(scores: Sequence[Score]) -> list[str]:
    """Return what was warned of in training, with the methods and the number of folds.

    Parameters
    ----------
    scores : sequence of Score
        From :func:`evaluate`.
    """
    found: dict[str, tuple[set[str], set[int]]] = {}
    for score in sorted(scores, key=lambda s: (s.fold, s.method)):
        for text in score.warnings:
            methods, folds = found.setdefault(text, (set(), set()))
            methods.add(score.method)
            folds.add(score.fold)
    n_folds = len({score.fold for score in scores})
    return [
        f"{', '.join(sorted(methods))}; {len(folds)} of {n_folds} folds: {text}"
        for text, (methods, folds) in found.items()
    ]


def summarize(scores: Sequence[Score], methods: Sequence[str]) -> list[dict[str, Any]]:
    """Mean and standard deviation over folds, a row a method.

    Parameters
    ----------
    scores : sequence of Score
        From :func:`evaluate`.
    methods : sequence of str
        The rows wanted, in order.

    Returns
    -------
    list of dict
        ``method``; ``<measure>`` and ``<measure>_sd`` for each of the measures, None where no
        fold or only one has a value; ``fit_time`` and ``images_per_second``, means.
    """
    rows = []
    for method in methods:
        mine = [s.as_dict() for s in scores if s.method == method]
        row: dict[str, Any] = {"method": method}
        for measure in MEASURES:
            values = [s[measure] for s in mine if s[measure] is not None]
            row[measure] = float(np.mean(values)) if values else None
            row[f"{measure}_sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
        for measure in ("fit_time", "images_per_second"):
            row[measure] = float(np.mean([s[measure] for s in mine]))
        rows.append(row)
    return rows


def _with_spread(mean: float | None, spread: float | None) -> str:
    if mean is None:
        return "-"
    return f"{mean:.3f}" if spread is None else f"{mean:.3f} ± {spread:.3f}"


def as_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of :func:`summarize` as a table of text."""
    head = ["", "accuracy", "balanced accuracy", "recall@1", "fit", "images/s"]
    body = [
        [
            str(row["method"]),
            *(_with_spread(row[m], row[f"{m}_sd"]) for m in MEASURES),
            f"{row['fit_time']:.1f} s",
            f"{row['images_per_second']:,.0f}",
        ]
        for row in rows
    ]
    widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [head, *body]
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
