"""How all Displays draw: colors that color-blind readers tell apart, markers, text, axes."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from unicodedata import east_asian_width

import numpy as np

from skfer.exceptions import ArgumentError, install_hint
from skfer.validation import shown

# Okabe and Ito's colors without black, which is the text's. In gray they differ little, so nothing
# is told by a color alone: markers and line styles go along. With eight colors and eleven markers
# 88 classes look different.
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "*", ">", "p")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 3, 1, 3)))
RIGHT, WRONG = "#009E73", "#D55E00"

_LONGEST = 28  # characters of a name: a legend must leave room for the picture
_INSIDE = 0.775  # of a figure's width lies between its usual margins
_LEAST = 0.4  # of the width of given axes, whatever their legend takes


def pyplot() -> Any:
    """Import matplotlib.pyplot when it is used."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Displays need matplotlib, which is not installed: "
            f"{install_hint('plot', 'matplotlib')}."
        ) from error
    return plt


class Ink(NamedTuple):
    """Colors that go with a background, light or dark."""

    text: Any
    faint: Any
    background: Any

    def colors(self, n: int, cmap: Any = None) -> list[Any]:
        """Colors of n classes, from a color map if one is given."""
        if cmap is not None:
            return _sampled(cmap, n)
        palette = (*OKABE_ITO, self.text)
        return [palette[k % len(palette)] for k in range(n)]

    def edge(self, color: Any) -> tuple[float, ...]:
        """Return a shade of a color that stands out from the background."""
        return _mixed(color, self.text, 0.45)


def ink_of(ax: Any) -> Ink:
    """Return the colors that can be read on these axes."""
    from matplotlib.colors import to_rgba

    # Axes of a part of a figure lie on the whole.
    behind = [to_rgba(one.get_facecolor()) for one in (ax, ax.figure, ax.figure.canvas.figure)]
    background = next((color for color in behind if color[3] >= 0.5), (1.0, 1.0, 1.0, 1.0))
    text = to_rgba(pyplot().rcParams["text.color"])
    if abs(_lightness(text) - _lightness(background)) < 0.4:
        text = (0.0, 0.0, 0.0, 1.0) if _lightness(background) > 0.5 else (1.0, 1.0, 1.0, 1.0)
    return Ink(text, _mixed(background, text, 0.45), background)


def new_axes(ax: Any, width: float, height: float) -> Any:
    """Return the given axes, or new ones in a figure of this size in inches."""
    if ax is not None:
        check_axes(ax)
        return ax
    plt = pyplot()
    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def several_axes(
    ax: Any, n: int, *, columns: int, panel: tuple[float, float], ratios: Any = None
) -> list[Any]:
    """Return n axes in rows: the given ones, parts of the given one, or new ones.

    Parameters
    ----------
    ax : Axes, sequence of Axes, or None
        One is divided.
    n : int
        How many are wanted.
    columns : int
        The most in a row.
    panel : tuple of float
        Width and height of each in inches, in a figure of one's own and with letters of the usual
        size.
    ratios : sequence of float, optional
        Relative widths of the columns.
    """
    columns = min(columns, n)
    rows = -(-n // columns)
    if ax is None:
        size = (panel[0] * columns * letter_scale(), panel[1] * rows * letter_scale())
        figure = pyplot().figure(figsize=size, layout="constrained")
        spec = figure.add_gridspec(rows, columns, width_ratios=ratios)
        return [figure.add_subplot(spec[divmod(k, columns)]) for k in range(n)]
    given = list(getattr(ax, "flat", ax)) if hasattr(ax, "__len__") else [ax]
    for one in given:
        check_axes(one)
    if len(given) == n:
        return given
    if len(given) != 1:
        raise ArgumentError(
            "{ax} has {} axes, and there are {} panels: give so many, one, or None.", len(given), n
        )
    return _divided(given[0], n, columns, ratios)


def _divided(ax: Any, n: int, columns: int, ratios: Any) -> list[Any]:
    """Parts of an Axes, with space for labels between them; the Axes itself is hidden."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    ax.set_axis_off()
    if ratios is None:
        columns = max(1, min(columns, int(inches_across(ax) / 2)))
    rows = -(-n // columns)
    spec = ax.get_subplotspec()
    arranged = isinstance(ax.figure.get_layout_engine(), ConstrainedLayoutEngine)
    # Such a layout finds the space itself, and would add this to it.
    space = {} if arranged and spec is not None else {"wspace": 0.5, "hspace": 0.5}
    if spec is None:  # placed by hand
        place = ax.get_position()
        edges = {"left": place.x0, "right": place.x1, "bottom": place.y0, "top": place.y1}
        parts = ax.figure.add_gridspec(rows, columns, width_ratios=ratios, **space, **edges)
    else:
        parts = spec.subgridspec(rows, columns, width_ratios=ratios, **space)
    return [ax.figure.add_subplot(parts[divmod(k, columns)]) for k in range(n)]


def check_axes(ax: Any) -> None:
    """Raise ArgumentError for what is no Axes."""
    if not hasattr(ax, "transData"):
        raise ArgumentError(
            "{ax} is a {}: give matplotlib Axes, or None for new ones.", type(ax).__name__
        )


def as_text(name: Any, longest: int = _LONGEST) -> str:
    """Return a name that matplotlib draws as it is: no mathematics, no breaks, not too long."""
    text = " ".join("".join(c if c.isprintable() else " " for c in str(name)).split())
    if len(text) > longest:  # names are told apart by how they begin, or by how they end
        head = (longest - 3) // 2
        text = f"{text[:head]}...{text[head + 3 - longest :]}"
    # What begins with an underscore is left out of legends.
    return (" " if text.startswith("_") else "") + text.replace("$", r"\$")


def letter_scale() -> float:
    """How much larger letters are than usual; what they must fit into grows along."""
    return max(1.0, float(pyplot().rcParams["font.size"]) / 10)


def letters_of(text: str) -> int:
    """Width of a text in letters; those of East Asia are as wide as two."""
    return sum(1 + (east_asian_width(c) in "WF") for c in text)


def inches_across(*axes: Any) -> float:
    """Width of axes beside each other, as far as it is known before the layout is made."""
    figure, places = axes[0].figure, [ax.get_position() for ax in axes]
    share = max(place.x1 for place in places) - places[0].x0
    return float(share * figure.bbox.width / figure.dpi)


def inches_above(axes: Sequence[Any], words: Sequence[str]) -> float:
    """Room for a caption above axes beside each other whose rows have words to their left."""
    width = inches_across(*axes)
    if axes[0].figure.get_layout_engine() is None:
        return width
    # What arranges a figure fills its margins, but for the words.
    return width / _INSIDE - 0.085 * max(map(letters_of, words)) * letter_scale()


def write_caption(ax: Any, text: str | None, default: str, width: float | None = None) -> Any:
    """Write what a picture shows above it; an empty text writes nothing.

    The default is put into lines of about a width in inches, by default that of the axes.
    """
    title = ax.set_title(default if text is None else text, loc="left", fontsize="medium")
    if text is None:
        width = inches_across(ax) if width is None else width
        takes = title.get_window_extent().width / ax.figure.dpi
        if takes > width:
            if ax.figure.get_layout_engine() is None:  # the margin above is what it is
                title.set_fontsize("small")
                takes = title.get_window_extent().width / ax.figure.dpi
            letters = 0.95 * len(default) * width / takes  # some lines have more of the wide ones
            title.set_text(textwrap.fill(default, max(int(letters), 20)))
    return title


def legend_beside(
    ax: Any,
    handles: list[Any],
    labels: list[str],
    room: float | None = None,
    along: Sequence[Any] = (),
) -> Any:
    """Put a legend to the right of the axes, in as many columns as it takes.

    Parameters
    ----------
    ax : Axes
        Where the handles were drawn.
    handles, labels : list
        As ``ax.legend`` takes them.
    room : float, optional
        Inches for a legend in a figure of one's own, which is widened by what is missing. In the
        figure of a caller, where no layout engine makes room, the axes become narrower.
    along : sequence of Axes
        Those below, which become narrower too.
    """
    columns = 1 + (len(labels) - 1) // 18
    beside = {"loc": "center left", "bbox_to_anchor": (1.01, 0.5), "frameon": False}
    legend = ax.legend(handles, labels, ncols=columns, markerscale=1.4, **beside)
    if room is None:
        if ax.figure.get_layout_engine() is None:
            _narrow([ax, *along], legend)
        return legend
    parts = np.array_split(labels, columns)
    wanted = sum(0.7 + 0.085 * max(map(letters_of, part)) for part in parts) * letter_scale()
    ax.figure.set_figwidth(ax.figure.get_figwidth() + max(0.0, wanted - room))
    return legend


class _Narrowed:
    """The place of axes, whenever they are drawn, so that a legend beside lies in their part."""

    def __init__(self, ax: Any, legend: Any) -> None:
        self.ax = ax
        self.legend = legend
        self.beside = legend.axes
        self.inches = legend.get_window_extent().width / ax.figure.dpi + 0.15

    def __call__(self, ax: Any, renderer: Any = None) -> Any:
        """Return the place, as matplotlib asks for it."""
        from matplotlib.transforms import Bbox

        left, bottom, width, height = ax.get_position(original=True).bounds
        if self.beside.get_legend() is self.legend:
            room = width if ax.get_subplotspec() is not None else 1.0 - left
            legend_width = self.inches * ax.figure.dpi / ax.figure.bbox.width
            width = min(width, max(room - legend_width, _LEAST * room))
        return Bbox.from_bounds(left, bottom, width, height)

    def get_subplotspec(self) -> Any:
        """Return what ``tight_layout`` arranges."""
        return self.ax.get_subplotspec()


def _narrow(axes: Sequence[Any], legend: Any) -> None:
    """Let a legend beside the first of some axes lie in their part of the figure."""
    for ax in axes:
        if isinstance(ax.get_axes_locator(), _Narrowed | None):
            place = _Narrowed(ax, legend)
            ax.set_axes_locator(place)
            ax.apply_aspect(place(ax))


def merged(artist: Any, defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Options of an artist's class, where the given ones win whatever alias they come by."""
    from matplotlib.cbook import normalize_kwargs

    return normalize_kwargs(dict(defaults), artist) | normalize_kwargs(dict(given), artist)


def colormap(cmap: Any) -> Any:
    """Return a color map of matplotlib, given itself or by its name."""
    from matplotlib import colormaps
    from matplotlib.colors import Colormap

    if isinstance(cmap, str) and cmap in colormaps:
        return colormaps[cmap]
    if isinstance(cmap, Colormap):
        return cmap
    raise ArgumentError(
        "{cmap} must be a Colormap or the name of one, such as 'tab10' or 'viridis', got {}.",
        shown(cmap),
    )


def _sampled(cmap: Any, n: int) -> list[Any]:
    colors = colormap(cmap)
    listed = getattr(colors, "colors", None)
    if listed is not None and len(listed) <= 20:
        return [listed[k % len(listed)] for k in range(n)]
    return [colors((k + 0.5) / n) for k in range(n)]


def _lightness(color: Any) -> float:
    red, green, blue = color[:3]
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _mixed(color: Any, other: Any, share: float) -> tuple[float, ...]:
    from matplotlib.colors import to_rgb

    pairs = zip(to_rgb(color), to_rgb(other), strict=True)
    return tuple((1 - share) * one + share * two for one, two in pairs)
