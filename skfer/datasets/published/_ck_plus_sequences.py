"""CK+ in the form of its owners: sequences of frames, with labels and landmarks beside them."""

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from skfer.datasets._aligned import Place, aligning_reader, read_points
from skfer.datasets._layout import find_beside, find_folder, innermost, relative, subfolders
from skfer.datasets._listing import Listing
from skfer.datasets._vocabulary import EXPRESSION_CODES, UNLABELED
from skfer.datasets.published._ck_plus_rows import NAME, Rows, key_of
from skfer.pictures import EXTENSIONS, DatasetError, Problem, drop_repeats

CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
_SEQUENCE = re.compile(r"(S\d{3})/(\d{3})$", re.IGNORECASE)
_LABEL = re.compile(r"^(S\d{3})_(\d{3})_(\d+)_emotion\.txt$", re.IGNORECASE)
_IMAGES, _EMOTION, _LANDMARKS = "cohn-kanade-images", "_emotion.txt", "_landmarks.txt"
_N_POINTS = 68


class _Label(NamedTuple):
    """What an emotion file tells of a sequence."""

    code: int = UNLABELED
    peak: int | None = None  # the number of the frame that it is of
    where: str = ""


def find_images(root: Path) -> Path | None:
    """Return the folder of the subjects, the innermost of nested ones."""
    return innermost(find_folder(root, _IMAGES), _IMAGES)


def list_sequences(
    root: Path, images: Path, n_last: int | None, neutral_first: bool, unlabeled: bool
) -> Rows:
    """Return the frames of the sequences."""
    rows = Rows()
    labels = _read_labels(root, images, rows.problems)
    for subject in subfolders(images):
        for folder in subfolders(subject):
            key = f"{subject.name.upper()}_{folder.name}"
            label = labels.pop(key, _Label())
            if label.code != UNLABELED or unlabeled:
                frames = _frames_of(rows, root, folder, key)
                if not _peak_is_missing(rows, frames, label):
                    _add_sequence(rows, frames, label.code, n_last, neutral_first)
    rows.problems += [Problem(key, "a label but no frames") for key in sorted(labels)]
    return rows


_Frame = tuple[int, str, re.Match[str]]  # number, name relative to root, its parts


def _frames_of(rows: Rows, root: Path, folder: Path, key: str) -> list[_Frame]:
    """Return the frames of a sequence in order of their number."""
    where = relative(folder, root)
    frames: list[_Frame] = []
    for name in sorted(os.listdir(folder)):
        if not name.lower().endswith(EXTENSIONS) or name.startswith("."):
            continue
        match = NAME.match(name)
        if match is None:
            rows.problems.append(Problem(f"{where}/{name}", "not named like S005_001_00000011.png"))
        elif key_of(match) != key:
            what = f"of {key_of(match)} but in the folder of {key}"
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


def _peak_is_missing(rows: Rows, frames: list[_Frame], label: _Label) -> bool:
    """Return whether a sequence does not end at the frame that its label is of.

    The expression is there in the last frames alone: in others it would be a wrong label.
    """
    if label.peak is None or not frames or frames[-1][0] == label.peak:
        return False
    what = f"a label of frame {label.peak}, but the last frame here is {frames[-1][1]}"
    rows.problems.append(Problem(label.where, what))
    return True


def _add_sequence(
    rows: Rows, frames: list[_Frame], label: int, n_last: int | None, neutral_first: bool
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


def _read_labels(root: Path, images: Path, problems: list[Problem]) -> dict[str, _Label]:
    """Return the label of each labelled sequence; of two that differ neither counts."""
    folder = find_beside(images, root, "Emotion", "Emotion_labels")
    if folder is None:
        raise DatasetError(
            "{root=} has {} but no folder 'Emotion' with the labels.",
            repr(images.name),
            root=str(root),
        )
    labels: dict[str, _Label] = {}
    torn: set[str] = set()
    for path in sorted(folder.rglob("*")):
        if path.name.startswith(".") or not path.name.lower().endswith(_EMOTION):
            continue
        where = relative(path, root)
        found = _read_label(path, where)
        if isinstance(found, Problem):
            problems.append(found)
            continue
        key, label = found
        if labels.setdefault(key, label).code != label.code:
            torn.add(key)
            problems.append(Problem(where, f"a second label for {key}, other than the first"))
        elif (labels[key].peak or 0) < (label.peak or 0):
            labels[key] = label
    return {key: label for key, label in labels.items() if key not in torn}


def _read_label(path: Path, where: str) -> tuple[str, _Label] | Problem:
    """Return the sequence and the label that a file tells, or what is wrong with it."""
    match = _LABEL.match(path.name)
    if match is None:
        return Problem(where, "not named like S005_001_00000011_emotion.txt")
    key, beside = key_of(match), _SEQUENCE.search(path.parent.as_posix())
    if beside and key != key_of(beside):
        return Problem(where, f"of {key} but in the folder of {key_of(beside)}")
    try:
        return key, _Label(read_code(path.read_text(encoding="utf-8")), int(match[3]), where)
    except (ValueError, OSError) as error:
        return Problem(f"{where}, line 1", str(error))


def read_code(text: str) -> int:
    """Return the code of skfer for the content of an emotion file, such as 3.0000000e+00."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text.strip()!r} is not a number from 0 to 7") from None
    if value not in range(len(CODES)):
        raise ValueError(f"{text.strip()!r} is not a number from 0 to 7")
    return EXPRESSION_CODES[CODES[int(value)]]


def aligned(listing: Listing, images: Path, align: bool | str) -> Listing:
    """Let the faces be turned by their landmarks as they are read."""
    root = listing.root
    folder = find_beside(images, root, "Landmarks")
    if folder is None and align == "auto":
        return replace(listing, missing=["Landmarks/"])
    if folder is None:
        raise DatasetError(
            "{root=} has no folder 'Landmarks' to align by: add it, or give {align=False} to take "
            "whole frames.",
            root=str(root),
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
