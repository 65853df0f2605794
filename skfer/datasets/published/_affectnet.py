"""AffectNet, a million faces from the web, half of them labelled by people."""

import hashlib
import os
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from skfer.datasets._aligned import Place, aligning_reader
from skfer.datasets._csv import read_cells
from skfer.datasets._docs import documented
from skfer.datasets._folder import is_litter, pictures_below
from skfer.datasets._layout import as_on_disk, find_file, find_folder, no_layout, relative
from skfer.datasets._listing import Listing, Options, check_root, load
from skfer.datasets._table import inside
from skfer.datasets._vocabulary import EXPRESSION_CODES, EXPRESSIONS, UNLABELED
from skfer.exceptions import ArgumentError
from skfer.pictures import (
    DatasetError,
    PictureError,
    Problem,
    drop_repeats,
    in_part,
    read_number,
    read_numbers,
)

CODES = (
    "neutral",
    "happiness",
    "sadness",
    "surprise",
    "fear",
    "disgust",
    "anger",
    "contempt",
    "none",
    "uncertain",
    "no face",
)
PUBLISHED_2016 = {
    "neutral": 75374,
    "happiness": 134915,
    "sadness": 25959,
    "surprise": 14590,
    "fear": 6878,
    "disgust": 4303,
    "anger": 25382,
    "contempt": 4250,
}
# The same without one picture of contempt, which the later form leaves out.
PUBLISHED_2021 = {**PUBLISHED_2016, "contempt": 4249}
_TRAIN = sum(PUBLISHED_2016.values()) - 4_000  # 287,651
LAYOUTS = (
    "Manually_Annotated_file_lists/training.csv and validation.csv with "
    "Manually_Annotated_Images/<folder>/<name>.jpg",
    "train_set/images/<id>.jpg with train_set/annotations/<id>_exp.npy, and val_set/ alike",
)
_FOLDERS = {"train": "train_set", "validation": "val_set"}
_TABLES = {"train": "training.csv", "validation": "validation.csv"}
HEADER = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
_N_POINTS = 68
_NO_MEASURE = -2
_DESCR = """\
AffectNet, the part that was labelled by hand
---------------------------------------------

420,299 pictures from three search engines (414,799 for training, 5,500 for validation), each seen
by one of twelve people: neutral 75,374, happiness 134,915, sadness 25,959, surprise 14,590, fear
6,878, disgust 4,303, anger 25,382, contempt 4,250, and without expression: none 33,588, uncertain
12,145, no face 82,915. The form of 2021 has the eight expressions only: 287,651 and 3,999 faces of
224 x 224 pixels. Valence and arousal lie in [-1, 1]; -2 means none.

The test part is kept back by its owners; results are reported on the validation part, which has 500
pictures of each class. Nobody knows who is shown, so there are no groups.

Origin: M. H. Mahoor, University of Denver, http://mohammadmahoor.com/affectnet/; on request.
Terms: for non-commercial research; not to be passed on.
Cite: A. Mollahosseini, B. Hasani, M. H. Mahoor, "AffectNet: a database for facial expression,
valence, and arousal computing in the wild", IEEE Trans. Affective Computing 10(1), 2019.
"""


@documented
def load_affectnet(
    root: str | os.PathLike[str],
    *,
    align: str | bool = "auto",
    unlabeled: bool = False,
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
    """Load AffectNet from a local copy.

    Two layouts are read: that of 2016, `Manually_Annotated_file_lists/training.csv` (and
    `validation.csv`, with or without a header line) with `Manually_Annotated_Images/`, each in
    root or in folders below it; and that of 2021, `train_set/` and `val_set/` with `images/` and
    `annotations/`. One of the two parts is enough.

    Parameters
    ----------
    root : str or path-like
        The folder that holds one of these trees.
    align : {"auto", "landmarks", "box"} or False, default="auto"
        How to cut out the face: turned and scaled so that the eyes come to one place (see
        :func:`skfer.preprocessing.align_face`), by the face box, or not at all. "auto" is
        "landmarks" for the layout of 2016 and False for that of 2021, whose pictures are cut
        out by the box already.
    unlabeled : bool, default=False
        Load the pictures labelled none, uncertain and no face too, as -1; without
        a box they are taken whole.
    {size}
    {parts}
    {rest}

    Returns
    -------
    faces : :class:`~sklearn.utils.Bunch`
        {bunch}
        valence, arousal : ndarray of float of shape (n_images,)
            In [-1, 1]; -2 where there is none.
        expression_code : ndarray of int of shape (n_images,)
            As given, 0 to 10, which tells none (8), uncertain (9) and no face (10) apart.
    (data, target) : tuple
        With `return_X_y=True`.

    Raises
    ------
    {raises}

    References
    ----------
    .. [1] A. Mollahosseini, B. Hasani, M. H. Mahoor, "AffectNet", IEEE Trans. Affective
       Computing 10(1), 2019.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> from skfer.datasets import load_affectnet
    >>> with tempfile.TemporaryDirectory() as root:
    ...     part = os.path.join(root, "val_set")
    ...     for folder in ("images", "annotations"):
    ...         os.makedirs(os.path.join(part, folder))
    ...     Image.new("RGB", (224, 224)).save(os.path.join(part, "images", "0.jpg"))
    ...     for name, value in (("exp", "1"), ("val", "0.7"), ("aro", "0.1")):
    ...         np.save(os.path.join(part, "annotations", f"0_{name}.npy"), np.array(value))
    ...     faces = load_affectnet(root)
    >>> faces.target.tolist(), faces.valence.tolist(), faces.split.tolist()
    ([4], [0.7], ['validation'])
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
    listing = list_affectnet(check_root(root), align=align, unlabeled=unlabeled)
    return load(listing, options)


@dataclass
class _Rows:
    """The pictures found so far, in compact columns: there may be half a million."""

    names: list[str] = field(default_factory=list)  # relative to root
    places: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    valence: array = field(default_factory=lambda: array("d"))
    arousal: array = field(default_factory=lambda: array("d"))
    eyes: array = field(default_factory=lambda: array("d"))  # 24 numbers each, nan for none
    boxes: array = field(default_factory=lambda: array("d"))  # x, y, width, height
    problems: list[Problem] = field(default_factory=list)


def list_affectnet(root: Path, *, align: str | bool = "auto", unlabeled: bool = False) -> Listing:
    """Return the pictures of either layout, unread."""
    if align not in ("auto", "landmarks", "box", False):
        raise ArgumentError(
            "{align=} is not known: give 'auto', 'landmarks', 'box' or False.", align=align
        )
    rows = _Rows()
    parts = {
        part: folder
        for part, name in _FOLDERS.items()
        if (folder := find_folder(root, name, depth=2)) is not None
    }
    if parts:
        for part, folder in parts.items():
            _read_annotations(rows, root, part, folder)
        listing, _ = _listing(root, rows, unlabeled)
        listing.layout, listing.published = LAYOUTS[1], PUBLISHED_2021
        listing.published_parts = {"train": _TRAIN, "validation": 3_999}
        listing.missing = [f"{_FOLDERS[part]}/" for part in _FOLDERS if part not in parts]
        return _by_files(listing, False if align == "auto" else align)
    images = find_folder(root, "Manually_Annotated_Images")
    tables = {} if images is None else _find_tables(root, images)
    if images is None or not tables:
        raise no_layout("AffectNet", root, LAYOUTS)
    for part, path in tables.items():
        _read_table(rows, root, images, part, path)
    rows.names = as_on_disk(root, rows.names)
    listing, kept = _listing(root, rows, unlabeled)
    listing.layout, listing.published, listing.unit = LAYOUTS[0], PUBLISHED_2016, "rows"
    listing.published_parts = {"train": _TRAIN, "validation": 4_000}
    listing.missing = [
        f"Manually_Annotated_file_lists/{name}"
        for part, name in _TABLES.items()
        if part not in tables
    ]
    return _by_table(listing, rows, kept, "landmarks" if align == "auto" else align)


def _find_tables(root: Path, images: Path) -> dict[str, Path]:
    """Return the tables, which lie beside the pictures; never look through those."""
    tables: dict[str, Path] = {}
    for place in (images.parent, images.parent.parent):
        if not place.is_relative_to(root):
            continue
        lists = find_folder(place, "Manually_Annotated_file_lists", depth=1)
        for folder in (place, lists or place):
            for part, name in _TABLES.items():
                path = find_file(folder, name, depth=0)
                if path is not None:
                    tables.setdefault(part, path)
    return tables


def _listing(root: Path, rows: _Rows, unlabeled: bool) -> tuple[Listing, np.ndarray]:
    """Return a listing and the numbers of the rows that are in it."""
    once, repeated = drop_repeats(rows.names, rows.codes, rows.places)
    codes = np.array([EXPRESSION_CODES.get(name, UNLABELED) for name in CODES])
    given = np.array(rows.codes, dtype=np.int64)
    kept = np.array([i for i in once if unlabeled or codes[given[i]] >= 0], dtype=np.intp)
    listing = Listing(
        name="affectnet",
        root=root,
        filenames=[rows.names[i] for i in kept],
        target=codes[given[kept]],
        target_names=EXPRESSIONS,
        descr=_DESCR,
        columns={
            "split": np.array([rows.parts[i] for i in kept], dtype=np.str_),
            "valence": np.array(rows.valence)[kept],
            "arousal": np.array(rows.arousal)[kept],
            "expression_code": given[kept],
        },
        problems=rows.problems + repeated,
        where=[rows.places[i] for i in kept],
    )
    return listing, kept


def _read_table(rows: _Rows, root: Path, images: Path, part: str, path: Path) -> None:
    """Add the rows of a table of 2016."""
    folder = relative(images, root)
    header = list(HEADER)
    for line, cells in read_cells(path):
        if line == 1 and "expression" in (cell.strip() for cell in cells):
            header = _check_header([cell.strip() for cell in cells], path)
        elif any(cells):
            place = f"{path.name}, line {line}"
            fault = _add_row(rows, folder, part, place, header, cells)
            if fault is not None:
                rows.problems.append(in_part(Problem(place, fault), part))


def _check_header(header: list[str], path: Path) -> list[str]:
    missing = [name for name in HEADER if name not in header]
    if missing:
        raise DatasetError("{} has no column {}.", path, ", ".join(map(repr, missing)))
    return header


def _add_row(
    rows: _Rows, folder: str, part: str, place: str, header: list[str], cells: list[str]
) -> str | None:
    """Add a row, or return what is wrong with it."""
    if len(cells) != len(header):
        return f"{len(cells)} cells, not {len(header)}"
    row = dict(zip(header, cells, strict=True))
    name = inside(row["subDirectory_filePath"])
    if name is None:
        return f"{row['subDirectory_filePath']!r} leads out of {folder}"
    code = row["expression"].strip()
    if not code.isdecimal() or int(code) >= len(CODES):
        return f"expression {code!r} is not a number from 0 to {len(CODES) - 1}"
    try:
        measures = (
            _measure("valence", float(row["valence"])),
            _measure("arousal", float(row["arousal"])),
        )
        eyes = _eyes(row["facial_landmarks"])
        box = _box([row[name] for name in HEADER[1:5]])
    except ValueError as error:
        return str(error)
    _append(rows, f"{folder}/{name}", f"{place} ({name})", part, int(code), measures)
    rows.eyes.extend(eyes)
    rows.boxes.extend(box)
    return None


def _append(
    rows: _Rows, name: str, place: str, part: str, code: int, measures: tuple[float, float]
) -> None:
    rows.names.append(name)
    rows.places.append(place)
    rows.parts.append(part)
    rows.codes.append(code)
    rows.valence.append(measures[0])
    rows.arousal.append(measures[1])


def _measure(name: str, value: float) -> float:
    """Return valence or arousal, or raise ValueError if it can be neither."""
    if -1 <= value <= 1 or value == _NO_MEASURE:
        return value
    raise ValueError(f"{name} {value:g} is not in [-1, 1], nor -2 for none")


def _eyes(text: str) -> list[float]:
    """Return the 24 numbers of the twelve eye points, nan for a row without landmarks."""
    if text.strip().upper() in ("", "NULL"):
        return [np.nan] * 24
    words = text.strip().strip(";").split(";")
    if len(words) != 2 * _N_POINTS:
        raise ValueError(f"facial_landmarks has {len(words)} numbers, not {2 * _N_POINTS}")
    return [float(word) for word in words[72:96]]


def _box(words: Sequence[str]) -> list[float]:
    if any(word.strip().upper() in ("", "NULL") for word in words):
        return [np.nan] * 4
    return [float(word) for word in words]


def _by_table(listing: Listing, rows: _Rows, kept: np.ndarray, how: str | bool) -> Listing:
    """Let the faces be cut out by the table's landmarks or boxes as they are read."""
    if not how:
        return listing
    eyes = np.array(rows.eyes).reshape(-1, 2, 6, 2)[kept].mean(axis=2)
    corners = np.array(rows.boxes).reshape(-1, 4)[kept]
    boxes = np.hstack([corners[:, :2], corners[:, :2] + corners[:, 2:]])
    listing, kept = _without_unplaced(listing, eyes, boxes, how)
    eyes, boxes = eyes[kept], boxes[kept]

    def place(i: int) -> Place:
        if how == "landmarks" and np.isfinite(eyes[i]).all():
            return Place(landmarks={"left_eye": eyes[i, 0], "right_eye": eyes[i, 1]})
        if np.isfinite(boxes[i]).all():
            return Place(box=boxes[i])
        return Place()

    digest = hashlib.sha256(eyes.tobytes() + boxes.tobytes()).hexdigest()
    listing.reader = aligning_reader([listing.root / name for name in listing.filenames], place)
    listing.reader_key = f"aligned by {how} {digest}"
    return listing


def _without_unplaced(
    listing: Listing, eyes: np.ndarray, boxes: np.ndarray, how: str | bool
) -> tuple[Listing, np.ndarray]:
    """Leave out the labelled faces of which nothing says where they are; whole ones mislead."""
    placed = np.isfinite(boxes).all(axis=1)
    if how == "landmarks":
        placed |= np.isfinite(eyes).all(axis=(1, 2))
    unplaced = np.flatnonzero(~placed & (listing.target != UNLABELED))
    kept = np.setdiff1d(np.arange(len(placed)), unplaced)
    names = listing.filenames if listing.where is None else listing.where
    what = f"it has no {how}: give align=False to take whole pictures"
    parts = listing.columns["split"]
    problems = [
        in_part(Problem(names[i], what), "" if parts is None else str(parts[i])) for i in unplaced
    ]
    return replace(listing.take(kept), problems=listing.problems + problems), kept


def _read_annotations(rows: _Rows, root: Path, part: str, folder: Path) -> None:
    """Add the pictures of a part of 2021."""
    for name in ("images", "annotations"):
        if not (folder / name).is_dir():
            raise DatasetError("{}/ has no folder {}.", relative(folder, root), repr(name))
    found, wrong = pictures_below(root, relative(folder / "images", root))
    problems = list(wrong)
    notes = f"{folder / 'annotations'}{os.sep}"
    listed = (name for name in os.listdir(notes) if not is_litter(name))
    left = {name[:-8] for name in listed if name.endswith("_exp.npy")}
    for name in found:
        stem = name[name.rfind("/") + 1 : name.rfind(".")]
        left.discard(stem)
        start = notes + stem
        try:
            code = read_number(f"{start}_exp.npy")
            measures = (
                _measure("valence", read_number(f"{start}_val.npy")),
                _measure("arousal", read_number(f"{start}_aro.npy")),
            )
        except ValueError as error:
            problems.append(Problem(name, f"its annotations cannot be used: {error}"))
            continue
        if code not in range(len(CODES)):
            what = f"{stem}_exp.npy holds {code:g}, not a number from 0 to {len(CODES) - 1}"
            problems.append(Problem(name, what))
            continue
        _append(rows, name, name, part, int(code), measures)
    where = relative(folder / "annotations", root)
    problems += [
        Problem(f"{where}/{stem}_exp.npy", "a label with no file") for stem in sorted(left)
    ]
    rows.problems += [in_part(problem, part) for problem in problems]


def _by_files(listing: Listing, how: str | bool) -> Listing:
    """Let the faces be turned by the landmark files as they are read."""
    if how == "box":
        raise ArgumentError(
            "{align='box'}: this layout has no boxes. Its pictures are cut out already."
        )
    if not how:
        return listing
    notes = [_note(name) for name in listing.filenames]

    def place(i: int) -> Place:
        try:
            points = read_numbers(listing.root / notes[i])
            return Place(landmarks=points.reshape(_N_POINTS, 2))
        except ValueError as error:
            raise PictureError(f"its landmarks {notes[i]} cannot be read: {error}") from None

    listing.reader = aligning_reader([listing.root / name for name in listing.filenames], place)
    listing.reader_key = "aligned by landmark files"
    listing.sources = listing.filenames + notes
    return listing


def _note(name: str) -> str:
    path = Path(name)
    return (path.parent.parent / "annotations" / f"{path.stem}_lnd.npy").as_posix()
