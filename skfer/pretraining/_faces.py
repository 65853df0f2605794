"""The drawn faces that a start learns from: made in chunks, kept on disk."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import joblib
import numpy as np

from skfer._replacing import replaced
from skfer.datasets import draw_portraits

PERSONS_PER_CHUNK = 300
SAMPLES_PER_EXPRESSION = 1
_FIELDS = ("images", "target", "units", "pose")


def draw_faces(
    folder: Path, persons: int, image_size: int, seed: int, bar: Any, n_jobs: int | None = None
) -> SimpleNamespace:
    """Draw what is not in the folder yet, in `n_jobs` processes, and return all of it.

    Returns
    -------
    SimpleNamespace
        images (n, size, size), uint8; target (n,), codes of expressions; units (n, n_units),
        intensities of action units; pose (n, 3); digest, a hash of the pictures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbered = list(_chunks(persons))
    paths = [folder / f"{image_size}-{seed}-{number}-{count}.npz" for number, count in numbered]
    parallel = joblib.Parallel(n_jobs, return_as="generator_unordered")
    drawn = parallel(
        joblib.delayed(_draw_once)(path, number, count, image_size, seed)
        for path, (number, count) in zip(paths, numbered, strict=True)
    )
    for count in drawn:
        bar.update(count)
    chunks = [_read(path) for path in paths]
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk["images"].tobytes())
    fields = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in _FIELDS}
    return SimpleNamespace(**fields, digest=digest.hexdigest())


def _chunks(persons: int) -> Iterator[tuple[int, int]]:
    for number, first in enumerate(range(0, persons, PERSONS_PER_CHUNK)):
        yield number, min(PERSONS_PER_CHUNK, persons - first)


def _draw_once(path: Path, number: int, persons: int, image_size: int, seed: int) -> int:
    if not path.exists():
        _write(path, _draw(number, persons, image_size, seed))
    return persons


def _read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {name: file[name] for name in _FIELDS}


def _draw(number: int, persons: int, image_size: int, seed: int) -> dict[str, np.ndarray]:
    """One chunk, whose persons are in no other chunk."""
    rng = np.random.RandomState([seed, number])
    faces = draw_portraits(persons, SAMPLES_PER_EXPRESSION, image_size=image_size, random_state=rng)
    return {
        "images": faces.images,
        "target": faces.target,
        "units": faces.action_units.astype(np.float32),
        "pose": faces.pose.astype(np.float32),
    }


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with replaced(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
