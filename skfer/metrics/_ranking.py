"""Rank a reference set by its distance to each query, in blocks of bounded size."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import numpy as np

from skfer._bar import tqdm
from skfer.metrics._nearest import ScreenedSearch
from skfer.metrics._sort_keys import ExactSearch
from skfer.metrics._task import RetrievalTask
from skfer.validation import check_int, check_verbose


def iter_hits(
    task: RetrievalTask, depth: int | None, chunk_size: int | None = None
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
    search = _make_search(task, depth)
    chunk_size = search.chunk_size if chunk_size is None else chunk_size
    for start in range(0, len(task.query), chunk_size):
        queries = np.arange(start, min(start + chunk_size, len(task.query)))
        n_relevant = task.n_relevant[queries]
        wanted = int(n_relevant.max()) if depth is None else depth
        yield search.smallest_keys(queries, wanted) & 1 == 1, n_relevant


def mean_over_queries(
    task: RetrievalTask,
    measure: Callable[[np.ndarray, np.ndarray], np.ndarray],
    depth: int | None,
    chunk_size: int | None = None,
    verbose: bool | int = False,
) -> np.ndarray | None:
    """Average ``measure(hits, n_relevant)`` over the queries that have something to find.

    ``measure`` returns one row per query. None is returned if no query has anything to find.
    """
    chunk_size = check_int(chunk_size, "chunk_size", at_least=1, optional=True)
    verbose = check_verbose(verbose)
    total: np.ndarray | float = 0.0
    n_queries = 0
    # A bar that is not shown starts a thread all the same.
    with tqdm(total=len(task.query), unit="query") if verbose else nullcontext() as bar:
        for hits, n_relevant in iter_hits(task, depth, chunk_size):
            answerable = n_relevant > 0
            total = total + measure(hits[answerable], n_relevant[answerable]).sum(axis=0)
            n_queries += int(answerable.sum())
            if bar is not None:
                bar.update(len(hits))
    return np.asarray(total / n_queries) if n_queries else None


def _make_search(task: RetrievalTask, depth: int | None) -> ScreenedSearch | ExactSearch:
    """Choose how to rank: to single out the nearest pays where they are few beside all."""
    if depth is not None and 8 * depth <= len(task.reference):
        return ScreenedSearch(task, depth)
    return ExactSearch(task)
