"""MMI, the facial expression data set of Pantic and Valstar: frames of its sessions."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from xml.parsers import expat

import numpy as np

from skfer.datasets._docs import documented
from skfer.datasets._folder import is_litter, pictures_below
from skfer.datasets._layout import find_folder, no_layout, relative, subfolders
from skfer.datasets._listing import Listing, Options, check_root, load
from skfer.datasets._vocabulary import EXPRESSION_CODES, EXPRESSIONS, UNLABELED
from skfer.datasets.published._mmi_subjects import Person, name_people
from skfer.exceptions import ArgumentError
from skfer.pictures import DatasetError, Problem, drop_repeats

CODES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
LAYOUT = "Sessions/<number>/ with S001-001.xml (Metatag Emotion) and the frames as pictures"
_VIDEOS = (".avi", ".mp4", ".mov", ".mpg")
# Beside CODES; they have no word in the vocabulary.
_NO_WORD = {"0": "none", "7": "scream", "8": "bored", "9": "sleepy"}
_SUBJECT = re.compile(r"^(S\d+)[-_]", re.IGNORECASE)
_CLIP = re.compile(r"^(S\d+-\d+)(?!\d)(.*)$", re.IGNORECASE)
_NUMBER = re.compile(r"[-_. ]*(\d+)$")
_DESCR = """\
MMI facial expression data set
------------------------------

Videos and stills of some 75 subjects, posed and spontaneous, frontal and in profile. Most sessions
are coded for action units only; those of the six basic expressions carry an Emotion tag (1 anger, 2
disgust, 3 fear, 4 happiness, 5 sadness, 6 surprise; 7 to 9, our reading scream, bored and sleepy,
have no word in the vocabulary and count as unlabelled, as 0 does). A sequence goes from neutral to
the peak in its middle and back. Groups are subjects; the protocol is ten folds of subjects. Papers
choose their sessions (often 205 frontal ones), so there are no counts to compare with.

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
    """Load frames of MMI from a local copy.

    The layout is a folder for each session, as the owners ship them, in root or in `Sessions/`
    below it. Each has XML files, in one of which a tag named Emotion holds the expression
    (`<Metatag Name="Emotion" Value="4"/>`). Videos are not read: write their frames as
    pictures into the session's folder or a folder in it, numbered at the end of the name, for
    instance by `ffmpeg -i S001-001.avi S001-001_%05d.png`. Frames that lie in one folder and have
    one name before the number are a clip. Each clip is a sequence; one named like `S001-001` must
    have an XML file of its name, if any XML file of the session is named so, and has the
    expression of that. The subject is the start of the names (`S001-001`) if all sessions have
    such names, or else the `id` of the tag `subject` in `session.xml`. Where each tells only some
    sessions, S001 and 1 are one person, unless both are told somewhere and are other numbers, which
    is refused. Sessions filmed from the side or lying on the side are neither left out nor turned.

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
    people: list[Person] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def list_mmi(
    root: Path, *, frames: int | str = 1, neutral_first: bool = False, unlabeled: bool = False
) -> Listing:
    """Return the frames of all sessions, unread."""
    n_middle = _check_frames(frames)
    parent = find_folder(root, "Sessions") or root
    notes = {folder: _notes_in(folder) for folder in subfolders(parent)}
    if not any(notes.values()):
        raise no_layout("MMI", root, [LAYOUT])
    rows = _Rows()
    for session, paths in notes.items():
        try:
            _add_session(rows, root, session, paths, n_middle, neutral_first, unlabeled)
        except DatasetError as error:
            rows.problems += [Problem(*problem) for problem in error.problems]
    groups, contradictions = name_people(rows.people, rows.names)
    rows.problems += contradictions
    listing = Listing(
        name="mmi",
        root=root,
        filenames=rows.names,
        target=np.array(rows.target, dtype=np.int64),
        target_names=EXPRESSIONS,
        descr=_DESCR,
        columns={
            "groups": np.array(groups, dtype=np.str_),
            "sequence": np.array(rows.sequence, dtype=np.str_),
            "sequence_target": np.array(rows.sequence_target, dtype=np.int64),
        },
        problems=rows.problems,
        layout=LAYOUT,
    )
    return listing.take(np.flatnonzero([bool(group) for group in groups]))


def _check_frames(frames: int | str) -> int | None:
    if frames == "all":
        return None
    if isinstance(frames, bool) or not isinstance(frames, int | np.integer) or frames < 1:
        raise ArgumentError("{frames=} is not known: give 'all' or a positive int.", frames=frames)
    return int(frames)


def _notes_in(session: Path) -> list[Path]:
    paths = sorted(session.iterdir())
    return [path for path in paths if path.suffix.lower() == ".xml" and not is_litter(path.name)]


def _fault(where: str, what: str) -> DatasetError:
    """Return the error that ends the reading of a session."""
    return DatasetError("{}: {}", where, what, problems=[Problem(where, what)])


@dataclass
class _Notes:
    """What the XML files of a session tell."""

    named: str = ""  # the subject, by the names of the files
    given: str = ""  # the same, by session.xml
    # Where each value of Emotion stands, by the clip in the file's name ("" if it names none).
    values: dict[str, dict[str, str]] = field(default_factory=dict)

    def label(self, clip: str, where: str) -> int:
        """Return the code of a clip; "" is one whose name does not say which it is."""
        told: dict[str, str] = {}
        for name, values in self.values.items():
            if name in ("", clip) or not clip:
                told |= values
        if len(told) > 1:
            files = ", ".join(sorted(set(told.values())))
            raise _fault(where, f"several emotions: {sorted(told)} in {files}")
        for value, file in told.items():
            return _code(value, file)
        return UNLABELED


def _code(value: str, where: str) -> int:
    if value in _NO_WORD:
        return UNLABELED
    if value not in map(str, range(1, len(CODES) + 1)):
        raise _fault(where, f"emotion {value!r} is not a number from 0 to 9")
    return EXPRESSION_CODES[CODES[int(value) - 1]]


def _read_notes(root: Path, paths: list[Path]) -> _Notes:
    notes = _Notes()
    for path in paths:
        where = relative(path, root)
        named, clip = _SUBJECT.match(path.name), _CLIP.match(path.stem)
        values = notes.values.setdefault(clip[1].upper() if clip else "", {})
        notes.named = named[1].upper() if named else notes.named
        for line, tag, attributes in _read_xml(path, where):
            if attributes.get("Name", "").lower() == "emotion":
                values.setdefault(attributes.get("Value", "").strip(), f"{where}, line {line}")
            elif tag.lower() == "subject":
                notes.given = notes.given or attributes.get("id", "").strip()
    return notes


def _read_xml(path: Path, where: str) -> list[tuple[int, str, dict[str, str]]]:
    """Return line, tag and attributes of every element."""
    found: list[tuple[int, str, dict[str, str]]] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, attributes: found.append(
        (parser.CurrentLineNumber, tag, attributes)
    )
    try:
        parser.Parse(path.read_bytes(), True)
    except expat.ExpatError as error:
        raise _fault(f"{where}, line {error.lineno}", f"not XML: {error}") from None
    except (LookupError, ValueError, OSError) as error:  # such as an encoding that is not known
        raise _fault(where, f"cannot be read as XML: {error}") from None
    return found


def _add_session(
    rows: _Rows,
    root: Path,
    session: Path,
    paths: list[Path],
    n_middle: int | None,
    neutral_first: bool,
    unlabeled: bool,
) -> None:
    where = relative(session, root)
    names, wrong = pictures_below(root, where)
    if not paths:
        if names:
            rows.problems.append(Problem(f"{where}/", "frames without an XML file"))
        return
    notes = _read_notes(root, paths)
    clips, repeated = _clips(names)
    _check_codes(root, paths, notes, clips)
    labels = {clip: notes.label(clip.code, f"{where}/") for clip in clips or [_Clip("", "", "")]}
    if not unlabeled and set(labels.values()) == {UNLABELED}:
        return
    videos = [problem for problem in wrong if problem.where.lower().endswith(_VIDEOS)]
    rows.problems += [problem for problem in wrong if problem not in videos] + repeated
    if not clips:
        hint = ": write those of the video as pictures beside it" if videos else ""
        raise _fault(f"{where}/", f"a session without frames{hint}")
    for clip, frames in clips.items():
        if labels[clip] != UNLABELED or unlabeled:
            person = _person(frames[0], notes, where)
            inner = "" if len(clips) == 1 else f"{clip.folder[len(where) :]}/{clip.stem}"
            sequence = session.name + inner.rstrip("/")
            _add_frames(rows, frames, labels[clip], person, sequence, n_middle, neutral_first)


class _Clip(NamedTuple):
    """What the names of a clip's frames have in common."""

    folder: str  # "" where the code tells enough
    stem: str  # before the number
    code: str  # such as S001-100, "" if it has none


def _clips(names: list[str]) -> tuple[dict[_Clip, list[str]], list[Problem]]:
    """Return the frames of each clip in order of their number, and those that repeat another."""
    found: dict[_Clip, list[tuple[int, str]]] = {}
    for name in names:
        folder, _, file = name.rpartition("/")
        stem = file.rpartition(".")[0]
        coded = _CLIP.match(stem)
        code, rest = (coded[1].upper(), coded[2]) if coded else ("", stem)
        number = _NUMBER.search(rest)
        before = (code + (rest[: number.start()] if number else rest)) if coded or number else ""
        clip = _Clip("" if code else folder, before, code)
        found.setdefault(clip, []).append((int(number[1]) if number else -1, name))
    clips: dict[_Clip, list[str]] = {}
    problems: list[Problem] = []
    for clip, frames in found.items():
        frames.sort()
        kept, repeated = drop_repeats(
            [f"{clip.stem} {n}" if n >= 0 else Path(name).stem for n, name in frames],
            [clip] * len(frames),
            [name for _, name in frames],
        )
        clips[clip] = [frames[i][1] for i in kept]
        problems += repeated
    return clips, problems


def _check_codes(
    root: Path, paths: list[Path], notes: _Notes, clips: dict[_Clip, list[str]]
) -> None:
    """Raise if frames and XML files name other clips; either may name none."""
    coded = {match[1].upper(): path for path in paths if (match := _CLIP.match(path.stem))}
    for clip, frames in clips.items():
        if clip.code and coded and clip.code not in coded:
            found = ", ".join(sorted(path.name for path in coded.values()))
            raise _fault(frames[0], f"of {clip.code}, but the XML beside it is {found}")
    if clips and all(clip.code for clip in clips):
        told = {code for code in coded if set(notes.values[code]) - set(_NO_WORD)}
        for code in sorted(told - {clip.code for clip in clips}):
            raise _fault(relative(coded[code], root), f"no frames of {code} in its session")


def _person(frame: str, notes: _Notes, where: str) -> Person:
    named = _SUBJECT.match(frame.rpartition("/")[2])
    person = Person(named[1].upper() if named else notes.named, notes.given)
    if not any(person):
        raise _fault(f"{where}/", "no subject in the names or in session.xml")
    return person


def _add_frames(
    rows: _Rows,
    names: list[str],
    label: int,
    person: Person,
    sequence: str,
    n_middle: int | None,
    neutral_first: bool,
) -> None:
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
            rows.sequence.append(sequence)
            rows.people.append(person)
