"""A picture of where a network looks."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from skfer._typing import ArrayLike, NDArray
from skfer.exceptions import ArgumentError
from skfer.inspection._choice import choose_rows
from skfer.inspection._faces import check_faces, faces_of
from skfer.inspection._grid import FaceGrid
from skfer.inspection._labels import Labels, or_unlabeled, read_labels
from skfer.inspection._maps import check_maps, check_parts
from skfer.inspection._models import Parts, predictions, take_apart
from skfer.inspection._style import (
    as_text,
    colormap,
    inches_above,
    ink_of,
    merged,
    new_axes,
    write_caption,
)
from skfer.validation import UNLABELED, as_array, check_choice, check_real, shown

_METHODS = ("auto", "attention", "gradient")
_KINDS = ("faces", "classes", "parts")
_COLORBAR = 1.0  # inches, with what it is of


class AttentionDisplay:
    """Where a network looks: on faces, on the mean face of each class, on the parts of a face.

    Make it by :meth:`from_estimator` or :meth:`from_maps`, which draw it; :meth:`plot` draws it
    again.

    Parameters
    ----------
    maps : ndarray of shape (n, height, width)
        A map for each face, of its size.
    images : sequence of pictures
        The faces.
    rows : ndarray of int
        Which of them are shown.
    labels : list of str
        What each face shows.
    told : str, default="attention"
        What the maps are, for the color bar.
    parts : ndarray of shape (n, height, width), default=None
        Which part of a face each pixel shows: indices into `part_names`.
    part_names : sequence of str, default=None
        The parts.

    Attributes
    ----------
    class_names_ : list of str
        The classes, in the order of `class_maps_`.
    class_maps_ : ndarray of shape (n_classes, height, width)
        Mean map of each class.
    part_shares_ : dict of str to tuple of float, or None
        Of each part, the share of all attention that it gets, and its share of all pixels.
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        Its figure.
    images_ : list of AxesImage
        The faces.
    maps_ : list of AxesImage
        The maps over them.
    bars_ : BarContainer or None
        The shares of the parts.
    colorbar_ : matplotlib Colorbar or None
        What the colors of the maps mean.

    See Also
    --------
    skfer.TripletCenterEmbedder : The embedder that has attention.
    show_faces : The faces alone.

    Notes
    -----
    Embedders without attention of their own are looked at by Grad-CAM [1]_, on the cosine of the
    embedding with the mean embedding of a class, or with the embedding of another face: a map tells
    which places make the face similar to it. It has no absolute scale, and each is shown from 0 to
    its largest value.

    References
    ----------
    .. [1] R. R. Selvaraju et al., "Grad-CAM: visual explanations from deep networks via
       gradient-based localization", ICCV 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.inspection import AttentionDisplay
    >>> maps = np.zeros((2, 8, 8))
    >>> maps[:, 2:4] = 1
    >>> parts = np.where(np.arange(8)[:, None] < 4, 1, 0) * np.ones((2, 8, 8), dtype=int)
    >>> display = AttentionDisplay.from_maps(
    ...     maps, np.zeros((2, 8, 8)), ["joy", "rage"], parts=parts, part_names=["mouth", "eyes"]
    ... )
    >>> display.part_shares_["eyes"]
    (1.0, 0.5)
    """

    def __init__(
        self,
        maps: NDArray[Any],
        images: Any,
        *,
        rows: NDArray[np.intp],
        labels: list[str],
        told: str = "attention",
        parts: NDArray[Any] | None = None,
        part_names: Any = None,
    ) -> None:
        self.maps = maps
        self.images = images
        self.rows = rows
        self.labels = labels
        self.told = told
        self.parts = parts
        self.part_names = part_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike | None = None,
        *,
        method: str = "auto",
        target: Any = None,
        face: Any = None,
        rows: Any = None,
        parts: ArrayLike | None = None,
        part_names: Any = None,
        images: Any = None,
        names: Any = None,
        random_state: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Find where a fitted embedder looks, and draw it.

        Parameters
        ----------
        estimator : fitted embedder, or a pipeline or search that holds one
            What looks.
        X : array-like
            Faces.
        y : array-like of shape (n,), default=None
            Labels, numbers or words. Without them those that the model predicts, if it does.
        method : {"auto", "attention", "gradient"}, default="auto"
            The maps of pixel-wise attention, for an embedder that has them, or the gradient of the
            embedding's similarity; "auto" takes attention where there is one, and neither `target`
            nor `face` is given.
        target : label, default=None
            The class whose mean embedding the similarity is to, for gradients; by default each
            face's own class.
        face : picture, default=None
            A single face in place of a class.
        rows : int or array-like of int, default=None
            How many faces to show, or which. None shows one of each class.
        parts : array-like of shape (n, height, width), default=None
            Which part of a face each pixel shows, as drawn faces know it
            (``make_expressions(return_parts=True)``).
        part_names : sequence of str, default=None
            Names of the parts.
        images : sequence of pictures, default=None
            The faces, where X holds none.
        names : sequence, mapping or Bunch, default=None
            Names of integer classes: ``bunch.target_names``, a dict, or the Bunch.
        random_state : int, RandomState or None, default=None
            Draws the faces to show, if they are not given.
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        AttentionDisplay
            The display, drawn.
        """
        check_choice(method, "method", _METHODS)
        model = take_apart(estimator, "show where it looks")
        inner = model.prepared(X)
        if y is None:
            y = predictions(estimator, X)
        maps = None
        if method != "gradient" and target is None and face is None:
            maps = _attention_maps(model.embedder, inner, required=method == "attention")
        told = "attention"
        if maps is None:
            maps, told = _gradient_maps(model, inner, y, target, face, names)
        faces = faces_of(X, images, len(maps), getattr(model.embedder, "input_shape_", None))
        return cls.from_maps(
            maps,
            faces,
            y,
            told=told,
            rows=rows,
            parts=parts,
            part_names=part_names,
            names=names,
            random_state=random_state,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_maps(
        cls,
        maps: ArrayLike,
        images: Any,
        y: ArrayLike | None = None,
        *,
        told: str = "attention",
        rows: Any = None,
        parts: ArrayLike | None = None,
        part_names: Any = None,
        names: Any = None,
        random_state: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw maps over faces.

        Parameters
        ----------
        maps : array-like of shape (n, height, width)
            A map for each face, none below 0.
        images : sequence of pictures
            The faces: arrays, a memmap, paths or PIL images.
        y : array-like of shape (n,), default=None
            Labels, numbers or words.
        told : str, default="attention"
            What the maps are, for the color bar.
        rows : int or array-like of int, default=None
            How many faces to show, or which. None shows one of each class.
        parts : array-like of shape (n, height, width), default=None
            Which part of a face each pixel shows.
        part_names : sequence of str, default=None
            Names of the parts.
        names : sequence, mapping or Bunch, default=None
            Names of integer classes: ``bunch.target_names``, a dict, or the Bunch.
        random_state : int, RandomState or None, default=None
            Draws the faces to show, if they are not given.
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        AttentionDisplay
            The display, drawn.

        Raises
        ------
        ArgumentError
            If the arguments do not fit together.
        """
        checked = check_maps(maps)
        faces = check_faces(images, len(checked), beside="maps")
        y = or_unlabeled(y, len(checked))
        labels = read_labels(y, names, n_samples=len(checked), rows_name="maps")
        display = cls(
            checked,
            faces,
            rows=choose_rows(rows, labels, random_state, argument="rows"),
            labels=[labels.of(code) for code in labels.codes],
            told=told,
            parts=None if parts is None else check_parts(parts, part_names, checked.shape),
            part_names=part_names,
        )
        display._summarize(labels)
        return display.plot(ax=ax, **kwargs)

    def _summarize(self, labels: Labels) -> None:
        """Set the mean maps of the classes, and the shares of the parts."""
        there = [code for code in range(len(labels.names)) if (labels.codes == code).any()]
        self._members = [np.flatnonzero(labels.codes == code) for code in there]
        self.class_names_ = [labels.names[code] for code in there]
        self.class_maps_ = np.array(
            [self.maps[mine].mean(axis=0, dtype=np.float64) for mine in self._members]
        )
        self.part_shares_ = None
        if self.parts is not None:
            n = len(self.part_names)
            attention = np.bincount(self.parts.ravel(), self.maps.ravel(), n)
            pixels = np.bincount(self.parts.ravel(), minlength=n)
            attention, pixels = attention / (attention.sum() or 1), pixels / pixels.sum()
            both = zip(attention.tolist(), pixels.tolist(), strict=True)
            self.part_shares_ = dict(zip(map(str, self.part_names), both, strict=True))

    def plot(
        self,
        ax: Any = None,
        *,
        kind: str = "faces",
        cmap: Any = "magma",
        opacity: float = 0.55,
        caption: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the maps, or the shares of the parts.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default.
        kind : {"faces", "classes", "parts"}, default="faces"
            Maps over some faces; the mean map of each class over its mean face; or how much of all
            attention the parts of a face get.
        cmap : str or Colormap, default="magma"
            Colors of the maps.
        opacity : float, default=0.55
            How much the map hides of the face beneath.
        caption : str, default=None
            What stands above; by default what is shown. ``""`` leaves it out.
        **kwargs : dict
            Passed to ``ax.imshow`` for the maps, or to ``ax.barh``.

        Returns
        -------
        AttentionDisplay
            This display, with the attributes told above.
        """
        check_choice(kind, "kind", _KINDS)
        self.images_: list[Any] = []
        self.maps_: list[Any] = []
        self.bars_ = self.colorbar_ = None
        if kind == "parts":
            self._plot_parts(ax, caption, kwargs)
            return self
        check_real(opacity, "opacity", at_least=0, at_most=1)
        options = {"cmap": colormap(cmap), "alpha": opacity} | kwargs
        if kind == "faces":
            maps = self.maps[self.rows].astype(np.float64)
            faces = (self.images[row] for row in self.rows)
            shown = list(zip(faces, maps, [self.labels[row] for row in self.rows], strict=True))
            usual = f"Faces, and the {self.told} over them"
        else:
            means = [self.images.mean(mine) for mine in self._members]
            shown = list(zip(means, self.class_maps_, self.class_names_, strict=True))
            usual = f"Mean face and mean {self.told} of each class"
        self._plot_maps(ax, shown, caption, usual, options)
        return self

    def _plot_maps(
        self, ax: Any, shown: list[Any], caption: str | None, usual: str, options: dict[str, Any]
    ) -> None:
        """Draw faces, and below each of them the same face under its map."""
        if not shown:
            raise ArgumentError("{y} has no label, and there is no class to show: give {y}.")
        n_columns = min(len(shown), 8)
        n_rows = 2 * -(-len(shown) // n_columns)
        titles = [title for _, _, title in shown]
        grid = FaceGrid(ax, n_rows, n_columns, titles=titles, beside=_COLORBAR)
        saved = max(grid.head - 0.02, 0.0)
        grid.shorten(saved)
        most = max(float(values.max()) for _, values, _ in shown)
        scale = {} if "norm" in options else {"vmin": 0.0, "vmax": most or 1.0}
        for place, (face, values, title) in enumerate(shown):
            row, column = divmod(place, n_columns)
            # The second row of a pair has no titles, and moves up by their height.
            below = 2 * row + 1 - saved / grid.pitch[1]
            if face is not None:
                self.images_.append(grid.add(2 * row, column, face, title))
                self.images_.append(grid.add(below, column, face))
            over: dict[str, Any] = {"interpolation": "bilinear", "zorder": 2} | scale | options
            self.maps_.append(grid.add(below, column, values, **over))
        self.ax_, self.figure_ = grid.finish(caption, usual), grid.ax.figure
        self.colorbar_ = self.figure_.colorbar(
            self.maps_[-1], ax=grid.ax, label=self.told, shrink=0.7, aspect=16, pad=0.02
        )

    def _plot_parts(self, ax: Any, caption: str | None, given: dict[str, Any]) -> None:
        from matplotlib.patches import Rectangle

        if self.part_shares_ is None:
            raise ArgumentError(
                "{kind=parts} needs {parts} and {part_names}: which pixels are of which?"
            )
        ordered = sorted(self.part_shares_.items(), key=lambda item: item[1][0])
        words = [as_text(name) for name, _ in ordered]
        longer = max(0, max(map(len, words)) - 12)  # letters that have no room yet
        ax = new_axes(ax, 5.0 + 0.085 * longer, 0.6 + 0.34 * len(ordered))
        ink = ink_of(ax)
        color = ink.colors(1)[0]
        options = merged(Rectangle, {"color": color}, given)
        options.pop("label", None)
        self.bars_ = ax.barh(np.arange(len(words)), [share for _, (share, _) in ordered], **options)
        ax.set_yticks(np.arange(len(words)), words)
        for place, (_, (_, pixels)) in enumerate(ordered):
            ax.plot([pixels] * 2, [place - 0.4, place + 0.4], color=ink.text, linewidth=2.5)
        ax.set_xlabel(f"share of all {self.told}")
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
        told = "Parts of the face; the line is a part's share of all pixels"
        write_caption(ax, caption, told, inches_above([ax], words))
        self.ax_, self.figure_ = ax, ax.figure


def _attention_maps(embedder: Any, X: Any, *, required: bool) -> NDArray[np.float32] | None:
    """Return the maps of pixel-wise attention; None if the embedder has none."""
    maps = None
    if hasattr(embedder, "attention_maps") and getattr(embedder, "attention", True) is not None:
        maps = embedder.attention_maps(X)[0]
    if maps is None and required:
        raise ArgumentError(
            "{method=attention} needs an embedder with pixel-wise attention, and this {} has none: "
            "give {method=gradient}.",
            type(embedder).__name__,
        )
    return maps


def own_maps(
    model: Parts, X: Any, y: Any, names: Any, embedding: Callable[[], NDArray[Any]]
) -> tuple[NDArray[np.float32], str]:
    """Return the maps that "auto" takes, of an embedding that is made elsewhere, and their name."""
    from skfer.inspection._gradients import similarity_maps

    maps = _attention_maps(model.embedder, X, required=False)
    if maps is not None:
        return maps, "attention"
    targets, told = _class_means(embedding(), y, None, names)
    return similarity_maps(model.embedder, X, targets), told


def _gradient_maps(
    model: Parts, X: Any, y: Any, target: Any, face: Any, names: Any
) -> tuple[NDArray[np.float32], str]:
    """Return maps of what makes faces similar to a class or to another face."""
    from skfer.inspection._gradients import similarity_maps

    embedding = model.embedder.transform(X)
    if face is not None:
        points = model.embedder.transform(model.prepared(_one_face(face)))
        targets, told = np.repeat(points, len(embedding), axis=0), "similarity to the given face"
    else:
        targets, told = _class_means(embedding, y, target, names)
    return similarity_maps(model.embedder, X, targets), told


def _one_face(face: Any) -> NDArray[Any]:
    picture = as_array(face, "face")
    if picture.ndim not in (2, 3) or picture.dtype.kind not in "biuf":
        raise ArgumentError(
            "{face} must be one picture, of shape (height, width) or (height, width, 3), got {}.",
            shown(face),
        )
    return picture[None]


def _class_means(
    embedding: NDArray[Any], y: Any, target: Any, names: Any
) -> tuple[NDArray[Any], str]:
    if y is None:
        raise ArgumentError("{y} is missing: without it there is no class to be similar to.")
    labels = read_labels(y, names, n_samples=len(embedding))
    known = [code for code in range(len(labels.names)) if (labels.codes == code).any()]
    if not known:
        raise ArgumentError("{y} has no label: there is no class to be similar to.")
    means = np.stack([embedding[labels.codes == code].mean(axis=0) for code in known])
    if target is not None:
        code = read_labels([target], names, argument="target", classes=labels.classes).codes[0]
        if code not in known:
            raise ArgumentError("{target} must be a label of a face here, got {}.", shown(target))
        word = labels.of(code)
        return np.repeat(
            means[[known.index(code)]], len(embedding), axis=0
        ), f"similarity to {word}"
    # Faces without a label: to what is nearest.
    apart = np.stack([np.linalg.norm(embedding - mean, axis=1) for mean in means], axis=1)
    nearest = apart.argmin(axis=1)
    own = np.where(labels.codes == UNLABELED, nearest, np.searchsorted(known, labels.codes))
    return means[own], "similarity to the own class"
