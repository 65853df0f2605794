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

# What every room above them may import: what skfer raises, and how arguments are checked.
GROUND = ("_typing", "exceptions", "validation")
# The rooms below each room, and the packages that it may import beside the standard library.
# A room within a room is named with a dot, and is no part of the outer one.
ROOMS = {
    "_version": ((), set()),
    "_typing": ((), {"numpy"}),
    "_bar": ((), {"tqdm"}),
    "_replacing": ((), set()),
    "_asking": ((), set()),
    "_code": ((), set()),
    "_paired": (("_typing",), {"numpy"}),
    "_digest": (("_typing", "_code"), {"numpy"}),
    "exceptions": ((), {"sklearn"}),
    "validation": (("_typing", "exceptions"), {"numpy", "sklearn"}),
    "losses": (("_asking", *GROUND), {"torch", "numpy"}),
    "nets": (("_replacing", *GROUND), {"torch", "timm", "safetensors"}),
    "pictures": (("_bar", *GROUND), {"numpy", "PIL", "joblib"}),
    "preprocessing": (("_digest", *GROUND, "pictures"), {"numpy", "PIL", "sklearn"}),
    "datasets.drawn": ((*GROUND, "datasets"), {"numpy", "sklearn"}),
    "datasets.published": ((*GROUND, "pictures", "datasets"), {"numpy"}),
    "datasets": (
        (*GROUND, "pictures", "preprocessing", "datasets.drawn", "datasets.published"),
        {"numpy", "PIL", "sklearn", "pandas"},
    ),
    "metrics": (("_bar", *GROUND), {"numpy", "sklearn", "torch"}),
    "model_selection": (GROUND, {"dask", "distributed", "numpy", "sklearn"}),
    "training": (
        ("_asking", "_bar", "_replacing", *GROUND, "losses", "nets"),
        {"numpy", "torch", "skorch"},
    ),
    "embedders.samples": (
        (*GROUND, "pictures", "training"),
        {"numpy", "scipy", "sklearn", "torch", "skorch"},
    ),
    "embedders.state": (
        ("_digest", "_version", *GROUND, "pictures", "training"),
        {"numpy", "sklearn", "torch", "skorch"},
    ),
    "embedders.fitting": (
        (*GROUND, "nets", "metrics", "training", "embedders.state"),
        {"numpy", "scipy", "sklearn", "torch", "skorch"},
    ),
    "embedders.any_loss": (
        (*GROUND, "losses", "nets", "training", "embedders"),
        {"sklearn", "torch", "skorch"},
    ),
    "embedders.gaussian": (
        (
            "_asking",
            *GROUND,
            "losses",
            "nets",
            "training",
            "embedders",
            "embedders.samples",
            "embedders.state",
            "embedders.fitting",
        ),
        {"numpy", "scipy", "sklearn", "torch", "skorch"},
    ),
    "embedders.composed": (
        (*GROUND, "embedders", "embedders.samples"),
        {"numpy", "sklearn"},
    ),
    "embedders": (
        (
            "_version",
            *GROUND,
            "losses",
            "nets",
            "pictures",
            "training",
            "embedders.samples",
            "embedders.state",
            "embedders.fitting",
            "embedders.any_loss",
            "embedders.gaussian",
            "embedders.composed",
        ),
        {"numpy", "scipy", "sklearn", "torch", "skorch"},
    ),
    "pretraining": (
        ("_version", "_bar", "_replacing", *GROUND, "datasets", "metrics", "nets", "training"),
        {"joblib", "numpy", "scipy", "sklearn", "torch"},
    ),
    "persistence": (
        (
            "_version",
            "_replacing",
            *GROUND,
            "nets",
            "preprocessing",
            "metrics",
            "training",
            "embedders",
            "embedders.state",
            "embedders.composed",
        ),
        {"numpy", "sklearn", "torch", "safetensors", "joblib", "skorch", "onnx"},
    ),
    "inspection": (
        (
            "_paired",
            "_replacing",
            *GROUND,
            "pictures",
            "datasets",
            "metrics",
            "training",
            "embedders",
            "embedders.composed",
        ),
        {"numpy", "scipy", "sklearn", "torch", "matplotlib", "PIL", "umap"},
    ),
    "evaluation": (
        (
            "_version",
            "_bar",
            "_paired",
            *GROUND,
            "datasets",
            "metrics",
            "model_selection",
            "embedders",
            "embedders.samples",
            "embedders.state",
            "embedders.fitting",
            "embedders.composed",
        ),
        {
            "pytorch_metric_learning",
            "numpy",
            "scipy",
            "sklearn",
            "torch",
            "skorch",
            "joblib",
        },
    ),
    "cli": (
        (
            "_version",
            "_replacing",
            *GROUND,
            "pictures",
            "preprocessing",
            "datasets",
            "model_selection",
            "training",
            "persistence",
            "inspection",
            "evaluation",
        ),
        {
            "numpy",
            "scipy",
            "sklearn",
            "torch",
            "matplotlib",
            "tqdm",
            "pyarrow",
            "PIL",
            "joblib",
            "distributed",
        },
    ),
    "__main__": (("cli",), set()),
    "": (
        (
            "_version",
            "exceptions",
            "embedders",
            "datasets",
            "inspection",
            "evaluation",
            "losses",
            "metrics",
            "model_selection",
            "nets",
            "persistence",
            "preprocessing",
            "pretraining",
            "training",
        ),
        set(),
    ),
}
# Imported when used, never by `import skfer`. pandas, where there is one, comes with scikit-learn.
HEAVY = ("kornia", "pytorch_metric_learning", "matplotlib", "timm", "torch", "sklearn")
# Folders that only one machine has.
MACHINE_PATHS = re.compile(r"(?<![\w.])/(home|root|work|tmp|Users)/")
FOLDERS = (".", "skfer", "tests", "benchmarks", "docs", "examples")
SUFFIXES = {".py", ".md", ".rst", ".toml", ".txt", ".cff", ".yaml", ".yml"}
SOURCES = sorted(PACKAGE.rglob("*.py"))


def module_of(path):
    """Full name of a file's module."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path) for path in SOURCES}


def room_of(module):
    """The innermost room that holds a module of skfer; "" for the package itself."""
    inner = module.removeprefix("skfer").removeprefix(".")
    return max((r for r in ROOMS if inner == r or inner.startswith(f"{r}.")), key=len, default="")


def imported(path):
    """Full names of what a file imports, inside functions and under TYPE_CHECKING too.

    ``from skfer import X`` is the module skfer.X where there is one.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


def test_the_docs_have_the_same_list():
    text = (REPOSITORY / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = {}
    for name, below, packages in re.findall(
        r"^\| `(.+?)` \| (.+?) \| (.+?) \|", text, re.MULTILINE
    ):
        rooms, others = (
            {word for word in cell.split(", ") if word != "-"} for cell in (below, packages)
        )
        rooms |= set(GROUND) if "ground" in rooms else set()
        room = name.removesuffix("/").removesuffix(".py").replace("/", ".")
        table[room] = ({word.replace("/", ".") for word in rooms - {"ground"}}, others)
    assert table == {room: (set(below), extra) for room, (below, extra) in ROOMS.items() if room}


def test_every_file_is_in_a_room():
    rooms = {room_of(module_of(path)) for path in SOURCES}
    assert rooms == set(ROOMS)
    at_top = {path.stem for path in PACKAGE.glob("*.py")}
    assert at_top == {
        *(
            "__init__",
            "__main__",
            "_asking",
            "_bar",
            "_code",
            "_digest",
            "_paired",
            "_replacing",
            "_typing",
            "_version",
            "exceptions",
        )
    }


@pytest.mark.parametrize("room", ROOMS)
def test_room_imports_only_from_below(room):
    below, packages = ROOMS[room]
    faults = []
    for path in SOURCES:
        if room_of(module_of(path)) != room:
            continue
        for name in imported(path):
            top = name.partition(".")[0]
            if top == "skfer":
                fine = room_of(name) in (room, *below)
            else:
                fine = top in packages or top in sys.stdlib_module_names
            if not fine:
                faults.append(f"skfer/{path.relative_to(PACKAGE)} imports {name}")
    assert not faults, "\n".join(faults)


def test_rooms_stand_on_floors():
    # A room within a room shares its floor.
    def floor(room):
        return room.partition(".")[0]

    names = list(dict.fromkeys(map(floor, ROOMS)))
    order = {name: number for number, name in enumerate(names) if name}
    for room, (below, _) in ROOMS.items():
        if room:  # the package itself names all rooms, and imports them when they are used
            upward = [r for r in below if r and order[floor(r)] > order[floor(room)]]
            assert not upward, f"{room} stands on {upward}"


def test_no_name_is_taken_that_may_not_be_there():
    """Names with an underscore come and go: a new one must be in the oldest versions too."""
    found = {
        f"{node.module}.{alias.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and not node.module.startswith("skfer")
        for alias in node.names
        if alias.name.startswith("_")
    }
    assert found == {
        "sklearn.base._fit_context",
        "sklearn.utils._safe_indexing",
        "sklearn.utils.validation._check_method_params",
        "sklearn.utils.validation._num_samples",
        "torch.nn.modules.batchnorm._BatchNorm",
        "torch.nn.modules.batchnorm._NormBase",
    }


def test_no_circle():
    needs = {
        module_of(path): {n for n in imported(path) if n in MODULES and n != "skfer"}
        for path in SOURCES
        if module_of(path) != "skfer"
    }
    while needs:
        free = {module for module, names in needs.items() if not names & set(needs) - {module}}
        assert free, f"these import each other in a circle: {sorted(needs)}"
        needs = {module: names for module, names in needs.items() if module not in free}


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
