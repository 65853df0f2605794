"""Folds that share a subject, a sequence or an image are refused, others are not."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit
from sklearn.utils import Bunch

from skfer.exceptions import ArgumentError
from skfer.model_selection import (
    SemiSupervisedSplit,
    SubjectKFold,
    check_leakage,
    number_identical_images,
    resolve_duplicates,
)

PROPERTY = settings(deadline=None, max_examples=60)


def make_faces():
    rng = np.random.default_rng(0)
    subjects = np.arange(24) % 6
    return Bunch(
        images=rng.integers(0, 256, size=(24, 5, 4), dtype=np.uint8),
        target=rng.permutation(np.arange(24) % 3),
        groups=np.array([f"S{subject:03}" for subject in subjects]),
        sequence=np.array([f"S{subject:03}/{n // 12}" for n, subject in enumerate(subjects)]),
    )


def one_fold(n, test):
    test = np.asarray(test)
    return [(np.setdiff1d(np.arange(n), test), test)]


def test_clean_folds_are_returned():
    faces = make_faces()
    folds = check_leakage(faces, SubjectKFold(3))
    expected = list(SubjectKFold(3).split(faces.images, groups=faces.groups))
    for (train, test), (plain_train, plain_test) in zip(folds, expected, strict=True):
        assert_array_equal(train, plain_train)
        assert_array_equal(test, plain_test)
    assert len(check_leakage(faces, folds)) == 3


@pytest.mark.parametrize("cv", [3, KFold(3), ShuffleSplit(3, random_state=0)])
def test_splitters_that_ignore_subjects_are_refused(cv):
    with pytest.raises(ValueError, match=r"fold 2: \d subjects?, such as 'S00"):
        check_leakage(make_faces(), cv)


@PROPERTY
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_refuses_exactly_the_folds_that_share(seed, data):
    rng = np.random.default_rng(seed)
    n = data.draw(st.integers(4, 20))
    faces = Bunch(
        images=rng.integers(0, 2, size=(n, 2, data.draw(st.integers(1, 4))), dtype=np.uint8),
        groups=rng.integers(data.draw(st.integers(2, 20)), size=n),
        sequence=rng.integers(data.draw(st.integers(2, 20)), size=n),
    )
    missing = data.draw(st.sets(st.sampled_from(["images", "groups", "sequence"]), max_size=2))
    for name in missing:
        faces[name] = None
    ((train, test),) = folds = one_fold(n, rng.permutation(n)[: n // 2])
    pairs = [(i, j) for i in train for j in test]
    leaks = {
        "subject": [
            faces.groups is not None and faces.groups[i] == faces.groups[j] for i, j in pairs
        ],
        "sequence": [
            faces.sequence is not None and faces.sequence[i] == faces.sequence[j] for i, j in pairs
        ],
        "identical image": [
            faces.images is not None and np.array_equal(faces.images[i], faces.images[j])
            for i, j in pairs
        ],
    }
    if not any(map(any, leaks.values())):
        check_leakage(faces, folds)
        return
    with pytest.raises(ValueError, match="cv leaks") as error:
        check_leakage(faces, folds)
    for kind, found in leaks.items():
        assert (f" {kind}" in str(error.value)) == any(found)


def test_the_message_says_which():
    faces = make_faces()
    faces.filenames = [f"{row}.png" for row in range(24)]
    faces.groups = np.arange(24)
    faces.sequence = None
    faces.images[20] = faces.images[3]
    message = (
        r"^cv leaks between training and test set:\n"
        r"fold 0: 1 identical image, such as "
        r"\(sample 3 in train: 3\.png, sample 20 in test: 20\.png\)\nSplit by groups"
    )
    with pytest.raises(ValueError, match=message):
        check_leakage(faces, one_fold(24, [19, 20]))


def test_copies_without_groups_get_groups_suggested():
    faces = make_faces()
    faces.images[20] = faces.images[3]
    faces.groups = faces.sequence = None
    with pytest.raises(ValueError, match="1 identical image") as info:
        check_leakage(faces, one_fold(24, [19, 20]))
    assert "groups=number_identical_images(bunch.images)" in info.value.__notes__[0]
    faces.groups = number_identical_images(faces.images)
    assert len(check_leakage(faces, GroupKFold(3))) == 3


@pytest.mark.parametrize(
    ("kind", "one", "several"),
    [
        ("subjects", "1 subject,", "2 subjects,"),
        ("films", "1 film,", "2 films,"),
        ("different images", "1 group of identical images,", "2 groups of identical images,"),
        ("houses", "1 group,", "2 groups,"),
        (None, "1 subject,", "2 subjects,"),
    ],
)
def test_groups_are_called_what_they_are(kind, one, several):
    faces = Bunch(groups=np.array([1, 1, 2, 2]), group_kind=kind)
    with pytest.raises(ValueError, match=f"fold 0: {one}"):
        check_leakage(faces, one_fold(4, [0, 2, 3]))
    with pytest.raises(ValueError, match=f"fold 0: {several}"):
        check_leakage(faces, one_fold(4, [0, 2]))


def test_groups_are_suggested_for_copies_alone():
    images = np.zeros((4, 2, 2), np.uint8)
    for columns in ({"groups": [1, 2, 3, 4]}, {"sequence": [5, 6, 5, 8]}):
        with pytest.raises(ArgumentError) as told:
            check_leakage(Bunch(images=images, **columns), one_fold(4, [0]))
        assert not hasattr(told.value, "__notes__")


def test_folds_by_masks():
    faces = make_faces()
    masks = [
        (~test, test) for test in (faces.groups == subject for subject in np.unique(faces.groups))
    ]
    for (train, test), (in_train, in_test) in zip(check_leakage(faces, masks), masks, strict=True):
        assert_array_equal(train, np.flatnonzero(in_train))
        assert_array_equal(test, np.flatnonzero(in_test))
    leaking = np.arange(24) < 3
    with pytest.raises(ValueError, match="fold 0: 3 subjects"):
        check_leakage(faces, [(~leaking, leaking)])


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([0, 1], [], "cv has an empty test set in fold 0"),
        ([], [0, 1], "cv has an empty training set in fold 0"),
        (np.ones(24, bool), np.zeros(24, bool), "cv has an empty test set in fold 0"),
        (
            [0, 1],
            np.ones(3, bool),
            r"cv has a test mask of shape \(3,\) in fold 0, but there are 24",
        ),
        ([0, 1], [99], "cv must give the test set of fold 0 as indices below 24"),
        ([0, 1], [24], "cv must give the test set of fold 0 as indices below 24"),
        ([0, -1], [3], "cv must give the training set of fold 0 as indices below 24"),
        ([0, 1], [2.5], "as indices below 24 or a mask"),
        ([0, 1], ["a"], "as indices below 24 or a mask"),
    ],
)
def test_folds_that_are_none(train, test, message):
    with pytest.raises(ValueError, match=message):
        check_leakage(make_faces(), [(train, test)])


def test_frames_of_one_sequence_are_found_without_subjects():
    faces = Bunch(sequence=np.array(["a", "a", "b", "b"]))
    with pytest.raises(ValueError, match="fold 0: 1 sequence, such as 'a'"):
        check_leakage(faces, one_fold(4, [0, 2, 3]))
    check_leakage(faces, one_fold(4, [2, 3]))


def test_one_sample_on_both_sides():
    faces = Bunch(groups=np.array([None, None], dtype=object))
    with pytest.raises(ValueError, match="fold 0: 1 sample, such as"):
        check_leakage(faces, [(np.array([0, 1]), np.array([1]))])


@pytest.mark.parametrize(
    "groups",
    [
        ["", "", "a", "b"],
        [np.nan, np.nan, 1.0, 2.0],
        np.array([None, None, "a", "b"], dtype=object),
        pd.Series(["a", "a", "b", "c"], dtype="string").where([False, False, True, True]),
        ["nan", "nan", "a", "b"],
        ["NA", "NA", "a", "b"],
    ],
)
def test_missing_values_are_not_compared(groups):
    faces = Bunch(groups=groups)
    check_leakage(faces, one_fold(4, [0, 2]))


def test_many_leaks_are_cut_short():
    faces = Bunch(groups=np.zeros(30, dtype=int))
    with pytest.raises(ValueError, match="and 20 more leaks"):
        check_leakage(faces, KFold(30))
    with pytest.raises(ValueError, match="fold 9: 1 subject") as told:
        check_leakage(faces, KFold(10))
    assert "more leaks" not in str(told.value)


def test_unlabeled_samples_of_tested_subjects_leak_unless_dropped():
    faces = make_faces()
    faces.target[::5] = -1
    check_leakage(faces, SemiSupervisedSplit(GroupKFold(3)))
    with pytest.raises(ValueError, match="subject"):
        check_leakage(faces, SemiSupervisedSplit(GroupKFold(3), drop_test_groups=False))


def test_memmaps_are_read_in_chunks(tmp_path, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, size=(50, 6, 6, 3), dtype=np.uint8)
    images[49] = images[7]
    mapped = np.memmap(tmp_path / "images", mode="w+", dtype=np.uint8, shape=images.shape)
    mapped[:] = images
    monkeypatch.setattr("skfer.model_selection._leakage._CHUNK_BYTES", 1000)
    numbers = number_identical_images(
        np.memmap(tmp_path / "images", mode="r", dtype=np.uint8, shape=images.shape)
    )
    assert numbers.tolist() == [*range(49), 7]


@PROPERTY
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 30), bits=st.integers(1, 6))
def test_identical_images_share_a_number(seed, n, bits):
    images = np.random.default_rng(seed).integers(0, 2, size=(n, bits), dtype=np.uint8)
    numbers = number_identical_images(images)
    same = (images[:, None] == images[None]).all(axis=2)
    assert_array_equal(numbers[:, None] == numbers, same)
    assert_array_equal(number_identical_images(list(images)), numbers)


def test_shape_and_type_are_part_of_an_image():
    zeros = [
        np.zeros((2, 3), np.uint8),
        np.zeros((3, 2), np.uint8),
        np.zeros(6, np.uint8),
        np.zeros((2, 3), np.int8),
        np.zeros((2, 6), np.uint8)[:, ::2],
    ]
    assert number_identical_images(zeros).tolist() == [0, 1, 2, 3, 0]


def test_nothing_to_check_is_an_error():
    with pytest.raises(ValueError, match="bunch has none of groups, sequence and images"):
        check_leakage(Bunch(groups=None), 2)
    with pytest.raises(ValueError, match="columns of different lengths"):
        check_leakage(Bunch(groups=[1, 2], sequence=[1]), KFold(2))


def test_images_of_object_dtype_are_compared_by_their_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, size=(6, 4, 4), dtype=np.uint8)
    pixels[5] = pixels[0]
    boxed = np.array([[[int(v) + 1000 for v in row] for row in image] for image in pixels], object)
    ragged = np.empty(6, dtype=object)
    ragged[:] = [image[: 2 + i % 3] for i, image in enumerate(pixels)]
    ragged[5] = ragged[0].copy()
    lists = np.empty(6, dtype=object)
    lists[:] = [image.tolist() for image in pixels]
    for images in (boxed, list(boxed), ragged, lists, pixels.astype(object)):
        assert number_identical_images(images).tolist() == [0, 1, 2, 3, 4, 0]
        with pytest.raises(ValueError, match="1 identical image"):
            check_leakage(Bunch(images=images), one_fold(6, [5]))
    for none in (3, {0: pixels}):
        with pytest.raises(ArgumentError, match=r"images must (be|have)"):
            number_identical_images(none)
    with pytest.raises(ArgumentError, match="images must hold arrays of numbers"):
        number_identical_images([np.array([object()])])


def test_subjects_of_unequal_type_do_not_merge():
    ids = [2**53, 2**53 + 1, -1]  # floats of the first two are the same
    check_leakage(Bunch(groups=ids), one_fold(3, [0]))
    with pytest.raises(ArgumentError, match=r"bunch\.groups mixes numbers and words"):
        check_leakage(Bunch(groups=[1, "1"]), one_fold(2, [0]))


@pytest.fixture
def pictures(tmp_path):
    """Paths of files, of which the last is a copy of the first."""
    paths = [tmp_path / f"{i}.png" for i in range(4)]
    for path, pixel in zip(paths, [3, 5, 7, 3], strict=True):
        Image.new("L", (4, 4), pixel).save(path)
    return list(map(str, paths))


AS_PATHS = {
    "words": list,
    "paths": lambda paths: list(map(Path, paths)),
    "bytes": lambda paths: list(map(os.fsencode, paths)),
    "array": np.array,
    "objects": lambda paths: np.array(list(map(Path, paths)), dtype=object),
    "column": lambda paths: np.array(paths)[:, None],
    "series": lambda paths: pd.Series(paths, index=[9, 8, 7, 6]),
    "strings": lambda paths: pd.Series(paths, dtype="string"),
    "frame": lambda paths: pd.DataFrame({"path": paths}, index=[9, 8, 7, 6]),
}


@pytest.mark.parametrize("kind", AS_PATHS)
def test_of_paths_the_files_are_compared(pictures, kind):
    images = AS_PATHS[kind](pictures)
    assert number_identical_images(images).tolist() == [0, 1, 2, 0]
    with pytest.raises(ArgumentError, match="fold 1: 1 identical image"):
        check_leakage(Bunch(data=images), KFold(2))
    left, pairs = resolve_duplicates(Bunch(images=images, target=[0, 1, 2, 0]))
    assert (len(left.images), list(left.target), pairs) == (3, [0, 1, 2], [(0, 3)])


@pytest.mark.parametrize("path", ["gone.png", "."])
def test_a_path_that_cannot_be_read(pictures, path):
    with pytest.raises(ArgumentError, match=f"images has '{path}' for a path, which cannot be"):
        number_identical_images([*pictures, path])


def test_frames_are_compared_row_by_row():
    rows = pd.DataFrame([[1, 2], [3, 4], [1, 2]], columns=["a", "b"], index=[5, 6, 7])
    assert number_identical_images(rows).tolist() == [0, 1, 0]
    images = pd.DataFrame({"image": [np.zeros((2, 2)), np.ones((2, 2)), np.zeros((2, 2))]})
    assert number_identical_images(images).tolist() == [0, 1, 0]
    with pytest.raises(ArgumentError, match="cv leaks"):
        check_leakage(Bunch(data=rows), KFold(2))
    left, pairs = resolve_duplicates(Bunch(images=rows, target=np.array([0, 1, 0])))
    assert (left.images["a"].tolist(), left.target.tolist(), pairs) == ([1, 3], [0, 1], [(0, 2)])


def test_a_frame_of_paths_and_more_is_refused(pictures):
    frame = pd.DataFrame({"age": [1, 2, 3, 4], "path": pictures})
    with pytest.raises(ArgumentError, match=r"or one path for each image, got .*0\.png"):
        number_identical_images(frame)
