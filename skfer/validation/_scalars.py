"""Checks of single numbers, choices and switches."""

from collections.abc import Collection, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from skfer.exceptions import ArgumentError
from skfer.validation._messages import refusal, shown


def check_int(
    value: Any,
    name: str,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
    optional: bool = False,
    hint: str = "",
) -> Any:
    """Return a whole number within bounds.

    Parameters
    ----------
    value : object
        What was given. A bool is no number.
    name : str
        The argument.
    at_least, at_most : int, default=None
        Bounds; None for none.
    optional : bool, default=False
        Whether None is welcome, and returned.
    hint : str, default=""
        A sentence that tells what to do, added to the message.

    Returns
    -------
    number : int
        The number as Python's int.

    Raises
    ------
    ArgumentError
        If it is no such number.

    Examples
    --------
    >>> from skfer.validation import check_int
    >>> check_int(2.5, "n_splits", at_least=2)
    Traceback (most recent call last):
        ...
    skfer.exceptions.ArgumentError: n_splits must be a whole number of at least 2, got 2.5.
    """
    if value is None and optional:
        return None
    fits = isinstance(value, Integral) and not isinstance(value, bool | np.bool_)
    if fits and _within(value, at_least, at_most):
        return int(value)
    bounds = [(" of at least ", at_least), (" of at most ", at_most)]
    raise _refused(name, "a whole number", bounds, optional, value, hint)


def check_real(
    value: Any,
    name: str,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    hint: str = "",
) -> Any:
    """Return a finite number within bounds.

    Parameters
    ----------
    value : object
        What was given. A bool is no number; NaN and infinities are refused.
    name : str
        The argument.
    at_least, above, at_most, below : float, default=None
        Bounds, that are allowed themselves (at_least, at_most) or not; None for none.
    hint : str, default=""
        A sentence that tells what to do, added to the message.

    Returns
    -------
    number : float
        The number as Python's float.

    Raises
    ------
    ArgumentError
        If it is no such number.
    """
    if isinstance(value, Real) and not isinstance(value, bool | np.bool_):
        try:
            number = float(value)
        except OverflowError:
            number = float("inf")
        inside = (above is None or number > above) and (below is None or number < below)
        if np.isfinite(number) and inside and _within(number, at_least, at_most):
            return number
    bounds = [
        (" of at least ", at_least),
        (" above ", above),
        (" of at most ", at_most),
        (" below ", below),
    ]
    raise _refused(name, "a finite number", bounds, False, value, hint)


def check_choice(value: Any, name: str, choices: Collection[Any], *, optional: bool = False) -> Any:
    """Return one of several values.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        The argument.
    choices : collection
        What is allowed.
    optional : bool, default=False
        Whether None is welcome, and returned.

    Returns
    -------
    choice : object
        The value.

    Raises
    ------
    ArgumentError
        If it is none of the choices. 1 and True are different choices.
    """
    if value is None and optional:
        return None
    for choice in choices:
        if type(value) is type(choice) and value == choice:
            return choice
        if isinstance(value, str) and value == choice:  # numpy's strings
            return choice
    what = "one of " + ", ".join(map(repr, choices))
    raise _refused(name, what, [], optional, value, "")


def check_flag(value: Any, name: str, *, hint: str = "") -> bool:
    """Return True or False.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        The argument.
    hint : str, default=""
        A sentence that tells what to do, added to the message.

    Returns
    -------
    flag : bool
        The value as Python's bool.

    Raises
    ------
    ArgumentError
        If it is no bool.
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise _refused(name, "True or False", [], False, value, hint)


def check_verbose(value: Any) -> int:
    """Return how much to tell, as an int.

    Parameters
    ----------
    value : object
        False or 0 for nothing, True or a whole number above 0.

    Returns
    -------
    verbose : int
        The value.

    Raises
    ------
    ArgumentError
        If it is anything else.
    """
    if isinstance(value, bool | np.bool_ | Integral) and int(value) >= 0:
        return int(value)
    raise _refused("verbose", "True, False or a whole number of at least 0", [], False, value, "")


def check_random_seed(value: Any) -> Any:
    """Return a random state as it was given, if scikit-learn takes it.

    Parameters
    ----------
    value : object
        None, an int from 0 to 2**32 - 1, or a RandomState.

    Returns
    -------
    random_state : None, int or RandomState
        The value, for `sklearn.utils.check_random_state`.

    Raises
    ------
    ArgumentError
        If it is anything else.
    """
    # numpy's own module stands for its global state, as in scikit-learn.
    if value is None or value is np.random or isinstance(value, np.random.RandomState):
        return value
    if isinstance(value, Integral) and not isinstance(value, bool) and 0 <= int(value) < 2**32:
        return int(value)
    what = "None, a whole number from 0 to 2**32 - 1, or a numpy.random.RandomState"
    raise _refused("random_state", what, [], False, value, "")


def _within(number: Any, at_least: float | None, at_most: float | None) -> bool:
    return (at_least is None or number >= at_least) and (at_most is None or number <= at_most)


def _refused(
    name: str,
    what: str,
    bounds: Sequence[tuple[str, float | None]],
    optional: bool,
    value: Any,
    hint: str,
) -> ArgumentError:
    limits = " and".join(f"{word}{bound}" for word, bound in bounds if bound is not None)
    none = " or None" if optional else ""
    hint = f" {hint}" if hint else ""
    return refusal(name, "must be {}{}{}, got {}.{}", what, limits, none, shown(value), hint)
