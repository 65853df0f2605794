"""Where a face is: landmarks in named orders and boxes, checked for what a face can look like."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from skfer._typing import ArrayLike
from skfer.validation import as_array, check_choice

# The points that skfer gives names to; left and right are the picture's.
POINT_NAMES = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")

# For each order, which of its points are averaged to each named one.
LANDMARK_ORDERS: dict[str, dict[str, slice]] = {
    "ibug68": {
        "left_eye": slice(36, 42),
        "right_eye": slice(42, 48),
        "nose": slice(30, 31),
        "mouth_left": slice(48, 49),
        "mouth_right": slice(54, 55),
    },
    "mtcnn5": {name: slice(i, i + 1) for i, name in enumerate(POINT_NAMES)},
    "dlib5": {"left_eye": slice(2, 4), "right_eye": slice(0, 2), "nose": slice(4, 5)},
    "mediapipe6": {
        "left_eye": slice(0, 1),
        "right_eye": slice(1, 2),
        "nose": slice(2, 3),
        "mouth_left": slice(3, 4),
        "mouth_right": slice(3, 4),
    },
}
_N_POINTS = {"ibug68": 68, "mtcnn5": 5, "dlib5": 5, "mediapipe6": 6}
_USUAL = {68: "ibug68", 5: "mtcnn5", 6: "mediapipe6"}

BOX_ORDERS = ("xyxy", "xywh")
_MOST_OBLONG = 3.0  # longer side of a face's box over the shorter one
_LEAST_SIDE = 2.0  # pixels
_LEAST_SEEN = 0.2  # share of a box that lies inside the picture


def find_eyes(
    landmarks: ArrayLike | Mapping[str, ArrayLike], *, landmark_order: str | None = None
) -> np.ndarray:
    """Return the centers of both eyes, the one on the picture's left first.

    Parameters
    ----------
    landmarks : array-like of shape (68, 2), (6, 2) or (5, 2), or mapping of names to points
        Points (x, y); see `align_face`.
    landmark_order : {"ibug68", "mtcnn5", "dlib5", "mediapipe6"}, default=None
        The order of the points; see `align_face`.

    Returns
    -------
    eyes : ndarray of shape (2, 2)
        Points (x, y).

    Raises
    ------
    ValueError
        When landmarks has another shape, is not finite at the eyes, has both eyes at one point, or
        cannot be a face: its nose or mouth lies above the eyes.

    See Also
    --------
    align_face : Aligns by them.

    Examples
    --------
    >>> from skfer.preprocessing import find_eyes
    >>> find_eyes({"left_eye": (10, 20), "right_eye": (30, 20), "nose": (20, 32)}).tolist()
    [[10.0, 20.0], [30.0, 20.0]]
    """
    points = name_points(landmarks, landmark_order)
    eyes = np.stack([points["left_eye"], points["right_eye"]])
    if not np.isfinite(eyes).all():
        raise ValueError("landmarks must be finite at the eyes: leave out faces without them.")
    distance = np.hypot(*(eyes[1] - eyes[0]))
    if distance < 1e-6:
        raise ValueError(f"landmarks has both eyes at {eyes[0].tolist()}: they must differ.")
    if distance < 1:
        raise ValueError(
            f"landmarks has eyes {distance:.2g} pixels apart: give points in pixels, not in shares "
            "of the picture's sides."
        )
    if _is_upside_down(points):
        raise ValueError(
            f"landmarks has the nose or the mouth above the eyes: {_likely_cause(landmarks)}"
        )
    return eyes


def name_points(
    landmarks: ArrayLike | Mapping[str, ArrayLike], order: str | None = None
) -> dict[str, np.ndarray]:
    """Return the named points of a face, of shape (2,) each; raise ValueError if that fails."""
    if isinstance(landmarks, Mapping):
        return _check_names(landmarks)
    check_choice(order, "landmark_order", tuple(LANDMARK_ORDERS), optional=True)
    points = as_array(landmarks, "landmarks", np.float64)
    known = _USUAL if order is None else {_N_POINTS[order]: order}
    if points.ndim != 2 or points.shape[1] != 2 or len(points) not in known:
        shapes = " or ".join(f"({n}, 2)" for n in known)
        raise ValueError(f"landmarks must have shape {shapes}, got {points.shape}.")
    places = LANDMARK_ORDERS[known[len(points)]]
    return {name: points[place].mean(axis=0) for name, place in places.items()}


def is_face(landmarks: Mapping[str, ArrayLike] | None) -> bool:
    """Return whether landmarks by name are there and can be those of a face."""
    if landmarks is None:
        return False
    try:
        find_eyes(landmarks)
    except ValueError:
        return False
    return True


def corners(boxes: np.ndarray, order: str = "xywh") -> np.ndarray:
    """Return boxes (n_boxes, 4) in one of the known orders as (x0, y0, x1, y1)."""
    check_choice(order, "box_order", BOX_ORDERS)
    if order == "xyxy":
        return boxes
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def check_box(box: ArrayLike, order: str = "xyxy", *, advise_order: bool = True) -> np.ndarray:
    """Return the edges (x0, y0, x1, y1) of a box, or raise ValueError if no face is like that.

    `advise_order` is whether another ``box_order`` could be what helps.
    """
    check_choice(order, "box_order", BOX_ORDERS)
    edges = as_array(box, "box", np.float64)
    if edges.shape != (4,) or not np.isfinite(edges).all():
        raise ValueError(f"box must be four finite numbers (x0, y0, x1, y1), got {box!r:.200}.")
    given = edges.tolist()
    edges = corners(edges[None], order)[0]
    sides = edges[2:] - edges[:2]
    hint = ""
    if advise_order and order == "xyxy":
        hint = " Is it (x, y, width, height)? Then give box_order='xywh'."
    if sides.min() <= 0:
        raise ValueError(f"box must have x0 < x1 and y0 < y1, got {given}.{hint}")
    if sides.min() < _LEAST_SIDE:
        raise ValueError(
            f"box is {sides[0]:.2g} x {sides[1]:.2g} pixels, too small for a face: {given}. Give "
            "pixels, not shares of the picture's sides."
        )
    if sides.max() > _MOST_OBLONG * sides.min():
        raise ValueError(
            f"box is {sides[0]:g} x {sides[1]:g} pixels, too oblong for a face: {given}.{hint}"
        )
    return edges


def check_inside(edges: np.ndarray, width: int, height: int) -> None:
    """Raise ValueError unless a good part of the box lies inside of the picture."""
    seen = np.minimum(edges[2:], (width, height)) - np.maximum(edges[:2], 0)
    share = np.prod(np.maximum(seen, 0)) / np.prod(edges[2:] - edges[:2])
    if share < _LEAST_SEEN:
        raise ValueError(
            f"box {edges.tolist()} lies {'mostly ' * bool(share)}outside of the image of {width} x "
            f"{height} pixels: boxes are in pixels of this very image. Was it resized?"
        )


def _is_upside_down(points: Mapping[str, np.ndarray]) -> bool:
    """Return whether what should lie below the line from eye to eye lies clearly above it."""
    left, right = points["left_eye"], points["right_eye"]
    across = right - left
    for names in (("nose",), ("mouth_left", "mouth_right")):
        known = [points[name] for name in names if name in points]
        known = [point for point in known if np.isfinite(point).all()]
        if known:
            down = np.mean(known, axis=0) - (left + right) / 2
            height = (across[0] * down[1] - across[1] * down[0]) / (across @ across)
            if height < -0.1:  # of the distance of the eyes
                return True
    return False


def _likely_cause(landmarks: Any) -> str:
    if isinstance(landmarks, Mapping):
        return "left_eye is the eye on the picture's left, not the person's."
    points = np.asarray(landmarks, dtype=np.float64)
    if len(points) == 5 and _looks_like_dlib(points):
        return "are they in dlib's order? Then give landmark_order='dlib5'."
    return "the eye on the picture's left comes first, x goes to the right and y down."


def _looks_like_dlib(points: np.ndarray) -> bool:
    """Return whether five points are two pairs of corners of eyes, and a nose below them."""
    widths = np.hypot(*(points[[0, 2]] - points[[1, 3]]).T)
    eyes = points[:2].mean(axis=0), points[2:4].mean(axis=0)
    is_below = not _is_upside_down(name_points(points, "dlib5"))
    return is_below and widths.max() < min(2 * widths.min(), np.hypot(*(eyes[1] - eyes[0])))


def _check_names(landmarks: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
    points = {name: as_array(point, "landmarks", np.float64) for name, point in landmarks.items()}
    missing = [name for name in POINT_NAMES[:2] if name not in points]
    wrong = [name for name, point in points.items() if point.shape != (2,)]
    if missing or wrong:
        raise ValueError(
            "landmarks by name must have left_eye and right_eye, each a point (x, y), got "
            f"{list(landmarks)!r:.200}."
        )
    return points
