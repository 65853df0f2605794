"""A picture of several methods that were tried on the same folds."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.stats import t as student_t

from skfer._typing import ArrayLike, NDArray
from skfer.exceptions import ArgumentError
from skfer.inspection._style import MARKERS, as_text, ink_of, merged, several_axes, write_caption
from skfer.validation import as_array, as_list, check_choice, check_real, shown

_BENEATH = 0.22  # rows: the differences of the folds do not lie under the interval's line


class Interval(NamedTuple):
    """A mean and an interval around it; its ends are NaN for a single value."""

    mean: float
    low: float
    high: float


class ComparisonDisplay:
    """Scores of methods on the same folds, and their differences from one of them.

    Make it by :meth:`from_scores` or :meth:`from_fits`, which draw it; :meth:`plot` draws it again.

    Parameters
    ----------
    scores : dict of str to ndarray of shape (n_folds,)
        The scores of each method, fold by fold; NaN where there is none.
    baseline : str
        The method that the others are compared with.
    differences : dict of str to Interval
        Mean difference of each other method from it, and its interval.
    measure : str, default="score"
        What the scores are.
    confidence : float, default=0.95
        Probability of the intervals.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        Where scores and differences were drawn; the second only where there are several methods.
    figure_ : matplotlib Figure
        Their figure.
    points_ : dict of str to Line2D
        The scores of each method.
    means_ : dict of str to Line2D
        Their means.
    intervals_ : dict of str to Line2D
        The intervals of the differences.

    See Also
    --------
    skfer.evaluation.compare : Makes the fits.
    skfer.evaluation.paired_difference : The numbers alone.

    Notes
    -----
    The training sets of folds overlap, so that scores are not independent. The variance of the mean
    difference is that of Nadeau and Bengio [1]_, ``(1 / n + n_test / n_train) * var``, and the
    interval is Student's with n - 1 degrees of freedom.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning 52,
       2003.

    Examples
    --------
    >>> from skfer.inspection import ComparisonDisplay
    >>> display = ComparisonDisplay.from_scores(
    ...     {"cross-entropy": [0.61, 0.64, 0.60], "multi-threshold": [0.63, 0.67, 0.61]},
    ...     measure="accuracy",
    ... )
    >>> found = display.differences["multi-threshold"]
    >>> round(found.mean, 3), round(found.low, 3), round(found.high, 3)
    (0.02, -0.019, 0.059)
    """

    def __init__(
        self,
        *,
        scores: dict[str, NDArray[np.float64]],
        baseline: str,
        differences: dict[str, Interval],
        measure: str = "score",
        confidence: float = 0.95,
    ) -> None:
        self.scores = scores
        self.baseline = baseline
        self.differences = differences
        self.measure = measure
        self.confidence = confidence

    @classmethod
    def from_scores(
        cls,
        scores: Mapping[str, ArrayLike],
        *,
        baseline: str | None = None,
        n_train: float | None = None,
        n_test: float | None = None,
        measure: str = "score",
        confidence: float = 0.95,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw scores of methods on the same folds.

        Parameters
        ----------
        scores : dict of str to array-like of shape (n_folds,)
            The scores of each method in the same order of folds, as ``cross_val_score`` gives them.
        baseline : str, default=None
            The method that the others are compared with; the first by default.
        n_train, n_test : float, default=None
            Samples in the two parts of a fold; by default as in cross-validation with so many
            folds.
        measure : str, default="score"
            What the scores are, for the axes.
        confidence : float, default=0.95
            Probability of the intervals.
        ax : matplotlib Axes or two of them, default=None
            Where to draw: scores and differences, or one to divide; new axes by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        ComparisonDisplay
            The display, drawn.

        Raises
        ------
        ArgumentError
            If the methods have scores of different folds, or there is no such method.
        """
        table = _as_table(scores)
        check_real(confidence, "confidence", above=0, below=1)
        baseline = next(iter(table)) if baseline is None else baseline
        check_choice(baseline, "baseline", list(table))
        n_folds = len(table[baseline])
        share = 1 / max(1, n_folds - 1)
        if n_train is not None and n_test is not None:
            check_real(n_train, "n_train", above=0)
            share = check_real(n_test, "n_test", at_least=0) / n_train
        differences = {
            name: _interval(values - table[baseline], share, confidence)
            for name, values in table.items()
            if name != baseline
        }
        return cls(
            scores=table,
            baseline=baseline,
            differences=differences,
            measure=measure,
            confidence=confidence,
        ).plot(ax=ax, **kwargs)

    @classmethod
    def from_fits(
        cls,
        fits: Iterable[Any],
        measure: str = "balanced_accuracy",
        *,
        baseline: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw what an evaluation found.

        Parameters
        ----------
        fits : iterable of skfer.evaluation.Fit or dict
            What :func:`skfer.evaluation.compare` yields, or the list of them in what
            ``skfer evaluate --json`` writes. Fits of one method and fold that differ in their seed
            are averaged.
        measure : str, default="balanced_accuracy"
            One of the measures of the fits' scores.
        baseline : str, default=None
            The method that the others are compared with; the first by default.
        ax : matplotlib Axes or two of them, default=None
            Where to draw: scores and differences, or one to divide; new axes by default.
        **kwargs : dict
            Passed to :meth:`from_scores` and :meth:`plot`.

        Returns
        -------
        ComparisonDisplay
            The display, drawn.
        """
        records = [_record(fit) for fit in as_list(fits, "fits", "fits")]
        if not records:
            raise ArgumentError("{fits} is empty: there is nothing to compare.")
        known = records[0]["scores"]
        check_choice(measure, "measure", list(known))
        sizes = {
            part: float(np.mean([record[part] for record in records]))
            for part in ("n_train", "n_test")
        }
        name = measure.replace("_", " ")
        options = {"measure": name, "baseline": baseline} | sizes | kwargs
        return cls.from_scores(_scores_of(records, measure), ax=ax, **options)

    def plot(
        self, ax: Any = None, *, cmap: Any = None, caption: str | None = None, **kwargs: Any
    ) -> Self:
        """Draw scores and differences.

        Parameters
        ----------
        ax : matplotlib Axes or two of them, default=None
            Where to draw: scores and differences, or one to divide; new axes by default.
        cmap : str or Colormap, default=None
            Colors of the methods; by default a palette that color-blind readers tell apart.
        caption : str, default=None
            What stands above; by default what is drawn. ``""`` leaves it out.
        **kwargs : dict
            Passed to ``ax.plot``, for the points of the folds.

        Returns
        -------
        ComparisonDisplay
            This display, with the attributes told above.
        """
        n = len(self.scores)
        panels = 1 + bool(self.differences)
        axes = several_axes(ax, panels, columns=2, panel=(3.8, 0.9 + 0.36 * n))
        ink = ink_of(axes[0])
        colors = dict(zip(self.scores, ink.colors(n, cmap), strict=True))
        self.points_, self.means_, self.intervals_ = {}, {}, {}
        for place, (name, values) in enumerate(self.scores.items()):
            style = _Style(colors[name], MARKERS[place % len(MARKERS)], ink.edge(colors[name]))
            self.points_[name] = _points(axes[0], values, place, style, kwargs)
            self.means_[name] = _mean(axes[0], float(np.nanmean(values)), place, style)
            if name in self.differences:
                apart, found = values - self.scores[self.baseline], self.differences[name]
                _points(axes[1], apart, place + _BENEATH, style, kwargs)
                _mean(axes[1], found.mean, place, style)
                (self.intervals_[name],) = axes[1].plot(
                    [found.low, found.high], [place] * 2, color=ink.text, linewidth=1.6, zorder=3
                )
        self._label(axes, ink)
        told = "Small: folds, large: their mean"
        if self.intervals_:
            told += f", line: {self.confidence:.0%} interval of the paired difference"
        write_caption(axes[0], caption, told)
        self.axes_, self.figure_ = axes, axes[0].figure
        return self

    def _label(self, axes: list[Any], ink: Any) -> None:
        places = np.arange(len(self.scores))
        for ax in axes:
            ax.set_yticks(places, [as_text(name) for name in self.scores])
            ax.set_ylim(len(places) - 0.5, -0.5)
            ax.spines[["top", "right", "left"]].set_visible(False)
            ax.tick_params(axis="y", length=0)
            ax.grid(axis="x", color=ink.faint, alpha=0.3, linewidth=0.6)
            ax.set_axisbelow(True)
        axes[0].set_xlabel(as_text(self.measure, 40))
        if len(axes) > 1:
            if _beside(*axes):
                axes[1].set_yticks(places, [""] * len(places))
            axes[1].axvline(0, color=ink.text, linewidth=0.8, zorder=1)
            axes[1].set_xlabel(f"difference from {as_text(self.baseline)}")


def _beside(left: Any, right: Any) -> bool:
    """Whether two axes share their rows, so that the left one's labels are enough."""
    return bool(np.isclose(left.get_position().y0, right.get_position().y0))


class _Style(NamedTuple):
    color: Any
    marker: str
    edge: Any


def _points(ax: Any, values: NDArray[Any], place: float, style: _Style, given: Any) -> Any:
    from matplotlib.lines import Line2D

    usual = {
        "linestyle": "none",
        "marker": style.marker,
        "color": style.color,
        "markersize": 4,
        "alpha": 0.6,
        "markeredgewidth": 0,
        "zorder": 2,
    }
    return ax.plot(values, np.full(len(values), place), **merged(Line2D, usual, given))[0]


def _mean(ax: Any, value: float, place: int, style: _Style) -> Any:
    return ax.plot(
        [value],
        [place],
        linestyle="none",
        marker=style.marker,
        color=style.color,
        markersize=8,
        markeredgecolor=style.edge,
        markeredgewidth=1,
        zorder=4,
    )[0]


def _as_table(scores: Any) -> dict[str, NDArray[np.float64]]:
    if not isinstance(scores, Mapping) or not scores:
        raise ArgumentError(
            "{scores} must be a dict from methods to their scores on each fold, got {}.",
            shown(scores),
        )
    table = {str(name): as_array(values, "scores", float) for name, values in scores.items()}
    first = next(iter(table.values()))
    for name, values in table.items():
        if values.ndim != 1 or values.shape != first.shape or not np.isfinite(values).any():
            raise ArgumentError(
                "{scores} must have one score for each of the same folds: that of {} has shape {}, "
                "and that of {} {}.",
                shown(next(iter(table))),
                first.shape,
                shown(name),
                values.shape,
            )
    return table


def _interval(differences: NDArray[np.float64], share: float, confidence: float) -> Interval:
    """Student's interval of a mean over folds, by the variance of Nadeau and Bengio."""
    there = differences[np.isfinite(differences)]
    if len(there) == 0:
        return Interval(np.nan, np.nan, np.nan)
    mean = float(there.mean())
    if len(there) == 1:
        return Interval(mean, np.nan, np.nan)
    error = np.sqrt((1 / len(there) + share) * there.var(ddof=1))
    reach = float(student_t.ppf((1 + confidence) / 2, len(there) - 1) * error)
    return Interval(mean, mean - reach, mean + reach)


def _record(fit: Any) -> Mapping[str, Any]:
    record = fit if isinstance(fit, Mapping) else getattr(fit, "__dict__", {})
    if "scores" not in record:
        raise ArgumentError(
            "{fits} must hold what skfer.evaluation.compare yields, got {}.", shown(fit)
        )
    return record


def _scores_of(records: list[Mapping[str, Any]], measure: str) -> dict[str, NDArray[np.float64]]:
    """Return each method's scores by fold, the mean over seeds."""
    folds = sorted({record["fold"] for record in records})
    methods = dict.fromkeys(record["method"] for record in records)
    table = {name: np.full(len(folds), np.nan) for name in methods}
    for name, row in table.items():
        for place, fold in enumerate(folds):
            values = [
                record["scores"][measure]
                for record in records
                if record["method"] == name and record["fold"] == fold
            ]
            there = [value for value in values if value is not None]
            row[place] = np.mean(there) if there else np.nan
    return table
