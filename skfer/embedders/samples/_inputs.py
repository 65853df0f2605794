"""Checks what a user gives as X, and makes a source of batches of it."""

import math
import re
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError, shorten, warn_caller
from skfer.pictures import (
    PATH,
    PICTURE,
    DatasetError,
    DatasetWarning,
    PictureError,
    decode_images,
    first_shape,
    picture_reader,
    read_picture,
    seems_photograph,
)
from skfer.training import ImageSource, PictureSource, RowSource, release_pages
from skfer.validation import shown

MOST_DECODED = 2**30
"""Bytes of pictures that are decoded once and kept in memory."""
_CHECK_CHUNK = 1024
_PIXELS = re.compile(r"\s*\d{1,3}([\s,;]+\d{1,3}){8}")
_MOMENTS_CELLS = 2**20
_EXTREME = 400  # in powers of two: squares of float64 are in its range, sums of many too

_STAND_IN = "{on_error='skip'} has another picture of its class stand in for it."
_LOOKED_AT = 100  # pictures whose sizes are read: photographs do not come alone
Shape = tuple[int, ...]
"""Of one input: (height, width), (height, width, channels) or (n_features,)."""
Statistics = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Mean and scale of each column of rows."""


def decode_paths(
    X: Any,
    size: tuple[int, int] | None,
    color: bool,
    fitted: Shape | None,
    name: str,
    *,
    lazily: bool = False,
) -> Any:
    """Return the decoded pictures if X holds paths, or else X as it is.

    Pictures that would take more than `MOST_DECODED` bytes are decoded when they are needed.

    Parameters
    ----------
    X : array-like
        Anything that an embedder takes.
    size : (height, width) or None
        To which size to decode; None keeps that of the pictures.
    color : bool
        Whether to decode to three channels.
    fitted : tuple of int or None
        Shape of one input in ``fit``, if there was one: it overrides `size` and `color`.
    name : str
        The embedder, for messages.
    lazily : bool, default=False
        Whether few pictures too are decoded when they are needed.

    Returns
    -------
    array of uint8 of shape (n, height, width) or (n, height, width, channels), PictureSource, or X

    Raises
    ------
    ValueError
        If pictures cannot have the shape of the inputs in ``fit``, or only part of X are paths.
    DatasetError
        If files cannot be read, or differ in size where `size` is None.
    """
    paths = as_paths(X)
    if paths is None:
        return X
    channels = 3 if color else None
    if fitted is not None:
        if len(fitted) == 1:
            raise ValueError(
                f"X holds paths, but {name} was fitted on rows of {fitted[0]} features."
            )
        size, channels = (fitted[0], fitted[1]), fitted[2] if len(fitted) == 3 else None
    if channels not in (None, 1, 3):
        raise ValueError(
            f"X holds paths, which are decoded to 1 or 3 channels, but {name} was fitted on images "
            f"with {channels} channels."
        )
    try:
        source = _picture_source(paths, size, channels, lazily)
        if lazily or len(paths) * math.prod(source.shape) > MOST_DECODED:
            return source
        images = decode_images(paths, image_size=size, color=channels == 3, n_jobs=-1)
    except DatasetError as error:
        if "image_size" not in error.arguments:
            error.hint = "Mend these files, or leave them out of X, and their labels out of y."
        raise
    return images[..., None] if channels == 1 else images


def photographs_among(X: Any, size: tuple[int, ...] | None) -> list[str]:
    """Return what to call the pictures among the first of X that no face may fill.

    Parameters
    ----------
    X : array-like
        Paths or PIL images.
    size : (height, width, ...) or None
        To which size they are decoded; None keeps that of the pictures, which faces fill then.
    """
    if size is None:
        return []
    first = (as_paths(X) or [])[:_LOOKED_AT]
    return [name for item in first if (name := seems_photograph(item, min(size[:2])))]


def _picture_source(
    paths: list[Any], size: tuple[int, int] | None, channels: int | None, skips: bool
) -> PictureSource:
    """Return a source that decodes pictures when they are needed.

    If it `skips`, an error does not advise to skip what is broken.
    """
    names = [str(path) for path in paths]
    read = picture_reader(paths, size, channels == 3)
    shape = (*(size or first_shape(names, read)[:2]), *((channels,) if channels else ()))

    def read_checked(item: Any) -> NDArray[np.uint8]:
        try:
            picture = read_picture(item, size, channels == 3)
        except PictureError as error:
            raise _breaks(item, str(error), skips) from error
        if picture.shape[:2] != shape[:2]:
            why = f"{picture.shape[:2]} pixels, not {shape[:2]}: give image_size"
            raise _breaks(item, why, skips)
        return picture.reshape(shape)

    return PictureSource(paths, read_checked, shape)


def _breaks(item: Any, why: str, skips: bool) -> DatasetError:
    name = shorten(str(item))
    text = "X holds {}, which cannot be used: {}. Mend it, or leave it and its label out"
    text += "." if skips else "; in fit, " + _STAND_IN
    return DatasetError(text, name, why, problems=[(name, why)])


def to_learn_and_embed(X: Any, decoded: Any) -> Any:
    """Return what ``fit`` and then ``transform`` get: `decoded`, or X where that is not kept.

    Raises
    ------
    DatasetError
        If a picture breaks: better before the training than after it. ``fit`` might do without it
        (`on_error`), but there is no embedding of it.
    """
    if not isinstance(decoded, PictureSource):
        return decoded
    n_parts = -(-len(decoded) // _CHECK_CHUNK)
    for _ in decoded.ahead(np.array_split(np.arange(len(decoded)), n_parts)):
        pass
    return X


def indexed_as(X: Any, Z: Any) -> Any:
    """Return what ``transform`` gave of decoded samples; a data frame, with the index of X."""
    if hasattr(X, "iloc") and hasattr(Z, "iloc"):
        Z.index = X.index
    return Z


def tell_broken(i: int, error: Exception) -> None:
    """Warn of a picture that another one stands in for."""
    problems = getattr(error, "problems", None) or [("", str(error))]
    name, why = problems[0]
    warn_caller(
        f"X[{i}], {name}, cannot be used: {why}. Another picture of its class stands in for it.",
        DatasetWarning,
    )


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
            raise ValueError(f"X holds paths, but X[{i}] is {shown(item)}: leave such samples out.")
        if isinstance(item, bytes) and b"\0" in item:
            raise ArgumentError("{X}[{}] is the content of a file: open it by Pillow first.", i)
    if isinstance(items[0], str) and _PIXELS.match(items[0]):
        raise ArgumentError(
            "{X} holds pixel values as text, such as {}: give numbers, as in "
            "np.array([text.split() for text in X], dtype=np.uint8), and {image_size}, their "
            "height and width.",
            shown(items[0]),
        )
    return list(items)


def check_no_single_path(X: Any) -> None:
    """Raise ValueError if X is a path or a picture in place of an array of them."""
    if isinstance(X, PICTURE):
        raise ValueError(
            f"X must be an array of paths or images, got the single path {shown(X)}."
            if isinstance(X, PATH)
            else f"X must be a list of images, got a single one: {shown(X)}."
        )


def stack_images(X: Any) -> Any:
    """Return one array for images in a list, a series or an array of objects, or else X as it is.

    Raises
    ------
    ValueError
        If they differ in shape.
    """
    items = _items(X)
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


def is_images(X: Any) -> bool:
    """Whether X is an array of images, and not a table."""
    return getattr(X, "ndim", 0) > 2


def refuse_single_image(X: Any, fitted: Shape) -> None:
    """Raise ValueError if X is one image of the shape that those in ``fit`` had."""
    if len(fitted) > 1 and getattr(X, "shape", None) == fitted:
        raise ValueError(
            f"X is of shape {fitted}, as a single image is: give X[None], an array of one image."
        )


def check_images(X: Any) -> NDArray[Any]:
    """Return images as an array, without a copy if they are one already.

    Raises
    ------
    ValueError
        If they are not of shape (n, height, width) or (n, height, width, channels), or do not
        hold finite numbers.
    """
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
    if len(shape) == 3 and shape[0] in (1, 3, 4) and shape[2] not in (1, 3, 4):
        raise ValueError(
            f"X has images of shape {shape}, which look like channels first: skfer takes "
            "channels last, (n, height, width, channels). Try X.permute(0, 2, 3, 1) of a tensor of "
            "torch, np.moveaxis(np.asarray(X), 1, -1) of anything else."
        )
    _check_finite(X)
    return X


def refuse_alpha(images: NDArray[Any]) -> None:
    """Raise ValueError if images have a fourth channel that is the same everywhere.

    Raises
    ------
    ValueError
        A channel of one value tells nothing of a face, and takes contrast from the others when
        images are standardized: it is the transparency of color pictures (RGBA).
    """
    if images.ndim != 4 or images.shape[3] != 4:
        return
    alpha = images[..., 3]
    value = alpha[0, 0, 0]
    if (alpha[0] == value).all() and (alpha == value).all():  # few are read where the first differs
        raise ValueError(
            f"X has images of shape {images.shape[1:]} whose fourth channel is {value} everywhere, "
            "as the transparency (alpha) of color pictures is: leave it out, X[..., :3]."
        )


def mapped_again(validated: NDArray[Any], given: Any) -> NDArray[Any]:
    """Return the memmap that a table was given as, if validation has changed nothing of it.

    scikit-learn returns a plain array, by which the pages of the file cannot be released.
    """
    if not isinstance(given, np.memmap):
        return validated
    if given.shape != validated.shape or given.dtype != validated.dtype:
        return validated
    release_pages(given)
    return given


def row_shape(n_features: int, size: tuple[int, int] | None, color: bool) -> Shape:
    """Return the shape of what rows of so many values are: images if there is a size.

    Raises
    ------
    ValueError
        If the rows have another number of values than images of this size.
    """
    if size is None:
        return (n_features,)
    shape = (*size, 3) if color else size
    if n_features != np.prod(shape):
        colored = ", color=True" if color else ""
        raise ValueError(
            f"image_size={size}{colored} needs rows of {np.prod(shape)} values, got X with "
            f"{n_features} features."
        )
    return shape


_BROUGHT = " Bring them to it; paths and PIL images are brought to it as they are read."


def check_shape(shape: Shape, fitted: Shape, name: str) -> None:
    """Raise ValueError unless inputs have the shape of those in ``fit``."""
    if len(shape) == 1 and len(fitted) > 1:
        raise ValueError(
            f"X has rows of {shape[0]} features, but {name} was fitted on images of shape {fitted}."
        )
    if shape != fitted:
        raise ValueError(
            f"X has images of shape {shape}, but {name} was fitted on inputs of shape {fitted}."
            + (_BROUGHT if len(fitted) > 1 else "")
        )


def row_statistics(X: NDArray[Any]) -> Statistics:
    """Return mean and scale of each column; the scale of a constant column is 1."""
    mean, deviation = _moments(X)
    return mean, np.where(deviation > 0, deviation, 1.0)


def make_source(
    X: NDArray[Any], shape: Shape, statistics: Statistics | None
) -> ImageSource | RowSource:
    """Return a source of batches of images, or of rows if there are statistics of them."""
    return ImageSource(X, shape) if statistics is None else RowSource(X, *statistics)


def _items(X: Any) -> Any:
    """Return what stands in a list, or in the one column of a table that is no table of numbers."""
    if isinstance(X, list | tuple):
        return X
    shape = getattr(X, "shape", ())
    if len(shape) not in (1, 2) or shape[1:] not in ((), (1,)):
        return None
    array = np.asarray(X)
    return array.ravel().tolist() if array.dtype.kind in "OUST" else None


def _shape(item: Any) -> tuple[int, ...]:
    try:
        return np.shape(item)
    except ValueError:  # a list of lists of different lengths
        return (len(item),)


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


def _moments(X: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each column, in chunks: no copy of the whole."""
    size = max(1, _MOMENTS_CELLS // X.shape[1])
    chunks = [slice(start, start + size) for start in range(0, len(X), size)]
    unit = _unit(X, chunks)
    mean = sum((X[rows] / unit).sum(0, dtype=np.float64) for rows in chunks) / len(X)
    squares = sum(np.square(X[rows] / unit - mean).sum(0) for rows in chunks)
    release_pages(X)
    return mean * unit, np.sqrt(squares / len(X)) * unit


def _unit(X: NDArray[Any], chunks: list[slice]) -> Any:
    """Return in which unit no square of a column overflows or vanishes: 1 for ordinary numbers."""
    largest = np.max([np.abs(X[rows]).max(0) for rows in chunks], axis=0)
    exponents = np.frexp(largest.astype(np.float64))[1]
    # A power of two, so that no bit of the numbers is lost.
    return np.where(np.abs(exponents) > _EXTREME, 2.0 ** exponents.clip(-1000, 1000), 1.0)
