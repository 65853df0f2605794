"""What all benchmarks share: interleaved timing, tables, and the page of results."""

import math
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import torch

# Seconds before a function is timed: a program's first calls are slower.
_WARMUP = 0.3
RESULTS = Path(__file__).with_name("RESULTS.md")


def interleave(
    functions: Mapping[str, Callable[[], object]], repeats: int, *, turn: float = 0.01
) -> dict[str, float]:
    """Return the median seconds of process time of a call of each function.

    The functions take turns, so that a machine that slows down slows all of them, and process time
    leaves out what other programs took. A turn is as many calls as fill `turn` seconds, at least
    one. One torch thread: more of them spin on a busy machine.
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    _settle_allocator()
    with one_thread():
        calls = {name: _calls(function, turn) for name, function in functions.items()}
        for _ in range(repeats):
            for name, function in functions.items():
                seconds[name].append(_time(function, calls[name]))
    return {name: statistics.median(values) for name, values in seconds.items()}


def _settle_allocator() -> None:
    """Let malloc keep freed memory for reuse, as it does in any program that trains a network.

    It keeps only a few times the size of the largest block freed so far, and until a network's
    activations have come by, whatever is measured pays for fetching its memory again and again.
    """
    torch.empty(2**25 - 2**20, dtype=torch.uint8)


def _calls(function: Callable[[], object], turn: float) -> int:
    """Warm a function up, and return how many calls fill a turn."""
    end = time.process_time() + _WARMUP
    function()
    while time.process_time() < end:
        function()
    return max(1, round(turn / max(_time(function, 1), 1e-7)))


def _time(function: Callable[[], object], n_calls: int) -> float:
    start = time.process_time()
    for _ in range(n_calls):
        function()
    return (time.process_time() - start) / n_calls


def take_turns(
    runs: Mapping[str, Callable[[], object]], repeats: int, device: str = "cpu"
) -> dict[str, list[float]]:
    """Return the seconds of each run in each round, after one round that warms up.

    Process time on one torch thread; on a GPU wall time, until it has done what it was given. Every
    other round goes the other way.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    with one_thread():
        for run in runs.values():
            run()
        for k in range(repeats):
            for name, run in list(runs.items())[:: 1 if k % 2 else -1]:
                start = clock(device)
                run()
                seconds[name].append(clock(device) - start)
    return seconds


def clock(device: str) -> float:
    """Return process time on a CPU, and on a GPU the wall time when it has nothing left to do."""
    if torch.device(device).type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def ratio(seconds: Mapping[str, list[float]], ours: str, other: str) -> float:
    """Return the median over rounds of how many times as long one run took as another."""
    pairs = zip(seconds[ours], seconds[other], strict=True)
    return statistics.median(a / b for a, b in pairs)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread, and on as many as before afterwards."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Return the power of the size by which the time grows, fitted on logarithms."""
    slope, _ = statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(max(value, 1e-9)) for value in seconds]
    )
    return slope


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out rows as a Markdown table with aligned columns."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells)


def record(title: str, text: str) -> None:
    """Put a section into the page of results, in place of the older one of that title."""
    page = RESULTS.read_text() if RESULTS.exists() else "# Results\n"
    section = f"## {title}\n\n{_provenance()}\n\n{text.strip()}\n"
    older = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if older.search(page):
        page = older.sub(lambda _: section + "\n", page)
    else:
        page = f"{page.rstrip()}\n\n{section}"
    RESULTS.write_text(page.rstrip() + "\n")


def conclude(title: str, report: str, missed: Sequence[str], *, write: bool) -> int:
    """Show a report, put it into the page of results if wished, and tell which targets it missed.

    Returns 1 if there are some: the exit code.
    """
    print(f"## {title}\n\n{report}\n", flush=True)
    if write:
        record(title, report)
    print("\n".join(f"MISSED {miss}" for miss in missed) or "All targets met.")
    return 1 if missed else 0


def _provenance() -> str:
    day = datetime.now(UTC).date().isoformat()
    return f"{day}, {_processor()}, torch {torch.__version__}, commit {_commit()}."


def _processor() -> str:
    name = _cpu()
    return f"{torch.cuda.get_device_name()}, {name}" if torch.cuda.is_available() else name


def _cpu() -> str:
    try:
        facts = Path("/proc/cpuinfo").read_text()
        return re.search(r"model name\s*: (.*)", facts)[1].strip()
    except (OSError, TypeError):
        return platform.processor() or platform.machine()


def _commit() -> str:
    command = ["git", "-C", str(RESULTS.parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
