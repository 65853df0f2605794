"""Distance and relevance in one integer whose order is the ranking."""

import numpy as np

from skfer.metrics._coordinates import squared_norms
from skfer.metrics._task import RetrievalTask

# A block of 2**22 distances takes about 80 MB with its temporaries.
_BLOCK_DISTANCES = 2**22
# Rows of a block, at least: few make slow products.
_LEAST_ROWS = 16
# Digits of a distance that are rounding noise: 16 of its 52 bits leave ten decimal digits.
_NOISE_BITS = np.uint64(16)
# Sorts after every distance and reads as "not relevant".
EXCLUDED = np.uint64(2**64 - 2)


def sort_keys(distances: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Pack squared distances and relevance into integers, in the place of the distances.

    The bits of a non-negative float sort as the number does. Rounded to ten digits, so that
    copies of a sample tie although a matrix product rounds them differently, they leave room
    for relevance as the lowest bit: among equal distances the irrelevant come first, whatever
    the order of the rows.
    """
    keys = distances.view(np.uint64)
    keys += np.uint64(1) << (_NOISE_BITS - np.uint64(1))
    keys >>= _NOISE_BITS
    keys <<= np.uint64(1)
    keys |= relevant
    return keys


def smallest(keys: np.ndarray, depth: int) -> np.ndarray:
    """Return the `depth` smallest keys of each row, in order."""
    keys.partition(min(depth, keys.shape[1]) - 1, axis=1)
    nearest = keys[:, :depth]
    nearest.sort(axis=1)
    return nearest


class ExactSearch:
    """Rank by all distances of a query, in double precision."""

    def __init__(self, task: RetrievalTask):
        self._task = task
        self._reference = task.coordinates.place_all(task.reference)
        self._squared_norm = squared_norms(self._reference)
        self._labels = _small_codes(task.query_labels, task.reference_labels)
        self.chunk_size = max(_LEAST_ROWS, _BLOCK_DISTANCES // len(task.reference))

    def smallest_keys(self, queries: np.ndarray, depth: int) -> np.ndarray:
        """Return the sort keys of the `depth` nearest references of each query, in order."""
        nearest = np.empty((len(queries), min(depth, len(self._reference))), dtype=np.uint64)
        for start in range(0, len(queries), self.chunk_size):
            part = slice(start, start + self.chunk_size)
            nearest[part] = self._nearest(queries[part], depth)
        return nearest

    def _nearest(self, queries: np.ndarray, depth: int) -> np.ndarray:
        relevant = self._labels[0][queries, None] == self._labels[1]
        keys = sort_keys(self._squared_distances(queries), relevant)
        self._task.forbid(keys, queries, 0, EXCLUDED)
        return smallest(keys, depth)

    def _squared_distances(self, queries: np.ndarray) -> np.ndarray:
        placed = self._task.coordinates.place(self._task.query[queries])
        distances = (-2 * placed) @ self._reference.T
        distances += self._squared_norm
        distances += squared_norms(placed)[:, None]
        distances[distances <= self._task.coordinates.noise] = 0
        return distances


def _small_codes(*codes: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return codes in the smallest type that holds them: they are compared in pairs."""
    small = np.min_scalar_type(max(int(column.max()) for column in codes))
    return tuple(column.astype(small) for column in codes)
