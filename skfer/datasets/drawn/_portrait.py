"""Portraits: faces as a camera sees them, lit, turned and cropped, to learn a start from.

Unlike the plain drawing, whose features are lines of one strength, a portrait is a surface under a
light: its folds, sockets and lips are hills and hollows that show by their shading. On the pixels
there are additions, multiplications, divisions and square roots alone, in float32: a seed gives
the same bytes on every machine.
"""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from skfer.datasets.drawn._model import face_geometry
from skfer.datasets.drawn._render import blob, ellipse, segment, smooth
from skfer.datasets.drawn._surface import fill, light, paint_over, stroke
from skfer.datasets.drawn._traits import (
    NOISE_SIDE,
    age,
    beard_strength,
    cut_noise,
    draw_traits,
    noise_tables,
    seen_attributes,
    wears_glasses,
)

# A chunk's arrays stay in a processor's inner cache.
_PIXELS_PER_CHUNK = 1 << 14


class Portraits(NamedTuple):
    """Images (n, size, size), uint8, and what is known of them.

    Yaw, pitch and roll (n, 3) are in bell-curve units; attributes of the persons are (n,) each.
    """

    images: np.ndarray
    pose: np.ndarray
    attributes: dict[str, np.ndarray]


def take_portraits(
    units: np.ndarray, person: np.ndarray, size: int, rng: np.random.RandomState, wild: float
) -> Portraits:
    """Draw gray portraits.

    Parameters
    ----------
    units : ndarray of shape (n, n_units)
        Action units.
    person : ndarray of shape (n,)
        Numbers of persons, from 0.
    size : int
        Side of the pictures.
    rng : RandomState
        All that is random.
    wild : float
        Share of pictures that are as found; the others are as taken in a laboratory.
    """
    n = len(units)
    identity, draws = draw_traits(person, rng, wild)
    noise = noise_tables(rng)
    corners = rng.randint(NOISE_SIDE - size, size=(n, 3, 2))
    images = np.empty((n, size, size), dtype=np.uint8)
    step = max(1, _PIXELS_PER_CHUNK // (size * size))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        draw = SimpleNamespace(**{k: _column(v[rows]) for k, v in draws.items()})
        face = face_geometry(identity[rows], units[rows])
        face = SimpleNamespace(**{k: v.astype(np.float32) for k, v in vars(face).items()})
        age(face, draw)
        grain = [cut_noise(noise[k], corners, rows, k, size) for k in range(3)]
        images[rows] = _bytes(_portrait(face, draw, grain, size))
    pose = np.stack([draws["wild"] * draws[name] for name in ("yaw", "pitch", "roll")], axis=1)
    return Portraits(images, pose, seen_attributes(identity, draws))


def _column(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)[:, None, None]


def _bytes(pixels: np.ndarray) -> np.ndarray:
    return np.floor(np.clip(pixels, 0.0, 1.0) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def _portrait(
    face: SimpleNamespace, draw: SimpleNamespace, grain: list[np.ndarray], size: int
) -> np.ndarray:
    scene = _place(face, draw, size)
    scene.grain = grain
    _background(scene, draw)
    _hair_back(scene, face, draw)
    _skin(scene, face, draw)
    _beard(scene, face, draw)
    _eyes(scene, face, draw)
    _brows(scene, face, draw)
    _mouth(scene, face, draw)
    light(scene, face, draw)
    _hair_front(scene, face, draw)
    _glasses(scene, face, draw)
    _hat(scene, draw)
    _occlude(scene, draw)
    return _camera(scene.pixels, draw, grain, size)


# -- where things are -----------------------------------------------------------------------


def _place(face: SimpleNamespace, draw: SimpleNamespace, size: int) -> SimpleNamespace:
    """Find the place of every pixel on the turned head."""
    axis = ((np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(2 / size)) - 1
    screen_x, screen_y = axis[None, None, :], axis[None, :, None]
    wild = draw.wild
    x = screen_x - 0.07 * wild * draw.shift_x
    y = screen_y - 0.07 - 0.07 * wild * draw.shift_y
    half = 0.055 * wild * draw.roll
    cos, sin = (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)
    zoom = 0.90 * np.maximum(0.6, 1 + 0.11 * wild * draw.scale)
    stretch = 0.93 + 0.09 * draw.aspect
    x, y = (cos * x + sin * y) * zoom, (cos * y - sin * x) * zoom * stretch
    yaw, pitch = np.clip(0.22 * wild * draw.yaw, -0.6, 0.6), 0.16 * wild * draw.pitch
    across, along = np.sqrt(1 - yaw * yaw), np.sqrt(1 - pitch * pitch)
    u, v = x / across, y / along
    for _ in range(2):
        near = 0.75 * np.maximum(-0.3, 1 - 1.1 * u * u - 0.75 * v * v) - 0.35
        near = near + 0.16 * blob(u, v - face.nose_y + 0.10, 0.17, 0.3)
        u, v = (x - yaw * near) / across, (y - pitch * near) / along
    u, v = _bent(u, v, draw)
    scene = SimpleNamespace(x=u, y=v, side=np.abs(u), pixel=np.float32(2 / size) * zoom)
    scene.screen_x, scene.screen_y, scene.size = screen_x, screen_y, size
    scene.left = u < 0
    return scene


def _bent(x: np.ndarray, y: np.ndarray, draw: SimpleNamespace) -> tuple[np.ndarray, np.ndarray]:
    """Bend the face a little: nobody is symmetric, or as wide above as below."""
    much = 0.025 * (0.4 + 0.6 * draw.wild)
    both, low = x * y, y - 0.2
    bent_x = x + much * (draw.bend_1 * low + draw.bend_2 * both + draw.bend_3 * low * low)
    bent_y = y + much * (draw.bend_4 * x + draw.bend_5 * both + draw.bend_6 * (x * x - 0.1))
    return bent_x, bent_y


# -- what is painted ------------------------------------------------------------------------


def _background(scene: SimpleNamespace, draw: SimpleNamespace) -> None:
    x, y = scene.screen_x, scene.screen_y
    wall = 0.05 + 0.8 * draw.wall * draw.wall + 0.35 * (draw.wall_slope - 0.5) * (x + y)
    edge = (x - 0.6 * draw.patch_x) + (y - 0.5 * draw.patch_y) * draw.skew
    patch = np.clip(4 * edge * draw.wild + 0.5, 0.0, 1.0) * (draw.wild > 0.5)
    wall = wall + patch * (draw.wall_patch - 0.5)
    scene.pixels = wall + 0.12 * scene.grain[2]


def _hair_back(scene: SimpleNamespace, face: SimpleNamespace, draw: SimpleNamespace) -> None:
    hair = face.hair * (1 + 0.7 * scene.grain[1])
    scene.hair_tone = 0.9 * hair
    top = ellipse(
        scene.x,
        scene.y + 0.12,
        face.head_width + face.hair_volume,
        0.9 * face.head_height + face.hair_volume,
    )
    upper = np.minimum(top, face.hair_length - scene.y)
    width = face.head_width + 0.8 * face.hair_volume
    curtain = np.minimum(width - scene.side, np.minimum(scene.y + 0.2, face.hair_length - scene.y))
    scene.haired = draw.bald > 0.12
    paint_over(scene, fill(scene, np.maximum(upper, curtain), 2) * scene.haired, scene.hair_tone)


def _skin(scene: SimpleNamespace, face: SimpleNamespace, draw: SimpleNamespace) -> None:
    neck = np.minimum(0.55 * face.head_width - scene.side, scene.y - 0.4)
    paint_over(scene, fill(scene, neck, 2), 0.6 * face.skin)
    collar = scene.y - 1.15 - 0.3 * draw.collar + 0.35 * scene.side
    paint_over(scene, fill(scene, collar, 2), draw.collar * (1 + 0.2 * scene.grain[2]))
    ears = ellipse(scene.side - face.head_width, scene.y - face.eye_y - 0.14, 0.07, 0.16)
    bare = fill(scene, ears) * (face.hair_length < 0.25)
    paint_over(scene, bare, 0.75 * face.skin)
    below = np.maximum(scene.y - 0.05, 0.0)
    width = face.head_width * (1 - face.jaw * below * below)
    height = np.where(scene.y > 0, face.chin_y, face.head_height)
    ratio_x, ratio_y = scene.x / width, scene.y / height
    scene.round = np.maximum(0.0, 1 - ratio_x * ratio_x - ratio_y * ratio_y)
    scene.depth = (1 - np.sqrt(1 - scene.round)) * np.minimum(width, height)
    outside = ratio_x * ratio_x + ratio_y * ratio_y > 1
    scene.depth = np.where(outside, -scene.pixel, scene.depth)
    scene.on_face = fill(scene, scene.depth)
    mottled = face.skin * (1 + (0.05 + 0.15 * draw.specks) * scene.grain[2])
    paint_over(scene, scene.on_face, mottled)


def _beard(scene: SimpleNamespace, face: SimpleNamespace, draw: SimpleNamespace) -> None:
    man = face.beard > 0
    middle, sides = np.maximum(0.3 - scene.side, 0.0), np.maximum(scene.side - 0.35, 0.0)
    edge = scene.y - face.nose_y - 0.12 + 0.5 * middle + 0.9 * sides
    soft = np.clip(edge / 0.12, 0.0, 1.0) * np.clip(scene.depth / 0.06, 0.0, 1.0)
    tone = 0.8 * scene.hair_tone
    paint_over(scene, np.minimum(beard_strength(face, draw) * soft, 0.9), tone)
    lip = (face.nose_y + face.mouth_y) / 2 + 0.02
    hairs = blob(scene.side, scene.y - lip - 0.15 * scene.side, 0.27, 0.10)
    paint_over(scene, np.minimum(1.6 * hairs, 0.9) * (draw.mustache > 0.8) * man, tone)


def _eyes(scene: SimpleNamespace, face: SimpleNamespace, draw: SimpleNamespace) -> None:
    x, y = scene.side - face.eye_x, scene.y - face.eye_y
    # Shadowed sockets, and bags below.
    socket = (0.2 + 0.4 * draw.socket) * blob(x + 0.02, y + 0.04, 0.27, 0.18)
    inner = blob(scene.side - 0.13, y + 0.02, 0.08, 0.14)
    scene.pixels *= 1 - 0.45 * draw.inner * inner
    bags = 0.12 * face.age * blob(x, y - 0.13, 0.15, 0.05)
    scene.pixels *= 1 - socket - bags - 0.25 * (draw.makeup > 0.8) * blob(x, y + 0.06, 0.22, 0.1)
    ratio = x / face.eye_width
    arc = 1 - ratio * ratio
    y = y + face.eye_tilt * ratio
    upper, lower = y + face.lid_up * arc, face.lid_low * arc - y
    inside = fill(scene, np.minimum(upper, lower)) * (arc > 0)
    white = (0.35 + 0.5 * draw.sclera) * (0.35 + 0.65 * np.minimum(1.0, 1.25 * face.skin))
    paint_over(scene, inside, white)
    away = scene.x - np.where(scene.left, -face.eye_x, face.eye_x) - 0.04 * draw.gaze
    iris = ellipse(away, y + 0.012 - 0.012 * draw.gaze_y, 0.078, 0.078)
    paint_over(scene, inside * fill(scene, iris), 0.6 * face.iris)
    paint_over(scene, inside * fill(scene, iris - 0.04), 0.05)
    glint = ellipse(away + 0.02, y + 0.035, 0.022, 0.022)
    paint_over(scene, 0.8 * inside * fill(scene, glint) * (draw.glare > 0.4), 0.9)
    lash = stroke(scene, np.abs(upper), 0.014 + 0.012 * draw.makeup) * (arc > -0.15)
    paint_over(scene, (0.45 + 0.4 * draw.makeup) * lash, 0.08)
    scene.pixels *= 1 - 0.22 * stroke(scene, np.abs(lower), 0.014) * (arc > -0.1)
    crease = stroke(scene, np.abs(upper + 0.045 + 0.02 * draw.deep), 0.016) * (arc > -0.2)
    scene.pixels *= 1 - (0.15 + 0.25 * draw.deep) * crease


def _brows(scene: SimpleNamespace, face: SimpleNamespace, draw: SimpleNamespace) -> None:
    length = face.brow_outer_x - face.brow_inner_x
    t = (scene.side - face.brow_inner_x) / length
    line = face.brow_inner_y + t * (face.brow_outer_y - face.brow_inner_y)
    line = line - 4 * face.brow_arch * t * (1 - t) * (0.4 + 0.9 * t)
    ends = np.clip(np.minimum(t + 0.06, 1.06 - t) / 0.2, 0.0, 1.0)
    half = face.brow_thickness * (1.1 - 0.6 * np.clip(t, 0.0, 1.0))
    away = np.abs(scene.y - line)
    soft = np.clip((half - away) / (0.6 * half + 0.5 * scene.pixel) + 0.5, 0.0, 1.0)
    cover = soft * ends * (0.35 + 0.6 * draw.brow_dark) * (1 + 0.5 * scene.grain[1])
    dark = np.minimum(0.6 * face.hair, 0.55 * face.skin)
    paint_over(scene, np.minimum(cover, 1.0), dark)


def _mouth(scene: SimpleNamespace, face: SimpleNamespace, draw: SimpleNamespace) -> None:
    half_width = np.where(scene.left, face.mouth_left, face.mouth_right)
    t = scene.side / half_width
    t2 = np.minimum(t * t, 1.6)
    arc = 1 - t2
    round_arc = np.sqrt(np.maximum(arc, 0.0))
    corner = np.where(scene.left, face.corner_left, face.corner_right)
    bend = (1 - 0.5 * draw.lip_shape) * t2 + 0.5 * draw.lip_shape * t2 * t2
    line = face.mouth_y + corner * bend - 0.03 * face.pout * arc
    y = scene.y - line
    upper, lower = y + face.gap_up * round_arc, face.gap_low * round_arc - y
    bow = 0.75 + 0.25 * np.minimum(1.0, 5 * t2)
    top = upper + face.lip_up * bow * np.maximum(arc, 0.0)
    bottom = lower + face.lip_low * round_arc
    lips = fill(scene, np.minimum(top, bottom), 1.5) * (arc > 0)
    painted = 0.5 + 0.5 * draw.lips
    tone = face.skin * (1 - painted * (1 - face.lip_tone)) * (1 - 0.2 * (upper < 0))
    paint_over(scene, lips, tone)
    cavity = fill(scene, np.minimum(upper, lower) - 0.01) * (arc > 0)
    paint_over(scene, cavity, 0.06 + 0.12 * face.skin * np.clip(upper / 0.3, 0.0, 1.0))
    tooth = np.maximum(face.teeth_up - upper, face.teeth_low - lower)
    shown = cavity * fill(scene, tooth) * np.clip((0.98 - t) / 0.15, 0.0, 1.0)
    paint_over(scene, shown, (0.5 + 0.45 * draw.teeth) * (1 - 0.35 * t2) * (0.6 + 0.4 * face.skin))
    touch = stroke(scene, np.minimum(np.abs(upper), np.abs(lower)), 0.014) * (arc > -0.12)
    scene.pixels *= 1 - (0.4 + 0.3 * draw.lips) * touch
    # Pits beside the corners, and shade under the lip.
    pit = segment(scene.side, scene.y, half_width + 0.01, face.mouth_y + corner - 0.01,
                  half_width + 0.03, face.mouth_y + corner + 0.02)  # fmt: skip
    hollow = np.maximum(0.0, 1 - pit / 0.05)
    scene.pixels *= 1 - 0.25 * hollow * hollow
    scene.lip_y, scene.half_width = y, half_width


# -- what lies before the face -----------------------------------------------------------------


def _hair_front(scene: SimpleNamespace, face: SimpleNamespace, draw: SimpleNamespace) -> None:
    off = scene.x - face.hair_parting
    line = face.hairline + 0.55 * off * off * draw.hair_kind + 0.08 * scene.grain[2]
    line = line + 0.25 * (draw.fringe > 0.85) * (1 - np.minimum(1.0, off * off))
    inside = np.minimum(line - scene.y, scene.depth + 0.08)
    paint_over(scene, fill(scene, inside, 2.5) * scene.haired, scene.hair_tone)
    sides = np.minimum(scene.side - 0.9 * face.head_width, face.hair_length - scene.y)
    paint_over(
        scene, fill(scene, sides, 2.5) * scene.haired * (scene.depth > -0.01), scene.hair_tone
    )


def _glasses(scene: SimpleNamespace, face: SimpleNamespace, draw: SimpleNamespace) -> None:
    kind = draw.glasses_kind
    worn = wears_glasses(face, draw)
    x, y = scene.side - face.eye_x, scene.y - face.eye_y - 0.03
    lens = ellipse(x, y, 0.19 + 0.06 * kind, 0.13 + 0.07 * kind)
    dark = (draw.wear < 0.03) * 0.85 + 0.10 * (kind > 0.5)
    paint_over(scene, worn * dark * fill(scene, lens), 0.08 + 0.3 * draw.glare * (y < -0.02))
    bridge = np.maximum(np.abs(y + 0.03), scene.side - face.eye_x + 0.2)
    temple = np.maximum(np.abs(y + 0.03), 0.2 - x)
    frame = np.maximum(
        stroke(scene, np.abs(lens), 0.010 + 0.014 * kind),
        np.maximum(stroke(scene, bridge, 0.014), stroke(scene, temple, 0.014) * scene.on_face),
    )
    paint_over(scene, worn * (0.25 + 0.5 * kind) * frame, 0.1 + 0.5 * (draw.glare > 0.8))


def _hat(scene: SimpleNamespace, draw: SimpleNamespace) -> None:
    worn = draw.hat < 0.08
    line = -0.75 + 0.3 * draw.hat_line + 0.12 * scene.side * scene.side
    shadow = np.clip((line + 0.3 - scene.y) / 0.3, 0.0, 1.0) * scene.on_face
    scene.pixels *= 1 - 0.4 * worn * shadow
    cloth = draw.hat_tone * (0.9 + 0.2 * scene.grain[0])
    paint_over(scene, worn * fill(scene, line - scene.y, 1.5), cloth)


def _occlude(scene: SimpleNamespace, draw: SimpleNamespace) -> None:
    x = scene.screen_x - 0.6 * draw.occluder_x
    y = scene.screen_y - 0.6 * draw.occluder_y
    disc = ellipse(x, y, 0.12 + 0.25 * draw.occluder_width, 0.12 + 0.25 * draw.occluder_height)
    bar = 0.06 + 0.14 * draw.occluder_width - np.abs(x + draw.skew * y)
    bar = np.minimum(bar, y)
    depth = np.where(draw.occluder_kind < 0.5, disc, bar)
    tone = draw.occluder_tone * (1 + 0.3 * scene.grain[2])
    paint_over(scene, fill(scene, depth, 1.5) * (draw.occluded < 0.12 * draw.wild), tone)


# -- the camera ---------------------------------------------------------------------------------


def _camera(
    pixels: np.ndarray, draw: SimpleNamespace, grain: list[np.ndarray], size: int
) -> np.ndarray:
    pixels = np.clip(pixels, 0.0, 1.2)
    curve = 0.8 * (draw.curve - 0.5)
    pixels = pixels + curve * pixels * (1 - pixels)
    pixels = (pixels - 0.45) * (0.6 + 0.8 * draw.contrast) + 0.45 + 0.35 * (draw.gain - 0.5)
    share = 0.25 * np.minimum(1.0, 0.25 + draw.blur * draw.blur * draw.wild)
    coarse = (draw.coarse < 0.2) & (draw.wild > 0.5)
    for step, weight in ((1, share), (2, share * coarse)):
        smooth(pixels, step, weight)
    level = 0.10 * draw.noise * draw.noise * draw.noise * draw.wild
    return pixels + level * (grain[0] + 0.5 * grain[1])
