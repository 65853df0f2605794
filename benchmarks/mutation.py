"""Would the tests notice? `python -m benchmarks.mutation [FILE ...] [--sample N] [--seed N]`.

Changes one thing at a time in a file of a kernel (a comparison, a sign, a number, a statement),
runs the tests of that file on it, and prints the share of changes that make a test fail, and those
that do not. Nothing of the repository is written: each change is made in memory, in a process of
its own. `--notes FILE` keeps which test noticed which change: the next run tries that test first,
and goes on quickly after one that was stopped. Not for Windows: processes are forked.
"""

import argparse
import ast
import copy
import functools
import gc
import importlib
import json
import os
import random
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from benchmarks._timing import record, table

REPOSITORY = Path(__file__).parents[1]
TITLE = "Mutation testing (`python -m benchmarks.mutation`)"
SEARCHING = ("metrics/test_search.py", "metrics/test_nearest.py", "metrics/test_retrieval.py")
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
    "losses/_overflow.py": ("losses/test_overflow.py",),
    "metrics/_ranking.py": SEARCHING,
    "metrics/_sort_keys.py": (
        "metrics/test_sort_keys.py",
        *SEARCHING,
    ),
    "metrics/_screen.py": SEARCHING,
    "metrics/_nearest.py": SEARCHING,
    "metrics/_task.py": SEARCHING,
    "metrics/_coordinates.py": SEARCHING,
    "losses/_voted.py": ("losses/test_multi_threshold.py",),
    "losses/triplet.py": (
        "losses/test_arguments.py",
        "losses/test_triplet.py",
        "losses/test_multi_threshold.py",
    ),
    "losses/triplet_center.py": (
        "losses/test_arguments.py",
        "losses/test_triplet_center_module.py",
        "losses/test_triplet_center.py",
    ),
    "losses/multi_threshold.py": (
        "losses/test_arguments.py",
        "losses/test_thresholds.py",
        "losses/test_multi_threshold.py",
    ),
    "losses/gaussian.py": ("losses/test_arguments.py", "losses/test_gaussian.py"),
    "nets/augment.py": ("nets/test_augment.py",),
    "training/_sampling.py": ("training/test_sampling.py",),
    "training/_schedule.py": ("training/test_schedule.py",),
    "evaluation/_measures.py": ("evaluation/test_measures.py",),
    "_paired.py": ("evaluation/test_paired.py", "inspection/test_comparison.py"),
    "evaluation/_paired.py": ("evaluation/test_paired.py",),
    "evaluation/_subgroups.py": (
        "evaluation/test_subgroups.py",
        "evaluation/test_subgroup_intervals.py",
    ),
    "evaluation/_votes.py": ("evaluation/test_votes.py",),
    "preprocessing/_geometry.py": ("preprocessing/test_geometry.py",),
    "preprocessing/_pixels.py": ("preprocessing/test_pixels.py",),
    "preprocessing/_warp.py": ("preprocessing/test_warp.py",),
    "embedders/fitting/_collapse.py": ("embedders/fitting/test_collapse.py",),
    "embedders/fitting/_credibility.py": ("embedders/fitting/test_credibility.py",),
    "embedders/_directions.py": ("embedders/test_directions.py",),
    "embedders/gaussian/_mixture.py": (
        "embedders/gaussian/test_mixture.py",
        "embedders/gaussian/test_temperature.py",
    ),
    "embedders/gaussian/_objective.py": ("embedders/gaussian/test_objective.py",),
}
# Numbers that choose how fast something is, or are rather too large, and not what comes out.
TUNING = {
    "_AT_ONCE",
    "_BLOCK_DISTANCES",
    "_CHUNK_BYTES",
    "_CPU_CHUNK",
    "_CROWDED_SHARE",
    "_DEVICE_CHUNK",
    "_DIGEST_SIZE",
    "_LEAST_ROWS",
    "_PAIR_NUMBERS",
    "_ROUNDINGS",
    "_ROWS",
    "_SHUFFLED_AT_ONCE",
    "_STRIPE",
    "_most",
    "_piece",
    "_stripe",
    "block",
    "item_size",
    "piece",
    "step",
}
# Imported before any fork: the package, for what it imports, and what tests import beside it.
AHEAD = (
    "hypothesis",
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
    """Leave annotations, defaults, errors, what `zip` checks, and tuning alone.

    Tests of values see none of them. A method without its ``super()`` has code that cannot take
    the place of the former.
    """
    for node in ast.walk(tree):
        parts: list[ast.AST] = []
        if isinstance(node, ast.FunctionDef):
            parts = [node.args, *node.decorator_list] + ([node.returns] if node.returns else [])
        elif isinstance(node, ast.ClassDef):
            parts = [*node.decorator_list]
        elif isinstance(node, ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.keyword) and node.arg == "strict":
            parts = [node.value]
        elif isinstance(node, ast.Raise | ast.Import | ast.ImportFrom) or _tunes(node):
            parts = [node]
        elif isinstance(node, ast.Expr):
            parts = [node] if ast.unparse(node).startswith("super()") else []
        for part in parts:
            for inner in ast.walk(part):
                vars(inner)["left_alone"] = True


def _tunes(node: ast.AST) -> bool:
    """Whether a statement sets a number of `TUNING`."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    names = (getattr(target, "id", getattr(target, "attr", None)) for target in targets)
    return not TUNING.isdisjoint(names)


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
        if node.value + 1 != node.value:
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


class Trial:
    """A plugin of pytest that makes one change after the other, and runs the tests on each.

    Everything is imported and collected once. Each change is made in a process of its own, to the
    functions that are there, and the tests run on it, the quick ones first, until one fails.
    """

    def __init__(self, file: str, changed: Sequence[tuple[int, str, str]], notes: Notes):
        self.file, self.changed, self.notes = file, changed, notes
        self.n_noticed = 0
        self._has_failed = False
        self._out = os.fdopen(os.dup(1), "w")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of pytest's own loop."""
        # In a process of its own too: one that is forked from a process in which torch has
        # computed with two threads hangs as soon as it does so itself.
        seconds = json.loads(in_child(functools.partial(self._time, session.items)) or "null")
        if seconds is None:
            self._say("without any change the tests break off: mend that first.")
            return True
        items = sorted(session.items, key=lambda item: seconds[item.nodeid])
        if failing := [node for node, time in seconds.items() if time is None]:
            self._say(f"without any change {failing} fail: mend that first.")
            return True
        # After three times as long a change counts as noticed: it made an endless loop.
        limit = 30 + 3 * int(sum(seconds.values()))
        for line, description, text in self.changed:
            key, change = sha256(text.encode()).hexdigest(), f"{self.file}:{line}: {description}"
            first = self.notes.tests.get(key)
            ordered = sorted(items, key=lambda item: item.nodeid != first)
            test = in_child(functools.partial(self._first_failure, text, ordered, limit))
            self.notes.keep(key, change, test)
            self.n_noticed += test != ""
            if not test:
                self._say(f"{'not noticed' if test == '' else 'broken off'}: {change}")
        return True

    def _time(self, items: Sequence[pytest.Item]) -> str:
        """Return how many seconds each test takes, null if it fails, as JSON."""
        seconds: dict[str, float | None] = {}
        for item in items:
            start = sum(os.times()[:4])  # with the processes that it starts
            failed = self._fails(item)
            seconds[item.nodeid] = None if failed else sum(os.times()[:4]) - start
        return json.dumps(seconds)

    def _first_failure(self, text: str, items: Sequence[pytest.Item], limit: int) -> str:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        signal.alarm(10 * limit)  # of waiting: on a busy machine a process gets little time
        module = importlib.import_module(f"skfer.{self.file.removesuffix('.py').replace('/', '.')}")
        try:
            twin = make_twin(module, text)
        except Exception:
            return "import"
        take_over(module, twin)
        return next((item.nodeid for item in items if self._fails(item)), "")

    def _fails(self, item: pytest.Item) -> bool:
        """Run a test as pytest does, with the warnings that it lets pass."""
        self._has_failed = False
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        return self._has_failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember whether the test that runs has failed."""
        self._has_failed |= report.failed

    def _say(self, text: str) -> None:
        print(text, file=self._out, flush=True)


def in_child(work: Callable[[], str]) -> str | None:
    """Return what a function returns in a process of its own, None if a signal breaks that off."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(write, work().encode())
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read) as file:
        text = file.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status > 0:  # a fault of this program, and no change that a test has noticed
        raise SystemExit("a trial has failed: see above.")
    return text if status == 0 else None


def make_twin(module: ModuleType, text: str) -> ModuleType:
    """Return a module made of a changed source."""
    twin = ModuleType(module.__name__)
    exec(compile(text, str(module.__file__), "exec"), vars(twin))
    return twin


def take_over(module: ModuleType, twin: ModuleType) -> None:
    """Give the functions, classes and values of a module those of its twin.

    The functions and classes stay the objects that others have imported.
    """
    _move(vars(module), vars(twin), functools.partial(_set_everywhere, module))


def _move(old: Mapping[str, Any], new: Mapping[str, Any], put: Callable[[str, Any], None]) -> None:
    home = old.get("__module__", old.get("__name__"))
    for name in new.keys() & old.keys():
        mine, other = (
            getattr(value, "__func__", getattr(value, "fget", value))
            for value in (old[name], new[name])
        )
        if isinstance(mine, type) and mine is not other and mine.__module__ == home:
            _move(vars(mine), vars(other), functools.partial(setattr, mine))
        elif isinstance(mine, dict) and not str(name).startswith("__"):
            _move(mine, other, mine.__setitem__)
        elif isinstance(mine, FunctionType):
            while mine is not None:
                mine.__code__ = other.__code__
                mine, other = (getattr(f, "__wrapped__", None) for f in (mine, other))
        elif not str(name).startswith("__") and repr(mine) != repr(other):
            put(name, other)


def _set_everywhere(module: ModuleType, name: str, value: object) -> None:
    old = getattr(module, name)
    for other in list(sys.modules.values()):  # of the package, and of its tests
        if getattr(other, "__dict__", {}).get(name) is old:
            setattr(other, name, value)


def run(file: str, sample: int | None, seed: int, notes: Notes) -> tuple[int, int]:
    """Return how many changes of a file were tried, and how many of them a test noticed."""
    changed = list(mutants((REPOSITORY / "skfer" / file).read_text()))
    if sample is not None and sample < len(changed):
        changed = random.Random(seed).sample(changed, sample)
    trial = Trial(file, sorted(changed), notes)
    noticed = in_child(functools.partial(_run_tests, trial, KERNELS[file]))
    if not noticed:
        raise SystemExit(f"the tests of {file} cannot run.")
    return len(changed), int(noticed)


def _run_tests(trial: Trial, tests: Sequence[str]) -> str:
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    settings = ["-q", "-p", "no:cacheprovider", "--hypothesis-profile=first"]
    settings += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    status = pytest.main([*settings, *(f"tests/{test}" for test in tests)], plugins=[trial])
    return str(trial.n_noticed) if status in (0, 1) else ""


def main() -> int:
    arguments = parsed()
    os.chdir(REPOSITORY)
    for name in AHEAD:
        importlib.import_module(name)
    gc.freeze()
    notes = Notes(arguments.notes)
    rows, n_all, n_noticed = [], 0, 0
    for file in arguments.files or KERNELS:
        n, noticed = run(file, arguments.sample, arguments.seed, notes)
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
