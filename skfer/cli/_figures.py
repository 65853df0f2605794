"""Pictures of a comparison, as files."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from skfer.cli._comparison import Comparison
from skfer.cli._output import check_folder
from skfer.datasets import UNLABELED
from skfer.evaluation import REFERENCE, Fit, confusion_matrix
from skfer.exceptions import install_hint
from skfer.inspection import ComparisonDisplay, EmbeddingDisplay
from skfer.inspection._confusion import draw_confusion
from skfer.inspection._fonts import one_font_warning

_DPI = 150


def check_drawable(folder: Path | None) -> None:
    """Raise an error if pictures are wanted and cannot be drawn, before minutes of training."""
    if folder is None:
        return
    if find_spec("matplotlib") is None:
        call = install_hint("plot", "matplotlib")
        raise ImportError(f"--figures needs matplotlib: {call}.")
    import_module("matplotlib.pyplot")  # may fail for want of a folder of its own, or a backend
    check_folder(folder, "--figures")


def draw_comparison(folder: Path | None, wanted: Comparison, fits: Sequence[Fit]) -> list[Path]:
    """Draw each method's embedding of a test part and its confusions; return the files."""
    if folder is None:
        return []
    with one_font_warning([*wanted.faces.target_names, *{fit.method for fit in fits}]):
        return _draw_all(folder, wanted, fits)


def _draw_all(folder: Path, wanted: Comparison, fits: Sequence[Fit]) -> list[Path]:
    files = []
    for method in dict.fromkeys(fit.method for fit in fits):
        mine = [fit for fit in fits if fit.method == method]
        shown = next((fit for fit in mine if fit.points is not None), None)
        if shown is not None:
            files.append(folder / f"embedding-{method}.png")
            _draw_embedding(files[-1], wanted, shown)
        files.append(folder / f"confusion-{method}.png")
        _draw_confusion(files[-1], wanted, mine)
    if len({fit.method for fit in fits}) > 1:
        files.append(folder / "comparison.png")
        _draw_comparison(files[-1], fits)
    return files


def _draw_comparison(path: Path, fits: Sequence[Fit]) -> None:
    methods = {fit.method for fit in fits}
    baseline = REFERENCE if REFERENCE in methods else fits[0].method
    axes = _axes(10, 1.5 + 0.5 * len(methods))
    display = ComparisonDisplay.from_fits(fits, "balanced_accuracy", baseline=baseline, ax=axes)
    display.figure_.savefig(path, dpi=_DPI)


def _axes(width: float, height: float) -> Any:
    return _figure(figsize=(width, height), layout="constrained").subplots()


def _figure(**options: Any) -> Any:
    # A figure of its own: pyplot would keep it, and might open a window.
    from matplotlib.figure import Figure

    return Figure(**options)


def _draw_embedding(path: Path, wanted: Comparison, fit: Fit) -> None:
    rows = wanted.splits[fit.fold][1]
    display = EmbeddingDisplay(
        np.asarray(fit.points),
        wanted.faces.target[rows],
        y_pred=np.asarray(fit.predicted),
        names=wanted.faces.target_names,
        told=f"the test part of a fold by {fit.method}, in two main components",
    )
    display.plot(ax=_axes(7, 5))
    display.figure_.savefig(path, dpi=_DPI)


def _draw_confusion(path: Path, wanted: Comparison, fits: Sequence[Fit]) -> None:
    faces = wanted.faces
    counts = confusion_matrix(fits, faces.target, wanted.splits, fits[0].method)
    found = np.unique(faces.target[faces.target != UNLABELED])
    names = [str(faces.target_names[code]) for code in found]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    whole = {"vmin": 0, "vmax": 1}  # so that the colors of two methods can be compared
    display = draw_confusion(
        shares, names, _figure(), values_format=".2f", im_kw=whole, colorbar=True
    )
    display.ax_.set_title(f"{fits[0].method}: share of each class (row)", loc="left")
    display.figure_.savefig(path, dpi=_DPI)
