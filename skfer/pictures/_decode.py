"""Many picture files to one uint8 array, in parallel."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from joblib import effective_n_jobs
from PIL import Image

from skfer._bar import tqdm
from skfer._typing import ArrayLike
from skfer.exceptions import ArgumentError, shorten
from skfer.pictures._problems import DatasetError, Problem, check_on_error, describe, handle
from skfer.pictures._reading import PICTURE, read_picture
from skfer.pictures._upright import PictureError
from skfer.validation import as_list, check_flag, check_verbose

CHUNK = 100  # pictures that a thread decodes in one go
LARGEST = 10_000  # pixels of a side that pictures are resized to
AHEAD = 2  # chunks that each thread may be ahead of the consumer

# Reads picture number i or raises PictureError.
Reader = Callable[[int], np.ndarray]


class Chunk(NamedTuple):
    """A stretch of decoded pictures."""

    images: np.ndarray  # (k, *shape) uint8, the readable ones in order
    kept: list[int]  # their numbers
    failed: list[int]  # the numbers of the others
    problems: list[Problem]  # one for each of `failed`
    differing: list[Problem]  # those of them that are only of another size
    passing: list[Problem]  # those of them that may be gone the next time


def decode_images(
    pictures: ArrayLike | Sequence,
    *,
    image_size: int | tuple[int, int] | None = None,
    color: bool = False,
    n_jobs: int | None = None,
    on_error: str = "raise",
    verbose: bool | int = False,
) -> np.ndarray:
    """Decode pictures into one uint8 array, in the order given.

    Palettes, 16 bits (the upper 8 are kept), transparency (black), EXIF orientation and CMYK are
    dealt with; of several frames the first is read. A JPEG file at least four times as large as
    `image_size` is shrunk while it is decoded, which is several times faster and changes a pixel
    by one or two levels.

    Parameters
    ----------
    pictures : array-like of path or PIL image, shape (n_images,)
        Files (BMP, GIF, JPEG, PNG, PPM/PGM, TIFF or WebP, and AVIF where Pillow has it) or pictures
        of Pillow in any mode, which give the same pixels as their files.
    image_size : int or (height, width), default=None
        Every picture is resized to exactly this many pixels (its aspect ratio is not kept). None
        keeps the size, which must then be the same for all.
    color : bool, default=False
        RGB instead of gray.
    n_jobs : int, default=None
        Threads that decode, as in joblib: None is 1, -1 all cores.
    on_error : {"raise", "skip"}, default="raise"
        Whether a missing, truncated or foreign file is an error or is left out with a warning.
        All files are tried in either case, and the first few and the total are told. The `problems`
        of the :class:`DatasetWarning` name each that was left out, as the last example shows.
    verbose : bool or int, default=False
        Show a progress bar on stderr.

    Returns
    -------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3)
        Gray or RGB, uint8. Fewer than `n_images` if files were skipped.

    Raises
    ------
    DatasetError
        Files cannot be read, or differ in size while `image_size` is None. Also with
        `on_error="skip"` when none is left.
    ValueError
        An argument makes no sense.

    See Also
    --------
    load_image_folder : Pictures with their labels.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from skfer.datasets import decode_images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "face.png")
    ...     Image.new("RGB", (80, 60), "white").save(path)
    ...     images = decode_images([path, path], image_size=24)
    >>> images.shape, images.dtype
    ((2, 24, 24), dtype('uint8'))

    Of files that cannot be read the labels are to be left out too. A picture of Pillow that is left
    out is called by its place, "pictures[0]".

    >>> import warnings
    >>> from skfer.datasets import DatasetWarning
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [os.path.join(folder, name) for name in ("gone.png", "face.png")]
    ...     Image.new("RGB", (80, 60), "white").save(paths[1])
    ...     with warnings.catch_warnings(record=True) as caught:
    ...         warnings.simplefilter("always", DatasetWarning)
    ...         images = decode_images(paths, image_size=24, on_error="skip")
    >>> left_out = {where for warning in caught for where, what in warning.message.problems}
    >>> [label for path, label in zip(paths, ["fear", "anger"]) if path not in left_out]
    ['anger']
    """
    check_on_error(on_error)
    check_flag(color, "color", hint="True is RGB, False is gray.")
    check_verbose(verbose)
    items = _check_pictures(pictures)
    names = [_name(i, item) for i, item in enumerate(items)]
    size = check_image_size(image_size)
    read = picture_reader(items, size, color)
    shape = first_shape(names, read) if size is None else image_shape(size, color)
    chunks = decode_chunks(read, names, shape, n_jobs=n_jobs, verbose=verbose)
    images, _, problems = gather(chunks, shape, len(names))
    handle(problems, len(names), "files", on_error)
    return images


def _check_pictures(pictures: Any) -> list[Any]:
    """Return a list of paths and PIL images that is not empty, or raise ValueError."""
    if isinstance(pictures, PICTURE):
        raise ArgumentError("{pictures=} is one picture: give a list of them.", pictures=pictures)
    if getattr(pictures, "ndim", 1) > 1:
        pictures = np.ravel(np.asarray(pictures, dtype=object))
    items = as_list(pictures, "pictures", "pictures")
    if not items:
        raise ArgumentError("{pictures} is empty: give at least one.")
    for i, item in enumerate(items):
        if isinstance(item, bytes) and b"\0" in item:
            text = "{pictures}[{}] is the content of a file, not its path: open it by Pillow first."
            raise ArgumentError(text, i)
        if not isinstance(item, PICTURE):
            text = "{pictures}[{}] is neither a path nor a PIL image: {}."
            raise ArgumentError(text, i, shorten(repr(item), 100))
    return items


def _name(i: int, item: Any) -> str:
    return f"pictures[{i}]" if isinstance(item, Image.Image) else os.fsdecode(item)


def check_image_size(image_size: Any) -> tuple[int, int] | None:
    """Return (height, width), or None for None; raise ValueError for anything else."""
    if image_size is None:
        return None
    pair = image_size.tolist() if isinstance(image_size, np.ndarray) else image_size
    pair = (pair, pair) if isinstance(pair, int | np.integer) else pair
    if (
        not isinstance(pair, Sequence)
        or len(pair) != 2
        or any(isinstance(n, bool) or not isinstance(n, int | np.integer) for n in pair)
        or not 1 <= min(pair) <= max(pair) <= LARGEST
    ):
        raise ArgumentError(
            "{image_size=} is not a size: give an int from 1 to {} or (height, width).",
            LARGEST,
            image_size=image_size,
        )
    return int(pair[0]), int(pair[1])


def image_shape(size: tuple[int, int], color: bool) -> tuple[int, ...]:
    """Return the shape of one image."""
    return (*size, 3) if color else size


def picture_reader(pictures: Sequence, size: tuple[int, int] | None, color: bool) -> Reader:
    """Return the function that reads `pictures[i]`, a path or a PIL image."""
    return lambda i: read_picture(pictures[i], size, color)


def first_shape(names: Sequence[str], read: Reader) -> tuple[int, ...]:
    """Return the shape of the first picture that can be read."""
    problems = []
    for i, name in enumerate(names):
        try:
            return read(i).shape
        except PictureError as error:
            problems.append(Problem(name, str(error)))
    check_some_left(problems, len(names))
    raise AssertionError("unreachable: there is at least one name")


def decode_chunks(
    read: Reader,
    names: Sequence[str],
    shape: tuple[int, ...],
    *,
    n_jobs: int | None = None,
    verbose: bool | int = False,
) -> Iterator[Chunk]:
    """Yield the pictures chunk by chunk, in order; raise if they differ in size.

    Threads, because Pillow decodes and resizes without the interpreter lock, and threads need
    neither a copy of the results nor a second interpreter's memory.
    """
    Image.init()  # registers the formats once, before threads would race for it
    starts = range(0, len(names), CHUNK)
    differing: list[Problem] = []
    with tqdm(total=len(names), unit="image", desc="decoding", disable=not verbose) as bar:
        for chunk in _in_order(
            lambda start: _decode_chunk(read, names, start, shape), starts, n_jobs
        ):
            bar.update(len(chunk.kept) + len(chunk.failed))
            differing += chunk.differing
            yield chunk
    if differing:
        text = describe(differing, len(names), "files")
        hint = "Give {image_size=...} to bring all to one size."
        raise DatasetError("{}", text, problems=differing, hint=hint)


def _in_order(
    decode: Callable[[int], Chunk], starts: Iterable[int], n_jobs: int | None
) -> Iterator[Chunk]:
    """Yield decode(start) for each start, a few of them ahead of the consumer.

    A slow disk that a cache is written to must not let the decoded pictures pile up in memory.
    """
    n_threads = _count_threads(n_jobs)
    if n_threads == 1:
        yield from map(decode, starts)
        return
    pending: deque[Future[Chunk]] = deque()
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            for start in starts:
                pending.append(pool.submit(decode, start))
                if len(pending) >= AHEAD * n_threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _count_threads(n_jobs: int | None) -> int:
    if n_jobs is not None and (
        isinstance(n_jobs, bool) or not isinstance(n_jobs, int | np.integer)
    ):
        raise ArgumentError("{n_jobs=} is no number of threads: give an int.", n_jobs=n_jobs)
    if n_jobs == 0:
        raise ArgumentError("{n_jobs=} is no number of threads: give -1 for all cores.", n_jobs=0)
    return int(effective_n_jobs(n_jobs))


def gather(
    chunks: Iterable[Chunk], shape: Sequence[int], total: int
) -> tuple[np.ndarray, list[int], list[Problem]]:
    """Return the images of all chunks, the numbers of those that failed, and why."""
    images = np.empty((total, *shape), dtype=np.uint8)
    failed: list[int] = []
    problems: list[Problem] = []
    n_kept = 0
    for chunk in chunks:
        images[n_kept : n_kept + len(chunk.kept)] = chunk.images
        n_kept += len(chunk.kept)
        failed += chunk.failed
        problems += chunk.problems
    check_some_left(problems, total)
    return images[:n_kept], failed, problems


def check_some_left(problems: Sequence[Problem], total: int) -> None:
    """Raise `DatasetError` if every file is unusable."""
    if len(problems) >= total:
        raise DatasetError("{}", describe(problems, total, "files"), problems=problems)


def _decode_chunk(read: Reader, names: Sequence[str], start: int, shape: tuple[int, ...]) -> Chunk:
    stop = min(start + CHUNK, len(names))
    images = np.empty((stop - start, *shape), dtype=np.uint8)
    kept: list[int] = []
    failed: list[int] = []
    problems: list[Problem] = []
    differing: list[Problem] = []
    passing: list[Problem] = []
    for i in range(start, stop):
        try:
            image = read(i)
        except PictureError as error:
            problem = Problem(names[i], str(error))
            passing += [problem] * error.may_pass
        else:
            if image.shape == shape:
                images[len(kept)] = image
                kept.append(i)
                continue
            problem = Problem(names[i], f"{_size(image.shape)} pixels, not {_size(shape)}")
            differing.append(problem)
        failed.append(i)
        problems.append(problem)
    return Chunk(images[: len(kept)], kept, failed, problems, differing, passing)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"
