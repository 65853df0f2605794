"""Refuse folds in which the test set is partly known from training."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from skfer._typing import ArrayLike
from skfer.exceptions import ArgumentError
from skfer.model_selection._splitters import groups_for, make_splitter, split_by
from skfer.validation import (
    as_column,
    check_groups,
    check_same_length,
    number_values,
    refusal,
    shown,
)

_CHUNK_BYTES = 2**24
_MAX_LINES = 10
# Bytes: more than enough to tell any number of images apart.
_DIGEST_SIZE = 16
# What a Bunch calls its groups: one, and several where an s is not enough.
_GROUPS = {
    "subjects": ("subject", ""),
    "films": ("film", ""),
    "different images": ("group of identical images", "groups of identical images"),
}
_COPY = "identical image"
_KEEP_COPIES = (
    "Where nobody knows who is shown, groups=number_identical_images(bunch.images) and a splitter "
    "that heeds groups, for example GroupKFold, keep copies together."
)


@dataclass(frozen=True)
class _Trait:
    """Something that two samples can have in common.

    ``codes`` numbers the values; -1 where a sample has none. ``values`` is None for images.
    """

    name: str
    codes: np.ndarray
    values: np.ndarray | None
    plural: str = ""  # where it is not name with an s


def check_leakage(bunch: Any, cv: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Raise if any fold shares a subject, a sequence or an identical image.

    Frames of one sequence in both training and test set, or the same person, or the same picture
    twice, make a method look better than it is; public code for CK+ does so.

    Parameters
    ----------
    bunch : Bunch
        A data set. Looked at are ``groups`` (subjects, or what ``group_kind`` says), ``sequence``
        and ``images`` (or ``data``), as far as it has them, and ``target`` for stratified
        splitters. Images may be a memmap: they are read once, in order, in chunks.
    cv : splitter, int or iterable of (train, test)
        The folds, by indices or boolean masks. An int means stratified folds, as in scikit-learn.

    Returns
    -------
    folds : list of (train, test)
        The folds that were checked, as indices. Pass them on as ``cv=`` if the splitter is random,
        so that the folds that are used are those that were checked.

    Raises
    ------
    ValueError
        When training and test set of a fold have a sample, subject, sequence or identical image
        in common, saying which; when a fold is empty or names samples that are not there; or when
        the bunch has nothing to compare.

    See Also
    --------
    SubjectKFold : Folds of whole subjects.

    Notes
    -----
    Missing subjects and sequences (None, NaN, pandas.NA, "", "NA" ...) are not compared. Images
    are identical when shape and every pixel are; near-copies are not found. Of paths the files are
    read: they are identical when every byte is.

    References
    ----------
    .. [1] S. Kaufman, S. Rosset, C. Perlich, O. Stitelman, "Leakage in data mining", ACM TKDD
       6(4), 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import KFold
    >>> from sklearn.utils import Bunch
    >>> from skfer.model_selection import SubjectKFold, check_leakage
    >>> faces = Bunch(
    ...     images=np.arange(4, dtype=np.uint8).reshape(4, 1, 1),
    ...     target=np.array([0, 1, 0, 1]),
    ...     groups=np.array(["S1", "S2", "S1", "S2"]),
    ... )
    >>> len(check_leakage(faces, SubjectKFold(n_splits=2)))
    2
    >>> check_leakage(faces, KFold(n_splits=2))
    Traceback (most recent call last):
        ...
    skfer.exceptions.ArgumentError: cv leaks between training and test set:
    fold 0: 2 subjects, such as 'S1' (sample 2 in train, sample 0 in test)
    fold 1: 2 subjects, such as 'S1' (sample 0 in train, sample 2 in test)
    Split by groups, for example with SubjectKFold.
    """
    traits = _traits(bunch)
    n_samples = len(traits[0].codes)
    rows = np.arange(n_samples)
    folds = _make_folds(cv, rows, bunch)
    sample = _Trait("sample", rows, None)
    leaks = [
        line
        for fold, (train, test) in enumerate(folds)
        for trait in (sample, *traits)
        if (line := _describe_leak(fold, trait, train, test, getattr(bunch, "filenames", None)))
    ]
    if leaks:
        error = ArgumentError(
            "{cv} leaks between training and test set:\n{}\nSplit by {groups}, for example with "
            "SubjectKFold.",
            _listed(leaks),
        )
        if getattr(bunch, "groups", None) is None and all(f" {_COPY}" in leak for leak in leaks):
            error.add_note(_KEEP_COPIES)
        raise error
    return folds


def number_identical_images(images: ArrayLike) -> np.ndarray:
    """Give identical images the same number, reading each once.

    Parameters
    ----------
    images : array-like of shape (n_samples, ...)
        An array, a memmap, a data frame of rows, a sequence of arrays of different shapes, or
        paths of files.

    Returns
    -------
    numbers : ndarray of shape (n_samples,), int
        Numbers from 0 in order of first appearance; equal where shape, type and all pixels are, or
        all bytes of a file.

    Raises
    ------
    ArgumentError
        If it holds something else than arrays of numbers and paths, or a file cannot be read.

    See Also
    --------
    check_leakage : Refuses folds that share such images.
    resolve_duplicates : Deals with them.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.model_selection import number_identical_images
    >>> images = np.zeros((3, 16, 16), np.uint8)
    >>> images[1] = 9
    >>> number_identical_images(images).tolist()
    [0, 1, 0]
    """
    check_same_length(images=images)
    if isinstance(images, dict | set):
        raise refusal("images", "must be an array or a list of arrays, got {}.", shown(images))
    rows = _rows_of(images)
    # Of a sequence that is no array each image is read for itself.
    stacked = isinstance(rows, np.ndarray) and rows.dtype.kind not in "OUS"
    size = rows[0].nbytes if stacked and len(rows) else _CHUNK_BYTES
    step = max(1, _CHUNK_BYTES // max(1, size))
    known: dict[bytes, int] = {}
    numbers = np.empty(len(rows), dtype=np.intp)
    for start in range(0, len(rows), step):
        chunk = rows[start : start + step]
        for row, image in enumerate(np.ascontiguousarray(chunk) if stacked else chunk, start):
            numbers[row] = known.setdefault(_digest(image), len(known))
    return numbers


def _rows_of(images: Any) -> Any:
    """Return what is indexed by rows: of pandas, whose index is by columns, or by names, an array.

    One column of paths is taken as the paths.
    """
    rows = np.asarray(images) if hasattr(images, "iloc") else images
    if isinstance(rows, np.ndarray) and rows.dtype.kind in "OUS" and rows.shape[1:] == (1,):
        return rows[:, 0]
    return rows


def _digest(image: Any) -> bytes:
    if isinstance(image, str | bytes | os.PathLike):
        return _digest_of_file(image)
    pixels = np.ascontiguousarray(image)
    if pixels.dtype == object:  # whose bytes are addresses
        pixels = np.array(pixels.tolist())
    if pixels.dtype.kind not in "biufc":
        raise refusal(
            "images",
            "must hold arrays of numbers, or one path for each image, got {} in it.",
            shown(np.asarray(image).tolist()),
        )
    digest = blake2b(f"{pixels.dtype.str} {pixels.shape}".encode(), digest_size=_DIGEST_SIZE)
    digest.update(pixels.ravel().view(np.uint8).data if pixels.size else b"")
    return digest.digest()


def _digest_of_file(path: Any) -> bytes:
    digest = blake2b(digest_size=_DIGEST_SIZE)
    try:
        if not os.path.isfile(path):  # a pipe would be waited for
            raise FileNotFoundError("there is no such file")
        with open(path, "rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    except (OSError, ValueError) as error:
        text = "has {} for a path, which cannot be read: {}."
        raise refusal("images", text, shown(path), error) from error
    return digest.digest()


def _traits(bunch: Any) -> list[_Trait]:
    traits = []
    kind = getattr(bunch, "group_kind", None) or "subjects"
    group, plural = _GROUPS.get(kind, ("group", ""))
    for name, attribute, many in ((group, "groups", plural), ("sequence", "sequence", "")):
        values = getattr(bunch, attribute, None)
        if values is not None:
            traits.append(_Trait(name, *_number_values(values, f"bunch.{attribute}"), many))
    for attribute in ("images", "data"):
        images = getattr(bunch, attribute, None)
        if images is not None and not isinstance(bunch, np.ndarray):  # whose data are bytes
            traits.append(_Trait(_COPY, number_identical_images(images), None))
            break
    if not traits:
        raise refusal(
            "bunch",
            "has none of groups, sequence and images, so that there is nothing to check: give a "
            "Bunch, as the loaders return it; got {}.",
            shown(bunch),
        )
    lengths = {trait.name: len(trait.codes) for trait in traits}
    if len(set(lengths.values())) > 1:
        raise refusal("bunch", "has columns of different lengths: {}.", lengths)
    return traits


def _make_folds(cv: Any, rows: np.ndarray, bunch: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    target = getattr(bunch, "target", None)
    y = None if target is None else as_column(target, "bunch.target")
    splitter = make_splitter(cv, y)
    groups = groups_for(splitter, getattr(bunch, "groups", None), rows)
    return [
        (_indices(fold, "training", train, len(rows)), _indices(fold, "test", test, len(rows)))
        for fold, (train, test) in enumerate(split_by(splitter, rows, y, groups))
    ]


def _indices(fold: int, side: str, given: ArrayLike, n_samples: int) -> np.ndarray:
    """Return the samples of one side of a fold, which may be given as a mask."""
    samples = np.asarray(given)
    if samples.dtype == bool:
        if samples.shape != (n_samples,):
            raise refusal(
                "cv",
                "has a {} mask of shape {} in fold {}, but there are {} samples.",
                side,
                samples.shape,
                fold,
                n_samples,
            )
        samples = np.flatnonzero(samples)
    if samples.size == 0:
        raise refusal("cv", "has an empty {} set in fold {}: leave the fold out.", side, fold)
    if (
        samples.ndim != 1
        or samples.dtype.kind not in "iu"
        or samples.min() < 0
        or samples.max() >= n_samples
    ):
        raise refusal(
            "cv",
            "must give the {} set of fold {} as indices below {} or a mask, got {}.",
            side,
            fold,
            n_samples,
            shown(given),
        )
    return samples


def _number_values(values: ArrayLike, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Give each value its number, missing ones -1; return the numbers, and the values by number."""
    column = check_groups(values, name, allow_missing=True)
    (codes,) = number_values(column, names=[name])
    named = np.empty(len(codes), dtype=object)
    present = codes >= 0
    named[codes[present]] = column[present].tolist()
    return codes, named


def _describe_leak(
    fold: int, trait: _Trait, train: np.ndarray, test: np.ndarray, filenames: Sequence[str] | None
) -> str | None:
    """Return a line about what the two sides have in common, None if it is nothing."""
    train, test = (side[trait.codes[side] >= 0] for side in (train, test))
    shared = test[np.isin(trait.codes[test], trait.codes[train])]
    if len(shared) == 0:
        return None
    code = trait.codes[shared[0]]
    twin = train[trait.codes[train] == code][0]
    value = "" if trait.values is None else f"{trait.values[code]!r} "
    examples = ", ".join(
        f"sample {row} in {side}" + ("" if filenames is None else f": {filenames[row]}")
        for row, side in ((twin, "train"), (shared[0], "test"))
    )
    count = len(np.unique(trait.codes[shared]))
    name = trait.name if count == 1 else trait.plural or f"{trait.name}s"
    return f"fold {fold}: {count} {name}, such as {value}({examples})"


def _listed(leaks: list[str]) -> str:
    more = [f"and {len(leaks) - _MAX_LINES} more leaks."] if len(leaks) > _MAX_LINES else []
    return "\n".join([*leaks[:_MAX_LINES], *more])
