"""The tables of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skfer.evaluation._fits import Fit
from skfer.evaluation._measures import CLASSIFICATION, EMBEDDING, POSTERIOR
from skfer.evaluation._paired import compare_with
from skfer.evaluation._protocols import Split
from skfer.evaluation._tables import Cell, Table

_COMPARED = {**CLASSIFICATION, "recall_at_1": EMBEDDING["recall_at_1"]}


def score_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Make the main table: classification, the nearest neighbor, and time.

    Parameters
    ----------
    rows : sequence of dict
        From :func:`summarize`.

    Returns
    -------
    Table
    """
    shown = CLASSIFICATION | {"recall_at_1": EMBEDDING["recall_at_1"]}
    if any(row["ece"] is not None for row in rows):
        shown |= POSTERIOR
    return Table(
        _over(rows),
        [*shown.values(), "fit", "images/s"],
        [
            (
                str(row["method"]),
                [
                    *(_mean(row, measure) for measure in shown),
                    Cell(row["fit_time"], form=".1f", unit=" s"),
                    Cell(row["images_per_second"], form=",.0f"),
                ],
            )
            for row in rows
        ],
    )


def embedding_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Make the table of what distances are worth.

    Parameters
    ----------
    rows : sequence of dict
        From :func:`summarize`.

    Returns
    -------
    Table
    """
    return Table(
        f"distances in the embedding, {_over(rows)}",
        list(EMBEDDING.values()),
        [(str(row["method"]), [_mean(row, measure) for measure in EMBEDDING]) for row in rows],
    )


def _over(rows: Sequence[Mapping[str, Any]]) -> str:
    n = max(row["n_fits"] for row in rows)
    return "one fit each" if n == 1 else f"mean ± standard deviation over {n} fits"


def _mean(row: Mapping[str, Any], measure: str) -> Cell:
    return Cell(row[measure], row[f"{measure}_sd"])


def confusion_matrix(
    fits: Sequence[Fit], y: NDArray[Any], splits: Sequence[Split], method: str
) -> NDArray[np.int64]:
    """Count what a method took each class for, over all its fits.

    Parameters
    ----------
    fits : sequence of Fit
        From :func:`compare`.
    y : ndarray of shape (n,)
        Labels.
    splits : sequence of (train, test)
        The folds.
    method : str
        The method.

    Returns
    -------
    ndarray of shape (n_classes, n_classes)
        Rows are the classes in sorted order, columns what they were taken for.
    """
    classes = np.unique(y)
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for fit in fits:
        if fit.method == method:
            truth = np.searchsorted(classes, y[splits[fit.fold][1]])
            np.add.at(counts, (truth, np.searchsorted(classes, fit.predicted)), 1)
    return counts


def recall_table(confusions: Mapping[str, NDArray[np.int64]], names: Sequence[str]) -> Table:
    """Make the table of how often each class was recognized.

    Parameters
    ----------
    confusions : mapping of str to ndarray
        By method, from :func:`confusion_matrix`.
    names : sequence of str
        Names of the classes.

    Returns
    -------
    Table
    """
    rows = []
    for method, counts in confusions.items():
        total = counts.sum(axis=1)
        cells = [
            Cell(right / n if n else None) for right, n in zip(np.diag(counts), total, strict=True)
        ]
        rows.append((method, cells))
    return Table("recall of each class, all fits together", list(names), rows)


def confusion_table(method: str, counts: NDArray[np.int64], names: Sequence[str]) -> Table:
    """Make the table of a confusion matrix.

    Parameters
    ----------
    method : str
        Whose it is.
    counts : ndarray of shape (n_classes, n_classes)
        From :func:`confusion_matrix`.
    names : sequence of str
        Names of the classes.

    Returns
    -------
    Table
    """
    rows = [
        (name, [Cell(int(n), form=",.0f") for n in row])
        for name, row in zip(names, counts, strict=True)
    ]
    return Table(f"{method}: what each class (row) was taken for", list(names), rows)


def difference_table(fits: Sequence[Fit], methods: Sequence[str], reference: str) -> Table:
    """Make the table of paired differences from a method.

    Parameters
    ----------
    fits : sequence of Fit
        From :func:`compare`.
    methods : sequence of str
        The rows, in order.
    reference : str
        What they are compared with.

    Returns
    -------
    Table
        Errors are corrected for training sets that overlap, see :func:`paired_difference`.
    """
    by_seed = len({fit.fold for fit in fits}) == 1
    error = "standard error over seeds" if by_seed else "standard error (Nadeau and Bengio)"
    rows = []
    for method in methods:
        found = [compare_with(fits, method, reference, measure) for measure in _COMPARED]
        cells = [Cell(None) if d is None else Cell(d.mean, d.error, form="+.3f") for d in found]
        rows.append((method, cells))
    return Table(f"difference from {reference} ± {error}", list(_COMPARED.values()), rows)
