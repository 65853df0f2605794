"""RAF-DB, the Real-world Affective Faces data set: its basic expressions."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from skfer.datasets._aligned import Place, aligning_reader, read_points
from skfer.datasets._docs import documented
from skfer.datasets._folder import is_litter
from skfer.datasets._layout import (
    Labelled,
    find_beside,
    find_file,
    find_folder,
    labelled_pictures,
    no_layout,
    part_folders,
    relative,
    without_repeats,
)
from skfer.datasets._listing import Listing, Options, check_root, load
from skfer.datasets._vocabulary import EXPRESSION_CODES, EXPRESSIONS
from skfer.exceptions import ArgumentError
from skfer.pictures import EXTENSIONS, DatasetError, Problem, drop_repeats, in_part

CODES = {
    "1": "surprise",
    "2": "fear",
    "3": "disgust",
    "4": "happiness",
    "5": "sadness",
    "6": "anger",
    "7": "neutral",
}
PUBLISHED = {
    "surprise": 1619,
    "fear": 355,
    "disgust": 877,
    "happiness": 5957,
    "sadness": 2460,
    "anger": 867,
    "neutral": 3204,
}
PUBLISHED_PARTS = {"train": 12_271, "test": 3_068}
LAYOUTS = (
    "EmoLabel/list_patition_label.txt with Image/aligned/train_00001_aligned.jpg "
    "(or Image/original/train_00001.jpg)",
    "train/1/*.jpg to train/7/ and test/1/ to test/7/",
)
_N_POINTS = 5  # left eye, right eye, nose, corners of the mouth
_LISTS = ("list_patition_label.txt", "list_partition_label.txt")
_PICTURE = re.compile(r"^(train|test)_(\d+)(?!\d)", re.IGNORECASE)
_LINE = re.compile(r"^(train|test)(_\d+)\.(\w+)\s+(\S+)$", re.IGNORECASE)
_DESCR = """\
RAF-DB, the Real-world Affective Faces data set (basic expressions)
--------------------------------------------------------------------

15,339 faces from the web, each labelled by about 40 people: train 12,271 (surprise 1290, fear 281,
disgust 717, happiness 4772, sadness 1982, anger 705, neutral 2524), test 3,068 (329, 74, 160,
1185, 478, 162, 680). Aligned faces are 100 x 100 pixels in colour. The official parts are the
protocol; the set does not tell who is shown.

Origin: Pattern Recognition and Intelligent System Laboratory, Beijing University of Posts and
Telecommunications, http://www.whdeng.cn/raf/model1.html; on request.
Terms: for non-commercial research; not to be passed on.
Cite: S. Li, W. Deng, J. Du, "Reliable crowdsourcing and deep locality-preserving learning for
expression recognition in the wild", CVPR 2017.
"""


@documented
def load_raf_db(
    root: str | os.PathLike[str],
    *,
    align: bool | str = True,
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
    """Load the basic expressions of RAF-DB from a local copy.

    Two layouts are read: that of the owners, `EmoLabel/list_patition_label.txt` (also spelled
    `partition`) with `Image/aligned/` and `Image/original/`, in root or in a folder such as
    `basic/` below it (`compound/` beside it is passed over); and the folder form `train/1` to
    `train/7`, `test/1` to `test/7`. There the owners' names tell a picture that is in two classes
    or in the other part.

    Parameters
    ----------
    root : str or path-like
        The folder that holds one of these trees.
    align : bool or "points", default=True
        Read the aligned faces, `Image/aligned/train_00001_aligned.jpg`; False reads the original
        pictures, `Image/original/train_00001.jpg`, as they are: of many sizes, with all that is
        around the face. "points" cuts the face out of the original, by the five points in
        `Annotation/manual/train_00001_manu_attri.txt`, so that the eyes come to one place (see
        :func:`skfer.preprocessing.align_face`). The folder form has only what is in the folders.
    {size}
    {parts}
    {rest}

    Returns
    -------
    faces : :class:`~sklearn.utils.Bunch`
        {bunch}
    (data, target) : tuple
        With `return_X_y=True`.

    Raises
    ------
    {raises}

    References
    ----------
    .. [1] S. Li, W. Deng, J. Du, "Reliable crowdsourcing and deep locality-preserving learning
       for expression recognition in the wild", CVPR 2017.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from skfer.datasets import load_raf_db
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("train/1/train_00001_aligned.jpg", "test/4/test_0001_aligned.jpg"):
    ...         os.makedirs(os.path.dirname(os.path.join(root, name)))
    ...         Image.new("RGB", (100, 100)).save(os.path.join(root, name))
    ...     faces = load_raf_db(root)
    >>> faces.target.tolist(), faces.split.tolist()
    ([7, 4], ['train', 'test'])
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
    return load(list_raf_db(check_root(root), align=align), options)


def list_raf_db(root: Path, *, align: bool | str = True) -> Listing:
    """Return the faces of either layout, unread."""
    if align not in (True, False, "points"):
        raise ArgumentError("{align=} is not known: give True, False or 'points'.", align=align)
    path = _find_list(root)
    if path is not None:
        return _list_owners(root, path, align)
    parts = part_folders(root, CODES)
    if not parts:
        raise no_layout("RAF-DB", root, LAYOUTS)
    if align == "points":
        raise ArgumentError("{align='points'}: the folder form has no points. Leave it out.")
    found, problems = labelled_pictures(root, parts, CODES)
    found, misplaced = _without_misplaced(found)
    found, repeated = without_repeats(found, _stem)
    target = [EXPRESSION_CODES[item.word] for item in found]
    return Listing(
        name="raf-db",
        root=root,
        filenames=[item.name for item in found],
        target=np.array(target, dtype=np.int64),
        target_names=EXPRESSIONS,
        descr=_DESCR,
        columns={"split": np.array([item.part for item in found], dtype=np.str_)},
        problems=problems + misplaced + repeated,
        layout=LAYOUTS[1],
        published=PUBLISHED,
        published_parts=PUBLISHED_PARTS,
    )


def _find_list(root: Path) -> Path | None:
    """Return the list of the labels: that of basic/ where compound/ lies beside it."""
    basic = find_folder(root, "basic", depth=2)
    found = None if basic is None else find_file(basic, *_LISTS, depth=2)
    return found or find_file(root, *_LISTS, depth=3)


def _stem(name: str) -> str | None:
    """Return what the owners call a picture, such as train_00001, None for another name."""
    match = _PICTURE.match(name)
    return None if match is None else f"{match[1]}_{match[2]}".lower()


def _without_misplaced(found: list[Labelled]) -> tuple[list[Labelled], list[Problem]]:
    """Leave out pictures that are named after the other part: one would test on the learned."""
    kept: list[Labelled] = []
    problems: list[Problem] = []
    for item in found:
        match = _PICTURE.match(Path(item.name).name)
        named = "" if match is None else match[1].lower()
        if {named, item.part} == {"train", "test"}:
            problems.append(Problem(item.name, f"named {named} but in a folder of {item.part}"))
        else:
            kept.append(item)
    return kept, problems


def _list_owners(root: Path, path: Path, align: bool | str) -> Listing:
    folder = _image_folder(root, path, "aligned" if align is True else "original")
    found, problems = _read_list(path)
    # The list may say .jpg where the disk has .JPG.
    on_disk = {name.lower(): name for name in sorted(os.listdir(folder))}
    names = []
    for match, _ in found:
        stem = f"{match[1].lower()}{match[2]}"
        name = f"{stem}_aligned.{match[3]}" if align is True else f"{stem}.{match[3]}"
        names.append(f"{relative(folder, root)}/{on_disk.get(name.lower(), name)}")
    target = [EXPRESSION_CODES[CODES[match[4]]] for match, _ in found]
    listing = Listing(
        name="raf-db",
        root=root,
        filenames=names,
        target=np.array(target, dtype=np.int64),
        target_names=EXPRESSIONS,
        descr=_DESCR,
        unit="lines",
        columns={"split": np.array([match[1].lower() for match, _ in found], dtype=np.str_)},
        problems=problems,
        unlisted=_unlisted(folder, root, names),
        where=[
            f"{path.name}, line {n} ({name})" for (_, n), name in zip(found, names, strict=True)
        ],
        layout=LAYOUTS[0],
        published=PUBLISHED,
        published_parts=PUBLISHED_PARTS,
    )
    return _by_points(listing, path) if align == "points" else listing


def _by_points(listing: Listing, path: Path) -> Listing:
    """Let the faces be turned by the points that people marked, as they are read."""
    root = listing.root
    folder = find_beside(path, root, "manual")
    if folder is None:
        raise DatasetError(
            "{root=} has no folder Annotation/manual with the points: unpack it there, or give "
            "another {align}.",
            root=str(root),
        )
    stems = [Path(name).stem for name in listing.filenames]
    notes = [folder / f"{stem}_manu_attri.txt" for stem in stems]
    listing.reader = aligning_reader(
        [root / name for name in listing.filenames],
        # Gender, race and age follow the points.
        lambda i: Place(landmarks=read_points(notes[i], _N_POINTS, further=True)),
    )
    listing.reader_key = "aligned by five points"
    listing.sources = listing.filenames + [relative(note, root) for note in notes]
    return listing


def _unlisted(folder: Path, root: Path, names: list[str]) -> list[str]:
    there = [name for name in sorted(os.listdir(folder)) if not is_litter(name)]
    where = relative(folder, root)
    pictures = [f"{where}/{name}" for name in there if name.lower().endswith(EXTENSIONS)]
    return sorted(set(pictures) - set(names))


def _image_folder(root: Path, path: Path, name: str) -> Path:
    """Return the folder of the pictures that lies beside the list of their labels."""
    folder = find_beside(path, root, name)
    if folder is None:
        zipped = find_file(root, f"{name}.zip", depth=3)
        hint = f"unpack {relative(zipped, root)}" if zipped else "unpack the pictures there"
        raise DatasetError("{root=} has no folder Image/{}: {}.", name, hint, root=str(root))
    return folder


def _read_list(path: Path) -> tuple[list[tuple[re.Match[str], int]], list[Problem]]:
    """Return the good lines of the list and their numbers, and what is wrong with the others."""
    found: list[tuple[re.Match[str], int]] = []
    problems: list[Problem] = []
    for line, written in enumerate(path.read_bytes().splitlines(), 1):
        try:
            text = written.decode("utf-8-sig")
        except UnicodeDecodeError:
            problems.append(Problem(f"{path.name}, line {line}", "not in UTF-8"))
            continue
        match = _LINE.match(text.strip())
        if match is not None and match[4] in CODES:
            found.append((match, line))
        elif match is not None:
            what = f"label {match[4]!r} is not a number from 1 to 7"
            problem = Problem(f"{path.name}, line {line}", what)
            problems.append(in_part(problem, match[1].lower()))
        elif text.strip():
            what = f"{text.strip()!r} is not like 'train_00001.jpg 5'"
            problems.append(Problem(f"{path.name}, line {line}", what))
    kept, repeated = drop_repeats(
        [f"{match[1]}{match[2]}".lower() for match, _ in found],
        [match[4] for match, _ in found],
        [f"{path.name}, line {line}" for _, line in found],
    )
    return [found[i] for i in kept], problems + repeated
