"""From an identity and action units to the geometry of a drawn face.

Lengths are in half image sides: the picture spans -1 to 1 in x (to the right) and in y (down).
``left`` and ``right`` in names of action units are the subject's own, as in FACS, so that the
subject's left side is at the right of the picture.
"""

from types import SimpleNamespace

import numpy as np

# Columns of the matrix of action units. 12 and 14 act on one side each.
ACTION_UNITS: tuple[str, ...] = (
    "AU1",  # inner brow raiser
    "AU2",  # outer brow raiser
    "AU4",  # brow lowerer
    "AU5",  # upper lid raiser
    "AU6",  # cheek raiser
    "AU7",  # lid tightener
    "AU9",  # nose wrinkler
    "AU10",  # upper lip raiser
    "AU12L",  # lip corner puller
    "AU12R",
    "AU14L",  # dimpler
    "AU14R",
    "AU15",  # lip corner depressor
    "AU16",  # lower lip depressor
    "AU17",  # chin raiser
    "AU20",  # lip stretcher
    "AU23",  # lip tightener
    "AU25",  # lips part
    "AU26",  # jaw drop
    "AU43",  # eyes closed
)

# Sub-class -> share of each action unit at intensity 1. The sub-classes of one expression have its
# prototype's units in common and differ in which of them are strong and in what goes with them.
# Contempt stands here on the left; half of the faces show it on the right.
SUBCLASSES: dict[str, dict[str, float]] = {
    "anger/bared": {
        "AU4": 1.0, "AU5": 0.5, "AU7": 0.6, "AU23": 0.3, "AU10": 0.8, "AU16": 0.9, "AU25": 1.0,
    },
    "anger/pressed": {"AU4": 1.0, "AU5": 0.4, "AU7": 0.7, "AU23": 1.0, "AU17": 0.5},
    "contempt/lids": {"AU12L": 0.9, "AU14L": 1.0, "AU17": 0.5, "AU43": 0.55},
    "contempt/smirk": {"AU12L": 1.0, "AU14L": 0.8, "AU25": 0.8},
    "disgust/mouth": {
        "AU9": 0.7, "AU15": 0.6, "AU16": 1.0, "AU10": 0.6, "AU25": 1.0, "AU26": 0.5, "AU4": 0.3,
    },
    "disgust/nose": {"AU9": 1.0, "AU15": 0.5, "AU16": 0.2, "AU17": 0.6, "AU4": 0.4, "AU7": 0.5},
    "fear/eyes": {
        "AU1": 1.0, "AU2": 0.6, "AU4": 0.6, "AU5": 1.0, "AU7": 0.2, "AU20": 0.7, "AU26": 0.1,
    },
    "fear/mouth": {
        "AU1": 0.9, "AU2": 0.4, "AU4": 0.6, "AU5": 0.7, "AU7": 0.3, "AU20": 1.0, "AU26": 0.5,
        "AU25": 1.0,
    },
    "happiness/closed": {"AU6": 0.8, "AU12L": 0.9, "AU12R": 0.9},
    "happiness/open": {"AU6": 1.0, "AU12L": 1.0, "AU12R": 1.0, "AU25": 1.0, "AU26": 0.35},
    "neutral/eyes closed": {"AU43": 1.0},
    "neutral/eyes open": {},
    "sadness/brows": {"AU1": 1.0, "AU4": 0.8, "AU15": 0.65, "AU43": 0.6},
    "sadness/mouth": {"AU1": 0.6, "AU4": 0.3, "AU15": 1.0, "AU17": 0.9},
    "surprise/eyes": {"AU1": 1.0, "AU2": 1.0, "AU5": 1.0, "AU26": 0.2, "AU25": 0.4},
    "surprise/mouth": {"AU1": 0.7, "AU2": 0.8, "AU5": 0.5, "AU26": 1.0, "AU25": 1.0},
}  # fmt: skip

# Where each column goes when left and right change places.
MIRRORED = [ACTION_UNITS.index(name.translate(str.maketrans("LR", "RL"))) for name in ACTION_UNITS]

# Identity: name -> (mean, standard deviation, lowest, highest), one draw per subject.
IDENTITY: dict[str, tuple[float, float, float, float]] = {
    "head_width": (0.70, 0.05, 0.58, 0.82),
    "head_height": (0.90, 0.05, 0.78, 1.02),
    "jaw": (0.30, 0.12, 0.05, 0.55),
    "skin": (0.66, 0.12, 0.36, 0.86),
    "skin_warmth": (0.5, 0.25, 0.0, 1.0),
    "eye_x": (0.31, 0.025, 0.25, 0.37),
    "eye_y": (-0.14, 0.035, -0.22, -0.06),
    "eye_width": (0.165, 0.015, 0.13, 0.20),
    "eye_open": (0.075, 0.012, 0.05, 0.10),
    "eye_tilt": (0.0, 0.016, -0.04, 0.04),
    "iris": (0.22, 0.12, 0.05, 0.5),
    "brow_gap": (0.20, 0.024, 0.15, 0.26),
    "brow_thickness": (0.035, 0.010, 0.016, 0.06),
    "brow_slope": (0.0, 0.016, -0.04, 0.04),
    "brow_arch": (0.045, 0.02, 0.0, 0.09),
    "nose_length": (0.34, 0.035, 0.26, 0.42),
    "nose_width": (0.13, 0.02, 0.09, 0.18),
    "mouth_y": (0.475, 0.03, 0.40, 0.55),
    "mouth_width": (0.27, 0.025, 0.21, 0.33),
    "lip_thickness": (0.055, 0.015, 0.025, 0.09),
    "lip_tone": (0.72, 0.08, 0.52, 0.9),
    "mouth_rest": (0.0, 0.012, -0.03, 0.03),
    "hair": (0.28, 0.20, 0.04, 0.85),
    "hairline": (-0.56, 0.06, -0.70, -0.46),
    "hair_volume": (0.10, 0.05, 0.01, 0.22),
    "hair_length": (0.3, 0.5, -0.4, 1.2),
    "hair_parting": (0.0, 0.25, -0.5, 0.5),
    "age": (0.45, 0.25, 0.0, 1.0),
    "beard": (-0.2, 0.35, 0.0, 0.7),
    "glasses": (-1.2, 1.2, 0.0, 1.0),
    "backdrop": (0.5, 0.3, 0.0, 1.0),
}

# Frames of glasses that are fainter cannot be made out.
GLASSES_SHOW = 0.15


def action_unit_table() -> np.ndarray:
    """Return the (n_subclasses, n_action_units) shares of :data:`SUBCLASSES`."""
    rows = [[units.get(name, 0.0) for name in ACTION_UNITS] for units in SUBCLASSES.values()]
    return np.array(rows)


def identity_from_bells(bells: np.ndarray) -> np.ndarray:
    """Turn (n, n_identity) draws of variance 1 into identity parameters inside their bounds."""
    mean, sd, low, high = np.array(list(IDENTITY.values())).T
    return np.clip(mean + sd * bells, low, high)


def attributes(identity: np.ndarray) -> dict[str, np.ndarray]:
    """Return what tells groups of persons apart, by name, (n,), from identities."""
    column = {name: identity[:, j].copy() for j, name in enumerate(IDENTITY)}
    return {
        "glasses": column["glasses"] > GLASSES_SHOW,
        "beard": column["beard"],
        "skin": column["skin"],
    }


def _columns(values: np.ndarray, names: tuple[str, ...]) -> SimpleNamespace:
    return SimpleNamespace(**{name: values[:, [j]][:, :, None] for j, name in enumerate(names)})


def face_geometry(identity: np.ndarray, action_units: np.ndarray) -> SimpleNamespace:
    """Move a resting face by its action units.

    Parameters
    ----------
    identity : ndarray of shape (n, n_identity)
        Columns as in :data:`IDENTITY`.
    action_units : ndarray of shape (n, n_action_units)
        Intensities in [0, 1], columns as in :data:`ACTION_UNITS`.

    Returns
    -------
    geometry : SimpleNamespace
        Every attribute has shape (n, 1, 1), ready to meet a grid of pixels.
    """
    face = _columns(identity, tuple(IDENTITY))
    au = _columns(action_units, ACTION_UNITS)
    _move_brows(face, au)
    _move_eyes(face, au)
    _move_nose(face, au)
    _move_mouth(face, au)
    _deepen_folds(face, au)
    return face


def _move_brows(face: SimpleNamespace, au: SimpleNamespace) -> None:
    rest = face.eye_y - face.brow_gap
    # Drawn together by 4 while 1 lifts them, inner ends stay up: the oblique brow of sadness.
    lower = 0.13 * au.AU4 * (1 - 0.7 * au.AU1)
    face.brow_inner_y = rest + face.brow_slope - 0.13 * au.AU1 + lower + 0.05 * au.AU9
    face.brow_outer_y = rest - face.brow_slope - 0.12 * au.AU2 + 0.04 * au.AU4 + 0.02 * au.AU1
    face.brow_inner_x = face.eye_x - 0.19 - 0.05 * au.AU4 - 0.02 * au.AU9
    face.brow_outer_x = face.eye_x + 0.21
    face.brow_arch = face.brow_arch + 0.03 * au.AU2 - 0.03 * au.AU4


def _move_eyes(face: SimpleNamespace, au: SimpleNamespace) -> None:
    rest = face.eye_open
    narrow = 1 - 0.30 * au.AU7 - 0.25 * au.AU6 - 0.15 * au.AU9
    awake = 1 - np.minimum(1.0, 0.98 * au.AU43)
    # A closing upper lid travels down to the lower one, so that the closed eye is a low line.
    face.lid_up = (rest * narrow + 0.065 * au.AU5) * awake - 0.03 * (1 - awake)
    face.lid_low = rest * (0.8 - 0.55 * au.AU6 - 0.40 * au.AU7 - 0.2 * au.AU9 + 0.1 * au.AU5)
    face.lid_low = np.maximum(face.lid_low, 0.02) * (0.4 + 0.6 * awake) + 0.03 * (1 - awake)


def _move_nose(face: SimpleNamespace, au: SimpleNamespace) -> None:
    face.nose_y = face.eye_y + face.nose_length - 0.05 * au.AU9 - 0.02 * au.AU10
    face.nose_width = face.nose_width + 0.025 * au.AU9 + 0.012 * (au.AU12L + au.AU12R)


def _move_mouth(face: SimpleNamespace, au: SimpleNamespace) -> None:
    smile = (au.AU12L + au.AU12R) / 2
    jaw = au.AU26
    corner = face.mouth_rest + 0.13 * au.AU15
    # Corners at the picture's right belong to the subject's left.
    face.corner_right = corner - 0.15 * au.AU12L - 0.02 * au.AU14L
    face.corner_left = corner - 0.15 * au.AU12R - 0.02 * au.AU14R
    stretch = 0.12 * au.AU20 - 0.05 * au.AU23 - 0.09 * jaw * (1 - au.AU20) - 0.03 * au.AU17
    face.mouth_right = face.mouth_width + stretch + 0.10 * au.AU12L + 0.03 * au.AU14L
    face.mouth_left = face.mouth_width + stretch + 0.10 * au.AU12R + 0.03 * au.AU14R
    face.mouth_y = face.mouth_y + 0.03 * smile - 0.04 * au.AU17 + 0.02 * au.AU15 - 0.03 * au.AU9
    part = au.AU25
    face.gap_up = part * (0.03 + 0.06 * au.AU10) + 0.03 * jaw
    face.gap_low = part * (0.04 + 0.07 * au.AU16 + 0.07 * smile) + 0.22 * jaw
    thin = 1 - 0.65 * au.AU23 - 0.25 * au.AU20 - 0.25 * smile
    face.lip_up = face.lip_thickness * thin * (1 - 0.2 * au.AU10) * 0.8
    face.lip_low = face.lip_thickness * thin * (1 + 0.3 * au.AU17 + 0.3 * au.AU16)
    face.teeth_up = 0.02 + 0.09 * np.maximum(smile, np.maximum(au.AU10, 0.5 * au.AU20))
    face.teeth_low = 0.08 * np.maximum(au.AU16, 0.4 * au.AU20)
    face.chin_y = face.head_height + 0.08 * jaw
    face.pout = au.AU17


def _deepen_folds(face: SimpleNamespace, au: SimpleNamespace) -> None:
    base = 0.10 + 0.25 * face.age
    face.fold_right = np.minimum(1.0, base + 0.5 * au.AU12L + 0.5 * au.AU9 + 0.3 * au.AU10)
    face.fold_left = np.minimum(1.0, base + 0.5 * au.AU12R + 0.5 * au.AU9 + 0.3 * au.AU10)
    face.frown = np.minimum(1.0, 0.15 * face.age + 0.8 * au.AU4 + 0.3 * au.AU9)
    face.forehead = np.minimum(1.0, 0.2 * face.age + 0.5 * (au.AU1 + au.AU2))
    face.wrinkle = au.AU9
    face.crow = np.minimum(1.0, 0.2 * face.age + 0.8 * au.AU6)
    face.cheek = au.AU6 + 0.3 * au.AU9
    face.dimple_right = au.AU14L
    face.dimple_left = au.AU14R
