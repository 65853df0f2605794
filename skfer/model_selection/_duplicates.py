"""Pictures that are in a data set more than once: dropped, kept or refused, all at once."""

from typing import Any

import numpy as np

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError, shorten
from skfer.model_selection._leakage import number_identical_images
from skfer.model_selection._rows import rows_of
from skfer.validation import as_column, check_choice, mark_mask, missing_mask, refusal, shown

_MAX_LINES = 100


def resolve_duplicates(bunch: Any, duplicates: str = "drop") -> tuple[Any, list[tuple[int, int]]]:
    """Deal with identical images, all pairs at once.

    Parameters
    ----------
    bunch : Bunch
        A data set, as a loader returns it, with ``images`` and ``target``.
    duplicates : {"drop", "keep", "refuse"}, default="drop"
        "drop" leaves the first one of identical images of one class, and one that has a label
        rather than one that has none (-1, or what stands for a missing value); identical images of
        two classes are refused, since nobody knows which is right. "refuse" refuses all, "keep"
        none.

    Returns
    -------
    bunch : Bunch
        With "drop" one of the same kind without the later copies; otherwise the one given.
    pairs : list of (int, int)
        All pairs, as rows of the bunch that was given: the image that is left, and its copy.

    Raises
    ------
    ArgumentError
        About ``duplicates``: identical images that it refuses. The message lists the first pairs
        and their number.

    See Also
    --------
    check_leakage : Refuses folds that share an image.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.utils import Bunch
    >>> from skfer.model_selection import resolve_duplicates
    >>> images = np.array([3, 5, 3], dtype=np.uint8).reshape(3, 1, 1)
    >>> faces, pairs = resolve_duplicates(Bunch(images=images, target=np.array([0, 1, 0])))
    >>> faces.target.tolist(), pairs
    ([0, 1], [(0, 2)])
    """
    check_choice(duplicates, "duplicates", ("drop", "keep", "refuse"))
    if getattr(bunch, "images", None) is None or getattr(bunch, "target", None) is None:
        raise refusal(
            "bunch", "must have images and target, as loaders return them; got {}.", shown(bunch)
        )
    target = as_column(bunch.target, "bunch.target")
    unlabeled = missing_mask(target) | mark_mask(target)
    pairs = _pairs(number_identical_images(bunch.images), unlabeled)
    conflicts = [(i, j) for i, j in pairs if not unlabeled[j] and target[j] != target[i]]
    if duplicates == "keep" or not pairs:
        return bunch, pairs
    refused = pairs if duplicates == "refuse" else conflicts
    if refused:
        of_what = "" if duplicates == "refuse" else " of two classes"
        raise ArgumentError(
            "{duplicates=} refuses {} of identical images{}:\n{}\nRemove them, or give "
            "{duplicates='keep'}.",
            "1 pair" if len(refused) == 1 else f"{len(refused):,} pairs",
            of_what,
            _listed(bunch, refused),
            duplicates=duplicates,
        )
    return _without(bunch, [j for _, j in pairs]), pairs


def _pairs(numbers: NDArray[np.intp], unlabeled: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the image that is left and its copy, for each copy, in order of the copies."""
    order = np.lexsort((np.arange(len(numbers)), unlabeled, numbers))
    same = numbers[order]
    starts = np.flatnonzero(np.r_[True, same[1:] != same[:-1]]) if len(order) else order
    left = np.repeat(order[starts], np.diff(np.r_[starts, len(order)]))
    pairs = [(int(i), int(j)) for i, j in zip(left, order, strict=True) if i != j]
    return sorted(pairs, key=lambda pair: pair[1])


def _listed(bunch: Any, pairs: list[tuple[int, int]]) -> str:
    names, words = (getattr(bunch, name, None) for name in ("filenames", "target_names"))
    names = None if names is None else np.asarray(names)
    target = as_column(bunch.target, "bunch.target")
    words = words if target.dtype.kind in "iu" else None

    def called(row: int) -> str:
        code = target[row]
        label = str(code) if words is None or code < 0 else str(words[code])
        return shorten(f"{f'sample {row}' if names is None else names[row]} ({label})", 100)

    lines = [f"  {called(i)} and {called(j)}" for i, j in pairs[:_MAX_LINES]]
    if len(pairs) > _MAX_LINES:
        lines.append(f"  ... and {len(pairs) - _MAX_LINES:,} more")
    return "\n".join(lines)


def _without(bunch: Any, rows: list[int]) -> Any:
    """Return a bunch without some rows."""
    kept = np.setdiff1d(np.arange(len(bunch.images)), rows)
    left = type(bunch)(**rows_of(bunch, kept, len(bunch.images)))
    if _are_the_same(bunch.images, bunch.get("data")):
        left["data"] = left["images"].reshape(left["data"].shape)
    return left


def _are_the_same(images: Any, data: Any) -> bool:
    """Whether the data are the images as rows, as scikit-learn has them, and nothing else."""
    both = isinstance(images, np.ndarray) and isinstance(data, np.ndarray)
    return both and images.size == data.size and np.may_share_memory(images, data)
