"""Pictures in folders that are named after classes and official parts."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from skfer.datasets._labels import canonical
from skfer.datasets._rows import PARTS, Row, without_copies
from skfer.datasets._tree import Tree
from skfer.datasets._vocabulary import EXPRESSION_CODES
from skfer.pictures import DatasetError, Problem, in_part


class Part(NamedTuple):
    """A folder that has class folders in it, and the official part that it is."""

    name: str  # "" for a set without parts
    folder: str


def part_folders(tree: Tree, words: Mapping[str, str] | None = None) -> list[Part]:
    """Return the folders of the official parts.

    Two folders of one part are refused: both may hold the same pictures. `words` are the classes
    by the names of their folders.
    """
    found: dict[str, list[str]] = {part: [] for part in ("train", "validation", "test")}
    for folder in tree.levels(depth=2):
        part = PARTS.get(own_name(folder).lower())
        if part is not None and has_classes(tree, folder, words):
            found[part].append(folder)
    for part, folders in found.items():
        if len(folders) > 1:
            raise DatasetError(
                "{root=} has two folders of the {} part, '{}/' and '{}/': keep one of them, or "
                "give the folder of one copy.",
                part,
                *folders[:2],
                root=str(tree.root),
            )
    return [Part(part, folder) for part, folders in found.items() for folder in folders]


def has_classes(tree: Tree, folder: str, words: Mapping[str, str] | None = None) -> bool:
    """Return whether a folder has one in it that is named after an expression."""
    return any(_class_of(inner, words) for inner in tree.folders(folder))


def labeled_pictures(
    tree: Tree, parts: Iterable[Part], words: Mapping[str, str] | None = None
) -> tuple[list[Row], list[Problem]]:
    """Return what lies in the class folders of each part; `words` translates their names."""
    rows: list[Row] = []
    problems: list[Problem] = []
    for part, part_folder in parts:
        for folder in tree.folders(part_folder):
            label = _class_of(folder, words)
            if label:
                names, wrong = tree.pictures(folder)
            else:
                names = []
                wrong = [Problem(f"{folder}/", "a folder that is named after no class")]
            rows += [Row(name, label, part) for name in names]
            problems += [in_part(problem, part) for problem in wrong]
    return rows, problems


def without_renamed(
    rows: Iterable[Row], stem_of: Callable[[str], str | None]
) -> tuple[list[Row], list[Problem]]:
    """Leave out pictures that are there twice, by their published names.

    `stem_of(file name)` is None for a name that was not published, which tells nothing.
    """
    return without_copies([*rows], lambda row: stem_of(own_name(row.name)) or row.name)


def own_name(name: str) -> str:
    """Return the name of a file or folder without the folders above it."""
    return name.rpartition("/")[2]


def stem(name: str) -> str:
    """Return the name of a file without the folders above it and without its extension."""
    own = own_name(name)
    return own[: own.rfind(".")] if "." in own else own


def _class_of(folder: str, words: Mapping[str, str] | None) -> str:
    """Return the expression that a folder is named after, "" if it is none."""
    own = own_name(folder)
    word = canonical(own) if words is None else words.get(own.strip(), "")
    return word if word in EXPRESSION_CODES else ""
