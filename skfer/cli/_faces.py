"""From options to the faces that they name."""

import argparse
import inspect
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skfer.cli._output import bars_wanted, warn
from skfer.cli._pictures import make_detector
from skfer.datasets import DATASETS, EXPRESSIONS, UNLABELED, DatasetError, make_expressions
from skfer.datasets._csv import find_delimiter, read_cells
from skfer.datasets._labels import canonical
from skfer.model_selection import resolve_duplicates
from skfer.pictures._files import NO_SUCH_FILE

# Options of the command that are parameters of some loaders. Other loaders refuse them.
LOADER_OPTIONS = (
    "color",
    "classes",
    "class_names",
    "subset",
    "frames",
    "neutral_first",
    "intensities",
    "align",
    "group_pattern",
    "detector",
)
_N_TOLD = 20  # pairs of identical images
OWN_SETS = ("folder", "table")  # sets of the caller, whose classes may be anything
_FILE_OPTIONS = ("root", "cache_dir", "skip_bad")  # drawn faces have no use for them
_TABLE_OPTIONS = (
    "labels",
    "file_column",
    "label_column",
    "group_column",
    "split_column",
    "subgroup_column",
)


def load_faces(arguments: argparse.Namespace) -> tuple[str, Bunch]:
    """Load the wanted data set.

    Returns
    -------
    name : str
        Of the data set.
    faces : Bunch
        As its loader returns it.
    """
    name = _name_of(arguments)
    own = own_options(name, arguments)
    if name == "synthetic":
        size, seed = arguments.image_size, arguments.seed
        faces = make_expressions(image_size=size, random_state=seed, **own)
    else:
        faces = _load(name, arguments, own)
    _check_asked(name, arguments.classes or [], faces)
    return name, faces


def finds_faces(arguments: argparse.Namespace) -> bool:
    """Whether the wanted data set may be one of photographs, in which faces are to be found.

    Sets of which aligned faces are there too are taken as their loader takes them.
    """
    name = _name_of(arguments)
    return _has(name, "detector") and not _has(name, "align")


def _name_of(arguments: argparse.Namespace) -> str:
    return arguments.dataset or ("table" if arguments.labels else "synthetic")


def own_options(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the given options that only some data sets have, as the loader calls them."""
    _check_belonging(name, arguments)
    given = {key: getattr(arguments, key) for key in LOADER_OPTIONS}
    return {key: _value(name, key, value) for key, value in given.items() if value is not None}


def _check_belonging(name: str, arguments: argparse.Namespace) -> None:
    """Raise ValueError if an option is given that the data set does not have."""
    foreign = [key for key in LOADER_OPTIONS if not _has(name, key)]
    foreign += _TABLE_OPTIONS if name != "table" else ()
    foreign += _FILE_OPTIONS if name == "synthetic" else ()
    for key in foreign:
        if getattr(arguments, key, None) is not None:  # not every command has every option
            raise ValueError(_not_here(key, name, arguments))


def _not_here(key: str, name: str, arguments: argparse.Namespace) -> str:
    negative = "no-" if getattr(arguments, key) is False else ""
    word = "detect" if key == "detector" else key.replace("_", "-")
    option = f"--{negative}{word}"
    if arguments.dataset is None and name == "synthetic":
        return f"{option} needs --dataset NAME or --labels CSV: which set is it?"
    owners = [other for other in DATASETS if _has(other, key)]
    beside = f" (but to {', '.join(owners)})" if key in LOADER_OPTIONS else ""
    return f"{option} does not belong to --dataset {name}{beside}: leave it out."


def _has(name: str, key: str) -> bool:
    """Whether the loader of a data set has a parameter."""
    loader = make_expressions if name == "synthetic" else DATASETS[name].loader
    return key in inspect.signature(loader).parameters


def _value(name: str, key: str, value: Any) -> Any:
    if key == "classes" and name not in OWN_SETS:
        return _expressions(value)
    if key == "class_names":
        return _new_names(value)
    if key == "detector":
        return make_detector(value) if value else None
    if key == "align" and value is not False:
        return _alignment(name, value)
    return tuple(value) if isinstance(value, list) else value


def _new_names(pairs: list[tuple[str, str]]) -> dict[str, str]:
    names = dict(pairs)
    if len(names) < len(set(pairs)):
        twice = next(old for old, new in pairs if names[old] != new)
        raise ValueError(f"--class-names gives {twice} two names: give one.")
    return names


def _alignment(name: str, words: list[str]) -> Any:
    """Return what `--align` says: nothing more, how (of AffectNet) or which part (of JAFFE)."""
    if name == "affectnet":
        return words[0] if words else "landmarks"
    if not words:
        return True
    if name == "raf-db" and words == ["points"]:
        return "points"
    if name != "jaffe":
        given = " ".join(words)
        raise ValueError(f"--align {given} does not belong to --dataset {name}: give --align.")
    try:
        return tuple(float(word) for word in words)
    except ValueError:
        raise ValueError(
            f"--align {' '.join(words)} is not a part of a picture: give --align LEFT UPPER RIGHT "
            "LOWER, in shares of width and height."
        ) from None


def _expressions(words: list[str]) -> tuple[str, ...]:
    for word in words:
        if canonical(word) not in EXPRESSIONS:
            raise ValueError(
                f"--classes {word}: there is no such expression: give some of "
                f"{' '.join(EXPRESSIONS)}."
            )
    return tuple(dict.fromkeys(canonical(word) for word in words))


def _check_asked(name: str, words: list[str], faces: Bunch) -> None:
    """Raise ValueError if a class was asked for that no image has."""
    found = {faces.target_names[code] for code in np.unique(faces.target) if code != UNLABELED}
    missing = [word for word in words if canonical(word) not in found]
    if missing:
        neutral = canonical(missing[0]) == "neutral" and _has(name, "neutral_first")
        hint = "give --neutral-first, or leave it out" if neutral else "leave it out"
        raise ValueError(f"--classes {' '.join(missing)}: no image is of it: {hint}.")


def without_duplicates(faces: Bunch, duplicates: str) -> tuple[Bunch, list[tuple[str, str]]]:
    """Deal with identical images, and tell of all at once.

    Returns
    -------
    faces : Bunch
        Without the later copies, if they are to be dropped.
    pairs : list of (str, str)
        The names of those that are left and of their copies.
    """
    left, rows = resolve_duplicates(faces, duplicates)
    if not rows:
        return left, []
    names = faces.get("filenames")
    called = (lambda row: str(names[row])) if names is not None else "image {}".format
    pairs = [(called(first), called(copy)) for first, copy in rows]
    told = "; ".join(f"{copy} is {first}" for first, copy in pairs[:_N_TOLD])
    more = f"; and {len(pairs) - _N_TOLD:,} more" if len(pairs) > _N_TOLD else ""
    done = "left out" if duplicates == "drop" else "kept"
    warn(f"identical images, of which later copies are {done} ({len(pairs):,}): {told}{more}.")
    return left, pairs


def parts_of(faces: Bunch) -> list[str]:
    """Return the official parts that labeled images are of, sorted."""
    split = faces.get("split")
    return [] if split is None else sorted(str(part) for part in set(np.asarray(split)) if part)


def tell_unlabeled(faces: Bunch, total: int, option: str | None = None) -> None:
    """Warn of images that are left out since they have no label.

    Parameters
    ----------
    faces : Bunch
        From `prepare`.
    total : int
        How many images there were.
    option : str, optional
        What would keep them.
    """
    if faces.n_unlabeled:
        more = "" if option is None else f" (With {option}, gaussian learns from them too.)"
        warn(f"{faces.n_unlabeled:,} of {total:,} images have no label: they are left out.{more}")


def with_unlabeled(faces: Bunch, total: int, wanted: bool | None) -> None:
    """Tell what becomes of images that have no label, where it can be chosen."""
    if not wanted:
        tell_unlabeled(faces, total, "--use-unlabeled")
    elif not faces.n_unlabeled:
        warn("--use-unlabeled: every image has a label.")


def count_of(faces: Bunch) -> str:
    """Return in words how many faces there are, of how many expressions."""
    labeled = faces.target[faces.target != UNLABELED]
    told = f"{len(labeled):,} faces of {len(np.unique(labeled))} expressions"
    without = len(faces.target) - len(labeled)
    return told + (f" and {without:,} without a label" if without else "")


def _load_table(loader: Any, arguments: argparse.Namespace, options: dict[str, Any]) -> Bunch:
    try:
        return loader(arguments.labels, arguments.root, **options)
    except DatasetError as error:
        absent = sum(what == NO_SUCH_FILE for _, what in error.problems)
        if not absent or absent < _n_named(arguments.labels, arguments.file_column):
            raise
        # Not one picture is there: they lie elsewhere.
        where = "its folder" if arguments.root is None else f"--root {arguments.root}"
        raise ValueError(
            f"--labels {arguments.labels}: of the {absent:,} files that it names "
            f"none is in {where}: give --root DIR, the folder that the names start from."
        ) from None


def _n_named(table: Path, column: str | None) -> int:
    """Return how many files a table names, each counted once."""
    rows = [cells for _, cells in read_cells(table, delimiter=find_delimiter(table))]
    wanted = column or "file"
    header = next([name.strip() for name in row] for row in rows if wanted in map(str.strip, row))
    place = header.index(wanted)
    cells = (row[place].strip() for row in rows if len(row) > place)
    return len({cell for cell in cells if cell} - {wanted})


def _load(name: str, arguments: argparse.Namespace, own: dict[str, Any]) -> Bunch:
    options: dict[str, Any] = own | {
        "image_size": arguments.image_size,
        "cache_dir": arguments.cache_dir,
        "on_error": "skip" if arguments.skip_bad else "raise",
        "verbose": bars_wanted(arguments.quiet),
        "n_jobs": arguments.n_jobs,
    }
    loader = DATASETS[name].loader
    if getattr(arguments, "use_unlabeled", None) and _has(name, "unlabeled"):
        options["unlabeled"] = True
    if arguments.cache_dir is not None and arguments.cache_dir.is_file():
        raise ValueError(f"--cache-dir {arguments.cache_dir} is a file: give a folder.")
    if name == "table":
        if arguments.labels is None:
            raise ValueError("--dataset table needs --labels CSV.")
        if not arguments.labels.is_file():
            raise ValueError(f"--labels {arguments.labels}: there is no such file.")
        columns = {key: getattr(arguments, key, None) for key in _TABLE_OPTIONS[1:]}
        options |= {key: column for key, column in columns.items() if column is not None}
        return _load_table(loader, arguments, options)
    if arguments.root is None:
        raise ValueError(f"--dataset {name} needs --root DIR, the folder of the data set.")
    return loader(arguments.root, **options)
