"""The data sets, each in a small copy, and the drawn faces."""

import numpy as np

from helpers import trees
from helpers.copies import COPIES
from helpers.odd import Call, Made
from skfer.datasets import (
    DATASETS,
    check_dataset,
    decode_images,
    draw_portraits,
    load_image_table,
    make_expressions,
)

SHARED = {
    "image_size": 16,
    "color": False,
    "classes": None,
    "cache_dir": None,
    "n_jobs": 1,
    "on_error": "raise",
    "return_X_y": False,
    "as_frame": False,
    "verbose": 0,
}
# Where a parameter beyond the shared ones has no default, or one that a small copy does not fit.
OWN = {"align": False}
TOLD = {
    "align": "in a known layout",
    "group_pattern": "no group found in its name",
    "groups": "invalid literal for int()",  # of the function int, as are:
    "detector": "converted to Python scalars",
}


def copy_of(name):
    """Return what makes a small copy of a set, once a folder."""

    def make(folder):
        root = folder / name
        if not root.exists():
            COPIES[name][0](root)
        return root

    return Made(make)


def loader_call(name):
    loader = DATASETS[name].loader
    own = Call(loader).parameters() - set(SHARED) - {"root"}
    defaults = loader.__kwdefaults__ or {}
    own_arguments = {n: OWN.get(n, defaults[n]) for n in own}
    return Call(loader, also=TOLD, root=copy_of(name), **SHARED, **own_arguments)


def table_of(folder):
    path = folder / "table.csv"
    if not path.exists():
        trees.folder(folder / "pictures", ["a.png", "b.png"])
        rows = [("a.png", "joy", "p", "train", "m"), ("b.png", "rage", "q", "test", "f")]
        trees.table(path, ("file", "emotion", "person", "part", "sex"), rows)
    return path


CALLS = {
    **{DATASETS[name].loader.__name__: loader_call(name) for name in COPIES},
    "load_image_table": Call(
        load_image_table,
        also={**TOLD, "csv": "cannot be read", "root": "no such file"},
        csv=Made(table_of),
        root=Made(lambda folder: folder / "pictures"),
        file_column="file",
        label_column="emotion",
        group_column="person",
        split_column="part",
        subgroup_column="sex",
        extra_columns=("sex",),
        detector=None,
        class_names=None,
        subset=None,
        **SHARED,
    ),
    "check_dataset": Call(
        check_dataset, name="jaffe", root=copy_of("jaffe"), decode=False, n_jobs=1, verbose=0
    ),
    "decode_images": Call(
        decode_images,
        also={"pictures": "no such file"},
        pictures=Made(lambda folder: sorted(copy_of("jaffe")(folder).iterdir())),
        image_size=16,
        color=False,
        n_jobs=1,
        on_error="raise",
        verbose=0,
    ),
    "draw_portraits": Call(
        draw_portraits,
        n_persons=1,
        n_samples_per_expression=1,
        image_size=16,
        wild=0.5,
        lowest=0.2,
        random_state=0,
    ),
    "make_expressions": Call(
        make_expressions,
        n_subjects=2,
        n_samples_per_expression=1,
        image_size=16,
        color=False,
        classes=["happiness", "neutral"],
        proportions={"neutral": 0.5},
        intensity_range=(0.5, 1.0),
        nuisance=0.5,
        random_state=np.random.RandomState(0),
        return_parts=False,
        return_X_y=False,
        as_frame=False,
    ),
}
# Rows of results, errors and constants.
ELSEWHERE = {"Dataset", "DatasetError", "DatasetReport", "DatasetWarning"}
