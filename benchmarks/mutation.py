"""Would the tests notice? `python -m benchmarks.mutation [FILE ...] [--sample N] [--seed N]`.

Changes one thing at a time in a file of a kernel (a comparison, a sign, a number, a statement),
runs the tests of that file on it, and prints the share of changes that make a test fail, and those
that do not. Each change is run in a process of its own on a copy of the package, so that nothing of
the repository is written. Not for Windows: processes are forked, so that torch is imported once.
"""

import argparse
import ast
import copy
import gc
import importlib
import json
import os
import random
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

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
    "losses/triplet.py": ("losses/test_triplet.py", "losses/test_multi_threshold.py"),
    "losses/triplet_center.py": (
        "losses/test_triplet_center_module.py",
        "losses/test_triplet_center.py",
    ),
    "losses/multi_threshold.py": ("losses/test_thresholds.py", "losses/test_multi_threshold.py"),
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
# How a run ends in which a test failed, or used up its time of a processor.
FAILED = (1, -signal.SIGXCPU, -signal.SIGKILL)
# Imported before any fork: the package, for what it imports, and what tests import beside it.
AHEAD = (
    "hypothesis.extra.numpy",
    "pytest",
    "pandas",
    "pytorch_metric_learning.losses",
    "pytorch_metric_learning.miners",
    "scipy.spatial.distance",
    "sklearn.decomposition",
    "sklearn.linear_model",
    "sklearn.semi_supervised",
    "skfer.embedders",
    "skfer.losses",
    "skfer.metrics",
    "skfer.model_selection",
)

Counts: TypeAlias = tuple[int, list[str]]

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


class Workplace:
    """A folder with the package as links, in which one file at a time is a changed one."""

    def __init__(self, folder: Path):
        self.folder = folder
        for path in (REPOSITORY / "skfer").rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                link = folder / path.relative_to(REPOSITORY)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path)
        sys.path.insert(0, str(folder))
        sys.pycache_prefix, sys.dont_write_bytecode = str(folder / "compiled"), False

    def try_change(
        self, file: str, text: str, tests: Sequence[str], seconds: int
    ) -> tuple[int, str]:
        """Return how the tests ended with a text in the place of a file, and the last of them."""
        link = self.folder / "skfer" / file
        link.unlink()
        link.write_text(text)
        ended = self.run_tests(tests, seconds)
        link.unlink()
        link.symlink_to(REPOSITORY / "skfer" / file)
        return ended

    def run_tests(self, tests: Sequence[str], seconds: int | None = None) -> tuple[int, str]:
        """Return how tests ended in a child process, and the last of them."""
        last = self.folder / "last"
        last.write_text("")
        child = os.fork()
        if child == 0:
            _run_tests(tests, last, seconds)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), last.read_text()


class _Last:
    """Writes down which test runs: of a run that stops at a failure, the last one noticed."""

    def __init__(self, path: Path):
        self.path = path

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.path.write_text(nodeid)


def _run_tests(tests: Sequence[str], last: Path, seconds: int | None) -> None:
    status = 1
    try:
        # What is compiled for a change is for this change alone.
        sys.dont_write_bytecode = seconds is not None
        if seconds is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        _forget()
        status = _pytest("-x", *tests, plugins=[_Last(last)])
    finally:
        os._exit(status)


def _pytest(*arguments: str, plugins: Sequence[object] = ()) -> int:
    """Run pytest in silence, without a search for simpler examples."""
    import pytest

    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    settings = ["-q", "-p", "no:cacheprovider", "--hypothesis-profile=first"]
    settings += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main([*settings, *arguments], plugins=list(plugins)))


def _forget() -> None:
    """Let the package and its tests be imported anew."""
    for name in list(sys.modules):
        if name.partition(".")[0] in ("skfer", "tests", "helpers", "conftest"):
            del sys.modules[name]


class Notes:
    """Which test noticed which change, kept in a file: on the next run it is tried first."""

    def __init__(self, path: Path | None):
        self.path = path
        lines = path.read_text().splitlines() if path is not None and path.exists() else []
        self.tests = {note["key"]: note["test"] for note in map(json.loads, lines)}

    def keep(self, key: str, change: str, test: str | None) -> None:
        """Write down the test that noticed a change, None where there is none."""
        if self.path is not None and self.tests.get(key, "") != test:
            with self.path.open("a") as file:
                file.write(json.dumps({"key": key, "change": change, "test": test}) + "\n")


def run(workplace: Workplace, file: str, sample: int | None, seed: int, notes: Notes) -> Counts:
    """Return how many changes were tried, and those that no test noticed."""
    source, tests = (REPOSITORY / "skfer" / file).read_text(), _paths(KERNELS[file])
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    if workplace.run_tests(tests)[0] != 0:
        raise SystemExit(f"the tests of {file} fail without any change: mend that first.")
    # After three times as long a change counts as noticed: it made an endless loop.
    seconds = 30 + 3 * int(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    changed = list(mutants(source))
    if sample is not None and sample < len(changed):
        changed = random.Random(seed).sample(changed, sample)
    unnoticed = []
    for line, description, text in sorted(changed):
        change, key = f"skfer/{file}:{line}: {description}", sha256(text.encode()).hexdigest()
        first = notes.tests.get(key)
        if first and workplace.try_change(file, text, [first], seconds)[0] in FAILED:
            continue
        status, test = workplace.try_change(file, text, tests, seconds)
        notes.keep(key, change, test if status else None)
        if not status:
            unnoticed.append(change)
            print(f"not noticed: {change}", flush=True)
    return len(changed), unnoticed


def _paths(tests: Sequence[str]) -> list[str]:
    return [str(Path("tests") / test) for test in tests]


def main() -> int:
    arguments = parsed()
    os.chdir(REPOSITORY)
    notes = Notes(arguments.notes)
    rows, n_all, n_noticed = [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        workplace = Workplace(Path(folder))
        for name in AHEAD:
            importlib.import_module(name)
        gc.freeze()
        for file in arguments.files or KERNELS:
            n, unnoticed = run(workplace, file, arguments.sample, arguments.seed, notes)
            noticed = n - len(unnoticed)
            rows.append([file, *_row(n, noticed)])
            print(*rows[-1], flush=True)
            n_all, n_noticed = n_all + n, n_noticed + noticed
    rows.append(["all", *_row(n_all, n_noticed)])
    text = table(["file", "changes", "noticed", "share"], rows)
    print(text)
    if arguments.write:
        record(TITLE, text)
    return 0


def _row(n: int, noticed: int) -> tuple[int, int, str]:
    return n, noticed, f"{noticed / n:.1%}"


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", metavar="FILE", help=f"of {', '.join(KERNELS)}")
    parser.add_argument("--sample", type=int, help="changes of a file, drawn; all by default")
    parser.add_argument("--seed", type=int, default=0, help="draws them")
    parser.add_argument("--notes", type=Path, help="keep in this file which test noticed a change")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    unknown = set(arguments.files) - set(KERNELS)
    if unknown:
        parser.error(f"no kernel: {sorted(unknown)}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
