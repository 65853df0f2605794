"""What code names and imports, found in it without running it."""

import ast
import dis
import functools
import importlib.util
import inspect
import sys
from collections.abc import Iterable
from importlib.machinery import PathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

_INSTALLED = ("site-packages", "dist-packages")


class CodeNames(NamedTuple):
    """The names in some code and in the functions within it."""

    loaded: frozenset[str]
    """Globals that it reads."""
    changed: frozenset[str]
    """Variables of others that it sets."""
    all: frozenset[str]
    """Globals, attributes and what it imports."""
    imports: tuple[tuple[int, str, tuple[str, ...]], ...]
    """Modules that it imports: the number of dots, the name, and what is taken from it."""


@functools.lru_cache(maxsize=4096)
def names_in(code: CodeType) -> CodeNames:
    """Return the names in the code of a function."""
    loaded, changed, imports = set(), set(), []
    before: list[Any] = [None, None]
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            loaded.add(step.argval)
        elif step.opname in ("STORE_GLOBAL", "STORE_DEREF"):
            changed.add(step.argval)
        elif step.opname == "IMPORT_NAME":
            level, wanted = before
            imports.append((level, step.argval, wanted or ()))
        if step.opname != "EXTENDED_ARG":
            before = [before[1], step.argval]
    inner = [names_in(const) for const in code.co_consts if isinstance(const, CodeType)]
    return CodeNames(
        frozenset(loaded).union(*(names.loaded for names in inner)),
        frozenset(changed).union(*(names.changed for names in inner)),
        frozenset(code.co_names).union(*(names.all for names in inner)),
        (*imports, *(found for names in inner for found in names.imports)),
    )


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


@functools.lru_cache(maxsize=256)
def literals_of(name: str | None) -> frozenset[str]:
    """Return the names that a module sets to plain values, as its source has them.

    Other values, such as the time of the start, may differ in every process.
    """
    try:
        tree = ast.parse(inspect.getsource(sys.modules[str(name)]))
    except (KeyError, OSError, TypeError, SyntaxError):
        return frozenset()
    found = set()
    for line in tree.body:
        if not isinstance(line, ast.Assign | ast.AnnAssign) or line.value is None:
            continue
        targets = line.targets if isinstance(line, ast.Assign) else [line.target]
        try:
            ast.literal_eval(line.value)
        except (ValueError, TypeError):
            continue
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(found)


def is_installed(found: Any) -> bool:
    """Whether a module, or the spec of one, lies in the folders of installed packages."""
    file, folders = "origin", "submodule_search_locations"
    if isinstance(found, ModuleType):
        file, folders = "__file__", "__path__"
    places = [getattr(found, file, None), *(getattr(found, folders, None) or ())]
    first = next((place for place in places if place), "")
    return any(part in _INSTALLED for part in Path(first).parts)
