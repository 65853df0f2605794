"""A picture of the slices of an embedding, each with its threshold."""

from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils import check_random_state

from skfer._typing import ArrayLike, NDArray
from skfer.exceptions import ArgumentError
from skfer.inspection._labels import read_labels
from skfer.inspection._models import take_apart
from skfer.inspection._style import (
    inches_above,
    inches_across,
    ink_of,
    merged,
    several_axes,
    write_caption,
)
from skfer.metrics import recall_at_k
from skfer.validation import (
    UNLABELED,
    as_array,
    check_groups,
    check_int,
    check_rows,
    number_values,
    shown,
)

_LARGEST = 4.0  # squared distance of unit vectors
_N_BINS = 64
_FINEST = 32  # parts of a bin, for distances that differ little
_HEIGHT = 0.42  # of a distribution, in rows
_WIDE = 5.5  # inches, for two labels beside each other


class ThresholdDisplay:
    """Distances in each slice of an embedding with its threshold, and how well each slice searches.

    Make it by :meth:`from_estimator` or :meth:`from_embedding`, which draw it; :meth:`plot` draws
    it again.

    Parameters
    ----------
    thresholds : ndarray of shape (n_slices,)
        The margin between squared distances that the loss asks for in each slice.
    same : ndarray of shape (n_slices, n_same)
        Squared distances in each slice between faces of the same class.
    other : ndarray of shape (n_slices, n_other)
        Those between faces of different classes.
    recall : ndarray of shape (n_slices,)
        recall@1 of each slice by itself.
    recall_all : float
        recall@1 of all slices together.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        Where distances and recall were drawn.
    figure_ : matplotlib Figure
        Their figure.
    same_ : list of PolyCollection
        Distributions of the same class, a slice each.
    other_ : list of PolyCollection
        Distributions of different classes.
    margins_ : list of Line2D
        The thresholds, each from the mean distance in the same class on.
    bars_ : BarContainer
        recall@1 of the slices.

    See Also
    --------
    skfer.MultiThresholdEmbedder : What learns such slices.

    Notes
    -----
    Slices are brought to unit length, so that squared distances are between 0 and 4. They are as
    ``transform`` gives them: with ``normalize_embedding``, of the embedding less its mean, which
    the loss does not take off. A triplet is satisfied in a slice where the face of another class is
    farther than the one of the same class by the slice's threshold. On average it is where the mean
    of the distances to other classes lies beyond the line that is drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.inspection import ThresholdDisplay
    >>> Z = [[1, 0, 0, 1], [1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1]]
    >>> display = ThresholdDisplay.from_embedding(Z, [0, 0, 1, 1], [0.5, 1.0])
    >>> display.same.tolist(), display.recall.tolist()
    ([[0.0, 0.0], [2.0, 2.0]], [1.0, 0.0])
    """

    def __init__(
        self,
        *,
        thresholds: NDArray[np.float64],
        same: NDArray[np.float64],
        other: NDArray[np.float64],
        recall: NDArray[np.float64],
        recall_all: float,
    ) -> None:
        self.thresholds = thresholds
        self.same = same
        self.other = other
        self.recall = recall
        self.recall_all = recall_all

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        n_pairs: int = 20_000,
        random_state: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Embed faces and draw the distances in the slices.

        Parameters
        ----------
        estimator : fitted MultiThresholdEmbedder, or a pipeline or search that holds one
            What embeds.
        X : array-like
            Faces, best of persons that were not seen in training.
        y : array-like of shape (n,)
            Labels, numbers or words; faces without one are left out.
        groups : array-like of shape (n,), default=None
            Persons: distances within a person do not count, and faces of one's own are not found.
        n_pairs : int, default=20000
            The most distances of each kind; of more so many are drawn at random.
        random_state : int, RandomState or None, default=None
            Draws them.
        ax : matplotlib Axes or two of them, default=None
            Where to draw: distances and recall, or one to divide; new axes by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        ThresholdDisplay
            The display, drawn.
        """
        model = take_apart(estimator, "show its thresholds", "slices_")
        return cls.from_embedding(
            model.embedder.transform(model.prepared(X)),
            y,
            model.embedder.thresholds_,
            groups=groups,
            n_pairs=n_pairs,
            random_state=random_state,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_embedding(
        cls,
        embedding: ArrayLike,
        y: ArrayLike,
        thresholds: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        n_pairs: int = 20_000,
        random_state: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the distances in the slices of an embedding.

        Parameters
        ----------
        embedding : array-like of shape (n, embedding_dim)
            The embedding; its slices follow each other and are of one size.
        y : array-like of shape (n,)
            Labels, numbers or words; faces without one are left out.
        thresholds : array-like of shape (n_slices,)
            The threshold of each slice.
        groups : array-like of shape (n,), default=None
            Persons: distances within a person do not count, and faces of one's own are not found.
        n_pairs : int, default=20000
            The most distances of each kind; of more so many are drawn at random.
        random_state : int, RandomState or None, default=None
            Draws them.
        ax : matplotlib Axes or two of them, default=None
            Where to draw: distances and recall, or one to divide; new axes by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        ThresholdDisplay
            The display, drawn.

        Raises
        ------
        ArgumentError
            If the arguments do not fit together, or no two faces are of the same class, or of
            different ones.
        """
        rows = check_rows(embedding, "embedding")
        margins = _check_thresholds(thresholds, rows.shape[1])
        check_int(n_pairs, "n_pairs", at_least=1)
        labels = read_labels(y, n_samples=len(rows), rows_name="embedding")
        known = labels.codes != UNLABELED
        persons = None
        if groups is not None:
            checked = check_groups(groups, n_samples=len(rows), rows_name="embedding")
            persons = number_values(checked, names=["groups"])[0][known]
        slices = _unit_slices(rows[known], len(margins))
        codes = labels.codes[known]
        same, other = _pairs(codes, persons, n_pairs, random_state)
        flat = slices.reshape(len(slices), -1)
        return cls(
            thresholds=margins,
            same=_distances(slices, same),
            other=_distances(slices, other),
            recall=np.array(
                [recall_at_k(part, codes, groups=persons) for part in slices.transpose(1, 0, 2)]
            ),
            recall_all=float(recall_at_k(flat, codes, groups=persons)),
        ).plot(ax=ax, **kwargs)

    def plot(
        self, ax: Any = None, *, cmap: Any = None, caption: str | None = None, **kwargs: Any
    ) -> Self:
        """Draw distances and recall, a row for each slice.

        Parameters
        ----------
        ax : matplotlib Axes or two of them, default=None
            Where to draw: distances and recall, or one to divide; new axes by default.
        cmap : str or Colormap, default=None
            Colors of the same and of other classes; by default a palette that color-blind readers
            tell apart.
        caption : str, default=None
            What stands above; by default what is drawn. ``""`` leaves it out.
        **kwargs : dict
            Passed to ``ax.fill_between`` for the distributions.

        Returns
        -------
        ThresholdDisplay
            This display, with the attributes told above.
        """
        n = len(self.thresholds)
        axes = several_axes(ax, 2, columns=2, panel=(3.9, 1.1 + 0.42 * n), ratios=(1.7, 1))
        ink = ink_of(axes[0])
        looks = [
            _Look(color, ink.edge(color), up)
            for color, up in zip(ink.colors(2, cmap), (-1, 1), strict=True)
        ]
        self.same_ = [_hump(axes[0], k, row, looks[0], kwargs) for k, row in enumerate(self.same)]
        self.other_ = [_hump(axes[0], k, row, looks[1], kwargs) for k, row in enumerate(self.other)]
        self.margins_ = [
            _margin(axes[0], k, float(row.mean()), threshold, ink)
            for k, (row, threshold) in enumerate(zip(self.same, self.thresholds, strict=True))
        ]
        for k, row in enumerate(self.other):
            axes[0].plot(row.mean(), k, marker="D", color=ink.text, markersize=4.5, zorder=4)
        self.bars_ = axes[1].barh(
            np.arange(n), self.recall, 0.6, color=looks[0].color, edgecolor=looks[0].edge
        )
        axes[1].axvline(self.recall_all, color=ink.text, linestyle="--", linewidth=1.4)
        self._label(axes, ink)
        told = "Above same class, below others; line: the threshold, from the same class's mean on"
        write_caption(axes[0], caption, told, inches_above(axes, self._words()))
        self.axes_, self.figure_ = axes, axes[0].figure
        return self

    def _words(self) -> list[str]:
        return [f"threshold {threshold:.2f}" for threshold in self.thresholds]

    def _label(self, axes: list[Any], ink: Any) -> None:
        n = len(self.thresholds)
        for ax in axes:
            ax.set_ylim(n - 0.4, -0.6)
            ax.spines[["top", "right", "left"]].set_visible(False)
            ax.tick_params(axis="y", length=0)
        axes[0].set_yticks(np.arange(n), self._words())
        axes[1].set_yticks(np.arange(n), [""] * n)
        farthest = max(np.quantile(self.other, 0.999), np.quantile(self.same, 0.999))
        last = float((self.same.mean(axis=1) + self.thresholds).max())
        axes[0].set(xlim=(0, max(min(_LARGEST, float(farthest) * 1.05 + 0.05), 1.03 * last)))
        stop = "; "
        options: dict[str, Any] = {}
        if inches_across(*axes) < _WIDE:
            stop, options = ";\n", {"size": "small", "labelpad": -1}
        axes[0].set_xlabel(f"squared distance in the slice{stop}diamond: mean of others", **options)
        most = max(float(np.nanmax(self.recall)), self.recall_all)
        axes[1].set(xlim=(0, min(1.02, 1.2 * most + 0.05)))
        axes[1].set_xlabel(f"recall@1{stop}dashed: all slices, {self.recall_all:.2f}", **options)


class _Look(NamedTuple):
    color: Any
    edge: Any
    side: int


def _check_thresholds(thresholds: Any, n_columns: int) -> NDArray[np.float64]:
    values = as_array(thresholds, "thresholds", np.float64)
    if values.ndim != 1 or len(values) == 0 or n_columns % len(values):
        raise ArgumentError(
            "{thresholds} must be one for each slice, and {embedding} of {} columns be divided "
            "evenly; got {}.",
            n_columns,
            shown(thresholds),
        )
    return values


def _unit_slices(rows: NDArray[Any], n_slices: int) -> NDArray[np.float64]:
    """Return unit vectors of shape (n, n_slices, size); a slice of zeros stays as it is."""
    slices = rows.astype(np.float64).reshape(len(rows), n_slices, -1)
    largest = np.abs(slices).max(axis=2, keepdims=True)
    slices = slices / np.where(largest > 0, largest, 1)
    lengths = np.linalg.norm(slices, axis=2, keepdims=True)
    return slices / np.where(lengths > 0, lengths, 1)


def _pairs(
    codes: NDArray[np.intp], groups: NDArray[np.intp] | None, most: int, random_state: Any
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return pairs of rows of the same class, and of others: all, or some drawn at random."""
    n = len(codes)
    if n * (n - 1) // 2 <= 8 * most:
        drawn = within = np.stack(np.triu_indices(n, 1))
    else:
        rng = check_random_state(random_state)
        drawn = rng.randint(n, size=(2, 16 * most))
        within = _pairs_within(codes, most, rng)  # among many classes, chance finds few of them
    found = []
    for (one, other), same in ((within, True), (drawn, False)):
        fits = (one != other) & ((codes[one] == codes[other]) == same)
        if groups is not None:
            fits &= groups[one] != groups[other]
        found.append(_some(np.stack([one[fits], other[fits]]), most))
    for pairs, kind in zip(found, ("the same class", "different classes"), strict=True):
        if pairs.shape[1] == 0:
            raise ArgumentError(
                "{y} has no two faces of {} (and of different persons): there is nothing to show.",
                kind,
            )
    return found[0], found[1]


def _pairs_within(
    codes: NDArray[np.intp], most: int, rng: np.random.RandomState
) -> NDArray[np.intp]:
    """Return pairs of different rows of the same class: all, or some drawn, each as likely."""
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    starts = np.cumsum(sizes) - sizes
    n_pairs = sizes * (sizes - 1) // 2
    if n_pairs.sum() <= 8 * most:
        there = np.flatnonzero(n_pairs)
        pairs = [np.zeros((2, 0), dtype=np.intp)]
        pairs += [np.stack(np.triu_indices(sizes[c], 1)) + starts[c] for c in there]
        return order[np.concatenate(pairs, axis=1)]
    drawn = rng.choice(len(sizes), size=16 * most, p=n_pairs / n_pairs.sum())
    one, other = rng.randint(sizes[drawn]), rng.randint(sizes[drawn] - 1)
    other += other >= one
    return order[np.stack([one, other]) + starts[drawn]]


def _some(pairs: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """At most so many pairs, evenly chosen."""
    n = pairs.shape[1]
    return pairs if n <= most else pairs[:, np.linspace(0, n - 1, most).astype(np.intp)]


def _distances(slices: NDArray[np.float64], pairs: NDArray[np.intp]) -> NDArray[np.float64]:
    """Squared distances of shape (n_slices, n_pairs)."""
    columns = [
        np.square(slices[pairs[0], k] - slices[pairs[1], k]).sum(axis=1)
        for k in range(slices.shape[1])
    ]
    return np.stack(columns)


def _hump(ax: Any, place: int, distances: NDArray[Any], look: _Look, given: Any) -> Any:
    """Draw a distribution on one side of a row's middle."""
    from matplotlib.collections import PolyCollection

    # Those of a collapsed embedding lie close together, and would be in one bin of the usual width.
    apart = np.diff(np.quantile(distances, (0.01, 0.99))).item()
    n_bins = _N_BINS * int(np.clip(16 / _N_BINS * _LARGEST / max(apart, 1e-300), 1, _FINEST))
    heights, edges = np.histogram(distances, n_bins, (0, _LARGEST))
    # Three bins at a time: the shape counts, not the noise.
    smooth = np.convolve(heights, (0.25, 0.5, 0.25), mode="same")
    scaled = _HEIGHT * smooth / max(smooth.max(), 1e-300)
    usual = {"facecolor": look.color, "edgecolor": look.edge, "linewidth": 0.8, "alpha": 0.85}
    options = merged(PolyCollection, usual, given)
    if "color" in options:  # both at once
        options = {k: v for k, v in options.items() if k not in ("facecolor", "edgecolor")}
    middles = (edges[:-1] + edges[1:]) / 2
    return ax.fill_between(middles, place, place + look.side * scaled, **options)


def _margin(ax: Any, place: int, start: float, threshold: float, ink: Any) -> Any:
    (line,) = ax.plot(
        [start, start + threshold],
        [place, place],
        color=ink.text,
        linewidth=2.2,
        marker="|",
        markersize=9,
        markeredgewidth=1.6,
        zorder=3,
    )
    return line
