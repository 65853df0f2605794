"""What `import skfer` gives without further imports."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skfer
import skfer.evaluation

API = Path(__file__).parents[1] / "docs" / "api.rst"
MODULE = re.compile(r"^\.\. (?:currentmodule|module):: skfer\.(\w+)$", re.MULTILINE)
ROOMS = sorted({*MODULE.findall(API.read_text(encoding="utf-8")), "exceptions"})


def test_the_reference_names_rooms():
    assert {"datasets", "persistence", "pretraining"} < {*ROOMS}
    assert {*ROOMS} <= {*dir(skfer)}


@pytest.mark.parametrize("room", ["persistence", "exceptions"])
def test_a_room_needs_no_import_of_its_own(room):
    """In a process of its own, where nothing else has imported it."""
    code = f"import skfer; print(skfer.{room}.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"skfer.{room}\n"


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_is_found(room):
    assert skfer.__getattr__(room).__name__ == f"skfer.{room}"


def seen_by_type_checkers(package):
    """Names that a file imports under TYPE_CHECKING, each with the module that it comes from."""
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    blocks = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    ]
    return {
        alias.name: imported.module
        for block in blocks
        for imported in block.body
        for alias in imported.names
    }


def test_type_checkers_see_what_is_public():
    rooms = dict.fromkeys(skfer._ROOMS, "skfer")
    assert seen_by_type_checkers(skfer) == rooms | skfer._ROOM_OF
    assert {*skfer.__all__} == {*skfer._ROOMS, *skfer._ROOM_OF, "__version__"}


def test_type_checkers_see_what_evaluation_has():
    lazy = {name: f"skfer.evaluation.{file}" for name, file in skfer.evaluation._FILE_OF.items()}
    assert seen_by_type_checkers(skfer.evaluation) == lazy
    assert {*lazy} <= {*skfer.evaluation.__all__}


def test_what_is_none_is_told():
    with pytest.raises(AttributeError, match="module 'skfer' has no attribute 'rooms'"):
        skfer.rooms  # noqa: B018
