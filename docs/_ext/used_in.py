"""The directive ``used-in``: links to where a name is used, on pages and in examples of others."""

import importlib
import inspect
import re
from functools import cache
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

DOCS = Path(__file__).resolve().parents[1]
PAGES = sorted(path for room in ("tutorials", "guide") for path in (DOCS / room).glob("*.rst"))
EXAMPLES = sorted((DOCS.parent / "examples").glob("plot_*.py"))


class UsedIn(Directive):
    """``.. used-in:: skfer.room.Name``: a line with the pages, and one with the other names."""

    required_arguments = 1

    def run(self):
        """A line for each kind of place, if there are any."""
        full = self.arguments[0]
        links = {
            "Used in": [f":doc:`/{name}`" for name in pages_with(full.rpartition(".")[2])],
            "In the examples of": [f":obj:`~{name}`" for name in docstrings_with(full)],
        }
        lines = [f"{word} {', '.join(found)}." for word, found in links.items() if found]
        if not lines:
            return []
        box = nodes.container(classes=["used-in"])
        self.state.nested_parse(
            StringList("\n\n".join(lines).split("\n"), source="used-in"), 0, box
        )
        return [box]


def pages_with(name, pages=None):
    """Names of the pages that use this name, as documents of sphinx."""
    pages = PAGES if pages is None else pages
    found = [path for path in pages if path.stem != "index" and _has(name, _code_of(path))]
    return [path.relative_to(DOCS).with_suffix("").as_posix() for path in found]


def gallery_with(name):
    """Names of the examples of the gallery that use this name."""
    return [path.stem for path in EXAMPLES if _has(name, path.read_text(encoding="utf-8"))]


def docstrings_with(full):
    """Full names of what is public, and uses this other name in the examples of its docstring."""
    name = full.rpartition(".")[2]
    return [other for other, code in _docstrings().items() if other != full and _has(name, code)]


def api_names():
    """Full names of all that has a page of its own in the API reference, in order."""
    names, module, listed = [], "", False
    for line in (DOCS / "api.rst").read_text(encoding="utf-8").splitlines():
        if room := re.match(r"\.\. (?:current)?module:: (\S+)", line):
            module = room[1]
        if line and not line.startswith(" "):
            listed = line.startswith(".. autosummary::")
        elif listed and re.fullmatch(r"   [A-Za-z_]\w*", line):
            names.append(f"{module}.{line.strip()}")
    return names


@cache
def _docstrings():
    """The code in the docstring of each name, of its methods too."""
    return {name: "\n".join(map(_doctest_of, _parts(name))) for name in api_names()}


def _parts(full):
    module, _, name = full.rpartition(".")
    thing = getattr(importlib.import_module(module), name)
    methods = vars(thing).values() if inspect.isclass(thing) else ()
    return [thing, *(method for method in methods if callable(method))]


def _doctest_of(thing):
    lines = (inspect.getdoc(thing) or "").splitlines()
    return "\n".join(line for line in lines if line.startswith((">>> ", "... ")))


def _has(name, code):
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", code) is not None


def _code_of(path):
    """What a page shows as code: its indented lines, its doctests, and its links to names."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(
        line for line in lines if line.startswith(("   ", ">>> ", "... ")) or "`~skfer" in line
    )


def setup(app):
    """Tell sphinx of the directive."""
    app.add_directive("used-in", UsedIn)
    return {"parallel_read_safe": True}
