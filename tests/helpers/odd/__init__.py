"""Odd values for every parameter of every public callable: a sound result, or a plain error.

A plain error is a ValueError (or TypeError, or OSError) that names the parameter and is short
enough to read.
One file a room has its callables, with arguments that work.
"""

import inspect
import warnings
from collections.abc import Mapping

import numpy as np

LONGEST = 700
ODD = {
    "None": None,
    "True": True,
    "-1": -1,
    "0": 0,
    "1.5": 1.5,
    "1e30": 1e30,
    "10**30": 10**30,
    "nan": float("nan"),
    "inf": float("inf"),
    "1j": 1j,
    "word": "no such thing",
    "escape": "\x1b[31m" + "x" * 10_000,
    "bytes": b"\xff\xd8" * 10_000,
    "empty": [],
    "list": [3, "a", None],
    "ragged": [[1], [2, 3]],
    "dict": {"a": 1},
    "object": object(),
    "type": int,
    "nan array": np.full((4, 2), np.nan),
    "words array": np.full((4, 2), "face"),
    "cube": np.zeros((4, 2, 2)),
    "scalar array": np.array(3),
    "generator": (i for i in range(3)),
}


class Call:
    """A public callable with arguments that work.

    Parameters
    ----------
    call : callable
        Called by keyword.
    *signatures : callable
        What has the parameters, where it is not `call` itself.
    also : dict of str to str, default=None
        For a parameter, words that an error about it may have instead of its name: those of the
        files it leads to, or of the user's own function. "" is any.
    **valid : dict
        An argument for each parameter; `Made` ones are made in a folder.
    """

    def __init__(self, call, *signatures, also=None, **valid):
        self.call, self.signatures, self.valid = call, signatures or (call,), valid
        self.also = also or {}

    def parameters(self):
        """Return the names of all parameters."""
        return {
            parameter.name
            for signature in self.signatures
            for parameter in inspect.signature(signature).parameters.values()
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        } - {"self"}

    def arguments(self, folder):
        """Return arguments that work, made anew."""
        return {
            name: value(folder) if isinstance(value, Made) else value
            for name, value in self.valid.items()
        }

    def faults(self, parameter, folder):
        """Return what is wrong with how odd values of a parameter are taken."""
        good = self.arguments(folder)
        return [
            f"{parameter}={odd}: {fault}"
            for odd, value in ODD.items()
            for fault in self._faults(good | {parameter: value}, parameter)
        ]

    def _faults(self, arguments, parameter):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                result = self.call(**arguments)
            except (ValueError, TypeError, OSError, ImportError) as error:
                message = str(error)
                if parameter not in message and self.also.get(parameter, parameter) not in message:
                    yield f"not named: {message[:LONGEST]}"
                if len(message) >= LONGEST:
                    yield f"{len(message)} characters: {message[:LONGEST]}"
                if "\x1b" in message:
                    yield "a character that steers the terminal"
            except Exception as error:
                yield f"{type(error).__name__}: {error}"[:LONGEST]
            else:
                if not sound(result):
                    yield f"the result is not finite: {result}"[:LONGEST]


class Made:
    """An argument that is made in a folder when it is needed."""

    def __init__(self, make):
        self.make = make

    def __call__(self, folder):
        return self.make(folder)


def sound(result):
    """Whether no number of a result is NaN or infinite."""
    if isinstance(result, Mapping):
        return all(map(sound, result.values()))
    if isinstance(result, tuple | list):
        return all(map(sound, result))
    if isinstance(result, float):
        return bool(np.isfinite(result))
    if isinstance(result, np.ndarray) and result.dtype.kind == "f":
        return bool(np.isfinite(result).all())
    return True
