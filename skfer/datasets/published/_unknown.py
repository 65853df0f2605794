"""The error for a folder that has none of the forms in which a set is handed on."""

import re
from collections.abc import Iterable

from skfer.datasets._classes import own_name
from skfer.datasets._labels import canonical
from skfer.datasets._listing import Layout, no_layout
from skfer.datasets._tree import Tree, plain
from skfer.datasets._vocabulary import EXPRESSION_CODES, SYNONYMS
from skfer.pictures import N_SHOWN, DatasetError

_NUMBER = re.compile(r"^\d\d?$")
_BESIDE_THE_WORD = re.compile(r"^\d+[\W_]*|[\W_]*\d+$")  # 1_Surprise, happy-4
_DEPTH = 2  # of the folder that has the class folders in it
_MOST_CLASSES = 20  # folders beyond that are of something else, such as persons
_ABOVE = 2  # folders above the given one that may be in the copy too
_BELOW = 5
_ARCHIVE = re.compile(r"(\.part\d+)?\.(zip|rar|7z|tar|tgz|tar\.\w+)$", re.IGNORECASE)
# What `inner` has for folders of parts and of classes.
PART_NAMES = "train|test|val|valid|validation"
CLASS_NAMES = "|".join([*EXPRESSION_CODES, *SYNONYMS])
_HINT = (
    "There are folders of classes: load_image_folder reads those (dataset 'folder' on the command "
    "line); its class_names says what numbers and other words mean, and its group_pattern who is "
    "shown, from the names of the files."
)


def unknown_layout(
    name: str, tree: Tree, layouts: Iterable[Layout], inner: str = ""
) -> DatasetError:
    """Return the error, which tells what reads class folders if there are any.

    `inner` is a pattern of what is in a copy, as for `advise`.
    """
    return with_hint(no_layout(name, tree, layouts, advise(tree, inner)), tree)


def half_a_layout(name: str, tree: Tree, layout: Layout, told: str, inner: str) -> DatasetError:
    """Return the error for a folder that has some of a form, and what is lacking as `told`.

    What is lacking may lie above, or be packed; no other copy is further down.
    """
    advice = _lines(told, within_a_copy(tree, inner), _packed(tree))
    return no_layout(name, tree, [layout], advice)


def advise(tree: Tree, inner: str) -> str:
    """Return what to do about a folder that is not the one of a copy, or holds archives.

    `inner` is a pattern of what is in a copy, as `plain` writes the names. Only names are looked
    at: what lies above a folder may be a whole disk. An archive may be left over from unpacking,
    so that it hides no other advice.
    """
    return _lines(within_a_copy(tree, inner) or _further_down(tree, inner), _packed(tree))


def _lines(*said: str) -> str:
    """Return what is said, a line each; "" is nothing."""
    return "\n".join(filter(None, said))


def _packed(tree: Tree) -> str:
    """Return that archives have to be unpacked, but those that have been."""
    folders = [*tree.levels(depth=_DEPTH)]
    found = [n for folder in folders for n in tree.files(folder) if _is_packed(tree, folder, n)]
    if not found:
        return ""
    more = f" and {len(found) - N_SHOWN} more" if len(found) > N_SHOWN else ""
    return f"Archives are not read: unpack {', '.join(map(repr, found[:N_SHOWN]))}{more}."


def _is_packed(tree: Tree, folder: str, name: str) -> bool:
    """Return whether a file is an archive that has no folder of its name beside it."""
    stem = _ARCHIVE.sub("", name)
    return stem != name and stem.lower() not in map(str.lower, tree.folders(folder))


def within_a_copy(tree: Tree, inner: str) -> str:
    """Return which folder to give instead of one that is within a copy."""
    own = tree.root.absolute()
    within = [
        path for path in (own, *own.parents[:_ABOVE]) if re.fullmatch(inner, plain(path.name))
    ]
    if not inner or not within:
        return ""
    return f"It seems to be a folder within a copy: give {str(within[-1].parent)!r}."


def _further_down(tree: Tree, inner: str) -> str:
    """Return which folder to give instead of one that is too far above a copy."""
    below = next((f for f in tree.levels(depth=_BELOW) if _holds(tree, f, inner)), None)
    if below is None:
        return ""
    outer, _, own = below.rpartition("/")
    place = outer if re.fullmatch(PART_NAMES, plain(own)) else below  # a part is half of a copy
    return f"A copy seems to be further down: give {tree.path(place)!r}."


def _holds(tree: Tree, folder: str, inner: str) -> bool:
    """Return whether a folder that is too deep to be found has in it what is in a copy."""
    if not inner or folder.count("/") + 1 < _DEPTH:
        return False
    names = map(own_name, [*tree.folders(folder), *tree.files(folder)])
    return any(re.fullmatch(inner, plain(name)) for name in names)


def with_hint(error: DatasetError, tree: Tree) -> DatasetError:
    """Return an error about a layout with a word on class folders, if there are any."""
    if any(_has_classes(tree, folder) for folder in tree.levels(depth=_DEPTH)):
        error.hint = _HINT
    return error


def _has_classes(tree: Tree, folder: str) -> bool:
    """Return whether at least two folders in a folder have names as classes have."""
    inner = tree.folders(folder)
    return len(inner) <= _MOST_CLASSES and sum(map(_names_class, inner)) > 1


def _names_class(folder: str) -> bool:
    own = own_name(folder).strip()
    word = canonical(_BESIDE_THE_WORD.sub("", own))
    return word in EXPRESSION_CODES or bool(_NUMBER.match(own))
