"""The folder of a data set: what is in it, and where things are in a copy of one."""

import contextlib
import os
import posixpath
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from skfer.exceptions import ArgumentError
from skfer.pictures import (
    EXTENSIONS,
    DatasetError,
    Problem,
    fault_of,
    is_cache_file,
    read_bytes,
    unread_kind,
)

NOTES = (".csv", ".html", ".json", ".md", ".txt", ".xml")
_LITTER = (
    "thumbs.db",
    "ehthumbs.db",
    "icon\r",
    "desktop.ini",
    "__macosx",
    "@eadir",
    "#recycle",
    "$recycle.bin",
    "system volume information",
)
_MOST_IN_NOTE = 2**24  # bytes


class MissingPathError(ArgumentError, FileNotFoundError):
    """A path that an argument names does not exist."""


class NotAFolderError(ArgumentError, NotADirectoryError):
    """A path that an argument names is not a folder."""


def check_root(root: str | os.PathLike[str]) -> Path:
    """Return `root` as a Path, or raise if it is not a folder."""
    if not isinstance(root, str | os.PathLike):
        raise ArgumentError("{root=} is not a path: give the folder of the data set.", root=root)
    path = Path(root)
    if not os.path.exists(path):
        raise MissingPathError("{root=} does not exist.", root=os.fspath(root))
    if not os.path.isdir(path):
        raise NotAFolderError(
            "{root=} is not a folder: give the folder that it is in, or unpack it if it is an "
            "archive.",
            root=os.fspath(root),
        )
    # Loaders look at the folder's name, which "." and ".." do not tell.
    return path.resolve() if path.name in ("", "..") else path


def plain(name: str) -> str:
    """Return a name without case, spaces and punctuation, for comparison."""
    return re.sub(r"[^a-z0-9+]", "", name.lower())


def is_litter(name: str) -> bool:
    """Return whether a file is no part of a data set, such as what archivers leave behind."""
    return name[0] == "." or name.lower() in _LITTER or is_cache_file(name)


def joined(folder: str, name: str) -> str:
    """Return the name of what is in a folder, which may be ""."""
    return f"{folder}/{name}" if folder else name


def inside(name: str) -> str | None:
    """Return a relative file name in normal form, or None if it leads out of its folder."""
    normal = posixpath.normpath(name.strip().replace("\\", "/"))
    outside = normal.startswith(("../", "/")) or normal in ("..", ".") or normal[1:2] == ":"
    return None if outside or "\0" in normal else normal


class _Content(NamedTuple):
    """Names of what is in a folder, sorted."""

    folders: list[str]
    files: list[str]


class Tree:
    """The folder of a data set.

    What is in it goes by names relative to it, with forward slashes; "" is the folder itself.
    Hidden files, what archivers leave, and folders of caches are not seen. Each folder is listed
    once.

    Parameters
    ----------
    root : str or path-like
        The folder.
    cache_dir : str or path-like, default=None
        A folder of caches, which may lie in it and be empty.
    """

    def __init__(
        self, root: str | os.PathLike[str], cache_dir: str | os.PathLike[str] | None = None
    ) -> None:
        self.root = check_root(root)
        self.problems: list[Problem] = []  # folders that cannot be read
        self._listed: dict[str, _Content] = {}
        self._cache = None
        if cache_dir is not None:
            with contextlib.suppress(ValueError):  # on another drive of Windows
                inside = os.path.relpath(os.path.realpath(cache_dir), os.path.realpath(root))
                self._cache = inside.replace(os.sep, "/")

    def path(self, name: str) -> str:
        """Return the path of what has this name."""
        return f"{self.root}/{name}"

    def _is_cache(self, name: str) -> bool:
        """Return whether a folder is one of caches: a class may have the cache beside its faces."""
        path = self.path(name)
        return _has_caches(path) or (name == self._cache and _is_empty(path))

    def folders(self, where: str = "") -> list[str]:
        """Return the names of the folders in a folder, sorted."""
        return [joined(where, name) for name in self._content(where).folders]

    def files(self, where: str = "") -> list[str]:
        """Return the names of the files in a folder, sorted."""
        return [joined(where, name) for name in self._content(where).files]

    def pictures_in(self, where: str = "") -> list[str]:
        """Return the names of the pictures in a folder, by their extensions, sorted."""
        return [name for name in self.files(where) if name.lower().endswith(EXTENSIONS)]

    def walk(self, where: str = "") -> Iterator[str]:
        """Yield the files in a folder and below it; links are followed, each folder once."""
        above = [where[: match.start()] for match in re.finditer("/", where)]
        seen = {self._identity(folder) for folder in ["", *above] if folder != where}
        waiting = [(where, True)]
        while waiting:
            name, is_folder = waiting.pop()
            if not is_folder:
                yield name
                continue
            identity = self._identity(name)
            if identity not in seen:
                seen.add(identity)
                content = self._content(name)
                inner = [(entry, True) for entry in content.folders]
                inner += [(entry, False) for entry in content.files]
                inner.sort(reverse=True)
                waiting += [(joined(name, entry), folder) for entry, folder in inner]

    def pictures(self, where: str = "") -> tuple[list[str], list[Problem]]:
        """Return the pictures in a folder and below it, and what is neither one nor a note."""
        found, wrong = [], []
        for name in self.walk(where):
            extension = os.path.splitext(name)[1].lower()
            if extension in EXTENSIONS:
                found.append(name)
            elif extension not in NOTES:
                kind = unread_kind(name) or f"not a picture by its extension {extension!r}"
                wrong.append(Problem(name, kind))
        return found, wrong

    def read_bytes(self, name: str) -> bytes:
        """Return the content of a file that is no picture; raise OSError."""
        return read_bytes(self.path(name), _MOST_IN_NOTE)

    def read_text(self, name: str) -> str:
        """Return the text of a file in UTF-8; raise OSError or ValueError."""
        return self.read_bytes(name).decode("utf-8-sig")

    def levels(self, within: str = "", depth: int = 3) -> Iterator[str]:
        """Yield a folder and the folders below it, level by level."""
        level = [within]
        yield within
        for _ in range(depth):
            level = [folder for parent in level for folder in self.folders(parent)]
            yield from level

    def find_folders(self, *names: str, within: str = "", depth: int = 3) -> list[str]:
        """Return the folders of these names, the least deep first; `within` may be one."""
        wanted = {plain(name) for name in names}
        return [f for f in self.levels(within, depth) if plain(self._own_name(f)) in wanted]

    def find_folder(self, *names: str, within: str = "", depth: int = 3) -> str | None:
        """Return the least deep folder of these names, or None; refuse two equally deep ones."""
        return self.nearest(self.find_folders(*names, within=within, depth=depth))

    def find_beside(self, place: str, *names: str) -> str | None:
        """Return the folder of these names that belongs to a place, or None.

        It is looked for in the folder of the place and then in those above it, so that another
        copy somewhere in the tree is not mistaken for it, and never within the place itself.
        """
        above = place
        while above:
            above = above.rpartition("/")[0]
            found = self.find_folders(*names, within=above)
            outside = [f for f in found if f != place and not f.startswith(f"{place}/")]
            if outside:
                return self.innermost(self.nearest(outside), *names)
        return None

    def find_file(self, *names: str, within: str = "", depth: int = 2) -> str | None:
        """Return the least deep file of these names, in any case, or None.

        In one folder the first of the names wins; two folders that are equally deep are refused.
        """
        found = []
        for folder in self.levels(within, depth):
            listed = {name.lower(): name for name in reversed(self._content(folder).files)}
            name = next((listed[n.lower()] for n in names if n.lower() in listed), None)
            if name is not None:
                found.append(joined(folder, name))
        return self.nearest(found)

    def nearest(self, found: Sequence[str]) -> str | None:
        """Return the least deep name, or None; refuse two: nobody knows which is meant."""
        if not found:
            return None
        depth = min(map(_depth, found))
        first, *others = (name for name in found if _depth(name) == depth)
        if others:
            raise DatasetError(
                "{root=} has both {} and {}: keep one of them, or give the folder of one copy.",
                repr(first),
                repr(others[0]),
                root=str(self.root),
            )
        return first

    def innermost(self, folder: str | None, *names: str) -> str | None:
        """Follow a folder down into one of the same name, as unpacking may leave them."""
        wanted = {plain(name) for name in names}
        inner = folder
        while inner is not None:
            folder = inner
            below = (sub for sub in self.folders(folder) if plain(self._own_name(sub)) in wanted)
            inner = next(below, None)
        return folder

    def as_on_disk(self, names: Sequence[str]) -> list[str]:
        """Return names of files as the disk has them: case and form may differ from a table's."""
        by_folder: dict[str, dict[str, str]] = {}
        found = []
        for name in names:
            folder, _, file = name.rpartition("/")
            if folder not in by_folder:
                listed = self._content(folder).files if self.has_folder(folder) else []
                by_lower = {_alike(name): name for name in reversed(listed)}
                by_folder[folder] = by_lower | {name: name for name in listed}
            there = by_folder[folder]
            found.append(joined(folder, there.get(file, there.get(_alike(file), file))))
        return found

    def has_folder(self, name: str) -> bool:
        """Return whether a folder is there."""
        return os.path.isdir(self.path(name))

    def _own_name(self, folder: str) -> str:
        return folder.rpartition("/")[2] or self.root.name

    def _identity(self, folder: str) -> tuple[int, int] | str:
        try:
            status = os.stat(self.path(folder))
        except OSError:
            return folder
        return status.st_dev, status.st_ino

    def _content(self, where: str) -> _Content:
        if where not in self._listed:
            self._listed[where] = self._list(where)
        return self._listed[where]

    def _list(self, where: str) -> _Content:
        content = _Content([], [])
        try:
            with os.scandir(self.path(where)) as entries:
                for entry in entries:
                    if is_litter(entry.name):
                        continue
                    if not _is_folder(entry):
                        content.files.append(entry.name)
                    elif not self._is_cache(joined(where, entry.name)):
                        content.folders.append(entry.name)
        except OSError as error:
            fault = f"a folder that cannot be read: {fault_of(error)}"
            self.problems.append(Problem(f"{where}/", fault))
        content.folders.sort()
        content.files.sort()
        return content


def _alike(file: str) -> str:
    """Return what names of one file share, however their case and accents are written."""
    return unicodedata.normalize("NFC", file.lower())


def _is_empty(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError:  # one that may not be read
        return False


def _depth(name: str) -> int:
    return name.count("/") + 1 if name else 0


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: told when it is read as a picture
        return False


def _has_caches(folder: str) -> bool:
    """Return whether a folder has caches in it and nothing else."""
    try:
        with os.scandir(folder) as entries:
            names = (entry.name for entry in entries)
            first = next(names, None)
            return first is not None and is_cache_file(first) and all(map(is_cache_file, names))
    except OSError:  # one that may not be read
        return False
