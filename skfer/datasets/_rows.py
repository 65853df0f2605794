"""A picture with its labels, as loaders find them, and what to do with copies of one."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from skfer.pictures import Problem

# The words for the official parts of a set.
PARTS = {
    "train": "train",
    "training": "train",
    "train_set": "train",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "validation": "validation",
    "val_set": "validation",
    "publictest": "validation",
    "test": "test",
    "test_set": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
    "privatetest": "test",
}


class Row(NamedTuple):
    """A picture with its labels."""

    name: str  # its file, relative to the folder of the set
    label: str = ""  # its class, "" for none
    part: str = ""  # the official part
    group: str | int = ""  # who is shown
    sequence: str = ""
    place: str = ""  # where its labels are told, where that is not its name
    beside: str = ""  # the file that tells where the face is
    at: int = 0  # where a loader finds more about it
    extra: tuple[Any, ...] = ()  # values of columns that this set alone has


def without_copies(
    rows: Sequence[Row],
    key: Callable[[Row], str] = lambda row: row.name,
    label: Callable[[Row], str] | None = None,
) -> tuple[list[Row], list[Problem]]:
    """Leave out copies of a picture; return the rows left, and what is wrong with the others.

    Rows of one `key` are copies. The first one stays if all agree about the `label` (by default
    class and part), else none does: nobody knows which is right.
    """
    label = label or _label_of
    first: dict[str, Row] = {}
    conflicting: set[str] = set()
    problems: list[Problem] = []
    for row in rows:
        name = key(row)
        other = first.setdefault(name, row)
        if other is row:
            continue
        what = f"{name!r} again, as in {place_of(other)}"
        if label(row) != label(other):
            conflicting.add(name)
            what += f", but with the label {label(row)!r} and not {label(other)!r}"
        problems.append(Problem(place_of(row), what))
    for name in sorted(conflicting):
        what = f"{name!r} has another label further down"
        problems.append(Problem(place_of(first[name]), what))
    return [row for name, row in first.items() if name not in conflicting], problems


def without_conflicting_sequences(
    rows: Sequence[Row], besides: str
) -> tuple[list[Row], list[Problem]]:
    """Leave out sequences in two classes: each has one, `besides` frames that any may have."""
    first: dict[str, Row] = {}
    conflicting: set[str] = set()
    problems: list[Problem] = []
    for row in rows:
        if row.label == besides:
            continue
        other = first.setdefault(row.sequence, row)
        if other.label != row.label:
            conflicting.add(row.sequence)
            what = f"{row.sequence} with the label {row.label!r} and not {other.label!r}"
            what += f" as {other.name}: a sequence has one expression"
            problems.append(Problem(row.name, what))
    left_out = [first[key] for key in sorted(conflicting)]
    problems += [Problem(row.name, "its sequence is in another class too") for row in left_out]
    return [row for row in rows if row.sequence not in conflicting], problems


def place_of(row: Row) -> str:
    """Return how a problem names a row."""
    return row.place or row.name


def _label_of(row: Row) -> str:
    return f"{row.label} in {row.part}" if row.part else row.label


def column(values: Sequence[Any]) -> np.ndarray | None:
    """Return values as an array, None if all are empty words."""
    if all(isinstance(value, str) and not value for value in values):
        return None
    if all(isinstance(value, int) for value in values):
        return np.array(values, dtype=np.int64)
    return np.array(values)
