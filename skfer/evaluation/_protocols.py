"""What `skfer evaluate` works on: a data set, and the protocol that splits it."""

from __future__ import annotations

import argparse
import inspect
import sys
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupKFold,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.utils import Bunch

from skfer.datasets import DATASETS, EXPRESSIONS, UNLABELED, make_expressions
from skfer.datasets._labels import canonical
from skfer.model_selection import OfficialSplit, SubjectKFold, check_leakage
from skfer.model_selection._leakage import number_identical_images

PROTOCOLS = ("group-fold", "subject-10fold", "leave-one-subject-out", "official")
"""Subjects apart; ten folds of subjects in order; one subject a fold; the owners' own."""

# Options of the command that are parameters of some loaders, and what those call them. Other
# loaders refuse them.
LOADER_OPTIONS = {
    "classes": ("classes",),
    "frames": ("frames",),
    "neutral_first": ("neutral_first",),
    "intensities": ("intensities",),
    "crop": ("align",),  # of jaffe
    "align": ("align",),
    "group_pattern": ("group_pattern",),
}
OWN = ("folder", "table")  # sets of the caller, whose classes may be anything
PUBLISHED = tuple(sorted(set(DATASETS) - set(OWN)))
FILE_OPTIONS = ("root", "cache_dir", "skip_bad")  # drawn faces have no use for them
TABLE_OPTIONS = ("labels", "file_column", "label_column", "group_column")

N_FOLDS = 3  # of group-fold

Split = tuple[NDArray[np.intp], NDArray[np.intp]]


def load_faces(arguments: argparse.Namespace) -> Bunch:
    """Load the wanted data set, labelled samples alone.

    Parameters
    ----------
    arguments : Namespace
        Of `skfer evaluate`.

    Returns
    -------
    Bunch
        images, target, target_names, groups (or None), sequence and split (or None), filenames,
        dataset (its name), protocol, group_kind (what the groups are), skipped (what was left
        out, and why).

    Raises
    ------
    ValueError
        If an argument that the data set needs is missing, one does not belong to it, or there
        are fewer than two classes.
    """
    name = _name(arguments)
    own = _own_options(name, arguments)
    if name == "synthetic":
        size, seed = arguments.image_size, arguments.seed
        faces = make_expressions(image_size=size, random_state=seed, **own)
        usual = "group-fold"
    else:
        faces = _load(name, arguments, own)
        usual = DATASETS[name].protocol
    _check_asked(name, arguments.classes or [], faces)
    keep = _chosen(np.asarray(faces.target), arguments.max_per_class, arguments.seed)
    parts = {
        key: None if faces.get(key) is None else np.asarray(faces[key])[keep]
        for key in ("target", "groups", "sequence", "split", "filenames")
    }
    images = faces.images if len(keep) == len(faces.images) else faces.images[keep]
    _check_classes(np.asarray(faces.target)[keep], faces.target_names)
    kind = DATASETS[name].groups if name in DATASETS else "subjects"
    return Bunch(
        images=images,
        target_names=faces.target_names,
        dataset=name,
        protocol=arguments.protocol or usual,
        group_kind=kind,
        skipped=faces.get("skipped", []),
        **parts,
    )


def _name(arguments: argparse.Namespace) -> str:
    return arguments.dataset or ("table" if arguments.labels else "synthetic")


def _own_options(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the given options that only some data sets have, as the loader calls them."""
    _check_belonging(name, arguments)
    given = {key: getattr(arguments, key) for key in LOADER_OPTIONS}
    return {
        str(_parameter(name, key)): _value(name, key, value)
        for key, value in given.items()
        if value is not None
    }


def _check_belonging(name: str, arguments: argparse.Namespace) -> None:
    """Raise ValueError if an option is given that the data set does not have."""
    foreign = [key for key in LOADER_OPTIONS if _parameter(name, key) is None]
    foreign += TABLE_OPTIONS if name != "table" else ()
    foreign += FILE_OPTIONS if name == "synthetic" else ()
    for key in foreign:
        if getattr(arguments, key) is not None:
            raise ValueError(_not_here(key, name, arguments))


def _not_here(key: str, name: str, arguments: argparse.Namespace) -> str:
    negative = "no-" if getattr(arguments, key) is False else ""
    option = f"--{negative}{key.replace('_', '-')}"
    if arguments.dataset is None and name == "synthetic":
        return f"{option} needs --dataset NAME or --labels CSV: which set is it?"
    owners = [other for other in DATASETS if _parameter(other, key) is not None]
    beside = f" (but to {', '.join(owners)})" if key in LOADER_OPTIONS else ""
    return f"{option} does not belong to --dataset {name}{beside}: leave it out."


def _parameter(name: str, key: str) -> str | None:
    """Return what the loader of a data set calls an option, None if it has nothing like it."""
    if key in ("align", "crop") and (name == "jaffe") != (key == "crop"):
        return None
    loader = make_expressions if name == "synthetic" else DATASETS[name].loader
    has = inspect.signature(loader).parameters
    return next((word for word in LOADER_OPTIONS.get(key, ()) if word in has), None)


def _value(name: str, key: str, value: Any) -> Any:
    if key == "classes" and name not in OWN:
        return _expressions(value)
    if key == "align" and name != "affectnet":  # which alone has two ways to do it
        if value == "box":
            raise ValueError(f"--align box does not belong to --dataset {name}: give --align.")
        return value is not False
    return tuple(value) if isinstance(value, list) else value


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
        neutral = canonical(missing[0]) == "neutral" and _parameter(name, "neutral_first")
        hint = "give --neutral-first, or leave it out" if neutral else "leave it out"
        raise ValueError(f"--classes {' '.join(missing)}: no image is of it: {hint}.")


def _load(name: str, arguments: argparse.Namespace, own: dict[str, Any]) -> Bunch:
    options: dict[str, Any] = own | {
        "image_size": arguments.image_size,
        "cache_dir": arguments.cache_dir,
        "on_error": "skip" if arguments.skip_bad else "raise",
        "verbose": bars_wanted(arguments),
        "n_jobs": arguments.n_jobs,
    }
    loader = DATASETS[name].loader
    if arguments.cache_dir is not None and arguments.cache_dir.is_file():
        raise ValueError(f"--cache-dir {arguments.cache_dir} is a file: give a folder.")
    if name == "table":
        if arguments.labels is None:
            raise ValueError("--dataset table needs --labels CSV.")
        if not arguments.labels.is_file():
            raise ValueError(f"--labels {arguments.labels}: there is no such file.")
        columns = {key: getattr(arguments, key) for key in TABLE_OPTIONS[1:]}
        options |= {key: column for key, column in columns.items() if column is not None}
        return loader(arguments.labels, arguments.root, **options)
    if arguments.root is None:
        raise ValueError(f"--dataset {name} needs --root DIR, the folder of the data set.")
    return loader(arguments.root, **options)


def bars_wanted(arguments: argparse.Namespace) -> bool:
    """Whether to show progress: a bar in a log file is of no use to anybody."""
    return not arguments.quiet and sys.stderr.isatty()


def _chosen(y: NDArray[Any], most: int | None, seed: int) -> NDArray[np.intp]:
    """Positions of the labelled samples, at most `most` of a class."""
    keep = np.flatnonzero(y != UNLABELED)
    if most is None or len(keep) == 0:
        return keep
    keep = np.random.RandomState(seed).permutation(keep)
    return np.sort(np.concatenate([keep[y[keep] == c][:most] for c in np.unique(y[keep])]))


def _check_classes(y: NDArray[Any], names: NDArray[np.str_]) -> None:
    found = np.unique(y)
    if len(found) == 0:
        raise ValueError("no image has a label: there is nothing to learn from.")
    if len(found) == 1:
        raise ValueError(
            f"all {len(y):,} images are of one class, {str(names[found[0]])!r}: give at least two."
        )


def make_splits(faces: Bunch, n_folds: int | None, seed: int) -> list[Split]:
    """Split by the protocol; a fold that leaks a subject, a sequence or an image is refused.

    The owners' split is what it is: what its parts share is told by a warning.

    Parameters
    ----------
    faces : Bunch
        From :func:`load_faces`.
    n_folds : int or None
        Folds of the protocol "group-fold", the only one that lets one choose; None is 3.
    seed : int
        Shuffles its folds.

    Returns
    -------
    list of (train, test)
        Indices.

    Raises
    ------
    ValueError
        If the protocol does not suit the data, or a fold leaks.
    """
    if n_folds is not None and faces.protocol != "group-fold":
        raise ValueError(
            f"--folds belongs to --protocol group-fold, and this is {faces.protocol}: leave out "
            "one of them."
        )
    if faces.protocol == "official":
        if faces.split is None:
            raise ValueError(
                "--protocol official: this data set has no official split: give --protocol "
                "group-fold or leave it out."
            )
        splits = list(OfficialSplit(faces.split).split(faces.images))
        _warn_of_shared(faces, *splits[0])
        return splits
    if faces.protocol == "group-fold":
        splits = _group_folds(faces, n_folds or N_FOLDS, seed)
    else:
        splits = _subject_folds(faces)
    return check_leakage(Bunch(**{k: v for k, v in faces.items() if v is not None}), splits)


def _warn_of_shared(faces: Bunch, train: NDArray[np.intp], test: NDArray[np.intp]) -> None:
    """Tell how much of what is in the test part is in the training part too."""
    columns = {
        "sequences": faces.sequence,
        "identical images": number_identical_images(faces.images),
    }
    # Where groups are identical images they are told as such.
    if faces.group_kind != "different images":
        columns = {faces.group_kind: faces.groups, **columns}
    shared = {
        what: len(np.intersect1d(values[train], values[test]))
        for what, values in columns.items()
        if values is not None
    }
    told = ", ".join(f"{count} {what}" for what, count in shared.items() if count)
    if told:
        warnings.warn(
            f"the official split has in training and test alike: {told}. It is used as its owners "
            "made it.",
            UserWarning,
            stacklevel=3,
        )


def _subject_folds(faces: Bunch) -> list[Split]:
    if faces.groups is None:
        raise ValueError(
            f"--protocol {faces.protocol} needs subjects, and the data names none: give "
            "--group-column (of a table) or --group-pattern (of a folder)."
        )
    if faces.group_kind != "subjects":
        raise ValueError(
            f"--protocol {faces.protocol} needs subjects, and the groups of this data set are "
            f"{faces.group_kind}: give --protocol official or group-fold."
        )
    splitter = SubjectKFold(10) if faces.protocol == "subject-10fold" else LeaveOneGroupOut()
    return list(splitter.split(faces.target, faces.target, faces.groups))


def _group_folds(faces: Bunch, n: int, seed: int) -> list[Split]:
    y, groups = faces.target, faces.groups
    if n < 2:
        raise ValueError(f"--folds {n}: cross-validation needs at least 2.")
    smallest = np.unique(y, return_counts=True)[1].min()
    if groups is None:
        _need(smallest, n, "images in the smallest class")
        return list(StratifiedKFold(n, shuffle=True, random_state=seed).split(y, y))
    _need(len(np.unique(groups)), n, faces.group_kind)
    if smallest < n:
        return list(GroupKFold(n).split(y, y, groups))
    return list(StratifiedGroupKFold(n, shuffle=True, random_state=seed).split(y, y, groups))


def _need(found: int, wanted: int, what: str) -> None:
    if found < wanted:
        raise ValueError(f"--folds {wanted} needs at least {wanted} {what}, found {found}.")
