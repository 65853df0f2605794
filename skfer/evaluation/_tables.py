"""Tables as text, Markdown, LaTeX or CSV."""

import csv
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from skfer.evaluation._names import STYLES
from skfer.exceptions import ArgumentError
from skfer.validation import as_list, refusal, shown

_MARKS = ("Mn", "Me")  # drawn over the character before them
_IN_LATEX = str.maketrans(
    {character: "\\" + character for character in "&%#_${}"}
    | {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
    | {"±": r"$\pm$"}
)


class Cell(NamedTuple):
    """A number of a table, with its spread or error where it has one.

    Parameters
    ----------
    value : float or None
        None is shown as a dash.
    spread : float, default=None
        Shown after a ±.
    form : str, default=".3f"
        How both are written.
    unit : str, default=""
        Written after the number.

    See Also
    --------
    Table : What it is a part of.

    Examples
    --------
    >>> from skfer.evaluation import Cell
    >>> Cell(0.75, 0.02).value
    0.75
    """

    value: float | None
    spread: float | None = None
    form: str = ".3f"
    unit: str = ""

    def __str__(self) -> str:
        if self.value is None:
            return "-"
        spread = "" if self.spread is None else f" ± {self.spread:{self.form.lstrip('+')}}"
        return f"{self.value:{self.form}}{spread}{self.unit}"


@dataclass(frozen=True)
class Table:
    """Named rows of numbers.

    Parameters
    ----------
    title : str
        What it shows.
    columns : sequence of str
        Heads of the columns.
    rows : sequence of (str, sequence of Cell)
        The name of each row, and a cell for each column.

    Raises
    ------
    ArgumentError
        If a row has more or fewer cells than there are columns.

    See Also
    --------
    format_tables : Writes tables.
    comparison_tables : Makes all of a comparison.

    Examples
    --------
    >>> from skfer.evaluation import Cell, Table, format_tables
    >>> table = Table("Scores", ["accuracy"], [("pca", [Cell(0.5)]), ("gaussian", [Cell(0.75)])])
    >>> "gaussian" in format_tables([table])
    True
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]

    def __post_init__(self) -> None:
        for name, cells in self.rows:
            if len(cells) != len(self.columns):
                raise ArgumentError(
                    "{rows}: the row {} must have a cell for each of {} columns, got {}.",
                    repr(name),
                    len(self.columns),
                    len(cells),
                )


def format_tables(tables: Sequence[Table], style: str = "text") -> str:
    """Write tables one after the other.

    Parameters
    ----------
    tables : sequence of Table
        What to write.
    style : {"text", "markdown", "latex", "csv"}, default="text"
        LaTeX needs the package booktabs. CSV is one table in all, with a line for each cell:
        table, row, column, value, spread.

    Returns
    -------
    str
        Without a line end at its end.

    Raises
    ------
    ArgumentError
        If the style is unknown.

    See Also
    --------
    comparison_tables : Makes tables.

    Examples
    --------
    >>> from skfer.evaluation import Cell, Table, format_tables
    >>> table = Table("accuracy", ["anger", "joy"], [("pca", [Cell(0.5), Cell(0.25, 0.1)])])
    >>> print(format_tables([table], "markdown"))
    **accuracy**
    <BLANKLINE>
    |     | anger |           joy |
    | :-- | ----: | ------------: |
    | pca | 0.500 | 0.250 ± 0.100 |
    """
    strange = [table for table in as_list(tables, "tables") if not isinstance(table, Table)]
    if strange:
        raise refusal("tables", "must hold tables, got {}.", shown(strange[0]))
    if not isinstance(style, str) or style not in STYLES:
        known = ", ".join(STYLES)
        raise ArgumentError("{style=} is unknown: give one of {}.", known, style=style)
    if style == "csv":
        return _as_csv(tables)
    write = {"text": _as_text, "markdown": _as_markdown, "latex": _as_latex}[style]
    return "\n\n".join(write(table) for table in tables)


def _cells(table: Table) -> list[list[str]]:
    body = [[_in_a_line(name), *map(str, cells)] for name, cells in table.rows]
    return [["", *map(_in_a_line, table.columns)], *body]


def _in_a_line(text: str) -> str:
    """Return a name with what would end its line, or move a cursor, as an escape sequence."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes.

    Parameters
    ----------
    text : str
        In one line.

    Returns
    -------
    int
        Chinese, Japanese and Korean characters take two columns, and accents of their own none.
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(c) in _MARKS else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def padded(text: str, width: int, *, left: bool = False) -> str:
    """Fill a text up to some columns of a terminal.

    Parameters
    ----------
    text : str
        In one line.
    width : int
        Columns that it is to take.
    left : bool, default=False
        Whether the spaces are before it.

    Returns
    -------
    str
        The text itself, if it takes as many or more.
    """
    space = " " * (width - width_of(text))
    return space + text if left else text + space


def _justified(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    """Pad cells to the width of their column: the first to the left, numbers to the right."""
    widths = [max(map(width_of, column)) for column in zip(*lines, strict=True)]
    return [
        [
            padded(cell, width, left=i > 0)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]


def _as_text(table: Table) -> str:
    lines = ["  ".join(line).rstrip() for line in _justified(_cells(table))]
    rule = "-" * max(map(width_of, lines))
    return "\n".join([_in_a_line(table.title), lines[0], rule, *lines[1:]])


def _as_markdown(table: Table) -> str:
    cells = [[cell.replace("|", r"\|") for cell in line] for line in _cells(table)]
    head, *body = _justified(cells)
    rule = [
        ":" + "-" * max(width_of(cell) - 1, 2) if i == 0 else "-" * (width_of(cell) - 1) + ":"
        for i, cell in enumerate(head)
    ]
    lines = [f"| {' | '.join(line)} |" for line in (head, rule, *body)]
    return "\n".join([f"**{_in_a_line(table.title)}**", "", *lines])


def _as_latex(table: Table) -> str:
    head, *body = _cells(table)
    lines = [" & ".join(map(_escaped, line)) + r" \\" for line in (head, *body)]
    columns = "l" + "r" * len(table.columns)
    return "\n".join(
        [
            f"% {_in_a_line(table.title)}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _escaped(text: str) -> str:
    return text.translate(_IN_LATEX)


def _as_csv(tables: Sequence[Table]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "row", "column", "value", "spread"])
    for table in tables:
        for name, cells in table.rows:
            for column, cell in zip(table.columns, cells, strict=True):
                numbers = ["" if n is None else f"{n:.6g}" for n in (cell.value, cell.spread)]
                writer.writerow([table.title, name, column, *numbers])
    return out.getvalue().rstrip("\n")
