"""Would the tests notice? `python -m benchmarks.mutation [FILE ...] [--sample N] [--seed N]`.

Changes one thing at a time in a file of a kernel (a comparison, a sign, a number, a statement),
runs the tests of that file on it, and prints the share of changes that make a test fail, and those
that do not. Each change is run in a process of its own on a copy of the package, so that nothing of
the repository is written. Not for Windows: processes are forked, so that torch is imported once.
"""

import argparse
import ast
import copy
import importlib
import os
import random
import resource
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks._timing import record, table

REPOSITORY = Path(__file__).parents[1]
TITLE = "Mutation testing (`python -m benchmarks.mutation`)"
# Files of kernels, and the tests that must notice a change.
KERNELS = {
    "metrics/_calibration.py": ("metrics/test_calibration.py",),
    "metrics/_clustering.py": ("metrics/test_clustering.py",),
    "metrics/_retrieval.py": ("metrics/test_retrieval.py",),
    "model_selection/_duplicates.py": ("model_selection/test_duplicates.py",),
    "model_selection/_leakage.py": ("model_selection/test_leakage.py",),
    "model_selection/_semi_supervised.py": ("model_selection/test_semi_supervised.py",),
    "model_selection/_splitters.py": (
        "model_selection/test_splitters.py",
        "model_selection/test_semi_supervised.py",
        "model_selection/test_leakage.py",
    ),
    "losses/_overflow.py": ("losses/test_triplet_center.py", "losses/test_gaussian.py"),
    "metrics/_ranking.py": ("metrics/test_nearest.py", "metrics/test_retrieval.py"),
    "metrics/_sort_keys.py": ("metrics/test_nearest.py", "metrics/test_retrieval.py"),
    "metrics/_screen.py": ("metrics/test_nearest.py", "metrics/test_retrieval.py"),
    "metrics/_nearest.py": ("metrics/test_nearest.py", "metrics/test_retrieval.py"),
    "metrics/_task.py": ("metrics/test_nearest.py", "metrics/test_retrieval.py"),
    "metrics/_coordinates.py": ("metrics/test_nearest.py", "metrics/test_retrieval.py"),
    "losses/triplet.py": ("losses/test_triplet.py",),
    "losses/triplet_center.py": ("losses/test_triplet_center.py",),
    "losses/multi_threshold.py": ("losses/test_multi_threshold.py",),
    "losses/gaussian.py": ("losses/test_gaussian.py",),
    "training/_sampling.py": ("training/test_sampling.py",),
}
# Numbers that choose how fast something is, not what comes out.
TUNING = {
    "_BLOCK_DISTANCES",
    "_CROWDED_SHARE",
    "_PAIR_NUMBERS",
    "_ROWS",
    "_STRIPE",
    "block",
    "piece",
}
# Seconds of a processor after which a change counts as noticed: it made an endless loop.
PATIENCE = 180

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, description and text of each changed version of a source."""
    tree = ast.parse(source)
    places = [node for node in ast.walk(tree) if _is_code(node)]
    _mark_what_is_left_alone(tree)
    for number, node in enumerate(ast.walk(tree)):
        if getattr(node, "left_alone", False) or node not in places:
            continue
        for description, change in _changes(node):
            twin = copy.deepcopy(tree)
            change(list(ast.walk(twin))[number])
            yield node.lineno, description, ast.unparse(ast.fix_missing_locations(twin))


def _is_code(node: ast.AST) -> bool:
    return hasattr(node, "lineno")


def _mark_what_is_left_alone(tree: ast.AST) -> None:
    """Leave annotations, defaults, raised errors and tuning alone: tests of values see none."""
    for node in ast.walk(tree):
        parts: list[ast.AST] = []
        if isinstance(node, ast.FunctionDef):
            parts = [node.args, *node.decorator_list] + ([node.returns] if node.returns else [])
        elif isinstance(node, ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.Raise | ast.Import | ast.ImportFrom) or _tunes(node):
            parts = [node]
        for part in parts:
            for inner in ast.walk(part):
                vars(inner)["left_alone"] = True


def _tunes(node: ast.AST) -> bool:
    """Whether a statement sets a number of `TUNING`."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id in TUNING for target in targets)


def _changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Yield what can be changed in a node: a description, and a function that does it."""
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and type(node.op) in SWAPS:
        other = SWAPS[type(node.op)]
        yield _said(node, other), lambda twin: setattr(twin, "op", other())
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        other = SWAPS[type(node.ops[0])]
        yield _said(node, other), lambda twin: twin.ops.__setitem__(0, other())
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} -> {not node.value}", lambda t: setattr(t, "value", not t.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield f"{node.value} -> {node.value} + 1", lambda t: setattr(t, "value", t.value + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        yield f"{ast.unparse(node)} without its sign", _drop_sign
    if isinstance(node, ast.AugAssign) or (
        isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
    ):
        yield f"without {ast.unparse(node)}", _make_empty


def _said(node: ast.AST, other: type[ast.AST]) -> str:
    return f"{ast.unparse(node)}: {other.__name__}"


def _drop_sign(node: Any) -> None:
    operand = node.operand
    node.__class__, node.__dict__ = operand.__class__, operand.__dict__


def _make_empty(node: Any) -> None:
    node.__class__ = ast.Expr
    node.value = ast.Constant(None)


def copy_with(folder: Path, file: str, text: str) -> None:
    """Make the package in a folder by links, with one file of another text."""
    here, there = REPOSITORY / "skfer", folder / "skfer"
    for name in Path(file).parts:
        there.mkdir(parents=True)
        for entry in here.iterdir():
            if entry.name not in (name, "__pycache__"):
                (there / entry.name).symlink_to(entry)
        here, there = here / name, there / name
    there.write_text(text)


def is_noticed(file: str, text: str, tests: tuple[str, ...]) -> bool:
    """Run the tests of a file in a child process, on a package with this text in its place."""
    with tempfile.TemporaryDirectory() as folder:
        copy_with(Path(folder), file, text)
        child = os.fork()
        if child == 0:
            _run_tests(folder, tests)
        return os.waitpid(child, 0)[1] != 0


def _run_tests(folder: str, tests: tuple[str, ...]) -> None:
    import pytest

    status = 1
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os.chdir(REPOSITORY)
        sys.path.insert(0, folder)
        for name in [name for name in sys.modules if name.partition(".")[0] == "skfer"]:
            del sys.modules[name]
        paths = [str(Path("tests") / test) for test in tests]
        status = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *paths]))
    finally:
        os._exit(status)


def run(file: str, sample: int | None, seed: int) -> tuple[int, list[str]]:
    """Return how many changes were tried, and those that no test noticed."""
    source, tests = (REPOSITORY / "skfer" / file).read_text(), KERNELS[file]
    if is_noticed(file, source, tests):
        raise SystemExit(f"the tests of {file} fail without any change: mend that first.")
    changed = list(mutants(source))
    if sample is not None and sample < len(changed):
        changed = random.Random(seed).sample(changed, sample)
    unnoticed = []
    for line, description, text in sorted(changed):
        if not is_noticed(file, text, tests):
            unnoticed.append(f"skfer/{file}:{line}: {description}")
            print(f"not noticed: {unnoticed[-1]}", flush=True)
    return len(changed), unnoticed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", metavar="FILE", help=f"of {', '.join(KERNELS)}")
    parser.add_argument("--sample", type=int, help="changes of a file, drawn; all by default")
    parser.add_argument("--seed", type=int, default=0, help="draws them")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    unknown = set(arguments.files) - set(KERNELS)
    if unknown:
        parser.error(f"no kernel: {sorted(unknown)}")
    # Before any fork: what takes long to import, and is no part of the package.
    for name in ("pytest", "sklearn.decomposition", "sklearn.model_selection"):
        importlib.import_module(name)

    rows, n_all, n_unnoticed = [], 0, 0
    for file in arguments.files or KERNELS:
        n, unnoticed = run(file, arguments.sample, arguments.seed)
        share = f"{1 - len(unnoticed) / n:.1%}"
        rows.append([file, n, len(unnoticed), share])
        n_all, n_unnoticed = n_all + n, n_unnoticed + len(unnoticed)
    rows.append(["all", n_all, n_unnoticed, f"{1 - n_unnoticed / n_all:.1%}"])
    text = table(["file", "changes", "not noticed", "noticed"], rows)
    print(text)
    if arguments.write:
        record(TITLE, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
