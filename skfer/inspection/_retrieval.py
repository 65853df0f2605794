"""A picture of what is found near a face."""

from typing import Any, NamedTuple, Self

import numpy as np
from scipy.spatial.distance import cdist

from skfer._typing import ArrayLike, NDArray
from skfer.exceptions import ArgumentError
from skfer.inspection._choice import choose_rows
from skfer.inspection._faces import Faces, check_faces, faces_of
from skfer.inspection._grid import FaceGrid
from skfer.inspection._labels import Labels, read_labels
from skfer.inspection._models import embed, image_shape_of
from skfer.metrics._arguments import begins_with, warn_of_copies
from skfer.validation import UNLABELED, check_groups, check_int, check_rows, number_values

_NOBODY = -1
_NAMES = ("embedding", "embedding_reference", "groups", "groups_reference")


class RetrievalDisplay:
    """Faces and the faces that are nearest to them in the embedding, right and wrong ones framed.

    Make it by :meth:`from_estimator` or :meth:`from_embedding`, which draw it; :meth:`plot` draws
    it again.

    Parameters
    ----------
    queries : ndarray of shape (n_queries,)
        Rows of the faces that are asked for.
    neighbors : ndarray of shape (n_queries, n_neighbors)
        Rows of the nearest ones, in the same set or in the reference set, nearest first; -1 where
        there are no more.
    distances : ndarray of shape (n_queries, n_neighbors)
        Euclidean distances to them; NaN where there are no more.
    query_names : list of str
        What each query shows.
    neighbor_names : list of list of str
        What each neighbor shows.
    verdicts : ndarray of shape (n_queries, n_neighbors) of str
        ``"right"`` where both show the same, ``"wrong"`` where not, ``"plain"`` where it is not
        known.
    query_faces : list of ndarray
        The pictures of the queries.
    neighbor_faces : list of list of ndarray
        The pictures of the neighbors.
    persons_apart : bool, default=False
        Whether faces of the same person were left out, for the caption.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        Its figure.
    images_ : list of AxesImage
        The pictures, row by row, each query first.
    frames_ : list of Rectangle
        Their frames.

    See Also
    --------
    skfer.metrics.recall_at_k : How often one of the nearest is right, over all faces.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.inspection import RetrievalDisplay
    >>> images = np.zeros((4, 8, 8))
    >>> display = RetrievalDisplay.from_embedding(
    ...     [[0.0], [1.0], [5.0], [7.0]], ["joy", "joy", "rage", "awe"], images, queries=[0, 2],
    ...     n_neighbors=2,
    ... )
    >>> display.neighbors.tolist(), display.verdicts.tolist()
    ([[1, 2], [3, 1]], [['right', 'wrong'], ['wrong', 'wrong']])
    """

    def __init__(
        self,
        *,
        queries: NDArray[np.intp],
        neighbors: NDArray[np.intp],
        distances: NDArray[np.float64],
        query_names: list[str],
        neighbor_names: list[list[str]],
        verdicts: NDArray[np.str_],
        query_faces: list[NDArray[Any]],
        neighbor_faces: list[list[NDArray[Any]]],
        persons_apart: bool = False,
    ) -> None:
        self.queries = queries
        self.neighbors = neighbors
        self.distances = distances
        self.query_names = query_names
        self.neighbor_names = neighbor_names
        self.verdicts = verdicts
        self.query_faces = query_faces
        self.neighbor_faces = neighbor_faces
        self.persons_apart = persons_apart

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        queries: Any = None,
        n_neighbors: int = 6,
        X_reference: Any = None,
        y_reference: ArrayLike | None = None,
        groups_reference: ArrayLike | None = None,
        images: Any = None,
        images_reference: Any = None,
        names: Any = None,
        random_state: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Embed faces, look for the nearest of some, and draw them.

        Parameters
        ----------
        estimator : fitted embedder, pipeline or search
            What embeds; a classifier at the end of a pipeline is left out.
        X : array-like
            Faces, among them those that are asked for.
        y : array-like of shape (n,)
            Labels, numbers or words.
        groups : array-like of shape (n,), default=None
            Persons: faces of the query's own person are not found.
        queries : int or array-like of int, default=None
            How many faces to ask for, or which rows of X. None asks for one of each class.
        n_neighbors : int, default=6
            How many of the nearest are shown.
        X_reference, y_reference, groups_reference : array-like, default=None
            Another set to search, such as the training set; by default X itself. A query does not
            find itself there, nor in a set that begins with the rows of X.
        images, images_reference : sequence of pictures, default=None
            The faces, where X or X_reference hold none.
        names : sequence, mapping or Bunch, default=None
            Names of integer classes: ``bunch.target_names``, a dict, or the Bunch.
        random_state : int, RandomState or None, default=None
            Draws the queries, if they are not given.
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        RetrievalDisplay
            The display, drawn.
        """
        embedding = embed(estimator, X)
        reference = None if X_reference is None else embed(estimator, X_reference)
        if reference is not None and images_reference is None:
            images_reference = faces_of(
                X_reference, None, len(reference), image_shape_of(estimator)
            )
        return cls.from_embedding(
            embedding,
            y,
            faces_of(X, images, len(embedding), image_shape_of(estimator)),
            groups=groups,
            queries=queries,
            n_neighbors=n_neighbors,
            embedding_reference=reference,
            y_reference=y_reference,
            groups_reference=groups_reference,
            images_reference=images_reference,
            names=names,
            random_state=random_state,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_embedding(
        cls,
        embedding: ArrayLike,
        y: ArrayLike,
        images: Any,
        *,
        groups: ArrayLike | None = None,
        queries: Any = None,
        n_neighbors: int = 6,
        embedding_reference: ArrayLike | None = None,
        y_reference: ArrayLike | None = None,
        groups_reference: ArrayLike | None = None,
        images_reference: Any = None,
        names: Any = None,
        random_state: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Look for the nearest of some faces in an embedding, and draw them.

        Parameters
        ----------
        embedding : array-like of shape (n, embedding_dim)
            The embedding of faces, among them those that are asked for.
        y : array-like of shape (n,)
            Labels, numbers or words.
        images : sequence of pictures
            The faces: arrays, a memmap, paths or PIL images. Those that are shown are read.
        groups : array-like of shape (n,), default=None
            Persons: faces of the query's own person are not found.
        queries : int or array-like of int, default=None
            How many faces to ask for, or which rows. None asks for one of each class.
        n_neighbors : int, default=6
            How many of the nearest are shown.
        embedding_reference, y_reference, groups_reference : array-like, default=None
            Another set to search; by default the same. A query does not find itself there, nor in
            a set that begins with the rows of `embedding`; of copies elsewhere in it a warning
            tells.
        images_reference : sequence of pictures, default=None
            The faces of the other set.
        names : sequence, mapping or Bunch, default=None
            Names of integer classes: ``bunch.target_names``, a dict, or the Bunch.
        random_state : int, RandomState or None, default=None
            Draws the queries, if they are not given.
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        RetrievalDisplay
            The display, drawn.

        Raises
        ------
        ArgumentError
            If the arguments do not fit together.
        """
        asked = _read_set("", embedding, y, groups, images, names)
        searched, apart = asked, asked.groups is not None
        if embedding_reference is not None:
            searched = _read_set(
                "_reference",
                embedding_reference,
                y_reference,
                groups_reference,
                images_reference,
                names,
            )
            apart = asked.groups is not None and searched.groups is not None
        check_int(n_neighbors, "n_neighbors", at_least=1)
        rows = choose_rows(queries, asked.labels, random_state, argument="queries")
        neighbors, distances = _nearest(asked, searched, rows, n_neighbors)
        return cls(
            queries=rows,
            neighbors=neighbors,
            distances=distances,
            query_names=[asked.labels.of(asked.labels.codes[row]) for row in rows],
            neighbor_names=[
                [searched.labels.of(searched.labels.codes[i]) for i in found if i != _NOBODY]
                for found in neighbors
            ],
            verdicts=_judge(asked, searched, rows, neighbors),
            query_faces=asked.faces.take(rows),
            neighbor_faces=[searched.faces.take(found[found != _NOBODY]) for found in neighbors],
            persons_apart=apart,
        ).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, *, caption: str | None = None, **kwargs: Any) -> Self:
        """Draw the faces: each query on the left, the nearest to its right.

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
        RetrievalDisplay
            This display, with the attributes told above.
        """
        titles = [
            [f"{name}\n{distance:.2f}" for name, distance in zip(words, row, strict=False)]
            for words, row in zip(self.neighbor_names, self.distances, strict=True)
        ]
        n = self.neighbors.shape[1]
        every = [text for row in titles for text in row] + self.query_names
        grid = FaceGrid(ax, len(self.queries), n + 1.3, titles=every)
        for row, face in enumerate(self.query_faces):
            grid.add(row, 0, face, self.query_names[row], "plain", **kwargs)
            for k, found in enumerate(self.neighbor_faces[row]):
                verdict = str(self.verdicts[row, k])
                grid.add(row, k + 1.3, found, titles[row][k], verdict, **kwargs)
        whose = " of other persons" if self.persons_apart else ""
        told = f"Left a query, then the nearest faces{whose}, with distances; dashed: not its class"
        self.ax_, self.figure_ = grid.finish(caption, told), grid.ax.figure
        self.images_, self.frames_ = grid.images, grid.frames
        return self


class _Set(NamedTuple):
    """Embedded faces and what is known of them."""

    embedding: NDArray[Any]
    labels: Labels
    y: NDArray[Any]
    groups: NDArray[Any] | None
    faces: Faces


def _read_set(suffix: str, embedding: Any, y: Any, groups: Any, images: Any, names: Any) -> _Set:
    rows = check_rows(embedding, f"embedding{suffix}")
    n = len(rows)
    labels = read_labels(y, names, n_samples=n, argument=f"y{suffix}", rows_name="the embedding")
    if groups is not None:
        groups = check_groups(groups, f"groups{suffix}", n_samples=n, rows_name="the embedding")
    if images is None:
        raise ArgumentError(
            f"{{images{suffix}}} is missing: give the faces, as arrays or paths, beside what holds "
            "none."
        )
    faces = check_faces(images, n, f"images{suffix}", "the embedding")
    return _Set(rows, labels, np.asarray(y), groups, faces)


def _nearest(
    asked: _Set, searched: _Set, rows: NDArray[np.intp], n_neighbors: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    if asked.embedding.shape[1] != searched.embedding.shape[1]:
        raise ArgumentError(
            "{embedding_reference} has {} columns and {embedding} {}: embed both by one model.",
            searched.embedding.shape[1],
            asked.embedding.shape[1],
        )
    distances = cdist(asked.embedding[rows], searched.embedding)
    begins = searched is asked or begins_with(searched.embedding, asked.embedding)
    if begins:
        distances[np.arange(len(rows)), rows] = np.inf
    if asked.groups is not None and searched.groups is not None:
        own, others = number_values(
            asked.groups, searched.groups, names=["groups", "groups_reference"]
        )
        distances[own[rows, None] == others] = np.inf
    elif not begins:
        warn_of_copies(asked.embedding[rows], searched.embedding, _NAMES)
    order = distances.argsort(axis=1, kind="stable")[:, :n_neighbors]
    nearest = np.take_along_axis(distances, order, axis=1)
    gone = np.isinf(nearest)
    return np.where(gone, _NOBODY, order), np.where(gone, np.nan, nearest)


def _judge(
    asked: _Set, searched: _Set, rows: NDArray[np.intp], neighbors: NDArray[np.intp]
) -> NDArray[np.str_]:
    known, searched_known = asked.labels.codes != UNLABELED, searched.labels.codes != UNLABELED
    own = np.full(len(known), -1)
    others = np.full(len(searched_known), -1)
    own[known], others[searched_known] = number_values(
        asked.y[known], searched.y[searched_known], names=["y", "y_reference"]
    )
    one, other = own[rows, None], others[neighbors]
    verdicts = np.where(one == other, "right", "wrong")
    return np.where((one == -1) | (other == -1) | (neighbors == _NOBODY), "plain", verdicts)
