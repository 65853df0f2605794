"""Rank a reference set by its distance to each query, in blocks of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array, check_consistent_length, column_or_1d

# A block of 2**22 distances takes about 80 MB with its temporaries.
_BLOCK_DISTANCES = 2**22
# Digits of a distance that are rounding noise: 16 of its 52 bits leave ten decimal digits.
_NOISE_BITS = np.uint64(16)
# Sorts after every distance and reads as "not relevant".
_EXCLUDED = np.uint64(2**64 - 2)
# Squared distances below this share of the largest squared radius are rounding noise.
_COINCIDENT = 1e-14


@dataclass(frozen=True)
class RetrievalTask:
    """Queries and references of one retrieval experiment, validated and encoded.

    ``query`` and ``reference`` are float64 coordinates of shape (n, n_dims); labels and groups
    are integer codes shared by both sides. ``leave_self_out`` says that both sides are the same
    samples, so that a query must not find itself.
    """

    query: np.ndarray
    reference: np.ndarray
    query_labels: np.ndarray
    reference_labels: np.ndarray
    query_groups: np.ndarray | None
    reference_groups: np.ndarray | None
    leave_self_out: bool

    @property
    def n_candidates(self) -> int:
        """Most references that one query can find."""
        return len(self.reference) - int(self.leave_self_out)


def make_task(
    embeddings: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike | None,
    reference_embeddings: ArrayLike | None,
    reference_labels: ArrayLike | None,
    reference_groups: ArrayLike | None,
) -> RetrievalTask:
    """Check the arguments that all retrieval measures share."""
    query = _check_rows("embeddings", embeddings, "labels", labels)
    leave_self_out = reference_embeddings is None
    if reference_embeddings is None:
        _refuse_stray_reference(reference_labels, reference_groups)
        reference, reference_labels, reference_groups = query, labels, groups
    elif reference_labels is None:
        raise ValueError(
            "reference_labels is missing: pass the labels of the rows of reference_embeddings."
        )
    else:
        reference = _check_rows(
            "reference_embeddings", reference_embeddings, "reference_labels", reference_labels
        )
    _check_same_width(query, reference)
    query, reference = _centre_and_scale(query, reference)
    n_rows = len(query), len(reference)
    label_codes = _encode("labels", labels, reference_labels, *n_rows)
    group_codes: tuple[np.ndarray | None, np.ndarray | None] = (None, None)
    if groups is not None and reference_groups is not None:
        group_codes = _encode("groups", groups, reference_groups, *n_rows)
    elif groups is not None or reference_groups is not None:
        raise ValueError(
            "groups and reference_groups must be given together: pass the groups of both the "
            "queries and the reference set, or neither."
        )
    return RetrievalTask(
        query, reference, *label_codes, *group_codes, leave_self_out=leave_self_out
    )


def iter_hits(
    task: RetrievalTask, depth: int | None, chunk_size: int | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, for one block of queries after the other, what was found.

    Parameters
    ----------
    task : RetrievalTask
        What to rank.
    depth : int or None
        How many of the nearest references to look at. None looks as far as the block's largest
        number of relevant references.
    chunk_size : int or None
        Queries in a block; None chooses it so that a block stays near 100 MB.

    Yields
    ------
    hits : ndarray of shape (n_queries_in_block, depth), bool
        Whether the reference on each rank has the query's label, nearest first. Of references at
        the same distance those of other labels come first.
    n_relevant : ndarray of shape (n_queries_in_block,)
        How many references with the query's label could have been found.
    """
    if chunk_size is None:
        chunk_size = max(1, _BLOCK_DISTANCES // len(task.reference))
    squared_norm = _squared_norms(task.reference)
    noise = _COINCIDENT * max(squared_norm.max(), _squared_norms(task.query).max())
    for start in range(0, len(task.query), chunk_size):
        block = slice(start, start + chunk_size)
        excluded = _excluded_pairs(task, block)
        relevant = task.query_labels[block, None] == task.reference_labels
        relevant &= ~excluded
        n_relevant = relevant.sum(axis=1)
        distances = _squared_distances(task.query[block], task.reference, squared_norm, noise)
        keys = _sort_keys(distances, relevant, excluded)
        wanted = int(n_relevant.max()) if depth is None else depth
        yield _smallest(keys, wanted) & 1 == 1, n_relevant


def mean_over_queries(
    task: RetrievalTask,
    measure: Callable[[np.ndarray, np.ndarray], np.ndarray],
    depth: int | None,
    chunk_size: int | None,
) -> np.ndarray | None:
    """Average ``measure(hits, n_relevant)`` over the queries that have something to find.

    ``measure`` returns one row per query. None is returned if no query has anything to find.
    """
    total: np.ndarray | float = 0.0
    n_queries = 0
    for hits, n_relevant in iter_hits(task, depth, chunk_size):
        answerable = n_relevant > 0
        total = total + measure(hits[answerable], n_relevant[answerable]).sum(axis=0)
        n_queries += int(answerable.sum())
    return np.asarray(total / n_queries) if n_queries else None


def _check_rows(name: str, rows: ArrayLike, labels_name: str, labels: ArrayLike) -> np.ndarray:
    checked: np.ndarray = check_array(rows, dtype=(np.float64, np.float32), input_name=name)
    _check_length(labels_name, labels, len(checked), name)
    return checked


def _check_length(name: str, values: ArrayLike, n_rows: int, rows_name: str) -> None:
    n_values = len(np.asarray(values)) if np.ndim(values) else 0
    if n_values != n_rows:
        raise ValueError(
            f"{name} has {n_values} entries but {rows_name} has {n_rows} rows: "
            f"pass one entry for each row."
        )


def _refuse_stray_reference(labels: ArrayLike | None, groups: ArrayLike | None) -> None:
    for name, values in (("reference_labels", labels), ("reference_groups", groups)):
        if values is not None:
            raise ValueError(
                f"{name} is given without reference_embeddings: pass both, or neither to search "
                "among the queries themselves."
            )


def _check_same_width(query: np.ndarray, reference: np.ndarray) -> None:
    if query.shape[1] != reference.shape[1]:
        raise ValueError(
            f"embeddings has {query.shape[1]} columns but reference_embeddings has "
            f"{reference.shape[1]}: embed both with the same model."
        )


def _encode(
    name: str, query: ArrayLike, reference: ArrayLike, n_query: int, n_reference: int
) -> tuple[np.ndarray, np.ndarray]:
    """Codes that are equal where the values of the two sides are."""
    _check_length(name, query, n_query, "embeddings")
    _check_length(f"reference_{name}", reference, n_reference, "reference_embeddings")
    both = np.concatenate([column_or_1d(np.asarray(query)), column_or_1d(np.asarray(reference))])
    check_consistent_length(both)
    try:
        _, codes = np.unique(both, return_inverse=True)
    except TypeError as error:
        raise ValueError(
            f"{name} mixes values that cannot be compared ({error}): use all numbers or all "
            "strings."
        ) from error
    return codes[:n_query], codes[n_query:]


def _centre_and_scale(query: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move both sides near 0 and below 1 in size, which changes no ranking.

    Without it squared distances lose their digits under a common offset, and overflow.
    A power of two as scale keeps equal distances equal.
    """
    largest = max(np.abs(query).max(), np.abs(reference).max())
    exponent = -int(np.frexp(largest)[1])
    same = query is reference
    reference = np.ldexp(reference.astype(np.float64), exponent)
    centre = reference.mean(axis=0)
    reference -= centre
    if same:
        return reference, reference
    return np.ldexp(query.astype(np.float64), exponent) - centre, reference


def _squared_norms(rows: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", rows, rows)


def _squared_distances(
    query: np.ndarray, reference: np.ndarray, squared_norm: np.ndarray, noise: float
) -> np.ndarray:
    distances = query @ reference.T
    distances *= -2
    distances += squared_norm
    distances += _squared_norms(query)[:, None]
    distances[distances <= noise] = 0
    return distances


def _excluded_pairs(task: RetrievalTask, block: slice) -> np.ndarray:
    """Mark the references that a query must not find: itself and its own group."""
    if task.query_groups is None or task.reference_groups is None:
        n_rows = len(task.query_labels[block])
        excluded = np.zeros((n_rows, len(task.reference)), dtype=bool)
    else:
        excluded = task.query_groups[block, None] == task.reference_groups
    if task.leave_self_out:
        rows = np.arange(len(excluded))
        excluded[rows, block.start + rows] = True
    return excluded


def _sort_keys(distances: np.ndarray, relevant: np.ndarray, excluded: np.ndarray) -> np.ndarray:
    """Pack distance and relevance into one integer whose order is the ranking.

    The bits of a non-negative float sort as the number does. Rounded to ten digits, so that
    copies of a sample tie although the matrix product rounds them differently, they leave room
    for relevance as the lowest bit: among equal distances the irrelevant come first, whatever
    the order of the rows.
    """
    keys = distances.view(np.uint64)
    keys += np.uint64(1) << (_NOISE_BITS - np.uint64(1))
    keys >>= _NOISE_BITS
    keys <<= np.uint64(1)
    keys |= relevant
    keys[excluded] = _EXCLUDED
    return keys


def _smallest(keys: np.ndarray, depth: int) -> np.ndarray:
    """Return the ``depth`` smallest keys of each row, in order."""
    if 0 < depth < keys.shape[1]:
        keys.partition(depth - 1, axis=1)
    nearest = keys[:, :depth]
    nearest.sort(axis=1)
    return nearest
