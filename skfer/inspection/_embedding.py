"""A picture of an embedding in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA


class EmbeddingDisplay:
    """An embedding in the plane, one colour a class.

    Make it by :meth:`from_estimator` or :meth:`from_embedding`.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        Where the samples lie.
    labels : ndarray of shape (n_samples,)
        Their classes.
    names : dict
        From class to its name in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.inspection import EmbeddingDisplay
    >>> display = EmbeddingDisplay.from_embedding(np.eye(4), [0, 0, 1, 1], names=["joy", "rage"])
    >>> display.points.shape
    (4, 2)
    """

    def __init__(self, points: NDArray[Any], labels: NDArray[Any], names: dict[Any, str]) -> None:
        self.points = points
        self.labels = labels
        self.names = names

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: ArrayLike, *, names: Sequence[str] | None = None
    ) -> EmbeddingDisplay:
        """Embed X with a fitted embedder (or pipeline of transformers) and take it to the plane.

        Parameters
        ----------
        estimator : object with ``transform``
            The fitted embedder.
        X : array-like
            What to embed.
        y : array-like of shape (n_samples,)
            Classes.
        names : sequence of str, optional
            ``names[code]`` is the name of an integer class, as in ``bunch.target_names``.

        Returns
        -------
        EmbeddingDisplay
        """
        return cls.from_embedding(estimator.transform(X), y, names=names)

    @classmethod
    def from_embedding(
        cls, embedding: ArrayLike, y: ArrayLike, *, names: Sequence[str] | None = None
    ) -> EmbeddingDisplay:
        """Take an embedding to the plane by its two main components.

        Parameters
        ----------
        embedding : array-like of shape (n_samples, embedding_dim)
            The embedding.
        y : array-like of shape (n_samples,)
            Classes.
        names : sequence of str, optional
            ``names[code]`` is the name of an integer class, as in ``bunch.target_names``.

        Returns
        -------
        EmbeddingDisplay

        Raises
        ------
        ValueError
            If embedding and y are of different length.
        """
        embedding, labels = np.asarray(embedding), np.asarray(y)
        if len(embedding) != len(labels):
            raise ValueError(
                "embedding and y must have the same length: "
                f"embedding has {len(embedding)} rows, y has {len(labels)}."
            )
        points = PCA(2, svd_solver="full").fit_transform(embedding)
        classes = np.unique(labels).tolist()
        return cls(points, labels, {c: str(c if names is None else names[c]) for c in classes})

    def plot(self, ax: Any = None, **kwargs: Any) -> EmbeddingDisplay:
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; new axes by default.
        **kwargs : dict
            Passed to ``ax.scatter``.

        Returns
        -------
        EmbeddingDisplay
            This display, with ``ax_`` and ``figure_``.
        """
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError("plot() needs matplotlib: pip install 'skfer[plot]'.") from error
        if ax is None:
            _, ax = plt.subplots()
        colours = plt.get_cmap("tab10").colors  # type: ignore[attr-defined]
        options = {"s": 12, "linewidths": 0} | kwargs
        for k, (label, name) in enumerate(self.names.items()):
            mine = self.points[self.labels == label]
            ax.scatter(*mine.T, color=colours[k % len(colours)], label=name, **options)
        ax.set(xticks=[], yticks=[], aspect="equal")
        ax.legend(frameon=False, markerscale=1.5, loc="center left", bbox_to_anchor=(1, 0.5))
        self.ax_, self.figure_ = ax, ax.figure
        return self
