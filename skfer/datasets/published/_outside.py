"""Class folders that lie outside of the official parts of a set."""

from collections.abc import Iterable, Mapping

from skfer.datasets._classes import Part, labeled_pictures
from skfer.datasets._tree import Tree
from skfer.pictures import Problem


def pictures_outside(
    tree: Tree, parts: Iterable[str], words: Mapping[str, str] | None = None
) -> list[Problem]:
    """Return the pictures of classes that lie beside the folders of the parts, as problems.

    They would be left out without a word: class folders beside `train/`, or in a folder beside it
    that has no name of a part. `words` are the classes by the names of their folders.
    """
    read = set(parts)
    above = {folder.rpartition("/")[0] for folder in read if folder} - read
    beside = {folder for place in above for folder in tree.folders(place)} - read
    problems: list[Problem] = []
    for place in sorted(above | beside):
        rows, _ = labeled_pictures(tree, [Part("", place)], words)
        what = "in a class folder that is not in one of the parts (such as train/ and test/)"
        problems += [Problem(row.name, what) for row in rows]
    return problems
