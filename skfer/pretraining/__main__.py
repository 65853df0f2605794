"""Make the weights that come with the package: draw faces, learn, write files and their cards."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from skfer.datasets import EXPRESSIONS, DatasetError, load_image_table
from skfer.exceptions import ArgumentError
from skfer.pretraining import Recipe, make_ready, make_start
from skfer.validation import shown

_REAL_HELP = """\
also make the ready classifier, with real faces beside the drawn ones: a folder with labels.csv
(file, expression, person), images/ and a README.md that says where they come from; of the eight
expressions those with at least 100 faces are taught"""
_ENOUGH = 100
"""Real faces that a class needs to be taught and scored."""


def main() -> int:
    """Make a start from the command line."""
    parser = argparse.ArgumentParser(prog="python -m skfer.pretraining", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the weights and their cards")
    parser.add_argument("--device", default="cpu", help="device of torch (default: %(default)s)")
    parser.add_argument("--name", default="face_start", help="of the files (default: %(default)s)")
    parser.add_argument("--n-jobs", type=int, help="processes that draw (default: one)")
    parser.add_argument("--real", type=Path, help=_REAL_HELP)
    for field in fields(Recipe):
        option = "--" + field.name.replace("_", "-")
        parser.add_argument(option, type=type(field.default), default=field.default)
    given = vars(parser.parse_args())
    out, device, real = given.pop("out"), given.pop("device"), given.pop("real")
    name, n_jobs = given.pop("name"), given.pop("n_jobs")
    try:
        recipe = Recipe(**given)
        # First, since a fault in them would be told hours later.
        faces = None if real is None else _load(real, recipe.image_size)
        start = make_start(out, recipe, name=name, device=device, n_jobs=n_jobs, verbose=True)
    except (ArgumentError, DatasetError, FileNotFoundError) as error:
        parser.error(str(error))
    print(start)
    if faces is not None:
        print(make_ready(start, recipe, faces, verbose=True))
    return 0


def _load(folder: Path, image_size: int) -> Any:
    """Load the real faces of the frequent classes."""
    faces = load_image_table(
        folder / "labels.csv",
        folder / "images",
        label_column="expression",
        group_column="person",
        image_size=image_size,
    )
    frequent = np.bincount(faces.target)[faces.target] >= _ENOUGH
    for name in ("images", "target", "groups"):
        faces[name] = np.asarray(faces[name])[frequent]
    _check_real(folder, faces)
    faces.DESCR = (folder / "README.md").read_text(encoding="utf-8")
    return faces


def _check_real(folder: Path, faces: Any) -> None:
    unknown = sorted(set(map(str, faces.target_names)) - set(EXPRESSIONS))
    if unknown:
        raise ArgumentError(
            "{real}: {} has the labels {}, which are none of {}: name them so, or leave them out.",
            folder,
            shown(unknown),
            ", ".join(EXPRESSIONS),
        )
    n_classes, n_persons = (len(np.unique(faces[name])) for name in ("target", "groups"))
    if n_classes < 2 or n_persons < 2:
        raise ArgumentError(
            "{real}: {} has {} classes of at least {} faces, of {} persons: two classes and two "
            "persons are the least to learn from.",
            folder,
            n_classes,
            _ENOUGH,
            n_persons,
        )


if __name__ == "__main__":
    sys.exit(main())
