"""Take the picture: pose, colors, light, occlusion, blur and grain around the drawn face.

As in the drawing itself, pixels are computed by + - * / and square roots alone.
"""

from types import SimpleNamespace

import numpy as np

from skfer.datasets.drawn._draws import Draws, bell
from skfer.datasets.drawn._model import face_geometry, identity_from_bells
from skfer.datasets.drawn._render import Canvas, draw_faces, ellipse, smooth

# Half a megabyte an array: faces are drawn in chunks that stay in a processor's cache.
_PIXELS_PER_CHUNK = 1 << 16
_LUMINANCE = (0.299, 0.587, 0.114)


def take_pictures(
    draws: Draws, action_units: np.ndarray, size: int, color: bool, nuisance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, size, size[, 3]) and labels of parts (n, size, size), both uint8."""
    n = len(action_units)
    images = np.empty((n, size, size, 3) if color else (n, size, size), dtype=np.uint8)
    parts = np.empty((n, size, size), dtype=np.uint8)
    step = max(1, _PIXELS_PER_CHUNK // (size * size))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        chunk = {name: values[rows] for name, values in draws.items()}
        canvas = _picture(chunk, action_units[rows], size, color, nuisance)
        images[rows] = _to_bytes(canvas.pixels)
        parts[rows] = canvas.parts
    return images, parts


def _picture(
    draws: Draws, action_units: np.ndarray, size: int, color: bool, nuisance: float
) -> Canvas:
    draw = SimpleNamespace(**{k: v[:, None, None] for k, v in draws.items() if v.ndim == 1})
    face = face_geometry(identity_from_bells(draws["identity"]), action_units)
    face.gaze = 0.02 * nuisance * draw.gaze
    canvas = _posed_canvas(draw, size, 3 if color else 1, nuisance)
    draw_faces(canvas, face, _tones(face, draw, color))
    _light(canvas, draw, nuisance)
    _occlude(canvas, draw, nuisance)
    _blur(canvas.pixels, draw, nuisance)
    _add_grain(canvas.pixels, draw, nuisance)
    return canvas


def _to_bytes(pixels: np.ndarray) -> np.ndarray:
    """Round (channels, n, H, W) in [0, 1] to bytes, channels last unless there is only one."""
    whole = np.floor(np.clip(pixels, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)
    return whole[0] if len(whole) == 1 else np.moveaxis(whole, 0, -1)


def _pixel_grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    centers = (np.arange(size) + 0.5) * (2.0 / size) - 1.0
    return centers[None, None, :], centers[None, :, None]


def _posed_canvas(draw: SimpleNamespace, size: int, channels: int, nuisance: float) -> Canvas:
    """Place the face: shift, in-plane rotation, size, and a turn of the head.

    A turn moves the middle of the face, which is nearest to the viewer, and leaves its outline.
    """
    x, y = _pixel_grid(size)
    x, y = x - 0.03 * nuisance * draw.shift_x, y + 0.05 - 0.03 * nuisance * draw.shift_y
    # Cosine and sine from the tangent of the half angle need no library function.
    half = 0.035 * nuisance * draw.roll
    cos, sin = (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)
    zoom = 0.88 / np.maximum(0.5, 1 + 0.04 * nuisance * draw.scale)
    x, y = (cos * x + sin * y) * zoom, (cos * y - sin * x) * zoom
    near = np.maximum(0.0, 1 - x * x - y * y)
    turned_x = x + 0.06 * nuisance * draw.yaw * near
    turned_y = y + 0.05 * nuisance * draw.pitch * near
    return Canvas(turned_x, turned_y, 2.0 / size, channels)


def _tones(face: SimpleNamespace, draw: SimpleNamespace, color: bool) -> dict[str, np.ndarray]:
    """Colors of shape (channels, n, 1, 1)."""
    warm, one = face.skin_warmth, np.ones_like(face.skin)
    skin = (1.22 * face.skin, (0.96 - 0.06 * warm) * face.skin, (0.86 - 0.22 * warm) * face.skin)
    hair = (face.hair * 1.15, face.hair * 0.97, face.hair * 0.75)
    wall = 0.2 + 0.6 * (0.3 * draw.wall + 0.7 * face.backdrop)
    tones = {
        "skin": skin,
        "hair": hair,
        "lips": tuple(face.lip_tone * s * w for s, w in zip(skin, (1.08, 0.86, 0.9), strict=True)),
        "brow": tuple(np.minimum(0.65 * h, 0.5 * s) for h, s in zip(hair, skin, strict=True)),
        "background": (0.95 * wall, wall, 1.05 * wall),
        "iris": (0.9 * face.iris, face.iris, 1.1 * face.iris),
        "sclera": (0.92 * one, 0.9 * one, 0.9 * one),
        "teeth": (0.95 * one, 0.94 * one, 0.9 * one),
        "mouth": (0.22 * one, 0.07 * one, 0.08 * one),
        "dark": (0.07 * one, 0.06 * one, 0.06 * one),
    }
    return {name: _channels(rgb, color) for name, rgb in tones.items()}


def _channels(rgb: tuple[np.ndarray, ...], color: bool) -> np.ndarray:
    if color:
        return np.stack(rgb)
    red, green, blue = (w * c for w, c in zip(_LUMINANCE, rgb, strict=True))
    return (red + green + blue)[None]


def _light(canvas: Canvas, draw: SimpleNamespace, nuisance: float) -> None:
    x, y = _pixel_grid(canvas.pixels.shape[-1])
    slope = 0.18 * draw.light_x * x + 0.12 * draw.light_y * y + 0.10 * draw.gain
    canvas.pixels *= np.maximum(0.2, 1 + nuisance * slope)


def _occlude(canvas: Canvas, draw: SimpleNamespace, nuisance: float) -> None:
    """Put a plain disc before one face in twelve."""
    x, y = _pixel_grid(canvas.pixels.shape[-1])
    x, y = x - 0.5 * draw.occluder_x, y - 0.5 * draw.occluder_y
    depth = ellipse(x, y, 0.15 + 0.2 * draw.occluder_width, 0.15 + 0.2 * draw.occluder_height)
    tone = np.repeat(draw.occluder_tone[None], len(canvas.pixels), axis=0)
    canvas.paint(canvas.fill(depth) * (draw.occluded < 0.08 * nuisance), tone, "occluder")


def _blur(pixels: np.ndarray, draw: SimpleNamespace, nuisance: float) -> None:
    """Smooth twice along each axis, over a distance that grows with the picture."""
    reach = pixels.shape[-1] / 48
    step = int(np.ceil(reach))
    share = np.minimum(0.25, 0.12 * nuisance * draw.blur * (reach / step) * (reach / step))
    for _ in range(2):
        smooth(pixels, step, share)


def _add_grain(pixels: np.ndarray, draw: SimpleNamespace, nuisance: float) -> None:
    level = nuisance * 0.015 * draw.noise
    for i, seed in enumerate(draw.grain_seed[:, 0, 0]):
        pixels[:, i] += level[i] * bell(np.random.RandomState(seed), *pixels.shape[2:])
