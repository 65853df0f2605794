"""The command `skfer`: a thin face on the package."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path
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
    __version__,
)
from skfer._evaluation import (
    CLASSIFIERS,
    Score,
    as_table,
    check_folds,
    evaluate,
    pca_baseline,
    summarize,
    training_warnings,
)
from skfer._protocols import (
    LOADER_OPTIONS,
    PROTOCOLS,
    PUBLISHED,
    Split,
    bars_wanted,
    load_faces,
    make_splits,
)
from skfer.datasets import DATASETS, check_dataset

INCOMPLETE, FAILED, BROKEN, INTERRUPTED, READER_GONE = 1, 2, 3, 130, 141
"""Exit codes: a data set is not as published; the call or the data is wrong; skfer is; Ctrl-C; who
read the output has gone."""

_NO_MEMORY = (
    "not enough memory: give a smaller --image-size, --max-per-class or --n-jobs, or keep the "
    "pictures on disk by --cache-dir"
)

DESCRIPTION = """\
Train every embedder of skfer and two baselines (PCA on pixels, and the same network trained with
cross-entropy), each followed by the same classifier, and test them with subjects apart where it is
known who is shown. Prints a table of means and standard deviations over the folds: accuracy,
balanced accuracy (the mean over the classes), recall@1 (how often the nearest image, of another
person if known, has the same label), seconds to train, and images embedded in a second.
"""

EPILOG = r"""
examples:
  drawn faces, to see that all works (a minute or two on a laptop):
    skfer evaluate
  your faces, in a folder for each class, with the subject in the file name (happy/S01_3.png):
    skfer evaluate --dataset folder --root faces/ --group-pattern '(S\d+)_'
  your faces, named in a table with the columns file, emotion and person:
    skfer evaluate --labels labels.csv --root images/ --label-column emotion --group-column person
  your copy of a published set, by its usual protocol, and by variants of it:
    skfer evaluate --dataset ck+ --root CK+/
    skfer evaluate --dataset ck+ --root CK+/ --frames 1 --neutral-first
    skfer evaluate --dataset affectnet --root AffectNet/ --align box --cache-dir cache/ \
      --classes anger disgust fear happiness neutral sadness surprise
  all numbers, for a program:
    skfer evaluate --quiet --json numbers.json

`skfer datasets check NAME ROOT` tells what is in a copy of a published set.

Exit codes: 0 done, 1 (of `skfer datasets check`) the copy is not as published, 2 something is wrong
with the call or the data, 3 skfer itself failed, 130 interrupted, 141 who read the output has gone.
"""


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
    arguments = make_parser().parse_args(argv)
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


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        "skfer",
        description="Facial expression recognition by deep metric learning.",
        epilog="Start with `skfer evaluate`, which needs no data; `skfer evaluate --help` tells "
        "how to run it on your own faces.",
    )
    parser.add_argument("--version", action="version", version=f"skfer {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_evaluate(commands)
    _add_datasets(commands)
    return parser


def _add_datasets(commands: Any) -> None:
    parser = commands.add_parser("datasets", help="look at your copy of a published data set")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check",
        help="compare a copy with what is published",
        description="Tell the layout found, the counts of each class beside the published ones, "
        "and what is missing. Exit code 1 if the copy is not as published.",
    )
    known = sorted(name for name, dataset in DATASETS.items() if dataset.lister is not None)
    check.add_argument("name", type=_one_of(known), metavar="NAME", help=", ".join(known))
    check.add_argument("root", type=Path, metavar="ROOT", help="the folder of your copy")
    check.set_defaults(run=run_check)


def run_check(arguments: argparse.Namespace) -> int:
    """Print what was found of a data set; 1 if it is not as published."""
    report = check_dataset(arguments.name, arguments.root)
    print(report)
    return 0 if report.ok else INCOMPLETE


def _add_evaluate(commands: Any) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="compare all embedders on faces, drawn or your own",
        description=DESCRIPTION,
        usage="skfer evaluate [OPTION ...]",  # the whole list would hide what is wrong
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run_evaluate)
    _add_data(parser.add_argument_group("data"))
    _add_variants(parser.add_argument_group("variants of published sets"))
    _add_how(parser.add_argument_group("evaluation"))


def _add_data(data: Any) -> None:
    data.add_argument(
        "--dataset",
        type=_one_of(["synthetic", *DATASETS]),
        metavar="NAME",
        help="synthetic: drawn faces (the default); folder: yours, in a folder for each class; "
        "table: yours, named in a table; or your copy of a published set: " + ", ".join(PUBLISHED),
    )
    data.add_argument("--root", type=Path, metavar="DIR", help="the folder of the images")
    data.add_argument(
        "--labels",
        type=Path,
        metavar="CSV",
        help="a table with a row for each image; its file names start from --root, or from its own "
        "folder",
    )
    data.add_argument("--file-column", metavar="NAME", help="its column of file names (file)")
    data.add_argument("--label-column", metavar="NAME", help="its column of labels (label)")
    data.add_argument(
        "--group-column", metavar="NAME", help="its column that tells who is shown (none)"
    )
    data.add_argument(
        "--group-pattern",
        metavar="REGEX",
        help=r"with --dataset folder: finds who is shown in a file name, such as '(S\d+)_'",
    )
    data.add_argument(
        "--classes",
        nargs="+",
        metavar="NAME",
        help="these classes only: of anger, contempt, disgust, fear, happiness, neutral, sadness, "
        "surprise, or of your own names",
    )
    data.add_argument(
        "--image-size", type=_image_size, default=48, metavar="N", help="pixels a side (48)"
    )
    data.add_argument(
        "--max-per-class", type=_several, metavar="N", help="take this many images of a class"
    )
    data.add_argument(
        "--cache-dir",
        type=Path,
        metavar="DIR",
        help="keep the decoded images in this folder, which makes the next start quick",
    )
    data.add_argument(
        "--skip-bad", action="store_true", default=None, help="leave out files that cannot be read"
    )


def _add_variants(sets: Any) -> None:
    sets.add_argument(
        "--frames",
        type=_frames,
        metavar="N",
        help="with ck+ or mmi: how many frames of a sequence to take where its expression is at "
        "its peak (3), or all",
    )
    sets.add_argument(
        "--neutral-first",
        action="store_true",
        default=None,
        help="with ck+ or mmi: take the first frame of a sequence too, as neutral",
    )
    sets.add_argument(
        "--intensities",
        type=int,
        nargs="+",
        choices=range(1, 5),
        metavar="N",
        help="with bu3dfe: expressions of these strengths only, of 1 to 4",
    )
    sets.add_argument(
        "--align",
        nargs="?",
        const="landmarks",
        choices=["landmarks", "box"],
        help="with ck+, raf-db or sfew: aligned faces; with affectnet: turned by landmarks "
        "(--align) or cut out by the face box (--align box)",
    )
    sets.add_argument(
        "--no-align", dest="align", action="store_const", const=False, help="whole pictures instead"
    )
    sets.add_argument(
        "--crop",
        nargs=4,
        type=float,
        metavar=("LEFT", "UPPER", "RIGHT", "LOWER"),
        help="with jaffe: the part to take, in shares of width and height",
    )
    sets.add_argument(
        "--no-crop", dest="crop", action="store_const", const=False, help="the whole picture"
    )


def _add_how(how: Any) -> None:
    how.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        help="how to split. group-fold: folds with subjects apart; subject-10fold: ten folds of "
        "subjects in order of their names; leave-one-subject-out: a fold for each; official: the "
        "training and test set of the owners. By default what is usual for the data set",
    )
    how.add_argument("--folds", type=_positive, metavar="N", help="folds of group-fold (3)")
    how.add_argument(
        "--classifier",
        choices=sorted(CLASSIFIERS),
        default="knn",
        help="what classifies the embedded images: 5 nearest neighbours (the default) or an SVM",
    )
    how.add_argument(
        "--negatives",
        choices=["nearest", "fully-synthesized", "semi-synthesized", "prediction"],
        default="fully-synthesized",
        help="how triplet-center chooses what to push away (fully-synthesized)",
    )
    how.add_argument(
        "--epochs",
        type=_positive,
        metavar="N",
        help=f"passes over the training set ({CrossEntropyEmbedder().max_epochs})",
    )
    how.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="fixes data, folds and training (0)"
    )
    jobs = min(os.cpu_count() or 1, 4)
    how.add_argument(
        "--n-jobs",
        type=_positive,
        default=jobs,
        metavar="N",
        help=f"trainings side by side, and threads that read pictures ({jobs})",
    )
    how.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write all numbers here, with what was run; - is standard output, and the table then "
        "goes to standard error",
    )
    how.add_argument("--quiet", action="store_true", help="no progress bar")


def _one_of(names: Sequence[str]) -> Callable[[str], str]:
    """Return what reads a name in any case and spelling (RAF_DB, BU-3DFE), or tells a near one."""

    def plain(text: str) -> str:
        return re.sub(r"[-_ ]", "", text.lower()).replace("plus", "+")

    known = {plain(name): name for name in names}

    def read(text: str) -> str:
        if plain(text) in known:
            return known[plain(text)]
        near = difflib.get_close_matches(plain(text), known, 1)
        hint = f"did you mean {known[near[0]]}? " if near else ""
        raise argparse.ArgumentTypeError(f"{text!r} is unknown: {hint}Give {', '.join(names)}.")

    return read


def _frames(text: str) -> int | str:
    return text if text in ("peak", "all") else _whole(text, "'peak', 'all' or a whole number")


def _positive(text: str) -> int:
    return _whole(text, "a whole number")


def _several(text: str) -> int:
    # A single image of a class is never in training and test alike.
    return _whole(text, "a whole number", 2)


def _image_size(text: str) -> int:
    return _whole(text, "a whole number", 16)


def _seed(text: str) -> int:
    return _whole(text, "a whole number", 0, 2**32 - 1)


def _whole(text: str, wanted: str, low: int = 1, high: int | None = None) -> int:
    bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
    if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
        raise argparse.ArgumentTypeError(f"give {wanted} {bounds}, not {text!r}")
    return int(text)


def run_evaluate(arguments: argparse.Namespace) -> int:
    """Compare the embedders on the wanted data and print the table."""
    _check_writable(arguments.json)
    # Numbers on standard output are for a program: the table would be in its way.
    out = sys.stderr if _is_stdout(arguments.json) else sys.stdout
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
        _write_json(arguments.json, _record(arguments, faces, methods, splits, rows, scores))
    return 0


def _check_writable(path: Path | None) -> None:
    # Better now than after minutes of training.
    if path is None or _is_stdout(path):
        return
    if path.is_dir():
        raise ValueError(f"--json {path} is a folder: give the name of a file in it.")
    if path.exists() and not os.access(path, os.W_OK):
        raise ValueError(f"--json {path} is write-protected: choose another place.")
    if not _is_special(path):
        _check_folder(path, _behind_links(path).parent)


def _check_folder(path: Path, folder: Path) -> None:
    if not folder.is_dir():
        raise ValueError(f"--json {path}: there is no folder {folder}. Make it first.")
    try:  # its mode does not tell all: the file system may be read-only
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(
            f"--json {path}: no file can be made in {folder} ({error.strerror}): choose another "
            "place, or - for standard output."
        ) from error


def _is_stdout(path: Path | None) -> bool:
    """Whether a path is "-" or another name of standard output, such as /dev/stdout."""
    if path is None or str(path) == "-":
        return path is not None
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except OSError:
        return False


def _is_special(path: Path) -> bool:
    """Whether a path is a device or a pipe, to be written to and never to be replaced."""
    return path.exists() and not path.is_file()


def _behind_links(path: Path) -> Path:
    return Path(os.path.realpath(path))


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


def _write_json(path: Path, record: dict[str, Any]) -> None:
    text = json.dumps(record, indent=2, default=str) + "\n"
    if _is_stdout(path):
        sys.stdout.write(text)
        return
    try:
        if _is_special(path):
            path.write_text(text, encoding="utf-8")
        else:
            _replace(_behind_links(path), text)
    except OSError as error:
        raise ValueError(f"--json {path} could not be written: {error.strerror}.") from error
    print(f"\nAll numbers: {path}")


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
