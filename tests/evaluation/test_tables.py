"""Tables in every style, character by character."""

import csv
import io

import pytest

from skfer.evaluation import STYLES, Cell, Table, format_tables
from skfer.exceptions import ArgumentError

TABLE = Table(
    "accuracy",
    ["anger", "a_b & c"],
    [
        ("pca", [Cell(0.5), Cell(0.25, 0.1)]),
        ("gaussian", [Cell(None), Cell(12.0, form=".1f", unit=" s")]),
    ],
)
AS_TEXT = """\
accuracy
          anger        a_b & c
------------------------------
pca       0.500  0.250 ± 0.100
gaussian      -         12.0 s"""
AS_MARKDOWN = """\
**accuracy**

|          | anger |       a_b & c |
| :------- | ----: | ------------: |
| pca      | 0.500 | 0.250 ± 0.100 |
| gaussian |     - |        12.0 s |"""
AS_LATEX = r"""% accuracy
\begin{tabular}{lrr}
\toprule
 & anger & a\_b \& c \\
\midrule
pca & 0.500 & 0.250 $\pm$ 0.100 \\
gaussian & - & 12.0 s \\
\bottomrule
\end{tabular}"""
AS_CSV = """\
table,row,column,value,spread
accuracy,pca,anger,0.5,
accuracy,pca,a_b & c,0.25,0.1
accuracy,gaussian,anger,,
accuracy,gaussian,a_b & c,12,"""
WRITTEN = {"text": AS_TEXT, "markdown": AS_MARKDOWN, "latex": AS_LATEX, "csv": AS_CSV}


@pytest.mark.parametrize("style", STYLES)
def test_each_style(style):
    assert format_tables([TABLE], style) == WRITTEN[style]


@pytest.mark.parametrize("style", ["text", "markdown", "latex"])
def test_tables_follow_each_other(style):
    assert format_tables([TABLE, TABLE], style) == f"{WRITTEN[style]}\n\n{WRITTEN[style]}"


def test_csv_is_one_table():
    rows = list(csv.DictReader(io.StringIO(format_tables([TABLE, TABLE], "csv"))))
    assert len(rows) == 8
    assert float(rows[1]["spread"]) == 0.1


def test_signs_are_not_given_to_spreads():
    assert str(Cell(0.02, 0.01, form="+.3f")) == "+0.020 ± 0.010"


def test_unknown_style():
    with pytest.raises(ArgumentError, match="style='html' is unknown: give one of text, markdown"):
        format_tables([TABLE], "html")


def test_rows_of_another_length_are_refused():
    with pytest.raises(ArgumentError, match="the row 'pca' must have a cell for each of 2 columns"):
        Table("scores", ["a", "b"], [("pca", [Cell(0.5)])])


def test_bars_in_names_do_not_end_cells():
    table = Table("scores", ["a|b"], [("x|y", [Cell(0.5)])])
    *_, head, _, body = format_tables([table], "markdown").splitlines()
    assert head.count("|") - head.count(r"\|") == body.count("|") - body.count(r"\|") == 3


WIDE = Table(
    "scores",
    ["\u5feb\u4e50", "fear"],
    [("\u5feb\u4e50", [Cell(0.5), Cell(0.25)]), ("Zoe\u0308", [Cell(0.5), Cell(0.125)])],
)


def test_columns_are_straight_on_a_terminal():
    """Chinese characters take two columns there, and an accent of its own takes none."""
    assert format_tables([WIDE]).splitlines() == [
        "scores",
        "       \u5feb\u4e50   fear",
        "------------------",
        "\u5feb\u4e50  0.500  0.250",
        "Zoe\u0308   0.500  0.125",
    ]
    assert format_tables([WIDE], "markdown").splitlines()[2:] == [
        "|      |  \u5feb\u4e50 |  fear |",
        "| :--- | ----: | ----: |",
        "| \u5feb\u4e50 | 0.500 | 0.250 |",
        "| Zoe\u0308  | 0.500 | 0.125 |",
    ]


@pytest.mark.parametrize("style", ["text", "markdown", "latex"])
def test_a_row_is_a_line(style):
    plain = Table("title", ["column"], [("row", [Cell(0.5)])])
    broken = Table("ti\ntle", ["co\rl\x1bumn"], [("r\u2028ow", [Cell(0.5)])])
    written = format_tables([broken], style)
    assert len(written.splitlines()) == len(format_tables([plain], style).splitlines())
    assert "\x1b" not in written


def test_names_are_no_commands_of_latex():
    table = Table("scores", [r"\$^~"], [("{a}", [Cell(0.5, 0.1)])])
    lines = format_tables([table], "latex").splitlines()
    assert lines[3] == r" & \textbackslash{}\$\textasciicircum{}\textasciitilde{} \\"
    assert lines[5] == r"\{a\} & 0.500 $\pm$ 0.100 \\"
