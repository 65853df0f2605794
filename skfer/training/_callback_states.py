"""What the callbacks of a training remember, as plain values."""

from typing import Any

from skfer.exceptions import ArgumentError
from skfer.training._attributes import MISSING, made_again, taken_apart
from skfer.training._callbacks import changes_nothing
from skfer.training._plain import plain
from skfer.training._stopping import ReturnToBest


def callback_states(net: Any) -> dict[str, list[Any]]:
    """Return the names and states of a net's callbacks: of those that matter, and of watchers."""
    matters, watchers = _divided(net)
    return {"matters": list(map(_named_state, matters)), "watch": list(map(_named_state, watchers))}


def set_callback_states(net: Any, states: dict[str, list[Any]]) -> None:
    """Set a net's callbacks to what :func:`callback_states` returned.

    Bars and logs may come and go: they are no part of what makes two trainings the same.

    Raises
    ------
    ArgumentError
        If other callbacks matter here than there.
    """
    matters, watchers = _divided(net)
    there, here = [name for name, _ in states["matters"]], list(map(_name, matters))
    if there != here:
        raise ArgumentError(
            "{checkpoint} has the states of other {callbacks} than this fit has, {} and not {}: "
            "give those that it was begun with; or delete the file, and the fit starts anew.",
            there,
            here,
        )
    for callback, (_, state) in zip(matters, states["matters"], strict=True):
        _set_state(callback, state, net.device)
    for kind in set(map(_name, watchers)):
        same = [callback for callback in watchers if _name(callback) == kind]
        kept = [state for name, state in states["watch"] if name == kind]
        if len(same) == len(kept):  # else nothing tells which is which
            for callback, state in zip(same, kept, strict=True):
                _set_state(callback, state, net.device)


def _divided(net: Any) -> tuple[list[Any], list[Any]]:
    """Return the callbacks that a training depends on, and those that watch it."""
    callbacks = [callback for _, callback in net.callbacks_]
    matters = [isinstance(c, ReturnToBest) or not changes_nothing(c) for c in callbacks]
    pairs = list(zip(callbacks, matters, strict=True))
    return [c for c, matter in pairs if matter], [c for c, matter in pairs if not matter]


def _name(callback: Any) -> str:
    return type(callback).__name__


def _named_state(callback: Any) -> list[Any]:
    return [_name(callback), _state_of(callback)]


def _state_of(callback: Any) -> Any:
    """Return the state of a callback: as it says itself, or else its attributes."""
    if not hasattr(callback, "state_dict"):
        return {name: taken_apart(value) for name, value in vars(callback).items()}
    try:
        return plain(callback.state_dict())
    except TypeError as error:
        raise ArgumentError(
            "{checkpoint} cannot keep what state_dict of {} returns: {} Give numbers, text, "
            "arrays, tensors, and lists and dicts of them.",
            type(callback).__name__,
            error,
        ) from error


def _set_state(callback: Any, state: Any, device: str) -> None:
    if hasattr(callback, "load_state_dict"):
        callback.load_state_dict(state)
        return
    own = vars(callback)
    for name, apart in state.items():
        try:
            own[name] = made_again(apart, own.get(name, MISSING), device)
        except LookupError:
            continue
