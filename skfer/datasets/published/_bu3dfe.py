"""BU-3DFE, the Binghamton 3D facial expression data set: its frontal pictures."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skfer.datasets._docs import documented
from skfer.datasets._layout import no_layout, relative, subfolders
from skfer.datasets._listing import Listing, Options, check_root, load
from skfer.datasets._vocabulary import EXPRESSION_CODES, EXPRESSIONS
from skfer.datasets.published._jaffe import CODES
from skfer.exceptions import ArgumentError
from skfer.pictures import EXTENSIONS, Problem, drop_repeats

PUBLISHED = {
    "anger": 400,
    "disgust": 400,
    "fear": 400,
    "happiness": 400,
    "neutral": 100,
    "sadness": 400,
    "surprise": 400,
}
LAYOUT = "F0001/F0001_AN01WH_F2D.bmp, in root or in a folder below it"
_N_SUBJECTS = {"F": 56, "M": 44}
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
    cache_dir: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    on_error: str = "raise",
    return_X_y: bool = False,
    as_frame: bool = False,
    verbose: bool | int = False,
) -> Any:
    """Load the frontal pictures of BU-3DFE from a local copy.

    The layout is that of the owners: a folder for each subject with pictures named like
    `F0001_AN01WH_F2D.bmp` (subject, expression, intensity, race). Files that are not `F2D`, such
    as textures (`F3D`) and scans (`wrl`), are passed over.

    Parameters
    ----------
    root : str or path-like
        The folder of the subjects' folders, or a folder at most two above it.
    intensities : sequence of int, default=None
        Load expressions of these intensities, of 1 to 4, and all neutral faces. None loads all.
    {size}
    {subjects}
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
    return load(list_bu3dfe(check_root(root), intensities=intensities), options)


def list_bu3dfe(root: Path, *, intensities: Sequence[int] | None = None) -> Listing:
    """Return the frontal pictures, unread."""
    several = isinstance(intensities, Iterable) and not isinstance(intensities, str)
    given = list(intensities or ()) if several else []
    if intensities is not None and not (several and all(n in range(1, 5) for n in given)):
        raise ArgumentError(
            "{intensities=} is not known: give a list of some of 1, 2, 3 and 4.",
            intensities=intensities,
        )
    wanted = range(5) if intensities is None else [0, *given]
    folders = _subject_folders(root)
    if not folders:
        raise no_layout("BU-3DFE", root, [LAYOUT])
    rows: list[tuple[str, re.Match[str]]] = []
    problems: list[Problem] = []
    for folder in folders:
        for name in sorted(os.listdir(folder)):
            if not (_FRONTAL.search(name) and name.lower().endswith(EXTENSIONS)):
                continue
            where = f"{relative(folder, root)}/{name}"
            match = _NAME.match(name)
            fault = _fault(folder, match)
            if match is None or fault is not None:
                problems.append(Problem(where, fault or ""))
            elif int(match[4]) in wanted:
                rows.append((where, match))
    kept, repeated = drop_repeats(
        [Path(name).stem.upper() for name, _ in rows],
        [match[3].upper() for _, match in rows],
        [name for name, _ in rows],
    )
    return _listing(root, [rows[i] for i in kept], problems + repeated)


def _subject_folders(root: Path) -> list[Path]:
    level = [root]
    for _ in range(3):
        below = [folder for parent in level for folder in subfolders(parent)]
        found = [folder for folder in below if _FOLDER.match(folder.name)]
        if found:
            return found
        level = below
    return []


def _fault(folder: Path, match: re.Match[str] | None) -> str | None:
    """Return what is wrong with a name, if anything."""
    if match is None or match[3].upper() not in CODES:
        return "not named like F0001_AN01WH_F2D.bmp"
    subject = f"{match[1]}{match[2]}".upper()
    if not 1 <= int(match[2]) <= _N_SUBJECTS[match[1].upper()]:
        return f"subject {subject} is not among F0001-F0056 and M0001-M0044"
    if subject != folder.name.upper():
        return f"in the folder of {folder.name} but of {subject}"
    neutral = match[3].upper() == "NE"
    if int(match[4]) not in ((0,) if neutral else (1, 2, 3, 4)):
        return f"intensity {match[4]} does not belong to {match[3].upper()}"
    return None


def _listing(root: Path, rows: list[tuple[str, re.Match[str]]], problems: list[Problem]) -> Listing:
    target = [EXPRESSION_CODES[CODES[match[3].upper()]] for _, match in rows]
    subjects = [f"{match[1]}{match[2]}".upper() for _, match in rows]
    return Listing(
        name="bu3dfe",
        root=root,
        filenames=[name for name, _ in rows],
        target=np.array(target, dtype=np.int64),
        target_names=EXPRESSIONS,
        descr=_DESCR,
        columns={
            "groups": np.array(subjects, dtype=np.str_),
            "intensity": np.array([int(match[4]) for _, match in rows], dtype=np.int64),
            "race": np.array([match[5].upper() for _, match in rows], dtype=np.str_),
        },
        problems=problems,
        layout=LAYOUT,
        published=PUBLISHED,
        published_groups=sum(_N_SUBJECTS.values()),
    )
