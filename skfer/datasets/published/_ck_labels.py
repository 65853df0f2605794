"""The labels of CK+: a file for each sequence, in a folder beside that of the frames."""

import re
from typing import NamedTuple

from skfer.datasets._classes import own_name
from skfer.datasets._tree import Tree
from skfer.pictures import DatasetError, Problem, fault_of

CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
_NAME = re.compile(r"^(S\d{3})_(\d{3})_(\d+)_emotion\.txt$", re.IGNORECASE)
SEQUENCE = re.compile(r"(S\d{3})/(\d{3})$", re.IGNORECASE)  # the folder of one


class Label(NamedTuple):
    """What an emotion file tells of a sequence."""

    word: str = ""
    peak: int | None = None  # the number of the frame that it is of
    where: str = ""


def read_labels(tree: Tree, images: str) -> tuple[dict[str, Label], list[Problem]]:
    """Return the label of each labeled sequence; of two that differ neither counts."""
    folder = tree.find_beside(images, "Emotion", "Emotion_labels")
    if folder is None and not images:
        raise DatasetError(
            "{root=} is the folder of the frames alone: give the folder above it, which has that "
            "of the labels too, 'Emotion'.",
            root=str(tree.root),
        )
    if folder is None:
        raise DatasetError(
            "{root=} has {} but no folder 'Emotion' with the labels.",
            repr(own_name(images) or tree.root.name),
            root=str(tree.root),
        )
    labels: dict[str, Label] = {}
    conflicting: set[str] = set()
    problems: list[Problem] = []
    for name in tree.walk(folder):
        if not name.lower().endswith("_emotion.txt"):
            continue
        found = _read_label(tree, name)
        if isinstance(found, Problem):
            problems.append(found)
            continue
        key, label = found
        if labels.setdefault(key, label).word != label.word:
            conflicting.add(key)
            problems.append(Problem(name, f"a second label for {key}, other than the first"))
        elif (labels[key].peak or 0) < (label.peak or 0):
            labels[key] = label
    return {key: label for key, label in labels.items() if key not in conflicting}, problems


def _read_label(tree: Tree, name: str) -> tuple[str, Label] | Problem:
    """Return the sequence and the label that a file tells, or what is wrong with it."""
    match = _NAME.match(own_name(name))
    if match is None:
        return Problem(name, "not named like S005_001_00000011_emotion.txt")
    beside = SEQUENCE.search(name.rpartition("/")[0])
    if beside and key_of(match) != key_of(beside):
        return Problem(name, f"of {key_of(match)} but in the folder of {key_of(beside)}")
    try:
        return key_of(match), Label(read_label(tree.read_text(name)), int(match[3]), name)
    except OSError as error:
        return Problem(name, fault_of(error))
    except ValueError as error:
        return Problem(f"{name}, line 1", str(error))


def read_label(text: str) -> str:
    """Return the expression that an emotion file tells, such as 3.0000000e+00."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if value not in range(len(CODES)):
        raise ValueError(f"{text.strip()!r} is not a number from 0 to 7")
    return CODES[int(value)]


def key_of(match: re.Match[str]) -> str:
    """Return the sequence of a name, such as S005_001."""
    return f"{match[1]}_{match[2]}".upper()
