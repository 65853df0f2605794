"""What comes first in a model, and what of it embeds."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from skfer import CrossEntropyEmbedder
from skfer.datasets import make_expressions
from skfer.exceptions import ArgumentError
from skfer.persistence._parts import embedding_part, first_in, without_aligners
from skfer.preprocessing import FaceAligner

X, Y = load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def faces():
    return make_expressions(6, 1, image_size=24, random_state=0)


@pytest.fixture(scope="module")
def embedder(faces):
    model = CrossEntropyEmbedder(4, max_epochs=1, random_state=0)
    return model.fit(faces.images, faces.target)


@pytest.fixture(scope="module")
def rows():
    return CrossEntropyEmbedder(4, max_epochs=1, random_state=0).fit(X, Y)


def names(model):
    return [type(one).__name__ for one in first_in(model)]


def test_what_comes_first(embedder, rows):
    aligner, union = FaceAligner(image_size=24), make_union(embedder, FrozenEstimator(embedder))
    assert names(embedder) == ["CrossEntropyEmbedder"]
    assert names(make_pipeline(StandardScaler(), rows)) == ["StandardScaler"]
    assert names(make_pipeline(union, PCA())) == ["CrossEntropyEmbedder"] * 2
    assert names(make_pipeline(aligner, embedder, PCA())) == ["FaceAligner", "CrossEntropyEmbedder"]
    columns = ColumnTransformer([("a", rows, [0, 1, 2, 3])]).fit(X, Y)
    assert names(columns) == ["ColumnTransformer"]


def test_aligners_are_left_out_wherever_they_are(embedder, faces):
    with_aligner = make_pipeline(FaceAligner(image_size=24), embedder)
    assert without_aligners(embedder) is embedder
    assert without_aligners(with_aligner)[0] is embedder
    frozen = FrozenEstimator(with_aligner)
    model = CalibratedClassifierCV(frozen, ensemble=False).fit(faces.images, faces.target)
    rest = without_aligners(model)
    assert names(rest) == ["CrossEntropyEmbedder"]
    assert next(first_in(rest)) is embedder  # no network is copied
    assert names(model) == ["FaceAligner", "CrossEntropyEmbedder"]
    assert_array_equal(rest.predict_proba(faces.images), model.predict_proba(faces.images))


def test_what_embeds(embedder, faces):
    images, y = faces.images, faces.target
    wanted = embedder.transform(images)
    models = [
        embedder,
        FrozenEstimator(embedder),
        make_pipeline(embedder, KNeighborsClassifier()).fit(images, y),
        CalibratedClassifierCV(FrozenEstimator(embedder), ensemble=False).fit(images, y),
        make_pipeline("passthrough", FrozenEstimator(embedder)),
    ]
    for model in models:
        assert_array_equal(embedding_part(model).transform(images), wanted)
    union = make_pipeline(make_union(embedder, embedder), KNeighborsClassifier())
    part = embedding_part(union.fit(images, y))
    assert part.transform(images).shape == (len(images), 8)
    projected = make_pipeline(embedder, PCA(2)).fit(images, y)
    assert embedding_part(projected) is projected


def test_several_embeddings_are_none(rows):
    votes = VotingClassifier([("a", rows), ("b", rows)]).fit(X, np.array(["x", "y", "z"])[Y])
    with pytest.raises(ArgumentError, match=r"model is VotingClassifier\(2 x CrossEntropyEmbedder"):
        embedding_part(votes)
