"""Rank a reference set by its distance to each query, in blocks of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from skfer.metrics._task import RetrievalTask

# A block of 2**22 distances takes about 80 MB with its temporaries.
_BLOCK_DISTANCES = 2**22
# Digits of a distance that are rounding noise: 16 of its 52 bits leave ten decimal digits.
_NOISE_BITS = np.uint64(16)
# Sorts after every distance and reads as "not relevant".
_EXCLUDED = np.uint64(2**64 - 2)
# Squared distances below this share of the largest squared radius are rounding noise.
_COINCIDENT = 1e-14


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
