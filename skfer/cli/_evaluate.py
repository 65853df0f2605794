"""`skfer evaluate`."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from sklearn.utils import Bunch

from skfer._typing import NDArray
from skfer.cli._cluster import check_cluster, workers_at
from skfer.cli._comparison import Comparison
from skfer.cli._faces import (
    OWN_SETS,
    count_of,
    load_faces,
    parts_of,
    with_unlabeled,
    without_duplicates,
)
from skfer.cli._figures import check_drawable, draw_comparison
from skfer.cli._output import (
    all_tried,
    bars_wanted,
    check_apart,
    check_outside,
    check_writable,
    in_a_line,
    is_regular,
    is_stdout,
    say,
    say_if_heard,
    warn,
    write_json,
)
from skfer.cli._record import record_of_fits, record_of_run
from skfer.cli._stage import held
from skfer.datasets import DATASETS
from skfer.evaluation import (
    METHODS,
    Fit,
    Table,
    check_folds,
    compare,
    comparison_tables,
    fit_warnings,
    format_tables,
    make_methods,
    make_splits,
    prepare,
)
from skfer.evaluation._finished_fits import ResultsFile
from skfer.evaluation._unlabeled import takes_unlabeled
from skfer.exceptions import ArgumentError
from skfer.validation import missing_mask, shown


def run(arguments: argparse.Namespace) -> int:
    """Compare the embedders on the wanted data and print the tables."""
    read = (arguments.labels, arguments.root)
    check_writable(arguments.json, inputs=read)
    check_writable(arguments.results, "--results", or_stdout=False, inputs=read)
    check_apart(arguments.json, arguments.results, ("--json", "--results"))
    if (kept := results_path(arguments)) is not None:
        ResultsFile(kept)  # which refuses another kind of file
    if not arguments.labels:  # a table names the pictures that are read
        check_outside(arguments.figures, "--figures", [arguments.root])
    check_cluster(arguments.dask)
    check_drawable(arguments.figures)
    with _alone(arguments):
        _evaluate(arguments)
    return 0


def _alone(arguments: argparse.Namespace) -> AbstractContextManager[None]:
    """Keep other calls from the same numbers; a file that is given may be of several calls."""
    path = results_path(arguments)
    return nullcontext() if path is None or arguments.results is not None else held(path, "json")


def _evaluate(arguments: argparse.Namespace) -> None:
    # Numbers on standard output are for a program: the table would be in its way.
    out = sys.stderr if is_stdout(arguments.json) else sys.stdout
    wanted = _prepare(arguments)
    if arguments.table == "text":
        start = None if set(wanted.methods) == {"pca"} else start_of(arguments)
        text = headline(wanted.faces, wanted.protocol, wanted.splits, arguments.classifier, start)
        is_kept = arguments.json or arguments.results or arguments.figures
        (say_if_heard if is_kept else say)(text, out)
    fits: list[Fit] = []
    try:
        with workers_at(arguments.dask, wanted.faces.images):
            fits.extend(_fits(wanted, arguments))
    except BaseException:  # Ctrl-C and a killed worker leave what was done until then
        _tell(wanted, fits, arguments, out)
        raise
    _tell(wanted, fits, arguments, out)


def _prepare(arguments: argparse.Namespace) -> Comparison:
    methods = wanted_methods(arguments)
    name, loaded = load_faces(arguments)
    protocol = arguments.protocol or usual_protocol(name, loaded)
    # The published split is used as it is: what its parts share is only reported.
    duplicates = arguments.duplicates or ("keep" if protocol == "official" else "drop")
    pairs: list[tuple[str, str]] = []
    kept = loaded
    if arguments.duplicates or protocol != "official":
        kept, pairs = without_duplicates(loaded, duplicates)
    faces = prepare(
        kept,
        max_per_class=arguments.max_per_class,
        # The published test part is tested whole.
        capped_parts=("train",) if protocol == "official" and "train" in parts_of(kept) else None,
        keep_unlabeled=bool(arguments.use_unlabeled),
        random_state=arguments.seed,
    )
    splits = make_splits(
        faces,
        protocol,
        n_folds=arguments.folds,
        random_state=arguments.seed,
        check_images=duplicates != "keep",
    )
    check_folds(faces.target, splits, arguments.classifier)
    _check_subgroups(faces, arguments.subgroup_column)
    with_unlabeled(faces, len(kept.target), arguments.use_unlabeled)
    parts = parts_of(faces)
    if name in OWN_SETS and len(parts) > 1 and arguments.protocol is None:
        warn(
            f"the parts {', '.join(parts)} are taken together and split anew: give --protocol "
            "official to train and test on them as they are."
        )
    return Comparison(name, protocol, faces, splits, methods, pairs)


def _check_subgroups(faces: Bunch, column: str | None) -> None:
    """Raise, before anything is trained, if there is nothing to report apart."""
    subgroups = faces.get("subgroup")
    if subgroups is None:
        return
    present = np.unique(np.asarray(subgroups)[~missing_mask(subgroups)])
    if len(present) < 2:
        raise ArgumentError(
            "{subgroup_column}: the column {} has less than two values: {}.",
            repr(column),
            shown(present.tolist()),
        )


def usual_protocol(name: str, faces: Bunch) -> str:
    """Return how papers split a data set, or one that suits a copy without subjects."""
    usual = DATASETS[name].protocol if name in DATASETS else "group-fold"
    if usual not in ("subject-10fold", "leave-one-subject-out"):
        return usual
    if faces.get("groups") is not None and faces.group_kind == "subjects":
        return usual
    found = "official" if {"train", "test"}.issubset(parts_of(faces)) else "group-fold"
    warn(f"this copy names no subjects, whom the usual protocol, {usual}, needs: {found} instead.")
    return found


def wanted_methods(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the methods to compare, by name."""
    start = start_of(arguments)
    given = {
        "max_epochs": arguments.epochs,
        "device": arguments.device,
        "backbone": start,
        "label_noise": arguments.label_noise,
    }
    # PCA predicts nothing by itself.
    usual = [name for name in METHODS if name != "pca" or arguments.classifier != "own"]
    names = arguments.embedders or usual
    if arguments.negatives is not None and "triplet-center" not in names:
        raise ArgumentError(
            "{negatives} belongs to triplet-center alone: leave it out, or name that in "
            "{embedders}."
        )
    if "pca" in names and arguments.classifier == "own":
        raise ArgumentError(
            "{classifier=own}: pca has no prediction of its own: leave it out of {embedders}, or "
            "give another {classifier}."
        )
    _check_networks(names, arguments)
    methods = make_methods(
        names,
        random_state=arguments.seed,
        negatives=arguments.negatives,
        **{name: value for name, value in given.items() if value is not None},
    )
    if arguments.use_unlabeled and not any(map(takes_unlabeled, methods.values())):
        raise ArgumentError(
            "{use_unlabeled} belongs to gaussian alone: leave it out, or name that in {embedders}."
        )
    return methods


def _check_networks(names: Sequence[str], arguments: argparse.Namespace) -> None:
    """Raise if something is said of networks where there are none."""
    if set(names) != {"pca"}:
        return
    for name in ("epochs", "start", "device", "label_noise"):
        if getattr(arguments, name) is not None:
            raise ArgumentError(
                f"{{{name}}} is about networks, and {{embedders=pca}} has none: leave it out."
            )


def start_of(arguments: argparse.Namespace) -> str:
    """Return what networks start from: noise for drawn faces, which the start has seen."""
    drawn = arguments.dataset in (None, "synthetic") and not arguments.labels
    return arguments.start or ("scratch" if drawn else "auto")


def headline(
    faces: Bunch,
    protocol: str,
    splits: Sequence[Any],
    classifier: str,
    start: str | None = "scratch",
) -> str:
    """Return a line on what is evaluated, and how; `start` is None where there is no network."""
    who = "subjects unknown: images of one person may be on both sides"
    if faces.groups is not None:
        groups = f"{len(np.unique(faces.groups)):,} {faces.group_kind}"
        who = groups if faces.group_kind == "subjects" else f"{groups}, {who}"
    folds = "1 split" if len(splits) == 1 else f"{len(splits)} folds"
    if protocol == "official":
        folds = _sides(faces, *splits[0])
    begin = "noise" if start == "scratch" else "what drawn faces have taught"
    networks = "" if start is None else f"; networks start from {begin}"
    return f"{count_of(faces)}, {who}; {protocol}, {folds}; classifier: {classifier}{networks}\n"


def _sides(faces: Bunch, train: NDArray[np.intp], test: NDArray[np.intp]) -> str:
    """Return which official parts are on the two sides of a split, and which on neither."""
    rest = np.setdiff1d(np.arange(len(faces.target)), np.union1d(train, test))
    told = [
        f"{what} {_counted(faces.split[rows])}"
        for what, rows in (("trained on", train), ("tested on", test), ("not used:", rest))
        if len(rows)
    ]
    return ", ".join(told)


def _counted(parts: NDArray[Any]) -> str:
    names, counts = np.unique(parts, return_counts=True)
    return " and ".join(
        f"{name or 'what is of no part'} ({n:,})" for name, n in zip(names, counts, strict=True)
    )


def results_path(arguments: argparse.Namespace) -> Path | None:
    """Return where fits are kept: as `--results` says, or else beside the file of numbers."""
    if arguments.results is not None or not is_regular(arguments.json):
        return arguments.results
    return arguments.json.with_suffix(".fits.jsonl")


def _fits(wanted: Comparison, arguments: argparse.Namespace) -> Any:
    return compare(
        wanted.methods,
        wanted.faces.images,
        wanted.faces.target,
        wanted.splits,
        groups=wanted.faces.groups,
        classifier=arguments.classifier,
        seeds=range(arguments.seed, arguments.seed + arguments.seeds),
        n_jobs=None if arguments.dask else arguments.n_jobs,
        results=results_path(arguments),
        verbose=bars_wanted(arguments.quiet),
    )


def _tell(wanted: Comparison, fits: list[Fit], arguments: argparse.Namespace, out: Any) -> None:
    """Write the numbers, then the tables, of the fits that are done."""
    missing = len(wanted.methods) * len(wanted.splits) * arguments.seeds - len(fits)
    if fits:
        fits.sort(key=lambda fit: (list(wanted.methods).index(fit.method), fit.seed, fit.fold))
        tables = comparison_tables(wanted.faces, wanted.splits, fits, confusion=arguments.confusion)
        pictures: list[Path] = []
        all_tried(
            lambda: _write_numbers(wanted, fits, arguments, complete=not missing),
            lambda: say(format_tables(_readable(tables, arguments, out), arguments.table), out),
            lambda: pictures.extend(draw_comparison(arguments.figures, wanted, fits)),
        )
        for text in fit_warnings(fits):
            warn(text)
        _tell_where(arguments, pictures)
    if missing:
        results = results_path(arguments)
        kept = "" if results is None or not fits else f": they are in {results}"
        warn(f"{len(fits)} of {len(fits) + missing} fits are done{kept}.")


def _readable(
    tables: Sequence[Table], arguments: argparse.Namespace, stream: TextIO
) -> Sequence[Table]:
    """Return tables with names as the stream will show them, so that their columns are straight."""
    if arguments.table != "text":
        return tables
    return [
        Table(
            table.title,
            [in_a_line(column, stream) for column in table.columns],
            [(in_a_line(name, stream), cells) for name, cells in table.rows],
        )
        for table in tables
    ]


def _write_numbers(
    wanted: Comparison, fits: Sequence[Fit], arguments: argparse.Namespace, complete: bool
) -> None:
    if arguments.json is not None:
        record = record_of_run(wanted, arguments) | {"complete": complete}
        write_json(arguments.json, record | record_of_fits(wanted, fits))


def _tell_where(arguments: argparse.Namespace, pictures: Sequence[Path]) -> None:
    # Tables in the style of another program are piped into it: nothing else may stand there.
    out = sys.stdout if arguments.table == "text" else sys.stderr
    if arguments.json is not None and not is_stdout(arguments.json):
        say(f"\nAll numbers: {arguments.json}", out)
    if pictures:
        names = ", ".join(path.name for path in pictures)
        say(f"\nPictures in {arguments.figures}: {names}", out)
