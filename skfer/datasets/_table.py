"""A table (CSV) that names the file, the class and the group of each picture."""

import os
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skfer.datasets._csv import read_cells
from skfer.datasets._labels import canonical, encode
from skfer.datasets._listing import Listing, MissingPathError, Options, check_root, load
from skfer.exceptions import ArgumentError
from skfer.pictures import DatasetError, Problem, drop_repeats

# The parameters that name the columns.
_PARAMETERS = {
    "file": "file_column",
    "label": "label_column",
    "groups": "group_column",
    "split": "split_column",
}
_DELIMITERS = ",;\t|"
_DESCR = """\
Pictures from a table
---------------------

Files and labels from {csv}, pictures from {root}.
"""


class Row(NamedTuple):
    """A row of a table and where it stands."""

    line: int
    cells: dict[str, str]


def load_image_table(
    csv: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    file_column: str = "file",
    label_column: str = "label",
    group_column: str | None = None,
    split_column: str | None = None,
    image_size: int | tuple[int, int] | None = 48,
    color: bool = False,
    classes: Iterable[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    on_error: str = "raise",
    return_X_y: bool = False,
    as_frame: bool = False,
    verbose: bool | int = False,
) -> Any:
    r"""Load pictures that a table lists with their class and group.

    The table has a header line and is separated by commas, semicolons, tabs or bars; UTF-8, with
    any line ends.

    Parameters
    ----------
    csv : str or path-like
        The table.
    root : str or path-like, default=None
        The folder that file names start from; None is the table's own folder. A name that leads
        out of it (``..`` or an absolute path elsewhere) is refused.
    file_column, label_column : str, default="file", "label"
        The columns of the file name and of the class. An empty label is no label: -1.
    group_column : str, default=None
        The column of the group, such as the person shown. A row without one is faulty.
    split_column : str, default=None
        The column of the official part, such as train or test.
    image_size : int or (height, width), default=48
        Every picture is resized to exactly this many pixels (its aspect ratio is not kept). None
        keeps the size, which must then be the same for all.
    color : bool, default=False
        RGB instead of grey.
    classes : iterable of str, default=None
        Load these classes only. They keep their codes.
    cache_dir : str or path-like, default=None
        Keep the decoded pictures in this folder and open them memory-mapped, at once, the next
        time. A changed file or parameter makes a new cache; old ones may be deleted.
    n_jobs : int, default=None
        Threads that decode, as in joblib: None is 1, -1 all cores.
    on_error : {"raise", "skip"}, default="raise"
        Whether a missing, truncated or foreign file or a faulty row is an error or is left out
        with a warning and listed in `skipped`. The first few and the total are told in either
        case. Of rows that name one file twice the first is kept if their labels agree, else none.
    return_X_y : bool, default=False
        Return `(data, target)` instead of a Bunch.
    as_frame : bool, default=False
        Add `frame`, a pandas DataFrame with a row for each picture, without its pixels.
    verbose : bool or int, default=False
        Show a progress bar on stderr.

    Returns
    -------
    faces : :class:`~sklearn.utils.Bunch`
        As :func:`load_image_folder` returns it, in the table's order, with `groups` and `split`
        from their columns, or None. Labels that are whole numbers are names like others: their
        codes are positions in their sorted order.
    (data, target) : tuple
        With `return_X_y=True`.

    Raises
    ------
    DatasetError
        Faulty rows, files that cannot be used, an unknown column, or pictures that differ in size
        while `image_size` is None.
    FileNotFoundError, NotADirectoryError
        The table or `root` does not exist.
    ValueError
        An argument makes no sense.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from skfer.datasets import load_image_table
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("a.png", "b.png"):
    ...         Image.new("L", (32, 32)).save(os.path.join(root, name))
    ...     table = os.path.join(root, "labels.csv")
    ...     with open(table, "w") as file:
    ...         _ = file.write("file,label,person\na.png,fear,Ann\nb.png,anger,Bob\n")
    ...     faces = load_image_table(table, group_column="person")
    >>> faces.target.tolist(), faces.groups.tolist(), faces.images.shape
    ([3, 0], ['Ann', 'Bob'], (2, 48, 48))
    """
    options = Options(
        image_size=image_size,
        color=color,
        classes=classes,
        cache_dir=cache_dir,
        n_jobs=n_jobs,
        on_error=on_error,
        return_X_y=return_X_y,
        as_frame=as_frame,
        verbose=verbose,
    )
    _check_arguments(csv, file_column, label_column)
    path = Path(csv)
    folder = check_root(path.parent if root is None else root)
    columns = {"label": label_column, "groups": group_column, "split": split_column}
    return load(list_table(path, folder, file_column, columns), options)


def _check_arguments(csv: Any, file_column: Any, label_column: Any) -> None:
    if not isinstance(csv, str | os.PathLike):
        raise ArgumentError(
            "{csv} is a {}, not the path of a table: save it first.", type(csv).__name__
        )
    for name, column in (("file_column", file_column), ("label_column", label_column)):
        if not isinstance(column, str):
            raise ArgumentError(f"{{{name}=}} is not the name of a column.", **{name: column})


def list_table(csv: Path, root: Path, file_column: str, columns: dict[str, str | None]) -> Listing:
    """Return the pictures that a table lists, unread."""
    used = {role: name for role, name in columns.items() if name is not None}
    rows = read_rows(csv, {"file": file_column, **used})
    if not rows:
        raise DatasetError("{csv=} lists no pictures: it has a header and no rows.", csv=str(csv))
    kept, problems = _usable(rows, csv.name, root, file_column, used)
    target, target_names = encode([row.cells[used["label"]] for row, _ in kept])
    given = {
        role: [row.cells.get(name, "").strip() for row, _ in kept] for role, name in used.items()
    }
    return Listing(
        name="table",
        root=root,
        filenames=[name for _, name in kept],
        target=target,
        target_names=target_names,
        descr=_DESCR.format(csv=csv, root=root),
        unit="rows",
        columns={
            role: np.array(given[role], dtype=np.str_) if role in given else None
            for role in ("groups", "split")
        },
        problems=problems,
        where=[f"{_place(csv.name, row)} ({name})" for row, name in kept],
    )


def read_rows(csv: Path, needed: Mapping[str, str]) -> list[Row]:
    """Return the rows of a table that has the columns `needed`, with their line numbers."""
    if not csv.is_file():
        raise MissingPathError("{csv=} does not exist or is not a file.", csv=str(csv))
    with open(csv, "rb") as file:
        delimiter = _delimiter(file.readline().decode("utf-8", "replace"))
    lines = read_cells(csv, delimiter=delimiter, strict=True)
    header = [name.strip() for name in next(lines, (1, []))[1]]
    _check_columns(csv, header, needed)
    return [
        Row(line, dict(zip(header, cells, strict=False)))
        for line, cells in lines
        if any(cell.strip() for cell in cells)
    ]


def inside(name: str) -> str | None:
    """Return a relative file name in normal form, or None if it leads out of its folder."""
    plain = posixpath.normpath(name.strip().replace("\\", "/"))
    outside = plain.startswith(("../", "/")) or plain in ("..", ".") or plain[1:2] == ":"
    return None if outside or "\0" in plain else plain


def _usable(
    rows: Sequence[Row], csv_name: str, root: Path, file_column: str, used: Mapping[str, str]
) -> tuple[list[tuple[Row, str]], list[Problem]]:
    """Return the rows that can be used with their file names, and what ails the others."""
    named: list[tuple[Row, str]] = []
    problems: list[Problem] = []
    for row in rows:
        name, fault = _file_name(row, root, file_column, used["label"])
        group = used.get("groups")
        if fault is None and group is not None and not row.cells.get(group, "").strip():
            # Else all whom nobody knows would be one person.
            fault = f"no group in the column {group!r}"
        if fault is None:
            named.append((row, name))
        else:
            problems.append(Problem(_place(csv_name, row), fault))
    kept, repeated = drop_repeats(
        [name for _, name in named],
        [canonical(row.cells[used["label"]]) for row, _ in named],
        [_place(csv_name, row) for row, _ in named],
    )
    return [named[i] for i in kept], problems + repeated


def _place(csv_name: str, row: Row) -> str:
    return f"{csv_name}, line {row.line}"


def _file_name(row: Row, root: Path, file_column: str, label_column: str) -> tuple[str, str | None]:
    """Return the row's file name relative to root and what ails it, if anything."""
    given = row.cells.get(file_column, "").strip()
    if label_column not in row.cells or file_column not in row.cells:
        return "", "fewer cells than the header has names"
    if not given:
        return "", f"a label ({row.cells[label_column]!r}) with no file"
    if os.path.isabs(given) and Path(given).is_relative_to(os.path.abspath(root)):
        given = os.path.relpath(given, os.path.abspath(root))
    name = inside(given)
    return ("", f"{given!r} leads out of root") if name is None else (name, None)


def _delimiter(header_line: str) -> str:
    return max(_DELIMITERS, key=header_line.count)


def _check_columns(csv: Path, header: Sequence[str], needed: Mapping[str, str]) -> None:
    missing = {role: name for role, name in needed.items() if name not in header}
    if missing:
        wanted = " and ".join(f"{{{_PARAMETERS[role]}}}" for role in missing)
        raise DatasetError(
            f"{{csv=}} has no column {{}}; its columns are {{}}. Give {wanted}.",
            ", ".join(map(repr, missing.values())),
            ", ".join(map(repr, header)) or "none (an empty file)",
            csv=str(csv),
        )
    repeated = sorted({name for name in needed.values() if header.count(name) > 1})
    if repeated:
        raise DatasetError(
            "{csv=} has the column {} more than once.", repr(repeated[0]), csv=str(csv)
        )
