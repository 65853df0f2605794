"""Class names to integer codes: one vocabulary for expressions, sorted names for the rest."""

import difflib
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from skfer.datasets._vocabulary import EXPRESSION_CODES, EXPRESSIONS, SYNONYMS
from skfer.exceptions import ArgumentError, shorten
from skfer.pictures import DatasetWarning
from skfer.validation import UNLABELED, as_list, is_missing, is_unlabeled_mark
from skfer.validation._arrays import word_of

_NO_LABEL = ("unlabeled", "unlabelled")
_WHOLE = re.compile(r"-?[0-9]+(\.0*)?")
# What people write beside the word: 3_surprise, "Angry faces".
_BESIDE_THE_WORD = frozenset(
    [
        "class",
        "emotion",
        "emotions",
        "expression",
        "expressions",
        "face",
        "faces",
        "image",
        "images",
        "img",
        "label",
        "photo",
        "photos",
        "picture",
        "pictures",
    ]
)
_N_CODES = 100  # whole numbers below are codes as they are


def canonical(name: str) -> str:
    """Return the vocabulary's word for a class name, or the name itself if it has none.

    "" stands for no label: a missing value in the sense of `skfer.validation`, or "unlabeled".
    Names that look alike are one, however their accents are written.
    """
    name = unicodedata.normalize("NFC", name)
    word = name.strip().lower()
    word = SYNONYMS.get(word, word)
    if word in EXPRESSION_CODES:
        return word
    return "" if word in _NO_LABEL or is_missing(name) else name.strip()


def encode(names: Iterable[str]) -> tuple[dict[str, int], list[str]]:
    """Return the integer code of each class name, and what the codes mean.

    Names of the vocabulary (and their synonyms, in any case) get its codes; further names follow
    from 8 on, sorted. Where all names are whole numbers below 100 these are the codes. Else the
    codes are positions in the sorted names (numbers are sorted by value). No name is `UNLABELED`,
    and so is -1 beside at least two other names.
    """
    words = _with_plain_numbers({name: canonical(name) for name in set(names)})
    found = set(words.values()) - {""}
    others = {word for word in found if not is_unlabeled_mark(word)}
    if len(others) > 1:
        found = others
    target_names = _target_names(found)
    codes = {name: code for code, name in enumerate(target_names)}
    return {name: codes.get(word, UNLABELED) for name, word in words.items()}, target_names


def _with_plain_numbers(words: dict[str, str]) -> dict[str, str]:
    """Write whole numbers without a decimal point, as a column with gaps has them, if all are."""
    if not all(_WHOLE.fullmatch(word) for word in words.values() if word):
        return words
    return {name: word and word.partition(".")[0] for name, word in words.items()}


def _target_names(found: set[str]) -> list[str]:
    """Return what the codes mean, for the names that were found."""
    if found & set(EXPRESSIONS):
        return [*EXPRESSIONS, *_sorted(found - set(EXPRESSIONS))]
    if found and all(name.isdecimal() and name == str(int(name)) for name in found):
        most = max(map(int, found))
        if most < _N_CODES:
            return [str(code) for code in range(most + 1)]
    return _sorted(found)


def rename_classes(
    labels: Sequence[str], class_names: Mapping[Any, str] | None
) -> tuple[list[str], list[Warning]]:
    """Return labels under the names that the caller gives, and warnings of likely slips.

    A name of the vocabulary that is misspelled, or has a number or another word beside it, would
    be a class of its own, and so would a number among words.
    """
    if class_names is not None:
        labels = _renamed(labels, class_names)
    found = sorted(set(labels))
    told = [f"{word!r} (for {meant!r}?)" for word in found if (meant := _meant(word))]
    kept = {} if class_names is None else class_names
    numbers = _numbers_among_words(found, {_plain(word_of(name)) for name in kept.values()})
    slips: list[Warning] = []
    if told:
        text = (
            "among the classes are {}, classes of their own beside the expressions: rename them, "
            "or give {class_names}, if that is not meant."
        )
        slips.append(DatasetWarning(text, ", ".join(told)))
    if numbers:
        text = (
            "among the classes are {}, classes of their own beside words: say by {class_names} "
            "what each number means, or that it is its name."
        )
        slips.append(DatasetWarning(text, ", ".join(map(repr, numbers))))
    return [*labels], slips


def _numbers_among_words(found: Sequence[str], meant: Collection[str]) -> list[str]:
    """Return the whole numbers that stand beside expressions, or beside names that were given."""
    words = {canonical(name) for name in found if not _WHOLE.fullmatch(name.strip())}
    if words.isdisjoint({*EXPRESSIONS, *map(canonical, meant)}):
        return []
    numbers = [name for name in found if _WHOLE.fullmatch(name.strip())]
    return [n for n in numbers if not (is_unlabeled_mark(n) or _plain(n) in meant)]


def _renamed(labels: Sequence[str], class_names: Mapping[Any, str]) -> list[str]:
    if not isinstance(class_names, Mapping) or not all(
        isinstance(name, str) and name.strip() for name in class_names.values()
    ):
        raise ArgumentError(
            "{class_names=} is not a mapping of classes to names: give one such as {{'1': "
            "'surprise', '2': 'fear'}}.",
            class_names=class_names,
        )
    names = {_plain(word_of(given)): name.strip() for given, name in class_names.items()}
    found = sorted({label.strip() for label in labels})
    if not any(_plain(label) in names for label in found):
        raise ArgumentError(
            "{class_names=} names none of the classes here: {}.",
            shorten(str(found)),
            class_names=class_names,
        )
    return [names.get(_plain(label), label) for label in labels]


def _plain(word: str) -> str:
    """Return a class as it is given: numbers without a decimal point or zeros before them."""
    word = unicodedata.normalize("NFC", word).strip()
    return str(int(word.partition(".")[0])) if _WHOLE.fullmatch(word) else word


def _meant(name: str) -> str:
    """Return the expression that a name is a slip of, "" for one that is right or far away."""
    known = [*EXPRESSIONS, *SYNONYMS]
    if canonical(name) in EXPRESSION_CODES:
        return ""
    words = set(re.split(r"[\W\d_]+", name.lower())) - _BESIDE_THE_WORD - {""}
    if len(words) != 1:  # two may be a compound expression, which is a class of its own
        return ""
    word = words.pop()
    near = difflib.get_close_matches(word, known, 1, cutoff=0.87)
    return canonical(near[0]) if near else ""


def class_codes(classes: Iterable[str] | None, target_names: Sequence[str]) -> np.ndarray | None:
    """Return the codes of the `classes` argument, or None for all; raise ValueError if unknown."""
    if classes is None:
        return None
    words = [canonical(word_of(name)) for name in as_list(classes, "classes", "names")]
    unknown = [word for word in words if word not in target_names]
    if unknown or not words:
        raise ArgumentError(
            "{classes=}: {} is not among the classes here: {}.",
            shorten(str(unknown)) if unknown else "nothing",
            shorten(str(list(target_names))),
            classes=classes,
        )
    return np.array(sorted({target_names.index(word) for word in words}), dtype=np.int64)


def _sorted(names: Iterable[str]) -> list[str]:
    names = sorted(names)
    return sorted(names, key=int) if all(map(_WHOLE.fullmatch, names)) else names
