"""What `skfer evaluate` works on: a data set, and the protocol that splits it."""

from __future__ import annotations

import argparse
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

PROTOCOLS = ("group-fold", "subject-10fold", "leave-one-subject-out", "official")
"""Subjects apart; ten folds of subjects in order; one subject a fold; the owners' own."""

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
        images, target, groups (or None), sequence and split (or None), filenames, protocol.

    Raises
    ------
    ValueError
        If an argument that the data set needs is missing.
    """
    name = arguments.dataset or ("table" if arguments.labels else "synthetic")
    if name == "synthetic":
        faces = make_expressions(image_size=arguments.image_size, random_state=arguments.seed)
        usual = "group-fold"
    else:
        faces = _load(name, arguments)
        usual = DATASETS[name].protocol
    keep = _chosen(np.asarray(faces.target), arguments.max_per_class, arguments.seed)
    parts = {
        key: None if faces.get(key) is None else np.asarray(faces[key])[keep]
        for key in ("target", "groups", "sequence", "split", "filenames")
    }
    images = faces.images if len(keep) == len(faces.images) else faces.images[keep]
    return Bunch(images=images, protocol=arguments.protocol or usual, **parts)


def _load(name: str, arguments: argparse.Namespace) -> Bunch:
    options: dict[str, Any] = {
        "image_size": arguments.image_size,
        "cache_dir": arguments.cache_dir,
        "on_error": "skip" if arguments.skip_bad else "raise",
        "verbose": not arguments.quiet,
    }
    loader = DATASETS[name].loader
    if name == "table":
        if arguments.labels is None:
            raise ValueError("--dataset table needs --labels CSV.")
        options |= {
            "file_column": arguments.file_column,
            "label_column": arguments.label_column,
            "group_column": arguments.group_column,
        }
        return loader(arguments.labels, arguments.root, **options)
    if arguments.root is None:
        raise ValueError(f"--dataset {name} needs --root DIR, the folder of the data set.")
    if name == "folder":
        options["group_pattern"] = arguments.group_pattern
    return loader(arguments.root, **options)


def _chosen(y: NDArray[Any], most: int | None, seed: int) -> NDArray[np.intp]:
    """Positions of the labelled samples, at most `most` of a class."""
    keep = np.flatnonzero(y != UNLABELED)
    if most is None:
        return keep
    keep = np.random.RandomState(seed).permutation(keep)
    return np.sort(np.concatenate([keep[y[keep] == c][:most] for c in np.unique(y[keep])]))


def make_splits(faces: Bunch, n_folds: int, seed: int) -> list[Split]:
    """Split by the protocol; a fold that leaks a subject, a sequence or an image is refused.

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
        # The owners' split is what it is: identical images are told in the set's description.
        return list(OfficialSplit(faces.split).split(faces.images))
    if faces.protocol == "group-fold":
        splits = _group_folds(faces, n_folds, seed)
    else:
        splits = _subject_folds(faces)
    if faces.groups is not None:
        check_leakage(Bunch(**{k: v for k, v in faces.items() if v is not None}), splits)
    return splits


def _subject_folds(faces: Bunch) -> list[Split]:
    if faces.groups is None:
        raise ValueError(f"--protocol {faces.protocol} needs subjects, and the data names none.")
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
    _need(len(np.unique(groups)), n, "subjects")
    if smallest < n:
        return list(GroupKFold(n).split(y, y, groups))
    return list(StratifiedGroupKFold(n, shuffle=True, random_state=seed).split(y, y, groups))


def _need(found: int, wanted: int, what: str) -> None:
    if found < wanted:
        raise ValueError(f"--folds {wanted} needs at least {wanted} {what}, found {found}.")
