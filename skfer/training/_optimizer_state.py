"""The optimizer of a net as plain values, with the groups that a callback has added."""

from typing import Any

from torch import nn

from skfer.exceptions import ArgumentError


def optimizer_state(net: Any) -> dict[str, Any]:
    """Return the state of a net's optimizer, and which parameters are in its groups.

    Raises
    ------
    ArgumentError
        If a parameter is neither in the network nor in the criterion, which are kept.
    """
    names = {id(parameter): name for name, parameter in _learnable(net).items()}
    groups = [[names.get(id(p)) for p in g["params"]] for g in net.optimizer_.param_groups]
    if any(None in group for group in groups):
        raise ArgumentError(
            "{checkpoint} cannot keep a parameter that a callback has given to the optimizer and "
            "that is in neither the network nor the loss: make it a parameter of net.module_ or "
            "net.criterion_, or leave {checkpoint} out."
        )
    return {"groups": groups, "state": net.optimizer_.state_dict()}


def set_optimizer(net: Any, kept: dict[str, Any]) -> None:
    """Set the optimizer to what :func:`optimizer_state` returned, once the parameters are there."""
    learnable = _learnable(net)
    groups = [[learnable[name] for name in group] for group in kept["groups"]]
    net.optimizer_.param_groups[:] = [{"params": group} for group in groups]
    net.optimizer_.load_state_dict(kept["state"])


def _learnable(net: Any) -> dict[str, nn.Parameter]:
    return {
        f"{room}.{name}": parameter
        for room in ("module_", "criterion_")
        for name, parameter in getattr(net, room).named_parameters()
    }
