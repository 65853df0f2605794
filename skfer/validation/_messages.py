"""What a user gave, in a form that fits into an error message."""

from typing import Any

import numpy as np

from skfer.exceptions import ArgumentError, shorten

_LIMIT = 80


def refusal(name: str, template: str, *texts: object) -> ArgumentError:
    """Make the error about one argument.

    Parameters
    ----------
    name : str
        The argument, with which the message begins; "bunch.groups" is about the argument bunch.
    template : str
        The rest of the message, with ``{}`` for each of `texts`.
    *texts : object
        What was given (see `shown`), and whatever else is no name of an argument.

    Returns
    -------
    error : ArgumentError
        To be raised.
    """
    argument, dot, part = name.partition(".")
    return ArgumentError(f"{{{argument}}}{dot}{part} {template}", *texts)


def shown(value: Any) -> str:
    r"""Return a short form of a value for an error message.

    Parameters
    ----------
    value : object
        What was given.

    Returns
    -------
    text : str
        Type and shape of an array, the `repr` of anything else, with the middle left out where it
        is long.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.validation import shown
    >>> shown(np.zeros((2, 3))), shown(b"\xff\xd8")
    ('an array of float64 of shape (2, 3)', "b'\\xff\\xd8'")
    """
    if getattr(value, "shape", ()) and hasattr(value, "dtype"):
        return f"an array of {value.dtype} of shape {tuple(value.shape)}"
    if isinstance(value, np.generic):
        value = value.item()
    try:
        # Of what is long a part tells enough, and the repr of the whole takes its time.
        long = isinstance(value, str | bytes | list | tuple) and len(value) > 10 * _LIMIT
        text = repr(value[: 10 * _LIMIT] if long else value)
    except Exception:  # a broken object must not hide the message about it
        text = f"<{type(value).__name__}>"
    return shorten(text, _LIMIT)
