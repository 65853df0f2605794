"""Points in groups, each with its color and marker, whatever else a caller wants of them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from skfer._typing import NDArray
from skfer.inspection._faces import Faces
from skfer.inspection._style import Ink, ink_of, merged

_SIZE = 26.0
_MANY, _SMALLEST = 1000, 0.25  # so many points have the full size; the least share of it
_PICTURE = 26.0  # points, the side of a face among the points
_MARGIN = 7.0  # points, what markers at the edge need
# Options of ax.scatter that say how numbers become colors.
_COLOR_SCALE = ("norm", "vmin", "vmax", "cmap", "colorizer")


class Group(NamedTuple):
    """Points that look alike; a suffix tells those of one name apart."""

    name: str
    rows: NDArray[np.intp]
    color: Any
    marker: str
    pale: bool = False
    suffix: str = ""


def scatter(
    ax: Any,
    points: NDArray[Any],
    groups: Sequence[Group],
    options: Mapping[str, Any],
    cmap: Any = None,
) -> list[Any]:
    """Draw groups of points; options are those of ``ax.scatter``, an array is one value a point."""
    ink = ink_of(ax)
    options = _common_scale(options, len(points), cmap)
    sizes = sizes_of(groups)
    drawn: list[Any] = [None] * len(groups)
    # The largest first: a few points would vanish beneath many.
    for k in sorted(range(len(groups)), key=lambda k: -len(groups[k].rows)):
        own = _options(groups[k], options, len(points), ink, sizes[k])
        drawn[k] = ax.scatter(*points[groups[k].rows].T, **own)
    return drawn


def sizes_of(groups: Sequence[Group]) -> list[float]:
    """Usual area of each group's markers: of thousands they become smaller, and more are seen."""
    shares = [_MANY / max(len(groups) * len(group.rows), 1) for group in groups]
    return [_SIZE * float(np.clip(share, _SMALLEST, 1.0)) for share in shares]


def ring(ax: Any, points: NDArray[Any], sizes: Any) -> Any:
    """Draw rings around points of one size or several."""
    ink = ink_of(ax)
    size = 3.0 * np.asarray(sizes, dtype=float)
    return ax.scatter(
        *points.T, s=size, marker="o", facecolors="none", edgecolors=[ink.text], linewidths=0.8
    )


def add_pictures(
    ax: Any, points: NDArray[Any], faces: Faces, rows: NDArray[np.intp], colors: Sequence[Any]
) -> list[Any]:
    """Show faces at points, framed in given colors."""
    from matplotlib.colors import Normalize
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    added = []
    for row in rows:
        face = faces[row]
        zoom = _PICTURE / max(face.shape[:2])
        gray: dict[str, Any] = {"cmap": "gray", "norm": Normalize(0, 255)} if face.ndim == 2 else {}
        box = AnnotationBbox(
            OffsetImage(face, zoom=zoom, interpolation="bilinear", **gray),
            points[row],
            pad=0.08,
            bboxprops={"edgecolor": colors[row], "facecolor": colors[row], "linewidth": 0},
        )
        added.append(ax.add_artist(box))
    return added


def fit_view(ax: Any, points: NDArray[Any], pictured: NDArray[Any], own_figure: bool) -> None:
    """Let the axes hold all points and pictures whole, and little else.

    One unit is as long in both directions. A figure of one's own becomes as high as that takes.
    """
    figure = ax.figure.canvas.figure
    figure.draw_without_rendering()  # now the legend has its place, and the axes their size
    per_point = 72 / figure.dpi
    size = np.maximum([ax.bbox.width * per_point, ax.bbox.height * per_point], 4 * _PICTURE)
    reach = np.full(len(points), _MARGIN)
    reach[pictured] = _PICTURE / 2 + 3
    low, high = points.min(axis=0), points.max(axis=0)
    for _ in range(3):  # the wider the view, the more of it a picture takes
        unit = ((high - low) / (size[0] if own_figure else size)).max()
        low = (points - reach[:, None] * unit).min(axis=0)
        high = (points + reach[:, None] * unit).max(axis=0)
    ax.margins(0)
    ax.update_datalim([low, high])
    ax.set(aspect="equal", adjustable="datalim")
    ax.autoscale_view()
    width, height = high - low
    if own_figure and width > 0:
        legend = ax.get_legend()
        least = legend.get_window_extent().height / figure.dpi if legend is not None else 0
        wanted = max(ax.bbox.width / figure.dpi * np.clip(height / width, 0.5, 1.2), least)
        fitting = figure.get_figheight() + wanted - ax.bbox.height / figure.dpi
        figure.set_figheight(round(fitting, 1))  # a size, whatever the fonts do to the last pixel


def spread_rows(points: NDArray[Any], n: int) -> NDArray[np.intp]:
    """Rows of about n points: the one nearest to the middle of each cell of a grid."""
    low, size = points.min(axis=0), np.ptp(points, axis=0).max()
    if size == 0:
        return np.arange(min(1, len(points)))
    side = 1
    chosen = np.arange(min(1, len(points)))
    while len(chosen) < min(n, len(points)) and side < 4 * n:
        side += 1
        places = (points - low) / size * side
        cells = np.minimum(places.astype(np.intp), side - 1)
        order = np.square(places - cells - 0.5).sum(axis=1).argsort(kind="stable")
        _, first = np.unique(cells[order] @ (1, side), return_index=True)
        chosen = np.sort(order[first])
    return chosen[: max(n, 0)]


def _common_scale(options: Mapping[str, Any], n: int, cmap: Any) -> dict[str, Any]:
    """Let numbers that become colors have one scale in all groups; drop a scale without numbers."""
    from matplotlib.colors import Normalize

    options = dict(options)
    values: Any = options.get("c")
    numbers = values is not None and not isinstance(values, str) and _is_of_rows(values, n)
    numbers = numbers and np.ndim(values) == 1 and np.asarray(values).dtype.kind in "biuf"
    if not numbers:
        return {name: value for name, value in options.items() if name not in _COLOR_SCALE}
    if cmap is not None:
        options["cmap"] = cmap
    if options.get("norm") is None and "colorizer" not in options:
        low, high = options.pop("vmin", None), options.pop("vmax", None)
        options["norm"] = Normalize(
            np.nanmin(values) if low is None else low, np.nanmax(values) if high is None else high
        )
    return options


def _options(
    group: Group, given: Mapping[str, Any], n: int, ink: Ink, size: float
) -> dict[str, Any]:
    from matplotlib.collections import PathCollection
    from matplotlib.markers import MarkerStyle

    options = {
        name: np.asarray(value)[group.rows] if _is_of_rows(value, n) else value
        for name, value in given.items()
    }
    width = 0.5 * np.sqrt(size / _SIZE)
    defaults: dict[str, Any] = {"s": size, "linewidths": width, "marker": group.marker, "zorder": 2}
    if group.pale:
        defaults |= {"s": size / 2, "alpha": 0.3, "linewidths": 0, "zorder": 1}
    own_color = {"c", "color", "facecolor", "facecolors", "fc"} & set(options)
    if not own_color:
        edge = ink.edge(group.color)
        # As pale as that, yellow is seen on white and blue on black only by the edge's shade.
        defaults["color"] = [edge if group.pale else group.color]
        defaults["edgecolors"] = [edge]
    options = merged(PathCollection, defaults, options)
    if options.get("color") is not None and "edgecolor" in options:
        # matplotlib lets `color` win over the edge's.
        options["facecolor"] = options.pop("color")
    if "alpha" in options and np.ndim(options["alpha"]):
        # matplotlib wants as many colors as there are values of alpha.
        for name in {"facecolor", "edgecolor"} & set(options):
            if len(options[name]) == 1:
                options[name] = list(options[name]) * len(group.rows)
    if options["marker"] is None:  # as ax.scatter takes it: the usual one
        options["marker"] = group.marker
    style = options["marker"]
    style = style if isinstance(style, MarkerStyle) else MarkerStyle(style)
    if not style.is_filled():
        options.pop("edgecolor", None)
        options["linewidth"] = max(1.2, np.max(options["linewidth"]))
        if "facecolor" in options:
            options["color"] = options.pop("facecolor")
    return options


def _is_of_rows(value: Any, n: int) -> bool:
    """Whether a value is an array with an entry for each sample."""
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return False
    # Three or four numbers are a color.
    return len(value) == n and not (n in (3, 4) and np.ndim(value) == 1)
