"""The tables of a comparison."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skfer._paired import are_of_seeds, run_of
from skfer._typing import NDArray
from skfer.evaluation._checks import (
    Split,
    check_counts,
    check_faces,
    check_fits,
    check_known,
    check_names,
    check_rows,
    check_splits,
)
from skfer.evaluation._fits import Fit
from skfer.evaluation._measures import CLASSIFICATION, EMBEDDING, POSTERIOR
from skfer.evaluation._names import REFERENCE
from skfer.evaluation._paired import compare_with, shared_runs
from skfer.evaluation._subgroups import subgroup_report
from skfer.evaluation._summary import summarize
from skfer.evaluation._tables import Cell, Table
from skfer.validation import (
    check_flag,
    check_labels,
    leave_out_unlabeled,
    missing_mask,
    refusal,
    shown,
)

_COMPARED = {**CLASSIFICATION, "recall_at_1": EMBEDDING["recall_at_1"]}


def comparison_tables(
    faces: Bunch, splits: Sequence[Split], fits: Sequence[Fit], *, confusion: bool = False
) -> list[Table]:
    """Make all tables of a comparison.

    Parameters
    ----------
    faces : Bunch
        From :func:`prepare`. If it has ``subgroup``, how each is recognized is told too.
    splits : sequence of (train, test)
        The folds.
    fits : sequence of Fit
        From :func:`compare`; methods are told in their order.
    confusion : bool, default=False
        Whether to tell what each class was taken for.

    Returns
    -------
    list of Table
        Scores, distances, recall of each class, and differences from cross-entropy, or else from
        the first method. Where fits are missing, a row tells how many it is of.

    See Also
    --------
    format_tables : Writes them.
    skfer.inspection.ComparisonDisplay : A picture of the scores.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.evaluation import compare, comparison_tables, make_splits, pca_baseline, prepare
    >>> faces = prepare(make_expressions(12, 1, image_size=24, random_state=0))
    >>> splits = make_splits(faces)
    >>> fits = list(compare({"pca": pca_baseline()}, faces.images, faces.target, splits))
    >>> [table.title for table in comparison_tables(faces, splits, fits)]
    ['mean ± standard deviation over 3 fits', ..., 'recall of each class, all fits together']
    """
    check_faces(faces)
    fits, confusion = check_fits(fits), check_flag(confusion, "confusion")
    target = check_labels(faces.target, "faces.target", allow_unlabeled=True)
    labeled = leave_out_unlabeled(target)
    methods = list(dict.fromkeys(fit.method for fit in fits))
    named = {name: _row_name(name, shared_runs(fits, name), fits) for name in methods}
    rows = [row | {"method": named[row["method"]]} for row in summarize(fits, methods)]
    names = [str(faces.target_names[code]) for code in np.unique(target[labeled])]
    counts = {named[name]: confusion_matrix(fits, faces.target, splits, name) for name in methods}
    tables = [score_table(rows), embedding_table(rows), recall_table(counts, names)]
    reference = REFERENCE if REFERENCE in methods else methods[0]
    others = [name for name in methods if name != reference]
    if others:
        tables.append(difference_table(fits, others, reference))
    if confusion:
        tables += [confusion_table(name, matrix, names) for name, matrix in counts.items()]
    if faces.get("subgroup") is not None:
        for name in methods:
            tables += [
                replace(table, title=f"{named[name]}: {table.title}")
                for table in _subgroup_tables(faces, splits, fits, name)
            ]
    return tables


def _row_name(method: str, runs: Collection[Any], fits: Sequence[Fit]) -> str:
    """Return a method's name, and of how many fits its row is where there are more or others."""
    n = len({run_of(vars(fit)) for fit in fits})
    told = [] if len(runs) == n else [f"{len(runs)} of {n} fits"]
    unlabeled = [fit.n_unlabeled for fit in fits if fit.method == method]
    if any(unlabeled):
        told.append(f"and {np.mean(unlabeled):,.0f} without a label")
    return f"{method} ({', '.join(told)})" if told else method


def _tested(y: NDArray[Any], split: Split) -> NDArray[np.intp]:
    """Return the rows of a fold that compare tests: those that have a label."""
    test = split[1]
    return test[np.isin(test, leave_out_unlabeled(y))]


def _subgroup_tables(
    faces: Bunch, splits: Sequence[Split], fits: Sequence[Fit], method: str
) -> list[Table]:
    mine = [fit for fit in fits if fit.method == method]
    rows = np.concatenate([_tested(faces.target, splits[fit.fold]) for fit in mine])
    if _n_present(faces.subgroup[rows]) < 2 <= _n_present(faces.subgroup):
        return []  # the others were to be tested in fits that are missing
    columns = {
        "y": faces.target[rows],
        "y_pred": np.concatenate([fit.predicted for fit in mine]),
        "subgroups": faces.subgroup[rows],
        "groups": rows if faces.groups is None else faces.groups[rows],
    }
    # With several seeds a face is tested several times, and is one face.
    _, once = np.unique(rows, return_index=True)
    counted = subgroup_report(
        **{name: column[once] for name, column in columns.items()}, n_bootstrap=2, random_state=0
    )
    report = replace(
        subgroup_report(**columns, random_state=0),
        n_samples=counted.n_samples,
        is_small=counted.is_small,
    )
    names = [str(faces.target_names[code]) for code in report.labels]
    return report.tables(names)


def _n_present(subgroups: NDArray[Any]) -> int:
    return len(np.unique(subgroups[~missing_mask(subgroups)]))


def score_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Make the main table: classification, the nearest neighbor, and time.

    Parameters
    ----------
    rows : sequence of dict
        From :func:`summarize`.

    Returns
    -------
    Table

    See Also
    --------
    summarize : Its rows.
    embedding_table : What distances are worth.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.evaluation import compare, make_methods, make_splits
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> splits = make_splits(faces, n_folds=2)
    >>> methods = make_methods(["pca"])
    >>> fits = list(compare(methods, faces.images, faces.target, splits))
    >>> from skfer.evaluation import score_table, summarize
    >>> [name for name, _ in score_table(summarize(fits, ["pca"])).rows]
    ['pca']
    """
    rows = check_rows(rows)
    measures = CLASSIFICATION | {"recall_at_1": EMBEDDING["recall_at_1"]}
    if any(row["ece"] is not None for row in rows):
        measures |= POSTERIOR
    return Table(
        _over(rows),
        [*measures.values(), "fit", "images/s"],
        [
            (
                str(row["method"]),
                [
                    *(_mean(row, measure) for measure in measures),
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

    See Also
    --------
    score_table : What classifiers make of it.
    skfer.metrics : The measures.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.evaluation import compare, make_methods, make_splits
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> splits = make_splits(faces, n_folds=2)
    >>> methods = make_methods(["pca"])
    >>> fits = list(compare(methods, faces.images, faces.target, splits))
    >>> from skfer.evaluation import embedding_table, summarize
    >>> [name for name, _ in embedding_table(summarize(fits, ["pca"])).rows]
    ['pca']
    """
    rows = check_rows(rows)
    return Table(
        f"distances in the embedding, {_over(rows)}",
        list(EMBEDDING.values()),
        [(str(row["method"]), [_mean(row, measure) for measure in EMBEDDING]) for row in rows],
    )


def _over(rows: Sequence[Mapping[str, Any]]) -> str:
    numbers = sorted({row["n_fits"] for row in rows})
    if numbers == [1]:
        return "one fit each"
    told = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    return f"mean ± standard deviation over {told} fits"


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

    See Also
    --------
    confusion_table : The counts as a table.
    sklearn.metrics.confusion_matrix : The same of predictions.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.evaluation import compare, make_methods, make_splits
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> splits = make_splits(faces, n_folds=2)
    >>> methods = make_methods(["pca"])
    >>> fits = list(compare(methods, faces.images, faces.target, splits))
    >>> from skfer.evaluation import confusion_matrix
    >>> counts = confusion_matrix(fits, faces.target, splits, "pca")
    >>> counts.shape, int(counts.sum())
    ((8, 8), 48)
    """
    y = check_labels(y, allow_unlabeled=True)
    fits, splits = check_fits(fits), check_splits(splits, len(y))
    check_known(method, "method", {fit.method for fit in fits})
    if max(fit.fold for fit in fits) >= len(splits):
        raise refusal("splits", "has {} folds, fewer than {fits} have.", len(splits))
    classes = np.unique(y[leave_out_unlabeled(y)].tolist())
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for fit in fits:
        if fit.method == method:
            truth = np.searchsorted(classes, y[_tested(y, splits[fit.fold])].tolist())
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

    See Also
    --------
    confusion_matrix : Where its numbers come from.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.evaluation import recall_table
    >>> table = recall_table({"pca": np.array([[3, 1], [0, 4]])}, ["anger", "fear"])
    >>> [float(cell.value) for cell in table.rows[0][1]]
    [0.75, 1.0]
    """
    rows, names = [], check_names(names)
    if not isinstance(confusions, Mapping):
        raise refusal(
            "confusions", "must be a dict of methods to counts, got {}.", shown(confusions)
        )
    for method, counts in confusions.items():
        check_counts(counts, "confusions", len(names))
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

    See Also
    --------
    confusion_matrix : The counts.
    recall_table : Its diagonal, of several methods.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.evaluation import confusion_table, format_tables
    >>> table = confusion_table("pca", np.array([[3, 1], [0, 4]]), ["anger", "fear"])
    >>> table.columns
    ['anger', 'fear']
    """
    names = check_names(names)
    check_counts(counts, "counts", len(names))
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
        Errors are corrected for training sets that overlap, see :func:`paired_difference`. A row
        is of the folds and seeds that both methods have, and tells how many where some are missing.

    See Also
    --------
    compare_with : One of its cells.
    skfer.inspection.ComparisonDisplay : The same as a picture.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.evaluation import compare, make_methods, make_splits
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> splits = make_splits(faces, n_folds=2)
    >>> methods = make_methods(["pca"])
    >>> fits = list(compare(methods, faces.images, faces.target, splits))
    >>> from skfer.evaluation import difference_table
    >>> [name for name, _ in difference_table(fits, ["pca"], "pca").rows]
    ['pca']
    """
    fits = check_fits(fits)
    known = {fit.method for fit in fits}
    methods = [check_known(name, "methods", known) for name in check_names(methods, "methods")]
    check_known(reference, "reference", known)
    rows, errors = [], set()
    for method in methods:
        found = [compare_with(fits, method, reference, measure) for measure in _COMPARED]
        cells = [Cell(None) if d is None else Cell(d.mean, d.error, form="+.3f") for d in found]
        runs = shared_runs(fits, method, reference)
        rows.append((_row_name(method, runs, fits), cells))
        errors.add(_error_of(runs))
    return Table(f"difference from {reference}{_told(errors)}", list(_COMPARED.values()), rows)


def _error_of(runs: Collection[tuple[int, int]]) -> str:
    if len(runs) < 2:
        return ""
    return "over seeds" if are_of_seeds(runs) else "Nadeau and Bengio"


def _told(errors: set[str]) -> str:
    """Return what errors a table has, in words."""
    told = sorted(errors - {""})
    if told == ["over seeds"]:
        return " ± standard error over seeds"
    # Of two methods that share one fold, beside others that share more.
    more = "; of a single fold: over seeds" if len(told) > 1 else ""
    return f" ± standard error (Nadeau and Bengio{more})" if told else ""
