"""Retrieval measures: does a face's neighborhood show the face's own expression."""

from collections.abc import Sequence

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from skfer._typing import ArrayLike
from skfer.exceptions import warn_caller
from skfer.metrics._arguments import make_task
from skfer.metrics._ranking import mean_over_queries
from skfer.validation import check_int, refusal, shown


def recall_at_k(
    embeddings: ArrayLike,
    labels: ArrayLike,
    *,
    k: int | Sequence[int] = 1,
    groups: ArrayLike | None = None,
    reference_embeddings: ArrayLike | None = None,
    reference_labels: ArrayLike | None = None,
    reference_groups: ArrayLike | None = None,
    chunk_size: int | None = None,
    verbose: bool | int = False,
) -> float | np.ndarray:
    """Share of queries with at least one sample of their label among the k nearest.

    Every sample is a query against all others, or against a reference set when one is given.
    Distances are Euclidean: normalize the rows first to rank by cosine similarity.

    Parameters
    ----------
    embeddings : array-like of shape (n_samples, n_dims)
        Queries.
    labels : array-like of shape (n_samples,)
        Their labels, numbers or strings. Leave unlabeled samples out.
    k : int or sequence of int, default=1
        How many neighbors to look at. With a sequence all values are computed in one pass.
    groups : array-like of shape (n_samples,), default=None
        Subject or sequence of each sample. A query never finds its own group, because near-copies
        of one person inflate retrieval.
    reference_embeddings : array-like of shape (n_reference, n_dims), default=None
        Samples to search in. None searches among the queries, leaving out the query itself; so
        does a reference set that begins with the rows of ``embeddings``.
    reference_labels : array-like of shape (n_reference,), default=None
        Labels of the reference set; needed with ``reference_embeddings``.
    reference_groups : array-like of shape (n_reference,), default=None
        Groups of the reference set; needed when it is given and ``groups`` is.
    chunk_size : int, default=None
        Queries computed at once. None chooses it so that memory stays near 100 MB beside a copy of
        the embeddings. It does not change the result.
    verbose : bool or int, default=False
        Whether to show a progress bar.

    Returns
    -------
    recall : float, or ndarray of shape (len(k),) when k is a sequence
        Between 0 and 1. It is nan, with a warning, when no query has anything to find.

    Raises
    ------
    ValueError
        When the arguments do not fit each other, have missing values (NaN, None, "" ... and -1
        as the mark of an unlabeled sample), or k exceeds the number of references.

    See Also
    --------
    precision_at_k : Share of the k nearest that have the query's label.
    mean_average_precision_at_r : The order of the neighbors counts as well.

    Notes
    -----
    A query whose label no permitted reference has cannot be answered and does not count.
    Ties give no credit: of references at the same distance (to ten digits) those
    of another label come first, so the result does not depend on the order of rows, and an
    embedding that has collapsed to a point scores 0. References nearer than 1e-7 of the
    embedding's radius are at distance 0.

    References
    ----------
    .. [1] H. Jegou, M. Douze, C. Schmid, "Product quantization for nearest neighbor search",
       IEEE TPAMI 33(1), 2011.
    .. [2] H. Oh Song et al., "Deep metric learning via lifted structured feature embedding",
       CVPR 2016.

    Examples
    --------
    >>> from skfer.metrics import recall_at_k
    >>> embeddings = [[0.0], [0.1], [1.0], [1.1], [2.0]]
    >>> labels = ["joy", "joy", "fear", "fear", "joy"]
    >>> recall_at_k(embeddings, labels, k=1)
    0.8
    >>> recall_at_k(embeddings, labels, k=[1, 3], groups=[0, 0, 1, 2, 3])
    array([0.4, 1. ])
    """
    task = make_task(
        embeddings, labels, groups, reference_embeddings, reference_labels, reference_groups
    )
    ranks = _check_k(k, task.n_candidates)

    def found(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
        return np.maximum.accumulate(hits, axis=1)[:, ranks - 1]

    recall = mean_over_queries(task, found, int(ranks.max()), chunk_size, verbose)
    return _per_k(recall, k, ranks, "recall_at_k")


def precision_at_k(
    embeddings: ArrayLike,
    labels: ArrayLike,
    *,
    k: int | Sequence[int] = 1,
    groups: ArrayLike | None = None,
    reference_embeddings: ArrayLike | None = None,
    reference_labels: ArrayLike | None = None,
    reference_groups: ArrayLike | None = None,
    chunk_size: int | None = None,
    verbose: bool | int = False,
) -> float | np.ndarray:
    """Mean share of the k nearest samples that have the query's label.

    Every sample is a query against all others, or against a reference set when one is given.
    Distances, ties and queries without an answer are treated as in `recall_at_k`.

    Parameters
    ----------
    embeddings : array-like of shape (n_samples, n_dims)
        Queries.
    labels : array-like of shape (n_samples,)
        Their labels, numbers or strings. Leave unlabeled samples out.
    k : int or sequence of int, default=1
        How many neighbors to look at. With a sequence all values are computed in one pass.
    groups : array-like of shape (n_samples,), default=None
        Subject or sequence of each sample. A query never finds its own group. Where that leaves
        fewer than k references, the missing ones count as wrong.
    reference_embeddings : array-like of shape (n_reference, n_dims), default=None
        Samples to search in. None searches among the queries, leaving out the query itself; so
        does a reference set that begins with the rows of ``embeddings``.
    reference_labels : array-like of shape (n_reference,), default=None
        Labels of the reference set; needed with ``reference_embeddings``.
    reference_groups : array-like of shape (n_reference,), default=None
        Groups of the reference set; needed when it is given and ``groups`` is.
    chunk_size : int, default=None
        Queries computed at once. None chooses it so that memory stays near 100 MB beside a copy of
        the embeddings. It does not change the result.
    verbose : bool or int, default=False
        Whether to show a progress bar.

    Returns
    -------
    precision : float, or ndarray of shape (len(k),) when k is a sequence
        Between 0 and 1. It is nan, with a warning, when no query has anything to find.

    Raises
    ------
    ValueError
        When the arguments do not fit each other, have missing values (NaN, None, "" ... and -1
        as the mark of an unlabeled sample), or k exceeds the number of references.

    See Also
    --------
    recall_at_k : One right neighbor among the k nearest is enough.

    References
    ----------
    .. [1] K. Musgrave, S. Belongie, S.-N. Lim, "A metric learning reality check", ECCV 2020.

    Examples
    --------
    >>> from skfer.metrics import precision_at_k
    >>> precision_at_k([[0.0], [0.1], [0.3], [0.4]], [0, 0, 1, 0], k=2)
    0.5
    """
    task = make_task(
        embeddings, labels, groups, reference_embeddings, reference_labels, reference_groups
    )
    ranks = _check_k(k, task.n_candidates)

    def share(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
        return np.cumsum(hits, axis=1)[:, ranks - 1] / ranks

    precision = mean_over_queries(task, share, int(ranks.max()), chunk_size, verbose)
    return _per_k(precision, k, ranks, "precision_at_k")


def mean_average_precision_at_r(
    embeddings: ArrayLike,
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    reference_embeddings: ArrayLike | None = None,
    reference_labels: ArrayLike | None = None,
    reference_groups: ArrayLike | None = None,
    chunk_size: int | None = None,
    verbose: bool | int = False,
) -> float:
    """Mean average precision among a query's R nearest samples, R being all that could be found.

    For a query with R permitted references of its own label this is
    ``1/R * sum_i P(i) * hit(i)`` over ranks i = 1..R, with P(i) the precision among the first i:
    1 only when the R nearest are exactly the R relevant ones. Distances, ties and queries without
    an answer are treated as in `recall_at_k`.

    Parameters
    ----------
    embeddings : array-like of shape (n_samples, n_dims)
        Queries.
    labels : array-like of shape (n_samples,)
        Their labels, numbers or strings. Leave unlabeled samples out.
    groups : array-like of shape (n_samples,), default=None
        Subject or sequence of each sample. A query never finds its own group, and R counts
        without it.
    reference_embeddings : array-like of shape (n_reference, n_dims), default=None
        Samples to search in. None searches among the queries, leaving out the query itself; so
        does a reference set that begins with the rows of ``embeddings``.
    reference_labels : array-like of shape (n_reference,), default=None
        Labels of the reference set; needed with ``reference_embeddings``.
    reference_groups : array-like of shape (n_reference,), default=None
        Groups of the reference set; needed when it is given and ``groups`` is.
    chunk_size : int, default=None
        Queries computed at once. None chooses it so that memory stays near 100 MB beside a copy of
        the embeddings. It does not change the result.
    verbose : bool or int, default=False
        Whether to show a progress bar.

    Returns
    -------
    score : float
        Between 0 and 1. It is nan, with a warning, when no query has anything to find.

    Raises
    ------
    ValueError
        When the arguments do not fit each other or have missing values (NaN, None, "" ... and -1
        as the mark of an unlabeled sample).

    See Also
    --------
    recall_at_k : One right neighbor among the k nearest is enough.
    precision_at_k : Share of the k nearest that have the query's label.

    References
    ----------
    .. [1] K. Musgrave, S. Belongie, S.-N. Lim, "A metric learning reality check", ECCV 2020.

    Examples
    --------
    >>> from skfer.metrics import mean_average_precision_at_r
    >>> mean_average_precision_at_r([[0.0], [0.1], [0.3], [0.4]], [0, 0, 1, 1])
    1.0
    """
    task = make_task(
        embeddings, labels, groups, reference_embeddings, reference_labels, reference_groups
    )
    score = mean_over_queries(task, _average_precision, None, chunk_size, verbose)
    return _undefined("mean_average_precision_at_r") if score is None else float(score)


def _average_precision(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    ranks = np.arange(1, hits.shape[1] + 1)
    precision = np.cumsum(hits, axis=1) / ranks
    counted = hits & (ranks <= n_relevant[:, None])
    return np.where(counted, precision, 0.0).sum(axis=1) / n_relevant


def _check_k(k: int | Sequence[int], n_candidates: int) -> np.ndarray:
    values: Sequence[object] = list(k) if _is_several(k) else [k]  # type: ignore[arg-type]
    if not values:
        raise refusal("k", "must be a whole number or a sequence of them, got {}.", shown(k))
    ranks = [check_int(value, "k", at_least=1) for value in values]
    if max(ranks) > n_candidates:
        raise refusal(
            "k",
            "must be at most {}, the number of samples that a query can find, got {}: use a "
            "smaller k or more samples.",
            n_candidates,
            max(ranks),
        )
    return np.asarray(ranks, dtype=np.intp)


def _is_several(k: object) -> bool:
    if isinstance(k, np.ndarray):
        return k.ndim > 0
    return isinstance(k, Sequence) and not isinstance(k, str | bytes)


def _per_k(
    means: np.ndarray | None, k: int | Sequence[int], ranks: np.ndarray, name: str
) -> float | np.ndarray:
    values = np.full(len(ranks), _undefined(name)) if means is None else means
    return values if _is_several(k) else float(values[0])


def _undefined(name: str) -> float:
    warn_caller(
        f"{name} is undefined and set to nan: no query has a sample of its own label to find "
        "outside its own group.",
        UndefinedMetricWarning,
    )
    return float("nan")
