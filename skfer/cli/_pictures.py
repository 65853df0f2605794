"""From names of files and folders to the pictures that a model takes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline

from skfer.exceptions import ArgumentError
from skfer.persistence import load
from skfer.pictures import EXTENSIONS, Chunk, decode_chunks, picture_reader


def load_model(arguments: argparse.Namespace) -> Any:
    """Load the wanted model, to run where it is wanted."""
    return load(arguments.model, device=arguments.device or "auto")


def find_pictures(places: Sequence[Path]) -> list[str]:
    """Return the given files, and all pictures in the given folders, sorted there.

    Raises
    ------
    ArgumentError
        If there are none.
    """
    names = [name for place in places for name in _pictures_of(place)]
    if not names:
        told = ", ".join(map(str, places[:3]))
        raise ArgumentError("no pictures in {}: give files, or folders that have some.", told)
    return names


def _pictures_of(place: Path) -> Iterator[str]:
    if not place.is_dir():
        yield str(place)
        return
    for folder, inner, names in os.walk(place):
        inner.sort()
        for name in sorted(names):
            if name.lower().endswith(EXTENSIONS) and not name.startswith("."):
                yield os.path.join(folder, name)


def decoded(model: Any, names: Sequence[str], n_jobs: int, verbose: bool) -> Iterator[Chunk]:
    """Yield the pictures in chunks, as the model takes them."""
    shape = picture_shape(model)
    height, width, *channels = shape
    read = picture_reader(names, (height, width), bool(channels))
    return decode_chunks(read, names, shape, n_jobs=n_jobs, verbose=verbose)


def picture_shape(model: Any) -> tuple[int, ...]:
    """Return the shape of the pictures that a model was fitted on.

    Raises
    ------
    ArgumentError
        If it was fitted on rows of numbers.
    """
    first = model[0] if isinstance(model, Pipeline) else model
    shape = tuple(getattr(first, "input_shape_", ()))
    if len(shape) < 2:
        raise ArgumentError("{model} was not trained on pictures: train one by `skfer train`.")
    return shape
