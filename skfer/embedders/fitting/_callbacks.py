"""Checks the callbacks of skorch that a user passes."""

from collections.abc import Sequence
from typing import Any

from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    InputShapeSetter,
    LRScheduler,
    TrainEndCheckpoint,
)

from skfer.validation import shown

UNSUITED = {
    BatchScoring: "needs a data set of skorch: the losses are in history_",
    EpochScoring: "needs a data set of skorch: the embedder's own scoring='balanced_accuracy' and "
    "early_stopping=True write scores into history_",
    Checkpoint: "needs a data set of skorch: the embedder's own checkpoint='FOLDER' keeps each "
    "epoch on disk, and early_stopping=True returns to the best one",
    TrainEndCheckpoint: "needs a data set of skorch: the embedder's own checkpoint='FOLDER' keeps "
    "the result of a fit, as does skfer.save(model, 'FILE')",
    InputShapeSetter: "needs a data set of skorch: a callable as backbone gets the input shape",
    LRScheduler: "conflicts with `schedule`, which the learning rate follows",
}
"""Callbacks of skorch that cannot work here, and what to do instead."""


def checked_callbacks(callbacks: Sequence[Any] | None, *, validated: bool) -> list[Any]:
    """Return callbacks as a list.

    Parameters
    ----------
    callbacks : sequence of callback, class, or (name, callback), or None
        As skorch takes them.
    validated : bool
        Whether there will be a ``valid_loss``.

    Raises
    ------
    ValueError
        If one of them is no callback, or one that cannot work here.
    """
    callbacks = list(callbacks or [])
    for given in callbacks:
        callback = given[1] if isinstance(given, tuple) and len(given) == 2 else given
        kind = callback if isinstance(callback, type) else type(callback)
        if not issubclass(kind, Callback):
            raise ValueError(
                f"callbacks holds {shown(given)}: give callbacks of skorch, or (name, callback)."
            )
        for unsuited, why in UNSUITED.items():
            if issubclass(kind, unsuited):
                raise ValueError(f"callbacks holds {kind.__name__}, which {why}.")
        monitor = getattr(callback, "monitor", "valid_loss")
        if issubclass(kind, EarlyStopping) and str(monitor).startswith("valid") and not validated:
            raise ValueError(
                f"callbacks holds {kind.__name__} for {monitor!r}, which only fit with "
                "early_stopping=True has: set it, or monitor='train_loss'."
            )
    return callbacks
