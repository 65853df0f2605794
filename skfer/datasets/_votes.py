"""Tables of votes by several people for the expression of each face, as FER+ is handed on."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from skfer._typing import ArrayLike
from skfer.datasets._csv import find_delimiter, read_cells
from skfer.datasets._labels import canonical
from skfer.datasets._rows import PARTS
from skfer.datasets._tree import Tree, plain
from skfer.datasets._vocabulary import EXPRESSION_CODES, EXPRESSIONS
from skfer.pictures import DatasetError
from skfer.validation import UNLABELED

VOTES = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
N_VOTERS = 10
# Column of VOTES for each code.
_ORDER = [VOTES.index(name) for name in EXPRESSIONS]
_KEYS = tuple(plain(name) for name in VOTES)
# What a header calls the other columns that are used.
_OTHERS = {"usage": "usage", "imagename": "name", "image": "name", "filename": "name"}


class VoteRow(NamedTuple):
    """A row of votes."""

    place: str  # table and line
    part: str  # "" if the table does not tell
    name: str  # of the picture, "" where there is no face
    votes: tuple[int, ...] | None  # None where they are unreadable
    fault: str = ""  # why


def read_votes(tree: Tree, name: str) -> list[VoteRow]:
    """Return the rows of fer2013new.csv or label.csv.

    A header tells which column is which. Without one the columns are in the published order:
    Usage (not in label.csv), name, perhaps the box of the face, ten votes.
    """
    rows: list[VoteRow] = []
    header: Mapping[str, int] | None = None
    first = True
    path = tree.path(name)
    for line, written in read_cells(path, delimiter=find_delimiter(path)):
        cells = [cell.strip() for cell in written]
        if not any(cells):
            continue
        if first and _is_header(cells):
            header = _columns(cells, f"{path!r}, line {line}")
        elif header is not None:
            rows.append(_row_by_header(f"{name}, line {line}", cells, header))
        else:
            rows.append(_row_in_order(f"{name}, line {line}", cells))
        first = False
    return rows


def _key(cell: str) -> str:
    """Return what a cell of a header is compared by: happy and Happiness are one."""
    return plain(canonical(cell))


def _is_header(cells: Sequence[str]) -> bool:
    known = {_key(cell) for cell in cells} & {*_KEYS, *_OTHERS}
    return bool(known) or not any(cell.isdecimal() for cell in cells)


def _columns(cells: Sequence[str], where: str) -> dict[str, int]:
    """Return which column is which; those of no known name are passed over."""
    columns: dict[str, int] = {}
    for i, cell in enumerate(cells):
        key = _OTHERS.get(_key(cell), _key(cell))
        if key in columns and key in (*_KEYS, *_OTHERS.values()):
            raise DatasetError("{}: the column {} is there more than once.", where, repr(cell))
        columns[key] = i
    wanted = {"name": "Image name", **dict(zip(_KEYS, VOTES, strict=True))}
    missing = [name for key, name in wanted.items() if key not in columns]
    if missing:
        raise DatasetError(
            "{}: no column {}; its columns are {}.",
            where,
            ", ".join(map(repr, missing)),
            ", ".join(map(repr, cells)),
        )
    return columns


def _row_by_header(place: str, cells: list[str], columns: Mapping[str, int]) -> VoteRow:
    by_key = {key: cells[i] for key, i in columns.items() if i < len(cells)}
    part = PARTS.get(by_key.get("usage", "").lower(), "")
    name = by_key.get("name", "")
    if len(by_key) < len(columns):
        what = f"{len(cells)} cells, fewer than the header has names"
        return VoteRow(place, part, name, None, what)
    return _row(place, part, name, [by_key[key] for key in _KEYS])


def _row_in_order(place: str, cells: list[str]) -> VoteRow:
    part = PARTS.get(cells[0].lower(), "")
    rest = cells[1:] if part else cells
    before, votes = rest[: -len(VOTES)], rest[-len(VOTES) :]
    box = " ".join(before[1:])
    if not before or (box and not (box[0] == "(" and box[-1] == ")")):
        what = f"{len(cells)} cells that are not a name and ten votes"
        return VoteRow(place, part, rest[0] if rest else "", None, what)
    return _row(place, part, before[0], votes)


def _row(place: str, part: str, name: str, votes: Sequence[str]) -> VoteRow:
    if not all(cell.isascii() and cell.isdigit() for cell in votes):
        return VoteRow(place, part, name, None, f"{','.join(votes)!r} are not votes")
    if any(len(cell) > 9 or int(cell) > N_VOTERS for cell in votes):
        what = f"{','.join(votes)!r} are more votes than the {N_VOTERS} people gave"
        return VoteRow(place, part, name, None, what)
    return VoteRow(place, part, name, tuple(map(int, votes)))


def majority(votes: ArrayLike) -> np.ndarray:
    """Return the code on which more than half agree, single votes dropped, or `UNLABELED`."""
    counts = _without_single(votes)
    top = counts.argmax(axis=1)
    agreed = 2 * counts.max(axis=1) > counts.sum(axis=1)
    codes = np.array([EXPRESSION_CODES.get(name, UNLABELED) for name in VOTES])
    return np.where(agreed, codes[top], UNLABELED)


def distribution(votes: ArrayLike) -> np.ndarray:
    """Return the share of each expression, nan where expressions are not more than half."""
    counts = _without_single(votes)
    emotions = counts[:, _ORDER]
    total = emotions.sum(axis=1, keepdims=True)
    mostly = 2 * total > counts.sum(axis=1, keepdims=True)
    return np.where(mostly, emotions / np.maximum(total, 1), np.nan)


def _without_single(votes: ArrayLike) -> np.ndarray:
    counts = np.asarray(votes)
    return np.where(counts > 1, counts, 0)
