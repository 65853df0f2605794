"""The Gaussian embedder: posterior, densities, sub-classes."""

import pickle

import numpy as np
import pandas as pd
import pytest
from helpers.small_gaussian import small_gaussian
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score

from skfer import GaussianMetricEmbedder
from skfer.datasets import make_expressions
from skfer.embedders.gaussian._subclasses import SubclassFinder
from skfer.training import StopAtBest

# -- what it tells ------------------------------------------------------------------------


def test_posterior_is_that_of_the_gaussians(rows):
    X, y = rows
    model = small_gaussian().fit(X, y)
    Z = model.transform(X).astype(float)
    joint = np.stack(
        [multivariate_normal(m, model.covariances_).logpdf(Z) for m in model.means_], axis=1
    ) + np.log(model.weights_)
    assert model.temperature_ > 1
    flat = softmax(joint / model.temperature_, axis=1)
    assert_allclose(model.predict_proba(X), flat, atol=1e-9)
    assert_array_equal(model.predict(X), model.classes_[joint.argmax(axis=1)])
    assert_allclose(model.score_samples(X), np.log(np.exp(joint).sum(axis=1)))
    assert_array_equal(model.predict(X), model.classes_[joint.argmax(axis=1)])
    assert_allclose(model.means_[0], Z[y == "awe"].mean(axis=0), atol=1e-5)
    assert_allclose(model.weights_, [13 / 40, 14 / 40, 13 / 40])


@pytest.mark.parametrize(
    ("covariance_type", "shape"),
    [("tied", (8, 8)), ("full", (3, 8, 8)), ("diag", (3, 8)), ("spherical", (3,))],
)
def test_attributes_have_the_shapes_of_the_covariance_type(rows, covariance_type, shape):
    model = small_gaussian(covariance_type=covariance_type).fit(*rows)
    assert model.covariances_.shape == shape
    assert model.means_.shape == (3, 8)
    assert_array_equal(model.subclass_to_class_, model.classes_)
    assert_array_equal(model.n_subclasses_, [1, 1, 1])
    assert_array_equal(model.transduction_, rows[1])
    assert model.predict_proba(rows[0]).shape == (40, 3)


@pytest.mark.parametrize("covariance_type", ["tied", "full", "diag", "spherical"])
def test_one_sample_of_a_class_is_enough(rows, covariance_type):
    X, y = rows
    keep = np.flatnonzero((y != "awe") | (np.arange(40) == 2))
    model = small_gaussian(covariance_type=covariance_type, max_subclasses=3).fit(X[keep], y[keep])
    assert_array_equal(np.isfinite(model.score_samples(X)), True)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert model.weights_[0] == pytest.approx(1 / len(keep))


def test_pictures_of_no_face_have_low_density(faces):
    model = small_gaussian(embedding_dim=16, max_epochs=15).fit(faces.images, faces.target)
    noise = np.random.RandomState(0).randint(0, 256, (50, 24, 24)).astype(np.uint8)
    flipped = faces.images[:, ::-1]
    usual = np.median(model.score_samples(faces.images))
    assert np.median(model.score_samples(noise)) < usual
    assert np.median(model.score_samples(flipped)) < usual


def test_priors_shift_the_posterior(rows):
    X, y = rows
    usual = small_gaussian().fit(X, y)
    shifted = small_gaussian(priors=[0.98, 0.01, 0.01]).fit(X, y)
    assert_allclose(shifted.weights_, [0.98, 0.01, 0.01])
    assert (shifted.predict_proba(X)[:, 0] >= usual.predict_proba(X)[:, 0]).all()
    even = small_gaussian(priors="uniform").fit(X, y)
    assert_allclose(even.weights_, [1 / 3] * 3)
    never = small_gaussian(priors=[0, 0.5, 0.5]).fit(X, y)
    assert (never.predict_proba(X)[:, 0] == 0).all()


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ([0.5, 0.5], "priors holds 2 probabilities, but y has 3 classes"),
        ([0.5, 0.5, 0.5], "priors must be one probability for each class, and sum to 1"),
        ([1.5, -0.5, 0.0], "priors must be"),
        ([[1.0]], "priors must be"),
        ("even", "'priors' parameter of GaussianMetricEmbedder must be"),
    ],
)
def test_bad_priors(rows, priors, message):
    with pytest.raises(ValueError, match=message):
        small_gaussian(priors=priors).fit(*rows)


# -- what is minimized --------------------------------------------------------------------


def test_mixup_within_classes_trains(rows):
    X, y = rows
    assert small_gaussian(mixup="batch", max_epochs=30).fit(X, y).score(X, y) > 0.9


def test_mixup_trains(rows):
    X, y = rows
    assert small_gaussian(mixup=2.0, max_epochs=30).fit(X, y).score(X, y) > 0.9


def test_sigma_of_the_paper(rows):
    model = small_gaussian(sigma=0.5, relative_sigma=False).fit(*rows)
    assert model.net_.criterion_.metric_loss.relative_sigma is False


# -- sub-classes --------------------------------------------------------------------------


def test_subclasses_are_found(blobs):
    X, y, blob = blobs
    model = small_gaussian(max_subclasses=3, max_epochs=12).fit(X[::2], y[::2])
    assert_array_equal(model.n_subclasses_, [1, 2, 2])
    assert_array_equal(model.subclass_to_class_, ["calm", "glad", "glad", "sad", "sad"])
    assert adjusted_rand_score(blob[::2], model.subclass_labels_) > 0.95
    assert adjusted_rand_score(blob[1::2], model.predict_subclass(X[1::2])) > 0.95
    assert model.means_.shape == (5, 8)
    assert_allclose(model.weights_.sum(), 1)
    assert_array_equal(model.classes_, ["calm", "glad", "sad"])
    assert_array_equal(model.transduction_, y[::2])
    assert model.score(X[1::2], y[1::2]) > 0.95
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)


def test_a_learned_start_shows_kinds_of_faces():
    """One class holds two expressions of two kinds each, the other one kind."""
    faces = make_expressions(
        80, 2, classes=["happiness", "neutral", "surprise"], image_size=48, random_state=1
    )
    kinds = faces.subclass_names[faces.subclass]
    keep = kinds != "neutral/eyes closed"
    y = np.where(kinds == "neutral/eyes open", "calm", "moved")[keep]
    model = GaussianMetricEmbedder(max_subclasses=6, max_epochs=1, random_state=0)
    model.fit(faces.images[keep], y)
    assert_array_equal(model.n_subclasses_, [1, 4])
    moved = y == "moved"
    assert adjusted_rand_score(kinds[keep][moved], model.subclass_labels_[moved]) > 0.8


def test_a_fit_that_goes_on_looks_for_subclasses_in_its_embedding(faces, monkeypatch):
    """What it starts from is no start any more, but has brought its classes together."""
    model = GaussianMetricEmbedder(max_subclasses=2, max_epochs=1, warm_start=True, random_state=0)
    model.fit(faces.images, faces.target)
    looked = []
    find = SubclassFinder.find
    monkeypatch.setattr(
        SubclassFinder, "find", lambda *args, **kwargs: looked.append(1) or find(*args, **kwargs)
    )
    model.fit(faces.images, faces.target)
    assert looked
    looked.clear()
    model.set_params(warm_start=False).fit(faces.images, faces.target)
    assert not looked


def test_subclass_of_a_known_class(blobs):
    X, y, _ = blobs
    model = small_gaussian(max_subclasses=2).fit(X, y)
    wrong = np.roll(y, 100)
    assert_array_equal(model.subclass_to_class_[model.predict_subclass(X, wrong)], wrong)
    with pytest.raises(ValueError, match="angry"):
        model.predict_subclass(X, np.full(300, "angry"))


def test_one_subclass_is_the_class(blobs):
    X, y, _ = blobs
    model = small_gaussian().fit(X, y)
    assert_array_equal(model.subclass_to_class_, model.classes_)
    assert_array_equal(model.classes_[model.predict_subclass(X)], model.predict(X))


def test_priors_with_names_are_refused(blobs):
    """Those of value_counts are in the order of frequency."""
    X, y, _ = blobs
    shares = pd.Series(y).value_counts(normalize=True)
    with pytest.raises(ValueError, match=r"priors must be a list in the order of classes_"):
        small_gaussian(priors=shares).fit(X, y)
    ordered = shares.reindex(np.unique(y))
    model = small_gaussian(priors=ordered.reset_index(drop=True)).fit(X, y)
    assert_allclose(np.bincount([0, 1, 2], model.weights_), ordered)


def test_the_nearest_mean_tells_the_class(blobs):
    """Also where ``partial_fit`` moves the means of some classes only."""
    X, y, _ = blobs
    model = small_gaussian(priors="uniform").fit(X, y)
    some = np.isin(y, ["calm", "glad"])
    for _ in range(2):
        Z = model.transform(X)
        nearest = np.square(Z[:, None] - model.means_).sum(2).argmin(1)
        assert_array_equal(model.predict(X), model.classes_[nearest])
        span = np.linalg.svd(model.means_ - model.means_.mean(0))[2][:2]
        inside = span @ model.covariances_ @ span.T
        assert_allclose(inside, inside[0, 0] * np.eye(2), atol=1e-6 * inside[0, 0])
        model.partial_fit(X[some], y[some])


def test_subclasses_survive_pickle_and_partial_fit(blobs):
    X, y, blob = blobs
    model = small_gaussian(max_subclasses=2, max_epochs=12).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_subclass(X), model.predict_subclass(X))
    again.partial_fit(X, y)
    assert_array_equal(again.n_subclasses_, model.n_subclasses_)
    assert adjusted_rand_score(blob, again.subclass_labels_) > 0.95


def test_warm_start_looks_for_subclasses_anew(blobs):
    X, y, _ = blobs
    model = small_gaussian(max_subclasses=2, warm_start=True).fit(X, y)
    assert model.n_subclasses_.sum() > 3
    model.set_params(max_subclasses=1).fit(X, y)
    assert_array_equal(model.n_subclasses_, [1, 1, 1])
    assert model.n_iter_ == 8


def test_subclasses_with_early_stopping(blobs):
    X, y, blob = blobs
    model = small_gaussian(
        max_subclasses=2, max_epochs=12, early_stopping=True, validation_fraction=0.3
    ).fit(X, y)
    assert adjusted_rand_score(blob, model.subclass_labels_) > 0.9


def test_early_stopping_starts_anew_when_a_class_is_split(blobs, monkeypatch):
    X, y, _ = blobs
    restarts = []
    restart = StopAtBest.restart
    monkeypatch.setattr(StopAtBest, "restart", lambda self: restarts.append(1) or restart(self))
    settings = {"max_epochs": 12, "early_stopping": True, "validation_fraction": 0.3}
    small_gaussian(max_subclasses=2, **settings).fit(X, y)
    assert restarts
    restarts.clear()
    small_gaussian(max_subclasses=1, **settings).fit(X, y)
    assert not restarts


@pytest.mark.parametrize("partial", [False, True])
def test_labels_of_a_training_are_left_as_they_are_at_its_end(partial):
    """A snapshot, which answers in another thread, shares the array."""
    taken = []

    class Watched(GaussianMetricEmbedder):
        def finish_training(self, data):
            labels = self.subclass_labels_
            before = labels.copy()
            super().finish_training(data)
            taken.append((before, labels, self.subclass_labels_))

    X = np.random.RandomState(0).normal(size=(40, 5))
    y = np.where(np.arange(40) % 4 == 3, -1, np.arange(40) % 2)
    model = Watched(4, max_epochs=1, random_state=0)
    if partial:
        model.partial_fit(X, y, classes=[0, 1])
    else:
        model.fit(X, y)
    ((before, labels, after),) = taken
    assert (before < 0).any()
    assert (after >= 0).all()
    np.testing.assert_array_equal(labels, before)
    np.testing.assert_array_equal(model.classes_[after], model.transduction_)
