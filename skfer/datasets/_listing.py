"""The labeled pictures of a data set, not yet decoded."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from skfer.datasets._labels import class_codes
from skfer.datasets._rows import PARTS, Row, column, place_of
from skfer.datasets._tree import Tree
from skfer.datasets._vocabulary import EXPRESSION_CODES, EXPRESSIONS
from skfer.exceptions import ArgumentError, shorten
from skfer.pictures import DatasetError, Problem, part_of
from skfer.pictures._files import NO_SUCH_FILE
from skfer.validation import UNLABELED, as_list

# read(row, size, color) reads the picture of a row or raises PictureError.
RowReader = Callable[[Row, tuple[int, int] | None, bool], np.ndarray]


@dataclass(frozen=True)
class Layout:
    """One of the forms in which a set is handed on, and what is published about it."""

    text: str
    counts: Mapping[str, int] = field(default_factory=dict)  # pictures of each class
    parts: Mapping[str, int] = field(default_factory=dict)
    n_groups: int | None = None
    unit: str = "files"  # what problems are counted in


@dataclass
class Listing:
    """The labeled pictures of a data set, not yet decoded.

    A loader's own work is to read its labels into one. Checking, choosing classes, decoding,
    caching and reporting happen once, for all.
    """

    name: str  # begins the name of the cache file
    descr: str
    layout: Layout
    rows: list[Row]
    problems: list[Problem] = field(default_factory=list)
    codes: Mapping[str, int] = field(default_factory=lambda: EXPRESSION_CODES)
    target_names: Sequence[str] = EXPRESSIONS
    group_kind: str = "subjects"  # what groups are, if there are any
    extra: tuple[str, ...] = ()  # the columns that `extra` of a row has the values of
    # What the numbers in a row of a column are, for columns with a row of them for each picture.
    wide: Mapping[str, Sequence[str]] = field(default_factory=dict)
    read: RowReader | None = None  # where that is more than reading a file
    reader_key: str = ""  # changes when `read` would give other pixels
    # Gives further columns from the decoded images.
    derive: Callable[[np.ndarray], dict[str, np.ndarray]] | None = None
    sources: list[str] | None = None  # all files that are read; None: those of the rows
    warnings: list[Warning] = field(default_factory=list)
    unlabeled_parts: Sequence[str] = ()  # parts that are there without labels
    is_own: bool = False  # the caller's own pictures, which no publisher has checked
    # For the check of a copy.
    parts: dict[str, int] | None = None  # found in each part; None: counted in the rows
    missing: list[str] = field(default_factory=list)  # files of the form that loading does not need
    unlisted: list[str] = field(default_factory=list)  # pictures without a label, not loaded

    @property
    def target(self) -> np.ndarray:
        """Codes of the classes."""
        codes = [self.codes.get(row.label, UNLABELED) for row in self.rows]
        return np.array(codes, dtype=np.int64)

    @property
    def files(self) -> list[str]:
        """All files that are read for the rows."""
        if self.sources is not None:
            return self.sources
        return [row.name for row in self.rows] + [row.beside for row in self.rows if row.beside]

    def columns(self) -> dict[str, np.ndarray | None]:
        """Return every column; the usual ones are there in any set, None where it has none."""
        rows = self.rows
        found = {
            "filenames": np.array([row.name for row in rows], dtype=np.str_),
            "groups": column([row.group for row in rows]),
            "sequence": column([row.sequence for row in rows]),
            "split": column([row.part for row in rows]),
        }
        for i, name in enumerate(self.extra):
            found[name] = column([row.extra[i] for row in rows])
        return found


def no_layout(name: str, tree: Tree, layouts: Iterable[Layout], advice: str = "") -> DatasetError:
    """Return the error for a folder that has none of the forms of a set."""
    forms = "".join(f"\n  {layout.text}" for layout in layouts)
    forms += f"\n{advice}" if advice else ""
    return DatasetError("{root=} has no {} in a known layout:{}", name, forms, root=str(tree.root))


def absent(listing: Listing, tree: Tree) -> list[Problem]:
    """Return the pictures whose files are not there, to be told with what else is wrong."""
    if listing.sources is not None:  # the pictures are no files
        return []
    return [
        Problem(place_of(row), NO_SUCH_FILE)
        for row in listing.rows
        if not os.path.exists(tree.path(row.name))
    ]


def choose_classes(listing: Listing, classes: Iterable[str] | None) -> Listing:
    """Keep the pictures of some classes only."""
    codes = class_codes(classes, listing.target_names)
    if codes is None:
        return listing
    kept = np.flatnonzero(np.isin(listing.target, codes))
    return replace(listing, rows=[listing.rows[i] for i in kept])


def choose_parts(listing: Listing, subset: str | Iterable[str] | None) -> Listing:
    """Keep the pictures of some official parts, or of some subjects where there are no parts."""
    if subset is None:
        return listing
    words, kind = _words_of(subset), "parts"
    values: list[Any] = [row.part for row in listing.rows]
    problems = listing.problems
    if any(values):
        words = [PARTS.get(word.lower(), word) for word in words]
        problems = [p for p in problems if part_of(p) in ("", *words)]
    else:
        kind, values = listing.group_kind, [row.group for row in listing.rows]
    known = sorted({value for value in values if isinstance(value, str) and value})
    if not known:
        raise ArgumentError(
            "{subset=}: these pictures have no official parts. (Of a table, {split_column} names "
            "the column of them.)",
            subset=subset,
        )
    unknown = [word for word in words if word not in known]
    withheld = [word for word in unknown if word in listing.unlabeled_parts]
    if withheld:
        raise ArgumentError(
            "{subset=}: the {} part has no labels here: give {unlabeled=True} to load it as -1.",
            withheld[0],
            subset=subset,
        )
    if unknown or not words:
        raise ArgumentError(
            "{subset=}: {} is not among the {} here: {}.",
            shorten(str(unknown)) if unknown else "nothing",
            kind,
            shorten(str(known)),
            subset=subset,
        )
    rows = [row for row, value in zip(listing.rows, values, strict=True) if value in words]
    return replace(listing, rows=rows, problems=problems)


def _words_of(subset: str | Iterable[str]) -> list[str]:
    if isinstance(subset, str):
        return [subset]
    return [str(word) for word in as_list(subset, "subset", "names")]
