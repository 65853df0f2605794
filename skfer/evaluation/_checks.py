"""Checks of what functions of this room share: faces, folds, fits, names and counts."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skfer._typing import NDArray
from skfer.evaluation._fits import Fit
from skfer.validation import as_array, as_list, check_int, refusal, shown

Split = tuple[NDArray[np.intp], NDArray[np.intp]]


def check_faces(faces: Any) -> Bunch:
    """Return a data set, if it has images and their labels."""
    if not isinstance(faces, Bunch) or faces.get("images") is None or faces.get("target") is None:
        raise refusal(
            "faces",
            "must be a Bunch with images and target, as loaders return, got {}.",
            shown(faces),
        )
    return faces


def check_splits(splits: Any, n_samples: int) -> list[Split]:
    """Return folds, if they are pairs of indices of samples."""
    return [_check_split(split, n_samples) for split in as_list(splits, "splits", "folds")]


def _check_split(split: Any, n_samples: int) -> Split:
    if not isinstance(split, tuple | list) or len(split) != 2:
        raise refusal(
            "splits", "must hold a pair (train, test) for each fold, got {}.", shown(split)
        )
    train, test = (as_array(part, "splits") for part in split)
    for part in (train, test):
        if (
            part.ndim != 1
            or part.dtype.kind not in "iu"
            or (part.size and (part.min() < 0 or part.max() >= n_samples))
        ):
            raise refusal("splits", "must hold indices below {}, got {}.", n_samples, shown(part))
    return train, test


def check_methods(methods: Any) -> Mapping[str, Any]:
    """Return embedders by name, if they are that."""
    values = list(methods.values()) if isinstance(methods, Mapping) else [methods]
    if not all(hasattr(value, "fit") and hasattr(value, "get_params") for value in values):
        raise refusal("methods", "must be a dict of names to embedders, got {}.", shown(methods))
    for name, value in methods.items():
        if not hasattr(value, "transform"):
            raise refusal(
                "methods",
                "must embed, and {}, a {}, has no transform: leave out what predicts after the "
                "embedder, and give it by {classifier}.",
                shown(name),
                type(value).__name__,
            )
    return methods


def check_fits(fits: Any, *, at_least: int = 1) -> list[Fit]:
    """Return fits, if there are so many and they are that, method by method."""
    found = as_list(fits, "fits", "fits")
    strange = [fit for fit in found if not isinstance(fit, Fit)]
    if strange or len(found) < at_least:
        given = shown(strange[0]) if strange else "none"
        raise refusal("fits", "must be those that compare gives, got {}.", given)
    return sorted(found, key=lambda fit: fit.place)


def check_known(value: Any, name: str, known: Collection[str]) -> str:
    """Return a name, if it is one of those there are."""
    if not isinstance(value, str) or value not in known:
        raise refusal(name, "must be one of {}, got {}.", ", ".join(sorted(known)), shown(value))
    return value


def check_names(names: Any, name: str = "names") -> list[str]:
    """Return a list of words."""
    found = as_list(names, name, "names")
    if not all(isinstance(value, str) for value in found):
        raise refusal(name, "must be words, got {}.", shown(names))
    return found


def check_rows(rows: Any) -> list[Mapping[str, Any]]:
    """Return rows of a summary, if there are any and they are that."""
    found = as_list(rows, "rows", "rows")
    if not found or not all(isinstance(row, Mapping) and "method" in row for row in found):
        raise refusal("rows", "must be those that summarize gives, got {}.", shown(rows))
    return found


def check_counts(counts: Any, name: str, n_classes: int) -> NDArray[np.int64]:
    """Return the counts of a confusion matrix, one row and one column for each class."""
    table = as_array(counts, name)
    if table.shape != (n_classes, n_classes) or table.dtype.kind not in "iu":
        raise refusal(
            name,
            "must hold a row and a column of whole numbers for each of {} names, got {}.",
            n_classes,
            shown(counts),
        )
    return table


def check_seed(value: Any, name: str = "random_state", *, optional: bool = False) -> Any:
    """Return a seed: a whole number, or None where that is welcome."""
    return check_int(value, name, at_least=0, at_most=2**32 - 1, optional=optional)


def check_results(results: Any) -> Path | None:
    """Return the path of a file that may be there or not, None if there is to be none."""
    if results is None:
        return None
    if (
        not isinstance(results, str | os.PathLike)
        or len(os.fsencode(Path(results).name)) > 255
        or Path(results).is_dir()
    ):
        raise refusal("results", "must be the path of a file, got {}.", shown(results))
    return Path(results)
