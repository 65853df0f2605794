"""How all Displays draw: colors that color-blind readers tell apart, markers, text, axes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

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

    background = to_rgba(ax.get_facecolor())
    if background[3] < 0.5:
        background = to_rgba(ax.figure.get_facecolor())
    if background[3] < 0.5:
        background = (1.0, 1.0, 1.0, 1.0)
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
        Width and height of each in inches, in a figure of one's own.
    ratios : sequence of float, optional
        Relative widths of the columns.
    """
    columns = min(columns, n)
    rows = -(-n // columns)
    if ax is None:
        size = (panel[0] * columns, panel[1] * rows)
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
    ax.set_axis_off()
    width = ax.get_position().width * ax.figure.get_figwidth()
    if ratios is None:
        columns = max(1, min(columns, int(width / 2)))
    rows = -(-n // columns)
    spec = ax.get_subplotspec()
    if spec is None:  # placed by hand
        place = ax.get_position()
        edges = {"left": place.x0, "right": place.x1, "bottom": place.y0, "top": place.y1}
        parts = ax.figure.add_gridspec(
            rows, columns, width_ratios=ratios, wspace=0.5, hspace=0.5, **edges
        )
    else:
        parts = spec.subgridspec(rows, columns, width_ratios=ratios, wspace=0.5, hspace=0.5)
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
    text = text if len(text) <= longest else f"{text[: longest - 3]}..."
    # What begins with an underscore is left out of legends.
    return (" " if text.startswith("_") else "") + text.replace("$", r"\$")


def write_caption(ax: Any, text: str | None, default: str) -> Any:
    """Write what a picture shows above it; an empty text writes nothing."""
    return ax.set_title(default if text is None else text, loc="left", fontsize="medium")


def legend_beside(ax: Any, handles: list[Any], labels: list[str], **options: Any) -> Any:
    """Put a legend to the right of the axes, in as many columns as it takes."""
    options = {"ncols": 1 + (len(labels) - 1) // 18, "markerscale": 1.4} | options
    return ax.legend(
        handles, labels, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, **options
    )


def make_room(legend: Any) -> None:
    """Widen a figure of one's own by what a legend beside its axes needs."""
    longest = max(len(text.get_text()) for text in legend.get_texts())
    figure = legend.axes.figure
    figure.set_figwidth(figure.get_figwidth() + 0.7 + 0.085 * longest)


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
