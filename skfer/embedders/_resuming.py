"""Going on with what was trained: what may change in between, and what a failure must not."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.utils import check_random_state
from torch import nn

from skfer.training import on_cpu


@contextmanager
def restored_on_error(model: Any, *, resume: bool) -> Iterator[None]:
    """Make a block that fails leave an embedder as it was: a bad call loses nothing.

    Parameters
    ----------
    model : BaseEmbedder
        Whose attributes are given back.
    resume : bool
        Whether the block goes on with the net that there is, whose weights are given back too.
        (Criterion, optimizer and history are made anew for every training.)
    """
    before = model.__dict__.copy()
    module = model.net_.module_ if resume else None
    if module is not None:
        weights, augment = copy.deepcopy(module.state_dict()), module.augment
        before |= _own_generator(model)
    try:
        yield
    except BaseException:
        model.__dict__.clear()
        model.__dict__.update(before)
        if module is not None:
            module.augment = augment
            module.load_state_dict(weights)
        raise


def _own_generator(model: Any) -> dict[str, Any]:
    """Return a copy of the generator, unless it is the user's or numpy's own."""
    rng = getattr(model, "_random_state", None)
    if rng is None or rng is model.random_state or rng is check_random_state(None):
        return {}
    return {"_random_state": copy.deepcopy(rng)}


def check_unchanged(model: Any, how: str) -> None:
    """Raise ValueError for parameters that a trained network cannot change.

    Parameters
    ----------
    model : BaseEmbedder
        A trained embedder.
    how : str
        What wants to go on, for the message.
    """
    for name, was in model._built_with.items():
        now = getattr(model, name)
        if now is not was and now != was:
            raise ValueError(
                f"{name}={_short(now)}, but {how} goes on with a network that was made with "
                f"{name}={_short(was)}: set it back, or start anew by fit with warm_start=False."
            )
    if model._has_classifier() and model.net_.module_.classify is None:
        raise ValueError(
            f"classification_weight={model.classification_weight}, but {how} goes on with a "
            "network that was made without a classifier: set it back to 0, or start anew by fit "
            "with warm_start=False."
        )


def _short(value: Any) -> str:
    return f"<{type(value).__name__}>" if isinstance(value, nn.Module) else repr(value)


def portable(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state to pickle, with modules among the parameters on the CPU."""
    backbone, built = state["backbone"], state.get("_built_with")
    state = state | {"backbone": _moved(backbone)}
    if built is not None:
        same = built["backbone"] is backbone
        made = state["backbone"] if same else _moved(built["backbone"])
        state["_built_with"] = built | {"backbone": made}
    return state


def _moved(value: Any) -> Any:
    return on_cpu(value) if isinstance(value, nn.Module) else value
