"""What code names and imports, found in it without running it."""

import ast
import dis
import functools
import importlib.util
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

_INSTALLED = ("site-packages", "dist-packages")
_CLASSES = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "CALL")
_OWN_NAMES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_OPERATIONS = (ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
_CONTAINERS = (ast.Tuple, ast.List, ast.Set, ast.Dict)
_EXPRESSIONS = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp)
_PLAIN = (*_EXPRESSIONS, *_CONTAINERS, *_OPERATIONS, ast.Subscript, ast.expr_context)


class CodeNames(NamedTuple):
    """The names in some code and in the functions within it."""

    loaded: frozenset[str]
    """Globals that it reads."""
    changed: frozenset[str]
    """Variables of others that it sets."""
    on_classes: frozenset[str]
    """Attributes that it sets of what may be a class, such as ``type(self)``."""
    all: frozenset[str]
    """Globals, attributes and what it imports."""
    imports: tuple[tuple[int, str, tuple[str, ...]], ...]
    """Modules that it imports: the number of dots, the name, and what is taken from it."""


@functools.lru_cache(maxsize=4096)
def names_in(code: CodeType) -> CodeNames:
    """Return the names in the code of a function."""
    loaded, changed, on_classes, imports = set(), set(), set(), []
    before: list[Any] = [None, None]
    last = copied = None
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            loaded.add(step.argval)
        elif step.opname in ("STORE_GLOBAL", "STORE_DEREF"):
            changed.add(step.argval)
        elif step.opname == "COPY":
            copied = last
        elif step.opname == "STORE_ATTR":
            if _may_be_class(copied if last and last.opname == "SWAP" else last):  # of x.n += 1
                on_classes.add(step.argval)
        elif step.opname == "IMPORT_NAME":
            level, wanted = before
            imports.append((level, step.argval, wanted or ()))
        if step.opname != "EXTENDED_ARG":
            before, last = [before[1], step.argval], step
    inner = [names_in(const) for const in code.co_consts if isinstance(const, CodeType)]
    return CodeNames(
        frozenset(loaded).union(*(names.loaded for names in inner)),
        frozenset(changed).union(*(names.changed for names in inner)),
        frozenset(on_classes).union(*(names.on_classes for names in inner)),
        frozenset(code.co_names).union(*(names.all for names in inner)),
        (*imports, *(found for names in inner for found in names.imports)),
    )


def _may_be_class(loaded: dis.Instruction | None) -> bool:
    """Whether a step puts what may be a class on the stack."""
    if loaded is None:
        return False
    return loaded.opname in _CLASSES or loaded.argval in ("__class__", "cls")


def full_names(level: int, name: str, wanted: Iterable[str], package: str | None) -> list[str]:
    """Return the modules that an import may be of: what is taken from one may be one itself."""
    try:
        full = importlib.util.resolve_name("." * level + name, package)
    except (ImportError, ValueError):
        return []
    return [full, *(f"{full}.{part}" for part in wanted)]


def imports_of(tree: ast.AST, package: str) -> list[str]:
    """Return the modules that a module may import, by its source."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = [alias.name for alias in node.names]
            names += full_names(node.level, node.module or "", parts, package)
    return names


def written_in_module(name: str) -> tuple[ast.Module | None, str]:
    """Return the source of a module that need not have been imported, and its package."""
    path: Any = None
    spec: Any = None
    for part in name.split("."):
        spec = PathFinder.find_spec(part if spec is None else f"{spec.name}.{part}", path)
        if spec is None or is_installed(spec):
            return None, ""
        path = spec.submodule_search_locations
    try:
        tree = ast.parse(Path(spec.origin).read_bytes())
    except (OSError, TypeError, SyntaxError, ValueError):
        return None, ""
    return tree, name if path else name.rpartition(".")[0]


def varying_in_module_of(code: CodeType) -> frozenset[str]:
    """Return the names that the module of some code sets to other than plain values alone.

    Such as the time of the start, they may differ in every process. Of a notebook there is no
    source, and none is known.
    """
    try:
        source = Path(code.co_filename).read_bytes()
    except (OSError, ValueError):
        return frozenset()
    return _varying_in(source)


@functools.lru_cache(maxsize=64)
def _varying_in(source: bytes) -> frozenset[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    plain: set[str] = set()
    varying: set[str] = set()
    for target, value in (pair for line in _lines_in(tree) for pair in _pairs_in(line)):
        names = {part.id for part in ast.walk(target) if isinstance(part, ast.Name)}
        (plain if _is_plain(value, varying) else varying).update(names)
    for part in ast.walk(tree):
        if isinstance(part, ast.Global):
            varying.update(part.names)
    return frozenset(varying - plain)


def _lines_in(block: ast.AST) -> Iterator[ast.AST]:
    """Return the lines of a module, those within conditions and loops among them."""
    for line in ast.iter_child_nodes(block):
        if isinstance(line, ast.stmt | ast.excepthandler) and not isinstance(line, _OWN_NAMES):
            yield line
            yield from _lines_in(line)


def _pairs_in(line: ast.AST) -> list[tuple[ast.AST, ast.AST]]:
    """Return what a line sets, each with the value that it gets."""
    if isinstance(line, ast.For):
        return [(line.target, line.iter)]
    if isinstance(line, ast.AnnAssign) and line.value is not None:
        return [(line.target, line.value)]
    if not isinstance(line, ast.Assign):
        return []
    pairs: list[tuple[ast.AST, ast.AST]] = []
    for target in line.targets:
        names, values = (getattr(side, "elts", []) for side in (target, line.value))
        starred = any(isinstance(part, ast.Starred) for part in [*names, *values])
        each = names and len(names) == len(values) and not starred
        pairs += zip(names, values, strict=True) if each else [(target, line.value)]
    return pairs


def _is_plain(value: ast.AST, varying: set[str]) -> bool:
    """Whether an expression is of literals, and of names that do not vary, alone."""
    return all(
        not part.id.startswith("__") and part.id not in varying
        if isinstance(part, ast.Name)
        else isinstance(part, _PLAIN)
        for part in ast.walk(value)
    )


def is_installed(found: Any) -> bool:
    """Whether a module, or the spec of one, lies in the folders of installed packages."""
    file, folders = "origin", "submodule_search_locations"
    if isinstance(found, ModuleType):
        file, folders = "__file__", "__path__"
    places = [getattr(found, file, None), *(getattr(found, folders, None) or ())]
    first = next((place for place in places if place), "")
    return any(part in _INSTALLED for part in Path(first).parts)
