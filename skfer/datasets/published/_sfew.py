"""SFEW 2.0, static facial expressions in the wild: frames of films."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from skfer.datasets._docs import documented
from skfer.datasets._folder import pictures_below
from skfer.datasets._layout import (
    Labelled,
    find_folders,
    innermost,
    labelled_pictures,
    nearest,
    no_layout,
    relative,
    subfolders,
)
from skfer.datasets._listing import Listing, Options, check_root, load
from skfer.datasets._vocabulary import EXPRESSION_CODES, EXPRESSIONS, UNLABELED
from skfer.exceptions import ArgumentError
from skfer.pictures import Problem, drop_repeats, in_part

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
# The aligned faces, of which some are missing. Their owners tell no numbers: these are what public
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
LAYOUTS = (
    "Train/Angry/*.png and Val/Angry/*.png",
    "Train_Aligned_Faces/Angry/*.png and Val_Aligned_Faces/Angry/*.png",
)
_FOLDERS: dict[bool, dict[str, tuple[str, ...]]] = {
    False: {"train": ("Train",), "validation": ("Val",), "test": ("Test",)},
    True: {
        "train": ("Train_Aligned_Faces",),
        "validation": ("Val_Aligned_Faces", "Val_Aligned_Faces_new"),
        "test": ("Test_Aligned_Faces",),
    },
}
_NAME = re.compile(r"^(.+)_\d{6,}_\d+\.\w+$")
_DESCR = """\
SFEW 2.0, Static Facial Expressions in the Wild
-----------------------------------------------

Frames of films, 720 x 576 pixels in colour: train 958 (anger 178, disgust 66, fear 98, happiness
198, neutral 150, sadness 172, surprise 96), validation 436 (77, 23, 47, 73, 86, 73, 57), test 372
without public labels. Faces aligned by the organisers (143 x 181 pixels) are there for most: train
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
    (or `Val_Aligned_Faces_new`), in root or below the former folders. One of the parts is enough
    (:func:`check_dataset` tells which is missing).

    Parameters
    ----------
    root : str or path-like
        The folder that holds these trees.
    align : bool or "auto", default="auto"
        Read the aligned faces or the whole frames. "auto" takes the faces if they are there for
        each part whose frames are.
    unlabeled : bool, default=False
        Load the test part too, as -1, from `Test/` or `Test_Aligned_Faces/`.
    {size}
    {parts}
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
    listing = list_sfew(check_root(root), align=align, unlabeled=unlabeled)
    return load(listing, options)


def list_sfew(root: Path, *, align: bool | str = "auto", unlabeled: bool = False) -> Listing:
    """Return the pictures of either layout, unread."""
    if align not in (True, False, "auto"):
        raise ArgumentError("{align=} is not known: give True, False or 'auto'.", align=align)
    found = {form: _part_folders(root, form) for form in (True, False)}
    # Faces of one part do not do instead of frames of both.
    wanted = found[False].keys() - (set() if unlabeled else {"test"})
    form = found[True].keys() >= wanted if align == "auto" else bool(align)
    if not found[form]:
        layouts = LAYOUTS[::-1] if align == "auto" else [LAYOUTS[form]]
        raise no_layout("SFEW", root, layouts)
    listing = _list(root, found[form], form, unlabeled)
    listing.missing = [
        f"{_FOLDERS[form][part][0]}/" for part in ("train", "validation") if part not in found[form]
    ]
    return listing


def _part_folders(root: Path, form: bool) -> dict[str, Path]:
    """Return the folders of the parts; train and validation have class folders in them."""
    parts = {}
    for part, names in _FOLDERS[form].items():
        found = find_folders(root, *names, depth=3)
        if part != "test":
            found = [folder for folder in found if _has_classes(folder)]
        folder = nearest(found, root)
        if folder is not None:
            parts[part] = folder if part != "test" else innermost(folder, *names) or folder
    return parts if parts.keys() - {"test"} else {}


def _has_classes(folder: Path) -> bool:
    names = {path.name.lower() for path in subfolders(folder)}
    return bool(names & {"angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"})


def _list(root: Path, parts: dict[str, Path], form: bool, unlabeled: bool) -> Listing:
    labelled = [(part, folder) for part, folder in parts.items() if part != "test"]
    found, problems = _without_inner(root, labelled)
    if unlabeled and "test" in parts:
        names, wrong = pictures_below(root, relative(parts["test"], root))
        found += [Labelled(name, "test", "") for name in names]
        problems += [in_part(problem, "test") for problem in wrong]
    named = []
    for item in found:
        match = _NAME.match(Path(item.name).name)
        if match is None:
            problem = Problem(item.name, "not named like Airheads_000519240_00000005.png")
            problems.append(in_part(problem, item.part))
        else:
            named.append((item, match[1].lower()))
    kept, repeated = drop_repeats(
        [Path(item.name).stem for item, _ in named],
        [(item.word, item.part) for item, _ in named],
        [item.name for item, _ in named],
    )
    return _listing(root, [named[i] for i in kept], problems + repeated, form)


def _without_inner(
    root: Path, parts: list[tuple[str, Path]]
) -> tuple[list[Labelled], list[Problem]]:
    """Return the labelled pictures; aligned faces inside of Train/ are no class of it."""
    found, problems = labelled_pictures(root, parts)
    return found, [p for p in problems if "aligned_faces" not in p.where.lower()]


def _listing(
    root: Path, rows: list[tuple[Labelled, str]], problems: list[Problem], form: bool
) -> Listing:
    target = [EXPRESSION_CODES.get(item.word, UNLABELED) for item, _ in rows]
    return Listing(
        name="sfew",
        group_kind="films",
        root=root,
        filenames=[item.name for item, _ in rows],
        target=np.array(target, dtype=np.int64),
        target_names=EXPRESSIONS,
        descr=_DESCR,
        columns={
            "groups": np.array([film for _, film in rows], dtype=np.str_),
            "split": np.array([item.part for item, _ in rows], dtype=np.str_),
        },
        problems=problems,
        layout=LAYOUTS[form],
        published=PUBLISHED_ALIGNED if form else PUBLISHED,
        published_parts=PUBLISHED_ALIGNED_PARTS if form else PUBLISHED_PARTS,
    )
