"""Speed and memory of decoding into a cache: ``python -m benchmarks.decoding [--write]``.

``--on-the-way`` measures what a fit from paths costs beside one from arrays instead.

Makes a tree of AffectNet's shape (the form of 2021: 20,000 JPEG files of 224 x 224 pixels with
their annotations) and loads it with two jobs into a cache of 64 x 64, in turn with Pillow alone on
two processes doing the same to the same files. Exits with 1 if a target is missed.
"""

import argparse
import io
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from skfer.datasets import load_affectnet

TITLE = "Decoding"
ON_THE_WAY = "Fits from paths (`python -m benchmarks.decoding --on-the-way`)"
N_FILES = 20_000
N_MADE = 200  # different pictures; the others are copies
SIDE = 224
SIZE = 64
N_JOBS = 2
LEAST_SPEED = 0.8
MOST_GROWTH_MIB = 300


def run(n_files: int = N_FILES, repeats: int = 3) -> tuple[str, list[str]]:
    """Measure all; return a report and the targets that were missed."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "affectnet"
        make_tree(root, n_files)
        paths = sorted((root / "train_set" / "images").iterdir())
        rows = [_turn(root, paths, Path(folder) / f"cache{turn}") for turn in range(repeats)]
    return _report(rows, n_files)


def make_tree(root: Path, n_files: int) -> None:
    """Write smooth random pictures with the annotations of AffectNet."""
    images, notes = root / "train_set" / "images", root / "train_set" / "annotations"
    images.mkdir(parents=True)
    notes.mkdir()
    rng = np.random.RandomState(0)
    pictures = [_picture(rng) for _ in range(min(N_MADE, n_files))]
    for i in range(n_files):
        (images / f"{i}.jpg").write_bytes(pictures[i % len(pictures)])
        for name, value in (("exp", str(i % 8)), ("val", "0.25"), ("aro", "-0.5")):
            np.save(notes / f"{i}_{name}.npy", np.array(value))


def _picture(rng: np.random.RandomState) -> bytes:
    coarse = Image.fromarray(rng.randint(0, 256, (28, 28, 3)).astype(np.uint8))
    buffer = io.BytesIO()
    coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _turn(root: Path, paths: list[Path], cache: Path) -> dict[str, float]:
    raw = {name: _pillow(paths, draft) for name, draft in (("draft", True), ("plain", False))}
    command = [sys.executable, "-m", "benchmarks.decoding", "--load", str(root), str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ours = json.loads(done.stdout)
    shown = f"{len(paths)}/{len(paths)}" in done.stderr
    return {**ours, **raw, "bar": float(shown)}


def _pillow(paths: list[Path], draft: bool) -> float:
    """Return the seconds that Pillow takes on two processes, without starting them."""
    chunks = [(paths[i : i + 100], draft) for i in range(0, len(paths), 100)]
    with multiprocessing.get_context("spawn").Pool(N_JOBS) as pool:
        pool.map(_decode, [(paths[:1], draft)] * (2 * N_JOBS), chunksize=1)
        start = time.perf_counter()
        for _ in pool.imap(_decode, chunks):
            pass
        return time.perf_counter() - start


def _decode(task: tuple[list[Path], bool]) -> np.ndarray:
    paths, draft = task
    faces = []
    for path in paths:
        with Image.open(path) as picture:
            if draft:  # decode at half the size, as skfer does
                picture.draft("L", (SIZE, SIZE))
            face = picture.convert("L").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        faces.append(np.asarray(face))
    return np.stack(faces)


def load(root: str, cache: str) -> None:
    """Load once in this process and print the seconds and by how much its memory grew."""
    before = _memory_now()
    start = time.perf_counter()
    faces = load_affectnet(root, image_size=SIZE, cache_dir=cache, n_jobs=N_JOBS, verbose=True)
    first = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    load_affectnet(root, image_size=SIZE, cache_dir=cache)
    again = time.perf_counter() - start
    growth = after / 1024 - before
    print(json.dumps({"first": first, "again": again, "growth": growth, "n": len(faces.images)}))


def _memory_now() -> float:
    """Return the resident memory in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _report(rows: list[dict[str, float]], n_files: int) -> tuple[str, list[str]]:
    from benchmarks._timing import table

    middle = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
    missed = []
    lines = []
    for name, label in (("draft", "the same steps"), ("plain", "decoded whole, then resized")):
        ratio = statistics.median(row[name] / row["first"] for row in rows)
        lines.append([f"Pillow, 2 processes, {label}", f"{middle[name]:.2f}", f"{ratio:.2f}"])
        if ratio < LEAST_SPEED:
            missed.append(f"{ratio:.2f}x the speed of Pillow ({label}), not {LEAST_SPEED}")
    lines.append(["skfer, n_jobs=2, cache written", f"{middle['first']:.2f}", ""])
    lines.append(["skfer, cache opened", f"{middle['again']:.2f}", ""])
    if middle["growth"] > MOST_GROWTH_MIB:
        missed.append(f"memory grew by {middle['growth']:.0f} MiB, not {MOST_GROWTH_MIB}")
    if not all(row["bar"] and row["n"] == n_files for row in rows):
        missed.append("no full progress bar, or not every file loaded")
    text = (
        f"{n_files} JPEG files of {SIDE} x {SIDE} pixels in the tree of AffectNet to {SIZE} x "
        f"{SIZE}, gray; wall time on {os.cpu_count()} cores, median of {len(rows)} turns; skfer "
        "lists the tree and reads the annotations within its time.\n\n"
        f"{table(['what', 'seconds', f'skfer at x its speed (>= {LEAST_SPEED})'], lines)}\n\n"
        f"Memory of skfer grew by {middle['growth']:.0f} MiB (at most {MOST_GROWTH_MIB})."
    )
    return text, missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    parser.add_argument("--files", type=int, default=N_FILES, help="pictures to make")
    parser.add_argument("--repeats", type=int, default=3, help="turns")
    parser.add_argument("--on-the-way", action="store_true", help="fits from paths and from arrays")
    parser.add_argument("--load", nargs=2, metavar=("ROOT", "CACHE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.load:
        load(*arguments.load)
        return 0
    from benchmarks._timing import conclude

    title = ON_THE_WAY if arguments.on_the_way else TITLE
    if arguments.on_the_way:
        from benchmarks._decoding_on_the_way import overheads

        report, missed = overheads(560, 140, arguments.repeats)
    else:
        report, missed = run(arguments.files, arguments.repeats)
    return conclude(title, report, missed, write=arguments.write)


if __name__ == "__main__":
    sys.exit(main())
