"""MMI, the facial expression data set of Pantic and Valstar: frames of its sessions."""

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ._docs import documented
from ._expressions import EXPRESSION_CODES, EXPRESSIONS, UNLABELED
from ._folder import pictures_below
from ._listing import Listing, Options, check_root, load
from ._problems import Problem
from ._tree import find_folder, no_layout, relative, subfolders

CODES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
LAYOUT = "Sessions/<number>/ with S001-001.xml (Metatag Emotion) and the frames as pictures"
_VIDEOS = (".avi", ".mp4", ".mov", ".mpg")
_SUBJECT = re.compile(r"^(S\d+)[-_]", re.IGNORECASE)
_DESCR = """\
MMI facial expression data set
------------------------------

Videos and stills of some 75 subjects, posed and spontaneous, frontal and in profile. Most sessions
are coded for action units only; those of the six basic expressions carry an Emotion tag (1 anger,
2 disgust, 3 fear, 4 happiness, 5 sadness, 6 surprise; other values have no word in the vocabulary
and count as unlabelled). A sequence goes from neutral to the peak in its middle and back. Groups
are subjects; the protocol is ten folds of subjects. Papers choose their sessions (often 205 frontal
ones), so there are no counts to compare with.

Origin: M. Pantic, M. Valstar, https://mmifacedb.eu; on request.
Terms: for non-commercial research; not to be passed on.
Cite: M. Pantic, M. Valstar, R. Rademaker, L. Maat, "Web-based database for facial expression
analysis", ICME 2005; M. Valstar, M. Pantic, "Induced disgust, happiness and surprise: an addition
to the MMI facial expression database", LREC Workshop on Emotion 2010.
"""


@documented
def load_mmi(
    root: str | os.PathLike[str],
    *,
    frames: int | str = 3,
    neutral_first: bool = False,
    unlabeled: bool = False,
    image_size: int | tuple[int, int] | None = 64,
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
    """Load frames of MMI from a local copy.

    The layout is a folder for each session, as the owners ship them, in root or in `Sessions/`
    below it. Each has XML files, in one of which a tag named Emotion holds the expression
    (`<Metatag Name="Emotion" Value="4"/>`). Videos are not read: write their frames as
    pictures into the session's folder or a folder in it, in order of name, for instance by
    `ffmpeg -i S001-001.avi S001-001_%05d.png`. The subject is the start of the names
    (`S001-001`), or the `id` of the tag `subject` in `session.xml`. Sessions filmed from the side
    or lying on the side are neither left out nor turned.

    Parameters
    ----------
    root : str or path-like
        The folder of the sessions' folders, or one above it.
    frames : int or "all", default=3
        How many frames to load from the middle of each sequence, where the peak is. "all" loads
        every frame; the middle three have the sequence's label, the others have none.
        `sequence_target` says it for each frame.
    neutral_first : bool, default=False
        Load the first frame of each labelled sequence too, as neutral, unless it is among the
        middle ones.
    unlabeled : bool, default=False
        Load the sessions without one of the six expressions too, as -1.
    {size}
    {subjects}
    {rest}

    Returns
    -------
    faces : :class:`~sklearn.utils.Bunch`
        {bunch}
        sequence_target : ndarray of int of shape (n_images,)
            The code of the sequence.
    (data, target) : tuple
        With `return_X_y=True`.

    Raises
    ------
    {raises}

    References
    ----------
    .. [1] M. Pantic et al., "Web-based database for facial expression analysis", ICME 2005.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from skfer.datasets import load_mmi
    >>> with tempfile.TemporaryDirectory() as root:
    ...     session = os.path.join(root, "Sessions", "1767")
    ...     os.makedirs(session)
    ...     with open(os.path.join(session, "S001-100.xml"), "w") as file:
    ...         _ = file.write('<Data><Metatag Name="Emotion" Value="4"/></Data>')
    ...     for i in range(5):
    ...         Image.new("RGB", (720, 576)).save(os.path.join(session, f"S001-100_{i}.png"))
    ...     faces = load_mmi(root, frames=1)
    >>> faces.target.tolist(), faces.groups.tolist(), faces.filenames.tolist()
    ([4], ['S001'], ['Sessions/1767/S001-100_2.png'])
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
    listing = list_mmi(
        check_root(root), frames=frames, neutral_first=neutral_first, unlabeled=unlabeled
    )
    return load(listing, options)


@dataclass
class _Rows:
    """The frames found so far."""

    names: list[str] = field(default_factory=list)
    target: list[int] = field(default_factory=list)
    sequence_target: list[int] = field(default_factory=list)
    sequence: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def list_mmi(
    root: Path, *, frames: int | str = 1, neutral_first: bool = False, unlabeled: bool = False
) -> Listing:
    """Return the frames of all sessions, unread."""
    n_middle = _check_frames(frames)
    parent = find_folder(root, "Sessions") or root
    sessions = [folder for folder in subfolders(parent) if any(folder.glob("*.[xX][mM][lL]"))]
    if not sessions:
        raise no_layout("MMI", root, [LAYOUT])
    rows = _Rows()
    for session in sessions:
        label, subject, wrong = _read_session(root, session)
        rows.problems += wrong
        if not wrong and (label != UNLABELED or unlabeled):
            _add_frames(rows, root, session, label, subject, n_middle, neutral_first)
    return Listing(
        name="mmi",
        root=root,
        filenames=rows.names,
        target=np.array(rows.target, dtype=np.int64),
        target_names=EXPRESSIONS,
        descr=_DESCR,
        columns={
            "groups": np.array(rows.groups, dtype=np.str_),
            "sequence": np.array(rows.sequence, dtype=np.str_),
            "sequence_target": np.array(rows.sequence_target, dtype=np.int64),
        },
        problems=rows.problems,
        layout=LAYOUT,
    )


def _check_frames(frames: int | str) -> int | None:
    if frames == "all":
        return None
    if isinstance(frames, bool) or not isinstance(frames, int | np.integer) or frames < 1:
        raise ValueError(f"frames={frames!r} is not known: give 'all' or a positive int.")
    return int(frames)


def _read_session(root: Path, session: Path) -> tuple[int, str, list[Problem]]:
    """Return the code and the subject that the XML files of a session tell."""
    values: set[str] = set()
    subject = ""
    for path in sorted(session.glob("*.[xX][mM][lL]")):
        named = _SUBJECT.match(path.name)
        subject = named[1].upper() if named else subject
        try:
            tree = ET.parse(path)
        except ET.ParseError as error:
            where = f"{relative(path, root)}, line {error.position[0]}"
            return UNLABELED, "", [Problem(where, f"not XML: {error}")]
        for element in tree.iter():
            if element.get("Name", "").lower() == "emotion":
                values.add(element.get("Value", "").strip())
            elif element.tag.lower() == "subject" and not subject:
                subject = element.get("id", "")
    where = f"{relative(session, root)}/"
    if len(values) > 1:
        return UNLABELED, subject, [Problem(where, f"several emotions: {sorted(values)}")]
    value = values.pop() if values else "0"
    if not value.isdecimal():
        return UNLABELED, subject, [Problem(where, f"emotion {value!r} is not a number")]
    known = 1 <= int(value) <= len(CODES)
    label = EXPRESSION_CODES[CODES[int(value) - 1]] if known else UNLABELED
    return label, subject, []


def _add_frames(
    rows: _Rows,
    root: Path,
    session: Path,
    label: int,
    subject: str,
    n_middle: int | None,
    neutral_first: bool,
) -> None:
    where = relative(session, root)
    names, wrong = pictures_below(root, where)
    videos = [problem for problem in wrong if problem.where.lower().endswith(_VIDEOS)]
    rows.problems += [problem for problem in wrong if problem not in videos]
    named = _SUBJECT.match(Path(names[0]).name) if names else None
    subject = subject or (named[1].upper() if named else "")
    if not names or not subject:
        what = "no subject in the names or in session.xml" if names else "a session without frames"
        hint = ": write those of the video as pictures beside it" if videos and not names else ""
        rows.problems.append(Problem(f"{where}/", what + hint))
        return
    n_labelled = min(n_middle or 3, len(names))
    start = (len(names) - n_labelled) // 2
    for i, name in enumerate(names):
        middle = start <= i < start + n_labelled
        neutral = neutral_first and i == 0 and not middle and label != UNLABELED
        if middle or neutral or n_middle is None:
            other = EXPRESSION_CODES["neutral"] if neutral else UNLABELED
            rows.names.append(name)
            rows.target.append(label if middle else other)
            rows.sequence_target.append(label)
            rows.sequence.append(session.name)
            rows.groups.append(subject)
