"""What `skfer evaluate --json` writes: what was run, and what came out."""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy
import sklearn
import torch
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from skfer._version import __version__
from skfer.cli._comparison import Comparison
from skfer.datasets import UNLABELED
from skfer.evaluation import Fit, confusion_matrix, summarize


def record_of_run(wanted: Comparison, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return all that tells what was run."""
    packages = (np, scipy, sklearn, torch)
    return {
        "skfer": __version__,
        "versions": {package.__name__: package.__version__ for package in packages},
        "settings": {name: value for name, value in vars(arguments).items() if name != "command"},
        "data": {"dataset": wanted.dataset, **data_record(wanted.faces)},
        "faces": _faces(wanted.faces),
        "duplicates": wanted.duplicates,
        "protocol": wanted.protocol,
        "splits": [split_record(wanted.faces, *split) for split in wanted.splits],
        "methods": {name: _parameters(method) for name, method in wanted.methods.items()},
    }


def record_of_fits(wanted: Comparison, fits: Sequence[Fit]) -> dict[str, Any]:
    """Return what came out: means, confusions, and every fit with its predictions."""
    methods = list(dict.fromkeys(fit.method for fit in fits))
    y = wanted.faces.target
    return {
        "summary": summarize(fits, methods),
        "confusion": {
            method: confusion_matrix(fits, y, wanted.splits, method).tolist() for method in methods
        },
        "folds": [fit_record(fit) for fit in fits],
    }


def fit_record(fit: Fit) -> dict[str, Any]:
    """Return a fit as a dict of numbers and words, its scores beside the rest."""
    fields = vars(fit).copy()
    return {**fields.pop("scores"), **fields}


def data_record(faces: Bunch) -> dict[str, Any]:
    """Return what the data is."""
    return {
        "images": len(faces.target),
        "shape": faces.images.shape[1:],
        "classes": _counts(faces, np.arange(len(faces.target))),
        "groups": None if faces.groups is None else len(np.unique(faces.groups)),
        "groups_are": None if faces.groups is None else faces.group_kind,
        "unlabeled": faces.n_unlabeled,
        "left_out": faces.skipped,
    }


def _faces(faces: Bunch) -> dict[str, Any]:
    """Return a column for each thing that is known of a face: predictions refer to these rows."""
    names = ("target", "filenames", "groups", "subgroup")
    columns = {name: faces.get(name) for name in names}
    return {name: None if v is None else v.tolist() for name, v in columns.items()} | {
        "target_names": [str(name) for name in faces.target_names]
    }


def split_record(faces: Bunch, train: Any, test: Any) -> dict[str, Any]:
    """Return what is on the two sides of a fold, and the rows of its test part."""
    groups = None if faces.groups is None else np.unique(faces.groups[test]).tolist()
    return {
        "train": _counts(faces, train),
        "test": _counts(faces, test),
        "test_groups": groups if faces.group_kind == "subjects" else None,
        "test_rows": np.asarray(test).tolist(),
    }


def _counts(faces: Bunch, part: Any) -> dict[str, int]:
    target = faces.target[part]
    codes, counts = np.unique(target[target != UNLABELED], return_counts=True)
    return {str(faces.target_names[code]): int(n) for code, n in zip(codes, counts, strict=True)}


def _parameters(method: Any) -> dict[str, Any]:
    last = method[-1] if isinstance(method, Pipeline) else method
    return last.get_params(deep=False)
