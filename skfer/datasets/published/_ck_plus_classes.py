"""CK+ in its widespread form: the last three frames of each sequence in folders of classes."""

import re
from collections import defaultdict
from pathlib import Path

from skfer.datasets._labels import canonical
from skfer.datasets._layout import (
    Labelled,
    find_folder,
    innermost,
    is_expression,
    labelled_pictures,
    subfolders,
)
from skfer.datasets._vocabulary import EXPRESSION_CODES
from skfer.datasets.published._ck_plus_rows import NAME, Rows, key_of
from skfer.pictures import Problem, drop_repeats

_FOLDER = "CK+48"
_Named = tuple[Labelled, re.Match[str]]


def find_classes(root: Path) -> Path | None:
    """Return the folder of the class folders."""
    for folder in (innermost(find_folder(root, _FOLDER, depth=2), _FOLDER), root):
        if folder is not None and _has_classes(folder):
            return folder
    return None


def _has_classes(folder: Path) -> bool:
    return any(is_expression(canonical(path.name)) for path in subfolders(folder))


def list_classes(root: Path, folder: Path, n_last: int | None) -> Rows:
    """Return the last frames of each sequence, and what lies in a folder of neutral faces."""
    rows = Rows()
    found, rows.problems = labelled_pictures(root, [("", folder)])
    named = []
    for item in found:
        match = NAME.match(Path(item.name).name)
        if match is None:
            rows.problems.append(Problem(item.name, "not named like S010_004_00000017.png"))
        else:
            named.append((item, match))
    named, torn = _without_torn(named)
    kept, repeated = drop_repeats(
        [Path(item.name).stem.upper() for item, _ in named],
        [item.word for item, _ in named],
        [item.name for item, _ in named],
    )
    rows.problems += torn + repeated
    for item, match in _last([named[i] for i in kept], n_last):
        rows.add(item.name, match, EXPRESSION_CODES[item.word], EXPRESSION_CODES[item.word])
    return rows


def _last(named: list[_Named], n_last: int | None) -> list[_Named]:
    """Return the last frames of each sequence; neutral faces are not of its end."""
    if n_last is None:
        return named
    numbers: dict[str, list[int]] = defaultdict(list)
    for item, match in named:
        if item.word != "neutral":
            numbers[key_of(match)].append(int(match[3]))
    first = {key: sorted(found)[-n_last:][0] for key, found in numbers.items()}
    return [
        (item, match)
        for item, match in named
        if item.word == "neutral" or int(match[3]) >= first[key_of(match)]
    ]


def _without_torn(named: list[_Named]) -> tuple[list[_Named], list[Problem]]:
    """Leave out the sequences in two classes: each has one expression, besides neutral frames."""
    first: dict[str, Labelled] = {}
    torn: set[str] = set()
    problems: list[Problem] = []
    for item, match in named:
        if item.word == "neutral":
            continue
        key = key_of(match)
        other = first.setdefault(key, item)
        if other.word != item.word:
            torn.add(key)
            what = f"{key} with the label {item.word!r} and not {other.word!r} as {other.name}"
            problems.append(Problem(item.name, f"{what}: a sequence has one expression"))
    left_out = [first[key] for key in sorted(torn)]
    problems += [Problem(item.name, "its sequence is in another class too") for item in left_out]
    return [pair for pair in named if key_of(pair[1]) not in torn], problems
