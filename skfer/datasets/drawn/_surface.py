"""The surface of a portrait's face: hills and hollows, and the light on them."""

from types import SimpleNamespace

import numpy as np

from skfer.datasets.drawn._render import blob, ellipse, segment


def fill(scene: SimpleNamespace, depth: np.ndarray, soft: float = 1.0) -> np.ndarray:
    return np.clip(depth / (soft * scene.pixel) + 0.5, 0.0, 1.0)


def stroke(scene: SimpleNamespace, distance: np.ndarray, half_width) -> np.ndarray:
    thin = np.minimum(1.0, 2 * half_width / scene.pixel)
    return fill(scene, half_width - distance) * thin


def paint_over(scene: SimpleNamespace, cover: np.ndarray, tone) -> None:
    scene.pixels += cover * (tone - scene.pixels)


def _relief(scene: SimpleNamespace, face: SimpleNamespace, draw: SimpleNamespace) -> np.ndarray:
    """Height of the face at every pixel."""
    side, y, x = scene.side, scene.y, scene.x
    height = 0.70 * np.sqrt(scene.round + 0.05)
    out, down = side - face.eye_x, y - face.eye_y
    brow = (face.brow_inner_y + face.brow_outer_y) / 2
    height += (0.02 + 0.07 * draw.deep) * blob(out, y - brow - 0.04, 0.30, 0.14)
    height -= (0.03 + 0.08 * draw.deep) * blob(out + 0.04, down, 0.22, 0.15)
    height += 0.035 * blob(out, down, 0.15, 0.10)
    height -= 0.02 * face.age * blob(out, down - 0.13, 0.17, 0.04)
    high = 0.6 + 0.8 * draw.nose_height
    height += 0.12 * high * blob(x, y - face.nose_y + 0.12, 0.11 + 0.08 * draw.bridge, 0.38)
    height += 0.06 * high * blob(x, y - face.nose_y + 0.01, 0.11, 0.10)
    height += 0.05 * blob(side - 0.8 * face.nose_width, y - face.nose_y, 0.07, 0.07)
    raised = face.cheek
    lift = y - face.eye_y - 0.32 + 0.06 * raised
    height += (0.02 + 0.05 * draw.cheekbone + 0.09 * raised) * blob(side - 0.38, lift, 0.26, 0.22)
    height += 0.05 * blob(x, y - face.mouth_y - 0.30 - face.gap_low, 0.2, 0.16)
    chin = y - face.mouth_y - face.gap_low - face.lip_low - 0.05
    height -= (0.03 + 0.03 * face.pout) * blob(x, chin, 0.2, 0.07)
    height += 0.03 * blob(x / scene.half_width, scene.lip_y, 1.1, 0.16)
    return height + _folds(scene, face)


def _folds(scene: SimpleNamespace, face: SimpleNamespace) -> np.ndarray:
    side, y = scene.side, scene.y
    strength = np.where(scene.left, face.fold_left, face.fold_right)
    end_x = scene.half_width + 0.07
    corner = np.where(scene.left, face.corner_left, face.corner_right)
    start_x, start_y = face.nose_width + 0.05, face.nose_y - 0.05
    fold = segment(side, y, start_x, start_y, end_x, face.mouth_y + corner - 0.02)
    depth = -0.045 * strength * _groove(fold, 0.07)
    dimple = np.where(scene.left, face.dimple_left, face.dimple_right)
    corner_y = face.mouth_y + corner
    pit = segment(side, y, end_x - 0.04, corner_y - 0.05, end_x - 0.03, corner_y + 0.07)
    depth -= 0.05 * dimple * _groove(pit, 0.06)
    glabella = (face.eye_y + face.brow_inner_y) / 2
    frown = segment(side, y, 0.05, glabella - 0.12, 0.06, glabella + 0.05)
    depth -= 0.035 * face.frown * _groove(frown, 0.055)
    depth += 0.03 * face.frown * blob(scene.x, y - glabella, 0.05, 0.1)
    lift = face.brow_inner_y - 0.13
    for rise in (0.0, 0.10):
        line = np.abs(y - lift + rise + 0.1 * side * side)
        fade = np.clip((0.45 - side) / 0.15, 0.0, 1.0)
        depth -= 0.022 * face.forehead * fade * _groove(line, 0.045)
    rise = face.eye_y + 0.04
    across = segment(side, y, -0.01, rise, 0.12, rise + 0.05)
    depth -= 0.03 * face.wrinkle * _groove(across, 0.045)
    edge = face.eye_x + face.eye_width
    for rise in (-0.06, 0.06):
        start, end = face.eye_y + 0.4 * rise, face.eye_y + rise
        ray = segment(side, y, edge + 0.03, start, edge + 0.14, end)
        depth -= 0.015 * face.crow * _groove(ray, 0.04)
    return depth


def _groove(distance: np.ndarray, reach: float) -> np.ndarray:
    near = np.maximum(0.0, 1 - distance / reach)
    return near * near


def light(scene: SimpleNamespace, face: SimpleNamespace, draw: SimpleNamespace) -> None:
    """Shade the surface by a lamp and the sky, and paint nostrils and what is in shadow."""
    height = _relief(scene, face, draw)
    per_pixel = np.float32(scene.size / 4)
    height *= 0.6 + 0.9 * draw.depth
    slope_x, slope_y = np.zeros_like(height), np.zeros_like(height)
    slope_x[..., 1:-1] = (height[..., 2:] - height[..., :-2]) * per_pixel
    slope_y[:, 1:-1] = (height[:, 2:] - height[:, :-2]) * per_pixel
    light_x, light_y = 0.55 * draw.light_x * draw.wild, -0.5 + 0.4 * draw.light_y * draw.wild
    facing = (1 - slope_x * light_x - slope_y * light_y) / np.sqrt(
        (1 + slope_x * slope_x + slope_y * slope_y) * (1 + light_x * light_x + light_y * light_y)
    )
    facing = np.maximum(0.0, facing)
    straight = 1 / np.sqrt(1 + light_x * light_x + light_y * light_y)
    ambient = 0.12 + 0.48 * draw.ambient
    lit = (ambient + (1 - ambient) * facing / straight) * scene.on_face + (1 - scene.on_face)
    scene.pixels *= lit
    with np.errstate(under="ignore"):  # where light hardly falls there is no shine
        shine = facing * facing
        shine = shine * shine * shine
        scene.pixels += 0.12 * draw.shine * shine * shine * scene.on_face
    nostril = ellipse(
        scene.side - 0.55 * face.nose_width, scene.y - face.nose_y - 0.03, 0.045, 0.028
    )
    scene.pixels *= 1 - 0.55 * fill(scene, nostril, 1.5) * scene.on_face
    under = blob(scene.side, scene.y - face.nose_y - 0.04, 0.21, 0.08)
    scene.pixels *= 1 - (0.15 + 0.3 * draw.shade) * under
