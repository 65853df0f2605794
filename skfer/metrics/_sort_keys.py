"""Distance and relevance in one integer whose order is the ranking."""

import numpy as np

from skfer.metrics._coordinates import parts_of, squared_norms
from skfer.metrics._task import RetrievalTask

# A block of 2**22 distances takes about 80 MB with its temporaries.
_BLOCK_DISTANCES = 2**22
# Rows of a block, at least: few make slow products.
_LEAST_ROWS = 16
# Digits of a distance that are rounding noise: 16 of its 52 bits leave ten decimal digits.
_NOISE_BITS, _RELEVANCE_BITS = np.uint64(16), np.uint64(1)
# The share of a distance by which it differs from that of the next key, at most.
_STEP = 2.0**-36
# Roundings of a distance beside those of its sum; rather too many than too few.
_ROUNDINGS = 8
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
    keys <<= _RELEVANCE_BITS
    keys |= relevant
    return keys


def decode(keys: np.ndarray) -> np.ndarray:
    """Return the distances of keys, as far as they tell; NaN for what is excluded."""
    return (keys >> _RELEVANCE_BITS << _NOISE_BITS).view(np.float64)


def smallest(keys: np.ndarray, depth: int) -> np.ndarray:
    """Return the `depth` smallest keys of each row, in order."""
    keys.partition(min(depth, keys.shape[1]) - 1, axis=1)
    nearest = keys[:, :depth]
    nearest.sort(axis=1)
    return nearest


class ExactSearch:
    """Rank by all distances of a query, in double precision.

    They come from a matrix product. Where its rounding could change the ranking of a query, as
    where some rows are far from all others or a class is next to a point, the nearest references
    are measured again from differences.
    """

    def __init__(self, task: RetrievalTask):
        self._task = task
        self._reference = task.coordinates.place_all(task.reference)
        self._squared_norm = squared_norms(self._reference)
        self._radius = np.sqrt(self._squared_norm.max())
        self._rounding = 2 * (self._reference.shape[1] + _ROUNDINGS) * np.finfo(float).eps / 2
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
        placed = self._task.coordinates.place(self._task.query[queries])
        norms = squared_norms(placed)
        # One more, since the last may be in doubt too.
        nearest = self._rank(self._products(placed, norms), queries, depth + 1)
        doubtful, slack = self._in_doubt(nearest, np.sqrt(norms))
        if len(doubtful):
            distances, queries = (
                self._products(placed[doubtful], norms[doubtful]),
                queries[doubtful],
            )
            # Both that of the last and another one may be off.
            self._measure(distances, queries, decode(nearest[doubtful, -1]) + 2 * slack)
            nearest[doubtful] = self._rank(distances, queries, depth + 1)
        return nearest[:, :depth]

    def _rank(self, distances: np.ndarray, queries: np.ndarray, depth: int) -> np.ndarray:
        """Return the sort keys of the nearest, from the distances of all, which are lost."""
        relevant = self._labels[0][queries, None] == self._labels[1]
        keys = sort_keys(distances, relevant)
        self._task.forbid(keys, queries, 0, EXCLUDED)
        return smallest(keys, depth)

    def _products(self, placed: np.ndarray, norms: np.ndarray) -> np.ndarray:
        """Return squared distances by one matrix product, rounded as numbers at the radius are."""
        distances = (-2 * placed) @ self._reference.T
        distances += self._squared_norm
        distances += norms[:, None]
        distances[distances <= self._task.coordinates.noise] = 0
        return distances

    def _measure(self, distances: np.ndarray, queries: np.ndarray, bounds: np.ndarray) -> None:
        """Replace distances up to a bound by those of differences, exact to the last digit."""
        task = self._task
        for row, query, bound in zip(distances, task.query[queries], bounds, strict=True):
            near = np.flatnonzero(
                ~(row > bound)
            )  # all, where the last is excluded and reads as NaN
            for part in parts_of(near):
                rows = near[part]
                row[rows] = task.coordinates.squared_distances(task.reference[rows], query)

    def _in_doubt(self, nearest: np.ndarray, norm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the queries of which rounding decides what of their nearest comes first.

        And by how much the distances of each may be off.

        A product is off by no more than a share of (|q| + |x|)^2, which is large beside the
        distance between two rows that are far from the center.
        """
        if nearest.shape[1] < 2:
            return np.arange(0), np.zeros(0)
        first, last = decode(nearest[:, 0]), decode(nearest[:, -1])
        # What is that near to a query is no farther from the center. Excluded ones read as NaN.
        reach = np.fmin(norm + np.sqrt(last), self._radius)
        slack = self._rounding * np.square(norm + reach)
        # Keys count steps of a share of the distance: two in doubt are no more of them apart.
        with np.errstate(divide="ignore", invalid="ignore"):
            n_steps = slack / (first * _STEP / 2) + 2
        rows = np.flatnonzero(~(np.diff(nearest, axis=1).min(axis=1) > 2 * n_steps + 1))
        rows = rows[_has_doubtful_order(nearest[rows], slack[rows, None])]
        return rows, slack[rows]


def _has_doubtful_order(nearest: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """Tell of each row of keys whether distances are known too badly to rank its relevant ones.

    They are if two neighbors in the ranking, of which one is relevant, differ by less than the
    slack, or have equal keys although less than ten digits are sure.
    """
    distances = decode(nearest)
    gaps, step = np.diff(distances, axis=1), distances[:, 1:] * _STEP
    near = (gaps <= slack + step) & ((gaps > 0) | (step < slack) & (step > 0))
    differ = (nearest[:, 1:] ^ nearest[:, :-1]) & np.uint64(1) == 1
    return (near & differ).any(axis=1)


def _small_codes(*codes: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return codes in the smallest type that holds them: they are compared in pairs."""
    small = np.min_scalar_type(max(int(column.max()) for column in codes))
    return tuple(column.astype(small) for column in codes)
