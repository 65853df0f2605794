"""A hash of a detector, all of its parameters and the user's own code, for the keys of caches.

The text of a detector will not do: it leaves out the middle of long arrays and lists, and a class
that was edited has the same.
"""

import hashlib
import pickle
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import CodeType, FunctionType, SimpleNamespace
from typing import Any

import numpy as np

_INSTALLED = ("site-packages", "dist-packages")
_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, np.ndarray)


def fingerprint(kind: type, parameters: Mapping[str, Any]) -> str:
    """Return a hash that differs for another class, other code of it or other parameters.

    Parameters
    ----------
    kind : type
        The class of the detector.
    parameters : mapping of str to object
        All of its parameters. One that cannot be pickled goes by its text.
    """
    known: set[int] = set()
    told = [f"{kind.__module__}.{kind.__qualname__}", _hash(kind, known)]
    for name, value in sorted(parameters.items()):
        told += [name, _hash(value, known)]
    return hashlib.blake2b("\0".join(told).encode(), digest_size=12).hexdigest()


class _Pickler(pickle.Pickler):
    """Writes the code of the user's own functions and classes in place of their names."""

    def __init__(self, file: Any, known: set[int]) -> None:
        super().__init__(file, protocol=4)
        # Without references to what was written before: they tell equal texts from the same text,
        # which differs from process to process.
        self.fast = True
        self._known = known

    def reducer_override(self, value: Any) -> Any:
        if not isinstance(value, FunctionType | type) or not _is_own(value):
            return NotImplemented
        if id(value) in self._known:  # a function may call itself
            return str, (value.__qualname__,)
        self._known.add(id(value))
        parts = _class_parts(value) if isinstance(value, type) else _function_parts(value)
        return tuple, ([value.__qualname__, *(_hash(part, self._known) for part in parts)],)


def _hash(value: Any, known: set[int]) -> str:
    digest = hashlib.blake2b(digest_size=12)
    try:
        _Pickler(SimpleNamespace(write=digest.update), known).dump(value)
    except Exception:  # of what cannot be pickled anything, such as a lock or an open session
        digest.update(repr(value).encode())
    return digest.hexdigest()


def _class_parts(kind: type) -> Iterable[Any]:
    """Return what tells what the user's own bases of a class do."""
    own = [base for base in kind.__mro__ if _is_own(base)]
    for name, item in (pair for base in own for pair in sorted(vars(base).items())):
        functions = _functions_of(item)
        if functions:
            yield from (name, *functions)
        elif not name.startswith("__") and isinstance(item, (*_PLAIN, list, tuple, dict)):
            yield from (name, item)


def _functions_of(item: Any) -> list[FunctionType]:
    """Return the functions in what a class holds: a method of any kind, or a property."""
    names = ("__func__", "func", "fget", "fset")
    found = [item, *(getattr(item, name, None) for name in names)]
    return [function for function in found if isinstance(function, FunctionType)]


def _function_parts(function: FunctionType) -> list[Any]:
    cells = function.__closure__ or ()
    return [
        *_code_parts(function.__code__),
        *(function.__defaults__ or ()),
        function.__kwdefaults__,
        *(cell.cell_contents for cell in cells if cell != type(cell)()),  # an empty one has none
        *_globals_of(function),
    ]


def _globals_of(function: FunctionType) -> Iterable[Any]:
    """Return the constants and the user's own functions and classes that a function names."""
    for name in sorted(_names_in(function.__code__)):
        value = function.__globals__.get(name)
        is_code = isinstance(value, FunctionType | type)
        if name in function.__globals__ and (_is_own(value) if is_code else _is_plain(value)):
            yield from (name, value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return isinstance(value, _PLAIN)


def _code_parts(code: CodeType) -> Iterable[Any]:
    """Return what code does, without the lines and the file that it stands in."""
    yield from (code.co_code, code.co_names, code.co_varnames)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_parts(constant)
        else:  # a set differs in its order from process to process
            is_set = isinstance(constant, frozenset)
            yield sorted(map(repr, constant)) if is_set else constant


def _names_in(code: CodeType) -> set[str]:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*map(_names_in, inner))


def _is_own(thing: Any) -> bool:
    """Whether a function or class is of no installed package."""
    name = str(thing.__module__)
    top = name.partition(".")[0]
    if top == "__main__":
        return True
    if top == "skfer" or top in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is None or not any(part in _INSTALLED for part in Path(file).parts)
