"""Odd values for every parameter of every public callable: a sound result, or a plain error.

A plain error is a ValueError (or TypeError) that names the parameter and is short enough to read.
A room enters its callables in `CALLS`, with arguments that work.
"""

import importlib
import inspect
import warnings

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.utils import Bunch

from skfer.metrics import (
    EmbeddingScorer,
    clustering_nmi,
    expected_calibration_error,
    make_embedding_scorer,
    mean_average_precision_at_r,
    precision_at_k,
    recall_at_k,
)
from skfer.model_selection import (
    OfficialSplit,
    SemiSupervisedSplit,
    SubjectKFold,
    check_leakage,
    number_identical_images,
    resolve_duplicates,
)

# Rooms all of whose public callables are in the table.
ROOMS = ("metrics", "model_selection")

ODD = {
    "None": None,
    "True": True,
    "-1": -1,
    "0": 0,
    "1.5": 1.5,
    "1e30": 1e30,
    "10**30": 10**30,
    "nan": float("nan"),
    "inf": float("inf"),
    "1j": 1j,
    "word": "no such thing",
    "escape": "\x1b[31m" + "x" * 10_000,
    "bytes": b"\xff\xd8" * 10_000,
    "empty": [],
    "list": [3, "a", None],
    "ragged": [[1], [2, 3]],
    "dict": {"a": 1},
    "object": object(),
    "type": int,
    "nan array": np.full((4, 2), np.nan),
    "words array": np.full((4, 2), "face"),
    "cube": np.zeros((4, 2, 2)),
    "scalar array": np.array(3),
    "generator": (i for i in range(3)),
}
LONGEST = 700

Z = np.array([[0.0, 1.0], [2.0, 1.0], [0.5, 0.0], [2.0, 0.5]])
Y = [0, 1, 0, 1]
GROUPS = ["a", "b", "c", "d"]
REFERENCE = {
    "reference_embeddings": Z + 0.1,
    "reference_labels": Y,
    "reference_groups": ["e", "f", "g", "h"],
}
RETRIEVAL = {"embeddings": Z, "labels": Y, "groups": GROUPS, **REFERENCE}
RETRIEVAL |= {"chunk_size": 2, "verbose": 0}
FACES = Bunch(groups=np.array(GROUPS), target=np.array(Y), images=np.arange(8).reshape(4, 2))
PARTS = ["train", "test", "train", "validation"]


def folds_of(splitter):
    """Make a splitter and split by it: its parameters and those of split, all at once."""

    def split(**arguments):
        own = set(inspect.signature(splitter).parameters)
        cv = splitter(**{name: value for name, value in arguments.items() if name in own})
        rest = {name: value for name, value in arguments.items() if name not in own}
        return list(cv.split(**rest))

    return split


def score(**arguments):
    scorer = EmbeddingScorer(**arguments)
    return scorer(PCA(1).fit(Z), Z, Y)


# What is called, what has the signature, and arguments that work.
CALLS = {
    "clustering_nmi": (
        clustering_nmi,
        [clustering_nmi],
        {"embeddings": Z, "labels": Y, "n_clusters": 2, "n_init": 1, "random_state": 0},
    ),
    "expected_calibration_error": (
        expected_calibration_error,
        [expected_calibration_error],
        {"y_true": Y, "y_proba": np.eye(2)[Y], "labels": [0, 1], "n_bins": 3},
    ),
    "recall_at_k": (recall_at_k, [recall_at_k], RETRIEVAL | {"k": 2}),
    "precision_at_k": (precision_at_k, [precision_at_k], RETRIEVAL | {"k": [1, 2]}),
    "mean_average_precision_at_r": (
        mean_average_precision_at_r,
        [mean_average_precision_at_r],
        RETRIEVAL,
    ),
    "make_embedding_scorer": (
        lambda metric, **_: make_embedding_scorer(metric)(PCA(1).fit(Z), Z, Y),
        [make_embedding_scorer],
        {"metric": recall_at_k},
    ),
    "EmbeddingScorer": (
        score,
        [EmbeddingScorer],
        {"metric": recall_at_k, "params": {"k": 2}},
    ),
    "SubjectKFold": (
        folds_of(SubjectKFold),
        [SubjectKFold, SubjectKFold.split],
        {"n_splits": 2, "X": Z, "y": Y, "groups": GROUPS},
    ),
    "OfficialSplit": (
        folds_of(OfficialSplit),
        [OfficialSplit, OfficialSplit.split],
        {"parts": PARTS, "train": "train", "test": "test", "X": Z, "y": Y, "groups": GROUPS},
    ),
    "SemiSupervisedSplit": (
        folds_of(SemiSupervisedSplit),
        [SemiSupervisedSplit, SemiSupervisedSplit.split],
        {"cv": 2, "drop_test_groups": True, "X": Z, "y": Y, "groups": GROUPS},
    ),
    "check_leakage": (check_leakage, [check_leakage], {"bunch": FACES, "cv": 2}),
    "number_identical_images": (
        number_identical_images,
        [number_identical_images],
        {"images": FACES.images},
    ),
    "resolve_duplicates": (
        resolve_duplicates,
        [resolve_duplicates],
        {"bunch": FACES, "duplicates": "drop"},
    ),
}
PARAMETERS = [(name, parameter) for name, (_, _, good) in CALLS.items() for parameter in good]


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_callable_is_in_the_table(room):
    public = importlib.import_module(f"skfer.{room}").__all__
    assert {name for name in public if name[0] != "_"} <= set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_every_parameter_is_in_the_table(name):
    call, signatures, good = CALLS[name]
    known = {
        parameter.name
        for signature in signatures
        for parameter in inspect.signature(signature).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    assert set(good) == known - {"self"}
    call(**good)


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
@pytest.mark.parametrize("odd", ODD)
def test_odd_values_are_used_soundly_or_told_by_name(name, parameter, odd):
    call, _, good = CALLS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = call(**good | {parameter: ODD[odd]})
        except (ValueError, TypeError) as error:
            message = str(error)
            assert parameter in message, message
            assert len(message) < LONGEST
            assert "\x1b" not in message
        else:
            if isinstance(result, float):
                assert np.isfinite(result)
