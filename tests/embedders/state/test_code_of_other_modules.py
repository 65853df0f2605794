"""Code of other modules that a fit uses is a part of it, however it is reached."""

import importlib
import sys

import pytest
from helpers.digests import key

PACKAGE = {
    "own_package/__init__.py": "",
    "own_package/parts.py": """
from own_package import deeper
FACTOR = 2
def scaled(x):
    return deeper.inner(x) * FACTOR
""",
    "own_package/deeper.py": "def inner(x):\n    return x + 1\n",
    "own_package/users.py": """
def relative(x):
    from .parts import scaled
    return scaled(x)

def module(x):
    from . import parts
    return parts.scaled(x)
""",
    "own_uses.py": """
import own_package.parts
import own_package.parts as aliased
from own_package.users import module, relative

def by_its_full_name(x):
    return own_package.parts.scaled(x)

def by_an_alias(x):
    return aliased.scaled(x)

def imported_in_it(x):
    from own_package.parts import scaled
    return scaled(x)

def imported_in_it_by_an_alias(x):
    import own_package.parts as q
    return q.scaled(x)

def within(q):
    return lambda x: q.scaled(x)

by_a_closure = within(own_package.parts)

class Own:
    def __call__(self, x):
        try:
            import numpy, own_missing
        except ImportError:
            return own_package.parts.scaled(x)

own_object = Own()
""",
}
WAYS = (
    *("by_its_full_name", "by_an_alias", "imported_in_it", "imported_in_it_by_an_alias"),
    *("by_a_closure", "own_object", "relative", "module"),
)
EDITS = {
    "nothing": ("", "", ""),
    "a comment": ("own_package/parts.py", "FACTOR = 2", "# twice\nFACTOR = 2"),
    "a function": ("own_package/parts.py", "inner(x) *", "inner(x) +"),
    "a value": ("own_package/parts.py", "FACTOR = 2", "FACTOR = 3"),
    "a function further on": ("own_package/deeper.py", "x + 1", "x - 1"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_code_of_other_modules_counts_however_it_is_reached(tmp_path, monkeypatch, edit):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    place, before, after = EDITS[edit]
    keys = []
    for round_ in range(2):
        for name, text in PACKAGE.items():
            file = tmp_path / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text.replace(before, after) if round_ and name == place else text)
        for name in [name for name in sys.modules if name.startswith("own_")]:
            monkeypatch.delitem(sys.modules, name)
        importlib.invalidate_caches()
        own = importlib.import_module("own_uses")
        keys.append([key(getattr(own, way)) for way in WAYS])
    same = [one == other for one, other in zip(*keys, strict=True)]
    assert same == [edit in ("nothing", "a comment")] * len(WAYS)


def test_long_chains_of_functions_are_followed_to_their_end():
    def chain(last):
        steps = [f"def f{i}(x):\n    return f{i + 1}(x)\n" for i in range(3000)]
        space = {"__name__": "own_chain"}
        exec("".join([*steps, f"def f3000(x):\n    return {last}\n"]), space)
        return space["f0"]

    assert key(chain(1)) == key(chain(1)) != key(chain(2))
