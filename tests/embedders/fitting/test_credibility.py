"""What is believed of labels that may be wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import approx_fprime

from skfer import CrossEntropyEmbedder, GaussianMetricEmbedder
from skfer.datasets import EXPRESSIONS, make_expressions
from skfer.embedders.fitting._credibility import (
    PRESUMED,
    _improbability,
    _wrong_share,
    credible_votes,
)
from skfer.embedders.fitting._features import count_cells


def spoiled(y, n_classes, share=0.3):
    """Return labels of which a share are others, and which these are."""
    rng = np.random.RandomState(0)
    wrong = np.zeros(len(y), dtype=bool)
    wrong[rng.permutation(len(y))[: round(share * len(y))]] = True
    return np.where(wrong, (y + rng.randint(1, n_classes, len(y))) % n_classes, y), wrong


def clusters(n=120, n_classes=4, spread=0.3, seed=0):
    rng = np.random.RandomState(seed)
    y = np.arange(n) % n_classes
    centers = 3 * np.eye(n_classes, 6)
    X = centers[y] + spread * rng.randn(n, 6)
    return ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32), y


def weighed(X, codes, n_classes=4, label_noise="auto"):
    return credible_votes(X, codes, n_classes, label_noise, np.random.RandomState(0))


def votes_of(X, codes):
    return weighed(X, codes, label_noise=True)[0]


def share_of(found, codes):
    return _wrong_share(found, codes, np.random.RandomState(0))


def test_wrong_labels_are_seen_through():
    X, y = clusters()
    codes, wrong = spoiled(y, 4)
    votes = votes_of(X, codes)
    assert (votes.argmax(axis=1) == y)[wrong].mean() > 0.9
    assert (votes.argmax(axis=1) == y)[~wrong].all()


@pytest.mark.parametrize("share", [0, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("n_classes", [3, 4])
def test_the_share_of_wrong_labels_is_found(share, n_classes):
    X, y = clusters(n=600, n_classes=n_classes)
    codes, _ = spoiled(y, n_classes, share)
    votes, found = weighed(X, codes, n_classes)
    assert_allclose(found, share, atol=0.03)
    if not share:
        assert_allclose(votes, np.eye(n_classes)[y], atol=0.01)


@pytest.mark.parametrize("share", [0, 0.1, 0.3])
def test_of_two_classes_too(share):
    X, y = clusters(n=600, n_classes=2)
    assert_allclose(weighed(X, spoiled(y, 2, share)[0], 2)[1], share, atol=0.05)


@pytest.mark.parametrize("share", [0, 0.3])
def test_hard_classes_are_no_mistakes(share):
    """What features cannot tell apart makes the posterior blunt, and not the labels wrong."""
    X, y = clusters(n=2000, spread=2.5)
    codes, _ = spoiled(y, 4, share)
    assert_allclose(weighed(X, codes)[1], share, atol=0.12)


def test_features_that_tell_nothing_leave_the_labels():
    X = np.random.RandomState(1).randn(400, 5).astype(np.float32)
    codes = np.arange(400) % 4
    for label_noise in (True, "auto"):
        votes, share = weighed(X, codes, label_noise=label_noise)
        assert_allclose(votes[np.arange(400), codes].mean(), 1 - PRESUMED, atol=0.02)
        assert_allclose(share, PRESUMED, atol=0.02)
        assert (votes.argmax(axis=1) == codes).all()


def test_how_blunt_and_how_frequent_is_not_taken_for_mistakes():
    """Labels are drawn from posteriors that are known; what is handed over is blurred."""
    rng = np.random.RandomState(0)
    posterior = rng.dirichlet([0.2, 0.4, 1.0], 4000)
    y = np.array([rng.choice(3, p=row) for row in posterior])
    blurred = posterior.clip(1e-9) ** 0.3 * [3.0, 1.0, 0.5]
    blurred /= blurred.sum(axis=1, keepdims=True)
    for share in (0, 0.1, 0.3):
        assert_allclose(share_of(blurred, spoiled(y, 3, share)[0]), share, atol=0.03)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_how_improbable_labels_are_and_its_slopes(n_classes):
    """As a loop has it, and as finite differences have it."""
    rng = np.random.RandomState(0)
    found = np.log(rng.dirichlet(np.ones(n_classes), 30))
    codes = rng.randint(n_classes, size=30)
    frequency, most = np.log(np.full(n_classes, 1 / n_classes)), 0.9 * (1 - 1 / n_classes)
    known = (found, np.eye(n_classes)[codes], frequency, most)
    chosen = rng.normal(size=2 + n_classes)
    share, power, shifts = most / (1 + np.exp(-chosen[0])), np.exp(chosen[1]), chosen[2:]
    expected = ((share - 0.3) / 0.15) ** 2 / 2 + 0.01 * (chosen[1:] ** 2).sum()
    for row, code in zip(found, codes, strict=True):
        scores = np.exp(power * row + frequency + shifts)
        right = scores[code] / scores.sum()
        expected -= np.log((1 - share) * right + share * (1 - right) / (n_classes - 1))
    value, slopes = _improbability(chosen, *known)
    assert_allclose(value, expected)
    assert_allclose(
        slopes, approx_fprime(chosen, lambda x: _improbability(x, *known)[0]), atol=1e-4
    )


def test_few_of_a_class_are_no_reason_to_doubt_it():
    X, y = clusters(n=400)
    kept = np.flatnonzero((y != 3) | (np.arange(len(y)) < 40))  # ten of the last class
    votes = votes_of(X[kept], y[kept])
    assert (votes.argmax(axis=1) == y[kept]).all()


def test_very_many_samples_take_no_longer_to_learn_from(monkeypatch):
    monkeypatch.setattr("skfer.embedders.fitting._credibility._LEARNED_FROM", 40)
    X, y = clusters(n=400)
    kept = np.flatnonzero((y != 3) | (np.arange(len(y)) < 40))  # all ten of the last class count
    codes, _ = spoiled(y[kept], 4, share=0.1)
    votes = votes_of(X[kept], codes)
    assert (votes.argmax(axis=1) == y[kept]).mean() > 0.97


def test_a_share_that_is_given_is_believed():
    """Mistakes that prefer a class are not found, as it might be hard to tell; they can be told."""
    X, y = clusters(n=1200)
    wrong = np.random.RandomState(0).random_sample(len(y)) < 0.3
    codes = np.where(wrong, 0, y)
    votes, found = weighed(X, codes)
    assert found < 0.01
    assert (votes.argmax(axis=1) == codes).all()
    votes, given = weighed(X, codes, label_noise=0.3)
    assert given == 0.3
    assert (votes.argmax(axis=1) == y)[codes != y].mean() > 0.7
    assert_array_equal(votes, weighed(X, codes, label_noise=True)[0])


def test_very_many_classes():
    X = np.random.RandomState(0).randn(2000, 8).astype(np.float32)
    found = np.random.RandomState(1).dirichlet(np.ones(200), 2000)
    assert 0 <= share_of(found, np.arange(2000) % 200) < 0.9
    assert weighed(X[:40], np.arange(40) % 5, 5)[1] < 0.72


@pytest.mark.parametrize("share", [0, 0.1, 0.2])
def test_a_rare_class_full_of_mistakes_does_not_hide_their_share(share):
    X, y = clusters(n=2000)
    kept = np.flatnonzero((y != 3) | (np.arange(len(y)) < 200))
    codes, _ = spoiled(y[kept], 4, share)
    assert_allclose(weighed(X[kept], codes)[1], share, atol=0.03)


def test_cells_are_fewer_where_features_would_fill_the_memory():
    assert [count_cells(6, n, 56) for n in (100, 20_000, 100_000, 10**9)] == [6, 6, 2, 1]
    assert count_cells(6, 10_000, 2048) == 1
    assert count_cells(1, 100, 8) == 1


@pytest.mark.parametrize(("n", "is_judged"), [(4, False), (5, True)])
def test_so_few_samples_of_a_class_are_believed(n, is_judged):
    X, y = clusters(n=64)
    kept = np.flatnonzero((y != 3) | (np.arange(len(y)) < 4 * n))
    codes = y[kept].copy()
    votes = votes_of(X[kept], codes)
    assert (votes[codes == 3, 3] < 1).all() == is_judged
    assert (votes[codes != 3, 3] > 0).all() == is_judged
    if not is_judged:
        assert_array_equal(votes[codes == 3], np.eye(4)[[3] * n])


def test_one_class_of_enough_samples():
    codes = np.array([0] * 8 + [1] * 3)
    votes, share = weighed(np.zeros((11, 2), np.float32), codes, 2)
    assert_array_equal(votes, np.eye(2)[codes])
    assert share == 0


@settings(max_examples=8)
@given(st.integers(0, 1000), st.integers(2, 5), st.booleans())
def test_rows_are_shares(seed, n_classes, unlabeled):
    rng = np.random.RandomState(seed)
    codes = rng.randint(0, n_classes, 40)
    if unlabeled:
        codes[::3] = -1
    X = rng.randn(40, 3).astype(np.float32)
    votes, _ = weighed(X, codes, n_classes)
    assert_allclose(votes.sum(axis=1), (codes >= 0).astype(float), atol=1e-6)
    assert (votes >= 0).all()


@pytest.fixture(scope="module")
def faces():
    def drawn(seed):
        faces = make_expressions(12, 1, classes=EXPRESSIONS[:4], image_size=24, random_state=seed)
        return faces.images, np.unique(faces.target, return_inverse=True)[1]

    X, y = drawn(0)
    return X, spoiled(y, 4)[0], *drawn(1)


def test_a_learned_start_sees_through_wrong_labels(faces):
    X, y, X_test, y_test = faces
    plain, robust = (
        CrossEntropyEmbedder(label_noise=noise, max_epochs=20, random_state=0).fit(X, y)
        for noise in (False, "auto")
    )
    assert robust.score(X_test, y_test) > plain.score(X_test, y_test) + 0.05
    assert_allclose(robust.wrong_label_share_, 0.3, atol=0.1)
    assert plain.wrong_label_share_ is None


def test_right_labels_are_found_to_be_right(faces):
    X, y = faces[2:]
    model = CrossEntropyEmbedder(label_noise="auto", max_epochs=1, random_state=0).fit(X, y)
    assert model.wrong_label_share_ < 0.01
    model.set_params(warm_start=True).fit(X, y)
    assert model.wrong_label_share_ < 0.01  # the network still has it from there
    model.set_params(warm_start=False, label_noise=0.2).fit(X, y)
    assert model.wrong_label_share_ == 0.2
    model.set_params(backbone="scratch").fit(X, y)
    assert model.wrong_label_share_ is None


def length_of(model, *data, **more):
    return model.fit(*data, **more).n_iter_


def test_passes_are_fewer_where_nothing_is_known(faces):
    X, y = faces[0][:8], faces[1][:8] % 2
    y[:2] = 0, 1
    votes = np.eye(2)[y]
    short = {"label_noise": True, "random_state": 0}
    assert length_of(CrossEntropyEmbedder(**short), X, y) == 160
    assert length_of(CrossEntropyEmbedder(**short), X, y, votes=votes) == 53
    assert length_of(CrossEntropyEmbedder(backbone="scratch", **short), X, y) == 53
    model = CrossEntropyEmbedder(warm_start=True, **short)
    assert [length_of(model, X, y), length_of(model, X, y)] == [160, 160 + 53]


def test_faces_without_a_label_and_early_stopping(faces):
    X, y = faces[0], faces[1].copy()
    y[::4] = -1
    model = GaussianMetricEmbedder(label_noise=True, max_epochs=2, random_state=0)
    assert model.fit(X, y).transform(X).shape == (48, 64)
    stopped = CrossEntropyEmbedder(
        label_noise=True, early_stopping=True, max_epochs=2, random_state=0
    )
    assert stopped.fit(X, faces[1]).n_iter_ == 2
