"""A picture of several methods that were tried on the same folds."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.stats import t as student_t

from skfer._paired import (
    Pair,
    Record,
    Run,
    are_of_seeds,
    by_unit,
    corrected_mean,
    pair_up,
    scores_by_run,
)
from skfer._typing import ArrayLike, NDArray
from skfer.exceptions import ArgumentError
from skfer.inspection._style import (
    MARKERS,
    as_text,
    inches_above,
    ink_of,
    merged,
    several_axes,
    write_caption,
)
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
        The scores of each method, fold by fold; NaN where there is none. Of fits on a single fold,
        seed by seed.
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
        # What only fits can tell: differences where some are missing, how many, and of what.
        self._apart: dict[str, NDArray[np.float64]] = {}
        self._suffixes: dict[str, str] = {}
        self._points = "folds"

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
            Samples in the two parts of a fold, both or neither; by default as in cross-validation
            with so many folds, each once. Give them of repeated folds, or the intervals are too
            narrow.
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
            If the methods have scores of different folds, there is no such method, or one of the
            sizes is missing.
        """
        table = _as_table(scores)
        baseline = _check_baseline(baseline, table)
        share = 1 / max(1, len(table[baseline]) - 1)
        if n_train is not None or n_test is not None:
            share = _share(n_train, n_test)
        check_real(confidence, "confidence", above=0, below=1)
        largest = float(np.nanmax(np.abs([*table.values()])))
        differences = {
            name: _interval(values - table[baseline], largest, share, confidence)
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
            What :func:`skfer.evaluation.compare` yields, or the lines of the file of fits that
            ``skfer evaluate --results`` writes. Fits of one method and fold that differ in their
            seed are averaged. A difference is of the folds and seeds with which both methods
            were fitted; where these are of a single fold, its seeds are compared.
        measure : str, default="balanced_accuracy"
            One of the measures of the fits' scores. Methods that have no value of it are left out.
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
        records = _check_fits(fits, measure)
        # Methods without a value of it are left out.
        runs = {
            name: scores
            for name, scores in scores_by_run(records, measure).items()
            if np.isfinite([*scores.values()]).any()
        }
        if not runs:
            raise ArgumentError("{measure=}: no fit has a value of it.", measure=measure)
        every = set().union(*runs.values())
        table = _as_table({name: by_unit(scores, every) for name, scores in runs.items()})
        baseline = _check_baseline(baseline, table)
        pairs = {
            name: pair_up(records, measure, name, baseline) for name in table if name != baseline
        }
        confidence = check_real(kwargs.pop("confidence", 0.95), "confidence", above=0, below=1)
        sizes = {part: kwargs.pop(part, None) for part in ("n_train", "n_test")}
        display = cls(
            scores=table,
            baseline=baseline,
            differences={
                name: _interval(
                    pair.differences, pair.largest, _share_of(pair, **sizes), confidence
                )
                for name, pair in pairs.items()
            },
            measure=measure.replace("_", " "),
            confidence=confidence,
        )
        display._tell_fits(runs, pairs)
        return display.plot(ax=ax, **kwargs)

    def _tell_fits(
        self, runs: Mapping[str, Mapping[Run, float]], pairs: Mapping[str, Pair]
    ) -> None:
        """Take over what only fits can tell, for the picture."""
        every = set().union(*runs.values())
        self._apart = {name: pair.differences for name, pair in pairs.items()}
        self._suffixes = {
            name: f" ({len(scores)} of {len(every)} fits)"
            for name, scores in runs.items()
            if len(scores) < len(every)
        }
        of_seeds = {are_of_seeds(every), *(pair.by_seed for pair in pairs.values())}
        self._points = " or ".join("seeds" if each else "folds" for each in sorted(of_seeds))

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
                found, apart = self.differences[name], self._apart.get(name)
                if apart is None:
                    apart = values - self.scores[self.baseline]
                _points(axes[1], apart, place + _BENEATH, style, kwargs)
                _mean(axes[1], found.mean, place, style)
                (self.intervals_[name],) = axes[1].plot(
                    [found.low, found.high], [place] * 2, color=ink.text, linewidth=1.6, zorder=3
                )
        self._label(axes, ink)
        told = f"Small: {self._points}, large: their mean"
        if self.intervals_:
            told += f", line: {self.confidence:.0%} interval of the paired difference"
        write_caption(axes[0], caption, told, inches_above(axes, self._words()))
        self.axes_, self.figure_ = axes, axes[0].figure
        return self

    def _words(self) -> list[str]:
        return [as_text(name) + self._suffixes.get(name, "") for name in self.scores]

    def _label(self, axes: list[Any], ink: Any) -> None:
        places = np.arange(len(self.scores))
        for ax in axes:
            ax.set_yticks(places, self._words())
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


def _check_fits(fits: Any, measure: str) -> list[Record]:
    """Return fits as dicts, method by method, if there are any and they have this measure."""
    records = [_record(fit) for fit in as_list(fits, "fits", "fits")]
    if not records:
        raise ArgumentError("{fits} is empty: there is nothing to compare.")
    check_choice(measure, "measure", list(records[0]["scores"]))
    return sorted(records, key=lambda record: record.get("place", 0))


def _record(fit: Any) -> Record:
    record = fit if isinstance(fit, Mapping) else getattr(fit, "__dict__", {})
    if "scores" not in record:
        raise ArgumentError(
            "{fits} must hold what skfer.evaluation.compare yields, got {}.", shown(fit)
        )
    return record


def _as_table(scores: Any) -> dict[str, NDArray[np.float64]]:
    if not isinstance(scores, Mapping) or not scores:
        raise ArgumentError(
            "{scores} must be a dict from methods to their scores on each fold, got {}.",
            shown(scores),
        )
    table = {str(name): as_array(values, "scores", float) for name, values in scores.items()}
    first = next(iter(table.values()))
    for name, values in table.items():
        if values.ndim == 1 and values.size and not np.isfinite(values).any():
            raise ArgumentError("{scores} of {} are not finite on any fold.", shown(name))
        if values.ndim != 1 or not values.size or values.shape != first.shape:
            raise ArgumentError(
                "{scores} must have one score for each of the same folds: that of {} has shape {}, "
                "and that of {} {}.",
                shown(next(iter(table))),
                first.shape,
                shown(name),
                values.shape,
            )
    return table


def _check_baseline(baseline: Any, table: Mapping[str, Any]) -> str:
    baseline = next(iter(table)) if baseline is None else baseline
    check_choice(baseline, "baseline", list(table))
    return str(baseline)


def _share(n_train: Any, n_test: Any) -> float:
    """Return the size of a fold's test part in terms of its training part's."""
    if n_train is None or n_test is None:
        raise ArgumentError(
            "{n_train=} and {n_test=} belong together: give both or neither.",
            n_train=n_train,
            n_test=n_test,
        )
    check_real(n_train, "n_train", above=0)
    return float(check_real(n_test, "n_test", at_least=0) / n_train)


def _share_of(pair: Pair, n_train: Any, n_test: Any) -> float:
    """Return the same of fits, but for sizes that were given."""
    if not len(pair.differences):
        return 0.0
    return _share(
        pair.n_train if n_train is None else n_train, pair.n_test if n_test is None else n_test
    )


def _interval(
    differences: NDArray[np.float64], largest: float, share: float, confidence: float
) -> Interval:
    """Student's interval of a mean over folds, by the variance of Nadeau and Bengio."""
    mean, error, n = corrected_mean(differences, largest, share)
    if error is None:
        return Interval(mean, np.nan, np.nan)
    reach = float(student_t.ppf((1 + confidence) / 2, n - 1) * error)
    return Interval(mean, mean - reach, mean + reach)
