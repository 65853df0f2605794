"""A table (CSV) that names the file, the class and the group of each picture."""

import functools
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from skfer.datasets._copies import without_links
from skfer.datasets._csv import find_delimiter, read_cells
from skfer.datasets._extra import check_extra_columns, extra_values
from skfer.datasets._groups import classes_as_groups, similar_groups
from skfer.datasets._labels import canonical, encode, rename_classes
from skfer.datasets._listing import Layout, Listing
from skfer.datasets._loading import Options
from skfer.datasets._photographs import Detector, load_detected
from skfer.datasets._rows import PARTS, Row, without_copies
from skfer.datasets._tree import MissingPathError, Tree, inside
from skfer.exceptions import ArgumentError
from skfer.pictures import EXTENSIONS, DatasetError, DatasetWarning, Problem
from skfer.validation import is_missing

LAYOUT = Layout("a table of files and their classes", unit="rows")
_PIXELS = re.compile(r"\s*[0-9]+(\s+[0-9]+){15,}\s*$")
_DESCR = """\
Pictures from a table
---------------------

Files and labels from {csv}, pictures from {root}.
"""


class Columns(NamedTuple):
    """The columns of a table that are read; None for one that it does not have."""

    file: str
    label: str
    group: str | None = None
    split: str | None = None
    subgroup: str | None = None
    extra: tuple[str, ...] = ()

    def roles(self) -> dict[str, str | None]:
        """Return the columns that are given one by one, by the parameters that name them."""
        return {f"{role}_column": getattr(self, role) for role in self._fields if role != "extra"}

    def needed(self) -> list[tuple[str, str]]:
        """Return the parameter and the name of each column that the table must have."""
        one_by_one = [(role, name) for role, name in self.roles().items() if name is not None]
        return one_by_one + [("extra_columns", name) for name in self.extra]


class _Line(NamedTuple):
    """A row of a table and where it stands."""

    place: str
    cells: dict[str, str]
    surplus: str = ""  # what stands beyond the last column

    def cell(self, column: str | None) -> str:
        """Return what a cell says, "" for a missing value."""
        said = "" if column is None else self.cells.get(column, "").strip()
        return "" if is_missing(said) else said


def load_image_table(
    csv: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    file_column: str = "file",
    label_column: str = "label",
    group_column: str | None = None,
    split_column: str | None = None,
    subgroup_column: str | None = None,
    extra_columns: Iterable[str] = (),
    image_size: int | tuple[int, int] | None = 48,
    color: bool = False,
    classes: Iterable[str] | None = None,
    class_names: Mapping[Any, str] | None = None,
    subset: str | Iterable[str] | None = None,
    detector: Detector = None,
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
        The columns of the file name and of the class. Missing labels are -1, with a warning;
        "unlabeled", or -1 beside at least two other labels, is -1 on purpose.
    group_column : str, default=None
        The column of the group, such as the person shown. A row without one is faulty.
    split_column : str, default=None
        The column of the official part. The usual words for them, such as "Training", "val" or
        "PublicTest", become "train", "validation" and "test"; others stay as they are.
    subgroup_column : str, default=None
        The column of a subgroup to be told apart in reports, such as age or skin tone: the Bunch
        has it as `subgroup`, "" where a row has none.
    extra_columns : iterable of str, default=()
        Columns that the Bunch, and `frame`, are to have by their own names, such as valence, or
        how many people voted for a class: numbers, NaN where a row has none, if a column holds
        nothing else, and words otherwise, "" where a row has none.
    image_size : int or (height, width), default=48
        Every picture is resized to exactly this many pixels (its aspect ratio is not kept). None
        keeps the size, which must then be the same for all.
    color : bool, default=False
        RGB instead of gray.
    classes : iterable of str, default=None
        Load these classes only. They keep their codes.
    class_names : mapping of str or int to str, default=None
        Names for classes, by what the table calls them, such as ``{1: "surprise"}`` where those
        are numbers. Others keep their names.
    subset : str or iterable of str, default=None
        Load these official parts only; of a table without them, these groups.
    detector : FaceDetector, callable or "default", default=None
        The pictures are photographs, of which the largest face is cut out (see
        :class:`skfer.preprocessing.FaceAligner`). One without a face cannot be used; a warning
        names those with several. "default" needs the extra ``detect``.
    cache_dir : str or path-like, default=None
        Keep the decoded pictures in this folder and open them memory-mapped, at once, the next
        time. A changed file or parameter makes a new cache; old ones may be deleted.
    n_jobs : int, default=None
        Threads that decode, as in joblib: None is 1, -1 all cores.
    on_error : {"raise", "skip"}, default="raise"
        Whether a missing, truncated or foreign file or a faulty row is an error or is left out
        with a warning and listed in `skipped`. The first few and the total are told in either
        case. Of rows that name one file twice the first is kept if their labels agree, else none.
        Missing values are those of :func:`pandas.read_csv`: empty, "NA", "nan", "None" ...
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
        from their columns, or None. Where all labels are whole numbers from 0 to 99, they are the
        codes, and the names are these numbers: nobody knows which expressions they mean.
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

    See Also
    --------
    load_image_folder : A folder for each class.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from skfer.datasets import load_image_table
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for i, name in enumerate(["a.png", "b.png"]):
    ...         Image.new("L", (32, 32), i).save(os.path.join(root, name))
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
        subset=subset,
        cache_dir=cache_dir,
        n_jobs=n_jobs,
        on_error=on_error,
        return_X_y=return_X_y,
        as_frame=as_frame,
        verbose=verbose,
    )
    columns = Columns(
        file_column,
        label_column,
        group_column,
        split_column,
        subgroup_column,
        check_extra_columns(extra_columns),
    )
    _check_arguments(csv, columns)
    path = Path(csv)
    if not os.path.exists(path):  # first: the error should not be about its folder
        raise MissingPathError("{csv=} does not exist.", csv=str(csv))
    lister = functools.partial(list_table, csv=path, columns=columns, class_names=class_names)
    return load_detected(path.parent if root is None else root, lister, options, detector)


def _check_arguments(csv: Any, columns: Columns) -> None:
    if not isinstance(csv, str | os.PathLike):
        raise ArgumentError(
            "{csv} is a {}, not the path of a table: save it first.", type(csv).__name__
        )
    for name, column in columns.roles().items():
        is_needed = name in ("file_column", "label_column")
        if not (isinstance(column, str) or (column is None and not is_needed)):
            raise ArgumentError(f"{{{name}=}} is not the name of a column.", **{name: column})


def list_table(
    tree: Tree, *, csv: Path, columns: Columns, class_names: Mapping[Any, str] | None = None
) -> Listing:
    """Return the pictures that a table lists, unread."""
    rows: list[Row] = []
    problems: list[Problem] = []
    lines = _read_lines(csv, columns)
    if not lines:
        raise DatasetError("{csv=} lists no pictures: it has a header and no rows.", csv=str(csv))
    _check_first(csv, lines[0], columns)
    values = extra_values(columns.extra, [line.cells for line in lines])
    for line, extra in zip(lines, values, strict=True):
        try:
            rows.append(_row(tree, line, columns, extra))
        except ValueError as error:
            problems.append(Problem(line.place, str(error)))
    names = tree.as_on_disk([row.name for row in rows])
    labels, slips = rename_classes([row.label for row in rows], class_names)
    rows = [
        row._replace(name=name, label=label)
        for row, name, label in zip(rows, names, labels, strict=True)
    ]
    rows, repeated = without_copies(rows, label=_said_of)
    rows, linked = without_links(tree, rows)
    codes, target_names = encode(row.label for row in rows)
    return Listing(
        name="table",
        descr=_DESCR.format(csv=csv, root=tree.root),
        layout=LAYOUT,
        rows=[row._replace(place=f"{row.place} ({row.name})") for row in rows],
        problems=problems + repeated + linked,
        codes=codes,
        target_names=target_names,
        warnings=[
            *slips,
            *_unlabeled(csv, rows, columns),
            *classes_as_groups(rows),
            *similar_groups(rows),
        ],
        is_own=True,
        extra=columns.extra if columns.subgroup is None else ("subgroup", *columns.extra),
    )


def _check_first(csv: Path, line: _Line, columns: Columns) -> None:
    """Raise if the columns hold something else than words and names of files."""
    if columns.label == "target" and "expression" in line.cells:
        # As `as_frame=True` writes them: numbers alone do not tell what they mean.
        raise DatasetError(
            "{csv=} has codes in the column 'target', and the words for them in 'expression': "
            "give {label_column='expression'}.",
            csv=str(csv),
        )
    if _PIXELS.match(line.cells.get(columns.file, "")):
        raise DatasetError(
            "{csv=} holds pictures as numbers of pixels in the column {}, and this reads names of "
            "files: load_fer2013 reads the table of FER2013; save others as pictures.",
            repr(columns.file),
            csv=str(csv),
        )


def _said_of(row: Row) -> str:
    """Return all that a row says of its picture: two rows that differ contradict each other."""
    person = f" of {row.group}" if row.group else ""
    return canonical(row.label) + person + (f" in {row.part}" if row.part else "")


def _unlabeled(csv: Path, rows: Sequence[Row], columns: Columns) -> list[Warning]:
    """Return a warning if labels are missing, which may be a mistake."""
    count = sum(not row.label for row in rows)
    if not count:
        return []
    text = (
        "{csv=}: {} of {} rows have no label in the column {}: they are loaded as unlabeled (-1). "
        "Write 'unlabeled' there if that is meant."
    )
    return [DatasetWarning(text, f"{count:,}", f"{len(rows):,}", repr(columns.label), csv=str(csv))]


def _row(tree: Tree, line: _Line, columns: Columns, extra: tuple[Any, ...]) -> Row:
    """Return the picture of a line, or raise ValueError."""
    if columns.label not in line.cells or columns.file not in line.cells:
        raise ValueError("fewer cells than the header has names")
    if line.surplus:
        raise ValueError(
            f"more cells than the header has names, {line.surplus!r} being the first: put a cell "
            "that holds a separator into double quotes"
        )
    label = line.cell(columns.label)
    group = unicodedata.normalize("NFC", line.cell(columns.group))  # or one person would be two
    name = _file_name(tree, line.cell(columns.file), label)
    if columns.group is not None and not group:
        # Otherwise all unknown persons would be one person.
        raise ValueError(f"no group in the column {columns.group!r}{_if_a_name(line, columns)}")
    if columns.subgroup is not None:
        extra = (line.cell(columns.subgroup), *extra)
    part = line.cell(columns.split)
    return Row(name, label, PARTS.get(part.lower(), part), group, place=line.place, extra=extra)


def _if_a_name(line: _Line, columns: Columns) -> str:
    named = line.cells.get(columns.group or "", "").strip() == "NA"
    return ", where 'NA' stands for no value: write 'Na' if it is a name" if named else ""


def _file_name(tree: Tree, given: str, label: str) -> str:
    """Return the name of a file relative to the folder, or raise ValueError."""
    if not given:
        raise ValueError(f"a label ({label!r}) with no file")
    root = os.path.abspath(tree.root)
    if os.path.isabs(given) and Path(given).is_relative_to(root):
        given = os.path.relpath(given, root)
    name = inside(given)
    if name is None:
        raise ValueError(f"{given!r} leads out of root")
    return name


def _read_lines(csv: Path, columns: Columns) -> list[_Line]:
    """Return the rows of a table, which must have the columns."""
    cells = read_cells(csv, delimiter=find_delimiter(csv), strict=True)
    header = next((row for _, row in cells if _may_be_header(row)), [])
    header = [name.strip() for name in header]
    _check_columns(csv, header, columns.needed())
    return [
        _Line(
            f"{csv.name}, line {line}",
            dict(zip(header, row, strict=False)),
            next(filter(None, map(str.strip, row[len(header) :])), ""),
        )
        for line, row in cells
        if any(cell.strip() for cell in row)
    ]


def _may_be_header(row: Sequence[str]) -> bool:
    """Whether a row is neither blank nor a note of what separates cells, as of Excel."""
    return any(cell.strip() for cell in row) and row[0].strip().lower() != "sep="


def _check_columns(csv: Path, header: Sequence[str], needed: Sequence[tuple[str, str]]) -> None:
    missing = {name: parameter for parameter, name in needed if name not in header}
    if missing and any(word.lower().endswith(EXTENSIONS) for word in " ".join(header).split()):
        raise DatasetError(
            "{csv=} has no header line: its first line is {}. Write the names of the columns above "
            "it, and between all cells commas, semicolons, tabs or bars, not spaces.",
            repr(" ".join(header)),
            csv=str(csv),
        )
    if missing:
        wanted = " and ".join(f"{{{parameter}}}" for parameter in dict.fromkeys(missing.values()))
        raise DatasetError(
            f"{{csv=}} has no column {{}}; its columns are {{}}. Give {wanted}.",
            ", ".join(map(repr, missing)),
            ", ".join(map(repr, header)) or "none (an empty file)",
            csv=str(csv),
        )
    repeated = sorted({name for _, name in needed if header.count(name) > 1})
    if repeated:
        raise DatasetError(
            "{csv=} has the column {} more than once.", repr(repeated[0]), csv=str(csv)
        )
