"""Reading pictures that come with landmarks or boxes: aligned while they are decoded."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from PIL import Image

from skfer.datasets._classes import own_name
from skfer.datasets._listing import RowReader
from skfer.datasets._rows import Row
from skfer.datasets._tree import Tree
from skfer.exceptions import ArgumentError
from skfer.pictures import PictureError, fault_of, read_picture
from skfer.preprocessing import FaceAligner, FaceDetector, align_face


class Place(NamedTuple):
    """Where the face is in a picture; the whole picture where both are None."""

    # (68 or 5, 2), or named points.
    landmarks: np.ndarray | Mapping[str, np.ndarray] | None = None
    box: np.ndarray | None = None  # (4,): x0, y0, x1, y1


def aligning_reader(tree: Tree, place: Callable[[Row], Place]) -> RowReader:
    """Return what cuts the face out of each picture.

    `place(row)` says where it is, or raises `PictureError`.
    """

    def read(row: Row, size: tuple[int, int] | None, color: bool) -> np.ndarray:
        if size is None:
            raise ArgumentError(
                "{image_size=None}: aligned faces need a size, or give {align=False}."
            )
        landmarks, box = place(row)
        image = read_picture(tree.path(row.name), None, color)
        try:
            face = align_face(image, landmarks=landmarks, box=box, image_size=max(size))
        except ValueError as error:
            raise PictureError(f"its face cannot be cut out: {error}") from error
        return face if face.shape[:2] == size else resized(face, size)

    return read


def detecting_reader(tree: Tree, detector: FaceDetector, several: list[str]) -> RowReader:
    """Return what finds the face in each photograph and cuts it out, the largest if there are more.

    Names of photographs with several faces are added to `several`.
    """

    def read(row: Row, size: tuple[int, int] | None, color: bool) -> np.ndarray:
        if size is None:
            raise ArgumentError("{image_size=None}: faces cut out of photographs need a size.")
        path = tree.path(row.name)
        aligner = FaceAligner(detector=detector, image_size=max(size), color=color)
        try:
            faces = aligner.find_faces(path)
            found = aligner.crop_faces(path, faces.largest()) if len(faces) else []
        except PictureError:
            raise
        except ValueError as error:
            raise PictureError(f"its face cannot be cut out: {error}") from error
        if not found:
            raise PictureError("the detector found no face in it")
        if len(faces) > 1:
            several.append(row.name)
        (face,) = found
        return face if face.shape[:2] == size else resized(face, size)

    return read


def cropping_reader(tree: Tree, box: tuple[float, float, float, float]) -> RowReader:
    """Return what takes one part of every picture, given as shares of its sides."""

    def read(row: Row, size: tuple[int, int] | None, color: bool) -> np.ndarray:
        image = read_picture(tree.path(row.name), None, color)
        height, width = image.shape[:2]
        edges = np.round(np.multiply(box, (width, height, width, height))).astype(int)
        part = image[edges[1] : edges[3], edges[0] : edges[2]]
        if part.size == 0:
            raise PictureError(f"{width} x {height} pixels are too few to cut {box} out of them")
        return part if size is None else resized(part, size)

    return read


def read_points(tree: Tree, name: str, n_points: int, *, further: bool = False) -> np.ndarray:
    """Return the points of a landmark file, a pair of numbers a line; raise `PictureError`.

    With `further` the file may go on with something else.
    """
    called = f"its landmark file {own_name(name)}"
    try:
        lines = tree.read_text(name).splitlines()
    except FileNotFoundError:
        raise PictureError(f"{called} is missing") from None
    except OSError as error:
        raise PictureError(f"{called} cannot be read: {fault_of(error)}") from None
    except ValueError as error:
        raise PictureError(f"{called} cannot be read: {error}") from None
    written = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if further:
        written = written[:n_points]
    points = []
    for number, line in written:
        pair = _numbers(line)
        if len(pair) != 2 or not np.isfinite(pair).all():
            raise PictureError(f"{called}, line {number}: {line.strip()!r} is no pair of numbers")
        points.append(pair)
    if len(points) != n_points:
        raise PictureError(f"{called} holds {len(points)} points, not {n_points}")
    return np.array(points, dtype=np.float64)


def _numbers(line: str) -> list[float]:
    try:
        return [float(word) for word in line.replace(",", " ").split()]
    except ValueError:
        return []


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the image at (height, width)."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR))
