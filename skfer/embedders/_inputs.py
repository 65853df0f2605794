"""Checks what a user gives as X and makes a source of batches of it."""

from __future__ import annotations

import os
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skfer.pictures import PICTURE, DatasetError, decode_images
from skfer.training import ImageSource, RowSource, release_pages

_CHECK_CHUNK = 1024
_PATH = (str, bytes, os.PathLike)
_MOMENTS_CELLS = 2**20


def as_source(
    estimator: Any,
    X: Any,
    image_shape: tuple[int, ...] | None,
    *,
    reset: bool,
) -> ImageSource | RowSource:
    """Validate X and return a source of batches.

    Sets ``input_shape_``, ``n_features_in_`` and, for rows, the statistics that standardise
    them when `reset` is true; compares with them otherwise.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose attributes are set or compared.
    X : array-like
        Images (n, h, w) or (n, h, w, channels), rows (n, n_features), or paths (n,).
    image_shape : tuple of int or None
        (h, w) or (h, w, channels): rows are images of this shape, paths are decoded to it.
    reset : bool
        True in ``fit``.

    Returns
    -------
    ImageSource or RowSource
    """
    paths = as_paths(X)
    if paths is not None:
        X = decode_paths(estimator, paths, image_shape, reset)
    X = _stacked(X)
    if not reset:
        _refuse_single_image(estimator, X)
    if not _is_image_array(X):
        given = X
        X = validate_data(estimator, X, reset=reset, dtype="numeric")
        if isinstance(given, np.memmap) and given.shape == X.shape and given.dtype == X.dtype:
            # What validation returns has lost the way to its file's pages.
            release_pages(given)
            X = given
        return (
            _rows(estimator, X, reset)
            if image_shape is None
            else _flat_images(estimator, X, image_shape, reset)
        )
    return _images(estimator, X, image_shape, reset)


def check_image_shape(image_shape: Any) -> tuple[int, ...] | None:
    """Return an ``image_shape`` parameter as a tuple of int, or None for None.

    Raises
    ------
    ValueError
        If it is not (height, width) or (height, width, channels).
    """
    if image_shape is None:
        return None
    sides = tuple(image_shape)
    whole = all(isinstance(side, Integral) and int(side) > 0 for side in sides)
    if len(sides) not in (2, 3) or not whole:
        raise ValueError(
            "image_shape must be (height, width) or (height, width, channels), in whole numbers, "
            f"got {image_shape!r}."
        )
    return tuple(int(side) for side in sides)


def as_paths(X: Any) -> list[Any] | None:
    """Return X as a list of paths or PIL images, or None if it holds something else.

    Parameters
    ----------
    X : array-like
        Paths may be str, bytes or path-like, in a list, an array of shape (n,) or (n, 1), a
        series, an index or a data frame of one column; PIL images likewise.

    Raises
    ------
    ValueError
        If X is one of them, or only some of what it holds are.
    """
    check_no_single_path(X)
    items = _items(X)
    if items is None or not any(isinstance(item, PICTURE) for item in items):
        return None
    for i, item in enumerate(items):
        if not isinstance(item, PICTURE):
            raise ValueError(f"X holds paths, but X[{i}] is {item!r}: leave such samples out.")
    return list(items)


def check_no_single_path(X: Any) -> None:
    """Raise ValueError if X is a path or a picture in place of an array of them."""
    if isinstance(X, PICTURE):
        raise ValueError(
            f"X must be an array of paths or images, got the single path {X!r:.200}."
            if isinstance(X, _PATH)
            else f"X must be a list of images, got a single one: {X!r:.200}."
        )


def _items(X: Any) -> Any:
    """Return what stands in a list, or in the one column of a table that is no table of numbers."""
    if isinstance(X, list | tuple):
        return X
    shape = getattr(X, "shape", ())
    if len(shape) not in (1, 2) or shape[1:] not in ((), (1,)):
        return None
    array = np.asarray(X)
    return array.ravel().tolist() if array.dtype.kind in "OUST" else None


def _stacked(X: Any) -> Any:
    """Make one array of several, in a list, a series or an array: they must agree in shape."""
    items = None if getattr(X, "ndim", 1) > 1 else _items(X)
    if not items:
        return X
    # Lists of rows are for scikit-learn to check.
    least = 2 if isinstance(X, list | tuple) else 1
    shape = _shape(items[0])
    if len(shape) < least:
        return X
    for i, item in enumerate(items):
        if _shape(item) != shape:
            raise ValueError(
                f"X holds arrays of different shapes: X[0] is of shape {shape}, X[{i}] of shape "
                f"{_shape(item)}. Resize the images to one size."
            )
    return np.stack(items)


def _shape(item: Any) -> tuple[int, ...]:
    try:
        return np.shape(item)
    except ValueError:  # a list of lists of different lengths
        return (len(item),)


def _refuse_single_image(estimator: Any, X: Any) -> None:
    shape = getattr(estimator, "input_shape_", ())
    if len(shape) > 1 and getattr(X, "shape", None) == shape:
        raise ValueError(
            f"X is of shape {shape}, as a single image is: give X[None], an array of one image."
        )


def decode_paths(
    estimator: Any, paths: list[str], image_shape: tuple[int, ...] | None, reset: bool
) -> NDArray[np.uint8]:
    """Decode pictures in parallel, to the shape that is wanted or was seen in ``fit``.

    Raises
    ------
    ValueError
        If that shape is no picture's: of rows, or of other than 1 or 3 channels.
    DatasetError
        If files cannot be read, or differ in size where no shape is wanted.
    """
    shape = image_shape if reset or image_shape is not None else estimator.input_shape_
    if shape is not None and len(shape) == 1:
        raise ValueError(
            f"X holds paths, but {type(estimator).__name__} was fitted on rows of {shape[0]} "
            "features."
        )
    channels = shape[2] if shape is not None and len(shape) == 3 else None
    if channels not in (None, 1, 3):
        raise ValueError(
            f"X holds paths, which are decoded to 1 or 3 channels, not to the {channels} of "
            f"image_shape={shape}."
        )
    size = None if shape is None else tuple(shape[:2])
    try:
        images = decode_images(paths, image_size=size, color=channels == 3, n_jobs=-1)
    except DatasetError as error:
        error.hint = (
            "Set image_shape=(height, width) to bring all to one size."
            if "image_size" in error.arguments
            else "Mend these files, or leave them out of X, and their labels out of y."
        )
        raise
    return images[..., None] if channels == 1 else images


def _is_image_array(X: Any) -> bool:
    return getattr(X, "ndim", 0) > 2


def _images(
    estimator: Any, X: Any, image_shape: tuple[int, ...] | None, reset: bool
) -> ImageSource:
    X = X if isinstance(X, np.ndarray) else np.asarray(X)
    if X.dtype == object:
        X = np.asarray(X.tolist())
    if X.ndim not in (3, 4):
        raise ValueError(
            "X must be images (n, height, width) or (n, height, width, channels), rows "
            f"(n, n_features) or paths (n,), got an array of shape {X.shape}."
        )
    if len(X) == 0:
        raise ValueError(
            f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required."
        )
    if X.dtype.kind not in "uifb":
        raise ValueError(f"X must hold numbers, got images of dtype {X.dtype}.")
    shape = X.shape[1:]
    if len(shape) == 3 and shape[0] in (1, 3) and shape[2] not in (1, 3, 4):
        raise ValueError(
            f"X has images of shape {shape}, which look like channels first: skfer takes "
            "channels last, (n, height, width, channels). Try X.transpose(0, 2, 3, 1)."
        )
    if image_shape is not None and image_shape != shape:
        raise ValueError(f"X has images of shape {shape}, but image_shape={image_shape}.")
    _check_finite(X)
    _set_or_compare(estimator, shape, reset)
    if reset:
        # Of an earlier fit on a table.
        vars(estimator).pop("feature_names_in_", None)
    return ImageSource(X, shape)


def _check_finite(X: NDArray[Any]) -> None:
    """Look for NaN and inf chunk by chunk, so that a memmap is never copied whole."""
    if X.dtype.kind != "f":
        return
    for start in range(0, len(X), _CHECK_CHUNK):
        chunk = X[start : start + _CHECK_CHUNK]
        rows = chunk.reshape(len(chunk), -1)
        try:
            check_array(rows, input_name="X", dtype=None)
        except ValueError as error:
            bad = start + int(np.isfinite(rows).all(axis=1).argmin())
            first_line = str(error).splitlines()[0]
            raise ValueError(f"{first_line} The first such image is X[{bad}].") from None
        release_pages(X)


def _flat_images(
    estimator: Any, X: NDArray[Any], image_shape: tuple[int, ...], reset: bool
) -> ImageSource:
    if X.shape[1] != np.prod(image_shape):
        raise ValueError(
            f"image_shape={image_shape} needs rows of {np.prod(image_shape)} values, got X with "
            f"{X.shape[1]} features."
        )
    _set_or_compare(estimator, image_shape, reset)
    return ImageSource(X, image_shape)


def _rows(estimator: Any, X: NDArray[Any], reset: bool) -> RowSource:
    if not reset and len(estimator.input_shape_) > 1:
        raise ValueError(
            f"X has rows of {X.shape[1]} features, but {type(estimator).__name__} was fitted on "
            f"images of shape {estimator.input_shape_}."
        )
    if reset:
        estimator.input_shape_ = (X.shape[1],)
        estimator._row_mean, scale = _moments(X)
        estimator._row_scale = np.where(scale > 0, scale, 1.0)
    return RowSource(X, estimator._row_mean, estimator._row_scale)


def _moments(X: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each column, in chunks: no copy of the whole."""
    size = max(1, _MOMENTS_CELLS // X.shape[1])
    chunks = [slice(start, start + size) for start in range(0, len(X), size)]
    mean = sum(X[rows].sum(0, dtype=np.float64) for rows in chunks) / len(X)
    squares = sum(np.square(X[rows] - mean).sum(0) for rows in chunks)
    release_pages(X)
    return mean, np.sqrt(squares / len(X))


def _set_or_compare(estimator: Any, shape: tuple[int, ...], reset: bool) -> None:
    if reset:
        estimator.input_shape_ = shape
        estimator.n_features_in_ = int(np.prod(shape))
        return
    check_is_fitted(estimator)
    if shape != estimator.input_shape_:
        raise ValueError(
            f"X has images of shape {shape}, but {type(estimator).__name__} was fitted on "
            f"inputs of shape {estimator.input_shape_}."
        )
