"""Sets of portraits: what a start learns from."""

from types import SimpleNamespace

import numpy as np

from skfer.datasets._vocabulary import EXPRESSIONS
from skfer.datasets.drawn._kinds import draw_units
from skfer.datasets.drawn._portrait import take_portraits
from skfer.datasets.drawn._traits import NOISE_SIDE
from skfer.validation import check_int


def draw_portraits(
    n_persons: int,
    n_samples_per_expression: int = 3,
    *,
    image_size: int = 48,
    wild: float = 0.75,
    lowest: float = 0.45,
    random_state: np.random.RandomState,
) -> SimpleNamespace:
    """Draw portraits: gray faces as a camera sees them, more varied than the plain drawing.

    They are drawn for networks to learn from: lit from all sides, turned by up to 35 degrees,
    cropped as a detector crops, with glasses, hats and hands before them. For a set to compare
    methods on there is :func:`skfer.datasets.make_expressions`.

    Parameters
    ----------
    n_persons : int
        Number of persons.
    n_samples_per_expression : int, default=3
        Faces that each shows of each expression.
    image_size : int, default=48
        Side of the pictures, from 16 to 255.
    wild : float, default=0.75
        Share of faces as found in the wild; the others are posed and lit as in a laboratory.
    lowest : float, default=0.45
        Lowest intensity of an expression.
    random_state : RandomState
        All that is random.

    Returns
    -------
    SimpleNamespace
        images (n, size, size), uint8; target (n,), codes of expressions; groups (n,), persons;
        units (n, n_units) and intensity (n,), in [0, 1]; pose (n, 3), of yaw, pitch and roll.

    Raises
    ------
    ArgumentError
        If `image_size` is out of its range.
    """
    check_int(image_size, "image_size", at_least=16, at_most=NOISE_SIDE - 1)
    per_person = np.repeat(np.arange(len(EXPRESSIONS)), n_samples_per_expression)
    target = np.tile(per_person, n_persons)
    groups = np.repeat(np.arange(n_persons), len(per_person))
    units, intensity = draw_units(target, random_state, lowest)
    images, pose = take_portraits(units, groups, image_size, random_state, wild)
    return SimpleNamespace(
        images=images, target=target, groups=groups, units=units, intensity=intensity, pose=pose
    )
