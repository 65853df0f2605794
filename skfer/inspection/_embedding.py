"""A picture of an embedding in the plane."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from skfer._typing import ArrayLike, NDArray
from skfer.exceptions import ArgumentError
from skfer.inspection._faces import check_faces, faces_of
from skfer.inspection._labels import (
    NO_LABEL,
    Labels,
    alike,
    or_unlabeled,
    read_labels,
    read_predictions,
)
from skfer.inspection._models import embed, image_shape_of, predictions, subclasses
from skfer.inspection._projection import project
from skfer.inspection._scatter import (
    Group,
    add_pictures,
    fit_view,
    ring,
    scatter,
    sizes_of,
    spread_rows,
)
from skfer.inspection._style import MARKERS, as_text, ink_of, legend_beside, new_axes, write_caption
from skfer.inspection._words import are_other_classes
from skfer.validation import (
    UNLABELED,
    as_column,
    check_flag,
    check_int,
    check_labels,
    check_rows,
    shown,
)

_LEGEND = 2.2  # inches of a figure of one's own, for the legend
_IN_LEGEND = 40.0  # the least area of a marker there


class EmbeddingDisplay:
    """An embedding in the plane: one color and marker a class.

    Make it by :meth:`from_estimator` or :meth:`from_embedding`, which draw it; :meth:`plot` draws
    it again.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Where the samples lie.
    y : ndarray of shape (n,)
        Their labels, numbers or words; unlabeled ones are drawn as such.
    y_pred : ndarray of shape (n,), default=None
        Predicted labels: where they differ from y a sample is marked as wrong.
    subclass : ndarray of shape (n,), default=None
        Sub-class of each sample, any integers: each gets a marker of its own in its class's color.
    is_training : ndarray of shape (n,), bool, default=None
        Samples that are drawn pale, beneath the others.
    images : sequence of pictures, default=None
        The faces, for :meth:`plot` with ``n_pictures``.
    names : sequence, mapping or Bunch, default=None
        ``names[code]`` is the name of an integer class, as in ``bunch.target_names``; or a dict
        from labels to names, or the Bunch.
    told : str, default=""
        How the points were found, for the caption.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
    scatters_ : dict of str to PathCollection
        The points, by what the legend calls them.
    wrong_ : PathCollection or None
        Rings around the samples that are predicted wrongly.
    pictures_ : list of AnnotationBbox
        The faces at some of the points.
    legend_ : matplotlib Legend or None
        The legend, if there is more than one kind of point.

    See Also
    --------
    RetrievalDisplay : The nearest faces themselves, by distances in all coordinates.
    SubclassDisplay : The faces of the sub-classes.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.inspection import EmbeddingDisplay
    >>> display = EmbeddingDisplay.from_embedding(np.eye(4), [0, 0, 1, 1], names=["joy", "rage"])
    >>> display.points.shape, list(display.scatters_)
    ((4, 2), ['joy', 'rage'])
    """

    def __init__(
        self,
        points: NDArray[Any],
        y: ArrayLike,
        *,
        y_pred: ArrayLike | None = None,
        subclass: ArrayLike | None = None,
        is_training: ArrayLike | None = None,
        images: Any = None,
        names: Any = None,
        told: str = "",
    ) -> None:
        self.points = points
        self.y = y
        self.y_pred = y_pred
        self.subclass = subclass
        self.is_training = is_training
        self.images = images
        self.names = names
        self.told = told

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike | None = None,
        *,
        X_train: Any = None,
        y_train: ArrayLike | None = None,
        names: Any = None,
        projection: Any = "pca",
        mark_errors: bool = True,
        show_subclasses: bool = True,
        images: Any = None,
        random_state: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Embed X by a fitted model, take it to the plane and draw it.

        Parameters
        ----------
        estimator : fitted embedder, pipeline or search
            What embeds. A classifier at the end of a pipeline is left out of the embedding; its
            predictions tell which samples are marked as wrong.
        X : array-like
            Faces (or rows) to show.
        y : array-like of shape (n,), default=None
            Their labels, numbers or words.
        X_train, y_train : array-like, default=None
            A training set to draw beneath, in pale. PCA and transformers that can be applied to new
            samples are fitted to it alone.
        names : sequence, mapping or Bunch, default=None
            Names of integer classes: ``bunch.target_names``, a dict, or the Bunch.
        projection : {"pca", "tsne", "umap"} or transformer, default="pca"
            What takes the embedding to the plane. A transformer is cloned and fitted. UMAP needs
            umap-learn.
        mark_errors : bool, default=True
            Whether samples that the model predicts wrongly are marked, if it predicts classes of
            `y`: finer ones, or of something else, are shown without.
        show_subclasses : bool, default=True
            Whether sub-classes that a :class:`~skfer.GaussianMetricEmbedder` has found get markers
            of their own.
        images : sequence of pictures, default=None
            The faces, where X holds none.
        random_state : int, RandomState or None, default=None
            For t-SNE and UMAP.
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        EmbeddingDisplay
            The display, drawn.
        """
        check_flag(mark_errors, "mark_errors")
        check_flag(show_subclasses, "show_subclasses")
        classes = getattr(estimator, "classes_", None)
        y, y_train = alike(y, classes, names), alike(y_train, classes, names)
        embedding = embed(estimator, X)
        by_class = y is None or not are_other_classes(estimator, y)
        judged = mark_errors and by_class and y is not None
        predicted = predictions(estimator, X) if judged else None
        found = subclasses(estimator, X, y) if show_subclasses and by_class else None
        reference = None
        if X_train is not None:
            reference = embed(estimator, X_train)
            if found is not None:
                found = np.concatenate([subclasses(estimator, X_train, y_train), found])
        return cls._computed(
            embedding,
            y,
            reference,
            y_train,
            names=names,
            projection=projection,
            y_pred=predicted,
            subclass=found,
            images=faces_of(X, images, len(embedding), image_shape_of(estimator)),
            random_state=random_state,
        ).plot(ax=ax, **kwargs)

    @classmethod
    def from_embedding(
        cls,
        embedding: ArrayLike,
        y: ArrayLike | None = None,
        *,
        embedding_train: ArrayLike | None = None,
        y_train: ArrayLike | None = None,
        names: Any = None,
        projection: Any = "pca",
        y_pred: ArrayLike | None = None,
        subclass: ArrayLike | None = None,
        images: Any = None,
        random_state: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Take an embedding to the plane and draw it.

        Parameters
        ----------
        embedding : array-like of shape (n, embedding_dim)
            The embedding; of one coordinate each class gets a row.
        y : array-like of shape (n,), default=None
            Labels, numbers or words.
        embedding_train, y_train : array-like, default=None
            A training set to draw beneath, in pale.
        names : sequence, mapping or Bunch, default=None
            Names of integer classes: ``bunch.target_names``, a dict, or the Bunch.
        projection : {"pca", "tsne", "umap"} or transformer, default="pca"
            What takes the embedding to the plane.
        y_pred : array-like of shape (n,), default=None
            Predicted labels: those that differ from y are marked as wrong.
        subclass : array-like of shape (n,), default=None
            Sub-classes, which get markers of their own.
        images : sequence of pictures, default=None
            The faces, to be shown at some of the points by ``n_pictures``.
        random_state : int, RandomState or None, default=None
            For t-SNE and UMAP.
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        EmbeddingDisplay
            The display, drawn.

        Raises
        ------
        ArgumentError
            If the arguments do not fit together, or an integer class has no name.
        """
        rows = check_rows(embedding, "embedding")
        reference = None
        if embedding_train is not None:
            reference = check_rows(embedding_train, "embedding_train")
            if reference.shape[1] != rows.shape[1]:
                raise ArgumentError(
                    "{embedding_train} has {} columns and {embedding} {}: embed both by the same "
                    "model.",
                    reference.shape[1],
                    rows.shape[1],
                )
        return cls._computed(
            rows,
            y,
            reference,
            y_train,
            names=names,
            projection=projection,
            y_pred=y_pred,
            subclass=subclass,
            images=images,
            random_state=random_state,
        ).plot(ax=ax, **kwargs)

    @classmethod
    def _computed(
        cls,
        embedding: NDArray[Any],
        y: Any,
        reference: NDArray[Any] | None,
        y_train: Any,
        *,
        names: Any,
        projection: Any,
        y_pred: Any,
        subclass: Any,
        images: Any,
        random_state: Any,
    ) -> Self:
        y = or_unlabeled(alike(y, y_pred, names), len(embedding))
        read_labels(y, names, n_samples=len(embedding), rows_name="embedding")
        if images is not None:
            images = check_faces(images, len(embedding), beside="embedding")
        n_train = 0
        if reference is not None:
            n_train = len(reference)
            y_train = or_unlabeled(alike(y_train, y_pred, names), n_train)
            read_labels(
                y_train, names, n_samples=n_train, argument="y_train", rows_name="embedding_train"
            )
            y = np.concatenate([y_train, y])
        codes = read_labels(y, names).codes
        plane = project(embedding, reference, codes, projection, random_state)
        subclass = _check_subclass(subclass, len(embedding), n_train)
        if y_pred is not None:
            y_pred = check_labels(y_pred, "y_pred", n_samples=len(embedding), allow_unlabeled=True)
            y_pred = np.concatenate([y[:n_train], y_pred])
        is_training = None if reference is None else np.arange(len(y)) < n_train
        return cls(
            plane.points,
            y,
            y_pred=y_pred,
            subclass=subclass,
            is_training=is_training,
            images=images,
            names=names,
            told=plane.told,
        )

    def plot(
        self,
        ax: Any = None,
        *,
        n_pictures: int = 0,
        cmap: Any = None,
        legend: bool = True,
        caption: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default. Given ones become narrower by their legend, if their
            figure has no layout engine, such as ``layout="constrained"``.
        n_pictures : int, default=0
            At about how many points, spread over the plane, the face is shown.
        cmap : str or Colormap, default=None
            Colors of the classes; by default a palette that color-blind readers tell apart.
        legend : bool, default=True
            Whether the classes are named beside the axes.
        caption : str, default=None
            What stands above; by default how the points were found. ``""`` leaves it out.
        **kwargs : dict
            Passed to ``ax.scatter``. Arrays of one value a sample are taken apart by class.

        Returns
        -------
        EmbeddingDisplay
            This display, with the attributes told above.
        """
        check_int(n_pictures, "n_pictures", at_least=0)
        check_flag(legend, "legend")
        own_figure = ax is None
        ax = new_axes(ax, 6.4, 4.8)
        ink = ink_of(ax)
        labels = read_labels(self.y, self.names, n_samples=len(self.points), rows_name="points")
        colors = [*ink.colors(len(labels.names), cmap), ink.faint]  # the last of the unlabeled
        groups = _groups(labels, colors, self.subclass, self.is_training)
        drawn = scatter(ax, self.points, groups, kwargs, cmap)
        self.scatters_ = {
            group.name + group.suffix: one for group, one in zip(groups, drawn, strict=True)
        }
        wrong = np.zeros(len(labels.codes), dtype=bool)
        if self.y_pred is not None:
            _, wrong = read_predictions(self.y_pred, self.y)
        self.wrong_ = None
        if wrong.any():
            size = kwargs.get("s")
            size = _sizes(groups, len(wrong))[wrong] if size is None or np.ndim(size) else size
            self.wrong_ = ring(ax, self.points[wrong], size)
        pictured = self._rows_of_pictures(n_pictures)
        self.pictures_ = self._add_pictures(ax, pictured, [colors[c] for c in labels.codes])
        self.caption_ = write_caption(ax, caption, self.told[:1].upper() + self.told[1:])
        self.legend_ = None
        if legend:
            room = _LEGEND if own_figure else None
            self.legend_ = _legend(ax, list(zip(groups, drawn, strict=True)), self.wrong_, room)
        ax.set(xticks=[], yticks=[])
        fit_view(ax, self.points, pictured, own_figure)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _rows_of_pictures(self, n: int) -> NDArray[np.intp]:
        """Return which points have their face shown, never those of a training set."""
        if not n:
            return np.arange(0)
        if self.images is None:
            raise ArgumentError("{n_pictures=} needs the faces: give {images}.", n_pictures=n)
        shown = self._rows_in_front()
        return shown[spread_rows(self.points[shown], n)]

    def _rows_in_front(self) -> NDArray[np.intp]:
        rows = np.arange(len(self.points))
        return rows if self.is_training is None else rows[~np.asarray(self.is_training)]

    def _add_pictures(self, ax: Any, rows: NDArray[np.intp], colors: Sequence[Any]) -> list[Any]:
        if not len(rows):
            return []
        front = self._rows_in_front()
        faces = check_faces(self.images, len(front), beside="the embedding")
        places = np.searchsorted(front, rows)
        return add_pictures(ax, self.points[front], faces, places, [colors[row] for row in front])


def _check_subclass(subclass: Any, n: int, n_train: int) -> NDArray[Any] | None:
    """Return the sub-class of every point, where those of the training set may be left out."""
    if subclass is None:
        return None
    column = as_column(subclass, "subclass")
    if len(column) == n and column.dtype.kind in "iu":
        return np.concatenate([np.full(n_train, UNLABELED), column])
    if len(column) != n + n_train or column.dtype.kind not in "iu":
        raise ArgumentError(
            "{subclass} must have an integer for each of the {} samples, got {}.",
            n,
            shown(subclass),
        )
    return column


def _groups(labels: Labels, colors: Sequence[Any], subclass: Any, is_training: Any) -> list[Group]:
    """Points that look alike: of one class, sub-class and part; those in front come last."""
    n = len(labels.codes)
    training = np.zeros(n, dtype=bool) if is_training is None else np.asarray(is_training)
    kinds = np.zeros(n, dtype=np.intp) if subclass is None else np.asarray(subclass)
    groups = []
    for pale in (True, False):
        marker = 0
        for code in range(UNLABELED, len(labels.names)):
            mine = labels.codes == code
            own = np.unique(kinds[mine & ~training]) if subclass is not None else np.unique(kinds)
            for number, kind in enumerate(own if code >= 0 and not pale else [None], 1):
                rows = mine & (training == pale)
                rows = rows if kind is None else rows & (kinds == kind)
                style = MARKERS[marker % len(MARKERS)] if code >= 0 else "."
                marker += code >= 0
                if not rows.any():
                    continue
                suffix = f" {number}" if len(own) > 1 and kind is not None else ""
                suffix += " (training)" if pale else ""
                places = np.flatnonzero(rows)
                groups.append(Group(labels.of(code), places, colors[code], style, pale, suffix))
    return groups


def _sizes(groups: Sequence[Group], n: int) -> NDArray[np.float64]:
    """Return the usual size of each point's marker."""
    sizes = np.zeros(n)
    for group, size in zip(groups, sizes_of(groups), strict=True):
        sizes[group.rows] = size
    return sizes


def _legend(ax: Any, drawn: list[tuple[Group, Any]], wrong: Any, room: float | None) -> Any:
    drawn = sorted(drawn, key=lambda item: item[0].name + item[0].suffix == NO_LABEL)
    names = [as_text(group.name) + group.suffix for group, _ in drawn]
    handles = [one for _, one in drawn]
    if wrong is not None:
        names, handles = [*names, "predicted wrongly"], [*handles, wrong]
    if len(handles) < 2:
        return None
    legend = legend_beside(ax, handles, names, room)
    for handle in legend.legend_handles:  # of small points too
        handle.set_sizes(np.maximum(handle.get_sizes(), _IN_LEGEND))
    return legend
