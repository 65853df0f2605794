"""Confusion matrices, as scikit-learn draws them, of any number of classes with any names."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay

from skfer._typing import NDArray
from skfer.inspection._style import as_text

_MOST_NUMBERED = 20  # classes; of more the numbers are left out, and a bar tells the colors


def draw_confusion(
    numbers: NDArray[Any], names: Sequence[str], figure: Any, **options: Any
) -> ConfusionMatrixDisplay:
    """Draw a confusion matrix that can be read, however many classes there are.

    Parameters
    ----------
    numbers : ndarray of shape (n_classes, n_classes)
        Counts or shares; rows are true, columns predicted.
    names : sequence of str
        Of the classes.
    figure : Figure
        An empty one, which gets the size that it needs.
    **options : dict
        Passed to the display's ``plot``.

    Returns
    -------
    ConfusionMatrixDisplay
        The display, drawn.
    """
    words = [as_text(name) for name in names]
    is_numbered = len(words) <= _MOST_NUMBERED
    options = {"colorbar": not is_numbered} | options
    side = 1.5 + 0.07 * max(map(len, words)) + (0.55 if is_numbered else 0.25) * len(words)
    figure.set_size_inches(side + 0.5, side)
    figure.set_layout_engine("constrained")
    display = ConfusionMatrixDisplay(numbers, display_labels=words).plot(
        ax=figure.subplots(), include_values=is_numbered, cmap="Blues", **options
    )
    if is_numbered:
        _make_readable(display)
    # A name ends below its column.
    for label in display.ax_.get_xticklabels():
        label.set(rotation=45, ha="right", rotation_mode="anchor")
    return display


def _make_readable(display: ConfusionMatrixDisplay) -> None:
    """Write numbers light on dark cells and dark on light ones, whatever the scale of colors is.

    scikit-learn takes the middle of the numbers that there are for that of the scale.
    """
    shades = display.im_.norm(display.confusion_matrix)
    for cell, text in np.ndenumerate(display.text_):
        text.set_color(display.im_.cmap(1.0 if shades[cell] < 0.5 else 0.0))
