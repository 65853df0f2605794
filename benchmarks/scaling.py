"""How time and memory grow with the data: `python -m benchmarks.scaling [--most N] [--write]`.

For each part the process time on one thread and the peak memory at growing numbers of samples, and
the fitted power of the number beside the one that it must have. Exits with 1 if a part grows
faster.
"""

import argparse
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.utils import Bunch

from benchmarks._timing import exponent, one_thread, record, table
from skfer import (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
from skfer.datasets import load_image_folder, make_expressions
from skfer.embedders import BaseEmbedder, _inputs
from skfer.metrics import clustering_nmi, mean_average_precision_at_r, recall_at_k
from skfer.model_selection import SemiSupervisedSplit, SubjectKFold, check_leakage

TITLE = "Growth (`python -m benchmarks.scaling`)"
# How much more than the expected power counts as a miss: fits of a few times are rough.
TOLERANCE = 0.25


@dataclass(frozen=True)
class Part:
    """Something that is timed at growing numbers of samples.

    ``make(n)`` prepares the data and returns the call that is timed.
    """

    name: str
    make: Callable[[int], Callable[[], object]]
    expected: float
    sizes: tuple[int, ...]


def _embedding(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 32)).astype(np.float32)
    return X, rng.integers(7, size=n), rng.integers(max(10, n // 20), size=n)


def _recall(n: int) -> Callable[[], object]:
    X, y, groups = _embedding(n)
    return lambda: recall_at_k(X, y, k=[1, 8], groups=groups)


def _map_at_r(n: int) -> Callable[[], object]:
    X, y, _ = _embedding(n)
    return lambda: mean_average_precision_at_r(X, y)


def _nmi(n: int) -> Callable[[], object]:
    X, y, _ = _embedding(n)
    return lambda: clustering_nmi(X, y, n_init=1, random_state=0)


def _faces(n: int) -> Bunch:
    rng = np.random.default_rng(0)
    groups = np.array([f"S{person}" for person in rng.integers(max(10, n // 20), size=n)])
    images = rng.integers(256, size=(n, 12, 12), dtype=np.uint8)
    return Bunch(images=images, target=rng.integers(7, size=n), groups=groups)


def _leakage(n: int) -> Callable[[], object]:
    faces = _faces(n)
    return lambda: check_leakage(faces, SubjectKFold(10))


def _subject_folds(n: int) -> Callable[[], object]:
    faces = _faces(n)
    return lambda: list(SubjectKFold(10).split(faces.images, groups=faces.groups))


def _semi_supervised(n: int) -> Callable[[], object]:
    faces = _faces(n)
    y = np.where(np.random.default_rng(0).random(n) < 0.5, -1, faces.target)
    cv = SemiSupervisedSplit(SubjectKFold(10))
    return lambda: list(cv.split(faces.images, y, faces.groups))


def _fit(n: int) -> Callable[[], object]:
    faces = _faces(n)
    model = MultiThresholdEmbedder(max_epochs=1, random_state=0, image_size=16, backbone="scratch")
    return lambda: model.fit(np.pad(faces.images, ((0, 0), (2, 2), (2, 2))), faces.target)


def _transform(n: int) -> Callable[[], object]:
    images = np.pad(_faces(n).images, ((0, 0), (2, 2), (2, 2)))
    y = np.arange(64) % 4
    model = MultiThresholdEmbedder(max_epochs=1, random_state=0, backbone="scratch")
    model.fit(images[:64], y)
    return lambda: model.transform(images)


def _fit_paths(n: int) -> Callable[[], object]:
    folder = tempfile.TemporaryDirectory()
    paths = _write_pictures(folder.name, n)
    model = MultiThresholdEmbedder(max_epochs=1, random_state=0, image_size=16, backbone="scratch")

    def fit(folder: tempfile.TemporaryDirectory = folder) -> None:  # which goes with the call
        with decoded_on_the_way():
            model.fit(paths, np.arange(n) % 7)

    return fit


@contextmanager
def decoded_on_the_way() -> Iterator[None]:
    """Decode in each epoch anew, as what takes more than a gibibyte is."""
    before = _inputs.MOST_DECODED
    _inputs.MOST_DECODED = 0
    try:
        yield
    finally:
        _inputs.MOST_DECODED = before


def _large(n: int) -> tuple[BaseEmbedder, np.ndarray, np.ndarray]:
    images = np.random.default_rng(0).integers(256, size=(n, 224, 224, 3), dtype=np.uint8)
    model = CrossEntropyEmbedder(backbone="timm/resnet18", max_epochs=1, random_state=0)
    return model, images, np.arange(n) % 7


def _fit_large(n: int) -> Callable[[], object]:
    model, images, y = _large(n)
    return lambda: model.fit(images, y)


def _transform_large(n: int) -> Callable[[], object]:
    model, images, y = _large(n)
    model.fit(images[:14], y[:14])
    return lambda: model.transform(images)


def _drawing(n: int) -> Callable[[], object]:
    return lambda: make_expressions(n // 8, 1, image_size=32, random_state=0)


def _loading(n: int) -> Callable[[], object]:
    folder = tempfile.TemporaryDirectory()
    _write_pictures(folder.name, n)
    # The default takes the folder with it, once the call is gone.
    return lambda folder=folder: load_image_folder(
        folder.name, image_size=16, group_pattern=r"(S\d+)_", n_jobs=1
    )


def _write_pictures(folder: str, n: int) -> list[Path]:
    images = np.pad(_faces(n).images, ((0, 0), (2, 2), (2, 2)))
    paths = [
        Path(folder, f"class-{i % 7}", f"S{i % (n // 20):05}_{i}.png") for i in range(len(images))
    ]
    for path, image in zip(paths, images, strict=True):
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    return paths


def _splitting(n: int) -> Callable[[], object]:
    # Each class has two clusters that are far apart.
    rng = np.random.default_rng(0)
    y, half = np.arange(n) % 4, rng.integers(2, size=n)
    X = rng.normal(size=(n, 8)).astype(np.float32)
    X[np.arange(n), y] += 8
    X[:, 4] += 8 * half
    model = GaussianMetricEmbedder(8, max_subclasses=3, max_epochs=6, random_state=0)
    return lambda: model.fit(X, y)


def _fit_of_classes(cls: type, n_classes: int) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(4_000, 16)).astype(np.float32), np.arange(4_000) % n_classes
    model = cls(32, max_epochs=1, random_state=0)
    return lambda: model.fit(X, y)


def _recall_of_classes(n_classes: int) -> Callable[[], object]:
    X, _, groups = _embedding(8_000)
    y = np.arange(8_000) % n_classes
    return lambda: recall_at_k(X, y, k=[1, 8], groups=groups)


LINEAR = (1_000, 10_000, 100_000, 1_000_000)
PAIRS = (2_000, 4_000, 8_000, 16_000)
TRAINED = (1_000, 4_000, 16_000)
PARTS = (
    Part("fit, one epoch", _fit, 1, TRAINED),
    Part("transform", _transform, 1, TRAINED),
    Part("fit, one epoch, paths decoded on the way", _fit_paths, 1, TRAINED),
    Part("recall@1 and @8, with groups", _recall, 2, PAIRS),
    Part("MAP@R", _map_at_r, 2, PAIRS),
    Part("clustering NMI", _nmi, 1, LINEAR[:3]),
    Part("check_leakage, ten folds", _leakage, 1, LINEAR),
    Part("SubjectKFold, ten folds", _subject_folds, 1, LINEAR),
    Part("SemiSupervisedSplit, ten folds", _semi_supervised, 1, LINEAR),
    Part("make_expressions", _drawing, 1, TRAINED),
    Part("load_image_folder", _loading, 1, TRAINED),
    Part("Gaussian, six epochs, classes split", _splitting, 1, TRAINED),
)
# 224 pixels in color and a ResNet-18 of timm, with random weights.
FEW = (64, 128, 256, 512)
LARGE_PARTS = (
    Part("fit, one epoch, 224 px in color, ResNet-18", _fit_large, 1, FEW),
    Part("transform, 224 px in color, ResNet-18", _transform_large, 1, FEW),
)
CLASSES = (2, 10, 100, 1_000)
PARTS_BY_CLASSES = (
    *(
        Part(f"{cls.__name__}, an epoch of 4,000 rows", partial(_fit_of_classes, cls), 1, CLASSES)
        for cls in (
            CrossEntropyEmbedder,
            MultiThresholdEmbedder,
            TripletCenterEmbedder,
            GaussianMetricEmbedder,
        )
    ),
    Part("recall@1 and @8 of 8,000 rows", _recall_of_classes, 0, CLASSES),
)


def has_timm() -> bool:
    """Return whether timm can be used, and tell if it cannot."""
    try:
        import timm  # noqa: F401 (asked for by its name)
    except Exception:  # without a torchvision that goes with torch it fails in many ways
        print("timm is not there: no ResNet-18 (pip install 'skfer[vision]')", file=sys.stderr)
        return False
    return True


def _seconds(call: Callable[[], object]) -> float:
    """Return the process time of a call: of the second one, if the first was short."""
    with one_thread():
        for _ in range(2):
            start = time.process_time()
            call()
            seconds = time.process_time() - start
            if seconds > 1:
                break
    return seconds


def measure(part: Part, most: int) -> tuple[list[str], float]:
    """Return a row of the table, and the fitted power of time over the larger sizes."""
    sizes = [n for n in part.sizes if n <= most]
    seconds, megabytes = [], []
    for n in sizes:
        call = part.make(n)
        seconds.append(_seconds(call))
        tracemalloc.start()
        call()
        megabytes.append(tracemalloc.get_traced_memory()[1] / 1e6)
        tracemalloc.stop()
    # What a call costs by itself hides the growth at the smallest size.
    growth = exponent(sizes[1:], seconds[1:]) if len(sizes) > 2 else float("nan")
    times = ", ".join(f"{value:.3g}" for value in seconds)
    memory = ", ".join(f"{value:.3g}" for value in megabytes)
    n_samples = ", ".join(f"{n:,}" for n in sizes)
    return [part.name, n_samples, times, memory, f"{growth:.2f}", f"{part.expected:g}"], growth


def growth_table(parts: Sequence[Part], most: int, what: str) -> tuple[str, list[str]]:
    """Return the table of some parts, and a line for each that grows faster than it must."""
    rows, misses = [], []
    for part in parts:
        row, growth = measure(part, most)
        rows.append(row)
        print(*row, sep="; ", file=sys.stderr, flush=True)
        if growth > part.expected + TOLERANCE:
            misses.append(f"MISSED {part.name}: grows by {growth:.2f}, must be {part.expected}")
    return table(["part", what, "seconds", "peak MB", "growth", "expected"], rows), misses


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=1_000_000, help="largest number of samples")
    parser.add_argument("--only", nargs="+", help="parts whose names hold a word, by samples alone")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    parts = PARTS + LARGE_PARTS if has_timm() else PARTS
    title, words = TITLE, arguments.only or [""]
    if arguments.only:
        title = title.replace("scaling`", f"scaling --only {' '.join(words)}`")
    chosen = [part for part in parts if any(word in part.name for word in words)]
    by_samples, misses = growth_table(chosen, arguments.most, "samples")
    text, more = by_samples, []
    if not arguments.only:
        by_classes, more = growth_table(PARTS_BY_CLASSES, arguments.most, "classes")
        text = "\n\n".join([by_samples, by_classes])
    print("\n".join([text, *misses, *more]))
    if arguments.write:
        record(title, text)
    return 1 if misses or more else 0


if __name__ == "__main__":
    sys.exit(main())
