"""RAF-DB, the Real-world Affective Faces data set: its basic expressions."""

import functools
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from skfer.datasets._aligned import Place, aligning_reader, read_points
from skfer.datasets._classes import (
    Part,
    labeled_pictures,
    own_name,
    part_folders,
    stem,
    without_renamed,
)
from skfer.datasets._csv import open_table
from skfer.datasets._docs import documented
from skfer.datasets._listing import Layout, Listing
from skfer.datasets._loading import Options
from skfer.datasets._photographs import Detector, load_detected, whole_pictures
from skfer.datasets._rows import Row, without_copies
from skfer.datasets._tree import Tree, joined, plain
from skfer.datasets.published._outside import pictures_outside
from skfer.datasets.published._unknown import PART_NAMES, unknown_layout, within_a_copy
from skfer.exceptions import ArgumentError
from skfer.pictures import DatasetError, Problem, in_part
from skfer.validation import check_choice

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
# Numbers that only the compound expressions have, whose 1 to 7 mean something else.
_COMPOUND_ONLY = ("8", "9", "10", "11")
PUBLISHED_PARTS = {"train": 12_271, "test": 3_068}
LAYOUTS = (
    Layout(
        "EmoLabel/list_patition_label.txt with Image/aligned/train_00001_aligned.jpg "
        "(or Image/original/train_00001.jpg)",
        PUBLISHED,
        PUBLISHED_PARTS,
        unit="lines",
    ),
    Layout("train/1/*.jpg to train/7/ and test/1/ to test/7/", PUBLISHED, PUBLISHED_PARTS),
)
_INNER = f"image|aligned|original|emolabel|annotation|[1-7]|{PART_NAMES}"
_IMAGES = {True: "aligned", False: "original"}
# What to do where only the other pictures are there.
_OTHERS = {
    True: "The original pictures are there: {align=False} reads them.",
    False: "The aligned faces are there: {align=True} reads them, without {detector}.",
}
_N_POINTS = 5  # left eye, right eye, nose, corners of the mouth
_LISTS = ("list_patition_label.txt", "list_partition_label.txt")
_PICTURE = re.compile(r"^(train|test)_(\d+)(?!\d)", re.IGNORECASE)
_LINE = re.compile(r"^(train|test)(_\d+)\.(\w+)\s+(\S+)$", re.IGNORECASE)
_DESCR = """\
RAF-DB, the Real-world Affective Faces data set (basic expressions)
--------------------------------------------------------------------

15,339 faces from the web, each labeled by about 40 people: train 12,271 (surprise 1290, fear 281,
disgust 717, happiness 4772, sadness 1982, anger 705, neutral 2524), test 3,068 (329, 74, 160,
1185, 478, 162, 680). Aligned faces are 100 x 100 pixels in color. The official parts are the
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
    detector: Detector = None,
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
    or in another part than theirs (a part `val/` may hold some of the training part). Folders
    that are numbered from 0 are refused: nobody knows which class is which. So are the compound
    expressions, labels or folders up to 11, whose 1 to 7 mean something else.

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
        `detector` needs False.
    {size}
    {parts}
    {detector}
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

    See Also
    --------
    check_dataset : Compares a copy with what is published.
    skfer.model_selection.OfficialSplit : The owners' split.

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
    if detector is not None:
        align = whole_pictures(align)
    return load_detected(root, functools.partial(list_raf_db, align=align), options, detector)


def list_raf_db(tree: Tree, *, align: bool | str = True) -> Listing:
    """Return the faces of either layout, unread."""
    check_choice(align, "align", (True, False, "points"))
    table = _find_list(tree)
    return _list_folders(tree, align) if table is None else _list_owners(tree, table, align)


def survey_raf_db(tree: Tree) -> Listing:
    """Return the faces of the copy, unread: of one without aligned faces the original pictures."""
    table = _find_list(tree)
    there = {} if table is None else {form: _images_beside(tree, table, form) for form in _IMAGES}
    if there.get(True) is None and there.get(False) is not None:
        return replace(list_raf_db(tree, align=False), missing=["Image/aligned/"])
    return list_raf_db(tree)


def _find_list(tree: Tree) -> str | None:
    """Return the list of the labels: that of basic/ where compound/ lies beside it."""
    basic = tree.find_folder("basic", depth=2)
    found = None if basic is None else tree.find_file(*_LISTS, within=basic, depth=2)
    found = found or tree.find_file(*_LISTS, depth=3)
    if found is not None and "compound" in map(plain, [tree.root.name, *found.split("/")[:-1]]):
        raise _compound(tree, f"{found} is in a folder compound")
    return found


def _compound(tree: Tree, why: str) -> DatasetError:
    """Return the error for the compound expressions: no label of theirs is right as a basic one."""
    return DatasetError(
        "{root=}: {}: these are the compound expressions of RAF-DB, whose 1 to 11 mean happily "
        "surprised, happily disgusted and so on, and only the basic ones (1 surprise to 7 neutral) "
        "are loaded. Give the folder of the basic part. The compound ones are read by "
        "load_image_table, after a few lines that make a table of their list: see 'A list without "
        "a header line' in the user guide, 'Bringing your own faces'.",
        why,
        root=str(tree.root),
    )


def _list_folders(tree: Tree, align: bool | str) -> Listing:
    parts = part_folders(tree, CODES)
    if not parts:
        raise unknown_layout("RAF-DB", tree, LAYOUTS, _INNER)
    _refuse_other_numbers(tree, parts)
    if align == "points":
        raise ArgumentError("{align='points'}: the folder form has no points. Leave it out.")
    found, problems = labeled_pictures(tree, parts, CODES)
    found, misplaced = _without_misplaced(found)
    rows, repeated = without_renamed(found, _own_stem)
    problems += misplaced + repeated
    problems += pictures_outside(tree, [part.folder for part in parts], CODES)
    return Listing("raf-db", _DESCR, LAYOUTS[1], rows, problems)


def _refuse_other_numbers(tree: Tree, parts: list[Part]) -> None:
    """Raise for classes from 0, each of which would be taken for the next, and compound ones."""
    for part in parts:
        numbers = {own_name(folder).strip() for folder in tree.folders(part.folder)}
        beyond = [number for number in _COMPOUND_ONLY if number in numbers]
        if beyond:
            raise _compound(tree, f"'{part.folder}/' has a folder {beyond[0]}")
        if "0" in numbers:
            raise DatasetError(
                "{root=}: {} has a folder 0, and those of RAF-DB are 1 (surprise) to 7 (neutral), "
                "so that the numbers here mean something else. Rename the folders to the published "
                "numbers if you know what they mean, or read them by load_image_folder, whose "
                "class_names says it.",
                repr(f"{part.folder}/"),
                root=str(tree.root),
            )


def _own_stem(name: str) -> str | None:
    """Return what the owners call a picture, such as train_00001, None for another name."""
    match = _PICTURE.match(name)
    return None if match is None else f"{match[1]}_{match[2]}".lower()


def _without_misplaced(found: list[Row]) -> tuple[list[Row], list[Problem]]:
    """Leave out pictures that are named after another part: they would test what was learned.

    Pictures of the training part that were set aside for validation are no such ones.
    """
    kept: list[Row] = []
    problems: list[Problem] = []
    for row in found:
        match = _PICTURE.match(own_name(row.name))
        named = "" if match is None else match[1].lower()
        if named and (named == "test") != (row.part == "test"):
            problems.append(Problem(row.name, f"named {named} but in a folder of {row.part}"))
        else:
            kept.append(row)
    return kept, problems


def _list_owners(tree: Tree, table: str, align: bool | str) -> Listing:
    folder = _image_folder(tree, table, align is True)
    rows, problems = _read_list(tree, table)
    suffix = "_aligned" if align is True else ""
    # The list may say .jpg where the disk has .JPG.
    names = tree.as_on_disk([joined(folder, suffix.join(_split(row.name))) for row in rows])
    rows = [
        row._replace(name=name, place=f"{row.place} ({name})")
        for row, name in zip(rows, names, strict=True)
    ]
    listing = Listing(
        name="raf-db",
        descr=_DESCR,
        layout=LAYOUTS[0],
        rows=rows,
        problems=problems,
        unlisted=sorted(set(tree.pictures_in(folder)) - set(names)),
    )
    return _by_points(tree, listing, table) if align == "points" else listing


def _split(name: str) -> tuple[str, str]:
    stem, dot, extension = name.rpartition(".")
    return stem, dot + extension


def _images_beside(tree: Tree, table: str, aligned: bool) -> str | None:
    """Return the folder of the aligned or original pictures that belongs to a list, or None."""
    return tree.find_beside(table, _IMAGES[aligned])


def _image_folder(tree: Tree, table: str, aligned: bool) -> str:
    """Return the folder of the pictures that lies beside the list of their labels."""
    folder = _images_beside(tree, table, aligned)
    if folder is not None:
        return folder
    zipped = tree.find_file(f"{_IMAGES[aligned]}.zip", depth=3)
    advice = f": unpack {zipped}." if zipped else ": unpack the pictures there."
    above = within_a_copy(tree, _INNER) if "/" not in table else ""
    advice = f".\n{above}" if above else advice
    error = DatasetError(
        "{root=} has no folder Image/{}{}", _IMAGES[aligned], advice, root=str(tree.root)
    )
    if _images_beside(tree, table, not aligned) is not None:
        error.hint = _OTHERS[aligned]
    raise error


def _by_points(tree: Tree, listing: Listing, table: str) -> Listing:
    """Let the faces be turned by the points that people marked, as they are read."""
    folder = tree.find_beside(table, "manual")
    if folder is None:
        raise DatasetError(
            "{root=} has no folder Annotation/manual with the points: unpack it there, or give "
            "another {align}.",
            root=str(tree.root),
        )
    notes = [joined(folder, f"{stem(row.name)}_manu_attri.txt") for row in listing.rows]
    listing.rows = [
        row._replace(beside=note) for row, note in zip(listing.rows, notes, strict=True)
    ]
    listing.read = aligning_reader(
        tree,
        # Gender, race and age follow the points.
        lambda row: Place(read_points(tree, row.beside, _N_POINTS, further=True)),
    )
    listing.reader_key = "aligned by five points"
    return listing


def _lines(tree: Tree, table: str) -> list[bytes]:
    with open_table(tree.path(table)) as file:
        return file.read().splitlines()


def _read_list(tree: Tree, table: str) -> tuple[list[Row], list[Problem]]:
    """Return the good lines of the list, and what is wrong with the others."""
    rows: list[Row] = []
    problems: list[Problem] = []
    for line, written in enumerate(_lines(tree, table), 1):
        place = f"{own_name(table)}, line {line}"
        try:
            text = written.decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            problems.append(Problem(place, "not in UTF-8"))
            continue
        match = _LINE.match(text)
        if match is not None and match[4] in CODES:
            name = f"{match[1].lower()}{match[2]}.{match[3]}"
            rows.append(Row(name, CODES[match[4]], match[1].lower(), place=place))
        elif match is not None and match[4] in _COMPOUND_ONLY:
            raise _compound(tree, f"{place} has label {match[4]!r}")
        elif match is not None:
            problem = Problem(place, f"label {match[4]!r} is not a number from 1 to 7")
            problems.append(in_part(problem, match[1].lower()))
        elif text:
            problems.append(Problem(place, f"{text!r} is not like 'train_00001.jpg 5'"))
    rows, repeated = without_copies(rows, lambda row: stem(row.name), lambda row: row.label)
    return rows, problems + repeated
