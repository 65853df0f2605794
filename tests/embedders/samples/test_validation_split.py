"""Which samples are set aside for early stopping."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.model_selection import (
    GroupShuffleSplit,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedShuffleSplit,
)

from skfer import CrossEntropyEmbedder
from skfer.embedders.samples._validation import validation_split

SEEDS = range(40)


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.4, 0.5, 0.7])
def test_validation_fraction_is_kept(fraction, faces):
    codes = faces.target.astype(np.intp)
    codes = np.unique(codes, return_inverse=True)[1]
    for groups in (None, faces.groups):
        train, valid = validation_split(codes, groups, fraction, seed=0)
        assert len(train) + len(valid) == len(codes)
        assert abs(len(valid) / len(codes) - fraction) < 0.13


def test_stratified_by_class_as_scikit_learn_does():
    codes = np.arange(60) % 3
    expected = next(StratifiedShuffleSplit(1, test_size=0.2, random_state=5).split(codes, codes))
    for found, wanted in zip(validation_split(codes, None, 0.2, 5), expected, strict=True):
        assert_array_equal(found, wanted)


@given(
    st.lists(st.integers(0, 4), min_size=3, max_size=60),
    st.floats(0.05, 0.5),
    st.integers(0, 2**31 - 1),
)
def test_training_keeps_a_sample_of_each_class(codes, fraction, seed):
    codes = np.unique(codes, return_inverse=True)[1]
    n_valid = int(np.ceil(fraction * len(codes)))
    if n_valid > len(codes) - max(2, codes.max() + 1):
        with pytest.raises(ValueError, match=r"validation_fraction=.* leaves"):
            validation_split(codes, None, fraction, seed)
        return
    train, valid = validation_split(codes, None, fraction, seed)
    assert len(valid) == n_valid
    assert_array_equal(np.sort(np.concatenate([train, valid])), np.arange(len(codes)))
    assert_array_equal(np.unique(codes[train]), np.unique(codes))


def test_one_rare_class_leaves_the_others_stratified():
    codes = np.append(np.repeat(np.arange(1, 8), 100), 0)
    for seed in SEEDS:
        train, valid = validation_split(codes, None, 0.1, seed)
        assert 0 in codes[train]
        counts = np.bincount(codes[valid])
        assert counts[0] == 0
        assert set(counts[1:]) <= {10, 11}


def crowd():
    """Thirty persons with different numbers of faces and frequencies of five classes."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(2, 40, 30)
    frequencies = rng.dirichlet(np.ones(5), 30)
    codes = [rng.choice(5, n, p=p) for n, p in zip(sizes, frequencies, strict=True)]
    return np.concatenate(codes), np.repeat(np.arange(30), sizes)


def test_persons_set_aside_are_drawn_by_the_seed():
    codes, groups = crowd()
    times = np.zeros(30)
    for seed in range(200):
        train, valid = validation_split(codes, groups, 0.1, seed)
        assert not set(groups[train]) & set(groups[valid])
        times[np.unique(groups[valid])] += 1
    # A tenth of them each time; as fair draws would be, within six standard deviations.
    assert times.min() > 0
    assert times.max() < 50


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.3])
def test_class_that_one_person_shows_is_trained_on(fraction):
    codes = np.append(np.tile(np.repeat(np.arange(7), 2), 20), np.full(12, 7))
    groups = np.append(np.repeat(np.arange(20), 14), np.full(12, 5))
    for seed in SEEDS:
        train, valid = validation_split(codes, groups, fraction, seed)
        assert 7 in codes[train]
        assert 5 not in groups[valid]


@pytest.mark.parametrize("fraction", [0.4, 0.42, 0.7])
def test_a_share_that_no_number_of_folds_has_is_drawn(fraction):
    codes, groups = crowd()
    for seed in SEEDS:
        draws = GroupShuffleSplit(1, test_size=fraction, random_state=seed)
        for found, wanted in zip(
            validation_split(codes, groups, fraction, seed),
            next(draws.split(codes, codes, groups)),
            strict=True,
        ):
            assert_array_equal(found, wanted)


@pytest.mark.parametrize("fraction", [0.3, 0.46])
def test_a_share_that_some_number_of_folds_nearly_has_is_stratified(fraction):
    codes, groups = crowd()
    n_splits = round(1 / fraction)
    for seed in SEEDS[:5]:
        folds = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
        parts = [valid.tolist() for _, valid in folds.split(codes, codes, groups)]
        assert validation_split(codes, groups, fraction, seed)[1].tolist() in parts


def test_persons_are_drawn_until_training_has_each_class():
    # Three of ten persons each show a class of their own: few draws of four leave them all.
    groups = np.repeat(np.arange(10), 6)
    codes = np.where((groups < 3) & (np.arange(60) % 2 == 0), groups + 1, 0)
    for seed in SEEDS:
        train, valid = validation_split(codes, groups, 0.4, seed)
        assert set(codes[train]) == {0, 1, 2, 3}
        assert len(set(groups[valid])) == 4


def test_class_without_a_sample_to_train_on_is_told(rows):
    X, y = rows
    y = np.array(["sad", "glad"])[(y == y[0]).astype(int)]
    model = CrossEntropyEmbedder(4, max_epochs=1, early_stopping=True, validation_fraction=0.3)
    with pytest.warns(UserWarning, match=r"all subjects of \['(sad|glad)'\] aside.* lower it"):
        model.fit(X, y, groups=y)
    both = np.arange(len(y)) // 2 % 10
    model.fit(X, y, groups=both)


def test_what_leaves_each_class_something_is_drawn_as_ever():
    codes = np.arange(48) % 8  # too few to set one of each class aside
    for seed in SEEDS:
        train, valid = next(ShuffleSplit(1, test_size=0.1, random_state=seed).split(codes))
        if len(np.unique(codes[train])) == 8:
            found = validation_split(codes, None, 0.1, seed)
            assert_array_equal(found[0], train)
            assert_array_equal(found[1], valid)
