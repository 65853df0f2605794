"""Subgroups: hand-made values, a loop, and a bias that was planted."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline

from skfer.datasets import make_expressions
from skfer.evaluation import pca_baseline, subgroup_report
from skfer.evaluation._report import _subgroup_tables
from skfer.evaluation._subgroups import _n_persons
from skfer.exceptions import ArgumentError

Y = np.array(["joy", "joy", "rage", "rage", "joy", "rage", "joy"])
GUESS = np.array(["joy", "rage", "rage", "rage", "rage", "rage", "joy"])
PART = np.array(["old", "old", "old", "young", "young", "young", "child"])


def test_by_hand():
    report = subgroup_report(Y, GUESS, PART, random_state=0)
    assert report.subgroups.tolist() == ["child", "old", "young"]
    assert report.labels.tolist() == ["joy", "rage"]
    assert report.n_samples.tolist() == [[1, 0], [2, 1], [1, 2]]
    np.testing.assert_equal(report.recall, [[1, np.nan], [0.5, 1], [0, 1]])
    # Joy among the others: of old and young 1 of 3, of child and young 1 of 2, of the rest 2 of 3.
    np.testing.assert_allclose(report.class_gap, [[2 / 3, np.nan], [0, 0], [-2 / 3, 0]])
    np.testing.assert_allclose(report.gap, [2 / 3, 0, -1 / 3])
    assert report.is_small.all()
    assert repr(report) == str(report)


def test_samples_without_a_subgroup_are_left_out():
    part = np.array([*PART[:6], None], dtype=object)
    report = subgroup_report(Y, GUESS, part, random_state=0)
    assert report.subgroups.tolist() == ["old", "young"]
    assert report.n_samples.sum() == 6


def test_small_subgroups_are_marked():
    draw = np.random.RandomState(0)
    y, guess = draw.randint(2, size=100), draw.randint(2, size=100)
    part = np.repeat(["a", "b", "c"], [60, 20, 20])
    persons = np.arange(100)
    persons[:60] %= 3
    small = [
        subgroup_report(y, guess, part, groups=g, min_samples=20, random_state=0).is_small.tolist()
        for g in (None, persons)
    ]
    assert small == [[False, False, False], [True, False, False]]
    assert "a *  " in str(subgroup_report(y, guess, part, groups=persons, random_state=0))


def test_intervals_are_those_of_a_loop_over_persons():
    draw = np.random.RandomState(1)
    n = 120
    y, part, persons = draw.randint(3, size=n), draw.randint(2, size=n), draw.randint(25, size=n)
    guess = np.where(draw.rand(n) < 0.3 + 0.3 * part, (y + 1) % 3, y)
    report = subgroup_report(y, guess, part, groups=persons, n_bootstrap=400, random_state=0)
    right = guess == y
    gaps = []
    for _ in range(400):
        rows = np.concatenate(
            [np.flatnonzero(persons == p) for p in draw.choice(np.unique(persons), 25)]
        )
        recall = [
            [right[rows][(part[rows] == s) & (y[rows] == c)].mean() for c in range(3)]
            for s in range(2)
        ]
        gaps.append(np.mean(np.subtract(recall[1], recall[0])))
    np.testing.assert_allclose(
        [report.gap_low[1], report.gap_high[1]], np.percentile(gaps, [2.5, 97.5]), atol=0.05
    )


def test_samples_are_drawn_as_persons_of_one_face_each_are():
    draw = np.random.RandomState(2)
    y, part = draw.randint(3, size=300), draw.randint(2, size=300)
    guess = np.where(draw.rand(300) < 0.3, (y + 1) % 3, y)
    options = {"n_bootstrap": 4000, "random_state": 0}
    one, other = (
        subgroup_report(y, guess, part, groups=groups, **options)
        for groups in (None, np.arange(300))
    )
    np.testing.assert_array_equal(one.n_groups, other.n_groups)
    for name in ("gap_low", "gap_high", "class_gap_low", "class_gap_high"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=0.02)


def test_persons_that_a_gap_rests_on_are_those_of_a_table():
    draw = np.random.RandomState(3)
    person, part, label = (draw.randint(n, size=90) for n in (20, 3, 4))
    has = np.zeros((20, 3, 4), dtype=bool)
    has[person, part, label] = True
    others = (has.sum(axis=1, keepdims=True) - has) > 0
    own, fewest = _n_persons(person, part, label)
    np.testing.assert_array_equal(own, has.sum(axis=0))
    np.testing.assert_array_equal(fewest, np.minimum(own, others.sum(axis=0)))


@pytest.mark.parametrize("n_persons", [None, 5000])
def test_many_samples_of_many_classes_take_little_memory(n_persons):
    draw = np.random.RandomState(0)
    y, part = draw.randint(200, size=20_000), draw.randint(4, size=20_000)
    groups = None if n_persons is None else draw.randint(n_persons, size=20_000)
    tracemalloc.start()
    try:
        subgroup_report(y, y, part, groups=groups, n_bootstrap=20, random_state=0)
        assert tracemalloc.get_traced_memory()[1] < 30e6  # a row a person would be 64 MB or more
    finally:
        tracemalloc.stop()


def test_faces_of_one_person_are_no_evidence_of_their_own():
    y = np.zeros(400, dtype=int)
    y[::2] = 1
    persons = np.repeat(np.arange(20), 20)
    part = persons % 2
    guess = np.where(persons % 5 == 0, 1 - y, y)  # some persons are never recognized
    wide = subgroup_report(y, guess, part, groups=persons, random_state=0)
    narrow = subgroup_report(y, guess, part, random_state=0)
    assert np.all(wide.gap_high - wide.gap_low > 2 * (narrow.gap_high - narrow.gap_low))


def test_a_planted_bias_is_found():
    # Nobody with a beard is trained on, and a beard hides what the mouth does.
    words = ["anger", "happiness", "surprise"]
    faces = make_expressions(100, 2, image_size=24, classes=words, nuisance=0, random_state=0)
    images, persons, has_beard = faces.images.copy(), faces.groups, faces.beard > 0.1
    images[has_beard, 14:] //= 8
    train, test = (persons < 33) & ~has_beard, persons >= 33
    model = make_pipeline(pca_baseline(20, random_state=0), LinearDiscriminantAnalysis())
    guess = model.fit(images[train], faces.target[train]).predict(images[test])
    beard = np.where(has_beard[test], "beard", "none")
    options = {"groups": persons[test], "random_state": 0}
    report = subgroup_report(faces.target[test], guess, beard, **options)
    assert report.subgroups.tolist() == ["beard", "none"]
    assert report.gap_high[0] < 0 < report.gap_low[1]
    # Nobody was kept out for their glasses.
    other = subgroup_report(faces.target[test], guess, faces.glasses[test], **options)
    assert np.all((other.gap_low < 0) & (other.gap_high > 0))


@pytest.mark.parametrize(("n_persons", "recall"), [(5, 0.7), (5, 0.97), (10, 0.9)])
def test_chance_is_seldom_taken_for_a_gap(n_persons, recall):
    """Drawn without a gap: intervals are to leave out 0 about once in twenty times."""
    person = np.repeat(np.arange(60 + n_persons), 6)
    part, y = np.where(person < n_persons, "few", "many"), np.tile([0, 1, 2], len(person) // 3)
    n_gaps, n_class_gaps, n = 0, 0.0, 150
    for seed in range(n):
        draw = np.random.RandomState(seed)
        guess = np.where(draw.rand(len(y)) < recall, y, (y + 1) % 3)
        found = subgroup_report(
            y, guess, part, groups=person, n_bootstrap=100, random_state=draw, min_samples=0
        )
        assert not found.is_small[0]
        n_gaps += not found.gap_low[0] <= 0 <= found.gap_high[0]
        apart = (found.class_gap_low[0] > 0) | (found.class_gap_high[0] < 0)
        n_class_gaps += apart.mean()
    assert n_gaps / n < 0.09
    assert n_class_gaps / n < 0.09


def test_one_person_tells_nothing():
    """However many faces there are of it."""
    y = np.tile([0, 1], 2000)
    person = np.repeat(np.arange(10), 400)
    found = subgroup_report(y, y, np.where(person == 0, "one", "rest"), groups=person)
    np.testing.assert_array_equal([found.gap_low, found.gap_high], [[-1, -1], [1, 1]])
    np.testing.assert_array_equal(found.class_gap_low, -np.ones((2, 2)))
    nobody = subgroup_report(y, y, np.where((person < 5) & (y == 0), "a", "b"), random_state=0)
    assert np.isnan([nobody.class_gap_low[0, 1], nobody.class_gap_high[0, 1]]).all()


def test_intervals_hold_their_gap_and_are_no_wider_than_a_gap_can_be():
    for n_bootstrap in (2, 3, 50):  # so few that a subgroup is in no draw
        for seed in range(30):
            found = subgroup_report(
                Y, GUESS, PART, n_bootstrap=n_bootstrap, random_state=seed, min_groups=0
            )
            there = np.isfinite(found.class_gap)
            low, high = found.class_gap_low[there], found.class_gap_high[there]
            assert np.all((low <= found.class_gap[there]) & (found.class_gap[there] <= high))
            assert np.all((low >= -1) & (high <= 1))


def test_tables_name_classes():
    recalls = subgroup_report([0, 1] * 4, [0, 1] * 4, ["a", "b"] * 4, random_state=0).tables(
        ["fear", "joy"]
    )[1]
    assert list(recalls.columns) == ["fear", "joy"]


@pytest.mark.parametrize(
    ("change", "about"),
    [
        ({"y_pred": GUESS[:3]}, "y_pred"),
        ({"subgroups": PART[:3]}, "subgroups"),
        ({"subgroups": ["all"] * 7}, "subgroups"),
        ({"subgroups": [None] * 7}, "subgroups"),
        ({"groups": np.arange(3)}, "groups"),
        ({"n_bootstrap": 1}, "n_bootstrap"),
        ({"min_samples": -1}, "min_samples"),
        ({"min_groups": -1}, "min_groups"),
    ],
)
def test_refusals_name_the_argument(change, about):
    arguments = {"y": Y, "y_pred": GUESS, "subgroups": PART} | change
    with pytest.raises(ArgumentError) as caught:
        subgroup_report(**arguments)
    assert caught.value.arguments[0] == about


def test_numbers_are_not_compared_with_words():
    with pytest.raises(ArgumentError, match="y_pred"):
        subgroup_report([0, 1] * 4, ["0", "1"] * 4, ["a", "b"] * 4, random_state=0)


def test_repeated_tests_make_no_subgroup_larger():
    """With several seeds each face is tested several times, and is one face."""
    faces = make_expressions(8, 1, image_size=16, classes=["anger", "surprise"])
    part = np.where(faces.groups < 2, "few", "most")
    bunch = type(faces)(**faces, subgroup=part)
    tables = {}
    for n_seeds in (1, 3):
        fits, splits = [], [(np.arange(0), np.arange(len(part)))]
        for seed in range(n_seeds):
            fits.append(SimpleNamespace(method="x", fold=0, seed=seed, predicted=faces.target))
        tables[n_seeds] = _subgroup_tables(bunch, splits, fits, "x")[0]
    rows = {n: [(name, row[0].value) for name, row in t.rows] for n, t in tables.items()}
    assert rows[1] == rows[3]
    assert rows[1][0] == ("few *", 4)


def test_a_seed_that_is_half_done_makes_no_subgroup_smaller():
    faces = make_expressions(8, 1, image_size=16, classes=["anger", "surprise"])
    part = np.where(faces.groups < 4, "first", "last")
    bunch = type(faces)(**faces, subgroup=part)
    halves = np.array_split(np.argsort(faces.groups), 2)
    splits = [(np.arange(0), rows) for rows in halves]
    runs = [(0, 0), (1, 0), (0, 1)]  # fold 1 of the second seed is missing
    fits = [
        SimpleNamespace(method="x", fold=fold, seed=seed, predicted=faces.target[halves[fold]])
        for fold, seed in runs
    ]
    gaps = _subgroup_tables(bunch, splits, fits, "x")[0]
    assert [(name, row[0].value) for name, row in gaps.rows] == [("first *", 8), ("last *", 8)]
    # Of one fold alone, here of one subgroup, there is nothing to compare.
    assert _subgroup_tables(bunch, splits, fits[:1], "x") == []
