"""Face alignment as a scikit-learn transformer."""

import os
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions

from skfer._typing import ArrayLike
from skfer.exceptions import ArgumentError, shorten
from skfer.pictures import (
    LARGEST,
    PATH,
    PICTURE,
    Picture,
    PictureError,
    read_picture,
    seems_photograph,
    warn_of_photographs,
)
from skfer.preprocessing._adapters import as_detector
from skfer.preprocessing._detector import FaceDetector, Faces, FunctionDetector
from skfer.preprocessing._geometry import BOX_ORDERS, LANDMARK_ORDERS, check_box, is_face
from skfer.preprocessing._pixels import as_pixels
from skfer.preprocessing._warp import align_face
from skfer.validation import CheckedParametersMixin, as_list


class FaceAligner(  # type: ignore[call-arg]
    CheckedParametersMixin,
    TransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,  # images are no table, whatever a pipeline or a setting asks for
):
    """Bring faces to one size and place, by their eyes or their box.

    A transformer without state: each picture is aligned for itself by `align_face`. Where the
    face is comes, in this order, from ``landmarks`` or ``boxes`` given to `transform`, or from
    the ``detector``; without any of these the whole picture is taken.

    Parameters
    ----------
    detector : FaceDetector, callable or "default", default=None
        Finds the face in each picture that has no landmarks or box of its own; of several the
        largest is taken. "default" is :class:`SlimeFaceDetector`, of the extra ``detect``. A
        callable is called with the picture, as :class:`FunctionDetector` says, and returns boxes,
        landmarks, or nothing, in the orders below. A FaceDetector has orders of its own.
    image_size : int, default=48
        Side of the result in pixels.
    landmark_order : {"ibug68", "mtcnn5", "dlib5", "mediapipe6"}, default=None
        The order of landmarks, as for `align_face`: None goes by their number.
    box_order : {"xyxy", "xywh"}, default="xyxy"
        Whether boxes are (x0, y0, x1, y1) or (x, y, width, height).
    eye_distance : float, default=0.36
        Distance of the eyes as a share of the output's side.
    eye_height : float, default=0.34
        Distance of the eyes from the upper edge as a share of the output's side.
    margin : float, default=0.0
        Share of the longer side of a box that is added on each of its sides.
    equalize : bool, default=False
        Equalize the histogram of each result.
    color : bool, default=None
        True gives RGB, False gray. None keeps what the pictures have, which must then be alike.
    no_face : {"raise", "whole"}, default="raise"
        What to do when the detector finds none: raise an error or take the whole picture. "whole"
        also says that faces fill the pictures that are given without a detector, whatever their
        size.

    See Also
    --------
    align_face : The same for a single picture; says where the eyes come to.
    detect_faces : Every face of photographs, each with its crop.

    Notes
    -----
    Landmarks and boxes reach `transform` inside a pipeline by metadata routing:
    ``FaceAligner().set_transform_request(landmarks=True)``. scikit-learn's scorers do not route
    metadata to ``transform``, so for cross-validation align once beforehand, which leaks nothing
    because nothing is learned, or give a ``detector``.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.preprocessing import FaceAligner
    >>> pictures = np.zeros((3, 60, 80), dtype=np.uint8)
    >>> boxes = [(10, 10, 50, 50)] * 3
    >>> FaceAligner(image_size=32).transform(pictures, boxes=boxes).shape
    (3, 32, 32)
    >>> FaceAligner(detector=lambda image: (10, 10, 50, 50), color=True).transform(pictures).shape
    (3, 48, 48, 3)
    """

    _parameter_constraints: ClassVar[dict] = {
        "detector": [FaceDetector, callable, StrOptions({"default"}), None],
        "image_size": [Interval(Integral, 1, LARGEST, closed="both")],
        "landmark_order": [StrOptions(set(LANDMARK_ORDERS)), None],
        "box_order": [StrOptions(set(BOX_ORDERS))],
        "eye_distance": [Interval(Real, 0, 1, closed="neither")],
        "eye_height": [Interval(Real, 0, 1, closed="neither")],
        "margin": [Interval(Real, -0.5, None, closed="neither")],
        "equalize": ["boolean"],
        "color": ["boolean", None],
        "no_face": [StrOptions({"raise", "whole"})],
    }

    def __init__(
        self,
        *,
        detector: FaceDetector | Callable | str | None = None,
        image_size: int = 48,
        landmark_order: str | None = None,
        box_order: str = "xyxy",
        eye_distance: float = 0.36,
        eye_height: float = 0.34,
        margin: float = 0.0,
        equalize: bool = False,
        color: bool | None = None,
        no_face: Literal["raise", "whole"] = "raise",
    ):
        self.detector = detector
        self.image_size = image_size
        self.landmark_order = landmark_order
        self.box_order = box_order
        self.eye_distance = eye_distance
        self.eye_height = eye_height
        self.margin = margin
        self.equalize = equalize
        self.color = color
        self.no_face = no_face

    def fit(self, X: ArrayLike | Sequence, y: ArrayLike | None = None) -> Self:
        """Check the parameters; there is nothing to learn.

        Parameters
        ----------
        X : array-like or sequence of images
            Not looked at.
        y : array-like, default=None
            Not looked at.

        Returns
        -------
        self : FaceAligner
            The aligner.
        """
        self._validate_params()
        return self

    def transform(
        self,
        X: ArrayLike | Sequence,
        landmarks: ArrayLike | Sequence | None = None,
        boxes: ArrayLike | Sequence | None = None,
    ) -> np.ndarray:
        """Align every picture.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, 1 or 3]), or sequence of images
            Pictures, in one array or as a sequence of arrays of any sizes, PIL images or paths of
            files, which may be the one column of a data frame. All are read as the data sets read
            them: turned upright by their EXIF orientation, what is transparent black, the upper 8
            of 16 bits. Arrays are of uint8, or become it: floats of which none in a picture is
            above 1 are multiplied by 255, other numbers must be from 0 to 255 and are rounded.
        landmarks : array-like of shape (n_samples, 68, 6 or 5, 2), or sequence, default=None
            Landmarks of each picture, or a mapping of names to points; None or nan where there are
            none. As `boxes`, by position whatever the index of a pandas object.
        boxes : array-like of shape (n_samples, 4), sequence or DataFrame, default=None
            Box of each picture that has no landmarks, None or nan where there is none.

        Returns
        -------
        faces : ndarray of shape (n_samples, image_size, image_size[, n_channels]), uint8
            The aligned faces.

        Raises
        ------
        ValueError
            When an argument has the wrong shape or type, a file cannot be read as a picture, the
            detector finds no face and ``no_face`` is "raise", or pictures in gray and color are
            mixed and ``color`` is None.

        Warns
        -----
        NoFaceWarning
            When pictures as large or long as photographs are taken whole, since there is no
            detector; names them.
        """
        self._validate_params()
        X = _one_column(X)
        n_samples = _count_images(X)
        landmarks = _by_position("landmarks", landmarks, n_samples)
        boxes = _by_position("boxes", boxes, n_samples)
        faces: np.ndarray | None = None
        items = zip(X, landmarks, boxes, strict=True)  # type: ignore[arg-type]
        for row, (item, points, box) in enumerate(items):
            try:
                face = self._align_one(item, _entry(points), _entry(box))
            except ValueError as error:
                raise ValueError(f"X[{row}] cannot be aligned: {error}") from error
            if faces is None:
                faces = np.empty((n_samples, *face.shape), dtype=np.uint8)
            if face.shape != faces.shape[1:]:
                raise ValueError(
                    f"X[{row}] has other channels than X[0]: choose color=True or color=False to "
                    "make gray and colored pictures alike."
                )
            faces[row] = face
        if self.detector is None and self.no_face == "raise":
            self._warn_of_photographs(X, landmarks, boxes)
        return faces  # type: ignore[return-value]

    def fit_transform(
        self,
        X: ArrayLike | Sequence,
        y: ArrayLike | None = None,
        landmarks: ArrayLike | Sequence | None = None,
        boxes: ArrayLike | Sequence | None = None,
    ) -> np.ndarray:
        """Align every picture; the same as `transform`.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, 1 or 3]), or sequence of images
            Pictures, as for `transform`.
        y : array-like, default=None
            Not looked at.
        landmarks : array-like of shape (n_samples, 68, 6 or 5, 2), or sequence, default=None
            As for `transform`.
        boxes : array-like of shape (n_samples, 4), or sequence, default=None
            As for `transform`.

        Returns
        -------
        faces : ndarray of shape (n_samples, image_size, image_size[, n_channels]), uint8
            The aligned faces.
        """
        return self.fit(X, y).transform(X, landmarks=landmarks, boxes=boxes)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the name of what comes out: one, as of a column, since images have no columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Not looked at.

        Returns
        -------
        names : ndarray of shape (1,), dtype object
            The name of the class, in small letters.
        """
        return np.array([type(self).__name__.lower()], dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Accept any setting and go on returning arrays: images do not fit into a data frame.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Not used; there so that a pipeline can be set to return data frames.

        Returns
        -------
        self : FaceAligner
            The aligner.
        """
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        tags.requires_fit = False
        tags.no_validation = True
        return tags

    def find_faces(self, picture: Picture) -> Faces:
        """Find the faces in a picture by the detector.

        What a plain function returns is read in the orders of the aligner.

        Parameters
        ----------
        picture : path, PIL image or ndarray
            The picture.

        Returns
        -------
        faces : Faces
            From left to right, for `crop_faces`.

        Raises
        ------
        ValueError
            When there is no detector, or it returns what no face can be.
        """
        return self._own_detector().detect(picture)

    def crop_faces(self, picture: Picture, faces: Faces) -> list[np.ndarray]:
        """Cut faces that a detector found out of their picture, as `transform` does with one.

        Parameters
        ----------
        picture : path, PIL image or ndarray
            The picture.
        faces : Faces
            What a detector found in it. A face with landmarks that cannot be a face's is cut
            out by its box.

        Returns
        -------
        crops : list of ndarray of shape (image_size, image_size[, n_channels]), uint8
            A crop for each face, in the order of `faces`.
        """
        image = _read(picture, None, self.color)
        return [self._crop(image, box, faces.landmarks_of(i)) for i, box in enumerate(faces.boxes)]

    def _own_detector(self) -> FaceDetector:
        if callable(self.detector) and not isinstance(self.detector, FaceDetector):
            return FunctionDetector(
                self.detector, landmark_order=self.landmark_order, box_order=self.box_order
            )
        return as_detector(self.detector)

    def _crop(
        self, image: np.ndarray, box: np.ndarray, points: Mapping[str, np.ndarray] | None
    ) -> np.ndarray:
        """Return one face that a detector found, cut out by its landmarks or its box."""
        if is_face(points):
            return self._cut(image, landmarks=points)
        # Only of a function it is not known whether its boxes are what they should be.
        own = None if self.detector is None else self._own_detector()
        may_differ = isinstance(own, FunctionDetector) and own.box_order == "xyxy"
        check_box(box, advise_order=may_differ)
        return self._cut(image, box=box, box_order="xyxy")

    def _align_one(self, item: Any, landmarks: Any, box: np.ndarray | None) -> np.ndarray:
        item = item if isinstance(item, PICTURE) else as_pixels(np.asarray(item))
        if landmarks is not None or box is not None:
            image = _read(item, None, self.color)
            face = self._cut(
                image,
                landmarks=landmarks,
                box=box,
                landmark_order=self.landmark_order,
                box_order=self.box_order,
            )
        else:
            face = self._find_and_cut(item)
        has_channel = isinstance(item, np.ndarray) and item.shape[2:] == (1,)
        return face[..., None] if has_channel and self.color is None else face

    def _warn_of_photographs(self, X: Any, landmarks: list[Any], boxes: list[Any]) -> None:
        """Warn of pictures that were taken whole, and are as large or long as photographs."""
        warn_of_photographs(
            [
                name
                for item, points, box in zip(X, landmarks, boxes, strict=True)
                if _entry(points) is None and _entry(box) is None
                if (name := seems_photograph(item, self.image_size))
            ],
            "Give FaceAligner a detector, or boxes or landmarks to transform; if faces fill such "
            "pictures, no_face='whole'.",
        )

    def _find_and_cut(self, item: Any) -> np.ndarray:
        """Return the largest face that the detector finds, or the whole picture."""
        if self.detector is not None:
            faces = self.find_faces(_read(item))
            if len(faces):
                return self.crop_faces(item, faces.largest())[0]
            if self.no_face == "raise":
                where = f" in {shorten(os.fsdecode(item))}" if isinstance(item, PATH) else ""
                raise ValueError(
                    f"the detector found no face{where}. Leave the picture out, or take it whole "
                    "by no_face='whole'."
                )
        # The whole picture is read at its size, as the data sets do.
        return self._cut(_read(item, (self.image_size, self.image_size), self.color))

    def _cut(self, image: np.ndarray, **place: Any) -> np.ndarray:
        return align_face(
            image,
            image_size=self.image_size,
            eye_distance=self.eye_distance,
            eye_height=self.eye_height,
            margin=self.margin,
            equalize=self.equalize,
            **place,
        )


def _read(item: Any, size: tuple[int, int] | None = None, color: bool | None = None) -> np.ndarray:
    try:
        return read_picture(item, size, color)
    except PictureError as error:
        if not isinstance(item, PATH):
            raise
        raise ValueError(f"{os.fsdecode(item)!r}: {error}") from error


def _one_column(X: Any) -> Any:
    """Return what is in the only column of a data frame, or of an array of paths or images."""
    if hasattr(X, "columns") and X.shape[1] == 1:
        X = np.asarray(X)
    is_column = isinstance(X, np.ndarray) and X.dtype.kind in "OUS" and X.shape[1:] == (1,)
    return X[:, 0] if is_column else X


def _count_images(X: Any) -> int:
    if hasattr(X, "columns"):  # iterating over a DataFrame gives its columns
        raise ArgumentError(
            "{X} must be images or paths, got a {}: give the column with the paths, as in "
            "X['path'].",
            type(X).__name__,
        )
    is_array = isinstance(X, np.ndarray)
    if isinstance(X, PICTURE) or (is_array and X.ndim not in (1, 3, 4)):
        raise ArgumentError(
            "{X} must be images of shape (n_samples, height, width[, channels]), or a sequence of "
            "images or paths, got {}.",
            f"an array of shape {X.shape}" if is_array else shorten(repr(X)),
        )
    if is_array and X.ndim == 3 and X.shape[2] in (3, 4):
        raise ArgumentError(
            "{X} is of shape {}, as a single image in color is: give X[None], or a list of images.",
            X.shape,
        )
    if not hasattr(X, "__len__") or len(X) == 0:
        raise ArgumentError(
            "{X} must hold at least one image, got {} without any.", type(X).__name__
        )
    return len(X)


def _by_position(name: str, values: Any, n_samples: int) -> list[Any]:
    """Return what is given for each picture, in order."""
    if values is None:
        return [None] * n_samples
    if hasattr(values, "iloc"):  # of pandas, whose index says nothing about X
        values = values.to_numpy()
    entries = as_list(values, name, "entries, one for each image")
    if len(entries) != n_samples:
        text = f"{{{name}}} has {{}} entries but {{X}} has {{}} images: give one for each."
        raise ArgumentError(text, len(entries), n_samples)
    return entries


def _entry(value: Any) -> Any:
    """Return what is given for one picture, None if nothing or only nan is."""
    if value is None or isinstance(value, Mapping):
        return value
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        text = "landmarks and boxes must be numbers: {}."
        raise ValueError(text.format(shorten(str(error)))) from error
    return None if np.isnan(numbers).all() else numbers
