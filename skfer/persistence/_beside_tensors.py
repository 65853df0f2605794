"""What modules have learned beside parameters and buffers, such as a plain tensor or a count."""

from collections.abc import Collection, Mapping
from inspect import getattr_static
from typing import Any

import numpy as np
from torch import Tensor, nn

from skfer.training._module_state import OF_TORCH, pickled_attributes

_MISSING = object()


def changed_attributes(module: nn.Module, fresh: nn.Module) -> dict[str, dict[str, Any]]:
    """Return the attributes of the parts of a module that a training has changed.

    Parameters
    ----------
    module : nn.Module
        Trained.
    fresh : nn.Module
        One that was made in the same way, as it is made when the file is loaded.

    Returns
    -------
    dict of str to dict
        Attributes by the names of parts, for :func:`set_attributes`.
    """
    comparison = _Comparison(module, fresh)
    made = dict(fresh.named_modules())
    changed = {
        name: {
            key: value
            for key, value in _attributes(part).items()
            if not comparison.same(value, getattr_static(made[name], key, _MISSING))
        }
        for name, part in module.named_modules()
        if name in made
    }
    return {name: values for name, values in changed.items() if values}


def set_attributes(module: nn.Module, changed: Mapping[str, Mapping[str, Any]]) -> None:
    """Set what :func:`changed_attributes` returned of a module that was made in the same way."""
    for name, values in changed.items():
        vars(module.get_submodule(name)).update(values)


def _attributes(module: nn.Module) -> dict[str, Any]:
    """Return the attributes of a module beside torch's own, as a pickle would hold them."""
    return {key: v for key, v in pickled_attributes(module).items() if key not in OF_TORCH}


class _Comparison:
    """Compares values as far as they can be told apart; parts of the networks count as equal."""

    def __init__(self, *modules: nn.Module) -> None:
        parts = [part for m in modules for part in (*m.modules(), *m.parameters(), *m.buffers())]
        self._passed = {id(part) for part in parts}

    def same(self, a: Any, b: Any) -> bool:
        """Tell whether two values are equal, and what they hold is."""
        if a is b or id(a) in self._passed:
            return True
        if type(a) is not type(b):
            return False
        if isinstance(a, Tensor):
            return a.dtype == b.dtype and _same_numbers(a.detach().cpu(), b.detach().cpu())
        if isinstance(a, np.ndarray):
            return a.dtype == b.dtype and _same_numbers(a, b)
        if isinstance(a, int | float | complex | str | bytes | np.generic | set | frozenset):
            return bool(a == b or (a != a and b != b))  # NaN is NaN
        self._passed.add(id(a))  # it may hold itself
        if isinstance(a, Mapping):
            return list(a) == list(b) and all(self.same(a[key], b[key]) for key in a)
        if isinstance(a, Collection):
            return len(a) == len(b) and all(map(self.same, a, b))
        return self.same(_state_of(a), _state_of(b))


def _same_numbers(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        a, b = a.to_dense(), b.to_dense()
    if a.dtype == object:
        return a.shape == b.shape and bool(repr(a) == repr(b))
    return a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all())


def _state_of(value: Any) -> Any:
    """Return what an object holds; functions, locks and the like hold nothing that is seen."""
    try:
        return value.__getstate__()
    except Exception:
        return None
