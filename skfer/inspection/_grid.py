"""Pictures in rows and columns of one Axes, with titles and frames."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from skfer._typing import NDArray
from skfer.inspection._style import (
    RIGHT,
    WRONG,
    as_text,
    check_axes,
    inches_across,
    ink_of,
    letters_of,
    new_axes,
    pyplot,
    write_caption,
)

_GAP = 0.1  # between pictures, in widths of one
_LARGEST, _SMALLEST = 9.0, 4.0  # points of a title
_CHARACTER = 0.58  # width of one in heights of the font
_WIDEST = 16  # letters in a line of a title, before all of them become small


class FaceGrid:
    """A grid of pictures, the first row on top.

    All of it lies in one Axes, in units of a picture's width: so it fits wherever an Axes does, and
    hundreds of pictures are drawn at once.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Where to draw; new axes if None.
    n_rows, n_columns : int or float
        Size of the grid; a part of a column is a gap.
    titles : sequence of str
        All titles that will be given, by which their size is chosen.
    row_labels : sequence of str
        What stands to the left of the rows; none if empty.
    beside : float
        Inches that a figure of its own has beside the grid, whose pictures are an inch wide.
    """

    def __init__(
        self,
        ax: Any,
        n_rows: int,
        n_columns: float,
        *,
        titles: Sequence[str] = (),
        row_labels: Sequence[str] = (),
        beside: float = 0.0,
    ) -> None:
        lines = [_lines_of(text) for text in titles]
        labels = [as_text(line) for text in row_labels for line in text.split("\n")]
        if ax is not None:
            check_axes(ax)
        inches = 1.0 if ax is None else _cell_in(ax, n_rows, n_columns)
        self._frame_width = 3.0 * min(1.0, inches)
        label_lines = max((text.count("\n") + 1 for text in row_labels), default=0)
        self.font = _font_size(lines, label_lines, inches)
        n_lines = max(map(len, lines), default=0) if any(map(any, lines)) else 0
        line = 1.25 * self.font / 72 / inches
        self._descent = 0.2 * line  # of a letter below its line: titles stand on one line
        self.head = (n_lines * line + 0.05) if n_lines else 0.0
        self.pitch = (1 + _GAP, 1 + _GAP + self.head)
        longest = max(map(letters_of, labels), default=0)
        left = longest * _CHARACTER * self.font / 72 / inches + (0.15 if labels else 0)
        width = left + n_columns * self.pitch[0] - _GAP
        height = n_rows * self.pitch[1] - _GAP
        self.ax = new_axes(ax, width + beside, height + 0.3)
        self._has_own_figure = ax is None
        # For the caption: not quite to the edge, or as far as given axes go beside the grid.
        across = width * inches
        self._room = 0.95 * across if ax is None else (across + inches_across(ax)) / 2
        self.ink = ink_of(self.ax)
        self.images: list[Any] = []
        self.titles: list[Any] = []
        self.frames: list[Any] = []
        self.ax.set_axis_off()
        for row, label in enumerate(row_labels):
            told = [as_text(line) for line in label.split("\n")]
            self._text(-0.12, row * self.pitch[1] + self.head + 0.5, told, "right", "center")
        # Pictures move the limits and the aspect, so these are set at last, by `finish`.
        self._limits = (-left - 0.04, width - left + 0.04), (height + 0.04, -0.04)

    def add(
        self,
        row: float,
        column: float,
        image: NDArray[Any],
        title: str = "",
        frame: str | None = None,
        **options: Any,
    ) -> Any:
        """Draw a picture; a frame is "right", "wrong", "plain" or None."""
        x, y = column * self.pitch[0], row * self.pitch[1] + self.head
        height, width = np.shape(image)[:2]
        w, h = width / max(width, height), height / max(width, height)
        box = (x + (1 - w) / 2, y + (1 - h) / 2, w, h)
        if np.ndim(image) == 2:
            scale = {} if "norm" in options else {"vmin": 0, "vmax": 255}
            options = {"cmap": "gray"} | scale | options
        extent = (box[0], box[0] + w, box[1] + h, box[1])
        options = {"interpolation": "nearest"} | options | {"extent": extent}
        drawn = self.ax.imshow(image, **options)
        self.images.append(drawn)
        if title:
            self.titles.append(self._title(x, y, title))
        if frame is not None:
            self._frame(box, frame)
        return drawn

    def shorten(self, amount: float) -> None:
        """Take away what is left free below the last row, in widths of a picture."""
        across, (bottom, top) = self._limits
        self._limits = across, (bottom - amount, top)
        if self._has_own_figure:
            figure = self.ax.figure
            figure.set_figheight(figure.get_figheight() - amount)

    def finish(self, caption: str | None, default: str) -> Any:
        """Write the caption, or else the default in lines as wide as the grid; return the Axes."""
        write_caption(self.ax, caption, default, self._room)
        self.ax.set(xlim=self._limits[0], ylim=self._limits[1], aspect="equal")
        return self.ax

    def _title(self, x: float, y: float, text: str) -> Any:
        lines = _lines_of(text)
        return self._text(x + 0.5, y - 0.04 - self._descent, lines, "center", "baseline")

    def _text(self, x: float, y: float, lines: Sequence[str], across: str, up: str) -> Any:
        options = {"fontsize": self.font, "color": self.ink.text, "linespacing": 1.15}
        return self.ax.text(x, y, "\n".join(lines), ha=across, va=up, **options)

    def _frame(self, box: tuple[float, float, float, float], kind: str) -> None:
        from matplotlib.patches import Rectangle

        color = {"right": RIGHT, "wrong": WRONG}.get(kind, self.ink.text)
        options: dict[str, Any] = {"linewidth": self._frame_width, "linestyle": "-"}
        if kind == "wrong":  # seen without colors too
            options["linestyle"] = (0, (2.2, 1.2))
        rectangle = Rectangle(
            box[:2], box[2], box[3], fill=False, edgecolor=color, gid=kind, **options
        )
        self.frames.append(self.ax.add_patch(rectangle))


def _cell_in(ax: Any, n_rows: int, n_columns: float) -> float:
    """Width of a picture in inches, as far as it is known before the layout is made."""
    height = ax.get_position().height * ax.figure.bbox.height / ax.figure.dpi
    across = inches_across(ax) / (n_columns * (1 + _GAP))
    up = height / (n_rows * (1.3 + _GAP))
    return float(max(min(across, up), 0.05))


def _lines_of(title: str) -> list[str]:
    """Return a title in lines that are not much wider than a picture."""
    lines: list[str] = []
    for line in title.split("\n"):
        # Dollars are marked by what must not be taken from them.
        parts = textwrap.wrap(as_text(line).replace(r"\$", "$"), _WIDEST) or [""]
        lines += [part.replace("$", r"\$") for part in parts]
    return lines


def _font_size(titles: Sequence[Sequence[str]], label_lines: int, inches: float) -> float:
    """Return the size at which titles are as wide as a picture, and labels as high."""
    longest = max((letters_of(line) for lines in titles for line in lines), default=1)
    size = 72 * inches * (1 + _GAP) / (_CHARACTER * max(longest, 1))
    if label_lines:
        size = min(size, 72 * inches / (1.3 * label_lines))
    return float(np.clip(size, _SMALLEST, min(_LARGEST, pyplot().rcParams["font.size"])))
