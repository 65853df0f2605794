"""Calls with odd values, which have to be refused by an error about the argument."""

import inspect

import numpy as np
import torch

from skfer.exceptions import ArgumentError

ODD = {
    "nan": float("nan"),
    "inf": float("inf"),
    "-1": -1,
    "0": 0,
    "2.5": 2.5,
    "text": "elment",
    "bytes": b"element",
    "None": None,
    "True": True,
    "[]": [],
    "{}": {},
    "object": object(),
    "1j": 1j,
    "words": np.array(["element"]),
    "number": np.array(1.0),
    "tensor": torch.tensor([[1j]]),
}


class Case:
    """A callable, arguments that it takes, and which odd values it takes too.

    Parameters
    ----------
    call : callable
        Called by keyword.
    valid : dict
        An argument for each parameter that is to be tried.
    **fine : str
        For a parameter, the names of the odd values that it takes.
    """

    def __init__(self, call, valid, **fine):
        self.call, self.valid, self.fine = call, valid, fine

    def covers(self):
        """Whether each parameter is tried."""
        return set(inspect.signature(self.call).parameters) == set(self.valid)

    def faults(self, name, shown_as=None):
        """What is wrong with how odd values of a parameter are refused."""
        self.call(**self.valid)
        for odd, value in ODD.items():
            fine = odd in self.fine.get(name, "").split()
            try:
                self.call(**{**self.valid, name: value})
            except ArgumentError as error:
                if error.arguments[0] != (shown_as or name) or len(str(error)) > 500:
                    yield f"{name}={odd}: {error}"
                if fine:
                    yield f"{name}={odd} is refused: {error}"
            except FileNotFoundError as error:
                if (shown_as or name) not in str(error):
                    yield f"{name}={odd}: {error}"
            except Exception as error:
                yield f"{name}={odd} ends in {type(error).__name__}: {error}"
            else:
                if not fine:
                    yield f"{name}={odd} is taken"
