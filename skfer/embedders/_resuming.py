"""Resuming a training: what may change in between, and what a failure must not change."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import nn

from skfer.validation import shown


@contextmanager
def restored_on_error(
    attributes: dict[str, Any], generator: np.random.RandomState | None = None
) -> Iterator[None]:
    """Undo what a block has changed if it fails, so that a failed call loses nothing.

    Parameters
    ----------
    attributes : dict
        Attributes of an object, ``vars(model)``: they are as before after a failure.
    generator : RandomState, optional
        A generator that the block draws from, whose state is restored.
    """
    before = attributes.copy()
    if generator is not None:
        state = generator.get_state()
    try:
        yield
    except BaseException:
        attributes.clear()
        attributes.update(before)
        if generator is not None:
            generator.set_state(state)
        raise


def check_unchanged(before: Mapping[str, Any], now: Mapping[str, Any], resumed_by: str) -> None:
    """Raise ValueError for parameters that a trained network cannot change.

    Parameters
    ----------
    before : mapping
        The parameters that the network was built from.
    now : mapping
        The present parameters.
    resumed_by : str
        What resumes the training, for the message.
    """
    for name, old in before.items():
        new = now[name]
        if new is not old and new != old:
            raise ValueError(
                f"{name}={_short(new)}, but {resumed_by} goes on with a network that was made with "
                f"{name}={_short(old)}: set it back, or start anew by fit with warm_start=False."
            )


def _short(value: Any) -> str:
    return f"<{type(value).__name__}>" if isinstance(value, nn.Module) else shown(value)
