"""Every method on every fold."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.base import clone

from skfer._typing import NDArray
from skfer.evaluation._checks import (
    Split,
    check_known,
    check_methods,
    check_results,
    check_seed,
    check_splits,
)
from skfer.evaluation._classifiers import N_NEIGHBORS, make_classifier
from skfer.evaluation._finished_fits import ResultsFile, make_keys
from skfer.evaluation._fits import Fit, Task, run_task
from skfer.evaluation._names import CLASSIFIERS
from skfer.evaluation._progress import epochs_bar, n_epochs, watched
from skfer.evaluation._unlabeled import check_labeled, parts_of
from skfer.evaluation._votes import Votes, read_votes, takes_votes
from skfer.exceptions import ArgumentError
from skfer.validation import (
    as_array,
    as_list,
    check_flag,
    check_groups,
    check_int,
    check_labels,
    leave_out_unlabeled,
    unlabeled_mask,
)


def compare(
    methods: Mapping[str, Any],
    X: NDArray[Any],
    y: NDArray[Any],
    splits: Sequence[Split],
    *,
    groups: NDArray[Any] | None = None,
    votes: Any = None,
    classifier: str = "knn",
    seeds: Sequence[int] | None = None,
    n_jobs: int | None = None,
    results: str | os.PathLike[str] | None = None,
    verbose: bool = False,
) -> Iterator[Fit]:
    """Fit every method on every fold, yielding each fit as soon as it is there.

    The arguments are checked at once, and nothing is fitted before the first fit is asked for.

    Parameters
    ----------
    methods : mapping of str to transformer
        Unfitted embedders by name.
    X : array-like of shape (n, ...)
        Images, or paths.
    y : array-like of shape (n,)
        Labels. Samples without one (a missing value, or -1 beside two other labels) are for
        methods that learn from them, as :class:`~skfer.GaussianMetricEmbedder` does, alone or in a
        pipeline whose other steps use no labels. All others, and classifiers, learn from the
        rest of a training part; tested are samples with a label alone.
    splits : sequence of (train, test)
        Indices of each fold.
    groups : ndarray of shape (n,), default=None
        Subjects; a face's own is left out when its nearest neighbors are looked for. An embedder
        with ``early_stopping`` (alone or in a pipeline) keeps them apart too.
    votes : array-like or data frame of shape (n, n_classes), default=None
        What several people said of each sample, for the methods whose ``fit`` takes votes (alone
        or in a pipeline), which then also learn from samples that have votes and no label. Others
        learn from `y` alone, and so do methods with ``set_fit_request(votes=False)``. Scores are
        of `y`.
    classifier : {"knn", "svm", "logistic", "own"}, default="knn"
        What follows each embedder; "own" is the prediction of the embedders themselves.
    seeds : sequence of int, default=None
        Each method is fitted once with each on every fold; None fits once, as the methods' own
        ``random_state`` says.
    n_jobs : int, default=None
        Fits to run side by side; None is 1, or what a ``joblib.parallel_config`` says.
    results : path-like, default=None
        A file that gets a line (JSON) for each fit when it is done. A fit that it has already, of
        the same method, data, fold, seed and versions, is taken from there.
    verbose : bool, default=False
        Show a bar of epochs on stderr.

    Returns
    -------
    iterator of Fit
        In no particular order.

    Raises
    ------
    ArgumentError
        If `results` is another kind of file, an embedder has no prediction of its own, votes and
        labels do not go together, or a fold has no labels to train on or to test.

    See Also
    --------
    make_methods : What to compare.
    make_splits : On which folds.
    comparison_tables : What came out.
    skfer.inspection.ComparisonDisplay : The same as a picture.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.evaluation import compare, make_splits, pca_baseline
    >>> faces = make_expressions(12, 1, image_size=24, random_state=0)
    >>> splits = make_splits(faces, n_folds=2)
    >>> fits = compare({"pca": pca_baseline()}, faces.images, faces.target, splits)
    >>> sorted(fit.n_test for fit in fits)
    [48, 48]

    Is an embedder better for votes? The same one, once with a request to be told none:

    >>> import numpy as np
    >>> import sklearn
    >>> from skfer import CrossEntropyEmbedder
    >>> votes = np.eye(8)[faces.target] * faces.intensity[:, None] + 0.1
    >>> told = CrossEntropyEmbedder(max_epochs=1, backbone="scratch", random_state=0)
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     not_told = sklearn.clone(told).set_fit_request(votes=False)
    >>> methods = {"votes": told, "labels": not_told}
    >>> fits = compare(methods, faces.images, faces.target, splits, votes=votes)
    >>> sorted((fit.method, fit.fold) for fit in fits)
    [('labels', 0), ('labels', 1), ('votes', 0), ('votes', 1)]
    """
    if not hasattr(X, "shape") or hasattr(X, "iloc"):  # data frames are indexed by names
        X = as_array(X, "X")
    y = check_labels(y, n_samples=len(X) if X.ndim else 0, allow_unlabeled=True)
    if groups is not None:
        groups = check_groups(groups, n_samples=len(y))
    voted = None if votes is None else read_votes(votes, y)
    n_jobs = check_int(n_jobs, "n_jobs", optional=True)
    verbose = check_flag(verbose, "verbose")
    if seeds is not None:
        seeds = [check_seed(seed, "seeds") for seed in as_list(seeds, "seeds")]
    results = check_results(results)
    methods, splits = check_methods(methods), check_splits(splits, len(y))
    tasks = _make_tasks(methods, y, splits, voted, classifier, seeds)
    if results is not None:
        ResultsFile(results)  # another kind of file is refused; it is read when fits are asked for
    return _fit_each(tasks, (X, y, groups, voted), n_jobs, results, verbose)


def _fit_each(
    tasks: list[Task],
    data: tuple[Any, ...],
    n_jobs: int | None,
    results: Path | None,
    verbose: bool,
) -> Iterator[Fit]:
    """Yield the fits that a file has already, then the others, which it gets."""
    store = None if results is None else ResultsFile(results)
    keys: dict[tuple[Any, ...], str] = {}
    if store is not None:
        make_key = make_keys(*data)
        keys = {_identity(task): make_key(task) for task in tasks}
        known = [(task, store.get(keys[_identity(task)])) for task in tasks]
        # The same method under another name is the same fit.
        found = [(task, fit) for task, fit in known if fit is not None]
        yield from (replace(fit, method=task.method, place=task.place) for task, fit in found)
        tasks = [task for task, fit in known if fit is None]
    for fit in _run(tasks, data, n_jobs, verbose):
        try:
            if store is not None:
                store.add(keys[_identity(fit)], fit)
        except OSError:
            yield fit  # not lost, though the disk is full
            raise
        yield fit


def _identity(done: Task | Fit) -> tuple[Any, ...]:
    return done.method, done.fold, done.seed


def _make_tasks(
    methods: Mapping[str, Any],
    y: NDArray[Any],
    splits: Sequence[Split],
    votes: Votes | None,
    classifier: str,
    seeds: Sequence[int] | None,
) -> list[Task]:
    wanted: Sequence[int | None] = [None] if seeds is None else list(seeds)
    follow = {name: make_classifier(classifier, e, name) for name, e in methods.items()}
    labeled = ~unlabeled_mask(y)
    check_labeled(y, splits, labeled)
    parts = {
        (name, fold): parts_of(embedder, split, labeled, votes)
        for name, embedder in methods.items()
        for fold, split in enumerate(splits)
    }
    return [
        Task(
            name,
            embedder,
            follow[name],
            fold,
            seed,
            **parts[name, fold]._asdict(),
            with_points=fold == 0 and seed == wanted[0],
            with_votes=votes is not None and takes_votes(embedder),
            place=place,
        )
        for seed in wanted
        for fold in range(len(splits))
        for place, (name, embedder) in enumerate(methods.items())
    ]


def _run(
    tasks: Sequence[Task], data: tuple[Any, ...], n_jobs: int | None, verbose: bool
) -> Iterator[Fit]:
    """Run tasks on X, y, groups and votes."""
    if not tasks:
        return
    # One fit needs no other process.
    n_jobs = 1 if len(tasks) == 1 else n_jobs and min(n_jobs, len(tasks))
    parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    if not verbose:
        yield from parallel(joblib.delayed(run_task)(task, *data) for task in tasks)
        return
    is_labeled = ~unlabeled_mask(data[1])
    epochs = {_identity(task): n_epochs(task.embedder, is_labeled[task.train]) for task in tasks}
    with epochs_bar(list(epochs.values())) as bar:
        watching = [
            replace(task, embedder=watched(clone(task.embedder), bar.path)) for task in tasks
        ]
        jobs = (joblib.delayed(run_task)(task, *data) for task in watching)
        for fit in parallel(jobs):
            bar.done(epochs[_identity(fit)])
            yield fit


def check_folds(y: NDArray[Any], splits: Sequence[Split], classifier: str) -> None:
    """Raise ValueError if a fold has too little to train on: better before the first training.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Labels; samples without one do not count.
    splits : sequence of (train, test)
        Indices of each fold.
    classifier : str
        What follows each embedder.

    See Also
    --------
    compare : Refuses such folds too.
    make_splits : Folds of a protocol.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.evaluation import check_folds
    >>> y = np.array([0, 0, 0, 1, 1, 1] * 4)
    >>> check_folds(y, [(np.arange(18), np.arange(18, 24))], "knn")
    """
    y = check_labels(y, allow_unlabeled=True)
    check_known(classifier, "classifier", CLASSIFIERS)
    labeled = leave_out_unlabeled(y)
    for fold, (train, _) in enumerate(check_splits(splits, len(y))):
        train = train[np.isin(train, labeled)]
        if len(set(y[train].tolist())) < 2:
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
