"""All that a module is when it has been trained for a while, to be kept and set again."""

import copy
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from skfer.exceptions import ArgumentError
from skfer.training._attributes import MISSING, made_again, taken_apart, trace_of
from skfer.training._constrained import let_pickle
from skfer.training._replay import n_hooks

OF_TORCH = frozenset(vars(nn.Module()))
"""Attributes that each module has for torch itself."""


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Return all parameters and buffers by name, those that state_dict leaves out too."""
    return dict([*module.named_parameters(), *module.named_buffers()])


@torch.no_grad()
def set_tensors(module: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Set parameters and buffers; buffers may have another shape than before.

    Parameters
    ----------
    module : nn.Module
        It keeps its device and the layout of its weights.
    values : dict of str to Tensor
        From :func:`tensors_of` of a module that was made in the same way.
    """
    for name, value in values.items():
        room, _, short = name.rpartition(".")
        _set_tensor(module.get_submodule(room), short, value, _device_of(module))


def on_cpu(module: nn.Module) -> nn.Module:
    """Return a copy of a module on the CPU, without gradients; the memory format stays.

    It can be pickled where its class can, also with torch's parametrizations in it.

    See Also
    --------
    seeded : Another care for the caller's state.

    Examples
    --------
    >>> from torch import nn
    >>> from skfer.training import on_cpu
    >>> on_cpu(nn.Linear(2, 1)).weight.device.type
    'cpu'
    """
    clone = copy.deepcopy(module).to("cpu")
    for parameter in clone.parameters():
        parameter.grad = None
    let_pickle(clone)
    return clone


def buffer_traces(module: nn.Module) -> dict[str, str | None]:
    """Return what tells whether a buffer has changed, None of an empty one."""
    return {
        f"{room}.{name}".lstrip("."): None if buffer is None else _trace_of_tensor(buffer)
        for room, part in module.named_modules()
        for name, buffer in part._buffers.items()
    }


def state_of(module: nn.Module) -> dict[str, dict[str, Any]]:
    """Return the state of each module in a module, by name, as plain values: not copied.

    That is its parameters, and whether they learn; its buffers; and its own attributes, as far as
    they are numbers, text, tensors, generators, and lists, dicts and sets of them.
    """
    return {name: _state_of_one(part) for name, part in module.named_modules()}


def set_state(module: nn.Module, state: Mapping[str, Mapping[str, Any]], device: str) -> None:
    """Set a module to what :func:`state_of` returned of one that was made in the same way.

    Parameters
    ----------
    module : nn.Module
        It keeps the layout of its weights.
    state : dict
        The state.
    device : str
        Where its tensors are.

    Raises
    ------
    ArgumentError
        If the other module had parts that this one has not.
    """
    for name, kept in state.items():  # outer modules come before those in them
        try:
            part = module.get_submodule(name)
        except AttributeError:
            raise ArgumentError(
                "{checkpoint} has a part of the network or of the loss that is not there when a "
                "fit starts, {}: make it there, or in on_train_begin of a callback; or delete the "
                "file, and the fit starts anew.",
                repr(name),
            ) from None
        for child in part._modules.keys() - kept["children"]:
            part._modules[child] = None
        _set_tensors_of_one(part, kept, torch.device(device))
    # Afterwards, as attributes may be views of any of the tensors.
    for name, kept in state.items():
        _set_attributes(module.get_submodule(name), kept["attributes"], device)


def unkept(module: nn.Module) -> dict[str, tuple[nn.Module, int, list[bytes]]]:
    """Return what tells whether there is more to a module than its state, see `changed`."""
    return {
        name: (part, n_hooks(part), trace_of(_attributes_of(part)))
        for name, part in module.named_modules()
    }


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield what has changed of modules that their states do not tell, from `unkept` of both."""
    for name, (part, hooks, traces) in now.items():
        kind = f"{type(part).__name__} {name!r}" if name else type(part).__name__
        known = before.get(name)
        if known is None or type(known[0]) is not type(part):
            yield f"{kind}, which was put there"
        elif hooks > known[1]:
            yield f"a hook of {kind}"
        elif traces != known[2]:
            yield f"an object that {kind} has as an attribute"


def _trace_of_tensor(tensor: Tensor) -> str:
    if is_lazy(tensor) or tensor.layout != torch.strided:
        return ""
    numbers = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return hashlib.sha256(numbers.tobytes()).hexdigest() + str(tuple(tensor.shape))


def _attributes_of(part: nn.Module) -> dict[str, Any]:
    pickled = pickled_attributes(part)
    return {
        name: value
        for name, value in vars(part).items()
        if name not in OF_TORCH - {"training"} and pickled.get(name, MISSING) is value
    }


def pickled_attributes(part: nn.Module) -> dict[str, Any]:
    """Return the attributes that a module has in its pickles: a cache, say, is made anew."""
    if type(part).__getstate__ is object.__getstate__:
        return vars(part)
    try:
        state = part.__getstate__()
    except Exception:  # such as that of torch's parametrized modules
        return vars(part)
    return state if isinstance(state, dict) else vars(part)


def _state_of_one(part: nn.Module) -> dict[str, Any]:
    parameters = {n: p for n, p in part._parameters.items() if p is not None and not is_lazy(p)}
    return {
        "parameters": {n: (p.detach(), p.requires_grad) for n, p in parameters.items()},
        "buffers": {n: None if b is None else b.detach() for n, b in part._buffers.items()},
        "children": [name for name, child in part._modules.items() if child is not None],
        "attributes": {n: taken_apart(value) for n, value in _attributes_of(part).items()},
    }


@torch.no_grad()
def _set_tensors_of_one(part: nn.Module, kept: Mapping[str, Any], device: torch.device) -> None:
    for name, (value, learns) in kept["parameters"].items():
        if part._parameters.get(name) is None:
            setattr(part, name, nn.Parameter(value.to(device)))
        _set_tensor(part, name, value, device)
        part._parameters[name].requires_grad_(learns)  # type: ignore[union-attr]
    for name, value in kept["buffers"].items():
        if value is None:
            part._buffers[name] = None
        else:
            _set_tensor(part, name, value, device)


def _set_tensor(part: nn.Module, name: str, value: Tensor, device: torch.device) -> None:
    own: Any = part._parameters.get(name)
    if own is None:
        own = part._buffers.get(name)
    if is_lazy(own):
        own.materialize(value.shape)
    if own is not None and (own.shape, own.dtype) == (value.shape, value.dtype):
        own.copy_(value)
    elif name in part._parameters:
        own.data = value.to(device)
    else:
        part._buffers[name] = value.to(device)


def _set_attributes(part: nn.Module, kept: Mapping[str, Any], device: str) -> None:
    for name, apart in kept.items():
        try:
            vars(part)[name] = made_again(apart, vars(part).get(name, MISSING), device)
        except LookupError:
            continue


def _device_of(module: nn.Module) -> torch.device:
    return next(iter(tensors_of(module).values()), torch.empty(0)).device
