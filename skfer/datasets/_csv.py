"""Reading tables so that what is wrong with one is told by file and line."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from skfer.pictures import DatasetError, fault_of, open_regular

_DELIMITERS = ",;\t|"
# What tables are kept in beside text, by the first bytes.
_OTHERS = {
    b"PK\x03\x04": "a workbook (such as .xlsx) or an archive",
    b"PAR1": "a parquet file",
    b"\x1f\x8b": "compressed by gzip",
    b"\xff\xfe": "a text in UTF-16",
    b"\xfe\xff": "a text in UTF-16",
}


def open_table(path: str | Path) -> io.BufferedReader:
    """Open a table for reading, or raise `DatasetError`: it may be a pipe or unreadable."""
    try:
        return io.BufferedReader(open_regular(path))
    except OSError as error:
        raise DatasetError("{} cannot be read: {}.", path, fault_of(error)) from error


def find_delimiter(path: str | Path) -> str:
    """Return what separates the cells of a table, by its first line."""
    with open_table(path) as file:
        line = file.readline(2**20)
        while line and not line.strip():
            line = file.readline(2**20)
        return delimiter_of(line)


def delimiter_of(line: bytes) -> str:
    """Return what separates the cells of a line, a comma if nothing does."""
    return max(_DELIMITERS, key=line.decode("utf-8", "replace").count)


def read_cells(
    path: str | Path, *, delimiter: str = ",", strict: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a table in UTF-8 with the line that each ends in."""
    line = 0
    try:
        with (
            open_table(path) as content,
            io.TextIOWrapper(content, encoding="utf-8-sig", newline="") as file,
        ):
            _refuse_other_formats(path, content.peek(4))
            # A quote after a comma and a space opens a cell, too.
            reader = csv.reader(file, delimiter=delimiter, strict=strict, skipinitialspace=True)
            for cells in reader:
                line = reader.line_num
                yield line, cells
    except csv.Error as error:
        where = f"{str(path)!r}, line {line + 1}"
        raise DatasetError("{}: not a row of a table: {}. Mend it.", where, error) from error
    except UnicodeDecodeError as error:
        where = f"{str(path)!r}, line {_first_foreign(path)}"
        raise DatasetError("{}: not in UTF-8. Save the table as UTF-8.", where) from error


def _refuse_other_formats(path: str | Path, start: bytes) -> None:
    kind = next((kind for magic, kind in _OTHERS.items() if start.startswith(magic)), None)
    if kind is not None:
        raise DatasetError("{}: {}. Save the table as CSV, in UTF-8.", repr(str(path)), kind)


def _first_foreign(path: str | Path) -> int:
    """Return the number of the first line that is not in UTF-8."""
    lines = Path(path).read_bytes().split(b"\n")
    return next(i for i, line in enumerate(lines, 1) if not _is_utf8(line))


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
