"""What the portraits show: more kinds of each expression, weaker ones, and units by the way."""

import numpy as np

from skfer.datasets._vocabulary import EXPRESSION_CODES, EXPRESSIONS
from skfer.datasets.drawn._draws import bell
from skfer.datasets.drawn._model import ACTION_UNITS, MIRRORED, SUBCLASSES

# Beside the sub-classes of the plain set: how the expressions look outside a laboratory.
KINDS: dict[str, dict[str, float]] = SUBCLASSES | {
    "anger/glare": {"AU4": 0.9, "AU5": 0.4, "AU7": 0.5, "AU23": 0.3, "AU17": 0.2},
    "anger/shout": {
        "AU4": 1.0, "AU7": 0.7, "AU9": 0.5, "AU10": 0.8, "AU16": 0.7, "AU25": 1.0, "AU26": 0.8,
    },
    "anger/teeth": {"AU4": 0.8, "AU7": 0.8, "AU9": 0.5, "AU10": 0.7, "AU20": 0.4, "AU25": 0.8},
    "disgust/sneer": {"AU9": 0.7, "AU10": 1.0, "AU4": 0.4, "AU7": 0.4, "AU25": 0.3, "AU17": 0.3},
    "fear/gasp": {"AU1": 1.0, "AU2": 0.8, "AU4": 0.4, "AU5": 0.8, "AU20": 0.6, "AU25": 1.0,
                  "AU26": 0.8},
    "happiness/slight": {"AU6": 0.3, "AU12L": 0.65, "AU12R": 0.65},
    "happiness/grin": {"AU6": 0.5, "AU12L": 0.9, "AU12R": 0.9, "AU25": 0.9},
    "happiness/laugh": {"AU6": 1.0, "AU7": 0.4, "AU12L": 1.0, "AU12R": 1.0, "AU25": 1.0,
                        "AU26": 0.8},
    "neutral/talking": {"AU25": 0.6, "AU26": 0.3},
    "sadness/slight": {"AU1": 0.5, "AU4": 0.3, "AU15": 0.7, "AU17": 0.3, "AU43": 0.25},
    "sadness/crying": {"AU1": 0.8, "AU4": 0.7, "AU6": 0.4, "AU15": 0.6, "AU17": 0.4, "AU20": 0.5,
                       "AU25": 0.6, "AU43": 0.5},
    "surprise/open": {"AU1": 0.6, "AU2": 0.6, "AU5": 0.3, "AU26": 0.8, "AU25": 1.0},
    "surprise/raised": {"AU1": 0.8, "AU2": 0.9, "AU5": 0.6, "AU26": 0.3, "AU25": 0.4},
}  # fmt: skip

# Kinds are equally frequent within their expression, but for these.
_SHARE = {"neutral/eyes open": 3.0, "neutral/eyes closed": 0.5}

# What a face does beside its expression, and how strongly at most: it talks, blinks, squints.
_BY_THE_WAY = {
    "AU1": 0.25, "AU2": 0.25, "AU4": 0.25, "AU5": 0.2, "AU6": 0.25, "AU7": 0.6, "AU14L": 0.3,
    "AU14R": 0.3, "AU15": 0.15, "AU17": 0.25, "AU20": 0.2, "AU23": 0.3, "AU25": 0.35, "AU26": 0.2,
    "AU43": 0.5,
}  # fmt: skip
_HOW_OFTEN = 0.12
_UNIT_JITTER = 0.25


def draw_units(
    target: np.ndarray, rng: np.random.RandomState, low: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw action units (n, n_units) for expressions of given codes, and their intensity (n,)."""
    n = len(target)
    shares = _shares(target, rng.random_sample(n))
    mirrored = rng.random_sample(n) < 0.5
    shares = np.where(mirrored[:, None], shares[:, MIRRORED], shares)
    intensity = low + (1 - low) * rng.random_sample(n)
    units = shares * intensity[:, None] * (1 + _UNIT_JITTER * bell(rng, n, len(ACTION_UNITS)))
    # Faces are not quite symmetric.
    most = np.array([_BY_THE_WAY.get(name, 0.0) for name in ACTION_UNITS])
    chance, strength = rng.random_sample((2, n, len(ACTION_UNITS)))
    units = units + (chance < _HOW_OFTEN) * most * strength
    return np.clip(units, 0.0, 1.0), np.where(shares.any(axis=1), intensity, 0.0)


def _shares(target: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Choose a kind for each face, and return its action units at intensity 1."""
    table = np.array([[units.get(name, 0.0) for name in ACTION_UNITS] for units in KINDS.values()])
    names = list(KINDS)
    codes = np.array([EXPRESSION_CODES[name.split("/")[0]] for name in names])
    chosen = np.empty((len(target), len(ACTION_UNITS)))
    for code in range(len(EXPRESSIONS)):
        own, rows = np.flatnonzero(codes == code), target == code
        weights = np.array([_SHARE.get(names[kind], 1.0) for kind in own])
        edges = np.cumsum(weights / weights.sum())[:-1]
        chosen[rows] = table[own[np.searchsorted(edges, chance[rows], side="right")]]
    return chosen
