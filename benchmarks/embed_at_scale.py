"""Two worker processes that embed as the guide says: `python -m benchmarks.embed_at_scale`.

Runs a recipe of the guide, docs/guide/embed_with_ray.py or embed_with_dask.py, and compares it with
two processes that call `transform` at the same time, and with what `transform` gives. The run of
Ray is killed half way, too, and started again. Needs the extras ray and dask.
"""

import argparse
import contextlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

import skfer
from benchmarks._timing import record, table
from skfer.datasets import decode_images, make_expressions

RECIPES = Path(__file__).parents[1] / "docs" / "guide"
WORKERS = 2
SIZE = 48
N_FILES = 2048  # pictures on disk, each of which is in several rows
_MIB = 2**20
_EVERY = 0.5  # seconds between two looks at the processes
_TURN = 4.0  # seconds that one side runs before the other does
Part = Path | tuple[Path, int, int]  # of paths, or rows of an array
Row = tuple[str, str, str, bool | None]


@dataclass(frozen=True)
class Task:
    """What is to be embedded, and the embedding that must come of it."""

    model: Path
    paths: Path
    parts: list[Path]
    images: Path
    n: int
    rows: int
    expected: np.ndarray

    @classmethod
    def make(cls, folder: Path, n: int, rows: int) -> "Task":
        """Draw pictures, fit a model, and write parts of so many rows, and all as an array."""
        faces = make_expressions(N_FILES // 64, 8, image_size=64, random_state=0)
        files = [folder / f"{i:04}.jpg" for i in range(len(faces.images))]
        for file, image in zip(files, faces.images, strict=True):
            Image.fromarray(image).save(file, quality=92)
        some = decode_images(files, image_size=SIZE)
        model = skfer.MultiThresholdEmbedder(image_size=SIZE, max_epochs=1, random_state=0)
        skfer.save(model.fit(some[:512], faces.target[:512]), folder / "smile.skfer")
        (folder / "paths").mkdir()
        parts, which = [], np.arange(n) % len(files)
        for start in range(0, n, rows):
            parts.append(folder / "paths" / f"{start:09}.parquet")
            names = [str(files[i]) for i in which[start : start + rows]]
            pq.write_table(pa.table({"path": names}), parts[-1])
        images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (n, SIZE, SIZE))
        for start in range(0, n, rows):
            images[start : start + rows] = some[which[start : start + rows]]
        images.flush()
        expected = model.transform(some)[which]
        paths = folder / "paths"
        return cls(folder / "smile.skfer", paths, parts, folder / "images.npy", n, rows, expected)

    def blocks(self) -> list[tuple[Path, int, int]]:
        """Return the parts of the array."""
        starts = range(0, self.n, self.rows)
        return [(self.images, k, min(k + self.rows, self.n)) for k in starts]


class Look(NamedTuple):
    """Some processes at a moment."""

    clock: float  # seconds that they were let run
    processor: float  # seconds of processor time of the workers
    rest: float  # and of the others
    done: int
    megabytes: float  # of the largest worker


class Side:
    """Processes that embed parts, and run only when it is their turn.

    Parameters
    ----------
    done : callable
        Returns how many parts are done.
    members : callable
        Returns the processes.
    is_worker : callable
        Whether a process is one of those that embed.
    """

    def __init__(
        self,
        done: Callable[[], int],
        members: Callable[[], list[psutil.Process]],
        is_worker: Callable[[psutil.Process], bool] = lambda process: True,
    ) -> None:
        self.done, self.members, self.is_worker = done, members, is_worker
        self.seconds = 0.0  # that they were let run
        self.taken: dict[int, tuple[bool, float]] = {}  # seconds of processor time
        self.looks = [Look(0.0, 0.0, 0.0, 0, 0.0)]

    def run(self, seconds: float, until: Callable[[], bool]) -> None:
        """Let the processes run, and look at them again and again."""
        start = time.perf_counter() - self.seconds
        end = self.seconds + seconds
        self.each(psutil.Process.resume)
        while self.seconds < end and not until():
            time.sleep(_EVERY)
            self.seconds = time.perf_counter() - start
            self._look()
        self.each(psutil.Process.suspend)
        self.seconds = time.perf_counter() - start  # looking takes time, too

    def _look(self) -> None:
        megabytes = 0.0

        def measure(process: psutil.Process) -> None:
            nonlocal megabytes
            is_worker = self.is_worker(process)
            # What has ended keeps what it took.
            self.taken[process.pid] = is_worker, sum(process.cpu_times()[:2])
            if is_worker:
                megabytes = max(megabytes, process.memory_info().rss / _MIB)

        self.each(measure)
        taken = self.taken.values()
        processor, rest = (sum(s for of, s in taken if of == which) for which in (True, False))
        self.looks.append(Look(self.seconds, processor, rest, self.done(), megabytes))

    def end(self) -> None:
        """Kill what still runs."""
        self.each(psutil.Process.kill)

    def each(self, do: Callable[[psutil.Process], object]) -> None:
        """Do something to each process that is still there."""
        for process in self.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                do(process)

    def has_started(self) -> bool:
        """Return whether each worker may have done a part."""
        return self.done() >= WORKERS

    def start(self) -> Look:
        """Return the first look after each worker had done a part."""
        return next(look for look in self.looks if look.done >= WORKERS)

    def speed(self, rows: int) -> tuple[float, float]:
        """Return the pictures in a second, and in one of the workers' processor time."""
        first, last = self.start(), self.last()
        n = (last.done - first.done) * rows
        return n / (last.clock - first.clock), n / (last.processor - first.processor)

    def overhead(self) -> float:
        """Return how many processors were busy with other things than the workers."""
        first, last = self.start(), self.last()
        return (last.rest - first.rest) / (last.clock - first.clock)

    def last(self) -> Look:
        """Return the first look at which as much was done as in the end."""
        return next(look for look in self.looks if look.done == self.looks[-1].done)

    def memory(self) -> tuple[float, float]:
        """Return the MiB of a worker when a quarter was done, and at the end."""
        busy = [look for look in self.looks if look.megabytes]
        quarter = next(look for look in busy if look.done >= self.looks[-1].done / 4)
        return quarter.megabytes, busy[-1].megabytes


def take_turns(ours: Side, alone: Side, n_parts: int) -> None:
    """Let ours start, and then both run in turns, until ours has done all parts."""
    ours.run(np.inf, until=ours.has_started)
    while ours.done() < n_parts:
        for side in (alone, ours):
            side.run(_TURN, until=lambda side=side: side.done() >= n_parts)


@contextlib.contextmanager
def two_alone(model: Path, parts: Sequence[Part]) -> Iterator[Side]:
    """Start two processes that call `transform` for half of the parts each; give them stopped."""
    context = multiprocessing.get_context("spawn")
    done = [context.RawValue("i", 0) for _ in range(WORKERS)]
    started = [
        context.Process(target=_alone, args=(model, parts[k::WORKERS], done[k]))
        for k in range(WORKERS)
    ]
    for process in started:
        process.start()
    family = [psutil.Process(process.pid) for process in started]
    side = Side(lambda: sum(count.value for count in done), lambda: family)
    try:
        side.run(np.inf, until=side.has_started)
        yield side
    finally:
        for process in started:
            process.terminate()
        side.each(psutil.Process.resume)
        for process in started:
            process.join()


def _alone(model: Path, parts: Sequence[Part], done: Any) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # and so they leave nothing behind
    torch.set_num_threads(1)
    embedder = skfer.load(model)
    for part in parts:
        embedder.transform(_read(part))
        done.value += 1


def _read(part: Part) -> Any:
    if isinstance(part, Path):
        return pq.read_table(part)["path"].to_pylist()
    path, start, stop = part
    return np.load(path, mmap_mode="r")[start:stop]


class Ray(contextlib.AbstractContextManager):
    """A run of the recipe of Ray, which is killed at the end if it still runs."""

    def __init__(self, task: Task, output: Path) -> None:
        call = [sys.executable, RECIPES / "embed_with_ray.py", task.model, task.paths, output]
        environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
        environment.pop("OMP_NUM_THREADS", None)  # the recipe sees to one thread a worker
        environment["RAY_worker_niceness"] = "0"  # as the others have, and not 15
        self.log, self.output = output.with_suffix(".log"), output
        self.before = self.n_done()
        with open(self.log, "w") as file:
            self.driver = subprocess.Popen(
                [*map(str, call), "--workers", str(WORKERS)],
                stdout=file,
                stderr=file,
                env=environment,
            )
        self.side = Side(lambda: self.n_done() - self.before, self.family, _is_of_ray)

    def n_done(self) -> int:
        """Return how many parts are there."""
        return len(list(self.output.glob("*.parquet")))

    def family(self) -> list[psutil.Process]:
        """Return the process of the recipe and all that Ray has started."""
        if self.driver.poll():
            raise SystemExit(f"{self.log.read_text()[-3000:]}\nRay ended.")
        try:
            driver = psutil.Process(self.driver.pid)
            return [driver, *driver.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def __exit__(self, *error: object) -> None:
        self.side.end()
        self.driver.wait()


def _is_of_ray(process: psutil.Process) -> bool:
    return any("MapWorker" in word for word in process.cmdline())


def rows_of_ray(task: Task, folder: Path) -> list[Row]:
    """Measure the recipe of Ray: a run in turns with two processes alone, and one with a kill."""
    n_parts, killed = len(task.parts), folder / "killed"
    with two_alone(task.model, task.parts) as alone, Ray(task, folder / "whole") as whole:
        take_turns(whole.side, alone, n_parts)
    with Ray(task, killed) as run:
        run.side.run(np.inf, until=lambda: run.n_done() >= n_parts / 2)
    before = _stamps(killed)
    with Ray(task, killed) as run:
        run.side.run(np.inf, until=lambda: run.n_done() >= n_parts)
    after = _stamps(killed)
    n_again = sum(after[name] != stamp for name, stamp in before.items())
    return [
        *_rows(task, _embeddings(task, folder / "whole"), whole.side, alone),
        ("killed half way: parts that were done", f"{len(before)} of {n_parts}", "", None),
        ("started again: of these, done again", str(n_again), "0", n_again == 0),
        ("largest difference then", *_difference(_embeddings(task, killed), task.expected)),
    ]


def _stamps(output: Path) -> dict[str, tuple[int, int]]:
    """Return what tells whether a file was written again."""
    stats = {path.name: path.stat() for path in output.glob("*.parquet")}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


def _embeddings(task: Task, output: Path) -> np.ndarray:
    """Return all rows, of which the paths must be those of the parts."""
    rows = []
    for part in task.parts:
        found = pq.read_table(output / part.name)
        if found["path"].to_pylist() != _read(part):
            raise SystemExit(f"{part.name} has other paths than it should have.")
        rows.append(np.stack(found["embedding"].to_numpy()))
    return np.concatenate(rows)


def rows_of_dask(task: Task) -> list[Row]:
    """Measure the recipe of dask in turns with two processes alone."""
    from distributed import Client, LocalCluster, futures_of

    recipe = runpy.run_path(str(RECIPES / "embed_with_dask.py"))
    blocks, model = task.blocks(), skfer.load(task.model)
    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        two_alone(task.model, blocks) as alone,
    ):
        workers = [psutil.Process(pid) for pid in client.run(os.getpid).values()]
        Z = recipe["embed_array"](client, model, task.images, rows=task.rows).persist()
        futures = futures_of(Z)
        ours = Side(lambda: sum(future.done() for future in futures), lambda: workers)
        take_turns(ours, alone, len(blocks))
        ours.each(psutil.Process.resume)
        found = Z.compute()
    return _rows(task, found, ours, alone)


def _rows(task: Task, found: np.ndarray, ours: Side, alone: Side) -> list[Row]:
    """Return what is asked of both engines."""
    quarter, end = ours.memory()
    (speed, of_time), (bare, bare_of_time) = ours.speed(task.rows), alone.speed(task.rows)
    share, share_of_time = speed / bare, of_time / bare_of_time
    hours = 1e9 / of_time / 3600
    return [
        ("largest difference from transform", *_difference(found, task.expected)),
        ("MiB of a worker after a quarter", f"{quarter:.0f}", "", None),
        ("MiB of a worker at the end", f"{end:.0f}", "< 25 more", end - quarter < 25),
        ("pictures/s of two processes alone", f"{bare:.0f}", "", None),
        ("pictures/s of the two workers, in turns", f"{speed:.0f}", "", None),
        ("share of the speed alone", f"{share:.2f}", ">= 0.8", share >= 0.8),
        (
            "share by processor time of workers",
            f"{share_of_time:.2f}",
            ">= 0.8",
            share_of_time >= 0.8,
        ),
        ("processors that the engine takes beside", f"{ours.overhead():.2f}", "", None),
        ("s until each worker had done a part", f"{ours.start().clock:.0f}", "", None),
        ("core-hours for a billion pictures", f"{hours:.0f}", "", None),
    ]


def _difference(found: np.ndarray, expected: np.ndarray) -> tuple[str, str, bool]:
    largest = float(np.abs(found - expected).max())
    return f"{largest:.1g}", "< 1e-5", found.shape == expected.shape and largest < 1e-5


def run(engine: str, n: int, rows: int) -> tuple[str, list[str]]:
    """Return a table of what was measured, and what is not as wanted."""
    with tempfile.TemporaryDirectory() as place:
        task = Task.make(Path(place), n, rows)
        found = rows_of_ray(task, Path(place)) if engine == "ray" else rows_of_dask(task)
    words = {None: "", True: "yes", False: "NO"}
    shown = [(what, number, aim, words[met]) for what, number, aim, met in found]
    files = (
        f"{n:,} rows of {N_FILES:,} JPEG files of 64 x 64 pixels"
        if engine == "ray"
        else (f"{n:,} images of {SIZE} x {SIZE} pixels in a file")
    )
    text = f"{files}, in parts of {rows:,}; {WORKERS} workers, {os.cpu_count()} cores."
    missed = [what for what, *_, met in found if met is False]
    return f"{text}\n\n{table(('what', 'measured', 'wanted', 'met'), shown)}", missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=("ray", "dask"), default="ray")
    parser.add_argument("--pictures", type=int, default=100_000, help="how many rows")
    parser.add_argument("--rows", type=int, default=2_000, help="of a part, or of a block")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    text, missed = run(arguments.engine, arguments.pictures, arguments.rows)
    print(text)
    if missed:
        print("MISSED:", "; ".join(missed), file=sys.stderr)
    if arguments.write:
        command = f"`python -m benchmarks.embed_at_scale --engine {arguments.engine}`"
        record(f"Embedding by two workers, {arguments.engine} ({command})", text)
    return len(missed)


if __name__ == "__main__":
    sys.exit(main())
