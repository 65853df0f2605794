"""FER2013, the faces of the Kaggle challenge of 2013."""

import functools
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from skfer.datasets._classes import labeled_pictures, own_name, part_folders, without_renamed
from skfer.datasets._docs import documented
from skfer.datasets._listing import Layout, Listing
from skfer.datasets._loading import Options, load
from skfer.datasets._pixel_table import (
    FER2013_CODES,
    FER2013_PARTS,
    Known,
    PixelTable,
    has_pixels,
    labeled_rows,
    number_alike,
    pixel_reader,
    read_pixel_table,
)
from skfer.datasets._rows import PARTS, Row
from skfer.datasets._tree import Tree
from skfer.datasets.published._outside import pictures_outside
from skfer.datasets.published._unknown import CLASS_NAMES, PART_NAMES, unknown_layout
from skfer.pictures import Problem
from skfer.validation import check_flag

PUBLISHED = {
    "anger": 4953,
    "disgust": 547,
    "fear": 5121,
    "happiness": 8989,
    "sadness": 6077,
    "surprise": 4002,
    "neutral": 6198,
}
TABLE = Layout(
    "fer2013.csv (or icml_face_data.csv) with the columns emotion, pixels and Usage",
    PUBLISHED,
    FER2013_PARTS,
    unit="rows",
)
KAGGLE = Layout(
    "train.csv with the columns emotion and pixels, and test.csv with the column pixels",
    unit="rows",
)
LABELED_TABLES = Layout(
    "train.csv, val.csv and test.csv with the columns emotion and pixels", PUBLISHED, unit="rows"
)
FOLDERS = Layout("train/angry/*.jpg and test/angry/*.jpg", PUBLISHED)
# The tables of the competition, and of copies that have labels for all parts.
_TABLES = {
    "train": ("train.csv",),
    "validation": ("val.csv", "valid.csv", "validation.csv"),
    "test": ("test.csv",),
}
_USAGE = re.compile(r"^(Training|PublicTest|PrivateTest)_", re.IGNORECASE)
_NUMBERED = re.compile(r"^(Training|PublicTest|PrivateTest)_(\d+)(?!\d)", re.IGNORECASE)
_INNER = rf"fer2013csv|icmlfacedatacsv|{PART_NAMES}|{CLASS_NAMES}"
_DESCR = """\
FER2013
-------

35,887 faces from an image search, 48 x 48 pixels, gray: anger 4953, disgust 547, fear 5121,
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
    """Load FER2013 from a local copy.

    Three layouts are read: `fer2013.csv` (or `icml_face_data.csv`) with the columns emotion, pixels
    and Usage in any order; `train.csv` and `test.csv` as in the Kaggle competition, of which
    `test.csv` has no labels (a copy's `test.csv` and `val.csv` that have the column emotion are
    loaded with them); and the folder form `train/<class>/`, `test/<class>/`. There the names
    tell validation from test (`PublicTest_3.jpg`, `PrivateTest_7.jpg`); where they do not, all of
    `test/` is "test".

    Parameters
    ----------
    root : str or path-like
        The folder that holds the tables or the folders.
    unlabeled : bool, default=False
        Load the pictures of a `test.csv` without labels too, as -1.
    {size}
    {parts}
    {rest}

    Returns
    -------
    faces : :class:`~sklearn.utils.Bunch`
        {bunch}

        `groups` numbers identical images alike: over the whole tables by their pixels, whatever
        `subset`, `classes` and `image_size` are, so that parts loaded apart agree; in the
        folder form over the images that are loaded, as they are loaded. Images from a table
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
    return load(root, functools.partial(list_fer2013, unlabeled=unlabeled), options)


def list_fer2013(tree: Tree, *, unlabeled: bool = False) -> Listing:
    """Return the faces of any layout, unread."""
    check_flag(unlabeled, "unlabeled")
    table = tree.find_file("fer2013.csv", "icml_face_data.csv")
    if table is not None:
        pixels = read_pixel_table(tree, table)
        return _listing(tree, TABLE, [pixels], *labeled_rows(pixels, FER2013_CODES))
    if has_pixels(tree, tree.find_file("train.csv")):
        return _list_kaggle(tree, unlabeled)
    return _list_folders(tree)


def _list_kaggle(tree: Tree, unlabeled: bool) -> Listing:
    """Return the faces of tables whose names tell the part, such as those of the competition."""
    known: Known = {}
    tables: list[PixelTable] = []
    rows: list[Row] = []
    problems: list[Problem] = []
    withheld: list[str] = []
    found = {part: tree.find_file(*names) for part, names in _TABLES.items()}
    for part, name in found.items():
        if not has_pixels(tree, name):
            continue
        needed = ("emotion", "pixels") if part == "train" else ("pixels",)
        table = read_pixel_table(tree, str(name), needed, known)
        tables.append(table)
        if part == "train" or any(row.emotion for row in table.rows):
            good, wrong = labeled_rows(table, FER2013_CODES, part)
            rows += good
            problems += wrong
            continue
        withheld.append(part)
        if unlabeled:
            rows += [table.named(row)._replace(part=part) for row in table.rows]
    layout = LABELED_TABLES if any(row.part == "test" and row.label for row in rows) else KAGGLE
    listing = _listing(tree, _with_parts(layout, rows), tables, rows, problems)
    listing.unlabeled_parts = withheld
    listing.missing = [] if has_pixels(tree, found["test"]) else ["test.csv"]
    return listing


def _with_parts(layout: Layout, rows: list[Row]) -> Layout:
    """Return the layout with the published sizes: of two parts the test part has all the rest."""
    sizes = FER2013_PARTS
    if all(row.part != "validation" for row in rows):
        sizes = {"train": sizes["train"], "test": sizes["validation"] + sizes["test"]}
    return replace(layout, parts=sizes)


def _listing(
    tree: Tree, layout: Layout, tables: list[PixelTable], rows: list[Row], problems: list[Problem]
) -> Listing:
    return Listing(
        name="fer2013",
        descr=_DESCR,
        layout=layout,
        rows=rows,
        problems=problems,
        group_kind="different images",
        sources=[table.name for table in tables],
        read=pixel_reader(tree, *tables),
    )


def survey_fer2013(tree: Tree) -> Listing:
    """Return all faces, to be counted."""
    return list_fer2013(tree, unlabeled=True)


def _list_folders(tree: Tree) -> Listing:
    parts = part_folders(tree)
    if not parts:
        raise unknown_layout("FER2013", tree, [TABLE, KAGGLE, FOLDERS], _INNER)
    found, problems = labeled_pictures(tree, parts)
    found, misplaced = _parts_by_name(found)
    rows, repeated = without_renamed(found, _own_stem)
    outside = pictures_outside(tree, [part.folder for part in parts])
    return Listing(
        name="fer2013",
        descr=_DESCR,
        layout=_with_parts(FOLDERS, rows),
        rows=rows,
        problems=problems + misplaced + repeated + outside,
        group_kind="different images",
        derive=number_alike,
    )


def _own_stem(name: str) -> str | None:
    """Return what a picture of the table is called, such as Training_7, None for another name."""
    match = _NUMBERED.match(name)
    return None if match is None else f"{match[1]}_{match[2]}".lower()


def _parts_by_name(found: list[Row]) -> tuple[list[Row], list[Problem]]:
    """Tell validation from test by names like PublicTest_3.jpg, where they are so."""
    kept: list[Row] = []
    problems: list[Problem] = []
    for row in found:
        match = _USAGE.match(own_name(row.name))
        part = PARTS[match[1].lower()] if match else row.part
        if match and (part == "train") != (row.part == "train"):
            problems.append(Problem(row.name, f"named {match[1]} but in a folder of {row.part}"))
        else:
            kept.append(row._replace(part=part))
    return kept, problems
