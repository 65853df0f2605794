"""`skfer train`."""

import argparse
import os
import shlex
import time
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import Bunch

from skfer.cli._faces import (
    OWN_SETS,
    count_of,
    load_faces,
    parts_of,
    with_unlabeled,
    without_duplicates,
)
from skfer.cli._output import (
    bars_wanted,
    check_folder,
    check_writable,
    counted,
    say,
    say_if_heard,
    warn,
)
from skfer.cli._pictures import largest_of, make_detector
from skfer.cli._record import data_record
from skfer.datasets import UNLABELED
from skfer.evaluation import make_methods, prepare, with_classifier
from skfer.evaluation._unlabeled import takes_unlabeled
from skfer.exceptions import ArgumentError
from skfer.persistence import save
from skfer.preprocessing import FaceAligner
from skfer.training import TrainingBar

_LOOKED_AT = 200  # pictures


def run(arguments: argparse.Namespace) -> int:
    """Train a model on the wanted data and keep it."""
    read = (arguments.labels, arguments.root)
    check_writable(arguments.output, "--output", or_stdout=False, inputs=read)
    check_folder(arguments.checkpoint, "--checkpoint")
    embedder = wanted_embedder(arguments)
    name, loaded = load_faces(arguments)
    kept, _ = without_duplicates(loaded, arguments.duplicates or "drop")
    faces = prepare(
        kept,
        max_per_class=arguments.max_per_class,
        keep_unlabeled=bool(arguments.use_unlabeled),
        random_state=arguments.seed,
    )
    with_unlabeled(faces, len(kept.target), arguments.use_unlabeled)
    parts = parts_of(faces)
    if len(parts) > 1 and arguments.subset is None:
        warn(f"all parts are learned from ({', '.join(parts)}): --subset train keeps others back.")
    say_if_heard(_headline(faces, arguments.embedder))
    start = time.perf_counter()
    model = with_classifier(embedder, arguments.classifier, unlabeled=bool(arguments.use_unlabeled))
    model.fit(faces.images, words_of(faces))
    embedder = model if model is embedder else model[0]
    embedder.set_params(callbacks=None)
    model = with_aligner(model, arguments)
    seconds = time.perf_counter() - start
    # Before a word is said, since whoever reads the words may be gone.
    save(model, arguments.output, card=make_card(name, faces, loaded, arguments))
    first, last = embedder.history_[0]["train_loss"], embedder.history_[-1]["train_loss"]
    epochs = counted(embedder.n_iter_, "epoch")
    say(f"trained in {seconds:.1f} s, {epochs}; loss {first:.3f} -> {last:.3f}")
    if arguments.label_noise == "auto" and embedder.wrong_label_share_ is not None:
        say(f"of the labels {embedder.wrong_label_share_:.0%} seem to be wrong")
    size = arguments.output.stat().st_size / 2**20
    say(f"\nModel: {arguments.output} ({size:.1f} MiB)")
    say(f"Try it: skfer predict {shlex.quote(str(arguments.output))} PICTURE ...")
    return 0


def words_of(faces: Bunch) -> Any:
    """Return the label of each face as a word, None where it has none."""
    words = np.asarray(faces.target_names)[faces.target]
    unlabeled = faces.target == UNLABELED
    return np.where(unlabeled, None, words) if unlabeled.any() else words


def with_aligner(model: Any, arguments: argparse.Namespace) -> Any:
    """Return the model after what cuts faces out of photographs, if its faces were cut out."""
    if not arguments.detector:
        return model
    aligner = FaceAligner(
        detector=make_detector(arguments.detector),
        image_size=arguments.image_size,
        color=bool(arguments.color),
    )
    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    return make_pipeline(aligner, *steps)


def wanted_embedder(arguments: argparse.Namespace) -> Any:
    """Return the embedder to train."""
    given = {
        "max_epochs": arguments.epochs,
        "device": arguments.device,
        "backbone": arguments.start,
        "label_noise": arguments.label_noise,
        "checkpoint": arguments.checkpoint,
    }
    (embedder,) = make_methods(
        [arguments.embedder],
        random_state=arguments.seed,
        **{name: value for name, value in given.items() if value is not None},
    ).values()
    if arguments.use_unlabeled and not takes_unlabeled(embedder):
        raise ArgumentError(
            "{use_unlabeled} belongs to {embedder=gaussian}, and not to {}: leave one out.",
            arguments.embedder,
        )
    if bars_wanted(arguments.quiet):
        embedder.set_params(callbacks=[TrainingBar(leave=False)])
    return embedder


def make_card(
    name: str, faces: Bunch, loaded: Bunch, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Return what the model cannot know of itself: its data, and how pictures were read."""
    known = data_record(faces)
    return {
        "data": {
            **_names_of(name, arguments),
            **{part: known[part] for part in ("images", "classes", "groups", "groups_are")},
            "parts": ", ".join(parts_of(faces)),
            "without_a_label": int((faces.target == UNLABELED).sum()),
            "terms": terms_of(loaded),
        },
        "preprocessing": {
            "image_size": arguments.image_size,
            "color": bool(arguments.color),
            "align": arguments.align,
            "faces_found_by": arguments.detector or None,
            "pictures_up_to": _largest_picture(loaded),
        },
    }


def _names_of(dataset: str, arguments: argparse.Namespace) -> dict[str, str | None]:
    """Return what a data set is called; of the caller's own, what the table or folder is called."""
    if dataset == "synthetic":
        return {"name": "drawn faces of skfer"}
    if dataset not in OWN_SETS:
        return {"name": dataset}
    place = arguments.labels if dataset == "table" else arguments.root
    # Where it lies on this machine is nobody's business.
    return {"name": None, dataset: os.path.basename(os.path.abspath(place)) or None}


def _largest_picture(faces: Bunch) -> dict[str, float] | None:
    """Return how long and large the pictures are; of many some are looked at."""
    names = faces.get("filenames")
    if names is None or faces.get("root") is None:
        return None
    step = -(-len(names) // _LOOKED_AT)
    return largest_of([os.path.join(faces.root, name) for name in names[::step]])


def terms_of(faces: Bunch) -> str | None:
    """Return what the description of a data set says of the terms of its use."""
    _, found, rest = str(faces.get("DESCR", "")).partition("Terms: ")
    return rest.partition("\n")[0] if found else None


def _headline(faces: Bunch, embedder: str) -> str:
    groups = ""
    if faces.groups is not None:
        groups = f", {len(np.unique(faces.groups)):,} {faces.group_kind}"
    return f"{count_of(faces)}{groups}; {embedder}"
