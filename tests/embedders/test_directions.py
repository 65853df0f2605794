"""``normalize_embedding``: embeddings as directions from the mean of the training samples."""

import pickle

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import skfer
from skfer import (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MetricLossEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
from skfer.embedders._directions import some_labeled
from skfer.losses import GaussianMetricLoss, MultiThresholdTripletLoss
from skfer.training import Batches, ImageSource
from skfer.training._source import ResidentSource

ALL = [
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MetricLossEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
]
QUICK = {"max_epochs": 2, "random_state": 0, "precision": "float32", "device": "cpu"}


def _directions(Z, mean, n_parts=1):
    """By a plain loop over rows, and over parts of a row."""
    size = Z.shape[1] // n_parts
    rows = []
    for z in Z:
        parts = [(z - mean)[k * size : (k + 1) * size] for k in range(n_parts)]
        rows.append(np.concatenate([part / np.linalg.norm(part) for part in parts]))
    return np.array(rows) / n_parts**0.5


@pytest.mark.parametrize("cls", ALL)
def test_directions_by_a_loop(cls, faces):
    plain = cls(normalize_embedding=False, **QUICK).fit(faces.images, faces.target)
    model = cls(normalize_embedding=True, **QUICK).fit(faces.images, faces.target)
    raw = [output.embedding.numpy() for output in plain.network_outputs(faces.images)]
    Z = np.concatenate(raw).astype(np.float64)
    gaussian = cls in (GaussianMetricEmbedder, MetricLossEmbedder)  # by default the same loss
    mean = Z.mean(0) / 2 if gaussian else Z.mean(0)
    assert plain.embedding_center_ is None
    assert_allclose(model.embedding_center_, mean, atol=1e-6)
    n_parts = len(model.slices_) if cls is MultiThresholdEmbedder else 1
    found = model.transform(faces.images)
    assert_allclose(found, _directions(Z, mean, n_parts), atol=1e-5)
    assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "share"),
    [
        (GaussianMetricEmbedder(**QUICK), 0.5),
        (GaussianMetricEmbedder(standardize_embedding=False, **QUICK), 1),
        (MetricLossEmbedder(GaussianMetricLoss(), **QUICK), 0.5),
        (MetricLossEmbedder(MultiThresholdTripletLoss([0.5]), **QUICK), 1),
        (MetricLossEmbedder(GaussianMetricLoss(), unit_length=True, **QUICK), 0.5),
        (MetricLossEmbedder(MultiThresholdTripletLoss([0.5]), unit_length=True, **QUICK), 1),
        (MultiThresholdEmbedder(**QUICK), 1),
    ],
)
def test_how_far_it_is_to_the_mean(model, share, faces):
    """Only a standardized embedding has an origin that lies amid the classes."""
    raw = model.fit(faces.images, faces.target).network_outputs(faces.images)
    points = np.concatenate([output.embedding.numpy() for output in raw])
    if getattr(model, "unit_length", False) is True:
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    assert_allclose(model.embedding_center_, share * points.mean(0), atol=1e-5)
    Z, lengths = model.transform(faces.images), np.ones(len(faces.images))
    assert_allclose(np.linalg.norm(Z, axis=1), lengths, atol=1e-5)


@pytest.mark.parametrize("cls", [CrossEntropyEmbedder, TripletCenterEmbedder])
def test_the_classifier_does_not_change(cls, faces):
    models = [
        cls(normalize_embedding=value, **QUICK).fit(faces.images, faces.target)
        for value in (True, False)
    ]
    assert_array_equal(*[model.predict_proba(faces.images) for model in models])


@pytest.mark.parametrize(
    ("cls", "length", "normalized"),
    [
        (CrossEntropyEmbedder, 7, False),
        (CrossEntropyEmbedder, 8, True),
        (MultiThresholdEmbedder, 56, False),  # eight slices of seven
        (MultiThresholdEmbedder, 64, True),
    ],
)
def test_auto_needs_room(cls, length, normalized, faces):
    model = cls(embedding_dim=length, **QUICK).fit(faces.images, faces.target)
    assert (model.embedding_center_ is not None) == normalized


def test_auto_needs_a_coordinate_for_each_class(rows):
    X, _ = rows
    y = np.arange(len(X)) % 10
    for length, normalized in ((9, False), (10, True)):
        model = CrossEntropyEmbedder(embedding_dim=length, **QUICK).fit(X, y)
        assert (model.embedding_center_ is not None) == normalized


def test_a_short_embedding_is_normalized_where_asked_for(faces):
    model = CrossEntropyEmbedder(2, normalize_embedding=True, **QUICK)
    Z = model.fit(faces.images, faces.target).transform(faces.images)
    assert_allclose(np.linalg.norm(Z, axis=1), 1, atol=1e-5)


def test_what_an_embedder_knows_of_its_embedding_is_in_the_same_place(faces):
    """Means of the Gaussians, and learned centers."""
    X, y = faces.images, faces.target
    model = GaussianMetricEmbedder(**QUICK).fit(X, y)
    Z = model.transform(X)
    assert_allclose(
        model.means_, [Z[y == c].astype(np.float64).mean(0) for c in model.classes_], atol=1e-6
    )
    centers = TripletCenterEmbedder(**QUICK).fit(X, y).centers_
    assert_allclose(np.linalg.norm(centers, axis=1), 1, atol=1e-5)


def test_samples_without_a_label_do_not_move_the_mean(faces):
    X, codes = faces.images, faces.target % 4
    some = some_labeled(X, np.where(np.arange(len(X)) % 3 > 0, codes, -1))
    assert_array_equal(some.rows, np.flatnonzero(np.arange(len(X)) % 3 > 0))


@pytest.mark.parametrize(("n_first", "share"), [(40, 0.5), (16, 0.75)])
@pytest.mark.parametrize(
    ("cls", "part"),
    [(CrossEntropyEmbedder, 1), (GaussianMetricEmbedder, 0.5), (MultiThresholdEmbedder, 1)],
)
def test_partial_fit_moves_the_center(cls, part, n_first, share, faces):
    """By the share of the new samples, and by half at least."""
    X, y = faces.images, faces.target
    model = cls(normalize_embedding=True, **QUICK)
    first = model.partial_fit(X[:n_first], y[:n_first], classes=np.unique(y)).embedding_center_
    model.partial_fit(X[n_first:], y[n_first:])
    raw = [output.embedding.numpy() for output in model.network_outputs(X[n_first:])]
    now = part * np.concatenate(raw).astype(np.float64).mean(0)
    assert_allclose(model.embedding_center_, (1 - share) * first + share * now, atol=1e-5)


def test_many_passes_forget_the_first_ones(faces):
    """A network that has just begun puts the mean elsewhere."""
    X, y = faces.images, faces.target
    model = CrossEntropyEmbedder(backbone="scratch", normalize_embedding=True, random_state=0)
    for _ in range(25):
        model.partial_fit(X, y)
    raw = np.concatenate([output.embedding.numpy() for output in model.network_outputs(X)])
    spread = np.linalg.norm(raw - raw.mean(0), axis=1).mean()
    assert np.linalg.norm(model.embedding_center_ - raw.mean(0)) < 0.5 * spread


@pytest.mark.parametrize("value", [True, False])
def test_partial_fit_heeds_a_changed_parameter(value, faces):
    X, y = faces.images, faces.target
    model = CrossEntropyEmbedder(normalize_embedding=not value, **QUICK).partial_fit(X, y)
    model.set_params(normalize_embedding=value).partial_fit(X, y)
    lengths = np.linalg.norm(model.transform(X), axis=1)
    assert (np.abs(lengths - 1).max() < 1e-5) == value


def test_the_ready_model_stays_as_it_is():
    model = skfer.load_expression_model()[-1]
    assert model.embedding_center_ is None
    X = np.random.RandomState(0).randint(0, 256, (16, *model.input_shape_)).astype(np.uint8)
    model.set_params(lr=1e-6).partial_fit(X, model.classes_[np.arange(16) % 8])
    assert model.embedding_center_ is None


def test_of_many_samples_some_tell_the_mean(faces, monkeypatch):
    monkeypatch.setattr("skfer.embedders._directions._MOST_SAMPLES", 10)
    X = faces.images
    some = some_labeled(X, np.arange(len(X)) % 2)
    assert len(some) == 10
    assert set(some.rows % 2) == {0, 1}
    model = CrossEntropyEmbedder(normalize_embedding=True, **QUICK).fit(X, np.arange(len(X)) % 2)
    raw = [output.embedding.numpy() for output in model.network_outputs(X[some.rows])]
    assert_allclose(model.embedding_center_, np.concatenate(raw).mean(0), atol=1e-5)


@pytest.mark.parametrize("mode", [None, "r"])
def test_a_mean_that_cannot_be_written_to(mode, faces, tmp_path):
    model = CrossEntropyEmbedder(**QUICK).fit(faces.images, faces.target)
    joblib.dump(model, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib", mmap_mode=mode)
    assert_array_equal(again.transform(faces.images), model.transform(faces.images))


def test_kept_and_loaded(faces, tmp_path):
    model = CrossEntropyEmbedder(**QUICK).fit(faces.images, faces.target)
    Z = model.transform(faces.images)
    skfer.save(model, tmp_path / "model.skfer")
    for again in (skfer.load(tmp_path / "model.skfer"), pickle.loads(pickle.dumps(model))):
        assert_array_equal(again.embedding_center_, model.embedding_center_)
        assert_array_equal(again.transform(faces.images), Z)


def test_a_model_without_a_center_stays_as_it_was(faces):
    """It has no mean, and goes on without one until it is fitted anew."""
    plain = CrossEntropyEmbedder(normalize_embedding=False, **QUICK)
    Z = plain.fit(faces.images, faces.target).transform(faces.images)
    old = pickle.loads(pickle.dumps(plain))
    old.normalize_embedding = "auto"
    assert_array_equal(old.transform(faces.images), Z)
    old.partial_fit(faces.images, faces.target)
    assert old.embedding_center_ is None
    assert old.fit(faces.images, faces.target).embedding_center_ is not None


def test_scores_of_early_stopping_see_directions(faces):
    lengths = []

    def score(model, X, y):
        lengths.append(np.linalg.norm(model.transform(X), axis=1))
        return 0.0

    CrossEntropyEmbedder(early_stopping=True, scoring=score, **QUICK).fit(
        faces.images, faces.target
    )
    assert len(lengths) == 2
    assert_allclose(np.concatenate(lengths), 1, atol=1e-5)


@pytest.mark.parametrize("cls", ALL)
def test_samples_that_lie_on_a_gpu_are_embedded_there(cls, faces, monkeypatch):
    """Played on a processor."""
    expected = cls(normalize_embedding=True, **QUICK).fit(faces.images, faces.target)
    images = torch.from_numpy(faces.images)
    source, asked = ResidentSource(images), []
    monkeypatch.setattr(Batches, "to", lambda batches, *_, **__: setattr(batches, "source", source))

    def noted(self, indices):
        asked.append(np.arange(len(self))[indices])
        return self.samples[torch.from_numpy(asked[-1])]

    monkeypatch.setattr(ResidentSource, "__getitem__", noted)
    finish, finished = cls.finish_training, []

    def finish_training(self, data):
        finished.append(data.source)
        finish(self, data)

    monkeypatch.setattr(cls, "finish_training", finish_training)
    model = cls(normalize_embedding=True, **QUICK).fit(faces.images, faces.target)
    assert isinstance(finished[0], ImageSource)  # as it is told of
    assert_array_equal(np.concatenate(asked)[-len(images) :], np.arange(len(images)))
    assert_array_equal(model.embedding_center_, expected.embedding_center_)
    assert_array_equal(model.transform(faces.images), expected.transform(faces.images))


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("normalize", [True, False])
def test_points_are_placed_as_tensors_and_as_arrays(cls, normalize, faces):
    model = cls(embedding_dim=16, normalize_embedding=normalize, **QUICK)
    model.fit(faces.images, faces.target)
    embedding = torch.cat([batch.embedding for batch in model.network_outputs(faces.images)])
    wanted = model.features_of(embedding)
    assert isinstance(wanted, torch.Tensor)
    for given in (embedding.numpy(), embedding.double().numpy(), embedding.tolist()):
        with torch.device("meta"):
            found = model.features_of(given)
        assert type(found) is np.ndarray
        assert found.dtype == np.float32
        assert_array_equal(found, wanted.numpy())
    proxies = torch.zeros(1, 16, requires_grad=True)
    assert model.features_of(proxies + 1).requires_grad


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((2, 3)), r"embedding must be of shape \(n, 16\), as the network's, got \(2, 3\)"),
        (torch.zeros(2, 3), r"embedding must be of shape \(n, 16\)"),
        (torch.zeros(16), r"embedding must be of shape \(n, 16\)"),
        (np.zeros(16), "embedding must be an array of shape"),
        (np.full((2, 16), np.nan), "embedding must be .* finite numbers"),
        (np.full((2, 16), 1e300), "embedding must be .* finite numbers"),
        ("x", "embedding must be an array of shape"),
    ],
)
def test_points_that_cannot_be_placed(given, message, faces):
    model = CrossEntropyEmbedder(16, **QUICK).fit(faces.images, faces.target)
    with pytest.raises(skfer.ArgumentError, match=message):
        model.features_of(given)
