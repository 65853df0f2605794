"""CK+, the Extended Cohn-Kanade data set."""

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from skfer.datasets._docs import documented
from skfer.datasets._layout import no_layout
from skfer.datasets._listing import Listing, Options, check_root, load
from skfer.datasets._vocabulary import EXPRESSIONS
from skfer.datasets.published._ck_plus_classes import find_classes, list_classes
from skfer.datasets.published._ck_plus_rows import Rows
from skfer.datasets.published._ck_plus_sequences import aligned, find_images, list_sequences
from skfer.exceptions import ArgumentError
from skfer.pictures import DatasetWarning

# Labelled sequences; the folder form has three frames of each.
PUBLISHED = {
    "anger": 45,
    "contempt": 18,
    "disgust": 59,
    "fear": 25,
    "happiness": 69,
    "sadness": 28,
    "surprise": 83,
}
LAYOUTS = (
    "cohn-kanade-images/S005/001/S005_001_00000011.png with Emotion/ (and Landmarks/)",
    "CK+48/anger/S010_004_00000017.png",
)
N_SUBJECTS = 118  # with a label
_DESCR = """\
The Extended Cohn-Kanade data set (CK+)
---------------------------------------

593 image sequences of 123 subjects, from a neutral face to the peak of a posed expression;
640 x 490 or 640 x 480 pixels, mostly grey. 327 sequences of 118 subjects have a label: surprise 83,
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

    Two layouts are read: that of the owners (`cohn-kanade-images`, `Emotion` and `Landmarks`,
    which may be nested one or two folders deep, as unpacking leaves them) and the widespread
    folder form `CK+48/<class>/S010_004_00000017.png`.

    Parameters
    ----------
    root : str or path-like
        The folder that holds one of these trees, or the folder CK+48 itself.
    frames : int, "peak" or "all", default=3
        The last frames of each sequence to load; "peak" is the last one. "all" loads every frame:
        the last three have the sequence's label, the others have none, because the expression
        only begins there. `sequence_target` says it for each frame. The folder form has
        three frames of a sequence and no others; what a copy has in a class neutral is loaded too.
    neutral_first : bool, default=False
        Load the first frame of each labelled sequence too, as neutral, unless it is among the
        last ones. Not for the folder form, which does not have it.
    unlabeled : bool, default=False
        Load the 266 sequences without label too, as -1. Not for the folder form.
    align : bool or "auto", default="auto"
        Turn and scale each frame by the landmarks so that the eyes come to one place (see
        :func:`skfer.preprocessing.align_face`); False takes the whole frame. "auto" aligns if
        there is a folder `Landmarks`, and else takes whole frames with a warning. Faces of the
        folder form are cut out already and are taken as they are; they have no landmarks.
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
    listing = list_ck_plus(
        check_root(root),
        frames=frames,
        neutral_first=neutral_first,
        unlabeled=unlabeled,
        align=align,
    )
    if align == "auto" and listing.missing:
        text = (
            "{root=} has no folder 'Landmarks' to align by: whole frames are taken. Give "
            "{align=False} to take them without this warning."
        )
        warnings.warn(DatasetWarning(text, root=str(listing.root)), stacklevel=2)
    return load(listing, options)


def list_ck_plus(
    root: Path,
    *,
    frames: int | str = "peak",
    neutral_first: bool = False,
    unlabeled: bool = False,
    align: bool | str = "auto",
) -> Listing:
    """Return the frames of either layout, unread."""
    n_last = check_frames(frames)
    if align not in (True, False, "auto"):
        raise ArgumentError("{align=} is not known: give True, False or 'auto'.", align=align)
    images = find_images(root)
    if images is not None:
        rows = list_sequences(root, images, n_last, neutral_first, unlabeled)
        listing = _listing(root, rows, LAYOUTS[0], PUBLISHED)
        return aligned(listing, images, align) if align else listing
    folder = find_classes(root)
    if folder is None:
        raise no_layout("CK+", root, LAYOUTS)
    _refuse_what_classes_lack(neutral_first, unlabeled, align)
    published = {word: 3 * count for word, count in PUBLISHED.items()}
    return _listing(root, list_classes(root, folder, n_last), LAYOUTS[1], published)


def _refuse_what_classes_lack(neutral_first: bool, unlabeled: bool, align: bool | str) -> None:
    """Raise ValueError for an argument that asks the folder form for what it does not have."""
    has = "this copy is of the form CK+48, which has"
    if neutral_first:
        raise ArgumentError(f"{{neutral_first=True}}: {has} only the last three frames.")
    if unlabeled:
        raise ArgumentError(f"{{unlabeled=True}}: {has} only labeled sequences.")
    if align is True:
        raise ArgumentError(f"{{align=True}}: {has} no landmarks. Its faces are cut out already.")


def _listing(root: Path, rows: Rows, layout: str, published: dict[str, int]) -> Listing:
    return Listing(
        name="ck-plus",
        root=root,
        filenames=rows.names,
        target=np.array(rows.target, dtype=np.int64),
        target_names=EXPRESSIONS,
        descr=_DESCR,
        columns=rows.columns(),
        problems=rows.problems,
        layout=layout,
        published=published,
        published_groups=N_SUBJECTS,
    )


def survey_ck_plus(root: Path) -> Listing:
    """Return the peaks, to be counted, with all files that the loader reads by default.

    The folder form is counted as a whole.
    """
    listing, read = list_ck_plus(root, frames="peak"), list_ck_plus(root, frames=3)
    if listing.layout == LAYOUTS[1]:
        return list_ck_plus(root, frames="all")
    listing.sources = read.filenames if read.sources is None else read.sources
    return listing


def check_frames(frames: int | str) -> int | None:
    """Return how many of the last frames are wanted, None for all."""
    if frames == "peak":
        return 1
    if frames == "all":
        return None
    if isinstance(frames, bool) or not isinstance(frames, int | np.integer) or frames < 1:
        raise ArgumentError(
            "{frames=} is not known: give 'peak', 'all' or a positive int.", frames=frames
        )
    return int(frames)
