"""`skfer evaluate`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sklearn
import torch
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch
from tqdm import tqdm

from skfer._version import __version__
from skfer.cli._faces import load_faces
from skfer.cli._output import bars_wanted, check_writable, is_stdout, say, warn, write_json
from skfer.datasets import DATASETS
from skfer.evaluation import (
    METHODS,
    Fit,
    check_folds,
    compare,
    fit_warnings,
    format_tables,
    make_methods,
    make_splits,
    prepare,
    score_table,
    summarize,
)


def run(arguments: argparse.Namespace) -> int:
    """Compare the embedders on the wanted data and print the table."""
    check_writable(arguments.json)
    # Numbers on standard output are for a program: the table would be in its way.
    out = sys.stderr if is_stdout(arguments.json) else sys.stdout
    name, loaded = load_faces(arguments)
    faces = prepare(loaded, max_per_class=arguments.max_per_class, random_state=arguments.seed)
    protocol = arguments.protocol or usual_protocol(name)
    splits = make_splits(faces, protocol, n_folds=arguments.folds, random_state=arguments.seed)
    check_folds(faces.target, splits, arguments.classifier)
    methods = wanted_methods(arguments)
    say(headline(faces, protocol, len(splits), arguments.classifier), out)
    fits = list(_with_bar(methods, faces, splits, arguments))
    rows = summarize(fits, list(methods))
    if arguments.json is not None:
        about = {"dataset": name, "protocol": protocol}
        record = _record(arguments, about, faces, methods, splits) | {
            "summary": rows,
            "folds": [fit_record(fit) for fit in sorted(fits, key=lambda f: (f.method, f.fold))],
        }
        write_json(arguments.json, record)
    say(format_tables([score_table(rows)]), out)
    for text in fit_warnings(fits):
        warn(text)
    return 0


def usual_protocol(name: str) -> str:
    """Return how papers split a data set."""
    return DATASETS[name].protocol if name in DATASETS else "group-fold"


def wanted_methods(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the baselines and every embedder, by name."""
    parameters = {} if arguments.epochs is None else {"max_epochs": arguments.epochs}
    return make_methods(
        METHODS, random_state=arguments.seed, negatives=arguments.negatives, **parameters
    )


def headline(faces: Bunch, protocol: str, n_folds: int, classifier: str) -> str:
    """Return a line on what is evaluated, and how."""
    who = "subjects unknown: images of one person may be on both sides"
    if faces.groups is not None:
        groups = f"{len(np.unique(faces.groups)):,} {faces.group_kind}"
        who = groups if faces.group_kind == "subjects" else f"{groups}, {who}"
    folds = "1 split" if n_folds == 1 else f"{n_folds} folds"
    return (
        f"{len(faces.target):,} faces of {len(np.unique(faces.target))} expressions, {who}; "
        f"{protocol}, {folds}; classifier: {classifier}\n"
    )


def _with_bar(
    methods: Mapping[str, Any],
    faces: Bunch,
    splits: Sequence[Any],
    arguments: argparse.Namespace,
) -> Any:
    fits = compare(
        methods,
        faces.images,
        faces.target,
        splits,
        groups=faces.groups,
        classifier=arguments.classifier,
        n_jobs=arguments.n_jobs,
    )
    hidden = not bars_wanted(arguments.quiet)
    total = len(methods) * len(splits)
    return tqdm(fits, total=total, desc="training", unit="fit", disable=hidden, leave=False)


def _record(
    arguments: argparse.Namespace,
    about: dict[str, Any],
    faces: Bunch,
    methods: Mapping[str, Any],
    splits: Sequence[Any],
) -> dict[str, Any]:
    """Return all that tells what was run."""
    return {
        "skfer": __version__,
        "versions": {module.__name__: module.__version__ for module in (np, sklearn, torch)},
        "settings": {name: value for name, value in vars(arguments).items() if name != "command"},
        "data": {"dataset": about["dataset"], **data_record(faces)},
        "protocol": about["protocol"],
        "splits": [split_record(faces, *split) for split in splits],
        "methods": {name: _parameters(method) for name, method in methods.items()},
    }


def _parameters(method: Any) -> dict[str, Any]:
    last = method[-1] if isinstance(method, Pipeline) else method
    return last.get_params(deep=False)


def data_record(faces: Bunch) -> dict[str, Any]:
    """Return what the data is."""
    return {
        "images": len(faces.target),
        "shape": faces.images.shape[1:],
        "classes": _counts(faces, np.arange(len(faces.target))),
        "groups": None if faces.groups is None else len(np.unique(faces.groups)),
        "groups_are": None if faces.groups is None else faces.group_kind,
        "left_out": faces.skipped,
    }


def split_record(faces: Bunch, train: Any, test: Any) -> dict[str, Any]:
    """Return what is on the two sides of a fold."""
    groups = None if faces.groups is None else np.unique(faces.groups[test]).tolist()
    return {
        "train": _counts(faces, train),
        "test": _counts(faces, test),
        "test_groups": groups if faces.group_kind == "subjects" else None,
    }


def _counts(faces: Bunch, part: Any) -> dict[str, int]:
    codes, counts = np.unique(faces.target[part], return_counts=True)
    return {str(faces.target_names[code]): int(n) for code, n in zip(codes, counts, strict=True)}


def fit_record(fit: Fit) -> dict[str, Any]:
    """Return a fit as a dict of numbers and words, its scores beside the rest."""
    fields = vars(fit).copy()
    return {**fields.pop("scores"), **fields}
