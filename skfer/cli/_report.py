"""`skfer report`."""

import argparse
from typing import Any

from skfer.cli._faces import (
    finds_faces,
    load_faces,
    parts_of,
    tell_unlabeled,
    without_duplicates,
)
from skfer.cli._output import check_writable, say, warn
from skfer.cli._pictures import load_model, picture_shape
from skfer.evaluation import prepare
from skfer.exceptions import ArgumentError
from skfer.inspection import report
from skfer.persistence._parts import without_aligners


def run(arguments: argparse.Namespace) -> int:
    """Show a model on the wanted faces, as a page."""
    read = (arguments.model, arguments.labels, arguments.root)
    check_writable(arguments.output, "--output", or_stdout=False, inputs=read)
    model = load_model(arguments.model, arguments.trusted, arguments.device)
    _read_as_trained(model, arguments)
    _, loaded = load_faces(arguments)
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
    page = report(without_aligners(model), faces, arguments.output)
    say(f"{len(faces.target):,} faces: {page}")
    return 0


def _read_as_trained(model: Any, arguments: argparse.Namespace) -> None:
    """Set the options of pictures to what the model was trained with."""
    height, width, *channels = picture_shape(model)
    if height != width:
        raise ArgumentError("{model} was trained on pictures that are not square.")
    arguments.image_size, arguments.color = height, True if channels == [3] else None
    if arguments.detector is None and finds_faces(arguments):
        preprocessing = getattr(model, "card_", {}).get("preprocessing") or {}
        arguments.detector = preprocessing.get("faces_found_by")
