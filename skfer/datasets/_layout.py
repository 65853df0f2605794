"""Finding one's way in a tree whose folders are not named or nested quite as published."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from skfer.datasets._folder import is_clutter, pictures_below
from skfer.datasets._labels import canonical
from skfer.datasets._listing import PARTS
from skfer.datasets._vocabulary import EXPRESSION_CODES
from skfer.pictures import DatasetError, Problem, drop_repeats, in_part


class Labelled(NamedTuple):
    """A picture in a class folder of an official part."""

    name: str  # relative to root
    part: str
    word: str  # the class


def plain(name: str) -> str:
    """Return a name without case, spaces and punctuation, for comparison."""
    return re.sub(r"[^a-z0-9+]", "", name.lower())


def find_folders(root: Path, *names: str, depth: int = 3) -> list[Path]:
    """Return the folders of these names in root (or root itself), the least deep first."""
    wanted = {plain(name) for name in names}
    return [folder for folder in _folders(root, depth) if plain(folder.name) in wanted]


def find_folder(root: Path, *names: str, depth: int = 3) -> Path | None:
    """Return the least deep folder of these names, or None; refuse two that are equally deep."""
    return nearest(find_folders(root, *names, depth=depth), root)


def find_beside(place: Path, root: Path, *names: str, depth: int = 3) -> Path | None:
    """Return the folder of these names that belongs to a place in root, or None.

    It is looked for in the folder of the place and then in those above it, so that another copy
    somewhere in root is not mistaken for it, and never within the place itself.
    """
    for above in place.parents:
        if not above.is_relative_to(root):
            break
        found = find_folders(above, *names, depth=depth)
        outside = [folder for folder in found if not folder.is_relative_to(place)]
        if outside:
            return innermost(nearest(outside, root), *names)
    return None


def nearest(found: Sequence[Path], root: Path) -> Path | None:
    """Return the least deep path, or None; refuse two: nobody knows which is meant."""
    if not found:
        return None
    depth = min(len(path.parts) for path in found)
    first, *others = (path for path in found if len(path.parts) == depth)
    if others:
        raise DatasetError(
            "{root=} has both {} and {}: keep one of them, or give the folder of one copy.",
            repr(relative(first, root)),
            repr(relative(others[0], root)),
            root=str(root),
        )
    return first


def innermost(folder: Path | None, *names: str) -> Path | None:
    """Follow a folder down into one of the same name, as unpacking may leave them."""
    wanted = {plain(name) for name in names}
    inner = folder
    while inner is not None:
        folder = inner
        inner = next((sub for sub in subfolders(folder) if plain(sub.name) in wanted), None)
    return folder


def find_file(root: Path, *names: str, depth: int = 2) -> Path | None:
    """Return the least deep file of these names, in any case, or None.

    In one folder the first of the names wins; two folders that are equally deep are refused.
    """
    found: dict[Path, Path] = {}
    for folder in _folders(root, depth):
        listed = {name.lower(): name for name in sorted(os.listdir(folder), reverse=True)}
        for name in (listed[name.lower()] for name in names if name.lower() in listed):
            if (folder / name).is_file():
                found.setdefault(folder, folder / name)
    return nearest(list(found.values()), root)


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted, without hidden ones and litter."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir() and not is_clutter(entry)]
    return [folder / name for name in sorted(names)]


def as_on_disk(root: Path, names: Sequence[str]) -> list[str]:
    """Return names of files in root as the disk has them: the case may differ from a table's."""
    by_folder: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        by_folder.setdefault(name.rpartition("/")[0], []).append(i)
    found = list(names)
    for folder, rows in by_folder.items():  # one at a time: there may be a million files
        place = root / folder
        there = os.listdir(place) if place.is_dir() else []
        by_lower = {name.lower(): name for name in sorted(there, reverse=True)}
        exact = set(there)
        for i in rows:
            file = found[i].rpartition("/")[2]
            if file not in exact and file.lower() in by_lower:
                found[i] = f"{folder}/{by_lower[file.lower()]}"
    return found


def relative(path: Path, root: Path) -> str:
    """Return the name of a file relative to root, with forward slashes."""
    return path.relative_to(root).as_posix()


def no_layout(name: str, root: Path, layouts: Iterable[str]) -> DatasetError:
    """Return the error for a root that holds none of the forms of a set."""
    forms = "".join(f"\n  {layout}" for layout in layouts)
    return DatasetError("{root=} has no {} in a known layout:{}", name, forms, root=str(root))


def part_folders(
    root: Path, words: Mapping[str, str] | None = None, depth: int = 2
) -> list[tuple[str, Path]]:
    """Return the folders of the official parts, which have class folders in them.

    Two folders of one part are refused: both may hold the same pictures. `words` are the classes
    by the names of their folders.
    """
    found: dict[str, list[Path]] = {part: [] for part in ("train", "validation", "test")}
    for folder in _folders(root, depth):
        part = PARTS.get(folder.name.lower())
        if part is not None and any(_class_of(sub, words) for sub in subfolders(folder)):
            found[part].append(folder)
    for part, folders in found.items():
        if len(folders) > 1:
            first, second = (f"{relative(folder, root)}/" for folder in folders[:2])
            raise DatasetError(
                "{root=} has two folders of the {} part, {} and {}: keep one of them, or give the "
                "folder of one copy.",
                part,
                repr(first),
                repr(second),
                root=str(root),
            )
    return [(part, folder) for part, folders in found.items() for folder in folders]


def _class_of(folder: Path, words: Mapping[str, str] | None) -> str:
    """Return the expression that a folder is named after, "" if it is none."""
    word = canonical(folder.name) if words is None else words.get(folder.name.strip(), "")
    return word if is_expression(word) else ""


def labelled_pictures(
    root: Path, parts: Iterable[tuple[str, Path]], words: Mapping[str, str] | None = None
) -> tuple[list[Labelled], list[Problem]]:
    """Return what lies in the class folders of each part; `words` translates their names."""
    found: list[Labelled] = []
    problems: list[Problem] = []
    for part, part_folder in parts:
        for folder in subfolders(part_folder):
            word = _class_of(folder, words)
            where = relative(folder, root)
            if not word:
                problem = Problem(f"{where}/", "a folder that is named after no class")
                problems.append(in_part(problem, part))
                continue
            names, wrong = pictures_below(root, where)
            found += [Labelled(name, part, word) for name in names]
            problems += [in_part(problem, part) for problem in wrong]
    return found, problems


def without_repeats(
    found: Sequence[Labelled], stem_of: Callable[[str], str | None]
) -> tuple[list[Labelled], list[Problem]]:
    """Leave out pictures that are there twice, by what the owners call them.

    `stem_of(file name)` is None for a name that is not the owners', which tells nothing.
    """
    names = [stem_of(Path(item.name).name) or item.name for item in found]
    labels = [f"{item.word} in {item.part}" for item in found]
    kept, problems = drop_repeats(names, labels, [item.name for item in found])
    return [found[i] for i in kept], problems


def is_expression(word: str) -> bool:
    """Return whether a word is one of the vocabulary."""
    return word in EXPRESSION_CODES


def _folders(root: Path, depth: int) -> Iterator[Path]:
    """Yield root and the folders below it, level by level."""
    level = [root]
    yield from level
    for _ in range(depth):
        level = [folder for parent in level for folder in subfolders(parent)]
        yield from level
