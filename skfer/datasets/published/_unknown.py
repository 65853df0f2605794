"""The error for a folder that has none of the forms in which a set is handed on."""

import re
from collections.abc import Iterable

from skfer.datasets._classes import own_name
from skfer.datasets._labels import canonical
from skfer.datasets._listing import Layout, no_layout
from skfer.datasets._tree import Tree
from skfer.datasets._vocabulary import EXPRESSION_CODES
from skfer.pictures import DatasetError

_NUMBER = re.compile(r"^\d\d?$")
_BESIDE_THE_WORD = re.compile(r"^\d+[\W_]*|[\W_]*\d+$")  # 1_Surprise, happy-4
_DEPTH = 2  # of the folder that has the class folders in it
_MOST_CLASSES = 20  # folders beyond that are of something else, such as persons
_HINT = (
    "There are folders of classes: load_image_folder reads those (dataset 'folder' on the command "
    "line); its class_names says what numbers and other words mean."
)


def unknown_layout(name: str, tree: Tree, layouts: Iterable[Layout]) -> DatasetError:
    """Return the error, which tells what reads class folders if there are any."""
    return with_hint(no_layout(name, tree, layouts), tree)


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
