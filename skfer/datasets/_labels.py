"""Class names to integer codes: one vocabulary for expressions, sorted names for the rest."""

from collections.abc import Iterable, Sequence

import numpy as np

from skfer.datasets._vocabulary import EXPRESSION_CODES, EXPRESSIONS, UNLABELED
from skfer.exceptions import ArgumentError, shorten

# The words that data sets and their users put for the eight names, and for no label.
SYNONYMS: dict[str, str] = {
    "angry": "anger",
    "contemptuous": "contempt",
    "disdain": "contempt",
    "disgusted": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "scared": "fear",
    "happy": "happiness",
    "joy": "happiness",
    "calm": "neutral",
    "neutrality": "neutral",
    "sad": "sadness",
    "surprised": "surprise",
}
_NO_LABEL = ("", "unlabeled", "unlabelled")


def canonical(name: str) -> str:
    """Return the vocabulary's word for a class name, or the name itself if it has none."""
    word = name.strip().lower()
    word = SYNONYMS.get(word, word)
    if word in EXPRESSION_CODES:
        return word
    return "" if word in _NO_LABEL else name.strip()


def encode(names: Iterable[str]) -> tuple[dict[str, int], list[str]]:
    """Return the integer code of each class name, and what the codes mean.

    Names of the vocabulary (and their synonyms, in any case) get its codes; further names follow
    from 8 on, sorted. Where no name belongs to the vocabulary the codes are positions in the
    sorted names. Whole numbers are sorted by value. No name is `UNLABELED`.
    """
    words = {name: canonical(name) for name in set(names)}
    found = set(words.values()) - {""}
    known = list(EXPRESSIONS) if found & set(EXPRESSIONS) else []
    target_names = known + _sorted(found - set(known))
    codes = {name: code for code, name in enumerate(target_names)} | {"": UNLABELED}
    return {name: codes[word] for name, word in words.items()}, target_names


def class_codes(classes: Iterable[str] | None, target_names: Sequence[str]) -> np.ndarray | None:
    """Return the codes of the `classes` argument, or None for all; raise ValueError if unknown."""
    if classes is None:
        return None
    if isinstance(classes, str):
        raise ArgumentError("{classes=} is one name: give a list of names.", classes=classes)
    if not isinstance(classes, Iterable):
        raise ArgumentError("{classes=} is not a list of names.", classes=classes)
    classes = list(classes)
    words = [canonical(str(name)) for name in classes]
    unknown = [word for word in words if word not in target_names]
    if unknown or not words:
        raise ArgumentError(
            "{classes=}: {} is not among the classes here: {}.",
            unknown or "nothing",
            shorten(str(list(target_names))),
            classes=classes,
        )
    return np.array(sorted({target_names.index(word) for word in words}), dtype=np.int64)


def _sorted(names: Iterable[str]) -> list[str]:
    names = sorted(names)
    if all(name.lstrip("-").isdecimal() and name.isascii() for name in names):
        return sorted(names, key=int)
    return names
