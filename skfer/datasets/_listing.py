"""From a list of labelled files to a Bunch: what all loaders do in the same way.

A loader's own work is to read its labels into a `Listing`. Checking, choosing classes, decoding,
caching and reporting happen here, once.
"""

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skfer.datasets._bunch import make_bunch
from skfer.datasets._labels import class_codes
from skfer.exceptions import ArgumentError, shorten
from skfer.pictures import (
    Cache,
    Chunk,
    DatasetError,
    Problem,
    Reader,
    check_image_size,
    check_on_error,
    check_some_left,
    decode_chunks,
    fingerprint,
    first_shape,
    gather,
    handle,
    image_shape,
    part_of,
    picture_reader,
)

# The words for the official parts of a set.
PARTS = {
    "train": "train",
    "training": "train",
    "train_set": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "val_set": "validation",
    "publictest": "validation",
    "test": "test",
    "test_set": "test",
    "privatetest": "test",
}


@dataclass
class Listing:
    """The labelled pictures of a data set, not yet decoded."""

    name: str  # begins the name of the cache file
    root: Path
    filenames: list[str]  # relative to root, with forward slashes
    target: np.ndarray
    target_names: Sequence[str]
    descr: str
    unit: str = "files"  # what problems are counted in
    group_kind: str = "subjects"  # what groups are, if there are any
    columns: dict[str, np.ndarray | None] = field(default_factory=dict)
    # What the numbers in a row of a column are, for columns with a row of them for each picture.
    wide: dict[str, Sequence[str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    where: list[str] | None = None  # how problems name the pictures; None: by filenames
    sources: list[str] | None = None  # the files the pixels come from; None: filenames
    # reader(i, size=, color=) reads picture i, where that is more than reading a file.
    reader: Callable[..., np.ndarray] | None = None
    reader_key: str = ""  # changes when `reader` would give other pixels
    # Gives further columns from the decoded images.
    derive: Callable[[np.ndarray], dict[str, np.ndarray]] | None = None
    # For the check of a copy. `published` are pictures of each class.
    layout: str = ""  # which of the forms of the set this is
    published: dict[str, int] = field(default_factory=dict)
    published_parts: dict[str, int] = field(default_factory=dict)
    published_groups: int | None = None
    parts: dict[str, int] | None = None  # found in each part; None: counted in columns["split"]
    missing: list[str] = field(default_factory=list)  # of the form, though loading does without
    unlisted: list[str] = field(default_factory=list)  # pictures without a label, not loaded

    def take(self, indices: np.ndarray) -> "Listing":
        """Return the listing of some pictures; `reader` still counts in the old numbers."""
        indices = np.asarray(indices, dtype=np.intp)
        inner = self.reader
        return replace(
            self,
            filenames=[self.filenames[i] for i in indices],
            target=self.target[indices],
            columns={k: None if v is None else v[indices] for k, v in self.columns.items()},
            where=None if self.where is None else [self.where[i] for i in indices],
            reader=None if inner is None else lambda i, **how: inner(int(indices[i]), **how),
        )


@dataclass(frozen=True)
class Options:
    """The parameters that all loaders share."""

    image_size: int | tuple[int, int] | None = None
    color: bool = False
    classes: Iterable[str] | None = None
    subset: str | Iterable[str] | None = None
    cache_dir: str | os.PathLike[str] | None = None
    n_jobs: int | None = None
    on_error: str = "raise"
    return_X_y: bool = False  # noqa: N815 (scikit-learn's name)
    as_frame: bool = False
    verbose: bool | int = False

    def __post_init__(self) -> None:
        check_on_error(self.on_error)
        check_image_size(self.image_size)


class MissingPathError(ArgumentError, FileNotFoundError):
    """A path that an argument names does not exist."""


class NotAFolderError(ArgumentError, NotADirectoryError):
    """A path that an argument names is not a folder."""


def check_root(root: str | os.PathLike[str]) -> Path:
    """Return `root` as a Path or raise if it is no folder."""
    if not isinstance(root, str | os.PathLike):
        raise ArgumentError("{root=} is not a path: give the folder of the data set.", root=root)
    path = Path(root)
    if not path.exists():
        raise MissingPathError("{root=} does not exist.", root=os.fspath(root))
    if not path.is_dir():
        raise NotAFolderError("{root=} is not a folder.", root=os.fspath(root))
    # Loaders look at the folder's name, which "." and ".." do not tell.
    return path.resolve() if path.name in ("", "..") else path


def load(listing: Listing, options: Options) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Check, decode (or open the cache) and return the Bunch, or (data, target)."""
    # Parts first: those of the whole set are known, not only those with the classes in them.
    listing = choose_classes(choose_parts(listing, options.subset), options.classes)
    total = len(listing.filenames) + len(listing.problems)
    if options.on_error == "raise" and listing.problems:
        handle(listing.problems + _absent(listing), total, listing.unit, "raise")
    if not listing.filenames:
        if listing.problems:
            check_some_left(listing.problems, total)
        raise _nothing(listing, options)
    images, failed, failures = _decode(listing, options)
    problems = listing.problems + failures
    handle(problems, total, listing.unit, options.on_error)
    if failed:
        listing = listing.take(np.setdiff1d(np.arange(len(listing.filenames)), failed))
    derived = {} if listing.derive is None else listing.derive(images)
    columns = _columns(listing, derived)
    bunch = make_bunch(
        images,
        listing.target,
        target_names=listing.target_names,
        descr=listing.descr,
        columns=columns,
        wide=listing.wide,
        as_frame=options.as_frame,
        group_kind=None if columns["groups"] is None else listing.group_kind,
        root=str(listing.root),
        skipped=[tuple(problem) for problem in problems],
    )
    return (bunch.data, bunch.target) if options.return_X_y else bunch


def _absent(listing: Listing) -> list[Problem]:
    """Return the pictures whose files are not there, to be told with what else is wrong."""
    n = len(listing.filenames)
    if listing.sources is not None and listing.sources[:n] != listing.filenames:
        return []  # the pictures are no files
    places = listing.filenames if listing.where is None else listing.where
    return [
        Problem(place, "no such file")
        for place, name in zip(places, listing.filenames, strict=True)
        if not (listing.root / name).exists()
    ]


def _nothing(listing: Listing, options: Options) -> DatasetError:
    given = {"classes": options.classes, "subset": options.subset}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    where = f" with {' and '.join(f'{{{name}=}}' for name in chosen)}" if chosen else ""
    return DatasetError(f"no pictures{where} found in {{root=}}.", root=str(listing.root), **chosen)


def choose_classes(listing: Listing, classes: Iterable[str] | None) -> Listing:
    """Keep the pictures of some classes only."""
    codes = class_codes(classes, listing.target_names)
    if codes is None:
        return listing
    return listing.take(np.flatnonzero(np.isin(listing.target, codes)))


def choose_parts(listing: Listing, subset: str | Iterable[str] | None) -> Listing:
    """Keep the pictures of some official parts, or of some subjects where there are no parts."""
    if subset is None:
        return listing
    words = _words_of(subset)
    column, kind = listing.columns.get("split"), "parts"
    if column is not None:
        words = [PARTS.get(word.lower(), word) for word in words]
        problems = [p for p in listing.problems if part_of(p) in ("", *words)]
    else:
        column, kind = listing.columns.get("groups"), listing.group_kind
        problems = listing.problems
    known = [] if column is None else sorted(set(column.tolist()))
    unknown = [word for word in words if word not in known]
    if column is None or unknown or not words:
        raise ArgumentError(
            "{subset=}: {} is not among the {} here: {}.",
            unknown or "nothing",
            kind,
            shorten(str(known)),
            subset=subset,
        )
    return replace(listing.take(np.flatnonzero(np.isin(column, words))), problems=problems)


def _words_of(subset: str | Iterable[str]) -> list[str]:
    if isinstance(subset, str):
        return [subset]
    if not isinstance(subset, Iterable):
        raise ArgumentError("{subset=} is not a name: give one or a list of them.", subset=subset)
    return [str(word) for word in subset]


def _columns(listing: Listing, derived: dict[str, np.ndarray]) -> dict[str, np.ndarray | None]:
    """Return every column; the usual ones are there in any set, None where it has none."""
    usual = dict.fromkeys(("groups", "sequence", "split"))
    names = np.array(listing.filenames, dtype=np.str_)
    return {"filenames": names, **usual, **listing.columns, **derived}


def _decode(listing: Listing, options: Options) -> tuple[np.ndarray, list[int], list[Problem]]:
    """Return the images, the numbers of those that failed, and why."""
    cache = _cache(listing, options)
    if cache is not None:
        found = cache.load()
        # A cache that left files out serves only those who ask for that.
        if found is not None and (options.on_error == "skip" or not found[2]):
            return found
    size = check_image_size(options.image_size)
    names = listing.filenames if listing.where is None else listing.where
    read = _reader(listing, size, options.color)
    shape = first_shape(names, read) if size is None else image_shape(size, options.color)
    chunks = decode_chunks(read, names, shape, n_jobs=options.n_jobs, verbose=options.verbose)
    if cache is None:
        return gather(chunks, shape, len(names))
    if options.on_error == "raise":
        chunks = _raising(chunks, len(names), listing.unit)
    return cache.write(chunks, shape, {"name": listing.name, "root": str(listing.root)})


def _reader(listing: Listing, size: tuple[int, int] | None, color: bool) -> Reader:
    if listing.reader is None:
        paths = [f"{listing.root}/{name}" for name in listing.filenames]
        return picture_reader(paths, size, color)
    return functools.partial(listing.reader, size=size, color=color)


def _cache(listing: Listing, options: Options) -> Cache | None:
    if options.cache_dir is None:
        return None
    size = check_image_size(options.image_size)
    parts = [f"size={size} color={bool(options.color)}", listing.reader_key]
    sources = listing.filenames if listing.sources is None else listing.sources
    files = fingerprint(listing.root, sources)
    return Cache(options.cache_dir, listing.name, [*parts, *listing.filenames, *files])


def _raising(chunks: Iterable[Chunk], total: int, unit: str) -> Iterator[Chunk]:
    """Pass the chunks on and raise at the end if anything failed: no cache of a faulty set."""
    problems: list[Problem] = []
    for chunk in chunks:
        problems += chunk.problems
        yield chunk
    handle(problems, total, unit, "raise")
