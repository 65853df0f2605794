"""Cut one face out of one picture: by its eyes, by its box, or whole."""

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageOps

from skfer._typing import ArrayLike
from skfer.pictures import LARGEST, read_picture, resize
from skfer.preprocessing._geometry import check_box, check_inside, find_eyes
from skfer.validation import as_array, check_flag, check_int, check_real

# A picture that shrinks by more is averaged first: bicubic interpolation alone would skip pixels.
_MAX_PLAIN_SHRINK = 1.2


def align_face(
    image: ArrayLike | Image.Image,
    *,
    landmarks: ArrayLike | Mapping[str, ArrayLike] | None = None,
    box: ArrayLike | None = None,
    landmark_order: str | None = None,
    box_order: str = "xyxy",
    image_size: int = 48,
    eye_distance: float = 0.36,
    eye_height: float = 0.34,
    margin: float = 0.0,
    equalize: bool = False,
) -> np.ndarray:
    """Cut a face out of a picture and bring it to a standard size and place.

    With landmarks the picture is turned, scaled and shifted (a similarity: no stretching) so that
    the eyes come to fixed places. With a box it is cut to the box, widened to a square; what lies
    outside of the picture is black. With neither the whole picture is resized to a square, as the
    data sets do it.

    Parameters
    ----------
    image : array-like of shape (height, width) or (height, width, 1 or 3), uint8, or PIL image
        The picture, in gray or RGB; one of Pillow in any mode, upright as its EXIF orientation
        says.
    landmarks : array-like of shape (68, 2), (6, 2) or (5, 2), or mapping, default=None
        Points (x, y) in pixels, x to the right and y down, (0, 0) being the center of the first
        pixel, in the order that `landmark_order` says. Or a mapping of names to points, of which
        "left_eye" and "right_eye" are needed and "nose", "mouth_left" and "mouth_right" are
        checked; left and right are the picture's.
    box : array-like of shape (4,), default=None
        Edges (x0, y0, x1, y1) of the face in pixels, (0, 0, width, height) being the whole
        picture. Not used when landmarks are given.
    landmark_order : {"ibug68", "mtcnn5", "dlib5", "mediapipe6"}, default=None
        "ibug68": 68 points as in iBUG 300-W [1]_, where 36-41 are the eye on the picture's left
        and 42-47 the one on its right. "mtcnn5": the eye on the picture's left, the one on its
        right, nose, corner of the mouth on the left, on the right, as MTCNN [2]_, RetinaFace
        and YuNet have them. "dlib5": both corners of the eye on the right, both of the eye on the
        left, nose. "mediapipe6": eye on the left, on the right, nose, mouth, ears. None
        takes the first of these that has as many points.
    box_order : {"xyxy", "xywh"}, default="xyxy"
        Whether the box is (x0, y0, x1, y1) or (x, y, width, height).
    image_size : int, default=48
        Side of the result in pixels.
    eye_distance : float, default=0.36
        Distance of the eyes as a share of the result's side; smaller shows more around the face.
    eye_height : float, default=0.34
        Distance of the eyes from the upper edge as a share of the result's side.
    margin : float, default=0.0
        Share of the longer side of the box that is added on each of its sides. Negative values
        cut into the box. Not used with landmarks.
    equalize : bool, default=False
        Equalize the histogram of the result, of its luma if in color.

    Returns
    -------
    face : ndarray of shape (image_size, image_size) or (image_size, image_size, n_channels)
        The face, uint8, with as many dimensions and channels as the picture.

    Raises
    ------
    ValueError
        When an argument has the wrong shape, type or range, or no face can be like that: both
        eyes at one point, nose or mouth above the eyes, a box that is three times as long as
        wide or that lies (mostly) outside of the picture.

    See Also
    --------
    FaceAligner : The same as a step of a pipeline.
    find_eyes : The points that it aligns by.

    Notes
    -----
    The eyes come to ``x = s * (1 -+ eye_distance) / 2 - 0.5`` and ``y = s * eye_height - 0.5`` in
    pixels of the result, s being ``image_size``. The defaults show the face from above the brows
    to below the chin. A picture that shrinks by more than 1.2 is averaged to that scale before it
    is resampled (bicubic), so that fine texture does not turn into noise.

    References
    ----------
    .. [1] C. Sagonas et al., "300 faces in-the-wild challenge: the first facial landmark
       localization challenge", ICCV Workshops 2013.
    .. [2] K. Zhang, Z. Zhang, Z. Li, Y. Qiao, "Joint face detection and alignment using multitask
       cascaded convolutional networks", IEEE Signal Processing Letters 23(10), 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.preprocessing import align_face
    >>> picture = np.zeros((100, 120), dtype=np.uint8)
    >>> align_face(picture, box=(30, 20, 90, 80), image_size=32).shape
    (32, 32)
    >>> picture[40:43, 40:43] = 255
    >>> eyes_nose_mouth = [(41, 41), (71, 41), (56, 60), (45, 75), (67, 75)]
    >>> face = align_face(
    ...     picture, landmarks=eyes_nose_mouth, image_size=50, eye_distance=0.38, eye_height=0.35
    ... )
    >>> print(*np.unravel_index(face.argmax(), face.shape))  # row and column
    17 15
    """
    check_geometry(image_size, eye_distance, eye_height, margin)
    check_flag(equalize, "equalize")
    image = image if isinstance(image, Image.Image) else as_array(image, "image")
    picture = Image.fromarray(read_picture(image, None, None))
    if landmarks is not None:
        eyes = find_eyes(landmarks, landmark_order=landmark_order)
        face = _warp(
            picture, _matrix_from_eyes(eyes, image_size, eye_distance, eye_height), image_size
        )
    elif box is not None:
        edges = check_box(box, box_order)
        check_inside(edges, *picture.size)
        face = _warp(picture, _matrix_from_box(edges, image_size, margin), image_size)
    else:
        face = resize(picture, (image_size, image_size))
    pixels = np.array(_equalize(face) if equalize else face)
    has_channel = isinstance(image, np.ndarray) and image.shape[2:] == (1,)
    return pixels[..., None] if has_channel else pixels


def check_geometry(image_size: int, eye_distance: float, eye_height: float, margin: float) -> None:
    """Raise a ValueError that names the first parameter out of range."""
    check_int(image_size, "image_size", at_least=1, at_most=LARGEST)
    check_real(eye_distance, "eye_distance", above=0, below=1)
    check_real(eye_height, "eye_height", above=0, below=1)
    check_real(margin, "margin", above=-0.5)


def _matrix_from_eyes(
    eyes: np.ndarray, size: int, eye_distance: float, eye_height: float
) -> np.ndarray:
    """Return the similarity from places in the output to places in the picture.

    A similarity is a complex number that turns and scales and another that shifts. Places are
    measured from the corner of the first pixel, half a pixel before its center.
    """
    left, right = eyes[:, 0] + 0.5 + 1j * (eyes[:, 1] + 0.5)
    goal_left, goal_right = (
        size * ((1 - side * eye_distance) / 2 + 1j * eye_height) for side in (1, -1)
    )
    turn = (right - left) / (goal_right - goal_left)
    shift = left - turn * goal_left
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _matrix_from_box(box: np.ndarray, size: int, margin: float) -> np.ndarray:
    low, high = box[:2], box[2:]
    side = (high - low).max() * (1 + 2 * margin)
    corner = (low + high - side) / 2
    return np.array([[side / size, 0.0, corner[0]], [0.0, side / size, corner[1]]])


def _warp(picture: Image.Image, matrix: np.ndarray, size: int) -> Image.Image:
    """Draw the output, of which each place shows the place of the picture that the matrix says."""
    shrink = float(np.hypot(*matrix[:, 0]))
    region = _visible_region(picture, matrix, size, shrink)
    extent = np.subtract(region[2:], region[:2])
    if shrink > _MAX_PLAIN_SHRINK:
        near_size = np.ceil(extent / shrink).astype(int)
        near = picture.resize(
            tuple(near_size.tolist()), Image.Resampling.HAMMING, region, reducing_gap=3.0
        )
    else:
        near_size, near = extent, picture.crop(region)
    local = matrix.copy()
    local[:, 2] -= region[:2]
    local *= (near_size / extent)[:, None]
    return near.transform(
        (size, size),
        Image.Transform.AFFINE,
        tuple(local.ravel().tolist()),
        resample=Image.Resampling.BICUBIC,
    )


def _visible_region(
    picture: Image.Image, matrix: np.ndarray, size: int, shrink: float
) -> tuple[int, int, int, int]:
    """Return the part of the picture that the output is drawn from."""
    corners = matrix @ np.array([[0, size, 0, size], [0, 0, size, size], [1, 1, 1, 1]])
    low, high = corners.min(axis=1), corners.max(axis=1)
    bounds = np.array([picture.width, picture.height])
    if (high <= 0).any() or (low >= bounds).any():
        raise ValueError(
            f"the face lies outside of the image of {picture.width} x {picture.height} pixels: "
            "landmarks and box are in pixels (x, y) of this very image."
        )
    reach = 3 * max(1.0, shrink)
    x0, y0 = np.clip(np.floor(low - reach), 0, bounds).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(high + reach), 0, bounds).astype(int).tolist()
    return x0, y0, x1, y1


def _equalize(face: Image.Image) -> Image.Image:
    if face.mode == "L":
        return ImageOps.equalize(face)
    luma, *chroma = face.convert("YCbCr").split()
    return Image.merge("YCbCr", (ImageOps.equalize(luma), *chroma)).convert("RGB")
