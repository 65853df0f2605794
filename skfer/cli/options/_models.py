"""The options of the commands that make and use a model file."""

import argparse
from pathlib import Path
from typing import Any

from skfer.cli.options._data import (
    add_data,
    add_detect,
    add_epochs,
    add_label_noise,
    add_start,
    add_unlabeled,
    add_variants,
)
from skfer.cli.options._values import names, one_of, positive, seed, usual_jobs
from skfer.evaluation import CLASSIFIERS, EMBEDDERS

TRAIN = """\
Train an embedder on all labeled faces of a data set and keep it, with how its
pictures are to be read, in one file. How good such a model is on persons that
it has not seen, `skfer evaluate` tells.
"""
PREDICT = """\
Tell the expression of faces. A row for each face: the file, where the face is
if it was looked for, the expression, and its probability. Folders are searched
for pictures: what is hidden in them is passed over, and links to folders are
followed. Without a model the one that comes with skfer is taken. Faces are
looked for as the model was trained: one that was trained on faces that fill
their pictures takes such pictures whole, and looks for faces in those that are
much larger or longer, as photographs are. Exit code 1 if a picture has no face
or cannot be read; it has a row that says so.
"""
EMBED = """\
Write the embedding of every picture, or of the largest face in it, a row for
each file, in the order of their paths. Which, and by which model, is decided
as in `skfer predict`. Pictures are read as they are needed, so that there may
be millions. A call that was broken off goes on where it was when it is made
again, and begins anew if a picture has changed since.
"""
REPORT = """\
Write all that there is to see of a model on labeled faces as one page of HTML
with its pictures: scores, confusion, reliability, the embedding, and what the
model has of its own; or its scores alone, as numbers for a program (--json).
Give faces of persons that it was not trained on; they are read in the size and
color of those. The page needs matplotlib.
"""
_RAW = argparse.RawDescriptionHelpFormatter


def add_models(commands: Any) -> None:
    """Add the commands."""
    _add_train(commands)
    _add_predict(commands)
    _add_embed(commands)
    info = commands.add_parser(
        "info", help="tell what is in a model file", usage="skfer info [MODEL]"
    )
    _add_model(info)
    info.set_defaults(command="info")
    _add_report(commands)
    _add_export(commands)


def _add_train(commands: Any) -> None:
    parser = commands.add_parser(
        "train",
        help="train a model and keep it",
        description=TRAIN,
        usage="skfer train [OPTION ...] -o MODEL",
        epilog="example:\n  skfer train --labels labels.csv --root images/ --label-column emotion "
        "\\\n    --group-column person -o smile.skfer",
        formatter_class=_RAW,
    )
    parser.set_defaults(command="train")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="MODEL", help="the file to write"
    )
    add_data(parser.add_argument_group("data"))
    add_variants(parser.add_argument_group("variants of published sets"))
    _add_training(parser.add_argument_group("training"))


def _add_training(how: Any) -> None:
    how.add_argument(
        "--embedder",
        type=one_of(EMBEDDERS),
        default="gaussian",
        metavar="NAME",
        help=f"what learns: {', '.join(EMBEDDERS)} (gaussian)",
    )
    how.add_argument(
        "--classifier",
        choices=CLASSIFIERS,
        default="own",
        help="what predicts: the embedder's own posterior (own, the default), nearest neighbors, "
        "an SVM, or logistic regression on the embedding",
    )
    add_epochs(how)
    add_start(how, "auto")
    add_label_noise(how)
    add_unlabeled(how)
    _add_device(how)
    how.add_argument("--seed", type=seed, default=0, metavar="N", help="fixes the training (0)")
    how.add_argument(
        "--checkpoint",
        metavar="DIR",
        type=Path,
        help="keep the training here after each epoch; after a kill the same command goes on",
    )
    _add_jobs(how)


def _add_predict(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        help="tell the expression of faces",
        description=PREDICT,
        usage="skfer predict [MODEL] PICTURE ... [OPTION ...]",
        epilog="examples:\n  skfer predict photo.jpg --draw drawn/\n  skfer predict smile.skfer "
        "faces/ --json - | jq '.[].label'",
        formatter_class=_RAW,
    )
    parser.set_defaults(command="predict")
    _add_model_and_pictures(parser)
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write all probabilities here; - is standard output",
    )
    parser.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="the same as a table; - is standard output. The column of a class has its name; that "
        "of a class called like another column is 'probability of NAME'",
    )
    parser.add_argument(
        "--draw",
        type=Path,
        metavar="DIR",
        help="write the pictures into this folder, with boxes and expressions; rows of --json and "
        "--csv tell the name of each as 'drawn'",
    )
    _add_trusted(parser)
    _add_device(parser)
    _add_jobs(parser)


def _add_embed(commands: Any) -> None:
    parser = commands.add_parser(
        "embed",
        help="write the embedding of pictures",
        description=EMBED,
        usage="skfer embed [MODEL] PICTURE ... -o FILE [OPTION ...]",
        epilog="example:\n  skfer embed smile.skfer images/ -o embedding.npz",
        formatter_class=_RAW,
    )
    parser.set_defaults(command="embed")
    _add_model_and_pictures(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="what to write: .npz (arrays embedding and filenames), .csv, or .parquet (needs "
        "pyarrow)",
    )
    _add_trusted(parser)
    _add_device(parser)
    _add_jobs(parser)


def _add_report(commands: Any) -> None:
    parser = commands.add_parser(
        "report",
        help="show a model on labeled faces, as a page",
        description=REPORT,
        usage="skfer report MODEL [OPTION ...] [-o PAGE] [--json FILE]",
        epilog="example:\n  skfer report smile.skfer --labels test.csv --root images/ "
        "\\\n    --label-column emotion -o report.html",
        formatter_class=_RAW,
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a file of skfer train")
    parser.add_argument("-o", "--output", type=Path, metavar="PAGE", help="the page to write")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write the scores here, with the recall of each class; - is standard output. Then the "
        "page may be left out",
    )
    add_data(parser.add_argument_group("data"), shape=False)
    add_variants(parser.add_argument_group("variants of published sets"))
    _add_trusted(parser)
    _add_device(parser)
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="chooses images (0)")
    _add_jobs(parser)
    parser.set_defaults(command="report")


def _add_export(commands: Any) -> None:
    parser = commands.add_parser(
        "export",
        help="write a model for other runtimes",
        description="Write a model as an ONNX graph, from pictures (uint8) to embedding, label and "
        "posterior: all that happens to a face is in it.",
        usage="skfer export [MODEL] --onnx FILE",
    )
    _add_model(parser)
    parser.add_argument("--onnx", type=Path, required=True, metavar="FILE", help="what to write")
    _add_trusted(parser)
    parser.set_defaults(command="export")


def _add_model(parser: Any) -> None:
    parser.add_argument(
        "model",
        type=Path,
        nargs="?",
        metavar="MODEL",
        help="a file of skfer train (the model that comes with skfer)",
    )


def _add_model_and_pictures(parser: Any) -> None:
    parser.add_argument(
        "places",
        type=Path,
        nargs="+",
        metavar="[MODEL] PICTURE",
        help="a file of skfer train, or none; then pictures, or folders of them",
    )
    add_detect(parser)


def _add_trusted(parser: Any) -> None:
    parser.add_argument(
        "--trusted",
        type=names,
        action="extend",
        default=[],
        metavar="NAMES",
        help="classes and functions of your own that MODEL needs, as in package.module.Name, with "
        "commas between them; they are imported, and so must be installed or in a folder of "
        "PYTHONPATH",
    )


def _add_device(group: Any) -> None:
    group.add_argument(
        "--device",
        metavar="NAME",
        help="where to compute: cpu, cuda, cuda:1, mps (a GPU if there is one)",
    )


def _add_jobs(group: Any) -> None:
    jobs, what = usual_jobs(), "threads that read pictures"
    group.add_argument(
        "--n-jobs", type=positive, default=jobs, metavar="N", help=f"{what} ({jobs})"
    )
    group.add_argument("--quiet", action="store_true", help="no progress bar")
