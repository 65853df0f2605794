"""AffectNet, a million faces from the web, half of them labeled by people."""

import functools
import hashlib
import os
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from skfer.datasets._aligned import Place, aligning_reader
from skfer.datasets._classes import own_name, stem
from skfer.datasets._csv import read_cells
from skfer.datasets._docs import documented
from skfer.datasets._listing import Layout, Listing
from skfer.datasets._loading import Options, load
from skfer.datasets._rows import Row, place_of, without_copies
from skfer.datasets._tree import Tree, inside, joined
from skfer.datasets._vocabulary import EXPRESSION_CODES
from skfer.datasets.published._beside import beside_another
from skfer.datasets.published._unknown import half_a_layout, unknown_layout, with_hint
from skfer.exceptions import ArgumentError
from skfer.pictures import DatasetError, PictureError, Problem, in_part, read_number, read_numbers
from skfer.validation import check_choice, check_flag

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
FORM_2016 = Layout(
    "Manually_Annotated_file_lists/training.csv and validation.csv with "
    "Manually_Annotated_Images/<folder>/<name>.jpg",
    PUBLISHED_2016,
    {"train": _TRAIN, "validation": 4_000},
    unit="rows",
)
FORM_2021 = Layout(
    "train_set/images/<id>.jpg with train_set/annotations/<id>_exp.npy, and val_set/ alike",
    PUBLISHED_2021,
    {"train": _TRAIN, "validation": 3_999},
)
_IMAGES, _LISTS = "Manually_Annotated_Images", "Manually_Annotated_file_lists"
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
_INNER = "manuallyannotated(compressed|images|filelists)?|trainset|valset|images|annotations"
_N_POINTS = 68
_NO_MEASURE = -2
_DESCR = """\
AffectNet, the part that was labeled by hand
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
    `annotations/`, of which `<id>_exp.npy` are needed. One of the two parts is enough.

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
        Load the pictures labeled none, uncertain and no face too, as -1; without
        a box they are taken whole.
    {size}
    {parts}
    {rest}

    Returns
    -------
    faces : :class:`~sklearn.utils.Bunch`
        {bunch}
        valence, arousal : ndarray of float of shape (n_images,)
            In [-1, 1]; -2 where there is none, nan where the copy does not tell them.
        expression_code : ndarray of int of shape (n_images,)
            As given, 0 to 10, which tells none (8), uncertain (9) and no face (10) apart.
    (data, target) : tuple
        With `return_X_y=True`.

    Raises
    ------
    {raises}

    See Also
    --------
    check_dataset : Compares a copy with what is published.
    skfer.model_selection.OfficialSplit : The owners' split.

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
    lister = functools.partial(list_affectnet, align=align, unlabeled=unlabeled)
    return load(root, lister, options)


def list_affectnet(tree: Tree, *, align: str | bool = "auto", unlabeled: bool = False) -> Listing:
    """Return the pictures of either layout, unread."""
    check_choice(align, "align", ("auto", "landmarks", "box", False))
    check_flag(unlabeled, "unlabeled")
    found = {part: tree.find_folder(name, depth=2) for part, name in _FOLDERS.items()}
    # Unpacking may leave a folder in one of its own name.
    inner = {part: tree.innermost(folder, _FOLDERS[part]) for part, folder in found.items()}
    folders = {part: folder for part, folder in inner.items() if folder is not None}
    if folders:
        listing = _list_2021(tree, folders, False if align == "auto" else align, unlabeled)
        return beside_another(tree, listing, tree.find_folders(_IMAGES))
    outer = tree.find_folder(_IMAGES, depth=4)  # the owners' archives leave it at 3
    tables = {} if outer is None else _find_tables(tree, outer)
    images = tree.innermost(outer, _IMAGES)
    if images is None:
        raise unknown_layout("AffectNet", tree, [FORM_2016, FORM_2021], _INNER)
    if not tables:
        told = f"The pictures are there, {(images or tree.root.name)!r}, but not the tables: "
        told += f"{' or '.join(_TABLES.values())}, above them or in a folder {_LISTS!r}."
        raise half_a_layout("AffectNet", tree, FORM_2016, told, _INNER)
    how = "landmarks" if align == "auto" else align
    return _list_2016(tree, images, tables, how, unlabeled)


def _listing(layout: Layout, rows: Sequence[Row], problems: list[Problem]) -> Listing:
    """Return the listing of rows that have valence, arousal and the code as `extra`."""
    extra = ("valence", "arousal", "expression_code")
    return Listing("affectnet", _DESCR, layout, [*rows], problems, extra=extra)


def _row(name: str, part: str, code: int, valence: float | None, arousal: float | None) -> Row:
    """Return a picture; raise ValueError if valence or arousal can be neither.

    None is one that the copy does not tell.
    """
    for measure, value in (("valence", valence), ("arousal", arousal)):
        if not (value is None or -1 <= value <= 1 or value == _NO_MEASURE):
            raise ValueError(f"{measure} {value:g} is not in [-1, 1], nor -2 for none")
    label = CODES[code] if CODES[code] in EXPRESSION_CODES else ""
    measures = [np.nan if value is None else value for value in (valence, arousal)]
    return Row(name, label, part, extra=(*measures, code))


# The form of 2016: two tables with landmarks and boxes.


class _Places:
    """Eyes and boxes of the rows of the tables, compact: there may be half a million."""

    def __init__(self) -> None:
        self._eyes = array("d")  # 24 numbers each, nan for none
        self._boxes = array("d")  # x, y, width, height

    def add(self, row: dict[str, str]) -> int:
        """Keep what a row tells and return its number; raise ValueError if it makes no sense."""
        eyes, box = _eyes(row["facial_landmarks"]), _box([row[name] for name in HEADER[1:5]])
        self._eyes.extend(eyes)
        self._boxes.extend(box)
        return len(self._boxes) // 4 - 1

    def eyes(self, numbers: Sequence[int]) -> np.ndarray:
        """Return the middles of the left and the right eye of some rows."""
        return np.array(self._eyes).reshape(-1, 2, 6, 2)[numbers].mean(axis=2)

    def boxes(self, numbers: Sequence[int]) -> np.ndarray:
        """Return the boxes of some rows: x0, y0, x1, y1."""
        boxes = np.array(self._boxes).reshape(-1, 4)[numbers]
        return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])


def _list_2016(
    tree: Tree, images: str, tables: dict[str, str], how: str | bool, unlabeled: bool
) -> Listing:
    places = _Places()
    rows: list[Row] = []
    problems: list[Problem] = []
    for part, table in tables.items():
        found, wrong = _read_table(tree, images, part, table, places)
        rows += found
        problems += wrong
    rows = [
        row._replace(name=name)
        for row, name in zip(rows, tree.as_on_disk([row.name for row in rows]), strict=True)
    ]
    rows, repeated = without_copies(rows, label=_word_of)
    rows = [row for row in rows if row.label or unlabeled]
    listing = _listing(FORM_2016, rows, problems + repeated)
    listing.missing = [f"{_LISTS}/{name}" for part, name in _TABLES.items() if part not in tables]
    return _by_table(tree, listing, places, str(how)) if how else listing


def _word_of(row: Row) -> str:
    return CODES[row.extra[2]]


def _find_tables(tree: Tree, images: str) -> dict[str, str]:
    """Return the tables: those that lie nearest above the pictures; never look through these."""
    tables: dict[str, str] = {}
    above = images
    while above and len(tables) < len(_TABLES):
        above = above.rpartition("/")[0]
        lists = tree.innermost(tree.find_folder(_LISTS, within=above, depth=1), _LISTS)
        for folder in (above if lists is None else lists, above):
            for part, name in _TABLES.items():
                table = tree.find_file(name, within=folder, depth=0)
                if table is not None:
                    tables.setdefault(part, table)
    return tables


def _read_table(
    tree: Tree, images: str, part: str, table: str, places: _Places
) -> tuple[list[Row], list[Problem]]:
    """Return the pictures of a table, and what is wrong with its rows."""
    rows: list[Row] = []
    problems: list[Problem] = []
    header = list(HEADER)
    for line, cells in read_cells(tree.path(table)):
        if line == 1 and "expression" in (cell.strip() for cell in cells):
            header = _check_header([cell.strip() for cell in cells], tree.path(table))
        elif any(cells):
            place = f"{own_name(table)}, line {line}"
            try:
                rows.append(_read_row(images, part, place, header, cells, places))
            except ValueError as error:
                problems.append(in_part(Problem(place, str(error)), part))
    return rows, problems


def _check_header(header: list[str], path: str) -> list[str]:
    missing = [name for name in HEADER if name not in header]
    if missing:
        raise DatasetError("{} has no column {}.", path, ", ".join(map(repr, missing)))
    return header


def _read_row(
    images: str, part: str, place: str, header: list[str], cells: list[str], places: _Places
) -> Row:
    """Return the picture of a row, or raise ValueError."""
    if len(cells) != len(header):
        raise ValueError(f"{len(cells)} cells, not {len(header)}")
    told = dict(zip(header, cells, strict=True))
    name = inside(told["subDirectory_filePath"])
    if name is None:
        raise ValueError(f"{told['subDirectory_filePath']!r} leads out of {images}")
    code = told["expression"].strip()
    if not code.isdecimal() or int(code) >= len(CODES):
        raise ValueError(f"expression {code!r} is not a number from 0 to {len(CODES) - 1}")
    row = _row(
        joined(images, name),
        part,
        int(code),
        float(told["valence"]),
        float(told["arousal"]),
    )
    return row._replace(place=f"{place} ({name})", at=places.add(told))


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


def _by_table(tree: Tree, listing: Listing, places: _Places, how: str) -> Listing:
    """Let the faces be cut out by the table's landmarks or boxes as they are read.

    Labeled faces of which nothing says where they are are left out: whole pictures mislead.
    """
    numbers = [row.at for row in listing.rows]
    eyes, boxes = places.eyes(numbers), places.boxes(numbers)
    has_eyes = (how == "landmarks") & np.isfinite(eyes).all(axis=(1, 2))
    placed = has_eyes | np.isfinite(boxes).all(axis=1)
    kept = [i for i, row in enumerate(listing.rows) if placed[i] or not row.label]
    what = f"it has no {how}: give align=False to take whole pictures"
    problems = [
        in_part(Problem(place_of(row), what), row.part)
        for i, row in enumerate(listing.rows)
        if row.label and not placed[i]
    ]
    eyes, boxes, has_eyes = eyes[kept], boxes[kept], has_eyes[kept]

    def place(row: Row) -> Place:
        if has_eyes[row.at]:
            left, right = eyes[row.at]
            return Place(landmarks={"left_eye": left, "right_eye": right})
        return Place(box=boxes[row.at]) if np.isfinite(boxes[row.at]).all() else Place()

    digest = hashlib.sha256(eyes.tobytes() + boxes.tobytes()).hexdigest()
    return replace(
        listing,
        rows=[listing.rows[i]._replace(at=number) for number, i in enumerate(kept)],
        problems=listing.problems + problems,
        read=aligning_reader(tree, place),
        reader_key=f"aligned by {how} {digest}",
    )


# The form of 2021: files with the annotations of each picture.


def _list_2021(tree: Tree, folders: dict[str, str], how: str | bool, unlabeled: bool) -> Listing:
    if how == "box":
        raise ArgumentError(
            "{align='box'}: this layout has no boxes. Its pictures are cut out already."
        )
    rows: list[Row] = []
    problems: list[Problem] = []
    for part, folder in folders.items():
        found, wrong = _read_annotations(tree, part, folder)
        rows += found
        problems += [in_part(problem, part) for problem in wrong]
    rows = [row for row in rows if row.label or unlabeled]
    listing = _listing(FORM_2021, rows, problems)
    listing.missing = [f"{name}/" for part, name in _FOLDERS.items() if part not in folders]
    for folder in folders.values():
        notes = joined(folder, "annotations")
        untold = {"val", "aro"} - _kinds(tree.files(notes))
        listing.missing += [f"{notes}/<id>_{kind}.npy" for kind in sorted(untold, reverse=True)]
    return _by_files(tree, listing) if how else listing


def _read_annotations(tree: Tree, part: str, folder: str) -> tuple[list[Row], list[Problem]]:
    """Return the pictures of a part, and what is wrong with them."""
    for name in ("images", "annotations"):
        if not tree.has_folder(joined(folder, name)):
            where = folder or tree.root.name
            raise with_hint(DatasetError("{}/ has no folder {}.", where, repr(name)), tree)
    notes = joined(folder, "annotations")
    names, problems = tree.pictures(joined(folder, "images"))
    told = {own_name(name) for name in tree.files(notes)}
    kinds = _kinds(told)
    labels = {name for name in told if name.endswith("_exp.npy")}
    rows: list[Row] = []
    for name in names:
        labels.discard(f"{stem(name)}_exp.npy")
        read = functools.partial(_read_note, tree.path(notes), told, stem(name))
        try:
            code = read("exp")
            if code not in range(len(CODES)):
                what = f"holds {code:g}, not a number from 0 to {len(CODES) - 1}"
                raise ValueError(f"{stem(name)}_exp.npy {what}")
            measures = [read(kind) if kind in kinds else None for kind in ("val", "aro")]
            rows.append(_row(name, part, int(code), *measures))
        except ValueError as error:
            problems.append(Problem(name, f"its annotations cannot be used: {error}"))
    problems += [Problem(f"{notes}/{name}", "a label with no file") for name in sorted(labels)]
    return rows, problems


def _kinds(notes: Iterable[str]) -> set[str]:
    """Return what the annotations of a part tell, of exp, val, aro and lnd."""
    return {stem(name).rpartition("_")[2] for name in notes if name.endswith(".npy")}


def _read_note(folder: str, told: set[str], picture: str, kind: str) -> float:
    name = f"{picture}_{kind}.npy"
    if name not in told:
        raise ValueError(f"there is no {name}")
    return read_number(f"{folder}/{name}")


def _by_files(tree: Tree, listing: Listing) -> Listing:
    """Let the faces be turned by the landmark files as they are read."""

    def place(row: Row) -> Place:
        try:
            points = read_numbers(tree.path(row.beside))
        except ValueError as error:
            raise PictureError(f"its landmarks cannot be read: {error}") from None
        if points.size != 2 * _N_POINTS:
            what = f"{own_name(row.beside)} holds {points.size} numbers, not {2 * _N_POINTS}"
            raise PictureError(f"its landmarks cannot be read: {what}")
        return Place(landmarks=points.reshape(_N_POINTS, 2))

    return replace(
        listing,
        rows=[row._replace(beside=_landmarks_of(row.name)) for row in listing.rows],
        read=aligning_reader(tree, place),
        reader_key="aligned by landmark files",
    )


def _landmarks_of(name: str) -> str:
    """Return the file of a picture's landmarks."""
    part = name.rpartition("/")[0].rpartition("/")[0]
    return joined(part, f"annotations/{stem(name)}_lnd.npy")
