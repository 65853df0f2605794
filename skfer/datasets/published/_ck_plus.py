"""CK+, the Extended Cohn-Kanade data set."""

import functools
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from skfer.datasets._aligned import Place, aligning_reader, read_points
from skfer.datasets._classes import Part, has_classes, labeled_pictures, own_name, stem
from skfer.datasets._docs import documented
from skfer.datasets._frames import check_frames
from skfer.datasets._listing import Layout, Listing
from skfer.datasets._loading import Options, load
from skfer.datasets._pixel_table import FER2013_CODES, labeled_rows, pixel_reader, read_pixel_table
from skfer.datasets._rows import PARTS, Row, without_conflicting_sequences, without_copies
from skfer.datasets._tree import Tree
from skfer.datasets._vocabulary import EXPRESSION_CODES
from skfer.datasets.published._beside import beside_another
from skfer.datasets.published._ck_labels import SEQUENCE, Label, key_of, read_labels
from skfer.datasets.published._unknown import CLASS_NAMES, half_a_layout, unknown_layout
from skfer.exceptions import ArgumentError
from skfer.pictures import DatasetError, DatasetWarning, Problem
from skfer.validation import UNLABELED, check_choice, check_flag

# Labeled sequences; the folder form has three frames of each.
PUBLISHED = {
    "anger": 45,
    "contempt": 18,
    "disgust": 59,
    "fear": 25,
    "happiness": 69,
    "sadness": 28,
    "surprise": 83,
}
N_SUBJECTS = 118  # with a label
SEQUENCES = Layout(
    "cohn-kanade-images/S005/001/S005_001_00000011.png with Emotion/ (and Landmarks/)",
    PUBLISHED,
    n_groups=N_SUBJECTS,
)
FOLDERS = Layout(
    "CK+48/anger/S010_004_00000017.png",
    {word: 3 * count for word, count in PUBLISHED.items()},
    n_groups=N_SUBJECTS,
)
# The last frame of each sequence and its first one, as rows of pixels without names.
TABLE = Layout(
    "ckextended.csv with the columns emotion, pixels and Usage",
    {**PUBLISHED, "neutral": 593},
    unit="rows",
)
_NAME = re.compile(r"^(S\d{3})_(\d{3})_(\d+)\.\w+$", re.IGNORECASE)
_N_POINTS = 68
_INNER = rf"cohnkanadeimages|emotionlabels|emotion|landmarks|facslabels|facs|s\d{{3}}|{CLASS_NAMES}"
_DESCR = """\
The Extended Cohn-Kanade data set (CK+)
---------------------------------------

593 image sequences of 123 subjects, from a neutral face to the peak of a posed expression;
640 x 490 or 640 x 480 pixels, mostly gray. 327 sequences of 118 subjects have a label: surprise 83,
happiness 69, disgust 59, anger 45, sadness 28, fear 25, contempt 18. The widespread folder form
(CK+48) has the last three frames of each of these, 981 faces of 48 x 48 pixels.

Groups are subjects. Frames of one sequence are almost alike: folds that are not made of whole
subjects test on what was learned. The field's protocol is ten folds of subjects in order of id.

Origin: University of Pittsburgh and Carnegie Mellon University; on request from the authors.
Terms: for non-commercial research; not to be passed on; only some subjects may be shown in print.
Cite: P. Lucey, J. F. Cohn, T. Kanade, J. Saragih, Z. Ambadar, I. Matthews, "The Extended
Cohn-Kanade Dataset (CK+): a complete dataset for action unit and emotion-specified expression",
CVPR Workshops 2010; T. Kanade, J. F. Cohn, Y. Tian, "Comprehensive database for facial expression
analysis", FG 2000.
"""


@documented
def load_ck_plus(
    root: str | os.PathLike[str],
    *,
    frames: int | str = 3,
    neutral_first: bool = False,
    unlabeled: bool = False,
    align: bool | str = "auto",
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
    """Load CK+ from a local copy.

    Three layouts are read: that of the owners (`cohn-kanade-images`, `Emotion` and `Landmarks`,
    which may be nested one or two folders deep, as unpacking leaves them); the widespread
    folder form `CK+48/<class>/S010_004_00000017.png`, under any name of the folder and also where
    somebody divided it into `train/<class>` and `test/<class>`, which are read together; and the
    table `ckextended.csv`, which does not tell who is shown, so that no split of it keeps persons
    apart: a warning says so.

    Parameters
    ----------
    root : str or path-like
        The folder that holds one of these trees, or the folder CK+48 itself.
    frames : int, "peak" or "all", default=3
        The last frames of each sequence to load; "peak" is the last one. "all" loads every frame:
        the last three have the sequence's label, the others have none, because the expression
        only begins there. `sequence_target` says it for each frame. The folder form has
        three frames of a sequence and no others; what a copy has in a class neutral is loaded too.
        The table has one frame of a sequence and neutral faces.
    neutral_first : bool, default=False
        Load the first frame of each labeled sequence too, as neutral, unless it is among the
        last ones. For the owners' form only.
    unlabeled : bool, default=False
        Load the 266 sequences without label too, as -1. For the owners' form only.
    align : bool or "auto", default="auto"
        Turn and scale each frame by the landmarks so that the eyes come to one place (see
        :func:`skfer.preprocessing.align_face`); False takes the whole frame. "auto" aligns if
        there is a folder `Landmarks`, and else takes whole frames with a warning. Faces of the
        other forms are cut out already and are taken as they are; they have no landmarks.
    {size}
    {subjects}
    {rest}

    Returns
    -------
    faces : :class:`~sklearn.utils.Bunch`
        {bunch}
        frame_number : ndarray of int of shape (n_images,)
            The number in the frame's name.
        sequence_target : ndarray of int of shape (n_images,)
            The code of the sequence.

        The table has `split` and not the latter two, and its `groups` number identical images.
    (data, target) : tuple
        With `return_X_y=True`.

    Raises
    ------
    {raises}

    See Also
    --------
    skfer.model_selection.SubjectKFold : The field's protocol.

    References
    ----------
    .. [1] P. Lucey et al., "The Extended Cohn-Kanade Dataset (CK+)", CVPR Workshops 2010.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from skfer.datasets import load_ck_plus
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("anger/S010_004_00000017.png", "happy/S011_006_00000013.png"):
    ...         path = os.path.join(root, "CK+48", name)
    ...         os.makedirs(os.path.dirname(path))
    ...         Image.new("L", (48, 48)).save(path)
    ...     faces = load_ck_plus(root)
    >>> faces.target.tolist(), faces.groups.tolist(), faces.sequence.tolist()
    ([0, 4], ['S010', 'S011'], ['S010_004', 'S011_006'])
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
    lister = functools.partial(
        list_ck_plus, frames=frames, neutral_first=neutral_first, unlabeled=unlabeled, align=align
    )
    return load(root, lister, options)


def list_ck_plus(
    tree: Tree,
    *,
    frames: int | str = 3,
    neutral_first: bool = False,
    unlabeled: bool = False,
    align: bool | str = "auto",
) -> Listing:
    """Return the frames of any layout, unread."""
    n_last = check_frames(frames, {"peak": 1, "all": None})
    check_flag(neutral_first, "neutral_first")
    check_choice(align, "align", (True, False, "auto"))
    check_flag(unlabeled, "unlabeled")
    images = tree.innermost(tree.find_folder("cohn-kanade-images"), "cohn-kanade-images")
    if images is not None:
        rows, problems = _list_sequences(tree, images, n_last, neutral_first, unlabeled)
        cut_out = [f for f in ("", *tree.find_folders("CK+48", depth=2)) if has_classes(tree, f)]
        listing = beside_another(tree, _listing(SEQUENCES, rows, problems), cut_out)
        return _aligned(tree, listing, images, align) if align else listing
    folders = _find_classes(tree)
    table = None if folders else tree.find_file("ckextended.csv")
    if not folders and table is None:
        raise _unknown(tree)
    _refuse_what_is_lacking(neutral_first, unlabeled, align)
    if table is not None:
        return _list_table(tree, table)
    return _listing(FOLDERS, *_list_folders(tree, folders, n_last))


def _unknown(tree: Tree) -> DatasetError:
    """Return the error for a folder of no known form, or of the owners' under other names."""
    images = next((folder for folder in tree.levels() if _has_sequences(tree, folder)), None)
    if images is None:
        return unknown_layout("CK+", tree, [SEQUENCES, FOLDERS, TABLE], _INNER)
    told = f"Folders of subjects are there, in {(images or tree.root.name)!r}: call it "
    told += "'cohn-kanade-images', and that of the labels beside it 'Emotion'."
    return half_a_layout("CK+", tree, SEQUENCES, told, _INNER)


def _has_sequences(tree: Tree, folder: str) -> bool:
    """Return whether a folder has those of subjects in it, with frames two folders below."""
    sequences = (f for subject in tree.folders(folder) for f in tree.folders(subject))
    return any(tree.pictures_in(f) for f in sequences if SEQUENCE.search(f))


def survey_ck_plus(tree: Tree) -> Listing:
    """Return the peaks, to be counted, with all files that the loader reads by default.

    The other forms are counted as a whole.
    """
    read = list_ck_plus(tree)
    if read.layout is not SEQUENCES:
        return list_ck_plus(tree, frames="all")
    return replace(list_ck_plus(tree, frames="peak"), sources=read.files)


def _listing(layout: Layout, rows: list[Row], problems: list[Problem]) -> Listing:
    extra = ("frame_number", "sequence_target")
    return Listing("ck-plus", _DESCR, layout, rows, problems, extra=extra)


def _row(name: str, match: re.Match[str], label: str, sequence_label: str) -> Row:
    """Return a frame, whose name has the parts in `match`."""
    code = EXPRESSION_CODES.get(sequence_label, UNLABELED)
    group, extra = match[1].upper(), (int(match[3]), code)
    return Row(name, label, group=group, sequence=key_of(match), extra=extra)


# The owners' form: sequences of frames, with labels and landmarks beside them.


def _list_sequences(
    tree: Tree, images: str, n_last: int | None, neutral_first: bool, unlabeled: bool
) -> tuple[list[Row], list[Problem]]:
    labels, problems = read_labels(tree, images)
    rows: list[Row] = []
    for subject in tree.folders(images):
        for folder in tree.folders(subject):
            key = f"{own_name(subject).upper()}_{own_name(folder)}"
            label = labels.pop(key, Label())
            if label.word or unlabeled:
                frames, wrong = _frames_of(tree, folder, key, label)
                problems += wrong
                rows += _chosen(frames, n_last, neutral_first)
    return rows, problems + [Problem(key, "a label but no frames") for key in sorted(labels)]


def _frames_of(tree: Tree, folder: str, key: str, label: Label) -> tuple[list[Row], list[Problem]]:
    """Return the frames of a sequence in order of their number, and what is wrong with it."""
    frames: list[Row] = []
    problems: list[Problem] = []
    for name in tree.pictures_in(folder):
        match = _NAME.match(own_name(name))
        if match is None:
            problems.append(Problem(name, "not named like S005_001_00000011.png"))
        elif key_of(match) != key:
            problems.append(Problem(name, f"of {key_of(match)} but in the folder of {key}"))
        else:
            frames.append(_row(name, match, label.word, label.word))
    if not frames:
        return [], [*problems, Problem(f"{folder}/", "a sequence without frames")]
    frames, repeated = without_copies(frames, lambda row: f"frame {row.extra[0]} of {key}")
    frames.sort(key=_number)
    problems += repeated
    if label.peak not in (None, _number(frames[-1])):
        # The expression is there in the last frames alone: in others it would be a wrong label.
        what = f"a label of frame {label.peak}, but the last frame here is {frames[-1].name}"
        return [], [*problems, Problem(label.where, what)]
    return frames, problems


def _number(row: Row) -> int:
    return row.extra[0]


def _chosen(frames: list[Row], n_last: int | None, neutral_first: bool) -> list[Row]:
    """Return the wanted frames of a sequence; all but the last have another label or none."""
    last = frames[-(n_last or 3) :]
    before = frames[: len(frames) - len(last)]
    if n_last is not None:
        before = before[:1] if neutral_first else []
    chosen = []
    for i, row in enumerate(before):
        neutral = neutral_first and i == 0 and row.label
        if neutral or n_last is None:
            chosen.append(row._replace(label="neutral" if neutral else ""))
    return chosen + last


def _aligned(tree: Tree, listing: Listing, images: str, align: bool | str) -> Listing:
    """Let the faces be turned by their landmarks as they are read."""
    folder = tree.find_beside(images, "Landmarks")
    if folder is None and align == "auto":
        text = (
            "{root=} has no folder 'Landmarks' to align by: whole frames are taken. Give "
            "{align=False} to take them without this warning."
        )
        warnings = [*listing.warnings, DatasetWarning(text, root=str(tree.root))]
        return replace(listing, missing=["Landmarks/"], warnings=warnings)
    if folder is None:
        raise DatasetError(
            "{root=} has no folder 'Landmarks' to align by: add it, or give {align=False} to take "
            "whole frames.",
            root=str(tree.root),
        )
    names = [
        f"{folder}/{row.name.removeprefix(images).lstrip('/').rpartition('.')[0]}_landmarks.txt"
        for row in listing.rows
    ]
    rows = [
        row._replace(beside=name)
        for row, name in zip(listing.rows, tree.as_on_disk(names), strict=True)
    ]
    read = aligning_reader(tree, lambda row: Place(read_points(tree, row.beside, _N_POINTS)))
    return replace(listing, rows=rows, read=read, reader_key="aligned by landmarks")


def _list_table(tree: Tree, name: str) -> Listing:
    """Return the rows of ckextended.csv."""
    table = read_pixel_table(tree, name)
    rows, problems = labeled_rows(table, (*FER2013_CODES, "contempt"))
    text = (
        "{root=}: {} does not tell who is shown, so that every split of it tests on persons that "
        "were learned. Get the owners' copy, or CK+48, to keep persons apart."
    )
    return Listing(
        name="ck-plus",
        descr=_DESCR,
        layout=TABLE,
        rows=rows,
        problems=problems,
        group_kind="different images",
        sources=[name],
        read=pixel_reader(tree, table),
        warnings=[DatasetWarning(text, own_name(name), root=str(tree.root))],
    )


# The widespread form: the last three frames of each sequence in folders of classes.


def _find_classes(tree: Tree) -> list[str]:
    """Return the folders of the class folders: one, or the parts into which a copy was divided.

    Under another name than CK+48 they are known by the names of their pictures.
    """
    folder = tree.innermost(tree.find_folder("CK+48", depth=2), "CK+48")
    for place in (folder, ""):
        if place is not None and has_classes(tree, place):
            return [place]
    found = {place: _named_folders(tree, place) for place in tree.levels(depth=2)}
    nearest = tree.nearest([place for place, folders in found.items() if folders])
    return [] if nearest is None else found[nearest]


def _named_folders(tree: Tree, place: str) -> list[str]:
    """Return the folder, or its parts, whose classes hold names like S010_004_00000017.png."""
    if _has_named(tree, place):
        return [place]
    parts = [folder for folder in tree.folders(place) if own_name(folder).lower() in PARTS]
    return [folder for folder in parts if _has_named(tree, folder)]


def _has_named(tree: Tree, folder: str) -> bool:
    rows, _ = labeled_pictures(tree, [Part("", folder)]) if has_classes(tree, folder) else ([], [])
    return any(_NAME.match(own_name(row.name)) for row in rows)


def _refuse_what_is_lacking(neutral_first: bool, unlabeled: bool, align: bool | str) -> None:
    """Raise for an argument that asks other forms for what only the owners' has."""
    has = "this copy is not of the owners' form: it has"
    if neutral_first:
        raise ArgumentError(f"{{neutral_first=True}}: {has} a few frames of each sequence only.")
    if unlabeled:
        raise ArgumentError(f"{{unlabeled=True}}: {has} labeled sequences only.")
    if align is True:
        raise ArgumentError(f"{{align=True}}: {has} no landmarks. Its faces are cut out already.")


def _list_folders(
    tree: Tree, folders: list[str], n_last: int | None
) -> tuple[list[Row], list[Problem]]:
    """Return the last frames of each sequence, and what lies in a folder of neutral faces."""
    rows: list[Row] = []
    found, problems = labeled_pictures(tree, [Part("", folder) for folder in folders])
    for row in found:
        match = _NAME.match(own_name(row.name))
        if match is None:
            problems.append(Problem(row.name, "not named like S010_004_00000017.png"))
        else:
            rows.append(_row(row.name, match, row.label, row.label))
    rows, conflicts = without_conflicting_sequences(rows, besides="neutral")
    rows, repeated = without_copies(rows, lambda row: stem(row.name).upper())
    return _last(rows, n_last), problems + conflicts + repeated


def _last(rows: list[Row], n_last: int | None) -> list[Row]:
    """Return the last frames of each sequence; neutral faces are not of its end."""
    if n_last is None:
        return rows
    numbers: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if row.label != "neutral":
            numbers[row.sequence].append(_number(row))
    first = {key: sorted(found)[-n_last:][0] for key, found in numbers.items()}
    return [row for row in rows if row.label == "neutral" or _number(row) >= first[row.sequence]]
