"""Embeddings that a face shares with its mirror image."""

import numpy as np
import pytest
from torch import nn

import skfer
from skfer import CrossEntropyEmbedder
from skfer.nets import FaceAugment

IMAGES = np.random.RandomState(0).randint(0, 256, (16, 16, 16)).astype(np.uint8)
LABELS = np.arange(16) % 2


def fitted(X=IMAGES, y=LABELS, **parameters):
    parameters = {"max_epochs": 1, "embedding_dim": 4, "random_state": 0} | parameters
    return CrossEntropyEmbedder(**parameters).fit(X, y)


def mirrored(X):
    return np.ascontiguousarray(X[:, :, ::-1])


def test_a_face_and_its_mirror_image_are_one_point():
    embedder = fitted()
    assert embedder.mirror_
    Z = embedder.transform(IMAGES)
    np.testing.assert_allclose(embedder.transform(mirrored(IMAGES)), Z, atol=1e-5)
    proba = embedder.predict_proba(IMAGES)
    np.testing.assert_allclose(embedder.predict_proba(mirrored(IMAGES)), proba, atol=1e-5)


def test_it_changes_no_training():
    plain, mean = fitted(mirror=False), fitted(mirror=True)
    assert [e["train_loss"] for e in plain.history_] == [e["train_loss"] for e in mean.history_]
    both = (plain.transform(IMAGES) + plain.transform(mirrored(IMAGES))) / 2
    np.testing.assert_allclose(mean.transform(IMAGES), both, atol=1e-5)


@pytest.mark.parametrize(
    "augment", [None, FaceAugment(flip=False), nn.Identity()], ids=["none", "no flip", "another"]
)
def test_not_by_itself_where_training_does_not_mirror(augment):
    assert not fitted(augment=augment).mirror_
    assert fitted(augment=augment, mirror=True).mirror_


def test_not_by_itself_where_there_are_many():
    X, y = np.tile(IMAGES, (126, 1, 1)), np.tile(LABELS, 126)
    assert fitted(X[:2000], y[:2000]).mirror_
    assert not fitted(X, y).mirror_
    assert not CrossEntropyEmbedder(random_state=0).partial_fit(IMAGES, LABELS).mirror_


def test_rows_have_none():
    assert not fitted(IMAGES.reshape(16, -1)[:, :5], mirror=True).mirror_


def test_a_kept_model_goes_on_with_it(tmp_path):
    embedder = fitted()
    skfer.save(embedder, tmp_path / "model.skfer")
    loaded = skfer.load(tmp_path / "model.skfer")
    np.testing.assert_array_equal(loaded.transform(IMAGES), embedder.transform(IMAGES))
