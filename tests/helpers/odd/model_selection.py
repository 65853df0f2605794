"""The splitters, and what looks for leaks."""

import inspect

import numpy as np
from sklearn.utils import Bunch

from helpers.odd import Call
from skfer.model_selection import (
    OfficialSplit,
    SemiSupervisedSplit,
    SubjectKFold,
    check_leakage,
    number_identical_images,
    resolve_duplicates,
)

SAMPLES = {"X": np.eye(4), "y": [0, 1, 0, 1], "groups": ["a", "b", "c", "d"]}
FACES = Bunch(
    groups=np.array(SAMPLES["groups"]),
    target=np.array(SAMPLES["y"]),
    images=np.arange(8).reshape(4, 2),
)
PARTS = ["train", "test", "train", "validation"]


def folds_of(splitter, **valid):
    """Return a call that makes a splitter and splits by it: the parameters of both at once."""

    def split(**arguments):
        own = set(inspect.signature(splitter).parameters)
        cv = splitter(**{name: value for name, value in arguments.items() if name in own})
        rest = {name: value for name, value in arguments.items() if name not in own}
        return list(cv.split(**rest))

    return Call(split, splitter, splitter.split, **valid, **SAMPLES)


CALLS = {
    "SubjectKFold": folds_of(SubjectKFold, n_splits=2),
    "OfficialSplit": folds_of(OfficialSplit, parts=PARTS, train="train", test="test"),
    "SemiSupervisedSplit": folds_of(SemiSupervisedSplit, cv=2, drop_test_groups=True),
    "check_leakage": Call(check_leakage, bunch=FACES, cv=2),
    "number_identical_images": Call(number_identical_images, images=FACES.images),
    "resolve_duplicates": Call(resolve_duplicates, bunch=FACES, duplicates="drop"),
}
# Needs dask.
ELSEWHERE = {"share_memmaps"}
