"""The arguments that all retrieval measures share."""

from functools import partial

import numpy as np

from skfer._typing import ArrayLike
from skfer.exceptions import ArgumentError, warn_caller
from skfer.metrics._coordinates import parts_of
from skfer.metrics._task import RetrievalTask, build_task
from skfer.validation import check_groups, check_labels, check_rows, number_values

NAMES = ("embeddings", "reference_embeddings", "groups", "reference_groups")
_LEAVE_OUT = "Such samples are no class: leave them out of labels and embeddings alike."


def make_task(
    embeddings: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike | None,
    reference_embeddings: ArrayLike | None,
    reference_labels: ArrayLike | None,
    reference_groups: ArrayLike | None,
) -> RetrievalTask:
    """Check the arguments that all retrieval measures share."""
    query = check_rows(embeddings, "embeddings")
    leave_self_out = reference_embeddings is None
    if reference_embeddings is None:
        _refuse_stray_reference(reference_labels, reference_groups)
        reference, reference_labels, reference_groups = query, labels, groups
    else:
        reference = check_rows(reference_embeddings, "reference_embeddings")
        _check_reference(query, reference, reference_labels)
    if (groups is None) != (reference_groups is None):
        raise ArgumentError(
            "{groups} and {reference_groups} must be given together: pass the groups of both the "
            "queries and the reference set, or neither."
        )
    n_rows = len(query), len(reference)
    labels_of = _encode("labels", labels, reference_labels, *n_rows)
    groups_of = None if groups is None else _encode("groups", groups, reference_groups, *n_rows)
    is_same = leave_self_out or begins_with(reference, query)
    if not is_same and groups is None:
        warn_of_copies(query, reference)
    return build_task(query, reference, labels_of, groups_of, is_same=is_same)


def _refuse_stray_reference(labels: ArrayLike | None, groups: ArrayLike | None) -> None:
    for name, values in (("reference_labels", labels), ("reference_groups", groups)):
        if values is not None:
            raise ArgumentError(
                f"{{{name}}} is given without {{reference_embeddings}}: pass both, or neither to "
                "search among the queries themselves."
            )


def _check_reference(
    query: np.ndarray, reference: np.ndarray, reference_labels: ArrayLike | None
) -> None:
    if reference_labels is None:
        raise ArgumentError(
            "{reference_labels} is missing: pass the labels of the rows of {reference_embeddings}."
        )
    if query.shape[1] != reference.shape[1]:
        raise ArgumentError(
            "{embeddings} has {} columns but {reference_embeddings} has {}: embed both with the "
            "same model.",
            query.shape[1],
            reference.shape[1],
        )


def _encode(
    name: str, query: ArrayLike, reference: ArrayLike | None, n_query: int, n_reference: int
) -> tuple[np.ndarray, np.ndarray]:
    """Codes that are equal where the values of the two sides are."""
    check = partial(check_labels, hint=_LEAVE_OUT) if name == "labels" else check_groups
    names = name, f"reference_{name}"
    ours = check(query, names[0], n_samples=n_query, rows_name="embeddings")
    theirs = check(reference, names[1], n_samples=n_reference, rows_name="reference_embeddings")
    codes = number_values(ours, theirs, names=names)
    return codes[0], codes[1]


def begins_with(reference: np.ndarray, query: np.ndarray) -> bool:
    """Whether the first references are the queries, as the less precise of the two tells them."""
    first = reference[: len(query)]
    dtype = _less_precise(query, first)
    return np.array_equal(query.astype(dtype, copy=False), first.astype(dtype, copy=False))


def _less_precise(*sides: np.ndarray) -> np.dtype[np.floating]:
    return min((rows.dtype for rows in sides), key=lambda dtype: dtype.itemsize)


def warn_of_copies(
    query: np.ndarray, reference: np.ndarray, names: tuple[str, str, str, str] = NAMES
) -> None:
    """Warn if most queries are among the references: they find themselves, at distance 0.

    `names` are what the two and their groups are called.
    """
    dtype = _less_precise(query, reference)
    queries, references = _hash_rows(query, dtype), _hash_rows(reference, dtype)
    n_copies = int(np.isin(queries, references).sum())
    ours, theirs, groups, their_groups = names
    has_collapsed = bool((references == references[0]).all())
    if 2 * n_copies > len(query) and not has_collapsed:
        warn_caller(
            f"{n_copies} of the {len(query)} rows of {ours} are in {theirs} too, where they find "
            f"themselves at distance 0. Leave these rows out of {theirs}, or pass {groups} and "
            f"{their_groups}."
        )


def _hash_rows(rows: np.ndarray, dtype: np.dtype[np.floating]) -> np.ndarray:
    """Numbers that are equal for rows that are equal in a type, and hardly ever for others."""
    weights = np.random.RandomState(0).randint(2**63, size=rows.shape[1], dtype=np.uint64)
    hashes = np.empty(len(rows), dtype=np.uint64)
    for part in parts_of(rows):
        numbers = rows[part].astype(dtype, copy=False).astype(np.float64)
        bits = (numbers + 0.0).view(np.uint64)  # + 0.0 makes 0 of -0
        hashes[part] = np.einsum("ij,j->i", bits, 2 * weights + 1)
    return hashes
