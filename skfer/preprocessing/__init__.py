"""Face alignment: plain functions for loaders, and a scikit-learn transformer."""

from skfer.preprocessing._align import FaceAligner
from skfer.preprocessing._geometry import find_eyes
from skfer.preprocessing._warp import align_face

__all__ = ["FaceAligner", "align_face", "find_eyes"]
