"""Columns of a table that a Bunch has by their own names: numbers or words."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from skfer.exceptions import ArgumentError
from skfer.validation import as_list, is_missing

_NOT_OF_SAMPLES = "images data target_names class_names group_kind root skipped frame DESCR"
_OF_SAMPLES = "target expression filenames groups sequence split subgroup"
_TAKEN = frozenset(f"{_NOT_OF_SAMPLES} {_OF_SAMPLES}".split())
"""What a Bunch, or its frame, calls something else."""


def check_extra_columns(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names, each once, or raise `ArgumentError`."""
    listed = as_list(names, "extra_columns", "names of columns")
    for name in listed:
        if not isinstance(name, str):
            raise ArgumentError("{extra_columns} has {}, which is no name.", repr(name))
        if name in _TAKEN:
            raise ArgumentError(
                "{extra_columns} has {}, which is something else in a Bunch: give the column "
                "another name in the table.",
                repr(name),
            )
    return tuple(dict.fromkeys(listed))


def extra_values(
    names: Sequence[str], lines: Sequence[Mapping[str, str]]
) -> list[tuple[float | str, ...]]:
    """Return what each line has in the columns."""
    columns = [_values([line.get(name, "").strip() for line in lines]) for name in names]
    return [*zip(*columns, strict=True)] if columns else [()] * len(lines)


def _values(cells: Sequence[str]) -> Sequence[Any]:
    """Return numbers, if all cells are some or missing, and words otherwise."""
    words = ["" if is_missing(cell) else cell for cell in cells]
    if not any(words):
        return words
    try:
        return [float(word) if word else float("nan") for word in words]
    except ValueError:
        return words
