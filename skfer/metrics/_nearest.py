"""The nearest references of each query: screened by fast products, then measured exactly."""

import numpy as np

from skfer.metrics._gpu import make_screen
from skfer.metrics._screen import Candidates, Screen
from skfer.metrics._sort_keys import ExactSearch, smallest, sort_keys
from skfer.metrics._task import RetrievalTask

# When this share of a block's queries has too many candidates, all that follow go on by the finer
# search at once.
_CROWDED_SHARE = 0.25
# Numbers of the pairs of rows that are measured exactly at once: 8 MB.
_PAIR_NUMBERS = 2**20


class ScreenedSearch:
    """Rank the few nearest references.

    A matrix product in single precision gives all squared distances, off by no more than a bound.
    The references that can be among the nearest by this bound are few: they alone are measured
    exactly, and ranked by their sort keys. Where they are many, since distances hardly differ, the
    product is done in double precision, and where that does not tell them apart, all are sorted.

    Parameters
    ----------
    task : RetrievalTask
        What to rank.
    depth : int
        How many of the nearest references will be asked for.
    precisions : tuple of dtype
        Of the products, coarse to fine.
    """

    def __init__(
        self,
        task: RetrievalTask,
        depth: int,
        precisions: tuple[type[np.floating], ...] = (np.float32, np.float64),
    ):
        self._task = task
        self._depth = depth
        self._finer_precisions = precisions[1:]
        screen = make_screen(task, depth, precisions[0])
        self.chunk_size = screen.block
        self._screen: Screen | None = screen
        self._finer: ScreenedSearch | ExactSearch | None = None

    def smallest_keys(self, queries: np.ndarray, depth: int) -> np.ndarray:
        """Return the sort keys of the `depth` nearest references of each query, in order."""
        if self._screen is None:
            return self._finer_search().smallest_keys(queries, depth)
        candidates = self._screen.candidates(queries)
        keys = self._rank(queries, candidates, depth)
        crowded = candidates.crowded
        if crowded.any():
            keys[crowded] = self._finer_search().smallest_keys(queries[crowded], depth)
        if crowded.mean() > _CROWDED_SHARE:
            self._screen = None
        return keys

    def _finer_search(self) -> "ScreenedSearch | ExactSearch":
        if self._finer is None:
            self._finer = (
                ScreenedSearch(self._task, self._depth, self._finer_precisions)
                if self._finer_precisions
                else ExactSearch(self._task)
            )
        return self._finer

    def _rank(self, queries: np.ndarray, candidates: Candidates, depth: int) -> np.ndarray:
        """Return the sort keys of each query's nearest candidates, in order."""
        row, column = candidates.row, candidates.column
        counts = np.bincount(row, minlength=len(queries))
        place = np.arange(len(row)) - (np.cumsum(counts) - counts)[row]
        shape = len(queries), max(counts.max(), depth)
        distances = np.full(shape, np.inf)  # sorts last
        distances[row, place] = candidates.distance
        unsure = _in_doubt(distances, candidates.slack)[row, place]
        distances[row[unsure], place[unsure]] = self._measure(queries[row[unsure]], column[unsure])
        relevant = np.zeros(shape, dtype=bool)
        is_hit = self._task.query_labels[queries[row]] == self._task.reference_labels[column]
        relevant[row, place] = is_hit
        return smallest(sort_keys(distances, relevant), depth)

    def _measure(self, query: np.ndarray, reference: np.ndarray) -> np.ndarray:
        task = self._task
        distances = np.empty(len(query))
        step = max(1, _PAIR_NUMBERS // task.query.shape[1])
        for start in range(0, len(query), step):
            part = slice(start, start + step)
            distances[part] = task.coordinates.squared_distances(
                task.query[query[part]], task.reference[reference[part]]
            )
        return distances


def _in_doubt(distances: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """Mark the distances of a row that have another one so near that their order is in doubt."""
    order = np.argsort(distances, axis=1)
    ranked = np.take_along_axis(distances, order, axis=1)
    ranked[np.isinf(ranked)] = np.finfo(ranked.dtype).max
    near = np.diff(ranked, axis=1) <= slack[:, None]
    doubt = np.zeros(distances.shape, dtype=bool)
    doubt[:, 1:] = near
    doubt[:, :-1] |= near
    marks = np.empty_like(doubt)
    np.put_along_axis(marks, order, doubt, axis=1)
    return marks
