"""Faces to be drawn: of arrays, memmaps, paths or PIL images only those that are shown are read."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError
from skfer.pictures import PATH, PICTURE, PictureError, read_picture


class Faces:
    """Pictures by number, each as uint8 of shape (h, w) or (h, w, 3 or 4).

    Parameters
    ----------
    images : array-like
        Arrays of shape (n, h, w) or (n, h, w, channels) of any dtype, a memmap, or a sequence of
        arrays, paths or PIL images, which may differ in size.
    argument : str
        What a caller calls them, for errors.
    """

    def __init__(self, images: Any, argument: str = "images") -> None:
        several = hasattr(images, "__len__") and getattr(images, "ndim", 1) > 0
        if isinstance(images, PICTURE) or not several or len(images) == 0:
            raise ArgumentError(
                f"{{{argument}}} must be an array or a list of pictures; for one give [picture]."
            )
        self._items = getattr(images, "to_numpy", lambda: images)()
        self._argument = argument
        shape: Sequence[int] = getattr(self._items, "shape", ())
        if len(shape) == 2 and shape[1] == 1:
            self._items = self._items[:, 0]
        elif len(shape) == 2:
            raise ArgumentError(
                f"{{{argument}}} holds rows of {{}} numbers: give pictures of shape (n, height, "
                "width), as in bunch.images, or reshape them.",
                shape[1],
            )

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, i: int) -> NDArray[np.uint8]:
        item = self._items[int(i)]
        if isinstance(item, PICTURE):
            return self._read(item, int(i))
        return as_uint8(self._checked(np.asarray(item), int(i)))

    def take(self, rows: Any) -> list[NDArray[np.uint8]]:
        """Read some of the pictures."""
        return [self[int(i)] for i in np.asarray(rows, dtype=np.intp).ravel()]

    def mean(self, rows: Any, most: int = 200) -> NDArray[np.uint8] | None:
        """Return the mean of some pictures, evenly chosen if many; None if sizes differ."""
        rows = np.asarray(rows, dtype=np.intp)
        if len(rows) == 0:
            return None
        chosen = rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.intp)]
        pictures = self.take(chosen)
        if len({picture.shape for picture in pictures}) > 1:
            return None
        return np.rint(np.mean(pictures, axis=0)).astype(np.uint8)

    def _read(self, picture: Any, i: int) -> NDArray[np.uint8]:
        try:
            return read_picture(picture, color=None)
        except PictureError as error:
            name = os.fsdecode(picture) if isinstance(picture, PATH) else repr(picture)
            text = f"{{{self._argument}}}[{i}], {{}}, cannot be read: {{}}"
            raise ArgumentError(text, name, error) from error

    def _checked(self, picture: NDArray[Any], i: int) -> NDArray[Any]:
        if picture.ndim == 3 and picture.shape[-1] == 1:
            picture = picture[..., 0]
        fits = picture.ndim == 2 or (picture.ndim == 3 and picture.shape[-1] in (3, 4))
        if not fits or picture.dtype.kind not in "biuf" or 0 in picture.shape:
            channels = picture.ndim == 3 and picture.shape[0] in (1, 3, 4)
            hint = "move the channels last, by np.moveaxis(images, 1, -1)" if channels else "give"
            hint += "" if channels else " (height, width) or (height, width, 3)"
            raise ArgumentError(
                f"{{{self._argument}}}[{i}] is of shape {picture.shape} and type {{}}, which is no "
                f"picture: {hint}.",
                picture.dtype,
            )
        return picture


def as_uint8(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """Return a picture of any range as uint8.

    Integers of 8 bits stay, those of 16 are scaled by their range, numbers in [0, 1] are scaled
    from there, and others from their own smallest and largest value; NaN is black.
    """
    if picture.dtype == np.uint8:
        return picture
    if picture.dtype == np.uint16:
        return (picture // 257).astype(np.uint8)
    values = np.nan_to_num(picture.astype(np.float64), posinf=np.nan, neginf=np.nan)
    finite = np.isfinite(values)
    values = np.where(finite, values, 0.0)
    low, high = float(values.min()), float(values.max())
    if picture.dtype.kind in "iu" and low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    elif low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    return np.rint(255 * (values - low) / max(high - low, 1e-300)).astype(np.uint8)


def check_faces(images: Any, n: int, argument: str = "images", beside: str = "y") -> Faces:
    """Return pictures of which there must be n."""
    faces = images if isinstance(images, Faces) else Faces(images, argument)
    if len(faces) != n:
        raise ArgumentError(
            f"{{{argument}}} holds {len(faces)} pictures and {beside} has {n} rows: they must be "
            "of the same faces.",
        )
    return faces


def faces_of(
    X: Any, images: Any, n: int, image_shape: tuple[int, ...] | None = None
) -> Faces | None:
    """Return the pictures beside X, or X itself if it holds pictures; None if it holds rows.

    Rows are pictures where a model was fitted on pictures of `image_shape`.
    """
    if images is not None:
        return check_faces(images, n, beside="X")
    shape: Sequence[int] = getattr(X, "shape", ())
    flat = image_shape if image_shape is not None and len(image_shape) > 1 else ()
    if flat and tuple(shape) == (n, np.prod(flat)):
        return check_faces(np.asarray(X).reshape(n, *flat), n, "X")
    if len(shape) == 2 and shape[1] != 1:
        return None
    if not shape and not (isinstance(X, list | tuple) and _is_picture(X[0])):
        return None
    return check_faces(X, n, "X")


def _is_picture(item: Any) -> bool:
    return isinstance(item, PICTURE) or np.ndim(item) >= 2
