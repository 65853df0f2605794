"""What `skfer evaluate` works on: a data set, and the protocol that splits it."""

from __future__ import annotations

import argparse
import inspect
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

from skfer.datasets import DATASETS, UNLABELED, make_expressions
from skfer.model_selection import OfficialSplit, SubjectKFold, check_leakage
from skfer.model_selection._leakage import number_identical_images

PROTOCOLS = ("group-fold", "subject-10fold", "leave-one-subject-out", "official")
"""Subjects apart; ten folds of subjects in order; one subject a fold; the owners' own."""

# Options of the command that are parameters of some loaders; the others refuse them.
LOADER_OPTIONS = ("frames", "neutral_first", "intensities", "group_pattern")
TABLE_OPTIONS = ("labels", "file_column", "label_column", "group_column")

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
        images, target, groups (or None), sequence and split (or None), filenames, protocol,
        group_kind (what the groups are).

    Raises
    ------
    ValueError
        If an argument that the data set needs is missing, one does not belong to it, or there
        are fewer than two classes.
    """
    name = arguments.dataset or ("table" if arguments.labels else "synthetic")
    own = _own_options(name, arguments)
    if name == "synthetic":
        faces = make_expressions(image_size=arguments.image_size, random_state=arguments.seed)
        usual = "group-fold"
    else:
        faces = _load(name, arguments, own)
        usual = DATASETS[name].protocol
    keep = _chosen(np.asarray(faces.target), arguments.max_per_class, arguments.seed)
    parts = {
        key: None if faces.get(key) is None else np.asarray(faces[key])[keep]
        for key in ("target", "groups", "sequence", "split", "filenames")
    }
    images = faces.images if len(keep) == len(faces.images) else faces.images[keep]
    _check_classes(np.asarray(faces.target)[keep], faces.target_names)
    kind = DATASETS[name].groups if name in DATASETS else "subjects"
    protocol = arguments.protocol or usual
    return Bunch(images=images, protocol=protocol, group_kind=kind, **parts)


def _own_options(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options that only some data sets have, as far as they are given."""
    given = {key: getattr(arguments, key, None) for key in LOADER_OPTIONS}
    options = {key: value for key, value in given.items() if value not in (None, False)}
    loader = make_expressions if name == "synthetic" else DATASETS[name].loader
    foreign = [key for key in options if key not in inspect.signature(loader).parameters]
    if name != "table":
        foreign += [key for key in TABLE_OPTIONS if getattr(arguments, key, None) is not None]
    if name == "synthetic" and arguments.root is not None:
        foreign.append("root")
    if foreign:
        option = f"--{foreign[0].replace('_', '-')}"
        if arguments.dataset is None:
            raise ValueError(f"{option} needs --dataset NAME or --labels CSV: which set is it?")
        raise ValueError(f"{option} does not belong to --dataset {name}: leave it out.")
    return options


def _load(name: str, arguments: argparse.Namespace, own: dict[str, Any]) -> Bunch:
    options: dict[str, Any] = own | {
        "image_size": arguments.image_size,
        "cache_dir": arguments.cache_dir,
        "on_error": "skip" if arguments.skip_bad else "raise",
        "verbose": not arguments.quiet,
        "n_jobs": arguments.n_jobs,
    }
    loader = DATASETS[name].loader
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


def make_splits(faces: Bunch, n_folds: int, seed: int) -> list[Split]:
    """Split by the protocol; a fold that leaks a subject, a sequence or an image is refused.

    The owners' split is what it is: what its parts share is told by a warning.

    Parameters
    ----------
    faces : Bunch
        From :func:`load_faces`.
    n_folds : int
        Folds of the protocol "group-fold".
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
    if faces.protocol == "official":
        if faces.split is None:
            raise ValueError("--protocol official: this data set has no official split.")
        splits = list(OfficialSplit(faces.split).split(faces.images))
        _warn_of_shared(faces, *splits[0])
        return splits
    if faces.protocol == "group-fold":
        splits = _group_folds(faces, n_folds, seed)
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
        raise ValueError(f"--protocol {faces.protocol} needs subjects, and the data names none.")
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
