"""From the folder of a data set to a Bunch: what all loaders do in the same way."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skfer.datasets._bunch import make_bunch
from skfer.datasets._copies import conflicting_copies
from skfer.datasets._listing import Listing, RowReader, absent, choose_classes, choose_parts
from skfer.datasets._rows import Row, place_of
from skfer.datasets._tree import Tree
from skfer.exceptions import ArgumentError, warn_caller
from skfer.pictures import (
    Cache,
    Chunk,
    DatasetError,
    PictureError,
    Problem,
    check_image_size,
    check_on_error,
    check_some_left,
    decode_chunks,
    fingerprint,
    first_shape,
    gather,
    handle,
    image_shape,
    read_picture,
)
from skfer.validation import check_flag, check_verbose

_CHECKED_SIZE = (48, 48)  # of pictures that are decoded only to see whether they can be


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
        check_flag(self.color, "color", hint="True is RGB, False is gray.")
        check_flag(self.return_X_y, "return_X_y")
        check_flag(self.as_frame, "as_frame")
        check_verbose(self.verbose)
        _check_cache_dir(self.cache_dir)


def _check_cache_dir(cache_dir: Any) -> None:
    if cache_dir is None:
        return
    if not isinstance(cache_dir, str | os.PathLike):
        raise ArgumentError("{cache_dir=} is not a path: give a folder.", cache_dir=cache_dir)
    try:
        os.stat(cache_dir)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:  # a name that is too long, or has a null character
        reason = getattr(error, "strerror", None) or error
        raise ArgumentError("{cache_dir=}: {}.", reason, cache_dir=cache_dir) from None
    if not os.path.isdir(cache_dir):
        raise ArgumentError(
            "{cache_dir=} is a file: give a folder, which is made if it is not there.",
            cache_dir=os.fspath(cache_dir),
        )


def load(root: str | os.PathLike[str], lister: Callable[[Tree], Listing], options: Options) -> Any:
    """List the pictures in a folder, decode them (or open the cache), and return the Bunch.

    `lister` finds the pictures and their labels. With `return_X_y` it is (data, target).
    """
    tree = Tree(root, options.cache_dir)
    listing = lister(tree)
    for warning in listing.warnings:
        warn_caller(warning)
    # Parts first: those of the whole set are known, not only those with the classes in them.
    listing = choose_classes(choose_parts(listing, options.subset), options.classes)
    problems = [*tree.problems, *listing.problems]
    total, unit = len(listing.rows) + len(problems), listing.layout.unit
    if problems and options.on_error == "raise":
        handle(problems + absent(listing, tree), total, unit, "raise")
    if not listing.rows:
        if problems:
            check_some_left(problems, total)
        raise _nothing(tree, options)
    images, failed, failures = _decode(tree, listing, options)
    problems += failures
    handle(problems, total, unit, options.on_error)
    gone = set(failed)
    rows = [row for i, row in enumerate(listing.rows) if i not in gone]
    return _bunch(tree, replace(listing, rows=rows), images, problems, options)


def _bunch(
    tree: Tree, listing: Listing, images: np.ndarray, problems: list[Problem], options: Options
) -> Any:
    columns = listing.columns()
    if listing.derive is not None:
        columns |= listing.derive(images)
    bunch = make_bunch(
        images,
        listing.target,
        target_names=listing.target_names,
        descr=listing.descr,
        columns=columns,
        wide=listing.wide,
        as_frame=options.as_frame,
        group_kind=None if columns["groups"] is None else listing.group_kind,
        root=str(tree.root),
        skipped=[tuple(problem) for problem in problems],
    )
    return (bunch.data, bunch.target) if options.return_X_y else bunch


def _nothing(tree: Tree, options: Options) -> DatasetError:
    given = {"classes": options.classes, "subset": options.subset}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    where = f" with {' and '.join(f'{{{name}=}}' for name in chosen)}" if chosen else ""
    return DatasetError(f"no pictures{where} found in {{root=}}.", root=str(tree.root), **chosen)


def _decode(
    tree: Tree, listing: Listing, options: Options
) -> tuple[np.ndarray, list[int], list[Problem]]:
    """Return the images, the numbers of those that failed, and why."""
    cache = _cache(tree, listing, options)
    if cache is not None:
        found = cache.load()
        # A cache that left files out serves only those who ask for that.
        if found is not None and (options.on_error == "skip" or not found[2]):
            return found
    size = check_image_size(options.image_size)
    names = [place_of(row) for row in listing.rows]
    read_row = _numbered_reader(tree, listing, size, options.color)
    shape = first_shape(names, read_row) if size is None else image_shape(size, options.color)
    chunks = decode_chunks(read_row, names, shape, n_jobs=options.n_jobs, verbose=options.verbose)
    if cache is None:
        return gather(chunks, shape, len(names))
    if options.on_error == "raise":
        chunks = _raising(chunks, len(names), listing.layout.unit)
    return cache.write(chunks, shape, {"name": listing.name, "root": str(tree.root)})


def _numbered_reader(
    tree: Tree, listing: Listing, size: tuple[int, int] | None, color: bool
) -> Callable[[int], np.ndarray]:
    """Return what reads the picture of row i."""
    read = listing.read or reader(tree)
    conflicts = conflicting_copies(tree, listing.rows) if listing.is_own else {}

    def read_row(i: int) -> np.ndarray:
        image = read(listing.rows[i], size, color)
        if i in conflicts:  # not before: pages of a refused download are all alike
            raise PictureError(conflicts[i])
        return image

    return read_row


def find_broken(
    tree: Tree, listing: Listing, *, n_jobs: int | None, verbose: bool | int
) -> list[Problem]:
    """Return the pictures that are there and cannot be decoded, and why.

    First those that the loader reads, as it reads them; then all others in the folder, such as the
    other frames of sequences.
    """
    rows = listing.rows
    if listing.sources is None:
        rows = [row for row in rows if os.path.isfile(tree.path(row.name))]
    listing = replace(listing, rows=rows)
    names = [place_of(row) for row in rows]
    known = {row.name for row in rows}.union(listing.unlisted)
    others = [name for name in tree.pictures()[0] if name not in known]
    read_row = _numbered_reader(tree, listing, _CHECKED_SIZE, False)

    def read(i: int) -> np.ndarray:
        if i < len(names):
            return read_row(i)
        return read_picture(tree.path(others[i - len(names)]), _CHECKED_SIZE, False)

    places = [*names, *others]
    chunks = decode_chunks(read, places, _CHECKED_SIZE, n_jobs=n_jobs, verbose=verbose)
    return [problem for chunk in chunks for problem in chunk.problems]


def reader(tree: Tree) -> RowReader:
    """Return what reads the pictures that are files, as they are."""

    def read(row: Row, size: tuple[int, int] | None, color: bool) -> np.ndarray:
        return read_picture(tree.path(row.name), size, color)

    return read


def _cache(tree: Tree, listing: Listing, options: Options) -> Cache | None:
    if options.cache_dir is None:
        return None
    size = check_image_size(options.image_size)
    parts = [f"size={size} color={bool(options.color)}", listing.reader_key]
    names = [row.name for row in listing.rows]
    files = fingerprint(tree.root, listing.files)
    return Cache(options.cache_dir, listing.name, [*parts, *names, *files])


def _raising(chunks: Iterable[Chunk], total: int, unit: str) -> Iterator[Chunk]:
    """Pass the chunks on and raise at the end if anything failed: no cache of a faulty set."""
    problems: list[Problem] = []
    for chunk in chunks:
        problems += chunk.problems
        yield chunk
    handle(problems, total, unit, "raise")
