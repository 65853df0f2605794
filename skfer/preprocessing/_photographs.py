"""Every face of photographs, a row each."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from skfer.exceptions import ArgumentError, shorten, warn_caller
from skfer.pictures import N_SHOWN, PATH, PICTURE, NoFaceWarning, Picture, read_picture
from skfer.preprocessing._align import FaceAligner
from skfer.preprocessing._detector import Faces
from skfer.validation import as_list, shown


class DetectedFace(NamedTuple):
    """A face in a photograph, or a photograph without one.

    A list of them makes a table: ``pandas.DataFrame(rows)``.

    Attributes
    ----------
    photo : int
        Which of the photographs, from 0.
    name : str
        Path of the photograph, "" if it came as a picture.
    face : int
        Which of the faces that were found in it, from 0 on the left; -1 where there is none.
    box : ndarray of shape (4,) or None
        Edges (x0, y0, x1, y1) in pixels of the upright photograph; None without a face.
    score : float
        How sure the detector is; nan without a face.
    landmarks : dict of str to ndarray of shape (2,), or None
        Points (x, y) by name, if the detector gives them.
    crop : ndarray of uint8 or None
        The face, cut out and aligned; None without a face.

    See Also
    --------
    detect_faces : Makes them.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.preprocessing import FaceAligner, detect_faces
    >>> photo = np.random.default_rng(0).integers(0, 256, (120, 160), dtype=np.uint8)
    >>> aligner = FaceAligner(detector=lambda photo: [(40, 30, 90, 90)])
    >>> (row,) = detect_faces(photo, aligner)
    >>> row.found, row.crop.shape
    (True, (48, 48))
    """

    photo: int
    name: str
    face: int
    box: np.ndarray | None = None
    score: float = float("nan")
    landmarks: dict[str, np.ndarray] | None = None
    crop: np.ndarray | None = None

    @property
    def found(self) -> bool:
        """Whether there is a face."""
        return self.face >= 0


def detect_faces(
    photos: Picture | Sequence[Picture], aligner: FaceAligner | None = None
) -> list[DetectedFace]:
    """Find every face in photographs and cut it out.

    The crops are what an embedder takes, aligned as `aligner` aligns: give the aligner of the
    pipeline that is to judge them.

    Parameters
    ----------
    photos : path, PIL image, ndarray of shape (height, width[, 3]), or a list of them
        The photographs; several of one size and in color may be one array.
    aligner : FaceAligner, default=None
        Finds the faces by its ``detector`` (one without finds them by "default") and cuts them out
        by its parameters. None is ``FaceAligner(detector="default", color=False)``.

    Returns
    -------
    faces : list of DetectedFace
        A row for each face: photographs in their order, faces of each from left to right. A
        photograph without a face has one row, with ``face=-1`` and no crop.

    Warns
    -----
    NoFaceWarning
        When there is no face in some; names them. Also when something that the detector found
        cannot be a face, such as a box that is far too long or lies mostly outside; names the
        photograph and the face, which has no row. The others keep their numbers.

    Raises
    ------
    ValueError
        When a photograph cannot be read, or a detector returns something else than faces; names
        the photograph.
    ImportError
        When the default detector is not installed.

    See Also
    --------
    FaceAligner : One face a picture, in a pipeline.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.preprocessing import FaceAligner, detect_faces
    >>> photo = np.zeros((120, 160), dtype=np.uint8)
    >>> aligner = FaceAligner(detector=lambda photo: [(90, 20, 130, 70), (10, 30, 50, 80)])
    >>> for row in detect_faces(photo, aligner):
    ...     print(row.face, row.box.tolist(), row.crop.shape)
    0 [10.0, 30.0, 50.0, 80.0] (48, 48)
    1 [90.0, 20.0, 130.0, 70.0] (48, 48)
    """
    if isinstance(photos, PICTURE) or (
        isinstance(photos, np.ndarray) and photos.dtype != object and photos.ndim <= 3
    ):
        photos = [photos]
    if aligner is not None and not isinstance(aligner, FaceAligner):
        raise ArgumentError("{aligner} must be a FaceAligner or None, got {}.", shown(aligner))
    if aligner is None:
        aligner = FaceAligner(detector="default", color=False)
    elif aligner.detector is None:
        aligner = clone(aligner).set_params(detector="default")
    photos = as_list(photos, "photos", "photographs")
    aligner.fit(photos)  # else wrong parameters would be taken for faults of every face
    rows: list[DetectedFace] = []
    odd: list[str] = []
    for number, photo in enumerate(photos):
        rows += _detect_in(photo, number, aligner, odd)
    _warn_of_odd(odd)
    _warn_about([row for row in rows if not row.found])
    return rows


def _detect_in(
    photo: Picture, number: int, aligner: FaceAligner, odd: list[str]
) -> list[DetectedFace]:
    """Return the rows of a photograph; what cannot be a face is added to `odd`, by name."""
    name = os.fsdecode(photo) if isinstance(photo, PATH) else ""
    try:
        faces = aligner.find_faces(photo)
        image = read_picture(photo, None, aligner.color)
    except ValueError as error:
        place = f"{number}], {shorten(name)}" if name else f"{number}]"
        raise ArgumentError("{photos}[{}: {}", place, error) from error
    rows = []
    for i in range(len(faces)):
        try:
            (crop,) = aligner.crop_faces(image, faces.take([i]))
        except ValueError as error:
            odd.append(f"face {i} of {_called(name, number)}: {error}")
        else:
            rows.append(_row_of(faces, i, crop, name, number))
    return rows or [DetectedFace(number, name, -1)]


def _row_of(faces: Faces, i: int, crop: np.ndarray, name: str, number: int) -> DetectedFace:
    score, points = float(faces.scores[i]), faces.landmarks_of(i)
    return DetectedFace(number, name, i, faces.boxes[i], score, points, crop)


def _called(name: str, number: int) -> str:
    return shorten(name) or f"photograph {number}"


def _warn_of_odd(odd: list[str]) -> None:
    if odd:
        more = f"\n  ... and {len(odd) - N_SHOWN} more" if len(odd) > N_SHOWN else ""
        lines = "".join(f"\n  {text}" for text in odd[:N_SHOWN])
        text = f"the detector found what cannot be a face, which is left out:{lines}{more}"
        warn_caller(NoFaceWarning(text))


def _warn_about(empty: list[DetectedFace]) -> None:
    if empty:
        names = [_called(row.name, row.photo) for row in empty[:N_SHOWN]]
        more = f" and {len(empty) - N_SHOWN} more" if len(empty) > N_SHOWN else ""
        warn_caller(NoFaceWarning(f"no face was found in {', '.join(names)}{more}."))
