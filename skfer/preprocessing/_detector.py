"""Where the faces are in a picture: one interface for every detector."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from sklearn.base import BaseEstimator

from skfer._digest import Digest, told_with_files
from skfer._typing import ArrayLike
from skfer.exceptions import ArgumentError, shorten
from skfer.pictures import Picture, read_picture, resize
from skfer.preprocessing._geometry import (
    BOX_ORDERS,
    LANDMARK_ORDERS,
    corners,
    find_eyes,
    name_points,
)
from skfer.validation import check_choice

_THREAD = threading.local()
_LANDMARKS = ((5, 2), (6, 2), (68, 2))


@dataclass(frozen=True)
class Faces:
    """The faces in one picture, from left to right.

    Parameters
    ----------
    boxes : ndarray of shape (n_faces, 4)
        Edges (x0, y0, x1, y1) of each face in pixels, (0, 0) being the upper left corner.
    scores : ndarray of shape (n_faces,)
        How sure the detector is; each has a scale of its own.
    landmarks : dict of str to ndarray of shape (n_faces, 2), default=None
        Points (x, y) by name, if the detector gives some: "left_eye", "right_eye", "nose",
        "mouth_left", "mouth_right"; left and right are the picture's.

    See Also
    --------
    FaceDetector : Returns them.
    DetectedFace : One face, with its crop.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.preprocessing import Faces
    >>> faces = Faces(np.array([[10, 20, 50, 70.0]]), np.array([0.9]))
    >>> len(faces), faces.landmarks_of(0)
    (1, None)
    """

    boxes: Any
    scores: Any
    landmarks: Any = None

    def __post_init__(self) -> None:
        boxes = np.asarray(self.boxes, dtype=np.float64).reshape(-1, 4)
        scores = np.asarray(self.scores, dtype=np.float64).ravel()
        points = self.landmarks
        if points is not None:
            points = {name: np.asarray(p, np.float64).reshape(-1, 2) for name, p in points.items()}
        if any(len(part) != len(boxes) for part in (scores, *(points or {}).values())):
            raise ArgumentError("{boxes}, {scores} and {landmarks} must have a row for each face.")
        order = np.lexsort((boxes[:, 1], boxes[:, 0]))
        object.__setattr__(self, "boxes", boxes[order])
        object.__setattr__(self, "scores", scores[order])
        if points is not None:
            points = {name: values[order] for name, values in points.items()}
        object.__setattr__(self, "landmarks", points)

    def __len__(self) -> int:
        return len(self.boxes)

    def landmarks_of(self, i: int) -> dict[str, np.ndarray] | None:
        """Return the landmarks of one face by name, or None if there are none.

        Parameters
        ----------
        i : int
            Which face.

        Returns
        -------
        landmarks : dict of str to ndarray of shape (2,), or None
        """
        if self.landmarks is None:
            return None
        return {name: points[i] for name, points in self.landmarks.items()}

    def largest(self) -> "Faces":
        """Return the largest face alone.

        Returns
        -------
        faces : Faces
        """
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        return self.take([int(np.prod(sides, axis=1).argmax())])

    def take(self, indices: ArrayLike) -> "Faces":
        """Return some of the faces.

        Parameters
        ----------
        indices : array-like of int
            Which.

        Returns
        -------
        faces : Faces
        """
        rows = np.asarray(indices, dtype=np.intp)
        points = self.landmarks
        if points is not None:
            points = {name: values[rows] for name, values in points.items()}
        return Faces(self.boxes[rows], self.scores[rows], points)

    def scaled(self, factor: float) -> "Faces":
        """Return the same faces in a picture that many times as large.

        Parameters
        ----------
        factor : float
            Pixels of the other picture for one of this.

        Returns
        -------
        faces : Faces
        """
        points = self.landmarks
        if points is not None:  # (0, 0) is the center of a pixel for points
            points = {name: (p + 0.5) * factor - 0.5 for name, p in points.items()}
        return Faces(self.boxes * factor, self.scores, points)


class FaceDetector(BaseEstimator, ABC):
    """A detector of faces: override `find`, and it works wherever skfer takes a detector.

    It may be called with a picture, or its `detect`. As scikit-learn's estimators it has its
    parameters as attributes of the same name, and can be cloned, copied and pickled.

    See Also
    --------
    FunctionDetector : A detector from a function.
    as_detector : Whatever may be given as a detector.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.preprocessing import FaceDetector, Faces
    >>> class BrightSpot(FaceDetector):
    ...     def find(self, image):
    ...         y, x = np.argwhere(image.max(axis=2) > 200).T
    ...         if not len(x):
    ...             return Faces([], [])
    ...         return Faces([(x.min(), y.min(), x.max() + 1, y.max() + 1)], [1.0])
    >>> picture = np.zeros((60, 80), dtype=np.uint8)
    >>> picture[20:40, 30:50] = 255
    >>> BrightSpot().detect(picture).boxes.tolist()
    [[30.0, 20.0, 50.0, 40.0]]
    """

    color: ClassVar[bool | None] = True
    """Whether `find` wants RGB; None takes gray or RGB, as the picture is."""

    @abstractmethod
    def find(self, image: np.ndarray) -> Faces:
        """Find the faces in a picture; to be overridden.

        Parameters
        ----------
        image : ndarray of shape (height, width, 3), uint8
            The picture in RGB, upright.

        Returns
        -------
        faces : Faces
            In pixels of this image; without any if there is none.
        """

    def detect(self, picture: Picture) -> Faces:
        """Find the faces in a picture.

        Parameters
        ----------
        picture : path, PIL image, or ndarray of shape (height, width) or (height, width, 3)
            Any picture that skfer reads.

        Returns
        -------
        faces : Faces
            From left to right.
        """
        image = read_picture(picture, None, self.color)
        most = getattr(self, "max_side", None)
        if most is None or max(image.shape[:2]) <= most:
            return self.find(image)
        factor = max(image.shape[:2]) / most
        height, width = (max(1, round(side / factor)) for side in image.shape[:2])
        small = np.asarray(resize(Image.fromarray(image), (height, width)))
        return self.find(small).scaled(factor)

    def __call__(self, picture: Picture) -> Faces:
        """Find the faces in a picture; the same as `detect`."""
        return self.detect(picture)

    def fingerprint(self) -> str:
        """Return a text that differs where the detector may find something else, for caches.

        Unlike ``repr`` it depends on all of every parameter, however long, and on the code of the
        class and of what it calls, where they are of no installed package. Of a file that a
        parameter names its size and the time of its last change count too.

        Returns
        -------
        key : str
            The same in every process for the same parameters, files and code.
        """
        kind, digest = type(self), Digest()
        parameters = told_with_files(self.get_params(deep=False))
        digest.add([f"{kind.__module__}.{kind.__qualname__}", parameters])
        digest.add_code(kind)
        return digest.hexdigest()

    def _native(self, build: Callable[[], Any]) -> Any:
        """Return what `build` makes, made once in each thread for each choice of parameters.

        Detectors of other libraries can mostly neither be pickled nor be shared by threads.
        """
        key = (type(self), self.fingerprint())
        made = _THREAD.__dict__.setdefault("made", {})
        if key not in made:
            made[key] = build()
        return made[key]


class FunctionDetector(FaceDetector):
    """A detector from any function.

    Parameters
    ----------
    function : callable
        Called with a picture, uint8 of shape (height, width) or (height, width, 3). Returns
        `Faces`, boxes of shape (n_faces, 4) or (n_faces, 5) with a score at the end, one box (4,),
        landmarks of one face of shape (68, 2), (6, 2) or (5, 2), or nothing if there is no face.
    landmark_order : {"ibug68", "mtcnn5", "dlib5", "mediapipe6"}, default=None
        The order of landmarks, as for :func:`align_face`.
    box_order : {"xyxy", "xywh"}, default="xyxy"
        Whether boxes are (x0, y0, x1, y1) or (x, y, width, height). `Faces` always have edges.

    See Also
    --------
    FaceDetector : The class to derive from, for more than a function.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.preprocessing import FunctionDetector
    >>> detector = FunctionDetector(lambda image: (10, 20, 50, 70))
    >>> detector.detect(np.zeros((100, 100), dtype=np.uint8)).boxes.tolist()
    [[10.0, 20.0, 50.0, 70.0]]
    """

    color: ClassVar[bool | None] = None
    box_order = "xyxy"  # of those that were pickled before it was a parameter

    def __init__(
        self,
        function: Callable[[np.ndarray], Any],
        *,
        landmark_order: str | None = None,
        box_order: str = "xyxy",
    ):
        self.function = function
        self.landmark_order = landmark_order
        self.box_order = box_order

    def find(self, image: np.ndarray) -> Faces:
        """Call the function.

        Parameters
        ----------
        image : ndarray of shape (height, width) or (height, width, 3), uint8
            The picture.

        Returns
        -------
        faces : Faces
            What it found.

        Raises
        ------
        ValueError
            When the function returns something else, or landmarks that no face can have: they may
            be in another order.
        """
        check_choice(self.box_order, "box_order", BOX_ORDERS)
        found = self.function(image)
        if isinstance(found, Faces):
            return found
        try:
            place = np.asarray([] if found is None else found, dtype=np.float64)
        except (TypeError, ValueError):
            place = np.full(1, np.nan)
        if place.size == 0:
            return Faces(np.empty((0, 4)), np.empty(0))
        if place.shape in _LANDMARKS:
            find_eyes(place, landmark_order=self.landmark_order)  # raises where it is no face
            return _one_face(name_points(place, self.landmark_order))
        boxes = np.atleast_2d(place)
        if boxes.ndim != 2 or boxes.shape[1] not in (4, 5):
            raise ArgumentError(
                "the {detector} returned {}: it must return boxes (n_faces, 4), with scores "
                "(n_faces, 5), one box (4,), landmarks (68, 2), (6, 2) or (5, 2), or None.",
                f"an array of shape {place.shape}" if place.ndim > 1 else shorten(repr(found)),
            )
        scores = boxes[:, 4] if boxes.shape[1] == 5 else np.ones(len(boxes))
        return Faces(corners(boxes[:, :4], self.box_order), scores)


def named_rows(points: np.ndarray, order: str) -> dict[str, np.ndarray]:
    """Return landmarks (n_faces, n_points, 2) by name, in one of the known orders."""
    return {name: points[:, place].mean(axis=1) for name, place in LANDMARK_ORDERS[order].items()}


def _one_face(points: Mapping[str, np.ndarray]) -> Faces:
    """Return a face that is known by its landmarks: the box goes from brows to chin."""
    left, right = points["left_eye"], points["right_eye"]
    across = right - left
    down = np.array([-across[1], across[0]])
    center = (left + right) / 2 + 0.5 * down + 0.5
    half = 1.1 * np.hypot(*across)
    rows = {name: point[None] for name, point in points.items()}
    return Faces([[*(center - half), *(center + half)]], [1.0], rows)
