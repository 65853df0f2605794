"""SFEW 2.0, static facial expressions in the wild: frames of films."""

import functools
import os
import re
from collections.abc import Iterable
from typing import Any

from skfer.datasets._classes import Part, has_classes, labeled_pictures, own_name, stem
from skfer.datasets._docs import documented
from skfer.datasets._listing import Layout, Listing, no_layout
from skfer.datasets._loading import Options
from skfer.datasets._photographs import Detector, load_detected, whole_pictures
from skfer.datasets._rows import PARTS, Row, without_copies
from skfer.datasets._tree import Tree, plain
from skfer.datasets.published._outside import pictures_outside
from skfer.datasets.published._unknown import CLASS_NAMES, unknown_layout
from skfer.pictures import DatasetError, Problem, in_part
from skfer.validation import check_choice, check_flag

# Train and validation together.
PUBLISHED = {
    "anger": 255,
    "disgust": 89,
    "fear": 145,
    "happiness": 271,
    "neutral": 236,
    "sadness": 245,
    "surprise": 153,
}
PUBLISHED_PARTS = {"train": 958, "validation": 436}
# The aligned faces, of which some are missing. No numbers are published: these are what public
# code that trains on them found (the issues of SimKarras/Amend-Representation-Module).
PUBLISHED_ALIGNED = {
    "anger": 255,
    "disgust": 75,
    "fear": 124,
    "happiness": 256,
    "neutral": 228,
    "sadness": 234,
    "surprise": 150,
}
PUBLISHED_ALIGNED_PARTS = {"train": 891, "validation": 431}
_INNER = f"(train|val|test)(alignedfaces)?|{CLASS_NAMES}"
LAYOUTS = {
    False: Layout("Train/Angry/*.png and Val/Angry/*.png", PUBLISHED, PUBLISHED_PARTS),
    True: Layout(
        "Train_Aligned_Faces/Angry/*.png and Val_Aligned_Faces/Angry/*.png",
        PUBLISHED_ALIGNED,
        PUBLISHED_ALIGNED_PARTS,
    ),
}
_OWNERS = {"train": "Train", "validation": "Val", "test": "Test"}
_SUFFIXES = {False: ("",), True: ("_Aligned_Faces", "_Aligned_Faces_new")}
_NAME = re.compile(r"^(.+)_\d{6,}_\d+\.\w+$")
_DESCR = """\
SFEW 2.0, Static Facial Expressions in the Wild
-----------------------------------------------

Frames of films, 720 x 576 pixels in color: train 958 (anger 178, disgust 66, fear 98, happiness
198, neutral 150, sadness 172, surprise 96), validation 436 (77, 23, 47, 73, 86, 73, 57), test 372
without public labels. Faces aligned by the organizers (143 x 181 pixels) are there for most: train
891, validation 431, as public code counts them.
Results are reported on the validation part. Groups are the films, taken from the names.

Origin: A. Dhall, R. Goecke, S. Lucey, T. Gedeon; on request, for the EmotiW challenge of 2015.
Terms: for non-commercial research; not to be passed on.
Cite: A. Dhall, R. Goecke, S. Lucey, T. Gedeon, "Static facial expression analysis in tough
conditions: data, evaluation protocol and benchmark", ICCV Workshops 2011; A. Dhall et al., "Video
and image based emotion recognition challenges in the wild: EmotiW 2015", ICMI 2015.
"""


@documented
def load_sfew(
    root: str | os.PathLike[str],
    *,
    align: bool | str = "auto",
    unlabeled: bool = False,
    image_size: int | tuple[int, int] | None = 48,
    color: bool = False,
    classes: Iterable[str] | None = None,
    subset: str | Iterable[str] | None = None,
    detector: Detector = None,
    cache_dir: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    on_error: str = "raise",
    return_X_y: bool = False,
    as_frame: bool = False,
    verbose: bool | int = False,
) -> Any:
    """Load SFEW 2.0 from a local copy.

    Two layouts are read: the frames, `Train/<Expression>/*.png` and `Val/<Expression>/*.png`, and
    the aligned faces, `Train_Aligned_Faces/<Expression>/` and `Val_Aligned_Faces/<Expression>/`
    (or `Val_Aligned_Faces_new`), in root or below the former folders; other words for the parts,
    such as `Validation` or `train`, do too. One of the parts is enough (:func:`check_dataset`
    tells which is missing). A test part with class folders in it is loaded with these labels.

    Parameters
    ----------
    root : str or path-like
        The folder that holds these trees.
    align : bool or "auto", default="auto"
        Read the aligned faces or the whole frames. "auto" takes the faces if they are there for
        each part whose frames are; where each form lacks a part of the other, it is an error. With
        `detector` it takes the frames.
    unlabeled : bool, default=False
        Load the test part too, as -1, from `Test/` or `Test_Aligned_Faces/`, where it has no
        class folders.
    {size}
    {parts}
    {detector}
    {rest}

    Returns
    -------
    faces : :class:`~sklearn.utils.Bunch`
        {bunch}

        `groups` are films, in lower case.
    (data, target) : tuple
        With `return_X_y=True`.

    Raises
    ------
    {raises}

    See Also
    --------
    check_dataset : Compares a copy with what is published.
    skfer.model_selection.OfficialSplit : The owners' split.

    References
    ----------
    .. [1] A. Dhall et al., "Static facial expression analysis in tough conditions", ICCV
       Workshops 2011.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from skfer.datasets import load_sfew
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = os.path.join(root, "Train", "Angry")
    ...     os.makedirs(folder)
    ...     Image.new("RGB", (720, 576)).save(
    ...         os.path.join(folder, "Airheads_000519240_00000005.png")
    ...     )
    ...     faces = load_sfew(root)
    >>> faces.target.tolist(), faces.groups.tolist(), faces.split.tolist()
    ([0], ['airheads'], ['train'])
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
    if detector is not None:
        align = whole_pictures(align)
    lister = functools.partial(list_sfew, align=align, unlabeled=unlabeled)
    return load_detected(root, lister, options, detector)


def list_sfew(tree: Tree, *, align: bool | str = "auto", unlabeled: bool = False) -> Listing:
    """Return the pictures of either layout, unread."""
    check_choice(align, "align", (True, False, "auto"))
    check_flag(unlabeled, "unlabeled")
    found = {form: _part_folders(tree, form) for form in (True, False)}
    form = _choose_form(tree, found, unlabeled) if align == "auto" else bool(align)
    if not found[form] and found[not form]:
        raise _only_the_other(tree, form)
    if not found[form]:
        layouts = [LAYOUTS[True], LAYOUTS[False]] if align == "auto" else [LAYOUTS[form]]
        raise unknown_layout("SFEW", tree, layouts, _INNER)
    rows, problems = _read(tree, found[form], form, unlabeled)
    problems += pictures_outside(tree, {*found[True].values(), *found[False].values()})
    return Listing(
        name="sfew",
        descr=_DESCR,
        layout=LAYOUTS[form],
        rows=rows,
        problems=problems,
        group_kind="films",
        missing=[
            f"{_folder_names(part, form)[0]}/"
            for part in ("train", "validation")
            if part not in found[form]
        ],
        unlabeled_parts=[*(found[form].keys() - _labeled(tree, found[form]))],
    )


def _only_the_other(tree: Tree, form: bool) -> DatasetError:
    """Return the error for a copy that has only the form that was not asked for."""
    error = no_layout("SFEW", tree, [LAYOUTS[form]])
    if form:
        error.hint = "The frames are there: {align=False} reads them."
    else:
        error.hint = "The aligned faces are there: {align=True} reads them, without {detector}."
    return error


def _folder_names(part: str, form: bool) -> list[str]:
    """Return what the folder of a part may be called, the owners' name first."""
    words = [_OWNERS[part], *(word for word, meant in PARTS.items() if meant == part)]
    return [f"{word}{suffix}" for suffix in _SUFFIXES[form] for word in words]


def _part_folders(tree: Tree, form: bool) -> dict[str, str]:
    """Return the folders of the parts; train and validation have class folders in them."""
    parts = {}
    for part in _OWNERS:
        names = _folder_names(part, form)
        found = tree.find_folders(*names, depth=3)
        if part != "test":
            found = [folder for folder in found if has_classes(tree, folder)]
        folder = tree.nearest(found)
        if folder is not None:
            parts[part] = folder if part != "test" else tree.innermost(folder, *names) or folder
    return parts if _labeled(tree, parts) else {}


def _labeled(tree: Tree, parts: dict[str, str]) -> set[str]:
    """Return the parts that have labels: the owners' test part has none."""
    return {part for part, folder in parts.items() if has_classes(tree, folder)}


def _choose_form(tree: Tree, found: dict[bool, dict[str, str]], unlabeled: bool) -> bool:
    """Return whether the aligned faces are there for each part whose frames are."""
    labeled = {form: _labeled(tree, parts) for form, parts in found.items()}
    wanted = set(found[False]) if unlabeled else labeled[False]
    if found[True].keys() >= wanted:
        return True
    # Faces of one part do not do instead of frames of both; neither do frames of the other part.
    if labeled[True] - labeled[False]:
        raise DatasetError(
            "{root=} has aligned faces of the parts {} and frames of {}: give {align=True} or "
            "{align=False} to read either, or add what is missing.",
            sorted(labeled[True]),
            sorted(labeled[False]),
            root=str(tree.root),
        )
    return False


def _read(
    tree: Tree, parts: dict[str, str], form: bool, unlabeled: bool
) -> tuple[list[Row], list[Problem]]:
    labeled = _labeled(tree, parts)
    found, problems = labeled_pictures(
        tree, [Part(part, folder) for part, folder in parts.items() if part in labeled]
    )
    # Aligned faces inside of Train/ are no class of it.
    problems = [p for p in problems if "aligned_faces" not in p.where.lower()]
    if unlabeled and "test" in parts.keys() - labeled:
        names, wrong = _test_pictures(tree, parts["test"], form)
        found += [Row(name, part="test") for name in names]
        problems += [in_part(problem, "test") for problem in wrong]
    rows: list[Row] = []
    for row in found:
        match = _NAME.match(own_name(row.name))
        if match is None:
            problem = Problem(row.name, "not named like Airheads_000519240_00000005.png")
            problems.append(in_part(problem, row.part))
        else:
            rows.append(row._replace(group=match[1].lower()))
    rows, repeated = without_copies(rows, lambda row: stem(row.name))
    return rows, problems + repeated


def _test_pictures(tree: Tree, folder: str, form: bool) -> tuple[list[str], list[Problem]]:
    """Return what lies in the test part; the aligned faces below its frames are no frames."""
    names, wrong = tree.pictures(folder)
    if form:
        return names, wrong
    below = len(folder)  # names of folders above it tell nothing
    names = [name for name in names if "alignedfaces" not in plain(name[below:].rpartition("/")[0])]
    return names, [p for p in wrong if "alignedfaces" not in plain(p.where[below:])]
