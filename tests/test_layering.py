"""The package is built in floors: a room imports only from rooms below it, and little else."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skfer

PACKAGE = Path(skfer.__file__).parent
REPOSITORY = Path(__file__).parents[1]

# The rooms below each room, and the packages that it may import beside the standard library.
ROOMS = {
    "exceptions": ((), {"sklearn"}),
    "losses": ((), {"torch", "numpy"}),
    "nets": ((), {"torch", "timm"}),
    "preprocessing": ((), {"numpy", "PIL", "sklearn"}),
    "datasets": (("preprocessing",), {"numpy", "PIL", "joblib", "sklearn", "tqdm", "pandas"}),
    "metrics": ((), {"numpy", "sklearn"}),
    "model_selection": ((), {"numpy", "sklearn"}),
    "training": (("losses", "nets"), {"numpy", "torch", "skorch"}),
    "embedders": (
        ("exceptions", "losses", "nets", "datasets", "training"),
        {"numpy", "scipy", "sklearn", "torch", "skorch"},
    ),
    "inspection": (
        ("datasets", "metrics", "training", "embedders"),
        {"numpy", "scipy", "sklearn", "matplotlib"},
    ),
}
# What stands on all rooms: the command line and its helpers, and the public names.
TOP = {"__init__", "cli", "_evaluation", "_json_output", "_options", "_protocols"}
# Imported when used, never by `import skfer`. pandas, where there is one, comes with scikit-learn.
HEAVY = ("kornia", "pytorch_metric_learning", "matplotlib", "timm")
# Folders that only one machine has.
MACHINE_PATHS = re.compile(r"(?<![\w.])/(home|root|work|tmp|Users)/")
FOLDERS = (".", "skfer", "tests", "benchmarks", "docs", "examples")
SUFFIXES = {".py", ".md", ".rst", ".toml", ".txt", ".cff", ".yaml", ".yml"}


def room_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path):
    """Full names of the modules that a file imports, inside functions too, relative ones solved."""
    inside = ["skfer", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield ".".join([*inside[: len(inside) - node.level + 1], node.module or ""]).strip(".")
        elif isinstance(node, ast.ImportFrom):
            yield node.module


SOURCES = sorted(PACKAGE.rglob("*.py"))


def test_every_room_has_its_floor():
    assert {room_of(path) for path in SOURCES} == {*ROOMS, *TOP}


@pytest.mark.parametrize("room", ROOMS)
def test_room_imports_only_from_below(room):
    below, packages = ROOMS[room]
    faults = []
    for path in SOURCES:
        if room_of(path) != room:
            continue
        for name in imported(path):
            top, _, rest = name.partition(".")
            inner = rest.partition(".")[0]
            if top == "skfer":
                # `from skfer import __version__` reaches no room.
                fine = inner in ("", room, *below)
            else:
                fine = top in packages or top in sys.stdlib_module_names
            if not fine:
                faults.append(f"skfer/{path.relative_to(PACKAGE)} imports {name}")
    assert not faults, "\n".join(faults)


def test_rooms_below_are_listed_first():
    names = list(ROOMS)
    for room, (below, _) in ROOMS.items():
        assert all(names.index(other) < names.index(room) for other in below), room


def test_import_is_light():
    code = f"import sys, skfer; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_no_file_names_a_folder_of_one_machine():
    made = {REPOSITORY / "docs" / name for name in ("_build", "auto_examples", "generated")}
    texts = [
        path
        for folder in FOLDERS
        for path in (REPOSITORY / folder).glob("*" if folder == "." else "**/*")
        if path.suffix in SUFFIXES and not made.intersection(path.parents)
    ]
    assert Path(__file__) in texts
    named = [
        f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()}"
        for path in texts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if MACHINE_PATHS.search(line)
    ]
    assert not named, "\n".join(named)
