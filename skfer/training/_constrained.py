"""Pickles of modules whose weights are constrained by torch's parametrizations.

Each of them, such as a layer with `weight_norm`, is of a class that torch has made for it alone and
that has no name to be found by: torch has them refuse to be pickled.
"""

from collections import OrderedDict
from typing import Any

from torch import nn
from torch.nn.utils import parametrizations, parametrize


def let_pickle(module: nn.Module) -> None:
    """Have all constrained modules in a module be pickled.

    Parameters
    ----------
    module : nn.Module
        A copy: the classes of its constrained modules are replaced by others like them.
    """
    for part in module.modules():
        if parametrize.is_parametrized(part):
            kind = type(part)
            own = {**vars(kind), "__reduce_ex__": _reduced}
            part.__class__ = type(kind.__name__, kind.__bases__, own)


def _reduced(module: Any, protocol: int) -> tuple[Any, ...]:
    kind: Any = parametrize.type_before_parametrizations(module)
    state = dict(kind.__getstate__(module))
    # weight_norm hangs a local function there, for weights that torch saved before version 2.
    hooks = state["_load_state_dict_pre_hooks"].items()
    state["_load_state_dict_pre_hooks"] = OrderedDict(
        (key, wrapped)
        for key, wrapped in hooks
        if getattr(wrapped, "hook", wrapped).__module__ != parametrizations.__name__
    )
    return _constrained, (kind, list(module.parametrizations)), state


def _constrained(kind: Any, names: list[str]) -> nn.Module:
    """Return a module with constrained weights, whose state is yet to be set."""
    module = kind.__new__(kind)
    # What torch does itself, but for computing the weights anew, which changes their last bits.
    parametrize._inject_new_class(module)
    for name in names:
        parametrize._inject_property(module, name)
    return module
