"""One folder for each class."""

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from skfer.datasets._classes import Part, has_classes, own_name
from skfer.datasets._copies import without_links
from skfer.datasets._groups import (
    GroupOf,
    check_groups,
    classes_as_groups,
    similar_groups,
    with_groups,
)
from skfer.datasets._labels import canonical, encode, rename_classes
from skfer.datasets._listing import Layout, Listing
from skfer.datasets._loading import Options
from skfer.datasets._photographs import Detector, load_detected
from skfer.datasets._rows import PARTS, Row
from skfer.datasets._tree import Tree
from skfer.datasets._vocabulary import EXPRESSION_CODES
from skfer.pictures import DatasetError, DatasetWarning, Problem, in_part
from skfer.validation import MISSING_WORDS

LAYOUT = Layout("<class>/*, one folder for each class")
PART_LAYOUT = Layout("train/<class>/*, test/<class>/*, one folder for each class in each part")
# What folders are called that hold pictures, or what is told of them, whatever their class.
_WORDS = "image images imgs pictures photos labels annotations masks"
_CONTAINERS = {*_WORDS.split(), *PARTS} - {"valid"}  # which is a class beside "invalid"
_DESCR = """\
Pictures from a folder
----------------------

One folder for each class, read from {root}.
"""


def load_image_folder(
    root: str | os.PathLike[str],
    *,
    image_size: int | tuple[int, int] | None = 48,
    color: bool = False,
    classes: Iterable[str] | None = None,
    class_names: Mapping[Any, str] | None = None,
    subset: str | Iterable[str] | None = None,
    groups: GroupOf | None = None,
    group_pattern: str | None = None,
    detector: Detector = None,
    cache_dir: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    on_error: str = "raise",
    return_X_y: bool = False,
    as_frame: bool = False,
    verbose: bool | int = False,
) -> Any:
    r"""Load pictures that lie in one folder for each class.

    The name of a folder directly in `root` is the class of all pictures in it and in the folders
    below it. If all folders in `root` are official parts (`train`, `val`, `test`), the class
    folders are those in them. Hidden files and notes (txt, csv, json, md, html, xml) are passed
    over; every other file must be a picture, under one class alone: a link to one of another
    class, or a copy of one, is an error.

    Parameters
    ----------
    root : str or path-like
        The folder of class folders.
    image_size : int or (height, width), default=48
        Every picture is resized to exactly this many pixels (its aspect ratio is not kept). None
        keeps the size, which must then be the same for all.
    color : bool, default=False
        RGB instead of gray.
    classes : iterable of str, default=None
        Load these classes only. They keep their codes.
    class_names : mapping of str or int to str, default=None
        Names for classes, by what their folders are called, such as ``{1: "surprise"}`` where
        those are numbers. Others keep their names.
    subset : str or iterable of str, default=None
        Load these official parts only.
    groups : callable, default=None
        Given a file name relative to `root` (with forward slashes), returns its group, such as
        the person shown, as a str.
    group_pattern : str, default=None
        A regular expression searched in the file name relative to `root`; its first group, or
        the whole match if it has none, is the picture's group. For instance ``r"(S\d+)_"``.
    detector : FaceDetector, callable or "default", default=None
        The pictures are photographs, of which the largest face is cut out (see
        :class:`skfer.preprocessing.FaceAligner`). One without a face cannot be used; a warning
        names those with several. "default" needs the extra ``detect``.
    cache_dir : str or path-like, default=None
        Keep the decoded pictures in this folder and open them memory-mapped, at once, the next
        time. A changed file or parameter makes a new cache; old ones may be deleted.
    n_jobs : int, default=None
        Threads that decode, as in joblib: None is 1, -1 all cores.
    on_error : {"raise", "skip"}, default="raise"
        Whether a missing, truncated or foreign file is an error or is left out with a warning
        and listed in `skipped`. The first few and the total are told in either case.
    return_X_y : bool, default=False
        Return `(data, target)` instead of a Bunch.
    as_frame : bool, default=False
        Add `frame`, a pandas DataFrame with a row for each picture, without its pixels.
    verbose : bool or int, default=False
        Show a progress bar on stderr.

    Returns
    -------
    faces : :class:`~sklearn.utils.Bunch`
        images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3)
            uint8; memory-mapped and read-only with `cache_dir`.
        data : ndarray of shape (n_images, n_pixels)
            A flat view of `images`.
        target : ndarray of shape (n_images,)
            Integer codes. Names of expressions (anger 0, contempt 1, disgust 2, fear 3,
            happiness 4, neutral 5, sadness 6, surprise 7, and synonyms such as happy, angry,
            fearful or calm, in any case) have the same code in every data set; other names
            follow from 8 on, sorted. Where no name is an expression, codes are positions in the
            sorted names, or the names themselves if all are whole numbers from 0 to 99 (without
            zeros before them). A folder "unlabeled" is -1, and so is -1 beside at least two other
            classes; so is one named after no value ("None", "NA"), with a warning.
        target_names : ndarray of str
            `target_names[code]` is the word for a code.
        class_names : ndarray of str
            The words for the classes that are there, in the order of their codes: those of
            `np.unique(target)` without -1.
        groups : ndarray of str of shape (n_images,) or None
            What `groups` or `group_pattern` gave.
        split : ndarray of str of shape (n_images,) or None
            "train", "validation" or "test", if the class folders lie in such folders.
        group_kind : str or None
            "subjects", if there are groups.
        filenames : ndarray of str of shape (n_images,)
            Relative to `root`, with forward slashes, in sorted order.
        root : str
            The folder.
        skipped : list of (where, what)
            What was left out, and why.
        frame : DataFrame or None
            With `as_frame=True`.
        DESCR : str
            A description.
    (data, target) : tuple
        With `return_X_y=True`.

    Raises
    ------
    DatasetError
        Files that cannot be used, pictures that differ in size while `image_size` is None, a
        class folder without pictures, a picture outside the class folders or under two classes,
        or class folders that lie where they do not belong.
    FileNotFoundError, NotADirectoryError
        `root` is no folder.
    ValueError
        An argument makes no sense.

    See Also
    --------
    load_image_table : Files, labels and groups from a table.
    skfer.preprocessing.FaceAligner : Cuts faces out of photographs.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from skfer.datasets import load_image_folder
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for i, name in enumerate(["happy/S01_1.png", "happy/S02_1.png", "sad/S01_2.png"]):
    ...         os.makedirs(os.path.join(root, os.path.dirname(name)), exist_ok=True)
    ...         Image.new("L", (48, 48), i).save(os.path.join(root, name))
    ...     faces = load_image_folder(root, image_size=24, group_pattern=r"S\d+")
    >>> faces.images.shape, faces.target.tolist(), faces.groups.tolist()
    ((3, 24, 24), [4, 4, 6], ['S01', 'S02', 'S01'])
    >>> faces.target_names[faces.target].tolist()
    ['happiness', 'happiness', 'sadness']
    """
    options = Options(
        image_size=image_size,
        color=color,
        classes=classes,
        subset=subset,
        cache_dir=cache_dir,
        n_jobs=n_jobs,
        on_error=on_error,
        return_X_y=return_X_y,
        as_frame=as_frame,
        verbose=verbose,
    )
    check_groups(groups, group_pattern)
    lister = functools.partial(
        list_folder, groups=groups, group_pattern=group_pattern, class_names=class_names
    )
    return load_detected(root, lister, options, detector)


def list_folder(
    tree: Tree,
    groups: GroupOf | None = None,
    group_pattern: str | None = None,
    class_names: Mapping[Any, str] | None = None,
) -> Listing:
    """Return the pictures in class folders, unread."""
    parts = _part_folders(tree)
    rows: list[Row] = []
    problems: list[Problem] = []
    for part, place in parts:
        outside = "a picture outside the class folders"
        problems += [in_part(Problem(name, outside), part) for name in tree.pictures_in(place)]
        for folder in tree.folders(place):
            names, wrong = tree.pictures(folder)
            is_read = all(problem.where != f"{folder}/" for problem in tree.problems)
            if not names and not wrong and is_read:
                wrong = [Problem(f"{folder}/", "a class folder without pictures")]
            rows += [Row(name, own_name(folder), part) for name in names]
            problems += [in_part(problem, part) for problem in wrong]
    labels, slips = rename_classes([row.label for row in rows], class_names)
    rows = [row._replace(label=label) for row, label in zip(rows, labels, strict=True)]
    rows, repeated = without_links(tree, rows)
    rows, ungrouped = with_groups(rows, groups, group_pattern)
    codes, target_names = encode(row.label for row in rows)
    return Listing(
        name="folder",
        descr=_DESCR.format(root=tree.root),
        layout=LAYOUT if parts == [Part("", "")] else PART_LAYOUT,
        rows=rows,
        problems=problems + repeated + ungrouped,
        codes=codes,
        target_names=target_names,
        warnings=[
            *slips,
            *_without_label(rows),
            *_named_after_no_class(rows),
            *classes_as_groups(rows),
            *similar_groups(rows),
        ],
        is_own=True,
    )


def _without_label(rows: Sequence[Row]) -> list[Warning]:
    """Return a warning if the name of a class folder is a word for no value, such as "None"."""
    words = sorted({row.label for row in rows if row.label.strip() in MISSING_WORDS})
    if not words:
        return []
    count = sum(row.label in words for row in rows)
    text = (
        "folders named {} stand for no label: their pictures ({}) are loaded as unlabeled (-1). "
        "Call the folder 'unlabeled' if that is meant, and else give it another name."
    )
    return [DatasetWarning(text, ", ".join(map(repr, words)), f"{count:,}")]


def _named_after_no_class(rows: Sequence[Row]) -> list[Warning]:
    """Return a warning if class folders are called as those are that hold parts, or all classes."""
    words = sorted({row.label for row in rows if row.label.lower() in _CONTAINERS})
    if not words:
        return []
    text = (
        "folders named {} are taken as classes, each the label of all pictures in it. Give the "
        "folder that has one folder for each class, or, where a table tells the classes, read it "
        "by load_image_table."
    )
    return [DatasetWarning(text, ", ".join(map(repr, words)))]


def _part_folders(tree: Tree) -> list[Part]:
    """Return the folders that have class folders in them; refuse what may mean something else."""
    folders = tree.folders()
    if not folders:
        raise DatasetError("{root=} has no class folders in it.", root=str(tree.root))
    parts = [Part(PARTS.get(own_name(folder).lower(), ""), folder) for folder in folders]
    names = [part.name for part in parts]
    if all(names) and len(set(names)) == len(names) and all(map(tree.folders, folders)):
        return parts
    fault = _misplaced(tree, parts)
    if fault is not None:
        raise DatasetError("{root=} {}", fault, root=str(tree.root))
    return [Part("", "")]


def _misplaced(tree: Tree, parts: Sequence[Part]) -> str | None:
    """Return what is wrong with the folders in the root, None if they are those of classes."""
    folders = [part.folder for part in parts]
    inner = [f for f in folders if has_classes(tree, f) and canonical(f) not in EXPRESSION_CODES]
    if has_classes(tree, ""):
        return _both(inner) if inner else None
    if all(part.name for part in parts):
        return _parts_without_classes(tree, parts)
    if inner:
        return _classes_below(parts, inner)
    deeper = next((f for f in tree.levels(depth=3) if f and has_classes(tree, f)), None)
    if deeper is None and len(folders) == 1 and _is_wrapper(tree, folders[0]):
        deeper = folders[0]
    if deeper is None:
        return None
    if own_name(deeper).lower() in PARTS and "/" in deeper:
        deeper = deeper.rpartition("/")[0]  # the folder of all parts
    return f"has no class folders in it, but {f'{deeper}/'!r} has: give that folder."


def _is_wrapper(tree: Tree, folder: str) -> bool:
    """Whether a folder has other folders in it and no picture."""
    return bool(tree.folders(folder)) and not tree.pictures_in(folder)


def _both(inner: Sequence[str]) -> str:
    return (
        f"has class folders in it, and {f'{inner[0]}/'!r} has some too: move one of them away, or "
        "list the pictures in a table."
    )


def _parts_without_classes(tree: Tree, parts: Sequence[Part]) -> str:
    """Say which official parts have no class folders, or that two folders are one part."""
    bare = [part.folder for part in parts if not tree.folders(part.folder)]
    told = ", ".join(f"{folder}/" for folder in bare)
    if len(bare) == len(parts):
        return (
            f"has no classes: its folders are official parts ({told}), and need class folders in "
            "each."
        )
    if bare:
        return (
            f"has official parts, of which {told} has no class folders in it: move that away if "
            "its pictures have no label."
        )
    names = [part.name for part in parts]
    twice = next(name for name in names if names.count(name) > 1)
    told = " and ".join(f"{part.folder}/" for part in parts if part.name == twice)
    return f"has two folders of the {twice} part, {told}: keep one of them, or give one."


def _classes_below(parts: Sequence[Part], inner: Sequence[str]) -> str:
    """Say what to do where the folders in the root have class folders in them."""
    others = [part.folder for part in parts if part.folder not in inner]
    if len(inner) > 1 and all(part.name for part in parts if part.folder in inner):
        told = ", ".join(f"{folder}/" for folder in others)
        return (
            f"has official parts in it, and {told}, which is none (train, val, test): move that "
            "away, or give the folder of one part."
        )
    if len(inner) > 1:
        told = ", ".join(f"{folder}/" for folder in inner[:3])
        return (
            f"has no class folders in it, but its folders have some each ({told}): if those are "
            "persons, list the pictures in a table, with a column that tells who is shown "
            "(load_image_table); if they are parts, call them train, val and test."
        )
    return (
        f"has no class folders in it, but {f'{inner[0]}/'!r} has: give that folder, folders of the "
        "official parts alone (train, val, test), or list the pictures in a table."
    )
