"""Calls of the command line, and what comes of them."""

import csv
import json

import numpy as np

from skfer.cli import main
from skfer.cli.exit_codes import FAILED
from skfer.cli.options import make_parser

SHORT = ["--epochs", "1", "--max-per-class", "6", "--n-jobs", "1", "--quiet"]
QUICK = [*SHORT, "--folds", "2"]
TRAINED = ["--epochs", "2", "--image-size", "16", "--max-per-class", "6", "--quiet"]
SMALL = [*QUICK, "--image-size", "16", "--embedders", "pca,cross-entropy"]
PCA = [*QUICK[2:], "--embedders", "pca"]  # which has no epochs


def parsed(*words):
    """Return the options of a quiet call of `skfer evaluate`."""
    return make_parser().parse_args(["evaluate", "--quiet", "--image-size", "16", *words])


def refused(capsys, *words):
    """Return what `skfer evaluate` says when it refuses a call."""
    assert main(["evaluate", "--quiet", "--n-jobs", "1", *words]) == FAILED
    return capsys.readouterr().err


def table_call(root, *more):
    """Return a call on the faces of the fixture `faces_on_disk`, as their table names them."""
    columns = ["--file-column", "path", "--label-column", "emotion", "--group-column", "person"]
    return ["evaluate", "--labels", str(root / "labels.csv"), "--image-size", "24", *columns, *more]


def accuracies_in(path):
    """Return method, fold and accuracy of each fit in a file of numbers."""
    return [(f["method"], f["fold"], f["accuracy"]) for f in json.loads(path.read_text())["folds"]]


def pictures_in(folder):
    """Return the pictures of a folder as `skfer embed` names them."""
    return [str(path) for path in sorted(folder.rglob("*.png"))]


def embedded(path):
    """Return the names and rows that `skfer embed` wrote."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return arrays["filenames"].tolist(), arrays["embedding"]
    rows = list(csv.reader(path.read_text().splitlines()))
    return [row[0] for row in rows[1:]], np.array([row[1:] for row in rows[1:]], dtype=np.float32)
