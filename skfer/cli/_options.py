"""The options of the command line, and what reads their values."""

from __future__ import annotations

import argparse
import difflib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from skfer import CrossEntropyEmbedder
from skfer._version import __version__
from skfer.datasets import DATASETS
from skfer.evaluation._comparison import CLASSIFIERS
from skfer.evaluation._protocols import PROTOCOLS, PUBLISHED

Run = Callable[[argparse.Namespace], int]

DESCRIPTION = """\
Train every embedder of skfer and two baselines (PCA on pixels, and the same network trained with
cross-entropy), each followed by the same classifier, and test them with subjects apart where it is
known who is shown. Prints a table of means and standard deviations over the folds: accuracy,
balanced accuracy (the mean over the classes), recall@1 (how often the nearest image, of another
person if known, has the same label), seconds to train, and images embedded in a second.
"""

EPILOG = r"""
examples:
  drawn faces, to see that all works (a minute or two on a laptop):
    skfer evaluate
  your faces, in a folder for each class, with the subject in the file name (happy/S01_3.png):
    skfer evaluate --dataset folder --root faces/ --group-pattern '(S\d+)_'
  your faces, named in a table with the columns file, emotion and person:
    skfer evaluate --labels labels.csv --root images/ --label-column emotion --group-column person
  your copy of a published set, by its usual protocol, and by variants of it:
    skfer evaluate --dataset ck+ --root CK+/
    skfer evaluate --dataset ck+ --root CK+/ --frames 1 --neutral-first
    skfer evaluate --dataset affectnet --root AffectNet/ --align box --cache-dir cache/ \
      --classes anger disgust fear happiness neutral sadness surprise
  all numbers, for a program:
    skfer evaluate --quiet --json numbers.json

`skfer datasets check NAME ROOT` tells what is in a copy of a published set.

Exit codes: 0 done, 1 (of `skfer datasets check`) the copy is not as published, 2 something is wrong
with the call or the data, 3 skfer itself failed, 130 interrupted, 141 who read the output has gone.
"""


def make_parser(evaluate: Run, check: Run) -> argparse.ArgumentParser:
    """Return the parser of all commands.

    Parameters
    ----------
    evaluate, check : callable
        What runs `skfer evaluate` and `skfer datasets check`; set as ``run``.

    Returns
    -------
    argparse.ArgumentParser
    """
    parser = argparse.ArgumentParser(
        "skfer",
        description="Facial expression recognition by deep metric learning.",
        epilog="Start with `skfer evaluate`, which needs no data; `skfer evaluate --help` tells "
        "how to run it on your own faces.",
    )
    parser.add_argument("--version", action="version", version=f"skfer {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_evaluate(commands, evaluate)
    _add_datasets(commands, check)
    return parser


def _add_datasets(commands: Any, run: Run) -> None:
    parser = commands.add_parser("datasets", help="look at your copy of a published data set")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check",
        help="compare a copy with what is published",
        description="Tell the layout found, the counts of each class beside the published ones, "
        "and what is missing. Exit code 1 if the copy is not as published.",
    )
    known = sorted(name for name, dataset in DATASETS.items() if dataset.lister is not None)
    check.add_argument("name", type=_one_of(known), metavar="NAME", help=", ".join(known))
    check.add_argument("root", type=Path, metavar="ROOT", help="the folder of your copy")
    check.set_defaults(run=run)


def _add_evaluate(commands: Any, run: Run) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="compare all embedders on faces, drawn or your own",
        description=DESCRIPTION,
        usage="skfer evaluate [OPTION ...]",  # the whole list would hide what is wrong
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    _add_data(parser.add_argument_group("data"))
    _add_variants(parser.add_argument_group("variants of published sets"))
    _add_how(parser.add_argument_group("evaluation"))


def _add_data(data: Any) -> None:
    data.add_argument(
        "--dataset",
        type=_one_of(["synthetic", *DATASETS]),
        metavar="NAME",
        help="synthetic: drawn faces (the default); folder: yours, in a folder for each class; "
        "table: yours, named in a table; or your copy of a published set: " + ", ".join(PUBLISHED),
    )
    data.add_argument("--root", type=Path, metavar="DIR", help="the folder of the images")
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
        "--group-pattern",
        metavar="REGEX",
        help=r"with --dataset folder: finds who is shown in a file name, such as '(S\d+)_'",
    )
    data.add_argument(
        "--classes",
        nargs="+",
        metavar="NAME",
        help="these classes only: of anger, contempt, disgust, fear, happiness, neutral, sadness, "
        "surprise, or of your own names",
    )
    data.add_argument(
        "--image-size", type=_image_size, default=48, metavar="N", help="pixels a side (48)"
    )
    data.add_argument(
        "--max-per-class", type=_several, metavar="N", help="take this many images of a class"
    )
    data.add_argument(
        "--cache-dir",
        type=Path,
        metavar="DIR",
        help="keep the decoded images in this folder, which makes the next start quick",
    )
    data.add_argument(
        "--skip-bad", action="store_true", default=None, help="leave out files that cannot be read"
    )


def _add_variants(sets: Any) -> None:
    sets.add_argument(
        "--frames",
        type=_frames,
        metavar="N",
        help="with ck+ or mmi: how many frames of a sequence to take where its expression is at "
        "its peak (3), or all",
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
        choices=range(1, 5),
        metavar="N",
        help="with bu3dfe: expressions of these strengths only, of 1 to 4",
    )
    sets.add_argument(
        "--align",
        nargs="?",
        const="landmarks",
        choices=["landmarks", "box"],
        help="with ck+, raf-db or sfew: aligned faces; with affectnet: turned by landmarks "
        "(--align) or cut out by the face box (--align box)",
    )
    sets.add_argument(
        "--no-align", dest="align", action="store_const", const=False, help="whole pictures instead"
    )
    sets.add_argument(
        "--crop",
        nargs=4,
        type=float,
        metavar=("LEFT", "UPPER", "RIGHT", "LOWER"),
        help="with jaffe: the part to take, in shares of width and height",
    )
    sets.add_argument(
        "--no-crop", dest="crop", action="store_const", const=False, help="the whole picture"
    )


def _add_how(how: Any) -> None:
    how.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        help="how to split. group-fold: folds with subjects apart; subject-10fold: ten folds of "
        "subjects in order of their names; leave-one-subject-out: a fold for each; official: the "
        "training and test set of the owners. By default what is usual for the data set",
    )
    how.add_argument("--folds", type=_positive, metavar="N", help="folds of group-fold (3)")
    how.add_argument(
        "--classifier",
        choices=sorted(CLASSIFIERS),
        default="knn",
        help="what classifies the embedded images: 5 nearest neighbours (the default) or an SVM",
    )
    how.add_argument(
        "--negatives",
        choices=["nearest", "fully-synthesized", "semi-synthesized", "prediction"],
        default="fully-synthesized",
        help="how triplet-center chooses what to push away (fully-synthesized)",
    )
    how.add_argument(
        "--epochs",
        type=_positive,
        metavar="N",
        help=f"passes over the training set ({CrossEntropyEmbedder().max_epochs})",
    )
    how.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="fixes data, folds and training (0)"
    )
    jobs = min(os.cpu_count() or 1, 4)
    how.add_argument(
        "--n-jobs",
        type=_positive,
        default=jobs,
        metavar="N",
        help=f"trainings side by side, and threads that read pictures ({jobs})",
    )
    how.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write all numbers here, with what was run; - is standard output, and the table then "
        "goes to standard error",
    )
    how.add_argument("--quiet", action="store_true", help="no progress bar")


def _one_of(names: Sequence[str]) -> Callable[[str], str]:
    """Return what reads a name in any case and spelling (RAF_DB, BU-3DFE), or tells a near one."""

    def plain(text: str) -> str:
        return re.sub(r"[-_ ]", "", text.lower()).replace("plus", "+")

    known = {plain(name): name for name in names}

    def read(text: str) -> str:
        if plain(text) in known:
            return known[plain(text)]
        near = difflib.get_close_matches(plain(text), known, 1)
        hint = f"did you mean {known[near[0]]}? " if near else ""
        raise argparse.ArgumentTypeError(f"{text!r} is unknown: {hint}Give {', '.join(names)}.")

    return read


def _frames(text: str) -> int | str:
    return text if text in ("peak", "all") else _whole(text, "'peak', 'all' or a whole number")


def _positive(text: str) -> int:
    return _whole(text, "a whole number")


def _several(text: str) -> int:
    # A single image of a class is never in training and test alike.
    return _whole(text, "a whole number", 2)


def _image_size(text: str) -> int:
    return _whole(text, "a whole number", 16)


def _seed(text: str) -> int:
    return _whole(text, "a whole number", 0, 2**32 - 1)


def _whole(text: str, wanted: str, low: int = 1, high: int | None = None) -> int:
    bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
    if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
        raise argparse.ArgumentTypeError(f"give {wanted} {bounds}, not {text!r}")
    return int(text)
