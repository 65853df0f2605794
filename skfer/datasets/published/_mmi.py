"""MMI, the facial expression data set of Pantic and Valstar: frames of its sessions."""

import functools
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from xml.parsers import expat

from skfer.datasets._classes import own_name, stem
from skfer.datasets._docs import documented
from skfer.datasets._frames import check_frames
from skfer.datasets._listing import Layout, Listing, no_layout
from skfer.datasets._loading import Options
from skfer.datasets._photographs import Detector, load_detected
from skfer.datasets._rows import Row, without_copies
from skfer.datasets._tree import Tree
from skfer.datasets._vocabulary import EXPRESSION_CODES
from skfer.datasets.published._unknown import advise
from skfer.pictures import DatasetError, Problem, fault_of
from skfer.validation import UNLABELED, check_flag

CODES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
LAYOUT = Layout("Sessions/<number>/ with S001-001.xml (Metatag Emotion) and the frames as pictures")
_VIDEOS = (".avi", ".mp4", ".mov", ".mpg")
# Beside CODES; they have no word in the vocabulary.
_NO_WORD = {"0": "none", "7": "scream", "8": "bored", "9": "sleepy"}
_SUBJECT = re.compile(r"^(S\d+)[-_]", re.IGNORECASE)
_CLIP = re.compile(r"^(S\d+-\d+)(?!\d)(.*)$", re.IGNORECASE)
_ID = re.compile(r"^S?0*(\d+)$", re.IGNORECASE)
_NUMBER = re.compile(r"[-_. ]*(\d+)$")
_DESCR = """\
MMI facial expression data set
------------------------------

Videos and stills of some 75 subjects, posed and spontaneous, frontal and in profile. Most sessions
are coded for action units only; those of the six basic expressions carry an Emotion tag (1 anger, 2
disgust, 3 fear, 4 happiness, 5 sadness, 6 surprise; 7 to 9, our reading scream, bored and sleepy,
have no word in the vocabulary and count as unlabeled, as 0 does). A sequence goes from neutral to
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
    detector: Detector = None,
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
        Load the first frame of each labeled sequence too, as neutral, unless it is among the
        middle ones.
    unlabeled : bool, default=False
        Load the sessions without one of the six expressions too, as -1.
    {size}
    {subjects}
    {detector}
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

    See Also
    --------
    check_dataset : Compares a copy with what is published.
    skfer.model_selection.SubjectKFold : The usual protocol.

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
    lister = functools.partial(
        list_mmi, frames=frames, neutral_first=neutral_first, unlabeled=unlabeled
    )
    return load_detected(root, lister, options, detector)


class _Wanted(NamedTuple):
    """Which frames to load."""

    n_middle: int | None  # None for all
    neutral_first: bool
    unlabeled: bool


class _SessionError(ValueError):
    """Something that ends the reading of a session."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.problem = Problem(where, what)


def list_mmi(
    tree: Tree,
    *,
    frames: int | str = 1,
    neutral_first: bool = False,
    unlabeled: bool = False,
) -> Listing:
    """Return the frames of all sessions, unread."""
    check_flag(neutral_first, "neutral_first")
    check_flag(unlabeled, "unlabeled")
    wanted = _Wanted(check_frames(frames, {"all": None}), neutral_first, unlabeled)
    parent = tree.find_folder("Sessions") or ""
    notes = {folder: _notes_in(tree, folder) for folder in tree.folders(parent)}
    if not any(notes.values()):
        # Without a word on class folders: sessions have numbers too.
        raise no_layout("MMI", tree, [LAYOUT], advise(tree, r"sessions|\d+"))
    rows: list[tuple[Row, _Person]] = []
    problems: list[Problem] = []
    for session, paths in notes.items():
        try:
            found, wrong = _read_session(tree, session, paths, wanted)
            rows += found
            problems += wrong
        except _SessionError as fault:
            problems.append(fault.problem)
    groups, contradictions = _name_people([p for _, p in rows], [row.name for row, _ in rows])
    return Listing(
        name="mmi",
        descr=_DESCR,
        layout=LAYOUT,
        rows=[
            row._replace(group=group) for (row, _), group in zip(rows, groups, strict=True) if group
        ],
        problems=problems + contradictions,
        extra=("sequence_target",),
    )


def _read_session(
    tree: Tree, session: str, paths: list[str], wanted: _Wanted
) -> tuple[list[tuple[Row, "_Person"]], list[Problem]]:
    """Return the frames of a session that are wanted, and what is wrong with it."""
    names, wrong = tree.pictures(session)
    if not paths:
        return [], [Problem(f"{session}/", "frames without an XML file")] if names else []
    notes = _read_notes(tree, paths)
    clips, repeated = _clips(names)
    _check_codes(paths, notes, clips)
    labels = {clip: notes.label(clip.code, f"{session}/") for clip in clips or [_Clip("", "", "")]}
    if not wanted.unlabeled and not any(labels.values()):
        return [], []
    videos = [problem for problem in wrong if problem.where.lower().endswith(_VIDEOS)]
    problems = [problem for problem in wrong if problem not in videos] + repeated
    if not clips:
        hint = ": write those of the video as pictures beside it" if videos else ""
        raise _SessionError(f"{session}/", f"a session without frames{hint}")
    rows: list[tuple[Row, _Person]] = []
    for clip, frames in clips.items():
        if labels[clip] or wanted.unlabeled:
            person = _person(frames[0], notes, session)
            inner = "" if len(clips) == 1 else f"{clip.folder[len(session) :]}/{clip.stem}"
            sequence = own_name(session) + inner.rstrip("/")
            chosen = _chosen(frames, labels[clip], sequence, wanted)
            rows += [(row, person) for row in chosen]
    return rows, problems


def _chosen(names: list[str], label: str, sequence: str, wanted: _Wanted) -> list[Row]:
    """Return the wanted frames of a clip; all but the middle ones have another label or none."""
    n_labeled = min(wanted.n_middle or 3, len(names))
    start = (len(names) - n_labeled) // 2
    code = EXPRESSION_CODES.get(label, UNLABELED)
    rows = []
    for i, name in enumerate(names):
        in_middle = start <= i < start + n_labeled
        is_neutral = wanted.neutral_first and i == 0 and not in_middle and bool(label)
        if in_middle or is_neutral or wanted.n_middle is None:
            word = label if in_middle else "neutral" if is_neutral else ""
            rows.append(Row(name, word, sequence=sequence, extra=(code,)))
    return rows


# What the XML files of a session tell.


@dataclass
class _Notes:
    """What the XML files of a session tell."""

    named: str = ""  # the subject, by the names of the files
    given: str = ""  # the same, by session.xml
    # Where each value of Emotion stands, by the clip in the file's name ("" if it names none).
    values: dict[str, dict[str, str]] = field(default_factory=dict)

    def label(self, clip: str, where: str) -> str:
        """Return the expression of a clip; "" is one whose name does not say which it is."""
        told: dict[str, str] = {}
        for name, values in self.values.items():
            if name in ("", clip) or not clip:
                told |= values
        if len(told) > 1:
            files = ", ".join(sorted(set(told.values())))
            raise _SessionError(where, f"several emotions: {sorted(told)} in {files}")
        for value, file in told.items():
            return _word(value, file)
        return ""


def _word(value: str, where: str) -> str:
    """Return the expression of a value of Emotion, "" for one without a word."""
    if value in _NO_WORD:
        return ""
    if value not in map(str, range(1, len(CODES) + 1)):
        raise _SessionError(where, f"emotion {value!r} is not a number from 0 to 9")
    return CODES[int(value) - 1]


def _notes_in(tree: Tree, session: str) -> list[str]:
    return [name for name in tree.files(session) if name.lower().endswith(".xml")]


def _read_notes(tree: Tree, paths: list[str]) -> _Notes:
    notes = _Notes()
    for path in paths:
        named, clip = _SUBJECT.match(own_name(path)), _CLIP.match(stem(path))
        values = notes.values.setdefault(clip[1].upper() if clip else "", {})
        notes.named = named[1].upper() if named else notes.named
        for line, tag, attributes in _read_xml(tree, path):
            if attributes.get("Name", "").lower() == "emotion":
                values.setdefault(attributes.get("Value", "").strip(), f"{path}, line {line}")
            elif tag.lower() == "subject":
                notes.given = notes.given or attributes.get("id", "").strip()
    return notes


def _read_xml(tree: Tree, path: str) -> list[tuple[int, str, dict[str, str]]]:
    """Return line, tag and attributes of every element."""
    found: list[tuple[int, str, dict[str, str]]] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, attributes: found.append(
        (parser.CurrentLineNumber, tag, attributes)
    )
    try:
        parser.Parse(tree.read_bytes(path), True)
    except expat.ExpatError as error:
        raise _SessionError(f"{path}, line {error.lineno}", f"not XML: {error}") from None
    except OSError as error:
        raise _SessionError(path, f"cannot be read: {fault_of(error)}") from None
    except (LookupError, ValueError) as error:  # such as an encoding that is not known
        raise _SessionError(path, f"cannot be read as XML: {error}") from None
    return found


# The clips of a session.


class _Clip(NamedTuple):
    """What the names of a clip's frames have in common."""

    folder: str  # "" where the code tells enough
    stem: str  # before the number
    code: str  # such as S001-100, "" if it has none


def _clips(names: list[str]) -> tuple[dict[_Clip, list[str]], list[Problem]]:
    """Return the frames of each clip in order of their number, and those that repeat another."""
    found: dict[_Clip, list[tuple[int, str]]] = {}
    for name in names:
        clip, number = _clip_of(name)
        found.setdefault(clip, []).append((number, name))
    clips: dict[_Clip, list[str]] = {}
    problems: list[Problem] = []
    for clip, frames in found.items():
        numbers = {name: number for number, name in frames}

        def called(row: Row, clip: _Clip = clip, numbers: dict[str, int] = numbers) -> str:
            number = numbers[row.name]
            return f"{clip.stem} {number}" if number >= 0 else stem(row.name)

        rows, repeated = without_copies([Row(name) for _, name in sorted(frames)], called)
        clips[clip] = [row.name for row in rows]
        problems += repeated
    return clips, problems


def _clip_of(name: str) -> tuple[_Clip, int]:
    """Return the clip that a frame is of, and its number, -1 if it has none."""
    coded = _CLIP.match(stem(name))
    code, rest = (coded[1].upper(), coded[2]) if coded else ("", stem(name))
    number = _NUMBER.search(rest)
    before = (code + (rest[: number.start()] if number else rest)) if coded or number else ""
    clip = _Clip("" if code else name.rpartition("/")[0], before, code)
    return clip, int(number[1]) if number else -1


def _check_codes(paths: list[str], notes: _Notes, clips: dict[_Clip, list[str]]) -> None:
    """Raise if frames and XML files name other clips; either may name none."""
    coded = {match[1].upper(): path for path in paths if (match := _CLIP.match(stem(path)))}
    for clip, frames in clips.items():
        if clip.code and coded and clip.code not in coded:
            found = ", ".join(sorted(map(own_name, coded.values())))
            raise _SessionError(frames[0], f"of {clip.code}, but the XML beside it is {found}")
    if clips and all(clip.code for clip in clips):
        told = {code for code in coded if set(notes.values[code]) - set(_NO_WORD)}
        for code in sorted(told - {clip.code for clip in clips}):
            raise _SessionError(coded[code], f"no frames of {code} in its session")


# Who is shown: told by the names of a session's files, by session.xml, or by both.


class _Person(NamedTuple):
    """What a session tells of its subject; "" where it does not."""

    named: str  # the start of the names, such as S001
    given: str  # the id in session.xml, such as 1


def _person(frame: str, notes: _Notes, session: str) -> _Person:
    named = _SUBJECT.match(own_name(frame))
    person = _Person(named[1].upper() if named else notes.named, notes.given)
    if not any(person):
        raise _SessionError(f"{session}/", "no subject in the names or in session.xml")
    return person


def _name_people(
    people: Sequence[_Person], where: Sequence[str]
) -> tuple[list[str], list[Problem]]:
    """Return one id for each person, "" where the two sources contradict each other, and why.

    One source is used throughout, since a person may have another id in each. Where none tells
    all, S001 and 1 are one.
    """
    conflicting, problems = _contradictions(people, where)
    sound = [person for person in people if person not in conflicting]
    if all(person.named for person in sound):
        ids = [person.named for person in people]
    elif all(person.given for person in sound):
        ids = [person.given for person in people]
    else:
        _refuse_other_numbers(sound)
        ids = [_plain(person.named or person.given) for person in people]
    return [
        "" if person in conflicting else name for person, name in zip(people, ids, strict=True)
    ], problems


def _contradictions(
    people: Sequence[_Person], where: Sequence[str]
) -> tuple[set[_Person], list[Problem]]:
    """Return the people of whom one source makes one and the other two, and what is wrong."""
    both = {person: i for i, person in reversed([*enumerate(people)]) if all(person)}
    same: dict[tuple[int, str], set[_Person]] = defaultdict(set)
    for person in both:
        for source, name in enumerate(person):
            same[source, name].add(person)
    groups = [sorted(group, key=lambda person: both[person]) for group in same.values()]
    several = [group for group in groups if len(group) > 1]
    problems = [
        Problem(
            where[both[other]],
            f"subject {other.named} by its name and {other.given!r} by session.xml, but "
            f"{first.named} and {first.given!r} in {where[both[first]]}",
        )
        for first, *others in several
        for other in others
    ]
    return {person for group in several for person in group}, problems


def _refuse_other_numbers(people: Sequence[_Person]) -> None:
    """Raise if ids of one source cannot stand for those of the other."""
    for person in people:
        if all(person) and _plain(person.named) != _plain(person.given):
            raise DatasetError(
                "some sessions tell their subject by names alone and some by session.xml alone, "
                "which count differently ({} is {}): a person might have two ids. Name the frames "
                "like S001-001_00001.png.",
                person.named,
                repr(person.given),
            )


def _plain(name: str) -> str:
    match = _ID.match(name)
    return name if match is None else f"S{int(match[1]):03d}"
