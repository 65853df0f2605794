"""A picture of whether predicted probabilities are what they say."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from skfer._typing import ArrayLike, NDArray
from skfer.exceptions import ArgumentError
from skfer.inspection._labels import alike, read_labels
from skfer.inspection._models import name_of
from skfer.inspection._style import (
    LINES,
    MARKERS,
    as_text,
    ink_of,
    legend_beside,
    letter_scale,
    merged,
    new_axes,
    pyplot,
    write_caption,
)
from skfer.metrics import expected_calibration_error
from skfer.metrics._calibration import bins_of, in_order_of, mean_gap
from skfer.validation import (
    UNLABELED,
    check_choice,
    check_flag,
    check_int,
    check_labels,
    check_rows,
    shown,
)

_FEW = 4  # curves that leave room for a legend among them
_LEGEND = 2.2  # inches for a legend of more in a figure of one's own
_CURVE = "skfer-reliability"  # marks the lines of other Displays in the same axes


class Reliability(NamedTuple):
    """How sure predictions are and how often they are right, in bins.

    Attributes
    ----------
    confidence : ndarray of shape (n_bins,)
        Mean probability in each bin; NaN in an empty one.
    accuracy : ndarray of shape (n_bins,)
        Share of them that are right; NaN in an empty one.
    counts : ndarray of shape (n_bins,)
        How many there are.
    error : float
        Mean distance of the two, weighted by the counts, as ``expected_calibration_error`` has it:
        in its own number of bins, whatever is drawn.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    counts: NDArray[np.intp]
    error: float


class ReliabilityDisplay:
    """How often a classifier is right, by how sure it is, for any number of classes.

    Make it by :meth:`from_estimator` or :meth:`from_predictions`, which draw it; :meth:`plot` draws
    it again. scikit-learn's ``CalibrationDisplay`` is for two classes.

    Parameters
    ----------
    overall : Reliability
        Of the predicted class: its probability, and whether it is right.
    per_class : dict of str to Reliability
        Of each class: its probability, and whether a sample is of it.
    edges : ndarray of shape (n_bins + 1,)
        Edges of the bins.
    name : str, default=""
        The classifier, for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the curves were drawn.
    counts_ax_ : matplotlib Axes or None
        Where the shares of the bins were drawn.
    figure_ : matplotlib Figure
        Their figure.
    lines_ : dict of str to Line2D
        The curves by their names.
    bars_ : BarContainer or None
        Share of the predictions in each bin.

    See Also
    --------
    skfer.metrics.expected_calibration_error : The number in the legend.
    sklearn.calibration.CalibratedClassifierCV : What mends probabilities.

    Examples
    --------
    >>> from skfer.inspection import ReliabilityDisplay
    >>> proba = [[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]
    >>> display = ReliabilityDisplay.from_predictions(["joy", "joy", "rage", "joy"], proba)
    >>> round(display.overall.error, 3), display.overall.counts.tolist()
    (0.1, [0, 0, 0, 0, 0, 2, 0, 0, 2, 0])
    """

    def __init__(
        self,
        *,
        overall: Reliability,
        per_class: dict[str, Reliability],
        edges: NDArray[np.float64],
        name: str = "",
    ) -> None:
        self.overall = overall
        self.per_class = per_class
        self.edges = edges
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        n_bins: int = 10,
        names: Any = None,
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Predict probabilities, and draw how reliable they are.

        Parameters
        ----------
        estimator : fitted classifier, pipeline or search
            What predicts, by ``predict_proba``.
        X : array-like
            Samples that it was not fitted on.
        y : array-like of shape (n,)
            Their labels, numbers or words; those without one are left out. One that is none of the
            estimator's classes counts as predicted wrongly.
        n_bins : int, default=10
            Bins of equal width between 0 and 1 that are drawn. The error in the legend has the bins
            of ``expected_calibration_error``.
        names : sequence, mapping or Bunch, default=None
            Names of integer classes: ``bunch.target_names``, a dict, or the Bunch.
        name : str, default=None
            The classifier, for the legend; by default its class.
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default, with the shares of the bins below.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        ReliabilityDisplay
            The display, drawn.
        """
        if not hasattr(estimator, "predict_proba"):
            raise ArgumentError(
                "{estimator} must predict probabilities: {} has no predict_proba.",
                type(estimator).__name__,
            )
        return cls.from_predictions(
            y,
            estimator.predict_proba(X),
            classes=estimator.classes_,
            n_bins=n_bins,
            names=names,
            name=name_of(estimator) if name is None else name,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_proba: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        n_bins: int = 10,
        names: Any = None,
        name: str = "",
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw how reliable probabilities are.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels, numbers or words; samples without one are left out. One that is none of
            `classes` counts as predicted wrongly, as in ``expected_calibration_error``.
        y_proba : array-like of shape (n, n_classes) or (n,)
            Predicted probabilities; of two classes those of the second alone will do. A data frame
            whose columns have the names of the classes may have them in any order.
        classes : array-like of shape (n_classes,), default=None
            The class of each column, as in ``classes_``; by default the sorted labels of `y_true`.
        n_bins : int, default=10
            Bins of equal width between 0 and 1 that are drawn. The error in the legend has the bins
            of ``expected_calibration_error``.
        names : sequence, mapping or Bunch, default=None
            Names of integer classes: ``bunch.target_names``, a dict, or the Bunch.
        name : str, default=""
            The classifier, for the legend.
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default, with the shares of the bins below.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        ReliabilityDisplay
            The display, drawn.

        Raises
        ------
        ArgumentError
            If the arguments do not fit together, or a row of `y_proba` is no distribution.
        """
        proba = check_rows(y_proba, "y_proba", ensure_2d=False)
        if proba.ndim == 1:
            proba = np.column_stack([1 - proba, proba])
        check_int(n_bins, "n_bins", at_least=1, at_most=10_000)
        if not isinstance(name, str):
            raise ArgumentError("{name} must be a word, got {}.", shown(name))
        if classes is not None:
            classes = check_labels(classes, "classes", n_samples=proba.shape[1])
            if len(np.unique(classes)) < len(classes):
                raise ArgumentError("{classes} names a class twice: {}.", shown(classes.tolist()))
            y_true = alike(y_true, classes, names)
        labels = read_labels(
            y_true,
            names,
            n_samples=len(proba),
            argument="y_true",
            rows_name="y_proba",
            classes=classes,
            others=classes is not None,
        )
        proba = in_order_of(labels.classes, proba, y_proba)
        known = labels.codes != UNLABELED
        if not known.any():
            raise ArgumentError("{y_true} has no label: there is nothing to compare with.")
        codes, proba = labels.codes[known], proba[known]
        error = expected_calibration_error(codes, proba, labels=np.arange(len(labels.classes)))
        right = proba.argmax(axis=1) == codes
        overall = _binned(proba.max(axis=1), right, n_bins)._replace(error=error)
        per_class = {
            word: _binned(proba[:, code], codes == code, n_bins)
            for code, word in enumerate(labels.names)
        }
        edges = np.linspace(0, 1, n_bins + 1)
        display = cls(overall=overall, per_class=per_class, edges=edges, name=name)
        return display.plot(ax=ax, **kwargs)

    def plot(
        self,
        ax: Any = None,
        *,
        kind: str = "overall",
        cmap: Any = None,
        legend: bool = True,
        caption: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or two of them, default=None
            Where to draw: the curves, and the shares of the bins where there are two axes. Curves
            of other Displays in the same axes are kept. Given axes become narrower by the names of
            many curves, if their figure has no layout engine, such as ``layout="constrained"``.
            New axes by default.
        kind : {"overall", "classes"}, default="overall"
            One curve of the predicted class, or one for each class.
        cmap : str or Colormap, default=None
            Colors of the curves; by default a palette that color-blind readers tell apart.
        legend : bool, default=True
            Whether the curves are named, with their errors.
        caption : str, default=None
            What stands above; by default nothing.
        **kwargs : dict
            Passed to ``ax.plot``.

        Returns
        -------
        ReliabilityDisplay
            This display, with the attributes told above.
        """
        check_choice(kind, "kind", ("overall", "classes"))
        check_flag(legend, "legend")
        room = _LEGEND if ax is None else None
        n_curves = len(self.per_class) if kind == "classes" else 1
        ax, below = _two_axes(ax, 4.4 if n_curves <= _FEW else 6.2)
        before = [line for line in ax.lines if line.get_gid() == _CURVE]
        one = kind == "overall"
        curves = {self.name: self.overall} if one else self.per_class
        colors = ink_of(ax).colors(len(before) + len(curves), cmap)
        self.lines_ = {}
        for number, (name, curve) in enumerate(curves.items(), len(before)):
            self.lines_[name] = _draw(ax, name, curve, number, colors[number], kwargs)
        if not before:
            ax.axline((0, 0), slope=1, color=ink_of(ax).faint, linestyle=":", linewidth=1, zorder=1)
        self.bars_ = None
        if below is not None:
            self.bars_ = self._draw_counts(below, colors[len(before)] if one else None)
        ax.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that is right")
        if not before:
            (ax if below is None else below).set_xlabel("predicted probability")
        if legend:
            shown = before + list(self.lines_.values())
            _legend(ax, below, shown, room)
        write_caption(ax, caption, "")
        self.ax_, self.counts_ax_, self.figure_ = ax, below, ax.figure
        return self

    def _draw_counts(self, ax: Any, color: Any) -> Any:
        """Draw the shares in the color of the only curve, or in one of none of several."""
        shares = self.overall.counts / self.overall.counts.sum()
        widths = np.diff(self.edges)
        color = ink_of(ax).faint if color is None else color
        edge = ink_of(ax).edge(color)
        bars = ax.bar(
            self.edges[:-1], shares, widths, align="edge", color=color, edgecolor=edge, alpha=0.6
        )
        ax.set(ylabel="share of\npredictions", ylim=(0, None))
        return bars


def _binned(sure: NDArray[Any], right: NDArray[np.bool_], n_bins: int) -> Reliability:
    """Summarize predictions in the bins that are drawn, and their error in the usual ones."""
    bins = bins_of(sure, n_bins)
    counts = np.bincount(bins, minlength=n_bins)
    each = np.where(counts > 0, counts, np.nan)
    confidence = np.bincount(bins, weights=sure, minlength=n_bins) / each
    accuracy = np.bincount(bins, weights=right, minlength=n_bins) / each
    return Reliability(confidence, accuracy, counts, mean_gap(sure, right))


def _two_axes(ax: Any, width: float) -> tuple[Any, Any]:
    """Return where curves and shares are drawn: both in a new figure, or as given."""
    if ax is None:
        size = (width * letter_scale(), 5.0 * letter_scale())
        _, (above, below) = pyplot().subplots(
            2, 1, figsize=size, height_ratios=(4, 1), sharex=True, layout="constrained"
        )
        return above, below
    several = isinstance(ax, Sequence) or getattr(ax, "ndim", 0) == 1
    if several and len(ax) == 2:
        return new_axes(ax[0], 0, 0), new_axes(ax[1], 0, 0)
    return new_axes(ax, 0, 0), None


def _legend(ax: Any, below: Any, lines: list[Any], room: float | None) -> None:
    names = [line.get_label() for line in lines]
    if len(lines) > _FEW:
        legend_beside(ax, lines, names, room, [] if below is None else [below])
    else:
        ax.legend(lines, names, frameon=False, loc="best")


def _draw(ax: Any, name: str, curve: Reliability, number: int, color: Any, given: Any) -> Any:
    from matplotlib.lines import Line2D

    there = curve.counts > 0
    style = {
        "color": color,
        "linestyle": LINES[number % len(LINES)],
        "marker": MARKERS[number % len(MARKERS)],
        "markersize": 5,
        "linewidth": 1.4,
        "markeredgecolor": ink_of(ax).edge(color),
        "markeredgewidth": 0.5,
        "clip_on": False,  # a bin may be right altogether
    }
    options = merged(Line2D, style, given)
    told = f"{as_text(name)}, " if name else ""
    options |= {"label": f"{told}ECE {curve.error:.3f}", "gid": _CURVE}
    return ax.plot(curve.confidence[there], curve.accuracy[there], **options)[0]
