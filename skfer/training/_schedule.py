"""How the learning rate moves during a fit."""

import math
from collections.abc import Callable

from skfer.validation import check_choice, check_flag


def one_cycle(progress: float) -> float:
    """Rise from 1/10 over the first quarter, then fall along a cosine to nearly 0."""
    if progress < 0.25:
        return 0.1 + 0.9 * progress / 0.25
    return 1e-3 + 0.5 * (1 - 1e-3) * (1 + math.cos(math.pi * (progress - 0.25) / 0.75))


def cosine(progress: float) -> float:
    """Fall along a cosine from 1 to nearly 0."""
    return 1e-3 + 0.5 * (1 - 1e-3) * (1 + math.cos(math.pi * progress))


def constant(progress: float) -> float:
    """Stay at 1."""
    return 1.0


def find_schedule(name: str, *, may_stop: bool) -> str:
    """Return the schedule that a ``schedule`` parameter stands for.

    Parameters
    ----------
    name : str
        "auto" is "one-cycle", or "constant" where the training may stop before its last epoch.
    may_stop : bool
        Whether it may.

    See Also
    --------
    SCHEDULES : What the names stand for.

    Examples
    --------
    >>> from skfer.training import find_schedule
    >>> find_schedule("auto", may_stop=True), find_schedule("cosine", may_stop=True)
    ('constant', 'cosine')
    """
    check_choice(name, "name", ("auto", *SCHEDULES))
    check_flag(may_stop, "may_stop")
    if name != "auto":
        return name
    return "constant" if may_stop else "one-cycle"


SCHEDULES: dict[str, Callable[[float], float]] = {
    "one-cycle": one_cycle,
    "cosine": cosine,
    "constant": constant,
}
"""Names to functions from progress in [0, 1] to a factor of the learning rate."""
