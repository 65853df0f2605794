"""A hash of values and of the user's own code that is the same in every process."""

import ast
import copyreg
import functools
import hashlib
import inspect
import logging
import os
import sys
import weakref
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any, ClassVar

import numpy as np

from skfer._code import (
    full_names,
    imports_of,
    is_installed,
    names_in,
    varying_in_module_of,
    written_in_module,
)
from skfer._typing import NDArray

_CHUNK_BYTES = 2**24
_CONSTANT = (bool, int, float, complex, str, bytes, np.generic)
_ONE = (type(None), bool, int, float, complex, str, bytes, os.PathLike)
_NATIVE = (BuiltinFunctionType, MethodDescriptorType, np.ufunc)
_SOLID = (*_ONE, *_NATIVE, np.generic, tuple, frozenset, type, CodeType, ModuleType)
_OF_MACHINE = (logging.Logger, logging.LoggerAdapter, type(os.environ), ModuleType)

# What is being taken in. A user's code is not copied with the object that it belongs to.
GIVEN = "given"  # the values themselves
HELD = "held"  # what functions hold: closures and defaults
NAMED = "named"  # what code names: globals, and values of classes
CONSTANTS = "constants"  # the same of code whose variables are no part of it


class Digest:
    """A hash of values, each with its type.

    Of functions and classes that a user wrote what they do counts too, for they may be edited, with
    the functions, classes and values that they name; installed ones stand for themselves. Objects
    count by what copies of them are made from. An object of an installed package that code names
    counts where it is one of `values` or is compared by what it holds: others, such as writers of
    logs, differ in every process.
    """

    values: ClassVar[tuple[type, ...]] = (
        np.ndarray,
        np.random.RandomState,
        np.random.Generator,
        functools.partial,
        MethodType,
    )
    """Kinds of objects that count where code names them."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=12)
        self._mode = GIVEN
        self._own: dict[str, bool] = {}  # by the name of a module
        self._own_bases: dict[type, list[type]] = {}
        self._code: dict[tuple[str, int], tuple[int, Any]] = {}  # functions and classes, numbered
        self._unread: deque[tuple[str, Any]] = deque()  # those whose code is still to be taken in
        # What was taken in, by its address, with a number: an object may hold itself.
        self._seen: dict[int, tuple[int, Any]] = {}
        self._seen_in: dict[str, dict[int, tuple[int, Any]]] = {HELD: {}, NAMED: {}, CONSTANTS: {}}
        self._keeps_seen = False

    def hexdigest(self) -> str:
        # Code comes at the end: what it names may be far from what was given.
        while self._unread:
            mode, code = self._unread.popleft()
            with self.taking_in(mode):
                self._read(code)
        return self._hash.hexdigest()

    def has_code(self) -> bool:
        """Whether there was anything that a user wrote."""
        return bool(self._code)

    def add(self, value: Any) -> None:
        """Take a value in, with its type, so that 1 and "1" and [1] differ."""
        self.word(type(value).__qualname__)
        if isinstance(value, np.ndarray) and value.dtype.kind != "O":
            self.add_array(value)
        elif isinstance(value, FunctionType):
            self._meet(value)
        elif isinstance(value, type) and self._is_own(value):
            self.add_code(value)
        elif isinstance(value, _SOLID):
            self._add_parts(value)
        else:
            self._add_once(value)

    def add_code(self, kind: type) -> None:
        """Take in what the methods of a class do, if it is the user's, who may edit it."""
        bases = self._own_bases.get(kind)
        if bases is None:
            bases = self._own_bases[kind] = [base for base in kind.__mro__ if self._is_own(base)]
        for base in bases:
            self._meet(base)

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

    @contextmanager
    def taking_in(self, mode: str) -> Iterator[None]:
        """Take in code, or what it names; what was met once is then known for good."""
        before = self._mode, self._seen, self._keeps_seen
        self._mode, self._seen, self._keeps_seen = mode, self._seen_in[mode], True
        yield
        self._mode, self._seen, self._keeps_seen = before

    def _add_parts(self, value: Any) -> None:
        for part in self.parts_of(value):
            if isinstance(part, bytes):
                self._hash.update(part)
            else:
                self.add(part)
        self.add_code(type(value))
        self.word("end")

    def _add_once(self, value: Any) -> None:
        """Take in what may hold itself, or may be held in several places."""
        if id(value) in self._seen:
            self.word(f"again {self._seen[id(value)][0]}")
            return
        outer, kept = self._seen, self._keeps_seen
        if not kept and not isinstance(value, list | dict | set) and not _has_parameters(value):
            # A clone has copies of its parameters, each a copy of its own: what two of them share
            # is not shared any more, but what is shared within one still is.
            self._seen, self._keeps_seen = {}, True
        self._seen[id(value)] = (len(self._seen), value)
        self._add_parts(value)
        if not kept:
            self._seen.pop(id(value))
            self._seen, self._keeps_seen = outer, False

    def _meet(self, code: type | FunctionType) -> None:
        """Take in the name of a class or function; what it does comes later, and once."""
        mode = HELD if self._mode == GIVEN else self._mode
        key = mode, id(code)
        if key not in self._code:
            self._code[key] = (len(self._code), code)
            self._unread.append((mode, code))
        self.word(f"{code.__qualname__} {self._code[key][0]}")

    def _read(self, code: type | FunctionType) -> None:
        """Take in what a class or function does."""
        self.add(list(code.__bases__ if isinstance(code, type) else self._held_by(code)))
        with self.taking_in(NAMED if self._mode == HELD else self._mode):
            if isinstance(code, type):
                self.add(self.written_in(code))
            elif self._is_own(code):
                self.add(self._named_in(code))

    def parts_of(self, value: Any) -> list[Any]:
        """Return what a value consists of: bytes, or values that are taken in one by one."""
        if isinstance(value, _ONE):
            return [repr(value).encode()]
        if isinstance(value, np.generic):
            return [np.asarray(value)]
        if isinstance(value, Mapping):
            return [part for item in value.items() for part in item]
        if isinstance(value, list | tuple | np.ndarray | deque):
            return list(value)
        if isinstance(value, set | frozenset):
            return sorted(value, key=_rank)  # in an order that all processes have
        if isinstance(value, np.random.RandomState):
            return list(value.get_state())
        if isinstance(value, np.random.Generator):
            return [value.bit_generator.state]
        if isinstance(value, functools.partial):
            return [value.func, value.args, value.keywords]
        if isinstance(value, MethodType):
            return [value.__self__, value.__func__]
        if isinstance(value, CodeType):
            return [value.co_code, value.co_names, value.co_consts]
        if isinstance(value, ModuleType | weakref.ref):
            return [getattr(value, "__name__", "")]
        if isinstance(value, (type, *_NATIVE)):
            owner = getattr(value, "__self__", None)  # of a bound method
            return [_name_of(value), None if isinstance(owner, ModuleType) else owner]
        if _has_parameters(value):
            # Of a callback its parameters alone: it may hold anything of an earlier training.
            names = inspect.signature(type(value)).parameters
            return [{name: getattr(value, name) for name in names if hasattr(value, name)}]
        if self._mode == NAMED and not self._is_value(value):
            return []
        return self._state_of(value)

    def _state_of(self, value: Any) -> list[Any]:
        """Return what a copy of an object is made from."""
        if _wrapped(value) and not self._is_own(type(value)):
            return [_wrapped(value)]
        try:
            if hasattr(type(value), "detach"):  # a tensor, where torch is not known
                return [_numbers_of(value)]
            reduce = copyreg.dispatch_table.get(type(value))
            reduced = reduce(value) if reduce else value.__reduce_ex__(4)
        except Exception:  # it cannot be copied
            if hasattr(value, "__dict__"):
                return [vars(value)]
            return [] if self._mode == NAMED else [_name_of(value)]
        if isinstance(reduced, str):
            return [_name_of(value)]
        make, made_from, *rest = reduced
        makers = [] if getattr(make, "__module__", None) == "copyreg" else [make]
        state, *items = rest or [None]
        if isinstance(state, dict):  # what a user's code is called does not matter
            state = {name: item for name, item in state.items() if name != "__module__"}
        return [*makers, made_from, state, *(list(part) for part in items[:2] if part is not None)]

    def _held_by(self, function: FunctionType) -> list[Any]:
        """Return the code of a function, its defaults, and the outer variables that it uses."""
        held = [function.__defaults__, function.__kwdefaults__, *_cells_of(function).values()]
        if self._mode == CONSTANTS:
            defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
            changed = names_in(function.__code__).changed
            cells = {k: v for k, v in _cells_of(function).items() if k not in changed}
            held = list(filter(self._counts, [*defaults, *cells.values()]))
        kept = [part for part in held if not isinstance(part, ModuleType)]
        return [function.__qualname__, function.__code__, kept]

    def written_in(self, kind: type) -> dict[str, Any]:
        """Return the functions and values that a class holds."""
        found: dict[str, Any] = {}
        is_set = _set_on_classes(kind) if self._mode == CONSTANTS else set()
        for name, item in sorted(vars(kind).items()):
            functions = functions_of(item)
            if functions:
                found[name] = functions
            elif not name.startswith("__") and name not in is_set and self._counts(item):
                found[name] = item
        return found

    def _named_in(self, function: FunctionType) -> dict[str, Any]:
        """Return what a function names and the user wrote: code, and values."""
        names = names_in(function.__code__)
        space = function.__globals__
        found = {n: space[n] for n in names.loaded if n in space and not _is_magic(n)}
        modules = {n: v for n, v in (found | _cells_of(function)).items() if _is_module(v)}
        if self._mode == CONSTANTS:
            varying = varying_in_module_of(function.__code__)
            found = {n: v for n, v in found.items() if not _is_constant(v) or n not in varying}
        found |= self._taken_from(modules, names.all) | self._imported_in(function)
        found |= {f".{name}": item for name, item in vars(function).items()}
        if self._mode == CONSTANTS:
            found = {name: item for name, item in found.items() if name not in names.changed}
        return {name: item for name, item in sorted(found.items()) if self._counts(item)}

    def _taken_from(self, modules: dict[str, ModuleType], names: frozenset[str]) -> dict[str, Any]:
        """Return what code takes from the user's modules, and from modules in them."""
        found: dict[str, Any] = {}
        known: set[int] = set()
        unseen = deque(sorted(modules.items()))
        while unseen:
            path, module = unseen.popleft()
            if id(module) in known or not self._is_own(module):
                continue
            known.add(id(module))
            inside = {f"{path}.{n}": vars(module)[n] for n in sorted(names & vars(module).keys())}
            unseen.extend((n, item) for n, item in inside.items() if _is_module(item))
            found |= inside
        return found

    def _imported_in(self, function: FunctionType) -> dict[str, str]:
        """Return what is written in the user's modules that a function imports when it is called.

        Those that they import in turn are among them. They are not imported for this, as the
        function may never come to it.
        """
        found: dict[str, str] = {}
        package = function.__globals__.get("__package__")
        waiting = [
            name
            for level, name, wanted in names_in(function.__code__).imports
            for name in full_names(level, name, wanted, package)
        ]
        while waiting:
            name = waiting.pop()
            if f"import {name}" not in found and self._is_own_name(name):
                tree, package = written_in_module(name)
                if tree is not None:
                    found[f"import {name}"] = ast.dump(tree)
                    waiting += imports_of(tree, package)
        return found

    def _counts(self, item: Any) -> bool:
        """Whether something that code names is part of what it does."""
        if isinstance(item, (FunctionType, type, *_NATIVE)):
            return True
        if self._mode == CONSTANTS:
            return _is_constant(item)
        return item is not None and not isinstance(item, _OF_MACHINE) and self._is_value(item)

    def _is_value(self, item: Any) -> bool:
        kind = type(item)
        if self._is_own(kind) or isinstance(item, self.values) or _has_parameters(item):
            return True
        return kind.__eq__ is not object.__eq__ or _wrapped(item) is not None

    def _is_own(self, thing: Any) -> bool:
        """Whether a module, function or class is of no installed package."""
        if isinstance(thing, FunctionType):  # a wrapper has the name of what it wraps
            return self._is_own_name(str(thing.__globals__.get("__name__")))
        name = thing.__name__ if isinstance(thing, ModuleType) else thing.__module__
        return self._is_own_name(str(name))

    def _is_own_name(self, name: str) -> bool:
        if name not in self._own:
            self._own[name] = _is_own_module(name)
        return self._own[name]


def told_of_file(path: str | bytes | os.PathLike[Any]) -> Any:
    """Return what tells whether a file has changed, without reading it."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return os.fsdecode(path)
    return [os.fsdecode(path), status.st_size, status.st_mtime_ns]


def told_with_files(
    parameters: Mapping[Any, Any], names: Collection[str] | None = None
) -> dict[Any, Any]:
    """Return parameters with what tells whether the files that they name have changed.

    Parameters
    ----------
    parameters : mapping
        By name.
    names : collection of str, default=None
        Which of them may name a file; None for all.
    """
    told = dict(parameters)
    for name, value in parameters.items():
        may = names is None or name in names
        if may and isinstance(value, str | bytes | os.PathLike) and os.path.isfile(value):
            told[name] = told_of_file(value)
    return told


def functions_of(item: Any) -> list[FunctionType]:
    """Return the functions in what a class holds: a method of any kind, or a property."""
    names = ("__func__", "__wrapped__", "func", "fget", "fset", "fdel")
    found = [item, *(getattr(item, name, None) for name in names)]
    return [function for function in found if isinstance(function, FunctionType)]


def _set_on_classes(kind: type) -> set[str]:
    """Return the attributes that the functions of a class set on classes."""
    items = [item for base in kind.__mro__ for item in vars(base).values()]
    functions = [function for item in items for function in functions_of(item)]
    return {name for function in functions for name in names_in(function.__code__).on_classes}


def _is_own_module(name: str) -> bool:
    """Whether a module is of no installed package."""
    top = name.partition(".")[0]
    if top == "__main__":  # whose file is another one in a worker process
        return True
    if top == "skfer" or top in sys.stdlib_module_names:
        return False
    return not is_installed(sys.modules.get(name)) and not is_installed(sys.modules.get(top))


def _cells_of(function: FunctionType) -> dict[str, Any]:
    """Return the values of outer variables that a function uses."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not set yet
            continue
    return found


def _numbers_of(tensor: Any) -> Any:
    numbers = tensor.detach().cpu()
    return numbers.tolist() if "bfloat16" in str(numbers.dtype) else np.asarray(numbers)


def _rank(item: Any) -> str:
    """Return what items of a set are sorted by: what they show without being followed."""
    if isinstance(item, tuple):
        return f"tuple {list(map(_rank, item))}"
    if isinstance(item, frozenset):
        return f"frozenset {sorted(map(_rank, item))}"
    if isinstance(item, _ONE) or not hasattr(item, "__dict__"):
        return repr(item)
    if hasattr(item, "__qualname__"):
        return _name_of(item)
    shown = {k: v for k, v in sorted(vars(item).items()) if isinstance(v, _ONE)}
    return f"{type(item).__qualname__} {shown}"


def _name_of(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', thing)}"


def _wrapped(item: Any) -> FunctionType | None:
    """Return the function that another object stands for, such as one with a cache."""
    inner = getattr(item, "__dict__", {}).get("__wrapped__")
    return inner if isinstance(inner, FunctionType) else None


def _has_parameters(value: Any) -> bool:
    return hasattr(type(value), "get_params")


def _is_magic(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_module(value: Any) -> bool:
    return isinstance(value, ModuleType)


def _is_constant(value: Any) -> bool:
    if isinstance(value, tuple | frozenset):
        return all(map(_is_constant, value))
    return isinstance(value, _CONSTANT)
