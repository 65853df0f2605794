"""JAFFE, the Japanese female facial expression data set."""

import functools
import os
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from skfer.datasets._aligned import cropping_reader
from skfer.datasets._classes import own_name
from skfer.datasets._docs import documented
from skfer.datasets._labels import canonical
from skfer.datasets._listing import Layout, Listing, RowReader
from skfer.datasets._loading import Options, load
from skfer.datasets._rows import Row, without_copies
from skfer.datasets._tree import Tree
from skfer.datasets._vocabulary import EXPRESSION_CODES, TWO_LETTERS
from skfer.datasets.published._unknown import unknown_layout
from skfer.exceptions import ArgumentError
from skfer.pictures import Problem, read_picture, sides_of

PUBLISHED = {
    "anger": 30,
    "disgust": 29,
    "fear": 32,
    "happiness": 31,
    "neutral": 30,
    "sadness": 31,
    "surprise": 30,
}
SUBJECTS = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")
# "NA" is how tables write a missing value, here too.
_IDS = {"NA": "Na"}
LAYOUT = Layout("KA.AN1.39.tiff, in root or in folders below it", PUBLISHED, n_groups=len(SUBJECTS))
_SIDE = 256  # pixels, as the owners ship them
# Where the face is in those: our reading of "about half of the frame", as shares of width and
# height (left, upper, right, lower). The heads stand at one place, eyes at about 0.5 of the height.
FACE_BOX = (0.23, 0.27, 0.77, 0.88)
_NAME = re.compile(r"^([A-Z]{2})([._-])([A-Z]{2})(\d)\2(\d+)\.\w+", re.IGNORECASE)
_DESCR = """\
The Japanese Female Facial Expression data set (JAFFE)
------------------------------------------------------

213 pictures of 10 women, gray, 256 x 256 pixels (a few stored with a palette), 2 to 4 of each of
six posed expressions and neutral: anger 30, disgust 29, fear 32, happiness 31, neutral 30,
sadness 31, surprise 30. Groups are the women; the field's protocol leaves one out at a time. The
woman NA is called "Na", since "NA" stands for a missing value in tables.

The face fills about half of the frame. The default crop, from 0.23 to 0.77 of the width and 0.27 to
0.88 of the height, is our reading; pictures of another size are taken whole by default.

Origin: ATR Human Information Processing Research Laboratory, Kyoto University; on request.
Terms: for non-commercial research; not to be passed on.
Cite: M. J. Lyons, S. Akamatsu, M. Kamachi, J. Gyoba, "Coding facial expressions with Gabor
wavelets", FG 1998.
"""


@documented
def load_jaffe(
    root: str | os.PathLike[str],
    *,
    align: bool | str | tuple[float, float, float, float] = "auto",
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
    """Load JAFFE from a local copy.

    The layout is that of the owners: pictures named like `KA.AN1.39.tiff` (subject, expression,
    take, number), in one folder or in folders below it. Copies converted to another format
    are read too (`KA.AN1.39.png`, `KA.AN1.39.tiff.jpg`, `KA-AN1-39.jpg`). The names tell
    everything; a picture in a folder of another expression or person cannot be used. Papers,
    notes and archives beside them are passed over.

    Parameters
    ----------
    root : str or path-like
        The folder of the pictures.
    align : bool, "auto" or (left, upper, right, lower), default="auto"
        The part of each picture to take, in shares of its width and height. True is
        (0.23, 0.27, 0.77, 0.88), the face without hair and background (our reading: the set
        gives no boxes); False is the whole picture. "auto" is True for pictures of 256 x 256
        pixels, the owners' size, and False for others, which may be cut out already: give True
        for a copy that was only resized.
    {size}
    {subjects}
    {rest}

    Returns
    -------
    faces : :class:`~sklearn.utils.Bunch`
        {bunch}
        take, number : ndarray of int of shape (n_images,)
            From the names.
    (data, target) : tuple
        With `return_X_y=True`.

    Raises
    ------
    {raises}

    See Also
    --------
    sklearn.model_selection.LeaveOneGroupOut : The field's protocol.

    References
    ----------
    .. [1] M. J. Lyons et al., "Coding facial expressions with Gabor wavelets", FG 1998.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from skfer.datasets import load_jaffe
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("KA.AN1.39.tiff", "YM.HA2.53.tiff"):
    ...         Image.new("L", (256, 256)).save(os.path.join(root, name))
    ...     faces = load_jaffe(root)
    >>> faces.images.shape, faces.target.tolist(), faces.groups.tolist()
    ((2, 48, 48), [0, 4], ['KA', 'YM'])
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
    return load(root, functools.partial(list_jaffe, align=align), options)


def list_jaffe(
    tree: Tree, *, align: bool | str | tuple[float, float, float, float] = False
) -> Listing:
    """Return the pictures, unread."""
    is_auto = isinstance(align, str) and align == "auto"
    box = FACE_BOX if is_auto else _check_align(align)
    found, others = tree.pictures()
    named = [(name, _NAME.match(own_name(name))) for name in found]
    if not any(match for _, match in named):
        raise unknown_layout("JAFFE", tree, [LAYOUT])
    # The owners ship papers and notes beside the pictures.
    problems = [problem for problem in others if _NAME.match(own_name(problem.where))]
    rows: list[Row] = []
    for name, match in named:
        fault = _fault(name, match)
        if match is None or fault is not None:
            problems.append(Problem(name, fault or ""))
        else:
            label, extra = TWO_LETTERS[match[3].upper()], (int(match[4]), int(match[5]))
            rows.append(Row(name, label, group=_id_of(match[1]), extra=extra))
    rows, repeated = without_copies(rows, _picture)
    return Listing(
        name="jaffe",
        descr=_DESCR,
        layout=LAYOUT,
        rows=rows,
        problems=problems + repeated,
        extra=("take", "number"),
        read=None if box is None else _reader(tree, box, is_auto),
        reader_key="" if box is None else f"cropped to {box}" + " if 256 x 256" * is_auto,
    )


def _reader(tree: Tree, box: tuple[float, float, float, float], is_auto: bool) -> RowReader:
    """Return what crops pictures: with `is_auto` those only that have the owners' margin."""
    crop = cropping_reader(tree, box)

    def read(row: Row, size: tuple[int, int] | None, color: bool) -> np.ndarray:
        path = tree.path(row.name)
        whole = is_auto and sides_of(path) != (_SIDE, _SIDE)
        return read_picture(path, size, color) if whole else crop(row, size, color)

    return read


def _fault(name: str, match: re.Match[str] | None) -> str | None:
    """Return why a picture cannot be used, if so: its name, or a folder that contradicts it."""
    if match is None or match[3].upper() not in TWO_LETTERS:
        return "not named like KA.AN1.39.tiff"
    subject, label = match[1].upper(), TWO_LETTERS[match[3].upper()]
    if subject not in SUBJECTS:
        return f"subject {match[1]!r} is not among {', '.join(SUBJECTS)}"
    for folder in name.split("/")[:-1]:
        if canonical(folder) in EXPRESSION_CODES.keys() - {label}:
            return f"of {label} but in the folder {folder!r}"
        if folder.upper() in {*SUBJECTS} - {subject}:
            return f"of {subject} but in the folder {folder!r}"
    return None


def _id_of(subject: str) -> str:
    return _IDS.get(subject.upper(), subject.upper())


def _picture(row: Row) -> str:
    """Return the owners' name of a picture without its format, both of which copies may change."""
    own = own_name(row.name).upper()
    return f"{own[:2]}.{own[3:6]}.{row.extra[1]}"


def _check_align(
    align: bool | str | tuple[float, float, float, float],
) -> tuple[float, float, float, float] | None:
    if isinstance(align, bool):
        return FACE_BOX if align else None
    try:
        left, upper, right, lower = (float(edge) for edge in align)
    except (TypeError, ValueError):
        left, upper, right, lower = 1.0, 1.0, 0.0, 0.0
    if not (0 <= left < right <= 1 and 0 <= upper < lower <= 1):
        raise ArgumentError(
            "{align=} is not a part of a picture: give True, False or (left, upper, right, lower) "
            "in [0, 1], or 'auto'.",
            align=align,
        )
    return left, upper, right, lower
