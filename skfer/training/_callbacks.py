"""What callbacks hear of a training, and whether they change it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from skorch.callbacks import Callback, EarlyStopping

from skfer.exceptions import ArgumentError
from skfer.training._averaging import AverageWeights

BATCH_EVENTS = {"on_batch_begin", "on_batch_end", "on_grad_computed"}
_EVENTS = {"on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", *BATCH_EVENTS}


def named(callbacks: Iterable[Callback]) -> list[tuple[str, Any]]:
    """Return callbacks as a net holds them."""
    return [(type(callback).__name__, callback.initialize()) for callback in callbacks]


def heard_events(callbacks: Iterable[Callback]) -> frozenset[str]:
    """Return the events that at least one of the callbacks overrides."""
    return frozenset(
        event
        for callback in callbacks
        for event in _EVENTS
        if getattr(getattr(callback, event), "__func__", None) is not getattr(Callback, event)
    )


def kind_of(given: Any) -> type:
    """Return the class of a callback that is given as skorch takes them.

    Parameters
    ----------
    given : callback, class, or (name, callback)
    """
    callback = given[1] if isinstance(given, tuple) and len(given) == 2 else given
    return callback if isinstance(callback, type) else type(callback)


def changes_nothing(given: Any) -> bool:
    """Whether a callback, given as for :func:`kind_of`, never changes anything: its class says so.

    The class itself, since what is made from one that only watches may do more.
    """
    return vars(kind_of(given)).get("only_watches") is True


def only_watches(callback: Any) -> bool:
    """Whether a callback changes nothing as long as a training lasts."""
    return changes_nothing(callback) or type(callback) is AverageWeights


def has_waited(callback: Callback) -> bool:
    """Whether a callback is skorch's early stopping, which ends a training as Ctrl-C does."""
    return isinstance(callback, EarlyStopping) and callback.misses_ == callback.patience


def unknown_monitor(
    callback: Callback, history: Sequence[Mapping[str, Any]]
) -> ArgumentError | None:
    """Return what is wrong if a callback is early stopping by what the history does not have."""
    monitor = getattr(callback, "monitor", None)
    if not isinstance(callback, EarlyStopping) or not history or monitor in history[-1]:
        return None
    numbers = [name for name, value in history[-1].items() if type(value) is float]
    return ArgumentError(
        "{callbacks} holds {} for {}, which an epoch does not have: it has {}.",
        type(callback).__name__,
        repr(monitor),
        ", ".join(numbers),
    )
