"""Coordinates near 0 and below 1 in size, in which squared distances keep their digits."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# Rows that are converted at once: a few MB.
_ROWS = 4096
# Squared distances below this share of the largest squared radius are rounding noise.
_COINCIDENT = 1e-14


@dataclass(frozen=True)
class Coordinates:
    """A scale and a center, which change no ranking.

    Without them squared distances lose their digits under a common offset, and overflow. A power
    of two as scale keeps equal distances equal.
    """

    exponent: int
    center: np.ndarray
    noise: float
    """Largest squared distance that is rounding."""

    def place(self, rows: np.ndarray) -> np.ndarray:
        """Return rows in these coordinates, in double precision."""
        return _placed(rows, self.exponent, self.center)

    def place_all(self, rows: np.ndarray) -> np.ndarray:
        """Return many rows in these coordinates, without a second copy in between."""
        placed = np.empty(rows.shape)
        for part in parts_of(rows):
            placed[part] = self.place(rows[part])
        return placed

    def squared_distances(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the squared distance of each row of one array from that of the other."""
        distances = squared_norms(_placed(a, self.exponent, _placed(b, self.exponent)))
        distances[distances <= self.noise] = 0
        return distances


def find_coordinates(query: np.ndarray, reference: np.ndarray) -> Coordinates:
    """Find the coordinates for two sets of rows: the mean of the references at 0."""
    exponent = find_exponent(query, reference)
    total = sum(_placed(reference[part], exponent).sum(axis=0) for part in parts_of(reference))
    center = np.asarray(total / len(reference))
    radius = max(
        squared_norms(_placed(rows[part], exponent, center)).max()
        for rows in (query, reference)
        for part in parts_of(rows)
    )
    return Coordinates(exponent, center, _COINCIDENT * float(radius))


def find_exponent(*sets: np.ndarray) -> int:
    """Find the power of two that brings the largest number of all rows to about 1."""
    largest = max(max(-rows.min(), rows.max()) for rows in sets)
    return -int(np.frexp(float(largest))[1])


def _placed(rows: np.ndarray, exponent: int, center: np.ndarray | None = None) -> np.ndarray:
    """Return rows times 2**exponent, less a center, in double precision."""
    placed = np.ldexp(rows, exponent, dtype=np.float64)
    if center is not None:
        placed -= center
    return placed


def parts_of(rows: np.ndarray) -> Iterator[slice]:
    """Return slices of a few thousand rows."""
    return (slice(start, start + _ROWS) for start in range(0, len(rows), _ROWS))


def squared_norms(rows: np.ndarray) -> np.ndarray:
    """Return the squared length of each row."""
    return np.einsum("ij,ij->i", rows, rows)
