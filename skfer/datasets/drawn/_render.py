"""Draw faces: soft-edged shapes painted back to front, all faces of a chunk at once.

On the pixel grid only additions, multiplications, divisions and square roots are used. IEEE 754
fixes the result of these to the last bit, so a drawing has the same bytes on every machine.
"""

from copy import copy
from types import SimpleNamespace

import numpy as np

PART_NAMES: tuple[str, ...] = (
    "background",
    "hair",
    "skin",
    "brows",
    "eyes",
    "nose",
    "mouth",
    "occluder",
)
Length = np.ndarray | float
_PARTS = {name: label for label, name in enumerate(PART_NAMES)}


# What a window has to show: half width, top and bottom in the face's coordinates. Generous, since
# a feature cut off by its window would depend on the faces it is drawn with.
_WINDOWS: dict[str, tuple[float, float, float]] = {
    "brows": (0.80, -1.05, 0.25),
    "forehead": (0.55, -1.10, 0.20),
    "eyes": (0.90, -0.60, 0.30),
    "nose": (0.40, -0.55, 0.60),
    "cheeks": (0.80, -0.35, 1.00),
    "mouth": (0.70, -0.05, 1.60),
}


_IRIS_RADIUS = 0.08


class Canvas:
    """Pictures of n faces, with the place of every pixel in the face's own coordinates."""

    def __init__(self, x: np.ndarray, y: np.ndarray, pixel: float, channels: int) -> None:
        self.x, self.y = x, y
        self.side = np.abs(x)
        self.pixel = pixel
        self.pixels = np.zeros((channels, *x.shape))
        self.parts = np.zeros(x.shape, dtype=np.uint8)

    def window(self, name: str) -> "Canvas":
        """View of the rows and columns where a feature can be; painting it paints this canvas."""
        side, top, bottom = _WINDOWS[name]
        inside = (self.side < side) & (self.y > top) & (self.y < bottom)
        rows, columns = _span(inside.any(axis=(0, 2))), _span(inside.any(axis=(0, 1)))
        view = copy(self)
        view.x, view.y = self.x[:, rows, columns], self.y[:, rows, columns]
        view.side = self.side[:, rows, columns]
        view.pixels = self.pixels[:, :, rows, columns]
        view.parts = self.parts[:, rows, columns]
        return view

    def by_side(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Choose a parameter by the half of the picture."""
        return np.where(self.x < 0, left, right)

    def fill(self, depth: np.ndarray) -> np.ndarray:
        """Coverage of pixels that lie ``depth`` inside an edge (negative outside)."""
        return np.clip(depth / self.pixel + 0.5, 0.0, 1.0)

    def stroke(self, distance: np.ndarray, half_width: Length) -> np.ndarray:
        """Coverage of a line; one thinner than a pixel fades instead of breaking up."""
        thin = np.minimum(1.0, 2 * half_width / self.pixel)
        return self.fill(half_width - distance) * thin

    def paint(self, cover: np.ndarray, color: np.ndarray, part: str | None = None) -> None:
        """Lay a color of shape (channels, n, 1, 1) over the pixels."""
        for channel, value in zip(self.pixels, color, strict=True):
            channel += cover * (value - channel)
        if part is not None:
            self.mark(cover > 0.5, part)

    def shade(self, cover: np.ndarray) -> None:
        """Darken (positive) or lighten (negative) what is there."""
        self.pixels *= 1 - cover

    def mark(self, where: np.ndarray, part: str) -> None:
        self.parts[where] = _PARTS[part]


def _span(inside: np.ndarray) -> slice:
    found = np.flatnonzero(inside)
    return slice(found[0], found[-1] + 1) if len(found) else slice(0, 0)


def ellipse(x: np.ndarray, y: np.ndarray, rx: Length, ry: Length) -> np.ndarray:
    """Approximate depth inside an ellipse around the origin."""
    u, v = x / rx, y / ry
    return (1 - np.sqrt(u * u + v * v)) * np.minimum(rx, ry)


def blob(x: np.ndarray, y: np.ndarray, rx: Length, ry: Length) -> np.ndarray:
    """Smooth bump of height 1 that ends on an ellipse."""
    u, v = x / rx, y / ry
    bump = np.maximum(0.0, 1 - u * u - v * v)
    return bump * bump


def segment(
    x: np.ndarray, y: np.ndarray, x0: Length, y0: Length, x1: Length, y1: Length
) -> np.ndarray:
    """Distance to the straight line between two points."""
    dx, dy = x1 - x0, y1 - y0
    px, py = x - x0, y - y0
    t = np.clip((px * dx + py * dy) / (dx * dx + dy * dy), 0.0, 1.0)
    px -= t * dx
    py -= t * dy
    return np.sqrt(px * px + py * py)


def smooth(pixels: np.ndarray, step: int, share: np.ndarray) -> None:
    """Blur along both axes, over neighbors ``step`` away."""
    for lines in (pixels, np.swapaxes(pixels, -1, -2)):
        before, after = [lines[..., :1]] * step, [lines[..., -1:]] * step
        padded = np.concatenate([*before, lines, *after], axis=-1)
        lines += share * (padded[..., : -2 * step] + padded[..., 2 * step :] - 2 * lines)


def draw_faces(canvas: Canvas, face: SimpleNamespace, tone: dict[str, np.ndarray]) -> None:
    """Paint the faces of a geometry, from the background to the glasses."""
    canvas.paint(np.ones_like(canvas.side), tone["background"])
    depth = _head_depth(canvas, face)
    _draw_hair_back(canvas, face, tone)
    _draw_head(canvas, face, tone, depth)
    _draw_beard(canvas, face, tone, depth)
    _draw_relief(canvas, face)
    _draw_nose(canvas.window("nose"), face)
    _draw_eyes(canvas.window("eyes"), face, tone)
    _draw_nose_wrinkles(canvas.window("nose"), face)
    _draw_forehead(canvas.window("forehead"), face)
    _draw_crow_feet(canvas.window("eyes"), face)
    _draw_cheek_folds(canvas.window("cheeks"), face)
    _draw_brows(canvas.window("brows"), face, tone)
    _draw_mouth(canvas.window("mouth"), face, tone)
    _draw_hair_front(canvas, face, tone, depth)
    _draw_glasses(canvas.window("eyes"), face, tone)


def _draw_hair_back(canvas: Canvas, face: SimpleNamespace, tone: dict[str, np.ndarray]) -> None:
    top = ellipse(
        canvas.x,
        canvas.y + 0.12,
        face.head_width + face.hair_volume,
        0.86 * face.head_height + face.hair_volume,
    )
    upper = np.minimum(top, face.hair_length - canvas.y)
    width = face.head_width + 0.8 * face.hair_volume
    curtain = np.minimum(
        width - canvas.side, np.minimum(canvas.y + 0.2, face.hair_length - canvas.y)
    )
    canvas.paint(canvas.fill(np.maximum(upper, curtain)), tone["hair"], "hair")


def _head_depth(canvas: Canvas, face: SimpleNamespace) -> np.ndarray:
    below = np.maximum(canvas.y - 0.05, 0.0)
    width = face.head_width * (1 - face.jaw * below * below)
    height = np.where(canvas.y > 0, face.chin_y, face.head_height)
    return ellipse(canvas.x, canvas.y, width, height)


def _draw_head(
    canvas: Canvas, face: SimpleNamespace, tone: dict[str, np.ndarray], depth: np.ndarray
) -> None:
    neck = np.minimum(0.55 * face.head_width - canvas.side, canvas.y - 0.4)
    canvas.paint(canvas.fill(neck), 0.72 * tone["skin"], "skin")
    ears = ellipse(canvas.side - face.head_width, canvas.y - face.eye_y - 0.14, 0.07, 0.15)
    bare = canvas.fill(ears) * (face.hair_length < 0.25)
    canvas.paint(bare, 0.85 * tone["skin"], "skin")
    canvas.paint(canvas.fill(depth), tone["skin"], "skin")
    # The head turns away from the light toward its edge.
    rim = np.maximum(0.0, 1 - np.maximum(depth, 0.0) / 0.35)
    canvas.shade(0.22 * rim * rim * (depth > 0))


def _draw_relief(canvas: Canvas, face: SimpleNamespace) -> None:
    eyes, nose = canvas.window("eyes"), canvas.window("nose")
    cheeks, mouth = canvas.window("cheeks"), canvas.window("mouth")
    side, y = eyes.side - face.eye_x, eyes.y - face.eye_y
    eyes.shade(0.16 * blob(side + 0.03, y + 0.11, 0.24, 0.17))
    # A raised cheek is a bright ball with a dark line under the eye.
    eyes.shade(0.25 * face.cheek * blob(side, y - 0.11, 0.2, 0.05))
    nose.shade(-0.10 * blob(nose.side, nose.y - face.nose_y + 0.15, 0.09, 0.28))
    side, y = cheeks.side, cheeks.y
    cheeks.shade(-0.10 * blob(side - 0.4, y - face.nose_y + 0.02, 0.24, 0.2))
    cheeks.shade(-0.12 * face.cheek * blob(side - 0.38, y - face.eye_y - 0.23, 0.2, 0.14))
    chin = mouth.y - face.mouth_y - face.gap_low - face.lip_low
    mouth.shade(0.15 * blob(mouth.side, chin - 0.07, 0.2, 0.07))
    mouth.shade(-0.06 * blob(mouth.side, chin - 0.2, 0.2, 0.12))


def _draw_beard(
    canvas: Canvas, face: SimpleNamespace, tone: dict[str, np.ndarray], depth: np.ndarray
) -> None:
    middle, sides = np.maximum(0.3 - canvas.side, 0.0), np.maximum(canvas.side - 0.35, 0.0)
    edge = canvas.y - face.nose_y - 0.12 + 0.5 * middle + 0.9 * sides
    soft = np.clip(edge / 0.12, 0.0, 1.0) * np.clip(depth / 0.06, 0.0, 1.0)
    canvas.paint(face.beard * soft, tone["hair"])


def _draw_nose(canvas: Canvas, face: SimpleNamespace) -> None:
    side, y = canvas.side, canvas.y - face.nose_y
    region = np.minimum(face.nose_width + 0.05 - side, np.minimum(0.07 - y, y + 0.28))
    canvas.mark(region + 0.3 * np.minimum(y, 0.0) > 0, "nose")
    flank = segment(side, y, face.nose_width * 0.45, -0.26, face.nose_width, -0.04)
    canvas.shade(0.14 * np.maximum(0.0, 1 - flank / 0.06))
    wing = ellipse(side - face.nose_width, y + 0.02, 0.035, 0.05)
    canvas.shade(0.18 * canvas.stroke(np.abs(wing), 0.02) * (side > face.nose_width))
    canvas.shade(0.62 * canvas.fill(ellipse(side - 0.55 * face.nose_width, y - 0.01, 0.04, 0.022)))
    canvas.shade(0.18 * blob(side, y - 0.05, 0.15, 0.05))


def _draw_eyes(canvas: Canvas, face: SimpleNamespace, tone: dict[str, np.ndarray]) -> None:
    x, y = canvas.side - face.eye_x, canvas.y - face.eye_y
    u = x / face.eye_width
    arc = 1 - u * u
    y = y + face.eye_tilt * u
    upper, lower = y + face.lid_up * arc, face.lid_low * arc - y
    canvas.mark(ellipse(x, y, face.eye_width + 0.06, 0.15) > 0, "eyes")
    inside = canvas.fill(np.minimum(upper, lower)) * (arc > 0)
    canvas.paint(inside, tone["sclera"])
    away = canvas.x - np.where(canvas.x < 0, -1, 1) * face.eye_x - face.gaze
    iris = ellipse(away, y + 0.015, _IRIS_RADIUS, _IRIS_RADIUS)
    canvas.paint(inside * canvas.fill(iris), tone["iris"])
    canvas.paint(inside * canvas.fill(iris - _IRIS_RADIUS / 2), tone["dark"])
    # The lash line is thick; where the lid is down it is all that is left of the eye.
    on = arc > -0.15
    lash = canvas.stroke(np.abs(upper), 0.024) * on
    canvas.paint(0.85 * lash, tone["dark"])
    canvas.shade(0.28 * canvas.stroke(np.abs(lower), 0.016) * on)
    crease = canvas.stroke(np.abs(upper + 0.05), 0.016) * (arc > 0)
    canvas.shade(0.28 * crease)


def _draw_nose_wrinkles(canvas: Canvas, face: SimpleNamespace) -> None:
    side, y = canvas.side, canvas.y
    for rise in (0.02, 0.09):
        across = segment(side, y, -0.01, face.eye_y + rise, 0.11, face.eye_y + rise + 0.03)
        canvas.shade(0.35 * face.wrinkle * canvas.stroke(across, 0.018))


def _draw_forehead(canvas: Canvas, face: SimpleNamespace) -> None:
    side, y = canvas.side, canvas.y
    glabella = (face.eye_y + face.brow_inner_y) / 2
    frown = segment(side, y, 0.05, glabella - 0.10, 0.06, glabella + 0.05)
    canvas.shade(0.5 * face.frown * canvas.stroke(frown, 0.02))
    lift = face.brow_inner_y - 0.13
    for rise in (0.0, 0.09):
        line = canvas.stroke(np.abs(y - lift + rise + 0.1 * side * side), 0.014)
        canvas.shade(0.4 * face.forehead * line * np.clip((0.42 - side) / 0.1, 0.0, 1.0))


def _draw_crow_feet(canvas: Canvas, face: SimpleNamespace) -> None:
    edge = face.eye_x + face.eye_width
    for rise in (-0.07, 0.0, 0.07):
        start, end = face.eye_y + 0.4 * rise, face.eye_y + rise
        ray = segment(canvas.side, canvas.y, edge + 0.04, start, edge + 0.13, end)
        canvas.shade(0.4 * face.crow * canvas.stroke(ray, 0.012))


def _draw_cheek_folds(canvas: Canvas, face: SimpleNamespace) -> None:
    strength = canvas.by_side(face.fold_left, face.fold_right)
    end_x = canvas.by_side(face.mouth_left, face.mouth_right) + 0.07
    end_y = face.mouth_y + canvas.by_side(face.corner_left, face.corner_right) - 0.02
    start_x, start_y = face.nose_width + 0.05, face.nose_y - 0.05
    fold = segment(canvas.side, canvas.y, start_x, start_y, end_x, end_y)
    canvas.shade(0.42 * strength * canvas.stroke(fold, 0.018))
    canvas.shade(0.12 * strength * np.maximum(0.0, 1 - fold / 0.08))
    dimple = canvas.by_side(face.dimple_left, face.dimple_right)
    pit = segment(canvas.side, canvas.y, end_x - 0.04, end_y - 0.05, end_x - 0.03, end_y + 0.07)
    canvas.shade(0.5 * dimple * np.maximum(0.0, 1 - pit / 0.05))


def _draw_brows(canvas: Canvas, face: SimpleNamespace, tone: dict[str, np.ndarray]) -> None:
    length = face.brow_outer_x - face.brow_inner_x
    t = (canvas.side - face.brow_inner_x) / length
    line = face.brow_inner_y + t * (face.brow_outer_y - face.brow_inner_y)
    line = line - 4 * face.brow_arch * t * (1 - t) * (0.4 + 0.9 * t)
    ends = np.clip(np.minimum(t + 0.04, 1.04 - t) * length / canvas.pixel + 0.5, 0.0, 1.0)
    half = face.brow_thickness * (1.1 - 0.6 * np.clip(t, 0.0, 1.0))
    away = np.abs(canvas.y - line)
    canvas.mark((away < half + 0.05) & (t > -0.1) & (t < 1.1), "brows")
    canvas.paint(0.9 * canvas.stroke(away, half) * ends, tone["brow"])


def _draw_mouth(canvas: Canvas, face: SimpleNamespace, tone: dict[str, np.ndarray]) -> None:
    t = canvas.side / canvas.by_side(face.mouth_left, face.mouth_right)
    t2 = np.minimum(t * t, 1.6)
    arc = 1 - t2
    round_arc = np.sqrt(np.maximum(arc, 0.0))
    line = face.mouth_y + canvas.by_side(face.corner_left, face.corner_right) * t2
    line = line - 0.03 * face.pout * arc
    y = canvas.y - line
    upper, lower = y + face.gap_up * round_arc, face.gap_low * round_arc - y
    bow = 0.75 + 0.25 * np.minimum(1.0, 5 * t2)
    top = upper + face.lip_up * bow * np.maximum(arc, 0.0)
    bottom = lower + face.lip_low * round_arc
    lips = canvas.fill(np.minimum(top, bottom)) * (arc > 0)
    canvas.mark((np.minimum(top, bottom) > -0.05) & (t < 1.2), "mouth")
    canvas.paint(lips, tone["lips"])
    cavity = canvas.fill(np.minimum(upper, lower) - 0.01) * (arc > 0)
    canvas.paint(cavity, tone["mouth"])
    teeth = np.maximum(face.teeth_up - upper, face.teeth_low - lower)
    canvas.paint(cavity * canvas.fill(teeth) * (t < 0.9), tone["teeth"])
    # Where the lips touch there is a dark line, a little longer than the lips.
    touch = canvas.stroke(np.minimum(np.abs(upper), np.abs(lower)), 0.016) * (arc > -0.12)
    canvas.shade(0.55 * touch)
    canvas.shade(0.2 * face.pout * blob(canvas.side, y - 0.2, 0.16, 0.06))


def _draw_hair_front(
    canvas: Canvas, face: SimpleNamespace, tone: dict[str, np.ndarray], depth: np.ndarray
) -> None:
    off = canvas.x - face.hair_parting
    line = face.hairline + 0.55 * off * off
    inside = np.minimum(line - canvas.y, depth + 0.08)
    canvas.paint(canvas.fill(inside), tone["hair"], "hair")


def _draw_glasses(canvas: Canvas, face: SimpleNamespace, tone: dict[str, np.ndarray]) -> None:
    rim = ellipse(canvas.side - face.eye_x, canvas.y - face.eye_y - 0.02, 0.24, 0.19)
    bridge = np.maximum(np.abs(canvas.y - face.eye_y), canvas.side - face.eye_x + 0.23)
    frame = np.maximum(canvas.stroke(np.abs(rim), 0.018), canvas.stroke(bridge, 0.016))
    canvas.paint(0.8 * face.glasses * frame, tone["dark"])
