"""FER2013, the faces of the Kaggle challenge of 2013."""

import os
import re
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skfer.datasets._aligned import resized
from skfer.datasets._docs import documented
from skfer.datasets._layout import (
    Labelled,
    find_file,
    labelled_pictures,
    no_layout,
    part_folders,
    relative,
    without_repeats,
)
from skfer.datasets._listing import PARTS, Listing, Options, check_root, load
from skfer.datasets._vocabulary import EXPRESSION_CODES, EXPRESSIONS
from skfer.pictures import DatasetError, PictureError, Problem, in_part

CODES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
PUBLISHED = {
    "anger": 4953,
    "disgust": 547,
    "fear": 5121,
    "happiness": 8989,
    "sadness": 6077,
    "surprise": 4002,
    "neutral": 6198,
}
PUBLISHED_PARTS = {"train": 28_709, "validation": 3_589, "test": 3_589}
LAYOUTS = (
    "fer2013.csv (or icml_face_data.csv) with the columns emotion, pixels and Usage",
    "train/angry/*.jpg and test/angry/*.jpg",
)
SIDE = 48
_USAGE = re.compile(r"^(Training|PublicTest|PrivateTest)_", re.IGNORECASE)
_NUMBERED = re.compile(r"^(Training|PublicTest|PrivateTest)_(\d+)(?!\d)", re.IGNORECASE)
_DESCR = """\
FER2013
-------

35,887 faces from an image search, 48 x 48 pixels, grey: anger 4953, disgust 547, fear 5121,
happiness 8989, sadness 6077, surprise 4002, neutral 6198. Official parts: train 28,709, validation
(PublicTest) 3,589, test (PrivateTest) 3,589. About a third of the labels is debatable; people
reach an accuracy of about 0.65.

The set holds about 1,500 groups of identical images, 556 of them across the official parts.
`groups` numbers identical images alike, so that folds by group keep them together; it is not the
person. The official parts share faces whatever is done.

Origin: P.-L. Carrier and A. Courville for the ICML 2013 workshop; distributed by Kaggle.
Terms: for research; the pictures belong to their owners.
Cite: I. J. Goodfellow et al., "Challenges in representation learning: a report on three machine
learning contests", ICONIP 2013.
"""


@documented
def load_fer2013(
    root: str | os.PathLike[str],
    *,
    image_size: int | tuple[int, int] | None = 48,
    color: bool = False,
    classes: Iterable[str] | None = None,
    subset: str | Iterable[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    on_error: str = "raise",
    return_X_y: bool = False,
    as_frame: bool = False,
    verbose: bool | int = False,
) -> Any:
    """Load FER2013 from a local copy.

    Two layouts are read: `fer2013.csv` (or `icml_face_data.csv`) with the columns emotion, pixels
    and Usage in any order, and the folder form `train/<class>/`, `test/<class>/`. There the names
    tell validation from test (`PublicTest_3.jpg`, `PrivateTest_7.jpg`); where they do not, all of
    `test/` is "test".

    Parameters
    ----------
    root : str or path-like
        The folder that holds the table or the folders.
    {size}
    {parts}
    {rest}

    Returns
    -------
    faces : :class:`~sklearn.utils.Bunch`
        {bunch}

        `groups` numbers identical images alike: over the whole table by its pixels, whatever
        `subset`, `classes` and `image_size` are, so that parts loaded apart agree; in the
        folder form over the images that are loaded, as they are loaded. Images from the table
        have names like `fer2013.csv:17`, the line.
    (data, target) : tuple
        With `return_X_y=True`.

    Raises
    ------
    {raises}

    See Also
    --------
    load_fer_plus : The same faces with better labels.

    References
    ----------
    .. [1] I. J. Goodfellow et al., "Challenges in representation learning", ICONIP 2013.

    Examples
    --------
    >>> import os, tempfile
    >>> from skfer.datasets import load_fer2013
    >>> with tempfile.TemporaryDirectory() as root:
    ...     with open(os.path.join(root, "fer2013.csv"), "w") as file:
    ...         for row in (("emotion", "pixels", "Usage"), (3, "7 " * 2304, "Training")):
    ...             print(*row, sep=",", file=file)
    ...     faces = load_fer2013(root)
    >>> faces.images.shape, faces.target.tolist(), faces.split.tolist()
    ((1, 48, 48), [4], ['train'])
    """
    options = Options(
        image_size=image_size,
        color=color,
        classes=classes,
        subset=subset,
        cache_dir=cache_dir,
        n_jobs=n_jobs,
        on_error=on_error,
        return_X_y=return_X_y,
        as_frame=as_frame,
        verbose=verbose,
    )
    return load(list_fer2013(check_root(root)), options)


class PixelRow(NamedTuple):
    """A row of fer2013.csv: where its pixels are in the file."""

    line: int
    start: int  # offset of the line in bytes
    length: int
    emotion: str
    usage: str
    group: int  # the same for rows of the same pixels


def list_fer2013(root: Path) -> Listing:
    """Return the faces of either layout, unread."""
    path = find_file(root, "fer2013.csv", "icml_face_data.csv")
    if path is not None:
        return _list_table(root, path)
    parts = part_folders(root)
    if not parts:
        raise no_layout("FER2013", root, LAYOUTS)
    return _list_folders(root, parts)


def _list_table(root: Path, path: Path) -> Listing:
    rows, column = read_pixel_rows(path)
    kept: list[PixelRow] = []
    problems: list[Problem] = []
    for row in rows:
        fault = _fault(row)
        if fault is None:
            kept.append(row)
        else:
            problem = Problem(f"{path.name}, line {row.line}", fault)
            problems.append(in_part(problem, PARTS.get(row.usage, "")))
    target = [EXPRESSION_CODES[CODES[int(row.emotion)]] for row in kept]
    return Listing(
        name="fer2013",
        group_kind="different images",
        root=root,
        filenames=[f"{relative(path, root)}:{row.line}" for row in kept],
        target=np.array(target, dtype=np.int64),
        target_names=EXPRESSIONS,
        descr=_DESCR,
        unit="rows",
        columns={
            "split": np.array([PARTS[row.usage] for row in kept], dtype=np.str_),
            "groups": np.array([row.group for row in kept], dtype=np.int64),
        },
        problems=problems,
        where=[f"{path.name}, line {row.line}" for row in kept],
        sources=[relative(path, root)],
        reader=pixel_reader(path, kept, column),
        layout=LAYOUTS[0],
        published=PUBLISHED,
        published_parts=PUBLISHED_PARTS,
    )


def _fault(row: PixelRow) -> str | None:
    if row.emotion not in ("0", "1", "2", "3", "4", "5", "6"):
        return f"emotion {row.emotion!r} is not a number from 0 to 6"
    if row.usage not in PARTS:
        return f"Usage {row.usage!r} is none of Training, PublicTest and PrivateTest"
    return None


def read_pixel_rows(path: Path) -> tuple[list[PixelRow], int]:
    """Return the rows of fer2013.csv without their pixels, and the column of the pixels.

    The table holds 300 MB of digits: it is read line by line, and the pixels only where and when
    they are needed.
    """
    rows: list[PixelRow] = []
    known: dict[bytes, int] = {}
    with open(path, "rb") as file:
        first = file.readline()
        header = [name.lower() for name in _cells(first.removeprefix(b"\xef\xbb\xbf"))]
        missing = [name for name in ("pixels", "usage") if name not in header]
        if missing:
            raise DatasetError("{} has no column {}.", path, ", ".join(map(repr, missing)))
        emotion = header.index("emotion") if "emotion" in header else -1
        usage, pixels = header.index("usage"), header.index("pixels")
        start = len(first)
        for line, text in enumerate(file, 2):
            cells = _cells(text)
            if any(cells):
                cells += [""] * (len(header) - len(cells))
                label = cells[emotion] if emotion >= 0 else ""
                group = known.setdefault(_digest(cells[pixels]), len(known))
                part = cells[usage].lower()
                rows.append(PixelRow(line, start, len(text), label, part, group))
            start += len(text)
    return rows, pixels


def _digest(pixels: str) -> bytes:
    words = " ".join(pixels.split())
    return blake2b(words.encode("latin-1"), digest_size=16).digest()


def pixel_reader(path: Path, rows: list[PixelRow], column: int) -> Callable[..., np.ndarray]:
    """Return the reader of a `Listing` that takes its pixels from fer2013.csv."""

    def read(i: int, size: tuple[int, int] | None, color: bool) -> np.ndarray:
        row = rows[i]
        with open(path, "rb") as file:
            file.seek(row.start)
            words = _cells(file.read(row.length))[column].split()
        try:
            values = bytes(map(int, words))
        except ValueError:
            raise PictureError("pixels that are no numbers from 0 to 255") from None
        if len(values) != SIDE * SIDE:
            raise PictureError(f"{len(values)} pixels, not {SIDE * SIDE}")
        image = np.frombuffer(values, dtype=np.uint8).reshape(SIDE, SIDE)
        image = np.repeat(image[:, :, None], 3, axis=2) if color else image
        return image if size in (None, (SIDE, SIDE)) else resized(image, size)

    return read


def number_alike(images: np.ndarray) -> dict[str, np.ndarray]:
    """Return groups: the same number for identical images, in order of first appearance."""
    known: dict[bytes, int] = {}
    digests = (blake2b(image.tobytes(), digest_size=16).digest() for image in images)
    groups = [known.setdefault(digest, len(known)) for digest in digests]
    return {"groups": np.array(groups, dtype=np.int64)}


def _cells(line: bytes) -> list[str]:
    return [cell.strip().strip('"').strip() for cell in line.decode("latin-1").split(",")]


def _list_folders(root: Path, parts: list[tuple[str, Path]]) -> Listing:
    found, problems = labelled_pictures(root, parts)
    found, misplaced = _parts_by_name(found)
    found, repeated = without_repeats(found, _stem)
    sizes = PUBLISHED_PARTS
    if all(item.part != "validation" for item in found):
        sizes = {"train": sizes["train"], "test": sizes["validation"] + sizes["test"]}
    target = [EXPRESSION_CODES[item.word] for item in found]
    return Listing(
        name="fer2013",
        group_kind="different images",
        root=root,
        filenames=[item.name for item in found],
        target=np.array(target, dtype=np.int64),
        target_names=EXPRESSIONS,
        descr=_DESCR,
        columns={"split": np.array([item.part for item in found], dtype=np.str_)},
        problems=problems + misplaced + repeated,
        derive=number_alike,
        layout=LAYOUTS[1],
        published=PUBLISHED,
        published_parts=sizes,
    )


def _stem(name: str) -> str | None:
    """Return what a picture of the table is called, such as Training_7, None for another name."""
    match = _NUMBERED.match(name)
    return None if match is None else f"{match[1]}_{match[2]}".lower()


def _parts_by_name(found: list[Labelled]) -> tuple[list[Labelled], list[Problem]]:
    """Tell validation from test by names like PublicTest_3.jpg, where they are so."""
    kept: list[Labelled] = []
    problems: list[Problem] = []
    for item in found:
        match = _USAGE.match(item.name.rpartition("/")[2])
        part = PARTS[match[1].lower()] if match else item.part
        if match and (part == "train") != (item.part == "train"):
            problems.append(Problem(item.name, f"named {match[1]} but in a folder of {item.part}"))
        else:
            kept.append(item._replace(part=part))
    return kept, problems
