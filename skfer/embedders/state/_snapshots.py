"""Answers of a fitted embedder while it learns: from its state when it was asked."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from skfer.training import plain_modes

Method = TypeVar("Method", bound=Callable[..., Any])
Object = TypeVar("Object")


def snapshot(estimator: Object) -> Object:
    """Return an object with the attributes that another one has now; they are not copied."""
    taken = object.__new__(type(estimator))
    vars(taken).update(vars(estimator))
    return taken


def replace_state(estimator: Any, taken: Any) -> None:
    """Give an object the attributes of a snapshot of it, in one step; its parameters stay."""
    kept = estimator.get_params(deep=False)
    gone = vars(estimator).keys() - vars(taken).keys()
    vars(estimator).update({k: v for k, v in vars(taken).items() if k not in kept})
    for name in gone:
        vars(estimator).pop(name, None)


def on_snapshot(method: Method) -> Method:
    """Make a method answer from one state of an embedder, though another thread may fit it.

    Training goes on in a network of its own, so that what a snapshot holds does not change. Torch
    is in its plain modes inside, see `skfer.training.plain_modes`.
    """

    @functools.wraps(method)
    def answer(self: Any, *args: Any, **kwargs: Any) -> Any:
        with plain_modes():
            return method(snapshot(self), *args, **kwargs)

    return cast(Method, answer)
