"""What is evaluated, and how it is split."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import model_selection
from sklearn.utils import Bunch

from skfer import CrossEntropyEmbedder
from skfer.datasets import load_fer_plus, make_expressions
from skfer.evaluation import check_folds, compare, make_splits, prepare
from skfer.exceptions import ArgumentError
from skfer.model_selection import resolve_duplicates


def _faces(target, **columns):
    n = len(target)
    images = np.arange(n * 16).reshape(n, 4, 4)
    names = np.array([f"class {i}" for i in range(max(target, default=0) + 1)])
    return Bunch(images=images, target=np.array(target), target_names=names, **columns)


def test_prepare_leaves_unlabeled_out_and_counts_them():
    faces = prepare(_faces([0, -1, 1, 1, -1], groups=np.array(list("abcde"))))
    assert faces.n_unlabeled == 2
    assert faces.target.tolist() == [0, 1, 1]
    assert faces.groups.tolist() == ["a", "c", "d"]
    assert faces.images[:, 0, 0].tolist() == [0, 32, 48]
    assert (faces.split, faces.filenames, faces.group_kind) == (None, None, "subjects")


def test_prepare_keeps_unlabeled_where_they_are_wanted():
    given = _faces([0, -1, 1, 1, -1, 1], groups=np.array(list("abcdef")))
    faces = prepare(given, max_per_class=1, keep_unlabeled=True)
    assert faces.n_unlabeled == 2
    assert sorted(faces.target.tolist()) == [-1, -1, 0, 1]
    assert {"b", "e"} < set(faces.groups)
    with pytest.raises(ArgumentError, match="keep_unlabeled"):
        prepare(given, keep_unlabeled="yes")


def test_parts_may_stay_whole():
    target = [0] * 9 + [1] * 5
    split = np.array((["train"] * 6 + ["test"] * 3) + (["train"] * 2 + ["test"] * 3))
    faces = prepare(_faces(target, split=split), max_per_class=1, capped_parts=["train"])
    assert sorted(zip(faces.split, faces.target.tolist(), strict=True)) == [
        *[("test", 0)] * 3,
        *[("test", 1)] * 3,
        ("train", 0),
        ("train", 1),
    ]
    with pytest.raises(ArgumentError, match="official parts of the data set, which has test, tr"):
        prepare(_faces(target, split=split), max_per_class=1, capped_parts=["Train"])
    with pytest.raises(ArgumentError, match="which has none"):
        prepare(_faces(target), max_per_class=1, capped_parts=["train"])


@pytest.mark.parametrize("protocol", ["group-fold", "leave-one-subject-out", "official"])
def test_unlabeled_are_learned_from_and_not_tested(protocol):
    target = np.array([0, 1, -1] * 6)
    groups = np.repeat(list("abcdef"), 3)
    groups[2] = "g"  # who has no label at all
    split = np.where(groups < "d", "train", "test")
    faces = _faces(target, groups=groups, split=split)
    splits = make_splits(faces, protocol)
    assert len(splits) == {"group-fold": 3, "official": 1}.get(protocol, 6)
    for train, test in splits:
        assert (target[test] >= 0).all()
        expected = ~np.isin(groups, groups[test])
        if protocol == "official":
            expected &= split == "train"
        assert train.tolist() == np.flatnonzero(expected).tolist()


def test_prepare_returns_what_loaders_do():
    given = make_expressions(3, 1, image_size=16, classes=["anger", "surprise"], random_state=0)
    given.target[given.groups == 0] = -1
    faces = prepare(given)
    assert type(faces) is type(given)
    assert faces.class_names.tolist() == ["anger", "surprise"]
    assert np.shares_memory(faces.data, faces.images)
    assert faces.data.shape == (4, 256)
    assert faces.DESCR == given.DESCR
    first, *lines = repr(faces).splitlines()
    assert first == given.DESCR.strip().splitlines()[0]
    assert lines[0] == "  images: 4 of 16 x 16 pixels, gray"
    assert len(lines) < 10
    for train, test in make_splits(faces, n_folds=2):
        assert not set(faces.groups[train]) & set(faces.groups[test])
    bare = prepare(_faces([0, 1]))
    assert (bare.DESCR, bare.class_names.tolist()) == ("", ["class 0", "class 1"])


@pytest.mark.parametrize("most", [None, 2])
def test_prepare_keeps_whatever_else_is_known(most):
    target = [0, -1, 1, 1, -1, 0, 1, 0, 0]
    rows = np.arange(9)
    frame = pd.DataFrame({"camera": rows})
    # As many as there are faces, and not of them.
    names = [f"name {i}" for i in range(9)]
    faces = _faces(target, valence=rows / 9, frame=frame, unit_names=np.array(names), site="here")
    kept = prepare(faces, max_per_class=most)
    taken = kept.images[:, 0, 0] // 16
    assert (kept.valence * 9).round().tolist() == kept.frame.camera.tolist() == taken.tolist()
    assert kept.frame.index.tolist() == list(range(len(taken)))
    assert kept.unit_names.tolist() == names
    assert kept.site == "here"
    drawn = make_expressions(3, 1, image_size=16, random_state=0)
    assert set(prepare(drawn)) >= set(drawn)


@pytest.mark.parametrize("missing", ["", None])
def test_unknown_persons_are_not_one(missing):
    persons = np.array(["a", "b", missing, missing] * 5, dtype=object)
    faces = _faces([0, 1] * 10, groups=persons)
    for protocol in ("group-fold", "leave-one-subject-out"):
        with pytest.raises(ArgumentError, match=r"no group for 10 .*for sample 2"):
            make_splits(faces, protocol, check_images=False)
    parts = np.array(["train", "test"] * 10)
    for films in (np.full(20, missing, dtype=object), np.array([missing] * 18 + ["x", "y"])):
        split = make_splits(_faces([0, 1] * 10, split=parts, sequence=films), "official")
        assert len(split) == 1


@pytest.mark.parametrize("most", [None, 2])
def test_prepare_keeps_votes_in_the_order_of_the_rows(most):
    target = [0, -1, 1, 1, -1, 0, 1, 0, 0]
    votes = np.arange(9)[:, None] + np.arange(3)
    faces = _faces(target, votes=votes, distribution=votes / 9)
    kept = prepare(faces, max_per_class=most)
    rows = kept.images[:, 0, 0] // 16
    assert len(rows) == (7 if most is None else 4)
    assert kept.votes.tolist() == votes[rows].tolist()
    assert kept.distribution.tolist() == (votes[rows] / 9).tolist()
    assert len(make_splits(kept, n_folds=2)) == 2
    plain = prepare(_faces(target))
    assert plain.votes is plain.distribution is None


def test_votes_of_fer_plus_are_kept_without_copies_and_other_classes(tmp_path):
    rng = np.random.default_rng(0)
    lines = []
    for i, emotion in enumerate([1, 1, 4, 4, 1, 4]):  # happiness and anger; 4 is 1 again
        name = f"fer{i:07d}.png"
        pixels = rng.integers(0, 256, (48, 48), dtype=np.uint8)
        folder = tmp_path / "FER2013Train"
        folder.mkdir(exist_ok=True)
        if i == 4:
            shutil.copy(folder / "fer0000001.png", folder / name)
        else:
            Image.fromarray(pixels).save(folder / name)
        counts = np.zeros(10, dtype=int)
        counts[emotion], counts[0] = 8 - i // 4, 2 + i // 4
        lines.append(",".join([name, *map(str, counts)]))
    (tmp_path / "FER2013Train" / "label.csv").write_text("\n".join(lines))
    loaded = load_fer_plus(tmp_path, labels="distribution", classes=["anger", "happiness"])
    kept, pairs = resolve_duplicates(loaded)
    faces = prepare(kept)
    assert pairs == [(1, 4)]
    assert faces.target_names[faces.distribution.argmax(axis=1)].tolist() == [
        "happiness",
        "happiness",
        "anger",
        "anger",
        "anger",
    ]
    assert faces.votes[:, 0].tolist() == [2, 2, 2, 2, 3]
    assert faces.distribution.shape[1] == len(faces.target_names)
    methods = {"e": CrossEntropyEmbedder(4, max_epochs=1, backbone="scratch", random_state=0)}
    rows = np.arange(5)
    (fit,) = compare(methods, faces.images, faces.target, [(rows, rows)], votes=faces.distribution)
    assert fit.n_train == 5


def test_prepare_keeps_an_array_that_is_wanted_whole():
    given = _faces([0, 1])
    assert prepare(given).images is given.images


def test_prepare_draws_from_each_class():
    given = _faces([0] * 20 + [1] * 2)
    first, again, other = (
        prepare(given, max_per_class=3, random_state=seed).images[:, 0, 0].tolist()
        for seed in (0, 0, 1)
    )
    assert first == again != other
    assert len(first) == 5
    assert first == sorted(first)


@pytest.mark.parametrize(
    ("target", "said"),
    [([-1, -1], "no image has a label"), ([1, 1, -1], "all 2 images are of one class, 'class 1'")],
)
def test_prepare_needs_two_classes(target, said):
    with pytest.raises(ValueError, match=said):
        prepare(_faces(target))


@pytest.mark.parametrize("target", [["a", "b"], [0.5, 1.0], [0, 2], [-2, 1]])
def test_prepare_needs_codes_of_names(target):
    faces = _faces([0, 1])
    faces.target = np.array(target)
    with pytest.raises(ArgumentError, match="faces must have a target of codes"):
        prepare(faces)


def test_group_folds_keep_groups_apart_with_three_folds_by_default():
    faces = make_expressions(12, 1, image_size=24, random_state=0)
    splits = make_splits(faces)
    assert len(splits) == 3
    for train, test in splits:
        assert not set(faces.groups[train]) & set(faces.groups[test])
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(96))


def test_rare_classes_are_split_by_groups_alone():
    faces = _faces([0] * 11 + [1], groups=np.repeat(np.arange(6), 2))
    assert len(make_splits(faces, n_folds=3)) == 3


@pytest.mark.parametrize(("n_rare", "splitter"), [(2, "GroupKFold"), (3, "StratifiedGroupKFold")])
def test_classes_are_stratified_where_each_fold_can_have_one(n_rare, splitter):
    faces = _faces([0] * (12 - n_rare) + [1] * n_rare, groups=np.repeat(np.arange(6), 2))
    options = {} if splitter == "GroupKFold" else {"shuffle": True, "random_state": 0}
    cv = getattr(model_selection, splitter)(3, **options)
    expected = cv.split(faces.target, faces.target, faces.groups)
    for found, wanted in zip(make_splits(faces, n_folds=3), expected, strict=True):
        np.testing.assert_array_equal(found[0], wanted[0])
        np.testing.assert_array_equal(found[1], wanted[1])


REFUSED = {
    "unknown": ("kfold", {}, "protocol='kfold' is unknown: give one of group-fold, "),
    "folds of another": ("official", {"n_folds": 2}, "n_folds belongs to protocol=group-fold"),
    "no split": ("official", {}, "no official split: give protocol=group-fold"),
    "one fold": ("group-fold", {"n_folds": 1}, "n_folds=1: cross-validation needs at least 2"),
    "no fold": ("group-fold", {"n_folds": 0}, "n_folds=0: cross-validation needs at least 2"),
    "many folds": ("group-fold", {"n_folds": 9}, "n_folds=9 needs at least 9 images in the small"),
    "no subjects": (
        "subject-10fold",
        {},
        "names none: give protocol=group-fold, or, of ",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_name_the_argument(case):
    protocol, options, said = REFUSED[case]
    with pytest.raises(ArgumentError, match=said) as caught:
        make_splits(_faces([0, 1] * 4), protocol, **options)
    assert caught.value.arguments


def test_ten_folds_need_ten_subjects():
    faces = _faces([0, 1] * 9, groups=np.repeat(np.arange(9), 2))
    with pytest.raises(ArgumentError, match="makes 10 folds, and there are 9 subjects: give proto"):
        make_splits(faces, "subject-10fold")
    assert len(make_splits(faces, "leave-one-subject-out")) == 9


@pytest.mark.parametrize("parts", [["train"], ["test", "validation"], ["", "train"], [""]])
def test_an_official_split_has_two_sides(parts):
    faces = _faces([0, 1] * 4, split=np.array((parts * 8)[:8]))
    with pytest.raises(ArgumentError, match="a part to train on and one to test on, and"):
        make_splits(faces, "official")


def test_many_groups_are_needed_for_many_folds():
    faces = _faces([0, 1] * 4, groups=np.repeat(["a", "b"], 4))
    with pytest.raises(ArgumentError, match="n_folds=3 needs at least 3 subjects, found 2"):
        make_splits(faces, n_folds=3)


@pytest.mark.parametrize("columns", [{}, {"groups": np.repeat(np.arange(4), 3)}])
def test_copies_count_as_a_leak_unless_images_are_left_alone(columns):
    faces = _faces([0, 1] * 6, **columns)
    faces.images = np.zeros_like(faces.images)
    with pytest.raises(ValueError, match="identical image"):
        make_splits(faces, n_folds=2)
    splits = make_splits(faces, n_folds=2, check_images=False)
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(12))


def test_folds_that_cannot_be_trained_on():
    splits = [(np.array([0, 1]), np.array([2, 3]))]
    with pytest.raises(ArgumentError, match="fold 0 has one class to train on"):
        check_folds(np.array([0, 0, 1, 1]), splits, "svm")
    with pytest.raises(ArgumentError, match="fold 0 has 2 images to train on, and classifier=knn"):
        check_folds(np.array([0, 1, 1, 1]), splits, "knn")
    check_folds(np.array([0, 1, 1, 1]), splits, "svm")


def test_images_of_no_known_part_are_told():
    faces = _faces([0, 1] * 4, split=np.array(["train"] * 4 + ["test", "test", "extra", ""]))
    told = r"2 of 8 images are in no part .* \(parts here: extra, test, train\)"
    with pytest.warns(UserWarning, match=told):
        ((train, test),) = make_splits(faces, "official", check_images=False)
    assert (train.tolist(), test.tolist()) == ([0, 1, 2, 3], [4, 5])
