"""How a data set is split into training and test parts."""

from collections.abc import Collection
from typing import Any

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.utils import Bunch

from skfer._typing import NDArray
from skfer.datasets import UNLABELED
from skfer.datasets._bunch import make_bunch
from skfer.evaluation._checks import Split, check_faces, check_names, check_seed
from skfer.evaluation._names import PROTOCOLS
from skfer.exceptions import ArgumentError, warn_caller
from skfer.model_selection import (
    OfficialSplit,
    SemiSupervisedSplit,
    SubjectKFold,
    check_leakage,
    number_identical_images,
)
from skfer.model_selection._rows import rows_of
from skfer.validation import check_flag, check_groups, check_int, missing_mask, shown

N_FOLDS = 3  # of group-fold

_COLUMNS = (
    "target",
    "groups",
    "subgroup",
    "sequence",
    "split",
    "filenames",
    "votes",
    "distribution",
)
_MADE_ANEW = (
    "images",
    "data",
    "target_names",
    "class_names",
    "group_kind",
    "skipped",
    "n_unlabeled",
    "DESCR",
)


def prepare(
    faces: Bunch,
    *,
    max_per_class: int | None = None,
    capped_parts: Collection[str] | None = None,
    keep_unlabeled: bool = False,
    random_state: int = 0,
) -> Bunch:
    """Take what can be evaluated from a data set: labeled samples, of two classes at least.

    Parameters
    ----------
    faces : Bunch
        From a loader of `skfer.datasets`.
    max_per_class : int, default=None
        Take so many samples of each class, drawn at random; None takes all.
    capped_parts : collection of str, default=None
        Official parts of which `max_per_class` takes so many, while all of the others stay, as in
        ``("train",)`` where the published test part is to be tested whole. None counts all parts
        together.
    keep_unlabeled : bool, default=False
        Keep samples without a label too, for methods that learn from them; all of them, whatever
        `max_per_class`.
    random_state : int, default=0
        Draws them.

    Returns
    -------
    Bunch
        As loaders return it: images, data, target, target_names, class_names, groups (or None),
        group_kind (what the groups are), subgroup, sequence, split, filenames, votes and
        distribution (or None), skipped (what the loader left out, and why), n_unlabeled, and the
        DESCR of `faces`; and whatever else it holds: further columns of a table, `frame`.

    Raises
    ------
    ValueError
        If there are fewer than two classes, or the target is no codes of names.

    See Also
    --------
    make_splits : Folds of what is left.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.evaluation import prepare
    >>> prepare(make_expressions(12, 1, random_state=0), max_per_class=4).images.shape
    (32, 48, 48)
    """
    check_int(max_per_class, "max_per_class", at_least=1, optional=True)
    check_seed(random_state)
    target = np.asarray(check_faces(faces).target)
    labeled = np.flatnonzero(target != UNLABELED)
    capped = labeled[_are_of(faces, capped_parts)[labeled]]
    keep = np.union1d(
        _chosen(target, capped, max_per_class, random_state), np.setdiff1d(labeled, capped)
    )
    _check_classes(target[keep], faces.target_names)
    if check_flag(keep_unlabeled, "keep_unlabeled"):
        keep = np.union1d(keep, np.flatnonzero(target == UNLABELED))
    columns: dict[str, Any] = {
        key: None if faces.get(key) is None else np.asarray(faces[key])[keep] for key in _COLUMNS
    }
    images = np.asanyarray(faces.images)  # a memmap that is wanted whole stays one
    prepared = make_bunch(
        images if len(keep) == len(target) else images[keep],
        columns.pop("target"),
        target_names=faces.target_names,
        descr=faces.get("DESCR") or "",
        columns=columns,
        group_kind=faces.get("group_kind") or "subjects",
        skipped=faces.get("skipped", []),
        n_unlabeled=len(target) - len(labeled),
    )
    further = {k: v for k, v in faces.items() if k not in _COLUMNS and k not in _MADE_ANEW}
    prepared.update(rows_of(further, keep, len(target)))
    return prepared


def _are_of(faces: Bunch, parts: Collection[str] | None) -> NDArray[np.bool_]:
    """Return which samples are of some official parts; all of them by default."""
    if parts is None:
        return np.ones(len(faces.target), bool)
    wanted = set(check_names(parts, "capped_parts"))
    split = np.full(len(faces.target), "") if faces.get("split") is None else faces.split
    known = set(np.asarray(split).tolist()) - {""}
    if not wanted <= known:
        raise ArgumentError(
            "{capped_parts=} must be official parts of the data set, which has {}.",
            ", ".join(sorted(known)) or "none",
            capped_parts=parts,
        )
    return np.isin(split, list(wanted))


def _chosen(
    y: NDArray[Any], labeled: NDArray[np.intp], most: int | None, seed: int
) -> NDArray[np.intp]:
    """Positions of the labeled samples, at most `most` of a class."""
    if most is None or len(labeled) == 0:
        return labeled
    drawn = np.random.RandomState(seed).permutation(labeled)
    return np.sort(np.concatenate([drawn[y[drawn] == c][:most] for c in np.unique(y[drawn])]))


def _check_classes(y: NDArray[Any], names: NDArray[np.str_]) -> None:
    found = np.unique(y)
    if len(found) == 0:
        raise ValueError("no image has a label: there is nothing to learn from.")
    if found.dtype.kind not in "iu" or found[0] < 0 or found[-1] >= len(names):
        raise ArgumentError(
            "{faces} must have a target of codes, whose names are in its {} target_names, got {}.",
            len(names),
            shown(found.tolist()),
        )
    if len(found) == 1:
        raise ValueError(
            f"all {len(y):,} images are of one class, {str(names[found[0]])!r}: give at least two."
        )


def make_splits(
    faces: Bunch,
    protocol: str = "group-fold",
    *,
    n_folds: int | None = None,
    random_state: int = 0,
    check_images: bool = True,
) -> list[Split]:
    """Split by a protocol; a fold that leaks a subject, a sequence or an image is refused.

    The published split is used as it is: a warning says what its parts share. Samples without a
    label are in no test part, and learned from in every fold that does not test on their group: see
    :class:`~skfer.model_selection.SemiSupervisedSplit`.

    Parameters
    ----------
    faces : Bunch
        From :func:`prepare`, or a loader.
    protocol : str, default="group-fold"
        One of `PROTOCOLS`. "group-fold": folds with subjects apart, and classes in about equal
        shares; "subject-10fold": ten folds of subjects in order of their names;
        "leave-one-subject-out": a fold for each; "official": the published split.
    n_folds : int, default=None
        Folds of "group-fold", the only one that lets one choose; None is 3.
    random_state : int, default=0
        Shuffles its folds.
    check_images : bool, default=True
        Whether an image on both sides of a fold counts as a leak.

    Returns
    -------
    list of (train, test)
        Indices.

    Raises
    ------
    ArgumentError
        If the protocol or the number of folds does not suit the data.
    ValueError
        If a fold leaks.

    See Also
    --------
    prepare : What can be evaluated of a data set.
    skfer.model_selection.check_leakage : The check that refuses a fold.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.evaluation import make_splits
    >>> faces = make_expressions(12, 1, random_state=0)
    >>> [len(test) for train, test in make_splits(faces, "leave-one-subject-out")][:3]
    [8, 8, 8]
    """
    check_faces(faces)
    if faces.get("groups") is not None:
        check_groups(faces.groups, "faces.groups", n_samples=len(faces.target))
    check_seed(random_state)
    check_flag(check_images, "check_images")
    check_int(n_folds, "n_folds", optional=True)
    if not isinstance(protocol, str) or protocol not in PROTOCOLS:
        known = ", ".join(PROTOCOLS)
        raise ArgumentError("{protocol=} is unknown: give one of {}.", known, protocol=protocol)
    if n_folds is not None and protocol != "group-fold":
        raise ArgumentError(
            "{n_folds} belongs to {protocol=group-fold}, and this is {}: leave out one of them.",
            protocol,
        )
    if protocol == "official":
        return _official_split(faces)
    labeled = np.asarray(faces.target) != UNLABELED
    known = _who(faces, labeled)
    if protocol == "group-fold":
        cv = _group_folds(known, N_FOLDS if n_folds is None else n_folds, random_state)
    else:
        cv = _subject_folds(known, protocol)
    splits = _split(cv, faces, labeled)
    checked = {name: value for name, value in faces.items() if value is not None}
    if not check_images:
        checked = {name: checked[name] for name in checked if name not in ("images", "data")}
        if not checked.keys() & {"groups", "sequence"}:
            return splits
    return check_leakage(Bunch(**checked), splits)


def _who(faces: Bunch, labeled: NDArray[np.bool_]) -> Bunch:
    """Return what folds are made by, of the labeled faces."""
    groups = faces.get("groups")
    return Bunch(
        target=np.asarray(faces.target)[labeled],
        groups=None if groups is None else np.asarray(groups)[labeled],
        group_kind=_group_kind(faces),
    )


def _split(cv: Any, faces: Bunch, labeled: NDArray[np.bool_]) -> list[Split]:
    wrapped = cv if labeled.all() else SemiSupervisedSplit(cv)
    return list(wrapped.split(faces.target, faces.target, faces.get("groups")))


def _official_split(faces: Bunch) -> list[Split]:
    if faces.get("split") is None:
        raise ArgumentError(
            "{protocol=official}: this data set has no official split: give {protocol=group-fold} "
            "or leave it out."
        )
    labeled = np.asarray(faces.target) != UNLABELED
    parts = sorted(set(np.asarray(faces.split)[labeled]) - {""})
    if "train" not in parts or not {"test", "validation"}.intersection(parts):
        raise ArgumentError(
            "{protocol=official} needs a part to train on and one to test on, and the labeled "
            "images are of {}: give {protocol=group-fold}.",
            ", ".join(parts) or "none",
        )
    n_lost = int((~np.isin(faces.split, ("train", "validation", "test"))).sum())
    if n_lost:
        warn_caller(
            f"{n_lost} of {len(faces.split)} images are in no part that is called train, "
            f"validation or test (parts here: {', '.join(parts)}): they are left out."
        )
    splits = _split(OfficialSplit(faces.split), faces, labeled)
    _warn_of_shared(faces, *splits[0])
    return splits


def _warn_of_shared(faces: Bunch, train: NDArray[np.intp], test: NDArray[np.intp]) -> None:
    """Tell how much of what is in the test part is in the training part too."""
    columns = {
        "sequences": faces.get("sequence"),
        "identical images": number_identical_images(faces.images),
    }
    kind = _group_kind(faces)
    # Where groups are identical images they are told as such.
    if kind != "different images":
        columns = {kind: faces.get("groups"), **columns}
    shared = {
        what: len(np.intersect1d(_known(values, train), _known(values, test)))
        for what, values in columns.items()
        if values is not None
    }
    told = ", ".join(f"{count} {what}" for what, count in shared.items() if count)
    if told:
        warn_caller(
            f"the official split has in training and test alike: {told}. It is used as its owners "
            "made it."
        )


def _known(values: Any, rows: NDArray[np.intp]) -> NDArray[Any]:
    column = np.asarray(values)[rows]
    return column[~missing_mask(column)]


def _group_kind(faces: Bunch) -> str:
    return faces.get("group_kind") or "subjects"


def _subject_folds(faces: Bunch, protocol: str) -> Any:
    """Return a splitter that suits these labeled faces."""
    groups, kind = faces.get("groups"), _group_kind(faces)
    if groups is None:
        raise ArgumentError(
            "{protocol=} needs subjects, and the data names none: give {protocol=group-fold}, or, "
            "of your own pictures, {group_column} (of a table) or {group_pattern} (of a folder).",
            protocol=protocol,
        )
    if kind != "subjects":
        raise ArgumentError(
            "{protocol=} needs subjects, and the groups of this data set are {}: give "
            "{protocol=official} or {protocol=group-fold}.",
            kind,
            protocol=protocol,
        )
    count = len(np.unique(groups))
    if protocol == "subject-10fold" and count < 10:
        raise ArgumentError(
            "{protocol=} makes 10 folds, and there are {} subjects: give "
            "{protocol=leave-one-subject-out} or {protocol=group-fold}.",
            count,
            protocol=protocol,
        )
    return SubjectKFold(10) if protocol == "subject-10fold" else LeaveOneGroupOut()


def _group_folds(faces: Bunch, n: int, seed: int) -> Any:
    """Return a splitter that suits these labeled faces."""
    y, groups = np.asarray(faces.target), faces.get("groups")
    if n < 2:
        raise ArgumentError("{n_folds=}: cross-validation needs at least 2.", n_folds=n)
    smallest = np.unique(y, return_counts=True)[1].min()
    if groups is None:
        _need(smallest, n, "images in the smallest class")
        return StratifiedKFold(n, shuffle=True, random_state=seed)
    _need(len(np.unique(groups)), n, _group_kind(faces))
    if smallest < n:
        return GroupKFold(n)
    return StratifiedGroupKFold(n, shuffle=True, random_state=seed)


def _need(found: int, wanted: int, what: str) -> None:
    if found < wanted:
        raise ArgumentError(
            "{n_folds=} needs at least {} {}, found {}.", wanted, what, found, n_folds=wanted
        )
