"""Who is shown, from the name of a file."""

import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Sequence

from skfer.datasets._rows import Row
from skfer.exceptions import ArgumentError
from skfer.pictures import DatasetWarning, Problem
from skfer.validation import is_missing

GroupOf = Callable[[str], str]
_FEW = 4  # pictures of a group
_SECONDS = 20.0  # for all names; a million take about one
_SEARCH = """
import json, re, sys
pattern, names = json.load(sys.stdin)
found = [re.search(pattern, name) for name in names]
json.dump([m and (m[1] if m.re.groups else m[0]) for m in found], sys.stdout)
"""


def check_groups(groups: GroupOf | None, pattern: str | None) -> None:
    """Raise unless at most one is given, a callable or a regular expression."""
    if groups is not None and pattern is not None:
        raise ArgumentError("{groups} and {group_pattern} are both given: give one of them.")
    if groups is not None and not callable(groups):
        raise ArgumentError(
            "{groups=} is not callable: give a function of a file name.", groups=groups
        )
    if pattern is None:
        return
    try:
        re.compile(pattern)
        re.search(pattern, "")  # a pattern of bytes does not match names
    except (re.error, TypeError) as error:
        raise ArgumentError(
            "{group_pattern=} is not a regular expression: {}.", error, group_pattern=pattern
        ) from None


def with_groups(
    rows: Sequence[Row], groups: GroupOf | None, pattern: str | None
) -> tuple[list[Row], list[Problem]]:
    """Return the rows that have a group, with it, and a problem for each that has none."""
    names = [row.name for row in rows]
    if pattern is not None:
        found = _search(pattern, names)
    elif groups is not None:
        found = [groups(name) for name in names]
    else:
        return [*rows], []
    kept: list[Row] = []
    problems: list[Problem] = []
    for row, group in zip(rows, map(_as_name, found), strict=True):
        if is_missing(group):
            problems.append(Problem(row.name, "no group found in its name"))
        else:
            # Unpacked on another system, one name may have its accents written otherwise.
            kept.append(row._replace(group=unicodedata.normalize("NFC", str(group))))
    return kept, problems


def classes_as_groups(rows: Sequence[Row]) -> list[Warning]:
    """Return a warning if each class is one group: then what was found is no person."""
    pairs = {(row.label, row.group) for row in rows}
    labels, groups = ({pair[i] for pair in pairs} for i in (0, 1))
    if "" in groups or not 1 < len(pairs) == len(labels) == len(groups):
        return []
    if len(rows) < _FEW * len(pairs):  # a few pictures of a few people may be like that
        return []
    label, group = min(pairs)
    text = (
        "each class is one group, such as {} of the class {}: no person is in two classes, and "
        "folds with persons apart have classes apart. Is that the column of persons, or does what "
        "finds the group in a name, class folder and all, find the class?"
    )
    return [DatasetWarning(text, repr(group), repr(label))]


def similar_groups(rows: Sequence[Row]) -> list[Warning]:
    """Return a warning if two groups differ in case, in zeros before or in a decimal point alone.

    They may be one person, who would be in training and test alike.
    """
    first: dict[str, str] = {}
    for group in sorted({str(row.group) for row in rows}):
        other = first.setdefault(_plain(group), group)
        if other != group:
            text = (
                "{} and {} are two groups: if they are one person, write both alike, since that "
                "person may be in training and test alike."
            )
            return [DatasetWarning(text, repr(other), repr(group))]
    return []


def _plain(group: str) -> str:
    word = re.sub(r"(?<![0-9])0+(?=[0-9])", "", group.lower())
    return re.sub(r"^([0-9]+)\.0*$", r"\1", word)


def _as_name(found: str | None) -> str | None:
    """Return what was found in a name as it may stand in a table, where "NA" is no value.

    In the name of a file it is somebody: a woman of JAFFE, for one, whom the loader calls "Na".
    """
    named = isinstance(found, str) and found.strip() == "NA"
    return "Na" if named else found


def _search(pattern: str, names: list[str]) -> list[str | None]:
    """Return what a pattern finds in each name: its first group, or the whole match.

    Some patterns take forever on some names, and a search that has begun can only be stopped by
    ending its process: so it gets a process of its own, where Python can be started.
    """
    if not sys.executable or getattr(sys, "frozen", False):  # the program is no Python
        return _search_here(pattern, names)
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _SEARCH],
            input=json.dumps([pattern, names]),
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ArgumentError(
            "{group_pattern=} takes too long on these names, as a repeat within a repeat may: "
            "write it without, or give {groups}, a function of a file name.",
            group_pattern=pattern,
        ) from None
    except (OSError, subprocess.CalledProcessError):  # of a program that runs Python within it
        return _search_here(pattern, names)
    return json.loads(done.stdout)


def _search_here(pattern: str, names: list[str]) -> list[str | None]:
    found = [re.search(pattern, name) for name in names]
    return [match and (match[1] if match.re.groups else match[0]) for match in found]
