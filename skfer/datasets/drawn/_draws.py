"""Everything random about a set of drawn faces, except for the grain of the pictures.

Numbers come from sums and products of ``RandomState.random_sample`` and from
``RandomState.randint``: both are frozen in numpy, and exact on every machine.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from skfer.datasets._vocabulary import EXPRESSION_CODES, EXPRESSIONS
from skfer.datasets.drawn._model import ACTION_UNITS, IDENTITY, SUBCLASSES

SUBCLASS_NAMES: tuple[str, ...] = tuple(SUBCLASSES)
# Expression code of each sub-class.
SUBCLASS_TARGET = np.array([EXPRESSION_CODES[name.split("/")[0]] for name in SUBCLASS_NAMES])

_SEED_LIMIT = 2**31 - 1
# What is drawn once per face, from a bell curve and evenly from [0, 1).
_BELLS: tuple[str, ...] = (
    "roll",
    "scale",
    "shift_x",
    "shift_y",
    "yaw",
    "pitch",
    "light_x",
    "light_y",
    "gain",
    "gaze",
    "occluder_x",
    "occluder_y",
)
_UNIFORMS: tuple[str, ...] = (
    "intensity",
    "keep",
    "blur",
    "noise",
    "occluded",
    "occluder_width",
    "occluder_height",
    "occluder_tone",
    "wall",
    "mirrored",
)

Draws = dict[str, np.ndarray]


def bell(rng: np.random.RandomState, *shape: int) -> np.ndarray:
    """Draw from a bell-shaped curve of mean 0 and variance 1 that ends at +-3.5."""
    u = rng.random_sample((4, *shape))
    return (u[0] + u[1] + u[2] + u[3] - 2.0) * np.sqrt(3.0)


def draw_faces_at_random(n_subjects: int, n_samples: int, rng: np.random.RandomState) -> Draws:
    """Draw n_subjects * n_expressions * n_samples faces: a row each in every array.

    ``rng`` seeds one stream per subject, in turn. A subject's stream gives its identity and then
    one sample of all expressions after another. So a larger set holds the smaller set of the same
    seed, and leaving out expressions leaves the others as they are.
    """
    seeds = rng.randint(_SEED_LIMIT, size=n_subjects, dtype=np.int64)
    subjects = [_draw_subject(number, seed, n_samples) for number, seed in enumerate(seeds)]
    return {name: np.concatenate([s[name] for s in subjects]) for name in subjects[0]}


def _draw_subject(number: int, seed: int, n_samples: int) -> Draws:
    rng = np.random.RandomState(seed)
    identity = bell(rng, len(IDENTITY))
    samples = [_draw_sample(rng, number + s) for s in range(n_samples)]
    rows = {name: _by_expression([s[name] for s in samples]) for name in samples[0]}
    n_rows = len(rows["target"])
    rows["subject"] = np.full(n_rows, number, dtype=np.int64)
    rows["identity"] = np.repeat(identity[None], n_rows, axis=0)
    return rows


def _draw_sample(rng: np.random.RandomState, turn: int) -> Draws:
    """One face of every expression; sub-classes take turns."""
    n = len(EXPRESSIONS)
    own = [np.flatnonzero(code == SUBCLASS_TARGET) for code in range(n)]
    return {
        **dict(zip(_BELLS, bell(rng, len(_BELLS), n), strict=True)),
        **dict(zip(_UNIFORMS, rng.random_sample((len(_UNIFORMS), n)), strict=True)),
        "unit_jitter": bell(rng, n, len(ACTION_UNITS)),
        "grain_seed": rng.randint(_SEED_LIMIT, size=n, dtype=np.int64),
        "target": np.arange(n, dtype=np.int64),
        "subclass": np.array([codes[turn % len(codes)] for codes in own], dtype=np.int64),
    }


def _by_expression(samples: list[np.ndarray]) -> np.ndarray:
    """Stack samples so that rows run over expressions and, within one, over samples."""
    stacked = np.stack(samples, axis=1)
    return stacked.reshape(-1, *stacked.shape[2:])


def rows_kept(
    draws: Draws, expressions: Sequence[str], proportions: Mapping[str, float]
) -> np.ndarray:
    """Rows of the wanted expressions, of each the wanted share (at least one face)."""
    kept = np.zeros(len(draws["target"]), dtype=bool)
    for name in expressions:
        rows = np.flatnonzero(draws["target"] == EXPRESSION_CODES[name])
        n_kept = max(1, int(proportions.get(name, 1.0) * len(rows) + 0.5))
        kept[rows[np.argsort(draws["keep"][rows], kind="stable")[:n_kept]]] = True
    return np.flatnonzero(kept)
