"""What is random about portraits: persons, their wrinkles, the moment, and noise."""

from types import SimpleNamespace

import numpy as np

from skfer.datasets.drawn._draws import bell
from skfer.datasets.drawn._model import GLASSES_SHOW, IDENTITY, attributes

NOISE_SIDE = 256

# Persons differ more than those of the plain set, and their eyes are less wide.
_WIDER = 1.35
_OWN: dict[str, tuple[float, float, float, float]] = {
    "eye_open": (0.050, 0.013, 0.024, 0.085),
    "brow_gap": (0.155, 0.03, 0.085, 0.24),
    "brow_thickness": (0.040, 0.014, 0.012, 0.07),
    "nose_width": (0.155, 0.022, 0.10, 0.21),
    "eye_width": (0.178, 0.016, 0.14, 0.22),
    "nose_length": (0.44, 0.04, 0.33, 0.54),
    "mouth_y": (0.54, 0.035, 0.45, 0.64),
    "head_height": (0.95, 0.06, 0.80, 1.10),
    "mouth_width": (0.26, 0.03, 0.19, 0.34),
    "mouth_rest": (-0.004, 0.013, -0.035, 0.03),
    "skin": (0.64, 0.15, 0.22, 0.92),
    "head_width": (0.70, 0.06, 0.58, 0.86),
    "jaw": (0.17, 0.11, 0.0, 0.45),
    "lip_tone": (0.62, 0.1, 0.4, 0.85),
    "hair": (0.25, 0.22, 0.03, 0.9),
    "age": (0.45, 0.35, 0.0, 1.0),
    "beard": (-0.3, 0.45, 0.0, 0.8),
    "hairline": (-0.68, 0.11, -0.95, -0.46),
}
_PERSON_UNIFORMS = (
    "socket", "cheekbone", "nose_height", "mustache", "stubble", "bald", "makeup", "glasses_kind",
    "brow_dark", "deep", "hair_kind", "fringe", "lip_shape",
    "fold_base",
    "wrinkle_base",
    "frown_base",
    "forehead_base",
    "crow_base",
    "bridge",
    "inner",
)  # fmt: skip
_FACE_UNIFORMS = (
    "hat",
    "hat_line",
    "hat_tone",
    "occluded",
    "occluder_width",
    "occluder_height",
    "occluder_tone",
    "occluder_kind",
    "wall",
    "wall_slope",
    "wall_patch",
    "blur",
    "coarse",
    "noise",
    "ambient",
    "curve",
    "contrast",
    "gain",
    "sclera",
    "teeth",
    "glare",
    "collar",
    "lips",
    "shine",
    "shade",
    "depth",
    "wear",
    "specks",
    "fold_gain",
    "line_gain",
)
_FACE_BELLS = (
    "roll", "scale", "aspect", "shift_x", "shift_y", "yaw", "pitch", "light_x", "light_y", "gaze",
    "gaze_y", "occluder_x", "occluder_y", "patch_x", "patch_y", "skew",
    "bend_1", "bend_2", "bend_3", "bend_4", "bend_5", "bend_6",
)  # fmt: skip


def draw_traits(
    person: np.ndarray, rng: np.random.RandomState, wild: float
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Draw identities (n, n_identity), and everything else by name, (n,)."""
    n, n_persons = len(person), int(person.max()) + 1
    identity = _identity(bell(rng, n_persons, len(IDENTITY)))[person]
    draws = dict(zip(_PERSON_UNIFORMS, rng.random_sample((len(_PERSON_UNIFORMS), n_persons)),
                     strict=True))  # fmt: skip
    draws = {name: values[person] for name, values in draws.items()}
    draws |= dict(zip(_FACE_UNIFORMS, rng.random_sample((len(_FACE_UNIFORMS), n)), strict=True))
    draws |= dict(zip(_FACE_BELLS, bell(rng, len(_FACE_BELLS), n), strict=True))
    draws["wild"] = np.where(rng.random_sample(n) < wild, 1.0, 0.25)
    return identity, draws


def _identity(bells: np.ndarray) -> np.ndarray:
    table = np.array([_OWN.get(name, _widened(row)) for name, row in IDENTITY.items()])
    mean, sd, low, high = table.T
    return np.clip(mean + sd * bells, low, high)


def _widened(row: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    mean, sd, low, high = row
    return mean, sd * _WIDER, low - 0.15 * (high - low) * (low != 0), high


def wears_glasses(face: SimpleNamespace, draw: SimpleNamespace) -> np.ndarray:
    """Tell who wears glasses: some persons always do, others now and then."""
    return (face.glasses > GLASSES_SHOW) | (draw.wear < 0.06)


def beard_strength(face: SimpleNamespace, draw: SimpleNamespace) -> np.ndarray:
    """Return how dense beard and stubble are."""
    return face.beard + 0.2 * draw.stubble * (draw.stubble > 0.6)


def seen_attributes(identity: np.ndarray, draws: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the attributes of persons as the portraits show them."""
    columns = zip(IDENTITY, identity.T, strict=True)
    face, draw = SimpleNamespace(**dict(columns)), SimpleNamespace(**draws)
    return attributes(identity) | {
        "glasses": wears_glasses(face, draw),
        "beard": beard_strength(face, draw),
    }


def age(face: SimpleNamespace, draw: SimpleNamespace) -> None:
    """Let folds and lines say little of the expression: many faces have them at rest."""
    fold, line = 0.3 + 0.7 * draw.fold_gain, 0.2 + 0.8 * draw.line_gain
    face.fold_left = face.fold_left * fold + 0.6 * draw.fold_base
    face.fold_right = face.fold_right * fold + 0.6 * draw.fold_base
    for name in ("wrinkle", "frown", "forehead", "crow"):
        base = getattr(draw, f"{name}_base")
        setattr(face, name, getattr(face, name) * line + 0.6 * base * base)


def noise_tables(rng: np.random.RandomState) -> list[np.ndarray]:
    """Three of variance about 1/12: white, of three pixels, and of six."""
    table = rng.random_sample((NOISE_SIDE, NOISE_SIDE)).astype(np.float32) - np.float32(0.5)
    tables = [table]
    for times, gain in ((1, 1 / 3), (3, 1 / 369)):
        for axis in (0, 1) * times:
            table = table + np.roll(table, 1, axis) + np.roll(table, -1, axis)
        table = table * np.float32(gain)
        tables.append(table)
    return tables


def cut_noise(
    table: np.ndarray, corners: np.ndarray, rows: slice, layer: int, size: int
) -> np.ndarray:
    places = corners[rows, layer]
    return np.stack([table[i : i + size, j : j + size] for i, j in places])
