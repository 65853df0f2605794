"""Random numbers of a thread's own, where torch has one generator for all threads."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class CannotDrawError(Exception):
    """What is drawn can come from torch's one generator alone."""


class OwnDraws(TorchDispatchMode):
    """Inside this block a thread draws from a generator of its own.

    It draws what torch's generator would draw, were it seeded alike. That one stays as it is, and
    so does what a seeded training in another thread draws from it, which is not waited for.

    Parameters
    ----------
    seed : int, default=0
        Of the generator.

    Raises
    ------
    CannotDrawError
        When an operation knows no other generator.

    See Also
    --------
    skfer.training.seeded : For code that seeds torch itself, or may draw anything.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._generator = torch.Generator("cpu").manual_seed(seed)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded in func.tags and kwargs.get("generator") is None:
            func, kwargs["generator"] = _from_generator(func), self._generator
        return func(*args, **kwargs)


def _from_generator(operation: Any) -> Any:
    """Return an operation, or the form of it, that takes a generator."""
    if any(argument.name == "generator" for argument in operation._schema.arguments):
        return operation
    form = operation._overloadname
    name = "generator" if form == "default" else f"{form}_generator"
    found = getattr(operation.overloadpacket, name, None)
    if found is None:
        raise CannotDrawError(str(operation))
    return found
