"""FER+, the faces of FER2013 labeled anew by ten people each."""

import functools
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from skfer.datasets._docs import documented
from skfer.datasets._listing import Layout, Listing
from skfer.datasets._loading import Options, load
from skfer.datasets._pixel_table import (
    FER2013_CODES,
    FER2013_PARTS,
    PixelTable,
    number_alike,
    pixel_reader,
    read_pixel_table,
)
from skfer.datasets._rows import PARTS, Row, without_copies
from skfer.datasets._tree import Tree, inside, joined
from skfer.datasets._vocabulary import EXPRESSION_CODES, EXPRESSIONS
from skfer.datasets._votes import VOTES, VoteRow, distribution, majority, read_votes
from skfer.datasets.published._unknown import unknown_layout
from skfer.pictures import DatasetError, Problem, in_part
from skfer.validation import UNLABELED, check_choice

TABLES = Layout(
    "fer2013.csv with fer2013new.csv, paired by row order", parts=FER2013_PARTS, unit="rows"
)
PICTURES = Layout(
    "FER2013Train/fer0000000.png, FER2013Valid/, FER2013Test/ with label.csv in each, or with "
    "fer2013new.csv",
    parts=FER2013_PARTS,
    unit="rows",
)
_FOLDERS = {"FER2013Train": "train", "FER2013Valid": "validation", "FER2013Test": "test"}
_PICTURE = re.compile(r"^fer(\d+)\.\w+$", re.IGNORECASE)
# Pictures that show no face: they have no name in the table, and no row in some label.csv.
_N_FACELESS = 176
# Labels of FER2013 and of FER+ agree on most faces; of rows out of order on less than a third.
_N_TELLING, _LEAST_AGREEMENT = 300, 0.5
_DESCR = """\
FER+
----

The 35,887 faces of FER2013 (48 x 48 pixels, gray), each labeled by ten people with one of eight
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
Terms: the labels under the MIT license; the pictures for research, as those of FER2013.
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
        is -1 where there is no majority, and `distribution` is the soft target, as embedders take
        it: ``fit(faces.images, faces.target, votes=faces.distribution)``. For a classifier that
        follows, and for scores, leave out the pictures of target -1.
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

    See Also
    --------
    load_fer2013 : The same pictures with one label each.
    skfer.model_selection.OfficialSplit : The owners' split.

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
    return load(root, functools.partial(list_fer_plus, labels=labels), options)


def list_fer_plus(tree: Tree, *, labels: str = "majority") -> Listing:
    """Return the faces of either layout, unread."""
    check_choice(labels, "labels", ("majority", "distribution"))
    pixels = tree.find_file("fer2013.csv", "icml_face_data.csv")
    votes = tree.find_file("fer2013new.csv")
    if pixels is not None and votes is not None:
        table = read_pixel_table(tree, pixels)
        return _list_tables(tree, table, read_votes(tree, votes), labels, votes)
    parts = _part_folders(tree)
    if not any(tree.pictures_in(place.pictures) for place in parts.values()):
        _refuse_votes_alone(votes, parts)
    if not parts:
        raise unknown_layout("FER+", tree, [TABLES, PICTURES])
    return _list_pictures(tree, parts, None if votes is None else read_votes(tree, votes), labels)


def _refuse_votes_alone(votes: str | None, parts: dict[str, "_Part"]) -> None:
    """Raise if there are votes: their owners hand them on without the pictures."""
    found = votes or next((place.table for place in parts.values() if place.table), None)
    if found is not None:
        needed = "fer2013.csv" if votes else "fer2013.csv and fer2013new.csv"
        raise DatasetError(
            "{} has the votes of FER+, which come without the pictures: put {} of FER2013 beside "
            "it, or the pictures into FER2013Train/, FER2013Valid/ and FER2013Test/.",
            found,
            needed,
        )


def _listing(layout: Layout, rows: Sequence[Row], labels: str) -> Listing:
    """Return the listing of rows that have their `VoteRow` as `extra`."""
    problems = [
        in_part(Problem(vote.place, vote.fault), vote.part)
        for vote in map(_vote_of, rows)
        if vote.votes is None
    ]
    readable = [row for row in rows if _vote_of(row).votes is not None]
    votes = np.array([_vote_of(row).votes for row in readable], dtype=np.int64)
    votes = votes.reshape(-1, len(VOTES))
    codes, shares = majority(votes), distribution(votes)
    wanted = codes != UNLABELED if labels == "majority" else np.isfinite(shares).all(axis=1)
    words = [*EXPRESSIONS, ""]  # -1 is the last
    return Listing(
        name="fer-plus",
        descr=_DESCR,
        layout=layout,
        rows=[
            readable[i]._replace(label=words[codes[i]], extra=(votes[i], shares[i]))
            for i in np.flatnonzero(wanted)
        ],
        problems=problems,
        group_kind="different images",
        extra=("votes", "distribution"),
        wide={"votes": VOTES, "distribution": EXPRESSIONS},
    )


def _vote_of(row: Row) -> VoteRow:
    return row.extra[0]


def _count_parts(votes: Iterable[VoteRow]) -> dict[str, int]:
    """Return how many rows each part has, with those that have no majority."""
    return dict(sorted(Counter(vote.part for vote in votes).items()))


# Two tables, whose rows belong together in order.


def _list_tables(
    tree: Tree, table: PixelTable, votes: list[VoteRow], labels: str, votes_name: str
) -> Listing:
    if len(table.rows) != len(votes):
        raise DatasetError(
            "{} has {} rows and {} has {}: they belong together row by row, so one of them is not "
            "whole.",
            table.name,
            len(table.rows),
            votes_name,
            len(votes),
        )
    _check_parts(table, votes)
    _check_order(votes)
    _check_agreement(table, votes, f"{table.name} and {votes_name}")
    rows = [
        table.named(pixels)._replace(part=vote.part, extra=(vote,))
        for pixels, vote in zip(table.rows, votes, strict=True)
    ]
    listing = _listing(TABLES, rows, labels)
    listing.parts, listing.sources = _count_parts(votes), [table.name]
    listing.read = pixel_reader(tree, table)
    return listing


def _check_parts(table: PixelTable, votes: Sequence[VoteRow]) -> None:
    for pixels, vote in zip(table.rows, votes, strict=True):
        if PARTS.get(pixels.usage) != vote.part:
            raise DatasetError(
                "{} is of {} but {} of {}: they belong together row by row, so one is out of "
                "order.",
                table.place(pixels),
                repr(pixels.usage),
                vote.place,
                repr(vote.part),
            )


def _check_order(votes: Sequence[VoteRow]) -> None:
    """Raise if rows of a part were moved: they would give their votes to other faces."""
    last: dict[str, tuple[int, VoteRow]] = {}
    for vote in votes:
        match = _PICTURE.match(vote.name)
        if match is None:
            continue
        number = int(match[1])
        before, other = last.get(vote.part, (-1, vote))
        if number <= before:
            raise DatasetError(
                "{} names {} after {} in {}: the names rise in the published table, whose rows "
                "belong to those of fer2013.csv in order. Restore its order.",
                vote.place,
                repr(vote.name),
                repr(other.name),
                other.place,
            )
        last[vote.part] = number, vote


def _check_agreement(table: PixelTable, votes: Sequence[VoteRow], tables: str) -> None:
    """Raise if the labels of the two tables disagree as those of different faces do."""
    codes = {str(number): EXPRESSION_CODES[word] for number, word in enumerate(FER2013_CODES)}
    pairs = [(p, v) for p, v in zip(table.rows, votes, strict=True) if v.votes is not None]
    agreed = majority(np.array([vote.votes for _, vote in pairs]).reshape(-1, len(VOTES)))
    same: dict[str, list[bool]] = {}
    for (pixels, vote), code in zip(pairs, agreed, strict=True):
        if code != UNLABELED and pixels.emotion in codes:
            same.setdefault(vote.part, []).append(codes[pixels.emotion] == code)
    for part, found in same.items():
        share = float(np.mean(found))
        if len(found) >= _N_TELLING and share < _LEAST_AGREEMENT:
            raise DatasetError(
                "{} agree on {} of the labels of the {} part, and the published tables on most: "
                "they belong together row by row, so the rows of one are out of order. Restore "
                "its order.",
                tables,
                f"{share:.0%}",
                part,
            )


# Pictures in a folder for each part, with a table of their votes.


class _Part(NamedTuple):
    """Where the pictures of a part are and where their votes, which may lie apart."""

    pictures: str
    table: str | None  # label.csv


def _part_folders(tree: Tree) -> dict[str, _Part]:
    parts = {}
    for name, part in _FOLDERS.items():
        found = tree.find_folders(name, depth=2)
        files = [tree.find_file("label.csv", within=folder, depth=0) for folder in found]
        table = tree.nearest([file for file in files if file is not None])
        pictures = tree.nearest([folder for folder in found if tree.pictures_in(folder)])
        if pictures is None and table is not None:
            pictures = table.rpartition("/")[0]
        if pictures is not None:
            parts[part] = _Part(pictures, table)
    return parts


def _list_pictures(
    tree: Tree, parts: dict[str, _Part], everything: list[VoteRow] | None, labels: str
) -> Listing:
    problems = [
        Problem(vote.place, "its Usage is none of Training, PublicTest and PrivateTest")
        for vote in everything or []
        if not vote.part
    ]
    rows: list[Row] = []
    counts: dict[str, int] = {}
    on_disk: set[str] = set()
    for part, place in parts.items():
        votes = _votes_of(tree, part, place, everything)
        counts[part] = len(votes)
        on_disk.update(tree.pictures_in(place.pictures))
        found, wrong = _named(tree, place.pictures, votes)
        rows += found
        problems += wrong
    unlisted = sorted(on_disk - {row.name for row in rows})
    rows, repeated = without_copies(  # over all parts: a picture in two of them is a leak
        rows,
        lambda row: _vote_of(row).name.lower(),
        lambda row: f"{_vote_of(row).votes} in {row.part}",
    )
    found_parts = counts if everything is None else _count_parts(everything)
    layout = replace(PICTURES, parts=_published_parts(found_parts))
    rows = [row._replace(place=f"{row.place} ({row.name})") for row in rows]
    listing = _listing(layout, rows, labels)
    listing.problems += problems + repeated
    listing.missing = [f"{name}/" for name, part in _FOLDERS.items() if part not in parts]
    listing.parts, listing.unlisted, listing.derive = found_parts, unlisted, number_alike
    return listing


def _votes_of(
    tree: Tree, part: str, place: _Part, everything: Sequence[VoteRow] | None
) -> list[VoteRow]:
    """Return the votes of a part, from its own table or the one of all parts."""
    if place.table is not None:
        return [vote._replace(part=part) for vote in read_votes(tree, place.table)]
    if everything is None:
        raise DatasetError("{}/ has no label.csv, and there is no fer2013new.csv.", place.pictures)
    return [vote for vote in everything if vote.part == part]


def _named(tree: Tree, folder: str, votes: Sequence[VoteRow]) -> tuple[list[Row], list[Problem]]:
    """Return the pictures that votes are for; a row without a name shows no face."""
    rows: list[Row] = []
    problems: list[Problem] = []
    for vote in votes:
        name = inside(vote.name) if vote.name else ""
        if not vote.name and vote.votes is None:
            problems.append(in_part(Problem(vote.place, vote.fault), vote.part))
        elif name is None:
            problem = Problem(vote.place, f"{vote.name!r} leads out of its folder")
            problems.append(in_part(problem, vote.part))
        elif name:
            rows.append(Row(joined(folder, name), part=vote.part, place=vote.place, extra=(vote,)))
    # The table may say .png where the disk has .PNG.
    names = tree.as_on_disk([row.name for row in rows])
    return [row._replace(name=name) for row, name in zip(rows, names, strict=True)], problems


def _published_parts(found: dict[str, int]) -> dict[str, int]:
    """Return the published sizes of the parts, with or without the pictures that show no face."""
    return {
        part: found[part] if size - _N_FACELESS <= found.get(part, 0) <= size else size
        for part, size in FER2013_PARTS.items()
    }
