"""Pictures that are there twice under two classes: links, and copies byte for byte."""

import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from hashlib import blake2b

from skfer.datasets._labels import canonical
from skfer.datasets._rows import Row, without_copies
from skfer.datasets._tree import Tree
from skfer.pictures import Problem, open_regular

_BLOCK = 2**14  # bytes; most files that differ differ in the first or the last ones


def without_links(tree: Tree, rows: Sequence[Row]) -> tuple[list[Row], list[Problem]]:
    """Leave out further names of a file (links, hard links); none stays if the labels differ."""
    first: dict[Hashable, str] = {}
    for row in rows:
        first.setdefault(_identity(tree, row), row.name)
    return without_copies(
        rows, lambda row: first[_identity(tree, row)], lambda row: canonical(row.label)
    )


def conflicting_copies(tree: Tree, rows: Sequence[Row]) -> dict[int, str]:
    """Return what is wrong with pictures that have a copy of another class, by their numbers.

    Nobody knows which class is right, so each of them is a problem. Copies of one class, and
    those without a label, do not contradict each other.
    """
    labels = [canonical(row.label) for row in rows]
    faults: dict[int, str] = {}
    for alike in _alike(tree, rows):
        first = alike[0]
        other = next((i for i in alike if labels[i] not in ("", labels[first])), None)
        if not labels[first] or other is None:
            continue
        for i in alike:
            twin = first if labels[i] != labels[first] else other
            what = f"a copy of {rows[twin].name}, which has the label {labels[twin]!r}"
            faults[i] = f"{what} and not {labels[i]!r}"
    return faults


def _identity(tree: Tree, row: Row) -> Hashable:
    try:
        status = os.stat(tree.path(row.name))
    except OSError:
        return row.name
    return (status.st_dev, status.st_ino) if status.st_ino else row.name


def _alike(tree: Tree, rows: Sequence[Row]) -> list[list[int]]:
    """Return the numbers of files that are the same byte for byte, for each such group."""
    groups: list[list[int]] = [list(range(len(rows)))]
    for key in (_size, _ends, _content):
        groups = [group for several in groups for group in _grouped(several, tree, rows, key)]
    return groups


def _grouped(
    numbers: Iterable[int], tree: Tree, rows: Sequence[Row], key: Callable[[str], Hashable]
) -> list[list[int]]:
    """Return the numbers of rows whose files have the same key, where there are several."""
    found: dict[Hashable, list[int]] = defaultdict(list)
    for i in numbers:
        try:
            found[key(tree.path(rows[i].name))].append(i)
        except OSError:  # told when it is decoded
            continue
    return [group for group in found.values() if len(group) > 1]


def _size(path: str) -> int:
    return os.stat(path).st_size


def _ends(path: str) -> bytes:
    with open_regular(path) as file:
        start = file.read(_BLOCK)
        file.seek(max(os.fstat(file.fileno()).st_size - _BLOCK, 0))
        return blake2b(start + file.read(_BLOCK), digest_size=16).digest()


def _content(path: str) -> bytes:
    digest = blake2b(digest_size=16)
    with open_regular(path) as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.digest()
