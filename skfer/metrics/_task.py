"""One retrieval experiment: queries, references, and what a query must not find."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from skfer.metrics._coordinates import Coordinates, find_coordinates

_Codes = tuple[np.ndarray, np.ndarray]  # of the queries, and of the references


@dataclass(frozen=True)
class RetrievalTask:
    """Queries and references of one experiment, encoded and sorted.

    With groups, both sides are sorted by them, so that what a query must not find is a run of
    references. The order of rows changes no measure.

    Parameters
    ----------
    query, reference : ndarray of shape (n, n_dims)
        The rows, in single or double precision; one array if both sides are the same.
    query_labels, reference_labels : ndarray of shape (n,)
        Codes that are equal where the labels are.
    forbidden : ndarray of shape (n_query, 2) or None
        A query's own group is the references from the first to before the second.
    own_place : ndarray of shape (n_query,) or None
        The reference that is the query itself.
    n_relevant : ndarray of shape (n_query,)
        How many references of its label a query may find.
    coordinates : Coordinates
        Where distances are measured.
    """

    query: np.ndarray
    reference: np.ndarray
    query_labels: np.ndarray
    reference_labels: np.ndarray
    forbidden: np.ndarray | None
    own_place: np.ndarray | None
    n_relevant: np.ndarray
    coordinates: Coordinates

    @property
    def n_candidates(self) -> int:
        """Most references that one query can find."""
        return len(self.reference) - (self.own_place is not None)

    def forbid(self, block: Any, queries: np.ndarray, start: int, value: Any) -> None:
        """Overwrite what the queries must not find: themselves, and their own groups.

        Parameters
        ----------
        block : array of shape (n_queries, n_columns)
            Something about each query and the references from `start` on.
        queries : ndarray of shape (n_queries,)
            The queries, in rising order.
        start : int
            The reference of the first column.
        value : number
            What is written.
        """
        for runs in self.runs(queries):
            inside = np.clip(runs - start, 0, block.shape[1])
            changes = np.flatnonzero(np.diff(inside, axis=0).any(axis=1)) + 1
            for top, bottom in itertools.pairwise([0, *changes.tolist(), len(inside)]):
                first, last = inside[top].tolist()
                block[top:bottom, first:last] = value

    def runs(self, queries: np.ndarray) -> Iterator[np.ndarray]:
        """Yield runs of references, from the first to before the second, not to be found."""
        if self.forbidden is not None:
            yield self.forbidden[queries]
        if self.own_place is not None:
            place = self.own_place[queries]
            yield np.stack([place, place + 1], axis=1)


def build_task(
    query: np.ndarray,
    reference: np.ndarray,
    labels: _Codes,
    groups: _Codes | None,
    *,
    is_same: bool,
) -> RetrievalTask:
    """Sort both sides by their groups, if there are any, and count what can be found.

    Parameters
    ----------
    query, reference : ndarray of shape (n, n_dims)
        The rows.
    labels, groups : pair of ndarray of int
        Their codes, of queries and references.
    is_same : bool
        Whether the references begin with the queries.
    """
    coordinates = find_coordinates(query, reference)
    own_place = np.arange(len(query)) if is_same else None
    forbidden = None
    if groups is not None:
        order, reference_order = (np.argsort(codes, kind="stable") for codes in groups)
        labels = labels[0][order], labels[1][reference_order]
        groups = groups[0][order], groups[1][reference_order]
        if own_place is not None:
            own_place = np.argsort(reference_order)[order]
        one_array = query is reference
        query = query[order]
        reference = query if one_array else reference[reference_order]
        edges = [np.searchsorted(groups[1], groups[0], side) for side in ("left", "right")]
        forbidden = np.stack(edges, axis=1)
    n_relevant = _count_relevant(labels, groups, own_place)
    return RetrievalTask(query, reference, *labels, forbidden, own_place, n_relevant, coordinates)


def _count_relevant(
    labels: _Codes, groups: _Codes | None, own_place: np.ndarray | None
) -> np.ndarray:
    """Count the references of each query's label, without its group and itself."""
    n_relevant = _count_equal(*labels)
    if groups is not None:
        n_codes = len(labels[0]) + len(labels[1])  # at most
        pairs = [
            np.ravel_multi_index(codes, (n_codes, n_codes))
            for codes in zip(labels, groups, strict=True)
        ]
        n_relevant = n_relevant - _count_equal(*pairs)
    if own_place is not None:
        itself = labels[0] == labels[1][own_place]
        if groups is not None:
            itself &= groups[0] != groups[1][own_place]
        n_relevant = n_relevant - itself
    return n_relevant


def _count_equal(codes: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Count for each code how many of the reference are equal to it."""
    reference = np.sort(reference)
    return np.searchsorted(reference, codes, "right") - np.searchsorted(reference, codes, "left")
