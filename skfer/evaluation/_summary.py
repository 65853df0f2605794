"""Fits taken together: means, deviations, warnings."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skfer.evaluation._checks import check_fits, check_known
from skfer.evaluation._fits import Fit
from skfer.evaluation._measures import MEASURES
from skfer.validation import as_list


def summarize(fits: Sequence[Fit], methods: Sequence[str]) -> list[dict[str, Any]]:
    """Mean and standard deviation over fits, a row a method.

    Parameters
    ----------
    fits : sequence of Fit
        From :func:`compare`.
    methods : sequence of str
        The rows wanted, in order.

    Returns
    -------
    list of dict
        ``method`` and ``n_fits``; ``<measure>`` and ``<measure>_sd`` for each of the measures, None
        where no fit or only one has a value; ``fit_time`` and ``images_per_second``, means.

    See Also
    --------
    score_table : The rows as a table.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.evaluation import compare, make_methods, make_splits
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> splits = make_splits(faces, n_folds=2)
    >>> methods = make_methods(["pca"])
    >>> fits = list(compare(methods, faces.images, faces.target, splits))
    >>> from skfer.evaluation import summarize
    >>> (row,) = summarize(fits, ["pca"])
    >>> row["method"], row["n_fits"], 0 <= row["accuracy"] <= 1
    ('pca', 2, True)
    """
    fits = check_fits(fits)
    known = {fit.method for fit in fits}
    rows = [check_known(name, "methods", known) for name in as_list(methods, "methods", "names")]
    return [_row(method, [fit for fit in fits if fit.method == method]) for method in rows]


def _row(method: str, fits: Sequence[Fit]) -> dict[str, Any]:
    row: dict[str, Any] = {"method": method, "n_fits": len(fits)}
    for measure in MEASURES:
        values = [v for fit in fits if (v := fit.scores[measure]) is not None]
        row[measure] = float(np.mean(values)) if values else None
        row[f"{measure}_sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
    row["fit_time"] = float(np.mean([fit.fit_time for fit in fits]))
    row["images_per_second"] = float(np.mean([fit.images_per_second for fit in fits]))
    return row


def fit_warnings(fits: Sequence[Fit]) -> list[str]:
    """Return what was warned of in training, with the methods and the number of folds.

    Parameters
    ----------
    fits : sequence of Fit
        From :func:`compare`.

    Returns
    -------
    list of str
        Each warning once.

    See Also
    --------
    compare : Makes fits, which keep what was warned of.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.evaluation import compare, make_methods, make_splits
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> splits = make_splits(faces, n_folds=2)
    >>> methods = make_methods(["pca"])
    >>> fits = list(compare(methods, faces.images, faces.target, splits))
    >>> from skfer.evaluation import fit_warnings
    >>> fit_warnings(fits)  # PCA warns of nothing
    []
    """
    found: dict[str, tuple[set[str], set[int]]] = {}
    fits = check_fits(fits, at_least=0)
    for fit in sorted(fits, key=lambda f: (f.fold, f.method)):
        for text in fit.warnings:
            methods, folds = found.setdefault(text, (set(), set()))
            methods.add(fit.method)
            folds.add(fit.fold)
    n_folds = len({fit.fold for fit in fits})
    return [
        f"{', '.join(sorted(methods))}; {len(folds)} of {n_folds} folds: {text}"
        for text, (methods, folds) in found.items()
    ]
