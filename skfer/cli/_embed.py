"""`skfer embed`."""

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from skfer._typing import NDArray
from skfer.cli._output import bars_wanted, check_writable, counted, say, warn
from skfer.cli._pictures import (
    FaceReader,
    decoded,
    find_pictures,
    load_model,
    model_and_pictures,
    picture_shape,
    reader_of,
)
from skfer.cli._stage import Stage
from skfer.cli._tables import Write, check_names, writer_of
from skfer.cli.exit_codes import UNUSABLE
from skfer.exceptions import ArgumentError
from skfer.persistence._parts import embedding_part, without_aligners
from skfer.pictures import Chunk
from skfer.preprocessing import FaceDetector
from skfer.training import release_pages

_BATCH = 2048  # pictures in memory: some full batches of the network


def run(arguments: argparse.Namespace) -> int:
    """Write the embedding of each picture; 1 if some could not be used."""
    path: Path = arguments.output
    write = writer_of(path)
    check_writable(path, "--output", or_stdout=False, inputs=arguments.places)
    model_file, places = model_and_pictures(arguments)
    whole = load_model(model_file, arguments.trusted, arguments.device)
    reader = reader_of(whole, arguments.detector)
    model = embedding_part(without_aligners(whole))
    images, names = _images(places, model, arguments.detector)
    check_names(path, names)
    files = names if images is None else [os.path.realpath(places[0])]
    key = _key(model_file, names, files, _reading(reader))
    with Stage(path, key, _n_columns(model)) as stage:
        if stage.n_rows:
            say(f"{stage.n_rows:,} of {len(names):,} pictures were embedded before.")
        rest = names[stage.n_rows :]
        verbose = bars_wanted(arguments.quiet)
        with _told_if_broken_off(stage, len(names)):
            if images is None:
                chunks = decoded(reader, rest, arguments.n_jobs, verbose)
                _embed_files(model, chunks, stage)
            else:
                _embed_array(model, images[stage.n_rows :], stage, verbose)
            bad = _write_rows(stage, path, names, write)
        stage.done()
    done = counted(len(names) - len(bad), "embedding")
    say(f"{done} of {stage.n_columns} coordinates: {path}")
    if len(bad):
        some = ", ".join(names[i] for i in bad[:5])
        more = " ..." if len(bad) > 5 else ""
        warn(f"no row for {counted(len(bad), 'picture')} that could not be used: {some}{more}.")
    return UNUSABLE if len(bad) else 0


def _write_rows(stage: Stage, path: Path, names: Sequence[str], write: Write) -> NDArray[np.intp]:
    """Write what was embedded; return the numbers of the pictures that have no row."""
    rows = stage.read()
    bad = np.flatnonzero(np.isnan(rows[:, 0]))
    write(path, names, rows, np.setdiff1d(np.arange(len(names)), bad))
    return bad


@contextmanager
def _told_if_broken_off(stage: Stage, n_pictures: int) -> Iterator[None]:
    """Tell how many rows are kept, should anything break them off: Ctrl-C, a full disk."""
    try:
        yield
    except BaseException:
        if stage.n_rows:
            done = f"{stage.n_rows:,} of {counted(n_pictures, 'picture')}"
            warn(f"embedded {done}: the same command goes on from there.")
        raise


def _n_columns(model: Any) -> int:
    """Return how many coordinates a model gives a picture: of a gray one."""
    return model.transform(np.zeros((1, *picture_shape(model)), dtype=np.uint8)).shape[1]


def _images(
    places: Sequence[Path], model: Any, detector: str | bool | None
) -> tuple[NDArray[Any] | None, list[str]]:
    """Return pictures that are an array on disk already, or None, and the names of the rows."""
    if len(places) != 1 or places[0].suffix != ".npy":
        return None, _in_order(find_pictures(places))
    if isinstance(detector, str):
        raise ArgumentError(
            "{detector} does not belong to {}, an array of faces that are cut out: leave it out.",
            places[0],
        )
    images = np.load(places[0], mmap_mode="r")
    shape = picture_shape(model)
    if images.shape[1:] != shape:
        raise ArgumentError(
            "{} holds an array of shape {}, and the model takes (n, {}).",
            places[0],
            images.shape,
            ", ".join(map(str, shape)),
        )
    return images, [f"{places[0].name}[{i}]" for i in range(len(images))]


def _reading(reader: FaceReader) -> str:
    """Return a text that differs where pictures may be read otherwise."""
    detector = None if reader.aligner is None else reader.aligner.detector
    # The text of a detector leaves out the middle of long parameters.
    found = detector.fingerprint() if isinstance(detector, FaceDetector) else ""
    return f"{reader!r} {found}"


def _in_order(names: Sequence[str]) -> list[str]:
    """Return the names of pictures, each picture once, in the order of their paths."""
    here = os.getcwd()
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(os.path.join(here, name), name)
    return sorted(first.values(), key=lambda name: Path(name).parts)


def _key(model: Path | None, names: Sequence[str], files: Sequence[str], reading: str) -> str:
    """Return what differs if any row may: of files the state, as reading all takes too long."""
    digest = blake2b(reading.encode(), digest_size=16)
    digest.update(b"" if model is None else model.read_bytes())
    for name in names:
        digest.update(b"\0" + os.fsencode(name))
    for file in files:
        digest.update(b"\0" + os.fsencode(file) + b"\0" + _state(file))
    return digest.hexdigest()


def _state(file: str) -> bytes:
    """Return the size of a file and when it was written; nothing if it is not there."""
    try:
        status = os.stat(file)
    except OSError:  # which is told when it is read
        return b""
    return f"{status.st_size} {status.st_mtime_ns}".encode()


def _embed_array(model: Any, images: NDArray[Any], stage: Stage, verbose: bool) -> None:
    for start in tqdm(range(0, len(images), _BATCH), desc="embedding", disable=not verbose):
        stage.add(model.transform(images[start : start + _BATCH]))
        release_pages(images)


def _embed_files(model: Any, chunks: Iterator[Chunk], stage: Stage) -> None:
    for images, kept, n in _batches(chunks):
        rows = np.full((n, stage.n_columns), np.nan, dtype=np.float32)
        if kept:
            rows[kept] = model.transform(images)
        stage.add(rows)


def _batches(chunks: Iterator[Chunk]) -> Iterator[tuple[NDArray[Any], list[int], int]]:
    """Yield batches of images that suit the network, with their positions among n pictures."""
    images: list[NDArray[Any]] = []
    kept: list[int] = []
    n = 0
    for chunk in chunks:
        order = sorted([*chunk.kept, *chunk.failed])
        good = set(chunk.kept)
        kept += [n + i for i, row in enumerate(order) if row in good]
        images.append(chunk.images)
        n += len(order)
        if n >= _BATCH:
            yield np.concatenate(images), kept, n
            images, kept, n = [], [], 0
    if n:
        yield np.concatenate(images), kept, n
