"""Finding faces and aligning them: functions for loaders, and a scikit-learn transformer."""

from skfer.pictures import NoFaceWarning
from skfer.preprocessing._adapters import (
    DlibDetector,
    MediaPipeDetector,
    MTCNNDetector,
    SlimeFaceDetector,
    YuNetDetector,
    as_detector,
)
from skfer.preprocessing._align import FaceAligner
from skfer.preprocessing._detector import FaceDetector, Faces, FunctionDetector
from skfer.preprocessing._geometry import find_eyes
from skfer.preprocessing._photographs import DetectedFace, detect_faces
from skfer.preprocessing._warp import align_face

__all__ = [
    "DetectedFace",
    "DlibDetector",
    "FaceAligner",
    "FaceDetector",
    "Faces",
    "FunctionDetector",
    "MTCNNDetector",
    "MediaPipeDetector",
    "NoFaceWarning",
    "SlimeFaceDetector",
    "YuNetDetector",
    "align_face",
    "as_detector",
    "detect_faces",
    "find_eyes",
]
