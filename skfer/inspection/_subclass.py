"""A picture of the classes within classes."""

from typing import Any, Self

import numpy as np

from skfer._typing import ArrayLike, NDArray
from skfer.exceptions import ArgumentError
from skfer.inspection._faces import check_faces, faces_of
from skfer.inspection._grid import FaceGrid
from skfer.inspection._labels import Labels, or_unlabeled, read_labels
from skfer.inspection._models import image_shape_of, take_apart
from skfer.validation import UNLABELED, as_array, check_int, check_labels, check_rows, shown


class SubclassDisplay:
    """The faces of each Gaussian: their mean, and the ones nearest to its center.

    Make it by :meth:`from_estimator` or :meth:`from_embedding`, which draw it; :meth:`plot` draws
    it again.

    Parameters
    ----------
    labels : list of str
        What stands beside each row: the class, and the number of the sub-class if it has several.
    sizes : ndarray of shape (n_subclasses,)
        How many of the faces belong to each.
    posteriors : ndarray of shape (n_subclasses,) or None
        Mean posterior that its own faces have for their class; NaN without faces.
    nearest : ndarray of shape (n_subclasses, n_faces)
        Rows of the faces nearest to each center, nearest first.
    verdicts : ndarray of shape (n_subclasses, n_faces) of str
        ``"right"`` for faces of the row's class, ``"wrong"`` for others, ``"plain"`` for those
        without a label.
    mean_faces : list of ndarray or None
        The mean of the faces of each; None without faces, or where pictures differ in size.
    faces : list of list of ndarray
        The pictures of the nearest.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        Its figure.
    images_ : list of AxesImage
        The pictures, row by row, each mean first.
    frames_ : list of Rectangle
        The frames of the nearest.

    See Also
    --------
    skfer.GaussianMetricEmbedder : What finds sub-classes.
    EmbeddingDisplay : Where they lie.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.inspection import SubclassDisplay
    >>> images = np.zeros((4, 8, 8))
    >>> display = SubclassDisplay.from_embedding(
    ...     [[0.0], [1.0], [5.0], [7.0]], [0, 0, 1, 1], images, ["joy"] * 4, n_faces=2
    ... )
    >>> display.labels, display.sizes.tolist(), display.nearest.tolist()
    (['joy 1', 'joy 2'], [2, 2], [[0, 1], [2, 3]])
    """

    def __init__(
        self,
        *,
        labels: list[str],
        sizes: NDArray[np.intp],
        posteriors: NDArray[np.float64] | None,
        nearest: NDArray[np.intp],
        verdicts: NDArray[np.str_],
        mean_faces: list[NDArray[Any] | None],
        faces: list[list[NDArray[Any]]],
    ) -> None:
        self.labels = labels
        self.sizes = sizes
        self.posteriors = posteriors
        self.nearest = nearest
        self.verdicts = verdicts
        self.mean_faces = mean_faces
        self.faces = faces

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike | None = None,
        *,
        classes: ArrayLike | None = None,
        n_faces: int = 6,
        images: Any = None,
        names: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Find the sub-class of each face, and draw the faces of each.

        Parameters
        ----------
        estimator : fitted GaussianMetricEmbedder, or a pipeline or search that holds one
            What has found the sub-classes.
        X : array-like
            Faces, seen in training or not.
        y : array-like of shape (n,), default=None
            Labels, numbers or words, where they are known: a face then belongs to a sub-class of
            its own class, and the nearest faces of other classes are framed as wrong.
        classes : array-like, default=None
            The classes to show; by default those with more than one sub-class, or all if there is
            none.
        n_faces : int, default=6
            How many of the nearest are shown.
        images : sequence of pictures, default=None
            The faces, where X holds none.
        names : sequence, mapping or Bunch, default=None
            Names of integer classes: ``bunch.target_names``, a dict, or the Bunch.
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        SubclassDisplay
            The display, drawn.
        """
        parts = take_apart(estimator, "show its sub-classes", "predict_subclass")
        embedder, inner = parts.embedder, parts.prepared(X)
        embedding = embedder.transform(inner)
        faces = faces_of(X, images, len(embedding), image_shape_of(estimator))
        return cls.from_embedding(
            embedding,
            _assigned(embedder, inner, y, len(embedding)),
            faces,
            y,
            posterior=embedder.predict_proba(inner),
            n_faces=n_faces,
            names=names,
            ax=ax,
            **learned_subclasses(embedder, classes),
            **kwargs,
        )

    @classmethod
    def from_embedding(
        cls,
        embedding: ArrayLike,
        subclass: ArrayLike,
        images: Any,
        y: ArrayLike | None = None,
        *,
        centers: ArrayLike | None = None,
        subclass_to_class: ArrayLike | None = None,
        posterior: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        n_faces: int = 6,
        names: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the faces of sub-classes that are known.

        Parameters
        ----------
        embedding : array-like of shape (n, embedding_dim)
            The embedding.
        subclass : array-like of shape (n,)
            Sub-class of each face, from 0: a row of the centers.
        images : sequence of pictures
            The faces: arrays, a memmap, paths or PIL images.
        y : array-like of shape (n,), default=None
            Labels, numbers or words.
        centers : array-like of shape (n_subclasses, embedding_dim), default=None
            Center of each; by default the mean of its faces.
        subclass_to_class : array-like of shape (n_subclasses,), default=None
            The class of each; by default that of most of its faces.
        posterior : array-like of shape (n, n_classes), default=None
            Probability of every class of `y` and `subclass_to_class`, in sorted order.
        classes : array-like, default=None
            The classes to show; all by default.
        n_faces : int, default=6
            How many of the nearest are shown.
        names : sequence, mapping or Bunch, default=None
            Names of integer classes: ``bunch.target_names``, a dict, or the Bunch.
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        SubclassDisplay
            The display, drawn.

        Raises
        ------
        ArgumentError
            If the arguments do not fit together.
        """
        rows = check_rows(embedding, "embedding")
        own = _as_rows(subclass, len(rows))
        check_int(n_faces, "n_faces", at_least=1)
        faces = check_faces(images, len(rows), beside="the embedding")
        y = or_unlabeled(y, len(rows))
        labels = read_labels(y, names, n_samples=len(rows), rows_name="the embedding")
        middle = _means(rows, own) if centers is None else check_rows(centers, "centers")
        n = len(middle)
        if own.max() >= n or middle.shape[1] != rows.shape[1]:
            raise ArgumentError(
                "{centers} must have a row of {} numbers for each sub-class up to {}, got {}.",
                rows.shape[1],
                own.max(),
                shown(middle),
            )
        class_of, labels = _classes_of(subclass_to_class, y, labels, own, n, names)
        chosen = _chosen(classes, labels, class_of)
        nearest = _nearest(rows, middle[chosen], n_faces)
        members = [np.flatnonzero(own == k) for k in chosen]
        return cls(
            labels=_row_labels(labels, class_of, chosen),
            sizes=np.array([len(mine) for mine in members]),
            posteriors=None
            if posterior is None
            else _mean_posterior(posterior, members, class_of[chosen], labels),
            nearest=nearest,
            verdicts=_verdicts(labels.codes, class_of[chosen], nearest),
            mean_faces=[faces.mean(mine) for mine in members],
            faces=[faces.take(found) for found in nearest],
        ).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, *, caption: str | None = None, **kwargs: Any) -> Self:
        """Draw the faces: a row for each sub-class, its mean on the left.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default.
        caption : str, default=None
            What stands above; by default what is shown. ``""`` leaves it out.
        **kwargs : dict
            Passed to ``ax.imshow``.

        Returns
        -------
        SubclassDisplay
            This display, with the attributes told above.
        """
        told = [
            f"{label}\n{size:,} {'face' if size == 1 else 'faces'}"
            for label, size in zip(self.labels, self.sizes, strict=True)
        ]
        if self.posteriors is not None:
            told = [
                text + ("" if np.isnan(mean) else f"\nposterior {mean:.2f}")
                for text, mean in zip(told, self.posteriors, strict=True)
            ]
        grid = FaceGrid(ax, len(told), self.nearest.shape[1] + 1.3, row_labels=told)
        for row, mean in enumerate(self.mean_faces):
            if mean is not None:
                grid.add(row, 0, mean, **kwargs)
            for k, face in enumerate(self.faces[row]):
                grid.add(row, k + 1.3, face, frame=str(self.verdicts[row, k]), **kwargs)
        dashed = "; dashed: of another class" if (self.verdicts == "wrong").any() else ""
        usual = f"The mean face, and the faces nearest to the center{dashed}"
        self.ax_, self.figure_ = grid.finish(caption, usual), grid.ax.figure
        self.images_, self.frames_ = grid.images, grid.frames
        return self


def learned_subclasses(embedder: Any, classes: Any = None) -> dict[str, Any]:
    """Return what :meth:`SubclassDisplay.from_embedding` is told of those that were found."""
    if classes is None and np.max(embedder.n_subclasses_) > 1:
        classes = embedder.classes_[embedder.n_subclasses_ > 1]
    return {
        "centers": embedder.means_,
        "subclass_to_class": embedder.subclass_to_class_,
        "classes": classes,
    }


def _assigned(embedder: Any, X: Any, y: Any, n: int) -> NDArray[np.intp]:
    """Return the likeliest sub-class of each face, in its own class where that is known."""
    if y is None:
        return embedder.predict_subclass(X)
    known = read_labels(y, n_samples=n).codes != UNLABELED
    if known.all():
        return embedder.predict_subclass(X, y)
    free = embedder.predict_subclass(X)
    labels = np.asarray(y)
    # Those without a label take that of the likeliest sub-class, which they keep.
    filled = np.array(embedder.subclass_to_class_[free], dtype=object)
    filled[known] = labels[known]
    return embedder.predict_subclass(X, filled.astype(embedder.classes_.dtype))


def _as_rows(subclass: Any, n: int) -> NDArray[np.intp]:
    rows = as_array(subclass, "subclass")
    if rows.shape != (n,) or rows.dtype.kind not in "iu" or (n and rows.min() < 0):
        raise ArgumentError(
            "{subclass} must have a row of the centers, from 0, for each of the {} faces; got {}.",
            n,
            shown(subclass),
        )
    return rows.astype(np.intp)


def _means(rows: NDArray[Any], own: NDArray[np.intp]) -> NDArray[np.float64]:
    """Mean of each sub-class; that of all where one has no face."""
    n = int(own.max()) + 1
    sums = np.zeros((n, rows.shape[1]))
    np.add.at(sums, own, rows)
    counts = np.bincount(own, minlength=n)[:, None]
    return np.where(counts > 0, sums / np.maximum(counts, 1), rows.mean(axis=0))


def _classes_of(
    given: Any, y: Any, labels: Labels, own: NDArray[np.intp], n: int, names: Any
) -> tuple[NDArray[np.intp], Labels]:
    """Return the class of each sub-class, as a code, and the labels encoded with all classes."""
    if given is None:
        class_of = np.zeros(n, dtype=np.intp)
        for k in range(n):
            known = labels.codes[(own == k) & (labels.codes != UNLABELED)]
            class_of[k] = np.bincount(known).argmax() if len(known) else UNLABELED
        return class_of, labels
    given = check_labels(
        given, "subclass_to_class", n_samples=n, rows_name="the table of sub-classes"
    )
    classes = np.unique(given)
    encoded = read_labels(y, names, classes=classes)
    return np.searchsorted(classes, given), encoded


def _chosen(classes: Any, labels: Labels, class_of: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the rows of the sub-classes to show, class by class."""
    order = np.argsort(class_of, kind="stable")
    if classes is None:
        return order
    wanted = read_labels(classes, argument="classes", classes=labels.classes).codes
    rows = [order[class_of[order] == code] for code in wanted]
    if not rows or UNLABELED in wanted:
        raise ArgumentError("{classes} must be labels of y, got {}.", shown(classes))
    return np.concatenate(rows)


def _row_labels(labels: Labels, class_of: NDArray[np.intp], chosen: NDArray[np.intp]) -> list[str]:
    told = []
    for k in chosen:
        same = np.flatnonzero(class_of == class_of[k])
        number = f" {np.searchsorted(same, k) + 1}" if len(same) > 1 else ""
        told.append(labels.of(class_of[k]) + number)
    return told


def _nearest(rows: NDArray[Any], centers: NDArray[Any], n: int) -> NDArray[np.intp]:
    distances = np.stack([np.linalg.norm(rows - center, axis=1) for center in centers])
    return distances.argsort(axis=1, kind="stable")[:, :n]


def _verdicts(
    codes: NDArray[np.intp], class_of: NDArray[np.intp], nearest: NDArray[np.intp]
) -> NDArray[np.str_]:
    found = codes[nearest]
    verdicts = np.where(found == class_of[:, None], "right", "wrong")
    return np.where((found == UNLABELED) | (class_of[:, None] == UNLABELED), "plain", verdicts)


def _mean_posterior(
    posterior: Any, members: list[NDArray[np.intp]], class_of: NDArray[np.intp], labels: Labels
) -> NDArray[np.float64]:
    table = check_rows(posterior, "posterior")
    if table.shape[1] != len(labels.classes):
        raise ArgumentError(
            "{posterior} has {} columns: give one for each of the classes {}.",
            table.shape[1],
            shown(labels.classes.tolist()),
        )
    return np.array(
        [
            table[mine, code].mean() if len(mine) and code != UNLABELED else np.nan
            for mine, code in zip(members, class_of, strict=True)
        ]
    )
