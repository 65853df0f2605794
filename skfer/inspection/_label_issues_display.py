"""A picture of labels that are probably wrong."""

from typing import Any, Self

import numpy as np

from skfer._typing import ArrayLike, NDArray
from skfer.exceptions import ArgumentError
from skfer.inspection._faces import check_faces, faces_of
from skfer.inspection._grid import FaceGrid
from skfer.inspection._label_issues import LabelIssues, label_issues
from skfer.inspection._scatter import Group, scatter
from skfer.inspection._style import RIGHT, WRONG, ink_of, legend_beside, new_axes, write_caption
from skfer.validation import check_choice, check_int, shown

_LEGEND = 2.7  # inches of a figure of one's own, for the legend


class LabelIssuesDisplay:
    """The faces whose labels are most suspicious, or what speaks for and against every label.

    Make it by :meth:`from_estimator` or :meth:`from_issues`, which draw it; :meth:`plot` draws it
    again.

    Parameters
    ----------
    issues : LabelIssues
        What :func:`label_issues` found.
    rows : ndarray of int
        The faces that are shown, the most suspicious first.
    faces : list of ndarray
        Their pictures.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        Its figure.
    images_ : list of AxesImage
        The pictures.
    frames_ : list of Rectangle
        Their frames.
    scatters_ : dict of str to PathCollection
        The labels as points, with ``kind="confidence"``.

    See Also
    --------
    label_issues : Finds what it shows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skfer.inspection import LabelIssuesDisplay, label_issues
    >>> digits = load_digits(n_class=3)
    >>> y = np.where(np.arange(len(digits.target)) == 4, 2, digits.target)
    >>> issues = label_issues(LogisticRegression(max_iter=500), digits.data / 16, y)
    >>> int(LabelIssuesDisplay.from_issues(issues, digits.images, n_faces=4).rows[0])
    4
    """

    def __init__(
        self, *, issues: LabelIssues, rows: NDArray[np.intp], faces: list[NDArray[Any]]
    ) -> None:
        self.issues = issues
        self.rows = rows
        self.faces = faces

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        cv: Any = 5,
        n_neighbors: int = 20,
        n_faces: int = 24,
        images: Any = None,
        names: Any = None,
        random_state: Any = 0,
        n_jobs: int | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Look for labels that are probably wrong, and draw their faces.

        Parameters
        ----------
        estimator, X, y, groups, cv, n_neighbors, names, random_state, n_jobs
            As in :func:`label_issues`.
        n_faces : int, default=24
            How many faces to show.
        images : sequence of pictures, default=None
            The faces, where X holds none.
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        LabelIssuesDisplay
            The display, drawn.
        """
        issues = label_issues(
            estimator,
            X,
            y,
            groups=groups,
            cv=cv,
            n_neighbors=n_neighbors,
            names=names,
            random_state=random_state,
            n_jobs=n_jobs,
        )
        faces = faces_of(X, images, len(issues.labels))
        return cls.from_issues(issues, faces, n_faces=n_faces, ax=ax, **kwargs)

    @classmethod
    def from_issues(
        cls, issues: LabelIssues, images: Any, *, n_faces: int = 24, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Draw the faces of suspicious labels.

        Parameters
        ----------
        issues : LabelIssues
            What :func:`label_issues` found.
        images : sequence of pictures
            All faces: arrays, a memmap, paths or PIL images. Those that are shown are read.
        n_faces : int, default=24
            How many to show.
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        LabelIssuesDisplay
            The display, drawn.
        """
        check_int(n_faces, "n_faces", at_least=1)
        if not isinstance(issues, LabelIssues):
            raise ArgumentError("{issues} must be what label_issues found, got {}.", shown(issues))
        if images is None:
            raise ArgumentError("{images} is missing: give the faces beside an X that holds none.")
        faces = check_faces(images, len(issues.labels), beside="y")
        rows = issues.order[:n_faces]
        return cls(issues=issues, rows=rows, faces=faces.take(rows)).plot(ax=ax, **kwargs)

    def plot(
        self,
        ax: Any = None,
        *,
        kind: str = "faces",
        n_columns: int = 8,
        caption: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the faces, or all labels as points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default. With ``kind="confidence"`` given ones become
            narrower by their legend, if their figure has no layout engine.
        kind : {"faces", "confidence"}, default="faces"
            The most suspicious faces with the label that they have and the one that is suggested;
            or, for each label, its probability and that of the suggested one.
        n_columns : int, default=8
            Faces in a row.
        caption : str, default=None
            What stands above; by default what is shown. ``""`` leaves it out.
        **kwargs : dict
            Passed to ``ax.imshow``, or to ``ax.scatter``.

        Returns
        -------
        LabelIssuesDisplay
            This display, with the attributes told above.
        """
        check_choice(kind, "kind", ("faces", "confidence"))
        check_int(n_columns, "n_columns", at_least=1)
        self.images_: list[Any] = []
        self.frames_: list[Any] = []
        self.scatters_: dict[str, Any] = {}
        if kind == "confidence":
            self._plot_confidence(ax, caption, kwargs)
        else:
            self._plot_faces(ax, n_columns, caption, kwargs)
        return self

    def _plot_faces(self, ax: Any, n_columns: int, caption: str | None, options: Any) -> None:
        found = self.issues
        titles = [f"{found.labels[row]}\n{found.suggested[row]}?" for row in self.rows]
        n_columns = min(n_columns, len(self.rows))
        n_rows = -(-len(self.rows) // n_columns)
        grid = FaceGrid(ax, n_rows, n_columns, titles=titles)
        for place, (row, face, title) in enumerate(zip(self.rows, self.faces, titles, strict=True)):
            frame = "wrong" if found.is_issue[row] else None
            grid.add(*divmod(place, n_columns), face, title, frame, **options)
        told = "The most suspicious labels, and what is suggested; dashed: all evidence prefers it"
        self.ax_, self.figure_ = grid.finish(caption, told), grid.ax.figure
        self.images_, self.frames_ = grid.images, grid.frames

    def _plot_confidence(self, ax: Any, caption: str | None, options: Any) -> None:
        found = self.issues
        by_model = np.isfinite(found.confidence).any()
        own = found.confidence if by_model else found.neighbor_share
        other = found.other_confidence if by_model else found.other_neighbor_share
        points = np.column_stack([own, other])
        there = np.isfinite(points).all(axis=1)
        room = _LEGEND if ax is None else None
        ax = new_axes(ax, 5.6, 4.2)
        groups = [
            Group("as labeled", np.flatnonzero(there & ~found.is_issue), RIGHT, "."),
            Group("another label preferred", np.flatnonzero(there & found.is_issue), WRONG, "X"),
        ]
        drawn = scatter(ax, points, groups, options)
        self.scatters_ = {group.name: one for group, one in zip(groups, drawn, strict=True)}
        ax.axline((0, 0), slope=1, color=ink_of(ax).faint, linestyle=":", linewidth=1, zorder=1)
        what = "probability" if by_model else "share of neighbors"
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=f"{what} of the label")
        ax.set_ylabel(f"{what} of the suggested label")
        n_issues = int(found.is_issue.sum())
        told = f"Another label is preferred for {n_issues:,} of {len(found.order):,}"
        write_caption(ax, caption, told)
        legend_beside(ax, drawn, list(self.scatters_), room)
        self.ax_, self.figure_ = ax, ax.figure
