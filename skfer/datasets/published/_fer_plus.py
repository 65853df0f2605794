"""FER+, the faces of FER2013 labelled anew by ten people each."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skfer.datasets._docs import documented
from skfer.datasets._folder import is_litter
from skfer.datasets._layout import find_file, find_folders, nearest, no_layout, relative
from skfer.datasets._listing import PARTS, Listing, Options, check_root, load
from skfer.datasets._table import inside
from skfer.datasets._vocabulary import EXPRESSION_CODES, EXPRESSIONS, UNLABELED
from skfer.datasets.published._fer2013 import (
    CODES,
    PUBLISHED_PARTS,
    PixelRow,
    number_alike,
    pixel_reader,
    read_pixel_rows,
)
from skfer.datasets.published._fer_plus_votes import (
    VOTES,
    VoteRow,
    distribution,
    majority,
    read_votes,
)
from skfer.exceptions import ArgumentError
from skfer.pictures import EXTENSIONS, DatasetError, Problem, drop_repeats, in_part

LAYOUTS = (
    "fer2013.csv with fer2013new.csv, paired by row order",
    "FER2013Train/fer0000000.png, FER2013Valid/, FER2013Test/ with label.csv in each, or with "
    "fer2013new.csv",
)
_FOLDERS = {"FER2013Train": "train", "FER2013Valid": "validation", "FER2013Test": "test"}
_PICTURE = re.compile(r"^fer(\d+)\.\w+$", re.IGNORECASE)
# Pictures that show no face: they have no name in the table, and no row in some label.csv.
_N_FACELESS = 176
# Labels of FER2013 and of FER+ agree on most faces; of rows out of order on less than a third.
_N_TELLING, _LEAST_AGREEMENT = 300, 0.5
# The codes of FER2013, as written.
_EMOTIONS = {str(i): EXPRESSION_CODES[word] for i, word in enumerate(CODES)}
_DESCR = """\
FER+
----

The 35,887 faces of FER2013 (48 x 48 pixels, grey), each labelled by ten people with one of eight
expressions, unknown, or NF (no face). Official parts: train 28,709, validation 3,589, test 3,589.
176 pictures that show no face have no name in the table.

The majority rule of its authors: a class with a single vote loses it; the winner needs more than
half of the votes that are left; pictures whose winner is unknown or NF, or that have none, are
left out. With labels="distribution" the votes for expressions that are left, as shares,
are soft targets; pictures in which they are not more than half are left out (our reading).

The rows of fer2013new.csv belong to those of fer2013.csv in order; the numbers in the picture names
drift away from the row numbers, but rise with them within each part. `groups` numbers identical
images alike (there are about 1,500 groups of them, 556 across the official parts); it is not the
person.

Origin: Microsoft Research, https://github.com/microsoft/FERPlus; the pictures are those of FER2013.
Terms: the labels under the MIT licence; the pictures for research, as those of FER2013.
Cite: E. Barsoum, C. Zhang, C. Canton Ferrer, Z. Zhang, "Training deep networks for facial
expression recognition with crowd-sourced label distribution", ICMI 2016.
"""


@documented
def load_fer_plus(
    root: str | os.PathLike[str],
    *,
    labels: str = "majority",
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
    """Load FER+ from a local copy.

    Two layouts are read: `fer2013.csv` beside `fer2013new.csv`, paired **by row order**; and the
    pictures written out, `FER2013Train/fer0000000.png` (and `FER2013Valid`, `FER2013Test`), with
    the votes in a `label.csv` in each folder (or in a folder of the same name elsewhere, as in
    `Labels/FER2013Train/label.csv`), or in `fer2013new.csv`, paired by name.

    Tables are read by their header, in any order of the columns; without one the columns must be
    in the published order. Whole tables whose labels contradict those of FER2013 are refused:
    their rows are out of order.

    Parameters
    ----------
    root : str or path-like
        The folder that holds the tables or the folders.
    labels : {"majority", "distribution"}, default="majority"
        "majority" loads the pictures on which more than half of the votes agree, single votes
        dropped. "distribution" loads all pictures whose votes are mostly for expressions; `target`
        is -1 where there is no majority, and `distribution` is the soft target.
    {size}
    {parts}
    {rest}

    Returns
    -------
    faces : :class:`~sklearn.utils.Bunch`
        {bunch}
        votes : ndarray of int of shape (n_images, 10)
            As given: neutral, happiness, surprise, sadness, anger, disgust, fear, contempt,
            unknown, NF.
        distribution : ndarray of float of shape (n_images, 8)
            Share of each expression in the votes for expressions, single votes dropped, in the
            order of `target_names`; rows sum to 1.

        `groups` numbers identical images alike: with `fer2013.csv` over the whole of it, as
        :func:`load_fer2013` does, whatever is loaded; of pictures over those that are loaded,
        as they are loaded.
    (data, target) : tuple
        With `return_X_y=True`.

    Raises
    ------
    {raises}

    References
    ----------
    .. [1] E. Barsoum et al., "Training deep networks for facial expression recognition with
       crowd-sourced label distribution", ICMI 2016.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from skfer.datasets import load_fer_plus
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = os.path.join(root, "FER2013Train")
    ...     os.makedirs(folder)
    ...     Image.new("L", (48, 48)).save(os.path.join(folder, "fer0000000.png"))
    ...     with open(os.path.join(folder, "label.csv"), "w") as file:
    ...         _ = file.write("fer0000000.png,4,0,0,1,3,2,0,0,0,0")
    ...     faces = load_fer_plus(root, labels="distribution")
    >>> faces.target.tolist(), faces.distribution.round(2).tolist()
    ([-1], [[0.33, 0.0, 0.22, 0.0, 0.0, 0.44, 0.0, 0.0]])
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
    return load(list_fer_plus(check_root(root), labels=labels), options)


def list_fer_plus(root: Path, *, labels: str = "majority") -> Listing:
    """Return the faces of either layout, unread."""
    if labels not in ("majority", "distribution"):
        raise ArgumentError(
            "{labels=} is not known: give 'majority' or 'distribution'.", labels=labels
        )
    pixels = find_file(root, "fer2013.csv", "icml_face_data.csv")
    votes = find_file(root, "fer2013new.csv")
    if pixels is not None and votes is not None:
        return _list_tables(root, pixels, votes, labels)
    folders = _part_folders(root)
    if not folders:
        raise no_layout("FER+", root, LAYOUTS)
    return _list_pictures(root, folders, votes, labels)


class _Part(NamedTuple):
    """Where the pictures of a part are and where their votes, which may lie apart."""

    pictures: Path
    table: Path | None  # label.csv


def _part_folders(root: Path) -> dict[str, _Part]:
    parts = {}
    for name, part in _FOLDERS.items():
        found = find_folders(root, name, depth=2)
        tables = [file for folder in found if (file := find_file(folder, "label.csv", depth=0))]
        table = nearest(tables, root)
        pictures = nearest([folder for folder in found if _pictures_in(folder)], root)
        if pictures is None and table is not None:
            pictures = table.parent
        if pictures is not None:
            parts[part] = _Part(pictures, table)
    return parts


def _pictures_in(folder: Path) -> list[str]:
    names = sorted(os.listdir(folder))
    return [name for name in names if name.lower().endswith(EXTENSIONS) and not is_litter(name)]


def _list_tables(root: Path, pixels: Path, votes: Path, labels: str) -> Listing:
    faces, column = read_pixel_rows(pixels)
    rows = read_votes(votes, root)
    if len(faces) != len(rows):
        raise DatasetError(
            "{} has {} rows and {} has {}: they belong together row by row, so one of them is not "
            "whole.",
            pixels.name,
            len(faces),
            votes.name,
            len(rows),
        )
    for face, row in zip(faces, rows, strict=True):
        if PARTS.get(face.usage) != row.part:
            raise DatasetError(
                "{}, line {} is of {} but {} of {}: they belong together row by row, so one is out "
                "of order.",
                pixels.name,
                face.line,
                repr(face.usage),
                row.place,
                repr(row.part),
            )
    _check_order(rows)
    _check_agreement(faces, rows, f"{pixels.name} and {votes.name}")
    listing, kept = _listing(root, rows, labels, LAYOUTS[0])
    listing.parts, listing.published_parts = _count_parts(rows), PUBLISHED_PARTS
    kept_faces = [faces[i] for i in kept]
    listing.filenames = [f"{relative(pixels, root)}:{face.line}" for face in kept_faces]
    listing.where = [f"{pixels.name}, line {face.line}" for face in kept_faces]
    listing.sources = [relative(pixels, root)]
    listing.reader = pixel_reader(pixels, kept_faces, column)
    listing.columns["groups"] = np.array([face.group for face in kept_faces], dtype=np.int64)
    listing.derive = None
    return listing


def _check_order(rows: Sequence[VoteRow]) -> None:
    """Raise if rows of a part were moved: they would give their votes to other faces."""
    last: dict[str, tuple[int, VoteRow]] = {}
    for row in rows:
        match = _PICTURE.match(row.name)
        if match is None:
            continue
        number = int(match[1])
        before, other = last.get(row.part, (-1, row))
        if number <= before:
            raise DatasetError(
                "{} names {} after {} in {}: the names rise in the published table, whose rows "
                "belong to those of fer2013.csv in order. Restore its order.",
                row.place,
                repr(row.name),
                repr(other.name),
                other.place,
            )
        last[row.part] = number, row


def _check_agreement(faces: Sequence[PixelRow], rows: Sequence[VoteRow], tables: str) -> None:
    """Raise if the labels of the two tables disagree as those of different faces do."""
    voted = [(face, row) for face, row in zip(faces, rows, strict=True) if row.votes is not None]
    agreed = majority(np.array([row.votes for _, row in voted]).reshape(-1, len(VOTES)))
    pairs: dict[str, list[bool]] = {}
    for (face, row), code in zip(voted, agreed, strict=True):
        if code != UNLABELED and face.emotion in _EMOTIONS:
            pairs.setdefault(row.part, []).append(_EMOTIONS[face.emotion] == code)
    for part, same in pairs.items():
        share = float(np.mean(same))
        if len(same) >= _N_TELLING and share < _LEAST_AGREEMENT:
            raise DatasetError(
                "{} agree on {} of the labels of the {} part, and the published tables on most: "
                "they belong together row by row, so the rows of one are out of order. Restore "
                "its order.",
                tables,
                f"{share:.0%}",
                part,
            )


def _list_pictures(root: Path, parts: dict[str, _Part], votes: Path | None, labels: str) -> Listing:
    everything = None if votes is None else read_votes(votes, root)
    rows: list[VoteRow] = []
    names: list[str] = []  # relative to root
    counts: dict[str, int] = {}
    on_disk: list[str] = []
    problems = [
        Problem(row.place, "its Usage is none of Training, PublicTest and PrivateTest")
        for row in everything or []
        if not row.part
    ]
    for part, place in parts.items():
        own = _rows_of(part, place, everything, root)
        counts[part] = len(own)
        where = relative(place.pictures, root)
        # The table may say .png where the disk has .PNG.
        there = {name.lower(): f"{where}/{name}" for name in _pictures_in(place.pictures)}
        on_disk += there.values()
        for row in own:
            name = inside(row.name) if row.name else ""
            if not row.name and row.votes is None:
                problems.append(in_part(Problem(row.place, row.fault), part))
            elif name is None:
                problem = Problem(row.place, f"{row.name!r} leads out of its folder")
                problems.append(in_part(problem, part))
            elif name:
                rows.append(row)
                names.append(there.get(name.lower(), f"{where}/{name}"))
    unlisted = sorted(set(on_disk) - set(names))
    once, repeated = drop_repeats(  # over all parts: a picture in two of them is a leak
        [row.name.lower() for row in rows],
        [f"{row.votes} in {row.part}" for row in rows],
        [row.place for row in rows],
    )
    rows, names = [rows[i] for i in once], [names[i] for i in once]
    listing, kept = _listing(root, rows, labels, LAYOUTS[1])
    listing.filenames = [names[i] for i in kept]
    listing.where = [f"{rows[i].place} ({names[i]})" for i in kept]
    listing.problems += problems + repeated
    listing.missing = [f"{name}/" for name, part in _FOLDERS.items() if part not in parts]
    listing.unlisted = unlisted
    listing.parts = counts if everything is None else _count_parts(everything)
    listing.published_parts = _published_parts(listing.parts)
    return listing


def _rows_of(
    part: str, place: _Part, everything: Sequence[VoteRow] | None, root: Path
) -> list[VoteRow]:
    """Return the rows of a part, from its own table or the one of all parts."""
    if place.table is not None:
        return [row._replace(part=part) for row in read_votes(place.table, root)]
    if everything is None:
        where = relative(place.pictures, root)
        raise DatasetError("{}/ has no label.csv, and there is no fer2013new.csv.", where)
    return [row for row in everything if row.part == part]


def _published_parts(found: dict[str, int]) -> dict[str, int]:
    """Return the published sizes of the parts, with or without the pictures that show no face."""
    return {
        part: found[part] if size - _N_FACELESS <= found.get(part, 0) <= size else size
        for part, size in PUBLISHED_PARTS.items()
    }


def _listing(
    root: Path, rows: Sequence[VoteRow], labels: str, layout: str
) -> tuple[Listing, list[int]]:
    """Return a listing without names, and which rows are in it."""
    problems = [
        in_part(Problem(row.place, row.fault), row.part) for row in rows if row.votes is None
    ]
    readable = [i for i, row in enumerate(rows) if row.votes is not None]
    votes = np.array([rows[i].votes for i in readable], dtype=np.int64).reshape(-1, len(VOTES))
    codes, shares = majority(votes), distribution(votes)
    wanted = codes != UNLABELED if labels == "majority" else np.isfinite(shares).all(axis=1)
    kept = [readable[i] for i in np.flatnonzero(wanted)]
    listing = Listing(
        name="fer-plus",
        group_kind="different images",
        root=root,
        filenames=[],
        target=codes[wanted].astype(np.int64),
        target_names=EXPRESSIONS,
        descr=_DESCR,
        unit="rows",
        columns={
            "split": np.array([rows[i].part for i in kept], dtype=np.str_),
            "votes": votes[wanted],
            "distribution": shares[wanted],
        },
        wide={"votes": VOTES, "distribution": EXPRESSIONS},
        problems=problems,
        derive=number_alike,
        layout=layout,
    )
    return listing, kept


def _count_parts(rows: Sequence[VoteRow]) -> dict[str, int]:
    """Return how many rows each part has, with those that have no majority."""
    return dict(sorted(Counter(row.part for row in rows).items()))
