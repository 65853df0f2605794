"""What a fit from paths costs beside the same fit from an array of the pictures.

Pictures that take up to a gibibyte are decoded once, the others a few batches ahead in each epoch.
Fits from paths and from arrays take turns. Process time is what a machine with no core to spare
waits; wall time is what a user waited here.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks._timing import one_thread, table
from benchmarks.scaling import decoded_on_the_way, has_timm
from skfer import CrossEntropyEmbedder
from skfer.datasets import decode_images

MOST_OVERHEAD = 0.1
_N_MADE = 100  # different pictures; the others are copies


@dataclass(frozen=True)
class Case:
    """Pictures of one side, brought to another, and a network that learns from them."""

    what: str
    side: int
    image_size: int
    color: bool
    backbone: str
    n: int
    epochs: int
    kept: bool = False


def cases(n: int, n_large: int) -> list[Case]:
    """Return what is measured; a ResNet-18 only where timm is."""
    gray = ("gray to 48, the usual network", 64, 48, False, "scratch", n)
    color = ("color to 48, the usual network", 224, 48, True, "scratch", n)
    # Kept ones are decoded once in a fit: 12 passes are the fewest that `max_epochs="auto"` makes.
    found = [Case(*gray, 12, kept=True), Case(*color, 12, kept=True), Case(*gray, 4)]
    found.append(Case(*color, 4))
    if has_timm():
        found.append(Case("color to 224, ResNet-18", 224, 224, True, "timm/resnet18", n_large, 1))
    return found


def overheads(n: int, n_large: int, repeats: int) -> tuple[str, list[str]]:
    """Return a table of all cases, and a line for each that costs too much."""
    rows, missed = [], []
    for case in cases(n, n_large):
        with tempfile.TemporaryDirectory() as folder:
            paths = _write(Path(folder), case)
            process, wall, alone = _measure(case, paths, repeats)
        extra, waited = process[0] / process[1] - 1, wall[0] / wall[1] - 1
        seconds = [f"{value:.2f}" for value in (*process, *wall)]
        row = [f"{case.side} px, {case.what}", "once" if case.kept else "in each epoch"]
        row += [f"{case.n:,} x {case.epochs}", *seconds, f"{1e3 * alone:.2f}"]
        rows.append([*row, f"{extra:.1%}", f"{waited:.1%}"])
        print(*rows[-1], sep="; ", flush=True)
        if extra > MOST_OVERHEAD:
            missed.append(f"{rows[-1][0]}, decoded {rows[-1][1]}: {extra:.0%} of process time")
    header = ["pictures", "decoded", "n x epochs", "paths, CPU s", "array, CPU s", "paths, wall s"]
    header += ["array, wall s", "decoding one (ms)", f"CPU overhead (<= {MOST_OVERHEAD:.0%})"]
    return table([*header, "wall overhead"], rows), missed


def _write(folder: Path, case: Case) -> list[Path]:
    rng = np.random.RandomState(0)
    paths = []
    for i in range(case.n):
        path = folder / f"{i}.jpg"
        if i < _N_MADE:
            coarse = Image.fromarray(rng.randint(0, 256, (28, 28, 3)).astype(np.uint8))
            picture = coarse.resize((case.side, case.side), Image.Resampling.BICUBIC)
            picture.save(path, quality=90)
        else:
            path.write_bytes(paths[i % _N_MADE].read_bytes())
        paths.append(path)
    return paths


def _measure(
    case: Case, paths: list[Path], repeats: int
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Median seconds (paths, array) of process time and of wall time; seconds to decode one."""
    start = time.process_time()
    images = decode_images(paths, image_size=case.image_size, color=case.color, n_jobs=1)
    alone = (time.process_time() - start) / len(paths)
    y = np.arange(len(paths)) % 7
    size = (case.image_size, case.image_size)

    def fit(X: Any, epochs: int = case.epochs) -> None:
        CrossEntropyEmbedder(
            backbone=case.backbone,
            image_size=size,
            color=case.color,
            max_epochs=epochs,
            random_state=0,
        ).fit(X, y[: len(X)])

    seconds: dict[str, list[tuple[float, float]]] = {"paths": [], "array": []}
    with one_thread(), nullcontext() if case.kept else decoded_on_the_way():
        few = 70
        fit(paths[:few], 1), fit(images[:few], 1)  # what comes first is slower
        for turn in range(repeats):
            order = [("paths", paths), ("array", images)]
            for name, X in order if turn % 2 else reversed(order):
                seconds[name].append(_timed(lambda X=X: fit(X)))
    middle = {
        name: [statistics.median(column) for column in zip(*values, strict=True)]
        for name, values in seconds.items()
    }
    (p_cpu, p_wall), (a_cpu, a_wall) = middle["paths"], middle["array"]
    return (p_cpu, a_cpu), (p_wall, a_wall), alone


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    return time.process_time() - cpu, time.perf_counter() - wall
