"""`skfer report`."""

import argparse
import sys
from typing import Any

from sklearn.utils import Bunch

from skfer._version import __version__
from skfer.cli._faces import (
    finds_faces,
    load_faces,
    parts_of,
    tell_unlabeled,
    without_duplicates,
)
from skfer.cli._output import (
    all_tried,
    check_apart,
    check_writable,
    is_stdout,
    say,
    warn,
    write_json,
)
from skfer.cli._pictures import load_model, picture_shape
from skfer.cli._record import data_record
from skfer.cli._scores import can_be_scored, in_words, scores_of
from skfer.evaluation import prepare
from skfer.exceptions import ArgumentError
from skfer.inspection import report
from skfer.persistence._parts import without_aligners


def run(arguments: argparse.Namespace) -> int:
    """Show a model on the wanted faces, as a page, and as numbers."""
    _check_places(arguments)
    model = load_model(arguments.model, arguments.trusted, arguments.device)
    _read_as_trained(model, arguments)
    if arguments.json is not None and not can_be_scored(model):
        raise ArgumentError("{json}: {model} predicts no classes: leave it out.")
    name, loaded = load_faces(arguments)
    # A published part is scored as it is, as by `skfer evaluate`.
    usual = "drop" if arguments.subset is None else "keep"
    kept, _ = without_duplicates(loaded, arguments.duplicates or usual)
    faces = prepare(kept, max_per_class=arguments.max_per_class, random_state=arguments.seed)
    tell_unlabeled(faces, len(kept.target))
    parts = parts_of(faces)
    if len(parts) > 1 and "train" in parts:
        warn(
            f"faces of all parts are reported on ({', '.join(parts)}), of which the model may have "
            f"learned: --subset {' '.join(part for part in parts if part != 'train')} takes others."
        )
    _tell(without_aligners(model), name, faces, arguments)
    return 0


def _check_places(arguments: argparse.Namespace) -> None:
    """Raise ValueError if nothing is to be written, or cannot be."""
    if arguments.output is None and arguments.json is None:
        raise ValueError("give -o PAGE, the page to write, or --json FILE for its numbers.")
    read = (arguments.model, arguments.labels, arguments.root)
    check_writable(arguments.output, "--output", or_stdout=False, inputs=read)
    check_writable(arguments.json, inputs=read)
    check_apart(arguments.output, arguments.json, ("--output", "--json"))


def _tell(model: Any, dataset: str, faces: Bunch, arguments: argparse.Namespace) -> None:
    """Write the numbers and the page, and say the numbers that are few."""
    # Numbers on standard output are for a program: words would be in its way.
    out = sys.stderr if is_stdout(arguments.json) else sys.stdout
    found = scores_of(model, faces) if can_be_scored(model) else None
    data = {"dataset": dataset, **data_record(faces)}
    record = {"skfer": __version__, "model": str(arguments.model), "data": data, **(found or {})}
    n_faces, place = f"{len(faces.target):,} faces", arguments.output
    all_tried(
        lambda: None if arguments.json is None else write_json(arguments.json, record),
        lambda: say(n_faces if place is None else f"{n_faces}: {report(model, faces, place)}", out),
        lambda: None if found is None else say(in_words(found["scores"]), out),
    )


def _read_as_trained(model: Any, arguments: argparse.Namespace) -> None:
    """Set the options of pictures to what the model was trained with."""
    height, width, *channels = picture_shape(model)
    if height != width:
        raise ArgumentError("{model} was trained on pictures that are not square.")
    arguments.image_size, arguments.color = height, True if channels == [3] else None
    if arguments.detector is None and finds_faces(arguments):
        preprocessing = getattr(model, "card_", {}).get("preprocessing") or {}
        arguments.detector = preprocessing.get("faces_found_by")
