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
_ARCHIVE = re.compile(r"\.(zip|rar|7z|tar|tgz|tar\.\w+)$", re.IGNORECASE)
# What `inner` has for folders of parts and of classes.
PART_NAMES = "train|test|val|valid|validation"
CLASS_NAMES = "|".join([*EXPRESSION_CODES, *SYNONYMS])
_HINT = (
    "There are folders of classes: load_image_folder reads those (dataset 'folder' on the command "
    "line); its class_names says what numbers and other words mean."
)


def unknown_layout(
    name: str, tree: Tree, layouts: Iterable[Layout], inner: str = ""
) -> DatasetError:
    """Return the error, which tells what reads class folders if there are any.

    `inner` is a pattern of what is in a copy, as for `advise`.
    """
    return with_hint(no_layout(name, tree, layouts, advise(tree, inner)), tree)


def advise(tree: Tree, inner: str) -> str:
    """Return what to do about a folder that holds archives, or is not the one of a copy.

    `inner` is a pattern of what is in a copy, as `plain` writes the names. Only names are looked
    at: what lies above a folder may be a whole disk.
    """
    folders = [*tree.levels(depth=_DEPTH)]
    packed = [name for folder in folders for name in tree.files(folder) if _ARCHIVE.search(name)]
    if packed:
        more = f" and {len(packed) - N_SHOWN} more" if len(packed) > N_SHOWN else ""
        return f"Archives are not read: unpack {', '.join(map(repr, packed[:N_SHOWN]))}{more}."
    own = tree.root.absolute()
    within = [
        path for path in (own, *own.parents[:_ABOVE]) if re.fullmatch(inner, plain(path.name))
    ]
    if inner and within:
        return f"It seems to be a folder within a copy: give {str(within[-1].parent)!r}."
    below = next((f for f in tree.levels(depth=_BELOW) if _holds(tree, f, inner)), None)
    return f"A copy seems to be further down: give {tree.path(below)!r}." if below else ""


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
