"""Sets of portraits: what a start learns from."""

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skfer.datasets._bunch import make_bunch
from skfer.datasets._vocabulary import EXPRESSIONS
from skfer.datasets.drawn._kinds import draw_units
from skfer.datasets.drawn._portrait import take_portraits
from skfer.datasets.drawn._traits import NOISE_SIDE
from skfer.validation import check_int, check_random_seed, check_real

_DESCR = """\
Drawn portraits
---------------

Faces drawn as a camera sees them: no photographs, no real persons, nothing to download. They are
for networks to learn from.
"""


def draw_portraits(
    n_persons: int,
    n_samples_per_expression: int = 3,
    *,
    image_size: int = 48,
    wild: float = 0.75,
    lowest: float = 0.45,
    random_state: int | np.random.RandomState | None = None,
) -> Any:
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
    random_state : int, RandomState instance or None, default=None
        Seed of all draws; the same seed gives the same bytes on every machine.

    Returns
    -------
    faces : :class:`~sklearn.utils.Bunch`
        With n faces, ordered by person, then expression; beside what all sets have, ``images`` (n,
        image_size, image_size), uint8; ``target`` (n,), codes of expressions, and ``target_names``;
        ``groups`` (n,), persons; ``action_units`` (n, 20) and ``intensity`` (n,), from 0 to 1;
        ``pose`` (n, 3), yaw, pitch and roll in units of their spread; ``glasses`` (n,), bool, which
        some wear now and then; ``beard`` (n,), how dense it is, 0 for none and at most 0.2 for
        stubble alone; ``skin`` (n,), its tone as a gray value from 0 (black) to 1.

    Raises
    ------
    ArgumentError
        If a number is out of its range.

    See Also
    --------
    make_expressions : A set to compare methods on.
    skfer.nets.face_backbone : What was learned from such portraits.

    Examples
    --------
    >>> from skfer.datasets import draw_portraits
    >>> faces = draw_portraits(3, 1, random_state=0)
    >>> faces.images.shape, faces.action_units.shape
    ((24, 48, 48), (24, 20))
    """
    check_int(n_persons, "n_persons", at_least=1, at_most=1_000_000)
    check_int(n_samples_per_expression, "n_samples_per_expression", at_least=1, at_most=1_000_000)
    check_int(image_size, "image_size", at_least=16, at_most=NOISE_SIDE - 1)
    check_real(wild, "wild", at_least=0, at_most=1)
    check_real(lowest, "lowest", at_least=0, at_most=1)
    per_person = np.repeat(np.arange(len(EXPRESSIONS)), n_samples_per_expression)
    target = np.tile(per_person, n_persons)
    groups = np.repeat(np.arange(n_persons), len(per_person))
    rng = check_random_state(check_random_seed(random_state))
    units, intensity = draw_units(target, rng, lowest)
    images, pose, attributes = take_portraits(units, groups, image_size, rng, wild)
    known = {"groups": groups, "action_units": units, "intensity": intensity, "pose": pose}
    return make_bunch(
        images,
        target,
        target_names=EXPRESSIONS,
        descr=_DESCR,
        columns=known | attributes,
        group_kind="subjects",
    )
