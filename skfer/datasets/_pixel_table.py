"""Tables whose rows hold the pixels of a small gray picture as text, as FER2013 is handed on."""

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from skfer.datasets._aligned import resized
from skfer.datasets._classes import own_name
from skfer.datasets._csv import delimiter_of, open_table
from skfer.datasets._listing import RowReader
from skfer.datasets._rows import PARTS, Row
from skfer.datasets._tree import Tree
from skfer.pictures import DatasetError, PictureError, Problem, in_part

SIDE = 48  # pixels
# What the numbers of FER2013 mean, and how many faces its official parts have: FER+ has the same.
FER2013_CODES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
FER2013_PARTS = {"train": 28_709, "validation": 3_589, "test": 3_589}
_WHOLE = re.compile(r"^(\d+)\.0*$")  # as programs write a column of numbers that has gaps
Known = dict[bytes, int]  # numbers of the pixels seen so far


class PixelRow(NamedTuple):
    """A row of a table of pixels: its labels, and where its pixels are in the file."""

    line: int
    start: int  # of the line, in bytes
    emotion: str  # as written, without a decimal point, "" where the table has no such column
    usage: str  # in lower case, "" likewise
    group: int  # the same for rows of the same pixels


class PixelTable(NamedTuple):
    """What a table of pixels holds, without the pixels."""

    name: str  # relative to the folder of the set
    column: int  # of the pixels
    rows: list[PixelRow]
    delimiter: str = ","

    def place(self, row: PixelRow) -> str:
        """Return how a problem names a row."""
        return f"{own_name(self.name)}, line {row.line}"

    def named(self, row: PixelRow) -> Row:
        """Return a row as a picture without its labels."""
        name, place = f"{self.name}:{row.line}", self.place(row)
        return Row(name, group=row.group, place=place, at=row.start)


def read_pixel_table(
    tree: Tree, name: str, needed: Sequence[str] = ("pixels", "usage"), known: Known | None = None
) -> PixelTable:
    """Return a table that has the columns `needed`, in any order and case.

    It may hold 300 MB of digits: it is read line by line, and the pixels only where and when they
    are needed. `known` are the pixels of tables that are read together.
    """
    known = {} if known is None else known
    rows: list[PixelRow] = []
    with open_table(tree.path(name)) as file:
        first = file.readline()
        header, delimiter = _header(first), delimiter_of(first)
        missing = [column for column in needed if column not in header]
        if missing:
            raise DatasetError(
                "{} has no column {}.", tree.path(name), ", ".join(map(repr, missing))
            )
        pixels = header.index("pixels")
        start = len(first)
        for line, text in enumerate(file, 2):
            cells = _cells(text, delimiter)
            if any(cells):
                cells += [""] * (len(header) - len(cells))
                by_name = dict(zip(header, cells, strict=False))
                group = known.setdefault(_digest(cells[pixels]), len(known))
                usage = by_name.get("usage", "").lower()
                emotion = _WHOLE.sub(r"\1", by_name.get("emotion", ""))
                rows.append(PixelRow(line, start, emotion, usage, group))
            start += len(text)
    return PixelTable(name, pixels, rows, delimiter)


def labeled_rows(
    table: PixelTable, codes: Sequence[str], part: str = ""
) -> tuple[list[Row], list[Problem]]:
    """Return the pictures of a table, and what is wrong with its rows.

    `codes` are what the numbers in the column emotion mean; `part` is the official part of the
    whole table, where it has no column Usage.
    """
    labels = {str(number): word for number, word in enumerate(codes)}
    rows: list[Row] = []
    problems: list[Problem] = []
    for row in table.rows:
        own_part = part or PARTS.get(row.usage, "")
        if row.emotion not in labels:
            fault = f"emotion {row.emotion!r} is not a number from 0 to {len(codes) - 1}"
        elif not own_part:
            fault = f"Usage {row.usage!r} is none of Training, PublicTest and PrivateTest"
        else:
            named = table.named(row)
            rows.append(named._replace(label=labels[row.emotion], part=own_part))
            continue
        problems.append(in_part(Problem(table.place(row), fault), own_part))
    return rows, problems


def has_pixels(tree: Tree, name: str | None) -> bool:
    """Return whether a file is a table with a column of pixels."""
    if name is None:
        return False
    with open_table(tree.path(name)) as file:
        return "pixels" in _header(file.readline(2**16))


def pixel_reader(tree: Tree, *tables: PixelTable) -> RowReader:
    """Return what takes the pixels of a picture from its row in one of the tables."""
    by_name = {table.name: table for table in tables}

    def read(row: Row, size: tuple[int, int] | None, color: bool) -> np.ndarray:
        table = by_name[row.name.rpartition(":")[0]]
        with open_table(tree.path(table.name)) as file:
            file.seek(row.at)
            cells = _cells(file.readline(), table.delimiter)
        image = _image(cells[table.column] if len(cells) > table.column else "")
        image = np.repeat(image[:, :, None], 3, axis=2) if color else image
        return image if size in (None, (SIDE, SIDE)) else resized(image, size)

    return read


def number_alike(images: np.ndarray) -> dict[str, np.ndarray]:
    """Return groups: the same number for identical images, in order of first appearance."""
    known: Known = {}
    digests = (blake2b(image.tobytes(), digest_size=16).digest() for image in images)
    groups = [known.setdefault(digest, len(known)) for digest in digests]
    return {"groups": np.array(groups, dtype=np.int64)}


def _image(pixels: str) -> np.ndarray:
    try:
        values = bytes(map(int, pixels.split()))
    except ValueError:
        raise PictureError("pixels that are not numbers from 0 to 255") from None
    if len(values) != SIDE * SIDE:
        raise PictureError(f"{len(values)} pixels, not {SIDE * SIDE}")
    return np.frombuffer(values, dtype=np.uint8).reshape(SIDE, SIDE)


def _header(line: bytes) -> list[str]:
    return [name.lower() for name in _cells(line.removeprefix(b"\xef\xbb\xbf"), delimiter_of(line))]


def _cells(line: bytes, delimiter: str) -> list[str]:
    return [cell.strip().strip('"').strip() for cell in line.decode("latin-1").split(delimiter)]


def _digest(pixels: str) -> bytes:
    words = " ".join(pixels.split())
    return blake2b(words.encode("latin-1"), digest_size=16).digest()
