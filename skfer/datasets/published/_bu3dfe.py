"""BU-3DFE, the Binghamton 3D facial expression data set: its frontal pictures."""

import functools
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

from skfer.datasets._classes import own_name, stem
from skfer.datasets._docs import documented
from skfer.datasets._listing import Layout, Listing
from skfer.datasets._loading import Options
from skfer.datasets._photographs import Detector, load_detected
from skfer.datasets._rows import Row, without_copies
from skfer.datasets._tree import Tree
from skfer.datasets._vocabulary import TWO_LETTERS
from skfer.datasets.published._unknown import unknown_layout
from skfer.exceptions import ArgumentError
from skfer.pictures import Problem
from skfer.validation import as_list, check_int

PUBLISHED = {
    "anger": 400,
    "disgust": 400,
    "fear": 400,
    "happiness": 400,
    "neutral": 100,
    "sadness": 400,
    "surprise": 400,
}
_N_SUBJECTS = {"F": 56, "M": 44}
LAYOUT = Layout(
    "F0001/F0001_AN01WH_F2D.bmp, in root or in folders below it",
    PUBLISHED,
    n_groups=sum(_N_SUBJECTS.values()),
)
_FOLDER = re.compile(r"^[FM]\d{4}$", re.IGNORECASE)
_NAME = re.compile(r"^([FM])(\d{4})_([A-Z]{2})(\d{2})([A-Z]{2})_F2D\.\w+$", re.IGNORECASE)
_FRONTAL = re.compile(r"_F2D\.\w+$", re.IGNORECASE)
_DESCR = """\
BU-3DFE, the Binghamton University 3D Facial Expression data set (frontal pictures)
------------------------------------------------------------------------------------

2,500 3D scans of 100 subjects (56 women, 44 men), with a frontal picture of each (F2D): six posed
expressions in four intensities (400 pictures each) and neutral (100). Groups are the subjects; the
protocol is ten folds of subjects. Many papers use the intensities 3 and 4 only.

Origin: L. Yin, Binghamton University; on request.
Terms: for non-commercial research; not to be passed on.
Cite: L. Yin, X. Wei, Y. Sun, J. Wang, M. J. Rosato, "A 3D facial expression database for facial
behavior research", FG 2006.
"""


@documented
def load_bu3dfe(
    root: str | os.PathLike[str],
    *,
    intensities: Sequence[int] | None = None,
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
    """Load the frontal pictures of BU-3DFE from a local copy.

    The layout is that of the owners: a folder for each subject with pictures named like
    `F0001_AN01WH_F2D.bmp` (subject, expression, intensity, race). Since the names tell everything,
    the folders may lie at any depth, as in `M/M0001/`, or be missing. Files that are not `F2D`,
    such as textures (`F3D`) and scans (`wrl`), are passed over.

    Parameters
    ----------
    root : str or path-like
        The folder of the subjects' folders, or a folder above it.
    intensities : sequence of int, default=None
        Load expressions of these intensities, of 1 to 4, and all neutral faces. None loads all.
    {size}
    {subjects}
    {detector}
    {rest}

    Returns
    -------
    faces : :class:`~sklearn.utils.Bunch`
        {bunch}
        intensity : ndarray of int of shape (n_images,)
            1 to 4, 0 for neutral.
        race : ndarray of str of shape (n_images,)
            The code in the name, such as WH.
    (data, target) : tuple
        With `return_X_y=True`.

    Raises
    ------
    {raises}

    See Also
    --------
    check_dataset : Compares a copy with what is published.
    skfer.model_selection.SubjectKFold : The usual protocol.

    References
    ----------
    .. [1] L. Yin et al., "A 3D facial expression database for facial behavior research", FG 2006.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from skfer.datasets import load_bu3dfe
    >>> with tempfile.TemporaryDirectory() as root:
    ...     os.makedirs(os.path.join(root, "F0001"))
    ...     for name in ("F0001_AN01WH_F2D.bmp", "F0001_NE00WH_F2D.bmp"):
    ...         Image.new("RGB", (512, 512)).save(os.path.join(root, "F0001", name))
    ...     faces = load_bu3dfe(root)
    >>> faces.target.tolist(), faces.groups.tolist(), faces.intensity.tolist()
    ([0, 5], ['F0001', 'F0001'], [1, 0])
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
    lister = functools.partial(list_bu3dfe, intensities=intensities)
    return load_detected(root, lister, options, detector)


def list_bu3dfe(tree: Tree, *, intensities: Sequence[int] | None = None) -> Listing:
    """Return the frontal pictures, unread."""
    wanted = _check_intensities(intensities)
    found = [name for name in tree.pictures()[0] if _FRONTAL.search(name)]
    if not found:
        raise unknown_layout("BU-3DFE", tree, [LAYOUT])
    rows: list[Row] = []
    problems: list[Problem] = []
    for name in found:
        match = _NAME.match(own_name(name))
        fault = _fault(name, match)
        if match is None or fault is not None:
            problems.append(Problem(name, fault or ""))
        elif int(match[4]) in wanted:
            subject, extra = f"{match[1]}{match[2]}".upper(), (int(match[4]), match[5].upper())
            label = TWO_LETTERS[match[3].upper()]
            rows.append(Row(name, label, group=subject, extra=extra))
    rows, repeated = without_copies(rows, lambda row: stem(row.name).upper())
    return Listing(
        name="bu3dfe",
        descr=_DESCR,
        layout=LAYOUT,
        rows=rows,
        problems=problems + repeated,
        extra=("intensity", "race"),
    )


def _check_intensities(intensities: Sequence[int] | None) -> Sequence[int]:
    """Return the intensities that are wanted, 0 for neutral among them."""
    if intensities is None:
        return range(5)
    given = as_list(intensities, "intensities", "some of 1, 2, 3 and 4")
    if not given:
        raise ArgumentError("{intensities} is empty: give some of 1, 2, 3 and 4.")
    return [0, *(check_int(n, "intensities", at_least=1, at_most=4) for n in given)]


def _fault(name: str, match: re.Match[str] | None) -> str | None:
    """Return why a picture cannot be used, if so: its name, or a folder that contradicts it."""
    if match is None or match[3].upper() not in TWO_LETTERS:
        return "not named like F0001_AN01WH_F2D.bmp"
    subject = f"{match[1]}{match[2]}".upper()
    if not 1 <= int(match[2]) <= _N_SUBJECTS[match[1].upper()]:
        return f"subject {subject} is not among F0001-F0056 and M0001-M0044"
    for folder in name.split("/")[:-1]:
        if _FOLDER.match(folder) and folder.upper() != subject:
            return f"in the folder of {folder} but of {subject}"
    neutral = match[3].upper() == "NE"
    if int(match[4]) not in ((0,) if neutral else (1, 2, 3, 4)):
        return f"intensity {match[4]} does not belong to {match[3].upper()}"
    return None
