"""The command `skfer`: a thin face on the package."""

from __future__ import annotations

import argparse
import os
import re
import sys
import traceback
import warnings
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from typing import Any

import numpy as np
import sklearn
import torch
from sklearn.pipeline import Pipeline

from skfer import (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
from skfer._version import __version__
from skfer.cli._options import make_parser
from skfer.cli._output import check_writable, is_stdout, write_json
from skfer.datasets import check_dataset
from skfer.evaluation._comparison import (
    Score,
    as_table,
    check_folds,
    evaluate,
    pca_baseline,
    summarize,
    training_warnings,
)
from skfer.evaluation._protocols import (
    LOADER_OPTIONS,
    Split,
    bars_wanted,
    load_faces,
    make_splits,
)

INCOMPLETE, FAILED, BROKEN, INTERRUPTED, READER_GONE = 1, 2, 3, 130, 141
"""Exit codes: a data set is not as published; the call or the data is wrong; skfer is; Ctrl-C; who
read the output has gone."""

_NO_MEMORY = (
    "not enough memory: give a smaller --image-size, --max-per-class or --n-jobs, or keep the "
    "pictures on disk by --cache-dir"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process by default.

    Returns
    -------
    int
        The exit code.
    """
    arguments = make_parser(run_evaluate, run_check).parse_args(argv)
    with warnings.catch_warnings():

        def tell(message: Warning | str, *_: Any, **__: Any) -> None:
            _warn(_in_options(str(message), arguments))

        warnings.showwarning = tell  # a line of source means nothing here
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    try:
        code = arguments.run(arguments)
        sys.stdout.flush()  # a reader that has gone is noticed here and not at exit
        return code
    except KeyboardInterrupt:
        print("skfer: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except (MemoryError, BrokenExecutor) as error:
        print(f"skfer: error: {_NO_MEMORY} ({error})", file=sys.stderr)
        return FAILED
    except (ValueError, OSError, ImportError) as error:
        print(f"skfer: error: {_explained(error, arguments)}", file=sys.stderr)
        return FAILED
    except Exception:
        traceback.print_exc()
        print("skfer: a fault of skfer: please report it with the lines above", file=sys.stderr)
        return BROKEN


def _reader_gone() -> int:
    # Python would complain once more when it flushes at exit.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    return READER_GONE


def _warn(text: str) -> None:
    line = text.replace(":\n  ", ": ").replace("\n  ", "; ").replace("\n", ". ")
    print(f"skfer: warning: {line}", file=sys.stderr)


# Loaders speak of their parameters; who types a command has options.
_SAYINGS = {
    "on_error='skip'": "--skip-bad",
    "image_size=...": "--image-size N",
    "align=False": "--no-align",
    "Split by groups, for example with SubjectKFold.": "Remove the copies, or say who is shown by "
    "--group-column or --group-pattern, so that copies stay together.",
}
_SHARED = {option: (option,) for option in ("root", "cache_dir", "image_size")}
_PARAMETERS = {"csv": "--labels"} | {
    name: f"--{option.replace('_', '-')}"
    for option, names in (LOADER_OPTIONS | _SHARED).items()
    for name in names
}


def _explained(error: Exception, arguments: argparse.Namespace) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"cannot use {error.filename!r}: {error.strerror}."
    text = _in_options(str(error), arguments)
    return text + _wanted_columns(text, arguments)


def _in_options(text: str, arguments: argparse.Namespace) -> str:
    """Return what a loader says with options of the command instead of parameters."""
    for said, meant in _SAYINGS.items():
        text = text.replace(said, meant)
    names = _PARAMETERS | ({"root": "ROOT"} if arguments.run is run_check else {})
    # Not within a path or a longer word.
    pattern = rf"(?<![\w/'])({'|'.join(names)})(=| must be)"
    return re.sub(pattern, lambda m: names[m[1]] + (" " if m[2] == "=" else m[2]), text)


def _wanted_columns(text: str, arguments: argparse.Namespace) -> str:
    """Return which options name the columns that a table lacks."""
    _, lacking, rest = text.partition(" has no column ")
    if not lacking or getattr(arguments, "labels", None) is None:
        return ""
    missing = rest.partition(";")[0]
    usual = {"file_column": "file", "label_column": "label", "group_column": None}
    options = [
        f"--{key.replace('_', '-')} NAME"
        for key, name in usual.items()
        if repr(getattr(arguments, key) or name) in missing
    ]
    return f" Give {' and '.join(options)}."


def run_check(arguments: argparse.Namespace) -> int:
    """Print what was found of a data set; 1 if it is not as published."""
    report = check_dataset(arguments.name, arguments.root)
    print(report)
    return 0 if report.ok else INCOMPLETE


def run_evaluate(arguments: argparse.Namespace) -> int:
    """Compare the embedders on the wanted data and print the table."""
    check_writable(arguments.json)
    # Numbers on standard output are for a program: the table would be in its way.
    out = sys.stderr if is_stdout(arguments.json) else sys.stdout
    faces = load_faces(arguments)
    methods = make_methods(arguments)
    splits = make_splits(faces, arguments.folds, arguments.seed)
    check_folds(faces.target, splits, arguments.classifier)
    print(_headline(faces, arguments, len(splits)), file=out, flush=True)
    scores = _run_with_bar(methods, faces, splits, arguments)
    rows = summarize(scores, list(methods))
    print(as_table(rows), file=out)
    for text in training_warnings(scores):
        _warn(text)
    if arguments.json is not None:
        write_json(arguments.json, _record(arguments, faces, methods, splits, rows, scores))
    return 0


def make_methods(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the baselines and every embedder, by name."""
    shared: dict[str, Any] = {"random_state": arguments.seed}
    if arguments.epochs is not None:
        shared["max_epochs"] = arguments.epochs
    return {
        "PCA on pixels": pca_baseline(random_state=arguments.seed),
        "cross-entropy": CrossEntropyEmbedder(**shared),
        "multi-threshold": MultiThresholdEmbedder(**shared),
        "triplet-center": TripletCenterEmbedder(negatives=arguments.negatives, **shared),
        "Gaussian": GaussianMetricEmbedder(**shared),
    }


def _headline(faces: Any, arguments: argparse.Namespace, n_folds: int) -> str:
    who = "subjects unknown: images of one person may be on both sides"
    if faces.groups is not None:
        groups = f"{len(np.unique(faces.groups)):,} {faces.group_kind}"
        who = groups if faces.group_kind == "subjects" else f"{groups}, {who}"
    folds = "1 split" if n_folds == 1 else f"{n_folds} folds"
    return (
        f"{len(faces.target):,} faces of {len(np.unique(faces.target))} expressions, {who}; "
        f"{faces.protocol}, {folds}; classifier: {arguments.classifier}\n"
    )


def _run_with_bar(
    methods: dict[str, Any], faces: Any, splits: list[Any], arguments: argparse.Namespace
) -> list[Score]:
    from tqdm import tqdm

    n = len(methods) * len(splits)
    scores = evaluate(
        methods,
        faces.images,
        faces.target,
        faces.groups,
        splits,
        arguments.classifier,
        min(arguments.n_jobs, n),
    )
    hidden = not bars_wanted(arguments)
    bar = tqdm(scores, total=n, desc="training", unit="fit", disable=hidden, leave=False)
    return list(bar)


def _record(
    arguments: argparse.Namespace,
    faces: Any,
    methods: dict[str, Any],
    splits: list[Split],
    rows: list[dict[str, Any]],
    scores: list[Score],
) -> dict[str, Any]:
    """Return all that tells what was run, and what came out."""
    order = sorted(scores, key=lambda s: (s.method, s.fold))
    return {
        "skfer": __version__,
        "versions": {module.__name__: module.__version__ for module in (np, sklearn, torch)},
        "settings": {name: value for name, value in vars(arguments).items() if name != "run"},
        "data": _data_record(faces),
        "protocol": faces.protocol,
        "splits": [_split_record(faces, *split) for split in splits],
        "methods": {name: _parameters(method) for name, method in methods.items()},
        "summary": rows,
        "folds": [s.as_dict() for s in order],
    }


def _parameters(method: Any) -> dict[str, Any]:
    last = method[-1] if isinstance(method, Pipeline) else method
    return last.get_params(deep=False)


def _data_record(faces: Any) -> dict[str, Any]:
    return {
        "dataset": faces.dataset,
        "images": len(faces.target),
        "shape": faces.images.shape[1:],
        "classes": _counts(faces, np.arange(len(faces.target))),
        "groups": None if faces.groups is None else len(np.unique(faces.groups)),
        "groups_are": None if faces.groups is None else faces.group_kind,
        "left_out": faces.skipped,
    }


def _split_record(faces: Any, train: Any, test: Any) -> dict[str, Any]:
    groups = None if faces.groups is None else np.unique(faces.groups[test]).tolist()
    return {
        "train": _counts(faces, train),
        "test": _counts(faces, test),
        "test_groups": groups if faces.group_kind == "subjects" else None,
    }


def _counts(faces: Any, part: Any) -> dict[str, int]:
    codes, counts = np.unique(faces.target[part], return_counts=True)
    return {str(faces.target_names[code]): int(n) for code, n in zip(codes, counts, strict=True)}
