"""Pictures without a face, and photographs that are taken for faces."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from skfer.exceptions import shorten, warn_caller
from skfer.pictures._problems import N_SHOWN
from skfer.pictures._reading import PATH, PICTURE, sides_of

# What fills its picture is hardly longer than wide. Smaller pictures may be crops of any shape.
_MOST_ASPECT, _LEAST_SIDES = 1.25, 2.5
_MOST_SIDES = 10  # of the result: as if there were other things to see


class NoFaceWarning(UserWarning):
    """No face was found in photographs, or none was looked for; the text names them.

    See Also
    --------
    detect_faces : Warns of photographs without a face.
    FaceAligner : Has ``no_face`` for them, and warns where it has no detector.

    Examples
    --------
    >>> from skfer.preprocessing import NoFaceWarning
    >>> issubclass(NoFaceWarning, UserWarning)
    True
    """


def seems_photograph(item: Any, image_size: int) -> str:
    """Return what to call a picture that no face fills, by its size alone; "" if one may."""
    sides = sides_of(item if isinstance(item, PICTURE) else np.asarray(item))
    if sides is None:
        return ""
    short, long = sides
    is_long = long > _MOST_ASPECT * short and short > _LEAST_SIDES * image_size
    if not is_long and short <= _MOST_SIDES * image_size:
        return ""
    name = shorten(os.fsdecode(item)) if isinstance(item, PATH) else "a picture"
    return f"{name} ({long} x {short} pixels)"


def warn_of_photographs(names: Sequence[str], remedy: str) -> None:
    """Warn of photographs that were taken whole, though nobody asked for it."""
    if names:
        more = f" and {len(names) - N_SHOWN:,} more" if len(names) > N_SHOWN else ""
        text = (
            f"no face was looked for in {', '.join(names[:N_SHOWN])}{more}: what seems to be a "
            f"photograph was taken whole, as if a face filled it. {remedy}"
        )
        warn_caller(NoFaceWarning(text))
