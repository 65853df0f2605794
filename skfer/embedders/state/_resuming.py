"""Resuming a training: what may change in between, and what a failure must not change."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import Tensor, nn

from skfer._typing import NDArray
from skfer.validation import shown

_ARRAYS = (np.ndarray, Tensor)


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


def check_resumable(embedder: Any, resumed_by: str) -> None:
    """Raise ValueError if a parameter that a trained network cannot change has changed.

    Parameters
    ----------
    embedder : BaseEmbedder
        A fitted embedder.
    resumed_by : str
        What resumes the training, for the message.
    """
    for name in embedder.network_parameters:
        old, new = embedder._built_from[name], getattr(embedder, name)
        if not _is_same(old, new):
            raise ValueError(
                f"{name}={_short(new)}, but {resumed_by} goes on with a network that was made with "
                f"{name}={_short(old)}: set it back, or start anew by fit with warm_start=False."
            )
    if embedder.classification_weight > 0 and embedder.net_.module_.classify is None:
        raise ValueError(
            f"classification_weight={embedder.classification_weight}, but {resumed_by} goes on "
            "with a network that was made without a classifier: set it back to 0, or start "
            "anew by fit with warm_start=False."
        )


def _is_same(old: Any, new: Any) -> bool:
    """Whether two values are equal, with all numbers of the arrays that are in them."""
    if old is new:
        return True
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(_is_same(old[key], new[key]) for key in old)
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        alike = type(old) is type(new) and len(old) == len(new)
        return alike and all(map(_is_same, old, new))
    if isinstance(old, _ARRAYS) or isinstance(new, _ARRAYS):
        return type(old) is type(new) and _are_same_arrays(np.asarray(old), np.asarray(new))
    return bool(old == new)


def _are_same_arrays(old: NDArray[Any], new: NDArray[Any]) -> bool:
    return old.dtype == new.dtype and np.array_equal(old, new)


def _short(value: Any) -> str:
    return f"<{type(value).__name__}>" if isinstance(value, nn.Module) else shown(value)
