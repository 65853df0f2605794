"""A picture of how models learned."""

from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import Any, Self

import numpy as np

from skfer._typing import NDArray
from skfer.embedders.composed._within import embedders_in, inside, named
from skfer.exceptions import ArgumentError
from skfer.inspection._models import name_of, take_apart
from skfer.inspection._style import (
    LINES,
    as_text,
    inches_across,
    ink_of,
    legend_beside,
    merged,
    several_axes,
    write_caption,
)
from skfer.validation import as_list, check_flag, shown

History = Sequence[Mapping[str, Any]]

_TITLES = {
    "loss": "loss",
    "active_fraction": "active fraction",
    "embedding_spread": "spread of the embedding",
    "lr": "learning rate",
}
_SHARES = ("active_fraction", "embedding_spread")  # in [0, 1]
_MARKERS = 10  # at most, on a line of validation
_PARTS = ("train_", "valid_")
_NOT_SHOWN = ("epoch", "dur", "batches")


class TrainingDisplay:
    """How training went, epoch by epoch: loss, active fraction, spread, learning rate, scores.

    Make it by :meth:`from_estimator` or :meth:`from_history`, which draw it; :meth:`plot` draws it
    again.

    Parameters
    ----------
    histories : dict of str to list of histories
        The histories of each fit by its name: several of one name are folds. A history is a list
        with a dict an epoch, as ``history_`` is.
    metrics : sequence of str, default=None
        What is shown, a panel each, such as ``"loss"`` (of training, and of validation where there
        is one) or ``"embedding_spread"``; by default all that is known.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        A panel for each metric.
    figure_ : matplotlib Figure
        Their figure.
    lines_ : dict of (str, str) to Line2D
        The lines, by the fit's name and the history's key, such as ``"train_loss"``. A mean of
        folds ends where the first of them does.
    bands_ : dict of (str, str) to PolyCollection
        From the lowest to the highest of the folds, where there are several.

    See Also
    --------
    skfer.EmbeddingCollapseWarning : What ``fit`` says of a training that failed.

    Examples
    --------
    >>> from skfer import CrossEntropyEmbedder
    >>> from skfer.datasets import make_expressions
    >>> from skfer.inspection import TrainingDisplay
    >>> faces = make_expressions(6, 1, image_size=16, random_state=0)
    >>> model = CrossEntropyEmbedder(max_epochs=3, random_state=0)
    >>> model = model.fit(faces.images, faces.target)
    >>> display = TrainingDisplay.from_estimator(model, metrics=["loss"])
    >>> len(display.lines_["CrossEntropyEmbedder", "train_loss"].get_ydata())
    3
    """

    def __init__(
        self, histories: dict[str, list[History]], *, metrics: Sequence[str] | None = None
    ) -> None:
        self.histories = histories
        self.metrics = metrics

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, metrics: Sequence[str] | None = None, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Draw the training of fitted models.

        Parameters
        ----------
        estimator : fitted model, sequence of them, or dict
            An embedder, or a pipeline or search that holds one. Of a sequence, as
            ``cross_validate(..., return_estimator=True)["estimator"]`` is, the mean is drawn and a
            band of all, and so are those of the folds of a calibrated one. Of a model with several
            embedders, such as a union, each has lines of its own. A dict has models or sequences by
            the names of the legend.
        metrics : sequence of str, default=None
            What is shown, a panel each; by default all that the histories have.
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw: a panel each, or one to divide; new axes by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        TrainingDisplay
            The display, drawn.
        """
        if isinstance(estimator, Mapping):
            fits = {str(name): _as_list(one) for name, one in estimator.items()}
        else:
            several = _as_list(estimator)
            fits = {name_of(several[0]) if several else "": several}
        histories: dict[str, list[History]] = {}
        for name, ones in fits.items():
            for one in ones:
                for inner, history in _histories_of(one):
                    own = f"{name}: {inner}" if isinstance(estimator, Mapping) else inner
                    histories.setdefault(own if inner else name, []).append(history)
        return cls.from_history(histories, metrics=metrics, ax=ax, **kwargs)

    @classmethod
    def from_history(
        cls, history: Any, *, metrics: Sequence[str] | None = None, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Draw histories.

        Parameters
        ----------
        history : list of dict, list of such lists, or dict of either
            One training, several folds, or those of several fits by name.
        metrics : sequence of str, default=None
            What is shown, a panel each; by default all that the histories have.
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw: a panel each, or one to divide; new axes by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        TrainingDisplay
            The display, drawn.
        """
        named = history if isinstance(history, Mapping) else {"": history}
        histories = {str(name): _as_histories(one) for name, one in named.items()}
        if not histories:
            raise ArgumentError("{history} is empty: give the history of at least one training.")
        return cls(histories, metrics=metrics).plot(ax=ax, **kwargs)

    def plot(
        self,
        ax: Any = None,
        *,
        cmap: Any = None,
        legend: bool = True,
        caption: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw: a panel each, or one to divide; new axes by default.
        cmap : str or Colormap, default=None
            Colors of the fits; by default a palette that color-blind readers tell apart.
        legend : bool, default=True
            Whether the fits are named beside the panels, if there are several lines. A panel of
            one's own becomes narrower by them, if its figure has no layout engine, such as
            ``layout="constrained"``.
        caption : str, default=None
            What stands above; by default what a band means. ``""`` leaves it out.
        **kwargs : dict
            Passed to ``ax.plot``.

        Returns
        -------
        TrainingDisplay
            This display, with the attributes told above.
        """
        check_flag(legend, "legend")
        panels = _panels(self.histories, self.metrics)
        columns = len(panels) if len(panels) <= 4 else 3
        axes = several_axes(ax, len(panels), columns=columns, panel=(2.9, 2.5))
        colors = ink_of(axes[0]).colors(len(self.histories), cmap)
        self.lines_: dict[tuple[str, str], Any] = {}
        self.bands_: dict[tuple[str, str], Any] = {}
        for one, (metric, keys) in zip(axes, panels.items(), strict=True):
            for number, (name, histories) in enumerate(self.histories.items()):
                for key in keys:
                    self._draw(one, (name, key), histories, number, colors[number], kwargs)
            _finish(one, metric)
        self._write_caption(axes, caption)
        last, room = axes[min(columns, len(axes)) - 1], 0.0 if ax is None else None
        self.legend_ = self._legend(last, room) if legend else None
        self.axes_, self.figure_ = axes, axes[0].figure
        return self

    def _write_caption(self, axes: Sequence[Any], caption: str | None) -> None:
        numbers = sorted({len(ones) for ones in self.histories.values() if len(ones) > 1})
        told = ""
        if self.bands_:
            n_folds = " to ".join(map(str, dict.fromkeys((numbers[0], numbers[-1]))))
            told = f"Mean of {n_folds} folds, and from the lowest to the highest"
        write_caption(axes[0], caption, told, inches_across(*axes))

    def _draw(
        self,
        ax: Any,
        place: tuple[str, str],
        histories: list[History],
        number: int,
        color: Any,
        given: Mapping[str, Any],
    ) -> None:
        """Draw one line, and its band, if the histories have this key."""
        from matplotlib.lines import Line2D

        values = _values(histories, place[1])
        epochs = np.flatnonzero(np.isfinite(values).any(axis=0))
        if len(epochs) == 0:
            return
        values = values[:, epochs]
        # Where some folds have stopped before others, the mean of the rest would jump.
        end = _end_of_first(values)
        mean = np.nanmean(values[:, :end], axis=0)
        style = {"color": color, "linestyle": LINES[number % len(LINES)], "linewidth": 1.6}
        if place[1].startswith("valid_"):
            every = -(-end // _MARKERS)
            style |= {"marker": "o", "markersize": 3.5, "markevery": every, "linewidth": 1.0}
        elif end == 1:
            style |= {"marker": "o"}
        options = merged(Line2D, style, given)
        options.pop("label", None)
        (self.lines_[place],) = ax.plot(epochs[:end] + 1, mean, **options)
        if len(values) > 1:
            self.bands_[place] = ax.fill_between(
                epochs + 1,
                np.nanmin(values, axis=0),
                np.nanmax(values, axis=0),
                color=self.lines_[place].get_color(),
                alpha=0.2,
                linewidth=0.8,  # of a single fold that is left, a line
            )

    def _legend(self, ax: Any, room: float | None) -> Any:
        """Name each fit once, and tell validation from training."""
        handles: dict[tuple[str, ...], Any] = {}
        for (name, key), line in self.lines_.items():
            words = [name] if len(self.histories) > 1 and name else []
            if any(other.startswith("valid_") for _, other in self.lines_):
                part = {"train_": "training", "valid_": "validation"}.get(key[:6], "training")
                words.append(part)
            handles.setdefault(tuple(words), line)
        handles.pop((), None)
        if len(handles) < 2:
            return None
        names = [", ".join(map(as_text, words)) for words in handles]
        return legend_beside(ax, list(handles.values()), names, room)


def _as_list(estimator: Any) -> list[Any]:
    several = isinstance(estimator, list | tuple | np.ndarray)
    ones = list(estimator) if several else [estimator]
    if not ones:
        raise ArgumentError("{estimator} is empty: give at least one fitted model.")
    return ones


def _histories_of(estimator: Any) -> Iterator[tuple[str, History]]:
    """Yield the history of each embedder in a model, with its name if there are several kinds.

    Those of the folds of a calibrated one are told as folds are.
    """
    folds = inside(estimator) if hasattr(estimator, "calibrated_classifiers_") else [estimator]
    for fold in folds:
        found = named(embedders_in(fold))
        if not found:
            take_apart(fold, "show its training")  # which says what is missing
        for name, embedder in found.items():
            if not getattr(embedder, "history_", None):
                raise ArgumentError(
                    "{estimator}: this {} {}: it has no history.",
                    type(embedder).__name__,
                    "was not trained here" if hasattr(embedder, "net_") else "is not fitted",
                )
            yield name if len(found) > 1 else "", embedder.history_


def _as_histories(history: Any) -> list[History]:
    """Return a list of histories, of one or of several."""
    rows = list(history) if _is_list(history) else []
    if rows and all(isinstance(row, Mapping) for row in rows):
        return [rows]
    if rows and all(_is_list(row) for row in rows):
        return [one for row in rows for one in _as_histories(row)]
    raise ArgumentError(
        "{history} must be a list with a dict an epoch, as history_ is, a list of such lists, or a "
        "dict of either; got {}.",
        shown(history),
    )


def _is_list(values: Any) -> bool:
    return isinstance(values, Sequence) and not isinstance(values, str | bytes)


def _panels(histories: Mapping[str, list[History]], metrics: Any) -> dict[str, list[str]]:
    """Return the keys of each panel."""
    epochs = [epoch for ones in histories.values() for history in ones for epoch in history]
    found: dict[str, list[str]] = {name: [] for name in _TITLES}
    for key in dict.fromkeys(key for epoch in epochs for key in epoch):
        if key in _NOT_SHOWN or key.endswith("_best") or not _is_number(epochs, key):
            continue
        found.setdefault(_without_part(key), []).append(key)
    found = {name: keys for name, keys in found.items() if keys}
    if metrics is None:
        return found
    wanted = [metrics] if isinstance(metrics, str) else as_list(metrics, "metrics", "names")
    if not all(isinstance(name, str) for name in wanted):
        raise ArgumentError("{metrics} must be names of metrics, got {}.", shown(wanted))
    named = {
        name: found.get(name, [key for keys in found.values() for key in keys if key == name])
        for name in wanted
    }
    unknown = [name for name, keys in named.items() if not keys]
    if unknown or not wanted:
        raise ArgumentError(
            "{metrics} names {}, and the histories have: {}.",
            shown(unknown) if unknown else "nothing",
            ", ".join(found),
        )
    return named


def _without_part(key: str) -> str:
    return key[6:] if key.startswith(_PARTS) else key


def _is_number(epochs: Sequence[Mapping[str, Any]], key: str) -> bool:
    values = [epoch[key] for epoch in epochs if key in epoch]
    return all(isinstance(value, Real) and not isinstance(value, bool) for value in values)


def _values(histories: Sequence[History], key: str) -> NDArray[np.float64]:
    """Values of shape (n_histories, n_epochs), NaN where there is none."""
    values = np.full((len(histories), max(map(len, histories))), np.nan)
    for row, history in zip(values, histories, strict=True):
        row[: len(history)] = [float(epoch.get(key, np.nan)) for epoch in history]
    return values


def _end_of_first(values: NDArray[np.float64]) -> int:
    """Return how many epochs pass until the first of some histories ends."""
    there = np.isfinite(values[np.isfinite(values).any(axis=1)])
    return int((there.shape[1] - there[:, ::-1].argmax(axis=1)).min())


def _finish(ax: Any, metric: str) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.set(xlabel="epoch", ylabel=as_text(_TITLES.get(metric, metric.replace("_", " "))))
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    low, high = ax.dataLim.intervaly
    if metric in _SHARES or (metric not in _TITLES and low >= 0 and 0.5 < high <= 1):
        ax.set_ylim(-0.03, 1.03)  # scores are mostly shares too
    elif low >= 0 and high > 0:
        ax.set_ylim(0, 1.05 * high)
    ax.spines[["top", "right"]].set_visible(False)
