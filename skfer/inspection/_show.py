"""Faces in a grid."""

from typing import Any

import numpy as np

from skfer._typing import ArrayLike
from skfer.inspection._faces import Faces
from skfer.inspection._grid import FaceGrid
from skfer.inspection._labels import Labels, alike, read_labels, read_predictions
from skfer.validation import check_int


def show_faces(
    images: Any,
    titles: ArrayLike | None = None,
    *,
    y_pred: ArrayLike | None = None,
    names: Any = None,
    n_columns: int = 8,
    max_faces: int = 64,
    caption: str | None = None,
    ax: Any = None,
    **kwargs: Any,
) -> Any:
    """Draw faces in a grid, with their labels; those that are predicted wrongly are marked.

    Parameters
    ----------
    images : array-like
        Pictures: arrays of shape (n, h, w) or (n, h, w, channels) of any range, a memmap, or a
        sequence of arrays, paths or PIL images. Only those that are shown are read.
    titles : array-like of shape (n,), default=None
        What stands above each face: labels, numbers or words, or any text.
    y_pred : array-like of shape (n,), default=None
        Predicted labels, where titles are the true ones: a right one is framed by a line, a wrong
        one by dashes, and it is told what it was taken for.
    names : sequence, mapping or Bunch, default=None
        Names of integer labels: ``bunch.target_names``, a dict, or the Bunch.
    n_columns : int, default=8
        Faces in a row.
    max_faces : int, default=64
        The most to show; of more faces so many are chosen, evenly.
    caption : str, default=None
        What stands above; by default how many of how many faces are shown, if not all are.
    ax : matplotlib Axes, default=None
        Where to draw; new axes by default.
    **kwargs : dict
        Passed to ``ax.imshow``.

    Returns
    -------
    matplotlib Axes
        Where they were drawn: ``ax.images`` has the pictures, ``ax.patches`` the frames.

    Raises
    ------
    ArgumentError
        If there is no picture, what is given is none, or lengths differ.

    See Also
    --------
    RetrievalDisplay : Faces beside those nearest to them.
    LabelIssuesDisplay : Faces whose labels are suspicious.

    Examples
    --------
    >>> from skfer.datasets import make_expressions
    >>> from skfer.inspection import show_faces
    >>> faces = make_expressions(1, 1, random_state=0)
    >>> ax = show_faces(faces.images, faces.target, names=faces.target_names)
    >>> [text.get_text() for text in ax.texts[:3]]
    ['anger', 'contempt', 'disgust']
    """
    faces = Faces(images)
    check_int(n_columns, "n_columns", at_least=1)
    check_int(max_faces, "max_faces", at_least=1)
    n = len(faces)
    rows = np.unique(np.linspace(0, n - 1, min(max_faces, n)).astype(np.intp))
    texts, frames = _texts(titles, y_pred, names, n)
    n_columns = min(n_columns, len(rows))
    grid = FaceGrid(
        ax,
        -(-len(rows) // n_columns),
        n_columns,
        titles=[texts[row] for row in rows],
    )
    for place, row in enumerate(rows):
        grid.add(*divmod(place, n_columns), faces[row], texts[row], frames[row], **kwargs)
    some = f"{len(rows):,} of {n:,} faces" if len(rows) < n else ""
    return grid.finish(caption, some)


def _texts(titles: Any, y_pred: Any, names: Any, n: int) -> tuple[list[str], list[str | None]]:
    """Titles of all faces, and their frames."""
    if titles is None and y_pred is None:
        return [""] * n, [None] * n
    if titles is None:
        told = read_labels(y_pred, names, n_samples=n, argument="y_pred", rows_name="images")
        return [told.of(code) for code in told.codes], [None] * n
    titles = alike(titles, y_pred, names)
    true = read_labels(titles, names, n_samples=n, argument="titles", rows_name="images")
    texts = [true.of(code) for code in true.codes]
    if y_pred is None:
        return texts, [None] * n
    return _judged(true, texts, read_predictions(y_pred, titles, names, argument="titles"))


def _judged(
    true: Labels, texts: list[str], told: tuple[Labels, Any]
) -> tuple[list[str], list[str | None]]:
    predicted, wrong = told
    words = [predicted.of(code) for code in predicted.codes]
    frames: list[str | None] = [
        None if code < 0 else "wrong" if bad else "right"
        for code, bad in zip(true.codes, wrong, strict=True)
    ]
    return [
        f"{text}\nnot {word}" if bad else text
        for text, word, bad in zip(texts, words, wrong, strict=True)
    ], frames
