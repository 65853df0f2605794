"""Which references can be among the nearest, by one matrix product a block."""

from dataclasses import dataclass

import numpy as np

from skfer.metrics._coordinates import parts_of, squared_norms
from skfer.metrics._task import RetrievalTask

# References of a stripe, at most: their least distance tells whether to look at each of them.
_STRIPE = 32
# Farther than any distance, and finite: a product warns of what is not.
FAR = 1e30
# Farther than what can be found, and less than that.
_REACH = 1e29
# Roundings of a distance beside those of its sum; rather too many than too few.
_ROUNDINGS = 8
# Equal sort keys differ by less than this share of a squared distance.
_TIE = 2.0**-35


@dataclass(frozen=True)
class Candidates:
    """What can be among the nearest references of a block of queries.

    Parameters
    ----------
    row : ndarray of shape (n_candidates,)
        Place of the query in the block, in rising order.
    column : ndarray of shape (n_candidates,)
        The reference.
    distance : ndarray of shape (n_candidates,)
        Squared distance by the product.
    slack : ndarray of shape (n_queries,)
        Distances that differ by more are in their true order.
    crowded : ndarray of shape (n_queries,), bool
        Where there are too many candidates: for these queries none are given.
    """

    row: np.ndarray
    column: np.ndarray
    distance: np.ndarray
    slack: np.ndarray
    crowded: np.ndarray


class Screen:
    """Find the references that can be among the nearest, by products of some precision.

    Parameters
    ----------
    task : RetrievalTask
        Queries and references.
    depth : int
        How many of the nearest are wanted.
    precision : dtype
        Of the products.
    """

    # Queries of a block and references of a piece: their product stays in a processor's cache.
    block = 1024
    piece = 4096

    def __init__(self, task: RetrievalTask, depth: int, precision: type[np.floating]):
        n_references, n_dims = task.reference.shape
        self._task = task
        self._depth = depth
        self._most = 8 * depth + 24
        self._stripe = int(np.clip(np.sqrt(n_references / (2 * depth)), 1, _STRIPE))
        self._piece = self._stripe * max(1, self.piece // self._stripe)
        # A row is (x, |x|^2): its product with (-2q, 1) is the squared distance less |q|^2. Rows
        # that fill up the last stripe are farther than all others.
        n_rows = -(-n_references // self._stripe) * self._stripe
        self._reference = np.zeros((n_rows, n_dims + 1), dtype=precision)
        self._reference[n_references:, -1] = FAR
        largest = 0.0
        for part in parts_of(task.reference):
            placed = task.coordinates.place(task.reference[part])
            norms = squared_norms(placed)
            rows = slice(part.start, part.start + len(placed))
            self._reference[rows, :-1], self._reference[rows, -1] = placed, norms
            largest = max(largest, norms.max())
        self._radius = np.sqrt(largest)
        # What rounding of the rows and of a sum in any order makes of a distance, at most, in units
        # of (|q| + |x|)^2; and twice that, since it applies to both distances of a comparison.
        rounding = (n_dims + _ROUNDINGS) * np.finfo(precision).eps / 2
        self._uncertainty = 2.02 * rounding + _TIE

    def candidates(self, queries: np.ndarray) -> Candidates:
        """Find what can be among the nearest references of the queries, given in rising order."""
        rows, norms, slack = self._prepare(queries)
        last, row, column, value = self._scan(queries, rows, slack)
        limit = last + slack
        near = value <= limit[row]
        counts = np.bincount(row[near], minlength=len(queries))
        crowded = (counts > self._most) | (limit == -np.inf)
        chosen = np.flatnonzero(near & ~crowded[row])
        chosen = chosen[np.argsort(row[chosen], kind="stable")]
        row = row[chosen]
        distance = np.maximum(value[chosen] + norms[row], 0)
        return Candidates(row, column[chosen], distance, slack, crowded)

    def _scan(
        self, queries: np.ndarray, rows: np.ndarray, slack: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Go through the references piece by piece.

        Returns how far the last of the nearest is for each query, -inf if it is crowded, and
        the row, column and distance of all that was near on the way.
        """
        nearest = np.full((len(queries), self._depth), FAR, dtype=rows.dtype)
        space = np.empty(len(rows) * min(self._piece, len(self._reference)), dtype=rows.dtype)
        found = []
        for start in range(0, len(self._reference), self._piece):
            piece = self._reference[start : start + self._piece]
            distances = space[: len(rows) * len(piece)].reshape(len(rows), len(piece))
            np.matmul(rows, piece.T, out=distances)
            self._task.forbid(distances, queries, start, FAR)
            nearest, row, column, value = _look(distances, self._stripe, nearest, slack, self._most)
            found.append((row, column + start, value))
        columns = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return nearest[:, -1], *columns

    def _prepare(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return queries as factors of the products, their squared norms, and how far to look."""
        placed = self._task.coordinates.place(self._task.query[queries])
        norms = squared_norms(placed)
        rows = np.empty((len(placed), placed.shape[1] + 1), dtype=self._reference.dtype)
        rows[:, :-1], rows[:, -1] = -2 * placed, 1
        slack = self._uncertainty * np.square(np.sqrt(norms) + self._radius)
        return rows, norms, slack.astype(rows.dtype)


def _look(
    distances: np.ndarray, stripe: int, nearest: np.ndarray, slack: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Look for candidates in a piece.

    Parameters
    ----------
    distances : ndarray of shape (n_queries, n_columns)
        Distances from the references of the piece; `FAR` for those that are not to be found.
    stripe : int
        References of a stripe. Its columns lie apart by the number of stripes.
    nearest : ndarray of shape (n_queries, depth)
        Distances from different references of earlier pieces, the largest last; its row is -inf
        for a query that is crowded.
    slack : ndarray of shape (n_queries,)
        What is this little farther than the last of the nearest is a candidate too.
    most : int
        A query with more stripes to look at is crowded.

    Returns
    -------
    nearest : ndarray of shape (n_queries, depth)
        The same with this piece.
    row, column, value : ndarray of shape (n_candidates,)
        Query, reference and distance of each candidate.
    """
    depth = nearest.shape[1]
    stripes = distances.reshape(len(distances), stripe, -1)
    least = stripes.min(axis=1)
    nearest = np.concatenate([nearest, least], axis=1)
    nearest.partition(depth - 1, axis=1)
    nearest = nearest[:, :depth]
    # What is not to be found stays beyond the limit, also where nothing else has been found yet.
    limit = np.minimum(nearest[:, -1] + slack, _REACH)[:, None]
    hits = least <= limit
    crowded = np.count_nonzero(hits, axis=1) > most
    nearest[crowded], hits[crowded] = -np.inf, False
    row, at = np.nonzero(hits)
    values = stripes[row, :, at]
    hit, place = np.nonzero(values <= limit[row])
    return nearest, row[hit], place * least.shape[1] + at[hit], values[hit, place]
