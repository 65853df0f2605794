"""CK+, the Extended Cohn-Kanade data set."""

import os
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ._docs import documented
from ._expressions import EXPRESSION_CODES, EXPRESSIONS, UNLABELED
from ._faces import Place, aligning_reader, read_points
from ._labels import canonical
from ._listing import Listing, Options, check_root, load
from ._picture import EXTENSIONS
from ._problems import DatasetError, DatasetWarning, Problem, drop_repeats
from ._tree import (
    Labelled,
    find_folder,
    find_folders,
    is_expression,
    labelled_pictures,
    no_layout,
    relative,
    subfolders,
)

CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
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
_NAME = re.compile(r"^(S\d{3})_(\d{3})_(\d+)\.\w+$", re.IGNORECASE)
_SEQUENCE = re.compile(r"(S\d{3})/(\d{3})$", re.IGNORECASE)
_EMOTION, _LANDMARKS = "_emotion.txt", "_landmarks.txt"
_N_POINTS = 68
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
        three frames and no others.
    neutral_first : bool, default=False
        Load the first frame of each labelled sequence too, as neutral, unless it is among the
        last ones.
    unlabeled : bool, default=False
        Load the 266 sequences without label too, as -1.
    align : bool or "auto", default="auto"
        Turn and scale each frame by the landmarks so that the eyes come to one place (see
        :func:`skfer.preprocessing.align_face`); False takes the whole frame. "auto" aligns if
        there is a folder `Landmarks`, and else takes whole frames with a warning. Faces of the
        folder form are cut out already and are taken as they are.
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
    ...     faces = load_ck_plus(root, image_size=48)
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
        warnings.warn(
            f"root={str(listing.root)!r} has no folder 'Landmarks' to align by: whole frames are "
            "taken. Give align=False to take them without this warning.",
            DatasetWarning,
            stacklevel=2,
        )
    return load(listing, options)


@dataclass
class _Rows:
    """The pictures found so far."""

    names: list[str] = field(default_factory=list)
    target: list[int] = field(default_factory=list)
    sequence_target: list[int] = field(default_factory=list)
    sequence: list[str] = field(default_factory=list)
    number: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, name: str, match: re.Match[str], target: int, sequence_target: int) -> None:
        self.names.append(name)
        self.target.append(target)
        self.sequence_target.append(sequence_target)
        self.sequence.append(_key(match))
        self.number.append(int(match[3]))

    def listing(self, root: Path, layout: str, published: dict[str, int]) -> Listing:
        return Listing(
            name="ck-plus",
            root=root,
            filenames=self.names,
            target=np.array(self.target, dtype=np.int64),
            target_names=EXPRESSIONS,
            descr=_DESCR,
            columns={
                "groups": np.array([name[:4] for name in self.sequence], dtype=np.str_),
                "sequence": np.array(self.sequence, dtype=np.str_),
                "frame_number": np.array(self.number, dtype=np.int64),
                "sequence_target": np.array(self.sequence_target, dtype=np.int64),
            },
            problems=self.problems,
            layout=layout,
            published=published,
            published_groups=N_SUBJECTS,
        )


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
        raise ValueError(f"align={align!r} is not known: give True, False or 'auto'.")
    images = _find_images(root)
    if images is not None:
        rows = _list_sequences(root, images, n_last, neutral_first, unlabeled)
        listing = rows.listing(root, LAYOUTS[0], PUBLISHED)
        return _aligned(listing, images, align) if align else listing
    folder = _find_folder_form(root)
    if folder is None:
        raise no_layout("CK+", root, LAYOUTS)
    published = {word: 3 * count for word, count in PUBLISHED.items()}
    return _list_classes(root, folder).listing(root, LAYOUTS[1], published)


def survey_ck_plus(root: Path) -> Listing:
    """Return the peaks, to be counted, with all files that the loader reads by default."""
    listing, read = list_ck_plus(root, frames="peak"), list_ck_plus(root, frames=3)
    listing.sources = read.filenames if read.sources is None else read.sources
    return listing


def check_frames(frames: int | str) -> int | None:
    """Return how many of the last frames are wanted, None for all."""
    if frames == "peak":
        return 1
    if frames == "all":
        return None
    if isinstance(frames, bool) or not isinstance(frames, int | np.integer) or frames < 1:
        raise ValueError(f"frames={frames!r} is not known: give 'peak', 'all' or a positive int.")
    return int(frames)


def _list_sequences(
    root: Path, images: Path, n_last: int | None, neutral_first: bool, unlabeled: bool
) -> _Rows:
    rows = _Rows()
    labels = _read_labels(root, images, rows.problems)
    for subject in subfolders(images):
        for folder in subfolders(subject):
            key = f"{subject.name.upper()}_{folder.name}"
            label = labels.pop(key, UNLABELED)
            if label != UNLABELED or unlabeled:
                frames = _frames_of(rows, root, folder, key)
                _add_sequence(rows, frames, label, n_last, neutral_first)
    rows.problems += [Problem(key, "a label but no frames") for key in sorted(labels)]
    return rows


_Frame = tuple[int, str, re.Match[str]]  # number, name relative to root, its parts


def _frames_of(rows: _Rows, root: Path, folder: Path, key: str) -> list[_Frame]:
    """Return the frames of a sequence in order of their number."""
    where = relative(folder, root)
    frames: list[_Frame] = []
    for name in sorted(os.listdir(folder)):
        if not name.lower().endswith(EXTENSIONS) or name.startswith("."):
            continue
        match = _NAME.match(name)
        if match is None:
            rows.problems.append(Problem(f"{where}/{name}", "not named like S005_001_00000011.png"))
        elif _key(match) != key:
            what = f"of {_key(match)} but in the folder of {key}"
            rows.problems.append(Problem(f"{where}/{name}", what))
        else:
            frames.append((int(match[3]), f"{where}/{name}", match))
    kept, repeated = drop_repeats(
        [f"frame {number} of {key}" for number, _, _ in frames],
        [key] * len(frames),
        [name for _, name, _ in frames],
    )
    rows.problems += repeated
    if not frames:
        rows.problems.append(Problem(f"{where}/", "a sequence without frames"))
    return sorted((frames[i] for i in kept), key=lambda frame: frame[0])


def _key(match: re.Match[str]) -> str:
    return f"{match[1]}_{match[2]}".upper()


def _add_sequence(
    rows: _Rows, frames: list[_Frame], label: int, n_last: int | None, neutral_first: bool
) -> None:
    last = frames[-(n_last or 3) :]
    for frame in frames:
        _, name, match = frame
        if frame in last:
            rows.add(name, match, label, label)
        elif neutral_first and frame is frames[0] and label != UNLABELED:
            rows.add(name, match, EXPRESSION_CODES["neutral"], label)
        elif n_last is None:
            rows.add(name, match, UNLABELED, label)


def _read_labels(root: Path, images: Path, problems: list[Problem]) -> dict[str, int]:
    """Return the code of each labelled sequence."""
    folder = _beside(root, images, "Emotion", "Emotion_labels")
    if folder is None:
        raise DatasetError(
            f"root={str(root)!r} has {images.name!r} but no folder 'Emotion' with the labels."
        )
    labels: dict[str, int] = {}
    for path in sorted(folder.rglob("*")):
        if path.name.startswith(".") or not path.name.lower().endswith(_EMOTION):
            continue
        where = relative(path, root)
        key = "_".join(path.name.upper().split("_")[:2])
        beside = _SEQUENCE.search(path.parent.as_posix())
        if beside and key != _key(beside):
            problems.append(Problem(where, f"of {key} but in the folder of {_key(beside)}"))
            continue
        try:
            code = read_code(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            problems.append(Problem(f"{where}, line 1", str(error)))
            continue
        if labels.setdefault(key, code) != code:
            problems.append(Problem(where, f"a second label for {key}, other than the first"))
    return labels


def read_code(text: str) -> int:
    """Return the code of skfer for the content of an emotion file, such as 3.0000000e+00."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text.strip()!r} is not a number from 0 to 7") from None
    if value not in range(len(CODES)):
        raise ValueError(f"{text.strip()!r} is not a number from 0 to 7")
    return EXPRESSION_CODES[CODES[int(value)]]


def _beside(root: Path, images: Path, *names: str) -> Path | None:
    """Return the deepest of nested folders of a name (Emotion/Emotion), not among the images."""
    found = [folder for folder in find_folders(root, *names) if not folder.is_relative_to(images)]
    return found[-1] if found else None


def _find_images(root: Path) -> Path | None:
    """Return the folder of the subjects, the innermost of nested ones."""
    name = "cohn-kanade-images"
    outer = find_folder(root, name)
    return None if outer is None else find_folders(outer, name, depth=1)[-1]


def _aligned(listing: Listing, images: Path, align: bool | str) -> Listing:
    root = listing.root
    folder = _beside(root, images, "Landmarks")
    if folder is None and align == "auto":
        return replace(listing, missing=["Landmarks/"])
    if folder is None:
        raise DatasetError(
            f"root={str(root)!r} has no folder 'Landmarks' to align by: add it, or give "
            "align=False to take whole frames."
        )
    points = _landmark_files(folder, listing.filenames)
    listing.reader = aligning_reader(
        [root / name for name in listing.filenames],
        lambda i: Place(landmarks=read_points(points[i], _N_POINTS)),
    )
    listing.reader_key = "aligned by landmarks"
    listing.sources = listing.filenames + [os.path.relpath(path, root) for path in points]
    return listing


def _landmark_files(folder: Path, frames: Iterable[str]) -> list[Path]:
    """Return the landmark file of each frame, with its extension in any case."""
    found: dict[Path, dict[str, str]] = {}
    paths = []
    for frame in frames:
        *_, subject, sequence, name = Path(frame).parts
        place = folder / subject / sequence
        if place not in found:
            names = os.listdir(place) if place.is_dir() else []
            found[place] = {name.lower(): name for name in names}
        wanted = f"{Path(name).stem}{_LANDMARKS}"
        paths.append(place / found[place].get(wanted.lower(), wanted))
    return paths


def _find_folder_form(root: Path) -> Path | None:
    for folder in [*find_folders(root, "CK+48", depth=2), root]:
        if any(is_expression(canonical(path.name)) for path in subfolders(folder)):
            return folder
    return None


def _list_classes(root: Path, folder: Path) -> _Rows:
    rows = _Rows()
    found, rows.problems = labelled_pictures(root, [("", folder)])
    named = []
    for item in found:
        match = _NAME.match(Path(item.name).name)
        if match is None:
            rows.problems.append(Problem(item.name, "not named like S010_004_00000017.png"))
        else:
            named.append((item, match))
    named, torn = _without_torn(named)
    rows.problems += torn
    kept, repeated = drop_repeats(
        [Path(item.name).stem.upper() for item, _ in named],
        [item.word for item, _ in named],
        [item.name for item, _ in named],
    )
    rows.problems += repeated
    for item, match in (named[i] for i in kept):
        rows.add(item.name, match, EXPRESSION_CODES[item.word], EXPRESSION_CODES[item.word])
    return rows


_Named = tuple[Labelled, re.Match[str]]


def _without_torn(named: list[_Named]) -> tuple[list[_Named], list[Problem]]:
    """Leave out the sequences in two classes: each has one expression, besides neutral frames."""
    first: dict[str, Labelled] = {}
    torn: set[str] = set()
    problems: list[Problem] = []
    for item, match in named:
        if item.word == "neutral":
            continue
        key = _key(match)
        other = first.setdefault(key, item)
        if other.word != item.word:
            torn.add(key)
            what = f"{key} with the label {item.word!r} and not {other.word!r} as {other.name}"
            problems.append(Problem(item.name, f"{what}: a sequence has one expression"))
    left_out = [first[key] for key in sorted(torn)]
    problems += [Problem(item.name, "its sequence is in another class too") for item in left_out]
    return [pair for pair in named if _key(pair[1]) not in torn], problems
