"""A hash of values and of the user's own code that is the same in every process."""

import functools
import hashlib
import inspect
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, ClassVar

import numpy as np

from skfer._typing import NDArray

_CHUNK_BYTES = 2**24
_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, np.ndarray)
_ONE = (bool, int, float, complex, str, bytes, os.PathLike)
_INSTALLED = ("site-packages", "dist-packages")


class Digest:
    """A hash of values, each with its type.

    Of functions and classes that a user wrote what they do counts too, for they may be edited;
    installed ones stand for themselves.
    """

    plain: ClassVar[tuple[type, ...]] = _PLAIN
    """Kinds of values that count where code names them."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=12)
        self._within: list[Any] = []  # what is being taken in: an object may hold itself
        self._read: list[Any] = []  # whose code was taken in

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def add(self, value: Any) -> None:
        """Take a value in, with its type, so that 1 and "1" and [1] differ."""
        self.word(type(value).__qualname__)
        if isinstance(value, np.ndarray) and value.dtype.kind != "O":
            self.add_array(value)
        elif isinstance(value, FunctionType) and self._knows(value):
            self.word(value.__qualname__)
        elif not any(value is outer for outer in self._within):
            self._within.append(value)
            for part in self.parts_of(value):
                if isinstance(part, bytes):
                    self._hash.update(part)
                else:
                    self.add(part)
            self.add_code(value if isinstance(value, type) else type(value))
            self._within.pop()
            self.word("end")

    def add_code(self, kind: type) -> None:
        """Take in what the methods of a class do, if it is the user's, who may edit it."""
        for base in kind.__mro__:
            if _is_own(base) and not self._knows(base):
                self.add(self.written_in(base))

    def _knows(self, code: type | FunctionType) -> bool:
        """Whether a class or function was taken in before; from now on it was."""
        known = any(code is other for other in self._read)
        self._read.append(code)
        return known

    def word(self, text: str) -> None:
        """Take a text in."""
        self._hash.update(f"{len(text)}:{text}".encode())

    def add_array(self, array: NDArray[Any]) -> None:
        """Take in the numbers of an array, a part at a time."""
        self.word(f"{array.dtype.str} {array.shape}")
        n_rows = max(1, _CHUNK_BYTES * len(array) // max(1, array.nbytes)) if array.ndim else 1
        for start in range(0, len(array) if array.ndim else 1, n_rows):
            rows = array[start : start + n_rows] if array.ndim else array
            self._hash.update(np.ascontiguousarray(rows).tobytes())

    def parts_of(self, value: Any) -> list[Any]:
        """Return what a value consists of: bytes, or values that are taken in one by one."""
        if value is None or isinstance(value, _ONE):
            return [repr(value).encode()]
        if isinstance(value, np.generic):
            return [np.asarray(value)]
        if isinstance(value, Mapping):
            return [part for item in value.items() for part in item]
        if isinstance(value, list | tuple | np.ndarray):
            return list(value)
        if isinstance(value, set | frozenset):
            return sorted(map(repr, value))
        if isinstance(value, np.random.RandomState):
            return list(value.get_state())
        if isinstance(value, functools.partial):
            return [value.func, value.args, value.keywords]
        if isinstance(value, FunctionType):
            return self._parts_of_function(value)
        if isinstance(value, CodeType):
            return [value.co_code, value.co_names, value.co_consts]
        if isinstance(value, type) and _is_own(value):
            return [value.__qualname__.encode()]  # a script may be imported under another name
        if isinstance(value, type) or not hasattr(value, "__dict__"):
            return [f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value)}"]
        if hasattr(value, "get_params"):
            # Of a callback its parameters alone: it may hold anything of an earlier training.
            names = inspect.signature(type(value)).parameters
            return [{name: getattr(value, name) for name in names if hasattr(value, name)}]
        return [vars(value)]

    def _parts_of_function(self, function: FunctionType) -> list[Any]:
        full = [cell for cell in function.__closure__ or () if cell != CellType()]
        parts = [
            function.__qualname__,
            function.__code__,
            function.__defaults__,
            function.__kwdefaults__,
            [cell.cell_contents for cell in full],
        ]
        return [*parts, self._named_in(function)] if _is_own(function) else parts

    def written_in(self, kind: type) -> dict[str, Any]:
        """Return the functions and plain values that a class holds."""
        found: dict[str, Any] = {}
        for name, item in sorted(vars(kind).items()):
            functions = functions_of(item)
            if functions:
                found[name] = functions
            elif not name.startswith("__") and self._is_plain(item):
                found[name] = item
        return found

    def _named_in(self, function: FunctionType) -> dict[str, Any]:
        """Return the globals that a function uses: own code, and plain values."""
        found: dict[str, Any] = {}
        names = sorted(set(_names_of(function.__code__)))
        for name in names:
            value = function.__globals__.get(name)
            if isinstance(value, ModuleType):
                inside = {n: vars(value).get(n) for n in names if _is_own(value)}
                found |= {f"{name}.{n}": item for n, item in inside.items() if self._matters(item)}
            elif name in function.__globals__ and self._matters(value):
                found[name] = value
        return found

    def _matters(self, value: Any) -> bool:
        if isinstance(value, FunctionType | type):
            return _is_own(value)
        return value is not None and self._is_plain(value)

    def _is_plain(self, value: Any) -> bool:
        if isinstance(value, list | tuple):
            return all(map(self._is_plain, value))
        if isinstance(value, dict):
            return all(map(self._is_plain, [*value, *value.values()]))
        return isinstance(value, self.plain)


def _is_own(thing: Any) -> bool:
    """Whether a module, function or class is of no installed package."""
    name = thing.__name__ if isinstance(thing, ModuleType) else str(thing.__module__)
    top = name.partition(".")[0]
    if top == "__main__":  # whose file is another one in a worker process
        return True
    if top == "skfer" or top in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is None or not any(part in _INSTALLED for part in Path(file).parts)


def functions_of(item: Any) -> list[FunctionType]:
    """Return the functions in what a class holds: a method of any kind, or a property."""
    names = ("__func__", "func", "fget", "fset", "fdel")
    found = [item, *(getattr(item, name, None) for name in names)]
    return [function for function in found if isinstance(function, FunctionType)]


def _names_of(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names_of(inner)
