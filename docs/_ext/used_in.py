"""The directive ``used-in``: links to the pages of guide and tutorials on which a name is used."""

import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

DOCS = Path(__file__).resolve().parents[1]
PAGES = sorted(path for room in ("tutorials", "guide") for path in (DOCS / room).glob("*.rst"))


class UsedIn(Directive):
    """``.. used-in:: skfer.room.Name``; nothing where no page uses it."""

    required_arguments = 1

    def run(self):
        """A line with the titles of the pages."""
        found = pages_with(self.arguments[0].rpartition(".")[2])
        if not found:
            return []
        links = ", ".join(f":doc:`/{name}`" for name in found)
        box = nodes.container(classes=["used-in"])
        self.state.nested_parse(StringList([f"Used in {links}."], source="used-in"), 0, box)
        return [box]


def pages_with(name, pages=None):
    """Names of the pages that use this name, as documents of sphinx."""
    word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
    pages = PAGES if pages is None else pages
    found = [path for path in pages if path.stem != "index" and word.search(_code_of(path))]
    return [path.relative_to(DOCS).with_suffix("").as_posix() for path in found]


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
